"""Probability that a share falls between two values, under a Beta or a logit-normal law.

NumPy in, NumPy out: neither PyMC nor PyTensor is needed, so that reports can use it. Method,
accuracy and cost are in `intlmodels.models.share.intervalkernels`;
`intlmodels.models.share.likelihood` has the same for PyTensor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from intlmodels.core.rounding import grid, intervals
from intlmodels.models.share import intervalkernels

FloatArray = npt.NDArray[np.float64]


def interval_logprob_numpy(
    alpha: npt.ArrayLike, beta: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log probability that a Beta variable falls in an interval, with its gradient in the shapes.

    Parameters
    ----------
    alpha, beta
        Shapes of the Beta law, broadcast against each other and the bounds. 0 stands for the limit
        (all mass at one end). Shapes are taken as at most 1e10.
    lower, upper
        Ends of the interval, as shares. Ends outside [0, 1] are taken as 0 and 1, and a lower end
        below 1e-300 as 0.

    Returns
    -------
    logp, dlogp_dalpha, dlogp_dbeta : ndarray
        Within 1e-9 of the exact values for shapes from 0.01 to 1000 (the derivatives relative to
        their size where that is above 1), and finite for any shapes >= 0 and lower < upper. An
        empty interval or a negative shape has log probability -inf and derivatives 0; NaN in any
        argument gives NaN.
    """
    return _evaluate(intervalkernels.fill_beta, alpha, beta, lower, upper)


def logit_normal_interval_logprob_numpy(
    mu: npt.ArrayLike, sigma: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log probability that a logit-normal variable falls in an interval, with its gradient.

    Parameters
    ----------
    mu, sigma
        Mean and standard deviation of the logit, broadcast against each other and the bounds.
    lower, upper
        Ends of the interval, as shares; as for `interval_logprob_numpy`.

    Returns
    -------
    logp, dlogp_dmu, dlogp_dsigma : ndarray
        As for `interval_logprob_numpy`, with a negative `sigma` in the place of negative shapes.
    """
    return _evaluate(intervalkernels.fill_normal, mu, sigma, lower, upper)


def grid_probabilities(alpha: npt.ArrayLike, beta: npt.ArrayLike, width: float) -> FloatArray:
    """Probability of every printed value when a Beta share is rounded.

    Parameters
    ----------
    alpha, beta
        Shapes of the Beta law, broadcast against each other; 0 stands for the limit.
    width
        Rounding width in percentage points.

    Returns
    -------
    ndarray, shape (..., grid)
        Over the values of `rounding.grid`; sums to one. NaN where a shape is NaN.

    Raises
    ------
    ValueError
        If a shape is negative or the width has no grid.
    """
    _check_not_negative(alpha=alpha, beta=beta)
    return _evaluate_grid(intervalkernels.fill_beta_grid, alpha, beta, width)


def logit_normal_grid_probabilities(
    mu: npt.ArrayLike, sigma: npt.ArrayLike, width: float
) -> FloatArray:
    """Probability of every printed value when a logit-normal share is rounded.

    Parameters
    ----------
    mu, sigma
        Mean and standard deviation of the logit, broadcast against each other.
    width
        Rounding width in percentage points.

    Returns
    -------
    ndarray, shape (..., grid)
        Over the values of `rounding.grid`; sums to one. NaN where a parameter is NaN.

    Raises
    ------
    ValueError
        If a standard deviation is negative or the width has no grid.
    """
    _check_not_negative(sigma=sigma)
    return _evaluate_grid(intervalkernels.fill_normal_grid, mu, sigma, width)


def _evaluate(
    fill: Any,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    flat, shape = _flatten(first, second, lower, upper)
    out = np.empty((3, flat[0].size))
    fill(*flat, out)
    logp, d_first, d_second = out.reshape(3, *shape)
    return logp, d_first, d_second


def _evaluate_grid(
    fill: Any, first: npt.ArrayLike, second: npt.ArrayLike, width: float
) -> FloatArray:
    lower, upper = intervals(grid(width), width)
    flat, shape = _flatten(first, second)
    out = np.empty((flat[0].size, lower.size))
    fill(*flat, lower, upper, out)
    return out.reshape(*shape, lower.size)


def _flatten(*arrays: npt.ArrayLike) -> tuple[list[FloatArray], tuple[int, ...]]:
    """Broadcast; return the arrays flat and contiguous (one compiled version), and the shape."""
    broadcast = np.broadcast_arrays(*(np.asarray(array, dtype=np.float64) for array in arrays))
    return [np.ascontiguousarray(array).ravel() for array in broadcast], broadcast[0].shape


def _check_not_negative(**parameters: npt.ArrayLike) -> None:
    for name, values in parameters.items():
        smallest = np.min(np.asarray(values, dtype=np.float64), initial=0.0)
        if smallest < 0.0:
            raise ValueError(f"{name} is {smallest:g}; expected no negative value")
