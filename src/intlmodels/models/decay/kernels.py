"""Laws of the decay model and steps of its sampler of tables and parameters, compiled.

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

Parameters move by slice sampling (Neal 2003, Annals of Statistics 31, 705-767) along lines
and along curves of common scale; tables by heat baths along lines of the integer lattice
(Diaconis and Sturmfels 1998, Annals of Statistics 26, 363-397); and firms that nothing tells
apart change places. Every step leaves the joint posterior as it is.
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
    #: Of each firm, (firm, 3): size, first period with another owner, interviews; and its class
    #: among firms that nothing tells apart.
    about: NDArray[np.int64]
    classes: NDArray[np.int64]
    #: How prior entries enter, see :data:`FAMILY_CODES`.
    family: int
    #: Of each row of the counts: its cells, and what is printed.
    member: NDArray[np.int64]
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


@kernel
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


@kernel
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


@kernel
def firm_likelihood(
    f, table, theta, at, about, places, family, ordered, move, accept, p, paths, work
):
    """Log probability of one firm's flags given the parameters."""
    # Of a type of its own, a literal 0 would have what is called compiled once more.
    n = first = np.int64(0)
    for t in range(table.shape[1]):
        n += table[f, t, 0] + table[f, t, 1]
    if n == 0 and ordered[f] < 0:
        return 0.0
    chances(p, first, f, n, theta, at, about, places, family)
    return log_flags(table, f, p, first, p.shape[1] > 1, ordered, move, accept, paths, work)


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
        total += _log_normals(theta, at[2], at[11], theta[at[3]], theta[at[4]])
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
def log_firm(
    table,
    f,
    p,
    by_period,
    log_urn,
    log_factorial,
    log_weights,
    ordered,
    move,
    accept,
    paths,
    work,
):
    """Log weight of a firm's part of a table: urn, periods, and flags given the parameters."""
    total, made = 0.0, 0
    for t in range(table.shape[1]):
        n = table[f, t, 0] + table[f, t, 1]
        made += n
        total += n * log_weights[t] - log_factorial[n]
    flags = log_flags(table, f, p, f, by_period, ordered, move, accept, paths, work)
    return total + log_urn[made] + flags


@kernel
def deviation(relation, printed, true):
    """By how much a true count misses what is printed: equal 0, at least 1, at most 2."""
    if relation == 0:
        return abs(true - printed)
    if relation == 1:
        return max(0, printed - true)
    return max(0, true - printed)


@kernel
def log_denied(relation, printed, true, log_rho):
    """Log weight of a bound that was not printed since its opposite, which is given, holds.

    A noisy bound is printed with probability ``rho ** off``; by its opposite it is off by one
    more than what the opposite has to spare.
    """
    spare = true - printed if relation == 1 else printed - true
    return math.log1p(-math.exp((spare + 1) * log_rho)) if spare >= 0 else -math.inf


@kernel
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


@kernel
def count_up(table, member, true):
    """True value of every published count in a table."""
    flat = table.reshape(table.size)
    for c in range(true.shape[0]):
        total = 0
        for cell in range(flat.shape[0]):
            total += member[c, cell] * flat[cell]
        true[c] = total


# -- steps --------------------------------------------------------------------------------

#: Cells that one step of a table can touch: two a transfer.
MOST_CELLS = 24
#: Steps out from the starting point of a slice.
MOST_STEPS = 30


class Moves(NamedTuple):
    """Lines and scalings along which the parameters move, one a row."""

    vectors: NDArray[np.float64]
    #: First and last position (exclusive) of effects that are scaled instead, position of their
    #: centre (-1: zero) and of their log spread; zeros for a line.
    scaled: NDArray[np.int64]
    #: Firms whose flags become more or less probable by the move.
    touched: NDArray[np.bool_]


