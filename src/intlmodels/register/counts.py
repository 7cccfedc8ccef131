"""Counts of a register: made once, stored beside its report, and found again while they hold."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.csvtable import csv_rows, from_plain_cell, plain_cell, raw_csv
from intlmodels.core.errors import StudyError, one_line
from intlmodels.core.files import atomically, require_writable, short_hash, write_text
from intlmodels.core.jsonvalues import build, parse_json
from intlmodels.core.scheduler import Bar
from intlmodels.core.versions import COUNTS_VERSION
from intlmodels.register.cells import count_cells
from intlmodels.register.decisions import count_decisions
from intlmodels.register.files import (
    RegisterFiles,
    Source,
    connected,
    find,
    first_records,
    ready,
    sources,
)
from intlmodels.register.rows import readable
from intlmodels.studies import Register, RegisterStudy, RowFiles, SequenceStudy, Study, describe
from intlmodels.studies.columns import Integers, frozen
from intlmodels.studies.register import (
    COUNTED,
    Cells,
    Coded,
    DecisionRegister,
    Read,
    ReadDecisions,
    Sequences,
    study_of,
    study_of_sequences,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


#: The counts; decisions by place; what they were made from; the rows that could not be read.
CELLS, PLACES, RECORD, ASIDE = "cells.csv", "places.csv", "cells.json", "set_aside.csv"


def reduced(
    register: RowFiles,
    out: Path | None,
    *,
    again: bool = False,
    scheduler: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
    bar: Bar = lambda title: nullcontext(),
) -> RegisterStudy | SequenceStudy:
    """The study of a register: its rows as counts, read from the files only if need be."""
    if isinstance(register, DecisionRegister):
        if scheduler is not None:
            said = "decisions are counted on this computer, since those of a firm may be in "
            raise StudyError(f"{said}several files: leave the scheduler out", value=register.name)
        return _reduced(decision_shape(register), out, again, tell)
    assert isinstance(register, Register)
    return _reduced(cell_shape(register, scheduler, bar), out, again, tell)


def _reduced[C](
    shape: DataShape[C], out: Path | None, again: bool, tell: Callable[[str], None]
) -> RegisterStudy | SequenceStudy:
    found = find(shape.register)
    marks = found.marks()
    wanted = {"files": marks, "asked": shape.asked, "version": COUNTS_VERSION}
    if out is not None and not again and (cached := _cached(shape, out, wanted, tell)) is not None:
        return shape.study(cached)
    if out is not None:
        require_writable(out)
    many = f"{len(found.paths)} files" if len(found.paths) > 1 else found.names[0]
    tell(f"counting the {shape.noun} of {many} ({sum(int(m[1]) for m in marks) / 1e6:,.1f} MB)")
    aside = None if out is None else out / ASIDE
    counts = shape.count(found, aside)
    try:
        if found.marks() != marks:
            said = "the files changed while they were read; wait until they are complete, and run "
            raise StudyError(f"{said}the command again", file=shape.register.files)
        study = shape.study(counts)
    except StudyError:
        if aside is not None:
            aside.unlink(missing_ok=True)
        raise
    if out is not None:
        _store(shape, counts, out, wanted)
    return study


# -- the cache -------------------------------------------------------------------------


def _store[C](shape: DataShape[C], counts: C, out: Path, wanted: dict[str, Any]) -> None:
    read, aside = shape.read(counts)
    shape.write(counts, out)
    if not aside:  # those of an earlier reading are mended
        (out / ASIDE).unlink(missing_ok=True)
    record = {**wanted, "read": asdict(read), "aside": aside, "cells": _hash(shape, out)}
    # Last: a record without its counts, or with other ones, counts as none.
    text = json.dumps({**record, "checksum": short_hash(record)}, indent=1)
    write_text(text + "\n", out / RECORD)


def _cached[C](
    shape: DataShape[C], out: Path, wanted: dict[str, Any], tell: Callable[[str], None]
) -> C | None:
    """Counts that were stored; None if there are none of the files as they are now."""
    try:
        record = build(dict[str, Any], parse_json((out / RECORD).read_bytes()))
        whole = record.pop("checksum", None) == short_hash(record)
        if not whole or any(record[key] != value for key, value in wanted.items()):
            return None
        if record["cells"] != _hash(shape, out):
            tell(f"{out / CELLS} was changed after it was written: the rows are counted again")
            return None
        read = record["read"]
        if record.get("aside", read["bad"]) and not (out / ASIDE).exists():
            return None
        return shape.load(out, read)
    except (OSError, ValueError, KeyError, TypeError):  # none, or not one of ours: count again
        return None


def _hash(shape: DataShape[Any], out: Path) -> str:
    digest = hashlib.sha256()
    for name in shape.files:
        with (out / name).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class DataShape[C]:
    """What the rows of a register become: how they are counted, stored and made a study."""

    register: RowFiles
    noun: str  # What is counted
    files: tuple[str, ...]  # Of the counts
    asked: list[Any]  # What of study.toml the counts depend on, as JSON can hold it
    #: Counts the rows; those that cannot be read are set aside, if the register asks for it
    count: Callable[[RegisterFiles, Path | None], C]
    read: Callable[[C], tuple[Read | ReadDecisions, int]]  # And how many rows were set aside
    write: Callable[[C, Path], None]
    load: Callable[[Path, dict[str, Any]], C]  # From what was written and what was read
    study: Callable[[C], RegisterStudy | SequenceStudy]


# -- decisions: firms by kind, and decisions by their place -----------------------------

Decisions = tuple[Sequences, ReadDecisions]


def decision_shape(register: DecisionRegister) -> DataShape[Decisions]:
    """Decisions become kinds of firms, and places in sequences."""
    own = [list(register.outcome.yes), list(register.outcome.no), register.date_format]
    own = [*own, list(register.size_labels)] if any(own) else []
    periods = [list(register.periods), list(register.starts)]
    return DataShape(
        register,
        "decisions",
        (CELLS, PLACES),
        [register.columns, register.by_number, *periods, register.bad_rows, *own],
        partial(count_decisions, register),
        lambda counts: (counts[1], counts[1].bad + counts[1].fellows),
        partial(_write_decisions, register),
        partial(_load_decisions, register),
        lambda counts: study_of_sequences(register, *counts),
    )


def _write_decisions(register: DecisionRegister, counts: Decisions, out: Path) -> None:
    own, periods = counts[0], register.periods
    made = [f"decisions {name}" if len(periods) > 1 else "decisions" for name in periods]
    firms = zip(
        [register.size_labels[i] for i in own.size],
        *own.made.T.tolist(),
        own.flagged.tolist(),
        own.firms.tolist(),
        strict=True,
    )
    places = zip(
        [register.size_labels[i] for i in own.at_size],
        [periods[i] for i in own.at_period],
        own.at_entries.tolist(),
        own.at_made.tolist(),
        own.at_flagged.tolist(),
        strict=True,
    )
    by_place = ["size", "period", "prior entries", "decisions", "flagged"]
    write_text(csv_rows([["size", *made, "flagged", "firms"], *firms]), out / CELLS)
    write_text(csv_rows([by_place, *places]), out / PLACES)


def _load_decisions(register: DecisionRegister, out: Path, read: dict[str, Any]) -> Decisions:
    cells, places = (
        list(csv.reader(io.StringIO((out / name).read_text(encoding="utf-8"))))[1:]
        for name in (CELLS, PLACES)
    )

    def codes(names: Sequence[str], labels: Sequence[str]) -> Integers:
        return frozen([labels.index(from_plain_cell(name)) for name in names], np.int64)

    size, *numbers = zip(*cells, strict=True)
    *made, flagged, firms = (frozen(column, np.int64) for column in numbers)
    at_size, at_period, *at = zip(*places, strict=True)
    entries, at_made, at_flagged = (frozen(column, np.int64) for column in at)
    sequences = Sequences(
        size=codes(size, register.size_labels),
        made=frozen(np.column_stack(made), np.int64),
        flagged=flagged,
        firms=firms,
        at_size=codes(at_size, register.size_labels),
        at_period=codes(at_period, register.periods),
        at_entries=entries,
        at_made=at_made,
        at_flagged=at_flagged,
    )
    return sequences, ReadDecisions(**{**read, "alike": tuple(read["alike"])})


# -- shares: cells of levels and printed shares -------------------------------------------

#: Cells that are texts at a time: few enough to stay in a processor's cache.
_CHUNK = 1000


def cell_shape(
    register: Register, scheduler: str | None = None, bar: Bar = lambda title: nullcontext()
) -> DataShape[Cells]:
    """Rows with shares become cells; they may be counted by a scheduler's workers."""
    explaining = {name: table.written for name, table in register.explaining.items()}
    unit = [register.unit, register.independent] if register.unit else []
    return DataShape(
        register,
        "rows",
        (CELLS,),
        [register.outcome.written, explaining, register.bad_rows, *unit],
        lambda found, aside: count_cells(register, found, aside, scheduler, bar),
        lambda cells: (cells.read, cells.read.bad),
        _write_cells,
        partial(_load_cells, register),
        partial(study_of, register),
    )


