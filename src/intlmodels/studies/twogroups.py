"""Two groups of firms compared by a model of their own, without sampling.

Each group has a location: the log odds of having something, the logit of the expected share, or the
average of standardized numbers. Level and contrast of the two have the package's priors, a further
parameter (precision, spread) is the same in both, and the posterior is summed over a grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Standard deviation of a contrast between two groups.
CONTRAST = 0.5
#: Mean and standard deviation of the level: of log odds, logit shares and standardized numbers.
ODDS, SHARE, NUMBER = (0.0, 1.5), (-1.5, 1.0), (0.0, 1.0)
#: The priors in words.
PRIORS = f"logit priors: level Normal(0, {ODDS[1]:g}), contrast Normal(0, {CONTRAST:g})"

_GRID = np.linspace(-6, 6, 151)
#: How many steps apart two locations are, (first, second) as one axis, from the least on; and the
#: contrast between locations that are so far apart.
_APART = (np.arange(len(_GRID))[:, None] - np.arange(len(_GRID))[None, :]).ravel() + len(_GRID) - 1
_CONTRASTS = np.linspace(-12, 12, 2 * len(_GRID) - 1)
#: Weights that integrate over contrasts above zero: trapezoids, with the first correction of Euler
#: and Maclaurin at zero.
_POSITIVE = (np.arange(len(_CONTRASTS)) >= len(_GRID)) + np.interp(
    np.arange(len(_CONTRASTS)) - len(_GRID) + 1, [-2, -1, 0, 1, 2], [0, -1 / 24, 0.5, 1 / 24, 0]
)


def _log_normal(x: Array, sd: float) -> Array:
    return -0.5 * (x / sd) ** 2


#: Logarithm of the precision of shares, around that of its prior, LogNormal(log 10, 0.8).
_LOG_PHI = np.log(10) + 0.8 * np.linspace(-3.6, 3.6, 25)
_PHI_PRIOR = np.exp(_log_normal(_LOG_PHI - np.log(10), 0.8))
#: Spread of standardized numbers within a group, HalfNormal(1).
_SPREAD = np.linspace(0.04, 4, 100)
_SPREAD_PRIOR = np.exp(_log_normal(_SPREAD, 1.0))


@dataclass(frozen=True)
class TwoGroups:
    """Posterior of the locations of two groups on a grid.

    ``weights``, (first, second), come to one; ``scale``, (location,), is what a location stands
    for on the scale on which a difference is told.
    """

    weights: Array
    scale: Array

    @property
    def probability(self) -> float:
        """That the first group has the higher location."""
        return float(np.bincount(_APART, self.weights.ravel()) @ _POSITIVE)

    def difference(self, prob: float) -> tuple[float, float, float]:
        """Median and equal-tailed interval of the difference, first less second."""
        off = np.round(self.scale[:, None] - self.scale[None, :], 9)
        values, place = np.unique(off.ravel(), return_inverse=True)
        weights = np.bincount(place, self.weights.ravel())
        below = np.cumsum(weights) - weights / 2
        median, low, high = np.interp([0.5, (1 - prob) / 2, (1 + prob) / 2], below, values)
        return float(median), float(low), float(high)


def _joint(first: Array, second: Array, nuisance: Array, level: tuple[float, float]) -> Array:
    """Likelihood times priors, (first, second), from log likelihoods, (location, nuisance)."""
    parts = [np.exp(one - one.max()) for one in (first, second)]
    middle = (_GRID[:, None] + _GRID[None, :]) / 2
    return (parts[0] * nuisance) @ parts[1].T * np.exp(_log_normal(middle - level[0], level[1]))


def _posterior(joint: Array, scale: Array) -> TwoGroups:
    weights = joint * np.exp(_log_normal(_GRID[:, None] - _GRID[None, :], CONTRAST))
    return TwoGroups(weights / weights.sum(), scale)


def _expit(x: Array) -> Array:
    return np.exp(-np.logaddexp(0, -x))


def _odds(a: tuple[int, int], b: tuple[int, int]) -> Array:
    first, second = (
        -has * np.logaddexp(0, -_GRID) - without * np.logaddexp(0, _GRID) for has, without in (a, b)
    )
    return _joint(first[:, None], second[:, None], np.ones(1), ODDS)


def proportions(a: tuple[int, int], b: tuple[int, int]) -> TwoGroups:
    """Two proportions, of how many have something in each group, and have not; in points."""
    return _posterior(_odds(a, b), 100 * _expit(_GRID))


def shares(a: Sequence[tuple[float, float]], b: Sequence[tuple[float, float]]) -> TwoGroups:
    """Expected shares of two groups, of the interval of each firm's share (fractions); in points.

    The law of a share is that of the share model: interval Beta with one precision.
    """
    first, second = (sum(map(_log_interval, group), start=np.zeros(1)) for group in (a, b))
    return _posterior(_joint(first, second, _PHI_PRIOR, SHARE), 100 * _expit(_GRID))


@lru_cache(maxsize=256)
def _log_interval(interval: tuple[float, float]) -> Array:
    """Log probability of an interval at every location and precision."""
    from scipy.special import betainc, betaincc

    phi, mean = np.exp(_LOG_PHI)[None, :], _expit(_GRID)[:, None]
    a, b = mean * phi, _expit(-_GRID)[:, None] * phi
    low, high = interval
    below = betainc(a, b, low)
    found = betainc(a, b, high) - below
    # In the upper half from above: what is small there would else be lost.
    top = below > 0.5
    a, b = a[top], np.broadcast_to(b, top.shape)[top]
    found[top] = betaincc(a, b, low) - betaincc(a, b, high)
    return np.log(np.maximum(found, 1e-300))


def numbers(a: Array, b: Array) -> TwoGroups:
    """Averages of two groups of numbers with one spread; in standard deviations of all of them."""
    both = np.concatenate([a, b])
    middle, sd = both.mean(), both.std() or 1.0

    def log_likelihood(values: Array) -> Array:
        off = ((values - middle) / sd)[:, None, None] - _GRID[:, None]
        return (_log_normal(off / _SPREAD, 1.0) - np.log(_SPREAD)).sum(axis=0)

    joint = _joint(log_likelihood(a), log_likelihood(b), _SPREAD_PRIOR, NUMBER)
    return _posterior(joint, _GRID)


#: The scale that contrasts share where several are pooled.
_SCALES = CONTRAST * (np.arange(100) + 0.5) / 25


def pooled(pairs: Sequence[tuple[tuple[int, int], tuple[int, int]]]) -> list[float]:
    """Probability of each first proportion being the higher one, the contrasts partially pooled.

    The contrasts are Normal(0, scale) with one scale, HalfNormal(0.5): comparisons of which few
    show anything shrink each other. Their mean stays zero, so that it does not matter in which
    direction each is put, and none speaks for the direction of another. Of each comparison, how
    many have something in both groups, and have not.
    """
    logs = [np.log(np.bincount(_APART, _odds(a, b).ravel())) for a, b in pairs]
    # Finer than the grid, since the scale may be small.
    contrasts = np.linspace(_CONTRASTS[0], _CONTRASTS[-1], 8 * len(_CONTRASTS) - 7)
    likelihood = np.exp([np.interp(contrasts, _CONTRASTS, one) for one in logs])
    prior = np.exp(_log_normal(contrasts[:, None] / _SCALES, 1.0))
    prior /= prior.sum(axis=0)
    marginal = likelihood @ prior
    higher = (likelihood * (1 + np.sign(np.round(contrasts, 9))) / 2) @ prior / marginal
    log_weights = _log_normal(_SCALES, CONTRAST) + np.log(marginal).sum(axis=0)
    weights = np.exp(log_weights - log_weights.max())
    return [float(one) for one in higher @ (weights / weights.sum())]
