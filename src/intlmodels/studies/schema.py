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

Holds = (
    Literal["text", "label", "prose", "number", "integer", "number or text", "truth"]
    | Literal["texts", "numbers", "integers", "tables"]
)


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
    bool: Key("truth"),
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
    #: Groups of tables that are all of one kind.
    named: dict[str, TableType]
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
    named: dict[str, TableType] = {}
    own = [f for f in dataclasses.fields(file) if f.init]
    hints = get_type_hints(file, include_extras=True)
    for name, hint in ((f.name, hints[f.name]) for f in own):
        without: tuple[str, ...] = ()
        if get_origin(hint) is Annotated:
            hint, without = hint.__origin__, hint.__metadata__[0]
        inner = get_args(hint)[1] if get_origin(hint) is dict else hint
        found = [
            TableType(one, keys_of(one, *without))
            for one in (get_args(inner) or (inner,))
            if isinstance(one, type) and issubclass(one, TomlTable)
        ]
        if found and inner is not hint and "kind" not in found[0].keys:
            named[name] = found[0]
        elif found and inner is not hint:
            kinds[name] = {one.keys["kind"].options[0]: one for one in found}
        elif found:
            tables[name] = found[0]
    unset = dataclasses.MISSING
    needed = tuple(f.name for f in own if f.default is unset and f.default_factory is unset)
    return Vocabulary(tables, kinds, named, needed, tuple(f.name for f in own), file)


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
        said = f'not valid TOML: {said}; expected lines such as name = "text" or width = 5{curly}'
        raise StudyError(said, file=FILE, row=row) from error


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
        said = f"unknown key{belongs or did_you_mean(key, names)}; valid here: {', '.join(names)}"
        raise wrong(said, f"{where} {key}".strip() if where else f"[{key}]")


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
            if name in ("low", "high"):
                options = ', one of the two labels of a contrast; for more write kind = "category"'
            raise wrong(f"key is missing; expected it{options}", f"{where} {name}")
    return {name: _value(table[name], keys[name], f"{where} {name}") for name in table}


def by_kind(
    tables: object,
    group: str,
    kinds: Mapping[str, TableType],
    others: Mapping[str, Mapping[str, TableType]],
) -> dict[str, TomlTable]:
    """Check the tables [group.NAME], whose keys depend on their kind.

    ``others``: the kinds of other studies, by whose they are.
    """
    elsewhere = {kind: other for other, own in others.items() for kind in own}
    if not isinstance(tables, dict):
        raise wrong(f"expected tables [{group}.NAME]", f"[{group}]", tables)
    checked = {}
    for name, table in tables.items():
        where = f"[{group}.{name}]"
        if not isinstance(table, dict):
            raise wrong(f"expected a table {where} with a kind", where, table)
        if "kind" not in table:
            raise wrong(f"key is missing; expected it, one of {listed(kinds)}", f"{where} kind")
        kind = table["kind"]
        if isinstance(kind, str) and kind in elsewhere and kind not in kinds:
            said = f"this kind belongs to {elsewhere[kind]}; expected one of {listed(kinds)}"
            raise wrong(said, f"{where} kind", kind)
        kind = check_text(kind, Key("text", options=tuple(kinds)), f"{where} kind")
        known = {k: o for o, own in others.items() if kind in own for k in own[kind].keys}
        checked[name] = kinds[kind].read(table, where, known)
    return checked


def by_name(tables: object, group: str, table: TableType) -> dict[str, TomlTable]:
    """Check the tables [group.NAME], which all have the same keys."""
    if not isinstance(tables, dict):
        raise wrong(f"expected tables [{group}.NAME]", f"[{group}]", tables)
    return {name: table.read(own, f"[{group}.{name}]") for name, own in tables.items()}


