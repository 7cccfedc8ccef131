"""Exact leave-one-out: every unit predicted by a fit that did not see it, for every variant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from intlmodels.audit import require_consistent_counts
from intlmodels.checks.bridge import log_evidence, why_no_evidence
from intlmodels.checks.evidence import of_counts, run_evidence
from intlmodels.checks.leaveout import log_mean_exp, lpd_error
from intlmodels.checks.runner import (
    Check,
    ExecutionOptions,
    Journal,
    Plan,
    cached_fitter,
    convergence_of,
    require_known,
    run_and_store,
    simulator,
)
from intlmodels.checks.stored import FOLDER, Comparison, Evidence, LeftOut
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Settings
from intlmodels.fitting.diagnostics import LIMITS
from intlmodels.fitting.jobs import checked_fit, more_careful
from intlmodels.models import catalogue, design_of, model_of, priors_of
from intlmodels.register.counts import require_firms
from intlmodels.results.intervals import converged
from intlmodels.studies import Study

#: Below this many units there is nothing to compare.
FEWEST = 3
#: Why variants are not compared by leaving out counts.
DETERMINED = "counts that determine each other do not compare variants by leaving one out"


def run_comparison(
    study: Study,
    out: Path,
    options: ExecutionOptions,
    *,
    overrides: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[Comparison, Evidence | None]:
    """Leave out every unit once under every variant of the same printed outcomes.

    Of published counts the evidence is computed as well; where some of them are determined by
    others, that alone compares variants, and counts are left out under the default only.
    """
    require_firms(study, "leaving out firms")
    require_consistent_counts(study)
    given = dict(overrides or {})
    used = settings_for(study, require_known(settings))
    plans, skipped = plans_of(study, list(catalogue(study)), given, used)
    found = None
    if of_counts(plans):
        found = run_evidence(plans, skipped, out, options, given)
        if found.determined:
            default = next(iter(plans))
            skipped |= {name: DETERMINED for name in plans if name != default}
            plans = {default: plans[default]}
    left = run_and_store(comparison(plans, skipped, out), study, given, out, options)
    return left, found


def settings_for(study: Study, given: Mapping[str, Any]) -> Settings:
    """Settings of each refit; what is given wins."""
    wanted = {"draws": 1000, "tune": 1000, "chains": 4}
    return Settings(**{**study.settings, **wanted, **given, "cores": 1, "sampler": "nutpie"})


def plans_of(
    study: Study, names: list[str], overrides: Mapping[str, str], settings: Settings
) -> tuple[dict[str, Plan], dict[str, str]]:
    """The variants that are compared, the default first, and why others are not."""
    plans: dict[str, Plan] = {}
    skipped: dict[str, str] = {}
    rows = catalogue(study)
    default = design_of(study)
    module = simulator(study.model)
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
            skipped[name] = "it predicts outcomes other than those reported"
            continue
        plans[name] = Plan(study, name, priors_of(study, name, overrides), settings)
    return plans, skipped


@dataclass(frozen=True)
class LeaveOut:
    """A unit, by its position in the study, to be predicted by a fit that does not see it."""

    plan: Plan
    unit: int
    values: tuple[float, ...]  # everything that could have been printed


@dataclass(frozen=True)
class WholeFit:
    """A fit of all units, for the log evidence of a variant."""

    plan: Plan


def comparison(
    plans: Mapping[str, Plan], skipped: Mapping[str, str], out: Path
) -> Check[Comparison]:
    """Leave out every unit once under every variant, and the evidence of those that have one.

    Arguments are from :func:`plans_of`.
    """
    default = next(iter(plans.values()))
    study, module = default.study, simulator(default.study.model)
    designs = {name: design_of(study, name) for name in plans}
    design = designs[default.variant]
    units, printed = module.units(study, design), module.printed(study, design)
    values = tuple(float(value) for value in module.values(study, designs))
    kind = module.unit_kind(design)
    weighed = [name for name in plans if not why_no_evidence(study, name)]

    def summarize(results: list[dict[str, Any]]) -> Comparison:
        left, whole = results[: len(plans) * len(units)], results[len(plans) * len(units) :]
        rows = ({**result, "law": tuple(result["law"])} for result in left)
        evidence = {
            name: (float(found["value"]), float(found["error"]))
            for name, found in zip(weighed, whole, strict=True)
            if found
        }
        variants = {
            name: tuple(
                LeftOut(unit, float(value), **next(rows))
                for unit, value in zip(units, printed, strict=True)
            )
            for name in plans
        }
        label = study.firm_label if kind == "firm" else kind
        settings = default.identity["settings"]
        return Comparison(kind, label, values, variants, dict(skipped), settings, evidence)

    # A variant more or less leaves the results of the others valid.
    identity = {"model": default.identity["model"]["version"]}
    return Check(
        kind="comparison",
        title=f"leaving out, {len(plans)} variants",
        tasks={
            f"{name} {plan.key} {i}": LeaveOut(plan, i, values)
            for name, plan in plans.items()
            for i in range(len(units))
        }
        | {f"{name} {plans[name].key} evidence": WholeFit(plans[name]) for name in weighed},
        worker=work,
        summarize=summarize,
        journal=Journal(out / FOLDER / "comparison.sqlite", identity),
    )


def leave_out(task: LeaveOut) -> dict[str, Any]:
    """Fit without a unit, more carefully if need be, and predict it: fields of ``LeftOut``."""
    plan, module = task.plan, simulator(task.plan.study.model)
    study, design = plan.study, design_of(plan.study, plan.variant)
    settings = plan.settings_of(task.unit)
    given = module.without(study, design, task.unit)
    for retry in (False, True):
        posterior, stats = cached_fitter(plan).draw(settings, given)
        draws = [posterior[n].transpose("chain", "draw", ...).to_numpy() for n in posterior]
        draws = [a.reshape(*a.shape[:2], -1) for a in draws if a.dtype.kind == "f"]
        quality = convergence_of(np.concatenate(draws, axis=-1), stats)
        good = quality["rhat"] <= LIMITS["rhat"] and quality["ess"] >= LIMITS["ess_bulk"]
        if (good and not quality["divergences"]) or retry:
            break
        names = model_of(study).settings(design)
        settings, _ = more_careful(settings, plan.settings.identity(names))
    law, logs = module.predict(study, design, posterior, task.unit, np.array(task.values))
    return {
        "lpd": float(log_mean_exp(logs, axis=None)),
        "lpd_error": lpd_error(logs),
        "law": [float(f"{p:.6g}") for p in law],
        **quality,
    }


def weigh(task: WholeFit) -> dict[str, Any]:
    """Log evidence of a variant, ``value`` and ``error``; nothing if its fit did not converge."""
    plan = task.plan
    tree = checked_fit(plan.study, plan.variant, plan.priors, plan.settings)
    if not converged(tree):
        return {}
    model = model_of(plan.study).build(plan.study, plan.variant, plan.priors)
    value, error = log_evidence(model, tree["posterior"].to_dataset(), plan.settings.seed)
    return {"value": value, "error": error}


def work(task: LeaveOut | WholeFit) -> dict[str, Any]:
    """One task of a comparison."""
    return leave_out(task) if isinstance(task, LeaveOut) else weigh(task)
