"""From draws of parameters to draws of what people ask about, in percentage points.

Everything is computed draw by draw from the stored tree.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.errors import StudyError
from intlmodels.share import observation
from intlmodels.share.coefficients import CHUNK, FINE, Array, Coefficients, moments

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import Dataset, DataTree

#: Predictors up to which the variation is split exactly (2^n subsets).
MOST_SOURCES = 8
#: Probabilities (draws by profiles by printed values) up to which every draw is used; beyond,
#: evenly spaced draws.
MOST_PROBABILITIES = 100_000_000
#: Draws that are kept of a register, however many probabilities that takes.
FEWEST_DRAWS = 1000


def estimate(tree: DataTree, group: str = "posterior") -> Dataset:
    """All estimands of a fit, draw by draw.

    Parameters
    ----------
    tree : xarray.DataTree
        As :func:`intlmodels.fit.fit` returns it.
    group : {"posterior", "prior"}
        Which draws of the parameters.

    Returns
    -------
    xarray.Dataset
        Dimensions chain and draw, and: ``expected_share`` (setting), the average expected
        printed share with one predictor set to one level and the others as observed;
        ``difference`` (comparison), between two levels of a predictor;
        ``firm_share`` (firm; not of a register); ``variation`` (source), each source's part of
        the variation between firms, in percent. Shares in percent, differences in percentage
        points.
        Of a further outcome of two labels the same of the probability of yes; of an ordered one
        of the average position of the level, counted from 0, in stages, and ``reached``
        (setting, stage_level), the probability of that level or one beyond it, in percent.
    """
    import xarray as xr

    coefficients = Coefficients(tree, group)
    constant = tree["constant_data"].to_dataset()
    weights = constant["setting_weights"].to_numpy()
    as_observed = np.full((1, weights.shape[1]), np.nan)
    rows, firm, profile = coefficients.profiles(np.concatenate([as_observed, weights]))
    values = 1 if coefficients.width <= FINE else len(coefficients.grid)
    asked = len(coefficients.intercept) * len(rows) * values
    step = max(1, math.ceil(asked / MOST_PROBABILITIES))
    if coefficients.rows is not None:  # many combinations: still enough draws for the gate
        step = min(step, max(1, len(coefficients.intercept) // FEWEST_DRAWS))
    coefficients = coefficients.thinned(step)

    def shape(values: Array) -> Array:
        return values.reshape(*coefficients.sizes, *values.shape[1:])

    linear = coefficients.linear(rows, firm)
    expected = coefficients.expected(linear)
    firm_share = expected[:, profile[0]]
    shares = np.stack([coefficients.mean(expected[:, row]) for row in profile], axis=-1)[:, 1:]
    coords, comparisons = _coordinates(constant, coefficients.blocks)
    above, below = np.array(comparisons, dtype=int).reshape(-1, 2).T
    differences = shares[:, above] - shares[:, below]
    sources, variation = variation_by_source(coefficients)
    coords |= {
        "chain": tree[group]["chain"].to_numpy(),
        "draw": tree[group]["draw"].to_numpy()[::step],
        "source": _labels(sources),
    }
    ordered = coefficients.family == "ordered"
    unit, points = ("stages", "stages") if ordered else ("percent", "percentage points")
    percent = {"units": "percent"}
    found: dict[str, tuple[tuple[str, ...], Array, dict[str, str]]] = {
        "average_share": ((), shape(coefficients.mean(firm_share)), {"units": unit}),
        "expected_share": (("setting",), shape(shares), {"units": unit}),
        "difference": (("comparison",), shape(differences), {"units": points}),
        "firm_share": (("firm",), shape(firm_share), {"units": unit}),
        "variation": (("source",), shape(variation), percent),
    }
    if coefficients.rows is not None:  # nobody asks for single firms of a register
        del found["firm_share"], coords["firm"]
    if ordered:
        coords["stage_level"] = _labels(json.loads(constant.attrs["outcome_levels"])[1:])
        each = coefficients.reached(linear)
        average = np.stack([each[:, row].mean(axis=1) for row in profile[1:]], axis=1)
        found["reached"] = (("setting", "stage_level"), shape(average), percent)
    return xr.Dataset(
        {name: (("chain", "draw", *dims), v, units) for name, (dims, v, units) in found.items()},
        coords,
        attrs={"units": f"{unit}; differences in {points}", "every": step},
    )


def _coordinates(
    constant: Dataset, blocks: list[dict[str, Any]]
) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """Labels of firms, settings and comparisons, and which two settings each compares."""
    predictors = constant["setting_predictor"].to_numpy().astype(str)
    levels = constant["setting_level"].to_numpy().astype(str)
    pairs = _comparisons(predictors, blocks)
    named = [f"{predictors[a]}: {levels[a]} - {levels[b]}" for a, b in pairs]
    return {
        "firm": constant["firm"].to_numpy(),
        "setting": _labels([f"{p}: {v}" for p, v in zip(predictors, levels, strict=True)]),
        "setting_predictor": ("setting", _labels(predictors)),
        "setting_level": ("setting", _labels(levels)),
        "comparison": _labels(named),
        "comparison_predictor": ("comparison", _labels([predictors[a] for a, _ in pairs])),
        "comparison_level": ("comparison", _labels([levels[a] for a, _ in pairs])),
        "comparison_against": ("comparison", _labels([levels[b] for _, b in pairs])),
    }, pairs


def _labels(values: Any) -> NDArray[np.object_]:
    return np.asarray(list(map(str, values)), dtype=object)


def _comparisons(
    predictors: NDArray[np.str_], blocks: list[dict[str, Any]]
) -> list[tuple[int, int]]:
    pairs = []
    for block in blocks:
        places = np.flatnonzero(predictors == block["name"])
        if block["kind"] == "numeric":
            pairs.append((int(places[-1]), int(places[0])))
        elif block["kind"] in ("contrast", "monotonic"):
            pairs += [(int(b), int(a)) for a, b in itertools.combinations(places, 2)]
        else:
            pairs += [(int(a), int(b)) for a, b in itertools.combinations(places, 2)]
    return pairs


def variation_by_source(coefficients: Coefficients) -> tuple[list[str], Array]:
    """Split the variation of shares between firms by its sources.

    The variance of the firms' mean shares is split between the predictors by Shapley values
    (Shorrocks 2013, Journal of Economic Inequality 11, 99-126): the average, over all orders,
    of what a predictor adds to the variance when it enters at its observed values rather than
    at its mean contribution. What the predictors leave is the average variance of a firm's
    share around its mean.

    Returns
    -------
    list of str
        Predictors, then ``not explained``. Empty with more than ``MOST_SOURCES`` predictors.
    array, shape (draw, source)
        In percent of the total; the parts sum to 100.
    """
    names = [block["name"] for block in coefficients.blocks]
    n = len(names)
    if n > MOST_SOURCES:
        return [], np.empty((len(coefficients.intercept), 0))
    parts = [coefficients.contribution(coefficients.place[name]) for name in names]
    means = [coefficients.mean(part)[:, None] for part in parts]
    level = coefficients.intercept[:, None] + sum(means)
    centred = [part - mean for part, mean in zip(parts, means, strict=True)]
    worth = {}
    for size in range(n + 1):
        for subset in itertools.combinations(range(n), size):
            linear = level + sum(centred[i] for i in subset)
            linear = np.broadcast_to(linear, (len(level), len(coefficients.design)))
            worth[subset] = coefficients.variance(moments(coefficients, linear)[0])
    explained = np.zeros((len(level), n))
    for i in range(n):
        for subset in worth:
            if i in subset:
                continue
            weight = math.factorial(len(subset)) * math.factorial(n - len(subset) - 1)
            gain = worth[tuple(sorted((*subset, i)))] - worth[subset]
            explained[:, i] += weight / math.factorial(n) * gain
    full = level + sum(centred) if n else np.broadcast_to(level, (len(level), 1))
    left = moments(coefficients, full)[1]
    left = coefficients.mean(left) if n else left[:, 0]
    total = worth[tuple(range(n))] + left
    shares = 100 * np.column_stack([explained, left]) / total[:, None]
    return [*names, "not explained"], shares


# -- new firms ---------------------------------------------------------------------------


def new_firms(
    tree: DataTree, profiles: list[Mapping[str, Any]], *, seed: int = 0, group: str = "posterior"
) -> Dataset:
    """Predict the printed share of firms that were not in the study.

    Parameters
    ----------
    tree : xarray.DataTree
        A fit.
    profiles : list of mapping
        Predictor -> level (or number, for a numeric covariate, in its printed unit). A
        predictor left out: for a categorical predictor a level drawn anew from the spread of
        its levels, for the others the average over the firms.
    seed : int
        For the new levels.
    group : {"posterior", "prior"}

    Returns
    -------
    xarray.Dataset
        ``probability`` (profile, grid): of each printed value; ``expected_share``
        (chain, draw, profile) in percent.

    Raises
    ------
    StudyError
        For an unknown predictor or level.
    """
    import xarray as xr

    coefficients = Coefficients(tree, group)
    rng = np.random.default_rng(seed)
    # One profile at a time: with all draws, a fine grid is large.
    predicted = [
        _predicted(coefficients, _profile(coefficients, profile, rng)) for profile in profiles
    ]
    probability = np.stack([p for p, _ in predicted])
    expected = np.stack([e for _, e in predicted], axis=-1)
    names = [describe_profile(profile) for profile in profiles]
    return xr.Dataset(
        {
            "probability": (("profile", "grid"), probability),
            "expected_share": (
                ("chain", "draw", "profile"),
                expected.reshape(*coefficients.sizes, -1),
            ),
        },
        coords={
            "profile": _labels(names),
            "grid": coefficients.grid,
            "chain": tree[group]["chain"].to_numpy(),
            "draw": tree[group]["draw"].to_numpy(),
        },
    )


def _predicted(coefficients: Coefficients, linear: Array) -> tuple[Array, Array]:
    """Probability of every printed value, and the expected printed share of every draw."""
    values = coefficients.grid
    total, expected = np.zeros(len(values)), np.empty(len(linear))
    for start in range(0, len(linear), CHUNK):
        part = slice(start, start + CHUNK)
        parameters = {name: value[part] for name, value in coefficients.parameters.items()}
        chance = observation.printed_probabilities(
            coefficients.family, linear[part], parameters, coefficients.width
        )
        total += chance.sum(axis=0)
        expected[part] = chance @ values
    return total / len(linear), expected


def describe_profile(profile: Mapping[str, Any]) -> str:
    """A profile in words: its levels, in the order given."""
    return ", ".join(str(value) for value in profile.values()) or "any firm"


def _profile(
    coefficients: Coefficients, profile: Mapping[str, Any], rng: np.random.Generator
) -> Array:
    known = {block["name"]: block for block in coefficients.blocks}
    for name in profile:
        if name not in known:
            raise StudyError(
                f"no predictor is called '{name}'; the predictors are {', '.join(known)}",
                value=name,
            )
    total = coefficients.intercept.copy()
    for name, block in known.items():
        columns = coefficients.place[name]
        draws = coefficients.values[:, columns]
        if name in profile:
            total += _set_level(block, draws, profile[name])
        elif name in coefficients.spread:
            total += rng.normal(size=len(total)) * coefficients.spread[name]
        else:
            total += coefficients.mean(coefficients.contribution(columns))
    return total


def _set_level(block: Mapping[str, Any], draws: Array, value: Any) -> Array:
    name, kind = block["name"], block["kind"]
    if kind == "numeric":
        try:
            number = float(value)
            number = math.log(number) if block["transform"] == "log" else number
        except ValueError as error:
            raise StudyError(f"'{name}' takes a number", value=str(value)) from error
        return draws[:, 0] * (number - block["center"]) / block["scale"]
    levels = block["settings"] if kind == "contrast" else block["levels"]
    if value not in levels:
        raise StudyError(
            f"'{name}' has no level '{value}'; the levels are {', '.join(levels)}",
            value=str(value),
        )
    if kind == "contrast":
        return draws[:, 0] * (levels.index(value) - 0.5)
    return draws[:, levels.index(value)]


# -- ranks -------------------------------------------------------------------------------


def rank_probabilities(estimands: Dataset, blocks: list[dict[str, Any]]) -> DataFrame:
    """Probability of each rank (1 = largest expected share) of each level of a predictor.

    Returns
    -------
    pandas.DataFrame
        ``predictor``, ``level``, ``rank``, ``probability``; for categorical predictors.
    """
    import pandas as pd

    rows = []
    predictors = estimands["setting_predictor"].to_numpy().astype(str)
    levels = estimands["setting_level"].to_numpy().astype(str)
    shares = estimands["expected_share"].to_numpy()
    for block in blocks:
        places = np.flatnonzero(predictors == block["name"])
        if block["kind"] in ("numeric", "contrast") or not len(places):
            continue
        ranks = (-shares[..., places]).argsort(axis=-1).argsort(axis=-1)
        for i, place in enumerate(places):
            for rank in range(len(places)):
                rows.append(
                    {
                        "predictor": block["name"],
                        "level": levels[place],
                        "rank": rank + 1,
                        "probability": float((ranks[..., i] == rank).mean()),
                    }
                )
    return pd.DataFrame(rows, columns=["predictor", "level", "rank", "probability"])
