"""Clusters of firms that are estimated together: each has a level and effects of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import StudyError, one_line
from intlmodels.study.columns import Outcome, Predictor, frozen, lookalike_lines
from intlmodels.study.keys import wrong
from intlmodels.study.sources import Cell, Sources

#: What the models call the levels of clusters, and what profiles call the cluster of a firm.
NAME = "cluster"


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which cluster each firm belongs to.

    Attributes
    ----------
    labels : tuple of str
        Names of the clusters, in the order of their letters.
    codes : array of int, shape (firm,)
        Position of each firm's cluster in ``labels``.
    label : str
        What a cluster is, in words.
    file, column : str
        Where the clusters stand.
    """

    labels: tuple[str, ...]
    codes: NDArray[np.intp]
    label: str
    file: str
    column: str


def read_clusters(
    spec: Mapping[str, Any],
    sources: Sources,
    outcome: Outcome,
    predictors: Mapping[str, Predictor],
) -> Clusters | None:
    """Read which cluster each firm belongs to; None for a study without ``[cluster]``.

    Parameters
    ----------
    spec : mapping
        The table [cluster] of study.toml; empty if there is none.
    sources : Sources
        Of the firms with a share.
    outcome : Outcome
    predictors : mapping of str to Predictor

    Raises
    ------
    StudyError
        If a firm has no label, if all firms are of one cluster or each is of its own, or if the
        column is in use already.
    """
    if not spec:
        return None
    file, column = spec.get("file", sources.file), clean_label(spec["column"])
    taken = {(outcome.file, outcome.column): "[outcome]"}
    taken |= {(p.file, p.column): f"[predictors.{p.name}]" for p in predictors.values()}
    taken[file, clean_label(sources.keys.get(file, sources.column))] = "[firms]"
    if (file, column) in taken:
        raise wrong(
            f"expected another column; {taken[file, column]} uses it", "[cluster] column", column
        )
    found = [_name(cell, sources) for cell in sources.cells(file, column, "[cluster] column")]
    labels = tuple(sorted(set(found)))
    if len(labels) == 1:
        raise StudyError(
            "every firm is of this cluster; expected two or more: add firms of other clusters, or "
            "delete [cluster]",
            file=file,
            column=column,
            value=labels[0],
        )
    if len(labels) == len(found):
        raise StudyError(
            f"each of the {len(found)} firms is of a cluster of its own; expected the name of the "
            "cluster in this column, the same for firms that belong together",
            file=file,
            column=column,
            value=labels[0],
        )
    place = {label: code for code, label in enumerate(labels)}
    codes = frozen([place[label] for label in found], np.intp)
    return Clusters(labels, codes, clean_label(spec.get("label", "Cluster")), file, column)


def _name(cell: Cell, sources: Sources) -> str:
    if cell.missing:
        raise cell.error("expected the name of the firm's cluster; write it, or delete the firm")
    return sources.label(cell)


def check_names(names: Iterable[tuple[str, str]]) -> None:
    """Refuse names of predictors that a study with clusters uses for itself.

    Parameters
    ----------
    names : iterable of (name, where)
        Names of predictors, and the tables of study.toml that give them.

    Raises
    ------
    StudyError
        For the first such name.
    """
    for name, where in names:
        low = name.lower()
        if low == NAME or low.startswith(f"{NAME}_") or f"_by_{NAME}" in low:
            raise wrong(
                "expected another name; with [cluster] the models use this one for themselves",
                where,
                name,
            )


def cluster_lines(clusters: Clusters) -> Iterator[str]:
    """How many firms each cluster has, for a person to check before fitting."""
    place = f"{clusters.file}, {clusters.column}"
    yield one_line(
        f"clusters, estimated together: {len(clusters.labels)}, {clusters.label} ({place})"
    )
    for label, count in zip(clusters.labels, np.bincount(clusters.codes), strict=True):
        yield one_line(f"  {count:>5}  {label}")
    yield from lookalike_lines(clusters.labels)
