"""Rows of a register of decisions as SQL, and the firms whose sequence is not known.

The firm is the clean label of its cell; ``y`` is 1 where a decision carries the flag; ``w`` orders
the decisions of a firm; ``s`` and ``p`` are the positions of size and period.

A row that is set aside leaves a gap in its firm's sequence: later decisions would count too few
before them. So all rows of such a firm are set aside with it, and none without being written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from intlmodels.core.csvtable import INVISIBLE, MISSING, clean_label
from intlmodels.core.errors import StudyError
from intlmodels.register import badrows
from intlmodels.register.badrows import Bad, find_bad
from intlmodels.register.engine import Source, in_order, literal
from intlmodels.register.files import Found
from intlmodels.study.decisions import EXAMPLES, FORMS, NUMBER, UNCLEAR
from intlmodels.study.register import DecisionRegister
from intlmodels.study.sources import Cell

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


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
    """What the texts of the columns with few of them mean, and how dates are written.

    Attributes
    ----------
    codes : dict of str to dict
        For ``flag``, and if they are read ``size`` and ``period``: text -> position.
    form : str
        How dates are written: ``number``, or a name in :data:`intlmodels.study.decisions.FORMS`.
    sure : bool
        Whether all dates are known to be written so.
    """

    codes: Mapping[str, Mapping[str, int]]
    form: str
    sure: bool = False


def _texts(register: DecisionRegister, source: Source) -> dict[str, str]:
    """SQL of the text of each column."""
    return dict(zip(register.columns, source.texts(), strict=True))


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
    bare = f"trim({texts['when']}, ' \t')"
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
        texts = _texts(register, source)
        size = _code(texts["size"], readings.codes["size"]) if "size" in texts else "1"
        said = "".join(f", {text} AS t{i}" for i, text in enumerate(texts.values())) * raw
        selects.append(
            f"SELECT {number} AS part, row_number() OVER () AS n, {firm(texts['firm'])} AS firm, "
            f"{_code(texts['flag'], readings.codes['flag'])} AS y, "
            f"{_when(texts['when'], readings)} AS w, {size} AS s, "
            f"{_period(register, readings, texts)} AS p{said} FROM {source.rows()}"
        )
    return "(" + " UNION ALL ".join(selects) + ")"


#: SQL of whether a row of :func:`rows` cannot be read.
UNREAD = "(firm IS NULL OR y IS NULL OR w IS NULL OR s IS NULL OR p IS NULL)"


def surveyed(register: DecisionRegister, source: Source, most: int) -> str:
    """SQL that counts rows by the texts of columns with few of them, and by what else is told.

    Columns: flag, size and period as texts (empty where they are not read), the form of the date,
    whether a number is no year, whether the firm is missing, and the number of rows.
    """
    texts = _texts(register, source)
    few = ", ".join(f"{texts.get(key, literal(''))} AS {key}" for key in FEW)
    # Grouped first: there are fewer different dates than rows.
    grouped = (
        f"SELECT {few}, {texts['when']} AS said, {nobody(texts['firm'])} AS nobody, "
        f"count(*) AS rows FROM {source.rows()} GROUP BY ALL"
    )
    return (
        f"SELECT {', '.join(FEW)}, {form('said', register.by_number)} AS form, "
        f"{no_year('said')} AS no_year, nobody, CAST(sum(rows) AS BIGINT) FROM ({grouped}) "
        f"GROUP BY ALL LIMIT {most}"
    )


def counted(register: DecisionRegister, all_rows: str, excluded: bool) -> str:
    """SQL of all counts in one pass: first firms by kind, then decisions by place.

    Columns: whether it is a place; smallest and largest size, whether a period comes again, the
    decisions in each period, and those with the flag; of a place its size, period and prior
    entries; how many firms; different sequences; ties.
    """
    periods = range(len(register.periods))
    made = ", ".join(f"count(*) FILTER (p = {i}) AS in{i}" for i in periods)
    names = ", ".join(f"in{i}" for i in periods)
    kept = " WHERE firm NOT IN (SELECT firm FROM excluded)" if excluded else ""
    # The same sequence has the same sum of hashes; another one has another, but for one in 2^64.
    return (
        "WITH placed AS (SELECT firm, y, s, p, row_number() OVER own - 1 AS k, "
        "lag(w) OVER own = w AS tie, lag(p) OVER own > p AS back "
        f"FROM {all_rows}{kept} WINDOW own AS (PARTITION BY firm ORDER BY w, part, n)), "
        "grouped AS (SELECT grouping(firm) = 1 AS place, s, p, k, min(s) AS low, max(s) AS high, "
        f"coalesce(bool_or(back), false) AS back, {made}, sum(y) AS flagged, "
        "sum(CAST(hash(k, y, p) AS HUGEINT)) AS sequence, "
        "coalesce(sum(CAST(tie AS INTEGER)), 0) AS ties "
        "FROM placed GROUP BY GROUPING SETS ((firm), (s, p, k))) "
        f"SELECT place, low, high, back, {names}, flagged, s, p, k, count(*) AS firms, "
        "count(DISTINCT sequence) FILTER (NOT place) AS sequences, sum(ties) AS ties "
        f"FROM grouped GROUP BY place, low, high, back, {names}, flagged, s, p, k ORDER BY ALL"
    )


def miscounted(all_rows: str, excluded: bool) -> str:
    """SQL of a firm whose places are not 1, 2, 3 and so on, each once; they may begin with 0."""
    kept = " WHERE firm NOT IN (SELECT firm FROM excluded)" if excluded else ""
    return (
        f"SELECT firm FROM {all_rows}{kept} GROUP BY firm HAVING min(w) > 1 OR "
        "max(w) - min(w) >= count(*) OR count(DISTINCT w) < count(*) ORDER BY firm LIMIT 1"
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
    """What cannot be read of a register of decisions, and the firms that it concerns.

    Attributes
    ----------
    connection : duckdb.DuckDBPyConnection
    register : DecisionRegister
    parts : sequence of Source
    found : Found
        The files.
    readings : Readings
    texts : dict of int to list of str
        Position of a column -> its texts that cannot be read.
    firms : dict of str to str
        Firm that is left out -> why, a key of the reasons; also in the table ``excluded``.
    """

    connection: DuckDBPyConnection
    register: DecisionRegister
    parts: Sequence[Source]
    found: Found
    readings: Readings
    texts: dict[int, list[str]] = field(default_factory=dict)
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
        self._exclude(
            f"SELECT DISTINCT firm, 'unread' FROM {self._rows()} "
            f"WHERE {UNREAD} AND firm IS NOT NULL"
        )

    def find_conflicting(self) -> None:
        """Leave firms out that have two sizes, or go back to an earlier period."""
        kept = " WHERE firm NOT IN (SELECT firm FROM excluded)" if self.firms else ""
        self._exclude(
            "SELECT firm, CASE WHEN min(s) < max(s) THEN 'sizes' ELSE 'back' END FROM (SELECT "
            "firm, s, lag(p) OVER (PARTITION BY firm ORDER BY w, part, n) > p AS back "
            f"FROM {self._rows()}{kept}) GROUP BY firm HAVING min(s) < max(s) OR bool_or(back)"
        )

    def _exclude(self, query: str) -> None:
        self.connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS excluded (firm VARCHAR, reason VARCHAR)"
        )
        self.connection.execute(f"INSERT INTO excluded {query}")
        found = self.connection.execute(
            f"SELECT firm, reason FROM excluded ORDER BY firm LIMIT {MOST + 1}"
        ).fetchall()
        self._require_few(len(found), 0)
        self.firms = {str(firm): str(reason) for firm, reason in found}

    def _rows(self) -> str:
        return rows(self.register, self.parts, self.readings, raw=True)

    def _names(self, place: int, where: str) -> list[str]:
        found = self.connection.execute(
            f"SELECT DISTINCT t{place} FROM {self._rows()} WHERE {where} LIMIT {MOST + 1}"
        ).fetchall()
        self._require_few(len(found), place)
        return sorted(str(text) for (text,) in found)

    def _require_few(self, count: int, place: int) -> None:
        if count > MOST:
            raise StudyError(
                f"more than {MOST:,} of its values belong to rows that cannot be read; expected "
                "few: mend the files, or see whether study.toml names the right columns",
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
        own = self.own(bad)
        if own is not None:
            return own
        cell = Cell(bad.file, bad.row, self.register.columns["firm"], bad.texts[0])
        return cell.error(_REASONS[self.firms[clean_label(bad.texts[0])]])

    def own(self, bad: Bad) -> StudyError | None:
        """Why a row itself cannot be read; None if it can."""
        if not bad.texts:
            return badrows.why(bad, self.register)
        columns = self.register.columns
        readers = self.register.readers().items()
        for place, ((key, read), text) in enumerate(zip(readers, bad.texts, strict=True)):
            cell = Cell(bad.file, bad.row, columns[key], text)
            try:
                read(cell)
            except StudyError as error:
                return error
            if key == "when" and text in self.texts.get(place, ()):
                return cell.error(self._dates())
        return None

    def _dates(self) -> str:
        example = EXAMPLES[self.readings.form]
        if self.register.starts and self.readings.form in ("number", "place"):
            return "expected a year, as [periods] starts places decisions by their year"
        return f"expected a date that exists, written like most dates of this register: {example}"


def conflict(unreadable: Unreadable) -> StudyError:
    """The error for firms whose rows contradict each other, naming the first row of one."""
    first = next(unreadable.rows())
    return StudyError(
        f"{unreadable.why(first)} -- firms like this one: {len(unreadable.firms):,}; mend the "
        'files, or write bad_rows = "set aside" in [register]'
    )
