"""Sentences computed from tables of results, never typed in: those that fit any model.

Functions take tables of :mod:`intlmodels.results.intervals` and return sentences. What counts as
clear is stated wherever it is used: a direction is clear when its probability is at least
``CLEAR``, the data lean towards it when it is at least ``LEANING``, and otherwise they cannot
tell. Claims have the same limits and their mirror images: ``LIMITS``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from intlmodels.core import formats as f
from intlmodels.fitting.diagnostics import CLEAR_AND_LEANING, on_the_edge

if TYPE_CHECKING:
    import pandas as pd


CLEAR, LEANING = CLEAR_AND_LEANING
#: Limits of the probability of a claim, and the verdicts above, between and below them.
LIMITS = (CLEAR, LEANING, round(1 - LEANING, 9), round(1 - CLEAR, 9))
VERDICTS = ("supported", "leaning", "undecided", "leaning against", "contradicted by the model")
#: After a verdict that other draws could change.
EDGE = " (on the edge)"
#: Percentage points from which a difference is relevant, unless a claim says another number.
LEAST = 5.0
#: A parameter hardly moved: its posterior is nearly as wide as its prior, around the same value.
WIDE, SHIFTED = 0.8, 0.5
#: Posterior predictive probabilities outside of this are misfit.
TAIL = 0.025
#: Written before every sentence of a fit that did not pass the gate.
NOT_CONVERGED = "Did not converge, not to be quoted: "

Verdict = Literal["clear", "leaning", "cannot tell"]


def verdict(p_direction: float) -> Verdict:
    """What a probability of direction allows to say."""
    if p_direction >= CLEAR:
        return "clear"
    return "leaning" if p_direction >= LEANING else "cannot tell"


def claim_verdict(probability: float) -> str:
    """What the posterior probability of a claim allows to say of it: one of ``VERDICTS``."""
    for limit, above in zip(LIMITS[:2], VERDICTS, strict=False):
        if probability >= limit:
            return above
    below = sum(probability <= limit for limit in LIMITS[2:])
    return VERDICTS[2 + below]


def edge(probability: float, error: float, limits: Sequence[float] = LIMITS) -> str:
    """The mark of a verdict that other draws could change; empty if they could not."""
    return EDGE if on_the_edge(probability, error, limits) else ""


def verdict_on(row: Any) -> str:
    """The verdict on a difference, a row of its table, and whether it is on the edge."""
    return verdict(row.p_direction) + edge(row.p_direction, row.p_error, (CLEAR, LEANING))


def firm_verdict(row: Any) -> Verdict:
    """The verdict on a difference that other draws would not make a weaker one than leaning."""
    said = verdict(row.p_direction)
    turns = said == "clear" and on_the_edge(row.p_direction, row.p_error, (CLEAR,))
    return "leaning" if turns else said


def direction(row: Any) -> str:
    """The probability of the likelier direction, whether it is on the edge, and where it stands.

    ``row`` is one of a table of differences: see :func:`.intervals.directions`.
    """
    near = on_the_edge(row.p_direction, row.p_error, (CLEAR, LEANING))
    stands = getattr(row, "stands", "")
    return f.probability(row.p_direction) + ", on the edge" * near + f"; {stands}" * bool(stands)


def marked(sentences: list[str], passed: bool) -> list[str]:
    """Sentences with the mark of a failed fit before each, if it failed."""
    return sentences if passed else [NOT_CONVERGED + sentence for sentence in sentences]


def in_percent(row: Any) -> str:
    """A median in percent with its interval, from a row of a table."""
    decimals = f.decimals_for(row.ci_high - row.ci_low)
    return (
        f"{f.percent(row.median, decimals)} ({f.interval_name(row.ci_prob, row.ci_kind)} "
        f"{f.span(row.ci_low, row.ci_high, decimals)})"
    )


# -- prior and posterior -----------------------------------------------------------------


def hardly_moved(parameters: pd.DataFrame) -> list[str]:
    """Names of the parameters of which the data said little."""
    still = (parameters["spread_ratio"] > WIDE) & (parameters["shift"].abs() < SHIFTED)
    return parameters.loc[still, "name"].tolist()


def prior_sentences(parameters: pd.DataFrame, most: int = 12) -> list[str]:
    """Which parameters the data moved and which they hardly did."""
    passed = bool(parameters["converged"].all())
    still = hardly_moved(parameters)
    rule = (
        f"posterior spread above {WIDE:g} of the prior's, median moved by less than {SHIFTED:g} "
        "of it; spread is half the width of the central 68%"
    )
    if not still:
        text = f"Every parameter was moved by the data ({rule})."
    else:
        shown = f.listed(still[:most] + ([f"{len(still) - most} more"] * (len(still) > most)))
        text = (
            f"Of {f.counted(len(parameters), 'parameter')} {len(still)} hardly moved from the "
            f"prior ({rule}): {shown}. What is said about them is the prior speaking."
        )
    return marked([text], passed)


def still_sentence(parameters: pd.DataFrame) -> list[str]:
    """How many parameters the data hardly moved, where what they leave open is told."""
    still = hardly_moved(parameters)
    if not still:
        return []
    return [
        f"{len(still)} of {f.counted(len(parameters), 'parameter')} hardly moved from the prior "
        "(see posterior against prior)."
    ]


# -- checks ------------------------------------------------------------------------------


def missed(checks: pd.DataFrame) -> pd.Series[bool]:
    """Which features lie outside of what is predicted; a value at the end of it is within."""
    p, seen = checks["p_larger"], checks["observed"]
    outside = (seen < checks["ci_low"]) | (seen > checks["ci_high"])
    return outside & ((p < TAIL) | (p > 1 - TAIL))


def _rule(checks: pd.DataFrame) -> str:
    interval = f.interval_name(checks["ci_prob"].iloc[0])
    return (
        f"a feature is missed when it lies outside of the {interval} of the predictions, and the "
        f"probability of a larger value is below {TAIL:g} or above {1 - TAIL:g}"
    )


def misfit_sentences(checks: pd.DataFrame, decimals: Callable[[str], int]) -> list[str]:
    """Whether data predicted by the fit look like the data.

    ``checks`` is a table of :func:`.intervals.check_table` with the column ``feature``;
    ``decimals`` are those with which a feature is written.
    """
    passed = bool(checks["converged"].all())
    bad = checks[missed(checks)]
    if not len(bad):
        text = (
            f"In all {len(checks)} features looked at, the data lie within what the fitted model "
            f"predicts ({_rule(checks)})."
        )
        return marked([text], passed)
    parts = [
        f"{row.feature}: {f.number(row.observed, places)} observed, "
        f"{f.span(row.ci_low, row.ci_high, places)} predicted (probability of a larger value "
        f"{f.probability(row.p_larger)})"
        for row in bad.itertuples(index=False)
        for places in [decimals(row.feature)]
    ]
    text = (
        f"The fitted model misses {len(bad)} of {f.counted(len(checks), 'feature')} of the data "
        f"that were looked at ({_rule(checks)}): {'; '.join(parts)}."
    )
    return marked([text], passed)
