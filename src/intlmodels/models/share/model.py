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
from intlmodels.models.priors import Prior
from intlmodels.models.pymc import draw_pymc, register_data
from intlmodels.models.share import intervalkernels, observation
from intlmodels.models.share.design import CLUSTER, VARYING, Block, Design, Family, covariate_data
from intlmodels.study import Grouping, ShareStudy


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
    with pm.Model(coords={"firm": list(study.firms)}) as model:
        printed, weights = register_data(priors, design.observed(study))
        # Firms without this outcome stay in the model, with no weight in its likelihood.
        weights.set_value(design.known(study).astype(float))
        linear = draw_pymc(priors, design.intercept) if design.intercept else 0.0
        if design.clusters is not None:
            own = f"{CLUSTER}_level"
            model.add_coord(own, list(design.clusters.labels))
            linear = linear + _spread(CLUSTER, (own,), priors)[design.clusters.codes]
        for block in design.blocks:
            linear = linear + _contribution(model, block, priors, design.clusters)
        if design.family == "ordered":
            mu = pm.Deterministic("eta", linear, dims="firm")
            arguments = [_cutpoints(model, design)]
        else:
            mu = pm.Deterministic("mu", pm.math.sigmoid(linear), dims="firm")
            arguments = [draw_pymc(priors, name) for name in observation.PARAMETERS[design.family]]
        _observe(design.family, study, printed, weights, linear, mu, arguments)
    return model


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


def _contribution(
    model: pm.Model, block: Block, priors: Mapping[str, Prior], clusters: Grouping | None
) -> Any:
    """Register a block's coefficients; return what it adds to the linear predictor."""
    name = block.name
    level = f"{name}_level"
    if block.kind in VARYING:
        model.add_coord(level, list(block.levels))
        effect = _spread(name, (level,), priors)
        if clusters is None:
            return _weighted(block, effect)
        own = _spread(block.by_cluster, (f"{CLUSTER}_level", level), priors)
        return _weighted(block, effect) + _weighted(block, own, clusters.codes)
    if block.kind == "monotonic":
        model.add_coord(level, list(block.levels))
        model.add_coord(f"{name}_step", list(block.levels[1:]))
        total = draw_pymc(priors, name)
        # Monotonic effect (Buerkner and Charpentier 2020): the total, in simplex steps.
        steps = pm.Dirichlet(f"{name}_steps", np.ones(len(block.levels) - 1), dims=f"{name}_step")
        climb = pt.concatenate([pt.zeros(1), pt.cumsum(steps)])
        effect = pm.Deterministic(f"{name}_effect", total * climb, dims=level)
        if clusters is None:
            return _weighted(block, effect)
        own = _spread(block.by_cluster, (f"{CLUSTER}_level",), priors)[clusters.codes]
        return _weighted(block, effect) + own * _weighted(block, climb)
    coefficient = draw_pymc(priors, name)
    if clusters is not None:
        coefficient = (
            coefficient + _spread(block.by_cluster, (f"{CLUSTER}_level",), priors)[clusters.codes]
        )
    values = block.weights[:, 0]
    if not block.missing.size:
        return coefficient * values
    return coefficient * _filled(model, block, priors)


def _filled(model: pm.Model, block: Block, priors: Mapping[str, Prior]) -> Any:
    """Values of a covariate, with those that are missing as parameters."""
    name, values = block.name, block.weights[:, 0]
    observed = np.flatnonzero(~np.isnan(values))
    mean, sd = draw_pymc(priors, f"{name}_mean"), draw_pymc(priors, f"{name}_sd")
    firms = list(model.coords["firm"])
    model.add_coord(f"{name}_missing_firm", [firms[i] for i in block.missing])
    model.add_coord(f"{name}_observed_firm", [firms[i] for i in observed])
    seen = pm.Data(covariate_data(name), values[observed])
    pm.Normal(f"{name}_observed", mean, sd, observed=seen, dims=f"{name}_observed_firm")
    absent = pm.Normal(f"{name}_missing", mean, sd, dims=f"{name}_missing_firm")
    filled = pt.set_subtensor(pt.zeros(len(values))[observed], seen)
    return pt.set_subtensor(filled[block.missing], absent)


def _weighted(block: Block, effect: Any, codes: NDArray[np.intp] | None = None) -> Any:
    """Effects as each firm takes them; an index is cheaper than a product of matrices.

    With ``codes`` the effects are (cluster, level), and each firm takes those of its cluster.
    """
    single = np.isin(block.weights, (0.0, 1.0)).all() and (block.weights.sum(axis=1) == 1).all()
    if single:
        level = block.weights.argmax(axis=1)
        return effect[level] if codes is None else effect[codes, level]
    return (block.weights * (effect if codes is None else effect[codes])).sum(axis=1)


