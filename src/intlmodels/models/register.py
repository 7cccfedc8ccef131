"""The share model of a register: every cell weighs as much as it has rows.

The log density is that of the share model over all rows, added up cell by cell; it is exact. For
sampling it is written in the coordinates of :mod:`intlmodels.register.coordinates`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.compilation import one_at_a_time
from intlmodels.errors import StudyError
from intlmodels.models import DEFAULT, priors_of, share
from intlmodels.models.drawing import WEIGHTS
from intlmodels.priors import Prior
from intlmodels.register.coordinates import Algebra, Coordinates
from intlmodels.study import RegisterStudy

if TYPE_CHECKING:
    import pymc as pm

#: The vector of all coordinates.
RAW = "raw"


@one_at_a_time
def build(
    study: RegisterStudy, variant: str = DEFAULT, priors: Mapping[str, Prior] | None = None
) -> pm.Model:
    """Build the model of one variant: see :func:`intlmodels.models.share.build`.

    Returns
    -------
    pymc.Model
        With the dimension ``firm`` for the cells, whose log likelihoods are multiplied by their
        rows.
    """
    priors = priors_of(study, variant) if priors is None else priors
    model = share.build(study, variant, priors)
    model[WEIGHTS].set_value(study.rows.astype(np.float64))
    return model


@one_at_a_time
def scales(
    model: pm.Model,
) -> tuple[dict[str, Callable[[Any], Any]], dict[str, Callable[[Any], Any]]]:
    """How the model takes each scalar parameter to the whole line, and back.

    Returns
    -------
    onto, back : dict of str to callable
        Of numbers and numpy arrays.
    """
    onto: dict[str, Callable[[Any], Any]] = {}
    back: dict[str, Callable[[Any], Any]] = {}
    for rv in model.free_RVs:
        if rv.ndim:
            continue
        transform = model.rvs_to_transforms[rv]
        name = "" if transform is None else transform.name
        onto[rv.name], back[rv.name] = SCALES[name]
    return onto, back


def _logit(value: Any) -> Any:
    return np.log(value) - np.log1p(-value)


def _inverse_logit(value: Any) -> Any:
    return 1 / (1 + np.exp(-value))


def _same(value: Any) -> Any:
    return value


#: Transform of PyMC -> to the whole line, and back.
SCALES: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "": (_same, _same),
    "log": (np.log, np.exp),
    "logodds": (_logit, _inverse_logit),
}


def algebra() -> Algebra:
    """PyTensor's functions for coordinates."""
    import pytensor.tensor as pt
    from pytensor.tensor.linalg import cholesky, solve_triangular

    return Algebra(
        pt.log,
        lambda parts: pt.concatenate(parts, axis=-1),
        lambda matrix: cholesky(matrix, lower=True),
        lambda factor, vector, transposed: solve_triangular(
            factor.T if transposed else factor, vector, lower=not transposed, b_ndim=1
        ),
    )


@one_at_a_time
def in_coordinates(model: pm.Model, points: Coordinates) -> pm.Model:
    """The same posterior as a model of one vector, the coordinates.

    Parameters
    ----------
    model : pymc.Model
        From :func:`build`.
    points : Coordinates

    Raises
    ------
    StudyError
        For a prior of the intercept or a slope that is not one over the whole line.
    """
    import pymc as pm
    import pytensor.tensor as pt
    from pytensor.graph.replace import graph_replace

    transforms = {rv.name: model.rvs_to_transforms[rv] for rv in model.free_RVs}
    for name in points.names:
        if transforms.get(name) is not None:
            raise StudyError(
                f"the prior of '{name}' has to be one over all numbers in a register, such as "
                "Normal or StudentT",
                value=name,
            )
    back = {
        name: (lambda value, t=transforms[name]: value if t is None else t.backward(value))
        for name in points.scalars
    }
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
