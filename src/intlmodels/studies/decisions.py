"""Decisions known one by one, as a CSV file has them: one row a decision.

Of dates only forms that mean one thing are read: as numbers, 31052001 and 05.2001 would not sort
in time. In other forms they are read where study.toml states the format.

The rows of a firm may stand in any order. Dates put them in order; rows whose dates leave their
order open, such as 2001 and 2001-05, keep the order of the file.
"""

from __future__ import annotations

import datetime
import heapq
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import StudyError, did_you_mean, listed, read_each, together
from intlmodels.studies.columns import (
    Grouping,
    OutcomeColumns,
    Predictor,
    frozen,
    of_rows,
    read_grouping,
    read_predictor,
    require_known,
)
from intlmodels.studies.counts import FLAGS
from intlmodels.studies.schema import (
    DecayFile,
    DecisionsTable,
    DecisionTable,
    PeriodsTable,
    RowsTable,
    wrong,
)
from intlmodels.studies.sources import Cell, Sources

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


def form_of(text: str, numbers: bool) -> str:
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
        f"2006-05 or 2006, or {EXAMPLES['place']}; for dates such as 31.05.2001 write "
        'date_format = "%d.%m.%Y", and if it is a number that orders, larger for later decisions, '
        f'write order = "number" in {table}'
    )


#: Codes of a stated format, and what may stand for them.
_OF_CODES = {
    "Y": _YEAR,
    "m": r"(0?[1-9]|1[0-2])",
    "b": r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
    "B": r"(?i:january|february|march|april|may|june|july|august|september|october|november"
    r"|december)",
    "d": r"(0?[1-9]|[12]\d|3[01])",
    "H": r"([01]?\d|2[0-3])",
    "M": r"[0-5]?\d",
    "S": r"[0-5]?\d",
    "%": "%",
}


def stated_pattern(date_format: str) -> str:
    """A regular expression, for Python and DuckDB, of the dates in a stated format."""
    parts = re.split("%(.)", date_format)
    return "".join(_OF_CODES[part] if i % 2 else re.escape(part) for i, part in enumerate(parts))


def stated_form(date_format: str) -> tuple[str, str]:
    """The form of :data:`FORMS` that dates in a stated format have, and its strftime codes."""
    codes = set(re.findall("%(.)", date_format))
    if "H" in codes:
        return "moment", "%Y-%m-%d %H:%M:%S"
    if "d" in codes:
        return "day", "%Y-%m-%d"
    return ("month", "%Y-%m") if codes & {*"mbB"} else ("year", "%Y")


def read_stated(cell: Cell, date_format: str) -> str:
    """A date in a stated format, as :data:`FORMS` has it."""
    text = cell.text.strip()
    try:
        if re.fullmatch(stated_pattern(date_format), text, flags=re.ASCII):
            form = stated_form(date_format)[1]
            return datetime.datetime.strptime(text, date_format).strftime(form)
        said = ""
    except ValueError as error:
        said = f" ({error})"
    example = datetime.datetime(2006, 5, 31, 12).strftime(date_format)
    raise cell.error(f"expected a date that exists{said}, as {example}: date_format says so")


def read_flag(cell: Cell, outcome: DecisionTable) -> str:
    """One of :data:`FLAGS`, by the labels of the study if it gives some."""
    if not outcome.yes:
        hint = "; for other labels write yes = [...] and no = [...] in [outcome]"
        return cell.word(FLAGS, hint)
    return "yes" if cell.word((*outcome.yes, *outcome.no)) in outcome.yes else "no"


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
    #: What the log odds depend on besides, in the order of the decisions.
    predictors: dict[str, Predictor] = field(default_factory=dict)
    groupings: dict[str, Grouping] = field(default_factory=dict)
    #: Whether the order of a firm's decisions follows from the names of their periods only.
    by_period: bool = False

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
    #: As :data:`FORMS` has it.
    text: str
    first: int | Decimal
    last: int | Decimal


