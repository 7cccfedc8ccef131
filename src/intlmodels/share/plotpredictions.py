"""Pictures of predicted shares on the printed grid: from the priors, and against the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intlmodels import plotstyle as s
from intlmodels.draws import flat
from intlmodels.plotstyle import Figure, styled
from intlmodels.results import CI_PROB, Array
from intlmodels.share import predictions, results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from xarray import DataTree

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
    grid, counts = predictions.grid_counts(fit, "prior_predictive")
    chance = 100 * counts.sum(axis=0) / counts.sum()
    printed = flat(results.outcomes(fit, "prior_predictive"))
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
    table = predictions.predicted_firms(fit, prob)
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

    grid, counts = predictions.grid_counts(fit, "posterior_predictive")
    cells = np.rint(results.observed(fit) / (grid[1] - grid[0])).astype(int)
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
