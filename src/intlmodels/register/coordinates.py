"""Other coordinates for the posterior of a register, in which it has about one width everywhere.

The model is that of :mod:`intlmodels.models.share`; only the names of its points change. Of a
category with effects e ~ Normal(0, sigma), which the model draws as sigma times z::

    e = m + Q d,   m = sigma zeta / sqrt(K),   d | sigma ~ Normal(0, sigma)

with Q an orthonormal basis of the differences between K levels: zeta and d are independent, and m
and d together are normal with the same law as e. What the rows tell is d, and the level b =
intercept + sum of m; m itself they cannot tell from the intercept. Given sigma and a normal
approximation of what the rows tell of d, in axes along which that has independent variances v
around r, the posterior of d has mean r sigma^2 / (sigma^2 + v) and variance
v sigma^2 / (sigma^2 + v): d is drawn as that mean plus that deviation times a coordinate, so that
neither a narrow nor a wide likelihood makes a funnel (of the two ends of this see
Papaspiliopoulos, Roberts and Skold 2007, Statistical Science 22, 59-73). The level and the slopes
are whitened by the same approximation, given d. All of it is exact: the logarithm of the Jacobian
is part of the density that is sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.models.shareblocks import Design
from intlmodels.register.start import Start, basis

Array = NDArray[np.float64]

#: Smallest and largest first value of the spread of effects.
_SPREADS = (0.01, 1.0)


@dataclass(frozen=True)
class Axes:
    """Differences between the levels of a category, along axes of independent likelihoods.

    Attributes
    ----------
    turn : array, shape (level, level - 1)
        Effects of levels by axis, orthonormal.
    at, variance : array, shape (level - 1,)
        Where the rows put the differences, and how sure they are.
    """

    turn: Array
    at: Array
    variance: Array


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
    singles : tuple of str
        The intercept and the slopes.
    center : array, shape (single,)
    root : array, shape (single, single)
        Square root of their covariance, given the differences.
    follow : array, shape (single, difference)
        How they go with the differences.
    axes : dict of str to Axes
        By category.
    scalars : dict of str to Scalar
        Spreads of effects, then parameters of the family.
    """

    singles: tuple[str, ...]
    center: Array
    root: Array
    follow: Array
    axes: dict[str, Axes]
    scalars: dict[str, Scalar]

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return (
            len(self.singles)
            + len(self.scalars)
            + sum(axes.turn.shape[0] for axes in self.axes.values())
        )

    def values(
        self, raw: Any, back: Mapping[str, Callable[[Any], Any]], by: ModuleType
    ) -> tuple[dict[str, Any], Any]:
        """Parameters at a point, or at many.

        Parameters
        ----------
        raw : array or PyTensor vector, shape (..., coordinate)
        back : mapping of str to callable
            Takes each of :attr:`scalars` from the whole line to its own scale.
        by : module
            numpy, or what computes with the same names.

        Returns
        -------
        dict of str to array
            Singles and effects on their own scale; scalars on the whole line.
        array
            Logarithm of the Jacobian, up to a constant.
        """
        found: dict[str, Any] = {}
        start = len(self.singles)
        for name, scalar in self.scalars.items():
            found[name] = scalar.at + scalar.width * raw[..., start]
            start += 1
        jacobian: Any = 0.0
        middle: Any = 0.0
        off = []
        for name, axes in self.axes.items():
            count = axes.turn.shape[0]
            sigma = back[f"sigma_{name}"](found[f"sigma_{name}"])
            mean = sigma * raw[..., start] / np.sqrt(count)
            own = raw[..., start + 1 : start + count]
            start += count
            square = (sigma * sigma)[..., None]
            part = square / (square + axes.variance)
            width = by.sqrt(part * axes.variance)
            gone = part * axes.at + width * own
            found[name] = mean[..., None] + gone @ axes.turn.T
            # Of z = effects / sigma, of which the model has the density.
            jacobian = jacobian + (by.log(width) - by.log(sigma)[..., None]).sum(-1)
            middle = middle + mean
            off.append(gone - axes.at)
        singles = self.center + raw[..., : len(self.singles)] @ self.root.T
        if off:
            singles = singles + by.concatenate(off, -1) @ self.follow.T
        for i, name in enumerate(self.singles):
            found[name] = singles[..., i] - (middle if i == 0 else 0.0)
        return found, jacobian


def coordinates(
    design: Design, start: Start, onto: Mapping[str, Callable[[float], float]]
) -> Coordinates:
    """Coordinates around a normal approximation.

    Parameters
    ----------
    design : Design
    start : Start
    onto : mapping of str to callable
        Takes spreads and parameters of the family from their own scale to the whole line.
    """
    singles, differences = [0], {}
    names, position = [design.intercept], 1
    for block in design.blocks:
        size = len(block.levels) - 1 if block.levels else 1
        if block.levels:
            differences[block.name] = list(range(position, position + size))
        else:
            singles.append(position)
            names.append(block.name)
        position += size
    axes, scalars, turned = {}, {}, []
    for name, places in differences.items():
        variance, turn = np.linalg.eigh(start.covariance[np.ix_(places, places)])
        at = turn.T @ start.linear[places]
        axes[name] = Axes(basis(len(places) + 1) @ turn, at, variance)
        spread = float(np.clip(np.sqrt(np.mean(at**2)), *_SPREADS))
        width = 1 / np.sqrt(2 * len(places))
        scalars[f"sigma_{name}"] = Scalar(onto[f"sigma_{name}"](spread), float(width))
        turned.append(turn)
    for name, value in start.parameters.items():
        scalars[name] = Scalar(onto[name](value), start.spread[name])
    every = [place for places in differences.values() for place in places]
    follow = np.zeros((len(singles), 0))
    rest = start.covariance[np.ix_(singles, singles)]
    if every:
        from scipy.linalg import block_diag

        across = start.covariance[np.ix_(singles, every)]
        own = start.covariance[np.ix_(every, every)]
        regression = np.linalg.solve(own, across.T).T
        rest = rest - regression @ across.T
        follow = regression @ block_diag(*turned)
    return Coordinates(
        tuple(names), start.linear[singles], np.linalg.cholesky(rest), follow, axes, scalars
    )
