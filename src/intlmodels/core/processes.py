"""Processes: what each does first, and those that help with fits and reports on this computer.

With PyMC imported there are more than a million objects that stay to the end. Looking through
them for cycles again and again, and once more at the end, takes a tenth of a fit.
"""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from intlmodels.core.errors import StudyError
from intlmodels.core.files import probe
from intlmodels.core.threads import one_thread_each

#: New objects between two collections; Python's own number is 2000 or less.
NEW_OBJECTS = 1_000_000


def spare_collection() -> None:
    """Collect garbage rarely in this process, and not at all when it ends; do without Dask.

    With the first array xarray imports it, which takes longer than to make the array.
    """
    gc.set_threshold(NEW_OBJECTS)
    atexit.register(_spare_the_last)
    if "xarray" not in sys.modules:
        sys.modules.setdefault("dask", None)  # type: ignore[arg-type]


def _spare_the_last() -> None:
    # The system takes all memory back at once; what has to be closed is closed by its own code.
    # Only DuckDB looks for what is left of it, and tells it at length.
    if "_duckdb" not in sys.modules:
        gc.freeze()


# -- caches ------------------------------------------------------------------------------


def require_caches() -> None:
    """Use temporary caches, told to helpers by the environment, where usual ones cannot."""
    usual = {"pytensor": _pytensor(), "matplotlib": _matplotlib(), "numba": _numba()}
    lost = {
        name: folders[-1]
        for name, folders in usual.items()
        if name not in sys.modules and not any(map(_writable, folders))
    }
    if not lost:
        return
    cache = tempfile.mkdtemp(prefix="intlmodels-cache-")
    atexit.register(shutil.rmtree, cache, ignore_errors=True)
    if "pytensor" in lost:
        flags = os.environ.get("PYTENSOR_FLAGS", "").split(",")
        kept = [flag for flag in flags if flag and "compiledir=" not in flag]
        os.environ["PYTENSOR_FLAGS"] = ",".join([*kept, f"base_compiledir={cache}/pytensor"])
    if "matplotlib" in lost:
        os.environ["MPLCONFIGDIR"] = f"{cache}/matplotlib"
    if "numba" in lost:
        os.environ["NUMBA_CACHE_DIR"] = f"{cache}/numba"
    said = f"the cache {next(iter(lost.values()))} cannot be written: a temporary one is used, and "
    sys.stderr.write(f"{said}everything is compiled again in every run\n")


@contextmanager
def compiling(what: str) -> Iterator[None]:
    """Let one process at a time compile some kernels, so that others load what it has compiled."""
    from filelock import FileLock

    folder = next(filter(_writable, _numba()), Path(tempfile.gettempdir()))
    with FileLock(folder / f"compiling-{what}.lock"):
        yield


def _writable(folder: Path) -> bool:
    try:
        probe(folder)
    except (OSError, ValueError):
        return False
    return True


def _pytensor() -> list[Path]:
    for flag in reversed(os.environ.get("PYTENSOR_FLAGS", "").split(",")):
        name, _, value = flag.partition("=")
        if name.strip() in ("base_compiledir", "compiledir"):
            return [_expanded(value.strip())]
    local = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
    return [Path(local, "PyTensor") if local else _expanded("~/.pytensor")]


def _matplotlib() -> list[Path]:
    if os.environ.get("MPLCONFIGDIR"):
        return [_expanded(os.environ["MPLCONFIGDIR"])]
    if sys.platform.startswith(("linux", "freebsd")):
        return [_expanded(os.environ.get("XDG_CONFIG_HOME") or "~/.config") / "matplotlib"]
    return [_expanded("~/.matplotlib")]


def _numba() -> list[Path]:
    """Beside our code, or else below the home folder; numba tries both."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        return [_expanded(os.environ["NUMBA_CACHE_DIR"])]
    shared = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    beside = Path(__file__).parents[1] / "models" / "share" / "__pycache__"
    return [beside, _expanded(shared) / "numba"]


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # there is no home folder
        return Path(text)


# -- processes that help with fits and reports -----------------------------------------

#: What an error says if the work was broken off by no fault of its own.
GOES_ON = "finished work is saved; run the same command to resume"


@contextmanager
def helpers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that help with fits and reports, and stop at once if something goes wrong."""
    require_caches()
    # spawn: a forked child would inherit the threads of numba and BLAS in an unknown state.
    pool = _Helpers(count, mp_context=multiprocessing.get_context("spawn"), initializer=_as_helper)
    try:
        with one_thread_each():
            yield pool
    except BrokenExecutor as error:
        said = f"a worker process ended unexpectedly, perhaps for lack of memory; {GOES_ON}"
        raise StudyError(said) from error
    finally:
        # What is wanted of them has been waited for; their orderly end takes half a second.
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(cancel_futures=True)


class _Helpers(ProcessPoolExecutor):
    """Processes that an interrupt from the keyboard does not reach, not even as they start."""

    def submit[**P, R](
        self, function: Callable[P, R], /, *args: P.args, **named: P.kwargs
    ) -> Future[R]:
        if sys.platform == "win32":
            return super().submit(function, *args, **named)
        # A process inherits what is blocked when it is started, which happens here; an interrupt
        # of another thread must wait as well, or the new process is left without its work.
        waiting: list[int] = []
        in_main = threading.current_thread() is threading.main_thread()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        if in_main:
            handler = signal.signal(signal.SIGINT, lambda number, _: waiting.append(number))
        try:
            return super().submit(function, *args, **named)
        finally:
            if in_main:
                signal.signal(signal.SIGINT, handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            if waiting:
                signal.raise_signal(signal.SIGINT)


def _as_helper() -> None:
    spare_collection()
    # The parent is interrupted and stops its helpers; they need not complain as well.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed cannot stop its helpers, which would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
