"""The command line: the only place that wires everything together.

Exit codes: 0 done, 1 a fit did not pass the gate (or a report is stale), 2 unusable input,
130 interrupted.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intlmodels import clitrust
from intlmodels.errors import StudyError
from intlmodels.startup import spare_collection
from intlmodels.terminal import (
    OutOption,
    PriorOption,
    SchedulerOption,
    StudiesArgument,
    StudyArgument,
    VariantOption,
    counted,
    load,
    output_folder,
    print_table,
    prior_overrides,
    progress_bar,
    ready,
    refresh_report,
    say,
)

if TYPE_CHECKING:
    from intlmodels.diagnostics import Gate
    from intlmodels.fit import Settings
    from intlmodels.study import Study
    from intlmodels.workflow import Job

app = typer.Typer(
    name="intlmodels",
    help="Bayesian models for how firms in regional clusters go abroad.",
    epilog="Start with: intlmodels fit rochester; for a study of your own: intlmodels new FOLDER",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command(epilog="Example: intlmodels fit rochester --variants all --seed 7")
def fit(
    studies: StudiesArgument,
    variants: Annotated[
        str,
        typer.Option("--variants", metavar="NAMES", help="'all', or names separated by commas."),
    ] = "default",
    out: OutOption = None,
    prior: PriorOption = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same draws.")] = None,
    draws: Annotated[int | None, typer.Option(help="Kept draws of each chain.")] = None,
    tune: Annotated[int | None, typer.Option(help="Tuning draws of each chain.")] = None,
    chains: Annotated[int | None, typer.Option(help="Number of chains.")] = None,
    cores: Annotated[int | None, typer.Option(help="Processor cores to use.")] = None,
    target_accept: Annotated[
        float | None, typer.Option(help="Target acceptance, between 0 and 1.")
    ] = None,
    sampler: Annotated[str | None, typer.Option(help="nutpie or pymc.")] = None,
    sweeps: Annotated[
        int | None, typer.Option(help="Of tables drawn from counts: sweeps for each draw.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Of a register: count by the workers of a Dask scheduler."
        ),
    ] = None,
) -> None:
    """Fit studies and write their reports; refits only what changed."""
    from intlmodels import workflow

    given = {
        "seed": seed,
        "draws": draws,
        "tune": tune,
        "chains": chains,
        "cores": cores,
        "target_accept": target_accept,
        "sampler": sampler,
        "sweeps": sweeps,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if out is not None and len(studies) > 1:
        raise StudyError("--out is the folder of one study; expected one", value=" ".join(studies))
    # All are read before the first is fitted.
    asked = [(one, workflow.settings_of(one, changes)) for one in map(load, studies)]
    codes = []
    for one, settings in asked:
        if len(asked) > 1:
            say(f"==> {one.name}")
        try:
            folder = output_folder(one, out)
            codes.append(_fit(ready(one, folder, scheduler), settings, variants, folder, prior))
        except KeyboardInterrupt:
            say("interrupted: finished fits are kept; run the same command to go on")
            raise typer.Exit(130) from None
    raise typer.Exit(max(codes))


@app.command(epilog="Example: intlmodels report rochester --out my-report")
def report(
    study: StudyArgument,
    out: OutOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only tell whether the report is stale (exit 1).")
    ] = False,
) -> None:
    """Write the report of a study from its stored fits."""
    from intlmodels import report as reports

    loaded = load(study)
    folder = output_folder(loaded, out)
    loaded = ready(loaded, folder)
    if check:
        stale = reports.why_stale(loaded, folder)
        for reason in stale:
            typer.echo(f"stale: {reason}", err=True)
        raise typer.Exit(1 if stale else 0)
    refresh_report(loaded, folder, force=True)


@app.command(epilog="Example: intlmodels export rochester --width 120 --dpi 600")
def export(
    study: StudyArgument,
    out: OutOption = None,
    width: Annotated[
        list[float] | None,
        typer.Option(
            metavar="MM", help="Width of the figures; repeat for several [default: 89 and 183]."
        ),
    ] = None,
    dpi: Annotated[
        int | None, typer.Option(help="Pixels an inch of the PNG figures [default: 300].")
    ] = None,
) -> None:
    """Write what a paper needs from the stored fits: tables, figures, methods, BibTeX, draws."""
    from intlmodels import paper, workflow

    loaded = load(study)
    output = output_folder(loaded, out)
    loaded = ready(loaded, output)
    widths = width or paper.WIDTHS
    with workflow.helpers(min(os.cpu_count() or 1, max(1, len(widths) - 1))) as pool:
        folder = paper.write(
            loaded,
            output,
            widths=widths,
            dpi=paper.DPI if dpi is None else dpi,
            pool=pool if len(widths) > 1 else None,
        )
    say(f"for a paper: {folder}, told in {folder / 'README.md'}")


@app.command(epilog="Example: intlmodels check path/to/my-study")
def check(study: StudyArgument) -> None:
    """Read a study, tell what was understood, and stop at the first mistake."""
    from intlmodels.claims.names import require_names
    from intlmodels.models import catalogue, priors_of
    from intlmodels.possible import require_possible
    from intlmodels.study import RowFiles, describe
    from intlmodels.workflow import settings_of

    loaded = load(study)
    if isinstance(loaded, RowFiles):
        from intlmodels.register.look import looked_lines

        settings_of(loaded)
        typer.echo("\n".join(looked_lines(loaded)))
        return
    require_possible(loaded)
    require_names(loaded)
    for name in catalogue(loaded):
        priors_of(loaded, name)
    settings_of(loaded)
    typer.echo(describe(loaded))


@app.command(epilog="Example: intlmodels reduce path/to/my-register")
def reduce(
    study: StudyArgument,
    out: OutOption = None,
    again: Annotated[
        bool, typer.Option("--again", help="Read the files again, changed or not.")
    ] = False,
    scheduler: SchedulerOption = None,
) -> None:
    """Read a register of any size once, as counts of cells; a fit uses these."""
    from intlmodels.register.kept import CELLS
    from intlmodels.study import RowFiles, describe

    loaded = load(study)
    if not isinstance(loaded, RowFiles):
        raise StudyError(
            "there is nothing to reduce: this study lists its firms; expected a study with a table "
            "[register]",
            value=study,
        )
    folder = output_folder(loaded, out)
    typer.echo(describe(counted(loaded, folder, scheduler, again)))
    say(f"counts: {folder / CELLS}")


@app.command(epilog="Example: intlmodels new valley --model share")
def new(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Folder to make.")],
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="share: a share of every firm; decay: decisions with a flag, or counts of them.",
        ),
    ] = "",
    decisions: Annotated[
        bool,
        typer.Option("--decisions", help="Of decay: every decision is known, not only counts."),
    ] = False,
) -> None:
    """Make the folder of a study of your own: a made-up example to replace piece by piece."""
    from intlmodels.newstudy import new_study

    made = new_study(folder, model, decisions)
    typer.echo(f"written to {made}: {', '.join(sorted(path.name for path in made.iterdir()))}")
    typer.echo("a made-up example that runs as it is:")
    for command in ("check", "fit"):
        typer.echo(f"  intlmodels {command} {shlex.quote(str(made))}")
    typer.echo(f"to make it yours, follow {made / 'README.md'}")


@app.command(epilog="Example: intlmodels audit norway")
def audit(
    study: StudyArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Also write CSV tables there.")
    ] = None,
) -> None:
    """Tell whether what a study prints can all be true, and what would mend it."""
    from intlmodels.api import audit_of

    text, tables = audit_of(load(study))
    typer.echo(text)
    if out is not None:
        from intlmodels.csvtext import csv_text
        from intlmodels.store import write_text

        for name, table in tables.items():
            write_text(csv_text(table), out / name)
        say(f"{len(tables)} tables written to {out}")


@app.command(epilog="Example: intlmodels reconstruct norway --draws 10")
def reconstruct(
    study: StudyArgument,
    draws: Annotated[int, typer.Option(help="How many tables of decisions.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Same seed, same tables.")] = None,
    variant: VariantOption = "default",
    out: OutOption = None,
) -> None:
    """Write tables of decisions drawn from a stored fit, each row marked as reconstructed."""
    from intlmodels import store, workflow
    from intlmodels.api import read_fit
    from intlmodels.csvtext import csv_text
    from intlmodels.decay.reconstruct import reconstruct as draw
    from intlmodels.models import find_variant
    from intlmodels.register.reduce import require_firms

    loaded = load(study)
    require_firms(loaded, "the reconstruction of decisions")
    folder = output_folder(loaded, out)
    path = workflow.stored_path(folder, find_variant(loaded, variant).name)
    fit = read_fit(path)
    for item in workflow.stored_fits(loaded, folder):
        if item.path == path and item.reasons:
            raise StudyError(
                f"the stored fit is not current ({'; '.join(item.reasons)}); run intlmodels fit "
                "first",
                file=str(path),
            )
    table = draw(fit, draws, seed)
    path = folder / "reconstructed.csv"
    store.write_text(csv_text(table), path)
    say(f"{draws} reconstructed tables of {len(table) // draws} decisions: {path}")


@app.command(epilog='Example: intlmodels priors rochester --prior "phi=Gamma(2, 0.1)"')
def priors(
    study: StudyArgument, variant: VariantOption = "default", prior: PriorOption = None
) -> None:
    """Print the priors of a model, where each comes from, and how to override it."""
    from intlmodels.api import prior_rows

    loaded = load(study)
    loaded = ready(loaded, output_folder(loaded, None))
    rows = prior_rows(loaded, variant, prior_overrides(prior))
    print_table(("name", "prior", "from", "meaning"), rows)
    typer.echo("\nOverride by name: in [priors] of study.toml, or with --prior NAME=PRIOR.")


@app.command(epilog="Example: intlmodels variants rochester")
def variants(study: StudyArgument) -> None:
    """Print the variants of a study's model."""
    from intlmodels.models import catalogue

    loaded = load(study)
    loaded = ready(loaded, output_folder(loaded, None))
    rows = [(row.name, row.change) for row in catalogue(loaded).values()]
    print_table(("variant", "change"), rows)


