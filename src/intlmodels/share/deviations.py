"""Draws of what clusters of firms deviate by, from the level and the effects that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.models.shareblocks import CLUSTER

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Deviations:
    """Draws of the level and the effects of every cluster, as deviations.

    Attributes
    ----------
    labels : tuple of str
        Names of the clusters.
    codes : array of int, shape (firm,)
        Position of each firm's cluster.
    level : array, shape (draw, cluster)
        What a cluster adds to the intercept.
    effects : tuple of array, shape (draw, cluster, coefficient)
        What a cluster adds to the coefficients of each block; of an ordered block what it adds
        to the total, one coefficient.
    climbs : tuple of array or None
        Of an ordered block the part of the total that is reached at each level, (draw, level).
    spreads : tuple of array, shape (draw,)
        Of the levels, then of the effects of each block.
    """

    labels: tuple[str, ...]
    codes: NDArray[np.intp]
    level: Array
    effects: tuple[Array, ...]
    climbs: tuple[Array | None, ...]
    spreads: tuple[Array, ...]

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

    Parameters
    ----------
    draws : xarray.Dataset
        Group of the fit with the parameters.
    constant : xarray.Dataset
        Its constant data.
    blocks : sequence of mapping
        Parts of its linear predictor.
    flat : callable
        From an array to (draw, everything else).
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
