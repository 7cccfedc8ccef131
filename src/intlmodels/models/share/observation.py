"""How a printed share comes about, given a firm's linear predictor: forward and in numpy.

The model turns these laws into log densities; here they are simulated and summed over the
printed grid. Nothing here needs PyMC, so that reports can use it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray

from intlmodels.core.rounding import grid, intervals
from intlmodels.models.interpreter import matrix, vector
from intlmodels.models.share import intervalkernels
from intlmodels.studies import Outcome

Array = NDArray[np.float64]

#: Name of the observed variable: the share as printed, in percent.
OUTCOME = "printed_share"
#: The same of a further outcome: the position of the level that was printed.
LEVEL = "printed_level"
#: Parameters of each observation family, in the order of its log density.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "beta": ("phi",),
    "logit-normal": ("sigma",),
    "hurdle": ("phi", "never"),
    "heaped": ("phi", "heaping"),
    "density": ("phi",),
    "ordered-beta": ("phi", "cut_zero", "cut_range"),
    "composition": ("phi", "split"),
    "binary": (),
    "ordered": ("cutpoints",),
}
#: Families of which a level is observed, not a share.
LEVELLED = frozenset({"binary", "ordered"})
#: Parameters with several values, along their last axis.
VECTORS = frozenset({"cutpoints"})


def outcome_of(family: str) -> str:
    """Name of the observed variable of a family."""
    return LEVEL if family in LEVELLED else OUTCOME


def linear_of(family: str, values: Mapping[str, Array]) -> Array:
    """Linear predictor of every firm, (..., firm), from stored values."""
    if family == "ordered":
        return values["eta"]
    share = values["mu"]
    with np.errstate(divide="ignore"):
        return np.log(share) - np.log1p(-share)


def for_firms(name: str, values: Any) -> Array:
    """Values of a parameter with an axis for the firms, so that they meet a linear predictor."""
    return np.expand_dims(np.asarray(values), -2 if name in VECTORS else -1)


def squeeze(share: Any, size: int) -> Any:
    """Move shares off 0 and 1, as usual for a Beta density.

    Smithson and Verkuilen (2006), Psychological Methods 11(1), p. 55: (y (n - 1) + 1/2) / n.
    """
    return (share * (size - 1) + 0.5) / size


def inverse_logit(linear: Any) -> Any:
    """Share in (0, 1) at a value of the linear predictor."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(linear)))


def printed_probabilities(
    family: str, linear: Array, parameters: Mapping[str, Array], width: float
) -> Array:
    """Probability of every printed value.

    ``family``: one of :data:`PARAMETERS`; ``linear`` (...): linear predictor, logit scale;
    ``parameters``: parameters of the family, broadcast against ``linear``; cutpoints have one axis
    more; ``width``: rounding width in percentage points. Returns (..., grid): over
    ``rounding.grid(width)``; sums to one. For ``density`` the shares of the density, rounded; for
    further outcomes over the levels.
    """
    if family == "binary":
        return np.stack([inverse_logit(-linear), inverse_logit(linear)], axis=-1)
    if family == "ordered":
        return _level_probabilities(linear, parameters["cutpoints"])
    if family == "logit-normal":
        return logit_normal_grid_probabilities(linear, parameters["sigma"], width)
    mu, phi = inverse_logit(linear), parameters["phi"]
    fine = grid_probabilities(mu * phi, (1 - mu) * phi, width)
    if family == "hurdle":
        never = np.asarray(parameters["never"])[..., None]
        mixed = (1 - never) * fine
        mixed[..., :1] += never
        return mixed
    if family == "ordered-beta":
        none, between, all_of_it = _ordered_parts(linear, parameters)
        mixed = np.exp(between)[..., None] * fine
        mixed[..., 0] += np.exp(none)
        mixed[..., -1] += np.exp(all_of_it)
        return mixed
    if family == "heaped":
        heaping = np.asarray(parameters["heaping"])[..., None]
        mixed = (1 - heaping) * fine
        mixed[..., ::2] += heaping * grid_probabilities(mu * phi, (1 - mu) * phi, 2 * width)
        return mixed
    return fine


