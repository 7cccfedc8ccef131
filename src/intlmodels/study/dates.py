"""Dates of decisions: the forms in which they may be written, and what they stand for.

Only forms that mean one thing are read: as numbers, 31052001 and 05.2001 would not sort in time.
"""

from __future__ import annotations

import datetime
import re

from intlmodels.study.keys import Key

#: What orders decisions, as the key ``order`` says it.
ORDER = Key("text", options=("date", "number"))

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
    """First and last microsecond that a date can mean, in UTC where it has a zone.

    Raises
    ------
    ValueError
        If there is no such date.
    """
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
