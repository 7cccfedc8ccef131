"""The BibTeX entry that a study may give for its source."""

from __future__ import annotations

import re

from intlmodels.study.keys import wrong

_ENTRY = re.compile(r"@[A-Za-z]+\s*\{\s*([^\s,{}\"#%'()=~\\]+)\s*,(.*)\}", re.DOTALL)
_WHERE = "[study] bibtex"


def check_bibtex(text: str) -> str:
    """One whole entry with a title; blank stays blank.

    Raises
    ------
    StudyError
        If it is anything else.
    """
    text = text.strip()
    if not text:
        return ""
    found = _ENTRY.fullmatch(text)
    if found is None or not _closed(text) or "title" not in found.group(2).lower():
        raise wrong(
            "expected one BibTeX entry with a title and braces in pairs, as in "
            "@article{key, title = {...}, year = {2020}}",
            _WHERE,
            text,
        )
    return text


def key_of(entry: str) -> str:
    """Key of a checked entry."""
    found = _ENTRY.fullmatch(entry)
    assert found is not None
    return found.group(1)


def _closed(text: str) -> bool:
    """Whether the first brace is closed by the last character and by none before."""
    depth = 0
    start = text.index("{")
    for place, letter in enumerate(text[start:], start=start):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth == 0:
            return place == len(text) - 1
    return False
