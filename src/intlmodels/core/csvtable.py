"""Printed tables as CSV: read as text with the place of every cell, and written.

Cells stay text until someone needs them as a label or a number; 3.70 is not 3.7.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.errors import LONGEST_SHOWN, StudyError, did_you_mean, listed, shown
from intlmodels.core.workbook import sheet_rows, split_book

if TYPE_CHECKING:
    import pandas as pd


#: Where the files of a study are: in a folder, or as texts by name.
Files = Path | Mapping[str, str]

#: Cells that stand for a value that is not known (in numbers; nothing else does).
MISSING = ("", "NA", "N/A")

#: Endings of workbooks, and how such files begin (.xlsx and .ods are archives).
_BOOKS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
_BOOK_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")

#: Marks that separate cells in other files, and how they are told.
_OTHER_MARKS = {";": ("semicolons", "';'"), "\t": ("tabs", r"'\t'")}

#: How text begins that a spreadsheet takes for a formula, and the mark that keeps it from that.
_FORMULA = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20", "'")

#: Largest file in MB by its ending: what is larger is no table of firms, and takes all memory.
_LARGEST = {".toml": 2}
_LARGEST_TABLE = 50

#: Accents on one letter: to order them takes time by the square of their number.
_MOST_STACKED = 30
_STACK = re.compile(rf"[^\x00-\x7f\w]{{{_MOST_STACKED},}}")

#: What takes no room on paper: control characters, and what Unicode calls ignorable by default.
INVISIBLE = (
    "[\x01-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_INVISIBLE = re.compile(INVISIBLE)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", flags=re.ASCII)


@dataclass(frozen=True)
class Table:
    """A table as printed."""

    file: str  # File name inside the study's folder
    header: tuple[str, ...]  # Names of the columns, without white space around them
    rows: tuple[tuple[str, ...], ...]  # ``rows[i]`` is row ``i + 2`` of a spreadsheet

    def column(self, name: str, asked_by: str = "") -> tuple[str, ...]:
        """Cells of a column, as printed."""
        name = clean_label(name)
        if name not in self._places:
            asked = f", named by {asked_by} in study.toml" if asked_by else ""
            raise StudyError(
                f"expected this column{asked}, but the file has none of that name"
                f"{did_you_mean(name, self.header)}; its columns are {listed(self.header)}",
                file=self.file,
                row=1,
                column=name,
            )
        position = self._places[name]
        return tuple(row[position] for row in self.rows)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.header)}


def clean_label(text: str) -> str:
    """A label in Unicode NFC, without invisible characters and with single inner white space."""
    return " ".join(clean_name(text).split())


def clean_name(text: str) -> str:
    """A name in Unicode NFC, without invisible characters and outer white space."""
    if text.isascii() and text.isprintable():
        return text.strip()
    # An empty Braille cell is a blank.
    plain = _INVISIBLE.sub("", text).replace("\u2800", " ")
    return unicodedata.normalize("NFC", plain).strip()


def plain_cell(text: str) -> str:
    """Text for a cell of a CSV file: with an apostrophe where a spreadsheet would run it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def from_plain_cell(text: str) -> str:
    """What :func:`plain_cell` was given."""
    return text[1:] if text.startswith("'") else text


