"""Tables of a study held against each other: what is printed twice, and what must add up.

A study says in ``[crosschecks.NAME]`` which columns print the same thing, or which numbers
cannot come to more than some total. Nothing is corrected here; what does not agree is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from intlmodels.csvtable import clean_label
from intlmodels.errors import StudyError, shown
from intlmodels.study.keys import wrong
from intlmodels.study.sources import Cell, Sources

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Crosscheck:
    """Columns that are held against each other, firm by firm.

    Attributes
    ----------
    name : str
    kind : {"same", "at most"}
        Whether the columns print the same, or numbers whose sum has a limit.
    places : tuple of str
        ``file: column`` of each.
    cells : tuple of tuple of Cell
        One row a firm.
    value : float
        The limit.
    note : str
    """

    name: str
    kind: str
    places: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    value: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Disagreement:
    """A firm for which a crosscheck does not hold."""

    firm: str
    found: tuple[str, ...]


def read_crosscheck(name: str, spec: Mapping[str, Any], sources: Sources) -> Crosscheck:
    """Find the cells of a crosscheck.

    Raises
    ------
    StudyError
        For a place that is not ``file: column``, a missing column, or a cell that is no number
        where numbers are added.
    """
    where = f"[crosschecks.{name}] columns"
    places = []
    for text in spec["columns"]:
        file, colon, column = text.partition(":")
        if not colon or not file.strip() or not column.strip():
            raise wrong('expected "file: column", as in "table1.csv: product_line"', where, text)
        places.append((file.strip(), clean_label(column)))
    if len(set(places)) < len(places) or len(places) < 2:
        raise wrong("expected two or more different columns", where)
    columns = [sources.cells(file, column, where) for file, column in places]
    cells = tuple(zip(*columns, strict=True))
    if spec["kind"] == "at most":
        for row in cells:
            for cell in row:
                if not cell.missing:
                    cell.number()
    return Crosscheck(
        name,
        spec["kind"],
        tuple(f"{file}: {column}" for file, column in places),
        cells,
        float(spec.get("value", 0.0)),
        spec.get("note", ""),
    )


def disagreements(check: Crosscheck, firms: tuple[str, ...]) -> tuple[Disagreement, ...]:
    """Firms for which a crosscheck does not hold; what is not known agrees with anything.

    Labels are compared without outer and double blanks, in capitals and small letters alike
    different.
    """
    found = []
    for firm, row in zip(firms, check.cells, strict=True):
        if check.kind == "same":
            known = {clean_label(cell.text) for cell in row if not cell.missing}
            good = len(known) <= 1
        else:
            good = sum(cell.number() for cell in row if not cell.missing) <= check.value + 1e-9
        if not good:
            found.append(Disagreement(firm, tuple(cell.text for cell in row)))
    return tuple(found)


def crosscheck_lines(checks: tuple[Crosscheck, ...], firms: tuple[str, ...]) -> list[str]:
    """What the crosschecks of a study found, in sentences."""
    if not checks:
        raise StudyError(
            "this study has nothing to audit: no [counts], and no [crosschecks.NAME] that says "
            "which columns print the same; see data/rochester/study.toml for an example",
            file="study.toml",
        )
    lines = []
    for check in checks:
        bad = disagreements(check, firms)
        what = " and ".join(check.places)
        rule = "print the same" if check.kind == "same" else f"add up to {check.value:g} at most"
        lines.append(f"{check.name}: {what} {rule} for {len(firms) - len(bad)} of {len(firms)}.")
        lines += [f"  {item.firm}: {', '.join(shown(text) for text in item.found)}" for item in bad]
        if check.note:
            lines.append(f"  {check.note}")
    return lines


def crosscheck_table(checks: tuple[Crosscheck, ...], firms: tuple[str, ...]) -> pd.DataFrame:
    """Every firm of every crosscheck: ``crosscheck``, ``firm``, ``printed``, ``agrees``."""
    import pandas as pd

    rows = []
    for check in checks:
        bad = {item.firm for item in disagreements(check, firms)}
        for firm, cells in zip(firms, check.cells, strict=True):
            printed = "; ".join(cell.text for cell in cells)
            rows.append((check.name, firm, printed, firm not in bad))
    return pd.DataFrame(rows, columns=["crosscheck", "firm", "printed", "agrees"])
