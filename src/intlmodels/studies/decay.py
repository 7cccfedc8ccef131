"""Studies of the decay model: decisions of firms that may carry a flag, known or only counted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from intlmodels.core.csvtable import Files, clean_label
from intlmodels.core.errors import StudyError, listed, one_line, read_each
from intlmodels.studies.attributes import Attribute, read_attributes
from intlmodels.studies.base import Study, common
from intlmodels.studies.claims import read_ledger, shortened
from intlmodels.studies.columns import grouping_lines
from intlmodels.studies.counts import (
    FLAGS,
    SIZES,
    Count,
    CountFile,
    Subjects,
    require_other_ids,
    require_total,
    unused_columns,
)
from intlmodels.studies.decisions import Decisions, read_decisions
from intlmodels.studies.fitrules import RULES
from intlmodels.studies.orders import Order, order_line, read_orders
from intlmodels.studies.schema import (
    FILE,
    MARK,
    CountsTable,
    DecayFile,
    MissedTable,
    MoreCountsTable,
    OwnersTable,
    PeriodsTable,
    ReadingTable,
    SizesTable,
    period_weights,
    require_name,
    wrong,
)
from intlmodels.studies.sources import Sources, in_column, split_place

if TYPE_CHECKING:
    import pandas as pd


#: Fewest firms that a study may have: the spread of firms is a parameter.
FEWEST_FIRMS = 2


@dataclass(frozen=True)
class Reading:
    """The counts of a study, or the sizes of its firms, read in another way."""

    #: Name of the variant.
    name: str
    #: What is read otherwise, in words.
    change: str
    periods: tuple[str, ...]
    period_weights: tuple[float, ...]
    counts: tuple[Count, ...]
    #: Why it is read so.
    note: str = ""
    #: Of each firm, where these are what is read otherwise; else empty.
    sizes: tuple[str, ...] = ()
    #: Of each firm, from which period on (its position) it has another owner; the number of
    #: periods if never. Empty where ownership is not looked at.
    owned_since: tuple[int, ...] = ()
    #: Interviews with each firm, where decisions may have been missed; else empty.
    interviews: tuple[int, ...] = ()
    #: What a variant sets beside experience, in words; else empty.
    rival: str = ""
    orders: tuple[Order, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class DecayStudy(Study):
    """A validated study of the decay model."""

    #: One of ``size_labels`` for each firm.
    sizes: tuple[str, ...]
    #: Names in order of time.
    periods: tuple[str, ...]
    #: Prior chance of a decision's period; they sum to 1.
    period_weights: tuple[float, ...]
    #: What was published; empty if only decisions are known.
    counts: tuple[Count, ...]
    #: A count that may be off contributes ``rho ** abs(printed - true)``.
    rho: float = 0.05
    #: Of the Polya urn that shares decisions out to firms, per firm.
    concentration: float = 1.0
    #: All decisions, if they are known.
    decisions: Decisions | None = None
    #: Variants of the study's own.
    readings: dict[str, Reading] = field(default_factory=dict)
    #: Further counts of the same decisions, which enter no fit.
    attributes: dict[str, Attribute] = field(default_factory=dict)
    #: What is counted, such as ``decision``.
    event: str = "decision"
    #: What the flag says of it, such as ``motivated by the cluster``.
    flag_label: str = "flagged"
    #: Labels of the sizes, the largest one first.
    size_labels: tuple[str, ...] = SIZES
    #: Columns of files of counts that mean nothing to the model: (file, column).
    unused: tuple[tuple[str, str], ...] = ()
    #: What was published of the order of a firm's decisions.
    orders: tuple[Order, ...] = ()

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Firms by size, where there is more than one size; else empty."""
        found = {
            size: tuple(f for f, own in zip(self.firms, self.sizes, strict=True) if own == size)
            for size in self.size_labels
            if size in self.sizes
        }
        return found if len(found) > 1 else {}

    @property
    def total(self) -> int:
        """Number of decisions: as published, else as listed."""
        subjects = Subjects(self.firms, self.sizes, self.periods, self.size_labels)
        for count in self.counts:
            if subjects.is_total(count):
                return count.value
        return len(self.decisions.firm) if self.decisions is not None else 0

    def frame(self) -> pd.DataFrame:
        """What was printed, as read, for notebooks.

        Returns
        -------
        pandas.DataFrame
            One row a count; or one row a decision where there are no counts.
        """
        import pandas as pd

        if self.counts or self.decisions is None:
            rows = [
                {
                    "quantity": count.text,
                    "firms": f"{MARK} ".join(count.firms),
                    "periods": f"{MARK} ".join(count.periods),
                    "flag": f"{MARK} ".join(count.flags),
                    "relation": count.relation,
                    "each": count.each,
                    "value": count.value,
                    "hard": count.hard,
                    "where": count.where,
                }
                for count in self.counts
            ]
            return pd.DataFrame(rows, index=pd.Index([c.id for c in self.counts], name="id"))
        known = self.decisions
        return pd.DataFrame(
            {
                "firm": known.firm,
                "period": known.period,
                "when": known.when,
                "prior_entries": known.entries,
                "flag": [FLAGS[flag] for flag in known.flag],
            }
        )

    def lines(self) -> Iterator[str]:
        """What was read, for a person to check before fitting."""
        yield from self.first_lines()
        *larger, smallest = self.groups.items() or [("", self.firms)]
        sizes = [f"{len(firms)} {size} ({shortened(firms)})" for size, firms in larger]
        sizes.append(f"{len(smallest[1])} {smallest[0]}")
        said = ", ".join(sizes) if larger else f"all {len(self.firms)} of one size"
        yield one_line(f"  sizes     {said}")
        yield one_line(f"  outcome   {self.event}: {self.flag_label}, or not")
        weights = zip(self.periods, self.period_weights, strict=True)
        chances = ", ".join(f"{name} ({weight:.3g})" for name, weight in weights)
        yield one_line(f"  periods   {chances}; in brackets their prior probabilities")
        if self.counts:
            hard = sum(count.hard for count in self.counts)
            yield (
                f"counts: {len(self.counts)}, {self.total} in all; {hard} hold exactly, "
                f"{len(self.counts) - hard} may be off (a factor of {self.rho:g} per unit)"
            )
            for count in self.counts:
                yield one_line(f"  {_count_line(count, self)}")
            for order in self.orders:
                yield one_line(f"  {order_line(order, self.periods)}")
        yield from _decision_lines(self)
        yield f"variants of this study's own: {len(self.readings) or 'none'}"
        for reading in self.readings.values():
            yield from _reading_lines(reading, self)
        if self.attributes:
            yield f"attributes(not used in fits): {len(self.attributes)}"
        for attribute in self.attributes.values():
            yield from attribute.lines()
        yield from self.claim_lines()
        if self.unused:
            names = listed(f"{file}, {column}" for file, column in self.unused)
            yield one_line(f"columns without a meaning to the model: {names}")
        yield from self.normalization_lines()
        yield from self.prior_lines()


