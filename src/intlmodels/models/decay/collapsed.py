"""Steps of the sampler of tables for studies of many firms, with effects of firms summed out.

With many firms a table moves slowly while effects and levels are held, and most lines of the
lattice meet empty cells. Here the firms' effects are summed out (a collapsed sampler: Liu 1994,
Journal of the American Statistical Association 89, 958-966): the odds of a firm's flags then
depend on its size, so that a change of the table costs a few products. And it is decisions that
move, not counts: numbered decisions change their firm, period or flag, alone or by exchange. A
table has as many numberings as its cells have arrangements, which the weights take into account.
Every step leaves the joint posterior as it is. Effects are drawn for the draws that are kept.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intlmodels.models.decay.kernels import (
    MOST_CELLS,
    MOST_STEPS,
    chances,
    count_up,
    deviation,
    keep,
    kernel,
    log_counts,
    log_denied,
    log_firm,
    log_flags,
    log_parameters,
    moved,
    poisson_binomial,
    relabel,
)

# mypy: disable-error-code="no-untyped-def"

#: Largest distance of a node of a firm's standardized effect from 0; nodes on a side, at most.
FARTHEST, MOST_NODES = 7.0, 200
#: Places and decisions of a period up to which the ways of flagging them are remembered.
MOST_PLACES, MOST_OF_PERIOD = 30, 8
#: Steps of a sweep for each decision.
STEPS = 8


class Known(NamedTuple):
    """Memory for what firms of a size have in common at the same parameters.

    ``fall[size, n]`` is the probability of n decisions at the nodes of the firms' effect, and
    ``power[size, m]`` the odds there to the power of m halves. ``means[size, n, y]`` and
    ``ways[size, k, n, y]`` are what was computed of :func:`log_mean` and :func:`log_ways` under the
    number of the parameters, ``about[size, 0]``; ``of_means`` and ``of_ways`` are the numbers.
    The rest of ``about`` is the largest n of the nodes, and their number.
    """

    about: NDArray[np.int64]
    fall: NDArray[np.float64]
    power: NDArray[np.float64]
    means: NDArray[np.float64]
    of_means: NDArray[np.int64]
    ways: NDArray[np.float64]
    of_ways: NDArray[np.int64]


@kernel
def memory(sizes, length):
    """Empty memory for so many sizes, and decisions."""
    nodes = (sizes, length + 1, 2 * MOST_NODES + 1)
    means = (sizes, length + 1, length + 1)
    places, decisions = min(length, MOST_PLACES) + 1, min(length, MOST_OF_PERIOD) + 1
    ways = (sizes, places, decisions, decisions)
    return Known(
        np.zeros((sizes, 3), np.int64),
        np.empty(nodes),
        np.empty(nodes),
        np.empty(means),
        np.zeros(means, np.int64),
        np.empty(ways),
        np.zeros(ways, np.int64),
    )


@kernel
def place_nodes(size, most, p, sigma, about, all_fall, all_power):
    """Place the nodes of an effect for up to so many decisions, whose chances are ``p`` at 0.

    Trapezoids: for an integrand of width w their error is exp(-2 pi^2 (w / step)^2).
    """
    half = int(FARTHEST * math.sqrt(1 + sigma**2 * max(most, 4) / 4)) + 1
    half = min(half, MOST_NODES)
    step = FARTHEST / half
    nodes = 2 * half + 1
    fall, power = all_fall[size], all_power[size]
    total = 0.0
    for q in range(nodes):
        z = (q - half) * step
        fall[0, q] = math.exp(-0.5 * z * z)
        total += fall[0, q]
        power[0, q] = 1.0
        power[1, q] = math.exp(0.5 * sigma * z)
    for q in range(nodes):
        fall[0, q] /= total
    for m in range(1, most):
        for q in range(nodes):
            power[m + 1, q] = min(power[m, q] * power[1, q], 1e300)
    for n in range(most):
        yes, no = p[n], 1 - p[n]
        for q in range(nodes):
            root = power[1, q]
            fall[n + 1, q] = fall[n, q] * root / (no + yes * root * root)
    about[size, 1], about[size, 2] = most, nodes


@kernel
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


@kernel
def weigh(
    table,
    firms,
    number,
    out,
    of_size,
    sigma,
    log_urn,
    log_factorial,
    log_weights,
    ordered,
    move,
    accept,
    p,
    paths,
    work,
    about,
    fall,
    power,
    means,
    of_means,
    ways,
    of_ways,
):
    """Fill in the log weights of some firms' decisions, of each numbering of these."""
    for i in range(number):
        f = firms[i]
        size = of_size[f]
        now = about[size, 0]
        n, flagged, total = 0, 0, 0.0
        for t in range(table.shape[1]):
            yes = table[f, t, 1]
            made = table[f, t, 0] + yes
            if made > 0:
                total += made * log_weights[t]
                known = n < ways.shape[1] and made < ways.shape[2]
                if known and ordered[f] < 0 and of_ways[size, n, made, yes] == now:
                    total += ways[size, n, made, yes]
                else:
                    value = log_factorial[yes] + log_factorial[made - yes] - log_factorial[made]
                    if ordered[f] < 0:
                        value += math.log(poisson_binomial(p, size, 0, n, made, yes, work))
                        if known:
                            ways[size, n, made, yes], of_ways[size, n, made, yes] = value, now
                    total += value
                n += made
                flagged += yes
        if ordered[f] >= 0:
            total += log_flags(table, f, p, size, False, ordered, move, accept, paths, work)
        if n > 0:
            if of_means[size, n, flagged] != now:
                if n > about[size, 1]:
                    place_nodes(size, min(2 * n, p.shape[2]), p[size, 0], sigma, about, fall, power)
                m = 2 * flagged - n
                value = log_mean(about[size, 2], fall[size, n], power[size, abs(m)], m)
                means[size, n, flagged], of_means[size, n, flagged] = value, now
            total += means[size, n, flagged]
        out[f] = total + log_urn[n]


