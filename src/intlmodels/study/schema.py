"""The schema of study.toml: the tables of each model, what their keys hold, and their defaults.

A class is a table, or all tables of a kind of study; its fields are declared as
:mod:`intlmodels.study.keys` describes, and come out checked and typed. With a table
``[register]`` a study has no ``[firms]``: its rows are read only as counts.

A key that is not in the vocabulary is an error, not a shrug: a misspelled key would else
leave a default in place without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from intlmodels.core.csvtable import read_text
from intlmodels.core.errors import StudyError, listed, shown
from intlmodels.study.keys import (
    FILE,
    PROSE,
    TEXT,
    Key,
    Keys,
    TomlTable,
    Vocabulary,
    by_kind,
    check_keys,
    check_text,
    finite,
    keys_of,
    parsed,
    section,
    vocabulary_of,
    wrong,
)

#: What the name of a study may be: it becomes the name of a folder of reports.
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
#: Mark between names in one cell.
MARK = ";"
#: What the models call the levels of clusters, and what profiles call the cluster of a firm.
CLUSTER = "cluster"

#: Names that the share model uses for itself.
RESERVED = frozenset(
    (
        *("intercept", "phi", "precision", "sigma", "mu", "never", "heaping"),
        *("log_odds", "baseline", "cutpoints", "cutpoint", "eta"),
        *("firm", "chain", "draw", "printed", "share", "printed_share"),
        *("prior_arguments", "likelihood_weights", "observed_outcome"),
    )
)
#: A model appends these to a name, for example ``product_level``.
ENDINGS = (
    *("level", "label", "z", "step", "steps", "effect", "mean", "sd"),
    *("observed", "known", "missing", "missing_firm", "observed_firm"),
)
#: Names of variants that a study cannot give to its own, by model: every study has these, and
#: ``all`` stands for all of them on the command line.
BUILT_IN_VARIANTS = {
    "share": ("default", "logit-normal", "hurdle", "heaped", "density", "all"),
    "decay": ("default", "power", "step", "period", "common-decay", "complete", "all"),
}
#: Starts of names of variants that the decay model numbers itself, such as ``repair-1``.
BUILT_IN_STARTS: dict[str, tuple[str, ...]] = {
    "share": (),
    "decay": ("rho-", "concentration-", "repair-"),
}

Label = Annotated[str, Key("label")]
Prose = Annotated[str, Key("prose")]
Transform = Literal["none", "log"]

# -- tables of every model ---------------------------------------------------------------


class StudyTable(TomlTable):
    """What the study is about, and its model."""

    name: Annotated[
        str,
        Key(
            "text",
            pattern=NAME,
            expected="a short name of ASCII letters, digits, '_' and '-'; put the full name in "
            "title",
        ),
    ]
    title: Label
    question: Prose = ""
    model: Literal["share", "decay"]
    source: Prose = ""
    bibtex: Prose = ""
    limits: tuple[str, ...] = ()


class FirmsTable(TomlTable):
    """The table that lists the firms."""

    file: str
    column: Label
    label: Label = "firm"
    size: str = ""


class NumbersTable(TomlTable):
    """Further numbers that a publication prints, for its claims."""

    file: str


class FitTable(TomlTable):
    """Settings of the sampler; those that are not ``written`` have their defaults elsewhere."""

    seed: Annotated[int, Key("integer", within=(0, 2**32 - 1))] | None = None
    draws: Annotated[int, Key("integer", within=(4, 1_000_000))] | None = None
    tune: Annotated[int, Key("integer", within=(0, 1_000_000))] | None = None
    chains: Annotated[int, Key("integer", within=(2, 256))] | None = None
    target_accept: Annotated[float, Key("number", within=(0.1, 0.999))] | None = None
    sweeps: Annotated[int, Key("integer", within=(1, 100_000))] | None = None


class RegisterTable(TomlTable):
    """Rows in files too large to be read as tables."""

    files: str
    #: What happens to rows that cannot be read.
    bad_rows: Literal["stop", "set aside"] = "stop"
    #: Memory that DuckDB may use.
    memory_limit: Annotated[
        str,
        Key(
            "text",
            pattern=r"[1-9]\d*(\.\d+)? ?[KMGT]i?B",
            expected='memory such as "2GB" or "500MB"',
        ),
    ] = "2GB"
    label: Label = "firm"


class VariantTable(TomlTable):
    """A variant of the study's own, or a crosscheck."""

    kind: str
    note: Prose = ""


