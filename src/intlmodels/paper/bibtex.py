"""References as BibTeX."""

from __future__ import annotations

from collections.abc import Mapping

from intlmodels.core.errors import StudyError
from intlmodels.paper.words import latex
from intlmodels.report.references import OWN, REFERENCES, Reference
from intlmodels.study import Study
from intlmodels.study.base import key_of


def entry(key: str, reference: Reference) -> str:
    """One entry; capitals of the title stay as they are in every style."""
    fields = {
        "author": " and ".join(_author(name) for name in reference.authors),
        "title": f"{{{latex(reference.title)}}}",
        "year": reference.year,
        **{name: _field(name, value) for name, value in reference.fields.items()},
    }
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@{reference.kind}{{{key},\n" + ",\n".join(lines) + "\n}\n"


def _author(name: str) -> str:
    # What has no comma is a group, not a first and a family name.
    return latex(name) if "," in name else f"{{{latex(name)}}}"


def _field(name: str, value: str) -> str:
    if name == "pages":
        return value
    return rf"\url{{{value}}}" if value.startswith("https://") else latex(value)


def data_key(study: Study) -> str:
    """Key of the source of the data.

    Raises
    ------
    StudyError
        If the entry of the study has the key of another reference.
    """
    key = key_of(study.bibtex) if study.bibtex else f"data-{study.name}"
    if key in REFERENCES or key == OWN:
        raise StudyError(
            "this key belongs to a reference of the methods; expected another one",
            file="study.toml",
            column="[study] bibtex",
            value=key,
        )
    return key


def data_entry(study: Study) -> str:
    """Entry of the source of the data: the study's own, or its source as a note."""
    if study.bibtex:
        return f"{study.bibtex}\n"
    note = study.source or "The study names no source."
    title = f"Data: {study.title}"
    return (
        f"@misc{{{data_key(study)},\n  key = {{{latex(study.name)}}},\n"
        f"  title = {{{{{latex(title)}}}}},\n  note = {{{latex(note)}}}\n}}\n"
    )


def bibliography(references: Mapping[str, Reference], study: Study) -> str:
    """The source of the data, then the references by key."""
    entries = [entry(key, references[key]) for key in sorted(references)]
    return "\n".join([data_entry(study), *entries])
