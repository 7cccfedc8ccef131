"""The files of an export: made one after the other, then written, all or none.

README.md says what they are; manifest.json says it to the next export.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from itertools import islice
from pathlib import Path, PurePosixPath

from intlmodels.core.csvtable import csv_rows
from intlmodels.core.files import write_all
from intlmodels.core.formats import counted
from intlmodels.core.jsonvalues import build, parse_json
from intlmodels.fitting.jobs import stored_path
from intlmodels.models import DEFAULT
from intlmodels.paper import markup, methods, tables
from intlmodels.plots.style import LETTERS, Page, printed_on
from intlmodels.report.data import ReportData, gather
from intlmodels.report.pages import Figure, Table
from intlmodels.report.provenance import command
from intlmodels.report.registry import render, sections_of
from intlmodels.report.render import markdown_text as md
from intlmodels.results.intervals import converged, regression
from intlmodels.studies import Study

MANIFEST = "manifest.json"


def made(
    study: Study, folder: Path, widths: Sequence[float], dpi: int, pool: Executor | None
) -> dict[str, bytes]:
    """Everything that is written: path below the folder -> content, the manifest last."""
    later = [pool.submit(_drawn, study, folder, width, dpi) for width in widths[1:]] if pool else []
    first, figures = _drawn(study, folder, widths[0], dpi)
    drawn = [figures, *(future.result()[1] for future in later)]
    if not pool:
        drawn += [_drawn(study, folder, width, dpi)[1] for width in widths[1:]]
    material = gather(study, folder)
    first["regression"] = _regression(material)
    files = {**_tables(first), **_methods(material)}
    for width, made in zip(widths, drawn, strict=True):
        for figure in made:
            for ending, content in figure.drawing.printed.items():
                files[f"figures/{width:g}mm/{figure.drawing.name}.{ending}"] = content
    files["posterior.nc"] = stored_path(folder, DEFAULT).read_bytes()
    files["README.md"] = _readme(material, first, figures, widths, dpi).encode()
    files[MANIFEST] = _manifest(material, files, widths, dpi)
    return files


def _drawn(
    study: Study, folder: Path, width: float, dpi: int
) -> tuple[dict[str, Table], list[Figure]]:
    """Tables and figures of the report, the figures for this width; the work of one process."""
    with printed_on(Page(width, dpi)):
        frame, values = sections_of(study, folder, tables=False)
    pages = render("md", study.model, frame, values)[1].values()
    found = [table for page in pages for table in page.tables]
    return tables.named(found), [figure for page in pages for figure in page.figures]


#: Columns that a page holds.
MOST_COLUMNS = 5


def _regression(m: ReportData) -> Table:
    """The default and further variants side by side, as papers print regressions."""
    fits = dict(islice(m.variants.items(), MOST_COLUMNS))
    table = regression(fits, m.prob, most=1)
    return Table(
        number="",
        caption=f"Parameters of {counted(len(fits), 'variant')} side by side",
        header=("parameter", *table.columns),
        rows=tuple((str(name), *row) for name, row in zip(table.index, table.values, strict=True)),
        note="Median and interval, on the scale of the linear predictor. im.regression_table makes "
        "such a table of any fits, with the effects of levels.",
        failed=not all(map(converged, fits.values())),
    )


def _tables(found: Mapping[str, Table]) -> dict[str, bytes]:
    files = {}
    for number, (name, table) in enumerate(found.items(), start=1):
        files[f"tables/{name}.csv"] = csv_rows([table.header, *table.rows])
        files[f"tables/{name}.tex"] = tables.tex(table, name)
        files[f"tables/{name}.html"] = markup.page(table.caption, tables.word(table, number))
    every = "".join(tables.word(table, i) for i, table in enumerate(found.values(), start=1))
    files["tables/all-tables.html"] = markup.page("All tables", every)
    return {name: content.encode() for name, content in files.items()}


def _methods(m: ReportData) -> dict[str, bytes]:
    passages = methods.passages(m, markup.data_key(m.study))
    references = methods.bibliography(m)
    title = "Methods"
    stated = m.study.source or "The study names no source of its data."
    files = {
        "methods.md": markup.as_markdown(passages, title),
        "methods.tex": markup.as_latex(passages, title),
        "methods.html": markup.page(title, markup.as_html(passages, title, references, stated)),
        "references.bib": markup.bibliography(references, m.study),
    }
    return {name: content.encode() for name, content in files.items()}


def _readme(
    m: ReportData,
    named: Mapping[str, Table],
    figures: Sequence[Figure],
    widths: Sequence[float],
    dpi: int,
) -> str:
    failed = (
        "**This fit did not converge.** Everything here that rests on it says so; it holds no "
        "estimates to be quoted.\n\n"
    )
    versions = ", ".join(f"{name} {version}" for name, version in m.attribute("versions").items())
    folders = ", ".join(f"`figures/{width:g}mm/`" for width in widths)
    smallest, usual = 8 * LETTERS, 9 * LETTERS
    return (
        f"# For a paper: {md(m.study.title)}\n\n"
        f"{failed * (not m.passed)}"
        f"Study {md(m.study.name)}, model {m.study.model}, seed {m.attribute('settings')['seed']}, "
        f"fingerprint {m.stored[0].fingerprint}; {md(versions)}. The same fit is reproduced by "
        f"`{command(m)}`. Every export rewrites these files: edit a copy.\n\n"
        "| file | what it is |\n| --- | --- |\n"
        "| `methods.md`, `.tex`, `.html` | the methods, written from the settings of this fit; "
        "citations for Pandoc, natbib and as names |\n"
        "| `references.bib` | the package, the source of the data, the methods that were used |\n"
        "| `tables/all-tables.html` | all tables, to be opened in a word processor |\n"
        f"| {folders} | the figures, as wide as the folder says; letters of {usual:.0f} points "
        f"(none below {smallest:.1f}); PNG at {dpi} dpi |\n"
        "| `posterior.nc` | draws, predictions, estimands, data: the stored fit itself, as netCDF "
        "(ArviZ, xarray, R) |\n"
        "| `manifest.json` | settings, versions, and the SHA-256 of every file |\n\n"
        "## Tables\n\n`tables/NAME.csv` (the cells as the report shows them), `.tex` (booktabs; "
        "label `tab:NAME`) and `.html`.\n\n| NAME | table |\n| --- | --- |\n"
        + "".join(_line(name, table.caption, table.failed) for name, table in named.items())
        + "\n## Figures\n\n`NAME.svg`, `.pdf` and `.png`.\n\n| NAME | figure |\n| --- | --- |\n"
        + "".join(_line(f.drawing.name, f.caption, f.failed) for f in figures)
    )


def _line(name: str, caption: str, failed: bool) -> str:
    return f"| `{name}` | {md(caption)}{' **Did not converge.**' * failed} |\n"


def _manifest(
    m: ReportData, files: Mapping[str, bytes], widths: Sequence[float], dpi: int
) -> bytes:
    content = {
        "study": m.study.name,
        "title": m.study.title,
        "model": m.study.model,
        "fit": m.stored[0].variant,
        "fingerprint": m.stored[0].fingerprint,
        "converged": m.passed,
        "settings": m.attribute("settings"),
        "versions": m.attribute("versions"),
        "widths_mm": list(widths),
        "dpi": dpi,
        "files": {name: digest(files[name]) for name in sorted(files)},
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


# -- on disk -----------------------------------------------------------------------------


def replaced(paper: Path, files: Mapping[str, bytes]) -> Path:
    """Write files; of an earlier export, remove what is not made any more and was not changed."""
    outdated = [
        name
        for name, known in _earlier(paper).items()
        if name not in files
        and (paper / name).is_file()
        and digest((paper / name).read_bytes()) == known
    ]
    write_all(files, paper, outdated)
    return paper


def digest(content: bytes) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(content).hexdigest()


def _earlier(paper: Path) -> dict[str, str]:
    """Files of an earlier export and their digests; none if there is no manifest to read."""
    try:
        found = parse_json((paper / MANIFEST).read_bytes())["files"]
        kept = build(dict[str, str], found)
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {name: digest for name, digest in kept.items() if _inside(name)}


def _inside(name: str) -> bool:
    """Whether a name from a manifest stays below the folder."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and ":" not in name
