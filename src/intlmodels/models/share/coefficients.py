"""Draws of the coefficients of a fit, and what they say for any weights.

The linear predictor is the design times the coefficients, draw by draw; a printed share is
expected over the printed grid.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.rounding import grid
from intlmodels.models.share import observation
from intlmodels.models.share.design import CLUSTER, intercept_of

if TYPE_CHECKING:
    from xarray import DataArray, Dataset, DataTree


Array = NDArray[np.float64]


@dataclass(frozen=True)
class Deviations:
    """Draws of the level and the effects of every cluster, as deviations."""

    labels: tuple[str, ...]  #: names of the clusters
    codes: NDArray[np.intp]  #: (firm,), position of each firm's cluster
    level: Array  #: (draw, cluster), what a cluster adds to the intercept
    #: (draw, cluster, coefficient), what it adds to the coefficients of each block; of an ordered
    #: block to the total, one coefficient.
    effects: tuple[Array, ...]
    #: Of an ordered block the part of the total that is reached at each level, (draw, level).
    climbs: tuple[Array | None, ...]
    spreads: tuple[Array, ...]  #: (draw,), of the levels, then of the effects of each block

    def of_cluster(self, cluster: int) -> Array:
        """What one cluster adds to all coefficients, (draw, coefficient)."""
        parts = zip(self.effects, self.climbs, strict=True)
        return self._joined([_climbing(own[:, cluster], climb) for own, climb in parts])

    def added(self) -> Iterator[Array]:
        """What each cluster adds to all coefficients, (draw, coefficient), one after the other."""
        return (self.of_cluster(cluster) for cluster in range(len(self.labels)))

    def of_new(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw a cluster that was not in the study: its level, and what it adds to all."""
        count = len(self.level)
        level, *spreads = (spread[:, None] for spread in self.spreads)
        drawn = rng.normal(size=(count, 1)) * level
        parts = [
            _climbing(rng.normal(size=(count, own.shape[2])) * spread, climb)
            for own, climb, spread in zip(self.effects, self.climbs, spreads, strict=True)
        ]
        return drawn[:, 0], self._joined(parts)

    def of_new_level(self, block: int, rng: np.random.Generator) -> Array:
        """Draw what a cluster adds to a level of a block that was not in the study, (draw,)."""
        return rng.normal(size=len(self.level)) * self.spreads[1 + block]

    def at(self, pick: NDArray[np.intp]) -> Deviations:
        """The same at some of the draws."""
        return Deviations(
            self.labels,
            self.codes,
            self.level[pick],
            tuple(own[pick] for own in self.effects),
            tuple(None if climb is None else climb[pick] for climb in self.climbs),
            tuple(spread[pick] for spread in self.spreads),
        )

    def _joined(self, parts: list[Array]) -> Array:
        return np.concatenate([np.empty((len(self.level), 0)), *parts], axis=1)


def _climbing(own: Array, climb: Array | None) -> Array:
    return own if climb is None else own * climb


def deviations(
    draws: Dataset,
    constant: Dataset,
    blocks: Sequence[Mapping[str, Any]],
    flat: Callable[[DataArray], Array],
) -> Deviations | None:
    """What the clusters of a fit deviate by; None if its study has no clusters.

    ``draws``: group of the fit with the parameters; ``constant``: its constant data; ``blocks``:
    parts of its linear predictor; ``flat``: from an array to (draw, everything else).
    """
    if f"{CLUSTER}_code" not in constant:
        return None
    level = flat(draws[CLUSTER])
    effects, climbs = [], []
    for block in blocks:
        own = flat(draws[f"{block['name']}_by_{CLUSTER}"])
        effects.append(own.reshape(*level.shape, -1))
        climb = None
        if block["kind"] == "monotonic":
            steps = flat(draws[f"{block['name']}_steps"]).cumsum(axis=1)
            climb = np.concatenate([np.zeros((len(steps), 1)), steps], axis=1)
        climbs.append(climb)
    spreads = [CLUSTER, *(f"{block['name']}_by_{CLUSTER}" for block in blocks)]
    return Deviations(
        tuple(str(label) for label in constant[f"{CLUSTER}_level"].to_numpy()),
        constant[f"{CLUSTER}_code"].to_numpy().astype(np.intp),
        level,
        tuple(effects),
        tuple(climbs),
        tuple(flat(draws[f"sigma_{name}"])[:, 0] for name in spreads),
    )


