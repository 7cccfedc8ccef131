"""Log evidence of a model: the probability of what was printed, averaged over the prior.

By bridge sampling from posterior draws (Meng and Wong 1996, Statistica Sinica 6, 831-860; Gronau et
al. 2017, Journal of Mathematical Psychology 81, 80-97).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.models import design_of, find_variant
from intlmodels.models.share.observation import LEVELLED
from intlmodels.studies import RegisterStudy, ShareStudy, Study

if TYPE_CHECKING:
    from xarray import Dataset


Array = NDArray[np.float64]

#: Steps of the fixed point, at most, and the change of the logarithm at which it stops.
MOST_STEPS, SETTLED = 1000, 1e-10


def why_no_evidence(study: Study, variant: str) -> str:
    """Why a variant has no evidence that may be held against others; empty if it has."""
    if not isinstance(study, ShareStudy) or isinstance(study, RegisterStudy):
        return "only of shares of firms that are listed"
    row, design = find_variant(study, variant), design_of(study, variant)
    if not row.comparable or design.family in LEVELLED:
        return "it explains something else"
    if study.panel is not None:
        return "there are too many effects of firms that repeat"
    if study.outcome.weights is not None:
        return "a weighted likelihood is not that of the reported shares"
    if any(block.missing.size for block in design.blocks):
        return "it models a covariate as well"
    return ""


def log_evidence(model: Any, posterior: Dataset, seed: int = 0) -> tuple[float, float]:
    """Log evidence of a PyMC model and its Monte Carlo error, of draws of its free parameters.

    Returns
    -------
    tuple of float
        Natural logarithm of the probability of the observed data, and its standard error.

    Raises
    ------
    KeyError
        If the draws lack a free parameter.
    """
    from intlmodels.models.pymc import log_density, unconstrained

    return bridge(log_density(model), unconstrained(model, posterior), seed)


def bridge(density: Callable[[Array], Array], draws: Array, seed: int = 0) -> tuple[float, float]:
    """Log of the integral of a density that draws are from, and its Monte Carlo error.

    Parameters
    ----------
    density : callable
        Logarithm of the density, not normalized, of points (point, coordinate).
    draws : array, (chain, draw, coordinate)
        A normal distribution is fitted to the first half of each chain; the second half is held
        against as many draws of it.
    seed : int
        Of those draws.
    """
    from arviz_stats.base import array_stats
    from scipy.special import expit
    from scipy.stats import multivariate_normal

    chains, length, size = draws.shape
    half = length // 2
    first, second = draws[:, :half].reshape(-1, size), draws[:, half:].reshape(-1, size)
    proposal = multivariate_normal(first.mean(axis=0), np.cov(first, rowvar=False))
    fresh = proposal.rvs(len(second), random_state=np.random.default_rng([seed, 7]))
    fresh = fresh.reshape(-1, size)
    own = density(second) - proposal.logpdf(second)
    other = density(fresh) - proposal.logpdf(fresh)
    other = np.where(np.isnan(other), -np.inf, other)
    log_r = float(np.median(own))
    for _ in range(MOST_STEPS):
        step = np.log(expit(other - log_r).mean()) - np.log(expit(log_r - own).mean())
        log_r += float(step)
        if abs(step) < SETTLED:
            break
    above, below = expit(other - log_r), expit(log_r - own)
    error = array_stats.mcse(below.reshape(chains, -1), method="mean", chain_axis=0, draw_axis=1)
    relative = above.var() / len(above) / above.mean() ** 2 + (float(error) / below.mean()) ** 2
    return log_r, float(np.sqrt(relative))
