"""From the rows of a register of decisions to its counts, out of core.

In SQL the firm is the clean label of its cell; ``y`` is 1 where a decision carries the flag; ``w``
orders the decisions of a firm; ``s`` and ``p`` are the positions of size and period.

A row that is set aside leaves a gap in its firm's sequence: later decisions would count too few
before them. So all rows of such a firm are set aside with it, and none without being written down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.csvtable import INVISIBLE, MISSING, clean_label
from intlmodels.core.errors import StudyError
from intlmodels.register.files import (
    RegisterFiles,
    Source,
    connected,
    in_order,
    literal,
    ready,
    sources,
)
from intlmodels.register.rows import (
    Bad,
    find_bad,
    readable,
    require_found_again,
    set_aside,
    stop,
    why_unread,
)
from intlmodels.studies.columns import MOST_NOTES, appearance, frozen, lookalikes
from intlmodels.studies.counts import FLAGS
from intlmodels.studies.decisions import (
    EXAMPLES,
    FORMS,
    NUMBER,
    UNCLEAR,
    expected,
    stated_form,
    stated_pattern,
)
from intlmodels.studies.register import DecisionRegister, ReadDecisions, Reader, Sequences
from intlmodels.studies.sources import Cell

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


def count_decisions(
    register: DecisionRegister, found: RegisterFiles, aside: Path | None
) -> tuple[Sequences, ReadDecisions]:
    """Count the decisions of a register; rows that cannot be read may be set ``aside``."""
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
                raise StudyError(
                    f"{out.why(next(out.rows()))} -- firms like this one: {len(out.firms):,}; fix "
                    'the files, or write bad_rows = "set aside" in [register]'
                )
            counts = _count(out)
        alike = _alike(out)
        own = written = 0
        if bad or out.firms:

            def why(row: Bad) -> StudyError:
                nonlocal own
                own += out.own(row) is not None
                return out.why(row)

            written = set_aside(register, out.rows(), aside, why)
        require_found_again(own, bad, aside)
    sequences, ties, different = _sequences(counts, register)
    read = ReadDecisions(
        files=len(found.paths),
        rows=total,
        firms=int(sequences.firms.sum()),
        sequences=different,
        ties=ties,
        bad=bad,
        broken=int(broken + sum(row[5] * n for *row, n in survey)),
        fellows=written - own,
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
        texts = dict(zip(register.columns, source.texts(), strict=True))
        few = ", ".join(f"{texts.get(key, literal(''))} AS {key}" for key in FEW)
        # Grouped first: there are fewer different dates than rows.
        grouped = (
            f"SELECT {few}, {_date(register, texts)} AS said, {nobody(texts['firm'])} AS nobody, "
            f"count(*) AS rows FROM {source.rows()} GROUP BY ALL"
        )
        some = connection.execute(
            f"SELECT {', '.join(FEW)}, {form('said', register.by_number)} AS form, "
            f"{no_year('said')} AS no_year, nobody, CAST(sum(rows) AS BIGINT) FROM ({grouped}) "
            f"GROUP BY ALL LIMIT {MOST_TEXTS + 1}"
        ).fetchall()
        if len(some) <= MOST_TEXTS:
            source.require_all(sum(n for *_, n in some))
        found += some
    if len(found) > MOST_TEXTS:
        said = f"more than {MOST_TEXTS:,} different flags, sizes and periods; expected few: see "
        raise StudyError(f"{said}whether [register] names the right columns", file=register.files)
    return found, sum(source.broken for source in parts)


def _readings(survey: Sequence[tuple[Any, ...]], register: DecisionRegister) -> Readings:
    """What texts mean, and how dates are written: as most of them are."""
    options = {"flag": FLAGS, "size": register.size_labels, "period": register.periods}
    codes: dict[str, dict[str, int]] = {}
    for place, key in enumerate(FEW):
        if key in register.columns:
            known = readable(register, key, {row[place] for row in survey})
            codes[key] = {text: options[key].index(said) for text, said in known.items()}
    forms: Counter[str] = Counter()
    for *row, n in survey:
        forms[row[3]] += n
    form = "number" if register.by_number else max(FORMS, key=lambda form: forms[form])
    other = sum(forms[name] for name in _NUMERIC if name != form)
    doubtful = form in _NUMERIC and other > MOST_OTHER * (other + forms[form])
    if doubtful and register.bad_rows != "stop":  # which names the first of them
        said = f"{other:,} rows have numbers in other forms than most; "
        column = register.columns["when"]
        wanted = expected("[register]", False)
        raise StudyError(f"{said}{wanted}", file=register.files, column=column)
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
    if out.texts or out.firms:
        included = f" AND {_INCLUDED}" if out.firms else ""
        all_rows = f"(SELECT * FROM {all_rows} WHERE firm IS NOT NULL{included})"
    if out.readings.form == "place":
        # Places are 1, 2, 3 and so on, each once; they may begin with 0.
        wrong = out.connection.execute(
            f"SELECT firm FROM {all_rows} GROUP BY firm HAVING min(w) > 1 OR "
            "max(w) - min(w) >= count(*) OR count(DISTINCT w) < count(*) ORDER BY firm LIMIT 1"
        ).fetchone()
        if wrong is not None:
            raise StudyError(
                "the numbers of this firm do not count its decisions 1, 2, 3 and so on, and may be "
                f"parts of dates; {expected('[register]', False)}",
                file=out.register.files,
                column=out.register.columns["when"],
                value=wrong[0],
            )
    query = counted(out.register, all_rows)
    found = out.connection.execute(f"{query} LIMIT {MOST_CELLS + 1}").fetchall()
    if len(found) > MOST_CELLS:
        said = f"more than {MOST_CELLS:,} kinds of firms, by size, decisions and flags; expected "
        raise StudyError(f"{said}shorter sequences, or fewer periods", file=out.register.files)
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


# -- rows as SQL -------------------------------------------------------------------------

#: Year of a date; of numbers that order, only those that can be years.
_YEARS = r"[12]\d{3}(\.\d+)?"
#: White space as Python knows it, and an empty Braille cell.
_BLANK = (
    r"[\s\x{0b}\x{1c}-\x{1f}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}"
    r"\x{2800}\x{3000}]"
)


#: Columns with few different texts.
FEW = ("flag", "size", "period")


@dataclass(frozen=True)
class Readings:
    """What the texts of the columns with few of them mean, and how dates are written."""

    #: For ``flag``, and if they are read ``size`` and ``period``: text -> position
    codes: Mapping[str, Mapping[str, int]]
    #: How dates are written: ``number``, or a name in :data:`intlmodels.studies.decisions.FORMS`
    form: str
    sure: bool = False  # Whether all dates are known to be written so


def nobody(text: str) -> str:
    """SQL of whether the cell of a firm says that it is not known."""
    nothing = f"({_BLANK}|{INVISIBLE})*"
    missing = "|".join(f"{INVISIBLE}*".join(word) for word in MISSING)
    return _fits(text, f"{nothing}({missing}){nothing}")


def firm(text: str) -> str:
    """SQL of a firm's clean name; null where it is missing."""
    clean = f"nfc_normalize(regexp_replace({text}, {literal(INVISIBLE)}, '', 'g'))"
    clean = f"trim(regexp_replace({clean}, {literal(f'{_BLANK}+')}, ' ', 'g'))"
    # Nearly all names are plain, and cheap to know as such.
    plain = f"regexp_full_match({text}, '[!-~]+( [!-~]+)*')"
    return f"CASE WHEN {nobody(text)} THEN NULL WHEN {plain} THEN {text} ELSE {clean} END"


