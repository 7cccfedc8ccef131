"""Fitting a register: cells in, one DataTree out, of the form that other fits have.

What travels with the draws is by combination of levels (dimension ``firm``), with the number of
rows that each has; nothing in it has the length of the rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.settings import Progress, Settings
from intlmodels.fitting.fit import PRIOR_DRAWS, _attributes, _sample
from intlmodels.models import DEFAULT, design_of, priors_of
from intlmodels.models.priors import Prior, draw
from intlmodels.models.share import inferencedata, observation
from intlmodels.models.share.blocks import CLUSTER, Design
from intlmodels.models.share.cells import (
    RAW,
    at_nodes,
    build,
    in_cluster_coordinates,
    in_coordinates,
    prior_model,
    scales,
)
from intlmodels.models.share.clustercoordinates import (
    NUMPY,
    ClusterCoordinates,
    cluster_coordinates,
    split,
)
from intlmodels.models.share.clusterstart import counted, enough_nodes, find_cluster_start
from intlmodels.models.share.coefficients import Coefficients
from intlmodels.models.share.combinations import Combinations, combinations
from intlmodels.models.share.coordinates import Scales, coordinates, find_start
from intlmodels.study import RegisterStudy

if TYPE_CHECKING:
    from xarray import Dataset, DataTree


# By its own name: fit.py is part of the fingerprint of every stored fit and stays as it is.


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


# -- fitting a register ----------------------------------------------------------------

# By their own names: fit.py is part of the fingerprint of every stored fit and stays as it is.


#: Cells up to which the probability of each is computed at every step; beyond, at nodes.
FEW_CELLS = 4_000
#: Numbers that the draws from the prior may have.
MOST_PRIOR = 5_000_000
#: Registers that are predicted: so many, or fewer where each takes many probabilities.
MOST_PREDICTED, FEWEST_PREDICTED = 500, 100
MOST_PROBABILITIES = 20_000_000


def fit(
    study: RegisterStudy,
    variant: str = DEFAULT,
    priors: Mapping[str, Prior] | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> DataTree:
    """Fit one variant: see :func:`intlmodels.fitting.fit.fit`.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior``, ``sample_stats`` and ``prior`` as of other fits, without expected
        shares; ``posterior_predictive`` and ``prior_predictive``: ``printed_rows`` (chain, draw,
        grid), how many rows print each value in a register predicted by a draw, and
        ``mean_share`` (chain, draw, firm) of each combination, in percent; ``observed_data``:
        the cells; ``constant_data`` with ``rows`` (firm).

    Raises
    ------
    StudyError
        For an unknown variant or setting, or a prior that a register cannot have.
    """
    import xarray as xr

    priors = priors_of(study, variant) if priors is None else priors
    settings = settings or Settings()
    shared = combinations(study)
    design = design_of(shared.study, variant)
    begun = perf_counter()
    drawn = (_drawn if design.clusters is None else draw_clusters)(
        study, shared, variant, priors, settings, progress
    )
    seconds = perf_counter() - begun
    tree = xr.DataTree.from_dict(
        {
            "posterior": _dataset(design, drawn.values),
            "sample_stats": drawn.stats,
            "prior": _dataset(design, _prior(design, priors, settings.seed)),
            "observed_data": _observed(shared, study),
            "constant_data": _constant(shared, design),
        }
    )
    tree.attrs = _attributes(study, variant, design, priors, settings)
    tree.attrs["seconds"] = seconds
    tree.attrs["interpolation_error"] = drawn.error
    if drawn.settings != settings:
        kept = json.loads(tree.attrs["settings"])
        tree.attrs["settings_used"] = json.dumps(drawn.settings.identity(kept))
    for step, (group, name) in enumerate(
        (("posterior", "posterior_predictive"), ("prior", "prior_predictive")), start=1
    ):
        rng = np.random.default_rng([settings.seed, step])
        tree[name] = xr.DataTree(_predictive(Coefficients(tree, group), shared, rng))
    return tree


def _drawn(
    study: RegisterStudy,
    shared: Combinations,
    variant: str,
    priors: Mapping[str, Prior],
    settings: Settings,
    progress: Progress | None,
) -> Drawn:
    """Draws of a register without clusters."""
    design = design_of(shared.study, variant)
    printed, width = study.outcome.printed, study.outcome.width
    start = find_start(design, shared.cell, printed, study.rows, width)
    own = prior_model(priors)
    onto, back = scales(own)
    points = coordinates(design, start, onto)
    left = 0.0
    if len(study.rows) > FEW_CELLS:
        data = counted(design, shared.cell, printed, study.rows)
        count, left = enough_nodes(design.family, start.parameters, width, data.printed)
        model = at_nodes(own, design, data, points, width, count)
    else:
        model = in_coordinates(build(study, variant, priors), points)
    draws, stats = _sample(model, settings, progress)
    return Drawn(points.draws(draws[RAW].to_numpy(), back), stats, settings, left)


def _dataset(design: Design, values: Mapping[str, Array]) -> Dataset:
    """Draws of all parameters with their labels."""
    import xarray as xr

    names = [design.intercept]
    dims: dict[str, tuple[str, ...]] = {}
    coords: dict[str, Any] = {}
    for block in design.blocks:
        if block.levels:
            dims[block.name] = (f"{block.name}_level",)
            coords[f"{block.name}_level"] = list(block.levels)
            names.append(f"sigma_{block.name}")
        names.append(block.name)
    if design.clusters is not None:
        of_clusters = f"{CLUSTER}_level"
        coords[of_clusters] = list(design.clusters.labels)
        names += [CLUSTER, f"sigma_{CLUSTER}"]
        dims[CLUSTER] = (of_clusters,)
        for block in design.blocks:
            names += [block.by_cluster, f"sigma_{block.by_cluster}"]
            dims[block.by_cluster] = (of_clusters, *dims.get(block.name, ()))
    names += observation.PARAMETERS[design.family]
    chains, draws = values[design.intercept].shape
    return xr.Dataset(
        {name: (("chain", "draw", *dims.get(name, ())), values[name]) for name in names},
        coords | {"chain": np.arange(chains), "draw": np.arange(draws)},
    )


def _prior(design: Design, priors: Mapping[str, Prior], seed: int) -> dict[str, Array]:
    rng = np.random.default_rng([seed, 0])
    sizes = {block.name: len(block.levels) for block in design.blocks if block.levels}
    count = PRIOR_DRAWS
    if design.clusters is not None:
        clusters = len(design.clusters.labels)
        sizes[CLUSTER] = clusters
        sizes |= {b.by_cluster: clusters * max(len(b.levels), 1) for b in design.blocks}
        count = min(count, max(FEWEST_PREDICTED, MOST_PRIOR // sum(sizes.values())))
    values = {name: draw(prior, rng, count)[None] for name, prior in priors.items()}
    for name, size in sizes.items():
        standard = rng.normal(size=(1, count, size))
        values[name] = values[f"sigma_{name}"][..., None] * standard
    for block in design.blocks:
        if design.clusters is not None and block.levels:
            shape = (1, count, clusters, len(block.levels))
            values[block.by_cluster] = values[block.by_cluster].reshape(shape)
    return values


def _observed(shared: Combinations, study: RegisterStudy) -> Dataset:
    import xarray as xr

    return xr.Dataset(
        {
            "cell_firm": ("cell", shared.cell),
            "cell_place": ("cell", shared.place),
            "cell_rows": ("cell", study.rows),
            "mean_share": ("firm", shared.study.outcome.printed, {"units": "percent"}),
        },
        coords={"firm": list(shared.study.firms)},
    )


def _constant(shared: Combinations, design: Design) -> Dataset:
    constant = inferencedata.constant_data(shared.study, design).drop_vars(["lower", "upper"])
    return constant.assign(rows=("firm", shared.study.rows))


def _predictive(coefficients: Coefficients, shared: Combinations, rng: Any) -> Dataset:
    """Registers drawn anew: of each combination as many rows as there are, each its own share."""
    import xarray as xr

    rows, values = shared.study.rows, coefficients.grid
    total = len(coefficients.intercept)
    count = MOST_PROBABILITIES // (len(rows) * len(values))
    count = min(total, max(FEWEST_PREDICTED, min(MOST_PREDICTED, count)))
    printed = np.zeros((count, len(values)), dtype=np.int64)
    means = np.empty((count, len(rows)), dtype=np.float32)
    for i, pick in enumerate(np.linspace(0, total - 1, count).astype(int)):
        chances = coefficients.drawn_chances(int(pick))
        # Sums that miss one by rounding are no probabilities to numpy.
        drawn = rng.multinomial(rows, chances / chances.sum(axis=1, keepdims=True))
        printed[i] = drawn.sum(axis=0)
        means[i] = drawn @ values / rows
    return xr.Dataset(
        {
            "printed_rows": (("chain", "draw", "grid"), printed[None]),
            "mean_share": (("chain", "draw", "firm"), means[None], {"units": "percent"}),
        },
        coords={"chain": [0], "draw": np.arange(count), "firm": list(shared.study.firms)},
    )
