"""Pictures of clusters: what is expected in each, and what predictors make a difference there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intlmodels import plotstyle as s
from intlmodels.errors import StudyError
from intlmodels.plotstyle import Figure, styled
from intlmodels.results import CI_PROB
from intlmodels.share import clustertables as tables
from intlmodels.share import results

if TYPE_CHECKING:
    from xarray import DataTree

#: Clusters up to which each is named.
MOST_NAMED = 60
#: Height of the picture of more, in rows of named ones.
UNNAMED_ROWS = 24
#: Comparisons side by side.
MOST_PANELS = 4


def require_clusters(fit: DataTree) -> None:
    """Refuse a fit whose study has no clusters.

    Raises
    ------
    StudyError
        If it has none.
    """
    if not tables.has_clusters(fit):
        raise StudyError(
            "this fit has no clusters; expected one of a study with [cluster]",
            value=str(fit.attrs["study"]),
        )


@styled
def clusters(fit: DataTree, prob: float = CI_PROB) -> Figure:
    """Expected printed share in each cluster, beside the average of what its firms print.

    Parameters
    ----------
    fit : xarray.DataTree
        Of a study with clusters.
    prob : float
        Probability of the outer equal-tailed interval.

    Raises
    ------
    StudyError
        If the study has no clusters.
    """
    require_clusters(fit)
    table = tables.by_cluster(fit, prob).sort_values("median", ascending=False, kind="stable")
    named = len(table) <= MOST_NAMED
    step = 1.0 if named else UNNAMED_ROWS / len(table)
    places = step * np.arange(len(table), dtype=float)
    figure = s.new_figure(1.25 + 0.3 * (places[-1] + 1))
    axes = figure.subplots()
    center = results.average(fit, prob)["median"].iloc[0]
    axes.axvline(center, color=s.MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    s.dots(axes, places, table, s.BLUE, size=5.0 if named else 1.0)
    printed = table["printed_mean"]
    if named:
        # Above the interval, with a line down to the median, so that neither hides the other.
        above, median = places - 0.3, table["median"]
        axes.plot([printed, median], [above, places], color=s.ORANGE, linewidth=0.8, zorder=2)
        axes.plot(printed, above, "D", color=s.ORANGE, markersize=4.2, zorder=4)
        texts = [
            f"{s.shortened(name, 26)} ({firms})"
            for name, firms in zip(table["cluster"], table["firms"], strict=True)
        ]
        s.row_labels(axes, places, texts)
    else:
        axes.plot(printed, places, ",", color=s.ORANGE, zorder=4)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    axes.set_ylim(places[-1] + 0.6, -0.9)
    low = min(float(table["ci_low"].min()), float(printed.min()))
    high = max(float(table["ci_high"].max()), float(printed.max()))
    pad = 0.05 * max(high - low, 1e-6)
    axes.set_xlim(max(-1.0, low - pad), min(101.0, high + pad))
    s.percent_axis(axes, "Expected printed share, average of the cluster's own firms")
    far = ", and how far from it" if named else ""
    brackets = "; in brackets: number of firms" if named else ""
    s.caption_below(
        figure,
        f"{s.interval_words(prob)}\norange: average of what the firms print{far}"
        f"\ndashed: average of all firms{brackets}",
    )
    return s.mark(figure, fit)


@styled
def cluster_differences(fit: DataTree, prob: float = CI_PROB) -> Figure:
    """What predictors make a difference of within each cluster, and over all firms.

    Of each predictor the comparison with the clearest direction over all firms, of at most four
    predictors.

    Parameters
    ----------
    fit : xarray.DataTree
        Of a study with clusters.
    prob : float
        Probability of the outer equal-tailed interval.

    Raises
    ------
    StudyError
        If the study has no clusters.
    """
    require_clusters(fit)
    chosen = tables.main_comparisons(fit, prob)[:MOST_PANELS]
    table = tables.differences(fit, prob)
    names = list(dict.fromkeys(table["cluster"]))[: MOST_NAMED + 1]
    columns = max(1, min(s.across(3), len(chosen)))
    rows = max(1, int(np.ceil(len(chosen) / columns)))
    figure = s.new_figure(0.8 + rows * (0.85 + 0.2 * len(names)), width=s.WIDTH + 0.6)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.ravel()[len(chosen) :]:
        axes.set_visible(False)
    for place, (axes, key) in enumerate(zip(grid.ravel(), chosen, strict=False)):
        part = table[(table[["predictor", "level", "against"]] == list(key)).all(axis=1)]
        part = part[part["cluster"].isin(names)]
        at = np.array([names.index(name) for name in part["cluster"]], dtype=float)
        whole = (part["cluster"] == tables.ALL).to_numpy()
        alone = ((part["firms_level"] == 0) | (part["firms_against"] == 0)).to_numpy()
        axes.axvline(0, color=s.INK, linewidth=0.8)
        s.dots(axes, at[whole], part[whole], s.INK, size=4)
        s.dots(axes, at[~whole & ~alone], part[~whole & ~alone], s.BLUE, size=4)
        s.dots(axes, at[~whole & alone], part[~whole & alone], s.MUTED, size=4, hollow=True)
        title = s.wrapped(f"{part['label'].iloc[0]}: {key[1]} minus {key[2]}", 24, 4)
        axes.set_title(title, fontsize=8, fontweight="normal")
        last = place + columns >= len(chosen)
        axes.tick_params(axis="x", labelbottom=last, labelsize=8)
        axes.tick_params(axis="y", length=0)
        s.percent_axis(axes, "", signed=True, ticks=4)
        axes.set_ylim(len(names) - 0.4, -0.6)
    for axes in grid[:, 0]:
        s.row_labels(axes, range(len(names)), [s.shortened(name, 22) for name in names])
        axes.tick_params(axis="y", labelsize=8)
    s.caption_below(
        figure,
        "difference in percentage points, over the firms of the cluster\nhollow grey: no firm of "
        f"the cluster stands at one of the two levels\n{s.interval_words(prob)}",
    )
    return s.mark(figure, fit)
