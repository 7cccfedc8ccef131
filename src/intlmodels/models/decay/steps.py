"""Steps of the sampler of tables and parameters, compiled.

A table moves slowly while the firms' effects are held, so these are summed out (a collapsed
sampler: Liu 1994, Journal of the American Statistical Association 89, 958-966): the odds of a
firm's flags then depend on what all firms of its kind have in common, and a change of the table
costs a few products. It is decisions that move, not counts: numbered decisions change their firm,
period or flag, alone or by exchange. A table has as many numberings as its cells have arrangements,
which the weights take into account. Parameters move by slice sampling (Neal 2003, Annals of
Statistics 31, 705-767) along lines and along curves of common scale, and firms exchange all that
they decided. Every step leaves the joint posterior as it is. Effects are drawn for the draws
that are kept.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intlmodels.models.decay.kernels import (
    Fixed,
    chances,
    count_up,
    deviation,
    kernel,
    log_counts,
    log_denied,
    log_flags,
    log_parameters,
    part,
    poisson_binomial,
)

# mypy: disable-error-code="no-untyped-def"

#: Largest distance of a node of a firm's standardized effect from 0; nodes on a side, at most.
FARTHEST, MOST_NODES = 7.0, 200
#: Places, and decisions of a period, up to which the ways of flagging them are remembered;
#: decisions of a firm up to which the mean over its effect is.
MOST_PLACES, MOST_OF_PERIOD, MOST_OF_FIRM = 30, 8, 100
#: What is called with a plain 0, and with other numbers, would be compiled twice.
NONE = np.int64(0)
#: Decisions that one step can move.
MOST_MOVED = 12
#: Steps out from the starting point of a slice.
MOST_STEPS = 30


class Moves(NamedTuple):
    """Lines and scalings along which the parameters move, one a row."""

    vectors: NDArray[np.float64]
    #: First and last position (exclusive) of effects that are scaled instead, position of their
    #: centre (-1: zero) and of their log spread; zeros for a line.
    scaled: NDArray[np.int64]
    #: Kinds of firms whose flags become more or less probable by the move.
    touched: NDArray[np.bool_]


class Space(NamedTuple):
    """Memory that the steps of one chain work in.

    ``p[kind, row, place]`` are chances of flags at an effect of 0; there is one row, or one for
    each period where these matter. ``weight[firm]`` is the log weight of its part of the table,
    ``true[row]`` the true value of each count. ``places`` are prior entries as they enter the
    linear predictor, (1, place), or where decisions may have been missed, waiting times, (firm,
    place).

    ``fall[kind, n]`` is the probability of n decisions at the nodes of the firms' effect, and
    ``power[kind, m]`` the odds there to the power of m halves, for the spread of effects
    ``spread[kind]``. ``nodes[kind]`` are the largest n, how many nodes there are, and the largest
    m. ``means[kind, n, y]`` and ``ways[kind, row, k, n, y]`` are what was computed of
    :func:`log_mean` and of a period's flags under the number of the parameters, ``now[kind]``;
    ``of_means`` and ``of_ways`` are the numbers. The rest is scratch.
    """

    p: NDArray[np.float64]
    work: NDArray[np.float64]
    new: NDArray[np.float64]
    fresh: NDArray[np.float64]
    weight: NDArray[np.float64]
    paths: NDArray[np.float64]
    true: NDArray[np.int64]
    change: NDArray[np.int64]
    places: NDArray[np.float64]
    now: NDArray[np.int64]
    nodes: NDArray[np.int64]
    spread: NDArray[np.float64]
    fall: NDArray[np.float64]
    power: NDArray[np.float64]
    means: NDArray[np.float64]
    of_means: NDArray[np.int64]
    ways: NDArray[np.float64]
    of_ways: NDArray[np.int64]


def space(parameters: int, fixed: Fixed, places: NDArray[np.float64], rows: int) -> Space:
    """Memory for a chain; ``rows`` is the number of periods that matter to flags, or 1."""
    firms, kinds, length = len(fixed.kinds), len(fixed.of_kind), places.shape[1]
    nodes = (kinds, length + 1, 2 * MOST_NODES + 1)
    means = (kinds, *[min(length, MOST_OF_FIRM) + 1] * 2)
    decisions = min(length, MOST_OF_PERIOD) + 1
    ways = (kinds, rows, min(length, MOST_PLACES) + 1, decisions, decisions)
    return Space(
        p=np.empty((firms, rows, length)),
        work=np.empty(length + 2),
        new=np.empty(parameters),
        fresh=np.empty(firms),
        weight=np.empty(firms),
        paths=np.empty((2, length + 1, fixed.accept.shape[1])),
        true=np.zeros(len(fixed.printed), np.int64),
        change=np.zeros(len(fixed.printed), np.int64),
        places=places,
        now=np.zeros(kinds, np.int64),
        nodes=np.zeros((kinds, 3), np.int64),
        spread=np.zeros(kinds),
        fall=np.empty(nodes),
        power=np.empty(nodes),
        means=np.empty(means),
        of_means=np.zeros(means, np.int64),
        ways=np.empty(ways),
        of_ways=np.zeros(ways, np.int64),
    )


# -- weights with effects summed out --------------------------------------------------------------


@part
def place_nodes(kind, most, sigma, space):
    """Place the nodes of an effect for up to so many decisions, whose chances are known.

    Trapezoids: for an integrand of width w their error is exp(-2 pi^2 (w / step)^2).
    """
    half = int(FARTHEST * math.sqrt(1 + sigma**2 * max(most, 4) / 4)) + 1
    half = min(half, MOST_NODES)
    step = FARTHEST / half
    number = 2 * half + 1
    p, nodes, spread = space.p, space.nodes, space.spread
    fall, power = space.fall[kind], space.power[kind]
    if number != nodes[kind, 1] or sigma != spread[kind]:
        total = 0.0
        for q in range(number):
            z = (q - half) * step
            fall[0, q] = math.exp(-0.5 * z * z)
            total += fall[0, q]
            power[0, q] = 1.0
            power[1, q] = math.exp(0.5 * sigma * z)
        for q in range(number):
            fall[0, q] /= total
        nodes[kind, 1], nodes[kind, 2], spread[kind] = number, 1, sigma
    for m in range(nodes[kind, 2], most):
        for q in range(number):
            power[m + 1, q] = min(power[m, q] * power[1, q], 1e300)
    nodes[kind, 0], nodes[kind, 2] = most, max(most, nodes[kind, 2])
    if p.shape[1] == 1:
        for n in range(most):
            one_more(fall, power, number, n, p[kind, 0, n])


@part
def one_more(fall, power, number, n, chance):
    """Go on from n decisions to one more, whose chance of a flag is known, at every node."""
    for q in range(number):
        root = power[1, q]
        fall[n + 1, q] = fall[n, q] * root / (1 - chance + chance * root * root)


@part
def log_mean(nodes, fall, power, m):
    """Log of the mean over a firm's effect of the odds of its flags, against those at 0.

    With log odds eta(k) at place k and an effect sigma z the probability of y flags among n is
    proportional to exp(sigma z y) / prod(1 + exp(eta(k) + sigma z)): which decisions are flagged
    drops out. ``fall`` has half of the power y; m is 2y - n. Nodes are symmetric, so that negative
    powers are read backwards.
    """
    a = b = 0.0
    last = nodes - 1
    if m >= 0:
        for q in range(0, last, 2):
            a += fall[q] * power[q]
            b += fall[q + 1] * power[q + 1]
        a += fall[last] * power[last]
    else:
        for q in range(0, last, 2):
            a += fall[q] * power[last - q]
            b += fall[q + 1] * power[last - q - 1]
        a += fall[last] * power[0]
    return math.log(a + b)


@part
def weigh(table, firms, number, out, sigma, fixed, space):
    """Fill in the log weights of some firms' decisions, of each numbering of these."""
    log_factorial, log_weights, log_urn = fixed.log_factorial, fixed.log_weights, fixed.log_urn
    ordered, kinds = fixed.ordered, fixed.kinds
    p, work, now, nodes, fall, power = (
        space.p,
        space.work,
        space.now,
        space.nodes,
        space.fall,
        space.power,
    )
    means, of_means, ways, of_ways = space.means, space.of_means, space.ways, space.of_ways
    by_period = p.shape[1] > 1
    for i in range(number):
        f = firms[i]
        kind = kinds[f]
        current = now[kind]
        n, flagged, total = NONE, NONE, 0.0
        for t in range(table.shape[1]):
            yes = table[f, t, 1]
            made = table[f, t, 0] + yes
            if made > 0:
                total += made * log_weights[t]
                row = t if by_period else NONE
                known = n < ways.shape[2] and made < ways.shape[3]
                if known and ordered[f] < 0 and of_ways[kind, row, n, made, yes] == current:
                    total += ways[kind, row, n, made, yes]
                else:
                    value = log_factorial[yes] + log_factorial[made - yes] - log_factorial[made]
                    if ordered[f] < 0:
                        value += math.log(poisson_binomial(p, kind, row, n, made, yes, work))
                        if known:
                            ways[kind, row, n, made, yes] = value
                            of_ways[kind, row, n, made, yes] = current
                    total += value
                n += made
                flagged += yes
        if ordered[f] >= 0:
            orders = (ordered, fixed.move, fixed.accept, space.paths)
            total += log_flags(table, f, p, kind, by_period, *orders, work)
        known = n < means.shape[1] and not by_period
        if known and of_means[kind, n, flagged] == current:
            total += means[kind, n, flagged]
        elif n > 0:
            if n > nodes[kind, 0]:
                place_nodes(kind, min(2 * n, p.shape[2]), sigma, space)
            if by_period:
                k = NONE
                for t in range(table.shape[1]):
                    for _ in range(table[f, t, 0] + table[f, t, 1]):
                        one_more(fall[kind], power[kind], nodes[kind, 1], k, p[kind, t, k])
                        k += 1
            m = 2 * flagged - n
            value = log_mean(nodes[kind, 1], fall[kind, n], power[kind, abs(m)], m)
            if known:
                means[kind, n, flagged], of_means[kind, n, flagged] = value, current
            total += value
        out[f] = total + log_urn[n]


