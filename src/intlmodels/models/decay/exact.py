"""The posterior of the decay model given counts, by sums and quadrature: no table is drawn.

Sums over tables are in :mod:`intlmodels.models.decay.states`; the effect of another owner is summed
over there, size by size, as it is of the firms of one size. Given the decays, the levels of the
two sizes and the spread of the firms are summed over a grid; the logarithm of what is left is
interpolated between decays, and these are integrated with their own prior, whose density has a
pole where both are equal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator
from scipy.sparse import csr_array

from intlmodels.core.errors import StudyError
from intlmodels.models.decay.design import Design, basis, repairs
from intlmodels.models.decay.estimands import MOST_ENTRIES
from intlmodels.models.decay.states import Likelihood, System, allowed, likelihood, structure
from intlmodels.models.priors import Prior, draw, log_density

Array = NDArray[np.float64]

# -- integrals over the parameters ---------------------------------------------------------


def _legendre(low: float, high: float, count: int) -> tuple[Array, Array]:
    """Nodes and weights of Gauss and Legendre."""
    x, w = np.polynomial.legendre.leggauss(count)
    return (low + high) / 2 + (high - low) / 2 * x, w * (high - low) / 2


def _panels(low: float, high: float, count: int) -> tuple[Array, Array]:
    """The same, in two parts where zero lies between."""
    if not low < 0 < high:
        return _legendre(low, high, count)
    below, above = _legendre(low, 0.0, count), _legendre(0.0, high, count)
    return np.concatenate([below[0], above[0]]), np.concatenate([below[1], above[1]])


@dataclass(frozen=True, eq=False)
class Axis:
    """Decays at which the likelihood is computed, and what interpolates it between them.

    Polynomials in ``arcsinh((decay - centre) / scale)``, whose nodes are the extrema of a
    Chebyshev polynomial: close together where the posterior is, far apart in its tails.
    """

    centre: float
    scale: float
    low: float
    high: float
    count: int

    def _turned(self, decay: Any) -> Any:
        return np.arcsinh((decay - self.centre) / self.scale)

    @property
    def nodes(self) -> Array:
        """Decays, ascending, both ends included, (node,)."""
        low, high = self._turned(self.low), self._turned(self.high)
        x = (low + high) / 2 - (high - low) / 2 * np.cos(np.linspace(0, np.pi, self.count))
        return self.centre + self.scale * np.sinh(x)

    def polynomials(self, decay: Array) -> Array:
        """At each decay the values of those that are 1 at one node and 0 at the others."""
        off = self._turned(decay)[:, None] - self._turned(self.nodes)
        hit = off == 0
        off[hit.any(axis=1)] = 1.0
        found = np.where(np.arange(self.count) % 2, -1.0, 1.0) / off
        found[:, [0, -1]] /= 2
        found /= found.sum(axis=1, keepdims=True)
        found[hit.any(axis=1)] = hit[hit.any(axis=1)]
        return found


@dataclass(frozen=True, eq=False)
class Nodes:
    """Where the likelihood is computed: spread of firms, and of each size decay and level."""

    sigma: Array
    sigma_weight: Array
    #: Of each size.
    decay: tuple[Axis, ...]
    #: (sigma, decay, level) of each size, and the weights of the levels.
    level: tuple[Array, ...]
    level_weight: tuple[Array, ...]

    def points(self, size: int, j: int) -> Array:
        """Points of one size at one spread of the firms."""
        level = self.level[size][j]
        decay = np.broadcast_to(self.decay[size].nodes[:, None], level.shape)
        sigma = np.full(level.shape, self.sigma[j])
        return np.stack([level, decay, sigma], axis=-1).reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class Integrals:
    """Sums over the levels and the spread of the firms, by decay: (decay,) of each size."""

    decay: tuple[Axis, ...]
    #: Of the likelihood, and of what is asked times the likelihood; further axes come last.
    mass: Array
    times: dict[str, Array]


def _level_weights(nodes: Nodes, priors: Mapping[str, Prior], j: int) -> Array:
    """Prior weights of levels, (decay, level) of one size, or (decay, level, decay, level)."""
    last = nodes.level[-1][j]
    found = np.exp(log_density(priors["intercept"], last)) * nodes.level_weight[-1][j]
    if len(nodes.level) == 2:
        first = nodes.level[0][j]
        apart = first[:, :, None, None] - last
        found = np.exp(log_density(priors["large"], apart)) * found
        found = found * nodes.level_weight[0][j][:, :, None, None]
    return found


def _by_decay(table: Array, common: bool) -> Array:
    """Decays first, then levels; the diagonal where both sizes have one decay."""
    if table.ndim == 2:
        return table
    if common:
        return np.einsum("ikil->ikl", table)
    return np.moveaxis(table, 2, 1)


def integrate(
    like: Likelihood,
    design: Design,
    priors: Mapping[str, Prior],
    nodes: Nodes,
    chosen: Mapping[str, NDArray[np.bool_]],
) -> Integrals:
    """Sum over levels and spreads; ``chosen`` are states whose probability is asked."""
    sizes = range(len(design.sizes))
    times: dict[str, Any] = {}
    mass: Any = 0.0
    entries = basis(design.family, np.arange(MOST_ENTRIES + 1))
    density = np.exp(log_density(priors["sigma_firm"], nodes.sigma)) * nodes.sigma_weight
    for j, spread in enumerate(nodes.sigma):
        weights = [like.of_size(g, nodes.points(g, j)) for g in sizes]
        level = _level_weights(nodes, priors, j) * density[j]
        sums = {}
        for name, states in {"": slice(None), **chosen}.items():
            sums[name] = like.pairs(weights, states).reshape(level.shape) * level
        inner = tuple(range(len(nodes.decay) if not design.common else 1, 4))
        table = _by_decay(sums.pop(""), design.common)
        inner = tuple(range(1 if design.common else len(sizes), table.ndim))
        now = {name: _by_decay(t, design.common).sum(axis=inner) for name, t in sums.items()}
        now["sigma_firm"] = table.sum(axis=inner) * spread
        for g in sizes:
            axis = inner[g]
            own = table.sum(axis=tuple(i for i in inner if i != axis))
            at = 0 if design.common else g
            # Decay and level of this size, with room for those of the other.
            shape = [1] * (table.ndim - len(inner) + 1)
            shape[at] = nodes.decay[g].count
            levels = nodes.level[g][j].reshape(*shape[:-1], -1)
            name = "intercept" if g == sizes[-1] else "large"
            now[name] = (own * levels).sum(axis=-1)
            decay = nodes.decay[g].nodes.reshape(*shape, 1)
            odds = levels[..., None] - decay * entries
            curve = 100 / (1 + np.exp(-odds))
            now[f"curve {g}"] = (own[..., None] * curve).sum(axis=-2)
        if "large" in now:
            now["large"] = now["large"] - now["intercept"]
        mass = mass + table.sum(axis=inner)
        times = {name: times.get(name, 0.0) + value for name, value in now.items()}
    return Integrals(nodes.decay, mass, times)


# -- nodes ---------------------------------------------------------------------------------

#: Where nothing is left of a likelihood; draws of the priors, of which the range is taken.
_FARTHEST, _RANGE_DRAWS = {"level": 12.0, "decay": 8.0, "sigma": 12.0}, 20_000
#: Relative density below which nothing is integrated.
_NOTHING = 1e-5


def _first_nodes(design: Design, priors: Mapping[str, Prior], count: int) -> Nodes:
    """Nodes over the range of the priors."""
    rng = np.random.default_rng(1)
    drawn = {name: draw(prior, rng, _RANGE_DRAWS) for name, prior in priors.items()}
    spread = drawn["sigma_firm"].max()
    levels = [drawn["intercept"]]
    if design.by_size:
        levels.insert(0, drawn["intercept"] + drawn["large"])
    decay = drawn["decay_mean"]
    if not design.common:
        decay = decay + drawn["sigma_decay"] * rng.normal(size=_RANGE_DRAWS)
    low, high = (
        np.clip(x, -_FARTHEST["decay"], _FARTHEST["decay"]) for x in (decay.min(), decay.max())
    )
    axis = Axis(0.0, (high - low) / 4, low, high, count)
    sigma, weight = _legendre(0.0, min(spread, _FARTHEST["sigma"]), 6)
    far = _FARTHEST["level"]
    grids = [np.linspace(max(x.min(), -far), min(x.max(), far), 2 * count) for x in levels]
    shape = len(sigma), count, 2 * count
    return Nodes(
        sigma,
        weight,
        (axis,) * len(levels),
        tuple(np.broadcast_to(g, shape) for g in grids),
        tuple(np.full(shape, g[1] - g[0]) for g in grids),
    )


def _posterior_of_nodes(
    like: Likelihood, design: Design, priors: Mapping[str, Prior], nodes: Nodes
) -> list[Array]:
    """Rough posterior density of (sigma, decay, level) of each size."""
    sizes = range(len(design.sizes))
    if design.common:
        prior = np.exp(log_density(priors["decay_mean"], nodes.decay[0].nodes))
    else:
        prior = pair_density(priors, nodes.decay[0].nodes[:, None], nodes.decay[1].nodes)
    found: list[list[Array]] = [[] for _ in sizes]
    density = np.exp(log_density(priors["sigma_firm"], nodes.sigma))
    for j in range(len(nodes.sigma)):
        weights = [like.of_size(g, nodes.points(g, j)) for g in sizes]
        level = _level_weights(nodes, priors, j) * density[j]
        table = _by_decay(like.pairs(weights).reshape(level.shape) * level, design.common)
        inner = table.ndim - prior.ndim
        table = table * prior.reshape(*prior.shape, *[1] * inner)
        for g in sizes:
            mine = (0 if design.common else g, prior.ndim + g)
            found[g].append(table.sum(axis=tuple(i for i in range(table.ndim) if i not in mine)))
    return [np.array(tables) for tables in found]


def _better_nodes(
    nodes: Nodes, tables: list[Array], counts: tuple[int, int, int], common: bool
) -> Nodes:
    """Nodes where a rough posterior is, levels about their mean given decay and spread."""

    def ends(x: Array, y: Array) -> tuple[float, float]:
        fine = np.linspace(float(x[0]), float(x[-1]), 1000)
        log = np.interp(fine, x, np.log(y / y.max()))
        inside = fine[log > math.log(_NOTHING)]
        return float(inside[0]), float(inside[-1])

    _, high = ends(nodes.sigma, tables[0].sum(axis=(1, 2)))
    top = nodes.sigma[-1] + nodes.sigma[0]
    new_sigma, weight = _legendre(0.0, top if high == nodes.sigma[-1] else high, counts[0])
    ranges = [ends(x.nodes, t.sum(axis=(0, 2))) for x, t in zip(nodes.decay, tables, strict=True)]
    if common:
        ranges = [(min(r[0] for r in ranges), max(r[1] for r in ranges))] * len(ranges)
    decay = tuple(
        Axis(*_moments(x.nodes, t.sum(axis=(0, 2))), *r, counts[1])
        for x, t, r in zip(nodes.decay, tables, ranges, strict=True)
    )
    if common:
        decay = (decay[0],) * len(decay)
    apart = np.linspace(-5, 5, counts[2])
    levels, widths = [], []
    for g, table in enumerate(tables):
        share = table * nodes.level_weight[g]
        share = share / share.sum(axis=2, keepdims=True)
        mean = (share * nodes.level[g]).sum(axis=2)
        variance = (share * (nodes.level[g] - mean[..., None]) ** 2).sum(axis=2)
        # Not finer than the levels on which it was computed can tell.
        sd = np.sqrt(np.maximum(variance, (0.3 * nodes.level_weight[g][..., 0]) ** 2))
        near = [
            np.clip(y, x[0], x[-1])
            for x, y in ((nodes.sigma, new_sigma), (nodes.decay[g].nodes, decay[g].nodes))
        ]
        at = np.stack(np.meshgrid(*near, indexing="ij"), axis=-1)
        old = (nodes.sigma, nodes.decay[g].nodes)
        centre, scale = (RegularGridInterpolator(old, v)(at) for v in (mean, sd))
        levels.append(centre[..., None] + scale[..., None] * apart)
        widths.append(np.broadcast_to(scale[..., None] * (apart[1] - apart[0]), levels[-1].shape))
    return Nodes(new_sigma, weight, decay, tuple(levels), tuple(widths))


def _moments(x: Array, density: Array) -> tuple[float, float]:
    """Mean and standard deviation of a density at some places, by trapezoids."""
    weight = density * np.gradient(x)
    weight /= weight.sum()
    mean = weight @ x
    return float(mean), float(np.sqrt(weight @ (x - mean) ** 2))


# -- decays --------------------------------------------------------------------------------


def _about_mean(prior: Prior, at: Array, sigma: Array) -> tuple[Array, Array]:
    """Density of the mean of two decays (``sigma`` their spread), and that times E(decay_mean)."""
    if prior.distribution == "Normal":
        mean, sd = prior.args
        variance = sd**2 + sigma**2 / 2
        density = np.exp(-0.5 * (at - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
        return density, density * (mean + sd**2 / variance * (at - mean))
    x, w = np.polynomial.hermite_e.hermegauss(64)
    where = at[..., None] + sigma[..., None] / math.sqrt(2) * x
    weight = np.exp(log_density(prior, where)) * w / w.sum()
    return weight.sum(axis=-1), (weight * where).sum(axis=-1)


def _spreads(prior: Prior, count: int) -> tuple[Array, Array]:
    """Nodes and prior weights of the spread of the decays."""
    high = draw(prior, np.random.default_rng(1), _RANGE_DRAWS).max()
    x, w = _legendre(0.0, min(high, _FARTHEST["decay"]), count)
    return x, w * np.exp(log_density(prior, x))


def pair_density(priors: Mapping[str, Prior], one: Array, other: Array) -> Array:
    """Prior density of the decays of two sizes; coarse where they are equal."""
    sigma, weight = _spreads(priors["sigma_decay"], 24)
    one, other = (x[..., None] for x in np.broadcast_arrays(one, other))
    mean, _ = _about_mean(
        priors["decay_mean"],
        (one + other) / 2,
        np.broadcast_to(sigma, (*one.shape[:-1], len(sigma))),
    )
    apart = np.exp(-(((one - other) / sigma) ** 2) / 4) / (sigma * math.sqrt(4 * math.pi))
    return (weight * mean * apart).sum(axis=-1)


def _over_decays(
    found: Integrals, priors: Mapping[str, Prior], size: int, count: int = 40
) -> tuple[float, dict[str, Any]]:
    """Log of the mass, and posterior means, with the decay of one size on nodes that part at 0."""
    decay = found.decay[size]
    x, w = _panels(decay.low, decay.high, count)
    values = decay.polynomials(x)
    if found.mass.ndim == 1:
        weight = w * np.exp(log_density(priors["decay_mean"], x))
        log = values @ np.log(found.mass)
        asked: dict[str, Any] = {"decay_mean": x}
        first = second = x
    else:
        mass = found.mass if size == 0 else found.mass.T
        other = found.decay[1 - size]
        sigma, of_sigma = _spreads(priors["sigma_decay"], 32)
        v, of_v = _panels(-8.0, 8.0, count)
        of_v = of_v * np.exp(-0.5 * v**2) / math.sqrt(2 * math.pi)
        shape = len(x), len(sigma), len(v)
        second = x[:, None, None] + math.sqrt(2) * sigma[:, None] * v
        inside = (second >= other.low) & (second <= other.high)
        row, middle, _ = np.nonzero(inside)
        first, second, spread = x[row], second[inside], sigma[middle]
        density, mean = _about_mean(priors["decay_mean"], (first + second) / 2, spread)
        weight = np.broadcast_to(w[:, None, None] * of_sigma[:, None] * of_v, shape)[inside]
        weight = weight * density
        others = other.polynomials(second)
        log = ((values @ np.log(mass))[row] * others).sum(axis=1)
        asked = {"decay_mean": mean / density, "sigma_decay": spread}
    top = log.max()
    weight = weight * np.exp(log - top)
    share = weight / weight.sum()
    asked |= {
        "decay": first,
        "decay above 0": first > 0,
        "decay squared": first**2,
        "difference above 0": first > second,
    }
    means: dict[str, Any] = {name: float(share @ value) for name, value in asked.items()}
    # Sums over the points are sums over the nodes, as what is asked is interpolated.
    if found.mass.ndim == 1:
        at_nodes = share @ values
    else:
        at_nodes = values.T @ (
            csr_array((share, (row, np.arange(len(row)))), (len(x), len(row))) @ others
        )
        at_nodes = at_nodes if size == 0 else at_nodes.T
    for name, table in found.times.items():
        means[name] = np.tensordot(at_nodes / found.mass, table, axes=found.mass.ndim)
    return math.log(weight.sum()) + float(top), means


# -- the posterior -------------------------------------------------------------------------

#: Spreads of firms, decays, and levels at which the likelihood is computed.
NODES = (6, 20, 12)
#: States beyond which no more are added: by then minutes are spent, and little is left out.
MANY = 30_000


@dataclass(frozen=True)
class Exact:
    """The posterior of a decay model given counts, to within the error of quadrature.

    Names are those of a fit and its estimands: ``intercept``, ``large``, ``sigma_firm``,
    ``decay`` (size,), ``decay_mean``, ``sigma_decay``, ``decay_difference``, ``curve`` (size,
    entries; percent), and ``repair_holds`` (repair,).
    """

    #: Natural logarithm of the probability of the counts, where one that may be off is printed
    #: with probability ``rho ** |off| * (1 - rho) / (1 + rho)``.
    log_evidence: float
    mean: dict[str, Any]
    #: Posterior standard deviations, of ``decay``.
    sd: dict[str, Any]
    #: Posterior probabilities of a number above zero, of ``decay`` and ``decay_difference``.
    above_zero: dict[str, Any]
    #: Part of the posterior, estimated, whose counts are farther off than was summed over.
    omitted: float


def why_not(design: Design) -> str:
    """Why the posterior of a design cannot be integrated so; empty if it can."""
    if design.aggregated or not design.counts:
        return "its decisions are known, so that there is no table to sum over"
    if design.by_period:
        return "effects of periods are too many integrals"
    if design.interviews:
        return "decisions that were missed are a sum without an end"
    if len(_owned_sizes(design)) > 1:
        return "another owner of firms of several sizes is too many integrals"
    if len(design.sizes) > 2:
        return "firms of more than two sizes are too many integrals"
    return ""


def _owned_sizes(design: Design) -> list[int]:
    """Sizes of the firms that come under another owner."""
    owned = design.owned.any(axis=1)
    return sorted({size for size, own in zip(design.size_of_firm, owned, strict=True) if own})


def with_owners(like: Likelihood, design: Design, priors: Mapping[str, Prior]) -> Likelihood:
    """The same summed over the effect of another owner, with the weights of its prior."""
    if not design.owned_since:
        return like
    prior = priors["owner"]
    if prior.distribution == "Normal":
        x, w = np.polynomial.hermite_e.hermegauss(8)
        nodes = prior.args[0] + prior.args[1] * x, w / w.sum()
    else:
        drawn = draw(prior, np.random.default_rng(1), _RANGE_DRAWS)
        far = _FARTHEST["level"]
        x, w = _legendre(max(drawn.min(), -far), min(drawn.max(), far), 32)
        nodes = x, w * np.exp(log_density(prior, x))
    return replace(like, owner=nodes, owned_size=next(iter(_owned_sizes(design)), -1))


def posterior(
    design: Design,
    priors: Mapping[str, Prior],
    nodes: tuple[int, int, int] = NODES,
    further: int | None = None,
) -> Exact:
    """Integrate the posterior of a design that only counts are known of.

    Parameters
    ----------
    design
        What :func:`intlmodels.models.design_of` returns of a study and a variant.
    priors
        As :func:`intlmodels.models.priors_of` returns them.
    nodes
        Number of spreads of the firms, of decays of each size, and of levels of each size.
    further
        Counts that may be off are summed over up to so much farther off in all than the best
        table; by default until what a step more adds is below one percent, or states are many.

    Raises
    ------
    StudyError
        If the design cannot be integrated so, or its counts leave too much open.
    """
    if why := why_not(design):
        raise StudyError(f"this posterior cannot be summed over tables: {why}")
    system = structure(design)
    further = _enough(design, system) if further is None else further
    at = _first_nodes(design, priors, 12)
    rough = with_owners(likelihood(design, system, 0), design, priors)
    for counts in ((6, 12, 16), nodes):
        tables = _posterior_of_nodes(rough, design, priors, at)
        at = _better_nodes(at, tables, counts, design.common)
    like = with_owners(likelihood(design, system, further), design, priors)
    listed = repairs(design.counts, design.firms, design.periods)
    chosen = {f"repair {i}": _holds(like, system, changes) for i, changes in enumerate(listed)}
    chosen |= {f"off {i}": like.off == like.off.max() - i for i in range(2)}
    found = integrate(like, design, priors, at, chosen)
    sides = [_over_decays(found, priors, g) for g in range(found.mass.ndim)]
    log, means = sides[0]
    own = [side[1] for side in (sides if len(sides) == len(design.sizes) else sides * 2)]
    of_all = ("intercept", "large", "sigma_firm", "decay_mean", "sigma_decay")
    mean: dict[str, Any] = {name: means[name] for name in of_all if name in means}
    mean["decay"] = np.array([each["decay"] for each in own])
    mean["curve"] = np.array([means[f"curve {g}"] for g in range(len(design.sizes))])
    square = np.array([each["decay squared"] for each in own])
    above = {"decay": np.array([each["decay above 0"] for each in own])}
    if design.by_size:
        mean["decay_difference"] = float(mean["decay"][0] - mean["decay"][1])
        above["decay_difference"] = means["difference above 0"] * (not design.common)
    if all(kind.hard.all() for block in system.blocks for kind in block.kinds):
        mean["repair_holds"] = np.array([means[f"repair {i}"] for i in range(len(listed))])
    last, before = means["off 0"], means["off 1"]
    omitted = float(last**2 / (before - last)) if last < before else math.nan
    sd = {"decay": np.sqrt(square - mean["decay"] ** 2)}
    return Exact(log, mean, sd, above, omitted if like.off.any() else 0.0)


def _enough(design: Design, system: System) -> int:
    """How much farther off than need be counts are summed over: until little more is added."""
    weights: list[float] = []
    while not system.hard.all():
        _, off = allowed(system, design.total, len(weights))
        if len(off) > MANY and weights:
            break
        weights.append(float((off == off.max()).sum()) * design.rho ** len(weights))
        if weights[-1] < 0.01 * sum(weights):
            break
    return max(len(weights) - 1, 0)


def _holds(like: Likelihood, system: System, changes: Mapping[str, int]) -> NDArray[np.bool_]:
    """Whether counts are as printed, but for those of a repair, in each state."""
    wanted = zip(system.counts, system.printed, strict=True)
    off = like.states @ system.member.T - [changes.get(name, value) for name, value in wanted]
    return np.choose(system.relation, [off == 0, off >= 0, off <= 0]).all(axis=1)
