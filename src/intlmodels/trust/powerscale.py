"""How far results move when prior or likelihood is made a little stronger or weaker.

Power-scaling (Kallioinen, Paananen, Bürkner and Vehtari 2024, Statistics and Computing 34, 57,
doi:10.1007/s11222-023-10366-5): prior or likelihood is raised to a power alpha near 1, and the
draws of one fit are weighted accordingly, with Pareto-smoothed importance weights. A result moves
as far as the cumulative Jensen-Shannon distance between its draws without and with the weights,
per doubling of alpha; :mod:`intlmodels.trust.tables` says from where it counts as sensitive.

Only the priors of :func:`intlmodels.fit.log_prior` are scaled. What ties the effects of levels
together (``Normal(0, sigma)``) is part of the model, and so is the prior of a table of decisions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intlmodels.trust.stored import Scaled

if TYPE_CHECKING:
    from xarray import Dataset, DataTree

Array = NDArray[np.float64]

#: Powers to which prior or likelihood is raised.
ALPHAS = (0.99, 1.01)


def power_scaling(
    tree: DataTree, quantities: Mapping[str, Array]
) -> tuple[tuple[Scaled, ...], float]:
    """Sensitivity of quantities to the strength of prior and likelihood.

    Parameters
    ----------
    tree : xarray.DataTree
        A fit. Its likelihood is that of the printed outcomes: of a covariate whose values are
        partly missing, the known values are not in it.
    quantities : mapping of str to array, shape (chain, draw)
        Draws of each quantity, of all draws of the fit.

    Returns
    -------
    tuple of Scaled
        In the order of ``quantities``. NaN where nothing can be said: prior or likelihood is
        the same at every draw (as where all counts hold exactly), or the quantity is, or one
        of them is not a finite number. A quantity that has nothing to do with prior or
        likelihood does not get 0 but Monte Carlo noise: with 8000 independent draws about
        0.005, up to 0.03 where its distribution is very skewed.
    float
        Largest Pareto k of the importance weights; below 0.7 they can be relied on. NaN if it
        cannot be computed for any of them.

    Raises
    ------
    ValueError
        If the draws of a quantity are not those of the fit.
    """
    prior, likelihood = (
        _total(tree[name].to_dataset()) for name in ("log_prior", "log_likelihood")
    )
    for name, draws in quantities.items():
        if np.shape(draws) != prior.shape:
            raise ValueError(
                f"{name} has draws of shape {np.shape(draws)}, the fit has {prior.shape}"
            )
    by_prior, by_likelihood = _weights(prior), _weights(likelihood)
    scaled = tuple(
        Scaled(name, _moved(draws, by_prior), _moved(draws, by_likelihood))
        for name, draws in quantities.items()
    )
    known = [one.k for one in (*by_prior, *by_likelihood) if not np.isnan(one.k)]
    return scaled, max(known, default=float("nan"))


@dataclass(frozen=True)
class _Weights:
    """Importance weights (chain, draw) that sum to one, and their Pareto k."""

    values: Array
    k: float


def _total(pointwise: Dataset) -> Array:
    """Sum over all variables and all of their entries, (chain, draw)."""
    values = [array.transpose("chain", "draw", ...).to_numpy() for array in pointwise.values()]
    return np.sum([v.reshape(*v.shape[:2], -1).sum(axis=-1) for v in values], axis=0)


def _varies(values: Array) -> bool:
    """Whether values are finite and not all the same."""
    return bool(np.isfinite(values).all() and (values != values.flat[0]).any())


def _weights(component: Array) -> tuple[_Weights, ...]:
    """Weights of the draws for each of :data:`ALPHAS`; none if there is nothing to scale.

    Parameters
    ----------
    component : array, shape (chain, draw)
        Log prior or log likelihood.
    """
    if not _varies(component):
        return ()
    from arviz_stats.base import array_stats

    # The share of effective draws in the tails decides how many draws the tail has; taken of
    # the chains one after the other, as arviz_stats.psense takes it.
    efficiency = array_stats.ess(
        component.reshape(1, -1), method="tail", prob=(0.05, 0.95), relative=True
    )
    return tuple(_smoothed((alpha - 1) * component, float(efficiency)) for alpha in ALPHAS)


def _smoothed(log_weights: Array, efficiency: float) -> _Weights:
    """Pareto-smoothed weights, or the weights as they are where they have no smooth tail.

    The likelihood of a table of counts takes a handful of values: a Pareto distribution cannot be
    fitted to a tail of equal values, and weights that take few values need no smoothing (k is then
    not a number). Where a tail is refused that should be fitted, k is infinite: not reliable.
    """
    from arviz_stats.base import array_stats

    flat = log_weights.ravel()
    smooth, k = flat - flat.max(), np.nan
    if np.unique(flat).size > flat.size // 2:
        try:
            smooth, k = array_stats.psislw(-flat, r_eff=efficiency)
        except ValueError:
            k = np.inf  # fewer than five draws in the tail, or a chain that stood still there
    weights = np.exp(smooth)
    return _Weights((weights / weights.sum()).reshape(log_weights.shape), float(k))


def _moved(draws: Array, weights: tuple[_Weights, ...]) -> float:
    """Sensitivity of one quantity, from weights for each of :data:`ALPHAS`."""
    draws = np.asarray(draws, dtype=float)
    if not weights or not _varies(draws):
        return float("nan")
    from arviz_stats.base import array_stats

    return float(
        array_stats.power_scale_sense(
            draws,
            *(one.values for one in weights),
            *ALPHAS,
            chain_axis=0,
            draw_axis=1,
        )
    )
