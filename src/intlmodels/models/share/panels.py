"""How studies with groups of rows are drawn: in coordinates in which the posterior is about normal.

The model is that of :mod:`intlmodels.models.share.model`, of which only the names of the points
change. Let t be the level, the slopes and the effects of levels, and e the effects of the largest
grouping, as a rule of the firms; D is diagonal, J_f the information of the rows of firm f about its
effect and B_f how it goes together with t, both at a start (r, e0) near the maximum. Given the
spreads sigma, a normal approximation of the likelihood makes::

    e_f | t ~ Normal((q_f - B_f (t - r)) / D_f, 1 / D_f),   D_f = J_f + 1 / sigma_firm^2

and t about normal with e integrated out. Coordinates are distances from these means in standard
deviations, those of t by :func:`intlmodels.models.coordinates.whitened`. So firms of many rows and
of one, predictors that vary between firms only, and spreads next to zero all have the same width;
without, the level and the effects of thousands of firms make a ridge. It is exact: the logarithm of
the Jacobian is part of the density.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial, reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from numpy.typing import NDArray
from pytensor.compile.mode import Mode
from pytensor.graph.replace import graph_replace
from scipy import sparse

from intlmodels.core.settings import Given, Progress, Settings
from intlmodels.models import design_of
from intlmodels.models.base import Drawn, Refitter
from intlmodels.models.compilation import compile_model, one_at_a_time
from intlmodels.models.coordinates import NUMPY, RAW, Algebra, algebra, uphill, whitened
from intlmodels.models.priors import Prior, parse
from intlmodels.models.pymc import (
    LOWER,
    OBSERVED,
    UPPER,
    WEIGHTS,
    derive,
    prior_draws,
    run_nutpie,
    sample,
    with_values,
)
from intlmodels.models.share.cells import scales
from intlmodels.models.share.design import VARYING, Block, Design, rows_of, walk
from intlmodels.models.share.design import settings as settings_of
from intlmodels.models.share.inferencedata import MOST_NUMBERS, MOST_OF_ROWS
from intlmodels.models.share.linear import family_parameters, linear_predictor
from intlmodels.models.share.model import build
from intlmodels.models.share.observation import PARAMETERS, inverse_logit
from intlmodels.models.share.simulator import log_probability
from intlmodels.models.share.start import FIRST, bound, free
from intlmodels.studies import Grouping, ShareStudy

if TYPE_CHECKING:
    from xarray import Dataset

Array = NDArray[np.float64]

#: Groups from which the effects of a grouping are coordinates of their own.
FEW_GROUPS = 25
#: Coefficients that are drawn together; the algebra of each step takes their third power.
MOST_TOGETHER = 200
#: First value of a spread, and its limits at the start.
_FIRST_SPREAD, _SPREADS = 0.5, (0.03, 3.0)
_STEP, _STEPS, _NEAR = 1e-3, 40, 1e-3
#: Coordinates from which fewer draws, less tuning and longer steps do as well; see `cells`.
MANY = 200
DRAWS, TUNE, ACCEPT = 600, 250, 0.8
USUAL, CAREFUL = 0.95, 0.9


@dataclass(frozen=True)
class Part:
    """Coefficients of the linear predictor that have one prior."""

    variable: str  #: free variable of the model
    spread: str  #: name of the spread, of which the variable is a multiple; empty if it has none
    place: slice  #: among all coefficients
    shape: tuple[int, ...]
    centre: float = 0.0
    precision: float = 1.0  #: of the prior, without a spread


@dataclass(frozen=True)
class Fixed:
    """Arrays of the normal approximation."""

    at: Array  #: (coefficient,), r
    gradient: Array  #: (coefficient,)
    information: Array  #: (coefficient, coefficient), with the large grouping integrated out
    own: Array  #: (group,), J
    pulled: Array  #: (group,), q
    together: Array  #: (group, coefficient), B
    others: Array  #: (other,): where the other variables are, on the whole line


@dataclass(frozen=True)
class PanelCoordinates:
    """What the coordinates stand for."""

    parts: tuple[Part, ...]
    large: str  #: the largest grouping; empty if none is large
    groups: int  #: number of its groups
    others: dict[str, tuple[int, ...]]  #: free variables that are none of these -> shape

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return self.sizes[-1]

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Ends of the other variables, of the coefficients, and of the large grouping."""
        first = sum(int(np.prod(shape)) for shape in self.others.values())
        second = first + self.parts[-1].place.stop
        return first, second, second + self.groups

    def values(
        self, raw: Any, fixed: Fixed, back: Mapping[str, Callable[[Any], Any]], by: Algebra
    ) -> tuple[dict[str, Any], Any]:
        """Free variables at a point, on the whole line, and the logarithm of the Jacobian."""
        first, second, _ = self.sizes
        found: dict[str, Any] = {}
        line, place = fixed.others + raw[..., :first], 0
        for name, shape in self.others.items():
            size = int(np.prod(shape))
            part = line[..., place : place + size]
            found[name] = part.reshape((*part.shape[:-1], *shape)) if shape else part[..., 0]
            place += size
        spreads = {n: back[n](found[n]) for n in {p.spread for p in self.parts} - {""}}
        one, precisions = 0.0 * raw[..., :1], []
        for part in self.parts:
            prior = spreads[part.spread][..., None] ** -2 if part.spread else part.precision
            precisions.append((one + prior) * np.ones(part.place.stop - part.place.start))
        centre = np.concatenate(
            [np.full(p.place.stop - p.place.start, p.centre) for p in self.parts]
        )
        linear, jacobian = whitened(
            *(raw[..., first:second], fixed.at, fixed.gradient, fixed.information),
            *(by.concatenate(precisions), centre, by),
        )
        for part in self.parts:
            own = linear[..., part.place]
            if part.spread:
                own = own / spreads[part.spread][..., None]
                count = part.place.stop - part.place.start
                jacobian = jacobian - count * by.log(spreads[part.spread])
            own = own.reshape((*own.shape[:-1], *part.shape)) if part.shape else own[..., 0]
            found[part.variable] = own
        if self.large:
            spread = back[f"sigma_{self.large}"](found[f"sigma_{self.large}"])
            total = fixed.own + spread[..., None] ** -2
            mean = (fixed.pulled - (linear - fixed.at) @ fixed.together.T) / total
            effects = mean + raw[..., second:] / total**0.5
            found[f"{self.large}_z"] = effects / spread[..., None]
            jacobian = jacobian - 0.5 * by.log(total).sum(-1) - self.groups * by.log(spread)
        return found, jacobian


