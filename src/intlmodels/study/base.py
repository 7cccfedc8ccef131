"""What every study has, whatever its model: a name, firms, tables as printed."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intlmodels.core.csvtable import Table, clean_label
from intlmodels.core.errors import one_line
from intlmodels.study.bibtex import check_bibtex
from intlmodels.study.claims import Claim
from intlmodels.study.columns import lookalike_lines
from intlmodels.study.groups import Group, Number
from intlmodels.study.keys import wrong
from intlmodels.study.schema import StudyFile
from intlmodels.study.sources import Cell, Sources


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


def common(folder: Path, toml: StudyFile, sources: Sources) -> dict[str, Any]:
    """The attributes that every study has, once all of its tables are read."""
    return {
        "name": toml.study["name"],
        "title": clean_label(toml.study["title"]),
        "question": toml.study.get("question", ""),
        "model": toml.study["model"],
        "folder": folder,
        "source": toml.study.get("source", ""),
        "bibtex": check_bibtex(toml.study.get("bibtex", "")),
        "limits": toml.study.get("limits", ()),
        "firm_label": clean_label(toml.firms.get("label", "firm")),
        "firms": sources.firms,
        "priors": toml.priors,
        "tables": sources.tables,
        "normalizations": tuple((*place, *texts) for place, texts in sources.read_as.items()),
        "settings": toml.fit,
    }


def first_lines(study: Study) -> Iterator[str]:
    """The beginning of what a person is told about a study."""
    yield one_line(f"{study.name}: {study.title}")
    yield one_line(f"  folder    {study.folder}")
    yield f"  model     {study.model}"
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


# -- what registers of every model have in common --------------------------------------

#: Memory that DuckDB may use if study.toml does not say.
MEMORY = "2GB"

#: What stands in a cell, in one form for all ways to write the same.
Reader = Callable[[Cell], str | float | None]


@dataclass(frozen=True, eq=False)
class RowFiles(Study):
    """Rows in files as study.toml describes them; none of them is read yet.

    Attributes
    ----------
    files : str
        A file, a glob or a folder, relative to the study's folder or absolute.
    bad_rows : {"stop", "set aside"}
        What happens to rows that cannot be read.
    memory_limit : str
        Of DuckDB, such as ``2GB``.
    """

    files: str
    bad_rows: str
    memory_limit: str

    @property
    @abstractmethod
    def columns(self) -> dict[str, str]:
        """Each column that is read, by what it is for."""

    @abstractmethod
    def readers(self) -> Mapping[str, Reader]:
        """How a cell of each of :attr:`columns` is read.

        Each raises a :class:`StudyError` for a cell that cannot be read.
        """

    @property
    @abstractmethod
    def labels(self) -> frozenset[str]:
        """Keys of :attr:`columns` that hold labels, not numbers or dates."""

    def named_by(self, key: str) -> str:
        """The key of study.toml that names a column."""
        return f"[register] {key}"


def row_files(folder: Path, toml: StudyFile, model: str, label: str) -> dict[str, Any]:
    """The attributes that registers of every model have.

    Raises
    ------
    StudyError
        For a memory limit that is none.
    """
    spec = toml.register
    limit = spec.get("memory_limit", MEMORY)
    if not re.fullmatch(r"[1-9]\d*(\.\d+)? ?[KMGT]i?B", limit):
        raise wrong('expected memory such as "2GB" or "500MB"', "[register] memory_limit", limit)
    return {
        "name": toml.study["name"],
        "title": clean_label(toml.study["title"]),
        "question": toml.study.get("question", ""),
        "model": model,
        "folder": folder,
        "source": toml.study.get("source", ""),
        "bibtex": check_bibtex(toml.study.get("bibtex", "")),
        "limits": toml.study.get("limits", ()),
        "firm_label": clean_label(spec.get("label", label)),
        "firms": (),
        "priors": toml.priors,
        "tables": {},
        "normalizations": (),
        "settings": toml.fit,
        "files": spec["files"],
        "bad_rows": spec.get("bad_rows", "stop"),
        "memory_limit": limit,
    }
