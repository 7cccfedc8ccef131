"""The sections of a report of the share model, of firms or of a register.

Its own sections are here, and what it puts into those that every model has; clusters and further
outcomes have modules of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.checks import tables
from intlmodels.core import formats as f
from intlmodels.models.base import flat
from intlmodels.models.share.design import CLUSTER, FIRM
from intlmodels.plots import share as plots
from intlmodels.plots import sharedata as dataplots
from intlmodels.report import answers, sections, sharesentences
from intlmodels.report.blocks import Block, Items, Paragraph, Picture, Section, Table
from intlmodels.report.data import ShareReportData
from intlmodels.report.formula import share_formula, share_symbols
from intlmodels.report.rows import (
    Rows,
    changed_cells,
    common_decimals,
    difference_rows,
    estimate,
    feature_table,
    level_rows,
    median_and_interval,
    prior_cell,
    rounded_estimate,
    side_by_side,
    variant_title,
)
from intlmodels.report.sections import picture
from intlmodels.results import share, wording
from intlmodels.results.intervals import clearest, outermost
from intlmodels.studies import Covariate, RegisterStudy, Terms

if TYPE_CHECKING:
    import pandas as pd


#: Rows of the table of the data in the report itself: firms, and cells of a register.
MOST_FIRMS, MOST_CELLS = 120, 40
#: Levels and differences listed in the report itself, of these the clearest; the files have all.
MOST_LEVELS, MOST_DIFFERENCES = 80, 21
#: Bands listed in a sentence.
MOST_BANDS = 12
#: Pairs of confounded levels in the answer.
MOST_CONFOUNDED = 3
#: Levels at either end of a predictor with very many of them.
MOST_ENDS = 10
#: Differences of a predictor that only a variant has.
MOST_OWN = 4
#: Levels in one picture; with more, each predictor has its own, but so many at most.
MOST_IN_A_PICTURE, MOST_PICTURES = 30, 8


def answer(m: ShareReportData) -> Section:
    """What was asked, and the answer in three sentences."""
    asked = m.study.question or (
        f"How does {m.study.outcome.label} differ between the {f.plural(m.study.firm_label)}?"
    )
    believed = "diagnostics and under predictions against data"
    beside = sharesentences.confounded(m.confounded.head(MOST_CONFOUNDED), m.rows)
    return sections.answer(m, asked, _answer(m), believed, beside)


def _answer(m: ShareReportData) -> list[str]:
    numbers = any(block["kind"] in share.NUMBERS for block in share.blocks(m.fit))
    said = answers.answer(m) if numbers or m.has_terms or m.has_zeros else []
    if said:
        return said
    tables = (m.levels, m.differences, m.ranks, m.variation, m.average, m.checks)
    many = (m.many_levels, m.level_spread) if len(m.many_levels) else None
    groups = [own.name for own in m.design.groupings]
    return sharesentences.answer(*tables, m.firms, many, groups, m.rows)


# -- the data ----------------------------------------------------------------------------


def data(m: ShareReportData) -> Section:
    """The tables as printed, and how they were read; of a register, the counts of its cells."""
    if m.register is not None:
        return _register_data(m, m.register)
    study, outcome = m.study, m.study.outcome
    text = (
        f"{outcome.label} of {m.firms}{m.years}, printed in {outcome.unit} ({outcome.file}, column "
        f"{outcome.column}) {_how_rounded(m)}{_weighted(m)}"
    )
    low, high = outcome.printed.min(), outcome.printed.max()
    figure = picture(
        "data",
        dataplots.data(study),
        f"{outcome.label} of each {study.row_label}: every bar spans the shares that round to "
        "the printed number.",
        f"Printed shares of {m.firms} as intervals, from {low:g} to {high:g} percent. The numbers "
        "are in the table of the data.",
        failed=False,
    )
    labels = [predictor.label for predictor in study.predictors.values()]
    labels += [own.label for own in study.groupings.values()]
    listed = _firm_rows(m, MOST_FIRMS)
    places = [study.firm_label, *([m.panel.column] if m.panel and m.panel.periods else [])]
    table = Table(
        "The data as printed, and the interval each printed share stands for",
        (*places, "printed %", "stands for %", *labels),
        listed,
        numeric=(len(places), len(places) + 1),
        file="tables/data.csv",
        note=f"The first {len(listed)} of {m.firms}." if len(study.firms) > len(listed) else "",
    )
    blocks = (Paragraph(text), figure, table, *_readings(m))
    return Section("data", "The data as printed", blocks)


def _how_rounded(m: ShareReportData) -> str:
    """How the shares were rounded, and what follows for the model."""
    outcome, row = m.study.outcome, m.study.row_label
    if outcome.bands:
        bands = [f.span(100 * low, 100 * high, 0) for low, high in outcome.bands]
        more = f" and {len(bands) - MOST_BANDS} more" if len(bands) > MOST_BANDS else ""
        return (
            f"in bands: {', '.join(bands[:MOST_BANDS])}{more}. A band says that the share lies "
            "within it, not where; the model uses the band."
        )
    if outcome.width:
        return (
            f"and rounded to {f.amount(outcome.width, 'percentage points')}. A printed number "
            "says no more than the interval that rounds to it; the model uses the interval."
        )
    widths, counts = np.unique(np.round(outcome.widths, 9), return_counts=True)
    each = [f"{width:g} ({count:,})" for width, count in zip(widths, counts, strict=True)]
    return (
        f"and rounded as each number was printed, to {f.listed(each)} percentage points; in "
        f"brackets the number of {f.plural(row)}. A printed number says no more than the interval "
        f"that rounds to it; the model uses the interval of each {row}."
    )


def _weighted(m: ShareReportData) -> str:
    """What weights make of the posterior, and what they cost."""
    weights = m.study.outcome.weights
    if weights is None:
        return ""
    rows = f.plural(m.study.row_label)
    return (
        f" The {rows} are weighted: each probability is raised to its weight, and the weights sum "
        f"to the number of {rows}. The result is a pseudo-posterior: its centre is that of the "
        "weighted population, its width holds only roughly. By Kish's formula the weighted "
        f"{rows} are worth {share.effective_rows(weights):,.0f} of equal weight."
    )


def _firm_rows(m: ShareReportData, most: int) -> Rows:
    """Firm (of a panel firm and period), printed share, interval, and predictors as printed."""
    study = m.study
    count = min(most, len(study.firms))
    columns = [
        [_as_printed(predictor, i) for i in range(count)] for predictor in study.predictors.values()
    ]
    columns += [[own.labels[c] for c in own.codes[:count]] for own in study.groupings.values()]
    places = m.data.iloc[:, : m.data.columns.get_loc("printed_pct")]
    shares = m.data[["printed_pct", "lower_pct", "upper_pct"]]
    both = zip(
        places.head(count).itertuples(index=False),
        shares.head(count).itertuples(index=False),
        study.outcome.widths,
        *columns,
        strict=False,
    )
    return tuple(
        (
            *map(str, where),
            f.number(printed, _places(width)),
            f.span(low, high, _places(width / 2)),
            *values,
        )
        for where, (printed, low, high), width, *values in both
    )


def _places(step: float) -> int:
    """Decimals that multiples of a step need; none for a band, which has no step."""
    if np.isnan(step):
        return 0
    for decimals in range(4):
        if abs(step * 10**decimals - round(step * 10**decimals)) < 1e-9:
            return decimals
    return 4


def _as_printed(predictor: Any, i: int) -> str:
    text = predictor.printed[i]
    if predictor.kind == "numeric" and np.isnan(predictor.values[i]):
        return "missing"
    if predictor.kind == "category" and predictor.levels[predictor.codes[i]] != text:
        return f"{text} (read as {predictor.levels[predictor.codes[i]]})"
    return str(text)


def _readings(m: ShareReportData) -> list[Block]:
    """What was read otherwise than printed, left out, or missing."""
    study = m.study
    blocks = changed_cells(
        study, "No cell was changed; a level that is part of a label stands beside it."
    )
    added = {name for own in study.variants.values() if isinstance(own, Terms) for name in own.add}
    notes = [
        f"{label}: {note}"
        for name, predictor in study.predictors.items()
        for label, _, note in predictor.readings
        if note and name not in added  # those beside their variant
    ]
    if notes:
        blocks += [Paragraph("How labels were read:"), Items(tuple(notes))]
    if study.dropped:
        blocks += [
            Paragraph(f"Left out, since the {study.outcome.label} is not printed:"),
            Items(tuple(f"{firm}: {why}" for firm, why in study.dropped)),
        ]
    covariates = [v.predictor for v in study.variants.values() if isinstance(v, Covariate)]
    missing = []
    for predictor in (*study.predictors.values(), *covariates):
        if predictor.kind != "numeric":
            continue
        without = [study.firms[i] for i in np.flatnonzero(np.isnan(predictor.values))]
        if without:
            missing.append(
                f"{predictor.label} ({predictor.file}, column {predictor.column}) is not printed "
                f"for {f.listed(without[:30])}{' and others' * (len(without) > 30)}; where it is "
                "used, the missing values are parameters"
            )
    if missing:
        blocks += [Paragraph("Missing values:"), Items(tuple(missing))]
    return blocks


def _register_data(m: ShareReportData, study: RegisterStudy) -> Section:
    """What was read, as counts."""
    outcome, read = study.outcome, study.read
    text = (
        f"{outcome.label}, printed in {outcome.unit} (column {outcome.column}) and rounded to "
        f"{f.amount(outcome.width, 'percentage points')}. A printed number says no more than the "
        "interval that rounds to it; the model uses the interval. The likelihood depends on the "
        "rows only through how many there are of each cell, a combination of levels and a printed "
        "share: the fit uses these counts, and is the fit of all rows, exactly."
    )
    facts = (
        f"files: {read.files:,} ({outcome.file})",
        f"rows: {read.rows:,}",
        *([f"firms: {read.firms:,}; {study.repeated_firms()}"] if read.firms else []),
        f"of these in the fit: {int(study.rows.sum()):,}, in {len(study.firms):,} cells",
        f"left out, without a share: {read.without:,}",
        f"set aside, since they cannot be read: {read.bad:,}" + " (set_aside.csv)" * (read.bad > 0),
    )
    figure = picture(
        "data",
        dataplots.register_data(m.fit),
        f"{outcome.label}: the part of the {f.plural(study.firm_label)} that print each share.",
        "Bars of how many rows print each share, one strip a level. The numbers are in the table "
        "of the cells.",
        failed=False,
    )
    rows = tuple(
        (*map(str, levels), f"{printed:g}", f"{count:,}")
        for *levels, printed, count in m.data.head(MOST_CELLS).itertuples(index=False)
    )
    labels = [] if study.clusters is None else [study.clusters.label]
    labels += [predictor.label for predictor in study.predictors.values()]
    table = Table(
        "The cells with the most rows",
        (*labels, "printed %", "rows"),
        rows,
        numeric=(len(labels), len(labels) + 1),
        file="tables/data.csv",
        note=f"{len(rows)} of {len(study.firms):,}; cells.csv beside the report has all.",
    )
    blocks = (Paragraph(text), Items(facts), figure, table)
    return Section("data", "The register as counts", blocks)


# -- model and priors --------------------------------------------------------------------


def model(m: ShareReportData) -> Section:
    """The model in mathematics."""
    study, width = m.study, m.study.outcome.width
    meanings = share_symbols(m.design, study.outcome, study.row_label)
    text = (
        "The share itself is continuous; what is observed is the interval that rounds to the "
        "printed number. Effects add up on the logit scale. The effects of the levels of a "
        "predictor are drawn towards each other as far as the data allow (varying effects)."
    )
    if m.design.clusters is not None:
        text += (
            " So are the clusters: each has a level and effects of its own, and what it differs by "
            "is estimated with how much clusters differ at all (partial pooling)."
        )
    text += "".join(f" {sentence}" for sentence in sharesentences.term_sentences(m.design, study))
    table = Table("Symbols", ("symbol", "meaning"), tuple(meanings))
    return Section("model", "The model", (Paragraph(text), share_formula(m.design, width), table))


def priors(m: ShareReportData) -> Section:
    """Priors, and the shares that they imply before seeing data."""
    quantiles, one = prior_quantiles(m), "firm" if m.panel is None else "row"
    implied = sharesentences.prior_predictive_sentence(quantiles, m.prob, m.firms, one)
    blocks: list[Block] = [Paragraph(implied)]
    between = sharesentences.prior_difference_sentences(m.prior_differences)
    if between:
        blocks.append(Items(tuple(between)))
    one, every = ("firm", "study") if m.register is None else ("row", "register")
    one = one if m.panel is None else "row"
    figure = picture(
        "prior-predictive",
        plots.prior_predictive(m.fit),
        "What the priors imply before seeing data: the printed share of one "
        f"{m.study.row_label}, and the average over the {every}.",
        f"Two bar charts of printed shares drawn from the priors alone: one {one}, and the "
        "average.",
        failed=False,
    )
    return sections.priors(m, [*blocks, figure])


def prior_quantiles(m: ShareReportData) -> dict[str, float]:
    """Quantiles of one firm's printed share and of the average under the priors."""
    ends = [(1 - m.prob) / 2, 0.5, (1 + m.prob) / 2]
    if m.register is None:
        printed = flat(share.outcomes(m.fit, "prior_predictive"))
        one, means = np.quantile(printed, ends), share.printed_means(m.fit, "prior_predictive")
        zero = float((printed == 0).mean())
    else:
        values, drawn = share.grid_counts(m.fit, "prior_predictive")
        chance = (drawn / drawn.sum(axis=1, keepdims=True)).mean(axis=0)
        one = values[np.minimum(np.searchsorted(chance.cumsum(), ends), len(values) - 1)]
        means, zero = drawn @ values / drawn.sum(axis=1), float(chance[0])
    names = ("low", "median", "high", "mean_low", "mean_median", "mean_high", "zero")
    found = (*map(float, one), *map(float, np.quantile(means, ends)), zero)
    return dict(zip(names, found, strict=True))


