"""The section on curves, interactions, coefficients and groups of rows; predictions, not products.

An interaction is shown by the expected shares at both predictors, a curve over the range of its
predictor with the rows under it: a coefficient says little of either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from intlmodels.core import formats as f
from intlmodels.models.share.design import FIRM
from intlmodels.plots import interpret as plots
from intlmodels.plots import share as share_plots
from intlmodels.report import answers
from intlmodels.report.blocks import Block, Items, Paragraph, Section, Table
from intlmodels.report.data import ShareReportData
from intlmodels.report.rows import (
    Rows,
    common_decimals,
    estimate,
    median_and_interval,
    parameter_rows,
)
from intlmodels.report.sections import picture
from intlmodels.results.steps import ANY, BOTH, IF_ANY
from intlmodels.results.wording import marked

if TYPE_CHECKING:
    import pandas as pd


#: Places along the range of a numeric predictor of which a table gives the expected share.
PLACES = 5
#: Differences between levels of which the three estimands are listed; the file has all.
MOST_DIFFERENCES = 21


def terms(m: ShareReportData) -> Section | None:
    """Curves, interactions, coefficients and groups; nothing for a study that has none of them."""
    if not m.has_terms:
        return None
    blocks: list[Block] = [
        *_curves(m),
        *_interactions(m),
        *_moderations(m),
        *_coefficients(m),
        *_groups(m),
    ]
    return Section("terms", "Curves, interactions and groups", tuple(blocks)) if blocks else None


#: Of which of its curves the turning point is that of a predictor with an interaction.
_OF_INTERACTIONS = (
    " Where the predictor is in an interaction, its curve is that midway between two levels, or at "
    "the mean, of the other."
)


# -- curves ------------------------------------------------------------------------------


def _curves(m: ShareReportData) -> Iterator[Block]:
    """Each curved or split predictor over its range, and where quadratic curves turn."""
    rows = f.plural(m.study.row_label)
    for name in m.curved:
        label = m.labels[name]
        yield picture(
            f"curve-{name}",
            plots.curve(m.fit, name, m.prob),
            f"{label}: expected share over its observed range, the other predictors as observed; "
            f"the strokes below are the {rows}.",
            f"A line with a band over {label}. How many {rows} lie where is drawn below it.",
            not m.passed,
        )
    if not len(m.turning_points):
        return
    sentences = [answers.turning(row) for row in m.turning_points.itertuples(index=False)]
    yield Items(tuple(marked(sentences, m.passed)))
    yield Table(
        f"Where quadratic curves turn ({f.interval_name(m.prob)})",
        ("predictor", "observed range", "turning point", "interval", "inside", "U", "inverted U"),
        tuple(
            (
                row.label,
                f"{f.amount(f.rounded(row.observed_low))} to "
                f"{f.amount(f.rounded(row.observed_high), row.unit)}",
                answers.turn(row.median, row),
                f"{answers.turn(row.ci_low, row)} to {answers.turn(row.ci_high, row)}",
                *map(f.probability, (row.p_inside, row.p_u, row.p_inverted)),
            )
            for row in m.turning_points.itertuples(index=False)
        ),
        numeric=(2, 3, 4, 5, 6),
        file="tables/turning_points.csv",
        note="Inside: probability that the curve turns within the observed range. U: that it falls "
        "at the lower end of the range and rises at the upper end, inverted U the reverse (the "
        "Bayesian counterpart of the test of Lind and Mehlum 2010)."
        + _OF_INTERACTIONS
        * bool(m.interactions),
        failed=not m.passed,
    )


# -- interactions ------------------------------------------------------------------------


def _interactions(m: ShareReportData) -> Iterator[Block]:
    """Each interaction as expected shares by both predictors."""
    for name, found in m.interactions.items():
        first, second = found.dims
        labels = [found.labels[dim] for dim in (first, second)]
        yield picture(
            f"interaction-{name}",
            plots.interaction(m.fit, name, m.prob),
            f"Expected share by {labels[0]} and {labels[1]}, the other predictors as observed: "
            f"median and {f.interval_name(m.prob)}.",
            f"{labels[0]} and {labels[1]}: the numbers are in the table.",
            not m.passed,
        )
        table = found.table
        numbers = found.draws[first].dtype.kind in "fi"
        if numbers:
            values = found.draws[first].to_numpy()
            places = {values[round(i * (len(values) - 1) / (PLACES - 1))] for i in range(PLACES)}
            table = table[table[first].isin(places)]
        decimals = common_decimals(table)
        yield Table(
            f"Expected share by {labels[0]} and {labels[1]}, in percent "
            f"({f.interval_name(m.prob)})",
            (labels[0], labels[1], "median", "interval"),
            tuple(
                (
                    *(_value(row[dim], found.units[dim]) for dim in (first, second)),
                    f.number(row["median"], decimals),
                    f.span(row["ci_low"], row["ci_high"], decimals),
                )
                for _, row in table.iterrows()
            ),
            numeric=(*((0,) if numbers else ()), 2, 3),
            file=f"tables/interaction_{name}.csv",
            note="The effect of either predictor depends on the other: differences within a column "
            "of values of the other predictor are the ones to read. A combination is computed "
            "whether or not it was observed.",
            failed=not m.passed,
        )


def _value(value: Any, unit: str) -> str:
    """A level, or a number with its unit."""
    return value if isinstance(value, str) else f.amount(f.rounded(float(value)), unit)


def _moderations(m: ShareReportData) -> Iterator[Block]:
    """The difference that one predictor makes at values of the other, and how far it changes."""
    table = m.moderations
    if not len(table):
        return
    decimals = common_decimals(table)
    yield Table(
        f"How differences depend on the other predictor, in percentage points "
        f"({f.interval_name(m.prob)})",
        ("difference", "by", "at", "median", "interval", "probability of direction"),
        tuple(
            (
                f"{row.label}: {row.more or f'{row.level} {f.MINUS} {row.against}'}",
                row.by,
                f"change from {row.value} to {row.to}" if row.to else row.value,
                *median_and_interval(row, decimals),
                f.probability(row.p_direction),
            )
            for row in table.itertuples(index=False)
        ),
        numeric=(3, 4, 5),
        file="tables/moderations.csv",
        failed=not m.passed,
    )


# -- coefficients and groups -------------------------------------------------------------


def _coefficients(m: ShareReportData) -> Iterator[Block]:
    """Slopes per standard deviation and in the unit of the predictor."""
    steps = m.steps[m.steps["estimand"] == BOTH]
    if len(steps):
        yield Table(
            f"What goes with more of each numeric predictor, in percentage points "
            f"({f.interval_name(m.prob)})",
            ("predictor", "more", "median", "interval", "probability of direction"),
            tuple(
                (
                    row.label,
                    row.more,
                    *median_and_interval(row, common_decimals(steps)),
                    f.probability(row.p_direction),
                )
                for row in steps.itertuples(index=False)
            ),
            numeric=(2, 3, 4),
            file="tables/steps.csv",
            note="The expected share of every row with as much more, less that of the rows as "
            "observed; of a predictor that the study compares at values of its own between the "
            "last and the first of these. Curved predictors are left out.",
            failed=not m.passed,
        )
    if not len(m.coefficients):
        return
    yield Table(
        f"Coefficients of numeric predictors on the logit scale ({f.interval_name(m.prob)})",
        ("predictor", "per", "median", "interval", "probability of direction"),
        _slope_rows(m.coefficients),
        numeric=(2, 3, 4),
        file="tables/coefficients.csv",
        note="Per standard deviation as in the model, and in the predictor's own unit; a predictor "
        "that enters by its logarithm per doubling.",
        failed=not m.passed,
    )


def _slope_rows(table: pd.DataFrame) -> Rows:
    return tuple(
        (
            row.label,
            row.per,
            f.significant(row.median, 2),
            f.significant_span(row.ci_low, row.ci_high, 2),
            f.probability(row.p_direction),
        )
        for row in table.itertuples(index=False)
    )


def _groups(m: ShareReportData) -> Iterator[Block]:
    """How far groups of rows differ in level and in effects."""
    own = [group for group in m.design.groupings if group.name != "cluster"]
    if not own:
        return
    names = [f"sigma_{group.name}" for group in own]
    names += [f"sigma_{b.by(group.name)}" for group in own for b in m.design.slopes(group)]
    table = m.parameters[m.parameters["name"].isin(names)]
    meanings = {name: prior["meaning"] for name, prior in m.attribute("priors").items()}
    table = table.assign(meaning=[meanings[name] for name in table["name"]])
    many = [
        f"{len(group.labels):,} {f.plural(m.study.firm_label)}"
        if group.name == FIRM
        else f"{len(group.labels):,} groups by {group.label}"
        for group in own
    ]
    yield Paragraph(
        f"Rows are grouped: {f.listed(many)}. What a group adds to the level, or to an effect, is "
        "drawn around zero; the standard deviations say how far groups differ at the same values "
        "of all predictors."
    )
    yield Table(
        f"Standard deviations between groups, posterior beside prior ({f.interval_name(m.prob)}s)",
        ("what", "posterior median", "interval", "prior median", "interval", "spread ratio"),
        parameter_rows(table, "meaning"),
        numeric=(1, 2, 3, 4, 5),
        file="tables/parameters.csv",
        failed=not m.passed,
    )


# -- structural zeros --------------------------------------------------------------------


def zeros(m: ShareReportData) -> Section | None:
    """Whether there is any share at all, how much if so, and both together."""
    if not m.has_zeros:
        return None
    row, rows = m.study.row_label, f.plural(m.study.row_label)
    name, failed = f.interval_name(m.prob), not m.passed
    text = (
        f"A {row} may have no share at all (a structural zero), which is more than a small share "
        "that rounds to 0. So there are three questions: whether there is any share at all, how "
        "large it is if there is, and both together, which is the expected share of all other "
        "sections. A level's average sets every "
        f"{row} to that level and leaves its other predictors as observed."
    )
    levels, differences = m.zero_levels, m.zero_differences
    blocks: list[Block] = [
        Paragraph(text),
        Items(tuple(marked(answers.zero_sentences(m), m.passed))),
    ]
    if len(levels):
        blocks += [
            picture(
                "zeros",
                share_plots.zeros(m.fit, m.prob),
                f"Part of the {rows} with any share at all, their share, and both together, at "
                f"each level, the other predictors as observed: median, 50% and {name}.",
                "Three panels with dots and intervals. The numbers are in the table.",
                failed,
            ),
            Table(
                f"Three averages at each level, in percent ({name})",
                ("predictor", "level", ANY, IF_ANY, "both together"),
                _in_columns(levels, ("label", "level")),
                numeric=(2, 3, 4),
                file="tables/zeros.csv",
                failed=failed,
            ),
        ]
    if len(differences):
        shown = differences.assign(
            difference=differences["level"] + f" {f.MINUS} " + differences["against"]
        )
        every = _in_columns(shown, ("label", "difference"))
        blocks.append(
            Table(
                f"Three differences, in percentage points ({name})",
                ("predictor", "difference", ANY, IF_ANY, "both together"),
                every[:MOST_DIFFERENCES],
                numeric=(2, 3, 4),
                file="tables/zero_differences.csv",
                note=f"The first {MOST_DIFFERENCES} of {len(every):,}."
                * (len(every) > MOST_DIFFERENCES),
                failed=failed,
            )
        )
    if len(m.zero_coefficients):
        blocks.append(
            Table(
                f"Coefficients of the log odds of a structural zero ({name})",
                ("predictor", "per", "median", "interval", "probability of direction"),
                _slope_rows(m.zero_coefficients),
                numeric=(2, 3, 4),
                file="tables/zero_coefficients.csv",
                note="Above zero: structural zeros become more frequent.",
                failed=failed,
            )
        )
    return Section("zeros", "Any share at all, and how much", tuple(blocks))


def _in_columns(table: pd.DataFrame, key: tuple[str, str]) -> Rows:
    """The three estimands of a level or a difference side by side."""
    decimals = common_decimals(table)
    cells: dict[tuple[str, ...], list[str]] = {}
    for row in table.itertuples(index=False):
        place = tuple(str(getattr(row, name)) for name in key)
        cells.setdefault(place, []).append(estimate(row, decimals))
    return tuple((*place, *each) for place, each in cells.items())
