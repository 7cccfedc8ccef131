"""The commands calibrate, compare and sensitivity."""

from __future__ import annotations

from collections.abc import Mapping
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

if TYPE_CHECKING:
    from intlmodels.checks.runner import ExecutionOptions
    from intlmodels.study import Study


CoresOption = Annotated[int | None, typer.Option(help="Processor cores to use.")]
_KEPT = "interrupted: what is finished is kept; run the same command to go on"
AgainOption = Annotated[
    bool, typer.Option("--again", help="Compute all of it again; earlier results are set aside.")
]
SeedOption = Annotated[int | None, typer.Option(help="Same seed, same results.")]
DrawsOption = Annotated[int | None, typer.Option(help="Kept draws of each chain of each fit.")]
TuneOption = Annotated[int | None, typer.Option(help="Tuning draws of each chain of each fit.")]
ChainsOption = Annotated[int | None, typer.Option(help="Number of chains of each fit.")]
SweepsOption = Annotated[
    int | None, typer.Option(help="Of tables drawn from counts: sweeps for each draw.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog="Example: intlmodels calibrate rochester --sims 500")(calibrate)
    app.command(epilog="Example: intlmodels compare rochester")(compare)
    app.command(epilog="Example: intlmodels sensitivity rochester")(sensitivity)


def calibrate(
    study: StudyArgument,
    sims: Annotated[int, typer.Option(help="Number of simulated studies.")] = 500,
    variant: VariantOption = "default",
    wrong: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Deliberate errors that must be noticed: 'all', or names separated by commas.",
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
    """Simulate studies like this one, fit each, and see whether the truth is found."""
    from intlmodels.checks.calibration import run_calibration, uniform
    from intlmodels.report.checksentences import calibration_sentences

    loaded = load(study)
    folder = output_folder(loaded, out)
    with interruptible(_KEPT):
        found, detected = run_calibration(
            loaded,
            folder,
            _options(cores, scheduler, again),
            sims=sims,
            variant=variant,
            misspecified=[name.strip() for name in wrong.split(",") if name.strip()],
            overrides=prior_overrides(prior),
            settings=_given(seed=seed, draws=draws, tune=tune, chains=chains, sweeps=sweeps),
        )
    _tell(calibration_sentences(found, detected))
    _refresh(loaded, folder)
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
    """Leave out every firm (or count) once, refit, predict it, and compare the variants."""
    from intlmodels.checks.comparison import run_comparison
    from intlmodels.report.checksentences import comparison_sentences

    loaded = load(study)
    folder = output_folder(loaded, out)
    with interruptible(_KEPT):
        found = run_comparison(
            loaded,
            folder,
            _options(cores, scheduler, again),
            overrides=prior_overrides(prior),
            settings=_given(seed=seed, draws=draws, tune=tune, chains=chains, sweeps=sweeps),
        )
    _tell(comparison_sentences(found))
    _refresh(loaded, folder)


def sensitivity(
    study: StudyArgument,
    out: OutOption = None,
    cores: CoresOption = None,
    scheduler: SchedulerOption = None,
    again: AgainOption = False,
) -> None:
    """See how far conclusions move under other priors and readings; needs a stored fit."""
    from intlmodels.checks.sensitivity import run_sensitivity
    from intlmodels.report.checksentences import sensitivity_sentences

    loaded = load(study)
    folder = output_folder(loaded, out)
    with interruptible(_KEPT):
        found = run_sensitivity(loaded, folder, _options(cores, scheduler, again))
    _tell(sensitivity_sentences(found))
    _refresh(loaded, folder)


# -- helpers -----------------------------------------------------------------------------


def _given(**options: Any) -> Mapping[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _options(cores: int | None, scheduler: str | None, again: bool) -> ExecutionOptions:
    from intlmodels.checks.runner import ExecutionOptions

    return ExecutionOptions(cores, scheduler, again, bar=progress_bar, tell=say)


def _tell(sentences: list[str]) -> None:
    for sentence in sentences:
        typer.echo(sentence)


def _refresh(study: Study, folder: Path) -> None:
    """Put the findings into the report, if there is a current fit to report on."""
    from intlmodels.core.errors import StudyError
    from intlmodels.report.record import current_fits

    try:
        current_fits(study, folder)
    except StudyError:
        say(f"no current fit in {folder}: the report is written by intlmodels fit")
        return
    refresh_report(study, folder)
