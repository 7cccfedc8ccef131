"""Where the posterior of a register is: the start of its sampling, with clusters or without.

Without clusters the maximum is found by Fisher's scoring, with the information as the sum of
squared gradients of the rows. With clusters every one has its own level and effects, drawn around
those that all have in common. Given the spreads and the parameters of the family, the maximum for
each cluster is found by Fisher's scoring, all clusters at a time; spreads and what is common follow
from the clusters (the fixed point of MacKay 1992, Neural Computation 4, 415-447), the parameters of
the family by Newton's steps. Nothing of it enters the posterior, which is only written in other
coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from intlmodels.models.coordinates import basis, uphill
from intlmodels.models.share import observation
from intlmodels.models.share.design import Design
from intlmodels.models.share.observation import COUNTS, cells_density, error, interpolated, table

Array = NDArray[np.float64]

#: First values of the parameters of the families.
FIRST = {"phi": 10.0, "sigma": 1.0, "never": 0.05, "heaping": 0.5}
FIRST |= {"cut_zero": -4.0, "cut_range": 6.0}
#: Those between 0 and 1; the others are above 0.
UNIT = frozenset({"never", "heaping"})
#: Those that may be any number.
REAL = frozenset({"cut_zero"})
#: Step of the numerical derivatives, on the logit and log scale.
_STEP = 1e-4
#: Distance from the maximum, in standard deviations, at which it counts as found.
_NEAR = 0.01
_MOST_STEPS = 100


@dataclass(frozen=True)
class Start:
    """A normal approximation of the likelihood."""

    #: (coefficient,): the average level, then of each block the slope, or the differences between
    #: its levels in :func:`basis`; of clusters what they vary around.
    linear: Array
    #: (coefficient,), of the log likelihood there: what the weak pull holds back; of clusters
    #: (cluster, coefficient).
    gradient: Array
    #: (coefficient, coefficient): minus its curvature; singular where the rows do not tell. Of
    #: clusters (cluster, coefficient, coefficient).
    information: Array
    #: Parameters of the family, and their standard deviations on the log or logit scale.
    parameters: dict[str, float]
    spread: dict[str, float]


@dataclass(frozen=True)
class ClusterStart(Start):
    """A normal approximation of the likelihood of each cluster's coefficients."""

    #: (cluster, coefficient): the maximum of each, given ``linear`` and ``variance``.
    effects: Array
    #: (coefficient,), of the clusters around ``linear``.
    variance: Array


def columns(design: Design) -> Array:
    """Weights of the coefficients of :class:`Start`, one row for each of the design's."""
    parts = [np.ones((len(design.blocks[0].weights), 1))]
    for block in design.blocks:
        parts.append(block.weights @ basis(len(block.levels)) if block.levels else block.weights)
    return np.concatenate(parts, axis=1)


def find_start(
    design: Design, cell: NDArray[np.intp], printed: Array, rows: NDArray[np.intp], width: float
) -> Start:
    """Find the maximum, and the curvature there.

    ``design``: of the combinations of levels; ``cell`` (cell,): the combination of each cell;
    ``printed`` (cell,): in percent; ``rows`` (cell,).
    """
    names = observation.PARAMETERS[design.family]
    weights = columns(design)
    size = weights.shape[1]
    mean = np.clip(np.average(printed, weights=rows) / 100, 0.001, 0.999)
    first = [np.log(mean / (1 - mean)), *np.zeros(size - 1), *(free(n, FIRST[n]) for n in names)]
    center = np.array(first)
    # A weak pull towards where it starts holds what the data do not tell.
    pull = np.array([0.25, *np.ones(size - 1), *np.full(len(names), 0.25)])

    def each(at: Array) -> Array:
        # Far from the maximum a probability may be zero, which is no step to take.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return observation.printed_log_probability(
                design.family, at[0], _values(names, at[1:]), width, printed
            )

    def position(theta: Array) -> Array:
        """Linear predictor and parameters of each cell, (1 + parameter, cell)."""
        linear = (weights @ theta[:size])[cell]
        return np.vstack([linear, *(np.full(len(cell), value) for value in theta[size:])])

    def worth(theta: Array) -> float:
        gone = theta - center
        return float(rows @ each(position(theta)) - 0.5 * pull @ gone**2)

    theta, best = center, worth(center)
    for _ in range(_MOST_STEPS):
        slopes = _slopes(each, position(theta))
        gradient, information = _assembled(slopes, weights, cell, rows)
        pulled = gradient - pull * (theta - center)
        step = np.linalg.solve(information + np.diag(pull), pulled)
        if pulled @ step < _NEAR**2:
            break
        if (gained := uphill(worth, theta, step, best, 20)) is None:
            break
        theta, best = gained
    spread = np.sqrt(np.diag(np.linalg.inv(information + np.diag(pull)))[size:])
    return Start(
        theta[:size],
        gradient[:size],
        information[:size, :size],
        {name: float(value) for name, value in _values(names, theta[size:]).items()},
        dict(zip(names, map(float, spread), strict=True)),
    )


