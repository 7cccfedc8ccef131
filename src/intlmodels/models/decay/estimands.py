"""From draws of the decay model to draws of what people ask about.

Everything is computed draw by draw from the stored tree.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.models.base import flat
from intlmodels.models.decay import inferencedata
from intlmodels.models.decay.aggregated import NUMPY, Counts, classes, counts_for, integrals
from intlmodels.models.decay.design import Design, basis
from intlmodels.models.decay.inferencedata import OFFSETS, inverse_logit
from intlmodels.studies import DecayStudy, SequenceStudy

if TYPE_CHECKING:
    from xarray import Dataset, DataTree


Array = NDArray[np.float64]

#: Prior entries up to which decay curves are shown.
MOST_ENTRIES = 15
#: Prior entries after which the fall of the probability is told: about as many as a firm has.
FALL_AFTER = 5


def estimate(tree: DataTree, group: str = "posterior") -> Dataset:
    """All estimands of a fit, draw by draw, of its posterior or its prior.

    ``curve`` (size, entries): the probability of the flag in percent for a typical firm (firm
    effect 0; period effects averaged) with so many prior entries; ``fall`` (size): how many
    percentage points it falls from the first decision to the one after ``FALL_AFTER`` prior
    entries; ``halvings`` (size): by how many halvings the odds fall with a unit of experience;
    ``decay_difference``: the decay of large firms less that of the others, and where there are more
    than two sizes (size_pair), that of each size less that of each smaller one. Where the table is
    drawn, ``group_cell`` (size, period, flag): decisions in the table; ``true_count`` (count): what
    each published count truly was; ``repair_holds`` (repair): 1 where the true counts are those of
    that cheapest repair.
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
    starts = np.stack([level] * len(sizes), axis=-1)
    if len(sizes) > 1:
        offsets = draws[OFFSETS[len(sizes) > 2]].transpose("chain", "draw", ...).to_numpy()
        starts[..., :-1] += offsets.reshape(*level.shape, -1)
    steps = basis(family, entries)  # type: ignore[arg-type]
    curve = 100 * inverse_logit(starts[..., None] - decay[..., None] * steps)
    values: dict[str, Any] = {
        "curve": (("size", "entries"), curve),
        "fall": (("size",), curve[..., 0] - curve[..., FALL_AFTER]),
        "halvings": (("size",), decay / math.log(2)),
    }
    coords = {"size": np.asarray(sizes, dtype=object), "entries": entries}
    pairs = list(combinations(range(len(sizes)), 2))
    each = [decay[..., one] - decay[..., other] for one, other in pairs]
    if len(sizes) == 2:
        values["decay_difference"] = ((), each[0])
    elif pairs:
        values["decay_difference"] = (("size_pair",), np.stack(each, axis=-1))
        coords["size_pair"] = np.asarray(pairs_of(sizes), dtype=object)
    return values, coords


def pairs_of(sizes: Sequence[str]) -> list[str]:
    """Each size and each smaller one, as a difference is called: ``large - other``."""
    return [f"{one} - {other}" for one, other in combinations(sizes, 2)]


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


# -- a register: what it holds, and flags predicted for it -----------------------------

#: Registers that are predicted.
MOST_PREDICTED = 200
#: Nodes for the chance of a flag: it is smooth, and no sequences are multiplied.
_NODES = 361
#: Modes that integrands of firms without, or with nothing but flags have at most.
_MODES = np.array([-8.0, 8.0])


def chances(design: Design, parameters: Mapping[str, Any], places: Mapping[str, Any]) -> Array:
    """Chance of the flag at places of sequences, averaged over firms, (place,).

    ``parameters``: as :func:`intlmodels.models.decay.aggregated.log_likelihood` takes them;
    ``places``: ``size``, ``period`` and ``entries`` of each.
    """
    at = parameters["level"][places["size"]]
    at = at - parameters["decay"][places["size"]] * basis(design.family, places["entries"])
    if design.by_period:
        at = at + parameters["period"][places["period"]]
    spread = float(parameters["sigma"])
    # Steps small beside the firms' spread, and reaching as far as it does.
    nodes = np.linspace(-9.0, 9.0, max(_NODES, int(60 * spread) + 1))
    weight = np.exp(-0.5 * nodes**2)
    each = 1 / (1 + np.exp(-np.clip(at[:, None] + spread * nodes, -700, 700)))
    return np.clip(each @ weight / weight.sum(), 0, 1)  # sums may miss one by rounding


def merged(study: SequenceStudy, design: Design) -> dict[str, NDArray[np.int64]]:
    """Places of decisions as a design tells them apart, with how many there are, and flags."""
    counted = study.sequences
    size = counted.at_size if design.by_size else np.zeros_like(counted.at_size)
    period = counted.at_period if design.by_period else np.zeros_like(counted.at_period)
    keys, inverse = np.unique(
        np.column_stack([size, period, counted.at_entries]), axis=0, return_inverse=True
    )
    where = inverse.reshape(-1)
    return {
        "size": keys[:, 0],
        "period": keys[:, 1],
        "entries": keys[:, 2],
        "made": np.bincount(where, counted.at_made).astype(np.int64),
        "flagged": np.bincount(where, counted.at_flagged).astype(np.int64),
    }


