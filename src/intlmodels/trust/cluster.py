"""The workers of a Dask cluster, as far as they compute the same as this computer.

A result must not depend on who computed it. Before a worker does anything, it holds its Python,
its numerical packages and the code of this package against those of the computer that asks.
"""

from __future__ import annotations

import hashlib
import logging
import platform
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import intlmodels
from intlmodels.errors import StudyError

if TYPE_CHECKING:
    from distributed import Client

#: Seconds to wait for the scheduler.
PATIENCE = 10
#: What decides the last digit of a result, apart from the code of this package.
NUMERICAL = ("numba", "numpy", "nutpie", "pymc", "pytensor", "scipy")
#: What an error says if the work was broken off by no fault of its own.
GOES_ON = "what is finished is kept, and the same command goes on from there"


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The workers of a cluster, for as long as the block lasts.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://localhost:8786``. A task whose worker died is given to
        another one; Dask gives up when it cost the fourth worker its life.

    Yields
    ------
    concurrent.futures.Executor

    Raises
    ------
    StudyError
        If Dask is missing, no scheduler answers, the workers would not compute the same as this
        computer, or they or the scheduler ended before the work was done.
    """
    try:
        from distributed import KilledWorker
    except ImportError:
        raise StudyError(
            "a cluster needs Dask; install it: pip install 'intlmodels[cluster]'", value=address
        ) from None
    with _quiet("distributed.client"), _connected(address) as client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
            # A worker without this package would end for good when it is handed one of its
            # functions; asked to import it, it says so.
            client.run(import_module, __name__)
            yield _Workers(client.get_executor(pure=False))
        except KilledWorker as error:
            raise StudyError(
                "several workers ended unexpectedly at the same task, perhaps for lack of memory; "
                f"{GOES_ON}",
                file=address,
            ) from error
        except TimeoutError as error:
            raise StudyError(
                f"the scheduler has no workers after {PATIENCE} s; start some, for example: dask "
                f"worker {address}",
                file=address,
            ) from error
        except CancelledError as error:
            raise StudyError(f"the scheduler was lost; {GOES_ON}", file=address) from error
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "intlmodels":
                raise
            raise StudyError(
                "a worker of the cluster does not have this intlmodels; install the same there as "
                "here",
                file=address,
            ) from error


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Dask prints tracebacks of a lost connection, of which an error tells in one line."""
    log = logging.getLogger(name)
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _connected(address: str) -> Client:
    from distributed import Client
    from distributed.versions import VersionMismatchWarning

    try:
        # First by ourselves: Dask takes its time over an address that is none.
        parts = urlsplit(address if "://" in address else f"tcp://{address}")
        socket.create_connection((parts.hostname or "", parts.port or 0), PATIENCE).close()
        with warnings.catch_warnings():
            # Every worker is held against this computer in what matters.
            warnings.simplefilter("ignore", VersionMismatchWarning)
            return Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, MemoryError) as error:  # the last if it is not Dask's language
        raise StudyError(
            "no Dask scheduler answers there; expected its address, such as tcp://localhost:8786",
            value=address,
        ) from error


class _Workers(Executor):
    """The workers of a cluster, each of which makes sure that it computes the same as we do."""

    def __init__(self, workers: Executor) -> None:
        self._workers = workers

    def submit[R](self, function: Callable[..., R], /, *arguments: Any, **named: Any) -> Future[R]:
        return self._workers.submit(on_worker, installed(), function, *arguments, **named)


#: Compilers and samplers do not share a process: of several threads of a worker one is at work.
_ONE_AT_A_TIME = threading.Lock()


def on_worker[R](
    wanted: dict[str, str], function: Callable[..., R], *arguments: Any, **named: Any
) -> R:
    """Call a function on a worker of a cluster, if it would compute the same as elsewhere.

    Raises
    ------
    StudyError
        If the worker has other versions.
    """
    other = [
        f"{name} {version} instead of {wanted.get(name)}"
        for name, version in installed().items()
        if version != wanted.get(name)
    ]
    if other:
        raise StudyError(
            f"a worker of the cluster has {', '.join(other)}, and might compute something else; "
            "install the same there as here"
        )
    with _ONE_AT_A_TIME:
        return function(*arguments, **named)


@cache
def installed() -> dict[str, str]:
    """What results depend on besides the tasks: Python, packages and the code of this one."""
    folder = Path(intlmodels.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        **{name: _version(name) for name in NUMERICAL},
        "code of intlmodels": digest.hexdigest()[:8],
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"
