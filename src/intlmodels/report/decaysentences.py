"""What a fit of the decay model says, in sentences computed from its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.audit import common_counts
from intlmodels.audit.attributes import MORE, NONE
from intlmodels.core import formats as f
from intlmodels.fitting.diagnostics import on_the_edge
from intlmodels.models.decay.estimands import FALL_AFTER, pairs_of
from intlmodels.results.attributes import BOUNDED, KNOWN, NOT_IDENTIFIED
from intlmodels.results.decay import group_name
from intlmodels.results.wording import (
    CLEAR,
    LEANING,
    edge,
    hardly_moved,
    marked,
    verdict,
    verdict_on,
)

if TYPE_CHECKING:
    import pandas as pd

    from intlmodels.audit import Audit
    from intlmodels.audit.attributes import AttributeAudit
    from intlmodels.audit.consequences import Repair


#: Readings of the counts that a sentence names, at most.
MOST_NAMED = 3
#: What a probability of direction allows to say: that it falls, and that it rises.
_VERDICTS = {
    "clear": ("this is clear", "it clearly rises"),
    "leaning": ("these data lean towards it", "these data lean towards a rise"),
    "undecided": ("these data cannot tell", "these data cannot tell, and if anything it rises"),
    "on the edge": (
        "this is on the edge of what is called clear here",
        "a rise is on the edge of what is called clear here",
    ),
}


# -- the answer --------------------------------------------------------------------------


def conflict_sentence(found: Audit) -> str:
    """Whether the counts can all be true, and what it would take."""
    count = len(found.rows.counts)
    if found.consistent:
        return f"All {count} published counts can be true together."
    repairs = found.repairs
    changes = [repair_words(repair, found) for repair in repairs[:MOST_NAMED]]
    more = f", or {len(repairs) - MOST_NAMED} others" if len(repairs) > MOST_NAMED else ""
    least = min(len(repair.changes) for repair in repairs)
    start = (
        f"The {count} published counts cannot all be true: they hold "
        f"{f.counted(len(found.conflicts), 'minimal contradiction')}. "
    )
    start += f"Each contains {common}. " if (common := common_counts(found)) else ""
    start += f"At least {f.counted(least, 'count')} must be wrong, by {repairs[0].cost} in all; "
    if len(repairs) == 1:
        return f"{start}the one cheapest repair changes {changes[0]}."
    return f"{start}the cheapest repairs change {'; or '.join(changes)}{more}."


def repair_words(repair: Repair, found: Audit) -> str:
    """A repair in words: ``M33 (non-cluster decisions in 2008-2013) from 5 to 6``."""
    counts = {count.id: count for count in found.rows.counts}
    return f.listed(
        [
            f"{name}{f' ({counts[name].text})' if counts[name].text else ''} from "
            f"{counts[name].value} to {value}"
            for name, value in repair.changes.items()
        ]
    )


def identified(table: pd.DataFrame, events: str, whole: bool) -> str:
    """How much of the attributes of decisions the counts tell; ``whole``: they count all alike."""
    times = table["verdict"].value_counts()
    known, limited, rest = (int(times.get(name, 0)) for name in (KNOWN, BOUNDED, NOT_IDENTIFIED))
    start = f"These are counts of all {events} together, not by period or size. " if whole else ""
    return (
        f"{start}Of {len(table)} numbers of {events} by level, in all and by period, size or flag, "
        f"{known} follow{'s' * (known == 1)} from the counts, {limited} "
        f"{'is' if limited == 1 else 'are'} bounded by them, and {rest} "
        f"{'is' if rest == 1 else 'are'} not identified: there the counts allow about as much as "
        "the totals alone would, and the posterior only says what to expect if the levels had "
        "nothing to do with firm, period or flag."
    )


def several_levels(found: AttributeAudit, events: str) -> str:
    """How many decisions had several levels, or none; empty where a decision has one."""
    by_level = {cell.level: b for cell, b in zip(found.cells, found.bounds, strict=False)}
    if MORE not in by_level:
        return ""
    label = found.attribute.label
    return (
        f"{label[:1].upper()}{label[1:]}: by the counts alone, {_limits(*by_level[MORE])} {events} "
        f"had more than one of these, and {_limits(*by_level[NONE])} had none."
    )


def _limits(low: int | None, high: int | None) -> str:
    if low == high:
        return f"exactly {low}"
    least = f"at least {low}" * bool(low)
    most = f"at most {high}" * (high is not None)
    return f.listed([*filter(None, (least, most))]) or "any number"


def counts_of(true: pd.DataFrame) -> Iterator[Any]:
    """Rows of a table of counts; ``count_`` is which, since tuples have a method ``count``."""
    return true.rename(columns={"count": "count_"}).itertuples(index=False)


def wrong_counts(true: pd.DataFrame, texts: dict[str, str]) -> str:
    """Which printed counts are probably wrong; ``texts`` says in words what each counts."""
    rows = true[~true["hard"] & (true["p_held"] < 1 - CLEAR)]
    if not len(rows):
        return ""
    said = [
        f"{row.count_}{f' ({texts[row.count_]})' if texts.get(row.count_) else ''} was printed as "
        f"{row.printed}, and was most probably {row.likeliest} "
        f"(probability that {row.printed} is right: {f.probability(row.p_held)})"
        for row in counts_of(rows)
    ]
    return f"Weighing all counts together, {f.listed(said)}."


def repair_sentence(repairs: pd.DataFrame) -> str:
    """How probable the cheapest repairs are."""
    if not len(repairs):
        return ""
    said = [f.probability(value) for value in repairs["probability"][:MOST_NAMED]]
    left = 1 - float(repairs["probability"].sum())
    return (
        f"The cheapest repairs have a posterior probability of {f.listed(said)}; the remaining "
        f"{f.probability(left)} goes to readings in which more is wrong."
    )


def order_of_periods(firm: str, event: str) -> str:
    """What experience means where only the names of periods put decisions in order."""
    return (
        f"The order of each {firm}'s {f.plural(event)} follows only from the names of their "
        "periods; within a period it is that of the rows, which may not be the order in time."
    )


def experience(
    curves: pd.DataFrame, slopes: pd.DataFrame, firm: str, event: str, flag: str
) -> list[str]:
    """How the probability of the flag changes with a firm's experience, one sentence a size."""
    sentences = []
    for row in slopes[slopes["quantity"] == "fall"].itertuples(index=False):
        own = curves[curves["size"] == row.size]
        first, later = _levels(own)
        known = "on the edge" if nearly_clear(row) else verdict(row.p_direction)
        said = _VERDICTS[known][row.p_positive < 0.5]
        if known != "on the edge":
            said += edge(row.p_direction, row.p_error, (LEANING,))
        said += f" ({row.stands})" if getattr(row, "stands", "") else ""
        sentences.append(
            f"{group_name(row.size, firm, start=True)}: the probability that {f.a(event)} is "
            f"{flag} goes from {first} at the first {event} to {later} after "
            f"{FALL_AFTER} earlier ones. That it falls has probability "
            f"{f.probability(row.p_positive)}: {said}."
        )
    return sentences


