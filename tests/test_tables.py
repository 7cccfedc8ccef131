"""Decision tables: prior, simulation, order of flags, enumeration, and the kernels' laws."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

import enumerated
from bruteforce import compositions
from intlmodels.core.errors import StudyError
from intlmodels.models.decay import inferencedata, kernels, steps
from intlmodels.models.decay.design import Design
from intlmodels.models.priors import DISTRIBUTIONS, draw, parameter
from intlmodels.studies.counts import Count, rows

FIRMS, PERIODS = ("A", "B", "C"), ("early", "late")
LAWS = {
    "Normal(0.3, 1.2)": stats.norm(0.3, 1.2),
    "StudentT(3, 0.1, 0.8)": stats.t(3, 0.1, 0.8),
    "Cauchy(0.1, 0.5)": stats.cauchy(0.1, 0.5),
    "HalfNormal(0.7)": stats.halfnorm(0, 0.7),
    "HalfCauchy(0.7)": stats.halfcauchy(0, 0.7),
    "HalfStudentT(4, 0.6)": stats.t(4, 0, 0.6),
    "Exponential(2)": stats.expon(0, 0.5),
    "Gamma(2, 3)": stats.gamma(2, 0, 1 / 3),
    "LogNormal(log(2), 0.4)": stats.lognorm(0.4, 0, 2),
    "Beta(2, 3)": stats.beta(2, 3),
}


def design(total=5, **changes) -> Design:
    return Design(
        **{
            "firms": FIRMS,
            "size_of_firm": (0, 1, 1),
            "sizes": ("large", "other"),
            "periods": PERIODS,
            "period_weights": (0.7, 0.3),
            "total": total,
            "counts": (),
            "decisions": None,
            **changes,
        }
    )


def support_of(text):
    low, high = LAWS[text].support()
    return "real" if low < 0 else ("unit" if high == 1 else "positive")


def test_kernels_know_every_distribution():
    assert set(kernels.DISTRIBUTION_CODES) == set(DISTRIBUTIONS)


@pytest.mark.parametrize("text", LAWS)
def test_kernel_priors_differ_from_scipys_by_a_constant(text):
    prior = parameter("x", text, support_of(text), "")
    arguments = [*prior.args, 0.0, 0.0, 0.0][:3]
    code = kernels.DISTRIBUTION_CODES[prior.distribution]
    at = np.array([0.05, 0.4, 0.7, 0.95] if text.startswith("Beta") else [0.05, 0.4, 1.3, 4.0])
    found = np.array([kernels.log_prior(code, *arguments, x) for x in at])
    off = found - LAWS[text].logpdf(at)
    assert off == pytest.approx(off[0], abs=1e-12)
    if prior.distribution.startswith("Half") or prior.support == "positive":
        assert kernels.log_prior(code, *arguments, -0.1) == -math.inf


@pytest.mark.parametrize("text", LAWS)
def test_draws_of_a_prior_have_its_distribution(text):
    prior = parameter("x", text, support_of(text), "")
    values = draw(prior, np.random.default_rng(5), 4000)
    law = LAWS[text]
    if prior.distribution == "HalfStudentT":
        values = values * np.random.default_rng(6).choice([-1, 1], 4000)
    assert stats.kstest(values, law.cdf).pvalue > 1e-4


def test_poisson_binomial_is_the_sum_over_all_orders():
    p = np.array([0.9, 0.2, 0.55, 0.07, 0.7])
    work = np.empty(8)
    for start, n in ((0, 5), (1, 3), (2, 1)):
        chance = p[start : start + n]
        held = p.reshape(1, 1, -1)
        for s in range(n + 1):
            expected = sum(
                np.prod([c if i in chosen else 1 - c for i, c in enumerate(chance)])
                for chosen in itertools.combinations(range(n), s)
            )
            found = kernels.poisson_binomial(held, 0, 0, start, n, s, work)
            assert found == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("x", [-2000.0, -3.0, 0.0, 3.0, 2000.0])
def test_a_chance_of_0_or_1_has_its_logarithm_at_any_effect(p, x):
    with np.errstate(divide="ignore"):
        wanted = np.logaddexp(np.log1p(-p), np.log(p) + x)
    assert steps.log_held.py_func(p, x) == pytest.approx(wanted, rel=1e-12, abs=1e-12)


def test_prior_of_tables_sums_to_one_and_is_uniform_over_totals():
    case = design(total=4)
    every = np.array(list(compositions(4, 6))).reshape(-1, 3, 2)
    every = np.stack([every, np.zeros_like(every)], axis=-1)
    chance = np.exp(enumerated.log_prior(case, every))
    assert chance.sum() == pytest.approx(1, abs=1e-12)
    totals = every.sum(axis=(2, 3))
    by_total = [chance[(totals == t).all(axis=1)].sum() for t in np.unique(totals, axis=0)]
    assert by_total == pytest.approx(np.full(len(by_total), 1 / len(by_total)), abs=1e-12)


@pytest.mark.parametrize("concentration", [0.5, 5.0])
def test_simulated_firms_and_periods_follow_the_prior(concentration):
    case = design(total=3, concentration=concentration)
    draws = 40_000
    parameters = {
        "intercept": np.zeros(draws),
        "large": np.zeros(draws),
        "firm": np.zeros((draws, 3)),
        "decay": np.zeros((draws, 2)),
    }
    made = inferencedata.simulate_tables(case, parameters, np.random.default_rng(3))[1].sum(axis=-1)
    every = np.array(list(compositions(3, 6))).reshape(-1, 3, 2)
    wide = np.stack([every, np.zeros_like(every)], axis=-1)
    expected = np.exp(enumerated.log_prior(case, wide))
    found = np.array([(made == one).all(axis=(1, 2)).sum() for one in every])
    assert stats.chisquare(found, expected * draws).pvalue > 1e-4


def test_simulated_flags_follow_the_formula():
    case = design(total=6)
    draws = 30_000
    parameters = {
        "intercept": np.full(draws, 0.4),
        "large": np.full(draws, -0.5),
        "firm": np.tile([0.2, -0.1, 0.3], (draws, 1)),
        "decay": np.tile([0.7, -0.2], (draws, 1)),
    }
    made, _ = inferencedata.simulate_tables(case, parameters, np.random.default_rng(4))
    entries = inferencedata.places(made["firm"])
    for f, (k, odds) in enumerate([(2, 0.4 - 0.5 + 0.2 - 1.4), (0, 0.3), (3, 0.7 + 0.6)]):
        chosen = made["flag"][(made["firm"] == f) & (entries == k)]
        chance = 1 / (1 + math.exp(-odds))
        error = math.sqrt(chance * (1 - chance) / len(chosen))
        assert abs(chosen.mean() - chance) < 4.5 * error


def test_order_of_flags_is_drawn_from_its_exact_law():
    case = design(total=5)
    draws = 40_000
    table = np.zeros((draws, 3, 2, 2), np.int64)
    table[:, 0, 0] = [2, 2]  # four decisions, two flagged: six orders
    table[:, 1, 1] = [0, 1]
    parameters = {
        "intercept": np.full(draws, 0.5),
        "large": np.full(draws, 0.3),
        "firm": np.zeros((draws, 3)),
        "decay": np.tile([0.9, 0.0], (draws, 1)),
    }
    made = inferencedata.arrange(case, parameters, table, np.random.default_rng(8))
    assert (made["flag"][:, 4] == 1).all()
    assert (made["firm"][:, :4] == 0).all()
    odds = np.exp(0.8 - 0.9 * np.arange(4))
    orders = list(itertools.combinations(range(4), 2))
    weight = np.array([odds[list(chosen)].prod() for chosen in orders])
    found = [
        (made["flag"][:, :4] == [i in chosen for i in range(4)]).all(axis=1).sum()
        for chosen in orders
    ]
    assert stats.chisquare(found, weight / weight.sum() * draws).pvalue > 1e-4


def test_enumeration_finds_every_table_that_hard_counts_allow():
    everything = {"firms": FIRMS, "periods": PERIODS, "flags": ("no", "yes")}
    counts = (
        Count("all", **everything, relation="equal", value=4, hard=True),
        Count("yes", **{**everything, "flags": ("yes",)}, relation="at least", value=2, hard=True),
        Count("A", **{**everything, "firms": ("A",)}, relation="at most", value=1, hard=True),
        Count("noisy", **{**everything, "firms": ("B",)}, relation="equal", value=9),
    )
    system = rows(counts, FIRMS, PERIODS)
    found = {t.tobytes() for t in enumerated.enumerate_tables(system, 4)}
    wanted = set()
    for flat in compositions(4, 12):
        table = np.array(flat).reshape(3, 2, 2)
        if table[..., 1].sum() >= 2 and table[0].sum() <= 1:
            wanted.add(table.astype(np.int64).tobytes())
    assert found == wanted


def test_too_many_tables_are_refused(monkeypatch):
    monkeypatch.setattr(enumerated, "MOST_TABLES", 10)
    with pytest.raises(StudyError, match="more than 10 tables"):
        enumerated.enumerate_tables(rows((), FIRMS, PERIODS), 5)
