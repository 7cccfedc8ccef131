"""Draws and labels of a fit as plain arrays and lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from xarray import DataArray


Array = NDArray[np.float64]


def flat(array: DataArray) -> Array:
    """Draws of all chains in one row each, (draw, ...)."""
    values = array.transpose("chain", "draw", ...).to_numpy()
    return values.reshape(values.shape[0] * values.shape[1], *values.shape[2:])


def texts(array: DataArray) -> list[str]:
    """Labels as plain text."""
    return [str(value) for value in array.to_numpy()]
