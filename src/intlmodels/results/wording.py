"""Verdicts, computed from tables of :mod:`intlmodels.results.intervals`, never entered by hand.

A direction is clear when its probability is at least ``CLEAR``, leaning when it is at least
``LEANING``, and otherwise undecided. Claims have the same limits and their mirror images:
``LIMITS``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from intlmodels.core import formats as f
from intlmodels.fitting.diagnostics import on_the_edge

if TYPE_CHECKING:
    import pandas as pd


CLEAR, LEANING = f.CLEAR_AND_LEANING
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

Verdict = Literal["clear", "leaning", "undecided"]


def verdict(p_direction: float) -> Verdict:
    """What a probability of direction allows to say."""
    if p_direction >= CLEAR:
        return "clear"
    return "leaning" if p_direction >= LEANING else "undecided"


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


# -- prior and posterior -----------------------------------------------------------------


def hardly_moved(parameters: pd.DataFrame) -> list[str]:
    """Names of the parameters of which the data said little."""
    still = (parameters["spread_ratio"] > WIDE) & (parameters["shift"].abs() < SHIFTED)
    return parameters.loc[still, "name"].tolist()


# -- checks ------------------------------------------------------------------------------


def missed(checks: pd.DataFrame) -> pd.Series[bool]:
    """Which features lie outside of what is predicted; a value at the end of it is within."""
    p, seen = checks["p_larger"], checks["observed"]
    outside = (seen < checks["ci_low"]) | (seen > checks["ci_high"])
    return outside & ((p < TAIL) | (p > 1 - TAIL))