@app.command(epilog="Example: intlmodels claims rochester")
def claims(
    study: StudyArgument,
    out: OutOption = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="Only list the rules that claims may have.")
    ] = False,
) -> None:
    """Hold what a publication says against its tables and the stored fits."""
    from intlmodels import api
    from intlmodels.claims.told import found, verdict_lines
    from intlmodels.register.reduce import require_firms
    from intlmodels.study.claimrules import rules_of

    loaded = load(study)
    require_firms(loaded, "a ledger of claims")
    if rules:
        for name, rule in rules_of(loaded.model).items():
            typer.echo(f"{name}: {rule.means}")
        return
    table = api.claim_table(loaded, output_folder(loaded, out))
    for row in table.itertuples(index=False):
        typer.echo(f"{row.id}: {row.verdict}\n  {row.claim}\n  {found(row)}")
    typer.echo("\n" + "\n".join(verdict_lines(table)))


clitrust.register(app)


# -- helpers -----------------------------------------------------------------------------


def _variant_names(study: Study, text: str) -> list[str]:
    from intlmodels.models import catalogue, find_variant

    if text.strip() == "all":
        return list(catalogue(study))
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise StudyError("--variants needs 'all' or at least one name", value=text)
    # The report is about the default; a variant stands beside it.
    return list(dict.fromkeys(["default", *(find_variant(study, name).name for name in names)]))


