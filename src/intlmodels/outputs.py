"""Folders of results: found unusable before any work, and written as a whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from intlmodels.errors import StudyError

#: Start of the names of the hidden folders in which files are completed.
_STAGE = ".intlmodels-"


def output_folder(text: str | Path, writes: bool = True) -> Path:
    """The folder that a user names for results; nothing is made.

    Parameters
    ----------
    text : str or path
    writes : bool
        Whether something will be written there; otherwise it need not be writable.

    Raises
    ------
    StudyError
        If it is a file, or cannot be made or written to.
    """
    name = str(text)
    if not name.strip() or not name.isprintable():
        raise StudyError("expected the path of a folder", file="--out", value=name)
    folder = Path(text)
    try:
        probe(folder, writes)
    except OSError as error:
        raise StudyError(
            f"output must be a folder that can be written to ({error.strerror}); choose another "
            "one with --out",
            file=name,
        ) from error
    return folder


def probe(folder: Path, writes: bool = True) -> None:
    """Find out whether a folder could be used, also one that is not there yet.

    Raises
    ------
    OSError
        If it is no folder, or cannot be made or written to.
    """
    whole = folder.absolute()
    with suppress(FileNotFoundError):
        whole.stat()
    there = next(path for path in (whole, *whole.parents) if os.path.lexists(path))
    if not stat.S_ISDIR(there.stat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
    if writes:
        # Permissions do not tell everything: a file system may be read-only, or a name too long.
        with tempfile.TemporaryDirectory(prefix=_STAGE, dir=there) as trial:
            missing = [part for part in whole.relative_to(there).parts if part != ".."]
            Path(trial, *missing).mkdir(parents=True, exist_ok=True)


def write_all(files: Mapping[str, bytes], folder: Path, outdated: Iterable[str] = ()) -> None:
    """Write all files or none: they are complete elsewhere before one of them appears.

    Parameters
    ----------
    files : mapping of str to bytes
        Path below the folder -> content.
    folder : Path
        Made if it is not there; its other files stay as they are.
    outdated : iterable of str
        Files of an earlier writing, which are removed.

    Raises
    ------
    OSError
        If a file cannot be written; then everything is as it was.
    """
    there = folder.exists()
    if not there:
        folder.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=folder if there else folder.parent))
    try:
        for name, content in files.items():
            path = stage / "new" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if there:  # it may hold what others have put there
            _exchange(dict.fromkeys([*files, *outdated]), stage, folder)
        else:
            (stage / "new").rename(folder)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _exchange(names: Iterable[str], stage: Path, folder: Path) -> None:
    """Move the old files out and the new ones in; undo it if that cannot be completed."""
    moves: list[tuple[Path, Path]] = []

    def move(source: Path, target: Path) -> None:
        if not os.path.lexists(source):
            return
        if source.is_dir() and not source.is_symlink():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(source))
        target.parent.mkdir(parents=True, exist_ok=True)
        moves.append((source, target))  # noted first: an interrupt may follow the renaming at once
        source.rename(target)

    try:
        for name in names:
            move(folder / name, stage / "old" / name)
            move(stage / "new" / name, folder / name)
    except BaseException:
        for source, target in reversed(moves):
            if not os.path.lexists(source):
                target.rename(source)
        raise
