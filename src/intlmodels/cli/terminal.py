"""What commands share: options, messages, progress, folders, and where they meet the system.

Every error that a user or the system causes is one line, and every end has its exit code.
"""

from __future__ import annotations

import errno
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from intlmodels.core import files
from intlmodels.core.errors import StudyError, one_line
from intlmodels.core.interrupts import interrupt_reported, is_interrupt
from intlmodels.core.processes import require_caches

if TYPE_CHECKING:
    from xarray import DataTree

    from intlmodels.core.settings import Progress
    from intlmodels.studies import Study


#: Seconds between lines on progress in a log.
MINUTE = 60
StudyArgument = Annotated[
    str,
    typer.Argument(
        metavar="STUDY", help="Name of a study that ships with the package, or a study folder."
    ),
]
StudiesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="STUDY...", help="Names of studies that ship with the package, or study folders."
    ),
]
OutOption = Annotated[
    str | None,
    typer.Option("--out", metavar="DIR", help="Output folder [default: reports/NAME]."),
]
PriorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--prior", metavar="NAME=PRIOR", help='Override a prior, e.g. "phi=Gamma(2, 0.1)".'
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Use a Dask cluster, e.g. tcp://localhost:8786."),
]
VariantOption = Annotated[
    str, typer.Option("--variant", metavar="NAME", help="Which variant of the model.")
]


def load(name: str) -> Study:
    """A study by its name or folder."""
    from intlmodels.studies import load_study

    return load_study(name)


def ready(study: Study, folder: Path, scheduler: str | None = None, again: bool = False) -> Study:
    """The study as it can be fitted: of a register that of its counts, kept in a folder."""
    from intlmodels.register.counts import as_study

    with interruptible("interrupted: this count was not saved; run the same command again"):
        return as_study(study, folder, scheduler, again=again, tell=say, bar=progress_bar)


@contextmanager
def interruptible(text: str) -> Iterator[None]:
    """An interrupt says what is kept, and how to go on."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, typer.Exit) or not is_interrupt(error):
            raise
        interrupt_reported()
        say(text)
        raise typer.Exit(INTERRUPTED) from None


def output_folder(study: Study, out: str | None, writes: bool = True) -> Path:
    """Where the output of a study goes, if that can be used."""
    return files.output_folder(Path("reports") / study.name if out is None else out, writes)


def prior_overrides(given: list[str] | None) -> dict[str, str]:
    """Priors given on the command line, by the name of the parameter."""
    from intlmodels.models.priors import parse_assignment

    return dict(parse_assignment(text) for text in given or [])


def print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table in columns."""
    # Words of a study must not steer the terminal.
    cells = [[one_line(str(cell)) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in [cells[0], ["-" * width for width in widths], *cells[1:]]:
        typer.echo("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())


def refresh_report(
    study: Study,
    folder: Path,
    fit: DataTree | None = None,
    force: bool = False,
    tell: Callable[[str], None] | None = None,
) -> bool:
    """Write the report if it is not current, or in any case if it is forced; whether it was.

    ``fit``: see :func:`intlmodels.report.write`.
    """
    from intlmodels import report as reports

    tell = tell or say
    require_caches()
    stale = reports.why_stale(study, folder)
    if not stale and not force and (folder / "index.html").exists():
        tell(f"report: unchanged, {folder / 'index.html'}")
        return False
    reports.write(study, folder, fit)
    tell(f"report: written to {folder / 'index.html'}")
    return True


def say(text: str) -> None:
    """Tell how the work goes on, beside what a command prints."""
    typer.echo("\n".join(map(one_line, text.split("\n"))), err=True)


@contextmanager
def progress_bar(title: str, count: int = 1, logged: bool = False) -> Iterator[Progress | None]:
    """A progress bar on a terminal, over so many pieces; nothing when the output is piped.

    ``logged``: then a line a minute.
    """
    if not sys.stderr.isatty():
        yield _told_each_minute(title) if logged else None
        return
    from rich import progress as rich
    from rich.console import Console

    columns = [rich.TextColumn("{task.description}"), rich.BarColumn(), rich.TimeElapsedColumn()]
    if count > 1:
        columns += [rich.MofNCompleteColumn(), rich.TextColumn("left:")]
    columns.append(rich.TimeRemainingColumn())
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=float(count))
        yield lambda done: bar.update(task, completed=count * done)


def _told_each_minute(title: str) -> Progress:
    start = told = time.monotonic()

    def progress(done: float) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= MINUTE:
            told = now
            say(f"{title}: {done:.0%}, {now - start:.0f} s")

    return progress


# -- one line for every error, and an exit code ------------------------------------------

#: Exit codes beside 0 (done) and 1 (not converged, not uniform, stale).
UNUSABLE = 2
CRASHED = 70
INTERRUPTED = 130

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run_to_exit(command: Callable[[], int]) -> int:
    """Run a command to its exit code; a mistake of ours shows its traceback."""
    _repair_streams()
    try:
        code = command()
        sys.stdout.flush()
        return code
    except BaseException as error:
        if is_interrupt(error):
            interrupt_reported()
            return _ended("interrupted: finished work is saved", INTERRUPTED)
        if not isinstance(error, Exception):
            raise
        text = _in_one_line(error)
        if text:
            return _ended("\n".join(f"error: {line}" for line in text.split("\n")), UNUSABLE)
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
            "out of memory; finished work is saved. Close other programs, or use fewer draws, "
            "chains or cores (--draws, --chains, --cores 1)"
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
            f"{where}cannot be written ({reason}); existing files are unchanged: free some "
            f"space and run the same command again"
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
