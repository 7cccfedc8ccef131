"""Printed percentages and their intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intlmodels.core import rounding

WIDTHS = [100, 40, 20, 10, 5, 2.5, 1, 0.5, 0.1, 0.01, 3, 7, 0.3, 100 / 3.5, 100 / 48.5, 200, 1000]

# A width whose last multiple lies within half a width of 100 has a grid.
usable_widths = st.one_of(
    st.sampled_from(WIDTHS),
    st.tuples(st.integers(0, 2000), st.floats(0.1, 0.5)).map(lambda k: 100 / (k[0] + k[1])),
)


def test_grid_of_five():
    np.testing.assert_array_equal(rounding.grid(5), np.arange(0, 101, 5))


@pytest.mark.parametrize(
    ("width", "values"),
    [(40, [0, 40, 80]), (30, [0, 30, 60, 90]), (100, [0, 100]), (200, [0]), (500, [0])],
)
def test_grid_need_not_reach_100(width, values):
    np.testing.assert_array_equal(rounding.grid(width), values)


def test_grid_has_the_printed_decimals():
    assert rounding.grid(0.1).tolist() == [k / 10 for k in range(1001)]
    assert rounding.grid(0.3)[3] == 0.9


@pytest.mark.parametrize("width", [35, 36, 60, 150])
def test_grid_refuses_a_width_that_cannot_print_100(width):
    with pytest.raises(ValueError, match="near 100 percent"):
        rounding.grid(width)


@pytest.mark.parametrize("width", [0, -5, np.nan, np.inf])
@pytest.mark.parametrize(
    "function",
    [
        rounding.grid,
        lambda width: rounding.intervals(5.0, width),
        lambda width: rounding.on_grid(5.0, width),
    ],
)
def test_width_must_be_positive(function, width):
    with pytest.raises(ValueError, match="positive number"):
        function(width)


@given(usable_widths)
@settings(deadline=None)
def test_intervals_of_the_grid_tile_the_shares(width):
    printed = rounding.grid(width)
    lower, upper = rounding.intervals(printed, width)
    assert lower[0] == 0.0
    assert upper[-1] == 1.0
    np.testing.assert_array_equal(lower[1:], upper[:-1])
    assert np.all(lower < upper)


@given(usable_widths)
@settings(deadline=None)
def test_grid_values_are_on_the_grid_and_in_their_interval(width):
    printed = rounding.grid(width)
    assert np.all(rounding.on_grid(printed, width))
    lower, upper = rounding.intervals(printed, width)
    inside = (100 * lower <= printed) & (printed <= 100 * upper)
    assert np.all(inside)
    np.testing.assert_allclose(100 * (upper - lower)[1:-1], width, rtol=1e-9)


def test_intervals_of_the_study():
    lower, upper = rounding.intervals([0, 5, 30, 100], 5)
    np.testing.assert_allclose(lower, [0, 0.025, 0.275, 0.975], rtol=1e-15)
    np.testing.assert_allclose(upper, [0.025, 0.075, 0.325, 1], rtol=1e-15)


def test_intervals_off_the_grid_are_centred_on_the_value():
    lower, upper = rounding.intervals([[31.4]], 5)
    assert lower.shape == (1, 1)
    np.testing.assert_allclose([lower[0, 0], upper[0, 0]], [0.289, 0.339], rtol=1e-14)


def test_intervals_of_a_missing_value_are_missing():
    lower, upper = rounding.intervals([np.nan, 5], 5)
    assert np.isnan(lower[0])
    assert np.isnan(upper[0])
    assert upper[1] == 0.075


@pytest.mark.parametrize("printed", [-5, 105, np.inf])
def test_intervals_refuse_what_is_no_percentage(printed):
    with pytest.raises(ValueError, match="from 0 to 100"):
        rounding.intervals([10, printed], 5)


def test_on_grid_tells_values_that_rounding_cannot_print():
    printed = [0, 5, 7.5, 5 + 1e-7, 100, 105, -5, np.nan]
    expected = [True, True, False, False, True, False, False, False]
    np.testing.assert_array_equal(rounding.on_grid(printed, 5), expected)


def test_on_grid_forgives_the_rounding_of_doubles():
    assert np.all(rounding.on_grid(np.arange(1001) * 0.1, 0.1))
    assert rounding.on_grid(0.1 + 0.2, 0.1)
