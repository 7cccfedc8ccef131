"""From a fit to the tables that are shown: labelled rows, intervals, counts of firms.

Everything here reads a stored fit, or its light form (:func:`intlmodels.comparison.light`);
pictures, sentences and reports show these rows and compute nothing of their own.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.diagnostics import Gate, convergence, gate
from intlmodels.estimands import CI_KIND, CI_PROB, estimate, rank_probabilities
from intlmodels.observation import OUTCOME

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataArray, Dataset, DataTree

Array = NDArray[np.float64]

#: What the variation that no predictor takes up is called among the sources.
NOT_EXPLAINED = "not explained"
#: Draws, firms and settings (their product) up to which estimands of the prior are computed.
MOST_PRIOR = 1_000_000


def converged(fit: DataTree) -> bool:
    """Whether the fit passed the gate; checked now if that was not done before."""
    if "gate" in fit.attrs:
        return Gate.from_json(fit.attrs["gate"]).passed
    return gate(fit).passed


def blocks(fit: DataTree) -> list[dict[str, Any]]:
    """Parts of the linear predictor: name, kind, label, levels, settings and so on."""
    return json.loads(fit["constant_data"].attrs["blocks"])


def labels(fit: DataTree) -> dict[str, str]:
    """Name of each predictor -> what it is called in words."""
    return {block["name"]: block["label"] for block in blocks(fit)}


def observed(fit: DataTree) -> Array:
    """Printed shares of the firms, in percent."""
    return fit["observed_data"][OUTCOME].to_numpy()


def outcomes(fit: DataTree, group: str) -> DataArray:
    """Draws of the printed shares of the firms from a predictive group."""
    return fit[group].to_dataset()[OUTCOME]


def estimands(fit: DataTree, group: str = "posterior") -> Dataset:
    """Draws of the estimands: those stored with the fit, or computed now.

    Of the prior as many draws as ``MOST_PRIOR`` allows: it is shown in round numbers.
    """
    if group != "prior":
        return fit["estimands"].to_dataset() if "estimands" in fit.children else estimate(fit)
    import xarray as xr

    constant = fit["constant_data"].to_dataset()
    work = fit[group].sizes["draw"] * constant.sizes["firm"] * constant.sizes["setting"]
    step = max(1, math.ceil(work / MOST_PRIOR))
    thinned = fit[group].to_dataset().isel(draw=slice(None, None, step))
    tree = xr.DataTree.from_dict({"prior": thinned, "constant_data": constant})
    tree.attrs = dict(fit.attrs)
    return estimate(tree, group)


def flat(array: DataArray) -> Array:
    """Draws of all chains in one row each, (draw, ...)."""
    values = array.transpose("chain", "draw", ...).to_numpy()
    return values.reshape(values.shape[0] * values.shape[1], *values.shape[2:])


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


def texts(array: DataArray) -> list[str]:
    """Labels as plain text."""
    return [str(value) for value in array.to_numpy()]


def membership(fit: DataTree, block: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Which firms stand at which setting of a predictor, (firm, setting).

    With multiple membership a firm stands at more than one; a numeric covariate has its
    known values at every setting, since all of them bear on the slope.
    """
    constant = fit["constant_data"].to_dataset()
    names = texts(constant["coefficient"])
    own = [f"{block['name']}[{level}]" for level in block["levels"]] or [block["name"]]
    weights = constant["design"].to_numpy()[:, [names.index(name) for name in own]]
    if block["kind"] == "contrast":
        return np.column_stack([weights[:, 0] < 0, weights[:, 0] > 0])
    if block["kind"] == "numeric":
        return np.repeat(~np.isnan(weights), len(block["settings"]), axis=1)
    return weights > 0