@part
def log_kind(kind, theta, table, places, most, out, fixed, space):
    """Take new parameters for a kind of firms; fill in their log weights, and return the sum.

    Chances are for so many places, nodes for so many decisions of a firm.
    """
    firms, sigma = fixed.of_kind[kind], math.exp(theta[fixed.at[6]])
    about = (fixed.at, fixed.about, space.places, fixed.family)
    chances(space.p, kind, firms[0], places, theta, *about)
    place_nodes(kind, most, sigma, space)
    space.now[kind] += 1
    number = NONE
    while firms[number] >= 0:
        number += 1
    weigh(table, firms, number, out, sigma, fixed, space)
    total = 0.0
    for i in range(number):
        total += out[firms[i]]
    return total


# -- parameters -----------------------------------------------------------------------------------


@part
def slice_step(rng, r, width, theta, known, fresh, table, most, moves, fixed, space):
    """One slice sampling step with stepping out; return how far theta moved.

    Theta is changed in place, and so is ``known``, the log weight of each kind. A move is along a
    vector; or, where ``scaled`` names a block of effects, their spread and their distances from the
    centre are multiplied by exp(c), which leaves the standardized effects as they are (Yu and Meng
    2011, Journal of Computational and Graphical Statistics 20, 531-570, on why both
    parameterizations together mix where either alone does not).
    """
    new, vector = space.new, moves.vectors[r]
    first, stop, centre, spread = moves.scaled[r]
    level = log_parameters(theta, fixed.at, fixed.named, NONE, table.shape[1])
    for kind in range(len(known)):
        if moves.touched[r, kind]:
            level += known[kind]
    level += math.log(rng.random())
    low = -width * rng.random()
    high = low + width
    left = int(MOST_STEPS * rng.random())
    right = MOST_STEPS - 1 - left
    while True:
        # Out to the left while the end is above, then to the right, then in.
        if left > 0:
            c = low
        elif right > 0:
            c = high
        else:
            c = low + (high - low) * rng.random()
            if c == 0.0 or high - low < 1e-12:
                return 0.0
        for i in range(len(theta)):
            new[i] = theta[i] + c * vector[i]
        height = 0.0
        if stop > first:
            factor = math.exp(c)
            middle = theta[centre] if centre >= 0 else 0.0
            for i in range(first, stop):
                new[i] = middle + (theta[i] - middle) * factor
            new[spread] += c
            height = (stop - first) * c
        height += log_parameters(new, fixed.at, fixed.named, NONE, table.shape[1])
        if height > -math.inf:
            for kind in range(len(known)):
                if moves.touched[r, kind]:
                    n = most[kind]
                    fresh[kind] = log_kind(kind, new, table, n, n, space.fresh, fixed, space)
                    height += fresh[kind]
        above = height > level
        if left > 0:
            left = left - 1 if above else 0
            low -= width * above
        elif right > 0:
            right = right - 1 if above else 0
            high += width * above
        elif above:
            break
        elif c < 0:
            low = c
        else:
            high = c
    for i in range(len(theta)):
        theta[i] = new[i]
    for kind in range(len(known)):
        if moves.touched[r, kind]:
            known[kind] = fresh[kind]
    return c