# -- tables of the share model -----------------------------------------------------------


class ShareTable(TomlTable):
    """The printed shares: the table [outcome] of the share model."""

    file: str = ""
    column: Label
    label: Label = ""
    unit: Literal["percent", "fraction"]
    rounding_width: float


class Opportunity(TomlTable):
    """Every combination of a category and a contrast, and how it is read."""

    #: Name of the category.
    across: str
    #: Name of the contrast.
    down: str
    #: Level of the contrast at which a small share is read as vulnerable; at the other a large
    #: share is read as an opportunity.
    vulnerable: Label
    #: Where the reading comes from, in the author's words.
    note: Prose = ""


class ClusterTable(TomlTable):
    """The column with the cluster of each firm."""

    file: str = ""
    column: Label
    label: Label = ""
    key: Label = ""


class PredictorTable(TomlTable):
    """A column that may explain the shares."""

    kind: str
    file: str = ""
    column: Label
    label: Label = ""
    key: Label = ""


class CategoryTable(PredictorTable):
    """Labels without an order."""

    kind: Literal["category"]
    family_separator: str = ""


class ContrastTable(PredictorTable):
    """Two labels in an order."""

    kind: Literal["contrast"]
    low: Label
    high: Label

    def __post_init__(self) -> None:
        if self.low == self.high:
            raise self.error("high", "low and high are the same; expected two labels")


class NumericTable(PredictorTable):
    """Numbers."""

    kind: Literal["numeric"]
    transform: Transform = "none"
    unit: Prose = ""


class NestedTable(VariantTable):
    """The printed label within its family."""

    kind: Literal["nested"]
    predictor: str


class AxesTable(VariantTable):
    """Ordered axes in place of a category."""

    kind: Literal["axes"]
    replaces: str
    levels: tuple[str, ...]
    readings: Annotated[Any, Key("tables")]

    @property
    def axes(self) -> list[str]:
        """Names of the axes: what the first reading has beside the label."""
        return [key for key in self.readings[0] if key not in ("label", "note")]

    def __post_init__(self) -> None:
        """Check the readings: every one places a label on every axis."""
        _different(self.levels, f"{self.where} levels", _LEVELS, 2)
        if self.readings and not self.axes:
            raise wrong(
                "expected a key for each axis, as in design = ...", f"{self.where} readings"
            )
        level = Key("text", required=True, options=self.levels)
        keys = {"label": _NEEDED_LABEL, "note": PROSE}
        _read_readings(self, keys | dict.fromkeys(self.axes if self.readings else (), level))


class MembershipTable(VariantTable):
    """A second label beside the first one."""

    kind: Literal["membership"]
    predictor: str
    column: Label
    file: str = ""
    # At one half the first label would no longer be the primary one, at one the second label
    # would not count at all.
    primary_weight: Annotated[
        float,
        Key(
            "number",
            between=(0.5, 1),
            expected="a weight above 0.5 and below 1: what the first label counts when there is "
            "a second",
        ),
    ]


class CovariateTable(VariantTable):
    """One more numeric predictor."""

    kind: Literal["covariate"]
    column: Label
    file: str = ""
    label: Label = ""
    transform: Transform = "none"
    unit: Prose = ""


class ByOutcomeTable(VariantTable):
    """A further outcome as one more predictor of the share."""

    kind: Literal["outcome"]
    outcome: str


class OutcomeTable(TomlTable):
    """A further outcome beside the share."""

    kind: str
    file: str = ""
    key: Label = ""
    label: Label = ""
    note: Prose = ""


