"""The share model of a register: every cell weighs as much as it has rows.

The log density is that of the share model over all rows, added up cell by cell; it is exact. For
sampling it is written in the coordinates of :mod:`intlmodels.models.share.coordinates`; with
clusters the level of each and the means of its effects are added up there. With clusters, and with
more cells than nodes, everything that depends on the rows is shared data, so that a register of the
same shape compiles next to nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.replace import graph_replace

from intlmodels.core.settings import Progress, Settings
from intlmodels.models import DEFAULT, design_of, priors_of
from intlmodels.models.base import Drawn
from intlmodels.models.compilation import one_at_a_time
from intlmodels.models.coordinates import RAW, algebra, require_whole_line
from intlmodels.models.priors import DISTRIBUTIONS, WHOLE_LINE, Prior
from intlmodels.models.pymc import PRIOR_ARGUMENTS, WEIGHTS, arguments, draw_pymc, sample
from intlmodels.models.share import model as share
from intlmodels.models.share import observation
from intlmodels.models.share.coordinates import (
    MANY,
    ClusterCoordinates,
    Coordinates,
    Scales,
    cluster_coordinates,
    coordinates,
)
from intlmodels.models.share.design import Design
from intlmodels.models.share.design import settings as settings_of
from intlmodels.models.share.inferencedata import combinations, dataset, prior_of_cells
from intlmodels.models.share.model import LOG_DENSITIES
from intlmodels.models.share.observation import nodes
from intlmodels.models.share.start import (
    Counted,
    counted,
    enough_nodes,
    find_cluster_start,
    find_start,
)
from intlmodels.studies import RegisterStudy

Array = NDArray[np.float64]


@one_at_a_time
def build(
    study: RegisterStudy, variant: str = DEFAULT, priors: Mapping[str, Prior] | None = None
) -> pm.Model:
    """Build the model of one variant: see :func:`intlmodels.models.share.model.build`.

    Its dimension ``firm`` is that of the cells, whose log likelihoods are multiplied by their rows.
    """
    priors = priors_of(study, variant) if priors is None else priors
    model = share.build(study, variant, priors)
    model[WEIGHTS].set_value(study.rows.astype(np.float64))
    return model


def scales(priors: Mapping[str, Prior]) -> tuple[Scales, Scales]:
    """How each parameter is taken to the whole line, and back, as the model does it."""
    both = {n: WHOLE_LINE[DISTRIBUTIONS[p.distribution].support] for n, p in priors.items()}
    return {n: onto for n, (onto, _) in both.items()}, {n: back for n, (_, back) in both.items()}


@one_at_a_time
def in_coordinates(model: pm.Model, points: Coordinates) -> pm.Model:
    """The same posterior as a model of one vector, the coordinates.

    ``model``: from :func:`build`. Raises StudyError for a prior of the intercept or a slope that
    is not one over the whole line.
    """
    back = backwards(model, points.names)
    with pm.Model() as sampled:
        raw = pm.Flat(RAW, shape=points.size)
        found, jacobian = points.values(raw, back, algebra())
        values: dict[Any, Any] = {}
        for rv in model.free_RVs:
            own = model.rvs_to_values[rv]
            name = rv.name
            if name.endswith("_z") and name.removesuffix("_z") in points.levels:
                category = name.removesuffix("_z")
                sigma = back[f"sigma_{category}"](found[f"sigma_{category}"])
                values[own] = pt.specify_shape(found[category] / sigma, own.type.shape)
            else:
                values[own] = found[name]
        density = graph_replace([model.logp()], values, strict=False)[0]
        pm.Potential("posterior", density + jacobian)
    return sampled


@one_at_a_time
def prior_model(priors: Mapping[str, Prior]) -> pm.Model:
    """All parameters that have a prior of their own, and nothing else."""
    with pm.Model() as model:
        pm.Data(PRIOR_ARGUMENTS, arguments(priors))
        for name in priors:
            draw_pymc(priors, name)
    return model


@one_at_a_time
def at_nodes(
    own: pm.Model,
    design: Design,
    data: Counted,
    points: Coordinates | ClusterCoordinates,
    width: float,
    count: int,
) -> pm.Model:
    """The posterior as a model of one vector, the coordinates.

    ``own``: from :func:`prior_model`; ``width``: rounding width in percentage points; ``count``:
    number of nodes at which log probabilities are computed. Raises StudyError for a prior of the
    intercept or a slope that is not one over the whole line.
    """
    back = backwards(own, points.names)
    with pm.Model() as sampled:
        raw = pm.Flat(RAW, shape=points.size)
        terms = points.holding(_held).terms(raw, back, algebra())
        found, density = terms.values, terms.density
        replaced = {
            own.rvs_to_values[rv]: pt.specify_shape(found[rv.name], ()) for rv in own.free_RVs
        }
        density += graph_replace([own.logp()], replaced, strict=False)[0]
        for of_clusters in terms.of_clusters:
            density -= of_clusters
        parameters = [back[n](found[n]) for n in observation.PARAMETERS[design.family]]
        linear = pt.as_tensor(nodes(count)[None])
        printed = pm.Data("printed", data.printed)[:, None]
        log_density = LOG_DENSITIES[design.family]
        table = log_density(
            share.Reported(printed, width, 0), linear, pt.sigmoid(linear), *parameters
        )
        held = [
            pm.Data(name, np.ravel(getattr(data, name)))
            for name in ("weights", "cluster", "start", "place", "rows")
        ]
        density += share.cells_density(terms.effects, table, *held)[0]
        pm.Potential("posterior", density)
    return sampled


@one_at_a_time
def backwards(own: pm.Model, names: tuple[str, ...]) -> Scales:
    """How PyTensor takes the parameters of a model from the whole line to their own scales.

    ``names``: those that are sampled on the whole line as they are. Raises StudyError for a prior
    of one of these that is not over the whole line.
    """
    transforms = {rv.name: own.rvs_to_transforms[rv] for rv in own.free_RVs}
    require_whole_line(transforms, list(names))
    return {
        name: (lambda value: value) if transform is None else transform.backward
        for name, transform in transforms.items()
    }


def _held(name: str, values: Array) -> Any:
    """An array as data of the model; these have one dimension each."""
    return pm.Data(name, np.ravel(values).astype(np.float64)).reshape(values.shape)


# -- draws of a register -------------------------------------------------------------------

#: Cells up to which the probability of each is computed at every step; beyond, at nodes.
FEW_CELLS = 4_000
#: With many coordinates they are close to independent and normal: longer steps, fewer draws and
#: less tuning do as well, and the gate looks at what came out.
DRAWS, TUNE, ACCEPT = 750, 300, 0.8
#: Acceptance above which more careful sampling is asked for, and what stands for it here.
USUAL, CAREFUL = 0.95, 0.9
#: Numbers that all draws together may have, and draws of a chain that there are in any case.
MOST_NUMBERS, FEWEST_DRAWS = 50_000_000, 100


def draw(
    study: RegisterStudy,
    variant: str,
    priors: Mapping[str, Prior],
    settings: Settings,
    progress: Progress | None,
) -> Drawn:
    """Draw all parameters of a register; with very many clusters fewer draws than asked for."""
    shared = combinations(study)
    design = design_of(shared.study, variant)
    printed, width = study.outcome.printed, study.outcome.width
    own, (onto, back) = prior_model(priors), scales(priors)
    data = counted(design, shared.cell, printed, study.rows)
    points: Coordinates | ClusterCoordinates
    if design.clusters is None:
        start = find_start(design, shared.cell, printed, study.rows, width)
        points = coordinates(design, start, onto)
    else:
        pooled = combinations(replace(study, groupings={}))
        # The same rows without their clusters, cells that have become the same added up.
        both = np.column_stack([pooled.cell, pooled.place])
        same, place, inverse = np.unique(both, axis=0, return_index=True, return_inverse=True)
        rows = np.bincount(inverse.reshape(-1), study.rows).astype(np.intp)
        alone = design_of(pooled.study, variant)
        first = find_start(alone, same[:, 0], printed[place], rows, width)
        start = find_cluster_start(design, data, first, width)
        points = cluster_coordinates(design, start, onto, back)
    left = 0.0  # largest error of an interpolated log probability
    if isinstance(points, Coordinates) and len(study.rows) <= FEW_CELLS:
        model = in_coordinates(build(study, variant, priors), points)
    else:
        count, left = enough_nodes(design.family, start.parameters, width, data.printed)
        model = at_nodes(own, design, data, points, width, count)
    used = _affordable(settings, points.size)
    draws, stats = sample(model, used, progress)
    attributes: dict[str, Any] = {"interpolation_error": left}
    if used != settings:
        attributes["settings_used"] = json.dumps(used.identity(settings_of(design)))
    return Drawn(
        {
            "posterior": dataset(design, points.draws(draws[RAW].to_numpy(), back, settings.seed)),
            "sample_stats": stats,
            "prior": dataset(design, prior_of_cells(design, priors, settings.seed)),
        },
        attributes,
    )


def _affordable(settings: Settings, size: int) -> Settings:
    """Settings for that many coordinates."""
    if size <= MANY:
        return settings
    most = max(FEWEST_DRAWS, MOST_NUMBERS // (size * settings.chains))
    careful = settings.target_accept > USUAL
    return replace(
        settings,
        draws=min(settings.draws, DRAWS + careful * DRAWS, most),
        tune=min(settings.tune, TUNE + careful * TUNE),
        target_accept=min(settings.target_accept, CAREFUL if careful else ACCEPT),
    )