def _value(value: object, key: Key, where: str) -> Any:
    if key.holds == "number or text":
        text = isinstance(value, str) and not re.fullmatch(r"[-+\d., ]+%?", value)
        return (check_text if text else _number)(value, key, where)
    match key.holds:
        case "text" | "label" | "prose":
            return check_text(value, key, where)
        case "truth":
            if not isinstance(value, bool):
                raise wrong("expected true or false, without quotes", where, value)
            return value
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
        said = f"expected one of {listed(key.options)}{did_you_mean(value, key.options)}"
        raise wrong(said, where, value)
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
        *("intercept", "phi", "precision", "sigma", "mu", "never", "heaping", "split"),
        *("log_odds", "baseline", "cutpoints", "cutpoint", "cut_zero", "cut_range", "eta"),
        *("firm", "firm_code", "firm_share", "row", "row_share"),
        *("chain", "draw", "printed", "share", "printed_share"),
        *("prior_arguments", "likelihood_weights", "observed_outcome"),
    )
)
#: Names that the decay model uses for itself.
OF_DECISIONS = frozenset(
    (
        *("large", "size_offset", "decay", "decay_mean", "period", "size", "flag", "flagged"),
        *("table", "decision", "entries", "prior_entries", "count", "repair", "curve"),
        *("fall", "halvings"),
        *("size_of_firm", "firm_size", "period_weight", "firm_of_decision", "period_of_decision"),
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
    "share": (
        *("default", "logit-normal", "hurdle", "heaped", "density", "penalized-complexity", "all"),
    ),
    "decay": ("default", "power", "step", "period", "common-decay", "complete", "all"),
}
#: Starts of names of variants that the decay model numbers itself, such as ``repair-1``.
BUILT_IN_STARTS = {"share": (), "decay": ("rho-", "concentration-", "repair-")}

Label = Annotated[str, Key("label")]
Prose = Annotated[str, Key("prose")]
Transform = Literal["none", "log"]

# -- tables of every model ---------------------------------------------------------------


class StudyTable(TomlTable):
    """What the study is about, and its model."""

    #: Name of the folder of its reports.
    name: Annotated[
        str,
        Key(
            "text",
            pattern=NAME,
            expected="a short name of ASCII letters, digits, '_' and '-'; put the full name in "
            "title",
        ),
    ]
    #: Title of the report.
    title: Label
    #: What the report is to answer.
    question: Prose = ""
    #: Shares, or decisions with a flag.
    model: Literal["share", "decay"]
    #: Citation of the publication.
    source: Prose = ""
    #: The same as a BibTeX entry.
    bibtex: Prose = ""
    #: What the publication says, in a few sentences, beside the question.
    summary: Prose = ""
    #: Sentences on what the study cannot show; the report prints them.
    limits: tuple[str, ...] = ()


class FirmsTable(TomlTable):
    """The table that lists the firms."""

    #: One row per firm, in the order of the report.
    file: str
    #: Column with the names of the firms.
    column: Label
    #: What a row is called, such as "firm" or "household".
    label: Label = "firm"
    #: Column with the size of each firm.
    size: str = ""
    #: Labels of the sizes, the smallest one first.
    sizes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_sizes(self.sizes, self.size, self.where)


class RowsTable(TomlTable):
    """The table with the rows of a study whose firms may repeat."""

    #: One row per firm and period.
    file: str
    #: Column with the firm of each row.
    unit: Label
    #: Column with its period.
    time: Label = ""
    #: Periods in the order of time, where they are neither numbers nor dates.
    levels: tuple[str, ...] = ()
    #: What a unit is called.
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

    #: Columns id, quantity, value, unit and where.
    file: str


class FitTable(TomlTable):
    """Settings of the sampler; those that are not ``written`` have their defaults elsewhere."""

    #: The same seed gives the same draws.
    seed: Annotated[int, Key("integer", within=(0, 2**32 - 1))] | None = None
    #: Draws per chain, after tuning.
    draws: Annotated[int, Key("integer", within=(4, 1_000_000))] | None = None
    #: Tuning draws per chain.
    tune: Annotated[int, Key("integer", within=(0, 1_000_000))] | None = None
    #: Number of chains.
    chains: Annotated[int, Key("integer", within=(2, 256))] | None = None
    #: Target acceptance of NUTS.
    target_accept: Annotated[float, Key("number", within=(0.1, 0.999))] | None = None
    #: Where tables are drawn: sweeps over tables and parameters for each draw.
    sweeps: Annotated[int, Key("integer", within=(1, 100_000))] | None = None


class RegisterTable(TomlTable):
    """Rows in files too large to be read as tables."""

    #: CSV or Parquet: a file, a glob or a folder.
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
    #: What a row is called.
    label: Label = "firm"


class ShareRegisterTable(RegisterTable):
    """A register whose rows have shares."""

    #: Column with the firm of each row.
    unit: Label = ""
    #: Take the rows of one firm as independent.
    repeated: Literal["independent"] | None = None

    def __post_init__(self) -> None:
        if self.repeated and not self.unit:
            said = "expected also the column with the firm of each row, in unit"
            raise self.error("repeated", said)


class VariantTable(TomlTable):
    """A variant of the study's own, or a crosscheck."""

    kind: str
    #: How the data were read, for the report.
    note: Prose = ""


# -- tables of the share model -----------------------------------------------------------


class ShareTable(TomlTable):
    """The reported shares: the table [outcome] of the share model."""

    #: Another file than that of the firms.
    file: str = ""
    #: Column with the shares.
    column: Label = ""
    #: What the share is called.
    label: Label = ""
    #: 0 to 100, or 0 to 1.
    unit: Literal["percent", "fraction"]
    #: One number, "printed" for what the decimals say, or the column with that of each row.
    rounding_width: Annotated[float | str, Key("number or text")] | None = None
    #: Column with the lower end of a band, in place of column and rounding_width.
    lower: Label = ""
    #: Column with its upper end.
    upper: Label = ""
    #: Column with the weight of each row.
    weights: Label = ""
    #: Whether an exact 0 may also be a structural zero.
    zeros: Literal["rounded", "structural"] = "rounded"

    def __post_init__(self) -> None:
        bands, needed = self.lower or self.upper, ("column", "rounding_width")
        for key in needed if bands else ("lower", "upper"):
            if bands and getattr(self, key):
                said = "a share is reported in one column, or as a band with two ends; expected "
                raise self.error(key, f"{said}column and rounding_width, or lower and upper")
        for key in ("lower", "upper") if bands else needed:
            if not getattr(self, key) and key not in self.written:
                said = "key is missing; expected it"
                if key == "rounding_width":
                    said += ": the distance between neighbouring reported shares, as in 1; or "
                    said += '"printed", or a column with the width of each row'
                raise wrong(said, f"{self.where} {key}")
        if bands and self.lower == self.upper:
            raise self.error("upper", "expected another column than that of the lower ends")


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

    #: Another file than that of the firms.
    file: str = ""
    #: Column with the cluster or group.
    column: Label
    #: What it is called.
    label: Label = ""
    #: Column with the names of the firms there, if it has another name.
    key: Label = ""


class GroupingTable(ClusterTable):
    """The column with groups of rows that have effects of their own: a table [groups.NAME]."""

    #: Predictors and interactions whose effects differ between groups.
    slopes: tuple[str, ...] = ()
    #: Whether these are correlated with the level of a group.
    correlated: bool = False
    #: Column with the larger groups within which the names of these are meant.
    within: Label = ""

    def __post_init__(self) -> None:
        _different(self.slopes, f"{self.where} slopes", "every name once", 0)
        if self.correlated and not self.slopes:
            said = "expected slopes as well: the effects that are correlated with the level"
            raise wrong(said, f"{self.where} correlated")
        if self.within == self.column:
            raise self.error("within", "expected another column than that of the groups")


class PartTable(TomlTable):
    """Predictors of the precision, or of structural zeros: [precision] and [zeros]."""

    #: Names of predictors.
    predictors: tuple[str, ...]

    def __post_init__(self) -> None:
        expected = "one or more names of predictors, each once"
        _different(self.predictors, f"{self.where} predictors", expected, 1)


class InteractionTable(TomlTable):
    """Two predictors of which the effect of one depends on the other."""

    #: Two predictors.
    of: tuple[str, ...]
    #: What it is called.
    label: Label = ""

    def __post_init__(self) -> None:
        if len(self.of) != 2:
            raise wrong('expected two predictors, as in ["owner", "size"]', f"{self.where} of")
        if self.of[0] == self.of[1]:
            said = 'expected two different predictors; for a square write curve = "quadratic" in '
            raise wrong(f"{said}[predictors.{self.of[0]}]", f"{self.where} of", self.of[0])


class PredictorTable(TomlTable):
    """A column that may explain the shares."""

    kind: str
    #: Another file than that of the firms, joined by firm.
    file: str = ""
    #: Column with the predictor.
    column: Label
    #: What it is called.
    label: Label = ""
    #: Column with the names of the firms there, if it has another name.
    key: Label = ""


class CategoryTable(PredictorTable):
    """Labels without an order."""

    kind: Literal["category"]
    #: The level is the part before it.
    family_separator: str = ""
    #: Levels that printed labels are read as; a label without a reading is a level of its own.
    readings: Annotated[Any, Key("tables")] = ()

    def __post_init__(self) -> None:
        if self.family_separator and self.readings:
            said = "a label is read by its reading or by the part before the family_separator; "
            raise wrong(f"{said}expected one of them", f"{self.where} readings")
        if "readings" in self.written:
            _read_readings(self, {"label": _NEEDED_LABEL, "level": _NEEDED_LABEL, "note": PROSE})


class ContrastTable(PredictorTable):
    """Two labels in an order."""

    kind: Literal["contrast"]
    #: The label with which `high` is compared.
    low: Label
    #: The label whose effect is estimated.
    high: Label

    def __post_init__(self) -> None:
        if self.low == self.high:
            raise self.error("high", "low and high are the same; expected two labels")


class NumericTable(PredictorTable):
    """Numbers."""

    kind: Literal["numeric"]
    #: "log": the natural logarithm.
    transform: Transform = "none"
    #: Unit of the column, in words; "year" of dates, as whole numbers from 1500 to 2099 are read.
    unit: Prose = ""
    #: Of firms that repeat: their means and the deviations from them are separate terms.
    split: Literal["within"] | None = None
    #: A curve in place of a slope.
    curve: Literal["quadratic", "spline"] | None = None
    #: Of a spline, in the unit of the column.
    knots: tuple[float, ...] = ()
    #: Values at which it is compared, in the unit of the column.
    at: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.knots and self.curve != "spline":
            raise self.error("knots", 'knots belong to a spline; expected curve = "spline" as well')
        for key, least in (("knots", 3), ("at", 2)):
            values = getattr(self, key)
            if key not in self.written:
                continue
            if len(values) < least or any(b <= a for a, b in pairwise(values)):
                said = f"expected {('', '', 'two', 'three')[least]} or more numbers that increase"
                raise wrong(said, f"{self.where} {key}", list(values))
            if self.transform == "log" and values[0] <= 0:
                said = "expected numbers above 0, as the transform log needs"
                raise wrong(said, f"{self.where} {key}", values[0])
        if self.split:
            for key in ("curve", "at"):
                if getattr(self, key):
                    said = "cannot be combined with split, which makes two terms of it: delete "
                    raise wrong(f"{said}one of them", f"{self.where} {key}")


class OrderedPredictorTable(PredictorTable):
    """Labels in an order, of which a higher one never counts less."""

    kind: Literal["ordered"]
    #: Lowest first.
    levels: tuple[str, ...]

    def __post_init__(self) -> None:
        _different(self.levels, f"{self.where} levels", _LEVELS, 2)


class WalkTable(PredictorTable):
    """Periods, of which each differs a little from the one before."""

    kind: Literal["walk"]
    #: In the order of time, where they are neither numbers nor dates.
    levels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.levels:
            _different(self.levels, f"{self.where} levels", _PERIODS, 2)


class NestedTable(VariantTable):
    """The printed label within its family."""

    kind: Literal["nested"]
    #: Category with a family_separator.
    predictor: str


class AxesTable(VariantTable):
    """Ordered axes in place of a category."""

    kind: Literal["axes"]
    #: The category that the axes replace.
    replaces: str
    #: Levels of every axis, lowest first.
    levels: tuple[str, ...]
    #: The level of each label on every axis.
    readings: Annotated[Any, Key("tables")]

    @property
    def axes(self) -> list[str]:
        """Names of the axes: what the first reading has beside the label."""
        return [key for key in self.readings[0] if key not in ("label", "note")]

    def __post_init__(self) -> None:
        _different(self.levels, f"{self.where} levels", _LEVELS, 2)
        if self.readings and not self.axes:
            said = "expected a key for each axis, as in design = ..."
            raise wrong(said, f"{self.where} readings")
        level = Key("text", required=True, options=self.levels)
        keys = {"label": _NEEDED_LABEL, "note": PROSE}
        _read_readings(self, keys | dict.fromkeys(self.axes if self.readings else (), level))


class MembershipTable(VariantTable):
    """A second label beside the first one."""

    kind: Literal["membership"]
    #: The category of the first label.
    predictor: str
    #: Column with the second label.
    column: Label
    #: Another file than that of the firms.
    file: str = ""
    # At one half the first label would no longer be the primary one, at one the second label
    # would not count at all.
    #: Weight of the first label where there is a second.
    primary_weight: Annotated[
        float,
        Key(
            "number",
            between=(0.5, 1),
            expected="a number above 0.5 and below 1, the weight of the first of two labels",
        ),
    ]


class CovariateTable(VariantTable):
    """One more numeric predictor."""

    kind: Literal["covariate"]
    #: Column with the number.
    column: Label
    #: Another file than that of the firms.
    file: str = ""
    #: What it is called.
    label: Label = ""
    #: "log": the natural logarithm.
    transform: Transform = "none"
    #: Unit of the column, in words.
    unit: Prose = ""


class CompositionTable(VariantTable):
    """A second part of the whole that the share is a part of."""

    kind: Literal["composition"]
    #: Column with the second part.
    column: Label
    #: Another file than that of the firms.
    file: str = ""
    #: What the second part is called.
    label: Label
    #: What the share is called beside it.
    share: Label
    #: What the rest is called.
    rest: Label

    def __post_init__(self) -> None:
        texts, key = (self.label, self.share, self.rest), f"{self.where} label, share and rest"
        _different(texts, key, "three different texts", 3)


class ByOutcomeTable(VariantTable):
    """A further outcome as one more predictor of the share."""

    kind: Literal["outcome"]
    #: Name of the outcome that becomes a predictor.
    outcome: str


class OrderTable(VariantTable):
    """A further outcome with its levels in another order."""

    kind: Literal["order"]
    #: Name of the outcome.
    outcome: str
    #: Lowest first.
    levels: tuple[str, ...]
    #: The level of each label.
    readings: Annotated[Any, Key("tables")] = ()

    def __post_init__(self) -> None:
        _different(self.levels, f"{self.where} levels", _LEVELS, 2)
        if self.readings:
            level = Key("text", required=True, options=self.levels)
            _read_readings(self, {"label": _NEEDED_LABEL, "level": level, "note": PROSE})


class TermsTable(VariantTable):
    """The same study with other terms."""

    kind: Literal["terms"]
    #: Terms that the default does not have.
    add: tuple[str, ...] = ()
    #: Terms that are left out.
    drop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        both = (*self.add, *self.drop)
        _different(both, f"{self.where} add and drop", "one or more names, each once", 1)
        if "firm" in self.add:
            said = "firms that repeat have effects in the default; expected it in drop"
            raise wrong(said, f"{self.where} add", "firm")


class OutcomeTable(TomlTable):
    """A further outcome beside the share."""

    kind: str
    #: Another file than that of the firms.
    file: str = ""
    #: Column with the names of the firms there, if it has another name.
    key: Label = ""
    #: What it is called.
    label: Label = ""
    #: How labels were read, for the report.
    note: Prose = ""


class OrderedTable(OutcomeTable):
    """An outcome with levels in an order."""

    kind: Literal["ordered"]
    #: Column with the labels.
    column: Label
    #: Lowest first.
    levels: tuple[str, ...]
    #: The level of each label.
    readings: Annotated[Any, Key("tables")]

    def __post_init__(self) -> None:
        _different(self.levels, f"{self.where} levels", _LEVELS, 2)
        level = Key("text", required=True, options=self.levels)
        _read_readings(self, {"label": _NEEDED_LABEL, "level": level, "note": PROSE})


class BinaryTable(OutcomeTable):
    """An outcome that is yes or no."""

    kind: Literal["binary"]
    #: Yes if any of these columns holds a yes.
    columns: tuple[str, ...]
    #: Labels that mean yes.
    yes: tuple[str, ...]
    #: Labels that mean no.
    no: tuple[str, ...]

    def __post_init__(self) -> None:
        for key in ("columns", "yes", "no"):
            texts = getattr(self, key)
            _different(texts, f"{self.where} {key}", "one or more different texts", 1)
        if both := [label for label in self.yes if label in self.no]:
            said = "expected a label under yes or under no"
            raise wrong(said, f"{self.where} yes and no", listed(both))


class GroupOutcomesTable(TomlTable):
    """Several yes or no outcomes: whether a firm belongs to each of some groups."""

    kind: Literal["groups"]
    #: Names of groups, each of which becomes an outcome.
    groups: tuple[str, ...]
    #: What the report should say about them.
    note: Prose = ""

    def __post_init__(self) -> None:
        _different(self.groups, f"{self.where} groups", "one or more groups, each once", 1)


class TotalTable(TomlTable):
    """A sum over the firms: the shares of what a column has."""

    #: Another file than that of the firms.
    file: str = ""
    #: Column with the whole of each firm, such as revenue.
    column: Label
    #: What the sum is, in words.
    label: Label
    #: What the column has, in words.
    of: Label = ""
    #: Unit of the column, in words.
    unit: Prose = ""


class SameTable(VariantTable):
    """Columns that print the same."""

    kind: Literal["same"]
    #: Places written "file: column".
    columns: tuple[str, ...]


class AtMostTable(VariantTable):
    """Columns whose numbers have a limit to their sum."""

    kind: Literal["at most"]
    #: Places written "file: column".
    columns: tuple[str, ...]
    #: Largest sum of a row.
    value: float


_LEVELS = "two or more different levels, lowest first"
_PERIODS = "two or more different periods, in the order of time"
_NEEDED_LABEL = Key("label", required=True)


def _different(texts: Sequence[str], where: str, expected: str, least: int) -> None:
    """Refuse texts of which there are too few, or two the same."""
    if len(texts) < least or len(set(texts)) < len(texts):
        raise wrong(f"expected {expected}", where)


def _read_readings(
    table: CategoryTable | AxesTable | OrderedTable | OrderTable, keys: Keys
) -> None:
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

    #: What a decision is called.
    event: Label = "decision"
    #: What a decision with the flag is called.
    flag: Label = "flagged"
    #: Labels of decisions with the flag.
    yes: tuple[str, ...] = ()
    #: Labels of decisions without it.
    no: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.yes) != bool(self.no):
            raise wrong(
                "expected both yes and no: the labels of decisions with the flag, and of those "
                "without it",
                f"{self.where} {'no' if self.yes else 'yes'}",
            )
        for label in (*self.yes, *self.no):
            if (*self.yes, *self.no).count(label) > 1:
                raise wrong("expected every label once", f"{self.where} no", label)