def _order(text: str, form: str) -> str:
    """SQL of the number that orders a date or number of a form; null where there is none."""
    year = f"{text}[:4]"
    match form:
        case "number":
            return f"TRY_CAST({text} AS DECIMAL(38, 18))"
        case "place":
            return f"CAST(TRY_CAST({text} AS DOUBLE) AS BIGINT)"
        case "zoned":
            return f"epoch_us(TRY_CAST({text} AS TIMESTAMPTZ))"
        case "compact":
            text = f"{year} || '-' || {text}[5:6] || '-' || {text}[7:8]"
        case "month":
            text = f"{text} || '-01'"
        case "year":
            text = f"{year} || '-01-01'"
    return f"epoch_us(TRY_CAST({text} AS TIMESTAMP))"


def _fits(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {literal(pattern)})"


def form(text: str, numbers: bool) -> str:
    """SQL of the form of a date that exists; else ``unclear`` for numbers, or empty."""
    text = f"trim({text}, ' \t')"
    forms = {"number": NUMBER} if numbers else FORMS
    tests = [
        f"WHEN {_fits(text, pattern)} AND {_order(text, name)} IS NOT NULL THEN '{name}'"
        for name, pattern in forms.items()
    ]
    return f"CASE {' '.join(tests)} WHEN {_fits(text, UNCLEAR)} THEN 'unclear' ELSE '' END"


def no_year(text: str) -> str:
    """SQL of whether a number that orders is no year."""
    return f"NOT {_fits(f"trim({text}, ' \t')", _YEARS)}"


def _date(register: DecisionRegister, texts: Mapping[str, str]) -> str:
    """SQL of dates in a form that is known; empty for those not in the stated format."""
    if not register.date_format:
        return texts["when"]
    bare = f"trim({texts['when']}, ' \t')"
    read = f"try_strptime({bare}, {literal(register.date_format)})"
    known = f"strftime({read}, {literal(stated_form(register.date_format)[1])})"
    fits = _fits(bare, stated_pattern(register.date_format))
    return f"CASE WHEN {fits} THEN coalesce({known}, '') ELSE '' END"


