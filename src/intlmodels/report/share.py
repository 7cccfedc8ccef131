"""The sections of a report of the share model, of firms or of a register.

Clusters, further terms and further outcomes have modules of their own.
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.checks import tables
from intlmodels.core import formats as f
from intlmodels.models.base import DEFAULT, flat
from intlmodels.models.share.design import CLUSTER, FIRM, VARYING
from intlmodels.plots import share as plots
from intlmodels.plots import sharedata as dataplots
from intlmodels.report import rows, sections
from intlmodels.report.data import ShareReportData
from intlmodels.report.formula import share_formula, share_symbols
from intlmodels.report.pages import Values
from intlmodels.report.sections import drawing
from intlmodels.results import share
from intlmodels.results.intervals import clearest, outermost
from intlmodels.results.wording import LEANING, hardly_moved, missed, verdict
from intlmodels.studies import Covariate, Order, RegisterStudy, Terms

if TYPE_CHECKING:
    import pandas as pd

    from intlmodels.report.pages import Drawing


#: Rows of the table of the data in the report itself; the file has all.
MOST_DATA = 40
#: Levels and differences listed in the report itself, of these the clearest; the files have all.
MOST_LEVELS, MOST_DIFFERENCES = 80, 21
#: Bands, and firms without a value, that are named.
MOST_BANDS, MOST_NAMED = 12, 30
#: Levels at either end of a predictor with very many of them.
MOST_ENDS = 10
#: Differences of a predictor that only a variant has.
MOST_OWN = 4
#: Differences in one picture; with more, each predictor has its own, but so many at most.
MOST_IN_A_PICTURE, MOST_PICTURES = 30, 8
#: A level with so few rows says little of its own; spreads of so few levels are hardly known.
FEW_ROWS, FEW_LEVELS = 3, 6
#: A spread is hardly known from this ratio of the widths of posterior and prior.
HARDLY_KNOWN = 0.5


# -- the data ----------------------------------------------------------------------------


def data(m: ShareReportData) -> Values:
    """The shares as reported and the intervals they stand for; of a register, counts of cells."""
    study, outcome = m.study, m.study.outcome
    values: Values = rows.words(m) | {
        "years": m.years,
        "file": outcome.file,
        "column": outcome.column,
        "unit": outcome.unit.replace("fraction", "fractions"),
        "width": f.amount(outcome.width, "percentage points") if outcome.width else "",
        "register": m.register is not None,
    }
    if m.register is not None:
        return values | _register_data(m, m.register)
    widths, counts = np.unique(np.round(outcome.widths, 9), return_counts=True)
    bands = [f.span(100 * low, 100 * high, 0) for low, high in outcome.bands or ()]
    labels = [own.label for own in study.predictors.values()]
    labels += [own.label for own in study.groupings.values()]
    weights = outcome.weights
    return values | {
        "widths": [f"{width:g} ({count:,})" for width, count in zip(widths, counts, strict=True)],
        "bands": bands[:MOST_BANDS],
        "more_bands": max(0, len(bands) - MOST_BANDS),
        "effective": "" if weights is None else f"{share.effective_rows(weights):,.0f}",
        "period": [m.panel.column] if m.panel and m.panel.periods else [],
        "labels": labels,
        "firm_rows": _firm_rows(m),
        "labels_read": _labels_read(m),
        "cut": len(study.firms) > MOST_DATA,
        "drawn": drawing("data", dataplots.data(m.fit)),
        **_readings(m),
    }


def _register_data(m: ShareReportData, study: RegisterStudy) -> Values:
    """What was read, as counts."""
    read, clusters = study.read, study.clusters
    labels = [p.label for p in study.predictors.values()]
    return {
        "read": {
            "files": f"{read.files:,}",
            "rows": f"{read.rows:,}",
            "firms": f"{read.firms:,}" if read.firms else "",
            "repeated": study.repeated_firms() if read.firms else "",
            "fitted": f"{int(study.rows.sum()):,}",
            "cells": f"{len(study.firms):,}",
            "without": f"{read.without:,}",
            "set_aside": f"{read.bad:,}" if read.bad else "",
        },
        "labels": labels if clusters is None else [clusters.label, *labels],
        "cell_rows": tuple(
            (*map(str, levels), f"{reported:g}", f"{count:,}")
            for *levels, reported, count in m.data.head(MOST_DATA).itertuples(index=False)
        ),
        "drawn": drawing("data", dataplots.register_data(m.fit)),
    }


def _firm_rows(m: ShareReportData) -> rows.Rows:
    """Firm (of a panel firm and period), reported share, interval, and predictors as read."""
    study = m.study
    columns = [
        [_as_read(predictor, i) for i in range(min(MOST_DATA, len(study.firms)))]
        for predictor in study.predictors.values()
    ]
    columns += [[own.labels[c] for c in own.codes[:MOST_DATA]] for own in study.groupings.values()]
    places = m.data.iloc[:MOST_DATA, : m.data.columns.get_loc("printed_pct")]
    shares = m.data[["printed_pct", "lower_pct", "upper_pct"]]
    both = zip(
        places.itertuples(index=False),
        shares.itertuples(index=False),
        study.outcome.widths,
        *columns,
        strict=False,
    )
    return tuple(
        (
            *map(str, where),
            f.number(reported, _places(width)),
            f.span(low, high, _places(width / 2)),
            *values,
        )
        for where, (reported, low, high), width, *values in both
    )


def _places(step: float) -> int:
    """Decimals that multiples of a step need; none for a band, which has no step."""
    if np.isnan(step):
        return 0
    for decimals in range(4):
        if abs(step * 10**decimals - round(step * 10**decimals)) < 1e-9:
            return decimals
    return 4


def _as_read(predictor: Any, i: int) -> str:
    """The level that a firm was read to have, or its number as reported."""
    if predictor.kind == "numeric" and np.isnan(predictor.values[i]):
        return "missing"
    category = predictor.kind == "category"
    return str(predictor.levels[predictor.codes[i]] if category else predictor.printed[i])


def _labels_read(m: ShareReportData) -> rows.Rows:
    """Labels that were read as another one, with the firms that have them."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for predictor in m.study.predictors.values():
        for i, label in enumerate(predictor.printed if predictor.kind == "category" else ()):
            read = predictor.levels[predictor.codes[i]]
            if read != label:
                found.setdefault((predictor.label, label, read), []).append(m.study.firms[i])
    return tuple((*key, ", ".join(dict.fromkeys(firms))) for key, firms in found.items())[
        :MOST_DATA
    ]


