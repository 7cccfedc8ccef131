"""Counting the rows of a register once, and keeping the counts beside its report."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from intlmodels.errors import StudyError
from intlmodels.files import require_writable
from intlmodels.register import cellsfile
from intlmodels.register.decisionreduce import reduced_decisions
from intlmodels.register.files import Found, find
from intlmodels.register.kept import ASIDE, CELLS, read_record, write_record
from intlmodels.register.reading import read_cells
from intlmodels.scheduler import Bar
from intlmodels.study import (
    DecisionRegister,
    Register,
    RegisterStudy,
    RowFiles,
    SequenceStudy,
    Study,
)
from intlmodels.study.register import Cells, Read, study_of
from intlmodels.versions import COUNTS_VERSION


def reduced(
    register: RowFiles,
    out: Path | None,
    *,
    again: bool = False,
    scheduler: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
    bar: Bar = lambda title: nullcontext(),
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
    scheduler : str, optional
        Address of a Dask scheduler, whose workers then read the files; they need them under the
        same path.
    tell : callable
        Told, in words, what is done.
    bar : callable
        Shows how far the workers of a scheduler are.

    Returns
    -------
    RegisterStudy or SequenceStudy

    Raises
    ------
    StudyError
        If files, rows or columns are not as expected, or no scheduler or worker that can be used
        is there; then nothing is written.
    """
    if isinstance(register, DecisionRegister):
        if scheduler is not None:
            raise StudyError(
                "decisions are counted on this computer, since those of a firm may be in several "
                "files: leave the scheduler out",
                value=register.name,
            )
        return reduced_decisions(register, out, again=again, tell=tell)
    assert isinstance(register, Register)
    found = find(register)
    wanted = _record(register, found)
    if out is not None and not again and (kept := _kept(register, out, wanted, tell)) is not None:
        return study_of(register, kept)
    if out is not None:
        require_writable(out)
    many = f"{len(found.paths)} files" if len(found.paths) > 1 else found.names[0]
    tell(f"counting the rows of {many} ({sum(int(m[1]) for m in wanted['files']) / 1e6:,.1f} MB)")
    cells = read_cells(register, found, None if out is None else out / ASIDE, scheduler, bar)
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
        "version": COUNTS_VERSION,
    }


def _keep(cells: Cells, out: Path, record: dict[str, Any]) -> None:
    written = cellsfile.write_cells(cells, out / CELLS)
    if not cells.read.bad:  # those of an earlier reading are mended
        (out / ASIDE).unlink(missing_ok=True)
    made = {**record, "read": asdict(cells.read), "cells": written}
    # Last: a record without its cells, or with other ones, counts as none.
    write_record(made, out)


def _kept(
    register: Register, out: Path, wanted: dict[str, Any], tell: Callable[[str], None]
) -> Cells | None:
    """Cells that were kept, if they are those of the files as they are now."""
    try:
        record = read_record(out)
        if any(record[key] != value for key, value in wanted.items()):
            return None
        if record["cells"] != cellsfile.file_hash(out / CELLS):
            tell(f"{out / CELLS} is not as it was written: the rows are counted again")
            return None
        if record["read"]["bad"] and not (out / ASIDE).exists():
            return None
        read = Read(**record["read"])
    except (OSError, ValueError, KeyError, TypeError):  # none, or not one of ours: count again
        return None
    return cellsfile.read_cells(register, out / CELLS, read)


def as_study(study: Study, out: Path | None = None, scheduler: str | None = None) -> Study:
    """A study that can be fitted: that of a register's counts, or the study itself.

    Raises
    ------
    StudyError
        As :func:`reduced`; and if there is a scheduler, but no register.
    """
    require_register_for(study, scheduler)
    return reduced(study, out, scheduler=scheduler) if isinstance(study, RowFiles) else study


def require_register_for(study: Study, scheduler: str | None) -> None:
    """Refuse a scheduler that would have nothing to do.

    Raises
    ------
    StudyError
        If the study has no register.
    """
    if scheduler is not None and not isinstance(study, (RowFiles, RegisterStudy, SequenceStudy)):
        raise StudyError(
            "a scheduler's workers count the rows of a register, and this study has none; a fit is "
            "made on this computer: leave the scheduler out",
            value=study.name,
        )


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
