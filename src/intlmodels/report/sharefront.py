"""Sections of the main report of the share model."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import numpy as np

from intlmodels.core import formats as f
from intlmodels.models import DEFAULT
from intlmodels.plots import share as plots
from intlmodels.report import answers, front
from intlmodels.report.data import ShareReportData
from intlmodels.report.pages import Values
from intlmodels.report.sections import drawing
from intlmodels.results import share
from intlmodels.results.steps import ANY, BOTH, IF_ANY, rather, without_note
from intlmodels.results.wording import missed

#: Rows of the figure of the finding, so that it stands on the first screen; and of that of all.
MOST_ROWS, MOST_LEVELS = 11, 30
#: Pairs of confounded levels that are named, and rival predictors that are listed.
MOST_CONFOUNDED, MOST_RIVALS = 3, 8
#: Rival predictors that take most away from the key contrast.
MOST_BESIDE = 2
#: A level with so few firms says little of its own.
FEW_FIRMS = 3
#: What the effect of a further predictor is called where its levels are in order.
ORDERED = "monotonic"


def _who(m: ShareReportData) -> Values:
    """What firms, rows and the outcome are called."""
    return {
        "firms": m.firms,
        "firm": m.study.firm_label,
        "many": f.plural(m.study.firm_label),
        "row": m.study.row_label if m.panel is None else "row",
        "rows": f.plural(m.study.row_label) if m.panel is None else "rows",
        "outcome": m.study.outcome.label,
        "interval": f.interval_name(m.prob),
        "banded": int(share.rows_of(m.fit).sum()) > plots.MOST_DOTS,
    }


# -- the finding -------------------------------------------------------------------------


def finding(m: ShareReportData) -> Values:
    """The answer to the question, the strongest result of any fit, and what stays open."""
    every, key = answers.effects(m), m.key_contrast
    effects = [own for own in every if own["verdict"] != "undecided"]
    fits = {name: DEFAULT for own in effects for name in own["names"]}
    nearest = None
    if key is not None and not effects:
        singles = [own for own in every if own["kind"] in ("pair", "step")]
        own = (own for own in singles if key.row.predictor in own["names"])
        nearest = next(own, {"kind": "pair", **answers.pair(key.row)}) | _behind(m, key.row)
        fits[key.row.predictor] = DEFAULT
    rivals = _rivals(m)
    elsewhere = _elsewhere(rivals)
    added = elsewhere["variant"] if elsewhere else None
    if elsewhere:
        fits[elsewhere["predictor"]] = elsewhere["variant"]
    fits = _in_a_figure(m, fits)
    shown = {name: m.variants[variant] for name, variant in fits.items()}
    drawn = plots.estimates(shown or m.fit, prob=m.prob)
    return {
        **_who(m),
        "effects": effects,
        "undecided": [
            own["label"] + (f" by {own['by']}" if own["kind"] == "moderation" else "")
            for own in every
            if own["verdict"] == "undecided"
        ],
        "nearest": nearest,
        "holds": front.holds(m),
        "elsewhere": elsewhere,
        "rivals": len(rivals),
        "beside": [own for own in _beside(m, rivals) if own["variant"] == added],
        "unexplained": _unexplained(m),
        "confounded": _confounded(m)[:1],
        "average": answers.level(answers.first(m.average)),
        "spreads": _spreads(m),
        "zeros": _zeros(m),
        "picture": drawing("finding", drawn),
        "line": f"im.plots.estimates({_in_python(fits)})",
    }


def _in_a_figure(m: ShareReportData, fits: dict[str, str]) -> dict[str, str]:
    """Of predictors and their fits the first that have room, of those that are compared."""
    chosen: dict[str, str] = {}
    rows = 0
    for name, variant in fits.items():
        size = int((share.levels(m.variants[variant], m.prob)["predictor"] == name).sum())
        if size and (not chosen or rows + size <= MOST_ROWS):
            chosen[name] = variant
            rows += size
    return chosen


def _in_python(fits: dict[str, str]) -> str:
    """Predictors and their fits as Python writes them."""
    if not fits:
        return "fit"
    files = {v: "fit" if v == DEFAULT else f'im.read_fit("variants/{v}.nc")' for v in fits.values()}
    return f"{{{', '.join(f'"{name}": {files[v]}' for name, v in fits.items())}}}"


def _behind(m: ShareReportData, row: Any) -> Values:
    """How many firms have either level of a difference, the higher one first."""
    own = m.levels[m.levels["predictor"] == row.predictor]
    count = dict(zip(own["level"], own["firms"], strict=True))
    ends = (row.level, row.against) if row.median >= 0 else (row.against, row.level)
    return {n: int(count.get(end, 0)) for n, end in zip(("n", "n_against"), ends, strict=True)}


def _rivals(m: ShareReportData) -> list[Values]:
    """The clearest difference of each predictor that only variants have, the clearest first."""
    table = m.compared.rows(m.comparison)
    known = set(m.levels["predictor"])
    table = table[~table["predictor"].isin(known) & table["converged"].astype(bool)]
    table = table[table["variant"] != DEFAULT].assign(size=table["median"].abs())
    table = table.sort_values(["p_direction", "size"], ascending=False, kind="stable")
    found = []
    for row in table.drop_duplicates(["variant", "predictor"]).itertuples(index=False):
        every = share.blocks(m.variants[row.variant])
        block = next((own for own in every if own["name"] == row.predictor), {"kind": ""})
        number = block["kind"] in share.NUMBERS
        found.append(
            {
                "variant": row.variant,
                "predictor": row.predictor,
                "note": m.note_on(row.variant),
                "ordered": block["kind"] == ORDERED,
                "kind": "step" if number else "pair",
                "more": rather(row.level, row.against, block["unit"]) if number else "",
                **answers.pair(row),
            }
        )
    return found


def _beside(m: ShareReportData, rivals: list[Values]) -> list[Values]:
    """The key contrast with each rival predictor in the model, the smallest first."""
    key, table = m.key_contrast, m.compared.rows(m.comparison)
    labels = {own["variant"]: own["label"] for own in rivals}
    if key is None or not labels:
        return []
    same = (table[[*m.compared.key]] == [*m.compared.key_of(key.row)]).all(axis=1)
    sign = 1 if key.row.median >= 0 else -1
    found = []
    for row in table[same & table["variant"].isin([DEFAULT, *labels])].itertuples(index=False):
        decimals = f.decimals_for(row.ci_high - row.ci_low)
        low, high = sorted((sign * row.ci_low, sign * row.ci_high))
        found.append(
            {
                "variant": row.variant,
                "label": labels.get(row.variant, ""),
                "at": sign * row.median,
                "size": f.number(sign * row.median, decimals),
                "low": f.number(low, decimals),
                "high": f.number(high, decimals),
            }
        )
    return sorted(found, key=lambda own: own["at"])


def _elsewhere(rivals: list[Values]) -> Values | None:
    """The clearest difference that only a variant has, if it is clear."""
    return next((own for own in rivals if own["verdict"] == "clear"), None)


def _unexplained(m: ShareReportData) -> Values | None:
    """How much of the variation no predictor explains, and which explains most."""
    known = m.variation[m.variation["source"] != share.NOT_EXPLAINED]
    if not len(known):
        return None
    left = answers.first(m.variation[m.variation["source"] == share.NOT_EXPLAINED])
    largest = answers.first(known.sort_values("median", ascending=False, kind="stable"))
    found = answers.level(left) | {"most": {"label": largest.label, **answers.level(largest)}}
    if hasattr(left, "prior_median"):
        names = {"prior": left.prior_median, "before": left.prior_low, "after": left.prior_high}
        found |= {name: f.number(value, 0) for name, value in names.items()}
    return found


def _spreads(m: ShareReportData) -> list[Values]:
    """How far the levels of predictors with very many of them differ, and which are at the ends."""
    found = []
    for row in m.level_spread.itertuples(index=False):
        own = m.many_levels[m.many_levels["predictor"] == row.predictor]
        ends = {end: answers.first(own.nlargest(1, f"p_{end}")) for end in ("largest", "smallest")}
        found.append(
            {
                "label": row.label,
                "levels": str(row.levels),
                **answers.level(row),
                **{end: one.level for end, one in ends.items()},
                **{f"p_{n}": f.probability(getattr(one, f"p_{n}")) for n, one in ends.items()},
            }
        )
    return found


def _zeros(m: ShareReportData) -> Values | None:
    """With structural zeros: how many have any share at all, and how large it is."""
    if not m.has_zeros:
        return None
    names = {ANY: "any", IF_ANY: "if_any", BOTH: "both"}
    rows = m.zero_averages.itertuples(index=False)
    return {names[row.estimand]: answers.level(row) for row in rows}


# -- the data, and the estimates ---------------------------------------------------------


def data(m: ShareReportData) -> Values:
    """What was reported, by whom, and what is compared."""
    study, outcome = m.study, m.study.outcome
    values, of, count = share.reported(m.fit)
    repeated = np.sort(np.repeat(values, count))
    middle = int(np.argsort(values, kind="stable")[len(values) // 2])
    weights = outcome.weights
    return {
        **_who(m),
        "unit": outcome.unit.replace("fraction", "fractions"),
        "years": m.years.removeprefix(", "),
        "register": m.register is not None,
        "bands": bool(outcome.bands),
        "width": f.amount(outcome.width, "percentage points") if outcome.width else "",
        "example": f"{outcome.printed[middle]:g}",
        "stands_low": f"{100 * outcome.lower[middle]:g}",
        "stands_high": f"{100 * outcome.upper[middle]:g}",
        "lowest": f"{repeated[0]:g}",
        "median": f"{np.median(repeated):g}",
        "highest": f"{repeated[-1]:g}",
        "worth": "" if weights is None else f"{share.effective_rows(weights):,.0f}",
        "left_out": str(len(study.dropped)) if study.dropped else "",
        "levels": _compared(m, values, of, count),
    }


def _compared(m: ShareReportData, values: Any, of: Any, count: Any) -> list[tuple[str, ...]]:
    """Predictor, level, how many report there, and their median and range."""
    rows: list[tuple[str, ...]] = []
    numbers = {block["name"] for block in share.blocks(m.fit) if block["kind"] in share.NUMBERS}
    for name, part in m.levels.groupby("predictor", sort=False):
        if name in numbers or len(part) > MOST_LEVELS:
            continue
        at = share.nearest(m.fit, str(name))[of]
        for i, row in enumerate(part.itertuples(index=False)):
            own = np.repeat(values[at == i], count[at == i])
            told = (
                (f"{np.median(own):g}", f"{own.min():g} to {own.max():g}")
                if len(own)
                else (f.DASH,) * 2
            )
            rows.append(("" if i else row.label, row.level, f"{row.firms:,}", *told))
    for predictor in m.study.predictors.values():
        if predictor.kind == "numeric" and predictor.name in {b.term for b in m.design.blocks}:
            own = predictor.values[~np.isnan(predictor.values)]
            own = np.exp(own) if predictor.transform == "log" else own
            unit = f.bare(predictor.unit)
            low, high = (f.about(float(end), unit) for end in (own.min(), own.max()))
            span = f"{low} to {high}{f.in_brackets(predictor.unit)}"
            rows.append((predictor.label, span, f"{len(own):,}", f.DASH, f.DASH))
    return rows


def estimates(m: ShareReportData) -> Values:
    """Averages at each level beside what firms report, and what goes with each predictor."""
    all_levels = len(m.levels) <= MOST_LEVELS
    key = m.key_contrast
    only = None if all_levels or key is None else key.row.predictor
    named = "" if only is None else f', "{only}"'
    return {
        **_who(m),
        "panel": m.panel is not None,
        "effects": answers.effects(m),
        "only": "" if only is None else str(key.row.label) if key else "",
        "picture": drawing("levels", plots.estimates(m.fit, only, m.prob)),
        "line": f"im.plots.estimates(fit{named})",
    }


def _confounded(m: ShareReportData) -> list[Values]:
    return [
        {name: str(value) for name, value in row._asdict().items()}
        | {"same": row.both == row.of_a == row.of_b}
        for row in m.confounded.head(MOST_CONFOUNDED).itertuples(index=False)
    ]


def reasons(m: ShareReportData) -> Values | None:
    """What explains the shares, what is confounded, what rivals say, what the result rests on."""
    every = _rivals(m)
    rivals = every[:MOST_RIVALS]
    found = {
        "unexplained": _unexplained(m),
        "confounded": _confounded(m),
        "rivals": rivals,
        "influence": front.influence(m),
    }
    if not any(found.values()):
        return None
    scores = front.scores(m)
    for rival in rivals:
        rival["score"] = scores.get(rival["variant"], "")
    elsewhere = _elsewhere(rivals)
    if elsewhere and not elsewhere["note"]:
        elsewhere = None
    return {
        **_who(m),
        **found,
        "elsewhere": elsewhere,
        "tried": len(every),
        "key": m.key_contrast and m.key_contrast.name,
        "beside": list(takewhile(lambda own: own["label"], _beside(m, every)))[:MOST_BESIDE],
        "scored": any(own["score"] for own in rivals),
    }


def limits(m: ShareReportData) -> Values:
    """What the data cannot say: computed from the fit, then in the words of the study."""
    widths = (m.differences["ci_high"] - m.differences["ci_low"]).to_numpy()
    half = float(np.median(widths)) / 2 if len(widths) else 0.0
    few = m.levels[m.levels["firms"] <= FEW_FIRMS]
    return {
        **_who(m),
        "missed": int(missed(m.checks).sum()),
        "features": len(m.checks),
        "limits": list(m.study.limits),
        "detectable": f.number(half, f.decimals_for(2 * half)) if len(widths) else "",
        "few": [without_note(f"{row.level} ({row.firms})") for row in few.itertuples(index=False)],
        "register": m.register is not None,
    }
