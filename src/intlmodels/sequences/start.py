"""Where the posterior of a register of decisions is, and how wide.

Its coordinates are one vector: the log odds at the first decision (of other firms, averaged over
periods), what large firms add, the logarithm of the firms' spread, the decay averaged over sizes,
and where there are any, the differences of the decay between sizes and of the periods, in an
orthonormal basis. The maximum is found by Newton's method with numerical derivatives, and serves
only to write the posterior in coordinates in which it has about one width everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.errors import StudyError
from intlmodels.models.decaydesign import Design
from intlmodels.sequences.likelihood import (
    NUMPY,
    Algebra,
    Class,
    Counts,
    classes,
    integrands,
    log_likelihood,
)

Array = NDArray[np.float64]

#: Precisions of a weak pull towards zero: level, large, log spread, decay, differences.
_PULLS = (0.25, 1.0, 1.0, 4.0, 1.0)
#: Steps of the numerical derivatives.
_STEP = 1e-3
#: Distance from the maximum, in standard deviations, at which it counts as found.
_NEAR = 0.02
_MOST_STEPS = 60
#: Spreads of the firms between which the integrands are looked at.
_SPREADS = (0.02, 0.1, 0.3, 1.0, 3.0, 10.0)
#: Numbers that one evaluation of the likelihood may compute.
MOST_WORK = 5_000_000
#: Largest spread of the firms, in log odds, that nodes are made for.
LARGEST = 30.0


@dataclass(frozen=True)
class Layout:
    """Where each part stands in the vector of coordinates."""

    names: tuple[str, ...]
    sizes: int
    periods: int

    def at(self, name: str) -> int:
        """Position of a scalar, or the first of several differences."""
        return self.names.index(name)

    @property
    def grouped(self) -> NDArray[np.bool_]:
        """Which coordinates are differences, whose priors have a spread of their own."""
        return np.array([name in ("between", "time") for name in self.names])


def layout(design: Design) -> Layout:
    """The coordinates of a design."""
    names = ["level", *["large"] * design.two_sizes, "spread", "decay"]
    names += ["between"] * (0 if design.common else len(design.sizes) - 1)
    names += ["time"] * (len(design.periods) - 1 if design.by_period else 0)
    return Layout(tuple(names), len(design.sizes), len(design.periods))


def basis(levels: int) -> Array:
    """Orthonormal differences between levels, (level, level - 1)."""
    from scipy.linalg import helmert

    return np.ascontiguousarray(helmert(levels).T)


def natural(theta: Any, design: Design, by: Algebra) -> dict[str, Any]:
    """The parameters of :func:`intlmodels.sequences.likelihood.log_likelihood` at a point."""
    where = layout(design)
    ones = np.ones(where.sizes)
    level = theta[where.at("level")] * ones
    if design.two_sizes:
        level = level + theta[where.at("large")] * np.array([1.0, 0.0])
    decay = theta[where.at("decay")] * ones
    if not design.common:
        decay = decay + _spread_out(theta, where, "between", where.sizes)
    period = None
    if design.by_period:
        period = _spread_out(theta, where, "time", where.periods)
    return {
        "level": level,
        "decay": decay,
        "sigma": by.exp(theta[where.at("spread")]),
        "period": period,
    }


def _spread_out(theta: Any, where: Layout, name: str, levels: int) -> Any:
    own = theta[where.at(name) : where.at(name) + levels - 1]
    return (basis(levels) * own[None, :]).sum(axis=1)


@dataclass(frozen=True)
class Start:
    """A normal approximation of the likelihood and of the priors of what is no difference.

    Attributes
    ----------
    at : array, shape (coordinate,)
    gradient : array, shape (coordinate,)
    information : array, shape (coordinate, coordinate)
        Minus the curvature; positive definite.
    modes : array, shape (2,)
        Between these the integrands have their modes, whatever the spread.
    spread : float
        Largest spread of the firms that is to be expected.
    """

    at: Array
    gradient: Array
    information: Array
    modes: Array
    spread: float


def find_start(counts: Counts, design: Design) -> Start:
    """Find the maximum, and the curvature there."""
    where = layout(design)
    kinds = ("level", "large", "spread", "decay")
    pull = np.array([_PULLS[kinds.index(n) if n in kinds else 4] for n in where.names])
    theta = np.zeros(len(pull))
    parts = _rough(counts, theta, design)

    def worth(theta: Array) -> float:
        values = natural(theta, design, NUMPY)
        found = float(log_likelihood(counts, parts, design, values, NUMPY))
        return found - 0.5 * float(pull @ theta**2)

    for _ in range(_MOST_STEPS):
        parts = _rough(counts, theta, design)
        gradient, curvature = derivatives(worth, theta)
        information = definite(-curvature)
        move = np.linalg.solve(information, gradient)
        if gradient @ move < _NEAR**2:
            break
        move *= min(1.0, 1.0 / np.abs(move).max())
        best, length = worth(theta), 1.0
        while not worth(theta + length * move) > best and length > 1e-6:
            length /= 2
        if length <= 1e-6:
            break
        theta = theta + length * move
    own = where.grouped
    information = definite(-curvature - np.diag(np.where(own, pull, 0.0)))
    gradient = gradient + np.where(own, pull * theta, 0.0)
    place = where.at("spread")
    error = float(np.sqrt(np.linalg.inv(information + np.diag(own * 1.0))[place, place]))
    spread = float(np.exp(theta[place] + 5 * min(error, 0.4)))
    return Start(theta, gradient, information, _modes(counts, theta, design), spread)


def _rough(counts: Counts, theta: Array, design: Design) -> tuple[Class, ...]:
    """Nodes that serve near a point."""
    spread = float(np.exp(theta[layout(design).at("spread")]))
    return require_able(classes(counts, 1.5 * spread, _modes(counts, theta, design)))


def require_able(parts: tuple[Class, ...]) -> tuple[Class, ...]:
    """Nodes, unless they are too many.

    Raises
    ------
    StudyError
        If an evaluation of the likelihood would take too long.
    """
    work = sum(len(part.nodes) * (len(part.cells) + 2 * part.longest) for part in parts)
    if work > MOST_WORK:
        longest = max(part.longest for part in parts)
        cells = sum(len(part.cells) for part in parts)
        raise StudyError(
            f"the sequences are too long or too varied for a fit: {cells:,} kinds of firms, up to "
            f"{longest:,} decisions of one firm; expected shorter ones: leave firms with very many "
            "decisions out of the files, or begin later",
            value=f"{longest:,}",
        )
    return parts


def _modes(counts: Counts, theta: Array, design: Design) -> Array:
    """Smallest and largest mode of the integrands, over all cells and spreads."""
    values = natural(theta, design, NUMPY)
    nodes = np.linspace(-40.0, 40.0, 161)
    found = [0.0]
    for part in classes(counts, 1.0, np.zeros(2)):
        coarse = Class(nodes, part.cells, part.longest)
        for spread in {*_SPREADS, float(values["sigma"])}:
            inside = integrands(counts, coarse, design, {**values, "sigma": spread}, NUMPY)
            found += [*nodes[inside.argmax(axis=1)]]
    return np.array([min(found), max(found)])


def derivatives(of: Callable[[Array], float], at: Array) -> tuple[Array, Array]:
    """Gradient and curvature, by central differences."""
    size = len(at)
    steps = _STEP * np.eye(size)
    middle = of(at)
    above, below = (np.array([of(at + sign * e) for e in steps]) for sign in (1, -1))
    gradient = (above - below) / (2 * _STEP)
    curvature = np.diag((above - 2 * middle + below) / _STEP**2)
    for i in range(size):
        for j in range(i):
            both = of(at + steps[i] + steps[j]) + of(at - steps[i] - steps[j])
            mixed = (both - above[i] - below[i] - above[j] - below[j] + 2 * middle) / 2
            curvature[i, j] = curvature[j, i] = mixed / _STEP**2
    return gradient, curvature


def definite(matrix: Array) -> Array:
    """A symmetric matrix with its eigenvalues made positive."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    values = np.maximum(np.abs(values), 1e-3)
    return np.asarray((vectors * values) @ vectors.T)
