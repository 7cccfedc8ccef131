"""A register of decisions against registers predicted by its fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intlmodels.draws import flat, texts
from intlmodels.results import CI_PROB, Array, table_of

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataTree


def by_entries(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Part of the decisions with the flag by size and prior entries, observed and predicted.

    Returns
    -------
    pandas.DataFrame
        ``size``, ``entries``, ``decisions``, ``observed`` (percent), and the columns of
        :func:`intlmodels.results.intervals` of the percentage in predicted registers.
    """
    constant = fit["constant_data"].to_dataset()
    sizes = np.asarray(texts(constant["size"]), dtype=object)
    keys = np.column_stack([constant["size_at"].to_numpy(), constant["entries_at"].to_numpy()])
    groups, inverse = np.unique(keys, axis=0, return_inverse=True)
    where = inverse.reshape(-1)
    made = np.bincount(where, constant["made_at"].to_numpy())
    seen = np.bincount(where, fit["observed_data"]["flags"].to_numpy())
    drawn = _summed(flat(fit["posterior_predictive"].to_dataset()["flags"]), where)
    columns = {
        "size": sizes[groups[:, 0]],
        "entries": groups[:, 1],
        "decisions": made.astype(np.int64),
        "observed": 100 * seen / made,
    }
    return table_of(fit, columns, 100 * drawn / made, prob)


def _summed(values: Array, where: NDArray[np.intp]) -> Array:
    total = np.zeros((len(values), int(where.max()) + 1))
    for place, group in enumerate(where):
        total[:, group] += values[:, place]
    return total


def predictive_checks(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Features of the register that the model may miss, observed and predicted.

    Returns
    -------
    pandas.DataFrame
        ``feature``, ``observed``, the columns of :func:`intlmodels.results.intervals` of
        predicted registers, and ``p_larger``, the probability of a larger value.
    """
    constant = fit["constant_data"].to_dataset()
    seen, drawn = (fit[name].to_dataset() for name in ("observed_data", "posterior_predictive"))
    firm, event = (str(constant.attrs[name]) for name in ("firm_label", "event"))
    names, observed, predicted = [], [], []
    made = constant["made_at"].to_numpy()
    sizes = texts(constant["size"])
    for i, size in enumerate(sizes):
        here = constant["size_at"].to_numpy() == i
        whose = "" if size == "all" else f"{size}, "
        names.append(f"{whose}percent of all {event}s with the flag")
        observed.append(100 * seen["flags"].to_numpy()[here].sum() / made[here].sum())
        predicted.append(100 * flat(drawn["flags"])[:, here].sum(axis=1) / made[here].sum())
        several = float(constant["repeated"].to_numpy()[i])
        for name, words in (("never", "without any flag"), ("always", "with nothing but flags")):
            if several:
                names.append(f"{whose}percent {words}, of each {firm} with two or more")
                observed.append(100 * seen[name].to_numpy()[i] / several)
                predicted.append(100 * flat(drawn[name])[:, i] / several)
    values, found = np.stack(predicted, axis=-1), np.array(observed)
    table = table_of(fit, {"feature": names, "observed": found}, values, prob)
    close = np.isclose(values, found, rtol=1e-12)
    table["p_larger"] = ((values > found) & ~close).mean(axis=0) + 0.5 * close.mean(axis=0)
    return table