class PeriodsTable(TomlTable):
    """The periods in order of time."""

    #: In the order of time.
    names: tuple[str, ...]
    #: Prior chance of each period; equal by default.
    weights: tuple[float, ...] | None = None
    #: First years of the second, third ... period.
    starts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _check_periods(self.names, f"{self.where} names")
        key, further = f"{self.where} starts", len(self.names) - 1
        if self.starts and len(self.starts) != further:
            said = f"expected {further} years: the first year of every period but the first"
            raise wrong(said, key, list(self.starts))
        for earlier, later in pairwise(self.starts):
            if later <= earlier:
                raise wrong(f"expected years in order of time, after {earlier}", key, later)


class CountsTable(TomlTable):
    """The file of published counts."""

    #: The published counts.
    file: str
    #: Factor for every unit by which a noisy count is off.
    rho: Annotated[float, Key("number", between=(0, 1))] = 0.05
    #: How evenly decisions spread over firms before the counts speak.
    concentration: Annotated[float, Key("number", between=(0, 1e6))] = 1.0
    #: Orders within firms, read by :mod:`intlmodels.studies.orders`.
    orders: Annotated[Any, Key("tables")] = ()


class DecisionsTable(TomlTable):
    """The file of decisions that are known one by one."""

    #: One row per decision.
    file: str
    #: Column with the firm.
    firm: Label
    #: Column with yes or no.
    flag: Label
    #: Column with dates.
    when: Label = ""
    #: "number" where the column `when` has numbers that order.
    order: Literal["date", "number"] = "date"
    #: Such as "%d.%m.%Y" for 31.05.2006.
    date_format: Label = ""
    #: Column with the period.
    period: Label = ""

    def __post_init__(self) -> None:
        _check_date_format(self)


