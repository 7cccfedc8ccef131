"""The answer of a study with numbers, curves, interactions or structural zeros, in sentences.

About the predictors of the question, in their own units: how the difference that one makes depends
on another, what goes with more of it, where its curve turns, between firms and within them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from intlmodels.core import formats as f
from intlmodels.report import sharesentences
from intlmodels.report.data import ShareReportData
from intlmodels.results.steps import ANY, BOTH, IF_ANY, rather, without_note
from intlmodels.results.wording import CLEAR, LEANING, direction, firm_verdict, in_percent, marked

if TYPE_CHECKING:
    import pandas as pd


#: Sentences on single predictors, those with the clearest direction; the tables have all.
MOST_SAID = 6
#: Sentences on structural zeros among them; their section has all.
MOST_OF_ZEROS = 3
#: What is said after a difference whose direction is not clear.
_TAIL = {
    "clear": "",
    "leaning": ", to which the data lean",
    "undecided": ", not distinguishable from none",
}


def answer(m: ShareReportData) -> list[str]:
    """What the predictors of the question go with, the most telling first; empty without any."""
    said = [*_moderated(m), *_split(m), *_curved(m), *_single(m)]
    if m.has_zeros:
        said += zero_sentences(m)[:MOST_OF_ZEROS]
    if not said:
        return []
    if len(m.many_levels):
        said.append(sharesentences.answer_many_levels(m.many_levels, m.level_spread))
    groups = [own.name for own in m.design.groupings]
    said.append(sharesentences.answer_variation(m.variation, groups, m.rows))
    return marked([sentence for sentence in said if sentence], m.passed)


# -- single predictors -------------------------------------------------------------------


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


def _single(m: ShareReportData) -> list[str]:
    """What goes with each predictor that is neither curved nor split; periods come last."""
    steps = m.steps[m.steps["estimand"] == BOTH]
    found: list[tuple[bool, float, float, str]] = []
    for name, predictor in m.study.predictors.items():
        own = steps[steps["predictor"] == name]
        pairs = m.differences[m.differences["predictor"] == name]
        if predictor.split or name in m.curved or not len(own) + len(pairs):
            continue
        if len(own):
            row = first(own)
            text = f"{row.label}: {row.more} goes with an expected share {moved(row)}."
        else:
            # Of several that are certain the largest.
            order = pairs.assign(size=pairs["median"].abs())
            row = first(order.sort_values(["p_direction", "size"], ascending=False, kind="stable"))
            text = f"{sharesentences.difference(row)}{_TAIL[firm_verdict(row)]}."
            if predictor.kind == "numeric":
                more = rather(row.level, row.against, predictor.unit)
                text = f"{row.label}: {more} goes with an expected share {moved(row)}."
        periods = m.panel is not None and predictor.column == m.panel.column
        found.append((periods, -float(row.p_direction), -abs(float(row.median)), text))
    said = [text for *_, text in sorted(found)]
    if len(said) > MOST_SAID:
        left = f.counted(len(said) - MOST_SAID, "further predictor")
        return [*said[:MOST_SAID], f"See the estimates for {left}."]
    return said


def first(table: pd.DataFrame) -> Any:
    """The first row of a table."""
    return next(table.itertuples(index=False))


# -- split, curved and moderated ---------------------------------------------------------


def _split(m: ShareReportData) -> Iterator[str]:
    """Between firms and within them, side by side."""
    steps = m.steps[m.steps["estimand"] == BOTH]
    firm = m.study.firm_label
    for name, predictor in m.study.predictors.items():
        halves = [steps[steps["predictor"] == f"{name}_{half}"] for half in ("between", "within")]
        if predictor.split and all(map(len, halves)):
            between, within = map(first, halves)
            yield (
                f"{predictor.label}: between {f.plural(firm)}, {between.more} goes with an "
                f"expected share {moved(between)}; within {f.a(firm)}, {within.more} than usual "
                f"there goes with one {moved(within)}."
            )


def _curved(m: ShareReportData) -> Iterator[str]:
    """Where quadratic curves turn, and the course of splines."""
    for row in m.turning_points.itertuples(index=False):
        text = turning(row)
        if max(row.p_u, row.p_inverted) < LEANING:
            text += f" The expected share is {_course(m, row.predictor)}."
        yield text
    splines = [block for block in m.design.blocks if block.kind == "spline"]
    for block in splines:
        yield f"{block.label}: the expected share is {_course(m, block.name)}."


def _course(m: ShareReportData, predictor: str) -> str:
    """Expected shares at the numbers at which a predictor is compared."""
    levels = m.levels[m.levels["predictor"] == predictor]
    return f.listed(
        [f"{in_percent(row)} at {without_note(row.level)}" for row in levels.itertuples()]
    )


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


def _moderated(m: ShareReportData) -> Iterator[str]:
    """How the difference that one predictor makes depends on the other of an interaction."""
    for _, part in m.moderations.groupby(["interaction", "label", "by"], sort=False):
        *values, change = part.itertuples(index=False)
        ends = [next(row for row in values if row.value == at) for at in (change.value, change.to)]
        if change.more:
            what = f"{change.more} goes with an expected share"
            words = "higher", "lower"
        else:
            what = f"the expected share of {change.level} is"
            words = f"above that of {change.against}", f"below that of {change.against}"
        there = [
            f"{size} ({span}) {words[row.median < 0]} {_where(row)}"
            for row in ends
            for size, span in [_size(row)]
        ]
        yield (
            f"{change.label}, by {change.by}: {what} {there[0]} and {there[1]}; from the first to "
            f"the second the difference {moved(change, 'rises by', 'falls by', before=True)}."
        )


def _where(row: Any) -> str:
    """At which value of the moderator."""
    return f"at {row.value}" if row.value[:1].isdigit() else f"where {row.by} is {row.value}"


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
