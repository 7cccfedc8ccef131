"""Sections of the main report that every model has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intlmodels.checks import tables
from intlmodels.checks.calibration import FAMILYWISE
from intlmodels.core import formats as f
from intlmodels.models import DEFAULT
from intlmodels.plots import checks as plots
from intlmodels.report import provenance, rows
from intlmodels.report.data import ReportData
from intlmodels.report.pages import Values
from intlmodels.report.sections import drawing
from intlmodels.results.wording import CLEAR, LEANING, missed

if TYPE_CHECKING:
    import pandas as pd


#: Units whose omission changes the verdict, named.
MOST_LEFT_OUT = 5
#: Features of the data that the model misses, named.
MOST_MISSED = 3


def question(m: ReportData) -> Values | None:
    """What the publication is, and the question put to its data."""
    if not (m.study.question or m.study.summary or m.study.source):
        return None
    return {
        "question": m.study.question,
        "source": m.study.source,
        "claims": str(len(m.study.claims)) if m.study.claims else "",
        "summary": m.study.summary,
        "firm": m.study.firm_label,
    }


# -- robustness --------------------------------------------------------------------------


def holds(m: ReportData) -> Values | None:
    """How the key contrast fares elsewhere, towards its side; None if only the default has it."""
    key = m.key_contrast
    if key is None or len(key.curve) < 2:
        return None
    positive = key.row.median >= 0
    towards = key.curve["p_positive"] if positive else 1 - key.curve["p_positive"]
    medians = key.curve["median"] if positive else -key.curve["median"]
    decimals = f.decimals_for(key.row.ci_high - key.row.ci_low)
    return {
        "name": m.contrast_words.get(key.name, key.name),
        "unit": key.curve["unit"].iloc[0],
        "positive": bool(positive),
        "combinations": str(len(key.curve)),
        "crossed": [*key.axes] != ["variant"],
        "axes": f.listed(list(map(tables.axis_name, key.axes))),
        "same_side": str(int((towards >= 0.5).sum())),
        "leaning_in": str(int((towards >= LEANING).sum())),
        "clear_in": str(int((towards >= CLEAR).sum())),
        "lowest": f.probability(float(towards.min())),
        "highest": f.probability(float(towards.max())),
        "smallest": f.number(float(medians.min()), decimals),
        "largest": f.number(float(medians.max()), decimals),
    }


def robustness(m: ReportData) -> Values | None:
    """How the key contrast stands over readings, families and priors."""
    found, key = holds(m), m.key_contrast
    if found is None or key is None:
        return None
    drawn = plots.specifications(key.curve, key.axes, m.passed, m.choice_words)
    unit = "percentage points" if found["unit"] == "points" else found["unit"]
    multiverse = m.check_results.multiverse.value
    failed = [] if multiverse is None else [s for s in multiverse.specifications if not s.converged]
    positive = key.curve["p_positive"]
    towards = positive if found["positive"] else 1 - positive
    clear, weak = key.curve[towards >= CLEAR], key.curve[towards < LEANING]
    return {
        **found,
        "only": _in_common(m, clear, key.curve, [*key.axes]) if found["crossed"] else "",
        "only_leaning": _in_common(m, key.curve[towards >= LEANING], key.curve, [*key.axes])
        if found["crossed"]
        else "",
        "weak": [] if found["crossed"] else [_choice(m, "variant", n) for n in weak["variant"]],
        "unit": unit,
        "interval": f.interval_name(m.prob),
        "choices": [
            {"axis": tables.axis_name(axis), "number": str(len(own))}
            for axis, own in key.axes.items()
        ],
        "meanings": [
            {
                "axis": tables.axis_name(axis),
                "name": _choice(m, axis, name),
                "change": m.catalogue[name].change,
            }
            for axis, names in key.axes.items()
            for name in names
            if name in m.catalogue and name != DEFAULT and (key.curve[axis] == name).any()
            if m.choice_words.get(name) != m.catalogue[name].change
        ],
        "failed": str(len(failed)) if failed and found["crossed"] else "",
        "every": "" if multiverse is None else str(len(multiverse.specifications)),
        "picture": drawing("robustness", drawn),
    }


def _choice(m: ReportData, axis: str, name: str) -> str:
    """What a choice is called."""
    return m.choice_words.get(name) or plots.choice_name(axis, name)


def _in_common(m: ReportData, part: pd.DataFrame, whole: pd.DataFrame, axes: list[str]) -> str:
    """Choices that some combinations have in common and others do not."""
    shared = {axis: set(part[axis]) for axis in axes if len(part)}
    return f.listed(
        [
            f"{tables.axis_name(axis)}: {_choice(m, axis, own.pop())}"
            for axis, own in shared.items()
            if len(own) == 1 < whole[axis].nunique()
        ]
    )


def influence(m: ReportData) -> Values | None:
    """What leaving out one firm or count does to the key contrast."""
    found, key = m.check_results.influence.value, m.key_contrast
    if found is None or key is None:
        return None
    table = tables.influences(found)
    own = table[(table["of"] == "difference") & (table["name"] == key.name) & table["converged"]]
    left = own[own["kind"] != "nothing"]
    if not len(left):
        return None
    towards = left["probability"] if key.row.median >= 0 else 1 - left["probability"]
    ends = {"low": towards.idxmin(), "high": towards.idxmax()}
    changed = left[left["changed"].astype(bool)]
    return {
        "name": m.contrast_words.get(key.name, key.name),
        "unit": found.unit_label,
        "omissions": str(len(left)),
        "probability": f.probability(key.row.p_direction),
        **{name: f.probability(float(towards[at])) for name, at in ends.items()},
        **{f"without_{name}": left.loc[at, "left_out"] for name, at in ends.items()},
        "changed": [*changed["left_out"]][:MOST_LEFT_OUT],
        "changes": str(len(changed)),
    }


def scores(m: ReportData) -> dict[str, str]:
    """Variant -> how much better than the default it predicts what was left out (elpd)."""
    found = m.check_results.comparison.value
    if found is None:
        return {}
    table = tables.elpds(found)
    return {
        row.variant: f"{f.number(row.difference, 1)} ({f.span(row.ci_low, row.ci_high, 1)})"
        for row in table.itertuples(index=False)
    }


# -- checks ------------------------------------------------------------------------------


def checks(m: ReportData) -> Values:
    """Model checks in one row."""
    return {
        "gate": _gate(m),
        "predictive": _predictive(m),
        "pit": _pit(m),
        "calibration": _calibration(m),
    }


def _gate(m: ReportData) -> Values:
    gate = m.gates["default"]
    sizes = m.fit["posterior"].sizes
    value = {r.name: rows.check_value(r) for r in gate.results}
    others = [name for name in m.gates if name != "default"]
    return {
        "passed": gate.passed,
        "draws": f"{sizes['chain'] * sizes['draw']:,}",
        "chains": str(sizes["chain"]),
        "checks": str(sum(r.outcome != "informational" for r in gate.results)),
        "rhat": value.get("rhat", ""),
        "ess": value.get("ess_bulk", ""),
        "others": str(len(others)) if others else "",
        "failed": f.listed([name for name in others if not m.gates[name].passed]),
    }


def _predictive(m: ReportData) -> Values | None:
    table = m.predictive
    if table is None:
        return None
    bad = table[missed(table)]
    return {
        "features": str(len(table)),
        "failing": str(len(bad)),
        "missed": [
            {"feature": row.feature, "observed": f"{f.rounded(row.observed):g}"}
            | {"low": f"{f.rounded(row.ci_low):g}", "high": f"{f.rounded(row.ci_high):g}"}
            for row in bad.head(MOST_MISSED).itertuples(index=False)
        ],
    }


def _pit(m: ReportData) -> Values | None:
    found = m.check_results.comparison.value
    evidence = m.check_results.evidence.value
    if found is None or (evidence is not None and evidence.determined):
        return None
    pit = tables.pit(tables.laws(found, next(iter(found.variants))))
    return {"unit": found.unit_label, "within": bool(np.isnan(pit.outside))}


def _calibration(m: ReportData) -> Values | None:
    found = m.check_results.calibration.value
    if found is None or not found.ranked:
        return None
    table = tables.calibrated(found)
    caught = [error.after is not None for error in m.check_results.wrong.value or ()]
    return {
        "studies": str(found.sims),
        "quantities": str(len(table)),
        "deviating": [*table.loc[table["deviates"], "quantity"]],
        "smallest": f.probability(float(table["p_adjusted"].min())),
        "limit": f"{FAMILYWISE:g}",
        "errors": str(len(caught)) if caught else "",
        "caught": str(sum(caught)),
    }


# -- citation ----------------------------------------------------------------------------


def citation(m: ReportData) -> Values:
    """How to reproduce the report, and how to cite it."""
    return {
        "study": provenance.study_argument(m.study, "../.."),
        "command": provenance.command(m),
        "unsaved": provenance.unsaved(m.study),
        "software": provenance.own(m.attribute("versions")["intlmodels"]).text,
        "source": m.study.source,
        "fingerprint": m.stored[0].fingerprint,
    }
