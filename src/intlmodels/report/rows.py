"""Rows of tables that the report of every model has: results with the digits that they bear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core import formats as f
from intlmodels.fitting.diagnostics import Result
from intlmodels.report.data import ReportData, ShareReportData
from intlmodels.results.intervals import clearest
from intlmodels.results.steps import without_note
from intlmodels.results.wording import TAIL, missed, verdict_on
from intlmodels.studies import Study

if TYPE_CHECKING:
    import pandas as pd


MOST_PARAMETERS = 60
MOST_NOTES = 40
#: Quantities set side by side over variants, and how many stand in one table.
MOST_COMPARED, IN_ONE_TABLE = 6, 3

Rows = tuple[tuple[str, ...], ...]


def words(m: ShareReportData) -> dict[str, str]:
    """What a study calls its firms, its rows and its outcome."""
    firm, row = m.study.firm_label, m.study.row_label
    return {
        "firm": firm,
        "a_firm": f.a(firm),
        "firms": f.plural(firm),
        "row": row,
        "a_row": f.a(row),
        "rows": f.plural(row),
        "who": m.firms,
        "outcome": m.study.outcome.label,
        "interval": f.interval_name(m.prob),
    }


def common_decimals(table: pd.DataFrame) -> int:
    """Common decimals of the estimates in a table: those of its median interval."""
    widths = (table["ci_high"] - table["ci_low"]).to_numpy()
    return f.decimals_for(float(np.median(widths))) if len(widths) else 0


def interval(row: Any, decimals: int) -> str:
    """The interval of a row of a table."""
    return f.span(row.ci_low, row.ci_high, decimals)


def median_and_interval(row: Any, decimals: int) -> tuple[str, str]:
    """The two cells of an estimate."""
    return f.number(row.median, decimals), interval(row, decimals)


def estimate(row: Any, decimals: int, unit: str = "") -> str:
    """An estimate in one cell: ``25% (8 to 42)``."""
    number = f.number(row.median, decimals)
    number = f"{number}%" if unit == "%" else f.with_unit(number, unit)
    return f"{number} ({interval(row, decimals)})"


def rounded_estimate(row: Any, unit: str = "") -> str:
    """An estimate in one cell, with as many decimals as its interval has use for."""
    return estimate(row, f.decimals_for(row.ci_high - row.ci_low), unit)


def prior_cell(row: Any, decimals: int) -> tuple[str, ...]:
    """What held before seeing data, in one cell; none if the table does not say."""
    if not hasattr(row, "prior_median"):
        return ()
    span = f.span(row.prior_low, row.prior_high, decimals)
    return (f"{f.number(row.prior_median, decimals)} ({span})",)


# -- the data ----------------------------------------------------------------------------


def changed(study: Study) -> dict[str, Any]:
    """Cells that were read otherwise than reported, and how many more there are."""
    found = [
        dict(zip(("file", "row", "column", "reported", "read"), map(str, cell), strict=True))
        for cell in study.normalizations
    ]
    return {"changed": found[:MOST_NOTES], "more_changed": max(0, len(found) - MOST_NOTES)}


# -- the gate ----------------------------------------------------------------------------


def check_value(result: Result) -> str:
    """A value of the gate with the digits it needs to be held against its limit."""
    if result.outcome == "informational" and not np.isfinite(result.value):
        return f.DASH
    if not np.isfinite(result.value):
        return "undefined"
    decimals = {"rhat": 3, "ebfmi": 2}.get(result.name, 0)
    return f.number(result.value, decimals) if decimals else f"{result.value:,.0f}"


def gate_rows(results: Sequence[Result]) -> Rows:
    """What was looked at, value, limit, where, and outcome."""
    return tuple(
        (r.label, check_value(r), f"{r.direction} {r.limit:g}", r.where or f.DASH, r.outcome)
        for r in results
    )


# -- priors and parameters ---------------------------------------------------------------


def prior_rows(m: ReportData) -> list[tuple[str, ...]]:
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
    decimals = f.decimals_for(high - low)
    return f.number(median, decimals), f.span(low, high, decimals)


def beside_prior(row: Any) -> tuple[str, str, str]:
    """Posterior, prior, and the ratio of their spreads, of a row of the table of parameters."""
    ends = (
        (row.median, row.ci_low, row.ci_high),
        (row.prior_median, row.prior_low, row.prior_high),
    )
    posterior, prior = (f"{median} ({span})" for median, span in (on_its_scale(*e) for e in ends))
    return posterior, prior, f.number(row.spread_ratio, 2)


def parameter_rows(table: pd.DataFrame, name: str = "name") -> Rows:
    """Posterior and prior of each parameter; ``name`` is the column that says what it is."""
    return tuple(
        (
            getattr(row, name),
            *on_its_scale(row.median, row.ci_low, row.ci_high),
            *on_its_scale(row.prior_median, row.prior_low, row.prior_high),
            f.number(row.spread_ratio, 2),
        )
        for row in table.itertuples(index=False)
    )


# -- levels and differences of a share or of a further outcome ---------------------------


def level_rows(table: pd.DataFrame, most: int, counted: bool = True) -> Rows:
    """The average at each level of each predictor, with how many rows have it if ``counted``."""
    decimals = common_decimals(table)
    every = table.groupby("predictor")["firms"].sum().min()  # numbers are those of all rows
    return tuple(
        (
            *(row.label, level_words(row.level)),
            *(["all" if row.firms == every else f"{row.firms:,}"] if counted else []),
            *(estimate(row, decimals), *prior_cell(row, 0)),
        )
        for row in table.head(most).itertuples(index=False)
    )


def level_words(level: str) -> str:
    """A level without the note on how far from the mean it is."""
    return without_note(level).removesuffix(" itself")


def compared_levels(row: Any) -> str:
    """Two levels of which the difference is taken; the unit of two numbers stands once."""
    above, below = level_words(row.level), level_words(row.against)
    number, _, unit = above.partition(" ")
    if unit and number[:1].isdigit() and below.partition(" ")[2] == unit:
        below, above = below.partition(" ")[0], number
        return f"{above} {f.MINUS} {below} {unit}"
    return f"{above} {f.MINUS} {below}"


def direction_rows(table: pd.DataFrame, most: int) -> Rows:
    """The clearest differences between levels, with probability of direction and verdict."""
    shown = clearest(table, most)
    decimals = common_decimals(shown)
    return tuple(
        (
            row.label,
            compared_levels(row),
            *(estimate(row, decimals), *prior_cell(row, 0)),
            f.probability(row.p_direction),
            verdict_on(row),
        )
        for row in shown.itertuples(index=False)
    )


def difference_rows(table: pd.DataFrame, most: int, verdicts: bool = False) -> Rows:
    """The clearest differences between levels, with the verdict on each if asked for."""
    shown = clearest(table, most)
    decimals = common_decimals(shown)
    return tuple(
        (
            row.label,
            f"{row.level} {f.MINUS} {row.against}",
            *(*median_and_interval(row, decimals), *prior_cell(row, 0)),
            f.probability(row.p_direction),
            *([verdict_on(row)] if verdicts else []),
        )
        for row in shown.itertuples(index=False)
    )


# -- predictions -------------------------------------------------------------------------


def features(checks: pd.DataFrame, decimals_of: Callable[[str], int]) -> dict[str, Any]:
    """Features of the data, observed and predicted, and those that the fit misses."""
    every, out = [], missed(checks)
    for row, is_missed in zip(checks.itertuples(index=False), out, strict=True):
        decimals = decimals_of(row.feature)
        observed, predicted = f.number(row.observed, decimals), estimate(row, decimals)
        chance = f.probability(row.p_larger)
        every.append(
            (row.feature, observed, predicted, chance, "missed" if is_missed else "within")
        )
    return {
        "features": tuple(row[: 5 if out.any() else 4] for row in every),
        "missed": [row[0] for row in every if row[4] == "missed"],
        "looked_at": len(every),
        "tail": f"{TAIL:g}",
    }


# -- variants ----------------------------------------------------------------------------


def variants(m: ReportData, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Every variant of the catalogue: what it changes, and whether it converged."""
    stale = {item.variant: "; ".join(item.reasons) for item in m.stale}
    found = []
    for name, variant in m.catalogue.items():
        if name in without:
            continue
        state = "" if name in m.gates else "left out" if name in stale else "not fitted"
        if name in m.gates:
            state = "yes" if m.gates[name].passed else "NO"
        found.append((f"{f.capital(variant.change)}. {m.note_on(name)}".strip(), name, state))
    return {
        "catalogue": tuple(found),
        "stale": [{"variant": name, "reasons": why} for name, why in stale.items()],
        "absent": f.listed([name for name in m.absent if name not in without]),
        "several": len(m.variants) > 1,
    }


