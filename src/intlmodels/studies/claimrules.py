"""Rules on what is printed: numbers, rows of tables, and proportions behind them.

Their verdict is a fact, or unknown where what is not printed could decide; of two proportions it
is a probability that needs no fit. Rules that ask a fit are in :mod:`intlmodels.studies.fitrules`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intlmodels.core import formats as f
from intlmodels.core.errors import shown
from intlmodels.studies import twogroups
from intlmodels.studies.claims import (
    CANNOT,
    CONTRADICTED,
    HOLDS,
    POINTS,
    POSTERIOR,
    Claim,
    Evidence,
    Finding,
    Naming,
    Rule,
    plain,
    required,
    shortened,
)
from intlmodels.studies.groups import Column, Group
from intlmodels.studies.schema import Key, Keys, wrong

#: Why a comparison of two groups cannot be checked.
NO_FIRM = "one of the two groups has no firm"
NOT_OF_EVERY = "not reported for every firm whether it belongs to the group"
#: Slack for sums of decimal numbers, which a computer does not hold exactly.
TINY = 1e-9

PERCENT, _NUMBER = Key("number", within=(0, 100)), Key("number")
_ABOVE_0 = Key("number", within=(1e-9, 1e9))
_WHOLE = Key("integer", within=(0, 10**9))
_ID, _IDS = Naming("text", True), Naming("texts", True, added=True)
_COLUMN, _COLUMNS = Naming("text", True, kind="column"), Naming("texts", True, kind="column")
GROUP, OTHER_GROUP = Naming("text", True, kind="group"), Naming("text", kind="group")
#: Limits of a share, in percent: ``least`` and ``most`` may be reached, the others not.
_LIMITS = dict.fromkeys(("least", "most", "above", "below"), PERCENT)


# -- what rules have in common -------------------------------------------------------------


def fact(holds: bool | None, printed: str, median: float, numbers: str, unit: str = "") -> Finding:
    """A verdict that needs no probability; None where what is not known decides."""
    said = CANNOT if holds is None else (HOLDS if holds else CONTRADICTED).format(printed)
    return Finding(said, median=median, unit=unit, numbers=numbers)


def _added(values: Sequence[float]) -> str:
    """Numbers with their sum: ``3 + 6 + 5 = 14``."""
    said = " + ".join(plain(value) for value in values)
    return f"{said} = {plain(sum(values))}" if len(values) > 1 else said


def _source(claim: Claim, evidence: Evidence) -> str:
    """What a rule on numbers reads: counts, further numbers, or columns of a table."""
    if claim.columns:
        return "table"
    named = (name for _, name in claim.names("number"))
    return "numbers" if any(name in evidence.study.numbers for name in named) else "counts"


def within(value: float, terms: Mapping[str, Any], scale: float = 1.0) -> bool:
    """Whether a value keeps the limits of a claim, each times ``scale``."""
    slack = TINY * max(1.0, abs(scale))
    return (
        value >= terms.get("least", -math.inf) * scale - slack
        and value <= terms.get("most", math.inf) * scale + slack
        and value > terms.get("above", -math.inf) * scale + ("above" in terms) * slack
        and value < terms.get("below", math.inf) * scale - ("below" in terms) * slack
    )


def _not_known(rows: Sequence[str]) -> str:
    return f"; not reported for {shortened(rows, 12)}" if rows else ""


class OfRows(Rule):
    """A rule on groups, and on numbers of columns, of the same rows."""

    #: Whether groups are compared, so that none may stand with itself.
    compares = True

    def check(self, claim: Claim, where: str) -> None:
        """Check that cells are numbers, and that all columns and groups are of the same rows."""
        for name, column in claim.columns.items():
            column.numbers()
            for key, group in claim.names("group"):
                if claim.groups[group].rows != column.rows:
                    raise wrong(f"expected a group of the rows of {name}", f"{where} {key}", group)
        first: dict[str, str] = {}
        named = [("column", *own) for own in claim.names("column")]
        for kind, key, name in [*named, *(("group", *own) for own in claim.names("group"))]:
            if kind not in first:
                first[kind] = name
                continue
            rows: Mapping[str, Column | Group] = claim.columns if kind == "column" else claim.groups
            if rows[name].rows != rows[first[kind]].rows:
                said = f"expected a {kind} of the same rows as {shown(first[kind])}"
                raise wrong(said, f"{where} {key}", name)
            if kind == "group" and name == first[kind] and self.compares:
                said = "expected another group, to compare the two"
                raise wrong(said, f"{where} {key}", name)


# -- printed numbers -----------------------------------------------------------------------


class _Balance(Rule):
    """What the sums of two sides differ by."""

    keys: ClassVar[Keys] = {"counts": _IDS, "total": _IDS}

    def __init__(self, name: str, sign: str, means: str) -> None:
        self.name, self.sign, self.means = name, sign, means
        self.words = f"{{counts}} {sign} {{total}}"

    def check(self, claim: Claim, where: str) -> None:
        for name in claim.terms["total"]:
            if name in claim.terms["counts"]:
                raise wrong("expected a number on one side only", f"{where} total", name)

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        left, right = (claim.numbers(key) for key in ("counts", "total"))
        off = math.fsum([*left, *(-value for value in right)])
        said = f"{_added(left)}, against {_added(right)}"
        numbers, event = evidence.study.numbers, getattr(evidence.study, "event", "")
        units = {numbers[name].unit for name in claim.terms["counts"] if name in numbers}
        unit = f.plural(event) if event and not claim.columns and not units else ""
        unit = units.pop() if len(units) == 1 else unit
        holds = {"=": abs(off) <= TINY, "≤": off <= TINY, ">": off > TINY}[self.sign]
        return fact(holds, _source(claim, evidence), off, said, unit)


_EITHER = "the printed `counts` add up to the `total` (one or several on either side)"
_BALANCES = (
    _Balance("sum", "=", _EITHER),
    _Balance("at most", "≤", "the `counts` add up to no more than the `total`"),
    _Balance("more than", ">", "the `counts` add up to more than the `total`"),
)


class _Limited(Rule):
    """A share between limits, of which one must be given."""

    kind = "share"

    def check(self, claim: Claim, where: str) -> None:
        terms = claim.terms
        given = [key for key in _LIMITS if key in terms]
        if not given:
            said = (
                "key is missing; expected it, or most, above or below: percent between which the "
            )
            raise wrong(f"{said}share lies", f"{where} least")
        low = max(terms.get("least", 0), terms.get("above", 0))
        high = min(terms.get("most", 100), terms.get("below", 100))
        if low > high:
            raise wrong(f"expected at least {low:g}, the lower limit", f"{where} {given[-1]}", high)
        super().check(claim, where)


class _Share(_Limited):
    name = "share"
    means = "`part` is `least` to `most` percent of `whole`, or `above` or `below` a percentage"
    words = "{part} as a share of {whole}: {limits%}"
    keys: ClassVar[Keys] = {"part": _IDS, "whole": _IDS, **_LIMITS}

    def check(self, claim: Claim, where: str) -> None:
        super().check(claim, where)
        if not sum(claim.numbers("whole")):
            said = "expected numbers that come to more than zero, of which there can be a share"
            raise wrong(said, f"{where} whole", claim.terms["whole"][0])

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        part, whole = (math.fsum(claim.numbers(k)) for k in ("part", "whole"))
        share = 100 * part / whole
        said = f"{plain(part)} of {plain(whole)}, {f.percent(share, 1)}{required(claim.terms)}"
        holds = within(100 * part, claim.terms, whole)
        return fact(holds, _source(claim, evidence), share, said, "percent")


class _Largest(Rule):
    name, kind = "largest", "comparison"
    means = "a `number` is larger than each of those it is `among`"
    words = "{number} exceeds {among}"
    keys: ClassVar[Keys] = {"number": _ID, "among": replace(_IDS, added=False)}

    def check(self, claim: Claim, where: str) -> None:
        if claim.terms["number"] in claim.terms["among"]:
            raise wrong("expected the others only", f"{where} among", claim.terms["number"])

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        value, others = claim.number("number"), claim.numbers("among")
        off = value - max(others)
        said = f"{plain(value)}, against {f.listed([plain(other) for other in others])}"
        return fact(off > 0, _source(claim, evidence), off, said)


class _Growth(Rule):
    name = "growth"
    means = "from `start` to `end` a number grew by `percent`, rounded to `rounding_width` (1)"
    words = "growth from {start} to {end}: {percent%}"
    keys: ClassVar[Keys] = {
        "start": _ID,
        "end": _ID,
        "percent": replace(_NUMBER, required=True),
        "rounding_width": _ABOVE_0,
    }

    def check(self, claim: Claim, where: str) -> None:
        if claim.number("start") <= 0:
            raise wrong("expected a number above zero", f"{where} start", claim.terms["start"])

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        start, end = (claim.number(key) for key in ("start", "end"))
        growth = 100 * (end / start - 1)
        asked = claim.terms["percent"]
        said = f"from {plain(start)} to {plain(end)}: {f.percent(growth, 1)}"
        said += f" (required: {f.percent(asked)})"
        holds = abs(growth - asked) <= claim.terms.get("rounding_width", 1.0) / 2 + TINY
        return fact(holds, _source(claim, evidence), growth, said, "percent")


class _Ratio(Rule):
    name = "ratio"
    means = "a `number` (some `times` it) `over` another lies from `least` to `most`"
    words = "{number} / {over}: {limits}"
    keys: ClassVar[Keys] = {
        "number": _ID,
        "over": _ID,
        **dict.fromkeys(("times", "least", "most"), _NUMBER),
    }

    def check(self, claim: Claim, where: str) -> None:
        if "least" not in claim.terms and "most" not in claim.terms:
            raise wrong("key is missing; expected it, or most, or both", f"{where} least")
        if not claim.number("over"):
            raise wrong("expected a number other than zero", f"{where} over", claim.terms["over"])

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        value, over = (claim.number(key) for key in ("number", "over"))
        times = claim.terms.get("times", 1.0)
        ratio = times * value / over
        factor = f"{plain(times)} x " if times != 1 else ""
        said = f"{factor}{plain(value)} / {plain(over)} = {f.significant(ratio, 3)}"
        said += required(claim.terms, "")
        return fact(within(ratio, claim.terms), _source(claim, evidence), ratio, said)


class _Faster(Rule):
    name, kind = "faster", "trend"
    means = "a `number` over `years` is more per year than another, `against`, over `against_years`"
    words = "per year, {number} ({years} years) exceeds {against} ({against_years} years)"
    keys: ClassVar[Keys] = {
        "number": _ID,
        "years": replace(_ABOVE_0, required=True),
        "against": _ID,
        "against_years": replace(_ABOVE_0, required=True),
    }

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        first, second = (claim.number(key) for key in ("number", "against"))
        years = claim.terms["years"], claim.terms["against_years"]
        rates = first / years[0], second / years[1]
        said = (
            f"{plain(first)} in {plain(years[0])} years, {f.number(rates[0], 2)} per year, against "
            f"{plain(second)} in {plain(years[1])}, {f.number(rates[1], 2)} per year"
        )
        holds, off = rates[0] > rates[1], rates[0] - rates[1]
        return fact(holds, _source(claim, evidence), off, said, "a year")


class _RowSums(OfRows):
    name = "row sums"
    means = "in every row of a table the columns `parts` add up to the column `total`"
    words = "in every row, {parts} = {total}"
    keys: ClassVar[Keys] = {"parts": replace(_COLUMNS, added=True), "total": _COLUMN}

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        parts = [claim.columns[name].numbers(0.0) for name in claim.terms["parts"]]
        total = claim.columns[claim.terms["total"]]
        rows = list(zip(total.rows, zip(*parts, strict=True), total.numbers(0.0), strict=True))
        off = [(name, own, said) for name, own, said in rows if abs(sum(own) - said) > TINY]
        sums = [f"{name}: {_added(own)}, against {plain(said)}" for name, own, said in off or rows]
        return fact(not off, "table", float(len(off)), "; ".join(sums), "rows off")


# -- rows of the printed tables --------------------------------------------------------------


class Numbered(Rule):
    """A whole number with limits, of which one must be given."""

    keys: ClassVar[Keys] = dict.fromkeys(("least", "most", "equal"), _WHOLE)

    def check(self, claim: Claim, where: str) -> None:
        """Check that there is a limit."""
        if not any(key in claim.terms for key in Numbered.keys):
            raise wrong("key is missing; expected it, or least or most", f"{where} equal")

    def holds(self, claim: Claim, fewest: int, most: int) -> bool | None:
        """Whether all numbers from one to another keep the limits; None if only some of them do."""
        terms = dict(claim.terms)
        if "equal" in terms:
            terms |= dict.fromkeys(("least", "most"), terms["equal"])
        verdicts = {within(number, terms) for number in range(fewest, most + 1)}
        return verdicts.pop() if len(verdicts) == 1 else None


class _NumberOfFirms(Numbered):
    name = "number of firms"
    means = "the group `of` has `least` to `most` firms, or a number `equal` to this"
    words = "number of {of}: {limits}"
    keys: ClassVar[Keys] = {"of": GROUP, **Numbered.keys}

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        group = claim.group("of")
        fewest, most = len(group.sure), len(group.sure) + len(group.unknown)
        members = f" ({shortened(group.sure, 12)})" if group.sure else ""
        said = f"{fewest} of {len(group.rows)}{members}{required(claim.terms, '')}"
        said += _not_known(group.unknown)
        return fact(self.holds(claim, fewest, most), "table", float(fewest), said, "firms")


class _ShareOfFirms(_Limited, OfRows):
    compares = False
    name = "share of firms"
    means = "the group `part` makes up a given percentage `of` another (default: all firms)"
    words = "share of {part} among {of}: {limits%}"
    stand_ins: ClassVar = {"of": "all"}
    keys: ClassVar[Keys] = {"part": GROUP, "of": OTHER_GROUP, **_LIMITS}

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        part = claim.group("part")
        whole = claim.group("of", part.everyone())
        inside = part.both(whole)
        # A row counts (in the part, in the whole); what is not known may be either.
        own, total = (sum(m is True for m in members) for members in (inside, whole.members))
        open_part = sum(i is None and w is True for i, w in zip(inside, whole.members, strict=True))
        shares = [
            (own + more, total + more_whole)
            for more_whole in range(len(whole.unknown) + 1)
            for more in range(open_part + more_whole + 1)
        ]
        if not any(all_of_them for _, all_of_them in shares):
            return Finding(CANNOT, numbers="the group has no firm")
        verdicts = {within(100.0 * some, claim.terms, float(of)) for some, of in shares if of}
        share = 100 * own / total if total else math.nan
        unknown = [row for row, m in zip(part.rows, inside, strict=True) if m is None]
        said = f"{own} of {total}, {f.percent(share, 1)}{required(claim.terms)}"
        said += _not_known(unknown)
        holds = verdicts.pop() if len(verdicts) == 1 else None
        return fact(holds, "table", share, said, "percent")


class _Every(OfRows):
    name, kind = "every", "comparison"
    means = "all of the group `of` (all firms) belong to the group `is`"
    words = "{of}: all are among {is}"
    stand_ins: ClassVar = {"of": "all firms"}
    keys: ClassVar[Keys] = {"of": OTHER_GROUP, "is": GROUP}

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        inside = claim.group("is")
        whole = claim.group("of", inside.everyone())
        if not whole.sure:
            return Finding(CANNOT, numbers="the group has no firm")
        outside = list(zip(whole.rows, whole.both(inside.rest()), strict=True))
        bad = [row for row, member in outside if member]
        unknown = [row for row, member in outside if member is None]
        said = f"{len(whole.sure) - len(bad)} of {len(whole.sure)}"
        said += (f"; not {shortened(bad, 12)}" if bad else "") + _not_known(unknown)
        holds = False if bad else None if unknown else True
        return fact(holds, "table", float(len(bad)), said, "firms")


class _Present(Rule):
    name, kind = "present", "comparison"
    means = "each of several `groups` has at least one firm"
    words = "at least one of each: {groups}"
    keys: ClassVar[Keys] = {"groups": Naming("texts", True, kind="group")}

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        groups = [claim.groups[name] for name in claim.terms["groups"]]
        absent = [group for group in groups if not group.sure]
        said = "; ".join(f"{group.label}: {len(group.sure)}" for group in groups)
        holds = None if any(group.unknown for group in absent) else not absent
        return fact(holds, "table", float(len(absent)), said, "absent")


class _ColumnSum(OfRows):
    name = "column sum"
    means = "the numbers of a `column` add up, over the group `of`, to the `total`"
    words = "sum of {column} over {of} = {total}"
    keys: ClassVar[Keys] = {"column": _COLUMN, "of": GROUP, "total": _IDS}

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        numbers = claim.columns[claim.terms["column"]].numbers(0.0)
        group = claim.group("of")
        values = [v for v, member in zip(numbers, group.members, strict=True) if member]
        total = claim.numbers("total")
        off = math.fsum([*values, *(-value for value in total)])
        said = f"{_added(values)} ({shortened(group.sure, 12)}), against {_added(total)}"
        holds = None if group.unknown else abs(off) <= TINY
        return fact(holds, "table", off, said + _not_known(group.unknown))


class _Range(OfRows):
    name = kind = "range"
    means = "the numbers of a `column` run from `smallest` to `largest`"
    words = "{column} ranges from {smallest} to {largest}"
    keys: ClassVar[Keys] = {
        "column": _COLUMN,
        **dict.fromkeys(("smallest", "largest"), replace(_NUMBER, required=True)),
    }

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        column = claim.columns[claim.terms["column"]]
        rows = list(zip(column.rows, column.numbers(), strict=True))
        known = [value for _, value in rows if not math.isnan(value)]
        if not known:
            return Finding(CANNOT, numbers="no number was reported")
        low, high = min(known), max(known)
        smallest, largest = claim.terms["smallest"], claim.terms["largest"]
        ends = [shortened([row for row, value in rows if value == end], 12) for end in (low, high)]
        said = (
            f"from {plain(low)} ({ends[0]}) to {plain(high)} ({ends[1]}) (required: "
            f"{plain(smallest)} to {plain(largest)})"
        )
        missing = [row for row, value in rows if math.isnan(value)]
        # A number that is not known could reach an end that no known one reaches.
        holds: bool | None = low == smallest and high == largest
        if missing:
            holds = False if low < smallest or high > largest else None
        return fact(holds, "table", high, said + _not_known(missing))


class _Labels(Rule):
    name = "labels"
    means = "in some `columns` a `number` of different labels appear"
    words = "number of different labels in {columns}: {number}"
    keys: ClassVar[Keys] = {"columns": _COLUMNS, "number": replace(_WHOLE, required=True)}

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        cells = [cell for column in claim.columns.values() for row in column.cells for cell in row]
        printed = {cell.text.strip() for cell in cells if not cell.missing}
        number = claim.terms["number"]
        said = f"{len(printed)}: {shortened(sorted(printed), 12)} (required: {plain(number)})"
        return fact(len(printed) == number, "table", float(len(printed)), said, "labels")


def averages(column: Column, group: Group, kind: str) -> tuple[float, float, float]:
    """Average of a group's known numbers; the least and greatest it could be with the others."""
    numbers = np.asarray(column.numbers())[[member is True for member in group.members]]
    average = np.median if kind == "median" else np.mean
    known = numbers[~np.isnan(numbers)]
    if not known.size:
        return math.nan, -math.inf, math.inf
    low, high = (
        float(average(np.where(np.isnan(numbers), end, numbers))) for end in (-math.inf, math.inf)
    )
    return float(average(known)), low, high