def _when(text: str, readings: Readings) -> str:
    """SQL of a number that orders decisions; null where the date is written in another way."""
    bare, name = f"trim({text}, ' \t')", readings.form
    order = _order(bare, name)
    if readings.sure:
        return order
    return f"CASE WHEN {_fits(bare, {**FORMS, 'number': NUMBER}[name])} THEN {order} END"


def _code(text: str, codes: Mapping[str, int]) -> str:
    by_code: dict[int, list[str]] = {}
    for said, code in codes.items():
        by_code.setdefault(code, []).append(literal(said))
    tests = [f"WHEN {text} IN ({', '.join(said)}) THEN {code}" for code, said in by_code.items()]
    return f"CASE {' '.join(tests)} END" if tests else "CAST(NULL AS INTEGER)"


def _period(register: DecisionRegister, readings: Readings, texts: Mapping[str, str]) -> str:
    if "period" in texts:
        return _code(texts["period"], readings.codes["period"])
    if not register.starts:
        return "0"
    bare = f"trim({_date(register, texts)}, ' \t')"
    year = f"TRY_CAST({bare}[:4] AS INTEGER)"
    if readings.form in ("number", "place"):
        year = f"CASE WHEN NOT {no_year(bare)} THEN {year} END"
    return " + ".join(f"CAST({year} >= {start} AS INTEGER)" for start in register.starts)


def rows(
    register: DecisionRegister, parts: Iterable[Source], readings: Readings, *, raw: bool = False
) -> str:
    """SQL of all rows: ``part``, ``n`` (their order), ``firm``, ``y``, ``w``, ``s`` and ``p``.

    With ``raw`` also the texts of the columns, as ``t0``, ``t1`` and so on.
    """
    selects = []
    for number, source in enumerate(parts):
        texts = dict(zip(register.columns, source.texts(), strict=True))
        size = _code(texts["size"], readings.codes["size"]) if "size" in texts else "1"
        said = "".join(f", {text} AS t{i}" for i, text in enumerate(texts.values())) * raw
        selects.append(
            f"SELECT {number} AS part, row_number() OVER () AS n, {firm(texts['firm'])} AS firm, "
            f"{_code(texts['flag'], readings.codes['flag'])} AS y, "
            f"{_when(_date(register, texts), readings)} AS w, {size} AS s, "
            f"{_period(register, readings, texts)} AS p{said} FROM {source.rows()}"
        )
    return "(" + " UNION ALL ".join(selects) + ")"


#: SQL of whether the firm of a row is not left out; and of whether a row cannot be read.
_INCLUDED = "firm NOT IN (SELECT firm FROM excluded)"
UNREAD = "(firm IS NULL OR y IS NULL OR w IS NULL OR s IS NULL OR p IS NULL)"


def counted(register: DecisionRegister, all_rows: str) -> str:
    """SQL of all counts in one pass: first firms by kind, then decisions by place.

    ``back`` is whether a period comes again; ``s``, ``p`` and ``k`` (prior entries) are of a place.
    """
    periods = range(len(register.periods))
    made = ", ".join(f"count(*) FILTER (p = {i}) AS in{i}" for i in periods)
    names = ", ".join(f"in{i}" for i in periods)
    # The same sequence has the same sum of hashes; another one has another, but for one in 2^64.
    return (
        "WITH placed AS (SELECT firm, y, s, p, row_number() OVER own - 1 AS k, "
        "lag(w) OVER own = w AS tie, lag(p) OVER own > p AS back "
        f"FROM {all_rows} WINDOW own AS (PARTITION BY firm ORDER BY w, part, n)), "
        "grouped AS (SELECT grouping(firm) = 1 AS place, s, p, k, min(s) AS low, max(s) AS high, "
        f"coalesce(bool_or(back), false) AS back, {made}, sum(y) AS flagged, "
        "sum(CAST(hash(k, y, p) AS HUGEINT)) AS sequence, "
        "coalesce(sum(CAST(tie AS INTEGER)), 0) AS ties "
        "FROM placed GROUP BY GROUPING SETS ((firm), (s, p, k))) "
        f"SELECT place, low, high, back, {names}, flagged, s, p, k, count(*) AS firms, "
        "count(DISTINCT sequence) FILTER (NOT place) AS sequences, sum(ties) AS ties "
        f"FROM grouped GROUP BY place, low, high, back, {names}, flagged, s, p, k ORDER BY ALL"
    )


# -- decisions that cannot be read -----------------------------------------------------

#: Different texts that cannot be read, and names of firms set aside, at most.
MOST = 100_000
#: Why a firm is set aside, by what is found.
_REASONS = {
    "unread": "another row of this firm cannot be read, so that its sequence is not known",
    "sizes": "the rows of this firm give two sizes; expected one",
    "back": "by its dates this firm goes back to an earlier period; expected periods in order of "
    "time",
}


