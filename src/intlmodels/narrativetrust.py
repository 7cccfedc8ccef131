"""Sentences on calibration and sensitivity, from the tables of ``trust.tables``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from intlmodels import formats as f
from intlmodels.trust import tables as t
from intlmodels.trust.stored import PROBS, Calibration, Caught, Sensitivity

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


def calibration_sentences(found: Calibration, wrong: tuple[Caught, ...] = ()) -> list[str]:
    """All that is said of a calibration, and of the deliberate errors if there are any."""
    said = recovery_sentences(found, t.calibrated(found))
    return [*said, errors_summary(wrong), *error_sentences(wrong)] if wrong else said


def recovery_sentences(found: Calibration, table: pd.DataFrame) -> list[str]:
    """How many fits there were, whether ranks are uniform, coverage, and what is not learned.

    Parameters
    ----------
    found : Calibration
    table : pandas.DataFrame
        From :func:`intlmodels.trust.tables.calibrated`.
    """
    said = [_fits(found)]
    if found.ranked:
        said += [_ranks(table), _coverage(table), _learned(table)]
    return said


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
            f"adjusted p-value below {t.FAMILYWISE:g} would count as a deviation."
        )
    told = [
        f"{row['quantity']} ({f.probability(row['p_adjusted'])}): {_how(row)}"
        for row in bad.sort_values("p_adjusted", kind="stable").to_dict("records")
    ]
    more = f"; and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
    return (
        f"{len(bad)} of {number} {'deviates' if len(bad) == 1 else 'deviate'} from uniform ranks "
        f"(p-value adjusted for their number, Holm, below {t.FAMILYWISE:g}): "
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
        held = f"its {name}{f.SPACE}% intervals held the truth in {share} of the studies"
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
        f"of {probs}{f.SPACE}%) {outside} {are(outside)} outside of the limits that hold "
        f"{100 * t.BAND:g}{f.SPACE}% of coverages if all is right; {chance} are expected to be "
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


def error_sentences(wrong: tuple[Caught, ...]) -> list[str]:
    """Whether calibration noticed each deliberate error, and when."""
    return [_error(error) for error in wrong]


def _error(error: Caught) -> str:
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


def errors_summary(wrong: tuple[Caught, ...]) -> str:
    """How many of the deliberate errors were noticed."""
    caught = sum(error.after is not None for error in wrong)
    missed = [error.name for error in wrong if error.after is None]
    looks = f.listed([str(look) for look in dict.fromkeys(n for e in wrong for n in e.looks)])
    return (
        "A calibration that finds nothing says little unless it would have found something. "
        f"Studies simulated from the model were therefore also fitted with "
        f"{f.counted(len(wrong), 'deliberate error')}, one at a time, and the verdict was looked "
        f"at after {looks} simulations, each time at {t.FAMILYWISE:g} divided by the number of "
        f"looks: {caught} of {len(wrong)} {were(caught)} caught"
        f"{f'; NOT caught: {some(missed)}' if missed else ''}."
    )


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
    made = t.shifts(found)
    return [*refit_sentences(found, made.moves, made.farthest), *scaling_sentences(made.scaled)]


def refit_sentences(found: Sensitivity, moves: pd.DataFrame, farthest: pd.DataFrame) -> list[str]:
    """Which conclusions change with priors and readings, and what moves most.

    Parameters
    ----------
    found : Sensitivity
    moves, farthest : pandas.DataFrame
        From the functions of these names in :mod:`intlmodels.trust.tables`.
    """
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
    """What power-scaling says, by the rule of Kallioinen et al. (2024).

    Parameters
    ----------
    scaled : pandas.DataFrame
        From :func:`intlmodels.trust.tables.scaled`.
    """
    if not len(scaled):
        return []
    number = f.counted(len(scaled), "quantity")
    weak, conflict = (
        scaled[scaled["diagnosis"] == diagnosis].sort_values("prior", ascending=False)
        for diagnosis in (t.WEAK, t.CONFLICT)
    )
    said = []
    if not scaled["reliable"].all():
        size = pareto_text(float(scaled["pareto_k"].iloc[0]))
        said.append(
            f"Power-scaling is not reliable here (Pareto k of its weights {size}, where at most "
            f"{t.UNRELIABLE:g} is wanted): the refits decide, and what follows is a hint."
        )
    if len(weak):
        said.append(
            f"{len(weak)} of {number} {'moves' if len(weak) == 1 else 'move'} with the prior but "
            "hardly with the likelihood: the data are weak or the prior is strong, and what is "
            f"said of them is largely the prior's: {some(weak['quantity'], 12)}."
        )
    if len(conflict):
        said.append(
            f"{len(conflict)} of {number} {'moves' if len(conflict) == 1 else 'move'} with the "
            "prior and with the likelihood: prior and data may pull into different directions. "
            f"Look at the priors behind {some(conflict['quantity'], 12)}."
        )
    moved = scaled[scaled["diagnosis"] == t.MOVES].sort_values("prior", ascending=False)
    if scaled["likelihood"].isna().all():
        said.append(
            "Only the priors are scaled: the likelihood here holds conditions that are met or not, "
            "which cannot be made a little stronger or weaker."
        )
    if len(moved):
        said.append(
            f"{len(moved)} of {number} {'moves' if len(moved) == 1 else 'move'} with the prior by "
            f"{t.SENSITIVE:g} or more, the most first: {some(moved['quantity'], 12)}. The refits "
            "tell how far."
        )
    unknown = scaled[scaled["diagnosis"] == t.UNKNOWN]
    if len(unknown):
        said.append(
            f"Nothing can be said of {len(unknown)} of {number}: prior or quantity is the same at "
            "every draw, or is not a finite number at some."
        )
    elif not len(weak) and not len(conflict) and not len(moved):
        said.append(f"None of {number} moves with the prior by {t.SENSITIVE:g} or more.")
    return said