def nearly_clear(row: Any) -> bool:
    """Whether other draws could move a probability of direction across the limit of clear."""
    return on_the_edge(row.p_direction, row.p_error, (CLEAR,))


def _levels(curve: pd.DataFrame) -> Iterator[str]:
    """The probability at the first decision, and after some more."""
    for entries in (0, FALL_AFTER):
        row = next(curve[curve["entries"] == entries].itertuples(index=False))
        digits = decimals(row.ci_low, row.ci_high, 0)
        yield f"{f.percent(row.median, digits)} ({f.span(row.ci_low, row.ci_high, digits)})"


def decimals(low: float, high: float, usual: int) -> int:
    """The usual decimals, or more where an interval is too narrow for them."""
    width = high - low
    return usual if width >= 2 * 10**-usual else max(usual, f.decimals_for(width))


def between_sizes(slopes: pd.DataFrame, firm: str, event: str) -> str:
    """Whether experience weighs more among larger firms: the pair of sizes that differ most."""
    sizes = slopes.loc[slopes["quantity"] == "fall", "size"]
    pairs = dict(zip(pairs_of([*sizes]), combinations(sizes, 2), strict=True))
    rows = slopes[slopes["size"].isin([*pairs])].sort_values("p_direction", ascending=False)
    if not len(rows):
        return ""
    row = next(rows.itertuples(index=False))
    first, second = pairs[row.size]
    digits = decimals(row.ci_low, row.ci_high, 2)
    others = ""
    if len(rows) > 1:
        clear = int((rows["p_direction"] >= CLEAR).sum())
        others = (
            f" Of {len(rows)} differences between sizes it is the clearest; {clear or 'none'} of "
            f"them {'is' if clear < 2 else 'are'} clear."
        )
    stands = getattr(row, "stands", "")
    stands = f"; as a difference of falls it {stands}" if stands else ""
    return (
        f"That experience lowers the odds more among {group_name(first, firm)} than among "
        f"{group_name(second, firm)} has probability {f.probability(row.p_positive)} (difference "
        f"of the decays {f.number(row.median, digits)}, "
        f"{f.interval_name(row.ci_prob, row.ci_kind)} {f.span(row.ci_low, row.ci_high, digits)}, "
        f"in log odds {f.a(event)}{stands}).{others}"
    )


