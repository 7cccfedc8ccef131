"""The command fit: which fits are due and why, the fits, and what is reported of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from intlmodels.cli.terminal import prior_overrides, progress_bar, refresh_report, say
from intlmodels.core import files
from intlmodels.core.errors import StudyError

if TYPE_CHECKING:
    from intlmodels.core.settings import Settings
    from intlmodels.fitting.diagnostics import Gate
    from intlmodels.fitting.jobs import Job
    from intlmodels.study import Study


def fit_and_report(
    study: Study, settings: Settings, variants: str, folder: Path, prior: list[str] | None
) -> int:
    """Fit one study and write its report; the exit code."""
    from intlmodels.audit import use_cache
    from intlmodels.core.processes import helpers
    from intlmodels.fitting import jobs as workflow

    with use_cache(folder):
        names = _variant_names(study, variants)
        jobs = workflow.plan(study, names, folder, priors=prior_overrides(prior), settings=settings)
        cores = settings.cores or os.cpu_count() or 1
        due = [job for job in jobs if not job.current]
        with helpers(min(cores, max(1, len(due)))) as pool:
            _run(jobs, folder, pool)
            refresh_report(study, folder, pool if cores > 1 else None)
    return _gate_exit(jobs)


def _variant_names(study: Study, text: str) -> list[str]:
    from intlmodels.models import catalogue, find_variant

    if text.strip() == "all":
        return list(catalogue(study))
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise StudyError("--variants needs 'all' or at least one name", value=text)
    # The report is about the default; a variant stands beside it.
    return list(dict.fromkeys(["default", *(find_variant(study, name).name for name in names)]))


def _run(jobs: list[Job], folder: Path, pool: Executor) -> None:
    from intlmodels import report as reports
    from intlmodels.fitting import jobs as workflow

    files.require_writable(folder)
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
    from intlmodels.fitting.store import header

    found = header(job.path)
    if not job.reasons or found is None or not found.seconds:
        return ""
    return f"{found.ess:.0f} effective draws ({found.ess / found.seconds:.0f} a second), "


def _gate_exit(jobs: list[Job]) -> int:
    from intlmodels.fitting.store import require_whole

    failed = [job.variant for job in jobs if not require_whole(job.path).gate.passed]
    if failed:
        typer.echo(f"did not converge: {', '.join(failed)}; see the report", err=True)
    return 1 if failed else 0
