"""Many independent tasks, each result saved as it comes: on all cores, or on a Dask cluster.

Calibration and leave-one-out are hundreds of fits that know nothing of each other. A task is a
key and a payload; what a function makes of the payload is appended to a journal before anything
else happens with it. A run that was killed goes on where it was, and what comes out is the same
whatever did the work, in whatever order it was done, and however often it was broken off.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from io import FileIO
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from intlmodels.core import files, versions
from intlmodels.core.errors import StudyError, listed
from intlmodels.core.jsonvalues import parse_json
from intlmodels.core.processes import GOES_ON, helpers
from intlmodels.core.scheduler import MACHINE, cluster
from intlmodels.core.settings import Progress

if sys.platform != "win32":
    import fcntl

#: Tasks handed to the executor at a time: enough for any cluster, little memory.
MOST = 1000
#: A journal starts with this.
START = b'{"journal": 2, "identity": '
#: Each of its lines ends with a checksum of what is before it.
_CHECKSUM = b', "checksum": "%s"}\n'
#: What decides the last digit of a result, apart from the code of this package.
NUMERICAL = ("numba", "numpy", "nutpie", "pymc", "pytensor", "scipy", MACHINE)
#: Dask's workers have one thread for linear algebra each; so do ours.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


# -- the journal -------------------------------------------------------------------------


@dataclass(frozen=True)
class Journal:
    """Results of tasks in a text file: a line that says what the tasks are, then one a result.

    Each line has a checksum, so that a result that was damaged is noticed.

    Not quite JSON: ``NaN``, ``Infinity`` and ``-Infinity`` stand for themselves, as Python writes
    and reads them, so that every float comes back as it was.

    Attributes
    ----------
    path : Path
    identity : dict of str
        What the results depend on, apart from the payloads; what JSON can hold. A journal of
        another identity, or of another kind of computer, holds nothing for these tasks.
    """

    path: Path
    identity: Mapping[str, Any]

    def results(self) -> dict[str, Any]:
        """Results of the finished tasks by key; none if there is no journal, or of other tasks.

        Raises
        ------
        StudyError
            If the file is no journal, or a line of it cannot be read. A last line that was
            cut short is no error: its task is not finished.
        """
        return _held(self.path, self.first_line()).results

    def first_line(self) -> Any:
        """Its identity and the kind of computer, as JSON gives them back."""
        return _plain({**self.identity, MACHINE: versions.kind()})


@dataclass
class _Held:
    """What a journal holds: whose results, which, and where its last whole line ends."""

    identity: Any = None
    results: dict[str, Any] = field(default_factory=dict)
    end: int = 0


def _plain(value: Any) -> Any:
    """A value as it comes back from JSON: tuples are lists, every key is a text."""
    return json.loads(json.dumps(value))


def _held(path: Path, identity: Any) -> _Held:
    held = _Held()
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if number == 1 and line[: len(START)] != START[: len(line)]:
                    raise StudyError(
                        "this is no journal of tasks, or one of an earlier version; move the file "
                        "elsewhere",
                        file=str(path),
                    )
                if not line.endswith(b"\n"):
                    break
                key, value = _entry(line, path, number)
                held.end += len(line)
                if number == 1:
                    held.identity = value
                    if value != identity:
                        break
                else:
                    held.results[key] = value
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StudyError(f"cannot be read ({error.strerror})", file=str(path)) from error
    return held


def _entry(line: bytes, path: Path, number: int) -> tuple[str, Any]:
    """Key and result of a line; of the first line the identity."""
    try:
        body = line[: -len(_CHECKSUM % bytes(16))]
        if line != _line(body):
            raise ValueError("not as it was written")
        entry = parse_json(line)
        if number == 1:
            return "", entry["identity"]
        key, value = entry["key"], entry["result"]
        if not isinstance(key, str):
            raise TypeError(key)
    except (ValueError, KeyError, TypeError) as error:
        mend = (
            "remove the file; its tasks are then done again"
            if number == 1
            else "remove that line; its task is then done again"
        )
        raise StudyError(f"damaged; {mend}", file=f"{path}, line {number}") from error
    return key, value


def _line(body: bytes) -> bytes:
    """A line of a journal: an object of JSON without its last brace, and a checksum."""
    return body + _CHECKSUM % hashlib.sha256(body).hexdigest()[:16].encode()


@contextmanager
def _opened(
    journal: Journal, tell: Callable[[str], None] | None
) -> Iterator[tuple[FileIO, dict[str, Any]]]:
    """A journal to be written by this process alone, and the results that it holds already."""
    path, identity = journal.path, journal.first_line()
    files.require_writable(path.parent)
    with _appendable(path) as file:
        _lock(file, path)
        held = _held(path, identity)
        if held.end and held.identity != identity:
            _set_aside(path, held, identity, tell)
            held = _Held()
        file.truncate(held.end)
        if not held.end:
            _append(file, path, _line(START + json.dumps(identity).encode()))
        yield file, held.results


def _appendable(path: Path) -> FileIO:
    try:
        # Unbuffered: a buffer would be written at the end, after a mishap as well.
        return path.open("a+b", buffering=0)
    except OSError as error:
        raise StudyError(f"cannot be written ({error.strerror})", file=str(path)) from error


def _lock(file: FileIO, path: Path) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StudyError(
            "another process is at work on these tasks; wait until it is done, or stop it",
            file=str(path),
        ) from None
    except OSError:
        pass  # Some network drives have no locks.


def _set_aside(path: Path, held: _Held, identity: Any, tell: Callable[[str], None] | None) -> None:
    """Keep a journal of other tasks, if it has results; the lock stays with the file itself."""
    if path.stat().st_size == held.end:
        return
    old = path.with_name(f"{path.name}.old")
    shutil.copyfile(path, old)
    if tell is not None:
        parts = _changed(held.identity, identity)
        what = f"{listed(parts)} changed" if parts else "not these"
        tell(f"{path}: results of other tasks ({what}) are set aside in {old.name}")


def _changed(old: Any, new: Any) -> list[str]:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return []
    # Not `get`, for which something that is missing is something that is None.
    both = old.keys() & new.keys()
    return [name for name in {**old, **new} if name not in both or old[name] != new[name]]


def _append(file: FileIO, path: Path, lines: bytes) -> None:
    """Append whole lines, or nothing if that is interrupted, or the disk is full."""
    end = file.seek(0, os.SEEK_END)
    try:
        left = memoryview(lines)
        while left:
            left = left[file.write(left) or 0 :]
        os.fsync(file.fileno())
    except BaseException as error:
        file.truncate(end)
        if isinstance(error, OSError):
            raise StudyError(
                f"cannot be written ({error.strerror}); {GOES_ON}", file=str(path)
            ) from error
        raise


# -- the tasks ---------------------------------------------------------------------------


def run[T](
    function: Callable[[T], Any],
    tasks: Mapping[str, T],
    journal: Journal,
    pool: Executor,
    *,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
    most: int = MOST,
) -> dict[str, Any]:
    """Do the tasks that are not finished yet, and save each result as it comes.

    Parameters
    ----------
    function : callable
        Makes what JSON can hold of a payload, and the same of the same payload, wherever and
        whenever it is called. Other processes import it by its name.
    tasks : mapping
        Key -> payload. A payload is looked up when its turn comes, so that a mapping can make
        it then.
    journal : Journal
    pool : concurrent.futures.Executor
        See :func:`executor`.
    progress : callable, optional
        Called with the finished part, 0 to 1; at first with the part that was finished before.
    tell : callable, optional
        Called with a line of text if the journal held results of other tasks. They are then in
        a file beside it that ends in ``.old``, in place of any that was there before.
    most : int
        Tasks handed to the pool at a time.

    Returns
    -------
    dict
        Key -> result, in the order of the tasks.

    Raises
    ------
    StudyError
        If another process is at work on the journal, or it cannot be read or written.
    Exception
        Whatever the function raised. As after an interrupt, what is finished is in the journal
        and what has not begun is cancelled.
    """
    with _opened(journal, tell) as (file, results):
        left = [key for key in tasks if key not in results]

        def keep(texts: Mapping[str, str]) -> None:
            bodies = [f'{{"key": {json.dumps(key)}, "result": {texts[key]}' for key in texts]
            _append(file, journal.path, b"".join(_line(body.encode()) for body in bodies))
            results.update({key: json.loads(text) for key, text in texts.items()})

        before = len(tasks) - len(left)
        with closing(_done(function, tasks, left, pool, keep, most)) as steps:
            for done in steps:
                if progress is not None and tasks:
                    progress((before + done) / len(tasks))
        return {key: results[key] for key in tasks}


def _done[T](
    function: Callable[[T], Any],
    tasks: Mapping[str, T],
    keys: Iterable[str],
    pool: Executor,
    keep: Callable[[Mapping[str, str]], None],
    most: int,
) -> Generator[int]:
    """Do the tasks and keep the results; yield how many are done, first none."""
    left = iter(keys)
    running: dict[Future[str], str] = {}
    ended: SimpleQueue[Future[str]] = SimpleQueue()
    done = 0

    def keep_of(futures: Iterable[Future[str]]) -> int:
        good = [f for f in futures if not f.cancelled() and f.exception() is None]
        if good:
            keep({running[future]: future.result() for future in good})
        for future in good:
            del running[future]
        return len(good)

    try:
        while True:
            yield done
            for key in islice(left, most - len(running)):
                future = pool.submit(_text, function, tasks[key])
                running[future] = key
                future.add_done_callback(ended.put)
            if not running:
                return
            # All that ended by now: they are saved together, which is quicker.
            batch = [ended.get(), *(ended.get() for _ in range(ended.qsize()))]
            done += keep_of(batch)
            for future in batch:
                future.result()
    except BaseException:
        # What ended meanwhile is worth as much as what ended before.
        keep_of([future for future in running if not future.cancel() and future.done()])
        raise


def _text[T](function: Callable[[T], Any], payload: T) -> str:
    """A result as the journal holds it, so that it is the same when it is read again."""
    return json.dumps(function(payload))


# -- who does them -----------------------------------------------------------------------


@contextmanager
def executor(cores: int, scheduler: str | None = None) -> Iterator[Executor]:
    """Processes of this computer, or the workers of a Dask cluster.

    Parameters
    ----------
    cores : int
        Processes of this computer. Each has one thread for linear algebra.
    scheduler : str, optional
        Address of the scheduler of a cluster, such as ``tcp://localhost:8786``. A task whose
        worker died is given to another one.

    Yields
    ------
    concurrent.futures.Executor
        Leaving the block stops the processes, or takes leave of the cluster, at once.

    Raises
    ------
    StudyError
        If Dask is missing, the scheduler does not answer, the workers would not compute the
        same as this computer, or workers ended before their tasks were done.
    """
    with _processes(cores) if scheduler is None else cluster(scheduler, NUMERICAL, GOES_ON) as pool:
        yield pool


@contextmanager
def _processes(cores: int) -> Iterator[Executor]:
    before = dict(os.environ)
    # Read when a process loads its libraries: too late for this one, in time for the others.
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        with helpers(cores) as pool:
            yield pool
    finally:
        for name in THREADS:
            os.environ.pop(name)
            os.environ.update({name: before[name]} if name in before else {})