def printed_log_probability(
    family: str, linear: Array, parameters: Mapping[str, Array], width: float, printed: Array
) -> Array:
    """Log probability of printed values.

    ``family``, ``linear``, ``parameters``, ``width``: as in :func:`printed_probabilities`;
    ``printed``: printed shares in percent, or positions of levels, broadcast against ``linear``.
    Returns natural logarithms, of the shape that all broadcast to.
    """
    if family in LEVELLED:
        chances = printed_probabilities(family, linear, parameters, width)
        places = np.broadcast_to(printed, chances.shape[:-1]).astype(np.intp)
        with np.errstate(divide="ignore"):
            return np.log(np.take_along_axis(chances, places[..., None], axis=-1)[..., 0])
    if family == "heaped":
        mu, phi = inverse_logit(linear), parameters["phi"]
        fine = interval_logprob_numpy(mu * phi, (1 - mu) * phi, *intervals(printed, width))[0]
        on_coarse = np.rint(printed / width) % 2 == 0
        lower, upper = intervals(np.where(on_coarse, printed, 0.0), 2 * width)
        coarse = interval_logprob_numpy(mu * phi, (1 - mu) * phi, lower, upper)[0]
        own = np.log1p(-parameters["heaping"]) + fine
        both = np.logaddexp(own, np.log(parameters["heaping"]) + coarse)
        return np.where(on_coarse, both, own)
    return interval_log_probability(family, linear, parameters, *intervals(printed, width))


def interval_log_probability(
    family: str, linear: Array, parameters: Mapping[str, Array], lower: Array, upper: Array
) -> Array:
    """Log probability of shares that are reported as intervals; no further outcomes, no heaping.

    ``lower``, ``upper``: ends from 0 to 1, broadcast against ``linear``; an interval from 0 holds
    exact zeros, one up to 1 exact ones.
    """
    if family == "logit-normal":
        return logit_normal_interval_logprob_numpy(linear, parameters["sigma"], lower, upper)[0]
    mu, phi = inverse_logit(linear), parameters["phi"]
    fine = interval_logprob_numpy(mu * phi, (1 - mu) * phi, lower, upper)[0]
    if family == "hurdle":
        sells = np.log1p(-parameters["never"]) + fine
        return np.where(lower == 0, np.logaddexp(np.log(parameters["never"]), sells), sells)
    if family == "ordered-beta":
        none, between, all_of_it = _ordered_parts(linear, parameters)
        found = between + fine
        found = np.where(lower == 0, np.logaddexp(none, found), found)
        return np.where(upper == 1, np.logaddexp(all_of_it, found), found)
    return fine


def _ordered_parts(linear: Array, parameters: Mapping[str, Array]) -> tuple[Array, Array, Array]:
    """Log probabilities of an exact 0, of a share between, and of an exact 1 (Kubinec 2023)."""
    first, width = np.asarray(parameters["cut_zero"]), np.asarray(parameters["cut_range"])
    below, above = first - linear, linear - first - width
    between = np.log(-np.expm1(-width)) - np.logaddexp(0, below) - np.logaddexp(0, above)
    return -np.logaddexp(0, -below), between, -np.logaddexp(0, -above)


def _level_probabilities(linear: Array, cutpoints: Array) -> Array:
    """Probability of each level of an ordered outcome, cumulative logit."""
    distance = np.asarray(cutpoints) - np.asarray(linear)[..., None]
    lower, upper = distance[..., :-1], distance[..., 1:]
    # F(u) - F(l) = F(u) F(-l) (1 - exp(l - u)), with F the logistic function: no digits are lost.
    between = inverse_logit(upper) * inverse_logit(-lower) * -np.expm1(lower - upper)
    ends = inverse_logit(distance[..., :1]), inverse_logit(-distance[..., -1:])
    return np.concatenate([ends[0], between, ends[1]], axis=-1)