def free(name: str, value: float) -> float:
    """A parameter on the log or logit scale."""
    if name in REAL:
        return value
    return float(np.log(value) - (np.log1p(-value) if name in UNIT else 0.0))


def bound(name: str, value: Array | float) -> Array:
    """A parameter from the log or logit scale."""
    if name in REAL:
        return np.asarray(value)
    return np.asarray(observation.inverse_logit(value) if name in UNIT else np.exp(value))


def _values(names: tuple[str, ...], at: Array) -> Mapping[str, Array]:
    return {name: bound(name, value) for name, value in zip(names, at, strict=True)}


def _slopes(each: Callable[[Array], Array], at: Array) -> Array:
    """Derivatives of the log probability of every cell, (1 + parameter, cell)."""
    found = np.empty_like(at)
    for i in range(len(at)):
        above, below = at.copy(), at.copy()
        above[i] += _STEP
        below[i] -= _STEP
        found[i] = (each(above) - each(below)) / (2 * _STEP)
    return np.nan_to_num(found, posinf=0.0, neginf=0.0)


def _assembled(
    slopes: Array, weights: Array, cell: NDArray[np.intp], rows: NDArray[np.intp]
) -> tuple[Array, Array]:
    """Gradient, and the information as the sum of squared gradients of the rows."""
    count = len(weights)
    score = np.bincount(cell, rows * slopes[0], count)
    squared = [np.bincount(cell, rows * slopes[0] * s, count) for s in slopes]
    gradient = np.concatenate([weights.T @ score, slopes[1:] @ rows])
    own = weights.T @ (squared[0][:, None] * weights)
    across = weights.T @ np.column_stack([*squared[1:], np.empty((count, 0))])
    others = (slopes[1:] * rows) @ slopes[1:].T
    return gradient, np.block([[own, across], [across.T, others]])


# -- registers with clusters --------------------------------------------------------------

#: Error of an interpolated log probability that does not matter: a million rows that were all off
#: by it in the same direction would add a hundredth to the log density.
EXACT = 1e-8
#: Variances of effects between clusters: the first, and the limits.
_FIRST_VARIANCE, _LEAST, _MOST = 0.05, 1e-4, 4.0
_STEPS = 25
#: Change of spreads and parameters, on the log or logit scale, at which they count as found.
_NEAR_SPREADS = 0.01
#: Longest step of an effect, and of a parameter of the family on the log or logit scale.
_LONGEST = 1.0
#: Step of the numerical derivatives in parameters of the family.
_CLUSTER_STEP = 1e-3


@dataclass(frozen=True)
class Counted:
    """The cells of a register in arrays for :func:`observation.cells_density`."""

    weights: Array  #: (combination, coefficient), of :func:`columns`
    cluster: Array  #: (combination,), in rising order
    start: Array  #: (combination + 1,)
    place: Array  #: (cell,): position of the printed share in ``printed``
    rows: Array  #: (cell,)
    printed: Array  #: (printed value,): what is printed at all, in percent
    clusters: int

    def density(self, effects: Array, values: Array) -> tuple[float, Array, Array]:
        """See :func:`observation.cells_density`."""
        weights = self.weights.ravel()
        return cells_density(
            effects, values, weights, self.cluster, self.start, self.place, self.rows
        )


def counted(
    design: Design, cell: NDArray[np.intp], printed: Array, rows: NDArray[np.intp]
) -> Counted:
    """Arrays of the cells; arguments as of :func:`find_start`."""
    weights = columns(design)
    order = np.lexsort((printed, cell))
    values, place = np.unique(printed, return_inverse=True)
    start = np.searchsorted(cell[order], np.arange(len(weights) + 1))
    clusters = design.clusters
    return Counted(
        weights,
        np.zeros(len(weights)) if clusters is None else clusters.codes.astype(np.float64),
        start.astype(np.float64),
        place.reshape(-1)[order].astype(np.float64),
        rows[order].astype(np.float64),
        values,
        1 if clusters is None else len(clusters.labels),
    )


def enough_nodes(
    family: str, parameters: Mapping[str, float], width: float, printed: Array
) -> tuple[int, float]:
    """The number of nodes with which interpolated log probabilities are right to ``EXACT``.

    Returns the largest number if none is enough; and the error that it leaves.
    """
    for count in COUNTS:
        left = error(family, parameters, width, printed, count)
        if left < EXACT:
            break
    return count, left


def groups_of(design: Design) -> list[slice]:
    """The coefficients that have a spread between clusters in common: the level, then blocks."""
    found = [slice(0, 1)]
    for block in design.blocks:
        place, size = found[-1].stop, len(block.levels) - 1 if block.levels else 1
        found.append(slice(place, place + size))
    return found


