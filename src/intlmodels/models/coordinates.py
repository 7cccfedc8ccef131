"""Coordinates around a normal approximation, in which a posterior has about one width everywhere.

Of coefficients t let the likelihood have its maximum at r, with gradient g and information J there
(a weak pull may hold it back, so that g is not zero), and let the prior have precisions p around c.
Then the posterior is about normal, and t is drawn as ::

    t = r + P^-1 (g - p (r - c)) + L^-T raw,   P = J + diag(p) = L L'

with raw as coordinates. It is exact: the logarithm of the Jacobian is part of the density that is
sampled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError

Array = NDArray[np.float64]

#: The vector of all coordinates in a PyMC model.
RAW = "raw"


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


def algebra() -> Algebra:
    """PyTensor's functions for coordinates."""
    import pytensor.tensor as pt
    from pytensor.tensor.linalg import cholesky, solve_triangular

    return Algebra(
        pt.log,
        lambda parts: pt.concatenate(parts, axis=-1),
        lambda matrix: cholesky(matrix, lower=True),
        lambda factor, vector, transposed: solve_triangular(
            factor.T if transposed else factor, vector, lower=not transposed, b_ndim=1
        ),
    )


def basis(levels: int) -> Array:
    """Orthonormal differences between levels, (level, level - 1): all that is not their mean."""
    from scipy.linalg import helmert

    return np.ascontiguousarray(helmert(levels).T)


def whitened(
    raw: Any,
    at: Array,
    gradient: Array,
    information: Array,
    precision: Any,
    centre: Any,
    by: Algebra,
) -> tuple[Any, Any]:
    """The coefficients t at a point, and the logarithm of their Jacobian; arguments as above."""
    eye = np.eye(len(centre))
    factor = by.cholesky(information + precision[..., None] * eye)
    pulled = gradient - precision * (at - centre)
    off = by.solve(factor, by.solve(factor, pulled, False) + raw, True)
    return at + off, -by.log((factor * eye).sum(-1)).sum(-1)


def uphill(
    worth: Callable[[Array], float], theta: Array, step: Array, best: float, halvings: int
) -> tuple[Array, float] | None:
    """Where a step leads that is halved until it gains, and what it is worth; None if nowhere."""
    for halved in range(halvings + 1):
        to = theta + 0.5**halved * step
        if (new := worth(to)) > best:
            return to, new
    return None


def require_whole_line(transforms: dict[str, Any], names: list[str]) -> None:
    """Refuse a prior that is not one over all numbers: its parameter, transformed, has no place."""
    for name in names:
        if transforms.get(name) is not None:
            raise StudyError(
                f"the prior of '{name}' has to be one over all numbers in a register, such as "
                "Normal or StudentT",
                value=name,
            )
