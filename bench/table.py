"""Markdown of the findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A number that was set before it was measured.

    Attributes
    ----------
    text : str
        What must hold.
    found : str
        What was measured.
    met : bool or None
        None if it was not measured.
    """

    text: str
    found: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """Whether it is met, in a word."""
        return {True: "met", False: "**missed**", None: "not measured"}[self.met]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table, with an empty one behind; numbers are in the later columns."""
    marks = ["---", *["--:"] * (len(header) - 1)]
    lines = [header, marks, *rows]
    return [*(f"| {' | '.join(cells)} |" for cells in lines), ""]
