"""Levels from elsewhere: a published ordered logit, a published logit, and sums over a grid.

Where tables and numbers were published: ``outside/SOURCE.md``.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats
from scipy import special, stats

from intlmodels.checks import calibration
from intlmodels.core.settings import Settings
from intlmodels.fitting.fit import fit
from intlmodels.models import priors_of
from intlmodels.studies import load_study
from outcomestudies import ABROAD, OUTCOMES
from priordraws import Here
from studies import STUDY, edited, write_study

pytestmark = pytest.mark.slow

OUTSIDE = Path(__file__).parent / "outside"

#: Shares are of no interest here: everyone has the same.
HEAD = """\
[study]
name = "outside"
title = "Levels from elsewhere"
model = "share"
[firms]
file = "firms.csv"
column = "who"
[outcome]
column = "share"
unit = "percent"
rounding_width = 5
"""

#: Spreads are pinned and wide, so that each level has an effect of its own.
HOUSING = (
    HEAD
    + """
[outcomes.satisfaction]
kind = "ordered"
column = "satisfaction"
levels = ["Low", "Medium", "High"]
[[outcomes.satisfaction.readings]]
label = "Low"
level = "Low"
[[outcomes.satisfaction.readings]]
label = "Medium"
level = "Medium"
[[outcomes.satisfaction.readings]]
label = "High"
level = "High"
[predictors.influence]
kind = "category"
column = "influence"
[predictors.type]
kind = "category"
column = "type"
[predictors.contact]
kind = "contrast"
column = "contact"
low = "Low"
high = "High"
[priors]
sigma_influence = "LogNormal(log(3), 0.01)"
sigma_type = "LogNormal(log(3), 0.01)"
contact = "Normal(0, 10)"
"""
)
_CONTRASTS = ("smoker", "premature_before", "hypertension", "irritability")
BIRTHS = (
    HEAD
    + """