def simulate(
    family: str,
    linear: Array,
    parameters: Mapping[str, Array],
    width: float,
    rng: np.random.Generator,
    shape: tuple[int, ...] | None = None,
) -> Array:
    """Draw printed shares, in percent, by drawing a share and rounding it; or levels.

    ``family``, ``linear``, ``parameters``, ``width``: as in :func:`printed_probabilities`;
    ``shape``: shape of the result; by default what the parameters broadcast to. Returns multiples
    of ``width``, between 0 and 100; of further outcomes positions of levels.
    """
    if family == "binary":
        shape = np.shape(linear) if shape is None else shape
        return (rng.random(shape) < inverse_logit(linear)).astype(float)
    if family == "ordered":
        cutpoints = np.asarray(parameters["cutpoints"])
        if shape is None:
            shape = np.broadcast_shapes(np.shape(linear), cutpoints.shape[:-1])
        # A logistic variable around the linear predictor, and the cutpoints that it is above.
        latent = rng.logistic(linear, size=shape)
        return (latent[..., None] > cutpoints).sum(axis=-1).astype(float)
    share = simulate_share(family, linear, parameters, rng, shape)
    if family == "heaped":
        coarse = rng.random(share.shape) < np.asarray(parameters["heaping"], dtype=float)
        step = np.where(coarse, 2 * width, width)
    else:
        step = np.full(share.shape, width)
    printed = step * np.rint(100 * share / step)
    return np.minimum(printed, grid(width)[-1])


def simulate_share(
    family: str,
    linear: Array,
    parameters: Mapping[str, Array],
    rng: np.random.Generator,
    shape: tuple[int, ...] | None = None,
) -> Array:
    """Draw shares from 0 to 1 as they are before they are reported; arguments as above."""
    values = [np.asarray(parameters[name], dtype=float) for name in PARAMETERS[family]]
    if shape is None:
        shape = np.broadcast_shapes(np.shape(linear), *(v.shape for v in values))
    if family == "logit-normal":
        return np.asarray(inverse_logit(rng.normal(linear, values[0], size=shape)))
    mu = inverse_logit(linear)
    tiny = np.finfo(float).tiny
    # numpy's Beta needs shapes above zero; the logit has underflowed there anyway.
    a, b = np.maximum(mu * values[0], tiny), np.maximum((1 - mu) * values[0], tiny)
    share = rng.beta(a, b, size=shape)
    if family == "hurdle":
        share = np.where(rng.random(shape) < values[1], 0.0, share)
    if family == "ordered-beta":
        # A logistic variable around the linear predictor, and the cutpoints that it is beyond.
        latent = rng.logistic(linear, size=shape)
        share = np.where(latent < values[1], 0.0, share)
        share = np.where(latent > values[1] + values[2], 1.0, share)
    return share


def simulate_within(
    family: str,
    linear: Array,
    parameters: Mapping[str, Array],
    lower: Array,
    upper: Array,
    rng: np.random.Generator,
) -> Array:
    """Draw shares from 0 to 1 given the intervals that they were reported as.

    ``family``: ``beta`` or ``hurdle``; ``linear`` (draw, row), ``parameters`` as in
    :func:`simulate_share`; ``lower``, ``upper`` (row,): ends from 0 to 1. By inversion of the
    distribution function, from the end at which it has more digits; an interval from 0 holds the
    structural zeros.
    """
    mu, phi = inverse_logit(linear), parameters["phi"]
    a, b = np.broadcast_arrays(mu * phi, (1 - mu) * phi)
    share, uniform = np.empty_like(a), rng.random(a.shape)
    uniform = np.where((lower + upper) / 2 > mu, 1 - uniform, uniform)
    for row, ends in enumerate(zip(lower, upper, strict=True)):
        own = a[:, row], b[:, row], *ends, uniform[:, row]
        found = _quantile_by_polynomial(*own)
        share[:, row] = _quantile_within(*own) if found is None else found
    if family == "hurdle":
        total = interval_log_probability(family, linear, parameters, lower, upper)
        none = np.where(lower == 0, parameters["never"] * np.exp(-total), 0.0)
        share = np.where(rng.random(a.shape) < none, 0.0, share)
    return share


