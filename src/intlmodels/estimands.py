"""From draws of parameters to draws of what people ask about, in percentage points.

Everything is computed draw by draw from the stored tree: the linear predictor is the design
times the coefficients, and a printed share is expected over the printed grid.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels import observation
from intlmodels.errors import StudyError
from intlmodels.rounding import grid

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataArray, Dataset, DataTree

Array = NDArray[np.float64]

CI_KIND = "eti"
CI_PROB = 0.95
#: Predictors up to which the variation is split exactly (2^n subsets).
MOST_SOURCES = 8
#: Rounding width, in percentage points, up to which the mean share stands for the printed one.
FINE = 0.5
#: Probabilities (draws by profiles by printed values) up to which every draw is used; beyond,
#: evenly spaced draws.
MOST_PROBABILITIES = 100_000_000
#: Draws whose probabilities over the grid are held at a time.
CHUNK = 10_000


class Coefficients:
    """Draws of the coefficients of a fit, and what they say for any weights.

    Parameters
    ----------
    tree : xarray.DataTree
        As :func:`intlmodels.fit.fit` returns it.
    group : {"posterior", "prior"}
        Which draws.
    """

    def __init__(self, tree: DataTree, group: str = "posterior") -> None:
        draws = tree[group].to_dataset()
        constant = tree["constant_data"].to_dataset()
        self.blocks: list[dict[str, Any]] = json.loads(constant.attrs["blocks"])
        self.family = str(tree.attrs["family"])
        self.width = float(constant.attrs["rounding_width"])
        self.sizes = (draws.sizes["chain"], draws.sizes["draw"])
        self.intercept = self._flat(draws["intercept"])[:, 0]
        parts = [self._flat(draws[block["variable"]]) for block in self.blocks]
        count = len(self.intercept)
        self.values: Array = np.concatenate([np.empty((count, 0)), *parts], axis=1)
        starts = np.cumsum([0, *(part.shape[1] for part in parts)])
        self.place = {
            block["name"]: slice(int(starts[i]), int(starts[i + 1]))
            for i, block in enumerate(self.blocks)
        }
        self.parameters = {
            name: self._flat(draws[name])[:, 0] for name in observation.PARAMETERS[self.family]
        }
        self.spread = {
            block["name"]: self._flat(draws[f"sigma_{block['name']}"])[:, 0]
            for block in self.blocks
            if f"sigma_{block['name']}" in draws
        }
        self.design = constant["design"].to_numpy()
        # Missing covariates are parameters: (column, firm) -> draws of the weight.
        self.imputed = {
            (self.place[block["name"]].start, firm): self._flat(draws[f"{block['name']}_missing"])[
                :, k
            ]
            for block in self.blocks
            for k, firm in enumerate(block["missing"])
        }

    @staticmethod
    def _flat(array: DataArray) -> Array:
        values = array.transpose("chain", "draw", ...).to_numpy()
        return values.reshape(values.shape[0] * values.shape[1], -1)

    def contribution(self, columns: slice, rows: NDArray[np.intp] | None = None) -> Array:
        """What some coefficients add to the linear predictor of the firms, (draw, firm)."""
        firms = np.arange(len(self.design)) if rows is None else rows
        weights = np.nan_to_num(self.design[firms][:, columns])
        total = self.values[:, columns] @ weights.T
        for (column, firm), draws in self.imputed.items():
            if columns.start <= column < columns.stop:
                for position in np.flatnonzero(firms == firm):
                    total[:, position] += self.values[:, column] * draws
        return total

    def profiles(self, changes: Array) -> tuple[Array, NDArray[np.intp], NDArray[np.intp]]:
        """The distinct rows of weights that firms have under each of several changes.

        Parameters
        ----------
        changes : array, shape (change, coefficient)
            Weights to use instead of the observed ones; NaN leaves them as observed.

        Returns
        -------
        rows : array, shape (profile, coefficient)
            NaN where a covariate is missing and stays so.
        firm : array of int, shape (profile,)
            A firm that has this profile.
        profile : array of int, shape (change, firm)
        """
        firms = len(self.design)
        stacked = np.where(np.isnan(changes)[:, None], self.design[None], changes[:, None])
        stacked = stacked.reshape(len(changes) * firms, self.design.shape[1])
        firm = np.tile(np.arange(firms), len(changes))
        # A firm whose missing covariate is imputed is a profile of its own.
        tag = np.where(np.isnan(stacked).any(axis=1), firm + 1.0, 0.0)
        _, first, inverse = np.unique(
            np.column_stack([np.nan_to_num(stacked), tag]),
            axis=0,
            return_index=True,
            return_inverse=True,
        )
        return stacked[first], firm[first], inverse.reshape(len(changes), firms)

    def linear(self, rows: Array, firm: NDArray[np.intp]) -> Array:
        """Linear predictor of profiles, (draw, profile); arguments as from :meth:`profiles`."""
        total = self.intercept[:, None] + self.values @ np.nan_to_num(rows).T
        for (column, missing), draws in self.imputed.items():
            for position in np.flatnonzero((firm == missing) & np.isnan(rows[:, column])):
                total[:, position] += self.values[:, column] * draws
        return total

    def expected(self, linear: Array) -> Array:
        """Expected printed share in percent, (draw, profile).

        On a grid of at most ``FINE`` the expectation of the printed share is that of the
        share itself, as long as shares vary by more than the grid: a printed mean is the
        midpoint rule for the mean, and its error is below 0.01 points there (by brute force
        in the tests). Elsewhere it is summed over the grid.
        """
        result = np.empty_like(linear)
        summed = np.ones(linear.shape, bool)
        if self.width <= FINE:
            mean, variance = _moments(self, linear)
            summed = variance < (self.width / 100) ** 2
            result = 100 * mean
        for column in range(linear.shape[1]):
            draws = np.flatnonzero(summed[:, column])
            for start in range(0, len(draws), CHUNK):
                pick = draws[start : start + CHUNK]
                parameters = {name: value[pick] for name, value in self.parameters.items()}
                result[pick, column] = observation.printed_probabilities(
                    self.family, linear[pick, column], parameters, self.width
                ) @ grid(self.width)
        return result

    def thinned(self, step: int) -> Coefficients:
        """The same with every ``step``-th draw of each chain."""
        if step == 1:
            return self
        chains, draws = self.sizes
        index = np.arange(chains * draws).reshape(chains, draws)[:, ::step]
        pick = index.ravel()
        new = object.__new__(Coefficients)
        new.__dict__.update(self.__dict__)
        new.sizes = (chains, index.shape[1])
        new.intercept, new.values = self.intercept[pick], self.values[pick]
        for name in ("parameters", "spread", "imputed"):
            setattr(new, name, {key: v[pick] for key, v in getattr(self, name).items()})
        return new


def estimate(tree: DataTree, group: str = "posterior") -> Dataset:
    """All estimands of a fit, draw by draw.

    Parameters
    ----------
    tree : xarray.DataTree
        As :func:`intlmodels.fit.fit` returns it.
    group : {"posterior", "prior"}
        Which draws of the parameters.

    Returns
    -------
    xarray.Dataset
        Dimensions chain and draw, and: ``expected_share`` (setting), the average expected
        printed share with one predictor set to one level and the others as observed;
        ``difference`` (comparison), between two levels of a predictor;
        ``firm_share`` (firm); ``variation`` (source), each source's part of the variation
        between firms, in percent. Shares in percent, differences in percentage points.
    """
    import xarray as xr

    coefficients = Coefficients(tree, group)
    constant = tree["constant_data"].to_dataset()
    weights = constant["setting_weights"].to_numpy()
    as_observed = np.full((1, weights.shape[1]), np.nan)
    rows, firm, profile = coefficients.profiles(np.concatenate([as_observed, weights]))
    values = 1 if coefficients.width <= FINE else len(grid(coefficients.width))
    asked = len(coefficients.intercept) * len(rows) * values
    step = max(1, math.ceil(asked / MOST_PROBABILITIES))
    coefficients = coefficients.thinned(step)

    def shape(values: Array) -> Array:
        return values.reshape(*coefficients.sizes, *values.shape[1:])

    expected = coefficients.expected(coefficients.linear(rows, firm))
    firm_share = expected[:, profile[0]]
    shares = np.stack([expected[:, row].mean(axis=1) for row in profile], axis=-1)[:, 1:]
    predictors = constant["setting_predictor"].to_numpy().astype(str)
    levels = constant["setting_level"].to_numpy().astype(str)
    comparisons = _comparisons(predictors, coefficients.blocks)
    differences = np.empty((len(shares), len(comparisons)))
    for column, (a, b) in enumerate(comparisons):
        differences[:, column] = shares[:, a] - shares[:, b]
    sources, variation = variation_by_source(coefficients)
    return xr.Dataset(
        {
            "average_share": (("chain", "draw"), shape(firm_share.mean(axis=1))),
            "expected_share": (("chain", "draw", "setting"), shape(shares)),
            "difference": (("chain", "draw", "comparison"), shape(differences)),
            "firm_share": (("chain", "draw", "firm"), shape(firm_share)),
            "variation": (("chain", "draw", "source"), shape(variation)),
        },
        coords={
            "chain": tree[group]["chain"].to_numpy(),
            "draw": tree[group]["draw"].to_numpy()[::step],
            "setting": _labels([f"{p}: {v}" for p, v in zip(predictors, levels, strict=True)]),
            "setting_predictor": ("setting", _labels(predictors)),
            "setting_level": ("setting", _labels(levels)),
            "comparison": _labels(
                [f"{predictors[a]}: {levels[a]} - {levels[b]}" for a, b in comparisons]
            ),
            "comparison_predictor": (
                "comparison",
                _labels([predictors[a] for a, _ in comparisons]),
            ),
            "comparison_level": ("comparison", _labels([levels[a] for a, _ in comparisons])),
            "comparison_against": ("comparison", _labels([levels[b] for _, b in comparisons])),
            "firm": constant["firm"].to_numpy(),
            "source": _labels(sources),
        },
        attrs={"units": "percent; differences in percentage points", "every": step},
    )


def _labels(values: Any) -> NDArray[np.object_]:
    return np.asarray(list(map(str, values)), dtype=object)


def _comparisons(
    predictors: NDArray[np.str_], blocks: list[dict[str, Any]]
) -> list[tuple[int, int]]:
    pairs = []
    for block in blocks:
        places = np.flatnonzero(predictors == block["name"])
        if block["kind"] == "numeric":
            pairs.append((int(places[-1]), int(places[0])))
        elif block["kind"] in ("contrast", "monotonic"):
            pairs += [(int(b), int(a)) for a, b in itertools.combinations(places, 2)]
        else:
            pairs += [(int(a), int(b)) for a, b in itertools.combinations(places, 2)]
    return pairs


def variation_by_source(coefficients: Coefficients) -> tuple[list[str], Array]:
    """Split the variation of shares between firms by its sources.

    The variance of the firms' mean shares is split between the predictors by Shapley values
    (Shorrocks 2013, Journal of Economic Inequality 11, 99-126): the average, over all orders,
    of what a predictor adds to the variance when it enters at its observed values rather than
    at its mean contribution. What the predictors leave is the average variance of a firm's
    share around its mean.

    Returns
    -------
    list of str
        Predictors, then ``not explained``. Empty with more than ``MOST_SOURCES`` predictors.
    array, shape (draw, source)
        In percent of the total; the parts sum to 100.
    """
    names = [block["name"] for block in coefficients.blocks]
    n = len(names)
    if n > MOST_SOURCES:
        return [], np.empty((len(coefficients.intercept), 0))
    parts = [coefficients.contribution(coefficients.place[name]) for name in names]
    level = coefficients.intercept[:, None] + sum(p.mean(axis=1, keepdims=True) for p in parts)
    centred = [part - part.mean(axis=1, keepdims=True) for part in parts]
    worth = {}
    for size in range(n + 1):
        for subset in itertools.combinations(range(n), size):
            linear = level + sum(centred[i] for i in subset)
            linear = np.broadcast_to(linear, (len(level), len(coefficients.design)))
            worth[subset] = _moments(coefficients, linear)[0].var(axis=1)
    explained = np.zeros((len(level), n))
    for i in range(n):
        for subset in worth:
            if i in subset:
                continue
            weight = math.factorial(len(subset)) * math.factorial(n - len(subset) - 1)
            gain = worth[tuple(sorted((*subset, i)))] - worth[subset]
            explained[:, i] += weight / math.factorial(n) * gain
    full = level + sum(centred) if n else np.broadcast_to(level, (len(level), 1))
    left = _moments(coefficients, full)[1].mean(axis=1)
    total = worth[tuple(range(n))] + left
    shares = 100 * np.column_stack([explained, left]) / total[:, None]
    return [*names, "not explained"], shares


def _moments(coefficients: Coefficients, linear: Array) -> tuple[Array, Array]:
    """Mean and variance of a share (not printed) given the linear predictor."""
    parameters = {name: value[:, None] for name, value in coefficients.parameters.items()}
    if coefficients.family == "logit-normal":
        nodes, weights = np.polynomial.hermite_e.hermegauss(20)
        weights = weights / weights.sum()
        mean, square = np.zeros_like(linear), np.zeros_like(linear)
        for node, weight in zip(nodes, weights, strict=True):
            share = observation.inverse_logit(linear + node * parameters["sigma"])
            mean += weight * share
            square += weight * share**2
        return mean, square - mean**2
    mu = observation.inverse_logit(linear)
    within = mu * (1 - mu) / (1 + parameters["phi"])
    if coefficients.family == "hurdle":
        sells = 1 - parameters["never"]
        return sells * mu, sells * within + sells * (1 - sells) * mu**2
    return mu, within


# -- new firms ---------------------------------------------------------------------------


def new_firms(
    tree: DataTree, profiles: list[Mapping[str, Any]], *, seed: int = 0, group: str = "posterior"
) -> Dataset:
    """Predict the printed share of firms that were not in the study.

    Parameters
    ----------
    tree : xarray.DataTree
        A fit.
    profiles : list of mapping
        Predictor -> level (or number, for a numeric covariate, in its printed unit). A
        predictor left out: for a categorical predictor a level drawn anew from the spread of
        its levels, for the others the average over the firms.
    seed : int
        For the new levels.
    group : {"posterior", "prior"}

    Returns
    -------
    xarray.Dataset
        ``probability`` (profile, grid): of each printed value; ``expected_share``
        (chain, draw, profile) in percent.

    Raises
    ------
    StudyError
        For an unknown predictor or level.
    """
    import xarray as xr

    coefficients = Coefficients(tree, group)
    rng = np.random.default_rng(seed)
    # One profile at a time: with all draws, a fine grid is large.
    predicted = [
        _predicted(coefficients, _profile(coefficients, profile, rng)) for profile in profiles
    ]
    probability = np.stack([p for p, _ in predicted])
    expected = np.stack([e for _, e in predicted], axis=-1)
    names = [describe_profile(profile) for profile in profiles]
    return xr.Dataset(
        {
            "probability": (("profile", "grid"), probability),
            "expected_share": (
                ("chain", "draw", "profile"),
                expected.reshape(*coefficients.sizes, -1),
            ),
        },
        coords={
            "profile": _labels(names),
            "grid": grid(coefficients.width),
            "chain": tree[group]["chain"].to_numpy(),
            "draw": tree[group]["draw"].to_numpy(),
        },
    )


def _predicted(coefficients: Coefficients, linear: Array) -> tuple[Array, Array]:
    """Probability of every printed value, and the expected printed share of every draw."""
    values = grid(coefficients.width)
    total, expected = np.zeros(len(values)), np.empty(len(linear))
    for start in range(0, len(linear), CHUNK):
        part = slice(start, start + CHUNK)
        parameters = {name: value[part] for name, value in coefficients.parameters.items()}
        chance = observation.printed_probabilities(
            coefficients.family, linear[part], parameters, coefficients.width
        )
        total += chance.sum(axis=0)
        expected[part] = chance @ values
    return total / len(linear), expected


def describe_profile(profile: Mapping[str, Any]) -> str:
    """A profile in words: its levels, in the order given."""
    return ", ".join(str(value) for value in profile.values()) or "any firm"


def _profile(
    coefficients: Coefficients, profile: Mapping[str, Any], rng: np.random.Generator
) -> Array:
    known = {block["name"]: block for block in coefficients.blocks}
    for name in profile:
        if name not in known:
            raise StudyError(
                f"no predictor is called '{name}'; the predictors are {', '.join(known)}",
                value=name,
            )
    total = coefficients.intercept.copy()
    for name, block in known.items():
        columns = coefficients.place[name]
        draws = coefficients.values[:, columns]
        if name in profile:
            total += _set_level(block, draws, profile[name])
        elif name in coefficients.spread:
            total += rng.normal(size=len(total)) * coefficients.spread[name]
        else:
            total += coefficients.contribution(columns).mean(axis=1)
    return total


def _set_level(block: Mapping[str, Any], draws: Array, value: Any) -> Array:
    name, kind = block["name"], block["kind"]
    if kind == "numeric":
        try:
            number = float(value)
            number = math.log(number) if block["transform"] == "log" else number
        except ValueError as error:
            raise StudyError(f"'{name}' takes a number", value=str(value)) from error
        return draws[:, 0] * (number - block["center"]) / block["scale"]
    levels = block["settings"] if kind == "contrast" else block["levels"]
    if value not in levels:
        raise StudyError(
            f"'{name}' has no level '{value}'; the levels are {', '.join(levels)}",
            value=str(value),
        )
    if kind == "contrast":
        return draws[:, 0] * (levels.index(value) - 0.5)
    return draws[:, levels.index(value)]


# -- tables ------------------------------------------------------------------------------


def interval(draws: Array, prob: float = CI_PROB) -> tuple[float, float]:
    """Equal-tailed interval of draws."""
    low, high = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2])
    return float(low), float(high)


def summary(dataset: Dataset, prob: float = CI_PROB) -> DataFrame:
    """One row for each scalar of a group of draws.

    Returns
    -------
    pandas.DataFrame
        ``variable``, ``label``, ``mean``, ``median``, ``sd``, ``ci_low``, ``ci_high``,
        ``ci_kind`` ("eti", equal-tailed), ``ci_prob``, ``p_positive`` (probability of being
        above zero), ``rhat``, ``ess_bulk``, ``ess_tail``, ``mcse_mean``.
    """
    import pandas as pd

    from intlmodels.diagnostics import convergence, scalars

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


def rank_probabilities(estimands: Dataset, blocks: list[dict[str, Any]]) -> DataFrame:
    """Probability of each rank (1 = largest expected share) of each level of a predictor.

    Returns
    -------
    pandas.DataFrame
        ``predictor``, ``level``, ``rank``, ``probability``; for categorical predictors.
    """
    import pandas as pd

    rows = []
    predictors = estimands["setting_predictor"].to_numpy().astype(str)
    levels = estimands["setting_level"].to_numpy().astype(str)
    shares = estimands["expected_share"].to_numpy()
    for block in blocks:
        places = np.flatnonzero(predictors == block["name"])
        if block["kind"] in ("numeric", "contrast") or not len(places):
            continue
        ranks = (-shares[..., places]).argsort(axis=-1).argsort(axis=-1)
        for i, place in enumerate(places):
            for rank in range(len(places)):
                rows.append(
                    {
                        "predictor": block["name"],
                        "level": levels[place],
                        "rank": rank + 1,
                        "probability": float((ranks[..., i] == rank).mean()),
                    }
                )
    return pd.DataFrame(rows, columns=["predictor", "level", "rank", "probability"])
