"""Printed percentages and the intervals they stand for.

A share printed as a multiple of the rounding width w lies within w / 2 of it; at 0 and 100 percent
half of that interval falls away. Only this module turns one into the other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: How far, in rounding widths, a number may lie from the grid and still be a value of the grid.
GRID_TOLERANCE = 1e-9


def grid(width: float) -> FloatArray:
    """Return every value that rounding to ``width`` can print."""
    _check_width(width)
    exact = 100.0 / width
    steps = int(np.floor(exact + GRID_TOLERANCE))
    if exact - steps > 0.5 + GRID_TOLERANCE:
        raise ValueError(
            f"rounding width {width:g}: the last printed value would be {steps * width:g}, which "
            "leaves shares near 100 percent without one; expected a width with a multiple within "
            "half a width of 100"
        )
    # 3 * 0.1 is 0.30000000000000004: rounding gives the number that a table would print.
    decimals = 12 - int(np.floor(np.log10(width)))
    return np.minimum(np.round(np.arange(steps + 1) * float(width), decimals), 100.0)


def intervals(printed_percent: npt.ArrayLike, width: float) -> tuple[FloatArray, FloatArray]:
    """Return the interval of true shares that each printed percentage stands for.

    The interval of r is [max(0, r - w/2), min(100, r + w/2)] / 100. The ends of values on the grid
    are computed from their place on it, so that the upper end of one is, to the last bit, the lower
    end of the next: the intervals of `grid` cover [0, 1] with no gap and no overlap.
    """
    _check_width(width)
    printed = np.asarray(printed_percent, dtype=np.float64)
    outside = (printed < 0.0) | (printed > 100.0)
    if np.any(outside):
        raise ValueError(
            f"printed share {printed[outside].flat[0]:g} percent; expected a value from 0 to 100"
        )
    place = printed / width
    place = np.where(on_grid(printed, width), np.rint(place), place)
    lower, upper = (place - 0.5) * width, (place + 0.5) * width
    # An upper end that misses 100 by the rounding of doubles alone would leave out the mass next
    # to it, and a Beta law with a small shape has much of its mass there.
    upper = np.where(upper >= 100.0 - GRID_TOLERANCE * width, 100.0, upper)
    return np.maximum(lower, 0.0) / 100.0, upper / 100.0


def on_grid(printed_percent: npt.ArrayLike, width: float) -> BoolArray:
    """Tell which printed percentages are values that rounding to ``width`` can print."""
    _check_width(width)
    printed = np.asarray(printed_percent, dtype=np.float64)
    place = printed / width
    near = np.abs(place - np.rint(place)) <= GRID_TOLERANCE
    return np.asarray(near & (printed >= 0.0) & (printed <= 100.0))


def _check_width(width: float) -> None:
    if not (np.isfinite(width) and width > 0.0):
        raise ValueError(
            f"rounding width {width!r}; expected a positive number of percentage points"
        )
