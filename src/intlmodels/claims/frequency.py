"""Is something more frequent in one group of firms than in another? Two unknown proportions.

The firms of each group are taken as draws from a population in which an unknown proportion has
the property; both proportions have a uniform prior, hence a Beta posterior. Nothing is
simulated: the probability is a finite sum, the effect a quadrature.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaln
from scipy.stats import beta as beta_law

from intlmodels import formats as f
from intlmodels.claims.facts import both, group_of, other_group
from intlmodels.claims.verdicts import CANNOT, POINTS, Evidence, Found, verdict_of
from intlmodels.study.claimchecks import number_of
from intlmodels.study.claims import Claim

#: Quantiles of each proportion by which their difference is worked out.
NODES = 500


def probability_higher(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Posterior probability that the first proportion is the higher one.

    Parameters
    ----------
    a, b : tuple of int
        Firms with and without the property, in each of the two groups; uniform priors.

    Returns
    -------
    float
        Exact: with p ~ Beta(a1, b1) and q ~ Beta(a2, b2), a1 a whole number,
        Pr(p > q) = sum over i < a1 of B(a2 + i, b1 + b2) / ((b1 + i) B(1 + i, b1) B(a2, b2)).

    Notes
    -----
    The sum follows by integrating by parts, see E. Miller, Formulas for Bayesian A/B testing
    (2015), equation 6.
    """
    a1, b1 = a[0] + 1, a[1] + 1
    a2, b2 = b[0] + 1, b[1] + 1
    i = np.arange(a1)
    terms = betaln(a2 + i, b1 + b2) - np.log(b1 + i) - betaln(1 + i, b1) - betaln(a2, b2)
    return float(min(1.0, np.exp(terms).sum()))


def difference(a: tuple[int, int], b: tuple[int, int], prob: float) -> tuple[float, float, float]:
    """Median and equal-tailed interval of the difference of two proportions.

    Parameters
    ----------
    a, b : tuple of int
        As in :func:`probability_higher`.
    prob : float

    Returns
    -------
    tuple of float
        Median, lower and upper end, in percentage points.
    """
    place = (np.arange(NODES) + 0.5) / NODES
    first = beta_law.ppf(place, a[0] + 1, a[1] + 1)
    second = beta_law.ppf(place, b[0] + 1, b[1] + 1)
    off = 100 * (first[:, None] - second[None, :])
    low, median, high = np.quantile(off, [(1 - prob) / 2, 0.5, (1 + prob) / 2])
    return float(median), float(low), float(high)


def more_often(claim: Claim, evidence: Evidence) -> Found:
    """The rule ``more often``."""
    what = group_of(claim.asked["what"], evidence)
    among = group_of(claim.asked["among"], evidence)
    than = other_group("than", among, claim, evidence)
    counted, unknown = [], 0
    for group in (among, than):
        inside = both(what, group)
        unknown += sum(member is None for member in (*inside, *group.members))
        has = sum(member is True for member in inside)
        counted.append((has, len(group.sure) - has))
    if unknown:
        return Found(verdict=CANNOT, numbers="not known of every firm whether it belongs to it")
    if not all(sum(pair) for pair in counted):
        return Found(verdict=CANNOT, numbers="no firm in one of the two groups")
    return _compared(counted[0], counted[1], evidence)


def higher_proportion(claim: Claim, evidence: Evidence) -> Found:
    """The rule ``higher proportion``."""
    first, second = (
        tuple(round(number_of(claim.asked[key], claim, evidence.values)) for key in keys)
        for keys in (("part", "whole"), ("against", "against_whole"))
    )
    return _compared((first[0], first[1] - first[0]), (second[0], second[1] - second[0]), evidence)


def _compared(a: tuple[int, int], b: tuple[int, int], evidence: Evidence) -> Found:
    """Verdict on two proportions, of how many have the property in each group, and have not."""
    probability = probability_higher(a, b)
    median, low, high = difference(a, b, evidence.prob)
    shares = [
        f"{has} of {has + without} ({f.percent(100 * has / (has + without))})"
        for has, without in (a, b)
    ]
    said = (
        f"{shares[0]} against {shares[1]}; difference of the proportions behind them "
        f"{f.number(median, 0)} ({f.span(low, high, 0)}) {POINTS}"
    )
    return Found(verdict_of(probability), probability, median, low, high, POINTS, said)


#: Rule -> what it finds.
RULES = {"more often": more_often, "higher proportion": higher_proportion}