def _quantile_within(a: Array, b: Array, lower: float, upper: float, p: Array) -> Array:
    """Quantiles of Beta shares between two ends; all but the ends (draw,)."""
    from scipy import special

    # Beyond the mean as the complement of the share, so that probabilities are not close to one.
    turned = (lower + upper) / 2 > a / (a + b)
    a, b, p = np.where(turned, b, a), np.where(turned, a, b), np.where(turned, 1 - p, p)
    low, high = np.where(turned, 1 - upper, lower), np.where(turned, 1 - lower, upper)
    start, end = special.betainc(a, b, low), special.betainc(a, b, high)
    share = special.betaincinv(a, b, start + p * (end - start))
    # Where rounding leaves no probability between the ends.
    share = np.clip(np.where(end > start, share, (low + high) / 2), low, high)
    return np.where(turned, 1 - share, share)


def _quantile_by_polynomial(
    a: Array, b: Array, lower: float, upper: float, p: Array
) -> Array | None:
    """The same from polynomials of the density, by Newton's method; None if that is not exact."""
    if not 0 < lower < upper < 1:
        return None
    # The density is singular at 0 and 1, and coefficients fall the quicker the farther these are.
    far = (np.array([lower, 1 - upper]) + (upper - lower) / 2).min() / ((upper - lower) / 2)
    _, nodes, basis = _chebyshev(np.array([lower, upper]), math.ceil(40 / math.acosh(far)))
    log_density = np.outer(np.log(nodes), a - 1) + np.outer(np.log1p(-nodes), b - 1)
    density = basis @ np.exp(log_density - log_density.max(axis=0))
    below = chebyshev.chebint(density, lbnd=-1)
    total = below.sum(axis=0)
    at, step = 2 * p - 1, np.zeros_like(p)
    for _ in range(8):
        off = chebyshev.chebval(at, below, tensor=False) - p * total
        step = off / chebyshev.chebval(at, density, tensor=False)
        at = np.clip(at - step, -1, 1)
        if np.abs(step).max() < 1e-9:
            break
    if not np.abs(step).max() < 1e-9 or np.abs(density[-2:] / density[0]).max() > 1e-11:
        return None
    return (lower + upper) / 2 + (upper - lower) / 2 * at


def report(share: Array, outcome: Outcome) -> tuple[Array, Array, Array]:
    """Report shares as the rows of an outcome are: rounded to each one's width, or in bands.

    ``share`` (..., row), from 0 to 1. Returns what is reported in percent, of a band its middle,
    and the ends of the intervals from 0 to 1.
    """
    value, lower, upper = np.empty((3, *share.shape))
    for width in np.unique(outcome.widths[np.isfinite(outcome.widths)]):
        rows = outcome.widths == width
        values = grid(width)
        place = np.rint(100 * share[..., rows] / width).astype(np.intp)
        own = values[np.minimum(place, len(values) - 1)]
        value[..., rows] = own
        lower[..., rows], upper[..., rows] = intervals(own, width)
    rows = np.isnan(outcome.widths)
    if rows.any():
        ends = np.array(outcome.bands)
        place = np.searchsorted(ends[1:, 0], share[..., rows], side="right")
        lower[..., rows], upper[..., rows] = ends[place, 0], ends[place, 1]
        value[..., rows] = 50 * (lower + upper)[..., rows]
    return value, lower, upper


# -- expected reported shares of many rows -----------------------------------------------

#: Nodes between which expected reported shares are looked up: of the linear predictor from -12 to
#: 12, beyond which shares are below 0.001 or above 99.999 percent, and of the logarithm of the
#: precision (or scale), so many per unit.
_ENDS, _PER_LINEAR, _PER_LOG = 12.0, 32, 8
#: Logarithms of precisions and scales that are looked up; beyond, the nearest.
_LEAST_LOG, _LARGEST_LOG = -12.0, 25.0


