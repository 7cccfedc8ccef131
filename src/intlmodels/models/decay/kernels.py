"""Laws of the decay model, compiled.

A table is an array of counts, ``table[firm, period, flag]``. Which of a firm's decisions
within a period carry the flag is summed out exactly: given the parameters, the number of
flagged ones among them is a sum of independent draws with unequal chances
(Poisson-binomial), whose probability is a short recursion. Of a firm with orders the same sum
runs over what its orders keep of a sequence as well.

Where decisions may have been missed, how many lie before each known one is drawn together with the
rest: given these numbers the flags have the chances of their places, as above, and nothing is cut
off, while a forward sum over them would need a largest number of missed decisions, and a chain of
(missed, flagged) for every law that the recursion above gives. Of each place a waiting time
w ~ Exponential(1) is kept, and floor(w / rate) is geometric, with rate = -log(1 - p) where a
decision is known with probability p; the waiting times do not depend on p, so that ``recall``
moves freely (non-centred).

The parameters are one vector, locations and chances as they are, spreads as logarithms;
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


kernel = njit(error_model="numpy", cache=True, nogil=True, no_cfunc_wrapper=True)
#: What only kernels call: it compiles in less time without what lets Python call it.
part = njit(
    error_model="numpy",
    cache=True,
    nogil=True,
    no_cfunc_wrapper=True,
    no_cpython_wrapper=True,
)

#: How prior entries enter the linear predictor, as the kernels number it.
FAMILY_CODES = {"linear": 0, "power": 1, "step": 2}
#: Distributions as the kernels number them.
DISTRIBUTION_CODES = {name: code for code, name in enumerate(DISTRIBUTIONS)}


#: Missed decisions before a known one, at most: where decisions are never known, no number does.
_FARTHEST = 1e9


class Fixed(NamedTuple):
    """What does not change while sampling."""

    #: Positions in the vector of parameters, see ``Layout``.
    at: NDArray[np.int64]
    #: Priors with a name, (prior, 6): position, code, three arguments, whether it is a logarithm.
    named: NDArray[np.float64]
    #: Of each firm, (firm, 3): size, first period with another owner, interviews.
    about: NDArray[np.int64]
    #: Kind of each firm, and the firms of each kind, (kind, place), filled up with -1: firms of a
    #: kind differ in their effects alone.
    kinds: NDArray[np.int64]
    of_kind: NDArray[np.int64]
    #: How prior entries enter, see :data:`FAMILY_CODES`.
    family: int
    #: Rows of the counts that a cell enters, (cell, place), filled up with -1; what they print.
    rows_of: NDArray[np.int64]
    relation: NDArray[np.int64]
    printed: NDArray[np.int64]
    #: Log weight of a step away from what is printed; minus infinity if it must hold.
    log_rho: NDArray[np.float64]
    #: Of n decisions of a firm, (number,).
    log_urn: NDArray[np.float64]
    log_factorial: NDArray[np.float64]
    #: Log chances of the periods.
    log_weights: NDArray[np.float64]
    #: Of each row of the counts, whether it is denied: see :func:`log_denied`.
    denied: NDArray[np.bool_]
    #: Orders within firms: of each firm the number of its automaton or -1, and of each automaton
    #: its moves and the weights of its states, see :mod:`intlmodels.models.decay.orders`.
    ordered: NDArray[np.int64]
    move: NDArray[np.int64]
    accept: NDArray[np.float64]


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
def chances(p, q, f, n, theta, at, about, places, family):
    """Fill ``p[q, t, k]`` with Pr(flag) of firm f at its first n places, in every period.

    Where periods do not matter ``p`` has one row only. Where places enter as they are, the
    odds change by the same factor from place to place.
    """
    size = about[f, 0]
    eta = theta[at[0]] + theta[at[5] + f]
    if size < at[11] - 1:
        eta += theta[at[1] + size]
    slope = theta[at[2] + size] if at[4] >= 0 else theta[at[3]]
    period = at[7]
    factor = math.exp(slope) if family == 0 else 0.0
    for t in range(p.shape[1]):
        shift = theta[period + t] if period >= 0 else 0.0
        if at[9] >= 0 and t >= about[f, 1]:
            shift += theta[at[9]]
        against = math.exp(-eta - shift)
        if at[10] >= 0:
            rate = -about[f, 2] * math.log1p(-theta[at[10]])
            _chances_of_missed(p[q, t], n, against, slope, rate, places[f], family)
        elif family == 0:
            for k in range(n):
                p[q, t, k] = 1.0 / (1.0 + against)
                against *= factor
        else:
            for k in range(n):
                p[q, t, k] = 1.0 / (1.0 + against * math.exp(slope * places[0, k]))


@part
def _chances_of_missed(p, n, against, slope, rate, waits, family):
    """Chances at n places before which decisions were missed, by their waiting times."""
    before = 0.0
    for k in range(n):
        before += min(math.floor(waits[k] / rate), _FARTHEST)
        step = before
        if family == 1:
            step = math.log1p(before)
        elif family == 2:
            step = 1.0 if before > 0 else 0.0
        p[k] = 1.0 / (1.0 + against * math.exp(slope * step))
        before += 1.0


@kernel
def log_flags(table, f, p, q, by_period, ordered, move, accept, paths, work):
    """Log probability of a firm's flagged decisions in each period, given how many it made.

    Of a firm with orders times their weight, summed over every arrangement of the flags.
    """
    if ordered[f] >= 0:
        return _log_arrangements(table, f, p, q, by_period, ordered[f], move, accept, paths)
    place = np.int64(0)
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


@part
def _log_arrangements(table, f, p, q, by_period, o, move, accept, paths):
    """Log of the sum over sequences with a table's flags of probability times weight by orders.

    ``paths[0, y, state]`` sums over the sequences so far with y flags in the period.
    """
    states = accept.shape[1]
    place, total = 0, 0.0
    now, new = paths[0], paths[1]
    for s in range(states):
        now[0, s] = 0.0
    now[0, 0] = 1.0
    for t in range(table.shape[1]):
        yes = table[f, t, 1]
        n = table[f, t, 0] + yes
        if n == 0:
            continue
        row = t if by_period else 0
        for y in range(1, yes + 1):
            for s in range(states):
                now[y, s] = 0.0
        for i in range(n):
            chance = p[q, row, place + i]
            # Only numbers of flags from which the period's can still be reached.
            low, high = max(0, yes - (n - 1 - i)), min(i + 1, yes)
            for y in range(low, high + 1):
                for s in range(states):
                    new[y, s] = 0.0
            for y in range(max(0, low - 1), min(i, yes) + 1):
                for s in range(states):
                    value = now[y, s]
                    if value > 0.0:
                        if y >= low:
                            new[y, move[o, t, 0, s]] += value * (1 - chance)
                        if y < high:
                            new[y + 1, move[o, t, 1, s]] += value * chance
            now, new = new, now
        place += n
        top = 0.0
        for s in range(states):
            top = max(top, now[yes, s])
        if top == 0.0:
            return -math.inf
        total += math.log(top)
        for s in range(states):
            now[0, s] = now[yes, s] / top
    value = 0.0
    for s in range(states):
        value += now[0, s] * accept[o, s]
    return total + math.log(value) if value > 0.0 else -math.inf


@part
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
        total += _log_normals(theta, at[2], at[11], theta[at[3]], theta[at[4]])
    if at[7] >= 0:
        total += _log_normals(theta, at[7], periods, 0.0, theta[at[8]])
    return total


@part
def _log_normals(theta, start, count, mean, log_spread):
    """Log density of effects around a mean, up to a constant."""
    inverse = math.exp(-log_spread)
    total = -count * log_spread
    for i in range(start, start + count):
        total -= 0.5 * ((theta[i] - mean) * inverse) ** 2
    return total


@part
def deviation(relation, printed, true):
    """By how much a true count misses what is printed: equal 0, at least 1, at most 2."""
    if relation == 0:
        return abs(true - printed)
    if relation == 1:
        return max(0, printed - true)
    return max(0, true - printed)


@part
def log_denied(relation, printed, true, log_rho):
    """Log weight of a bound that was not printed since its opposite, which is given, holds.

    A noisy bound is printed with probability ``rho ** off``; by its opposite it is off by one
    more than what the opposite has to spare.
    """
    spare = true - printed if relation == 1 else printed - true
    return math.log1p(-math.exp((spare + 1) * log_rho)) if spare >= 0 else -math.inf


@part
def log_counts(true, fixed):
    """Log weight of a table by the counts."""
    total = 0.0
    for c in range(true.shape[0]):
        if fixed.denied[c]:
            rho = fixed.log_rho[c]
            total += log_denied(fixed.relation[c], fixed.printed[c], true[c], rho)
            continue
        off = deviation(fixed.relation[c], fixed.printed[c], true[c])
        if off > 0:
            total += off * fixed.log_rho[c]
    return total


@part
def count_up(table, rows_of, true):
    """True value of every published count in a table."""
    flat = table.reshape(table.size)
    for c in range(true.shape[0]):
        true[c] = 0
    for cell in range(flat.shape[0]):
        for row in rows_of[cell]:
            if row < 0:
                break
            true[row] += flat[cell]
