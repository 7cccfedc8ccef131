"""Counts of a register on disk, beside its report: written once, found again while they hold."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from intlmodels.core.csvtable import from_plain_cell, plain_cell
from intlmodels.core.files import atomically, short_hash, write_text
from intlmodels.core.jsonvalues import build, parse_json
from intlmodels.study import Register
from intlmodels.study.columns import Integers, frozen
from intlmodels.study.register import COUNTED, Cells, Coded, Read

#: The counts; what they were made from; and the rows that could not be read.
CELLS, RECORD, ASIDE = "cells.csv", "cells.json", "set_aside.csv"


def keep(out: Path, texts: Mapping[str, str], record: Mapping[str, Any], aside: int) -> None:
    """Write counts, and what they were made from.

    Parameters
    ----------
    out : Path
    texts : mapping of str to str
        File name -> text.
    record : mapping
        With ``read``: what was read, as JSON can hold it.
    aside : int
        How many rows were set aside.
    """
    for name, text in texts.items():
        write_text(text, out / name)
    if not aside:  # those of an earlier reading are mended
        (out / ASIDE).unlink(missing_ok=True)
    made = {**record, "aside": aside, "cells": _hash(texts)}
    # Last: a record without its cells, or with other ones, counts as none.
    write_record(made, out)


def kept(
    out: Path, names: tuple[str, ...], wanted: Mapping[str, Any], tell: Callable[[str], None]
) -> tuple[dict[str, str], dict[str, Any]] | None:
    """Counts that were kept, as texts by file name, and what was read.

    None if there are none, or none from the files as they are now.
    """
    try:
        record = read_record(out)
        texts = {name: (out / name).read_text(encoding="utf-8") for name in names}
        if any(record[key] != value for key, value in wanted.items()):
            return None
        read = dict(record["read"])
        if record["cells"] != _hash(texts):
            tell(f"{out / names[0]} is not as it was written: the rows are counted again")
            return None
        if record["aside"] and not (out / ASIDE).exists():
            return None
    except (OSError, ValueError, KeyError, TypeError):  # none, or not one of ours: count again
        return None
    return texts, read


def write_record(record: Mapping[str, Any], out: Path) -> None:
    """Write what counts were made from, with a checksum."""
    text = json.dumps({**record, "checksum": short_hash(dict(record))}, indent=1)
    write_text(text + "\n", out / RECORD)


def read_record(out: Path) -> dict[str, Any]:
    """Read what :func:`write_record` wrote.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    record: dict[str, Any] = build(dict[str, Any], parse_json((out / RECORD).read_bytes()))
    if record.pop("checksum", None) != short_hash(record):
        raise ValueError("not as it was written")
    return record


def _hash(texts: Mapping[str, str]) -> str:
    return hashlib.sha256("".join(texts.values()).encode()).hexdigest()


# -- the cells of a register as a CSV file ---------------------------------------------

#: Cells that are texts at a time: few enough to stay in a processor's cache.
_CHUNK = 1000


def write_cells(cells: Cells, path: Path) -> str:
    """Write the cells, one a line in their order: printed share, predictors, rows.

    Returns
    -------
    str
        Hash of the file.
    """
    printed, codes = np.unique(cells.printed, return_inverse=True)
    columns = [Coded(tuple(printed.tolist()), codes), *cells.columns.values()]
    texts = [np.array(_texts(column.levels), dtype=object) for column in columns]
    digest = hashlib.sha256()
    with atomically(path) as temporary, temporary.open("wb") as file:
        head = _lines([[COUNTED[0], *map(plain_cell, cells.columns), COUNTED[1]]])
        for start in range(0, len(cells.rows) + 1, _CHUNK):
            some = slice(start, start + _CHUNK)
            parts = [own[column.codes[some]] for own, column in zip(texts, columns, strict=True)]
            rows = zip(*parts, map(str, cells.rows[some].tolist()), strict=True)
            content = (head + "".join(",".join(row) + "\n" for row in rows)).encode()
            digest.update(content)
            file.write(content)
            head = ""
    return digest.hexdigest()


def _texts(levels: Sequence[Any]) -> list[str]:
    """Cells of a CSV file, with quotes where they need them."""
    # Not alone in its row, where nothing at all would be quoted.
    plain = [plain_cell(level) if isinstance(level, str) else level for level in levels]
    return [_lines([[level, ""]]).removesuffix(",\n") for level in plain]


def _lines(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def file_hash(path: Path) -> str:
    """Hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Known(dict[str, int]):
    """Numbers of texts, in the order in which they come."""

    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number


def read_cells(register: Register, path: Path, read: Read) -> Cells:
    """Read what :func:`write_cells` wrote.

    Parameters
    ----------
    register : Register
    path : Path
    read : Read
        What the cells were counted from.
    """
    known = [_Known() for _ in range(1 + len(register.explaining))]
    codes: list[list[Integers]] = [[] for _ in known]
    rows: list[Integers] = []
    with path.open(encoding="utf-8", newline="") as file:
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
        read,
    )
