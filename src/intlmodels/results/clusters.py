"""Clusters of firms as tables: their shares, the differences within them, and their spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intlmodels.models.base import flat, texts
from intlmodels.models.share.design import CLUSTER
from intlmodels.results import share
from intlmodels.results.intervals import CI_PROB, Array, directions, parameters, table_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from xarray import DataTree


#: What the differences over all firms are called beside those within each cluster.
ALL = "all clusters"


def has_clusters(fit: DataTree) -> bool:
    """Whether the firms of a fit are of several clusters."""
    return f"{CLUSTER}_code" in fit["constant_data"]


def names(fit: DataTree) -> list[str]:
    """Names of the clusters."""
    return texts(fit["constant_data"].to_dataset()[f"{CLUSTER}_level"])


def by_cluster(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Each cluster with its own average and what the model expects of its firms.

    Returns
    -------
    pandas.DataFrame
        ``cluster``, ``firms``, ``printed_mean`` (average of what its firms print, in percent),
        the columns of :func:`intlmodels.results.intervals.table_of` of the expected printed share,
        averaged over its own firms as they are, and ``pulled``: how far the median is from the
        printed average, in percentage points; below zero where it was pulled down.
    """
    draws = flat(share.estimands(fit)[f"{CLUSTER}_share"])
    rows = share.rows_of(fit)
    codes = _codes(fit)
    counts = np.bincount(codes, rows)
    printed = np.bincount(codes, rows * share.observed(fit)) / counts
    columns = {"cluster": names(fit), "firms": counts.astype(int), "printed_mean": printed}
    table = table_of(fit, columns, draws, prob)
    return table.assign(pulled=table["median"] - table["printed_mean"])


def differences(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """What each predictor makes a difference of, over all firms and within each cluster.

    Returns
    -------
    pandas.DataFrame
        ``cluster`` (:data:`ALL` for all firms), ``predictor``, ``label``, ``level``,
        ``against``, ``firms_level``, ``firms_against`` (how many firms of the cluster stand at
        either; 0: the difference is borrowed from the other clusters), the columns of
        :func:`intlmodels.results.intervals.table_of` of level minus against, averaged over the
        firms of the cluster, in percentage points, ``p_positive`` and ``p_direction``.
    """
    import pandas as pd

    draws = share.estimands(fit)
    keys = _keys(fit)
    shown = {key: i for i, key in enumerate(zip(*_labels(fit, "comparison"), strict=True))}
    whole = flat(draws["difference"])[:, [shown[key] for key in keys]]
    own = draws[f"{CLUSTER}_difference"].transpose("chain", "draw", f"{CLUSTER}_level", "within")
    each = own.to_numpy().reshape(len(whole), -1, len(keys))
    counts = _counts(fit)
    named = share.labels(fit)
    found = []
    for place, cluster in enumerate([ALL, *names(fit)]):
        values = whole if cluster == ALL else each[:, place - 1]
        stand = counts.sum(axis=0) if cluster == ALL else counts[place - 1]
        columns = {
            "cluster": cluster,
            "predictor": [key[0] for key in keys],
            "label": [named[key[0]] for key in keys],
            "level": [key[1] for key in keys],
            "against": [key[2] for key in keys],
            "firms_level": [int(stand[_setting(fit, p, level)]) for p, level, _ in keys],
            "firms_against": [int(stand[_setting(fit, p, other)]) for p, _, other in keys],
        }
        found.append(table_of(fit, columns, values, prob).assign(**directions(values)))
    return pd.concat(found, ignore_index=True)


def spreads(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """How much levels and effects differ between clusters, on the logit scale.

    Returns
    -------
    pandas.DataFrame
        ``what`` in words, then the columns of :func:`intlmodels.results.intervals.parameters` of
        the standard deviations between clusters.
    """
    said = {f"sigma_{CLUSTER}": "level"}
    for block in share.blocks(fit):
        said[f"sigma_{block['name']}_by_{CLUSTER}"] = f"effect of {block['label']}"
    table = parameters(fit, prob)
    table = table[table["name"].isin(list(said))].reset_index(drop=True)
    table.insert(0, "what", [said[name] for name in table["name"]])
    return table


def main_comparisons(fit: DataTree, prob: float = CI_PROB) -> list[tuple[str, str, str]]:
    """One comparison of each predictor: of its levels those with the clearest difference.

    Returns
    -------
    list of (predictor, level, against)
        Those that are there within each cluster.
    """
    table = differences(fit, prob)
    table = table[table["cluster"] == ALL]
    found = []
    for _, part in table.groupby("predictor", sort=False):
        row = part.loc[part["p_direction"].idxmax()]
        found.append((str(row["predictor"]), str(row["level"]), str(row["against"])))
    return found


def _codes(fit: DataTree) -> NDArray[np.intp]:
    return np.asarray(fit["constant_data"][f"{CLUSTER}_code"].to_numpy(), dtype=np.intp)


def _labels(fit: DataTree, dim: str) -> list[list[str]]:
    draws = share.estimands(fit)
    return [texts(draws[f"{dim}_{end}"]) for end in ("predictor", "level", "against")]


def _keys(fit: DataTree) -> list[tuple[str, str, str]]:
    return list(zip(*_labels(fit, "within"), strict=True))


def _setting(fit: DataTree, predictor: str, level: str) -> int:
    """Position of a level among the settings of all predictors."""
    constant = fit["constant_data"].to_dataset()
    pairs = zip(texts(constant["setting_predictor"]), texts(constant["setting_level"]), strict=True)
    return list(pairs).index((predictor, level))


def _counts(fit: DataTree) -> Array:
    """Firms of each cluster at each setting of the predictors, (cluster, setting)."""
    at = [share.membership(fit, block) for block in share.blocks(fit)]
    stand = np.concatenate([np.empty((len(_codes(fit)), 0)), *at], axis=1)
    counts = np.zeros((len(names(fit)), stand.shape[1]))
    np.add.at(counts, _codes(fit), stand * share.rows_of(fit)[:, None])
    return counts
