"""Expected shares of firms, averaged over all of them and over those of each cluster.

Firms are taken cluster by cluster, each with the level and the effects of its own, so that
nothing of the size of draws by clusters by firms is held.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from intlmodels.share.coefficients import FINE, Array, Coefficients

#: Probabilities (draws by profiles by printed values) up to which every draw is used; beyond,
#: evenly spaced draws.
MOST_PROBABILITIES = 100_000_000
#: Draws that are kept of a register or of clusters, however many probabilities that takes.
FEWEST_DRAWS = 1000


@dataclass(frozen=True)
class Averages:
    """Averages of expected printed shares under several changes.

    Attributes
    ----------
    firm : array, shape (draw, firm)
        Of each firm under the first change; of a register without firms.
    shares : array, shape (draw, change)
        Over all firms.
    by_cluster : array, shape (draw, cluster, change)
        Over the firms of each cluster; of a study without clusters all firms are one.
    reached : array or None, shape (draw, change, level)
        Of an ordered outcome: see :meth:`Coefficients.reached`.
    """

    firm: Array
    shares: Array
    by_cluster: Array
    reached: Array | None


def averages(coefficients: Coefficients, changes: Array) -> Averages:
    """Average expected printed share under each of several changes, draw by draw.

    Parameters
    ----------
    coefficients : Coefficients
    changes : array, shape (change, coefficient)
        Weights to use instead of the observed ones; NaN leaves them as observed.
    """
    count, size = len(coefficients.intercept), len(coefficients.design)
    firm_share = np.empty((count, size if coefficients.rows is None else 0))
    parts, levels = [], []
    weights: list[float] = []
    for cluster, firms in coefficients.groups():
        rows, firm, profile = coefficients.profiles(changes, firms)
        linear = coefficients.linear(rows, firm, cluster)
        expected = coefficients.expected(linear)
        if coefficients.rows is None:
            firm_share[:, firms] = expected[:, profile[0]]
        parts.append(
            np.stack([coefficients.mean(expected[:, row], firms) for row in profile], axis=-1)
        )
        if coefficients.family == "ordered":
            each = coefficients.reached(linear)
            levels.append(np.stack([each[:, row].mean(axis=1) for row in profile], axis=1))
        weights.append(float(_rows(coefficients)[firms].sum()))
    return Averages(
        firm_share,
        _together(parts, weights),
        np.stack(parts, axis=1),
        _together(levels, weights) if levels else None,
    )


def moved(coefficients: Coefficients) -> tuple[Array, Array | None]:
    """Average expected share if all firms were in one cluster, whatever else they are.

    Returns
    -------
    shares : array, shape (draw, cluster)
    reached : array or None, shape (draw, cluster, level)
    """
    assert coefficients.clusters is not None
    as_observed = np.full((1, coefficients.design.shape[1]), np.nan)
    rows, firm, profile = coefficients.profiles(as_observed)
    shares, reached = [], []
    for cluster in range(len(coefficients.clusters.labels)):
        linear = coefficients.linear(rows, firm, cluster)
        shares.append(coefficients.mean(coefficients.expected(linear)[:, profile[0]]))
        if coefficients.family == "ordered":
            reached.append(coefficients.reached(linear)[:, profile[0]].mean(axis=1))
    return np.stack(shares, axis=-1), np.stack(reached, axis=1) if reached else None


def step_for(coefficients: Coefficients, changes: Array, moves: int = 0) -> int:
    """How many draws to go on at a time, so that the work stays within bounds.

    Parameters
    ----------
    coefficients : Coefficients
    changes : array, shape (change, coefficient)
        For :func:`averages`.
    moves : int
        Clusters for :func:`moved`.
    """
    values = 1 if coefficients.width <= FINE else len(coefficients.grid)
    rows = sum(len(coefficients.profiles(changes, firms)[0]) for _, firms in coefficients.groups())
    rows += moves * len(coefficients.design)
    count = len(coefficients.intercept)
    step = max(1, math.ceil(count * rows * values / MOST_PROBABILITIES))
    if coefficients.rows is None and coefficients.clusters is None:
        return step
    # Many profiles: still enough draws for the gate.
    return min(step, max(1, count // FEWEST_DRAWS))


def _rows(coefficients: Coefficients) -> Array:
    """How many each firm stands for."""
    if coefficients.rows is None:
        return np.ones(len(coefficients.design))
    return np.asarray(coefficients.rows, dtype=np.float64)


def _together(parts: list[Array], weights: list[float]) -> Array:
    """Averages of clusters, averaged as the firms are distributed over them."""
    if len(parts) == 1:
        return parts[0]
    total = np.zeros_like(parts[0])
    for part, weight in zip(parts, weights, strict=True):
        total += weight / sum(weights) * part
    return total
