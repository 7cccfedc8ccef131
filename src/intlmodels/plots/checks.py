"""Pictures that say whether to believe a fit: prior and posterior, chains, and the checks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.checks import calibration
from intlmodels.checks import tables as t
from intlmodels.checks.leaveout import pit_cdf
from intlmodels.checks.stored import PROBS, Calibration
from intlmodels.core.formats import counted, in_words, probability
from intlmodels.plots import style as s
from intlmodels.plots.style import Figure, styled
from intlmodels.results import intervals
from intlmodels.results.intervals import Array
from intlmodels.results.wording import CLEAR, LEANING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from xarray import DataTree


#: Parameters shown in small multiples; the others are in the table.
MOST_PARAMETERS = 18
#: Small panels of ranks, and rows of the other pictures, at most.
MOST_PANELS = 18
MOST_ROWS = 24
MOST_MOVED = 15
#: Comparisons with a line of their own.
MOST_LINES = 12
#: A move, in posterior standard deviations, below which no refit is named.
LEAST_MOVE = 0.05
#: Points of a curve and of its band: more cannot be seen in a small panel.
CURVE_POINTS, BAND_POINTS = 101, 26
#: Sensitivities below this are drawn there: the axis is logarithmic.
LEAST_SENSITIVITY = 0.001


def smallest_p(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """The quantities with the smallest p-values, in their original order."""
    if len(table) <= most:
        return table
    return table.loc[sorted(table["p_value"].sort_values(kind="stable").index[:most])]


def _not_shown(table: pd.DataFrame, shown: pd.DataFrame) -> str:
    more = len(table) - len(shown)
    return f"{counted(more, 'quantity')} with larger p not shown" if more else ""


# -- prior and posterior -----------------------------------------------------------------


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
    figure, _, panels = s.small_panels(len(names), 3, 0.55, 1.12, share=False)
    positive = {
        name
        for name, prior in json.loads(fit.attrs["priors"]).items()
        if prior["support"] == "positive"
    }
    for axes, name in zip(panels, names, strict=True):
        _two_densities(axes, before[name][1].ravel(), after[name][1].ravel(), name in positive)
        s.small_title(axes, s.wrapped(in_words(name), 24))
    more = len(after) - len(names)
    note = f"; {counted(more, 'more parameter')} in the table" if more else ""
    s.caption_below(figure, f"grey: prior; blue: posterior{note}")
    return s.mark(figure, fit)


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
    s.no_rows(axes)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlim(low, high)


# -- chains ------------------------------------------------------------------------------


def chains(fit: DataTree, most: int = 6) -> Figure:
    """Rank histograms of the parameters that mixed worst, one line per chain.

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
    figure, grid, panels = s.small_panels(len(worst), columns, 0.7, 1.3)
    for axes, name in zip(panels, worst, strict=True):
        _rank_lines(axes, found[name][1])
        s.small_title(axes, s.wrapped(in_words(name), 22))
    for axes in grid[:, 0]:
        axes.set_ylabel("times expected", fontsize=8)
    s.caption_below(
        figure,
        "rank among the draws of all chains; one line per chain",
        "grey: where independent chains fall",
    )
    return s.mark(figure, fit)


def _rank_lines(axes: Axes, draws: Array, cells: int = 20) -> None:
    from matplotlib.ticker import MaxNLocator

    count, length = draws.shape
    ranks = draws.ravel().argsort(kind="stable").argsort(kind="stable").reshape(draws.shape)
    expected = length / cells
    # About three standard errors of a bin count, for draws that are independent.
    reach = 3 * np.sqrt((1 - 1 / cells) / expected)
    axes.axhspan(1 - reach, 1 + reach, color=s.FAINT, alpha=0.6, linewidth=0)
    for chain in range(count):
        heights, edges = np.histogram(ranks[chain], bins=cells, range=(0, draws.size))
        look: Any = {"baseline": None, "linewidth": 1.0}
        color = s.CYCLE[chain % len(s.CYCLE)]
        axes.stairs(heights / expected, edges / draws.size, color=color, **look)
    axes.set_xticks([0, 1], ["lowest", "highest"])
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.tick_params(axis="both", labelsize=8)
    lowest, highest = axes.get_ylim()
    axes.set_ylim(min(lowest, 0.5), max(highest, 1.5))


# -- calibration -------------------------------------------------------------------------


