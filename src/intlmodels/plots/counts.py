"""Pictures of what a fit says about published counts, and about the cells behind them.

A count is compared with its own true value, which is drawn together with the parameters;
everything about single decisions is reconstructed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError
from intlmodels.core.formats import MINUS, counted, probability
from intlmodels.models.base import flat
from intlmodels.plots import style as s
from intlmodels.plots.decaydata import (
    FLAG_COLORS,
    MOST_ROWS,
    SIGNS,
    caption,
    events,
    few_whole,
    flag_words,
    group_name,
)
from intlmodels.plots.style import Figure, styled
from intlmodels.results import decay
from intlmodels.study.counts import FLAGS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from xarray import DataTree


Array = NDArray[np.float64]

#: How far from the printed number a count is drawn; what lies beyond is gathered at the edge.
FURTHEST = 12
#: Area of the dot of probability 1, in square points.
AREA = 85.0
#: Probability below which a dot could not be seen.
VISIBLE = 0.005


def _check_latent(fit: DataTree) -> None:
    if "table" not in fit["posterior"].to_dataset():
        raise StudyError("the decisions of this study are known: no count stands in their place")


# -- true values of the counts -----------------------------------------------------------


@styled
def true_counts(fit: DataTree, prob: float = 0.95) -> Figure:
    """How far the true value of each published count is from what was printed.

    Counts that are probably not as printed stand out.

    Parameters
    ----------
    fit : xarray.DataTree
    prob : float
        Probability of the equal-tailed interval.

    Raises
    ------
    StudyError
        If the decisions are known.
    """
    _check_latent(fit)
    table = decay.true_counts(fit, prob)
    off = flat(decay.estimands(fit)["true_count"]) - table["printed"].to_numpy()
    shown = _most_doubtful(table, MOST_ROWS)
    table, off = table.iloc[shown].reset_index(drop=True), off[:, shown]
    low, high = _reach(off, (table["relation"] == "equal").to_numpy())
    figure = s.new_figure(1.25 + 0.19 * max(len(table), 1))
    axes = figure.subplots()
    axes.axvline(0, color=s.MUTED, linewidth=0.8, zorder=0)
    for place, row in enumerate(table.itertuples()):
        _true_count(axes, place, row, off[:, place], (low, high))
    s.row_labels(
        axes,
        range(len(table)),
        [
            f"{s.shortened(row.count_label, 24)} {SIGNS[row.relation]} {row.printed}"
            for row in table.rename(columns={"count": "count_label"}).itertuples()
        ],
    )
    axes.tick_params(axis="y", labelsize=8)
    for label, doubted in zip(axes.get_yticklabels(), table["p_held"] < 0.5, strict=True):
        label.set_fontweight("bold" if doubted else "normal")
    axes.annotate(
        "Pr(as printed)", (1.02, -1.1), xycoords=("axes fraction", "data"), fontsize=8, va="center"
    )
    axes.set_ylim(len(table) - 0.4, -1.6)
    _whole_numbers(axes, low, high)
    axes.set_xlabel(f"True minus printed number of {events(fit, 22)}")
    left_out = decay.true_counts(fit, prob).shape[0] - len(table)
    caption(
        figure,
        f"area of a dot: its probability; line: {100 * prob:g} % equal-tailed interval",
        "triangle: this far or further; pale: just as well as printed",
        "orange, bold: probably not as printed; grey: taken as certain",
        f"{counted(left_out, 'count')} more likely to hold as printed: not shown"
        if left_out
        else "",
    )
    return s.mark(figure, fit)


def _most_doubtful(table: pd.DataFrame, most: int) -> NDArray[np.intp]:
    """Positions of the rows least likely to hold as printed, in their original order."""
    doubt = table["p_held"].to_numpy() + table["hard"].to_numpy()
    return np.sort(np.argsort(doubt, kind="stable")[:most])


def _reach(off: Array, equal: NDArray[np.bool_]) -> tuple[int, int]:
    """How far the axis goes: where counts that should be equal may lie, and a little more."""
    ends = np.quantile(off[:, equal], [0.0025, 0.9975], axis=0) if equal.any() else np.zeros(1)
    low, high = int(np.floor(ends.min())), int(np.ceil(ends.max()))
    return max(-FURTHEST, min(low, -2)), min(FURTHEST, max(high, 4))


def _true_count(axes: Axes, place: int, row: Any, off: Array, ends: tuple[int, int]) -> None:
    low, high = ends
    color = s.MUTED if row.hard else s.ORANGE if row.p_held < 0.5 else s.BLUE
    allowed = {"at least": (0, high + 1), "at most": (low - 1, 0)}.get(row.relation)
    if allowed:
        axes.hlines(place, *allowed, color=s.FAINT, linewidth=7, alpha=0.6, zorder=0.5)
    else:
        axes.plot(0, place, "|", color=s.INK, markersize=9, markeredgewidth=1.2, zorder=1)
    inner = np.clip([row.ci_low - row.printed, row.ci_high - row.printed], low - 1, high + 1)
    axes.hlines(place, *inner, color=color, linewidth=1.1)
    places, times = np.unique(np.clip(off, low - 1, high + 1), return_counts=True)
    chance = times / len(off)
    for marker, at in (
        ("<", places < low),
        ("o", (places >= low) & (places <= high)),
        (">", places > high),
    ):
        seen = at & (chance >= VISIBLE)
        if seen.any():
            axes.scatter(
                places[seen],
                np.full(seen.sum(), place),
                s=AREA * chance[seen],
                color=color,
                marker=marker,
                linewidth=0,
                zorder=3,
            )
    axes.annotate(
        "certain" if row.hard else probability(row.p_held),
        (1.02, place),
        xycoords=("axes fraction", "data"),
        fontsize=8,
        fontweight="bold" if row.p_held < 0.5 else "normal",
        color=s.MUTED if row.hard else s.INK,
        va="center",
    )


def _whole_numbers(axes: Axes, low: int, high: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlim(low - 1.4, high + 1.4)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{'+' if value > 0 else ''}{value:g}".replace("-", MINUS))
    )
    axes.grid(axis="x")


# -- cells -------------------------------------------------------------------------------


@styled
def cells(
    fit: DataTree,
    bounds: pd.DataFrame | None = None,
    prob: float = 0.95,
    *,
    basis: str = "the counts alone",
) -> Figure:
    """Reconstructed decisions by size, period and flag, beside what the counts alone allow.

    Parameters
    ----------
    fit : xarray.DataTree
    bounds : pandas.DataFrame, optional
        ``size``, ``period``, ``flag``, ``low`` and ``high``, as from the audit; without a
        number where there is no limit. Other rows are ignored.
    prob : float
        Probability of the outer equal-tailed interval.
    basis : str
        What the bounds rest on, in words.

    Raises
    ------
    StudyError
        If the decisions are known.
    """
    _check_latent(fit)
    table = decay.cells(fit, prob)
    table["place"] = _cell_places(table)
    known = _bounds(table, bounds)
    sizes, periods = (list(dict.fromkeys(table[name])) for name in ("size", "period"))
    end = 1.06 * max(float(table["ci_high"].max()), float(known["high"].max(skipna=True)), 1.0)
    figure = s.new_figure(1.35 + 0.52 * len(periods))
    panels = figure.subplots(1, len(sizes), sharex=True, sharey=True, squeeze=False)[0]
    for axes, size in zip(panels, sizes, strict=True):
        here = table["size"] == size
        _brackets(axes, known[here], end)
        for flag, color in zip(FLAGS, FLAG_COLORS, strict=True):
            rows = table[here & (table["flag"] == flag)]
            s.dots(axes, rows["place"], rows, color)
        axes.set_title(group_name(fit, size))
        axes.grid(axis="x")
        axes.set_xlim(-0.03 * end, end)
        axes.set_ylim(len(periods) - 0.4, -0.6)
        axes.set_xlabel(s.wrapped(events(fit), 20).capitalize())
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        few_whole(axes)
    s.row_labels(panels[0], range(len(periods)), [s.wrapped(p, 16) for p in periods])
    caption(
        figure,
        f"blue, above: {flag_words(fit)}; orange, below: the others",
        "all of them reconstructed"
        + (f"; grey: what {basis} allow" if known["low"].notna().any() else ""),
        s.interval_words(prob),
    )
    return s.mark(figure, fit)


def _cell_places(table: pd.DataFrame) -> Array:
    """One line a period; above it the decisions with the flag, below it those without."""
    periods = list(dict.fromkeys(table["period"]))
    beside = np.where(table["flag"] == FLAGS[1], -0.17, 0.17)
    return np.array([periods.index(name) for name in table["period"]]) + beside


def _bounds(table: pd.DataFrame, bounds: pd.DataFrame | None) -> pd.DataFrame:
    """Bounds of each cell of the table, missing where nobody gave them."""
    keys = ["size", "period", "flag"]
    if bounds is None:
        return table[["place"]].assign(low=np.nan, high=np.nan)
    given = bounds[[*keys, "low", "high"]].astype({"low": float, "high": float})
    found = table[[*keys, "place"]].merge(given.drop_duplicates(keys), "left", on=keys)
    return found.replace(np.inf, np.nan).set_index(table.index)


def _brackets(axes: Axes, known: pd.DataFrame, end: float) -> None:
    known = known[known["low"].notna()]
    open_ended = known["high"].isna().to_numpy()
    high = known["high"].fillna(2 * end).to_numpy()
    axes.hlines(known["place"], known["low"], high, color=s.FAINT, linewidth=9, zorder=0.5)
    for ends, places in (
        (known["low"], known["place"]),
        (high[~open_ended], known["place"][~open_ended]),
    ):
        axes.plot(ends, places, "|", color=s.PRIOR, markersize=10, markeredgewidth=1.3, zorder=0.6)
