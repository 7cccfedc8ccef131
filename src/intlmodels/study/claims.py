"""Claims of a publication: what its text says, and the rule by which that can be looked at.

A claim does not enter any model. What its rule gives is worked out in
:mod:`intlmodels.decay.claims`; here it is only read and checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intlmodels.counts import Count
from intlmodels.csvtable import clean_label
from intlmodels.errors import did_you_mean, listed, shown
from intlmodels.study.counts import SIZES, Subjects
from intlmodels.study.file import CLAIM, CLAIM_PART, CLAIM_RULES
from intlmodels.study.keys import Key, check_text, section, wrong


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
        One of :data:`intlmodels.study.file.CLAIM_RULES`.
    where : str
        Section or page.
    counts, total : tuple of str
        For ``sum``: ids of the counts on the two sides.
    part, whole : str
        For ``share``: ids of two counts.
    least, most : float
        For ``share``: between which it must lie, in percent.
    size : str
        For ``falls`` (empty: every size) and ``falls more``.
    a, b : Part or None
        For ``higher share``, and ``none`` (only ``a``).
    why : str
        For ``cannot``: what is missing.
    """

    id: str
    text: str
    rule: str
    where: str = ""
    counts: tuple[str, ...] = ()
    total: tuple[str, ...] = ()
    part: str = ""
    whole: str = ""
    least: float = 0.0
    most: float = 100.0
    size: str = ""
    a: Part | None = None
    b: Part | None = None
    why: str = ""


def read_claims(
    tables: object, subjects: Subjects, counts: Sequence[Count] = ()
) -> tuple[Claim, ...]:
    """Read and check the tables [[claims]].

    Parameters
    ----------
    tables : object
        What study.toml has under this name.
    subjects : Subjects
        What parts of the decisions can be named.
    counts : sequence of Count
        The counts of the study, to which claims refer.

    Raises
    ------
    StudyError
        For the first key that is wrong.
    """
    if not isinstance(tables, (list, tuple)):
        raise wrong("expected tables, each below a line [[claims]]", "[[claims]]", tables)
    by_id = {count.id: count for count in counts}
    claims: list[Claim] = []
    for number, table in enumerate(tables, start=1):
        where = f"[[claims]] number {number},"
        claim = _claim(table, where, subjects, by_id)
        for before, other in enumerate(claims, start=1):
            if other.id == claim.id:
                raise wrong(
                    f"number {before} has this id; expected every id once: rename one",
                    f"{where} id",
                    claim.id,
                )
        claims.append(claim)
    return tuple(claims)


def _claim(table: object, where: str, subjects: Subjects, counts: Mapping[str, Count]) -> Claim:
    if not isinstance(table, dict):
        raise wrong("expected a table with id, text and rule", where.rstrip(","), table)
    if "rule" not in table:
        raise wrong(f"key is missing; expected it, one of {listed(CLAIM_RULES)}", f"{where} rule")
    rule = check_text(table["rule"], Key("text", options=tuple(CLAIM_RULES)), f"{where} rule")
    others = {key: f"the rule {shown(name)}" for name, keys in CLAIM_RULES.items() for key in keys}
    given = section(_in_lists(table, where), {**CLAIM, **CLAIM_RULES[rule]}, where, others)
    read: dict[str, Any] = {key: given[key] for key in given if key in ("counts", "total")}
    read |= {
        key: clean_label(value) if isinstance(value, str) else float(value)
        for key, value in given.items()
        if key in ("id", "text", "where", "rule", "part", "whole", "least", "most", "size", "why")
    }
    for key in ("text", "why"):
        if key in read and not read[key]:
            raise wrong("expected text that is not blank", f"{where} {key}")
    for key in ("a", "b"):
        if key in given:
            read[key] = _part(given[key][0], f"{where} {key}", subjects)
    claim = Claim(**read)
    _check_size(claim.size, f"{where} size", subjects, both=rule == "falls more")
    if rule == "sum":
        _check_sum(claim, where, counts)
    elif rule == "share":
        _check_share(claim, given, where, counts)
    elif rule == "higher share" and claim.a == claim.b:
        raise wrong("expected other decisions than in a, to hold the two together", f"{where} b")
    return claim


def _in_lists(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The same with a single total, and the decisions of a and of b, in lists of one."""
    found = dict(table)
    if isinstance(found.get("total"), str):
        found["total"] = [found["total"]]
    for key in ("a", "b"):
        if key in found:
            if not isinstance(found[key], dict):
                raise wrong(
                    'expected which decisions, as in {size = "large", periods = ["early"]}',
                    f"{where} {key}",
                    found[key],
                )
            found[key] = [found[key]]
    return found


# -- parts of the decisions ----------------------------------------------------------------


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


# -- rules on printed counts ---------------------------------------------------------------


def _check_sum(claim: Claim, where: str, counts: Mapping[str, Count]) -> None:
    for key, names in (("counts", claim.counts), ("total", claim.total)):
        if not names:
            raise wrong("expected the id of at least one count", f"{where} {key}", [])
        for name in names:
            _check_count(name, f"{where} {key}", counts)
            if names.count(name) > 1:
                raise wrong("expected every count once", f"{where} {key}", name)
            if key == "total" and name in claim.counts:
                raise wrong("expected a count on one side of the sum only", f"{where} {key}", name)


def _check_share(
    claim: Claim, given: Mapping[str, Any], where: str, counts: Mapping[str, Count]
) -> None:
    for key, name in (("part", claim.part), ("whole", claim.whole)):
        _check_count(name, f"{where} {key}", counts)
    if not counts[claim.whole].value:
        raise wrong(
            "expected a count above zero, of which there can be a share",
            f"{where} whole",
            claim.whole,
        )
    if "least" not in given and "most" not in given:
        raise wrong(
            "key is missing; expected it, or most, or both: percent between which the share lies",
            f"{where} least",
        )
    if claim.least > claim.most:
        raise wrong(f"expected at least {claim.least:g}, as least is", f"{where} most", claim.most)


def _check_count(name: str, key: str, counts: Mapping[str, Count]) -> None:
    if not counts:
        raise wrong("this rule reads printed counts; expected a table [counts]", key, name)
    if name not in counts:
        raise wrong(
            f"expected the id of a count{did_you_mean(name, counts)}; the ids are {listed(counts)}",
            key,
            name,
        )
    count = counts[name]
    if count.relation != "equal" or count.each:
        what = "each of several firms" if count.each else count.relation
        raise wrong(
            f"this count says {what!r}; expected one that is equal, of all its firms together",
            key,
            name,
        )
