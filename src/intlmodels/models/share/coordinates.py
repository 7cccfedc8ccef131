"""Other coordinates for the posterior of a register, in which it has about one width everywhere.

The model is that of :mod:`intlmodels.models.share.model`; only the names of its points change. Of a
category with effects e ~ Normal(0, sigma), which the model draws as sigma times z::

    e = m + Q d,   m = sigma zeta / sqrt(K),   d | sigma ~ Normal(0, sigma)

with Q an orthonormal basis of the differences between K levels: zeta and d are independent, and m
and d together are normal with the same law as e. What the rows tell is d, and the level b =
intercept + sum of m; m itself they cannot tell from the intercept. Let t be b, the slopes and the
differences d of all categories. Given the spreads sigma, and with a normal approximation of the
likelihood (maximum r, gradient g, information J), the posterior of t is about normal::

    t = r + P^-1 (g - p (r - c)) + L^-T raw,   P = J + diag(p) = L L'

with p the precisions of the priors, 1 / sigma^2 for d, and c their centres. Drawn like that, with
raw as coordinates, neither a narrow nor a wide likelihood makes a funnel, and predictors that go
together (a town lies in one region) make no ridge. This is the usual partial centring
(Papaspiliopoulos, Roberts and Skold 2007, Statistical Science 22, 59-73) for all coefficients
together. All of it is exact: the logarithm of the Jacobian is part of the density that is sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError
from intlmodels.models.share import observation
from intlmodels.models.share.blocks import Design

Array = NDArray[np.float64]

#: First values of the parameters of the families.
_FIRST = {"phi": 10.0, "sigma": 1.0, "never": 0.05, "heaping": 0.5}
#: Those between 0 and 1; the others are above 0.
UNIT = frozenset({"never", "heaping"})
#: Step of the numerical derivatives, on the logit and log scale.
_STEP = 1e-4
#: Distance from the maximum, in standard deviations, at which it counts as found.
_NEAR = 0.01
_MOST_STEPS = 100


@dataclass(frozen=True)
class Start:
    """A normal approximation of the likelihood.

    Attributes
    ----------
    linear : array, shape (coefficient,)
        The average level, then for each block the slope, or the differences between its levels in
        :func:`basis`.
    gradient : array, shape (coefficient,)
        Of the log likelihood there: what the weak pull holds back.
    information : array, shape (coefficient, coefficient)
        Minus its curvature; singular where the rows do not tell.
    parameters : dict of str to float
        Parameters of the family.
    spread : dict of str to float
        Standard deviations of these, on the log or logit scale.
    """

    linear: Array
    gradient: Array
    information: Array
    parameters: dict[str, float]
    spread: dict[str, float]


def basis(levels: int) -> Array:
    """Orthonormal differences between levels, (level, level - 1): all that is not their mean."""
    from scipy.linalg import helmert

    return np.ascontiguousarray(helmert(levels).T)


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

    Parameters
    ----------
    design : Design
        Of the combinations of levels.
    cell : array of int, shape (cell,)
        The combination of each cell.
    printed : array, shape (cell,)
        In percent.
    rows : array of int, shape (cell,)
    width : float
    """
    names = observation.PARAMETERS[design.family]
    weights = columns(design)
    size = weights.shape[1]
    mean = np.clip(np.average(printed, weights=rows) / 100, 0.001, 0.999)
    first = [np.log(mean / (1 - mean)), *np.zeros(size - 1), *(free(n, _FIRST[n]) for n in names)]
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
        uphill = gradient - pull * (theta - center)
        step = np.linalg.solve(information + np.diag(pull), uphill)
        if uphill @ step < _NEAR**2:
            break
        length, new = 1.0, worth(theta + step)
        while not new > best and length > 1e-6:
            length /= 2
            new = worth(theta + length * step)
        if not new > best:
            break
        theta, best = theta + length * step, new
    spread = np.sqrt(np.diag(np.linalg.inv(information + np.diag(pull)))[size:])
    return Start(
        theta[:size],
        gradient[:size],
        information[:size, :size],
        {name: float(bound(name, v)) for name, v in zip(names, theta[size:], strict=True)},
        dict(zip(names, map(float, spread), strict=True)),
    )


def free(name: str, value: float) -> float:
    """A parameter on the log or logit scale."""
    return float(np.log(value) - (np.log1p(-value) if name in UNIT else 0.0))


def bound(name: str, value: Array | float) -> Array:
    """A parameter from the log or logit scale."""
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


# -- other coordinates for the posterior of a register ---------------------------------

#: Takes parameters by name from one scale to another.
Scales = Mapping[str, Callable[[Any], Any]]

#: Smallest and largest first value of the spread of effects.
_SPREADS = (0.01, 1.0)
#: Precision of the priors of level and slopes, about; a weak one serves the level.
_LEVEL, _SLOPE = 1.0, 4.0
#: Coefficients that a register can have: beyond, the algebra of each step takes too long.
MOST_COEFFICIENTS = 1000
#: Numbers in the matrices of the draws that are taken from their coordinates at a time.
CHUNK = 20_000_000


@dataclass(frozen=True)
class Algebra:
    """Functions that numpy and PyTensor have under different names.

    ``solve(factor, vector, transposed)`` solves with a lower triangular factor or its transpose.
    """

    log: Callable[[Any], Any]
    concatenate: Callable[[list[Any]], Any]
    cholesky: Callable[[Any], Any]
    solve: Callable[[Any, Any, bool], Any]


