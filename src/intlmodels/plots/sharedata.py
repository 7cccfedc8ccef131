"""Pictures of reported shares, of clusters, of two predictors together, and of further outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError, listed
from intlmodels.core.formats import plural, probability
from intlmodels.models.base import texts
from intlmodels.models.share.design import CLUSTER, MOST_CLUSTERS
from intlmodels.plots import style as s
from intlmodels.plots.style import Figure, styled
from intlmodels.results import groups as tables
from intlmodels.results import share as results
from intlmodels.results.intervals import CI_PROB, Array, converged
from intlmodels.studies import FurtherOutcome, ShareStudy

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from xarray import DataTree


#: Firms up to which each is named in a picture.
MOST_NAMED = 60
#: Of very many firms the parts that report less than is shown.
_PARTS = (0.05, 0.25, 0.5, 0.75, 0.95)


#: What firms can be grouped by: name -> label, levels, and the level of each firm.
_Groups = dict[str, tuple[str, list[str], NDArray[np.intp]]]


def _groups(source: ShareStudy | DataTree) -> _Groups:
    """Predictors with levels, and groups of rows, of a study or of a fit."""
    if not isinstance(source, ShareStudy):
        return {
            block["name"]: (
                block["label"],
                list(block["settings"]),
                results.membership(source, block).argmax(axis=1),
            )
            for block in results.parts(source)
            if results.has_levels(block)
        }
    found: _Groups = {}
    for p in source.predictors.values():
        if p.kind != "numeric":
            codes = (p.values > 0).astype(int) if p.kind == "contrast" else p.codes
            found[p.name] = (p.label, list(p.levels), codes)
    for name, own in source.groupings.items():
        found[name] = (own.label, list(own.labels), own.codes)
    return found


@styled
def data(source: ShareStudy | DataTree, predictor: str | None = None) -> Figure:
    """Reported shares: of each firm the interval it stands for, of very many their distribution.

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
    groups = _groups(source)
    if isinstance(source, ShareStudy):
        firms, printed = list(source.firms), source.outcome.printed
        ends = source.outcome.lower, source.outcome.upper
        outcome, firm_label = source.outcome.label, source.row_label
    else:
        constant = source["constant_data"].to_dataset()
        firms, printed = texts(constant[results.row_dimension(source)]), results.observed(source)
        ends = (constant["lower"].to_numpy(), constant["upper"].to_numpy())
        outcome = constant.attrs["outcome_label"]
        firm_label = results.unit_label(source)
    name = predictor or _grouping(groups)
    if name and name not in groups:
        raise StudyError(
            f"'{name}' does not group the firms; these do: {listed(groups)}", value=name
        )
    label, levels, codes = groups.get(name or "", ("", ["all"], np.zeros(len(firms), dtype=int)))
    if len(firms) > MOST_NAMED:
        figure, axes = _summaries(printed, levels, codes)
    else:
        figure, axes = _intervals(firms, printed, ends, levels if label else [], codes)
    axes.set_xlim(left=-1)
    s.percent_axis(axes, s.shortened(outcome, 60))
    by = f", by {label}" if label else ""
    axes.set_ylabel(s.shortened(f"{plural(str(firm_label))}{by}", 50))
    return figure


def _intervals(
    firms: list[str], printed: Array, ends: tuple[Array, Array], levels: list[str], codes: Any
) -> tuple[Figure, Axes]:
    """Each firm with the interval that its reported share stands for."""
    order = np.lexsort((printed, codes))
    gaps = np.concatenate([[0], np.cumsum(np.diff(codes[order]) != 0)])
    places = np.arange(len(order)) + 1.6 * gaps
    lower, upper = (100 * end[order] for end in ends)
    figure, axes = s.one_panel(0.7 + 0.165 * (places[-1] + 2))
    axes.hlines(places, lower, upper, colors=s.ORANGE, linewidth=4.5, alpha=0.5)
    axes.plot(printed[order], places, "|", color=s.INK, markersize=6.5, zorder=3)
    s.row_labels(axes, places, [s.shortened(firms[i], 22) for i in order], ends=(1.6, 1))
    for group in np.unique(gaps) if levels else ():
        first = int(np.flatnonzero(gaps == group)[0])
        code = int(codes[order][first])
        text = f"{s.shortened(levels[code], 46)} ({int((codes == code).sum())})"
        s.heading(axes, places[first] - 0.85, text, 8.5, color=s.INK)
    s.caption_below(figure, "bar: the shares that round to the reported one (tick)")
    return figure, axes


