"""Draws of the coefficients of a fit, and what they say for any weights.

The linear predictor is the design times the coefficients, draw by draw; a printed share is
expected over the printed grid.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
class GroupEffects:
    """Draws of the level and the effects of every group of a grouping, as deviations."""

    name: str  #: of the grouping
    labels: tuple[str, ...]  #: names of the groups
    codes: NDArray[np.intp]  #: (row,), position of each row's group
    level: Array  #: (draw, group), what a group adds to the intercept
    places: tuple[slice, ...]  #: of the blocks with slopes among all coefficients
    #: (draw, group, coefficient), what it adds to the coefficients of each of these blocks; of an
    #: ordered block to the total, one coefficient.
    effects: tuple[Array, ...]
    #: Of an ordered block the part of the total that is reached at each level, (draw, level).
    climbs: tuple[Array | None, ...]
    spreads: tuple[Array, ...]  #: (draw,), of the levels, then of the effects of each block
    size: int  #: number of all coefficients
    #: Factor of the correlations of level and effects, (draw, effect, effect).
    mixing: Array | None = None

    def of_group(self, group: int) -> Array:
        """What one group adds to all coefficients, (draw, coefficient)."""
        parts = zip(self.effects, self.climbs, strict=True)
        return self._placed([_climbing(own[:, group], climb) for own, climb in parts])

    def added(self) -> Iterator[Array]:
        """What each group adds to all coefficients, (draw, coefficient), one after the other."""
        return (self.of_group(group) for group in range(len(self.labels)))

    def of_rows(self, weights: Array, codes: NDArray[np.intp]) -> Array:
        """What rows in given groups gain, level and effects, (draw, row).

        ``weights`` (row, coefficient), without missing values; ``codes`` (row,).
        """
        total = self.level[:, codes]
        for place in range(len(self.places)):
            total += self.of_block(place, weights, codes)
        return total

    def of_block(self, place: int, weights: Array, codes: NDArray[np.intp]) -> Array:
        """What the effects of one of the blocks with slopes add to rows, (draw, row)."""
        own, climb, taken = self.effects[place], self.climbs[place], weights[:, self.places[place]]
        if climb is not None:
            return own[:, codes, 0] * (climb @ taken.T)
        total = own[:, codes, 0] * taken[:, 0]
        for k in range(1, taken.shape[1]):
            total += own[:, codes, k] * taken[:, k]
        return total

    def of_new(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw a group that was not in the study: its level, and what it adds to all."""
        count = len(self.level)
        level, *spreads = (spread[:, None] for spread in self.spreads)
        sizes = [1, *(own.shape[2] for own in self.effects)]
        drawn = [rng.normal(size=(count, size)) for size in sizes]
        if self.mixing is not None:
            mixed = np.einsum("dkl,dl->dk", self.mixing, np.concatenate(drawn, axis=1))
            drawn = np.split(mixed, np.cumsum(sizes)[:-1], axis=1)
        parts = [
            _climbing(standard * spread, climb)
            for standard, spread, climb in zip(drawn[1:], spreads, self.climbs, strict=True)
        ]
        return (drawn[0] * level)[:, 0], self._placed(parts)

    def of_new_level(self, columns: slice, rng: np.random.Generator) -> Array:
        """Draw what a group adds to a level of a block that was not in the study, (draw,)."""
        if columns not in self.places:
            return np.zeros(len(self.level))
        return rng.normal(size=len(self.level)) * self.spreads[1 + self.places.index(columns)]

    def at(self, pick: Any) -> GroupEffects:
        """The same at some of the draws."""
        return replace(
            self,
            level=self.level[pick],
            effects=tuple(own[pick] for own in self.effects),
            climbs=tuple(None if climb is None else climb[pick] for climb in self.climbs),
            spreads=tuple(spread[pick] for spread in self.spreads),
            mixing=None if self.mixing is None else self.mixing[pick],
        )

    def _placed(self, parts: list[Array]) -> Array:
        total = np.zeros((len(self.level), self.size))
        for columns, part in zip(self.places, parts, strict=True):
            total[:, columns] = part
        return total


def _climbing(own: Array, climb: Array | None) -> Array:
    return own if climb is None else own * climb


