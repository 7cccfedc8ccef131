"""The command line: the only place that wires everything together.

Exit codes: 0 done, 1 a fit did not pass the gate (or ranks are not uniform, or a report is
stale), 2 unusable input, output or means, 70 a mistake of this program, 130 interrupted.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from importlib import metadata
from typing import Annotated, NoReturn

import typer

from intlmodels.cli import fitting, terminal
from intlmodels.cli.fitting import SweepsOption, fit_and_report, given
from intlmodels.cli.terminal import (
    OutOption,
    PriorOption,
    SchedulerOption,
    StudiesArgument,
    StudyArgument,
    VariantOption,
    interruptible,
    load,
    output_folder,
    print_table,
    prior_overrides,
    ready,
    refresh_report,
    say,
)
from intlmodels.core import files
from intlmodels.core.errors import StudyError, one_line
from intlmodels.core.files import write_all
from intlmodels.core.processes import spare_collection

app = typer.Typer(
    name="intlmodels",
    help="Bayesian models for how firms in regional clusters go abroad.",
    epilog="Start with: intlmodels fit rochester; for a study of your own: intlmodels new FOLDER",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"intlmodels {metadata.version('intlmodels')}")
        raise typer.Exit


#: What the command says of itself when it is called with nothing else.
WELCOME = """\
intlmodels fits Bayesian models of how firms in regional clusters go abroad, and writes a report.

  intlmodels fit rochester               a study that comes with the package (half a minute)
  intlmodels new valley --model share    a folder for your own table, with an example to replace
  intlmodels check valley                what was understood; the first error, and how to fix it
  intlmodels fit valley                  the fit and its report: reports/NAME/index.html
  intlmodels sensitivity valley          do conclusions survive other priors?
  intlmodels export valley               tables, figures, methods and references for a paper

