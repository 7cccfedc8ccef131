"""From draws of parameters to draws of what people ask about, in percentage points.

Everything is computed draw by draw from the stored tree.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError, listed
from intlmodels.core.formats import plural
from intlmodels.models.base import DEFAULT
from intlmodels.models.share.coefficients import (
    CHUNK,
    FINE,
    FINEST_SHOWN,
    MOST_HELD,
    Array,
    Change,
    Coefficients,
    GroupEffects,
    changed,
    groupings_of,
    means_by_group,
    moments,
)
from intlmodels.models.share.design import CLUSTER, FIRM, MOST_CLUSTERS, spline_basis
from intlmodels.models.share.observation import inverse_logit, simulate_within
from intlmodels.studies import Total

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataArray, Dataset, DataTree


#: Probabilities (draws by profiles by printed values) up to which every draw is used; beyond,
#: evenly spaced draws.
MOST_PROBABILITIES = 100_000_000
#: Draws that are kept of a register, of groups or of many rows, however much work that takes.
FEWEST_DRAWS = 1000
#: Draws by rows by changes up to which every draw is used where rows are gone through one by one.
MOST_SHARES = 300_000_000
#: Draws by rows that are held at a time.
MOST_CELLS = 4_000_000
#: Draws by rows up to which the expected shares of the rows of a panel are stored one by one.
MOST_STORED = 2_000_000
#: The same from which shares are stored with half the digits.
MANY_STORED = 5_000_000


@dataclass(frozen=True)
class Averages:
    """Averages of expected printed shares under several changes."""

    #: (draw, firm), of each under the first change; without firms of a register, or if not asked.
    firm: Array
    shares: Array  #: (draw, change), over all firms
    #: (draw, cluster, change), over the firms of each; without clusters all firms are one.
    by_cluster: Array
    #: (draw, change, level), of an ordered outcome: see :meth:`Coefficients.reached`.
    reached: Array | None
    #: Grouping -> averages over the own rows of each group, as observed, (draw, group).
    by_group: dict[str, Array] = field(default_factory=dict)
    #: With structural zeros: percent of rows that are none, and their share, (draw, change).
    abroad: Array | None = None
    if_abroad: Array | None = None


def averages(coefficients: Coefficients, changes: Array) -> Averages:
    """Average expected reported share under each of several changes, draw by draw.

    ``changes`` (change, coefficient): weights to use instead of the observed ones; NaN leaves them
    as observed.
    """
    if not few(coefficients, len(changes)):
        return row_averages(coefficients, [change_of(coefficients, row) for row in changes])
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


def few(coefficients: Coefficients, changes: int) -> bool:
    """Whether combinations of weights are few, so that each is computed with all draws at once.

    Of a register they always are.
    """
    if coefficients.rows is not None:
        return True
    most = max(len(coefficients.intercept), coefficients.design.shape[1])
    work = changes * len(coefficients.design) * most
    return coefficients.by_profile and work <= 2 * MOST_CELLS


def change_of(coefficients: Coefficients, weights: Array) -> Change:
    """What a row of weights changes, (coefficient,): NaN leaves a block as observed."""
    return Change(
        {
            name: weights[columns]
            for name, columns in coefficients.place.items()
            if not np.isnan(weights[columns]).any()
        }
    )


def row_averages(
    coefficients: Coefficients, changes: Sequence[Change], with_rows: bool = True
) -> Averages:
    """The same as :func:`averages`, row by row and some draws at a time; the first as observed."""
    count, size = len(coefficients.intercept), len(coefficients.design)
    kind = np.float32 if count * size > MANY_STORED else np.float64
    each = np.empty((count, size if with_rows and coefficients.rows is None else 0), kind)
    shares = np.empty((count, len(changes)))
    by_group = {own.name: np.empty(own.level.shape) for own in coefficients.groupings}
    own = coefficients.clusters
    clusters = np.empty((count, 1 if own is None else len(own.labels), len(changes)))
    zeros = coefficients.family == "hurdle"
    abroad, if_abroad = (np.empty_like(shares), np.empty_like(shares)) if zeros else (None, None)
    levels: list[Array] = []
    many = max(1, MOST_CELLS // (4 * size))
    for start in range(0, count, many):
        pick = slice(start, start + many)
        part = coefficients.at(pick)
        reached = []
        for i, change in enumerate(changes):
            linear = part.rows_linear(change)
            parameters = part.rows_parameters(change)
            expected = part.rows_expected(linear, parameters, size * len(changes))
            shares[pick, i] = part.mean(expected)
            if own is None:
                clusters[pick, 0, i] = shares[pick, i]
            else:
                clusters[pick, :, i] = means_by_group(
                    expected, own.codes, len(own.labels), part.rows
                )
            if i == 0:
                if each.size:
                    each[pick] = expected
                for group in part.groupings:
                    by_group[group.name][pick] = means_by_group(
                        expected, group.codes, len(group.labels), part.rows
                    )
            if abroad is not None and if_abroad is not None:
                sells = 1 - parameters.get("never", part.parameters["never"][:, None])
                abroad[pick, i] = 100 * np.broadcast_to(sells, expected.shape).mean(axis=1)
                if_abroad[pick, i] = part.mean(expected / sells)
            if coefficients.family == "ordered":
                reached.append(part.reached(linear).mean(axis=1))
        if reached:
            levels.append(np.stack(reached, axis=1))
    return Averages(
        each,
        shares,
        clusters,
        np.concatenate(levels) if levels else None,
        by_group,
        abroad,
        if_abroad,
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
    count = len(coefficients.intercept)
    if not few(coefficients, len(changes) + moves):
        work = count * len(coefficients.design) * (len(changes) + moves)
        return max(1, min(math.ceil(work / MOST_SHARES), count // FEWEST_DRAWS))
    values = 1 if coefficients.width <= FINE else len(coefficients.grid)
    rows = sum(len(coefficients.profiles(changes, firms)[0]) for _, firms in coefficients.groups())
    rows += moves * len(coefficients.design)
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
#: Rows up to which it is the variation between all of them; of more, between so many at random.
MOST_ROWS = 5_000


def variation_by_source(coefficients: Coefficients) -> tuple[list[str], Array]:
    """Split the variation of shares between firms by its sources.

    The variance of the firms' mean shares is split between the predictors by Shapley values
    (Shorrocks 2013, Journal of Economic Inequality 11, 99-126): the average, over all orders,
    of what a predictor adds to the variance when it enters at its observed values rather than
    at its mean contribution. What the predictors leave is the average variance of a firm's
    share around its mean.

    The levels of clusters, and of each further grouping, are one more source; what a group adds to
    an effect belongs to its predictor, and so does the square of a predictor. Of more than
    ``MOST_ROWS`` rows a random sample of that size is taken.

    Returns predictors, groupings, then ``not explained``. Empty with more than ``MOST_SOURCES``;
    (draw, source): in percent of the total; the parts sum to 100.
    """
    names = _sources(coefficients)
    count = len(coefficients.intercept)
    if coefficients.rows is None and len(coefficients.design) > MOST_ROWS:
        rows = np.random.default_rng(0).choice(len(coefficients.design), MOST_ROWS, replace=False)
        coefficients = coefficients.among(np.sort(rows))
    if len(names) > MOST_SOURCES:
        return [], np.empty((count, 0))
    # Each source is held twice.
    size = max(1, MOST_CELLS // (len(coefficients.design) * max(1, len(names))))
    if count <= size:
        return [*names, "not explained"], _variation(coefficients, names)
    found = [
        _variation(coefficients.at(np.arange(start, min(start + size, count))), names)
        for start in range(0, count, size)
    ]
    return [*names, "not explained"], np.concatenate(found)


def _sources(coefficients: Coefficients) -> list[str]:
    """Names of blocks, without the squares of others, and of groupings."""
    blocks = [block["name"] for block in coefficients.blocks if not _curved(block)]
    return blocks + [own.name for own in coefficients.groupings]


def _curved(block: Mapping[str, Any]) -> str:
    """Name of the predictor that a block has the square of; empty for any other block."""
    names = {name for product in block.get("of") or () for name, _ in product}
    return names.pop() if len(names) == 1 else ""


def _variation(coefficients: Coefficients, names: list[str]) -> Array:
    """Each source's part, in percent, (draw, source)."""
    n = len(names)
    own = {group.name: group for group in coefficients.groupings}
    parts = [
        own[name].level[:, own[name].codes]
        if name in own
        else coefficients.contribution(coefficients.place[name])
        for name in names
    ]
    for block in coefficients.blocks:
        if block["name"] not in names:
            part = parts[names.index(_curved(block))]
            part += coefficients.contribution(coefficients.place[block["name"]])
    parameters = coefficients.rows_parameters(Change())
    means = [coefficients.mean(part)[:, None] for part in parts]
    level = coefficients.intercept[:, None] + sum(means)
    centred = [part - mean for part, mean in zip(parts, means, strict=True)]
    worth = {}
    for size in range(n + 1):
        for subset in itertools.combinations(range(n), size):
            linear = level + sum(centred[i] for i in subset)
            linear = np.broadcast_to(linear, (len(level), len(coefficients.design)))
            worth[subset] = coefficients.variance(moments(coefficients, linear, parameters)[0])
    explained = np.zeros((len(level), n))
    for i in range(n):
        for subset in worth:
            if i in subset:
                continue
            weight = math.factorial(len(subset)) * math.factorial(n - len(subset) - 1)
            gain = worth[tuple(sorted((*subset, i)))] - worth[subset]
            explained[:, i] += weight / math.factorial(n) * gain
    full = level + sum(centred) if n else np.broadcast_to(level, (len(level), 1))
    left = moments(coefficients, full, parameters)[1]
    left = coefficients.mean(left) if n else left[:, 0]
    total = worth[tuple(range(n))] + left
    return 100 * np.column_stack([explained, left]) / total[:, None]


