"""What people paste into papers, from the stored fits: tables, figures, methods, references, draws.

What is heavy (pandas, xarray, matplotlib) is imported when something is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

from intlmodels.core.errors import StudyError
from intlmodels.report.record import current_fits
from intlmodels.studies import Study

#: Below the output folder of a study.
FOLDER = "paper"
#: One and two columns of a journal, in millimetres.
WIDTHS = (89.0, 183.0)
DPI = 300


def write(
    study: Study,
    folder: Path,
    *,
    widths: Sequence[float] = WIDTHS,
    dpi: int = DPI,
    pool: Executor | None = None,
) -> Path:
    """Write everything that a paper takes from stored fits: see :func:`intlmodels.export`."""
    from intlmodels.paper import writing

    widths = tuple(dict.fromkeys(float(width) for width in widths)) or WIDTHS
    for width in widths:
        if not 40 <= width <= 600:
            raise StudyError("--width must be from 40 to 600 millimetres", value=f"{width:g}")
    if not 50 <= dpi <= 2400:
        raise StudyError("--dpi must be from 50 to 2400", value=str(dpi))
    current_fits(study, folder)
    made = writing.made(study, folder, widths, dpi, pool)
    return writing.replaced(folder / FOLDER, made)
