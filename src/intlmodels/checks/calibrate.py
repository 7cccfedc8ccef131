"""Simulation-based calibration of the whole path: simulate, publish, fit, rank.

Parameters drawn from their priors, data simulated from them with the study's own design, a fit of
each: if everything is right, the rank of the true value among the posterior's draws is uniform
(Talts et al. 2018, arXiv:1804.06788). A model with a deliberate error must fail the same check.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from intlmodels.checks import ranks
from intlmodels.checks.stored import FOLDER, PROBS, Calibrated, Calibration, Caught
from intlmodels.checks.tasks import Journal, run
from intlmodels.checks.worker import LEVELS, Plan, simulate, trials
from intlmodels.core.errors import StudyError, did_you_mean
from intlmodels.core.settings import Progress, Settings
from intlmodels.models import DEFAULT, design_of
from intlmodels.models.priors import Prior
from intlmodels.study import Study

#: R-hat above which a fit counts as one that did not converge: fits are short here, and R-hat of
#: so few draws scatters more than that of a fit that is shown.
LIMIT = 1.05
#: Numbers of simulations after which it is looked whether a deliberate error was noticed.
LOOKS = (25, 50, 100, 200, 400)


def settings_for(study: Study, given: Mapping[str, Any]) -> Settings:
    """Settings of each fit: short, since there are many; what is given wins."""
    wanted = {"draws": 500, "tune": 500, "chains": 2, "sweeps": 5}
    kept = {n: v for n, v in study.settings.items() if n in ("target_accept", "seed")}
    return Settings(**{**wanted, **kept, **given, "cores": 1, "sampler": "nutpie"})


def plan_of(
    study: Study, variant: str, priors: dict[str, Prior], settings: Settings, wrong: str = ""
) -> Plan:
    """What to simulate and to fit.

    Raises
    ------
    StudyError
        If the variant cannot be simulated, or the deliberate error is not known.
    """
    design = design_of(study, variant)
    why = trials(study.model).why_not(design)
    if why:
        raise StudyError(f"variant {variant} cannot be calibrated: {why}", value=variant)
    known = trials(study.model).wrong_models(design)
    if wrong and wrong not in known:
        raise StudyError(
            f"no deliberate error is called '{wrong}'{did_you_mean(wrong, known)}; they are "
            f"{', '.join(known)}",
            value=wrong,
        )
    if settings.draws * settings.chains < LEVELS:
        raise StudyError(
            f"calibration ranks among {LEVELS} draws; ask for as many with --draws",
            value=str(settings.draws * settings.chains),
        )
    return Plan(study, variant, priors, settings, wrong)


def journal_of(plan: Plan, out: Path) -> Journal:
    """Where the results of a plan are kept as they come."""
    own = "" if plan.variant == DEFAULT else f"-{plan.variant}"
    own += f"-{plan.wrong}" if plan.wrong else ""
    return Journal(out / FOLDER / f"calibration{own}.jsonl", plan.identity)


def calibrate(
    plan: Plan,
    sims: int,
    out: Path,
    pool: Executor,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Calibration:
    """Simulate and fit; results of an earlier run that was broken off are used.

    Parameters
    ----------
    plan : Plan
        From :func:`plan_of`.
    sims : int
        Number of simulations; the first of a longer run are those of a shorter one.
    out : Path
        Output folder of the study.
    pool : concurrent.futures.Executor
        See :func:`intlmodels.checks.tasks.executor`.
    progress, tell : callable, optional
        See :func:`intlmodels.checks.tasks.run`.
    """
    tasks = {str(number): (plan, number) for number in range(sims)}
    found = run(simulate, tasks, journal_of(plan, out), pool, progress=progress, tell=tell)
    return summarize(plan, [found[key] for key in tasks])


def summarize(plan: Plan, results: list[dict[str, Any]]) -> Calibration:
    """What the simulations of a plan say, in their order."""
    failed = tuple((i, r["failed"]) for i, r in enumerate(results) if "failed" in r)
    fits = [result for result in results if "failed" not in result]
    names = list(fits[0]["quantities"]) if fits else []
    return Calibration(
        variant=plan.variant,
        wrong=plan.wrong,
        sims=len(results),
        failed=failed,
        divergent=sum(fit["divergences"] > 0 for fit in fits),
        # Also where R-hat is not a number.
        unconverged=sum(not fit["rhat"] <= LIMIT for fit in fits),
        limit=LIMIT,
        settings=plan.identity["settings"],
        quantities=tuple(
            _quantity(name, np.array([fit["quantities"][name] for fit in fits])) for name in names
        ),
    )


def _quantity(name: str, rows: np.ndarray) -> Calibrated:
    rank, place, truth, mean, sd, width = rows.T
    off = mean - truth
    error = off.std(ddof=1) / np.sqrt(len(off)) if len(off) > 1 else float("nan")
    inside = [int(((place >= (1 - p) / 2) & (place <= (1 + p) / 2)).sum()) for p in PROBS]
    return Calibrated(
        name=name,
        ranks=tuple(np.bincount(rank.astype(int), minlength=LEVELS + 1).tolist()),
        covered=tuple(inside),
        bias=float(off.mean()),
        bias_error=float(error),
        error=float(np.sqrt((off**2).mean())),
        spread=float(sd.mean()),
        width=float(width.mean()),
        prior_spread=float(truth.std(ddof=1)) if len(off) > 1 else float("nan"),
    )


def catch(
    plan: Plan,
    most: int,
    out: Path,
    pool: Executor,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Caught:
    """Simulate from the model and fit with a deliberate error until the ranks give it away.

    Parameters
    ----------
    plan : Plan
        With a deliberate error.
    most : int
        Simulations at most.
    """
    change = trials(plan.study.model).wrong_models(design_of(plan.study, plan.variant))[plan.wrong]
    looks = (*(n for n in LOOKS if n < most), most)
    for done, look in enumerate(looks):
        found = calibrate(plan, look, out, pool, progress, tell)
        if not found.quantities:
            continue
        raw = raw_p_values(found)
        adjusted = ranks.holm(raw)
        after = look if ranks.deviates(adjusted, len(looks)) else None
        if after or done == len(looks) - 1:
            worst = int(raw.argmin())  # adjusted ones may tie at 1
            name = found.quantities[worst].name
            return Caught(plan.wrong, change, looks, after, name, float(adjusted[worst]))
    return Caught(plan.wrong, change, looks, None, "", 1.0)


def raw_p_values(found: Calibration) -> np.ndarray:
    """P-values of uniform ranks, one for each quantity."""
    return ranks.p_values(np.array([quantity.ranks for quantity in found.quantities]))


def uniform(found: Calibration) -> bool:
    """Whether no quantity's ranks give away that something is wrong; False without any fit."""
    return bool(found.quantities) and not ranks.deviates(ranks.holm(raw_p_values(found)))


def only_of_the_default(variant: str, wrong: list[str]) -> None:
    """Refuse deliberate errors of a variant.

    Raises
    ------
    StudyError
        If there are errors, and the variant is not the default.
    """
    if wrong and variant != DEFAULT:
        raise StudyError(
            "deliberate errors are errors of the default model; leave out --variant or --wrong",
            value=variant,
        )


def ranks_text(plan: Plan, out: Path, sims: int) -> str:
    """Ranks of all simulations as CSV: number, failure, divergences, R-hat, ESS, one a quantity."""
    found = journal_of(plan, out).results()
    results = [found[str(number)] for number in range(sims)]
    names = next((list(r["quantities"]) for r in results if "failed" not in r), [])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["simulation", "failed", "divergences", "rhat", "ess", *names])
    for number, result in enumerate(results):
        if "failed" in result:
            writer.writerow([number, result["failed"], *[""] * (3 + len(names))])
            continue
        ranks_ = [result["quantities"][name][0] for name in names]
        row = [result[key] for key in ("divergences", "rhat", "ess")]
        writer.writerow([number, "", *row, *ranks_])
    return text.getvalue()
