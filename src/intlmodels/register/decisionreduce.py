"""Counting the decisions of a register once, and keeping the counts beside its report."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from intlmodels.csvtable import from_plain_cell, plain_cell
from intlmodels.errors import StudyError
from intlmodels.files import require_writable
from intlmodels.register.files import Found, find
from intlmodels.register.kept import ASIDE, CELLS, keep, kept
from intlmodels.register.sequences import read_sequences
from intlmodels.study import SequenceStudy
from intlmodels.study.columns import frozen
from intlmodels.study.counts import SIZES
from intlmodels.study.sequences import (
    DecisionRegister,
    ReadDecisions,
    Sequences,
    study_of_sequences,
)
from intlmodels.versions import COUNTS_VERSION

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
    wanted = _record(register, found)
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


def _record(register: DecisionRegister, found: Found) -> dict[str, Any]:
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