class DecisionRegisterTable(RegisterTable):
    """A register whose rows are decisions, of firms that no table lists."""

    #: Column with the firm.
    firm: Label
    #: Column with yes or no.
    flag: Label
    #: Column with dates.
    when: Label
    #: "number" where the column `when` has numbers that order.
    order: Literal["date", "number"] = "date"
    #: Such as "%d.%m.%Y" for 31.05.2006.
    date_format: Label = ""
    #: Column with the size of the firm.
    size: Label = ""
    #: Labels of the sizes, the smallest one first.
    sizes: tuple[str, ...] = ()
    #: Column with the period.
    period: Label = ""

    def __post_init__(self) -> None:
        _check_date_format(self)
        _check_sizes(self.sizes, self.size, self.where)


#: Codes of a stated format of dates, as strftime has them, from long to short.
DATE_CODES = "YmbBdHMS"


def _check_date_format(table: DecisionsTable | DecisionRegisterTable) -> None:
    """Refuse a format of dates that does not say which day, month or year a date means."""
    if not table.date_format:
        return
    codes = re.findall("%(.?)", table.date_format.replace("%%", ""))
    known = ", ".join(f"%{code}" for code in DATE_CODES)
    if unknown := [code for code in codes if code not in list(DATE_CODES)]:
        message = f"%{unknown[0]} is not read; expected codes out of {known}"
    elif len(set(codes)) < len(codes):
        message = "expected every code once"
    elif "Y" not in codes or sum(code in "mbB" for code in codes) > 1:
        message = "expected the year as %Y (four digits), and at most one code for the month"
    elif any(
        code in codes and not needed & set(codes)
        for code, needed in {"d": {*"mbB"}, "H": {"d"}, "M": {"H"}, "S": {"M"}}.items()
    ):
        message = "expected larger units too: a day with its month, a time with its day"
    elif table.order == "number" or not table.when:
        message = "expected dates in the column when, not numbers that order"
    else:
        return
    raise table.error("date_format", f'{message}; 31.05.2006 is "%d.%m.%Y"')


