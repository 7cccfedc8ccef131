"""Small lists of counts, and what is true of them by going through every table and every subset."""

import itertools
from functools import cache

import numpy as np

from intlmodels.studies.counts import FLAGS, Count, rows

#: Shapes of small decision tables (firms, periods), and the largest value of a cell that is tried.
SHAPES = [((2, 1), 8), ((1, 2), 8), ((3, 1), 5), ((1, 3), 5), ((2, 2), 4)]


def random_rows(rng, shape, n, largest=2):
    """Counts over random subsets of a table, of every relation, some for each of their firms."""
    firms, periods = tuple("ABC"[: shape[0]]), tuple("xyz"[: shape[1]])

    def some(names):
        chosen = rng.random(len(names)) < 0.6
        chosen[rng.integers(len(names))] = True
        return tuple(name for name, inside in zip(names, chosen, strict=True) if inside)

    counts = [
        Count(
            f"M{i}",
            some(firms),
            some(periods),
            some(FLAGS),
            str(rng.choice(["equal", "equal", "at least", "at most"])),
            int(rng.integers(0, largest + 1)),
            hard=bool(rng.random() < 0.3),
            each=bool(rng.random() < 0.3),
        )
        for i in range(n)
    ]
    return rows(counts, firms, periods)


@cache
def tables(shape, largest, kinds=2):
    """Every table with cells up to a value: array [table, firm, period, flag or kind]."""
    cells = shape[0] * shape[1] * kinds
    values = np.indices((largest + 1,) * cells).reshape(cells, -1).T
    return values.reshape(-1, *shape, kinds).astype(np.int16)


def numbers(count, r, every):
    """What a count counts in every table: array [table, condition]."""
    firms = [r.firms.index(name) for name in count.firms]
    periods = [r.periods.index(name) for name in count.periods]
    flags = [r.kinds.index(name) for name in count.flags]
    inside = every[:, firms][:, :, periods][:, :, :, flags].sum(axis=(2, 3), dtype=np.int64)
    return inside if count.each else inside.sum(axis=1, keepdims=True)


def holds(count, r, every):
    """Whether a count holds as printed in every table."""
    number = numbers(count, r, every)
    compare = {"equal": np.equal, "at least": np.greater_equal, "at most": np.less_equal}
    return compare[count.relation](number, count.value).all(axis=1)


def subsets(r, every):
    """Minimal conflicts, and what is left out of maximal consistent subsets, by positions."""
    n = len(r.counts)
    bits = np.stack([holds(count, r, every) for count in r.counts], axis=1) @ (1 << np.arange(n))
    true = np.unique(bits)
    consistent = {mask for mask in range(1 << n) if ((true & mask) == mask).any()}
    minimal = [
        mask
        for mask in range(1 << n)
        if mask not in consistent
        and all(mask & ~(1 << i) in consistent for i in range(n) if mask >> i & 1)
    ]
    maximal = [
        mask
        for mask in consistent
        if all(mask | 1 << i not in consistent for i in range(n) if not mask >> i & 1)
    ]

    def named(masks):
        return {tuple(c.id for i, c in enumerate(r.counts) if m >> i & 1) for m in masks}

    return named(minimal), named((1 << n) - 1 - mask for mask in maximal)


def changed_values(r, every, keep_hard):
    """The cheapest values with which each table is allowed, and their cost (-1: never allowed)."""
    new, allowed = [], np.ones(len(every), bool)
    for count in r.counts:
        number = numbers(count, r, every)
        low, high = number.min(axis=1), number.max(axis=1)
        value = np.full(len(every), count.value)
        if count.relation == "equal":
            allowed &= low == high
            value = low
        elif count.relation == "at least":
            value = np.minimum(value, low)
        else:
            value = np.maximum(value, high)
        if count.hard and keep_hard:
            allowed &= value == count.value
        new.append(value)
    values = np.stack(new, axis=1)
    cost = np.abs(values - [count.value for count in r.counts]).sum(axis=1)
    return values, np.where(allowed, cost, -1)


def repairs(r, every, keep_hard=False):
    """Least cost and the set of cheapest changes; (None, empty) if there is no repair."""
    values, cost = changed_values(r, every, keep_hard)
    if (cost < 0).all():
        return None, set()
    least = int(cost[cost >= 0].min())
    found = {tuple(row) for row in values[cost == least].tolist()}
    return least, {
        tuple((c.id, v) for c, v in zip(r.counts, row, strict=True) if v != c.value)
        for row in found
    }


def bounds(r, every, weights, total=0, keep_hard=False):
    """Least and largest sum over the tables that the counts allow at a total change.

    A sum that a larger range of cells would change has no limit.
    """
    _, cost = changed_values(r, every, keep_hard)
    inside = every[(cost >= 0) & (cost <= total)].reshape(-1, weights.shape[-1]).astype(np.int64)
    inner = inside[inside.max(axis=1) < every.max()]
    found = []
    for sums, fewer in zip((inside @ weights.T).T, (inner @ weights.T).T, strict=True):
        low, high = int(sums.min()), int(sums.max())
        found.append(
            (
                low if low == fewer.min(initial=10**6) else None,
                high if high == fewer.max(initial=-(10**6)) else None,
            )
        )
    return tuple(found)


def standard(r):
    """Weights of single cells, of sums by firm and of some odd sums."""
    cells = r.member.shape[1]
    firm = np.repeat(np.eye(len(r.firms), dtype=np.int64), cells // len(r.firms), axis=1)
    odd = [np.arange(cells) - 1, 2 - np.arange(cells) % 4]
    return np.concatenate([np.eye(cells, dtype=np.int64), firm, firm[:1] - firm[-1:], odd])


def examples(seed, n):
    """Random lists: rows and every table that matters for them."""
    rng = np.random.default_rng(seed)
    for shape, largest in itertools.islice(itertools.cycle(SHAPES), n):
        yield random_rows(rng, shape, int(rng.integers(3, 8))), tables(shape, largest)