def _write_cells(cells: Cells, out: Path) -> None:
    """One cell a line in their order: printed share, predictors, rows."""
    printed, codes = np.unique(cells.printed, return_inverse=True)
    columns = [Coded(tuple(printed.tolist()), codes), *cells.columns.values()]
    texts = [np.array([_cell(v) for v in column.levels], dtype=object) for column in columns]
    header = [COUNTED[0], *map(plain_cell, cells.columns), COUNTED[1]]
    with atomically(out / CELLS) as temporary, temporary.open("wb") as file:
        file.write(raw_csv([header]).encode())
        for start in range(0, len(cells.rows), _CHUNK):
            some = slice(start, start + _CHUNK)
            parts = [own[column.codes[some]] for own, column in zip(texts, columns, strict=True)]
            rows = zip(*parts, map(str, cells.rows[some].tolist()), strict=True)
            file.write("".join(",".join(row) + "\n" for row in rows).encode())


def _load_cells(register: Register, out: Path, read: dict[str, Any]) -> Cells:
    known: list[defaultdict[str, int]] = [defaultdict() for _ in ("", *register.explaining)]
    for place in known:  # numbers of texts, in the order in which they come
        place.default_factory = place.__len__
    codes: list[list[Integers]] = [[] for _ in known]
    rows: list[Integers] = []
    with (out / CELLS).open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        while some := list(islice(lines, _CHUNK)):
            *columns, counts = zip(*some, strict=True)
            rows.append(np.fromiter(map(int, counts), np.int64, len(some)))
            for place, parts, column in zip(known, codes, columns, strict=True):
                parts.append(np.fromiter(map(place.__getitem__, column), np.int32, len(some)))
    kinds = ["numeric", *map(register.kind, register.explaining)]
    printed, *coded = (
        Coded.of(
            [float(text) if kind == "numeric" else from_plain_cell(text) for text in place],
            np.concatenate(parts),
        )
        for kind, place, parts in zip(kinds, known, codes, strict=True)
    )
    return Cells(
        frozen(np.array(printed.levels)[printed.codes]),
        dict(zip(register.explaining, coded, strict=True)),
        frozen(np.concatenate(rows), np.int64),
        Read(**read),
    )