def coordinates(design: Design, priors: Mapping[str, Prior], model: pm.Model) -> PanelCoordinates:
    """What is drawn together, what group by group, and what by itself."""
    start = model.initial_point()  # compiled anew by every call
    shapes = {
        rv.name: tuple(np.shape(start[model.rvs_to_values[rv].name])) for rv in model.free_RVs
    }
    parts: list[Part] = []
    end = 0

    def together(variable: str, spread: str, of: str) -> None:
        nonlocal end
        shape = shapes[variable]
        count = int(np.prod(shape))
        if end + count > MOST_TOGETHER:
            return
        centre, precision = 0.0, 1.0
        if not spread and (given := _normal(of)) is not None:
            centre, precision = given[0], given[1] ** -2
        parts.append(Part(variable, spread, slice(end, end + count), shape, centre, precision))
        end += count

    if design.intercept and _normal(priors[design.intercept].text):
        together(design.intercept, "", priors[design.intercept].text)
    largest = max(design.groupings, key=lambda own: len(own.labels))
    is_large = len(largest.labels) > FEW_GROUPS and not design.slopes(largest)
    for block in design.blocks:
        name = block.name
        if block.kind in (*VARYING, "walk"):
            together(f"{name}_z", f"sigma_{name}", "")
        elif block.kind != "monotonic" and not block.missing.size:
            text = priors[name].text if name in priors else block.prior
            if _normal(text):
                together(name, "", text)
    for own in design.groupings:
        if own.correlated and design.slopes(own):
            continue
        if not (is_large and own is largest):
            together(f"{own.name}_z", f"sigma_{own.name}", "")
        for block in design.slopes(own):
            if block.kind != "monotonic" and not block.missing.size:
                name = block.by(own.name)
                together(f"{name}_z", f"sigma_{name}", "")
    large = largest.name if is_large else ""
    taken = {part.variable for part in parts} | {f"{large}_z"}
    others = {name: shape for name, shape in shapes.items() if name not in taken}
    groups = len(largest.labels) if is_large else 0
    return PanelCoordinates(tuple(parts), large, groups, others)


