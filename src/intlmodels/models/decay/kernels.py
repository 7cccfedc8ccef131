"""Laws of the decay model, compiled: what :mod:`intlmodels.models.decay.steps` moves by.

A table is an array of counts, ``table[firm, period, flag]``. Which of a firm's decisions
within a period carry the flag is summed out exactly: given the parameters, the number of
flagged ones among them is a sum of independent draws with unequal chances
(Poisson-binomial), whose probability is a short recursion.

The parameters are one vector, locations as they are, spreads as logarithms;
:class:`intlmodels.models.decay.sampler.Layout` says what stands where.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from intlmodels.models.priors import DISTRIBUTIONS

# mypy: disable-error-code="no-untyped-def"


kernel = njit(error_model="numpy", cache=True, nogil=True)

#: Distributions as the kernels number them.
DISTRIBUTION_CODES = {name: code for code, name in enumerate(DISTRIBUTIONS)}


class Fixed(NamedTuple):
    """What does not change while sampling.

    Attributes
    ----------
    at : array of int
        Positions in the vector of parameters, see ``Layout``.
    named : array, shape (prior, 6)
        Priors with a name: position, code, three arguments, and whether the position holds
        the logarithm of the parameter.
    size, classes : array of int, shape (firm,)
        Size of each firm; and its class among firms that nothing tells apart.
    basis : array, shape (place,)
        Prior entries as they enter the linear predictor.
    linear : bool
        Whether they enter as they are.
    member : array of int, shape (row, cell)
    relation, printed : array of int, shape (row,)
    log_rho : array, shape (row,)
        Log weight of a step away from what is printed; minus infinity if it must hold.
    log_urn, log_factorial : array, shape (number,)
        Of n decisions of a firm.
    log_weights : array, shape (period,)
        Log chances of the periods.
    """

    at: NDArray[np.int64]
    named: NDArray[np.float64]
    size: NDArray[np.int64]
    classes: NDArray[np.int64]
    basis: NDArray[np.float64]
    linear: bool
    member: NDArray[np.int64]
    relation: NDArray[np.int64]
    printed: NDArray[np.int64]
    log_rho: NDArray[np.float64]
    log_urn: NDArray[np.float64]
    log_factorial: NDArray[np.float64]
    log_weights: NDArray[np.float64]


@kernel
def log_prior(code, a, b, c, x):
    """Log density of a prior at x, up to a constant; ``a, b, c`` are its arguments."""
    if code == 0:
        return -0.5 * ((x - a) / b) ** 2
    if code == 1:
        return -0.5 * (a + 1) * math.log1p(((x - b) / c) ** 2 / a)
    if code == 2:
        return -math.log1p(((x - a) / b) ** 2)
    if x <= 0:
        return -math.inf
    if code == 3:
        return -0.5 * (x / a) ** 2
    if code == 4:
        return -math.log1p((x / a) ** 2)
    if code == 5:
        return -0.5 * (a + 1) * math.log1p((x / b) ** 2 / a)
    if code == 6:
        return -a * x
    if code == 7:
        return (a - 1) * math.log(x) - b * x
    if code == 8:
        return -0.5 * ((math.log(x) - a) / b) ** 2 - math.log(x)
    if x >= 1:
        return -math.inf
    return (a - 1) * math.log(x) + (b - 1) * math.log1p(-x)


@kernel
def poisson_binomial(p, q, row, start, n, s, work):
    """Probability of exactly s successes in n trials with chances ``p[q, row, start:]``.

    The recursion keeps only the counts from which s can still be reached.
    """
    for j in range(s + 1):
        work[j] = 0.0
    work[0] = 1.0
    for i in range(n):
        chance = p[q, row, start + i]
        low = max(1, s - (n - 1 - i))
        for j in range(min(i + 1, s), low - 1, -1):
            work[j] = work[j] * (1 - chance) + work[j - 1] * chance
        work[0] *= 1 - chance
    return work[s]


@kernel
def chances(p, q, f, n, theta, at, size, basis, linear):
    """Fill ``p[q, t, k]`` with Pr(flag) of firm f at its first n places, in every period.

    Without period effects only ``p[q, 0]`` is filled. Where places enter as they are, the
    odds change by the same factor from place to place.
    """
    eta = theta[at[0]] + theta[at[5] + f]
    if at[1] >= 0 and size[f] == 0:
        eta += theta[at[1]]
    slope = theta[at[2] + size[f]] if at[4] >= 0 else theta[at[3]]
    period = at[7]
    rows = p.shape[1] if period >= 0 else 1
    factor = math.exp(slope) if linear else 0.0
    for t in range(rows):
        against = math.exp(-eta - (theta[period + t] if period >= 0 else 0.0))
        if linear:
            for k in range(n):
                p[q, t, k] = 1.0 / (1.0 + against)
                against *= factor
        else:
            for k in range(n):
                p[q, t, k] = 1.0 / (1.0 + against * math.exp(slope * basis[k]))


@kernel
def log_flags(table, f, p, q, by_period, work):
    """Log probability of a firm's flagged decisions in each period, given how many it made."""
    place = 0
    total, product = 0.0, 1.0
    for t in range(table.shape[1]):
        n = table[f, t, 0] + table[f, t, 1]
        if n > 0:
            row = t if by_period else 0
            product *= poisson_binomial(p, q, row, place, n, table[f, t, 1], work)
            place += n
            if product < 1e-150:
                total += math.log(product)
                product = 1.0
    return total + math.log(product)


