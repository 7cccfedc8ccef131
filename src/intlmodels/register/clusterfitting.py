"""Draws of a register with clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

# By its own name: fit.py is part of the fingerprint of every stored fit and stays as it is.
from intlmodels.fit import _sample
from intlmodels.models import design_of
from intlmodels.models.register import RAW, scales
from intlmodels.models.registercells import in_cluster_coordinates, prior_model
from intlmodels.priors import Prior
from intlmodels.register.clustercoordinates import (
    NUMPY,
    ClusterCoordinates,
    cluster_coordinates,
    split,
)
from intlmodels.register.clusterstart import counted, enough_nodes, find_cluster_start
from intlmodels.register.combinations import Combinations, combinations
from intlmodels.register.coordinates import Scales
from intlmodels.register.start import find_start
from intlmodels.settings import Progress, Settings
from intlmodels.study import RegisterStudy

if TYPE_CHECKING:
    from xarray import Dataset

Array = NDArray[np.float64]

#: Coordinates from which a draw takes long. They are close to independent and normal there: longer
#: steps, fewer draws and less tuning do as well, and the gate looks at what came out.
MANY = 2_000
DRAWS, TUNE, ACCEPT = 750, 300, 0.8
#: Acceptance above which more careful sampling is asked for, and what stands for it here.
USUAL, CAREFUL = 0.95, 0.9
#: Numbers that all draws together may have, and draws of a chain that there are in any case.
MOST_NUMBERS, FEWEST_DRAWS = 50_000_000, 100


@dataclass(frozen=True)
class Drawn:
    """Draws of all parameters, (chain, draw, ...), and how they were made.

    Attributes
    ----------
    values : dict of str to array
    stats : xarray.Dataset
    settings : Settings
        Those used: with very many clusters fewer draws than asked for.
    error : float
        Largest error of an interpolated log probability; 0 where none is interpolated.
    """

    values: dict[str, Array]
    stats: Dataset
    settings: Settings
    error: float = 0.0


def draw_clusters(
    study: RegisterStudy,
    shared: Combinations,
    variant: str,
    priors: Mapping[str, Prior],
    settings: Settings,
    progress: Progress | None,
) -> Drawn:
    """Draw all parameters of a register with clusters."""
    width, printed = study.outcome.width, study.outcome.printed
    design = design_of(shared.study, variant)
    pooled = combinations(replace(study, clusters=None))
    alone = design_of(pooled.study, variant)
    data = counted(design, shared.cell, printed, study.rows)
    # The same rows without their clusters, cells that have become the same added up.
    both = np.column_stack([pooled.cell, pooled.place])
    same, place, inverse = np.unique(both, axis=0, return_index=True, return_inverse=True)
    rows = np.bincount(inverse.reshape(-1), study.rows).astype(np.intp)
    first = find_start(alone, same[:, 0], printed[place], rows, width)
    start = find_cluster_start(design, data, first, width)
    own = prior_model(priors)
    onto, back = scales(own)
    points = cluster_coordinates(design, start, onto, back)
    count, left = enough_nodes(design.family, start.parameters, width, data.printed)
    model = in_cluster_coordinates(own, design, data, points, width, count)
    used = _affordable(settings, points)
    draws, stats = _sample(model, used, progress)
    values = _expanded(points, draws[RAW].to_numpy(), back, settings.seed)
    return Drawn(values, stats, used, left)


def _affordable(settings: Settings, points: ClusterCoordinates) -> Settings:
    if points.size <= MANY:
        return settings
    most = max(FEWEST_DRAWS, MOST_NUMBERS // (points.size * settings.chains))
    careful = settings.target_accept > USUAL
    return replace(
        settings,
        draws=min(settings.draws, DRAWS + careful * DRAWS, most),
        tune=min(settings.tune, TUNE + careful * TUNE),
        target_accept=min(settings.target_accept, CAREFUL if careful else ACCEPT),
    )


def _expanded(points: ClusterCoordinates, raw: Array, back: Scales, seed: int) -> dict[str, Array]:
    """Parameters of every draw, from coordinates of shape (chain, draw, coordinate)."""
    rng = np.random.default_rng([seed, 3])
    drawn: dict[str, list[Any]] = {}
    for at in raw.reshape(-1, raw.shape[-1]):
        found, _ = points.values(at, back, NUMPY)
        scalars = {name: float(back[name](found[name])) for name in points.scalars}
        for name, value in (scalars | split(points, found, scalars, rng)).items():
            # Of thousands of clusters half the memory is worth more than the last digits.
            small = np.size(value) > MANY
            drawn.setdefault(name, []).append(np.float32(value) if small else value)
    return {
        name: np.array(values).reshape(*raw.shape[:-1], *np.shape(values[0]))
        for name, values in drawn.items()
    }
