"""The pieces a report is made of, before they become HTML or Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str
    kind: str = "paragraph"


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: tuple[str, ...]
    ordered: bool = False
    kind: str = "items"


@dataclass(frozen=True)
class Box:
    """Something that must not be overlooked."""

    title: str
    items: tuple[str, ...]
    failed: bool = False
    kind: str = "box"


@dataclass(frozen=True)
class Table:
    """Cells as text, with a caption and the file that holds all of it.

    ``widths`` are those of the columns in percent, for tables of long texts, which then take
    more of a broad screen than other text does.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()
    file: str = ""
    note: str = ""
    failed: bool = False
    widths: tuple[int, ...] = ()
    kind: str = "table"


@dataclass(frozen=True)
class Picture:
    """A figure, drawn; where it was drawn for paper, ``printed`` holds it in every format."""

    name: str
    caption: str
    alt: str
    svg: str
    failed: bool = False
    printed: Mapping[str, bytes] = field(default_factory=dict)
    kind: str = "picture"

    @property
    def file(self) -> str:
        """Where the Markdown report finds the picture."""
        return f"figures/{self.name}.svg"


@dataclass(frozen=True)
class Formula:
    """Lines of mathematics in TeX."""

    tex: tuple[str, ...]
    kind: str = "formula"


@dataclass(frozen=True)
class Code:
    """Commands, as typed."""

    text: str
    kind: str = "code"


Block = Paragraph | Items | Box | Table | Picture | Formula | Code


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]
