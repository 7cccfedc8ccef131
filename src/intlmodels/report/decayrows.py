"""Rows of the tables of a report of the decay model: results with the digits that they bear."""

from __future__ import annotations

from intlmodels.core import formats as f
from intlmodels.models.decay.estimands import FALL_AFTER
from intlmodels.report import decaysentences
from intlmodels.report.decaydata import DecayMaterial
from intlmodels.report.rows import Rows, interval
from intlmodels.results.wording import verdict

#: Prior entries at which the table of the curves stops.
ENTRIES = (0, 1, 2, 3, FALL_AFTER, 10, 15)
#: Conflicts, and sets of counts to leave out, that the report itself lists.
MOST_CONFLICTS = 8


def count_rows(m: DecayMaterial) -> Rows:
    """Every published count: what it counts, as printed, and what it probably was."""
    held = (
        {}
        if not m.latent
        else dict(zip(m.true_counts["count"], m.true_counts.itertuples(index=False), strict=True))
    )
    rows = []
    for count in m.study.counts:
        row = held.get(count.id)
        relation = "" if count.relation == "equal" else f"{count.relation} "
        rows.append(
            (
                count.id,
                count.text or subset(count.firms, count.periods, count.flags, m),
                count.where or f.DASH,
                f"{relation}{count.value}" + (" each" if count.each else ""),
                "certain" if count.hard else "reading",
                f.DASH if row is None or count.hard else str(row.likeliest),
                f.DASH if row is None or count.hard else f.probability(row.p_held),
            )
        )
    return tuple(rows)


def subset(
    firms: tuple[str, ...], periods: tuple[str, ...], flags: tuple[str, ...], m: DecayMaterial
) -> str:
    """The decisions that a count counts, in words, where the study gives none."""
    flag = f" {m.study.flag_label}" if flags == ("yes",) else f" not {m.study.flag_label}"
    who = "all firms" if len(firms) == len(m.study.firms) else f.listed(list(firms))
    when = "" if len(periods) == len(m.study.periods) else f", {f.listed(list(periods))}"
    return f"{f.plural(m.study.event)}{flag if len(flags) == 1 else ''} of {who}{when}"


def curve_rows(m: DecayMaterial) -> Rows:
    """Probability of the flag at some numbers of prior entries."""
    rows = []
    for row in m.curves.itertuples(index=False):
        if row.entries in ENTRIES:
            digits = decaysentences.decimals(row.ci_low, row.ci_high, 0)
            rows.append(
                (
                    row.size,
                    str(row.entries),
                    f.percent(row.median, digits),
                    interval(row, digits),
                )
            )
    return tuple(rows)


def slope_rows(m: DecayMaterial) -> Rows:
    """Falls and decays, with the probability of their direction."""
    rows = []
    for row in m.slopes.itertuples(index=False):
        points = row.quantity == "fall"
        what = f"fall after {FALL_AFTER} entries, points" if points else "decay, log odds"
        decimals = decaysentences.decimals(row.ci_low, row.ci_high, 0 if points else 2)
        rows.append(
            (
                what,
                row.size,
                f.number(row.median, decimals),
                interval(row, decimals),
                f.probability(row.p_positive),
                "clear, on the edge"
                if decaysentences.on_the_edge(row)
                else verdict(row.p_direction),
            )
        )
    return tuple(rows)


def halving_rows(m: DecayMaterial) -> Rows:
    """Entries until the odds halve."""
    rows = []
    for row in m.halving.itertuples(index=False):
        digits = decaysentences.decimals(row.ci_low, row.ci_high, 1)
        ends = [
            decaysentences.entries(value, digits) for value in (row.median, row.ci_low, row.ci_high)
        ]
        rows.append((row.size, ends[0], f"{ends[1]} to {ends[2]}", f.probability(row.p_never)))
    return tuple(rows)


def cell_rows(m: DecayMaterial) -> Rows:
    """Cells of size, period and flag: what the counts alone allow, and the posterior in it."""
    flags = {"yes": m.study.flag_label, "no": f"not {m.study.flag_label}"}
    known = "the counts" if m.audit.consistent else "the counts, once repaired"
    rows = []
    for row in m.cells.itertuples(index=False):
        rows.append(
            (
                row.name,
                row.period,
                flags[row.flag],
                f.DASH if row.low != row.low else bound(row.low, row.high),
                f.number(row.median, 0),
                interval(row, 0),
                known if row.low == row.high else "reconstruction",
            )
        )
    return tuple(rows)


def bound(low: float, high: float) -> str:
    """What a number can be: one value, or from the least to the greatest."""
    if low == high:
        return f.number(low, 0)
    return (
        f"{f.number(low, 0)} to {f.number(high, 0)}"
        if high < float("inf")
        else (f"{f.number(low, 0)} or more")
    )


def repair_rows(m: DecayMaterial) -> Rows:
    """The cheapest repairs with their posterior probability."""
    chance = dict(zip(m.repairs["repair"], m.repairs["probability"], strict=True))
    rows = []
    for repair in m.audit.all_repairs:
        name = ", ".join(f"{count} = {value}" for count, value in repair.changes.items())
        known = name in chance
        rows.append(
            (
                decaysentences.repair_words(repair, m.audit),
                str(repair.cost),
                f.probability(chance[name]) if known else f.DASH,
            )
        )
    return tuple(rows)


def reading_rows(m: DecayMaterial) -> Rows:
    """The likeliest sets of true counts."""
    return tuple(
        (row.differs.replace(" -> ", " → "), f.probability(row.probability))
        for row in m.readings.itertuples(index=False)
    )
