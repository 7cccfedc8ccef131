"""Rows of a register of decisions as SQL: what stands in them, read, or null where it cannot be.

The firm is the clean label of its cell; ``y`` is 1 where a decision carries the flag; ``w`` orders
the decisions of a firm; ``s`` and ``p`` are the positions of size and period.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from intlmodels.csvtable import INVISIBLE, MISSING
from intlmodels.register.engine import Source, literal
from intlmodels.study.dates import FORMS, NUMBER, UNCLEAR
from intlmodels.study.sequences import DecisionRegister

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
        How dates are written: ``number``, or a name in :data:`intlmodels.study.dates.FORMS`.
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
