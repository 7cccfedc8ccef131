"""Pictures of decisions by prior entries: the data, what a fit says of them, and variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError
from intlmodels.core.formats import capital, number
from intlmodels.models.base import flat, texts
from intlmodels.models.decay.design import OUTCOME
from intlmodels.models.decay.estimands import FALL_AFTER, MOST_ENTRIES
from intlmodels.plots import style as s
from intlmodels.plots.counts import caption, events, flag_words, group_name, word
from intlmodels.plots.style import Figure, styled
from intlmodels.results import decay as results
from intlmodels.results.intervals import CI_PROB, Array

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from xarray import DataTree


#: Expected decisions below which a curve is called an extrapolation.
ENOUGH = 1.0
#: Cells a side on which a joint density is counted.
CELLS = 64
#: Panels beside each other.
MOST_BESIDE = 3
#: Panels of the picture of the variants.
MOST_PANELS = 6


# -- curves ------------------------------------------------------------------------------


@styled
def curves(fit: DataTree, prob: float = 0.95, *, note: bool = True) -> Figure:
    """Probability of the flag against prior entries, what was reported, and how much lies where.

    Counts that contradict each other may leave more decisions with the flag than decisions; such
    points are left out.

    Parameters
    ----------
    fit : xarray.DataTree
    prob : float
        Probability of the outer equal-tailed band.
    note : bool
        Whether a line below says what the colours mean; False where a caption does.
    """
    after = results.curves(fit, prob)
    before = results.curves(fit, prob, "prior")
    where, told = decisions_at(fit), results.reported(fit)
    sizes = list(dict.fromkeys(after["size"]))
    figure, grid = _panels_by_entries(fit, len(sizes), 3.3, [3.4, 1])
    event = s.shortened(word(fit, "event", "decision"), 24)
    for (above, below), size in zip(grid.T, sizes, strict=True):
        here = where[where["size"] == size]
        _curve(above, after[after["size"] == size], before[before["size"] == size], here)
        _reported(above, told[told["size"] == size])
        above.set_title(group_name(fit, size, len(sizes)))
        _decision_bars(below, here)
    article = "an" if event[0] in "aeiou" else "a"
    what = f"Probability that {article} {event} is {flag_words(fit)}"
    grid[0, 0].set_ylabel(s.wrapped(what, 28, 3))
    latent = "table" in fit["posterior"].to_dataset()
    grid[1, 0].set_ylabel(f"{'Expected' if latent else 'Known'}\n{events(fit, 12)}")
    grid[1, 0].set_ylim(0, 1.08 * max(float(where["decisions"].max()), 1.0))
    _short_counts(grid[1, 0])
    seen = f"; orange: as {'reported' if latent else 'observed'}" * (len(told) > 0)
    there = "expected" if latent else "known"
    beyond = where.attrs["beyond"]
    meanings = (
        f"line: median; bands: 50% and {100 * prob:g}% equal-tailed; grey: the prior's; "
        f"dotted: fewer than one {event} {there}{seen}"
    )
    caption(
        figure,
        meanings if note else "",
        f"{number(beyond) if beyond < 1000 else f'{beyond:,.0f}'} {events(fit)} lie further right"
        if beyond >= 0.05
        else "",
    )
    return s.mark(figure, fit)


def _curve(axes: Axes, after: pd.DataFrame, before: pd.DataFrame, where: pd.DataFrame) -> None:
    entries = after["entries"].to_numpy()
    for end in ("ci_low", "ci_high"):
        axes.plot(entries, before[end], color=s.PRIOR, linewidth=0.9, label="prior")
    band: Any = {"color": s.BLUE, "linewidth": 0}
    axes.fill_between(entries, after["ci_low"], after["ci_high"], alpha=0.18, **band)
    axes.fill_between(entries, after["ci50_low"], after["ci50_high"], alpha=0.38, **band)
    informed = np.flatnonzero(where["decisions"].to_numpy() >= ENOUGH)
    last = int(informed[-1]) if len(informed) else 0
    middle = after["median"].to_numpy()
    axes.plot(
        entries[: last + 1], middle[: last + 1], "o-", color=s.BLUE, markersize=2.6, label="median"
    )
    axes.plot(entries[last:], middle[last:], ":", color=s.BLUE, linewidth=1.4, label="beyond")
    axes.set_ylim(-1.5, 101.5)
    axes.set_yticks([0, 25, 50, 75, 100], ["0%", "25%", "50%", "75%", "100%"])
    axes.grid(axis="y")


def _reported(axes: Axes, told: pd.DataFrame) -> None:
    """Percentages as reported: with their numbers, or as dots whose area is that of the number."""
    told = told[(told["entries"] <= MOST_ENTRIES) & (told["flagged"] <= told["decisions"])]
    if not len(told):
        return
    percent = 100 * told["flagged"] / told["decisions"]
    look: Any = {"color": s.ORANGE, "zorder": 4, "clip_on": False}
    if (told["periods"] == "").all():
        areas = 5 + 40 * told["decisions"] / told["decisions"].max()
        axes.scatter(told["entries"], percent, s=areas, linewidth=0, alpha=0.85, **look)
        return
    ends = np.minimum(told[["low", "high"]].to_numpy(), MOST_ENTRIES)
    axes.hlines(percent, *ends.T, linewidth=1.6, **look)
    axes.plot(told["entries"], percent, "D", markersize=4, **look)
    for row, height, high in zip(told.itertuples(index=False), percent, ends[:, 1], strict=True):
        axes.annotate(
            f"{row.flagged} of {row.decisions}",
            (min(high + 0.3, MOST_ENTRIES - 3), height),
            (0, 9 if height < 50 else -2),
            textcoords="offset points",
            va="bottom" if height < 50 else "top",
            fontsize=8,
            **look,
        )


def _panels_by_entries(
    fit: DataTree, sizes: int, height: float, ratios: Sequence[float]
) -> tuple[Figure, NDArray[Any]]:
    """Two panels over prior entries, one above the other, for each size; (2, size).

    Of many sizes only some are beside each other.
    """
    beside = min(sizes, MOST_BESIDE)
    bands = -(-sizes // beside)
    figure = s.new_figure(bands * height)
    ratios = [*ratios] * bands
    sharey: Any = "row" if bands == 1 else False
    every = figure.subplots(
        2 * bands, beside, squeeze=False, sharex=True, sharey=sharey, height_ratios=ratios
    )
    grid = every.reshape(bands, 2, beside).transpose(1, 0, 2).reshape(2, -1)
    for row in grid if bands > 1 else ():
        for i, axes in enumerate(row[1:], 1):
            axes.sharey(row[0])
            axes.tick_params(labelleft=i % beside == 0)
    for axes in grid[:, sizes:].ravel():
        axes.remove()
    grid = grid[:, :sizes]
    for axes in grid[1]:
        axes.set_xlabel(f"Earlier {events(fit, 16)}")
        axes.tick_params(labelbottom=True)
    grid[1, 0].set_xlim(-0.6, MOST_ENTRIES + 0.6)
    grid[1, 0].set_xticks([0, 5, 10, 15])
    return figure, grid


def _decision_bars(axes: Axes, rows: pd.DataFrame) -> None:
    places, heights = (rows[name].to_numpy(dtype=float) for name in ("entries", "decisions"))
    s.bars(axes, places, heights, 0.8, s.MUTED)


def _short_counts(axes: Axes) -> None:
    """Few ticks at whole numbers, thousands and millions by their letter."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    if axes.get_ylim()[1] >= 10_000:
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))


