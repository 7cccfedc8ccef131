"""Pictures of published counts: what they cover, their conflicts, and what a fit says of them.

A count is compared with its own true value, which is drawn together with the parameters;
everything about single decisions is reconstructed. Where decisions are known, they are the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError
from intlmodels.core.formats import capital, counted, plural, probability
from intlmodels.models.base import flat, texts
from intlmodels.plots import style as s
from intlmodels.plots.style import Figure, styled
from intlmodels.results import decay
from intlmodels.results.intervals import Array
from intlmodels.studies.counts import FLAGS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from xarray import Dataset, DataTree


#: Rows of a picture; beyond, a table is easier to read.
MOST_ROWS = 60
#: Conflicts shown, the smallest first.
MOST_CONFLICTS = 30
#: Counts up to which each has its column, be it in a conflict or not.
MOST_COLUMNS = 24
#: Characters of a caption that fit the width of a figure.
CAPTION = 80

SIGNS = {"equal": "=", "at least": "≥", "at most": "≤"}
#: Colours of decisions by flag, in the order of :data:`intlmodels.studies.counts.FLAGS`.
FLAG_COLORS = (s.ORANGE, s.BLUE)
#: How far from the printed number a count is drawn; what lies beyond is gathered at the edge.
FURTHEST = 12
#: Area of the dot of probability 1, in square points.
AREA = 85.0
#: Probability below which a dot could not be seen.
VISIBLE = 0.005
#: Panels beside each other from which titles have two lines.
MOST_WIDE = 3


# -- words -------------------------------------------------------------------------------


def word(fit: DataTree, name: str, default: str) -> str:
    """What the study calls a thing (``event``, ``flag_label``, ``firm_label``)."""
    return s.shortened(fit["constant_data"].attrs.get(name, default), 60)


def events(fit: DataTree, width: int = 30) -> str:
    """What is counted, in the plural: ``decisions``."""
    return s.shortened(plural(word(fit, "event", "decision")), width)


def group_name(fit: DataTree, size: str, beside: int = 1) -> str:
    """A group of firms as a title, ``Large firms``, of so many panels beside each other."""
    name = f"{capital(size)} {plural(word(fit, 'firm_label', 'firm'))}"
    return s.shortened(name, 22) if beside < MOST_WIDE else s.wrapped(name, 15, 2)


def flag_words(fit: DataTree) -> str:
    """What decisions are called that carry the flag."""
    return word(fit, "flag_label", "flagged")


def caption(figure: Figure, *lines: str) -> None:
    """Lines below everything, broken where labels of the study make them too long."""
    s.caption_below(figure, *(s.wrapped(line, CAPTION, 3) for line in lines if line))


# -- conflicts ---------------------------------------------------------------------------


@styled
def conflicts(ids: Sequence[str], conflicts: Sequence[Sequence[str]]) -> Figure:
    """Which counts cannot all be true together: one row per minimal conflict, one column per count.

    Parameters
    ----------
    ids : sequence of str
        All counts, in their order.
    conflicts : sequence of sequences of str
        Minimal conflicts, the smallest first, as from the audit.
    """
    shown = [tuple(conflict) for conflict in conflicts][:MOST_CONFLICTS]
    involved = {name for conflict in shown for name in conflict}
    names = list(dict.fromkeys(ids))
    for name in sorted(involved - set(names)):
        raise StudyError("a conflict names this count; expected it among the ids", value=name)
    columns = names if len(names) <= MOST_COLUMNS else [name for name in names if name in involved]
    longest = max((len(s.shortened(name, 16)) for name in columns), default=1)
    width = max(s.WIDTH, 0.6 + 0.165 * len(columns))
    figure, axes = s.one_panel(0.75 + 0.075 * longest + 0.165 * max(len(shown), 1), width=width)
    for place, conflict in enumerate(shown):
        at = sorted(columns.index(name) for name in conflict)
        axes.hlines(place, at[0], at[-1], color=s.PRIOR, linewidth=0.8, zorder=1)
        axes.plot(at, np.full(len(at), place), "o", color=s.ORANGE, markersize=4.5, zorder=2)
    for column in range(0, len(columns), 2):
        axes.axvspan(column - 0.5, column + 0.5, color=s.FAINT, alpha=0.35, linewidth=0, zorder=0)
    axes.set_xticks(
        range(len(columns)),
        [s.shortened(name, 16) for name in columns],
        rotation=90,
        parse_math=False,
        fontsize=8,
    )
    axes.xaxis.tick_top()
    axes.tick_params(axis="both", length=0)
    axes.set_yticks(range(len(shown)), [str(i + 1) for i in range(len(shown))], fontsize=8)
    axes.set_xlim(-0.6, max(len(columns), 1) - 0.4)
    axes.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    axes.spines[:].set_visible(False)
    axes.set_ylabel("contradiction" if shown else "")
    everything, left_out = len(conflicts), len(names) - len(columns)
    caption(
        figure,
        "the counts of a row cannot all be true; without any one of them the others can"
        if everything
        else "no contradictions: all counts can be true together",
        f"the {len(shown)} smallest of {everything} minimal contradictions"
        if everything > len(shown)
        else "",
        f"{counted(left_out, 'count')} in none of these rows: not shown" if left_out else "",
    )
    return figure


# -- the data ----------------------------------------------------------------------------


@styled
def decisions(fit: DataTree) -> Figure:
    """The data: what each published count covers, or the known decisions firm by firm.

    Parameters
    ----------
    fit : xarray.DataTree
    """
    constant = fit["constant_data"].to_dataset()
    return _coverage(fit, constant) if "member" in constant else _sequences(fit, constant)


def _coverage(fit: DataTree, constant: Dataset) -> Figure:
    """Counts as bars over the periods that they cover, with the published number."""
    member = constant["member"].to_numpy().astype(bool)
    owner = texts(constant["count_id"])
    first = {name: owner.index(name) for name in dict.fromkeys(owner)}
    names = list(first)[:MOST_ROWS]
    periods = texts(constant["period_level"])
    figure, axes = s.one_panel(1.1 + 0.2 * len(names) + (1.0 if len(periods) > 4 else 0.0))
    labels = []
    for place, name in enumerate(names):
        row = first[name]
        many = owner.count(name)
        firms = member[[i for i, other in enumerate(owner) if other == name]].any(axis=(0, 2, 3))
        whose = _whose(fit, constant, firms, each=many > 1)
        labels.append(f"{s.shortened(whose, 24)} ({s.shortened(name, 16)})")
        relation = str(constant["count_relation"].to_numpy()[row])
        sign = "" if relation == "equal" else f"{SIGNS[relation]} "
        text = f"{sign}{int(constant['printed'].to_numpy()[row])}"
        flags = member[row].any(axis=(0, 1))
        color = s.MUTED if flags.all() else FLAG_COLORS[int(flags[1])]
        _coverage_bar(axes, place, member[row].any(axis=(0, 2)), color, text)
    s.row_labels(axes, range(len(names)), labels, 8)
    for edge in np.arange(len(periods) - 1) + 0.5:
        axes.axvline(edge, color=s.MUTED, linewidth=0.6, linestyle=(0, (2, 3)), zorder=0)
    upright = len(periods) > 4
    room = 22 if upright else 48 // len(periods)
    axes.set_xticks(
        range(len(periods)),
        [s.wrapped(period, room, 1 if upright else 3) for period in periods],
        rotation=90 if upright else 0,
        parse_math=False,
    )
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", length=0, labelsize=8)
    axes.set_xlim(-0.5, len(periods) - 0.5)
    axes.spines[:].set_visible(False)
    left_out = len(first) - len(names)
    caption(
        figure,
        "the published number, over the periods that it covers",
        f"blue: {flag_words(fit)}; orange: the others; grey: both",
        f"{counted(left_out, 'more count')} not shown" if left_out else "",
    )
    return figure


def _coverage_bar(axes: Axes, place: int, inside: NDArray[np.bool_], color: str, text: str) -> None:
    """A bar over each run of periods, the number in the middle of the longest."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(int), [0]])))
    runs = edges.reshape(-1, 2)
    rows = np.full(len(runs), place)
    axes.hlines(rows, runs[:, 0] - 0.46, runs[:, 1] - 0.54, color=color, linewidth=10.5)
    longest = runs[np.argmax(runs[:, 1] - runs[:, 0])]
    middle = ((longest[0] + longest[1] - 1) / 2, place)
    look: Any = {"ha": "center", "va": "center_baseline", "fontsize": 8, "fontweight": "bold"}
    axes.annotate(text, middle, color="white", **look)


