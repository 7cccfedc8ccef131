"""The commands that fit: what is due and why, the work, and what is reported of it."""

from __future__ import annotations

import os
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intlmodels.cli.terminal import (
    OutOption,
    PriorOption,
    SchedulerOption,
    StudyArgument,
    VariantOption,
    interruptible,
    load,
    output_folder,
    prior_overrides,
    progress_bar,
    refresh_report,
    say,
)
from intlmodels.core import files
from intlmodels.core.errors import StudyError, one_line
from intlmodels.core.formats import SPACE

if TYPE_CHECKING:
    from xarray import DataTree

    from intlmodels.core.settings import Settings
    from intlmodels.fitting.diagnostics import Gate
    from intlmodels.fitting.jobs import Job
    from intlmodels.studies import Study


@dataclass
class _Tally:
    """How many fits a command makes, of all studies together, and how many are done."""

    due: int
    several: bool  #: whether of several studies
    done: int = 0
    start: float = field(default_factory=time.monotonic)


def fit_and_report(
    asked: Sequence[tuple[Study, Settings, Path]], variants: str, prior: list[str] | None
) -> int:
    """Fit studies, write their reports, and say at the end what was found; the exit code."""
    from intlmodels.audit.system import use_cache
    from intlmodels.fitting import diagnostics, store
    from intlmodels.fitting import jobs as workflow
    from intlmodels.models import DEFAULT

    of_study = _by_study(variants, [study.name for study, *_ in asked])
    planned, several = [], len(asked) > 1
    for study, settings, folder in asked:
        with use_cache(folder):
            names, own = _variant_names(study, of_study[study.name]), prior_overrides(prior)
            planned.append(workflow.plan(study, names, folder, priors=own, settings=settings))
    for (study, _, folder), jobs in zip(asked, planned, strict=True):
        files.require_writable(folder)
        states: dict[str, list[str]] = {}
        for job in jobs:
            states.setdefault(_state(job), []).append(job.variant)
        for state, names in states.items():
            say(f"{f'{study.name}: ' * several}{_in_short(names)}: {state}")
    due = [(number, job) for number, jobs in enumerate(planned) for job in jobs if not job.current]
    # A default compiles what the variants of its study load.
    due.sort(key=lambda item: item[1].variant != DEFAULT)
    tally, here = _Tally(len(due), several), {}
    written = _in_processes(asked, due, tally) if len(due) > 1 else {}
    if len(due) == 1:
        ((number, job),) = due
        with progress_bar(f"sampling {job.variant}") as progress:
            fit = workflow.bring_up_to_date(job, progress)
        _tell(job, diagnostics.Gate.from_json(fit.attrs["gate"]), tally)
        here = {number: fit} if job.variant == DEFAULT else {}
    found, code = [], 0
    for number, ((study, _, folder), jobs) in enumerate(zip(asked, planned, strict=True)):
        if number not in written:
            written[number], said = _report(study, folder, here.get(number))
            say(said)
        if written[number]:
            report = (folder / "report.md").read_text(encoding="utf-8")
            found += ["", study.title, *(f"- {one_line(text)}" for text in findings(report))]
            found.append(f"The report: {(folder / 'index.html').resolve()}")
        failed = [job.variant for job in jobs if not store.require_whole(job.path).gate.passed]
        if failed:
            of = f"{study.name}: " * several
            say(f"{of}did not converge: {', '.join(failed)}; see the report")
            code = 1
    if found:
        typer.echo("\n".join(found))
    return code


def _by_study(text: str, studies: Sequence[str]) -> dict[str, list[str]]:
    """Variants of each study by ``--variants``: names without a study apply to all."""
    found: dict[str, list[str]] = {name: [] for name in studies}
    items = [item for item in text.split(",") if item.strip()]
    if not items:
        raise StudyError("--variants needs 'all' or at least one name", value=text)
    for item in items:
        study, name = (part.strip() for part in item.rpartition(":")[::2])
        if study and study not in found:
            said = f"expected one of the studies to be fitted, which are {', '.join(studies)}"
            raise StudyError(f"--variants: {said}", value=study)
        for own in [study] if study else studies:
            found[own].append(name)
    return found