# -- estimates ---------------------------------------------------------------------------


def estimates(m: ShareReportData) -> Section:
    """Levels, differences, ranks and variation."""
    name = f.interval_name(m.prob)
    failed = not m.passed
    text = (
        "In percent of the printed scale, computed draw by draw. A level's average sets every "
        f"{m.study.row_label} to that level and leaves its other predictors as observed. "
        "Prior: median and interval of the same before seeing data."
    )
    if m.design.clusters is not None:
        text += (
            f" Each {m.study.firm_label} keeps the level and the effects of its own cluster; the "
            f"average of a cluster moves every {m.study.firm_label} there."
        )
    blocks: list[Block] = [Paragraph(text), *_level_pictures(m)]
    if len(m.levels):
        more = len(m.differences) - MOST_DIFFERENCES
        note = f"{more} differences with a less clear direction are in the file only."
        blocks += [
            Table(
                f"Average expected printed share at each level ({name})",
                ("predictor", "level", m.rows, "median", "interval", "prior"),
                level_rows(m.levels, MOST_LEVELS),
                numeric=(2, 3, 4, 5),
                file="tables/estimates.csv",
                failed=failed,
            ),
            *_difference_pictures(m),
            Table(
                f"Differences in percentage points ({name})",
                (
                    *("predictor", "difference", "median", "interval", "prior"),
                    *("probability of direction", "verdict"),
                ),
                difference_rows(m.differences, MOST_DIFFERENCES, verdicts=True),
                numeric=(2, 3, 4, 5),
                file="tables/differences.csv",
                note=note if more > 0 else "",
                failed=failed,
            ),
        ]
    else:
        blocks.append(Paragraph(_answer(m)[0]))
    every = (*blocks, *_many_levels(m), *_ranks(m), *_variation(m), *_totals(m))
    return Section("estimates", "Estimates", every)


