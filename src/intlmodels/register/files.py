"""The files of a register: which they are, what columns they have, and whether they changed."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import StudyError, did_you_mean, listed, shown
from intlmodels.study import RowFiles
from intlmodels.study.keys import wrong

#: Endings of files, and the format that each stands for.
FORMATS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv"}

_KEY = "[register] files"


@dataclass(frozen=True)
class Found:
    """The files of a register.

    Attributes
    ----------
    format : {"csv", "parquet"}
    paths : tuple of Path
        In the order of their names.
    names : tuple of str
        The same as messages name them: relative to the study's folder if they lie in it.
    """

    format: str
    paths: tuple[Path, ...]
    names: tuple[str, ...]

    def marks(self) -> list[list[str | int]]:
        """Name, size and time of change of each file: other marks mean other files."""
        found = [(name, path.stat()) for name, path in zip(self.names, self.paths, strict=True)]
        return [[name, status.st_size, status.st_mtime_ns] for name, status in found]


def find(register: RowFiles) -> Found:
    """Find the files of a register.

    Raises
    ------
    StudyError
        If there are none, or of both formats or another one.
    """
    try:
        matching = sorted(_matching(register), key=str)
        _require_no_links_out(register, matching)
        paths = _each_once(matching, register)
    except (OSError, RuntimeError, ValueError, NotImplementedError) as error:
        if isinstance(error, StudyError):
            raise
        raise wrong(
            f"not a usable path ({getattr(error, 'strerror', None) or error})",
            _KEY,
            getattr(error, "filename", None) or register.files,
        ) from error
    if not paths:
        raise wrong(
            "no such file; expected CSV or Parquet: a file, a glob such as data/*.parquet, or a "
            f"folder, from the folder {register.folder} on",
            _KEY,
            register.files,
        )
    formats = {FORMATS.get(path.suffix.lower(), path.suffix or path.name) for path in paths}
    if len(formats) > 1 or not formats <= set(FORMATS.values()):
        raise wrong(
            f"expected files that all end in .csv, or all in .parquet, and not in "
            f"{listed(sorted({path.suffix for path in paths}))}",
            _KEY,
            register.files,
        )
    whole = tuple(path.absolute() for path in paths)  # the same wherever a worker was started
    return Found(formats.pop(), whole, tuple(_name(path, register) for path in paths))


def _require_no_links_out(register: RowFiles, paths: Iterable[Path]) -> None:
    """Refuse links out of the study's folder, and links to folders, which a glob passes over."""
    # A path that is absolute or goes up is read as the user wrote it.
    written = Path(register.files).expanduser()
    outside = written.is_absolute() or ".." in written.parts
    home = os.path.realpath(register.folder)
    for path in paths:
        real = Path(os.path.realpath(path))
        if not (outside or real.is_relative_to(home)):
            raise wrong(
                f"{shown(_name(path, register))} is a link that leads out of the study's folder; "
                f"expected files inside, or the path of others in full: write files = "
                f'"{real}", or a glob there',
                _KEY,
                register.files,
            )
        if path.is_symlink() and path.is_dir() and path != register.folder / written:
            raise wrong(
                f"{shown(_name(path, register))} is a link to a folder, whose files would be "
                "passed over; expected folders: name the folder itself in files",
                _KEY,
                register.files,
            )