def over_variants(table: pd.DataFrame, firm: str, latent: bool) -> str:
    """How far the probability of a fall goes with the readings, priors and shapes."""
    rows = table[(table["quantity"] == "fall") & table["converged"].astype(bool)]
    count = rows["variant"].nunique()
    if count < 2:
        return ""
    said = []
    for size, own in rows.groupby("size", sort=False):
        ends = own.sort_values("p_positive", kind="stable")
        low, high = ends.iloc[0], ends.iloc[-1]
        said.append(
            f"among {group_name(str(size), firm)} from {f.probability(low['p_positive'])} "
            f"({low['variant']}) to {f.probability(high['p_positive'])} ({high['variant']})"
        )
    return (
        f"Over the {count} {'readings of the counts, priors and ' * latent}shapes of the decay "
        f"that were fitted, the probability of a fall goes {f.listed(said)}: see variants side "
        "by side."
    )


def calendar_time(table: pd.DataFrame, slopes: pd.DataFrame, firm: str) -> str:
    """Whether the decline goes with experience or with time; ``table`` of the variant ``period``.

    Empty if that variant did not converge.
    """
    if not table["converged"].all():
        return ""
    decays = slopes[slopes["quantity"] == "decay"].itertuples(index=False)
    default = {row.size: row.p_positive for row in decays}
    said = [
        f"{f.probability(row.p_decay_positive)} among {group_name(row.size, firm)} (without it "
        f"{f.probability(default[row.size])})"
        for row in table.itertuples(index=False)
        if row.size in default
    ]
    first = next(table.itertuples(index=False))
    sure = max(first.p_period_falls, 1 - first.p_period_falls) >= CLEAR
    start = "only in part" if sure else "not"
    return (
        f"Calendar time is {start} separated from experience: with an effect of each period "
        f"as well (variant period) the probability that experience lowers the odds is "
        f"{f.listed(said)}, and that of a fall over time with experience being equal "
        f"{f.probability(first.p_period_falls)}."
    )


#: Parts of a decay that a rival takes over: from this on it is told, and from this on it is most.
_SOME, _MOST = 0.1, 0.5


def taken_over(row: Any, table: pd.DataFrame) -> str:
    """How far a rival takes over the decay, in a few words; a row of the table of rivals."""
    default = next(table.itertuples(index=False))
    if row.variant == default.variant:
        return f.DASH
    if not row.converged:
        return "did not converge"
    if default.p_positive < LEANING:
        return "there is no decay to speak of"
    part = f.percent(100 * row.taken_over)
    said = f"most of it ({part})" if row.taken_over < 1 else "all of it"
    if row.taken_over < _MOST:
        said = f"part of it ({part})" if row.taken_over >= _SOME else "next to nothing"
    if row.taken_over <= -_SOME:
        said = f"nothing: the decay is {f.percent(-100 * row.taken_over)} larger"
    return f"{said}; {verdict_on(row) if row.p_positive >= LEANING else 'undecided'}"


def other_rivals(table: pd.DataFrame, explanations: Mapping[str, str], firm: str) -> str:
    """What is left of the decay beside its rivals, of the first size; those not fitted are named.

    ``table``: see :func:`.results.decay.rivals`; ``explanations``: variant to the rival in words.
    Calendar time has a sentence of its own, :func:`calendar_time`, once it is fitted.
    """
    own = table[(table["size"] == table["size"].iloc[0]) & table["converged"].astype(bool)]
    found = {row.variant: row for row in own.itertuples(index=False)}
    rivals = {variant: f"{what} (variant {variant})" for variant, what in explanations.items()}
    beside = [
        f"{f.probability(found[variant].p_positive)} beside {what}"
        for variant, what in rivals.items()
        if variant in found and variant != "period"
    ]
    evidence = [
        f"{f.probability(row.p_positive)} with further evidence (variant {variant})"
        for variant, row in found.items()
        if variant not in rivals and variant != "default"
    ]
    absent = [what for variant, what in rivals.items() if variant not in found]
    said = []
    if beside and "default" in found:
        default = found["default"]
        said.append(
            f"the probability that it lowers the odds among {group_name(default.size, firm)} is "
            f"{f.listed([f'{f.probability(default.p_positive)} on its own', *beside, *evidence])}"
        )
        said[-1] += ", see rival explanations"
    if absent:
        said.append(f"not fitted: {f.listed(absent)}")
    return f"Experience is not the only possible explanation; {'; '.join(said)}." if said else ""


