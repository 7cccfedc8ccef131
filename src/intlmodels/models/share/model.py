"""The share model: printed shares of firms, explained by what the firms are.

For a firm with printed share r, rounding width w, l = max(0, r - w/2)/100 and
u = min(100, r + w/2)/100::

    Pr(r)     = F(u) - F(l),  F the CDF of Beta(mu * phi, (1 - mu) * phi)
    logit mu  = intercept + sum of the blocks of the design

A further outcome has the same blocks. Yes or no: Pr(yes) = mu. Ordered levels 0 to K, cumulative
logit (McCullagh 1980, Journal of the Royal Statistical Society B 42, 109-142), with eta the sum of
the blocks::

    logit Pr(level <= k) = cutpoints[k] - eta

Of a study with clusters c of firms, the level and the coefficients of every block differ between
clusters, each cluster's own being the common one and a deviation with an estimated spread::

    logit mu  = intercept + cluster[c] + sum of the blocks, with (effect + effect_by_cluster[c])

:func:`build` is a pure function from study, variant and priors to a PyMC model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key
from pytensor.scalar.basic import ScalarOp, float64
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.variable import TensorVariable

from intlmodels.models import DEFAULT, design_of, priors_of
from intlmodels.models.compilation import one_at_a_time
from intlmodels.models.instructions import address
from intlmodels.models.interpreter import kernel
from intlmodels.models.priors import Prior, parse
from intlmodels.models.pymc import LOWER, UPPER, draw_pymc, register_data
from intlmodels.models.share import intervalkernels, observation
from intlmodels.models.share.composition import CompositionNodes, composition_nodes
from intlmodels.models.share.design import (
    VARYING,
    Block,
    Design,
    Family,
    covariate_data,
    lkj_shapes,
    rows_of,
    walk,
)
from intlmodels.studies import Grouping, ShareStudy


@one_at_a_time
def build(
    study: ShareStudy,
    variant: str = DEFAULT,
    priors: Mapping[str, Prior] | None = None,
) -> pm.Model:
    """Build the model of one variant.

    ``variant``: name in the catalogue, see :func:`intlmodels.models.catalogue`; ``priors``: as
    :func:`intlmodels.models.priors_of` returns them (the default). Returns a model with the
    dimension ``firm``, one dimension ``<name>_level`` for each varying or monotonic predictor and
    ``cluster_level`` for clusters; the outcome is ``printed_share`` in percent, or
    ``printed_level``, the position of a level. Raises StudyError for an unknown variant.
    """
    design = design_of(study, variant)
    priors = priors_of(study, variant) if priors is None else priors
    rows = rows_of(study)
    with pm.Model(coords={rows: list(study.firms)}) as model:
        printed, weights = register_data(priors, design.observed(study))
        # Firms without this outcome stay in the model, with no weight in its likelihood.
        weights.set_value(design.weights(study))
        linear = draw_pymc(priors, design.intercept) if design.intercept else 0.0
        groups = [_Groups(model, design, grouping, priors) for grouping in design.groupings]
        for own in groups:
            linear = linear + own.effects(own.name)[own.codes]
        for block in design.blocks:
            linear = linear + _contribution(model, block, priors, groups)
        if not (design.blocks or design.groupings):
            linear = linear * np.ones(len(study.firms))
        if design.family == "ordered":
            mu = pm.Deterministic("eta", linear, dims=rows)
            arguments = [_cutpoints(model, design)]
        else:
            mu = pm.Deterministic("mu", pm.math.sigmoid(linear), dims=rows)
            arguments = [
                _of_rows(model, design, priors, name)
                for name in observation.PARAMETERS[design.family]
            ]
        _observe(design, study, printed, weights, linear, mu, arguments)
    return model


def _of_rows(model: pm.Model, design: Design, priors: Mapping[str, Prior], name: str) -> Any:
    """A parameter of the family: one for all rows, or by row if it has terms of its own."""
    value = draw_pymc(priors, name)
    blocks = design.terms_of(name)
    if not blocks:
        return value
    added = sum(_contribution(model, block, priors, []) for block in blocks)
    return value * pt.exp(added) if name == "phi" else pm.math.sigmoid(pm.math.logit(value) + added)


def _cutpoints(model: pm.Model, design: Design) -> Any:
    """Cutpoints from the probabilities of the levels of a firm whose effects are zero.

    The probabilities are what a prior can be stated for, the cutpoints follow: with them the
    prior does not depend on where the linear predictor is zero (Betancourt 2019, "Ordinal
    regression", has the same prior on the cutpoints themselves, through a Jacobian).
    """
    assert design.further is not None
    levels = design.further.levels
    model.add_coord("baseline_level", list(levels))
    model.add_coord("cutpoint", list(levels[1:]))
    baseline = pm.Dirichlet("baseline", np.ones(len(levels)), dims="baseline_level")
    # Sums from either end: what is left of a sum close to one has no digits.
    below = pt.cumsum(baseline)[:-1]
    above = pt.cumsum(baseline[::-1])[::-1][1:]
    return pm.Deterministic("cutpoints", pt.log(below) - pt.log(above), dims="cutpoint")


def _spread(name: str, dims: tuple[str, ...], priors: Mapping[str, Prior]) -> Any:
    """Register what varies around zero with a spread of its own.

    Non-centred: with few levels or clusters the spread is hardly known, and the centred form has a
    funnel.
    """
    sigma = draw_pymc(priors, f"sigma_{name}")
    return pm.Deterministic(name, sigma * pm.Normal(f"{name}_z", 0, 1, dims=dims), dims=dims)


class _Groups:
    """What the groups of one grouping differ by."""

    def __init__(
        self, model: pm.Model, design: Design, grouping: Grouping, priors: Mapping[str, Prior]
    ) -> None:
        self.name, self.codes, self.priors = grouping.name, grouping.codes, priors
        self.slopes = {block.name for block in design.slopes(grouping)}
        self.level = f"{grouping.name}_level"
        model.add_coord(self.level, list(grouping.labels))
        self.drawn: dict[str, Any] = {}
        if grouping.correlated and self.slopes:
            self._draw_correlated(model, design, grouping)

    def effects(self, name: str, dims: tuple[str, ...] = ()) -> Any:
        """Register the level of each group, or what it adds to the effects of a block."""
        if self.drawn:
            return pm.Deterministic(name, self.drawn[name], dims=(self.level, *dims))
        return _spread(name, (self.level, *dims), self.priors)

    def _draw_correlated(self, model: pm.Model, design: Design, grouping: Grouping) -> None:
        """Draw level and slopes of each group with correlations from LKJ(2)."""
        name, terms = self.name, design.correlated(grouping)
        model.add_coord(f"{name}_term", terms)
        model.add_coord(f"{name}_other_term", terms)
        variables = [text.partition("[")[0] for text in terms]
        sigmas = {own: draw_pymc(self.priors, f"sigma_{own}") for own in dict.fromkeys(variables)}
        a = lkj_shapes(len(terms))
        pairs = [f"{one}, {other}" for i, one in enumerate(terms) for other in terms[:i]]
        model.add_coord(f"{name}_pair", pairs)
        partial = pm.Beta(f"{name}_partial", a, a, dims=f"{name}_pair")
        factor = _correlation_factor(2 * partial - 1, len(terms))
        pm.Deterministic(
            *(f"{name}_correlation", factor @ factor.T),
            dims=(f"{name}_term", f"{name}_other_term"),
        )
        standard = pm.Normal(f"{name}_z", 0, 1, dims=(self.level, f"{name}_term"))
        drawn = (standard @ factor.T) * pt.stack([sigmas[own] for own in variables])
        for own in sigmas:
            places = [i for i, other in enumerate(variables) if other == own]
            several = "[" in terms[places[0]]
            self.drawn[own] = drawn[:, places] if several else drawn[:, places[0]]


def _correlation_factor(partial: Any, size: int) -> Any:
    """Cholesky factor of a correlation matrix from its partial correlations, row by row."""
    rows, place = [], 0
    for i in range(size):
        row, left = [], pt.constant(1.0)
        for _ in range(i):
            row.append(partial[place] * pt.sqrt(left))
            left = left * (1 - partial[place] ** 2)
            place += 1
        rows.append(pt.stack([*row, pt.sqrt(left), *[pt.constant(0.0)] * (size - i - 1)]))
    return pt.stack(rows)


def _contribution(
    model: pm.Model, block: Block, priors: Mapping[str, Prior], groups: list[_Groups]
) -> Any:
    """Register a block's coefficients; return what it adds to the linear predictor."""
    name = block.name
    level = f"{name}_level"
    varying = [own for own in groups if name in own.slopes]
    if block.levels:
        model.add_coord(level, list(block.levels))
    if block.levels and block.kind != "monotonic":
        linear = _weighted(block, _coefficients(model, block, priors))
        for own in varying:
            linear = linear + _weighted(block, own.effects(block.by(own.name), (level,)), own.codes)
        return linear
    if block.kind == "monotonic":
        model.add_coord(f"{name}_step", list(block.levels[1:]))
        total = draw_pymc(priors, name)
        # Monotonic effect (Buerkner and Charpentier 2020): the total, in simplex steps.
        steps = pm.Dirichlet(f"{name}_steps", np.ones(len(block.levels) - 1), dims=f"{name}_step")
        climb = pt.concatenate([pt.zeros(1), pt.cumsum(steps)])
        effect = pm.Deterministic(f"{name}_effect", total * climb, dims=level)
        linear = _weighted(block, effect)
        for own in varying:
            added = own.effects(block.by(own.name))[own.codes]
            linear = linear + added * _weighted(block, climb)
        return linear
    coefficient = draw_pymc(priors, name)
    for own in varying:
        coefficient = coefficient + own.effects(block.by(own.name))[own.codes]
    values = block.weights[:, 0]
    if not block.missing.size:
        return coefficient * values
    return coefficient * _filled(model, block, priors)


def _coefficients(model: pm.Model, block: Block, priors: Mapping[str, Prior]) -> Any:
    """Register the coefficients of a block that has several."""
    level = f"{block.name}_level"
    if block.kind in VARYING:
        return _spread(block.name, (level,), priors)
    if block.kind == "walk":
        model.add_coord(f"{block.name}_step", list(block.levels[1:]))
        sigma = draw_pymc(priors, f"sigma_{block.name}")
        steps = pm.Normal(f"{block.name}_z", 0, 1, dims=f"{block.name}_step")
        effect = sigma * pt.dot(walk(len(block.levels)), steps)
        return pm.Deterministic(block.name, effect, dims=level)
    mean, sd = parse(block.prior, name=block.name, support="real")[1]
    return pm.Normal(block.name, mean, sd, dims=level)


def _filled(model: pm.Model, block: Block, priors: Mapping[str, Prior]) -> Any:
    """Values of a covariate, with those that are missing as parameters."""
    name, values = block.name, block.weights[:, 0]
    observed = np.flatnonzero(~np.isnan(values))
    mean, sd = draw_pymc(priors, f"{name}_mean"), draw_pymc(priors, f"{name}_sd")
    firms = list(model.coords["row" if "row" in model.coords else "firm"])
    model.add_coord(f"{name}_missing_firm", [firms[i] for i in block.missing])
    model.add_coord(f"{name}_observed_firm", [firms[i] for i in observed])
    seen = pm.Data(covariate_data(name), values[observed])
    pm.Normal(f"{name}_observed", mean, sd, observed=seen, dims=f"{name}_observed_firm")
    absent = pm.Normal(f"{name}_missing", mean, sd, dims=f"{name}_missing_firm")
    filled = pt.set_subtensor(pt.zeros(len(values))[observed], seen)
    return pt.set_subtensor(filled[block.missing], absent)


def _weighted(block: Block, effect: Any, codes: NDArray[np.intp] | None = None) -> Any:
    """Effects as each row takes them; an index is cheaper than a product of matrices.

    With ``codes`` the effects are (group, level), and each row takes those of its group.
    """
    single = np.isin(block.weights, (0.0, 1.0)).all() and (block.weights.sum(axis=1) == 1).all()
    if single:
        level = block.weights.argmax(axis=1)
        return effect[level] if codes is None else effect[codes, level]
    if block.kind in ("spline", "product", "interaction") and codes is None:
        return pt.dot(block.weights, effect)
    return (block.weights * (effect if codes is None else effect[codes])).sum(axis=1)


@dataclass(frozen=True)
class Reported:
    """What is reported of the rows: shares in percent, or positions of levels."""

    value: Any
    width: float  #: rounding width in percentage points; 0 if ``ends`` are data
    size: int  #: number of rows
    ends: tuple[Any, Any] | None = None  #: of the intervals, from 0 to 1

    def edges(self, times: int = 1) -> tuple[Any, Any]:
        """Ends of the intervals, or of some that are ``times`` as wide."""
        if self.ends is not None:
            return self.ends
        width = times * self.width
        lower = pt.maximum(self.value - width / 2, 0.0) / 100
        return lower, pt.minimum(self.value + width / 2, 100.0) / 100

    @property
    def zero(self) -> Any:
        """Where an exact zero may be reported like this."""
        return pt.eq(self.value, 0.0) if self.ends is None else pt.eq(self.ends[0], 0.0)

    @property
    def whole(self) -> Any:
        """Where an exact one may be reported like this."""
        return pt.eq(self.edges()[1], 1.0)


def _observe(
    design: Design,
    study: ShareStudy,
    printed: Any,
    weights: Any,
    linear: Any,
    mu: Any,
    arguments: list[Any],
) -> None:
    family, width, size = design.family, study.outcome.width, len(study.firms)
    ends: list[Any] = []
    if not width and design.further is None:
        ends = [pm.Data(LOWER, study.outcome.lower), pm.Data(UPPER, study.outcome.upper)]
    # One vector of cutpoints for all firms; everything else has one value a firm, or one in all.
    names = ("weights", "linear", "mu", *observation.PARAMETERS[family])
    shapes = ["(k)" if name in observation.VECTORS else "()" for name in names]
    log_density = LOG_DENSITIES[family]
    if design.part is not None:
        log_density = partial(log_density, nodes=composition_nodes(study.outcome, design.part))

    def logp(value: Any, weights: Any, linear: Any, mu: Any, *arguments: Any) -> Any:
        own, other = arguments[: len(names) - 3], arguments[len(names) - 3 :]
        reported = Reported(value, width, size, (other[0], other[1]) if other else None)
        return weights * log_density(reported, linear, mu, *own)

    def random(
        weights: Any, linear: Any, mu: Any, *arguments: Any, rng: Any = None, size: Any = None
    ) -> Any:
        parameters = dict(zip(observation.PARAMETERS[family], arguments, strict=False))
        return observation.simulate(family, linear, parameters, width, rng, shape=size)

    pm.CustomDist(
        observation.outcome_of(family),
        *(weights, linear, mu, *arguments, *ends),
        logp=logp,
        random=random,
        observed=printed,
        dims=rows_of(study),
        **({"signature": f"{','.join(shapes)}->()"} if "(k)" in shapes else {}),
    )


def _beta(reported: Reported, linear: Any, mu: Any, phi: Any) -> Any:
    return interval_logprob(mu * phi, (1 - mu) * phi, *reported.edges())


def _logit_normal(reported: Reported, linear: Any, mu: Any, sigma: Any) -> Any:
    return logit_normal_interval_logprob(linear, sigma, *reported.edges())


def _hurdle(reported: Reported, linear: Any, mu: Any, phi: Any, never: Any) -> Any:
    sells = pt.log1p(-never) + _beta(reported, linear, mu, phi)
    return pt.switch(reported.zero, pt.logaddexp(pt.log(never), sells), sells)


def _ordered_beta(
    reported: Reported, linear: Any, mu: Any, phi: Any, cut_zero: Any, cut_range: Any
) -> Any:
    """Exact 0, exact 1, or a Beta share between them (Kubinec 2023, Political Analysis 31)."""
    none, all_of_it = cut_zero - linear, linear - cut_zero - cut_range
    # Pr(between) = F(-none) F(-all) (1 - exp(-cut_range)), with F the logistic function.
    between = pt.log1mexp(-cut_range) - pt.softplus(none) - pt.softplus(all_of_it)
    inside = between + _beta(reported, linear, mu, phi)
    zero = pt.logaddexp(-pt.softplus(-none), inside)
    found = pt.switch(reported.zero, zero, inside)
    return pt.switch(reported.whole, pt.logaddexp(-pt.softplus(-all_of_it), found), found)


def _heaped(reported: Reported, linear: Any, mu: Any, phi: Any, heaping: Any) -> Any:
    fine = pt.log1p(-heaping) + _beta(reported, linear, mu, phi)
    on_coarse = pt.eq(pt.mod(pt.round(reported.value / reported.width), 2), 0)
    # Off the coarse grid the coarse interval is not used: the whole range stands in for it.
    lower, upper = reported.edges(2)
    lower, upper = pt.switch(on_coarse, lower, 0.0), pt.switch(on_coarse, upper, 1.0)
    coarse = pt.log(heaping) + interval_logprob(mu * phi, (1 - mu) * phi, lower, upper)
    return pt.switch(on_coarse, pt.logaddexp(fine, coarse), fine)


def _composition(
    reported: Reported, linear: Any, mu: Any, phi: Any, split: Any, nodes: CompositionNodes
) -> Any:
    """A share, and a second part of the same whole: Dirichlet on the rectangle of both intervals.

    Of Dirichlet(mu phi, split (1 - mu) phi, (1 - split) (1 - mu) phi) the share is Beta, and the
    second part in proportion to the rest is an independent Beta. Its probability given the share
    is averaged over the interval of the share; the density of the share enters by its proportions
    at the nodes alone, so that the sum over all second parts is the Beta law exactly.
    """
    alpha, beta = mu * phi, (1 - mu) * phi
    density = (alpha[:, None] - 1) * nodes.log_share + (beta[:, None] - 1) * nodes.log_rest
    weights = nodes.log_weights + density
    rest = (split * beta)[:, None], ((1 - split) * beta)[:, None]
    second = interval_logprob(*rest, nodes.lower, nodes.upper)
    given = pt.logsumexp(weights + second + nodes.log_possible, axis=1)
    return _beta(reported, linear, mu, phi) + given - pt.logsumexp(weights, axis=1)


def _density(reported: Reported, linear: Any, mu: Any, phi: Any) -> Any:
    squeezed = observation.squeeze(reported.value / 100, reported.size)
    return pm.logp(pm.Beta.dist(alpha=mu * phi, beta=(1 - mu) * phi), squeezed)


def _binary(reported: Reported, linear: Any, mu: Any) -> Any:
    return -pt.softplus(pt.switch(pt.eq(reported.value, 1.0), -linear, linear))


def _ordered(reported: Reported, linear: Any, mu: Any, cutpoints: Any) -> Any:
    value, count = reported.value, cutpoints.shape[-1]
    places = pt.arange(count)
    upper = (pt.eq(value[:, None], places) * cutpoints).sum(axis=-1)
    lower = (pt.eq(value[:, None], places + 1) * cutpoints).sum(axis=-1)
    # F(u) - F(l) = F(u) F(-l) (1 - exp(l - u)), with F the logistic function: no digits are lost.
    inside = pt.gt(value, 0) & pt.lt(value, count)
    gap = pt.log1mexp(pt.switch(inside, lower - upper, -1.0))
    not_above = pt.switch(pt.lt(value, count), -pt.softplus(linear - upper), 0.0)
    not_below = pt.switch(pt.gt(value, 0), -pt.softplus(lower - linear), 0.0)
    return not_above + not_below + pt.switch(inside, gap, 0.0)


LOG_DENSITIES: dict[Family, Callable[..., Any]] = {
    "beta": _beta,
    "logit-normal": _logit_normal,
    "hurdle": _hurdle,
    "heaped": _heaped,
    "density": _density,
    "composition": _composition,
    "ordered-beta": _ordered_beta,
    "binary": _binary,
    "ordered": _ordered,
}


# -- log probabilities as PyTensor operations ----------------------------------------------


def _version(module: ModuleType) -> str:
    """Hash of the source of kernels, and of its name, by which the cache looks them up.

    PyTensor keeps compiled graphs on disk and does not look into the kernels that they call. With
    this in its key, a graph is compiled anew when a kernel changes.
    """
    source = Path(str(module.__file__)).read_bytes()
    return hashlib.sha256(module.__name__.encode() + source).hexdigest()


_KERNEL_VERSION = _version(intervalkernels)
_VERSION = _version(observation)


def _pulled_back(op: Op | ScalarOp, inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
    """Gradients in the first two inputs, which outputs 1 and 2 are; the other inputs are data."""
    gradient, *others = output_gradients
    if any(not isinstance(other.type, DisconnectedType) for other in others):
        raise NotImplementedError(f"{op}: there are no second derivatives")
    data = [disconnected_type() for _ in inputs[2:]]
    return [gradient * outputs[1], gradient * outputs[2], *data]


def _connections(node: Apply) -> list[list[bool]]:
    """Every output is connected with the first two inputs, none with data."""
    return [[True] * 3] * 2 + [[False] * 3] * (len(node.inputs) - 2)


class IntervalScalarOp(ScalarOp):
    """Log probability of an interval under a law with two parameters, and its gradient in them.

    Inputs: both parameters, lower and upper end. A subclass names the kernel, and the function that
    evaluates arrays in PyTensor's Python mode. There are no second derivatives (no sampler here
    needs them), and the ends, which are data, have no gradient.
    """

    nin = 4
    nout = 3
    kernel: ClassVar[Callable[..., tuple[float, float, float]]]

    def output_types(self, types: Any) -> list[Any]:
        """Return double precision, whatever the inputs."""
        del types
        return [float64] * self.nout

    def impl(self, *inputs: float) -> tuple[float, float, float]:
        """Evaluate one element."""
        return type(self).kernel(*(float(value) for value in inputs))

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Connect every output with the parameters, none with the ends."""
        return _connections(node)

    def pullback(self, inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
        """Return the gradient in both parameters."""
        return _pulled_back(self, inputs, outputs, output_gradients)


class BetaIntervalScalarOp(IntervalScalarOp):
    """Interval of a Beta variable: alpha, beta, lower, upper."""

    kernel = staticmethod(intervalkernels.beta_interval)
    nfunc_spec = (f"{observation.__name__}.interval_logprob_numpy", 4, 3)


class LogitNormalIntervalScalarOp(IntervalScalarOp):
    """Interval of a logit-normal variable: mu, sigma, lower, upper."""

    kernel = staticmethod(intervalkernels.logit_normal_interval)
    nfunc_spec = (f"{observation.__name__}.logit_normal_interval_logprob_numpy", 4, 3)


@register_funcify_and_cache_key(IntervalScalarOp)
def _numba_kernel(op: IntervalScalarOp, **_: Any) -> tuple[Any, str]:
    return type(op).kernel, f"{type(op).__qualname__}-{_KERNEL_VERSION}"


@address.register
def _(_: BetaIntervalScalarOp) -> int:
    return kernel(intervalkernels.beta_intervals)


@address.register
def _(_: LogitNormalIntervalScalarOp) -> int:
    return kernel(intervalkernels.normal_intervals)


_beta_interval = Elemwise(BetaIntervalScalarOp(), name="BetaIntervalLogProb")
_logit_normal_interval = Elemwise(LogitNormalIntervalScalarOp(), name="LogitNormalIntervalLogProb")


def interval_logprob(alpha: Any, beta: Any, lower: Any, upper: Any) -> TensorVariable:
    """Log probability that a Beta variable falls in an interval, elementwise.

    As `observation.interval_logprob_numpy`, of arrays or PyTensor variables, which broadcast;
    differentiable in alpha and beta (once), not in the ends.
    """
    return _apply(_beta_interval, alpha, beta, lower, upper)


def logit_normal_interval_logprob(mu: Any, sigma: Any, lower: Any, upper: Any) -> TensorVariable:
    """Log(Phi((logit upper - mu) / sigma) - Phi((logit lower - mu) / sigma)), elementwise.

    As `observation.logit_normal_interval_logprob_numpy`; differentiable in mu and sigma (once).
    """
    return _apply(_logit_normal_interval, mu, sigma, lower, upper)


def _apply(operation: Elemwise, *arguments: Any) -> TensorVariable:
    return operation(*(pt.cast(argument, "float64") for argument in arguments))[0]


# -- the log likelihood of the cells of a register as one PyTensor operation -----------


class CellsDensity(Op):
    """Log likelihood of all cells: see :func:`intlmodels.models.share.observation.cells_density`.

    Differentiable (once) in the effects and in the tabulated log probabilities; the other inputs
    are data.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Two matrices, then the vectors of data."""
        given = [pt.as_tensor_variable(value) for value in inputs]
        outputs = [pt.scalar(dtype="float64"), *(pt.matrix(dtype="float64") for _ in range(2))]
        return Apply(self, given, outputs)

    def perform(self, node: Apply, inputs: Any, output_storage: Any) -> None:
        """Evaluate in PyTensor's Python mode."""
        del node
        arrays = [np.ascontiguousarray(value, dtype=np.float64) for value in inputs]
        for storage, value in zip(output_storage, observation.cells_density(*arrays), strict=True):
            storage[0] = np.asarray(value)

    def infer_shape(self, node: Apply, shapes: list[Any]) -> list[Any]:
        """Return the shapes of the outputs."""
        del node
        return [(), *shapes[:2]]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Connect every output with effects and tabulated values, none with data."""
        return _connections(node)

    def pullback(self, inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
        """Return the gradients in effects and tabulated values."""
        return _pulled_back(self, inputs, outputs, output_gradients)


@register_funcify_and_cache_key(CellsDensity)
def _cell_kernel(op: CellsDensity, **_: Any) -> tuple[Any, str]:
    kernel = observation.cells_density

    @numba_njit
    def cells_density(effects, values, weights, cluster, start, place, rows):  # type: ignore[no-untyped-def]
        own, table = np.ascontiguousarray(effects), np.ascontiguousarray(values)
        total, by_effect, by_value = kernel(own, table, weights, cluster, start, place, rows)
        return np.asarray(total), by_effect, by_value

    return cells_density, f"{type(op).__qualname__}-{_VERSION}"


@address.register
def _(_: CellsDensity) -> int:
    return kernel(observation.cells)


cells_density = CellsDensity()
