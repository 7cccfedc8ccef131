"""Columns of a register: their types, their codes, and their distinct rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError
from intlmodels.study import RowFiles

#: Types of floating point, and below what they hold every whole number.
WHOLE = {"FLOAT": 2**24, "DOUBLE": 2**53}
#: Types by what they hold.
_KINDS = {
    **dict.fromkeys(("VARCHAR", "ENUM", "UUID"), "text"),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), "number"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), "number"),
    **dict.fromkeys(("DECIMAL", *WHOLE), "number"),
    "BOOLEAN": "truth",
    "DATE": "date",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "moment"),
    '"NULL"': "nothing",
}
_ZONE = "TIMESTAMP WITH TIME ZONE"


def require_types(register: RowFiles, files: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    """Refuse types of columns that have no sure text, or not the same in all files.

    Parameters
    ----------
    register : RowFiles
    files : sequence of (str, tuple of str)
        Name of a file, and the types of the columns that are read.

    Raises
    ------
    StudyError
        Naming file, column and types.
    """
    for place, column in enumerate(register.columns.values()):
        seen: dict[str, tuple[str, str]] = {}
        for name, types in files:
            kind = _KINDS.get(types[place].partition("(")[0])
            if kind is None:
                zone = ": the day depends on the time zone, write it as TIMESTAMP in one zone"
                raise StudyError(
                    "expected text, numbers, BOOLEAN, DATE or TIMESTAMP"
                    f"{zone if types[place] == _ZONE else ''}",
                    file=name,
                    column=column,
                    value=types[place],
                )
            seen.setdefault(kind, (name, types[place]))
        seen.pop("nothing", None)
        # Text beside numbers or dates is as they are written; nobody knows how truth is written.
        several = [*seen] if "truth" in seen else [kind for kind in seen if kind != "text"]
        if len(several) > 1:
            (first, one), (other, two) = (seen[kind] for kind in several[:2])
            raise StudyError(
                f"the column has the type {two}, and in {first} it has {one}; expected one type "
                "in all files",
                file=other,
                column=column,
            )


def as_text(value: str, kind: str) -> str:
    """SQL of a value as text: a number the same in all types, nothing for what is not there."""
    text = f"CAST({value} AS VARCHAR)"
    if kind in WHOLE:
        # DuckDB takes bounds from the statistics of a file, and these leave NaN out.
        whole = f"CAST(TRY_CAST({value} AS BIGINT) AS VARCHAR)"
        text = (
            f"CASE WHEN isfinite({value}) AND abs({value}) < {2**53} AND {value} = trunc({value}) "
            f"THEN {whole} ELSE {text} END"
        )
    elif kind.startswith("DECIMAL") and not kind.endswith(",0)"):
        text = f"rtrim(rtrim({text}, '0'), '.')"
    return f"coalesce({text}, '')"


# -- columns as codes ------------------------------------------------------------------

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
