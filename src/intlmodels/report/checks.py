"""Sections on calibration, comparison, sensitivity and the other checks.

They show what the commands ``calibrate``, ``compare``, ``sensitivity`` and so on stored. What is
missing or no longer what the study asks for is left out, and listed with its command.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from intlmodels.checks import tables
from intlmodels.checks.stored import (
    NOTHING,
    Comparison,
    Evidence,
    Sensitivity,
)
from intlmodels.core import formats as f
from intlmodels.models import DEFAULT
from intlmodels.plots import checks
from intlmodels.report import checkvalues as values
from intlmodels.report.data import ReportData, ShareReportData
from intlmodels.report.pages import Values
from intlmodels.report.provenance import study_argument
from intlmodels.report.sections import drawing
from intlmodels.results.intervals import CI_PROB
from intlmodels.results.wording import CLEAR, LEANING

if TYPE_CHECKING:
    import pandas as pd


#: Rows of a table in the page; the file has all.
MOST_ROWS = 40
#: Rows of what was left out, of each conclusion, in the page.
MOST_LEFT_OUT = 6
#: Kind of results -> the command that computes them.
COMMANDS = {
    "influence": "influence",
    "comparison": "compare",
    "sensitivity": "sensitivity",
    "multiverse": "multiverse",
    "calibration": "calibrate",
    "design": "design",
}


def _command(m: ReportData, *words: str) -> str:
    return shlex.join(["intlmodels", words[0], study_argument(m.study), *words[1:]])


def _settings(settings: Mapping[str, Any]) -> str:
    return f.listed([f"{name.replace('_', ' ')} {value}" for name, value in settings.items()])


def not_run(m: ReportData) -> Values | None:
    """Checks without current results, and the commands that compute them."""
    if m.register is not None:
        return None
    rows = [
        (kind, _command(m, command), "; ".join(found.reasons))
        for kind, command in COMMANDS.items()
        for found in [getattr(m.check_results, kind)]
        if found.value is None and not (kind == "design" and found == NOTHING.design)
    ]
    return {"rows": rows} if rows else None


# -- calibration -------------------------------------------------------------------------


def calibration(m: ReportData) -> Values | None:
    """Whether the computation recovers what it is known to have to find."""
    found, errors = m.check_results.calibration, m.check_results.wrong
    if found.value is None:
        return None
    table = tables.calibrated(found.value)
    made = values.calibration(found.value, errors.value or ()) | {
        "firms": f.plural(m.study.firm_label),
        "variant": "" if found.value.variant == DEFAULT else found.value.variant,
        "settings": _settings(found.value.settings),
        "not_tested": ""
        if errors.value is not None
        else _command(m, "calibrate", "--wrong", "all"),
        "drawing": None,
        "rows": [],
        "rates": [],
    }
    if found.value.ranked:
        picture = drawing("calibration-ranks", checks.rank_differences(found.value, table))
        rows = _calibration_rows(table.replace({"quantity": m.contrast_words}))
        made |= {"drawing": picture, "rows": rows, "p_shown": len(rows[0]) == 7}
    if found.value.differences:
        rates = tables.verdict_rates(found.value.differences)
        made["rates"] = [
            (
                f"all, in {row['unit']}" if row["of"] == "all" else values.size(row),
                str(row["count"]),
                *(f"{f.number(row[n], 1)} ± {f.number(row[f'{n}_error'], 1)}" for n in tables.SAID),
            )
            for row in rates[rates["count"] > 0].to_dict("records")
        ]
    return made


def _calibration_rows(table: pd.DataFrame) -> list[tuple[str, ...]]:
    """Of each quantity; its p-value only where these differ."""
    p_values = table["p_adjusted"].map(f.probability)
    return [
        (
            f.in_words(row["quantity"]),
            *([f.probability(row["p_adjusted"])] if len(set(p_values)) > 1 else []),
            *(
                f"{f.number(row[f'coverage_{n}'], 0)}{'*' * row[f'outside_{n}']}"
                for n in values.LEVELS
            ),
            f"{f.number(row['bias_in_sd'], 2)} ± {f.number(row['bias_error_in_sd'], 2)}",
            f.number(row["spread_ratio"], 2),
        )
        for row in checks.smallest_p(table, MOST_ROWS).to_dict("records")
    ]


# -- design ------------------------------------------------------------------------------


def design(m: ReportData) -> Values | None:
    """How many firms it would take to decide each comparison."""
    value = m.check_results.design.value
    if value is None:
        return None
    table = tables.decisions(value)
    made = values.design(value) | {
        "firms": f.plural(m.study.firm_label),
        "settings": _settings(value.settings),
        "rows": [],
    }
    if not len(table):
        return made
    rows = [
        (
            str(row["quantity"]),
            str(row["firms"]),
            values.significant(row["size"], row["size"], row["unit"]),
            *(
                f"{f.number(row[n], 0)} ± {f.number(row[f'{n}_error'], 0)}"
                for n in ("right", "wrong", "none")
            ),
        )
        for row in table.to_dict("records")
    ]
    picture = drawing("design-decisions", checks.decisions(table, value.own, m.passed))
    return made | {"drawing": picture, "rows": rows[:MOST_ROWS], "every": len(rows)}


# -- influence ---------------------------------------------------------------------------


def influence(m: ReportData) -> Values | None:
    """Which firms and counts the conclusions rest on."""
    value = m.check_results.influence.value
    if value is None:
        return None
    made = values.influence(value, m.texts, m.study.claims)
    words = m.contrast_words
    for own in made["contrasts"]:
        own["name"] = words.get(own["name"], own["name"])
    keys = tables.key_influences(tables.influences(value))
    keys = [part.assign(left_out=part["left_out"].map(values.omitted)) for part in keys]
    if not keys:
        return made | {"rows": []}
    return made | {
        "drawing": drawing("drivers", checks.left_out(keys[0], m.passed)),
        "shown": words.get(shown := str(keys[0]["name"].iloc[0]), shown),
        "omissions": len(keys[0]) - 1,
        "interval": f.interval_name(CI_PROB),
        "most": MOST_LEFT_OUT,
        "rows": [row for part in keys for row in _left_out_rows(part, words)],
    }


def _left_out_rows(part: pd.DataFrame, words: Mapping[str, str]) -> list[tuple[str, ...]]:
    width = float(part["ci_high"].iloc[0] - part["ci_low"].iloc[0])
    return [
        (
            words.get(str(row.name), str(row.name)),
            row.left_out,
            values.significant(row.median, width, row.unit),
            f.span(row.ci_low, row.ci_high, f.decimals_for(width)),
            f.probability(row.probability),
            row.verdict + "*" * row.changed,
        )
        for row in part.head(1 + MOST_LEFT_OUT).itertuples(index=False)
    ]


# -- sensitivity -------------------------------------------------------------------------


def sensitivity(m: ReportData) -> Values | None:
    """What conclusions rest on: priors, likelihood, readings."""
    value = m.check_results.sensitivity.value
    if value is None:
        return None
    words = m.contrast_words
    moves, farthest, scaled = tables.shifts(value)
    made = values.sensitivity(value, words)
    made |= {
        "refits": _refit_rows(value),
        "moved": [
            (
                words.get(str(row["quantity"]), str(row["quantity"])),
                values.significant(row["base_median"], row["width"], row["unit"]),
                _largest(row, "prior"),
                _largest(row, "reading"),
            )
            for row in farthest.head(MOST_ROWS).to_dict("records")
        ],
        "every": len(farthest),
        "scaled": [
            (
                words.get(str(row["quantity"]), str(row["quantity"])),
                f.number(row["prior"], 3),
                *([f.number(row["likelihood"], 3)] * (not made["scaling"]["priors_only"])),
                f.number(row["prior_move_in_sd"], 2),
                row["diagnosis"],
            )
            for row in scaled.sort_values("prior", ascending=False, kind="stable")
            .head(MOST_ROWS)
            .to_dict("records")
        ]
        if len(scaled)
        else [],
    }
    if len(farthest):
        picture = checks.moves(moves, farthest, m.passed)
        made["drawing"] = drawing("sensitivity-moves", picture)
    return made


def _refit_rows(value: Sensitivity) -> list[tuple[str, ...]]:
    return [
        (
            # The default is no run of its own here: it is the fit that the report is about.
            f"{refit.name} (the stored fit)" if refit.kind == "base" else refit.name,
            f.capital(refit.change),
            "yes" if refit.converged else "NO",
        )
        for refit in value.refits
    ]


def _largest(row: Mapping[Any, Any], kind: str) -> str:
    """The farthest move by one kind of refits: ``−5.0 (−1.25 sd), phi halved``."""
    if not row[kind]:
        return f.DASH
    move = values.significant(row[f"{kind}_move"], row["width"])
    return f"{move} ({f.number(row[f'{kind}_move_in_sd'], 2)}{f.SPACE}sd), {row[kind]}"


# -- multiverse --------------------------------------------------------------------------


def multiverse(m: ReportData) -> Values | None:
    """Whether conclusions and claims hold in every combination of readings, families and priors."""
    value = m.check_results.multiverse.value
    if value is None:
        return None
    curves = tables.curves(value)
    made = values.multiverse(value)
    # The curve of the key contrast is in the main report.
    key = "" if m.key_contrast is None else m.key_contrast.name
    others = [c["name"] for c in made["contrasts"] if c["name"] != key]
    words = m.contrast_words
    for own in made["contrasts"]:
        own["name"] = words.get(own["name"], own["name"])
    claims = tables.stability(tables.claims_by_combination(value, m.study.claims), (LEANING, CLEAR))
    texts = {claim.id: claim.text for claim in m.study.claims}
    weighted = bool(claims["stacked"].notna().any())
    return made | {
        "weighted": weighted,
        "clear_from": f"{CLEAR:g}",
        "interval": f.interval_name(CI_PROB),
        "drawings": [
            {
                "name": words.get(name, name),
                "drawing": drawing(
                    f"multiverse-{number}",
                    checks.specifications(
                        curves[curves["quantity"] == name], value.axes, m.passed, m.choice_words
                    ),
                ),
            }
            for number, name in enumerate(others, start=1)
        ],
        "rows": [
            (
                f"{texts.get(str(row.name), '')} ({row.name})",
                f.probability(row.default),
                f"{f.probability(row.lowest)} to {f.probability(row.highest)}",
                f"{row.same_side} of {row.combinations}",
                f"{row.clear} of {row.combinations}",
                f.probability(row.equal),
                *([f.DASH if math.isnan(row.stacked) else f.probability(row.stacked)] * weighted),
            )
            for row in claims.itertuples(index=False)
        ],
    }


# -- exact leave-one-out -----------------------------------------------------------------


def comparison(m: ReportData) -> Values | None:
    """How well the variants predict what they have not seen."""
    value, evidence = m.check_results.comparison.value, m.check_results.evidence.value
    if value is None:
        return None
    found = tables.predicted(value)
    own, determined = found.own, evidence is not None and bool(evidence.determined)
    several = isinstance(m, ShareReportData) and m.panel is not None
    texts = m.texts if value.unit == "count" else {}
    shown: Comparison | Evidence = value
    if determined and evidence is not None:
        shown = evidence
    done = {*shown.variants, *shown.skipped}
    names = [f"{texts[unit]} ({unit})" if texts.get(unit) else str(unit) for unit in own["unit"]]
    percent = m.study.model == "share"
    made = values.comparison(value, evidence, texts, several, found) | {
        "settings": _settings(value.settings),
        "skipped": values.skipped(shown),
        "new": [n for n, row in m.catalogue.items() if not row.outcome and n not in done],
        "unit_drawing": drawing(
            "comparison-units",
            checks.units(own, names, "Reported share" if percent else "Number", percent, m.passed),
        ),
        "unit_rows": _unit_rows(own.assign(unit=names))[:MOST_ROWS],
        "evidence_rows": [],
        "elpd_rows": [],
    }
    if evidence is not None and evidence.variants:
        sizes = list(next(iter(evidence.variants.values())).falls)
        made |= {"sizes": sizes, "evidence_rows": _evidence_rows(evidence, sizes)}
    if not determined:
        made["pit_drawing"] = drawing("comparison-pit", checks.pit(found.law, m.passed))
    if len(found.elpds) > 1 and not determined:
        table = found.elpds
        weighed = bool(table["log_evidence"].notna().any())
        made |= {
            "elpd_drawing": drawing("comparison-elpd", checks.elpds(table, len(own), m.passed)),
            "elpd_rows": _elpd_rows(table, weighed),
            "bridge_error": f.number(table["evidence_error"].max(), 2) if weighed else "",
        }
    return made


def _evidence_rows(found: Evidence, sizes: list[str]) -> list[tuple[str, ...]]:
    return [
        (
            str(row["variant"]),
            f.number(row["log_evidence"], 1),
            f.number(row["difference"], 1),
            f.number(row["weight"], 2),
            *(f.number(row[f"decay[{size}]"], 2) for size in sizes),
            *(f.probability(row[f"p_falls[{size}]"]) for size in sizes),
        )
        for row in tables.evidences(found).to_dict("records")
    ]


def _elpd_rows(elpds: pd.DataFrame, weighed: bool) -> list[tuple[str, ...]]:
    return [
        (
            f"{row['variant']}{'' if row['converged'] else ' (a refit did not converge)'}",
            values.nats(row["elpd"]),
            values.nats(row["difference"])
            + (
                f" ({f.span(row['ci_low'], row['ci_high'], 1)})"
                if math.isfinite(row["ci_low"])
                else ""
            ),
            f.probability(row["p_better"]),
            f"{f.number(row['weight'], 2)} ({f.span(row['weight_low'], row['weight_high'], 2)})",
            *([values.nats(row["log_evidence"])] if weighed else []),
        )
        for row in elpds.to_dict("records")
    ]


def _unit_rows(own: pd.DataFrame) -> list[tuple[str, ...]]:
    return [
        (
            str(row["unit"]),
            values.reported(row["printed"]),
            values.reported(row["median"]),
            f"{f.SPACE}to{f.SPACE}".join(values.reported(row[c]) for c in ("ci_low", "ci_high"))
            + "*" * row["outside"],
            values.nats(row["lpd"], 2)
            + ("" if row["converged"] else " (the refit did not converge)"),
        )
        for row in own.sort_values("p_tail", kind="stable").to_dict("records")
    ]