@styled
def rank_differences(found: Calibration, table: pd.DataFrame) -> Figure:
    """Empirical distribution functions of ranks less the uniform one, a panel a quantity.

    Parameters
    ----------
    found : Calibration
        The value of ``calibration`` in what :func:`intlmodels.calibrate` returns.
    table : pandas.DataFrame
        ``calibration.csv`` of :func:`intlmodels.trust_tables`.
    """
    shown = smallest_p(table, MOST_PANELS)
    columns = min(3, len(shown))
    figure, _, panels = s.small_panels(len(shown), columns, 0.95, 1.3)
    both = bands(found, len(table))
    for axes, (place, row) in zip(panels, shown.iterrows(), strict=True):
        difference = calibration.ecdf_difference(found.quantities[int(place)].ranks)
        _rank_panel(axes, 100 * difference, both, bool(row["deviates"]))
        p = probability(row["p_adjusted"])
        s.small_title(
            axes,
            f"{s.wrapped(in_words(row['quantity']), 22, 4)}\np {'' if p[:1] in '<>' else '= '}{p}",
            color=s.ORANGE if row["deviates"] else s.INK,
        )
    for place, axes in enumerate(panels):
        axes.tick_params(axis="x", labelbottom=place + columns >= len(shown))
    figure.supylabel("more than expected (%)", fontsize=8.5)
    s.caption_below(
        figure,
        "rank of the true value among the draws",
        _not_shown(table, shown),
        "grey: where a calibrated quantity stays (dark: 95%; light: 99% for all at once)",
    )
    return figure


def bands(found: Calibration, quantities: int) -> tuple[tuple[Array, Array], ...]:
    """Where curves of uniform ranks stay, in percent, at ranks 0 to L: pairs of low and high.

    First of all quantities at once, at the level of the verdict (Bonferroni); then of one quantity
    alone, narrower.
    """
    draws = len(found.quantities[0].ranks) - 1
    probs = (1 - calibration.FAMILYWISE / quantities, t.BAND)
    ends = [calibration.band(found.ranked, draws, prob) for prob in probs]
    return tuple((100 * low, 100 * high) for low, high in ends)


def _rank_panel(
    axes: Axes, difference: Array, bands: Sequence[tuple[Array, Array]], deviates: bool
) -> None:
    last = len(difference) - 1
    for (low, high), color in zip(bands, ("#ECECEC", s.FAINT), strict=False):
        some = _thinned(last, BAND_POINTS)
        axes.fill_between(some / last, low[some], high[some], color=color, linewidth=0)
    axes.axhline(0, color=s.MUTED, linewidth=0.6)
    some = _thinned(last, CURVE_POINTS)
    color = s.ORANGE if deviates else s.BLUE
    axes.plot(some / last, difference[some], color=color, linewidth=1.1)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 1], ["lowest", "highest"])
    axes.tick_params(axis="both", labelsize=8)
    first, second = axes.xaxis.get_major_ticks()
    first.label1.set_horizontalalignment("left")
    second.label1.set_horizontalalignment("right")


def _thinned(last: int, most: int) -> Any:
    """Indices from 0 to ``last``, at most ``most`` of them."""
    return np.unique(np.linspace(0, last, min(last + 1, most)).round().astype(int))


@styled
def coverage(table: pd.DataFrame) -> Figure:
    """How often intervals of 50, 80 and 95 percent contained the true value, with binomial limits.

    Parameters
    ----------
    table : pandas.DataFrame
        ``calibration.csv`` of :func:`intlmodels.trust_tables`.
    """
    from matplotlib.ticker import MaxNLocator

    shown = smallest_p(table, MOST_ROWS)
    labels = [s.wrapped(in_words(name), 24) for name in shown["quantity"]]
    step = 0.29 if any("\n" in label for label in labels) else 0.21
    figure = s.new_figure(1.15 + step * len(shown))
    panels = figure.subplots(1, len(PROBS), sharey=True)
    places = np.arange(len(shown), dtype=float)
    for axes, prob in zip(panels, PROBS, strict=True):
        name = f"{100 * prob:g}"
        low, high = shown[f"low_{name}"], shown[f"high_{name}"]
        axes.hlines(places, low, high, color=s.FAINT, linewidth=7)
        axes.axvline(100 * prob, color=s.MUTED, linewidth=0.6)
        outside = shown[f"outside_{name}"].to_numpy(dtype=bool)
        held = shown[f"coverage_{name}"]
        for where, color, mark in ((~outside, s.BLUE, "o"), (outside, s.ORANGE, "D")):
            axes.plot(held[where], places[where], mark, color=color, markersize=4.2)
        axes.set_title(f"{name}%", fontsize=8.5)
        axes.tick_params(axis="both", labelsize=8)
        axes.margins(x=0.09)
        # Whole numbers without a sign: there is no room for 77.5% beside 80%.
        ticks = MaxNLocator(s.across(3), integer=True, steps=[1, 2, 5, 10])
        axes.xaxis.set_major_locator(ticks)
    s.row_labels(panels[0], places, labels, 8)
    for axes in panels[1:]:
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    s.caption_below(
        figure,
        "percent of simulated studies whose interval contained the true value",
        _not_shown(table, shown),
        "grey: limits that hold 95% of shares if all is right; orange: outside",
    )
    return figure


