"""The sections of a report of the decay model, of counts, decisions or a register of them.

Its own sections are here, and what it puts into those that every model has.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pandas as pd

from intlmodels.audit import attribute_conflicts, conflict_sentences
from intlmodels.core import formats as f
from intlmodels.models.decay.estimands import FALL_AFTER, MOST_ENTRIES
from intlmodels.plots import counts as countplots
from intlmodels.plots import decay as plots
from intlmodels.report import checks, checkvalues, decaysentences, sections
from intlmodels.report.blocks import Block, Items, Paragraph, Picture, Section, Table
from intlmodels.report.data import DecayReportData
from intlmodels.report.formula import decay_formula, decay_symbols
from intlmodels.report.pages import Values
from intlmodels.report.rows import (
    Rows,
    changed_cells,
    common_decimals,
    difference_rows,
    estimate,
    feature_table,
    interval,
    median_and_interval,
    prior_cell,
    side_by_side,
    variant_title,
)
from intlmodels.report.sections import picture
from intlmodels.results.decay import group_name
from intlmodels.results.wording import (
    marked,
    verdict_on,
)
from intlmodels.studies import SequenceStudy
from intlmodels.studies.orders import in_words

#: Prior entries at which the table of the curves stops.
ENTRIES = (0, 1, 2, 3, FALL_AFTER, 10, 15)
#: Conflicts, and sets of counts to leave out, that the report itself lists.
MOST_CONFLICTS = 8
#: Levels of terms, and differences between them, in the tables of the report itself.
MOST_LEVELS, MOST_DIFFERENCES = 40, 20
#: Levels of attributes with fewer decisions are in the file only.
FEWEST_OF_LEVEL = 5
#: Kinds of firms of a register in the table of the report itself.
MOST_KINDS = 30


def answer(m: DecayReportData) -> Section:
    """What was asked, and the answer: experience, its rivals, then what the counts allow."""
    study = m.study
    firm, event = study.firm_label, study.event
    asked = study.question or (
        f"Is {f.a(event)} less often {study.flag_label} the more of them {f.a(firm)} has behind it?"
    )
    found = [
        *decaysentences.experience(m.curves, m.slopes, firm, event, study.flag_label),
        " ".join(_over_periods(m)),
        decaysentences.between_sizes(m.slopes, firm, event),
        decaysentences.over_variants(m.comparison, firm, m.latent),
        "" if m.time is None else decaysentences.calendar_time(m.time, m.slopes, firm),
        decaysentences.other_rivals(m.rivals, m.rival_names, firm),
    ]
    hard = sum(count.hard for count in study.counts)
    counts = len(study.counts) if m.latent else 0
    ground = [
        decaysentences.at_most_experienced(plots.decisions_at(m.fit), m.allowed, firm, event),
        decaysentences.data_and_assumption(m.parameters, study.total, hard, counts, event),
    ]
    said = marked([*filter(None, found)], m.passed)
    if m.latent:
        said.append(decaysentences.conflict_sentence(m.audit))
        weighed = [
            decaysentences.wrong_counts(m.true_counts, m.texts),
            decaysentences.repair_sentence(m.repairs),
        ]
        ground.insert(0, " ".join(filter(None, weighed)))
    said += marked([*filter(None, ground)], m.passed)
    if study.decisions is not None and study.decisions.by_period and not m.latent:
        said.insert(0, decaysentences.order_of_periods(study.firm_label, event))
    return sections.answer(m, asked, said, f"diagnostics{' and under reconstruction' * m.latent}")


def audit(m: DecayReportData) -> Section | None:
    """Whether the counts can all be true, and what they imply; nothing without counts."""
    if not m.latent:
        return None
    found = m.audit
    blocks: list[Block] = [Paragraph(decaysentences.conflict_sentence(found))]
    if not found.consistent:
        said = conflict_sentences(found)
        more = len(said) - MOST_CONFLICTS
        blocks += [
            Paragraph(
                "A contradiction is minimal when it disappears as soon as any one of its counts is "
                + (f"left out. The {MOST_CONFLICTS} shortest:" if more > 0 else "left out:")
            ),
            Items(tuple(said[:MOST_CONFLICTS])),
        ]
        if more > 0:
            blocks.append(Paragraph(f"{more} more are in tables/audit_conflicts.csv."))
        ids = [count.id for count in m.study.counts]
        drawn = min(len(found.conflicts), countplots.MOST_CONFLICTS)
        blocks += [
            picture(
                "conflicts",
                countplots.conflicts(ids, found.conflicts),
                "Minimal contradictions, one a row: the marked counts cannot all be true, any "
                "fewer of them can.",
                f"A matrix of {drawn} contradictions by {len(ids)} counts. All "
                f"{len(found.conflicts)} contradictions are in tables/audit_conflicts.csv.",
                failed=False,
            ),
            Table(
                "The cheapest repairs: smallest total change to the printed numbers",
                ("change", "total change", "posterior probability"),
                _repair_rows(m),
                numeric=(1, 2),
                file="tables/audit_repairs.csv",
                note="The probability that the true counts are exactly those of the repair. The "
                "rest goes to readings in which more is wrong.",
                failed=not m.passed,
            ),
        ]
        number = len(found.rows.counts)
        sizes = [number - len(out) for out in found.subsets.left_out]
        blocks.append(
            Paragraph(
                f"At most {max(sizes)} of the {number} counts can be true together, in "
                f"{f.counted(sizes.count(max(sizes)), 'way')}; with those to which no further "
                f"count can be added there are {len(sizes)} largest sets "
                "(tables/audit_largest.csv)."
            )
        )
    blocks.append(
        Paragraph(
            "What the counts imply for every number that was not published is in "
            "tables/audit_bounds.csv, and beside the reconstruction below."
        )
    )
    return Section("audit", "Audit: can the published counts all be true?", tuple(blocks))


def _repair_rows(m: DecayReportData) -> Rows:
    """The cheapest repairs with their posterior probability."""
    chance = dict(zip(m.repairs["repair"], m.repairs["probability"], strict=True))
    rows = []
    for repair in m.audit.all_repairs:
        name = ", ".join(f"{count} = {value}" for count, value in repair.changes.items())
        known = f.probability(chance[name]) if name in chance else f.DASH
        rows.append((decaysentences.repair_words(repair, m.audit), str(repair.cost), known))
    return tuple(rows)


# -- the data ----------------------------------------------------------------------------


def data(m: DecayReportData) -> Section:
    """The counts as printed and as read, the decisions, or a register as counts."""
    study = m.study
    if m.register is not None:
        return _register_data(m, m.register)
    events, blocks = f.plural(study.event), []
    if m.latent:
        text = (
            f"{study.total} {events} of {m.firms}, known only from the counts below. A count that "
            "is certain holds in every reconstructed table; a reading may be off, and each step "
            f"away from it makes a table {study.rho:g} times as probable."
        )
        blocks.append(
            Table(
                "The published counts, and what they probably were",
                ("count", "what is counted", "where", "printed", "taken as", "likeliest", "Pr"),
                _count_rows(m),
                numeric=(3, 5, 6),
                file="tables/true_counts.csv",
                note="likeliest: most probable true number, given all counts and the model; Pr: "
                "probability that the count holds as printed.",
                failed=not m.passed,
            )
        )
        if study.orders:
            blocks.append(
                Table(
                    f"In which order single firms made some of their {events}, as published",
                    (study.firm_label, "order", "where", "taken as"),
                    tuple(
                        (
                            order.firm,
                            in_words(order, study.periods),
                            order.where or f.DASH,
                            "certain" if order.hard else "may be off",
                        )
                        for order in study.orders
                    ),
                    note="each step of an order that may be off and cannot be matched makes a "
                    f"table {study.rho:g} times as probable.",
                )
            )
    else:
        text = (
            f"{study.total} {events} of {m.firms}, each known to be {study.flag_label} or not, in "
            f"each {study.firm_label}'s own order."
        )
    figure = picture(
        "data",
        countplots.decisions(m.fit),
        "What each published count covers." if m.latent else "The decisions of each firm in order.",
        "The numbers are in the table of the data.",
        failed=False,
    )
    changed = changed_cells(study, "Every cell was read as printed.")
    return Section("data", "The data as printed", (Paragraph(text), figure, *blocks, *changed))


def _count_rows(m: DecayReportData) -> Rows:
    """Every published count: what it counts, as printed, and what it probably was."""
    held = {row.count_: row for row in decaysentences.counts_of(m.true_counts)}
    rows = []
    for count in m.study.counts:
        row = None if count.hard else held.get(count.id)
        relation = "" if count.relation == "equal" else f"{count.relation} "
        rows.append(
            (
                count.id,
                count.text or subset(count.firms, count.periods, count.flags, m),
                count.where or f.DASH,
                f"{relation}{count.value}" + (" each" if count.each else ""),
                "certain" if count.hard else "reading",
                f.DASH if row is None else str(row.likeliest),
                f.DASH if row is None else f.probability(row.p_held),
            )
        )
    return tuple(rows)


def subset(
    firms: tuple[str, ...], periods: tuple[str, ...], flags: tuple[str, ...], m: DecayReportData
) -> str:
    """The decisions that a count counts, in words, where the study gives none."""
    flag = f" {m.study.flag_label}" if flags == ("yes",) else f" not {m.study.flag_label}"
    who = "all firms" if len(firms) == len(m.study.firms) else f.listed(list(firms))
    when = "" if len(periods) == len(m.study.periods) else f", {f.listed(list(periods))}"
    return f"{f.plural(m.study.event)}{flag if len(flags) == 1 else ''} of {who}{when}"


def _register_data(m: DecayReportData, study: SequenceStudy) -> Section:
    """What was read, as counts."""
    read, firm = study.read, study.firm_label
    events, firms = f.plural(study.event), f.plural(firm)
    text = (
        f"Each row is {f.a(study.event)}, {study.flag_label} or not; a {firm}'s rows in order of "
        f"time are its sequence. {firms.capitalize()} with the same sequence have the same "
        f"likelihood, and given the model even less matters: how many {events} and flags a {firm} "
        "has, and how many flags there are at each place of a sequence. The fit uses these counts, "
        "and is the fit of all rows, exactly."
    )
    facts = [
        f"files: {read.files:,} ({study.files})",
        f"rows: {read.rows:,}",
        f"in the fit: {study.total:,} {events} of {read.firms:,} {firms}, with "
        f"{read.sequences:,} different sequences, the longest of {study.longest:,}",
        f"counted as {len(study.sequences.firms):,} kinds of {firms}",
        f"on the date of an earlier one of the same {firm}: {read.ties:,}; these keep the order of "
        "the rows",
        f"set aside, since they cannot be read: {read.bad:,}" + " (set_aside.csv)" * (read.bad > 0),
    ]
    if read.bad or read.fellows:
        facts.append(
            f"set aside with them: {read.fellows:,} other rows of {read.firms_aside:,} {firms}, "
            "whose sequences are not known without them"
        )
    if read.broken:
        facts.append(
            f"among those set aside: {read.broken:,} rows that do not tell whose they are; the "
            f"{firms} that made them are in the fit without them"
        )
    kinds = m.kinds_of_firms(study)
    header = tuple(map(str, kinds.columns))
    table = Table(
        f"The kinds of {firms} that are most frequent",
        header,
        tuple(
            (size, *(f"{value:,}" for value in values))
            for size, *values in kinds.head(MOST_KINDS).itertuples(index=False)
        ),
        numeric=tuple(range(1, len(header))),
        file="tables/data.csv",
        note=f"{min(MOST_KINDS, len(kinds)):,} of {len(study.sequences.firms):,}; cells.csv and "
        "places.csv beside the report have all counts.",
    )
    figure = picture(
        "data",
        plots.data(m.fit),
        f"The part of the {events} that are {study.flag_label}, and how many there are, by the "
        f"number of earlier ones of the same {firm}.",
        "Dots by prior entries, one panel a size, above bars of the numbers. The numbers are in "
        "tables/predictions.csv.",
        failed=False,
    )
    blocks = (Paragraph(text), Items(tuple(facts)), figure, table)
    return Section("data", "The register as counts", blocks)


# -- model and priors --------------------------------------------------------------------


def model(m: DecayReportData) -> Section:
    """The model in mathematics."""
    study = m.study
    text = (
        f"{f.a(study.event).capitalize()} is {study.flag_label} or not; effects add up on the log "
        "odds. A decay above zero means that the probability falls with experience; it is free to "
        "be negative."
    )
    if m.latent:
        text += (
            " The table of decisions is unknown. Its prior: firms by a Polya urn with "
            f"concentration {study.concentration:g} for each, periods by their chances, and "
            "within a firm and period every order equally likely. Tables and parameters are drawn "
            "together from their joint posterior; no table is filled in and then taken for data."
        )
    meanings = decay_symbols(m.design, study.firm_label, study.event, study.flag_label)
    table = Table("Symbols", ("symbol", "meaning"), tuple(meanings))
    blocks: list[Block] = [Paragraph(text), decay_formula(m.design), table]
    if m.register is not None:
        integrated = (
            f"The effects of single {f.plural(study.firm_label)} are integrated out, by "
            "trapezoidal sums over as many equal steps as make their error negligible; after the "
            "fit they are held against finer ones, and a fit for which that matters is made again "
            "or refused. What is drawn is the spread of the effects and everything else."
        )
        blocks.append(Paragraph(integrated))
    return Section("model", "The model", tuple(blocks))


def priors(m: DecayReportData) -> Section:
    """Priors, and the curves that they imply before seeing data."""
    words = (m.study.firm_label, m.study.event, m.study.flag_label)
    implied = decaysentences.prior_sentence(m.prior_curves, *words)
    return sections.priors(m, [Paragraph(implied)])


# -- estimates ---------------------------------------------------------------------------


def estimates(m: DecayReportData) -> Section:
    """Curves, falls and halving."""
    study, failed, name = m.study, not m.passed, f.interval_name(m.prob)
    # A slope multiplies 0 there, and effects of levels are 0 on average.
    besides = (
        ", as is the effect of every level; numbers are at their mean, contrasts in the middle"
        if m.design.terms
        else ""
    )
    blocks: list[Block] = [
        _curves(m),
        Table(
            f"Probability that {f.a(study.event)} is {study.flag_label} ({name})",
            ("size", "prior entries", "median", "interval", "prior"),
            _curve_rows(m),
            numeric=(1, 2, 3, 4),
            file="tables/curves.csv",
            note=f"Of a typical {study.firm_label} of the size: its own effect is zero{besides}.",
            failed=failed,
        ),
        Table(
            f"What experience does ({name})",
            ("quantity", "size", "median", "interval", "prior", "Pr(above 0)", "verdict"),
            _slope_rows(m),
            numeric=(2, 3, 4, 5),
            file="tables/slopes.csv",
            note="Above zero: the probability falls with experience. Prior: median and interval of "
            "the same before seeing data.",
            failed=failed,
        ),
        Items(tuple(decaysentences.halving(m.halving, study.firm_label, study.event))),
        Table(
            f"Prior entries until the odds have halved ({name})",
            ("size", "median", "interval", "probability of never"),
            _halving_rows(m),
            numeric=(1, 2, 3),
            file="tables/halving.csv",
            failed=failed,
        ),
    ]
    blocks += _terms(m)
    if m.time is not None:
        said = decaysentences.experience_or_time(m.time, m.slopes, study.firm_label)
        blocks += [
            Paragraph("Experience or calendar time? From the variant period:"),
            Items(tuple(said)),
            *_experience_and_time(m),
        ]
    return Section("estimates", "Estimates", tuple(blocks))


def _curves(m: DecayReportData) -> Picture:
    said = "; ".join(
        f"{row.size}, {row.entries} prior entries: {f.percent(row.median)}"
        for row in m.curves.itertuples(index=False)
        if row.entries in (0, FALL_AFTER)
    )
    return picture(
        "curves",
        plots.curves(m.fit, m.prob),
        f"Probability that {f.a(m.study.event)} is {m.study.flag_label}, by the number of earlier "
        f"ones of the same {m.study.firm_label}: median, 50% and "
        f"{f.interval_name(m.prob)} of a typical one; grey outline: the prior. The line is "
        "dotted where fewer than one decision is expected, as the bars below show: there it is "
        "extrapolation.",
        f"Curves with bands. Medians: {said}.",
        not m.passed,
    )


def _curve_rows(m: DecayReportData) -> Rows:
    """Probability of the flag at some numbers of prior entries."""
    rows = []
    for row in m.curves[m.curves["entries"].isin(ENTRIES)].itertuples(index=False):
        digits = decaysentences.decimals(row.ci_low, row.ci_high, 0)
        median = f.percent(row.median, digits)
        prior = prior_cell(row, 0)
        rows.append((row.size, str(row.entries), median, interval(row, digits), *prior))
    return tuple(rows)


def _slope_rows(m: DecayReportData) -> Rows:
    """Falls and decays, with the probability of their direction."""
    rows = []
    for row in m.slopes.itertuples(index=False):
        points = row.quantity == "fall"
        decimals = decaysentences.decimals(row.ci_low, row.ci_high, 0 if points else 2)
        rows.append(
            (
                f"fall after {FALL_AFTER} entries, points" if points else "decay, log odds",
                row.size,
                *median_and_interval(row, decimals),
                *prior_cell(row, 0 if points else 1),
                f.probability(row.p_positive),
                verdict_on(row),
            )
        )
    return tuple(rows)


def _halving_rows(m: DecayReportData) -> Rows:
    """Entries until the odds halve."""
    rows = []
    for row in m.halving.itertuples(index=False):
        digits = decaysentences.decimals(row.ci_low, row.ci_high, 1)
        ends = (row.median, row.ci_low, row.ci_high)
        median, low, high = (decaysentences.entries(value, digits) for value in ends)
        rows.append((row.size, median, f"{low} to {high}", f.probability(row.p_never)))
    return tuple(rows)


def _terms(m: DecayReportData) -> Iterator[Block]:
    """What predictors and groups change, in percentage points; nothing where there are none."""
    if not m.design.terms or not len(m.term_levels):
        return
    events, flag, name = f.plural(m.study.event), m.study.flag_label, f.interval_name(m.prob)
    yield Paragraph(
        f"Predictors and groups of {events}. All {events} are set to a level, and keep their "
        f"{m.study.firm_label}, their number of earlier ones and all other terms: the probability "
        f"of being {flag} is averaged over them, and levels are compared draw by draw. A number is "
        "set to its mean and to one standard deviation below and above it."
    )
    levels, differences = m.term_levels, m.term_differences
    decimals = common_decimals(levels)
    yield Table(
        f"Average probability that {f.a(m.study.event)} is {flag}, in percent ({name})",
        ("term", "level", "median", "interval"),
        tuple(
            (row.label, row.level, *median_and_interval(row, decimals))
            for row in levels.head(MOST_LEVELS).itertuples(index=False)
        ),
        numeric=(2, 3),
        file="tables/terms.csv",
        note=f"{len(levels) - MOST_LEVELS} more are in the file." * (len(levels) > MOST_LEVELS),
        failed=not m.passed,
    )
    more = len(differences) - MOST_DIFFERENCES
    yield Table(
        f"Differences between levels in percentage points ({name})",
        ("term", "difference", "median", "interval", "probability of direction", "verdict"),
        difference_rows(differences, MOST_DIFFERENCES, verdicts=True),
        numeric=(2, 3, 4),
        file="tables/term_differences.csv",
        note=f"The {MOST_DIFFERENCES} clearest; {more} more are in the file." * (more > 0),
        failed=not m.passed,
    )


def _experience_and_time(m: DecayReportData) -> Iterator[Picture]:
    """Experience against calendar time, where the variant is fitted."""
    if m.period_fit is not None:
        yield picture(
            "experience-and-time",
            plots.experience_and_time(m.period_fit, m.prob),
            "Decay with experience against the fall of the log odds from the first period to the "
            "last, in the variant period; grey: the prior.",
            "Contours of the joint posterior. The correlations are in the text.",
            not m.gates["period"].passed,
        )


# -- reconstruction and predictions ------------------------------------------------------


def reconstruction(m: DecayReportData) -> Section | None:
    """What of the table is known, and what is reconstructed; nothing where all is known."""
    if not m.latent:
        return None
    consistent = m.audit.consistent
    basis = (
        "the published counts"
        if consistent
        else "the cheapest repairs of the counts, taken together"
    )
    true_counts = picture(
        "true-counts",
        countplots.true_counts(m.fit, m.prob),
        "How far each count is from what was printed, in the reconstructed tables.",
        "Dots for each count, at the difference between the true and the printed number. The "
        "numbers are in the table of the counts.",
        not m.passed,
    )
    likely = Table(
        "The likeliest readings of the counts: what differs from what was printed",
        ("differs", "probability"),
        tuple(
            (row.differs.replace(" -> ", " → "), f.probability(row.probability))
            for row in m.readings.itertuples(index=False)
        ),
        numeric=(1,),
        file="tables/readings.csv",
        failed=not m.passed,
    )
    known = "the counts alone" if consistent else "the cheapest repairs"
    bounds = m.cells.rename(columns={"name": "size"})
    cells = picture(
        "cells",
        countplots.cells(m.fit, bounds, m.prob, basis=known),
        f"Reconstructed {f.plural(m.study.event)} by size, period and flag; grey: what {known} "
        "allow.",
        "Dots with intervals within grey brackets. The numbers are in the table of the cells.",
        not m.passed,
    )
    table = Table(
        f"Decisions by size, period and flag ({f.interval_name(m.prob)})",
        ("size", "period", "flag", "bounds", "median", "interval", "rests on"),
        _cell_rows(m),
        numeric=(3, 4, 5),
        file="tables/cells.csv",
        note=f"bounds (Fréchet): the least and the greatest number that {basis} allow, without any "
        "model. Where the two differ, the number inside is a reconstruction. An interval can leave "
        "the bounds where the posterior holds more to be wrong than the cheapest repairs do.",
        failed=not m.passed,
    )
    said = map(Paragraph, marked([decaysentences.misfit(m.true_counts)], m.passed))
    last = Paragraph(
        "Cells of single firms are in tables/firm_cells.csv. Complete tables drawn from the "
        "posterior, every row marked as reconstructed, are written by intlmodels reconstruct."
    )
    title = "Reconstruction: what is known of the table, and what is not"
    return Section("reconstruction", title, (*said, true_counts, likely, cells, table, last))


def _cell_rows(m: DecayReportData) -> Rows:
    """Cells of size, period and flag: what the counts alone allow, and the posterior in it."""
    flags = {"yes": m.study.flag_label, "no": f"not {m.study.flag_label}"}
    known = "the counts" if m.audit.consistent else "the counts, once repaired"
    return tuple(
        (
            row.name,
            row.period,
            flags[row.flag],
            f.DASH if row.low != row.low else bound(row.low, row.high),
            *median_and_interval(row, 0),
            known if row.low == row.high else "reconstruction",
        )
        for row in m.cells.itertuples(index=False)
    )


def bound(low: float, high: float) -> str:
    """What a number can be: one value, or from the least to the greatest."""
    if low == high:
        return f.number(low, 0)
    end = f"to {f.number(high, 0)}" if high < float("inf") else "or more"
    return f"{f.number(low, 0)} {end}"


def _over_periods(m: DecayReportData) -> list[str]:
    """What changes from the first period to the last, where decisions are reconstructed."""
    words = (m.study.firm_label, m.study.event, m.study.flag_label)
    return decaysentences.over_periods(m.flags_by_period, *words) if m.latent else []


def drivers(m: DecayReportData) -> Values | None:
    """Cells behind the decay where decisions are reconstructed, then influence."""
    made = checks.influence(m) or {}
    if not m.latent:
        return made or None
    return made | {
        "firm": m.study.firm_label,
        "events": f.plural(m.study.event),
        "flag": m.study.flag_label,
        "said": _over_periods(m),
        "cells": [
            (
                row.name,
                row.period,
                *(
                    cell
                    for what in ("decisions", "flagged")
                    for cell in (
                        f.number(getattr(row, f"{what}_mean"), 1),
                        f.span(getattr(row, f"{what}_ci_low"), getattr(row, f"{what}_ci_high"), 0),
                        bound(getattr(row, f"{what}_low"), getattr(row, f"{what}_high")),
                    )
                ),
            )
            for row in m.flags_by_period.itertuples(index=False)
        ],
    }


def attributes(m: DecayReportData) -> Section | None:
    """Further counts of the decisions: what is known by period, size and flag, and what is not."""
    if not m.attributes:
        return None
    events = f.plural(m.study.event)
    known = [table for table in m.attributes.values() if not isinstance(table, str)]
    attributes = [found.attribute for found in m.attribute_audits]
    whole = all(len(own.totals(m.study)) == len(own.counts) for own in attributes)
    said = [decaysentences.identified(pd.concat(known), events, whole)] if known else []
    blocks: list[Block] = [Paragraph(text) for text in marked(said, m.passed)]
    several = [decaysentences.several_levels(found, events) for found in m.attribute_audits]
    blocks += [Items(tuple(filter(None, several)))] if any(several) else []
    if known:
        repaired = "" if m.audit.consistent else ", repaired where they contradict each other"
        text = (
            f"The columns of the tables. Bounds: what the counts alone allow{repaired}. Mean and "
            f"interval: if which {events} have a level is random, given the counts and the "
            "reconstructed tables. Prior: the same interval if only the totals were known. Levels "
            f"of fewer than {FEWEST_OF_LEVEL} {events} are in the file."
        )
        blocks.append(Paragraph(text))
    for found in m.attribute_audits:
        table, label = m.attributes[found.attribute.name], found.attribute.label
        if found.added:
            text = f"Not all counts of {label} can be true together with the others:"
            blocks += [Paragraph(text), Items(tuple(attribute_conflicts(found)))]
        if isinstance(table, str):
            text = f"No posterior of {label}: {table}. Bounds are in tables/audit_attributes.csv."
            blocks.append(Paragraph(text))
            continue
        blocks.append(
            Table(
                f"{label[:1].upper()}{label[1:]} ({f.interval_name(m.prob)})",
                ("level", "among", "bounds", "mean", "interval", "prior", "verdict"),
                _attribute_rows(table, m),
                numeric=(2, 3, 4, 5),
                file="tables/attributes.csv",
                failed=not m.passed,
            )
        )
    return Section("attributes", f"What the {events} were", tuple(blocks))


def _attribute_rows(table: pd.DataFrame, m: DecayReportData) -> Rows:
    """Numbers of each level: bounds, posterior, prior and verdict."""
    most = table.groupby("level")["high"].max()
    flags = {"yes": m.study.flag_label, "no": f"not {m.study.flag_label}"}
    whole = table["flag"].iloc[0]
    rows = []
    for row in table.itertuples(index=False):
        if most[row.level] < FEWEST_OF_LEVEL:
            continue
        among = row.name if row.kind == "group" else row.period
        among = flags[row.flag] if among == "all" and row.flag != whole else among
        rows.append(
            (
                row.level,
                among,
                f.DASH if row.low != row.low else bound(row.low, row.high),
                f.number(row.mean, 1),
                bound(row.ci_low, row.ci_high),
                bound(row.prior_low, row.prior_high),
                row.verdict,
            )
        )
    return tuple(rows)


def predictions(m: DecayReportData) -> Section | None:
    """Registers predicted by the fit against the register; nothing for single firms."""
    if m.register is None:
        return None
    table = Table(
        f"Percent {m.study.flag_label} by prior entries ({f.interval_name(m.prob)})",
        ("size", "prior entries", "number", "observed", "predicted median", "interval"),
        tuple(
            (
                row.size,
                str(row.entries),
                f"{row.decisions:,}",
                f.number(row.observed, 2),
                *median_and_interval(row, 2),
            )
            for row in m.predicted.itertuples(index=False)
            if row.entries <= MOST_ENTRIES
        ),
        numeric=(1, 2, 3, 4, 5),
        file="tables/predictions.csv",
        failed=not m.passed,
    )
    features = feature_table(
        m,
        "Features of the register",
        m.checks,
        _percentage_decimals,
        note="Pr(larger): probability that a predicted register has a larger value, ties counted "
        "half. With very many rows the smallest misfit shows: look at its size, not at this "
        "probability alone.",
    )
    figure = picture(
        "predictions",
        plots.posterior_predictive(m.fit, m.prob),
        "Predictions of the fitted model against the register, by prior entries.",
        "Above, the observed and predicted part with the flag; below, their difference. The "
        "numbers are in the table.",
        not m.passed,
    )
    said = map(Paragraph, checkvalues.misfit_sentences(m.checks, _percentage_decimals))
    title = "Predictions against the register"
    return Section("predictions", title, (*said, figure, features, table))


def _percentage_decimals(_feature: str) -> int:
    """Decimals with which a feature is written: all are percentages."""
    return 2


# -- rival explanations ------------------------------------------------------------------


def rivals(m: DecayReportData) -> Section | None:
    """The decay beside each rival explanation; nothing where none is fitted."""
    table, firm = m.rivals, m.study.firm_label
    if not m.has_rivals:
        return None
    sizes = list(dict.fromkeys(table["size"]))
    rows = []
    for variant, own in table.groupby("variant", sort=False):
        cells = [_with_probability(row) for row in own.itertuples(index=False)]
        first = next(own.itertuples(index=False))
        name = f"{first.explanation} ({variant_title(m, str(variant))})"
        rows.append((name, *cells, _effect(first), decaysentences.taken_over(first, table)))
    text = (
        "A decay with experience is one explanation of what was counted. Each row below sets "
        "another one beside it in the same model, and shows what is left of the decay. A rival "
        "that takes over much of the decay explains the counts as well as experience does; one "
        "that takes over little may hold all the same, but the decay does not depend on it."
    )
    note = (
        "Pr: probability that the decay, or the effect of the rival, is above zero. Taken over: "
        f"by how much the median decay of {group_name(sizes[0], firm)} is smaller "
        "than under experience alone, and the verdict on what is left."
    )
    if "recall" in m.own_parameters.get("parameter", pd.Series(dtype=str)).tolist():
        note += " Where decisions were missed, the decay is for each earlier one, known or not."
    columns = tuple(f"decay, {group_name(size, firm)}" for size in sizes)
    rows_shown = Table(
        f"The decay beside its rivals, in log odds: median ({f.interval_name(m.prob)})",
        ("explanation (variant)", *columns, "effect of the rival", "taken over"),
        tuple(rows),
        file="tables/rivals.csv",
        note=note,
        failed=not m.passed,
    )
    return Section("rivals", "Rival explanations", (Paragraph(text), rows_shown))


def _with_probability(row: Any) -> str:
    """An estimate with the probability that it is above zero, in one cell."""
    decimals = decaysentences.decimals(row.ci_low, row.ci_high, 2)
    chance = f", Pr {f.probability(row.p_positive)}" * (row.p_positive == row.p_positive)
    return f"{estimate(row, decimals)}{chance}"


def _effect(row: Any) -> str:
    """What a rival amounts to itself, in one cell."""
    if not isinstance(getattr(row, "effect", None), str):
        return f.DASH
    columns = ("median", "ci_low", "ci_high", "p_positive")
    own = SimpleNamespace(**{name: getattr(row, f"effect_{name}") for name in columns})
    return f"{row.effect}: {_with_probability(own)}"


# -- variants and limits -----------------------------------------------------------------


def variants(m: DecayReportData) -> Section:
    """The same answers under other readings, priors and shapes."""
    what = (
        "Other readings of the counts, other priors of the table, other shapes of the decay."
        if m.latent
        else "Other shapes of the decay."
    )
    if len(m.variants) < 2:
        return sections.variants(m, what)
    figure = picture(
        "variants",
        plots.variants(m.comparison, m.prob),
        f"The same quantities in every variant: median, 50% and {f.interval_name(m.prob)}.",
        "Small panels with one dot and interval a variant. The numbers are in the table and in "
        "tables/variants.csv.",
        not m.passed,
    )
    tables = side_by_side(m, "Fall of the probability in percentage points", "falls")
    return sections.variants(m, what, [figure, *tables])


def limits(m: DecayReportData) -> Section:
    """What the study leaves open."""
    cells = m.cells if m.latent else pd.DataFrame()
    computed = decaysentences.cannot_tell(m.slopes, m.parameters, cells, m.study.firm_label)
    if m.register is None:
        return sections.limits(m, computed)
    text = (
        "Intervals tell what the model leaves open given its form, and with very many rows that "
        "form, not the number of rows, limits what can be said: see the predictions. Calibration, "
        "leaving out single firms, reconstruction and audits are for studies that list their firms "
        "or have counts; they do not apply here."
    )
    return sections.limits(m, computed, [Paragraph(text)])