# -- reading it --------------------------------------------------------------------------


def read_decay_study(files: Files, toml: DecayFile) -> DecayStudy:
    """Read and check a study; :mod:`intlmodels.audit` asks whether the counts hold together."""
    if not toml.counts and not toml.decisions:
        raise StudyError(
            "neither [counts] nor [decisions]; expected a table that names a CSV file of published "
            "counts, or one of decisions, or both",
            file=FILE,
        )
    if not toml.periods and (toml.counts or (toml.decisions and toml.decisions.period)):
        raise StudyError(
            "the table [periods] is missing; expected it, with names in order of time (names = "
            '["all"] where nothing was counted by period)',
            file=FILE,
        )
    for table in (*toml.predictors.values(), *toml.groupings.values()):
        if toml.counts or not toml.decisions:
            raise wrong(
                "predictors and groups with effects are for studies whose decisions are all known; "
                "expected a table [decisions], and no [counts]",
                table.where,
            )
    spec = toml.firms
    where = "its decisions go into the table that [decisions] names"
    sources = Sources(files, spec.file, spec.column, {}, repeated=where)
    if len(sources.firms) < FEWEST_FIRMS:
        said = f"only {len(sources.firms)} firm; expected at least {FEWEST_FIRMS}"
        raise StudyError(said, file=sources.file)
    labels = spec.sizes[::-1] or SIZES
    sizes: tuple[str, ...] = labels[1:] * len(sources.firms)
    if spec.size:
        cells = sources.cells(sources.file, spec.size, "[firms] size")
        own = "" if spec.sizes else "; list other labels in sizes under [firms], the smallest first"
        sizes = tuple(
            read_each(lambda cell: sources.note(cell, cell.word(spec.sizes or SIZES, own)), cells)
        )
        require_sizes(sizes, spec.sizes, "[firms]", f"{sources.file}, column '{spec.size}'")
    periods = toml.periods or PeriodsTable(names=("all",))
    weights = period_weights(periods.weights, periods.names, "[periods]")
    subjects = Subjects(sources.firms, sizes, periods.names, labels)
    counts, orders, readings, unused = _counts(toml, sources, subjects, weights)
    attributes, more = read_attributes(toml.attributes, sources, subjects, counts)
    if toml.outcome.yes and not toml.decisions:
        said = "expected a table [decisions], whose cells these labels are of; leave yes and no out"
        raise wrong(said, "[outcome] yes")
    decisions = None
    if toml.decisions:
        decisions = read_decisions(toml, toml.decisions, sources, periods)
    published = toml.counts or CountsTable(file="")
    return DecayStudy(
        **common(files, toml, "decay", sources),
        sizes=sizes,
        periods=periods.names,
        period_weights=weights,
        counts=counts,
        rho=float(published.rho),
        concentration=float(published.concentration),
        decisions=decisions,
        readings=readings,
        attributes=attributes,
        event=toml.outcome.event,
        flag_label=toml.outcome.flag,
        size_labels=labels,
        unused=tuple(dict.fromkeys((*unused, *more))),
        orders=orders,
        **read_ledger(RULES, toml, sources, counts, subjects, attributes),
    )


