"""What the share has to do with the predictors of a question, as values of templates.

In the predictors' own units: how the difference that one makes depends on another, what goes with
more of it, where its curve turns, between firms and within them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from intlmodels.core import formats as f
from intlmodels.report.data import ShareReportData
from intlmodels.report.pages import Values
from intlmodels.results.share import NUMBERS, blocks
from intlmodels.results.steps import BOTH, rather, without_note
from intlmodels.results.wording import firm_verdict, verdict

if TYPE_CHECKING:
    import pandas as pd


def difference(row: Any) -> Values:
    """A difference as its size whichever way it goes, with interval, probability and verdict."""
    size, low, high = row.median, row.ci_low, row.ci_high
    if size < 0:
        size, low, high = -size, -high, -low
    decimals = f.decimals_for(high - low)
    return {
        "size": f.number(size, decimals),
        "low": f.number(low, decimals),
        "high": f.number(high, decimals),
        "higher": bool(row.median >= 0),
        "probability": f.probability(row.p_direction),
        "verdict": firm_verdict(row),
        "edge": firm_verdict(row) != verdict(row.p_direction),
    }


def pair(row: Any) -> Values:
    """A difference between two levels, the higher one first."""
    ends = [without_note(row.level), without_note(row.against)]
    above, below = ends if row.median >= 0 else reversed(ends)
    return {"label": row.label, "level": above, "against": below, **difference(row)}


def effects(m: ShareReportData) -> list[Values]:
    """What goes with each predictor of the question, with ``kind`` and ``name``; clearest first.

    A predictor that is moderated, split or curved takes more than a difference to say; where the
    data do not decide that it is moderated, so do its averages.
    """
    found = [*_moderated(m), *_split(m), *_curved(m)]
    decided = [f for f in found if (f["kind"], f["verdict"]) != ("moderation", "undecided")]
    said = {name for own in decided for name in own["names"]}
    return _ordered([*found, *(own for own in _singles(m) if not said & set(own["names"]))])


def _ordered(found: Iterator[Values] | list[Values]) -> list[Values]:
    """Effects with a clear direction first; within a verdict in the order of the study."""
    order = ("clear", "leaning", "undecided")
    return sorted(found, key=lambda own: order.index(own["verdict"]))


def _steps(m: ShareReportData) -> Mapping[str, Any]:
    """More of each number, by its name."""
    if not any(block["kind"] in NUMBERS for block in blocks(m.fit)):
        return {}
    own = m.steps[m.steps["estimand"] == BOTH]
    return {row.predictor: row for row in own.itertuples(index=False)}


def _singles(m: ShareReportData) -> Iterator[Values]:
    """More of a number, and the clearest difference between levels."""
    steps = _steps(m)
    for name in m.asked:
        pairs = m.differences[m.differences["predictor"] == name]
        if name in steps:
            row = steps[name]
            yield {"kind": "step", "names": [name], "label": row.label, "more": row.more} | (
                difference(row)
            )
        elif len(pairs):
            order = pairs.assign(size=pairs["median"].abs())
            row = first(order.sort_values(["p_direction", "size"], ascending=False, kind="stable"))
            predictor = m.study.predictors.get(name)
            if predictor is not None and predictor.kind == "numeric":
                more = rather(row.level, row.against, predictor.unit)
                yield {"kind": "step", "names": [name], "label": row.label, "more": more} | (
                    difference(row)
                )
            else:
                yield {"kind": "pair", "names": [name], **pair(row)}


def _split(m: ShareReportData) -> Iterator[Values]:
    """Between firms and within them, side by side."""
    steps = _steps(m)
    for name, predictor in m.study.predictors.items():
        names = [f"{name}_between", f"{name}_within"]
        if predictor.split and all(half in steps for half in names):
            between, within = ({"more": steps[h].more, **difference(steps[h])} for h in names)
            yield {
                "kind": "split",
                "names": names,
                "label": predictor.label,
                "between": between,
                "within": within,
                "verdict": min(between["verdict"], within["verdict"]),  # alphabetic: firmest first
            }


def _curved(m: ShareReportData) -> Iterator[Values]:
    """Expected shares along each curve, and whether it turns."""
    if m.register is not None:
        return
    turning = {row.predictor: row for row in m.turning_points.itertuples(index=False)}
    splines = {block.name: block for block in m.design.blocks if block.kind == "spline"}
    for name in (*turning, *splines):
        levels = m.levels[m.levels["predictor"] == name]
        pairs = m.differences[m.differences["predictor"] == name]
        found: Values = {
            "kind": "curve",
            "names": [name],
            "label": levels["label"].iloc[0],
            "at": [
                {"at": without_note(row.level), **level(row)}
                for row in levels.itertuples(index=False)
            ],
            "verdict": min(map(verdict, pairs["p_direction"]), default="undecided"),  # firmest
        }
        if name in turning:
            row = turning[name]
            likelier = max(row.p_u, row.p_inverted)
            turns = verdict(likelier)
            found |= {
                "turns": turns,
                "inverted": bool(row.p_inverted >= row.p_u),
                "probability": f.probability(likelier),
                "verdict": min(turns, found["verdict"]),
                "where": f.about(row.median, row.unit),
            }
        yield found


def _moderated(m: ShareReportData) -> Iterator[Values]:
    """How the difference that one predictor makes depends on the other of an interaction."""
    if not m.interactions:
        return
    for _, part in m.moderations.groupby(["interaction", "label", "by"], sort=False):
        *values, change = part.itertuples(index=False)
        ends = [next(row for row in values if row.value == at) for at in (change.value, change.to)]
        yield {
            "kind": "moderation",
            "names": [*m.study.interactions[change.interaction].of],
            "label": change.label,
            "by": change.by,
            "more": change.more,
            "level": change.level,
            "against": change.against,
            "ends": [{"at": row.value, **difference(row)} for row in ends],
            **difference(change),
        }


def level(row: Any) -> Values:
    """An average in percent, with its interval."""
    decimals = f.decimals_for(row.ci_high - row.ci_low)
    names = {"median": row.median, "low": row.ci_low, "high": row.ci_high}
    return {name: f.number(value, decimals) for name, value in names.items()}


def first(table: pd.DataFrame) -> Any:
    """The first row of a table."""
    return next(table.itertuples(index=False))