def parse_number(text: str) -> float:
    """Read a number of ASCII digits and a decimal point; ValueError says what was expected."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"expected a number{_mend(text)}")
    value = float(text)
    vanished = value == 0 and re.search("[1-9]", re.split("[eE]", text)[0])
    if vanished or not math.isfinite(value):
        raise ValueError("expected a number that a computer can hold (0, or from 1e-308 to 1e308)")
    return value


def _mend(text: str) -> str:
    bare = text.rstrip("%\N{PER MILLE SIGN}").strip()
    pointed = bare.replace(",", ".") if re.fullmatch(r"[+-]?\d+,\d+", bare, re.ASCII) else bare
    if bare != text and _NUMBER.fullmatch(pointed):
        return f"; write {pointed} without the percent sign and state the unit in study.toml"
    if re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+,\d+", text, flags=re.ASCII):
        plain = text.replace(".", "").replace(",", ".")
        return f"; write it with a decimal point and without thousands separators, as {plain}"
    if re.fullmatch(r"[+-]?\d+,\d+", text, flags=re.ASCII):
        return (
            f"; write it with a decimal point, as {text.replace(',', '.')}, or if the comma "
            f"separates thousands without it, as {text.replace(',', '')}"
        )
    if re.fullmatch(r"[+-]?\d{1,3}([,' \u00a0\u202f]\d{3})+(\.\d+)?", text, flags=re.ASCII):
        bare = re.sub(r"[^\d.+-]", "", text)
        return f"; write it without thousands separators, as {bare}"
    plain = text.replace("\N{MINUS SIGN}", "-").replace("\N{EN DASH}", "-")
    if plain != text and _NUMBER.fullmatch(plain):
        return f"; write a plain minus sign, as {plain}"
    if re.fullmatch(r"\d{1,3}(\.\d+)? ?([-\u2013]|to) ?\d{1,3}(\.\d+)? ?%?", text, flags=re.ASCII):
        return "; for shares in bands write the ends into two columns, lower and upper in [outcome]"
    if text.casefold().strip("-+") in _NOT_KNOWN:
        return "; if the value is unknown, leave the cell empty, or write NA or N/A"
    return " such as 5 or 2.5; if the value is unknown, leave the cell empty, or write NA"


_NOT_KNOWN = (
    *("", "nan", "na", "n/a", "n.a.", "null", "none", ".", "..", "?", "#n/a", "inf", "infinity"),
    *("\N{EN DASH}", "\N{EM DASH}"),
)


def read_text(files: Files, file: str) -> str:
    """Read a file of a study as UTF-8 text (a byte order mark is dropped)."""
    if isinstance(files, Path):
        return _decoded(_read_bytes(files, file), file)
    if file not in files:
        near = did_you_mean(file, files)
        raise StudyError(f"no such table{near}; expected one of {listed(files)}", file=file)
    return _plain_text(files[file], file)


def _read_bytes(folder: Path, file: str) -> bytes:
    """Read a file inside a folder."""
    pure = PurePosixPath(file)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or not file.isprintable():
        raise StudyError(
            "expected the name of a file inside the study's folder; copy the file there, so "
            "that the folder holds the whole study",
            file="study.toml",
            value=file,
        )
    # Links are followed once, and what they lead to is read: a study that comes from others must
    # not show what else this computer holds.
    path = Path(os.path.realpath(folder / file))
    if not path.is_relative_to(os.path.realpath(folder)):
        raise StudyError(
            "this is a link that leads out of the study's folder; expected a file inside: copy it "
            "there, so that the folder holds the whole study",
            file=file,
        )
    most = _LARGEST.get(pure.suffix, _LARGEST_TABLE)
    try:
        if path.is_dir():
            raise StudyError("expected a file, but this is a folder", file=file)
        if not path.exists():
            raise _missing(path, file)
        if not path.is_file():
            raise StudyError("expected an ordinary file", file=file)
        if path.stat().st_size > most * 1_000_000:
            said = f"the file is larger than {most} MB; expected a smaller one (millions of rows "
            raise StudyError(f"{said}are read as a register: see [register])", file=file)
        return path.read_bytes()
    except OSError as error:
        said = f"file cannot be read: {error.strerror or error}; expected a readable file"
        raise StudyError(said, file=file) from error


def _missing(path: Path, file: str) -> StudyError:
    folder = path.parent
    if not folder.is_dir():
        return StudyError(f"file is missing, and so is the folder {folder}", file=file)
    here = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    books = [name for name in here if PurePosixPath(name).suffix.lower() in _BOOKS]
    own = [name for name in books if PurePosixPath(name).stem == path.stem] or books
    mend = did_you_mean(file, [name for name in here if name not in books])
    if not mend and path.suffix == ".toml":
        mend = " (intlmodels new makes a folder with one, as an example)"
    elif not mend and own:
        mend = f" (save the sheet of {shown(own[0])} as 'CSV UTF-8' under this name)"
    said = f"file is missing{mend}; expected it in the folder {folder}, which holds "
    return StudyError(f"{said}{listed(here) or 'no files'}", file=file)


def _decoded(raw: bytes, file: str) -> str:
    as_what = "with the encoding UTF-8" if file.endswith(".toml") else "as 'CSV UTF-8'"
    if raw.startswith(_BOOK_MARKS):
        raise StudyError(
            "this is a workbook of a spreadsheet program; expected text: open it, save the sheet "
            "as 'CSV UTF-8 (comma delimited)', and name that file",
            file=file,
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StudyError(
            f"expected text in UTF-8{_perhaps(raw, error.start)}; save the file {as_what}",
            file=file,
            row=raw.count(b"\n", 0, error.start) + 1,
            value=raw[error.start : error.start + 1],
        ) from error
    return _plain_text(text, file)


def _plain_text(text: str, file: str) -> str:
    """Refuse a text that cannot be read in reasonable time, or is none."""
    if "\0" in text:
        as_what = "with the encoding UTF-8" if file.endswith(".toml") else "as 'CSV UTF-8'"
        raise StudyError(
            "expected text in UTF-8 without NUL characters; the file may be UTF-16 or damaged, "
            f"save it {as_what}",
            file=file,
            row=text.count("\n", 0, text.index("\0")) + 1,
            value="\0",
        )
    for run in _STACK.finditer(text):
        if sum(map(bool, map(unicodedata.combining, run.group()))) > _MOST_STACKED:
            raise StudyError(
                f"more than {_MOST_STACKED} accents on one letter; expected text: delete them",
                file=file,
                row=text.count("\n", 0, run.start()) + 1,
                value=run.group(),
            )
    return text


def _perhaps(raw: bytes, at: int) -> str:
    """What a text that is not UTF-8 may be instead."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ", not UTF-16 ('Unicode text')"
    before = re.split(rb"[\r\n,;\t\"]", raw[max(0, at - LONGEST_SHOWN) : at])[-1]
    after = re.split(rb"[\r\n,;\t\"]", raw[at : at + LONGEST_SHOWN])[0]
    cell = (before + after).decode("cp1252", errors="replace")
    return f"; in the older encoding Windows-1252 the cell would be {shown(cell)}"