# -- draws of the coefficients of a fit ------------------------------------------------

#: Rounding width, in percentage points, up to which the mean share stands for the printed one.
FINE = 0.5
#: Combinations of a register up to which probabilities are computed for each; beyond, at nodes.
FEW = 400
#: Draws whose probabilities over the grid are held at a time.
CHUNK = 10_000


class Coefficients:
    """Draws of the coefficients of a fit, posterior or prior, and what they say for any weights."""

    def __init__(self, tree: DataTree, group: str = "posterior") -> None:
        draws = tree[group].to_dataset()
        constant = tree["constant_data"].to_dataset()
        self.blocks: list[dict[str, Any]] = json.loads(constant.attrs["blocks"])
        self.family = str(tree.attrs["family"])
        self.width = float(constant.attrs["rounding_width"])
        #: What each level counts, of a further outcome.
        self.worth = constant["printed_grid"].to_numpy()
        self.sizes = (draws.sizes["chain"], draws.sizes["draw"])
        start = intercept_of(self.family)
        count = self.sizes[0] * self.sizes[1]
        self.intercept = self._flat(draws[start])[:, 0] if start else np.zeros(count)
        parts = [self._flat(draws[block["variable"]]) for block in self.blocks]
        self.values: Array = np.concatenate([np.empty((count, 0)), *parts], axis=1)
        starts = np.cumsum([0, *(part.shape[1] for part in parts)])
        self.place = {
            block["name"]: slice(int(starts[i]), int(starts[i + 1]))
            for i, block in enumerate(self.blocks)
        }
        self.parameters = {
            name: self._flat(draws[name])[:, slice(None) if name in observation.VECTORS else 0]
            for name in observation.PARAMETERS[self.family]
        }
        self.spread = {
            block["name"]: self._flat(draws[f"sigma_{block['name']}"])[:, 0]
            for block in self.blocks
            if f"sigma_{block['name']}" in draws
        }
        #: Of a study with clusters: what each adds to all of these.
        self.clusters = deviations(draws, constant, self.blocks, self._flat)
        self.design = constant["design"].to_numpy()
        #: Of a register: how many rows each row of the design stands for.
        self.rows = constant["rows"].to_numpy() if "rows" in constant else None
        # Missing covariates are parameters: (column, firm) -> draws of the weight.
        self.imputed = {
            (self.place[block["name"]].start, firm): self._flat(draws[f"{block['name']}_missing"])[
                :, k
            ]
            for block in self.blocks
            for k, firm in enumerate(block["missing"])
        }

    @property
    def grid(self) -> Array:
        """Everything that can be printed: shares in percent, or what each level counts."""
        return self.worth if self.family in observation.LEVELLED else grid(self.width)

    def mean(self, values: Array, firms: NDArray[np.intp] | None = None) -> Array:
        """Mean over the firms, or some of them, of (draw, firm); of a register over its rows."""
        if self.rows is None:
            return values.mean(axis=1)
        rows = self.rows if firms is None else self.rows[firms]
        return values @ (rows / rows.sum())

    def variance(self, values: Array) -> Array:
        """Variance between the firms, of (draw, firm); of a register between its rows."""
        if self.rows is None:
            return values.var(axis=1)
        return self.mean((values - self.mean(values)[:, None]) ** 2)

    @staticmethod
    def _flat(array: DataArray) -> Array:
        values = array.transpose("chain", "draw", ...).to_numpy()
        return values.reshape(values.shape[0] * values.shape[1], -1)

    def groups(self) -> Iterator[tuple[int | None, NDArray[np.intp]]]:
        """Clusters and their firms, one after the other; without clusters None and all firms."""
        if self.clusters is None:
            yield None, np.arange(len(self.design))
            return
        codes = self.clusters.codes
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(len(self.clusters.labels) + 1))
        for cluster, (start, stop) in enumerate(pairwise(starts)):
            yield cluster, order[start:stop]

    def in_cluster(self, cluster: int | None) -> tuple[Array, Array]:
        """Intercept (draw,) and coefficients (draw, coefficient) of a cluster; None: in common."""
        if cluster is None or self.clusters is None:
            return self.intercept, self.values
        own = self.clusters
        return self.intercept + own.level[:, cluster], self.values + own.of_cluster(cluster)

    def contribution(self, columns: slice) -> Array:
        """What some coefficients add to the linear predictor of the firms, (draw, firm).

        Each firm with the coefficients of its own cluster.
        """
        parts = [
            (firms, self.added(self.in_cluster(cluster)[1], columns, firms))
            for cluster, firms in self.groups()
        ]
        if len(parts) == 1:
            return parts[0][1]
        total = np.empty((len(self.intercept), len(self.design)))
        for firms, part in parts:
            total[:, firms] = part
        return total

    def added(self, values: Array, columns: slice, firms: NDArray[np.intp] | None = None) -> Array:
        """What given draws of coefficients add to the linear predictor of firms, (draw, firm)."""
        firms = np.arange(len(self.design)) if firms is None else firms
        weights = np.nan_to_num(self.design[firms][:, columns])
        total = values[:, columns] @ weights.T
        for (column, firm), draws in self.imputed.items():
            if columns.start <= column < columns.stop:
                for position in np.flatnonzero(firms == firm):
                    total[:, position] += values[:, column] * draws
        return total

    def profiles(
        self, changes: Array, firms: NDArray[np.intp] | None = None
    ) -> tuple[Array, NDArray[np.intp], NDArray[np.intp]]:
        """The distinct rows of weights that firms have under each of several changes.

        ``changes`` (change, coefficient): weights to use instead of the observed ones; NaN leaves
        them as observed; ``firms``: only these firms. Returns ``rows`` (profile, coefficient): NaN
        where a covariate is missing and stays so; ``firm`` (profile,): a firm that has this
        profile; ``profile`` (change, firm).
        """
        firms = np.arange(len(self.design)) if firms is None else firms
        design = self.design[firms]
        stacked = np.where(np.isnan(changes)[:, None], design[None], changes[:, None])
        stacked = stacked.reshape(len(changes) * len(firms), design.shape[1])
        firm = np.tile(firms, len(changes))
        # A firm whose missing covariate is imputed is a profile of its own.
        tag = np.where(np.isnan(stacked).any(axis=1), firm + 1.0, 0.0)
        _, first, inverse = np.unique(
            np.column_stack([np.nan_to_num(stacked), tag]),
            axis=0,
            return_index=True,
            return_inverse=True,
        )
        return stacked[first], firm[first], inverse.reshape(len(changes), len(firms))

    def linear(self, rows: Array, firm: NDArray[np.intp], cluster: int | None = None) -> Array:
        """Linear predictor of profiles, (draw, profile); arguments as from :meth:`profiles`.

        ``cluster`` is that in which all of them are.
        """
        intercept, values = self.in_cluster(cluster)
        total = intercept[:, None] + values @ np.nan_to_num(rows).T
        for (column, missing), draws in self.imputed.items():
            for position in np.flatnonzero((firm == missing) & np.isnan(rows[:, column])):
                total[:, position] += values[:, column] * draws
        return total

    def expected(self, linear: Array) -> Array:
        """Expected printed share in percent, (draw, profile).

        On a grid of at most ``FINE`` the expectation of the printed share is that of the
        share itself, as long as shares vary by more than the grid: a printed mean is the
        midpoint rule for the mean, and its error is below 0.01 points there (by brute force
        in the tests). Elsewhere it is summed over the grid.
        """
        if self._many:
            # A smooth function of one number for every draw: computed at nodes.
            at_nodes = self._expected_at_nodes
            return observation.interpolated_each(np.ascontiguousarray(linear), at_nodes)
        return self._expected(linear)

    @property
    def _many(self) -> bool:
        """Whether there are more different firms than nodes."""
        return self.rows is not None and len(self.design) > FEW

    @cached_property
    def _expected_at_nodes(self) -> Array:
        """Expected printed share at the nodes, (draw, node)."""
        at = observation.nodes(observation.COUNTS[0])
        return self._expected(np.broadcast_to(at, (len(self.intercept), len(at))))

    def _expected(self, linear: Array) -> Array:
        result = np.empty_like(linear)
        summed = np.ones(linear.shape, bool)
        if self.width <= FINE:
            mean, variance = moments(self, linear)
            summed = variance < (self.width / 100) ** 2
            result = 100 * mean
        for column in range(linear.shape[1]):
            draws = np.flatnonzero(summed[:, column])
            for start in range(0, len(draws), CHUNK):
                pick = draws[start : start + CHUNK]
                result[pick, column] = self.chances(linear[pick, column], pick) @ self.grid
        return result

    def chances(self, linear: Array, pick: Any) -> Array:
        """Probability of every printed value, (..., grid), under some of the draws."""
        parameters = {name: value[pick] for name, value in self.parameters.items()}
        return observation.printed_probabilities(self.family, linear, parameters, self.width)

    def drawn_chances(self, draw: int) -> Array:
        """Probability of every printed value under one draw, (firm, grid); of a register."""
        linear = self.intercept[draw] + self.design @ self.values[draw]
        if self.clusters is not None:
            own, codes = self.clusters, self.clusters.codes
            added = np.stack([part[0] for part in own.at(np.array([draw])).added()])
            linear += own.level[draw, codes] + (self.design * added[codes]).sum(axis=1)
        if not self._many:
            return self.chances(linear, draw)
        parameters = {name: value[draw] for name, value in self.parameters.items()}
        count = observation.COUNTS[0]
        values = observation.table(self.family, parameters, self.width, self.grid, count)
        return np.exp(observation.interpolated(linear, values)[0])

    def reached(self, linear: Array) -> Array:
        """Probability in percent of each level above the lowest, or of one beyond it.

        Of an ordered outcome: (draw, profile, level).
        """
        distance = linear[..., None] - self.parameters["cutpoints"][:, None, :]
        return 100 * np.asarray(observation.inverse_logit(distance))

    def thinned(self, step: int) -> Coefficients:
        """The same with every ``step``-th draw of each chain."""
        if step == 1:
            return self
        chains, draws = self.sizes
        index = np.arange(chains * draws).reshape(chains, draws)[:, ::step]
        new = self.at(index.ravel())
        new.sizes = (chains, index.shape[1])
        return new

    def at(self, pick: NDArray[np.intp]) -> Coefficients:
        """The same at some of the draws, as one chain."""
        new = object.__new__(Coefficients)
        new.__dict__.update(self.__dict__)
        new.__dict__.pop("_expected_at_nodes", None)  # of the other draws
        new.sizes = (1, len(pick))
        new.intercept, new.values = self.intercept[pick], self.values[pick]
        new.clusters = None if self.clusters is None else self.clusters.at(pick)
        for name in ("parameters", "spread", "imputed"):
            setattr(new, name, {key: v[pick] for key, v in getattr(self, name).items()})
        return new


