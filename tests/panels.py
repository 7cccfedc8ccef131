"""A made-up panel of firm-years, and posteriors drawn at random for any design.

Nothing is read from files: predictors and groupings are put together by hand.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from intlmodels.core.rounding import grid, intervals
from intlmodels.models import design_of
from intlmodels.models.share import observation
from intlmodels.models.share.design import VARYING, Design
from intlmodels.models.share.inferencedata import constant_data
from intlmodels.studies import Grouping, Interaction, Panel, Predictor, load_study
from intlmodels.studies.share import ShareStudy
from studies import LEAST, write_study

#: What every numeric predictor of these studies is centred by, and divided by.
CENTER, SCALE = 3.0, 1.2


def numeric(name: str, values: Any, **more: Any) -> Predictor:
    """A numeric predictor that enters by its logarithm; values in its own unit."""
    texts = tuple(f"{value:.6g}" for value in values)
    own = {"transform": "log", "center": CENTER, "scale": SCALE, "unit": "dollars", **more}
    known = np.log(values) if own["transform"] == "log" else np.asarray(values, dtype=float)
    label = name.capitalize()
    return Predictor(name, "numeric", label, "rows.csv", name, texts, values=known, **own)


def contrast(name: str, yes: Any, levels: tuple[str, str] = ("home", "foreign")) -> Predictor:
    """A predictor with two levels."""
    texts = tuple(levels[int(value)] for value in yes)
    values = np.asarray(yes, dtype=float) - 0.5
    label = name.capitalize()
    return Predictor(name, "contrast", label, "rows.csv", name, texts, levels, values=values)


def category(name: str, codes: Any, levels: tuple[str, ...], kind: Any = "category") -> Predictor:
    """A predictor with levels."""
    texts = tuple(levels[code] for code in codes)
    codes = np.asarray(codes, dtype=np.intp)
    return Predictor(name, kind, name.capitalize(), "rows.csv", name, texts, levels, codes)


def grouping(name: str, codes: Any, **more: Any) -> Grouping:
    """A grouping of rows."""
    codes = np.asarray(codes, dtype=np.intp)
    labels = tuple(f"{name} {code:04d}" for code in range(codes.max() + 1))
    own = {"label": name.capitalize(), "file": "rows.csv", "column": name, "name": name, **more}
    return Grouping(labels, codes, **own)


def panel_study(
    folder: Path, firms: int = 12, years: int = 4, width: float = 5.0, **more: Any
) -> ShareStudy:
    """Firm-years with owner, size (quadratic), sector and year, and firm effects.

    ``width``: rounding width, 0 for rows that differ; ``more``: fields of the study to replace.
    """
    base = load_study(write_study(folder, toml=LEAST))
    assert isinstance(base, ShareStudy)
    rng = np.random.default_rng(5)
    firm = np.repeat(np.arange(firms), years)
    year = np.tile(np.arange(years), firms)
    rows = len(firm)
    printed = grid(width or 1.0)[rng.integers(0, len(grid(width or 1.0)), rows)]
    lower, upper = intervals(printed, width or 1.0)
    outcome = replace(
        base.outcome,
        width=width,
        printed=printed,
        lower=lower,
        upper=upper,
        widths=np.full(rows, width or 1.0),
    )
    unit = grouping("firm", firm, slopes=())
    periods = tuple(str(2000 + y) for y in range(years))
    fields: dict[str, Any] = {
        "firms": tuple(f"{unit.labels[f]}, {periods[y]}" for f, y in zip(firm, year, strict=True)),
        "outcome": outcome,
        "predictors": {
            "owner": contrast("owner", rng.integers(0, 2, firms)[firm]),
            "size": numeric("size", rng.lognormal(3, 1, rows), curve="quadratic"),
            "sector": category(
                "sector", rng.integers(0, 3, firms)[firm], ("Boats", "Tools", "Toys")
            ),
        },
        "interactions": {
            "owner_size": Interaction("owner_size", ("owner", "size"), "Owner by size"),
        },
        "panel": Panel(unit, "year", periods, year),
    }
    return replace(base, **{**fields, **more})


def random_draws(design: Design, shape: tuple[int, int] = (2, 20), seed: int = 1) -> xr.Dataset:
    """Draws of every parameter of a design, at random."""
    rng = np.random.default_rng(seed)
    data: dict[str, Any] = {}
    coords: dict[str, Any] = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}

    def add(name: str, *levels: tuple[str, Any], scale: float = 0.4) -> None:
        sizes = [len(own) for _, own in levels]
        coords.update({dim: list(own) for dim, own in levels})
        values = scale * rng.normal(size=(*shape, *sizes))
        data[name] = (("chain", "draw", *(dim for dim, _ in levels)), values)

    def spread(name: str) -> None:
        data[name] = (("chain", "draw"), rng.gamma(4, 0.1, size=shape))

    add("intercept")
    for block in (*design.blocks, *design.precision, *design.never):
        level = [(f"{block.name}_level", block.levels)] if block.levels else []
        add(block.variable, *level)
        if block.kind in (*VARYING, "walk"):
            spread(f"sigma_{block.name}")
        if block.kind == "monotonic":
            steps = rng.dirichlet(np.ones(len(block.levels) - 1), size=shape)
            coords[f"{block.name}_step"] = list(block.levels[1:])
            data[f"{block.name}_steps"] = (("chain", "draw", f"{block.name}_step"), steps)
    for own in design.groupings:
        groups = (f"{own.name}_level", own.labels)
        spread(f"sigma_{own.name}")
        add(own.name, groups)
        for block in design.slopes(own):
            spread(f"sigma_{block.by(own.name)}")
            levels = block.levels if block.kind != "monotonic" else ()
            add(block.by(own.name), groups, *([(f"{block.name}_level", levels)] if levels else []))
    usual = {"phi": 8.0, "never": 0.2, "sigma": 0.8, "cut_zero": -4.0, "cut_range": 6.0}
    for name in observation.PARAMETERS[design.family]:
        noise = np.exp(0.1 * rng.normal(size=shape))
        data[name] = (("chain", "draw"), usual[name] * noise)
    return xr.Dataset(data, coords)


def random_fit(
    study: ShareStudy,
    design: Design | None = None,
    shape: tuple[int, int] = (2, 20),
    **values: Any,
) -> xr.DataTree:
    """A fit with draws at random, without predictions; ``values`` replace draws of parameters."""
    design = design or design_of(study, "default")
    draws = random_draws(design, shape)
    for name, value in values.items():
        draws[name] = (draws[name].dims, np.broadcast_to(value, draws[name].shape).copy())
    tree = xr.DataTree.from_dict(
        {"posterior": draws, "prior": draws, "constant_data": constant_data(study, design)}
    )
    tree.attrs = {
        "model": "share",
        "family": design.family,
        "seed": 1,
        "variant": "default",
        "gate": "[]",
    }
    return tree