def _readings(m: ShareReportData) -> Values:
    """What was read otherwise than reported, left out, or missing."""
    study = m.study
    added = {name for own in study.variants.values() if isinstance(own, Terms) for name in own.add}
    covariates = [v.predictor for v in study.variants.values() if isinstance(v, Covariate)]
    missing = []
    for predictor in (*study.predictors.values(), *covariates):
        if predictor.kind == "numeric" and np.isnan(predictor.values).any():
            without = [study.firms[i] for i in np.flatnonzero(np.isnan(predictor.values))]
            more = [f"{len(without) - MOST_NAMED} more"] * (len(without) > MOST_NAMED)
            at = {name: getattr(predictor, name) for name in ("label", "file", "column")}
            missing.append({**at, "firms": f.listed(without[:MOST_NAMED] + more)})
    return rows.changed(study) | {
        "readings": [
            {"label": label, "note": note}
            for name, predictor in study.predictors.items()
            for label, _, note in predictor.readings
            if note and name not in added  # those beside their variant
        ],
        "dropped": [{"firm": firm, "why": why} for firm, why in study.dropped],
        "missing": missing,
    }


# -- model and priors --------------------------------------------------------------------


def model(m: ShareReportData) -> Values:
    """The model in mathematics, and what its terms mean."""
    study, design = m.study, m.design
    curves = {
        kind: f.listed([p.label for p in study.predictors.values() if p.curve == kind])
        for kind in ("quadratic", "spline")
    }
    return rows.words(m) | {
        "lines": share_formula(design, study.outcome.width),
        "symbols": tuple(share_symbols(design, study.outcome, study.row_label)),
        "varying": any(block.kind in VARYING for block in design.blocks),
        "clusters": design.clusters is not None,
        "repeated": study.panel is not None and design.grouping(FIRM) is not None,
        "groupings": [
            {
                "label": own.label,
                "groups": f"{len(own.labels):,}",
                "varies": f.listed([block.label for block in design.slopes(own)]),
            }
            for own in design.groupings
            if own.name not in (CLUSTER, FIRM)
        ],
        "split": f.listed([p.label for p in study.predictors.values() if p.split]),
        **curves,
        "precision": f.listed(list(dict.fromkeys(block.label for block in design.precision))),
        "family": design.family,
        "never": f.listed(list(dict.fromkeys(block.label for block in design.never))),
    }


