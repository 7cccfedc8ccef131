"""Leave-one-out: closed forms, brute force, and another program."""

from functools import partial

import numpy as np
import pytest
import xarray as xr
from arviz_stats import compare
from scipy import stats
from scipy.special import logsumexp

from intlmodels.checks import leaveout
from intlmodels.checks import leaveout as pit

try:
    from arviz_stats.utils import ELPDDataLOO
except ImportError:  # an older release
    from arviz_stats.utils import ELPDData

    ELPDDataLOO = partial(ELPDData, "loo")

INF = float("inf")


def some_lpd(seed, variants=3, units=40, spread=1.0):
    rng = np.random.default_rng(seed)
    return -3 + rng.normal(0, 1, size=units) + rng.normal(0, spread, size=(variants, units))


# -- comparison of two variants ----------------------------------------------------------


def test_difference_by_hand_and_by_theory():
    a, b = some_lpd(1, variants=2, units=25)
    gain = a - b
    draws = 100_000
    found = leaveout.difference(a, b, draws=draws)
    assert found.elpd == pytest.approx(gain.sum())
    assert found.se == pytest.approx(np.sqrt(25 * np.var(gain, ddof=1)))
    # Of the Dirichlet-weighted mean: E = mean, Var = mean square deviation / (n + 1).
    sums = 25 * leaveout._bootstrap_weights(25, draws, leaveout.SEED) @ gain
    sd = 25 * np.sqrt(np.var(gain) / 26)
    assert sums.mean() == pytest.approx(gain.sum(), abs=4 * sd / np.sqrt(draws))
    # The variance of a sample variance, kurtosis included.
    error = sd**2 * np.sqrt((stats.kurtosis(sums) + 2) / draws)
    assert sums.var() == pytest.approx(sd**2, abs=4 * error)
    assert sd**2 == pytest.approx(found.se**2 * 24 / 26)
    assert found.p_better == pytest.approx((sums > 0).mean())
    np.testing.assert_allclose([found.low, found.high], np.quantile(sums, [0.025, 0.975]))


def test_difference_of_two_units_is_uniform():
    # With two units the weighted mean is uniform between both differences.
    found = leaveout.difference([-1.0, -1.0], [0.0, -4.0], draws=100_000, prob=0.9)
    assert found.elpd == 2.0
    np.testing.assert_allclose([found.low, found.high], [-2 + 0.4, 6 - 0.4], atol=0.05)
    assert found.p_better == pytest.approx(0.75, abs=4 * np.sqrt(0.75 * 0.25 / 100_000))


def test_difference_is_antisymmetric_and_seeded():
    a, b = some_lpd(2, variants=2)
    one, other = leaveout.difference(a, b), leaveout.difference(b, a)
    assert one.elpd == -other.elpd
    assert one.low == pytest.approx(-other.high)
    assert one.p_better == pytest.approx(1 - other.p_better)
    assert one == leaveout.difference(a, b)
    assert one != leaveout.difference(a, b, seed=5)
    assert leaveout.difference(a, a) == leaveout.Difference(0.0, 0.0, 0.0, 0.0, 0.5)


def test_difference_with_impossible_units():
    a, b = some_lpd(3, variants=2)
    both = leaveout.difference([*a, -INF], [*b, -INF])
    assert both == leaveout.difference(a, b)
    worse = leaveout.difference([*a, -INF], [*b, -1.0])
    assert (worse.elpd, worse.low, worse.high, worse.p_better) == (-INF, -INF, -INF, 0.0)
    assert leaveout.difference([*a, -1.0], [*b, -INF]).p_better == 1.0
    neither = leaveout.difference([*a, -INF, -1.0], [*b, -1.0, -INF])
    assert np.isnan([neither.elpd, neither.se, neither.low, neither.p_better]).all()


@pytest.mark.parametrize(
    ("a", "b"),
    [([0.0], [1.0]), ([0.0, np.nan], [0.0, 1.0]), ([0.0, INF], [0.0, 1.0]), ([[0.0]], [[0.0]])],
)
def test_difference_refuses_what_is_no_lpd(a, b):
    with pytest.raises(ValueError, match="expected"):
        leaveout.difference(a, b)


