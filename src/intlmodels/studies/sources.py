"""The tables of a study, joined by firm, and held against each other.

Every other file of a study is joined to the list of firms by name, so that no column can
slip by a row. Where firms repeat, the rows of the main file are the rows of the study, and what
another file says of a firm holds for all of them.

A study says in ``[crosschecks.NAME]`` which columns print the same thing, or which numbers
cannot come to more than some total. Nothing is corrected here; what does not agree is named.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from intlmodels.core.csvtable import (
    MISSING,
    Files,
    Table,
    clean_label,
    clean_name,
    parse_number,
    read_table,
)
from intlmodels.core.errors import StudyError, did_you_mean, listed, shown
from intlmodels.core.workbook import split_book
from intlmodels.studies.schema import AtMostTable, RowsTable, SameTable, wrong

if TYPE_CHECKING:
    import pandas as pd


#: What people write for a word, by what they write.
_MEANT = {
    **dict.fromkeys(("true", "t", "1", "y", "x"), "yes"),
    **dict.fromkeys(("false", "f", "0", "n", "-"), "no"),
    **dict.fromkeys(("=", "==", "equals", "is", "exactly"), "equal"),
    **dict.fromkeys((">=", "=>", "\N{GREATER-THAN OR EQUAL TO}", "min", "least"), "at least"),
    **dict.fromkeys(("<=", "=<", "\N{LESS-THAN OR EQUAL TO}", "max", "most"), "at most"),
    **dict.fromkeys(("exact", "certain", "sure"), "hard"),
    **dict.fromkeys(("soft", "uncertain", "unsure"), "noisy"),
}


def in_column(message: str, file: str, column: str, value: object = None) -> StudyError:
    """The error for a column as a whole."""
    return StudyError(message, file=file, column=column, value=value)


@dataclass(frozen=True)
class Cell:
    """A cell with its place."""

    file: str
    row: int
    column: str
    text: str

    def error(self, message: str) -> StudyError:
        """The error for this cell."""
        return StudyError(
            message, file=self.file, row=self.row, column=self.column, value=self.text
        )

    @property
    def missing(self) -> bool:
        """Whether the cell says that a value is not known."""
        return clean_label(self.text) in MISSING

    def number(self) -> float:
        """Read the cell as a number."""
        try:
            return parse_number(self.text)
        except ValueError as error:
            raise self.error(str(error)) from error

    def label(self) -> str:
        """Read the cell as a label, with single white space."""
        if self.missing:
            raise self.error(
                "expected a label; a missing label needs a level of its own, such as "
                "'not reported' (if NA is a label write it in full), or delete the firm"
            )
        return clean_label(self.text)

    def word(self, options: Iterable[str], otherwise: str = "") -> str:
        """Read the cell as one of a few words; ``""`` among them allows an empty cell."""
        words = list(options)
        said = clean_label(self.text)
        if said in words:
            return said
        meant = _MEANT.get(said.casefold())
        hint = f": write {meant}" if meant in words else did_you_mean(said, words) or otherwise
        nothing = ", or nothing" if "" in words else ""
        raise self.error(f"expected one of {listed(w for w in words if w)}{nothing}{hint}")


#: Where the rows of a firm belong that the table of the firms has twice.
_REPEATED = "rows of the same firm in several years go under [rows], with unit and time"


def require_numbers(cells: Sequence[Cell]) -> None:
    """Refuse a column without a single number in one line, not in one for each cell."""
    known, errors = [cell for cell in cells if not cell.missing], []
    for cell in known:
        try:
            cell.number()
            return
        except StudyError as error:
            errors.append(error)
    if len(known) > 1:
        said = f"no cell has a number: name another column; {errors[0].message}"
        raise in_column(said, known[0].file, known[0].column, known[0].text)


class Sources:
    """The tables of a study, joined by firm; collects how cells were read."""

    def __init__(
        self,
        files: Files,
        file: str,
        column: str,
        keys: Mapping[str, str],
        rows: RowsTable | None = None,
        repeated: str = _REPEATED,
    ) -> None:
        self.files = files
        #: Where the rows of firms that are listed more than once belong.
        self.repeated = repeated
        #: The table that lists the firms, or the rows, and the column with the firms' names.
        self.file, self.column = file, clean_label(column)
        #: How rows are listed, if firms may repeat; and what one of ``firms`` is.
        self.listing, self.one = rows, "row" if rows else "firm"
        # File to the column with the names of the firms, where that is another one.
        self._keys = {file: column, **keys}
        #: Every table read so far, as printed.
        self.tables: dict[str, Table] = {}
        #: Cells whose white space or Unicode form was changed: place to (printed, read as).
        self.read_as: dict[tuple[str, int, str], tuple[str, str]] = {}
        self._rows: dict[str, dict[str, int]] = {}
        names = self._firm_cells(file)
        #: In the order of the table that lists them: names of the firms; of rows their labels.
        self.firms = tuple(clean_name(cell.text) for cell in names.values())
        #: The firm of each, by the name that joins tables.
        self.units = tuple(names)
        #: Periods in the order of time, and the position of each row's among them.
        self.periods: tuple[str, ...] = ()
        self.period_codes: tuple[int, ...] = ()
        self._places = tuple(range(len(self.firms)))
        if rows is not None:
            self._list_rows(rows)
        #: The same of all that are listed, also of those that are left out.
        self.listed = self.firms, self.units

    def key(self, file: str) -> str:
        """The column of a file that has the names of the firms."""
        return clean_label(self._keys.get(file, self.column))

    def keep(self, positions: Sequence[int]) -> None:
        """Leave out all firms, or rows, but those at these positions."""
        self.firms = tuple(self.firms[i] for i in positions)
        self.units = tuple(self.units[i] for i in positions)
        self.period_codes = tuple(self.period_codes[i] for i in positions if self.periods)
        self._places = tuple(self._places[i] for i in positions)

    def cells(self, file: str, column: str, asked_by: str) -> tuple[Cell, ...]:
        """Cells of a column, one a firm or row, in the order of these."""
        table = self.table(file)
        if file not in self._rows:
            self._match(file, self._firm_cells(file))
        texts, name = table.column(column, asked_by), clean_label(column)
        places: Iterable[int] = self._places
        if file != self.file:
            places = map(self._rows[file].__getitem__, self.units)
        return tuple(Cell(file, place + 2, name, texts[place]) for place in places)

    def note(self, cell: Cell, read_as: str) -> str:
        """Record how a cell was read, if not as printed."""
        if cell.text != read_as:
            self.read_as[cell.file, cell.row, cell.column] = (cell.text, read_as)
        return read_as

    def label(self, cell: Cell) -> str:
        """Read a cell as a label."""
        return self.note(cell, cell.label())

    def level(self, cell: Cell, separator: str) -> str:
        """The level that a cell stands for: its label, or what is before the separator."""
        label = self.label(cell)
        level = clean_label(label.split(separator)[0]) if separator else label
        if not level:
            raise cell.error(f"expected a label before the family separator {shown(separator)}")
        return level

    def word(self, cell: Cell, options: Iterable[str]) -> str:
        """Read a cell as one of a few words: see :meth:`Cell.word`."""
        return self.note(cell, cell.word(options))

    def table(self, file: str, one: str = "firm") -> Table:
        """A table of the study as printed, read once."""
        if file not in self.tables:
            self.tables[file] = read_table(self.files, file, one)
        return self.tables[file]

    def column_cells(
        self, file: str, column: str, asked_by: str = "", one: str = "firm"
    ) -> list[Cell]:
        """Cells of a column in the order of the file, whatever its rows are."""
        name = clean_label(column)
        texts = self.table(file, one).column(name, asked_by)
        return [Cell(file, row, name, text) for row, text in enumerate(texts, start=2)]

    def _firm_cells(self, file: str) -> dict[str, Cell]:
        """First cell with the name of each firm by the name that joins them (single blanks)."""
        repeat = self.listing is not None and file == self.file
        found: dict[str, Cell] = {}
        asked = "[rows] unit or key" if self.listing else "[firms] column or key"
        for cell in self.column_cells(file, self.key(file), asked):
            name = clean_label(cell.text)
            if not name:
                raise cell.error("expected the name of a firm; name it or delete the row")
            self.note(cell, name if repeat else clean_name(cell.text))
            if name not in found:
                found[name] = cell
            elif not repeat:
                raise cell.error(
                    f"the firm is already in row {found[name].row}; expected every firm once: "
                    f"delete one{f'; {self.repeated}' if file == self.file else ''}"
                )
        self._rows[file] = {name: cell.row - 2 for name, cell in found.items()}
        return found

    def _list_rows(self, listing: RowsTable) -> None:
        """List the rows of a file in which firms repeat."""
        cells = self.column_cells(self.file, self.column)
        self.units = tuple(clean_label(cell.text) for cell in cells)
        self._places = tuple(range(len(cells)))
        if listing.time:
            times = self.column_cells(self.file, listing.time, "[rows] time")
            key = "[rows] levels"
            self.periods, self.period_codes = in_time(times, listing.levels, key, self)
            first: dict[tuple[str, int], int] = {}
            for cell, unit, code in zip(times, self.units, self.period_codes, strict=True):
                row = first.setdefault((unit, code), cell.row)
                if row != cell.row:
                    raise cell.error(
                        f"{shown(unit)} has this period already in row {row}; expected every "
                        "firm once in a period: fix or delete one of the two rows"
                    )
        often = Counter(self.units)
        if max(often.values()) == 1:
            self.firms = self.units
            return
        if listing.time:
            pairs = zip(self.units, self.period_codes, strict=True)
            labels = [f"{unit}, {self.periods[code]}" for unit, code in pairs]
        else:
            met: Counter[str] = Counter()
            labels = []
            for unit in self.units:
                met[unit] += 1
                labels.append(f"{unit} ({met[unit]})" if often[unit] > 1 else unit)
        seen: dict[str, Cell] = {}
        for label, cell in zip(labels, cells, strict=True):
            if label in seen:
                raise cell.error(
                    f"this row and row {seen[label].row} would both be called {shown(label)}; "
                    "expected names that differ more: rename one"
                )
            seen[label] = cell
        self.firms = tuple(labels)

    def _match(self, file: str, found: Mapping[str, Cell]) -> None:
        known = self._rows[self.file]
        for name, cell in found.items():
            if name not in known:
                raise cell.error(
                    f"expected a firm of {self.file}{did_you_mean(name, known)}; add it there or "
                    "delete this row"
                )
        for name, position in known.items():
            if name not in found:
                raise Cell(self.file, position + 2, self.column, name).error(
                    f"expected a row for every firm of {self.file}, but {file} has none for this "
                    f"one{did_you_mean(name, found)}; add the row or delete the firm"
                )


# -- periods in the order of time --------------------------------------------------------

#: Periods whose order is that of their letters, as long as all are written alike.
_DATES = {
    "year and month": r"\d{4}-(0[1-9]|1[0-2])",
    "date": r"\d{4}-\d\d-\d\d",
    "week": r"\d{4}-W(0[1-9]|[1-4]\d|5[0-3])",
    "quarter": r"\d{4}-?Q[1-4]",
}


def in_time(
    cells: Sequence[Cell], levels: Sequence[str], key: str, sources: Sources
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Periods in the order of time, and the position of each cell's among them.

    They are the levels if some are given, else numbers, or dates in the form of ISO 8601.
    """
    for cell in cells:
        if cell.missing:
            raise cell.error("expected the period of the row; write it, or delete the row")
    texts = [sources.label(cell) for cell in cells]
    if levels:
        place = {level: code for code, level in enumerate(levels)}
        for cell, text in zip(cells, texts, strict=True):
            if text not in place:
                raise cell.error(
                    f"expected one of {listed(levels)}{did_you_mean(text, levels)}; fix the cell, "
                    f"or {key} in study.toml"
                )
        return tuple(levels), tuple(place[text] for text in texts)
    if any(all(re.fullmatch(form, text) for text in texts) for form in _DATES.values()):
        keys: list[Any] = texts
        for cell, text in zip(cells, texts, strict=True):
            if re.fullmatch(_DATES["date"], text):
                _check_date(cell, text)
    else:
        keys = [_point_in_time(cell, text, key) for cell, text in zip(cells, texts, strict=True)]
    # The same number in two forms is one period, called as it is written first.
    names: dict[Any, str] = {}
    for own, text in zip(keys, texts, strict=True):
        names.setdefault(own, text)
    order = sorted(names)
    place = {own: code for code, own in enumerate(order)}
    return tuple(names[own] for own in order), tuple(place[own] for own in keys)


