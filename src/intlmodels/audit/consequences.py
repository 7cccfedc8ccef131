"""What follows from published counts: the cheapest repairs, Frechet bounds, tables they allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.audit.integers import AT_MOST, EQUAL, Ints, TooLongError
from intlmodels.audit.system import MOST_SOLVED, MOST_VALUE, Change, Slack, System, answer, hard
from intlmodels.core.errors import StudyError
from intlmodels.studies.counts import FLAGS, Rows

#: Where listing ends. Whatever ends early says so.
MOST_REPAIRS = 300
#: Repairs that the solver finds before others are sought beside them.
FEW = 20


@dataclass(frozen=True, eq=False)
class Repair:
    """Printed values changed so that all counts can be true."""

    changes: dict[str, int]  # Count -> its new value; empty if nothing needs to change
    cost: int  # Sum of the absolute changes
    touches_hard: bool  # Whether the value of a hard count is changed
    #: (firm, period, flag): An example of the decision tables that the changed counts allow
    table: Ints


def cheapest(r: Rows, keep_hard: bool = False) -> tuple[tuple[Repair, ...], bool]:
    """Every repair with the smallest total change, hard counts last, and whether these are all."""
    question = f"cheapest repairs{', hard counts kept' * keep_hard}"
    return answer(question, r, lambda: _search(r, keep_hard), _written, _read)


def suspects(repairs: Iterable[Repair]) -> tuple[tuple[str, ...], ...]:
    """Sets of counts of which one each is wrong, as in ``(("M33",), ("M36", "M37"))``.

    None where the repairs are not told so, or there are none.
    """
    changed = [set(repair.changes) for repair in repairs]
    every = set.intersection(*changed) if changed else set()
    others = [one - every for one in changed]
    if any(len(one) != len(others[0]) or len(one) > 1 for one in others):
        return ()
    either = tuple(sorted(set().union(*others)))
    return (*((name,) for name in sorted(every)), *([either] if either else []))


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
    found = []
    for x in listing.found:
        shift = change.shift(x)
        changed = [(r.counts[i], int(shift[i])) for i in np.flatnonzero(shift)]
        values = {count.id: count.value + by for count, by in changed}
        cost, touches_hard = sum(abs(by) for _, by in changed), any(c.hard for c, _ in changed)
        found.append(Repair(values, cost, touches_hard, system.table(x[: change.cells])))
    place = {count.id: i for i, count in enumerate(r.counts)}

    def rank(repair: Repair) -> tuple[Any, ...]:
        changes = [(place[name], value) for name, value in repair.changes.items()]
        return repair.touches_hard, len(changes), changes

    return tuple(sorted(found, key=rank)), complete


class _Cheapest:
    """Every vector of changes of the least cost."""

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
        # What is left of a box after taking one vector out of it is split into smaller boxes, which
        # are searched in turn (Lawler 1972, Management Science 18(7), 401-405).
        boxes = [(low, high)]
        while boxes:
            low, high = boxes.pop()
            spent, limit = low[active].sum(), high[active].sum()
            if spent > self.cost or limit < self.cost:
                continue
            inside = (
                x for x in self.found if ((low <= x) & (x <= high))[self.change.cells :].all()
            )
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
        """Find repairs that differ from known ones as these do from each other."""
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


# -- bounds of what was not published ----------------------------------------------------

#: Least and largest value; None where there is no limit.
Bound = tuple[int | None, int | None]
#: How the sum over all periods, over both flags and over all firms is written.
ALL, BOTH = "all", "both"


@dataclass(frozen=True, eq=False)
class Cell:
    """An unpublished number: the decisions of a firm or a group, by period and flag."""

    kind: str  # {"firm", "group", "all"}
    name: str  # The firm, the group, or "all"
    period: str  # A period, or "all"
    flag: str  # {"no", "yes", "both"}
    weights: Ints  # (firm, period, flag): 1 where a cell of the decision table is part of it


def standard_cells(r: Rows, groups: Mapping[str, tuple[str, ...]]) -> tuple[Cell, ...]:
    """Every number that a reader may ask for: firms, groups and all firms, by period and flag."""
    parts = [(name, firms) for name, firms in groups.items() if set(firms) != set(r.firms)]
    whose = [("all", ALL, r.firms), *(("group", *part) for part in parts)]
    whose += [("firm", firm, (firm,)) for firm in r.firms]
    return tuple(cell for who in whose for cell in _cells(r, *who))


def _cells(r: Rows, kind: str, name: str, firms: tuple[str, ...]) -> Iterator[Cell]:
    inside = np.isin(r.firms, firms).astype(np.int64)
    periods = [((period,), period) for period in r.periods] + [(r.periods, ALL)]
    flags = [((flag,), flag) for flag in FLAGS] + [(FLAGS, BOTH)]
    for some, period in periods:
        for which, flag in flags:
            weights = (
                inside[:, None, None]
                * np.isin(r.periods, some).astype(np.int64)[:, None]
                * np.isin(FLAGS, which).astype(np.int64)
            )
            yield Cell(kind, name, period, flag, weights)


def bounds(
    r: Rows, weights: NDArray[np.integer], total: int = 0, keep_hard: bool = False
) -> tuple[Bound, ...]:
    """Least and largest value of sums, (sum, ...), over the decision tables that the counts allow.

    Printed values may change by ``total`` together, those of hard counts only unless ``keep_hard``.
    """
    asked = np.asarray(weights, np.int64).reshape(len(weights), -1)
    if np.abs(asked).max(initial=0) > MOST_VALUE:
        raise StudyError(f"expected weights up to {MOST_VALUE:,} for bounds")
    solver = _Bounds(r, total, keep_hard)
    alike = interchangeable(r)
    known: dict[bytes, Bound] = {}
    found = []
    for weight in asked:
        key = _canonical(weight, alike)
        if key not in known:
            known[key] = solver.bound(weight)
        found.append(known[key])
    return tuple(found)


class _Bounds:
    """Bounds of one list of counts; tables found on the way spare some of the solving."""

    def __init__(self, r: Rows, total: int, keep_hard: bool) -> None:
        self.system = System(r)
        self.change = Change(self.system, keep_hard, total)
        self.program = self.change.program.with_rows([self.change.cost], AT_MOST, [total])
        nothing = np.zeros_like(self.change.cost)
        start = self.program.least(nothing, self.change.low, self.change.high)
        if start is None and total:
            said = f"no decision table satisfies the counts changed by at most {total} in total"
            raise StudyError(said)
        if start is None:
            said = "no decision table satisfies the counts; expected counts that can all be true; "
            raise StudyError(f"{said}audit them for conflicts and repairs")
        self.points = [start[1]]

    def bound(self, weight: Ints) -> Bound:
        low = self._least(weight)
        high = self._least(-weight)
        return low, None if high is None else -high

    def _least(self, weight: Ints) -> int | None:
        # A sum of cells that no count tells apart may all lie in the cheapest of them.
        cost = np.zeros_like(self.change.cost)
        cells = np.full(self.change.cells, np.iinfo(np.int64).max)
        np.minimum.at(cells, self.system.variable, weight)
        cost[: self.change.cells] = cells
        # Sums that no count limits from above are at most in counts that say at least.
        if (cells[~self.system.capped] < 0).any():
            return None
        low, high = self.change.low, self.change.high
        at_best = int(np.where(cost > 0, cost * low, cost * high).sum())
        least = min(int(cost @ point) for point in self.points)
        if least == at_best:
            return least
        if self.program.solved > MOST_SOLVED:
            raise TooLongError("steps of the solver", MOST_SOLVED)
        found = self.program.least(cost, low, high, least)
        if found is None:
            return least
        self.points.append(found[1])
        return found[0]


def interchangeable(r: Rows) -> Ints:
    """Firms that can change places without changing what any count says: class of each firm."""
    member = r.member.reshape(len(r.member), *r.shape)
    plain = _listed(r, member)
    alike = np.arange(len(r.firms))
    for i in range(len(r.firms)):
        for j in np.unique(alike[:i]):
            order = np.arange(len(r.firms))
            order[[i, j]] = j, i
            if _listed(r, member[:, order]) == plain:
                alike[i] = j
                break
    return alike


def _listed(r: Rows, member: Ints) -> list[tuple[int, bytes]]:
    # Relation and value are those of the count.
    return sorted(zip(r.count.tolist(), (row.tobytes() for row in member), strict=True))


def _canonical(weight: Ints, alike: Ints) -> bytes:
    """The same bytes for weights that differ by an exchange of interchangeable firms."""
    by_firm = weight.reshape(len(alike), -1).copy()
    for label in np.unique(alike):
        where = np.flatnonzero(alike == label)
        by_firm[where] = sorted(by_firm[where].tolist())
    return by_firm.tobytes()


def feasible_table(r: Rows, rng: np.random.Generator, hard_only: bool = False) -> Ints | None:
    """A random decision table that satisfies the hard counts and is nearest to the others."""
    asked = hard(r) if hard_only else r
    system = System(asked)
    slack = Slack(system)
    high = slack.without(asked.hard)
    cost = slack.cost(~asked.hard)
    nearest = slack.program.least(cost, slack.low, high)
    if nearest is None:
        return None
    # Cells that no count tells apart: all of their sum goes to the one with the least weight.
    weight = rng.integers(1, 1000, size=len(system.variable))
    order = np.lexsort((weight, system.variable))
    cheapest = order[np.unique(system.variable[order], return_index=True)[1]]
    aim = np.zeros_like(cost)
    aim[: len(cheapest)] = weight[cheapest]
    near = slack.program.with_rows([cost], EQUAL, [nearest[0]])
    found = near.near(aim, slack.low, high)
    x = nearest[1] if found is None else found
    cells = np.zeros(len(system.variable), np.int64)
    cells[cheapest] = x[: len(cheapest)]
    return cells.reshape(r.shape)
