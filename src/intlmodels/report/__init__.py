"""Reports of a study: one HTML page, a Markdown page with its figures, and tables as CSV.

What is heavy (pandas, xarray, matplotlib, jinja2) is imported when a report is written, not
when this package is imported: telling whether a report is current must be quick.
"""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path

from intlmodels.report.record import why_stale
from intlmodels.study import Study

__all__ = ["why_stale", "write"]


def write(study: Study, folder: Path, helper: Executor | None = None) -> Path:
    """Write the report of the fits stored in a folder.

    Everything is made before anything is written: if something fails, the old report stays.

    Parameters
    ----------
    study : Study
    folder : Path
        With the stored fits; the report goes there.
    helper : concurrent.futures.Executor, optional
        Draws half of the figures meanwhile.

    Returns
    -------
    Path
        Of the HTML page.

    Raises
    ------
    StudyError
        If the default fit is missing or no longer what the study asks for.
    """
    from intlmodels.report.content import HALF, report, sections_of
    from intlmodels.report.material import gather
    from intlmodels.report.record import write_record
    from intlmodels.report.render import html, markdown
    from intlmodels.store import write_text

    half = helper.submit(sections_of, study, folder, HALF) if helper is not None else None
    material = gather(study, folder)
    made = report(material, half)
    files = {f"tables/{name}": text for name, text in made.csv.items()}
    files |= {picture.file: picture.svg for picture in made.pictures}
    files["index.html"] = html(made)
    record = write_record(
        study,
        material.stored,
        list(material.variants),
        [name for name in files if name != "index.html"],
    )
    # report.md carries the record, hence comes last: a broken-off writing leaves a stale report.
    files["report.md"] = markdown(made, record)
    for name, text in files.items():
        write_text(text, folder / name)
    for kind, ending in (("figures", "*.svg"), ("tables", "*.csv")):
        for path in (folder / kind).glob(ending):
            if f"{kind}/{path.name}" not in files:
                path.unlink()
    return folder / "index.html"