@part
def wait_anew(rng, theta, table, most, known, fixed, space):
    """Draw waiting times of every firm: those of its decisions one by one, the others afresh.

    A proposal from their law is taken with the ratio of the probabilities of the firm's flags
    (an independence sampler: Tierney 1994, Annals of Statistics 22, 1701-1762); where a firm has no
    decision, that law is all there is. Every firm is a kind of its own.
    """
    waits = space.places
    for f in range(table.shape[0]):
        kind = fixed.kinds[f]
        for k in range(waits.shape[1]):
            before = waits[f, k]
            waits[f, k] = -math.log1p(-rng.random())
            if k < most[kind]:
                n = most[kind]
                new = log_kind(kind, theta, table, n, n, space.fresh, fixed, space)
                if math.log1p(-rng.random()) < new - known[kind]:
                    known[kind] = new
                else:
                    waits[f, k] = before


# -- decisions ------------------------------------------------------------------------------------


@part
def propose(rng, table, held, picked, cells):
    """Pick decisions and cells to which they go; return how many, and the log odds of the reverse.

    Kinds: two decisions exchange their firms or their flags; one goes to another firm or period;
    four exchange their periods, see :func:`propose_four`; a few go anywhere, which reaches every
    table from every other. The cells that they leave come first; 0 if nothing changes.
    """
    wide = 2 * table.shape[1]
    u = rng.random()
    if u >= 0.97:
        return propose_four(rng, table, held, picked, cells)
    number = 1
    while u >= 0.93 and number < MOST_MOVED and rng.random() < 0.5:
        number += 1
    if u < 0.6:
        number = 2
    for i in range(number):
        picked[i] = int(rng.random() * len(held))
        cells[i] = held[picked[i]]
        for j in range(i):
            if picked[i] == picked[j]:
                return 0, 0.0
    cell, other = cells[0], cells[1]
    if u < 0.45:
        cells[2] = other // wide * wide + cell % wide
        cells[3] = cell // wide * wide + other % wide
    elif u < 0.6:
        cells[2] = cell - cell % 2 + other % 2
        cells[3] = other - other % 2 + cell % 2
    elif u < 0.85:
        cells[1] = int(rng.random() * table.shape[0]) * wide + cell % wide
    elif u < 0.93:
        cells[1] = cell // wide * wide + 2 * int(rng.random() * table.shape[1]) + cell % 2
    else:
        for i in range(number, 2 * number):
            cells[i] = int(rng.random() * table.size)
    if number <= 2:
        same = True
        for i in range(number):
            same = same and (cells[i] == cells[number + i])
        # Two decisions that only change places.
        if same or (number == 2 and cells[0] == cells[3] and cells[1] == cells[2]):
            return 0, 0.0
    return number, 0.0


