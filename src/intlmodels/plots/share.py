"""Pictures of predicted shares, of levels and differences, ranks, variation and variants."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.errors import StudyError, listed
from intlmodels.core.formats import capital, probability
from intlmodels.models.share.design import MOST_CLUSTERS
from intlmodels.plots import style as s
from intlmodels.plots.style import Figure, styled
from intlmodels.results import share, steps
from intlmodels.results.intervals import CI_PROB, clearest, outermost

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from xarray import Dataset, DataTree


#: Firms up to which each is named beside its prediction.
MOST_NAMED = 60
#: Reported shares up to which each is a dot; of more the middle 50% and 90% are drawn.
MOST_DOTS = 150
#: Letters from which on the label of a predictor is a long one.
LONG = 34
#: Combinations of a register shown beside their predictions: those with the most rows.
MOST_COMBINATIONS = 30
#: Levels shown at either end of a predictor with very many.
MOST_ENDS = 10
#: Rows of a picture of differences; the widest evidence is shown first.
MOST_ROWS = 30
#: Comparisons shown side by side across variants.
MOST_PANELS = 9


# -- predicted shares --------------------------------------------------------------------


@styled
def prior_predictive(fit: DataTree) -> Figure:
    """What the priors imply before seeing data: the reported share of one firm, and the average.

    Parameters
    ----------
    fit : xarray.DataTree
        With the group ``prior_predictive``; of a register one row takes the place of a firm.
    """
    values, counts = share.grid_counts(fit, "prior_predictive")
    firms = counts.sum(axis=1)
    means = share.printed_means(fit, "prior_predictive")
    width, centres, chance = s.coarser(values, 100 * (counts / firms[:, None]).mean(axis=0))
    figure = s.new_figure(2.9)
    one, average = figure.subplots(1, 2)
    s.bars(one, centres, chance, 0.86 * width, s.PRIOR)
    register = share.is_register(fit)
    several = register or share.row_dimension(fit) != "firm"
    one.set_title("One row" if several else "One firm")
    one.set_ylabel("Probability, percent")
    s.percent_axis(one, "Reported share", grid=False, ticks=4)
    heights, edges = np.histogram(means, bins=25, range=(0, 100))
    average.stairs(100 * heights / len(means), edges, fill=True, color=s.PRIOR)
    average.set_title("Average of all rows" if several else f"Average of {firms[0]:g} firms")
    average.set_xlim(0, 100)
    s.percent_axis(average, "Average reported share", grid=False, ticks=4)
    for axes in (one, average):
        axes.grid(axis="y")
        axes.set_ylim(bottom=0)
    s.caption_below(figure, "from the priors alone; no data have entered")
    return figure


@styled
def posterior_predictive(fit: DataTree, prob: float = CI_PROB) -> Figure:
    """Predictions against data on the reported grid: counts per value, and firm by firm.

    Parameters
    ----------
    fit : xarray.DataTree
    prob : float
        Probability of the outer equal-tailed interval.
    """
    table = share.predicted_firms(fit, prob)
    named = len(table) <= MOST_NAMED
    below = 0.175 * len(table) + 0.5 if named else 4.0
    figure = s.new_figure(2.9 + below)
    above, firms = figure.subplots(2, 1, height_ratios=[2.1, below])
    _counts_panel(above, fit, prob)
    everything = len(table)
    table = table.iloc[s.spaced(np.lexsort((table["median"], table["observed"])))]
    places = np.arange(len(table), dtype=float)
    thick = 1.0 if named else 0.5
    s.predicted(firms, places, table, 1.2 * thick, 3 * thick)
    s.observed(firms, table["observed"], places, 3.8 if named else 1.8)
    if named:
        s.row_labels(
            firms, places, [s.shortened(name, 24) for name in table[share.row_dimension(fit)]]
        )
    else:
        s.no_rows(firms)
    firms.set_ylim(len(table) - 0.3, -0.7)
    reach = max(above.get_xlim()[1], float(table["ci_high"].max()) + 2)
    for axes in (above, firms):
        axes.set_xlim(above.get_xlim()[0], reach)
    s.percent_axis(firms, "Reported share")
    what = share.unit_label(fit)
    firms.set_title(f"Each {what}, predicted again")
    s.caption_below(
        figure,
        "orange: as reported; dash: mean of the predictions",
        s.some_of(len(table), everything),
        f"thick: 50%, thin: {100 * prob:g}% equal-tailed predictive interval",
    )
    return s.mark(figure, fit)


def _counts_panel(axes: Axes, fit: DataTree, prob: float) -> None:
    from matplotlib.ticker import MaxNLocator

    grid, counts = share.grid_counts(fit, "posterior_predictive")
    width, centers, both = s.coarser(grid, np.vstack([counts, share.observed_counts(fit)]))
    drawn, seen = both[:-1], both[-1]
    ends = [(1 - prob) / 2, 0.25, 0.5, 0.75, (1 + prob) / 2]
    low, quarter, _, three, high = np.quantile(drawn, ends, axis=0)
    axes.vlines(centers, low, high, color=s.SKY, linewidth=2)
    axes.vlines(centers, quarter, three, color=s.BLUE, linewidth=4.5, alpha=0.7)
    # Up to the largest value that was seen or is predicted.
    last = float(centers[np.flatnonzero((high > 0) | (seen > 0))[-1]])
    shown = centers <= last
    if not fit["constant_data"].attrs[
        "rounding_width"
    ]:  # nothing lies between the middles of bands
        shown &= (high > 0) | (seen > 0)
    axes.plot(centers[shown], drawn.mean(axis=0)[shown], "_", color=s.INK, markersize=6)
    s.observed(axes, centers[shown], seen[shown], 4.2)
    axes.grid(axis="y")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_ylim(bottom=-0.3)
    many = "rows" if share.row_dimension(fit) != "firm" else "firms"
    axes.set_ylabel(f"Number of {many}")
    axes.set_title(f"How many {many} report each value")
    axes.set_xlim(-width, last + width)
    s.percent_axis(axes, "", grid=False)


@styled
def register_predictive(fit: DataTree, prob: float = CI_PROB) -> Figure:
    """Predicted registers against the register: printed values, and means of combinations."""
    table = share.combination_table(fit, prob).nlargest(MOST_COMBINATIONS, "rows")
    below = 0.2 * len(table) + 0.6
    figure = s.new_figure(2.9 + below)
    above, means = figure.subplots(2, 1, height_ratios=[2.1, below])
    _values_panel(above, fit, prob)
    places = np.arange(len(table), dtype=float)
    means.hlines(places, table["ci_low"], table["ci_high"], color=s.BLUE, linewidth=3, alpha=0.7)
    s.observed(means, table["observed"], places, 3.6)
    named = zip(table["combination"], table["rows"], strict=True)
    s.row_labels(means, places, [f"{s.shortened(name, 30)} ({rows:,})" for name, rows in named], 8)
    means.set_title("Mean share by combination of levels")
    s.percent_axis(means, "Mean reported share")
    s.caption_below(
        figure,
        "orange: as reported; in brackets: rows",
        f"blue: {100 * prob:g}% equal-tailed predictive interval",
    )
    return s.mark(figure, fit)


def _values_panel(axes: Axes, fit: DataTree, prob: float) -> None:
    values, drawn = share.grid_counts(fit, "posterior_predictive")
    both = np.vstack([drawn, share.observed_counts(fit)])
    width, centres, both = s.coarser(values, 100 * both / both[-1].sum())
    low, high = np.quantile(both[:-1], [(1 - prob) / 2, (1 + prob) / 2], axis=0)
    s.bars(axes, centres, both[:-1].mean(axis=0), 0.86 * width, s.PALE)
    axes.vlines(centres, low, high, color=s.BLUE, linewidth=2.4)
    s.observed(axes, centres, both[-1], 3.6)
    axes.grid(axis="y")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("Percent of the rows")
    axes.set_title("How many rows report each value")
    axes.set_xlim(-width, 100 + width)
    s.percent_axis(axes, "", grid=False)


# -- estimates ---------------------------------------------------------------------------


@styled
def estimates(
    fit: DataTree | dict[str, DataTree], predictor: str | None = None, prob: float = CI_PROB
) -> Figure:
    """Average expected share at each level of each predictor, beside the shares reported there.

    Parameters
    ----------
    fit : xarray.DataTree or dict of str to xarray.DataTree
        A fit; or predictors, each with the fit to show it from, of the same rows as the first.
    predictor : str, optional
        Show only this one.
    prob : float
        Probability of the outer equal-tailed interval.

    Notes
    -----
    The other predictors are as observed. A numeric predictor is shown at the values at which it is
    compared, each beside the shares of the rows nearest to it. Of a predictor with more than 30
    levels those with the largest and the smallest average.
    """
    if isinstance(fit, dict):
        fits, first = fit, next(iter(fit.values()))
    else:
        names = _only(share.levels(fit, prob), predictor)["predictor"]
        fits, first = dict.fromkeys(names, fit), fit
    parts = {name: _only(share.levels(own, prob), name) for name, own in fits.items()}
    ends = {n: outermost(p, MOST_ENDS) if len(p) > MOST_CLUSTERS else p for n, p in parts.items()}
    left_out = sum(map(len, parts.values())) - sum(map(len, ends.values()))
    scale, average = share.measured(first), share.average(first, prob)
    seen = share.reported(first) if scale.what == share.SHARES else None
    drawn: list[tuple[float, str, Any, Any]] = [] if ends else [(0.0, "all", average, None)]
    heads, spans, place = [], [], -0.25
    for name, rows in ends.items():
        block = next(b for b in share.parts(fits[name]) if b["name"] == name)
        label = str(rows["label"].iloc[0])
        heads.append((place + 0.25, label))
        place += 1.2 + 0.3 * (len(label) > LONG)
        at = share.nearest(fits[name], name) if seen is not None else None
        for row, level in zip(rows.itertuples(), rows.index - parts[name].index[0], strict=True):
            text = s.wrapped(steps.without_note(row.level), 28, 3)
            text += f" ({row.firms:,})" * (block["kind"] not in share.NUMBERS)
            tall = 0.25 * text.count("\n")
            place += tall
            drawn.append((place, text, rows.loc[[row.Index]], None if at is None else at == level))
            place += 0.9 + tall
        spans.append((heads[-1][0] + (0.8 if len(label) > LONG else 0.5), place - 0.4))
    height = s.ROW * (place + 0.25 if ends else 1.2)
    figure, axes = s.one_panel(0.68 + 0.15 * bool(left_out or scale.key) + height)
    for where, label in heads:
        _heading(axes, where, label)
    reach = float(max(row["ci_high"].max() for *_, row, _ in drawn))
    low = float(min(row["ci_low"].min() for *_, row, _ in drawn))
    for place, _, row, which in drawn:
        if seen is not None:
            reach = max(reach, _reported(axes, place, seen, which))
            low = 0.0
        s.dots(axes, [place], row)
    if ends:
        s.center_line(axes, average["median"].iloc[0], spans)
    places, texts = zip(*((place, text) for place, text, *_ in drawn), strict=True)
    s.row_labels(axes, places, texts, ends=(0.5, 0.8))
    pad = 0.04 * max(reach - low, 1e-6)
    axes.set_xlim(-pad if low < 0.15 * reach else low - pad, min(101, reach + pad))
    _scale(axes, first, "Average {what}" if seen is None else first["constant_data"].outcome_label)
    s.caption_below(
        figure,
        f"{left_out} levels between the largest and the smallest are not shown" * (left_out > 0),
        *textwrap.wrap(scale.key, 76),
    )
    return s.mark(figure, first)


def _reported(axes: Axes, place: float, seen: Any, which: Any) -> float:
    """Reported shares of some firms behind an estimate: dots, of many two bars; the largest."""
    values, of, count = seen
    banded = count.sum() > MOST_DOTS
    own = slice(None) if which is None else which[of]
    values, count = values[own], count[own]
    total = int(count.sum())
    if not total:
        return 0.0
    if banded:
        order = values.argsort()
        chance = count[order].cumsum() / total
        ends = [float(values[order][chance.searchsorted(p)]) for p in (0.05, 0.25, 0.75, 0.95)]
        axes.hlines(place, ends[0], ends[3], color=s.ORANGE, linewidth=6, alpha=0.18)
        axes.hlines(place, ends[1], ends[2], color=s.ORANGE, linewidth=6, alpha=0.3)
        return ends[3]
    every = np.sort(np.repeat(values, count))
    # Firms that report the same stand above each other.
    sizes = np.unique(every, return_counts=True)[1]
    nth = np.concatenate([np.arange(n) - (n - 1) / 2 for n in sizes])
    axes.plot(
        every,
        place + min(0.18, 0.8 / sizes.max()) * nth,
        "D",
        color=s.ORANGE,
        markersize=2.9,
        alpha=0.75,
    )
    return float(every[-1])


def _heading(axes: Axes, place: float, label: str, **look: Any) -> None:
    """The label of a predictor above its levels; a long one on two lines, in smaller letters."""
    long = len(label) > LONG
    s.heading(axes, place, s.wrapped(label, 38 if long else LONG), 8 if long else 9, **look)


def _scale(axes: Axes, fit: DataTree, label: str, *, signed: bool = False) -> None:
    """Label the horizontal axis with what the fit is about, in its unit."""
    scale = share.measured(fit)
    text = label.replace("{what}", s.shortened(scale.what, 44)).replace("{points}", scale.points)
    s.percent_axis(axes, capital(text), signed=signed)
    if not scale.percent and not signed:
        axes.xaxis.set_major_formatter("{x:g}")


def _only(table: pd.DataFrame, predictor: str | None) -> pd.DataFrame:
    if predictor is None:
        return table
    rows = table[table["predictor"] == predictor]
    if not len(rows):
        raise StudyError(
            f"there is no comparison for '{predictor}'; expected one of "
            f"{listed(dict.fromkeys(table['predictor']))}",
            value=predictor,
        )
    return rows


@styled
def differences(fit: DataTree, predictor: str | None = None, prob: float = CI_PROB) -> Figure:
    """Pairwise differences of expected reported shares, with the probability of direction.

    Parameters
    ----------
    fit : xarray.DataTree
    predictor : str, optional
        Show only this one. Of many differences those with the clearest direction are shown.
    prob : float
        Probability of the outer equal-tailed interval.
    """
    table = _only(share.differences(fit, prob), predictor)
    everything = len(table)
    table = clearest(table, MOST_ROWS)
    groups = list(dict.fromkeys(table["predictor"]))
    texts = [
        f"{s.shortened(a, 31)}\nminus {s.shortened(b, 31)}"
        for a, b in zip(
            *(map(steps.without_note, table[end]) for end in ("level", "against")), strict=True
        )
    ]
    figure, axes = s.one_panel(1.15 + 0.36 * max(len(table), 1))
    places = np.arange(len(table), dtype=float)
    axes.axvline(0, color=s.INK, linewidth=0.9)
    for i, name in enumerate(groups):
        here = (table["predictor"] == name).to_numpy()
        s.dots(axes, places[here], table[here], s.CYCLE[i % len(s.CYCLE)])
    for place, row in zip(places, table.itertuples(), strict=True):
        sign = ">" if row.p_positive >= 0.5 else "<"
        s.beside(axes, place, f"Pr({sign} 0) {probability(row.p_direction)}", 1.01)
    s.row_labels(axes, places, texts, 8)
    _scale(axes, fit, "Difference in {points}", signed=True)
    left_out = everything - len(table)
    note = f"{left_out} differences with a less clear direction are not shown" if left_out else ""
    s.caption_below(figure, s.interval_words(prob), note)
    return s.mark(figure, fit)


@styled
def zeros(fit: DataTree, prob: float = CI_PROB) -> Figure:
    """Three averages at each level, with structural zeros: any at all, share if any, and both.

    Parameters
    ----------
    fit : xarray.DataTree
        Of a study with ``zeros = "structural"``.
    prob : float
        Probability of the outer equal-tailed interval.

    Notes
    -----
    Of predictors with more than 30 levels none is shown.
    """
    table = steps.zero_levels(fit, prob)
    size = table.groupby("predictor")["level"].transform("size")
    table = table[size <= 3 * MOST_CLUSTERS]
    each = table[table["estimand"] == steps.BOTH]
    groups = list(dict.fromkeys(each["predictor"]))
    places, heads = [], []
    position = 0.0
    for name in groups:
        here = position + 1.1 + 1.5 * np.arange((each["predictor"] == name).sum())
        heads.append(here[0] - 1.0)
        places += list(here)
        position = here[-1] + 1.3
    figure = s.new_figure(1.0 + s.ROW * (1.5 * len(each) + 1.5 * len(groups)))
    panels = figure.subplots(1, 3, sharey=True)
    average = steps.as_observed(fit, prob).set_index("estimand")["median"]
    for axes, estimand in zip(panels, (steps.ANY, steps.IF_ANY, steps.BOTH), strict=True):
        own = table[table["estimand"] == estimand]
        for i, name in enumerate(groups):
            rows = own["predictor"].to_numpy() == name
            s.dots(axes, np.array(places)[rows], own[rows], s.CYCLE[i % len(s.CYCLE)], size=4)
        s.center_line(axes, average[estimand])
        what = "both together" if estimand == steps.BOTH else estimand
        s.small_title(axes, f"{what}, %")
        s.percent_axis(axes, "", ticks=3)
        axes.xaxis.set_major_formatter("{x:g}")
    texts = [s.wrapped(steps.without_note(level), 20) for level in each["level"]]
    s.row_labels(panels[0], places, texts, 8, ends=(0.6, 1.3))
    for axes in panels[1:]:
        axes.tick_params(axis="y", labelleft=False, length=0)
        axes.spines["left"].set_visible(False)
    # Headings go on over the panels beside the first.
    panels[0].set_zorder(1)
    panels[0].patch.set_visible(False)
    labels = dict(zip(each["predictor"], each["label"], strict=True))
    for place, name in zip(heads, groups, strict=True):
        _heading(panels[0], place, labels[name], in_layout=False)
    s.caption_below(
        figure,
        s.interval_words(prob),
        "dashed: average as observed; both together: expected share of all",
    )
    return s.mark(figure, fit)


@styled
def ranks(fit: DataTree, predictor: str | None = None) -> Figure:
    """Probability that a level has the largest, second largest ... expected share.

    Parameters
    ----------
    fit : xarray.DataTree
    predictor : str, optional
        By default all predictors with ranks, at most six.
    """
    table = _only(share.ranks(fit), predictor)
    groups = list(dict.fromkeys(table["predictor"]))[:6]
    parts = [table[table["predictor"] == name] for name in groups]
    sizes = [part["level"].nunique() for part in parts]
    heights = [max(2, min(size, 40)) * (0.3 if size <= 12 else 0.17) + 0.75 for size in sizes]
    figure = s.new_figure(max(1.0, sum(heights)) + 0.2)
    if not parts:
        return s.mark(figure, fit)
    panels = figure.subplots(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, part, size in zip(panels, parts, sizes, strict=True):
        _rank_tiles(axes, part, size)
    return s.mark(figure, fit)


def _rank_tiles(axes: Axes, part: pd.DataFrame, size: int) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("ranks", ["#FFFFFF", "#9CC7E4", s.BLUE])
    values = part["probability"].to_numpy().reshape(size, size)
    names = part["level"].to_numpy()[::size]
    # Levels from the likeliest first to the likeliest last.
    order = np.argsort(values @ np.arange(size), kind="stable")
    values = values[order]
    axes.imshow(values, cmap=shades, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    if size <= 8:  # beyond, the numbers would not fit their tiles
        for i, j in np.ndindex(size, size):
            text = probability(values[i, j]).replace(" ", "")
            color = "white" if values[i, j] > 0.6 else s.INK
            axes.text(j, i, text, ha="center", va="center", fontsize=8, color=color)
    s.row_labels(axes, range(size), [s.shortened(names[i], 30) for i in order], ends=(0.5, 0.5))
    ticks = range(size) if size <= 12 else range(0, size, max(1, size // 8))
    axes.set_xticks(list(ticks), [str(t + 1) for t in ticks])
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel("rank by expected share (1 = largest)", fontsize=8.5)
    axes.set_title(s.shortened(part["label"].iloc[0], 50))
    axes.spines[:].set_visible(False)


@styled
def variation(fit: DataTree, prob: float = CI_PROB) -> Figure:
    """Each source's part of the variation of shares between firms.

    Parameters
    ----------
    fit : xarray.DataTree
    prob : float
        Probability of the outer equal-tailed interval.
    """
    table = share.variation(fit, prob)
    texts = [s.wrapped(label, 28, 3) for label in table["label"]]
    each = 0.44 if any(text.count("\n") == 2 for text in texts) else 0.32
    figure, axes = s.one_panel(0.95 + each * max(1, len(table)))
    places = np.arange(len(table), dtype=float)
    left = (table["source"] == share.NOT_EXPLAINED).to_numpy()
    s.dots(axes, places[~left], table[~left], s.BLUE)
    s.dots(axes, places[left], table[left], s.MUTED)
    s.row_labels(axes, places, texts)
    axes.set_xlim(min(-1.0, float(table["ci_low"].min()) - 1) if len(table) else -1, 101)
    rows = "firms" if share.row_dimension(fit) == "firm" else "rows"
    s.percent_axis(axes, f"Part of the variation between {rows}")
    s.caption_below(figure, s.interval_words(prob))
    return s.mark(figure, fit)


# -- new firms ---------------------------------------------------------------------------


@styled
def new_firms(prediction: Dataset, passed: bool = True, prob: float = CI_PROB) -> Figure:
    """Predicted reported share of new firms, one strip per profile.

    Parameters
    ----------
    prediction : xarray.Dataset
        From :func:`intlmodels.predict`.
    passed : bool
        Whether the fit passed the gate.
    prob : float
        Probability of the outer equal-tailed interval.
    """
    chance = 100 * prediction["probability"].to_numpy()
    values = prediction["grid"].to_numpy()
    width, grid, chance = s.coarser(values, chance)
    if len(grid) < len(values):
        grid = grid + (values[1] - values[0]) / 2
    ends = np.array([(1 - prob) / 2, (1 + prob) / 2])
    # The places of the ends of the interval, (profile, end).
    low, high = (chance.cumsum(axis=1)[..., None] / 100 < ends - 1e-9).sum(axis=1).T[..., None]
    inside = (np.arange(len(grid)) >= low) & (np.arange(len(grid)) <= high)
    names = [s.wrapped(name, 25, 3) for name in prediction["profile"].to_numpy()]
    figure, last = s.strips(names, 0.62, grid, chance, width, np.where(inside, s.BLUE, s.PALE))
    last.set_xlim(grid[0] - width, grid[-1] + width)
    last.set_ylim(0, 1.05 * float(chance.max()))
    s.percent_axis(last, "Reported share of a new firm", grid=False)
    s.caption_below(
        figure,
        "height: probability of each reported share",
        f"dark: {100 * prob:g}% equal-tailed interval",
    )
    return s.mark(figure, passed)


# -- variants ----------------------------------------------------------------------------


@styled
def variants(table: pd.DataFrame | Mapping[str, DataTree], prob: float = CI_PROB) -> Figure:
    """Differences between levels, side by side across the variants of the model.

    Parameters
    ----------
    table : pandas.DataFrame or mapping of str to DataTree
        The fits by variant; or the table of variants that reports make of them.
    prob : float
        Probability of the outer equal-tailed interval, where fits are given.
    """
    if isinstance(table, Mapping):
        table = share.compare_variants(table, prob)
    names = list(dict.fromkeys(table["variant"]))
    shown = share.COMPARED.rows(table)
    keys = list(share.COMPARED.key)
    own = clearest(shown[shown["variant"] == names[0]], MOST_PANELS)
    chosen = [tuple(row) for row in own[keys].itertuples(index=False)]
    if not chosen:  # nothing is compared: the average of all firms
        shown = table[table["quantity"] == "average"].assign(**dict.fromkeys(keys, ""))
        chosen = [("", "", "")]
    columns = min(s.across(3), len(chosen))
    figure, grid, panels = s.small_panels(
        len(chosen), columns, 0.6, 0.65 + 0.17 * len(names), s.WIDTH + 0.6
    )
    compared = chosen[0] != ("", "", "")
    for place, (axes, key) in enumerate(zip(panels, chosen, strict=True)):
        if compared:
            axes.axvline(0, color=s.INK, linewidth=0.8)
            s.small_title(axes, s.wrapped(f"{key[1]} minus {key[2]}", 22, 3))
        part = shown[(shown[keys] == list(key)).all(axis=1)]
        s.variant_dots(axes, part, names, hollow=True)
        axes.tick_params(axis="x", labelbottom=place + columns >= len(chosen), labelsize=8)
        s.percent_axis(axes, "", signed=compared)
    for axes in grid[:, 0]:
        s.row_labels(axes, range(len(names)), [s.shortened(name, 20) for name in names], 8)
    failed = "; red cross: did not converge" if not table["converged"].all() else ""
    what = "difference in percentage points" if compared else "average expected share"
    s.caption_below(
        figure,
        f"{what}; hollow grey: for comparison only{failed}",
        s.interval_words(float(shown["ci_prob"].iloc[0])),
    )
    return s.mark(figure, bool(table.loc[table["variant"] == names[0], "converged"].all()))