class Space(NamedTuple):
    """Memory that the steps of one chain work in.

    ``known[firm]`` is the log probability of its flags, ``weight[firm]`` the log weight of
    its part of the table, ``true[row]`` the true value of each count. ``places`` are prior entries
    as they enter the linear predictor, (1, place), or where decisions may have been missed, waiting
    times, (firm, place). The rest is scratch.
    """

    one: NDArray[np.float64]
    all: NDArray[np.float64]
    work: NDArray[np.float64]
    logs: NDArray[np.float64]
    new: NDArray[np.float64]
    fresh: NDArray[np.float64]
    known: NDArray[np.float64]
    weight: NDArray[np.float64]
    paths: NDArray[np.float64]
    cells: NDArray[np.int64]
    signs: NDArray[np.int64]
    true: NDArray[np.int64]
    change: NDArray[np.int64]
    places: NDArray[np.float64]


def space(
    parameters: int,
    firms: int,
    places: NDArray[np.float64],
    rows: int,
    count: int,
    states: int = 1,
) -> Space:
    """Memory for a chain; ``rows`` is the number of periods that matter to flags, or 1.

    ``states``: most states of an automaton of orders.
    """
    length = places.shape[1]
    return Space(
        one=np.empty((1, rows, length)),
        all=np.empty((firms, rows, length)),
        work=np.empty(length + 2),
        logs=np.empty(length + 2),
        new=np.empty(parameters),
        fresh=np.empty(firms),
        known=np.empty(firms),
        weight=np.empty(firms),
        paths=np.empty((2, length + 1, states)),
        cells=np.zeros(MOST_CELLS + 2, np.int64),
        signs=np.zeros(MOST_CELLS + 2, np.int64),
        true=np.zeros(count, np.int64),
        change=np.zeros(count, np.int64),
        places=places,
    )


@kernel
def moved(theta, vector, scaled, c, new):
    """Write theta moved by c into ``new``; return the log Jacobian of the move.

    Along ``vector``; or, where ``scaled`` names a block of effects, their spread and their
    distances from the centre are multiplied by exp(c), which leaves the standardized effects
    as they are (Yu and Meng 2011, Journal of Computational and Graphical Statistics 20,
    531-570, on why both parameterizations together mix where either alone does not).
    """
    for i in range(theta.shape[0]):
        new[i] = theta[i]
    first, stop, centre, spread = scaled[0], scaled[1], scaled[2], scaled[3]
    if stop > first:
        factor = math.exp(c)
        middle = theta[centre] if centre >= 0 else 0.0
        for i in range(first, stop):
            new[i] = middle + (theta[i] - middle) * factor
        new[spread] += c
        return (stop - first) * c
    for i in range(theta.shape[0]):
        new[i] += c * vector[i]
    return 0.0


@kernel
def _height(
    theta,
    vector,
    scaled,
    touched,
    c,
    table,
    at,
    named,
    about,
    places,
    family,
    ordered,
    move,
    accept,
    new,
    fresh,
    one,
    paths,
    work,
):
    """Log posterior at theta moved by c along a move, without firms that it does not touch."""
    total = moved(theta, vector, scaled, c, new)
    total += log_parameters(new, at, named, table.shape[0], table.shape[1])
    if total == -math.inf:
        return total
    for f in range(table.shape[0]):
        if touched[f]:
            fresh[f] = firm_likelihood(
                f, table, new, at, about, places, family, ordered, move, accept, one, paths, work
            )
            total += fresh[f]
    return total


