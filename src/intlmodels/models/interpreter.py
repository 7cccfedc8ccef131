"""A log density as instructions, and one compiled function that carries them out.

A PyMC model becomes a graph of array operations. Compiling each graph takes seconds; instructions
for it, see :mod:`intlmodels.models.instructions`, take none, and the function that carries them out
is compiled once, for all models, and kept beside the byte code. All numbers are doubles, all arrays
contiguous and of known size. A place is a whole number: which block of memory, and how many numbers
into it. Blocks are :data:`WORK`, :data:`POINT`, :data:`CONSTANTS`, and then the shared data.

Every sum has a fixed order and nothing is fused: the same digits on every processor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import carray, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from intlmodels.core.processes import compiling

# mypy: disable-error-code="no-untyped-def"

#: Blocks of memory: of intermediate values, the parameters, constants; shared data follow.
WORK, POINT, CONSTANTS, SHARED = range(4)
#: A place is its block times this, and where in the block it is.
BLOCK = 1 << 40

#: Words of an instruction: operation, result, rows and columns, places of three operands, and two
#: strides of the result and of each operand.
WIDTH = 15
#: Words before the first instruction: their number, size of the work block, number of blocks of
#: shared data, places of the two results.
HEAD = 5

#: Operations elementwise, of up to three operands; a result that is an operand as well adds up.
_NAMES = """
    add sub mul true_div neg sqr exp log switch copy
    sigmoid softplus log1p expm1 log1mexp sqrt reciprocal abs sign gammaln erf erfc tanh
    pow mod maximum minimum round eq neq lt le gt ge and or xor invert isinf isnan clip scipy
"""
CODES = {name: code for code, name in enumerate(_NAMES.split())}
(ADD, SUB, MUL, DIV, NEG, SQR, EXP, LOG, SWITCH, COPY) = range(10)
(SIGMOID, SOFTPLUS, LOG1P, EXPM1, LOG1MEXP, SQRT, RECIPROCAL, ABS, SIGN) = range(10, 19)
(GAMMALN, ERF, ERFC, TANH, POW, MOD, MAXIMUM, MINIMUM, ROUND) = range(19, 28)
(EQ, NEQ, LT, LE, GT, GE, AND, OR, XOR, INVERT, ISINF, ISNAN, CLIP, SCIPY) = range(28, 42)
#: Other operations: elements from anywhere, added at places, a condition, a kernel.
GATHER, SCATTER, CHECK, CALL = range(100, 104)

_jit = njit(error_model="numpy")


def _values(kind: Any) -> Any:
    """Return what makes a pointer to values of a type from an address."""

    @intrinsic
    def values(typing, address):
        def build(context, builder, signature, arguments):
            return builder.inttoptr(arguments[0], context.get_value_type(kind).as_pointer())

        return types.CPointer(kind)(address), build

    return values


numbers, words = _values(types.float64), _values(types.int64)


@intrinsic
def _address(typing, pointer):
    def build(context, builder, signature, arguments):
        return builder.ptrtoint(arguments[0], context.get_value_type(types.int64))

    return types.int64(pointer), build


@intrinsic
def _call(typing, address, given):
    """Call a kernel, a function of one pointer to whole numbers."""

    def build(context, builder, signature, arguments):
        word = context.get_value_type(types.int64).as_pointer()
        kind = cgutils.ir.FunctionType(cgutils.voidptr_t, [word])
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), [arguments[1]])
        return context.get_dummy_value()

    return types.void(address, given), build


@intrinsic
def _scipy(typing, address, u):
    """Call a function of one number."""

    def build(context, builder, signature, arguments):
        number = context.get_value_type(types.float64)
        kind = cgutils.ir.FunctionType(number, [number])
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), [arguments[1]])

    return types.float64(address, u), build


@intrinsic
def _carry_out(typing, address, which, point, first, n_first, second, n_second, record):
    """Call :func:`_run`, compiled once for both functions that nutpie calls."""

    def build(context, builder, signature, arguments):
        own = [context.get_value_type(kind) for kind in _RUN.args]
        kind = cgutils.ir.FunctionType(context.get_value_type(types.int64), own)
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])

    return types.int64(types.int64, *_RUN.args), build


@njit(error_model="numpy", forceinline=True)
def _element(code, u, v, w):
    """One element of an operation; the formulas are PyTensor's."""
    if code == ADD:
        return u + v
    if code == SUB:
        return u - v
    if code == MUL:
        return u * v
    if code == DIV:
        return u / v
    if code == NEG:
        return -u
    if code == SQR:
        return u * u
    if code == EXP:
        return math.exp(u)
    if code == LOG:
        return math.log(u)
    if code == SWITCH:
        return v if u != 0.0 else w
    if code == SIGMOID:
        return 1 / (1 + math.exp(-u))
    if code == SOFTPLUS:
        if u < -37.0:
            return math.exp(u)
        if u < 18.0:
            return math.log1p(math.exp(u))
        return u + math.exp(-u) if u < 33.3 else u
    if code == LOG1MEXP:
        return math.log1p(-math.exp(u)) if u < math.log(0.5) else math.log(-math.expm1(u))
    if code == LOG1P:
        return math.log1p(u)
    if code == EXPM1:
        return math.expm1(u)
    if code == SQRT:
        return math.sqrt(u)
    if code == RECIPROCAL:
        return 1.0 / u
    if code == ABS:
        return abs(u)
    if code == SIGN:
        return np.sign(u)
    if code == GAMMALN:
        return math.lgamma(u)
    if code == ERF:
        return math.erf(u)
    if code == ERFC:
        return math.erfc(u)
    if code == TANH:
        return math.tanh(u)
    if code == POW:
        return u**v
    if code == MOD:
        return np.mod(u, v)
    if code == MAXIMUM:
        return np.maximum(u, v)
    if code == MINIMUM:
        return np.minimum(u, v)
    if code == ROUND:
        return np.rint(u)
    if code == EQ:
        return u == v
    if code == NEQ:
        return u != v
    if code == LT:
        return u < v
    if code == LE:
        return u <= v
    if code == GT:
        return u > v
    if code == GE:
        return u >= v
    if code == AND:
        return u != 0 and v != 0
    if code == OR:
        return u != 0 or v != 0
    if code == XOR:
        return (u != 0) != (v != 0)
    if code == INVERT:
        return u == 0
    if code == ISINF:
        return np.isinf(u)
    if code == ISNAN:
        return np.isnan(u)
    if code == COPY:
        return u
    return v if u < v else w if u > w else u


