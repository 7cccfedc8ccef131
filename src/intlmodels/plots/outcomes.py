"""Pictures of further outcomes: shares by level, and observed against predicted frequencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.rounding import intervals
from intlmodels.plots import style as s
from intlmodels.plots.style import Figure, styled
from intlmodels.results import outcomes
from intlmodels.results.intervals import CI_PROB, Array, converged
from intlmodels.study import FurtherOutcome, ShareStudy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from xarray import DataTree


#: Firms up to which each is named, and characters that a name may have.
MOST_NAMED, LONGEST_NAME = 60, 3
#: Characters of all labels of a legend that fit in a line.
MOST_IN_A_LINE = 60
#: Distance of neighbouring firms with about the same share, in levels.
STEP = 0.17
_MARKERS = ("o", "s", "^", "D")


@styled
def shares(study: ShareStudy, fit: DataTree | None = None, prob: float = CI_PROB) -> Figure:
    """Printed shares by level of a further outcome, marked by another one.

    Parameters
    ----------
    study : ShareStudy
        With further outcomes; see :func:`intlmodels.results.outcomes.crossing`.
    fit : xarray.DataTree, optional
        A fit of the share with the outcome as a predictor, whose expected shares are drawn
        beside the firms.
    prob : float
        Probability of the outer equal-tailed interval.
    """
    across, marked_by = outcomes.crossing(study)
    figure = s.new_figure(4.1, width=s.WIDTH + 0.6)
    axes = figure.subplots()
    _firms(axes, study, across, marked_by)
    if fit is not None:
        table, _ = outcomes.share_by_level(fit, across.name, prob)
        _expected(axes, table)
    counts = np.bincount(across.codes[across.known], minlength=len(across.levels))
    axes.set_xticks(
        range(len(across.levels)),
        [f"{s.wrapped(v, 13, 3)}\n({n})" for v, n in zip(across.levels, counts, strict=True)],
        parse_math=False,
    )
    axes.set_xlim(-0.65, len(across.levels) - 0.4)
    axes.tick_params(axis="x", length=0)
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.set_ylim(bottom=-2)
    axes.grid(axis="y")
    axes.set_ylabel(s.shortened(study.outcome.label, 44))
    axes.set_xlabel(s.shortened(across.label, 60))
    handles, labels = axes.get_legend_handles_labels()
    # Labels that do not fit beside each other stand below each other.
    columns = len(labels) if sum(map(len, labels)) <= MOST_IN_A_LINE else 1
    axes.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        borderpad=0,
        columnspacing=1.2,
        handletextpad=0.1,
        fontsize=8,
    )
    said = "bar of a firm: the shares that round to what is printed; in brackets: firms"
    if fit is not None:
        said += f"\nthick: 50 %, thin: {100 * prob:g} % equal-tailed interval of the expected share"
    s.caption_below(figure, said)
    return s.mark(figure, True if fit is None else fit)


def _firms(
    axes: Axes, study: ShareStudy, across: FurtherOutcome, marked_by: FurtherOutcome | None
) -> None:
    printed = study.outcome.printed
    lower, upper = (100 * end for end in intervals(printed, study.outcome.width))
    places = across.codes + _spread(across.codes, printed, max(3.0, 0.06 * float(printed.max())))
    if marked_by is None:
        groups = [("firms", across.known)]
    else:
        groups = [
            (level, across.known & marked_by.known & (marked_by.codes == i))
            for i, level in enumerate(marked_by.levels)
        ]
        unknown = across.known & ~marked_by.known
        groups += [("not known", unknown)] if unknown.any() else []
    for i, (level, here) in enumerate(groups):
        color = s.CYCLE[i % len(s.CYCLE)]
        axes.vlines(places[here], lower[here], upper[here], color=color, linewidth=5, alpha=0.25)
        axes.plot(
            places[here],
            printed[here],
            _MARKERS[i % len(_MARKERS)],
            color=color,
            markersize=4.6,
            linestyle="none",
            label=s.shortened(level, 26),
            zorder=3,
        )
    short = all(len(name) <= LONGEST_NAME for name in study.firms)
    if short and len(study.firms) <= MOST_NAMED:
        for firm in np.flatnonzero(across.known):
            axes.annotate(
                study.firms[firm],
                (places[firm], printed[firm]),
                xytext=(2.6, 2.2),
                textcoords="offset points",
                fontsize=8,
                zorder=5,
                parse_math=False,
            )


def _spread(codes: NDArray[np.intp], printed: Array, near: float) -> Array:
    """Sideways places of firms of one level whose shares are near each other."""
    offsets = np.zeros(len(printed))
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        members = members[np.argsort(printed[members], kind="stable")]
        breaks = np.flatnonzero(np.diff(printed[members]) >= near) + 1
        for together in np.split(members, breaks):
            width = STEP * min(1.0, 5 / len(together))
            offsets[together] = width * (np.arange(len(together)) - (len(together) - 1) / 2)
    return offsets


def _expected(axes: Axes, table: Any) -> None:
    """Expected share at each level, left of the firms."""
    places = np.arange(len(table)) - 0.47
    axes.vlines(places, table["ci_low"], table["ci_high"], color=s.MUTED, linewidth=1.1)
    axes.vlines(places, table["ci50_low"], table["ci50_high"], color=s.MUTED, linewidth=3.2)
    axes.plot(
        places,
        table["median"],
        "D",
        color=s.INK,
        markersize=4,
        markerfacecolor="white",
        linestyle="none",
        label="expected share",
        zorder=4,
    )


@styled
def frequencies(fits: Mapping[str, DataTree], prob: float = CI_PROB) -> Figure:
    """Firms at each level, observed and predicted, one panel a further outcome.

    Parameters
    ----------
    fits : mapping of str to DataTree
        Name of the outcome -> its fit.
    prob : float
        Probability of the outer equal-tailed predictive interval.
    """
    from matplotlib.ticker import MaxNLocator

    tables = [outcomes.frequencies(fit, prob) for fit in fits.values()]
    heights = [len(table) + 1.2 for table in tables]
    figure = s.new_figure(0.9 + 0.25 * sum(heights))
    panels = figure.subplots(len(tables), 1, height_ratios=heights, squeeze=False, sharex=True)
    for axes, table, fit in zip(panels[:, 0], tables, fits.values(), strict=True):
        places = np.arange(len(table), dtype=float)
        axes.hlines(places, table["ci_low"], table["ci_high"], color=s.SKY, linewidth=1.3)
        axes.hlines(
            places, table["ci50_low"], table["ci50_high"], color=s.BLUE, linewidth=3.5, alpha=0.7
        )
        axes.plot(table["median"], places, "|", color=s.INK, markersize=7)
        axes.plot(table["observed"], places, "D", color=s.ORANGE, markersize=4.2, zorder=4)
        s.row_labels(axes, places, [s.shortened(level, 30) for level in table["level"]])
        axes.set_ylim(len(table) - 0.4, -0.6)
        axes.set_title(s.shortened(fit["constant_data"].attrs["outcome_label"], 50))
        axes.grid(axis="x")
    panels[-1, 0].set_xlim(left=-0.5)
    panels[-1, 0].xaxis.set_major_locator(MaxNLocator(8, integer=True))
    panels[-1, 0].set_xlabel("Number of firms")
    s.caption_below(
        figure,
        "orange: as printed; dash: median of the predictions\n"
        f"thick: 50 %, thin: {100 * prob:g} % equal-tailed predictive interval",
    )
    return s.mark(figure, all(converged(fit) for fit in fits.values()))