# -- stacking ----------------------------------------------------------------------------


def log_score(lpd, weights):
    with np.errstate(divide="ignore"):
        return logsumexp(np.asarray(lpd) + np.log(weights)[:, None], axis=0).sum()


def simplex(variants, steps):
    """Every vector of weights that are multiples of 1 / steps."""
    axes = np.meshgrid(*[np.arange(steps + 1)] * (variants - 1), indexing="ij")
    first = np.stack([axis.ravel() for axis in axes], axis=-1)
    first = first[first.sum(axis=1) <= steps]
    return np.column_stack([first, steps - first.sum(axis=1)]) / steps


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("variants", "steps"), [(2, 400), (3, 60)])
@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
def test_stacking_against_every_mixture_of_a_grid(seed, variants, steps, spread):
    lpd = some_lpd(seed, variants, spread=spread)
    found = leaveout.stacking(lpd)
    tried = simplex(variants, steps)
    scores = np.array([log_score(lpd, weights) for weights in tried])
    assert log_score(lpd, found) >= scores.max() - 1e-6
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert (found >= 0).all()
    if spread == 1.0:
        assert np.abs(found - tried[scores.argmax()]).max() < 2 / steps


def test_stacking_of_two_variants_by_hand():
    # Unit i is predicted with 2/3 by one variant and with 1/3 by the other: with m of n units
    # for the first, m / (1 + w) = (n - m) / (2 - w), hence w = 3 m / n - 1.
    first = np.log(np.repeat([2 / 3, 1 / 3], [5, 4]))
    found = leaveout.stacking([first, np.log(1 - np.exp(first))])
    np.testing.assert_allclose(found, [2 / 3, 1 / 3], atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_stacking_agrees_with_arviz(seed):
    lpd = some_lpd(seed, variants=4, units=60)
    names = ["a", "b", "c", "d"]
    given = {
        name: ELPDDataLOO(
            elpd=row.sum(),
            se=np.sqrt(len(row) * row.var()),
            p=1.0,
            n_samples=1000,
            n_data_points=len(row),
            scale="log",
            warning=False,
            good_k=0.7,
            elpd_i=xr.DataArray(row, dims="unit"),
        )
        for name, row in zip(names, lpd, strict=True)
    }
    table = compare(given, method="stacking", round_to="none")
    theirs = table.loc[names, "weight"].to_numpy(dtype=float)
    found = leaveout.stacking(lpd)
    np.testing.assert_allclose(found, theirs, atol=2e-3)
    assert log_score(lpd, found) >= log_score(lpd, np.clip(theirs, 1e-300, None)) - 1e-6


def test_stacking_with_impossible_units():
    lpd = some_lpd(4, variants=3)
    everywhere = np.column_stack([lpd, np.full(3, -INF)])
    np.testing.assert_array_equal(leaveout.stacking(everywhere), leaveout.stacking(lpd))
    lpd[0, :20], lpd[1, 20:] = -INF, -INF
    found = leaveout.stacking(lpd)
    assert np.isfinite(log_score(lpd, found))
    # The only variant that makes a unit possible keeps some weight, however bad it is elsewhere.
    lonely = np.array([[-1.0] * 30 + [-INF], [-50.0] * 30 + [-5.0]])
    np.testing.assert_allclose(leaveout.stacking(lonely), [30 / 31, 1 / 31], atol=1e-6)
    assert leaveout.stacking([[-1.0, -2.0], [-INF, -INF]]).tolist() == pytest.approx([1, 0])


def test_stacking_does_not_depend_on_the_size_of_the_probabilities():
    lpd = some_lpd(5)
    shifted = lpd - np.linspace(0, 5000, lpd.shape[1])
    np.testing.assert_allclose(leaveout.stacking(shifted), leaveout.stacking(lpd), atol=1e-7)
    apart = np.array([[-3000.0, -1.0, -2.0], [-1.0, -2000.0, -2.0]])
    np.testing.assert_allclose(leaveout.stacking(apart), [0.5, 0.5], atol=1e-9)


def test_variants_that_predict_alike_share_their_weight():
    lpd = some_lpd(6, variants=2)
    twice = leaveout.stacking(np.vstack([lpd, lpd]))
    np.testing.assert_allclose(twice, np.tile(leaveout.stacking(lpd), 2) / 2, atol=1e-6)
    order = np.array([3, 0, 2, 1])
    many = some_lpd(7, variants=4)
    np.testing.assert_allclose(
        leaveout.stacking(many[order]), leaveout.stacking(many)[order], atol=1e-6
    )
    assert leaveout.stacking(lpd[:1]).tolist() == [1.0]


def test_stacking_always_arrives():
    rng = np.random.default_rng(8)
    for _ in range(400):
        variants, units = rng.integers(1, 15), rng.integers(1, 60)
        lpd = rng.standard_t(2, size=(variants, units)) * 10 ** rng.uniform(-9, 3)
        lpd[rng.random(lpd.shape) < rng.choice([0, 0.3, 0.8])] = -INF
        lpd[0, 0] = -1.0
        relative = leaveout._relative(lpd)
        weights = leaveout._bootstrap_weights(len(relative), 1, 8)[0]
        found = leaveout._best_weights(relative, weights)
        slope = weights @ (relative / (relative @ found)[:, None])
        # The KKT conditions: no slope above 1, and 1 wherever there is weight.
        assert slope.max() < 1 + leaveout.MOST_GAIN
        assert found @ np.abs(slope - 1) < 1e-5


@pytest.mark.parametrize(
    "lpd", [[[np.nan, 0.0]], [[INF]], [[-INF], [-INF]], [0.0], np.empty((0, 2))]
)
def test_stacking_refuses_what_is_no_lpd(lpd):
    with pytest.raises(ValueError, match=r"expected|possible"):
        leaveout.stacking(lpd)


def test_the_spread_of_weights_is_that_of_resampled_units():
    rng = np.random.default_rng(9)
    # Each unit is certain under one variant and impossible under the other: the weights are the
    # shares of the units, and under the bootstrap follow a Beta law (sums of Dirichlet weights).
    lpd = np.where(np.arange(30) < 12, 0.0, -INF)
    lpd = np.stack([lpd, np.where(lpd == 0.0, -INF, 0.0)])
    found = leaveout.stacking_spread(lpd, draws=4000)
    law = stats.beta(12, 18)
    for end, prob in zip(found[:, 0], (0.05, 0.95), strict=True):
        error = np.sqrt(prob * (1 - prob) / 4000) / law.pdf(law.ppf(prob))
        assert end == pytest.approx(law.ppf(prob), abs=4 * error)
    np.testing.assert_allclose(found[:, 1], 1 - found[::-1, 0], atol=1e-6)
    any_lpd = rng.normal(size=(4, 30))
    low, high = leaveout.stacking_spread(any_lpd, draws=200)
    assert ((low >= 0) & (low <= high) & (high <= 1)).all()
    np.testing.assert_array_equal(leaveout.stacking_spread(any_lpd, draws=200)[0], low)


# -- calibration of predictive laws ------------------------------------------------------


def binomial_laws(rng, units, size=4):
    return stats.binom.pmf(np.arange(size + 1), size, rng.uniform(0.1, 0.9, size=(units, 1)))


def drawn_from(rng, laws):
    return np.array([rng.choice(laws.shape[1], p=law) for law in laws])


def test_pit_by_hand():
    grid = [0.0, 0.25, 0.5, 0.75, 1.0]
    np.testing.assert_allclose(pit.pit_cdf([0.25], [0.5], grid), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(pit.pit_cdf([0.5], [0.0], grid), [0, 0, 1, 1, 1])
    both = pit.pit_cdf([0.25, 0.5], [0.5, 0.0], grid)
    np.testing.assert_allclose(both, [0, 0, 0.75, 1, 1])
    np.testing.assert_allclose(
        pit.pit_histogram([0.25, 0.5], [0.5, 0.0], bins=4), [0, 0.75, 0.25, 0]
    )
    # What was thought impossible: at either end it belongs to the outer bin.
    np.testing.assert_allclose(pit.pit_histogram([0.0, 1.0], [0.0, 0.0], 2), [0.5, 0.5])
    assert pit.pit_cdf([1.0 + 1e-12], [0.0], [1.0]).tolist() == [1.0]


def test_the_pit_of_right_laws_is_uniform_on_average():
    # The mean over outcomes, weighted with their own probabilities, is the diagonal exactly.
    grid = np.linspace(0, 1, 41)
    for law in binomial_laws(np.random.default_rng(10), 20, size=7):
        below = law.cumsum() - law
        parts = [p * pit.pit_cdf([b], [p], grid) for b, p in zip(below.clip(0), law, strict=True)]
        np.testing.assert_allclose(np.sum(parts, axis=0), grid, atol=1e-12)


def test_the_pit_histogram_of_right_laws_is_flat():
    rng = np.random.default_rng(11)
    laws = binomial_laws(rng, 4000)
    place = drawn_from(rng, laws)
    at = laws[np.arange(4000), place]
    below = laws.cumsum(axis=1)[np.arange(4000), place] - at
    found = pit.pit_histogram(below, at)
    assert found.sum() == pytest.approx(1)
    # Parts of units vary less than whole units.
    np.testing.assert_allclose(found, 0.2, atol=4 * np.sqrt(0.2 * 0.8 / 4000))


@pytest.mark.parametrize(
    ("below", "at"), [([], []), ([0.5], [0.6]), ([-0.1], [0.2]), ([0.1, 0.2], [0.1])]
)
def test_pit_refuses_what_is_no_probability(below, at):
    with pytest.raises(ValueError, match="expected"):
        pit.pit_histogram(below, at)


def test_the_distance_is_that_of_scipy():
    rows = np.random.default_rng(18).beta(1.3, 0.8, size=(20, 12))
    expected = [stats.kstest(row, "uniform").statistic for row in rows]
    np.testing.assert_allclose(pit._distance(rows), expected, rtol=1e-12)


def test_p_values_of_right_laws_are_uniform():
    rng = np.random.default_rng(12)
    number = 400
    found = []
    for seed in range(number):
        laws = binomial_laws(rng, 15)
        found.append(pit.pit_p_value(laws, drawn_from(rng, laws), draws=99, seed=seed))
    # Each of 0.01, 0.02, ..., 1 has probability 0.01: spread evenly below itself, uniform.
    spread = np.array(found) - rng.random(number) / 100
    assert stats.kstest(spread, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("wrong", ["shifted", "too narrow", "too wide"])
def test_wrong_laws_are_detected(wrong):
    rng = np.random.default_rng(13)
    prob = rng.uniform(0.2, 0.7, size=(150, 1))
    outcomes = np.arange(21)
    laws = stats.binom.pmf(outcomes, 20, prob)
    if wrong == "shifted":
        true = stats.binom.pmf(outcomes, 20, prob + 0.1)
    else:
        true = laws ** {"too narrow": 0.35, "too wide": 3.0}[wrong]
        true /= true.sum(axis=1, keepdims=True)
    place = drawn_from(rng, true)
    assert pit.pit_p_value(laws, place, draws=999) < 0.01
    assert pit.pit_p_value(true, place, draws=999) > 0.01


def test_a_p_value_with_certain_and_impossible_outcomes():
    laws = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    assert 0 < pit.pit_p_value(laws, [0, 1, 2], draws=200) <= 1
    # Law after law thinks the largest outcome impossible that then comes.
    many = np.tile([[0.5, 0.5, 0.0]], (20, 1))
    assert pit.pit_p_value(many, np.full(20, 2), draws=200) == pytest.approx(1 / 201)


@pytest.mark.parametrize(
    ("laws", "place"),
    [
        ([[0.5, 0.4]], [0]),
        ([[1.5, -0.5]], [0]),
        ([[0.5, 0.5]], [2]),
        ([[0.5, 0.5]], [0, 1]),
        ([[0.5, 0.5]], [0.0]),
        (np.empty((0, 2)), np.empty(0, dtype=int)),
    ],
)
def test_a_p_value_refuses_what_is_no_law(laws, place):
    with pytest.raises(ValueError, match="expected"):
        pit.pit_p_value(laws, place)


# -- means of densities over draws -------------------------------------------------------


def test_log_mean_exp():
    values = some_lpd(14, variants=4, units=6)
    for axis in (None, 0, 1, (0, 1)):
        size = values.size if axis in (None, (0, 1)) else values.shape[axis]
        expected = logsumexp(values, axis=axis) - np.log(size)
        np.testing.assert_allclose(leaveout.log_mean_exp(values, axis), expected, rtol=1e-12)
    far = [[-2000.0, -2000.0], [-INF, -2000.0], [-INF, -INF]]
    np.testing.assert_allclose(leaveout.log_mean_exp(far, axis=1), [-2000, -2000 - np.log(2), -INF])
    assert leaveout.log_mean_exp([[800.0, 800.0]]) == 800.0


def test_exact_leave_one_out_of_a_normal_mean():
    # y_i ~ N(mu, 1), mu ~ N(0, 4): the posterior without a unit, and its prediction, are normal.
    rng = np.random.default_rng(15)
    y = rng.normal(1, 1, size=20)
    for i, one in enumerate(y):
        others = np.delete(y, i)
        variance = 1 / (len(others) + 1 / 4)
        mean = variance * others.sum()
        draws = rng.normal(mean, np.sqrt(variance), size=(4, 500))
        densities = stats.norm.logpdf(one, draws, 1)
        exact = stats.norm.logpdf(one, mean, np.sqrt(1 + variance))
        error = leaveout.lpd_error(densities)
        assert 0 < error < 0.05
        assert leaveout.log_mean_exp(densities) == pytest.approx(exact, abs=5 * error)


@pytest.mark.parametrize("correlation", [0.0, 0.6])
@pytest.mark.parametrize("shift", [0.0, -2000.0])
def test_the_error_of_a_mean_against_repeated_simulation(correlation, shift):
    rng = np.random.default_rng(16)
    repeats, chains, draws = 400, 4, 500
    noise = rng.normal(size=(draws, repeats, chains))
    path = noise.copy()
    for t in range(1, draws):
        path[t] = correlation * path[t - 1] + np.sqrt(1 - correlation**2) * noise[t]
    densities = shift + 0.5 * path.transpose(1, 2, 0)
    means = leaveout.log_mean_exp(densities, axis=(1, 2))
    errors = [leaveout.lpd_error(one) for one in densities]
    # The standard deviation of 400 means is itself known to 3.5 percent.
    assert np.mean(errors) == pytest.approx(means.std(ddof=1), rel=0.15)
    assert np.mean(np.abs(means - shift - 0.125) < 2 * np.array(errors)) > 0.9


def test_the_error_with_constant_impossible_and_stuck_draws():
    assert leaveout.lpd_error(np.full((4, 100), -3.0)) == 0.0
    assert leaveout.lpd_error(np.full((4, 100), -INF)) == INF
    half = np.where(np.random.default_rng(17).random((4, 500)) < 0.5, -INF, -700.0)
    # A share of one half among 2000 draws: sqrt(0.25 / 2000) / 0.5.
    assert leaveout.lpd_error(half) == pytest.approx(np.sqrt(1 / 2000), rel=0.2)
    stuck = np.repeat([[-1.0], [-2.0]], 100, axis=1)
    assert leaveout.lpd_error(stuck) > 0.1
    for wrong in (np.zeros(8), np.zeros((4, 3)), np.full((4, 8), np.nan), np.full((4, 8), INF)):
        with pytest.raises(ValueError, match="expected"):
            leaveout.lpd_error(wrong)
