"""Registers: studies whose rows are counted by :mod:`intlmodels.register`, not read one by one.

With categorical predictors and printed shares, the likelihood of the share model depends on the
rows only through how many there are of each *cell*, a combination of levels and a printed share;
a :class:`RegisterStudy` has one "firm" for each cell.

Firms with the same sequence of decisions have the same likelihood under the decay model, and more
is alike: given the firm's effect, the log odds of a decision depend on its place k in the
sequence, so that of the flags y of a firm only their number and the sum of y b(k) enter, whatever
b is. A :class:`SequenceStudy` has how many firms there are by size, number of decisions (by
period) and of flags, and how many decisions and flags there are at each place: all that the
likelihood of any shape of the decay depends on.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import StudyError, listed, one_line, shown
from intlmodels.core.formats import label_for
from intlmodels.studies import decay
from intlmodels.studies.base import Study, common
from intlmodels.studies.columns import (
    FEWEST_FIRMS,
    Floats,
    Grouping,
    Integers,
    Predictor,
    frozen,
    lookalike_lines,
    one_of,
    outcome_of,
    share_reader,
    transformed,
)
from intlmodels.studies.counts import SIZES
from intlmodels.studies.decay import DecayStudy
from intlmodels.studies.decisions import expected, form_of, read_flag, read_stated
from intlmodels.studies.schema import (
    CLUSTER,
    CategoryTable,
    ClusterTable,
    ContrastTable,
    DecisionRegisterFile,
    DecisionTable,
    NumericTable,
    PeriodsTable,
    Predictors,
    ShareRegisterFile,
    ShareTable,
    wrong,
)
from intlmodels.studies.share import ShareStudy, checked_profiles
from intlmodels.studies.sources import Cell, in_column

#: Columns of the counts beside the predictors.
COUNTED = ("printed_pct", "rows")
_SHARES, _DECISIONS = "share, from a register", "decay, from a register of decisions"

#: What stands in a cell, in one form for all ways to write the same.
Reader = Callable[[Cell], str | float | None]


@dataclass(frozen=True, eq=False, repr=False)
class RowFiles(Study):
    """Rows in files as study.toml describes them; none of them is read yet."""

    #: A file, a glob or a folder, relative to the study's folder or absolute.
    files: str
    #: What happens to rows that cannot be read.
    bad_rows: str
    #: Of DuckDB, such as ``2GB``.
    memory_limit: str
    #: Each column that is read, by what it is for.
    columns: dict[str, str]

    @abstractmethod
    def readers(self) -> Mapping[str, Reader]:
        """How a cell of each of :attr:`columns` is read, or refused with a :class:`StudyError`."""

    @property
    @abstractmethod
    def labels(self) -> frozenset[str]:
        """Keys of :attr:`columns` that hold labels, not numbers or dates."""

    def named_by(self, key: str) -> str:
        """The key of study.toml that names a column."""
        return f"[register] {key}"

    @abstractmethod
    def about(self) -> tuple[str, list[str]]:
        """The model in words, and lines on the columns that are read."""

    def lines(self) -> Iterator[str]:
        """What study.toml says of a register, before anything is read."""
        model, columns = self.about()
        yield from self.first_lines(model)
        yield one_line(f"  files     {self.files}")
        yield from map(one_line, columns)
        yield f"  bad rows  {self.bad_rows}"
        yield f"  memory    at most {self.memory_limit} while reading"


def _declared(
    folder: Path,
    toml: ShareRegisterFile | DecisionRegisterFile,
    model: str,
    columns: Mapping[str, str],
) -> dict[str, Any]:
    """The attributes that every register has."""
    spec = toml.register
    return {
        **common(folder, toml, model),
        "files": spec.files,
        "bad_rows": spec.bad_rows,
        "memory_limit": spec.memory_limit,
        "columns": dict(columns),
    }


# -- registers of shares -----------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class Register(RowFiles):
    """A register of shares as study.toml describes it; none of its rows is read yet."""

    outcome: ShareTable
    #: Rounding width in percentage points.
    width: float
    predictors: Predictors
    #: Column with the firm of each row; empty if that is not said.
    unit: str
    #: Whether rows of one firm may count as independent.
    independent: bool
    #: None if all firms are one cluster.
    cluster: ClusterTable | None
    #: The tables [[profiles]], as written.
    profiles: Sequence[Mapping[str, Any]]

    @property
    def explaining(self) -> dict[str, ClusterTable | CategoryTable | ContrastTable | NumericTable]:
        """The tables of what explains the share: clusters by ``cluster``, then predictors."""
        return {**({CLUSTER: self.cluster} if self.cluster else {}), **self.predictors}

    def kind(self, name: str) -> str:
        """Kind of what explains the share; clusters are labels."""
        table = self.explaining[name]
        return "category" if isinstance(table, ClusterTable) else table.kind

    def named_by(self, key: str) -> str:
        """The key of study.toml that names a column."""
        if key == "unit":
            return "[register] unit"
        return f"{(self.outcome if key == 'share' else self.explaining[key]).where} column"

    @property
    def labels(self) -> frozenset[str]:
        """Keys of columns that hold labels."""
        return frozenset(name for name in self.explaining if self.kind(name) != "numeric")

    def readers(self) -> dict[str, Reader]:
        """How a cell of each of :attr:`columns` is read; None stands for no share."""
        _, share = share_reader(self.outcome)
        readers: dict[str, Reader] = {"share": lambda cell: None if cell.missing else share(cell)}
        return readers | {name: _reader(spec) for name, spec in self.explaining.items()}

    def about(self) -> tuple[str, list[str]]:
        """The model in words, and lines on the columns that are read."""
        firms = [f"  firms     in {shown(self.unit)}"] if self.unit else []
        return _SHARES, [f"  columns   {listed(self.columns.values())}", *firms]


def _reader(spec: ClusterTable | CategoryTable | ContrastTable | NumericTable) -> Reader:
    match spec:
        case ContrastTable():
            return lambda cell: one_of((spec.low, spec.high), cell, cell.label())
        case NumericTable():
            return lambda cell: _number(cell, spec.transform)
    return Cell.label


def _number(cell: Cell, transform: str) -> float:
    if cell.missing:
        raise cell.error(
            "expected a number; a register has no missing values: give it as a category with "
            "a level of its own for them, or set the rows aside"
        )
    transformed(cell, transform)
    return cell.number() + 0.0  # -0 is 0


def read_register(folder: Path, toml: ShareRegisterFile) -> Register:
    """Check what study.toml says of a register."""
    clusters = {CLUSTER: toml.cluster} if toml.cluster else {}
    columns = {name: own.column for name, own in (*clusters.items(), *toml.predictors.items())}
    register = Register(
        **_declared(folder, toml, "register", {"share": toml.outcome.column, **columns}),
        outcome=toml.outcome,
        width=share_reader(toml.outcome)[0],
        unit=toml.register.unit,
        independent=toml.register.repeated == "independent",
        predictors=toml.predictors,
        cluster=toml.cluster,
        profiles=toml.profiles,
    )
    if register.cluster and CLUSTER in register.predictors:
        raise wrong("expected another name than that of [cluster]", "[predictors]", CLUSTER)
    for name in set(COUNTED) & set(register.predictors):
        raise wrong("expected another name; the counts use this one", "[predictors]", name)
    seen: dict[str, str] = {}
    for table in (register.outcome, *register.explaining.values()):
        if table.column in seen:
            said = f"expected another column than that of {seen[table.column]}"
            raise wrong(said, table.where, table.column)
        seen[table.column] = table.where
    if register.unit in seen:
        said = f"expected another column than that of {seen[register.unit]}"
        raise wrong(said, "[register] unit", register.unit)
    return register


@dataclass(frozen=True)
class Read:
    """What was read of a register."""

    files: int
    #: All rows.
    rows: int
    #: Rows without a share, which are left out.
    without: int
    #: Rows that cannot be read, which were set aside.
    bad: int
    #: Firms, and how many of them have several rows with a share; 0 if no column has the firms.
    firms: int = 0
    repeated: int = 0


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of which few values are different."""

    #: What occurs in it, sorted.
    levels: tuple[Any, ...]
    #: Position in ``levels``; shape (cell,).
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
    """How many rows there are of each cell."""

    #: Printed share in percent, on the grid; shape (cell,).
    printed: Floats
    #: Label, or number before the transform, of each predictor, after the cluster if there is one.
    columns: dict[str, Coded]
    #: Shape (cell,).
    rows: Integers
    read: Read


