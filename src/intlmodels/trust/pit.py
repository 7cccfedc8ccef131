"""Whether outcomes are spread over their predictive laws as these say, where the laws are discrete.

The probability integral transform (PIT) of outcomes that are predicted rightly is uniform; of
discrete outcomes its conditional distribution takes its place (Czado, Gneiting and Held 2009,
Biometrics 65(4), 1254-1261).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intlmodels.trust.leaveout import SEED

Array = NDArray[np.float64]
Places = NDArray[np.int64]


def pit_cdf(below: ArrayLike, at: ArrayLike, grid: ArrayLike) -> Array:
    """Mean distribution function of the nonrandomized PIT of discrete outcomes.

    Of one unit, the function rises in a straight line from 0 at Pr(Y < y) to 1 at Pr(Y <= y); if
    the predictive laws are right, its mean over units is expected to be the diagonal (Czado,
    Gneiting and Held 2009, Biometrics 65(4)).

    Parameters
    ----------
    below, at : array, shape (unit,)
        Predictive probabilities of less than, and of exactly, what was observed. Where ``at`` is
        0 the function jumps.
    grid : array, shape (grid,)
        Where to evaluate it, from 0 to 1.

    Returns
    -------
    array, shape (grid,)

    Raises
    ------
    ValueError
        If there is no unit, or probabilities are impossible.
    """
    start, width = _pit_interval(below, at)
    over = np.asarray(grid, dtype=np.float64)[:, None] - start
    rising = np.clip(over / np.where(width > 0, width, 1.0), 0.0, 1.0)
    return np.asarray(np.where(width > 0, rising, over >= 0).mean(axis=1))


def pit_histogram(below: ArrayLike, at: ArrayLike, bins: int = 5) -> Array:
    """Histogram of the nonrandomized PIT.

    Parameters
    ----------
    below, at : array, shape (unit,)
        As in :func:`pit_cdf`.
    bins : int
        Number of bins of equal width over 0 to 1.

    Returns
    -------
    array, shape (bins,)
        Share of the units in each bin: the sum is 1, and 1 / bins in each is expected.

    Raises
    ------
    ValueError
        As :func:`pit_cdf`.
    """
    edges = pit_cdf(below, at, np.linspace(0.0, 1.0, bins + 1))
    edges[0], edges[-1] = 0.0, 1.0
    return np.diff(edges)


#: Number of randomized PITs that the statistic is the mean of.
RANDOMIZED = 50


def pit_p_value(laws: ArrayLike, place: ArrayLike, draws: int = 2000, seed: int = SEED) -> float:
    """Probability of a PIT at least as far from uniform, if the predictive laws are right.

    Far from uniform is the Kolmogorov-Smirnov distance of the randomized PIT, which places each
    unit at random between Pr(Y < y) and Pr(Y <= y), in the mean over 50 such PITs. It is compared
    with ``draws`` sets of outcomes drawn from the laws. For given laws of independent units the
    p-value is valid, however coarse the outcomes. The laws of leave-one-out are neither given nor
    independent: each is fitted to the outcomes of all other units, so that an outcome moves every
    law but its own. The p-value is therefore approximate.

    Parameters
    ----------
    laws : array, shape (unit, outcome)
        Predictive probability of each outcome, in increasing order of outcomes; each row sums to
        1. Laws with fewer outcomes than others end in zeros.
    place : array of int, shape (unit,)
        Which outcome was observed.
    draws : int
        Number of sets of outcomes; the p-value is at least 1 / (draws + 1).
    seed : int

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a row is not a law, or a place is not in it.
    """
    probability, seen = _checked_laws(laws, place)
    units = np.arange(len(seen))
    rng = np.random.default_rng(seed)
    upper = np.minimum(probability.cumsum(axis=1), 1.0)
    drawn = rng.random((draws, len(seen)))
    last = probability.shape[1] - 1 - (probability[:, ::-1] > 0).argmax(axis=1)
    places = np.empty((draws + 1, len(seen)), dtype=np.int64)
    places[0] = seen
    for unit in units:
        found = np.searchsorted(upper[unit], drawn[:, unit], side="right")
        places[1:, unit] = np.minimum(found, last[unit])
    at = probability[units, places]
    below = np.maximum(upper[units, places] - at, 0.0)
    distance = np.zeros(draws + 1)
    for _ in range(RANDOMIZED):
        distance += _distance(below + at * rng.random(at.shape))
    return float(((distance[1:] >= distance[0]).sum() + 1) / (draws + 1))


def _distance(pit: Array) -> Array:
    """Kolmogorov-Smirnov distance of each row from the uniform law, (set, unit) -> (set,)."""
    ordered = np.sort(pit, axis=1)
    units = ordered.shape[1]
    steps = np.arange(units + 1) / units
    over = (steps[1:] - ordered).max(axis=1)
    under = (ordered - steps[:-1]).max(axis=1)
    return np.asarray(np.maximum(over, under))


def _pit_interval(below: ArrayLike, at: ArrayLike) -> tuple[Array, Array]:
    start, width = (np.asarray(values, dtype=np.float64) for values in (below, at))
    if start.shape != width.shape or not len(start):
        raise ValueError(f"{len(start)} and {len(width)} units; expected as many of both, not none")
    # Sums of probabilities miss 0 and 1 by rounding.
    if not ((start > -1e-9) & (width > -1e-9) & (start + width < 1 + 1e-9)).all():
        raise ValueError("probabilities below and at an outcome; expected sums from 0 to 1")
    start = np.clip(start, 0.0, 1.0)
    return start, np.clip(width, 0.0, 1.0 - start)


def _checked_laws(laws: ArrayLike, place: ArrayLike) -> tuple[Array, Places]:
    probability = np.asarray(laws, dtype=np.float64)
    seen = np.asarray(place)
    if probability.ndim != 2 or not len(probability) or seen.shape != probability.shape[:1]:
        raise ValueError(
            f"laws of shape {probability.shape} and places of shape {seen.shape}; expected "
            "(unit, outcome) and (unit,), and at least one unit"
        )
    sums = probability.sum(axis=1)
    if not ((probability >= 0).all() and (np.abs(sums - 1) < 1e-6).all()):
        raise ValueError("predictive laws; expected probabilities that sum to 1 in each row")
    if seen.dtype.kind not in "iu" or ((seen < 0) | (seen >= probability.shape[1])).any():
        raise ValueError(f"places; expected integers from 0 to {probability.shape[1] - 1}")
    return probability / sums[:, None], seen.astype(np.int64)
