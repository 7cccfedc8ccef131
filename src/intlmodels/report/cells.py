"""The sections of a report of a register that are not those of single firms."""

from __future__ import annotations

import numpy as np

from intlmodels.core import formats as f
from intlmodels.plots import share, sharedata
from intlmodels.report import content, sharesentences
from intlmodels.report import rows as shown
from intlmodels.report import share as of_shares
from intlmodels.report.blocks import Block, Items, Paragraph, Section, Table
from intlmodels.report.figures import picture
from intlmodels.report.sharedata import RegisterMaterial
from intlmodels.results import share as predictions
from intlmodels.results import wording

#: Cells in the table of the report itself.
MOST_CELLS = 40


def data(m: RegisterMaterial) -> Section:
    """What was read, as counts."""
    study, outcome, read = m.study, m.study.outcome, m.study.read
    text = (
        f"{outcome.label}, printed in {outcome.unit} (column {outcome.column}) and rounded to "
        f"{outcome.width:g} percentage points. A printed number says no more than the interval "
        "that rounds to it; the model uses the interval. The likelihood depends on the rows only "
        "through how many there are of each cell, a combination of levels and a printed share: the "
        "fit uses these counts, and is the fit of all rows, exactly."
    )
    facts = (
        f"files: {read.files:,} ({outcome.file})",
        f"rows: {read.rows:,}",
        f"of these in the fit: {int(study.rows.sum()):,}, in {len(study.firms):,} cells",
        f"left out, without a share: {read.without:,}",
        f"set aside, since they cannot be read: {read.bad:,}" + " (set_aside.csv)" * (read.bad > 0),
    )
    figure = picture(
        "data",
        sharedata.register_data(m.fit),
        f"{outcome.label}: the part of the {f.plural(study.firm_label)} that print each share.",
        "Bars of how many rows print each share, one strip a level. The numbers are in the table "
        "of the cells.",
        failed=False,
    )
    table = m.data.head(MOST_CELLS)
    rows = [
        (*map(str, levels), f"{share:g}", f"{count:,}")
        for *levels, share, count in table.itertuples(index=False)
    ]
    labels = [] if study.clusters is None else [study.clusters.label]
    labels += [predictor.label for predictor in study.predictors.values()]
    cells = Table(
        "The cells with the most rows",
        (*labels, "printed %", "rows"),
        tuple(rows),
        numeric=(len(labels), len(labels) + 1),
        file="tables/data.csv",
        note=f"{len(rows)} of {len(study.firms):,}; cells.csv beside the report has all.",
    )
    blocks: tuple[Block, ...] = (Paragraph(text), Items(facts), figure, cells)
    return Section("data", "The register as counts", blocks)


def priors(m: RegisterMaterial) -> Section:
    """Priors, and the shares that they imply before seeing data."""
    values, drawn = predictions.grid_counts(m.fit, "prior_predictive")
    chance = (drawn / drawn.sum(axis=1, keepdims=True)).mean(axis=0)
    ends = [(1 - m.prob) / 2, 0.5, (1 + m.prob) / 2]
    one = values[np.minimum(np.searchsorted(chance.cumsum(), ends), len(values) - 1)]
    mean = np.quantile(drawn @ values / drawn.sum(axis=1), ends)
    implied = dict(zip(("low", "median", "high"), map(float, one), strict=True))
    implied |= dict(zip(("mean_low", "mean_median", "mean_high"), map(float, mean), strict=True))
    implied["zero"] = float(chance[0])
    blocks: list[Block] = [
        Paragraph(sharesentences.prior_predictive_sentence(implied, m.prob, m.firms))
    ]
    between = sharesentences.prior_difference_sentences(m.prior_differences)
    if between:
        blocks.append(Items(tuple(between)))
    figure = picture(
        "prior-predictive",
        share.prior_predictive(m.fit),
        "What the priors imply before seeing data: the printed share of one "
        f"{m.study.firm_label}, and the average over the register.",
        "Two bar charts of printed shares drawn from the priors alone: one row, and the average.",
        failed=False,
    )
    return content.priors(m, [*blocks, figure])


def predicted(m: RegisterMaterial) -> Section:
    """Registers predicted by the fit against the register."""
    table = Table(
        f"Features of the register, observed and predicted ({f.interval_name(m.prob)})",
        ("feature", "observed", "predicted median", "interval", "Pr(larger)"),
        shown.feature_rows(m.checks, decimals),
        numeric=(1, 2, 3, 4),
        file="tables/checks.csv",
        note="Pr(larger): probability that a predicted register has a larger value, ties counted "
        "half (posterior predictive p-value). With very many rows the smallest misfit shows: look "
        "at its size, not at this probability alone.",
        failed=not m.passed,
    )
    figure = picture(
        "predictions",
        share.register_predictive(m.fit, m.prob),
        "Predictions of the fitted model against the register, on the printed grid.",
        "Above, how many rows print each value, observed and predicted; below, the mean share of "
        "combinations of levels beside its predictive interval. The numbers are in "
        "tables/predictions.csv.",
        not m.passed,
    )
    said = wording.misfit_sentences(m.checks, decimals)
    return Section(
        "predictions",
        "Predictions against the register",
        (*map(Paragraph, said), figure, table),
    )


def decimals(feature: str) -> int:
    """Decimals with which a feature of a register is written."""
    return 1 if "st printed share" in feature else 3


def limits(m: RegisterMaterial) -> Section:
    """What the register leaves open."""
    section = of_shares.limits(m)
    text = (
        "A register is one of firms as they were counted: intervals tell what the model leaves "
        "open given its form, and with this many rows that form, not the number of rows, limits "
        "what can be said. Calibration, leaving out single firms and sensitivity are for studies "
        "that list their firms; they do not apply here."
    )
    return Section(section.anchor, section.title, (*section.blocks, Paragraph(text)))
