"""PyTensor variables for the log probability of a printed, rounded share.

Kernels, method, accuracy and cost are in `intlmodels.models.share.intervalkernels`; here they
become PyTensor operations. Each is a `ScalarOp` with three outputs, the log probability and its two
partial derivatives, so that the gradient costs no second evaluation. `Elemwise` around it gives
broadcasting, shapes, vectorization over draws and every backend.

Importing this module imports PyTensor. What needs probabilities only, such as a report, uses
`intlmodels.models.share.betainterval`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key
from pytensor.scalar.basic import ScalarOp, float64
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.variable import TensorVariable

from intlmodels.models.share import intervalkernels, observation

#: PyTensor keeps compiled graphs on disk and does not look into the kernels that they call. With
#: the hash of the kernels' source in its key, a graph is compiled anew when a kernel changes.
_KERNEL_VERSION = hashlib.sha256(
    # With its name: compiled code in the cache looks the module up by it.
    intervalkernels.__name__.encode() + Path(intervalkernels.__file__).read_bytes()
).hexdigest()


class IntervalScalarOp(ScalarOp):
    """Log probability of an interval under a law with two parameters, and its gradient in them.

    Inputs: both parameters, lower and upper end. Outputs: log probability, and its derivatives in
    the parameters. A subclass names the kernel. There are no second derivatives (no sampler here
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
        """Evaluate one element: PyTensor's Python mode."""
        return type(self).kernel(*(float(value) for value in inputs))

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Connect every output with the parameters, none with the ends."""
        del node
        return [[True] * self.nout] * 2 + [[False] * self.nout] * 2

    def pullback(self, inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
        """Return the gradient in both parameters: outputs 1 and 2 times that of the result."""
        del inputs
        gradient, *others = output_gradients
        if any(not isinstance(other.type, DisconnectedType) for other in others):
            raise NotImplementedError(f"{self}: there are no second derivatives")
        ends = [disconnected_type(), disconnected_type()]
        return [gradient * outputs[1], gradient * outputs[2], *ends]


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
    """Log probability that a Beta variable falls in an interval.

    Parameters
    ----------
    alpha, beta
        Shapes of the Beta law; arrays or PyTensor variables, which broadcast.
    lower, upper
        Ends of the interval, as shares; see `betainterval.interval_logprob_numpy`.

    Returns
    -------
    TensorVariable
        log(F(upper) - F(lower)), elementwise, in double precision; differentiable in alpha and
        beta (once), not in the ends.
    """
    return _apply(_beta_interval, alpha, beta, lower, upper)


def logit_normal_interval_logprob(mu: Any, sigma: Any, lower: Any, upper: Any) -> TensorVariable:
    """Log probability that a logit-normal variable falls in an interval.

    Parameters
    ----------
    mu, sigma
        Mean and standard deviation of the logit; arrays or PyTensor variables, which broadcast.
    lower, upper
        Ends of the interval, as shares; see `betainterval.interval_logprob_numpy`.

    Returns
    -------
    TensorVariable
        log(Phi((logit upper - mu) / sigma) - Phi((logit lower - mu) / sigma)), elementwise, in
        double precision; differentiable in mu and sigma (once), not in the ends.
    """
    return _apply(_logit_normal_interval, mu, sigma, lower, upper)


def _apply(operation: Elemwise, *arguments: Any) -> TensorVariable:
    return operation(*(pt.cast(argument, "float64") for argument in arguments))[0]


# -- the log likelihood of the cells of a register as one PyTensor operation -----------

#: PyTensor keeps compiled graphs on disk and does not look into the kernels that they call.
_VERSION = hashlib.sha256(
    observation.__name__.encode() + Path(observation.__file__).read_bytes()
).hexdigest()


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
        return [[True] * 3] * 2 + [[False] * 3] * (len(node.inputs) - 2)

    def pullback(self, inputs: Any, outputs: Any, output_gradients: Any) -> list[Any]:
        """Return the gradients in effects and tabulated values, which the other outputs are."""
        gradient, *others = output_gradients
        if any(not isinstance(other.type, DisconnectedType) for other in others):
            raise NotImplementedError(f"{self}: there are no second derivatives")
        data = [disconnected_type() for _ in inputs[2:]]
        return [gradient * outputs[1], gradient * outputs[2], *data]


@register_funcify_and_cache_key(CellsDensity)
def _cell_kernel(op: CellsDensity, **_: Any) -> tuple[Any, str]:
    from pytensor.link.numba.dispatch.basic import numba_njit

    kernel = observation.cells_density

    @numba_njit
    def cells_density(effects, values, weights, cluster, start, place, rows):  # type: ignore[no-untyped-def]
        total, by_effect, by_value = kernel(
            np.ascontiguousarray(effects),
            np.ascontiguousarray(values),
            weights,
            cluster,
            start,
            place,
            rows,
        )
        return np.asarray(total), by_effect, by_value

    return cells_density, f"{type(op).__qualname__}-{_VERSION}"


cells_density = CellsDensity()
