"""What a user asks of a fit: predictions, comparisons and slopes, draw by draw.

Of the share model they are of the expected share; of known decisions of the probability of the
flag, each decision with its own firm, size and prior entries.

Named, and where they overlap behaving, as in the R and Python packages marginaleffects
(Arel-Bundock, Greifer and Heiss 2024, Journal of Statistical Software 111(9)) and in
``bambi.interpret``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError, did_you_mean, listed
from intlmodels.core.formats import MINUS, amount, bare, unit_of_differences
from intlmodels.models.base import flat, texts
from intlmodels.models.decay.coefficients import DecisionCoefficients
from intlmodels.models.share.coefficients import Change, Coefficients, means_by_group
from intlmodels.models.share.design import MOST_CLUSTERS
from intlmodels.models.share.estimands import (
    FEWEST_DRAWS,
    MOST_CELLS,
    MOST_SHARES,
    change_of,
    label_of,
    weights_at,
    weights_of,
)
from intlmodels.models.share.observation import LEVELLED
from intlmodels.results.intervals import (
    CI_KIND,
    CI_PROB,
    Array,
    converged,
    directions,
    intervals,
    table_of,
)
from intlmodels.results.share import NUMBERS

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataArray, DataTree


Kind = Literal["prediction", "comparison", "slope"]
#: Change of the standardized predictor by which a slope is computed.
_STEP = 1e-4
#: Names of dimensions that are no predictors.
CONTRAST, SLOPE = "contrast", "slope"


@dataclass(frozen=True, repr=False)
class Interpretation:
    """Predictions, comparisons or slopes: the draws, and a table of them.

    Parameters
    ----------
    kind : {"prediction", "comparison", "slope"}
    draws : xarray.DataArray
        Dimensions ``chain``, ``draw``, and one for each predictor that was set or averaged by, with
        its levels or numbers as coordinates; of comparisons also ``contrast``, of slopes ``slope``.
        In percentage points (predictions: percent), of slopes per unit of the predictor; NaN where
        no row is.
    labels : mapping of str to str
        What the dimensions are called in words.
    units : mapping of str to str
        Units of the dimensions that are numbers.
    passed : bool
        Whether the fit passed the gate.
    prob : float
        Probability of the equal-tailed intervals of :attr:`table`.

    Examples
    --------
    A contrast of one's own is one line, with :meth:`contrast` or the arithmetic of xarray::

        found = im.predictions(fit, at={"owner": ["Local", "Foreign"], "size": [10, 100]})
        found.contrast({"owner": "Foreign", "size": 100}, {"owner": "Local", "size": 10}).table
        found.draws.sel(owner="Foreign") - found.draws.sel(owner="Local")
    """

    kind: Kind
    draws: DataArray
    labels: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    passed: bool = True
    prob: float = CI_PROB

    def __repr__(self) -> str:
        return f"{self.kind}s, {self.draws.attrs['units']}:\n{self.table}"

    def _repr_html_(self) -> str:
        return str(self.table._repr_html_())

    @property
    def dims(self) -> tuple[str, ...]:
        """Dimensions other than chain and draw."""
        return tuple(str(dim) for dim in self.draws.dims if dim not in ("chain", "draw"))

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each combination of coordinates.

        Returns
        -------
        pandas.DataFrame
            A column for each dimension, then ``mean``, ``median``, ``sd``, ``ci_low`` and
            ``ci_high`` at ``prob``, ``ci50_low``, ``ci50_high``, ``ci_kind``, ``ci_prob``,
            ``converged``; of comparisons and slopes also ``p_positive``, ``p_direction`` (of the
            likelier sign) and their Monte Carlo error ``p_error``.
        """
        import pandas as pd

        array = self.draws.transpose("chain", "draw", *self.dims)
        labels = [array[dim].to_numpy() for dim in self.dims]
        every = [values.ravel() for values in np.meshgrid(*labels, indexing="ij")]
        values = flat(array).reshape(array.sizes["chain"] * array.sizes["draw"], -1)
        there = ~np.isnan(values).any(axis=0)
        values = values[:, there]
        columns = {dim: own[there] for dim, own in zip(self.dims, every, strict=True)}
        found = pd.DataFrame(
            {
                **columns,
                **intervals(values, self.prob),
                "ci_kind": CI_KIND,
                "ci_prob": self.prob,
                "converged": self.passed,
            }
        )
        if self.kind == "prediction":
            return found
        return found.assign(**directions(values, array.sizes["chain"]))

    def contrast(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> Interpretation:
        """One selection minus another, draw by draw.

        Parameters
        ----------
        one, other : mapping
            Dimension -> level or number; dimensions that neither names stay.

        Returns
        -------
        Interpretation
            Of kind ``comparison``.
        """
        sides: tuple[Any, Any] = one, other
        for side in sides:
            if not isinstance(side, Mapping):
                example = {self.dims[0]: self.draws[self.dims[0]].to_numpy().tolist()[0]}
                raise StudyError(
                    f"expected a mapping, as in {example}", value=side, file="contrast"
                )
        for name, value in [*one.items(), *other.items()]:
            if name not in self.dims:
                raise StudyError(
                    f"no dimension is called '{name}'"
                    f"{did_you_mean(name, self.dims)}; expected one of {listed(self.dims)}",
                    value=name,
                    file="contrast",
                )
            known = self.draws[name].to_numpy().tolist()
            if value not in known:
                raise StudyError(
                    f"'{name}' has no such value; expected one of {listed(known)}",
                    value=value,
                    file="contrast",
                )
        if set(one) != set(other):
            raise StudyError(
                f"expected both sides to name the same dimensions of {listed(self.dims)}",
                file="contrast",
            )
        draws = self.draws.sel(one, drop=True) - self.draws.sel(other, drop=True)
        draws.attrs["units"] = "percentage points"
        words = [
            [_in_words(value, bare(self.units.get(name, ""))) for name, value in side.items()]
            for side in (one, other)
        ]
        label = f" {MINUS} ".join(map(", ".join, words))
        if CONTRAST in draws.dims:  # of comparisons: which of them, and what of it
            labels = [f"{own}: {label}" for own in texts(draws[CONTRAST])]
            draws = draws.assign_coords({CONTRAST: np.asarray(labels, dtype=object)})
        else:
            draws = draws.expand_dims({CONTRAST: np.asarray([label], dtype=object)}, axis=2)
        return replace(self, kind="comparison", draws=draws)


def _in_words(value: Any, unit: str) -> str:
    return value if isinstance(value, str) else amount(float(value), unit)


# -- what can be asked about -------------------------------------------------------------


@dataclass(frozen=True)
class _Asked:
    """A fit with what its predictors and groupings are called."""

    fit: DataTree
    coefficients: Coefficients

    @cached_property
    def blocks(self) -> dict[str, dict[str, Any]]:
        """Predictors by name."""
        return {b["name"]: b for b in self.coefficients.blocks if not b.get("of")}

    @cached_property
    def groupings(self) -> dict[str, Any]:
        """Groupings by name."""
        return {own.name: own for own in self.coefficients.groupings}

    @cached_property
    def settings(self) -> dict[tuple[str, str], Array]:
        """Weights of each level of each predictor, NaN for what stays as observed."""
        constant = self.fit["constant_data"].to_dataset()
        if "setting_weights" not in constant:  # of decisions: every row has one level
            return {}
        names = (texts(constant[f"setting_{what}"]) for what in ("predictor", "level"))
        return dict(
            zip(zip(*names, strict=True), constant["setting_weights"].to_numpy(), strict=True)
        )

    def require(self, name: str, what: str) -> None:
        """Refuse an unknown predictor."""
        known = [*self.blocks, *self.groupings]
        if name in known:
            return
        parts = [own for own, block in self.blocks.items() if block.get("term") == name]
        if parts:
            said = f"'{name}' is split between and within firms; expected one of {listed(parts)}"
            raise StudyError(said, value=name, file=what)
        products = {b["name"] for b in self.coefficients.blocks} - set(known)
        if name in products:
            said = (
                f"'{name}' is a product, which follows from its predictors; expected one of these"
            )
            raise StudyError(f"{said}: {listed(known)}", value=name, file=what)
        raise StudyError(
            f"no predictor or grouping is called '{name}'{did_you_mean(name, known)}; "
            f"expected one of {listed(known)}",
            value=name,
            file=what,
        )

    def levels(self, name: str) -> list[str]:
        """Levels of a predictor or names of the groups of a grouping; empty if it is a number."""
        if name in self.groupings:
            return list(self.groupings[name].labels)
        block = self.blocks[name]
        return [] if block["kind"] in NUMBERS else list(block["settings"])

    def change(self, name: str, value: Any, what: str) -> Change:
        """All rows at one value of a predictor, or in one group."""
        if name in self.blocks and self.blocks[name]["kind"] in NUMBERS:
            return Change({name: weights_at(self.blocks[name], value)})
        levels, value = self.levels(name), label_of(value)
        if value not in levels:
            raise StudyError(
                f"'{name}' has no level '{value}'{did_you_mean(str(value), levels)}; "
                f"expected one of {listed(levels)}",
                value=str(value),
                file=what,
            )
        if name in self.groupings:
            return Change(groups={name: levels.index(value)})
        if (name, value) not in self.settings:
            return Change({name: weights_at(self.blocks[name], value)})
        return change_of(self.coefficients, self.settings[name, value])

    def numbers(self, name: str, base: Change) -> Array:
        """Each row's number of a predictor, in its own unit; (row,)."""
        block, columns = self.blocks[name], self.coefficients.place[name]
        standardized = self.coefficients.design[:, columns.start]
        if name in base.weights:
            standardized = np.broadcast_to(base.weights[name][..., 0], standardized.shape)
        values = block["center"] + block["scale"] * standardized
        return np.exp(values) if block["transform"] == "log" else values

    def codes(self, name: str) -> NDArray[np.intp]:
        """Position of each row's level or group."""
        if name in self.groupings:
            return np.asarray(self.groupings[name].codes)
        block = self.blocks[name]
        weights = self.coefficients.design[:, self.coefficients.place[name]]
        if block["kind"] == "contrast":
            return (weights[:, 0] > 0).astype(np.intp)
        if block["kind"] in NUMBERS or not np.isin(weights, (0.0, 1.0)).all():
            why = "takes numbers" if block["kind"] in NUMBERS else "has rows with two levels"
            raise StudyError(
                f"'{name}' {why}; expected a predictor or grouping of which each row has one "
                f"level: set '{name}' to values with at={{'{name}': [...]}}",
                value=name,
                file="by",
            )
        return np.asarray(weights.argmax(axis=1))


def _together(*changes: Change) -> Change:
    """Changes one after the other."""
    weights: dict[str, Array] = {}
    groups: dict[str, int] = {}
    for change in changes:
        weights |= change.weights
        groups |= change.groups
    return Change(weights, groups)


@dataclass(frozen=True)
class _Item:
    """One number of each row and draw, to be averaged: a share, a difference, or a slope."""

    plus: Change
    minus: Change | None = None
    factor: Array | None = None  #: (row,), with which each row's difference is multiplied


#: Names of predictors -> the values at which all rows are.
type At = Mapping[str, Any]


def _asked(fit: DataTree, what: str) -> _Asked:
    if fit.attrs["model"] in ("share", "register"):
        return _Asked(fit, Coefficients(fit))
    if "prior_entries" in fit["constant_data"]:
        return _Asked(fit, DecisionCoefficients(fit))
    raise StudyError(
        f"{what} are for fits of the share model and of decisions that are all known; see "
        "plots.curves for this one",
        value=str(fit.attrs["model"]),
    )


def _values(asked: _Asked, at: At | None) -> dict[str, list[Any]]:
    """Values at which predictors are set, as lists."""
    found = {}
    for name, given in (at or {}).items():
        asked.require(name, "at")
        several = hasattr(given, "__iter__") and not isinstance(given, (str, bytes))
        found[name] = list(given) if several else [given]
        if not found[name]:
            raise StudyError(
                f"expected at least one value of '{name}', and there is none", file="at"
            )
        for value in found[name]:
            asked.change(name, value, "at")
        plain = label_of if asked.levels(name) else float
        found[name] = [plain(value) for value in found[name]]
        if len(set(found[name])) < len(found[name]):
            raise StudyError(f"expected every value of '{name}' once", value=str(given), file="at")
    return found


def _named(names: str | Sequence[str] | None) -> list[str]:
    return [] if names is None else [names] if isinstance(names, str) else list(names)


def _interpreted(
    asked: _Asked,
    kind: Kind,
    at: At | None,
    by: str | Sequence[str] | None,
    items: Mapping[str, Mapping[str, Any]] | None,
    prob: float,
    fewest: int = FEWEST_DRAWS,
) -> Interpretation:
    """Averages of items under every combination of values, over the rows of every group.

    ``items``: dimension of the contrasts or slopes -> label -> function from the change that goes
    before to an item.
    """
    import xarray as xr

    coefficients, values, groups = asked.coefficients, _values(asked, at), _named(by)
    for name in groups:
        asked.require(name, "by")
        if groups.count(name) > 1:
            raise StudyError("expected every name once", value=name, file="by")
        if name in values:
            said = f"'{name}' is also in at; expected another predictor or grouping"
            raise StudyError(said, value=name, file="by")
    sizes = [len(asked.levels(name)) for name in groups]
    each = [asked.codes(name) for name in groups]
    codes = np.zeros(len(coefficients.design), dtype=np.intp)
    if groups:
        codes = np.ravel_multi_index(each, sizes).astype(np.intp)
    bases = [
        _together(*(asked.change(n, v, "at") for n, v in zip(values, combination, strict=True)))
        for combination in itertools.product(*values.values())
    ]
    ((dim, makers),) = items.items() if items else (("", {"": _Item}),)
    wanted = [make(base) for make in makers.values() for base in bases]
    points = len(codes) * sum(1 if item.minus is None else 2 for item in wanted)
    count = len(coefficients.intercept)
    # For a picture fewer draws are enough.
    most = MOST_SHARES if fewest == FEWEST_DRAWS else MOST_SHARES // 10
    step = max(1, min(math.ceil(count * points / most), count // fewest))
    coefficients = coefficients.thinned(step)
    found = _averaged(coefficients, wanted, codes, math.prod(sizes), points)
    shape = (*coefficients.sizes, len(makers), *map(len, values.values()), *sizes)
    dims = ["chain", "draw", dim or "all", *values, *groups]
    posterior = asked.fit["posterior"]
    coords: dict[str, Any] = {
        "chain": posterior["chain"].to_numpy(),
        "draw": posterior["draw"].to_numpy()[::step],
        dim or "all": np.asarray(list(makers), dtype=object),
    }
    for name in (*values, *groups):
        own = values.get(name) or asked.levels(name)
        coords[name] = own if not asked.levels(name) else np.asarray(own, dtype=object)
    ordered = coefficients.family == "ordered"
    unit = "stages" if ordered else "percent" if kind == "prediction" else "percentage points"
    about = {"units": unit}
    if coefficients.family == "decisions":
        about["quantity"] = what(asked.fit, coefficients)
    draws = xr.DataArray(found.reshape(shape), coords, dims, attrs=about)
    if not dim:
        draws = draws.isel(all=0, drop=True)
    known = {**asked.blocks, **{n: {"label": n.capitalize()} for n in asked.groupings}}
    used = [name for name in draws.dims if name in known]
    return Interpretation(
        kind,
        draws,
        {str(name): known[name]["label"] for name in used},
        {str(name): known[name].get("unit", "") for name in used},
        converged(asked.fit),
        prob,
    )


def _averaged(
    coefficients: Coefficients,
    items: Sequence[_Item],
    codes: NDArray[np.intp],
    size: int,
    points: int,
) -> Array:
    """Averages of items over the rows of each group, some draws at a time; (draw, item, group)."""
    count, rows = len(coefficients.intercept), len(codes)
    found = np.empty((count, len(items), size))
    many = max(1, MOST_CELLS // (4 * rows))
    for start in range(0, count, many):
        pick = slice(start, start + many)
        part = coefficients.at(pick)

        def expected(change: Change, part: Coefficients = part) -> Array:
            linear, own = part.rows_linear(change), part.rows_parameters(change)
            return part.rows_expected(linear, own, points)

        for i, item in enumerate(items):
            values = expected(item.plus)
            if item.minus is not None:
                values = values - expected(item.minus)
            if item.factor is not None:
                values = values * item.factor
            found[pick, i] = means_by_group(values, codes, size, part.rows)
    return found


# -- predictions, comparisons and slopes -------------------------------------------------


def predictions(
    fit: DataTree,
    at: At | None = None,
    by: str | Sequence[str] | None = None,
    prob: float = CI_PROB,
) -> Interpretation:
    """Average expected shares; see :func:`intlmodels.predictions`."""
    return _interpreted(_asked(fit, "predictions"), "prediction", at, by, None, prob)


def comparisons(
    fit: DataTree,
    variables: str | Sequence[str] | Mapping[str, Any],
    at: At | None = None,
    by: str | Sequence[str] | None = None,
    prob: float = CI_PROB,
) -> Interpretation:
    """Differences of expected shares; see :func:`intlmodels.comparisons`."""
    asked = _asked(fit, "comparisons")
    mapping = isinstance(variables, Mapping)
    named = variables if isinstance(variables, Mapping) else dict.fromkeys(_named(variables))
    if not named:
        raise StudyError("expected at least one predictor, and there is none", file="comparisons")
    makers: dict[str, Any] = {}
    for name, how in named.items():
        asked.require(name, "comparisons")
        if name in _named(by):
            said = f"'{name}' is compared; expected another predictor or grouping"
            raise StudyError(said, value=name, file="by")
        own = _pairs(asked, name, how if mapping else None)
        if name in (at or {}) and not all(isinstance(pair, float) for pair in own.values()):
            said = f"'{name}' is compared; expected other predictors"
            raise StudyError(said, value=name, file="at")
        for label, pair in own.items():
            words = label if len(named) == 1 else f"{name}: {label}"
            makers[words] = _comparing(asked, name, pair)
    return _interpreted(asked, "comparison", at, by, {CONTRAST: makers}, prob)


def _comparing(asked: _Asked, name: str, pair: Any) -> Any:
    """From what goes before to the difference of two values, or of a step upwards."""

    def make(base: Change) -> _Item:
        if isinstance(pair, float):
            moved = asked.numbers(name, base) + pair
            block = asked.blocks[name]
            if block["transform"] == "log" and moved.min() <= 0:
                raise StudyError(
                    f"a step of {pair:g} takes '{name}' to zero or below, where it "
                    "has no logarithm; expected a smaller step",
                    value=name,
                    file="comparisons",
                )
            return _Item(_together(base, Change({name: weights_of(block, moved)})), base)
        above, below = (asked.change(name, value, "comparisons") for value in pair)
        return _Item(_together(base, above), _together(base, below))

    return make


def _pairs(asked: _Asked, name: str, how: Any) -> dict[str, Any]:
    """Label -> (value, value to compare it with), or a step in the predictor's own unit."""
    levels = asked.levels(name)
    if levels:
        known = ("reference", "sequential", "pairwise")
        if how in (None, *known):
            if how == "pairwise" and len(levels) > MOST_CLUSTERS:
                said = f"'{name}' has {len(levels):,} levels, which are too many for all pairs"
                raise StudyError(f"{said}; expected some of them in a list", file="comparisons")
            pairs = _of_levels(levels, how or "reference")
        elif isinstance(how, str):
            raise StudyError(
                f"expected one of {listed(known)}, or a list of levels of '{name}'",
                value=how,
                file="comparisons",
            )
        else:
            pairs = _of_levels([label_of(value) for value in how], "reference")
        return {f"{a} {MINUS} {b}": (a, b) for a, b in pairs}
    block = asked.blocks[name]
    unit = block["unit"]
    if how is None or (isinstance(how, (int, float)) and not isinstance(how, bool)):
        step = 1.0 if how is None else float(how)
        if step == 0 or not math.isfinite(step):
            said = f"expected a step of '{name}' upwards or downwards"
            raise StudyError(said, value=step, file="comparisons")
        sign = "+" if step > 0 else MINUS
        return {f"{sign}{amount(abs(step), unit_of_differences(unit))}": step}
    if how == "sd":
        ends = block["center"] + block["scale"] * np.array([0.5, -0.5])
        pair = tuple((np.exp(ends) if block["transform"] == "log" else ends).tolist())
        return {"one sd around the mean": pair}
    if isinstance(how, str) or len(list(how)) < 2:
        raise StudyError(
            f"'{name}' takes numbers; expected a step, two or more values in a list, or 'sd'",
            value=str(how),
            file="comparisons",
        )
    pairs = _of_levels(list(how), "reference")
    return {f"{amount(a, unit)} {MINUS} {amount(b, unit)}": (a, b) for a, b in pairs}


def _of_levels(levels: Sequence[Any], how: str) -> list[tuple[Any, Any]]:
    """Each level and the one it is compared with."""
    if how == "sequential":
        return [(b, a) for a, b in itertools.pairwise(levels)]
    if how == "pairwise":
        return [(b, a) for a, b in itertools.combinations(levels, 2)]
    return [(level, levels[0]) for level in levels[1:]]


def slopes(
    fit: DataTree,
    variables: str | Sequence[str],
    at: At | None = None,
    by: str | Sequence[str] | None = None,
    prob: float = CI_PROB,
) -> Interpretation:
    """Slopes of expected shares; see :func:`intlmodels.slopes`."""
    asked = _asked(fit, "slopes")
    if not _named(variables):
        raise StudyError("expected at least one predictor, and there is none", file="slopes")
    makers = {}
    for name in _named(variables):
        asked.require(name, "slopes")
        if asked.levels(name):
            said = f"'{name}' has levels, not numbers; see comparisons for these"
            raise StudyError(said, value=name, file="slopes")
        makers[name] = _sloping(asked, name)
    return _interpreted(asked, "slope", at, by, {SLOPE: makers}, prob)


def _sloping(asked: _Asked, name: str) -> Any:
    """From what goes before to the slope there, by central differences."""
    block = asked.blocks[name]

    def make(base: Change) -> _Item:
        numbers = asked.numbers(name, base)
        log = block["transform"] == "log"
        # A step of the standardized predictor, in the predictor's own unit.
        ends = [
            numbers * np.exp(sign * _STEP * block["scale"])
            if log
            else numbers + sign * _STEP * block["scale"]
            for sign in (1, -1)
        ]
        plus, minus = (_together(base, Change({name: weights_of(block, end)})) for end in ends)
        return _Item(plus, minus, 1 / (ends[0] - ends[1]))

    return make


# -- curves and interactions -------------------------------------------------------------

#: Values of a predictor at which its curve is computed, and draws that are enough for a picture.
POINTS, DRAWS = 33, 250


def observed_numbers(fit: DataTree, predictor: str) -> Array:
    """Where the rows stand on a numeric predictor, in its own unit, NaN where that is not known."""
    asked = _asked(fit, "curves")
    asked.require(predictor, "curve")
    if asked.levels(predictor):
        numeric = [name for name in asked.blocks if not asked.levels(name)]
        said = (
            f"'{predictor}' has levels; expected a numeric predictor: {listed(numeric) or 'none'}"
        )
        raise StudyError(said, value=predictor, file="curve")
    return asked.numbers(predictor, Change())


def curve(
    fit: DataTree, predictor: str, at: At | None = None, prob: float = CI_PROB
) -> Interpretation:
    """Expected share over the range of a numeric predictor, the others as observed or set."""
    numbers = observed_numbers(fit, predictor)
    low, high = np.nanmin(numbers), np.nanmax(numbers)
    asked = _asked(fit, "curves")
    log = asked.blocks[predictor]["transform"] == "log"
    range_ = np.geomspace(low, high, POINTS) if log else np.linspace(low, high, POINTS)
    values = {predictor: range_, **(at or {})}
    return _interpreted(asked, "prediction", values, None, None, prob, DRAWS)


def interaction(fit: DataTree, name: str, prob: float = CI_PROB) -> Interpretation:
    """Expected share by both predictors of an interaction.

    A numeric predictor goes over its range; of two numeric ones the second is set where it is
    compared (by default one sd below, at and above its mean).

    Raises
    ------
    StudyError
        If there is no such interaction.
    """
    asked = _asked(fit, "interactions")
    products = {b["name"]: b for b in asked.coefficients.blocks if b.get("of")}
    found: dict[str, list[str]] = {}
    for own, block in products.items():
        names = dict.fromkeys(n for product in block["of"] for n, _ in product)
        plain = [n for n in names if n not in products]
        plain += [products[n]["of"][0][0][0] for n in names if n in products]
        plain = list(dict.fromkeys(plain))
        if len(plain) > 1:
            found[own] = plain
    if name not in found:
        said = f"no interaction is called '{name}'{did_you_mean(name, found)}"
        expected = f"expected one of {listed(found)}" if found else "the fit has none"
        raise StudyError(f"{said}; {expected}", value=name)
    first, second = sorted(found[name][:2], key=lambda own: bool(asked.levels(own)))
    levels: list[Any] = asked.levels(second)
    if not levels:
        block = asked.blocks[second]
        weights = [w for (of, _), w in asked.settings.items() if of == second]
        at = np.array([w[asked.coefficients.place[second].start] for w in weights])
        numbers = block["center"] + block["scale"] * at
        levels = (np.exp(numbers) if block["transform"] == "log" else numbers).tolist()
    if not asked.levels(first):
        return curve(fit, first, {second: levels}, prob)
    both = {first: asked.levels(first), second: levels}
    return _interpreted(asked, "prediction", both, None, None, prob, DRAWS)


@dataclass(frozen=True)
class Quadratic:
    """Draws of a quadratic curve; (draw,)."""

    block: Mapping[str, Any]
    observed: tuple[float, float]  #: range of the predictor, in its own unit
    turning: Array  #: where it turns, in the predictor's own unit
    u: NDArray[
        np.bool_
    ]  #: whether it falls at the lower end of the range and rises at the upper one
    inverted: NDArray[np.bool_]  #: whether the reverse holds


def quadratics(coefficients: Coefficients) -> Iterator[Quadratic]:
    """The quadratic curves of a fit."""
    blocks = {block["name"]: block for block in coefficients.blocks}
    for square in coefficients.blocks:
        factors = [factor for product in square.get("of") or () for factor, _ in product]
        if len(factors) != 2 or factors[0] != factors[1]:
            continue
        block = blocks[factors[0]]
        standardized = coefficients.design[:, coefficients.place[block["name"]].start]
        slope = coefficients.values[:, coefficients.place[block["name"]].start]
        bend = coefficients.values[:, coefficients.place[square["name"]].start]
        ends = np.array([standardized.min(), standardized.max()])
        first, last = (slope[:, None] + 2 * bend[:, None] * ends).T
        at = -slope / (2 * bend)
        log = block["transform"] == "log"
        with np.errstate(over="ignore"):
            (low, high), turning = [
                np.exp(values) if log else values
                for values in (block["center"] + block["scale"] * v for v in (ends, at))
            ]
        u, inverted = (first < 0) & (last > 0), (first > 0) & (last < 0)
        yield Quadratic(block, (float(low), float(high)), turning, u, inverted)


def turning_points(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Where quadratic curves turn, and whether they are U-shaped within the observed range.

    The probability that the linear predictor falls at the lower end of the range and rises at the
    upper end (``p_u``), or the reverse (``p_inverted``), is the Bayesian counterpart of the test of
    Lind and Mehlum (2010), Oxford Bulletin of Economics and Statistics 72, 109-118. Where the
    predictor is in an interaction, this is its curve where the other predictor has the code 0.

    Returns
    -------
    pandas.DataFrame
        ``predictor``, ``label``, ``unit``, ``observed_low``, ``observed_high``, the columns of
        :func:`.intervals.table_of` of the turning point in the predictor's own unit (without mean
        and sd, which a ratio does not have), ``p_inside``
        (probability that it lies within the observed range), ``p_u``, ``p_inverted``.
    """
    coefficients = _asked(fit, "curves").coefficients
    columns: dict[str, list[Any]] = {
        name: [] for name in ("predictor", "label", "unit", "observed_low", "observed_high")
    }
    turning, chances = [], []
    for own in quadratics(coefficients):
        block = own.block
        known = (block["name"], block["label"], block["unit"], *own.observed)
        for name, value in zip(columns, known, strict=True):
            columns[name].append(value)
        turning.append(own.turning)
        chances.append([float(x.mean()) for x in (own.u | own.inverted, own.u, own.inverted)])
    draws = np.stack(turning, axis=-1) if turning else np.empty((len(coefficients.values), 0))
    # A ratio of coefficients has no mean; where the square hardly counts, draws may be infinite.
    with np.errstate(over="ignore", invalid="ignore"):
        table = table_of(fit, columns, draws, prob).drop(columns=["mean", "sd"])
    for name, values in zip(
        ("p_inside", "p_u", "p_inverted"), np.reshape(chances, (-1, 3)).T, strict=True
    ):
        table[name] = values
    return table


def slopes_in_units(fit: DataTree, prob: float = CI_PROB, zeros: bool = False) -> pd.DataFrame:
    """Coefficients of numeric predictors, per standard deviation and in the predictor's own unit.

    On the scale of the linear predictor (logit); with ``zeros`` those of the log odds of a
    structural zero, where predictors with two levels are among them. Of a predictor that enters by
    its logarithm per doubling; of others per a power of ten of its unit, the largest up to the
    standard deviation.

    Returns
    -------
    pandas.DataFrame
        ``predictor``, ``label``, ``per`` ("standard deviation", "10,000 dollars", "doubling"; of
        the square of a predictor followed by "squared"), and the columns of
        :func:`.intervals.table_of` and :func:`.intervals.directions`.
    """
    coefficients = _asked(fit, "slopes").coefficients
    terms = coefficients.never if zeros else coefficients
    columns: dict[str, list[str]] = {"predictor": [], "label": [], "per": []}
    draws = []
    if terms is not None:
        blocks = {block["name"]: block for block in terms.blocks}
        for block in terms.blocks:
            slope = terms.values[:, terms.place[block["name"]].start]
            for per, factor in _units_of(block, blocks, zeros):
                columns["predictor"].append(block["name"])
                columns["label"].append(block["label"])
                columns["per"].append(per)
                draws.append(slope * factor)
    values = np.stack(draws, axis=-1) if draws else np.empty((len(coefficients.values), 0))
    table = table_of(fit, columns, values, prob)
    return table.assign(**directions(values, coefficients.sizes[0]))


def _units_of(
    block: Mapping[str, Any], blocks: Mapping[str, Mapping[str, Any]], contrasts: bool
) -> list[tuple[str, float]]:
    """Per what the slope of a block is told, and the factor that makes it so."""
    base, power = block, 1
    factors = [factor for product in block.get("of") or () for factor, _ in product]
    if len(factors) == 2 and factors[0] == factors[1]:
        base, power = blocks[factors[0]], 2
    if contrasts and base["kind"] == "contrast":
        low, high = base["settings"]
        return [(f"{high} against {low}", 1.0)]
    if base["kind"] != "numeric":
        return []
    log = base["transform"] == "log"
    step = math.log(2) if log else 10 ** math.floor(math.log10(base["scale"]) + 1e-9)
    words = "doubling" if log else amount(step, unit_of_differences(base["unit"]))
    each = (("standard deviation", 1.0), (words, step / base["scale"]))
    return [(per if power == 1 else f"{per}, squared", factor**power) for per, factor in each]


def what(fit: DataTree, coefficients: Coefficients | None = None) -> str:
    """What is predicted, in words."""
    coefficients = coefficients or _asked(fit, "predictions").coefficients
    if coefficients.family == "decisions":
        return f"probability of: {fit['constant_data'].attrs['flag_label']}"
    if coefficients.family in LEVELLED:
        return str(fit["constant_data"].attrs["outcome_label"])
    return "expected reported share" if coefficients.width else "expected share"
