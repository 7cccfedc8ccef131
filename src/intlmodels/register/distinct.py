"""The distinct rows of files, as they are written, with the number of each.

However many rows there are, few are different. They leave DuckDB as codes, column by column:
millions of them take little memory, and those of several parts of the files are soon added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intlmodels.register.columns import added, as_text, keys
from intlmodels.register.engine import Source, identifier

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


#: Table of the distinct rows, and of the texts of a column.
_ROWS, _TEXTS = "distinct_rows", "distinct_texts"


@dataclass(frozen=True, eq=False)
class Distinct:
    """Distinct rows of some files.

    Attributes
    ----------
    texts : tuple of tuple of str
        Of each column that is read, what stands in it.
    codes : tuple of array of int, shape (distinct,)
        Of each column, positions in its texts.
    rows : array of int, shape (distinct,)
        How many rows are like this.
    broken : int
        Records of CSV files that are no rows; not among these.
    """

    texts: tuple[tuple[str, ...], ...]
    codes: tuple[NDArray[np.int32], ...]
    rows: NDArray[np.int64]
    broken: int

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
    """Count the rows of a source.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    source : Source
        Ready to be read.
    most : int
        Distinct rows that are counted; None is returned if there are more.
    """
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
    if _number(connection, f"SELECT count(*) FROM {_ROWS}") > most:
        return None
    known = tuple(_texts(connection, i) for i in places)
    coded = ", ".join(f"{_TEXTS}{i}.code AS c{i}" for i in places)
    joins = " ".join(f"JOIN {_TEXTS}{i} ON {_ROWS}.c{i} = {_TEXTS}{i}.value" for i in places)
    found = connection.execute(f"SELECT {coded}, n FROM {_ROWS} {joins}").fetchnumpy()
    codes = tuple(np.asarray(found[f"c{i}"], dtype=np.int32) for i in places)
    rows = np.asarray(found["n"], dtype=np.int64)
    source.require_all(int(rows.sum()))
    return Distinct(known, codes, rows, source.broken)


def _texts(connection: DuckDBPyConnection, place: int) -> tuple[str, ...]:
    """What stands in a column, numbered in a table as in the tuple."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_TEXTS}{place} AS "
        "SELECT value, CAST(row_number() OVER () - 1 AS INTEGER) AS code "
        f"FROM (SELECT DISTINCT c{place} AS value FROM {_ROWS})"
    )
    rows = connection.execute(f"SELECT value FROM {_TEXTS}{place} ORDER BY code").fetchall()
    return tuple(str(row[0]) for row in rows)


def _number(connection: DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def together(parts: Sequence[Distinct]) -> Distinct:
    """The distinct rows of several parts of the files, those that are equal added up."""
    if len(parts) == 1:
        return parts[0]
    texts, codes = [], []
    for place in range(len(parts[0].texts)):
        known: dict[str, int] = {}
        moved = [
            np.array([known.setdefault(text, len(known)) for text in part.texts[place]], np.int32)[
                part.codes[place]
            ]
            for part in parts
        ]
        texts.append(tuple(known))
        codes.append(np.concatenate(moved))
    rows = np.concatenate([part.rows for part in parts])
    sized = [(own, len(known)) for own, known in zip(codes, texts, strict=True)]
    first, sums = added(keys(sized), rows)
    broken = sum(part.broken for part in parts)
    return Distinct(tuple(texts), tuple(own[first] for own in codes), sums, broken)
