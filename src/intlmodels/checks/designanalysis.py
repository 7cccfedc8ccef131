"""Design analysis: how many firms like these it would take to decide each comparison.

Studies of so many firms are simulated and fitted, and it is counted how often the sign of each
reported difference is clear, and right (Gelman and Carlin 2014, Perspectives on Psychological
Science 9, 641-651). Predictors are rows of the study, drawn with replacement: a few such samples
for each number of firms, each compiled once and shared by its simulations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intlmodels.checks.calibration import (
    LIMIT,
    MOST_SIMS,
    differences_of,
    fit_simulated,
    recorded,
    reported,
    settings_for,
)
from intlmodels.checks.runner import (
    Check,
    ExecutionOptions,
    Journal,
    Plan,
    convergence_of,
    require_known,
    run_and_store,
)
from intlmodels.checks.sensitivity import current
from intlmodels.checks.stored import FOLDER, DesignAnalysis, SimulatedSize
from intlmodels.core.errors import StudyError, listed
from intlmodels.core.versions import CHECKS_VERSION
from intlmodels.fitting import store
from intlmodels.fitting.jobs import stored_overrides
from intlmodels.models import DEFAULT, design_of, priors_of
from intlmodels.models.share import simulator
from intlmodels.register.counts import require_firms
from intlmodels.studies import ShareStudy, Study

Array = NDArray[np.float64]

#: Where true parameters come from.
SOURCES = ("posterior", "prior")
#: Samples of rows for each number of firms.
SAMPLES = 4
#: More would take days.
MOST_FIRMS = 5000


class Task(NamedTuple):
    """One study to simulate: true parameters, or None to draw them from the priors."""

    plan: Plan
    number: int
    truth: Mapping[str, Array] | None


def run_design(
    study: Study,
    out: Path,
    options: ExecutionOptions,
    *,
    firms: Sequence[int] = (),
    sims: int = 100,
    source: str = "posterior",
    overrides: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> DesignAnalysis:
    """Simulate and fit ``sims`` studies of each number of firms, and store what is decided.

    Without ``firms`` once, twice, four and eight times as many as the study has.
    """
    require_firms(study, "a design analysis")
    if not isinstance(study, ShareStudy) or study.panel is not None:
        raise StudyError(
            "a design analysis is for studies of shares with one row for each firm; firms with "
            "several rows or decisions cannot be resampled yet",
            value=study.name,
        )
    if why := simulator.why_not_resampled(study, design_of(study)):
        raise StudyError(f"firms like these cannot be simulated: {why}", value=study.name)
    sizes = firms_of(study, firms)
    if not 1 <= sims <= MOST_SIMS:
        raise StudyError(f"sims must be a whole number from 1 to {MOST_SIMS}", value=str(sims))
    if source not in SOURCES:
        raise StudyError(f"expected true parameters from one of {listed(SOURCES)}", value=source)
    given = dict(overrides or {})
    used = settings_for(study, require_known(settings))
    stored = None
    if source == "posterior":
        if given:
            raise StudyError(
                "the priors are those of the stored fit; change them with intlmodels fit, or take "
                "parameters from the prior with --from prior",
                value=next(iter(given)),
            )
        stored, given = current(study, out)[0].path, stored_overrides(study, out)
    priors = priors_of(study, DEFAULT, given)
    check = design_analysis(Plan(study, DEFAULT, priors, used), sizes, sims, stored, out)
    return run_and_store(check, study, given, out, options)


def firms_of(study: ShareStudy, firms: Sequence[int]) -> tuple[int, ...]:
    """Numbers of firms in ascending order, if all of them can be simulated."""
    levels = [len(own.levels) for own in study.predictors.values()]
    least = max([2, *levels, *(len(own.labels) for own in study.groupings.values())])
    for number in firms:
        if not least <= number <= MOST_FIRMS:
            raise StudyError(
                f"expected numbers of firms from {least}, the largest number of levels of a "
                f"predictor, to {MOST_FIRMS}",
                value=str(number),
            )
    return tuple(sorted(set(firms))) or tuple(len(study.firms) * k for k in (1, 2, 4, 8))


def design_analysis(
    plan: Plan, sizes: Sequence[int], sims: int, stored: Path | None, out: Path
) -> Check[DesignAnalysis]:
    """Studies of each size, with parameters from the stored fit, or from the priors of the plan."""
    study, seed = plan.study, plan.settings.seed
    assert isinstance(study, ShareStudy)
    truths: list[Mapping[str, Array] | None] = [None] * sims
    truth: Any = "prior"
    if stored is not None:
        fit = store.read(stored)
        truth = json.loads(fit.attrs["fingerprint"])
        truths = [*draws_of(fit, sims, seed)]
    tasks = {}
    for size in sizes:
        samples = []
        for sample in range(SAMPLES):
            rng = np.random.default_rng([seed, 7, size, sample])
            rows = rng.integers(len(study.firms), size=size)
            own = simulator.resampled(study, rows)
            samples.append(Plan(own, DEFAULT, plan.priors, plan.settings))
        keys = [own.key for own in samples]
        for number, own_truth in enumerate(truths):
            sample = number % SAMPLES
            task = Task(samples[sample], number, own_truth)
            tasks[f"{size} firms, {number} {keys[sample]}"] = task
    version = {"model": plan.identity["model"], "checks": CHECKS_VERSION[study.model]}
    return Check(
        kind="design",
        title=f"{len(tasks)} simulated fits",
        tasks=tasks,
        worker=simulate_size,
        summarize=partial(summarize, plan, sizes, sims, "prior" if stored is None else "posterior"),
        journal=Journal(out / FOLDER / "design.sqlite", {**version, "truth": truth}),
    )


def draws_of(fit: Any, count: int, seed: int) -> list[Mapping[str, Array]]:
    """Parameters of some draws of a fit, the same first ones whatever their number."""
    posterior = fit["posterior"].to_dataset()
    draws = {
        str(name): own.transpose("chain", "draw", ...).to_numpy()
        for name, own in posterior.items()
        if "firm" not in own.dims
    }
    shape = posterior.sizes["chain"], posterior.sizes["draw"]
    found: list[Mapping[str, Array]] = []
    for number in range(count):
        at = tuple(np.random.default_rng([seed, 8, number]).integers(shape))
        found.append({name: values[at] for name, values in draws.items()})
    return found


def simulate_size(task: Task) -> dict[str, Any]:
    """Simulate one study, fit it, and record every difference, or say why it ``failed``."""
    plan, number, truth = task
    study, design = plan.study, design_of(plan.study)
    assert isinstance(study, ShareStudy)
    # Of the same number the same true parameters, whatever the number of firms.
    rng = np.random.default_rng([plan.settings.seed, number])
    if truth is None:
        truth, given = simulator.simulate(study, design, plan.priors, rng)
    else:
        given = simulator.simulate_given(study, design, truth, rng)
    fitted = fit_simulated(plan, number, given)
    if isinstance(fitted, str):
        return {"failed": fitted}
    posterior, stats = fitted
    pairs = reported(study, DEFAULT, posterior, truth)
    stacked = np.stack([item.draws for item, _ in pairs], axis=-1)
    return {**convergence_of(stacked, stats), "differences": recorded(pairs)}


def summarize(
    plan: Plan, sizes: Sequence[int], sims: int, source: str, results: list[dict[str, Any]]
) -> DesignAnalysis:
    """Put the simulations of each number of firms together."""
    found = []
    for place, size in enumerate(sizes):
        own = results[place * sims : (place + 1) * sims]
        fits = [result for result in own if "failed" not in result]
        found.append(
            SimulatedSize(
                firms=size,
                failed=len(own) - len(fits),
                unconverged=sum(not fit["rhat"] <= LIMIT for fit in fits),
                differences=differences_of(fits),
            )
        )
    identity = plan.identity["settings"]
    return DesignAnalysis(source, len(plan.study.firms), sims, identity, tuple(found))