def _fit(
    study: Study, settings: Settings, variants: str, folder: Path, prior: list[str] | None
) -> int:
    """Fit one study and write its report; the exit code."""
    from intlmodels import workflow
    from intlmodels.solved import kept

    with kept(folder):
        names = _variant_names(study, variants)
        jobs = workflow.plan(study, names, folder, priors=prior_overrides(prior), settings=settings)
        cores = settings.cores or os.cpu_count() or 1
        due = [job for job in jobs if not job.current]
        with workflow.helpers(min(cores, max(1, len(due)))) as pool:
            _run(jobs, folder, pool)
            refresh_report(study, folder, pool if cores > 1 else None)
    return _gate_exit(jobs)


def _run(jobs: list[Job], folder: Path, pool: Executor) -> None:
    from intlmodels import report as reports
    from intlmodels import store, workflow

    store.require_writable(folder)
    due = [job for job in jobs if not job.current]
    for job in jobs:
        if job.current:
            say(f"{job.variant}: unchanged, not fitted again")
        elif job.reasons:
            say(f"{job.variant}: to be fitted ({_why(job.reasons)})")
        else:
            say(f"{job.variant}: draws unchanged, estimands computed again")
    if len(due) == 1:
        pool.submit(reports.get_ready, due[0].study.model)
        with progress_bar(f"sampling {due[0].variant}") as progress:
            checks = workflow.bring_up_to_date(due[0], progress)
        _tell(due[0], checks)
    elif due:
        with progress_bar(f"fitting {len(due)} variants") as progress:
            for done, (job, checks) in enumerate(workflow.run_all(due, pool), start=1):
                _tell(job, checks)
                if progress is not None:
                    progress(done / len(due))


def _why(reasons: Sequence[str], most: int = 4) -> str:
    """Reasons in one line; where another study took the name all of them would fill a screen."""
    more = f"; and {len(reasons) - most} more" if len(reasons) > most else ""
    return "; ".join(reasons[:most]) + more


def _tell(job: Job, checks: Gate) -> None:
    if checks.passed:
        say(f"{job.variant}: converged, {_speed(job)}stored in {job.path}")
    else:
        what = "; ".join(f"{r.label}: {r.value:.4g}" for r in checks.failures)
        say(f"{job.variant}: DID NOT CONVERGE, also after one retry ({what})")


def _speed(job: Job) -> str:
    """Effective draws of the slowest parameter, in all and a second, if a fit was made now."""
    from intlmodels.store import stored_attributes

    found = stored_attributes(job.path) or {}
    if not job.reasons or not found.get("seconds"):
        return ""
    ess, seconds = float(found["ess"]), float(found["seconds"])
    return f"{ess:.0f} effective draws ({ess / seconds:.0f} a second), "


def _gate_exit(jobs: list[Job]) -> int:
    from intlmodels.diagnostics import Gate
    from intlmodels.store import stored_attributes

    failed = []
    for job in jobs:
        attributes = stored_attributes(job.path) or {}
        if not Gate.from_json(attributes["gate"]).passed:
            failed.append(job.variant)
    if failed:
        typer.echo(f"did not converge: {', '.join(failed)}; see the report", err=True)
    return 1 if failed else 0


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line and exit with its code."""
    spare_collection()
    try:
        app(arguments)
    except StudyError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