def _variant_names(study: Study, names: Sequence[str]) -> list[str]:
    from intlmodels.models import DEFAULT, catalogue, find_variant

    if "all" in names:
        return list(catalogue(study))
    # The report is about the default; a variant stands beside it.
    return list(dict.fromkeys([DEFAULT, *(find_variant(study, name).name for name in names)]))


def _in_processes(
    asked: Sequence[tuple[Study, Settings, Path]], due: Sequence[tuple[int, Job]], tally: _Tally
) -> dict[int, bool]:
    """Do what is due in several processes, and then the reports: whether each was written.

    A report comes as soon as all fits of its study are there.
    """
    from intlmodels.core.processes import helpers
    from intlmodels.fitting import jobs as workflow

    cores = min(len(due), max(settings.cores or os.cpu_count() or 1 for _, settings, _ in asked))
    fits: dict[Callable[[], Any], tuple[int, Job]]
    fits = {partial(workflow.outcome, job): (number, job) for number, job in due}
    reports: dict[Callable[[], Any], int] = {}
    waiting: deque[Callable[[], Any]] = deque(fits)
    left = Counter(number for number, _ in due)
    written = {}
    with helpers(cores) as pool, progress_bar(f"{tally.due} fits", tally.due) as progress:
        for task, outcome in workflow.run_all(waiting, pool, cores):
            if task in reports:
                written[reports[task]], said = outcome
                say(said)
                continue
            number, job = fits[task]
            _tell(job, outcome, tally)
            if progress is not None:
                progress(tally.done / tally.due)
            left[number] -= 1
            if not left[number]:
                study, _, folder = asked[number]
                waiting.appendleft(partial(_report, study, folder))
                reports[waiting[0]] = number
    return written


def _report(study: Study, folder: Path, fit: DataTree | None = None) -> tuple[bool, str]:
    """Write a report if it is not current: whether it was not, and what to say of it."""
    from intlmodels.audit.system import use_cache

    said: list[str] = []
    with use_cache(folder):
        written = refresh_report(study, folder, fit, tell=said.append)
    return written, "\n".join(said)


def _state(job: Job) -> str:
    """Whether a job is to be done, and why."""
    if job.current:
        return "unchanged, not fitted again"
    if job.reasons:
        return f"to be fitted ({_why(job.reasons)})"
    return "draws unchanged, estimands computed again"


def _in_short(names: Sequence[str], most: int = 4) -> str:
    """Variants that share a state, in one line."""
    if len(names) == 1:
        return names[0]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{len(names)} variants ({', '.join(names[:most])}{more})"


def _why(reasons: Sequence[str], most: int = 4) -> str:
    """Reasons in one line; where another study took the name all of them would fill a screen."""
    more = f"; and {len(reasons) - most} more" if len(reasons) > most else ""
    return "; ".join(reasons[:most]) + more


def _tell(job: Job, checks: Gate, tally: _Tally) -> None:
    tally.done += 1
    before = f"{tally.done} of {tally.due}, " if tally.due > 1 else ""
    of = f"{job.study.name} " * tally.several
    outcome = f"converged{_speed(job)}"
    if not checks.passed:
        what = "; ".join(f"{r.label}: {r.value:.4g}" for r in checks.failures)
        outcome = f"DID NOT CONVERGE, even after one retry ({what})"
    say(f"{before}{time.monotonic() - tally.start:.0f} s: {of}{job.variant}: {outcome}")


def _speed(job: Job) -> str:
    """Effective draws of the slowest parameter, in all and a second, if a fit was made now."""
    from intlmodels.fitting.store import header

    found = header(job.path)
    if not job.reasons or found is None or not found.seconds:
        return ""
    return f", {found.ess:.0f} effective draws ({found.ess / found.seconds:.0f} per second)"


#: What a finding in a report begins with: a number of a list, or a bullet.
_ITEM = re.compile(r"(?:\d+\.|[-*]) +(.*)")
#: What Markdown puts around words.
_MARKS = re.compile(r"\[([^\]]*)\]\([^)]*\)|(?<!\\)[*`]|\\(?=[^A-Za-z0-9\s])")