@dataclass(frozen=True, eq=False, repr=False)
class RegisterStudy(ShareStudy):
    """A register whose rows are counted: ``firms`` are the cells."""

    #: How many rows each cell stands for; shape (cell,).
    rows: Integers = field(kw_only=True)
    read: Read = field(kw_only=True)

    def repeated_firms(self) -> str:
        """How many firms have several rows, and what that means, in words."""
        many = self.read.repeated
        if not many:
            return "each has one row"
        have = "1 of them has" if many == 1 else f"{many:,} of them have"
        return f"{have} several rows, which are treated as independent"

    def lines(self) -> Iterator[str]:
        """What was read, for a person to check before fitting."""
        read, outcome = self.read, self.outcome
        yield from self.first_lines(_SHARES)
        yield f"  files     {read.files:,}"
        yield f"  rows      {read.rows:,}"
        yield f"  cells     {len(self.firms):,}"
        if read.firms:
            yield f"  firms     {read.firms:,}; {self.repeated_firms()}"
        yield f"  left out  {read.without:,} rows without a share"
        yield f"  set aside {read.bad:,} rows that cannot be read"
        yield one_line(f"  outcome   {outcome.label} ({outcome.file}, {outcome.column})")
        yield "predictors"
        for predictor in self.predictors.values():
            yield one_line(f"  {predictor.name}: {predictor.kind}, {predictor.label}")
            if predictor.kind == "numeric":
                known = f"mean {predictor.center:.4g}, sd {predictor.scale:.4g}"
                yield f"    {len(np.unique(predictor.values))} distinct values, {known}"
                continue
            codes = predictor.codes if predictor.kind == "category" else predictor.values > 0
            counts = np.bincount(codes, self.rows, len(predictor.levels))
            for level, count in zip(predictor.levels, counts, strict=True):
                yield one_line(f"    {int(count):>12,}  {level}")
            yield from lookalike_lines(predictor.levels, "    ")
        yield from self.prior_lines()