def decisions_at(fit: DataTree) -> pd.DataFrame:
    """How many decisions have each number of prior entries: known, or expected.

    A firm with n decisions has one at each of the places 0 to n - 1, whatever their order. Columns:
    ``size``, ``entries``, ``decisions`` (over the draws of the tables: their mean);
    ``attrs["beyond"]``: decisions with more entries than curves show.
    """
    import pandas as pd

    constant = fit["constant_data"].to_dataset()
    draws = fit["posterior"].to_dataset()
    sizes = texts(draws["size"])
    if "made_at" in constant:  # of a register: no single firms
        names = ("size_at", "entries_at", "made_at")
        size, entries, weight = (constant[name].to_numpy() for name in names)
    else:
        size = constant["size_of_firm"].to_numpy()
        if "table" in draws:
            made = flat(draws["table"].sum(["period_level", "flag"])).astype(int)
            places = np.arange(made.max(initial=0))
            weight = np.stack([(made > place).mean(axis=0) for place in places])
            size, entries = np.broadcast_arrays(size, places[:, None])
        else:
            size = size[constant["firm_of_decision"].to_numpy()]
            entries = constant["prior_entries"].to_numpy()
            weight = np.ones(len(entries))
    number = np.zeros((len(sizes), int(entries.max(initial=0)) + 1))
    np.add.at(number, (size, entries), weight)
    shown = MOST_ENTRIES + 1
    padded = np.pad(number, ((0, 0), (0, max(0, shown - number.shape[1]))))
    table = pd.DataFrame(
        {
            "size": np.repeat(np.asarray(sizes, dtype=object), shown),
            "entries": np.tile(np.arange(shown), len(sizes)),
            "decisions": padded[:, :shown].ravel(),
        }
    )
    table.attrs["beyond"] = float(padded[:, shown:].sum())
    return table


