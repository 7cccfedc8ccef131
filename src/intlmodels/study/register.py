"""Studies of the share model whose rows are too many to be read one by one.

With categorical predictors and printed shares, the likelihood depends on the rows only through
how many there are of each *cell*, a combination of levels and a printed share. A
:class:`Register` says where the rows are and what their columns mean; once they are counted
(:mod:`intlmodels.register`), a :class:`RegisterStudy` has one "firm" for each cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import StudyError, listed, one_line
from intlmodels.study.base import Reader, RowFiles, Study, prior_lines, row_files
from intlmodels.study.clusters import Clusters
from intlmodels.study.columns import (
    FEWEST_FIRMS,
    Floats,
    Integers,
    Outcome,
    Predictor,
    frozen,
    lookalike_lines,
    one_of,
    share_reader,
    transformed,
)
from intlmodels.study.keys import wrong
from intlmodels.study.schema import StudyFile
from intlmodels.study.share import ShareStudy, checked_profiles
from intlmodels.study.sources import Cell

#: Columns of the counts beside the predictors.
COUNTED = ("printed_pct", "rows")

#: Name under which the column of clusters goes.
CLUSTER = "cluster"


@dataclass(frozen=True, eq=False)
class Register(RowFiles):
    """A register of shares as study.toml describes it; none of its rows is read yet.

    Attributes
    ----------
    outcome : dict
        The table [outcome].
    width : float
        Rounding width in percentage points.
    predictors : dict of str to dict
        The tables [predictors.NAME].
    cluster : dict
        The table [cluster]; empty if all firms are one cluster.
    profiles : tuple of dict
        The tables [[profiles]], as written.
    """

    outcome: dict[str, Any]
    width: float
    predictors: dict[str, dict[str, Any]]
    cluster: dict[str, Any]
    profiles: tuple[dict[str, Any], ...]

    @property
    def columns(self) -> dict[str, str]:
        """Column of shares by ``share``, of clusters by ``cluster``, of predictors by name."""
        asked = {"share": self.outcome, **self.explaining}
        return {name: clean_label(spec["column"]) for name, spec in asked.items()}

    @property
    def explaining(self) -> dict[str, dict[str, Any]]:
        """The tables of what explains the share: clusters by ``cluster``, then predictors."""
        return {CLUSTER: self.cluster, **self.predictors} if self.cluster else self.predictors

    def kind(self, name: str) -> str:
        """Kind of what explains the share; clusters are labels."""
        return "category" if self.cluster and name == CLUSTER else self.predictors[name]["kind"]

    def named_by(self, key: str) -> str:
        """The key of study.toml that names a column."""
        if key == CLUSTER and self.cluster:
            return "[cluster] column"
        return "[outcome] column" if key == "share" else f"[predictors.{key}] column"

    @property
    def labels(self) -> frozenset[str]:
        """Keys of columns that hold labels."""
        return frozenset(name for name in self.explaining if self.kind(name) != "numeric")

    def readers(self) -> dict[str, Reader]:
        """How a cell of each of :attr:`columns` is read; None stands for no share.

        Each raises a :class:`StudyError` for a cell that cannot be read.
        """
        _, share = share_reader(self.outcome)

        def outcome(cell: Cell) -> float | None:
            return None if cell.missing else share(cell)

        readers: dict[str, Reader] = {"share": outcome}
        for name, spec in self.explaining.items():
            readers[name] = _READERS[self.kind(name)](spec)
        return readers


def _category(spec: Mapping[str, Any]) -> Reader:
    return Cell.label


def _contrast(spec: Mapping[str, Any]) -> Reader:
    levels = clean_label(spec["low"]), clean_label(spec["high"])
    return lambda cell: one_of(levels, cell, cell.label())


def _numeric(spec: Mapping[str, Any]) -> Reader:
    def read(cell: Cell) -> float:
        if cell.missing:
            raise cell.error(
                "expected a number; a register has no missing values: give it as a category with "
                "a level of its own for them, or set the rows aside"
            )
        transformed(cell, spec.get("transform", "none"))
        return cell.number() + 0.0  # -0 is 0

    return read


_READERS: dict[str, Callable[[Mapping[str, Any]], Reader]] = {
    "category": _category,
    "contrast": _contrast,
    "numeric": _numeric,
}


def read_register(folder: Path, toml: StudyFile) -> Register:
    """Check what study.toml says of a register.

    Raises
    ------
    StudyError
        For the first thing that is wrong, in one line.
    """
    register = Register(
        **row_files(folder, toml, "register", "firm"),
        outcome=toml.outcome,
        width=share_reader(toml.outcome)[0],
        predictors=toml.predictors,
        cluster=toml.cluster,
        profiles=toml.profiles,
    )
    if register.cluster and CLUSTER in register.predictors:
        raise wrong("expected another name than that of [cluster]", "[predictors]", CLUSTER)
    for name in set(COUNTED) & set(register.predictors):
        raise wrong("expected another name; the counts use this one", "[predictors]", name)
    seen: dict[str, str] = {}
    for name, column in register.columns.items():
        where = "[outcome]" if not seen else f"[predictors.{name}]"
        where = "[cluster]" if register.cluster and name == CLUSTER else where
        if column in seen:
            raise wrong(f"expected another column than that of {seen[column]}", where, column)
        seen[column] = where
    return register


# -- once the rows are counted -----------------------------------------------------------


@dataclass(frozen=True)
class Read:
    """What was read of a register.

    Attributes
    ----------
    files : int
    rows : int
        All rows.
    without : int
        Rows without a share, which are left out.
    bad : int
        Rows that cannot be read, which were set aside.
    """

    files: int
    rows: int
    without: int
    bad: int


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of which few values are different.

    Attributes
    ----------
    levels : tuple of str, or of float
        What occurs in it, sorted.
    codes : array of int, shape (cell,)
        Position in ``levels``.
    """

    levels: tuple[Any, ...]
    codes: Integers

    @classmethod
    def of(cls, values: Sequence[Any], codes: Integers) -> Coded:
        """A column from codes into values in any order, some of them perhaps equal or unused."""
        used = np.bincount(codes, minlength=len(values)) > 0
        levels = sorted({value for value, there in zip(values, used, strict=True) if there})
        place = {level: code for code, level in enumerate(levels)}
        moved = np.array([place.get(value, -1) for value in values], dtype=np.intp)
        return cls(tuple(levels), frozen(moved[codes], np.int32))


