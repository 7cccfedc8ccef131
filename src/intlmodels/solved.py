"""What the solver found about the counts of a study, kept beside its fits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from intlmodels import store
from intlmodels.audit.answers import knowing

FILE = "solved.json"

#: Modules that decide what the answers are.
CODE = (
    "counts.py",
    "audit/answers.py",
    "audit/integers.py",
    "audit/system.py",
    "audit/conflicting.py",
    "audit/repairing.py",
)


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Answer from what is kept in a folder while the block runs; then keep what is new.

    A file that cannot be read, or that other code wrote, counts as none.
    """
    path = folder / FILE
    code = store.source_hash(CODE)
    answers = _read(path, code)
    before = len(answers)
    with knowing(answers):
        yield
    if len(answers) > before:
        text = json.dumps({"code": code, "answers": answers})
        store.write_text(text + "\n", path)


def _read(path: Path, code: str) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict) or found.get("code") != code:
        return {}
    answers: dict[str, Any] = found["answers"]
    return answers
