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
together. All of it is exact: the logarithm of the Jacobian is part of the density that is sampled.

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

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError
from intlmodels.models.coordinates import NUMPY, Algebra, basis, whitened
from intlmodels.models.share.design import CLUSTER, Design
from intlmodels.models.share.start import ClusterStart, Start, groups_of

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
class Coordinates:
    """Where each coordinate is in one vector, and what it stands for.

    Attributes
    ----------
    start : Start
    names : tuple of str
        The intercept, then the blocks in their order.
    levels : dict of str to int
        Number of levels of each category.
    scalars : dict of str to Scalar
        Spreads of effects, then parameters of the family.
    """

    start: Start
    names: tuple[str, ...]
    levels: dict[str, int]
    scalars: dict[str, Scalar]

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return len(self.scalars) + len(self.levels) + len(self.start.linear)

    def values(self, raw: Any, back: Scales, by: Algebra) -> tuple[dict[str, Any], Any]:
        """Parameters at a point, or at many.

        ``raw`` (..., coordinate); ``back``: takes each of :attr:`scalars` from the whole line to
        its own scale. Returns intercept, slopes and effects on their own scale; scalars on the
        whole line; logarithm of the Jacobian, up to a constant.
        """
        found: dict[str, Any] = {}
        place = 0
        for name, scalar in self.scalars.items():
            found[name] = scalar.at + scalar.width * raw[..., place]
            place += 1
        sigmas = {name: back[f"sigma_{name}"](found[f"sigma_{name}"]) for name in self.levels}
        means = {}
        for name, count in self.levels.items():
            means[name] = sigmas[name] * raw[..., place] / np.sqrt(count)
            place += 1
        linear, jacobian = self._linear(raw[..., place:], sigmas, by)
        place = 0
        for name in self.names:
            if name not in self.levels:
                found[name] = linear[..., place]
                place += 1
                continue
            count = self.levels[name]
            own = linear[..., place : place + count - 1] @ basis(count).T
            found[name] = means[name][..., None] + own
            found[self.names[0]] = found[self.names[0]] - means[name]
            place += count - 1
            # Of z = effects / sigma, of which the model has the density.
            jacobian = jacobian - (count - 1) * by.log(sigmas[name])
        return found, jacobian

    def _linear(self, raw: Any, sigmas: Mapping[str, Any], by: Algebra) -> tuple[Any, Any]:
        """Level, slopes and differences, with the logarithm of their Jacobian."""
        start = self.start
        like = 0.0 * raw[..., :1]
        precisions, centres = [], np.zeros(len(start.linear))
        centres[0] = start.linear[0]
        for i, name in enumerate(self.names):
            if name in self.levels:
                square = (sigmas[name] * sigmas[name])[..., None]
                precisions.append(np.ones(self.levels[name] - 1) / square)
            else:
                precisions.append(like + (_SLOPE if i else _LEVEL))
        precision = by.concatenate(precisions)
        return whitened(
            raw, start.linear, start.gradient, start.information, precision, centres, by
        )

    def draws(self, raw: Array, back: Scales) -> dict[str, Array]:
        """Parameters of many points, each on its own scale, (..., coordinate) to (...)."""
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
    levels, scalars, place = {}, {}, 1
    for block in design.blocks:
        size = len(block.levels) - 1 if block.levels else 1
        if block.levels:
            levels[block.name] = len(block.levels)
            at = start.linear[place : place + size]
            spread = float(np.clip(np.sqrt(np.mean(at**2)), *_SPREADS))
            name = f"sigma_{block.name}"
            scalars[name] = Scalar(float(onto[name](spread)), 1 / np.sqrt(2 * size))
        place += size
    for name, value in start.parameters.items():
        scalars[name] = Scalar(float(onto[name](value)), start.spread[name])
    names = (design.intercept, *(block.name for block in design.blocks))
    return Coordinates(start, names, levels, scalars)


# -- registers with clusters --------------------------------------------------------------

#: Smallest and largest first value of a spread.
_CLUSTER_SPREADS = (0.02, 1.5)


@dataclass(frozen=True)
class Fixed:
    """Arrays of the normal approximation; k and l stand for coefficients.

    Attributes
    ----------
    precision, pulled : array, shape (cluster, k)
        Of each cluster's likelihood, coefficient by coefficient, and this times its centre.
    variance : array, shape (k,)
        Between clusters, at the start.
    common : array, shape (k,)
        tau at the start.
    mixing : array, shape (cluster, k, l)
        How the coefficients of a cluster go together: a factor of their correlations.
    following : array, shape (cluster, k, l)
        What t_c moves by if another coefficient of tau does.
    common_mixing : array, shape (k, l)
        The same factor for tau.
    common_scale, common_shift : array, shape (k,)
        What tau's own width and mean are, against those coefficient by coefficient.
    """

    precision: Array
    pulled: Array
    variance: Array
    common: Array
    mixing: Array
    following: Array
    common_mixing: Array
    common_scale: Array
    common_shift: Array


