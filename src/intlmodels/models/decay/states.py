"""The probability of published counts, summed over every table of decisions that they allow.

A firm's flags depend on its own decisions and its effect only, so that its effect is integrated
out firm by firm. Firms that nothing tells apart have the same weights; what a group of them has
decided together, as far as the counts of several firms tell it apart, is a sum of independent
parts, whose weights are convolutions. States far from the printed counts, which hold next to
nothing of the posterior, are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import gammaln

from intlmodels.core.errors import StudyError
from intlmodels.models.decay.design import Design, basis
from intlmodels.models.decay.kernels import kernel
from intlmodels.models.decay.orders import Automaton, automaton, of_firm
from intlmodels.studies.counts import RELATIONS, rows
from intlmodels.studies.orders import Order

# mypy: disable-error-code="no-untyped-def"

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

_EQUAL, _LEAST, _MOST = range(len(RELATIONS))
_NONE = "the counts declared hard contradict each other: no table satisfies them"


# -- what the counts tell apart ------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Kind:
    """Firms that nothing tells apart."""

    firms: int
    #: Whether a decision can be in a cell, (period, flag).
    possible: NDArray[np.bool_]
    #: Counts of each of these firms alone: cells (row, period, flag), relation, value, hard.
    member: NDArray[np.bool_]
    relation: Numbers
    printed: Numbers
    hard: NDArray[np.bool_]
    #: Whether it has another owner, (period,).
    owned: NDArray[np.bool_]
    #: Orders of each of these firms.
    orders: tuple[Order, ...] = ()


@dataclass(frozen=True, eq=False)
class Block:
    """Firms of one size whose decisions the counts of several firms do not tell apart."""

    size: int
    #: Number of the cell's part of the state, (period, flag); -1 where no decision can be.
    part: Numbers
    parts: int
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, eq=False)
class System:
    """Counts over the parts of the blocks' states."""

    blocks: tuple[Block, ...]
    #: Name of the count of each row; empty for the number of all decisions.
    counts: tuple[str, ...]
    #: (row, part), parts of all blocks in their order.
    member: Numbers
    relation: Numbers
    printed: Numbers
    hard: NDArray[np.bool_]


def structure(design: Design) -> System:
    """Firms in blocks and kinds, and counts over the blocks' states."""
    counted = rows(design.counts, design.firms, design.periods)
    cells = counted.member.reshape(-1, *counted.shape).astype(bool)
    # The number of all decisions is known, also where no count says so.
    cells = np.concatenate([np.ones((1, *counted.shape), bool), cells])
    relation = np.concatenate([[_EQUAL], counted.relation])
    printed = np.concatenate([[design.total], counted.printed])
    hard = np.concatenate([[True], counted.hard])
    possible = ~_impossible(cells, relation, printed, hard)
    cells &= possible
    several = cells.any(axis=(2, 3)).sum(axis=1) != 1
    kinds: dict[str, list[int]] = {}
    alone = [np.flatnonzero(cells[:, f].any(axis=(1, 2)) & ~several) for f in range(len(possible))]
    for f, own in enumerate(alone):
        said = [(cells[i, f].tobytes(), relation[i], printed[i], hard[i]) for i in own]
        filled = possible[f].tobytes(), cells[several, f].tobytes()
        about = design.size_of_firm[f], design.owned[f].tobytes(), *filled
        if possible[f].any():
            key = *about, *sorted(said, key=repr), *of_firm(design, design.firms[f])
            kinds.setdefault(repr(key), []).append(f)
    # Kinds make a block where counts of several firms agree on the cells that both can fill.
    blocks: list[list[list[int]]] = []
    for firms in sorted(kinds.values(), key=lambda firms: -int(possible[firms[0]].sum())):
        f = firms[0]
        for block in blocks:
            first = block[0][0]
            if (
                design.size_of_firm[first] == design.size_of_firm[f]
                and (possible[f] <= possible[first]).all()
                and (cells[several, first] == cells[several, f])[:, possible[f]].all()
            ):
                block.append(firms)
                break
        else:
            blocks.append([firms])
    if not blocks:
        raise StudyError(_NONE)
    made, columns = [], []
    for block in blocks:
        first = block[0][0]
        filled = possible[first]
        unique, number = np.unique(
            cells[np.ix_(several, [first])][:, 0, filled].T, axis=0, return_inverse=True
        )
        part = np.full(filled.shape, -1)
        part[filled] = number.reshape(-1)
        columns.append(unique.T)
        alike = tuple(
            Kind(
                len(firms),
                possible[f],
                cells[own, f],
                relation[own],
                printed[own],
                hard[own],
                design.owned[f],
                of_firm(design, design.firms[f]),
            )
            for firms in block
            for f, own in [(firms[0], alone[firms[0]])]
        )
        made.append(Block(design.size_of_firm[first], part, len(unique), alike))
    member = np.concatenate(columns, axis=1).astype(np.int64)
    names = np.array(["", *(counted.counts[i].id for i in counted.count)])
    about = np.column_stack([member, relation[several], printed[several], hard[several]]).tolist()
    # What hard counts say twice is said once.
    kept = [i for i, row in enumerate(about) if not (row[-1] and row in about[:i])]
    told = np.flatnonzero(several)[kept]
    return System(
        tuple(made), tuple(names[told]), member[kept], relation[told], printed[told], hard[told]
    )


