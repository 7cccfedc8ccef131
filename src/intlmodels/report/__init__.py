"""Reports of a study: one HTML page, a Markdown page with its figures, and tables as CSV.

What is heavy (pandas, xarray, matplotlib, jinja2) is imported when a report is written, not
when this package is imported: telling whether a report is current must be quick.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from intlmodels.core.files import write_all
from intlmodels.report.record import current_fits, why_stale
from intlmodels.studies import Study

if TYPE_CHECKING:
    from intlmodels.report.blocks import Report


__all__ = ["get_ready", "why_stale", "write"]


def write(study: Study, folder: Path, pool: Executor | None = None) -> Path:
    """Write the report of the fits stored in a folder.

    All of it is complete before a file of the old report is replaced.

    Parameters
    ----------
    study : Study
    folder : Path
        With the stored fits; the report goes there.
    pool : concurrent.futures.Executor, optional
        A process that makes half of it.

    Returns
    -------
    Path
        Of the HTML page.

    Raises
    ------
    StudyError
        If the default fit is missing or no longer what the study asks for.
    """
    from intlmodels.report.record import write_record
    from intlmodels.report.render import html, markdown

    stored = current_fits(study, folder)
    made = _make(study, folder, pool)
    files = {f"tables/{name}": text for name, text in made.csv.items()}
    files |= {picture.file: picture.svg for picture in made.pictures}
    files["index.html"] = html(made)
    lasting = [name for name in files if name != "index.html"]
    record = write_record(study, folder, stored, lasting)
    # report.md carries the record, hence comes last: a killed process leaves a stale report.
    files["report.md"] = markdown(made, record)
    earlier = [*folder.glob("figures/*.svg"), *folder.glob("tables/*.csv")]
    outdated = [path.relative_to(folder).as_posix() for path in earlier]
    write_all({name: text.encode() for name, text in files.items()}, folder, outdated)
    return folder / "index.html"


def get_ready(model: str) -> None:
    """Import what a report needs; worth doing while another process still samples."""
    import arviz_stats.base  # noqa: F401
    import h5netcdf  # noqa: F401
    import xarray as xr

    from intlmodels.plots import style
    from intlmodels.report.registry import parts_of

    parts_of(model)
    # The first figure of a process also loads fonts.
    figure = style.new_figure(1.0)
    style.percent_axis(figure.subplots(), "warm")
    style.svg(figure)
    xr.backends.list_engines()


def _make(study: Study, folder: Path, pool: Executor | None) -> Report:
    from intlmodels.report.registry import parts_of, sections_of

    parts = parts_of(study.model)
    if pool is None:
        frame, sections = sections_of(study, folder, list(parts.sections))
    else:
        second = [name for name in parts.sections if name in parts.second_half]
        first = [name for name in parts.sections if name not in parts.second_half]
        half = pool.submit(sections_of, study, folder, second, tables=False)
        frame, sections = sections_of(study, folder, first)
        sections |= half.result()[1]
    order = [sections[name] for name in parts.sections if name in sections]
    return replace(frame, sections=tuple(order))
