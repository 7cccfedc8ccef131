"""Fitting a register: cells in, one DataTree out, of the form that other fits have.

What travels with the draws is by combination of levels (dimension ``firm``), with the number of
rows that each has; nothing in it has the length of the rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

# By their own names: fit.py is part of the fingerprint of every stored fit and stays as it is.
from intlmodels.fit import PRIOR_DRAWS, _attributes, _sample
from intlmodels.models import DEFAULT, design_of, priors_of
from intlmodels.models.register import RAW, build, in_coordinates, scales
from intlmodels.models.registercells import at_nodes, prior_model
from intlmodels.models.shareblocks import CLUSTER, Design
from intlmodels.priors import Prior, draw
from intlmodels.register.clusterfitting import Drawn, draw_clusters
from intlmodels.register.clusterstart import counted, enough_nodes
from intlmodels.register.combinations import Combinations, combinations
from intlmodels.register.coordinates import coordinates
from intlmodels.register.start import find_start
from intlmodels.settings import Progress, Settings
from intlmodels.share import groups, observation
from intlmodels.share.coefficients import Coefficients
from intlmodels.study import RegisterStudy

if TYPE_CHECKING:
    from xarray import Dataset, DataTree

Array = NDArray[np.float64]

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
    """Fit one variant: see :func:`intlmodels.fit.fit`.

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
    constant = groups.constant_data(shared.study, design).drop_vars(["lower", "upper"])
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
