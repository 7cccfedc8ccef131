"""Numbers of calibration, comparison, sensitivity and the other checks, for their templates.

The same templates are read by the report and by the command line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from intlmodels.checks import calibration as ranks
from intlmodels.checks import tables as t
from intlmodels.checks.stored import (
    PROBS,
    Calibration,
    Comparison,
    DesignAnalysis,
    Detection,
    Evidence,
    Influence,
    Multiverse,
    Sensitivity,
)
from intlmodels.core import formats as f
from intlmodels.fitting.diagnostics import on_the_edge
from intlmodels.report.pages import Values
from intlmodels.results import wording
from intlmodels.results.intervals import CI_PROB
from intlmodels.results.wording import CLEAR, LEANING, verdict

if TYPE_CHECKING:
    import pandas as pd

    from intlmodels.studies.claims import Claim


LEVELS = tuple(f"{100 * prob:g}" for prob in PROBS)
#: Percent of right decisions from which a number of firms is called enough.
ENOUGH = 80
#: Firms, counts or groups that a sentence on influence names.
MOST_INFLUENTIAL = 3
#: Monte Carlo error of a log probability above which its size is itself uncertain.
MOST_ERROR = 0.5
#: Weights of variants below this are not listed.
LEAST_WEIGHT = 0.01
#: Part of a posterior left out of sums over tables above which it is reported.
MOST_OMITTED = 0.01

#: Limits of verdicts, as sentences quote them.
LIMITS = {"clear_from": f"{CLEAR:g}", "leaning_from": f"{LEANING:g}"}


def significant(number: float, width: float, unit: str = "") -> str:
    """A number with its unit, and the digits that an interval of this width deserves."""
    text = f.significant(number) if width < 0.01 else f.number(number, f.decimals_for(width) + 1)
    return f"{text}{'' if unit == '%' else ' '}{unit}" if unit else text


def nats(value: float, decimals: int = 1) -> str:
    """A log probability, or a difference of them."""
    if math.isinf(value):
        return "∞" if value > 0 else f"{f.MINUS}∞"
    return f.number(value, decimals)


def reported(number: float) -> str:
    """A number as it was reported."""
    return f"{number:g}".replace("-", f.MINUS)


# -- calibration -------------------------------------------------------------------------


def calibration(found: Calibration, errors: Sequence[Detection] = ()) -> Values:
    """Fits, ranks, coverage, what cannot be learned, verdicts, and deliberate errors."""
    table = t.calibrated(found)
    values: Values = {
        "sims": found.sims,
        "failed": len(found.failed),
        "reasons": list(dict.fromkeys(why for _, why in found.failed)),
        "divergent": found.divergent,
        "unconverged": found.unconverged,
        "rhat_limit": f"{found.limit:g}",
        "quantities": len(table),
        "p_limit": f"{ranks.FAMILYWISE:g}",
        "verdicts": _verdicts(t.verdict_rates(found.differences)) if found.differences else [],
        "errors": [
            {
                "name": error.name,
                "change": error.change.rstrip("."),
                "after": error.after or 0,
                "last": max(error.looks, default=0),
                "quantity": f.in_words(error.quantity),
                "p_value": f.probability(error.p_value),
            }
            for error in errors
        ],
        "looks": list(dict.fromkeys(str(look) for error in errors for look in error.looks)),
        **LIMITS,
    }
    if not len(table):
        return values
    # Adjusted p-values tie at 1, the raw ones do not.
    lowest = table.loc[table["p_value"].idxmin()]
    deviating = table[table["deviates"]].sort_values("p_adjusted", kind="stable")
    return values | {
        "lowest": {
            "quantity": f.in_words(lowest["quantity"]),
            "p_value": f.probability(lowest["p_value"]),
            "p_adjusted": f.probability(lowest["p_adjusted"]),
        },
        "deviating": [_deviation(row) for row in deviating.to_dict("records")],
        "coverages": len(table) * len(PROBS),
        "levels": list(LEVELS),
        "outside": sum(int(table[f"outside_{level}"].sum()) for level in LEVELS),
        "by_chance": f.number(t.outside_by_chance(table), 1),
        "band": f"{100 * t.BAND:g}",
        "hard": [*map(f.in_words, table.loc[table["spread_ratio"] > t.WIDE, "quantity"])],
        "spread_limit": f"{t.WIDE:g}",
    }


def _deviation(row: Mapping[Any, Any]) -> Values:
    """How ranks of a quantity deviate, from its bias and coverage and their errors."""
    under = [n for n in LEVELS[::-1] if row[f"coverage_{n}"] < row[f"low_{n}"]]
    over = [n for n in LEVELS[::-1] if row[f"coverage_{n}"] > row[f"high_{n}"]]
    kind = "narrow" if under and not over else "wide" if over and not under else "shape"
    if row["bias_error"] > 0 and abs(row["bias"]) > t.BIASED * row["bias_error"]:
        kind = "high" if row["bias"] > 0 else "low"
    level = "" if kind == "shape" or (kind in ("high", "low") and not under) else (under or over)[0]
    return {
        "quantity": f.in_words(row["quantity"]),
        "p_adjusted": f.probability(row["p_adjusted"]),
        "kind": kind,
        "bias": f.number(abs(row["bias_in_sd"]), 2),
        "level": level,
        "coverage": f.percent(row[f"coverage_{level}"], 1) if level else "",
    }


def _verdicts(rates: pd.DataFrame) -> list[Values]:
    """How often true differences of each unit are called clear or leaning, and wrongly."""
    said = []
    for unit, part in rates.groupby("unit", sort=False):
        every = part[part["of"] == "all"].iloc[0]
        called = {n: every[f"{n}_right"] + every[f"{n}_wrong"] for n in ("clear", "leaning")}
        sizes = part[(part["of"] == "size") & (part["count"] > 0)]
        said.append(
            {
                "unit": unit,
                "count": int(every["count"]),
                **{f"called_{name}": f.percent(total, 1) for name, total in called.items()},
                "wrong": {
                    name: _share(every[f"{name}_wrong"] / total)
                    for name, total in called.items()
                    if total
                },
                "sizes": [
                    {
                        "size": size(row),
                        "right": f.percent(row["clear_right"], 1),
                        "wrong": _share(row["clear_wrong"] / 100),
                    }
                    for row in sizes.to_dict("records")
                ],
            }
        )
    return said


def _share(share: float) -> str:
    return f.percent(100 * share, 1) if share else "none"


def size(row: Mapping[Any, Any]) -> str:
    """A range of true sizes with its unit, as in ``10 to 20 points``."""
    low, high, unit = (row[name] for name in ("low", "high", "unit"))
    if not low:
        return f"below {high:g} {unit}"
    return f"{low:g} {unit} or more" if math.isinf(high) else f"{low:g} to {high:g} {unit}"


# -- design ------------------------------------------------------------------------------


def design(found: DesignAnalysis) -> Values:
    """How often studies of each number of firms decide comparisons, and how many are enough."""
    table = t.decisions(found)
    failed = sum(size.failed for size in found.sizes)
    values: Values = {
        "sims": found.sims * len(found.sizes) - failed,
        "failed": failed,
        "source": found.source,
        "enough": f"{ENOUGH}",
        "rates": [],
        **LIMITS,
    }
    if not len(table):
        return values
    means = table.groupby("firms")[["right", "wrong"]].mean()
    decided, undecided = [], []
    for name, part in table.groupby("quantity", sort=False):
        reached = part.loc[part["right"] >= ENOUGH, "firms"]
        if len(reached):
            decided.append(f"{name} ({reached.min()} firms)")
        else:
            undecided.append(f"{name} ({f.percent(part.loc[part['firms'].idxmax()]['right'])})")
    return values | {
        "rates": [
            {
                "firms": str(firms),
                "right": f.percent(row["right"], 1),
                "wrong": f.percent(row["wrong"], 1),
            }
            for firms, row in means.iterrows()
        ],
        "most": str(table["firms"].max()),
        "decided": decided,
        "undecided": undecided,
    }


# -- influence ---------------------------------------------------------------------------


def influence(
    found: Influence,
    texts: Mapping[str, str] | None = None,
    study_claims: Sequence[Claim] | None = None,
) -> Values:
    """What was left out, and without which of it a verdict would change.

    ``texts`` says in words what each count counts; of claims only those count that are among
    ``study_claims`` as they were.
    """
    kinds = [omission.kind for omission in found.omissions]
    table = t.influences(found)
    contrasts = [contrast(part, found, texts) for part in t.key_influences(table)]
    words = {}
    if study_claims is not None:
        words = {t.claim_key(claim): claim.text for claim in study_claims}
        table = table[(table["of"] != "claim") | table["name"].isin(words)]
    claims = table[(table["of"] == "claim") & (table["kind"] == found.unit)]
    return {
        "one": found.unit_label,
        "units": kinds.count(found.unit),
        "orders": kinds.count("order"),
        "groups": kinds.count("subset") + kinds.count("place"),
        "kept": list(found.kept),
        "failed": [omitted(each.name) for each in found.omissions if not each.converged],
        "contrasts": contrasts,
        "claims": int(claims["name"].nunique()),
        "changed": [
            {
                "id": str(name).split(" ")[0],
                "text": words.get(name, ""),
                "without": [omitted(name) for name in part["left_out"]],
            }
            for name, part in claims[claims["changed"]].groupby("name", sort=False)
        ],
    }


def omitted(name: str) -> str:
    """What was left out, in a sentence.

    >>> omitted("the counts from 4.6")
    'the counts from section 4.6'
    """
    return re.sub(r"(?<=^the counts from )(?=\d)", "section ", name)


def contrast(
    part: pd.DataFrame, found: Influence, texts: Mapping[str, str] | None = None
) -> Values:
    """Without what the verdict on one difference would change.

    ``part`` is one of :func:`intlmodels.checks.tables.key_influences`; probabilities are of the
    sign that is the likelier one in the stored fit.
    """
    positive = bool(part["base"].iloc[0] >= 0.5)
    part = part.assign(p=part["probability"] if positive else 1 - part["probability"])
    whole, *rows = part.itertuples(index=False)

    def named(row: Any) -> str:
        return f"{found.unit_label} {row.left_out}" if row.kind == "firm" else omitted(row.left_out)

    def among(rows: Sequence[Any]) -> Values:
        changed = [row for row in rows if row.changed]
        others = [row for row in rows if not row.changed]
        low, high = (pick(others, key=lambda row: row.p, default=None) for pick in (min, max))
        return {
            "changed": [
                {
                    "name": named(row),
                    "meaning": (texts or {}).get(row.left_out, ""),
                    "probability": f.probability(row.p),
                    "verdict": verdict(max(row.p, 1 - row.p)),
                    "turned": row.p < 0.5,
                }
                for row in changed[:MOST_INFLUENTIAL]
            ],
            "more": max(len(changed) - MOST_INFLUENTIAL, 0),
            "others": {}
            if low is None or high is None
            else {
                "low": f.probability(low.p),
                "high": f.probability(high.p),
                "low_name": named(low),
                "high_name": named(high),
            },
        }

    single = [row for row in rows if row.kind in (found.unit, "order")]
    return {
        "name": whole.name,
        "positive": positive,
        "probability": f.probability(whole.p),
        "verdict": verdict(whole.p),
        "edge": on_the_edge(whole.p, whole.error, (CLEAR, LEANING)),
        "one": found.unit_label,
        "single": among(single),
        "together": among([row for row in rows if row not in single]),
    }


# -- sensitivity -------------------------------------------------------------------------


def sensitivity(found: Sensitivity, words: Mapping[str, str] | None = None) -> Values:
    """Which conclusions change with priors and readings, what moves most, and power-scaling.

    ``words`` says in a sentence what quantities are called.
    """
    moves, farthest, scaled = (own.replace({"quantity": words or {}}) for own in t.shifts(found))
    converged = found.refits[0].converged
    usable = moves[moves["counts"]]
    kinds = [refit.kind for refit in found.refits]
    return {
        "converged": converged,
        "priors": kinds.count("prior"),
        "readings": kinds.count("reading"),
        "kinds": [
            _by_kind(usable[usable["kind"] == kind], farthest, kind)
            for kind in ("prior", "reading")
            if converged and (usable["kind"] == kind).any()
        ],
        "failed": [refit.name for refit in found.refits if not refit.converged],
        "scaling": scaling(scaled),
        **LIMITS,
    }


def _by_kind(used: pd.DataFrame, farthest: pd.DataFrame, kind: str) -> Values:
    directions = used[used["direction"]]
    # What is clear in the default and does not stay so comes first.
    changed = directions[directions["changed"]].sort_values(
        "base_p_direction", ascending=False, kind="stable"
    )
    known = farthest[farthest[kind] != ""]
    most: Values = {}
    if len(known):
        row = known.loc[known[f"{kind}_move_in_sd"].abs().idxmax()]
        most = {
            "quantity": row["quantity"],
            "sd": f.number(abs(row[f"{kind}_move_in_sd"]), 2),
            "refit": row[kind],
            "before": significant(row["base_median"], row["width"]),
            "after": significant(
                row["base_median"] + row[f"{kind}_move"], row["width"], row["unit"]
            ),
        }
    return {
        "kind": kind,
        "refits": int(used["refit"].nunique()),
        "conclusions": int(directions["quantity"].nunique()),
        "changed": [
            {
                "quantity": name,
                "verdict": part["base_verdict"].iloc[0],
                "probability": f.probability(part["base_p_direction"].iloc[0]),
                "instead": [
                    {
                        "verdict": said,
                        "refits": [
                            f"{row.refit} ({f.probability(row.p_direction)})"
                            for row in own.itertuples(index=False)
                        ],
                    }
                    for said, own in part.groupby("verdict", sort=False)
                ],
            }
            for name, part in changed.groupby("quantity", sort=False)
        ],
        "most": most,
    }


def scaling(scaled: pd.DataFrame) -> Values:
    """What power-scaling says, by the rule of Kallioinen et al. (2024); empty if not computed."""
    if not len(scaled):
        return {}
    by = {
        name: scaled[scaled["diagnosis"] == diagnosis]
        .sort_values("prior", ascending=False)["quantity"]
        .tolist()
        for name, diagnosis in (
            *(("weak", t.WEAK), ("conflict", t.CONFLICT), ("moves", t.MOVES)),
            *(("step", t.STEP), ("unknown", t.UNKNOWN)),
        )
    }
    return {
        "quantities": len(scaled),
        "reliable": bool(scaled["reliable"].all()),
        "pareto_k": "infinite"
        if scaled["pareto_k"].iloc[0] == math.inf
        else f.number(float(scaled["pareto_k"].iloc[0]), 2),
        "pareto_k_limit": f"{t.UNRELIABLE:g}",
        "priors_only": bool(scaled["likelihood"].isna().all()),
        "sensitive_from": f"{t.SENSITIVE:g}",
        "step_from": f"{t.STEP_SIZE:g}",
        **by,
    }


# -- multiverse --------------------------------------------------------------------------


def multiverse(found: Multiverse) -> Values:
    """How many combinations there are, and how far differences hold in them."""
    converged = found.specifications[0].converged
    return {
        "combinations": len(found.specifications),
        "axes": [f"{t.axis_name(axis)} ({len(names)})" for axis, names in found.axes.items()],
        "failed": [own.name for own in found.specifications if not own.converged],
        "converged": converged,
        "contrasts": [stability(row) for row in t.key_contrasts(found).itertuples(index=False)]
        if converged
        else [],
    }


def stability(row: Any) -> Values:
    """How far a verdict holds, from a row of :func:`intlmodels.checks.tables.stability`."""
    positive = bool(row.default >= 0.5)

    def towards(probability: float) -> str:
        return f.probability(probability if positive else 1 - probability)

    low, high = (row.lowest, row.highest) if positive else (row.highest, row.lowest)
    return {
        "name": row.name,
        "positive": positive,
        "probability": towards(row.default),
        "same_side": int(row.same_side),
        "combinations": int(row.combinations),
        "clear_in": int(row.clear),
        "low": towards(low),
        "high": towards(high),
        "equal": towards(row.equal),
        "stacked": "" if math.isnan(row.stacked) else towards(row.stacked),
    }


# -- comparison --------------------------------------------------------------------------


def comparison(
    found: Comparison,
    evidence: Evidence | None = None,
    texts: Mapping[str, str] | None = None,
    several: bool = False,
    predicted: t.Predicted | None = None,
) -> Values:
    """Which variant predicts best what it has not seen, and what the default does not predict.

    ``evidence`` compares variants where counts that determine each other cannot; ``texts`` says in
    words what a unit is, where its name does not; ``several``: whether units have several rows, of
    which the first is shown.
    """
    made, texts = predicted or t.predicted(found), texts or {}
    own = made.own
    determined = list(evidence.determined) if evidence is not None else []
    left_out = own if determined else made.left_out
    failed = left_out[~left_out["converged"]]
    rough = left_out[left_out["possible"] & (left_out["lpd_error"] > MOST_ERROR)]

    def unit(row: Mapping[Any, Any]) -> Values:
        return {
            "name": str(row["unit"]),
            "meaning": texts.get(row["unit"], ""),
            "reported": reported(row["printed"]),
            "low": reported(row["ci_low"]),
            "high": reported(row["ci_high"]),
            "probability": f.probability(math.exp(row["lpd"])),
            "log": f.number(row["lpd"], 1),
        }

    def units(rows: pd.DataFrame) -> list[str]:
        return [f"{row.unit} in {row.variant}" for row in rows.itertuples(index=False)]

    outside = own[own["outside"]].sort_values("p_tail", kind="stable")
    least = own.sort_values("lpd", kind="stable").head(3)
    return {
        "one": found.unit_label,
        "count": len(own),
        "several": several,
        "determined": determined,
        "evidence": _evidence(evidence),
        "elpd": {} if determined else _elpd(made.elpds, len(own)),
        "pit": {} if determined else _pit(made.pit),
        "outside": [unit(row) for row in outside.to_dict("records")],
        "by_chance": f.number(own["p_outside"].sum(), 1),
        "central": f"{100 * t.CENTRAL:g}",
        "least": [unit(row) for row in least.to_dict("records")],
        "impossible": units(left_out[~left_out["possible"]]),
        "refits": len(left_out),
        "failed": [f"{row.variant} without {row.unit}" for row in failed.itertuples(index=False)],
        "rhat_limit": f"{t.MOST_RHAT:g}",
        "ess_limit": f"{t.LEAST_ESS:g}",
        "rough": units(rough),
        "error_limit": f"{MOST_ERROR:g}",
    }


def _evidence(found: Evidence | None) -> Values:
    """Which variant makes the published counts most probable; empty if none was compared."""
    if found is None or len(found.variants) < 2:
        return {}
    rows = t.evidences(found)
    best = rows.loc[rows["log_evidence"].idxmax()]
    known = rows[rows["weight"] >= LEAST_WEIGHT]
    known = known.sort_values("weight", ascending=False, kind="stable")
    return {
        "variants": len(rows),
        "default": f.number(rows["log_evidence"].iloc[0], 1),
        "best": "" if best.name == 0 else best["variant"],
        "best_log": f.number(best["log_evidence"], 1),
        "weights": [
            f"{row.variant} {f.number(row.weight, 2)}" for row in known.itertuples(index=False)
        ],
        "rough": rows.loc[rows["omitted"] > MOST_OMITTED, "variant"].tolist(),
        "omitted": f"{100 * MOST_OMITTED:g}",
    }


def _elpd(elpds: pd.DataFrame, count: int) -> Values:
    default, best = elpds.iloc[0], elpds.loc[elpds["elpd"].idxmax()]
    others = elpds.iloc[1:]
    alike = others[~others["told_apart"] & others["difference"].notna()]
    apart = others[others["told_apart"]]
    weights = elpds[elpds["weight"] >= LEAST_WEIGHT]
    weights = weights.sort_values("weight", ascending=False, kind="stable")
    return {
        "variants": len(elpds),
        "default": nats(default["elpd"]),
        "default_converged": bool(default["converged"]),
        "best": best["variant"] if best["elpd"] > default["elpd"] else "",
        "best_elpd": nats(best["elpd"]),
        "best_converged": bool(best["converged"]),
        "alike": alike["variant"].tolist(),
        "alike_limit": f"{t.ALIKE:g}",
        "apart": [
            {
                "variant": row["variant"],
                "better": row["difference"] > 0,
                "measured": math.isfinite(row["difference"]),
                "gap": f.number(abs(row["difference"]), 1),
                "interval": f.span(row["ci_low"], row["ci_high"], 1),
                "probability": f.probability(row["p_better"]),
                "certain": row["ci_low"] > 0 or row["ci_high"] < 0,
                "converged": row["converged"],
            }
            for row in apart.to_dict("records")
        ],
        "interval": f"{100 * CI_PROB:g}%",
        "few": t.FEW_UNITS if count < t.FEW_UNITS and apart["se"].notna().any() else 0,
        "incomparable": others.loc[others["difference"].isna(), "variant"].tolist(),
        "weights": [
            f"{row.variant} {f.number(row.weight, 2)} "
            f"({f.span(row.weight_low, row.weight_high, 2)})"
            for row in weights.itertuples(index=False)
        ],
        "weight_interval": f"{100 * t.WEIGHT_PROB:g}%",
    }


def _pit(pit: t.Pit) -> Values:
    tails, upper = 100 * pit.tails, 100 * pit.upper
    outer = abs(tails - 50) >= abs(upper - 50)
    narrow_or_wide = "narrow" if tails > 50 else "wide"
    low_or_high = "low" if upper > 50 else "high"
    return {
        "p_value": f.probability(pit.p_value),
        "outside": "" if math.isnan(pit.outside) else f"{pit.outside:.2g}",
        "half": "outer" if outer else "upper",
        "share": f.percent(tails if outer else upper),
        "kind": narrow_or_wide if outer else low_or_high,
    }


def skipped(found: Comparison | Evidence) -> list[Values]:
    """Which variants are not compared, and why; those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for variant, why in found.skipped.items():
        by_reason.setdefault(why.rstrip("."), []).append(variant)
    return [
        {"variants": names, "why": why.replace("it predicts", "they predict", len(names) - 1)}
        for why, names in by_reason.items()
    ]


# -- fits --------------------------------------------------------------------------------


def unmoved(parameters: pd.DataFrame) -> Values:
    """Which parameters the data hardly moved."""
    return {
        "parameters": len(parameters),
        "unmoved": [*map(f.in_words, wording.hardly_moved(parameters))],
        "wide": f"{wording.WIDE:g}",
        "shifted": f"{wording.SHIFTED:g}",
    }


def misfit(checks: pd.DataFrame, decimals: Callable[[str], int]) -> Values:
    """Whether data predicted by the fit look like the data.

    ``checks`` is a table of :func:`.intervals.check_table` with the column ``feature``;
    ``decimals`` are those with which a feature is written.
    """
    bad = checks[wording.missed(checks)]
    return {
        "features": len(checks),
        "interval": f.interval_name(checks["ci_prob"].iloc[0]),
        "tail": f"{wording.TAIL:g}",
        "tail_above": f"{1 - wording.TAIL:g}",
        "missed": [
            {
                "feature": row.feature,
                "observed": f.number(row.observed, places),
                "predicted": f.span(row.ci_low, row.ci_high, places),
                "probability": f.probability(row.p_larger),
            }
            for row in bad.itertuples(index=False)
            for places in [decimals(row.feature)]
        ],
    }