def _of_units(meaning: str, label: str) -> str:
    """The meaning of a parameter, with firms called what the study calls them."""
    return meaning.replace("levels of firms", f"levels of {f.plural(label)}").replace(
        "level of each firm", f"level of each {label}"
    )


def priors(m: ShareReportData) -> Values:
    """Priors, and the shares that they imply before seeing data."""
    between = m.prior_differences.drop_duplicates("predictor")
    return rows.words(m) | {
        "priors": tuple(
            (_of_units(meaning, m.study.firm_label), text, origin, name)
            for name, text, origin, meaning in rows.prior_rows(m)
        ),
        "implied": _implied(m),
        "between": tuple(
            (row.label, rows.compared_levels(row), rows.interval(row, 0))
            for row in between.itertuples(index=False)
        ),
        "predicted": drawing("prior-predictive", plots.prior_predictive(m.fit)),
    }


def _implied(m: ShareReportData) -> dict[str, str]:
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
    (low, median, high), average = one, np.quantile(means, ends)
    return {
        "share": f"{f.percent(median)} ({f.span(low, high, 0)})",
        "average": f"{f.percent(average[1])} ({f.span(average[0], average[2], 0)})",
        "zero": f.probability(zero),
    }


# -- estimates ---------------------------------------------------------------------------


def estimates(m: ShareReportData) -> Values:
    """Levels, differences and variation."""
    decimals = rows.common_decimals(m.average)
    shown = clearest(m.differences, MOST_DIFFERENCES)
    return rows.words(m) | {
        "average": rows.estimate(next(m.average.itertuples(index=False)), decimals, "%"),
        **_levels(m),
        "direction_rows": rows.direction_rows(m.differences, MOST_DIFFERENCES),
        "more_differences": len(m.differences) - len(shown),
        "drawn": _drawn_differences(m),
        "many": [_many(m, spread) for spread in m.level_spread.itertuples(index=False)],
        "variation": tuple(
            (row.label, rows.estimate(row, 0), *rows.prior_cell(row, 0))
            for row in m.variation.itertuples(index=False)
        ),
        "clusters": m.design.clusters is not None,
        "totals": totals(m),
        "level": _named(m.levels.head(MOST_LEVELS), "{predictor}.{level}"),
        "difference": _named(shown, "{predictor}.{level} against {against}"),
    }


def _levels(m: ShareReportData) -> Values:
    """Rows of the table of levels, with ranks where there are any."""
    levels = m.levels.head(MOST_LEVELS)
    counted = len(set(levels["firms"])) > 1
    chances: dict[tuple[str, str], list[str]] = {}
    for _, part in m.ranks.groupby("predictor", sort=False):
        for end in (1, part["rank"].max()):
            for row in part[part["rank"] == end].itertuples(index=False):
                own = chances.setdefault((row.predictor, row.level), [])
                own.append(f.probability(row.probability))
    keys = levels[["predictor", "level"]].itertuples(index=False)
    found = rows.level_rows(m.levels, MOST_LEVELS, counted)
    if chances:
        none = [f.DASH] * 2
        found = tuple(
            (*row, *chances.get(tuple(key), none)) for row, key in zip(found, keys, strict=True)
        )
    return {
        "level_rows": found,
        "more_levels": len(m.levels) - len(levels),
        "counted": counted,
        "ranked": bool(chances),
        "in_sd": any("one sd" in level for level in m.levels["level"]),
    }


def _named(table: pd.DataFrame, key: str) -> dict[str, dict[str, str]]:
    """Each estimate of a table under a name, for papers that quote it."""
    found = {}
    for row in table.itertuples(index=False):
        decimals = f.decimals_for(row.ci_high - row.ci_low)
        ends = {name: f.number(getattr(row, name), decimals) for name in ("ci_low", "ci_high")}
        own = {"median": f.number(row.median, decimals), **ends}
        if hasattr(row, "p_direction"):
            own["probability"] = f.probability(row.p_direction)
        found[key.format_map(row._asdict())] = own
    return found


