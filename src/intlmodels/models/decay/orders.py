"""Orders within a firm as weights of its sequence of decisions.

Going through a firm's sequence, all that matters of the past is how many of the first 1, 2, ...
steps of each order can be matched so far (a row of the longest common subsequence). These rows are
the states of an automaton; the state at the end gives the weight: ``rho ** off`` of an order that
may be off by so many steps, 0 of one that must hold and does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intlmodels.models.decay.design import Design
from intlmodels.studies.counts import FLAGS
from intlmodels.studies.orders import Order

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Automaton:
    """What the orders of a firm keep of its sequence; it begins in state 0."""

    #: State after a further decision, (period, flag, state).
    move: NDArray[np.int64]
    #: Weight of a sequence that ends in a state, (state,).
    weight: Array


def automaton(orders: Sequence[Order], design: Design, least: float = 0.0) -> Automaton:
    """The automaton of one firm's orders; ``least``: the least weight of a step of any order."""
    start = tuple((0,) * len(order.steps) for order in orders)
    number, queue = {start: 0}, [start]
    moves: list[list[int]] = []
    for state in queue:
        row = []
        for period in design.periods:
            for flag in FLAGS:
                made = zip(orders, state, strict=True)
                new = tuple(order.advance(now, period, flag) for order, now in made)
                if new not in number:
                    number[new] = len(number)
                    queue.append(new)
                row.append(number[new])
        moves.append(row)
    weight = np.ones(len(queue))
    for i, state in enumerate(queue):
        for order, reached in zip(orders, state, strict=True):
            off = len(order.steps) - reached[-1]
            factor = max(0.0 if order.hard else design.rho, least) ** off
            weight[i] *= max(1 - factor, least) if order.denied else factor
    move = np.array(moves).T.reshape(len(design.periods), len(FLAGS), -1)
    return Automaton(move, weight)


def of_firm(design: Design, firm: str) -> tuple[Order, ...]:
    """The orders of one firm."""
    return tuple(order for order in design.orders if order.firm == firm)


def of_firms(
    design: Design, least: float = 0.0
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Automata of all firms: of each firm its number or -1; moves and weights, one a number."""
    which = np.full(len(design.firms), -1)
    found: list[Automaton] = []
    for f, name in enumerate(design.firms):
        if own := of_firm(design, name):
            which[f] = len(found)
            found.append(automaton(own, design, least))
    states = max((len(one.weight) for one in found), default=1)
    move = np.zeros((len(found), len(design.periods), len(FLAGS), states), np.int64)
    weight = np.zeros((len(found), states))
    for i, one in enumerate(found):
        move[i, ..., : len(one.weight)] = one.move
        weight[i, : len(one.weight)] = one.weight
    return which, move, weight


def draw_flags(
    chance: Array,
    period: NDArray[np.integer],
    flagged: NDArray[np.integer],
    own: Automaton,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Flags of a firm's decisions in their order, given how many each period has, and its orders.

    Going backwards, ``value[k][y, state]`` is the probability of what is still to come if ``y``
    flags of the period are left at place ``k``, up to a factor.
    """
    n, most = len(chance), int(flagged.max(initial=0))
    value = np.zeros((n + 1, most + 1, len(own.weight)))
    value[n, 0] = own.weight

    def rest(k: int) -> Array:
        """What follows place k, by the flags that are then left in its period."""
        if k + 1 == n or period[k + 1] == period[k]:
            return value[k + 1]
        over = np.zeros_like(value[k])
        over[0] = value[k + 1, flagged[period[k + 1]]]
        return over

    for k in range(n - 1, -1, -1):
        after, move = rest(k), own.move[period[k]]
        value[k] = (1 - chance[k]) * after[:, move[0]]
        value[k, 1:] += chance[k] * after[:-1][:, move[1]]
        value[k] /= value[k].max()
    flags = np.zeros(n, np.int64)
    state, left = 0, 0
    for k in range(n):
        if k == 0 or period[k] != period[k - 1]:
            left = int(flagged[period[k]])
        after, move = rest(k), own.move[period[k]]
        yes = chance[k] * after[left - 1, move[1, state]] if left else 0.0
        no = (1 - chance[k]) * after[left, move[0, state]]
        flags[k] = rng.random() * (yes + no) < yes
        left -= flags[k]
        state = move[flags[k], state]
    return flags
