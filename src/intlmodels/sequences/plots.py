"""Pictures of a register of decisions: the flags by prior entries, and predicted ones beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intlmodels import plotstyle as s
from intlmodels.decay.estimands import MOST_ENTRIES
from intlmodels.decay.plotdata import caption, events, flag_words, group_name, short_counts
from intlmodels.plotstyle import Figure, styled
from intlmodels.results import CI_PROB
from intlmodels.sequences.checks import by_entries

if TYPE_CHECKING:
    from xarray import DataTree


@styled
def data(fit: DataTree) -> Figure:
    """Part of the decisions with the flag, and how many decisions there are, by prior entries.

    Parameters
    ----------
    fit : xarray.DataTree
        Of a register of decisions.
    """
    table = by_entries(fit)
    grid, sizes, beyond = _panels(fit)
    for (above, below), size in zip(grid.T, sizes, strict=True):
        own = table[(table["size"] == size) & (table["entries"] <= MOST_ENTRIES)]
        above.plot(own["entries"], own["observed"], "D", color=s.ORANGE, markersize=4)
        above.set_title(group_name(fit, size))
        above.set_ylim(bottom=0)
        centres = own["entries"].to_numpy(dtype=float)
        s.bars(below, centres, own["decisions"].to_numpy(dtype=float), 0.8, s.MUTED)
    grid[0, 0].set_ylabel(s.wrapped(f"Percent {flag_words(fit)}", 28, 2))
    grid[1, 0].set_ylabel(events(fit, 14).capitalize())
    shown = table["entries"] <= MOST_ENTRIES
    grid[1, 0].set_ylim(0, 1.08 * float(table.loc[shown, "decisions"].max()))
    short_counts(grid[1, 0])
    caption(grid[0, 0].figure, "as counted, nothing estimated", beyond)
    return grid[0, 0].figure


@styled
def posterior_predictive(fit: DataTree, prob: float = CI_PROB) -> Figure:
    """Predicted registers against the register: the part with the flag by prior entries.

    Parameters
    ----------
    fit : xarray.DataTree
        Of a register of decisions.
    prob : float
        Probability of the equal-tailed interval.
    """
    table = by_entries(fit, prob)
    grid, sizes, beyond = _panels(fit, equal=True)
    for (above, below), size in zip(grid.T, sizes, strict=True):
        own = table[(table["size"] == size) & (table["entries"] <= MOST_ENTRIES)]
        at, seen = own["entries"], own["observed"]
        above.vlines(at, own["ci_low"], own["ci_high"], color=s.BLUE, linewidth=5, alpha=0.6)
        above.plot(at, own["median"], "-", color=s.BLUE, linewidth=1)
        above.plot(at, seen, "D", color=s.ORANGE, markersize=3.4, zorder=4)
        above.set_title(group_name(fit, size))
        above.set_ylim(bottom=0)
        low, high = own["ci_low"] - own["median"], own["ci_high"] - own["median"]
        below.vlines(at, low, high, color=s.BLUE, linewidth=5, alpha=0.6)
        below.plot(at, seen - own["median"], "D", color=s.ORANGE, markersize=3.4, zorder=4)
        below.axhline(0, color=s.MUTED, linewidth=0.6)
        below.grid(axis="y")
    grid[0, 0].set_ylabel(s.wrapped(f"Percent {flag_words(fit)}", 24, 2))
    grid[1, 0].set_ylabel("Observed less\npredicted, points")
    caption(
        grid[0, 0].figure,
        f"orange: observed; blue: {100 * prob:g} % equal-tailed interval of predicted registers",
        beyond,
    )
    return s.mark(grid[0, 0].figure, fit)


def _panels(fit: DataTree, *, equal: bool = False) -> tuple[np.ndarray, list[str], str]:
    """Two rows of panels, one column a size; the sizes; and what is not shown, in words."""
    constant = fit["constant_data"].to_dataset()
    sizes = [str(size) for size in constant["size"].to_numpy()]
    figure = s.new_figure(4.2 if equal else 3.7)
    grid = figure.subplots(
        2,
        len(sizes),
        squeeze=False,
        sharex=True,
        sharey="row",
        height_ratios=[1.4, 1] if equal else [2.4, 1],
    )
    for axes in grid[1]:
        axes.set_xlim(-0.6, MOST_ENTRIES + 0.6)
        axes.set_xticks([0, 5, 10, 15])
        axes.set_xlabel("Prior entries")
    for axes in grid[0]:
        axes.grid(axis="y")
    right = constant["entries_at"].to_numpy() > MOST_ENTRIES
    number = int(constant["made_at"].to_numpy()[right].sum())
    return grid, sizes, f"{number:,} {events(fit)} lie further right" if number else ""
