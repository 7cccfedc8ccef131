"""The picture of opportunity and vulnerability: every combination of two predictors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels import plotstyle as s
from intlmodels.formats import probability
from intlmodels.plotstyle import Figure, styled
from intlmodels.results import CI_PROB
from intlmodels.share import results
from intlmodels.share.opportunity import OPPORTUNITY, VULNERABLE, combinations, standing

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from xarray import DataTree

#: Firms at one printed share whose names have room above it, and letters of such a name.
MOST_TOGETHER, MOST_LETTERS = 4, 2
#: Behind letters that lines run through.
_CLEAR = {"facecolor": "white", "linewidth": 0, "pad": 0.4}


def opportunity(
    fit: DataTree, across: str, down: str, vulnerable: str, prob: float = CI_PROB
) -> Figure:
    """Expected printed share of every combination of a category and a contrast.

    Parameters
    ----------
    fit : xarray.DataTree
        Of the share model.
    across, down : str
        Names of the category and of the contrast.
    vulnerable : str
        Level of the contrast at which a small share is read as vulnerable.
    prob : float
        Probability of the outer equal-tailed interval.

    Raises
    ------
    StudyError
        For a predictor or level that the fit does not have.
    """
    table = combinations(fit, across, down, vulnerable, prob)
    return drawn(fit, table, (across, down, vulnerable), prob)


@styled
def drawn(fit: DataTree, table: pd.DataFrame, asked: tuple[str, str, str], prob: float) -> Figure:
    """The same from a table of :func:`combinations`, which takes longer to make than to draw."""
    across, down, vulnerable = asked
    groups = list(dict.fromkeys(table["across"]))
    step, gap = 1.25, 1.1
    places = np.array(
        [row.Index * step + (groups.index(row.across) + 1) * gap for row in table.itertuples()]
    )
    figure = s.new_figure(1.75 + 0.21 * float(places[-1] + 1))
    axes = figure.subplots()
    center = results.average(fit, prob)["median"].iloc[0]
    axes.axvline(center, color=s.MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    low = table["down"].to_numpy() == vulnerable
    empty = table["firms"].to_numpy() == 0
    for at, color in ((low, s.ORANGE), (~low, s.BLUE)):
        s.dots(axes, places[at & ~empty], table[at & ~empty], color)
    s.dots(axes, places[empty], table[empty], s.PRIOR, hollow=True)
    _firms(axes, fit, places, table, (across, down))
    first = places[:: len(table) // len(groups)]
    for group, place in zip(groups, first, strict=True):
        axes.annotate(
            s.shortened(group, 40),
            (0, place - 1.1),
            xycoords=("axes fraction", "data"),
            fontsize=9,
            fontweight="bold",
            va="center",
            bbox=_CLEAR,
        )
    counts = [str(n) if n else "none" for n in table["firms"]]
    labels = [f"{s.shortened(d, 18)} ({n})" for d, n in zip(table["down"], counts, strict=True)]
    s.row_labels(axes, places, labels)
    _chances(axes, places, table["p_above"])
    axes.set_ylim(places[-1] + 0.8, -0.6)
    axes.set_xlim(-2, min(101, 1.04 * max(table["ci_high"].max(), results.observed(fit).max()) + 1))
    s.percent_axis(axes, "Expected printed share", ticks=5)
    _explain(figure, fit, (across, down, vulnerable), bool(empty.any()), prob)
    return s.mark(figure, fit)


def _firms(axes: Axes, fit: DataTree, places: Any, table: Any, predictors: Any) -> None:
    """Printed shares of the firms, with their names where these have room."""
    across, down = predictors
    rows = [
        (place, standing(fit, (across, row.across), (down, row.down)))
        for place, row in zip(places, table.itertuples(), strict=True)
    ]
    together = [_together(firms) for _, firms in rows]
    named = all(
        len(names) <= MOST_TOGETHER and all(len(name) <= MOST_LETTERS for name in names)
        for shares in together
        for names in shares.values()
    )
    for (place, _), shares in zip(rows, together, strict=True):
        for share, names in shares.items():
            if named:
                axes.text(
                    share,
                    place - 0.42,
                    "".join(names),
                    fontsize=8,
                    ha="center",
                    va="center",
                    bbox=_CLEAR,
                )
            else:
                axes.plot(share, place - 0.35, "|", color=s.INK, markersize=5)


def _together(firms: list[tuple[str, float]]) -> dict[float, list[str]]:
    found: dict[float, list[str]] = {}
    for name, share in firms:
        found.setdefault(share, []).append(name)
    return found


def _chances(axes: Axes, places: Any, chances: Any) -> None:
    for place, chance in zip(places, chances, strict=True):
        text = probability(chance)
        axes.annotate(
            text, (1.02, place), xycoords=("axes fraction", "data"), fontsize=8, va="center"
        )
    axes.annotate(
        "Pr(above\naverage)",
        (1.02, -0.45),
        xycoords=("axes fraction", "data"),
        fontsize=8,
        color=s.MUTED,
        va="center",
    )


def _explain(figure: Figure, fit: DataTree, read: Any, empty: bool, prob: float) -> None:
    across, down, vulnerable = read
    blocks = {block["name"]: block for block in results.blocks(fit)}
    other = next(level for level in blocks[down]["settings"] if level != vulnerable)
    lines = [
        f"{s.shortened(blocks[across]['label'], 28)} and {s.shortened(blocks[down]['label'], 28)}",
        f"orange: {s.shortened(vulnerable, 20)}, below the average read as {VULNERABLE}",
        f"blue: {s.shortened(other, 20)}, above the average read as {OPPORTUNITY}",
        s.interval_words(prob),
        "letters or ticks above: firms at their printed shares; dashed: average",
        "hollow, grey: no such firm, extrapolation" if empty else "",
    ]
    s.caption_below(figure, "\n".join(line for line in lines if line))