def _matching(register: RowFiles) -> Iterable[Path]:
    whole = register.folder / Path(register.files).expanduser()
    if whole.is_dir():
        return [path for path in _below(whole, set()) if path.suffix.lower() in FORMATS]
    if os.path.lexists(whole):
        return [whole]
    parts = whole.parts
    first = next((i for i, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
    if first == len(parts):
        return []
    fixed = Path(*parts[:first])
    if first < len(parts) - 1 and fixed.is_dir():
        # A glob passes over folders that cannot be read without a word.
        for _ in _below(fixed, set()):
            pass
    linked = [path for path in fixed.rglob("*") if path.is_symlink()] if "**" in parts else []
    return {*fixed.glob(str(Path(*parts[first:]))), *filter(Path.is_dir, linked)}


def _below(folder: Path, above: set[tuple[int, int]]) -> Iterator[Path]:
    """All that is in a folder and its folders, also linked ones, but no folder twice.

    Programs that write many files leave others beside them, which begin with a dot or underscore.
    """
    status = folder.stat()
    own = (status.st_dev, status.st_ino)
    if own in above:
        return
    above.add(own)
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")):
            continue
        if path.is_dir():
            yield from _below(path, above)
        else:
            yield path


def _each_once(paths: Iterable[Path], register: RowFiles) -> list[Path]:
    """Files without the further names of one, as links give it."""
    seen: dict[tuple[int, int], Path] = {}
    for path in paths:
        name = _name(path, register)
        try:
            status = path.stat()
        except OSError as error:
            problem = "a link to nothing" if path.is_symlink() else error.strerror
            raise StudyError(
                f"file cannot be read ({problem}); expected a readable file", file=name
            ) from error
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or device"
            raise StudyError(f"expected an ordinary file, but this is {what}", file=name)
        if not os.access(path, os.R_OK):
            raise StudyError("file cannot be read; expected permission to read it", file=name)
        seen.setdefault((status.st_dev, status.st_ino), path)
    return list(seen.values())


def _name(path: Path, register: RowFiles) -> str:
    inside = path.is_relative_to(register.folder)
    return str(path.relative_to(register.folder)) if inside else str(path)


# -- columns -----------------------------------------------------------------------------


def csv_header(path: Path, name: str) -> tuple[str, ...]:
    """The names of the columns of a CSV file.

    Raises
    ------
    StudyError
        If the first row cannot be read.
    """
    records = first_records(path, name, 1)
    if not records:
        raise StudyError("file is empty; expected a header, and rows below it", file=name)
    header = records[0]
    if not any(text.strip() for text in header):
        raise StudyError(
            "the row is blank; expected the names of the columns: delete the row", file=name, row=1
        )
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise StudyError("expected names separated by commas", file=name, row=1, value=header[0])
    return tuple(header)


def first_records(path: Path, name: str, most: int) -> list[list[str]]:
    """The first records of a CSV file, with its header.

    Raises
    ------
    StudyError
        If they cannot be read.
    """
    found: list[list[str]] = []
    try:
        # What is not UTF-8 further down is told with its own row.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            found.extend(islice(csv.reader(file, strict=True), most))
    except (OSError, csv.Error) as error:
        raise StudyError(
            f"the row cannot be read ({getattr(error, 'strerror', None) or error}); expected cells "
            "separated by commas, and double quotes around a whole cell",
            file=name,
            row=len(found) + 1,
        ) from error
    for row, record in enumerate(found, start=1):
        if any("\udc80" <= c <= "\udcff" or c == "\0" for cell in record for c in cell):
            raise StudyError(
                "expected text in UTF-8; save the file as 'CSV UTF-8'", file=name, row=row
            )
    return found


def places(header: tuple[str, ...], register: RowFiles, name: str) -> tuple[int, ...]:
    """Position of each column of a register in the header of a file.

    Raises
    ------
    StudyError
        If a column is missing or there twice.
    """
    clean = [clean_label(text) for text in header]
    found = []
    for key, column in register.columns.items():
        if clean.count(column) != 1:
            asked = register.named_by(key)
            problem = (
                "the file has none of that name" if column not in clean else "it is there twice"
            )
            raise StudyError(
                f"expected this column, named by {asked} in study.toml, but {problem}"
                f"{did_you_mean(column, clean)}; its columns are {listed(clean)}",
                file=name,
                column=column,
            )
        found.append(clean.index(column))
    return tuple(found)


def named(names: Iterable[str], most: int = 3) -> str:
    """A few files in a message."""
    several = list(names)
    more = len(several) - most
    return ", ".join(map(shown, several[:most])) + (f" and {more} more" if more > 0 else "")
