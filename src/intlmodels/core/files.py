"""Files written as a whole or not at all, and short hashes of values."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from intlmodels.core.errors import StudyError


def short_hash(*values: Any) -> str:
    """Hash of arrays and of what JSON can hold."""
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray):
            digest.update(repr((value.shape, value.dtype.str)).encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            digest.update(json.dumps(value, sort_keys=True, ensure_ascii=True).encode())
    return digest.hexdigest()[:16]


def require_writable(folder: Path) -> None:
    """Make the folder if need be, and find out now, not after the fit, whether it can be used."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        said = f"cannot write there ({error.strerror}); choose another folder with --out"
        raise StudyError(said, file=str(folder)) from error


#: Name of a temporary file: of which machine and process, and what tells it from others.
_TEMPORARY = re.compile(r"\.part-([0-9a-f]{8})-(\d{1,9})-\w{8}(\.\w+)?")
_MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
#: Seconds after which a temporary file is left over, whoever wrote it.
_LEFT_OVER = 24 * 3600


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that replaces it if the block succeeds."""
    require_writable(path.parent)
    _remove_left_over(path.parent)
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".part-{_MACHINE}-{os.getpid()}-", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            os.umask(mask := os.umask(0))
            temporary.chmod(0o666 & ~mask)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())  # else a power cut may leave an empty file in its place
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        if error.filename is not None and not _TEMPORARY.fullmatch(Path(error.filename).name):
            raise  # of another file, which the block read
        said = f"cannot be written ({error.strerror or error}); existing files are unchanged"
        raise StudyError(said, file=str(path)) from error


def _remove_left_over(folder: Path) -> None:
    """Remove temporary files of processes that were killed while they wrote."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _TEMPORARY.fullmatch(entry.name)
            if found is None:
                continue
            dead = found[1] == _MACHINE and not _alive(int(found[2]))
            if dead or time.time() - entry.stat().st_mtime > _LEFT_OVER:
                Path(entry.path).unlink(missing_ok=True)


def _alive(process: int) -> bool:
    if sys.platform == "win32":
        return True  # where signal 0 is not a question
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def write_text(text: str, path: Path) -> None:
    """Write a text file atomically, in UTF-8 with plain newlines."""
    with atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(content: bytes, path: Path) -> None:
    """Write a file atomically."""
    with atomically(path) as temporary:
        temporary.write_bytes(content)


# -- folders of results ----------------------------------------------------------------

#: Start of the names of the hidden folders in which files are completed.
_STAGE = ".intlmodels-"


def output_folder(text: str | Path, writes: bool = True) -> Path:
    """The folder that a user names for results; nothing is made."""
    name = str(text)
    if not name.strip() or not name.isprintable():
        raise StudyError("expected the path of a folder", file="--out", value=name)
    folder = Path(text)
    try:
        probe(folder, writes)
    except OSError as error:
        said = f"output must be a folder that can be written to ({error.strerror}); choose another "
        raise StudyError(f"{said}one with --out", file=name) from error
    return folder


def probe(folder: Path, writes: bool = True) -> None:
    """Find out whether a folder could be used, also one that is not there yet."""
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


@contextmanager
def new_folder(text: str | Path) -> Iterator[Path]:
    """The path of a folder that can be made; StudyError if the block cannot make it."""
    if not str(text).strip() or not str(text).isprintable():
        raise StudyError("expected the path of a folder to create", value=str(text))
    try:
        folder = Path(text).expanduser()
        if folder.exists() and not folder.is_dir():
            raise StudyError("this is a file; expected a folder to create", file=str(folder))
        if folder.exists() and any(folder.iterdir()):
            said = "the folder is not empty, and its files are never overwritten; expected a new "
            raise StudyError(f"{said}name, or an empty folder", file=str(folder))
        if not folder.exists() and not folder.parent.is_dir():
            said = f"the parent folder {folder.parent} does not exist; create it first"
            raise StudyError(said, file=str(folder))
        yield folder
    except (OSError, RuntimeError) as error:  # no permission, no such home, too long a name
        why = getattr(error, "strerror", None) or error
        said = f"cannot create this folder ({why}); choose another place"
        raise StudyError(said, file=str(text)) from error


def write_all(files: Mapping[str, bytes], folder: Path, outdated: Iterable[str] = ()) -> None:
    """Write all files or none, by path below the folder, and remove ``outdated`` ones."""
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
