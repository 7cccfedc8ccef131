"""The workers of a Dask cluster, as far as they compute the same as this computer.

A result must not depend on who computed it. Before a worker does anything, it holds its Python,
the packages that matter and the code of this package against those of the computer that asks.
"""

from __future__ import annotations

import hashlib
import logging
import platform
import socket
import ssl
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import intlmodels
from intlmodels.core import versions
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Progress

if TYPE_CHECKING:
    from distributed import Client, Security


#: Shows how far something with a title is; gives what is called with the finished part.
Bar = Callable[[str], AbstractContextManager[Progress | None]]

#: Seconds to wait for the scheduler.
PATIENCE = 10
#: What is the same on all workers whatever they do.
_PYTHON, _CODE = "python", "code of intlmodels"
#: Where it matters, stands among the packages for the kind of computer.
MACHINE = "machine"


@contextmanager
def cluster(address: str, packages: tuple[str, ...], goes_on: str) -> Iterator[Workers]:
    """The workers of the Dask cluster of a scheduler, for as long as the block lasts.

    They must have the same versions of ``packages``, and be of the same kind of computer if
    ``MACHINE`` is among them. ``goes_on`` is what an error says if the work was interrupted.
    StudyError if Dask is missing, no scheduler answers, or workers differ or end before the work is
    done.
    """
    if sys.modules.get("dask", True) is None:  # see `processes.spare_collection`
        del sys.modules["dask"]
    try:
        from distributed import KilledWorker
    except ImportError:
        said = "a cluster needs Dask; install it: pip install 'intlmodels[cluster]'"
        raise StudyError(said, value=address) from None
    with _quiet("distributed.client"), _connected(address) as client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
            # A worker without this package says so here; handed one of its functions it would end.
            client.run(import_module, __name__)
            yield Workers(client, packages)
        except KilledWorker as error:
            said = "several workers ended unexpectedly at the same task, perhaps for lack of "
            raise StudyError(f"{said}memory; {goes_on}", file=address) from error
        except TimeoutError as error:
            said = f"the scheduler has no workers after {PATIENCE} s; start some, for example: "
            raise StudyError(f"{said}dask worker {address}", file=address) from error
        except CancelledError as error:
            raise StudyError(f"the scheduler was lost; {goes_on}", file=address) from error
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "intlmodels":
                raise
            said = "a worker of the cluster does not have this intlmodels; install the same there "
            raise StudyError(f"{said}as here", file=address) from error


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Dask prints tracebacks of a lost connection, which an error reports in one line."""
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

    more = {"security": _security(address)} if address.startswith("tls://") else {}
    try:
        # First by ourselves: Dask takes its time over an address that is none.
        _reached(address, PATIENCE).close()
        with warnings.catch_warnings():
            # Every worker is held against this computer in what matters.
            warnings.simplefilter("ignore", VersionMismatchWarning)
            return Client(address, timeout=PATIENCE, set_as_default=False, **more)
    except (OSError, ValueError, MemoryError) as error:  # the last if it is not Dask's language
        problem = (
            "no Dask scheduler answers there; expected its address, such as tcp://localhost:8786"
        )
        if more and not isinstance(error, (ConnectionRefusedError, socket.gaierror)):
            problem = (
                "no scheduler answers there with TLS, or it does not take these certificates; "
                f"expected a scheduler that uses TLS, and certificates in {_TLS} that it knows"
            )
        elif not more and _speaks_tls(address):
            problem = (
                f"the scheduler there uses TLS; expected an address that begins with tls://, and "
                f"certificates in {_TLS}"
            )
        raise StudyError(problem, value=address) from error


#: Where Dask looks for certificates.
_TLS = "Dask's configuration (distributed.comm.tls: ca-file, client.cert, client.key)"


def _security(address: str) -> Security:
    """The certificates of Dask's configuration, if they are there and can be read."""
    from distributed import Security

    security = Security(require_encryption=True)
    try:
        context = security.get_connection_args("client")["ssl_context"]
    except OSError as error:
        said = f"the certificates in {_TLS} cannot be read ({error.strerror or error}); expected "
        raise StudyError(f"{said}PEM files", value=address) from error
    if context is None:
        raise StudyError(f"TLS needs certificates; expected them in {_TLS}", value=address)
    return security


def _reached(address: str, patience: float) -> socket.socket:
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    return socket.create_connection((parts.hostname or "", parts.port or 0), patience)


def _speaks_tls(address: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only asked, not trusted
    try:
        with _reached(address, 1) as plain:
            context.wrap_socket(plain).close()
    except (OSError, ValueError):
        return False
    return True


class Workers(Executor):
    """The workers of a cluster, each of which makes sure that it computes the same as we do."""

    def __init__(self, client: Client, packages: tuple[str, ...]) -> None:
        self._client = client
        self._workers = client.get_executor(pure=False)
        self._packages = packages

    def __len__(self) -> int:
        """How many there are now; some may come, and some go."""
        try:
            if self._client.status == "running":
                return len(self._client.nthreads())
        except OSError as error:
            raise CancelledError from error
        raise CancelledError  # as their work is when the scheduler is lost

    def submit[R](self, function: Callable[..., R], /, *arguments: Any, **named: Any) -> Future[R]:
        """Have a function called by one of them: see :func:`on_worker`."""
        wanted = installed(self._packages)
        return self._workers.submit(on_worker, wanted, function, *arguments, **named)


#: Compilers and samplers do not share a process: of several threads of a worker one is at work.
_ONE_AT_A_TIME = threading.Lock()


def on_worker[R](
    wanted: dict[str, str], function: Callable[..., R], *arguments: Any, **named: Any
) -> R:
    """Call a function on a worker, if that has the same versions and kind of computer."""
    here = installed(tuple(name for name in wanted if name not in (_PYTHON, _CODE)))
    other = [
        f"{name} {version} instead of {wanted[name]}"
        for name, version in here.items()
        if version != wanted[name]
    ]
    if other:
        alike = here.get(MACHINE) == wanted.get(MACHINE)
        fix = "install the same there as here" if alike else "use workers of the same kind"
        said = f"a worker of the cluster has {', '.join(other)}, and might compute different "
        raise StudyError(f"{said}results; {fix}")
    with _ONE_AT_A_TIME:
        return function(*arguments, **named)


def threads_here() -> int:
    """Threads of the worker that calls it: as many as it was started with."""
    from distributed import get_worker

    return int(get_worker().state.nthreads)


@cache
def installed(packages: tuple[str, ...]) -> dict[str, str]:
    """What results depend on besides the tasks: Python, packages and the code of this one."""
    folder = Path(intlmodels.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return {
        _PYTHON: ".".join(platform.python_version_tuple()[:2]),
        **{name: _version(name) for name in packages},
        _CODE: digest.hexdigest()[:8],
    }


def _version(package: str) -> str:
    if package == MACHINE:
        return versions.kind()
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"
