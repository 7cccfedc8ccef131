"""Pictures of what was published: counts, their conflicts, and decisions where they are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError
from intlmodels.core.formats import counted, plural
from intlmodels.models.base import texts
from intlmodels.plots import style as s
from intlmodels.plots.style import Figure, styled

if TYPE_CHECKING:
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
#: Colours of decisions by flag, in the order of :data:`intlmodels.study.counts.FLAGS`.
FLAG_COLORS = (s.ORANGE, s.BLUE)


# -- words -------------------------------------------------------------------------------


def word(fit: DataTree, name: str, default: str) -> str:
    """What the study calls a thing (``event``, ``flag_label``, ``firm_label``)."""
    return s.shortened(fit["constant_data"].attrs.get(name, default), 60)


def events(fit: DataTree, width: int = 30) -> str:
    """What is counted, in the plural: ``decisions``."""
    return s.shortened(plural(word(fit, "event", "decision")), width)


def group_name(fit: DataTree, size: str) -> str:
    """A group of firms as a title: ``Large firms``."""
    return s.shortened(f"{size.capitalize()} {plural(word(fit, 'firm_label', 'firm'))}", 22)


def flag_words(fit: DataTree) -> str:
    """What decisions are called that carry the flag."""
    return word(fit, "flag_label", "flagged")


def caption(figure: Figure, *lines: str) -> None:
    """Lines below everything, broken where labels of the study make them too long."""
    s.caption_below(figure, "\n".join(s.wrapped(line, CAPTION, 3) for line in lines if line))


def few_whole(axes: Axes) -> None:
    """Few ticks, at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def short_counts(axes: Axes) -> None:
    """Few ticks at whole numbers on the vertical axis, thousands and millions by their letter."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    if axes.get_ylim()[1] >= 10_000:
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))


# -- conflicts ---------------------------------------------------------------------------


@styled
def conflicts(ids: Sequence[str], conflicts: Sequence[Sequence[str]]) -> Figure:
    """Which counts cannot all be true together: one row a minimal conflict, one column a count.

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
    figure = s.new_figure(0.75 + 0.075 * longest + 0.165 * max(len(shown), 1), width=width)
    axes = figure.subplots()
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
    axes.set_ylabel("conflict" if shown else "")
    everything, left_out = len(conflicts), len(names) - len(columns)
    caption(
        figure,
        "the counts of a row cannot all be true; without any one of them the others can"
        if everything
        else "no conflicts: all counts can be true together",
        f"the {len(shown)} smallest of {everything} minimal conflicts"
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
    """Counts as bars over the periods that they cover, with the printed number."""
    member = constant["member"].to_numpy().astype(bool)
    owner = texts(constant["count_id"])
    first = {name: owner.index(name) for name in dict.fromkeys(owner)}
    names = list(first)[:MOST_ROWS]
    periods = texts(constant["period_level"])
    figure = s.new_figure(1.1 + 0.2 * len(names) + (1.0 if len(periods) > 4 else 0.0))
    axes = figure.subplots()
    labels = []
    for place, name in enumerate(names):
        row = first[name]
        many = owner.count(name)
        firms = member[[i for i, other in enumerate(owner) if other == name]].any(axis=(0, 2, 3))
        whose = _whose(fit, constant, firms, each=many > 1)
        labels.append(f"{s.shortened(name, 16)}: {s.shortened(whose, 24)}")
        relation = str(constant["count_relation"].to_numpy()[row])
        sign = "" if relation == "equal" else f"{SIGNS[relation]} "
        text = f"{sign}{int(constant['printed'].to_numpy()[row])}"
        flags = member[row].any(axis=(0, 1))
        color = s.MUTED if flags.all() else FLAG_COLORS[int(flags[1])]
        _coverage_bar(axes, place, member[row].any(axis=(0, 2)), color, text)
    s.row_labels(axes, range(len(names)), labels)
    axes.tick_params(axis="y", labelsize=8)
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
    axes.set_ylim(max(len(names), 1) - 0.4, -0.6)
    axes.spines[:].set_visible(False)
    left_out = len(first) - len(names)
    caption(
        figure,
        "the printed number, over the periods that it covers",
        f"blue: {flag_words(fit)}; orange: the others; grey: both",
        f"{counted(left_out, 'more count')} not shown" if left_out else "",
    )
    return figure


def _coverage_bar(axes: Axes, place: int, inside: NDArray[np.bool_], color: str, text: str) -> None:
    """A bar over each run of periods, the number in the middle of the longest."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(int), [0]])))
    runs = edges.reshape(-1, 2)
    axes.hlines(
        np.full(len(runs), place),
        runs[:, 0] - 0.46,
        runs[:, 1] - 0.54,
        color=color,
        linewidth=10.5,
    )
    longest = runs[np.argmax(runs[:, 1] - runs[:, 0])]
    axes.annotate(
        text,
        ((longest[0] + longest[1] - 1) / 2, place),
        ha="center",
        va="center_baseline",
        fontsize=8,
        fontweight="bold",
        color="white",
    )


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
    figure = s.new_figure(1.3 + 0.19 * (max(places.values()) + 1.5))
    axes = figure.subplots()
    dot = float(np.clip(230 / max(entries.max() + 1, 1), 2.0, 6.5))
    for wanted, color in zip((0, 1), FLAG_COLORS, strict=True):
        at = flag == wanted
        axes.plot(
            entries[at],
            y[at],
            "o",
            color=color,
            markersize=dot,
            markerfacecolor=color if wanted else "white",
            markeredgewidth=1.1,
        )
    begins = np.flatnonzero((np.diff(firm) == 0) & (np.diff(period) > 0)) + 1
    axes.plot(entries[begins] - 0.5, y[begins], "|", color=s.MUTED, markersize=8)
    names = texts(constant["firm_level"])
    s.row_labels(axes, places.values(), [s.shortened(names[i], 24) for i in places])
    axes.tick_params(axis="y", labelsize=8)
    for group in np.unique(gap):
        top = order[int(np.flatnonzero(gap == group)[0])]
        title = group_name(fit, texts(constant["size"])[size[top]])
        at_top = (0, places[int(top)] - 0.95)
        axes.annotate(
            title, at_top, xycoords=("axes fraction", "data"), fontsize=8.5, fontweight="bold",
            va="center",
        )  # fmt: skip
    axes.set_xlim(-0.7, max(entries.max(), 4) + 0.7)
    axes.set_ylim(max(places.values()) + 0.7, -1.6)
    few_whole(axes)
    axes.set_xlabel("Prior entries")
    left_out = len(size) - len(order)
    caption(
        figure,
        f"blue, filled: {flag_words(fit)}; orange, hollow: the others",
        "tick: a new period begins",
        f"{counted(left_out, word(fit, 'firm_label', 'firm'))} not shown" if left_out else "",
    )
    return figure
