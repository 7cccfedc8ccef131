"""The schema of study.toml: the tables of each model, what their keys hold, and their defaults.

A class is a table, or all tables of a kind of study; its fields come out checked and typed. With
a table ``[register]`` a study has no ``[firms]``: its rows are read only as counts.

A key that is not in the vocabulary is an error, not a shrug: a misspelled key would else
leave a default in place without a word.
"""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import (
    Annotated,
    Any,
    Literal,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from intlmodels.core.csvtable import Files, clean_label, read_text
from intlmodels.core.errors import StudyError, did_you_mean, listed, shown

FILE = "study.toml"

#: A text in the quotes that word processors write.
_CURLY = re.compile("[=[,]\\s*[\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb]")

#: A key of more parts than any table has: what a parser remembers grows with their square.
_DEEP_KEY = re.compile(
    r"""(?:(?:(?<![\w-])[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){30}""", re.ASCII
)

Holds = Literal[
    "text", "label", "prose", "number", "integer", "texts", "numbers", "integers", "tables"
]


@dataclass(frozen=True)
class Key:
    """What a key of study.toml may hold."""

    #: ``prose`` is text that may be blank and whose line breaks mean nothing; a ``label`` comes out
    #: with single white space.
    holds: Holds
    required: bool = False
    #: For text: the allowed words.
    options: tuple[str, ...] = ()
    #: For numbers: least and greatest allowed value.
    within: tuple[float, float] = (-math.inf, math.inf)
    #: For numbers: limits that are not allowed themselves.
    between: tuple[float, float] = (-math.inf, math.inf)
    #: For text: a regular expression.
    pattern: str = ""
    #: What the message asks for where a number is not ``between``, or a text not of the pattern.
    expected: str = ""


Keys = Mapping[str, Key]
TEXT, PROSE, NEEDED = Key("text"), Key("prose"), Key("text", required=True)

# -- tables as classes -------------------------------------------------------------------

_KEYS: dict[Any, Key] = {
    str: TEXT,
    float: Key("number"),
    int: Key("integer"),
    tuple[str, ...]: Key("texts"),
    tuple[float, ...]: Key("numbers"),
    tuple[int, ...]: Key("integers"),
}


@dataclass_transform(kw_only_default=True, frozen_default=True)
@dataclass(frozen=True, kw_only=True)
class TomlTable:
    """A table of study.toml, checked; its keys are the fields of subclasses.

    A field without a default is required. Its type says what it holds, more closely a
    :class:`Key` in ``Annotated``; a ``Literal`` gives the options of a text.
    """

    #: What messages call the table, such as ``[outcome]``.
    where: str = ""
    #: The keys as they stand in the file.
    written: Mapping[str, Any] = field(default_factory=dict)

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True)(cls)

    def error(self, key: str, message: str) -> StudyError:
        """The error for what a key holds."""
        return StudyError(
            message, file=FILE, column=f"{self.where} {key}", value=getattr(self, key)
        )


def keys_of(table: type[TomlTable], *without: str) -> Keys:
    """The keys that a table may have, but for some."""
    hints = get_type_hints(table, include_extras=True)
    aside = ("where", "written", *without)
    return {
        own.name: dataclasses.replace(
            _key(hints[own.name]), required=own.default is dataclasses.MISSING
        )
        for own in dataclasses.fields(table)
        if own.name not in aside
    }


def _key(hint: Any) -> Key:
    if type(None) in get_args(hint):
        hint = get_args(hint)[0]
    if get_origin(hint) is Annotated:
        key: Key = hint.__metadata__[0]
        return key
    return Key("text", options=get_args(hint)) if get_origin(hint) is Literal else _KEYS[hint]


@dataclass(frozen=True)
class TableType:
    """A table of study.toml, and the keys that some studies may give there."""

    make: type[TomlTable]
    keys: Keys

    def read(
        self, table: object, where: str, elsewhere: Mapping[str, str] | None = None
    ) -> TomlTable:
        """Check a table: see :func:`section`."""
        given = section(table, self.keys, where, elsewhere)
        assert isinstance(table, dict)
        return self.make(where=where, written=table, **given)


@dataclass(frozen=True)
class Vocabulary:
    """The tables of study.toml that a kind of study knows."""

    #: Tables with fixed keys.
    tables: dict[str, TableType]
    #: Groups of tables [group.NAME]: the table of each kind.
    kinds: dict[str, dict[str, TableType]]
    #: Tables that must be there.
    required: tuple[str, ...]
    #: Names of all tables.
    top: tuple[str, ...]
    #: The class that has all tables.
    file: type


