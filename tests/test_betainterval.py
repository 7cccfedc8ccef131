"""Interval probabilities against arithmetic of 70 and more digits, and by their own laws."""

import itertools
import subprocess
import sys

import mpmath as mp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import processors
from intlmodels.core.rounding import grid, intervals
from intlmodels.models.share import observation

SHAPES = [0.01, 0.3, 1.0, 2.5, 30.0, 1000.0]
TOLERANCE = 1e-9


class CancellationError(ArithmeticError):
    """The working precision does not suffice."""


def below(alpha, beta, share):
    """Integral of the Beta kernel from 0, by the series whose terms are all positive."""
    if share in (0, 1):
        return share * mp.beta(alpha, beta)
    series = mp.hyp2f1(1, alpha + beta, alpha + 1, share)
    return share**alpha * (1 - share) ** beta / alpha * series


def beta_log(alpha, beta, lower, upper):
    if lower > alpha / (alpha + beta):  # by the smaller tail
        alpha, beta, lower, upper = beta, alpha, 1 - upper, 1 - lower
    return log_difference(
        below(alpha, beta, upper), below(alpha, beta, lower), mp.beta(alpha, beta)
    )


def logit_normal_log(mu, sigma, lower, upper):
    low, high = (
        mp.sign(end - 0.5) * mp.inf if end in (0, 1) else (mp.log(end / (1 - end)) - mu) / sigma
        for end in (lower, upper)
    )
    if low > 0:
        low, high = -high, -low
    return log_difference(mp.ncdf(high), mp.ncdf(low), 1)


def log_difference(larger, smaller, norm):
    difference = larger - smaller
    if difference <= 0 or larger / difference > mp.mpf(10) ** (mp.mp.dps - 45):
        raise CancellationError
    return mp.log(difference / norm)


def exact(law, first, second, lower, upper):
    """Log probability and its derivatives (central differences; error some 1e-30)."""
    for digits in (70, 160, 400, 1000, 2500, 12000):
        with mp.workdps(digits):
            a, b, low, high = (mp.mpf(float(x)) for x in (first, second, lower, upper))
            step = mp.mpf("1e-15")
            da, db = step * (abs(a) or 1), step * b
            try:
                logp = law(a, b, low, high)
                d_first = law(a + da, b, low, high) - law(a - da, b, low, high)
                d_second = law(a, b + db, low, high) - law(a, b - db, low, high)
                return logp, d_first / (2 * da), d_second / (2 * db)
            except CancellationError:
                continue
    raise AssertionError(f"{digits} digits do not suffice")


def errors(law, function, cases):
    """Absolute error of the log, and error of both derivatives relative where above 1."""
    result = np.array(function(*np.array(cases).T)).T
    out = np.empty_like(result)
    for i, case in enumerate(cases):
        for j, true in enumerate(exact(law, *case)):
            scale = max(1, abs(true)) if j else 1
            out[i, j] = abs(mp.mpf(result[i, j]) - true) / scale
    return out


def check(law, function, cases):
    found = errors(law, function, cases)
    worst = np.unravel_index(np.argmax(found), found.shape)
    assert found[worst] < TOLERANCE, (cases[worst[0]], worst[1], found[worst])


def bins(width, places):
    printed = grid(width)
    return np.array(intervals(printed[list(places)], width)).T