#: Different intervals of shares for which the model of two groups is worked out, at 50 ms each.
MOST_INTERVALS = 100


def _of_groups(
    study: Any, column: Column, a: Group, b: Group
) -> tuple[twogroups.TwoGroups, str] | None:
    """The model of what is behind two averages, and its unit; None where there is no such model."""
    # Rows of a panel are not of firms of their own.
    if getattr(study, "panel", None) is not None:
        return None
    outcome = getattr(study, "outcome", None)
    if outcome is not None and column.name == f"{outcome.file}: {outcome.column}":
        ends = dict(zip(study.firms, zip(outcome.lower, outcome.upper, strict=True), strict=True))
        sides = [[ends[firm] for firm in group.sure if firm in ends] for group in (a, b)]
        different = {interval for side in sides for interval in side}
        if not all(sides) or len(different) > MOST_INTERVALS:
            return None
        wide = all(low < high for low, high in different)
        return (twogroups.shares(*sides), POINTS) if wide else None
    values = dict(zip(column.rows, column.numbers(), strict=True))
    known = [np.array([values[row] for row in group.sure]) for group in (a, b)]
    known = [numbers[~np.isnan(numbers)] for numbers in known]
    if not all(numbers.size for numbers in known):
        return None
    unit = "standard deviations"
    if all((numbers > 0).all() for numbers in known):
        known, unit = [np.log(numbers) for numbers in known], f"{unit} of its logarithm"
    return twogroups.numbers(*known), unit


