"""What the solver answered before, so that an unchanged study need not ask it again.

Importing the solver and asking it takes longer than everything else that a run does in which
nothing changed. Answers are kept only where a caller provides for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from intlmodels.counts import Rows

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