def _impossible(
    cells: NDArray[np.bool_], relation: Numbers, printed: Numbers, hard: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Cells that hard counts leave empty: in what is counted as 0, or beside what fills all."""
    flat = cells.reshape(len(cells), -1)
    above = hard & (relation != _LEAST)
    filled = hard & (relation != _MOST)
    empty = np.zeros(flat.shape[1], bool)
    while True:
        now = flat & ~empty
        found = now[above & (printed == 0)].any(axis=0)
        for i in np.flatnonzero(above):
            for j in np.flatnonzero(filled & (printed >= printed[i])):
                if (now[j] <= now[i]).all():
                    found |= now[i] & ~now[j]
        if not (found & ~empty).any():
            return empty.reshape(cells.shape[1:])
        empty |= found


# -- states that the counts allow ----------------------------------------------------------

#: States, steps of the search for them, cells of a grid, products of weights, at most.
MOST_STATES, MOST_STEPS, MOST_CELLS, MOST_PRODUCTS = 500_000, 300_000_000, 5_000_000, 4e9
#: Decisions of one firm, at most.
LONGEST = 60
_MANY = (
    "the counts leave too much open for sums over all tables (more than {}); draw the tables "
    "instead: intlmodels fit"
)


@kernel
def _enumerate(member, relation, printed, hard, last, limit, most, states, off):
    """States whose soft counts are off by ``limit`` at most; return how many, -1 if too many."""
    length, parts = member.shape
    value = np.full(parts, -1)
    sums = np.zeros(length, np.int64)
    found, steps = 0, 0
    depth = 0
    while depth >= 0:
        steps += 1
        if steps > MOST_STEPS:
            return -1
        value[depth] += 1
        if value[depth] > 0:
            for row in range(length):
                sums[row] += member[row, depth]
        over = 0
        total = 0
        for row in range(length):
            away = sums[row] - printed[row]
            above = away if away > 0 and relation[row] != 1 else 0
            bound = above
            if last[row] <= depth and away < 0 and relation[row] != 2:
                bound = -away
            if hard[row]:
                over += above * (limit + 1)
                total += bound * (limit + 1)
            else:
                over += above
                total += bound
        if over > limit or value[depth] > most:
            for row in range(length):
                sums[row] -= member[row, depth] * value[depth]
            value[depth] = -1
            depth -= 1
        elif total <= limit:
            if depth == parts - 1:
                if found < len(states):
                    states[found] = value
                    off[found] = total
                found += 1
            else:
                depth += 1
    return found


def allowed(system: System, total: int, further: int) -> tuple[Numbers, Numbers]:
    """States (state, part) with the least that soft counts are off, and up to ``further`` more."""
    member = system.member
    order: list[int] = []
    while len(order) < member.shape[1]:
        left = member.astype(bool).copy()
        left[:, order] = False
        size = np.where(left.any(axis=1), left.sum(axis=1), len(left.T) + 1)
        row = int(np.argmin(size + 0.5 * (system.relation != _EQUAL)))
        order += [int(i) for i in np.flatnonzero(left[row])]
    at = member[:, order]
    last = np.array([max(np.flatnonzero(row), default=-1) for row in at])
    about = at, system.relation, system.printed, system.hard, last
    none = np.zeros((0, len(order)), np.int64), np.zeros(0, np.int64)
    least, count = 0, 0
    while not count:
        if least > total * int((~system.hard).sum()):
            raise StudyError(_NONE)
        count = _enumerate(*about, least, total, *none)
        least += 1
    if count > 0 and further:
        count = _enumerate(*about, least - 1 + further, total, *none)
    if not 0 < count <= MOST_STATES:
        raise StudyError(_MANY.format(f"{MOST_STATES:,} states of the firms"))
    states, off = np.empty((count, len(order)), np.int64), np.empty(count, np.int64)
    _enumerate(*about, least - 1 + further, total, states, off)
    found = np.empty_like(states)
    found[:, order] = states
    return found, off


# -- weights of states ---------------------------------------------------------------------

#: Parameter points that the kernels take at a time.
LANES = 8


@dataclass(frozen=True, eq=False)
class Grid:
    """States of a block that are needed, and all below these, part by part.

    States that differ in the last part only stand beside each other; all but the last part are
    their prefix.
    """

    #: The block's parts in the order of the grid: the longest last.
    order: Numbers
    states: Numbers
    prefixes: Numbers
    #: Of each prefix, its first state, and how many it has.
    first: Numbers
    length: Numbers
    #: Position of the first state of a prefix, by ``prefix @ strides``; -1 if it has none.
    place: Numbers
    strides: Numbers
    #: Positions of the states that are needed.
    needed: Numbers

    @property
    def most(self) -> Numbers:
        """Largest value of each part."""
        return self.states.max(axis=0)


def grid(needed: Numbers) -> Grid:
    """Lay out states (state, part), which may repeat none, and all below them."""
    order = np.argsort(needed.max(axis=0), kind="stable")
    if np.prod(needed.max(axis=0) + 1.0) > MOST_CELLS:
        raise StudyError(_MANY.format(f"{MOST_CELLS:,} cells"))
    box = np.zeros(needed.max(axis=0)[order] + 1, bool)
    box[tuple(needed[:, order].T)] = True
    for axis in range(box.ndim):
        box = np.flip(np.logical_or.accumulate(np.flip(box, axis), axis=axis), axis)
    states = np.argwhere(box)
    if np.prod(states + 1.0, axis=1).sum() > MOST_PRODUCTS:
        raise StudyError(_MANY.format(f"{MOST_PRODUCTS:,.0f} products"))
    number = np.cumsum(box.ravel()).reshape(box.shape) - 1
    first = np.flatnonzero(states[:, -1] == 0)
    strides = np.array([int(np.prod(box.shape[i + 1 : -1])) for i in range(box.ndim - 1)], np.int64)
    prefixes = np.ascontiguousarray(states[first, :-1])
    place = np.full(int(np.prod(box.shape[:-1])), -1)
    place[prefixes @ strides] = first
    length = np.diff(np.append(first, len(states)))
    at = number[tuple(needed[:, order].T)]
    return Grid(order, states, prefixes, first, length, place, strides, at)


@kernel
def _product(out, a, b, most, square, prefixes, first, length, place, strides):
    """Convolve weights of states, (state, lane): those of ``a`` are 0 above ``most``."""
    parts = prefixes.shape[1]
    x = np.zeros(parts, np.int64)
    flat_a, flat_b, flat_out = a.ravel(), b.ravel(), out.ravel()
    for row in range(len(prefixes)):
        whole = 0
        for i in range(parts):
            whole += prefixes[row, i] * strides[i]
            x[i] = 0
        width = length[row]
        to = flat_out[first[row] * LANES : (first[row] + width) * LANES]
        to[:] = 0.0
        start = 0
        while True:
            rest = whole - start
            if square and start > rest:
                break
            times = 2.0 if square and start < rest else 1.0
            one = flat_a[place[start] * LANES :]
            other = flat_b[place[rest] * LANES :]
            for j in range(min(width, most[parts] + 1)):
                k = j * LANES
                a0, a1 = times * one[k], times * one[k + 1]
                a2, a3 = times * one[k + 2], times * one[k + 3]
                a4, a5 = times * one[k + 4], times * one[k + 5]
                a6, a7 = times * one[k + 6], times * one[k + 7]
                moved = to[k:]
                for t in range(width - j):
                    i = t * LANES
                    moved[i] += a0 * other[i]
                    moved[i + 1] += a1 * other[i + 1]
                    moved[i + 2] += a2 * other[i + 2]
                    moved[i + 3] += a3 * other[i + 3]
                    moved[i + 4] += a4 * other[i + 4]
                    moved[i + 5] += a5 * other[i + 5]
                    moved[i + 6] += a6 * other[i + 6]
                    moved[i + 7] += a7 * other[i + 7]
            i = parts - 1
            while i >= 0 and x[i] == min(prefixes[row, i], most[i]):
                start -= x[i] * strides[i]
                x[i] = 0
                i -= 1
            if i < 0:
                break
            x[i] += 1
            start += strides[i]


@kernel
def _product_at(out, a, b, most, states, place, strides):
    """The same at some states only, (state, part)."""
    parts = states.shape[1] - 1
    x = np.zeros(parts, np.int64)
    sums = np.empty(LANES)
    for row in range(len(states)):
        state = states[row]
        whole = 0
        for i in range(parts):
            whole += state[i] * strides[i]
            x[i] = 0
        sums[:] = 0.0
        start = 0
        while True:
            width = min(state[parts], most[parts]) + 1
            one = a[place[start] : place[start] + width]
            end = place[whole - start] + state[parts] + 1
            other = b[end - width : end]
            for j in range(width):
                for lane in range(LANES):
                    sums[lane] += one[j, lane] * other[width - 1 - j, lane]
            i = parts - 1
            while i >= 0 and x[i] == min(state[i], most[i]):
                start -= x[i] * strides[i]
                x[i] = 0
                i -= 1
            if i < 0:
                break
            x[i] += 1
            start += strides[i]
        out[row] = sums


@dataclass(frozen=True, eq=False)
class Firm:
    """What one firm of a kind may have decided, and its weight apart from the flags' chances."""

    #: Decisions and flagged ones by period, (case, period), in lexicographic order.
    made: Numbers
    flagged: Numbers
    #: Position of the state in the grid.
    state: Numbers
    weight: Array
    #: Largest value of each part of the grid.
    most: Numbers
    orders: Automaton | None
    #: Whether it has another owner, (period,), as 0 and 1.
    owned: Numbers


@kernel
def _cases(part, place, strides, length, most, found):
    """Cells (case, cell) of one firm whose state is in the grid; return how many cases."""
    cells = len(part)
    parts = len(strides)
    value = np.full(cells, -1)
    state = np.zeros(parts + 1, np.int64)
    count = 0
    depth = 0
    while depth >= 0:
        value[depth] += 1
        inside = value[depth] == 0
        if value[depth] > 0 and part[depth] >= 0:
            state[part[depth]] += 1
            inside = state[part[depth]] <= most[part[depth]]
            if inside:
                at = 0
                for i in range(parts):
                    at += state[i] * strides[i]
                inside = place[at] >= 0 and state[parts] < length[at]
        if not inside:
            if part[depth] >= 0:
                state[part[depth]] -= value[depth]
            value[depth] = -1
            depth -= 1
        elif depth == cells - 1:
            if count < len(found):
                found[count] = value
            count += 1
        else:
            depth += 1
    return count


def firm(kind: Kind, block: Block, laid: Grid, design: Design) -> Firm:
    """Every case of one firm within the grid, with its weight before the flags (urn, periods)."""
    position = np.empty(block.parts, np.int64)
    position[laid.order] = np.arange(block.parts)
    part = np.where(kind.possible, position[block.part], -1)
    length = np.zeros(len(laid.place), np.int64)
    length[laid.prefixes @ laid.strides] = laid.length
    about = part.ravel(), laid.place, laid.strides, length, laid.most
    cells = np.empty((_cases(*about, np.zeros((0, part.size), np.int64)), part.size), np.int64)
    _cases(*about, cells)
    cells = cells.reshape(-1, *part.shape)
    made, flagged = cells.sum(axis=2), cells[:, :, 1]
    true = np.einsum("ctf,rtf->cr", cells, kind.member)
    off = true - kind.printed
    off = np.choose(kind.relation, [np.abs(off), np.maximum(-off, 0), np.maximum(off, 0)])
    number = np.arange(design.total + 1)
    urn = gammaln(number + design.concentration) - gammaln(design.concentration)
    chances = np.log(np.array(design.period_weights) / sum(design.period_weights))
    log = urn[made.sum(axis=1)] - gammaln(made + 1).sum(axis=1) + made @ chances
    log += off[:, ~kind.hard].sum(axis=1) * np.log(design.rho)
    state = np.zeros((len(cells), block.parts), np.int64)
    for t, flag in np.argwhere(kind.possible):
        state[:, part[t, flag]] += cells[:, t, flag]
    at = laid.place[state[:, :-1] @ laid.strides] + state[:, -1]
    sort = np.flatnonzero(~off[:, kind.hard].any(axis=1))
    if not len(sort):
        raise StudyError(_NONE)
    sort = sort[
        np.lexsort(np.stack([made[sort], flagged[sort]], axis=2).reshape(len(sort), -1).T[::-1])
    ]
    own = automaton(kind.orders, design) if kind.orders else None
    weight, most, owned = np.exp(log[sort]), state[sort].max(axis=0), kind.owned.astype(np.int64)
    return Firm(made[sort], flagged[sort], at[sort], weight, most, own, owned)


@kernel
def _trapezoids(sigma):
    """Nodes of a firm's standard normal effect: their distance, how many a side, their weights.

    The poles of the chances are pi / sigma away from the line.
    """
    step = 0.8 / max(1.0, sigma)
    half = int(6.4 / step) + 1
    density = np.empty(2 * half + 1)
    for q in range(len(density)):
        density[q] = math.exp(-0.5 * ((q - half) * step) ** 2)
    return step, half, density / density.sum()


@kernel
def _weights(out, points, basis, owner, owned, made, flagged, state, weight):
    """Weight of each state of one firm, (state, lane), at points (level, decay, sigma)."""
    out[:] = 0.0
    owners = 1 + owned.max()
    cases, periods = made.shape
    longest = 0
    for c in range(cases):
        longest = max(longest, made[c].sum())
    for lane in range(len(points)):
        level, decay, sigma = points[lane]
        step, half, density = _trapezoids(sigma)
        nodes = len(density)
        # Chance of so many flags among the decisions from one place to another.
        among = np.zeros((owners, longest + 1, longest + 1, longest + 1, nodes))
        chance = np.empty(nodes)
        among[:, :, 0, 0] = 1.0
        for o, k in np.ndindex((owners, longest)):
            own = among[o]
            for q in range(nodes):
                odds = level + o * owner + sigma * (q - half) * step - decay * basis[k]
                chance[q] = 1 / (1 + math.exp(-odds))
            for start in range(k + 1):
                n = k - start
                for y in range(n + 2):
                    for q in range(nodes):
                        value = 0.0
                        if y <= n:
                            value += own[start, n, y, q] * (1 - chance[q])
                        if y > 0:
                            value += own[start, n, y - 1, q] * chance[q]
                        own[start, n + 1, y, q] = value
        partial = np.empty((periods, nodes))
        before = np.zeros(periods, np.int64)
        for c in range(cases):
            t = 0
            if c > 0:
                while t < periods and (
                    made[c, t] == made[c - 1, t] and flagged[c, t] == flagged[c - 1, t]
                ):
                    t += 1
            while t < periods - 1:
                law = among[owned[t], before[t], made[c, t], flagged[c, t]]
                for q in range(nodes):
                    partial[t, q] = (partial[t - 1, q] if t else density[q]) * law[q]
                before[t + 1] = before[t] + made[c, t]
                t += 1
            t = periods - 1
            law = among[owned[t], before[t], made[c, t], flagged[c, t]]
            value = 0.0
            for q in range(nodes):
                value += (partial[periods - 2, q] if periods > 1 else density[q]) * law[q]
            out[state[c], lane] += weight[c] * value


@kernel
def _weights_by_order(out, points, basis, owner, owned, made, flagged, state, weight, move, accept):
    """The same for a firm with orders: its sequences are weighted by where they end.

    ``ahead[k, n, y, s]`` is the mean weight of n decisions of the last period from place k on, y of
    them flagged, after a sequence in state s; ``grown[t, n, y]`` the probability of each state
    after the decisions of the earlier periods up to t, of which n and y are those of t itself.
    """
    out[:] = 0.0
    cases, periods = made.shape
    states = len(accept)
    longest = 0
    for c in range(cases):
        longest = max(longest, made[c].sum())
    last = periods - 1
    for lane in range(len(points)):
        level, decay, sigma = points[lane]
        step, half, density = _trapezoids(sigma)
        nodes = len(density)
        chance = np.empty((periods, longest, nodes))
        for t, k in np.ndindex((periods, longest)):
            for q in range(nodes):
                odds = level + owned[t] * owner + sigma * (q - half) * step - decay * basis[k]
                chance[t, k, q] = 1 / (1 + math.exp(-odds))
        ahead = np.zeros((longest + 1, longest + 1, longest + 1, states, nodes))
        for k in range(longest, -1, -1):
            for s in range(states):
                ahead[k, 0, 0, s] = accept[s]
            for n in range(1, longest - k + 1):
                for y in range(n + 1):
                    for s in range(states):
                        no, yes = move[last, 0, s], move[last, 1, s]
                        for q in range(nodes):
                            value = 0.0
                            if y < n:
                                value += (1 - chance[last, k, q]) * ahead[k + 1, n - 1, y, no, q]
                            if y > 0:
                                value += chance[last, k, q] * ahead[k + 1, n - 1, y - 1, yes, q]
                            ahead[k, n, y, s, q] = value
        grown = np.zeros((periods, longest + 1, longest + 1, states, nodes))
        before = np.zeros(periods, np.int64)
        begin = np.zeros((states, nodes))
        begin[0] = density
        for c in range(cases):
            t = 0
            if c > 0:
                while t < last and (
                    made[c, t] == made[c - 1, t] and flagged[c, t] == flagged[c - 1, t]
                ):
                    t += 1
            # The period in which this case parts from the last one has grown already.
            for u in range(t if c == 0 else t + 1, last):
                if u > 0:
                    before[u] = before[u - 1] + made[c, u - 1]
                    grown[u, 0, 0] = grown[u - 1, made[c, u - 1], flagged[c, u - 1]]
                else:
                    grown[0, 0, 0] = begin
                for n in range(1, longest - before[u] + 1):
                    k = before[u] + n - 1
                    for y in range(n + 1):
                        new = grown[u, n, y]
                        new[:] = 0.0
                        for s in range(states):
                            if y < n:
                                to, old = new[move[u, 0, s]], grown[u, n - 1, y, s]
                                for q in range(nodes):
                                    to[q] += (1 - chance[u, k, q]) * old[q]
                            if y > 0:
                                to, old = new[move[u, 1, s]], grown[u, n - 1, y - 1, s]
                                for q in range(nodes):
                                    to[q] += chance[u, k, q] * old[q]
            place = 0
            for u in range(last):
                place += made[c, u]
            now = grown[last - 1, made[c, last - 1], flagged[c, last - 1]] if last > 0 else begin
            rest = ahead[place, made[c, last], flagged[c, last]]
            value = 0.0
            for s in range(states):
                for q in range(nodes):
                    value += now[s, q] * rest[s, q]
            out[state[c], lane] += weight[c] * value


@dataclass(frozen=True, eq=False)
class Weigher:
    """Weights of a block's needed states, as a function of level, decay and spread of its firms."""

    laid: Grid
    firms: tuple[Firm, ...]
    numbers: tuple[int, ...]
    basis: Array

    def __call__(self, points: Array, owner: float) -> Array:
        """Weights (point, needed state) at points (level, decay, sigma)."""
        found = np.empty((len(points), len(self.laid.needed)))
        for start in range(0, len(points), LANES):
            part = points[start : start + LANES]
            lanes = np.concatenate([part, np.repeat(part[-1:], LANES - len(part), axis=0)])
            found[start : start + LANES] = self._lanes(lanes, owner)[:, : len(part)].T
        return found

    def _lanes(self, points: Array, owner: float) -> Array:
        laid, most = self.laid, self.laid.most
        factors: list[tuple[Array, Numbers]] = []
        for one, number in zip(self.firms, self.numbers, strict=True):
            power = np.empty((len(laid.states), LANES))
            about = one.made, one.flagged, one.state, one.weight
            given = power, points, self.basis, owner, one.owned, *about
            if one.orders is None:
                _weights(*given)
            else:
                _weights_by_order(*given, one.orders.move, one.orders.weight)
            high, left = one.most, number
            while left:
                if left == 2:
                    factors += [(power, high)] * 2
                    break
                if left % 2:
                    factors.append((power, high))
                left //= 2
                if left:
                    power, high = self._times(power, power, high, True), np.minimum(2 * high, most)
        while len(factors) > 2:
            factors.sort(key=lambda factor: int(np.prod(factor[1] + 1)))
            (a, high), (b, other), *rest = factors
            factors = [(self._times(a, b, high, a is b), np.minimum(high + other, most)), *rest]
        if len(factors) == 1:
            return factors[0][0][laid.needed]
        (a, high), (b, other) = factors
        out = np.empty((len(laid.needed), LANES))
        _product_at(out, a, b, high, laid.states[laid.needed], laid.place, laid.strides)
        return out

    def _times(self, a: Array, b: Array, most: Numbers, square: bool) -> Array:
        laid, out = self.laid, np.empty_like(a)
        about = laid.prefixes, laid.first, laid.length, laid.place, laid.strides
        _product(out, a, b, most, square, *about)
        return out


# -- the likelihood at parameters ----------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Probability of the counts at points (level, decay, sigma) of each size of firms.

    A count that may be off is printed with probability ``rho ** |off| * (1 - rho) / (1 + rho)``; of
    a bound ("at least", "at most") it is ``rho ** off``, which is no law of what is printed.
    """

    #: Of each size, the blocks, and of each of its states those of the blocks, (block, state).
    weighers: tuple[tuple[Weigher, ...], ...]
    places: tuple[Numbers, ...]
    #: Of each state of all: position among the states of each size, (size, state).
    index: Numbers
    #: How far soft counts are off, and the weight of that.
    off: Numbers
    weight: Array
    #: The states, (state, part).
    states: Numbers
    #: Effects of another owner that are summed over, with their weights; and of which size the
    #: firms are that have one.
    owner: tuple[Array, Array] = (np.zeros(1), np.ones(1))
    owned_size: int = -1

    def of_size(self, size: int, points: Array) -> Array:
        """Weights of the states of one size, (point, state)."""
        found = np.zeros((len(points), self.places[size].shape[1]))
        effects = zip(*self.owner, strict=True) if size == self.owned_size else [(0.0, 1.0)]
        for owner, share in effects:
            product = np.full_like(found, share)
            for weigher, place in zip(self.weighers[size], self.places[size], strict=True):
                product *= weigher(points, owner)[:, place]
            found += product
        return found

    def pairs(self, weights: list[Array], chosen: Any = slice(None)) -> Array:
        """Sum over (chosen) states, (point, point) of two sizes, or (point,) of one."""
        factor = self.weight[chosen]
        if len(weights) == 1:
            return weights[0][:, self.index[0, chosen]] @ factor
        used, row = np.unique(self.index[0, chosen], return_inverse=True)
        shape = len(used), weights[1].shape[1]
        between = csr_array((factor, (row, self.index[1, chosen])), shape=shape)
        return weights[0][:, used] @ (between @ weights[1].T)


def likelihood(design: Design, system: System, further: int) -> Likelihood:
    """Prepare the sums over states whose soft counts are off by ``further`` more than need be."""
    states, off = allowed(system, design.total, further)
    entries = basis(design.family, np.arange(design.total + 1))
    stop = np.cumsum([block.parts for block in system.blocks])
    weighers, places, index = [], [], []
    for size in range(len(design.sizes)):
        blocks = [i for i, block in enumerate(system.blocks) if block.size == size]
        columns = [np.arange(stop[i] - system.blocks[i].parts, stop[i]) for i in blocks]
        mine, number = np.unique(
            states[:, np.concatenate([*columns, np.zeros(0, int)]).astype(int)],
            axis=0,
            return_inverse=True,
        )
        made, place, start = [], [], 0
        for i in blocks:
            block = system.blocks[i]
            part = mine[:, start : start + block.parts]
            start += block.parts
            if part.sum(axis=1).max() > LONGEST:
                raise StudyError(_MANY.format(f"{LONGEST} decisions of one firm"))
            needed, at = np.unique(part, axis=0, return_inverse=True)
            laid = grid(needed)
            firms = tuple(firm(kind, block, laid, design) for kind in block.kinds)
            made.append(Weigher(laid, firms, tuple(k.firms for k in block.kinds), entries))
            place.append(at.reshape(-1))
        weighers.append(tuple(made))
        places.append(np.array(place, np.int64).reshape(len(blocks), len(mine)))
        index.append(number.reshape(-1))
    counted = rows(design.counts, design.firms, design.periods)
    noisy = (~counted.hard & (counted.relation == _EQUAL)).sum()
    every = len(design.firms) * design.concentration
    log = gammaln(design.total + 1) + gammaln(every) - gammaln(every + design.total)
    log += noisy * np.log((1 - design.rho) / (1 + design.rho))
    weight = np.exp(off * np.log(design.rho) + log)
    return Likelihood(tuple(weighers), tuple(places), np.array(index), off, weight, states)
