"""Rows of the tables of a report of shares: results with the digits that they bear."""

from __future__ import annotations

from typing import Any

import numpy as np

from intlmodels.core import formats as f
from intlmodels.models.base import flat
from intlmodels.report.blocks import Block, Items, Paragraph, Table
from intlmodels.report.rows import Rows, changed_cells, common_decimals, interval, variant_title
from intlmodels.report.sharedata import ShareMaterial
from intlmodels.results import share, wording
from intlmodels.results.intervals import clearest
from intlmodels.study import Covariate

#: Differences listed in the report itself, the clearest ones; the file has them all.
MOST_DIFFERENCES = 21
MOST_LEVELS = 80
#: Differences of a predictor that only a variant has.
MOST_OWN = 4


# -- the data ----------------------------------------------------------------------------


def data_header(m: ShareMaterial) -> tuple[str, ...]:
    """Columns of the table of the data."""
    names = [predictor.label for predictor in m.study.predictors.values()]
    names += [] if m.study.clusters is None else [m.study.clusters.label]
    return (m.study.firm_label, "printed %", "stands for %", *names)


def data_rows(m: ShareMaterial) -> Rows:
    """Firm, printed share, interval, and every predictor as printed."""
    columns = [
        [_as_printed(predictor, i) for i in range(len(m.study.firms))]
        for predictor in m.study.predictors.values()
    ]
    clusters = m.study.clusters
    columns += [] if clusters is None else [[clusters.labels[code] for code in clusters.codes]]
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


def readings(m: ShareMaterial) -> list[Block]:
    """What was read otherwise than printed, left out, or missing."""
    study = m.study
    blocks = changed_cells(
        study, "No cell was changed; a level that is part of a label stands beside it."
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


def _numeric(m: ShareMaterial) -> list[Any]:
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


# -- priors ------------------------------------------------------------------------------


def prior_implied(m: ShareMaterial) -> tuple[dict[str, float], float]:
    """Quantiles of one firm's printed share and of the average under the priors."""
    printed = flat(share.outcomes(m.fit, "prior_predictive"))
    ends = [(1 - m.prob) / 2, 0.5, (1 + m.prob) / 2]
    one, mean = np.quantile(printed, ends), np.quantile(printed.mean(axis=1), ends)
    zero = float((printed == 0).mean())
    values = dict(zip(("low", "median", "high"), map(float, one), strict=True))
    values |= dict(zip(("mean_low", "mean_median", "mean_high"), map(float, mean), strict=True))
    return {**values, "zero": zero}, m.prob


# -- estimates ---------------------------------------------------------------------------


def level_rows(m: ShareMaterial) -> Rows:
    """Average expected share at each level."""
    decimals = common_decimals(m.levels)
    return tuple(
        (
            row.label,
            row.level,
            str(row.firms),
            f.number(row.median, decimals),
            interval(row, decimals),
        )
        for row in list(m.levels.itertuples(index=False))[:MOST_LEVELS]
    )


def difference_rows(m: ShareMaterial) -> tuple[Rows, str]:
    """The clearest differences, and what was left out."""
    table = clearest(m.differences, MOST_DIFFERENCES)
    decimals = common_decimals(table)
    rows = tuple(
        (
            row.label,
            f"{row.level} {f.MINUS} {row.against}",
            f.number(row.median, decimals),
            interval(row, decimals),
            f.probability(row.p_direction),
            wording.verdict(row.p_direction).replace(" ", f.SPACE),
        )
        for row in table.itertuples(index=False)
    )
    more = len(m.differences) - len(table)
    note = f"{more} differences with a less clear direction are in the file only." if more else ""
    return rows, note


def rank_rows(m: ShareMaterial) -> Rows:
    """Probability of being first and last, for every level."""
    first = m.ranks[m.ranks["rank"] == 1]
    size = m.ranks.groupby("predictor")["rank"].transform("max")
    last = m.ranks[m.ranks["rank"] == size]
    pairs = zip(first.itertuples(index=False), last.itertuples(index=False), strict=True)
    return tuple(
        (a.label, a.level, f.probability(a.probability), f.probability(b.probability))
        for a, b in list(pairs)[:MOST_LEVELS]
    )


def variation_rows(m: ShareMaterial) -> Rows:
    """Part of each source."""
    return tuple(
        (row.label, f.number(row.median, 1), interval(row, 1))
        for row in m.variation.itertuples(index=False)
    )


def new_firm_rows(m: ShareMaterial) -> Rows:
    """Expected and printed share of each profile."""
    decimals = common_decimals(m.new_firms)
    places = _places(m.study.outcome.width)
    return tuple(
        (
            row.profile,
            f.number(row.median, decimals),
            interval(row, decimals),
            f.number(row.printed_median, places),
            f.span(row.printed_low, row.printed_high, places),
        )
        for row in m.new_firms.itertuples(index=False)
    )


# -- variants ----------------------------------------------------------------------------


def only_in_variants(m: ShareMaterial) -> list[Block]:
    """What a variant compares and the default does not."""
    known = set(m.levels["predictor"])
    table = m.compared.rows(m.comparison)
    table = table[~table["predictor"].isin(known)]
    rows: list[tuple[str, ...]] = []
    for (variant, _), part in table.groupby(["variant", "predictor"], sort=False):
        for row in clearest(part, MOST_OWN).itertuples(index=False):
            decimals = f.decimals_for(row.ci_high - row.ci_low)
            rows.append(
                (
                    variant_title(m, str(variant)),
                    f"{row.label}: {row.level} {f.MINUS} {row.against}",
                    f.number(row.median, decimals),
                    interval(row, decimals),
                    f.probability(row.p_direction),
                )
            )
    if not rows:
        return []
    name = f.interval_name(m.prob)
    return [
        Table(
            f"Differences that only a variant has, in percentage points ({name})",
            ("variant", "difference", "median", "interval", "probability of direction"),
            tuple(rows),
            numeric=(2, 3, 4),
            note=f"Of each predictor at most {MOST_OWN}, the clearest.",
        )
    ]
