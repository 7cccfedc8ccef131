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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure as _Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from intlmodels.results.intervals import converged

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from xarray import DataTree


#: Okabe and Ito (2008), "Color Universal Design": told apart with any colour vision.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
AMBER, SKY = "#E69F00", "#56B4E9"
INK, MUTED, FAINT = "#222222", "#595959", "#D9D9D9"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY)
#: Colour of everything that stems from the prior, and of a failure.
PRIOR, FAILED = "#8A8A8A", "#B00020"

#: Width in inches: enlarged to 14 cm on paper nothing is smaller than 8 points, and fitted to
#: the width of a phone the text can still be read.
WIDTH = 4.9
ROW = 0.23
MARK = "DID NOT CONVERGE: these are not estimates"

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
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
    """A matplotlib figure that notebooks show without pyplot."""

    def _repr_svg_(self) -> str:
        return svg(self)


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
    """Paper that figures are drawn for, in place of a screen.

    Attributes
    ----------
    width : float
        Of every figure, in millimetres.
    dpi : int
        Pixels an inch, where there are pixels.
    """

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
    layout = ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.05, wspace=0.04, hspace=0.05)
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasSVG(figure)
    return figure


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
            return f"{text}" if signed else f"{value:g} %"
        return f"{'+' if value > 0 else '−'}{text}"

    axes.xaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(show))
    axes.set_xlabel(label)
    if grid:
        axes.grid(axis="x")


def row_labels(axes: Axes, places: Iterable[float], texts: Iterable[str]) -> None:
    """Put labels beside rows; no tick marks, the first row at the top."""
    axes.set_yticks(list(places), list(texts), parse_math=False)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


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

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    rows : pandas.DataFrame
        At most one row a variant, from :func:`intlmodels.results.variants.side_by_side`.
    names : list of str
        All variants.
    absent : str
        What is written where a variant has no row.
    hollow : bool
        Whether the dots of variants that are not comparable are hollow and grey.
    """
    places = rows["variant"].map(names.index).to_numpy(dtype=float)
    plain = rows["comparable"].to_numpy(dtype=bool) | (not hollow)
    dots(axes, places[plain], rows[plain], BLUE, size=4)
    dots(axes, places[~plain], rows[~plain], MUTED, size=4, hollow=True)
    failed = ~rows["converged"].to_numpy(dtype=bool)
    axes.plot(rows["median"][failed], places[failed], "x", color=FAILED, markersize=8, zorder=5)
    for place in sorted(set(range(len(names))) - set(places)):
        axes.annotate(
            absent,
            # Clear of the line at 0, which mostly stands to the left.
            (0.97, place),
            xycoords=("axes fraction", "data"),
            fontsize=8,
            color=MUTED,
            ha="right",
            va="center",
        )
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


def interval_words(prob: float) -> str:
    """What the lines of an interval picture are."""
    return f"dot: median; thick: 50 %, thin: {100 * prob:g} % equal-tailed interval"


def caption_below(figure: Figure, text: str) -> None:
    """A small line under everything, such as what the marks mean."""
    figure.supxlabel(text, fontsize=8, color=MUTED)


# -- writing -----------------------------------------------------------------------------


def svg(figure: _Figure) -> str:
    """A figure as SVG text: the same figure gives the same text.

    Letters are drawn as outlines, so that the figure looks the same everywhere. A figure with
    a letter that the font lacks is written with text instead: the reader's system has a font
    for it, or nobody has.
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
    """A figure in every format, if it was drawn for paper; else nothing.

    Parameters
    ----------
    figure : Figure
    svg : str
        The same figure from :func:`intlmodels.plots.style.svg`.

    Returns
    -------
    dict of str to bytes
        ``svg``, ``pdf`` and ``png``, or empty.
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
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        FigureCanvasAgg(figure).print_figure(
            buffer,
            format="png",
            # A hair more, so that a whole number of pixels is not cut to one less.
            dpi=page.dpi * LETTERS * (1 + 1e-9),
            metadata={"Software": None},
            pil_kwargs={"dpi": (page.dpi, page.dpi)},
        )
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