def _level_pictures(m: ShareReportData) -> Iterator[Picture]:
    """One picture of all levels, or one a predictor where there are many."""
    for name, predictor, label in _split("estimates", m.levels):
        rows = m.levels if predictor is None else m.levels[m.levels["predictor"] == predictor]
        said = "; ".join(
            f"{row.level} {f.percent(row.median, f.decimals_for(row.ci_high - row.ci_low))}"
            for row in rows.head(12).itertuples(index=False)
        )
        yield picture(
            name,
            plots.estimates(m.fit, predictor, m.prob),
            f"Average expected printed share at each level{label}, the other predictors as "
            f"observed: median, 50% and {f.interval_name(m.prob)}.",
            f"Dots with intervals. Medians: {said}.",
            not m.passed,
        )


def _difference_pictures(m: ShareReportData) -> Iterator[Picture]:
    """One picture of all differences, or one a predictor where there are many."""
    for name, predictor, label in _split("differences", m.differences):
        yield picture(
            name,
            plots.differences(m.fit, predictor, m.prob),
            f"Differences between levels{label} in percentage points: median, 50% and "
            f"{f.interval_name(m.prob)}; at the right the probability of the likelier direction.",
            "Dots with intervals around a line at zero. The numbers are in the table of the "
            "differences.",
            not m.passed,
        )


