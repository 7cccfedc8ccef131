"""From a fit of any model to the tables that are shown: intervals, parameters, convergence.

Everything here reads a stored fit, or its light form (:func:`intlmodels.results.variants.light`);
pictures, sentences and reports show these rows and compute nothing of their own. What only one
model has is in the module ``results`` of the package named after the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.fitting.diagnostics import Gate, convergence, gate, scalars
from intlmodels.models.base import texts

if TYPE_CHECKING:
    import pandas as pd
    from xarray import Dataset, DataTree


Array = NDArray[np.float64]

#: Kind and probability of the intervals that are shown if nothing else is said.
CI_KIND = "eti"
CI_PROB = 0.95


def converged(fit: DataTree) -> bool:
    """Whether the fit passed the gate; checked now if that was not done before."""
    if "gate" in fit.attrs:
        return Gate.from_json(fit.attrs["gate"]).passed
    return gate(fit).passed


def estimands(fit: DataTree) -> Dataset:
    """Draws of the estimands that are stored with a fit."""
    return fit["estimands"].to_dataset()


@dataclass(frozen=True)
class Conclusion:
    """Something that a reader takes from a fit.

    Attributes
    ----------
    name : str
        In words, such as ``Ease against Difficult``.
    unit : str
        What follows its numbers.
    direction : bool
        Whether its sign is what is concluded; otherwise it is a level.
    draws : array, shape (chain, draw)
    """

    name: str
    unit: str
    direction: bool
    draws: Array


# -- intervals ---------------------------------------------------------------------------


def interval(draws: Array, prob: float = CI_PROB) -> tuple[float, float]:
    """Equal-tailed interval of draws."""
    low, high = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2])
    return float(low), float(high)


def intervals(draws: Array, prob: float = CI_PROB) -> dict[str, Array]:
    """Columns of a table: centre, and interval ends at ``prob`` and at one half.

    Parameters
    ----------
    draws : array, shape (draw, quantity)
    prob : float

    Returns
    -------
    dict of str to array
        ``mean``, ``median``, ``sd``, ``ci_low``, ``ci_high``, ``ci50_low``, ``ci50_high``.
    """
    ends = [(1 - prob) / 2, 0.25, 0.5, 0.75, (1 + prob) / 2]
    low, quarter, middle, three, high = np.quantile(draws, ends, axis=0)
    return {
        "mean": draws.mean(axis=0),
        "median": middle,
        "sd": draws.std(axis=0, ddof=1),
        "ci_low": low,
        "ci_high": high,
        "ci50_low": quarter,
        "ci50_high": three,
    }


def table_of(fit: DataTree, columns: Mapping[str, Any], draws: Array, prob: float) -> pd.DataFrame:
    """A table: given columns, then :func:`intervals`, interval kind, and whether it converged."""
    import pandas as pd

    return pd.DataFrame(
        {
            **columns,
            **intervals(draws, prob),
            "ci_kind": CI_KIND,
            "ci_prob": prob,
            "converged": converged(fit),
        }
    )


def directions(values: Array) -> dict[str, Array]:
    """Columns of a table of differences, of draws (draw, quantity).

    Returns
    -------
    dict of str to array
        ``p_positive``: probability of being above zero; ``p_direction``: of the likelier
        direction.
    """
    positive, negative = (values > 0).mean(axis=0), (values < 0).mean(axis=0)
    return {"p_positive": positive, "p_direction": np.maximum(positive, negative)}


def clearest(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """The rows with the clearest direction, in their original order."""
    if len(table) <= most:
        return table
    kept = table["p_direction"].sort_values(ascending=False, kind="stable").index[:most]
    return table.loc[sorted(kept)]


def summary(dataset: Dataset, prob: float = CI_PROB) -> pd.DataFrame:
    """One row for each scalar of a group of draws.

    Returns
    -------
    pandas.DataFrame
        ``variable``, ``label``, ``mean``, ``median``, ``sd``, ``ci_low``, ``ci_high``,
        ``ci_kind`` ("eti", equal-tailed), ``ci_prob``, ``p_positive`` (probability of being
        above zero), ``rhat``, ``ess_bulk``, ``ess_tail``, ``mcse_mean``.
    """
    import pandas as pd

    found = convergence(dataset)
    quality = {
        name: dict(zip(labels, values, strict=True)) for name, (labels, values) in found.items()
    }
    rows = []
    for label, draws in scalars(dataset):
        low, high = interval(draws, prob)
        variable = label.partition("[")[0]
        rows.append(
            {
                "variable": variable,
                "label": label.removeprefix(variable).removeprefix("[").removesuffix("]"),
                "mean": draws.mean(),
                "median": float(np.median(draws)),
                "sd": draws.std(ddof=1),
                "ci_low": low,
                "ci_high": high,
                "ci_kind": CI_KIND,
                "ci_prob": prob,
                "p_positive": float((draws > 0).mean()),
                **{name: values.get(label, np.nan) for name, values in quality.items()},
            }
        )
    return pd.DataFrame(rows)


# -- parameters --------------------------------------------------------------------------


def parameter_draws(fit: DataTree, group: str) -> dict[str, tuple[str, Array]]:
    """Draws of every parameter a reader may ask about: label -> (variable, draws).

    Which variables these are, and in which order, the fit says itself (attribute ``shown``).
    """
    return one_by_one(fit[group].to_dataset(), json.loads(fit.attrs["shown"]))


def one_by_one(draws: Dataset, names: Iterable[str]) -> dict[str, tuple[str, Array]]:
    """Draws of the scalars that variables consist of: label -> (variable, draws).

    Variables that are not there are passed over, and so are scalars that never vary (the
    first level of an ordered effect).
    """
    found: dict[str, tuple[str, Array]] = {}
    for name in dict.fromkeys(names):
        if name not in draws:
            continue
        array = draws[name].transpose("chain", "draw", ...)
        values = array.to_numpy()
        if values.ndim == 2:
            found[name] = (name, values)
            continue
        levels = [texts(array[dim]) for dim in array.dims[2:]]
        for index in np.ndindex(*values.shape[2:]):
            one = values[(..., *index)]
            if np.ptp(one) > 0:
                label = ", ".join(level[i] for level, i in zip(levels, index, strict=True))
                found[f"{name}[{label}]"] = (name, one)
    return found


def parameters(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Posterior beside prior of every parameter, on the parameter's own scale.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``prior`` (as written; empty where it follows from others), posterior
        columns as :func:`intervals`, ``prior_median``, ``prior_low``, ``prior_high``,
        ``spread_ratio`` (posterior over prior spread, each half the width of the central
        68 percent), ``shift`` (of the median, in prior spreads), ``rhat``, ``ess_bulk``,
        ``ess_tail``, ``mcse_mean``, ``ci_kind``, ``ci_prob``, ``converged``.
    """
    import xarray as xr

    found = parameter_draws(fit, "posterior")
    before = parameter_draws(fit, "prior")
    written = {name: prior["text"] for name, prior in json.loads(fit.attrs["priors"]).items()}
    stacked = np.stack([draws.ravel() for _, draws in found.values()], axis=-1)
    names = list(found)
    texts_of = [written.get(variable, "") for variable, _ in found.values()]
    table = table_of(fit, {"name": names, "prior": texts_of}, stacked, prob)
    unknown = np.full(fit["prior"].sizes["chain"] * fit["prior"].sizes["draw"], np.nan)
    prior = np.stack(
        [before[name][1].ravel() if name in before else unknown for name in names], axis=-1
    )
    low, sixth, middle, five_sixths, high = np.quantile(
        prior, [(1 - prob) / 2, 0.16, 0.5, 0.84, (1 + prob) / 2], axis=0
    )
    after = np.quantile(stacked, [0.16, 0.84], axis=0)
    spread = (five_sixths - sixth) / 2
    table["prior_median"], table["prior_low"], table["prior_high"] = middle, low, high
    table["spread_ratio"] = (after[1] - after[0]) / 2 / spread
    table["shift"] = (table["median"].to_numpy() - middle) / spread
    quality = convergence(
        xr.Dataset({f"q{i}": (("chain", "draw"), d) for i, (_, d) in enumerate(found.values())})
    )
    for column, (which, values) in quality.items():
        known = dict(zip(which, values, strict=True))
        table[column] = [known.get(f"q{i}", np.nan) for i in range(len(names))]
    return table