class OrderedTable(OutcomeTable):
    """An outcome with levels in an order."""

    kind: Literal["ordered"]
    column: Label
    levels: tuple[str, ...]
    readings: Annotated[Any, Key("tables")]

    def __post_init__(self) -> None:
        _different(self.levels, f"{self.where} levels", _LEVELS, 2)
        level = Key("text", required=True, options=self.levels)
        _read_readings(self, {"label": _NEEDED_LABEL, "level": level, "note": PROSE})


class BinaryTable(OutcomeTable):
    """An outcome that is yes or no."""

    kind: Literal["binary"]
    columns: tuple[str, ...]
    yes: tuple[str, ...]
    no: tuple[str, ...]

    def __post_init__(self) -> None:
        for key in ("columns", "yes", "no"):
            texts = getattr(self, key)
            _different(texts, f"{self.where} {key}", "one or more different texts", 1)
        if both := [label for label in self.yes if label in self.no]:
            raise wrong(
                "expected a label under yes or under no", f"{self.where} yes and no", listed(both)
            )


class SameTable(VariantTable):
    """Columns that print the same."""

    kind: Literal["same"]
    columns: tuple[str, ...]


class AtMostTable(VariantTable):
    """Columns whose numbers have a limit to their sum."""

    kind: Literal["at most"]
    columns: tuple[str, ...]
    value: float


_LEVELS = "two or more different levels, lowest first"
_NEEDED_LABEL = Key("label", required=True)


def _different(texts: Sequence[str], where: str, expected: str, least: int) -> None:
    """Refuse texts of which there are too few, or two the same."""
    if len(texts) < least or len(set(texts)) < len(texts):
        raise wrong(f"expected {expected}", where)


def _read_readings(table: AxesTable | OrderedTable, keys: Keys) -> None:
    """Put checked readings in place of those that stand in a table, each label once."""
    if not table.readings:
        raise wrong("expected at least one reading", f"{table.where} readings")
    checked: dict[str, dict[str, str]] = {}
    for number, reading in enumerate(table.readings, start=1):
        here = f"[{table.where[:-1]}.readings]] number {number},"
        given = section(reading, keys, here)
        if given["label"] in checked:
            raise wrong("expected each label once", f"{here} label", given["label"])
        checked[given["label"]] = {"note": "", **given}
    object.__setattr__(table, "readings", list(checked.values()))


# -- tables of the decay model -----------------------------------------------------------


class DecisionTable(TomlTable):
    """What is counted and what the flag says: the table [outcome] of the decay model."""

    event: Label = "decision"
    flag: Label = "flagged"


class PeriodsTable(TomlTable):
    """The periods in order of time."""

    names: tuple[str, ...]
    weights: tuple[float, ...] | None = None
    #: First years of the second, third ... period.
    starts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _check_periods(self.names, f"{self.where} names")
        key, further = f"{self.where} starts", len(self.names) - 1
        if self.starts and len(self.starts) != further:
            raise wrong(
                f"expected {further} years: the first year of every period but the first",
                key,
                list(self.starts),
            )
        for earlier, later in pairwise(self.starts):
            if later <= earlier:
                raise wrong(f"expected years in order of time, after {earlier}", key, later)


class CountsTable(TomlTable):
    """The file of published counts."""

    file: str
    rho: Annotated[float, Key("number", between=(0, 1))] = 0.05
    concentration: Annotated[float, Key("number", between=(0, 1e6))] = 1.0


class DecisionsTable(TomlTable):
    """The file of decisions that are known one by one."""

    file: str
    firm: Label
    flag: Label
    when: Label = ""
    order: Literal["date", "number"] = "date"
    period: Label = ""


class DecisionRegisterTable(RegisterTable):
    """A register whose rows are decisions, of firms that no table lists."""

    firm: Label
    flag: Label
    when: Label
    order: Literal["date", "number"] = "date"
    size: Label = ""
    period: Label = ""


