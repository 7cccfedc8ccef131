"""The audit of published counts.

Can all of them be true together? If not: every minimal subset that cannot, every maximal subset
that can, and the cheapest repairs. In any case: what they imply for what was not published.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from intlmodels.audit.attributes import AttributeAudit, AttributeCell, audit_attribute
from intlmodels.audit.conflicting import Subsets, reason, smallest_conflict, subsets
from intlmodels.audit.consequences import (
    ALL,
    Bound,
    Cell,
    Repair,
    bounds,
    cheapest,
    standard_cells,
    suspects,
)
from intlmodels.audit.integers import TooLongError
from intlmodels.audit.system import hard, revised
from intlmodels.core.errors import StudyError
from intlmodels.core.formats import capital, counted, listed
from intlmodels.studies import DecayStudy, Study
from intlmodels.studies.counts import Count, Rows, rows

if TYPE_CHECKING:
    import pandas as pd

#: Bounds are given for each cheapest repair if there are no more than this.
MOST_BOUNDED = 12

#: What bounds rest on.
AS_PRINTED = "counts as printed"
CHEAPEST = "cheapest repairs"
CHEAPEST_HARD_KEPT = "cheapest repairs, hard counts kept"
HARD = "hard counts"


@dataclass(frozen=True, eq=False)
class Basis:
    """Bounds of the standard cells, and what they rest on."""

    name: str  # One of the names above, or ``repair`` and its number
    #: Least and largest value, in the order of the cells; None where there is no limit
    bounds: tuple[Bound, ...]


@dataclass(frozen=True, eq=False)
class Audit:
    """What a list of published counts says together."""

    rows: Rows
    subsets: Subsets  # Minimal conflicts and maximal consistent subsets
    repairs: tuple[Repair, ...]  # The cheapest, whatever count is changed
    repairs_hard_kept: tuple[Repair, ...]  # The cheapest that change no hard count
    cells: tuple[Cell, ...]  # Unpublished numbers, and published ones among them
    bases: tuple[Basis, ...]  # Their bounds as printed or repaired, then under hard counts alone
    cut: tuple[str, ...]  # What is not complete, because the search would have taken too long

    @property
    def consistent(self) -> bool:
        """Whether all counts can be true as printed."""
        return self.subsets.consistent

    @property
    def conflicts(self) -> tuple[tuple[str, ...], ...]:
        """Minimal conflicts, smallest first."""
        return self.subsets.conflicts

    @property
    def complete(self) -> bool:
        """Whether nothing was cut short."""
        return not self.cut

    @property
    def all_repairs(self) -> tuple[Repair, ...]:
        """Both kinds, each repair once: their places, from 1, are their numbers."""
        known = [repair.changes for repair in self.repairs]
        dearer = (repair for repair in self.repairs_hard_kept if repair.changes not in known)
        return (*self.repairs, *dearer)


def audit(r: Rows, groups: Mapping[str, tuple[str, ...]] | None = None) -> Audit:
    """Audit published counts."""
    found = subsets(r)
    cut = [] if found.complete else ["conflicts"]
    lowest, complete = cheapest(r, keep_hard=False)
    kept = tuple(repair for repair in lowest if not repair.touches_hard)
    if not kept or not complete:
        kept, all_kept = cheapest(r, keep_hard=True)
        complete = complete and all_kept
    cut += [] if complete else ["repairs"]
    cells = standard_cells(r, groups or {})
    bare = Audit(r, found, lowest, kept, cells, (), ())
    bases: list[Basis] = []
    try:
        bases += _bases(bare)
    except TooLongError:
        cut.append("bounds")
    return replace(bare, bases=tuple(bases), cut=tuple(cut))


def _bases(found: Audit) -> Iterator[Basis]:
    r = found.rows
    weights = np.stack([cell.weights for cell in found.cells])
    if found.consistent:
        yield Basis(AS_PRINTED, bounds(r, weights))
    elif found.repairs:
        yield Basis(CHEAPEST, bounds(r, weights, found.repairs[0].cost))
        if found.repairs_hard_kept and any(repair.touches_hard for repair in found.repairs):
            cost = found.repairs_hard_kept[0].cost
            yield Basis(CHEAPEST_HARD_KEPT, bounds(r, weights, cost, keep_hard=True))
        if len(found.all_repairs) <= MOST_BOUNDED:
            for number, repair in enumerate(found.all_repairs, start=1):
                yield Basis(f"repair {number}", bounds(revised(r, repair.changes), weights))
    alone = hard(r)
    # If they contradict each other, there is no table, and there are no bounds.
    if alone.counts and smallest_conflict(alone) is None:
        yield Basis(HARD, bounds(alone, weights))


# -- whether a study can be fitted -------------------------------------------------------


def require_consistent_counts(study: Study) -> None:
    """Refuse a study whose hard counts cannot hold together, in any of its readings."""
    if not isinstance(study, DecayStudy) or not study.counts:
        return
    _require_together(rows(study.counts, study.firms, study.periods), "")
    for reading in study.readings.values():
        own = rows(reading.counts, study.firms, reading.periods)
        _require_together(own, f", in the variant {reading.name!r}")
    for attribute in study.attributes.values():
        _require_together(attribute.rows(study.counts, study.firms, study.periods), "")
    _require_agreement(study)


def _require_together(r: Rows, where: str) -> None:
    alone = hard(r)
    conflict = smallest_conflict(alone)
    if conflict is None:
        return
    by_id = {count.id: count for count in alone.counts}
    named = [by_id[name] for name in conflict]
    files = {count.file for count in named}
    told = [
        f"{count.id} ({f'{count.file}, ' * (len(files) > 1)}row {count.row}): {_value(count)}"
        for count in named
    ]
    raise StudyError(
        f"hard counts that cannot all be true{where}: {', '.join(told)}; expected hard counts to "
        "agree: fix one, or make one noisy",
        file=named[0].file if len(files) == 1 else None,
    )


def _require_agreement(study: DecayStudy) -> None:
    """Refuse hard counts that the decisions themselves do not give."""
    if study.decisions is None:
        return
    system = hard(rows(study.counts, study.firms, study.periods))
    true = system.true(study.decisions.table(study.firms, study.periods))
    for row in np.flatnonzero(system.deviation(true)):
        count = system.counts[system.count[row]]
        said = f"{count.id} is hard, but [decisions] gives {true[row]}; expected the two to agree: "
        raise count.error("value", count.value, f"{said}fix one, or make the count noisy")


def _value(count: Count) -> str:
    relation = "" if count.relation == "equal" else f"{count.relation} "
    return f"{relation}{count.value}{' each' * count.each}"


# -- an audit as tables and in words ---------------------------------------------------

#: Contradictions that the text for a terminal lists.
MOST_SHOWN = 20


def audit_tables(found: Audit) -> dict[str, pd.DataFrame]:
    """File name -> table of everything an audit found."""
    import pandas as pd

    total = len(found.rows.counts)
    best = set(found.subsets.largest)
    conflicts = [(n, len(ids), "; ".join(ids)) for n, ids in enumerate(found.conflicts, start=1)]
    largest = [
        (n, total - len(out), "; ".join(out), out in best)
        for n, out in enumerate(found.subsets.left_out, start=1)
    ]
    repairs = []
    for n, own in enumerate(found.all_repairs, start=1):
        changes = "; ".join(f"{name} = {value}" for name, value in own.changes.items())
        if changes:
            table = _table_text(found, own.table)
            repairs.append((n, own.cost, changes, own.touches_hard, table))
    columns = ["repair", "cost", "changes", "touches_hard", "table"]
    return {
        "audit_conflicts.csv": pd.DataFrame(conflicts, columns=["conflict", "size", "counts"]),
        "audit_largest.csv": pd.DataFrame(
            largest, columns=["subset", "size", "left_out", "largest"]
        ),
        "audit_repairs.csv": pd.DataFrame(repairs, columns=columns),
        "audit_bounds.csv": bound_table(found),
    }


def bound_table(found: Audit) -> pd.DataFrame:
    """Bounds of every unpublished number under every basis; NaN where there is no limit."""
    import pandas as pd

    columns = ["basis", "kind", "name", "period", "flag", "low", "high"]
    rows = [
        (basis.name, cell.kind, cell.name, cell.period, cell.flag, *_ends(ends))
        for basis in found.bases
        for cell, ends in zip(found.cells, basis.bounds, strict=True)
    ]
    return pd.DataFrame(rows, columns=columns)


def _ends(bound: Bound) -> tuple[float, ...]:
    return tuple(math.nan if end is None else end for end in bound)


def _table_text(found: Audit, table: object) -> str:
    """An example table on one line: firm and period, then decisions without and with the flag."""
    r = found.rows
    cells = np.asarray(table)
    return "; ".join(
        f"{firm} {period} {cells[i, j, 0]}/{cells[i, j, 1]}"
        for i, firm in enumerate(r.firms)
        for j, period in enumerate(r.periods)
        if cells[i, j].any()
    )


# -- in words ----------------------------------------------------------------------------


def count_words(count: Count) -> str:
    """A count as a sentence names it: ``non-cluster decisions in 2008-2013 (M33: 5)``."""
    flag = f"flag {count.flags[0]}, " if len(count.flags) == 1 else ""
    subset = f"{flag}{', '.join(count.firms)}; {', '.join(count.periods)}"
    return f"{count.text or subset} ({count.id}: {_value(count)})"


def common_counts(found: Audit) -> str:
    """What every minimal contradiction contains, ``M33 or both M36 and M37``; empty if nothing.

    These are the counts that the cheapest repairs change.
    """
    either = suspects(found.repairs)
    if len(found.conflicts) < 2 or not all(
        any(set(one) <= set(conflict) for one in either) for conflict in found.conflicts
    ):
        return ""
    return " or ".join(f"both {listed(list(one))}" if len(one) > 1 else one[0] for one in either)


def conflict_sentences(found: Audit | AttributeAudit) -> list[str]:
    """Every minimal contradiction, with the reason where it can be told by adding up."""
    by_id = {count.id: count for count in found.rows.counts}
    sentences = []
    for ids in found.conflicts:
        named = [count_words(by_id[name]) for name in ids]
        text = f"{listed(named)} cannot {'all ' if len(named) > 1 else ''}be true."
        why = reason(found.rows, ids)
        sentences.append(text if why is None else f"{text} {why}")
    return sentences


def repair_text(repair: Repair, r: Rows) -> str:
    """A repair in words: ``M33 from 5 to 6 and M36 from 7 to 6 (total change 2)``."""
    printed = {count.id: count.value for count in r.counts}
    changes = [f"{name} from {printed[name]} to {new}" for name, new in repair.changes.items()]
    hard = ", touches a count declared hard" if repair.touches_hard else ""
    return f"{listed(changes)} (total change {repair.cost}{hard})"


def audit_text(found: Audit) -> str:
    """An audit for a terminal."""
    total = len(found.rows.counts)
    if found.consistent:
        lines = [f"All {total} counts can be true together."]
    else:
        lines = [f"The {total} counts cannot all be true.", ""]
        each = f", each with {common}" if (common := common_counts(found)) else ""
        lines.append(f"{counted(len(found.conflicts), 'minimal contradiction')}{each}:")
        said = conflict_sentences(found)
        lines += [f"  {i}. {text}" for i, text in enumerate(said[:MOST_SHOWN], start=1)]
        if len(said) > MOST_SHOWN:
            lines.append(f"  ... and {len(said) - MOST_SHOWN} more (with --out DIR: all of them)")
        left_out, best = found.subsets.left_out, set(found.subsets.largest)
        lines += ["", f"Largest sets that can all be true: {len(left_out)}, listed by"]
        lines.append("what is left out (* the largest):")
        shown = left_out[:MOST_SHOWN]
        lines += [f"  {'*' if out in best else ' '} without {', '.join(out)}" for out in shown]
        if len(left_out) > MOST_SHOWN:
            lines.append(f"  ... and {len(left_out) - MOST_SHOWN} more")
        lines += ["", "Cheapest repairs (smallest total change to the published numbers):"]
        for i, repair in enumerate(found.all_repairs, start=1):
            lines.append(f"  {i}. {repair_text(repair, found.rows)}")
    lines += ["", *_bound_lines(found)]
    if not found.complete:
        lines += ["", f"NOT COMPLETE, the search was cut short: {listed(list(found.cut))}."]
    return "\n".join(lines)


def _bound_lines(found: Audit) -> Iterator[str]:
    """Bounds of what is not about single firms, under the first basis."""
    if not found.bases:
        return
    basis = found.bases[0]
    yield f"What follows for numbers that were not published ({basis.name}); --out DIR: all firms"
    for cell, (low, high) in zip(found.cells, basis.bounds, strict=True):
        if cell.kind == "firm" or cell.flag == "both":
            continue
        yield f"  {cell.name}, {cell.period}, flag {cell.flag}: {_bound_text(low, high)}"


def _bound_text(low: int | None, high: int | None) -> str:
    if low is None and high is None:
        return "any number"
    return f"{low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"


# -- attributes ----------------------------------------------------------------------------


def audit_attributes(study: DecayStudy, found: Audit) -> list[AttributeAudit]:
    """Audit each attribute of a study, whose own counts were audited."""
    cost = found.all_repairs[0].cost if found.all_repairs else 0
    return [audit_attribute(study, attribute, cost) for attribute in study.attributes.values()]


def attribute_conflicts(found: AttributeAudit) -> list[str]:
    """What the counts of an attribute contradict, and the repairs, a sentence each."""
    said = conflict_sentences(found)[:MOST_SHOWN]
    repairs = [repair_text(repair, found.rows) for repair in found.repairs[:MOST_SHOWN]]
    return [*said, *(f"Cheapest repair of all counts together: {text}." for text in repairs)]


def attribute_text(found: AttributeAudit) -> str:
    """The audit of an attribute for a terminal."""
    label, number = found.attribute.label, len(found.attribute.counts)
    lines = [f"{capital(label)}: {counted(number, 'count')}"]
    if found.added:
        lines[0] += ", not all of which can be true together with the others:"
        lines += [f"  {text}" for text in attribute_conflicts(found)]
    else:
        lines[0] += ", which contradict no other."
    for level in dict.fromkeys(cell.level for cell in found.cells):
        said = [
            f"{_part(cell)}{_bound_text(*bound)}"
            for cell, bound in zip(found.cells, found.bounds, strict=bool(found.bounds))
            if cell.level == level
        ]
        lines += [f"  {level}: {'; '.join(said)}"] if said else []
    if not found.complete:
        lines.append("  NOT COMPLETE, the search was cut short.")
    return "\n".join(lines)


def _part(cell: AttributeCell) -> str:
    if cell.kind == "group":
        return f"{cell.name} "
    if cell.period != ALL:
        return f"{cell.period} "
    return "" if cell.whole else f"flag {cell.flag} "


def attribute_bounds(found: Sequence[AttributeAudit]) -> pd.DataFrame:
    """Bounds of the decisions with each level of attributes; NaN where there is no limit."""
    import pandas as pd

    columns = ["attribute", "level", "kind", "name", "period", "flag", "low", "high"]
    table = [
        (
            one.attribute.name,
            *(cell.level, cell.kind, cell.name, cell.period, cell.flag),
            *_ends(ends),
        )
        for one in found
        for cell, ends in zip(one.cells, one.bounds, strict=bool(one.bounds))
    ]
    return pd.DataFrame(table, columns=columns)