def vocabulary_of(file: type) -> Vocabulary:
    """The vocabulary that the fields of a class declare.

    Keys that are not known are in ``Annotated``: a tuple of their names.
    """
    tables: dict[str, TableType] = {}
    kinds: dict[str, dict[str, TableType]] = {}
    hints = get_type_hints(file, include_extras=True)
    for name, hint in hints.items():
        without: tuple[str, ...] = ()
        if get_origin(hint) is Annotated:
            hint, without = hint.__origin__, hint.__metadata__[0]
        inner = get_args(hint)[1] if get_origin(hint) is dict else hint
        found = [
            TableType(one, keys_of(one, *without))
            for one in (get_args(inner) or (inner,))
            if isinstance(one, type) and issubclass(one, TomlTable)
        ]
        if found and inner is not hint:
            kinds[name] = {one.keys["kind"].options[0]: one for one in found}
        elif found:
            tables[name] = found[0]
    unset = dataclasses.MISSING
    own = dataclasses.fields(file)
    needed = tuple(f.name for f in own if f.default is unset and f.default_factory is unset)
    return Vocabulary(tables, kinds, needed, tuple(hints), file)


# -- checks ------------------------------------------------------------------------------


def wrong(message: str, key: str, value: object = None) -> StudyError:
    """The error for a key of study.toml, such as ``[outcome] unit``."""
    return StudyError(message, file=FILE, column=key, value=value)


def parsed(text: str) -> dict[str, Any]:
    """The document that a TOML text stands for."""
    try:
        if _DEEP_KEY.search(text):
            raise RecursionError
        return tomllib.loads(text)
    except RecursionError:
        raise StudyError("nested too deeply; expected plain tables", file=FILE) from None
    except ValueError as error:  # TOMLDecodeError, and numbers of thousands of digits
        line = re.search(r"\(at line (\d+), column \d+\)", str(error))
        said = str(error).split(" (at ")[0]
        row = int(line.group(1)) if line else None
        here = dict(enumerate(text.splitlines(), start=1)).get(row or 0, "")
        curly = "; the quotes here are typographic: write plain ones" if _CURLY.search(here) else ""
        raise StudyError(
            f'not valid TOML: {said}; expected lines such as name = "text" or width = 5{curly}',
            file=FILE,
            row=row,
        ) from error


def check_keys(
    table: Mapping[str, Any],
    valid: Iterable[str],
    where: str,
    elsewhere: Mapping[str, str] | None = None,
) -> None:
    """Refuse keys that are not in the vocabulary; ``elsewhere`` says where others belong.

    ``where`` is the name of the table, such as ``[outcome]``; empty for the tables themselves.
    """
    names = list(valid)
    for key in table:
        if key in names:
            continue
        belongs = f"; it belongs to {elsewhere[key]}" if elsewhere and key in elsewhere else ""
        raise wrong(
            f"unknown key{belongs or did_you_mean(key, names)}; valid here: {', '.join(names)}",
            f"{where} {key}".strip() if where else f"[{key}]",
        )