def _summaries(printed: Array, levels: list[str], codes: Any) -> tuple[Figure, Axes]:
    """Reported shares of very many firms at each level: median, and where most of them lie."""
    there = np.unique(codes)[:MOST_NAMED]
    places = np.arange(len(there), dtype=float)
    own = [printed[codes == code] for code in there]
    low, quarter, middle, three, high = np.array([np.quantile(each, _PARTS) for each in own]).T
    figure, axes = s.one_panel(0.8 + 0.26 * len(there))
    axes.hlines(places, low, high, color=s.ORANGE, linewidth=6, alpha=0.25)
    axes.hlines(places, quarter, three, color=s.ORANGE, linewidth=6, alpha=0.5)
    axes.plot(middle, places, "|", color=s.INK, markersize=8)
    names = [f"{s.shortened(levels[c], 30)} ({len(x):,})" for c, x in zip(there, own, strict=True)]
    s.row_labels(axes, places, names)
    s.caption_below(figure, "tick: median; dark: middle 50%; light: middle 90%")
    return figure, axes


def _grouping(groups: _Groups) -> str | None:
    """What firms are grouped by if nothing is said."""
    if len(groups.get(CLUSTER, ("", [], None))[1]) in range(1, MOST_CLUSTERS + 1):
        return CLUSTER
    usable = {name: len(levels) for name, (_, levels, _) in groups.items()}
    few = {name: size for name, size in usable.items() if size <= 8}
    # max() keeps the first of equals: the study's own order decides.
    return max(few or usable, key=lambda name: usable[name]) if usable else None


@styled
def register_data(fit: DataTree, predictor: str | None = None) -> Figure:
    """Part of the rows of a register that print each value, one strip a level of a predictor.

    By default of that with the most levels up to twelve.
    """
    label, levels, rows = results.rows_by_level(fit, predictor)
    width, centres, rows = s.coarser(fit["constant_data"]["printed_grid"].to_numpy(), rows)
    totals = rows.sum(axis=1)
    parts = 100 * rows / np.maximum(totals[:, None], 1)
    named = zip(levels, totals, strict=True)
    labels = [f"{s.shortened(level, 24)}\n{int(count):,}" for level, count in named]
    figure, last = s.strips(labels, 0.6, centres, parts, width, s.BLUE)
    last.set_xlim(-width, 100 + width)
    s.percent_axis(last, "Reported share", grid=False)
    by = f", by {label}" if label else ""
    s.caption_below(figure, f"height: part of the rows that report each share{by}")
    return figure


# -- pictures of clusters --------------------------------------------------------------

#: Height of the picture of more, in rows of named ones.
UNNAMED_ROWS = 24
#: Comparisons side by side.
MOST_PANELS = 4


def _require_clusters(fit: DataTree) -> None:
    if not tables.has_clusters(fit):
        raise StudyError(
            "this fit has no clusters; expected one of a study with [cluster]",
            value=str(fit.attrs["study"]),
        )


@styled
def clusters(fit: DataTree, prob: float = CI_PROB) -> Figure:
    """Expected share in each cluster, beside the average of what its firms print.

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
    _require_clusters(fit)
    table = tables.by_cluster(fit, prob).sort_values("median", ascending=False, kind="stable")
    named = len(table) <= MOST_NAMED
    step = 1.0 if named else UNNAMED_ROWS / len(table)
    places = step * np.arange(len(table), dtype=float)
    figure, axes = s.one_panel(1.25 + 0.3 * (places[-1] + 1))
    s.center_line(axes, results.average(fit, prob)["median"].iloc[0])
    s.dots(axes, places, table, s.BLUE, size=5.0 if named else 1.0)
    printed = table["printed_mean"]
    if named:
        # Above the interval, with a line down to the median, so that neither hides the other.
        above, median = places - 0.3, table["median"]
        axes.plot([printed, median], [above, places], color=s.ORANGE, linewidth=0.8, zorder=2)
        s.observed(axes, printed, above, 4.2)
        texts = [
            f"{s.shortened(name, 26)} ({firms})"
            for name, firms in zip(table["cluster"], table["firms"], strict=True)
        ]
        s.row_labels(axes, places, texts)
    else:
        axes.plot(printed, places, ",", color=s.ORANGE, zorder=4)
        s.no_rows(axes)
    axes.set_ylim(places[-1] + 0.6, -0.9)
    low = min(float(table["ci_low"].min()), float(printed.min()))
    high = max(float(table["ci_high"].max()), float(printed.max()))
    pad = 0.05 * max(high - low, 1e-6)
    axes.set_xlim(max(-1.0, low - pad), min(101.0, high + pad))
    s.percent_axis(axes, "Expected share, average of the cluster's own firms")
    far = ", and how far from it" if named else ""
    brackets = "; in brackets: number of firms" if named else ""
    s.caption_below(
        figure,
        s.interval_words(prob),
        f"orange: average of what the firms report{far}",
        f"dashed: average of all firms{brackets}",
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
    _require_clusters(fit)
    chosen = tables.main_comparisons(fit, prob)[:MOST_PANELS]
    table = tables.cluster_differences(fit, prob)
    names = list(dict.fromkeys(table["cluster"]))[: MOST_NAMED + 1]
    columns = max(1, min(s.across(3), len(chosen)))
    figure, grid, panels = s.small_panels(
        len(chosen), columns, 0.8, 0.85 + 0.2 * len(names), s.WIDTH + 0.6
    )
    for place, (axes, key) in enumerate(zip(panels, chosen, strict=True)):
        part = table[(table[["predictor", "level", "against"]] == list(key)).all(axis=1)]
        part = part[part["cluster"].isin(names)]
        at = np.array([names.index(name) for name in part["cluster"]], dtype=float)
        whole = (part["cluster"] == tables.ALL).to_numpy()
        alone = ((part["firms_level"] == 0) | (part["firms_against"] == 0)).to_numpy()
        axes.axvline(0, color=s.INK, linewidth=0.8)
        s.dots(axes, at[whole], part[whole], s.INK, size=4)
        s.dots(axes, at[~whole & ~alone], part[~whole & ~alone], s.BLUE, size=4)
        s.dots(axes, at[~whole & alone], part[~whole & alone], s.MUTED, size=4, hollow=True)
        s.small_title(axes, s.wrapped(f"{part['label'].iloc[0]}: {key[1]} minus {key[2]}", 24, 4))
        axes.tick_params(axis="x", labelbottom=place + columns >= len(chosen), labelsize=8)
        axes.tick_params(axis="y", length=0)
        s.percent_axis(axes, "", signed=True, ticks=4)
    for axes in grid[:, 0]:
        s.row_labels(axes, range(len(names)), [s.shortened(name, 22) for name in names], 8)
    s.caption_below(
        figure,
        "difference in percentage points, over the firms of the cluster",
        "hollow grey: no firm of the cluster has one of the two levels",
        s.interval_words(prob),
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
    """Expected share of every combination of a category and a contrast.

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
    table = tables.combinations(fit, across, down, vulnerable, prob)
    return drawn(fit, table, (across, down, vulnerable), prob)


