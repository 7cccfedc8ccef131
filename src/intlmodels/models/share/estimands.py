"""From draws of parameters to draws of what people ask about, in percentage points.

Everything is computed draw by draw from the stored tree.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError, listed
from intlmodels.models.share.coefficients import CHUNK, FINE, Array, Coefficients, moments
from intlmodels.models.share.design import CLUSTER, MOST_CLUSTERS

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import Dataset, DataTree


#: Probabilities (draws by profiles by printed values) up to which every draw is used; beyond,
#: evenly spaced draws.
MOST_PROBABILITIES = 100_000_000
#: Draws that are kept of a register or of clusters, however many probabilities that takes.
FEWEST_DRAWS = 1000


@dataclass(frozen=True)
class Averages:
    """Averages of expected printed shares under several changes."""

    firm: Array  #: (draw, firm), of each under the first change; of a register without firms
    shares: Array  #: (draw, change), over all firms
    #: (draw, cluster, change), over the firms of each; without clusters all firms are one.
    by_cluster: Array
    #: (draw, change, level), of an ordered outcome: see :meth:`Coefficients.reached`.
    reached: Array | None


def averages(coefficients: Coefficients, changes: Array) -> Averages:
    """Average expected printed share under each of several changes, draw by draw.

    ``changes`` (change, coefficient): weights to use instead of the observed ones; NaN leaves them
    as observed.
    """
    count, size = len(coefficients.intercept), len(coefficients.design)
    firm_share = np.empty((count, size if coefficients.rows is None else 0))
    parts, levels = [], []
    weights: list[float] = []
    for cluster, firms in coefficients.groups():
        rows, firm, profile = coefficients.profiles(changes, firms)
        linear = coefficients.linear(rows, firm, cluster)
        expected = coefficients.expected(linear)
        if coefficients.rows is None:
            firm_share[:, firms] = expected[:, profile[0]]
        parts.append(
            np.stack([coefficients.mean(expected[:, row], firms) for row in profile], axis=-1)
        )
        if coefficients.family == "ordered":
            each = coefficients.reached(linear)
            levels.append(np.stack([each[:, row].mean(axis=1) for row in profile], axis=1))
        counts = coefficients.rows
        weights.append(float(len(firms) if counts is None else counts[firms].sum()))
    return Averages(
        firm_share,
        _together(parts, weights),
        np.stack(parts, axis=1),
        _together(levels, weights) if levels else None,
    )


def moved(coefficients: Coefficients) -> tuple[Array, Array | None]:
    """Average expected share if all firms were in one cluster, whatever else they are.

    Returns shares (draw, cluster), and what is reached (draw, cluster, level) or None.
    """
    assert coefficients.clusters is not None
    as_observed = np.full((1, coefficients.design.shape[1]), np.nan)
    rows, firm, profile = coefficients.profiles(as_observed)
    shares, reached = [], []
    for cluster in range(len(coefficients.clusters.labels)):
        linear = coefficients.linear(rows, firm, cluster)
        shares.append(coefficients.mean(coefficients.expected(linear)[:, profile[0]]))
        if coefficients.family == "ordered":
            reached.append(coefficients.reached(linear)[:, profile[0]].mean(axis=1))
    return np.stack(shares, axis=-1), np.stack(reached, axis=1) if reached else None


def step_for(coefficients: Coefficients, changes: Array, moves: int = 0) -> int:
    """How many draws to go on at a time, so that the work stays within bounds.

    ``changes`` (change, coefficient): for :func:`averages`; ``moves``: clusters for :func:`moved`.
    """
    values = 1 if coefficients.width <= FINE else len(coefficients.grid)
    rows = sum(len(coefficients.profiles(changes, firms)[0]) for _, firms in coefficients.groups())
    rows += moves * len(coefficients.design)
    count = len(coefficients.intercept)
    step = max(1, math.ceil(count * rows * values / MOST_PROBABILITIES))
    if coefficients.rows is None and coefficients.clusters is None:
        return step
    # Many profiles: still enough draws for the gate.
    return min(step, max(1, count // FEWEST_DRAWS))


def _together(parts: list[Array], weights: list[float]) -> Array:
    """Averages of clusters, averaged as the firms are distributed over them."""
    if len(parts) == 1:
        return parts[0]
    total = np.zeros_like(parts[0])
    for part, weight in zip(parts, weights, strict=True):
        total += weight / sum(weights) * part
    return total


# -- how the variation of shares between firms is split between its sources ------------

#: Predictors up to which the variation is split exactly (2^n subsets).
MOST_SOURCES = 8
#: Draws by firms that are split at a time.
MOST_CELLS = 4_000_000


def variation_by_source(coefficients: Coefficients) -> tuple[list[str], Array]:
    """Split the variation of shares between firms by its sources.

    The variance of the firms' mean shares is split between the predictors by Shapley values
    (Shorrocks 2013, Journal of Economic Inequality 11, 99-126): the average, over all orders,
    of what a predictor adds to the variance when it enters at its observed values rather than
    at its mean contribution. What the predictors leave is the average variance of a firm's
    share around its mean.

    Of a study with clusters their levels are one more source; what a cluster adds to an effect
    belongs to its predictor.

    Returns predictors, clusters, then ``not explained``. Empty with more than ``MOST_SOURCES``;
    (draw, source): in percent of the total; the parts sum to 100.
    """
    names = [block["name"] for block in coefficients.blocks]
    names += [CLUSTER] if coefficients.clusters is not None else []
    count = len(coefficients.intercept)
    if len(names) > MOST_SOURCES:
        return [], np.empty((count, 0))
    size = max(1, MOST_CELLS // len(coefficients.design))
    if count <= size:
        return [*names, "not explained"], _variation(coefficients, names)
    found = [
        _variation(coefficients.at(np.arange(start, min(start + size, count))), names)
        for start in range(0, count, size)
    ]
    return [*names, "not explained"], np.concatenate(found)


def _variation(coefficients: Coefficients, names: list[str]) -> Array:
    """Each source's part, in percent, (draw, source)."""
    n = len(names)
    parts = [
        coefficients.contribution(coefficients.place[block["name"]])
        for block in coefficients.blocks
    ]
    if coefficients.clusters is not None:
        parts.append(coefficients.clusters.level[:, coefficients.clusters.codes])
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
    return 100 * np.column_stack([explained, left]) / total[:, None]