# -- sensitivity -------------------------------------------------------------------------

_COLORS = {"prior": s.BLUE, "reading": s.ORANGE}


@styled
def moves(table: pd.DataFrame, farthest: pd.DataFrame, passed: bool = True) -> Figure:
    """How far each quantity moves with other priors and readings, one dot a refit.

    From the functions ``moves`` and ``farthest`` of :mod:`intlmodels.checks.tables`; ``passed``:
    whether the default fit passed the gate.
    """
    shown = farthest.head(MOST_MOVED)
    texts = [s.wrapped(in_words(name), 26, 3) for name in shown["quantity"]]
    step = 0.42 if any(text.count("\n") > 1 for text in texts) else 0.34
    figure, axes = s.one_panel(1.4 + step * len(shown), width=s.WIDTH + 0.6)
    axes.axvline(0, color=s.INK, linewidth=0.8)
    usable = table[table["counts"]]
    for place, row in enumerate(shown.to_dict("records")):
        part = usable[usable["quantity"] == row["quantity"]]
        for offset, (kind, color) in zip((-0.16, 0.16), _COLORS.items(), strict=True):
            _moved(axes, part[part["kind"] == kind], place + offset, color)
            if abs(row[f"{kind}_move_in_sd"]) >= LEAST_MOVE:
                s.beside(axes, place + offset, s.shortened(row[kind], 24), color=color)
    s.row_labels(axes, range(len(shown)), texts, 8, (1.0, 0.6))
    s.beside(axes, -0.75, "moved most by", color=s.MUTED)
    reach = 1.1 * max(float(shown["farthest"].max()), 0.25)
    axes.set_xlim(-reach, reach)
    axes.grid(axis="x")
    axes.set_xlabel("Move of the median, in posterior sd")
    words = ["one dot per refit; blue: other priors; orange: other readings"]
    if usable.loc[usable["quantity"].isin(shown["quantity"]), "changed"].any():
        words.append("large diamond: the verdict on its direction changes")
    if len(farthest) > len(shown):
        more = counted(len(farthest) - len(shown), "quantity")
        words.append(f"{more} that move{'s' * more.startswith('1 ')} less: in the file")
    s.caption_below(figure, *words)
    return s.mark(figure, passed)


def _moved(axes: Axes, rows: pd.DataFrame, place: float, color: str) -> None:
    changed = rows["changed"].to_numpy(dtype=bool)
    for where, mark, size in ((~changed, "o", 3.6), (changed, "D", 5.6)):
        axes.plot(
            rows["move_in_sd"][where],
            np.full(int(where.sum()), place),
            mark,
            color=color,
            markersize=size,
            alpha=0.75,
            markeredgewidth=0,
        )


@styled
def left_out(part: pd.DataFrame, passed: bool = True) -> Figure:
    """One difference without each firm, count or group of counts, the stored fit on top.

    ``part``: from :func:`intlmodels.checks.tables.key_influences`; ``passed``: whether the default
    fit passed the gate.
    """
    shown = part.head(1 + MOST_ROWS)
    places = np.arange(len(shown), dtype=float)
    figure, axes = s.one_panel(1.2 + 0.24 * len(shown))
    base = shown.iloc[0]
    axes.axvspan(base["ci_low"], base["ci_high"], color="#ECECEC", linewidth=0, zorder=0)
    axes.axvline(0, color=s.INK, linewidth=0.8)
    changed = shown["changed"].to_numpy(dtype=bool)
    for where, color in ((~changed, s.BLUE), (changed, s.ORANGE)):
        rows = shown[where]
        axes.hlines(places[where], rows["ci_low"], rows["ci_high"], color=color, linewidth=1.2)
        axes.plot(rows["median"], places[where], "o", color=color, markersize=4)
    for place, row in zip(places, shown.to_dict("records"), strict=True):
        s.beside(axes, place, probability(row["probability"]), color=s.MUTED)
    s.beside(axes, -1.0, "Pr(above 0)", color=s.MUTED)
    names = [s.shortened(name, 30) for name in shown["left_out"]]
    s.row_labels(axes, places, names, 8, (1.6, 0.6))
    axes.grid(axis="x")
    axes.set_xlabel("Percentage points" if base["unit"] == "points" else f"In {base['unit']}")
    words = ["grey: 95% interval of the stored fit; orange: another verdict"]
    if len(part) > len(shown):
        words.append(f"the {len(shown) - 1} that move it most, of {len(part) - 1}")
    s.caption_below(figure, *words)
    return s.mark(figure, passed)


