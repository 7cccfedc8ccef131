"""Pictures of estimated shares: levels, differences, ranks, variation, new firms, variants."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from intlmodels.core.errors import StudyError, listed
from intlmodels.core.formats import probability
from intlmodels.models.base import flat
from intlmodels.plots import style as s
from intlmodels.plots.style import Figure, styled
from intlmodels.results import share
from intlmodels.results.intervals import CI_PROB, Array, clearest

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from xarray import Dataset, DataTree


#: Firms up to which each is named beside its prediction.
MOST_NAMED = 60


@styled
def prior_predictive(fit: DataTree) -> Figure:
    """What the priors imply before seeing data: printed shares of one firm, and the average.

    Parameters
    ----------
    fit : xarray.DataTree
        With the group ``prior_predictive``.
    """
    grid, counts = share.grid_counts(fit, "prior_predictive")
    chance = 100 * counts.sum(axis=0) / counts.sum()
    printed = flat(share.outcomes(fit, "prior_predictive"))
    figure = s.new_figure(2.9)
    one, average = figure.subplots(1, 2)
    width, grid, chance = _cells(grid, chance[None])
    s.bars(one, grid, chance[0], 0.86 * width, s.PRIOR)
    one.set_title("One firm")
    one.set_ylabel("Probability, percent")
    s.percent_axis(one, "Printed share", grid=False, ticks=4)
    means = printed.mean(axis=1)
    heights, edges = np.histogram(means, bins=25, range=(0, 100))
    average.stairs(100 * heights / len(means), edges, fill=True, color=s.PRIOR)
    average.set_title(f"Average of {printed.shape[1]} firms")
    average.set_xlim(0, 100)
    s.percent_axis(average, "Average printed share", grid=False, ticks=4)
    for axes in (one, average):
        axes.grid(axis="y")
        axes.set_ylim(bottom=0)
    s.caption_below(figure, "from the priors alone; no data have entered")
    return figure


def _cells(grid: Array, values: Array, most: int = 60) -> tuple[float, Array, Array]:
    """Width, centre and sum of cells of neighbouring printed values."""
    width = float(grid[1] - grid[0]) if len(grid) > 1 else 1.0
    step = int(np.ceil(len(grid) / most))
    starts = np.arange(0, len(grid), step)
    centers = grid[starts] + (step - 1) * width / 2
    return width * step, centers, np.add.reduceat(values, starts, axis=-1)


@styled
def posterior_predictive(fit: DataTree, prob: float = CI_PROB) -> Figure:
    """Predictions against data on the printed grid: counts per value, and firm by firm.

    Parameters
    ----------
    fit : xarray.DataTree
    prob : float
        Probability of the outer equal-tailed interval.
    """
    table = share.predicted_firms(fit, prob)
    named = len(table) <= MOST_NAMED
    below = 0.175 * len(table) + 0.5 if named else 4.0
    figure = s.new_figure(2.9 + below)
    above, firms = figure.subplots(2, 1, height_ratios=[2.1, below])
    _counts_panel(above, fit, prob)
    order = np.lexsort((table["median"], table["observed"]))
    table = table.iloc[order]
    places = np.arange(len(table), dtype=float)
    thick = 1.0 if named else 0.5
    firms.hlines(places, table["ci_low"], table["ci_high"], color=s.SKY, linewidth=1.2 * thick)
    firms.hlines(
        places, table["ci50_low"], table["ci50_high"], color=s.BLUE, linewidth=3 * thick, alpha=0.7
    )
    firms.plot(
        table["observed"], places, "D", color=s.ORANGE, markersize=3.8 if named else 1.8, zorder=4
    )
    if named:
        s.row_labels(firms, places, [s.shortened(name, 24) for name in table["firm"]])
    else:
        firms.set_yticks([])
        firms.spines["left"].set_visible(False)
    firms.set_ylim(len(table) - 0.3, -0.7)
    reach = max(above.get_xlim()[1], float(table["ci_high"].max()) + 2)
    for axes in (above, firms):
        axes.set_xlim(above.get_xlim()[0], reach)
    s.percent_axis(firms, "Printed share")
    firms.set_title("Each firm, predicted again")
    s.caption_below(
        figure,
        "orange: as printed; dash: mean of the predictions\n"
        f"thick: 50 %, thin: {100 * prob:g} % equal-tailed predictive interval",
    )
    return s.mark(figure, fit)


def _counts_panel(axes: Axes, fit: DataTree, prob: float) -> None:
    from matplotlib.ticker import MaxNLocator

    grid, counts = share.grid_counts(fit, "posterior_predictive")
    cells = np.rint(share.observed(fit) / (grid[1] - grid[0])).astype(int)
    seen = np.bincount(cells.clip(0, len(grid) - 1), minlength=len(grid))
    width, centers, both = _cells(grid, np.vstack([counts, seen]))
    drawn, seen = both[:-1], both[-1]
    ends = [(1 - prob) / 2, 0.25, 0.5, 0.75, (1 + prob) / 2]
    low, quarter, _, three, high = np.quantile(drawn, ends, axis=0)
    axes.vlines(centers, low, high, color=s.SKY, linewidth=2)
    axes.vlines(centers, quarter, three, color=s.BLUE, linewidth=4.5, alpha=0.7)
    last = _last(centers, high, seen)
    shown = centers <= last
    axes.plot(centers[shown], drawn.mean(axis=0)[shown], "_", color=s.INK, markersize=6)
    axes.plot(centers[shown], seen[shown], "D", color=s.ORANGE, markersize=4.2, zorder=4)
    axes.grid(axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_ylim(bottom=-0.3)
    axes.set_ylabel("Number of firms")
    axes.set_title("How many firms print each value")
    axes.set_xlim(-width, last + width)
    s.percent_axis(axes, "", grid=False)


def _last(centers: Array, high: Array, seen: Array) -> float:
    """The largest printed value that was seen or is predicted."""
    return float(centers[np.flatnonzero((high > 0) | (seen > 0))[-1]])


# -- pictures of estimated shares ------------------------------------------------------

#: Rows of a picture of differences; the widest evidence is shown first.
MOST_ROWS = 30
#: Comparisons shown side by side across variants.
MOST_PANELS = 9

# -- estimates ---------------------------------------------------------------------------


@styled
def estimates(fit: DataTree, predictor: str | None = None, prob: float = CI_PROB) -> Figure:
    """Average expected printed share at each level of each predictor, the others as observed.

    Parameters
    ----------
    fit : xarray.DataTree
    predictor : str, optional
        Show only this one.
    prob : float
        Probability of the outer equal-tailed interval.
    """
    table = _only(share.levels(fit, prob), predictor)
    groups = list(dict.fromkeys(table["predictor"]))
    texts = [
        f"{s.wrapped(level, 24)} ({firms})"
        for level, firms in zip(table["level"], table["firms"], strict=True)
    ]
    step = 1.5 if any("\n" in text for text in texts) else 1.1
    figure = s.new_figure(1.0 + s.ROW * (len(table) * step + 1.5 * len(groups)))
    axes = figure.subplots()
    center = share.average(fit, prob)["median"].iloc[0]
    places, position = [], 0.0
    for i, name in enumerate(groups):
        rows = table[table["predictor"] == name]
        here = position + 1.1 + step * np.arange(len(rows))
        axes.annotate(
            s.shortened(rows["label"].iloc[0], 50),
            (0, here[0] - 1.0),
            xycoords=("axes fraction", "data"),
            fontsize=9,
            fontweight="bold",
            va="center",
        )
        s.dots(axes, here, rows, s.CYCLE[i % len(s.CYCLE)])
        places += list(here)
        position = here[-1] + 1.3
    axes.axvline(center, color=s.MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    if places:
        s.row_labels(axes, places, texts)
        axes.set_ylim(position, -0.6)
        axes.set_xlim(*_share_limits(table))
    _scale(axes, fit, "Average {what}")
    key = "\n".join(["", *textwrap.wrap(share.measured(fit).key, 76)])
    s.caption_below(
        figure,
        f"{s.interval_words(prob)}\ndashed: average of all firms; in brackets: number of firms"
        + key,
    )
    return s.mark(figure, fit)


def _scale(axes: Axes, fit: DataTree, label: str, *, signed: bool = False) -> None:
    """Label the horizontal axis with what the fit is about, in its unit."""
    scale = share.measured(fit)
    text = label.format(what=s.shortened(scale.what, 44), points=scale.points)
    s.percent_axis(axes, text, signed=signed)
    if not scale.percent and not signed:
        axes.xaxis.set_major_formatter("{x:g}")


def _share_limits(table: pd.DataFrame) -> tuple[float, float]:
    low, high = table["ci_low"].min(), table["ci_high"].max()
    pad = 0.06 * max(high - low, 1e-6)
    return max(-1.0, low - pad) if low - pad > 0.15 * high else -0.02 * high, min(101, high + pad)


def _only(table: pd.DataFrame, predictor: str | None) -> pd.DataFrame:
    if predictor is None:
        return table
    rows = table[table["predictor"] == predictor]
    if not len(rows):
        raise StudyError(
            f"nothing is compared for '{predictor}'; expected one of "
            f"{listed(dict.fromkeys(table['predictor']))}",
            value=predictor,
        )
    return rows


@styled
def differences(fit: DataTree, predictor: str | None = None, prob: float = CI_PROB) -> Figure:
    """Pairwise differences of expected printed shares, with the probability of direction.

    Parameters
    ----------
    fit : xarray.DataTree
    predictor : str, optional
        Show only this one. Of many differences those with the clearest direction are shown.
    prob : float
        Probability of the outer equal-tailed interval.
    """
    table = _only(share.differences(fit, prob), predictor)
    everything = len(table)
    table = clearest(table, MOST_ROWS)
    groups = list(dict.fromkeys(table["predictor"]))
    texts = [
        f"{s.wrapped(a, 27, 1)}\nminus {s.wrapped(b, 27, 1)}"
        for a, b in zip(table["level"], table["against"], strict=True)
    ]
    figure = s.new_figure(1.15 + 0.36 * max(len(table), 1))
    axes = figure.subplots()
    places = np.arange(len(table), dtype=float)
    axes.axvline(0, color=s.INK, linewidth=0.9)
    for i, name in enumerate(groups):
        here = (table["predictor"] == name).to_numpy()
        s.dots(axes, places[here], table[here], s.CYCLE[i % len(s.CYCLE)])
    for place, row in zip(places, table.itertuples(), strict=True):
        sign = ">" if row.p_positive >= 0.5 else "<"
        axes.annotate(
            f"Pr({sign} 0) {probability(row.p_direction)}",
            (1.01, place),
            xycoords=("axes fraction", "data"),
            fontsize=8,
            va="center",
        )
    s.row_labels(axes, places, texts)
    axes.tick_params(axis="y", labelsize=8)
    axes.set_ylim(len(table) - 0.4, -0.6)
    _scale(axes, fit, "Difference in {points}", signed=True)
    left_out = everything - len(table)
    note = f"\n{left_out} differences with a less clear direction are not shown" * bool(left_out)
    s.caption_below(figure, s.interval_words(prob) + note)
    return s.mark(figure, fit)


@styled
def ranks(fit: DataTree, predictor: str | None = None) -> Figure:
    """Probability that a level has the largest, second largest ... expected share.

    Parameters
    ----------
    fit : xarray.DataTree
    predictor : str, optional
        By default all predictors with ranks, at most six.
    """
    table = _only(share.ranks(fit), predictor)
    groups = list(dict.fromkeys(table["predictor"]))[:6]
    parts = [table[table["predictor"] == name] for name in groups]
    sizes = [part["level"].nunique() for part in parts]
    heights = [max(2, min(size, 40)) * (0.3 if size <= 12 else 0.17) + 0.75 for size in sizes]
    figure = s.new_figure(max(1.0, sum(heights)) + 0.2)
    if not parts:
        return s.mark(figure, fit)
    panels = figure.subplots(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, part, size in zip(panels, parts, sizes, strict=True):
        _rank_tiles(axes, part, size)
    return s.mark(figure, fit)


def _rank_tiles(axes: Axes, part: pd.DataFrame, size: int) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("ranks", ["#FFFFFF", "#9CC7E4", s.BLUE])
    values = part["probability"].to_numpy().reshape(size, size)
    names = part["level"].to_numpy()[::size]
    # Levels from the likeliest first to the likeliest last.
    order = np.argsort(values @ np.arange(size), kind="stable")
    values = values[order]
    axes.imshow(values, cmap=shades, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    if size <= 8:  # beyond, the numbers would not fit their tiles
        for i, j in np.ndindex(size, size):
            dark = values[i, j] > 0.6
            axes.text(
                j,
                i,
                probability(values[i, j]).replace(" ", ""),
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else s.INK,
            )
    s.row_labels(axes, range(size), [s.shortened(names[i], 30) for i in order])
    ticks = range(size) if size <= 12 else range(0, size, max(1, size // 8))
    axes.set_xticks(list(ticks), [str(t + 1) for t in ticks])
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel("rank by expected share (1 = largest)", fontsize=8.5)
    axes.set_title(s.shortened(part["label"].iloc[0], 50))
    axes.spines[:].set_visible(False)


@styled
def variation(fit: DataTree, prob: float = CI_PROB) -> Figure:
    """Each source's part of the variation of shares between firms."""
    table = share.variation(fit, prob)
    figure = s.new_figure(0.95 + 0.32 * max(1, len(table)))
    axes = figure.subplots()
    places = np.arange(len(table), dtype=float)
    left = (table["source"] == share.NOT_EXPLAINED).to_numpy()
    s.dots(axes, places[~left], table[~left], s.BLUE)
    s.dots(axes, places[left], table[left], s.MUTED)
    s.row_labels(axes, places, [s.wrapped(label, 28) for label in table["label"]])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(min(-1.0, float(table["ci_low"].min()) - 1) if len(table) else -1, 101)
    s.percent_axis(axes, "Part of the variation between firms")
    s.caption_below(figure, s.interval_words(prob))
    return s.mark(figure, fit)


