"""Rules that look at printed numbers and tables only: what they find is a fact, or unknown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import betaln
from scipy.stats import beta as beta_law

from intlmodels.claims.verdicts import CANNOT, POINTS, Evidence, Found, fact, verdict_of
from intlmodels.core import formats as f
from intlmodels.study.claimrules import RULES
from intlmodels.study.claims import Claim, number_of
from intlmodels.study.groups import Column, Group, Member

#: Slack for sums of decimal numbers, which a computer does not hold exactly.
TINY = 1e-9


def plain(value: float) -> str:
    """A printed number as it was printed, without what a computer adds to it."""
    return f.number(value, 0) if float(value).is_integer() else f"{value:.6g}"


def _values(names: Sequence[str], claim: Claim, evidence: Evidence) -> list[float]:
    return [number_of(name, claim, evidence.values) for name in names]


def numbers_of(claim: Claim) -> list[str]:
    """Ids of the counts and numbers that the rule of a claim names."""
    keys = [key for key, what in RULES[claim.rule].names.items() if what == "number"]
    values = [claim.asked[key] for key in keys if key in claim.asked]
    return [name for value in values for name in ((value,) if isinstance(value, str) else value)]


def _printed(claim: Claim, evidence: Evidence) -> str:
    """What a rule on numbers reads: counts, further numbers, or columns of a table."""
    if claim.columns:
        return "table"
    named = numbers_of(claim)
    return "numbers" if any(name in evidence.study.numbers for name in named) else "counts"


def _added(values: Sequence[float]) -> str:
    """Numbers with their sum: ``3 + 6 + 5 = 14``."""
    shown = " + ".join(plain(value) for value in values)
    return f"{shown} = {plain(sum(values))}" if len(values) > 1 else shown


# -- printed numbers -----------------------------------------------------------------------


def _balance(holds: Callable[[float], bool]) -> Callable[[Claim, Evidence], Found]:
    """A rule on what the sums of two sides differ by."""

    def rule(claim: Claim, evidence: Evidence) -> Found:
        left = _values(claim.asked["counts"], claim, evidence)
        right = _values(claim.asked["total"], claim, evidence)
        off = math.fsum([*left, *(-value for value in right)])
        said = f"{_added(left)}, against {_added(right)}"
        found = Found(median=off, unit=_unit(claim, evidence), numbers=said)
        return fact(holds(off), _printed(claim, evidence), found)

    return rule


def _unit(claim: Claim, evidence: Evidence) -> str:
    """Unit of the numbers of a sum."""
    numbers = [evidence.study.numbers.get(name) for name in claim.asked["counts"]]
    units = {number.unit for number in numbers if number is not None}
    if units:
        return units.pop() if len(units) == 1 else ""
    event = getattr(evidence.study, "event", "")
    return f.plural(event) if event and not claim.columns else ""


def _share(claim: Claim, evidence: Evidence) -> Found:
    part = math.fsum(_values(claim.asked["part"], claim, evidence))
    whole = math.fsum(_values(claim.asked["whole"], claim, evidence))
    share = 100 * part / whole
    said = f"{plain(part)} of {plain(whole)}, {f.percent(share, 1)} (asked: {limits(claim.asked)})"
    holds = within(100 * part, claim.asked, whole)
    return fact(holds, _printed(claim, evidence), Found(median=share, unit="percent", numbers=said))


def within(value: float, asked: Mapping[str, Any], scale: float = 1.0) -> bool:
    """Whether a value keeps the limits of a claim, each times ``scale``."""
    slack = TINY * max(1.0, abs(scale))
    return (
        value >= asked.get("least", -math.inf) * scale - slack
        and value <= asked.get("most", math.inf) * scale + slack
        and value > asked.get("above", -math.inf) * scale + ("above" in asked) * slack
        and value < asked.get("below", math.inf) * scale - ("below" in asked) * slack
    )


def limits(asked: Mapping[str, Any], unit: str = f"{f.SPACE}%") -> str:
    """Limits of a claim in words: ``more than 50 %``."""
    least, most = asked.get("least"), asked.get("most")
    if least is not None and most is not None:
        return f"{plain(least)} to {plain(most)}{unit}"
    words = {"least": "at least", "most": "at most", "above": "more than", "below": "less than"}
    said = [f"{words[key]} {plain(asked[key])}{unit}" for key in words if key in asked]
    if "equal" in asked:
        said.append(f"exactly {plain(asked['equal'])}{unit}")
    return " and ".join(said)


def _largest(claim: Claim, evidence: Evidence) -> Found:
    value = number_of(claim.asked["number"], claim, evidence.values)
    others = _values(claim.asked["among"], claim, evidence)
    off = value - max(others)
    said = f"{plain(value)}, against {f.listed([plain(other) for other in others])}"
    return fact(off > 0, _printed(claim, evidence), Found(median=off, numbers=said))


def _growth(claim: Claim, evidence: Evidence) -> Found:
    start = number_of(claim.asked["start"], claim, evidence.values)
    end = number_of(claim.asked["end"], claim, evidence.values)
    growth = 100 * (end / start - 1)
    asked = claim.asked["percent"]
    said = (
        f"from {plain(start)} to {plain(end)}: {f.percent(growth, 1)} (asked: {f.percent(asked)})"
    )
    holds = abs(growth - asked) <= claim.asked.get("rounding_width", 1.0) / 2 + TINY
    return fact(
        holds, _printed(claim, evidence), Found(median=growth, unit="percent", numbers=said)
    )


def _ratio(claim: Claim, evidence: Evidence) -> Found:
    value = number_of(claim.asked["number"], claim, evidence.values)
    over = number_of(claim.asked["over"], claim, evidence.values)
    times = claim.asked.get("times", 1.0)
    ratio = times * value / over
    factor = f"{plain(times)} x " if times != 1 else ""
    said = (
        f"{factor}{plain(value)} / {plain(over)} = {f.significant(ratio, 3)} (asked: "
        f"{limits(claim.asked, '')})"
    )
    holds = within(ratio, claim.asked)
    return fact(holds, _printed(claim, evidence), Found(median=ratio, numbers=said))


def _faster(claim: Claim, evidence: Evidence) -> Found:
    asked = claim.asked
    first = number_of(asked["number"], claim, evidence.values)
    second = number_of(asked["against"], claim, evidence.values)
    rates = first / asked["years"], second / asked["against_years"]
    said = (
        f"{plain(first)} in {plain(asked['years'])} years, {f.number(rates[0], 2)} a year, against "
        f"{plain(second)} in {plain(asked['against_years'])}, {f.number(rates[1], 2)} a year"
    )
    found = Found(median=rates[0] - rates[1], unit="a year", numbers=said)
    return fact(rates[0] > rates[1], _printed(claim, evidence), found)


def _row_sums(claim: Claim, evidence: Evidence) -> Found:
    parts = [claim.columns[name].numbers(0.0) for name in claim.asked["parts"]]
    total = claim.columns[claim.asked["total"]]
    rows = list(zip(total.rows, zip(*parts, strict=True), total.numbers(0.0), strict=True))
    off = [(name, own, said) for name, own, said in rows if abs(sum(own) - said) > TINY]
    shown = [f"{name}: {_added(own)}, against {plain(said)}" for name, own, said in off or rows]
    return fact(
        not off, "table", Found(median=float(len(off)), unit="rows off", numbers="; ".join(shown))
    )


# -- rows of the printed tables --------------------------------------------------------------


def group_of(name: str, evidence: Evidence) -> Group:
    """A group by its name."""
    return evidence.study.row_groups[name]


def rest_of(group: Group) -> Group:
    """The rows that do not belong to a group."""
    members = tuple(None if member is None else not member for member in group.members)
    return Group("", "the others", group.rows, members)


def both(a: Group, b: Group) -> tuple[Member, ...]:
    """Whether each row belongs to both groups."""
    return tuple(
        False if x is False or y is False else None if x is None or y is None else True
        for x, y in zip(a.members, b.members, strict=True)
    )


def other_group(key: str, first: Group, claim: Claim, evidence: Evidence) -> Group:
    """The group that a key names, or all rows but those of another one."""
    return group_of(claim.asked[key], evidence) if key in claim.asked else rest_of(first)


def _names(rows: Sequence[str], most: int = 12) -> str:
    more = len(rows) - most
    return ", ".join(rows[:most]) + (f" and {more} more" if more > 0 else "")


def _not_known(rows: Sequence[str]) -> str:
    return f"; not known of {_names(rows)}" if rows else ""


def _number_of_firms(claim: Claim, evidence: Evidence) -> Found:
    group = group_of(claim.asked["of"], evidence)
    fewest, most = len(group.sure), len(group.sure) + len(group.unknown)
    asked = dict(claim.asked)
    if "equal" in asked:
        asked |= {"least": asked["equal"], "most": asked["equal"]}
    verdicts = {within(number, asked) for number in range(fewest, most + 1)}
    members = f" ({_names(group.sure)})" if group.sure else ""
    said = f"{fewest} of {len(group.rows)}{members}{_not_known(group.unknown)}"
    said += f" (asked: {limits(claim.asked, '')})"
    found = Found(median=float(fewest), unit="firms", numbers=said)
    return fact(verdicts.pop() if len(verdicts) == 1 else None, "table", found)


def _share_of_firms(claim: Claim, evidence: Evidence) -> Found:
    part = group_of(claim.asked["part"], evidence)
    whole = (
        group_of(claim.asked["of"], evidence)
        if "of" in claim.asked
        else Group("", "all", part.rows, (True,) * len(part.rows))
    )
    inside = both(part, whole)
    # A row counts (in the part, in the whole); what is not known may be either.
    fewest = [sum(m is True for m in inside), sum(m is True for m in whole.members)]
    open_part = sum(i is None and w is True for i, w in zip(inside, whole.members, strict=True))
    open_whole = [m is None for m in whole.members]
    shares = [
        (fewest[0] + more, fewest[1] + more_whole)
        for more_whole in range(sum(open_whole) + 1)
        for more in range(open_part + more_whole + 1)
    ]
    if not any(total for _, total in shares):
        return Found(verdict=CANNOT, numbers="no firm belongs to it")
    verdicts = {within(100.0 * own, claim.asked, float(total)) for own, total in shares if total}
    share = 100 * fewest[0] / fewest[1] if fewest[1] else math.nan
    unknown = [row for row, m in zip(part.rows, inside, strict=True) if m is None]
    said = f"{fewest[0]} of {fewest[1]}, {f.percent(share, 1)}{_not_known(unknown)}"
    said += f" (asked: {limits(claim.asked)})"
    found = Found(median=share, unit="percent", numbers=said)
    return fact(verdicts.pop() if len(verdicts) == 1 else None, "table", found)


def _every(claim: Claim, evidence: Evidence) -> Found:
    asked = group_of(claim.asked["is"], evidence)
    rows = asked.rows
    whole = (
        group_of(claim.asked["of"], evidence)
        if "of" in claim.asked
        else Group("", "all", rows, (True,) * len(rows))
    )
    outside = both(whole, rest_of(asked))
    bad = [row for row, m in zip(rows, outside, strict=True) if m]
    unknown = [row for row, m in zip(rows, outside, strict=True) if m is None]
    if not whole.sure:
        return Found(verdict=CANNOT, numbers="no firm belongs to it")
    said = f"{len(whole.sure) - len(bad)} of {len(whole.sure)}"
    said += f"; not {_names(bad)}" if bad else ""
    holds = False if bad else None if unknown else True
    found = Found(median=float(len(bad)), unit="firms", numbers=said + _not_known(unknown))
    return fact(holds, "table", found)


def _present(claim: Claim, evidence: Evidence) -> Found:
    groups = [group_of(name, evidence) for name in claim.asked["groups"]]
    absent = [group for group in groups if not group.sure]
    said = "; ".join(f"{group.label}: {len(group.sure)}" for group in groups)
    holds = None if any(group.unknown for group in absent) else not absent
    return fact(holds, "table", Found(median=float(len(absent)), unit="absent", numbers=said))


def _column_sum(claim: Claim, evidence: Evidence) -> Found:
    column = claim.columns[claim.asked["column"]]
    group = group_of(claim.asked["of"], evidence)
    pairs = list(zip(column.rows, column.numbers(0.0), group.members, strict=True))
    values = [value for _, value, member in pairs if member]
    total = _values(claim.asked["total"], claim, evidence)
    off = math.fsum([*values, *(-value for value in total)])
    said = f"{_added(values)} ({_names(group.sure)}), against {_added(total)}"
    holds = None if group.unknown else abs(off) <= TINY
    return fact(holds, "table", Found(median=off, numbers=said + _not_known(group.unknown)))


def _range(claim: Claim, evidence: Evidence) -> Found:
    column = claim.columns[claim.asked["column"]]
    numbers = np.asarray(column.numbers())
    known = numbers[~np.isnan(numbers)]
    if not known.size:
        return Found(verdict=CANNOT, numbers="no number is known")
    low, high = float(known.min()), float(known.max())
    asked = claim.asked["smallest"], claim.asked["largest"]
    rows = [
        _names([r for r, v in zip(column.rows, numbers, strict=True) if v == end])
        for end in (low, high)
    ]
    said = (
        f"from {plain(low)} ({rows[0]}) to {plain(high)} ({rows[1]}); asked: from "
        f"{plain(asked[0])} to {plain(asked[1])}"
    )
    missing = [r for r, v in zip(column.rows, numbers, strict=True) if np.isnan(v)]
    # A number that is not known could reach an end that no known one reaches.
    holds: bool | None = low == asked[0] and high == asked[1]
    if missing:
        holds = False if low < asked[0] or high > asked[1] else None
    return fact(holds, "table", Found(median=high, numbers=said + _not_known(missing)))


def _labels(claim: Claim, evidence: Evidence) -> Found:
    printed = {
        cell.text.strip()
        for column in claim.columns.values()
        for row in column.cells
        for cell in row
        if not cell.missing
    }
    asked = claim.asked["number"]
    said = f"{len(printed)}: {_names(sorted(printed))} (asked: {plain(asked)})"
    found = Found(median=float(len(printed)), unit="labels", numbers=said)
    return fact(len(printed) == asked, "table", found)


def averages(column: Column, group: Group, kind: str) -> tuple[float, float, float]:
    """Average of a group's known numbers, and what it could be with those not known.

    Returns
    -------
    tuple of float
        Average of what is known; least and greatest that it could be: unbounded for a mean
        where a number is not known, within the others for a median.
    """
    numbers = np.asarray(column.numbers())[[member is True for member in group.members]]
    average = np.median if kind == "median" else np.mean
    known = numbers[~np.isnan(numbers)]
    if not known.size:
        return math.nan, -math.inf, math.inf
    ends = [
        float(average(np.where(np.isnan(numbers), end, numbers))) for end in (-math.inf, math.inf)
    ]
    return float(average(known)), ends[0], ends[1]


def average_words(column: Column, group: Group, kind: str) -> str:
    """Average of a group as printed: ``15.0 (6 firms)``."""
    value, _, _ = averages(column, group, kind)
    numbers = zip(column.numbers(), group.members, strict=True)
    known = sum(member is True and not math.isnan(number) for number, member in numbers)
    return f"{f.number(value, 1)} ({f.counted(known, 'firm')})"


def _higher_average(claim: Claim, evidence: Evidence) -> Found:
    column = claim.columns[claim.asked["column"]]
    a = group_of(claim.asked["a"], evidence)
    b = other_group("b", a, claim, evidence)
    kind = claim.asked.get("average", "mean")
    first, second = averages(column, a, kind), averages(column, b, kind)
    if math.isnan(first[0]) or math.isnan(second[0]) or a.unknown or b.unknown:
        return Found(verdict=CANNOT, numbers="not known of which firms")
    holds = None
    if first[1] > second[2]:
        holds = True
    elif first[2] <= second[1]:
        holds = False
    said = f"{kind} {average_words(column, a, kind)} against {average_words(column, b, kind)}"
    missing = [r for r, v in zip(column.rows, column.numbers(), strict=True) if math.isnan(v)]
    found = Found(median=first[0] - second[0], unit="", numbers=said + _not_known(missing))
    return fact(holds, "table", found)


def _cannot(claim: Claim, evidence: Evidence) -> Found:
    return Found(verdict=CANNOT, numbers=claim.asked["why"])


#: Rule -> what it finds.
FACTS: dict[str, Callable[[Claim, Evidence], Found]] = {
    "sum": _balance(lambda off: abs(off) <= TINY),
    "at most": _balance(lambda off: off <= TINY),
    "more than": _balance(lambda off: off > TINY),
    "share": _share,
    "largest": _largest,
    "growth": _growth,
    "ratio": _ratio,
    "faster": _faster,
    "row sums": _row_sums,
    "number of firms": _number_of_firms,
    "share of firms": _share_of_firms,
    "every": _every,
    "present": _present,
    "column sum": _column_sum,
    "range": _range,
    "labels": _labels,
    "higher average": _higher_average,
    "cannot": _cannot,
}


# -- is something more frequent in one group of firms than in another? Two unknown proportions ---

#: Quantiles of each proportion by which their difference is worked out.
NODES = 500


def probability_higher(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Posterior probability that the first proportion is the higher one.

    Parameters
    ----------
    a, b : tuple of int
        Firms with and without the property, in each of the two groups; uniform priors.

    Returns
    -------
    float
        Exact: with p ~ Beta(a1, b1) and q ~ Beta(a2, b2), a1 a whole number,
        Pr(p > q) = sum over i < a1 of B(a2 + i, b1 + b2) / ((b1 + i) B(1 + i, b1) B(a2, b2)).

    Notes
    -----
    The sum follows by integrating by parts, see E. Miller, Formulas for Bayesian A/B testing
    (2015), equation 6.
    """
    a1, b1 = a[0] + 1, a[1] + 1
    a2, b2 = b[0] + 1, b[1] + 1
    i = np.arange(a1)
    terms = betaln(a2 + i, b1 + b2) - np.log(b1 + i) - betaln(1 + i, b1) - betaln(a2, b2)
    return float(min(1.0, np.exp(terms).sum()))


