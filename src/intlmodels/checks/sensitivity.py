"""How far conclusions move when priors, the likelihood or the reading of the tables change.

Three looks: power-scaling of the stored default fit; refits with every prior's scale halved and
doubled, one at a time and all together; and stored variants, other readings of the same tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.checks.runner import Check, ExecutionOptions, Journal, Plan, run_and_store
from intlmodels.checks.stored import FOLDER, Moved, Refit, Scaled, Sensitivity
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Settings
from intlmodels.fitting import store
from intlmodels.fitting.diagnostics import probability_error
from intlmodels.fitting.jobs import (
    Stored,
    checked_fit,
    settings_of,
    stored_fits,
    stored_overrides,
)
from intlmodels.models import DEFAULT, catalogue, priors_of
from intlmodels.models.priors import Prior, rescaled
from intlmodels.register.counts import require_firms
from intlmodels.results import decay, share
from intlmodels.results.intervals import converged
from intlmodels.studies import Study

if TYPE_CHECKING:
    from xarray import Dataset, DataTree


Array = NDArray[np.float64]
#: Importance weights (chain, draw) that sum to one, and their Pareto k.
_Weighted = tuple[Array, float]

#: Factors of the priors' scales, and what each is called.
FACTORS = {0.5: "halved", 2.0: "doubled"}
#: Powers to which prior or likelihood is raised.
ALPHAS = (0.99, 1.01)


def run_sensitivity(study: Study, out: Path, options: ExecutionOptions) -> Sensitivity:
    """Refit the stored default, with its settings, under other priors."""
    require_firms(study, "sensitivity")
    stored = current(study, out)
    overrides = stored_overrides(study, out)
    used = settings_of(study, {**store.require_whole(stored[0].path).settings, "cores": 1})
    plans = plans_of(study, priors_of(study, DEFAULT, overrides), used)
    return run_and_store(sensitivity(study, stored, plans, out), study, overrides, out, options)


def current(study: Study, out: Path, what: str = "sensitivity") -> list[Stored]:
    """The stored fits that are current, the default, which must have converged, first."""
    stored = stored_fits(study, out)
    default = stored[0]
    if default.variant != DEFAULT or default.reasons:
        raise StudyError(
            f"{what} starts from the stored fit, which is not current "
            f"({'; '.join(default.reasons)}); run intlmodels fit first",
            file=str(default.path),
        )
    if not default.gate.passed:
        raise StudyError(
            "the stored fit did not converge, so there are no conclusions to compare with; see "
            "its report",
            file=str(default.path),
        )
    return [item for item in stored if not item.reasons]


def plans_of(
    study: Study, priors: dict[str, Prior], settings: Settings
) -> dict[str, tuple[Plan, str]]:
    """Refits of the default with other priors: name -> plan, and what is changed in words."""
    found: dict[str, tuple[Plan, str]] = {}
    for factor, word in FACTORS.items():
        scaled = {name: rescaled(prior, factor) for name, prior in priors.items()}
        for name, prior in scaled.items():
            changed = Plan(study, DEFAULT, {**priors, name: prior}, settings)
            found[f"{name} {word}"] = changed, f"{prior.text} in place of {priors[name].text}"
        every = Plan(study, DEFAULT, scaled, settings)
        found[f"all priors {word}"] = every, f"the scale of every prior {word}"
    return found


def sensitivity(
    study: Study, stored: list[Stored], plans: Mapping[str, tuple[Plan, str]], out: Path
) -> Check[Sensitivity]:
    """Refit the default with other priors; arguments from :func:`current` and :func:`plans_of`."""
    version = next(iter(plans.values()))[0].identity["model"]["version"]
    return Check(
        kind="sensitivity",
        title=f"{len(plans)} refits with other priors",
        tasks={f"{name} {plan.key}": plan for name, (plan, _) in plans.items()},
        worker=conclude,
        summarize=partial(summarize, study, stored, plans),
        journal=Journal(out / FOLDER / "sensitivity.sqlite", {"model": version}),
    )


def conclude(task: Plan) -> dict[str, Any]:
    """Fit with other priors: ``converged``, and ``moved``, rows of :func:`conclusions`."""
    tree = checked_fit(task.study, task.variant, task.priors, task.settings)
    return {"converged": converged(tree), "moved": conclusions(task.study.model, tree)}


def results_of(model: str) -> ModuleType:
    """What only the share model, or the decay model, has as results."""
    return {"share": share, "decay": decay}[model]


def conclusions(model: str, tree: Any) -> list[dict[str, Any]]:
    """What a fit concludes: fields of :class:`intlmodels.checks.stored.Moved` but for the refit."""
    rows = []
    for item in results_of(model).conclusions(tree):
        low, middle, high = np.quantile(item.draws, [0.025, 0.5, 0.975])
        rows.append(
            {
                "quantity": item.name,
                "unit": item.unit,
                "median": float(middle),
                "low": float(low),
                "high": float(high),
                "sd": float(item.draws.std(ddof=1)),
                "p_positive": float((item.draws > 0).mean()),
                "p_error": float(probability_error((item.draws > 0).reshape(-1), len(item.draws))),
                "direction": item.direction,
            }
        )
    return rows


def summarize(
    study: Study,
    stored: list[Stored],
    plans: Mapping[str, tuple[Plan, str]],
    results: list[dict[str, Any]],
) -> Sensitivity:
    """Put every conclusion of the refits and the stored variants beside that of the default."""
    tree = store.read(stored[0].path)
    model = results_of(study.model)
    scaled, pareto_k = power_scaling(
        tree, {item.name: item.draws for item in model.conclusions(tree)}
    )
    if "table" in tree["posterior"]:
        # The counts bear on parameters through the table only: there is no likelihood to scale.
        scaled = tuple(replace(item, likelihood=float("nan")) for item in scaled)
    refits = [Refit(DEFAULT, "the model as stated", "base", converged(tree))]
    moved = [Moved(DEFAULT, **row) for row in conclusions(study.model, tree)]
    names = {row.quantity for row in moved}
    for (name, (_, change)), result in zip(plans.items(), results, strict=True):
        refits.append(Refit(name, change, "prior", result["converged"]))
        moved += [Moved(name, **row) for row in result["moved"]]
    rows = catalogue(study)
    for item in stored[1:]:
        row = rows[item.variant]
        if row.outcome or (model.COMPARED.apart and not row.comparable):
            continue  # not another reading of the same tables: of another outcome, or for show
        refits.append(Refit(item.variant, row.change, "reading", item.gate.passed))
        own = conclusions(study.model, store.read_summary(item.path))
        moved += [Moved(item.variant, **r) for r in own if r["quantity"] in names]
    return Sensitivity(tuple(scaled), float(pareto_k), tuple(refits), tuple(moved))


# -- power-scaling -----------------------------------------------------------------------


def power_scaling(
    tree: DataTree, quantities: Mapping[str, Array]
) -> tuple[tuple[Scaled, ...], float]:
    """Sensitivity of quantities, (chain, draw), to the strength of prior and likelihood.

    The likelihood is that of the printed outcomes. NaN where nothing can be said; a quantity that
    has nothing to do with either gets Monte Carlo noise, not 0: with 8000 draws about 0.005. With
    it comes the largest Pareto k of the importance weights, reliable below 0.7, or NaN.
    """
    prior, likelihood = (
        _total(tree[name].to_dataset()) for name in ("log_prior", "log_likelihood")
    )
    for name, draws in quantities.items():
        if np.shape(draws) != prior.shape:
            raise ValueError(
                f"{name} has draws of shape {np.shape(draws)}, the fit has {prior.shape}"
            )
    by_prior, by_likelihood = _weights(prior), _weights(likelihood)
    scaled = tuple(
        Scaled(name, _moved(draws, by_prior), _moved(draws, by_likelihood))
        for name, draws in quantities.items()
    )
    known = [k for _, k in (*by_prior, *by_likelihood) if not np.isnan(k)]
    return scaled, max(known, default=float("nan"))


def _total(pointwise: Dataset) -> Array:
    """Sum over all variables and all of their entries, (chain, draw)."""
    values = [array.transpose("chain", "draw", ...).to_numpy() for array in pointwise.values()]
    return np.sum([v.reshape(*v.shape[:2], -1).sum(axis=-1) for v in values], axis=0)


def _varies(values: Array) -> bool:
    """Whether values are finite and not all the same."""
    return bool(np.isfinite(values).all() and (values != values.flat[0]).any())


def _weights(component: Array) -> tuple[_Weighted, ...]:
    """Weights of the draws for each of :data:`ALPHAS`; none if there is nothing to scale."""
    if not _varies(component):
        return ()
    from arviz_stats.base import array_stats

    # Taken of the chains one after the other, as arviz_stats.psense takes it.
    efficiency = array_stats.ess(
        component.reshape(1, -1), method="tail", prob=(0.05, 0.95), relative=True
    )
    return tuple(_smoothed((alpha - 1) * component, float(efficiency)) for alpha in ALPHAS)


def _smoothed(log_weights: Array, efficiency: float) -> _Weighted:
    """Pareto-smoothed weights, or the weights as they are where they have no smooth tail."""
    from arviz_stats.base import array_stats

    # Weights that take few values, as those of a table of counts, need no smoothing (k is then
    # not a number). Where a tail is refused that should be fitted, k is infinite.
    flat = log_weights.ravel()
    smooth, k = flat - flat.max(), np.nan
    if np.unique(flat).size > flat.size // 2:
        try:
            smooth, k = array_stats.psislw(-flat, r_eff=efficiency)
        except ValueError:
            k = np.inf  # fewer than five draws in the tail, or a chain that stood still there
    weights = np.exp(smooth)
    return (weights / weights.sum()).reshape(log_weights.shape), float(k)


def _moved(draws: Array, weights: tuple[_Weighted, ...]) -> float:
    """Sensitivity of one quantity, from weights for each of :data:`ALPHAS`."""
    draws = np.asarray(draws, dtype=float)
    if not weights or not _varies(draws):
        return float("nan")
    from arviz_stats.base import array_stats

    values = (one for one, _ in weights)
    return float(array_stats.power_scale_sense(draws, *values, *ALPHAS, chain_axis=0, draw_axis=1))
