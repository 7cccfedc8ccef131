"""Flags predicted for a register, by place and by what its firms did, from draws of a fit.

Given the parameters firms are independent, and a firm has at most one decision at each place: the
number of flags at a place is binomial, with the chance averaged over the firms' effects; so is the
number of firms of a kind that never, or always, carry the flag. No firm needs to be drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.draws import flat
from intlmodels.models.decaydesign import Design, basis
from intlmodels.sequences.likelihood import NUMPY, Counts, classes, counts_for, integrals
from intlmodels.study import SequenceStudy

if TYPE_CHECKING:
    from xarray import Dataset

Array = NDArray[np.float64]

#: Registers that are predicted.
MOST_PREDICTED = 200
#: Nodes for the chance of a flag: it is smooth, and no sequences are multiplied.
_NODES = 361
#: Modes that integrands of firms without, or with nothing but flags have at most.
_MODES = np.array([-8.0, 8.0])


def chances(design: Design, parameters: Mapping[str, Any], places: Mapping[str, Any]) -> Array:
    """Chance of the flag at places of sequences, averaged over firms, (place,).

    Parameters
    ----------
    design : Design
    parameters : mapping
        As :func:`intlmodels.sequences.likelihood.log_likelihood` takes them.
    places : mapping of str to array
        ``size``, ``period`` and ``entries`` of each.
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
    size = counted.at_size if design.two_sizes else np.zeros_like(counted.at_size)
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
    """Parameters of some draws, as :func:`~intlmodels.sequences.likelihood.log_likelihood` asks."""
    names = ("intercept", "large", "sigma_firm", "decay", "period")
    known = {name: flat(draws[name]) for name in names if name in draws}
    total = len(known["intercept"])
    pick = np.unique(np.linspace(0, total - 1, min(total, most)).astype(int))
    points = []
    for i in pick:
        level = np.full(len(design.sizes), known["intercept"][i])
        if design.two_sizes:
            level[0] += known["large"][i]
        points.append(
            {
                "level": level,
                "decay": known["decay"][i],
                "sigma": float(known["sigma_firm"][i]),
                "period": known["period"][i] if design.by_period else None,
            }
        )
    return points


def predictive(study: SequenceStudy, design: Design, draws: Dataset, seed: list[int]) -> Dataset:
    """Registers drawn anew: flags at each place, and firms without a flag or with nothing else.

    Parameters
    ----------
    study : SequenceStudy
    design : Design
    draws : xarray.Dataset
        Of the parameters.
    seed : list of int

    Returns
    -------
    xarray.Dataset
        One chain: ``flags`` (place), ``never`` and ``always`` (size), firms with two decisions or
        more of which none, or each, carries the flag.
    """
    import xarray as xr

    rng = np.random.default_rng(seed)
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
