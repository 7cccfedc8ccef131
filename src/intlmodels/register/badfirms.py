"""Decisions that cannot be read: the rows, and the firms whose sequence is not known for them.

A row that is set aside leaves a gap in its firm's sequence: later decisions would count too few
before them. So all rows of such a firm are set aside with it, and none without being written down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from intlmodels.csvtable import clean_label
from intlmodels.errors import StudyError
from intlmodels.register import badrows
from intlmodels.register.badrows import Bad, find_bad
from intlmodels.register.decisionrows import UNREAD, Readings, rows
from intlmodels.register.engine import Source, in_order
from intlmodels.register.files import Found
from intlmodels.study.dates import EXAMPLES
from intlmodels.study.sequences import DecisionRegister
from intlmodels.study.sources import Cell

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Different texts that cannot be read, and names of firms set aside, at most.
MOST = 100_000
#: Why a firm is set aside, by what is found.
_REASONS = {
    "unread": "another row of this firm cannot be read, so that its sequence is not known",
    "sizes": "the rows of this firm give two sizes; expected one",
    "back": "by its dates this firm goes back to an earlier period; expected periods in order of "
    "time",
}


@dataclass
class Unreadable:
    """What cannot be read of a register of decisions, and the firms that it concerns.

    Attributes
    ----------
    connection : duckdb.DuckDBPyConnection
    register : DecisionRegister
    parts : sequence of Source
    found : Found
        The files.
    readings : Readings
    texts : dict of int to list of str
        Position of a column -> its texts that cannot be read.
    firms : dict of str to str
        Firm that is left out -> why, a key of the reasons; also in the table ``excluded``.
    """

    connection: DuckDBPyConnection
    register: DecisionRegister
    parts: Sequence[Source]
    found: Found
    readings: Readings
    texts: dict[int, list[str]] = field(default_factory=dict)
    firms: dict[str, str] = field(default_factory=dict)

    def find_texts(self) -> None:
        """Find :attr:`texts`."""
        # The period follows from the date where no column has it.
        values = {"firm": "firm", "flag": "y", "when": "w", "size": "s", "period": "p"}
        for place, key in enumerate(self.register.columns):
            unread = f"{values[key]} IS NULL"
            if key == "when" and "period" not in self.register.columns:
                unread += " OR p IS NULL"
            self.texts[place] = self._names(place, unread)

    def find_fellows(self) -> None:
        """Leave the firms of rows out that cannot be read."""
        self._exclude(
            f"SELECT DISTINCT firm, 'unread' FROM {self._rows()} "
            f"WHERE {UNREAD} AND firm IS NOT NULL"
        )

    def find_conflicting(self) -> None:
        """Leave firms out that have two sizes, or go back to an earlier period."""
        kept = " WHERE firm NOT IN (SELECT firm FROM excluded)" if self.firms else ""
        self._exclude(
            "SELECT firm, CASE WHEN min(s) < max(s) THEN 'sizes' ELSE 'back' END FROM (SELECT "
            "firm, s, lag(p) OVER (PARTITION BY firm ORDER BY w, part, n) > p AS back "
            f"FROM {self._rows()}{kept}) GROUP BY firm HAVING min(s) < max(s) OR bool_or(back)"
        )

    def _exclude(self, query: str) -> None:
        self.connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS excluded (firm VARCHAR, reason VARCHAR)"
        )
        self.connection.execute(f"INSERT INTO excluded {query}")
        found = self.connection.execute(
            f"SELECT firm, reason FROM excluded ORDER BY firm LIMIT {MOST + 1}"
        ).fetchall()
        self._require_few(len(found), 0)
        self.firms = {str(firm): str(reason) for firm, reason in found}

    def _rows(self) -> str:
        return rows(self.register, self.parts, self.readings, raw=True)

    def _names(self, place: int, where: str) -> list[str]:
        found = self.connection.execute(
            f"SELECT DISTINCT t{place} FROM {self._rows()} WHERE {where} LIMIT {MOST + 1}"
        ).fetchall()
        self._require_few(len(found), place)
        return sorted(str(text) for (text,) in found)

    def _require_few(self, count: int, place: int) -> None:
        if count > MOST:
            raise StudyError(
                f"more than {MOST:,} of its values belong to rows that cannot be read; expected "
                "few: mend the files, or see whether study.toml names the right columns",
                file=self.register.files,
                column=[*self.register.columns.values()][place],
            )

    def rows(self) -> Iterator[Bad]:
        """Rows that cannot be read, and all rows of firms left out, by file and row."""
        texts = dict(self.texts)
        if self.firms:
            named = self._names(0, "firm IN (SELECT firm FROM excluded)")
            texts[0] = sorted({*texts.get(0, ()), *named})
        unread = [texts.get(place, []) for place in range(len(self.register.columns))]
        return find_bad(self.connection, in_order(self.parts, self.found), unread)

    def why(self, bad: Bad) -> StudyError:
        """What is wrong with a row, or with its firm, with its place."""
        own = self.own(bad)
        if own is not None:
            return own
        cell = Cell(bad.file, bad.row, self.register.columns["firm"], bad.texts[0])
        return cell.error(_REASONS[self.firms[clean_label(bad.texts[0])]])

    def own(self, bad: Bad) -> StudyError | None:
        """Why a row itself cannot be read; None if it can."""
        if not bad.texts:
            return badrows.why(bad, self.register)
        columns = self.register.columns
        readers = self.register.readers().items()
        for place, ((key, read), text) in enumerate(zip(readers, bad.texts, strict=True)):
            cell = Cell(bad.file, bad.row, columns[key], text)
            try:
                read(cell)
            except StudyError as error:
                return error
            if key == "when" and text in self.texts.get(place, ()):
                return cell.error(self._dates())
        return None

    def _dates(self) -> str:
        example = EXAMPLES[self.readings.form]
        if self.register.starts and self.readings.form in ("number", "place"):
            return "expected a year, as [periods] starts places decisions by their year"
        return f"expected a date that exists, written like most dates of this register: {example}"


def conflict(unreadable: Unreadable) -> StudyError:
    """The error for firms whose rows contradict each other, naming the first row of one."""
    first = next(unreadable.rows())
    return StudyError(
        f"{unreadable.why(first)} -- firms like this one: {len(unreadable.firms):,}; mend the "
        'files, or write bad_rows = "set aside" in [register]'
    )