# -- from draws of parameters to draws of what people ask about ------------------------


def estimate(tree: DataTree, group: str = "posterior") -> Dataset:
    """All estimands of a fit, draw by draw, from its posterior or prior.

    Dimensions chain and draw, and: ``expected_share`` (setting), the average expected printed share
    with one predictor set to one level and the others as observed; ``difference`` (comparison),
    between two levels of a predictor; ``firm_share`` (firm; not of a register); ``variation``
    (source), each source's part of the variation between firms, in percent. Shares in percent,
    differences in percentage points.

    Of a study with clusters a firm is taken with the level and the effects of its own, and up to
    ``MOST_CLUSTERS`` clusters are settings as well: all firms moved to one. Besides
    ``cluster_share`` (cluster_level), the average over the cluster's own firms as observed, and
    ``cluster_difference`` (cluster_level, within), the difference over its own firms.

    Of a further outcome of two labels the same of the probability of yes; of an ordered one of the
    average position of the level, counted from 0, in stages, and ``reached`` (setting,
    stage_level), the probability of that level or one beyond it, in percent.
    """
    import xarray as xr

    coefficients = Coefficients(tree, group)
    constant = tree["constant_data"].to_dataset()
    weights = constant["setting_weights"].to_numpy()
    changes = np.concatenate([np.full((1, weights.shape[1]), np.nan), weights])
    moves = compared_clusters(constant)
    step = step_for(coefficients, changes, len(moves))
    coefficients = coefficients.thinned(step)

    def shape(values: Array) -> Array:
        return values.reshape(*coefficients.sizes, *values.shape[1:])

    average = averages(coefficients, changes)
    shares, reached = average.shares[:, 1:], average.reached
    if moves:
        own, own_reached = moved(coefficients)
        shares = np.concatenate([shares, own], axis=1)
        if reached is not None and own_reached is not None:
            reached = np.concatenate([reached, own_reached], axis=1)
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
        "average_share": ((), shape(average.shares[:, 0]), {"units": unit}),
        "expected_share": (("setting",), shape(shares), {"units": unit}),
        "difference": (("comparison",), shape(differences), {"units": points}),
        "firm_share": (("firm",), shape(average.firm), {"units": unit}),
        "variation": (("source",), shape(variation), percent),
    }
    if coefficients.rows is not None:  # nobody asks for single firms of a register
        del found["firm_share"], coords["firm"]
    if reached is not None:
        coords["stage_level"] = _labels(json.loads(constant.attrs["outcome_levels"])[1:])
        found["reached"] = (("setting", "stage_level"), shape(reached[:, 1:]), percent)
    if coefficients.clusters is not None:
        above, below, labels = _within(constant, coefficients.blocks)
        coords |= labels
        each = average.by_cluster[..., 1:]
        off = each[..., above] - each[..., below]
        by = f"{CLUSTER}_level"
        found[f"{CLUSTER}_share"] = ((by,), shape(average.by_cluster[..., 0]), {"units": unit})
        found[f"{CLUSTER}_difference"] = ((by, "within"), shape(off), {"units": points})
    return xr.Dataset(
        {name: (("chain", "draw", *dims), v, units) for name, (dims, v, units) in found.items()},
        coords,
        attrs={"units": f"{unit}; differences in {points}", "every": step},
    )


def compared_clusters(constant: Dataset) -> list[str]:
    """Names of the clusters, if they are set beside each other one by one."""
    if f"{CLUSTER}_level" not in constant or constant.sizes[f"{CLUSTER}_level"] > MOST_CLUSTERS:
        return []
    return [str(label) for label in constant[f"{CLUSTER}_level"].to_numpy()]


