"""Predicted shares as tables: against the data, and of new firms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intlmodels.draws import flat, texts
from intlmodels.results import CI_PROB, Array, table_of
from intlmodels.share.results import blocks, membership, observed, outcomes

if TYPE_CHECKING:
    import pandas as pd
    from xarray import Dataset, DataTree


def _statistics(printed: Array, width: float) -> dict[str, Array]:
    """Features of a set of printed shares that a model may miss, along the last axis."""
    double = np.isclose(np.mod(printed + width / 2, 2 * width), width / 2)
    return {
        "firms at 0 %": (printed == 0).sum(axis=-1),
        f"firms at a multiple of {2 * width:g} %": double.sum(axis=-1),
        "smallest printed share": printed.min(axis=-1),
        "largest printed share": printed.max(axis=-1),
        "mean of the printed shares": printed.mean(axis=-1),
        "standard deviation between firms": printed.std(axis=-1, ddof=1),
    }


def predictive_checks(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Features of the data beside the same features of data predicted by the fit.

    Returns
    -------
    pandas.DataFrame
        ``feature``, ``observed``, the columns of :func:`intlmodels.results.intervals` of the
        predictions, and ``p_larger``: probability that a prediction is larger than what was
        observed, ties counted half (posterior predictive p-value).
    """
    width = float(fit["constant_data"].attrs["rounding_width"])
    found = _statistics(observed(fit), width)
    replicated = _statistics(flat(outcomes(fit, "posterior_predictive")), width)
    stacked = np.stack([replicated[name] for name in found], axis=-1).astype(float)
    seen = np.array([float(value) for value in found.values()])
    table = table_of(fit, {"feature": list(found), "observed": seen}, stacked, prob)
    close = np.isclose(stacked, seen)
    table["p_larger"] = ((stacked > seen) & ~close).mean(axis=0) + 0.5 * close.mean(axis=0)
    return table


def predicted_firms(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Printed share of each firm beside what the fit predicts for a firm like it."""
    draws = outcomes(fit, "posterior_predictive")
    columns = {"firm": texts(draws["firm"]), "observed": observed(fit)}
    return table_of(fit, columns, flat(draws), prob)


def grid_counts(fit: DataTree, group: str) -> tuple[Array, Array]:
    """How many firms print each value of the grid, in every predicted set of data.

    Returns
    -------
    array, shape (grid,)
        The printed values, in percent.
    array, shape (draw, grid)
    """
    values = fit["constant_data"]["printed_grid"].to_numpy()
    width = float(fit["constant_data"].attrs["rounding_width"])
    printed = flat(outcomes(fit, group))
    cells = np.rint(printed / width).astype(int).clip(0, len(values) - 1)
    rows = np.arange(len(cells))[:, None] * len(values)
    counts = np.bincount((cells + rows).ravel(), minlength=len(cells) * len(values))
    return values, counts.reshape(len(cells), len(values)).astype(np.float64)


def observed_profiles(fit: DataTree, most: int = 8) -> list[dict[str, str]]:
    """Profiles of the firms of the study, the most common first.

    Numeric covariates are left out of a profile: hardly two firms share a value.
    """
    parts = [block for block in blocks(fit) if block["kind"] not in ("numeric", "nested")]
    if not parts:
        return []
    codes = np.column_stack([membership(fit, block).argmax(axis=1) for block in parts])
    rows, first, counts = np.unique(codes, axis=0, return_index=True, return_counts=True)
    order = sorted(range(len(rows)), key=lambda i: (-counts[i], first[i]))
    return [
        {block["name"]: block["settings"][code] for block, code in zip(parts, rows[i], strict=True)}
        for i in order[:most]
    ]


def new_firm_table(fit: DataTree, prediction: Dataset, prob: float = CI_PROB) -> pd.DataFrame:
    """Expected and printed share of new firms, in percent.

    Returns
    -------
    pandas.DataFrame
        ``profile``, the columns of :func:`intlmodels.results.intervals` of the expected printed
        share, and ``printed_median``, ``printed_low``, ``printed_high``: central values of the
        printed share itself, within the firms' own scatter.
    """
    draws = flat(prediction["expected_share"])
    table = table_of(fit, {"profile": texts(prediction["profile"])}, draws, prob)
    grid = prediction["grid"].to_numpy()
    cumulative = prediction["probability"].to_numpy().cumsum(axis=-1)
    for name, end in (("median", 0.5), ("low", (1 - prob) / 2), ("high", (1 + prob) / 2)):
        place = (cumulative < end - 1e-9).sum(axis=-1).clip(max=len(grid) - 1)
        table[f"printed_{name}"] = grid[place]
    return table