def study_of(register: Register, cells: Cells) -> RegisterStudy:
    """The study of a register whose rows are counted."""
    spec = register.outcome
    if cells.rows.sum() < FEWEST_FIRMS:
        said = f"only {cells.rows.sum()} rows have a share; expected at least {FEWEST_FIRMS}"
        raise in_column(said, register.files, spec.column)
    predictors = {
        name: _predictor(register, name, own, cells) for name, own in register.predictors.items()
    }
    groupings = {}
    if (cluster := register.cluster) is not None:
        values = _values(register, CLUSTER, cells, "two clusters or more: delete [cluster]")
        codes, label = frozen(values.codes, np.intp), cluster.label or label_for(cluster.column)
        own = Grouping(values.levels, codes, label, register.files, cluster.column)
        groupings[CLUSTER] = own
    widths = np.full(len(cells.printed), register.width)
    return RegisterStudy(
        **{f: getattr(register, f) for f in Study.__dataclass_fields__ if f != "firms"},
        firms=tuple(f"cell {number}" for number in range(1, len(cells.rows) + 1)),
        outcome=outcome_of(spec, register.files, cells.printed, widths),
        predictors=predictors,
        profiles=checked_profiles(register.profiles, predictors),
        groupings=groupings,
        rows=frozen(cells.rows, np.intp),
        read=cells.read,
    )


def _values(register: Register, name: str, cells: Cells, wanted: str) -> Coded:
    values = cells.columns[name]
    if len(values.levels) == 1:
        said, value = f"every row has this value; expected {wanted}", str(values.levels[0])
        raise in_column(said, register.files, register.columns[name], value)
    return values


def _predictor(
    register: Register, name: str, spec: CategoryTable | ContrastTable | NumericTable, cells: Cells
) -> Predictor:
    values = _values(register, name, cells, "two or more: delete the predictor")
    own: dict[str, Any] = {}
    match spec:
        case CategoryTable():
            own = {"levels": values.levels, "codes": frozen(values.codes, np.intp)}
        case ContrastTable():
            halves = np.array([-0.5 if level == spec.low else 0.5 for level in values.levels])
            own = {"levels": (spec.low, spec.high), "values": frozen(halves[values.codes])}
        case NumericTable():
            own = _standardized(spec, values, cells.rows)
    texts = [v if isinstance(v, str) else f"{v:.12g}" for v in values.levels]
    return Predictor(
        name=name,
        kind=spec.kind,
        label=spec.label or label_for(spec.column),
        file=register.files,
        column=spec.column,
        printed=tuple(np.array(texts, dtype=object)[values.codes]),
        **own,
    )