class ReadingTable(VariantTable):
    """The counts over other periods."""

    kind: Literal["reading"]
    column: Label
    periods: tuple[str, ...]
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        _check_periods(self.periods, f"{self.where} periods")


class MoreCountsTable(VariantTable):
    """Further counts beside those of the study."""

    kind: Literal["more counts"]
    file: str


def _check_periods(names: Sequence[str], key: str) -> None:
    """Refuse names of periods that are not different, or cannot stand in a list."""
    if not names:
        raise wrong("expected at least one period", key, list(names))
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise wrong("expected every period once", key, name)
        seen.add(name)
        if MARK in name:
            raise wrong(f"expected names without {MARK!r}, which separates names", key, name)


def period_weights(
    given: Sequence[float] | None, periods: Sequence[str], where: str
) -> tuple[float, ...]:
    """Weights of the periods, made to sum to 1; the same for all if none are given."""
    key = f"{where} weights"
    if given is None:
        return (1 / len(periods),) * len(periods)
    if len(given) != len(periods):
        raise wrong(f"expected {len(periods)} weights, one a period", key, list(given))
    total = sum(given)
    for weight in given:
        # A weight that vanishes beside the others would make a period impossible.
        if weight <= 0 or not finite(total) or weight / total < 1e-9:
            raise wrong("expected weights above 0, and none that vanishes", key, weight)
    return tuple(weight / total for weight in given)


# -- all tables of a study ---------------------------------------------------------------

Predictors = dict[str, CategoryTable | ContrastTable | NumericTable]


@dataclass(frozen=True, kw_only=True)
class ShareFile:
    """A study of the share model; groups and claims are as written."""

    study: StudyTable
    firms: Annotated[FirmsTable, ("size",)]
    outcome: ShareTable
    numbers: NumbersTable | None = None
    opportunity: Opportunity | None = None
    cluster: ClusterTable | None = None
    fit: Annotated[FitTable, ("sweeps",)] = field(default_factory=FitTable)
    predictors: Predictors
    variants: dict[
        str, NestedTable | AxesTable | MembershipTable | CovariateTable | ByOutcomeTable
    ] = field(default_factory=dict)
    outcomes: dict[str, OrderedTable | BinaryTable] = field(default_factory=dict)
    crosschecks: dict[str, SameTable | AtMostTable] = field(default_factory=dict)
    priors: dict[str, str] = field(default_factory=dict)
    profiles: Sequence[Mapping[str, Any]] = ()
    groups: Any = field(default_factory=dict)
    claims: Any = ()

    def __post_init__(self) -> None:
        _check_variant_names(self.variants, "share")
        _check_variant_names(self.outcomes, "share", "outcomes")
        variants = {name.lower(): name for name in self.variants}
        for name in self.outcomes:
            if name.lower() in variants:
                raise wrong(
                    f"expected another name; [variants.{variants[name.lower()]}] has it",
                    f"[outcomes.{name}]",
                    name,
                )
        taken = _check_predictors(self.predictors)
        names = [(name, f"[predictors.{name}]") for name in self.predictors]
        for name, variant in self.variants.items():
            new = dict(taken)
            for variable in _variables(name, variant):
                _check_variable(variable, variant.where, new)
                new[variable.lower()] = variant.where
                names.append((variable, variant.where))
        for name, where in names if self.cluster else ():
            low = name.lower()
            if low == CLUSTER or low.startswith(f"{CLUSTER}_") or f"_by_{CLUSTER}" in low:
                raise wrong(
                    "expected another name; with [cluster] the models use this one for themselves",
                    where,
                    name,
                )
        _check_profiles(self.profiles, self.predictors, (CLUSTER,) if self.cluster else ())


