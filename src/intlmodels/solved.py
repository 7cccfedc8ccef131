"""What the solver found about the counts of a study, kept beside its fits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from intlmodels import store
from intlmodels.audit.answers import knowing
from intlmodels.versions import COUNTS_VERSION

FILE = "solved.json"


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Answer from what is kept in a folder while the block runs; then keep what is new.

    A file that cannot be read, or is of another version, counts as none.
    """
    path = folder / FILE
    answers = _read(path)
    before = len(answers)
    with knowing(answers):
        yield
    if len(answers) > before:
        text = json.dumps({"version": COUNTS_VERSION, "answers": answers})
        store.write_text(text + "\n", path)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict) or found.get("version") != COUNTS_VERSION:
        return {}
    answers: dict[str, Any] = found["answers"]
    return answers
