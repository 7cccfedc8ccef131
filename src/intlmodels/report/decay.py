"""The sections of a report of the decay model: its own, and what it puts into the common ones."""

from __future__ import annotations

from intlmodels.audit import conflict_sentences
from intlmodels.core import formats as f
from intlmodels.report import content, decayfigures, decayrows, decaysentences
from intlmodels.report import rows as shown
from intlmodels.report.blocks import Block, Items, Paragraph, Section, Table
from intlmodels.report.decaydata import DecayMaterial
from intlmodels.report.formula import decay_formula, decay_symbols
from intlmodels.results.wording import marked


def answer(m: DecayMaterial) -> Section:
    """What was asked, and the answer in a few sentences: contradictions first."""
    study = m.study
    words = (study.firm_label, study.event, study.flag_label)
    asked = study.question or (
        f"Is {f.a(study.event)} less often {study.flag_label} the more of them "
        f"{f.a(study.firm_label)} "
        "has behind it?"
    )
    said: list[str] = []
    if m.latent:
        said.append(decaysentences.conflict_sentence(m.audit))
        weighed = [
            decaysentences.wrong_counts(m.true_counts, m.texts),
            decaysentences.repair_sentence(m.repairs),
        ]
        said += marked([" ".join(filter(None, weighed))], m.passed) if any(weighed) else []
    about = decaysentences.experience(m.curves, m.slopes, *words)
    about.append(decaysentences.between_sizes(m.slopes, study.firm_label, study.event))
    hard = sum(count.hard for count in study.counts)
    counts = len(study.counts) if m.latent else 0
    about.append(
        decaysentences.data_and_assumption(m.parameters, study.total, hard, counts, study.event)
    )
    about.insert(-1, decaysentences.over_variants(m.comparison, study.firm_label, m.latent))
    told = [*said, *marked([line for line in about if line], m.passed)]
    return content.answer(m, asked, told, f"diagnostics{' and under reconstruction' * m.latent}")