def _standardized(spec: NumericTable, values: Coded, rows: Integers) -> dict[str, Any]:
    """Values after the transform, and their mean and sd over all rows."""
    numbers = np.array(values.levels, dtype=float)
    if spec.transform == "log":
        numbers = np.log(numbers)
    # Whole numbers below 2^53: exact.
    counts = np.bincount(values.codes, rows, len(numbers))
    count = int(rows.sum())
    # Sums of products without rounding on the way: there may be very many rows.
    center = math.fsum(counts * numbers) / count
    variance = math.fsum(counts * (numbers - center) ** 2) / (count - 1)
    if not math.isfinite(center) or not math.isfinite(variance):
        raise wrong("the numbers are too large for a mean; expected a larger unit", spec.column)
    return {
        "values": frozen(numbers[values.codes]),
        "transform": spec.transform,
        "center": center,
        "scale": math.sqrt(variance),
        "unit": spec.unit,
    }


# -- registers of decisions --------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class DecisionRegister(RowFiles):
    """A register of decisions as study.toml describes it; none of its rows is read yet."""

    #: Whether ``when`` has numbers that order, rather than dates.
    by_number: bool
    #: Names in order of time; one where the study tells none.
    periods: tuple[str, ...]
    #: First years of the second, third ... period; empty if a column has the periods.
    starts: tuple[int, ...]
    #: What the flag is called, and its labels: the table [outcome].
    outcome: DecisionTable
    #: Format of the dates; empty where they are as :mod:`intlmodels.studies.decisions` reads them.
    date_format: str
    #: Labels of the sizes, the largest one first.
    size_labels: tuple[str, ...]

    @property
    def labels(self) -> frozenset[str]:
        """Keys of columns that hold labels: all but dates."""
        return frozenset(self.columns) - {"when"}

    def readers(self) -> dict[str, Reader]:
        """How a cell of each of :attr:`columns` is read."""
        readers: dict[str, Reader] = {
            "firm": _firm,
            "flag": lambda cell: read_flag(cell, self.outcome),
            "when": self._when,
            "size": lambda cell: cell.word(self.size_labels),
            "period": self._period,
        }
        return {key: readers[key] for key in self.columns}

    def _when(self, cell: Cell) -> str:
        if self.date_format:
            return read_stated(cell, self.date_format)
        text = cell.text.strip()
        if not form_of(text, self.by_number):
            raise cell.error(expected("[register]", self.by_number))
        return text

    def _period(self, cell: Cell) -> str:
        name = clean_label(cell.text)
        if name not in self.periods:
            raise cell.error(f"expected a period, one of {listed(self.periods)}")
        return name

    def about(self) -> tuple[str, list[str]]:
        """The model in words, and lines on the columns that are read."""
        lines = [f"  columns   {', '.join(f'{key} in {own}' for key, own in self.columns.items())}"]
        if len(self.periods) > 1:
            starts = f", the later ones from {listed(map(str, self.starts))}" * bool(self.starts)
            lines.append(f"  periods   {', '.join(self.periods)}{starts}")
        return _DECISIONS, lines


def _firm(cell: Cell) -> str:
    if cell.missing:
        raise cell.error("expected the name of a firm")
    return clean_label(cell.text)


def read_decision_register(folder: Path, toml: DecisionRegisterFile) -> DecisionRegister:
    """Check what study.toml says of a register of decisions."""
    spec = toml.register
    parts = {k: getattr(spec, k) for k in ("firm", "flag", "when", "size", "period")}
    asked = {key: column for key, column in parts.items() if column}
    seen: dict[str, str] = {}
    for key, column in asked.items():
        if column in seen:
            said = f"expected another column than that of {seen[column]}"
            raise wrong(said, f"[register] {key}", column)
        seen[column] = key
    told = toml.periods or PeriodsTable(names=("all",))
    periods, starts = told.names, told.starts
    if len(periods) > 1 and bool(starts) == ("period" in asked):
        raise wrong(
            "expected either a column with the period of each decision in [register] period, or "
            "the first years of the periods in [periods] starts",
            "[periods]",
        )
    if "period" in asked and not toml.periods:
        raise wrong("expected names of the periods in [periods]", "[register] period")
    return DecisionRegister(
        **_declared(folder, toml, "sequences", asked),
        by_number=spec.order == "number",
        periods=periods,
        starts=starts,
        outcome=toml.outcome,
        date_format=spec.date_format,
        size_labels=spec.sizes[::-1] or SIZES,
    )