def findings(report: str, most: int = 3) -> list[str]:
    """The first sentences of a report: the items of its first section, else its paragraphs."""
    section = report.partition("\n## ")[2].partition("\n## ")[0].partition("**Contents**")[0]
    lines = section.split("\n")[1:]
    items = [found[1] for line in lines if (found := _ITEM.match(line))]
    plain = [line for line in lines if re.match(r"(\*\*)?\w", line) and not _ITEM.match(line)]
    shown = (_MARKS.sub(r"\1", text) for text in (items or plain)[:most])
    return [unescape(text).replace(SPACE, " ") for text in shown]


# -- calibrate, compare and sensitivity ---------------------------------------------------

CoresOption = Annotated[int | None, typer.Option(help="Processor cores to use.")]
#: What an interrupt says.
KEPT = "interrupted: finished work is saved; run the same command to resume"
AgainOption = Annotated[
    bool, typer.Option("--again", help="Compute everything again; earlier results are set aside.")
]
SeedOption = Annotated[int | None, typer.Option(help="Same seed, same results.")]
DrawsOption = Annotated[int | None, typer.Option(help="Draws per chain of each fit, after tuning.")]
TuneOption = Annotated[int | None, typer.Option(help="Tuning draws per chain of each fit.")]
ChainsOption = Annotated[int | None, typer.Option(help="Chains per fit.")]
SweepsOption = Annotated[
    int | None, typer.Option(help="For tables drawn from counts: sweeps per draw.")
]


def calibrate(
    study: StudyArgument,
    sims: Annotated[int, typer.Option(help="Number of simulated studies.")] = 500,
    variant: VariantOption = "default",
    wrong: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Deliberate errors that must be detected: 'all', or names separated by commas.",
        ),
    ] = "",
    out: OutOption = None,
    prior: PriorOption = None,
    seed: SeedOption = None,
    draws: DrawsOption = None,
    tune: TuneOption = None,
    chains: ChainsOption = None,
    sweeps: SweepsOption = None,
    cores: CoresOption = None,
    scheduler: SchedulerOption = None,
    again: AgainOption = False,
) -> None:
    """Simulate studies, fit each, and see if the truth is found."""
    from intlmodels.checks.calibration import run_calibration, uniform
    from intlmodels.report import checkvalues

    found, _ = _report_check(
        load(study),
        out,
        (cores, scheduler, again),
        run_calibration,
        "calibration",
        lambda found: checkvalues.calibration(*found),
        sims=sims,
        variant=variant,
        misspecified=[name.strip() for name in wrong.split(",") if name.strip()],
        overrides=prior_overrides(prior),
        settings=given(seed=seed, draws=draws, tune=tune, chains=chains, sweeps=sweeps),
    )
    raise typer.Exit(0 if uniform(found) else 1)


def compare(
    study: StudyArgument,
    out: OutOption = None,
    prior: PriorOption = None,
    seed: SeedOption = None,
    draws: DrawsOption = None,
    tune: TuneOption = None,
    chains: ChainsOption = None,
    sweeps: SweepsOption = None,
    cores: CoresOption = None,
    scheduler: SchedulerOption = None,
    again: AgainOption = False,
) -> None:
    """Leave out every firm (or count) once, and predict it. Compares the variants."""
    from intlmodels.checks.comparison import run_comparison
    from intlmodels.report import checkvalues

    loaded = load(study)
    texts = {count.id: count.text for count in getattr(loaded, "counts", ())}
    several = getattr(loaded, "panel", None) is not None
    _report_check(
        loaded,
        out,
        (cores, scheduler, again),
        run_comparison,
        "comparison",
        lambda found: checkvalues.comparison(*found, texts, several),
        overrides=prior_overrides(prior),
        settings=given(seed=seed, draws=draws, tune=tune, chains=chains, sweeps=sweeps),
    )


def sensitivity(
    study: StudyArgument,
    out: OutOption = None,
    cores: CoresOption = None,
    scheduler: SchedulerOption = None,
    again: AgainOption = False,
) -> None:
    """See how far other priors and readings move conclusions. Needs a stored fit."""
    from intlmodels.checks.sensitivity import run_sensitivity
    from intlmodels.report import checkvalues

    options = cores, scheduler, again
    _report_check(
        load(study), out, options, run_sensitivity, "sensitivity", checkvalues.sensitivity
    )