def _cell(level: Any) -> str:
    """A cell of a CSV file, with quotes where it needs them."""
    text = plain_cell(level) if isinstance(level, str) else str(level)
    # The writer of Python 3.12.1 leaves a lone carriage return without quotes.
    quoted = not {*text}.isdisjoint(',"\r\n')
    return '"' + text.replace('"', '""') + '"' if quoted else text


# -- studies with and without a register -------------------------------------------------


def as_study(
    study: Study, out: Path | None = None, scheduler: str | None = None, **how: Any
) -> Study:
    """A study that can be fitted: that of a register's counts, or the study itself."""
    if isinstance(study, RowFiles):
        return reduced(study, out, scheduler=scheduler, **how)
    if scheduler is not None and not isinstance(study, (RegisterStudy, SequenceStudy)):
        raise StudyError(
            "a scheduler's workers count the rows of a register, and this study has none; a fit is "
            "made on this computer: leave the scheduler out",
            value=study.name,
        )
    return study


def require_firms(study: Study, what: str) -> None:
    """Refuse a register where a study of single firms is needed."""
    if isinstance(study, (RowFiles, RegisterStudy, SequenceStudy)):
        said = f"{what} does not apply to a register; expected a study that lists its firms"
        raise StudyError(said, value=study.name)


# -- a first look: headers and first rows, before all of it is read ----------------------

#: Rows of the first file that are looked at.
MOST_ROWS = 1000


def preview_lines(register: RowFiles) -> Iterator[str]:
    """What will be read, for a person to check; the rows are counted by a fit or ``reduce``."""
    yield describe(register)
    found = find(register)
    size = sum(path.stat().st_size for path in found.paths)
    yield f"found: {len(found.paths):,} {found.format} files, {size / 1e6:,.1f} MB"
    with connected(register) as connection:
        source = sources(register, found, connection)[0]
        rows = _first_rows(connection, source)
    yield one_line(f"the first {len(rows):,} rows of {source.files[0].name}:")
    for place, (key, column) in enumerate(register.columns.items()):
        yield from _column(register, key, column, [str(row[place]) for row in rows])
    yield "the rest is read by intlmodels reduce or intlmodels fit"


def _first_rows(connection: DuckDBPyConnection, source: Source) -> list[Sequence[str]]:
    if source.format == "parquet":
        some = ready(connection, source)
        query = f"SELECT {', '.join(some.texts())} FROM {some.rows()} LIMIT {MOST_ROWS}"
        return connection.execute(query).fetchall()
    first = source.files[0]
    at = [source.columns.index(name) for name in source.asked]
    records = first_records(Path(first.path), first.name, MOST_ROWS + 1)[1:]
    width = len(source.columns)
    return [[record[i] for i in at] for record in records if len(record) == width]


def _column(register: RowFiles, key: str, column: str, texts: list[str]) -> Iterator[str]:
    known = readable(register, key, texts)
    wrong = [text for text in dict.fromkeys(texts) if text not in known]
    told = sorted(str(value) for value in set(known.values()) if value is not None)
    more = f" and {len(told) - 8} more" if len(told) > 8 else ""
    yield one_line(f"  {column}: {len(told)} values: {', '.join(told[:8])}{more}")
    if wrong:
        shown = ", ".join(repr(text) for text in wrong[:5])
        yield one_line(f"    cannot be read: {shown}{' and others' * (len(wrong) > 5)}")