def read_table(files: Files, file: str, one: str = "firm") -> Table:
    """Read a CSV file, or the sheet of a workbook, such as ``book.xlsx`` or ``book.xlsx: Sheet``.

    In a CSV file commas stand between cells, and double quotes around cells that need them.
    """
    book = split_book(file)
    if book is not None and isinstance(files, Path):
        rows = sheet_rows(_read_bytes(files, book[0]), book[1], file)
        text = _plain_text(table_text(rows[0], rows[1:]) if rows else "", file)
    else:
        text = read_text(files, file)
    try:
        records = _records(text, file)
        if not records:
            raise StudyError(f"file is empty; expected a header and one row per {one}", file=file)
        _check_first(records, file)
        for number, record in enumerate(records[1:], start=2):
            _check_width(record, len(records[0]), file, number, one)
    except StudyError:
        _check_separator(text, file)  # what does not fit with commas may fit with another mark
        raise
    width = len(records[0])  # up to the last column that holds anything
    while width > 1 and _blank([record[width - 1] for record in records]):
        width -= 1
    header = tuple(clean_label(name) for name in records[0][:width])
    _check_header(header, file)
    if len(records) == 1:
        raise StudyError(f"file has a header only; expected one row per {one} below it", file=file)
    return Table(file, header, tuple(tuple(record[:width]) for record in records[1:]))


def _records(text: str, file: str) -> list[list[str]]:
    """Split CSV text into records; a record is a row as a spreadsheet counts it."""
    # newline="" leaves line breaks inside quotes alone; strict refuses text after a quote.
    reader = csv.reader(io.StringIO(text.rstrip("\r\n"), newline=""), strict=True)
    records: list[list[str]] = []
    try:
        records.extend(reader)
    except csv.Error as error:
        raise StudyError(
            f"not well-formed CSV ({error}); expected a cell with a comma, quote or line break to "
            'stand in double quotes, and quotes inside it to be doubled, as in "5"" lens"',
            file=file,
            row=len(records) + 1,
        ) from error
    # Spreadsheet programs write rows and columns that once held something.
    while records and _blank(records[-1]):
        records.pop()
    return records


