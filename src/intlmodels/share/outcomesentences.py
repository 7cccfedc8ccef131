"""What the fits of further outcomes say, in sentences; see :mod:`intlmodels.narrative`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from intlmodels import formats as f
from intlmodels.narrative import CLEAR, LEANING, in_percent, marked, verdict
from intlmodels.share.results import Measured
from intlmodels.study import FurtherOutcome

if TYPE_CHECKING:
    import pandas as pd


def _size(row: Any, points: str) -> str:
    """A difference, the larger level first."""
    above, below = (row.level, row.against) if row.median >= 0 else (row.against, row.level)
    low, high = (-row.ci_high, -row.ci_low) if row.median < 0 else (row.ci_low, row.ci_high)
    decimals = f.decimals_for(high - low)
    return (
        f"{row.label}: {above} above {below} by {f.number(abs(row.median), decimals)} {points} "
        f"({f.interval_name(row.ci_prob, row.ci_kind)} {f.span(low, high, decimals)}; probability "
        f"of direction {f.probability(row.p_direction)})"
    )


def can_tell(
    differences: pd.DataFrame, measured: Measured, further: FurtherOutcome, firms: str
) -> list[str]:
    """What so few firms can tell of a further outcome.

    Parameters
    ----------
    differences : pandas.DataFrame
        From :func:`intlmodels.share.results.differences`, of the fit of the outcome.
    measured : Measured
    further : FurtherOutcome
    firms : str
        Who they are, with their number: ``22 firms``.
    """
    if not len(differences):
        return []
    ordered = differences.sort_values("p_direction", ascending=False, kind="stable")
    rows = list(ordered.itertuples(index=False))
    count = f.counted(len(rows), "comparison")
    verdicts = {word: [r for r in rows if verdict(r.p_direction) == word] for word in _WORDS}
    for word, said in _WORDS.items():
        found = verdicts[word]
        if found and word != "cannot tell":
            what = "; ".join(_size(row, measured.points) for row in found[:2])
            more = f"; and {len(found) - 2} more" if len(found) > 2 else ""
            first = (
                f"Of {count} of {further.label.lower()}, {len(found)} "
                f"{said[len(found) == 1]}: {what}{more}."
            )
            break
    else:
        first = (
            f"These {firms} cannot tell what goes with {further.label.lower()}: of {count} none "
            f"has a probability of direction of {LEANING:g} or more; nearest to it is "
            f"{_size(rows[0], measured.points)}."
        )
    widths = differences["ci_high"] - differences["ci_low"]
    decimals = f.decimals_for(float(widths.max()))
    name = f.interval_name(rows[0].ci_prob, rows[0].ci_kind)
    second = (
        f"The {name}s of the differences are {f.span(widths.min(), widths.max(), decimals)} "
        f"{measured.points} wide; a difference of less than about "
        f"{f.number(float(widths.median()) / 2, decimals)} cannot be told from none."
    )
    return marked([first, second], bool(differences["converged"].all()))


_CLEAR = f"clear (probability of direction at least {CLEAR:g})"
_LEANING = f"to one side (probability of direction at least {LEANING:g}), none is clear"
#: Verdict -> what is said of the comparisons that have it, of several and of one.
_WORDS = {
    "clear": (f"are {_CLEAR}", f"is {_CLEAR}"),
    "leaning": (f"lean {_LEANING}", f"leans {_LEANING}"),
    "cannot tell": ("", ""),
}


def with_share(
    levels: pd.DataFrame, difference: pd.DataFrame, further: FurtherOutcome, variant: str
) -> list[str]:
    """How the share goes with a further outcome that is one of its predictors.

    Parameters
    ----------
    levels, difference : pandas.DataFrame
        From :func:`intlmodels.share.outcometables.share_by_level`.
    further : FurtherOutcome
    variant : str
        Name of the fit.
    """
    rows = list(levels.itertuples(index=False))
    sentences = [
        f"With {further.label.lower()} as a further predictor of the share (variant {variant}) and "
        f"all other predictors as observed, the average expected share is {in_percent(rows[0])} at "
        f"{rows[0].level} and {in_percent(rows[-1])} at {rows[-1].level}."
    ]
    for row in difference.itertuples(index=False):
        sentences.append(f"{_size(row, 'percentage points')}: {_JUDGED[verdict(row.p_direction)]}.")
    if len(rows) > 2:
        sentences.append(
            "The effect climbs or falls from level to level by assumption, so that this is one "
            "direction for all of them; how large each step is, is estimated."
        )
    return marked(sentences, bool(levels["converged"].all()))


_JUDGED = {
    "clear": "clear",
    "leaning": "the data lean to it",
    "cannot tell": "these data cannot tell",
}
