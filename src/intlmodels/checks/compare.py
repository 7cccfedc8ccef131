"""Exact leave-one-out: every unit predicted by a fit that did not see it, for every variant.

With a few dozen firms a refit for each is cheap and exact, and the usual approximation by
importance sampling is not reliable. Variants are compared only where they predict the same
printed outcomes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from intlmodels.checks.stored import FOLDER, Comparison, LeftOut
from intlmodels.checks.tasks import Journal, run
from intlmodels.checks.worker import LeaveOut, Plan, leave_out, trials
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Progress, Settings
from intlmodels.models import catalogue, design_of, priors_of
from intlmodels.study import Study

#: Below this many units there is nothing to compare.
FEWEST = 3


def settings_for(study: Study, given: Mapping[str, Any]) -> Settings:
    """Settings of each refit; what is given wins."""
    wanted = {"draws": 1000, "tune": 1000, "chains": 4}
    return Settings(**{**study.settings, **wanted, **given, "cores": 1, "sampler": "nutpie"})


def plans_of(
    study: Study, names: list[str], overrides: Mapping[str, str], settings: Settings
) -> tuple[dict[str, Plan], dict[str, str]]:
    """The variants that are compared, the default first, and why others are not.

    Raises
    ------
    StudyError
        If there are too few units to leave one out.
    """
    plans: dict[str, Plan] = {}
    skipped: dict[str, str] = {}
    rows = catalogue(study)
    default = design_of(study)
    module = trials(study.model)
    units, printed = module.units(study, default), module.printed(study, default)
    if len(units) < FEWEST:
        raise StudyError(
            f"only {len(units)} can be left out one by one; a comparison needs {FEWEST} or more "
            f"{module.unit_kind(default)}s",
            file=str(study.folder),
        )
    for name in names:
        if rows[name].outcome:
            continue  # it explains something else
        design = design_of(study, name)
        same = rows[name].comparable and module.unit_kind(design) == module.unit_kind(default)
        same = same and module.units(study, design) == units
        if not (same and np.array_equal(module.printed(study, design), printed)):
            skipped[name] = "it predicts other outcomes than those printed"
            continue
        plans[name] = Plan(study, name, priors_of(study, name, overrides), settings)
    return plans, skipped


def journal_of(plans: Mapping[str, Plan], out: Path) -> Journal:
    """Where the predictions are kept as they come; a variant more or less leaves them valid."""
    default = next(iter(plans.values()))
    return Journal(
        out / FOLDER / "comparison.jsonl", {"model": default.identity["model"]["version"]}
    )


def compare(
    plans: Mapping[str, Plan],
    skipped: Mapping[str, str],
    out: Path,
    pool: Executor,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Comparison:
    """Leave out every unit once under every variant.

    Parameters
    ----------
    plans, skipped : mapping
        From :func:`plans_of`.
    out : Path
        Output folder of the study.
    pool : concurrent.futures.Executor
        See :func:`intlmodels.checks.tasks.executor`.
    progress, tell : callable, optional
        See :func:`intlmodels.checks.tasks.run`.
    """
    study = next(iter(plans.values())).study
    module = trials(study.model)
    designs = {name: design_of(study, name) for name in plans}
    default = designs[next(iter(plans))]
    units, printed = module.units(study, default), module.printed(study, default)
    over = tuple(float(value) for value in module.values(study, designs))
    tasks = {
        f"{name} {plan.key} {i}": LeaveOut(plan, i, over)
        for name, plan in plans.items()
        for i in range(len(units))
    }
    found = run(leave_out, tasks, journal_of(plans, out), pool, progress=progress, tell=tell)
    rows = iter(found.values())
    predicted = {
        name: tuple(
            LeftOut(unit, float(value), **_as_stored(next(rows)))
            for unit, value in zip(units, printed, strict=True)
        )
        for name in plans
    }
    kind = module.unit_kind(default)
    return Comparison(
        unit=kind,
        unit_label=study.firm_label if kind == "firm" else kind,
        values=over,
        variants=predicted,
        skipped=dict(skipped),
        settings=next(iter(plans.values())).identity["settings"],
    )


def _as_stored(result: Mapping[str, Any]) -> dict[str, Any]:
    return {**result, "law": tuple(result["law"])}
