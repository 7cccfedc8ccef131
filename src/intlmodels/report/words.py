"""Every number that a report states under a stable name, for papers that quote it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from intlmodels.report.pages import Values


def words(sections: Mapping[str, Values]) -> str:
    """The content of ``words.json``: ``section.name`` -> a number as the report writes it."""
    found = {
        f"{section}.{name}": word
        for section, values in sections.items()
        for name, word in _leaves(values)
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _leaves(values: Mapping[str, Any]) -> Iterator[tuple[str, str | int | float]]:
    for name, value in values.items():
        if isinstance(value, list | tuple):
            parts = enumerate(value, start=1)
            value = {str(i): part for i, part in parts if isinstance(part, Mapping)}
        if isinstance(value, Mapping):
            yield from ((f"{name}.{below}", word) for below, word in _leaves(value))
        elif isinstance(value, str | int | float) and re.search(r"\d", str(value)):
            yield name, value