@kernel
def _arrays(fixed, space, own):
    """What :func:`weigh` looks up: arrays in tuples are counted anew at every call."""
    return (
        fixed.log_urn,
        fixed.log_factorial,
        fixed.log_weights,
        fixed.ordered,
        fixed.move,
        fixed.accept,
        space.all,
        space.paths,
        space.work,
        own.about,
        own.fall,
        own.power,
        own.means,
        own.of_means,
        own.ways,
        own.of_ways,
    )


@kernel
def set_size(size, theta, places, most, firms, fixed, space, own):
    """Take new parameters for a size: chances at so many places, nodes for so many decisions."""
    about = (fixed.at, fixed.about, space.places, fixed.family)
    chances(space.all, size, firms[size, 0], places, theta, *about)
    sigma = math.exp(theta[fixed.at[6]])
    place_nodes(size, most, space.all[size, 0], sigma, own.about, own.fall, own.power)
    own.about[size, 0] += 1


@kernel
def log_size(size, theta, table, most, firms, fixed, space, own):
    """Log weight of the decisions of all firms of a size, one of which made ``most``."""
    set_size(size, theta, most[size], most[size], firms, fixed, space, own)
    sigma, out, of_size = math.exp(theta[fixed.at[6]]), space.fresh, fixed.about[:, 0]
    number = np.searchsorted(firms[size], len(of_size))
    weigh(table, firms[size], number, out, of_size, sigma, *_arrays(fixed, space, own))
    total = 0.0
    for i in range(number):
        total += out[firms[size, i]]
    return total


@kernel
def _height(c, r, theta, table, most, firms, moves, touched, fixed, space, own, fresh):
    """Log posterior at theta moved by c along a move, without sizes that it does not touch."""
    new = space.new
    total = moved(theta, moves.vectors[r], moves.scaled[r], c, new)
    total += log_parameters(new, fixed.at, fixed.named, 0, table.shape[1])
    if total == -math.inf:
        return total
    for size in range(len(firms)):
        if touched[r, size]:
            fresh[size] = log_size(size, new, table, most, firms, fixed, space, own)
            total += fresh[size]
    return total


@kernel
def slice_step(rng, r, width, theta, known, *given):
    """One slice sampling step, as ``kernels.slice_step``; ``known`` is by size."""
    table, _, firms, _, touched, fixed, space, _, fresh = given
    level = log_parameters(theta, fixed.at, fixed.named, 0, table.shape[1])
    for size in range(len(firms)):
        if touched[r, size]:
            level += known[size]
    level += math.log(rng.random())
    low = -width * rng.random()
    high = low + width
    left = int(MOST_STEPS * rng.random())
    right = MOST_STEPS - 1 - left
    while left > 0 and _height(low, r, theta, *given) > level:
        low -= width
        left -= 1
    while right > 0 and _height(high, r, theta, *given) > level:
        high += width
        right -= 1
    while True:
        c = low + (high - low) * rng.random()
        if c == 0.0 or high - low < 1e-12:
            return 0.0
        if _height(c, r, theta, *given) > level:
            break
        if c < 0:
            low = c
        else:
            high = c
    for i in range(len(theta)):
        theta[i] = space.new[i]
    for size in range(len(firms)):
        if touched[r, size]:
            known[size] = fresh[size]
    return c


