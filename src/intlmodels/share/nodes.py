"""Log probabilities of printed shares, tabulated over the linear predictor.

Given the parameters of the family, the log probability of a printed share is a smooth function of
one number, the linear predictor. With more cells than nodes it is cheaper to compute it at nodes
and to interpolate: polynomials of degree five through the six nodes around a point. The nodes lie
evenly in s, with linear predictor = CENTRE + REACH sinh(s): close together where shares are, far
apart beyond. :func:`error` says how far off the interpolation is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from intlmodels.share import observation

Array = NDArray[np.float64]

#: Where the nodes are densest, and how far they stay so, logit scale.
CENTRE, REACH = -1.0, 3.0
#: Largest |s|: linear predictors from -31 to 29, beyond which shares are 0 or 100 in print.
EDGE = float(np.arcsinh(30.0 / REACH))
#: Numbers of nodes that are tried in turn.
COUNTS = (181, 361, 721, 1441)
#: Nodes around a point.
POINTS = 6


def nodes(count: int) -> Array:
    """Linear predictors at which probabilities are computed."""
    return CENTRE + REACH * np.sinh(np.linspace(-EDGE, EDGE, count))


def table(
    family: str, parameters: Mapping[str, Any], width: float, printed: Array, count: int
) -> Array:
    """Log probabilities at the nodes, (printed value, node); see :mod:`observation`."""
    return observation.printed_log_probability(
        family, nodes(count)[None], parameters, width, printed[:, None]
    )


@numba.njit(cache=True, nogil=True)
def place_of(linear: float, count: int) -> tuple[int, float, float]:
    """First of the nodes around a point, how far beyond the third it is, and d(place)/d(linear).

    Beyond the last node, that node stands for everything.
    """
    step = 2.0 * EDGE / (count - 1)
    off = linear - CENTRE
    scaled = (np.arcsinh(off / REACH) + EDGE) / step
    slope = 1.0 / (step * np.sqrt(REACH * REACH + off * off))
    if not scaled > 2.0:  # also for what is no number
        return 0, 0.0, 0.0
    if scaled >= count - 4.0:
        return count - POINTS, 1.0, 0.0
    first = int(scaled) - 2
    return first, scaled - 2.0 - first, slope


@numba.njit(cache=True, nogil=True)
def weigh(f: float, weights: Array, slopes: Array) -> None:
    """Weights of six nodes at -2, ..., 3 for the value at f (0 to 1), and for its derivative."""
    for k in range(6):
        at = k - 2.0
        scale, value, slope = 1.0, 1.0, 0.0
        for m in range(6):
            if m != k:
                off = f - (m - 2.0)
                slope = slope * off + value
                value = value * off
                scale = scale * (at - (m - 2.0))
        weights[k] = value / scale
        slopes[k] = slope / scale


@numba.njit(cache=True, nogil=True)
def interpolated(linear: Array, values: Array) -> tuple[Array, Array]:
    """Every row of a table at points, and its derivative, both (point, row).

    Parameters
    ----------
    linear : array, shape (point,)
    values : array, shape (row, node)
    """
    rows, count = values.shape
    found, derived = np.empty((len(linear), rows)), np.empty((len(linear), rows))
    weights, slopes = np.empty(6), np.empty(6)
    for j in range(len(linear)):
        first, f, slope = place_of(linear[j], count)
        weigh(f, weights, slopes)
        for p in range(rows):
            value, change = 0.0, 0.0
            for k in range(6):
                value += weights[k] * values[p, first + k]
                change += slopes[k] * values[p, first + k]
            found[j, p] = value
            derived[j, p] = change * slope
    return found, derived


@numba.njit(cache=True, nogil=True)
def interpolated_each(linear: Array, values: Array) -> Array:
    """Row i of a table at the points of row i, (row, point).

    Parameters
    ----------
    linear : array, shape (row, point)
    values : array, shape (row, node)
    """
    count = values.shape[1]
    found = np.empty(linear.shape)
    weights, slopes = np.empty(6), np.empty(6)
    for i in range(linear.shape[0]):
        for j in range(linear.shape[1]):
            first, f, _ = place_of(linear[i, j], count)
            weigh(f, weights, slopes)
            value = 0.0
            for k in range(6):
                value += weights[k] * values[i, first + k]
            found[i, j] = value
    return found


@numba.njit(cache=True, nogil=True)
def cells_density(
    effects: Array,
    values: Array,
    weights: Array,
    cluster: Array,
    start: Array,
    place: Array,
    rows: Array,
) -> tuple[float, Array, Array]:
    """Log likelihood of all cells, and its derivatives in effects and tabulated values.

    Parameters
    ----------
    effects : array, shape (cluster, coefficient)
    values : array, shape (printed value, node)
        Log probabilities.
    weights : array, shape (combination * coefficient,)
        With which a combination of levels takes the effects of its cluster.
    cluster : array, shape (combination,)
    start : array, shape (combination + 1,)
        First cell of each combination; then the number of cells.
    place : array, shape (cell,)
        Row of ``values``.
    rows : array, shape (cell,)

    Returns
    -------
    float, array, array
        The derivatives have the shapes of ``effects`` and ``values``.
    """
    size, count = effects.shape[1], values.shape[1]
    by_effect, by_value = np.zeros_like(effects), np.zeros_like(values)
    at, slopes = np.empty(6), np.empty(6)
    total = 0.0
    for j in range(len(cluster)):
        c = int(cluster[j])
        linear = 0.0
        for k in range(size):
            linear += weights[j * size + k] * effects[c, k]
        first, f, slope = place_of(linear, count)
        weigh(f, at, slopes)
        pull = 0.0
        for n in range(int(start[j]), int(start[j + 1])):
            p, r = int(place[n]), rows[n]
            value, change = 0.0, 0.0
            for k in range(6):
                value += at[k] * values[p, first + k]
                change += slopes[k] * values[p, first + k]
                by_value[p, first + k] += r * at[k]
            total += r * value
            pull += r * change
        pull *= slope
        for k in range(size):
            by_effect[c, k] += pull * weights[j * size + k]
    return total, by_effect, by_value


def error(
    family: str, parameters: Mapping[str, Any], width: float, printed: Array, count: int
) -> float:
    """Largest error of an interpolated log probability, between nodes where shares are.

    Of printed values that are not too unlikely there: others do not occur, and do not matter.
    """
    points = np.linspace(-8.0, 6.0, 1401) + 0.001
    exact = observation.printed_log_probability(
        family, points[:, None], parameters, width, printed[None]
    )
    found, _ = interpolated(points, table(family, parameters, width, printed, count))
    return float(np.abs(found - exact)[exact > -30].max())
