"""Other coordinates for the posterior of a register, in which it has about one width everywhere.

The model is that of :mod:`intlmodels.models.share.model`; only the names of its points change. Of a
category with effects e ~ Normal(0, sigma), which the model draws as sigma times z::

    e = m + Q d,   m = sigma zeta / sqrt(K),   d | sigma ~ Normal(0, sigma)

with Q an orthonormal basis of the differences between K levels: zeta and d are independent, and m
and d together are normal with the same law as e. What the rows tell is d, and the level b =
intercept + sum of m; m itself they cannot tell from the intercept. Let t be b, the slopes and the
differences d of all categories. Given the spreads sigma, and with a normal approximation of the
likelihood (maximum r, gradient g, information J), the posterior of t is about normal::

    t = r + P^-1 (g - p (r - c)) + L^-T raw,   P = J + diag(p) = L L'

with p the precisions of the priors, 1 / sigma^2 for d, and c their centres. Drawn like that, with
raw as coordinates, neither a narrow nor a wide likelihood makes a funnel, and predictors that go
together (a town lies in one region) make no ridge. This is the usual partial centring
(Papaspiliopoulos, Roberts and Skold 2007, Statistical Science 22, 59-73) for all coefficients
together.

Of a register with clusters, let t_c be the level, the slopes and the differences of a cluster c,
and tau those of all clusters together; D is the diagonal matrix of their variances between
clusters::

    t_c | tau, D ~ Normal(tau, D)

The level of a cluster and the mean of its effects of a category cannot be told apart by rows: t_c
has their sum, whose variance is the sum of theirs, and :func:`split` draws the parts afterwards
from their law given the sum (they are normal, and the rows say nothing more). With a normal
approximation of each cluster's likelihood, t_c given tau and D is about normal, with a mean between
what its own rows say and tau; so is tau given D, with the t_c integrated out. Coordinates are
distances from these means in standard deviations. Where D enters, they follow it coefficient by
coefficient; how coefficients go together is taken from the start. So clusters of many rows and of
hardly any, and spreads that are well known or next to zero, have the same width. All of it is
exact: the logarithm of the Jacobian is part of the density that is sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError
from intlmodels.models.coordinates import NUMPY, Algebra, basis, whitened
from intlmodels.models.share.design import CLUSTER, Design
from intlmodels.models.share.start import ClusterStart, Start, groups_of, integrated

Array = NDArray[np.float64]

#: Takes parameters by name from one scale to another.
Scales = Mapping[str, Callable[[Any], Any]]

#: Smallest and largest first value of the spread of effects.
_SPREADS = (0.01, 1.0)
#: Precision of the priors of level and slopes, about; a weak one serves the level.
_LEVEL, _SLOPE = 1.0, 4.0
#: Coefficients that a register can have: beyond, the algebra of each step takes too long.
MOST_COEFFICIENTS = 1000
#: Numbers in the matrices of the draws that are taken from their coordinates at a time.
CHUNK = 20_000_000


@dataclass(frozen=True)
class Scalar:
    """A parameter on the whole line, ``at + width * coordinate``."""

    at: float
    width: float


@dataclass(frozen=True)
class Terms:
    """What the log density at nodes is made of."""

    values: dict[str, Any]  #: parameters that have a prior of their own, by name
    effects: Any  #: (cluster, coefficient); one row without clusters
    density: Any  #: the Jacobian, and the prior of the effects of levels
    of_clusters: list[Any]  #: what the prior of each cluster's coefficients takes off


@dataclass(frozen=True)
class _Places:
    """What the coordinates in one vector stand for."""

    names: tuple[str, ...]  #: the intercept, then the blocks in their order
    groups: list[slice]  #: coefficients of each of ``names``
    levels: dict[str, int]  #: number of levels of each category
    scalars: dict[str, Scalar]  #: spreads, then parameters of the family

    @property
    def first(self) -> int:
        """Number of coordinates before those of the coefficients."""
        return len(self.scalars) + len(self.levels)

    def blocks(self) -> Iterator[tuple[str, slice]]:
        """Name and coefficients of each block."""
        return zip(self.names[1:], self.groups[1:], strict=True)

    def on_line(self, raw: Any, back: Scales) -> tuple[dict[str, Any], dict[str, Any]]:
        """Scalars on the whole line, and all spreads on their own scale."""
        scalars = {
            name: scalar.at + scalar.width * raw[..., place]
            for place, (name, scalar) in enumerate(self.scalars.items())
        }
        return scalars, {
            name: back[name](scalars[name]) for name in scalars if name.startswith("sigma_")
        }


@dataclass(frozen=True)
class Coordinates(_Places):
    """Coordinates of a register without clusters, around a start."""

    start: Start

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.first + len(self.start.linear)

    def values(self, raw: Any, back: Scales, by: Algebra) -> tuple[dict[str, Any], Any]:
        """Parameters at a point, or at many.

        ``raw`` (..., coordinate); ``back``: takes each of :attr:`scalars` from the whole line to
        its own scale. Returns intercept, slopes and effects on their own scale; scalars on the
        whole line; logarithm of the Jacobian, up to a constant.
        """
        found, sigmas = self.on_line(raw, back)
        start, centres = self.start, np.zeros(len(self.start.linear))
        centres[0] = start.linear[0]
        at = raw[..., self.first :]
        precisions = [0.0 * at[..., :1] + _LEVEL]
        for name, _ in self.blocks():
            if name in self.levels:
                sigma = sigmas[f"sigma_{name}"]
                square = (sigma * sigma)[..., None]
                precisions.append(np.ones(self.levels[name] - 1) / square)
            else:
                precisions.append(0.0 * at[..., :1] + _SLOPE)
        precision = by.concatenate(precisions)
        linear, jacobian = whitened(
            at, start.linear, start.gradient, start.information, precision, centres, by
        )
        found[self.names[0]] = linear[..., 0]
        place = len(self.scalars)
        for name, group in self.blocks():
            if name not in self.levels:
                found[name] = linear[..., group.start]
                continue
            count, sigma = self.levels[name], sigmas[f"sigma_{name}"]
            mean = sigma * raw[..., place] / np.sqrt(count)
            place += 1
            found[name] = mean[..., None] + linear[..., group] @ basis(count).T
            found[self.names[0]] = found[self.names[0]] - mean
            # Of z = effects / sigma, of which the model has the density.
            jacobian = jacobian - (count - 1) * by.log(sigma)
        return found, jacobian

    def holding(self, hold: Callable[[str, Array], Any]) -> Coordinates:
        """The same; with clusters, with data of the model in place of arrays."""
        del hold
        return self

    def terms(self, raw: Any, back: Scales, by: Algebra) -> Terms:
        """Terms of the log density at a point."""
        found, density = self.values(raw, back, by)
        level, parts = found[self.names[0]], []
        for name, _ in self.blocks():
            if name not in self.levels:
                parts.append(found[name][None])
                continue
            sigma = back[f"sigma_{name}"](found[f"sigma_{name}"])
            density -= 0.5 * ((found[name] / sigma) ** 2).sum()
            level = level + found[name].mean()
            parts.append(found[name] @ basis(self.levels[name]))
        return Terms(found, by.concatenate([level[None], *parts])[None], density, [])

    def draws(self, raw: Array, back: Scales, seed: int) -> dict[str, Array]:
        """Parameters of many points, each on its own scale, (..., coordinate) to (...)."""
        del seed
        flat = raw.reshape(-1, self.size)
        parts, many = [], max(1, CHUNK // len(self.start.linear) ** 2)
        for i in range(0, len(flat), many):
            found, _ = self.values(flat[i : i + many], back, NUMPY)
            parts.append(found | {name: back[name](found[name]) for name in self.scalars})
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return {n: v.reshape(*raw.shape[:-1], *v.shape[1:]) for n, v in joined.items()}


def coordinates(design: Design, start: Start, onto: Scales) -> Coordinates:
    """Coordinates around a normal approximation.

    ``onto``: takes spreads and parameters of the family from their own scale to the whole line.
    Raises StudyError if the predictors have too many levels.
    """
    if len(start.linear) > MOST_COEFFICIENTS:
        raise StudyError(
            f"the predictors have {len(start.linear):,} levels in all; expected at most "
            f"{MOST_COEFFICIENTS:,} in a register: put some together",
            file="study.toml",
        )
    scalars = _of_effects(design, start, onto, _SPREADS) | _of_family(start, onto)
    return Coordinates(*_blocks(design), scalars, start)


def _blocks(design: Design) -> tuple[tuple[str, ...], list[slice], dict[str, int]]:
    names = (design.intercept, *(block.name for block in design.blocks))
    levels = {block.name: len(block.levels) for block in design.blocks if block.levels}
    return names, groups_of(design), levels


def _of_effects(
    design: Design, start: Start, onto: Scales, limits: tuple[float, float]
) -> dict[str, Scalar]:
    """Where the spread of the effects of each category is, and how well it is known."""
    scalars = {}
    for block, group in zip(design.blocks, groups_of(design)[1:], strict=True):
        if block.levels:
            spread = float(np.clip(np.sqrt(np.mean(start.linear[group] ** 2)), *limits))
            name = f"sigma_{block.name}"
            width = 1 / np.sqrt(2 * (group.stop - group.start))
            scalars[name] = Scalar(float(onto[name](spread)), width)
    return scalars


def _of_family(start: Start, onto: Scales) -> dict[str, Scalar]:
    return {
        name: Scalar(float(onto[name](value)), start.spread[name])
        for name, value in start.parameters.items()
    }


# -- registers with clusters --------------------------------------------------------------

#: Smallest and largest first value of a spread.
_CLUSTER_SPREADS = (0.02, 1.5)
#: Coordinates from which sampling takes long and its result much memory.
MANY = 2_000


@dataclass(frozen=True)
class Fixed:
    """Arrays of the normal approximation; k and l stand for coefficients."""

    #: (cluster, k), of each cluster's likelihood, coefficient by coefficient; times its centre.
    precision: Array
    pulled: Array
    variance: Array  #: (k,), between clusters, at the start
    common: Array  #: (k,), tau at the start
    #: (cluster, k, l): how the coefficients of a cluster go together, a factor of their
    #: correlations; and what t_c moves by if another coefficient of tau does.
    mixing: Array
    following: Array
    common_mixing: Array  #: (k, l), the same factor for tau
    #: (k,): what tau's own width and mean are, against those coefficient by coefficient.
    common_scale: Array
    common_shift: Array


@dataclass(frozen=True)
class ClusterCoordinates(_Places):
    """Coordinates of a register with clusters."""

    fixed: Fixed
    clusters: int

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.first + self.groups[-1].stop * (1 + self.clusters)

    def spread_of(self, name: str) -> str:
        """Name of the spread between clusters of one of ``names``."""
        return f"sigma_{CLUSTER}" if name == self.names[0] else f"sigma_{name}_by_cluster"

    def prior(self, sigmas: Mapping[str, Any], by: Algebra) -> Any:
        """About the precisions of the prior of tau, shape (k,)."""
        parts = [_LEVEL * np.ones(1)]
        for name, group in self.blocks():
            own = 1 / sigmas[f"sigma_{name}"] ** 2 if name in self.levels else _SLOPE
            parts.append(own * np.ones(group.stop - group.start))
        return by.concatenate(parts)

    def variances(self, sigmas: Mapping[str, Any], by: Algebra) -> Any:
        """Variance of every coefficient between clusters, shape (k,)."""
        level = sigmas[self.spread_of(self.names[0])] ** 2
        parts = []
        for name, group in self.blocks():
            square = sigmas[self.spread_of(name)] ** 2
            parts.append(square * np.ones(group.stop - group.start))
            if name in self.levels:
                level = level + square / self.levels[name]
        return by.concatenate([level * np.ones(1), *parts])

    def values(self, raw: Any, back: Scales, by: Algebra) -> tuple[dict[str, Any], Any]:
        """Parameters at a point.

        ``raw`` (coordinate,); ``back``: takes each of :attr:`scalars` from the whole line to its
        own scale. Returns scalars on the whole line; the standard means of categories ("NAME
        mean"); ``common`` (k,), ``variance`` (k,) and ``effects`` (cluster, k); logarithm of the
        Jacobian, up to a constant.
        """
        fixed, place, size = self.fixed, self.first, self.groups[-1].stop
        found, sigmas = self.on_line(raw, back)
        for i, name in enumerate(self.levels, len(self.scalars)):
            found[f"{name} mean"] = raw[i]
        variance = self.variances(sigmas, by)
        one = fixed.precision * variance + 1
        own, centre = self.prior(sigmas, by), fixed.common[0] * np.eye(size)[0]
        precision = (fixed.precision / one).sum(axis=0) + own
        mean = ((fixed.pulled / one).sum(axis=0) + own * centre) / precision
        turned = (fixed.common_mixing * raw[place : place + size]).sum(axis=1)
        common = mean + fixed.common_shift + fixed.common_scale * turned / precision**0.5
        at = fixed.precision * fixed.variance + 1
        strength = (variance / fixed.variance) * at / one
        moved = (fixed.following * (common - fixed.common)).sum(axis=2)
        mixed = fixed.mixing * raw[place + size :].reshape((-1, 1, size))
        effects = (
            (fixed.pulled * variance + common) / one
            + strength * moved
            + (variance / one) ** 0.5 * mixed.sum(axis=2)
        )
        jacobian = 0.5 * (one.shape[0] * by.log(variance).sum() - by.log(one).sum())
        jacobian = jacobian - 0.5 * by.log(precision).sum()
        found |= {"common": common, "variance": variance, "effects": effects}
        return found, jacobian

    def holding(self, hold: Callable[[str, Array], Any]) -> ClusterCoordinates:
        """The same with data of a model in place of arrays."""
        held = {f.name: hold(f.name, getattr(self.fixed, f.name)) for f in fields(self.fixed)}
        return replace(self, fixed=replace(self.fixed, **held))

    def terms(self, raw: Any, back: Scales, by: Algebra) -> Terms:
        """Terms of the log density at a point."""
        found, density = self.values(raw, back, by)
        common, variance, values = found["common"], found["variance"], dict(found)
        intercept = common[0]
        for name, group in self.blocks():
            if name not in self.levels:
                values[name] = common[group.start]
                continue
            sigma = back[f"sigma_{name}"](found[f"sigma_{name}"])
            standard = found[f"{name} mean"]
            intercept = intercept - sigma * standard / np.sqrt(self.levels[name])
            off = common[group] / sigma
            density -= 0.5 * (standard**2 + (off**2).sum())
            density -= (self.levels[name] - 1) * by.log(sigma)
        values[self.names[0]] = intercept
        off, clusters = found["effects"] - common, self.clusters
        of_clusters = [0.5 * (off**2 / variance).sum(), 0.5 * clusters * by.log(variance).sum()]
        return Terms(values, found["effects"], density, of_clusters)

    def draws(self, raw: Array, back: Scales, seed: int) -> dict[str, Array]:
        """Parameters of every draw, from coordinates of shape (chain, draw, coordinate)."""
        rng = np.random.default_rng([seed, 3])
        drawn: dict[str, list[Any]] = {}
        for at in raw.reshape(-1, raw.shape[-1]):
            found, _ = self.values(at, back, NUMPY)
            scalars = {name: float(back[name](found[name])) for name in self.scalars}
            for name, value in (scalars | split(self, found, scalars, rng)).items():
                # Of thousands of clusters half the memory is worth more than the last digits.
                small = np.size(value) > MANY
                drawn.setdefault(name, []).append(np.float32(value) if small else value)
        return {
            name: np.array(values).reshape(*raw.shape[:-1], *np.shape(values[0]))
            for name, values in drawn.items()
        }


def cluster_coordinates(
    design: Design, start: ClusterStart, onto: Scales, back: Scales
) -> ClusterCoordinates:
    """Coordinates around a normal approximation; ``onto``, ``back``: the whole line, and back."""
    names, groups, levels = _blocks(design)
    scalars = _of_effects(design, start, onto, _CLUSTER_SPREADS)
    variance = start.variance
    inverse = np.linalg.inv(start.information + np.diag(1 / variance))
    diagonal = np.diagonal(inverse, axis1=1, axis2=2)
    precision = np.maximum(1 / diagonal - 1 / variance, 0.0)
    known = (precision * variance / (1 + precision * variance)) ** 2
    for name, group in zip(names, groups, strict=True):
        square = float(variance[group].mean())
        if group.start == 0:  # what the means of categories leave
            parts = zip(names[1:], groups[1:], strict=True)
            square -= sum(variance[g].mean() / levels[n] for n, g in parts if n in levels)
            square = max(square, 0.25 * float(variance[0]))
        key = f"sigma_{CLUSTER}" if group.start == 0 else f"sigma_{name}_by_cluster"
        at = float(onto[key](np.clip(np.sqrt(square), *_CLUSTER_SPREADS)))
        scalars[key] = Scalar(at, float(1 / np.sqrt(1 + 2 * known[:, group].sum())))
    scalars |= _of_family(start, onto)
    fixed = _fixed(start, inverse, precision)
    rough = ClusterCoordinates(names, groups, levels, scalars, fixed, len(inverse))
    # The same with tau's own mean, width and correlations at the start.
    sigmas = {n: back[n](s.at) for n, s in scalars.items() if n.startswith("sigma_")}
    size = len(variance)
    own, centre = rough.prior(sigmas, NUMPY), start.linear[0] * np.eye(size)[0]
    one = precision * variance + 1
    single = (precision / one).sum(axis=0) + own
    single_mean = ((fixed.pulled / one).sum(axis=0) + own * centre) / single
    together, shrunk = integrated(
        start.effects, start.gradient, start.information, inverse, variance
    )
    covariance = np.linalg.inv(together + np.diag(own))
    width = np.sqrt(np.diag(covariance))
    changed = replace(
        fixed,
        common_mixing=np.linalg.cholesky(covariance) / width[:, None],
        common_scale=width * np.sqrt(single),
        common_shift=covariance @ (shrunk + own * centre) - single_mean,
    )
    return replace(rough, fixed=changed)


def _fixed(start: ClusterStart, inverse: Array, precision: Array) -> Fixed:
    size, variance = len(start.linear), start.variance
    diagonal = np.diagonal(inverse, axis1=1, axis2=2)
    pulled = np.einsum("ckl,cl->ck", start.information, start.effects) + start.gradient
    mean = np.einsum("ckl,cl->ck", inverse, pulled + start.linear / variance)
    following = inverse / variance
    following[:, range(size), range(size)] = 0.0
    return Fixed(
        precision,
        mean * (precision + 1 / variance) - start.linear / variance,
        variance,
        start.linear,
        np.linalg.cholesky(inverse) / np.sqrt(diagonal)[..., None],
        following,
        np.eye(size),
        np.ones(size),
        np.zeros(size),
    )


def split(
    points: ClusterCoordinates,
    found: Mapping[str, Any],
    sigmas: Mapping[str, float],
    rng: np.random.Generator,
) -> dict[str, Array]:
    """The parameters of the model at one point.

    ``found``: as :meth:`ClusterCoordinates.values` returns it; ``sigmas``: spreads on their own
    scale; ``rng``: for the level of a cluster and the means of its effects, given their sum.
    Returns the intercept, slopes and effects by name; ``cluster`` (cluster,) and
    ``NAME_by_cluster`` (cluster,) or (cluster, level).
    """
    common, effects = found["common"], found["effects"]
    start = points.names[0]
    values: dict[str, Any] = {start: common[0]}
    off = effects - common
    level = sigmas[points.spread_of(start)] ** 2
    shares = {
        name: sigmas[points.spread_of(name)] ** 2 / count for name, count in points.levels.items()
    }
    # Parts of a known sum of independent normal variables: each drawn, then what is missing of
    # the sum shared out in proportion to the variances.
    parts = {CLUSTER: level, **shares}
    drawn = {n: np.sqrt(value) * rng.normal(size=len(off)) for n, value in parts.items()}
    missing = (off[:, 0] - sum(drawn.values())) / sum(parts.values())
    values[CLUSTER] = drawn[CLUSTER] + missing * level
    for name, group in points.blocks():
        key = f"{name}_by_cluster"
        if name not in points.levels:
            values[name], values[key] = common[group.start], off[:, group.start]
            continue
        count = points.levels[name]
        mean = sigmas[f"sigma_{name}"] * found[f"{name} mean"] / np.sqrt(count)
        values[name] = mean + basis(count) @ common[group]
        values[start] = values[start] - mean
        own = drawn[name] + missing * shares[name]
        values[key] = own[:, None] + off[:, group] @ basis(count).T
    return values