def expected_reported(
    family: str, linear: Array, parameters: Mapping[str, Array], width: float
) -> Array:
    """Expected reported share in percent, looked up; not of further outcomes.

    ``linear`` (draw, row); ``parameters``: each (draw, row), or (draw, 1); ``width``: rounding
    width in percentage points. What rounding adds to the median share is interpolated, with cubic
    polynomials, between nodes of linear predictor and precision at which it is summed over what
    can be printed. The error is below 0.001 points unless shares near one half scatter by less than
    half of ``width``, or logit-normal ones by less than 0.2 on the logit scale.
    """
    law = "logit-normal" if family == "logit-normal" else "beta"
    spread = parameters[PARAMETERS[law][0]]
    found = _looked_up(law, linear, spread, width)
    if family == "hurdle":
        found *= 1 - parameters["never"]
    elif family == "heaped":
        found += parameters["heaping"] * (_looked_up(law, linear, spread, 2 * width) - found)
    elif family == "ordered-beta":
        _, between, all_of_it = _ordered_parts(linear, parameters)
        found = np.exp(between) * found + np.exp(all_of_it) * grid(width)[-1]
    return found


#: Polynomials in linear predictor and log precision: their degrees plus one, and the size of the
#: last coefficients below which they are exact, in percent.
_DEGREES, _EXACT = (112, 36), 1e-9


def expected_by_polynomial(linear: Array, phi: Array, width: float) -> Array | None:
    """Expected reported share in percent of Beta shares, (draw, row), if a polynomial gives it.

    ``linear`` (draw, row), ``phi`` (draw,). The expectation is summed over what can be printed at
    Chebyshev nodes of the rectangle that linear predictors and log precisions fill, of which it is
    an analytic function; evaluated by Clenshaw's recurrence (Trefethen 2013, Approximation Theory
    and Approximation Practice, chapters 3 and 19). None where the rectangle has few points, or is
    so large that the last coefficients are above ``_EXACT``.
    """
    if linear.size < 4 * math.prod(_DEGREES):
        return None
    x, nodes, basis = _chebyshev(linear, _DEGREES[0])
    y, log_phi, other = _chebyshev(np.log(phi), _DEGREES[1])
    mu, at = inverse_logit(nodes)[:, None], np.exp(log_phi)
    table = grid_probabilities(mu * at, (1 - mu) * at, width) @ grid(width)
    coefficients = basis @ table @ other.T
    if max(np.abs(coefficients[-4:]).max(), np.abs(coefficients[:, -4:]).max()) > _EXACT:
        return None
    own = coefficients @ np.cos(np.arange(_DEGREES[1])[:, None] * np.arccos(y))
    found, product = np.empty_like(linear), np.empty(len(linear))
    for column, at in enumerate(np.ascontiguousarray(x.T)):
        twice, last, now = 2 * at, np.zeros_like(at), np.zeros_like(at)
        for each in own[:0:-1]:
            np.subtract(each, last, out=last)
            last += np.multiply(twice, now, out=product)
            last, now = now, last
        found[:, column] = own[0] + at * now - last
    return found


def _chebyshev(values: Array, count: int) -> tuple[Array, Array, Array]:
    """Values scaled to -1 to 1; nodes between the ends of values; what makes coefficients there."""
    low, high = values.min(), values.max()
    half = (high - low) / 2 or 1.0
    angles = np.pi * (np.arange(count) + 0.5) / count
    basis = np.cos(np.arange(count)[:, None] * angles) * 2 / count
    basis[0] /= 2
    return np.clip((values - low) / half - 1, -1, 1), low + half * (1 + np.cos(angles)), basis


