"""Which published counts can hold together: minimal conflicts, maximal consistent subsets."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intlmodels.audit.integers import AT_LEAST, AT_MOST, Ints, Program, TooLongError
from intlmodels.audit.system import MOST_SOLVED, Slack, System, answer, subset
from intlmodels.studies.counts import Rows

#: Where listing ends. Whatever ends early says so.
MOST_CONFLICTS = 1_000
#: Candidates that the search for conflicts keeps at a time.
MOST_CANDIDATES = 100_000
#: How many times a reason may add the same count.
MOST_TIMES = 9


@dataclass(frozen=True)
class Subsets:
    """Which of the counts can hold together."""

    conflicts: tuple[tuple[str, ...], ...]  # Minimal ones, smallest first
    left_out: tuple[tuple[str, ...], ...]  # Of each maximal consistent subset, fewest first
    complete: bool  # Whether these are all; whatever is listed is right

    @property
    def consistent(self) -> bool:
        """Whether all counts can hold together."""
        return () in self.left_out

    @property
    def largest(self) -> tuple[tuple[str, ...], ...]:
        """What is left out of the consistent subsets with the largest number of counts."""
        least = min((len(out) for out in self.left_out), default=0)
        return tuple(out for out in self.left_out if len(out) == least)


def subsets(r: Rows) -> Subsets:
    """Every minimal conflict and every maximal consistent subset of the counts."""
    search = _Search(r)
    complete = True
    try:
        for found, _ in enumerate(search.run(), start=1):
            if found == MOST_CONFLICTS:
                # One more would be one too many; is there one?
                complete = next(search.run(), None) is None
                break
    except TooLongError:
        if not search.conflicts and not search.left_out:
            raise  # not even whether all can hold together
        complete = False
    return Subsets(
        search.named(search.conflicts[:MOST_CONFLICTS]), search.named(search.left_out), complete
    )


def smallest_conflict(r: Rows) -> tuple[str, ...] | None:
    """The smallest subset of the counts that cannot all be true; None if all can."""
    # A list, since None as what is written would say that nothing is to be kept.
    write, read = (lambda found: list(found or ())), (lambda written: tuple(written) or None)
    return answer("smallest conflict", r, lambda: _smallest(r), write, read)


def _smallest(r: Rows) -> tuple[str, ...] | None:
    search = _Search(r)
    first = next(search.run(), None)
    return None if first is None else search.named([first])[0]


class _Search:
    """Minimal conflicts as minimal sets that meet every set whose omission mends the list.

    A subset of the counts can hold if and only if it avoids one of these sets (Bailey and Stuckey
    2005, PADL, "Discovery of minimal unsatisfiable subsets of constraints using hitting set
    dualization"). Of the minimal sets that meet all that are known, take the smallest; if it can
    hold, the complement of a maximal consistent subset around it is new; if not, it is a minimal
    conflict. Subsets are written as bits of an integer, by position of the count.
    """

    def __init__(self, r: Rows) -> None:
        self.rows = r
        self.slack = Slack(System(r))
        self.everything = (1 << len(r.counts)) - 1
        self.conflicts: list[int] = []
        self.left_out: list[int] = []
        self._open: list[tuple[int, tuple[int, ...], int]] = []
        self._alive: set[int] = set()
        self._start = True

    def named(self, masks: list[int]) -> tuple[tuple[str, ...], ...]:
        """Names of the counts of subsets, smallest first, then by position."""
        ordered = sorted(masks, key=_order)
        return tuple(tuple(self.rows.counts[i].id for i in _bits(mask)) for mask in ordered)

    def run(self) -> Iterator[int]:
        """Minimal conflicts, smallest first. A second call goes on where the first stopped."""
        if self._start:
            self._start = False
            # All of them first: most lists are consistent.
            held = self._held(self.everything)
            if held is not None:
                self.left_out.append(0)
                return
            self._add([0])
        while self._open:
            candidate = heapq.heappop(self._open)[-1]
            if candidate not in self._alive:
                continue
            held = self._held(candidate)
            if held is None:
                self._alive.discard(candidate)
                self.conflicts.append(candidate)
                yield candidate
            else:
                out = self.everything & ~self._maximal(held)
                self.left_out.append(out)
                self._meet(out)

    def _held(self, mask: int) -> int | None:
        """The counts that hold in a table in which these do; None if there is no such table."""
        program = self.slack.program
        if program.solved > MOST_SOLVED:
            raise TooLongError("steps of the solver", MOST_SOLVED)
        cost = self.slack.cost(self._asked(mask))
        # A row missed by anything is missed by one or more.
        found = program.least(cost, self.slack.low, self.slack.high, below=1)
        return None if found is None else self._true(found[1])

    def _maximal(self, held: int) -> int:
        """A maximal consistent subset that contains these."""
        # First a table that misses the others by little: few are then left to try.
        asked = self._asked(held)
        cost, high = self.slack.cost(~asked), self.slack.without(asked)
        near = self.slack.program.near(cost, self.slack.low, high)
        held |= 0 if near is None else self._true(near)
        for i in range(len(self.rows.counts)):
            wanted = held | 1 << i
            if wanted != held and not any(known & ~wanted == 0 for known in self.conflicts):
                held = self._held(wanted) or held
        return held

    def _asked(self, mask: int) -> NDArray[np.bool_]:
        inside = np.asarray([mask >> i & 1 for i in range(len(self.rows.counts))], bool)
        return inside[self.rows.count]

    def _true(self, x: Ints) -> int:
        r = self.rows
        table = self.slack.system.table(x[: self.slack.system.matrix.shape[1]])
        missed = r.count[r.deviation(r.true(table)) > 0]
        return self.everything & ~sum(1 << i for i in set(missed.tolist()))

    def _add(self, masks: list[int]) -> None:
        self._alive.update(masks)
        for mask in masks:
            heapq.heappush(self._open, (*_order(mask), mask))

    def _meet(self, out: int) -> None:
        """Change the candidates so that they meet one more set (Berge's multiplication)."""
        missed = [mask for mask in self._alive if not mask & out]
        self._alive.difference_update(missed)
        # Conflicts meet every such set, and a candidate that contains one is not minimal.
        kept = np.asarray([*self._alive, *self.conflicts], np.int64)
        new: list[int] = []
        for i in _bits(out):
            near = kept[kept & (1 << i) != 0]
            grown = (mask | 1 << i for mask in missed)
            new += [mask for mask in grown if not (near & ~mask == 0).any()]
        self._add(new)
        if len(self._alive) > MOST_CANDIDATES:
            raise TooLongError("candidates for conflicts", MOST_CANDIDATES)


def _bits(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


def _order(mask: int) -> tuple[int, tuple[int, ...]]:
    return mask.bit_count(), tuple(_bits(mask))


# -- why they cannot ---------------------------------------------------------------------


@dataclass(frozen=True)
class Reason:
    """Why counts contradict each other: all cells of the left are in the right, which is less."""

    #: A count, or one firm of it (``M20b[A]``); how many times it is added; the value printed
    left: tuple[tuple[str, int, int], ...]
    right: tuple[tuple[str, int, int], ...]
    least: int  # What the left comes to at least, and the right at most
    most: int
    left_sign: str  # {"=", "≥"}: Whether a count among them only says at least
    right_sign: str  # {"=", "≤"}
    same: bool  # Whether both sides count exactly the same

    def __str__(self) -> str:
        """The reason in one sentence."""
        left = _sum(self.left, self.left_sign, self.least)
        right = _sum(self.right, self.right_sign, self.most)
        if not self.right:
            return f"{_names(self.left)} cannot count anything, but {left}."
        names, others = _names(self.left), _names(self.right)
        if self.same:
            verb = "counts" if len(self.left) == 1 else "count"
            return f"{names} {verb} the same as {others}, but {left} and {right}."
        return f"All of {names} is in {others}, but {left} and {right}."


def reason(r: Rows, conflict: Iterable[str]) -> Reason | None:
    """Why counts contradict each other, by adding up; None where that does not show it."""
    own = subset(r, conflict)
    whole = (own.count == np.arange(len(own.counts))[:, None]).astype(np.int64)
    # All firms of a count that holds for each together, or, where that does not do, one by one.
    for parts in (whole, np.eye(len(own.count), dtype=np.int64)):
        times = _times(own, parts)
        if times is not None:
            above, below = np.maximum(times, 0), np.maximum(-times, 0)
            return Reason(
                _terms(own, above),
                _terms(own, below),
                int(above @ own.printed),
                int(below @ own.printed),
                "≥" if (own.relation[above > 0] == AT_LEAST).any() else "=",
                "≤" if (own.relation[below > 0] == AT_MOST).any() else "=",
                not (times @ own.member).any(),
            )
    return None


def _times(r: Rows, parts: Ints) -> Ints | None:
    """How many times each row is added to show a contradiction, by Farkas' lemma."""
    relation = np.asarray([r.relation[part > 0].max(initial=0) for part in parts])
    values, cells = parts @ r.printed, parts @ np.unique(r.member, axis=1)
    add, take = np.flatnonzero(relation != AT_MOST), np.flatnonzero(relation != AT_LEAST)
    signed = np.concatenate([parts[add], -parts[take]])
    either = np.hstack([cells[add].T, -cells[take].T])
    program = Program(
        np.vstack([either, np.concatenate([values[add], -values[take]])]),
        np.asarray([AT_MOST] * cells.shape[1] + [AT_LEAST]),
        np.asarray([0] * cells.shape[1] + [1]),
    )
    low = np.zeros(len(signed), np.int64)
    x = program.guess(low + 1, low, low + MOST_TIMES)
    return None if x is None else x @ signed


def _terms(r: Rows, times: Ints) -> tuple[tuple[str, int, int], ...]:
    terms = []
    for i, count in enumerate(r.counts):
        own = np.flatnonzero(r.count == i)
        if len(own) and times[own[0]] and (times[own] == times[own[0]]).all():
            terms.append((count.id, int(times[own[0]]), int(r.printed[own].sum())))
        elif count.each:
            by_firm = zip(count.firms, times[own].tolist(), strict=True)
            terms += [(f"{count.id}[{firm}]", n, count.value) for firm, n in by_firm if n]
    return tuple(terms)


def _names(terms: tuple[tuple[str, int, int], ...]) -> str:
    return " + ".join(name if times == 1 else f"{times} × {name}" for name, times, _ in terms)


def _sum(terms: tuple[tuple[str, int, int], ...], sign: str, total: int) -> str:
    values = " + ".join(str(v) if times == 1 else f"{times} × {v}" for _, times, v in terms)
    alone = len(terms) == 1 and terms[0][1] == 1
    return f"{_names(terms)} {sign} {total if alone else f'{values} = {total}'}"
