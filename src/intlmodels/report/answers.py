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
from intlmodels.results.steps import ANY, BOTH, IF_ANY, rather, without_note
from intlmodels.results.wording import CLEAR, LEANING, direction, firm_verdict, in_percent, verdict

if TYPE_CHECKING:
    import pandas as pd


#: What is said after a difference whose direction is not clear.
_TAIL = {
    "clear": "",
    "leaning": ", to which the data lean",
    "undecided": ", not distinguishable from none",
}


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
    }


def pair(row: Any) -> Values:
    """A difference between two levels, the higher one first."""
    ends = [without_note(row.level), without_note(row.against)]
    above, below = ends if row.median >= 0 else reversed(ends)
    return {"label": row.label, "level": above, "against": below, **difference(row)}


def effects(m: ShareReportData) -> list[Values]:
    """What goes with each predictor of the question, with ``kind`` and ``name``; clearest first.

    A predictor that is moderated, split or curved takes more than a difference to say.
    """
    found = [*_moderated(m), *_split(m), *_curved(m)]
    said = {name for own in found for name in own["names"]}
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
        found: Values = {
            "kind": "curve",
            "names": [name],
            "label": levels["label"].iloc[0],
            "at": [
                {"at": without_note(row.level), **level(row)}
                for row in levels.itertuples(index=False)
            ],
            "verdict": "undecided",
        }
        if name in turning:
            row = turning[name]
            likelier = max(row.p_u, row.p_inverted)
            found |= {
                "turns": True,
                "inverted": bool(row.p_inverted >= row.p_u),
                "probability": f.probability(likelier),
                "verdict": verdict(likelier),
                "where": f.amount(f.rounded(row.median), row.unit),
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


# -- sentences on curves and structural zeros --------------------------------------------


def moved(row: Any, up: str = "higher", down: str = "lower", before: bool = False) -> str:
    """A difference with its interval, which way it goes said by a word after or before it."""
    size, span = _size(row)
    way = up if row.median >= 0 else down
    return (
        f"{f'{way} {size}' if before else f'{size} {way}'} "
        f"({f.interval_name(row.ci_prob, row.ci_kind)} {span}; probability of direction "
        f"{direction(row)}){_TAIL[firm_verdict(row)]}"
    )


def _size(row: Any) -> tuple[str, str]:
    """How large a difference is, whichever way it goes, and its interval."""
    low, high = (row.ci_low, row.ci_high) if row.median >= 0 else (-row.ci_high, -row.ci_low)
    decimals = f.decimals_for(high - low)
    size = f.with_unit(f.number(abs(row.median), decimals), "percentage points")
    return size, f.span(low, high, decimals)


def turning(row: Any) -> str:
    """Whether a curve turns, in a sentence."""
    inverted = row.p_inverted >= row.p_u
    likelier = max(row.p_u, row.p_inverted)
    shape = "an inverted U" if inverted else "a U"
    if likelier >= CLEAR:
        first = f"the curve is {shape} within the observed range"
    elif likelier >= LEANING:
        first = f"the data lean to {shape} within the observed range"
    else:
        first = f"that the curve is {shape} within the observed range is not clear"
    where = (
        f"{f.amount(f.rounded(row.observed_low))} to "
        f"{f.amount(f.rounded(row.observed_high), row.unit)}"
    )
    if likelier < LEANING:
        return f"{row.label}: {first} ({where}; probability {f.probability(likelier)})."
    return (
        f"{row.label}: {first} ({where}; probability {f.probability(likelier)}); it turns at "
        f"{f.amount(f.rounded(row.median), row.unit)} "
        f"({f.interval_name(row.ci_prob, row.ci_kind)} {turn(row.ci_low, row)} to "
        f"{turn(row.ci_high, row)})."
    )


def turn(value: float, row: Any) -> str:
    """Where a curve turns; outside of the observed range only on which side of it."""
    if value < row.observed_low:
        return f"below {f.amount(f.rounded(row.observed_low))}"
    if value > row.observed_high:
        return f"above {f.amount(f.rounded(row.observed_high))}"
    return f.amount(f.rounded(value))


# -- structural zeros --------------------------------------------------------------------


def zero_sentences(m: ShareReportData) -> list[str]:
    """How many have any share at all, how large it is, and what that depends on."""
    average = {row.estimand: row for row in m.zero_averages.itertuples(index=False)}
    rows = f.plural(m.study.row_label)
    said = [
        f"Of the {m.firms} {in_percent(average[ANY])} are expected to have any share at all; the "
        f"expected share of these is {in_percent(average[IF_ANY])}, and that of all {rows} "
        f"{in_percent(average[BOTH])}."
    ]
    names = {block.term for block in m.design.never}
    terms = {block.name.removeprefix("never_") for block in m.design.never}
    steps = m.steps[(m.steps["estimand"] == ANY) & m.steps["predictor"].isin(terms)]
    for row in steps.itertuples(index=False):
        said.append(f"{row.label}: {row.more} goes with a probability of any share {moved(row)}.")
    found = m.zero_differences
    found = found[(found["estimand"] == ANY) & found["predictor"].isin(names)]
    for name, part in found.groupby("predictor", sort=False):
        if name in set(steps["predictor"]):
            continue
        row = first(part.sort_values("p_direction", ascending=False, kind="stable"))
        said.append(
            f"{row.label}: for {row.level} the probability of any share is "
            f"{moved(row, f'higher than for {row.against}', f'lower than for {row.against}')}."
        )
    return said
