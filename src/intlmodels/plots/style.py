"""One look for all figures: colours, sizes, labels that fit, and the mark of a failed fit.

Figures are made with matplotlib's objects, not with pyplot: no window system, no global
state, and an import that is quick.
"""

from __future__ import annotations

import functools
import io
import re
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure as _Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from intlmodels.core.formats import MINUS
from intlmodels.results.intervals import Array, converged

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.backend_bases import RendererBase
    from matplotlib.gridspec import SubplotSpec
    from xarray import DataTree


#: Okabe and Ito (2008), "Color Universal Design": told apart with any colour vision.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
AMBER, SKY = "#E69F00", "#56B4E9"
INK, MUTED, FAINT = "#222222", "#595959", "#D9D9D9"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY)
#: Colour of everything that stems from the prior, and of a failure.
PRIOR, FAILED = "#8A8A8A", "#B00020"
#: Of bars with something drawn over them, and of what is less likely.
PALE = "#B9D3E6"

#: Width in inches: enlarged to 14 cm on paper nothing is smaller than 8 points, and fitted to
#: the width of a phone the text can still be read.
WIDTH = 4.9
ROW = 0.23
#: Inches around panels and their labels, and the least gaps between all columns and between all
#: rows of them, in parts of the figure.
PAD, GAPS = 0.05, (0.04, 0.05)
#: Rows of a picture without names, each a line.
MOST_DRAWN = 300
MARK = "DID NOT CONVERGE: these are not estimates"

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # else labels of all axes are measured for it
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "axes.unicode_minus": True,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "text.color": INK,
    # Labels come from data: a dollar sign is a dollar sign.
    "text.parse_math": False,
    "text.usetex": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "intlmodels",
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "savefig.dpi": 150,
    "path.simplify": True,
    "lines.solid_capstyle": "butt",
}


class Figure(_Figure):
    """A matplotlib figure that notebooks show without pyplot, and that makes room for its labels.

    As constrained layout does, but labels are measured once.
    """

    def _repr_svg_(self) -> str:
        return svg(self)

    def draw(self, renderer: RendererBase) -> None:
        """Draw, after room was made for what stands beside the panels."""
        if self.axes:
            _make_room(self, renderer)
        super().draw(renderer)


def _make_room(figure: Figure, renderer: RendererBase) -> None:
    """Place the panels of a figure, which fill one grid, so that no label is cut or covered."""
    cells: list[tuple[Axes, SubplotSpec, tuple[int, int]]] = []
    for axes in figure.axes:
        spec = axes.get_subplotspec()
        if spec is not None:
            axes.set_subplotspec(spec)  # where it is measured, however often a figure is drawn
            cells.append((axes, spec, (spec.colspan.start, spec.rowspan.start)))
    grid = cells[0][1].get_gridspec()
    # Room of labels before and behind each column and each row, in parts of the figure.
    room = [np.zeros((2, count)) for count in reversed(grid.get_geometry())]
    for axes, _, cell in cells:
        box = axes.get_tightbbox(renderer, for_layout_only=True)
        if box is None:
            continue
        labels, panel = box.transformed(figure.transFigure.inverted()), axes.get_position(True)
        across = panel.x0 - labels.x0, labels.x1 - panel.x1
        down = labels.y1 - panel.y1, panel.y0 - labels.y0
        for own, at, needed in zip(room, cell, (across, down), strict=True):
            own[:, at] = np.maximum(own[:, at], needed)
    places = []
    for axis, ratios in enumerate((grid.get_width_ratios(), grid.get_height_ratios())):
        parts = np.asarray(ratios, dtype=float)
        pad, gap = PAD / figure.get_size_inches()[axis], GAPS[axis] / 2 / len(parts)
        before, behind = room[axis] + pad
        before[1:] += max(0, gap - pad)
        behind[:-1] += max(0, gap - pad)
        edges = _place_texts(figure, renderer, axis, pad)
        free = 1 - sum(edges) - before.sum() - behind.sum()
        sizes = max(free, 0.01) * parts / parts.sum()
        starts = edges[0] + np.cumsum(before + sizes + behind) - behind - sizes
        places.append((starts, sizes))
    (left, widths), (top, heights) = places
    for axes, _, (column, row) in cells:
        bottom = 1 - top[row] - heights[row]
        axes.set_position((left[column], bottom, widths[column], heights[row]))