def _drawn_differences(m: ShareReportData) -> list[Drawing]:
    """One picture of all differences, or one a predictor where there are many."""
    table = m.differences
    if not len(table):
        return []
    if len(table) <= MOST_IN_A_PICTURE:
        return [drawing("differences", plots.differences(m.fit, None, m.prob))]
    own = list(dict.fromkeys(table["predictor"]))[:MOST_PICTURES]
    return [
        drawing(f"differences-{number}", plots.differences(m.fit, predictor, m.prob))
        for number, predictor in enumerate(own, start=1)
    ]


def _many(m: ShareReportData, spread: Any) -> Values:
    """The ends of a predictor with very many levels, in place of all pairs of them."""
    shown = outermost(m.many_levels[m.many_levels["predictor"] == spread.predictor], MOST_ENDS)
    decimals = rows.common_decimals(shown)
    return {
        "label": spread.label,
        "levels": f"{spread.levels:,}",
        "sd": rows.estimate(spread, 1),
        "ends": tuple(
            (
                row.level,
                rows.estimate(row, decimals),
                f"{row.rank:.0f} ({f.span(row.rank_low, row.rank_high, 0)})",
                f.probability(row.p_largest),
                f.probability(row.p_smallest),
            )
            for row in shown.itertuples(index=False)
        ),
        "some": len(shown) < spread.levels,
    }


def totals(m: ShareReportData) -> list[Values]:
    """What the shares of the firms come to, in the unit of what they are parts of."""
    found = []
    for total in m.study.totals:
        table = m.totals[m.totals["total"] == total.name]
        cells = {(row.fit, row.firms, row.quantity): row for row in table.itertuples(index=False)}
        fits = list(dict.fromkeys(fit for fit, *_ in cells))
        largest = next(who for _, who, quantity in cells if quantity == "of all")
        at = {
            (who, quantity): rows.rounded_estimate(row, row.unit)
            for (fit, who, quantity), row in cells.items()
            if fit == DEFAULT
        }
        found.append(
            {
                "label": total.label,
                "part": f.lowered(total.label),
                "of": f.lowered(total.of),
                "unit": total.unit,
                "sum": at["all", "part"],
                "whole": at["all", "whole"],
                "share": at["all", "share"],
                "mean_share": at["all", "mean share"],
                "largest": largest,
                "of_all": at[largest, "of all"],
                "without": at[f"without {largest}", "share"],
                "missing": f.listed(
                    [
                        firm
                        for firm, own in zip(m.study.firms, total.values, strict=True)
                        if np.isnan(own)
                    ]
                ),
                "others": f.listed([fit for fit in fits if fit != DEFAULT]),
                "fits": len(fits) > 1,
                "total_rows": tuple(
                    (
                        *([rows.variant_title(m, fit)] if len(fits) > 1 else []),
                        m.firms if who == "all" else who,
                        *(
                            rows.rounded_estimate(cells[fit, who, quantity])
                            for quantity in ("whole", "part", "share", "mean share")
                        ),
                    )
                    for fit in fits
                    for who in ("all", f"without {largest}")
                ),
            }
        )
    return found


# -- predictions -------------------------------------------------------------------------


def new_firms(m: ShareReportData) -> Values:
    """Predictions of firms that were not in the study."""
    decimals, places = rows.common_decimals(m.new_firms), _places(m.study.outcome.width)
    return rows.words(m) | {
        "asked": bool(m.study.profiles),
        "groups": [
            {CLUSTER: "cluster", FIRM: m.study.firm_label}.get(own.name, own.label)
            for own in m.design.groupings
        ],
        "profiles": tuple(
            (
                row.profile,
                rows.estimate(row, decimals),
                f"{f.number(row.printed_median, places)} "
                f"({f.span(row.printed_low, row.printed_high, places)})",
            )
            for row in m.new_firms.itertuples(index=False)
        ),
    }


def predictions(m: ShareReportData) -> Values:
    """Data predicted by the fit against the data."""
    register = m.register is not None
    draw = plots.register_predictive if register else plots.posterior_predictive
    decimals = register_decimals if register else feature_decimals
    return rows.words(m) | {
        "register": register,
        "drawn": drawing("predictions", draw(m.fit, m.prob)),
        **rows.features(m.checks, decimals),
        "heaping": _heaping(m),
    }


def feature_decimals(feature: str) -> int:
    """Decimals with which a feature of the data is written: none for counts."""
    return 0 if feature.startswith(("firms", "rows")) else 1


