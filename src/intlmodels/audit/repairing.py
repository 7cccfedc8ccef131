"""The cheapest repairs of published counts that cannot all be true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from intlmodels.audit.answers import answer
from intlmodels.audit.integers import Ints, TooLongError
from intlmodels.audit.system import MOST_SOLVED, Change, System
from intlmodels.study.counts import Rows

#: Where listing ends. Whatever ends early says so.
MOST_REPAIRS = 300
#: Repairs that the solver finds before others are sought beside them.
FEW = 20


@dataclass(frozen=True, eq=False)
class Repair:
    """Printed values changed so that all counts can be true.

    Attributes
    ----------
    changes : dict
        Count -> its new value; empty if nothing needs to change.
    cost : int
        Sum of the absolute changes.
    touches_hard : bool
        Whether the value of a hard count is changed.
    table : array of int, shape (firm, period, flag)
        An example of the decision tables that the changed counts allow.
    """

    changes: dict[str, int]
    cost: int
    touches_hard: bool
    table: Ints


def repairs(r: Rows, keep_hard: bool = False) -> tuple[Repair, ...]:
    """Every repair with the smallest total change to the printed values.

    Parameters
    ----------
    r : Rows
    keep_hard : bool
        Whether only values of counts that are not hard may be changed.

    Returns
    -------
    tuple of Repair
        Those that leave the hard counts alone first, then in the order of the counts. One
        without changes if all counts can be true as printed; empty if the hard counts are to be
        kept and no change of the others helps.

    Raises
    ------
    StudyError
        If there are more counts than an audit takes, or more repairs than it lists.
    """
    found, complete = cheapest(r, keep_hard)
    if not complete:
        raise TooLongError("repairs", min(MOST_REPAIRS, len(found)))
    return found


def cheapest(r: Rows, keep_hard: bool) -> tuple[tuple[Repair, ...], bool]:
    """The same as :func:`repairs`, and whether these are all."""
    question = f"cheapest repairs{', hard counts kept' * keep_hard}"
    return answer(question, r, lambda: _search(r, keep_hard), _written, _read)


def _written(found: tuple[tuple[Repair, ...], bool]) -> list[dict[str, Any]] | None:
    listed, complete = found
    if not complete:
        return None
    return [{**vars(repair), "table": repair.table.tolist()} for repair in listed]


def _read(written: list[dict[str, Any]]) -> tuple[tuple[Repair, ...], bool]:
    listed = [Repair(**{**one, "table": np.asarray(one["table"], np.int64)}) for one in written]
    return tuple(listed), True


def _search(r: Rows, keep_hard: bool) -> tuple[tuple[Repair, ...], bool]:
    system = System(r)
    change = Change(system, keep_hard)
    try:
        first = change.program.least(change.cost, change.low, change.high)
    except TooLongError:
        return (), False
    if first is None:
        return (), True
    listing = _Cheapest(Change(system, keep_hard, first[0]), first)
    complete = True
    try:
        listing.run()
    except TooLongError:
        complete = False
    found = [_repair(system, change, x) for x in listing.found]
    place = {count.id: i for i, count in enumerate(r.counts)}
    found.sort(
        key=lambda repair: (
            repair.touches_hard,
            len(repair.changes),
            [(place[name], value) for name, value in repair.changes.items()],
        )
    )
    return tuple(found), complete


def _repair(system: System, change: Change, x: Ints) -> Repair:
    shift = change.shift(x)
    changed = [(system.rows.counts[i], int(shift[i])) for i in np.flatnonzero(shift)]
    return Repair(
        {count.id: count.value + by for count, by in changed},
        sum(abs(by) for _, by in changed),
        any(count.hard for count, _ in changed),
        system.table(x[: change.cells]),
    )


class _Cheapest:
    """Every vector of changes of the least cost.

    First, which counts can be raised, and which lowered, at this cost at all: usually few. Then
    what is left of the box of changes after taking one vector out of it is split into smaller
    boxes, which are searched in turn (Lawler 1972, Management Science 18(7), 401-405).
    """

    def __init__(self, change: Change, first: tuple[int, Ints]) -> None:
        self.change, self.cost = change, first[0]
        self.found: list[Ints] = []
        self._keep(first[1])
        self._grown = False

    def run(self) -> None:
        low, high = self.change.low.copy(), self.change.high.copy()
        for i in range(self.change.cells, len(low)):
            if not any(x[i] for x in self.found):
                low[i] = 1
                if high[i] == 0 or self._solve(low, high) is None:
                    high[i] = 0
                low[i] = 0
        active = [i for i in range(self.change.cells, len(low)) if high[i]]
        boxes = [(low, high)]
        while boxes:
            low, high = boxes.pop()
            spent, limit = low[active].sum(), high[active].sum()
            if spent > self.cost or limit < self.cost:
                continue
            inside = (x for x in self.found if self._inside(x, low, high))
            x = next(inside, None)
            if x is None:
                x = self._solve(low, high)
            if x is not None:
                boxes += _apart(x, low, high, active)

    def _solve(self, low: Ints, high: Ints) -> Ints | None:
        if self.change.program.solved > MOST_SOLVED:
            raise TooLongError("steps of the solver", MOST_SOLVED)
        found = self.change.program.least(self.change.cost, low, high, self.cost + 1)
        if found is None:
            return None
        self._keep(found[1])
        if len(self.found) == FEW and not self._grown:
            self._grown = True
            self._grow()
        return found[1]

    def _grow(self) -> None:
        """Find repairs that differ from known ones as these do from each other.

        Where printed values are far apart there are more repairs than can be listed, and the
        solver would take long to find as many.
        """
        known = np.array(self.found)
        steps = (known[:, None] - known[None]).reshape(-1, known.shape[1])
        steps = np.unique(steps // np.maximum(np.gcd.reduce(steps, axis=1), 1)[:, None], axis=0)
        changes = slice(self.change.cells, None)
        seen = {x[changes].tobytes() for x in known}
        fresh = self.found.copy()
        while fresh:
            near = fresh.pop() + steps
            inside = (near >= self.change.low) & (near <= self.change.high)
            for x in near[inside.all(axis=1) & (near @ self.change.cost == self.cost)]:
                if x[changes].tobytes() not in seen and self.change.program.holds(x):
                    seen.add(x[changes].tobytes())
                    fresh.append(x)
                    self._keep(x)

    def _keep(self, x: Ints) -> None:
        if len(self.found) == MOST_REPAIRS:
            raise TooLongError("repairs", MOST_REPAIRS)
        self.found.append(x)

    def _inside(self, x: Ints, low: Ints, high: Ints) -> bool:
        changes = slice(self.change.cells, None)
        return bool((low[changes] <= x[changes]).all() and (x[changes] <= high[changes]).all())


def _apart(x: Ints, low: Ints, high: Ints, active: list[int]) -> Iterator[tuple[Ints, Ints]]:
    """Boxes that together hold all changes of a box but those of ``x``."""
    low, high = low.copy(), high.copy()
    for i in active:
        if low[i] < x[i]:
            less = high.copy()
            less[i] = x[i] - 1
            yield low.copy(), less
        if x[i] < high[i]:
            more = low.copy()
            more[i] = x[i] + 1
            yield more, high.copy()
        low[i] = high[i] = x[i]