Studies: michigan, norway, rochester, or the path of a folder. All commands: intlmodels --help\
"""


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(WELCOME)


@app.command(epilog="Example: intlmodels fit rochester --variants all --seed 7")
def fit(
    studies: StudiesArgument,
    variants: Annotated[
        str,
        typer.Option(
            "--variants",
            metavar="NAMES",
            help="'all', or names separated by commas; STUDY:NAME for one study only.",
        ),
    ] = "default",
    out: OutOption = None,
    prior: PriorOption = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same draws.")] = None,
    draws: Annotated[int | None, typer.Option(help="Draws per chain, after tuning.")] = None,
    tune: Annotated[int | None, typer.Option(help="Tuning draws per chain.")] = None,
    chains: Annotated[int | None, typer.Option(help="Number of chains.")] = None,
    cores: Annotated[int | None, typer.Option(help="Processor cores to use.")] = None,
    target_accept: Annotated[
        float | None, typer.Option(help="Target acceptance, between 0 and 1.")
    ] = None,
    sampler: Annotated[str | None, typer.Option(help="nutpie or pymc.")] = None,
    sweeps: SweepsOption = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="For a register: count on the workers of a Dask scheduler."
        ),
    ] = None,
) -> None:
    """Fit studies and write their reports. Only what changed is fitted again."""
    from intlmodels.fitting import jobs

    changes = given(seed=seed, draws=draws, tune=tune, chains=chains, cores=cores, sweeps=sweeps)
    changes |= given(target_accept=target_accept, sampler=sampler)
    if out is not None and len(studies) > 1:
        raise StudyError("--out is the folder of one study; expected one", value=" ".join(studies))
    # All are read before the first is fitted.
    asked = [
        (one, jobs.settings_of(one, changes), output_folder(one, out)) for one in map(load, studies)
    ]
    folders = [folder.resolve() for *_, folder in asked]
    for (study, *_), folder in zip(asked, folders, strict=True):
        if folders.count(folder) > 1:
            said = "two of these studies have this name, and their reports would share a folder"
            raise StudyError(f"{said}; fit them one by one, each with --out", value=study.name)
    with interruptible("interrupted: finished fits are saved; run the same command to resume"):
        asked = [
            (ready(one, folder, scheduler), settings, folder) for one, settings, folder in asked
        ]
        raise typer.Exit(fit_and_report(asked, variants, prior))


@app.command(epilog="Example: intlmodels report rochester --out my-report")
def report(
    study: StudyArgument,
    out: OutOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether the report is stale (exit 1).")
    ] = False,
) -> None:
    """Write the report of a study from its stored fits."""
    from intlmodels import report as reports

    loaded = load(study)
    folder = output_folder(loaded, out, writes=not check)
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
        int | None, typer.Option(help="Dots per inch of the PNG figures [default: 300].")
    ] = None,
) -> None:
    """Write what a paper needs from the stored fits. Tables, figures, methods, BibTeX, draws."""
    from intlmodels import paper
    from intlmodels.core.processes import helpers

    loaded = load(study)
    output = output_folder(loaded, out)
    loaded = ready(loaded, output)
    widths = width or paper.WIDTHS
    with helpers(min(os.cpu_count() or 1, max(1, len(widths) - 1))) as pool:
        folder = paper.write(
            loaded,
            output,
            widths=widths,
            dpi=paper.DPI if dpi is None else dpi,
            pool=pool if len(widths) > 1 else None,
        )
    say(f"for a paper: {folder}, described in {folder / 'README.md'}")


@app.command(epilog="Example: intlmodels check path/to/my-study")
def check(study: StudyArgument) -> None:
    """Say what was understood of a study, or what is wrong in it."""
    from intlmodels.audit import require_consistent_counts
    from intlmodels.fitting.jobs import settings_of
    from intlmodels.models import catalogue, priors_of, require_names
    from intlmodels.studies import RowFiles, describe

    loaded = load(study)
    if isinstance(loaded, RowFiles):
        from intlmodels.register.counts import preview_lines

        settings_of(loaded)
        typer.echo("\n".join(preview_lines(loaded)))
        return
    require_consistent_counts(loaded)
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
    """Count the cells of a register of any size. A fit uses these counts."""
    from intlmodels.register.counts import CELLS
    from intlmodels.studies import RowFiles, describe

    loaded = load(study)
    if not isinstance(loaded, RowFiles):
        raise StudyError(
            "there is nothing to reduce: this study lists its firms; expected a study with a table "
            "[register]",
            value=study,
        )
    folder = output_folder(loaded, out)
    typer.echo(describe(ready(loaded, folder, scheduler, again)))
    say(f"counts: {folder / CELLS}")


@app.command(epilog="Example: intlmodels new valley --model share")
def new(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Folder to create.")],
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="share: a share for every firm; decay: decisions with a flag, or counts of them.",
        ),
    ] = "",
    decisions: Annotated[
        bool,
        typer.Option("--decisions", help="With decay: every decision is known, not only counts."),
    ] = False,
    rows: Annotated[
        bool, typer.Option("--rows", help="With share: firms repeat, as in firm-years.")
    ] = False,
) -> None:
    """Create a folder for your own table, with a made-up example."""
    from intlmodels.studies import new_study

    made = new_study(folder, model, decisions, rows)
    typer.echo(f"written to {made}: {', '.join(sorted(path.name for path in made.iterdir()))}")
    typer.echo("a made-up example that runs as it is:")
    for command in ("check", "fit"):
        typer.echo(f"  intlmodels {command} {shlex.quote(str(made))}")
    typer.echo(f"to make it yours, follow {made / 'README.md'}")


@app.command(epilog="Example: intlmodels audit norway")
def audit(
    study: StudyArgument,
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="Also write CSV tables there.")
    ] = None,
) -> None:
    """Check whether published numbers can all be true. If not, say what would repair them."""
    from intlmodels.api import audit_of

    loaded = load(study)
    folder = None if out is None else output_folder(loaded, out)
    text, tables = audit_of(loaded)
    typer.echo(text)
    if folder is not None:
        from intlmodels.core.csvtable import csv_text

        write_all({name: csv_text(table).encode() for name, table in tables.items()}, folder)
        say(f"{len(tables)} tables written to {folder}")


@app.command(epilog="Example: intlmodels reconstruct norway --draws 10")
def reconstruct(
    study: StudyArgument,
    draws: Annotated[int, typer.Option(help="How many tables of decisions.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Same seed, same tables.")] = None,
    variant: VariantOption = "default",
    out: OutOption = None,
) -> None:
    """Write tables of decisions drawn from a stored fit. Each row is marked as reconstructed."""
    from intlmodels.api import read_fit
    from intlmodels.core.csvtable import csv_text
    from intlmodels.fitting import jobs
    from intlmodels.models import find_variant
    from intlmodels.models.decay.inferencedata import reconstruct as draw
    from intlmodels.register.counts import require_firms

    loaded = load(study)
    require_firms(loaded, "the reconstruction of decisions")
    folder = output_folder(loaded, out)
    path = jobs.stored_path(folder, find_variant(loaded, variant).name)
    fit = read_fit(path)
    for item in jobs.stored_fits(loaded, folder):
        if item.path == path and item.reasons:
            raise StudyError(
                f"the stored fit is not current ({'; '.join(item.reasons)}); run intlmodels fit "
                "first",
                file=str(path),
            )
    table = draw(fit, draws, seed)
    path = folder / "reconstructed.csv"
    files.write_text(csv_text(table), path)
    say(f"{draws} reconstructed tables of {len(table) // draws} decisions: {path}")


@app.command(epilog='Example: intlmodels priors rochester --prior "phi=Gamma(2, 0.1)"')
def priors(
    study: StudyArgument, variant: VariantOption = "default", prior: PriorOption = None
) -> None:
    """Print the priors of a model. Says where each comes from, and how to override it."""
    from intlmodels.api import prior_rows

    loaded = load(study)
    loaded = ready(loaded, output_folder(loaded, None, writes=False))
    rows = prior_rows(loaded, variant, prior_overrides(prior))
    print_table(("name", "prior", "from", "meaning"), rows)
    typer.echo("\nOverride by name: in [priors] of study.toml, or with --prior NAME=PRIOR.")


@app.command(epilog="Example: intlmodels variants rochester")
def variants(study: StudyArgument) -> None:
    """Print the variants of a study's model."""
    from intlmodels.models import catalogue

    loaded = load(study)
    loaded = ready(loaded, output_folder(loaded, None, writes=False))
    rows = [(row.name, row.change) for row in catalogue(loaded).values()]
    print_table(("variant", "change"), rows)