def _blank(record: list[str]) -> bool:
    return not any(cell.strip() for cell in record)


def require_names(first: list[str], file: str) -> None:
    """Refuse a first row that has no names of columns, or not between commas."""
    if _blank(first):
        said = "the row is blank; expected the names of the columns: delete the row"
        raise StudyError(said, file=file, row=1)
    if len(first) == 1 and any(mark in first[0] for mark in _OTHER_MARKS):
        raise StudyError("expected names separated by commas", file=file, row=1, value=first[0])


def _check_first(records: list[list[str]], file: str) -> None:
    require_names(records[0], file)
    names = [name for name in records[0] if name.strip()]
    most = max(sum(bool(cell.strip()) for cell in record) for record in records)
    if len(names) == 1 and most > 2:
        said = "expected the names of the columns; this seems to be a title: delete everything "
        raise StudyError(f"{said}above the row with the names", file=file, row=1, value=names[0])


def _check_separator(text: str, file: str) -> None:
    """Refuse a text in which another mark than a comma separates the cells."""
    header = next(iter(text.splitlines()), "")
    for mark, (called, written) in _OTHER_MARKS.items():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
        try:
            widths = {len(record) for record in reader if record}
        except csv.Error:
            continue
        if (len(widths) == 1 and widths != {1}) or (mark in header and "," not in header):
            call = f"pandas.read_csv({file!r}, sep={written}, decimal=',').convert_dtypes()"
            raise StudyError(
                f"the cells are separated by {called}; expected commas, and a decimal point in "
                "numbers: save the file as 'CSV UTF-8 (comma delimited)', or where the program "
                f"has decimal commas convert it with {call}.to_csv({file!r}, index=False)",
                file=file,
                row=1,
                value=header,
            )


def _check_header(header: tuple[str, ...], file: str) -> None:
    seen: set[str] = set()
    for position, name in enumerate(header, start=1):
        if not name:
            said = f"column {position} has no name; expected a name in every cell of the first "
            raise StudyError(f"{said}row: name the column or delete it", file=file, row=1)
        if name in seen:
            said = "two columns have this name; expected every name once: rename or delete one"
            raise StudyError(said, file=file, row=1, column=name)
        seen.add(name)


def _check_width(record: list[str], expected: int, file: str, row: int, one: str) -> None:
    if _blank(record):
        raise StudyError(f"the row is blank; expected a {one}: delete the row", file=file, row=row)
    if len(record) > expected:
        raise StudyError(
            f"too many cells: {len(record)}; expected {expected}, as in the header (a decimal "
            "comma has to be a point, and a comma inside a label needs double quotes around the "
            "cell)",
            file=file,
            row=row,
            value=record[-1],
        )
    if len(record) < expected:
        raise StudyError(
            f"too few cells: {len(record)}; expected {expected}, as in the header (where the last "
            "cells are empty the commas are needed; a spreadsheet program writes them if the last "
            "column is one that is always filled)",
            file=file,
            row=row,
        )


def table_text(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Cells of text as the CSV that :func:`read_table` reads, unchanged."""
    return raw_csv([header, *rows])


# -- tables as CSV text that a spreadsheet opens without surprises ---------------------


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV: UTF-8, quoted where needed, six digits, no formulas, missing empty."""
    columns = [table[name].tolist() for name in table.columns]
    return csv_rows([map(str, table.columns), *zip(*columns, strict=True)])


def csv_rows(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV, cell by cell as :func:`csv_text` writes them."""
    return raw_csv(map(_cell, row) for row in rows)


def raw_csv(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV, cells as they are, quoted where needed."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(value)
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}" if np.isfinite(value) else ""
    # A lone carriage return ends a row for some readers, and Python 3.12.1 does not quote it.
    text = "" if value is None else str(value).replace("\r\n", "\n").replace("\r", "\n")
    return plain_cell(text)