def _coordinates(
    constant: Dataset, blocks: list[dict[str, Any]]
) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """Labels of firms, settings and comparisons, and which two settings each compares.

    Clusters come last, as one more predictor.
    """
    moves = compared_clusters(constant)
    predictors, levels = _settings(constant)
    pairs = _comparisons(predictors, blocks)
    count = len(predictors)
    pairs += list(itertools.combinations(range(count, count + len(moves)), 2))
    predictors = np.concatenate([predictors, np.full(len(moves), CLUSTER)])
    levels = np.concatenate([levels, np.array(moves, dtype=str)])
    return {
        "firm": constant["firm"].to_numpy(),
        "setting": _labels([f"{p}: {v}" for p, v in zip(predictors, levels, strict=True)]),
        "setting_predictor": ("setting", _labels(predictors)),
        "setting_level": ("setting", _labels(levels)),
        **_compared("comparison", predictors, levels, pairs),
    }, pairs


def _settings(constant: Dataset) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    predictors = constant["setting_predictor"].to_numpy().astype(str)
    return predictors, constant["setting_level"].to_numpy().astype(str)


def _compared(
    dim: str, predictors: NDArray[np.str_], levels: NDArray[np.str_], pairs: list[tuple[int, int]]
) -> dict[str, Any]:
    """Labels of pairs of settings, along a dimension."""
    named = [f"{predictors[a]}: {levels[a]} - {levels[b]}" for a, b in pairs]
    return {
        dim: _labels(named),
        f"{dim}_predictor": (dim, _labels([predictors[a] for a, _ in pairs])),
        f"{dim}_level": (dim, _labels([levels[a] for a, _ in pairs])),
        f"{dim}_against": (dim, _labels([levels[b] for _, b in pairs])),
    }


def _within(constant: Dataset, blocks: list[dict[str, Any]]) -> tuple[Any, Any, dict[str, Any]]:
    """Settings that are compared within each cluster: above, below, and coordinates."""
    predictors, levels = _settings(constant)
    if not compared_clusters(constant):
        # A difference for each pair of levels in each of very many clusters is no table.
        blocks = [block for block in blocks if block["kind"] in ("contrast", "numeric")]
    pairs = _comparisons(predictors, blocks)
    coords = {
        f"{CLUSTER}_level": constant[f"{CLUSTER}_level"].to_numpy(),
        **_compared("within", predictors, levels, pairs),
    }
    return [a for a, _ in pairs], [b for _, b in pairs], coords


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
            continue
        upwards = block["kind"] in ("contrast", "monotonic")
        for one, other in itertools.combinations(map(int, places), 2):
            pairs.append((other, one) if upwards else (one, other))
    return pairs


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
        For new levels and new clusters.
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
        chance = coefficients.chances(linear[part], part)
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
    clusters = coefficients.clusters
    names = [*known, *([] if clusters is None else [CLUSTER])]
    for name in profile:
        if name not in names:
            raise StudyError(
                f"no predictor is called '{name}'; the predictors are {', '.join(names)}",
                value=name,
            )
    total, values = _of_its_cluster(coefficients, profile, rng)
    for number, (name, block) in enumerate(known.items()):
        columns = coefficients.place[name]
        if name in profile:
            total += _set_level(block, values[:, columns], profile[name])
        elif name in coefficients.spread:
            total += rng.normal(size=len(total)) * coefficients.spread[name]
            if clusters is not None:
                total += clusters.of_new_level(number, rng)
        else:
            total += coefficients.mean(coefficients.added(values, columns))
    return total


def _of_its_cluster(
    coefficients: Coefficients, profile: Mapping[str, Any], rng: np.random.Generator
) -> tuple[Array, Array]:
    """Intercept and coefficients of the cluster of a new firm; of a new one where none is named."""
    clusters = coefficients.clusters
    if clusters is None:
        return coefficients.intercept.copy(), coefficients.values
    if CLUSTER not in profile:
        level, own = clusters.of_new(rng)
        return coefficients.intercept + level, coefficients.values + own
    if profile[CLUSTER] not in clusters.labels:
        raise StudyError(
            f"no cluster is called '{profile[CLUSTER]}'; the clusters are "
            f"{listed(clusters.labels)}",
            value=str(profile[CLUSTER]),
        )
    return coefficients.in_cluster(clusters.labels.index(profile[CLUSTER]))


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

    Columns are ``predictor``, ``level``, ``rank``, ``probability``; for categorical predictors.
    """
    import pandas as pd

    rows = []
    predictors, levels = _settings(estimands)
    shares = estimands["expected_share"].to_numpy()
    for block in blocks:
        places = np.flatnonzero(predictors == block["name"])
        if block["kind"] in ("numeric", "contrast") or not len(places):
            continue
        ranks = (-shares[..., places]).argsort(axis=-1).argsort(axis=-1)
        for i, place in enumerate(places):
            for rank in range(len(places)):
                chance = float((ranks[..., i] == rank).mean())
                rows.append((block["name"], levels[place], rank + 1, chance))
    return pd.DataFrame(rows, columns=["predictor", "level", "rank", "probability"])
