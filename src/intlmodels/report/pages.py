"""What templates of a report are given to show, and the pages that come of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: What a section's template is given: numbers as text under stable names, tables, drawings.
type Values = dict[str, Any]


@dataclass(frozen=True)
class Drawing:
    """A picture, drawn; where it was drawn for paper, ``printed`` holds it in every format."""

    name: str
    svg: str
    printed: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """Where the Markdown report finds the picture."""
        return f"figures/{self.name}.svg"


@dataclass(frozen=True)
class Figure:
    """A drawing as it stands on a page, with its number and caption.

    ``code`` is the line of Python that draws it; empty if there is none.
    """

    number: str
    drawing: Drawing
    caption: str
    failed: bool = False
    code: str = ""


@dataclass(frozen=True)
class Table:
    """A table as it stands on a page: cells as text, number, caption, and its CSV file."""

    number: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()
    file: str = ""
    note: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Section:
    """A section of a page: its heading, and its text without the heading."""

    name: str
    title: str
    text: str


@dataclass(frozen=True)
class Page:
    """The main report or its appendix, in one format."""

    name: str
    sections: tuple[Section, ...]
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