@_jit
def _elements(own, to, a, b, d):
    """Elements of a row; with a stride of zero, sums in it."""
    out, one, two, three = numbers(to), numbers(a), numbers(b), numbers(d)
    o, i, j, k = own[8], own[10], own[12], own[14]
    if own[0] == ADD and o == 0:
        total = out[0]
        for m in range(own[3]):
            total += two[m * j]
        out[0] = total
    elif own[0] == ADD:
        for m in range(own[3]):
            out[m * o] = one[m * i] + two[m * j]
    elif own[0] == MUL:
        for m in range(own[3]):
            out[m * o] = one[m * i] * two[m * j]
    elif own[0] == SWITCH:
        for m in range(own[3]):
            out[m * o] = two[m * j] if one[m * i] != 0.0 else three[m * k]
    else:
        # The operation is read each time, or the compiler makes a loop for each.
        for m in range(own[3]):
            out[m * o] = _element(own[0], one[m * i], two[m * j], three[m * k])


@_jit
def _at(blocks, place):
    """Address of a place."""
    return blocks[place >> 40] + 8 * (place & (BLOCK - 1))


# -- what nutpie calls -------------------------------------------------------------------

#: Blocks that a graph may have.
_BLOCKS = 256
_NUMBERS, _WORDS = types.CPointer(types.double), types.CPointer(types.int64)
#: Of the function that carries out programs.
_RUN = types.int64(types.int64, _NUMBERS, _NUMBERS, types.int64, _NUMBERS, types.int64, _WORDS)


def _run(which, point, first, n_first, second, n_second, record):
    """Carry out one of the programs of a record, and copy its results; 1 if all went well."""
    program = words(record[2 * which])
    memory = np.empty(_BLOCKS + program[1], np.int64)
    blocks = words(memory.ctypes.data)
    blocks[WORK], blocks[POINT] = memory.ctypes.data + 8 * _BLOCKS, _address(point)
    blocks[CONSTANTS] = record[2 * which + 1]
    for k in range(program[2]):
        blocks[SHARED + k] = record[5 + k]
    for number in range(program[0]):
        own = words(record[2 * which] + 8 * (HEAD + WIDTH * number))
        code, n, to, a = own[0], own[2], _at(blocks, own[1]), _at(blocks, own[4])
        out, places = numbers(to), words(a)
        if code < SCIPY:
            b, d = _at(blocks, own[5]), _at(blocks, own[6])
            if n * own[3] == 1:
                out[0] = _element(code, numbers(a)[0], numbers(b)[0], numbers(d)[0])
                continue
            for r in range(n):
                row = 8 * r
                _elements(
                    own, to + row * own[7], a + row * own[9], b + row * own[11], d + row * own[13]
                )
        elif code == SCIPY:
            for i in range(n):
                out[i] = _scipy(own[5], numbers(a)[i])
        elif code == GATHER:
            for i in range(n):
                out[i] = numbers(_at(blocks, places[i]))[0]
        elif code == SCATTER:
            added = numbers(_at(blocks, own[5]))
            for i in range(n):
                out[places[i]] += added[i]
        elif code == CHECK:
            for i in range(n):
                if out[i] == 0.0:
                    return 0
        else:
            given = words(to)
            for i in range(n):
                given[3 * i] = _at(blocks, places[3 * i])
                given[3 * i + 1], given[3 * i + 2] = places[3 * i + 1], places[3 * i + 2]
            _call(own[5], given)
    one, other = numbers(_at(blocks, program[3])), numbers(_at(blocks, program[4]))
    for i in range(n_first):
        first[i] = one[i]
    for i in range(n_second):
        second[i] = other[i]
    # The memory is given back after this.
    return min(memory.size, 1)


