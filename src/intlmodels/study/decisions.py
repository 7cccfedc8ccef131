"""Decisions known one by one, as a CSV file has them: one row a decision.

Of dates only forms that mean one thing are read: as numbers, 31052001 and 05.2001 would not sort
in time.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import did_you_mean, listed
from intlmodels.study.columns import frozen
from intlmodels.study.counts import FLAGS
from intlmodels.study.schema import DecisionsTable, PeriodsTable, wrong
from intlmodels.study.sources import Cell, Sources

# -- forms of dates ---------------------------------------------------------------------

_YEAR = r"[12]\d{3}"
_DAY = rf"{_YEAR}-\d{{2}}-\d{{2}}"
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6}0*)?)?"
_ZONE = r"(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)"
#: Forms of dates by name, for Python and DuckDB. A column of floating point has ``2001.0``. Eight
#: digits whose year is 1300 or later are no date if the day or the month comes first.
FORMS = {
    "moment": rf"{_DAY}[ T]{_CLOCK}",
    "zoned": rf"{_DAY}[ T]{_CLOCK}{_ZONE}",
    "day": _DAY,
    "compact": r"(1[3-9]|2\d)\d{6}(\.0+)?",
    "month": rf"{_YEAR}-\d{{2}}",
    "year": rf"{_YEAR}(\.0+)?",
    "place": r"(0|[1-9]\d{0,2})(\.0+)?",
}
#: Numbers that order, where study.toml says so; 05.2001 is none, but a month.
NUMBER = r"[+-]?(\d{1,20}|(0|[1-9]\d{0,19})\.\d{1,18})"
#: Numbers of which nobody knows what they mean.
UNCLEAR = r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?"
#: Examples of the forms.
EXAMPLES = {
    "moment": "2006-05-31 12:00:00",
    "zoned": "2006-05-31 12:00:00+02:00",
    "day": "2006-05-31",
    "compact": "20060531",
    "month": "2006-05",
    "year": "2006",
    "place": "1, 2, 3 for the first, second, third decision of a firm",
    "number": "a number that orders, such as 12 or 2006.25",
}


def form_of(text: str, numbers: bool = False) -> str:
    """The form of a date (or of a number that orders); empty where it has none."""
    forms = {"number": NUMBER} if numbers else FORMS
    found = (name for name, form in forms.items() if re.fullmatch(form, text, flags=re.ASCII))
    return next(found, "")


def expected(table: str, numbers: bool) -> str:
    """What a cell should hold that is no date, and how to convert it."""
    if numbers:
        return f'expected {EXAMPLES["number"]}, as {table} has order = "number"'
    return (
        "expected a date, year-month-day as 2006-05-31 or 20060531, with or without a time, or "
        f"2006-05 or 2006, or {EXAMPLES['place']}; write 31.05.2001 and 31052001 as 2001-05-31, "
        "05.2001 and 200105 as 2001-05; if it is a number that orders, larger for later decisions, "
        f'write order = "number" in {table}'
    )


def moments(text: str, form: str) -> tuple[int, int]:
    """First and last microsecond that a date can mean, in UTC where it has a zone."""
    if form in ("moment", "zoned"):
        at = _since(datetime.datetime.fromisoformat(text))
        return at, at
    digits = re.sub(r"\.0+|-", "", text)
    year, *rest = (int(part) for part in (digits[:4], digits[4:6], digits[6:]) if part)
    month, day = [*rest, 1, 1][:2]
    first = datetime.datetime(year, month, day)
    if len(rest) == 2:
        end = first + datetime.timedelta(days=1)
    elif rest:
        end = (first + datetime.timedelta(days=31)).replace(day=1)
    else:
        end = first.replace(year=year + 1)
    return _since(first), _since(end) - 1


def _since(moment: datetime.datetime) -> int:
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    start = datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)
    return (zoned - start) // datetime.timedelta(microseconds=1)


# -- decisions ---------------------------------------------------------------------------

#: Forms of dates that are ordered together, by what they are called; the others stand alone.
_DATES = dict.fromkeys(("moment", "day", "compact", "month", "year"), "date")


@dataclass(frozen=True, eq=False)
class Decisions:
    """All decisions of the firms, firm by firm, each firm's in order of time."""

    #: One a decision.
    firm: tuple[str, ...]
    period: tuple[str, ...]
    #: Dates as printed; empty where the order of the rows is all that is known.
    when: tuple[str, ...]
    #: 1 where a decision carries the flag; shape (decision,).
    flag: NDArray[np.int64]
    #: Decisions whose date does not put them behind all earlier ones of their firm; they keep the
    #: order of the rows.
    ties: int = 0

    @property
    def entries(self) -> NDArray[np.int64]:
        """Prior entries: how many decisions of its firm came before each, (decision,)."""
        seen: dict[str, int] = {}
        found = []
        for firm in self.firm:
            found.append(seen.get(firm, 0))
            seen[firm] = found[-1] + 1
        return np.asarray(found, np.int64)

    def table(self, firms: tuple[str, ...], periods: tuple[str, ...]) -> NDArray[np.int64]:
        """The decision table: how many decisions of each kind, (firm, period, flag)."""
        table = np.zeros((len(firms), len(periods), len(FLAGS)), np.int64)
        place = {firm: position for position, firm in enumerate(firms)}
        for firm, period, flag in zip(self.firm, self.period, self.flag, strict=True):
            table[place[firm], periods.index(period), flag] += 1
        return table


