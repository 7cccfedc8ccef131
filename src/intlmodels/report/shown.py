"""Rows of the tables of a report: results as text with as many digits as they bear."""

from __future__ import annotations

from typing import Any

import numpy as np

from intlmodels import formats as f
from intlmodels import narrative, plots, results
from intlmodels.models.design import fixed_priors
from intlmodels.report.blocks import Block, Items, Paragraph, Table
from intlmodels.report.material import Material
from intlmodels.study import Axes, Covariate, Membership, Nested

#: Differences listed in the report itself, the clearest ones; the file has them all.
MOST_DIFFERENCES = 21
MOST_LEVELS = 80
MOST_PARAMETERS = 60
MOST_NOTES = 40
#: Differences of a predictor that only a variant has.
MOST_OWN = 4
#: Differences set side by side over variants, and how many stand in one table.
MOST_COMPARED, IN_ONE_TABLE = 6, 3

Rows = tuple[tuple[str, ...], ...]


def _decimals(table: Any) -> int:
    """Common decimals of a table of percentages: one more than its sentences would have."""
    widths = (table["ci_high"] - table["ci_low"]).to_numpy()
    return min(3, max(1, f.decimals_for(float(np.median(widths))))) if len(widths) else 1


def _interval(row: Any, decimals: int) -> str:
    return f.span(row.ci_low, row.ci_high, decimals)


def check_value(name: str, value: float) -> str:
    """A value of the gate with the digits it needs to be held against its limit."""
    if not np.isfinite(value):
        return "undefined"
    return f.number(value, {"rhat": 3, "ebfmi": 2}.get(name, 0))


# -- the data ----------------------------------------------------------------------------


def data_header(m: Material) -> tuple[str, ...]:
    """Columns of the table of the data."""
    names = [predictor.label for predictor in m.study.predictors.values()]
    return (m.study.firm_label, "printed %", "stands for %", *names)


def data_rows(m: Material) -> Rows:
    """Firm, printed share, interval, and every predictor as printed."""
    columns = [
        [_as_printed(predictor, i) for i in range(len(m.study.firms))]
        for predictor in m.study.predictors.values()
    ]
    table = m.data
    decimals = _places(m.study.outcome.width)
    return tuple(
        (
            firm,
            f.number(printed, decimals),
            f.span(low, high, _places(m.study.outcome.width / 2)),
            *cells,
        )
        for firm, printed, low, high, *cells in zip(
            m.study.firms,
            table["printed_pct"],
            table["lower_pct"],
            table["upper_pct"],
            *columns,
            strict=True,
        )
    )


def _places(step: float) -> int:
    """Decimals that multiples of a step need."""
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


def readings(m: Material) -> list[Block]:
    """What was read otherwise than printed, left out, or missing."""
    study = m.study
    notes = [
        f"{file}, row {row}, column {column}: {printed!r} was read as {read!r}"
        for file, row, column, printed, read in study.normalizations
    ]
    more = [f"and {len(notes) - MOST_NOTES} more"] if len(notes) > MOST_NOTES else []
    blocks: list[Block] = []
    if notes:
        blocks += [
            Paragraph("Cells whose white space or Unicode form was changed when read:"),
            Items(tuple(notes[:MOST_NOTES] + more)),
        ]
    else:
        blocks.append(
            Paragraph("No cell was changed; a level that is part of a label stands beside it.")
        )
    if study.dropped:
        blocks += [
            Paragraph(f"Left out, since the {study.outcome.label} is not printed:"),
            Items(tuple(f"{firm}: {why}" for firm, why in study.dropped)),
        ]
    gone = [text for p in _numeric(m) if (text := _missing(p, study.firms))]
    if gone:
        blocks += [Paragraph("Missing values:"), Items(tuple(gone))]
    return blocks


def _numeric(m: Material) -> list[Any]:
    own = [p for p in m.study.predictors.values() if p.kind == "numeric"]
    return own + [v.predictor for v in m.study.variants.values() if isinstance(v, Covariate)]


def _missing(predictor: Any, firms: tuple[str, ...]) -> str:
    without = [firms[i] for i in np.flatnonzero(np.isnan(predictor.values))]
    if not without:
        return ""
    return (
        f"{predictor.label} ({predictor.file}, column {predictor.column}) is not printed for "
        f"{f.listed(without[:30])}{' and others' * (len(without) > 30)}; where it is used, the "
        "missing values are parameters"
    )