# -- decisions ---------------------------------------------------------------------------------


@kernel
def propose(rng, table, held, picked, cells):
    """Pick decisions and cells to which they go; return how many. As likely as its reverse.

    Kinds: two decisions exchange their firms or their flags; one goes to another firm or period; a
    few go anywhere, which reaches every table from every other. The cells that they leave come
    first; 0 if nothing changes.
    """
    wide = 2 * table.shape[1]
    u = rng.random()
    number = 1
    while u >= 0.93 and number < MOST_CELLS // 2 and rng.random() < 0.5:
        number += 1
    if u < 0.6:
        number = 2
    for i in range(number):
        picked[i] = int(rng.random() * len(held))
        cells[i] = held[picked[i]]
        for j in range(i):
            if picked[i] == picked[j]:
                return 0
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
            return 0
    return number


@kernel
def decision_steps(rng, steps, table, held, rows_of, theta, fixed, space, own):
    """Metropolis steps of a few decisions each; return how many changed the table."""
    sigma = math.exp(theta[fixed.at[6]])
    given = _arrays(fixed, space, own)
    counts = (fixed.relation, fixed.printed, fixed.log_rho, fixed.denied)
    true, change, fresh, weight = space.true, space.change, space.fresh, space.weight
    flat, wide, of_size = table.reshape(table.size), 2 * table.shape[1], fixed.about[:, 0]
    weigh(table, np.arange(len(weight)), len(weight), weight, of_size, sigma, *given)
    picked = np.empty(MOST_CELLS, np.int64)
    cells, firms = np.empty(MOST_CELLS, np.int64), np.empty(MOST_CELLS, np.int64)
    changed = 0
    for _ in range(steps):
        # Cells that the decisions leave come first, then those that they go to.
        number = propose(rng, table, held, picked, cells)
        if number == 0:
            continue
        for i in range(2 * number):
            for row in rows_of[cells[i]]:
                if row < 0:
                    break
                change[row] += 1 if i >= number else -1
        gain = 0.0
        for i in range(2 * number):
            for row in rows_of[cells[i]]:
                if row < 0:
                    break
                if change[row] != 0:
                    gain += _log_gain(row, true[row], change[row], *counts)
                    change[row] = 0
        if gain == -math.inf:
            continue
        for i in range(number):
            flat[cells[i]] -= 1
            flat[cells[number + i]] += 1
        touched = 0
        for i in range(2 * number):
            f = cells[i] // wide
            new = True
            for j in range(touched):
                new = new and firms[j] != f
            if new:
                firms[touched] = f
                touched += 1
        weigh(table, firms, touched, fresh, of_size, sigma, *given)
        for i in range(touched):
            gain += fresh[firms[i]] - weight[firms[i]]
        if math.log1p(-rng.random()) < gain:
            changed += 1
            for i in range(touched):
                weight[firms[i]] = fresh[firms[i]]
            for i in range(2 * number):
                for row in rows_of[cells[i]]:
                    if row < 0:
                        break
                    true[row] += 1 if i >= number else -1
            for i in range(number):
                held[picked[i]] = cells[number + i]
        else:
            for i in range(number):
                flat[cells[i]] += 1
                flat[cells[number + i]] -= 1
    return changed


@kernel
def _log_gain(row, true, d, relation, printed, log_rho, denied):
    """Log weight that a table gains where the true value of a count changes by d."""
    if denied[row]:
        new = log_denied(relation[row], printed[row], true + d, log_rho[row])
        old = log_denied(relation[row], printed[row], true, log_rho[row])
        return new - old if new > -math.inf else new
    off = deviation(relation[row], printed[row], true + d)
    off -= deviation(relation[row], printed[row], true)
    return off * log_rho[row] if off != 0 else 0.0


@kernel
def number_decisions(table, held):
    """Fill in the cell of every decision."""
    i = 0
    flat = table.reshape(table.size)
    for cell in range(table.size):
        for _ in range(flat[cell]):
            held[i] = cell
            i += 1


