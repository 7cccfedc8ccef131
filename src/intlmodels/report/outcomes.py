"""The section of further outcomes in a report of shares."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core import formats as f
from intlmodels.models import design_of
from intlmodels.models.share.design import fixed_priors
from intlmodels.plots import sharedata
from intlmodels.report import rows
from intlmodels.report.data import ShareReportData
from intlmodels.report.formula import share_formula
from intlmodels.report.pages import Values
from intlmodels.report.sections import drawing
from intlmodels.results import groups as tables
from intlmodels.results import share as results
from intlmodels.results.intervals import clearest, converged
from intlmodels.results.wording import missed, verdict, verdict_on
from intlmodels.studies import FurtherOutcome, Order

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataTree


#: Rows of tables of one outcome in the report itself; the file has them all.
MOST_ROWS, MOST_DIFFERENCES = 40, 10
#: Outcomes of which the report itself has all estimates.
MOST_SHOWN = 3
#: Firms named as left out of a fit.
MOST_NAMED = 30


def outcomes(m: ShareReportData) -> Values | None:
    """Further outcomes: how they were read, what goes with them, and with the share."""
    if not m.study.outcomes:
        return None
    across, by = tables.crossing(m.study)
    every = m.study.outcomes
    shown = [every[name] for name in [*every][:MOST_SHOWN]]
    fits = {name: fit for name, fit in m.further.items() if name in every}
    stale = {item.variant: "; ".join(item.reasons) for item in m.stale}
    fitted = [item for item in shown if item.name in fits]
    first_of = {item.kind: item.name for item in reversed(fitted)}
    return rows.words(m) | {
        "kinds": [item.kind for item in every.values()],
        "summary": tuple(_summary(item, fits.get(name)) for name, item in every.items()),
        "failed": f.listed([every[name].label for name in fits if not m.gates[name].passed]),
        "stale": [
            {"label": item.label, "fit": name, "reasons": stale[name]}
            for name, item in every.items()
            if name in stale and name not in m.gates
        ],
        "absent": f.listed(
            [item.label for name, item in every.items() if name not in {*m.gates, *stale}]
        ),
        "across": f.lowered(across.label),
        "by": "" if by is None else f.lowered(by.label),
        **_crossed(m, across),
        **_correlations(m),
        **_with_share(m, across),
        "readings": [_reading(m, item) for item in shown],
        "shown": [
            _estimates(m, item, fits[item.name], first_of[item.kind] == item.name)
            for item in fitted
        ],
        **_predicted(m, fits),
    }


def _summary(item: FurtherOutcome, fit: DataTree | None) -> tuple[str, ...]:
    """One outcome in a row: levels, and the clearest difference of its fit."""
    at = np.bincount(item.codes[item.known], minlength=len(item.levels))
    counts = zip(item.levels, at, strict=True)
    levels = (
        f"{item.levels[1]} {at[1]} of {at.sum()}"
        if item.kind == "binary"
        else ", ".join(f"{level} {n}" for level, n in counts)
    )
    differences = None if fit is None else results.differences(fit)
    if fit is None or differences is None or not len(differences):
        return item.label, *[f.DASH] * 4, levels
    row = next(differences.nlargest(1, "p_direction").itertuples(index=False))
    points = results.measured(fit).points.removeprefix("percentage ")
    mark = " (did not converge)" * (not converged(fit))
    return (
        item.label + mark,
        f"{row.label}: {rows.compared_levels(row)}",
        rows.rounded_estimate(row, points),
        f.probability(row.p_direction),
        verdict_on(row),
        levels,
    )


def _crossed(m: ShareReportData, across: FurtherOutcome) -> Values:
    """Firms and shares by both outcomes: numbers of these firms, no estimates."""
    table = tables.cross_table(m.study)
    groups = list(dict.fromkeys(table["by"]))
    cells = {(row.level, row.by): _cell(row) for row in table.itertuples(index=False)}
    crossed = tuple((level, *(cells[level, group] for group in groups)) for level in across.levels)
    return {"groups": [group or "all" for group in groups], "crossed": crossed}


def _cell(row: Any) -> str:
    if not row.firms:
        return f.DASH
    spread = f" ({row.lowest:g}{f.SPACE}to{f.SPACE}{row.highest:g})" * (row.firms > 1)
    return f"{row.firms}: {row.median:g}{spread}"


def _correlations(m: ShareReportData) -> Values:
    """Rank correlations as a table: outcomes by the share, and by outcomes read elsewhere."""
    pairs = tables.rank_correlations(m.study)
    known = {(row.a, row.b): row.correlation for row in pairs.itertuples(index=False)}
    columns = list(dict.fromkeys(pairs["a"]))
    return {
        "correlated": [f.lowered(label) for label in columns],
        "correlations": tuple(
            (label, *(f.number(known.get((a, label), np.nan), 2) for a in columns))
            for label in dict.fromkeys(pairs["b"])
        ),
    }


def _with_share(m: ShareReportData, across: FurtherOutcome) -> Values:
    """The further outcomes as predictors of the share."""
    found, drawn = [], None
    for item in m.study.outcomes.values():
        variant = tables.added_to_share(m.study, item.name)
        if variant not in m.variants:
            continue
        fit = m.variants[variant]
        drawn = fit if item is across else drawn
        levels, differences = tables.share_by_level(fit, item.name, m.prob)
        low, *_, high = levels.itertuples(index=False)
        for row in differences.itertuples(index=False):
            found.append(
                (
                    item.label + " (did not converge)" * (not converged(fit)),
                    *(f"{end.level}: {rows.rounded_estimate(end, '%')}" for end in (low, high)),
                    rows.rounded_estimate(row),
                    f.probability(row.p_direction),
                    verdict_on(row),
                )
            )
    picture = sharedata.outcome_shares(m.study, drawn, m.prob)
    return {
        "with_share": tuple(found),
        "expected": drawn is not None,
        "shares": drawing("outcomes-shares", picture),
    }


def _reading(m: ShareReportData, item: FurtherOutcome) -> Values:
    """What was read as what."""
    table = tables.readings(m.study, item).head(MOST_ROWS)
    noted = bool(table["note"].astype(bool).any())
    known = zip(item.printed, item.known, strict=True)
    return {
        "label": item.label,
        "ordered": item.kind == "ordered",
        "noted": noted,
        "read": tuple(
            (row.level, row.printed, str(row.count), row.firms, *([row.note] if noted else []))
            for row in table.itertuples(index=False)
        ),
        "file": item.file,
        "columns": f.listed([*item.columns]),
        "note": f"{item.note.rstrip('.')}." if item.note else "",
        "missing": f.listed([firm for firm, _ in item.missing][:MOST_NAMED]),
        "unclear": any(text for text, is_known in known if not is_known),
    }


# -- one outcome -------------------------------------------------------------------------


def _estimates(m: ShareReportData, item: FurtherOutcome, fit: DataTree, first: bool) -> Values:
    """Model, levels and differences of the fit of one outcome; the formula of each kind once."""
    design, measured = design_of(m.study, item.name), results.measured(fit)
    levels, differences = results.levels(fit, m.prob), results.differences(fit, m.prob)
    written = json.loads(fit.attrs["priors"])
    priors = [f"{name} ~ {prior['text']}" for name, prior in written.items()]
    priors += [f"{name} ~ {text}" for name, text, _ in fixed_priors(design) if "(" in text]
    counted = len(set(levels["firms"])) > 1
    return {
        "label": item.label + " (did not converge)" * (not converged(fit)),
        "fit": item.name,
        "kind": item.kind,
        "levels": list(item.levels),
        "what": measured.what,
        "points": measured.points,
        "key": measured.key,
        "lines": share_formula(design, m.study.outcome.width) if first else (),
        "priors": "; ".join(priors),
        "counted": counted,
        "level_rows": rows.level_rows(levels, MOST_ROWS, counted),
        "reached": _reached(item, fit, m.prob),
        "differences": rows.direction_rows(differences, MOST_DIFFERENCES),
        **_orders(m, item, differences),
    }


def _reached(item: FurtherOutcome, fit: DataTree, prob: float) -> rows.Rows:
    """Probability of each level of an ordered outcome, or of one beyond it."""
    table = tables.reached(fit, prob)
    if not len(table):
        return ()
    each = table["median"].to_numpy().reshape(-1, len(item.levels) - 1)
    names = table[["label", "level"]].iloc[:: len(item.levels) - 1].to_numpy()
    return tuple(
        (label, rows.level_words(level), *(f.number(value, 0) for value in values))
        for (label, level), values in list(zip(names, each, strict=True))[:MOST_ROWS]
    )


def _orders(m: ShareReportData, item: FurtherOutcome, own: pd.DataFrame) -> Values:
    """The same differences with the levels in other orders, where variants have them."""
    orders = {
        name: spec.outcome
        for name, spec in m.study.variants.items()
        if isinstance(spec, Order) and spec.of == item.name and name in m.further
    }
    others = {name: results.differences(m.further[name], m.prob) for name in orders}
    shown = clearest(own, MOST_DIFFERENCES).index
    lines = {name: list(table.itertuples(index=False)) for name, table in others.items()}

    def changed(table: pd.DataFrame) -> int:
        both = zip(table["p_direction"], own["p_direction"], strict=True)
        return sum(verdict(one) != verdict(other) for one, other in both)

    return {
        "orders": [
            {
                "name": name,
                "levels": ", ".join(levels.levels),
                "changed": changed(others[name]),
                "passed": m.gates[name].passed,
            }
            for name, levels in orders.items()
        ],
        "order_rows": tuple(
            (
                f"{row.label}: {rows.compared_levels(row)}",
                *(
                    f"{rows.rounded_estimate(each[i])}, {f.probability(each[i].p_direction)}"
                    for each in (list(own.itertuples(index=False)), *lines.values())
                ),
            )
            for i in shown
            for row in [own.loc[i]]
        ),
    }


def _predicted(m: ShareReportData, fits: dict[str, DataTree]) -> Values:
    """Observed against predicted frequencies and averages."""
    import pandas as pd

    if not fits:
        return {"frequencies": None, "misses": [], "looked_at": 0}
    misses, count = [], 0
    for name, fit in fits.items():
        parts = tables.frequencies(fit, m.prob), tables.averages(fit, m.prob)
        found = pd.concat(parts, ignore_index=True)
        label = m.study.outcomes[name].label
        misses += [f"{label}, {feature}" for feature in found["feature"][missed(found)]]
        count += len(found)
    picture = sharedata.frequencies(fits, m.prob)
    return {
        "frequencies": drawing("outcomes-frequencies", picture),
        "misses": misses,
        "looked_at": count,
    }
