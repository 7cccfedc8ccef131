"""Counting the rows of a register once, and keeping the counts beside its report."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from intlmodels.core.csvtable import from_plain_cell, plain_cell
from intlmodels.core.errors import StudyError
from intlmodels.core.files import require_writable
from intlmodels.core.scheduler import Bar
from intlmodels.core.versions import COUNTS_VERSION
from intlmodels.register import cache
from intlmodels.register.cache import ASIDE, CELLS, keep, kept, read_record, write_record
from intlmodels.register.files import Found, find
from intlmodels.register.reading import read_cells
from intlmodels.register.sequences import read_sequences
from intlmodels.study import (
    Register,
    RegisterStudy,
    RowFiles,
    SequenceStudy,
    Study,
)
from intlmodels.study.columns import frozen
from intlmodels.study.counts import SIZES
from intlmodels.study.register import (
    Cells,
    DecisionRegister,
    Read,
    ReadDecisions,
    Sequences,
    study_of,
    study_of_sequences,
)

#: Decisions by their place in a sequence.
PLACES = "places.csv"


def reduced_decisions(
    register: DecisionRegister,
    out: Path | None,
    *,
    again: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> SequenceStudy:
    """The study of a register of decisions: see :func:`intlmodels.register.reduce.reduced`."""
    found = find(register)
    wanted = _sequence_record(register, found)
    if out is not None and not again:
        held = kept(out, (CELLS, PLACES), wanted, tell)
        if held is not None:
            texts, read = held
            counted = _parsed(texts, register)
            return study_of_sequences(
                register, counted, ReadDecisions(**{**read, "alike": tuple(read["alike"])})
            )
    if out is not None:
        require_writable(out)
    many = f"{len(found.paths)} files" if len(found.paths) > 1 else found.names[0]
    size = sum(int(mark[1]) for mark in wanted["files"]) / 1e6
    tell(f"counting the decisions of {many} ({size:,.1f} MB)")
    aside = None if out is None else out / ASIDE
    sequences, counts = read_sequences(register, found, aside)
    try:
        study = study_of_sequences(register, sequences, counts)
    except StudyError:
        if aside is not None:
            aside.unlink(missing_ok=True)
        raise
    if out is not None:
        record = {**wanted, "read": asdict(counts)}
        keep(out, _texts(register, sequences), record, counts.bad + counts.fellows)
    return study


def _sequence_record(register: DecisionRegister, found: Found) -> dict[str, Any]:
    """What the counts of a register depend on."""
    periods = [list(register.periods), list(register.starts)]
    asked = [register.asked, register.by_number, *periods, register.bad_rows]
    return {"files": found.marks(), "asked": asked, "version": COUNTS_VERSION}


def _texts(register: DecisionRegister, counted: Sequences) -> dict[str, str]:
    several = len(register.periods) > 1
    made = [f"decisions {name}" if several else "decisions" for name in register.periods]
    firms = zip(
        [SIZES[i] for i in counted.size],
        *counted.made.T.tolist(),
        counted.flagged.tolist(),
        counted.firms.tolist(),
        strict=True,
    )
    places = zip(
        [SIZES[i] for i in counted.at_size],
        [register.periods[i] for i in counted.at_period],
        counted.at_entries.tolist(),
        counted.at_made.tolist(),
        counted.at_flagged.tolist(),
        strict=True,
    )
    return {
        CELLS: _csv(["size", *made, "flagged", "firms"], firms),
        PLACES: _csv(["size", "period", "prior entries", "decisions", "flagged"], places),
    }


def _csv(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    plain = [[plain_cell(c) if isinstance(c, str) else c for c in row] for row in (header, *rows)]
    csv.writer(text, lineterminator="\n").writerows(plain)
    return text.getvalue()


def _parsed(texts: dict[str, str], register: DecisionRegister) -> Sequences:
    """The counts from what :func:`_texts` wrote."""
    cells, places = (list(csv.reader(io.StringIO(texts[name])))[1:] for name in (CELLS, PLACES))
    size, *numbers = zip(*cells, strict=True)
    *made, flagged, firms = (frozen(column, np.int64) for column in numbers)
    at_size, at_period, *at = zip(*places, strict=True)
    entries, at_made, at_flagged = (frozen(column, np.int64) for column in at)
    return Sequences(
        size=frozen([SIZES.index(name) for name in size], np.int64),
        made=frozen(np.column_stack(made), np.int64),
        flagged=flagged,
        firms=firms,
        at_size=frozen([SIZES.index(name) for name in at_size], np.int64),
        at_period=frozen(
            [register.periods.index(from_plain_cell(name)) for name in at_period], np.int64
        ),
        at_entries=entries,
        at_made=at_made,
        at_flagged=at_flagged,
    )


# -- counting the rows of a register once ----------------------------------------------


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
    explaining = {name: table.written for name, table in register.explaining.items()}
    return {
        "files": found.marks(),
        "asked": [register.outcome.written, explaining, register.bad_rows],
        "version": COUNTS_VERSION,
    }


def _keep(cells: Cells, out: Path, record: dict[str, Any]) -> None:
    written = cache.write_cells(cells, out / CELLS)
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
        if record["cells"] != cache.file_hash(out / CELLS):
            tell(f"{out / CELLS} is not as it was written: the rows are counted again")
            return None
        if record["read"]["bad"] and not (out / ASIDE).exists():
            return None
        read = Read(**record["read"])
    except (OSError, ValueError, KeyError, TypeError):  # none, or not one of ours: count again
        return None
    return cache.read_cells(register, out / CELLS, read)


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
