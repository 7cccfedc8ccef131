"""What calibration and leave-one-out ask of the share model: simulate, measure, leave out.

Written forward and in numpy, apart from the model that is fitted: a mistake in either shows as
ranks that are not uniform.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.rounding import grid
from intlmodels.core.settings import Given
from intlmodels.models import priors_of
from intlmodels.models.priors import Prior, draw, rescaled
from intlmodels.models.pymc import OBSERVED, WEIGHTS
from intlmodels.models.share import observation
from intlmodels.models.share.design import CLUSTER, VARYING, Block, Design, covariate_data
from intlmodels.study import Grouping, ShareStudy

if TYPE_CHECKING:
    from xarray import Dataset


Array = NDArray[np.float64]

#: Deliberate errors that calibration must notice: name -> what is done wrong.
WRONG = {
    "density": "a density at the printed value in place of the probability of its interval",
    "too-exact": "printed shares read as rounded five times finer than they are",
    "narrow-priors": "every prior three times too narrow",
}
#: The same, of a study with clusters only.
POOLED = "one-cluster"


def wrong_models(design: Design) -> dict[str, str]:
    """Deliberate errors that calibration must notice: name -> what is done wrong."""
    if design.clusters is None:
        return WRONG
    return {**WRONG, POOLED: "all firms taken for one cluster"}


def unit_kind(design: Design) -> str:
    """What is left out at a time."""
    return "firm"


def why_not(design: Design) -> str:
    """Why a design cannot be simulated; empty if it can."""
    if design.family != "density":
        return ""
    return "a density says nothing of printed values, so none can be simulated from it"


def simulate(
    study: ShareStudy, design: Design, priors: Mapping[str, Prior], rng: np.random.Generator
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Draw parameters from their priors, and printed shares (or levels) of the study's own firms.

    Returns true values by name, as the posterior has them, without leading dimensions; what a refit
    is given: printed shares in percent (or positions of levels), covariates that have missing
    values.
    """
    truth = {name: draw(prior, rng, 1)[0] for name, prior in priors.items()}
    given: dict[str, Array] = {}
    linear = np.full(len(study.firms), truth[design.intercept] if design.intercept else 0.0)
    if design.clusters is not None:
        own = truth[f"sigma_{CLUSTER}"] * rng.normal(size=len(design.clusters.labels))
        truth[CLUSTER] = own
        linear = linear + own[design.clusters.codes]
    for block in design.blocks:
        linear = linear + _contribution(block, truth, given, rng)
        if design.clusters is not None:
            linear = linear + _deviation(block, design.clusters, truth, given, rng)
    if design.family == "ordered":
        assert design.further is not None
        # Probabilities of the levels of a firm whose effects are zero, and the cutpoints.
        baseline = rng.dirichlet(np.ones(len(design.further.levels)))
        below, above = np.cumsum(baseline)[:-1], np.cumsum(baseline[::-1])[::-1][1:]
        truth |= {"eta": linear, "baseline": baseline, "cutpoints": np.log(below / above)}
    else:
        truth["mu"] = observation.inverse_logit(linear)
    parameters = {name: truth[name] for name in observation.PARAMETERS[design.family]}
    given[OBSERVED] = observation.simulate(
        design.family, linear, parameters, study.outcome.width, rng
    )
    return {name: np.asarray(value) for name, value in truth.items()}, given


def prior(
    study: ShareStudy, design: Design, priors: Mapping[str, Prior], draws: int, seed: int
) -> Dataset:
    """Parameters and expected shares drawn from the priors, (chain, draw, ...), one chain."""
    import xarray as xr

    rng = np.random.default_rng([seed, 0])
    each = [simulate(study, design, priors, rng)[0] for _ in range(draws)]
    rows, variables = "firm" if study.panel is None else "row", {}
    for name in each[0]:
        values = np.stack([truth[name] for truth in each])[None]
        dims = tuple(f"{name}_dim_{i}" for i in range(values.ndim - 2))
        if values.shape[2:] == (len(study.firms),):
            dims = (rows,)
        variables[name] = (("chain", "draw", *dims), values)
    coords = {"chain": [0], "draw": np.arange(draws), rows: list(study.firms)}
    return xr.Dataset(variables, coords)


def _contribution(
    block: Block, truth: dict[str, Any], given: dict[str, Array], rng: np.random.Generator
) -> Array:
    """Draw what a block's priors leave to draw; return what it adds to each firm."""
    name = block.name
    if block.kind in VARYING:
        effect = truth[f"sigma_{name}"] * rng.normal(size=len(block.levels))
        truth[name] = effect
        return block.weights @ effect
    if block.kind == "monotonic":
        steps = rng.dirichlet(np.ones(len(block.levels) - 1))
        truth[f"{name}_steps"] = steps
        truth[f"{name}_effect"] = truth[name] * np.concatenate([[0.0], np.cumsum(steps)])
        return block.weights @ truth[f"{name}_effect"]
    values = block.weights[:, 0]
    if block.missing.size:
        values = rng.normal(truth[f"{name}_mean"], truth[f"{name}_sd"], len(values))
        truth[f"{name}_missing"] = values[block.missing]
        given[covariate_data(name)] = np.delete(values, block.missing)
    return truth[name] * values


