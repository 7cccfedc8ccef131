"""The files of a register: which they are, what columns they have, and whether they changed."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from intlmodels.csvtable import clean_label
from intlmodels.errors import StudyError, did_you_mean, listed, shown
from intlmodels.study.keys import wrong
from intlmodels.study.rows import RowFiles

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
        stats = [(name, path.stat()) for name, path in zip(self.names, self.paths, strict=True)]
        return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]


def find(register: RowFiles) -> Found:
    """Find the files of a register.

    Raises
    ------
    StudyError
        If there are none, or of both formats or another one.
    """
    try:
        matching = sorted(_matching(register), key=str)
        paths = [path for path in matching if path.is_file()]
    except (OSError, RuntimeError, ValueError, NotImplementedError) as error:
        raise wrong(
            f"not a usable path ({getattr(error, 'strerror', None) or error})",
            _KEY,
            register.files,
        ) from error
    _require_no_links_out(register, matching)
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
        return [
            path
            for path in [whole, *whole.rglob("*")]
            if not _hidden(path.relative_to(whole))
            and (path.suffix.lower() in FORMATS or (path.is_symlink() and path.is_dir()))
        ]
    if whole.exists():
        return [whole]
    parts = whole.parts
    first = next((i for i, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
    if first == len(parts):
        return []
    base = Path(*parts[:first])
    linked = [path for path in base.rglob("*") if path.is_symlink()] if "**" in parts else []
    return {*base.glob(str(Path(*parts[first:]))), *filter(Path.is_dir, linked)}


def _hidden(path: Path) -> bool:
    """Programs that write many files leave others beside them, which begin with these marks."""
    return any(part.startswith((".", "_")) for part in path.parts)


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
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file, strict=True), [])
    except UnicodeDecodeError as error:
        raise StudyError(
            "expected text in UTF-8; save the file as 'CSV UTF-8'", file=name, row=1
        ) from error
    except (OSError, csv.Error) as error:
        raise StudyError(
            f"the first row cannot be read ({getattr(error, 'strerror', None) or error}); expected "
            "the names of the columns, separated by commas",
            file=name,
            row=1,
        ) from error
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise StudyError("expected names separated by commas", file=name, row=1, value=header[0])
    return tuple(header)


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
