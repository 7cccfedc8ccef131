"""Processes that help with fits and reports, on this computer."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager

from intlmodels.errors import StudyError
from intlmodels.startup import require_caches, spare_collection

#: What an error says if the work was broken off by no fault of its own.
GOES_ON = "what is finished is kept, and the same command goes on from there"


@contextmanager
def helpers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that help with fits and reports, and stop at once if something goes wrong.

    They start when the first work is given to them.
    """
    require_caches()
    # spawn: a forked child would inherit the threads of numba and BLAS in an unknown state.
    pool = _Helpers(count, mp_context=multiprocessing.get_context("spawn"), initializer=_as_helper)
    try:
        yield pool
    except BrokenExecutor as error:
        raise StudyError(
            f"a worker process ended unexpectedly, perhaps for lack of memory; {GOES_ON}"
        ) from error
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
        # A process inherits what is blocked when it is started, which happens here. An interrupt
        # that another thread takes meanwhile must wait as well: it would leave the new process
        # without what it is to do.
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
