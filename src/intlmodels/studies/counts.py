"""Published counts of flagged events, as rows over the cells of a decision table.

A decision table counts, for every firm and period, the decisions that carry the flag and
those that do not. A published count is the sum over some of these cells.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.csvtable import Table, clean_label
from intlmodels.core.errors import StudyError, did_you_mean, listed, read_each, shown
from intlmodels.studies.schema import MARK
from intlmodels.studies.sources import Cell, Sources

Relation = Literal["equal", "at least", "at most"]

#: Flags as they are written, in the order of the last axis of a decision table.
FLAGS = ("no", "yes")
#: Largest matrix of conditions and cells: 160 MB.
MOST_ENTRIES = 20_000_000
#: Relations as they are written; their position is the code in :class:`Rows`.
RELATIONS: tuple[Relation, ...] = ("equal", "at least", "at most")


@dataclass(frozen=True)
class Count:
    """One published count."""

    #: What it is called wherever it is shown.
    id: str
    #: The subset: decisions of these firms, in these periods, with these flags.
    firms: tuple[str, ...]
    periods: tuple[str, ...]
    flags: tuple[str, ...]
    #: How the true number stands to ``value``.
    relation: Relation
    #: As printed.
    value: int
    #: Whether it holds exactly; otherwise it is a reading that may be off.
    hard: bool = False
    #: Whether the relation holds for each of the firms, one by one.
    each: bool = False
    #: What is counted, in words, and where that was printed.
    text: str = ""
    where: str = ""
    file: str = ""
    #: Its place, as a spreadsheet counts rows.
    row: int = 0
    #: Of simulated data: the opposite of a noisy bound that the publication does not state.
    denied: bool = False

    def error(self, column: str, value: object, message: str) -> StudyError:
        """The error for a cell of its row."""
        return Cell(self.file, self.row, column, str(value)).error(message)


@dataclass(frozen=True, eq=False)
class Rows:
    """Counts in numbers: one row a condition, one column a cell of a decision table.

    Cells are ordered as ``table[firm, period, flag].ravel()``. A count that holds for each of
    its firms has one row a firm.
    """

    firms: tuple[str, ...]
    periods: tuple[str, ...]
    counts: tuple[Count, ...]
    #: 1 where a cell is part of the sum; shape (row, cell).
    member: NDArray[np.int64]
    #: Position in :data:`RELATIONS`; shape (row,).
    relation: NDArray[np.int64]
    #: Shape (row,).
    printed: NDArray[np.int64]
    #: Shape (row,).
    hard: NDArray[np.bool_]
    #: Position of the count in ``counts``; shape (row,).
    count: NDArray[np.int64]
    #: Kinds of decisions: flags, or finer ones that an attribute tells apart.
    kinds: tuple[str, ...] = FLAGS

    @property
    def shape(self) -> tuple[int, int, int]:
        """Firms, periods and kinds of a decision table."""
        return len(self.firms), len(self.periods), len(self.kinds)

    def true(self, table: NDArray[np.integer]) -> NDArray[np.int64]:
        """The number that each row counts in tables (..., firm, period, flag): (..., row)."""
        cells = np.asarray(table, np.int64).reshape(*table.shape[:-3], -1)
        return cells @ self.member.T

    def deviation(self, true: NDArray[np.integer]) -> NDArray[np.int64]:
        """By how much true numbers miss what is printed, (..., row)."""
        off = np.asarray(true, np.int64) - self.printed
        below, above = np.maximum(-off, 0), np.maximum(off, 0)
        return np.choose(self.relation, [below + above, below, above])


def rows(
    counts: Iterable[Count],
    firms: tuple[str, ...],
    periods: tuple[str, ...],
    kinds: tuple[str, ...] = FLAGS,
) -> Rows:
    """Write counts as rows over the cells of a decision table; their flags are among the kinds."""
    listed = tuple(counts)
    cells = len(firms) * len(periods) * len(kinds)
    conditions = sum(len(count.firms) if count.each else 1 for count in listed)
    if conditions * cells > MOST_ENTRIES:
        raise StudyError(
            f"expected at most {MOST_ENTRIES:,} conditions times cells, found {conditions:,} times "
            f"{cells:,}; merge firms or periods that no count distinguishes",
            file=listed[0].file or None,
        )
    place = {firm: position for position, firm in enumerate(firms)}
    member, owner = [], []
    for position, count in enumerate(listed):
        groups = [(firm,) for firm in count.firms] if count.each else [count.firms]
        for group in groups:
            inside = np.zeros((len(firms), len(periods), len(kinds)), np.int64)
            own_periods = [periods.index(period) for period in count.periods]
            own_kinds = [kinds.index(flag) for flag in count.flags]
            inside[np.ix_([place[firm] for firm in group], own_periods, own_kinds)] = 1
            member.append(inside.ravel())
            owner.append(position)
    index = np.asarray(owner, np.int64)
    return Rows(
        firms,
        periods,
        listed,
        np.asarray(member, np.int64).reshape(-1, cells),
        np.asarray([RELATIONS.index(listed[i].relation) for i in index], np.int64),
        np.asarray([listed[i].value for i in index], np.int64),
        np.asarray([listed[i].hard for i in index], bool),
        index,
        kinds,
    )


# -- published counts as a CSV file has them -------------------------------------------

#: Sizes of a firm, the larger one first, where study.toml gives no other labels.
SIZES = ("large", "other")
#: Whether a count holds exactly, as it is written.
STATUS = ("hard", "noisy")
#: Columns that every file of counts has, and columns that it may have.
NEEDED = ("id", "relation", "value", "status")
OPTIONAL = ("quantity", "firms", "size", "periods", "flag", "each", "where")
#: Largest printed count; decision tables are stored in 16 bits.
LARGEST = 30_000


@dataclass(frozen=True)
class Subjects:
    """What counts can speak of."""

    firms: tuple[str, ...]
    #: One a firm.
    sizes: tuple[str, ...]
    periods: tuple[str, ...]
    #: Labels of the sizes, the largest one first.
    size_labels: tuple[str, ...] = SIZES

    def of_size(self, size: str) -> tuple[str, ...]:
        """Firms of one size."""
        return tuple(f for f, s in zip(self.firms, self.sizes, strict=True) if s == size)

    def is_total(self, count: Count) -> bool:
        """Whether a count tells exactly how many decisions there are in all."""
        whole = count.firms, count.periods, count.flags
        return (
            whole == (self.firms, self.periods, FLAGS)
            and count.hard
            and count.relation == "equal"
            and (not count.each or len(self.firms) == 1)
        )


def unused_columns(table: Table, used: Iterable[str]) -> tuple[str, ...]:
    """Columns without a meaning, such as notes; a nearly right name of a column is refused."""
    known = [*NEEDED, *OPTIONAL, *used]
    absent = [name for name in known if name not in table.header]
    unused = tuple(name for name in table.header if name not in known)
    for name in unused:
        near = difflib.get_close_matches(name.casefold(), absent, n=1, cutoff=0.8)
        if near:
            raise StudyError(
                f"unknown column (did you mean {shown(near[0])}?); the columns with a meaning are "
                f"{', '.join(known)}: rename this one",
                file=table.file,
                row=1,
                column=name,
            )
    return unused


class CountFile:
    """A CSV file of counts, read row by row."""

    def __init__(self, file: str, sources: Sources, subjects: Subjects) -> None:
        self.file, self.sources, self.subjects = file, sources, subjects
        self.table = sources.table(file, "count")

    def cells(self, column: str, asked_by: str = "") -> list[Cell]:
        """Cells of a column; empty ones if it is optional and not there."""
        if column in OPTIONAL and column not in self.table.header:
            return [Cell(self.file, row + 2, column, "") for row in range(len(self.table.rows))]
        return self.sources.column_cells(self.file, column, asked_by, "count")

    def counts(self) -> tuple[Count, ...]:
        """All counts of the file."""
        columns = {name: self.cells(name) for name in (*NEEDED, *OPTIONAL)}
        seen: dict[str, int] = {}

        def read(position: int) -> Count:
            count = self._count({name: cells[position] for name, cells in columns.items()})
            if count.id in seen:
                raise columns["id"][position].error(
                    f"row {seen[count.id]} has this id; expected every id once: rename one"
                )
            seen[count.id] = count.row
            return count

        return tuple(read_each(read, range(len(self.table.rows))))

    def _count(self, cells: Mapping[str, Cell]) -> Count:
        word, subjects = self.sources.word, self.subjects
        identity = clean_label(cells["id"].text)
        if not identity:
            raise cells["id"].error("expected an id, such as M01")
        firms = read_names(cells["firms"], subjects.firms, "firm")
        size = word(cells["size"], (*subjects.size_labels, ""))
        if size:
            if cells["firms"].text.strip():
                raise cells["size"].error(
                    "expected nothing, as the column 'firms' has names: keep one of the two"
                )
            firms = subjects.of_size(size)
            if not firms:
                raise cells["size"].error(
                    "no firm is of this size, so that nothing could be counted; expected another "
                    "size: fix it, or the sizes of the firms"
                )
        flag = word(cells["flag"], (*FLAGS, ""))
        relation = word(cells["relation"], RELATIONS)
        return Count(
            id=identity,
            firms=firms,
            periods=read_names(cells["periods"], subjects.periods, "period"),
            flags=(flag,) if flag else FLAGS,
            relation=next(known for known in RELATIONS if known == relation),
            value=read_value(cells["value"]),
            hard=word(cells["status"], STATUS) == "hard",
            each=word(cells["each"], ("yes", "no", "")) == "yes",
            text=clean_label(cells["quantity"].text),
            where=clean_label(cells["where"].text),
            file=self.file,
            row=cells["id"].row,
        )

    def reread(
        self, counts: Iterable[Count], column: str, periods: tuple[str, ...], asked_by: str
    ) -> tuple[Count, ...]:
        """The same counts with other periods, which a column gives; the total stays over all."""
        read = []
        for count, cell in zip(counts, self.cells(clean_label(column), asked_by), strict=True):
            other = replace(count, periods=read_names(cell, periods, "period"))
            if self.subjects.is_total(count) and other.periods != periods:
                said = f"{count.id} gives the total number; expected all periods here too: "
                raise cell.error(f"{said}leave the cell empty")
            read.append(other)
        return tuple(read)


def read_names(cell: Cell, known: tuple[str, ...], what: str) -> tuple[str, ...]:
    """Names in a cell, in the order of the study; all names if it is empty."""
    if not cell.text.strip():
        return known
    by_label = {clean_label(name): name for name in known}
    found: set[str] = set()
    for part in cell.text.split(MARK):
        label = clean_label(part)
        if not label:
            raise cell.error(f"expected a name on both sides of every {shown(MARK)}")
        if label not in by_label:
            comma = f"; names are separated by {shown(MARK)}" if "," in label else ""
            raise cell.error(
                f"expected names of {what}s, but {shown(label)} is none"
                f"{did_you_mean(label, by_label)}{comma}; the {what}s are {listed(known)}"
            )
        if by_label[label] in found:
            raise cell.error(f"expected every {what} once, but {shown(label)} appears here twice")
        found.add(by_label[label])
    return tuple(name for name in known if name in found)


def read_value(cell: Cell) -> int:
    """The printed count."""
    if cell.missing:
        raise cell.error("expected a count; for one that is not known delete the row")
    value = cell.number()
    if not value.is_integer():
        raise cell.error("expected a whole number")
    if not 0 <= value <= LARGEST:
        raise cell.error(f"expected a count from 0 to {LARGEST}")
    return int(value)


def require_other_ids(counts: Iterable[Count], taken: Mapping[str, Count]) -> None:
    """Refuse a count with an id that another one has."""
    for count in counts:
        if count.id in taken:
            first = taken[count.id]
            said = f"{first.file}, row {first.row} has this id; expected every id once: rename one"
            raise count.error("id", count.id, said)


def require_total(file: CountFile, counts: tuple[Count, ...]) -> Count:
    """The count that tells how many decisions there are in all."""
    for count in counts:
        if file.subjects.is_total(count):
            if not count.value:
                raise count.error("value", 0, "expected at least one in all")
            return count
    filled = {"id": "all", "relation": "equal", "value": "N", "status": "hard"}
    example = ",".join(filled.get(name, "") for name in file.table.header)
    for count in counts:
        if file.subjects.is_total(replace(count, hard=True)):
            said = f"expected hard: {count.id} gives the total number, which must be known"
            raise count.error("status", "noisy", said)
    raise StudyError(
        "no row gives the total number; expected one with relation equal and status hard "
        "that leaves firms, size, periods and flag empty: with their number for N, add the row "
        f"{shown(example)}",
        file=file.file,
    )