def influence(
    study: StudyArgument,
    out: OutOption = None,
    cores: CoresOption = None,
    scheduler: SchedulerOption = None,
    again: AgainOption = False,
) -> None:
    """Find the firms or counts on which conclusions depend. Leaves out each and refits."""
    from intlmodels.checks.influence import run_influence
    from intlmodels.report import checkvalues

    options = cores, scheduler, again
    _report_check(load(study), out, options, run_influence, "influence", checkvalues.influence)


def multiverse(
    study: StudyArgument,
    axes: Annotated[
        str,
        typer.Option(
            metavar="NAMES", help="Axes to cross, separated by commas.  [default: all axes]"
        ),
    ] = "",
    out: OutOption = None,
    prior: PriorOption = None,
    seed: SeedOption = None,
    draws: DrawsOption = None,
    tune: TuneOption = None,
    chains: ChainsOption = None,
    sweeps: SweepsOption = None,
    cores: CoresOption = None,
    scheduler: SchedulerOption = None,
    again: AgainOption = False,
) -> None:
    """Fit every combination of readings, families and priors. Says what holds in all of them."""
    from intlmodels.checks.multiverse import run_multiverse
    from intlmodels.report import checkvalues

    _report_check(
        load(study),
        out,
        (cores, scheduler, again),
        run_multiverse,
        "multiverse",
        checkvalues.multiverse,
        axes=[name.strip() for name in axes.split(",") if name.strip()],
        overrides=prior_overrides(prior),
        settings=given(seed=seed, draws=draws, tune=tune, chains=chains, sweeps=sweeps),
    )


def design(
    study: StudyArgument,
    firms: Annotated[
        str,
        typer.Option(
            metavar="NUMBERS",
            help="Numbers of firms, separated by commas.  [default: 1, 2, 4 and 8 times as many]",
        ),
    ] = "",
    sims: Annotated[int, typer.Option(help="Simulated studies per number of firms.")] = 100,
    source: Annotated[
        str, typer.Option("--from", help="True parameters: from the 'posterior' or the 'prior'.")
    ] = "posterior",
    out: OutOption = None,
    prior: PriorOption = None,
    seed: SeedOption = None,
    draws: DrawsOption = None,
    tune: TuneOption = None,
    chains: ChainsOption = None,
    cores: CoresOption = None,
    scheduler: SchedulerOption = None,
    again: AgainOption = False,
) -> None:
    """Count how often studies of other sizes are conclusive. Simulates and fits them."""
    from intlmodels.checks.designanalysis import run_design
    from intlmodels.report import checkvalues

    try:
        numbers = [int(number) for number in firms.split(",")] if firms.strip() else []
    except ValueError as error:
        message = "--firms: expected whole numbers separated by commas, such as 22,50,100"
        raise StudyError(message, value=firms) from error
    _report_check(
        load(study),
        out,
        (cores, scheduler, again),
        run_design,
        "design",
        checkvalues.design,
        firms=numbers,
        sims=sims,
        source=source,
        overrides=prior_overrides(prior),
        settings=given(seed=seed, draws=draws, tune=tune, chains=chains),
    )


def given(**options: Any) -> dict[str, Any]:
    """Options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _report_check[T](
    study: Study,
    out: str | None,
    execution: tuple[int | None, str | None, bool],
    run: Callable[..., T],
    name: str,
    values: Callable[[T], dict[str, Any]],
    **options: Any,
) -> T:
    """Run a check and print what it found, also in the report if there is a current fit."""
    from intlmodels.checks.runner import ExecutionOptions
    from intlmodels.report import render
    from intlmodels.report.record import current_fits

    folder = output_folder(study, out)
    with interruptible(KEPT):
        bar = partial(progress_bar, logged=True)
        how = ExecutionOptions(*execution, bar=bar, tell=say)
        found = run(study, folder, how, **options)
    for sentence in render.sentences(f"common/{name}_text.md.j2", values(found)):
        typer.echo(sentence)
    try:
        current_fits(study, folder)
    except StudyError:
        say(f"no current fit in {folder}: run intlmodels fit to write the report")
    else:
        refresh_report(study, folder)
    return found