def choice_name(axis: str, name: str) -> str:
    """A choice beside the name of its axis, which it need not repeat.

    >>> choice_name("rho", "rho-0.2"), choice_name("expertise", "nested-expertise")
    ('0.2', 'nested')
    """
    return name.removeprefix(f"{axis}-").removesuffix(f"-{axis}")


@styled
def specifications(
    table: pd.DataFrame,
    axes: Mapping[str, Sequence[str]],
    passed: bool = True,
    words: Mapping[str, str] | None = None,
) -> Figure:
    """Specification curve of one difference (Simonsohn et al. 2020, Nature Human Behaviour 4).

    ``table``: its rows of :func:`intlmodels.checks.tables.curves`; ``axes``: the choices that were
    combined; ``words``: what choices are called, if not by their names. The lowest median stands on
    the left.
    """
    rows = table.sort_values("median", kind="stable").reset_index(drop=True)
    # A choice under which the difference does not exist has no row.
    choices = {axis: [n for n in own if (rows[axis] == n).any()] for axis, own in axes.items()}
    lines = sum(1 + len(own) for own in choices.values())
    figure = s.new_figure(2.2 + 0.165 * lines)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.0, 0.165 * lines))
    numbers = np.arange(len(rows))
    towards = np.maximum(rows["p_positive"], 1 - rows["p_positive"])
    for limits, color, word in (
        ((CLEAR, 2.0), s.BLUE, f"clear (≥ {CLEAR:g})"),
        ((LEANING, CLEAR), s.SKY, f"leaning (≥ {LEANING:g})"),
        ((0.0, LEANING), s.PRIOR, "undecided"),
    ):
        which = ((towards >= limits[0]) & (towards < limits[1])).to_numpy()
        if which.any():
            low, high = rows["ci_low"][which], rows["ci_high"][which]
            top.vlines(numbers[which], low, high, color=color, linewidth=1.0, alpha=0.6)
            top.plot(numbers[which], rows["median"][which], "o", color=color, ms=2.8, label=word)
    default = np.flatnonzero(rows["default"])
    top.plot(default, rows["median"][default], "D", color=s.INK, ms=5, label="default", zorder=5)
    top.axhline(0, color=s.INK, linewidth=0.8)
    unit = str(rows["unit"].iloc[0])
    top.set_ylabel("percentage points" if unit == "points" else unit)
    s.signed_ticks(top.yaxis, 6)
    low, high = float(rows["ci_low"].min()), float(rows["ci_high"].max())
    top.set_ylim(low - 0.05 * (high - low), high + 0.35 * (high - low))
    top.legend(loc="upper left", ncols=2, fontsize=8, borderpad=0).set_in_layout(False)
    places: list[int] = []
    texts: list[str] = []
    head = 0
    for axis, own in choices.items():
        s.beside(below, head, t.axis_name(axis), -0.02, ha="right", fontsize=8.5, fontweight="bold")
        for place, name in enumerate(own, start=head + 1):
            chosen = numbers[(rows[axis] == name).to_numpy()]
            below.vlines(chosen, place - 0.36, place + 0.36, color=s.INK, linewidth=1.0)
            places.append(place)
            said = (words or {}).get(name)
            texts.append(
                s.shortened(said, 36) if said else s.shortened(choice_name(axis, name), 20)
            )
        head += 1 + len(own)
    s.row_labels(below, places, texts, 8.5, ends=(0.6, 0.6))
    for axes_of in (top, below):
        axes_of.tick_params(axis="x", bottom=False, labelbottom=False)
    for spine in ("bottom", "left"):
        below.spines[spine].set_visible(False)
    return s.mark(figure, passed)


