"""Sentences on the comparison by exact leave-one-out, from the tables of ``trust.predicted``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from intlmodels import formats as f
from intlmodels.narrativetrust import are, some
from intlmodels.results import CI_PROB
from intlmodels.trust import predicted as t
from intlmodels.trust.stored import Comparison

if TYPE_CHECKING:
    import pandas as pd

#: Unit -> what it is in words, where its name does not say it.
Texts = Mapping[str, str]

#: p-value below which what was printed is not spread as the predictive laws say.
UNEVEN = 0.05
#: Monte Carlo error of a log probability above which its size is itself uncertain.
MOST_ERROR = 0.5
#: Stacking weights below this are not told one by one.
LEAST_WEIGHT = 0.01


def comparison_sentences(
    found: Comparison, made: t.Predicted | None = None, texts: Texts | None = None
) -> list[str]:
    """Which variant predicts best what it has not seen, and what the default does not predict.

    Parameters
    ----------
    found : Comparison
    made : Predicted, optional
        Its tables, if they were worked out already.
    texts : mapping of str to str, optional
        Unit -> what it is in words, where its name does not say it.
    """
    made, texts = made or t.predicted(found), texts or {}
    units, own = f.plural(found.unit_label), made.own
    said = [_best(made.elpds)]
    if len(made.elpds) > 1:
        said += [*_against_default(made.elpds, units, len(own)), _weights(made.elpds)]
    said += [_as_expected(made.pit, units), _hard(own, units, texts), _least_probable(own, texts)]
    return [*said, *_not_to_be_trusted(made.left_out)]


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
            f"With {count} {units}, a difference in elpd of less than {t.ALIKE:g} cannot be told "
            f"from none (Sivula et al. 2020). Against the default this is so for {which}: "
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
        f"by {f.number(abs(gap), 1)} ({100 * CI_PROB:g}{f.SPACE}% interval of the difference "
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
        f"{some(told)}; in brackets {100 * t.WEIGHT_PROB:g}{f.SPACE}% bootstrap intervals. "
        "Variants that predict alike share out their weight among them, so that a small weight "
        "does not speak against a variant."
    )


def _as_expected(pit: t.Pit, units: str) -> str:
    p_value = f"p-value {f.probability(pit.p_value)}, approximate"
    if pit.p_value >= UNEVEN:
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
        f"predictive laws, where 50{f.SPACE}% are expected; the predictions are {why}."
    )


def printed(number: float) -> str:
    """A number as it was printed."""
    return f"{number:g}".replace("-", f.MINUS)


def _named(row: Mapping[Any, Any], texts: Texts, what: str) -> str:
    text = texts.get(row["unit"], "")
    return f"{row['unit']} ({text}{'; ' * bool(text)}{what})"


def _hard(own: pd.DataFrame, units: str, texts: Texts) -> str:
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
    inside = f"the central {100 * t.CENTRAL:g}{f.SPACE}% of what the other {units} lead to expect"
    start = f"{len(bad)} of {len(own)} {units}" if len(bad) else f"None of the {len(own)} {units}"
    listed = f": {some(told)}" if told else ""
    return (
        f"{start} {are(max(len(bad), 1))} printed outside of {inside} ({chance} by chance){listed}."
    )


def _least_probable(own: pd.DataFrame, texts: Texts) -> str:
    told = [
        _named(row, texts, f"{printed(row['printed'])}, {f.probability(math.exp(row['lpd']))}")
        for row in own.sort_values("lpd", kind="stable").head(3).to_dict("records")
    ]
    return f"Least probable of what was printed, with its probability: {f.listed(told)}."


def _not_to_be_trusted(left_out: pd.DataFrame) -> list[str]:
    """What is impossible, what did not converge, and what rests on few draws."""
    said = []
    where = [
        f"{row['unit']} in {row['variant']}"
        for row in left_out[~left_out["possible"]].to_dict("records")
    ]
    if where:
        said.append(
            f"No draw allowed what was printed for {some(where)}: its probability is too small to "
            "be measured with so many draws, is counted as 0, and the variant has no finite elpd."
        )
    failed = left_out[~left_out["converged"]]
    if len(failed):
        told = [f"{row['variant']} without {row['unit']}" for row in failed.to_dict("records")]
        said.append(
            f"{len(failed)} of {f.counted(len(left_out), 'refit')} did not converge (R-hat above "
            f"{t.MOST_RHAT:g}, effective sample size below {t.LEAST_ESS:g}, or divergent "
            f"transitions): {some(told)}. They are marked, and so is the elpd that rests on them."
        )
    rough = left_out[left_out["possible"] & (left_out["lpd_error"] > MOST_ERROR)]
    if len(rough):
        told = [f"{row['unit']} in {row['variant']}" for row in rough.to_dict("records")]
        said.append(
            f"The log probability rests on few draws (Monte Carlo error above {MOST_ERROR:g}) for "
            f"{some(told)}."
        )
    return said


def skipped_sentences(found: Comparison) -> list[str]:
    """Which variants are not compared, and why; those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for variant, why in found.skipped.items():
        by_reason.setdefault(why.rstrip("."), []).append(variant)
    return [f"{some(names, 12)}: {why}." for why, names in by_reason.items()]