def difference(a: tuple[int, int], b: tuple[int, int], prob: float) -> tuple[float, float, float]:
    """Median and equal-tailed interval of the difference of two proportions.

    Parameters
    ----------
    a, b : tuple of int
        As in :func:`probability_higher`.
    prob : float

    Returns
    -------
    tuple of float
        Median, lower and upper end, in percentage points.
    """
    place = (np.arange(NODES) + 0.5) / NODES
    first = beta_law.ppf(place, a[0] + 1, a[1] + 1)
    second = beta_law.ppf(place, b[0] + 1, b[1] + 1)
    off = 100 * (first[:, None] - second[None, :])
    low, median, high = np.quantile(off, [(1 - prob) / 2, 0.5, (1 + prob) / 2])
    return float(median), float(low), float(high)


def more_often(claim: Claim, evidence: Evidence) -> Found:
    """The rule ``more often``."""
    what = group_of(claim.asked["what"], evidence)
    among = group_of(claim.asked["among"], evidence)
    than = other_group("than", among, claim, evidence)
    counted, unknown = [], 0
    for group in (among, than):
        inside = both(what, group)
        unknown += sum(member is None for member in (*inside, *group.members))
        has = sum(member is True for member in inside)
        counted.append((has, len(group.sure) - has))
    if unknown:
        return Found(verdict=CANNOT, numbers="not known of every firm whether it belongs to it")
    if not all(sum(pair) for pair in counted):
        return Found(verdict=CANNOT, numbers="no firm in one of the two groups")
    return _compared(counted[0], counted[1], evidence)


def higher_proportion(claim: Claim, evidence: Evidence) -> Found:
    """The rule ``higher proportion``."""
    first, second = (
        tuple(round(number_of(claim.asked[key], claim, evidence.values)) for key in keys)
        for keys in (("part", "whole"), ("against", "against_whole"))
    )
    return _compared((first[0], first[1] - first[0]), (second[0], second[1] - second[0]), evidence)


def _compared(a: tuple[int, int], b: tuple[int, int], evidence: Evidence) -> Found:
    """Verdict on two proportions, of how many have the property in each group, and have not."""
    probability = probability_higher(a, b)
    median, low, high = difference(a, b, evidence.prob)
    shares = [
        f"{has} of {has + without} ({f.percent(100 * has / (has + without))})"
        for has, without in (a, b)
    ]
    said = (
        f"{shares[0]} against {shares[1]}; difference of the proportions behind them "
        f"{f.number(median, 0)} ({f.span(low, high, 0)}) {POINTS}"
    )
    return Found(verdict_of(probability), probability, median, low, high, POINTS, said)


#: Rule -> what it finds.
FREQUENCY_RULES = {"more often": more_often, "higher proportion": higher_proportion}