@part
def propose_four(rng, table, held, picked, cells):
    """As :func:`propose`: decisions at corners of a cube go to the other corners.

    Two with the same flag exchange their periods, and two of the same firms with the other flag
    exchange them back, so that every sum over firms, over periods or over flags stays as it is.
    The first two are any; the others one of those in their cells.
    """
    flat, wide = table.reshape(table.size), 2 * table.shape[1]
    for i in range(2):
        picked[i] = int(rng.random() * len(held))
        cells[i] = held[picked[i]]
    cell, other = cells[0], cells[1]
    cells[4] = cell // wide * wide + other % wide
    cells[5] = other // wide * wide + cell % wide
    # A cell's neighbour with the other flag differs in its last bit.
    cells[2], cells[3], cells[6], cells[7] = cells[4] ^ 1, cells[5] ^ 1, cell ^ 1, other ^ 1
    a_cube = cell // wide != other // wide and cell % wide != other % wide
    ways = flat[cells[2]] * flat[cells[3]]
    if not a_cube or cell % 2 != other % 2 or ways == 0:
        return 0, 0.0
    for i in range(2, 4):
        left = int(rng.random() * flat[cells[i]])
        j = 0
        while held[j] != cells[i] or left > 0:
            left -= held[j] == cells[i]
            j += 1
        picked[i] = j
    return 4, math.log(ways / ((flat[cells[6]] + 1) * (flat[cells[7]] + 1)))