def levels(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Average expected printed share at each level of each predictor, in percent.

    Returns
    -------
    pandas.DataFrame
        ``predictor``, ``label``, ``level``, ``firms`` (how many stand at the level), the
        columns of :func:`intervals`, ``ci_kind``, ``ci_prob``, ``converged``.
    """
    draws = estimands(fit)
    predictors = texts(draws["setting_predictor"])
    named = labels(fit)
    counts = {block["name"]: membership(fit, block).sum(axis=0) for block in blocks(fit)}
    seen: dict[str, int] = {}
    firms = []
    for name in predictors:
        firms.append(int(counts[name][seen.setdefault(name, 0)]))
        seen[name] += 1
    columns = {
        "predictor": predictors,
        "label": [named[name] for name in predictors],
        "level": texts(draws["setting_level"]),
        "firms": firms,
    }
    return table_of(fit, columns, flat(draws["expected_share"]), prob)


def average(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Average expected printed share of all firms, in percent; one row."""
    return table_of(fit, {}, flat(estimands(fit)["average_share"])[:, None], prob)


def differences(fit: DataTree, prob: float = CI_PROB, group: str = "posterior") -> pd.DataFrame:
    """All pairwise differences of expected shares, in percentage points.

    Returns
    -------
    pandas.DataFrame
        ``predictor``, ``label``, ``level``, ``against``, the columns of :func:`intervals` of
        level minus against, ``p_positive`` (probability that it is above zero) and
        ``p_direction`` (probability of the likelier direction).
    """
    draws = estimands(fit, group)
    values = flat(draws["difference"])
    predictors = texts(draws["comparison_predictor"])
    named = labels(fit)
    columns = {
        "predictor": predictors,
        "label": [named[name] for name in predictors],
        "level": texts(draws["comparison_level"]),
        "against": texts(draws["comparison_against"]),
    }
    table = table_of(fit, columns, values, prob)
    positive, negative = (values > 0).mean(axis=0), (values < 0).mean(axis=0)
    table["p_positive"] = positive
    table["p_direction"] = np.maximum(positive, negative)
    return table


def ranks(fit: DataTree) -> pd.DataFrame:
    """Probability of each rank (1 = largest expected share) of each level.

    Returns
    -------
    pandas.DataFrame
        ``predictor``, ``label``, ``level``, ``rank``, ``probability``, ``converged``.
    """
    table = rank_probabilities(estimands(fit), blocks(fit))
    named = labels(fit)
    table.insert(1, "label", [named[name] for name in table["predictor"]])
    table["converged"] = converged(fit)
    return table


def variation(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Each source's part of the variation of shares between firms, in percent."""
    draws = estimands(fit)
    sources = texts(draws["source"])
    named = {**labels(fit), NOT_EXPLAINED: NOT_EXPLAINED}
    columns = {"source": sources, "label": [named[name] for name in sources]}
    return table_of(fit, columns, flat(draws["variation"]), prob)


# -- parameters --------------------------------------------------------------------------


def parameter_draws(fit: DataTree, group: str) -> dict[str, tuple[str, Array]]:
    """Draws of every parameter a reader may ask about: label -> (variable, draws).

    Those with a prior of their own come first, then the effects of levels, the steps of
    ordered effects, and missing values.
    """
    draws = fit[group].to_dataset()
    wanted = list(json.loads(fit.attrs["priors"]))
    for block in blocks(fit):
        name = block["name"]
        wanted += [block["variable"], f"{name}_steps", f"{name}_missing"]
    found: dict[str, tuple[str, Array]] = {}
    for name in dict.fromkeys(wanted):
        if name not in draws:
            continue
        array = draws[name].transpose("chain", "draw", ...)
        values = array.to_numpy()
        if values.ndim == 2:
            found[name] = (name, values)
            continue
        for i, level in enumerate(texts(array[array.dims[2]])):
            if np.ptp(values[:, :, i]) > 0:
                found[f"{name}[{level}]"] = (name, values[:, :, i])
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
    table = table_of(
        fit, {"name": names, "prior": [written.get(name, "") for name in names]}, stacked, prob
    )
    prior = np.stack(
        [before[n][1].ravel() if n in before else np.zeros(1) + np.nan for n in names], axis=-1
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


def crossings(fit: DataTree) -> pd.DataFrame:
    """How far each pair of grouping predictors is crossed.

    Returns
    -------
    pandas.DataFrame
        ``label_a``, ``label_b``, ``cells`` (combinations of levels), ``empty`` (those without
        a firm), ``tied``: in words, levels that occur with one level of the other only.
    """
    import pandas as pd

    parts = [(block, membership(fit, block)) for block in blocks(fit)]
    parts = [(block, at) for block, at in parts if block["kind"] not in ("numeric", "nested")]
    rows = []
    for (a, at_a), (b, at_b) in itertools.combinations(parts, 2):
        counts = at_a.T.astype(int) @ at_b.astype(int)
        rows.append(
            {
                "label_a": a["label"],
                "label_b": b["label"],
                "cells": counts.size,
                "empty": int((counts == 0).sum()),
                "tied": "; ".join([*_tied(a, b, counts), *_tied(b, a, counts.T)][:4]),
            }
        )
    return pd.DataFrame(rows, columns=["label_a", "label_b", "cells", "empty", "tied"])


def _tied(a: Mapping[str, Any], b: Mapping[str, Any], counts: Array) -> list[str]:
    return [
        f"{a['settings'][i]} occurs only with {b['settings'][int(np.argmax(counts[i]))]}"
        for i in range(len(counts))
        if (counts[i] > 0).sum() == 1
    ]
