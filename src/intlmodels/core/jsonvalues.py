"""Values read back from JSON: parsed, held against the type they were written from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

#: Whole numbers that a stored value can have: those of 64 bits.
LARGEST = 2**63 - 1


def parse_json(text: str | bytes) -> Any:
    """Parse a JSON text; ValueError if it is not one, or too deeply nested for Python."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def build(kind: Any, value: Any) -> Any:
    """Build a value of a type, such as a dataclass, from what :func:`parse_json` gives of it.

    ValueError if the value has another form.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        for one in arguments:
            with suppress(ValueError):
                return build(one, value)
        raise ValueError(f"expected one of {arguments}")
    if isinstance(kind, type) and is_dataclass(kind):
        hints = field_types(kind)
        # A field with a default may be missing: files were written before there was one.
        needed = {own.name for own in fields(kind) if own.default is own.default_factory is MISSING}
        _require(isinstance(value, dict) and needed <= value.keys() <= hints.keys(), kind, value)
        return kind(**{name: build(hints[name], item) for name, item in value.items()})
    if origin is tuple:
        _require(isinstance(value, list), kind, value)
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        _require(len(kinds) == len(value), kind, value)
        return tuple(map(build, kinds, value))
    if origin is dict:
        _require(isinstance(value, dict), kind, value)
        return {name: build(arguments[1], item) for name, item in value.items()}
    _require(value in arguments if origin is Literal else _is_plain(kind, value), kind, value)
    return value


def _is_plain(kind: Any, value: Any) -> bool:
    if kind in (int, float):
        number = (int, float) if kind is float else int
        small = not isinstance(value, int) or abs(value) <= LARGEST
        return isinstance(value, number) and not isinstance(value, bool) and small
    return value is None if kind is type(None) else isinstance(value, kind)


def _require(good: bool, kind: Any, value: Any) -> None:
    if not good:
        raise ValueError(f"expected {kind}, found {type(value).__name__}")


@cache
def field_types(kind: type) -> Mapping[str, Any]:
    """Types of the fields of a dataclass, by name."""
    return get_type_hints(kind)
