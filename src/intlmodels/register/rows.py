"""Rows of files: the distinct ones as written with the number of each, and those not readable.

They leave DuckDB as codes, column by column: millions of them take little memory.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import batched, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.csvtable import csv_rows
from intlmodels.core.errors import StudyError
from intlmodels.core.files import atomically
from intlmodels.register.files import File, Source, as_text, identifier, literal
from intlmodels.studies.register import Reader, RowFiles
from intlmodels.studies.sources import Cell

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


#: Codes of a row, each below a size.
Codes = NDArray[Any]
#: Largest product of sizes that a key may stand for.
_MOST = 2**62


def keys(columns: Sequence[tuple[Codes, int]]) -> NDArray[np.int64]:
    """One number a row, equal where all columns are, in the order of the columns' tuples."""
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
    """Rows with the same key put together."""
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    starts = np.flatnonzero(np.diff(sorted_key, prepend=sorted_key[:1] - 1))
    sums = np.add.reduceat(rows[order], starts) if len(starts) else rows[:0]
    return order[starts], sums


# -- distinct rows -----------------------------------------------------------------------

#: Table of the distinct rows, and of the texts of a column.
_ROWS, _TEXTS = "distinct_rows", "distinct_texts"


@dataclass(frozen=True, eq=False)
class Distinct:
    """Distinct rows of some files."""

    texts: tuple[tuple[str, ...], ...]  # Of each column that is read, what stands in it
    codes: tuple[NDArray[np.int32], ...]  # (distinct,): Of each column, positions in its texts
    rows: NDArray[np.int64]  # (distinct,): How many rows are like this
    broken: int  # Records of CSV files that are no rows; not among these

    @property
    def total(self) -> int:
        """All rows, with the broken ones."""
        return int(self.rows.sum()) + self.broken

    def having(self, texts: Sequence[set[str]]) -> NDArray[np.bool_]:
        """Whether a distinct row has one of some texts in a column, (distinct,)."""
        found = np.zeros(len(self.rows), dtype=bool)
        for own, codes, wanted in zip(self.texts, self.codes, texts, strict=True):
            if wanted:
                found |= np.array([text in wanted for text in own], dtype=bool)[codes]
        return found


def distinct_rows(connection: DuckDBPyConnection, source: Source, most: int) -> Distinct | None:
    """Count the rows of a source."""
    places = range(len(source.asked))
    names = [f"c{i}" for i in places]
    listed, values = ", ".join(names), ", ".join(map(identifier, source.asked))
    texts = ", ".join(map(as_text, names, source.types))
    # Grouped as they are, and made text afterwards: numbers are faster than texts.
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_ROWS} AS FROM (SELECT {texts}, n FROM "
        f"(SELECT {values}, count(*) FROM {source.rows()} GROUP BY ALL LIMIT {most + 1}) "
        f"AS grouped({listed}, n)) AS told({listed}, n)"
    )
    if connection.execute(f"SELECT count(*) FROM {_ROWS}").fetchall()[0][0] > most:
        return None
    known = []
    for i in places:  # what stands in a column, numbered in a table as in the tuple
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {_TEXTS}{i} AS "
            "SELECT value, CAST(row_number() OVER () - 1 AS INTEGER) AS code "
            f"FROM (SELECT DISTINCT c{i} AS value FROM {_ROWS})"
        )
        coded = connection.execute(f"SELECT value FROM {_TEXTS}{i} ORDER BY code").fetchall()
        known.append(tuple(str(row[0]) for row in coded))
    numbers = ", ".join(f"{_TEXTS}{i}.code AS c{i}" for i in places)
    joins = " ".join(f"JOIN {_TEXTS}{i} ON {_ROWS}.c{i} = {_TEXTS}{i}.value" for i in places)
    found = connection.execute(f"SELECT {numbers}, n FROM {_ROWS} {joins}").fetchnumpy()
    codes = tuple(np.asarray(found[f"c{i}"], dtype=np.int32) for i in places)
    rows = np.asarray(found["n"], dtype=np.int64)
    source.require_all(int(rows.sum()))
    return Distinct(tuple(known), codes, rows, source.broken)


def together(parts: Sequence[Distinct]) -> Distinct:
    """The distinct rows of several parts of the files, those that are equal added up."""
    if len(parts) == 1:
        return parts[0]
    texts, codes = [], []
    for place in range(len(parts[0].texts)):
        known: dict[str, int] = {}
        moved = []
        for part in parts:
            new = [known.setdefault(text, len(known)) for text in part.texts[place]]
            moved.append(np.array(new, np.int32)[part.codes[place]])
        texts.append(tuple(known))
        codes.append(np.concatenate(moved))
    rows = np.concatenate([part.rows for part in parts])
    sized = [(own, len(known)) for own, known in zip(codes, texts, strict=True)]
    first, sums = added(keys(sized), rows)
    broken = sum(part.broken for part in parts)
    return Distinct(tuple(texts), tuple(own[first] for own in codes), sums, broken)


# -- rows that cannot be read ------------------------------------------------------------

#: Rows that a message names.
MOST_NAMED = 5
#: Rows that are held in memory at a time.
CHUNK = 10_000


