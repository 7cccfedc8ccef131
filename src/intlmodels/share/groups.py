"""What travels with the draws of a share model: data, design in numbers, predictions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from intlmodels.models.sharedesign import Design
from intlmodels.rounding import grid, intervals
from intlmodels.share import observation
from intlmodels.share.observation import OUTCOME
from intlmodels.study import ShareStudy

if TYPE_CHECKING:
    from xarray import Dataset


def observed_data(study: ShareStudy, design: Design) -> Dataset:
    """Printed shares in percent."""
    import xarray as xr

    return xr.Dataset(
        {OUTCOME: ("firm", study.outcome.printed, {"units": "percent"})},
        coords={"firm": list(study.firms)},
    )


def constant_data(study: ShareStudy, design: Design) -> Dataset:
    """The design in numbers: what the estimands need instead of the model.

    ``design[firm, coefficient]`` holds the weights (NaN where a covariate is missing);
    ``setting_weights[setting, coefficient]`` what changes when one predictor is set to one
    level (NaN: as observed).
    """
    import xarray as xr

    blocks = design.blocks
    width = study.outcome.width
    lower, upper = intervals(study.outcome.printed, width)
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
    return xr.Dataset(
        {
            "lower": ("firm", lower, {"units": "share"}),
            "upper": ("firm", upper, {"units": "share"}),
            "printed_grid": ("grid", grid(width), {"units": "percent"}),
            "design": (
                ("firm", "coefficient"),
                np.zeros((len(study.firms), 0)) if matrix is None else matrix,
            ),
            "setting_weights": (("setting", "coefficient"), weights),
        },
        coords={
            "firm": list(study.firms),
            "coefficient": np.asarray(labels, dtype=object),
            "setting_predictor": ("setting", np.asarray([b.name for b, _ in settings], object)),
            "setting_level": (
                "setting",
                np.asarray([b.settings[i] for b, i in settings], object),
            ),
        },
        attrs={
            "blocks": json.dumps(described),
            "rounding_width": float(width),
            "outcome_label": study.outcome.label,
            "firm_label": study.firm_label,
        },
    )


def predictive(study: ShareStudy, design: Design, draws: Dataset, seed: int, step: int) -> Dataset:
    """Printed shares of the same firms, drawn anew from every draw of the parameters."""
    import xarray as xr

    mu = draws["mu"].to_numpy()
    with np.errstate(divide="ignore"):
        linear = np.log(mu) - np.log1p(-mu)
    parameters = {
        name: draws[name].to_numpy()[..., None] for name in observation.PARAMETERS[design.family]
    }
    printed = observation.simulate(
        design.family,
        linear,
        parameters,
        study.outcome.width,
        np.random.default_rng([seed, step]),
    )
    return xr.Dataset(
        {OUTCOME: (("chain", "draw", "firm"), printed, {"units": "percent"})},
        coords={name: draws[name] for name in ("chain", "draw", "firm")},
    )