def variant_title(m: ReportData, variant: str) -> str:
    """Name of a variant with its mark, if it has one."""
    if not m.gates[variant].passed:
        return f"{variant} (did not converge)"
    if m.compared.apart and not m.catalogue[variant].comparable:
        return f"{variant} (comparison only)"
    return variant


def compared_variants(m: ReportData) -> list[dict[str, Any]]:
    """The clearest of the compared quantities in every variant, a few in each table."""
    compared = m.compared
    table = compared.rows(m.comparison)
    own = table[table["variant"] == "default"]
    chosen = clearest(own, MOST_COMPARED)
    keys = [compared.key_of(row) for row in chosen.itertuples(index=False)]
    left = len(own) - len(keys)
    cells = {
        (row.variant, compared.key_of(row)): rounded_estimate(row)
        for row in table.itertuples(index=False)
    }
    return [
        {
            "names": [compared.name(key, compared.heading) for key in part],
            "cells": tuple(
                (variant_title(m, name), *(cells.get((name, key), f.DASH) for key in part))
                for name in m.variants
            ),
            "more": left if part[-1] == keys[-1] else 0,
        }
        for part in batched(keys, IN_ONE_TABLE)
    ]


def only_of_variants(m: ReportData) -> Rows:
    """Parameters that a variant has and the default does not: meaning, prior, estimate, names."""
    return tuple(
        (
            row.meaning,
            row.prior,
            f"{f.significant(row.median, 2)} ({f.significant_span(row.ci_low, row.ci_high, 2)})",
            variant_title(m, row.variant),
            row.parameter,
        )
        for row in m.own_parameters.itertuples(index=False)
    )