def section(
    table: object, keys: Keys, where: str, elsewhere: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Check a table of study.toml against its keys; prose comes out in one line."""
    if not isinstance(table, dict):
        raise wrong(f"expected a table: a line {where} and its keys below it", where, table)
    check_keys(table, keys, where, elsewhere)
    for name, key in keys.items():
        if key.required and name not in table:
            options = f", one of {listed(key.options)}" if key.options else ""
            raise wrong(f"key is missing; expected it{options}", f"{where} {name}")
    return {name: _value(table[name], keys[name], f"{where} {name}") for name in table}


def by_kind(
    tables: object, group: str, kinds: Mapping[str, TableType], elsewhere: Mapping[str, str]
) -> dict[str, TomlTable]:
    """Check the tables [group.NAME], whose keys depend on their kind."""
    if not isinstance(tables, dict):
        raise wrong(f"expected tables [{group}.NAME]", f"[{group}]", tables)
    checked = {}
    for name, table in tables.items():
        where = f"[{group}.{name}]"
        if not isinstance(table, dict):
            raise wrong(f"expected a table {where} with a kind", where, table)
        if "kind" not in table:
            raise wrong(f"key is missing; expected it, one of {listed(kinds)}", f"{where} kind")
        said = table["kind"]
        if isinstance(said, str) and said in elsewhere and said not in kinds:
            raise wrong(
                f"this kind belongs to {elsewhere[said]}; expected one of {listed(kinds)}",
                f"{where} kind",
                said,
            )
        kind = check_text(said, Key("text", options=tuple(kinds)), f"{where} kind")
        checked[name] = kinds[kind].read(table, where)
    return checked


def _value(value: object, key: Key, where: str) -> Any:
    match key.holds:
        case "text" | "label" | "prose":
            return check_text(value, key, where)
        case "number" | "integer":
            return _number(value, key, where)
        case "texts":
            if not isinstance(value, list):
                raise wrong('expected a list of texts, as in ["one", "two"]', where, value)
            return tuple(clean_label(check_text(item, TEXT, where)) for item in value)
        case "numbers" | "integers":
            if not isinstance(value, list):
                raise wrong("expected a list of numbers, as in [1, 2]", where, value)
            one = Key("integer" if key.holds == "integers" else "number", within=key.within)
            return tuple(_number(item, one, where) for item in value)
        case "tables":
            if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
                raise wrong("expected tables, each below a line of two brackets", where, value)
            return value


def check_text(value: object, key: Key, where: str) -> str:
    """Check that a value is text that its key allows."""
    if not isinstance(value, str):
        raise wrong('expected text; put it in quotes, as in "text"', where, value)
    if "\0" in value:
        raise wrong("expected text without NUL characters", where, value)
    if key.holds == "prose":
        return clean_label(value)
    if not clean_label(value):
        raise wrong("expected text that is not blank", where, value)
    if key.options and value not in key.options:
        raise wrong(
            f"expected one of {listed(key.options)}{did_you_mean(value, key.options)}",
            where,
            value,
        )
    if key.pattern and not re.fullmatch(key.pattern, value):
        raise wrong(f"expected {key.expected}", where, value)
    return clean_label(value) if key.holds == "label" else value


def _number(value: object, key: Key, where: str) -> float | int:
    whole = key.holds == "integer"
    kinds = (int,) if whole else (int, float)
    # bool is a kind of int in Python, but true is not a number in TOML.
    if isinstance(value, bool) or not isinstance(value, kinds):
        what = "a whole number" if whole else "a number"
        quotes = " without quotes" if isinstance(value, str) else ""
        raise wrong(f"expected {what}{quotes}", where, value)
    least, greatest = key.within
    if not (finite(value) and least <= value <= greatest):
        bounds = f" from {least:g} to {greatest:.10g}" if math.isfinite(greatest) else ""
        raise wrong(f"expected a finite number{bounds}", where, value)
    low, high = key.between
    if not low < value < high:
        expected = key.expected or f"a number above {low:g} and below {high:.10g}"
        raise wrong(f"expected {expected}", where, value)
    return value


def finite(value: float) -> bool:
    """Whether a number of a TOML file can be computed with."""
    try:
        return math.isfinite(value)
    except OverflowError:  # whole numbers of hundreds of digits
        return False


# -- names ---------------------------------------------------------------------------------

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


class RowsTable(TomlTable):
    """The table with the rows of a study whose firms may repeat."""

    file: str
    #: Column with the firm of each row, and the one with its period.
    unit: Label
    time: Label = ""
    #: Periods in the order of time, where they are neither numbers nor dates.
    levels: tuple[str, ...] = ()
    label: Label = "firm"

    def __post_init__(self) -> None:
        if self.levels:
            _different(self.levels, f"{self.where} levels", _PERIODS, 2)
        if self.levels and not self.time:
            raise wrong("expected the column with the periods as well", f"{self.where} time")
        if self.time == self.unit:
            raise self.error("time", "expected another column than that of unit")


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
_PERIODS = "two or more different periods, in the order of time"
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
    firms: Annotated[FirmsTable | None, ("size",)] = None
    rows: RowsTable | None = None
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

    @property
    def listing(self) -> FirmsTable | RowsTable:
        """The table that says where the firms, or the rows, are listed."""
        listing = self.firms or self.rows
        assert listing is not None
        return listing

    def __post_init__(self) -> None:
        if self.firms and self.rows:
            raise wrong(
                "a study lists its firms, or the rows of firms that may repeat; expected [firms] "
                "or [rows]: delete one",
                "[rows]",
            )
        if not (self.firms or self.rows):
            said = "the table [firms] is missing; expected it, or [rows] where firms may repeat"
            raise StudyError(said, file=FILE)
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


def read_study_toml(files: Files) -> StudyFile | RegisterFile:
    """Read and check study.toml."""
    return checked_document(parsed(read_text(files, FILE)))


def checked_document(document: Mapping[str, Any]) -> StudyFile | RegisterFile:
    """Check the tables of study.toml."""
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