[outcomes.low]
kind = "binary"
columns = ["low"]
yes = ["yes"]
no = ["no"]
[predictors.age]
kind = "numeric"
column = "age"
[predictors.weight]
kind = "numeric"
column = "weight"
[predictors.race]
kind = "category"
column = "race"
[predictors.visits]
kind = "category"
column = "visits"
"""
    + "".join(
        f'[predictors.{name}]\nkind = "contrast"\ncolumn = "{name}"\nlow = "no"\nhigh = "yes"\n'
        for name in _CONTRASTS
    )
    + '[priors]\nlog_odds = "Normal(0, 10)"\nage = "Normal(0, 10)"\nweight = "Normal(0, 10)"\n'
    + "".join(f'{name} = "Normal(0, 10)"\n' for name in _CONTRASTS)
    + "".join(f'sigma_{name} = "LogNormal(log(5), 0.01)"\n' for name in ("race", "visits"))
)


def study_of(folder, toml, table):
    table = table.assign(who=[f"w{i}" for i in range(len(table))], share=10)
    text = table.to_csv(index=False, lineterminator="\n")
    return load_study(write_study(folder, toml=toml, tables={"firms.csv": text}))


def published(model):
    table = pd.read_csv(OUTSIDE / "logits.csv")
    table = table[table["model"] == model].set_index("coefficient")
    return table["estimate"], table["se"]


def draws_of(study, variant, draws=1000):
    settings = Settings(draws=draws, tune=500, target_accept=0.8)
    posterior = fit(study, variant, settings=settings)["posterior"]
    return {name: posterior[name].to_numpy() for name in posterior}, posterior


def hold(draws, model, centre, width):
    """Means near the published estimates, spreads near the published standard errors.

    ``centre`` (in standard errors) and ``width`` (a part) are what a posterior under wide priors
    may differ by from the maximum of the likelihood, beside Monte Carlo error.
    """
    estimate, se = published(model)
    assert set(draws) == set(estimate.index)
    for name, values in draws.items():
        error = float(array_stats.mcse(values, method="mean", chain_axis=0, draw_axis=1))
        off = (values.mean() - estimate[name]) / se[name]
        assert abs(off) < centre + 5 * error / se[name], (name, off)
        ratio = values.std() / se[name]
        assert abs(ratio - 1) < width + 0.05, (name, ratio)


def test_the_ordered_model_finds_the_published_coefficients(tmp_path):
    """Satisfaction of 1681 residents of Copenhagen: Venables and Ripley (2002), section 7.3."""
    cells = pd.read_csv(OUTSIDE / "housing.csv")
    table = cells.loc[cells.index.repeat(cells.pop("residents"))]
    study = study_of(tmp_path / "housing", HOUSING, table)
    v, posterior = draws_of(study, "satisfaction", 500)
    assert study.outcomes["satisfaction"].codes.sum() == 446 + 2 * 668
    level = {n: list(posterior[f"{n}_level"].to_numpy()) for n in ("influence", "type")}

    def of(name, label):
        return v[name][..., level[name].index(label)]

    others = {"influence": ("Medium", "High"), "type": ("Apartment", "Atrium", "Terrace")}
    first = {"influence": of("influence", "Low"), "type": of("type", "Tower")}
    draws = {f"{n}[{x}]": of(n, x) - first[n] for n, names in others.items() for x in names}
    draws["contact"] = v["contact"]
    base = first["influence"] + first["type"] - v["contact"] / 2
    draws |= {n: v["cutpoints"][..., i] - base for i, n in enumerate(("Low|Medium", "Medium|High"))}
    hold(draws, "housing", 0.1, 0.02)


def test_the_binary_model_finds_the_published_coefficients(tmp_path):
    """Low weight of 189 children: Venables and Ripley (2002), section 7.2."""
    table = pd.read_csv(OUTSIDE / "birth_weight.csv", dtype=str)
    study = study_of(tmp_path / "births", BIRTHS, table)
    v, posterior = draws_of(study, "low")
    assert study.outcomes["low"].codes.sum() == 59
    level = {n: list(posterior[f"{n}_level"].to_numpy()) for n in ("race", "visits")}

    def of(name, label):
        return v[name][..., level[name].index(label)]

    draws = {f"race[{x}]": of("race", x) - of("race", "white") for x in ("black", "other")}
    draws |= {f"visits[{x}]": of("visits", x) - of("visits", "0") for x in ("1", "2+")}
    draws |= {name: v[name] for name in _CONTRASTS}
    base = v["log_odds"] + of("race", "white") + of("visits", "0")
    for name in _CONTRASTS:
        base = base - v[name] / 2
    for name in ("age", "weight"):
        predictor = study.predictors[name]
        draws[name] = v[name] / predictor.scale
        base = base - draws[name] * predictor.center
    draws["intercept"] = base
    # 11 coefficients from 59 cases: the posterior is skewed, and wider than at its maximum.
    hold(draws, "birth_weight", 0.3, 0.1)


# -- small enough to sum over -------------------------------------------------------------

ONE = STUDY.split("[predictors.branch]", maxsplit=1)[0] + OUTCOMES.split("[variants", maxsplit=1)[0]


def nodes(count, low, high):
    points, weights = np.polynomial.legendre.leggauss(count)
    return low + (points + 1) * (high - low) / 2, weights * (high - low) / 2


def moments_of(values, weight):
    mean = (values * weight).sum() / weight.sum()
    return mean, np.sqrt((weight * (values - mean) ** 2).sum() / weight.sum())


def summed(study, variant):
    """Posterior mean and sd of every parameter, by sums over a grid."""
    codes, x = study.outcomes[variant].codes, study.predictors["ease"].values
    ease, w_ease = nodes(80, -4, 4)
    prior = w_ease * stats.norm.pdf(ease, 0, 0.5)
    if variant == "planned":
        odds, w_odds = nodes(120, -10, 10)
        eta = odds[:, None, None] + ease[:, None] * x
        chance = special.expit(np.where(codes == 1, eta, -eta)).prod(axis=-1)
        weight = chance * prior * (w_odds * stats.norm.pdf(odds, 0, 1.5))[:, None]
        axes = np.broadcast_arrays(odds[:, None], ease)
        return {n: moments_of(v, weight) for n, v in zip(("log_odds", "ease"), axes, strict=True)}
    # Dirichlet(1, 1, 1) is flat over p1 = u, p2 = (1 - u) v, with the area 1 - u.
    u, w_u = nodes(40, 0, 1)
    first, second = u[:, None, None, None], ((1 - u)[:, None] * u)[:, :, None, None]
    edges = [-np.inf, special.logit(first), special.logit(first + second), np.inf]
    eta = ease[:, None] * x
    law = [special.expit(e - eta) if np.ndim(e) else float(e > 0) + 0 * eta for e in edges]
    chance = np.ones((40, 40, 80))
    for firm, code in enumerate(codes):
        chance = chance * (law[code + 1] - law[code])[..., firm]
    weight = chance * prior * ((1 - u) * w_u)[:, None, None] * w_u[:, None]
    found = {"ease": moments_of(np.broadcast_to(ease, weight.shape), weight)}
    for name, value in (("nothing", first[..., 0]), ("agent", second[..., 0])):
        found[name] = moments_of(np.broadcast_to(value, weight.shape), weight)
    return found


@pytest.mark.parametrize("variant", ["reach", "planned"])
def test_a_posterior_is_what_sums_over_a_grid_give(tmp_path, variant):
    study = load_study(
        write_study(tmp_path / "study", toml=edited(ONE, ()), tables={"abroad.csv": ABROAD})
    )
    posterior = fit(study, variant, settings=Settings(draws=4000, tune=1000))["posterior"]
    for name, (mean, sd) in summed(study, variant).items():
        if name in posterior:
            values = posterior[name].to_numpy()
        else:
            values = posterior["baseline"].sel(baseline_level=name).to_numpy()
        for method, expected in (("mean", mean), ("sd", sd)):
            found = values.mean() if method == "mean" else values.std()
            error = array_stats.mcse(values, method=method, chain_axis=0, draw_axis=1)
            assert abs(found - expected) < 5 * error + 1e-4, (name, method)


@pytest.mark.parametrize("variant", ["reach", "planned-at-all"])
def test_the_truth_is_found_where_it_is_known(tmp_path, variant):
    study = load_study(
        write_study(tmp_path / "study", toml=edited(ONE, ()), tables={"abroad.csv": ABROAD})
    )
    settings = calibration.settings_for(study, {"draws": 200, "tune": 400})
    plan = calibration.plan_of(study, variant, priors_of(study, variant), settings)
    found = calibration.calibration(plan, 60, tmp_path / "out").run(Here())
    assert not found.failed
    assert calibration.uniform(found)
    names = {quantity.name for quantity in found.quantities}
    assert ({"baseline[agent]"} if variant == "reach" else {"log_odds"}) <= names
