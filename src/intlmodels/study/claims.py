"""Claims of a publication: what its text says, and the rule by which that can be looked at.

A claim does not enter any model. What its rule gives is worked out in
:mod:`intlmodels.claims`; here it is only read and checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import did_you_mean, listed, shown
from intlmodels.study.claimrules import CLAIM, CLAIM_PART, RULES, Rule, rules_of
from intlmodels.study.counts import SIZES, Count, Subjects
from intlmodels.study.groups import Column, Group, Number, Rows, read_groups, read_numbers
from intlmodels.study.keys import Key, check_text, section, wrong
from intlmodels.study.schema import StudyFile
from intlmodels.study.sources import Sources

if TYPE_CHECKING:
    pass  # gone


def _check_sum(claim: Claim, where: str, known: Known) -> None:
    for name in claim.asked["total"]:
        if name in claim.asked["counts"]:
            raise wrong("expected a number on one side only", f"{where} total", name)


def _check_share(claim: Claim, where: str, known: Known) -> None:
    asked = claim.asked
    limits = [key for key in ("least", "most", "above", "below") if key in asked]
    if not limits:
        raise wrong(
            "key is missing; expected it, or most, above or below: percent between which the "
            "share lies",
            f"{where} least",
        )
    low, high = (
        max(asked.get("least", 0), asked.get("above", 0)),
        min(asked.get("most", 100), asked.get("below", 100)),
    )
    if low > high:
        raise wrong(f"expected at least {low:g}, the lower limit", f"{where} {limits[-1]}", high)
    if claim.rule == "share" and not sum(number_of(n, claim, known.values) for n in asked["whole"]):
        raise wrong(
            "expected numbers that come to more than zero, of which there can be a share",
            f"{where} whole",
            asked["whole"][0],
        )


def number_of(name: str, claim: Claim, values: Mapping[str, float]) -> float:
    """A printed number: of a count, of [numbers], or the sum of a column.

    Parameters
    ----------
    name : str
        As the claim names it.
    claim : Claim
    values : mapping of str to float
        Counts and printed numbers by id.
    """
    if name in claim.columns:
        return float(sum(claim.columns[name].numbers(0.0)))
    return values[name]


def _check_largest(claim: Claim, where: str, known: Known) -> None:
    if claim.asked["number"] in claim.asked["among"]:
        raise wrong("expected the others only", f"{where} among", claim.asked["number"])


def _check_limits(claim: Claim, where: str, known: Known) -> None:
    if not any(key in claim.asked for key in ("least", "most", "equal")):
        raise wrong("key is missing; expected it, or least or most", f"{where} equal")


def _check_ratio(claim: Claim, where: str, known: Known) -> None:
    if "least" not in claim.asked and "most" not in claim.asked:
        raise wrong("key is missing; expected it, or most, or both", f"{where} least")
    if not number_of(claim.asked["over"], claim, known.values):
        raise wrong("expected a number other than zero", f"{where} over", claim.asked["over"])


def _check_growth(claim: Claim, where: str, known: Known) -> None:
    if number_of(claim.asked["start"], claim, known.values) <= 0:
        raise wrong("expected a number above zero", f"{where} start", claim.asked["start"])


def _check_proportions(claim: Claim, where: str, known: Known) -> None:
    for part, whole in (("part", "whole"), ("against", "against_whole")):
        has, total = (number_of(claim.asked[key], claim, known.values) for key in (part, whole))
        if not (has.is_integer() and total.is_integer() and 0 <= has <= total and total):
            raise wrong(
                f"expected whole numbers, {part} no more than {whole}", f"{where} {part}", has
            )


def _check_two(claim: Claim, where: str, known: Known) -> None:
    """Check that two groups are of the same rows, and not one and the same."""
    keys = [key for key in RULES[claim.rule].names if RULES[claim.rule].names[key] == "group"]
    named = [(key, claim.asked[key]) for key in keys if key in claim.asked]
    first = known.groups[named[0][1]]
    rows = first.rows
    for key, name in named[1:]:
        if known.groups[name].rows != rows:
            raise wrong(
                f"expected a group of the same rows as {shown(first.name)}", f"{where} {key}", name
            )
        if name == named[0][1]:
            raise wrong("expected another group, to hold the two together", f"{where} {key}", name)


def _check_columns(claim: Claim, where: str, known: Known) -> None:
    """Check that cells are numbers, of the rows of the groups beside them."""
    for name, column in claim.columns.items():
        column.numbers()
        for key in ("a", "b", "of"):
            group = known.groups.get(claim.asked.get(key, ""))
            if group is not None and group.rows != column.rows:
                raise wrong(f"expected a group of the rows of {name}", f"{where} {key}", group.name)
    if claim.rule == "higher average":
        _check_two(claim, where, known)


def _check_higher_share(claim: Claim, where: str, known: Known) -> None:
    if claim.asked["a"] == claim.asked["b"]:
        raise wrong("expected other decisions than in a, to hold the two together", f"{where} b")


#: Rule -> what it asks beside its keys.
CHECKS: dict[str, Callable[[Claim, str, Known], None]] = {
    "sum": _check_sum,
    "at most": _check_sum,
    "more than": _check_sum,
    "share": _check_share,
    "share of firms": _check_share,
    "largest": _check_largest,
    "number of firms": _check_limits,
    "ratio": _check_ratio,
    "growth": _check_growth,
    "higher proportion": _check_proportions,
    "every": _check_two,
    "more often": _check_two,
    "higher expected": _check_two,
    "higher average": _check_columns,
    "column sum": _check_columns,
    "range": _check_columns,
    "row sums": _check_columns,
    "higher share": _check_higher_share,
}


# -- claims of a publication -----------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """Some of the decisions.

    Attributes
    ----------
    size : str
        ``large`` or ``other``; empty: of all firms.
    periods : tuple of str
        In order of time.
    """

    size: str
    periods: tuple[str, ...]


@dataclass(frozen=True)
class Claim:
    """What a publication says, and how that is held against the study.

    Attributes
    ----------
    id : str
    text : str
        A paraphrase.
    rule : str
        One of :data:`intlmodels.study.claimrules.RULES`.
    asked : dict of str to object
        The keys of the rule: texts, numbers, and a :class:`Part` for some decisions.
    columns : dict of str to Column
        The columns that the rule names, by what names them.
    where : str
        Section or page.
    kind : str
        What sort of claim it is.
    note : str
        What a reader should know of the way it is looked at.
    """

    id: str
    text: str
    rule: str
    asked: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)
    where: str = ""
    kind: str = ""
    note: str = ""


@dataclass(frozen=True)
class Known:
    """What the claims of a study can name.

    Attributes
    ----------
    model : str
    rows : Rows
        The printed tables.
    groups : mapping of str to Group
    numbers : mapping of str to Number
    counts : mapping of str to Count
    subjects : Subjects or None
        What parts of the decisions can be named, where there are decisions.
    """

    model: str
    rows: Rows
    groups: Mapping[str, Group]
    numbers: Mapping[str, Number]
    counts: Mapping[str, Count]
    subjects: Subjects | None = None

    @property
    def values(self) -> dict[str, float]:
        """Counts and printed numbers by id."""
        values = {name: float(count.value) for name, count in self.counts.items()}
        return values | {name: number.value for name, number in self.numbers.items()}


def read_ledger(
    toml: StudyFile,
    sources: Sources,
    counts: Sequence[Count] = (),
    subjects: Subjects | None = None,
) -> dict[str, Any]:
    """Groups, printed numbers and claims of a study: attributes of every study.

    Parameters
    ----------
    toml : StudyFile
    sources : Sources
    counts : sequence of Count
    subjects : Subjects, optional
        What parts of the decisions can be named, where there are decisions.

    Raises
    ------
    StudyError
        For the first thing that is wrong.
    """
    rows = Rows(sources)
    groups = read_groups(toml.groups, rows)
    numbers = read_numbers(toml.numbers, sources)
    by_id = {count.id: count for count in counts}
    for name in numbers:
        if name in by_id:
            raise wrong("a count has this id; expected every id once", "[numbers] file", name)
    known = Known(toml.study.model, rows, groups, numbers, by_id, subjects)
    return {
        "row_groups": groups,
        "numbers": numbers,
        "claims": read_claims(toml.claims, known),
    }


def read_claims(tables: object, known: Known) -> tuple[Claim, ...]:
    """Read and check the tables [[claims]].

    Parameters
    ----------
    tables : object
        What study.toml has under this name.
    known : Known

    Raises
    ------
    StudyError
        For the first key that is wrong.
    """
    if not isinstance(tables, (list, tuple)):
        raise wrong("expected tables, each below a line [[claims]]", "[[claims]]", tables)
    claims: list[Claim] = []
    seen: dict[str, int] = {}
    for number, table in enumerate(tables, start=1):
        where = f"[[claims]] number {number},"
        claim = _claim(table, where, known)
        if claim.id in seen:
            raise wrong(
                f"number {seen[claim.id]} has this id; expected every id once: rename one",
                f"{where} id",
                claim.id,
            )
        seen[claim.id] = number
        claims.append(claim)
    return tuple(claims)


def _claim(table: object, where: str, known: Known) -> Claim:
    if not isinstance(table, dict):
        raise wrong("expected a table with id, text and rule", where.rstrip(","), table)
    rules = rules_of(known.model)
    if "rule" not in table:
        raise wrong(f"key is missing; expected it, one of {listed(rules, 99)}", f"{where} rule")
    said = table["rule"]
    if isinstance(said, str) and said in RULES and said not in rules:
        raise wrong(
            f"this rule asks a {RULES[said].models[0]} model; expected one of {listed(rules, 99)}",
            f"{where} rule",
            said,
        )
    name = check_text(said, Key("text", options=tuple(rules)), f"{where} rule")
    rule = rules[name]
    owners: dict[str, list[str]] = {}
    for other, its in rules.items():
        for key in its.keys:
            owners.setdefault(key, []).append(shown(other))
    others = {key: f"the rule {' or '.join(names[:3])}" for key, names in owners.items()}
    given = section(_in_lists(table, rule, where), {**CLAIM, **rule.keys}, where, others)
    for key in ("text", "why"):
        if key in given and not given[key]:
            raise wrong("expected text that is not blank", f"{where} {key}")
    asked = {key: _clean(value) for key, value in given.items() if key in rule.keys}
    columns: dict[str, Column] = {}
    for key, what in rule.names.items():
        if key in asked:
            _check_named(asked[key], what, f"{where} {key}", known, columns)
    _check_parts(asked, given, rule, where, known)
    claim = Claim(
        clean_label(given["id"]),
        given["text"],
        name,
        asked,
        columns,
        given.get("where", ""),
        given.get("kind", rule.kind),
        given.get("note", ""),
    )
    if name in CHECKS:
        CHECKS[name](claim, where, known)
    return claim


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_label(value)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _in_lists(table: Mapping[str, Any], rule: Rule, where: str) -> dict[str, Any]:
    """The same with a single text where a list may stand, and decisions, in lists of one."""
    found = dict(table)
    for name, key in rule.keys.items():
        if name not in found:
            continue
        if key.holds == "texts" and isinstance(found[name], str):
            found[name] = [found[name]]
        if key.holds == "tables":
            if not isinstance(found[name], dict):
                raise wrong(
                    'expected which decisions, as in {size = "large", periods = ["early"]}',
                    f"{where} {name}",
                    found[name],
                )
            found[name] = [found[name]]
    return found


# -- what keys name ----------------------------------------------------------------------


def _check_named(
    value: str | tuple[str, ...], what: str, where: str, known: Known, columns: dict[str, Column]
) -> None:
    names = (value,) if isinstance(value, str) else value
    if not names:
        raise wrong("expected at least one", where, [])
    for name in names:
        if names.count(name) > 1:
            raise wrong("expected everything once", where, name)
        match what:
            case "column":
                columns[name] = known.rows.column((name,), where)
            case "number":
                _check_number(name, where, known, columns)
            case "group":
                _check_group(name, where, known.groups)


def _check_group(name: str, where: str, groups: Mapping[str, Group]) -> None:
    if name not in groups:
        there = f", one of {listed(groups, 30)}" if groups else "; the study has no [groups.NAME]"
        raise wrong(f"expected a group{there}{did_you_mean(name, groups)}", where, name)


def _check_number(name: str, where: str, known: Known, columns: dict[str, Column]) -> None:
    if name in known.counts:
        _check_count(known.counts[name], where)
    elif name in known.numbers:
        return
    elif ":" in name:
        column = known.rows.column((name,), where)
        column.numbers(0.0)
        columns[name] = column
    else:
        names = [*known.counts, *known.numbers]
        if not names:
            raise wrong(
                "this rule reads printed numbers; expected a table [counts] or [numbers], or "
                '"file: column" for the sum of a column',
                where,
                name,
            )
        raise wrong(
            f"expected the id of a count or number{did_you_mean(name, names)}; the ids are "
            f"{listed(names)}",
            where,
            name,
        )


def _check_count(count: Count, where: str) -> None:
    if count.relation != "equal" or count.each:
        what = "each of several firms" if count.each else count.relation
        raise wrong(
            f"this count says {what!r}; expected one that is equal, of all its firms together",
            where,
            count.id,
        )


# -- parts of the decisions ----------------------------------------------------------------


def _check_parts(
    asked: dict[str, Any], given: Mapping[str, Any], rule: Rule, where: str, known: Known
) -> None:
    """Check sizes and parts of the decisions; parts come out as :class:`Part`."""
    if known.subjects is None:
        return
    if "size" in asked:
        _check_size(asked["size"], f"{where} size", known.subjects, both="size" not in given)
    for key, spec in rule.keys.items():
        if spec.holds == "tables":
            asked[key] = _part(given[key][0], f"{where} {key}", known.subjects)


def _part(table: Mapping[str, Any], where: str, subjects: Subjects) -> Part:
    given = section(table, CLAIM_PART, where)
    _check_size(given.get("size", ""), f"{where} size", subjects)
    if "periods" not in given:
        return Part(given.get("size", ""), subjects.periods)
    names = given["periods"]
    key = f"{where} periods"
    if not names:
        raise wrong("expected at least one period; for all leave the key out", key, list(names))
    for name in names:
        if name not in subjects.periods:
            raise wrong(
                f"expected a period, one of {listed(subjects.periods)}"
                f"{did_you_mean(name, subjects.periods)}",
                key,
                name,
            )
        if names.count(name) > 1:
            raise wrong("expected every period once", key, name)
    return Part(given.get("size", ""), tuple(p for p in subjects.periods if p in names))


def _check_size(size: str, key: str, subjects: Subjects, both: bool = False) -> None:
    """Check that a size tells some firms from others."""
    if size and not all(subjects.of_size(one) for one in SIZES):
        mend = "use another rule" if both else "leave the key out"
        raise wrong(f"expected none, as all firms of this study are of one size: {mend}", key, size)