# -- from draws of parameters to draws of what people ask about ------------------------


def estimate(tree: DataTree, group: str = "posterior") -> Dataset:
    """All estimands of a fit, draw by draw, from its posterior or prior.

    Dimensions chain and draw, and: ``expected_share`` (setting), the average expected reported
    share with one predictor set to one level and the others as observed; ``difference``
    (comparison), between two levels of a predictor with at most ``MOST_CLUSTERS`` of them;
    ``firm_share`` (firm), not of a register, or ``row_share`` (row), up to ``MOST_STORED`` numbers
    (beyond, :func:`row_shares`); ``variation`` (source), each source's part of the variation
    between firms, in percent. Shares in percent, differences in percentage points.

    Of a study with clusters or other groupings a row is taken with the level and the effects of its
    own, and up to ``MOST_CLUSTERS`` groups are settings as well: all rows moved to one. Besides
    ``GROUPING_share`` (GROUPING_level), the average over the group's own rows as observed, and
    ``cluster_difference`` (cluster_level, within), the difference over a cluster's own firms.

    With structural zeros that the study itself has, ``abroad`` (setting), the percentage of rows
    that are none, and ``share_if_abroad`` (setting), their share; ``expected_share`` is of both
    together. ``abroad_difference`` and ``share_if_abroad_difference`` (comparison) are theirs.

    Of a further outcome of two labels the same of the probability of yes; of an ordered one of the
    average position of the level, counted from 0, in stages, and ``reached`` (setting,
    stage_level), the probability of that level or one beyond it, in percent.
    """
    import xarray as xr

    coefficients = Coefficients(tree, group)
    constant = tree["constant_data"].to_dataset()
    weights = constant["setting_weights"].to_numpy()
    changes = np.concatenate([np.full((1, weights.shape[1]), np.nan), weights])
    moves = [
        Change(groups={name: code})
        for name, labels in compared_groups(constant).items()
        for code in range(len(labels))
    ]
    step = step_for(coefficients, changes, len(moves))
    coefficients = coefficients.thinned(step)

    def shape(values: Array) -> Array:
        return values.reshape(*coefficients.sizes, *values.shape[1:])

    row = str(constant["design"].dims[0])
    size = len(coefficients.intercept) * len(coefficients.design)
    with_rows = coefficients.rows is None and (row == FIRM or size <= MOST_STORED)
    if few(coefficients, len(changes) + len(moves)):
        average = averages(coefficients, changes)
        shares, reached = average.shares[:, 1:], average.reached
        if moves:
            own, own_reached = moved(coefficients)
            shares = np.concatenate([shares, own], axis=1)
            if reached is not None and own_reached is not None:
                reached = np.concatenate([reached, own_reached], axis=1)
        if coefficients.family == "hurdle":
            sells = 1 - coefficients.parameters["never"][:, None]
            every = np.concatenate([average.shares[:, :1], shares], axis=1)
            abroad = np.broadcast_to(100 * sells, every.shape)
            average = replace(average, abroad=abroad, if_abroad=every / sells)
    else:
        under = [change_of(coefficients, row) for row in changes] + moves
        average = row_averages(coefficients, under, with_rows)
        shares, reached = average.shares[:, 1:], average.reached
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
        f"{row}_share": ((row,), shape(average.firm), {"units": unit}),
        "variation": (("source",), shape(variation), percent),
    }
    if not with_rows:  # nobody asks for single firms of a register
        del found[f"{row}_share"], coords[row]
    if reached is not None:
        coords["stage_level"] = _labels(json.loads(constant.attrs["outcome_levels"])[1:])
        reached = reached[:, 1:]
        found["reached"] = (("setting", "stage_level"), shape(reached), percent)
    if average.abroad is not None and average.if_abroad is not None and _has_zeros(tree):
        for name, values in (("abroad", average.abroad), ("share_if_abroad", average.if_abroad)):
            values = values[:, 1:]
            found[name] = (("setting",), shape(values), percent)
            off = values[:, above] - values[:, below]
            found[f"{name}_difference"] = (("comparison",), shape(off), {"units": points})
    if coefficients.clusters is not None:
        above, below, labels = _within(constant, coefficients.blocks)
        coords |= labels
        each = average.by_cluster[..., 1:]
        off = each[..., above] - each[..., below]
        by = f"{CLUSTER}_level"
        found[f"{CLUSTER}_share"] = ((by,), shape(average.by_cluster[..., 0]), {"units": unit})
        found[f"{CLUSTER}_difference"] = ((by, "within"), shape(off), {"units": points})
    for name, values in average.by_group.items():
        by = f"{name}_level"
        coords[by] = constant[by].to_numpy()
        found[f"{name}_share"] = ((by,), shape(values), {"units": unit})
    return xr.Dataset(
        {name: (("chain", "draw", *dims), v, units) for name, (dims, v, units) in found.items()},
        coords,
        attrs={"units": f"{unit}; differences in {points}", "every": step},
    )


