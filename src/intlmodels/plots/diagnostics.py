"""Pictures that say whether to believe a fit of any model: prior and posterior, the chains."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.formats import counted
from intlmodels.plots import style as s
from intlmodels.plots.style import Figure, styled
from intlmodels.results import intervals

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from xarray import DataTree


Array = NDArray[np.float64]

#: Parameters shown in small multiples; the others are in the table.
MOST_PARAMETERS = 18


@styled
def prior_posterior(fit: DataTree) -> Figure:
    """Posterior against prior, one small panel a parameter, each on its own scale.

    Parameters
    ----------
    fit : xarray.DataTree
        With the groups ``prior`` and ``posterior``.
    """
    after = intervals.parameter_draws(fit, "posterior")
    before = intervals.parameter_draws(fit, "prior")
    names = [name for name in after if name in before][:MOST_PARAMETERS]
    columns = 3
    rows = max(1, int(np.ceil(len(names) / columns)))
    figure = s.new_figure(0.55 + 1.12 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    positive = {
        name
        for name, prior in json.loads(fit.attrs["priors"]).items()
        if prior["support"] == "positive"
    }
    for axes in grid.ravel()[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(grid.ravel(), names, strict=False):
        _two_densities(axes, before[name][1].ravel(), after[name][1].ravel(), name in positive)
        axes.set_title(s.wrapped(_in_words(name), 24), fontsize=8, fontweight="normal")
    more = len(after) - len(names)
    note = f"; {counted(more, 'more parameter')} in the table" if more else ""
    s.caption_below(figure, f"grey: prior; blue: posterior{note}")
    return s.mark(figure, fit)


def _in_words(name: str) -> str:
    """``product[Precision Optics]`` as a title that can be broken at blanks."""
    return name.replace("[", ": ", 1).removesuffix("]") if "[" in name else name


def _two_densities(axes: Axes, before: Array, after: Array, positive: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    low, high = map(float, np.quantile(before, [0.005, 0.995]))
    inner = np.quantile(after, [0.001, 0.999])
    # A wide prior is cut rather than the posterior squeezed into a spike.
    reach = 6 * max(np.ptp(inner), 1e-9)
    low, high = max(low, inner[0] - reach), min(high, inner[1] + reach)
    low, high = float(min(low, inner[0])), float(max(high, inner[1]))
    if positive:
        low = 0.0
    for draws, color, cells, fill in ((before, s.PRIOR, 25, 0.3), (after, s.BLUE, 35, 0.45)):
        counts, edges = np.histogram(draws, bins=cells, range=(low, high))
        heights = counts / (len(draws) * np.diff(edges))
        axes.stairs(heights, edges, fill=True, color=color, alpha=fill, linewidth=0)
        axes.stairs(heights, edges, color=color, linewidth=1.0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlim(low, high)


# -- chains ------------------------------------------------------------------------------


def chains(fit: DataTree, most: int = 6) -> Figure:
    """Rank histograms of the parameters that mixed worst, one line a chain.

    Ranks are over the draws of all chains: lines that stay within the band say that the
    chains are draws of the same distribution (Vehtari et al. 2021, Bayesian Analysis 16(2)).

    Parameters
    ----------
    fit : xarray.DataTree
    most : int
        How many parameters.
    """
    return drawn_chains(fit, intervals.parameters(fit), most)


@styled
def drawn_chains(fit: DataTree, table: pd.DataFrame, most: int = 6) -> Figure:
    """The same from a table of :func:`.intervals.parameters`."""
    worst = table.sort_values("rhat", ascending=False, kind="stable")["name"].tolist()[:most]
    found = intervals.parameter_draws(fit, "posterior")
    columns = min(3, max(1, len(worst)))
    rows = max(1, int(np.ceil(len(worst) / columns)))
    figure = s.new_figure(0.7 + 1.3 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.ravel()[len(worst) :]:
        axes.set_visible(False)
    for axes, name in zip(grid.ravel(), worst, strict=False):
        _rank_lines(axes, found[name][1])
        axes.set_title(s.wrapped(_in_words(name), 22), fontsize=8, fontweight="normal")
    for axes in grid[:, 0]:
        axes.set_ylabel("times expected", fontsize=8)
    s.caption_below(
        figure,
        "rank among the draws of all chains; one line a chain\ngrey: where independent chains fall",
    )
    return s.mark(figure, fit)


def _rank_lines(axes: Axes, draws: Array, cells: int = 20) -> None:
    count, length = draws.shape
    ranks = draws.ravel().argsort(kind="stable").argsort(kind="stable").reshape(draws.shape)
    expected = length / cells
    # About three standard errors of a bin count, for draws that are independent.
    reach = 3 * np.sqrt((1 - 1 / cells) / expected)
    axes.axhspan(1 - reach, 1 + reach, color=s.FAINT, alpha=0.6, linewidth=0)
    for chain in range(count):
        heights, edges = np.histogram(ranks[chain], bins=cells, range=(0, draws.size))
        axes.stairs(
            heights / expected,
            edges / draws.size,
            baseline=None,
            color=s.CYCLE[chain % len(s.CYCLE)],
            linewidth=1.0,
        )
    axes.set_xticks([0, 1], ["lowest", "highest"])
    axes.tick_params(axis="both", labelsize=8)
    lowest, highest = axes.get_ylim()
    axes.set_ylim(min(lowest, 0.5), max(highest, 1.5))
