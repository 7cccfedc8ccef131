"""The decay model: its catalogue, its density where decisions are known, and both samplers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from arviz_stats.base import array_stats
from pytensor.compile.mode import Mode
from scipy import stats

from decaystudies import write_counts_study, write_decisions_study
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Settings
from intlmodels.fitting.fit import fit
from intlmodels.models import catalogue, design_of, find_variant, priors_of
from intlmodels.models.decay import inferencedata, sampler
from intlmodels.models.decay.design import OUTCOME, repairs
from intlmodels.models.decay.model import build
from intlmodels.studies import load_study
from intlmodels.studies.counts import Count, rows

NORWAY = load_study("norway")
PLAIN = Mode(linker="py", optimizer=None)
KNOWN = ("default", "power", "step", "period", "common-decay")


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A study of known decisions of two sizes of firms in two periods."""
    rng = np.random.default_rng(2)
    decisions = [
        (firm, str(1990 + i), "yes" if rng.random() < 0.5 else "no")
        for firm in ("Ash", "Box", "Cob", "Dab")
        for i in range(0, 12, 3)
    ]
    folder = write_decisions_study(
        tmp_path_factory.mktemp("known"),
        decisions=decisions,
        sizes=("large", "large", "other", "other"),
        periods=("early", "late"),
        starts=[1996],
    )
    return load_study(folder)


def test_the_catalogue_is_that_of_the_specification():
    assert set(catalogue(NORWAY)) == {
        *("default", "rho-0.01", "rho-0.2", "concentration-0.5", "concentration-5"),
        *("year-2000", "year-2008", "text", "large-h", "repair-1", "repair-2"),
        *("owners", "missed"),
        *("power", "step", "period", "common-decay"),
    }
    apart = [name for name in catalogue(NORWAY) if not find_variant(NORWAY, name).comparable]
    assert apart == ["text", "repair-1", "repair-2"]


def test_the_default_priors_are_those_of_the_specification():
    assert {name: prior.text for name, prior in priors_of(NORWAY).items()} == {
        "intercept": "Normal(0, 1.5)",
        "large": "Normal(0, 1)",
        "sigma_firm": "HalfNormal(1)",
        "decay_mean": "Normal(0, 0.5)",
        "sigma_decay": "HalfNormal(0.5)",
    }


def test_variants_change_what_their_name_says():
    default = design_of(NORWAY)
    assert (default.rho, default.concentration, default.total) == (0.05, 1.0, 41)
    assert design_of(NORWAY, "rho-0.2").rho == 0.2
    assert design_of(NORWAY, "concentration-5").concentration == 5
    assert design_of(NORWAY, "year-2008").periods[2] == "2008"
    assert len(design_of(NORWAY, "text").counts) > len(default.counts)
    repaired = {count.id: count for count in design_of(NORWAY, "repair-1").counts}
    assert all(count.hard for count in repaired.values())
    changes = repairs(NORWAY.counts, NORWAY.firms, NORWAY.periods)[0]
    assert {name: repaired[name].value for name in changes} == changes
    unchanged = [count for count in default.counts if count.id not in changes]
    assert all(repaired[count.id].value == count.value for count in unchanged)


def test_complete_is_the_default_where_only_decisions_are_known(known):
    assert find_variant(known, "complete").name == "default"
    assert design_of(known).decisions is not None
    with pytest.raises(StudyError, match="needs a table \\[decisions\\]"):
        find_variant(NORWAY, "complete")


def test_a_study_of_one_size_has_one_decay_and_no_effect_of_size(tmp_path):
    total = {"id": "all", "value": 6, "status": "hard"}
    study = load_study(write_counts_study(tmp_path / "study", sizes=None, counts=[total]))
    assert set(priors_of(study)) == {"intercept", "sigma_firm", "decay_mean"}
    assert design_of(study).sizes == ("all",)
    with pytest.raises(StudyError, match="firms of two sizes"):
        find_variant(study, "common-decay")


# -- decisions known ---------------------------------------------------------------------


