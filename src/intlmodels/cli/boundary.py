"""Where a command meets the system: its streams, one line for every error, and its exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from typing import TextIO

from intlmodels.core.errors import StudyError, one_line

#: Exit codes beside 0 (done) and 1 (not converged, not uniform, stale).
UNUSABLE = 2
CRASHED = 70
INTERRUPTED = 130

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run(command: Callable[[], int]) -> int:
    """Run a command to its exit code, whatever happens.

    What a user or the system can cause is one line on the standard error; a mistake of ours
    shows its traceback, and has an exit code of its own.
    """
    _repair_streams()
    try:
        code = command()
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _ended("interrupted: what was finished before is kept", INTERRUPTED)
    except Exception as error:  # noqa: BLE001 (the last one to catch it; a mistake stays visible)
        text = _in_one_line(error)
        if text:
            return _ended(f"error: {text}", UNUSABLE)
        return _ended(traceback.format_exc().rstrip(), CRASHED)
    finally:
        _give_up(sys.stdout)


def _ended(text: str, code: int) -> int:
    try:
        sys.stderr.write(f"{text}\n")
    except OSError:  # nobody can be told; the exit code says it
        _give_up(sys.stderr)
    return code


def _in_one_line(error: Exception) -> str:
    """What to say of an error that a user or the system causes; nothing of any other."""
    if isinstance(error, StudyError):
        return str(error)
    if _lacks_memory(error):
        return (
            "the memory does not suffice; what was finished before is kept. Close other programs, "
            "or take fewer draws, chains or cores (--draws, --chains, --cores 1)"
        )
    if not isinstance(error, OSError) or error.errno is None:
        return ""
    where = f"{error.filename}: " if error.filename else ""
    # HDF5 says a whole screen of it.
    reason = os.strerror(error.errno) if error.errno in _FULL else error.strerror
    if not error.filename and error.errno in (errno.EPIPE, errno.EBADF):
        return f"the output cannot be written ({reason})"
    if error.errno in _FULL:
        return one_line(
            f"{where}cannot be written ({reason}); everything that was there before is kept: make "
            "room, and run the same command again"
        )
    return one_line(f"{where or 'a file: '}cannot be used ({reason}); check this path")


def _lacks_memory(error: BaseException) -> bool:
    text = f"{error} {error.__context__ or ''}".lower()
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno in (errno.ENOMEM, errno.EAGAIN))
        or (isinstance(error, RuntimeError) and "can't start new thread" in text)
        or (isinstance(error, (ImportError, OSError)) and "failed to map" in text)
    )


# -- standard streams --------------------------------------------------------------------


def _repair_streams() -> None:
    """Standard streams that exist, and that can print every label."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # Closed by the caller; the next file that is opened would get its number. What is
            # printed to this one fails and is reported, as it should be.
            os.open(os.devnull, os.O_RDONLY if name != "stderr" else os.O_WRONLY)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _give_up(stream: TextIO) -> None:
    """Let a stream that cannot be written go nowhere; Python would try again, and complain."""
    try:
        stream.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