def at_most_experienced(
    decisions: pd.DataFrame, allowed: Mapping[str, float], firm: str, event: str
) -> str:
    """How much there is where a number is read off the curves, after ``FALL_AFTER`` entries.

    ``decisions``: how many have each number of prior entries, by size, known or expected;
    ``allowed``: by size, how many a single firm can have had by the counts; empty where all is
    known, and then nothing is said of sizes with decisions there.
    """
    later = decisions[decisions["entries"] >= FALL_AFTER].groupby("size", sort=False)["decisions"]
    there = {str(size): float(number) for size, number in later.sum().items()}
    last = decisions[decisions["decisions"] > 0].groupby("size")["entries"].max()
    reach = {size: allowed.get(size, int(last.get(size, 0))) for size in there}
    beyond = [size for size in there if there[size] < 1 or reach[size] < FALL_AFTER]
    said = []
    if beyond:
        parts = [
            f"{group_name(size, firm)} (at most {reach[size]:.0f} earlier ones)" for size in beyond
        ]
        said.append(
            f"After {FALL_AFTER} earlier {f.plural(event)} the curve is an extrapolation for "
            f"{f.listed(parts)}."
        )
    inner = [size for size in there if size not in beyond]
    if allowed and inner:
        parts = [
            f"{there[size]:.1f} of {group_name(size, firm)} (by the counts a {firm} had at most "
            f"{reach[size]:.0f})"
            for size in inner
        ]
        said.append(
            f"How many {f.plural(event)} a single {firm} made was not published. Of all "
            f"{f.plural(event)}, those with {FALL_AFTER} or more earlier ones of their {firm} are "
            f"expected to be {f.listed(parts)}: what is read off the curves there rests on the "
            "model as much as on the counts."
        )
    return " ".join(said)


def over_periods(table: pd.DataFrame, firm: str, event: str, flag: str) -> list[str]:
    """What changes from the first period to the last, by size, and whose the late exceptions are.

    ``table`` is :attr:`intlmodels.report.data.DecayReportData.flags_by_period`.
    """
    periods = list(dict.fromkeys(table["period"]))
    if len(periods) < 2:
        return []
    at = table.set_index(["name", "period"])
    sizes = list(dict.fromkeys(table["name"]))

    def part(size: str, period: str) -> str:
        row = at.loc[(size, period)]
        return f"{row['flagged_mean']:.1f} of {row['decisions_mean']:.1f}"

    first, last = periods[0], periods[-1]
    each = [
        f"from {part(size, first)} to {part(size, last)} among {group_name(size, firm)}"
        for size in sizes
    ]
    events = f.plural(event)
    said = [f"From {first} to {last} the expected {events} {flag} go {f.listed(each)}."]
    if len(sizes) > 1:
        late = table[table["period"] == last]
        without = (late["decisions_mean"] - late["flagged_mean"]).to_numpy()
        most = sizes[int(without.argmax())]
        left = [f"{part(size, last)} by {group_name(size, firm)}" for size in sizes if size != most]
        said.append(
            f"Of {without.sum():.1f} expected {events} in {last} that are not {flag}, "
            f"{without.max():.1f} are by {group_name(most, firm)}, which leaves {f.listed(left)} "
            f"{flag}."
        )
    return said


def data_and_assumption(
    parameters: pd.DataFrame, total: int, hard: int, counts: int, event: str
) -> str:
    """How much is data and how much is assumption."""
    still = hardly_moved(parameters)
    if counts:
        start = (
            f"No list of the {total} {f.plural(event)} was published. They are reconstructed from "
            f"{f.counted(counts, 'count')}, {hard} of them taken as certain"
        )
    else:
        start = f"All {total:,} {f.plural(event)} are known"
    if not still:
        return f"{start}; every parameter was moved from its prior."
    return (
        f"{start}; of {f.counted(len(parameters), 'parameter')} {len(still)} hardly moved from "
        f"the prior, so that what is said of them is assumption."
    )


