"""Pictures of printed shares, of clusters, and of two predictors together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError, listed
from intlmodels.core.formats import plural, probability
from intlmodels.core.rounding import intervals
from intlmodels.models.share.design import CLUSTER, MOST_CLUSTERS
from intlmodels.plots import style as s
from intlmodels.plots.style import Figure, styled
from intlmodels.results import clusters as tables
from intlmodels.results import share as results
from intlmodels.results.intervals import CI_PROB, Array
from intlmodels.results.opportunity import OPPORTUNITY, VULNERABLE, combinations, standing
from intlmodels.study import ShareStudy

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from xarray import DataTree


#: Firms up to which each is named in a picture.
MOST_NAMED = 60


@dataclass(frozen=True)
class _Printed:
    """What the picture of the data needs, from a study or from a fit."""

    firms: list[str]
    printed: Array
    width: float
    outcome: str
    firm_label: str
    groups: dict[str, tuple[str, list[str], NDArray[np.intp]]]


def _printed(source: ShareStudy | DataTree) -> _Printed:
    if isinstance(source, ShareStudy):
        groups = {
            p.name: (
                p.label,
                list(p.levels),
                p.codes if p.kind == "category" else (p.values > 0).astype(int),
            )
            for p in source.predictors.values()
            if p.kind != "numeric"
        }
        if source.clusters is not None:
            own = source.clusters
            groups[CLUSTER] = (own.label, list(own.labels), own.codes)
        outcome = source.outcome
        return _Printed(
            list(source.firms),
            outcome.printed,
            outcome.width,
            outcome.label,
            source.firm_label,
            groups,
        )
    constant = source["constant_data"].to_dataset()
    groups = {
        block["name"]: (
            block["label"],
            list(block["settings"]),
            results.membership(source, block).argmax(axis=1),
        )
        for block in results.parts(source)
        if block["kind"] != "numeric"
    }
    return _Printed(
        [str(firm) for firm in constant["firm"].to_numpy()],
        results.observed(source),
        float(constant.attrs["rounding_width"]),
        str(constant.attrs["outcome_label"]),
        str(constant.attrs["firm_label"]),
        groups,
    )


@styled
def data(source: ShareStudy | DataTree, predictor: str | None = None) -> Figure:
    """Printed shares as the intervals they stand for, firm by firm.

    Parameters
    ----------
    source : ShareStudy or xarray.DataTree
    predictor : str, optional
        Categorical predictor or contrast by which the firms are grouped, or ``cluster``; by
        default the clusters, else the predictor with the most levels up to eight.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    StudyError
        For a predictor that cannot group firms.
    """
    shown = _printed(source)
    name = predictor or _grouping(shown)
    if name and name not in shown.groups:
        raise StudyError(
            f"'{name}' does not group the firms; these do: {listed(shown.groups)}", value=name
        )
    label, levels, codes = shown.groups.get(
        name or "", ("", [""], np.zeros(len(shown.firms), dtype=int))
    )
    order = np.lexsort((shown.printed, codes))
    gaps = np.concatenate([[0], np.cumsum(np.diff(codes[order]) != 0)])
    named = len(shown.firms) <= MOST_NAMED
    step = 1.0 if named else MOST_NAMED / len(shown.firms)
    places = np.arange(len(order)) * step + 1.6 * gaps
    lower, upper = (100 * end[order] for end in intervals(shown.printed, shown.width))
    height = 0.9 + 0.165 * (places[-1] + 2)
    figure = s.new_figure(height)
    axes = figure.subplots()
    colors = np.array([s.CYCLE[int(c) % len(s.CYCLE)] for c in codes[order]])
    thick = 4.5 if named else max(0.6, 4.5 * step)
    axes.hlines(places, lower, upper, colors=colors, linewidth=thick, alpha=0.65)
    if named:
        axes.plot(shown.printed[order], places, "|", color=s.INK, markersize=6.5, zorder=3)
        s.row_labels(axes, places, [s.shortened(shown.firms[i], 22) for i in order])
    else:
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    _headings(axes, places, gaps, codes[order], levels)
    axes.set_ylim(places[-1] + 1, -1.6)
    axes.set_xlim(-1, min(101, max(upper) + 3))
    s.percent_axis(axes, s.shortened(shown.outcome, 60))
    by = f", by {label}" if label else ""
    axes.set_ylabel(s.shortened(f"{plural(shown.firm_label)}{by}", 50))
    s.caption_below(
        figure,
        f"bar: the shares that round to what is printed (to {shown.width:g} points)"
        + ("\ntick: the printed share" if named else ""),
    )
    return figure


def _headings(
    axes: Axes,
    places: Array,
    gaps: NDArray[np.intp],
    codes: NDArray[np.intp],
    levels: list[str],
) -> None:
    """Name and size of each group above its first firm; ``codes`` in the order of the rows."""
    for group in np.unique(gaps):
        first = int(np.flatnonzero(gaps == group)[0])
        code = int(codes[first])
        if levels[code]:
            axes.annotate(
                f"{s.shortened(levels[code], 46)} ({int((codes == code).sum())})",
                (0, places[first] - 0.85),
                xycoords=("axes fraction", "data"),
                fontsize=8.5,
                fontweight="bold",
                color=s.INK,
                va="center",
            )


def _grouping(shown: _Printed) -> str | None:
    if len(shown.groups.get(CLUSTER, ("", [], None))[1]) in range(1, MOST_CLUSTERS + 1):
        return CLUSTER
    usable = {name: len(levels) for name, (_, levels, _) in shown.groups.items()}
    few = {name: size for name, size in usable.items() if size <= 8}
    # max() keeps the first of equals: the study's own order decides.
    return max(few or usable, key=lambda name: usable[name]) if usable else None


# -- pictures of clusters --------------------------------------------------------------

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


# -- the picture of opportunity and vulnerability --------------------------------------

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