def read_decisions(
    toml: DecayFile, spec: DecisionsTable, sources: Sources, periods: PeriodsTable
) -> Decisions:
    """Read decisions, and put the rows of each firm in order of time.

    Raises StudyError for all cells that cannot be read, or else for all firms whose decisions have
    no order.
    """
    cells = {key: _cells(spec, key, sources) for key in ("firm", "flag")}
    dates = _cells(spec, "when", sources) if spec.when else []
    errors: list[StudyError] = []
    with _noted(errors):
        firms = _firms(cells["firm"], sources)
    with _noted(errors):
        flags = [FLAGS.index(f) for f in _flags(cells["flag"], toml.outcome, sources)]
    times: list[_Time] = []
    with _noted(errors):
        times = _times(dates, spec)
    if len(times) == len(dates):
        with _noted(errors):
            placed = _periods(spec, sources, periods.names, periods.starts, times)
    if errors:
        raise together(errors)
    of_firm: dict[str, list[int]] = {firm: [] for firm in sources.firms}
    for row, firm in enumerate(firms):
        of_firm[firm].append(row)
    ties = 0
    order: list[int] = []
    for rows in of_firm.values():
        with _noted(errors):
            if times:
                rows = [rows[place] for place in _in_time([times[row] for row in rows])]
                ties += _check_places([times[row] for row in rows])
                _check_periods([placed[row] for row in rows], periods.names)
            else:
                rows = sorted(rows, key=lambda row: periods.names.index(placed[row][0]))
            order += rows
    if errors:
        raise together(errors)
    return Decisions(
        firm=tuple(firms[row] for row in order),
        period=tuple(placed[row][0] for row in order),
        when=tuple(times[row].cell.text.strip() if times else "" for row in order),
        flag=frozen([flags[row] for row in order], np.int64),
        ties=ties,
        **_terms(toml, spec, sources, order),
        by_period=not times and len({name for name, _ in placed}) > 1,
    )


class _DecisionRows(Sources):
    """The tables of a study by decision; others may have firms without decisions."""

    def _match(self, file: str, found: Mapping[str, Cell]) -> None:
        known = self._rows[self.file]
        super()._match(file, {name: cell for name, cell in found.items() if name in known})


def _terms(
    toml: DecayFile, spec: DecisionsTable, sources: Sources, order: list[int]
) -> dict[str, Any]:
    """Predictors and groups of decisions, these in a new order."""
    if not (toml.predictors or toml.groupings):
        return {}
    tables = [*toml.predictors.values(), *toml.groupings.values()]
    keys = {sources.file: sources.column}
    keys |= {own.file: own.key for own in tables if own.file and own.key}
    rows = _DecisionRows(
        sources.files, spec.file, spec.firm, keys, RowsTable(file=spec.file, unit=spec.firm)
    )
    taken = OutcomeColumns(spec.file, (spec.flag,))
    predictors = {
        name: read_predictor(name, own, rows, taken) for name, own in toml.predictors.items()
    }
    for predictor in predictors.values():
        if predictor.kind == "numeric":
            require_known(predictor, rows, "place among the predictors of decisions")
    groupings = {
        name: read_grouping(name, own, rows, taken, predictors)
        for name, own in toml.groupings.items()
    }
    sources.read_as |= rows.read_as
    rows_in_order = np.array(order, np.intp)
    return {
        "predictors": {name: of_rows(own, rows_in_order) for name, own in predictors.items()},
        "groupings": {
            name: replace(own, codes=frozen(own.codes[order], np.intp))
            for name, own in groupings.items()
        },
    }


@contextmanager
def _noted(errors: list[StudyError]) -> Iterator[None]:
    """Go on after an error in cells of a CSV file, which is noted."""
    try:
        yield
    except StudyError as error:
        if error.row in (None, 1):
            raise
        errors.append(error)


def _cells(spec: DecisionsTable, key: str, sources: Sources) -> list[Cell]:
    return sources.column_cells(spec.file, getattr(spec, key), f"[decisions] {key}", "decision")


def _firms(cells: Sequence[Cell], sources: Sources) -> list[str]:
    by_label = {clean_label(firm): firm for firm in sources.firms}

    def read(cell: Cell) -> str:
        label = clean_label(cell.text)
        if label not in by_label:
            raise cell.error(
                f"expected a firm of {sources.file}{did_you_mean(label, by_label)}; add it there "
                "or fix the name"
            )
        return by_label[sources.note(cell, label)]

    return read_each(read, cells)


def _flags(cells: Sequence[Cell], outcome: DecisionTable, sources: Sources) -> list[str]:
    def read(cell: Cell) -> str:
        flag = read_flag(cell, outcome)
        sources.note(cell, clean_label(cell.text))
        return flag

    return read_each(read, cells)


# -- time --------------------------------------------------------------------------------


