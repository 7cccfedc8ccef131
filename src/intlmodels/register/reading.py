"""From the rows of a register to its cells: one pass that counts, and checks of what is distinct.

DuckDB groups the rows by what stands in their columns; a register of any size has few distinct
texts in a column, and these are read by the same code as the cells of a small table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.errors import StudyError
from intlmodels.register.badrows import find_bad, set_aside, stop
from intlmodels.register.engine import REJECTED, Source, connected, counted, identifier, sources
from intlmodels.register.files import Found
from intlmodels.study import Register
from intlmodels.study.columns import frozen
from intlmodels.study.register import Cells, Read
from intlmodels.study.sources import Cell

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Distinct rows, as written, that are looked at; more are no register of levels.
MOST_DISTINCT = 3_000_000
#: Cells that a fit may have: its cost grows with them.
MOST_CELLS = 3_000_000

#: What each column holds, and the number of rows.
Counts = Counter[tuple[str | float | None, ...]]


def read_cells(register: Register, found: Found, aside: Path | None) -> Cells:
    """Count the rows of a register.

    Parameters
    ----------
    register : Register
    found : Found
        Its files.
    aside : Path or None
        Where rows that cannot be read are set aside, if the register asks for that.

    Returns
    -------
    Cells
        In the order of levels and shares, so that the same rows give the same cells.

    Raises
    ------
    StudyError
        If rows cannot be read and are not set aside, if there are too many cells, or if the
        files changed meanwhile.
    """
    marks = found.marks()
    with connected(register) as connection:
        parts = sources(register, found, connection)
        distinct, broken = _distinct(connection, parts, register)
        counts, bad = _read(distinct, register)
        rows = sum(n for *_, n in distinct) + broken
        unusable = broken + sum(n for *texts, n in distinct if _is_bad(texts, bad))
        if unusable:
            wanted = find_bad(connection, parts, found, {i: sorted(t) for i, t in bad.items()})
            if register.bad_rows == "stop":
                raise stop(register, unusable, rows, wanted)
            if aside is None:
                raise StudyError(
                    "rows that cannot be read are to be set aside; expected a folder for them: "
                    "give out",
                    file=register.files,
                )
            written = set_aside(register, wanted, aside)
            if written != unusable:
                raise StudyError(
                    f"{unusable:,} rows cannot be read, but {written:,} of them were found again; "
                    "expected files that stay as they are, with cells that need no guessing: mend "
                    "the rows set aside",
                    file=str(aside),
                )
    if found.marks() != marks:
        raise StudyError(
            "the files changed while they were read; expected files at rest: run it again",
            file=register.files,
        )
    return _cells(counts, register, Read(len(found.paths), rows, 0, unusable))


def _distinct(
    connection: DuckDBPyConnection, parts: Sequence[Source], register: Register
) -> tuple[list[tuple[Any, ...]], int]:
    """Distinct rows as texts with their number, and the number of broken records."""
    found: list[tuple[Any, ...]] = []
    for source in parts:
        found += connection.execute(counted(source, MOST_DISTINCT + 1)).fetchall()
        if len(found) > MOST_DISTINCT:
            raise _too_many(_about(connection, parts, register), f"more than {MOST_DISTINCT:,}")
    if parts[0].format == "parquet":
        return found, 0
    row = connection.execute(
        f"SELECT count(*) FROM (SELECT DISTINCT scan_id, file_id, line FROM {REJECTED})"
    ).fetchone()
    return found, int(row[0]) if row else 0


def _about(
    connection: DuckDBPyConnection, parts: Sequence[Source], register: Register
) -> dict[str, int]:
    """Number of distinct values of each column, within some percent."""
    columns = list(register.columns.values())
    totals = [0] * len(columns)
    for source in parts:
        asked = ", ".join(f"approx_count_distinct({identifier(c)})" for c in source.asked)
        row = connection.execute(f"SELECT {asked} FROM {source.rows()}").fetchone()
        totals = [max(a, int(b)) for a, b in zip(totals, row or (), strict=True)]
    return dict(zip(columns, totals, strict=True))


def _too_many(distinct: Mapping[str, int], how_many: str) -> StudyError:
    column = max(distinct, key=lambda name: distinct[name])
    counts = ", ".join(f"{name} {count:,}" for name, count in distinct.items())
    return StudyError(
        f"{how_many} combinations of values, at most {MOST_CELLS:,} can be fitted; expected fewer "
        f"distinct values, and has (about): {counts}; round this column in the files, or put its "
        "values into classes",
        column=column,
    )


def _is_bad(texts: Sequence[str], bad: Mapping[int, set[str]]) -> bool:
    return any(texts[place] in values for place, values in bad.items())


def _read(
    distinct: Sequence[tuple[Any, ...]], register: Register
) -> tuple[Counts, dict[int, set[str]]]:
    """Counts of what was read, and by position of the column the texts that cannot be read."""
    bad: dict[int, set[str]] = {}
    meant: list[dict[str, str | float | None]] = []
    for place, (key, read) in enumerate(register.readers().items()):
        known: dict[str, str | float | None] = {}
        for text in {row[place] for row in distinct}:
            try:
                known[text] = read(Cell("", 0, register.columns[key], text))
            except StudyError:
                bad.setdefault(place, set()).add(text)
        meant.append(known)
    counts: Counts = Counter()
    for *texts, n in distinct:
        if not _is_bad(texts, bad):
            counts[tuple(known[text] for known, text in zip(meant, texts, strict=True))] += n
    return counts, bad


def _cells(counts: Counts, register: Register, read: Read) -> Cells:
    without = sum(n for key, n in counts.items() if key[0] is None)
    keys: list[Any] = sorted(
        (key for key in counts if key[0] is not None), key=lambda key: (*key[1:], key[0])
    )
    columns = list(zip(*keys, strict=True)) or [()] * len(register.columns)
    if len(keys) > MOST_CELLS:
        sizes = [len(set(values)) for values in columns]
        names = register.columns.values()
        raise _too_many(dict(zip(names, sizes, strict=True)), f"{len(keys):,}")
    if not keys:
        raise StudyError(
            f"no row has a share; expected some in the column {register.columns['share']}",
            file=register.files,
        )
    return Cells(
        frozen(columns[0]),
        dict(zip(register.explaining, columns[1:], strict=True)),
        frozen([counts[key] for key in keys], np.int64),
        Read(read.files, read.rows, without, read.bad),
    )
