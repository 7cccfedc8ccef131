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

#: Words of an instruction: operation, result, two sizes, and four times a place and two strides.
WIDTH = 16
#: Words before the first instruction: their number, size of the work block, number of blocks of
#: shared data, places of the two results.
HEAD = 5

#: Operations elementwise, of up to three operands.
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
#: Other operations: elements from anywhere, added at places, sums and so on along an axis.
GATHER, SCATTER, SUM, PROD, MAX, MIN, CUMSUM, CHECK, CALL = range(100, 109)

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


@_jit
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
    if code == CLIP:
        return v if u < v else w if u > w else u
    return 1.0 if _holds(code, u, v) else 0.0


@_jit
def _holds(code, u, v):
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
    return np.isnan(u)


@_jit
def _elements(code, n, out, a, i, b, j, d, k):
    """Elements along one axis, with strides."""
    if code == ADD:
        for m in range(n):
            out[m] = a[m * i] + b[m * j]
    elif code == SUB:
        for m in range(n):
            out[m] = a[m * i] - b[m * j]
    elif code == MUL:
        for m in range(n):
            out[m] = a[m * i] * b[m * j]
    elif code == DIV:
        for m in range(n):
            out[m] = a[m * i] / b[m * j]
    elif code == NEG:
        for m in range(n):
            out[m] = -a[m * i]
    elif code == SQR:
        for m in range(n):
            out[m] = a[m * i] * a[m * i]
    elif code == EXP:
        for m in range(n):
            out[m] = math.exp(a[m * i])
    elif code == LOG:
        for m in range(n):
            out[m] = math.log(a[m * i])
    elif code == SWITCH:
        for m in range(n):
            out[m] = b[m * j] if a[m * i] != 0.0 else d[m * k]
    elif code == COPY:
        for m in range(n):
            out[m] = a[m * i]
    else:
        for m in range(n):
            out[m] = _element(code, a[m * i], b[m * j], d[m * k])


@_jit
def _reduced(code, rows, size, columns, out, a):
    """Sum, product or extreme along the middle one of three axes, or sums up to each element."""
    for r in range(rows):
        for c in range(columns):
            first = r * size * columns + c
            total = -math.inf if code == MAX else math.inf if code == MIN else 0.0
            if code == PROD:
                total = 1.0
            for m in range(size):
                value = a[first + m * columns]
                if code == PROD:
                    total *= value
                elif code == MAX:
                    total = np.maximum(total, value)
                elif code == MIN:
                    total = np.minimum(total, value)
                else:
                    total += value
                if code == CUMSUM:
                    out[first + m * columns] = total
            if code != CUMSUM:
                out[r * columns + c] = total


@_jit
def _carried_out(which, point, first, n_first, second, n_second, record, work, blocks):
    """Carry out one of the programs of a record, and copy its results; 1 if all went well."""
    given = words(_address(record))
    program = words(given[2 * which])
    # The arrays are arguments so that they live until this returns.
    blocks[WORK], blocks[POINT] = work.ctypes.data, _address(point)
    for k in range(program[2]):
        blocks[SHARED + k] = given[5 + k]
    blocks[CONSTANTS] = given[2 * which + 1]
    for number in range(program[0]):
        start = HEAD + WIDTH * number
        code, n, m = program[start], program[start + 2], program[start + 3]
        out = _at(blocks, program[start + 1])
        if code < SCIPY:
            a, b = _at(blocks, program[start + 4]), _at(blocks, program[start + 7])
            d = _at(blocks, program[start + 10])
            if n * m == 1:
                out[0] = _element(code, a[0], b[0], d[0])
                continue
            i, j, k = program[start + 6], program[start + 9], program[start + 12]
            for _ in range(n):
                _elements(code, m, out, a, i, b, j, d, k)
                out = _from(out, m)
                a = _from(a, program[start + 5])
                b = _from(b, program[start + 8])
                d = _from(d, program[start + 11])
        elif code == SCIPY:
            a = _at(blocks, program[start + 4])
            for r in range(n * m):
                out[r] = _scipy(program[start + 7], a[r])
        elif code == GATHER:
            places = words(_address(_at(blocks, program[start + 4])))
            for i in range(n):
                out[i] = _at(blocks, places[i])[0]
        elif code == SCATTER:
            places = words(_address(_at(blocks, program[start + 4])))
            added = _at(blocks, program[start + 5])
            for i in range(n):
                out[places[i]] += added[i]
        elif code == CHECK:
            for i in range(n):
                if out[i] == 0.0:
                    return 0
        elif code == CALL:
            operands = words(_address(_at(blocks, program[start + 4])))
            given = words(_address(out))
            for i in range(n):
                given[3 * i] = _address(_at(blocks, operands[3 * i]))
                given[3 * i + 1], given[3 * i + 2] = operands[3 * i + 1], operands[3 * i + 2]
            _call(program[start + 5], given)
        else:
            _reduced(code, n, m, program[start + 5], out, _at(blocks, program[start + 4]))
    one, other = _at(blocks, program[3]), _at(blocks, program[4])
    for i in range(n_first):
        first[i] = one[i]
    for i in range(n_second):
        second[i] = other[i]
    return 1


@_jit
def _at(blocks, place):
    return numbers(blocks[place >> 40] + 8 * (place & (BLOCK - 1)))


@_jit
def _from(start, count):
    return numbers(_address(start) + 8 * count)


# -- what nutpie calls -------------------------------------------------------------------

#: Blocks of the shared data that a graph may have.
_BLOCKS = 256
_NUMBERS = types.CPointer(types.double)
#: Of the function that carries out programs.
_RUN = types.int64(
    types.int64, _NUMBERS, _NUMBERS, types.int64, _NUMBERS, types.int64, types.voidptr
)


def _run(which, point, first, n_first, second, n_second, record):
    """Carry out one of the programs of a record, with memory for it."""
    work = np.empty(words(words(_address(record))[2 * which])[1])
    blocks = np.empty(_BLOCKS, np.int64)
    return _carried_out(which, point, first, n_first, second, n_second, record, work, blocks)


@_jit
def _runner(record):
    """Address of the function that carries out programs, which follows them in a record."""
    return words(words(_address(record))[4])[0]


def _log_density(size, x, out, value, record):
    """As nutpie asks for it: 1 if it failed, 3 and 4 if gradient or value are not finite."""
    if not _carry_out(_runner(record), 0, x, value, 1, out, size, record):
        return 1
    for i in range(size):
        if not math.isfinite(out[i]):
            return 3
    return 0 if math.isfinite(value[0]) else 4


def _expand(size, n_expanded, x, out, record):
    """What is stored of a draw."""
    return 0 if _carry_out(_runner(record), 1, x, out, n_expanded, out, 0, record) else -2


@cache
def functions() -> tuple[Any, Any, Any]:
    """Log density with its gradient, expansion of a draw, and what both call, compiled."""
    one = types.int64(types.uint64, *[_NUMBERS] * 3, types.voidptr)
    other = types.int64(types.uint64, types.uint64, *[_NUMBERS] * 2, types.voidptr)
    with compiling():
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
    with compiling():
        compiled = _compiled(types.void(types.CPointer(types.int64)), function)
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