@dataclass(frozen=True)
class _Time:
    """A date as printed, its form, and the first and last moment that it can mean."""

    cell: Cell
    form: str
    first: int | Decimal
    last: int | Decimal


def read_decisions(spec: DecisionsTable, sources: Sources, periods: PeriodsTable) -> Decisions:
    """Read decisions; rows of a firm that go back in time are refused."""
    firms = _firms(_cells(spec, "firm", sources), sources)
    flags = [FLAGS.index(sources.word(c, FLAGS)) for c in _cells(spec, "flag", sources)]
    numbers = spec.order == "number"
    times = _times(_cells(spec, "when", sources), numbers) if spec.when else []
    of_firm: dict[str, list[int]] = {firm: [] for firm in sources.firms}
    for row, firm in enumerate(firms):
        of_firm[firm].append(row)
    ties = 0
    for rows in of_firm.values():
        if times and rows:
            own = [times[row] for row in rows]
            ties += _check_order(own)
            _check_places(own)
    placed = _periods(spec, sources, periods.names, periods.starts, times)
    for rows in of_firm.values():
        _check_periods([placed[row] for row in rows], periods.names)
    order = [row for rows in of_firm.values() for row in rows]
    return Decisions(
        firm=tuple(firms[row] for row in order),
        period=tuple(placed[row][0] for row in order),
        when=tuple(times[row].cell.text.strip() if times else "" for row in order),
        flag=frozen([flags[row] for row in order], np.int64),
        ties=ties,
    )


def _cells(spec: DecisionsTable, key: str, sources: Sources) -> list[Cell]:
    return sources.column_cells(spec.file, getattr(spec, key), f"[decisions] {key}", "decision")


def _firms(cells: Sequence[Cell], sources: Sources) -> list[str]:
    by_label = {clean_label(firm): firm for firm in sources.firms}
    found = []
    for cell in cells:
        label = clean_label(cell.text)
        if label not in by_label:
            raise cell.error(
                f"expected a firm of {sources.file}{did_you_mean(label, by_label)}; add it there "
                "or mend the name"
            )
        found.append(by_label[label])
        sources.note(cell, label)
    return found


# -- time --------------------------------------------------------------------------------


def _times(cells: Sequence[Cell], numbers: bool) -> list[_Time]:
    """Read a column of dates, or of numbers that order the decisions."""
    forms = [form_of(cell.text.strip(), numbers) for cell in cells]
    kinds = [_DATES.get(form, form) for form in forms]
    # A date among numbers tells what the column is for.
    model = kinds.index("date") if "date" in kinds else 0
    found = []
    for cell, form, kind in zip(cells, forms, kinds, strict=True):
        text = cell.text.strip()
        if not form and cell.missing:
            raise cell.error(
                f"expected {'a number' if numbers else 'a date such as 2006-05-31'}; where dates "
                "are not known sort the rows of each firm and leave 'when' out of study.toml"
            )
        if not form:
            raise cell.error(expected("[decisions]", numbers))
        if kind != kinds[model]:
            raise cell.error(
                f"expected the same kind of date, as {cells[model].text.strip()} in row "
                f"{cells[model].row} is one"
            )
        try:
            first, last = moments(text, form) if kind in ("date", "zoned") else (Decimal(text),) * 2
        except ValueError as error:
            raise cell.error(f"expected a date that exists ({error})") from error
        found.append(_Time(cell, form, first, last))
    return found


