"""Pictures of a register: its shares by level, and predicted registers beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intlmodels.plots import style as s
from intlmodels.plots.style import Figure, styled
from intlmodels.results import cells
from intlmodels.results.intervals import CI_PROB, Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from xarray import DataTree


#: Bars of a picture at most; neighbouring values are taken together beyond.
MOST_BARS = 60
#: Combinations of levels shown beside their predictions: those with the most rows.
MOST_COMBINATIONS = 30


def coarser(values: Array, rows: Array) -> tuple[float, Array, Array]:
    """Width, centres and sums of neighbouring printed values taken together."""
    width = float(values[1] - values[0]) if len(values) > 1 else 1.0
    step = int(np.ceil(len(values) / MOST_BARS))
    starts = np.arange(0, len(values), step)
    centres = values[starts] + (step - 1) * width / 2
    return width * step, centres, np.add.reduceat(rows, starts, axis=-1)


@styled
def data(fit: DataTree, predictor: str | None = None) -> Figure:
    """Part of the rows that print each value, one strip a level of a predictor.

    Parameters
    ----------
    fit : xarray.DataTree
        Of a register.
    predictor : str, optional
        Categorical predictor or contrast; by default that with the most levels up to twelve.

    Raises
    ------
    StudyError
        For a predictor that has no levels.
    """
    label, levels, rows = cells.by_level(fit, predictor)
    width, centres, rows = coarser(cells.printed_values(fit), rows)
    parts = 100 * rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)
    figure = s.new_figure(0.95 + 0.6 * len(levels))
    panels = figure.subplots(len(levels), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, level, part, count in zip(panels, levels, parts, rows.sum(axis=1), strict=True):
        s.bars(axes, centres, part, 0.86 * width, s.BLUE)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        text = f"{s.shortened(level, 24)}\n{int(count):,}"
        axes.set_ylabel(text, rotation=0, ha="right", va="center", fontsize=8.5)
    panels[-1].set_xlim(-width, 100 + width)
    s.percent_axis(panels[-1], "Printed share", grid=False)
    by = f", by {label}" if label else ""
    s.caption_below(figure, f"height: part of the rows that print each share{by}")
    return figure


@styled
def prior_predictive(fit: DataTree) -> Figure:
    """What the priors imply before seeing data: the share of one row, and the average of all."""
    drawn = cells.predicted_rows(fit, "prior_predictive")
    values = cells.printed_values(fit)
    chance = (drawn / drawn.sum(axis=1, keepdims=True)).mean(axis=0)
    means = drawn @ values / drawn.sum(axis=1)
    width, centres, chance = coarser(values, 100 * chance)
    figure = s.new_figure(2.9)
    one, average = figure.subplots(1, 2)
    s.bars(one, centres, chance, 0.86 * width, s.PRIOR)
    one.set_title("One row")
    one.set_ylabel("Probability, percent")
    s.percent_axis(one, "Printed share", grid=False, ticks=4)
    heights, edges = np.histogram(means, bins=25, range=(0, 100))
    average.stairs(100 * heights / len(means), edges, fill=True, color=s.PRIOR)
    average.set_title("Average of all rows")
    average.set_xlim(0, 100)
    s.percent_axis(average, "Average printed share", grid=False, ticks=4)
    for axes in (one, average):
        axes.grid(axis="y")
        axes.set_ylim(bottom=0)
    s.caption_below(figure, "from the priors alone; no data have entered")
    return figure


@styled
def posterior_predictive(fit: DataTree, prob: float = CI_PROB) -> Figure:
    """Predicted registers against the register: printed values, and means of combinations."""
    table = cells.combination_table(fit, prob)
    table = table.nlargest(MOST_COMBINATIONS, "rows")
    below = 0.2 * len(table) + 0.6
    figure = s.new_figure(2.9 + below)
    above, means = figure.subplots(2, 1, height_ratios=[2.1, below])
    _values_panel(above, fit, prob)
    places = np.arange(len(table), dtype=float)
    means.hlines(places, table["ci_low"], table["ci_high"], color=s.BLUE, linewidth=3, alpha=0.7)
    means.plot(table["observed"], places, "D", color=s.ORANGE, markersize=3.6, zorder=4)
    s.row_labels(
        means,
        places,
        [
            f"{s.shortened(name, 30)} ({rows:,})"
            for name, rows in zip(table["combination"], table["rows"], strict=True)
        ],
    )
    means.tick_params(axis="y", labelsize=8)
    means.set_ylim(len(table) - 0.4, -0.6)
    means.set_title("Mean share by combination of levels")
    s.percent_axis(means, "Mean printed share")
    s.caption_below(
        figure,
        "orange: as printed; in brackets: rows\n"
        f"blue: {100 * prob:g} % equal-tailed predictive interval",
    )
    return s.mark(figure, fit)


def _values_panel(axes: Axes, fit: DataTree, prob: float) -> None:
    values = cells.printed_values(fit)
    drawn = cells.predicted_rows(fit, "posterior_predictive")
    both = np.vstack([drawn, cells.observed_rows(fit)])
    width, centres, both = coarser(values, 100 * both / both[-1].sum())
    low, high = np.quantile(both[:-1], [(1 - prob) / 2, (1 + prob) / 2], axis=0)
    s.bars(axes, centres, both[:-1].mean(axis=0), 0.86 * width, "#B9D3E6")
    axes.vlines(centres, low, high, color=s.BLUE, linewidth=2.4)
    axes.plot(centres, both[-1], "D", color=s.ORANGE, markersize=3.6, zorder=4)
    axes.grid(axis="y")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("Percent of the rows")
    axes.set_title("How many rows print each value")
    axes.set_xlim(-width, 100 + width)
    s.percent_axis(axes, "", grid=False)
