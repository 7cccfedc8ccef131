"""Studies of the decay model whose decisions are too many to be read one by one.

A :class:`DecisionRegister` says where the rows are, one a decision, and what their columns mean.
Firms with the same sequence of decisions have the same likelihood, and more is alike: given the
firm's effect, the log odds of a decision depend on its place k in the sequence, so that of the
flags y of a firm only their number and the sum of y b(k) enter, whatever b is. Once the rows are
counted (:mod:`intlmodels.register`), a :class:`SequenceStudy` has how many firms there are by
size, number of decisions (by period) and of flags, and how many decisions and flags there are at
each place: all that the likelihood of any shape of the decay depends on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import StudyError, listed, one_line
from intlmodels.study.base import Reader, RowFiles, Study, prior_lines, row_files
from intlmodels.study.columns import Integers, lookalike_lines
from intlmodels.study.counts import FLAGS, SIZES
from intlmodels.study.dates import expected, form_of
from intlmodels.study.decay import FEWEST_FIRMS, DecayStudy, period_names, period_starts
from intlmodels.study.keys import wrong
from intlmodels.study.schema import StudyFile
from intlmodels.study.sources import Cell


@dataclass(frozen=True, eq=False)
class DecisionRegister(RowFiles):
    """A register of decisions as study.toml describes it; none of its rows is read yet.

    Attributes
    ----------
    asked : dict of str to str
        Column of ``firm``, ``flag``, ``when``, and if told ``size`` and ``period``.
    by_number : bool
        Whether ``when`` has numbers that order, rather than dates.
    periods : tuple of str
        Names in order of time; one where the study tells none.
    starts : tuple of int
        First years of the second, third ... period; empty if a column has the periods.
    event, flag_label : str
        As of :class:`intlmodels.study.DecayStudy`.
    """

    asked: dict[str, str]
    by_number: bool
    periods: tuple[str, ...]
    starts: tuple[int, ...]
    event: str
    flag_label: str

    @property
    def columns(self) -> dict[str, str]:
        """Column of each part of a decision."""
        return self.asked

    @property
    def labels(self) -> frozenset[str]:
        """Keys of columns that hold labels: all but dates."""
        return frozenset(self.asked) - {"when"}

    def readers(self) -> dict[str, Reader]:
        """How a cell of each of :attr:`columns` is read."""
        readers: dict[str, Reader] = {
            "firm": _firm,
            "flag": lambda cell: cell.word(FLAGS),
            "when": self._when,
            "size": lambda cell: cell.word(SIZES),
            "period": lambda cell: _period(cell, self.periods),
        }
        return {key: readers[key] for key in self.asked}

    def _when(self, cell: Cell) -> str:
        text = cell.text.strip()
        if not form_of(text, self.by_number):
            raise cell.error(expected("[register]", self.by_number))
        return text


def _firm(cell: Cell) -> str:
    if cell.missing:
        raise cell.error("expected the name of a firm")
    return clean_label(cell.text)


def _period(cell: Cell, periods: tuple[str, ...]) -> str:
    name = clean_label(cell.text)
    if name not in periods:
        raise cell.error(f"expected a period, one of {listed(periods)}")
    return name


def read_decision_register(folder: Path, toml: StudyFile) -> DecisionRegister:
    """Check what study.toml says of a register of decisions.

    Raises
    ------
    StudyError
        For the first thing that is wrong, in one line.
    """
    spec = toml.register
    parts: tuple[str, ...] = ("firm", "flag", "when", "size", "period")
    asked = {key: clean_label(spec[key]) for key in parts if key in spec}
    seen: dict[str, str] = {}
    for key, column in asked.items():
        if column in seen:
            raise wrong(
                f"expected another column than that of {seen[column]}", f"[register] {key}", column
            )
        seen[column] = key
    periods = period_names(toml.periods.get("names", ("all",)), "[periods] names")
    starts = period_starts(toml.periods.get("starts", ()), periods)
    if len(periods) > 1 and bool(starts) == ("period" in asked):
        raise wrong(
            "expected either a column with the period of each decision in [register] period, or "
            "the first years of the periods in [periods] starts",
            "[periods]",
        )
    if "period" in asked and not toml.periods:
        raise wrong("expected names of the periods in [periods]", "[register] period")
    return DecisionRegister(
        **row_files(folder, toml, "sequences", "firm"),
        asked=asked,
        by_number=spec.get("order") == "number",
        periods=periods,
        starts=tuple(starts),
        event=clean_label(toml.outcome.get("event", "decision")),
        flag_label=clean_label(toml.outcome.get("flag", "flagged")),
    )


# -- once the rows are counted -----------------------------------------------------------


@dataclass(frozen=True)
class ReadDecisions:
    """What was read of a register of decisions.

    Attributes
    ----------
    files, rows : int
        Files, and all of their rows.
    firms : int
        Firms in the fit.
    sequences : int
        Different sequences of decisions among them, by size and period.
    ties : int
        Decisions with the date of an earlier one of their firm; they keep the order of the rows.
    bad : int
        Rows that cannot be read, which were set aside.
    broken : int
        Of these, rows that do not tell whose they are.
    fellows : int
        Rows that were set aside since another row of their firm cannot be read, or since its
        rows contradict each other.
    firms_aside : int
        Firms whose rows were set aside.
    alike : tuple of str
        Names of firms that look like others, if there are letters beyond ASCII in one of them.
    """

    files: int
    rows: int
    firms: int
    sequences: int
    ties: int
    bad: int
    broken: int
    fellows: int
    firms_aside: int
    alike: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Sequences:
    """How many firms there are of each kind, and how many decisions at each place.

    Attributes
    ----------
    size : array of int, shape (cell,)
        Position in :data:`intlmodels.study.counts.SIZES` of the firms' size.
    made : array of int, shape (cell, period)
        Decisions of each of these firms in each period.
    flagged : array of int, shape (cell,)
        How many of them carry the flag.
    firms : array of int, shape (cell,)
        How many firms there are of this kind.
    at_size, at_period, at_entries : array of int, shape (place,)
        Size of the firm, period, and prior entries of decisions.
    at_made, at_flagged : array of int, shape (place,)
        How many such decisions there are, and how many of them carry the flag.
    """

    size: Integers
    made: Integers
    flagged: Integers
    firms: Integers
    at_size: Integers
    at_period: Integers
    at_entries: Integers
    at_made: Integers
    at_flagged: Integers


@dataclass(frozen=True, eq=False)
class SequenceStudy(DecayStudy):
    """A register of decisions whose rows are counted: ``firms`` are not listed, ``sizes`` occur.

    Attributes
    ----------
    sequences : Sequences
    read : ReadDecisions
    files : str
        Where the rows were.
    """

    sequences: Sequences = field(kw_only=True)
    read: ReadDecisions = field(kw_only=True)
    files: str = field(kw_only=True)

    @property
    def total(self) -> int:
        """Number of decisions."""
        return int(self.sequences.at_made.sum())

    @property
    def longest(self) -> int:
        """Decisions of the firm that has the most."""
        return int(self.sequences.made.sum(axis=1).max())


def study_of_sequences(
    register: DecisionRegister, sequences: Sequences, read: ReadDecisions
) -> SequenceStudy:
    """The study of a register of decisions whose rows are counted.

    Raises
    ------
    StudyError
        If there are too few firms.
    """
    if read.firms < FEWEST_FIRMS:
        raise StudyError(
            f"only {read.firms} firms have decisions that can be read; expected at least "
            f"{FEWEST_FIRMS}",
            file=register.files,
        )
    periods = register.periods
    return SequenceStudy(
        **{f: getattr(register, f) for f in Study.__dataclass_fields__},
        sizes=tuple(SIZES[i] for i in np.unique(sequences.size)),
        periods=periods,
        period_weights=(1 / len(periods),) * len(periods),
        counts=(),
        event=register.event,
        flag_label=register.flag_label,
        sequences=sequences,
        read=read,
        files=register.files,
    )


def sequence_lines(study: SequenceStudy) -> Iterator[str]:
    """What was read, for a person to check before fitting."""
    counted, read = study.sequences, study.read
    yield one_line(f"{study.name}: {study.title}")
    yield one_line(f"  folder    {study.folder}")
    yield "  model     decay, from a register of decisions"
    yield from read_decision_lines(read, len(counted.firms))
    yield from lookalike_lines(read.alike, " " * 12)
    yield one_line(f"  outcome   {study.event}: {study.flag_label}, or not")
    yield f"  longest   {study.longest:,} decisions of one firm"
    for code, size in enumerate(SIZES):
        firms = int(counted.firms[counted.size == code].sum())
        here = counted.at_size == code
        if firms:
            made, flagged = int(counted.at_made[here].sum()), int(counted.at_flagged[here].sum())
            yield one_line(
                f"  {size:<9} {firms:,} firms, {made:,} decisions, {flagged:,} of them "
                f"{study.flag_label}"
            )
    for code, period in enumerate(study.periods):
        made = int(counted.at_made[counted.at_period == code].sum())
        if len(study.periods) > 1:
            yield one_line(f"  period    {period}: {made:,} decisions")
    yield from prior_lines(study)


def read_decision_lines(read: ReadDecisions, cells: int) -> Iterator[str]:
    """Rows, firms, and rows that are not in the counts."""
    yield f"  files     {read.files:,}"
    yield f"  rows      {read.rows:,}"
    yield f"  firms     {read.firms:,}, {read.sequences:,} different sequences, {cells:,} cells"
    yield f"  ties      {read.ties:,} decisions with the date of an earlier one of their firm"
    yield f"  set aside {read.bad:,} rows that cannot be read, and {read.fellows:,} of their firms"


def declared_decision_lines(register: DecisionRegister) -> Iterator[str]:
    """What study.toml says of a register of decisions, before anything is read."""
    yield one_line(f"{register.name}: {register.title}")
    yield one_line(f"  folder    {register.folder}")
    yield "  model     decay, from a register of decisions"
    yield one_line(f"  files     {register.files}")
    told = (f"{key} in {column}" for key, column in register.asked.items())
    yield one_line(f"  columns   {', '.join(told)}")
    if len(register.periods) > 1:
        years = f", the later ones from {listed(map(str, register.starts))}" * bool(register.starts)
        yield one_line(f"  periods   {', '.join(register.periods)}{years}")
    yield f"  bad rows  {register.bad_rows}"
    yield f"  memory    at most {register.memory_limit} for the reading"
