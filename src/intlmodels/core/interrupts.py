"""An interrupt from the keyboard ends the command line wherever it arrives.

What Python does by itself fails at two kinds of moments. A ``KeyboardInterrupt`` that passes
through ``exec`` or ``eval`` of a text (dataclasses, namedtuples, compiled functions) makes Python
kill its own process in the end, even where it was caught. And one that is raised where no
exception can go on (a callback, a finalizer, the import of a C extension) is dropped.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
import weakref
from types import FrameType
from typing import Any

#: Seconds after which a second interrupt is raised beside one that is still on its way.
_PATIENCE = 3.0
#: Seconds between looks at whether an interrupt was dropped.
_PERIOD = 0.05


class Interrupted(KeyboardInterrupt):
    """An interrupt; Python ends a process at once only for ``KeyboardInterrupt`` itself."""


class _Interrupts:
    """The interrupts of this process."""

    def __init__(self) -> None:
        self.raised_at: float | None = None
        self.latest: weakref.ref[Interrupted] | None = None
        self.reported = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raise an interrupt, unless one is on its way."""
        now = time.monotonic()
        if self.reported or (self._on_its_way() and now < (self.raised_at or now) + _PATIENCE):
            return
        if self.raised_at is None:
            # A thread of `threading` takes locks, which what is interrupted may hold.
            _thread.start_new_thread(self._repeat, ())
        error = Interrupted()
        self.latest, self.raised_at = weakref.ref(error), now
        try:
            raise error
        finally:
            del error  # this frame is in its traceback, and would keep it

    def _on_its_way(self) -> bool:
        return self.latest is not None and self.latest() is not None

    def _repeat(self) -> None:
        """Interrupt again where the exception is gone and nobody has reported it."""
        while not self.reported:
            time.sleep(_PERIOD)
            if not self._on_its_way() and not self.reported:
                _interrupt_main_thread()


def _interrupt_main_thread() -> None:
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:  # a real signal, which also wakes what waits for the system
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


_INTERRUPTS = _Interrupts()


def handle_interrupts() -> None:
    """Raise interrupts of this process until one is reported."""
    signal.signal(signal.SIGINT, _INTERRUPTS.handle)
    usual = sys.unraisablehook

    def hook(dropped: Any) -> None:
        if not isinstance(dropped.exc_value, Interrupted):  # which is raised once more
            usual(dropped)

    sys.unraisablehook = hook


def is_interrupt(error: BaseException) -> bool:
    """Whether an error is an interrupt, or comes after one and is its consequence."""
    return isinstance(error, KeyboardInterrupt) or _INTERRUPTS.raised_at is not None


def interrupt_reported() -> None:
    """Raise no more: the interrupt was reported, and an orderly end follows."""
    _INTERRUPTS.reported = True