@styled
def power_scaling(table: pd.DataFrame, passed: bool = True) -> Figure:
    """Sensitivity of each quantity to prior and likelihood, the most sensitive to priors first.

    Parameters
    ----------
    table : pandas.DataFrame
        ``power_scaling.csv`` of :func:`intlmodels.trust_tables`.
    passed : bool
        Whether the default fit passed the gate.
    """
    shown = table.sort_values("prior", ascending=False, kind="stable").head(MOST_ROWS)
    labels = [s.wrapped(in_words(name), 34) for name in shown["quantity"]]
    step = 0.29 if any("\n" in label for label in labels) else 0.2
    figure, axes = s.one_panel(1.15 + step * len(shown))
    places = np.arange(len(shown), dtype=float)
    axes.axvline(t.SENSITIVE, color=s.INK, linewidth=0.8, linestyle=(0, (4, 3)))
    both = [np.maximum(shown[name], LEAST_SENSITIVITY) for name in ("prior", "likelihood")]
    axes.hlines(places, *both, color=s.FAINT, linewidth=1.2)
    for values, color, mark in zip(both, (s.ORANGE, s.BLUE), ("D", "o"), strict=True):
        axes.plot(values, places, mark, color=color, markersize=4.4, alpha=0.9)
    s.row_labels(axes, places, labels, 8, (0.7, 0.7))
    axes.set_xscale("log")
    largest = max(1.0, float(np.nanmax([values.max() for values in both])))
    ticks = [tick for tick in (0.001, 0.01, 0.05, 0.2, 1.0, 5.0) if tick <= largest]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(0.8 * LEAST_SENSITIVITY, 1.25 * largest)
    axes.grid(axis="x")
    axes.set_xlabel("Sensitivity to power-scaling")
    words = ["orange diamond: of the prior; blue dot: of the likelihood"]
    words.append(f"dashed: {t.SENSITIVE:g}, from where it is called sensitive")
    if len(table) > len(shown):
        words.append(f"the {len(shown)} most sensitive to the prior of {len(table)}")
    if not table["reliable"].all():
        words.append("NOT RELIABLE: Pareto k above 0.7")
    s.caption_below(figure, *words)
    return s.mark(figure, passed)