def row_shares(tree: DataTree) -> DataArray:
    """Expected reported share of each row of a panel in percent, at the draws of the estimands."""
    import xarray as xr

    constant, found = (tree[name].to_dataset() for name in ("constant_data", "estimands"))
    coefficients = Coefficients(tree).thinned(int(found.attrs["every"]))
    shares = row_averages(coefficients, [Change()]).firm.reshape(*coefficients.sizes, -1)
    coords = {"chain": found["chain"], "draw": found["draw"], "row": constant["row"].to_numpy()}
    return xr.DataArray(shares, coords, ("chain", "draw", "row"), attrs={"units": "percent"})


def _has_zeros(tree: DataTree) -> bool:
    """Whether structural zeros belong to the study's own model, not to a variant only."""
    terms = json.loads(tree["constant_data"].attrs.get("never", "[]"))
    return bool(terms) or tree.attrs["variant"] == DEFAULT


def compared_clusters(constant: Dataset) -> list[str]:
    """Names of the clusters, if they are set beside each other one by one."""
    return compared_groups(constant).get(CLUSTER, [])


def compared_groups(constant: Dataset) -> dict[str, list[str]]:
    """Groupings of which the groups are set beside each other one by one, with their names.

    The firms of a panel are not: they are the units, no predictor.
    """
    return {
        name: [str(label) for label in constant[f"{name}_level"].to_numpy()]
        for name in groupings_of(constant)
        if name != FIRM and constant.sizes[f"{name}_level"] <= MOST_CLUSTERS
    }


