"""The share model of a register with clusters, in coordinates and over cells.

The log density is that of the share model over all rows, with the level of a cluster and the means
of its effects added up (see :mod:`intlmodels.register.clustercoordinates`). Everything that depends
on the rows is shared data, so that another register of the same shape compiles nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.errors import StudyError
from intlmodels.models.drawing import PRIOR_ARGUMENTS, arguments, draw_pymc
from intlmodels.models.register import RAW, SCALES
from intlmodels.models.share import LOG_DENSITIES
from intlmodels.models.shareblocks import Design
from intlmodels.priors import Prior
from intlmodels.register.clustercoordinates import ClusterCoordinates, Kernel
from intlmodels.register.clusterstart import Counted
from intlmodels.share import observation
from intlmodels.share.nodes import nodes

if TYPE_CHECKING:
    import pymc as pm

Functions = dict[str, Callable[[Any], Any]]


def prior_model(priors: Mapping[str, Prior]) -> pm.Model:
    """All parameters that have a prior of their own, and nothing else."""
    import pymc as pm

    with pm.Model() as model:
        pm.Data(PRIOR_ARGUMENTS, arguments(priors))
        for name in priors:
            draw_pymc(priors, name)
    return model


def scales(model: pm.Model) -> tuple[Functions, Functions]:
    """How a model takes its parameters to the whole line, and back."""
    onto: Functions = {}
    back: Functions = {}
    for rv in model.free_RVs:
        transform = model.rvs_to_transforms[rv]
        onto[rv.name], back[rv.name] = SCALES["" if transform is None else transform.name]
    return onto, back


def _kernel() -> Kernel:
    import pytensor.tensor as pt

    return Kernel(pt.log, lambda parts: pt.concatenate([pt.as_tensor(part) for part in parts]))


def in_cluster_coordinates(
    own: pm.Model,
    design: Design,
    data: Counted,
    points: ClusterCoordinates,
    width: float,
    count: int,
) -> pm.Model:
    """The posterior as a model of one vector, the coordinates.

    Parameters
    ----------
    own : pymc.Model
        From :func:`prior_model`.
    design : Design
    data : Counted
    points : ClusterCoordinates
    width : float
        Rounding width in percentage points.
    count : int
        Number of nodes at which log probabilities are computed.

    Raises
    ------
    StudyError
        For a prior of the intercept or a slope that is not one over the whole line.
    """
    import pymc as pm
    import pytensor.tensor as pt
    from pytensor.graph.replace import graph_replace

    transforms = {rv.name: own.rvs_to_transforms[rv] for rv in own.free_RVs}
    for name in points.names:
        if transforms.get(name) is not None:
            raise StudyError(
                f"the prior of '{name}' has to be one over all numbers in a register, such as "
                "Normal or StudentT",
                value=name,
            )
    back: Functions = {name: _backward(transforms[name]) for name in points.scalars}
    with pm.Model() as sampled:
        raw = pm.Flat(RAW, shape=points.size)
        held = {
            field.name: _held(field.name, getattr(points.fixed, field.name))
            for field in fields(points.fixed)
        }
        symbolic = replace(points, fixed=replace(points.fixed, **held))
        found, density = symbolic.values(raw, back, _kernel())
        common = found["common"]
        values = {name: found[name] for name in points.scalars}
        intercept = common[0]
        for name, group in zip(points.names[1:], points.groups[1:], strict=True):
            if name not in points.levels:
                values[name] = common[group.start]
                continue
            sigma = back[f"sigma_{name}"](found[f"sigma_{name}"])
            standard = found[f"{name} mean"]
            intercept = intercept - sigma * standard / np.sqrt(points.levels[name])
            off = common[group] / sigma
            density -= 0.5 * (standard**2 + (off**2).sum())
            density -= (points.levels[name] - 1) * pt.log(sigma)
        values[points.names[0]] = intercept
        replaced = {own.rvs_to_values[rv]: values[rv.name] for rv in own.free_RVs}
        density += graph_replace([own.logp()], replaced, strict=False)[0]
        off = found["effects"] - common
        density -= 0.5 * (off**2 / found["variance"]).sum()
        density -= 0.5 * data.clusters * pt.log(found["variance"]).sum()
        parameters = [back[n](found[n]) for n in observation.PARAMETERS[design.family]]
        density += _likelihood(design, data, found["effects"], parameters, width, count)
        pm.Potential("posterior", density)
    return sampled


def _backward(transform: Any) -> Callable[[Any], Any]:
    return lambda value: value if transform is None else transform.backward(value)


def _held(name: str, values: Any) -> Any:
    """An array as data of the model; these have one dimension each."""
    import pymc as pm

    return pm.Data(name, np.ravel(values).astype(np.float64)).reshape(values.shape)


def _likelihood(
    design: Design, data: Counted, effects: Any, parameters: list[Any], width: float, count: int
) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    from intlmodels.models.celldensity import cells_density

    linear = pt.as_tensor(nodes(count)[None])
    printed = pm.Data("printed", data.printed)[:, None]
    log_density = LOG_DENSITIES[design.family]
    table = log_density(printed, width, 0, linear, pt.sigmoid(linear), *parameters)
    held = [
        pm.Data(name, np.ravel(getattr(data, name)))
        for name in ("weights", "cluster", "start", "place", "rows")
    ]
    return cells_density(effects, table, *held)[0]
