"""Further outcomes of a share study: ordered levels, or yes and no, read from printed labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import StudyError, did_you_mean, listed, shown
from intlmodels.study.columns import FEWEST_FIRMS, Floats, Integers, Outcome, Predictor, frozen
from intlmodels.study.keys import wrong
from intlmodels.study.sources import Cell, Sources


@dataclass(frozen=True, eq=False)
class FurtherOutcome:
    """An outcome beside the share, on the same predictors.

    Attributes
    ----------
    name, note : str
    kind : {"ordered", "binary"}
    label : str
        What it is, in words.
    file : str
    columns : tuple of str
        Where it is printed; one if it is ordered.
    levels : tuple of str
        Lowest first; of a binary outcome the labels read as no, and those read as yes.
    codes : array of int, shape (firm,)
        Position of each firm in ``levels``; 0 where ``known`` is false.
    known : array of bool, shape (firm,)
        Whether the firm's outcome is printed.
    printed : tuple of str, length (firm,)
        Cells as they stand in the file; several are joined by a slash.
    readings : tuple of (label, level, note)
        How each printed label was read.
    missing : tuple of (firm, why)
        Firms that are left out of the fit.
    """

    name: str
    note: str
    kind: Literal["ordered", "binary"]
    label: str
    file: str
    columns: tuple[str, ...]
    levels: tuple[str, ...]
    codes: Integers
    known: Any
    printed: tuple[str, ...]
    readings: tuple[tuple[str, str, str], ...]
    missing: tuple[tuple[str, str], ...]

    @property
    def worth(self) -> Floats:
        """What a level counts: stages from 0 if ordered; 0 and 100 percent if binary."""
        return 100 * np.arange(2.0) if self.kind == "binary" else np.arange(float(len(self.levels)))


def read_further(
    name: str,
    spec: Mapping[str, Any],
    sources: Sources,
    outcome: Outcome,
    predictors: Mapping[str, Predictor],
) -> FurtherOutcome:
    """Read one further outcome.

    Parameters
    ----------
    name : str
    spec : mapping
        Its table in study.toml, checked.
    sources : Sources
        Of the firms with a share.
    outcome : Outcome
        The share.
    predictors : mapping of str to Predictor

    Raises
    ------
    StudyError
        If a label has no reading or a reading no firm, if a column is in use already, if too
        few firms have the outcome, or if they do not differ in it.
    """
    where = f"[outcomes.{name}]"
    file = spec.get("file", sources.file)
    ordered = spec["kind"] == "ordered"
    key = f"{where} {'column' if ordered else 'columns'}"
    columns = tuple(clean_label(c) for c in ([spec["column"]] if ordered else spec["columns"]))
    taken = {(outcome.file, outcome.column): "[outcome]"}
    taken |= {(p.file, p.column): f"[predictors.{p.name}]" for p in predictors.values()}
    taken[file, clean_label(sources.keys.get(file, sources.column))] = "[firms]"
    for column in columns:
        if (file, column) in taken:
            raise wrong(f"expected another column; {taken[file, column]} uses it", key, column)
    table = list(zip(*(sources.cells(file, c, key) for c in columns), strict=True))
    levels, readings = _levels(spec, ordered)
    read = {label: levels.index(level) for label, level, _ in readings}
    codes = [_code(cells, read, sources, name, ordered) for cells in table]
    used = {clean_label(cell.text) for cells in table for cell in cells}
    for label in read:
        if label not in used:
            raise wrong(
                f"no firm has this label{did_you_mean(label, used)}; expected a label of "
                f"{file}: delete it, or mend it",
                f"{where} {'readings' if ordered else ('no', 'yes')[read[label]]}",
                label,
            )
    _require_enough(codes, levels, file, listed(columns))
    return FurtherOutcome(
        name=name,
        note=spec.get("note", ""),
        kind=spec["kind"],
        label=clean_label(spec.get("label", columns[0])),
        file=file,
        columns=columns,
        levels=levels,
        codes=frozen([code or 0 for code in codes], np.intp),
        known=frozen([code is not None for code in codes], bool),
        printed=tuple(" / ".join(c.text for c in cells if c.text.strip()) for cells in table),
        readings=readings,
        missing=tuple(
            (firm, f"no {' or '.join(columns)} in {file}, row {cells[0].row}")
            for firm, cells, code in zip(sources.firms, table, codes, strict=True)
            if code is None
        ),
    )


def _levels(
    spec: Mapping[str, Any], ordered: bool
) -> tuple[tuple[str, ...], tuple[tuple[str, str, str], ...]]:
    """Levels, and how each label is read."""
    if ordered:
        told = [(r["label"], r["level"], r.get("note", "")) for r in spec["readings"]]
        return spec["levels"], tuple(told)
    no, yes = " or ".join(spec["no"]), " or ".join(spec["yes"])
    return (no, yes), (
        *((label, no, "") for label in spec["no"]),
        *((label, yes, "") for label in spec["yes"]),
    )


def _code(
    cells: tuple[Cell, ...], read: Mapping[str, int], sources: Sources, name: str, ordered: bool
) -> int | None:
    """Level of a firm: the highest that any of its cells holds; None if all are empty."""
    found = []
    for cell in cells:
        if cell.missing and clean_label(cell.text) not in read:
            continue
        label = sources.note(cell, clean_label(cell.text))
        if label not in read:
            mend = (
                f"add a [[outcomes.{name}.readings]] for it"
                if ordered
                else f"mend the cell, or yes and no of [outcomes.{name}]"
            )
            raise cell.error(
                f"expected a label with a reading in outcome {shown(name)}"
                f"{did_you_mean(label, read)}; {mend}"
            )
        found.append(read[label])
    return max(found, default=None)


def _require_enough(
    codes: list[int | None], levels: tuple[str, ...], file: str, column: str
) -> None:
    known = [code for code in codes if code is not None]
    if len(known) < FEWEST_FIRMS:
        raise StudyError(
            f"only {len(known)} of {len(codes)} firms have this outcome; expected at least "
            f"{FEWEST_FIRMS}: delete the outcome",
            file=file,
            column=column,
        )
    if len(set(known)) == 1:
        raise StudyError(
            "every firm has this level; expected two or more: delete the outcome",
            file=file,
            column=column,
            value=levels[known[0]],
        )


def further_line(outcome: FurtherOutcome) -> str:
    """What was read, in one line."""
    counts = np.bincount(outcome.codes[outcome.known], minlength=len(outcome.levels))
    parts = [f"{level} {count}" for level, count in zip(outcome.levels, counts, strict=True)]
    without = f"; not known: {', '.join(firm for firm, _ in outcome.missing)}"
    return (
        f"{outcome.name}: {outcome.kind}, {outcome.label} ({outcome.file}, "
        f"{', '.join(outcome.columns)}): {' < '.join(parts)}{without * bool(outcome.missing)}"
    )