def _deviation(
    block: Block,
    clusters: Grouping,
    truth: dict[str, Any],
    given: Mapping[str, Array],
    rng: np.random.Generator,
) -> Array:
    """Draw what each cluster adds to the effects of a block; return what it adds to each firm."""
    name, count = block.by_cluster, len(clusters.labels)
    shape = (count, len(block.levels)) if block.kind in VARYING else (count,)
    own = truth[f"sigma_{name}"] * rng.normal(size=shape)
    truth[name] = own
    if block.kind in VARYING:
        added = block.weights * own[clusters.codes]
        return np.asarray(added.sum(axis=1))
    if block.kind == "monotonic":
        climb = np.concatenate([[0.0], np.cumsum(truth[f"{block.name}_steps"])])
        values = block.weights @ climb
    else:
        values = block.weights[:, 0].copy()
        if block.missing.size:
            known = np.delete(np.arange(len(values)), block.missing)
            values[block.missing] = truth[f"{block.name}_missing"]
            values[known] = given[covariate_data(block.name)]
    return np.asarray(own[clusters.codes] * values)


def quantities(
    study: ShareStudy, design: Design, values: Mapping[str, Array], given: Given
) -> dict[str, Array]:
    """Every scalar whose rank is looked at.

    ``values``: of the truth or of draws, leading dimensions (chain, draw) or none; ``given``: the
    simulated data: their log likelihood is looked at as well, since ranks of parameters alone would
    not notice a fit that ignores the data (Modrak et al. 2023, Bayesian Analysis,
    doi:10.1214/23-BA1404). Returns label to values of the leading dimensions.
    """
    found: dict[str, Array] = {}
    central = "eta" if design.family == "ordered" else "mu"
    leading = values[central].ndim - 1
    for name, labels in _labels(study, design).items():
        if name not in values:
            continue  # a deliberately wrong model may lack a parameter
        if not labels:
            found[name] = values[name]
            continue
        # Effects of a cluster at each level have two dimensions.
        own = values[name].reshape(*values[name].shape[:leading], len(labels))
        for i, label in enumerate(labels):
            found[f"{name}[{label}]"] = own[..., i]
    family = design.family
    what = "mean linear predictor" if family == "ordered" else "mean share"
    found[what] = values[central].mean(axis=-1)
    needed = observation.PARAMETERS[family]
    if all(name in values for name in needed):
        each = observation.printed_log_probability(
            family,
            observation.linear_of(family, values),
            {name: observation.for_firms(name, values[name]) for name in needed},
            study.outcome.width,
            given[OBSERVED],
        )
        found["log likelihood"] = each[..., design.known(study)].sum(axis=-1)
    return found


def _labels(study: ShareStudy, design: Design) -> dict[str, tuple[str, ...]]:
    """Labels of the scalars of each variable; none for a variable that is a scalar."""
    found: dict[str, tuple[str, ...]] = {design.intercept: ()} if design.intercept else {}
    if design.family == "ordered" and design.further is not None:
        found["baseline"] = design.further.levels
    for block in design.blocks:
        if block.kind in VARYING:
            found |= {f"sigma_{block.name}": (), block.name: block.levels}
        elif block.kind == "monotonic":
            found |= {block.name: (), f"{block.name}_steps": block.levels[1:]}
        else:
            found[block.name] = ()
            if block.missing.size:
                firms = tuple(study.firms[i] for i in block.missing)
                found |= {f"{block.name}_{end}": () for end in ("mean", "sd")}
                found[f"{block.name}_missing"] = firms
    if design.clusters is not None:
        names = design.clusters.labels
        found |= {f"sigma_{CLUSTER}": (), CLUSTER: names}
        for block in design.blocks:
            levels = block.levels if block.kind in VARYING else ()
            each = tuple(f"{name}, {level}" for name in names for level in levels)
            found |= {f"sigma_{block.by_cluster}": (), block.by_cluster: each or names}
    scalars = [n for n in observation.PARAMETERS[design.family] if n not in observation.VECTORS]
    return found | dict.fromkeys(scalars, ())


def misspecified(
    study: ShareStudy, variant: str, priors: Mapping[str, Prior], wrong: str
) -> tuple[ShareStudy, str, Mapping[str, Prior]]:
    """Study, variant and priors with a deliberate error."""
    if wrong == "density":
        return study, "density", priors
    if wrong == "too-exact":
        outcome = replace(study.outcome, width=study.outcome.width / 5)
        return replace(study, outcome=outcome), variant, priors
    if wrong == POOLED:
        alone = replace(study, groupings={})
        return alone, variant, {n: priors[n] for n in priors_of(alone, variant)}
    return study, variant, {n: rescaled(prior, 1 / 3) for n, prior in priors.items()}


# -- leaving a firm out ------------------------------------------------------------------


def units(study: ShareStudy, design: Design) -> list[str]:
    """What can be left out: every firm."""
    return list(study.firms)


def printed(study: ShareStudy, design: Design) -> Array:
    """What was printed of each unit, in percent."""
    return design.observed(study)


def values(study: ShareStudy, designs: Mapping[str, Design]) -> Array:
    """Everything that could have been printed of a unit, in percent."""
    return grid(study.outcome.width)


def without(study: ShareStudy, design: Design, unit: int) -> dict[str, Array]:
    """What a refit is given that does not see one firm's share."""
    weights = np.ones(len(study.firms))
    weights[unit] = 0
    return {WEIGHTS: weights}


def predict(
    study: ShareStudy, design: Design, draws: Dataset, unit: int, over: Array
) -> tuple[Array, Array]:
    """Predict a firm from a fit that did not see its share.

    ``over`` (value,): from :func:`values`. Returns ``law`` (value,): probability of everything that
    could have been printed; ``log_probability`` (chain, draw): of what was printed.
    """
    linear = observation.linear_of(design.family, {"mu": draws["mu"].to_numpy()[..., unit]})
    parameters = {n: draws[n].to_numpy() for n in observation.PARAMETERS[design.family]}
    width = study.outcome.width
    laws = observation.printed_probabilities(design.family, linear, parameters, width)
    own = np.asarray(study.outcome.printed[unit])
    logs = observation.printed_log_probability(design.family, linear, parameters, width, own)
    return laws.mean(axis=(0, 1)), logs