@kernel
def slice_step(rng, theta, table, moves, r, width, fixed, space):
    """One slice sampling step with stepping out; theta and ``known`` are changed in place.

    Returns how far theta moved.
    """
    # Looked up once: what is called in the loops below gets arrays, not tuples of them.
    vector, scaled, touched = moves.vectors[r], moves.scaled[r], moves.touched[r]
    orders = (fixed.ordered, fixed.move, fixed.accept)
    given = (table, fixed.at, fixed.named, fixed.about, space.places, fixed.family, *orders)
    memory = (space.new, space.fresh, space.one, space.paths, space.work)
    known, fresh, new = space.known, space.fresh, space.new
    level = log_parameters(theta, fixed.at, fixed.named, table.shape[0], table.shape[1])
    for f in range(table.shape[0]):
        if touched[f]:
            level += known[f]
    level += math.log(rng.random())
    low = -width * rng.random()
    high = low + width
    left = int(MOST_STEPS * rng.random())
    right = MOST_STEPS - 1 - left
    while left > 0 and _height(theta, vector, scaled, touched, low, *given, *memory) > level:
        low -= width
        left -= 1
    while right > 0 and _height(theta, vector, scaled, touched, high, *given, *memory) > level:
        high += width
        right -= 1
    while True:
        c = low + (high - low) * rng.random()
        if c == 0.0 or high - low < 1e-12:
            return 0.0
        if _height(theta, vector, scaled, touched, c, *given, *memory) > level:
            break
        if c < 0:
            low = c
        else:
            high = c
    for i in range(theta.shape[0]):
        theta[i] = new[i]
    for f in range(table.shape[0]):
        if touched[f]:
            known[f] = fresh[f]
    return c