def _group_effects(
    name: str,
    draws: Dataset,
    constant: Dataset,
    blocks: Sequence[Mapping[str, Any]],
    place: Mapping[str, slice],
    flat: Callable[[DataArray], Array],
) -> GroupEffects:
    """What the groups of a grouping deviate by; ``flat``: see :meth:`Coefficients._flat`."""
    level = flat(draws[name])
    sloped = [block for block in blocks if f"{block['name']}_by_{name}" in draws]
    effects, climbs = [], []
    for block in sloped:
        own = flat(draws[f"{block['name']}_by_{name}"])
        effects.append(own.reshape(*level.shape, -1))
        climb = None
        if block["kind"] == "monotonic":
            steps = flat(draws[f"{block['name']}_steps"]).cumsum(axis=1)
            climb = np.concatenate([np.zeros((len(steps), 1)), steps], axis=1)
        climbs.append(climb)
    spreads = [name, *(f"{block['name']}_by_{name}" for block in sloped)]
    mixing = None
    if f"{name}_correlation" in draws:
        matrix = flat(draws[f"{name}_correlation"])
        size = round(matrix.shape[1] ** 0.5)
        mixing = np.linalg.cholesky(matrix.reshape(-1, size, size))
    return GroupEffects(
        name,
        tuple(str(label) for label in constant[f"{name}_level"].to_numpy()),
        constant[f"{name}_code"].to_numpy().astype(np.intp),
        level,
        tuple(place[block["name"]] for block in sloped),
        tuple(effects),
        tuple(climbs),
        tuple(flat(draws[f"sigma_{spread}"])[:, 0] for spread in spreads),
        sum(columns.stop - columns.start for columns in place.values()),
        mixing,
    )


def groupings_of(constant: Dataset) -> dict[str, dict[str, Any]]:
    """Groupings of a fit by name: label, slopes, whether they are correlated."""
    if "groupings" in constant.attrs:
        return {own["name"]: own for own in json.loads(constant.attrs["groupings"])}
    if f"{CLUSTER}_code" not in constant:
        return {}
    label = str(constant.attrs.get(f"{CLUSTER}_label", CLUSTER))
    return {CLUSTER: {"name": CLUSTER, "label": label, "slopes": None, "correlated": False}}


# -- weights of rows under changes -----------------------------------------------------


@dataclass(frozen=True)
class Change:
    """What rows take in place of what is observed of them."""

    #: Block -> weights, (coefficient,) for all rows or (row, coefficient).
    weights: Mapping[str, Array] = field(default_factory=dict)
    #: Grouping -> the group in which all rows are.
    groups: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Terms:
    """Blocks of a linear predictor beside that of the mean, with the draws of its coefficients."""

    blocks: list[dict[str, Any]]
    place: dict[str, slice]
    design: Array  #: (row, coefficient)
    values: Array  #: (draw, coefficient)

    def linear(self, change: Change) -> Array:
        """What they add under a change, (draw, row)."""
        return self.values @ changed(self, change).T

    def at(self, pick: Any) -> Terms:
        """The same at some of the draws."""
        return replace(self, values=self.values[pick])


def places_of(blocks: Sequence[Mapping[str, Any]]) -> dict[str, slice]:
    """Columns of each block among all coefficients."""
    starts = np.cumsum([0, *(max(len(block["levels"]), 1) for block in blocks)]).tolist()
    return {b["name"]: slice(*ends) for b, ends in zip(blocks, pairwise(starts), strict=True)}


def changed(terms: Terms | Coefficients, change: Change) -> Array:
    """Weights of all rows under a change, products made anew, (row, coefficient)."""
    place, moved = terms.place, set(change.weights)
    if not moved:
        return terms.design
    design = terms.design.copy()
    for name in moved & set(place):
        design[:, place[name]] = change.weights[name]
    for block in terms.blocks:
        products = block.get("of") or ()
        if block["name"] in change.weights or not moved & {n for p in products for n, _ in p}:
            continue
        moved.add(block["name"])  # products of products follow
        for column, product in enumerate(products, place[block["name"]].start):
            design[:, column] = 1.0
            for name, k in product:
                design[:, column] *= design[:, place[name].start + k]
    return design


# -- draws of the coefficients of a fit ------------------------------------------------

