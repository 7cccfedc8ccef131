"""Numbered tasks for the tests of checks.runner, in a module that other processes can import."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from intlmodels.checks.runner import Journal, executor, run


def draw(number):
    """Floats with every digit, and what changes on its way through JSON."""
    rng = np.random.default_rng([20261, number])
    return {"draws": rng.standard_normal(3).tolist(), "pair": (number, None), 1: number}


def leave_trace(payload):
    """Be slow about it, and leave a file when done that says by which process."""
    folder, number = payload
    time.sleep(0.01 * (1 + number % 5))
    Path(folder, f"{number}-{os.getpid()}").touch()
    return draw(number)


def wait_for(payload):
    """The number, as soon as a file is there."""
    path, number = payload
    while number and not Path(path).exists():
        time.sleep(0.01)
    return number


def number_or_fail(value):
    if isinstance(value, Exception):
        raise value
    return value


def die_once(payload):
    """The first process that comes across it is killed, as one that takes too much memory."""
    folder, number = payload
    died = Path(folder, "died")
    if number == 5 and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGTERM)
    return draw(number)


def die(number):
    if number:
        os.kill(os.getpid(), signal.SIGTERM)
    return number


def variable(name):
    return os.environ.get(name)


if __name__ == "__main__":
    # A shell starts what runs in the background with this signal ignored, and so would this.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    traces = folder / "traces"
    with executor(2) as pool:
        try:
            run(
                leave_trace,
                {str(number): (str(traces), number) for number in range(count)},
                Journal(folder / "journal.sqlite", {"seed": 1}),
                pool,
            )
        except KeyboardInterrupt:
            print("interrupted")


def alone(payload):
    """A draw; an error if another task is at work in the same folder at the same time."""
    folder, number = payload
    here = Path(folder) / "at-work"
    here.touch(exist_ok=False)
    time.sleep(0.01)
    here.unlink()
    return draw(number)
