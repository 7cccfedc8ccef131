"""The commands calibrate, compare and sensitivity."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intlmodels.terminal import (
    OutOption,
    PriorOption,
    StudyArgument,
    VariantOption,
    load,
    output_folder,
    prior_overrides,
    progress_bar,
    refresh_report,
    say,
)

if TYPE_CHECKING:
    from intlmodels.study import Study

CoresOption = Annotated[int | None, typer.Option(help="Processor cores to use.")]
SchedulerOption = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Use a Dask cluster, e.g. tcp://localhost:8786."),
]
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
    sims: Annotated[int, typer.Option(min=1, help="Number of simulated studies.")] = 500,
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
    from intlmodels import narrativetrust, store
    from intlmodels.models import DEFAULT, design_of, find_variant, priors_of
    from intlmodels.trust import calibrate as trust
    from intlmodels.trust.stored import path_of, write
    from intlmodels.trust.trial import trials

    loaded = load(study)
    given = _given(seed=seed, draws=draws, tune=tune, chains=chains, sweeps=sweeps)
    variant = find_variant(loaded, variant).name
    overrides = prior_overrides(prior)
    priors = priors_of(loaded, variant, overrides)
    settings = trust.settings_for(loaded, given)
    plan = trust.plan_of(loaded, variant, priors, settings)
    known = list(trials(loaded.model).wrong_models(design_of(loaded)))
    names = known if wrong.strip() == "all" else [n.strip() for n in wrong.split(",") if n.strip()]
    errors = [trust.plan_of(loaded, variant, priors, settings, name) for name in names]
    trust.only_of_the_default(variant, names)
    folder = output_folder(loaded, out)
    for each in (plan, *errors):
        _begin(trust.journal_of(each, folder).path, again)
    with _working(cores, scheduler) as (pool, tell):
        with progress_bar(f"{sims} simulated fits") as progress:
            found = trust.calibrate(plan, sims, folder, pool, progress, tell)
        if variant == DEFAULT:
            write("calibration", found, loaded, overrides, folder)
        ranks = trust.ranks_text(plan, folder, sims)
        store.write_text(ranks, path_of(folder, "calibration").with_name("ranks.csv"))
        caught = []
        for each in errors:
            with progress_bar(f"deliberate error {each.wrong}") as progress:
                caught.append(trust.catch(each, sims, folder, pool, progress, tell))
        if caught:
            write("wrong", tuple(caught), loaded, overrides, folder)
    _tell(narrativetrust.calibration_sentences(found, tuple(caught)))
    _refresh(loaded, folder)
    raise typer.Exit(0 if trust.uniform(found) else 1)


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
    from intlmodels import narrativeleaveout
    from intlmodels.models import catalogue
    from intlmodels.possible import require_possible
    from intlmodels.trust import compare as trust
    from intlmodels.trust.stored import write

    loaded = load(study)
    require_possible(loaded)
    given = _given(seed=seed, draws=draws, tune=tune, chains=chains, sweeps=sweeps)
    overrides = prior_overrides(prior)
    settings = trust.settings_for(loaded, given)
    plans, skipped = trust.plans_of(loaded, list(catalogue(loaded)), overrides, settings)
    folder = output_folder(loaded, out)
    _begin(trust.journal_of(plans, folder).path, again)
    title = f"leaving out, {len(plans)} variants"
    with _working(cores, scheduler) as (pool, tell), progress_bar(title) as progress:
        found = trust.compare(plans, skipped, folder, pool, progress, tell)
    write("comparison", found, loaded, overrides, folder)
    _tell(narrativeleaveout.comparison_sentences(found))
    _refresh(loaded, folder)


def sensitivity(
    study: StudyArgument,
    out: OutOption = None,
    cores: CoresOption = None,
    scheduler: SchedulerOption = None,
    again: AgainOption = False,
) -> None:
    """See how far conclusions move under other priors and readings; needs a stored fit."""
    import json

    from intlmodels import narrativetrust
    from intlmodels.fit import Settings
    from intlmodels.models import DEFAULT, priors_of
    from intlmodels.store import stored_attributes
    from intlmodels.trust import sensitivity as trust
    from intlmodels.trust.stored import write
    from intlmodels.workflow import settings_of, stored_overrides

    loaded = load(study)
    folder = output_folder(loaded, out)
    stored = trust.current(loaded, folder)
    overrides = stored_overrides(loaded, folder)
    used = json.loads((stored_attributes(stored[0].path) or {})["settings"])
    settings: Settings = settings_of(loaded, {**used, "cores": 1})
    plans = trust.plans_of(loaded, priors_of(loaded, DEFAULT, overrides), settings)
    _begin(trust.journal_of(plans, folder).path, again)
    title = f"{len(plans)} refits with other priors"
    with _working(cores, scheduler) as (pool, tell), progress_bar(title) as progress:
        found = trust.sensitivity(loaded, stored, plans, folder, pool, progress, tell)
    write("sensitivity", found, loaded, overrides, folder)
    _tell(narrativetrust.sensitivity_sentences(found))
    _refresh(loaded, folder)


# -- helpers -----------------------------------------------------------------------------


def _given(**options: Any) -> Mapping[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _begin(journal: Path, again: bool) -> None:
    """Make sure that results can be kept; set earlier ones aside if asked to."""
    from intlmodels.store import require_writable

    require_writable(journal.parent)
    if again and journal.exists():
        journal.replace(journal.with_name(f"{journal.name}.old"))


@contextmanager
def _working(
    cores: int | None, scheduler: str | None
) -> Iterator[tuple[Executor, Callable[[str], None]]]:
    """The processes that work; an interrupt says how to go on."""
    from intlmodels.trust.tasks import executor

    try:
        with executor(cores or os.cpu_count() or 1, scheduler) as pool:
            yield pool, say
    except KeyboardInterrupt:
        say("interrupted: what is finished is kept; run the same command to go on")
        raise typer.Exit(130) from None


def _tell(sentences: list[str]) -> None:
    for sentence in sentences:
        typer.echo(sentence)


def _refresh(study: Study, folder: Path) -> None:
    """Put the findings into the report, if there is a current fit to report on."""
    from intlmodels.errors import StudyError
    from intlmodels.report.record import current_fits

    try:
        current_fits(study, folder)
    except StudyError:
        say(f"no current fit in {folder}: the report is written by intlmodels fit")
        return
    refresh_report(study, folder)