def moments(coefficients: Coefficients, linear: Array) -> tuple[Array, Array]:
    """Mean and variance given the linear predictor, (draw, profile).

    Of a share (not printed), of yes as 1 and no as 0, or of the position of a level.
    """
    parameters = {name: value[:, None] for name, value in coefficients.parameters.items()}
    if coefficients.family in observation.LEVELLED:
        chances = observation.printed_probabilities(
            coefficients.family, linear, parameters, coefficients.width
        )
        places = np.arange(chances.shape[-1])
        mean = chances @ places
        return mean, chances @ places**2 - mean**2
    if coefficients.family == "logit-normal":
        nodes, weights = np.polynomial.hermite_e.hermegauss(20)
        weights = weights / weights.sum()
        mean, square = np.zeros_like(linear), np.zeros_like(linear)
        for node, weight in zip(nodes, weights, strict=True):
            share = observation.inverse_logit(linear + node * parameters["sigma"])
            mean += weight * share
            square += weight * share**2
        return mean, square - mean**2
    mu = observation.inverse_logit(linear)
    within = mu * (1 - mu) / (1 + parameters["phi"])
    if coefficients.family == "hurdle":
        sells = 1 - parameters["never"]
        return sells * mu, sells * within + sells * (1 - sells) * mu**2
    return mu, within
