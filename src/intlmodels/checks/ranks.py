"""Statistics of simulation-based calibration: whether the ranks of true values are uniform.

A rank is the number of posterior draws, of L, that lie below the true value the data were
simulated from: 0, 1, ..., L, ties split at random. If the computation is right, the ranks of
many simulations follow the uniform law (Talts et al. 2018, arXiv:1804.06788). The test and the
band are those of Säilynoja, Bürkner and Vehtari (2022), Statistics and Computing 32:32: a
two-sided binomial probability for the empirical distribution function at each rank, the smallest
of them as the statistic, and its law when all ranks are uniform.

That law is computed, not simulated, so that there is neither a seed nor a Monte Carlo error, and
the smallest p-value is as exact as the largest. Given their sum, independent Poisson numbers at
ranks 0 to L are multinomial numbers; the probability that their running sum leaves a band is
therefore a chain of convolutions with one and the same Poisson law (Moscovich and Nadler 2017,
Statistics & Probability Letters 123).
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

#: Level of the verdict, for all quantities and all looks together.
FAMILYWISE = 0.01


def ecdf_difference(counts: ArrayLike) -> Array:
    """Empirical distribution function of the ranks minus that of the uniform law.

    Parameters
    ----------
    counts : array of int, shape (..., L+1)
        Number of simulations with each rank.

    Returns
    -------
    array, shape (..., L+1)
        At ranks 0 to L; the last is 0. NaN where no simulation has a rank.
    """
    found = _checked(counts)
    running = found.cumsum(axis=-1)
    total = running[..., -1:]
    share = np.where(total > 0, running / np.maximum(total, 1), np.nan)
    return share - np.arange(1, found.shape[-1] + 1) / found.shape[-1]


def band(simulations: int, draws: int, prob: float) -> tuple[Array, Array]:
    """Simultaneous band for the ECDF difference of uniform ranks.

    The curve of :func:`ecdf_difference` touches or stays between both ends, at all ranks at once,
    with a probability of at least ``prob``, and of no more than the discreteness of ranks
    requires; it leaves the band exactly when :func:`p_values` gives 1 - ``prob`` or less.

    Parameters
    ----------
    simulations : int
        N, the number of simulations.
    draws : int
        L, the number of posterior draws that each true value was ranked among.
    prob : float
        Probability of the whole band, above 0 and below 1.

    Returns
    -------
    low, high : array, shape (L+1,)
        At ranks 0 to L; the last of each is 0.

    Raises
    ------
    ValueError
        If a number is below 1, or ``prob`` is not a probability.
    """
    _check_size("simulations", simulations)
    _check_size("posterior draws", draws)
    _check_prob(prob)
    tails = _uniform(simulations, draws).tails
    attained = np.unique(tails)
    place = bisect_right(
        attained, 1 - prob, key=lambda tail: _probability_outside(simulations, draws, float(tail))
    )
    low, high = _ends(tails, float(attained[place - 1]) if place else 0.0)
    expected = np.arange(1, draws + 2) / (draws + 1)
    return (
        np.append(low / simulations, 1.0) - expected,
        np.append(high / simulations, 1.0) - expected,
    )


def p_values(counts: ArrayLike) -> Array:
    """Probability that uniform ranks would look at least as uneven as these.

    Uneven is what has a small smallest two-sided binomial probability of the empirical
    distribution function, over ranks 0 to L-1. The probability is exact, also far in the tail.

    Parameters
    ----------
    counts : array of int, shape (L+1,) or (quantity, L+1)
        Number of simulations with each rank; quantities may differ in their number of simulations.

    Returns
    -------
    array, shape (quantity,)
        1 for a quantity without any rank. Of one quantity, an array of one.
    """
    return np.array([_p_value(row) for row in np.atleast_2d(_checked(counts))], dtype=np.float64)


def holm(p: ArrayLike) -> Array:
    """Holm-adjusted p-values: below a level only where the family-wise test at it rejects.

    Parameters
    ----------
    p : array, shape (test,)

    Returns
    -------
    array, shape (test,)
        In the order given; Holm (1979), Scandinavian Journal of Statistics 6(2). No assumption on
        how the tests depend on each other.
    """
    found = np.asarray(p, dtype=np.float64)
    order = np.argsort(found, kind="stable")
    raised = found[order] * np.arange(len(found), 0, -1)
    adjusted = np.empty_like(found)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return adjusted


def coverage_band(simulations: int, prob: float, level: float = 0.95) -> tuple[float, float]:
    """How often intervals of a probability cover the true value, if they are right.

    Parameters
    ----------
    simulations : int
        N, the number of simulations.
    prob : float
        Probability of the intervals, from 0 to 1.
    level : float
        The number that cover lies within the limits with at least this probability, and beyond
        each of them with at most half of the rest.

    Returns
    -------
    low, high : float
        Shares of the simulations: binomial limits, exact.

    Raises
    ------
    ValueError
        If there is no simulation, or ``prob`` or ``level`` is not a probability.
    """
    from scipy.stats import binom

    _check_size("simulations", simulations)
    _check_prob(level)
    if not 0 <= prob <= 1:
        raise ValueError(f"probability {prob}; expected one from 0 to 1")
    number = np.arange(simulations + 1)
    below = binom.cdf(number, simulations, prob)
    above = binom.sf(number - 1, simulations, prob)
    (low,), (high,) = _ends(2 * np.minimum(below, above)[None], 1 - level)
    return float(low / simulations), float(high / simulations)


def deviates(adjusted: ArrayLike, looks: int = 1, level: float = FAMILYWISE) -> bool:
    """Whether some quantity's ranks are not uniform.

    With ``level`` divided by the number of looks, a correct computation is ever called wrong with
    a probability of at most ``level``, however many quantities and looks there are.

    Parameters
    ----------
    adjusted : array, shape (quantity,)
        P-values adjusted for the number of quantities, see :func:`holm`.
    looks : int
        How many times the verdict is looked at.
    level : float
    """
    return bool(np.min(np.asarray(adjusted), initial=1.0) < level / looks)


# -- the law of the statistic --------------------------------------------------------------


class _Uniform(NamedTuple):
    """What uniform ranks do, at ranks 0 to L-1 (rows) and running counts 0 to N (columns).

    ``tails``: two-sided binomial probability of a count at most, or at least, as large, whichever
    is the smaller. ``rest``: the density that the remaining ranks bring the count to N, relative
    to that of reaching N at all. ``step``: Poisson law of the count of one rank.
    """

    tails: Array
    rest: Array
    step: Array


@lru_cache(maxsize=16)
def _uniform(simulations: int, draws: int) -> _Uniform:
    from scipy.stats import binom, poisson

    number = np.arange(simulations + 1)
    ranks = np.arange(1, draws + 1)[:, None]
    below = binom.cdf(number, simulations, ranks / (draws + 1))
    # The upper tail is the lower tail seen from the other end. Taken from the same numbers, ranks
    # and reversed ranks give the same p-value, to the last bit.
    tails = np.minimum(2 * np.minimum(below, below[::-1, ::-1]), 1.0)
    mean = simulations / (draws + 1)
    rest = poisson.pmf(simulations - number, mean * (draws + 1 - ranks))
    rest /= poisson.pmf(simulations, simulations)
    step = poisson.pmf(number, mean)
    law = _Uniform(tails, rest, step[: np.flatnonzero(step)[-1] + 1])
    for array in law:
        array.setflags(write=False)
    return law


def _ends(tails: Array, limit: float) -> tuple[Counts, Counts]:
    """First and last count of each row with a tail above a limit, shape (row,) each."""
    inside = tails > limit
    return inside.argmax(axis=-1), inside.shape[-1] - 1 - inside[:, ::-1].argmax(axis=-1)


def _probability_outside(simulations: int, draws: int, tail: float) -> float:
    """Probability that the smallest two-sided probability of uniform ranks is at most ``tail``.

    The sum over ranks of the probability that the running count is outside for the first time,
    and ends at N nevertheless: all terms are positive, so that small sums lose no digits.
    """
    law = _uniform(simulations, draws)
    if (law.tails.max(axis=1) <= tail).any():
        return 1.0
    low, high = _ends(law.tails, tail)
    inside, first, outside = np.ones(1), 0, 0.0
    for rank in range(draws):
        spread = np.convolve(inside, law.step)[: simulations + 1 - first]
        ending = spread * law.rest[rank, first : first + len(spread)]
        kept = slice(low[rank] - first, high[rank] + 1 - first)
        outside += float(ending[: kept.start].sum() + ending[kept.stop :].sum())
        inside, first = spread[kept], int(low[rank])
    return min(outside, 1.0)


def _p_value(counts: Counts) -> float:
    simulations, draws = int(counts.sum()), len(counts) - 1
    if simulations == 0:
        return 1.0
    tails = _uniform(simulations, draws).tails
    smallest = tails[np.arange(draws), counts.cumsum()[:-1]].min()
    return _probability_outside(simulations, draws, float(smallest))


# -- checks of what comes in ---------------------------------------------------------------


def _checked(counts: ArrayLike) -> Counts:
    found = np.asarray(counts)
    if found.dtype.kind not in "iu" or found.ndim < 1 or found.shape[-1] < 2 or (found < 0).any():
        raise ValueError("counts of ranks: expected integers from 0, and at least two ranks")
    return found.astype(np.int64)


def _check_size(what: str, number: int) -> None:
    if number < 1:
        raise ValueError(f"{number} {what}; expected at least 1")


def _check_prob(prob: float) -> None:
    if not 0 < prob < 1:
        raise ValueError(f"probability {prob}; expected one above 0 and below 1")