def _solve(factor: Array, vector: Array, transposed: bool) -> Array:
    matrix = np.swapaxes(factor, -1, -2) if transposed else factor
    return np.linalg.solve(matrix, np.broadcast_to(vector, factor.shape[:-1])[..., None])[..., 0]


NUMPY = Algebra(np.log, lambda parts: np.concatenate(parts, -1), np.linalg.cholesky, _solve)


@dataclass(frozen=True)
class Scalar:
    """A parameter on the whole line, ``at + width * coordinate``."""

    at: float
    width: float


@dataclass(frozen=True)
class Coordinates:
    """Where each coordinate is in one vector, and what it stands for.

    Attributes
    ----------
    start : Start
    names : tuple of str
        The intercept, then the blocks in their order.
    levels : dict of str to int
        Number of levels of each category.
    scalars : dict of str to Scalar
        Spreads of effects, then parameters of the family.
    """

    start: Start
    names: tuple[str, ...]
    levels: dict[str, int]
    scalars: dict[str, Scalar]

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return len(self.scalars) + len(self.levels) + len(self.start.linear)

    def values(self, raw: Any, back: Scales, by: Algebra) -> tuple[dict[str, Any], Any]:
        """Parameters at a point, or at many.

        Parameters
        ----------
        raw : array or PyTensor vector, shape (..., coordinate)
        back : mapping of str to callable
            Takes each of :attr:`scalars` from the whole line to its own scale.
        by : Algebra

        Returns
        -------
        dict of str to array
            Intercept, slopes and effects on their own scale; scalars on the whole line.
        array
            Logarithm of the Jacobian, up to a constant.
        """
        found: dict[str, Any] = {}
        place = 0
        for name, scalar in self.scalars.items():
            found[name] = scalar.at + scalar.width * raw[..., place]
            place += 1
        sigmas = {name: back[f"sigma_{name}"](found[f"sigma_{name}"]) for name in self.levels}
        means = {}
        for name, count in self.levels.items():
            means[name] = sigmas[name] * raw[..., place] / np.sqrt(count)
            place += 1
        linear, jacobian = self._linear(raw[..., place:], sigmas, by)
        place = 0
        for name in self.names:
            if name not in self.levels:
                found[name] = linear[..., place]
                place += 1
                continue
            count = self.levels[name]
            own = linear[..., place : place + count - 1] @ basis(count).T
            found[name] = means[name][..., None] + own
            found[self.names[0]] = found[self.names[0]] - means[name]
            place += count - 1
            # Of z = effects / sigma, of which the model has the density.
            jacobian = jacobian - (count - 1) * by.log(sigmas[name])
        return found, jacobian

    def _linear(self, raw: Any, sigmas: Mapping[str, Any], by: Algebra) -> tuple[Any, Any]:
        """Level, slopes and differences, with the logarithm of their Jacobian."""
        start = self.start
        like = 0.0 * raw[..., :1]
        precisions, centres = [], np.zeros(len(start.linear))
        centres[0] = start.linear[0]
        for i, name in enumerate(self.names):
            if name in self.levels:
                square = (sigmas[name] * sigmas[name])[..., None]
                precisions.append(np.ones(self.levels[name] - 1) / square)
            else:
                precisions.append(like + (_SLOPE if i else _LEVEL))
        precision = by.concatenate(precisions)
        eye = np.eye(len(start.linear))
        factor = by.cholesky(start.information + precision[..., None] * eye)
        pulled = start.gradient - precision * (start.linear - centres)
        off = by.solve(factor, by.solve(factor, pulled, False) + raw, True)
        return start.linear + off, -by.log((factor * eye).sum(-1)).sum(-1)

    def draws(self, raw: Array, back: Scales) -> dict[str, Array]:
        """Parameters of many points, each on its own scale, (..., coordinate) to (...)."""
        flat = raw.reshape(-1, self.size)
        parts, many = [], max(1, CHUNK // len(self.start.linear) ** 2)
        for i in range(0, len(flat), many):
            found, _ = self.values(flat[i : i + many], back, NUMPY)
            parts.append(found | {name: back[name](found[name]) for name in self.scalars})
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return {n: v.reshape(*raw.shape[:-1], *v.shape[1:]) for n, v in joined.items()}


def coordinates(design: Design, start: Start, onto: Scales) -> Coordinates:
    """Coordinates around a normal approximation.

    Parameters
    ----------
    design : Design
    start : Start
    onto : mapping of str to callable
        Takes spreads and parameters of the family from their own scale to the whole line.

    Raises
    ------
    StudyError
        If the predictors have too many levels.
    """
    if len(start.linear) > MOST_COEFFICIENTS:
        raise StudyError(
            f"the predictors have {len(start.linear):,} levels in all; expected at most "
            f"{MOST_COEFFICIENTS:,} in a register: put some together",
            file="study.toml",
        )
    levels, scalars, place = {}, {}, 1
    for block in design.blocks:
        size = len(block.levels) - 1 if block.levels else 1
        if block.levels:
            levels[block.name] = len(block.levels)
            at = start.linear[place : place + size]
            spread = float(np.clip(np.sqrt(np.mean(at**2)), *_SPREADS))
            name = f"sigma_{block.name}"
            scalars[name] = Scalar(float(onto[name](spread)), 1 / np.sqrt(2 * size))
        place += size
    for name, value in start.parameters.items():
        scalars[name] = Scalar(float(onto[name](value)), start.spread[name])
    names = (design.intercept, *(block.name for block in design.blocks))
    return Coordinates(start, names, levels, scalars)