def register_decimals(feature: str) -> int:
    """Decimals with which a feature of a register is written."""
    return 1 if feature.startswith(("smallest", "largest", "most common")) else 3


def _heaping(m: ShareReportData) -> Values:
    """How the default fares beside the variant ``heaped``, if that was fitted."""
    if m.heaped_checks is None:
        return {}
    found = m.check_results.comparison.value
    elpds = None if found is None else tables.elpds(found)
    return heaping(m.checks, m.heaped_checks, elpds, m.compared.rows(m.comparison))


def heaping(
    own: pd.DataFrame, heaped: pd.DataFrame, elpds: pd.DataFrame | None, differences: pd.DataFrame
) -> Values:
    """The default beside the variant ``heaped``.

    ``own`` and ``heaped`` are predictive checks, ``elpds`` compares variants, if that was done, and
    ``differences`` are those of the variants side by side.
    """
    of_default, of_heaped = (set(table["feature"][missed(table)]) for table in (own, heaped))
    names = list(own["feature"])
    tails = own["p_larger"].clip(upper=1 - own["p_larger"])
    feature = str(own.loc[tails.idxmin(), "feature"])
    each = [table.set_index("feature").loc[feature, "p_larger"] for table in (own, heaped)]
    wide = differences.assign(verdict=differences["p_direction"].map(verdict)).pivot_table(
        "verdict", ["predictor", "level", "against"], "variant", "first"
    )
    both = wide[["default", "heaped"]].dropna()
    values: Values = {
        "mended": f.listed([name for name in names if name in of_default - of_heaped]),
        "broken": f.listed([name for name in names if name in of_heaped - of_default]),
        "feature": feature,
        "default": f.probability(each[0]),
        "heaped": f.probability(each[1]),
        "changed": int((both["default"] != both["heaped"]).sum()),
        "compared": len(both),
        "elpd": {},
    }
    if elpds is not None and {"default", "heaped"} <= set(elpds["variant"]):
        row, default = (elpds.set_index("variant").loc[name] for name in ("heaped", "default"))
        known = not np.isnan(row.log_evidence - default.log_evidence)
        values["elpd"] = {
            "better": bool(row.difference > 0),
            "size": f.number(abs(row.difference), 1),
            "span": f.span(row.ci_low, row.ci_high, 1),
            "evidence": f.number(row.log_evidence, 1) if known else "",
            "of_default": f.number(default.log_evidence, 1),
        }
    return values


# -- variants and limits -----------------------------------------------------------------


def variants(m: ShareReportData) -> Values:
    """The same shares under other models."""
    several = len(m.variants) > 1
    return rows.words(m) | {
        **rows.variants(m, _of_outcomes(m)),
        **(sections.held(m.comparison, m.compared) if several else {}),
        "side_by_side": rows.compared_variants(m) if several else [],
        "own": rows.only_of_variants(m) if several else (),
        "drawn": drawing("variants", plots.variants(m.comparison)) if several else None,
        "line": _read_variants([name for name in m.variants if name != DEFAULT]),
        "panels": plots.MOST_PANELS if len(m.differences) > plots.MOST_PANELS else 0,
        "added": _only_in_variants(m) if several else (),
        "explained": _explained(m),
        "compositions": [
            _composition(m, name, table) for name, table in m.compositions.items() if several
        ],
    }


def _read_variants(names: list[str]) -> str:
    """Code that draws the figure of the variants from their files."""
    listed = wrap(", ".join(f'"{name}"' for name in names), 66, break_on_hyphens=False)
    return "\n".join(
        [
            *("names = [", *(f"    {line}" for line in listed), "]"),
            'others = {name: im.read_fit(f"variants/{name}.nc") for name in names}',
            'im.plots.variants({"default": fit} | others)',
        ]
    )


def _of_outcomes(m: ShareReportData) -> frozenset[str]:
    """Fits of further outcomes, and of other orders of their levels: no variants of the share."""
    orders = [name for name, spec in m.study.variants.items() if isinstance(spec, Order)]
    return frozenset([*m.study.outcomes, *orders])


def _explained(m: ShareReportData) -> rows.Rows:
    """What predictors explain under each prior of the spreads, before and after seeing data."""
    table = m.comparison[m.comparison["quantity"] == "explained"]
    of_spreads = [n for n in m.variants if n == DEFAULT or m.catalogue[n].axis == "spread"]
    found = [
        (rows.variant_title(m, row.variant), *rows.prior_cell(row, 0), rows.estimate(row, 0))
        for row in table[table["variant"].isin(of_spreads)].itertuples(index=False)
    ]
    return tuple(found) if len(found) > 1 else ()


