"""Rows of a register that cannot be read: found again by file and row, reported or set aside."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from intlmodels.core.csvtable import csv_rows
from intlmodels.core.errors import StudyError
from intlmodels.core.files import atomically
from intlmodels.register.engine import File, Source, literal
from intlmodels.study import RowFiles
from intlmodels.study.sources import Cell

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


#: Rows that a message names.
MOST_NAMED = 5
#: Rows that are held in memory at a time.
CHUNK = 10_000


@dataclass(frozen=True)
class Bad:
    """A row that cannot be read.

    Attributes
    ----------
    file : str
    row : int
        As a spreadsheet counts rows of a CSV file (the header is 1); of Parquet from 1 on.
    texts : tuple of str
        Cells of the columns that the register reads; none of a broken record.
    record, problem : str
        A broken record as it stands in the file, and what is wrong with it.
    """

    file: str
    row: int
    texts: tuple[str, ...]
    record: str = ""
    problem: str = ""


def why(bad: Bad, register: RowFiles) -> StudyError:
    """What is wrong with a row, with its place."""
    columns = register.columns
    for (key, column), text in zip(columns.items(), bad.texts, strict=False):
        try:
            register.readers()[key](Cell(bad.file, bad.row, column, text))
        except StudyError as error:
            return error
    return StudyError(bad.problem, file=bad.file, row=bad.row, value=bad.record)


def stop(
    register: RowFiles,
    count: int,
    rows: int,
    found: Iterator[Bad],
    said: Callable[[Bad], StudyError] | None = None,
) -> StudyError:
    """The error for a register with rows that cannot be read, naming the first ones.

    ``said`` tells why a row cannot be read, :func:`why` if it is not given.
    """
    said = said or partial(why, register=register)
    first = [bad for bad, _ in zip(found, range(MOST_NAMED), strict=False)]
    if not first:
        return StudyError(
            f"{count:,} rows cannot be read, but none of them was found again; expected files at "
            "rest: run it again",
            file=register.files,
        )
    others = [f"{bad.file} row {bad.row}" for bad in first[1:]]
    more = count - len(first)
    named = f", the next in {', '.join(others)}{f' and {more:,} more' * (more > 0)}" * bool(others)
    return StudyError(
        f"{said(first[0])} -- {count:,} of {rows:,} rows cannot be read{named}: mend the "
        'files, or write bad_rows = "set aside" in [register]'
    )


def set_aside(
    register: RowFiles,
    found: Iterator[Bad],
    path: Path,
    said: Callable[[Bad], StudyError] | None = None,
) -> int:
    """Write all rows that cannot be read to a CSV file; return how many they are."""
    said = said or partial(why, register=register)
    count = 0
    with atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        header = ["file", "row", *register.columns.values(), "broken record", "why"]
        file.write(csv_rows([header]))
        for bad in found:
            texts = bad.texts or ("",) * len(register.columns)
            file.write(csv_rows([[bad.file, bad.row, *texts, bad.record, str(said(bad))]]))
            count += 1
    return count


def find_bad(
    connection: DuckDBPyConnection,
    sources: Iterable[Source],
    texts: Sequence[Iterable[str]],
) -> Iterator[Bad]:
    """Rows that cannot be read, in the order of files and rows.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    sources : iterable of Source
        Ready to be read.
    texts : sequence of iterable of str
        Of each column that is read, the texts that cannot be.
    """
    for place, values in enumerate(texts):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE bad{place} (value VARCHAR)")
        for some in batched(sorted(values), CHUNK):
            rows = ", ".join(f"({literal(value)})" for value in some)
            connection.execute(f"INSERT INTO bad{place} VALUES {rows}")
    places = [place for place, values in enumerate(texts) if values]
    for source in sources:
        search = _in_parquet if source.format == "parquet" else _in_csv
        for file in source.files:
            yield from search(connection, source.of(file), file, places)


def _in_parquet(
    connection: DuckDBPyConnection, source: Source, file: File, places: list[int]
) -> Iterator[Bad]:
    texts = source.texts()
    bad = " OR ".join(f"{texts[place]} IN (SELECT value FROM bad{place})" for place in places)
    result = connection.execute(
        f"SELECT file_row_number, {', '.join(texts)} FROM {source.rows(numbered=True)} "
        f"WHERE {bad or 'false'} ORDER BY file_row_number"
    )
    while part := result.fetchmany(CHUNK):
        for row in part:
            yield Bad(file.name, int(row[0]) + 1, tuple(row[1:]))


def _in_csv(
    connection: DuckDBPyConnection, source: Source, file: File, places: list[int]
) -> Iterator[Bad]:
    assert file.records is not None
    broken = (Bad(file.name, *record) for record in file.records.broken(file, len(source.columns)))
    rows = _rows_of_csv(connection, source, file, places) if places else ()
    yield from heapq.merge(broken, rows, key=lambda bad: bad.row)


def _rows_of_csv(
    connection: DuckDBPyConnection, source: Source, file: File, places: list[int]
) -> Iterator[Bad]:
    assert file.records is not None
    # DuckDB does not see broken records: those before a row move it down.
    lines = file.records.bad[:, 0]
    before = lines - np.arange(len(lines)) - 1
    named = ", ".join(f"{text} AS t{i}" for i, text in enumerate(source.texts()))
    bad = " OR ".join(f"t{place} IN (SELECT value FROM bad{place})" for place in places)
    result = connection.execute(
        f"SELECT * FROM (SELECT row_number() OVER () AS n, {named} FROM {source.rows()}) "
        f"WHERE {bad} ORDER BY n"
    )
    while part := result.fetchmany(CHUNK):
        for n, *texts in part:
            row = int(n) + 1 + int(np.searchsorted(before, n, side="right"))
            yield Bad(file.name, row, tuple(texts))