def _times(cells: Sequence[Cell], spec: DecisionsTable) -> list[_Time]:
    """Read a column of dates, or of numbers that order the decisions."""
    numbers = spec.order == "number"
    if spec.date_format:
        form = stated_form(spec.date_format)[0]
        texts = read_each(lambda cell: read_stated(cell, spec.date_format), cells)
        known = zip(cells, texts, strict=True)
        return [_Time(cell, form, text, *moments(text, form)) for cell, text in known]
    forms = [form_of(cell.text.strip(), numbers) for cell in cells]
    kinds = [_DATES.get(form, form) for form in forms]
    # A date among numbers tells what the column is for.
    first_known = next((i for i, kind in enumerate(kinds) if kind), 0)
    model = kinds.index("date") if "date" in kinds else first_known

    def read(place: int) -> _Time:
        cell, form, kind = cells[place], forms[place], kinds[place]
        text = cell.text.strip()
        if not form and cell.missing:
            raise cell.error(
                f"expected {'a number' if numbers else 'a date such as 2006-05-31'}; where dates "
                "are not known sort the rows of each firm and leave 'when' out of study.toml"
            )
        if not form:
            raise cell.error(expected("[decisions]", numbers))
        if kind != kinds[model]:
            other = f"{cells[model].text.strip()} in row {cells[model].row}"
            raise cell.error(f"expected the same kind of date, as {other} is one")
        try:
            first, last = moments(text, form) if kind in ("date", "zoned") else (Decimal(text),) * 2
        except ValueError as error:
            raise cell.error(f"expected a date that exists ({error})") from error
        return _Time(cell, form, text, first, last)

    return read_each(read, range(len(cells)))


def _in_time(times: Sequence[_Time]) -> list[int]:
    """Positions in order of time; where dates leave the order open, in that of the file."""
    ends = sorted((time.last, place) for place, time in enumerate(times))
    begins = sorted((time.first, place) for place, time in enumerate(times))
    placed: set[int] = set()
    able: list[int] = []
    order: list[int] = []
    end = begin = 0
    while len(order) < len(times):
        while ends[end][1] in placed:
            end += 1
        # Nothing that is left lies wholly before what begins by the first end.
        while begin < len(begins) and begins[begin][0] <= ends[end][0]:
            heapq.heappush(able, begins[begin][1])
            begin += 1
        order.append(heapq.heappop(able))
        placed.add(order[-1])
    return order


def _check_places(times: Sequence[_Time]) -> int:
    """Check that places count decisions; how many dates are not behind all earlier ones."""
    for place, time in enumerate(times, start=int(bool(times) and times[0].first > 0)):
        if time.form == "place" and time.first != place:
            raise time.cell.error(
                "the numbers of this firm do not count its decisions 1, 2, 3 and so on, each "
                f"once; {expected('[decisions]', False)}"
            )
    reached = accumulate((time.last for time in times), max)
    return sum(time.first <= last for time, last in zip(times[1:], reached, strict=False))


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
    dated: list[Placed] = []
    if starts and times:
        dated = read_each(lambda time: _by_date(time, periods, starts), times)
    if spec.period:

        def read(place: tuple[int, Cell]) -> Placed:
            row, cell = place
            name = clean_label(cell.text)
            if name not in periods:
                near = did_you_mean(name, periods)
                raise cell.error(f"expected a period, one of {listed(periods)}{near}")
            if dated and dated[row][0] != name:
                raise cell.error(
                    f"the date {times[row].cell.text.strip()} is in the period {dated[row][0]!r} "
                    "by [periods] starts; expected the two to agree: fix one"
                )
            sources.note(cell, name)
            return name, cell

        return read_each(read, enumerate(_cells(spec, "period", sources)))
    if dated:
        return dated
    if len(periods) == 1:
        return [(periods[0], None)] * len(sources.table(spec.file, "decision").rows)
    if starts:
        said = "key is missing; expected a column with the date of each decision, as [periods] has "
        raise wrong(f"{said}starts", "[decisions] when")
    raise wrong(
        "key is missing; expected a column with the period of each decision, or the column of "
        "dates in when and the first years of the periods in [periods] starts",
        "[decisions] period",
    )


def _by_date(time: _Time, periods: tuple[str, ...], starts: Sequence[int]) -> Placed:
    year = re.match(r"[12]\d{3}", time.text)
    if year is None or (time.form == "number" and re.match(r"\d{5}", time.text)):
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
                f"row {row} has an earlier decision of the same firm in a later period "
                f"({periods[reached]}); expected periods and dates to agree: fix one"
            )
        if position >= reached:
            reached, row = position, None if cell is None else cell.row