def _split(name: str, table: pd.DataFrame) -> Iterator[tuple[str, str | None, str]]:
    """Name of each picture of a table, the predictor that it shows, and how that is said."""
    if not len(table):
        return
    if len(table) <= MOST_IN_A_PICTURE:
        yield name, None, ""
        return
    own = list(dict.fromkeys(zip(table["predictor"], table["label"], strict=True)))
    for number, (predictor, label) in enumerate(own[:MOST_PICTURES], start=1):
        yield f"{name}-{number}", predictor, f" of {label}"


def _many_levels(m: ShareReportData) -> Iterator[Block]:
    """The ends of predictors with very many levels, in place of all pairs of them."""
    name = f.interval_name(m.prob)
    for spread in m.level_spread.itertuples(index=False):
        own = m.many_levels[m.many_levels["predictor"] == spread.predictor]
        shown = outermost(own, MOST_ENDS)
        decimals = common_decimals(shown)
        rows = tuple(
            (
                row.level,
                *median_and_interval(row, decimals),
                f"{row.rank:.0f}",
                f.span(row.rank_low, row.rank_high, 0),
                f.probability(row.p_largest),
                f.probability(row.p_smallest),
            )
            for row in shown.itertuples(index=False)
        )
        yield Table(
            f"{spread.label}: levels with the largest and the smallest expected share ({name}s)",
            ("level", "median", "interval", "rank", "interval", "largest", "smallest"),
            rows,
            numeric=(1, 2, 3, 4, 5, 6),
            file="tables/level_ranks.csv",
            note=f"{len(shown)} of {spread.levels} levels, whose expected shares have a standard "
            f"deviation of {f.number(spread.median, 1)} percentage points "
            f"({f.span(spread.ci_low, spread.ci_high, 1)}). Largest and smallest: probability of "
            "the first and of the last rank. Differences between two of so many levels are not "
            "listed.",
            failed=not m.passed,
        )