def _check_sizes(sizes: tuple[str, ...], column: str, where: str) -> None:
    """Refuse labels of sizes that do not differ, or of which no column speaks."""
    if not sizes:
        return
    key = f"{where} sizes"
    if not column:
        said = "expected also the column with the size of each firm, in size"
        raise wrong(said, key, list(sizes))
    if not 1 < len(set(sizes)) == len(sizes) or "all" in sizes:
        raise wrong(
            "expected two or more different labels, the smallest size first, and none of them "
            "'all'; where all firms are of one size, leave out size and sizes",
            key,
            list(sizes),
        )


class ReadingTable(VariantTable):
    """The counts over other periods."""

    kind: Literal["reading"]
    #: Column of the counts with their other periods.
    column: Label
    #: Names of the other periods, in the order of time.
    periods: tuple[str, ...]
    #: Prior chance of each period; equal by default.
    weights: tuple[float, ...] | None = None
    #: Orders over the other periods.
    orders: Annotated[Any, Key("tables")] = ()

    def __post_init__(self) -> None:
        _check_periods(self.periods, f"{self.where} periods")


class MoreCountsTable(VariantTable):
    """Further counts beside those of the study."""

    kind: Literal["more counts"]
    #: Further counts.
    file: str
    #: Further orders within firms.
    orders: Annotated[Any, Key("tables")] = ()


class SizesTable(VariantTable):
    """The same firms, of other sizes."""

    kind: Literal["sizes"]
    #: Tables with a size and its firms.
    sizes: Annotated[Any, Key("tables")]

    def __post_init__(self) -> None:
        _check_firms_by(self, "sizes", "size")


class OwnersTable(VariantTable):
    """Firms that come under other owners, by the first period in which they have them."""

    kind: Literal["owners"]
    #: What the other owners are called.
    label: Label = "another owner"
    #: Tables with firms and the first period in which they are owned.
    owned: Annotated[Any, Key("tables")]

    def __post_init__(self) -> None:
        _check_firms_by(self, "owned", "since")


