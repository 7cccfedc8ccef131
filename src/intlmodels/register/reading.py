"""From the rows of a register to its cells: one pass that counts, and checks of what is distinct.

DuckDB groups the rows by what stands in their columns; a register of any size has few distinct
texts in a column, and these are read by the same code as the cells of a small table.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError
from intlmodels.core.scheduler import Bar
from intlmodels.register.badrows import MOST_NAMED, Bad, find_bad, set_aside, stop
from intlmodels.register.columns import added, keys
from intlmodels.register.distinct import Distinct, distinct_rows, together
from intlmodels.register.distributed import spread
from intlmodels.register.engine import Source, connected, identifier, in_order, ready, sources
from intlmodels.register.files import Found
from intlmodels.study import Register
from intlmodels.study.columns import frozen
from intlmodels.study.register import Cells, Coded, Read
from intlmodels.study.sources import Cell

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


#: Distinct rows, as written, that are looked at; more are no register of levels.
MOST_DISTINCT = 4_000_000
#: Cells that a fit may have.
MOST_CELLS = 3_000_000


class Counting(Protocol):
    """What counts the rows of a register: this computer, or the workers of a scheduler."""

    def distinct(self, most: int) -> Distinct | None:
        """The distinct rows; None if there are more than so many."""

    def bad(self, texts: Sequence[set[str]], most: int | None) -> Generator[Bad]:
        """The rows that have one of these texts or are broken, in order; at most so many."""


@dataclass(frozen=True)
class Here:
    """The rows of a register, counted by this computer."""

    connection: DuckDBPyConnection
    sources: list[Source]
    found: Found

    def distinct(self, most: int) -> Distinct | None:
        """See :class:`Counting`."""
        parts = []
        for source in self.sources:
            part = distinct_rows(self.connection, source, most)
            if part is None:
                return None
            parts.append(part)
        whole = together(parts)
        return None if len(whole.rows) > most else whole

    def bad(self, texts: Sequence[set[str]], most: int | None) -> Generator[Bad]:
        """See :class:`Counting`."""
        found = find_bad(self.connection, in_order(self.sources, self.found), texts)
        yield from islice(found, most)


def read_cells(
    register: Register, found: Found, aside: Path | None, scheduler: str | None, bar: Bar
) -> Cells:
    """Count the rows of a register.

    Parameters
    ----------
    register : Register
    found : Found
        Its files.
    aside : Path or None
        Where rows that cannot be read are set aside, if the register asks for that.
    scheduler : str or None
        Address of a Dask scheduler, whose workers then count.
    bar : callable
        Shows how far they are.

    Returns
    -------
    Cells
        In the order of levels and shares, so that the same rows give the same cells.

    Raises
    ------
    StudyError
        If rows cannot be read and are not set aside, if there are too many cells, if the files
        changed meanwhile, or for a scheduler or workers that cannot be used.
    """
    marks = found.marks()
    with connected(register) as connection:
        files = sources(register, found, connection)
        with _counting(register, files, found, connection, scheduler, bar) as counting:
            distinct = counting.distinct(MOST_DISTINCT)
            if distinct is None:
                about = _about(connection, files, register)
                raise _too_many(about, f"more than {MOST_DISTINCT:,}")
            meanings = _meanings(distinct, register)
            bad = [meaning.bad for meaning in meanings]
            wrong = distinct.having(bad)
            unusable = distinct.broken + int(distinct.rows[wrong].sum())
            if unusable and register.bad_rows == "stop":
                with closing(counting.bad(bad, MOST_NAMED)) as first:
                    raise stop(register, unusable, distinct.total, first)
            read = Read(len(found.paths), distinct.total, 0, unusable)
            cells = _cells(distinct, ~wrong, meanings, register, read)
            if unusable:
                _put_aside(register, counting.bad(bad, None), unusable, aside)
    if found.marks() != marks:
        if unusable and aside is not None:
            aside.unlink(missing_ok=True)
        raise StudyError(
            "the files changed while they were read; expected files at rest: run it again",
            file=register.files,
        )
    return cells


def _counting(
    register: Register,
    files: list[Source],
    found: Found,
    connection: DuckDBPyConnection,
    scheduler: str | None,
    bar: Bar,
) -> AbstractContextManager[Counting]:
    if scheduler is None:
        return nullcontext(Here(connection, [ready(connection, file) for file in files], found))
    return spread(register, files, found, connection, scheduler, bar)


def _put_aside(register: Register, found: Iterator[Bad], unusable: int, aside: Path | None) -> None:
    if aside is None:
        raise StudyError(
            "rows that cannot be read are to be set aside; expected a folder for them: give out",
            file=register.files,
        )
    written = set_aside(register, found, aside)
    if written != unusable:
        raise StudyError(
            f"{unusable:,} rows cannot be read, but {written:,} of them were found again; "
            "expected files that stay as they are, with cells that need no guessing: mend "
            "the rows set aside",
            file=str(aside),
        )


def _about(
    connection: DuckDBPyConnection, parts: Sequence[Source], register: Register
) -> dict[str, int]:
    """Number of distinct values of each column, within some percent."""
    columns = list(register.columns.values())
    totals = [0] * len(columns)
    for part in parts:
        source = ready(connection, part)
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


@dataclass(frozen=True)
class Meaning:
    """What the texts of a column stand for.

    Attributes
    ----------
    values : list of str, float or None
        By the code of the text; None for no share, and where it cannot be read.
    bad : set of str
        Texts that cannot be read.
    """

    values: list[Any]
    bad: set[str]


def _meanings(distinct: Distinct, register: Register) -> list[Meaning]:
    found = []
    readers = register.readers().items()
    for (key, read), texts in zip(readers, distinct.texts, strict=True):
        meaning = Meaning([], set())
        for text in texts:
            try:
                meaning.values.append(read(Cell("", 0, register.columns[key], text)))
            except StudyError:
                meaning.values.append(None)
                meaning.bad.add(text)
        found.append(meaning)
    return found


def _cells(
    distinct: Distinct,
    good: NDArray[np.bool_],
    meanings: list[Meaning],
    register: Register,
    read: Read,
) -> Cells:
    """The cells of those rows that can be read."""
    shares = np.array([value is not None for value in meanings[0].values], dtype=bool)
    shared = good & shares[distinct.codes[0]]
    without = int(distinct.rows[good].sum() - distinct.rows[shared].sum())
    share, *columns = (
        Coded.of(meaning.values, codes[shared])
        for meaning, codes in zip(meanings, distinct.codes, strict=True)
    )
    # By predictors first: shares of the same levels stand together.
    key = keys([(column.codes, len(column.levels)) for column in (*columns, share)])
    first, rows = added(key, distinct.rows[shared])
    if len(rows) > MOST_CELLS:
        names = register.columns.values()
        sizes = [len(column.levels) for column in (share, *columns)]
        raise _too_many(dict(zip(names, sizes, strict=True)), f"{len(rows):,}")
    if not len(rows):
        told = f"; {read.bad:,} of {read.rows:,} rows cannot be read" if read.bad else ""
        told += ': bad_rows = "stop" names the first' if read.bad else ""
        raise StudyError(
            f"no row has a share; expected some in the column {register.columns['share']}{told}",
            file=register.files,
        )
    coded = [Coded(column.levels, frozen(column.codes[first], np.int32)) for column in columns]
    return Cells(
        frozen(np.array(share.levels)[share.codes[first]]),
        dict(zip(register.explaining, coded, strict=True)),
        frozen(rows, np.int64),
        Read(read.files, read.rows, without, read.bad),
    )
