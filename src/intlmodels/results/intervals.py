"""From a fit of any model to the tables that are shown: intervals, parameters, variants.

Everything here reads a stored fit, or its light form (:func:`.store.read_summary`); pictures,
sentences and reports show these rows and compute nothing of their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core import formats as f
from intlmodels.core.errors import StudyError
from intlmodels.fitting.diagnostics import (
    Gate,
    convergence,
    gate,
    probability_error,
    scalars,
)
from intlmodels.models.base import flat, texts
from intlmodels.results.wording import LEAST

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataArray, Dataset, DataTree


Array = NDArray[np.float64]

#: Kind and probability of the intervals that are shown if nothing else is said.
CI_KIND = "eti"
CI_PROB = 0.95
#: Most effects of one kind that a table of regressions lists.
MOST_EFFECTS = 12


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
    """Something that a reader takes from a fit, such as ``Ease against Difficult``.

    ``unit`` follows its numbers; ``direction``: whether its sign is what is concluded, otherwise it
    is a level; ``draws``: (chain, draw).
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
    """Columns of a table, of draws (draw, quantity): centre, and interval ends.

    ``mean``, ``median``, ``sd``, ``ci_low`` and ``ci_high`` at ``prob``, ``ci50_low`` and
    ``ci50_high``.
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


def directions(values: Array, chains: int) -> dict[str, Array]:
    """Columns of a table of differences, of draws (draw, quantity), chain after chain.

    ``p_positive``: probability of being above zero; ``p_direction``: of the likelier direction;
    ``p_error``: Monte Carlo error of the two.
    """
    positive, negative = (values > 0).mean(axis=0), (values < 0).mean(axis=0)
    return {
        "p_positive": positive,
        "p_direction": np.maximum(positive, negative),
        "p_error": probability_error(values > 0, chains),
    }


def relevance(values: Array, least: float = LEAST) -> dict[str, Array]:
    """Columns of a table of differences, of draws (draw, quantity): how large these are.

    Probability that a difference is larger than ``least`` in the likelier direction
    (``p_relevant``) or the other one (``p_opposite``), or in neither (``p_negligible``).
    """
    above, below = (values > least).mean(axis=0), (values < -least).mean(axis=0)
    positive = (values > 0).mean(axis=0) >= (values < 0).mean(axis=0)
    return {
        "p_relevant": np.where(positive, above, below),
        "p_negligible": (np.abs(values) <= least).mean(axis=0),
        "p_opposite": np.where(positive, below, above),
    }


def check_table(
    fit: DataTree, columns: Mapping[str, Any], observed: Any, draws: Array, prob: float
) -> pd.DataFrame:
    """What was observed beside what the fit predicts of it, (draw, what).

    Columns: the given ones, ``observed``, those of :func:`table_of` of the predictions, and
    ``p_larger``: probability that a prediction is larger than what was observed, ties counted half
    (posterior predictive p-value).
    """
    seen = np.asarray(observed, dtype=float)
    table = table_of(fit, {**columns, "observed": seen}, draws.astype(float), prob)
    close = np.isclose(draws, seen, rtol=1e-12)
    table["p_larger"] = ((draws > seen) & ~close).mean(axis=0) + 0.5 * close.mean(axis=0)
    return table


def grid_table(
    fit: DataTree, draws: DataArray, names: Mapping[str, str], prob: float
) -> pd.DataFrame:
    """A table with one row for each combination of labels of several dimensions.

    ``names``: dimension -> the column that has its labels.
    """
    array = draws.transpose("chain", "draw", *names)
    labels = [array[dim].to_numpy() for dim in names]
    every = [values.ravel() for values in np.meshgrid(*labels, indexing="ij")]
    values = flat(array).astype(float)
    columns = dict(zip(names.values(), every, strict=True))
    return table_of(fit, columns, values.reshape(len(values), -1), prob)


def beside_prior(table: pd.DataFrame, prior: pd.DataFrame) -> pd.DataFrame:
    """A table with ``prior_median``, ``prior_low`` and ``prior_high`` of each of its rows.

    ``prior``: the same table of what holds before seeing data, row by row.
    """
    return table.assign(
        prior_median=prior["median"].to_numpy(),
        prior_low=prior["ci_low"].to_numpy(),
        prior_high=prior["ci_high"].to_numpy(),
    )


def clearest(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """The rows with the clearest direction, in their original order."""
    if len(table) <= most:
        return table
    kept = table["p_direction"].sort_values(ascending=False, kind="stable").index[:most]
    return table.loc[sorted(kept)]


def outermost(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """The rows with the ``most`` largest and the ``most`` smallest medians, the largest first."""
    ordered = table.sort_values("median", ascending=False, kind="stable")
    inner = ordered.index[most:-most] if len(ordered) > 2 * most else []
    return ordered.drop(inner)


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


def regression(
    fits: Mapping[str, DataTree], prob: float = CI_PROB, most: int = MOST_EFFECTS
) -> pd.DataFrame:
    """Parameters of several fits side by side: see :func:`intlmodels.regression_table`.

    Effects of firms, and parameters of more than ``most`` values, are left out.
    """
    import pandas as pd

    columns = {}
    for heading, fit in fits.items():
        draws = fit["posterior"].to_dataset()
        names = [
            name
            for name in json.loads(fit.attrs["shown"])
            if name in draws and name != "firm" and draws[name][0, 0].size <= most
        ]
        table = summary(draws[names], prob)
        rows = table["variable"] + np.where(table["label"] == "", "", ": " + table["label"])
        numbers = zip(table["median"], table["ci_low"], table["ci_high"], strict=True)
        cells = [f"{f.number(m, 2)} [{f.number(a, 2)}, {f.number(b, 2)}]" for m, a, b in numbers]
        last = {
            "Interval": f"{f.percent(100 * prob)}, equal-tailed",
            "Chains x draws": f"{draws.sizes['chain']} x {draws.sizes['draw']}",
            "Converged": "yes" if converged(fit) else "no",
        }
        columns[heading] = {**dict(zip(rows, cells, strict=True)), **last}
    rows = dict.fromkeys(row for cells in columns.values() for row in cells if row not in last)
    return pd.DataFrame(columns, index=[*rows, *last]).fillna("")


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

    Columns: ``name``, ``prior`` (as written; empty where it follows from others), those of
    :func:`table_of`, ``prior_median``, ``prior_low``, ``prior_high``, ``spread_ratio`` (posterior
    over prior spread, each half the width of the central 68 percent), ``shift`` (of the median, in
    prior spreads), ``rhat``, ``ess_bulk``, ``ess_tail``, ``mcse_mean``.
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


# -- variants ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """By which quantity, in :func:`side_by_side`, the variants of a model are compared.

    ``key`` are the columns that tell the rows of one fit apart; ``words`` and ``heading`` what a
    row is called in a sentence and at the head of a column, with the columns of the key in braces:
    ``{level} against {against}``. ``apart`` is a sentence on why variants that are not comparable
    by elpd are for comparison only, empty if their conclusions count like those of the others;
    ``decimals`` are those of a change of the median.
    """

    quantity: str
    key: tuple[str, ...]
    words: str
    heading: str
    unit: str
    apart: str = ""
    decimals: int = 1

    def rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows that are held against each other."""
        return table[table["quantity"] == self.quantity]

    def key_of(self, row: Any) -> tuple[str, ...]:
        """What tells a row apart from the others of its fit."""
        return tuple(getattr(row, name) for name in self.key)

    def name(self, key: tuple[str, ...], form: str) -> str:
        """What a row is called; ``form`` is :attr:`words` or :attr:`heading`."""
        return form.format_map(dict(zip(self.key, key, strict=True)))