def require_sizes(sizes: Collection[str], labels: Collection[str], table: str, column: str) -> None:
    """Refuse labels of the user's own, or of more than two sizes, that no firm has."""
    absent = [label for label in labels if label not in sizes]
    if not absent or labels == SIZES:
        return
    one = len(labels) - len(absent) < 2
    mend = "all firms are of one size: leave out size and sizes" if one else "leave it out"
    said = f"no firm has this size in {column}; expected sizes that occur: {mend}"
    raise wrong(said, f"{table} sizes", absent[0])


def _counts(
    toml: DecayFile, sources: Sources, subjects: Subjects, weights: tuple[float, ...]
) -> tuple[tuple[Count, ...], tuple[Order, ...], dict[str, Reading], list[tuple[str, str]]]:
    """Counts, orders, variants of the study's own, and columns without a meaning."""
    if not toml.counts:
        found = {}
        for name, own in toml.variants.items():
            if not isinstance(own, SizesTable | OwnersTable):
                said = "a variant of this kind reads counts; expected a table [counts]"
                raise wrong(said, f"[variants.{name}]")
            found[name] = _of_firms(name, own, sources, subjects, weights, (), ())
        return (), (), found, []
    for firm in subjects.firms:
        if MARK in firm:
            said = f"expected names without {MARK!r}, which separates names in counts: rename it"
            raise in_column(said, sources.file, sources.column, firm)
    file = CountFile(toml.counts.file, sources, subjects)
    columns = [spec.column for spec in toml.variants.values() if isinstance(spec, ReadingTable)]
    unused = [(file.file, column) for column in unused_columns(file.table, columns)]
    counts = file.counts()
    total = require_total(file, counts).value
    orders = read_orders(toml.counts.orders, "counts.orders", subjects, subjects.periods, total)
    readings: dict[str, Reading] = {}
    for name, spec in toml.variants.items():
        further = f"{spec.where[1:-1]}.orders"
        if isinstance(spec, ReadingTable):
            other = spec.periods
            reread = read_orders(spec.orders, further, subjects, other, total)
            if orders and not reread and other != subjects.periods:
                said = "the study has orders within firms; expected them over these periods, below "
                raise wrong(f"{said}lines [[{further}]]", spec.where)
            readings[name] = Reading(
                name,
                f"counts over other periods: {' / '.join(other)}",
                other,
                period_weights(spec.weights, other, spec.where),
                file.reread(counts, spec.column, other, f"{spec.where} column"),
                spec.note,
                orders=reread or orders,
            )
            continue
        if not isinstance(spec, MoreCountsTable):
            readings[name] = _of_firms(name, spec, sources, subjects, weights, counts, orders)
            continue
        more = CountFile(spec.file, sources, subjects)
        unused += [(more.file, column) for column in unused_columns(more.table, columns)]
        added = more.counts()
        require_other_ids(added, {count.id: count for count in counts})
        told = read_orders(spec.orders, further, subjects, subjects.periods, total, orders)
        change = f"{len(added)} more counts ({more.file})"
        if told:
            change += f", {len(told)} order{'s' * (len(told) > 1)} within firms"
        about = subjects.periods, weights, counts + added, spec.note
        readings[name] = Reading(name, change, *about, orders=orders + told)
    return counts, orders, readings, unused