def _check_date(cell: Cell, text: str) -> None:
    """Refuse a date that is in no calendar."""
    try:
        date.fromisoformat(text)
    except ValueError as error:
        raise cell.error(f"no such day: {error}; expected a date of the calendar") from error


def _point_in_time(cell: Cell, text: str, key: str) -> float:
    try:
        return parse_number(text)
    except ValueError as error:
        raise cell.error(
            "expected periods in an order: numbers such as 1992, or dates such as 1992-06-30, all "
            f"written alike; where they are words give them in the order of time in {key}"
        ) from error


# -- tables of a study held against each other -----------------------------------------


@dataclass(frozen=True)
class Crosscheck:
    """Columns that are held against each other, firm by firm."""

    name: str
    #: Whether the columns print the same, or numbers whose sum has a limit.
    kind: str
    #: ``file: column`` of each.
    places: tuple[str, ...]
    #: One row a firm.
    cells: tuple[tuple[Cell, ...], ...]
    #: The limit.
    value: float = 0.0
    note: str = ""


def read_crosscheck(name: str, spec: SameTable | AtMostTable, sources: Sources) -> Crosscheck:
    """Find the cells of a crosscheck."""
    where = f"{spec.where} columns"
    places = [split_place(text, where) for text in spec.columns]
    if len(set(places)) < len(places) or len(places) < 2:
        raise wrong("expected two or more different columns", where)
    columns = [sources.cells(file, column, where) for file, column in places]
    cells = tuple(zip(*columns, strict=True))
    limit = 0.0
    if isinstance(spec, AtMostTable):
        limit = float(spec.value)
        for cell in (cell for row in cells for cell in row if not cell.missing):
            cell.number()
    said = tuple(f"{file}: {column}" for file, column in places)
    return Crosscheck(name, spec.kind, said, cells, limit, spec.note)