class MissedTable(VariantTable):
    """Decisions that no interview brought up; ``column`` has the interviews of each firm."""

    kind: Literal["missed"]
    #: "file: column" with the number of interviews of each firm.
    column: Label


def _check_firms_by(variant: VariantTable, group: str, key: str) -> None:
    """Check tables of firms: each has firms, and another ``key``, by which they are kept."""
    if not getattr(variant, group):
        raise wrong(f"expected at least one table with {key} and firms", f"{variant.where} {group}")
    checked: dict[str, tuple[str, ...]] = {}
    for number, table in enumerate(getattr(variant, group), start=1):
        here = f"[{variant.where[:-1]}.{group}]] number {number},"
        keys = {key: Key("label", required=True), "firms": Key("texts", required=True)}
        given = section(table, keys, here)
        if given[key] in checked:
            raise wrong(f"expected each {key} once", f"{here} {key}", given[key])
        _different(given["firms"], f"{here} firms", "one or more firms, each once", 1)
        checked[given[key]] = given["firms"]
    object.__setattr__(variant, group, checked)


#: Most levels of an attribute, and of one of which a decision may have several.
MOST_OF_ATTRIBUTE, MOST_SEVERAL = 20, 6


class AttributeTable(TomlTable):
    """Further counts of the same decisions, by the levels of something else."""

    #: Counts with a column level.
    file: str
    #: Levels that are counted.
    levels: tuple[str, ...]
    #: What the attribute is called.
    label: Label = ""
    #: Whether a decision may have several levels.
    several: bool = False
    #: What the rest is called, where a decision may have none of the levels.
    remainder: Label = ""
    #: Of which decisions it was counted, if not of all.
    flag: Literal["yes", "no"] | None = None

    def __post_init__(self) -> None:
        levels, key = self.levels, f"{self.where} levels"
        least = 1 if self.several or self.remainder else 2
        most = MOST_SEVERAL if self.several else MOST_OF_ATTRIBUTE
        if not least <= len(levels) <= most or len(set(levels)) < len(levels):
            several = " where a decision may have several" if self.several else ""
            raise wrong(f"expected {least} to {most} different levels{several}", key, list(levels))
        for level in levels:
            if MARK in level:
                raise wrong(f"expected levels without {MARK!r}, which separates names", key, level)
        if self.remainder and self.several:
            raise self.error("remainder", "a decision may have none of several levels; delete it")
        if self.remainder in levels:
            raise self.error("remainder", "expected a name that is not among the levels")


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
        raise wrong(f"expected {len(periods)} weights, one per period", key, list(given))
    total = sum(given)
    for weight in given:
        # A weight that vanishes beside the others would make a period impossible.
        if weight <= 0 or not finite(total) or weight / total < 1e-9:
            raise wrong("expected weights above 0, and none that vanishes", key, weight)
    return tuple(weight / total for weight in given)


# -- all tables of a study ---------------------------------------------------------------

Predictors = dict[str, CategoryTable | ContrastTable | NumericTable]
#: Predictors of rows that are read one by one.
RowPredictors = dict[
    str, CategoryTable | ContrastTable | NumericTable | OrderedPredictorTable | WalkTable
]
#: What an interaction, the precision or structural zeros may depend on.
_PLAIN = ("category", "contrast", "numeric")
#: A column with its file, as groups of claims name it.
_PLACE = re.compile(r"[^:]+\.csv\s*:.*")