def find_cluster_start(design: Design, data: Counted, pooled: Start, width: float) -> ClusterStart:
    """Find the maxima, the spreads, and the curvature there.

    ``pooled``: of the same rows without their clusters.
    """
    names = observation.PARAMETERS[design.family]

    def tabulated(at: Array) -> Array:
        return table(design.family, _values(names, at), width, data.printed, COUNTS[0])

    theta = np.array([free(name, pooled.parameters[name]) for name in names])
    common, groups = pooled.linear.copy(), groups_of(design)
    size = len(common)
    variance = np.full(size, _FIRST_VARIANCE)
    effects = np.tile(common, (data.clusters, 1))
    curvature = np.full(len(names), 1.0)
    for _ in range(_STEPS):
        before = np.concatenate([theta, np.log(variance)])
        values = tabulated(theta)
        for _ in range(3):
            gradient, information = _local(data, effects, values)
            precision = information + np.diag(1 / variance)
            pulled = gradient - (effects - common) / variance
            step = np.linalg.solve(precision, pulled[..., None])[..., 0]
            effects = effects + np.clip(step, -_LONGEST, _LONGEST)
        inverse = np.linalg.inv(precision)
        together, shrunk = integrated(effects, gradient, information, inverse, variance)
        # A weak prior, for what the data do not tell.
        weak = np.full(size, 0.25)
        common = np.linalg.solve(together + np.diag(weak), shrunk + weak * common)
        squares = ((effects - common) ** 2).sum(axis=0)
        known = np.maximum(
            data.clusters - inverse[:, range(size), range(size)].sum(0) / variance, 0
        )
        for group in groups:
            new = squares[group].sum() / max(known[group].sum(), 1e-3)
            variance[group] = np.clip(new, _LEAST, _MOST)
        theta, curvature = _family_step(data, effects, tabulated, theta)
        if np.abs(np.concatenate([theta, np.log(variance)]) - before).max() < _NEAR_SPREADS:
            break
    gradient, information = _local(data, effects, tabulated(theta))
    return ClusterStart(
        common,
        gradient,
        information,
        {name: float(value) for name, value in _values(names, theta).items()},
        {n: float(1 / np.sqrt(max(c, 1.0))) for n, c in zip(names, curvature, strict=True)},
        effects,
        variance,
    )


def _local(data: Counted, effects: Array, values: Array) -> tuple[Array, Array]:
    """Gradient, and expected information, of every cluster's coefficients."""
    gradient = data.density(effects, values)[1]
    linear = np.einsum("jk,jk->j", data.weights, effects[data.cluster.astype(np.intp)])
    logs, slopes = interpolated(linear, values)
    # Printed values that never occur are left out: what they would add is next to nothing.
    expected = (np.exp(logs) * slopes**2).sum(axis=1)
    rows = np.add.reduceat(data.rows, data.start[:-1].astype(np.intp))
    return gradient, _outer(data.weights, data.cluster, rows * expected, len(effects))


@numba.njit(cache=True)
def _outer(weights: Array, cluster: Array, values: Array, clusters: int) -> Array:
    """Sum over the combinations of a cluster of a value times the outer product of weights."""
    size = weights.shape[1]
    found = np.zeros((clusters, size, size))
    for j in range(len(cluster)):
        c = int(cluster[j])
        for k in range(size):
            if weights[j, k] != 0.0:
                for m in range(size):
                    found[c, k, m] += values[j] * weights[j, k] * weights[j, m]
    return found


def integrated(
    effects: Array, gradient: Array, information: Array, inverse: Array, variance: Array
) -> tuple[Array, Array]:
    """What clusters have in common, with each one's own effects integrated out.

    Precision, and this times the maximum; ``inverse``: of each cluster's information and the
    precision between clusters, added up.
    """
    pulled = np.einsum("ckl,cl->ck", information, effects) + gradient
    shrunk = np.einsum("ckl,cl->ck", inverse, pulled).sum(axis=0) / variance
    precision = len(effects) * np.diag(1 / variance)
    return precision - inverse.sum(axis=0) / np.outer(variance, variance), shrunk


def _family_step(
    data: Counted, effects: Array, tabulated: Callable[[Array], Array], theta: Array
) -> tuple[Array, Array]:
    """A Newton step of each parameter of the family by itself, and its curvature."""

    def worth(at: Array) -> float:
        return data.density(effects, tabulated(at))[0]

    new, curvature = theta.copy(), np.ones(len(theta))
    for i in range(len(theta)):
        off = np.eye(len(theta))[i] * _CLUSTER_STEP * 10
        above, here, below = worth(new + off), worth(new), worth(new - off)
        slope = (above - below) / (20 * _CLUSTER_STEP)
        curvature[i] = max(-(above - 2 * here + below) / (10 * _CLUSTER_STEP) ** 2, 1.0)
        new[i] += np.clip(slope / curvature[i], -_LONGEST, _LONGEST)
    return new, curvature
