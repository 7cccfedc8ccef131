"""Counts of a register on disk, beside its report: written once, found again while they hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from intlmodels.files import short_hash, write_text
from intlmodels.jsonvalues import build, parse_json

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
