"""Other coordinates for the posterior of a register, in which it has about one width everywhere.

The model is that of :mod:`intlmodels.models.share`; only the names of its points change. Of a
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

from intlmodels.errors import StudyError
from intlmodels.models.shareblocks import Design
from intlmodels.register.start import Start, basis

Array = NDArray[np.float64]
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
