"""What published counts imply for what was not published: Frechet bounds, and tables they allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intlmodels.audit.integers import AT_MOST, EQUAL, Ints, TooLongError
from intlmodels.audit.system import MOST_SOLVED, MOST_VALUE, Change, Slack, System, hard
from intlmodels.core.errors import StudyError
from intlmodels.study.counts import FLAGS, Rows

#: Least and largest value; None where there is no limit.
Bound = tuple[int | None, int | None]
#: How the sum over all periods, over both flags and over all firms is written.
ALL, BOTH = "all", "both"


@dataclass(frozen=True, eq=False)
class Cell:
    """An unpublished number: the decisions of a firm or a group, by period and flag.

    Attributes
    ----------
    kind : {"firm", "group", "all"}
    name : str
        The firm, the group, or "all".
    period : str
        A period, or "all".
    flag : {"no", "yes", "both"}
    weights : array of int, shape (firm, period, flag)
        1 where a cell of the decision table is part of it.
    """

    kind: str
    name: str
    period: str
    flag: str
    weights: Ints


def standard_cells(r: Rows, groups: Mapping[str, tuple[str, ...]]) -> tuple[Cell, ...]:
    """Every number that a reader may ask for: firms, groups and all firms, by period and flag.

    Parameters
    ----------
    r : Rows
    groups : mapping
        Name -> its firms.

    Returns
    -------
    tuple of Cell
        All firms together first, then groups, then firms; periods in order, their sum last;
        flags "no", "yes", "both".
    """
    whose: list[tuple[str, str, tuple[str, ...]]] = [("all", ALL, r.firms)]
    whose += [
        ("group", name, firms) for name, firms in groups.items() if set(firms) != set(r.firms)
    ]
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
    """Least and largest value of weighted sums over the decision tables that the counts allow.

    Parameters
    ----------
    r : Rows
    weights : array of int, shape (sum, firm, period, flag) or (sum, cell)
    total : int
        By how much the printed values may be changed, in total: 0 as printed. With the cost of
        the cheapest repairs, the bounds are those of all cheapest repairs taken together.
    keep_hard : bool
        Whether only values of counts that are not hard may be changed.

    Returns
    -------
    tuple of (int or None, int or None)
        For each sum; None where there is no limit.

    Raises
    ------
    StudyError
        If no table satisfies the counts, changed by so much, or if there are more sums than can
        be bounded in reasonable time.
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
        self.program = self.change.program.with_row(self.change.cost, AT_MOST, total)
        start = self.program.least(
            np.zeros_like(self.change.cost), self.change.low, self.change.high
        )
        if start is None:
            raise StudyError(
                "no decision table satisfies the counts; expected counts that can all hold "
                "together; audit them for conflicts and repairs"
                if not total
                else f"no decision table satisfies the counts changed by at most {total} in total"
            )
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
        # Only sums that no count limits from above have no limit: they are in counts that say
        # at least, if in any, and these bear any increase.
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
    """A decision table that satisfies the hard counts and misses the others by the least.

    Among such tables it is one with the least of a random weighted sum: different generators give
    very different tables, the same generator the same table.

    Parameters
    ----------
    r : Rows
    rng : numpy.random.Generator
    hard_only : bool
        Whether counts that are not hard are left out of account.

    Returns
    -------
    array of int, shape (firm, period, flag), or None
        None if the hard counts cannot all hold.
    """
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
    near = slack.program.with_row(cost, EQUAL, nearest[0])
    found = near.near(aim, slack.low, high)
    x = nearest[1] if found is None else found
    cells = np.zeros(len(system.variable), np.int64)
    cells[cheapest] = x[: len(cheapest)]
    return cells.reshape(r.shape)