@dataclass(frozen=True, kw_only=True)
class DecayFile:
    """A study of the decay model; groups and claims are as written."""

    study: StudyTable
    firms: FirmsTable
    outcome: DecisionTable = field(default_factory=DecisionTable)
    periods: PeriodsTable | None = None
    counts: CountsTable | None = None
    decisions: DecisionsTable | None = None
    numbers: NumbersTable | None = None
    fit: FitTable = field(default_factory=FitTable)
    variants: dict[str, ReadingTable | MoreCountsTable] = field(default_factory=dict)
    priors: dict[str, str] = field(default_factory=dict)
    groups: Any = field(default_factory=dict)
    claims: Any = ()

    def __post_init__(self) -> None:
        _check_variant_names(self.variants, "decay")


@dataclass(frozen=True, kw_only=True)
class ShareRegisterFile:
    """The share model where rows are read as counts: what asks for single firms is not there."""

    study: StudyTable
    register: RegisterTable
    cluster: Annotated[ClusterTable | None, ("file", "key")] = None
    outcome: Annotated[ShareTable, ("file",)]
    fit: Annotated[FitTable, ("sweeps",)] = field(default_factory=FitTable)
    predictors: Annotated[Predictors, ("file", "key", "family_separator")]
    priors: dict[str, str] = field(default_factory=dict)
    profiles: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        _check_predictors(self.predictors)
        _check_profiles(self.profiles, self.predictors)


@dataclass(frozen=True, kw_only=True)
class DecisionRegisterFile:
    """The decay model where the decisions are rows of files."""

    study: StudyTable
    register: DecisionRegisterTable
    outcome: DecisionTable = field(default_factory=DecisionTable)
    periods: Annotated[PeriodsTable | None, ("weights",)] = None
    fit: Annotated[FitTable, ("sweeps",)] = field(default_factory=FitTable)
    priors: dict[str, str] = field(default_factory=dict)


#: A study.toml whose firms are listed, or one of a register.
StudyFile = ShareFile | DecayFile
RegisterFile = ShareRegisterFile | DecisionRegisterFile

#: Models that a study can name, with the tables and keys that each knows.
VOCABULARIES = {"share": vocabulary_of(ShareFile), "decay": vocabulary_of(DecayFile)}
#: Model -> its vocabulary where study.toml has a table [register].
_REGISTERS = {
    "share": vocabulary_of(ShareRegisterFile),
    "decay": vocabulary_of(DecisionRegisterFile),
}


def read_study_toml(folder: Path) -> StudyFile | RegisterFile:
    """Read and check study.toml."""
    document = parsed(read_text(folder, FILE))
    # Before the model is known, whatever any model knows will do.
    known = [v for vocabulary in VOCABULARIES.values() for v in vocabulary.top]
    check_keys(document, dict.fromkeys([*known, "register"]), "")
    model = section(_required(document, "study"), keys_of(StudyTable), "[study]")["model"]
    vocabulary, others = _vocabularies(document, model)
    check_keys(document, vocabulary.top, "", {k: o for o, v in others.items() for k in v.top})
    for name in vocabulary.required:
        _required(document, name)
    given: dict[str, Any] = {}
    for name, table in vocabulary.tables.items():
        if name in document:
            elsewhere = {
                k: o for o, v in others.items() if name in v.tables for k in v.tables[name].keys
            }
            given[name] = table.read(document[name], f"[{name}]", elsewhere)
    for group, kinds in vocabulary.kinds.items():
        if group in document:
            elsewhere = {k: o for o, v in others.items() for k in v.kinds.get(group, {})}
            given[group] = by_kind(document[group], group, kinds, elsewhere)
    priors = document.get("priors", {})
    if not isinstance(priors, dict):
        raise wrong('expected lines such as phi = "Gamma(2, 0.1)"', "[priors]", priors)
    # Which names and distributions exist is known where the models are.
    given["priors"] = {
        name: check_text(prior, TEXT, f"[priors] {name}") for name, prior in priors.items()
    }
    given |= {name: document[name] for name in ("profiles", "groups", "claims") if name in document}
    file: StudyFile | RegisterFile = vocabulary.file(**given)
    return file