@app.command(epilog="Example: intlmodels claims rochester")
def claims(
    study: StudyArgument,
    out: OutOption = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="Only list the rules that claims can use.")
    ] = False,
) -> None:
    """Test what a publication says against tables and fits."""
    from intlmodels import api
    from intlmodels.claims import ledger
    from intlmodels.core import formats as f
    from intlmodels.register.counts import require_firms
    from intlmodels.studies.claims import OURS
    from intlmodels.studies.fitrules import rules_of

    loaded = load(study)
    require_firms(loaded, "a ledger of claims")
    if rules:
        for name, rule in rules_of(loaded.model).items():
            typer.echo(f"{name}: {rule.means}")
        return
    table = api.claim_table(loaded, output_folder(loaded, out, writes=False))
    for row in table.itertuples(index=False):
        own = ", our own" if row.origin == OURS else ""
        lines = [f"{row.claim} ({row.id}{own}): {ledger.verdict_text(row)}"]
        lines.append(f"  {ledger.finding_text(row)}")
        for line in lines:
            typer.echo(one_line(line.replace(f.SPACE, " ")))
    wrong = [text for text in [ledger.expected_wrong(table)] if text]
    lines = [*ledger.verdict_lines(table), *ledger.finding_sentences(table), *wrong]
    typer.echo("\n" + "\n".join(lines))


app.command(epilog="Example: intlmodels calibrate rochester --sims 500")(fitting.calibrate)
app.command(epilog="Example: intlmodels compare rochester")(fitting.compare)
app.command(epilog="Example: intlmodels sensitivity rochester")(fitting.sensitivity)
app.command(epilog="Example: intlmodels influence rochester")(fitting.influence)
app.command(epilog="Example: intlmodels multiverse rochester")(fitting.multiverse)
app.command(epilog="Example: intlmodels design rochester --firms 22,50,100,200")(fitting.design)


# -- the whole ---------------------------------------------------------------------------


def run(arguments: Sequence[str]) -> int:
    """Run the command line; the exit code."""
    return terminal.run_to_exit(partial(_invoke, arguments))


def _invoke(arguments: Sequence[str]) -> int:
    spare_collection()
    command = typer.main.get_command(app)
    try:
        # Not `app(...)`: for it a closed pipe is exit code 1.
        with command.make_context("intlmodels", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code
    except typer.TyperException as error:
        said, own = error.format_message().rstrip("."), getattr(error, "ctx", None)
        if own is not None and own.command.epilog and said.startswith("Missing argument"):
            raise StudyError(f"{said}; {own.command.epilog}") from error
        raise StudyError(f"{said}; see --help") from error
    return 0


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
