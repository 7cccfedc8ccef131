"""A first look at a register: its headers and first rows, before all of it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from intlmodels.core.errors import StudyError, one_line
from intlmodels.register.engine import Source, connected, ready, sources
from intlmodels.register.files import find, first_records
from intlmodels.study import RowFiles, describe
from intlmodels.study.sources import Cell

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


#: Rows of the first file that are looked at.
MOST_ROWS = 1000


def looked_lines(register: RowFiles) -> Iterator[str]:
    """What will be read, for a person to check; the rows are counted by a fit or ``reduce``.

    Raises
    ------
    StudyError
        If a file has not all columns, or there is none.
    """
    yield describe(register)
    found = find(register)
    size = sum(path.stat().st_size for path in found.paths)
    yield f"found: {len(found.paths):,} {found.format} files, {size / 1e6:,.1f} MB"
    with connected(register) as connection:
        source = sources(register, found, connection)[0]
        rows = _first_rows(connection, source)
    yield one_line(f"the first {len(rows):,} rows of {source.files[0].name}:")
    for place, (key, column) in enumerate(register.columns.items()):
        yield from _column(register, key, column, [str(row[place]) for row in rows])
    yield "the rest is read by intlmodels reduce or intlmodels fit"


def _first_rows(connection: DuckDBPyConnection, source: Source) -> list[Sequence[str]]:
    if source.format == "parquet":
        some = ready(connection, source)
        query = f"SELECT {', '.join(some.texts())} FROM {some.rows()} LIMIT {MOST_ROWS}"
        return connection.execute(query).fetchall()
    first = source.files[0]
    at = [source.columns.index(name) for name in source.asked]
    records = first_records(Path(first.path), first.name, MOST_ROWS + 1)[1:]
    width = len(source.columns)
    return [[record[i] for i in at] for record in records if len(record) == width]


def _column(register: RowFiles, key: str, column: str, texts: list[str]) -> Iterator[str]:
    read = register.readers()[key]
    values, wrong = set(), []
    for text in dict.fromkeys(texts):
        try:
            values.add(read(Cell(register.files, 0, column, text)))
        except StudyError:
            wrong.append(text)
    told = sorted(str(value) for value in values if value is not None)
    more = f" and {len(told) - 8} more" if len(told) > 8 else ""
    yield one_line(f"  {column}: {len(told)} values: {', '.join(told[:8])}{more}")
    if wrong:
        shown = ", ".join(repr(text) for text in wrong[:5])
        yield one_line(f"    cannot be read: {shown}{' and others' * (len(wrong) > 5)}")