@part
def decision_steps(rng, steps, theta, table, fixed, space):
    """Metropolis steps of a few decisions each; return how many changed the table."""
    sigma = math.exp(theta[fixed.at[6]])
    true, change, fresh, weight = space.true, space.change, space.fresh, space.weight
    rows_of = fixed.rows_of
    flat, wide = table.reshape(table.size), 2 * table.shape[1]
    # The cell of every decision.
    held, number = np.empty(table.sum(), np.int64), 0
    for cell in range(table.size):
        for _ in range(flat[cell]):
            held[number] = cell
            number += 1
    picked = np.empty(MOST_MOVED, np.int64)
    cells, firms = np.empty(2 * MOST_MOVED, np.int64), np.empty(2 * MOST_MOVED, np.int64)
    changed = 0
    for _ in range(steps):
        # Cells that the decisions leave come first, then those that they go to.
        number, gain = propose(rng, table, held, picked, cells)
        if number == 0:
            continue
        for i in range(2 * number):
            shift(change, cells[i], 1 if i >= number else -1, rows_of)
        gain += log_gain(cells, 2 * number, fixed, space)
        if gain == -math.inf:
            continue
        for i in range(number):
            flat[cells[i]] -= 1
            flat[cells[number + i]] += 1
        touched = NONE
        for i in range(2 * number):
            f = cells[i] // wide
            new = True
            for j in range(touched):
                new = new and firms[j] != f
            if new:
                firms[touched] = f
                touched += 1
        weigh(table, firms, touched, fresh, sigma, fixed, space)
        for i in range(touched):
            gain += fresh[firms[i]] - weight[firms[i]]
        if math.log1p(-rng.random()) < gain:
            changed += 1
            for i in range(touched):
                weight[firms[i]] = fresh[firms[i]]
            for i in range(2 * number):
                shift(true, cells[i], 1 if i >= number else -1, rows_of)
            for i in range(number):
                held[picked[i]] = cells[number + i]
        else:
            for i in range(number):
                flat[cells[i]] += 1
                flat[cells[number + i]] -= 1
    return changed