def corner_bins(width):
    n = grid(width).size
    return bins(width, sorted({0, 1, n // 3, n - 2, n - 1}))


def random_intervals(rng, number):
    """Bins of every width, with the ends of the grid more often than their share."""
    for _ in range(number):
        width = rng.choice([20, 10, 5, 2.5, 1, 0.1, 1e-3])
        n = grid(width).size
        place = rng.choice([0, 1, n - 2, n - 1, *rng.integers(0, n, size=4)])
        yield bins(width, [place])[0]


@pytest.mark.parametrize("width", [10, 5, 1])
def test_beta_on_every_bin_of_the_grid(width):
    pairs = [(0.4, 3.0), (60.0, 200.0)] if width == 1 else [(0.01, 1000), (0.4, 3), (60, 200)]
    places = range(grid(width).size)
    check(
        beta_log,
        observation.interval_logprob_numpy,
        [(*shapes, *ends) for shapes in pairs for ends in bins(width, places)],
    )


@pytest.mark.parametrize("width", [20, 5, 0.1, 1e-4])
def test_beta_at_the_corners(width):
    check(
        beta_log,
        observation.interval_logprob_numpy,
        [
            (*shapes, *ends)
            for shapes in itertools.product(SHAPES, SHAPES)
            for ends in corner_bins(width)
        ],
    )


def test_beta_at_random():
    rng = np.random.default_rng(20240811)
    cases = [(*10 ** rng.uniform(-2, 3, 2), *ends) for ends in random_intervals(rng, 500)]
    check(beta_log, observation.interval_logprob_numpy, cases)


def test_beta_on_intervals_of_any_kind():
    rng = np.random.default_rng(5)
    cases = []
    for kind in range(300):
        ends = np.sort(rng.uniform(size=2) if kind % 2 else 10 ** rng.uniform(-12, 0, 2))
        ends = ends if kind % 3 else 1 - ends[::-1]
        if kind % 5 == 0:  # open to 0 or to 1
            ends[kind % 2] = kind % 2
        cases.append((*10 ** rng.uniform(-2, 3, 2), *ends))
    check(beta_log, observation.interval_logprob_numpy, cases)


def test_logit_normal_at_the_corners():
    parameters = itertools.product([-9.0, -1.5, 0.0, 3.0], [0.05, 0.5, 2.0, 20.0])
    ends = np.concatenate([corner_bins(width) for width in (20, 5, 0.1, 1e-4)])
    cases = [(*pair, *end) for pair, end in itertools.product(parameters, ends)]
    check(logit_normal_log, observation.logit_normal_interval_logprob_numpy, cases)


def test_logit_normal_at_random():
    rng = np.random.default_rng(31)
    cases = [
        (rng.normal(0, 3), 10 ** rng.uniform(-1.5, 1), *ends) for ends in random_intervals(rng, 300)
    ]
    check(logit_normal_log, observation.logit_normal_interval_logprob_numpy, cases)


def test_beta_where_the_answer_is_elementary():
    lower, upper = intervals(grid(5), 5)
    uniform = observation.interval_logprob_numpy(1, 1, lower, upper)[0]
    np.testing.assert_allclose(uniform, np.log(upper - lower), atol=1e-12)
    rising = observation.interval_logprob_numpy(2, 1, lower, upper)[0]
    np.testing.assert_allclose(rising, np.log(upper**2 - lower**2), atol=1e-12)


any_shape = st.floats(-3, 5).map(lambda power: 10**power)
any_place = st.integers(0, 1024).map(lambda k: k / 1024)


@given(any_shape, any_shape, st.tuples(any_place, any_place).filter(lambda p: p[0] != p[1]))
@settings(deadline=None, max_examples=300)
def test_beta_mirrored(alpha, beta, ends):
    lower, upper = sorted(ends)
    one = observation.interval_logprob_numpy(alpha, beta, lower, upper)
    other = observation.interval_logprob_numpy(beta, alpha, 1 - upper, 1 - lower)
    for left, right in zip(one, (other[0], other[2], other[1]), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("width", [100, 20, 5, 1, 0.1])
def test_beta_is_finite_for_extreme_shapes(width):
    shapes = np.array([0, 1e-300, 1e-3, 0.01, 1, 50, 1e5, 1e12, 1e300, np.inf])
    lower, upper = intervals(grid(width), width)
    logp, *gradient = observation.interval_logprob_numpy(
        shapes[:, None, None], shapes[:, None], lower, upper
    )
    assert np.all(np.isfinite(logp))
    assert np.all(logp <= 0)
    assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("width", [100, 5, 0.1])
def test_logit_normal_is_finite_for_extreme_parameters(width):
    mu = np.array([-np.inf, -1e200, -1e15, -700, 0, 3, 1e4, 1e77, 1e300])
    sigma = np.array([0, 1e-300, 1e-6, 1, 1e3, 1e200, np.inf])
    lower, upper = intervals(grid(width), width)
    logp, *gradient = observation.logit_normal_interval_logprob_numpy(
        mu[:, None, None], sigma[:, None], lower, upper
    )
    assert np.all(np.isfinite(logp))
    assert np.all(logp <= 0)
    assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize(
    "ends", [(1e-310, 0.5), (0, 1e-310), (1e-290, 2e-290), (1 - 2**-53, 1), (0.5, 0.5 + 2**-53)]
)
def test_beta_is_finite_for_extreme_ends(ends):
    for shapes in itertools.product([1e-3, 1, 1e5], repeat=2):
        result = observation.interval_logprob_numpy(*shapes, *ends)
        assert np.all(np.isfinite(result)), (shapes, result)


def test_a_shape_of_zero_is_the_limit():
    for shapes, expected in [((0, 3), [1, 0, 0]), ((3, 0), [0, 0, 1]), ((0, 0), [0.5, 0, 0.5])]:
        found = observation.grid_probabilities(*shapes, 50)
        np.testing.assert_allclose(found, expected, atol=1e-12)


EVALUATORS = [
    observation.interval_logprob_numpy,
    observation.logit_normal_interval_logprob_numpy,
]


@pytest.mark.parametrize("function", EVALUATORS)
def test_an_impossible_outcome_has_probability_zero(function):
    for arguments in [(1, -2, 0.1, 0.2), (1, 2, 0.2, 0.2), (1, 2, 0.3, 0.2), (1, 2, 1, 1.2)]:
        np.testing.assert_array_equal(function(*arguments), [-np.inf, 0, 0])


@pytest.mark.parametrize("function", EVALUATORS)
@pytest.mark.parametrize("place", range(4))
def test_nan_stays_nan(function, place):
    arguments = [1.0, 2.0, 0.1, 0.2]
    arguments[place] = np.nan
    assert np.all(np.isnan(function(*arguments)))


@pytest.mark.parametrize("function", EVALUATORS)
def test_everything_is_certain_whatever_the_parameters(function):
    np.testing.assert_allclose(function([0.2, 300.0], 7.0, 0, 1), np.zeros((3, 2)), atol=1e-12)
    np.testing.assert_allclose(function([0.2, 300.0], 7.0, -1, 2), np.zeros((3, 2)), atol=1e-12)


@pytest.mark.parametrize("function", EVALUATORS)
def test_arguments_broadcast(function):
    first, second = np.array([[0.5], [2.0]]), np.array([1.0, 4.0, 9.0])
    result = function(first, second, 0.1, 0.2)
    for value in result:
        assert value.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        alone = function(first[i, 0], second[j], 0.1, 0.2)
        assert alone[0].shape == ()
        np.testing.assert_array_equal([value[i, j] for value in result], alone)


widths = st.sampled_from([100.0, 40.0, 20.0, 10.0, 5.0, 2.5, 1.0, 0.5, 100 / 3.5, 300.0])


@given(any_shape, any_shape, widths)
@example(69427.55802911479, 81929.15193298868, 100.0)  # logs of 1e6 must not cost ten digits
@example(0.006595110196940465, 60506.4607345311, 100.0)
@settings(deadline=None, max_examples=400)
def test_beta_grid_sums_to_one(alpha, beta, width):
    assert abs(observation.grid_probabilities(alpha, beta, width).sum() - 1) < 1e-10


@given(st.floats(-800, 800), st.floats(-4, 4).map(lambda power: 10**power), widths)
@settings(deadline=None, max_examples=400)
def test_logit_normal_grid_sums_to_one(mu, sigma, width):
    total = observation.logit_normal_grid_probabilities(mu, sigma, width).sum()
    assert abs(total - 1) < 1e-10


@pytest.mark.parametrize(
    ("on_grid", "function"),
    [
        (observation.grid_probabilities, observation.interval_logprob_numpy),
        (
            observation.logit_normal_grid_probabilities,
            observation.logit_normal_interval_logprob_numpy,
        ),
    ],
)
def test_grid_is_the_likelihood_of_every_printed_value(on_grid, function):
    first, second = np.array([[0.3], [2.0]]), np.array([0.7, 4.0, 90.0])
    probabilities = on_grid(first, second, 5)
    assert probabilities.shape == (2, 3, 21)
    logp = function(first[..., None], second[:, None], *intervals(grid(5), 5))[0]
    np.testing.assert_allclose(probabilities, np.exp(logp), rtol=1e-11)
    assert np.all(np.isnan(on_grid(np.nan, second, 5)))
    assert on_grid(np.empty((0, 3)), second, 5).shape == (0, 3, 21)


def test_grid_refuses_negative_parameters():
    with pytest.raises(ValueError, match="alpha is -2;"):
        observation.grid_probabilities([1, -2], 1, 5)
    with pytest.raises(ValueError, match="beta is -1;"):
        observation.grid_probabilities(1, -1, 5)
    with pytest.raises(ValueError, match="sigma is -2;"):
        observation.logit_normal_grid_probabilities(0, -2, 5)


def test_probabilities_need_neither_pymc_nor_pytensor():
    code = (
        "import sys; from intlmodels.models.share import observation;"
        "print([name for name in ('pymc', 'pytensor', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


#: Prints the bits of values and gradients for 20,000 parameters and intervals of each law.
BITS = """
import hashlib
import numpy as np
from intlmodels.models.share import observation

rng = np.random.default_rng(1)
hash = hashlib.sha256()
for width in (0.01, 0.05, 0.3):
    share, size = rng.uniform(0.001, 0.999, 20_000), 1 / rng.random(20_000)
    printed = np.round(rng.random(20_000) / width) * width
    ends = np.clip(printed - width / 2, 0, 1), np.clip(printed + width / 2, 0, 1)
    for part in (
        *observation.interval_logprob_numpy(9 * share * size, 9 * (1 - share) * size, *ends),
        *observation.logit_normal_interval_logprob_numpy(20 * share - 10, size, *ends),
    ):
        hash.update(part.tobytes())
print(hash.hexdigest())
"""


@pytest.fixture(scope="module")
def bits():
    """Those of this processor."""
    return processors.output(BITS)


@pytest.mark.parametrize("target", processors.TARGETS)
def test_every_bit_is_the_same_on_other_processors(target, bits):
    processors.needs(target)
    assert processors.output(BITS, target) == bits
