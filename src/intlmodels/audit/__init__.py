"""The audit of published counts.

Can all of them be true together? If not: every minimal subset that cannot, every maximal subset
that can, and the cheapest repairs. In any case: what they imply for what was not published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from intlmodels.audit.bounding import Bound, Cell, bounds, feasible_table, standard_cells
from intlmodels.audit.conflicting import (
    Reason,
    Subsets,
    conflicts,
    reason,
    smallest_conflict,
    subsets,
)
from intlmodels.audit.integers import TooLongError
from intlmodels.audit.repairing import Repair, cheapest, repairs
from intlmodels.audit.system import hard, revised
from intlmodels.study.counts import Rows

__all__ = [
    "Audit",
    "Basis",
    "Bound",
    "Cell",
    "Reason",
    "Repair",
    "Subsets",
    "audit",
    "bounds",
    "conflicts",
    "feasible_table",
    "reason",
    "repairs",
    "smallest_conflict",
    "standard_cells",
    "subsets",
]

#: Bounds are given for each cheapest repair if there are no more than this, and for all of them
#: together in any case.
MOST_BOUNDED = 12

#: What bounds rest on.
AS_PRINTED = "counts as printed"
CHEAPEST = "cheapest repairs"
CHEAPEST_HARD_KEPT = "cheapest repairs, hard counts kept"
HARD = "hard counts"


@dataclass(frozen=True, eq=False)
class Basis:
    """Bounds of the standard cells, and what they rest on.

    Attributes
    ----------
    name : str
        :data:`AS_PRINTED`, :data:`CHEAPEST`, :data:`CHEAPEST_HARD_KEPT`, ``repair`` and its
        number, or :data:`HARD`.
    bounds : tuple of (int or None, int or None)
        Least and largest value, in the order of the cells; None where there is no limit.
    """

    name: str
    bounds: tuple[Bound, ...]


@dataclass(frozen=True, eq=False)
class Audit:
    """What a list of published counts says together.

    Attributes
    ----------
    rows : Rows
    subsets : Subsets
        Minimal conflicts and maximal consistent subsets.
    repairs : tuple of Repair
        The cheapest, whatever count is changed.
    repairs_hard_kept : tuple of Repair
        The cheapest that change no hard count: some or all of the former, or dearer ones, or
        none if there are none.
    cells : tuple of Cell
        Unpublished numbers, and published ones among them.
    bases : tuple of Basis
        Their bounds: as printed if the counts are consistent; otherwise under the cheapest
        repairs taken together, and under each of them if they are few. Then under the hard
        counts alone, if they can hold together.
    cut : tuple of {"conflicts", "repairs", "bounds"}
        What is not complete because the search would not have ended in reasonable time.
    """

    rows: Rows
    subsets: Subsets
    repairs: tuple[Repair, ...]
    repairs_hard_kept: tuple[Repair, ...]
    cells: tuple[Cell, ...]
    bases: tuple[Basis, ...]
    cut: tuple[str, ...]

    @property
    def consistent(self) -> bool:
        """Whether all counts can be true as printed."""
        return self.subsets.consistent

    @property
    def conflicts(self) -> tuple[tuple[str, ...], ...]:
        """Minimal conflicts, smallest first."""
        return self.subsets.conflicts

    @property
    def complete(self) -> bool:
        """Whether nothing was cut short."""
        return not self.cut

    @property
    def all_repairs(self) -> tuple[Repair, ...]:
        """Both kinds, each repair once: their places, from 1, are their numbers."""
        known = [repair.changes for repair in self.repairs]
        dearer = (repair for repair in self.repairs_hard_kept if repair.changes not in known)
        return (*self.repairs, *dearer)


def audit(r: Rows, groups: Mapping[str, tuple[str, ...]] | None = None) -> Audit:
    """Audit published counts.

    Parameters
    ----------
    r : Rows
    groups : mapping, optional
        Groups of firms that bounds are asked for: name -> firms.

    Returns
    -------
    Audit

    Raises
    ------
    StudyError
        If there are more counts than an audit takes.
    """
    found = subsets(r)
    cut = [] if found.complete else ["conflicts"]
    lowest, complete = cheapest(r, keep_hard=False)
    kept = tuple(repair for repair in lowest if not repair.touches_hard)
    if not kept or not complete:
        kept, all_kept = cheapest(r, keep_hard=True)
        complete = complete and all_kept
    cut += [] if complete else ["repairs"]
    cells = standard_cells(r, groups or {})
    bare = Audit(r, found, lowest, kept, cells, (), ())
    bases: list[Basis] = []
    try:
        bases += _bases(bare)
    except TooLongError:
        cut.append("bounds")
    return replace(bare, bases=tuple(bases), cut=tuple(cut))


def _bases(found: Audit) -> Iterator[Basis]:
    r = found.rows
    weights = np.stack([cell.weights for cell in found.cells])
    if found.consistent:
        yield Basis(AS_PRINTED, bounds(r, weights))
    elif found.repairs:
        yield Basis(CHEAPEST, bounds(r, weights, found.repairs[0].cost))
        if found.repairs_hard_kept and any(repair.touches_hard for repair in found.repairs):
            cost = found.repairs_hard_kept[0].cost
            yield Basis(CHEAPEST_HARD_KEPT, bounds(r, weights, cost, keep_hard=True))
        if len(found.all_repairs) <= MOST_BOUNDED:
            for number, repair in enumerate(found.all_repairs, start=1):
                yield Basis(f"repair {number}", bounds(revised(r, repair.changes), weights))
    alone = hard(r)
    # If they contradict each other, there is no table, and there are no bounds.
    if alone.counts and smallest_conflict(alone) is None:
        yield Basis(HARD, bounds(alone, weights))
