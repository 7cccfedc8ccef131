"""Decision tables: simulated from the model, and laid out decision by decision.

A table counts, for every firm and period, the decisions without and with the flag,
``table[firm, period, flag]``. A firm's decisions are ordered by period; within a period
every order is equally likely before the flags are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.models.decay.design import Design, basis

Array = NDArray[np.float64]
Tables = NDArray[np.int64]


def log_odds(
    design: Design,
    parameters: Mapping[str, Array],
    firm: NDArray[np.intp],
    period: NDArray[np.intp],
    entries: NDArray[np.integer],
) -> Array:
    """Log odds of the flag, draw by draw (models: section 3).

    Parameters
    ----------
    design : Design
    parameters : mapping of str to array
        ``intercept``, ``large``, ``firm``, ``decay`` and so on, draws first.
    firm, period, entries : array of int, shape (draw, decision) or (decision,)
        Codes of firm and period, and prior entries.

    Returns
    -------
    array, shape (draw, decision)
    """
    size = np.asarray(design.size_of_firm)[firm]
    draws = len(parameters["intercept"])
    each = np.arange(draws)[:, None]
    total = parameters["intercept"][:, None] + parameters["firm"][each, firm]
    if design.two_sizes:
        total = total + parameters["large"][:, None] * (size == 0)
    if design.by_period:
        total = total + parameters["period"][each, period]
    return total - parameters["decay"][each, size] * basis(design.family, entries)


def simulate(
    design: Design, parameters: Mapping[str, Array], rng: np.random.Generator
) -> tuple[dict[str, NDArray[Any]], Tables]:
    """Draw all decisions of one study for every draw of the parameters.

    Firms by a Polya urn (a Dirichlet draw of shares, then decisions), periods by their
    weights, flags by the model.

    Returns
    -------
    dict of str to array, shape (draw, decision)
        ``firm``, ``period`` and ``flag`` of the decisions in each firm's own order.
    array of int, shape (draw, firm, period, flag)
    """
    draws, firms, periods = len(parameters["intercept"]), len(design.firms), len(design.periods)
    shares = rng.dirichlet(np.full(firms, design.concentration), size=draws)
    weights = np.asarray(design.period_weights) / sum(design.period_weights)
    firm = _pick(shares, rng.random((draws, design.total)))
    period = _pick(np.broadcast_to(weights, (draws, periods)), rng.random((draws, design.total)))
    order = np.sort(firm * periods + period, axis=1)
    firm, period = np.divmod(order, periods)
    entries = places(firm)
    odds = log_odds(design, parameters, firm, period, entries)
    flag = (rng.random(odds.shape) < inverse_logit(odds)).astype(np.int64)
    return {"firm": firm, "period": period, "flag": flag}, tabulate(design, firm, period, flag)


def _pick(chances: Array, uniform: Array) -> NDArray[np.intp]:
    """Categories with given chances, row by row, by inversion."""
    steps = np.cumsum(chances, axis=1)
    picked = np.empty(uniform.shape, np.intp)
    for row in range(len(uniform)):
        picked[row] = np.searchsorted(steps[row] / steps[row, -1], uniform[row], side="right")
    return picked


def places(firm: NDArray[np.integer]) -> NDArray[np.int64]:
    """Number of earlier decisions of the same firm, for decisions sorted by firm.

    Parameters
    ----------
    firm : array of int, shape (..., decision)
    """
    number = np.broadcast_to(np.arange(firm.shape[-1]), firm.shape)
    begins = np.ones(firm.shape, bool)
    begins[..., 1:] = firm[..., 1:] != firm[..., :-1]
    return number - np.maximum.accumulate(np.where(begins, number, 0), axis=-1)


def tabulate(
    design: Design,
    firm: NDArray[np.integer],
    period: NDArray[np.integer],
    flag: NDArray[np.integer],
) -> Tables:
    """Count decisions by firm, period and flag, (draw, firm, period, flag)."""
    shape = len(design.firms), len(design.periods), 2
    tables = np.zeros((len(firm), *shape), np.int64)
    rows = np.broadcast_to(np.arange(len(firm))[:, None], firm.shape)
    np.add.at(tables, (rows, firm, period, flag), 1)
    return tables


def inverse_logit(x: Array) -> Array:
    """Probability of log odds, without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def arrange(
    design: Design,
    parameters: Mapping[str, Array],
    tables: NDArray[np.integer],
    rng: np.random.Generator,
) -> dict[str, NDArray[np.int64]]:
    """Put the decisions of tables in order, given the parameters that go with each.

    Within a firm and period the flagged decisions fall to places by the exact conditional
    law: going backwards through the places, each is flagged with the probability that the
    recursion over the number of flags gives.

    Returns
    -------
    dict of str to array, shape (draw, decision)
        ``firm``, ``period``, ``entries`` and ``flag``, each firm's decisions in their order.
    """
    draws = len(tables)
    made = tables.sum(axis=-1).reshape(draws, -1)
    cells = np.arange(made.shape[1])
    order = np.stack([np.repeat(cells, row) for row in made])
    firm, period = np.divmod(order, len(design.periods))
    entries = places(firm)
    chance = inverse_logit(log_odds(design, parameters, firm, period, entries))
    flags = np.zeros_like(firm)
    flagged = tables[..., 1].reshape(draws, -1)
    for draw in range(draws):
        start = 0
        for cell in np.flatnonzero(made[draw]):
            stop = start + int(made[draw, cell])
            flags[draw, start:stop] = _flags(
                chance[draw, start:stop], int(flagged[draw, cell]), rng
            )
            start = stop
    return {"firm": firm, "period": period, "entries": entries, "flag": flags}


def _flags(chance: Array, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Independent flags with given chances, given that exactly ``count`` are set."""
    n = len(chance)
    # reach[i, j]: probability that the first i hold j flags.
    reach = np.zeros((n + 1, count + 1))
    reach[0, 0] = 1
    for i, p in enumerate(chance):
        reach[i + 1] = reach[i] * (1 - p)
        reach[i + 1, 1:] += reach[i, :-1] * p
        reach[i + 1] /= reach[i + 1].max()
    flags = np.zeros(n, np.int64)
    left = count
    for i in range(n - 1, -1, -1):
        yes = reach[i, left - 1] * chance[i] if left > 0 else 0.0
        no = reach[i, left] * (1 - chance[i])
        if rng.random() * (yes + no) < yes:
            flags[i] = 1
            left -= 1
    return flags