def _coordinates(
    constant: Dataset, blocks: list[dict[str, Any]]
) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """Labels of rows, settings and comparisons, and which two settings each compares.

    Groupings come last, as further predictors.
    """
    predictors, levels = _settings(constant)
    pairs = _comparisons(predictors, blocks)
    for name, moves in compared_groups(constant).items():
        count = len(predictors)
        pairs += list(itertools.combinations(range(count, count + len(moves)), 2))
        predictors = np.concatenate([predictors, np.full(len(moves), name)])
        levels = np.concatenate([levels, np.array(moves, dtype=str)])
    row = str(constant["design"].dims[0])
    return {
        row: constant[row].to_numpy(),
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
        number = block["kind"] in ("numeric", "spline")
        if number and "one sd" in block["settings"][0]:
            pairs.append((int(places[-1]), int(places[0])))
            continue
        if len(places) > MOST_CLUSTERS:  # all pairs would be no table
            continue
        upwards = number or block["kind"] in ("contrast", "monotonic", "walk")
        for one, other in itertools.combinations(map(int, places), 2):
            pairs.append((other, one) if upwards else (one, other))
    return pairs


# -- a share, a second part, and the rest ----------------------------------------------


def compositions(tree: DataTree) -> Array:
    """Expected share, second part and rest, averaged over the rows: (draw, change, 3), percent.

    Of a fit with a composition; as observed, then at each setting of each predictor (the
    dimension ``setting`` of its estimands), the others as observed. The shares themselves, not as
    rounded; the three sum to 100.
    """
    coefficients = Coefficients(tree)
    weights = tree["constant_data"]["setting_weights"].to_numpy()
    changes = [Change(), *(change_of(coefficients, row) for row in weights)]
    found = np.empty((len(coefficients.intercept), len(changes), 3))
    odds = coefficients.parameters["split"]
    start = (np.log(odds) - np.log1p(-odds))[:, None]
    for k, change in enumerate(changes):
        share = inverse_logit(coefficients.rows_linear(change))
        terms = 0.0 if coefficients.split is None else coefficients.split.linear(change)
        second = (1 - share) * inverse_logit(start + terms)
        parts = np.broadcast_arrays(share, second, 1 - share - second)
        found[:, k] = np.stack([100 * own.mean(axis=1) for own in parts], axis=-1)
    return found


# -- sums over the firms -----------------------------------------------------------------


def totals(tree: DataTree, total: Total, *, seed: int = 0) -> tuple[Array, Array]:
    """Draw what each firm has, and its share of that.

    The share is drawn within the interval it was reported as, given the parameters of each draw
    of the posterior. What is missing of a firm is the parameter that stands for it, where the
    fit has the column as a covariate; else it is drawn from the predictive law of a lognormal
    sample with the reference prior, of the firms of which it is known: log values with mean m and
    standard deviation s, n of them, give m + s sqrt(1 + 1/n) t with n - 1 degrees of freedom
    (Gelman et al. 2013, Bayesian Data Analysis, section 3.2).

    Parameters
    ----------
    tree : xarray.DataTree
        A fit of the default family, or of a variant that keeps it.
    total : Total
        Of the same study.
    seed : int
        For shares and for what is missing.

    Returns
    -------
    whole, share : ndarray, shape (draw, firm)
        In the unit of the column, and from 0 to 1.

    Raises
    ------
    StudyError
        For a fit of another family than ``beta`` or ``hurdle``.
    """
    coefficients, constant = Coefficients(tree), tree["constant_data"].to_dataset()
    if coefficients.family not in ("beta", "hurdle"):
        raise StudyError(
            "totals are computed from fits of the families beta and hurdle",
            value=coefficients.family,
        )
    rng = np.random.default_rng(seed)
    linear = coefficients.rows_linear(Change())
    parameters = {name: value[:, None] for name, value in coefficients.parameters.items()}
    parameters |= coefficients.rows_parameters(Change())
    ends = constant["lower"].to_numpy(), constant["upper"].to_numpy()
    share = simulate_within(coefficients.family, linear, parameters, *ends, rng)
    whole = np.tile(total.values, (len(linear), 1))
    known = np.log(total.values[np.isfinite(total.values) & (total.values > 0)])
    of_fit = _covariate_of(coefficients, total)
    for firm in np.flatnonzero(np.isnan(total.values)):
        if of_fit is not None:
            draws = coefficients.imputed[coefficients.place[of_fit["name"]].start, int(firm)]
            value = of_fit["center"] + of_fit["scale"] * draws
            whole[:, firm] = np.exp(value) if of_fit["transform"] == "log" else value
            continue
        scale = known.std(ddof=1) * math.sqrt(1 + 1 / len(known))
        whole[:, firm] = np.exp(
            known.mean() + scale * rng.standard_t(len(known) - 1, size=len(linear))
        )
    return whole, share


def _covariate_of(coefficients: Coefficients, total: Total) -> dict[str, Any] | None:
    """The block of a fit with the same numbers as a total, missing of the same firms."""
    missing = np.flatnonzero(np.isnan(total.values)).tolist()
    for block in coefficients.blocks:
        if not missing or block["kind"] != "numeric" or block["missing"] != missing:
            continue
        with np.errstate(divide="ignore"):
            values = np.log(total.values) if block["transform"] == "log" else total.values
        own = coefficients.design[:, coefficients.place[block["name"]].start]
        if np.allclose((values - block["center"]) / block["scale"], own, equal_nan=True):
            return block
    return None


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
        Predictor -> level (or number, for a numeric covariate, in its printed unit; of one that is
        split between and within firms the mean of the firm, which is at this mean). A
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
    if 0 < coefficients.width < FINEST_SHOWN:
        coefficients.width = FINEST_SHOWN
    rng = np.random.default_rng(seed)
    # One profile at a time: with all draws, a fine grid is large.
    predicted = [
        _predicted(coefficients, _profile(coefficients, profile, rng)) for profile in profiles
    ]
    probability = np.stack([p for p, _ in predicted])
    expected = np.stack([e for _, e in predicted], axis=-1)
    names = [_described(coefficients, profile) for profile in profiles]
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
    many = max(1, min(CHUNK, MOST_HELD // len(values)))
    for start in range(0, len(linear), many):
        part = slice(start, start + many)
        chance = coefficients.chances(linear[part], part)
        total += chance.sum(axis=0)
        expected[part] = chance @ values
    return total / len(linear), expected


def _described(coefficients: Coefficients, profile: Mapping[str, Any]) -> str:
    """A profile in words: its levels and its numbers with their units, in the order given."""
    units = {own.get("term", own["name"]): own["unit"] for own in coefficients.blocks[::-1]}
    units |= {own["name"]: own["unit"] for own in coefficients.blocks}
    named = [f"{value} {units.get(name) or ''}".strip() for name, value in profile.items()]
    return ", ".join(named) or "any firm"


def _profile(
    coefficients: Coefficients, profile: Mapping[str, Any], rng: np.random.Generator
) -> Array:
    known = {block["name"]: block for block in coefficients.blocks}
    products = [name for name, block in known.items() if block.get("of")]
    groupings = {own.name: own for own in coefficients.groupings}
    names = [*(name for name in known if name not in products), *groupings]
    # A new firm is as it is on average: what is split is its mean.
    means = {f"{name}_between" for name in profile if name not in known} & set(names)
    profile = {
        f"{name}_between" if f"{name}_between" in means else name: value
        for name, value in profile.items()
    }
    for name in profile:
        if name not in names:
            raise StudyError(
                f"no predictor is called '{name}'; the predictors are {', '.join(names)}",
                value=name,
            )
    total, values = _of_its_groups(coefficients, profile, rng)
    moved = {}
    for name, block in known.items():
        columns = coefficients.place[name]
        if name in profile:
            total += _set_level(block, values[:, columns], profile[name])
            moved[name] = weights_at(block, profile[name])
        elif name in products:
            continue
        elif name in coefficients.spread and block["kind"] != "walk":
            total += rng.normal(size=len(total)) * coefficients.spread[name]
            for own in coefficients.groupings:
                if own.name not in profile:
                    total += own.of_new_level(columns, rng)
        else:
            total += coefficients.mean(coefficients.added(values, columns))
    design = changed(coefficients, Change(moved)) if products else coefficients.design
    for name in products:
        columns = coefficients.place[name]
        # Each row's weights; of a category's levels one is not zero.
        each = coefficients.mean(design[:, columns].T)
        factors = {factor for product in known[name]["of"] for factor, _ in product}
        if any(f in coefficients.spread and f not in profile for f in factors):
            total += rng.normal(size=len(total)) * coefficients.spread[name] * each.sum()
        else:
            total += values[:, columns] @ each
    return total


def _of_its_groups(
    coefficients: Coefficients, profile: Mapping[str, Any], rng: np.random.Generator
) -> tuple[Array, Array]:
    """Intercept and coefficients of the groups of a new firm; of new ones where none is named."""
    total, values = coefficients.intercept.copy(), coefficients.values
    for own in coefficients.groupings:
        if own.name not in profile:
            level, effects = own.of_new(rng)
        else:
            group = group_named(own, profile[own.name])
            level, effects = own.level[:, group], own.of_group(group)
        total, values = total + level, values + effects
    return total, values


def group_named(own: GroupEffects, label: Any) -> int:
    """Position of a group by its name."""
    if label not in own.labels:
        raise StudyError(
            f"no {own.name} is called '{label}'; the {plural(own.name)} are {listed(own.labels)}",
            value=str(label),
        )
    return own.labels.index(label)


def weights_at(block: Mapping[str, Any], value: Any) -> Array:
    """Weights of a predictor at a level, or at a number in its own unit, (coefficient,)."""
    if block["kind"] in ("numeric", "spline"):
        return weights_of(block, np.array([_number(block, value)]))[0]
    if block["kind"] == "contrast":
        return np.array([_level(block, value) - 0.5])
    return np.eye(len(block["levels"]))[_level(block, value)]


def weights_of(block: Mapping[str, Any], numbers: Array) -> Array:
    """Weights at numbers in a predictor's own unit, (number, coefficient)."""
    values = np.log(numbers) if block["transform"] == "log" else numbers
    center, scale = block["center"], block["scale"]
    if block["kind"] == "spline":
        return spline_basis((values - center) / scale, (np.array(block["knots"]) - center) / scale)
    return ((values - center) / scale)[:, None]


def _number(block: Mapping[str, Any], value: Any) -> float:
    name = block["name"]
    try:
        number = math.nan if isinstance(value, (bool, np.bool_)) else float(value)
    except (TypeError, ValueError) as error:
        raise StudyError(f"'{name}' takes a number", value=str(value)) from error
    if not math.isfinite(number) or (block["transform"] == "log" and number <= 0):
        above = " above 0, because its logarithm is taken" if block["transform"] == "log" else ""
        raise StudyError(f"'{name}' takes a number{above}", value=str(value))
    return number


def label_of(value: Any) -> Any:
    """The label that a whole number or a truth value stands for among levels, which are texts."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return str(value) if isinstance(value, (int, np.integer)) else value


def _level(block: Mapping[str, Any], value: Any) -> int:
    levels = block["settings"] if block["kind"] == "contrast" else block["levels"]
    if label_of(value) not in levels:
        raise StudyError(
            f"'{block['name']}' has no level '{value}'; the levels are {', '.join(levels)}",
            value=str(value),
        )
    return list(levels).index(label_of(value))


def _set_level(block: Mapping[str, Any], draws: Array, value: Any) -> Array:
    if block["kind"] == "numeric":
        number = _number(block, value)
        number = math.log(number) if block["transform"] == "log" else number
        return draws[:, 0] * (number - block["center"]) / block["scale"]
    if block["kind"] == "spline":
        return draws @ weights_at(block, value)
    if block["kind"] == "contrast":
        return draws[:, 0] * (_level(block, value) - 0.5)
    return draws[:, _level(block, value)]


# -- ranks -------------------------------------------------------------------------------


def rank_draws(estimands: Dataset, blocks: list[dict[str, Any]]) -> dict[tuple[str, str], Array]:
    """Rank (1 = largest expected share) of each level of the categorical predictors, by both.

    Shape (chain, draw).
    """
    found: dict[tuple[str, str], Array] = {}
    predictors, levels = _settings(estimands)
    shares = estimands["expected_share"].to_numpy()
    for block in blocks:
        places = np.flatnonzero(predictors == block["name"])
        unranked = block["kind"] in ("numeric", "contrast", "spline")
        if unranked or not 0 < len(places) <= MOST_CLUSTERS:
            continue
        ranks = (-shares[..., places]).argsort(axis=-1).argsort(axis=-1).astype(float) + 1
        for i, place in enumerate(places):
            found[str(block["name"]), str(levels[place])] = ranks[..., i]
    return found


def rank_probabilities(estimands: Dataset, blocks: list[dict[str, Any]]) -> DataFrame:
    """Probability of each rank (1 = largest expected share) of each level of a predictor.

    Columns are ``predictor``, ``level``, ``rank``, ``probability``; for categorical predictors.
    """
    import pandas as pd

    found = rank_draws(estimands, blocks)
    count = Counter(predictor for predictor, _ in found)
    rows = [
        (predictor, level, rank, float((ranks == rank).mean()))
        for (predictor, level), ranks in found.items()
        for rank in range(1, count[predictor] + 1)
    ]
    return pd.DataFrame(rows, columns=["predictor", "level", "rank", "probability"])
