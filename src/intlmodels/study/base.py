"""What every study has, whatever its model: a name, firms, tables as printed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intlmodels.core.csvtable import Table
from intlmodels.core.errors import one_line
from intlmodels.study.bibtex import check_bibtex
from intlmodels.study.claims import Claim
from intlmodels.study.columns import lookalike_lines
from intlmodels.study.groups import Group, Number
from intlmodels.study.schema import RegisterFile, StudyFile
from intlmodels.study.sources import Sources


@dataclass(frozen=True, eq=False)
class Study:
    """A validated study: what all models have in common.

    Attributes
    ----------
    name, title, question : str
    model : str
        Name of the model, ``share`` or ``decay``.
    folder : Path
    source : str
        Where the tables were printed.
    bibtex : str
        The same as a BibTeX entry, if the study gives one.
    limits : tuple of str
        What the study cannot tell, in its author's words.
    firm_label : str
        What a firm is called.
    firms : tuple of str
        In the order of the table that lists them.
    priors : dict of str to str
        Overrides as written; checked where the model is known.
    tables : dict of str to Table
        Every table used, as printed, by file name.
    normalizations : tuple of (file, row, column, printed, read as)
        Cells whose white space or Unicode form was changed.
    settings : dict
        The table [fit], if any.
    row_groups : dict of str to Group
        Firms, or rows of other tables, that claims speak of.
    numbers : dict of str to Number
        Further numbers that the publication prints.
    claims : tuple of Claim
        What the publication says, to be held against the study.
    """

    name: str
    title: str
    question: str
    model: str
    folder: Path
    source: str
    bibtex: str
    limits: tuple[str, ...]
    firm_label: str
    firms: tuple[str, ...]
    priors: dict[str, str]
    tables: dict[str, Table]
    normalizations: tuple[tuple[str, int, str, str, str], ...]
    settings: dict[str, Any]
    row_groups: dict[str, Group] = field(default_factory=dict, kw_only=True)
    numbers: dict[str, Number] = field(default_factory=dict, kw_only=True)
    claims: tuple[Claim, ...] = field(default=(), kw_only=True)


def common(
    folder: Path, toml: StudyFile | RegisterFile, model: str, sources: Sources | None = None
) -> dict[str, Any]:
    """The attributes that every study has, once all of its tables are read, if it has any."""
    about = toml.study
    label = toml.firms.label if isinstance(toml, StudyFile) else toml.register.label
    read_as = sources.read_as if sources else {}
    return {
        "name": about.name,
        "title": about.title,
        "question": about.question,
        "model": model,
        "folder": folder,
        "source": about.source,
        "bibtex": check_bibtex(about.bibtex),
        "limits": about.limits,
        "firm_label": label,
        "firms": sources.firms if sources else (),
        "priors": toml.priors,
        "tables": sources.tables if sources else {},
        "normalizations": tuple((*place, *texts) for place, texts in read_as.items()),
        "settings": dict(toml.fit.written),
    }


def first_lines(study: Study, model: str = "") -> Iterator[str]:
    """The beginning of a description of a study; the firms where they are listed."""
    yield one_line(f"{study.name}: {study.title}")
    yield one_line(f"  folder    {study.folder}")
    yield f"  model     {model or study.model}"
    if not model:
        yield one_line(f"  firms     {len(study.firms)}: {shortened(study.firms)}")
        yield from lookalike_lines(study.firms, " " * 12)


def normalization_lines(study: Study) -> Iterator[str]:
    """Cells whose white space or Unicode form was changed."""
    yield f"cells read otherwise than printed: {len(study.normalizations) or 'none'}"
    for file, row, column, printed, read in study.normalizations:
        yield one_line(f"  {file}, row {row}, {column}: {printed!r} read as {read!r}")


def prior_lines(study: Study) -> Iterator[str]:
    """Priors of the study's own."""
    for name, prior in study.priors.items():
        yield one_line(f"prior of the study's own: {name} = {prior}")


def claim_lines(study: Study) -> Iterator[str]:
    """Groups and claims of the study's own."""
    for group in study.row_groups.values():
        said = f"{len(group.sure)} of {len(group.rows)}"
        unknown = f", not known of {len(group.unknown)}" if group.unknown else ""
        yield one_line(f"group {group.name}: {said}{unknown}: {shortened(group.sure)}")
    if study.claims:
        yield one_line(f"claims: {', '.join(claim.id for claim in study.claims)}")


def shortened(names: tuple[str, ...], limit: int = 30) -> str:
    """Names in one line, and how many more there are."""
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