@kernel
def line_step(rng, number, table, fixed, space):
    """Heat bath along a line of tables: ``table + d * (signs at cells)``, every d that exists.

    The first ``number`` of ``space.cells`` and ``space.signs`` are the line. Returns d.
    """
    cells, signs, change, logs = space.cells, space.signs, space.change, space.logs
    wide = 2 * table.shape[1]
    kept = _merged(cells, signs, number)
    low, high = -1_000_000, 1_000_000
    for i in range(kept):
        have = table[cells[i] // wide, (cells[i] % wide) // 2, cells[i] % 2]
        if signs[i] > 0:
            low = max(low, -(have // signs[i]))
        elif signs[i] < 0:
            high = min(high, have // (-signs[i]))
    if low == high or high - low >= logs.shape[0]:
        return 0
    member, true, weight = fixed.member, space.true, space.weight
    orders = (fixed.ordered, fixed.move, fixed.accept, space.paths)
    laws = (
        space.all,
        space.all.shape[1] > 1,
        fixed.log_urn,
        fixed.log_factorial,
        fixed.log_weights,
        *orders,
    )
    relation, printed, log_rho, work = fixed.relation, fixed.printed, fixed.log_rho, space.work
    denied = fixed.denied
    for c in range(change.shape[0]):
        change[c] = 0
        for i in range(kept):
            change[c] += member[c, cells[i]] * signs[i]
    top = -math.inf
    for d in range(low, high + 1):
        value = _log_change(d, change, true, relation, printed, log_rho, denied)
        if value > -math.inf:
            _shift(table, cells, signs, kept, d)
            for i in range(kept):
                if _first_of_firm(cells, i, wide):
                    f = cells[i] // wide
                    value += weight[f] if d == 0 else log_firm(table, f, *laws, work)
            _shift(table, cells, signs, kept, -d)
        logs[d - low] = value
        top = max(top, value)
    total = 0.0
    for d in range(high - low + 1):
        logs[d] = math.exp(logs[d] - top)
        total += logs[d]
    u = rng.random() * total
    chosen = 0
    while chosen < high - low and u >= logs[chosen]:
        u -= logs[chosen]
        chosen += 1
    d = chosen + low
    if d == 0 or logs[chosen] == 0:
        return 0
    _shift(table, cells, signs, kept, d)
    for c in range(change.shape[0]):
        true[c] += d * change[c]
    for i in range(kept):
        f = cells[i] // wide
        weight[f] = log_firm(table, f, *laws, work)
    return d


@kernel
def _log_change(d, change, true, relation, printed, log_rho, denied):
    """Log weight of the counts that a line changes, d steps along it."""
    value = 0.0
    for c in range(change.shape[0]):
        if change[c] != 0 and denied[c]:
            value += log_denied(relation[c], printed[c], true[c] + d * change[c], log_rho[c])
        elif change[c] != 0:
            off = deviation(relation[c], printed[c], true[c] + d * change[c])
            if off > 0:
                value += off * log_rho[c]
    return value


@kernel
def _merged(cells, signs, number):
    """Add up the signs of cells that were drawn twice; return how many cells are left."""
    kept = 0
    for i in range(number):
        found = -1
        for j in range(kept):
            if cells[j] == cells[i]:
                found = j
        if found >= 0:
            signs[found] += signs[i]
        else:
            cells[kept] = cells[i]
            signs[kept] = signs[i]
            kept += 1
    return kept


@kernel
def _first_of_firm(cells, i, wide):
    found = True
    for j in range(i):
        found = found and cells[j] // wide != cells[i] // wide
    return found


@kernel
def _shift(table, cells, signs, number, d):
    wide = 2 * table.shape[1]
    for i in range(number):
        table[cells[i] // wide, (cells[i] % wide) // 2, cells[i] % 2] += d * signs[i]


@kernel
def draw_line(rng, firms, periods, cells, signs):
    """Draw the cells and signs of a line; return how many cells.

    What is drawn does not depend on the table, so that a heat bath along it is a valid step.
    Kinds: decisions of one kind move between two firms (counts over groups that hold both
    stay); two firms exchange decisions of two kinds, half of the time of the same flag; a
    decision changes its period; two decisions of different flags exchange periods (counts of
    periods stay); two firms and two periods exchange both flags (counts over any two of firm,
    period and flag stay); and a few free transfers, which reach every table from every other.
    """
    wide = 2 * periods
    u = rng.random()
    f = int(rng.random() * firms)
    g = int(rng.random() * firms)
    early, late = int(rng.random() * periods), int(rng.random() * periods)
    y, z = int(rng.random() * 2), int(rng.random() * 2)
    if u < 0.3:
        cells[0], signs[0] = f * wide + 2 * early + y, -1
        cells[1], signs[1] = g * wide + 2 * early + y, 1
        return 2
    if u < 0.6:
        other = y if u < 0.45 else z
        cells[0], signs[0] = f * wide + 2 * early + y, -1
        cells[1], signs[1] = f * wide + 2 * late + other, 1
        cells[2], signs[2] = g * wide + 2 * early + y, 1
        cells[3], signs[3] = g * wide + 2 * late + other, -1
        return 4
    if u < 0.7:
        cells[0], signs[0] = f * wide + 2 * early + y, -1
        cells[1], signs[1] = (f if z == 0 else g) * wide + 2 * late + y, 1
        return 2
    if u < 0.8:
        cells[0], signs[0] = f * wide + 2 * early + y, -1
        cells[1], signs[1] = f * wide + 2 * late + y, 1
        cells[2], signs[2] = g * wide + 2 * late + 1 - y, -1
        cells[3], signs[3] = g * wide + 2 * early + 1 - y, 1
        return 4
    if u < 0.9:
        for i in range(8):
            cells[i] = (f if i < 4 else g) * wide + 2 * (early if i % 4 < 2 else late) + i % 2
            signs[i] = 1 - 2 * ((i // 4 + i % 4 // 2 + i) % 2)
        return 8
    number = 0
    while True:
        cells[number], signs[number] = int(rng.random() * firms * wide), -1
        cells[number + 1], signs[number + 1] = int(rng.random() * firms * wide), 1
        number += 2
        if number >= MOST_CELLS or rng.random() < 0.5:
            return number


@kernel
def relabel(rng, theta, table, fixed, known, places):
    """Permute firms that nothing in data and prior tells apart, effects and decisions alike.

    The posterior is the same for every such permutation (Fisher-Yates within each class).
    """
    classes, first = fixed.classes, fixed.at[5]
    for f in range(table.shape[0] - 1, 0, -1):
        count = 0
        for g in range(f + 1):
            count += classes[g] == classes[f]
        pick = int(rng.random() * count)
        for g in range(f + 1):
            if classes[g] == classes[f]:
                if pick == 0:
                    for t in range(table.shape[1]):
                        for y in range(2):
                            keep = table[f, t, y]
                            table[f, t, y] = table[g, t, y]
                            table[g, t, y] = keep
                    effect = theta[first + f]
                    theta[first + f] = theta[first + g]
                    theta[first + g] = effect
                    like = known[f]
                    known[f] = known[g]
                    known[g] = like
                    if fixed.at[10] >= 0:
                        for k in range(places.shape[1]):
                            wait = places[f, k]
                            places[f, k] = places[g, k]
                            places[g, k] = wait
                    break
                pick -= 1


@kernel
def wait_anew(rng, table, theta, fixed, space):
    """Draw waiting times of every firm: those of its decisions one by one, the others afresh.

    A proposal from their law is taken with the ratio of the probabilities of the firm's flags
    (an independence sampler: Tierney 1994, Annals of Statistics 22, 1701-1762); where a firm has no
    decision, that law is all there is.
    """
    waits, known = space.places, space.known
    orders = (fixed.ordered, fixed.move, fixed.accept)
    given = (theta, fixed.at, fixed.about, waits, fixed.family, *orders)
    memory = (space.one, space.paths, space.work)
    for f in range(table.shape[0]):
        made = table[f].sum()
        for k in range(waits.shape[1]):
            before = waits[f, k]
            waits[f, k] = -math.log1p(-rng.random())
            if k < made:
                new = firm_likelihood(f, table, *given, *memory)
                if math.log1p(-rng.random()) < new - known[f]:
                    known[f] = new
                else:
                    waits[f, k] = before


@kernel
def keep(theta, table, its_theta, its_table):
    """Copy a state, by element: numba spends seconds on compiling the copy of an array."""
    for i in range(theta.size):
        its_theta[i] = theta[i]
    for cell in np.ndindex(table.shape):
        its_table[cell] = table[cell]


@kernel
def sweeps(
    rng, count, keep_every, table_steps, adapt, theta, table, widths, moves, fixed, space, kept
):
    """Run the sampler; write every ``keep_every``-th state into ``kept``.

    Returns the part of the table steps that changed the table.
    """
    firms, periods = table.shape[0], table.shape[1]
    by_period, length = space.all.shape[1] > 1, space.all.shape[2]
    thetas, tables, heights = kept
    orders = (fixed.ordered, fixed.move, fixed.accept)
    laws = (
        space.all,
        by_period,
        fixed.log_urn,
        fixed.log_factorial,
        fixed.log_weights,
        *orders,
        space.paths,
    )
    count_up(table, fixed.member, space.true)
    given = (theta, fixed.at, fixed.about, space.places, fixed.family)
    for f in range(firms):
        space.known[f] = firm_likelihood(
            f, table, *given, *orders, space.one, space.paths, space.work
        )
    changed = 0
    for sweep in range(count):
        for r in range(moves.vectors.shape[0]):
            c = slice_step(rng, theta, table, moves, r, widths[r], fixed, space)
            if adapt:  # towards three times the usual step
                widths[r] += (3 * abs(c) - widths[r]) * 0.02 + 1e-6
        if fixed.at[10] >= 0:
            wait_anew(rng, table, theta, fixed, space)
        for f in range(firms):
            chances(space.all, f, f, length, *given)
            space.weight[f] = log_firm(table, f, *laws, space.work)
        for _ in range(table_steps):
            number = draw_line(rng, firms, periods, space.cells, space.signs)
            changed += line_step(rng, number, table, fixed, space) != 0
        for f in range(firms):
            space.known[f] = log_flags(
                table, f, space.all, f, by_period, *orders, space.paths, space.work
            )
        relabel(rng, theta, table, fixed, space.known, space.places)
        count_up(table, fixed.member, space.true)  # counts of single firms follow their firms
        if sweep % keep_every == keep_every - 1:
            place = sweep // keep_every
            keep(theta, table, thetas[place], tables[place])
            total = log_parameters(theta, fixed.at, fixed.named, firms, periods)
            total += log_counts(space.true, fixed)
            for f in range(firms):
                total += space.weight[f]
            heights[place] = total
    return changed / max(1, count * table_steps)
