"""Multiverse: every combination of readings, families and priors, and what each concludes.

A conclusion or claim that stands under most reasonable combinations does not hang on one of them
(Steegen et al. 2016, Perspectives on Psychological Science 11, 702-712).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from intlmodels.checks.leaveout import stacking
from intlmodels.checks.runner import (
    Check,
    ExecutionOptions,
    Journal,
    Plan,
    require_known,
    run_and_store,
)
from intlmodels.checks.sensitivity import FACTORS, conclusions
from intlmodels.checks.stored import FOLDER, PRIORS, Moved, Multiverse, Specification
from intlmodels.checks.tables import claim_key
from intlmodels.claims.ledger import evaluate
from intlmodels.core.errors import StudyError, did_you_mean, listed
from intlmodels.core.settings import Settings
from intlmodels.fitting.jobs import checked_fit
from intlmodels.models import (
    DEFAULT,
    JOINT,
    combinations,
    design_of,
    priors_of,
    require_claim,
)
from intlmodels.models.priors import rescaled
from intlmodels.register.counts import require_firms
from intlmodels.results.intervals import converged
from intlmodels.studies import Study
from intlmodels.studies.claims import Claim, Part

#: What the scales of the priors are called where nothing multiplies them.
STATED = "as stated"
#: Combinations, all axes together, from which priors are no axis unless they are asked for.
MOST = 200
#: Above this Pareto k an approximate leave-one-out is unreliable; such units are counted.
UNRELIABLE = 0.7


def run_multiverse(
    study: Study,
    out: Path,
    options: ExecutionOptions,
    *,
    axes: list[str] | None = None,
    overrides: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Multiverse:
    """Fit every combination of the choices on some axes (all of them), and store what they say."""
    require_firms(study, "a multiverse")
    given = dict(overrides or {})
    wanted = {"draws": 1000, "tune": 1000, "chains": 4}
    known = {**study.settings, **wanted, **require_known(settings)}
    used = Settings(**{**known, "cores": 1, "sampler": "nutpie"})
    crossed = axes_of(study, axes)
    return run_and_store(multiverse(study, crossed, given, used, out), study, given, out, options)


def axes_of(study: Study, names: list[str] | None = None) -> dict[str, tuple[str, ...]]:
    """The choices on each axis, the default first; StudyError for an unknown axis.

    Priors stay as stated where all axes would make more than ``MOST`` combinations, unless named.
    """
    found = {**combinations(study), PRIORS: (STATED, *FACTORS.values())}
    for name in names or []:
        if name not in found:
            raise StudyError(
                f"no such axis{did_you_mean(name, found)}; expected {listed(found)}", value=name
            )
    if not names and prod(len(choices) for choices in found.values()) > MOST:
        del found[PRIORS]
    return {name: found[name] for name in (names or found)}


def multiverse(
    study: Study,
    axes: Mapping[str, tuple[str, ...]],
    overrides: Mapping[str, str],
    settings: Settings,
    out: Path,
) -> Check[Multiverse]:
    """Every combination of ``axes``, from :func:`axes_of`, the default first."""
    factors = {word: factor for factor, word in FACTORS.items()}
    plans: dict[tuple[str, ...], Plan] = {}
    for number, choices in enumerate(product(*axes.values())):
        chosen = dict(zip(axes, choices, strict=True))
        factor = factors.get(chosen.pop(PRIORS, STATED))
        variant = JOINT.join(n for n in chosen.values() if n != DEFAULT) or DEFAULT
        priors = priors_of(study, variant, overrides)
        if factor is not None:
            priors = {name: rescaled(prior, factor) for name, prior in priors.items()}
        plan = Plan(study, variant, priors, settings)
        plans[choices] = Plan(study, variant, priors, plan.settings_of(number))
    version = next(iter(plans.values())).identity["model"]["version"]
    return Check(
        kind="multiverse",
        title=f"{len(plans)} combinations",
        tasks={f"{' '.join(choices)} {plan.key}": plan for choices, plan in plans.items()},
        worker=specification,
        summarize=partial(summarize, axes, [*plans]),
        journal=Journal(out / FOLDER / "multiverse.sqlite", {"model": version}),
    )


def specification(task: Plan) -> dict[str, Any]:
    """Fit one combination: ``converged``, ``moved``, ``claims`` (id -> probability), ``elpd``."""
    tree = checked_fit(task.study, task.variant, task.priors, task.settings)
    elpd, unreliable = [], 0
    if "firm" in getattr(tree.get("log_likelihood"), "sizes", {}):
        from arviz_stats import loo

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large Pareto k, which are counted
            found = loo(tree, pointwise=True)
        elpd = [float(value) for value in found.elpd_i.to_numpy()]
        unreliable = int((found.pareto_k > UNRELIABLE).sum())
    return {
        "converged": converged(tree),
        "elpd": elpd,
        "unreliable": unreliable,
        # Of each the posterior alone is kept.
        "claims": {
            name: probability
            for name, (probability, _) in claims_of(task, tree.drop_nodes("prior")).items()
        },
        "moved": conclusions(task.study.model, tree),
    }


def claims_of(task: Plan, tree: Any) -> dict[str, tuple[float, float]]:
    """Posterior probability of every claim on the default, with its Monte Carlo error.

    By its key, as :func:`intlmodels.checks.tables.claims_by_combination` finds it.

    Claims about what a combination does not have, such as a level that it splits, are left out.
    """
    there = tuple(c for c in task.study.claims if c.rule.needs_fit and has_names(task, c))
    ledger = evaluate(replace(task.study, claims=there), {DEFAULT: tree})
    asked = ledger[ledger["fit"] == DEFAULT].dropna(subset="probability")
    keys = {claim.id: claim_key(claim) for claim in there}
    return {
        keys[row.id]: (float(row.probability), float(row.probability_error))
        for row in asked.itertuples(index=False)
    }


def has_names(task: Plan, claim: Claim) -> bool:
    """Whether a claim asks the default, and all that it names is in the variant of a task."""
    try:
        require_claim(task.study, claim, task.variant)
    except StudyError:
        return False
    periods = getattr(design_of(task.study, task.variant), "periods", ())
    parts = (term for term in claim.terms.values() if isinstance(term, Part))
    return claim.fit == DEFAULT and all(set(part.periods) <= set(periods) for part in parts)


def summarize(
    axes: Mapping[str, tuple[str, ...]],
    choices: list[tuple[str, ...]],
    results: list[dict[str, Any]],
) -> Multiverse:
    """Put every combination beside the default, with weights of stacking where units predict."""
    specifications, moved = [], []
    usable = [r["converged"] and bool(r["elpd"]) for r in results]
    weights = np.full(len(results), np.nan)
    if any(usable):
        table = np.array([r["elpd"] for r, use in zip(results, usable, strict=True) if use])
        weights = np.zeros(len(results))
        weights[usable] = stacking(table) if len(table) > 1 else 1.0
    for own, result, weight in zip(choices, results, weights, strict=True):
        name = ", ".join(own)
        specifications.append(
            Specification(
                name=name,
                choices=own,
                converged=result["converged"],
                weight=float(weight),
                unreliable=result["unreliable"],
                claims=result["claims"],
            )
        )
        moved += [Moved(name, **row) for row in result["moved"] if row["direction"]]
    return Multiverse(dict(axes), tuple(specifications), tuple(moved))
