"""Tables of study.toml as typed classes: what their keys may hold, and the checks of all tables.

Which tables and keys there are is declared in :mod:`intlmodels.study.schema`.
"""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import (
    Annotated,
    Any,
    Literal,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import StudyError, did_you_mean, listed

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
