"""Labels that a reader takes for the same, though they differ: noted, never united."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice

from intlmodels.errors import one_line, shown

#: Notes on one column.
MOST_NOTES = 20
#: Letters of other alphabets, and the Latin letter that each looks like.
_LETTERS = {
    **dict(zip("АВЕЅІЈКМНОРСТУХҮԚԜӀ", "ABESIJKMHOPCTYXYQWl", strict=True)),
    **dict(zip("аеѕіјкморстухһԛԝԁүѵӏ", "aesijkmopctyxhqwdyvl", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ", "ABEZHIKMNOPTYXC", strict=True)),
    **dict(zip("αενηικορτυχγϲϳ", "aevnikoptuxycj", strict=True)),
    **dict(zip("օսոհցԼՕՏıɑɡ", "ounhgLOSiag", strict=True)),
}
_DASHES = "\u02d7\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2e3a\u2e3b\ufe58\u30fc"
_QUOTES = "'\"`\u00b4\u00ab\u00bb\u02b9\u02bb\u02bc\u02bd\u02c8\u02ca\u02cb\u055a\u05f3\u05f4"
_QUOTES += "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033\u2035\u2036\u2039\u203a"
_ALIKE = str.maketrans(
    {
        **_LETTERS,
        **dict.fromkeys(_DASHES, "-"),
        **dict.fromkeys(_QUOTES, ""),
        **dict.fromkeys("\u2044\u2215", "/"),
        **dict.fromkeys("\u2022\u2219\u22c5\u30fb", "\u00b7"),
    }
)


def appearance(label: str) -> str:
    """The same text for labels that look alike, capitals and quotes aside."""
    if label.isascii():
        return label.translate(_ALIKE).casefold()
    # Full-width and mathematical letters become plain ones, and may then look like others.
    plain = unicodedata.normalize("NFKD", label.translate(_ALIKE))
    return " ".join(plain.translate(_ALIKE).casefold().split())


def lookalikes(labels: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of different labels that look alike, each label once with the first of its kind."""
    first: dict[str, str] = {}
    for label in sorted(set(labels)):
        known = first.setdefault(appearance(label), label)
        if known != label:
            yield known, label


def lookalike_lines(labels: Iterable[str], indent: str = "  ") -> Iterator[str]:
    """A note on each pair of labels that look alike."""
    pairs = lookalikes(labels)
    for one, other in islice(pairs, MOST_NOTES):
        if one.casefold() == other.casefold():
            said = "differ in capitals only"
        else:
            names = (unicodedata.name(c, f"U+{ord(c):04X}") for c in other if c not in one)
            said = f"look alike and are kept apart: {next(names, 'other marks')}"
        yield one_line(f"{indent}{shown(one)} and {shown(other)} {said}")
    if more := sum(1 for _ in pairs):
        yield f"{indent}and {more:,} more pairs like these"