def _ranks(m: ShareReportData) -> list[Block]:
    """Probabilities of ranks, if any predictor has them."""
    if not len(m.ranks):
        return []
    figure = picture(
        "ranks",
        plots.ranks(m.fit),
        "Probability of each rank by expected share, 1 the largest; the darker, the more probable.",
        "Tiles with the probability of each rank of each level. The numbers are in "
        "tables/ranks.csv.",
        not m.passed,
    )
    first = m.ranks[m.ranks["rank"] == 1].head(MOST_LEVELS)
    size = m.ranks.groupby("predictor")["rank"].transform("max")
    last = m.ranks[m.ranks["rank"] == size].head(MOST_LEVELS)
    pairs = zip(first.itertuples(index=False), last.itertuples(index=False), strict=True)
    table = Table(
        "Probability of the largest and of the smallest expected share",
        ("predictor", "level", "largest", "smallest"),
        tuple(
            (a.label, a.level, f.probability(a.probability), f.probability(b.probability))
            for a, b in pairs
        ),
        numeric=(2, 3),
        file="tables/ranks.csv",
        failed=not m.passed,
    )
    return [figure, table]


def _variation(m: ShareReportData) -> list[Block]:
    """Variation by source, if it was split."""
    if not len(m.variation):
        return [Paragraph("With this many predictors the variation is not split between them.")]
    name = f.interval_name(m.prob)
    figure = picture(
        "variation",
        plots.variation(m.fit, m.prob),
        f"Part of the variation of shares between {m.rows} by source: median, 50% and {name}.",
        "Dots with intervals, one a source. The numbers are in the table of the variation.",
        not m.passed,
    )
    note = (
        f"Shapley values of the variance of the {m.rows}' mean shares (Shorrocks 2013): the order "
        "in which predictors enter does not matter. A part below zero means that a predictor works "
        "against others that it goes together with. In every draw the parts add up to 100; their "
        "medians need not."
    )
    if m.design.clusters is not None:
        note += (
            " Of clusters it is their level; what one adds to an effect belongs to the predictor."
        )
    decimals = common_decimals(m.variation)
    table = Table(
        f"Variation of shares between {m.rows} by source, in percent ({name})",
        ("source", "median", "interval", "prior"),
        tuple(
            (row.label, *median_and_interval(row, decimals), *prior_cell(row, 0))
            for row in m.variation.itertuples(index=False)
        ),
        numeric=(1, 2, 3),
        file="tables/variation.csv",
        note=note,
        failed=not m.passed,
    )
    return [figure, table]


