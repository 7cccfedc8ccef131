"""What the commands share: options, messages, progress, and where a study and its output are."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intlmodels.core import files
from intlmodels.core.errors import one_line
from intlmodels.core.processes import require_caches

if TYPE_CHECKING:
    from intlmodels.core.settings import Progress
    from intlmodels.study import RegisterStudy, RowFiles, SequenceStudy, Study


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
    from intlmodels.study import load_study

    return load_study(name)


def ready(study: Study, folder: Path, scheduler: str | None = None) -> Study:
    """The study as it can be fitted: of a register that of its counts, kept in a folder."""
    from intlmodels.register.reduce import require_register_for
    from intlmodels.study import RowFiles

    require_register_for(study, scheduler)
    return counted(study, folder, scheduler) if isinstance(study, RowFiles) else study


def counted(
    register: RowFiles, folder: Path, scheduler: str | None, again: bool = False
) -> RegisterStudy | SequenceStudy:
    """The study of a register's counts, made by a scheduler's workers if there is one."""
    from intlmodels.register.reduce import reduced

    with interruptible("interrupted: nothing is kept of this count; run the same command again"):
        return reduced(
            register, folder, again=again, scheduler=scheduler, tell=say, bar=progress_bar
        )


@contextmanager
def interruptible(text: str) -> Iterator[None]:
    """An interrupt says what is kept, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        say(text)
        raise typer.Exit(130) from None


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
    study: Study, folder: Path, pool: Executor | None = None, force: bool = False
) -> None:
    """Write the report if it is not current, or in any case if it is forced."""
    from intlmodels import report as reports

    require_caches()
    stale = reports.why_stale(study, folder)
    if not stale and not force and (folder / "index.html").exists():
        say(f"report: unchanged, {folder / 'index.html'}")
        return
    reports.write(study, folder, pool)
    say(f"report: written to {folder / 'index.html'}")


def say(text: str) -> None:
    """Tell how the work goes on, beside what a command prints."""
    typer.echo("\n".join(map(one_line, text.split("\n"))), err=True)


@contextmanager
def progress_bar(title: str) -> Iterator[Progress | None]:
    """A progress bar on a terminal; nothing when the output is piped."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda done: bar.update(task, completed=done)