def _whose(fit: DataTree, constant: Dataset, firms: NDArray[np.bool_], *, each: bool) -> str:
    """Firms that a count covers, together or each of them, in words."""
    noun = word(fit, "firm_label", "firm")
    if firms.all():
        return f"each {noun}" if each else f"all {plural(noun)}"
    sizes = texts(constant["size"])
    code = constant["size_of_firm"].to_numpy()
    for i, size in enumerate(sizes):
        if np.array_equal(firms, code == i):
            return f"{'each of the ' if each else ''}{size} {plural(noun)}"
    if firms.sum() == 1:
        return texts(constant["firm_level"])[int(firms.argmax())]
    return f"{'each of ' if each else ''}{counted(int(firms.sum()), noun)}"


def _sequences(fit: DataTree, constant: Dataset) -> Figure:
    """Known decisions in each firm's order: filled with the flag, hollow without."""
    from matplotlib.ticker import MaxNLocator

    firm = constant["firm_of_decision"].to_numpy()
    entries = constant["prior_entries"].to_numpy()
    period = constant["period_of_decision"].to_numpy()
    flag = next(iter(fit["observed_data"].to_dataset().data_vars.values())).to_numpy()
    size = constant["size_of_firm"].to_numpy()
    order = np.argsort(size, kind="stable")[:MOST_ROWS]
    gap = np.concatenate([[0], np.cumsum(np.diff(size[order]) != 0)])
    places = dict(zip(order.tolist(), (np.arange(len(order)) + 1.2 * gap).tolist(), strict=True))
    shown = np.isin(firm, order)
    firm, entries, period, flag = (values[shown] for values in (firm, entries, period, flag))
    y = np.array([places[f] for f in firm])
    figure, axes = s.one_panel(1.3 + 0.19 * (max(places.values()) + 1.5))
    dot = float(np.clip(230 / max(entries.max() + 1, 1), 2.0, 6.5))
    for wanted, color in zip((0, 1), FLAG_COLORS, strict=True):
        at = flag == wanted
        look: Any = {"markerfacecolor": color if wanted else "white", "markeredgewidth": 1.1}
        axes.plot(entries[at], y[at], "o", color=color, markersize=dot, **look)
    begins = np.flatnonzero((np.diff(firm) == 0) & (np.diff(period) > 0)) + 1
    axes.plot(entries[begins] - 0.5, y[begins], "|", color=s.MUTED, markersize=8)
    names = texts(constant["firm_level"])
    labels = [s.shortened(names[i], 24) for i in places]
    s.row_labels(axes, list(places.values()), labels, 8, (1.6, 0.7))
    for group in np.unique(gap):
        top = order[int(np.flatnonzero(gap == group)[0])]
        title = group_name(fit, texts(constant["size"])[size[top]])
        s.heading(axes, places[int(top)] - 0.95, title, 8.5)
    axes.set_xlim(-0.7, max(entries.max(), 4) + 0.7)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel(f"Earlier {events(fit)}")
    left_out = len(size) - len(order)
    caption(
        figure,
        f"blue, filled: {flag_words(fit)}; orange, hollow: the others",
        "tick: a new period begins",
        f"{counted(left_out, word(fit, 'firm_label', 'firm'))} not shown" if left_out else "",
    )
    return figure


