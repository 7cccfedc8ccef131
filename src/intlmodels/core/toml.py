"""Writing TOML, which Python only reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any


def toml_text(document: Mapping[str, Any]) -> str:
    """A document of tables as TOML, in its order; values are texts, numbers, truth or lists."""
    blocks = ["\n".join(lines) for lines in _tables(document, ())]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _tables(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[list[str]]:
    """Lines of a table, and of those within it."""
    inner = {key: value for key, value in table.items() if _holds_tables(value)}
    plain = [f"{_key(key)} = {_value(value)}" for key, value in table.items() if key not in inner]
    if plain or (path and not inner):
        yield [f"[{'.'.join(path)}]", *plain] if path else plain
    for key, value in inner.items():
        below = (*path, _key(key))
        if isinstance(value, Mapping):
            yield from _tables(value, below)
        else:
            for one in value:
                head, *others = _tables(one, below)
                yield [f"[[{'.'.join(below)}]]", *head[1:]]
                yield from others


def _holds_tables(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(item, Mapping) for item in value)
    return isinstance(value, Mapping)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            # A string of JSON is one of TOML, but for DEL; half of a surrogate pair is none.
            whole = value.encode("utf-8", "replace").decode()
            return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
    raise TypeError(f"TOML has no {type(value).__name__}")