def _of_firms(
    name: str,
    spec: SizesTable | OwnersTable | MissedTable,
    sources: Sources,
    subjects: Subjects,
    weights: tuple[float, ...],
    counts: tuple[Count, ...],
    orders: tuple[Order, ...],
) -> Reading:
    """A variant that says something else of the firms, with the study's own counts."""
    same = Reading(name, "", subjects.periods, weights, counts, spec.note, orders=orders)
    if isinstance(spec, SizesTable):
        return _other_sizes(same, spec, subjects)
    if isinstance(spec, OwnersTable):
        return _owners(same, spec, subjects)
    change = "decisions may have been missed, fewer of firms with more interviews, and are "
    change += f"experience ({spec.column})"
    interviews = _interviews(spec, sources)
    return replace(same, change=change, interviews=interviews, rival="missed decisions")


def _by_firm(
    spec: SizesTable | OwnersTable, group: str, key: str, names: Collection[str], subjects: Subjects
) -> dict[str, str]:
    """Firm -> what its table ``[[variants.NAME.group]]`` has as ``key``, one of ``names``."""
    found: dict[str, str] = {}
    what = "size" if key == "size" else "period"
    for number, (name, firms) in enumerate(getattr(spec, group).items(), start=1):
        here = f"[{spec.where[:-1]}.{group}]] number {number},"
        require_name(name, names, f"{here} {key}", what)
        for firm in firms:
            require_name(firm, subjects.firms, f"{here} firms", "firm", 30)
            if firm in found:
                said = f"it is {found[firm]} already; expected every firm once"
                raise wrong(said, f"{here} firms", firm)
            found[firm] = name
    return found


def _owners(same: Reading, spec: OwnersTable, subjects: Subjects) -> Reading:
    """Firms with another owner from some period on."""
    periods = subjects.periods
    since = _by_firm(spec, "owned", "since", periods, subjects)
    places = tuple(
        periods.index(since[firm]) if firm in since else len(periods) for firm in subjects.firms
    )
    words = (f"{listed(firms)} from {period} on" for period, firms in spec.owned.items())
    change = f"adds an effect of {spec.label}: {'; '.join(words)}"
    return replace(same, change=change, owned_since=places, rival=spec.label)


def _interviews(spec: MissedTable, sources: Sources) -> tuple[int, ...]:
    """Interviews with each firm; rows of others than firms of the study are of no concern."""
    where = f"{spec.where} column"
    file, column = split_place(spec.column, where)
    named = sources.column_cells(file, sources.key(file), "[firms] column")
    names = [clean_label(cell.text) for cell in named]
    cells = dict(zip(names, sources.column_cells(file, column, where), strict=True))
    numbers = []
    for firm, unit in zip(sources.firms, sources.units, strict=True):
        if unit not in cells:
            raise wrong(f"expected a row for every firm, but {file} has none for this", where, firm)
        number = cells[unit].number()
        if number < 1 or number != int(number):
            raise cells[unit].error(
                "expected the number of interviews with the firm, a whole number of at least 1: "
                "without any none of its decisions would be known"
            )
        numbers.append(int(number))
    return tuple(numbers)


