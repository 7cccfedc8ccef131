"""Hide what only POSIX systems have.

As a plugin, from the tests themselves: ``PYTENSOR_FLAGS=cxx= PYTHONPATH=tests python -m pytest
-p noposix -m "not slow and not notebooks"``. Libraries are imported before, as they are here.
Tests that start processes or a Dask cluster fail so: there libraries call Windows itself.
"""

import asyncio  # noqa: F401
import concurrent.futures.process  # noqa: F401
import multiprocessing.connection
import multiprocessing.popen_spawn_posix  # noqa: F401
import multiprocessing.resource_tracker as tracker
import os
import signal
import subprocess  # noqa: F401
import sys
import tempfile  # noqa: F401

import arviz_base  # noqa: F401
import dask  # noqa: F401
import distributed  # noqa: F401
import filelock  # noqa: F401
import h5netcdf  # noqa: F401
import matplotlib.figure  # noqa: F401
import nutpie  # noqa: F401
import openpyxl  # noqa: F401
import pymc  # noqa: F401
import rich.progress  # noqa: F401
import typer  # noqa: F401

POSIX = ("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty")


class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in POSIX:
            raise ModuleNotFoundError(name)


def hide():
    for name in POSIX:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, Hidden())
    for module, names in {
        os: (
            "fork",
            "forkpty",
            "getgid",
            "getuid",
            "geteuid",
            "getpgid",
            "killpg",
            "mkfifo",
            "nice",
            "setsid",
            "statvfs",
            "uname",
            "wait",
        ),
        signal: (
            "SIGALRM",
            "SIGHUP",
            "SIGKILL",
            "SIGQUIT",
            "alarm",
            "pthread_kill",
            "pthread_sigmask",
            "setitimer",
        ),
    }.items():
        for name in names:
            delattr(module, name)
    tracker._HAVE_SIGMASK = False  # the processes that tests start are of this system
    sys.platform = "win32"


def pytest_collection(session):
    if hasattr(session.config, "workerinput") or not session.config.getoption("numprocesses", None):
        hide()