def split_place(text: str, where: str) -> tuple[str, str]:
    """File and column of a text such as ``table1.csv: product_line``.

    Of a workbook ``book.xlsx: Sheet: column``, or without the sheet.
    """
    file, colon, column = text.partition(":")
    if split_book(file) and ":" in column:
        sheet, colon, column = column.partition(":")
        file = f"{file.strip()}: {sheet.strip()}"
    if not colon or not file.strip() or not column.strip():
        raise wrong('expected "file: column", as in "table1.csv: product_line"', where, text)
    return file.strip(), clean_label(column)


def disagreements(check: Crosscheck, firms: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Firms for which a crosscheck does not hold, and what is printed of them.

    What is not known agrees with anything. Labels are compared without outer and double blanks;
    capitals and small letters differ.
    """
    found = {}
    for firm, row in zip(firms, check.cells, strict=True):
        if check.kind == "same":
            known = {clean_label(cell.text) for cell in row if not cell.missing}
            good = len(known) <= 1
        else:
            good = sum(cell.number() for cell in row if not cell.missing) <= check.value + 1e-9
        if not good:
            found[firm] = tuple(cell.text for cell in row)
    return found


def crosscheck_lines(checks: tuple[Crosscheck, ...], firms: tuple[str, ...]) -> list[str]:
    """What the crosschecks of a study found, in sentences."""
    if not checks:
        raise StudyError(
            "this study has nothing to audit: no [counts], and no [crosschecks.NAME] that says "
            "which columns report the same; see data/rochester/study.toml for an example",
            file="study.toml",
        )
    lines = []
    for check in checks:
        bad = disagreements(check, firms)
        what = " and ".join(check.places)
        rule = "print the same" if check.kind == "same" else f"add up to {check.value:g} at most"
        lines.append(f"{check.name}: {what} {rule} for {len(firms) - len(bad)} of {len(firms)}.")
        lines += [f"  {firm}: {', '.join(map(shown, texts))}" for firm, texts in bad.items()]
        if check.note:
            lines.append(f"  {check.note}")
    return lines


def crosscheck_table(checks: tuple[Crosscheck, ...], firms: tuple[str, ...]) -> pd.DataFrame:
    """Every firm of every crosscheck: ``crosscheck``, ``firm``, ``printed``, ``agrees``."""
    import pandas as pd

    rows = []
    for check in checks:
        bad = disagreements(check, firms)
        for firm, cells in zip(firms, check.cells, strict=True):
            printed = "; ".join(cell.text for cell in cells)
            rows.append((check.name, firm, printed, firm not in bad))
    return pd.DataFrame(rows, columns=["crosscheck", "firm", "printed", "agrees"])
