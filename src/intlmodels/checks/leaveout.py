"""Statistics of exact leave-one-out: how well each variant predicts a unit it has not seen.

The probability integral transform (PIT) of outcomes that are predicted rightly is uniform; of
discrete outcomes its conditional distribution takes its place (Czado, Gneiting and Held 2009,
Biometrics 65(4), 1254-1261). Log probabilities are natural logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

#: Seed of the Bayesian bootstrap and of the randomized PIT, if nothing else is said.
SEED = 1981


# -- comparison of two variants ------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """Difference in expected log predictive density between variants a and b, in nats."""

    elpd: float  # Sum over units of a minus b; above zero, a predicts better
    se: float  # Its usual standard error
    low: float  # Of the equal-tailed interval by the Bayesian bootstrap
    high: float
    p_better: float  # Share of bootstrap draws above zero; those of exactly zero count by half


def difference(
    lpd_a: ArrayLike, lpd_b: ArrayLike, draws: int = 4000, prob: float = 0.95, seed: int = SEED
) -> Difference:
    """Compare two variants, by log predictive probabilities of the same left-out units.

    The standard error is sqrt(n v), v the variance of the differences with divisor n - 1; the
    interval is by the Bayesian bootstrap (Rubin 1981, Annals of Statistics 9(1)). Both take units
    as independent draws from one law; with few units, variants that predict much alike, or
    misspecified models they are too narrow (Sivula et al. 2020, arXiv:2008.10296).

    Units impossible (-inf) in both variants are left out; one impossible in one variant makes the
    difference infinite, or NaN if others are impossible in the other variant.
    """
    lpd = _possible(np.stack([_vector(lpd_a), _vector(lpd_b)]))
    units = lpd.shape[1]
    if units < 2:
        raise ValueError(f"{units} left-out units; expected at least 2")
    gain = lpd[0] - lpd[1]
    if not np.isfinite(gain).all():
        up, down = bool((gain == np.inf).any()), bool((gain == -np.inf).any())
        total = float("nan") if up and down else float("inf" if up else "-inf")
        better = float("nan") if up and down else float(up)
        return Difference(total, float("nan"), total, total, better)
    sums = units * (_bootstrap_weights(units, draws, seed) @ gain)
    low, high = np.quantile(sums, [(1 - prob) / 2, (1 + prob) / 2])
    return Difference(
        elpd=float(gain.sum()),
        se=float(np.sqrt(units * gain.var(ddof=1))),
        low=float(low),
        high=float(high),
        p_better=float(((sums > 0) + 0.5 * (sums == 0)).mean()),
    )


# -- stacking ------------------------------------------------------------------------------

#: Pull of stacking weights towards one another, in nats per unit, for variants that predict alike.
PULL = 1e-8

#: Gain per unit, in nats, of other weights where the search stops, and what is an error after it.
NO_GAIN = 1e-12
MOST_GAIN = 1e-7


def stacking(lpd: ArrayLike) -> Array:
    """Weights of the mixture of variants that predicts left-out units best, (variant,).

    They maximize sum_i log sum_k w_k exp(lpd_ki) over weights that sum to one (Yao, Vehtari,
    Simpson and Gelman 2018, Bayesian Analysis 13(3)), by the constrained Newton method of Wang
    (2007), Journal of the Royal Statistical Society B 69(2), proved by the gradient of the concave
    score. Units of ``lpd``, (variant, unit), that are impossible (-inf) in all variants are left
    out. RuntimeError if the maximum was not found.
    """
    relative = _relative(lpd)
    units = len(relative)
    return _best_weights(relative, np.full(units, 1 / units))


def stacking_spread(lpd: ArrayLike, draws: int = 1000, seed: int = SEED) -> Array:
    """Central 90 percent of each stacking weight by the Bayesian bootstrap, (2, variant)."""
    relative = _relative(lpd)
    rows = _bootstrap_weights(len(relative), draws, seed)
    return np.quantile([_best_weights(relative, row) for row in rows], [0.05, 0.95], axis=0)


def _relative(lpd: ArrayLike) -> Array:
    """Predictive probabilities relative to the best variant of each unit, (unit, variant)."""
    found = np.asarray(lpd, dtype=np.float64)
    if found.ndim != 2 or found.shape[0] < 1:
        raise ValueError(f"shape {found.shape} of log probabilities; expected (variant, unit)")
    possible = _possible(found)
    if not possible.shape[1]:
        raise ValueError("no left-out unit is possible in any variant")
    return np.ascontiguousarray(np.exp(possible - possible.max(axis=0)).T)


def _best_weights(relative: Array, units: Array) -> Array:
    """Weights w that maximize sum_i u_i log(P w)_i - PULL / 2 |w|^2, u the weights of units."""
    # Each step replaces log(P w) by its second-order expansion, u_i (s_i y - 2)^2 / 2 with
    # s_i = P_i / (P w)_i. On the simplex s_i y - 2 equals (s_i - 2) y: a least-squares problem
    # without a constant, which non-negative least squares solves exactly (Dax 1990).
    from scipy.optimize import nnls

    variants = relative.shape[1]
    target = np.zeros(len(units) + variants + 1)
    target[-1] = 1.0
    pull = np.sqrt(PULL) * np.eye(variants)
    weights = np.full(variants, 1 / variants)
    for _ in range(100):
        share = relative / (relative @ weights)[:, None]
        slope = units @ share - PULL * weights
        if slope.max() - slope @ weights <= NO_GAIN:
            break
        rows = np.sqrt(units)[:, None] * (share - 2)
        solved, _ = nnls(np.vstack([rows, pull, np.ones(variants)]), target)
        moved = _line_search(relative, units, weights, solved / solved.sum() - weights, slope)
        if moved is None:
            break
        weights = moved
    gain = float((units @ (relative / (relative @ weights)[:, None])).max()) - 1
    if gain > MOST_GAIN:
        raise RuntimeError(f"stacking: other weights may gain {gain:.1e} nats a unit")
    return weights


def _line_search(
    relative: Array, units: Array, weights: Array, step: Array, slope: Array
) -> Array | None:
    """Weights along a step that improve the score as its slope promises; None if none does."""
    promised = float(slope @ step)
    before = _score(relative, units, weights)
    # Scores that differ by less than their rounding count as equal: close to the maximum the
    # Newton step is right, and only the gradient can still tell.
    before -= 1e-15 * (1 + abs(before))
    # No unit's probability falls by more than a factor of ten at once: a unit of little weight
    # hardly shows in the score, but its logarithm is all that keeps the expansion true.
    fall = float(-(relative @ step / (relative @ weights)).min())
    length = min(1.0, 0.9 / fall) if fall > 0 else 1.0
    while length > 1e-12:
        # A full step sets variants to zero exactly; rounding must not take them below.
        moved = np.maximum(weights + length * step, 0.0)
        moved /= moved.sum()
        if _score(relative, units, moved) > before + 1e-4 * length * promised:
            return moved
        length /= 2
    return None


def _score(relative: Array, units: Array, weights: Array) -> float:
    return float(units @ np.log(relative @ weights) - PULL / 2 * weights @ weights)


# -- means of densities over draws ---------------------------------------------------------


def log_mean_exp(values: ArrayLike, axis: int | tuple[int, ...] | None = None) -> Array:
    """Log of the mean of exponentials over some axes or all, without underflow; -inf is a zero."""
    found = np.asarray(values, dtype=np.float64)
    highest = found.max(axis=axis, keepdims=True)
    base = np.where(np.isfinite(highest), highest, 0.0)
    with np.errstate(divide="ignore"):
        means = np.log(np.exp(found - base).mean(axis=axis, keepdims=True)) + base
    return np.asarray(np.squeeze(means, axis=axis))


def lpd_error(log_densities: ArrayLike) -> float:
    """Monte Carlo standard error, in nats, of the log of a mean density over draws.

    By the delta method: the standard error of the mean, with the effective sample size of the
    densities (Vehtari et al. 2021, Bayesian Analysis 16(2)), over the mean. ``log_densities`` are
    of one left-out unit, (chain, draw). Inf if no draw makes the unit possible, or the error is
    unknown.
    """
    from arviz_stats.base import array_stats

    found = np.asarray(log_densities, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] < 4:
        raise ValueError(f"shape {found.shape}; expected (chain, draw) and at least 4 draws")
    _refuse_no_log_probability(found)
    highest = found.max()
    if highest == -np.inf:
        return float("inf")
    density = np.exp(found - highest)
    if density.min() == density.max():
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        error = array_stats.mcse(density, method="mean", chain_axis=0, draw_axis=1)
    relative = float(error) / float(density.mean())
    return relative if np.isfinite(relative) else float("inf")


# -- what several of them need -------------------------------------------------------------


def _bootstrap_weights(units: int, draws: int, seed: int) -> Array:
    """Weights of the Bayesian bootstrap, (draw, unit)."""
    return np.random.default_rng(seed).dirichlet(np.ones(units), size=draws)


def _vector(values: ArrayLike) -> Array:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1:
        raise ValueError(f"shape {found.shape} of log probabilities; expected (unit,)")
    return found


def _possible(lpd: Array) -> Array:
    """The units, (variant, unit), that are possible in at least one variant."""
    _refuse_no_log_probability(lpd)
    return lpd[:, (lpd > -np.inf).any(axis=0)]


def _refuse_no_log_probability(values: Array) -> None:
    wrong = np.isnan(values) | (values == np.inf)
    if wrong.any():
        raise ValueError(f"log probability {values[wrong].flat[0]}; expected a number or -inf")


# -- whether outcomes are spread over their predictive laws as these say ---------------

Places = NDArray[np.int64]


def pit_cdf(below: ArrayLike, at: ArrayLike, grid: ArrayLike) -> Array:
    """Mean distribution function, at ``grid``, of the nonrandomized PIT of discrete outcomes.

    Of one unit it rises in a straight line from 0 at Pr(Y < y) to 1 at Pr(Y <= y) (Czado, Gneiting
    and Held 2009, Biometrics 65(4)). ``below`` and ``at``, (unit,), are the probabilities of less
    than, and of exactly, what was observed.
    """
    start, width = _pit_interval(below, at)
    over = np.asarray(grid, dtype=np.float64)[:, None] - start
    rising = np.clip(over / np.where(width > 0, width, 1.0), 0.0, 1.0)
    return np.asarray(np.where(width > 0, rising, over >= 0).mean(axis=1))


def pit_histogram(below: ArrayLike, at: ArrayLike, bins: int = 5) -> Array:
    """Histogram of the nonrandomized PIT: share of the units in each bin of equal width."""
    edges = pit_cdf(below, at, np.linspace(0.0, 1.0, bins + 1))
    edges[0], edges[-1] = 0.0, 1.0
    return np.diff(edges)


#: Number of randomized PITs that the statistic is the mean of.
RANDOMIZED = 50


def pit_p_value(laws: ArrayLike, place: ArrayLike, draws: int = 2000, seed: int = SEED) -> float:
    """Probability of a PIT at least as far from uniform, if the predictive laws are right.

    The Kolmogorov-Smirnov distance of the randomized PIT, in the mean over 50 such, is compared
    with ``draws`` sets of outcomes drawn from ``laws``, (unit, outcome), rows that sum to 1;
    ``place`` is which outcome was observed. Approximate for leave-one-out, whose laws depend on
    other outcomes.
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
