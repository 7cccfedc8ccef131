"""Figures for print: at the exact width of the paper, as SVG, PDF and PNG.

The width, and the size of letters on it, is :class:`intlmodels.plotstyle.Page`: a figure is laid
out for that width, and set at the size of print as a whole, so that letters, lines and dots keep
their proportions. The same figure gives the same bytes.
"""

from __future__ import annotations

import io
import re
import warnings

import matplotlib as mpl

from intlmodels.plotstyle import LETTERS, PAGE, STYLE, Figure, Page

#: No dates and no versions: the same figure gives the same bytes.
_NO_DATE = dict.fromkeys(("Creator", "Producer", "CreationDate"))
_SIZE = re.compile(r' width="[\d.]+pt" height="[\d.]+pt"| height="[\d.]+pt" width="[\d.]+pt"')


def printed(figure: Figure, svg: str) -> dict[str, bytes]:
    """A figure in every format, if it was drawn for paper; else nothing.

    Parameters
    ----------
    figure : Figure
    svg : str
        The same figure from :func:`intlmodels.plotstyle.svg`.

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