@styled
def drawn(fit: DataTree, table: pd.DataFrame, asked: tuple[str, str, str], prob: float) -> Figure:
    """The same from a table of :func:`.groups.combinations`, which takes longer than to draw it."""
    across, down, vulnerable = asked
    groups = list(dict.fromkeys(table["across"]))
    step, gap = 1.25, 1.1
    places = np.array(
        [row.Index * step + (groups.index(row.across) + 1) * gap for row in table.itertuples()]
    )
    figure, axes = s.one_panel(1.75 + 0.21 * float(places[-1] + 1))
    s.center_line(axes, results.average(fit, prob)["median"].iloc[0])
    low = table["down"].to_numpy() == vulnerable
    empty = table["firms"].to_numpy() == 0
    for at, color in ((low, s.ORANGE), (~low, s.BLUE)):
        s.dots(axes, places[at & ~empty], table[at & ~empty], color)
    s.dots(axes, places[empty], table[empty], s.PRIOR, hollow=True)
    _firms(axes, fit, places, table, (across, down))
    first = places[:: len(table) // len(groups)]
    for group, place in zip(groups, first, strict=True):
        s.heading(axes, place - 1.1, s.shortened(group, 40), bbox=_CLEAR)
    labels = [
        f"{s.shortened(level, 18)} ({n or 'none'})"
        for level, n in zip(table["down"], table["firms"], strict=True)
    ]
    s.row_labels(axes, places, labels, ends=(0.6, 0.8))
    for place, chance in zip(places, table["p_above"], strict=True):
        s.beside(axes, place, probability(chance))
    s.beside(axes, -0.45, "Pr(above\naverage)", color=s.MUTED)
    axes.set_xlim(-2, min(101, 1.04 * max(table["ci_high"].max(), results.observed(fit).max()) + 1))
    s.percent_axis(axes, "Expected share", ticks=5)
    blocks = {block["name"]: block for block in results.blocks(fit)}
    other = next(level for level in blocks[down]["settings"] if level != vulnerable)
    s.caption_below(
        figure,
        f"{s.shortened(blocks[across]['label'], 28)} and {s.shortened(blocks[down]['label'], 28)}",
        f"orange: {s.shortened(vulnerable, 20)}, below the average read as {tables.VULNERABLE}",
        f"blue: {s.shortened(other, 20)}, above the average read as {tables.OPPORTUNITY}",
        s.interval_words(prob),
        "letters or ticks above: firms at their reported shares; dashed: average",
        "hollow, grey: no such firm, extrapolation" if empty.any() else "",
    )
    return s.mark(figure, fit)


def _firms(axes: Axes, fit: DataTree, places: Any, table: Any, predictors: Any) -> None:
    """Reported shares of the firms, with their names where these have room."""
    across, down = predictors
    together: list[dict[float, list[str]]] = []
    for row in table.itertuples():
        together.append({})
        for name, share in tables.standing(fit, (across, row.across), (down, row.down)):
            together[-1].setdefault(share, []).append(name)
    named = all(
        len(names) <= MOST_TOGETHER and all(len(name) <= MOST_LETTERS for name in names)
        for shares in together
        for names in shares.values()
    )
    for place, shares in zip(places, together, strict=True):
        for share, names in shares.items():
            if named:
                look: Any = {"fontsize": 8, "ha": "center", "va": "center", "bbox": _CLEAR}
                axes.text(share, place - 0.42, "".join(names), **look)
            else:
                axes.plot(share, place - 0.35, "|", color=s.INK, markersize=5)


# -- further outcomes ------------------------------------------------------------------

#: Characters that the name of a firm may have beside its dot.
LONGEST_NAME = 3
#: Characters of all labels of a legend that fit in a line.
MOST_IN_A_LINE = 60
#: Distance of neighbouring firms with about the same share, in levels.
STEP = 0.17
_MARKERS = ("o", "s", "^", "D")


@styled
def outcome_shares(study: ShareStudy, fit: DataTree | None = None, prob: float = CI_PROB) -> Figure:
    """Reported shares by level of a further outcome, marked by another one.

    Beside the firms the expected shares of a fit that has the outcome as a predictor, if given.
    """
    across, marked_by = tables.crossing(study)
    figure, axes = s.one_panel(4.1, width=s.WIDTH + 0.6)
    _firms_at_levels(axes, study, across, marked_by)
    if fit is not None:
        table, _ = tables.share_by_level(fit, across.name, prob)
        _expected(axes, table)
    counts = np.bincount(across.codes[across.known], minlength=len(across.levels))
    axes.set_xticks(
        range(len(across.levels)),
        [f"{s.wrapped(v, 13, 3)}\n({n})" for v, n in zip(across.levels, counts, strict=True)],
        parse_math=False,
    )
    axes.set_xlim(-0.65, len(across.levels) - 0.4)
    axes.tick_params(axis="x", length=0)
    axes.yaxis.set_major_formatter("{x:g}%")
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
    s.caption_below(
        figure,
        "bar of a firm: the shares that round to the reported one; in brackets: firms",
        f"thick: 50%, thin: {100 * prob:g}% equal-tailed interval of the expected share"
        if fit is not None
        else "",
    )
    return s.mark(figure, True if fit is None else fit)


def _firms_at_levels(
    axes: Axes, study: ShareStudy, across: FurtherOutcome, marked_by: FurtherOutcome | None
) -> None:
    printed = study.outcome.printed
    lower, upper = 100 * study.outcome.lower, 100 * study.outcome.upper
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
        look: Any = {"color": color, "markersize": 4.6, "linestyle": "none", "zorder": 3}
        marker = _MARKERS[i % len(_MARKERS)]
        axes.plot(places[here], printed[here], marker, label=s.shortened(level, 26), **look)
    short = all(len(name) <= LONGEST_NAME for name in study.firms)
    if short and len(study.firms) <= MOST_NAMED:
        look = {"textcoords": "offset points", "fontsize": 8, "zorder": 5, "parse_math": False}
        for firm in np.flatnonzero(across.known):
            axes.annotate(study.firms[firm], (places[firm], printed[firm]), (2.6, 2.2), **look)


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
    """Firms at each level, observed and predicted, one panel a further outcome of its fit."""
    from matplotlib.ticker import MaxNLocator

    found = [tables.frequencies(fit, prob) for fit in fits.values()]
    heights = [len(table) + 1.2 for table in found]
    figure = s.new_figure(0.9 + 0.25 * sum(heights))
    panels = figure.subplots(len(found), 1, height_ratios=heights, squeeze=False, sharex=True)
    for axes, table, fit in zip(panels[:, 0], found, fits.values(), strict=True):
        places = np.arange(len(table), dtype=float)
        s.predicted(axes, places, table, 1.3, 3.5)
        axes.plot(table["median"], places, "|", color=s.INK, markersize=7)
        s.observed(axes, table["observed"], places, 4.2)
        s.row_labels(axes, places, [s.shortened(level, 30) for level in table["level"]])
        axes.set_title(s.shortened(fit["constant_data"].attrs["outcome_label"], 50))
        axes.grid(axis="x")
    panels[-1, 0].set_xlim(left=-0.5)
    panels[-1, 0].xaxis.set_major_locator(MaxNLocator(8, integer=True))
    panels[-1, 0].set_xlabel("Number of firms")
    s.caption_below(
        figure,
        "orange: as reported; dash: median of the predictions",
        f"thick: 50%, thin: {100 * prob:g}% equal-tailed predictive interval",
    )
    return s.mark(figure, all(converged(fit) for fit in fits.values()))