# -- priors and parameters ---------------------------------------------------------------


def prior_rows(m: Material) -> list[tuple[str, ...]]:
    """Priors that the stored fit was made with."""
    stored = m.attribute("priors")
    rows: list[tuple[str, ...]] = [
        (p["name"], p["text"], p["origin"], p["meaning"]) for p in stored.values()
    ]
    rows += [(name, text, "follows", meaning) for name, text, meaning in fixed_priors(m.design)]
    return rows


def prior_implied(m: Material) -> tuple[dict[str, float], float]:
    """Quantiles of one firm's printed share and of the average under the priors."""
    printed = results.flat(results.outcomes(m.fit, "prior_predictive"))
    ends = [(1 - m.prob) / 2, 0.5, (1 + m.prob) / 2]
    one, mean = np.quantile(printed, ends), np.quantile(printed.mean(axis=1), ends)
    zero = float((printed == 0).mean())
    values = dict(zip(("low", "median", "high"), map(float, one), strict=True))
    values |= dict(zip(("mean_low", "mean_median", "mean_high"), map(float, mean), strict=True))
    return {**values, "zero": zero}, m.prob


def _on_its_scale(median: float, low: float, high: float) -> tuple[str, str]:
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
            *_on_its_scale(row.median, row.ci_low, row.ci_high),
            *_on_its_scale(row.prior_median, row.prior_low, row.prior_high),
            f.number(row.spread_ratio, 2),
        )
        for row in rows
    )


# -- estimates ---------------------------------------------------------------------------


def level_rows(m: Material) -> Rows:
    """Average expected share at each level."""
    decimals = _decimals(m.levels)
    return tuple(
        (
            row.label,
            row.level,
            str(row.firms),
            f.number(row.median, decimals),
            _interval(row, decimals),
        )
        for row in list(m.levels.itertuples(index=False))[:MOST_LEVELS]
    )


def difference_rows(m: Material) -> tuple[Rows, str]:
    """The clearest differences, and what was left out."""
    table = plots.clearest(m.differences, MOST_DIFFERENCES)
    decimals = _decimals(table)
    rows = tuple(
        (
            row.label,
            f"{row.level} {f.MINUS} {row.against}",
            f.number(row.median, decimals),
            _interval(row, decimals),
            f.probability(row.p_direction),
            narrative.verdict(row.p_direction).replace(" ", f.SPACE),
        )
        for row in table.itertuples(index=False)
    )
    more = len(m.differences) - len(table)
    note = f"{more} differences with a less clear direction are in the file only." if more else ""
    return rows, note


def rank_rows(m: Material) -> Rows:
    """Probability of being first and last, for every level."""
    first = m.ranks[m.ranks["rank"] == 1]
    size = m.ranks.groupby("predictor")["rank"].transform("max")
    last = m.ranks[m.ranks["rank"] == size]
    pairs = zip(first.itertuples(index=False), last.itertuples(index=False), strict=True)
    return tuple(
        (a.label, a.level, f.probability(a.probability), f.probability(b.probability))
        for a, b in list(pairs)[:MOST_LEVELS]
    )


def variation_rows(m: Material) -> Rows:
    """Part of each source."""
    return tuple(
        (row.label, f.number(row.median, 1), _interval(row, 1))
        for row in m.variation.itertuples(index=False)
    )


def new_firm_rows(m: Material) -> Rows:
    """Expected and printed share of each profile."""
    decimals = _decimals(m.new_firms)
    places = _places(m.study.outcome.width)
    return tuple(
        (
            row.profile,
            f.number(row.median, decimals),
            _interval(row, decimals),
            f.number(row.printed_median, places),
            f.span(row.printed_low, row.printed_high, places),
        )
        for row in m.new_firms.itertuples(index=False)
    )


