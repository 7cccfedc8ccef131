"""The sections on curves, interactions, coefficients and groups of rows, and on structural zeros.

An interaction is shown by the expected shares at both predictors, a curve over the range of its
predictor with the rows under it: a coefficient says little of either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from intlmodels.core import formats as f
from intlmodels.models.share.design import FIRM
from intlmodels.plots import interpret as plots
from intlmodels.plots import share as share_plots
from intlmodels.report import rows
from intlmodels.report.data import ShareReportData
from intlmodels.report.pages import Values
from intlmodels.report.sections import drawing
from intlmodels.results.steps import BOTH

if TYPE_CHECKING:
    import pandas as pd


#: Places along the range of a numeric predictor of which a table gives the expected share.
PLACES = 5
#: Differences between levels of which the three estimands are listed; the file has all.
MOST_DIFFERENCES = 21


def terms(m: ShareReportData) -> Values | None:
    """Curves, interactions, coefficients and groups; nothing for a study that has none of them."""
    if not m.has_terms:
        return None
    steps = m.steps[m.steps["estimand"] == BOTH]
    decimals = rows.common_decimals(m.moderations)
    return rows.words(m) | {
        "curves": [
            {
                "label": m.labels[name],
                "drawn": drawing(f"curve-{name}", plots.curve(m.fit, name, m.prob)),
                "line": f'im.plots.curve(fit, "{name}")',
            }
            for name in m.curved
        ],
        "turning": tuple(map(_turning, m.turning_points.itertuples(index=False))),
        "interactions": [_interaction(m, name) for name in m.interactions],
        "moderations": tuple(
            (
                f"{row.label}: {row.more or rows.compared_levels(row)}",
                row.by,
                f"from {row.value} to {row.to}" if row.to else f"at {row.value}",
                rows.estimate(row, decimals),
                f.probability(row.p_direction),
            )
            for row in m.moderations.itertuples(index=False)
        ),
        "steps": tuple(
            (
                row.label,
                row.more,
                rows.estimate(row, rows.common_decimals(steps)),
                f.probability(row.p_direction),
            )
            for row in steps.itertuples(index=False)
        ),
        "coefficients": _slopes(m.coefficients),
        "spreads": _spreads(m),
    }


def _turning(row: Any) -> tuple[str, ...]:
    """Where a curve turns; outside of the observed range only on which side of it."""
    unit = f.bare(row.unit)

    def turn(value: float) -> str:
        if value < row.observed_low:
            return f"below {f.about(row.observed_low, unit)}"
        if value > row.observed_high:
            return f"above {f.about(row.observed_high, unit)}"
        return f.about(value, unit)

    return (
        row.label,
        f"{f.about(row.observed_low, unit)} to {f.about(row.observed_high, row.unit)}",
        f"{turn(row.median)} ({turn(row.ci_low)} to {turn(row.ci_high)})",
        *map(f.probability, (row.p_inside, row.p_u, row.p_inverted)),
    )


def _interaction(m: ShareReportData, name: str) -> Values:
    """An interaction as expected shares by both predictors."""
    found = m.interactions[name]
    first, second = found.dims
    table, values = found.table, found.draws[first].to_numpy()
    numbers = values.dtype.kind in "fi"
    if numbers:
        places = {values[round(i * (len(values) - 1) / (PLACES - 1))] for i in range(PLACES)}
        table = table[table[first].isin(places)]
    decimals = rows.common_decimals(table)

    def word(value: Any, unit: str) -> str:
        return value if isinstance(value, str) else f.about(float(value), unit)

    return {
        "name": name,
        "labels": [found.labels[first], found.labels[second]],
        "numbers": numbers,
        "drawn": drawing(f"interaction-{name}", plots.interaction(m.fit, name, m.prob)),
        "shares": tuple(
            (
                word(one, found.units[first]),
                word(other, found.units[second]),
                rows.estimate(row, decimals),
            )
            for one, other, row in zip(
                table[first], table[second], table.itertuples(index=False), strict=True
            )
        ),
    }


def _slopes(table: pd.DataFrame) -> rows.Rows:
    return tuple(
        (
            row.label,
            row.per,
            f"{f.significant(row.median, 2)} ({f.significant_span(row.ci_low, row.ci_high, 2)})",
            f.probability(row.p_direction),
        )
        for row in table.itertuples(index=False)
    )


def _spreads(m: ShareReportData) -> rows.Rows:
    """How far groups of rows differ in level and in effects."""
    known = {row.name: row for row in m.parameters.itertuples(index=False)}
    found = []
    for group in m.design.groupings:
        if group.name == "cluster":
            continue
        label = m.study.firm_label if group.name == FIRM else group.label
        parts = [(f"sigma_{group.name}", "level")]
        parts += [(f"sigma_{b.by(group.name)}", b.label) for b in m.design.slopes(group)]
        found += [
            (label, f"{len(group.labels):,}", what, *rows.beside_prior(known[name]))
            for name, what in parts
            if name in known
        ]
    return tuple(found)


def zeros(m: ShareReportData) -> Values | None:
    """Whether there is any share at all, how much if so, and both together."""
    if not m.has_zeros:
        return None
    levels, differences = m.zero_levels, m.zero_differences
    shown = differences.assign(
        difference=[rows.compared_levels(row) for row in differences.itertuples(index=False)]
    )
    every = _in_columns(shown, ("label", "difference"))
    averages = m.zero_averages
    decimals = rows.common_decimals(averages)
    each = [rows.estimate(row, decimals, "%") for row in averages.itertuples(index=False)]
    return rows.words(m) | {
        "average": dict(zip(("any", "if_any", "both"), each, strict=True)),
        "drawn": drawing("zeros", share_plots.zeros(m.fit, m.prob)) if len(levels) else None,
        "level_rows": _in_columns(levels, ("label", "level")),
        "difference_rows": every[:MOST_DIFFERENCES],
        "more_differences": max(0, len(every) - MOST_DIFFERENCES),
        "coefficients": _slopes(m.zero_coefficients),
    }


def _in_columns(table: pd.DataFrame, key: tuple[str, str]) -> rows.Rows:
    """The three estimands of a level or a difference side by side."""
    decimals = rows.common_decimals(table)
    cells: dict[tuple[str, ...], list[str]] = {}
    for row in table.itertuples(index=False):
        place = tuple(rows.level_words(str(getattr(row, name))) for name in key)
        cells.setdefault(place, []).append(rows.estimate(row, decimals))
    return tuple((*place, *each) for place, each in cells.items())
