"""Reports of a study: a main page and an appendix, as HTML and as Markdown.

Beside them lie the figures, tables as CSV, and every number in words.json.

What is heavy (pandas, xarray, matplotlib, jinja2) is imported when a report is written, not
when this package is imported: telling whether a report is current must be quick.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from intlmodels.core.files import write_all
from intlmodels.core.threads import one_thread
from intlmodels.report.record import current_fits, why_stale
from intlmodels.studies import Study

if TYPE_CHECKING:
    from xarray import DataTree


__all__ = ["why_stale", "write"]


@one_thread()
def write(study: Study, folder: Path, fit: DataTree | None = None) -> Path:
    """Write the report of the fits stored in a folder.

    All of it is complete before a file of the old report is replaced.

    Parameters
    ----------
    study : Study
    folder : Path
        With the stored fits; the report goes there.
    fit : xarray.DataTree, optional
        The default fit as it is stored there, which then need not be read.

    Returns
    -------
    Path
        Of the HTML page of the main report.

    Raises
    ------
    StudyError
        If the default fit is missing or no longer what the study asks for.
    """
    from intlmodels.report.record import write_record
    from intlmodels.report.registry import render, sections_of
    from intlmodels.report.render import PAGES, Format, html, markdown
    from intlmodels.report.words import words

    stored = current_fits(study, folder)
    frame, values = sections_of(study, folder, fit=fit)
    files = {f"tables/{name}": text for name, text in frame.csv.items()}
    files["words.json"] = words(values)
    texts = {}
    forms: dict[Format, Callable[..., str]] = {"html": html, "md": markdown}
    for form, write_page in forms.items():
        rendering, pages = render(form, study.model, frame, values)
        top = rendering.fragment("common/failure.md.j2", frame.failure)
        for name, page in pages.items():
            texts[PAGES[name][form]] = (write_page, page, top)
            files |= {figure.drawing.file: figure.drawing.svg for figure in page.figures}
    lasting = [*files, "appendix.md"]
    record = write_record(study, folder, stored, lasting)
    for name, (write_page, page, top) in texts.items():
        hidden = (record,) if name == "report.md" else ()
        files[name] = write_page(page, frame.about, top, *hidden)
    # report.md carries the record, hence comes last: a killed process leaves a stale report.
    files["report.md"] = files.pop("report.md")
    earlier = [*folder.glob("figures/*.svg"), *folder.glob("tables/*.csv")]
    outdated = [path.relative_to(folder).as_posix() for path in earlier]
    write_all({name: text.encode() for name, text in files.items()}, folder, outdated)
    return folder / "index.html"