def _totals(m: ShareReportData) -> Iterator[Block]:
    """What the shares of the firms come to, in the unit of what they are parts of."""
    name = f.interval_name(m.prob)
    for total in m.study.totals:
        table = m.totals[m.totals["total"] == total.name]
        cells = {(row.fit, row.firms, row.quantity): row for row in table.itertuples(index=False)}
        yield Paragraph(sharesentences.total(cells, total, m.study.firms, name))
        groups = dict.fromkeys((fit, who) for fit, who, quantity in cells if quantity == "whole")
        rows = tuple(
            (
                *([variant_title(m, fit)] if len(set(table["fit"])) > 1 else []),
                f"{who} {m.firms}" if who == "all" else who,
                *(
                    rounded_estimate(cells[fit, who, quantity])
                    for quantity in ("whole", "part", "share", "mean share")
                ),
            )
            for fit, who in groups
        )
        unit = f", {total.unit}" * bool(total.unit)
        yield Table(
            f"{total.label}, and {_lower(total.of)} of the firms ({name}s)",
            (
                *(["fit"] if len(rows[0]) > 5 else []),
                *("firms", f"{_lower(total.of)}{unit}", f"{_lower(total.label)}{unit}"),
                *("share %", "mean share of firms %"),
            ),
            rows,
            numeric=tuple(range(len(rows[0]) - 4, len(rows[0]))),
            file="tables/totals.csv",
            failed=not m.passed,
        )


def _lower(label: str) -> str:
    return label[:1].lower() + label[1:]


# -- predictions -------------------------------------------------------------------------