# -- new firms ---------------------------------------------------------------------------


@styled
def new_firms(prediction: Dataset, passed: bool = True, prob: float = CI_PROB) -> Figure:
    """Predicted printed share of new firms, one strip a profile.

    Parameters
    ----------
    prediction : xarray.Dataset
        From :func:`intlmodels.predict`.
    passed : bool
        Whether the fit passed the gate.
    prob : float
        Probability of the outer equal-tailed interval.
    """
    grid = prediction["grid"].to_numpy()
    chance = 100 * prediction["probability"].to_numpy()
    grid, chance = _coarser(grid, chance)
    names = [str(name) for name in prediction["profile"].to_numpy()]
    figure = s.new_figure(0.95 + 0.62 * len(names))
    panels = figure.subplots(len(names), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    width = float(grid[1] - grid[0]) if len(grid) > 1 else 1.0
    cumulative = chance.cumsum(axis=1) / 100
    for i, (axes, name) in enumerate(zip(panels, names, strict=True)):
        ends = [(1 - prob) / 2, (1 + prob) / 2]
        low, high = (int((cumulative[i] < end - 1e-9).sum()) for end in ends)
        inside = (np.arange(len(grid)) >= low) & (np.arange(len(grid)) <= high)
        colors = np.where(inside, s.BLUE, "#B9D3E6")
        s.bars(axes, grid, chance[i], 0.86 * width, colors)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_ylabel(s.wrapped(name, 25, 3), rotation=0, ha="right", va="center", fontsize=8.5)
    panels[-1].set_xlim(grid[0] - width, grid[-1] + width)
    panels[-1].set_ylim(0, 1.05 * float(chance.max()))
    s.percent_axis(panels[-1], "Printed share of a new firm", grid=False)
    s.caption_below(
        figure,
        f"height: probability of each printed share\ndark: {100 * prob:g} % equal-tailed interval",
    )
    return s.mark(figure, passed)


def _coarser(grid: Array, chance: Array, most: int = 60) -> tuple[Array, Array]:
    """Neighbouring printed values taken together, so that bars can be seen."""
    step = int(np.ceil(len(grid) / most))
    if step == 1:
        return grid, chance
    starts = np.arange(0, len(grid), step)
    return grid[starts] + step * (grid[1] - grid[0]) / 2, np.add.reduceat(chance, starts, axis=1)


# -- variants ----------------------------------------------------------------------------


@styled
def variants(table: pd.DataFrame | Mapping[str, DataTree], prob: float = CI_PROB) -> Figure:
    """Differences between levels, side by side across the variants of the model.

    Parameters
    ----------
    table : pandas.DataFrame or mapping of str to DataTree
        From :func:`intlmodels.results.share.compare_variants`, or the fits themselves.
    prob : float
        Probability of the outer equal-tailed interval, where fits are given.
    """
    if isinstance(table, Mapping):
        table = share.compare_variants(table, prob)
    names = list(dict.fromkeys(table["variant"]))
    shown = share.COMPARED.rows(table)
    keys = list(share.COMPARED.key)
    own = clearest(shown[shown["variant"] == names[0]], MOST_PANELS)
    chosen = [tuple(row) for row in own[keys].itertuples(index=False)]
    if not chosen:  # nothing is compared: the average of all firms
        shown = table[table["quantity"] == "average"].assign(**dict.fromkeys(keys, ""))
        chosen = [("", "", "")]
    columns = min(s.across(3), len(chosen))
    rows = int(np.ceil(len(chosen) / columns))
    figure = s.new_figure(0.6 + rows * (0.65 + 0.17 * len(names)), width=s.WIDTH + 0.6)
    grid = figure.subplots(rows, columns, sharey=True, sharex=True, squeeze=False)
    for axes in grid.ravel()[len(chosen) :]:
        axes.set_visible(False)
    for axes, key in zip(grid.ravel(), chosen, strict=False):
        if key[1]:
            axes.axvline(0, color=s.INK, linewidth=0.8)
            title = s.wrapped(f"{key[1]} minus {key[2]}", 22, 3)
            axes.set_title(title, fontsize=8, fontweight="normal")
        part = shown[(shown[keys] == list(key)).all(axis=1)]
        s.variant_dots(axes, part, names, hollow=True)
    for axes in grid[:, 0]:
        s.row_labels(axes, range(len(names)), [s.shortened(name, 20) for name in names])
        axes.tick_params(axis="y", labelsize=8)
    compared = chosen[0] != ("", "", "")
    for place, axes in enumerate(grid.ravel()[: len(chosen)]):
        last = place + columns >= len(chosen)
        axes.tick_params(axis="x", labelbottom=last, labelsize=8)
        s.percent_axis(axes, "", signed=compared)
    failed = "; red cross: did not converge" if not table["converged"].all() else ""
    s.caption_below(
        figure,
        f"{'difference in percentage points' if compared else 'average expected printed share'}; "
        f"hollow grey: for comparison only{failed}\n"
        + s.interval_words(float(shown["ci_prob"].iloc[0])),
    )
    return s.mark(figure, bool(table.loc[table["variant"] == names[0], "converged"].all()))
