"""Counting the rows of a register once, and keeping the counts beside its report."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from intlmodels.errors import StudyError
from intlmodels.register.files import Found, find
from intlmodels.register.reading import read_cells
from intlmodels.store import code_hash, require_writable, write_text
from intlmodels.study import Register, RegisterStudy, Study
from intlmodels.study.columns import frozen
from intlmodels.study.register import COUNTED, Cells, Read, study_of

#: The counts; what they were made from; and the rows that could not be read.
CELLS, RECORD, ASIDE = "cells.csv", "cells.json", "set_aside.csv"

#: Modules that decide what the cells of a register are.
CODE = (
    "csvtable.py",
    "rounding.py",
    "study/columns.py",
    "study/sources.py",
    "study/register.py",
    "register/files.py",
    "register/engine.py",
    "register/badrows.py",
    "register/reading.py",
)


def reduced(
    register: Register,
    out: Path | None,
    *,
    again: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> RegisterStudy:
    """The study of a register: its rows as counts, read from the files only if need be.

    Parameters
    ----------
    register : Register
    out : Path or None
        Folder in which the counts are kept, and found again as long as neither the files nor
        what study.toml says of them changed; nothing is kept without.
    again : bool
        Whether to read the files in any case.
    tell : callable
        Told, in words, what is done.

    Returns
    -------
    RegisterStudy

    Raises
    ------
    StudyError
        If files, rows or columns are not as expected; then nothing is written.
    """
    found = find(register)
    wanted = _record(register, found)
    if out is not None and not again and (kept := _kept(register, out, wanted)) is not None:
        return study_of(register, kept)
    if out is not None:
        require_writable(out)
    many = f"{len(found.paths)} files" if len(found.paths) > 1 else found.names[0]
    tell(f"counting the rows of {many} ({sum(int(m[1]) for m in wanted['files']) / 1e6:,.1f} MB)")
    cells = read_cells(register, found, None if out is None else out / ASIDE)
    try:
        study = study_of(register, cells)
    except StudyError:
        if out is not None:
            (out / ASIDE).unlink(missing_ok=True)
        raise
    if out is not None:
        _keep(cells, out, wanted)
    return study


def _record(register: Register, found: Found) -> dict[str, Any]:
    """What the cells of a register depend on."""
    return {
        "files": found.marks(),
        "asked": [register.outcome, register.explaining, register.bad_rows],
        "code": code_hash(CODE),
    }


def _keep(cells: Cells, out: Path, record: dict[str, Any]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([COUNTED[0], *cells.values, COUNTED[1]])
    printed = [repr(float(value)) for value in cells.printed]
    writer.writerows(zip(printed, *cells.values.values(), cells.rows.tolist(), strict=True))
    write_text(text.getvalue(), out / CELLS)
    if not cells.read.bad:  # those of an earlier reading are mended
        (out / ASIDE).unlink(missing_ok=True)
    made = {**record, "read": asdict(cells.read), "cells": _hash(text.getvalue())}
    # Last: a record without its cells, or with other ones, counts as none.
    write_text(json.dumps(made, indent=1) + "\n", out / RECORD)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _kept(register: Register, out: Path, wanted: dict[str, Any]) -> Cells | None:
    """Cells that were kept, if they are those of the files as they are now."""
    try:
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
        text = (out / CELLS).read_text(encoding="utf-8")
        if any(record[key] != value for key, value in wanted.items()):
            return None
        if record["cells"] != _hash(text) or (record["read"]["bad"] and not (out / ASIDE).exists()):
            return None
        read = Read(**record["read"])
    except (OSError, ValueError, KeyError, TypeError):  # none, or not one of ours: count again
        return None
    printed, *values, rows = zip(*list(csv.reader(io.StringIO(text, newline="")))[1:], strict=True)
    kinds = [register.kind(name) for name in register.explaining]
    columns = [
        tuple(map(float, column)) if kind == "numeric" else column
        for kind, column in zip(kinds, values, strict=True)
    ]
    return Cells(
        frozen(printed),
        dict(zip(register.explaining, columns, strict=True)),
        frozen(rows, np.int64),
        read,
    )


def as_study(study: Study, out: Path | None = None) -> Study:
    """A study that can be fitted: that of a register's counts, or the study itself."""
    return reduced(study, out) if isinstance(study, Register) else study


def require_firms(study: Study, what: str) -> None:
    """Refuse a register where a study of single firms is needed.

    Raises
    ------
    StudyError
        Saying what does not apply.
    """
    if isinstance(study, (Register, RegisterStudy)):
        raise StudyError(
            f"{what} does not apply to a register; expected a study that lists its firms",
            value=study.name,
        )
