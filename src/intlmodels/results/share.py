"""From a fit of the share model to its tables: labelled rows, intervals, predictions.

Everything here reads a stored fit, or its light form (:func:`.store.read_summary`). The fit of
a register has combinations of levels in place of firms, each with its number of rows.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError, listed
from intlmodels.core.formats import MINUS, lowered, plural
from intlmodels.core.rounding import grid, on_grid
from intlmodels.models.base import flat, texts
from intlmodels.models.share.coefficients import groupings_of
from intlmodels.models.share.design import FIRM, MOST_CLUSTERS
from intlmodels.models.share.estimands import (
    compared_groups,
    estimate,
    rank_draws,
    rank_probabilities,
    row_shares,
)
from intlmodels.models.share.estimands import compositions as estimate_compositions
from intlmodels.models.share.estimands import totals as estimate_totals
from intlmodels.models.share.observation import LEVELLED, OUTCOME
from intlmodels.results.intervals import (
    CI_PROB,
    Array,
    Compared,
    Conclusion,
    beside_prior,
    check_table,
    converged,
    directions,
    relevance,
    side_by_side,
    table_of,
)
from intlmodels.results.intervals import estimands as stored

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataArray, Dataset, DataTree

    from intlmodels.studies import Total


#: What the variation that no predictor takes up is called among the sources.
NOT_EXPLAINED = "not explained"
#: Variants are held against each other by the differences between levels.
COMPARED = Compared(
    quantity="difference",
    key=("predictor", "level", "against"),
    words="{level} against {against}",
    heading=f"{{level}} {MINUS} {{against}}",
    unit="points",
    apart="A likelihood that is not of the reported shares alone is not compared by elpd.",
)
#: What a fit of shares estimates.
SHARES = "expected share"
#: Levels that a picture of a register shows one by one.
MOST_STRIPS = 12
#: Values that can be printed and are counted one by one.
MOST_VALUES = 200
#: Values times sets of data that are counted at once.
_MOST_COUNTED = 10_000_000
#: Kinds of predictors that are numbers.
NUMBERS = ("numeric", "spline")
#: Kind of the groups of rows among what shares are compared by.
GROUPING = "grouping"
#: Group of a fit with data predicted from the posterior.
PREDICTED = "posterior_predictive"
#: Draws, firms and settings (their product) up to which estimands of the prior are computed.
MOST_PRIOR = 1_000_000


@dataclass(frozen=True)
class Measured:
    """What the estimands of a fit are estimates of, in words.

    ``unit`` follows a level, ``points`` a difference between levels; ``key`` says what the numbers
    of an ordered outcome stand for.
    """

    what: str
    unit: str = "%"
    points: str = "percentage points"
    percent: bool = True
    key: str = ""


def measured(fit: DataTree) -> Measured:
    """What a fit estimates: printed shares, a probability, or a stage."""
    constant = fit["constant_data"]
    if fit.attrs["family"] not in LEVELLED:
        return Measured(SHARES)
    names = json.loads(constant.attrs["outcome_levels"])
    if fit.attrs["family"] == "binary":
        return Measured(f"probability of {names[1]}")
    key = "; ".join(f"{i} {name}" for i, name in enumerate(names))
    label = str(constant.attrs["outcome_label"])
    return Measured(f"expected {lowered(label)}", "stages", "stages", False, key)


def blocks(fit: DataTree) -> list[dict[str, Any]]:
    """Parts of the linear predictor: name, kind, label, levels, settings and so on."""
    return json.loads(fit["constant_data"].attrs["blocks"])


def parts(fit: DataTree) -> list[dict[str, Any]]:
    """What expected shares are compared by: the predictors, and groups of rows if they are few."""
    compared, known = compared_groups(fit["constant_data"].to_dataset()), groupings(fit)
    return [
        *(block for block in blocks(fit) if block["settings"]),
        *(
            {**known[name], "kind": GROUPING, "levels": levels, "settings": levels}
            for name, levels in compared.items()
        ),
    ]


def groupings(fit: DataTree) -> dict[str, dict[str, Any]]:
    """Groups of rows that have effects of their own, by name: see the coefficients of a fit."""
    return groupings_of(fit["constant_data"].to_dataset())


def labels(fit: DataTree) -> dict[str, str]:
    """Name of each predictor, and of each grouping -> what it is called in words."""
    own = {name: str(group["label"]) for name, group in groupings(fit).items()}
    return {block["name"]: block["label"] for block in blocks(fit)} | own


def observed(fit: DataTree) -> Array:
    """Printed shares of the firms, in percent; of a register the mean of each combination."""
    data = fit["observed_data"].to_dataset()
    return data[OUTCOME if OUTCOME in data else "mean_share"].to_numpy()


def outcomes(fit: DataTree, group: str) -> DataArray:
    """Draws of the printed shares of the firms from a predictive group."""
    return fit[group].to_dataset()[OUTCOME]


def estimands(fit: DataTree, group: str = "posterior") -> Dataset:
    """Draws of the estimands: those stored with the fit, or computed now.

    Of the prior as many draws as ``MOST_PRIOR`` allows: it is shown in round numbers.
    """
    if group != "prior":
        return stored(fit) if "estimands" in fit.children else estimate(fit)
    import xarray as xr

    constant = fit["constant_data"].to_dataset()
    work = fit[group].sizes["draw"] * constant.sizes[row_dimension(fit)] * constant.sizes["setting"]
    step = max(1, math.ceil(work / MOST_PRIOR))
    thinned = fit[group].to_dataset().isel(draw=slice(None, None, step))
    tree = xr.DataTree.from_dict({"prior": thinned, "constant_data": constant})
    tree.attrs = dict(fit.attrs)
    return estimate(tree, group)


def before(fit: DataTree) -> DataTree:
    """The same fit before seeing data: with the estimands of its prior in place of its own."""
    import xarray as xr

    groups = {"estimands": estimands(fit, "prior"), "constant_data": fit["constant_data"].dataset}
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = dict(fit.attrs)
    return tree


def estimands_with_rows(fit: DataTree) -> Dataset:
    """The same with the expected shares of the rows of a panel, where these are too many to store.

    They are left out of a fit that was read without all of its parameters.
    """
    found = estimands(fit)
    known = {block["variable"] for block in blocks(fit)} | set(groupings(fit))
    if row_dimension(fit) in ("firm", *found.coords) or known - set(fit["posterior"].data_vars):
        return found
    return found.assign(row_share=row_shares(fit))


def membership(fit: DataTree, block: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Which firms stand at which setting of a predictor, (firm, setting).

    With multiple membership a firm stands at more than one; a numeric covariate has its
    known values at every setting, since all of them bear on the slope.
    """
    constant = fit["constant_data"].to_dataset()
    if block["kind"] == GROUPING:
        of_firm = constant[f"{block['name']}_code"].to_numpy()
        return np.asarray(of_firm[:, None] == np.arange(len(block["levels"])))
    names = texts(constant["coefficient"])
    own = [f"{block['name']}[{level}]" for level in block["levels"]] or [block["name"]]
    weights = constant["design"].to_numpy()[:, [names.index(name) for name in own]]
    if block["kind"] == "contrast":
        return np.column_stack([weights[:, 0] < 0, weights[:, 0] > 0])
    if block["kind"] in NUMBERS:
        return np.repeat(~np.isnan(weights[:, :1]), len(block["settings"]), axis=1)
    return weights > 0


