"""Shares from elsewhere: published beta regressions, and what rounding does to public data.

Where every table and number was published: ``outside/SOURCE.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats
from scipy import linalg, special, stats

import intlmodels as im
from intlmodels.core.settings import Settings
from intlmodels.fitting.fit import fit
from studies import write_study

OUTSIDE = Path(__file__).parent / "outside"

#: A posterior mean under wide priors lies this close to the maximum of the likelihood, in published
#: standard errors: for coefficients the two differ by a part of the order 1/n (n = 38 and 32).
COEFFICIENT_GAP = 0.05
#: The maximum of the likelihood takes no account of the k coefficients that were fitted, the
#: posterior does: its mean of phi is (n - k)/n of the published one, as in a normal regression,
#: and the shares are not quite normal.
PRECISION_GAP = 0.03

FOOD = """\
[study]
name = "food"
title = "Food expenditure"
model = "share"
[firms]
file = "firms.csv"
column = "household"
[outcome]
column = "share"
unit = "percent"
rounding_width = 0.001
[predictors.income]
kind = "numeric"
column = "income"
[predictors.persons]
kind = "numeric"
column = "persons"
[priors]
intercept = "Normal(0, 10)"
income = "Normal(0, 10)"
persons = "Normal(0, 10)"
phi = "LogNormal(log(100), 3)"
"""

#: The intercept is pinned and the spread of the batches wide: each batch has a level of its own,
#: as in the published regression.
GASOLINE = """\
[study]
name = "gasoline"
title = "Gasoline from crude oil"
model = "share"
[firms]
file = "firms.csv"
column = "run"
[outcome]
column = "yield"
unit = "fraction"
rounding_width = 0.001
[predictors.batch]
kind = "category"
column = "batch"
[predictors.temp]
kind = "numeric"
column = "temp"
[priors]
intercept = "Normal(-1.5, 0.01)"
sigma_batch = "LogNormal(log(3), 0.01)"
temp = "Normal(0, 10)"
phi = "LogNormal(log(100), 3)"
"""

DISTRICTS = """\
[study]
name = "districts"
title = "School districts of California"
model = "share"
[firms]
file = "firms.csv"
column = "district"
[outcome]
column = "share"
unit = "percent"
rounding_width = 0.01
[predictors.income]
kind = "numeric"
column = "income"
transform = "log"
[predictors.lunch]
kind = "numeric"
column = "lunch"
"""


@dataclass(frozen=True)
class Example:
    """A published beta regression, and how the study of the same data is written.

    ``published @ coefficients of the study`` are the published coefficients.
    """

    toml: str
    table: pd.DataFrame
    shares: np.ndarray
    design: np.ndarray
    names: tuple[str, ...]
    published: np.ndarray
    centre: np.ndarray
    width: np.ndarray


def standardized(values):
    return (values - values.mean()) / values.std(ddof=1)


def food():
    """Griffiths, Hill and Judge (1993), Table 15.4: share of income spent on food."""
    table = pd.read_csv(OUTSIDE / "food_expenditure.csv")
    shares = (table["food"] / table["income"]).to_numpy()
    numbers = table[["income", "persons"]]
    scale, mean = numbers.std(ddof=1).to_numpy(), numbers.mean().to_numpy()
    back = np.diag([1, *1 / scale])
    back[0, 1:] = -mean / scale
    table["share"] = [f"{100 * share:.3f}" for share in shares]
    columns = [np.ones(len(table)), *(standardized(numbers[name]) for name in numbers)]
    design = np.column_stack(columns)
    names = ("intercept", "income", "persons")
    return Example(FOOD, table, shares, design, names, back, np.zeros(3), np.full(3, 10.0))


def gasoline():
    """Prater (1956): proportion of crude oil converted to gasoline, ten batches."""
    table = pd.read_csv(OUTSIDE / "gasoline_yield.csv", dtype={"yield": str})
    batch = np.eye(10)[table["batch"] - 1]
    temp = table["temp"]
    back = np.eye(11)
    back[:9, 9] = -1  # batch 10 is the baseline
    back[[9, 10], 10] = -temp.mean() / temp.std(ddof=1), 1 / temp.std(ddof=1)
    names = (*(f"batch{i}" for i in range(1, 10)), "intercept", "temp")
    design = np.column_stack([batch, standardized(temp)])
    shares = table["yield"].astype(float).to_numpy()
    centre, width = np.array([-1.5] * 10 + [0]), np.array([3.0] * 10 + [10])
    return Example(GASOLINE, table, shares, design, names, back, centre, width)


EXAMPLES = {"food": food, "gasoline": gasoline}


def published(name):
    """Coefficient -> estimate and standard error, as printed."""
    table = pd.read_csv(OUTSIDE / "beta_regression.csv", dtype=str)
    table = table[table["data"] == name].set_index("coefficient")
    return {row.Index: (row.estimate, row.se) for row in table.itertuples()}


# -- the likelihood once more, by the formulas of Ferrari and Cribari-Neto (2004) ---------


def information(design, coefficients, phi):
    """Fisher information of coefficients and phi."""
    mu = special.expit(design @ coefficients)
    slope = mu * (1 - mu)
    one, two = special.polygamma(1, mu * phi), special.polygamma(1, (1 - mu) * phi)
    mixed = design.T @ (phi * (one * mu - two * (1 - mu)) * slope)
    last = (one * mu**2 + two * (1 - mu) ** 2 - special.polygamma(1, phi)).sum()
    block = design.T @ ((phi**2 * (one + two) * slope**2)[:, None] * design)
    return np.block([[block, mixed[:, None]], [mixed[None], np.array([[last]])]])


def maximum(design, shares):
    """Maximum of the likelihood by Fisher scoring: coefficients and phi."""
    coefficients = np.linalg.lstsq(design, special.logit(shares))[0]
    phi = 100.0
    for _ in range(100):
        mu = special.expit(design @ coefficients)
        off = special.logit(shares) - special.digamma(mu * phi) + special.digamma((1 - mu) * phi)
        rest = np.log1p(-shares) - special.digamma((1 - mu) * phi) + special.digamma(phi)
        score = [*(phi * design.T @ (mu * (1 - mu) * off)), (mu * off + rest).sum()]
        step = np.linalg.solve(information(design, coefficients, phi), score)
        coefficients, phi = coefficients + step[:-1], max(phi + step[-1], phi / 2)
    return coefficients, phi


@cache
def weighted(name, draws=50_000):
    """The posterior of a study by importance sampling: published coefficients, phi, weights.

    Proposed is a t law around the maximum of the likelihood, with phi and the spread corrected for
    the number of coefficients.
    """
    example = EXAMPLES[name]()
    design, shares = example.design, example.shares
    n, k = design.shape
    coefficients, phi = maximum(design, shares)
    phi *= (n - k) / n
    spread = np.linalg.inv(information(design, coefficients, phi))
    to_log = np.diag([*np.ones(k), 1 / phi])
    law = stats.multivariate_t(
        [*coefficients, np.log(phi)], 1.2 * to_log @ spread @ to_log, df=8, seed=1
    )
    found = law.rvs(draws)
    phis, mu = np.exp(found[:, -1:]), special.expit(found[:, :-1] @ design.T)
    height = stats.beta.logpdf(shares, mu * phis, (1 - mu) * phis).sum(axis=1)
    height += stats.norm.logpdf(found[:, :-1], example.centre, example.width).sum(axis=1)
    height += stats.norm.logpdf(found[:, -1], np.log(100), 3)
    height -= law.logpdf(found)
    weight = np.exp(height - height.max())
    values = np.column_stack([found[:, :-1] @ example.published.T, phis])
    return values, weight / weight.sum()


def gap(name, found):
    """Differences from the published estimates in published standard errors; and the ratio of phi.

    The ratio is 1 where phi is (n - k)/n of the published one.
    """
    example, known = EXAMPLES[name](), published(name)
    n, k = example.design.shape
    estimate, se = np.array([[float(x) for x in known[c]] for c in (*example.names, "phi")]).T
    return (found[:-1] - estimate[:-1]) / se[:-1], found[-1] / (estimate[-1] * (n - k) / n)


# -- published beta regressions ----------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_data_give_the_published_estimates_to_the_last_digit(name):
    """Ferrari and Cribari-Neto (2004), Tables 1 and 2; Cribari-Neto and Zeileis (2010)."""
    example = EXAMPLES[name]()
    coefficients, phi = maximum(example.design, example.shares)
    inverse = np.linalg.inv(information(example.design, coefficients, phi))
    back = linalg.block_diag(example.published, 1)
    estimates = back @ [*coefficients, phi]
    errors = np.sqrt(np.diag(back @ inverse @ back.T))
    known = published(name)
    assert set(known) == {*example.names, "phi"}
    for label, *numbers in zip((*example.names, "phi"), estimates, errors, strict=True):
        for number, printed in zip(numbers, known[label], strict=True):
            decimals = len(printed.partition(".")[2])
            assert abs(number - float(printed)) < 0.51 * 10.0**-decimals, (label, printed)


@pytest.mark.parametrize("name", EXAMPLES)
def test_under_wide_priors_the_posterior_lies_at_the_published_estimates(name):
    """The bounds that the fits are held to, from a posterior that no sampler of ours drew."""
    values, weight = weighted(name)
    assert 1 / (weight**2).sum() > 5_000
    coefficients, ratio = gap(name, weight @ values)
    assert np.abs(coefficients).max() < COEFFICIENT_GAP
    assert abs(ratio - 1) < PRECISION_GAP


def study_draws(tree, name):
    """Draws of the published coefficients and phi, (chain, draw, coefficient)."""
    posterior = tree["posterior"].to_dataset()
    if name == "food":
        parts = [posterior[key] for key in ("intercept", "income", "persons")]
    else:
        levels = posterior["intercept"] + posterior["batch"]
        parts = [levels.sel(batch_level=str(i + 1)) for i in range(10)] + [posterior["temp"]]
    stacked = np.stack([part.transpose("chain", "draw").to_numpy() for part in parts], axis=-1)
    return np.concatenate(
        [stacked @ EXAMPLES[name]().published.T, posterior["phi"].to_numpy()[..., None]], axis=-1
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_share_model_finds_the_published_coefficients(tmp_path, name):
    """Table 1 (gasoline) and Table 2 (food) of Ferrari and Cribari-Neto (2004)."""
    example = EXAMPLES[name]()
    table = example.table.to_csv(index=False, lineterminator="\n")
    folder = write_study(
        tmp_path / name, toml=example.toml, tables={"firms.csv": table, "traits.csv": None}
    )
    draws = study_draws(im.fit_study(folder, draws=1500, tune=500), name)
    mean, sd = draws.mean(axis=(0, 1)), draws.std(axis=(0, 1))
    error = array_stats.mcse(draws, method="mean", chain_axis=0, draw_axis=1)
    values, weight = weighted(name)
    expected = weight @ values
    spread = np.sqrt(weight @ (values - expected) ** 2)
    # Five standard errors are not left by chance in 16 comparisons.
    noise = np.hypot(error, spread * np.sqrt((weight**2).sum()))
    assert (np.abs(mean - expected) < 5 * noise).all()
    deviation = array_stats.mcse(draws, method="sd", chain_axis=0, draw_axis=1)
    assert (np.abs(sd - spread) < 5 * deviation + 0.01 * spread).all()
    coefficients, ratio = gap(name, mean)
    se = np.array([float(published(name)[label][1]) for label in example.names])
    assert (np.abs(coefficients) < COEFFICIENT_GAP + 5 * error[:-1] / se).all()
    assert abs(ratio - 1) < PRECISION_GAP + 5 * error[-1] / mean[-1]


# -- rounding ----------------------------------------------------------------------------


def rounded(folder, width, variant):
    """Draws of slopes and log phi from the shares of districts rounded to a width."""
    table = pd.read_csv(OUTSIDE / "california_districts.csv")
    table["share"] = [f"{width * round(share / width):.2f}" for share in table["calworks"]]
    path = write_study(
        folder,
        toml=DISTRICTS.replace("0.01", str(width)),
        tables={"firms.csv": table.to_csv(index=False, lineterminator="\n"), "traits.csv": None},
    )
    settings = Settings(draws=1000, tune=500, target_accept=0.8)
    posterior = fit(im.load_study(path), variant, settings=settings)["posterior"]
    draws = [posterior[name].to_numpy() for name in ("intercept", "income", "lunch")]
    draws = np.stack([*draws, np.log(posterior["phi"].to_numpy())], axis=-1)
    assert array_stats.rhat(draws, chain_axis=0, draw_axis=1).max() < 1.01
    return draws, array_stats.mcse(draws, method="mean", chain_axis=0, draw_axis=1)


@pytest.mark.slow
def test_rounding_to_five_percent_costs_the_interval_model_little_and_the_density_its_phi(tmp_path):
    """Share of pupils on public assistance, 420 districts, 57 of them below 2.5 percent.

    What rounding takes away moves a posterior mean by chance, with a variance that is the gain in
    posterior variance: half a standard deviation here. No more than one and a half times that
    is left to it.
    """
    fine, fine_error = rounded(tmp_path / "fine", 0.01, "default")
    sd = fine.std(axis=(0, 1))
    moved = {}
    for variant in ("default", "density"):
        draws, error = rounded(tmp_path / variant, 5, variant)
        moved[variant] = (draws.mean(axis=(0, 1)) - fine.mean(axis=(0, 1))) / sd
        noise = np.hypot(error, fine_error) / sd
        if variant == "default":
            assert (np.abs(moved[variant]) < 0.75 + 5 * noise).all()
        else:
            # log phi: squeezed zeros look like much more spread than there is
            assert moved[variant][-1] < -2.5
    assert np.abs(moved["density"][-1]) > 4 * np.abs(moved["default"][-1])