def _normal(text: str) -> tuple[float, float] | None:
    """Mean and sd of a normal prior; None for another one."""
    if not text.startswith("Normal"):
        return None
    mean, sd = parse(text, name="", support="real")[1]
    return mean, sd


def columns(design: Design, points: PanelCoordinates, rows: int) -> Array:
    """Weights with which each row takes the coefficients of all parts, (row, coefficient)."""
    found = []
    blocks = {b.name: b for b in design.blocks}
    groupings = {own.name: own for own in design.groupings}
    slopes = {b.by(g.name): (b, g) for g in design.groupings for b in design.slopes(g)}
    for part in points.parts:
        name = part.variable.removesuffix("_z") if part.spread else part.variable
        if name in blocks:
            found.append(_walked(blocks[name]))
        elif name in groupings:
            found.append(_indicators(groupings[name]))
        elif name in slopes:
            block, own = slopes[name]
            by_group = _indicators(own)[:, :, None] * block.weights[:, None, :]
            found.append(by_group.reshape(rows, -1))
        else:
            found.append(np.ones((rows, 1)))
    return np.concatenate(found, axis=1)


def _walked(block: Block) -> Array:
    return block.weights @ walk(len(block.levels)) if block.kind == "walk" else block.weights


def _indicators(own: Grouping) -> Array:
    return np.eye(len(own.labels))[own.codes]


# -- the start -----------------------------------------------------------------------------


def find_start(
    study: ShareStudy,
    design: Design,
    points: PanelCoordinates,
    onto: Mapping[str, Callable[[Any], Any]],
    given: Given,
) -> Fixed:
    """Find the maximum by Newton's steps, spreads by the fixed point of MacKay (1992).

    ``given``: what is reported of the rows, and their weights, as the data of the model. Nothing of
    it enters the posterior, which is only written in other coordinates.
    """
    rows, weights = len(study.firms), given[WEIGHTS]
    matrix = columns(design, points, rows)
    codes = np.zeros(rows, dtype=np.intp)
    if points.large:
        own_grouping = design.grouping(points.large)
        assert own_grouping is not None
        codes = own_grouping.codes
    belongs = sparse.csr_matrix(
        (np.ones(rows), (codes, np.arange(rows))), shape=(max(points.groups, 1), rows)
    )
    names = [n for n in PARAMETERS[design.family] if n in FIRST]
    family = np.array([free(name, FIRST[name]) for name in names])
    spreads = {part.spread: _FIRST_SPREAD for part in points.parts if part.spread}
    spread = _FIRST_SPREAD * 2
    centre = np.concatenate([np.full(p.place.stop - p.place.start, p.centre) for p in points.parts])
    at, effects = centre.copy(), np.zeros(max(points.groups, 1))

    def each(linear: Array, family: Array) -> Array:
        values = {n: np.asarray(bound(n, v)) for n, v in zip(names, family, strict=True)}
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = log_probability(study, design, linear, values, given)
        return weights * np.nan_to_num(np.maximum(found, -1e6), nan=-1e6)

    def worth(theta: Array) -> float:
        moved, own = theta[: len(centre)], theta[len(centre) :]
        fit = each(matrix @ moved + own[codes], family).sum()
        off = _precisions(points, spreads) @ (moved - centre) ** 2 + own @ own / spread**2
        return float(fit - 0.5 * off)

    for _ in range(_STEPS):
        before = at
        linear = matrix @ at + effects[codes]
        here, above, below = (each(linear + off, family) for off in (0.0, _STEP, -_STEP))
        score = (above - below) / (2 * _STEP)
        # Far from the maximum the law may be convex: squared scores stand for its information.
        curvature = np.maximum(-(above - 2 * here + below) / _STEP**2, 0.1 * score**2)
        curvature = np.maximum(curvature, 0.01 * weights)
        prior = _precisions(points, spreads)
        own = np.asarray(belongs @ curvature)
        together = np.asarray(belongs @ (curvature[:, None] * matrix))
        total = own + spread**-2
        information = (matrix.T * curvature) @ matrix
        pull = np.asarray(belongs @ score) - effects / spread**2
        right = matrix.T @ score - prior * (at - centre)
        if points.large:
            information = information - (together.T / total) @ together
            right = right - together.T @ (pull / total)
        inverse = np.linalg.inv(information + np.diag(prior))
        step = inverse @ right
        own_step = (pull - together @ step) / total if points.large else np.zeros(1)

        joined = np.concatenate([at, effects])
        gained = uphill(worth, joined, np.concatenate([step, own_step]), worth(joined), 12)
        if gained is not None:
            at, effects = gained[0][: len(at)], gained[0][len(at) :]
        if points.large:
            known = float((1 - 1 / (total * spread**2)).sum())
            spread = _limited((effects**2).sum() / max(known, 0.5))
        for part in points.parts:
            if part.spread:
                used, variance = at[part.place], np.diag(inverse)[part.place]
                known = float((1 - variance / spreads[part.spread] ** 2).sum())
                spreads[part.spread] = _limited((0.02 + (used**2).sum()) / max(known + 0.5, 0.5))
        linear = matrix @ at + effects[codes]
        for i in range(len(family)):
            off = 0.1 * np.eye(len(family))[i]
            high, same, low = (float(each(linear, family + o * off).sum()) for o in (1, 0, -1))
            bend = max((2 * same - high - low) / 0.01, 1.0)
            family[i] += np.clip((high - low) / 0.2 / bend, -0.7, 0.7)
        if np.abs(at - before).max() < _NEAR:
            break
    known_values = dict(spreads) | ({f"sigma_{points.large}": spread} if points.large else {})
    known_values |= {n: float(bound(n, v)) for n, v in zip(names, family, strict=True)}
    line = [
        np.full(
            int(np.prod(shape)), onto[name](known_values[name]) if name in known_values else 0.0
        )
        for name, shape in points.others.items()
    ]
    return Fixed(
        at,
        _precisions(points, spreads) * (at - centre),
        information,
        own,
        own * effects + effects / spread**2,
        together,
        np.concatenate(line),
    )