def check_rows(m: Material) -> Rows:
    """Features of the data, observed and predicted."""
    rows = []
    for row in m.checks.itertuples(index=False):
        decimals = narrative.feature_decimals(row.feature)
        rows.append(
            (
                row.feature,
                f.number(row.observed, decimals),
                f.number(row.median, decimals),
                _interval(row, decimals),
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
        spec = m.study.variants.get(name)
        note = (
            getattr(spec, "note", "")
            if isinstance(spec, (Nested, Axes, Membership, Covariate))
            else ""
        )
        if isinstance(spec, Axes):
            note = " ".join([note, *_axis_readings(spec)])
        if name in m.gates:
            state = "yes" if m.gates[name].passed else "NO, did not converge"
        else:
            state = "left out, not current" if name in stale else "not fitted"
        rows.append((name, f"{change}. {note}".strip(), state))
    return tuple(rows)


def _axis_readings(spec: Axes) -> list[str]:
    """How labels that leave a level open were read."""
    return [f"{label}: {note}" for label, _, note in spec.readings if note]


def variant_tables(m: Material) -> list[Block]:
    """A few differences side by side, at most three in a table so that it fits a page."""
    shown = m.comparison[m.comparison["quantity"] == "difference"]
    own = shown[shown["variant"] == "default"]
    keys = [
        (row.predictor, row.level, row.against)
        for row in plots.clearest(own, MOST_COMPARED).itertuples(index=False)
    ]
    if not keys:
        return []
    name = f.interval_name(m.prob)
    left = len(own) - len(keys)
    by_key: dict[tuple[str, ...], Any] = {
        (row.variant, row.predictor, row.level, row.against): row
        for row in shown.itertuples(index=False)
    }
    tables: list[Block] = []
    for start in range(0, len(keys), IN_ONE_TABLE):
        part = keys[start : start + IN_ONE_TABLE]
        last = start + IN_ONE_TABLE >= len(keys)
        tables.append(
            Table(
                f"Differences in percentage points: median ({name})",
                ("variant", *(f"{a} {f.MINUS} {b}" for _, a, b in part)),
                tuple(_variant_row(m, by_key, variant, part) for variant in m.variants),
                file="tables/variants.csv" if last else "",
                note=f"{left} more differences are in the file." if left and last else "",
                failed=not m.passed,
            )
        )
    return tables


def only_in_variants(m: Material) -> list[Block]:
    """What a variant compares or estimates and the default does not."""
    known = set(m.levels["predictor"])
    table = m.comparison[m.comparison["quantity"] == "difference"]
    table = table[~table["predictor"].isin(known)]
    name = f.interval_name(m.prob)
    blocks: list[Block] = []
    rows: list[tuple[str, ...]] = []
    for (variant, _), part in table.groupby(["variant", "predictor"], sort=False):
        for row in plots.clearest(part, MOST_OWN).itertuples(index=False):
            decimals = f.decimals_for(row.ci_high - row.ci_low)
            rows.append(
                (
                    _variant_title(m, str(variant)),
                    f"{row.label}: {row.level} {f.MINUS} {row.against}",
                    f.number(row.median, decimals),
                    _interval(row, decimals),
                    f.probability(row.p_direction),
                )
            )
    if rows:
        blocks.append(
            Table(
                f"Differences that only a variant has, in percentage points ({name})",
                ("variant", "difference", "median", "interval", "probability of direction"),
                tuple(rows),
                numeric=(2, 3, 4),
                note=f"Of each predictor at most {MOST_OWN}, the clearest.",
            )
        )
    if len(m.own_parameters):
        blocks.append(
            Table(
                f"Parameters that only a variant has, on their own scales ({name})",
                ("variant", "parameter", "prior", "median", "interval"),
                tuple(
                    (
                        _variant_title(m, row.variant),
                        f"{row.parameter}: {row.meaning}",
                        row.prior,
                        f.significant(row.median, 2),
                        f.significant_span(row.ci_low, row.ci_high, 2),
                    )
                    for row in m.own_parameters.itertuples(index=False)
                ),
                numeric=(3, 4),
            )
        )
    return blocks


def _variant_title(m: Material, variant: str) -> str:
    """Name of a variant with its mark, if it has one."""
    if not m.gates[variant].passed:
        return f"{variant} (did not converge)"
    return variant if m.catalogue[variant].comparable else f"{variant} (comparison only)"


def _variant_row(
    m: Material,
    shown: dict[tuple[str, ...], Any],
    variant: str,
    keys: list[tuple[str, str, str]],
) -> tuple[str, ...]:
    cells = []
    for key in keys:
        row = shown.get((variant, *key))
        if row is None:
            cells.append(f.DASH)
            continue
        decimals = max(0, f.decimals_for(row.ci_high - row.ci_low))
        cells.append(f"{f.number(row.median, decimals)} ({_interval(row, decimals)})")
    return (_variant_title(m, variant), *cells)
