"""Pictures of predictions, comparisons and slopes, of curves and of interactions."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.errors import StudyError
from intlmodels.core.formats import amount, bare, capital, in_brackets, probability
from intlmodels.plots import style as s
from intlmodels.plots.style import Figure, styled
from intlmodels.results import interpret
from intlmodels.results.interpret import CONTRAST, SLOPE, Interpretation
from intlmodels.results.intervals import CI_PROB

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from xarray import DataTree


#: Values of a numeric predictor from which a line is drawn instead of dots.
FEWEST_POINTS = 5
#: Lines in one panel, and rows of a picture with dots.
MOST_LINES, MOST_ROWS = 6, 60
#: Rows of which the positions are drawn one by one.
MOST_MARKS = 2_000


@styled
def predictions(found: Interpretation) -> Figure:
    """Picture of what :func:`intlmodels.predictions`, ``comparisons`` or ``slopes`` returned.

    A line with a band over the values of a numeric predictor if there are five or more of them, one
    for each combination of the others; else a dot for each row of the table.

    Parameters
    ----------
    found : Interpretation
        From :func:`intlmodels.predictions`, :func:`intlmodels.comparisons` or
        :func:`intlmodels.slopes`.
    """
    long = [dim for dim in found.dims if _is_number(found, dim)]
    long = [dim for dim in long if found.draws.sizes[dim] >= FEWEST_POINTS]
    if long:
        figure, axes = s.one_panel(3.4)
        _lines(axes, found, long[0])
        _finish(figure, axes, found, _what(found))
        return s.mark(figure, found.passed)
    return _dots(found, _what(found))


@styled
def curve(fit: DataTree, predictor: str, prob: float = CI_PROB) -> Figure:
    """Expected share over the range of a numeric predictor, the rows' positions under it.

    Parameters
    ----------
    fit : xarray.DataTree
    predictor : str
        A numeric predictor, with a curve or without.
    prob : float
        Probability of the outer equal-tailed interval.
    """
    found = interpret.curve(fit, predictor, prob=prob)
    figure, axes = s.one_panel(3.4)
    _lines(axes, found, predictor)
    _rows_below(axes, fit, predictor)
    _finish(figure, axes, found, interpret.what(fit), "strokes below: rows of the study")
    return s.mark(figure, fit)


@styled
def interaction(fit: DataTree, name: str, prob: float = CI_PROB) -> Figure:
    """Expected share by both predictors of an interaction.

    Parameters
    ----------
    fit : xarray.DataTree
    name : str
        Of an interaction of the study.
    prob : float
        Probability of the outer equal-tailed interval.
    """
    found = interpret.interaction(fit, name, prob)
    if not _is_number(found, found.dims[0]):
        return s.mark(_dots(found, interpret.what(fit)), fit)
    figure, axes = s.one_panel(3.6)
    _lines(axes, found, found.dims[0])
    _rows_below(axes, fit, found.dims[0])
    _finish(figure, axes, found, interpret.what(fit), "strokes below: rows of the study")
    return s.mark(figure, fit)


def _is_number(found: Interpretation, dim: str) -> bool:
    return found.draws[dim].dtype.kind in "fi"


def _word(found: Interpretation, dim: str, value: Any) -> str:
    """A level or a number in words."""
    return amount(value, found.units.get(dim, "")) if _is_number(found, dim) else str(value)


def _what(found: Interpretation) -> str:
    """What the axis with the shares shows."""
    if found.kind == "prediction":
        return str(found.draws.attrs.get("quantity", "expected share"))
    if found.kind == "comparison":
        return "difference in percentage points"
    return "slope, percentage points per unit"


def _lines(axes: Axes, found: Interpretation, dim: str) -> None:
    """A line with two bands over the numbers of a dimension, one for each of the others' values."""
    table = found.table
    others = [other for other in found.dims if other != dim]
    every = list(itertools.product(*(found.draws[other].to_numpy() for other in others)))
    if len(every) > MOST_LINES:
        raise StudyError(
            f"plots: {len(every)} lines would cover each other; expected at most {MOST_LINES}: "
            "give fewer values"
        )
    drawn: list[str] = []
    for color, combination in zip(s.CYCLE, every, strict=False):
        here = np.ones(len(table), dtype=bool)
        for other, value in zip(others, combination, strict=True):
            here &= (table[other] == value).to_numpy()
        rows = table[here].sort_values(dim)
        if not len(rows):
            continue
        words = [_word(found, o, v) for o, v in zip(others, combination, strict=True)]
        x = rows[dim].to_numpy(dtype=float)
        alpha = 0.16 if len(every) == 1 else 0.10
        axes.fill_between(x, rows["ci_low"], rows["ci_high"], color=color, alpha=alpha, linewidth=0)
        axes.fill_between(
            x, rows["ci50_low"], rows["ci50_high"], color=color, alpha=2 * alpha, linewidth=0
        )
        drawn.append(s.shortened(", ".join(words), 50))
        axes.plot(x, rows["median"], color=color, linewidth=1.6, label=drawn[-1])
    if others and drawn:
        title = ", ".join(found.labels.get(other, other) for other in others)
        # Above the lines: within the axes it would cover bands.
        axes.legend(
            title=s.shortened(title, 50),
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=1 if max(map(len, drawn)) > 24 else 2,
            title_fontsize=8.5,
            alignment="left",
        )
    name, unit = found.labels.get(dim, dim), found.units.get(dim, "")
    axes.set_xlabel(s.wrapped(name + in_brackets(unit) * (unit != name), 56))
    _number_axis(axes, table[dim].to_numpy(dtype=float), bare(unit))
    if found.kind == "prediction":
        axes.set_ylim(max(0.0, axes.get_ylim()[0]), axes.get_ylim()[1])
    else:
        axes.axhline(0, color=s.INK, linewidth=0.8)
    axes.grid(axis="y")