def nearest(fit: DataTree, predictor: str) -> NDArray[np.int64]:
    """Place of the level at which each firm stands, or of the value nearest to its own; else -1."""
    constant = fit["constant_data"].to_dataset()
    if predictor in groupings(fit):
        return constant[f"{predictor}_code"].to_numpy().astype(np.int64)
    weights = constant["setting_weights"].to_numpy()
    weights = weights[constant["setting_predictor"].to_numpy().astype(str) == predictor]
    own = ~np.isnan(weights).all(axis=0)
    design = constant["design"].to_numpy()[:, own]
    distance = ((design[:, None] - weights[:, own]) ** 2).sum(axis=2)
    known = ~np.isnan(distance).any(axis=1)
    return np.where(known, np.where(known[:, None], distance, 0.0).argmin(axis=1), -1)


def reported(fit: DataTree) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """Reported shares in percent, the firm or cell of each, and how many report it."""
    if not is_register(fit):
        values = observed(fit)
        return values, np.arange(len(values)), np.ones(len(values), dtype=np.int64)
    seen = fit["observed_data"].to_dataset()
    firm, place, rows = (seen[f"cell_{name}"].to_numpy() for name in ("firm", "place", "rows"))
    return printed_values(fit)[place], firm, rows


def effective_rows(weights: Array) -> float:
    """Number of rows of equal weight that weighted ones are worth (Kish 1965)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def has_levels(block: Mapping[str, Any]) -> bool:
    """Whether each firm stands at one of the levels of a predictor that are compared."""
    return block["kind"] not in ("numeric", "spline", "nested")


def rows_of(fit: DataTree) -> NDArray[np.int64]:
    """How many each firm stands for: one, or the rows of a combination of a register."""
    constant = fit["constant_data"].to_dataset()
    if "rows" in constant:
        return constant["rows"].to_numpy().astype(np.int64)
    return np.ones(constant.sizes[row_dimension(fit)], dtype=np.int64)


def levels(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Average expected printed share at each level of each predictor, in percent.

    Of a fit of a further outcome: what :func:`measured` says.

    Columns: ``predictor``, ``label``, ``level``, ``firms`` (how many stand at the level), and those
    of :func:`.intervals.table_of`.
    """
    draws = estimands(fit)
    each = rows_of(fit)
    counts = {block["name"]: iter(each @ membership(fit, block)) for block in parts(fit)}
    columns: dict[str, Any] = labelled(fit, draws, "setting")
    columns["firms"] = [int(next(counts[name])) for name in columns["predictor"]]
    return table_of(fit, columns, flat(draws["expected_share"]), prob)