def audit(m: DecayMaterial) -> Section | None:
    """Whether the counts can all be true, and what they imply; nothing without counts."""
    if not m.latent:
        return None
    found = m.audit
    blocks: list[Block] = [Paragraph(decaysentences.conflict_sentence(found))]
    if not found.consistent:
        said = conflict_sentences(found)
        most = decayrows.MOST_CONFLICTS
        more = len(said) - most
        blocks += [
            Paragraph(
                "A contradiction is minimal when it disappears as soon as any one of its counts is "
                + (f"left out. The {most} shortest:" if more > 0 else "left out:")
            ),
            Items(tuple(said[:most])),
        ]
        if more > 0:
            blocks.append(Paragraph(f"{more} more are in tables/audit_conflicts.csv."))
        blocks += decayfigures.conflicts(m)
        blocks.append(
            Table(
                "The cheapest repairs: smallest total change to the printed numbers",
                ("change", "total change", "posterior probability"),
                decayrows.repair_rows(m),
                numeric=(1, 2),
                file="tables/audit_repairs.csv",
                note="The probability that the true counts are exactly those of the repair. The "
                "rest goes to readings in which more is wrong.",
                failed=not m.passed,
            )
        )
        largest = max(len(found.rows.counts) - len(out) for out in found.subsets.left_out)
        number = sum(len(found.rows.counts) - len(out) == largest for out in found.subsets.left_out)
        blocks.append(
            Paragraph(
                f"At most {largest} of the {len(found.rows.counts)} counts can be true together, "
                f"in {f.counted(number, 'way')}; with those to which no further count can be added "
                f"there are {len(found.subsets.left_out)} largest sets "
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


def data(m: DecayMaterial) -> Section:
    """The counts as printed and as read, or the decisions."""
    study = m.study
    blocks: list[Block] = []
    if m.latent:
        blocks.append(
            Paragraph(
                f"{study.total} {f.plural(study.event)} of {m.firms}, known only from the counts "
                "below. A count that is certain holds in every reconstructed table; a reading may "
                f"be off, and each step away from it makes a table {study.rho:g} times as probable."
            )
        )
        blocks += [
            decayfigures.data(m),
            Table(
                "The published counts, and what they probably were",
                ("count", "what is counted", "where", "printed", "taken as", "likeliest", "Pr"),
                decayrows.count_rows(m),
                numeric=(3, 5, 6),
                file="tables/true_counts.csv",
                note="likeliest: most probable true number, given all counts and the model; Pr: "
                "probability that the count holds as printed.",
                failed=not m.passed,
            ),
        ]
    else:
        text = (
            f"{study.total} {f.plural(study.event)} of {m.firms}, each known to be "
            f"{study.flag_label} or not, in each {study.firm_label}'s own order."
        )
        blocks += [Paragraph(text), decayfigures.data(m)]
    blocks += shown.changed_cells(study, "Every cell was read as printed.")
    return Section("data", "The data as printed", tuple(blocks))


def model(m: DecayMaterial) -> Section:
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
    return Section(
        "model",
        "The model",
        (
            Paragraph(text),
            decay_formula(m.design),
            Table("Symbols", ("symbol", "meaning"), tuple(meanings)),
        ),
    )


def priors(m: DecayMaterial) -> Section:
    """Priors, and the curves that they imply before seeing data."""
    study = m.study
    implied = decaysentences.prior_sentence(
        m.prior_curves, study.firm_label, study.event, study.flag_label
    )
    return content.priors(m, [Paragraph(implied)])


def estimates(m: DecayMaterial) -> Section:
    """Curves, falls and halving."""
    study, failed, name = m.study, not m.passed, f.interval_name(m.prob)
    blocks: list[Block] = [
        decayfigures.curves(m),
        Table(
            f"Probability that {f.a(study.event)} is {study.flag_label} ({name})",
            ("size", "prior entries", "median", "interval"),
            decayrows.curve_rows(m),
            numeric=(1, 2, 3),
            file="tables/curves.csv",
            note=f"Of a typical {study.firm_label} of the size: its own effect is zero.",
            failed=failed,
        ),
        Table(
            f"What experience does ({name})",
            ("quantity", "size", "median", "interval", "Pr(above 0)", "verdict"),
            decayrows.slope_rows(m),
            numeric=(2, 3, 4),
            file="tables/slopes.csv",
            note="Above zero: the probability falls with experience.",
            failed=failed,
        ),
        Items(tuple(decaysentences.halving(m.halving, study.firm_label, study.event))),
        Table(
            f"Prior entries until the odds have halved ({name})",
            ("size", "median", "interval", "probability of never"),
            decayrows.halving_rows(m),
            numeric=(1, 2, 3),
            file="tables/halving.csv",
            failed=failed,
        ),
    ]
    if m.time is not None:
        said = decaysentences.experience_or_time(m.time, m.slopes, study.firm_label)
        blocks += [
            Paragraph("Experience or calendar time? From the variant period:"),
            Items(tuple(said)),
            *decayfigures.experience_and_time(m),
        ]
    return Section("estimates", "Estimates", tuple(blocks))


def reconstruction(m: DecayMaterial) -> Section | None:
    """What of the table is known, and what is reconstructed; nothing where all is known."""
    if not m.latent:
        return None
    basis = (
        "the published counts"
        if m.audit.consistent
        else "the cheapest repairs of the counts, taken together"
    )
    table = Table(
        f"Decisions by size, period and flag ({f.interval_name(m.prob)})",
        ("size", "period", "flag", "bounds", "median", "interval", "rests on"),
        decayrows.cell_rows(m),
        numeric=(3, 4, 5),
        file="tables/cells.csv",
        note=f"bounds (Fréchet): the least and the greatest number that {basis} allow, without any "
        "model. Where the two differ, the number inside is a reconstruction. An interval can leave "
        "the bounds where the posterior holds more to be wrong than the cheapest repairs do.",
        failed=not m.passed,
    )
    likely = Table(
        "The likeliest readings of the counts: what differs from what was printed",
        ("differs", "probability"),
        decayrows.reading_rows(m),
        numeric=(1,),
        file="tables/readings.csv",
        failed=not m.passed,
    )
    return Section(
        "reconstruction",
        "Reconstruction: what is known of the table, and what is not",
        (
            *map(Paragraph, marked([decaysentences.misfit(m.true_counts)], m.passed)),
            decayfigures.true_counts(m),
            likely,
            decayfigures.cells(m),
            table,
            Paragraph(
                "Cells of single firms are in tables/firm_cells.csv. Complete tables drawn from "
                "the posterior, every row marked as reconstructed, are written by intlmodels "
                "reconstruct."
            ),
        ),
    )


def variants(m: DecayMaterial) -> Section:
    """The same answers under other readings, priors and shapes."""
    more: list[Block] = []
    if len(m.variants) > 1:
        more += decayfigures.variants(m)
        caption = "Fall of the probability in percentage points"
        more += shown.side_by_side(m, caption, "falls")
    what = (
        "Other readings of the counts, other priors of the table, other shapes of the decay."
        if m.latent
        else "Other shapes of the decay."
    )
    return content.variants(m, what, more)


def limits(m: DecayMaterial) -> Section:
    """What the study leaves open."""
    import pandas as pd

    cells = m.cells if m.latent else pd.DataFrame()
    return content.limits(
        m, decaysentences.cannot_tell(m.slopes, m.parameters, cells, m.study.firm_label)
    )