def side_by_side(
    fits: Mapping[str, DataTree], tables: Mapping[str, Callable[[DataTree], pd.DataFrame]]
) -> pd.DataFrame:
    """Tables of several variants, one below the other; of each quantity one, made by a function.

    Columns: ``variant``, ``comparable`` (by elpd with the default, which is the first),
    ``quantity``, and those of the tables.

    Raises
    ------
    StudyError
        Without any fit.
    """
    import pandas as pd

    if not fits:
        raise StudyError("no fits to compare")
    parts = []
    for name, fit in fits.items():
        for quantity, make in tables.items():
            table = make(fit)
            if len(table):
                table.insert(0, "variant", name)
                table.insert(1, "comparable", bool(int(fit.attrs["comparable"])))
                table.insert(2, "quantity", quantity)
                parts.append(table)
    return pd.concat(parts, ignore_index=True)


def own_parameters(fits: Mapping[str, DataTree], prob: float = CI_PROB) -> pd.DataFrame:
    """Parameters that a variant has and the default, which is the first, has not.

    Columns: ``variant``, ``parameter``, ``meaning``, ``prior`` and those of :func:`table_of`, on
    the parameter's own scale.
    """
    import pandas as pd

    written = {name: json.loads(fit.attrs["priors"]) for name, fit in fits.items()}
    known = set(next(iter(written.values()), {}))
    parts = []
    for variant, priors in written.items():
        own = [name for name in priors if name not in known]
        found = one_by_one(fits[variant]["posterior"].to_dataset(), own)
        if found:
            columns = {
                "variant": variant,
                "parameter": list(found),
                "meaning": [priors[name]["meaning"] for name, _ in found.values()],
                "prior": [priors[name]["text"] for name, _ in found.values()],
            }
            draws = np.stack([draws.ravel() for _, draws in found.values()], axis=-1)
            parts.append(table_of(fits[variant], columns, draws, prob))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