#: Rounding width, in percentage points, up to which the mean share stands for the printed one.
FINE = 0.5
#: Rows, or combinations of a register, up to which probabilities are computed for each; beyond, at
#: nodes.
FEW = 400
#: Draws whose probabilities over the grid are held at a time, and their number with those.
CHUNK = 10_000
MOST_HELD = 10_000_000
#: Distance of reported shares, in percentage points, that pictures and predictions show if there is
#: no common rounding width; below, and the least that they show.
COARSE, FINEST_SHOWN = 1.0, 0.1


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
        self.place = places_of(self.blocks)
        self.parameters = {
            name: self._flat(draws[name])[:, slice(None) if name in observation.VECTORS else 0]
            for name in observation.PARAMETERS[self.family]
        }
        self.spread = {
            block["name"]: self._flat(draws[f"sigma_{block['name']}"])[:, 0]
            for block in self.blocks
            if f"sigma_{block['name']}" in draws
        }
        #: What groups of rows add to all of these: clusters, further groupings, firms of a panel.
        self.groupings = tuple(
            _group_effects(name, draws, constant, self.blocks, self.place, self._flat)
            for name in groupings_of(constant)
        )
        self.design = constant["design"].to_numpy()
        #: Terms of the logarithm of the precision, and of the log odds of a structural zero.
        self.precision = self._terms("precision", "phi_", draws, constant)
        self.never = self._terms("never", "never_", draws, constant)
        #: Terms of the log odds of a second part within the rest, in a composition.
        self.split = self._terms("split", "split_", draws, constant)
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

    def _terms(self, name: str, prefix: str, draws: Dataset, constant: Dataset) -> Terms | None:
        """Terms of another parameter, by the names that their predictors have elsewhere."""
        blocks = json.loads(constant.attrs.get(name, "[]"))
        if not blocks:
            return None
        values = [self._flat(draws[block["variable"]]) for block in blocks]
        for block in blocks:
            block["name"] = block["name"].removeprefix(prefix)
            block["of"] = [
                [(factor.removeprefix(prefix), k) for factor, k in product]
                for product in block.get("of") or ()
            ]
        design = constant[f"{name}_design"].to_numpy()
        return Terms(blocks, places_of(blocks), design, np.concatenate(values, axis=1))

    @property
    def clusters(self) -> GroupEffects | None:
        """What clusters add, of a study that has them."""
        return next((own for own in self.groupings if own.name == CLUSTER), None)

    @property
    def by_profile(self) -> bool:
        """Whether rows with the same weights, and the same cluster, have the same expectation.

        If so, each combination is computed once; otherwise row by row (:meth:`rows_linear`).
        """
        return (
            all(own.name == CLUSTER for own in self.groupings)
            and not any(block.get("of") for block in self.blocks)
            and self.precision is None
            and self.never is None
            and self.family != "ordered-beta"
        )

    @property
    def grid(self) -> Array:
        """Everything that can be reported: shares in percent, or what each level counts.

        Without a common rounding width whole percents.
        """
        return self.worth if self.family in observation.LEVELLED else grid(self.width or COARSE)

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
        return self.intercept + own.level[:, cluster], self.values + own.of_group(cluster)

    def contribution(self, columns: slice) -> Array:
        """What some coefficients add to the linear predictor of the firms, (draw, firm).

        Each firm with the coefficients of its own cluster or groups.
        """
        if not self.by_profile:
            weights = np.nan_to_num(self.design)
            total = self.added(self.values, columns)
            for own in self.groupings:
                if columns in own.places:
                    total += own.of_block(own.places.index(columns), weights, own.codes)
            return total
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

    def _expected(self, linear: Array, own: Mapping[str, Array] | None = None) -> Array:
        """``own``: parameters that differ by row, (draw, profile)."""
        result = np.empty_like(linear)
        summed = np.ones(linear.shape, bool)
        beta = ("beta", "hurdle", "density", "composition")
        if self.width > FINE and self.family in beta and not own:
            found = observation.expected_by_polynomial(linear, self.parameters["phi"], self.width)
            if found is not None:
                return found * (1 - self.parameters.get("never", np.zeros(1))[:, None])
        if self.width <= FINE:
            mean, variance = moments(self, linear, own)
            summed = variance < (self.width / 100) ** 2
            result = 100 * mean
        values = self.grid
        many = max(1, min(CHUNK, MOST_HELD // len(values)))
        for column in np.flatnonzero(summed.any(axis=0)):
            draws = np.flatnonzero(summed[:, column])
            for start in range(0, len(draws), many):
                pick = draws[start : start + many]
                parts = {name: value[pick, column] for name, value in (own or {}).items()}
                result[pick, column] = self.chances(linear[pick, column], pick, parts) @ values
        return result

    def chances(self, linear: Array, pick: Any, own: Mapping[str, Array] | None = None) -> Array:
        """Probability of every reported value, (..., grid), under some of the draws.

        ``own``: parameters in place of those in common, of the shape of ``linear``.
        """
        parameters = {name: value[pick] for name, value in self.parameters.items()} | dict(
            own or {}
        )
        width = self.width or COARSE
        return observation.printed_probabilities(self.family, linear, parameters, width)

    # -- row by row ------------------------------------------------------------------------

    def rows_linear(self, change: Change) -> Array:
        """Linear predictor of rows under a change, (draw, row)."""
        weights = changed(self, change)
        known = np.nan_to_num(weights)
        total = self.intercept[:, None] + self.values @ known.T
        for own in self.groupings:
            if own.name in change.groups:
                total += own.of_rows(known, np.full(len(known), change.groups[own.name]))
            elif weights is not self.design and any(
                not np.array_equal(weights[:, at], self.design[:, at]) for at in own.places
            ):
                total += own.of_rows(known, own.codes)
            else:
                total += self._as_observed(own)
        for (column, row), draws in self.imputed.items():
            if np.isnan(weights[row, column]):
                slope = self.values[:, column].copy()
                for own in self.groupings:
                    group = change.groups.get(own.name, own.codes[row])
                    slope += own.of_group(group)[:, column]
                total[:, row] += slope * draws
        return total

    def _as_observed(self, own: GroupEffects) -> Array:
        """What rows gain in their own groups, kept for further changes, (draw, row)."""
        kept = self.__dict__.setdefault("_kept", {})
        if own.name not in kept:
            kept[own.name] = own.of_rows(np.nan_to_num(self.design), own.codes)
        return kept[own.name]

    def rows_parameters(self, change: Change) -> dict[str, Array]:
        """Parameters of the family that differ by row under a change, each (draw, row)."""
        found = {}
        if self.precision is not None:
            log_phi = np.log(self.parameters["phi"])[:, None]
            found["phi"] = np.exp(log_phi + self.precision.linear(change))
        if self.never is not None:
            never = self.parameters["never"]
            start = (np.log(never) - np.log1p(-never))[:, None]
            found["never"] = observation.inverse_logit(start + self.never.linear(change))
        return found

    def rows_expected(self, linear: Array, own: Mapping[str, Array], points: int) -> Array:
        """Expected reported share of rows in percent, (draw, row).

        If there are many ``points`` for each draw, it is looked up between nodes. ``own``: see
        :meth:`rows_parameters`.
        """
        if points <= FEW or self.width <= FINE or self.family in observation.LEVELLED:
            return self._expected(linear, own)
        in_common = {name: value[:, None] for name, value in self.parameters.items()}
        return observation.expected_reported(self.family, linear, in_common | dict(own), self.width)

    def among(self, rows: NDArray[np.intp]) -> Coefficients:
        """The same of some of the rows."""
        new = object.__new__(Coefficients)
        new.__dict__.update(self.__dict__)
        new.__dict__.pop("_kept", None)
        new.design = self.design[rows]
        new.rows = None if self.rows is None else self.rows[rows]
        new.groupings = tuple(replace(own, codes=own.codes[rows]) for own in self.groupings)
        for name in ("precision", "never"):
            terms: Terms | None = getattr(self, name)
            if terms is not None:
                setattr(new, name, replace(terms, design=terms.design[rows]))
        place = {row: i for i, row in enumerate(rows.tolist())}
        new.imputed = {(c, place[r]): d for (c, r), d in self.imputed.items() if r in place}
        return new

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

    def at(self, pick: Any) -> Coefficients:
        """The same at some of the draws, an index or a slice, as one chain."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        for name in ("_expected_at_nodes", "_kept"):
            new.__dict__.pop(name, None)  # of the other draws
        new.intercept, new.values = self.intercept[pick], self.values[pick]
        new.sizes = (1, len(new.intercept))
        new.groupings = tuple(own.at(pick) for own in self.groupings)
        new.precision = None if self.precision is None else self.precision.at(pick)
        new.never = None if self.never is None else self.never.at(pick)
        for name in ("parameters", "spread", "imputed"):
            setattr(new, name, {key: v[pick] for key, v in getattr(self, name).items()})
        return new


def means_by_group(
    values: Array, codes: NDArray[np.intp], size: int, rows: NDArray[Any] | None = None
) -> Array:
    """Means over the rows of each group, (draw, group); NaN of a group without rows.

    ``values`` (draw, row); ``codes`` (row,); ``rows``: how many each row stands for.
    """
    counts = np.bincount(codes, rows, size)
    order = np.argsort(codes, kind="stable")
    weighted = values[:, order] if rows is None else values[:, order] * rows[order]
    there = np.flatnonzero(counts)
    starts = np.searchsorted(codes[order], there)
    found = np.full((len(values), size), np.nan)
    found[:, there] = np.add.reduceat(weighted, starts, axis=1) / counts[there]
    return found


def moments(
    coefficients: Coefficients, linear: Array, own: Mapping[str, Array] | None = None
) -> tuple[Array, Array]:
    """Mean and variance given the linear predictor, (draw, profile).

    Of a share (not printed), of yes as 1 and no as 0, or of the position of a level. ``own``:
    parameters that differ by row, (draw, profile).
    """
    parameters = {name: value[:, None] for name, value in coefficients.parameters.items()}
    parameters |= own or {}
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
    if coefficients.family == "ordered-beta":
        zero = observation.inverse_logit(parameters["cut_zero"] - linear)
        top = parameters["cut_zero"] + parameters["cut_range"]
        one = observation.inverse_logit(linear - top)
        inside = 1 - zero - one
        mean = one + inside * mu
        return mean, one + inside * (within + mu**2) - mean**2
    return mu, within
