"""The rows of a register by what they have in common: one combination of levels, all its shares."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.rounding import grid
from intlmodels.register.rows import keys
from intlmodels.study import RegisterStudy
from intlmodels.study.columns import Predictor, frozen


@dataclass(frozen=True)
class Combinations:
    """What is different between rows apart from their share.

    Attributes
    ----------
    study : RegisterStudy
        Its ``firms`` are the combinations, its ``rows`` how many rows each has; the shares are
        their means.
    cell : array of int, shape (cell,)
        The combination of each cell.
    place : array of int, shape (cell,)
        Position of each cell's share on the printed grid.
    """

    study: RegisterStudy
    cell: NDArray[np.intp]
    place: NDArray[np.intp]


def combinations(study: RegisterStudy) -> Combinations:
    """Put the cells of a register together that differ in their share only."""
    parts = [_coded(predictor) for predictor in study.predictors.values()]
    clusters = study.clusters
    if clusters is not None:  # first: the combinations of a cluster follow each other
        parts = [(clusters.codes, len(clusters.labels)), *parts]
    _, first, cell = np.unique(keys(parts), return_index=True, return_inverse=True)
    values = grid(study.outcome.width)
    place = np.rint(study.outcome.printed / study.outcome.width).astype(np.intp)
    place = np.minimum(place, len(values) - 1)
    rows = np.bincount(cell, study.rows)
    predictors = {name: _of_rows(p, first) for name, p in study.predictors.items()}
    texts = [p.printed for p in predictors.values()]
    if clusters is not None:
        clusters = replace(clusters, codes=frozen(clusters.codes[first], np.intp))
        texts = [tuple(clusters.labels[code] for code in clusters.codes), *texts]
    names = zip(*texts, strict=True)
    means = np.bincount(cell, study.rows * study.outcome.printed) / rows
    made = replace(
        study,
        firms=tuple(", ".join(name) for name in names),
        outcome=replace(study.outcome, printed=frozen(means)),
        predictors=predictors,
        clusters=clusters,
        rows=frozen(rows, np.intp),
    )
    return Combinations(made, cell, place)


def _coded(predictor: Predictor) -> tuple[NDArray[np.intp], int]:
    """Codes in the order of levels or numbers, and how many there are."""
    if predictor.kind == "category":
        return predictor.codes, len(predictor.levels)
    values, codes = np.unique(predictor.values, return_inverse=True)
    return codes, len(values)


def _of_rows(predictor: Predictor, rows: NDArray[np.intp]) -> Predictor:
    return replace(
        predictor,
        printed=tuple(predictor.printed[i] for i in rows),
        codes=predictor.codes[rows] if predictor.kind == "category" else predictor.codes,
        values=predictor.values if predictor.kind == "category" else predictor.values[rows],
    )