@part
def shift(counts, cell, d, rows_of):
    """Add to the counts that a cell enters."""
    for row in rows_of[cell]:
        if row < 0:
            break
        counts[row] += d


@part
def log_gain(cells, number, fixed, space):
    """Log weight by the counts that a table gains where those of some cells change.

    The changes are set to 0.
    """
    true, change = space.true, space.change
    relation, printed, log_rho = fixed.relation, fixed.printed, fixed.log_rho
    gain = 0.0
    for i in range(number):
        for row in fixed.rows_of[cells[i]]:
            if row < 0:
                break
            old, new = true[row], true[row] + change[row]
            if new == old:
                continue
            change[row] = 0
            if fixed.denied[row]:
                more = log_denied(relation[row], printed[row], new, log_rho[row])
                if more > -math.inf:
                    more -= log_denied(relation[row], printed[row], old, log_rho[row])
                gain += more
            else:
                off = deviation(relation[row], printed[row], new)
                off -= deviation(relation[row], printed[row], old)
                gain += off * log_rho[row] if off != 0 else 0.0
    return gain


@part
def exchange_firms(rng, sigma, table, fixed, space):
    """Metropolis steps by which two firms exchange all their decisions.

    They are always taken where nothing tells the firms apart.
    """
    flat, wide = table.reshape(table.size), 2 * table.shape[1]
    rows_of, true, change = fixed.rows_of, space.true, space.change
    weight, fresh = space.weight, space.fresh
    pair, cells = np.empty(2, np.int64), np.empty(2 * wide, np.int64)
    for f in range(table.shape[0] - 1, 0, -1):
        g = int(rng.random() * (f + 1))
        if g == f:
            continue
        pair[0], pair[1] = f, g
        for i in range(wide):
            cells[2 * i], cells[2 * i + 1] = f * wide + i, g * wide + i
            more = flat[g * wide + i] - flat[f * wide + i]
            shift(change, f * wide + i, more, rows_of)
            shift(change, g * wide + i, -more, rows_of)
        gain = log_gain(cells, 2 * wide, fixed, space)
        if gain == -math.inf:
            continue
        swap(table, f, g)
        weigh(table, pair, len(pair), fresh, sigma, fixed, space)
        gain += fresh[f] + fresh[g] - weight[f] - weight[g]
        if math.log1p(-rng.random()) < gain:
            weight[f], weight[g] = fresh[f], fresh[g]
            for i in range(wide):
                more = flat[f * wide + i] - flat[g * wide + i]
                shift(true, f * wide + i, more, rows_of)
                shift(true, g * wide + i, -more, rows_of)
        else:
            swap(table, f, g)


@part
def swap(table, f, g):
    """Exchange two rows of a table."""
    for t in range(table.shape[1]):
        for y in range(2):
            table[f, t, y], table[g, t, y] = table[g, t, y], table[f, t, y]


@part
def log_held(p, x):
    """Log of 1 - p + p exp(x), also where a chance is 0 or 1 and exp(x) has no number."""
    if x > 0:
        return x + math.log(p + (1 - p) * math.exp(-x)) if p > 0 else 0.0
    return math.log(1 - p + p * math.exp(x)) if p < 1 else x