def _composition(m: ShareReportData, variant: str, table: pd.DataFrame) -> Values:
    """Shares of several parts of one whole, at each level."""
    parts = list(dict.fromkeys(table["part"]))
    decimals = rows.common_decimals(table)
    cells = [rows.estimate(row, decimals) for row in table.itertuples(index=False)]
    places = table[["label", "level"]].iloc[:: len(parts)].to_numpy().tolist()
    return {
        "variant": variant,
        "title": rows.variant_title(m, variant),
        "parts": parts,
        "note": m.study.variants[variant].note,
        "part_rows": tuple(
            (label or "all", level or "as observed", *cells[len(parts) * i :][: len(parts)])
            for i, (label, level) in enumerate(places[: MOST_LEVELS + 1])
        ),
    }


def _only_in_variants(m: ShareReportData) -> rows.Rows:
    """What a variant compares and the default does not."""
    table = m.compared.rows(m.comparison)
    table = table[~table["predictor"].isin(set(m.levels["predictor"]))]
    return tuple(
        (
            f"{row.label}: {rows.compared_levels(row)}",
            rows.rounded_estimate(row),
            f.probability(row.p_direction),
            rows.variant_title(m, str(variant)),
        )
        for (variant, _), part in table.groupby(["variant", "predictor"], sort=False)
        for row in clearest(part, MOST_OWN).itertuples(index=False)
    )


def limits(m: ShareReportData) -> Values:
    """What the study leaves open: from its fit, then in its author's words."""
    few = m.levels[(m.levels["firms"] <= FEW_ROWS) & (m.levels["firms"] > 0)]
    crossed = m.crossings[m.crossings["empty"] > 0]
    return rows.words(m) | {
        "stated": bool(m.study.limits),
        "widths": tuple(
            _widths(part) for _, part in m.differences.groupby("predictor", sort=False)
        ),
        "open": int((m.differences["p_direction"] < LEANING).sum()),
        "compared": len(m.differences),
        "leaning": f"{LEANING:g}",
        "few": [f"{row.level} ({row.firms})" for row in few.itertuples(index=False)],
        "few_rows": FEW_ROWS,
        "crossings": tuple(
            (
                f"{row.label_a} and {f.lowered(row.label_b)}",
                f"{row.empty} of {row.cells}",
                row.tied or f.DASH,
            )
            for row in crossed.head(MOST_OWN).itertuples(index=False)
        ),
        "spreads": spreads(
            m.parameters,
            {b.name: (b.label, len(b.levels)) for b in m.design.blocks if b.levels},
        ),
        "still": len(hardly_moved(m.parameters)),
        "parameters": len(m.parameters),
        "missing": int(np.isnan(m.fit["constant_data"]["design"].to_numpy()).any(axis=1).sum()),
        "register": m.register is not None,
    }


def _widths(part: pd.DataFrame) -> tuple[str, ...]:
    """Width of the intervals of a predictor's differences, and what cannot be seen within it."""
    widths = (part["ci_high"] - part["ci_low"]).to_numpy()
    decimals = f.decimals_for(float(widths.max()))
    low, high = widths.min(), widths.max()
    wide = f.number(high, decimals) if len(part) == 1 else f.span(low, high, decimals)
    half = f.number(float(np.median(widths)) / 2, decimals)
    open_ = int((part["p_direction"] < LEANING).sum())
    return part["label"].iloc[0], wide, half, f"{open_} of {len(part)}"


def spreads(parameters: pd.DataFrame, levels: dict[str, tuple[str, int]]) -> list[Values]:
    """Predictors with so few levels that the spread of their effects is hardly known.

    ``levels``: name of each predictor with a spread -> its label and number of levels.
    """
    ratios = dict(zip(parameters["name"], parameters["spread_ratio"], strict=True))
    known = {name: float(ratios.get(f"sigma_{name}", 0.0)) for name in levels}
    return [
        {"label": label, "levels": count, "ratio": f"{known[name]:.2f}"}
        for name, (label, count) in levels.items()
        if count <= FEW_LEVELS and known[name] >= HARDLY_KNOWN
    ]