class _HigherAverage(OfRows):
    name, kind = "higher average", "comparison"
    means = (
        "the `average` (mean or median) of a `column` is higher in group `a` than in `b` (the "
        "others); beside it the posterior probability for what is behind the two averages"
    )
    words = "{a} have a higher {average} {column} than {b}"
    stand_ins: ClassVar = {**Rule.stand_ins, "average": "mean"}
    keys: ClassVar[Keys] = {
        "column": _COLUMN,
        "a": GROUP,
        "b": OTHER_GROUP,
        "average": Key("text", options=("mean", "median")),
    }

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        column = claim.columns[claim.terms["column"]]
        a = claim.group("a")
        b = claim.group("b", a.rest())
        kind = claim.terms.get("average", "mean")
        first, second = averages(column, a, kind), averages(column, b, kind)
        if math.isnan(first[0]) or math.isnan(second[0]) or a.unknown or b.unknown:
            return Finding(CANNOT, numbers="not reported which firms belong to the groups")
        holds = True if first[1] > second[2] else False if first[2] <= second[1] else None
        numbers = column.numbers()
        sides = []
        for (value, _, _), group in ((first, a), (second, b)):
            known = zip(numbers, group.members, strict=True)
            firms = sum(member is True and not math.isnan(number) for number, member in known)
            sides.append(f"{f.number(value, 1)} ({f.counted(firms, 'firm')})")
        missing = [row for row, v in zip(column.rows, numbers, strict=True) if math.isnan(v)]
        said = f"{kind} {' against '.join(sides)}{_not_known(missing)}"
        found = fact(holds, "table", first[0] - second[0], said)
        model = None if holds is None else _of_groups(evidence.study, column, a, b)
        if model is None:
            return found
        groups, unit = model
        median, low, high = groups.difference(evidence.prob)
        said += f"; estimated difference {f.number(median, 1)} ({f.span(low, high, 1)}) {unit}"
        return replace(found, probability=groups.probability, numbers=said)

    def extremes(self, claim: Claim, evidence: Evidence) -> str:
        numbers = np.asarray(claim.columns[claim.terms["column"]].numbers())
        average = np.median if claim.terms.get("average") == "median" else np.mean
        a = claim.group("a")
        b = claim.group("b", a.rest())
        ends = []
        # An average is extreme with those open rows that have the smallest or largest numbers.
        for sign in (1, -1):
            for first in _with_open(a, sign * numbers):
                others = [~first] if "b" not in claim.terms else _with_open(b, -sign * numbers)
                for second in others:
                    sides = [numbers[side & ~np.isnan(numbers)] for side in (first, second)]
                    if all(side.size for side in sides):
                        ends.append(float(average(sides[0]) - average(sides[1])))
        return f"a difference of {f.span(min(ends), max(ends), 1)}" if ends else ""