def new_firms(m: ShareReportData) -> Section:
    """Predictions of firms that were not in the study."""
    firm, name = m.study.firm_label, f.interval_name(m.prob)
    text = (
        "The profiles that the study asks for."
        if m.study.profiles
        else "The study asks for no profiles; these are those observed, the most common first."
    )
    if m.study.clusters is not None:
        text += (
            f" A profile that names no cluster is {f.a(firm)} of a cluster that was not in the "
            "study: its level and its effects are drawn from the spread between the clusters."
        )
    for own in m.design.groupings:
        if own.name != CLUSTER:
            what = m.study.firm_label if own.name == FIRM else f"group by {own.label}"
            text += (
                f" A profile that names no {what} is of one that was not in the study: its level "
                "is drawn from the spread between them."
            )
    text += (
        " The expected share is known as far as the parameters are; what a single firm prints "
        "scatters around it."
    )
    figure = picture(
        "new-firms",
        plots.new_firms(m.prediction, m.passed, m.prob),
        f"Predicted printed share of a new {firm} of each profile; dark: {name}.",
        "Bars of the probability of each printed share, one strip a profile. The numbers are in "
        "the table of new firms.",
        not m.passed,
    )
    decimals, places = common_decimals(m.new_firms), _places(m.study.outcome.width)
    rows = tuple(
        (
            row.profile,
            *median_and_interval(row, decimals),
            f.number(row.printed_median, places),
            f.span(row.printed_low, row.printed_high, places),
        )
        for row in m.new_firms.itertuples(index=False)
    )
    table = Table(
        f"A new {firm} of each profile, in percent ({name}s)",
        ("profile", "expected share", "interval", "printed share", "interval"),
        rows,
        numeric=(1, 2, 3, 4),
        file="tables/new_firms.csv",
        failed=not m.passed,
    )
    return Section("new-firms", "New firms", (Paragraph(text), figure, table))


def predictions(m: ShareReportData) -> Section:
    """Data predicted by the fit against the data."""
    if m.register is None:
        draw, decimals = plots.posterior_predictive, sharesentences.feature_decimals
        against, title = "the data", "Predictions against data on the printed grid"
        note = (
            "Pr(larger): probability that predicted data have a larger value, ties counted half "
            "(posterior predictive p-value)."
        )
        alt = (
            f"Above, how many {m.rows} print each value, observed and predicted; below, each "
            f"{m.rows.removesuffix('s')}'s "
            "printed share beside its predictive interval."
        )
    else:
        draw = plots.register_predictive
        decimals = sharesentences.register_feature_decimals
        against, title = "the register", "Predictions against the register"
        note = (
            "Pr(larger): probability that a predicted register has a larger value, ties counted "
            "half (posterior predictive p-value). With very many rows the smallest misfit shows: "
            "look at its size, not at this probability alone."
        )
        alt = (
            "Above, how many rows print each value, observed and predicted; below, the mean share "
            "of combinations of levels beside its predictive interval."
        )
    figure = picture(
        "predictions",
        draw(m.fit, m.prob),
        f"Predictions of the fitted model against {against}, on the printed grid.",
        f"{alt} The numbers are in tables/predictions.csv.",
        not m.passed,
    )
    table = feature_table(m, f"Features of {against}", m.checks, decimals, note=note)
    said = map(Paragraph, [*wording.misfit_sentences(m.checks, decimals), *_heaping(m)])
    return Section("predictions", title, (*said, figure, table))


def _heaping(m: ShareReportData) -> list[str]:
    """Why heaping is not part of the default, if the variant was fitted."""
    if m.heaped_checks is None:
        return []
    found = m.check_results.comparison.value
    elpds = None if found is None else tables.elpds(found)
    differences = m.compared.rows(m.comparison)
    return wording.marked(
        [sharesentences.heaping(m.checks, m.heaped_checks, elpds, differences)], m.passed
    )


# -- variants and limits -----------------------------------------------------------------