@part
def draw_effects(rng, theta, table, fixed, space):
    """Draw the firms' effects, given everything else.

    The log likelihood of an effect is concave: its tangent bounds it from above, so that a normal
    proposal about the slope of the tangent is accepted with the ratio of the two.
    """
    first, sigma, p = fixed.at[5], math.exp(theta[fixed.at[6]]), space.work
    for f in range(table.shape[0]):
        n, flagged = 0, 0
        for t in range(table.shape[1]):
            for _ in range(table[f, t, 0] + table[f, t, 1]):
                p[n] = space.p[fixed.kinds[f], t if space.p.shape[1] > 1 else 0, n]
                n += 1
            flagged += table[f, t, 1]
        at, slope = 0.0, 0.0
        low, high = sigma * (flagged - n), sigma * flagged
        while True:
            slope, bend = sigma * flagged, 1.0
            for k in range(n):
                chance = p[k]
                if 0 < chance < 1:
                    chance /= chance + (1 - chance) * math.exp(-sigma * at)
                slope -= sigma * chance
                bend += sigma**2 * chance * (1 - chance)
            if abs(slope - at) < 0.1:
                break
            if slope > at:
                low = at
            else:
                high = at
            at += (slope - at) / bend
            if not low < at < high:
                at = (low + high) / 2
        while True:
            z = slope + rng.standard_normal()
            ratio = (sigma * flagged - slope) * (z - at)
            for k in range(n):
                ratio += log_held(p[k], sigma * at) - log_held(p[k], sigma * z)
            if math.log1p(-rng.random()) < ratio:
                break
        theta[first + f] = sigma * z


@part
def keep(theta, table, its_theta, its_table):
    """Copy a state, by element: numba spends seconds on compiling the copy of an array."""
    for i in range(theta.size):
        its_theta[i] = theta[i]
    for cell in np.ndindex(table.shape):
        its_table[cell] = table[cell]


@kernel
def sweeps(rng, count, keep_every, steps, adapt, theta, table, widths, moves, fixed, space, kept):
    """Run the sampler; write every ``keep_every``-th state into ``kept``.

    Returns the part of the steps that changed the table.
    """
    firms, periods = table.shape[0], table.shape[1]
    kinds, length = len(fixed.of_kind), space.p.shape[2]
    thetas, tables, heights = kept
    most = np.zeros(kinds, np.int64)
    known, fresh = np.zeros(kinds), np.zeros(kinds)
    for f in range(firms):
        theta[fixed.at[5] + f] = 0.0
    changed = 0
    for sweep in range(count):
        for kind in range(kinds):
            n = min(length, most[kind] + 4)
            log_kind(kind, theta, table, length, n, space.weight, fixed, space)
        count_up(table, fixed.rows_of, space.true)
        exchange_firms(rng, math.exp(theta[fixed.at[6]]), table, fixed, space)
        changed += decision_steps(rng, steps, theta, table, fixed, space)
        if sweep % keep_every == keep_every - 1:
            place = sweep // keep_every
            keep(theta, table, thetas[place], tables[place])
            total = log_parameters(theta, fixed.at, fixed.named, NONE, periods)
            total += log_counts(space.true, fixed)
            for f in range(firms):
                total += space.weight[f]
                for t in range(periods):
                    total -= fixed.log_factorial[table[f, t, 0]]
                    total -= fixed.log_factorial[table[f, t, 1]]
            heights[place] = total
            # While tuning, a chain may be where no chance allows its table.
            if total > -math.inf:
                draw_effects(rng, thetas[place], table, fixed, space)
        for kind in range(kinds):
            known[kind], most[kind] = 0.0, 0
        for f in range(firms):
            kind = fixed.kinds[f]
            known[kind] += space.weight[f]
            most[kind] = max(most[kind], table[f].sum())
        for r in range(len(moves.vectors)):
            c = slice_step(rng, r, widths[r], theta, known, fresh, table, most, moves, fixed, space)
            if adapt:  # towards three times the usual step
                widths[r] += (3 * abs(c) - widths[r]) * 0.02 + 1e-6
        if fixed.at[10] >= 0:
            wait_anew(rng, theta, table, most, known, fixed, space)
    return changed / max(1, count * steps)