@dataclass(frozen=True, eq=False)
class Cells:
    """How many rows there are of each cell.

    Attributes
    ----------
    printed : array, shape (cell,)
        Printed share in percent, on the grid.
    columns : dict of str to Coded
        Label, or number before the transform, of each predictor, after the cluster if there is one.
    rows : array of int, shape (cell,)
    read : Read
    """

    printed: Floats
    columns: dict[str, Coded]
    rows: Integers
    read: Read


@dataclass(frozen=True, eq=False)
class RegisterStudy(ShareStudy):
    """A register whose rows are counted: ``firms`` are the cells.

    Attributes
    ----------
    rows : array of int, shape (cell,)
        How many rows each cell stands for.
    read : Read
    """

    rows: Integers
    read: Read


def study_of(register: Register, cells: Cells) -> RegisterStudy:
    """The study of a register whose rows are counted.

    Raises
    ------
    StudyError
        If there are too few rows, or they do not differ in a predictor.
    """
    if cells.rows.sum() < FEWEST_FIRMS:
        raise StudyError(
            f"only {cells.rows.sum()} rows have a share; expected at least {FEWEST_FIRMS}",
            file=register.files,
            column=register.columns["share"],
        )
    predictors = {
        name: _predictor(register, name, spec, cells) for name, spec in register.predictors.items()
    }
    spec = register.outcome
    column = register.columns["share"]
    label = clean_label(spec.get("label", column))
    return RegisterStudy(
        **{f: getattr(register, f) for f in Study.__dataclass_fields__ if f != "firms"},
        firms=tuple(f"cell {number}" for number in range(1, len(cells.rows) + 1)),
        outcome=Outcome(
            register.files, column, label, spec["unit"], register.width, frozen(cells.printed)
        ),
        predictors=predictors,
        outcomes={},
        variants={},
        dropped=(),
        profiles=checked_profiles(register.profiles, predictors),
        crosschecks=(),
        opportunity=None,
        clusters=_clusters(register, cells),
        rows=frozen(cells.rows, np.intp),
        read=cells.read,
    )


def _clusters(register: Register, cells: Cells) -> Clusters | None:
    if not register.cluster:
        return None
    values, column = cells.columns[CLUSTER], register.columns[CLUSTER]
    if len(values.levels) == 1:
        raise StudyError(
            "every row has this value; expected two clusters or more: delete [cluster]",
            file=register.files,
            column=column,
            value=values.levels[0],
        )
    label = clean_label(register.cluster.get("label", column))
    return Clusters(values.levels, frozen(values.codes, np.intp), label, register.files, column)


