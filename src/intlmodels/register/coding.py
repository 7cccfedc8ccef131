"""Columns as codes: rows that are equal in all of them, found by sorting one number a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Codes of a row, each below a size.
Codes = NDArray[Any]
#: Largest product of sizes that a key may stand for.
_MOST = 2**62


def keys(columns: Sequence[tuple[Codes, int]]) -> NDArray[np.int64]:
    """One number a row, equal where all columns are, in the order of the columns' tuples.

    Parameters
    ----------
    columns : sequence of (array of int, int)
        Codes, shape (row,), and the number that they are below; the first column decides first.

    Returns
    -------
    array of int, shape (row,)
    """
    key = np.zeros(len(columns[0][0]), dtype=np.int64)
    size = 1
    for codes, many in columns:
        if size * many > _MOST:
            values, key = np.unique(key, return_inverse=True)
            size = len(values)
        key = key * many + codes
        size *= many
    return key


def added(
    key: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Rows with the same key put together.

    Parameters
    ----------
    key : array of int, shape (row,)
    rows : array of int, shape (row,)
        What each counts for.

    Returns
    -------
    first : array of int, shape (distinct,)
        Position of the first row with each key, in the order of keys.
    sums : array of int, shape (distinct,)
    """
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    starts = np.flatnonzero(np.diff(sorted_key, prepend=sorted_key[:1] - 1))
    sums = np.add.reduceat(rows[order], starts) if len(starts) else rows[:0]
    return order[starts], sums