@dataclass(frozen=True, kw_only=True)
class ShareFile:
    """A study of the share model; groups and claims are as written."""

    study: StudyTable
    firms: Annotated[FirmsTable | None, ("size", "sizes")] = None
    rows: RowsTable | None = None
    outcome: ShareTable
    numbers: NumbersTable | None = None
    opportunity: Opportunity | None = None
    cluster: ClusterTable | None = None
    precision: PartTable | None = None
    zeros: PartTable | None = None
    fit: Annotated[FitTable, ("sweeps",)] = field(default_factory=FitTable)
    predictors: RowPredictors
    interactions: dict[str, InteractionTable] = field(default_factory=dict)
    variants: dict[
        str,
        NestedTable
        | AxesTable
        | MembershipTable
        | CovariateTable
        | CompositionTable
        | ByOutcomeTable
        | OrderTable
        | TermsTable,
    ] = field(default_factory=dict)
    outcomes: dict[str, OrderedTable | BinaryTable | GroupOutcomesTable] = field(
        default_factory=dict
    )
    crosschecks: dict[str, SameTable | AtMostTable] = field(default_factory=dict)
    totals: dict[str, TotalTable] = field(default_factory=dict)
    priors: dict[str, str] = field(default_factory=dict)
    profiles: Sequence[Mapping[str, Any]] = ()
    silence: Any = ()
    groups: Any = field(default_factory=dict)
    claims: Any = ()
    #: Those of the tables [groups.NAME] whose groups have effects of their own.
    groupings: dict[str, GroupingTable] = field(init=False, default_factory=dict)

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
        _take_groupings(self)
        _check_variant_names(self.variants, "share")
        _check_variant_names(self.outcomes, "share", "outcomes")
        variants = {name.lower(): name for name in self.variants}
        for name in self.outcomes:
            if name.lower() in variants:
                said = f"expected another name; [variants.{variants[name.lower()]}] has it"
                raise wrong(said, f"[outcomes.{name}]", name)
        taken = _check_predictors(self.predictors)
        names = [(name, f"[predictors.{name}]") for name in self.predictors]
        for group, tables in (("interactions", self.interactions), ("groups", self.groupings)):
            for name in tables:
                where = f"[{group}.{name}]"
                if name == CLUSTER and group == "groups":
                    raise wrong("expected another name; [cluster] has this one", where, name)
                _check_variable(name, where, taken)
                taken[name.lower()] = where
                names.append((name, where))
        for name, variant in self.variants.items():
            new = dict(taken)
            for variable in _variables(name, variant):
                _check_variable(variable, variant.where, new)
                new[variable.lower()] = variant.where
                names.append((variable, variant.where))
        for name, where in names:
            if own_table := self._own_table(name.lower()):
                said = f"expected another name; with {own_table} the models themselves use this one"
                raise wrong(said, where, name)
        self._check_terms()
        _check_profiles(self.profiles, self.predictors, (CLUSTER,) if self.cluster else ())

    def _own_table(self, low: str) -> str:
        """The table of study.toml because of which the models use a name for themselves."""
        if self.cluster and (low == CLUSTER or low.startswith(f"{CLUSTER}_")):
            return f"[{CLUSTER}]"
        if self.cluster and f"_by_{CLUSTER}" in low:
            return f"[{CLUSTER}]"
        for name in map(str.lower, self.groupings):
            if f"_by_{name}" in low or low in (f"{name}_code", f"{name}_correlation"):
                return f"[groups.{name}]"
        if self.precision and low.startswith("phi_"):
            return "[precision]"
        for variant in self.variants.values():
            if isinstance(variant, CompositionTable) and low.startswith("split_"):
                return variant.where
        return "[zeros]" if self.zeros and low.startswith("never_") else ""

    @property
    def added(self) -> list[str]:
        """Terms that are not in the default, since a variant adds them."""
        variants = self.variants.values()
        return [name for own in variants if isinstance(own, TermsTable) for name in own.add]

    def _check_terms(self) -> None:
        """Check what interactions, groupings, [precision], [zeros] and variants name."""
        pairs: dict[frozenset[str], str] = {}
        for own in self.interactions.values():
            for name in own.of:
                self._require_predictor(name, f"{own.where} of", "an interaction")
            if (pair := frozenset(own.of)) in pairs:
                said = f"expected other predictors; {pairs[pair]} has these two"
                raise wrong(said, f"{own.where} of", listed(own.of))
            pairs[pair] = own.where
        terms = [*self.predictors, *self.interactions]
        for grouping in self.groupings.values():
            for name in grouping.slopes:
                require_name(name, terms, f"{grouping.where} slopes", "predictor or interaction")
        for table, part, what in (
            ("precision", self.precision, "the precision"),
            ("zeros", self.zeros, "the probability of structural zeros"),
        ):
            for name in part.predictors if part else ():
                self._require_predictor(name, f"[{table}] predictors", what)
        if self.zeros and self.outcome.zeros != "structural":
            said = 'predictors of structural zeros; expected zeros = "structural" in [outcome], or '
            raise wrong(f"{said}this table deleted", "[zeros]")
        self._check_variants(terms)

    def _require_predictor(self, name: str, where: str, what: str) -> None:
        """Refuse a name that is not that of a category, contrast or number."""
        require_name(name, self.predictors, where, "predictor")
        kind = self.predictors[name].kind
        if kind not in _PLAIN:
            said = f"{what} takes predictors of the kinds {listed(_PLAIN)}; this one is"
            raise wrong(f"{said} {kind}", where, name)

    def _check_variants(self, terms: Sequence[str]) -> None:
        """Check that what variants change is there, and that no interaction loses a predictor."""
        groups = [*([CLUSTER] if self.cluster else []), *self.groupings]
        known, added = [*terms, *groups, *(["firm"] if self.rows else [])], self.added
        default = [name for name in known if name not in added]
        if not any(name in default for name in self.predictors):
            raise wrong("variants add every predictor; expected one that none adds", "[variants]")
        self._check_margins(default, "[variants]", "a variant adds")
        for own in self.variants.values():
            match own:
                case TermsTable():
                    for name in (*own.add, *own.drop):
                        require_name(name, known, f"{own.where} add and drop", "term")
                    for name in own.drop:
                        if name in added:
                            said = "a variant adds it, so it is not in the default; expected a term"
                            raise wrong(f"{said} of the default", f"{own.where} drop", name)
                    there = [n for n in (*default, *own.add) if n not in own.drop]
                    if not any(name in there for name in self.predictors):
                        said = "expected a predictor that is left: drop fewer"
                        raise wrong(said, f"{own.where} drop")
                    self._check_margins(there, own.where, "it drops, or does not add,")
                case NestedTable() | MembershipTable() | AxesTable():
                    self._check_changed(own, added)

    def _check_margins(self, there: Sequence[str], where: str, how: str) -> None:
        """Refuse terms with an interaction without one of its predictors."""
        for name, own in self.interactions.items():
            for predictor in own.of if name in there else ():
                if predictor not in there:
                    raise wrong(
                        f"{how} {shown(predictor)} but not the interaction {shown(name)}, which "
                        "needs it; expected both or neither",
                        where,
                    )

    def _check_changed(
        self, own: NestedTable | MembershipTable | AxesTable, added: Sequence[str]
    ) -> None:
        """Refuse a change to a predictor that is not in the default, or has an interaction."""
        key = "replaces" if isinstance(own, AxesTable) else "predictor"
        name = getattr(own, key)
        if name in added:
            raise own.error(key, "another variant adds it; expected a predictor of the default")
        if isinstance(own, NestedTable):
            return
        used = [f"[interactions.{n}]" for n, one in self.interactions.items() if name in one.of]
        used += [one.where for one in self.groupings.values() if name in one.slopes]
        if used:
            raise own.error(key, f"{used[0]} uses it as it is; expected another predictor")


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
    predictors: Annotated[Predictors, ("split", "curve", "knots", "at")] = field(
        default_factory=dict
    )
    variants: dict[str, ReadingTable | MoreCountsTable | SizesTable | OwnersTable | MissedTable] = (
        field(default_factory=dict)
    )
    attributes: dict[str, AttributeTable] = field(default_factory=dict)
    priors: dict[str, str] = field(default_factory=dict)
    silence: Any = ()
    groups: Any = field(default_factory=dict)
    claims: Any = ()
    #: Those of the tables [groups.NAME] whose groups have effects of their own.
    groupings: dict[str, GroupingTable] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        _check_variant_names(self.variants, "decay")
        _take_groupings(self, "slopes", "correlated", "within")
        taken: dict[str, str] = {}
        terms = [(name, own.where) for name, own in self.predictors.items()]
        terms += [(name, own.where) for name, own in self.groupings.items()]
        reserved = {*OF_DECISIONS}
        if any(isinstance(own, OwnersTable) for own in self.variants.values()):
            reserved.add("owner")
        for name, where in terms:
            _check_variable(name, where, taken)
            if name.lower() in reserved:
                said = "expected another name; the models themselves use this one"
                raise wrong(said, where, name)
            taken[name.lower()] = where


