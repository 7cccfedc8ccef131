"""How many threads linear algebra has: one while a model is fitted.

Chains run side by side, and more threads would only wait; nor do the draws depend on the number of
processors then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

#: Read by the libraries of a process when they load; nothing has loaded yet in one that starts.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

_lock = Lock()
#: What limits this process, once for each of its threads that is within.
_within: list[Any] = []


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra of this process has one thread; as before when the last to ask is done."""
    import scipy.linalg  # noqa: F401 - compiled models call its library, which may not be loaded yet
    from threadpoolctl import threadpool_limits

    with _lock:
        _within.append(_within[0] if _within else threadpool_limits(1, "blas"))
    try:
        yield
    finally:
        with _lock:
            limits = _within.pop()
            if not _within:
                limits.restore_original_limits()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes that start now have one thread for linear algebra, this one as many as before."""
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name in THREADS:
            os.environ.pop(name)
            os.environ.update({name: before[name]} if name in before else {})
