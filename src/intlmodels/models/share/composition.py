"""A share and a second part of the same whole, both reported as intervals: where to integrate.

Of a share s that is reported as an interval, and a second part that is reported as another, the
second part in proportion to what the share leaves lies between ``lower / (1 - s)`` and
``upper / (1 - s)``. Its probability is averaged over the interval of s by Gauss-Legendre nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intlmodels.studies import Composition, Outcome

Array = NDArray[np.float64]

#: Nodes on each piece of an interval: what is averaged is smooth, and the interval short.
NODES = 8


@dataclass(frozen=True)
class CompositionNodes:
    """Nodes of the share of each row, all (row, node)."""

    log_weights: Array
    #: Logarithms of the share and of what it leaves.
    log_share: Array
    log_rest: Array
    #: Ends of the second part in proportion to what the share leaves, from 0 to 1.
    lower: Array
    upper: Array
    #: 0, or minus infinity where the share leaves too little for the second part.
    log_possible: Array


def composition_nodes(outcome: Outcome, part: Composition) -> CompositionNodes:
    """Nodes on the interval of each share, cut where the second part meets what the share leaves.

    Beyond ``1 - upper`` the second part is bounded by what the share leaves, beyond ``1 - lower``
    there is no room for it; between these the integrand is smooth.
    """
    pieces = [
        _pieces(*ends)
        for ends in zip(outcome.lower, outcome.upper, 1 - part.upper, 1 - part.lower, strict=True)
    ]
    most = max(len(own) - 1 for own in pieces)
    edges = np.array([_cut(own, most) for own in pieces])
    at, weights = np.round(np.polynomial.legendre.leggauss(NODES), 15)
    width, start = np.diff(edges)[:, :, None], edges[:, :-1, None]
    at, weights = (at + 1) / 2, weights / 2
    # From zero on the density may have a pole: there nodes are spaced by cubes.
    zero = start == 0
    share = (start + width * np.where(zero, at**3, at)).reshape(len(edges), -1)
    step = width * weights * np.where(zero, 3 * at**2, 1.0)
    log_weights = np.log(step).reshape(len(edges), -1)
    lower, upper = part.lower[:, None] / (1 - share), part.upper[:, None] / (1 - share)
    possible = lower < 1
    # Rounded, since the last digits of logarithms in numpy, and of nodes, hang on the processor.
    return CompositionNodes(
        np.round(log_weights, 12),
        np.round(np.log(share), 12),
        np.round(np.log1p(-share), 12),
        np.where(possible, lower, 0.0),
        np.where(possible, np.minimum(upper, 1.0), 1.0),
        np.where(possible, 0.0, -np.inf),
    )


def _pieces(lower: float, upper: float, *cuts: float) -> list[float]:
    """Ends of the pieces of an interval, cut at what lies within it."""
    inner = [cut for cut in cuts if lower + 1e-12 < cut < upper - 1e-12]
    return sorted({lower, *inner, upper})


def _cut(edges: list[float], pieces: int) -> list[float]:
    """Cut the widest piece in two until there are so many."""
    while len(edges) <= pieces:
        k = int(np.argmax(np.diff(edges)))
        edges = [*edges[: k + 1], (edges[k] + edges[k + 1]) / 2, *edges[k + 1 :]]
    return edges