def point_of(model, seed):
    rng = np.random.default_rng(seed)
    return {
        name: np.asarray(rng.normal(0, 0.5, np.shape(value)))
        for name, value in model.initial_point().items()
    }


@pytest.mark.parametrize("variant", KNOWN)
def test_density_and_gradient_are_finite_and_flags_follow_the_formula(known, variant):
    model = build(known, variant)
    density = model.compile_fn(model.logp(sum=False), mode=PLAIN, inputs=model.value_vars)
    slope = model.compile_fn(model.dlogp(), mode=PLAIN, inputs=model.value_vars)
    for seed in range(3):
        point = point_of(model, seed)
        assert np.isfinite(slope(point)).all()
        found = density(point)[-1]
        assert found == pytest.approx(expected_flags(known, variant, model, point), abs=1e-10)


def expected_flags(study, variant, model, point):
    """Log probability of each decision's flag, from the formula in models, section 3."""
    names = [rv.name for rv in [*model.free_RVs, *model.deterministics]]
    inputs = model.value_vars
    values = model.compile_fn(
        model.replace_rvs_by_values([model[name] for name in names]),
        inputs=inputs,
        mode=PLAIN,
        on_unused_input="ignore",
    )(point)
    value = dict(zip(names, values, strict=True))
    seen: dict[str, int] = {}
    found = []
    made = study.decisions
    for firm, period, flag in zip(made.firm, made.period, made.flag, strict=True):
        k = seen.get(firm, 0)
        seen[firm] = k + 1
        f = study.firms.index(firm)
        large = study.sizes[f] == "large"
        step = {"power": math.log(1 + k), "step": float(k > 0)}.get(variant, k)
        odds = value["intercept"] + value["firm"][f] + value["large"] * large
        odds -= value["decay"][0 if large else 1] * step
        if variant == "period":
            odds += value["period"][study.periods.index(period)]
        found.append(stats.bernoulli(1 / (1 + np.exp(-odds))).logpmf(flag))
    return np.array(found)


def test_a_fit_of_known_decisions_has_every_group(known):
    tree = fit(known, settings=Settings(draws=60, tune=60, chains=2))
    assert tree["posterior"]["decay"].dims == ("chain", "draw", "size")
    assert tree["posterior"]["firm"].dims == ("chain", "draw", "firm_level")
    assert tree["log_likelihood"][OUTCOME].sizes["decision"] == known.total
    assert "table" not in tree["posterior"]
    assert set(np.unique(tree["posterior_predictive"][OUTCOME])) <= {0, 1}


# -- counts ------------------------------------------------------------------------------


def test_a_fit_of_counts_has_every_group_and_keeps_the_hard_counts():
    tree = fit(NORWAY, settings=Settings(draws=40, tune=20, chains=2))
    design = design_of(NORWAY)
    system = rows(design.counts, design.firms, design.periods)
    table = tree["posterior"]["table"].to_numpy()
    assert (system.deviation(system.true(table))[..., system.hard] == 0).all()
    labels = [str(name) for name in tree["observed_data"]["count"].to_numpy()]
    assert labels[:2] == ["M01", "M02"]
    assert "M20b[A]" in labels
    printed = tree["observed_data"]["printed_count"].to_numpy()
    assert printed[labels.index("M28")] == 8
    pointwise = tree["log_likelihood"]["printed_count"].to_numpy()
    assert (pointwise[..., system.hard] == 0).all()
    assert (pointwise[..., ~system.hard] < 0).all()
    assert tree["prior"]["table"].sum(("firm_level", "period_level", "flag")).to_numpy() == (
        pytest.approx(41)
    )


def test_noise_of_printed_counts_is_two_sided_geometric(tmp_path):
    study = load_study(write_counts_study(tmp_path / "study", rho=0.2))
    design = design_of(study)
    drawn = inferencedata.prior(design, priors_of(study), 20_000, 1)
    printed = inferencedata.printed_counts(design, drawn, 1, 2)["printed_count"].to_numpy()
    system = rows(design.counts, design.firms, design.periods)
    off = (printed - system.true(drawn["table"].to_numpy()))[..., ~system.hard].ravel()
    values = np.arange(-3, 4)
    expected = (1 - 0.2) / (1 + 0.2) * 0.2 ** np.abs(values)
    found = np.array([(off == value).sum() for value in values])
    rest = len(off) - found.sum()
    expected = np.append(expected, 1 - expected.sum()) * len(off)
    assert stats.chisquare(np.append(found, rest), expected).pvalue > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["default", "period", "common-decay"])
