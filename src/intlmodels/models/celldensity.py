"""The log likelihood of the cells of a register as one PyTensor operation.

The loop over cells, and its derivatives, are in :mod:`intlmodels.share.nodes`. Importing this
module imports PyTensor.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key

from intlmodels.share import nodes

#: PyTensor keeps compiled graphs on disk and does not look into the kernels that they call.
_VERSION = hashlib.sha256(nodes.__name__.encode() + Path(nodes.__file__).read_bytes()).hexdigest()


class CellsDensity(Op):
    """Log likelihood of all cells: see :func:`intlmodels.share.nodes.cells_density`.

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
        for storage, value in zip(output_storage, nodes.cells_density(*arrays), strict=True):
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
def _numba_kernel(op: CellsDensity, **_: Any) -> tuple[Any, str]:
    from pytensor.link.numba.dispatch.basic import numba_njit

    kernel = nodes.cells_density

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
