"""Exact evidence: the probability of the published counts under each variant, summed over tables.

Counts that are sums of each other cannot be compared by leaving one out: the others determine it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from intlmodels.checks.runner import Check, ExecutionOptions, Journal, Plan, run_and_store
from intlmodels.checks.stored import FOLDER, Evidence, Summed
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Settings
from intlmodels.models import design_of
from intlmodels.models.decay.simulator import determined
from intlmodels.studies import DecayStudy

#: Why variants with another rho are not compared.
OTHER_RHO = "bounds that may be off have no probability that could be compared"


def run_evidence(
    plans: Mapping[str, Plan],
    skipped: Mapping[str, str],
    out: Path,
    options: ExecutionOptions,
    overrides: Mapping[str, str],
) -> Evidence:
    """Sum over tables under each variant; arguments as :func:`.comparison.plans_of` returns."""
    study = next(iter(plans.values())).study
    return run_and_store(evidence(plans, skipped, out), study, overrides, out, options)


def of_counts(plans: Mapping[str, Plan]) -> bool:
    """Whether what is compared are counts of decisions, so that there are tables to sum over."""
    default = next(iter(plans.values()))
    return isinstance(default.study, DecayStudy) and bool(design_of(default.study).counts)


def evidence(plans: Mapping[str, Plan], skipped: Mapping[str, str], out: Path) -> Check[Evidence]:
    """Sum over tables under each variant that allows it."""
    default = next(iter(plans.values()))
    designs = {name: design_of(plan.study, plan.variant) for name, plan in plans.items()}
    own = designs[default.variant]
    if any(count.relation != "equal" and not count.hard for count in own.counts):
        # How often such a sentence is printed is no law, whose sum would depend on rho.
        other = {name: OTHER_RHO for name, design in designs.items() if design.rho != own.rho}
        plans = {name: plan for name, plan in plans.items() if name not in other}
        skipped = {**skipped, **other}

    # Nothing is drawn: what is summed stays valid under other settings.
    unset = {name: replace(plan, settings=Settings()) for name, plan in plans.items()}

    def summarize(results: list[dict[str, Any]]) -> Evidence:
        found = dict(zip(plans, results, strict=True))
        return Evidence(
            tuple(determined(own)),
            {name: Summed(**values) for name, values in found.items() if "why" not in values},
            {**skipped, **{name: v["why"] for name, v in found.items() if "why" in v}},
        )

    return Check(
        kind="evidence",
        title=f"summing over tables, {len(plans)} variants",
        tasks={f"{name} {plan.key}": plan for name, plan in unset.items()},
        worker=sum_tables,
        summarize=summarize,
        journal=Journal(
            out / FOLDER / "evidence.sqlite", {"model": default.identity["model"]["version"]}
        ),
    )


def sum_tables(plan: Plan) -> dict[str, Any]:
    """Fields of ``Summed`` of a variant, or why it cannot be summed."""
    from intlmodels.models.decay.exact import posterior

    design = design_of(plan.study, plan.variant)
    try:
        found = posterior(design, plan.priors)
    except StudyError as error:
        return {"why": error.message}
    return {
        "log_evidence": found.log_evidence,
        "omitted": found.omitted,
        "decay": dict(zip(design.sizes, found.mean["decay"].tolist(), strict=True)),
        "falls": dict(zip(design.sizes, found.above_zero["decay"].tolist(), strict=True)),
    }