@dataclass
class Unreadable:
    """What cannot be read of a register of decisions, and the firms that it concerns."""

    connection: DuckDBPyConnection
    register: DecisionRegister
    parts: Sequence[Source]
    found: RegisterFiles  # The files
    readings: Readings
    #: Position of a column -> its texts that cannot be read
    texts: dict[int, list[str]] = field(default_factory=dict)
    #: Firm that is left out -> why, a key of the reasons; also in the table ``excluded``
    firms: dict[str, str] = field(default_factory=dict)

    def find_texts(self) -> None:
        """Find :attr:`texts`."""
        # The period follows from the date where no column has it.
        values = {"firm": "firm", "flag": "y", "when": "w", "size": "s", "period": "p"}
        for place, key in enumerate(self.register.columns):
            unread = f"{values[key]} IS NULL"
            if key == "when" and "period" not in self.register.columns:
                unread += " OR p IS NULL"
            self.texts[place] = self._names(place, unread)

    def find_fellows(self) -> None:
        """Leave the firms of rows out that cannot be read."""
        bad = f"{self._rows()} WHERE {UNREAD} AND firm IS NOT NULL"
        self._exclude(f"SELECT DISTINCT firm, 'unread' FROM {bad}")

    def find_conflicting(self) -> None:
        """Leave firms out that have two sizes, or go back to an earlier period."""
        included = f" WHERE {_INCLUDED}" if self.firms else ""
        self._exclude(
            "SELECT firm, CASE WHEN min(s) < max(s) THEN 'sizes' ELSE 'back' END FROM (SELECT "
            "firm, s, lag(p) OVER (PARTITION BY firm ORDER BY w, part, n) > p AS back "
            f"FROM {self._rows()}{included}) GROUP BY firm HAVING min(s) < max(s) OR bool_or(back)"
        )

    def _exclude(self, query: str) -> None:
        columns = "(firm VARCHAR, reason VARCHAR)"
        self.connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS excluded {columns}")
        self.connection.execute(f"INSERT INTO excluded {query}")
        kept = f"SELECT firm, reason FROM excluded ORDER BY firm LIMIT {MOST + 1}"
        found = self.connection.execute(kept).fetchall()
        self._require_few(len(found), 0)
        self.firms = {str(firm): str(reason) for firm, reason in found}

    def _rows(self) -> str:
        return rows(self.register, self.parts, self.readings, raw=True)

    def _names(self, place: int, where: str) -> list[str]:
        query = f"SELECT DISTINCT t{place} FROM {self._rows()} WHERE {where} LIMIT {MOST + 1}"
        found = self.connection.execute(query).fetchall()
        self._require_few(len(found), place)
        return sorted(str(text) for (text,) in found)

    def _require_few(self, count: int, place: int) -> None:
        if count > MOST:
            raise StudyError(
                f"more than {MOST:,} of its values belong to rows that cannot be read; expected "
                "few: fix the files, or see whether study.toml names the right columns",
                file=self.register.files,
                column=[*self.register.columns.values()][place],
            )

    def rows(self) -> Iterator[Bad]:
        """Rows that cannot be read, and all rows of firms left out, by file and row."""
        texts = dict(self.texts)
        if self.firms:
            named = self._names(0, "firm IN (SELECT firm FROM excluded)")
            texts[0] = sorted({*texts.get(0, ()), *named})
        unread = [texts.get(place, []) for place in range(len(self.register.columns))]
        return find_bad(self.connection, in_order(self.parts, self.found), unread)

    def why(self, bad: Bad) -> StudyError:
        """What is wrong with a row, or with its firm, with its place."""
        if (own := self.own(bad)) is not None:
            return own
        cell = Cell(bad.file, bad.row, self.register.columns["firm"], bad.texts[0])
        return cell.error(_REASONS[self.firms[clean_label(bad.texts[0])]])

    def own(self, bad: Bad) -> StudyError | None:
        """Why a row itself cannot be read; None if it can."""
        return why_unread(bad, self.register, self._readers)

    @cached_property
    def _readers(self) -> dict[str, Reader]:
        """Those of the register, which do not know how most dates are written."""
        readers = self.register.readers()
        unread = frozenset(self.texts.get([*self.register.columns].index("when"), ()))
        example = EXAMPLES[self.readings.form]
        mend = f"expected a date that exists, written like most dates of this register: {example}"
        if self.register.starts and self.readings.form in ("number", "place"):
            mend = "expected a year, as [periods] starts places decisions by their year"

        def when(cell: Cell) -> str | float | None:
            said = readers["when"](cell)
            if cell.text in unread:
                raise cell.error(mend)
            return said

        return {**readers, "when": when}
