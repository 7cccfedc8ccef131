"""Published counts of flagged events, as rows over the cells of a decision table.

A decision table counts, for every firm and period, the decisions that carry the flag and
those that do not. A published count is the sum over some of these cells.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from intlmodels.errors import StudyError

Relation = Literal["equal", "at least", "at most"]

#: Flags as they are written, in the order of the last axis of a decision table.
FLAGS = ("no", "yes")
#: Largest matrix of conditions and cells: 160 MB.
MOST_ENTRIES = 20_000_000
#: Relations as they are written; their position is the code in :class:`Rows`.
RELATIONS: tuple[Relation, ...] = ("equal", "at least", "at most")


@dataclass(frozen=True)
class Count:
    """One published count.

    Attributes
    ----------
    id : str
        What it is called wherever it is shown.
    firms, periods, flags : tuple of str
        The subset: decisions of these firms, in these periods, with these flags.
    relation : {"equal", "at least", "at most"}
        How the true number stands to ``value``.
    value : int
        As printed.
    hard : bool
        Whether it holds exactly; otherwise it is a reading that may be off.
    each : bool
        Whether the relation holds for each of the firms, one by one.
    text, where : str
        What is counted, in words, and where that was printed.
    file : str
    row : int
        Its place, as a spreadsheet counts rows.
    """

    id: str
    firms: tuple[str, ...]
    periods: tuple[str, ...]
    flags: tuple[str, ...]
    relation: Relation
    value: int
    hard: bool = False
    each: bool = False
    text: str = ""
    where: str = ""
    file: str = ""
    row: int = 0


@dataclass(frozen=True, eq=False)
class Rows:
    """Counts in numbers: one row a condition, one column a cell of a decision table.

    Cells are ordered as ``table[firm, period, flag].ravel()``. A count that holds for each of
    its firms has one row a firm.

    Attributes
    ----------
    firms, periods : tuple of str
    counts : tuple of Count
    member : array of int, shape (row, cell)
        1 where a cell is part of the sum.
    relation : array of int, shape (row,)
        Position in :data:`RELATIONS`.
    printed : array of int, shape (row,)
    hard : array of bool, shape (row,)
    count : array of int, shape (row,)
        Position of the count in ``counts``.
    """

    firms: tuple[str, ...]
    periods: tuple[str, ...]
    counts: tuple[Count, ...]
    member: NDArray[np.int64]
    relation: NDArray[np.int64]
    printed: NDArray[np.int64]
    hard: NDArray[np.bool_]
    count: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Firms, periods and flags of a decision table."""
        return len(self.firms), len(self.periods), len(FLAGS)

    def true(self, table: NDArray[np.integer]) -> NDArray[np.int64]:
        """The number that each row counts in decision tables.

        Parameters
        ----------
        table : array of int, shape (..., firm, period, flag)

        Returns
        -------
        array of int, shape (..., row)
        """
        cells = np.asarray(table, np.int64).reshape(*table.shape[:-3], -1)
        return cells @ self.member.T

    def deviation(self, true: NDArray[np.integer]) -> NDArray[np.int64]:
        """By how much true numbers miss what is printed, (..., row)."""
        off = np.asarray(true, np.int64) - self.printed
        below, above = np.maximum(-off, 0), np.maximum(off, 0)
        return np.choose(self.relation, [below + above, below, above])


def rows(counts: Iterable[Count], firms: tuple[str, ...], periods: tuple[str, ...]) -> Rows:
    """Write counts as rows over the cells of a decision table."""
    listed = tuple(counts)
    cells = len(firms) * len(periods) * len(FLAGS)
    conditions = sum(len(count.firms) if count.each else 1 for count in listed)
    if conditions * cells > MOST_ENTRIES:
        raise StudyError(
            f"expected at most {MOST_ENTRIES:,} conditions times cells, found {conditions:,} times "
            f"{cells:,}; merge firms or periods that no count tells apart",
            file=listed[0].file or None,
        )
    place = {firm: position for position, firm in enumerate(firms)}
    member, owner = [], []
    for position, count in enumerate(listed):
        groups = [(firm,) for firm in count.firms] if count.each else [count.firms]
        for group in groups:
            inside = np.zeros((len(firms), len(periods), len(FLAGS)), np.int64)
            inside[
                np.ix_(
                    [place[firm] for firm in group],
                    [periods.index(period) for period in count.periods],
                    [FLAGS.index(flag) for flag in count.flags],
                )
            ] = 1
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
    )
