"""Stored fits made up by hand, of which the right answer is known exactly.

``made_up(study, {"ease": 1.0})`` is a fit whose draws of ``ease`` scatter by ``JITTER`` around
1; an array of ``DRAWS`` values is taken as the draws themselves. Everything that follows from
the draws (predictions, estimands, gate, labels) comes from the package, only the sampler is
left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from intlmodels.fitting import fit, jobs, store
from intlmodels.fitting.prior import prior_predictive
from intlmodels.models import design_of, priors_of
from intlmodels.models.share import inferencedata, observation
from intlmodels.models.share.design import VARYING, Block, Design
from intlmodels.studies import Study

CHAINS, LENGTH = 4, 250
DRAWS = CHAINS * LENGTH
JITTER = 1e-3
#: Where a parameter lies if nothing else is said.
USUAL = {"intercept": -1.5, "phi": 10.0, "never": 0.1, "heaping": 0.4, "sigma": 0.8}


def share_positive(positive: float, size: float = 1.0, seed: int = 7) -> np.ndarray:
    """Draws around +-``size`` of which exactly the part ``positive`` is above zero."""
    above = round(positive * DRAWS)
    signs = np.repeat([1.0, -1.0], [above, DRAWS - above])
    rng = np.random.default_rng(seed)
    return rng.permutation(signs * size * rng.uniform(0.5, 1.5, DRAWS))


def made_up(
    study: Study,
    values: Mapping[str, Any] | None = None,
    *,
    variant: str = "default",
    fails: bool = False,
    prior_scale: float = 1.0,
) -> xr.DataTree:
    """A fit with known draws.

    Parameters
    ----------
    study : Study
    values : mapping of str to number or array, optional
        Parameter, or predictor with levels (one number a level), to its centre or its draws.
    variant : str
    fails : bool
        Whether the chains diverge, so that the gate fails.
    prior_scale : float
        Spread of the prior draws around 0 (around their centre for positive parameters).
    """
    rng = np.random.default_rng(1)
    design = design_of(study, variant)
    priors = priors_of(study, variant)
    given = dict(values or {})
    posterior = _draws(study, variant, given, JITTER, rng, (CHAINS, LENGTH))
    prior = _draws(study, variant, {}, prior_scale, rng, (1, 200))
    count = np.zeros((CHAINS, LENGTH), dtype=bool)
    count[0, :3] = fails
    stats = {
        "diverging": count,
        "energy": rng.normal(size=count.shape),
        "maxdepth_reached": np.zeros_like(count),
    }
    settings = jobs.settings_of(study)
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "prior": prior,
            "sample_stats": xr.Dataset({k: (("chain", "draw"), v) for k, v in stats.items()}),
            "posterior_predictive": inferencedata.predictive(study, design, posterior, 1, step=1),
            "prior_predictive": inferencedata.predictive(study, design, prior, 1, step=2),
            "observed_data": inferencedata.observed_data(study, design),
            "constant_data": inferencedata.constant_data(study, design),
        }
    )
    tree.attrs = fit.attributes(study, variant, design, priors, settings)
    tree.attrs["versions"] = json.dumps({"intlmodels": "0.0.test", "pymc": "0.test"})
    tree = jobs._with_estimands(tree)
    tree.attrs["retried"] = ""
    if fails:
        tree.attrs["retried"] = "divergences failed at target acceptance 0.95"
        used = {**json.loads(tree.attrs["settings"]), "target_accept": 0.99}
        tree.attrs["settings_used"] = json.dumps(used)
    tree.attrs["fingerprint"] = json.dumps(store.fingerprint(study, variant, priors, settings))
    return tree


def from_prior(study: Study, variant: str = "default", length: int = 20) -> xr.DataTree:
    """A fit whose posterior is the prior, drawn in towards its mean; for any terms of rows."""
    tree = prior_predictive(study, variant, draws=CHAINS * length, seed=1)
    wide = tree["prior"].to_dataset().isel(chain=0, drop=True).drop_vars("draw")
    near = (0.9 * wide.mean("draw") + 0.1 * wide).rename(draw="all")
    drawn = (
        near.coarsen(all=length).construct(all=("chain", "draw")).transpose("chain", "draw", ...)
    )
    drawn = drawn.assign_coords(chain=np.arange(CHAINS), draw=np.arange(length))
    none = np.zeros((CHAINS, length), dtype=bool)
    energy = np.random.default_rng(1).normal(size=none.shape)
    stats = {"diverging": none, "energy": energy, "maxdepth_reached": none}
    design = design_of(study, variant)
    groups = {
        "posterior": drawn,
        "sample_stats": xr.Dataset({k: (("chain", "draw"), v) for k, v in stats.items()}),
        "posterior_predictive": inferencedata.predictive(study, design, drawn, 1, step=1),
    }
    for name, group in groups.items():
        tree[name] = xr.DataTree(group)
    priors, settings = priors_of(study, variant), jobs.settings_of(study)
    tree.attrs = fit.attributes(study, variant, design, priors, settings)
    tree.attrs["versions"] = json.dumps({"intlmodels": "0.0.test", "pymc": "0.test"})
    tree = jobs._with_estimands(tree)
    tree.attrs["retried"] = ""
    tree.attrs["fingerprint"] = json.dumps(store.fingerprint(study, variant, priors, settings))
    return tree


def store_fits(study: Study, folder: Path, **fits_by_variant: Any) -> None:
    """Store fits where the workflow would; underscores in names stand for hyphens."""
    for name, tree in fits_by_variant.items():
        store.write(tree, jobs.stored_path(folder, name.replace("_", "-")))


def _draws(
    study: Study,
    variant: str,
    given: Mapping[str, Any],
    jitter: float,
    rng: np.random.Generator,
    shape: tuple[int, int],
) -> xr.Dataset:
    design = design_of(study, variant)
    variables: dict[str, Any] = {}
    coords: dict[str, Any] = {
        "chain": np.arange(shape[0]),
        "draw": np.arange(shape[1]),
        "firm": list(study.firms),
    }

    def drawn(center: Any, *, positive: bool = False, unit: bool = False) -> np.ndarray:
        center = np.asarray(center, dtype=float)
        if center.shape[:1] == (shape[0] * shape[1],):
            return center.reshape(*shape, *center.shape[1:])
        noise = rng.normal(size=(*shape, *center.shape))
        if positive or unit:
            scattered = center * np.exp(jitter * noise)
            return np.minimum(scattered, 0.999) if unit else scattered
        return center + jitter * noise

    for name, prior in priors_of(study, variant).items():
        usual = USUAL.get(name, 0.3 if prior.support == "positive" else 0.0)
        center = given.get(name, usual)
        variables[name] = (
            ("chain", "draw"),
            drawn(center, positive=prior.support == "positive", unit=prior.support == "unit"),
        )
    for block in design.blocks:
        _add_effects(block, variables, coords, given, drawn, study)
    if design.clusters is not None:
        _add_clusters(design, variables, coords, given, drawn)
    if design.further is not None and design.family == "ordered":
        _add_levels(design.further.levels, variables, coords, given, drawn)
    draws = xr.Dataset(variables, coords)
    linear = _linear(draws, design)
    if design.family == "ordered":
        draws["eta"] = (("chain", "draw", "firm"), linear)
    else:
        draws["mu"] = (("chain", "draw", "firm"), observation.inverse_logit(linear))
    return draws


def _add_levels(levels: Any, variables: Any, coords: Any, given: Any, drawn: Any) -> None:
    coords["baseline_level"], coords["cutpoint"] = list(levels), list(levels[1:])
    baseline = drawn(given.get("baseline", np.full(len(levels), 1 / len(levels))), positive=True)
    baseline = baseline / baseline.sum(axis=-1, keepdims=True)
    variables["baseline"] = (("chain", "draw", "baseline_level"), baseline)
    below = baseline.cumsum(axis=-1)[..., :-1]
    variables["cutpoints"] = (("chain", "draw", "cutpoint"), np.log(below / (1 - below)))


def _add_effects(
    block: Block, variables: Any, coords: Any, given: Any, drawn: Any, study: Study
) -> None:
    name, level = block.name, f"{block.name}_level"
    if block.kind in VARYING:
        coords[level] = list(block.levels)
        center = given.get(name, np.zeros(len(block.levels)))
        variables[name] = (("chain", "draw", level), drawn(center))
    elif block.kind == "monotonic":
        coords[level] = list(block.levels)
        total = variables[name][1]
        climb = np.linspace(0, 1, len(block.levels))
        variables[f"{name}_effect"] = (("chain", "draw", level), total[..., None] * climb)
    elif block.missing.size:
        firm = f"{name}_missing_firm"
        coords[firm] = [study.firms[i] for i in block.missing]
        variables[f"{name}_missing"] = (
            ("chain", "draw", firm),
            drawn(np.zeros(block.missing.size)),
        )


def _add_clusters(design: Design, variables: Any, coords: Any, given: Any, drawn: Any) -> None:
    assert design.clusters is not None
    coords["cluster_level"] = list(design.clusters.labels)
    count = len(design.clusters.labels)
    center = given.get("cluster", np.zeros(count))
    variables["cluster"] = (("chain", "draw", "cluster_level"), drawn(center))
    for block in design.blocks:
        levels = block.kind in VARYING
        dims = ("cluster_level", *((f"{block.name}_level",) if levels else ()))
        center = given.get(
            block.by_cluster, np.zeros((count, len(block.levels)) if levels else count)
        )
        variables[block.by_cluster] = (("chain", "draw", *dims), drawn(center))
        if block.kind == "monotonic":  # as far as the effects of _add_effects climb
            steps = np.full(len(block.levels) - 1, 1 / (len(block.levels) - 1))
            coords[f"{block.name}_step"] = list(block.levels[1:])
            shape = (coords["chain"].size, coords["draw"].size, len(steps))
            dims = ("chain", "draw", f"{block.name}_step")
            variables[f"{block.name}_steps"] = (dims, np.broadcast_to(steps, shape).copy())


def _linear(draws: xr.Dataset, design: Design) -> np.ndarray:
    linear = np.zeros((draws.sizes["chain"], draws.sizes["draw"], draws.sizes["firm"]))
    if design.intercept:
        linear = linear + draws[design.intercept].to_numpy()[..., None]
    for block in design.blocks:
        variable = f"{block.name}_effect" if block.kind == "monotonic" else block.name
        effect = draws[variable].to_numpy()
        if effect.ndim == 2:
            effect = effect[..., None]
        linear = linear + effect @ np.nan_to_num(block.weights).T
    if design.clusters is not None:
        linear = linear + _of_clusters(draws, design)
    return np.asarray(linear)


def _of_clusters(draws: xr.Dataset, design: Design) -> np.ndarray:
    assert design.clusters is not None
    codes = design.clusters.codes
    linear = draws["cluster"].to_numpy()[..., codes]
    for block in design.blocks:
        own = draws[block.by_cluster].to_numpy()[:, :, codes]
        weights = np.nan_to_num(block.weights)
        if block.kind == "monotonic":
            weights = weights @ np.linspace(0, 1, len(block.levels))[:, None]
        own = own if own.ndim == 4 else own[..., None]
        linear = linear + (own * weights).sum(axis=-1)
    return np.asarray(linear)
