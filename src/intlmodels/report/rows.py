"""Rows of tables that the report of every model has: results with the digits that they bear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core import formats as f
from intlmodels.fitting.diagnostics import Result
from intlmodels.report.blocks import Block, Items, Paragraph, Table
from intlmodels.report.data import Material
from intlmodels.results.intervals import clearest
from intlmodels.study import Study

if TYPE_CHECKING:
    import pandas as pd


MOST_PARAMETERS = 60
MOST_NOTES = 40
#: Quantities set side by side over variants, and how many stand in one table.
MOST_COMPARED, IN_ONE_TABLE = 6, 3

Rows = tuple[tuple[str, ...], ...]


def common_decimals(table: pd.DataFrame) -> int:
    """Common decimals of a table of percentages: one more than its sentences would have."""
    widths = (table["ci_high"] - table["ci_low"]).to_numpy()
    return min(3, max(1, f.decimals_for(float(np.median(widths))))) if len(widths) else 1


def interval(row: Any, decimals: int) -> str:
    """The interval of a row of a table."""
    return f.span(row.ci_low, row.ci_high, decimals)


# -- the data ----------------------------------------------------------------------------


def changed_cells(study: Study, none: str) -> list[Block]:
    """What was read otherwise than printed; ``none`` is said if nothing was."""
    notes = [
        f"{file}, row {row}, column {column}: {printed!r} was read as {read!r}"
        for file, row, column, printed, read in study.normalizations
    ]
    if not notes:
        return [Paragraph(none)]
    more = [f"and {len(notes) - MOST_NOTES} more"] if len(notes) > MOST_NOTES else []
    return [
        Paragraph("Cells whose white space or Unicode form was changed when read:"),
        Items(tuple(notes[:MOST_NOTES] + more)),
    ]


# -- the gate ----------------------------------------------------------------------------


def check_value(result: Result) -> str:
    """A value of the gate with the digits it needs to be held against its limit."""
    if result.outcome == "informational" and not np.isfinite(result.value):
        return f.DASH
    if not np.isfinite(result.value):
        return "undefined"
    return f.number(result.value, {"rhat": 3, "ebfmi": 2}.get(result.name, 0))


def gate_rows(results: Sequence[Result]) -> Rows:
    """What was looked at, value, limit, where, and outcome."""
    return tuple(
        (
            r.label,
            check_value(r),
            f"{r.direction} {r.limit:g}",
            r.where or f.DASH,
            r.outcome,
        )
        for r in results
    )


# -- priors and parameters ---------------------------------------------------------------


def prior_rows(m: Material) -> list[tuple[str, ...]]:
    """Priors that the stored fit was made with."""
    stored = m.attribute("priors")
    rows: list[tuple[str, ...]] = [
        (p["name"], p["text"], p["origin"], p["meaning"]) for p in stored.values()
    ]
    rows += [(name, text, "follows", meaning) for name, text, meaning in m.fixed_priors]
    return rows


def on_its_scale(median: float, low: float, high: float) -> tuple[str, str]:
    """A median and its interval, with the digits that the width of the interval deserves."""
    if high - low < 0.01:
        return f.significant(median), f.significant_span(low, high)
    decimals = f.decimals_for(high - low) + 1
    return f.number(median, decimals), f.span(low, high, decimals)


def parameter_rows(m: Material) -> Rows:
    """Posterior and prior of each parameter."""
    rows = list(m.parameters.itertuples(index=False))[:MOST_PARAMETERS]
    return tuple(
        (
            row.name,
            *on_its_scale(row.median, row.ci_low, row.ci_high),
            *on_its_scale(row.prior_median, row.prior_low, row.prior_high),
            f.number(row.spread_ratio, 2),
        )
        for row in rows
    )


# -- predictions -------------------------------------------------------------------------


def feature_rows(checks: pd.DataFrame, decimals_of: Callable[[str], int]) -> Rows:
    """Features of the data, observed and predicted."""
    rows = []
    for row in checks.itertuples(index=False):
        decimals = decimals_of(row.feature)
        rows.append(
            (
                row.feature,
                f.number(row.observed, decimals),
                f.number(row.median, decimals),
                interval(row, decimals),
                f.probability(row.p_larger),
            )
        )
    return tuple(rows)


# -- variants ----------------------------------------------------------------------------


def variant_rows(m: Material) -> Rows:
    """Every variant of the catalogue: shown, failed, left out or not fitted."""
    stale = {item.variant for item in m.stale}
    rows = []
    for name, variant in m.catalogue.items():
        change = variant.change[:1].upper() + variant.change[1:]
        if name in m.gates:
            state = "yes" if m.gates[name].passed else "NO, did not converge"
        else:
            state = "left out, not current" if name in stale else "not fitted"
        rows.append((name, f"{change}. {m.note_on(name)}".strip(), state))
    return tuple(rows)


def variant_title(m: Material, variant: str) -> str:
    """Name of a variant with its mark, if it has one."""
    if not m.gates[variant].passed:
        return f"{variant} (did not converge)"
    if m.compared.apart and not m.catalogue[variant].comparable:
        return f"{variant} (comparison only)"
    return variant


def side_by_side(m: Material, caption: str, more: str) -> list[Block]:
    """A few of the compared quantities side by side, at most three in a table to fit a page.

    Parameters
    ----------
    m : Material
    caption : str
        What is shown, with its unit.
    more : str
        What those are called that are in the file only.
    """
    compared = m.compared
    table = compared.rows(m.comparison)
    own = table[table["variant"] == "default"]
    chosen = clearest(own, MOST_COMPARED)
    keys = [compared.key_of(row) for row in chosen.itertuples(index=False)]
    left = len(own) - len(keys)
    by_key = {(row.variant, compared.key_of(row)): row for row in table.itertuples(index=False)}
    blocks: list[Block] = []
    for start in range(0, len(keys), IN_ONE_TABLE):
        part = keys[start : start + IN_ONE_TABLE]
        last = start + IN_ONE_TABLE >= len(keys)
        blocks.append(
            Table(
                f"{caption}: median ({f.interval_name(m.prob)})",
                ("variant", *(compared.name(key, compared.heading) for key in part)),
                tuple(_variant_row(m, by_key, variant, part) for variant in m.variants),
                file="tables/variants.csv" if last else "",
                note=f"{left} more {more} are in the file." if left and last else "",
                failed=not m.passed,
            )
        )
    return blocks


def _variant_row(
    m: Material,
    rows: dict[tuple[str, tuple[str, ...]], Any],
    variant: str,
    keys: list[tuple[str, ...]],
) -> tuple[str, ...]:
    cells = []
    for key in keys:
        row = rows.get((variant, key))
        if row is None:
            cells.append(f.DASH)
            continue
        decimals = f.decimals_for(row.ci_high - row.ci_low)
        cells.append(f"{f.number(row.median, decimals)} ({interval(row, decimals)})")
    return (variant_title(m, variant), *cells)


def own_parameters(m: Material) -> list[Block]:
    """What a variant estimates and the default does not."""
    if not len(m.own_parameters):
        return []
    return [
        Table(
            f"Parameters that only a variant has, on their own scales ({f.interval_name(m.prob)})",
            ("variant", "parameter", "prior", "median", "interval"),
            tuple(
                (
                    variant_title(m, row.variant),
                    f"{row.parameter}: {row.meaning}",
                    row.prior,
                    f.significant(row.median, 2),
                    f.significant_span(row.ci_low, row.ci_high, 2),
                )
                for row in m.own_parameters.itertuples(index=False)
            ),
            numeric=(3, 4),
        )
    ]
