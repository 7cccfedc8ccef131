"""The audit of attributes of decisions: their counts together with those of the study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intlmodels.audit.conflicting import subsets
from intlmodels.audit.consequences import ALL, BOTH, Bound, Cell, Repair, bounds, cheapest
from intlmodels.audit.integers import TooLongError
from intlmodels.audit.system import Change, System, answer
from intlmodels.studies.attributes import MORE as MORE
from intlmodels.studies.attributes import NONE as NONE
from intlmodels.studies.counts import FLAGS, Rows, rows

if TYPE_CHECKING:
    from intlmodels.studies import DecayStudy
    from intlmodels.studies.attributes import Attribute


@dataclass(frozen=True, eq=False)
class AttributeCell(Cell):
    """Decisions with a level of an attribute; ``weights`` are over (firm, period, kind)."""

    level: str  # A level, or one of MORE and NONE
    inside: NDArray[np.bool_]  # (firm, period, flag): Which decisions, whatever their level
    whole: bool  # Whether these are all decisions that the attribute is one of


@dataclass(frozen=True, eq=False)
class AttributeAudit:
    """What the counts of an attribute say together with those of the study."""

    attribute: Attribute
    rows: Rows  # Of all these counts, over firms, periods and kinds
    cost: int  # Least total change with which all of them can be true
    added: int  # By how much that is more than without the attribute
    #: Minimal conflicts with counts of the attribute, and the cheapest repairs, if it adds any
    conflicts: tuple[tuple[str, ...], ...]
    repairs: tuple[Repair, ...]
    cells: tuple[AttributeCell, ...]
    #: Of the cells, under all counts changed by no more than the cost; empty if that takes too long
    bounds: tuple[Bound, ...]
    complete: bool  # Whether nothing was cut short


def audit_attribute(
    study: DecayStudy, attribute: Attribute, cost: int, cells: Sequence[AttributeCell] = ()
) -> AttributeAudit:
    """Audit the counts of an attribute together with those of a study.

    Parameters
    ----------
    study : DecayStudy
    attribute : Attribute
        Of the study.
    cost : int
        Least total change with which the counts of the study itself can be true.
    cells : sequence of AttributeCell
        What is bounded; by default every level in all, by flag, by period and by size.

    Returns
    -------
    AttributeAudit
    """
    r = attribute.rows(study.counts, study.firms, study.periods)
    cells = tuple(cells or _cells(study, attribute))
    least = answer("least change", r, lambda: _least_change(r), int, int)
    conflicts: tuple[tuple[str, ...], ...] = ()
    repairs: tuple[Repair, ...] = ()
    complete = True
    if least > cost:
        found = subsets(r)
        own = {count.id for count in attribute.counts}
        conflicts = tuple(ids for ids in found.conflicts if own & set(ids))
        repairs, all_repairs = cheapest(r)
        complete = found.complete and all_repairs
    weights = np.stack([cell.weights for cell in cells])
    bounded: tuple[Bound, ...] = ()
    try:
        bounded = answer(
            f"bounds of {[(cell.level, cell.name, cell.period, cell.flag) for cell in cells]}",
            r,
            lambda: bounds(r, weights, least),
            list,
            lambda written: tuple((low, high) for low, high in written),
        )
    except TooLongError:
        complete = False
    return AttributeAudit(
        attribute, r, least, least - cost, conflicts, repairs, cells, bounded, complete
    )


def cost_of(study: DecayStudy) -> int:
    """Least total change with which the counts of a study itself can be true."""
    repairs, _ = cheapest(rows(study.counts, study.firms, study.periods))
    return repairs[0].cost if repairs else 0


def _least_change(r: Rows) -> int:
    change = Change(System(r))
    found = change.program.least(change.cost, change.low, change.high)
    assert found is not None  # every value may become 0
    return found[0]


def _cells(study: DecayStudy, attribute: Attribute) -> Iterator[AttributeCell]:
    everyone = "all", ALL, study.firms
    whole = everyone, study.periods, attribute.flags
    parts = [whole]
    if len(attribute.flags) > 1:
        parts += [(everyone, study.periods, (flag,)) for flag in FLAGS]
    if len(study.periods) > 1:
        parts += [(everyone, (period,), attribute.flags) for period in study.periods]
    for group, firms in study.groups.items():
        parts.append((("group", group, firms), study.periods, attribute.flags))
    for level in attribute.answers:
        for part in parts[:1] if level in (MORE, NONE) else parts:
            yield cell_of(study, attribute, level, *part)


def cell_of(
    study: DecayStudy,
    attribute: Attribute,
    level: str,
    who: tuple[str, str, tuple[str, ...]],
    periods: tuple[str, ...],
    flags: tuple[str, ...],
) -> AttributeCell:
    """Decisions with a level, of firms (kind, name, firms), in periods, with flags."""
    kind, name, firms = who
    inside = np.multiply.outer(np.isin(study.firms, firms), np.isin(study.periods, periods))
    here = [flag in flags and _has(level, chosen) for flag, chosen in attribute.kinds]
    return AttributeCell(
        kind,
        name,
        ALL if periods == study.periods else periods[0],
        BOTH if flags == FLAGS else flags[0],
        np.multiply.outer(inside, here).astype(np.int64),
        level,
        np.multiply.outer(inside, np.isin(FLAGS, flags)),
        (kind, periods, flags) == ("all", study.periods, attribute.flags),
    )


def _has(level: str, chosen: tuple[str, ...]) -> bool:
    if level == MORE:
        return len(chosen) > 1
    return not chosen if level == NONE else level in chosen