@dataclass(frozen=True)
class ReadDecisions:
    """What was read of a register of decisions."""

    #: Files, and all of their rows.
    files: int
    rows: int
    #: Firms in the fit.
    firms: int
    #: Different sequences of decisions among them, by size and period.
    sequences: int
    #: Decisions with the date of an earlier one of their firm; they keep the order of the rows.
    ties: int
    #: Rows that cannot be read, which were set aside.
    bad: int
    #: Of these, rows that do not tell whose they are.
    broken: int
    #: Rows that were set aside since another row of their firm cannot be read, or since its rows
    #: contradict each other.
    fellows: int
    #: Firms whose rows were set aside.
    firms_aside: int
    #: Names of firms that look like others, if there are letters beyond ASCII in one of them.
    alike: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Sequences:
    """How many firms there are of each kind, and how many decisions at each place."""

    #: Position among the labels of sizes of the firms' size; shape (cell,).
    size: Integers
    #: Decisions of each of these firms in each period; shape (cell, period).
    made: Integers
    #: How many of them carry the flag; shape (cell,).
    flagged: Integers
    #: How many firms there are of this kind; shape (cell,).
    firms: Integers
    #: Size of the firm, period, and prior entries of decisions; shape (place,).
    at_size: Integers
    at_period: Integers
    at_entries: Integers
    #: How many such decisions there are, and how many of them carry the flag; shape (place,).
    at_made: Integers
    at_flagged: Integers


@dataclass(frozen=True, eq=False, repr=False)
class SequenceStudy(DecayStudy):
    """A register of decisions whose rows are counted: ``firms`` are not listed, ``sizes`` occur."""

    sequences: Sequences = field(kw_only=True)
    read: ReadDecisions = field(kw_only=True)
    #: Where the rows were.
    files: str = field(kw_only=True)

    @property
    def total(self) -> int:
        """Number of decisions."""
        return int(self.sequences.at_made.sum())

    @property
    def longest(self) -> int:
        """Decisions of the firm that has the most."""
        return int(self.sequences.made.sum(axis=1).max())

    def lines(self) -> Iterator[str]:
        """What was read, for a person to check before fitting."""
        counted, read = self.sequences, self.read
        yield from self.first_lines(_DECISIONS)
        yield f"  files     {read.files:,}"
        yield f"  rows      {read.rows:,}"
        different = f"{read.sequences:,} different sequences, {len(counted.firms):,} cells"
        yield f"  firms     {read.firms:,}, {different}"
        yield f"  ties      {read.ties:,} decisions with the date of an earlier one of their firm"
        aside = f"{read.bad:,} rows that cannot be read, and {read.fellows:,} of their firms"
        yield f"  set aside {aside}"
        yield from lookalike_lines(read.alike, " " * 12)
        yield one_line(f"  outcome   {self.event}: {self.flag_label}, or not")
        yield f"  longest   {self.longest:,} decisions of one firm"
        for code, size in enumerate(self.size_labels):
            firms = int(counted.firms[counted.size == code].sum())
            here = counted.at_size == code
            if firms:
                made, flagged = (own[here].sum() for own in (counted.at_made, counted.at_flagged))
                said = f"{firms:,} firms, {made:,} decisions, {flagged:,} of them {self.flag_label}"
                yield one_line(f"  {size:<9} {said}")
        for code, period in enumerate(self.periods if len(self.periods) > 1 else ()):
            made = int(counted.at_made[counted.at_period == code].sum())
            yield one_line(f"  period    {period}: {made:,} decisions")
        yield from self.prior_lines()


def study_of_sequences(
    register: DecisionRegister, sequences: Sequences, read: ReadDecisions
) -> SequenceStudy:
    """The study of a register of decisions whose rows are counted."""
    if read.firms < decay.FEWEST_FIRMS:
        said = f"only {read.firms} firms have decisions that can be read; expected at least "
        raise StudyError(f"{said}{decay.FEWEST_FIRMS}", file=register.files)
    periods = register.periods
    sizes = tuple(register.size_labels[i] for i in np.unique(sequences.size))
    decay.require_sizes(sizes, register.size_labels, "[register]", register.files)
    return SequenceStudy(
        **{f: getattr(register, f) for f in Study.__dataclass_fields__},
        sizes=sizes,
        size_labels=register.size_labels,
        periods=periods,
        period_weights=(1 / len(periods),) * len(periods),
        counts=(),
        event=register.outcome.event,
        flag_label=register.outcome.flag,
        sequences=sequences,
        read=read,
        files=register.files,
    )