@styled
def decisions(table: pd.DataFrame, own: int, passed: bool = True) -> Figure:
    """Rate of right decisions against the number of firms, one line per comparison.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`intlmodels.checks.tables.decisions`.
    own : int
        Number of firms of the study itself.
    passed : bool
        Whether the default fit passed the gate.
    """
    last = table[table["firms"] == table["firms"].max()]
    order = last.sort_values("right", ascending=False, kind="stable")["quantity"].tolist()
    shown = order[:MOST_LINES]
    figure, axes = s.one_panel(3.0 + 0.16 * len(shown))
    for place, name in enumerate(shown):
        part = table[table["quantity"] == name]
        look: Any = {"color": s.CYCLE[place % len(s.CYCLE)], "linewidth": 1.2}
        style = ("-", "--", ":")[place // len(s.CYCLE) % 3]
        low, high = (part["right"] + side * part["right_error"] for side in (-1, 1))
        axes.vlines(part["firms"], low.clip(0), high.clip(upper=100), **look)
        axes.plot(part["firms"], part["right"], f"o{style}", ms=3.5, label=s.one_line(name), **look)
    axes.axvline(own, color=s.MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_xscale("log")
    firms = sorted(set(table["firms"]))
    axes.set_xticks(firms, [f"{number}" for number in firms])
    axes.set_xticks([], minor=True)
    axes.set_ylim(0, 100)
    axes.set_xlabel("Number of firms")
    axes.set_ylabel("Decided rightly (%)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.16), fontsize=7)
    words = [f"dashed: the {own} firms of the study; vertical lines: Monte Carlo error"]
    if len(order) > len(shown):
        words.append(f"the {len(shown)} most often decided of {len(order)}")
    s.caption_below(figure, *words)
    return s.mark(figure, passed)


# -- pictures of the comparison by exact leave-one-out ---------------------------------

#: Units in one picture, at most; up to ``MOST_WRAPPED`` a name may take two lines.
MOST_UNITS, MOST_WRAPPED = 60, 30


@styled
def elpds(table: pd.DataFrame, units: int, passed: bool = True) -> Figure:
    """Difference in elpd of each variant to the default, with its bootstrap interval.

    Parameters
    ----------
    table : pandas.DataFrame
        ``elpd.csv`` of :func:`intlmodels.trust_tables`.
    units : int
        How many were left out.
    passed : bool
        Whether the default fit passed the gate.
    """
    names = table["variant"].tolist()
    places = np.arange(len(names), dtype=float)
    figure, axes = s.one_panel(1.15 + 0.27 * len(names))
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
        better = "better" if gap[place] > 0 else "worse"
        why = "not comparable" if np.isnan(gap[place]) else f"{better} than draws can measure"
        s.beside(axes, float(place), why, 0.03, color=s.MUTED)
    s.row_labels(axes, places, [s.shortened(name, 24) for name in names])
    low = np.nanmin([table["ci_low"][finite].min(), -t.ALIKE])
    high = np.nanmax([table["ci_high"][finite].max(), t.ALIKE])
    axes.set_xlim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    axes.grid(axis="x")
    axes.set_xlabel("Difference in elpd to the default")
    words = ["right: predicts better; line: 95% interval, Bayesian bootstrap"]
    if units < t.FEW_UNITS:
        words.append(f"grey: within {t.ALIKE:g}, not distinguishable with so few")
    if crossed.any():
        words.append("red cross: a refit did not converge")
    s.caption_below(figure, *words)
    return s.mark(figure, passed)


@styled
def pit(law: t.Laws, passed: bool = True) -> Figure:
    """Mean distribution function of the PIT of discrete outcomes, against the diagonal."""
    grid = t.PIT_GRID
    curve = pit_cdf(law.below, law.exactly, grid)
    reach = t.pit_band(law, grid)
    figure, axes = s.one_panel(3.4)
    low, high = np.maximum(grid - reach, 0), np.minimum(grid + reach, 1)
    axes.fill_between(grid, low, high, color=s.FAINT, linewidth=0)
    axes.plot(grid, grid, color=s.MUTED, linewidth=0.7)
    axes.plot(grid, curve, color=s.BLUE, linewidth=1.6)
    axes.set_aspect("equal")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_xlabel("Place within the predictive distribution")
    axes.set_ylabel("Share of units below it")
    s.caption_below(figure, "grey: 95% band for right predictions (whole curve)")
    return s.mark(figure, passed)


@styled
def units(
    table: pd.DataFrame, labels: Sequence[str], label: str, percent: bool, passed: bool = True
) -> Figure:
    """What was reported, beside the prediction of a fit without it, the least likely first.

    Rows of one variant from :func:`intlmodels.checks.tables.left_out`, what each is called, the
    label of the horizontal axis, and whether that is in ``percent``.
    """
    order = np.argsort(table["p_tail"].to_numpy(), kind="stable")[:MOST_UNITS]
    shown = table.iloc[order]
    lines = 2 if len(shown) <= MOST_WRAPPED else 1
    wide = 36 if lines == 2 else 30
    texts = [s.wrapped(labels[int(place)], wide, lines) for place in order]
    step = 0.3 if any("\n" in text for text in texts) else 0.185
    figure, axes = s.one_panel(1.2 + step * len(shown))
    places = np.arange(len(shown), dtype=float)
    s.predicted(axes, places, shown, 1.4, 3.6)
    # A law with a single value has an interval without length.
    axes.plot(shown["median"], places, "|", color=s.BLUE, markersize=6, markeredgewidth=1.4)
    outside = shown["outside"].to_numpy(dtype=bool)
    for where, color in ((~outside, s.INK), (outside, s.ORANGE)):
        axes.plot(shown["printed"][where], places[where], "D", color=color, markersize=3.8)
    failed = ~shown["converged"].to_numpy(dtype=bool)
    axes.plot(shown["printed"][failed], places[failed], "x", color=s.FAILED, markersize=9)
    s.row_labels(axes, places, texts, 8, (0.7, 0.7))
    if percent:
        s.percent_axis(axes, label)
    else:
        axes.set_xlabel(label)
        axes.grid(axis="x")
    words = [
        f"diamond: reported, orange outside the central {100 * t.CENTRAL:g}%",
        f"predicted: thick 50%, thin {100 * t.CENTRAL:g}% interval, dash median",
    ]
    if len(table) > len(shown):
        words.append(f"the {len(shown)} least likely of {len(table)}")
    if failed.any():
        words.append("red cross: the refit did not converge")
    s.caption_below(figure, *words)
    return s.mark(figure, passed)