@dataclass(frozen=True)
class Bad:
    """A row that cannot be read."""

    file: str
    row: int  # As a spreadsheet counts rows of a CSV file (the header is 1); of Parquet from 1 on
    texts: tuple[str, ...]  # Cells of the columns that the register reads; none of a broken record
    record: str = ""  # A broken record as it stands in the file, and what is wrong with it
    problem: str = ""


def readable(register: RowFiles, key: str, texts: Iterable[str]) -> dict[str, Any]:
    """What those texts of a column stand for that can be read."""
    read, column = register.readers()[key], register.columns[key]
    found = {}
    for text in texts:
        try:
            found[text] = read(Cell("", 0, column, text))
        except StudyError:
            continue
    return found


def why_unread(bad: Bad, register: RowFiles, readers: Mapping[str, Reader]) -> StudyError | None:
    """Why a row cannot be read, with its place; None if it can."""
    if not bad.texts:
        return StudyError(bad.problem, file=bad.file, row=bad.row, value=bad.record)
    for (key, column), text in zip(register.columns.items(), bad.texts, strict=True):
        try:
            readers[key](Cell(bad.file, bad.row, column, text))
        except StudyError as error:
            return error
    return None


#: Why a row cannot be read, or is set aside with others; None if nothing is wrong.
Why = Callable[[Bad], StudyError | None]


def stop(
    register: RowFiles, count: int, rows: int, found: Iterator[Bad], why: Why | None = None
) -> StudyError:
    """The error for a register with rows that cannot be read, naming the first ones."""
    why = why or partial(why_unread, register=register, readers=register.readers())
    first = list(islice(found, MOST_NAMED))
    if not first:
        said = f"{count:,} rows cannot be read, but none of them was found again; wait until they "
        return StudyError(f"{said}are complete, and run the command again", file=register.files)
    others = [f"{bad.file} row {bad.row}" for bad in first[1:]]
    more = count - len(first)
    named = f", the next in {', '.join(others)}{f' and {more:,} more' * (more > 0)}" * bool(others)
    return StudyError(
        f"{why(first[0])} -- {count:,} of {rows:,} rows cannot be read{named}: fix the "
        'files, or write bad_rows = "set aside" in [register]'
    )


def set_aside(
    register: RowFiles, found: Iterator[Bad], path: Path | None, why: Why | None = None
) -> int:
    """Write all rows that cannot be read to a CSV file; return how many they are."""
    if path is None:
        said = "rows that cannot be read are to be set aside; expected a folder for them: give out"
        raise StudyError(said, file=register.files)
    why = why or partial(why_unread, register=register, readers=register.readers())
    count = 0
    with atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        header = ["file", "row", *register.columns.values(), "broken record", "why"]
        file.write(csv_rows([header]))
        for bad in found:
            texts = bad.texts or ("",) * len(register.columns)
            file.write(csv_rows([[bad.file, bad.row, *texts, bad.record, str(why(bad))]]))
            count += 1
    return count


def require_found_again(found: int, bad: int, aside: Path | None) -> None:
    """Refuse another number of rows set aside than were counted as not to be read."""
    if found != bad:
        raise StudyError(
            f"{bad:,} rows cannot be read, but {found:,} of them were found again; expected files "
            "that stay as they are, with cells that need no guessing: fix the rows set aside",
            file=str(aside),
        )


def find_bad(
    connection: DuckDBPyConnection, sources: Iterable[Source], texts: Sequence[Iterable[str]]
) -> Iterator[Bad]:
    """Rows that cannot be read, in the order of files and rows."""
    for place, values in enumerate(texts):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE bad{place} (value VARCHAR)")
        for some in batched(sorted(values), CHUNK):
            rows = ", ".join(f"({literal(value)})" for value in some)
            connection.execute(f"INSERT INTO bad{place} VALUES {rows}")
    places = [place for place, values in enumerate(texts) if values]
    for source in sources:
        for file in source.files:
            found = _bad_rows(connection, source.of(file), file, places) if places else iter(())
            if file.records is not None:
                records = file.records.broken(file, len(source.columns))
                broken = (Bad(file.name, *record) for record in records)
                found = heapq.merge(broken, found, key=lambda bad: bad.row)
            yield from found


def _bad_rows(
    connection: DuckDBPyConnection, source: Source, file: File, places: list[int]
) -> Iterator[Bad]:
    """Rows of a file that have one of the texts, as DuckDB sees them."""
    # DuckDB does not see broken records of CSV: those before a row move it down.
    lines = np.empty(0, np.int64) if file.records is None else file.records.bad[:, 0]
    before = lines - np.arange(len(lines)) - 1
    parquet = source.format == "parquet"
    number = "file_row_number + 1" if parquet else "row_number() OVER ()"
    named = ", ".join(f"{text} AS t{i}" for i, text in enumerate(source.texts()))
    bad = " OR ".join(f"t{place} IN (SELECT value FROM bad{place})" for place in places)
    result = connection.execute(
        f"SELECT * FROM (SELECT {number} AS n, {named} FROM {source.rows(numbered=parquet)}) "
        f"WHERE {bad} ORDER BY n"
    )
    while part := result.fetchmany(CHUNK):
        for n, *texts in part:
            row = int(n) + int(np.searchsorted(before, n, side="right")) + (not parquet)
            yield Bad(file.name, row, tuple(texts))