@kernel
def rows_of_cells(member):
    """The counts that a cell enters, (cell, place), filled up with -1."""
    rows = np.full((member.shape[1], member.sum(axis=0).max() + 1), -1)
    for cell in range(member.shape[1]):
        i = 0
        for row in range(member.shape[0]):
            if member[row, cell]:
                rows[cell, i] = row
                i += 1
    return rows


@kernel
def draw_effects(rng, theta, table, fixed, space):
    """Draw the firms' effects, given everything else.

    The log likelihood of an effect is concave: its tangent bounds it from above, so that a normal
    proposal about the slope of the tangent is accepted with the ratio of the two.
    """
    first, sigma = fixed.at[5], math.exp(theta[fixed.at[6]])
    for f in range(table.shape[0]):
        n, flagged = table[f].sum(), table[f, :, 1].sum()
        p = space.all[fixed.about[f, 0], 0]
        at, slope = 0.0, 0.0
        low, high = sigma * (flagged - n), sigma * flagged
        while True:
            slope, bend = sigma * flagged, 1.0
            for k in range(n):
                chance = p[k] / (p[k] + (1 - p[k]) * math.exp(-sigma * at))
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
                held = 1 - p[k] + p[k] * math.exp(sigma * at)
                ratio += math.log(held / (1 - p[k] + p[k] * math.exp(sigma * z)))
            if math.log1p(-rng.random()) < ratio:
                break
        theta[first + f] = sigma * z


@kernel
def sweeps(rng, count, keep_every, steps, adapt, theta, table, widths, moves, fixed, space, kept):
    """Run the sampler; write every ``keep_every``-th state into ``kept``.

    Returns the part of the steps that changed the table.
    """
    firms, periods = table.shape[0], table.shape[1]
    sizes, length = fixed.at[11], space.all.shape[2]
    thetas, tables, heights = kept
    # Firms of each size, filled up with a number that no firm has.
    of_sizes = np.full((sizes, firms), firms)
    for size in range(sizes):
        for i, own_firm in enumerate(np.flatnonzero(fixed.about[:, 0] == size)):
            of_sizes[size, i] = own_firm
    touched = np.zeros((len(moves.vectors), sizes), np.bool_)
    for r in range(len(moves.vectors)):
        for f in range(firms):
            touched[r, fixed.about[f, 0]] |= moves.touched[r, f]
    own = memory(sizes, length)
    rows_of = rows_of_cells(fixed.member)
    most = np.zeros(sizes, np.int64)
    held = np.empty(table.sum(), np.int64)
    known, fresh = np.zeros(sizes), np.zeros(sizes)
    about = (fixed.at, fixed.about, space.places, fixed.family)
    theta[fixed.at[5] : fixed.at[5] + firms] = 0.0
    space.change[:] = 0
    changed = 0
    for sweep in range(count):
        most[:] = 0
        for f in range(firms):
            size = fixed.about[f, 0]
            most[size] = max(most[size], table[f].sum())
        for size in range(sizes):
            known[size] = log_size(size, theta, table, most, of_sizes, fixed, space, own)
        given = (table, most, of_sizes, moves, touched, fixed, space, own, fresh)
        for r in range(len(moves.vectors)):
            c = slice_step(rng, r, widths[r], theta, known, *given)
            if adapt:  # towards three times the usual step
                widths[r] += (3 * abs(c) - widths[r]) * 0.02 + 1e-6
        for size in range(sizes):
            most[size] = min(length, most[size] + 4)
            set_size(size, theta, length, most[size], of_sizes, fixed, space, own)
        count_up(table, fixed.member, space.true)
        number_decisions(table, held)
        changed += decision_steps(rng, steps, table, held, rows_of, theta, fixed, space, own)
        relabel(rng, theta, table, fixed, space.known, space.places)
        if sweep % keep_every == keep_every - 1:
            place = sweep // keep_every
            keep(theta, table, thetas[place], tables[place])
            draw_effects(rng, thetas[place], table, fixed, space)
            count_up(table, fixed.member, space.true)
            total = log_parameters(thetas[place], fixed.at, fixed.named, firms, periods)
            total += log_counts(space.true, fixed)
            for f in range(firms):
                chances(space.all, f, f, table[f].sum(), thetas[place], *about)
                total += log_firm(
                    table,
                    f,
                    space.all,
                    False,
                    fixed.log_urn,
                    fixed.log_factorial,
                    fixed.log_weights,
                    fixed.ordered,
                    fixed.move,
                    fixed.accept,
                    space.paths,
                    space.work,
                )
            heights[place] = total
    return changed / max(1, count * steps)
