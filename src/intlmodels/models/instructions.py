"""Instructions for :mod:`intlmodels.models.interpreter` from a graph of PyTensor.

What only moves numbers (indexing, joining, reshaping) is carried out here, once, on the places of
these numbers; where they end up in a row, nothing is left to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce, singledispatch
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.mode import Mode, get_mode
from pytensor.compile.ops import DeepCopyOp
from pytensor.graph.basic import Constant, Variable
from pytensor.link.basic import PerformLinker
from pytensor.link.numba.linker import NumbaLinker
from pytensor.raise_op import CheckAndRaise
from pytensor.scalar.basic import Composite, ScalarOp
from pytensor.tensor import basic as tensor
from pytensor.tensor import subtensor
from pytensor.tensor.basic import AllocDiag, ExtractDiag
from pytensor.tensor.elemwise import CAReduce, DimShuffle, Elemwise
from pytensor.tensor.extra_ops import CumOp
from pytensor.tensor.linalg.decomposition.cholesky import Cholesky
from pytensor.tensor.linalg.solvers.psd import CholeskySolve
from pytensor.tensor.linalg.solvers.triangular import SolveTriangular
from pytensor.tensor.math import Dot
from pytensor.tensor.shape import Reshape, Shape, Shape_i, SpecifyShape

from intlmodels.models import interpreter
from intlmodels.models.interpreter import BLOCK, CODES, CONSTANTS, POINT, SHARED, WIDTH

Array = NDArray[np.float64]
Places = NDArray[np.int64]


class Unknown(Exception):  # noqa: N818 - nothing went wrong
    """An operation for which there are no instructions."""


#: What only moves numbers, first of all its first input.
_MOVES = (
    *(DimShuffle, Reshape, SpecifyShape, tensor.Join, tensor.Split, tensor.Alloc),
    *(tensor.MakeVector, tensor.TensorFromScalar, tensor.ScalarFromTensor, subtensor.Subtensor),
    *(subtensor.AdvancedSubtensor, ExtractDiag, DeepCopyOp),
)
#: Operations that are there under the name of another class.
_NAMES = {"truediv": "true_div", "second": "second", "roundhalftoeven": "round"}
#: Operations along axes: of two elements, and with what they begin.
_REDUCTIONS = {
    **dict.fromkeys(("scalarmaximum", "maximum", "or"), ("maximum", -np.inf)),
    **dict.fromkeys(("scalarminimum", "minimum", "and"), ("minimum", np.inf)),
} | {"add": ("add", 0.0), "mul": ("mul", 1.0)}


@singledispatch
def address(op: Any) -> int:
    """Address of the kernel of an operation; see :func:`intlmodels.models.interpreter.kernel`.

    Of what an ``Elemwise`` does, results and operands have one size.
    """
    raise Unknown(str(op))


@dataclass
class Program:
    """Instructions, and the constants that they need."""

    head: list[int]
    code: list[int]
    constants: list[Array]
    work: int = 0
    size: int = 0  #: of the constants

    def words(self) -> Places:
        """All words, as the interpreter reads them."""
        return np.array([len(self.code) // WIDTH, max(self.work, 1), *self.head, *self.code])


class Translation:
    """Places of all variables of a graph, as they become known."""

    def __init__(self, point: Variable, size: int, shared: Sequence[Any]) -> None:
        self.program = Program([], [], [])
        #: Places of each variable's numbers, in its shape.
        self.places: dict[Variable, Places] = {point: POINT * BLOCK + np.arange(size)}
        #: Values that are the same whatever the parameters and shared data are.
        self.known: dict[Variable, Any] = {}
        for k, variable in enumerate(shared):
            values = np.asarray(variable.get_value(borrow=True))
            own = (SHARED + k) * BLOCK + np.arange(values.size)
            self.places[variable] = own.reshape(values.shape)

    # -- places ---------------------------------------------------------------------------

    def of(self, variable: Variable) -> Places:
        """Places of a variable's numbers; constants get theirs when they are asked for."""
        if variable not in self.places:
            if isinstance(variable, Constant):
                self.known[variable] = variable.data
            if variable not in self.known:
                raise Unknown(str(variable))
            values = np.asarray(self.known[variable])
            if values.dtype.kind not in "fiub":
                raise Unknown(str(variable.type))
            # In the order of memory, so that transposed matrices stay as they are.
            turned = values.T if values.flags.fnc else values
            places = self.constant(turned.astype(float)).reshape(turned.shape)
            self.places[variable] = places.T if values.flags.fnc else places
        return self.places[variable]

    def constant(self, values: NDArray[Any]) -> Places:
        """Put numbers, or whole numbers as they are, among the constants."""
        self.program.constants.append(np.ravel(values).view(np.float64))
        first, self.program.size = self.program.size, self.program.size + values.size
        return CONSTANTS * BLOCK + first + np.arange(values.size)

    def new(self, *sizes: int) -> Places:
        """Room for results."""
        count = int(np.prod(sizes, dtype=int))
        first, self.program.work = self.program.work, self.program.work + count
        return first + np.arange(count).reshape(sizes)

    def emit(self, code: int, *words: int | Places) -> None:
        """Add an instruction; of places it takes the first."""
        self.program.code += [code, *map(_first, words), *[0] * (WIDTH - 1 - len(words))]

    def in_row(self, places: Places) -> Places:
        """Places of the same numbers in a row; they are copied if they do not lie so."""
        if _in_row(places):
            return places
        out = self.new(*places.shape)
        self.emit(interpreter.GATHER, out, out.size, 0, self.constant(places))
        return out

    # -- nodes ----------------------------------------------------------------------------

    def add(self, node: Any) -> None:
        """Add instructions for a node."""
        op = node.op
        scalar = op.scalar_op if isinstance(op, Elemwise) else op
        if all(isinstance(own, Constant) or own in self.known for own in node.inputs):
            given = [self.value(own) for own in node.inputs]
            self.known |= zip(node.outputs, _performed(node, given), strict=True)
        elif isinstance(scalar, OpFromGraph | Composite):
            self.inner(scalar.fgraph, node)
        elif isinstance(op, Shape_i):
            self.known[node.outputs[0]] = np.asarray(self.of(node.inputs[0]).shape[op.i])
        elif isinstance(op, Shape):
            self.known[node.outputs[0]] = np.asarray(self.of(node.inputs[0]).shape)
        elif isinstance(op, _MOVES):
            self.places |= zip(node.outputs, self.moved(node), strict=True)
        elif isinstance(op, CheckAndRaise):
            self.places[node.outputs[0]] = self.of(node.inputs[0])
            for condition in node.inputs[1:]:
                places = self.in_row(self.of(condition))
                self.emit(interpreter.CHECK, places, places.size)
        elif isinstance(op, subtensor.IncSubtensor | subtensor.AdvancedIncSubtensor):
            self.places[node.outputs[0]] = self.increased(node)
        elif isinstance(op, CAReduce):
            self.places[node.outputs[0]] = self.reduced(node)
        elif isinstance(op, CumOp) and op.mode == "add":
            own = self.of(node.inputs[0])
            axis = 0 if op.axis is None else op.axis
            parts = np.moveaxis(own.ravel() if op.axis is None else own, axis, 0)
            sums = accumulate(parts, lambda one, other: self.element("add", [one, other]))
            self.places[node.outputs[0]] = np.moveaxis(np.reshape([*sums], parts.shape), 0, axis)
        elif isinstance(op, Elemwise | ScalarOp):
            if len(node.outputs) > 1:
                both = np.broadcast_arrays(*(self.of(own) for own in node.inputs))
                outs = [self.new(*both[0].shape) for _ in node.outputs]
                self.call(address(scalar), outs, both)
                self.places |= zip(node.outputs, outs, strict=True)
            else:
                self.places[node.outputs[0]] = self.elementwise(scalar, node)
        elif isinstance(op, AllocDiag):
            own = self.of(node.inputs[0])
            if own.ndim != 1 or op.offset:
                raise Unknown(str(op))
            out = np.full((own.size, own.size), self.constant(np.zeros(1))[0])
            np.fill_diagonal(out, own)
            self.places[node.outputs[0]] = out
        elif isinstance(op, Dot | Cholesky | SolveTriangular | CholeskySolve):
            self.places[node.outputs[0]] = self.algebra(op, *(self.of(own) for own in node.inputs))
        else:
            given = [self.of(own) for own in node.inputs]
            outs = [self.new(*sizes) for sizes in _shapes(node, given)]
            self.call(address(op), outs, given)
            self.places |= zip(node.outputs, outs, strict=True)

    def inner(self, graph: Any, node: Any) -> None:
        """Add instructions for a node that is a graph of its own, and may be there twice."""
        for own in graph.variables:
            self.places.pop(own, None)
            self.known.pop(own, None)
        given = [self.of(own) for own in node.inputs]
        self.places |= zip(graph.inputs, given, strict=True)
        for own in graph.toposort():
            self.add(own)
        self.places |= {
            outer: self.of(own) for outer, own in zip(node.outputs, graph.outputs, strict=True)
        }

    def value(self, variable: Variable) -> Any:
        """Value of a variable that is known."""
        return variable.data if isinstance(variable, Constant) else self.known[variable]

    def moved(self, node: Any) -> list[Places]:
        """Where numbers are after a node that only moves them."""
        several = isinstance(node.op, tensor.Join | tensor.MakeVector)
        numbers = node.inputs if several else node.inputs[:1]
        given = [
            self.of(own) if own in numbers else self.value_of_index(own) for own in node.inputs
        ]
        return [np.asarray(own).astype(np.int64) for own in _performed(node, given)]

    def value_of_index(self, variable: Variable) -> Any:
        """Value of an index or a length, which has to be known."""
        if isinstance(variable, Constant) or variable in self.known:
            return self.value(variable)
        raise Unknown(f"index {variable}")

    def increased(self, node: Any) -> Places:
        """Numbers of the first input, with those of the second set or added at places of it."""
        op, (own, added, *index) = node.op, node.inputs
        before, new = self.of(own), self.of(added)
        where = subtensor.indices_from_subtensor(
            [self.value_of_index(one) for one in index], op.idx_list
        )
        where = tuple(np.asarray(one) if not isinstance(one, slice) else one for one in where)
        if op.set_instead_of_inc:
            after = before.copy()
            after[where] = new
            return after
        out = self.new(*before.shape)
        self.put("copy", out, before)
        at = np.arange(before.size).reshape(before.shape)[where]
        new = self.in_row(np.broadcast_to(new, at.shape))
        self.emit(interpreter.SCATTER, out, at.size, 0, self.constant(at), new)
        return out

    def reduced(self, node: Any) -> Places:
        """Sum, or another summary, along some axes."""
        name = type(node.op.scalar_op).__name__.lower()
        if name not in _REDUCTIONS:
            raise Unknown(str(node.op))
        name, start = _REDUCTIONS[name]
        own = self.of(node.inputs[0])
        axes = range(own.ndim) if node.op.axis is None else [a % own.ndim for a in node.op.axis]
        others = [axis for axis in range(own.ndim) if axis not in axes]
        turned = own.transpose(*others, *sorted(axes))
        out = self.new(*turned.shape[: len(others)])
        self.put("copy", out, self.constant(np.array(start)))
        each = np.expand_dims(out, tuple(range(len(others), own.ndim)))
        self.put(name, each, each, turned)
        return out

    def elementwise(self, op: ScalarOp, node: Any) -> Places:
        """Elements of one operation, or of several after each other."""
        name = type(op).__name__.lower()
        name = _NAMES.get(name, name)
        given = [self.of(own) for own in node.inputs]
        sizes = np.broadcast_shapes(*(own.shape for own in given))
        if name in ("identity", "second") or (name == "cast" and op.o_type.dtype == "float64"):
            return np.broadcast_to(given[-1], sizes)
        if name in ("add", "mul"):
            return reduce(lambda one, other: self.element(name, [one, other]), given)
        if name in ("and", "or", "xor", "invert") and node.outputs[0].type.dtype != "bool":
            raise Unknown(name)
        name = name.removeprefix("scalar")
        if name in CODES:
            return self.element(name, given)
        function = _of_scipy(op)
        if function is None or len(given) > 1:
            raise Unknown(str(op))
        out = self.new(*given[0].shape)
        self.emit(CODES["scipy"], out, out.size, 0, self.in_row(given[0]), function)
        return out

    def element(self, name: str, given: list[Places]) -> Places:
        """Add an instruction for one operation elementwise."""
        out = self.new(*np.broadcast_shapes(*(own.shape for own in given)))
        self.put(name, out, *given)
        return out

    def put(self, name: str, out: Places, *given: Places) -> None:
        """Add an instruction with its result at given places, which may be those of an operand."""
        sizes = np.broadcast_shapes(out.shape, *(own.shape for own in given))
        if 0 in sizes:
            return
        given = tuple(self.in_row(own) if _steps(own) is None else own for own in given)
        axes = _two_axes(sizes, [out, *given])
        if axes is None:  # then with what is broadcast written out
            given = tuple(
                own if own is out or own.size == 1 else self.in_row(np.broadcast_to(own, sizes))
                for own in given
            )
            axes = _two_axes(sizes, [out, *given])
            assert axes is not None
        (rows, columns), strides = axes
        none = [0] * (3 - len(given))
        self.emit(CODES[name], out, rows, columns, *given, *none, *np.ravel(strides))

    def algebra(self, op: Any, one: Places, *others: Places) -> Places:
        """Matrix product, Cholesky factor, or solution of a triangular system."""
        lower = getattr(op, "lower", True) or isinstance(op, SolveTriangular)
        if one.ndim != 2 or not lower or getattr(op, "unit_diagonal", False):
            raise Unknown(str(op))
        if isinstance(op, Cholesky):
            out = self.new(*one.shape)
            self.call(interpreter.kernel(interpreter.cholesky), [out], [one])
            return out
        (other,) = others
        if isinstance(op, Dot):
            out = self.new(one.shape[0], other.shape[1])
            turned = other.shape[1] == 1 and _in_row(one.T) and not _in_row(one)
            given = [one.T if turned else one, other]
            function = interpreter.dot_transposed if turned else interpreter.dot
            self.call(interpreter.kernel(function), [out], given)
            return out
        steps = [(interpreter.solve_lower if op.lower else interpreter.solve_upper, one)]
        if isinstance(op, CholeskySolve):
            steps.append((interpreter.solve_upper, one.T))
        for function, factor in steps:
            out = self.new(*other.shape)
            columns = [own.reshape(len(own), -1) for own in (out, other)]
            self.call(interpreter.kernel(function), columns[:1], [factor, columns[1]])
            other = out
        return other

    def call(self, function: int, outs: Sequence[Places], given: Sequence[Places]) -> None:
        """Add a call of a kernel."""
        operands = []
        for own in map(self.in_row, [*outs, *given]):
            columns = own.shape[-1] if own.ndim else 1
            operands += [_first(own), own.size // max(columns, 1), columns]
        table = self.constant(np.array(operands, dtype=np.int64))
        self.emit(interpreter.CALL, self.new(len(operands)), len(operands) // 3, 0, table, function)


def _shapes(node: Any, given: list[Places]) -> list[tuple[int, ...]]:
    """Shapes of the results of a node that has a kernel."""
    return list(node.op.infer_shape(node, [own.shape for own in given]))


def _performed(node: Any, given: list[Any]) -> list[Any]:
    """Results of a node in Python."""
    storage: list[list[Any]] = [[None] for _ in node.outputs]
    node.op.perform(node, given, storage)
    return [own[0] for own in storage]


def _first(places: int | Places) -> int:
    return int(np.ravel(places)[0]) if np.size(places) else 0


def _in_row(places: Places) -> bool:
    flat = np.ravel(places)
    return bool((flat == flat[:1] + np.arange(flat.size)).all())


def _steps(places: Places) -> list[int] | None:
    """Steps along each axis of numbers that lie evenly in one block; None of others."""
    first = places[(0,) * places.ndim]
    others = np.eye(places.ndim, dtype=int) * (np.array(places.shape, dtype=int) > 1)
    steps = [int(places[tuple(other)] - first) for other in others]
    along = [np.arange(n) * step for n, step in zip(places.shape, steps, strict=True)]
    even = reduce(np.add.outer, along, first)
    one = places.min() // BLOCK == places.max() // BLOCK
    return steps if one and (places == even).all() else None


def _two_axes(
    sizes: tuple[int, ...], operands: list[Places]
) -> tuple[tuple[int, int], list[list[int]]] | None:
    """The same elements with two axes, each operand with two strides; None if that takes more."""
    strides = [_steps(np.broadcast_to(own, sizes)) or [] for own in operands]
    merged: list[tuple[int, list[int]]] = []
    for n, *own in zip(sizes, *strides, strict=True):
        if n == 1:
            continue
        if merged and all(a == n * b for a, b in zip(merged[-1][1], own, strict=True)):
            merged[-1] = merged[-1][0] * n, own
        else:
            merged.append((n, own))
    if len(merged) > 2:
        return None
    merged = [(1, [0] * len(strides))] * (2 - len(merged)) + merged
    (rows, one), (columns, other) = merged
    return (rows, columns), [list(pair) for pair in zip(one, other, strict=True)]


def _of_scipy(op: ScalarOp) -> int | None:
    """Address of SciPy's function of one number, if an operation is that."""
    import scipy.special.cython_special as functions
    from numba.extending import get_cython_function_address

    path, _, name = (getattr(op, "nfunc_spec", None) or ("", 0, 0))[0].rpartition(".")
    if path != "scipy.special":
        return None
    for own in (name, f"__pyx_fuse_1{name}"):
        if own in functions.__pyx_capi__:
            return int(get_cython_function_address("scipy.special.cython_special", own))
    return None


def program_of(function: Any, shared: Sequence[Any]) -> tuple[Places, Array]:
    """Instructions and constants for a compiled PyTensor function of one vector.

    ``shared``: shared data by block. Raises :class:`Unknown`.
    """
    graph = function.maker.fgraph
    point = graph.inputs[0]
    found = Translation(point, int(point.type.shape[0]), [])
    places = Translation(point, int(point.type.shape[0]), shared).places
    for variable, container in zip(graph.inputs[1:], function.get_shared(), strict=True):
        found.places[variable] = places[container]
    for node in graph.toposort():
        found.add(node)
    ends = [_first(found.in_row(found.of(own))) for own in graph.outputs]
    found.program.head = [len(shared), *ends, *[0] * (2 - len(ends))]
    constants = found.program.constants or [np.zeros(1)]
    return found.program.words(), np.concatenate(constants)


class _Linker(PerformLinker):
    """PyTensor's rewrites are those for numba, but for what puts operations together."""

    required_rewrites = NumbaLinker.required_rewrites
    incompatible_rewrites = (
        *NumbaLinker.incompatible_rewrites,
        *("elemwise_fusion", "fuse_indexed_into_elemwise", "inplace"),
    )


def mode() -> Mode:
    """How PyTensor simplifies a graph that is to become instructions."""
    return Mode(linker=_Linker(), optimizer=get_mode("NUMBA").provided_optimizer)
