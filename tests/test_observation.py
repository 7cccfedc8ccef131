"""The forward laws: probabilities over the printed grid, and simulation, agree."""

import numpy as np
import pytest
from scipy import stats

from intlmodels.core.rounding import grid
from intlmodels.models.share import observation

FAMILIES = {
    "beta": {"phi": 4.0},
    "logit-normal": {"sigma": 1.3},
    "hurdle": {"phi": 4.0, "never": 0.2},
    "heaped": {"phi": 4.0, "heaping": 0.6},
    "density": {"phi": 4.0},
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("width", [2.5, 5.0, 10.0])
@pytest.mark.parametrize("linear", [-6.0, -1.5, 0.0, 2.0])
def test_probabilities_sum_to_one(family, width, linear):
    parameters = {name: np.array(value) for name, value in FAMILIES[family].items()}
    p = observation.printed_probabilities(family, np.array(linear), parameters, width)
    assert p.shape == grid(width).shape
    assert (p >= 0).all()
    assert p.sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("linear", [-3.0, -1.0, 1.0])
def test_simulated_shares_follow_the_probabilities(family, linear):
    parameters = {name: np.array(value) for name, value in FAMILIES[family].items()}
    p = observation.printed_probabilities(family, np.array(linear), parameters, 5.0)
    size = 40_000
    rng = np.random.default_rng(11)
    drawn = observation.simulate(family, np.full(size, linear), parameters, 5.0, rng)
    values, counts = np.unique(drawn, return_counts=True)
    assert set(values) <= set(grid(5.0))
    expected = size * p
    observed = np.zeros_like(expected)
    observed[np.searchsorted(grid(5.0), values)] = counts
    # cells with few expected counts are pooled, as usual for a chi-square test
    pooled = expected < 5
    observed = np.append(observed[~pooled], observed[pooled].sum())
    expected = np.append(expected[~pooled], expected[pooled].sum())
    keep = expected > 0
    statistic = ((observed - expected)[keep] ** 2 / expected[keep]).sum()
    assert stats.chi2(keep.sum() - 1).sf(statistic) > 1e-4


def test_heaping_puts_more_on_multiples_of_ten():
    linear = np.array(-1.0)
    plain = observation.printed_probabilities("beta", linear, {"phi": np.array(4.0)}, 5.0)
    heaped = observation.printed_probabilities(
        "heaped", linear, {"phi": np.array(4.0), "heaping": np.array(1.0)}, 5.0
    )
    assert heaped[1::2].sum() == 0
    assert heaped[2] == pytest.approx(plain[2] + 0.5 * (plain[1] + plain[3]), abs=0.02)


def test_squeeze_is_that_of_smithson_and_verkuilen():
    assert observation.squeeze(0.0, 22) == pytest.approx(0.5 / 22)
    assert observation.squeeze(1.0, 22) == pytest.approx(21.5 / 22)
    assert observation.squeeze(0.5, 22) == 0.5


def test_simulation_survives_extreme_parameters():
    rng = np.random.default_rng(1)
    linear = np.array([-800.0, 800.0, 0.0])
    drawn = observation.simulate("beta", linear, {"phi": np.array(1e-6)}, 5.0, rng)
    assert np.isin(drawn, grid(5.0)).all()


@pytest.mark.parametrize("family", [*FAMILIES, "ordered-beta"])
@pytest.mark.parametrize("width", [2.0, 5.0, 20.0])
def test_expected_shares_of_many_rows_are_looked_up(family, width):
    """Held against the sum over what can be printed, within the bounds of the docstring."""
    rng = np.random.default_rng(5)
    narrowest = 0.25 / (width / 200) ** 2  # the precision at which shares scatter by half a width
    given = {
        "phi": np.exp(rng.uniform(0, np.log(min(narrowest, 500)), (40, 60))),  # of each row
        "sigma": np.geomspace(max(0.2, width / 50), 3, 40)[:, None],
        "never": rng.uniform(size=(40, 60)),
        "heaping": rng.uniform(size=(40, 1)),
        "cut_zero": rng.uniform(-6, -2, (40, 1)),
        "cut_range": rng.uniform(4, 8, (40, 1)),
    }
    parameters = {name: given[name] for name in observation.PARAMETERS[family]}
    linear = rng.uniform(-7, 6, (40, 60))
    found = observation.expected_reported(family, linear, parameters, width)
    each = observation.printed_probabilities(family, linear, parameters, width)
    np.testing.assert_allclose(found, each @ grid(width), rtol=0, atol=1e-3)
    far = np.array([[-800.0, -40.0, 40.0, 800.0]])
    one = {name: value[:1, :1] for name, value in parameters.items()}
    found = observation.expected_reported(family, far, one, width)
    ends = observation.printed_probabilities(family, far, one, width) @ grid(width)
    np.testing.assert_allclose(found, ends, rtol=0, atol=1e-3)


@pytest.mark.parametrize("width", [2.5, 5.0])
def test_polynomials_give_the_expectation_summed_over_the_grid(width):
    rng = np.random.default_rng(1)
    phi = np.exp(rng.normal(2.2, 0.3, 1500))
    linear = rng.normal(-1, 0.8, (1500, 12))
    found = observation.expected_by_polynomial(linear, phi, width)
    chance = observation.printed_probabilities("beta", linear, {"phi": phi[:, None]}, width)
    assert found == pytest.approx(chance @ grid(width), rel=1e-9)


def test_no_polynomial_is_taken_that_is_not_exact():
    rng = np.random.default_rng(1)
    wide = rng.uniform(-25, 25, (1500, 12))
    phi = np.exp(rng.uniform(-2, 9, 1500))
    assert observation.expected_by_polynomial(wide, phi, 5.0) is None
    assert observation.expected_by_polynomial(wide[:10], phi[:10], 5.0) is None


@pytest.mark.parametrize(
    ("lower", "upper"), [(0.025, 0.075), (0.475, 0.525), (0.9, 0.95), (0.0, 0.025), (0.1, 0.9)]
)
def test_shares_within_intervals_are_quantiles_of_the_law(lower, upper):
    rng = np.random.default_rng(2)
    linear, phi = rng.normal(-1, 1, (300, 1)), np.exp(rng.normal(2, 0.5, (300, 1)))
    ends = np.array([lower]), np.array([upper])
    seeded = np.random.default_rng(3)
    found = observation.simulate_within("beta", linear, {"phi": phi}, *ends, seeded)
    mu = observation.inverse_logit(linear)
    law = stats.beta(mu * phi, (1 - mu) * phi)
    uniform = np.random.default_rng(3).random((300, 1))
    uniform = np.where((lower + upper) / 2 > mu, 1 - uniform, uniform)
    low, high = law.cdf(lower), law.cdf(upper)
    # Beyond what rounding leaves of the difference of two probabilities.
    assert law.cdf(found) == pytest.approx(low + uniform * (high - low), rel=1e-9, abs=1e-12)