def _with_open(group: Group, numbers: NDArray[np.float64]) -> list[NDArray[np.bool_]]:
    """A group with none, one, two ... of the rows that may belong to it, in order of a number."""
    sure, unknown = (np.isin(group.rows, names) for names in (group.sure, group.unknown))
    rows = [row for row in np.argsort(numbers, kind="stable") if unknown[row]]
    found = [sure]
    for row in rows:
        found.append(found[-1].copy())
        found[-1][row] = True
    return found


class _Cannot(Rule):
    name, kind = "cannot", "proposition"
    means = "cannot be tested with what was published; `why` says what is missing"
    words = "no published data to test it with"
    keys: ClassVar[Keys] = {"why": Key("prose", required=True)}

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        return Finding(CANNOT, numbers=claim.terms["why"])


# -- is something more frequent in one group of firms than in another? Two unknown proportions ---


def probability_higher(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Posterior probability that the first proportion is the higher one, under uniform priors.

    Of each group, how many firms have the property and how many have not. Exact: with
    p ~ Beta(a1, b1) and q ~ Beta(a2, b2), a1 a whole number, Pr(p > q) =
    sum over i < a1 of B(a2 + i, b1 + b2) / ((b1 + i) B(1 + i, b1) B(a2, b2)), by parts; see
    E. Miller, Formulas for Bayesian A/B testing (2015), equation 6.
    """
    from scipy.special import betaln

    a1, b1 = a[0] + 1, a[1] + 1
    a2, b2 = b[0] + 1, b[1] + 1
    i = np.arange(a1)
    terms = betaln(a2 + i, b1 + b2) - np.log(b1 + i) - betaln(1 + i, b1) - betaln(a2, b2)
    return float(min(1.0, np.exp(terms).sum()))


def _compare(a: tuple[int, int], b: tuple[int, int], prob: float) -> Finding:
    """Two unknown proportions, of how many have the property in each group, and have not."""
    model = twogroups.proportions(a, b)
    median, low, high = model.difference(prob)
    shares = [
        f"{has} of {has + without} ({f.percent(100 * has / (has + without))})"
        for has, without in (a, b)
    ]
    said = (
        f"{shares[0]} against {shares[1]}; estimated difference {f.number(median, 0)} "
        f"({f.span(low, high, 0)}) {POINTS}; probability under uniform priors "
        f"{f.probability(probability_higher(a, b))}"
    )
    return Finding("", model.probability, median, low, high, POINTS, said, pair=(a, b))


class _HigherProportion(Rule):
    name, kind = "higher proportion", "association"
    means = (
        "`part` of `whole` comes from a higher proportion than `against` of `against_whole`: "
        "posterior probability for the two proportions, with logit priors"
    )
    words = (
        f"{POSTERIOR} {{part}} come from a higher proportion of {{whole}} than {{against}} of "
        "{against_whole} (two proportions, logit priors)"
    )
    keys: ClassVar[Keys] = dict.fromkeys(("part", "whole", "against", "against_whole"), _ID)

    def check(self, claim: Claim, where: str) -> None:
        for part, whole in (("part", "whole"), ("against", "against_whole")):
            has, total = (claim.number(key) for key in (part, whole))
            if not (has.is_integer() and total.is_integer() and 0 <= has <= total and total):
                said = f"expected whole numbers, {part} no more than {whole}"
                raise wrong(said, f"{where} {part}", has)

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        a, n, b, m = (round(claim.number(key)) for key in self.keys)
        return replace(_compare((a, n - a), (b, m - b), evidence.prob), pair=None)


class _LargerShare(_HigherProportion):
    name, kind = "larger share", "comparison"
    means = (
        "`part` is a larger share of `whole` than `against` of `against_whole`, as printed; beside "
        "it the posterior probability that the proportion behind it is the higher one"
    )
    words = "{part} are a larger share of {whole} than {against} of {against_whole}"

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        found = super().evaluate(claim, evidence)
        a, n, b, m = (claim.number(key) for key in self.keys)
        own = fact(a * m > b * n, _source(claim, evidence), 100 * (a / n - b / m), "", POINTS)
        return replace(own, probability=found.probability, numbers=found.numbers)


class _MoreOften(OfRows):
    name, kind = "more often", "association"
    means = (
        "the group `what` is more frequent `among` one group `than` in another (the others): "
        "posterior probability for the two proportions, with logit priors"
    )
    words = (
        f"{POSTERIOR} {{what}} are more frequent among {{among}} than among {{than}} "
        "(two proportions, logit priors)"
    )
    keys: ClassVar[Keys] = {"what": GROUP, "among": GROUP, "than": OTHER_GROUP}

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        what, among = (claim.group(key) for key in ("what", "among"))
        counted = []
        for group in (among, claim.group("than", among.rest())):
            inside = what.both(group)
            if None in (*inside, *group.members):
                return Finding(CANNOT, numbers=NOT_OF_EVERY)
            has = inside.count(True)
            counted.append((has, len(group.sure) - has))
        if not all(sum(pair) for pair in counted):
            return Finding(CANNOT, numbers=NO_FIRM)
        return _compare(counted[0], counted[1], evidence.prob)

    def extremes(self, claim: Claim, evidence: Evidence) -> str:
        what, among = (claim.group(key) for key in ("what", "among"))
        than = claim.group("than", among.rest())
        ends = []
        for high in (False, True):
            # Every open row speaks for the claim, or every one against it.
            taken = [False] * len(what.rows)
            pair = []
            for group, has in ((among, high), (than, not high)):
                whats = [has if own is None else own for own in what.members]
                inside = [
                    own == has and not used if member is None else member
                    for own, member, used in zip(whats, group.members, taken, strict=True)
                ]
                taken = inside
                held = [own for own, member in zip(whats, inside, strict=True) if member]
                pair.append((sum(held), len(held) - sum(held)))
            if not all(sum(side) for side in pair):
                return ""
            ends.append(twogroups.proportions(*pair).probability)
        return f"a probability of {f.span(min(ends), max(ends), 2)}"


#: Rules on what is printed, in the order in which they are listed.
PRINTED_RULES: tuple[Rule, ...] = (
    *(*_BALANCES, _Share(), _Largest(), _Growth(), _Ratio(), _Faster()),
    *(_HigherProportion(), _LargerShare(), _RowSums(), _NumberOfFirms(), _ShareOfFirms()),
    *(_Every(), _Present(), _ColumnSum(), _Range(), _Labels(), _HigherAverage(), _MoreOften()),
)
CANNOT_RULE = _Cannot()