def _log_density(size, x, out, value, record):
    """As nutpie asks for it: 1 if it failed, 3 and 4 if gradient or value are not finite."""
    if not _carry_out(words(record[4])[0], 0, x, value, 1, out, size, record):
        return 1
    for i in range(size):
        if not math.isfinite(out[i]):
            return 3
    return 0 if math.isfinite(value[0]) else 4


def _expand(size, n_expanded, x, out, record):
    """What is stored of a draw."""
    return 0 if _carry_out(words(record[4])[0], 1, x, out, n_expanded, out, 0, record) else -2


@cache
def functions() -> tuple[Any, Any, Any]:
    """Log density with its gradient, expansion of a draw, and what both call, compiled."""
    one = types.int64(types.uint64, *[_NUMBERS] * 3, _WORDS)
    other = types.int64(types.uint64, types.uint64, *[_NUMBERS] * 2, _WORDS)
    with compiling("interpreter"):
        run = _compiled(_RUN, _run)
        return _compiled(one, _log_density), _compiled(other, _expand), run


def _compiled(kind: Any, function: Callable[..., Any]) -> Any:
    return numba.cfunc(kind, cache=True, error_model="numpy")(function)


# -- kernels -----------------------------------------------------------------------------


@cache
def kernel(function: Callable[..., None]) -> int:
    """Address of a kernel: a compiled function of addresses and sizes.

    Of every result, and then of every operand: address, rows and columns.
    """
    with compiling(function.__name__):
        compiled = _compiled(types.void(_WORDS), function)
    _kernels.append(compiled)
    return int(compiled.address)


#: Compiled kernels, which have to stay.
_kernels: list[Any] = []


@_jit
def vector(given, k):
    """Result or operand k of a kernel as an array of one dimension."""
    return carray(numbers(given[3 * k]), (given[3 * k + 1] * given[3 * k + 2],))


@_jit
def matrix(given, k):
    """Result or operand k of a kernel as an array of two dimensions."""
    return carray(numbers(given[3 * k]), (given[3 * k + 1], given[3 * k + 2]))


def dot(given):
    """Matrix product."""
    if given[8] == 1:
        np.dot(matrix(given, 1), vector(given, 2), vector(given, 0))
    else:
        np.dot(matrix(given, 1), matrix(given, 2), matrix(given, 0))


def dot_transposed(given):
    """Transpose of a matrix, times a vector."""
    np.dot(matrix(given, 1).T, vector(given, 2), vector(given, 0))


def cholesky(given):
    """Lower factor of a positive definite matrix; not a number if it is none."""
    out, own = matrix(given, 0), matrix(given, 1)
    for i in range(len(own)):
        for j in range(len(own)):
            total = own[i, j]
            for k in range(min(i, j)):
                total -= out[i, k] * out[j, k]
            out[i, j] = 0.0 if j > i else math.sqrt(total) if i == j else total / out[j, j]


def solve_lower(given):
    """Solve with a lower triangular matrix, one column after the other."""
    out, factor, right = matrix(given, 0), matrix(given, 1), matrix(given, 2)
    for column in range(right.shape[1]):
        for i in range(len(factor)):
            total = right[i, column]
            for k in range(i):
                total -= factor[i, k] * out[k, column]
            out[i, column] = total / factor[i, i]


def solve_upper(given):
    """Solve with an upper triangular matrix, one column after the other."""
    out, factor, right = matrix(given, 0), matrix(given, 1), matrix(given, 2)
    for column in range(right.shape[1]):
        for i in range(len(factor) - 1, -1, -1):
            total = right[i, column]
            for k in range(i + 1, len(factor)):
                total -= factor[i, k] * out[k, column]
            out[i, column] = total / factor[i, i]
