"""The sections of a report of a register of decisions that other decay fits have not."""

from __future__ import annotations

from intlmodels.core import formats as f
from intlmodels.models.decay.estimands import MOST_ENTRIES
from intlmodels.plots import decay
from intlmodels.report import decay as of_decay
from intlmodels.report import rows as shown
from intlmodels.report.blocks import Block, Items, Paragraph, Section, Table
from intlmodels.report.decaydata import SequenceMaterial
from intlmodels.report.figures import picture
from intlmodels.results import wording

#: Kinds of firms in the table of the report itself.
MOST_CELLS = 30


def data(m: SequenceMaterial) -> Section:
    """What was read, as counts."""
    study, read = m.study, m.study.read
    events, firms = f.plural(study.event), f.plural(study.firm_label)
    text = (
        f"Each row is {f.a(study.event)}, {study.flag_label} or not; a {study.firm_label}'s rows "
        f"in order of time are its sequence. {firms.capitalize()} with the same sequence have the "
        "same likelihood, and given the model even less matters: how many "
        f"{events} and flags a {study.firm_label} has, and how many flags there are at each place "
        "of a sequence. The fit uses these counts, and is the fit of all rows, exactly."
    )
    facts = [
        f"files: {read.files:,} ({study.files})",
        f"rows: {read.rows:,}",
        f"in the fit: {study.total:,} {events} of {read.firms:,} {firms}, with "
        f"{read.sequences:,} different sequences, the longest of {study.longest:,}",
        f"counted as {len(study.sequences.firms):,} kinds of {firms}",
        f"on the date of an earlier one of the same {study.firm_label}: {read.ties:,}; these keep "
        "the order of the rows",
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
    header = tuple(map(str, m.data.columns))
    table = Table(
        f"The kinds of {firms} that are most frequent",
        header,
        tuple(
            (size, *(f"{value:,}" for value in values))
            for size, *values in m.data.head(MOST_CELLS).itertuples(index=False)
        ),
        numeric=tuple(range(1, len(header))),
        file="tables/data.csv",
        note=f"{min(MOST_CELLS, len(m.data)):,} of {len(study.sequences.firms):,}; cells.csv and "
        "places.csv beside the report have all counts.",
    )
    figure = picture(
        "data",
        decay.data(m.fit),
        f"The part of the {events} that are {study.flag_label}, and how many there are, by the "
        f"number of earlier ones of the same {study.firm_label}.",
        "Dots by prior entries, one panel a size, above bars of the numbers. The numbers are in "
        "tables/predictions.csv.",
        failed=False,
    )
    blocks: tuple[Block, ...] = (Paragraph(text), Items(tuple(facts)), figure, table)
    return Section("data", "The register as counts", blocks)


def model(m: SequenceMaterial) -> Section:
    """The model in mathematics, and what became of the firms' effects."""
    section = of_decay.model(m)
    text = (
        f"The effects of single {f.plural(m.study.firm_label)} are integrated out, by trapezoidal "
        "sums over as many equal steps as make their error negligible; after the fit they are held "
        "against finer ones, and a fit for which that matters is made again or refused. What is "
        "drawn is the spread of the effects and everything else."
    )
    return Section(section.anchor, section.title, (*section.blocks, Paragraph(text)))


def predicted(m: SequenceMaterial) -> Section:
    """Registers predicted by the fit against the register."""
    study = m.study
    rows = m.predicted[m.predicted["entries"] <= MOST_ENTRIES]
    table = Table(
        f"Percent {study.flag_label} by prior entries ({f.interval_name(m.prob)})",
        ("size", "prior entries", "number", "observed", "predicted median", "interval"),
        tuple(
            (
                row.size,
                str(row.entries),
                f"{row.decisions:,}",
                f.number(row.observed, 2),
                f.number(row.median, 2),
                shown.interval(row, 2),
            )
            for row in rows.itertuples(index=False)
        ),
        numeric=(1, 2, 3, 4, 5),
        file="tables/predictions.csv",
        failed=not m.passed,
    )
    features = Table(
        f"Features of the register, observed and predicted ({f.interval_name(m.prob)})",
        ("feature", "observed", "predicted median", "interval", "Pr(larger)"),
        shown.feature_rows(m.checks, decimals),
        numeric=(1, 2, 3, 4),
        file="tables/checks.csv",
        note="Pr(larger): probability that a predicted register has a larger value, ties counted "
        "half. With very many rows the smallest misfit shows: look at its size, not at this "
        "probability alone.",
        failed=not m.passed,
    )
    figure = picture(
        "predictions",
        decay.posterior_predictive(m.fit, m.prob),
        "Predictions of the fitted model against the register, by prior entries.",
        "Above, the observed and predicted part with the flag; below, their difference. The "
        "numbers are in the table.",
        not m.passed,
    )
    said = wording.misfit_sentences(m.checks, decimals)
    return Section(
        "predictions",
        "Predictions against the register",
        (*map(Paragraph, said), figure, features, table),
    )


def decimals(feature: str) -> int:
    """Decimals with which a feature is written: all are percentages."""
    return 2


def limits(m: SequenceMaterial) -> Section:
    """What the register leaves open."""
    section = of_decay.limits(m)
    text = (
        "Intervals tell what the model leaves open given its form, and with very many rows that "
        "form, not the number of rows, limits what can be said: see the predictions. Calibration, "
        "leaving out single firms, reconstruction and audits are for studies that list their firms "
        "or have counts; they do not apply here."
    )
    return Section(section.anchor, section.title, (*section.blocks, Paragraph(text)))