def _predictor(register: Register, name: str, spec: Mapping[str, Any], cells: Cells) -> Predictor:
    values = cells.columns[name]
    column = register.columns[name]
    if len(values.levels) == 1:
        raise StudyError(
            "every row has this value; expected two or more: delete the predictor",
            file=register.files,
            column=column,
            value=str(values.levels[0]),
        )
    own: dict[str, Any] = {}
    if spec["kind"] == "category":
        own = {"levels": values.levels, "codes": frozen(values.codes, np.intp)}
    elif spec["kind"] == "contrast":
        levels = clean_label(spec["low"]), clean_label(spec["high"])
        halves = np.array([-0.5 if level == levels[0] else 0.5 for level in values.levels])
        own = {"levels": levels, "values": frozen(halves[values.codes])}
    else:
        own = _standardized(spec, values, cells.rows)
    texts = [v if isinstance(v, str) else f"{v:.12g}" for v in values.levels]
    return Predictor(
        name=name,
        kind=spec["kind"],
        label=clean_label(spec.get("label", column)),
        file=register.files,
        column=column,
        printed=tuple(np.array(texts, dtype=object)[values.codes]),
        **own,
    )


def _standardized(spec: Mapping[str, Any], values: Coded, rows: Integers) -> dict[str, Any]:
    """Values after the transform, and their mean and sd over all rows."""
    transform = spec.get("transform", "none")
    numbers = np.array(values.levels, dtype=float)
    if transform == "log":
        numbers = np.log(numbers)
    # Whole numbers below 2^53: exact.
    counts = np.bincount(values.codes, rows, len(numbers))
    count = int(rows.sum())
    # Sums of products without rounding on the way: there may be very many rows.
    center = math.fsum(counts * numbers) / count
    variance = math.fsum(counts * (numbers - center) ** 2) / (count - 1)
    if not math.isfinite(center) or not math.isfinite(variance):
        raise wrong("the numbers are too large for a mean; expected a larger unit", spec["column"])
    return {
        "values": frozen(numbers[values.codes]),
        "transform": transform,
        "center": center,
        "scale": math.sqrt(variance),
        "unit": spec.get("unit", ""),
    }


def register_lines(study: RegisterStudy) -> Iterator[str]:
    """What was read, for a person to check before fitting."""
    read, outcome = study.read, study.outcome
    yield one_line(f"{study.name}: {study.title}")
    yield one_line(f"  folder    {study.folder}")
    yield "  model     share, from a register"
    yield from read_lines(read, len(study.firms))
    yield one_line(f"  outcome   {outcome.label} ({outcome.file}, {outcome.column})")
    yield "predictors"
    for predictor in study.predictors.values():
        yield one_line(f"  {predictor.name}: {predictor.kind}, {predictor.label}")
        if predictor.kind == "numeric":
            known = f"mean {predictor.center:.4g}, sd {predictor.scale:.4g}"
            yield f"    {len(np.unique(predictor.values))} distinct values, {known}"
            continue
        codes = predictor.codes if predictor.kind == "category" else predictor.values > 0
        counts = np.bincount(codes, study.rows, len(predictor.levels))
        for level, count in zip(predictor.levels, counts, strict=True):
            yield one_line(f"    {int(count):>12,}  {level}")
        yield from lookalike_lines(predictor.levels, "    ")
    yield from prior_lines(study)


def read_lines(read: Read, cells: int) -> Iterator[str]:
    """Rows, cells, and rows that are not in them."""
    yield f"  files     {read.files:,}"
    yield f"  rows      {read.rows:,}"
    yield f"  cells     {cells:,}"
    yield f"  left out  {read.without:,} rows without a share"
    yield f"  set aside {read.bad:,} rows that cannot be read"


def declared_lines(register: Register) -> Iterator[str]:
    """What study.toml says of a register, before anything is read."""
    yield one_line(f"{register.name}: {register.title}")
    yield one_line(f"  folder    {register.folder}")
    yield "  model     share, from a register"
    yield one_line(f"  files     {register.files}")
    yield one_line(f"  columns   {listed(register.columns.values())}")
    yield f"  bad rows  {register.bad_rows}"
    yield f"  memory    at most {register.memory_limit} for the reading"
