"""What registers of every model have in common: rows in files, too many to be read one by one."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intlmodels.csvtable import clean_label
from intlmodels.study.base import Study
from intlmodels.study.bibtex import check_bibtex
from intlmodels.study.file import StudyFile
from intlmodels.study.keys import wrong
from intlmodels.study.sources import Cell

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