def _number_axis(axes: Axes, x: NDArray[Any], unit: str) -> None:
    """Numbers as they are written; by ratios where they are spaced so."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    distinct = np.unique(x)
    if distinct[0] > 0 and distinct[-1] > 20 * distinct[0] and _geometric(distinct):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0), numticks=s.across(9)))
        if distinct[-1] > 1000 * distinct[0]:
            axes.xaxis.set_major_locator(LogLocator(10, numticks=s.across(9)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: amount(value, unit)))


def _geometric(x: NDArray[Any]) -> bool:
    return bool(np.ptp(np.diff(np.log(x))) < 1e-6)


def _rows_below(axes: Axes, fit: DataTree, predictor: str) -> None:
    """A stroke for each row of the study, at the lower edge; of very many evenly chosen ones."""
    numbers = np.sort(interpret.observed_numbers(fit, predictor))
    numbers = numbers[~np.isnan(numbers)]
    numbers = numbers[:: max(1, len(numbers) // MOST_MARKS)]
    many = len(numbers) > 200
    axes.plot(
        numbers,
        np.full(len(numbers), 0.02),
        "|",
        color=s.INK,
        markersize=8,
        markeredgewidth=0.5 if many else 0.8,
        alpha=0.25 if many else 0.7,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
    )


def _finish(figure: Figure, axes: Axes, found: Interpretation, what: str, *notes: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    percent = found.draws.attrs["units"] == "percent"
    end = "%" if percent else ""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{amount(value)}{end}"))
    axes.set_ylabel(s.shortened(capital(what), 44))
    bands = f"line: median; bands: 50% and {100 * found.prob:g}% equal-tailed intervals"
    s.caption_below(figure, bands, *notes)


def _dots(found: Interpretation, what: str) -> Figure:
    """A dot with intervals for each row of a table, in groups by all dimensions but the last."""
    table = found.table.iloc[:MOST_ROWS]
    *outer, last = found.dims or ("",)
    heads = [
        ", ".join(f"{_word(found, dim, getattr(row, dim))}" for dim in outer)
        for row in table.itertuples()
    ]
    names = list(dict.fromkeys(heads))
    figure, axes = s.one_panel(1.1 + s.ROW * (1.25 * len(table) + 1.5 * len(names)))
    places: list[float] = []
    words: list[str] = []
    position = 0.0
    for i, head in enumerate(names):
        rows = table[np.array(heads) == head]
        here = position + (1.1 if head else 0.2) + 1.2 * np.arange(len(rows))
        if head:
            s.heading(axes, here[0] - 1.0, s.shortened(head, 50))
        s.dots(axes, here, rows, s.CYCLE[i % len(s.CYCLE)])
        places += list(here)
        values = rows[last].to_list() if last else ["all rows"]
        words += [s.wrapped(_word(found, last, v) if last else v, 26) for v in values]
        position = here[-1] + 1.2
        if found.kind != "prediction":
            for place, row in zip(here, rows.itertuples(), strict=True):
                sign = ">" if row.p_positive >= 0.5 else "<"
                s.beside(axes, place, f"Pr({sign} 0) {probability(row.p_direction)}", 1.01)
    s.row_labels(axes, places, words, ends=(0.6, 0.9))
    signed = found.kind != "prediction"
    if signed:
        axes.axvline(0, color=s.INK, linewidth=0.9)
    s.percent_axis(axes, s.shortened(capital(what), 60), signed=signed)
    left_out = len(found.table) - len(table)
    named = " by ".join(
        found.labels.get(dim, dim) for dim in found.dims if dim not in (CONTRAST, SLOPE)
    )
    s.caption_below(
        figure,
        s.interval_words(found.prob),
        s.shortened(named, 76),
        f"{left_out} more rows are in the table" if left_out else "",
    )
    return s.mark(figure, found.passed)