def _check_latent(fit: DataTree) -> None:
    if "table" not in fit["posterior"].to_dataset():
        raise StudyError("the decisions of this study are known: it has no counts")


# -- true values of the counts -----------------------------------------------------------


@styled
def true_counts(fit: DataTree, prob: float = 0.95) -> Figure:
    """How far the true value of each published count is from what was published.

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
    every = table = decay.true_counts(fit, prob)
    off = flat(decay.estimands(fit)["true_count"]) - table["printed"].to_numpy()
    shown = _most_doubtful(table, MOST_ROWS)
    table, off = table.iloc[shown].reset_index(drop=True), off[:, shown]
    low, high = _reach(off, (table["relation"] == "equal").to_numpy())
    figure, axes = s.one_panel(1.25 + 0.19 * max(len(table), 1))
    axes.axvline(0, color=s.MUTED, linewidth=0.8, zorder=0)
    for place, row in enumerate(table.itertuples()):
        _true_count(axes, place, row, off[:, place], (low, high))
    labels = [
        f"{s.shortened(name, 24)} {SIGNS[relation]} {printed}"
        for name, relation, printed in zip(
            table["count"], table["relation"], table["printed"], strict=True
        )
    ]
    s.row_labels(axes, range(len(table)), labels, 8, (1.6, 0.6))
    for label, doubted in zip(axes.get_yticklabels(), table["p_held"] < 0.5, strict=True):
        label.set_fontweight("bold" if doubted else "normal")
    s.beside(axes, -1.1, "Pr(as reported)")
    axes.set_xlim(low - 1.4, high + 1.4)
    s.signed_ticks(axes.xaxis, 8, plus="+", integer=True)
    axes.grid(axis="x")
    axes.set_xlabel(f"True minus published number of {events(fit, 22)}")
    left_out = len(every) - len(table)
    caption(
        figure,
        f"area of a dot: its probability; line: {100 * prob:g}% equal-tailed interval",
        "triangle: this far or further; pale: as likely as published",
        "orange, bold: probably not as published; grey: taken as certain",
        f"{counted(left_out, 'count')} more likely to be right: not shown" if left_out else "",
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
            area, rows = AREA * chance[seen], np.full(seen.sum(), place)
            look: Any = {"color": color, "marker": marker, "linewidth": 0, "zorder": 3}
            axes.scatter(places[seen], rows, s=area, **look)
    s.beside(
        axes,
        place,
        "certain" if row.hard else probability(row.p_held),
        fontweight="bold" if row.p_held < 0.5 else "normal",
        color=s.MUTED if row.hard else s.INK,
    )


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
    from matplotlib.ticker import MaxNLocator

    _check_latent(fit)
    table = decay.cells(fit, prob)
    sizes, periods = (list(dict.fromkeys(table[name])) for name in ("size", "period"))
    # One line a period; above it the decisions with the flag, below it those without.
    beside = np.where(table["flag"] == FLAGS[1], -0.17, 0.17)
    table["place"] = np.array([periods.index(name) for name in table["period"]]) + beside
    known = _bounds(table, bounds)
    end = 1.06 * max(float(table["ci_high"].max()), float(known["high"].max(skipna=True)), 1.0)
    figure = s.new_figure(1.35 + 0.52 * len(periods))
    panels = figure.subplots(1, len(sizes), sharex=True, sharey=True, squeeze=False)[0]
    for axes, size in zip(panels, sizes, strict=True):
        here = table["size"] == size
        _brackets(axes, known[here], end)
        for flag, color in zip(FLAGS, FLAG_COLORS, strict=True):
            rows = table[here & (table["flag"] == flag)]
            s.dots(axes, rows["place"], rows, color)
        axes.set_title(group_name(fit, size, len(sizes)))
        axes.grid(axis="x")
        axes.set_xlim(-0.03 * end, end)
        axes.set_xlabel(s.wrapped(events(fit), 20).capitalize())
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    s.row_labels(panels[0], range(len(periods)), [s.wrapped(p, 16) for p in periods])
    caption(
        figure,
        f"blue, above: {flag_words(fit)}; orange, below: the others",
        "all of them reconstructed"
        + (f"; grey: what {basis} allow" if known["low"].notna().any() else ""),
        s.interval_words(prob),
    )
    return s.mark(figure, fit)


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
