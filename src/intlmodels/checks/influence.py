"""Influence: what each conclusion becomes without one firm, one count or a group of counts.

The model is fitted again without each of them, with its settings and the same priors. A firm that
is left out stays among those that averages are taken over: only what was reported of it is not
seen, so that the estimand is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from intlmodels.checks.multiverse import claims_of
from intlmodels.checks.runner import (
    Check,
    ExecutionOptions,
    Journal,
    Plan,
    cached_fitter,
    run_and_store,
    simulator,
)
from intlmodels.checks.sensitivity import conclusions, current
from intlmodels.checks.stored import FOLDER, Influence, Moved, Omission
from intlmodels.checks.tables import claim_key
from intlmodels.core import files
from intlmodels.core.settings import Given, Settings
from intlmodels.fitting import store
from intlmodels.fitting.fit import attributes
from intlmodels.fitting.jobs import checked_fit, settings_of, stored_overrides
from intlmodels.models import DEFAULT, design_of, model_of, priors_of
from intlmodels.register.counts import require_firms
from intlmodels.results.intervals import converged
from intlmodels.studies import DecayStudy, Study
from intlmodels.studies.counts import FLAGS, Count

#: Name of the fit from which nothing is left out.
NOTHING = "nothing"


def run_influence(study: Study, out: Path, options: ExecutionOptions) -> Influence:
    """Refit the stored default, with its settings, without each firm or count."""
    require_firms(study, "influence")
    stored = current(study, out, "influence")[0]
    overrides = stored_overrides(study, out)
    used = settings_of(study, {**store.require_whole(stored.path).settings, "cores": 1})
    plan = Plan(study, DEFAULT, priors_of(study, DEFAULT, overrides), used)
    return run_and_store(influence(plan, stored.path, out), study, overrides, out, options)


@dataclass(frozen=True)
class Without:
    """A fit that does not see some firms or counts, and its number among all of them."""

    plan: Plan
    number: int
    given: Given


def influence(plan: Plan, path: Path, out: Path) -> Check[Influence]:
    """Refit ``plan`` without everything that can be left out; ``path``: its stored fit."""
    study = plan.study
    omissions = omissions_of(study, design_of(study))
    # Other claims are asked of the same draws, which are not kept.
    claims = files.short_hash([claim_key(claim) for claim in study.claims])
    return Check(
        kind="influence",
        title=f"{len(omissions)} refits with something left out",
        tasks={
            f"{name} {plan.key} {claims}": Without(plan, number, given)
            for number, (name, (_, _, given)) in enumerate(omissions.items())
        },
        worker=refit,
        summarize=partial(summarize, plan, path, omissions),
        journal=Journal(
            out / FOLDER / "influence.sqlite", {"model": plan.identity["model"]["version"]}
        ),
    )


#: Kind of what is left out, its firms or counts, and what a refit is given that does not see them.
type _Omitted = tuple[str, tuple[str, ...], dict[str, Any]]


def omissions_of(study: Study, design: Any) -> dict[str, _Omitted]:
    """What can be left out, by name: each firm; or each count, and counts that go together.

    Together go the counts of the same firms and periods, and those from one place of the source. An
    order within a firm is left out alone.
    """
    module = simulator(study.model)
    if not isinstance(study, DecayStudy) or module.unit_kind(design) != "count":
        units = enumerate(module.units(study, design))
        return {
            name: ("firm", (name,), module.without(study, design, unit)) for unit, name in units
        }
    counts = [count for count in design.counts if not counts_everything(design, count)]
    parts: dict[tuple[str, ...], tuple[str, str]] = {
        (count.id,): ("count", count.id) for count in counts
    }
    subsets: dict[Any, list[str]] = {}
    places: dict[str, list[str]] = {}
    for count in counts:
        subsets.setdefault((frozenset(count.firms), frozenset(count.periods)), []).append(count.id)
        places.setdefault(count.where, []).append(count.id)
    for ids in subsets.values():
        parts.setdefault(tuple(ids), ("subset", " + ".join(ids)))
    for place, ids in places.items():
        if place and len(ids) < len(counts):
            parts.setdefault(tuple(ids), ("place", f"the counts from {place}"))
    found: dict[str, _Omitted] = {
        name: (kind, ids, {"counts": tuple(c for c in design.counts if c.id not in ids)})
        for ids, (kind, name) in parts.items()
    }
    for number, order in enumerate(design.orders, start=1):
        others = tuple(other for other in design.orders if other is not order)
        name = f"order {number}, {study.firm_label} {order.firm}"
        found[name] = ("order", (name,), {"orders": others})
    return found


def counts_everything(design: Any, count: Count) -> bool:
    """Whether a count is that of all decisions, without which there is no table to draw."""
    subset = (len(count.firms), len(count.periods), len(count.flags))
    everything = (len(design.firms), len(design.periods), len(FLAGS))
    return count.relation == "equal" and not count.each and subset == everything


def refit(task: Without) -> dict[str, Any]:
    """Fit without something: ``converged``, ``claims`` and ``moved`` as in a multiverse."""
    import xarray as xr

    plan = task.plan
    study, design = plan.study, design_of(plan.study, plan.variant)

    def draw(settings: Settings) -> Any:
        posterior, stats = cached_fitter(plan).draw(settings, task.given)
        constant = model_of(study).constant_data(study, design)
        tree = xr.DataTree.from_dict(
            {"posterior": posterior, "sample_stats": stats, "constant_data": constant}
        )
        tree.attrs = attributes(study, plan.variant, design, plan.priors, settings)
        return tree

    settings = plan.settings_of(task.number)
    tree = checked_fit(study, plan.variant, plan.priors, settings, draw=draw)
    return concluded(plan, tree)


def concluded(plan: Plan, tree: Any) -> dict[str, Any]:
    """What a fit says of the conclusions and claims."""
    return {
        "converged": converged(tree),
        "claims": claims_of(plan, tree),
        "moved": conclusions(plan.study.model, tree),
    }


def summarize(
    plan: Plan, path: Path, omissions: Mapping[str, _Omitted], results: list[dict[str, Any]]
) -> Influence:
    """Put what every refit concludes beside the stored fit."""
    design = design_of(plan.study)
    whole = concluded(plan, store.read(path).drop_nodes("prior"))
    everything: dict[str, _Omitted] = {NOTHING: (NOTHING, (), {}), **omissions}
    found, moved = [], []
    for (name, (kind, parts, _)), own in zip(everything.items(), [whole, *results], strict=True):
        claims = {claim: (value, error) for claim, (value, error) in own["claims"].items()}
        found.append(Omission(name, kind, parts, own["converged"], claims))
        moved += [Moved(name, **row) for row in own["moved"] if row["direction"]]
    counts = getattr(design, "counts", ())
    kind = simulator(plan.study.model).unit_kind(design)
    return Influence(
        unit=kind,
        unit_label=plan.study.firm_label if kind == "firm" else kind,
        kept=tuple(count.id for count in counts if counts_everything(design, count)),
        settings=plan.identity["settings"],
        omissions=tuple(found),
        moved=tuple(moved),
    )
