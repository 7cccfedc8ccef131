"""The section on curves, interactions, coefficients and groups of rows; predictions, not products.

An interaction is shown by the expected shares at both predictors, a curve over the range of its
predictor with the rows under it: a coefficient says little of either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from intlmodels.core import formats as f
from intlmodels.models.share.design import FIRM
from intlmodels.plots import interpret as plots
from intlmodels.report.blocks import Block, Items, Paragraph, Section, Table
from intlmodels.report.data import ShareReportData
from intlmodels.report.rows import common_decimals, parameter_rows
from intlmodels.report.sections import picture
from intlmodels.results.wording import CLEAR, LEANING, marked

#: Places along the range of a numeric predictor of which a table gives the expected share.
PLACES = 5


def terms(m: ShareReportData) -> Section | None:
    """Curves, interactions, coefficients and groups; nothing for a study that has none of them."""
    if not m.has_terms:
        return None
    blocks: list[Block] = [*_curves(m), *_interactions(m), *_coefficients(m), *_groups(m)]
    return Section("terms", "Curves, interactions and groups", tuple(blocks)) if blocks else None


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
    sentences = [_turning(row) for row in m.turning_points.itertuples(index=False)]
    yield Items(tuple(marked(sentences, m.passed)))
    yield Table(
        f"Where quadratic curves turn ({f.interval_name(m.prob)})",
        ("predictor", "observed range", "turning point", "interval", "inside", "U", "inverted U"),
        tuple(
            (
                row.label,
                f"{f.amount(_short(row.observed_low))} to "
                f"{f.amount(_short(row.observed_high), row.unit)}",
                f.amount(_short(row.median)),
                f"{f.amount(_short(row.ci_low))} to {f.amount(_short(row.ci_high))}",
                *map(f.probability, (row.p_inside, row.p_u, row.p_inverted)),
            )
            for row in m.turning_points.itertuples(index=False)
        ),
        numeric=(2, 3, 4, 5, 6),
        file="tables/turning_points.csv",
        note="Inside: probability that the curve turns within the observed range. U: that it falls "
        "at the lower end of the range and rises at the upper end, inverted U the reverse (the "
        "Bayesian counterpart of the test of Lind and Mehlum 2010).",
        failed=not m.passed,
    )


def _short(value: float) -> float:
    """A number with three significant digits."""
    return float(f"{value:.3g}")


def _turning(row: Any) -> str:
    """Whether a curve turns, in a sentence."""
    inverted = row.p_inverted >= row.p_u
    likelier = max(row.p_u, row.p_inverted)
    shape = "an inverted U" if inverted else "a U"
    if likelier >= CLEAR:
        first = f"the curve is {shape} within the observed range"
    elif likelier >= LEANING:
        first = f"the data lean to {shape} within the observed range"
    else:
        first = f"that the curve is {shape} within the observed range is not clear"
    where = (
        f"{f.amount(_short(row.observed_low))} to {f.amount(_short(row.observed_high), row.unit)}"
    )
    if likelier < LEANING:
        return f"{row.label}: {first} ({where}; probability {f.probability(likelier)})."
    return (
        f"{row.label}: {first} ({where}; probability {f.probability(likelier)}); it turns at "
        f"{f.amount(_short(row.median), row.unit)} "
        f"({f.interval_name(row.ci_prob, row.ci_kind)} {f.amount(_short(row.ci_low))} to "
        f"{f.amount(_short(row.ci_high))})."
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
    return value if isinstance(value, str) else f.amount(_short(float(value)), unit)


# -- coefficients and groups -------------------------------------------------------------


def _coefficients(m: ShareReportData) -> Iterator[Block]:
    """Slopes per standard deviation and in the unit of the predictor."""
    if not len(m.coefficients):
        return
    yield Table(
        f"Coefficients of numeric predictors on the logit scale ({f.interval_name(m.prob)})",
        ("predictor", "per", "median", "interval", "probability of direction"),
        tuple(
            (
                row.label,
                row.per,
                f.significant(row.median, 2),
                f.significant_span(row.ci_low, row.ci_high, 2),
                f.probability(row.p_direction),
            )
            for row in m.coefficients.itertuples(index=False)
        ),
        numeric=(2, 3, 4),
        file="tables/coefficients.csv",
        note="Per standard deviation as in the model, and in the predictor's own unit; a predictor "
        "that enters by its logarithm per doubling.",
        failed=not m.passed,
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
