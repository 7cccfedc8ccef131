"""What travels with the draws of a share model: data, design in numbers, predictions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.rounding import grid, intervals
from intlmodels.models.share import observation
from intlmodels.models.share.blocks import CLUSTER, Design
from intlmodels.study import ShareStudy

if TYPE_CHECKING:
    from xarray import Dataset


def observed_data(study: ShareStudy, design: Design) -> Dataset:
    """Printed shares in percent; positions of levels, NaN where none is printed."""
    import xarray as xr

    seen = np.where(design.known(study), design.observed(study), np.nan)
    return xr.Dataset(
        {observation.outcome_of(design.family): ("firm", seen, {"units": units(design)})},
        coords={"firm": list(study.firms)},
    )


def units(design: Design) -> str:
    """Unit of what is observed."""
    return "percent" if design.further is None else "position of the level, from 0"


def constant_data(study: ShareStudy, design: Design) -> Dataset:
    """The design in numbers: what the estimands need instead of the model.

    ``design[firm, coefficient]`` holds the weights (NaN where a covariate is missing);
    ``setting_weights[setting, coefficient]`` what changes when one predictor is set to one
    level (NaN: as observed). Of a study with clusters: ``cluster_code[firm]``, the position of
    each firm's cluster in ``cluster_level``.
    """
    import xarray as xr

    blocks = design.blocks
    width, outcome, attributes = _outcome(study, design)
    starts = np.cumsum([0, *(block.weights.shape[1] for block in blocks)])
    place = {b.name: slice(starts[i], starts[i + 1]) for i, b in enumerate(blocks)}
    labels = [
        f"{block.name}[{level}]" if block.levels else block.name
        for block in blocks
        for level in (block.levels or ("",))
    ]
    settings = [(block, i) for block in blocks for i in range(len(block.settings))]
    weights = np.full((len(settings), len(labels)), np.nan)
    for row, (block, i) in enumerate(settings):
        for name, values in block.rows.items():
            weights[row, place[name]] = values[i]
    described = [
        {
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
        for block in blocks
    ]
    matrix = np.concatenate([b.weights for b in blocks], axis=1) if blocks else None
    codes, names, words = _clusters(design)
    return xr.Dataset(
        {
            **outcome,
            "design": (
                ("firm", "coefficient"),
                np.zeros((len(study.firms), 0)) if matrix is None else matrix,
            ),
            "setting_weights": (("setting", "coefficient"), weights),
            **codes,
        },
        coords={
            "firm": list(study.firms),
            "coefficient": np.asarray(labels, dtype=object),
            "setting_predictor": ("setting", np.asarray([b.name for b, _ in settings], object)),
            "setting_level": (
                "setting",
                np.asarray([b.settings[i] for b, i in settings], object),
            ),
            **names,
        },
        attrs={
            "blocks": json.dumps(described),
            "rounding_width": width,
            **attributes,
            "firm_label": study.firm_label,
            **words,
        },
    )


def _clusters(design: Design) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """Which cluster each firm belongs to: variables, coordinates, and attributes."""
    clusters = design.clusters
    if clusters is None:
        return {}, {}, {}
    labels = {f"{CLUSTER}_level": np.asarray(clusters.labels, dtype=object)}
    return (
        {f"{CLUSTER}_code": ("firm", clusters.codes)},
        labels,
        {f"{CLUSTER}_label": clusters.label},
    )


def _outcome(study: ShareStudy, design: Design) -> tuple[float, dict[str, Any], dict[str, str]]:
    """What can be printed: distance of neighbours, variables, and attributes."""
    further = design.further
    if further is not None:
        unit = {"units": "percent" if further.kind == "binary" else "stages"}
        words = {"outcome_label": further.label, "outcome_levels": json.dumps(further.levels)}
        return float(further.worth[1]), {"printed_grid": ("grid", further.worth, unit)}, words
    width = study.outcome.width
    lower, upper = intervals(study.outcome.printed, width)
    variables = {
        "lower": ("firm", lower, {"units": "share"}),
        "upper": ("firm", upper, {"units": "share"}),
        "printed_grid": ("grid", grid(width), {"units": "percent"}),
    }
    return float(width), variables, {"outcome_label": study.outcome.label}


def predictive(study: ShareStudy, design: Design, draws: Dataset, seed: int, step: int) -> Dataset:
    """What is printed of the same firms, drawn anew from every draw of the parameters."""
    import xarray as xr

    family = design.family
    central = "eta" if family == "ordered" else "mu"
    linear = observation.linear_of(family, {central: draws[central].to_numpy()})
    parameters = {
        name: observation.for_firms(name, draws[name].to_numpy())
        for name in observation.PARAMETERS[family]
    }
    printed = observation.simulate(
        family,
        linear,
        parameters,
        study.outcome.width,
        np.random.default_rng([seed, step]),
    )
    name = observation.outcome_of(family)
    return xr.Dataset(
        {name: (("chain", "draw", "firm"), printed, {"units": units(design)})},
        coords={name: draws[name] for name in ("chain", "draw", "firm")},
    )