def test_counts_that_tell_every_decision_give_the_posterior_of_known_decisions(tmp_path, variant):
    """Two samplers that share no code: NUTS on flags, and the one of tables, here pinned down."""
    rng = np.random.default_rng(7)
    firms, periods = ("Ash", "Box", "Cob"), ("one", "two", "three", "four")
    flags = rng.integers(0, 2, (3, 4))
    decisions = [
        (firm, period, ("no", "yes")[flags[f, t]])
        for f, firm in enumerate(firms)
        for t, period in enumerate(periods)
    ]
    sizes = ("large", "other", "other")
    known = load_study(
        write_decisions_study(
            tmp_path / "known",
            decisions=decisions,
            sizes=sizes,
            columns=("firm", "period", "flag"),
            periods=periods,
        )
    )
    told = [{"id": "all", "value": 12, "status": "hard"}]
    told += [
        {"id": f"{f}-{p}-{y}", "firms": f, "periods": p, "flag": y, "value": int(y == own)}
        | {"status": "hard"}
        for f, p, own in decisions
        for y in ("yes", "no")
    ]
    counted = load_study(
        write_counts_study(
            tmp_path / "counted", firms=firms, sizes=sizes, periods=periods, counts=told
        )
    )
    settings = Settings(draws=2500, tune=1000, chains=4, seed=3)
    one, two = (fit(study, variant, settings=settings)["posterior"] for study in (known, counted))
    for name in priors_of(known, variant) | {"decay": None, "firm": None}:
        a, b = (tree[name].to_numpy().reshape(4, 2500, -1) for tree in (one, two))
        for i in range(a.shape[2]):
            error = math.hypot(*(_error(values[..., i]) for values in (a, b)))
            assert abs(a[..., i].mean() - b[..., i].mean()) < 4.5 * error, name
            assert a[..., i].std() == pytest.approx(b[..., i].std(), rel=0.12), name


def _error(values):
    return float(array_stats.mcse(values, method="mean", chain_axis=0, draw_axis=1))


@pytest.mark.slow
def test_counts_know_less_than_decisions_and_agree_with_them(tmp_path):
    """Simulated in full and reduced to counts: the same answer, less surely."""
    design = design_of(NORWAY)
    rng = np.random.default_rng(12)
    value = {
        "intercept": np.array([1.0]),
        "large": np.array([0.3]),
        "firm": np.zeros((1, 12)),
        "decay": np.array([[0.6, 0.2]]),
    }
    made, table = inferencedata.simulate_tables(design, value, rng)
    firms, periods = design.firms, design.periods
    decisions = [
        (firms[f], periods[t], ("no", "yes")[y])
        for f, t, y in zip(*(made[name][0] for name in ("firm", "period", "flag")), strict=True)
    ]
    sizes = tuple(design.sizes[i] for i in design.size_of_firm)
    told = [{"id": "all", "value": 41, "status": "hard"}]
    for size, chosen in (("large", slice(0, 3)), ("other", slice(3, 12))):
        for t, period in enumerate(periods):
            for y, flag in enumerate(("no", "yes")):
                told.append(
                    {
                        "id": f"{size}-{t}-{flag}",
                        "size": size,
                        "periods": period,
                        "flag": flag,
                        "value": int(table[0, chosen, t, y].sum()),
                    }
                )
    shared = {"firms": firms, "sizes": sizes, "periods": periods}
    known = load_study(
        write_decisions_study(
            tmp_path / "known",
            decisions=decisions,
            columns=("firm", "period", "flag"),
            **shared,
        )
    )
    counted = load_study(write_counts_study(tmp_path / "counted", counts=told, **shared))
    settings = Settings(draws=1500, tune=700, chains=4)
    one, two = (fit(study, settings=settings)["posterior"]["decay"] for study in (known, counted))
    for size in ("large", "other"):
        a, b = one.sel(size=size).to_numpy().ravel(), two.sel(size=size).to_numpy().ravel()
        assert a.std() < b.std()
        assert abs(a.mean() - b.mean()) < b.std()


