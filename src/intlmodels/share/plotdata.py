"""The picture of the data: printed shares as the intervals they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intlmodels import plotstyle as s
from intlmodels.errors import StudyError, listed
from intlmodels.formats import plural
from intlmodels.models.shareblocks import CLUSTER, MOST_CLUSTERS
from intlmodels.plotstyle import Figure, styled
from intlmodels.results import Array
from intlmodels.rounding import intervals
from intlmodels.share import results
from intlmodels.study import ShareStudy

if TYPE_CHECKING:
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
