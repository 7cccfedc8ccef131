"""R-hat, effective sample sizes and Monte Carlo errors of many quantities at once.

The definitions, and to rounding the numbers, are those of ``arviz_stats.base.array_stats``, which
takes one quantity after the other and imports all of ``scipy.stats``: together they cost as much as
a short fit. References: Vehtari et al. (2021), Bayesian Analysis 16(2), 667-718, for R-hat and bulk
and tail effective sample sizes; Geyer (1992), Statistical Science 7(4), 473-483, for where
autocorrelations are cut.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Convergence:
    """Measures of draws (quantity, chain, draw), each (quantity,).

    NaN of a quantity with a draw that is NaN, and of fewer than four draws.
    """

    def __init__(self, draws: Array) -> None:
        self._draws, self._split = draws, _split(draws)
        self._undefined = np.isnan(draws).any(axis=(1, 2))

    @cached_property
    def _scores(self) -> Array:
        return _normal_scores(self._split)

    def rhat(self) -> Array:
        """R-hat, the larger of rank-normalized and folded rank-normalized; NaN of one chain."""
        if self._draws.shape[1] < 2 or self._draws.shape[2] < 4:
            return np.full(len(self._draws), np.nan)
        folded = np.abs(self._split - np.median(self._split, axis=(1, 2), keepdims=True))
        bulk, tail = _rhat(self._scores), _rhat(_normal_scores(folded))
        tail[np.isnan(folded).any(axis=(1, 2))] = np.nan  # infinite draws, and an infinite median
        return self._defined(np.where(tail > bulk, tail, bulk))

    def ess_bulk(self) -> Array:
        """Effective sample size of the ranks, for the centre."""
        return self._defined(_ess(self._scores))

    def ess_tail(self) -> Array:
        """Effective sample size of the 5 and 95 percent quantiles, whichever is smaller."""
        ends = np.quantile(self._draws, (0.05, 0.95), axis=(1, 2))
        below = ((self._draws <= end[:, None, None]).astype(float) for end in ends)
        low, high = (_ess(_split(own)) for own in below)
        return self._defined(np.where(high < low, high, low))

    def mcse_mean(self) -> Array:
        """Monte Carlo standard error of the mean."""
        deviation = self._draws.std(axis=(1, 2), ddof=1)
        return self._defined(deviation / np.sqrt(_ess(self._split)))

    def _defined(self, values: Array) -> Array:
        return np.where(self._undefined, np.nan, values)


def ebfmi(energy: Array) -> Array:
    """Estimated Bayesian fraction of missing information of each chain (Betancourt 2016).

    ``energy`` (chain, draw).
    """
    return (np.diff(energy, axis=1) ** 2).mean(axis=1) / energy.var(axis=1, ddof=1)


def _split(draws: Array) -> Array:
    """Halves of chains as chains; of an odd number of draws the middle one is left out."""
    half = draws.shape[2] // 2
    return np.concatenate([draws[..., :half], draws[..., -half:]], axis=1)


def _normal_scores(draws: Array) -> Array:
    """Normal quantiles of the ranks among all chains; ties have their mean rank (Blom 1958)."""
    from scipy.special import ndtri

    values = draws.reshape(len(draws), -1)
    size = values.shape[1]
    order = values.argsort(axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    place = np.arange(size)
    new = np.ones((len(values), size + 1), dtype=bool)
    new[:, 1:-1] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(new[:, :-1], place, 0), axis=1)
    last = np.where(new[:, 1:], place, size)[:, ::-1]
    last = np.minimum.accumulate(last, axis=1)[:, ::-1]
    # The sum of first and last is twice the rank, from 0; few ranks, many draws.
    scores = ndtri((np.arange(2 * size - 1) / 2 + 1 - 3 / 8) / (size + 1 / 4))
    found = np.empty_like(values)
    np.put_along_axis(found, order, scores[first + last], axis=1)
    return found.reshape(draws.shape)


def _rhat(chains: Array) -> Array:
    size = chains.shape[2]
    between = size * chains.mean(axis=2).var(axis=1, ddof=1)
    within = chains.var(axis=2, ddof=1).mean(axis=1)
    return np.sqrt((between / within + size - 1) / size)


def _ess(chains: Array) -> Array:
    """Effective sample size by Geyer's initial monotone sequence, (quantity,)."""
    count, size = chains.shape[1:]
    if size < 2:
        return np.full(len(chains), np.nan)
    means = chains.mean(axis=2)
    length = 1 << (2 * size - 1).bit_length()
    spectrum = np.fft.rfft(chains - means[..., None], n=length)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    covariance = np.fft.irfft(power, n=length)[:, :size] / size
    within = covariance[:, :1] * size / (size - 1)
    variance = covariance[:, 0] + (means.var(axis=1, ddof=1) if count > 1 else 0)
    correlation = 1 - (within - covariance) / variance[:, None]
    correlation[:, 0] = 1
    # Sums of neighbours, up to the first that is not positive.
    most = max(0, (size - 3) // 2)
    even = correlation[:, : 2 * most + 1 : 2]
    pairs = even + correlation[:, 1 : 2 * most + 2 : 2]
    ends = ~(pairs > 0)
    ends[:, -1] = True
    last = ends.argmax(axis=1)
    monotone = np.minimum.accumulate(pairs, axis=1)
    taken = np.where(np.arange(most + 1) < last[:, None], monotone, 0).sum(axis=1)
    rows = np.arange(len(chains))
    own = even[rows, last]
    time = 2 * taken - 1 + np.where((own > 0) | (pairs[rows, last] >= 0), own, 0)
    time = np.maximum(time, 1 / np.log10(count * size))
    found = np.where(np.isnan(correlation[:, 1]), np.nan, count * size / time)
    constant = np.ptp(chains, axis=(1, 2)) < np.finfo(float).resolution
    return np.where(constant, count * size, found)
