"""The posterior of a small decay study by summing over every table: no sampler, no recursion.

Parameters are drawn from their priors and weighted (importance sampling); for each draw the
probability of the counts is summed over all tables and, within each firm and period, over
every order of the flags. Written from the model's definition alone.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from intlmodels.models.decay.design import Design


@dataclass(frozen=True)
class Exact:
    """Posterior means with their Monte Carlo errors, by name; cells likewise."""

    mean: dict[str, np.ndarray]
    error: dict[str, np.ndarray]
    sd: dict[str, np.ndarray]
    cells: np.ndarray
    cells_error: np.ndarray
    #: Mean weight of the draws: probability of the counts, up to their normalization.
    evidence: float
    evidence_error: float


def compositions(total: int, parts: int):
    """All ways to write a number as an ordered sum of so many numbers from 0."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in compositions(total - first, parts - 1):
            yield (first, *rest)


def exact(design: Design, draws: int = 50_000, seed: int = 1) -> Exact:
    """Posterior of a design with the default priors of the model."""
    rng = np.random.default_rng(seed)
    firms, periods = len(design.firms), len(design.periods)
    theta = {
        "intercept": rng.normal(0, 1.5, draws),
        "sigma_firm": np.abs(rng.normal(0, 1, draws)),
        "decay_mean": rng.normal(0, 0.5, draws),
    }
    theta["firm"] = theta["sigma_firm"][:, None] * rng.normal(size=(draws, firms))
    sizes = len(design.sizes)
    if sizes > 1:
        offset = "large" if sizes == 2 else "size_offset"
        theta[offset] = rng.normal(0, 1, (draws, sizes - 1))
    if design.common:
        theta["decay"] = np.repeat(theta["decay_mean"][:, None], len(design.sizes), axis=1)
    else:
        theta["sigma_decay"] = np.abs(rng.normal(0, 0.5, draws))
        theta["decay"] = theta["decay_mean"][:, None] + theta["sigma_decay"][:, None] * rng.normal(
            size=(draws, sizes)
        )
    if design.by_period:
        theta["sigma_period"] = np.abs(rng.normal(0, 1, draws))
        theta["period"] = theta["sigma_period"][:, None] * rng.normal(size=(draws, periods))
    if design.owned_since:
        theta["owner"] = rng.normal(0, 1, draws)
    if design.interviews:
        theta["recall"] = rng.beta(2, 2, draws)
        known_by = 1 - (1 - theta["recall"][:, None]) ** np.array(design.interviews)
        # Missed decisions before the first, second, third known one of each firm.
        missed = rng.geometric(known_by[..., None], (draws, firms, design.total)) - 1
    weight = np.zeros(draws)
    cells = np.zeros((draws, firms, periods, 2))
    known: dict[tuple[int, bytes], np.ndarray] = {}
    for flat in compositions(design.total, firms * periods * 2):
        table = np.array(flat).reshape(firms, periods, 2)
        factor = _of_counts(design, table)
        if factor == 0:
            continue
        value = np.full(draws, factor * math.exp(_log_prior(design, table)))
        for f in range(firms):
            key = f, table[f].tobytes()
            if key not in known:
                gaps = missed[:, f] if design.interviews else None
                known[key] = _flags(design, theta, f, table[f], gaps)
            value = value * known[key]
        weight += value
        cells += value[:, None, None, None] * table
    share = weight / weight.sum()

    def estimate(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mean = np.tensordot(share, values, axes=(0, 0))
        off = values - mean
        error = np.sqrt(np.tensordot(share**2, off**2, axes=(0, 0)))
        return mean, error, np.sqrt(np.tensordot(share, off**2, axes=(0, 0)))

    found = {name: estimate(values) for name, values in theta.items()}
    expected = cells / np.where(weight > 0, weight, 1)[:, None, None, None]
    mean, error, _ = estimate(expected)
    return Exact(
        {name: item[0] for name, item in found.items()},
        {name: item[1] for name, item in found.items()},
        {name: item[2] for name, item in found.items()},
        mean,
        error,
        weight.mean(),
        weight.std() / math.sqrt(draws),
    )


def probability(
    design: Design, level: list, decay: list, sigma: float, owner: float = 0.0
) -> float:
    """Probability of the counts at parameters of each size, up to their normalization."""
    z, share = np.polynomial.hermite_e.hermegauss(120)
    share = share / share.sum()
    firms = len(design.firms)
    # The level of each firm's own size stands in its effect.
    theta = {
        "intercept": np.zeros_like(z),
        "large": np.zeros((len(z), 1)),
        "decay": np.tile(decay, (len(z), 1)),
        "owner": np.full(len(z), owner),
        "firm": np.array(level)[list(design.size_of_firm)] + sigma * z[:, None],
    }
    known: dict[tuple[int, bytes], float] = {}
    total = 0.0
    for flat in compositions(design.total, firms * len(design.periods) * 2):
        table = np.array(flat).reshape(firms, -1, 2)
        factor = _of_counts(design, table)
        if factor == 0:
            continue
        factor *= math.exp(_log_prior(design, table))
        for f in range(firms):
            key = f, table[f].tobytes()
            if key not in known:
                known[key] = float(share @ _flags(design, theta, f, table[f]))
            factor *= known[key]
        total += factor
    return total


def _of_counts(design: Design, table: np.ndarray) -> float:
    factor = 1.0
    for count in design.counts:
        groups = [[firm] for firm in count.firms] if count.each else [list(count.firms)]
        for group in groups:
            true = sum(
                table[design.firms.index(firm), design.periods.index(period), int(flag == "yes")]
                for firm in group
                for period in count.periods
                for flag in count.flags
            )
            off = {
                "equal": abs(true - count.value),
                "at least": max(0, count.value - true),
                "at most": max(0, true - count.value),
            }[count.relation]
            if count.hard and off:
                return 0.0
            factor *= design.rho**off
            if count.denied:
                factor *= 1 - design.rho ** (abs(count.value - true) + 1)
    return factor


def _of_orders(design: Design, f: int, sequence: list[tuple[int, int]]) -> float:
    """Weight of a firm's sequence of (period, flag): which steps have decisions in their order."""
    factor = 1.0
    for order in design.orders:
        if order.firm != design.firms[f]:
            continue
        steps = [
            ({design.periods.index(p) for p in step.periods}, {int(y == "yes") for y in step.flags})
            for step in order.steps
        ]
        off = next(
            len(steps) - size
            for size in range(len(steps), -1, -1)
            for chosen in itertools.combinations(steps, size)
            for made in itertools.combinations(sequence, size)
            if all(t in own[0] and y in own[1] for own, (t, y) in zip(chosen, made, strict=True))
        )
        weight = float(off == 0) if order.hard else design.rho**off
        factor *= 1 - weight if order.denied else weight
    return factor


def _log_prior(design: Design, table: np.ndarray) -> float:
    """Decisions fall to firms one after the other (Polya urn), then to periods."""
    a, firms = design.concentration, len(design.firms)
    made = table.sum(axis=2)
    total = math.lgamma(design.total + 1)
    for n in made.sum(axis=1):
        total -= math.lgamma(n + 1)
        total += sum(math.log(a + i) for i in range(n))
    total -= sum(math.log(firms * a + i) for i in range(design.total))
    weights = np.array(design.period_weights) / sum(design.period_weights)
    for row in made:
        total += math.lgamma(row.sum() + 1)
        total += sum(
            n * math.log(w) - math.lgamma(n + 1) for n, w in zip(row, weights, strict=True)
        )
    return total


def _flags(
    design: Design,
    theta: dict[str, np.ndarray],
    f: int,
    counts: np.ndarray,
    missed: np.ndarray | None = None,
) -> np.ndarray:
    """Probability of a firm's flags, summed over every order within each period."""
    size, place = design.size_of_firm[f], 0
    # Of each period, every order of the flags with its probability.
    ways: list[list[tuple[tuple[tuple[int, int], ...], np.ndarray | float]]] = []
    for t, (no, yes) in enumerate(counts):
        n = int(no + yes)
        chance = []
        for k in range(place, place + n):
            if missed is not None:
                k = k + missed[:, : k + 1].sum(axis=1)
            step = {"linear": k, "power": np.log1p(k), "step": 1.0 * (k > 0)}[design.family]
            odds = theta["intercept"] + theta["firm"][:, f] - theta["decay"][:, size] * step
            if size < len(design.sizes) - 1:
                offset = "large" if len(design.sizes) == 2 else "size_offset"
                odds = odds + theta[offset][:, size]
            if design.by_period:
                odds = odds + theta["period"][:, t]
            if design.owned_since and t >= design.owned_since[f]:
                odds = odds + theta["owner"]
            chance.append(1 / (1 + np.exp(-odds)))
        place += n
        within = []
        for flagged in itertools.combinations(range(n), int(yes)):
            one = 1.0
            for i in range(n):
                one = one * (chance[i] if i in flagged else 1 - chance[i])
            within.append((tuple((t, int(i in flagged)) for i in range(n)), one))
        ways.append(within)
    total = 0.0
    if any(order.firm == design.firms[f] for order in design.orders):
        for way in itertools.product(*ways):
            one = _of_orders(design, f, [made for sequence, _ in way for made in sequence])
            for _, probability in way:
                one = one * probability
            total = total + one
    else:
        total = 1.0
        for within in ways:
            total = total * sum(one for _, one in within)
    return np.broadcast_to(total, len(theta["intercept"]))