def _observe(
    family: Family,
    study: ShareStudy,
    printed: Any,
    weights: Any,
    linear: Any,
    mu: Any,
    arguments: list[Any],
) -> None:
    width = study.outcome.width
    # One vector of cutpoints for all firms; everything else has one value a firm, or one in all.
    names = ("weights", "linear", "mu", *observation.PARAMETERS[family])
    shapes = ["(k)" if name in observation.VECTORS else "()" for name in names]
    log_density = LOG_DENSITIES[family]
    size = len(study.firms)

    def logp(value: Any, weights: Any, linear: Any, mu: Any, *arguments: Any) -> Any:
        return weights * log_density(value, width, size, linear, mu, *arguments)

    def random(
        weights: Any, linear: Any, mu: Any, *arguments: Any, rng: Any = None, size: Any = None
    ) -> Any:
        parameters = dict(zip(observation.PARAMETERS[family], arguments, strict=True))
        return observation.simulate(family, linear, parameters, width, rng, shape=size)

    pm.CustomDist(
        observation.outcome_of(family),
        *(weights, linear, mu, *arguments),
        logp=logp,
        random=random,
        observed=printed,
        dims="firm",
        **({"signature": f"{','.join(shapes)}->()"} if "(k)" in shapes else {}),
    )


def _edges(value: Any, width: float) -> tuple[Any, Any]:
    lower = pt.maximum(value - width / 2, 0.0) / 100
    return lower, pt.minimum(value + width / 2, 100.0) / 100


def _beta(value: Any, width: float, size: int, linear: Any, mu: Any, phi: Any) -> Any:
    return interval_logprob(mu * phi, (1 - mu) * phi, *_edges(value, width))


def _logit_normal(value: Any, width: float, size: int, linear: Any, mu: Any, sigma: Any) -> Any:
    return logit_normal_interval_logprob(linear, sigma, *_edges(value, width))


def _hurdle(value: Any, width: float, size: int, linear: Any, mu: Any, phi: Any, never: Any) -> Any:
    sells = pt.log1p(-never) + _beta(value, width, size, linear, mu, phi)
    return pt.switch(pt.eq(value, 0.0), pt.logaddexp(pt.log(never), sells), sells)


def _heaped(
    value: Any, width: float, size: int, linear: Any, mu: Any, phi: Any, heaping: Any
) -> Any:
    fine = pt.log1p(-heaping) + _beta(value, width, size, linear, mu, phi)
    on_coarse = pt.eq(pt.mod(pt.round(value / width), 2), 0)
    # Off the coarse grid the coarse interval is not used: the whole range stands in for it.
    lower, upper = _edges(value, 2 * width)
    lower, upper = pt.switch(on_coarse, lower, 0.0), pt.switch(on_coarse, upper, 1.0)
    coarse = pt.log(heaping) + interval_logprob(mu * phi, (1 - mu) * phi, lower, upper)
    return pt.switch(on_coarse, pt.logaddexp(fine, coarse), fine)


def _density(value: Any, width: float, size: int, linear: Any, mu: Any, phi: Any) -> Any:
    squeezed = observation.squeeze(value / 100, size)
    return pm.logp(pm.Beta.dist(alpha=mu * phi, beta=(1 - mu) * phi), squeezed)


def _binary(value: Any, width: float, size: int, linear: Any, mu: Any) -> Any:
    return -pt.softplus(pt.switch(pt.eq(value, 1.0), -linear, linear))


def _ordered(value: Any, width: float, size: int, linear: Any, mu: Any, cutpoints: Any) -> Any:
    count = cutpoints.shape[-1]
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

    Inputs: both parameters, lower and upper end. A subclass names the kernel. There are no second
    derivatives (no sampler here needs them), and the ends, which are data, have no gradient.
    """

    nin = 4
    nout = 3
    kernel: ClassVar[Callable[..., tuple[float, float, float]]]

    def output_types(self, types: Any) -> list[Any]:
        """Return double precision, whatever the inputs."""
        del types
        return [float64] * self.nout

    def impl(self, *inputs: float) -> tuple[float, float, float]:
        """Evaluate one element: PyTensor's Python mode."""
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


class LogitNormalIntervalScalarOp(IntervalScalarOp):
    """Interval of a logit-normal variable: mu, sigma, lower, upper."""

    kernel = staticmethod(intervalkernels.logit_normal_interval)


@register_funcify_and_cache_key(IntervalScalarOp)
def _numba_kernel(op: IntervalScalarOp, **_: Any) -> tuple[Any, str]:
    return type(op).kernel, f"{type(op).__qualname__}-{_KERNEL_VERSION}"


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


cells_density = CellsDensity()