@dataclass(frozen=True)
class ClusterCoordinates:
    """Where each coordinate is in one vector, and what it stands for.

    Attributes
    ----------
    names : tuple of str
        The intercept, then the blocks in their order.
    levels : dict of str to int
        Number of levels of each category.
    groups : list of slice
        Coefficients of each of ``names``.
    scalars : dict of str to Scalar
        Spreads, then parameters of the family.
    fixed : Fixed
    """

    names: tuple[str, ...]
    levels: dict[str, int]
    groups: list[slice]
    scalars: dict[str, Scalar]
    fixed: Fixed

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.first + int(np.prod(self.fixed.precision.shape))

    @property
    def first(self) -> int:
        """Number of coordinates before those of the clusters."""
        return len(self.scalars) + len(self.levels) + self.groups[-1].stop

    def spread_of(self, name: str) -> str:
        """Name of the spread between clusters of one of ``names``."""
        return f"sigma_{CLUSTER}" if name == self.names[0] else f"sigma_{name}_by_cluster"

    def variances(self, sigmas: Mapping[str, Any], by: Algebra) -> Any:
        """Variance of every coefficient between clusters, shape (k,)."""
        level = sigmas[self.spread_of(self.names[0])] ** 2
        parts = []
        for name, group in zip(self.names[1:], self.groups[1:], strict=True):
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
        fixed, found = self.fixed, {}
        for place, (name, scalar) in enumerate(self.scalars.items()):
            found[name] = scalar.at + scalar.width * raw[place]
        place = len(self.scalars)
        for name in self.levels:
            found[f"{name} mean"] = raw[place]
            place += 1
        sigmas = {
            name: back[name](found[name]) for name in self.scalars if name.startswith("sigma_")
        }
        size = self.groups[-1].stop
        variance = self.variances(sigmas, by)
        one = fixed.precision * variance + 1
        own, centre = self._prior(sigmas, by)
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

    def _prior(self, sigmas: Mapping[str, Any], by: Algebra) -> tuple[Any, Any]:
        """About the precision of the prior of tau, and its centre."""
        parts = [_LEVEL * np.ones(1)]
        for name, group in zip(self.names[1:], self.groups[1:], strict=True):
            ones = np.ones(group.stop - group.start)
            own = 1 / sigmas[f"sigma_{name}"] ** 2 if name in self.levels else _SLOPE
            parts.append(own * ones)
        centre = self.fixed.common[0] * np.eye(self.groups[-1].stop)[0]
        return by.concatenate(parts), centre


def cluster_coordinates(
    design: Design, start: ClusterStart, onto: Scales, back: Scales
) -> ClusterCoordinates:
    """Coordinates around the normal approximation of a start.

    ``onto``, ``back``: take spreads and parameters of the family from their own scale to the whole
    line, and back.
    """
    groups = groups_of(design)
    names = (design.intercept, *(block.name for block in design.blocks))
    levels = {block.name: len(block.levels) for block in design.blocks if block.levels}
    scalars = {}
    for block, group in zip(design.blocks, groups[1:], strict=True):
        if block.levels:
            spread = float(np.clip(np.sqrt(np.mean(start.common[group] ** 2)), *_CLUSTER_SPREADS))
            name = f"sigma_{block.name}"
            width = 1 / np.sqrt(2 * (group.stop - group.start))
            scalars[name] = Scalar(float(onto[name](spread)), width)
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
    for name, value in start.parameters.items():
        scalars[name] = Scalar(float(onto[name](value)), start.spread[name])
    rough = ClusterCoordinates(names, levels, groups, scalars, _fixed(start, inverse, precision))
    return _centred(rough, start, inverse, back)


def _fixed(start: ClusterStart, inverse: Array, precision: Array) -> Fixed:
    size, variance = len(start.common), start.variance
    diagonal = np.diagonal(inverse, axis1=1, axis2=2)
    pulled = np.einsum("ckl,cl->ck", start.information, start.effects) + start.gradient
    mean = np.einsum("ckl,cl->ck", inverse, pulled + start.common / variance)
    following = inverse / variance
    following[:, range(size), range(size)] = 0.0
    return Fixed(
        precision,
        mean * (precision + 1 / variance) - start.common / variance,
        variance,
        start.common,
        np.linalg.cholesky(inverse) / np.sqrt(diagonal)[..., None],
        following,
        np.eye(size),
        np.ones(size),
        np.zeros(size),
    )


def _centred(
    rough: ClusterCoordinates, start: ClusterStart, inverse: Array, back: Scales
) -> ClusterCoordinates:
    """The same with tau's own mean, width and correlations at the start."""
    fixed, variance = rough.fixed, start.variance
    sigmas = {
        name: back[name](scalar.at)
        for name, scalar in rough.scalars.items()
        if name.startswith("sigma_")
    }
    own, centre = rough._prior(sigmas, NUMPY)
    one = fixed.precision * variance + 1
    single = (fixed.precision / one).sum(axis=0) + own
    single_mean = ((fixed.pulled / one).sum(axis=0) + own * centre) / single
    together = len(inverse) * np.diag(1 / variance) - inverse.sum(axis=0) / np.outer(
        variance, variance
    )
    pulled = np.einsum("ckl,cl->ck", start.information, start.effects) + start.gradient
    shrunk = np.einsum("ckl,cl->ck", inverse, pulled).sum(axis=0) / variance
    covariance = np.linalg.inv(together + np.diag(own))
    width = np.sqrt(np.diag(covariance))
    changed = Fixed(
        fixed.precision,
        fixed.pulled,
        variance,
        fixed.common,
        fixed.mixing,
        fixed.following,
        np.linalg.cholesky(covariance) / width[:, None],
        width * np.sqrt(single),
        covariance @ (shrunk + own * centre) - single_mean,
    )
    return ClusterCoordinates(rough.names, rough.levels, rough.groups, rough.scalars, changed)


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
    for name, group in zip(points.names[1:], points.groups[1:], strict=True):
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
