"""What an export holds, for people (README.md) and for the next export (manifest.json)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from intlmodels.plots.style import LETTERS
from intlmodels.report.blocks import Picture, Table
from intlmodels.report.data import ReportData
from intlmodels.report.provenance import command
from intlmodels.report.render import markdown_text as md

FILE = "manifest.json"


def digest(content: bytes) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(content).hexdigest()


def written(
    m: ReportData,
    files: Mapping[str, bytes],
    tables: Mapping[str, Table],
    pictures: Sequence[Picture],
    widths: Sequence[float],
    dpi: int,
) -> dict[str, bytes]:
    """The two files that tell of the others.

    Parameters
    ----------
    m : ReportData
    files : mapping of str to bytes
        The others.
    tables : mapping of str to Table
    pictures : sequence of Picture
        Of one width.
    widths : sequence of float
    dpi : int
    """
    read_me = _readme(m, tables, pictures, widths, dpi).encode()
    every = {**files, "README.md": read_me}
    told = {
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
        "files": {name: digest(every[name]) for name in sorted(every)},
    }
    text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
    return {"README.md": read_me, FILE: text.encode()}


def _readme(
    m: ReportData,
    tables: Mapping[str, Table],
    pictures: Sequence[Picture],
    widths: Sequence[float],
    dpi: int,
) -> str:
    failed = (
        "**This fit did not converge.** Everything here that rests on it says so; it holds no "
        "estimates to be quoted.\n\n"
    )
    versions = ", ".join(f"{name} {text}" for name, text in m.attribute("versions").items())
    folders = ", ".join(f"`figures/{width:g}mm/`" for width in widths)
    smallest, usual = 8 * LETTERS, 9 * LETTERS
    return (
        f"# For a paper: {md(m.study.title)}\n\n"
        f"{failed * (not m.passed)}"
        f"Study {md(m.study.name)}, model {m.study.model}, seed {m.attribute('settings')['seed']}, "
        f"fingerprint {m.stored[0].fingerprint}; {md(versions)}. The same fit is made by "
        f"`{command(m)}`. Files are written anew by every export: edit a copy.\n\n"
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
        + "".join(_line(name, table.caption, table.failed) for name, table in tables.items())
        + "\n## Figures\n\n`NAME.svg`, `.pdf` and `.png`.\n\n| NAME | figure |\n| --- | --- |\n"
        + "".join(_line(picture.name, picture.caption, picture.failed) for picture in pictures)
    )


def _line(name: str, caption: str, failed: bool) -> str:
    return f"| `{name}` | {md(caption)}{' **Did not converge.**' * failed} |\n"
