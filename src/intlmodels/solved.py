"""What the solver found about the counts of a study, kept beside its fits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intlmodels import files
from intlmodels.audit.answers import knowing
from intlmodels.jsonvalues import build, parse_json
from intlmodels.versions import COUNTS_VERSION

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