def _other_sizes(same: Reading, spec: SizesTable, subjects: Subjects) -> Reading:
    """Firms of other sizes; those of one size that is left out are all the others."""
    sizes = _by_firm(spec, "sizes", "size", subjects.size_labels, subjects)
    left = [size for size in subjects.size_labels if size not in spec.sizes]
    rest = [firm for firm in subjects.firms if firm not in sizes]
    mend = "expected firms of every size; those of one that is left out are all the others"
    if len(left) > 1 or (left and not rest):
        raise wrong(f"no firm of the size {listed(left)}; {mend}", f"{spec.where} sizes")
    if rest and not left:
        raise wrong(f"{listed(rest, 12)} without a size; {mend}", f"{spec.where} sizes")
    own = tuple(sizes.get(firm, left[0] if left else "") for firm in subjects.firms)
    if own == subjects.sizes:
        raise wrong("the sizes of the study itself; expected others", f"{spec.where} sizes")
    words = (f"{size} {listed(firms)}" for size, firms in spec.sizes.items())
    change = f"firms of other sizes: {'; '.join(words)}"
    return replace(same, change=change, sizes=own)


# -- describing it ----------------------------------------------------------------------


def _count_line(count: Count, study: DecayStudy, periods: tuple[str, ...] = ()) -> str:
    signs = {"equal": "=", "at least": ">=", "at most": "<="}
    status = "hard " if count.hard else "noisy"
    firms = "all firms" if count.firms == study.firms else ", ".join(count.firms)
    every = count.periods == (periods or study.periods)
    when = "all periods" if every else ", ".join(count.periods)
    flag = "any" if count.flags == FLAGS else f"flag {count.flags[0]}"
    each = "each of " if count.each else ""
    size = f"{signs[count.relation]:>2} {count.value:>3}"
    longest = min(20, max(len(count.id) for count in study.counts))
    return f"{count.id:<{longest}} {size}  {status}  {flag:<8}  {each}{firms}; {when}"


def _reading_lines(reading: Reading, study: DecayStudy) -> Iterator[str]:
    yield one_line(f"  {reading.name}: {reading.change}")
    before = {count.id: count for count in study.counts}
    for count in reading.counts:
        other = before.get(count.id)
        # Which periods make up "all" is told above; what else differs is worth a look.
        every = count.periods == reading.periods
        same = (count.periods, study.periods) if every else (count.periods,)
        if other is None or other.periods not in same:
            yield one_line(f"    {_count_line(count, study, reading.periods)}")
    for order in reading.orders:
        if order not in study.orders:
            yield one_line(f"    {order_line(order, reading.periods)}")


def _decision_lines(study: DecayStudy) -> Iterator[str]:
    known = study.decisions
    if known is None:
        return
    flagged = int(known.flag.sum())
    yield one_line(f"decisions: {len(known.firm)}, {flagged} of them {study.flag_label}")
    if any(known.when):
        kept = "; they keep the order of the rows" if known.ties else ""
        yield f"  ties in time: {known.ties or 'none'}{kept}"
    elif known.by_period:
        yield "  without dates: in the order of the periods, and within one in that of the rows"
    else:
        yield "  without dates: in the order of the rows"
    for predictor in known.predictors.values():
        if predictor.kind == "numeric":
            said = f"mean {predictor.center:.4g}, sd {predictor.scale:.4g}"
        else:
            said = listed(predictor.levels)
        yield one_line(f"  {predictor.name}: {predictor.kind}, {predictor.label}; {said}")
    for grouping in known.groupings.values():
        yield from grouping_lines(grouping)
    table = known.table(study.firms, study.periods)
    for firm, cells in zip(study.firms, table, strict=True):
        no, yes = cells.sum(axis=0)
        yield one_line(f"  {firm}: {no + yes}, {yes} of them {study.flag_label}")
