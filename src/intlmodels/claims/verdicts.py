"""Verdicts on claims: what a rule found, and what a posterior probability allows to say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intlmodels.core import formats as f
from intlmodels.results.intervals import CI_PROB, interval
from intlmodels.results.wording import CLEAR, LEANING

if TYPE_CHECKING:
    from xarray import DataTree

    from intlmodels.study import Study


Array = NDArray[np.float64]

#: At or below this probability a claim is unsupported: the opposite is at least leaning.
UNSUPPORTED = round(1 - LEANING, 9)
SUPPORTED_WORD, LEANING_WORD, UNCERTAIN_WORD = "supported", "leaning", "uncertain"
UNSUPPORTED_WORD = "unsupported"
FAILED = "did not converge"
NOT_FITTED = "not fitted yet"
CANNOT = "cannot be checked with what was published"
HOLDS, CONTRADICTED = "holds in the printed {}", "contradicted by the printed {}"
#: Verdicts that are no facts, in the order in which they are told.
WORDS = (SUPPORTED_WORD, LEANING_WORD, UNCERTAIN_WORD, UNSUPPORTED_WORD, NOT_FITTED, FAILED, CANNOT)
POINTS = "percentage points"


def verdict_of(probability: float) -> str:
    """What the posterior probability of a claim allows to say of it."""
    if probability >= CLEAR:
        return SUPPORTED_WORD
    if probability >= LEANING:
        return LEANING_WORD
    return UNSUPPORTED_WORD if probability <= UNSUPPORTED else UNCERTAIN_WORD


@dataclass(frozen=True)
class Found:
    """What a rule gives.

    Attributes
    ----------
    verdict : str
    probability : float
        Not a number where the rule gives a fact.
    median, low, high : float
        The effect, and its interval where it is uncertain.
    unit : str
    numbers : str
        What was found, in words.
    fit : str
        The fit that was asked; empty if none.
    """

    verdict: str = ""
    probability: float = math.nan
    median: float = math.nan
    low: float = math.nan
    high: float = math.nan
    unit: str = ""
    numbers: str = ""
    fit: str = ""


@dataclass(frozen=True)
class Evidence:
    """What claims are held against.

    Attributes
    ----------
    study : Study
    fits : mapping of str to DataTree
        Fits by variant, the default among them.
    values : mapping of str to float
        Printed counts and numbers by id.
    prob : float
        Of the intervals.
    """

    study: Study
    fits: Mapping[str, DataTree]
    values: Mapping[str, float]
    prob: float = CI_PROB


def fact(holds: bool | None, printed: str, found: Found) -> Found:
    """A verdict that needs no probability; None where what is not known decides."""
    if holds is None:
        return replace(found, verdict=CANNOT)
    return replace(found, verdict=(HOLDS if holds else CONTRADICTED).format(printed))


def of_draws(
    holds: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    effect: Array,
    chains: int,
    prob: float,
    fit: str,
) -> Found:
    """Verdict, probability and effect from draws.

    Parameters
    ----------
    holds : array of bool, shape (draw,)
        Whether the claim holds, where that can be said; chain after chain.
    kept : array of bool, shape (draw,)
        Where it can be said.
    effect : array, shape (draw,)
    chains : int
    prob : float
        Of the interval.
    fit : str
        Name of the fit.
    """
    probability = float(holds[kept].mean())
    low, high = interval(effect[kept], prob)
    return Found(
        verdict=verdict_of(probability),
        probability=probability,
        median=float(np.median(effect[kept])),
        low=low,
        high=high,
        fit=fit,
        numbers=_edge(holds, kept, probability, chains),
    )


def everywhere(draws: Array) -> NDArray[np.bool_]:
    """All draws."""
    return np.ones(len(draws), bool)


def _edge(
    holds: NDArray[np.bool_], kept: NDArray[np.bool_], probability: float, chains: int
) -> str:
    """A remark where more draws could move a probability to another verdict."""
    from arviz_stats.base import array_stats

    # Of a ratio where draws are left out: how many hold over how many are kept.
    part = (kept * (holds - probability)).reshape(chains, -1)
    with np.errstate(divide="ignore", invalid="ignore"):  # what never varies has no error
        error = array_stats.mcse(part, method="mean", chain_axis=0, draw_axis=1)
    error = float(np.nan_to_num(error)) / float(kept.mean())
    near = any(abs(probability - limit) < 2 * error for limit in (CLEAR, LEANING, UNSUPPORTED))
    return "; more draws could move this verdict" if near else ""


def middle(draws: Array, decimals: int, prob: float) -> str:
    """Median and interval: ``23 (−3 to 45)``."""
    low, high = interval(draws, prob)
    return f"{f.number(float(np.median(draws)), decimals)} ({f.span(low, high, decimals)})"