def experience_or_time(table: pd.DataFrame, slopes: pd.DataFrame, firm: str) -> list[str]:
    """How far experience and calendar time can be told apart.

    ``table`` is of the variant ``period``, ``slopes`` are those of the default.
    """
    default = {
        row.size: row.p_positive
        for row in slopes[slopes["quantity"] == "decay"].itertuples(index=False)
    }
    sentences = [
        f"{group_name(row.size, firm, start=True)}: with an effect of each period in the model as "
        f"well, the probability that experience lowers the odds is "
        f"{f.probability(row.p_decay_positive)} instead of {f.probability(default[row.size])}; the "
        f"decay and the fall over calendar time have a posterior correlation of "
        f"{f.number(row.correlation, 2)}."
        for row in table.itertuples(index=False)
        if row.size in default
    ]
    first = next(table.itertuples(index=False))
    sentences.append(
        f"That the odds fell from the first period to the last, experience being equal, has "
        f"probability {f.probability(first.p_period_falls)}; the counts leave "
        f"{f.percent(100 * first.sd_ratio)} of the prior's spread of that fall (the nearer to 100, "
        "the less they tell calendar time from experience)."
    )
    return marked(sentences, bool(table["converged"].all()))


# -- other sections ----------------------------------------------------------------------


def halving(table: pd.DataFrame, firm: str, event: str) -> list[str]:
    """After how many decisions the odds have halved."""
    sentences = []
    for row in table.itertuples(index=False):
        digits = decimals(row.ci_low, row.ci_high, 1)
        sentences.append(
            f"{group_name(row.size, firm, start=True)}: "
            + (
                "the odds most probably never halve"
                if np.isinf(row.median)
                else f"the odds halve after {entries(row.median, digits)} earlier {f.plural(event)}"
            )
            + f" ({f.interval_name(row.ci_prob)} {entries(row.ci_low, digits)} to "
            f"{entries(row.ci_high, digits)}; "
            f"probability that they never do: {f.probability(row.p_never)})."
        )
    return marked(sentences, bool(table["converged"].all()))


def entries(value: float, digits: int = 1) -> str:
    """A number of entries, or that it is never reached."""
    if np.isinf(value):
        return "never"
    return "more than 1000" if value > 1000 else f.number(value, digits if value < 20 else 0)


def prior_sentence(curves: pd.DataFrame, firm: str, event: str, flag: str) -> str:
    """What the priors say of the first decision and of later ones."""
    parts = []
    for size, own in curves.groupby("size", sort=False):
        first, later = _levels(own)
        parts.append(
            f"for {group_name(str(size), firm)} {first} at the first {event} and {later} after "
            f"{FALL_AFTER}"
        )
    return (
        f"Before any count the model expects this of the probability that {f.a(event)} is {flag}: "
        f"{f.listed(parts)}. It may fall as well as rise."
    )


def misfit(true: pd.DataFrame) -> str:
    """Which counts the fitted model does not reach."""
    noisy = true[~true["hard"]]
    bad = noisy[noisy["p_held"] < 0.5]
    held = f"{len(noisy) - len(bad)} of {f.counted(len(noisy), 'noisy count')}"
    if not len(bad):
        return f"In the reconstructed tables {held} hold as printed with a probability above 0.5."
    said = [
        f"{row.count_} (printed {row.printed}, most probably {row.likeliest}; as printed "
        f"{f.probability(row.p_held)})"
        for row in counts_of(bad)
    ]
    return (
        f"In the reconstructed tables {held} hold as printed with a probability above 0.5. The "
        f"others: {f.listed(said)}."
    )


def cannot_tell(
    slopes: pd.DataFrame, parameters: pd.DataFrame, cells: pd.DataFrame, firm: str
) -> list[str]:
    """What these counts leave open, from the fit itself."""
    passed = bool(parameters["converged"].all())
    sentences = []
    for row in slopes[slopes["quantity"] == "fall"].itertuples(index=False):
        sentences.append(
            f"{group_name(row.size, firm, start=True)}: the interval of the fall after "
            f"{FALL_AFTER} entries is "
            f"{f.number(row.ci_high - row.ci_low, decimals(row.ci_low, row.ci_high, 0))} "
            "percentage points wide."
        )
    still = hardly_moved(parameters)
    if still:
        sentences.append(
            f"{f.counted(len(still), 'parameter')} hardly moved from the prior: {f.listed(still)}."
        )
    if len(cells):
        open_ = cells[cells["ci_high"] > cells["ci_low"]]
        sentences.append(
            f"Of {f.counted(len(cells), 'cell')} of size, period and flag {len(open_)} remain open "
            "(their interval holds more than one number)."
        )
    return marked(sentences, passed)
