"""Claims of a publication: what its text says, and the rule by which that can be looked at.

A claim does not enter any model. What its rule gives is worked out in
:mod:`intlmodels.claims`; here it is only read and checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from intlmodels.counts import Count
from intlmodels.csvtable import clean_label
from intlmodels.errors import did_you_mean, listed, shown
from intlmodels.study.claimchecks import CHECKS
from intlmodels.study.claimrules import CLAIM, CLAIM_PART, RULES, Rule, rules_of
from intlmodels.study.counts import SIZES, Subjects
from intlmodels.study.file import StudyFile
from intlmodels.study.groups import Column, Group, Number, Rows, read_groups, read_numbers
from intlmodels.study.keys import Key, check_text, section, wrong
from intlmodels.study.sources import Sources


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
    known = Known(toml.study["model"], rows, groups, numbers, by_id, subjects)
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