def variants(m: ShareReportData) -> Section:
    """The same shares under other models."""
    what = "Other readings of the same tables, and other laws for the shares."
    if len(m.variants) < 2:
        return sections.variants(m, what)
    cut = len(m.differences) > plots.MOST_PANELS
    some = f" (the {plots.MOST_PANELS} with the clearest direction)" if cut else ""
    figure = picture(
        "variants",
        plots.variants(m.comparison),
        f"The same differences in every variant{some}: median, 50% and "
        f"{f.interval_name(m.prob)}. Hollow grey: for comparison only.",
        "Small panels, one a difference, with one dot and interval a variant. The numbers are "
        "in the table and in tables/variants.csv.",
        not m.passed,
    )
    tables = side_by_side(m, "Differences in percentage points", "differences")
    own = [figure, *tables, *_only_in_variants(m), *_compositions(m)]
    return sections.variants(m, what, own)


def _compositions(m: ShareReportData) -> Iterator[Block]:
    """Shares of several parts of one whole, at each level."""
    for variant, table in m.compositions.items():
        own = m.study.variants[variant]
        parts = list(dict.fromkeys(table["part"]))
        decimals = common_decimals(table)
        cells = [estimate(row, decimals) for row in table.itertuples(index=False)]
        places = table[["label", "level"]].iloc[:: len(parts)].to_numpy().tolist()
        rows = tuple(
            (label or "all", level or "as observed", *cells[len(parts) * i :][: len(parts)])
            for i, (label, level) in enumerate(places[: MOST_LEVELS + 1])
        )
        yield Table(
            f"{variant}: {f.listed(parts)} shares at each level, in percent "
            f"({f.interval_name(m.prob)}s)",
            ("predictor", "level", *parts),
            rows,
            numeric=tuple(range(2, 2 + len(parts))),
            file=f"tables/{variant}_parts.csv",
            note="Expected shares before rounding, averaged over the firms with the other "
            f"predictors as observed; they sum to 100. {own.note}".strip(),
            failed=not m.gates[variant].passed,
        )


def _only_in_variants(m: ShareReportData) -> list[Block]:
    """What a variant compares and the default does not."""
    table = m.compared.rows(m.comparison)
    table = table[~table["predictor"].isin(set(m.levels["predictor"]))]
    rows = tuple(
        (
            variant_title(m, str(variant)),
            f"{row.label}: {row.level} {f.MINUS} {row.against}",
            *median_and_interval(row, f.decimals_for(row.ci_high - row.ci_low)),
            f.probability(row.p_direction),
        )
        for (variant, _), part in table.groupby(["variant", "predictor"], sort=False)
        for row in clearest(part, MOST_OWN).itertuples(index=False)
    )
    if not rows:
        return []
    name = f.interval_name(m.prob)
    return [
        Table(
            f"Differences that only a variant has, in percentage points ({name})",
            ("variant", "difference", "median", "interval", "probability of direction"),
            rows,
            numeric=(2, 3, 4),
            note=f"Of each predictor at most {MOST_OWN}, the clearest.",
        )
    ]


def limits(m: ShareReportData) -> Section:
    """What the study leaves open."""
    tables = (m.levels, m.differences, m.parameters, m.crossings)
    computed = sharesentences.cannot_tell(*tables, m.firms, m.rows)
    several = {block.name: len(block.levels) for block in m.design.blocks if block.levels}
    computed += sharesentences.few_levels(m.parameters, several)
    more = []
    missing = int(np.isnan(m.fit["constant_data"]["design"].to_numpy()).any(axis=1).sum())
    if missing:
        more.append(
            f"{m.rows.capitalize()} with a missing covariate, which is estimated: {missing}."
        )
    if m.register is not None:
        more.append(
            "A register is one of firms as they were counted: intervals tell what the model leaves "
            "open given its form, and with this many rows that form, not the number of rows, "
            "limits what can be said. Calibration, leaving out single firms and sensitivity are "
            "for studies that list their firms; they do not apply here."
        )
    return sections.limits(m, computed, map(Paragraph, more))
