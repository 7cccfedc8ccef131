"""Counting the rows of a register once, and keeping the counts beside its report."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from intlmodels.errors import StudyError
from intlmodels.register.decisionreduce import reduced_decisions
from intlmodels.register.files import Found, find
from intlmodels.register.kept import ASIDE, CELLS, keep, kept
from intlmodels.register.reading import read_cells
from intlmodels.store import code_hash, require_writable
from intlmodels.study import (
    DecisionRegister,
    Register,
    RegisterStudy,
    RowFiles,
    SequenceStudy,
    Study,
)
from intlmodels.study.columns import frozen
from intlmodels.study.register import COUNTED, Cells, Read, study_of

#: Modules that decide what the cells of a register are.
CODE = (
    "csvtable.py",
    "rounding.py",
    "study/columns.py",
    "study/sources.py",
    "study/rows.py",
    "study/register.py",
    "register/files.py",
    "register/engine.py",
    "register/badrows.py",
    "register/reading.py",
)


def reduced(
    register: RowFiles,
    out: Path | None,
    *,
    again: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> RegisterStudy | SequenceStudy:
    """The study of a register: its rows as counts, read from the files only if need be.

    Parameters
    ----------
    register : Register or DecisionRegister
    out : Path or None
        Folder in which the counts are kept, and found again as long as neither the files nor
        what study.toml says of them changed; nothing is kept without.
    again : bool
        Whether to read the files in any case.
    tell : callable
        Told, in words, what is done.

    Returns
    -------
    RegisterStudy or SequenceStudy

    Raises
    ------
    StudyError
        If files, rows or columns are not as expected; then nothing is written.
    """
    if isinstance(register, DecisionRegister):
        return reduced_decisions(register, out, again=again, tell=tell)
    assert isinstance(register, Register)
    return _reduced_shares(register, out, again=again, tell=tell)


def _reduced_shares(
    register: Register,
    out: Path | None,
    *,
    again: bool,
    tell: Callable[[str], None],
) -> RegisterStudy:
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
        "asked": [register.outcome, register.predictors, register.bad_rows],
        "code": code_hash(CODE),
    }


def _keep(cells: Cells, out: Path, record: dict[str, Any]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([COUNTED[0], *cells.values, COUNTED[1]])
    printed = [repr(float(value)) for value in cells.printed]
    writer.writerows(zip(printed, *cells.values.values(), cells.rows.tolist(), strict=True))
    made = {**record, "read": asdict(cells.read)}
    keep(out, {CELLS: text.getvalue()}, made, cells.read.bad)


def _kept(register: Register, out: Path, wanted: dict[str, Any]) -> Cells | None:
    """Cells that were kept, if they are those of the files as they are now."""
    held = kept(out, (CELLS,), wanted)
    if held is None:
        return None
    texts, counts = held
    read = Read(**counts)
    text = texts[CELLS]
    printed, *values, rows = zip(*list(csv.reader(io.StringIO(text, newline="")))[1:], strict=True)
    kinds = [spec["kind"] for spec in register.predictors.values()]
    columns = [
        tuple(map(float, column)) if kind == "numeric" else column
        for kind, column in zip(kinds, values, strict=True)
    ]
    return Cells(
        frozen(printed),
        dict(zip(register.predictors, columns, strict=True)),
        frozen(rows, np.int64),
        read,
    )


def as_study(study: Study, out: Path | None = None) -> Study:
    """A study that can be fitted: that of a register's counts, or the study itself."""
    return reduced(study, out) if isinstance(study, RowFiles) else study


def require_firms(study: Study, what: str) -> None:
    """Refuse a register where a study of single firms is needed.

    Raises
    ------
    StudyError
        Saying what does not apply.
    """
    if isinstance(study, (RowFiles, RegisterStudy, SequenceStudy)):
        raise StudyError(
            f"{what} does not apply to a register; expected a study that lists its firms",
            value=study.name,
        )