def labelled(fit: DataTree, draws: Dataset, dim: str) -> dict[str, list[str]]:
    """What a setting or a comparison is, in columns."""
    named = labels(fit)
    found = {"predictor": texts(draws[f"{dim}_predictor"])}
    found["label"] = [named[name] for name in found["predictor"]]
    ends = ("level", "against") if dim == "comparison" else ("level",)
    return found | {end: texts(draws[f"{dim}_{end}"]) for end in ends}


def average(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Average expected printed share of all firms, in percent; one row."""
    return table_of(fit, {}, flat(estimands(fit)["average_share"])[:, None], prob)


def differences(fit: DataTree, prob: float = CI_PROB, group: str = "posterior") -> pd.DataFrame:
    """All pairwise differences of expected shares, in percentage points.

    Returns
    -------
    pandas.DataFrame
        ``predictor``, ``label``, ``level``, ``against``, the columns of :func:`intervals` of
        level minus against, those of :func:`.intervals.directions`, and where it is in percentage
        points those of :func:`.intervals.relevance`.
    """
    draws = estimands(fit, group)
    values = flat(draws["difference"])
    columns = labelled(fit, draws, "comparison")
    table = table_of(fit, columns, values, prob)
    table = table.assign(**directions(values, draws.sizes["chain"]))
    return table.assign(**relevance(values)) if measured(fit).percent else table


def conclusions(fit: DataTree) -> list[Conclusion]:
    """Levels and differences, with their draws."""
    found = estimands(fit)
    scale = measured(fit)
    points = "points" if scale.percent else scale.points
    level = found["expected_share"].transpose("chain", "draw", "setting").to_numpy()
    draws = found["difference"].transpose("chain", "draw", "comparison").to_numpy()
    settings = zip(*labelled(fit, found, "setting").values(), strict=True)
    pairs = zip(*labelled(fit, found, "comparison").values(), strict=True)
    return [
        Conclusion(f"{label}: {at}", scale.unit, False, level[..., i])
        for i, (_, label, at) in enumerate(settings)
    ] + [
        Conclusion(difference_name(label, at, against), points, True, draws[..., i])
        for i, (_, label, at, against) in enumerate(pairs)
    ]


def difference_name(label: str, level: str, against: str) -> str:
    """What a difference between levels is called among conclusions."""
    return f"{label}: {level} against {against}"


def compositions(fit: DataTree, names: tuple[str, str, str], prob: float = CI_PROB) -> pd.DataFrame:
    """Expected share, second part and rest of a fit with a composition, in percent.

    ``names``: what the three are called, in this order. Columns: ``predictor`` and ``label``
    (empty for the average over all firms as observed), ``level``, ``part``, and those of
    :func:`.intervals.table_of`.
    """
    draws = estimands(fit)
    columns = {
        name: [value for value in ("", *values) for _ in names]
        for name, values in labelled(fit, draws, "setting").items()
    }
    columns["part"] = [*names] * (len(columns["level"]) // len(names))
    values = estimate_compositions(fit)
    return table_of(fit, columns, values.reshape(len(values), -1), prob)


def totals(fit: DataTree, total: Total, prob: float = CI_PROB) -> pd.DataFrame:
    """What the shares of the firms come to: see :func:`.estimands.totals`.

    Of all firms, and without the one that has the largest known number.

    Columns: ``total``, ``firms`` (``all``, ``without NAME`` or ``NAME``), ``quantity`` (``whole``:
    what the firms have; ``part``: the sum of their shares of it, both in the unit of the column;
    ``share``: part in percent of whole; ``mean share``: of the firms, each counted once; ``of
    all``: part of the largest firm in percent of that of all), ``unit``, and those of
    :func:`.intervals.table_of`.
    """
    whole, share = estimate_totals(fit, total, seed=int(fit.attrs["seed"]))
    part = share * whole
    largest = int(np.nanargmax(total.values))
    name = texts(fit["constant_data"].to_dataset()[row_dimension(fit)])[largest]
    found: list[tuple[str, str, str, Array]] = []
    for who, at in (("all", slice(None)), (f"without {name}", np.arange(len(part.T)) != largest)):
        sums = whole[:, at].sum(axis=1), part[:, at].sum(axis=1)
        found += [
            (who, "whole", total.unit, sums[0]),
            (who, "part", total.unit, sums[1]),
            (who, "share", "%", 100 * sums[1] / sums[0]),
            (who, "mean share", "%", 100 * share[:, at].mean(axis=1)),
        ]
    every = np.maximum(part.sum(axis=1), np.finfo(float).tiny)
    found.append((name, "of all", "%", 100 * part[:, largest] / every))
    firms, quantities, units, draws = zip(*found, strict=True)
    columns = {"total": total.name, "firms": firms, "quantity": quantities, "unit": units}
    return table_of(fit, columns, np.column_stack(draws), prob)


def level_ranks(fit: DataTree) -> list[Conclusion]:
    """Rank of each level (1 = largest expected share), with its draws."""
    named = labels(fit)
    return [
        Conclusion(f"{named[predictor]}: rank of {level}", "", False, ranks)
        for (predictor, level), ranks in rank_draws(estimands(fit), _few(fit)).items()
    ]


def _few(fit: DataTree) -> list[dict[str, Any]]:
    """What expected shares are compared by, if it has few levels."""
    return [block for block in parts(fit) if len(block["settings"]) <= MOST_CLUSTERS]


def ranks(fit: DataTree) -> pd.DataFrame:
    """Probability of each rank (1 = largest expected share) of each level.

    Of predictors with very many levels see :func:`many_levels`. Columns: ``predictor``, ``label``,
    ``level``, ``rank``, ``probability``, ``converged``.
    """
    table = rank_probabilities(estimands(fit), _few(fit))
    named = labels(fit)
    table.insert(1, "label", [named[name] for name in table["predictor"]])
    table["converged"] = converged(fit)
    return table


def many_levels(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Levels of predictors that have too many of them for pairwise differences.

    Columns: those of :func:`levels`, ``rank`` (median of the rank by expected share, 1 the
    largest), ``rank_low``, ``rank_high`` (equal-tailed interval), ``p_largest`` and ``p_smallest``
    (probability of the first and of the last rank). Empty if no predictor has so many.
    """
    import pandas as pd

    table = levels(fit, prob)
    draws = flat(estimands(fit)["expected_share"])
    found = []
    for _, part in table.groupby("predictor", sort=False):
        if len(part) <= MOST_CLUSTERS:
            continue
        order = (-draws[:, part.index]).argsort(axis=1).argsort(axis=1) + 1
        low, middle, high = np.quantile(order, [(1 - prob) / 2, 0.5, (1 + prob) / 2], axis=0)
        columns = {"rank": middle, "rank_low": low, "rank_high": high}
        ends = {"p_largest": order == 1, "p_smallest": order == len(part)}
        found.append(part.assign(**columns, **{n: at.mean(axis=0) for n, at in ends.items()}))
    return pd.concat(found) if found else table.head(0)


def level_spread(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """How far the levels of predictors with very many of them differ, in percentage points.

    Columns: ``predictor``, ``label``, ``levels`` (their number) and those of
    :func:`.intervals.table_of` of the standard deviation between their expected shares.
    """
    table = many_levels(fit, prob)
    draws = flat(estimands(fit)["expected_share"])
    columns: dict[str, list[Any]] = {"predictor": [], "label": [], "levels": []}
    spreads = []
    for (name, label), part in table.groupby(["predictor", "label"], sort=False):
        for key, value in zip(columns, (name, label, len(part)), strict=True):
            columns[key].append(value)
        spreads.append(draws[:, part.index].std(axis=1, ddof=1))
    values = np.stack(spreads, axis=1) if spreads else np.empty((len(draws), 0))
    return table_of(fit, columns, values, prob)


def variation(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Each source's part of the variation of shares between firms, in percent."""
    draws = estimands(fit)
    sources = texts(draws["source"])
    named = {**labels(fit), NOT_EXPLAINED: NOT_EXPLAINED}
    columns = {"source": sources, "label": [named[name] for name in sources]}
    return table_of(fit, columns, flat(draws["variation"]), prob)


def explained(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Part of the variation of shares that all predictors explain together, in percent.

    One row, or none where the variation is not split.
    """
    draws = estimands(fit)
    rest = [source == NOT_EXPLAINED for source in texts(draws["source"])]
    return table_of(fit, {}, 100 - flat(draws["variation"])[:, rest], prob)


def crossings(fit: DataTree) -> pd.DataFrame:
    """How far each pair of grouping predictors, and of clusters with these, is crossed.

    Columns: ``label_a``, ``label_b``, ``cells`` (combinations of levels), ``empty`` (those without
    a firm), ``tied``: in words, levels that occur with one level of the other only.
    """
    import pandas as pd

    found = [(block, membership(fit, block)) for block in parts(fit)]
    found = [(block, at) for block, at in found if has_levels(block)]
    rows = []
    for (a, at_a), (b, at_b) in itertools.combinations(found, 2):
        counts = at_a.T.astype(int) @ at_b.astype(int)
        rows.append(
            {
                "label_a": a["label"],
                "label_b": b["label"],
                "cells": counts.size,
                "empty": int((counts == 0).sum()),
                "tied": "; ".join([*_tied(a, b, counts), *_tied(b, a, counts.T)][:4]),
            }
        )
    return pd.DataFrame(rows, columns=["label_a", "label_b", "cells", "empty", "tied"])


#: Levels of two predictors are confounded from this part of the rows of either that both have.
CONFOUNDED = 0.8


def confounded(fit: DataTree) -> pd.DataFrame:
    """Levels of two predictors, or groups, that have all or nearly all of their rows in common.

    Columns: ``label_a``, ``level_a``, ``label_b``, ``level_b``, ``of_a`` and ``of_b`` (rows of
    either level), ``both`` (rows with both: at least ``CONFOUNDED`` of those with either, and
    likewise of those without). Those with the most in common come first.
    """
    import pandas as pd

    every = [(part, membership(fit, part)) for part in parts(fit) if has_levels(part)]
    weights, rows = rows_of(fit), []
    for (a, at_a), (b, at_b) in itertools.combinations(every, 2):
        both = (at_a * weights[:, None]).T @ at_b
        of_a, of_b = (weights @ at for at in (at_a, at_b))
        either = of_a[:, None] + of_b - both
        total = weights.sum()
        shared = (both >= CONFOUNDED * either) & (both > 0)
        # Two levels that nearly all rows have say something only by the rows that lack them.
        shared &= (total - either >= CONFOUNDED * (total - both)) & (both < total)
        if len(at_a.T) == len(at_b.T) == 2:
            shared[1] = False  # the same firms once more
        for i, j in np.argwhere(shared):
            names = (a["label"], a["settings"][i], b["label"], b["settings"][j])
            rows.append((*names, int(of_a[i]), int(of_b[j]), int(both[i, j])))
    keys = ("label_a", "level_a", "label_b", "level_b", "of_a", "of_b", "both")
    table = pd.DataFrame(rows, columns=list(keys))
    order = table["both"] / (table["of_a"] + table["of_b"] - table["both"])
    return table.loc[order.sort_values(ascending=False, kind="stable").index]


def _tied(a: Mapping[str, Any], b: Mapping[str, Any], counts: Array) -> list[str]:
    return [
        f"{a['settings'][i]} occurs only with {b['settings'][int(np.argmax(counts[i]))]}"
        for i in range(len(counts))
        if (counts[i] > 0).sum() == 1
    ]


# -- variants ----------------------------------------------------------------------------


def compare_variants(
    fits: Mapping[str, DataTree], prob: float = CI_PROB, prior: DataTree | None = None
) -> pd.DataFrame:
    """What several variants say: see :func:`.intervals.side_by_side`.

    Averages, levels, differences, and what predictors explain of the variation; those of the prior
    beside them, of the first fit and of those with another prior of a parameter that it has too.
    ``prior``: the first fit :func:`before` seeing data, if that was computed.
    """
    first, *others = (json.loads(fit.attrs["priors"]) for fit in fits.values())
    own = [True, *(any(first.get(n, p) != p for n, p in each.items()) for each in others)]
    priors = {
        id(fit): before(fit) if place or prior is None else prior
        for place, (fit, asked) in enumerate(zip(fits.values(), own, strict=True))
        if asked and "prior" in fit.children
    }

    def both(table: Callable[[DataTree, float], pd.DataFrame]) -> Callable[[DataTree], Any]:
        def of(fit: DataTree) -> pd.DataFrame:
            own, prior = table(fit, prob), priors.get(id(fit))
            return own if prior is None else beside_prior(own, table(prior, prob))

        return of

    tables = {"average": average, "level": levels, "difference": differences}
    return side_by_side(
        fits, {name: both(table) for name, table in (tables | {"explained": explained}).items()}
    )


# -- predicted shares as tables --------------------------------------------------------


def is_register(fit: DataTree) -> bool:
    """Whether rows of a register were fitted, by combination of levels, and not single firms."""
    return "cell_rows" in fit["observed_data"]


def row_dimension(fit: DataTree) -> str:
    """Dimension of the rows: ``firm``, or ``row`` where firms repeat."""
    return str(fit["constant_data"]["design"].dims[0])


def unit_label(fit: DataTree) -> str:
    """What a row is called: a firm, or just a row where firms repeat."""
    repeated = row_dimension(fit) != "firm"
    return "row" if repeated or is_register(fit) else str(fit["constant_data"].attrs["firm_label"])


def printed_values(fit: DataTree) -> Array:
    """Values at which printed shares are counted, in percent.

    Those that can be printed; whole percents where these are very many, or where rows differ.
    """
    if is_register(fit):
        return fit["constant_data"]["printed_grid"].to_numpy()
    width = float(fit["constant_data"].attrs["rounding_width"])
    return grid(width if width * MOST_VALUES >= 100 else 1.0)


def grid_counts(fit: DataTree, group: str) -> tuple[Array, Array]:
    """How many firms or rows print each value, in every predicted set of data.

    First the values of :func:`printed_values`, (grid,), then the counts, (draw, grid).
    """
    values = printed_values(fit)
    if is_register(fit):
        return values, flat(fit[group].to_dataset()["printed_rows"]).astype(np.float64)
    return values, _counted(flat(outcomes(fit, group)), values)


def printed_means(fit: DataTree, group: str) -> Array:
    """Average printed share of every predicted set of data, in percent, (draw,)."""
    if not is_register(fit):
        return flat(outcomes(fit, group)).mean(axis=1)
    values, counts = grid_counts(fit, group)
    return counts @ values / counts.sum(axis=1)


def observed_counts(fit: DataTree) -> Array:
    """How many firms or rows print each value of :func:`printed_values`, (grid,)."""
    values = printed_values(fit)
    if is_register(fit):
        seen = fit["observed_data"].to_dataset()
        places = seen["cell_place"].to_numpy()
        return np.bincount(places, seen["cell_rows"].to_numpy(), len(values))
    return _counted(observed(fit)[None], values)[0]


def _counted(printed: Array, values: Array) -> Array:
    """How many shares of each set are nearest to each of evenly spaced values, (set, value)."""
    places = np.rint(printed / values[1]).astype(int).clip(0, len(values) - 1)
    shape = len(places), len(values)
    places += np.arange(shape[0])[:, None] * shape[1]
    return np.bincount(places.ravel(), minlength=math.prod(shape)).reshape(shape).astype(np.float64)


def _features(values: Array, counts: Array, step: float, who: str) -> dict[str, Array]:
    """Features of shares that a model may miss, of several sets of data.

    ``values`` in order, (value,); ``counts``: how often each set has them, (set, value); heaps are
    sought at the multiples of ``step``.
    """
    total = counts.sum(axis=1)
    scale = 100 / total if who.startswith("percent") else np.ones_like(total)
    is_round = np.isclose(np.mod(values + step / 4, step), step / 4, rtol=0, atol=1e-9)
    largest = counts.max(axis=1)
    most = counts == largest[:, None]
    middle = np.cumsum(most, axis=1) > most.sum(axis=1, keepdims=True) // 2
    last = counts.shape[1] - 1 - np.argmax(counts[:, ::-1] > 0, axis=1)
    mean = counts @ values / total
    deviations = (values - mean[:, None]) ** 2
    return {
        f"{who} at 0%": counts[:, values == 0].sum(axis=1) * scale,
        f"{who} at 100%": counts[:, values == 100].sum(axis=1) * scale,
        f"{who} at a multiple of {step:g}%": counts @ is_round * scale,
        # Of several the middle one.
        "most common share": values[middle.argmax(axis=1)],
        f"{who} at the most common share": largest * scale,
        "smallest share": values[np.argmax(counts > 0, axis=1)],
        "largest share": values[last],
        f"{who} at the largest share": counts[np.arange(len(counts)), last] * scale,
        "mean of the shares": mean,
        f"standard deviation between {'firms' if who != 'rows' else who}": np.sqrt(
            (counts * deviations).sum(axis=1) / (total - 1)
        ),
    }


def _features_of_rows(reported: Array, step: float, who: str) -> dict[str, Array]:
    """The same of the shares of single rows, (data set, row); few sets at once if values differ."""
    at_once = max(1, _MOST_COUNTED // len(np.unique(reported)))
    parts = []
    for first in range(0, len(reported), at_once):
        own = reported[first : first + at_once]
        values, places = np.unique(own, return_inverse=True)
        places = places.reshape(own.shape) + np.arange(len(own))[:, None] * len(values)
        counts = np.bincount(places.ravel(), minlength=len(own) * len(values))
        parts.append(_features(values, counts.reshape(len(own), -1).astype(float), step, who))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _of_groups(fit: DataTree, reported: Array) -> dict[str, Array]:
    """How far groups of rows differ in sets of data, and firms that repeat within themselves.

    ``reported`` (data set, row).
    """
    rows = rows_of(fit)
    found: dict[str, Array] = {}
    for group in groupings(fit).values():
        codes = fit["constant_data"][f"{group['name']}_code"].to_numpy()
        counts = np.bincount(codes, rows)
        means = np.stack([np.bincount(codes, rows * row) for row in reported]) / counts
        what = lowered(group["label"])
        found[f"standard deviation of the means by {what}"] = means.std(axis=1, ddof=1)
        if group["name"] == FIRM:
            squares = (reported - means[:, codes]) ** 2 @ rows
            within = np.sqrt(squares / (rows.sum() - len(counts)))
            found[f"standard deviation within {plural(what)}"] = within
    return found


def heap_step(width: float) -> float:
    """Distance of the round numbers at which heaps are sought, in percentage points.

    The next of 1, 5 and 10 that the printed values can reach; twice the width beyond.
    """
    steps = (1.0, 5.0, 10.0) if width else (5.0,)
    return next((s for s in steps if s >= 2 * width and is_multiple(s, width)), 2 * width)


def is_multiple(value: float, width: float) -> bool:
    """Whether a value is one of the printed values; where rows differ in width, each is."""
    return not width or bool(on_grid(np.array([value]), width)[0])


def predictive_checks(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Features of the data beside the same features of data predicted by the fit.

    Zeros, ceilings and heaps anywhere, level and spread, and how far groups differ.

    Columns: ``feature`` and those of :func:`.intervals.check_table`.
    """
    step = heap_step(float(fit["constant_data"].attrs["rounding_width"]))
    if is_register(fit):
        who, values = "percent of rows", printed_values(fit)
        counts = np.vstack([observed_counts(fit), grid_counts(fit, PREDICTED)[1]])
        found = _features(values, counts, step, who)
        each = flat(fit[PREDICTED].to_dataset()["mean_share"])
    else:
        who = "firms" if row_dimension(fit) == "firm" else "rows"
        each = flat(outcomes(fit, PREDICTED))
        found = _features_of_rows(np.vstack([observed(fit), each]), step, who)
    found |= _of_groups(fit, np.vstack([observed(fit), each]))
    seen = [float(own[0]) for own in found.values()]
    replicated = np.column_stack([own[1:] for own in found.values()])
    return check_table(fit, {"feature": list(found)}, seen, replicated, prob)


def predicted_firms(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Printed share of each firm, or row of a panel, beside what the fit predicts for it."""
    draws, row = outcomes(fit, PREDICTED), row_dimension(fit)
    columns = {row: texts(draws[row]), "observed": observed(fit)}
    return table_of(fit, columns, flat(draws), prob)


def combination_table(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Mean printed share of each combination of levels of a register, beside what is predicted.

    Columns: ``combination``, ``rows``, ``observed``, and those of :func:`.intervals.table_of` of
    the mean of as many predicted rows.
    """
    draws = fit[PREDICTED].to_dataset()["mean_share"]
    columns = {"combination": texts(draws["firm"]), "rows": rows_of(fit), "observed": observed(fit)}
    return table_of(fit, columns, flat(draws), prob)


def rows_by_level(fit: DataTree, predictor: str | None = None) -> tuple[str, list[str], Array]:
    """Rows of a register by printed value at each level of a predictor.

    By default of that with the most levels up to ``MOST_STRIPS``; where none has so few, all rows
    together, under an empty label.

    The label of the predictor, its levels, and the rows, (level, grid).

    Raises
    ------
    StudyError
        For a predictor that has no levels.
    """
    with_levels = {b["name"]: b for b in blocks(fit) if b["settings"] and has_levels(b)}
    if predictor is not None and predictor not in with_levels:
        raise StudyError(
            f"'{predictor}' has no levels; these predictors have: {listed(with_levels)}",
            value=predictor,
        )
    usable = [b for b in with_levels.values() if len(b["settings"]) <= MOST_STRIPS]
    if predictor is None and not usable:
        return "", ["all"], observed_counts(fit)[None]
    # max() keeps the first of equals: the study's own order decides.
    block = with_levels[predictor] if predictor else max(usable, key=lambda b: len(b["settings"]))
    seen = fit["observed_data"].to_dataset()
    firm, place, rows = (seen[f"cell_{name}"].to_numpy() for name in ("firm", "place", "rows"))
    at = membership(fit, block).argmax(axis=1)[firm]
    levels = [str(level) for level in block["settings"]]
    size = fit["constant_data"].sizes["grid"]
    counts = np.bincount(at * size + place, rows, len(levels) * size)
    return str(block["label"]), levels, counts.reshape(len(levels), size)


def observed_profiles(fit: DataTree, most: int = 8) -> list[dict[str, str]]:
    """Profiles of the firms of the study, the most common first.

    Numeric covariates are left out of a profile: hardly two firms share a value.
    """
    parts = [block for block in blocks(fit) if block["settings"] and has_levels(block)]
    if not parts:
        return []
    codes = np.column_stack([membership(fit, block).argmax(axis=1) for block in parts])
    found, first, inverse = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    counts = np.bincount(inverse.reshape(-1), rows_of(fit))
    # Of equals the first in the order of the firms; of a register in that of the levels.
    order = np.lexsort((np.arange(len(found)) if is_register(fit) else first, -counts))
    return [
        {b["name"]: b["settings"][code] for b, code in zip(parts, found[i], strict=True)}
        for i in order[:most]
    ]


def new_firm_table(fit: DataTree, prediction: Dataset, prob: float = CI_PROB) -> pd.DataFrame:
    """Expected and printed share of new firms, in percent.

    Columns: ``profile``, those of :func:`.intervals.table_of` of the expected printed share, and
    ``printed_median``, ``printed_low``, ``printed_high``: central values of the printed share
    itself, within the firms' own scatter.
    """
    draws = flat(prediction["expected_share"])
    table = table_of(fit, {"profile": texts(prediction["profile"])}, draws, prob)
    grid = prediction["grid"].to_numpy()
    cumulative = prediction["probability"].to_numpy().cumsum(axis=-1)
    for name, end in (("median", 0.5), ("low", (1 - prob) / 2), ("high", (1 + prob) / 2)):
        place = (cumulative < end - 1e-9).sum(axis=-1).clip(max=len(grid) - 1)
        table[f"printed_{name}"] = grid[place]
    return table
