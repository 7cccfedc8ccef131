"""The files of an export: made one after the other, then written, all or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path, PurePosixPath

from intlmodels.core.files import write_all
from intlmodels.core.jsonvalues import build, parse_json
from intlmodels.fitting.jobs import stored_path
from intlmodels.models import DEFAULT
from intlmodels.paper import bibtex, manifest, methods, tables, words
from intlmodels.plots.style import Page, printed_on
from intlmodels.report.blocks import Picture, Table
from intlmodels.report.data import ReportData, gather
from intlmodels.report.registry import parts_of, sections_of
from intlmodels.study import Study


def made(
    study: Study, folder: Path, widths: Sequence[float], dpi: int, pool: Executor | None
) -> dict[str, bytes]:
    """Everything that is written: path below the folder -> content, the manifest last.

    Parameters
    ----------
    study : Study
    folder : Path
        With the stored fits.
    widths : sequence of float
        In millimetres.
    dpi : int
    pool : concurrent.futures.Executor, optional
        Processes that draw all widths but the first.
    """
    later = [pool.submit(_drawn, study, folder, width, dpi) for width in widths[1:]] if pool else []
    first, pictures = _drawn(study, folder, widths[0], dpi)
    drawn = [pictures, *(future.result()[1] for future in later)]
    if not pool:
        drawn += [_drawn(study, folder, width, dpi)[1] for width in widths[1:]]
    material = gather(study, folder)
    files = {**_tables(first), **_methods(material)}
    for width, made in zip(widths, drawn, strict=True):
        for picture in made:
            for ending, content in picture.printed.items():
                files[f"figures/{width:g}mm/{picture.name}.{ending}"] = content
    files["posterior.nc"] = stored_path(folder, DEFAULT).read_bytes()
    return files | manifest.written(material, files, first, pictures, widths, dpi)


def _drawn(
    study: Study, folder: Path, width: float, dpi: int
) -> tuple[dict[str, Table], list[Picture]]:
    """Tables and figures of the report, the figures for this width; the work of one process."""
    names = list(parts_of(study.model).sections)
    with printed_on(Page(width, dpi)):
        _, made = sections_of(study, folder, names, tables=False)
    sections = [made[name] for name in names if name in made]
    pictures = [b for section in sections for b in section.blocks if isinstance(b, Picture)]
    return tables.named(sections), pictures


def _tables(found: Mapping[str, Table]) -> dict[str, bytes]:
    files = {}
    for number, (name, table) in enumerate(found.items(), start=1):
        files[f"tables/{name}.csv"] = tables.csv(table)
        files[f"tables/{name}.tex"] = tables.tex(table, name)
        files[f"tables/{name}.html"] = words.page(table.caption, tables.word(table, number))
    every = "".join(tables.word(table, i) for i, table in enumerate(found.values(), start=1))
    files["tables/all-tables.html"] = words.page("All tables", every)
    return {name: text.encode() for name, text in files.items()}


def _methods(m: ReportData) -> dict[str, bytes]:
    key = bibtex.data_key(m.study)
    told = methods.passages(m, key)
    references = methods.bibliography(m)
    title = "Methods"
    stated = m.study.source or "The study names no source of its data."
    files = {
        "methods.md": words.as_markdown(told, title),
        "methods.tex": words.as_latex(told, title),
        "methods.html": words.page(title, words.as_html(told, title, references, stated)),
        "references.bib": bibtex.bibliography(references, m.study),
    }
    return {name: text.encode() for name, text in files.items()}


# -- on disk -----------------------------------------------------------------------------


def replaced(paper: Path, files: Mapping[str, bytes]) -> Path:
    """Write files; of an earlier export, remove what is not made any more and was not changed."""
    earlier = _earlier(paper)
    outdated = [name for name in earlier if name not in files and _unchanged(paper, name, earlier)]
    write_all(files, paper, outdated)
    return paper


def _unchanged(paper: Path, name: str, earlier: Mapping[str, str]) -> bool:
    path = paper / name
    return path.is_file() and manifest.digest(path.read_bytes()) == earlier[name]


def _earlier(paper: Path) -> dict[str, str]:
    """Files of an earlier export and their digests; none if there is no manifest to read."""
    try:
        found = parse_json((paper / manifest.FILE).read_bytes())["files"]
        kept = build(dict[str, str], found)
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {name: digest for name, digest in kept.items() if _inside(name)}


def _inside(name: str) -> bool:
    """Whether a name from a manifest stays below the folder."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and ":" not in name
