"""Folders of results: found unusable before any work, written as a whole or not at all."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from intlmodels.core.errors import StudyError
from intlmodels.core.files import output_folder, write_all

NEW = {"a.txt": b"new a", "tables/b.csv": b"new b", "deep/er/c.svg": b"c", "z.txt": b"new z"}
OLD = {"a.txt": b"old a", "tables/b.csv": b"old b", "tables/gone.csv": b"g", "mine.txt": b"mine"}


def content(folder):
    """Every file below a folder, hidden ones too."""
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def old(tmp_path):
    folder = tmp_path / "out"
    for name, text in OLD.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)
    return folder


def test_files_are_replaced_and_others_stay(old):
    write_all(NEW, old, ["tables/gone.csv", "tables/b.csv", "never.csv"])
    assert content(old) == {**NEW, "mine.txt": b"mine"}


def test_a_folder_that_is_not_there_is_made_with_its_parents(tmp_path):
    write_all(NEW, tmp_path / "a" / "b")
    assert content(tmp_path) == {f"a/b/{name}": text for name, text in NEW.items()}
    assert list((tmp_path / "a").iterdir()) == [tmp_path / "a" / "b"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("method", "number"),
    [("write_bytes", n) for n in range(len(NEW))] + [("rename", n) for n in range(7)],
)
def test_whatever_breaks_off_leaves_what_was_there(old, monkeypatch, method, number, before, error):
    real, calls = getattr(Path, method), []

    def failing(path, *arguments):
        calls.append(path)
        if len(calls) == number + 1:
            if not before:
                real(path, *arguments)
            raise error
        return real(path, *arguments)

    monkeypatch.setattr(Path, method, failing)
    with pytest.raises(type(error)):
        write_all(NEW, old, ["tables/gone.csv"])
    assert content(old) == OLD


def test_a_folder_in_the_place_of_a_file_is_not_lost(old):
    (old / "z.txt").mkdir()
    (old / "z.txt" / "mine").write_bytes(b"mine as well")
    with pytest.raises(IsADirectoryError):
        write_all(NEW, old)
    assert content(old) == {**OLD, "z.txt/mine": b"mine as well"}


def _limited(size, folder):
    """Have the file system refuse what exceeds a size, as a full disk does."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs the file systems of Linux")
def test_a_full_disk_leaves_what_was_there(old, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if not (shutil.which("mount") and _limited("256k", small)):
        pytest.skip("only the administrator mounts a small disk")
    try:
        shutil.copytree(old, small / "out")
        with pytest.raises(OSError, match="No space left on device"):
            write_all({**NEW, "large": bytes(10**6)}, small / "out", ["tables/gone.csv"])
        assert content(small / "out") == OLD
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_only_what_is_written_to_must_be_writable(tmp_path):
    assert output_folder(tmp_path / "none", writes=False) == tmp_path / "none"
    with pytest.raises(StudyError, match="Not a directory"):
        output_folder("/dev/null/x", writes=False)
    assert output_folder(Path("a/../../b")) == Path("a/../../b")