@dataclass(frozen=True, kw_only=True)
class ShareRegisterFile:
    """The share model where rows are read as counts: what asks for single firms is not there."""

    study: StudyTable
    register: ShareRegisterTable
    cluster: Annotated[ClusterTable | None, ("file", "key")] = None
    outcome: Annotated[ShareTable, ("file", "lower", "upper", "weights", "zeros")]
    fit: Annotated[FitTable, ("sweeps",)] = field(default_factory=FitTable)
    predictors: Annotated[
        Predictors, ("file", "key", "family_separator", "readings", "split", "curve", "knots", "at")
    ]
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
    document = parsed(read_text(files, FILE))
    if "model" in document:
        from intlmodels.studies.formula import with_formula

        document = with_formula(document, files)
    return checked_document(document)


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
            of_others = {other: v.kinds.get(group, {}) for other, v in others.items()}
            given[group] = by_kind(document[group], group, kinds, of_others)
    for group, table in vocabulary.named.items():
        if group in document:
            given[group] = by_name(document[group], group, table)
    priors = document.get("priors", {})
    if not isinstance(priors, dict):
        raise wrong('expected lines such as phi = "Gamma(2, 0.1)"', "[priors]", priors)
    # Which names and distributions exist is known where the models are.
    given["priors"] = {
        name: check_text(prior, TEXT, f"[priors] {name}") for name, prior in priors.items()
    }
    as_written = ("profiles", "silence", "groups", "claims")
    given |= {name: document[name] for name in as_written if name in document}
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


def _take_groupings(file: ShareFile | DecayFile, *without: str) -> None:
    """Read the groups with effects among the tables [groups.NAME], which may lack some keys."""
    if not isinstance(file.groups, dict):
        return
    keys = keys_of(GroupingTable)
    own = [name for name, group in file.groups.items() if _is_grouping(group, keys)]
    table = TableType(GroupingTable, keys_of(GroupingTable, *without))
    groupings = by_name({name: file.groups[name] for name in own}, "groups", table)
    object.__setattr__(file, "groupings", groupings)
    others = {name: group for name, group in file.groups.items() if name not in own}
    object.__setattr__(file, "groups", others)


def _is_grouping(group: object, keys: Keys) -> bool:
    """Whether a table [groups.NAME] is of groups with effects, not of rows that claims speak of."""
    if not isinstance(group, dict) or "column" not in group or not set(group) <= set(keys):
        return False
    plain = not set(group) - {"column", "label"}
    return not (plain and isinstance(group["column"], str) and _PLACE.fullmatch(group["column"]))


def require_name(
    name: str, known: Iterable[str], where: str, what: str, limit: int = 12, some: str = "one"
) -> None:
    """Refuse a name that stands for none of what is known, of which ``limit`` are listed."""
    names = list(known)
    if name not in names:
        near = did_you_mean(name, names)
        raise wrong(f"no such {what}{near}; expected {some} of {listed(names, limit)}", where, name)


def _check_predictors(predictors: Mapping[str, PredictorTable]) -> dict[str, str]:
    """Check the names of predictors; those in small letters, and the tables that have them."""
    if not predictors:
        raise StudyError("no predictor; expected at least one [predictors.NAME]", file=FILE)
    taken: dict[str, str] = {}
    for name, predictor in predictors.items():
        _check_variable(name, predictor.where, taken)
        taken[name.lower()] = predictor.where
    for name, predictor in predictors.items():
        for term in _terms(name, predictor):
            if term.lower() in taken:
                said = f"expected another name; the models use it beside {shown(name)}"
                raise wrong(said, taken[term.lower()], term)
        taken |= {term.lower(): predictor.where for term in _terms(name, predictor)}
    return taken


def _terms(name: str, predictor: PredictorTable) -> list[str]:
    """Names of the terms that a predictor has beside its own."""
    if not isinstance(predictor, NumericTable):
        return []
    squared = [f"{name}_squared"] if predictor.curve == "quadratic" else []
    return squared + ([f"{name}_between", f"{name}_within"] if predictor.split else [])


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
            "expected a name that starts with an ASCII letter and continues with letters, "
            "digits or '_'; the printed name can go into label",
            where,
            name,
        )
    if low in RESERVED or low.startswith("sigma_") or low.endswith("_level"):
        raise wrong("expected another name; the models themselves use this one", where, name)
    if low in taken:
        said = f"expected names that differ by more than capitals; {taken[low]} has it"
        raise wrong(said, where, name)
    for ending in ENDINGS:
        longer, shorter = f"{low}_{ending}", low.removesuffix(f"_{ending}")
        if longer in taken or (shorter != low and shorter in taken):
            longer, shorter = (longer, low) if longer in taken else (low, shorter)
            said = f"expected another name; the models use {longer} for themselves beside {shorter}"
            raise wrong(said, where, name)


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
                said = f"key is missing; expected a level or value of the predictor {shown(name)}"
                raise wrong(said, f"{where} {name}")
