"""Claims of a publication: what its text says, and the rule by which that can be checked.

A claim does not enter any model. Its rule is a class (:class:`Rule`): its keys, its check when the
study is read, its evaluation and its words. Here are the classes that all rules share, and the
tables [[claims]] are read. The rules are in :mod:`intlmodels.studies.claimrules` and
:mod:`intlmodels.studies.fitrules`; what they find is gathered in :mod:`intlmodels.claims.ledger`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from intlmodels.core import formats as f
from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import did_you_mean, listed, shown
from intlmodels.studies.counts import Count, Subjects
from intlmodels.studies.groups import (
    SILENT,
    Column,
    Group,
    Number,
    Rows,
    read_groups,
    read_numbers,
    read_silence,
)
from intlmodels.studies.schema import (
    NEEDED,
    PROSE,
    Key,
    Keys,
    StudyFile,
    check_text,
    section,
    wrong,
)
from intlmodels.studies.sources import Sources

if TYPE_CHECKING:
    from intlmodels.studies.attributes import Attribute
    from intlmodels.studies.base import Study


Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
#: Least and greatest number that counts allow; None where there is no limit.
Ends = tuple[int | None, int | None]

HOLDS, CONTRADICTED = "agrees with the printed {}", "differs from the printed {}"
CANNOT = "cannot be tested with what was published"
POINTS = "percentage points"
#: How rules that ask a model begin.
POSTERIOR = "posterior probability that"
#: The variant whose fit is asked if the claim names none.
DEFAULT = "default"

#: What sort of claim it is: what the ledger has beside the rule.
KINDS = ("arithmetic", "share", "range", "comparison", "association", "trend", "proposition")
#: Who claims it: the publication, or whoever studies it.
PAPER, OURS = ORIGINS = ("paper", "ours")
#: Keys of every claim.
CLAIM = {
    "id": NEEDED,
    "text": Key("prose", required=True),
    "origin": Key("text", options=ORIGINS),
    "reading": PROSE,
    "where": PROSE,
    "kind": Key("text", options=KINDS),
    "note": PROSE,
    "main": PROSE,
    "rule": NEEDED,
}
#: Some of the decisions: what ``a`` and ``b`` of the decay model hold.
CLAIM_PART = {"size": Key("text"), "periods": Key("texts")}

Kind = (
    Literal["number", "group", "column", "attribute"]
    | Literal["variant", "predictor", "level", "parameter", "values"]
)


@dataclass(frozen=True)
class Naming(Key):
    """A key whose texts name something."""

    #: ``number``: the id of a printed number or count, or ``file: column`` for the sum of a column;
    #: kinds after ``attribute`` only a model knows; they are looked up before anything is fitted.
    kind: Kind = "number"
    #: Whether several are added up.
    added: bool = False


@dataclass(frozen=True)
class Part:
    """Some of the decisions."""

    #: ``large`` or ``other``; empty: of all firms.
    size: str
    #: In order of time.
    periods: tuple[str, ...]

    def describe(self, study: Study) -> str:
        """The decisions in words."""
        who = f"{self.size or 'all'} {f.plural(study.firm_label)}"
        event = f.plural(getattr(study, "event", "decision"))
        return f"{event} of {who} ({', '.join(self.periods)})"


@dataclass(frozen=True)
class Known:
    """What the claims of a study can name; ``subjects`` where there are decisions."""

    model: str
    rows: Rows
    #: By what is taken for a thing of which a text is silent, a key of :data:`.groups.SILENT`.
    groups: Mapping[str, Mapping[str, Group]]
    numbers: Mapping[str, Number]
    counts: Mapping[str, Count]
    attributes: Mapping[str, Attribute]
    subjects: Subjects | None = None

    def meaning(self, name: str) -> str:
        """What a printed number is, by its id; empty where that is not said."""
        own = self.counts.get(name) or self.numbers.get(name)
        return own.text if own else ""


@dataclass(frozen=True)
class Finding:
    """What a rule gives: a verdict, or a probability from which it follows; the effect; words.

    An effect that is a fact has no interval. A verdict that is one may have a probability beside
    it, of what is behind the numbers. ``fit`` is the one that was asked; empty if none. ``pair`` is
    of two groups how many have what is compared, and have not. ``error`` is the Monte Carlo error
    of the probability (missing where it is exact), ``prior`` the same before seeing data; ``sizes``
    are the probabilities of a relevant, a negligible and an opposite effect.
    """

    verdict: str = ""
    probability: float = math.nan
    median: float = math.nan
    low: float = math.nan
    high: float = math.nan
    unit: str = ""
    numbers: str = ""
    fit: str = ""
    pair: tuple[tuple[int, int], tuple[int, int]] | None = None
    error: float = math.nan
    prior: float = math.nan
    sizes: tuple[float, ...] = (math.nan, math.nan, math.nan)


class FitDraws(Protocol):
    """Draws of a fit as rules ask for them: its estimands by name, chain after chain."""

    #: Earlier decisions after which the estimand ``fall`` is taken.
    fall_after: int

    def __contains__(self, name: str) -> bool: ...

    def values(self, name: str, **labels: Any) -> Array:
        """Draws of an estimand, (draw, ...), at some labels of its dimensions."""

    def labels(self, name: str) -> list[str]:
        """The labels of a coordinate."""

    def unit(self, name: str) -> str:
        """The unit of an estimand."""

    def parameter(self, name: str) -> Array:
        """Draws of a parameter, (draw, ...)."""

    def membership(self, predictor: str) -> NDArray[np.bool_]:
        """Which firms stand at which level of a predictor, (firm, level)."""

    def effect(
        self, predictor: str, levels: tuple[str, ...], at: Mapping[str, Any]
    ) -> tuple[Array, str]:
        """Average effect of a predictor with all rows at some values; with its unit.

        The slope of a predictor that is a number; else the first of two levels less the second, by
        default the last level of the predictor less the first.
        """

    def curve(self, predictor: str) -> tuple[Array, Bools, Bools, str]:
        """Turning point of a quadratic curve, whether it is a U or an inverted U; its unit."""

    def with_level(self, claim: Claim, study: Any) -> tuple[Ends, Ints, Ints, str]:
        """Of the number that a claim asks of an attribute: bounds, posterior and prior draws.

        And why the draws tell nothing of it; empty if they do.
        """

    def interval(self, draws: Array) -> tuple[float, float]:
        """Equal-tailed interval of draws."""

    def judge(
        self,
        holds: NDArray[np.bool_],
        effect: Array,
        unit: str,
        numbers: str,
        kept: NDArray[np.bool_] | None = None,
        claim: Claim | None = None,
        sign: int = 1,
    ) -> Finding:
        """Probability and effect, from the draws where the claim can be judged (all if None).

        Effects have the ``sign`` where the claim holds; if it names ``least``, it holds only where
        they are larger than that.
        """


@dataclass(frozen=True)
class Evidence:
    """What claims are held against: draws by variant, with intervals of a probability."""

    study: Study
    fits: Mapping[str, FitDraws]
    prob: float


@dataclass(frozen=True)
class Claim:
    """What a publication says, and how that is held against the study."""

    id: str
    #: A paraphrase.
    text: str
    rule: Rule
    #: The keys of the rule: texts, numbers, a :class:`Part` for some decisions, and values of
    #: predictors by name.
    terms: dict[str, Any] = field(default_factory=dict)
    #: What the rule names, by what names it.
    columns: dict[str, Column] = field(default_factory=dict, compare=False)
    groups: dict[str, Group] = field(default_factory=dict, compare=False)
    attributes: dict[str, Attribute] = field(default_factory=dict, compare=False)
    #: The groups with what texts are silent of taken as absent, and as present.
    filled: dict[str, dict[str, Group]] = field(default_factory=dict, compare=False)
    values: dict[str, float] = field(default_factory=dict, compare=False)
    #: Section or page.
    where: str = ""
    #: One of :data:`KINDS`.
    kind: str = ""
    #: What a reader should know of the way it is looked at.
    note: str = ""
    #: One of :data:`ORIGINS`.
    origin: str = PAPER
    #: The reading of the words on which the verdict hangs; empty where there is but one.
    reading: str = ""
    #: The main finding of the publication that it belongs to, in words; empty if none.
    main: str = ""
    #: What printed numbers are, by their ids.
    meanings: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def open(self) -> bool:
        """Whether a text that is silent leaves open which firms belong to a group of it."""
        return any(own != self.filled["absent"][name] for name, own in self.groups.items())

    def taken_as(self, silent: str) -> Claim:
        """The same with what texts are silent of taken as ``absent`` or ``present``."""
        return replace(self, groups=self.filled[silent])

    @property
    def fit(self) -> str:
        """The variant whose fit the claim asks."""
        return str(self.terms.get("fit", DEFAULT))

    def names(self, kind: Kind) -> list[tuple[str, str]]:
        """Every key that names things of a kind, with each of the names."""
        found = []
        for key, spec in self.rule.keys.items():
            if isinstance(spec, Naming) and spec.kind == kind and key in self.terms:
                found += [(key, name) for name in _several(self.terms[key])]
        return found

    def numbers(self, key: str) -> list[float]:
        """The printed numbers that a key names: of ids, or sums of columns."""
        return [self.values[name] for name in _several(self.terms[key])]

    def number(self, key: str) -> float:
        """The one printed number that a key names."""
        return self.values[self.terms[key]]

    def group(self, key: str, other: Group | None = None) -> Group:
        """The group that a key names; another if that is given and the key left out."""
        return self.groups[self.terms[key]] if other is None or key in self.terms else other


def _several(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def shortened(names: Sequence[str], limit: int = 30) -> str:
    """Names in one line, and how many more there are."""
    more, listed_names = len(names) - limit, names[:limit]
    mark = "; " if any(", " in name for name in listed_names) else ", "
    return mark.join(listed_names) + (f" and {more} more" if more > 0 else "")


def plain(value: float) -> str:
    """A printed number as it was printed, without what a computer adds to it."""
    return f.number(value, 0) if float(value).is_integer() else f"{value:.6g}"


def limits(terms: Mapping[str, Any], unit: str = "%") -> str:
    """Limits of a claim: ``> 50%``."""
    least, most = terms.get("least"), terms.get("most")
    if least is not None and most is not None:
        return f"{plain(least)}{unit} to {plain(most)}{unit}"
    signs = {"least": "≥", "most": "≤", "above": ">", "below": "<", "equal": "exactly"}
    parts = [f"{sign} {plain(terms[k])}{unit}" for k, sign in signs.items() if k in terms]
    return " and ".join(parts)


def required(terms: Mapping[str, Any], unit: str = "%") -> str:
    """The limits of a claim, after what was found."""
    return f" (required: {limits(terms, unit)})"


class Rule:
    """A rule of the vocabulary."""

    #: What ``rule`` says in a claim.
    name = ""
    #: One of :data:`KINDS`, unless the claim says another.
    kind = "arithmetic"
    #: When the claim holds, with the keys in backquotes; in brackets what stands in for a key that
    #: is left out.
    means = ""
    #: How a claim is checked: its keys in braces (with ``%`` a number in percent), ``limits``, and
    #: the ``variant`` that is asked.
    words = ""
    #: What is said in the words for a key that is left out.
    stand_ins: ClassVar[Mapping[str, str]] = dict.fromkeys(("b", "than", "against"), "the others")
    #: Its keys beside those of every claim.
    keys: ClassVar[Keys] = {}
    #: Models whose studies may use it.
    models: tuple[str, ...] = ("share", "decay")
    #: Whether it can only be evaluated with a fit.
    needs_fit = False
    #: Whether it asks the coefficients of a fit, which only the whole of it has.
    needs_coefficients = False

    def check(self, claim: Claim, where: str) -> None:
        """Check what the keys of a claim ask of each other and of what is printed."""

    def check_design(self, claim: Claim, where: str, design: Any) -> None:
        """Check what a claim asks of the design of the fit that it names."""

    def evaluate(self, claim: Claim, evidence: Evidence) -> Finding:
        """Hold a claim against the evidence."""
        raise NotImplementedError

    def extremes(self, claim: Claim, evidence: Evidence) -> str:
        """Between what a comparison lies, whatever is true of that of which texts are silent."""
        return ""

    def describe(self, claim: Claim, study: Study) -> str:
        """How a claim is checked, in one sentence without its stop."""
        said = {**self.stand_ins}
        said["variant"] = "" if claim.fit == DEFAULT else f", variant {claim.fit}"
        said |= {"limits": limits(claim.terms, ""), "limits%": limits(claim.terms)}
        said |= {"firms": f.plural(study.firm_label), "flag": getattr(study, "flag_label", "")}
        said["event"] = f.plural(getattr(study, "event", "decision"))
        outcome = getattr(study, "outcomes", {}).get(claim.fit, getattr(study, "outcome", None))
        said["outcome"] = f.lowered(outcome.label) if outcome else ""
        least = claim.terms.get("least")
        said["margin"] = "" if least is None else f" by more than {plain(least)} points"
        for key, value in claim.terms.items():
            if isinstance(value, float):
                said |= {key: plain(value), f"{key}%": f.percent(value)}
            elif isinstance(value, Part):
                said[key] = value.describe(study)
            else:
                said[key] = self.in_words(key, value, claim, study)
        return self.words.format_map(said)

    def in_words(self, key: str, value: Any, claim: Claim, study: Study) -> str:
        """What a key says that names things."""
        if isinstance(value, dict):
            numbers = {n: plain(v) if isinstance(v, float) else v for n, v in value.items()}
            return f.listed([f"{name} {own}" for name, own in numbers.items()])
        spec, names = self.keys[key], list(_several(value))
        kind = spec.kind if isinstance(spec, Naming) else ""
        if kind == "group":
            names = [claim.groups[name].label for name in names]
        elif kind in ("column", "number"):
            said = {name: f"{meaning} ({name})" for name, meaning in claim.meanings.items()}
            names = [said.get(name) or column_words(name, study) for name in names]
        elif kind == "attribute":
            names = [claim.attributes[name].label for name in names]
        elif kind in ("predictor", "parameter"):
            labels = {n: f.lowered(p.label) for n, p in getattr(study, "predictors", {}).items()}
            names = [labels.get(name, name) for name in names]
        added = isinstance(spec, Naming) and spec.added
        return " + ".join(names) if added else f.listed(names)


def column_words(place: str, study: Study) -> str:
    """What a column holds, by its label if the study gives one."""
    outcome = getattr(study, "outcome", None)
    for own in (outcome, *getattr(study, "predictors", {}).values()):
        if own is not None and place == f"{own.file}: {own.column}":
            return f.lowered(own.label)
    return place.rpartition(": ")[2].replace("_", " ")


# -- reading ---------------------------------------------------------------------------------


def read_ledger(
    rules: Mapping[str, Rule],
    toml: StudyFile,
    sources: Sources,
    counts: Sequence[Count] = (),
    subjects: Subjects | None = None,
    attributes: Mapping[str, Attribute] | None = None,
) -> dict[str, Any]:
    """Silence, groups, printed numbers and claims of a study: attributes of every study."""
    rows = Rows(sources)
    silence = read_silence(toml.silence, rows)
    stated = read_groups(toml.groups, rows, silence)
    groups = dict.fromkeys(SILENT, stated)
    if silence:
        groups = {how: read_groups(toml.groups, rows, silence, own) for how, own in SILENT.items()}
    numbers = read_numbers(toml.numbers, sources)
    attributes = attributes or {}
    every = [*counts, *(count for own in attributes.values() for count in own.counts)]
    by_id = {count.id: count for count in every}
    for name in numbers:
        if name in by_id:
            raise wrong("a count has this id; expected every id once", "[numbers] file", name)
    known = Known(toml.study.model, rows, groups, numbers, by_id, attributes, subjects)
    if not isinstance(toml.claims, (list, tuple)):
        raise wrong("expected tables, each below a line [[claims]]", "[[claims]]", toml.claims)
    claims: list[Claim] = []
    seen: dict[str, int] = {}
    for number, table in enumerate(toml.claims, start=1):
        where = f"[[claims]] number {number},"
        claim = _read_claim(table, where, rules, known)
        if claim.id in seen:
            said = f"number {seen[claim.id]} has this id; expected every id once: rename one"
            raise wrong(said, f"{where} id", claim.id)
        seen[claim.id] = number
        claims.append(claim)
    return {"silence": silence, "row_groups": stated, "numbers": numbers, "claims": tuple(claims)}


def _read_claim(table: object, where: str, rules: Mapping[str, Rule], known: Known) -> Claim:
    if not isinstance(table, dict):
        raise wrong("expected a table with id, text and rule", where.rstrip(","), table)
    own = {name: rule for name, rule in rules.items() if known.model in rule.models}
    if "rule" not in table:
        raise wrong(f"key is missing; expected it, one of {listed(own, 99)}", f"{where} rule")
    name = table["rule"]
    if isinstance(name, str) and name in rules and name not in own:
        said = f"this rule needs a {rules[name].models[0]} model; expected one of {listed(own, 99)}"
        raise wrong(said, f"{where} rule", name)
    rule = own[check_text(name, Key("text", options=tuple(own)), f"{where} rule")]
    owners: dict[str, list[str]] = {}
    for name, other in own.items():
        for key in other.keys:
            owners.setdefault(key, []).append(shown(name))
    others = {key: f"the rule {' or '.join(names[:3])}" for key, names in owners.items()}
    table = _in_lists(table, rule, where)
    if isinstance(table.get("main"), bool):
        table["main"] = table.get("text", "") if table["main"] else ""
    given = section(table, {**CLAIM, **rule.keys}, where, others)
    for key in ("text", "why"):
        if key in given and not given[key]:
            raise wrong("expected text that is not blank", f"{where} {key}")
    claim = Claim(
        clean_label(given["id"]),
        given["text"],
        rule,
        {key: _clean(value) for key, value in given.items() if key in rule.keys},
        where=given.get("where", ""),
        kind=given.get("kind", rule.kind),
        note=given.get("note", ""),
        origin=given.get("origin", PAPER),
        reading=given.get("reading", ""),
        main=given.get("main", ""),
    )
    for key, spec in rule.keys.items():
        if key in claim.terms and isinstance(spec, Naming):
            if spec.holds == "tables":
                claim.terms[key] = _read_values(given[key][0], f"{where} {key}")
            _read_named(claim, key, spec, where, known)
    if known.subjects is not None:
        _check_size(claim.terms.get("size", ""), f"{where} size", known.subjects)
        for key, spec in rule.keys.items():
            if key in given and spec.holds == "tables" and not isinstance(spec, Naming):
                claim.terms[key] = _read_part(given[key][0], f"{where} {key}", known.subjects)
    rule.check(claim, where)
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
                said = 'expected which decisions, as in {size = "large", periods = ["early"]}'
                if isinstance(key, Naming):
                    said = 'expected values of predictors, as in {size = 100, owner = "foreign"}'
                raise wrong(said, f"{where} {name}", found[name])
            found[name] = [found[name]]
    return found


# -- what keys name ----------------------------------------------------------------------


def _read_named(claim: Claim, key: str, spec: Naming, where: str, known: Known) -> None:
    """Look up what a key names among columns, numbers and groups."""
    if spec.kind not in ("number", "group", "column", "attribute"):
        return
    names, where = _several(claim.terms[key]), f"{where} {key}"
    groups = known.groups["as stated"]
    if not names:
        raise wrong("expected at least one", where, [])
    for name in names:
        if names.count(name) > 1:
            raise wrong("expected everything once", where, name)
        if spec.kind == "column":
            claim.columns[name] = known.rows.column((name,), where)
        elif spec.kind == "number":
            claim.values[name] = _read_number(name, where, known, claim.columns)
            if said := known.meaning(name):
                claim.meanings[name] = said
        elif spec.kind == "attribute":
            if name not in known.attributes:
                said = f"expected a table [attributes.NAME]{did_you_mean(name, known.attributes)}; "
                raise wrong(
                    f"{said}the study has {listed(known.attributes) or 'none'}", where, name
                )
            claim.attributes[name] = known.attributes[name]
        elif name in groups:
            claim.groups[name] = groups[name]
            for how in ("absent", "present"):
                claim.filled.setdefault(how, {})[name] = known.groups[how][name]
        else:
            there = f", one of {listed(groups, 30)}"
            there = there if groups else "; the study has no [groups.NAME]"
            raise wrong(f"expected a group{there}{did_you_mean(name, groups)}", where, name)


def _read_number(name: str, where: str, known: Known, columns: dict[str, Column]) -> float:
    if name in known.counts:
        count = known.counts[name]
        if count.relation != "equal" or count.each:
            what = "each of several firms" if count.each else count.relation
            said = f"this count says {what!r}; expected one that is equal, of all its firms "
            raise wrong(f"{said}together", where, name)
        return float(count.value)
    if name in known.numbers:
        return known.numbers[name].value
    if ":" in name:
        columns[name] = known.rows.column((name,), where)
        return float(sum(columns[name].numbers(0.0)))
    if names := [*known.counts, *known.numbers]:
        said = f"expected the id of a count or number{did_you_mean(name, names)}; the ids are "
        raise wrong(f"{said}{listed(names)}", where, name)
    raise wrong(
        "this rule reads printed numbers; expected a table [counts] or [numbers], or "
        '"file: column" for the sum of a column',
        where,
        name,
    )


def _read_values(table: Mapping[str, Any], where: str) -> dict[str, str | float]:
    """Values of predictors by name: each a level or a number."""
    if not table:
        raise wrong("expected at least one predictor; for all as observed leave the key out", where)
    for name, value in table.items():
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise wrong("expected one level, in quotes, or one number", f"{where} {name}", value)
    return {name: _clean(value) for name, value in table.items()}


def _read_part(table: Mapping[str, Any], where: str, subjects: Subjects) -> Part:
    given = section(table, CLAIM_PART, where)
    size, names = given.get("size", ""), given.get("periods", subjects.periods)
    _check_size(size, f"{where} size", subjects)
    key = f"{where} periods"
    if not names:
        raise wrong("expected at least one period; for all leave the key out", key, list(names))
    for name in names:
        if name not in subjects.periods:
            near = did_you_mean(name, subjects.periods)
            raise wrong(f"expected a period, one of {listed(subjects.periods)}{near}", key, name)
        if names.count(name) > 1:
            raise wrong("expected every period once", key, name)
    return Part(size, tuple(period for period in subjects.periods if period in names))


def _check_size(size: str, key: str, subjects: Subjects) -> None:
    """Check that a size tells some firms from others."""
    if size and size not in (labels := subjects.size_labels):
        raise wrong(f"expected one of {listed(labels)}{did_you_mean(size, labels)}", key, size)
    if size and len(set(subjects.sizes)) < 2:
        said = "expected none, as all firms of this study are of one size: leave the key out"
        raise wrong(said, key, size)
