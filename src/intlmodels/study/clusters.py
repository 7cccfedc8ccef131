"""Clusters of firms that are estimated together: each has a level and effects of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which cluster each firm belongs to.

    Attributes
    ----------
    labels : tuple of str
        Names of the clusters, in the order of their letters.
    codes : array of int, shape (firm,)
        Position of each firm's cluster in ``labels``.
    label : str
        What a cluster is, in words.
    file, column : str
        Where the clusters stand.
    """

    labels: tuple[str, ...]
    codes: NDArray[np.intp]
    label: str
    file: str
    column: str