def _limited(square: float) -> float:
    return float(np.clip(np.sqrt(square), *_SPREADS))


def _precisions(points: PanelCoordinates, spreads: Mapping[str, float]) -> Array:
    return np.concatenate(
        [
            np.full(
                part.place.stop - part.place.start,
                spreads[part.spread] ** -2 if part.spread else part.precision,
            )
            for part in points.parts
        ]
    )


# -- drawing -------------------------------------------------------------------------------


class Sampler:
    """A model in coordinates, and its way back."""

    @one_at_a_time
    def __init__(self, study: ShareStudy, variant: str, priors: Mapping[str, Prior]) -> None:
        self.study, self.design, self.priors = study, design_of(study, variant), priors
        self.own = build(study, variant, priors)
        self.points = coordinates(self.design, priors, self.own)
        self.onto = scales(priors)[0]
        self.transforms = {rv.name: self.own.rvs_to_transforms[rv] for rv in self.own.free_RVs}
        self.inputs = {rv.name: rv.owner.inputs for rv in self.own.free_RVs}
        #: Where the coordinates are zero with the data of the study.
        self.fixed = self.start({})
        self.model = self._in_coordinates()

    def given(self, given: Given) -> dict[str, Array]:
        """Data of the model, with what a refit changes."""
        found = {n: self.own[n].get_value() for n in (OBSERVED, WEIGHTS)}
        if LOWER in self.own.named_vars:
            found |= {n: self.own[n].get_value() for n in (LOWER, UPPER)}
        return found | dict(given)

    def start(self, given: Given) -> Fixed:
        """Where the coordinates are zero."""
        return find_start(self.study, self.design, self.points, self.onto, self.given(given))

    def back(self) -> dict[str, Callable[[Any], Any]]:
        """How PyTensor takes variables from the whole line."""
        return {name: partial(self._backward, name) for name in self.transforms}

    def _backward(self, name: str, value: Any) -> Any:
        transform = self.transforms[name]
        return value if transform is None else transform.backward(value, *self.inputs[name])

    def _in_coordinates(self) -> pm.Model:
        values: dict[Any, Any] = {}
        fixed = self.fixed
        with pm.Model() as sampled:
            for name in (n for n in self.own.named_vars if _is_data(self.own, n)):
                values[self.own[name]] = pm.Data(name, self.own[name].get_value())
            held = {f.name: _held(f"start_{f.name}", getattr(fixed, f.name)) for f in fields(Fixed)}
            raw = pm.Flat(RAW, shape=self.points.size)
            found, jacobian = self.points.values(raw, Fixed(**held), self.back(), algebra())
            start = self.own.initial_point()
            for rv in self.own.free_RVs:
                own = self.own.rvs_to_values[rv]
                values[own] = pt.specify_shape(found[rv.name], np.shape(start[own.name]))
            # One after the other: there are many terms, and some linkers add at most 32.
            terms = [term.sum() for term in self.own.logp(sum=False)]
            density = graph_replace([reduce(add, terms)], values, strict=False)[0]
            pm.Potential("posterior", density + jacobian)
        return sampled

    @one_at_a_time
    def free(self, raw: Array, fixed: Fixed) -> Dataset:
        """Free variables of the model at draws of the coordinates."""
        flat = raw.reshape(-1, raw.shape[-1])
        back = self.numpy_back()
        size = max(1, MOST_NUMBERS // (self.points.parts[-1].place.stop ** 2 + self.points.groups))
        parts = [
            self.points.values(flat[i : i + size], fixed, back, NUMPY)[0]
            for i in range(0, len(flat), size)
        ]
        others = self.points.others
        joined = {n: np.concatenate([part[n] for part in parts]) for n in parts[0]}
        joined |= {n: back[n](joined[n]) for n in others}
        dims = self.own.named_vars_to_dims
        return xr.Dataset(
            {
                name: (
                    ("chain", "draw", *dims.get(name, _unnamed(name, value))),
                    value.reshape((*raw.shape[:2], *value.shape[1:])),
                )
                for name, value in ((rv.name, joined[rv.name]) for rv in self.own.free_RVs)
            },
            coords={"chain": np.arange(raw.shape[0]), "draw": np.arange(raw.shape[1])}
            | {str(d): list(self.own.coords[d]) for own in dims.values() for d in own if d},
        )

    def numpy_back(self) -> dict[str, Callable[[Array], Array]]:
        """The same for arrays with the draws first."""
        found: dict[str, Callable[[Array], Array]] = {}
        mode = Mode(linker="py", optimizer=None)
        for name, transform in self.transforms.items():
            if transform is None:
                found[name] = np.asarray
                continue
            value = pt.tensor(dtype="float64", shape=(None,) * (1 + len(self.shape(name))))
            result = transform.backward(value, *self.inputs[name])
            found[name] = pytensor.function([value], result, mode=mode, on_unused_input="ignore")
        return found

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a free variable on the whole line."""
        return self.points.others.get(name, ())

    def derived(self, draws: Dataset) -> Dataset:
        """Free variables with what follows from them, without the rows' own."""
        names = [rv.name for rv in self.own.deterministics if rv.name not in ("mu", "eta")]
        found, _ = derive(self.own, draws, log_likelihood=False, names=names)
        return found.drop_vars([str(n) for n in found.data_vars if str(n).endswith("_z")])

    def by_row(self, posterior: Dataset, log_likelihood: bool = True) -> tuple[Dataset, Dataset]:
        """Draws with expected shares of the rows if these are not too many; log likelihoods.

        The latter are by row, or of all rows of a group of the large grouping together.
        """
        study, design, rows = self.study, self.design, rows_of(self.study)
        sizes = posterior.sizes["chain"], posterior.sizes["draw"]
        total, given = sizes[0] * sizes[1], self.given({})
        many = total * len(study.firms) > MOST_OF_ROWS
        values = {str(n): v.to_numpy() for n, v in posterior.data_vars.items()}
        values = {n: v.reshape((total, *v.shape[2:])) for n, v in values.items()}
        large = design.grouping(self.points.large) if many else None
        dim, labels = rows, study.firms
        if large is not None:
            dim, labels = f"{large.name}_level", large.labels
            places = np.arange(len(study.firms)), large.codes
            belongs = sparse.csr_matrix((np.ones(len(study.firms)), places))
        central = "eta" if design.family == "ordered" else "mu"
        shares, logs = [], []
        step = max(1, MOST_OF_ROWS // len(study.firms))
        for i in range(0, total, step) if log_likelihood or not many else ():
            part = {n: v[i : i + step] for n, v in values.items()}
            linear = linear_predictor(design, part)
            if not many:
                shares.append(linear if central == "eta" else inverse_logit(linear))
            if log_likelihood:
                parameters = family_parameters(design, part)
                own = log_probability(study, design, linear, parameters, given) * given[WEIGHTS]
                logs.append(own if large is None else np.asarray(own @ belongs))
        if shares:
            joined = np.concatenate(shares).reshape((*sizes, -1))
            posterior = posterior.assign_coords({rows: list(study.firms)})
            posterior = posterior.assign({central: (("chain", "draw", rows), joined)})
        if not logs:
            return posterior, xr.Dataset()
        coords = {n: posterior[n] for n in ("chain", "draw")} | {dim: list(labels)}
        array = np.concatenate(logs).reshape((*sizes, -1))
        name = self.own.observed_RVs[-1].name
        return posterior, xr.Dataset({name: (("chain", "draw", dim), array)}, coords)


def _is_data(model: pm.Model, name: str) -> bool:
    return hasattr(model.named_vars[name], "get_value")


def _unnamed(name: str, value: Array) -> tuple[str, ...]:
    return tuple(f"{name}_dim_{i}" for i in range(value.ndim - 1))


def _held(name: str, values: Array) -> Any:
    """An array as data of the model; these have one dimension each."""
    return pm.Data(name, np.ravel(values).astype(np.float64)).reshape(values.shape)


def suits(design: Design) -> bool:
    """Whether a design is drawn like this: one with groups other than clusters of firms."""
    return any(own is not design.clusters for own in design.groupings) and bool(design.intercept)


def draw(
    study: ShareStudy,
    variant: str,
    priors: Mapping[str, Prior],
    settings: Settings,
    progress: Progress | None,
) -> Drawn:
    """Draw from posterior and prior; with many groups fewer draws than asked for."""
    sampler = Sampler(study, variant, priors)
    used = affordable(settings, sampler.points.size)
    draws, stats = sample(sampler.model, used, progress)
    posterior = sampler.derived(sampler.free(draws[RAW].to_numpy(), sampler.fixed))
    posterior, log_likelihood = sampler.by_row(posterior)
    prior = sampler.derived(prior_draws(sampler.own, settings.seed))
    prior, _ = sampler.by_row(prior, log_likelihood=False)
    attributes: dict[str, Any] = {}
    if used != settings:
        attributes["settings_used"] = json.dumps(used.identity(settings_of(sampler.design)))
    return Drawn(
        {
            "posterior": posterior,
            "sample_stats": stats,
            "log_likelihood": log_likelihood,
            "prior": prior,
        },
        attributes,
    )


def affordable(settings: Settings, size: int) -> Settings:
    """Settings for that many coordinates."""
    if size <= MANY:
        return settings
    careful = settings.target_accept > USUAL
    return replace(
        settings,
        draws=min(settings.draws, DRAWS + careful * DRAWS),
        tune=min(settings.tune, TUNE + careful * TUNE),
        target_accept=min(settings.target_accept, CAREFUL if careful else ACCEPT),
    )


def refitter(study: ShareStudy, variant: str, priors: Mapping[str, Prior]) -> Refitter:
    """Compile a model in coordinates once; a refit finds a start of its own."""
    sampler = Sampler(study, variant, priors)
    compiled = compile_model(sampler.model, [RAW])

    def refit(settings: Settings, given: Given) -> tuple[Dataset, Dataset]:
        fixed = sampler.start(given)
        held = {f"start_{f.name}": np.ravel(getattr(fixed, f.name)) for f in fields(Fixed)}
        draws, stats = run_nutpie(with_values(compiled, {**given, **held}), settings)
        posterior = sampler.derived(sampler.free(draws[RAW].to_numpy(), fixed))
        posterior, _ = sampler.by_row(posterior, log_likelihood=False)
        return posterior, stats

    return refit
