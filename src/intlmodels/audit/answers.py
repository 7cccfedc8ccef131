"""Answers of the solver, kept beside the fits of a study so that they need not be computed again.

Importing the solver and asking it takes longer than everything else that a run does in which
nothing changed. Answers are kept only where a caller provides for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intlmodels.core import files
from intlmodels.core.jsonvalues import build, parse_json
from intlmodels.core.versions import COUNTS_VERSION
from intlmodels.study.counts import Rows

_known: dict[str, Any] | None = None


@contextmanager
def knowing(answers: dict[str, Any]) -> Iterator[None]:
    """Take answers from a dictionary while the block runs, and add new ones to it."""
    global _known
    before, _known = _known, answers
    try:
        yield
    finally:
        _known = before


def answer[T](
    question: str,
    r: Rows,
    find: Callable[[], T],
    write: Callable[[T], Any],
    read: Callable[[Any], T],
) -> T:
    """What was answered before to a question about counts, or else what is found now.

    Parameters
    ----------
    question : str
    r : Rows
    find : callable
        Finds the answer.
    write : callable
        An answer as JSON can hold it; None if it is not worth keeping.
    read : callable
        The reverse.
    """
    if _known is None:
        return find()
    key = _identity(question, r)
    if key in _known:
        return read(_known[key])
    found = find()
    written = write(found)
    if written is not None:
        _known[key] = written
    return found


def _identity(question: str, r: Rows) -> str:
    told = question, r.shape, [(count.id, count.value, count.hard) for count in r.counts]
    digest = hashlib.sha256(repr(told).encode())
    for values in (r.member, r.relation, r.printed, r.hard, r.count):
        digest.update(repr((values.shape, values.dtype.str)).encode() + values.tobytes())
    return digest.hexdigest()


# -- what the solver found about the counts of a study ---------------------------------

FILE = "solved.json"


@dataclass(frozen=True)
class _Solved:
    """The file of answers."""

    version: int
    answers: dict[str, Any]
    checksum: str


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Answer from what is kept in a folder while the block runs; then keep what is new.

    A file that cannot be read, is damaged, or is of another version, counts as none.
    """
    path = folder / FILE
    answers = _read(path)
    before = len(answers)
    with knowing(answers):
        yield
    if len(answers) > before:
        checksum = files.short_hash(answers)
        text = json.dumps({"version": COUNTS_VERSION, "answers": answers, "checksum": checksum})
        files.write_text(text + "\n", path)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = build(_Solved, parse_json(path.read_bytes()))
        whole = files.short_hash(found.answers) == found.checksum
    except (OSError, ValueError, RecursionError):
        return {}
    current = whole and found.version == COUNTS_VERSION
    answers: dict[str, Any] = found.answers if current else {}
    return answers
