"""Orders within a firm: decisions of one firm that a publication gives in their order.

An order is a list of steps, such as a flagged decision before 2000 and later one without the flag.
It holds if the firm's own sequence has such decisions, a different one for each step, in this
order; others may stand before, between and after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from intlmodels.studies.counts import FLAGS, STATUS, Subjects
from intlmodels.studies.schema import PROSE, Key, require_name, section, wrong

#: Steps of all orders of one firm, at most: what is kept of a sequence doubles with each.
MOST_STEPS = 8


@dataclass(frozen=True)
class Step:
    """One of the decisions of an order: in one of these periods, with one of these flags."""

    periods: tuple[str, ...]
    flags: tuple[str, ...]
    #: What was decided, in words.
    text: str = ""


@dataclass(frozen=True)
class Order:
    """Decisions of a firm, the first one first."""

    firm: str
    steps: tuple[Step, ...]
    #: Whether it holds exactly; otherwise it may be off by some steps.
    hard: bool = False
    #: Where it was printed.
    where: str = ""
    note: str = ""
    #: Of simulated data: the publication does not say so (see ``simulator.publish_orders``).
    denied: bool = False

    def advance(self, reached: tuple[int, ...], period: str, flag: str) -> tuple[int, ...]:
        """Of the first 1, 2, ... steps, how many can be matched once another decision is made."""
        new, before, last = [], 0, 0
        for step, now in zip(self.steps, reached, strict=True):
            fits = period in step.periods and flag in step.flags
            last = max(now, last, before + 1 if fits else 0)
            new.append(last)
            before = now
        return tuple(new)

    def off(self, decisions: Iterable[tuple[str, str]]) -> int:
        """How many steps cannot be matched in a firm's sequence of (period, flag)."""
        reached = (0,) * len(self.steps)
        for period, flag in decisions:
            reached = self.advance(reached, period, flag)
        return len(self.steps) - reached[-1]


_ORDER = {
    "firm": Key("label", required=True),
    "order": Key("tables", required=True),
    "status": Key("text", required=True, options=STATUS),
    "where": PROSE,
    "note": PROSE,
}
_STEP = {"periods": Key("texts"), "flag": Key("text", options=FLAGS), "quantity": PROSE}


def read_orders(
    tables: Sequence[object],
    where: str,
    subjects: Subjects,
    periods: tuple[str, ...],
    total: int,
    beside: Sequence[Order] = (),
) -> tuple[Order, ...]:
    """The tables below a line such as ``[[counts.orders]]``, checked.

    ``total``: number of all decisions; ``beside``: orders to which these are added. Raises
    StudyError where a firm or period is unknown, where a step is empty or cannot follow those
    before it, or where steps are too few or too many.
    """
    read: list[Order] = []
    for number, table in enumerate(tables, start=1):
        here = f"[[{where}]] number {number},"
        given = section(table, _ORDER, here)
        firm = given["firm"]
        require_name(firm, subjects.firms, f"{here} firm", "firm", 30)
        steps = tuple(
            _step(step, f"{here} order, step {i},", periods)
            for i, step in enumerate(given["order"], start=1)
        )
        if len(steps) < 2:
            said = "expected two steps or more; one decision is a count 'at least 1'"
            raise wrong(said, f"{here} order")
        _require_sequence(steps, f"{here} order", periods)
        if len(steps) > total:
            said = f"expected at most as many steps as there are decisions in all, {total}"
            raise wrong(said, f"{here} order", len(steps))
        others = sum(len(other.steps) for other in (*beside, *read) if other.firm == firm)
        so_far = len(steps) + others
        if so_far > MOST_STEPS:
            said = f"expected at most {MOST_STEPS} steps in all orders of a firm, found {so_far}"
            raise wrong(said, f"{here} firm", firm)
        own = given["status"] == "hard", given.get("where", ""), given.get("note", "")
        read.append(Order(firm, steps, *own))
    return tuple(read)


def _step(table: object, here: str, periods: tuple[str, ...]) -> Step:
    given = section(table, _STEP, here)
    if not {"periods", "flag"} & given.keys():
        raise wrong("expected periods, a flag, or both", here.rstrip(","))
    named = given.get("periods", periods)
    if not named or len(set(named)) < len(named):
        raise wrong("expected one period or more, each once", f"{here} periods", list(named))
    for name in named:
        require_name(name, periods, f"{here} periods", "period", some="some")
    flags = (given["flag"],) if "flag" in given else FLAGS
    return Step(tuple(p for p in periods if p in named), flags, given.get("quantity", ""))


def _require_sequence(steps: Sequence[Step], where: str, periods: tuple[str, ...]) -> None:
    """Refuse a step all of whose periods are over when the one before it can be made."""
    earliest = 0
    for number, step in enumerate(steps, start=1):
        places = [periods.index(name) for name in step.periods]
        if max(places) < earliest:
            raise wrong(
                f"step {number} cannot follow: the steps before it reach {periods[earliest]!r} at "
                "least; expected steps in order of time",
                where,
                list(step.periods),
            )
        earliest = min(p for p in places if p >= earliest)


def in_words(order: Order, periods: tuple[str, ...]) -> str:
    """The steps of an order, one after the other."""
    said = []
    for step in order.steps:
        flag = "any" if step.flags == FLAGS else f"flag {step.flags[0]}"
        when = [] if step.periods == periods else step.periods
        said.append(", ".join([*[step.text] * bool(step.text), *when, flag]))
    return "; then ".join(said)


def order_line(order: Order, periods: tuple[str, ...]) -> str:
    """An order in one line, for a person to check."""
    status = "hard " if order.hard else "noisy"
    return f"order   {status}  {order.firm}: {in_words(order, periods)}"
