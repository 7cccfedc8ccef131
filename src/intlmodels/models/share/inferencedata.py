"""What travels with the draws of a share model: data, design in numbers, predictions.

Of a register it goes by combination of levels (dimension ``firm``), with the number of rows that
each has; nothing has the length of the rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.rounding import grid, intervals
from intlmodels.models.priors import Prior, draw
from intlmodels.models.pymc import PRIOR_DRAWS
from intlmodels.models.share import observation
from intlmodels.models.share.coefficients import Coefficients
from intlmodels.models.share.design import CLUSTER, Block, Design, rows_of
from intlmodels.models.share.linear import family_parameters, linear_predictor
from intlmodels.register.rows import keys
from intlmodels.studies import Grouping, RegisterStudy, ShareStudy
from intlmodels.studies.columns import Predictor, frozen, of_rows

if TYPE_CHECKING:
    from xarray import Dataset


Array = NDArray[np.float64]


def observed_data(study: ShareStudy, design: Design) -> Dataset:
    """Printed shares in percent; positions of levels, NaN where none is printed."""
    import xarray as xr

    rows = rows_of(study)
    seen = np.where(design.known(study), design.observed(study), np.nan)
    return xr.Dataset(
        {observation.outcome_of(design.family): (rows, seen, {"units": units(design)})},
        coords={rows: list(study.firms)},
    )


def units(design: Design) -> str:
    """Unit of what is observed."""
    return "percent" if design.further is None else "position of the level, from 0"


def constant_data(study: ShareStudy, design: Design) -> Dataset:
    """The design in numbers: what the estimands need instead of the model.

    ``design[row, coefficient]`` holds the weights (NaN where a covariate is missing);
    ``setting_weights[setting, coefficient]`` what changes when one predictor is set to one
    level (NaN: as observed). Of a grouping G: ``G_code[row]``, the position of each row's group in
    ``G_level``; of terms of the precision, of structural zeros and of the split of the rest
    ``precision_design``, ``never_design`` and ``split_design``. The dimension of the rows is
    ``firm`` where each is of another firm.
    """
    import xarray as xr

    blocks, rows = design.blocks, rows_of(study)
    width, outcome, attributes = _outcome(study, design)
    starts = np.cumsum([0, *(block.weights.shape[1] for block in blocks)])
    place = {b.name: slice(starts[i], starts[i + 1]) for i, b in enumerate(blocks)}
    labels = [label for block in blocks for label in _coefficients(block)]
    settings = [(block, i) for block in blocks for i in range(len(block.settings))]
    weights = np.full((len(settings), len(labels)), np.nan)
    for row, (block, i) in enumerate(settings):
        for name, values in block.rows.items():
            weights[row, place[name]] = values[i]
    variables: dict[str, Any] = {}
    names: dict[str, Any] = {}
    for own in design.groupings:
        variables[f"{own.name}_code"] = (rows, own.codes)
        names[f"{own.name}_level"] = np.asarray(own.labels, dtype=object)
    if design.clusters is not None:
        attributes[f"{CLUSTER}_label"] = design.clusters.label
    if design.groupings:
        attributes["groupings"] = json.dumps([_grouping(design, own) for own in design.groupings])
    for part in ("precision", "never", "split"):
        terms: tuple[Block, ...] = getattr(design, part)
        if terms:
            attributes[part] = json.dumps([_described(block) for block in terms])
            labels_of = [label for block in terms for label in _coefficients(block)]
            names[f"{part}_coefficient"] = np.asarray(labels_of, dtype=object)
            variables[f"{part}_design"] = (
                (rows, f"{part}_coefficient"),
                np.concatenate([block.weights for block in terms], axis=1),
            )
    if study.outcome.weights is not None:
        variables["row_weights"] = (rows, study.outcome.weights)
    return xr.Dataset(
        {
            **outcome,
            "design": (
                (rows, "coefficient"),
                np.concatenate([np.empty((len(study.firms), 0)), *(b.weights for b in blocks)], 1),
            ),
            "setting_weights": (("setting", "coefficient"), weights),
            **variables,
        },
        coords={
            rows: list(study.firms),
            "coefficient": np.asarray(labels, dtype=object),
            "setting_predictor": ("setting", np.asarray([b.name for b, _ in settings], object)),
            "setting_level": ("setting", np.asarray([b.settings[i] for b, i in settings], object)),
            **names,
        },
        attrs={
            "blocks": json.dumps([_described(block) for block in blocks]),
            "rounding_width": width,
            "firm_label": study.firm_label,
            **attributes,
        },
    )


def _coefficients(block: Block) -> list[str]:
    return [f"{block.name}[{level}]" for level in block.levels] or [block.name]


def _described(block: Block) -> dict[str, Any]:
    """A block in what JSON can hold."""
    found = {
        "name": block.name,
        "kind": block.kind,
        "label": block.label,
        "variable": block.variable,
        "levels": list(block.levels),
        "settings": list(block.settings),
        "center": block.center,
        "scale": block.scale,
        "transform": block.transform,
        "unit": block.unit,
        "missing": [int(i) for i in block.missing],
    }
    if block.of:
        found["of"] = [[list(factor) for factor in pair] for pair in block.of]
    if block.knots:
        found["knots"] = list(block.knots)
    if block.term != block.name:
        found["term"] = block.term
    return found


def _grouping(design: Design, own: Grouping) -> dict[str, Any]:
    """A grouping in what JSON can hold; its slopes are names of blocks."""
    slopes = [block.name for block in design.slopes(own)]
    correlated = own.correlated and bool(slopes)
    return {"name": own.name, "label": own.label, "slopes": slopes, "correlated": correlated}


def _outcome(study: ShareStudy, design: Design) -> tuple[float, dict[str, Any], dict[str, str]]:
    """What can be printed: distance of neighbours, variables, and attributes."""
    further = design.further
    if further is not None:
        unit = {"units": "percent" if further.kind == "binary" else "stages"}
        words = {"outcome_label": further.label, "outcome_levels": json.dumps(further.levels)}
        return float(further.worth[1]), {"printed_grid": ("grid", further.worth, unit)}, words
    width, rows = study.outcome.width, rows_of(study)
    lower, upper = study.outcome.lower, study.outcome.upper
    if width:
        lower, upper = intervals(study.outcome.printed, width)
    variables = {
        "lower": (rows, lower, {"units": "share"}),
        "upper": (rows, upper, {"units": "share"}),
        "printed_grid": ("grid", grid(width or 1.0), {"units": "percent"}),
    }
    return float(width), variables, {"outcome_label": study.outcome.label}


def predictive(study: ShareStudy, design: Design, draws: Dataset, seed: int, step: int) -> Dataset:
    """What is reported of the same rows, drawn anew from draws of the parameters.

    From every draw, or from some where there would be too many numbers.
    """
    import xarray as xr

    rows = rows_of(study)
    most = MOST_NUMBERS if study.panel is None else MOST_OF_ROWS
    total = draws.sizes["chain"] * draws.sizes["draw"]
    every = max(1, -(-total * len(study.firms) // most))
    drawn = draws.isel(draw=slice(None, None, every))
    values = {str(name): own.to_numpy() for name, own in drawn.data_vars.items()}
    family = design.family
    if {"mu", "eta"} & values.keys():
        linear = observation.linear_of(family, values)
    else:
        linear = linear_predictor(design, values)
    parameters = family_parameters(design, values)
    rng = np.random.default_rng([seed, step])
    if design.own_ends and design.further is None:
        share = observation.simulate_share(family, linear, parameters, rng)
        printed = observation.report(share, study.outcome)[0]
    else:
        printed = observation.simulate(family, linear, parameters, study.outcome.width, rng)
    name = observation.outcome_of(family)
    return xr.Dataset(
        {name: (("chain", "draw", rows), printed, {"units": units(design)})},
        coords={"chain": drawn["chain"], "draw": drawn["draw"], rows: list(study.firms)},
    )


# -- registers: rows by what they have in common -------------------------------------------

#: Numbers that the draws of something may have that each row has.
MOST_NUMBERS = 20_000_000
#: The same of a panel.
MOST_OF_ROWS = 2_000_000
#: Numbers that the draws from the prior may have.
MOST_PRIOR = 5_000_000
#: Registers that are predicted: so many, or fewer where each takes many probabilities.
MOST_PREDICTED, FEWEST_PREDICTED = 500, 100
MOST_PROBABILITIES = 20_000_000


@dataclass(frozen=True)
class Combinations:
    """What is different between the rows of a register apart from their share."""

    #: Its ``firms`` are the combinations, its ``rows`` how many rows each has; the shares are
    #: their means.
    study: RegisterStudy
    cell: NDArray[np.intp]  #: (cell,), the combination of each
    place: NDArray[np.intp]  #: (cell,), position of its share on the printed grid
    first: NDArray[np.intp]  #: (combination,), the first cell of each

    def design(self, design: Design) -> Design:
        """A design of the cells as one of the combinations."""
        clusters = self.study.clusters
        blocks = tuple(replace(b, weights=b.weights[self.first]) for b in design.blocks)
        groupings = (clusters,) if design.clusters and clusters else ()
        return replace(design, blocks=blocks, groupings=groupings)


@lru_cache(maxsize=2)
def combinations(study: RegisterStudy) -> Combinations:
    """Put the cells of a register together that differ in their share only."""
    parts = [_coded(predictor) for predictor in study.predictors.values()]
    clusters = study.clusters
    if clusters is not None:  # first: the combinations of a cluster follow each other
        parts = [(clusters.codes, len(clusters.labels)), *parts]
    _, first, cell = np.unique(keys(parts), return_index=True, return_inverse=True)
    values = grid(study.outcome.width)
    place = np.rint(study.outcome.printed / study.outcome.width).astype(np.intp)
    place = np.minimum(place, len(values) - 1)
    rows = np.bincount(cell, study.rows)
    predictors = {name: of_rows(p, first) for name, p in study.predictors.items()}
    texts = [p.printed for p in predictors.values()]
    if clusters is not None:
        clusters = replace(clusters, codes=frozen(clusters.codes[first], np.intp))
        texts = [tuple(clusters.labels[code] for code in clusters.codes), *texts]
    names = zip(*texts, strict=True)
    means = np.bincount(cell, study.rows * study.outcome.printed) / rows
    made = replace(
        study,
        firms=tuple(", ".join(name) for name in names),
        outcome=replace(study.outcome, printed=frozen(means)),
        predictors=predictors,
        groupings={} if clusters is None else {CLUSTER: clusters},
        rows=frozen(rows, np.intp),
    )
    return Combinations(made, cell, place, first)


def _coded(predictor: Predictor) -> tuple[NDArray[np.intp], int]:
    """Codes in the order of levels or numbers, and how many there are."""
    if predictor.kind == "category":
        return predictor.codes, len(predictor.levels)
    values, codes = np.unique(predictor.values, return_inverse=True)
    return codes, len(values)


def observed_cells(study: RegisterStudy) -> Dataset:
    """The cells of a register, and the mean share of each combination."""
    import xarray as xr

    shared = combinations(study)
    return xr.Dataset(
        {
            "cell_firm": ("cell", shared.cell),
            "cell_place": ("cell", shared.place),
            "cell_rows": ("cell", study.rows),
            "mean_share": ("firm", shared.study.outcome.printed, {"units": "percent"}),
        },
        coords={"firm": list(shared.study.firms)},
    )


def constant_combinations(study: RegisterStudy, design: Design) -> Dataset:
    """The design in numbers by combination, with the rows of each."""
    shared = combinations(study)
    constant = constant_data(shared.study, shared.design(design))
    return constant.drop_vars(["lower", "upper"]).assign(rows=("firm", shared.study.rows))


def dataset(design: Design, values: Mapping[str, Array]) -> Dataset:
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


def prior_of_cells(design: Design, priors: Mapping[str, Prior], seed: int) -> dict[str, Array]:
    """Draws of all parameters of a register from their priors; one chain."""
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


def predicted_rows(
    study: RegisterStudy, design: Design, draws: Dataset, seed: int, step: int
) -> Dataset:
    """Registers drawn anew: of each combination as many rows as there are, each its own share.

    ``printed_rows`` (chain, draw, grid): how many rows print each value; ``mean_share`` (chain,
    draw, firm) of each combination, in percent.
    """
    import xarray as xr

    constant = constant_combinations(study, design)
    tree = xr.DataTree.from_dict({"posterior": draws, "constant_data": constant})
    tree.attrs["family"] = design.family
    coefficients, shared = Coefficients(tree), combinations(study)
    rng = np.random.default_rng([seed, step])
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