def _vocabularies(
    document: Mapping[str, Any], model: str
) -> tuple[Vocabulary, dict[str, Vocabulary]]:
    """The vocabulary of a study, and the others by whose they are, the likeliest last."""
    plain = {f"studies of the model {shown(n)}": v for n, v in VOCABULARIES.items() if n != model}
    of_rows = {
        f"studies of the model {shown(name)} with a table [register]": other
        for name, other in _REGISTERS.items()
    }
    if "register" in document:
        del of_rows[f"studies of the model {shown(model)} with a table [register]"]
        listing = "studies that list their firms, without [register]"
        return _REGISTERS[model], {**plain, **of_rows, listing: VOCABULARIES[model]}
    return VOCABULARIES[model], {**of_rows, **plain}


def _required(document: Mapping[str, Any], name: str) -> Any:
    if name not in document:
        raise StudyError(f"the table [{name}] is missing; expected it", file=FILE)
    return document[name]


# -- names of variants and variables -----------------------------------------------------


def _check_variant_names(names: Iterable[str], model: str, group: str = "variants") -> None:
    seen: set[str] = set()
    for name in names:
        where, low = f"[{group}.{name}]", name.lower()
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
            raise wrong("expected a name of ASCII letters, digits, '_' and '-'", where, name)
        if low in BUILT_IN_VARIANTS[model] or low.startswith(BUILT_IN_STARTS[model]):
            raise wrong("expected another name; this one has a meaning in every study", where, name)
        if low in seen:
            raise wrong("expected names that differ by more than capitals", where, name)
        seen.add(low)


def _check_predictors(predictors: Predictors) -> dict[str, str]:
    """Check the names of predictors; those in small letters, and the tables that have them."""
    if not predictors:
        raise StudyError("no predictor; expected at least one [predictors.NAME]", file=FILE)
    taken: dict[str, str] = {}
    for name, predictor in predictors.items():
        _check_variable(name, predictor.where, taken)
        taken[name.lower()] = predictor.where
    return taken


def _variables(name: str, variant: VariantTable) -> list[str]:
    """Names of model variables that a variant brings along."""
    match variant:
        case CovariateTable():
            return [name]
        case AxesTable():
            return variant.axes
        case ByOutcomeTable():
            return [variant.outcome.replace("-", "_")]
    return []


def _check_variable(name: str, where: str, taken: Mapping[str, str]) -> None:
    low = name.lower()
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise wrong(
            "expected a name that starts with an ASCII letter and goes on with letters, digits "
            "or '_'; the printed name can stand in label",
            where,
            name,
        )
    if low in RESERVED or low.startswith("sigma_") or low.endswith("_level"):
        raise wrong("expected another name; the models use this one for themselves", where, name)
    if low in taken:
        raise wrong(
            f"expected names that differ by more than capitals; {taken[low]} has it", where, name
        )
    for ending in ENDINGS:
        longer, shorter = f"{low}_{ending}", low.removesuffix(f"_{ending}")
        if longer in taken or (shorter != low and shorter in taken):
            longer, shorter = (longer, low) if longer in taken else (low, shorter)
            raise wrong(
                f"expected another name; the models use {longer} for themselves beside {shorter}",
                where,
                name,
            )


def _check_profiles(
    tables: object, predictors: Iterable[str], optional: tuple[str, ...] = ()
) -> None:
    """Check that new firms have every predictor; what they have of it is checked with the data."""
    if not isinstance(tables, (list, tuple)):
        raise wrong("expected tables, each below a line [[profiles]]", "[[profiles]]", tables)
    for number, table in enumerate(tables, start=1):
        where = f"[[profiles]] number {number},"
        if not isinstance(table, dict):
            raise wrong("expected a table with a level for each predictor", where, table)
        check_keys(table, (*predictors, *optional), where)
        for name in predictors:
            if name not in table:
                raise wrong(
                    f"key is missing; expected a level or value of the predictor {shown(name)}",
                    f"{where} {name}",
                )