def points_of(draws: Dataset, design: Design, most: int) -> list[dict[str, Any]]:
    """Parameters of some draws, as :func:`.aggregated.log_likelihood` takes them."""
    names = ("intercept", *OFFSETS, "sigma_firm", "decay", "period")
    known = {name: flat(draws[name]) for name in names if name in draws}
    total = len(known["intercept"])
    pick = np.unique(np.linspace(0, total - 1, min(total, most)).astype(int))
    points = []
    for i in pick:
        level = np.full(len(design.sizes), known["intercept"][i])
        if design.by_size:
            level[:-1] += known[design.offset][i]
        points.append(
            {
                "level": level,
                "decay": known["decay"][i],
                "sigma": float(known["sigma_firm"][i]),
                "period": known["period"][i] if design.by_period else None,
            }
        )
    return points


def predictive(study: DecayStudy, design: Design, draws: Dataset, seed: int, step: int) -> Dataset:
    """Printed counts, flags of decisions, or registers drawn anew.

    Of registers one chain: ``flags`` (place), ``never`` and ``always`` (size), firms with two
    decisions or more of which none, or each, carries the flag.
    """
    import xarray as xr

    if not isinstance(study, SequenceStudy):
        return inferencedata.predictive(study, design, draws, seed, step)
    rng = np.random.default_rng([seed, step])
    places = merged(study, design)
    kinds = repeated(counts_for(study.sequences, design))
    points = points_of(draws, design, MOST_PREDICTED)
    flags = [rng.binomial(places["made"], chances(design, point, places)) for point in points]
    ends: dict[str, list[Any]] = {"never": [], "always": []}
    for point in points:
        for name, chance in _ends(kinds, design, point).items():
            drawn = rng.binomial(kinds.firms.astype(np.int64), np.clip(chance, 0, 1))
            ends[name].append(np.bincount(kinds.size, drawn, len(design.sizes)))
    dims = ("chain", "draw", "size")
    return xr.Dataset(
        {
            "flags": (("chain", "draw", "place"), np.array(flags)[None]),
            **{name: (dims, np.array(found)[None]) for name, found in ends.items()},
        },
        coords={
            "chain": [0],
            "draw": np.arange(len(points)),
            "size": np.asarray(design.sizes, dtype=object),
        },
    )


def repeated(counts: Counts) -> Counts:
    """Firms with two decisions or more, by size and decisions in each period."""
    several = counts.made.sum(axis=1) > 1
    keys, inverse = np.unique(
        np.column_stack([counts.size, counts.made])[several], axis=0, return_inverse=True
    )
    firms = np.bincount(inverse.reshape(-1), counts.firms[several], len(keys))
    return replace(
        counts, size=keys[:, 0], made=keys[:, 1:], flagged=np.zeros(len(keys), int), firms=firms
    )


def ends_seen(counts: Counts, sizes: int) -> dict[str, NDArray[np.int64]]:
    """Firms with two decisions or more of which none, or each, carries the flag, by size."""
    length = counts.made.sum(axis=1)
    found = {"never": counts.flagged == 0, "always": counts.flagged == length}
    return {
        name: np.bincount(counts.size, counts.firms * (where & (length > 1)), sizes).astype(int)
        for name, where in found.items()
    }


def _ends(kinds: Counts, design: Design, point: Mapping[str, Any]) -> dict[str, Array]:
    """Chance that a firm never, and that it always, carries the flag, by kind of firm."""
    length = kinds.made.sum(axis=1)
    if not len(length):
        return {"never": np.zeros(0), "always": np.zeros(0)}
    steps = np.cumsum(basis(design.family, np.arange(length.max())))[length - 1]
    fixed = length * point["level"][kinds.size] - point["decay"][kinds.size] * steps
    if design.by_period:
        fixed = fixed + kinds.made @ point["period"]
    found = {}
    for name, flagged, more in (("never", 0 * length, 0.0), ("always", length, fixed)):
        counts = replace(kinds, flagged=flagged)
        values = np.empty(len(length))
        for part in classes(counts, max(point["sigma"], 0.1), _MODES):
            values[part.cells] = integrals(counts, part, design, point, NUMPY)
        found[name] = np.exp(values + more)
    return found


def observed_data(study: DecayStudy, design: Design) -> Dataset:
    """Printed counts, flags of decisions; of a register flags by place and :func:`ends_seen`."""
    import xarray as xr

    if not isinstance(study, SequenceStudy):
        return inferencedata.observed_data(study, design)

    ends = ends_seen(counts_for(study.sequences, design), len(design.sizes))
    return xr.Dataset(
        {
            "flags": ("place", merged(study, design)["flagged"]),
            **{name: ("size", found) for name, found in ends.items()},
        },
        coords={"size": np.asarray(design.sizes, dtype=object)},
    )


def constant_data(study: DecayStudy, design: Design) -> Dataset:
    """Firms, periods and counts, or decisions at each place of a register and its firms."""
    import xarray as xr

    if not isinstance(study, SequenceStudy):
        return inferencedata.constant_data(study, design)

    places = merged(study, design)
    counts = counts_for(study.sequences, design)
    several = counts.made.sum(axis=1) > 1
    sizes = len(design.sizes)
    return xr.Dataset(
        {
            **{
                f"{name}_at": ("place", places[name])
                for name in ("made", "size", "period", "entries")
            },
            "firms": ("size", np.bincount(counts.size, counts.firms, sizes)),
            "repeated": ("size", np.bincount(counts.size, counts.firms * several, sizes)),
        },
        coords={"size": np.asarray(design.sizes, dtype=object)},
        attrs={name: getattr(study, name) for name in inferencedata.WORDS},
    )
