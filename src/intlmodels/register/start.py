"""Where the posterior of a register is, and how wide: the start of its sampling.

With very many rows the posterior is very narrow in what the data tell, and as wide as the prior
in what they do not (the level that all effects of a category have in common). A sampler that
starts anywhere and takes all directions alike would need thousands of steps for a draw. Here the
maximum of the likelihood, with a weak pull towards zero, is found by Fisher's scoring, from the
counts of cells; nothing of it enters the posterior, which is only written in other coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intlmodels.models.shareblocks import Design
from intlmodels.share import observation

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
