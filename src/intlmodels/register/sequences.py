"""From the rows of a register of decisions to its counts, out of core."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.errors import StudyError
from intlmodels.register.badrows import set_aside, stop
from intlmodels.register.decisionrows import (
    FEW,
    Readings,
    Unreadable,
    conflict,
    counted,
    miscounted,
    rows,
    surveyed,
)
from intlmodels.register.engine import Source, connected, ready, sources
from intlmodels.register.files import Found
from intlmodels.study.columns import MOST_NOTES, appearance, frozen, lookalikes
from intlmodels.study.counts import FLAGS, SIZES
from intlmodels.study.decisions import FORMS, expected
from intlmodels.study.register import DecisionRegister, ReadDecisions, Sequences
from intlmodels.study.sources import Cell

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


#: Different texts of flag, size and period together that are looked at.
MOST_TEXTS = 100_000
#: Kinds of firms, and places of decisions, that a fit may have: its cost grows with them.
MOST_CELLS = 100_000
#: Names with letters beyond ASCII that are compared with others.
MOST_FOREIGN = 100_000
#: Forms of dates that are numbers.
_NUMERIC = ("compact", "year", "place", "unclear")
#: Share of numbers in another form than most: with more, those may fit by accident.
MOST_OTHER = 0.05

Counts = tuple[Sequences, ReadDecisions]


def read_sequences(register: DecisionRegister, found: Found, aside: Path | None) -> Counts:
    """Count the decisions of a register.

    Parameters
    ----------
    register : DecisionRegister
    found : Found
        Its files.
    aside : Path or None
        Where rows that cannot be read are set aside, if the register asks for that.

    Returns
    -------
    Sequences, ReadDecisions
        The same rows give the same counts.

    Raises
    ------
    StudyError
        If rows cannot be read and are not set aside, if there are too many kinds of firms, or if
        the files changed meanwhile.
    """
    marks = found.marks()
    with connected(register) as connection:
        parts = [ready(connection, part) for part in sources(register, found, connection)]
        survey, broken = _survey(connection, register, parts)
        readings = _readings(survey, register)
        total = sum(n for *_, n in survey) + broken
        bad = broken + sum(n for *row, n in survey if _is_bad(row, readings, register))
        out = Unreadable(connection, register, parts, found, readings)
        if bad:
            out.find_texts()
            if register.bad_rows == "stop":
                raise stop(register, bad, total, out.rows(), out.why)
            out.find_fellows()
        counts = _count(out)
        if any(low != high or back for place, low, high, back, *_ in counts if not place):
            out.find_conflicting()
            if register.bad_rows == "stop":
                raise conflict(out)
            counts = _count(out)
        alike = _alike(out)
        own, fellows = _set_aside(out, aside) if bad or out.firms else (0, 0)
        if own != bad:
            raise StudyError(
                f"{bad:,} rows cannot be read, but {own:,} of them were found again; expected "
                "files that stay as they are: mend the rows set aside",
                file=str(aside),
            )
    if found.marks() != marks:
        raise StudyError(
            "the files changed while they were read; expected files at rest: run it again",
            file=register.files,
        )
    nobody = broken + sum(row[5] * n for *row, n in survey)
    sequences, tied, firms = _sequences(counts, register)
    read = ReadDecisions(
        files=len(found.paths),
        rows=total,
        firms=int(sequences.firms.sum()),
        sequences=firms,
        ties=tied,
        bad=bad,
        broken=int(nobody),
        fellows=fellows,
        firms_aside=len(out.firms),
        alike=alike,
    )
    return sequences, read


def _survey(
    connection: DuckDBPyConnection, register: DecisionRegister, parts: Sequence[Source]
) -> tuple[list[tuple[Any, ...]], int]:
    """What stands in columns with few texts, with numbers of rows; and broken records."""
    found: list[tuple[Any, ...]] = []
    for source in parts:
        some = connection.execute(surveyed(register, source, MOST_TEXTS + 1)).fetchall()
        if len(some) <= MOST_TEXTS:
            source.require_all(sum(n for *_, n in some))
        found += some
    if len(found) > MOST_TEXTS:
        raise StudyError(
            f"more than {MOST_TEXTS:,} different flags, sizes and periods; expected few: see "
            "whether [register] names the right columns",
            file=register.files,
        )
    return found, sum(source.broken for source in parts)


def _readings(survey: Sequence[tuple[Any, ...]], register: DecisionRegister) -> Readings:
    """What texts mean, and how dates are written: as most of them are."""
    options = {"flag": FLAGS, "size": SIZES, "period": register.periods}
    readers = register.readers()
    codes: dict[str, dict[str, int]] = {}
    for place, key in enumerate(FEW):
        if key not in readers:
            continue
        codes[key] = {}
        for text in {row[place] for row in survey}:
            try:
                said = readers[key](Cell("", 0, register.columns[key], text))
            except StudyError:
                continue
            codes[key][text] = options[key].index(str(said))
    forms: dict[str, int] = {}
    for *row, n in survey:
        forms[row[3]] = forms.get(row[3], 0) + n
    form = "number" if register.by_number else max(FORMS, key=lambda form: forms.get(form, 0))
    other = sum(forms.get(name, 0) for name in _NUMERIC if name != form)
    doubtful = form in _NUMERIC and other > MOST_OTHER * (other + forms.get(form, 0))
    if doubtful and register.bad_rows != "stop":  # which names the first of them
        raise StudyError(
            f"{other:,} rows have numbers in other forms than most; "
            f"{expected('[register]', False)}",
            file=register.files,
            column=register.columns["when"],
        )
    return Readings(codes, form, set(forms) == {form})


def _is_bad(row: Sequence[Any], readings: Readings, register: DecisionRegister) -> bool:
    *few, form, no_year, nobody = row
    unknown = any(
        text not in readings.codes[key]
        for key, text in zip(FEW, few, strict=True)
        if key in readings.codes
    )
    out_of_time = bool(register.starts) and form in ("number", "place") and no_year
    return bool(nobody or unknown or form != readings.form or out_of_time)


def _count(out: Unreadable) -> list[tuple[Any, ...]]:
    all_rows = rows(out.register, out.parts, out.readings)
    whose = out.texts or out.firms
    if whose:
        all_rows = f"(SELECT * FROM {all_rows} WHERE firm IS NOT NULL)"
    if out.readings.form == "place":
        query = miscounted(all_rows, bool(out.firms))
        if (wrong := out.connection.execute(query).fetchone()) is not None:
            raise StudyError(
                "the numbers of this firm do not count its decisions 1, 2, 3 and so on, and may be "
                f"parts of dates; {expected('[register]', False)}",
                file=out.register.files,
                column=out.register.columns["when"],
                value=wrong[0],
            )
    query = counted(out.register, all_rows, bool(out.firms))
    found = out.connection.execute(f"{query} LIMIT {MOST_CELLS + 1}").fetchall()
    if len(found) > MOST_CELLS:
        raise StudyError(
            f"more than {MOST_CELLS:,} kinds of firms, by size, decisions and flags; expected "
            "shorter sequences, or fewer periods",
            file=out.register.files,
        )
    return found


def _alike(out: Unreadable) -> tuple[str, ...]:
    """Names of firms that look like others, sought only where a name is not ASCII."""
    from_rows = f"SELECT DISTINCT firm FROM {rows(out.register, out.parts, out.readings)} WHERE "
    foreign = out.connection.execute(
        f"{from_rows} strlen(firm) > length(firm) LIMIT {MOST_FOREIGN + 1}"
    ).fetchall()
    if not 0 < len(foreign) <= MOST_FOREIGN:
        return ()
    names = [str(name) for (name,) in foreign]
    # Of plain names only quotes and capitals do not count.
    plain = out.connection.execute(
        f"{from_rows} strlen(firm) = length(firm) AND lower(translate(firm, '\"''`', '')) IN "
        "(SELECT unnest($1))",
        [sorted({appearance(name) for name in names})],
    ).fetchall()
    pairs = lookalikes([*names, *(str(name) for (name,) in plain)])
    return tuple(sorted({name for pair in islice(pairs, MOST_NOTES) for name in pair}))


def _set_aside(out: Unreadable, aside: Path | None) -> tuple[int, int]:
    """Write rows aside; how many cannot be read, and how many others of their firms there are."""
    if aside is None:
        raise StudyError(
            "rows that cannot be read are to be set aside; expected a folder for them: give out",
            file=out.register.files,
        )
    own = 0

    def said(bad: Any) -> StudyError:
        nonlocal own
        own += out.own(bad) is not None
        return out.why(bad)

    written = set_aside(out.register, out.rows(), aside, said)
    return own, written - own


def _sequences(
    counts: Sequence[tuple[Any, ...]], register: DecisionRegister
) -> tuple[Sequences, int, int]:
    """The counts as arrays, and the numbers of ties and of different sequences."""
    number = len(register.periods)
    if not counts:
        raise StudyError("no decision can be read; expected some", file=register.files)
    table = np.array([[int(value or 0) for value in row] for row in counts], np.int64)
    places = table[:, 0] == 1
    kinds, at = table[~places], table[places]
    made, flagged = slice(4, 4 + number), 4 + number
    found = Sequences(
        size=frozen(kinds[:, 1], np.int64),
        made=frozen(kinds[:, made], np.int64),
        flagged=frozen(kinds[:, flagged], np.int64),
        firms=frozen(kinds[:, flagged + 4], np.int64),
        at_size=frozen(at[:, flagged + 1], np.int64),
        at_period=frozen(at[:, flagged + 2], np.int64),
        at_entries=frozen(at[:, flagged + 3], np.int64),
        at_made=frozen(at[:, made].sum(axis=1), np.int64),
        at_flagged=frozen(at[:, flagged], np.int64),
    )
    return found, int(kinds[:, flagged + 6].sum()), int(kinds[:, flagged + 5].sum())
