"""A register against registers predicted by its fit, in numbers of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intlmodels.core.errors import StudyError, listed
from intlmodels.models.base import flat, texts
from intlmodels.results.intervals import CI_PROB, Array, table_of
from intlmodels.results.share import blocks, membership, rows_of

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataTree


#: Levels that a picture of the register shows one by one.
MOST_STRIPS = 12


def printed_values(fit: DataTree) -> Array:
    """Everything that can be printed, in percent."""
    return np.asarray(fit["constant_data"]["printed_grid"].to_numpy())


def observed_rows(fit: DataTree) -> Array:
    """How many rows print each value."""
    seen = fit["observed_data"].to_dataset()
    size = len(printed_values(fit))
    return np.bincount(seen["cell_place"].to_numpy(), seen["cell_rows"].to_numpy(), size)


def predicted_rows(fit: DataTree, group: str) -> Array:
    """The same of every predicted register, (draw, grid)."""
    return flat(fit[group].to_dataset()["printed_rows"]).astype(np.float64)


def _features(rows: Array, values: Array, width: float) -> dict[str, Array]:
    """Features of registers that a model may miss, of rows by printed value, (..., grid)."""
    total = rows.sum(axis=-1)
    double = np.isclose(np.mod(values + width / 2, 2 * width), width / 2)
    mean = rows @ values / total
    square = (rows * (values - mean[..., None]) ** 2).sum(axis=-1)
    there = rows > 0
    return {
        "percent of rows at 0 %": 100 * rows[..., values == 0].sum(axis=-1) / total,
        f"percent of rows at a multiple of {2 * width:g} %": 100 * (rows @ double) / total,
        "smallest printed share": values[there.argmax(axis=-1)],
        "largest printed share": values[::-1][there[..., ::-1].argmax(axis=-1)],
        "mean of the printed shares": mean,
        "standard deviation between firms": np.sqrt(square / (total - 1)),
    }


def predictive_checks(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Features of the register: see :func:`intlmodels.results.share.predictive_checks`."""
    width = float(fit["constant_data"].attrs["rounding_width"])
    values = printed_values(fit)
    found = _features(observed_rows(fit), values, width)
    replicated = _features(predicted_rows(fit, "posterior_predictive"), values, width)
    stacked = np.stack([replicated[name] for name in found], axis=-1)
    seen = np.array([float(value) for value in found.values()])
    table = table_of(fit, {"feature": list(found), "observed": seen}, stacked, prob)
    close = np.isclose(stacked, seen, rtol=1e-12)
    table["p_larger"] = ((stacked > seen) & ~close).mean(axis=0) + 0.5 * close.mean(axis=0)
    return table


def combination_table(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Mean printed share of each combination of levels, beside what the fit predicts.

    Returns
    -------
    pandas.DataFrame
        ``combination``, ``rows``, ``observed``, and the columns of
        :func:`intlmodels.results.intervals.intervals` of the mean of as many predicted rows.
    """
    draws = fit["posterior_predictive"].to_dataset()["mean_share"]
    columns = {
        "combination": texts(draws["firm"]),
        "rows": rows_of(fit),
        "observed": fit["observed_data"]["mean_share"].to_numpy(),
    }
    return table_of(fit, columns, flat(draws), prob)


def profile_rows(fit: DataTree, most: int = 8) -> list[dict[str, str]]:
    """Combinations of labels with the most rows; numbers are left at their mean."""
    parts = [block for block in blocks(fit) if block["kind"] != "numeric"]
    if not parts:
        return []
    codes = np.column_stack([membership(fit, block).argmax(axis=1) for block in parts])
    found, inverse = np.unique(codes, axis=0, return_inverse=True)
    counts = np.bincount(inverse.reshape(-1), rows_of(fit))
    order = np.argsort(-counts, kind="stable")[:most]
    return [
        {b["name"]: b["settings"][code] for b, code in zip(parts, found[i], strict=True)}
        for i in order
    ]


def by_level(fit: DataTree, predictor: str | None = None) -> tuple[str, list[str], Array]:
    """Rows by printed value at each level of a predictor.

    Parameters
    ----------
    fit : xarray.DataTree
    predictor : str, optional
        By default that with the most levels up to ``MOST_STRIPS``.

    Returns
    -------
    label : str
    levels : list of str
    rows : array, shape (level, grid)
        All rows together, under an empty label, where no predictor has so few levels.

    Raises
    ------
    StudyError
        For a predictor that has no levels.
    """
    seen = fit["observed_data"].to_dataset()
    firm, place, rows = (seen[f"cell_{name}"].to_numpy() for name in ("firm", "place", "rows"))
    size = len(printed_values(fit))
    with_levels = {b["name"]: b for b in blocks(fit) if b["kind"] != "numeric"}
    if predictor is not None and predictor not in with_levels:
        raise StudyError(
            f"'{predictor}' has no levels; these predictors have: {listed(with_levels)}",
            value=predictor,
        )
    usable = [b for b in with_levels.values() if len(b["settings"]) <= MOST_STRIPS]
    if predictor is None and not usable:
        return "", ["all"], np.bincount(place, rows, size)[None]
    # max() keeps the first of equals: the study's own order decides.
    block = with_levels[predictor] if predictor else max(usable, key=lambda b: len(b["settings"]))
    at = membership(fit, block).argmax(axis=1)[firm]
    levels = [str(level) for level in block["settings"]]
    counts = np.bincount(at * size + place, rows, len(levels) * size)
    return str(block["label"]), levels, counts.reshape(len(levels), size)