@kernel
def firm_likelihood(f, table, theta, at, size, basis, linear, p, work):
    """Log probability of one firm's flags given the parameters."""
    n = 0
    for t in range(table.shape[1]):
        n += table[f, t, 0] + table[f, t, 1]
    if n == 0:
        return 0.0
    chances(p, 0, f, n, theta, at, size, basis, linear)
    return log_flags(table, f, p, 0, at[7] >= 0, work)


@kernel
def log_parameters(theta, at, named, firms, periods):
    """Log density of the parameters, up to a constant, with log spreads as coordinates."""
    total = 0.0
    for i in range(named.shape[0]):
        x = theta[int(named[i, 0])]
        if named[i, 5] > 0:
            total += x
            x = math.exp(x)
        total += log_prior(int(named[i, 1]), named[i, 2], named[i, 3], named[i, 4], x)
    total += _log_normals(theta, at[5], firms, 0.0, theta[at[6]])
    if at[4] >= 0:
        total += _log_normals(theta, at[2], 2, theta[at[3]], theta[at[4]])
    if at[7] >= 0:
        total += _log_normals(theta, at[7], periods, 0.0, theta[at[8]])
    return total


@kernel
def _log_normals(theta, start, count, mean, log_spread):
    """Log density of effects around a mean, up to a constant."""
    inverse = math.exp(-log_spread)
    total = -count * log_spread
    for i in range(start, start + count):
        total -= 0.5 * ((theta[i] - mean) * inverse) ** 2
    return total


@kernel
def log_firm(table, f, p, by_period, log_urn, log_factorial, log_weights, work):
    """Log weight of a firm's part of a table: urn, periods, and flags given the parameters."""
    total, made = 0.0, 0
    for t in range(table.shape[1]):
        n = table[f, t, 0] + table[f, t, 1]
        made += n
        total += n * log_weights[t] - log_factorial[n]
    return total + log_urn[made] + log_flags(table, f, p, f, by_period, work)


@kernel
def deviation(relation, printed, true):
    """By how much a true count misses what is printed: equal 0, at least 1, at most 2."""
    if relation == 0:
        return abs(true - printed)
    if relation == 1:
        return max(0, printed - true)
    return max(0, true - printed)


@kernel
def log_counts(true, fixed):
    """Log weight of a table by the counts."""
    total = 0.0
    for c in range(true.shape[0]):
        off = deviation(fixed.relation[c], fixed.printed[c], true[c])
        if off > 0:
            total += off * fixed.log_rho[c]
    return total


@kernel
def count_up(table, member, true):
    """True value of every published count in a table."""
    flat = table.reshape(table.size)
    for c in range(true.shape[0]):
        total = 0
        for cell in range(flat.shape[0]):
            total += member[c, cell] * flat[cell]
        true[c] = total