def _looked_up(law: str, linear: Array, spread: Array, width: float) -> Array:
    place = _PER_LOG * np.clip(np.log(spread), _LEAST_LOG, _LARGEST_LOG)
    first, last = int(np.floor(place.min())) - 1, int(np.floor(place.max())) + 2
    added = np.stack([_added_by_rounding(law, width, k) for k in range(first, last + 1)])
    return _between_nodes(np.ascontiguousarray(linear), place - first, added)


@lru_cache(maxsize=2048)
def _added_by_rounding(law: str, width: float, place: int) -> Array:
    """Expected reported share less 100 times the median share, (node,)."""
    linear = np.linspace(-_ENDS, _ENDS, round(2 * _ENDS) * _PER_LINEAR + 1)
    spread = {PARAMETERS[law][0]: np.full_like(linear, np.exp(place / _PER_LOG))}
    chances = printed_probabilities(law, linear, spread, width)
    return np.asarray(chances @ grid(width) - 100 * inverse_logit(linear))


@numba.njit(cache=True, nogil=True)
def _cubic(f: float) -> tuple[float, float, float, float]:
    """Weights of nodes at -1, 0, 1, 2 for the value at f (0 to 1)."""
    return (
        -f * (f - 1.0) * (f - 2.0) / 6.0,
        (f + 1.0) * (f - 1.0) * (f - 2.0) / 2.0,
        -(f + 1.0) * f * (f - 2.0) / 2.0,
        (f + 1.0) * f * (f - 1.0) / 6.0,
    )


@numba.njit(cache=True, nogil=True)
def _between_nodes(linear: Array, place: Array, values: Array) -> Array:
    """100 times the share at each linear predictor, with what a table adds, (draw, row).

    ``place`` (draw, row or 1): rows of ``values`` (place, node), with two nodes on either side.
    """
    found = np.empty(linear.shape)
    last = values.shape[1] - 1
    for i in range(linear.shape[0]):
        for j in range(linear.shape[1]):
            eta = linear[i, j]
            at = min(max((eta + _ENDS) * _PER_LINEAR, 1.0), last - 1.000001)
            k = int(at)
            a, b, c, d = _cubic(at - k)
            along = place[i, min(j, place.shape[1] - 1)]
            m = int(along)
            total = 0.0
            for n, weight in enumerate(_cubic(along - m)):
                row = values[m - 1 + n]
                total += weight * (a * row[k - 1] + b * row[k] + c * row[k + 1] + d * row[k + 2])
            found[i, j] = 100.0 / (1.0 + np.exp(-eta)) + total
    return found


# -- log probabilities of printed shares -----------------------------------------------

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
    return printed_log_probability(family, nodes(count)[None], parameters, width, printed[:, None])


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

    ``linear`` (point,); ``values`` (row, node).
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

    ``linear`` (row, point); ``values`` (row, node).
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

    ``effects`` (cluster, coefficient); ``values`` (printed value, node): log probabilities;
    ``weights`` (combination * coefficient,): with which a combination of levels takes the effects
    of its cluster; ``cluster`` (combination,); ``start`` (combination + 1,): first cell of each
    combination; then the number of cells; ``place`` (cell,): row of ``values``; ``rows`` (cell,).
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


def cells(given) -> None:  # type: ignore[no-untyped-def]
    """Of a graph's instructions: `cells_density`."""
    total, by_effect, by_value = cells_density(
        matrix(given, 3),
        matrix(given, 4),
        vector(given, 5),
        vector(given, 6),
        vector(given, 7),
        vector(given, 8),
        vector(given, 9),
    )
    vector(given, 0)[0] = total
    matrix(given, 1)[:], matrix(given, 2)[:] = by_effect, by_value


def error(
    family: str, parameters: Mapping[str, Any], width: float, printed: Array, count: int
) -> float:
    """Largest error of an interpolated log probability, between nodes where shares are.

    Of printed values that are not too unlikely there: others do not occur, and do not matter.
    """
    points = np.linspace(-8.0, 6.0, 1401) + 0.001
    exact = printed_log_probability(family, points[:, None], parameters, width, printed[None])
    found, _ = interpolated(points, table(family, parameters, width, printed, count))
    return float(np.abs(found - exact)[exact > -30].max())


