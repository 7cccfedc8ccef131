"""Ranks of simulation-based calibration: the exact law, against enumeration and other programs."""

import math
from itertools import combinations_with_replacement

import numpy as np
import pytest
from arviz_stats import ecdf_utils
from scipy import stats

from intlmodels.checks import calibration as ranks


def uniform_counts(rng, simulations, draws, quantities):
    return rng.multinomial(simulations, np.full(draws + 1, 1 / (draws + 1)), size=quantities)


def enumerated(simulations, draws):
    """Every table of counts of ranks: (table, probability, smallest two-sided probability)."""
    tables = []
    for chosen in combinations_with_replacement(range(draws + 1), simulations):
        counts = np.bincount(chosen, minlength=draws + 1)
        ways = math.factorial(simulations) / math.prod(math.factorial(int(c)) for c in counts)
        tails = []
        for rank in range(draws):
            running = int(counts[: rank + 1].sum())
            law = stats.binom(simulations, (rank + 1) / (draws + 1))
            tails += [2 * law.cdf(running), 2 * law.sf(running - 1)]
        tables.append((counts, ways / (draws + 1) ** simulations, min(*tails, 1.0)))
    return tables


# -- counts and curves -------------------------------------------------------------------


def test_ecdf_difference_by_hand():
    found = ranks.ecdf_difference([[1, 2, 1, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(found[0], [0, 0.25, 0.25, 0], atol=1e-15)
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize("counts", [[0.5, 0.5], [3], [-1, 2], 4])
def test_counts_must_be_counts(counts):
    for function in (ranks.ecdf_difference, ranks.p_values):
        with pytest.raises(ValueError, match="counts of ranks"):
            function(counts)


# -- the law of the statistic ------------------------------------------------------------


@pytest.mark.parametrize(("simulations", "draws"), [(1, 1), (2, 5), (5, 3), (7, 2), (4, 6)])
def test_p_values_against_enumeration(simulations, draws):
    tables = enumerated(simulations, draws)
    found = ranks.p_values(np.array([counts for counts, _, _ in tables]))
    expected = [sum(p for _, p, other in tables if other <= tail + 1e-12) for *_, tail in tables]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize(("simulations", "draws", "prob"), [(7, 2, 0.9), (5, 3, 0.8), (6, 4, 0.95)])
def test_the_band_is_as_narrow_as_enumeration_allows(simulations, draws, prob):
    low, high = ranks.band(simulations, draws, prob)
    probability, worst_inside, best_outside = 0.0, 1.0, 0.0
    for counts, p, tail in enumerated(simulations, draws):
        curve = ranks.ecdf_difference(counts)
        if ((curve >= low - 1e-12) & (curve <= high + 1e-12)).all():
            probability, worst_inside = probability + p, min(worst_inside, tail)
        else:
            best_outside = max(best_outside, tail)
    assert probability >= prob
    assert best_outside < worst_inside
    next_out = sum(
        p for _, p, tail in enumerated(simulations, draws) if abs(tail - worst_inside) < 1e-12
    )
    assert probability - next_out < prob


def test_the_band_and_the_p_value_are_one_test():
    rng = np.random.default_rng(1)
    simulations, draws = 60, 20
    counts = uniform_counts(rng, simulations, draws, 400)
    low, high = ranks.band(simulations, draws, 0.8)
    curves = ranks.ecdf_difference(counts)
    leaves = ((curves < low - 1e-12) | (curves > high + 1e-12)).any(axis=1)
    np.testing.assert_array_equal(leaves, ranks.p_values(counts) <= 0.2)
    assert leaves.any()
    assert low[-1] == high[-1] == 0


@pytest.mark.parametrize(("simulations", "draws"), [(100, 99), (200, 30)])
def test_the_band_agrees_with_arviz(simulations, draws):
    points = np.arange(1, draws + 1) / (draws + 1)
    level = ecdf_utils.simulate_confidence_bands(
        simulations, 1, points, 0.95, 4000, np.random.default_rng(3)
    )
    # Its quantile of 4000 simulations lies where the exact probability is near one twentieth.
    error = math.sqrt(0.05 * 0.95 / 4000)
    near = [ranks._probability_outside(simulations, draws, (1 - level) * f) for f in (0.98, 1.02)]
    assert near[0] - 4 * error < 0.05 < near[1] + 4 * error
    theirs = ecdf_utils.get_pointwise_confidence_band(level, simulations, points)
    for ours, other in zip(ranks.band(simulations, draws, 0.95), theirs, strict=True):
        apart = np.rint(simulations * (ours[:-1] - (other - points)))
        assert np.abs(apart).max() <= 1


def test_false_alarms_are_nominal():
    rng = np.random.default_rng(4)
    number = 4000
    p = ranks.p_values(uniform_counts(rng, 150, 40, number))
    for level in (0.01, 0.05, 0.2, 0.5):
        few, many = stats.binom.ppf([1e-4, 1 - 1e-4], number, level)
        # Discreteness takes a little off the level: at most a tenth here.
        assert stats.binom.ppf(1e-4, number, 0.9 * level) <= (p <= level).sum() <= many
        assert few > 0
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_far_in_the_tail_the_union_bound_is_nearly_the_probability():
    for simulations, draws, tail in [(500, 100, 1e-9), (500, 100, 1e-40), (50, 200, 1e-12)]:
        tails = ranks._uniform(simulations, draws).tails
        pointwise = [
            stats.binom.pmf(np.flatnonzero(row <= tail), simulations, (i + 1) / (draws + 1)).sum()
            for i, row in enumerate(tails)
        ]
        found = ranks._probability_outside(simulations, draws, tail)
        assert max(pointwise) <= found * (1 + 1e-9)
        assert found <= sum(pointwise) * (1 + 1e-9)


def test_extreme_ranks_have_a_tiny_p_value_and_reversal_changes_nothing():
    counts = np.zeros((2, 101), dtype=int)
    counts[0, 0] = counts[1, -1] = 400
    assert (ranks.p_values(counts) < 1e-200).all()
    some = uniform_counts(np.random.default_rng(5), 80, 25, 50)
    np.testing.assert_array_equal(ranks.p_values(some), ranks.p_values(some[:, ::-1]))


def test_a_quantity_without_ranks_says_nothing():
    assert ranks.p_values([0, 0, 0]).tolist() == [1.0]


@pytest.mark.parametrize(
    ("a", "b"),
    [(1.35, 1.0), (0.7, 0.7), (1.5, 1.5), (1.0, 1.35)],
    ids=["shifted up", "posterior too narrow", "posterior too wide", "shifted down"],
)
def test_ranks_that_are_not_uniform_are_detected(a, b):
    rng = np.random.default_rng(6)
    simulations, draws = 500, 100
    place = rng.binomial(draws, rng.beta(a, b, size=(simulations, 20)))
    p = ranks.p_values([np.bincount(own, minlength=draws + 1) for own in place.T])
    assert (p < 0.01).mean() >= 0.9


@pytest.mark.parametrize("arguments", [(0, 5, 0.9), (5, 0, 0.9), (5, 5, 0.0), (5, 5, 1.0)])
def test_the_band_refuses_what_cannot_be(arguments):
    with pytest.raises(ValueError, match="expected"):
        ranks.band(*arguments)


# -- several quantities, several looks ---------------------------------------------------


def test_holm_by_hand():
    # 0.005 * 4, 0.01 * 3, 0.03 * 2, and 0.04 is not let below what comes before it.
    np.testing.assert_allclose(ranks.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert ranks.holm([0.7, 0.6]).tolist() == [1.0, 1.0]
    assert ranks.holm([0.3]).tolist() == [0.3]
    assert ranks.holm([]).tolist() == []


def test_holm_rejects_where_the_step_down_procedure_does():
    rng = np.random.default_rng(7)
    for p in rng.beta(0.3, 1, size=(200, 8)):
        rejected = np.zeros(8, dtype=bool)
        for step, which in enumerate(np.argsort(p)):
            if p[which] > 0.05 / (8 - step):
                break
            rejected[which] = True
        np.testing.assert_array_equal(ranks.holm(p) <= 0.05, rejected)


def test_a_verdict_is_the_smallest_p_value_against_its_part_of_the_level():
    assert ranks.deviates([0.5, 0.009])
    assert not ranks.deviates([0.5, 0.011])
    assert not ranks.deviates([0.5, 0.009], looks=2)
    assert ranks.deviates([0.5, 0.004], looks=2)
    assert not ranks.deviates([])


def test_several_looks_at_several_quantities_keep_the_level():
    rng = np.random.default_rng(9)
    level, number, looks = 0.2, 300, (40, 80, 120)

    def alarmed(found):
        counts = [[np.bincount(own[:n], minlength=21) for own in found.T] for n in looks]
        adjusted = [ranks.holm(ranks.p_values(table)) for table in counts]
        return any(ranks.deviates(p, len(looks), level) for p in adjusted)

    alarms = sum(alarmed(rng.integers(0, 21, size=(120, 5))) for _ in range(number))
    assert 0 < alarms <= stats.binom.ppf(1 - 1e-4, number, level)


# -- coverage ----------------------------------------------------------------------------


@pytest.mark.parametrize("prob", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("simulations", [1, 7, 100, 500])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_coverage_limits_against_brute_force(simulations, prob, level):
    mass = [
        math.comb(simulations, k) * prob**k * (1 - prob) ** (simulations - k)
        for k in range(simulations + 1)
    ]
    low, high = (round(end * simulations) for end in ranks.coverage_band(simulations, prob, level))
    assert sum(mass[low : high + 1]) >= level
    rest = (1 - level) / 2
    assert sum(mass[:low]) <= rest < sum(mass[: low + 1])
    assert sum(mass[high + 1 :]) <= rest < sum(mass[high:])


def test_coverage_at_the_ends_and_of_nothing():
    assert ranks.coverage_band(20, 1.0) == (1.0, 1.0)
    assert ranks.coverage_band(20, 0.0) == (0.0, 0.0)
    for arguments in [(0, 0.5), (5, 1.5), (5, 0.5, 1.0)]:
        with pytest.raises(ValueError, match="expected"):
            ranks.coverage_band(*arguments)