def test_layout_numbers_every_parameter_once():
    for variant in catalogue(NORWAY):
        design = design_of(NORWAY, variant)
        where = sampler.layout(design)
        used = [i for i in where.at[:-1] if i >= 0]  # the last is the number of sizes
        assert len(set(used)) == len(used)
        assert max(used) < where.length
        moves = sampler.moves(design, where)
        moved = (moves.vectors != 0).any(axis=0)
        # Every coordinate moves by itself or with others, but firms' effects, which are summed out.
        first, firms = where.position("firm"), len(design.firms)
        assert moved.sum() == where.length - firms == np.linalg.matrix_rank(moves.vectors)
        assert not moved[first : first + firms].any()


@pytest.mark.slow
def test_the_sampler_is_calibrated_on_simulated_studies():
    """Simulation-based calibration (Talts et al. 2018, arXiv:1804.06788): ranks are uniform.

    Parameters from their priors, decisions from the model, counts of them printed with the
    errors that the model assumes; the fit's ranks of the true values must then be uniform.
    """
    firms, periods, total = ("A", "B", "C", "D", "E"), ("one", "two"), 14
    everything = {"firms": firms, "periods": periods, "flags": ("no", "yes"), "relation": "equal"}

    def count(name, hard=False, **subset):
        return Count(name, **{**everything, **subset}, value=0, hard=hard)

    counts = (
        count("all", hard=True),
        count("yes", hard=True, flags=("yes",)),
        count("one", periods=("one",)),
        count("one, yes", periods=("one",), flags=("yes",)),
        count("large", firms=firms[:2]),
        count("large, two, yes", firms=firms[:2], periods=("two",), flags=("yes",)),
    )
    design = replace(
        design_of(NORWAY),
        firms=firms,
        size_of_firm=(0, 0, 1, 1, 1),
        periods=periods,
        period_weights=(0.5, 0.5),
        total=total,
        counts=counts,
        rho=0.2,
    )
    priors = priors_of(NORWAY)
    simulations, settings = 150, Settings(draws=50, tune=150, chains=2, sweeps=15)
    truth = inferencedata.prior(design, priors, simulations, 5)
    printed = inferencedata.printed_counts(design, truth, 5, 1)["printed_count"].to_numpy()[0]
    rng = np.random.default_rng(6)
    ranks: dict[str, list[float]] = {}
    for i in range(simulations):
        seen = tuple(
            replace(own, value=int(value)) for own, value in zip(counts, printed[i], strict=True)
        )
        fitted = inferencedata.posterior(
            design,
            sampler.sample(
                replace(design, counts=seen), priors, replace(settings, seed=i), progress=None
            ),
        )
        for name in ("intercept", "large", "sigma_firm", "decay_mean", "sigma_decay", "decay"):
            true = truth[name].to_numpy()[0, i].ravel()
            draws = fitted[name].to_numpy().reshape(100, -1)
            for j in range(len(true)):
                ranks.setdefault(f"{name}{j}", []).append((draws[:, j] < true[j]).mean())
        cell = {"firm_level": slice(0, 2), "period_level": 1, "flag": 0}
        true = int(truth["table"].isel(chain=0, draw=i, **cell).sum())
        draws = fitted["table"].isel(**cell).sum("firm_level").to_numpy().ravel()
        # Of ties, a random part counts as below: the rank is then uniform as well.
        tied = rng.random() * (draws == true).mean()
        ranks.setdefault("cell", []).append((draws < true).mean() + tied)
    for name, found in ranks.items():
        spread = np.array(found) + rng.uniform(-0.005, 0.005, simulations)
        assert stats.kstest(spread, "uniform").pvalue > 0.001, name