def _place_texts(
    figure: Figure, renderer: RendererBase, axis: int, pad: float
) -> tuple[float, float]:
    """Put texts of the whole figure to its edges; room at the left and right, or top and bottom."""
    ends = [0.0, 0.0]
    for text in filter(Text.get_text, figure.texts):
        if bool(text.get_rotation()) == bool(axis):
            continue
        box = text.get_window_extent(renderer).transformed(figure.transFigure.inverted())
        at_end = int(axis and text.get_position()[1] < 0.5)
        ends[at_end] = (box.height if axis else box.width) + 2 * pad
        if axis:
            text.set_y(pad if at_end else 1 - pad)
        else:
            text.set_x(pad)
    return ends[0], ends[1]


def styled[**P](draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw with the common style, whatever the caller's settings are."""

    @functools.wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Figure:
        # A context does not give the backend back: a notebook would show no figure after this.
        usual = {name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"}
        with mpl.rc_context({**usual, **STYLE}):
            return draw(*args, **kwargs)

    return wrapper


@dataclass(frozen=True)
class Page:
    """Paper that figures are drawn for, in place of a screen: width in mm, pixels an inch."""

    width: float
    dpi: int

    @property
    def inches(self) -> float:
        """Width on which a figure is laid out before it is set at the size of print."""
        return self.width / 25.4 / LETTERS


#: Size of letters, lines and dots in print: those of 9 points become 7, those of 8 become 6.2.
LETTERS = 0.78
#: The paper, if figures are drawn for one.
PAGE: ContextVar[Page | None] = ContextVar("PAGE", default=None)


@contextmanager
def printed_on(page: Page) -> Iterator[None]:
    """Draw all figures for this paper."""
    token = PAGE.set(page)
    try:
        yield
    finally:
        PAGE.reset(token)


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure in the common width, or in that of the paper; heights in inches."""
    page = PAGE.get()
    width = width if page is None else page.inches
    figure = Figure(figsize=(width, height))
    FigureCanvasSVG(figure)
    return figure


def one_panel(height: float, width: float = WIDTH) -> tuple[Figure, Axes]:
    """A figure with a single panel."""
    figure = new_figure(height, width)
    return figure, figure.subplots()


def across(most: int) -> int:
    """Panels or ticks with room beside each other: one less where the paper is narrow."""
    page = PAGE.get()
    return most if page is None or page.inches >= WIDTH else max(1, most - 1)


def one_line(text: object) -> str:
    """A label without line breaks or control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def wrapped(text: object, width: int = 26, lines: int = 2) -> str:
    """A label broken into at most ``lines`` lines of ``width`` characters, cut with an ellipsis."""
    parts = textwrap.wrap(one_line(text), width, break_on_hyphens=True) or [""]
    if len(parts) > lines:
        rest = " ".join(parts[lines - 1 :])
        parts = [*parts[: lines - 1], rest[: width - 1].rstrip() + "…"]
    return "\n".join(parts)


def shortened(text: object, width: int = 40) -> str:
    """A label on one line, cut with an ellipsis."""
    return wrapped(text, width, lines=1)


def mark(figure: Figure, fit: DataTree | bool) -> Figure:
    """Write across the top that the fit did not pass the gate, if it did not."""
    passed = fit if isinstance(fit, bool) else converged(fit)
    if not passed:
        figure.suptitle(
            MARK,
            color="white",
            fontsize=9.5,
            fontweight="bold",
            backgroundcolor=FAILED,
        )
    return figure


def percent_axis(
    axes: Axes, label: str, *, signed: bool = False, grid: bool = True, ticks: int = 6
) -> None:
    """Label the horizontal axis in percent (or signed percentage points)."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    def show(value: float, _: Any) -> str:
        text = f"{abs(value):g}"
        if value == 0 or not signed:
            return f"{text}" if signed else f"{value:g}%"
        return f"{'+' if value > 0 else '−'}{text}"

    axes.xaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(show))
    axes.set_xlabel(label)
    if grid:
        axes.grid(axis="x")


def signed_ticks(axis: Axis, most: int, plus: str = "", *, integer: bool = False) -> None:
    """Few ticks with a true minus, and a plus where that is asked for."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(most, integer=integer))
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{plus if value > 0 else ''}{value:g}".replace("-", MINUS))
    )


def row_labels(
    axes: Axes,
    places: Sequence[float] | Array,
    texts: Iterable[str],
    size: float = 8.5,
    ends: tuple[float, float] = (0.6, 0.6),
) -> None:
    """Put labels beside rows, the first at the top, with ``ends`` free above and below them."""
    axes.set_yticks(list(places), list(texts), parse_math=False)
    axes.tick_params(axis="y", length=0, labelsize=size)
    axes.spines["left"].set_visible(False)
    axes.set_ylim((places[-1] if len(places) else 0) + ends[1], -ends[0])


def no_rows(axes: Axes) -> None:
    """Neither labels nor a line beside rows."""
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def beside(axes: Axes, place: float, text: str, x: float = 1.02, **look: Any) -> None:
    """A small text level with a row, by default right of the axes."""
    look = {"fontsize": 8, "va": "center", **look}
    axes.annotate(text, (x, place), xycoords=("axes fraction", "data"), **look)


def heading(axes: Axes, place: float, text: str, size: float = 9, **look: Any) -> None:
    """The name of a group above its first row."""
    beside(axes, place, text, 0, fontsize=size, fontweight="bold", **look)


def center_line(axes: Axes, value: float, spans: Sequence[tuple[float, float]] = ()) -> None:
    """A dashed line at an average, behind everything; if given, only beside spans of rows."""
    look: dict[str, Any] = {"color": MUTED, "linewidth": 0.8, "linestyle": (0, (4, 3)), "zorder": 0}
    if not spans:
        axes.axvline(value, **look)
    for low, high in spans:
        axes.plot([value, value], [low, high], **look)


def dots(
    axes: Axes,
    places: Any,
    rows: Any,
    color: str = BLUE,
    *,
    size: float = 5.0,
    hollow: bool = False,
) -> None:
    """Dot at the median, thick line over 50 percent, thin line over the outer interval."""
    axes.hlines(places, rows["ci_low"], rows["ci_high"], color=color, linewidth=1.1)
    axes.hlines(
        places, rows["ci50_low"], rows["ci50_high"], color=color, linewidth=0.6 * size, alpha=0.55
    )
    axes.plot(
        rows["median"],
        places,
        "o",
        markersize=size,
        color=color,
        markerfacecolor="white" if hollow else color,
        markeredgewidth=1.2 if hollow else 0.6,
        markeredgecolor=color if hollow else "white",
    )


def variant_dots(
    axes: Axes, rows: Any, names: list[str], *, absent: str = "not compared", hollow: bool = False
) -> None:
    """One dot and interval a variant, from the top; a red cross on what did not converge.

    Dots of variants that are not comparable can be ``hollow`` and grey.
    """
    places = rows["variant"].map(names.index).to_numpy(dtype=float)
    plain = rows["comparable"].to_numpy(dtype=bool) | (not hollow)
    dots(axes, places[plain], rows[plain], BLUE, size=4)
    dots(axes, places[~plain], rows[~plain], MUTED, size=4, hollow=True)
    failed = ~rows["converged"].to_numpy(dtype=bool)
    axes.plot(rows["median"][failed], places[failed], "x", color=FAILED, markersize=8, zorder=5)
    for place in sorted(set(range(len(names))) - set(places)):
        # Clear of the line at 0, which mostly stands to the left.
        beside(axes, place, absent, 0.97, color=MUTED, ha="right")
    axes.set_ylim(len(names) - 0.4, -0.6)


def bars(axes: Axes, centres: Any, heights: Any, width: float, colors: Any) -> None:
    """Bars from zero as one collection: laying out a patch for each takes most of a figure."""
    left, right = centres - width / 2, centres + width / 2
    foot = np.zeros_like(left)
    corners = [(left, foot), (left, heights), (right, heights), (right, foot)]
    outlines: Any = np.stack([np.column_stack(corner) for corner in corners], axis=1)
    axes.add_collection(PolyCollection(outlines, facecolors=colors, linewidths=0))
    axes.autoscale_view()
    axes.set_ylim(bottom=0)


def coarser(values: Array, counts: Array, most: int = 60) -> tuple[float, Array, Array]:
    """Width, centres and sums of neighbouring printed values, at most so many."""
    width = float(values[1] - values[0]) if len(values) > 1 else 1.0
    step = int(np.ceil(len(values) / most))
    starts = np.arange(0, len(values), step)
    centres = values[starts] + (step - 1) * width / 2
    return width * step, centres, np.add.reduceat(counts, starts, axis=-1)


def spaced(order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows in an order, of very many evenly spaced ones."""
    if len(order) <= MOST_DRAWN:
        return order
    return order[np.linspace(0, len(order) - 1, MOST_DRAWN).round().astype(int)]


def some_of(shown: int, everything: int) -> str:
    """That only some rows are drawn; empty if all are."""
    return f"{shown} of {everything:,} rows, evenly spaced in this order" * (shown < everything)


def strips(
    texts: Sequence[str], each: float, centres: Array, heights: Array, width: float, colors: Any
) -> tuple[Figure, Axes]:
    """Bars in one strip a label, below each other; the figure and the last strip.

    ``colors`` are one for all, or one a bar, (strip, bar).
    """
    figure = new_figure(0.95 + each * len(texts))
    panels = figure.subplots(len(texts), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for i, (axes, text) in enumerate(zip(panels, texts, strict=True)):
        own = colors if isinstance(colors, str) else colors[i]
        bars(axes, centres, heights[i], 0.86 * width, own)
        no_rows(axes)
        axes.set_ylabel(text, rotation=0, ha="right", va="center", fontsize=8.5)
    return figure, panels[-1]


def predicted(axes: Axes, places: Array, rows: Any, thin: float = 1.2, thick: float = 3.0) -> None:
    """Predictive intervals: a thick line over 50 percent, a thin one over the outer interval."""
    axes.hlines(places, rows["ci_low"], rows["ci_high"], color=SKY, linewidth=thin)
    axes.hlines(places, rows["ci50_low"], rows["ci50_high"], color=BLUE, linewidth=thick, alpha=0.7)


def observed(axes: Axes, x: Any, y: Any, size: float) -> None:
    """What was observed, over what was predicted."""
    axes.plot(x, y, "D", color=ORANGE, markersize=size, zorder=4)


def small_panels(
    count: int, columns: int, base: float, each: float, width: float = WIDTH, share: bool = True
) -> tuple[Figure, NDArray[Any], NDArray[Any]]:
    """A figure with small panels: the grid of all, and those that are used, one after another."""
    rows = max(1, int(np.ceil(count / columns)))
    figure = new_figure(base + each * rows, width)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)
    for axes in grid.ravel()[count:]:
        axes.set_visible(False)
    return figure, grid, grid.ravel()[:count]


def small_title(axes: Axes, text: str, **look: Any) -> None:
    """The title of one of many panels."""
    axes.set_title(text, fontsize=8, fontweight="normal", **look)


def interval_words(prob: float) -> str:
    """What the lines of an interval picture are."""
    return f"dot: median; thick: 50%, thin: {100 * prob:g}% equal-tailed interval"


def caption_below(figure: Figure, *lines: str) -> None:
    """Small lines under everything, such as what the marks mean; empty ones are left out."""
    figure.supxlabel("\n".join(filter(None, lines)), fontsize=8, color=MUTED)


# -- writing -----------------------------------------------------------------------------


def svg(figure: _Figure) -> str:
    """A figure as SVG text: the same figure gives the same text.

    Letters are drawn as outlines, so that the figure looks the same everywhere. A figure with
    a letter that the font lacks is written with text instead: the reader's system has a font
    for it, or nobody has.

    Parameters
    ----------
    figure : matplotlib.figure.Figure

    Returns
    -------
    str
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        text = _svg(figure, "path")
    lacking = [w for w in caught if "missing from font" in str(w.message)]
    for other in caught:
        if other not in lacking:
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    if not lacking:
        return text
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*missing from font")
        return _svg(figure, "none")


def _svg(figure: _Figure, letters: str) -> str:
    buffer = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.fonttype": letters}):
        FigureCanvasSVG(figure).print_svg(buffer, metadata=_NO_METADATA)
    # The labels are repeated in comments; whoever reads the file needs only the picture.
    text = _COMMENT.sub("", buffer.getvalue())
    text = _INDENT.sub("\n", text)
    return _PLACES.sub(lambda place: _DIGITS.sub(r"\1", place.group()), text)


#: No date and no versions: the same figure gives the same text.
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
_COMMENT = re.compile(r" *<!--.*?-->\n", flags=re.DOTALL)
_INDENT = re.compile(r"\n +")
_PLACES = re.compile(r' (?:d|x|y)="[^"]*"|translate\([^)]*\)')
#: Hundredths of a point are more than can be seen.
_DIGITS = re.compile(r"(\.\d\d)\d+")


# -- figures for print -----------------------------------------------------------------

#: No dates and no versions: the same figure gives the same bytes.
_NO_DATE = dict.fromkeys(("Creator", "Producer", "CreationDate"))
_SIZE = re.compile(r' width="[\d.]+pt" height="[\d.]+pt"| height="[\d.]+pt" width="[\d.]+pt"')


def printed(figure: Figure, svg: str) -> dict[str, bytes]:
    """A figure in every format (``svg``, ``pdf`` and ``png``), if it was drawn for paper.

    ``svg`` is the same figure from :func:`intlmodels.plots.style.svg`.
    """
    page = PAGE.get()
    if page is None:
        return {}
    with warnings.catch_warnings():
        # In SVG such a letter is left to the reader's fonts; here it is an empty box.
        warnings.filterwarnings("ignore", message=".*missing from font")
        return {
            "svg": _sized(svg, figure, page).encode(),
            "pdf": _pdf(figure),
            "png": _png(figure, page),
        }


def _sized(svg: str, figure: Figure, page: Page) -> str:
    """The same picture (its ``viewBox``) at the size of print."""
    width, height = figure.get_size_inches()
    size = f' width="{page.width:g}mm" height="{page.width * height / width:.2f}mm"'
    return _SIZE.sub(size, svg, count=1)


def _png(figure: Figure, page: Page) -> bytes:
    buffer = io.BytesIO()
    # A hair more, so that a whole number of pixels is not cut to one less.
    dpi = page.dpi * LETTERS * (1 + 1e-9)
    look: Any = {"metadata": {"Software": None}, "pil_kwargs": {"dpi": (page.dpi, page.dpi)}}
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="png", dpi=dpi, **look)
    return buffer.getvalue()


def _pdf(figure: Figure) -> bytes:
    """As matplotlib writes PDF, but all of the page at the size of print; letters embedded."""
    from matplotlib.backend_bases import FigureCanvasBase
    from matplotlib.backends.backend_mixed import MixedModeRenderer
    from matplotlib.backends.backend_pdf import Op, PdfFile, RendererPdf

    buffer = io.BytesIO()
    FigureCanvasBase(figure)
    figure.dpi = 72  # a PDF has 72 points to the inch
    width, height = figure.get_size_inches()
    with mpl.rc_context({**STYLE, "pdf.fonttype": 42}):
        file = PdfFile(buffer, metadata=_NO_DATE)
        file.newPage(width * LETTERS, height * LETTERS)
        file.output(LETTERS, 0, 0, LETTERS, 0, 0, Op.concat_matrix)
        renderer = MixedModeRenderer(
            figure, width, height, 72, RendererPdf(file, 72, height, width)
        )
        figure.draw(renderer)
        renderer.finalize()
        file.finalize()
        file.close()
    return buffer.getvalue()
