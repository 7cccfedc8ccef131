"""Pictures of the comparison by exact leave-one-out, from the tables of ``trust.predicted``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from intlmodels import plotstyle as s
from intlmodels.plotstyle import Figure, styled
from intlmodels.trust import predicted as t
from intlmodels.trust.pit import pit_cdf

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

#: Units in one picture, at most; up to ``MOST_WRAPPED`` a name may take two lines.
MOST_UNITS, MOST_WRAPPED = 60, 30


@styled
def elpds(table: pd.DataFrame, units: int, passed: bool = True) -> Figure:
    """Difference in elpd of each variant to the default, with its bootstrap interval.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`intlmodels.trust.predicted.elpds`.
    units : int
        How many were left out.
    passed : bool
        Whether the default fit passed the gate.
    """
    names = table["variant"].tolist()
    places = np.arange(len(names), dtype=float)
    figure = s.new_figure(1.15 + 0.27 * len(names))
    axes = figure.subplots()
    if units < t.FEW_UNITS:
        axes.axvspan(-t.ALIKE, t.ALIKE, color="#ECECEC", linewidth=0, zorder=0)
    axes.axvline(0, color=s.INK, linewidth=0.8)
    gap = table["difference"].to_numpy(dtype=float)
    finite, failed = np.isfinite(gap), ~table["converged"].to_numpy(dtype=bool)
    axes.hlines(
        places[finite], table["ci_low"][finite], table["ci_high"][finite], color=s.BLUE, lw=1.2
    )
    axes.plot(gap[finite], places[finite], "o", color=s.BLUE, markersize=5)
    axes.plot([0], [0], "o", color=s.INK, markersize=5)
    shown = np.where(np.arange(len(names)) == 0, 0.0, gap)
    crossed = failed & np.isfinite(shown)
    axes.plot(shown[crossed], places[crossed], "x", color=s.FAILED, markersize=9, zorder=5)
    for place in np.flatnonzero(~finite[1:]) + 1:
        _note(axes, float(place), _why_not(gap[place]))
    s.row_labels(axes, places, [s.shortened(name, 24) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    ends = [table["ci_low"][finite].min(), table["ci_high"][finite].max(), -t.ALIKE, t.ALIKE]
    low, high = np.nanmin(ends), np.nanmax(ends)
    axes.set_xlim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    axes.grid(axis="x")
    axes.set_xlabel("Difference in elpd to the default")
    words = ["right: predicts better; line: 95 % interval, Bayesian bootstrap"]
    if units < t.FEW_UNITS:
        words.append(f"grey: within {t.ALIKE:g}, cannot be told apart with so few")
    if crossed.any():
        words.append("red cross: a refit did not converge")
    s.caption_below(figure, "\n".join(words))
    return s.mark(figure, passed)


def _why_not(gap: float) -> str:
    if np.isnan(gap):
        return "not comparable"
    return f"{'better' if gap > 0 else 'worse'} than draws can measure"


def _note(axes: Axes, place: float, text: str) -> None:
    axes.annotate(
        text,
        (0.03, place),
        xycoords=("axes fraction", "data"),
        fontsize=8,
        color=s.MUTED,
        va="center",
    )


@styled
def pit(law: t.Laws, passed: bool = True) -> Figure:
    """Mean distribution function of the PIT of discrete outcomes, against the diagonal.

    Parameters
    ----------
    law : Laws
        From :func:`intlmodels.trust.predicted.laws`.
    passed : bool
        Whether the default fit passed the gate.
    """
    grid = np.linspace(0, 1, 101)
    curve = pit_cdf(law.below, law.exactly, grid)
    reach = t.pit_band(law, grid)
    figure = s.new_figure(3.4)
    axes = figure.subplots()
    low, high = np.maximum(grid - reach, 0), np.minimum(grid + reach, 1)
    axes.fill_between(grid, low, high, color=s.FAINT, linewidth=0)
    axes.plot(grid, grid, color=s.MUTED, linewidth=0.7)
    axes.plot(grid, curve, color=s.BLUE, linewidth=1.6)
    axes.set_aspect("equal")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_xlabel("Place within the predictive law")
    axes.set_ylabel("Share of the units below it")
    s.caption_below(figure, "grey: 95 % band for right predictions (whole curve)")
    return s.mark(figure, passed)


@styled
def units(
    table: pd.DataFrame, labels: Sequence[str], label: str, percent: bool, passed: bool = True
) -> Figure:
    """What was printed, beside what a fit that did not see it expected, the least likely first.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of one variant from :func:`intlmodels.trust.predicted.left_out`.
    labels : sequence of str
        What each row is called.
    label : str
        Of the horizontal axis.
    percent : bool
        Whether it is in percent.
    passed : bool
        Whether the default fit passed the gate.
    """
    order = np.argsort(table["p_tail"].to_numpy(), kind="stable")[:MOST_UNITS]
    shown = table.iloc[order]
    lines = 2 if len(shown) <= MOST_WRAPPED else 1
    wide = 36 if lines == 2 else 30
    texts = [s.wrapped(labels[int(place)], wide, lines) for place in order]
    step = 0.3 if any("\n" in text for text in texts) else 0.185
    figure = s.new_figure(1.2 + step * len(shown))
    axes = figure.subplots()
    places = np.arange(len(shown), dtype=float)
    axes.hlines(places, shown["ci_low"], shown["ci_high"], color=s.SKY, linewidth=1.4)
    axes.hlines(
        places, shown["ci50_low"], shown["ci50_high"], color=s.BLUE, linewidth=3.6, alpha=0.7
    )
    # A law with a single value has an interval without length.
    axes.plot(shown["median"], places, "|", color=s.BLUE, markersize=6, markeredgewidth=1.4)
    outside = shown["outside"].to_numpy(dtype=bool)
    for where, color in ((~outside, s.INK), (outside, s.ORANGE)):
        axes.plot(shown["printed"][where], places[where], "D", color=color, markersize=3.8)
    failed = ~shown["converged"].to_numpy(dtype=bool)
    axes.plot(shown["printed"][failed], places[failed], "x", color=s.FAILED, markersize=9)
    s.row_labels(axes, places, texts)
    axes.tick_params(axis="y", labelsize=8)
    axes.set_ylim(len(shown) - 0.3, -0.7)
    if percent:
        s.percent_axis(axes, label)
    else:
        axes.set_xlabel(label)
        axes.grid(axis="x")
    words = [
        f"diamond: printed, orange outside of the central {100 * t.CENTRAL:g} %",
        f"predicted: thick 50 %, thin {100 * t.CENTRAL:g} % interval, dash median",
    ]
    if len(table) > len(shown):
        words.append(f"the {len(shown)} least likely of {len(table)}")
    if failed.any():
        words.append("red cross: the refit did not converge")
    s.caption_below(figure, "\n".join(words))
    return s.mark(figure, passed)