def _check_places(times: Sequence[_Time]) -> None:
    """Check that plain numbers count the decisions of one firm: others may be parts of dates."""
    for place, time in enumerate(times, start=int(times[0].first > 0)):
        if time.form == "place" and time.first != place:
            raise time.cell.error(
                "the numbers of this firm do not count its decisions 1, 2, 3 and so on, row by "
                f"row; {expected('[decisions]', False)}"
            )


def _check_order(times: Sequence[_Time]) -> int:
    """Check that the decisions of one firm do not go back in time; count what dates leave open."""
    ties = 0
    reached: int | Decimal = times[0].first - 1
    latest: _Time | None = None
    for time in times:
        if latest is not None and time.last < latest.first:
            raise time.cell.error(
                f"row {latest.cell.row} has a later decision of the same firm "
                f"({latest.cell.text.strip()}); expected the rows of a firm in order of time: move "
                "the row"
            )
        ties += time.first <= reached
        reached = max(reached, time.last)
        if latest is None or time.first >= latest.first:
            latest = time
    return ties


# -- periods -----------------------------------------------------------------------------

Placed = tuple[str, Cell | None]


def _periods(
    spec: DecisionsTable,
    sources: Sources,
    periods: tuple[str, ...],
    starts: Sequence[int],
    times: Sequence[_Time],
) -> list[Placed]:
    """The period of each row, and the cell that says so."""
    dated = [_by_date(time, periods, starts) for time in times] if starts and times else []
    if spec.period:
        placed: list[Placed] = []
        for row, cell in enumerate(_cells(spec, "period", sources)):
            name = clean_label(cell.text)
            if name not in periods:
                raise cell.error(
                    f"expected a period, one of {listed(periods)}{did_you_mean(name, periods)}"
                )
            if dated and dated[row][0] != name:
                raise cell.error(
                    f"the date {times[row].cell.text.strip()} is in the period {dated[row][0]!r} "
                    "by [periods] starts; expected the two to agree: mend one"
                )
            sources.note(cell, name)
            placed.append((name, cell))
        return placed
    if dated:
        return dated
    if len(periods) == 1:
        rows = len(sources.table(spec.file, "decision").rows)
        return [(periods[0], None)] * rows
    if starts:
        raise wrong(
            "key is missing; expected a column with the date of each decision, as [periods] has "
            "starts",
            "[decisions] when",
        )
    raise wrong(
        "key is missing; expected a column with the period of each decision, or the column of "
        "dates in when and the first years of the periods in [periods] starts",
        "[decisions] period",
    )


def _by_date(time: _Time, periods: tuple[str, ...], starts: Sequence[int]) -> Placed:
    text = time.cell.text.strip()
    year = re.match(r"[12]\d{3}", text)
    if year is None or (time.form == "number" and re.match(r"\d{5}", text)):
        raise time.cell.error(
            "expected a year, as [periods] starts places decisions by their year; name a column "
            "with their periods in [decisions] period instead"
        )
    return periods[sum(int(year[0]) >= start for start in starts)], time.cell


def _check_periods(placed: Sequence[Placed], periods: tuple[str, ...]) -> None:
    """Check that the decisions of one firm do not go back to an earlier period."""
    reached = 0
    row: int | None = None
    for name, cell in placed:
        position = periods.index(name)
        if cell is not None and position < reached:
            raise cell.error(
                f"row {row} has a decision of the same firm in a later period "
                f"({periods[reached]}); expected the rows of a firm in order of time: move the row"
            )
        if position >= reached:
            reached, row = position, None if cell is None else cell.row