# -- laws of a share between two values ----------------------------------------------------


def interval_logprob_numpy(
    alpha: ArrayLike, beta: ArrayLike, lower: ArrayLike, upper: ArrayLike
) -> tuple[Array, Array, Array]:
    """Log probability that a Beta variable falls in an interval, with its gradient in the shapes.

    All arguments broadcast. ``alpha``, ``beta``: shapes; 0 stands for the limit (all mass at one
    end), and they are taken as at most 1e10. ``lower``, ``upper``: ends of the interval, as shares;
    outside [0, 1] they are taken as 0 and 1, and a lower end below 1e-300 as 0.

    Returns logp, dlogp_dalpha and dlogp_dbeta, within 1e-9 of the exact values for shapes from 0.01
    to 1000 (the derivatives relative to their size where that is above 1), and finite for any
    shapes >= 0 and lower < upper. An empty interval or a negative shape has log probability -inf
    and derivatives 0; NaN in any argument gives NaN.
    """
    return _evaluate(intervalkernels.fill_beta, alpha, beta, lower, upper)


def logit_normal_interval_logprob_numpy(
    mu: ArrayLike, sigma: ArrayLike, lower: ArrayLike, upper: ArrayLike
) -> tuple[Array, Array, Array]:
    """Log probability that a logit-normal variable falls in an interval, with its gradient.

    ``mu``, ``sigma``: mean and standard deviation of the logit; a negative ``sigma`` is as a
    negative shape, and all else as of :func:`interval_logprob_numpy`.
    """
    return _evaluate(intervalkernels.fill_normal, mu, sigma, lower, upper)


def grid_probabilities(alpha: ArrayLike, beta: ArrayLike, width: float) -> Array:
    """Probability of every printed value when a Beta share is rounded.

    ``alpha``, ``beta``: shapes, broadcast against each other; 0 stands for the limit; ``width``:
    rounding width in percentage points. Returns (..., grid): over the values of `rounding.grid`;
    sums to one. NaN where a shape is NaN. Raises ValueError if a shape is negative or the width has
    no grid.
    """
    _check_not_negative(alpha=alpha, beta=beta)
    return _evaluate_grid(intervalkernels.fill_beta_grid, alpha, beta, width)


def logit_normal_grid_probabilities(mu: ArrayLike, sigma: ArrayLike, width: float) -> Array:
    """The same of a logit-normal share; ``mu``, ``sigma``: mean and sd of the logit."""
    _check_not_negative(sigma=sigma)
    return _evaluate_grid(intervalkernels.fill_normal_grid, mu, sigma, width)


def _evaluate(fill: Any, *arguments: ArrayLike) -> tuple[Array, Array, Array]:
    flat, shape = _flatten(*arguments)
    out = np.empty((3, flat[0].size))
    fill(*flat, out)
    logp, d_first, d_second = out.reshape(3, *shape)
    return logp, d_first, d_second


def _evaluate_grid(fill: Any, first: ArrayLike, second: ArrayLike, width: float) -> Array:
    lower, upper = intervals(grid(width), width)
    flat, shape = _flatten(first, second)
    out = np.empty((flat[0].size, lower.size))
    fill(*flat, lower, upper, out)
    return out.reshape(*shape, lower.size)


def _flatten(*arrays: ArrayLike) -> tuple[list[Array], tuple[int, ...]]:
    """Broadcast; return the arrays flat and contiguous (one compiled version), and the shape."""
    broadcast = np.broadcast_arrays(*(np.asarray(array, dtype=np.float64) for array in arrays))
    return [np.ascontiguousarray(array).ravel() for array in broadcast], broadcast[0].shape


def _check_not_negative(**parameters: ArrayLike) -> None:
    for name, values in parameters.items():
        smallest = np.min(np.asarray(values, dtype=np.float64), initial=0.0)
        if smallest < 0.0:
            raise ValueError(f"{name} is {smallest:g}; expected no negative value")
