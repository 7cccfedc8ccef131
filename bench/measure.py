"""Running one process and saying what it took."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: Seconds between two looks at the memory of a process and its children.
LOOK = 0.1
MEGA = 2**20


class FailedError(Exception):
    """A measured process did not do what it was to do; the text says what it said last."""


@dataclass(frozen=True)
class Run:
    """What a process took.

    Attributes
    ----------
    wall, cpu : float
        Seconds from start to end, and of user and system time, children included.
    largest : float
        Peak memory of the largest single process, MiB. A process begins as a copy of this one, so
        that it is not below what this one has.
    tree : float or None
        Peak memory of the process with all its children, pages that they share counted once,
        MiB; only if asked for, and only on Linux.
    """

    wall: float
    cpu: float
    largest: float
    tree: float | None = None


def run(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    folder: Path,
    *,
    memory: bool = False,
    accept: Sequence[int] = (0,),
    limit: float = 1800,
) -> Run:
    """Run a process to its end.

    Parameters
    ----------
    command : sequence of str
    environment : mapping of str to str
        All of its environment variables.
    folder : Path
        Where it runs.
    memory : bool
        Whether to look at the memory of all its processes, every tenth of a second; costs time.
    accept : sequence of int
        Exit codes that count as done.
    limit : float
        Seconds after which it is stopped.

    Raises
    ------
    FailedError
        If it ends with another exit code, or was stopped.
    """
    with tempfile.TemporaryFile() as said:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that it can be stopped with its children
        )
        look = _Look(process.pid, memory)
        stop = threading.Timer(limit, _stop, [process.pid])
        stop.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - begun
        except BaseException:
            _stop(process.pid)
            raise
        finally:
            stop.cancel()
            look.end()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in accept:
            said.seek(0)
            # It goes into the report, where places on this machine have no business.
            text = re.sub(r"(/[\w.+@-]+)+/(?=[\w.+@-])", "", said.read().decode(errors="replace"))
            last = text.strip().splitlines()[-5:]
            name = " ".join(Path(str(part)).name for part in command[:3])
            raise FailedError(f"{name} ended with {process.returncode}: " + " / ".join(last))
    # Linux counts kilobytes, macOS bytes.
    unit = MEGA if os.uname().sysname == "Darwin" else 1024
    cpu = used.ru_utime + used.ru_stime
    return Run(wall, cpu, used.ru_maxrss * unit / MEGA, look.peak)


def _stop(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


class _Look(threading.Thread):
    """Looks at the memory of a session of processes until told to end."""

    def __init__(self, session: int, wanted: bool) -> None:
        super().__init__(daemon=True)
        self.session, self.over = session, threading.Event()
        self.peak: float | None = None
        if wanted and Path("/proc/self/smaps_rollup").exists():
            self.start()

    def run(self) -> None:
        while not self.over.wait(LOOK):
            self.peak = max(self.peak or 0.0, memory_of(self.session))

    def end(self) -> None:
        self.over.set()
        if self.is_alive():
            self.join()


def memory_of(session: int) -> float:
    """Memory of all processes of a session, MiB: what is shared is counted once (Linux)."""
    total = 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        # A process may end between two looks.
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            # After the name in brackets: state, parent, group, session.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                rollup = (folder / "smaps_rollup").read_text()
                total += sum(
                    int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")
                )
    return total / 1024
