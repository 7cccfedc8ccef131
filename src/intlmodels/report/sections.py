"""Sections of the appendix that the report of every model has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intlmodels.core import formats as f
from intlmodels.fitting.diagnostics import on_the_edge, probability_error
from intlmodels.plots import checks, style
from intlmodels.plots.style import Figure
from intlmodels.report import checkvalues, render, rows
from intlmodels.report.data import ReportData
from intlmodels.report.pages import Drawing, Values
from intlmodels.results.intervals import Compared
from intlmodels.results.wording import LEANING, verdict, verdict_on

if TYPE_CHECKING:
    import pandas as pd


def drawing(name: str, figure: Figure) -> Drawing:
    """A figure, drawn."""
    drawn = style.svg(figure)
    return Drawing(name, drawn, style.printed(figure, drawn))


def failure(m: ReportData) -> Values:
    """What failed: checks of the default fit, and variants."""
    checks = [] if m.passed else m.gates["default"].failures
    return {
        "failures": [
            {
                "label": r.label,
                "value": rows.check_value(r),
                "where": r.where or "all chains",
                "limit": f"{r.direction} {r.limit:g}",
                "hint": r.hint,
            }
            for r in checks
        ],
        "variants": f.listed(
            [name for name, gate in m.gates.items() if name != "default" and not gate.passed]
        ),
    }


def diagnostics(m: ReportData) -> Values:
    """The gate, a second try if there was one, and directions on the edge."""
    # As many as were kept: large fits keep fewer than were asked for.
    chains, draws = (m.fit["posterior"].sizes[dim] for dim in ("chain", "draw"))
    asked = m.attribute("settings")
    used = m.attribute("settings_used") if "settings_used" in m.fit.attrs else asked
    results = m.gates["default"].results
    uniform = len({r.outcome for r in results}) == 1
    return {
        "draws": chains * draws,
        "chains": chains,
        "retried": str(m.fit.attrs.get("retried", "")),
        "changed": [
            _SETTINGS.get(name, f"{name} {{}}").format(value)
            for name, value in used.items()
            if value != asked.get(name)
        ],
        "draws_asked": asked["draws"],
        "draws_used": used["draws"],
        "near": _near(m),
        "rows": [row[: 4 if uniform else 5] for row in rows.gate_rows(results)],
        "uniform": uniform,
        "drawing": drawing("chains", checks.drawn_chains(m.fit, m.parameters)),
    }


#: How settings are said that are changed for a second try.
_SETTINGS = {"target_accept": "target acceptance {:g}", "sweeps": "{} sweeps per draw"}


def _near(m: ReportData) -> list[str]:
    """Directions that are on the edge of a limit, with their probability."""
    near = []
    for item in m.conclusions:
        positive = (item.draws > 0).reshape(-1)
        error = float(probability_error(positive, len(item.draws)))
        chance = float(max(positive.mean(), 1 - positive.mean()))
        if item.direction and on_the_edge(chance, error, f.CLEAR_AND_LEANING):
            name = m.contrast_words.get(item.name, item.name).replace(" %", "%")
            near.append(f"{name} ({f.probability(chance)})")
    return near


def prior_posterior(m: ReportData) -> Values:
    """What the data moved."""
    return checkvalues.unmoved(m.parameters) | {
        "interval": f.interval_name(m.prob),
        "rows": [
            (f.in_words(name), *cells)
            for name, *cells in rows.parameter_rows(m.parameters.head(rows.MOST_PARAMETERS))
        ],
        "drawing": drawing("prior-posterior", checks.prior_posterior(m.fit)),
    }


def held(table: pd.DataFrame, compared: Compared) -> Values:
    """Whether the conclusions of the default hold in the variants that converged.

    ``table`` has the variants side by side; ``compared`` says which rows of it are held against
    each other. For ``common/variants_text.md.j2``.
    """
    default = table["variant"].iloc[0]
    rows = compared.rows(table)
    counts = table["comparable"].astype(bool) | (not compared.apart)
    usable = rows[rows["converged"].astype(bool) & counts[rows.index]]
    own = rows[rows["variant"] == default]
    others = [name for name in dict.fromkeys(usable["variant"]) if name != default]
    by_key = {(row.variant, compared.key_of(row)): row for row in usable.itertuples(index=False)}
    turned, resized, revised, count = [], [], [], 0
    for row in own.itertuples(index=False):
        for name in others:
            other = by_key.get((name, compared.key_of(row)))
            if other is None:
                continue
            count += 1
            what = f"{compared.name(compared.key_of(row), compared.words)} in {name}"
            if verdict(row.p_direction) != verdict(other.p_direction):
                revised.append(
                    f"{what} ({verdict_on(other)}, {f.probability(other.p_direction)}; "
                    f"default {verdict_on(row)})"
                )
            directed = max(row.p_direction, other.p_direction) >= LEANING
            if np.sign(row.median) != np.sign(other.median) and directed:
                turned.append(what)
            if abs(other.median - row.median) > (row.ci_high - row.ci_low) / 4:
                moved = f.number(other.median - row.median, compared.decimals)
                resized.append(f"{what} ({moved} {compared.unit})")
    return {
        "comparisons": count,
        "others": len(others),
        "revised": revised,
        "turned": turned,
        "resized": resized,
        "leaning_from": f"{LEANING:g}",
        "failed": table.loc[~table["converged"].astype(bool), "variant"].unique().tolist(),
        "only": table.loc[~counts, "variant"].unique().tolist(),
        "why": compared.apart,
    }


def glossary(_m: ReportData) -> Values:
    """Words that the report explains."""
    return {"meanings": render.glossary()}