# -- variants ----------------------------------------------------------------------------


@styled
def variants(table: pd.DataFrame | Mapping[str, Any], prob: float = 0.95) -> Figure:
    """What experience does, side by side across the variants of the model.

    Parameters
    ----------
    table : pandas.DataFrame or mapping of str to DataTree
        From :func:`intlmodels.results.decay.compare_variants`, or the fits themselves.
    prob : float
        Probability of the outer equal-tailed interval, where fits are given.
    """
    if isinstance(table, Mapping):
        table = results.compare_variants(table, prob)
    names = list(dict.fromkeys(table["variant"]))
    chosen = _panels(table)
    beside = min(len(chosen), MOST_BESIDE)
    bands = -(-len(chosen) // beside)
    figure = s.new_figure(bands * (1.5 + 0.185 * len(names)), width=s.WIDTH + 0.6)
    every = figure.subplots(bands, beside, sharey=True, squeeze=False).ravel()
    panels = every[: len(chosen)]
    for axes in every[len(chosen) :]:
        axes.remove()
    for axes, (quantity, size) in zip(panels, chosen, strict=True):
        part = table[(table["quantity"] == quantity) & (table["size"] == size)]
        axes.axvline(0, color=s.INK, linewidth=0.8)
        s.variant_dots(axes, part, names, absent="another unit")
        s.small_title(axes, _panel_title(quantity, size))
        unit = "percentage points" if quantity == "fall" else "log odds"
        s.percent_axis(axes, unit, signed=True, ticks=4)
        axes.tick_params(axis="x", labelsize=8)
        axes.xaxis.label.set_size(8)
    falls = [axes for axes, (what, _) in zip(panels, chosen, strict=True) if what == "fall"]
    ends = [end for axes in falls for end in axes.get_xlim()]
    for axes in falls:
        axes.set_xlim(min(ends), max(ends))
    for axes in panels:
        s.row_labels(axes, range(len(names)), [s.shortened(name, 20) for name in names], 8)
    caption(
        figure,
        f"decline: of the probability, after {FALL_AFTER} earlier ones",
        "decay: fall of the log odds, for each earlier one",
        s.interval_words(float(table["ci_prob"].iloc[0])),
        "" if table["converged"].all() else "red cross: did not converge",
    )
    return s.mark(figure, bool(table.loc[table["variant"] == names[0], "converged"].all()))


def _panels(table: pd.DataFrame) -> list[tuple[str, str]]:
    """The fall of each size, then the decays against each other, or the only one."""
    falls = list(dict.fromkeys(table.loc[table["quantity"] == "fall", "size"]))
    decays = list(dict.fromkeys(table.loc[table["quantity"] == "decay", "size"]))
    between = [size for size in decays if size not in falls]
    chosen = [("fall", size) for size in falls]
    return (chosen + [("decay", size) for size in (between or decays[:1])])[:MOST_PANELS]


def _panel_title(quantity: str, size: str) -> str:
    if quantity == "fall":
        return f"{_titled(size)} firms:\ndecline after {FALL_AFTER}"
    against = size.replace(" - ", " minus ")
    if against == size:
        return f"{_titled(size)} firms:\ndecay"
    return f"Decay,\n{s.shortened(against, 26)}"


def _titled(size: str) -> str:
    return s.shortened(capital(size), 20)


# -- experience and calendar time --------------------------------------------------------


@styled
def experience_and_time(fit: DataTree, prob: float = 0.95) -> Figure:
    """Decay and the change over the periods together: how far they can be distinguished.

    Parameters
    ----------
    fit : xarray.DataTree
        Of the variant with effects of periods.
    prob : float
        Probability of the larger region.

    Raises
    ------
    StudyError
        If periods have no effects in this variant.
    """
    if "period" not in fit["posterior"].to_dataset():
        raise StudyError(
            f"variant '{fit.attrs['variant']}' has no effects of periods; take variant 'period'"
        )
    (decay, fall), (decay_before, fall_before) = (
        results.decay_and_period_fall(fit, group) for group in ("posterior", "prior")
    )
    sizes = texts(fit["posterior"].to_dataset()["size"])
    told = results.experience_and_time(fit)
    bands = -(-len(sizes) // 2)
    figure = s.new_figure(3.5 * bands)
    every = figure.subplots(bands, min(len(sizes), 2), sharex=True, sharey=True, squeeze=False)
    panels = every.ravel()[: len(sizes)]
    for axes in every.ravel()[len(sizes) :]:
        axes.remove()
    frame = (
        _frame(np.concatenate([decay.ravel(), decay_before.ravel()])),
        _frame(np.concatenate([fall, fall_before])),
    )
    for i, (axes, size) in enumerate(zip(panels, sizes, strict=True)):
        axes.axhline(0, color=s.MUTED, linewidth=0.7, zorder=3)
        axes.axvline(0, color=s.MUTED, linewidth=0.7, zorder=3)
        _regions(axes, decay_before[:, i], fall_before, frame, prob, s.PRIOR, fill=False)
        _regions(axes, decay[:, i], fall, frame, prob, s.BLUE, fill=True)
        axes.plot(np.median(decay[:, i]), np.median(fall), "o", color=s.BLUE, markersize=4)
        axes.set_title(group_name(fit, size))
        axes.set_title(
            f"r = {number(told['correlation'].iloc[i], 2)}",
            loc="right",
            fontsize=8,
            fontweight="normal",
        )
        axes.set_xlabel(s.wrapped(f"Fall of the log odds {_per_entry(fit)}", 26, 3))
        axes.tick_params(labelbottom=True)
        axes.set_xlim(*frame[0])
        axes.set_ylim(*frame[1])
        s.signed_ticks(axes.xaxis, 5)
        s.signed_ticks(axes.yaxis, 5)
    for axes in every[:, 0]:
        axes.set_ylabel("Fall of the log odds,\nfirst period to last")
    caption(
        figure,
        f"regions of highest density with 50% and {100 * prob:g}% probability",
        "blue: posterior, dot: medians; grey: prior; r: correlation of posterior draws",
    )
    return s.mark(figure, fit)


def _per_entry(fit: DataTree) -> str:
    event = word(fit, "event", "decision")
    return {
        "linear": f"for each earlier {event}",
        "power": f"for a unit of log(1 + earlier {events(fit)})",
        "step": f"after the first {event}",
    }[str(fit.attrs["family"])]


def _frame(values: Array) -> tuple[float, float]:
    """Limits of an axis that nearly all draws lie within, 0 among them."""
    low, high = np.quantile(values, [0.0025, 0.9975])
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    pad = 0.1 * max(high - low, 1e-3)
    return low - pad, high + pad


def _regions(
    axes: Axes,
    x: Array,
    y: Array,
    frame: tuple[tuple[float, float], tuple[float, float]],
    prob: float,
    color: str,
    *,
    fill: bool,
) -> None:
    """Outlines that hold one half and ``prob`` of the draws where they lie densest."""
    counts, edges, rows = np.histogram2d(x, y, bins=CELLS, range=frame)
    for axis, (draws, (low, high)) in enumerate(zip((x, y), frame, strict=True)):
        # Scott's rule for two dimensions, with a spread that long tails leave alone; half as
        # wide again, since outlines far out rest on few draws.
        spread = np.subtract(*np.quantile(draws, [0.84, 0.16])) / 2
        width = 1.5 * spread * len(draws) ** (-1 / 6)
        counts = _smoothed(counts, width * CELLS / (high - low), axis)
    # Levels that as many draws exceed as the regions promise, whatever the smoothing does.
    at = [
        np.clip(np.searchsorted(ends, draws) - 1, 0, CELLS - 1)
        for ends, draws in ((edges, x), (rows, y))
    ]
    levels = [float(level) for level in np.quantile(counts[at[0], at[1]], [1 - prob, 0.5])]
    highest = float(counts.max())
    if not 0 < levels[0] < levels[1] < highest:
        return  # all draws in one place: nothing to outline
    centres = [(ends[1:] + ends[:-1]) / 2 for ends in (edges, rows)]
    if fill:
        shades = [(color, 0.2), (color, 0.5)]
        axes.contourf(*centres, counts.T, levels=[*levels, 2 * highest], colors=shades)
    axes.contour(*centres, counts.T, levels=levels, colors=color, linewidths=0.9)


def _smoothed(counts: Array, width: float, axis: int) -> Array:
    """Counts of neighbouring cells averaged with Gaussian weights."""
    reach = int(np.clip(np.ceil(3 * width), 1, CELLS // 2))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(width, 0.3)) ** 2)
    weights /= weights.sum()
    return np.apply_along_axis(np.convolve, axis, counts, weights, "same")


# -- before any data ---------------------------------------------------------------------


@styled
def prior_predictive(fit: DataTree, prob: float = CI_PROB) -> Figure:
    """What the priors imply before seeing data: each count, or how many decisions have the flag.

    Parameters
    ----------
    fit : xarray.DataTree
        With the group ``prior_predictive``.
    prob : float
        Probability of the outer equal-tailed interval of a count.
    """
    group = fit["prior_predictive"].to_dataset()
    (name,) = map(str, group.data_vars)
    notes = ["from the priors alone; no data have entered"]
    values = flat(group[name])
    if name == OUTCOME:
        figure, axes = s.one_panel(2.9)
        heights, edges = np.histogram(
            100 * values.mean(axis=1), bins=min(25, values.shape[1] + 1), range=(0, 100)
        )
        axes.stairs(100 * heights / len(values), edges, fill=True, color=s.PRIOR)
        axes.set_ylabel("Probability, percent")
        s.percent_axis(axes, f"Percent of the {events(fit)} {flag_words(fit)}", grid=False)
    else:
        ends = [(1 - prob) / 2, 0.25, 0.75, (1 + prob) / 2]
        names = ("ci_low", "ci50_low", "ci50_high", "ci_high")
        rows = dict(zip(names, np.quantile(values, ends, axis=0), strict=True))
        places = np.arange(values.shape[1], dtype=float)
        figure, axes = s.one_panel(1.25 + 0.19 * len(places))
        s.predicted(axes, places, rows)
        s.observed(axes, fit["observed_data"][name].to_numpy(), places, 3.4)
        labels = [s.shortened(label, 24) for label in texts(group["count"])]
        s.row_labels(axes, places, labels, 8)
        axes.set_ylim(len(places) - 0.4, -0.6)
        axes.set_xlabel(f"Number of {events(fit, 22)}")
        notes.append(f"orange: as reported; thick: 50%, thin: {100 * prob:g}% interval")
    s.caption_below(figure, *notes)
    return figure


# -- pictures of a register of decisions -----------------------------------------------


@styled
def data(fit: DataTree) -> Figure:
    """Part of the decisions with the flag, and how many decisions there are, by prior entries.

    Parameters
    ----------
    fit : xarray.DataTree
        Of a register of decisions.
    """
    table = results.by_entries(fit)
    sizes, beyond = _register_parts(fit)
    figure, grid = _panels_by_entries(fit, len(sizes), 3.7, [2.4, 1])
    for (above, below), size in zip(grid.T, sizes, strict=True):
        own = table[(table["size"] == size) & (table["entries"] <= MOST_ENTRIES)]
        above.plot(own["entries"], own["observed"], "D", color=s.ORANGE, markersize=4)
        above.set_title(group_name(fit, size, len(sizes)))
        above.set_ylim(bottom=0)
        above.grid(axis="y")
        _decision_bars(below, own)
    grid[0, 0].set_ylabel(s.wrapped(f"Percent {flag_words(fit)}", 28, 2))
    grid[1, 0].set_ylabel(events(fit, 14).capitalize())
    shown = table["entries"] <= MOST_ENTRIES
    grid[1, 0].set_ylim(0, 1.08 * float(table.loc[shown, "decisions"].max()))
    _short_counts(grid[1, 0])
    caption(figure, "as counted, nothing estimated", beyond)
    return figure


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
    table = results.by_entries(fit, prob)
    sizes, beyond = _register_parts(fit)
    figure, grid = _panels_by_entries(fit, len(sizes), 4.2, [1.4, 1])
    for (above, below), size in zip(grid.T, sizes, strict=True):
        own = table[(table["size"] == size) & (table["entries"] <= MOST_ENTRIES)]
        for axes, less in ((above, 0.0), (below, own["median"])):
            ends = own["ci_low"] - less, own["ci_high"] - less
            axes.vlines(own["entries"], *ends, color=s.BLUE, linewidth=5, alpha=0.6)
            s.observed(axes, own["entries"], own["observed"] - less, 3.4)
        above.plot(own["entries"], own["median"], "-", color=s.BLUE, linewidth=1)
        above.set_title(group_name(fit, size, len(sizes)))
        above.set_ylim(bottom=0)
        above.grid(axis="y")
        below.axhline(0, color=s.MUTED, linewidth=0.6)
        below.grid(axis="y")
    grid[0, 0].set_ylabel(s.wrapped(f"Percent {flag_words(fit)}", 24, 2))
    grid[1, 0].set_ylabel("Observed less\npredicted, points")
    caption(
        figure,
        f"orange: observed; blue: {100 * prob:g}% equal-tailed interval of predicted registers",
        beyond,
    )
    return s.mark(figure, fit)


def _register_parts(fit: DataTree) -> tuple[list[str], str]:
    """The sizes, and what is not shown, in words."""
    constant = fit["constant_data"].to_dataset()
    right = constant["entries_at"].to_numpy() > MOST_ENTRIES
    number = int(constant["made_at"].to_numpy()[right].sum())
    words = f"{number:,} {events(fit)} lie further right" if number else ""
    return texts(constant["size"]), words
