"""From draws of the decay model to draws of what people ask about.

Everything is computed draw by draw from the stored tree.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.decay.tables import inverse_logit
from intlmodels.models.decaydesign import basis

if TYPE_CHECKING:
    from xarray import Dataset, DataTree

Array = NDArray[np.float64]

#: Prior entries up to which decay curves are shown.
MOST_ENTRIES = 15
#: Prior entries after which the fall of the probability is told: about as many as a firm has.
FALL_AFTER = 5


def estimate(tree: DataTree, group: str = "posterior") -> Dataset:
    """All estimands of a fit, draw by draw.

    Parameters
    ----------
    tree : xarray.DataTree
        As :func:`intlmodels.fit.fit` returns it.
    group : {"posterior", "prior"}
        Which draws.

    Returns
    -------
    xarray.Dataset
        Dimensions chain and draw, and: ``curve`` (size, entries), the probability of the flag
        in percent for a typical firm (firm effect 0; period effects averaged) with so many
        prior entries; ``fall`` (size), how many percentage points it falls from the first
        decision to the one after ``FALL_AFTER`` prior entries; ``halvings`` (size), by how
        many halvings the odds fall with a unit of experience; ``decay_difference``, the decay
        of large firms less that of the others; where the table is drawn, ``group_cell``
        (size, period, flag), decisions in the table, ``true_count`` (count), what each
        published count truly was, and ``repair_holds`` (repair), 1 where the true counts are those
        of that cheapest repair.
    """
    import xarray as xr

    draws = tree[group].to_dataset()
    constant = tree["constant_data"].to_dataset()
    family = str(tree.attrs["family"])
    values, coords = _curves(draws, family)
    if "table" in draws:
        more, named = _of_tables(draws, constant)
        values |= more
        coords |= named
    coords |= {"chain": draws["chain"].to_numpy(), "draw": draws["draw"].to_numpy()}
    return xr.Dataset(
        {name: (("chain", "draw", *dims), value) for name, (dims, value) in values.items()},
        coords,
        attrs={"units": "curve in percent, fall in percentage points, cells in decisions"},
    )


def _curves(draws: Dataset, family: str) -> tuple[dict[str, Any], dict[str, Any]]:
    sizes = [str(size) for size in draws["size"].to_numpy()]
    entries = np.arange(MOST_ENTRIES + 1)
    level = draws["intercept"].to_numpy()
    if "period" in draws:
        level = level + draws["period"].mean("period_level").to_numpy()
    decay = draws["decay"].transpose("chain", "draw", "size").to_numpy()
    starts = np.stack(
        [level + draws["large"].to_numpy() if size == "large" else level for size in sizes], axis=-1
    )
    steps = basis(family, entries)  # type: ignore[arg-type]
    curve = 100 * inverse_logit(starts[..., None] - decay[..., None] * steps)
    values: dict[str, Any] = {
        "curve": (("size", "entries"), curve),
        "fall": (("size",), curve[..., 0] - curve[..., FALL_AFTER]),
        "halvings": (("size",), decay / math.log(2)),
    }
    if len(sizes) == 2:
        values["decay_difference"] = ((), decay[..., 0] - decay[..., 1])
    return values, {"size": np.asarray(sizes, dtype=object), "entries": entries}


def _of_tables(draws: Dataset, constant: Dataset) -> tuple[dict[str, Any], dict[str, Any]]:
    table = draws["table"].transpose("chain", "draw", ...).to_numpy()
    size = constant["size_of_firm"].to_numpy()
    names = [str(name) for name in constant["size"].to_numpy()]
    cells = np.stack([table[:, :, size == i].sum(axis=2) for i in range(len(names))], axis=2)
    member = constant["member"].to_numpy().astype(np.int64)
    count = member.shape[0]
    flat = table.reshape(*table.shape[:2], -1).astype(np.int64)
    true = flat @ member.reshape(count, -1).T
    values: dict[str, Any] = {
        "group_cell": (("size", "period_level", "flag"), cells.astype(float)),
        "true_count": (("count",), true.astype(float)),
    }
    coords: dict[str, Any] = {
        "period_level": constant["period_level"].to_numpy(),
        "flag": constant["flag"].to_numpy(),
        "count": constant["count"].to_numpy(),
    }
    repairs = json.loads(constant.attrs["repairs"])
    if repairs:
        values["repair_holds"] = (("repair",), _agreement(true, constant, repairs))
        coords["repair"] = np.asarray([in_words(changes) for changes in repairs], dtype=object)
    return values, coords


def _agreement(true: NDArray[np.int64], constant: Dataset, repairs: list[dict[str, int]]) -> Array:
    """1 where every true count is what a repair says, and as printed otherwise."""
    ids = [str(name) for name in constant["count_id"].to_numpy()]
    relation = constant["relation"].to_numpy()
    agree = []
    for changes in repairs:
        wanted = constant["printed"].to_numpy().copy()
        for name, value in changes.items():
            wanted[[row for row, owner in enumerate(ids) if owner == name]] = value
        off = true - wanted
        held = np.choose(relation, [off == 0, off >= 0, off <= 0])
        agree.append(held.all(axis=-1).astype(float))
    return np.stack(agree, axis=-1)


def in_words(changes: dict[str, int]) -> str:
    """A repair as a label: ``M33 = 6, M36 = 6``."""
    return ", ".join(f"{name} = {value}" for name, value in changes.items())
