"""Sentences on calibration, sensitivity and exact leave-one-out, from their tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from intlmodels.checks import calibration
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
from intlmodels.results.intervals import CI_PROB
from intlmodels.results.wording import CLEAR, LEANING, verdict

if TYPE_CHECKING:
    import pandas as pd


#: Names that a sentence lists, at most.
MOST_NAMED = 6

#: What calibration leaves open.
CANNOT_SHOW = (
    "What this cannot show: calibration says that the computation recovers what the model itself "
    "generates. It does not say that the model is right for these {firms}; that is a question "
    "for predictions against data, for the variants and for the comparison by what was left out."
)


def some(items: Iterable[str], most: int = MOST_NAMED) -> str:
    """Items as a sentence lists them, the last of many as a number."""
    found = list(items)
    more = [f"{len(found) - most} more"] if len(found) > most else []
    shown = found[:most] + more
    return "; ".join(shown) if any("," in item for item in found) else f.listed(shown)


def are(count: int) -> str:
    """The verb that goes with a count."""
    return "is" if count == 1 else "are"


def were(count: int) -> str:
    """The verb that goes with a count, in the past."""
    return "was" if count == 1 else "were"


# -- calibration -------------------------------------------------------------------------


def calibration_sentences(found: Calibration, wrong: tuple[Detection, ...] = ()) -> list[str]:
    """All that is said of a calibration, and of the deliberate errors if there are any."""
    said = recovery_sentences(found, t.calibrated(found))
    return [*said, errors_summary(wrong), *map(error_sentence, wrong)] if wrong else said


def recovery_sentences(found: Calibration, table: pd.DataFrame) -> list[str]:
    """How many fits there were, whether ranks are uniform, coverage, and what is not learned."""
    said = [_fits(found)]
    if found.ranked:
        said += [_ranks(table), _coverage(table), _learned(table)]
        if found.differences:
            said += verdict_sentences(t.verdict_rates(found.differences))
    return said


def verdict_sentences(rates: pd.DataFrame) -> list[str]:
    """How often true differences are called clear or leaning, and with the wrong sign."""
    said = []
    for unit, part in rates.groupby("unit", sort=False):
        every = part[part["of"] == "all"].iloc[0]
        called = {n: every[f"{n}_right"] + every[f"{n}_wrong"] for n in ("clear", "leaning")}
        wrong = [
            f"{share_text(every[f'{name}_wrong'] / total)} of the {name} ones"
            for name, total in called.items()
            if total
        ]
        said.append(
            f"Of {f.counted(int(every['count']), 'simulated difference')} in {unit}, "
            f"{f.percent(called['clear'], 1)} are clear (probability of a sign at least "
            f"{CLEAR:g}) and another {f.percent(called['leaning'], 1)} leaning (at least "
            f"{LEANING:g})" + (f"; the sign is wrong in {f.listed(wrong)}." if wrong else ".")
        )
        words = [(" are clear with the right sign", " with the wrong one")]
        sizes = part[(part["of"] == "size") & (part["count"] > 0)].to_dict("records")
        each = [
            f"{size_text(row, str(unit))} {f.percent(row['clear_right'], 1)}{right} "
            f"({share_text(row['clear_wrong'] / 100)}{astray})"
            for row, (right, astray) in zip(sizes, words + [("", "")] * len(sizes), strict=False)
        ]
        said.append(f"Of true differences {'; '.join(each)}.")
    return said


def share_text(share: float) -> str:
    """A share in percent, or that there is none."""
    return f.percent(100 * share, 1) if share else "none"


def size_text(row: Mapping[Any, Any], unit: str) -> str:
    """A range of true sizes, as in ``of 10 to 20 points``."""
    if not row["low"]:
        return f"below {row['high']:g} {unit}"
    if math.isinf(row["high"]):
        return f"of {row['low']:g} {unit} or more"
    return f"of {row['low']:g} to {row['high']:g} {unit}"


def _fits(found: Calibration) -> str:
    start = f"{f.counted(found.sims, 'study')} {were(found.sims)} simulated and fitted"
    failed = ""
    if found.failed:
        reasons = dict.fromkeys(why for _, why in found.failed)
        failed = (
            f" {f.counted(len(found.failed), 'fit')} failed and "
            f"{'has' if len(found.failed) == 1 else 'have'} no ranks ({some(reasons)})."
        )
    if not found.divergent and not found.unconverged:
        return (
            f"{start}.{failed} No fit had divergent transitions or an R-hat above {found.limit:g}."
        )
    return (
        f"{start}.{failed} Of the fits {found.divergent} had divergent transitions and "
        f"{found.unconverged} an R-hat above {found.limit:g}; they are kept and counted, since "
        "leaving out what is hard to fit would hide it."
    )


def _ranks(table: pd.DataFrame) -> str:
    # Adjusted p-values tie at 1, the raw ones do not.
    lowest = table.loc[table["p_value"].idxmin()]
    bad = table[table["deviates"]]
    number = f.counted(len(table), "quantity")
    if not len(bad):
        return (
            f"No quantity deviates from uniform ranks: the smallest p-value of {number} is "
            f"{f.probability(lowest['p_value'])} ({lowest['quantity']}), or "
            f"{f.probability(lowest['p_adjusted'])} after adjustment for their number (Holm); an "
            f"adjusted p-value below {calibration.FAMILYWISE:g} would count as a deviation."
        )
    told = [
        f"{row['quantity']} ({f.probability(row['p_adjusted'])}): {_how(row)}"
        for row in bad.sort_values("p_adjusted", kind="stable").to_dict("records")
    ]
    more = f"; and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
    return (
        f"{len(bad)} of {number} {'deviates' if len(bad) == 1 else 'deviate'} from uniform ranks "
        f"(p-value adjusted for their number, Holm, below {calibration.FAMILYWISE:g}): "
        f"{'; '.join(told[:MOST_NAMED])}{more}."
    )


def _how(row: Mapping[Any, Any]) -> str:
    """In which direction ranks deviate, by bias and coverage against their errors."""
    names = [f"{100 * prob:g}" for prob in reversed(PROBS)]
    under = [n for n in names if row[f"coverage_{n}"] < row[f"low_{n}"]]
    over = [n for n in names if row[f"coverage_{n}"] > row[f"high_{n}"]]
    held = ""
    for name in (under or over)[:1]:
        share = f.percent(row[f"coverage_{name}"], 1)
        held = f"its {name}% intervals held the truth in {share} of the studies"
    if row["bias_error"] > 0 and abs(row["bias"]) > t.BIASED * row["bias_error"]:
        size = f.number(abs(row["bias_in_sd"]), 2)
        where = "high" if row["bias"] > 0 else "low"
        text = f"the posterior is too {where}, by {size} of the prior's standard deviation"
        return f"{text}, and {held}" if under else text
    if under and not over:
        return f"the posterior is too narrow, {held}"
    if over and not under:
        return f"the posterior is too wide, {held}"
    return "the shape of the posterior is off, while neither bias nor coverage stands out"


def _coverage(table: pd.DataFrame) -> str:
    outside = sum(int(table[f"outside_{100 * prob:g}"].sum()) for prob in PROBS)
    chance = f.number(t.outside_by_chance(table), 1)
    probs = f.listed([f"{100 * prob:g}" for prob in PROBS])
    return (
        f"Of {len(table) * len(PROBS)} coverages ({f.counted(len(table), 'quantity')}, intervals "
        f"of {probs}%) {outside} {are(outside)} outside of the limits that hold "
        f"{100 * t.BAND:g}% of coverages if all is right; {chance} are expected to be "
        "by chance."
    )


def _learned(table: pd.DataFrame) -> str:
    still = table.loc[table["spread_ratio"] > t.WIDE, "quantity"].tolist()
    rule = f"mean posterior standard deviation above {t.WIDE:g} of the prior's"
    if not still:
        return f"A study of this size and design narrows every quantity down (none has a {rule})."
    return (
        f"A study of this size and design can hardly learn {len(still)} of "
        f"{f.counted(len(table), 'quantity')} ({rule}): {some(still, 12)}. That they are "
        "calibrated means little: a posterior that repeats its prior always is."
    )


def error_sentence(error: Detection) -> str:
    """Whether calibration noticed a deliberate error, and when."""
    start = f"{error.name}: {error.change.rstrip('.')}. "
    p_value = f"{error.quantity}, adjusted p-value {f.probability(error.p_value)}"
    if error.after is not None:
        return f"{start}Caught after {error.after} simulations ({p_value})."
    last = max(error.looks, default=0)
    if not error.quantity:
        return f"{start}NOT caught: not one of {last} fits succeeded."
    return (
        f"{start}NOT caught within {last} simulations (nearest to it: {p_value}): at this size "
        "such an error would pass unnoticed."
    )


def errors_summary(wrong: tuple[Detection, ...]) -> str:
    """How many of the deliberate errors were noticed."""
    caught = sum(error.after is not None for error in wrong)
    missed = [error.name for error in wrong if error.after is None]
    looks = f.listed([str(look) for look in dict.fromkeys(n for e in wrong for n in e.looks)])
    return (
        "A calibration that finds nothing says little unless it would have found something. "
        f"Studies simulated from the model were therefore also fitted with "
        f"{f.counted(len(wrong), 'deliberate error')}, one at a time, and the verdict was looked "
        f"at after {looks} simulations, each time at {calibration.FAMILYWISE:g} divided by the "
        f"number of looks: {caught} of {len(wrong)} {were(caught)} caught"
        f"{f'; NOT caught: {some(missed)}' if missed else ''}."
    )


# -- design ------------------------------------------------------------------------------

#: Percent of right decisions from which a number of firms is called enough.
ENOUGH = 80


def design_sentences(found: DesignAnalysis) -> list[str]:
    """How often studies of each number of firms decide the comparisons, and how many are enough."""
    table = t.decisions(found)
    sims = f.counted(sum(found.sims - size.failed for size in found.sizes), "study")
    failed = sum(size.failed for size in found.sizes)
    where = "the posterior of the fit" if found.source == "posterior" else "the priors"
    start = (
        f"{sims} were simulated, with parameters from {where}, and fitted"
        + (f"; {f.counted(failed, 'fit')} failed" if failed else "")
        + f". A comparison is decided when the probability of its sign is at least {CLEAR:g}."
    )
    if not len(table):
        return [start]
    means = table.groupby("firms")[["right", "wrong"]].mean()
    each = [
        f"{f.percent(row['right'], 1)} with {firms} firms ({f.percent(row['wrong'], 1)} wrongly)"
        for firms, row in means.iterrows()
    ]
    said = [start, f"On average a comparison is decided rightly in {f.listed(each)}."]
    most = int(table["firms"].max())
    enough, never = [], []
    for name, part in table.groupby("quantity", sort=False):
        reached = part.loc[part["right"] >= ENOUGH, "firms"]
        if len(reached):
            enough.append(f"{name} ({reached.min()} firms)")
        else:
            last = part.loc[part["firms"].idxmax()]
            never.append(f"{name} ({f.percent(last['right'])})")
    if enough:
        said.append(f"Decided rightly in at least {ENOUGH}% of the studies: {some(enough)}.")
    if never:
        said.append(
            f"Not decided so often even with {most} firms: {some(never)}. True differences "
            "near zero are never decided, however many the firms."
        )
    return said


# -- influence ---------------------------------------------------------------------------

#: Firms or counts that a sentence on influence names, and claims.
MOST_INFLUENTIAL = 3


def influence_sentences(
    found: Influence,
    texts: Mapping[str, str] | None = None,
    ledger: pd.DataFrame | None = None,
) -> list[str]:
    """What was left out, and without which of it a verdict would be another one.

    ``texts`` says in words what each count counts; of claims only those count that ``ledger``
    still has.
    """
    kinds = [omission.kind for omission in found.omissions]
    together = kinds.count("subset") + kinds.count("place")
    start = f"The default was fitted again without each of {_units(found)}, one at a time"
    if together:
        start += f", and without {f.counted(together, 'group')} of counts that go together"
    said = [f"{start}."]
    if found.kept:
        said.append(
            f"{f.listed(list(found.kept))} cannot be left out: without the number of all decisions "
            "there is no table to reconstruct."
        )
    failed = [omission.name for omission in found.omissions if not omission.converged]
    if failed:
        said.append(f"Refits that did not converge do not count: without {some(failed)}.")
    table = t.influences(found)
    said += [influence_sentence(part, found, texts) for part in t.key_influences(table)]
    if ledger is not None:
        known = {t.claim_key(row) for row in ledger.itertuples(index=False)}
        table = table[(table["of"] != "claim") | table["name"].isin(known)]
    return [*said, *_claims_that_hang(table, found)]


def _units(found: Influence) -> str:
    kinds = [omission.kind for omission in found.omissions]
    units = f.counted(kinds.count(found.unit), found.unit_label)
    orders = kinds.count("order")
    return units + f" and {f.counted(orders, 'order')} within firms" * (orders > 0)


def influence_sentence(
    part: pd.DataFrame,
    found: Influence,
    texts: Mapping[str, str] | None = None,
    most: int = MOST_INFLUENTIAL,
) -> str:
    """Without what the verdict on one difference would be another one; at most so many are named.

    ``part`` is one of :func:`intlmodels.checks.tables.key_influences`; probabilities are of the
    sign that is the likelier one in the stored fit.
    """
    texts, one = texts or {}, found.unit_label
    above = bool(part["base"].iloc[0] >= 0.5)
    part = part.assign(p=part["probability"] if above else 1 - part["probability"])
    whole, *rows = part.itertuples(index=False)
    single, groups = (
        [row for row in rows if (row.kind in (found.unit, "order")) == alone]
        for alone in (True, False)
    )
    near = ", on the edge" * on_the_edge(whole.p, whole.error, (CLEAR, LEANING))
    said = [
        f"{whole.name}: {'positive' if above else 'negative'} with probability "
        f"{f.probability(whole.p)} ({verdict(whole.p)}{near})"
    ]
    changed = [row for row in single if row.changed]
    if changed:
        named = [_without(row, texts, one) for row in changed[:most]]
        others = [row.p for row in single if not row.changed]
        if len(changed) > most:
            more = f.counted(len(changed) - most, f"other {one}")
            named.append(f"the verdict also changes without {more}")
        elif others:
            low, high = f.probability(min(others)), f.probability(max(others))
            named.append(f"without any other {one} it lies between {low} and {high}")
        said.append("; ".join(named))
    elif single:
        said.append(f"no single {one} changes this verdict: {_between(single, one)}")
    together = [_without(row, texts, one) for row in groups if row.changed][:most]
    if together:
        said.append(f"of {f.plural(one)} left out together: {'; '.join(together)}")
    elif groups:
        said.append(f"no group of {f.plural(one)} changes this verdict: {_between(groups, one)}")
    return " ".join(f"{text[:1].upper()}{text[1:]}." for text in said)


def _between(rows: Sequence[Any], one: str) -> str:
    """Between what a probability lies, and without what."""
    low, high = (
        f"{f.probability(row.p)} (without {_name(row, one)})"
        for row in (pick(rows, key=lambda row: row.p) for pick in (min, max))
    )
    return f"the probability lies between {low} and {high}"


def _without(row: Any, texts: Mapping[str, str], one: str) -> str:
    """What a probability becomes without something: ``without firm I it rises to 0.95``."""
    meaning = f" ({texts[row.left_out]})" if texts.get(row.left_out) else ""
    base = row.base if row.base >= 0.5 else 1 - row.base
    moves = "rises" if row.p > base else "falls"
    turned = "" if row.p >= 0.5 else ", to the other side"
    says = verdict(max(row.p, 1 - row.p)) + turned
    return f"without {_name(row, one)}{meaning} it {moves} to {f.probability(row.p)} ({says})"


def _name(row: Any, one: str) -> str:
    """A firm with what the study calls firms; a count by its id alone."""
    return f"{one} {row.left_out}" if row.kind == "firm" else str(row.left_out)


def _claims_that_hang(table: pd.DataFrame, found: Influence) -> list[str]:
    """Claims with another verdict without a single firm or count."""
    claims = table[(table["of"] == "claim") & (table["kind"] == found.unit)]
    if not len(claims):
        return []
    changed = claims[claims["changed"]]
    number = f.counted(claims["name"].nunique(), "claim")
    if not len(changed):
        return [
            f"Of {number} that ask the fit no verdict would change without one {found.unit_label}."
        ]
    each = [
        f"{str(name).split(' ')[0]} (without {some(part['left_out'], MOST_INFLUENTIAL)})"
        for name, part in changed.groupby("name", sort=False)
    ]
    verdicts = "verdict" if len(each) == 1 else "verdicts"
    return [
        f"Of {number} that ask the fit the {verdicts} on {len(each)} would change without one "
        f"{found.unit_label}: {'; '.join(each)}."
    ]


# -- sensitivity -------------------------------------------------------------------------

#: What may be said of a direction, in words.
_SAID = {
    "clear above": "clearly above zero",
    "clear below": "clearly below zero",
    "leaning above": "leaning above zero",
    "leaning below": "leaning below zero",
    "cannot tell": "not to be told from zero",
}
_KINDS = {
    "prior": ("other priors", "on the priors"),
    "reading": ("other readings", "on the reading"),
}


def sensitivity_sentences(found: Sensitivity) -> list[str]:
    """All that is said of the sensitivity: of the refits, then of power-scaling."""
    moves, farthest, scaled = t.shifts(found)
    return [*refit_sentences(found, moves, farthest), *scaling_sentences(scaled)]


def refit_sentences(found: Sensitivity, moves: pd.DataFrame, farthest: pd.DataFrame) -> list[str]:
    """Which conclusions change with priors and readings, and what moves most."""
    if not found.refits[0].converged:
        return ["The default itself did not converge here: nothing is held against it."]
    said = []
    for kind, (others, on) in _KINDS.items():
        used = moves[moves["counts"] & (moves["kind"] == kind)]
        if not len(used):
            continue
        said += [*_changes(used, others, on), *_moved_most(farthest, kind, others)]
    failed = [refit.name for refit in found.refits if not refit.converged]
    if failed:
        said.append(f"Refits that did not converge do not count: {some(failed, 12)}.")
    return said or ["No refit with other priors or readings can be held against the default."]


def _changes(used: pd.DataFrame, others: str, on: str) -> list[str]:
    asked = used[used["direction"]]
    refits = f.counted(used["refit"].nunique(), "refit")
    changed = asked[asked["changed"]]
    number = f.counted(asked["quantity"].nunique(), "conclusion")
    if not len(asked):
        return []
    if not len(changed):
        return [
            f"No conclusion depends {on}: over {number} and {refits} with {others}, each stays "
            "what it is in the default (clear, leaning or cannot tell, and on which side)."
        ]
    # What is clear in the default and does not stay so comes first.
    ordered = changed.sort_values("base_p_direction", ascending=False, kind="stable")
    parts = [part for _, part in ordered.groupby("quantity", sort=False)]
    start = (
        f"{len(parts)} of {number} {'depends' if len(parts) == 1 else 'depend'} {on}, over "
        f"{refits} with {others}."
    )
    told = [_changed(part) for part in parts[:MOST_NAMED]]
    if len(parts) > MOST_NAMED:
        told.append(f"{len(parts) - MOST_NAMED} more are in tables/sensitivity.csv.")
    return [start, *told]


def _changed(part: pd.DataFrame) -> str:
    """One conclusion that changes, and with what."""
    rows = part.to_dict("records")
    by_verdict: dict[str, list[str]] = {}
    for row in rows:
        told = f"{row['refit']} ({f.probability(row['p_direction'])})"
        by_verdict.setdefault(_SAID[row["verdict"]], []).append(told)
    instead = "; ".join(f"{said} with {some(names, 4)}" for said, names in by_verdict.items())
    return (
        f"{rows[0]['quantity']}: {_SAID[rows[0]['base_verdict']]} in the default "
        f"({f.probability(rows[0]['base_p_direction'])}), but {instead}."
    )


def multiverse_sentences(found: Multiverse) -> list[str]:
    """How many combinations there are, and how far differences and claims hold in them."""
    fits = f.counted(len(found.specifications), "combination")
    crossed = f.listed([f"{axis} ({len(names)})" for axis, names in found.axes.items()])
    said = [f"{fits} of {crossed} were fitted."]
    failed = [own.name for own in found.specifications if not own.converged]
    if failed:
        said.append(f"{len(failed)} did not converge and do not count: {some(failed)}.")
    if not found.specifications[0].converged:
        return [*said, "The default did not converge here: nothing is held against it."]
    said += [
        f"{row.name}: {stable_text(row)}." for row in t.key_contrasts(found).itertuples(index=False)
    ]
    return said


def stable_text(row: Any) -> str:
    """How far a verdict holds, from a row of :func:`intlmodels.checks.tables.stability`."""
    side = "positive" if row.default >= 0.5 else "negative"
    towards = [p if row.default >= 0.5 else 1 - p for p in (row.default, row.equal, row.stacked)]
    low, high = sorted(p if row.default >= 0.5 else 1 - p for p in (row.lowest, row.highest))
    stacked = "" if math.isnan(row.stacked) else f", {f.probability(towards[2])} by stacking"
    return (
        f"{side} with probability {f.probability(towards[0])} in the default; {side} in "
        f"{row.same_side} of {row.combinations} combinations and clear in {row.clear} "
        f"(probability {f.probability(low)} to {f.probability(high)}; on average "
        f"{f.probability(towards[1])} with equal weights{stacked})"
    )


def value(number: float, width: float, unit: str) -> str:
    """A number with its unit, and the digits that an interval of this width deserves."""
    text = f.significant(number) if width < 0.01 else f.number(number, f.decimals_for(width) + 1)
    return f"{text} {unit}" if unit else text


def _moved_most(farthest: pd.DataFrame, kind: str, others: str) -> list[str]:
    known = farthest[farthest[kind] != ""]
    if not len(known):
        return []
    row = known.loc[known[f"{kind}_move_in_sd"].abs().idxmax()]
    after = row["base_median"] + row[f"{kind}_move"]
    return [
        f"Of all that is estimated, {row['quantity']} moves most with {others}: by "
        f"{f.number(abs(row[f'{kind}_move_in_sd']), 2)} of its posterior standard deviation with "
        f"{row[kind]}, from {value(row['base_median'], row['width'], '')} to "
        f"{value(after, row['width'], row['unit'])}."
    ]


def pareto_text(k: float) -> str:
    """A Pareto k; infinite where weights have no tail that could be fitted."""
    return "infinite" if k == float("inf") else f.number(k, 2)


def scaling_sentences(scaled: pd.DataFrame) -> list[str]:
    """What power-scaling says, by the rule of Kallioinen et al. (2024)."""
    if not len(scaled):
        return []
    number = f.counted(len(scaled), "quantity")
    weak, conflict, moved, step, unknown = (
        scaled[scaled["diagnosis"] == diagnosis].sort_values("prior", ascending=False)
        for diagnosis in (t.WEAK, t.CONFLICT, t.MOVES, t.STEP, t.UNKNOWN)
    )

    def start(rows: pd.DataFrame) -> str:
        return f"{len(rows)} of {number} {'moves' if len(rows) == 1 else 'move'} with the prior"

    said = []
    if not scaled["reliable"].all():
        size = pareto_text(float(scaled["pareto_k"].iloc[0]))
        said.append(
            f"Power-scaling is not reliable here (Pareto k of its weights {size}, where at most "
            f"{t.UNRELIABLE:g} is wanted): the refits decide, and what follows is a hint."
        )
    if len(weak):
        said.append(
            f"{start(weak)} but hardly with the likelihood: the data are weak or the prior is "
            "strong, and what is said of them is largely the prior's: "
            f"{some(weak['quantity'], 12)}."
        )
    if len(conflict):
        said.append(
            f"{start(conflict)} and with the likelihood: prior and data may pull into different "
            f"directions. Look at the priors behind {some(conflict['quantity'], 12)}."
        )
    if scaled["likelihood"].isna().all():
        said.append(
            "Only the priors are scaled: the likelihood here holds conditions that are met or not, "
            "which cannot be made a little stronger or weaker."
        )
    if len(moved):
        said.append(
            f"{start(moved)} by {t.SENSITIVE:g} or more, the most first: "
            f"{some(moved['quantity'], 12)}. The refits tell how far."
        )
    if len(unknown):
        said.append(
            f"Nothing can be said of {len(unknown)} of {number}: prior or quantity is the same at "
            "every draw, or is not a finite number at some."
        )
    elif not len(weak) and not len(conflict) and not len(moved):
        said.append(f"None of {number} moves with the prior by {t.SENSITIVE:g} or more.")
    if len(step):
        said.append(
            f"Power-scaling alone would call {len(step)} more insensitive, but a prior halved or "
            f"doubled moves them by {t.STEP_SIZE:g} posterior standard deviations or more: "
            f"{some(step['quantity'], 12)}."
        )
    return said


# -- sentences on the comparison by exact leave-one-out --------------------------------

#: Unit -> what it is in words, where its name does not say it.
Texts = Mapping[str, str]

#: Monte Carlo error of a log probability above which its size is itself uncertain.
MOST_ERROR = 0.5
#: Stacking weights below this are not told one by one.
LEAST_WEIGHT = 0.01
#: Part of a posterior left out of sums over tables above which it is reported.
MOST_OMITTED = 0.01


def comparison_sentences(
    found: Comparison,
    evidence: Evidence | None = None,
    made: t.Predicted | None = None,
    texts: Texts | None = None,
    several: bool = False,
) -> list[str]:
    """Which variant predicts best what it has not seen, and what the default does not predict.

    ``evidence`` compares variants where counts that determine each other cannot; ``texts`` says in
    words what a unit is, where its name does not; ``several``: whether units have several rows, of
    which the first is shown.
    """
    made, texts = made or t.predicted(found), texts or {}
    units, own = f.plural(found.unit_label), made.own
    determined = evidence is not None and bool(evidence.determined)
    said = [] if evidence is None else evidence_sentences(evidence)
    if not determined:
        said.append(_best(made.elpds))
        if len(made.elpds) > 1:
            said += [*_against_default(made.elpds, units, len(own)), _weights(made.elpds)]
        said.append(_as_expected(made.pit, units))
    said.append(_hard(own, units, texts, several))
    said.append(_least_probable_together(own) if several else _least_probable(own, texts))
    return [*said, *_not_to_be_trusted(own if determined else made.left_out)]


def evidence_sentences(found: Evidence) -> list[str]:
    """Which variant makes the published counts most probable."""
    said = []
    if found.determined:
        counts = f.counted(len(found.determined), "count")
        said.append(
            f"{counts} ({some(found.determined, len(found.determined))}) can be computed from the "
            "others. Counts that determine each other cannot be compared by leaving one out: what "
            "is left out is known from the rest, to within what a count may be off."
        )
    if len(found.variants) < 2:
        return said
    rows = t.evidences(found)
    default, best = rows.iloc[0], rows.loc[rows["log_evidence"].idxmax()]
    own = f.number(default["log_evidence"], 1)
    which = (
        f"No other variant makes the published counts more probable than the default (log evidence "
        f"{own})"
        if best["variant"] == default["variant"]
        else f"{best['variant']} makes the published counts most probable (log evidence "
        f"{f.number(best['log_evidence'], 1)}; the default has {own})"
    )
    weights = rows.sort_values("weight", ascending=False, kind="stable")
    known = weights[weights["weight"] >= LEAST_WEIGHT].itertuples(index=False)
    said.append(
        f"{which}. With all {len(rows)} equally probable beforehand their probabilities are "
        f"{some([f'{row.variant} {f.number(row.weight, 2)}' for row in known], len(rows))}."
    )
    rough = rows[rows["omitted"] > MOST_OMITTED]["variant"]
    if len(rough):
        said.append(
            f"Tables farther off than was summed over hold more than {100 * MOST_OMITTED:g}"
            f"% of the posterior of {some(rough)}."
        )
    return said


def elpd_text(value: float, decimals: int = 1) -> str:
    """A log probability, or a sum of them; minus infinity in words."""
    return f.number(value, decimals) if math.isfinite(value) else "minus infinity"


def _mark(row: Any) -> str:
    """Mark of an elpd that rests on a refit that did not converge."""
    return "" if row["converged"] else " (a refit of it did not converge)"


def _best(elpds: pd.DataFrame) -> str:
    default, best = elpds.iloc[0], elpds.loc[elpds["elpd"].idxmax()]
    own = f"{elpd_text(default['elpd'])}{_mark(default)}"
    if len(elpds) == 1:
        return f"The default has an elpd of {own}; no other variant was compared."
    if best["elpd"] <= default["elpd"]:
        return (
            f"No other variant has a larger elpd than the default ({own}); "
            f"{f.counted(len(elpds) - 1, 'other')} {are(len(elpds) - 1)} compared."
        )
    return (
        f"Of {f.counted(len(elpds), 'variant')} {best['variant']} has the largest elpd, "
        f"{elpd_text(best['elpd'])}{_mark(best)}; the default has {own}."
    )


def _against_default(elpds: pd.DataFrame, units: str, count: int) -> list[str]:
    others = elpds.iloc[1:]
    said = []
    alike = others[~others["told_apart"] & others["difference"].notna()]
    if len(alike):
        which = "all of them" if len(alike) == len(others) else some(alike["variant"])
        said.append(
            f"With {count} {units}, a difference in elpd of less than {t.ALIKE:g} cannot "
            f"be told from none (Sivula et al. 2020). Against the default this is so for {which}: "
            f"{'they' if len(alike) > 1 else 'the two'} cannot be told apart by what they predict."
        )
    for row in others[others["told_apart"]].to_dict("records"):
        said.append(_apart(row, units))
    if (others["told_apart"] & others["se"].notna()).any() and count < t.FEW_UNITS:
        said.append(f"With fewer than {t.FEW_UNITS} {units} such intervals are usually too narrow.")
    for row in others[others["difference"].isna()].to_dict("records"):
        said.append(
            f"{row['variant']} and the default cannot be compared: each gives probability zero to "
            "something that was printed and that the other allows."
        )
    return said


def _apart(row: Mapping[Any, Any], units: str) -> str:
    gap = row["difference"]
    which = "better" if gap > 0 else "worse"
    if not math.isfinite(gap):
        only = "the default" if gap > 0 else "it"
        return (
            f"{row['variant']} predicts {which} than the default, by more than the draws can "
            f"measure: not one draw of {only} allowed something that was printed."
        )
    numbers = (
        f"by {f.number(abs(gap), 1)} ({100 * CI_PROB:g}% interval of the difference "
        f"{f.span(row['ci_low'], row['ci_high'], 1)}, Bayesian bootstrap over {units}; probability "
        f"of predicting better {f.probability(row['p_better'])}){_mark(row)}"
    )
    if row["ci_low"] > 0 or row["ci_high"] < 0:
        return f"{row['variant']} predicts {which} than the default {numbers}."
    return f"{row['variant']} predicts {which}, {numbers}; its uncertainty is larger than that."


def _weights(elpds: pd.DataFrame) -> str:
    known = elpds[elpds["weight"] >= LEAST_WEIGHT]
    told = [
        f"{row['variant']} {f.number(row['weight'], 2)} "
        f"({f.span(row['weight_low'], row['weight_high'], 2)})"
        for row in known.sort_values("weight", ascending=False, kind="stable").to_dict("records")
    ]
    return (
        "The mixture of variants that predicts best (stacking) has the weights "
        f"{some(told)}; in brackets {100 * t.WEIGHT_PROB:g}% bootstrap intervals. "
        "Variants that predict alike share out their weight among them, so that a small weight "
        "does not speak against a variant."
    )


def _as_expected(pit: t.Pit, units: str) -> str:
    leaves = "does not leave" if math.isnan(pit.outside) else f"leaves, at {pit.outside:.2g},"
    p_value = (
        f"the curve {leaves} its 95% band; p-value of its largest distance "
        f"{f.probability(pit.p_value)}, approximate"
    )
    if math.isnan(pit.outside):
        return (
            f"Taken together, what was printed is spread over the default's predictions as it "
            f"should be ({p_value}): the {units} fall into the low, middle and high parts of their "
            "predictive laws as often as these say."
        )
    tails, upper = 100 * pit.tails, 100 * pit.upper
    if abs(tails - 50) >= abs(upper - 50):
        why = "too narrow" if tails > 50 else "too wide"
        where, share = "outer halves", tails
    else:
        why = "too low" if upper > 50 else "too high"
        where, share = "upper halves", upper
    return (
        "Taken together, what was printed is not spread over the default's predictions as it "
        f"should be ({p_value}): {f.percent(share)} of the {units} lie in the {where} of their "
        f"predictive laws, where 50% are expected; the predictions are {why}."
    )


def printed(number: float) -> str:
    """A number as it was printed."""
    return f"{number:g}".replace("-", f.MINUS)


def _named(row: Mapping[Any, Any], texts: Texts, what: str) -> str:
    text = texts.get(row["unit"], "")
    return f"{row['unit']} ({text}{'; ' * bool(text)}{what})"


def _hard(own: pd.DataFrame, units: str, texts: Texts, several: bool) -> str:
    bad = own[own["outside"]].sort_values("p_tail", kind="stable")
    chance = f.number(own["p_outside"].sum(), 1)
    told = [
        _named(
            row,
            texts,
            f"printed {printed(row['printed'])}, expected {printed(row['ci_low'])} to "
            f"{printed(row['ci_high'])}",
        )
        for row in bad.to_dict("records")
    ]
    central = f"{100 * t.CENTRAL:g}%"
    inside = f"the central {central} of what the other {units} lead to expect"
    start = f"{len(bad)} of {len(own)} {units}" if len(bad) else f"None of the {len(own)} {units}"
    listed = f": {some(told)}" if told else ""
    where = f"printed{' in the first of its rows' * several} outside of {inside}"
    return f"{start} {are(max(len(bad), 1))} {where} ({chance} by chance){listed}."


def _least_probable(own: pd.DataFrame, texts: Texts) -> str:
    told = [
        _named(row, texts, f"{printed(row['printed'])}, {f.probability(math.exp(row['lpd']))}")
        for row in own.sort_values("lpd", kind="stable").head(3).to_dict("records")
    ]
    return f"Least probable of what was printed, with its probability: {f.listed(told)}."


def _least_probable_together(own: pd.DataFrame) -> str:
    """Units of several rows that are least probable for how many rows they have."""
    told = [
        f"{row['unit']} ({f.number(row['lpd'], 1)})"
        for row in own.sort_values("lpd", kind="stable").head(3).to_dict("records")
    ]
    return (
        "Least probable, all rows of each together, with the logarithm of the probability: "
        f"{f.listed(told)}."
    )


def _not_to_be_trusted(left_out: pd.DataFrame) -> list[str]:
    """What is impossible, what did not converge, and what rests on few draws."""

    def units(rows: pd.DataFrame) -> str:
        return some(f"{row['unit']} in {row['variant']}" for row in rows.to_dict("records"))

    said = []
    impossible = left_out[~left_out["possible"]]
    if len(impossible):
        said.append(
            f"No draw allowed what was printed for {units(impossible)}: its probability is too "
            "small to be measured with so many draws, is counted as 0, and the variant has no "
            "finite elpd."
        )
    failed = left_out[~left_out["converged"]]
    if len(failed):
        told = [f"{row['variant']} without {row['unit']}" for row in failed.to_dict("records")]
        said.append(
            f"{len(failed)} of {f.counted(len(left_out), 'refit')} did not converge (R-hat above "
            f"{t.MOST_RHAT:g}, effective sample size below {t.LEAST_ESS:g}, or "
            f"divergent transitions): {some(told)}. They are marked, and so is the elpd "
            "that rests on them."
        )
    rough = left_out[left_out["possible"] & (left_out["lpd_error"] > MOST_ERROR)]
    if len(rough):
        said.append(
            f"The log probability rests on few draws (Monte Carlo error above {MOST_ERROR:g}) for "
            f"{units(rough)}."
        )
    return said


def skipped_sentences(found: Comparison | Evidence) -> list[str]:
    """Which variants are not compared, and why; those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for variant, why in found.skipped.items():
        by_reason.setdefault(why.rstrip("."), []).append(variant)
    return [f"{some(names, 12)}: {why}." for why, names in by_reason.items()]
