"""Compiling a model for nutpie, without numba's slowest detour.

nutpie copies a gradient with ``out[...] = gradient``. For that one line numba also compiles
the formatting of an error message about unequal shapes, which takes longer than the rest of
the model; and what nutpie compiles around PyTensor's functions, which are cached on disk, is
compiled again in every process. The wrappers here copy in a loop and are cached beside
PyTensor's functions, under the key of the function that they wrap. With warm caches this
takes the default model from 3.5 s to about 1 s on two cores. They keep nutpie's contract
(arguments and return codes), so that a compiled model is an ordinary nutpie model. Where a release
of nutpie or PyTensor has changed what they stand for, plain nutpie compiles instead, more slowly.

A model's data may be shared variables with one dimension each; their values, not their lengths,
can then be changed by ``with_data`` without compiling again.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
import threading
import warnings
from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    import pymc as pm


# 1: the function failed, 3: gradient not finite, 4: log density not finite; as in nutpie.
_LOG_DENSITY = """
def log_density(dim, x_, out_, logp_, user_data_):
    if dim != n_dim:
        return -1
    try:
{words}        value, gradient = inner(carray(x_, (n_dim,)){shared})
        logp_[0] = value.item()
        for i in range(n_dim):
            out_[i] = gradient[i]
            if not isfinite(gradient[i]):
                return 3
        if not isfinite(logp_[0]):
            return 4
    except Exception:
        return 1
    return 0
"""

#: Addresses of shared data: the first words of the record that nutpie hands over.
_WORDS = "        words = carray(user_data_, (n_words,), uint64)\n"

_EXPAND = """
def expand(dim, expanded, x_, out_, user_data_):
    if dim != n_dim or expanded != n_expanded:
        return -1
    try:
{words}        (values,) = inner(carray(x_, (n_dim,)){shared})
        for i in range(n_expanded):
            out_[i] = values[i]
    except Exception:
        return -2
    return 0
"""


#: PyMC and PyTensor change settings of the whole process while they build and compile.
_BUILDING = threading.RLock()


def one_at_a_time[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Let functions that build or compile a model, not sampling, run in one thread at a time."""

    @wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with _BUILDING:
            return function(*args, **kwargs)

    return alone


@one_at_a_time
def import_nutpie() -> ModuleType:
    """Import nutpie without ArviZ, of which it uses converters only, which are not called here.

    What another thread imports meanwhile as ``arviz`` becomes the real one when something of it is
    used.
    """
    if {"nutpie", "arviz"} & sys.modules.keys():
        import nutpie

        return nutpie
    stand_in = ModuleType("arviz")

    def real(name: str) -> Any:
        if sys.modules.get("arviz") is stand_in:
            del sys.modules["arviz"]
        return getattr(import_module("arviz"), name)

    vars(stand_in)["__getattr__"] = real
    sys.modules["arviz"] = stand_in
    try:
        import nutpie
    finally:
        if sys.modules.get("arviz") is stand_in:
            del sys.modules["arviz"]
    return nutpie


@one_at_a_time
def compile_model(model: pm.Model, var_names: list[str]) -> Any:
    """Compile a PyMC model as :func:`nutpie.compile_pymc_model` does; store ``var_names``.

    Raises ValueError for shared data with another number of dimensions than one.
    """
    import_nutpie()
    import pytensor
    from nutpie import compile_pymc

    compiled, options = compile_pymc.compile_pymc_model, {}
    if _as_known():
        with_numba = _calling(
            compile_pymc._compile_pymc_model_numba,
            _make_c_logp_func=_make_c_logp_func,
            _make_c_expand_func=_make_c_expand_func,
        )
        compiled = _calling(compiled, _compile_pymc_model_numba=with_numba)
        options = {"cache": True}
    # Fast mathematics may sum in another order once a function comes from the cache, or on
    # another processor: one digit of rounding, and a chain goes elsewhere. Without, the same seed
    # gives the same draws in every process, and sampling is no slower (measured).
    with pytensor.config.change_flags(numba__fastmath=False):
        return compiled(model, var_names=var_names, **options)


#: Functions of nutpie that the wrappers here replace, by a hash of their source.
_REPLACED = {"_make_c_logp_func": "8540ecc018f613c6", "_make_c_expand_func": "544e9ff7f33d5ada"}


@cache
def _as_known() -> bool:
    """Whether nutpie and PyTensor are as the wrappers need them; warns once if they are not."""
    try:
        changed = _changed()
    except (ImportError, AttributeError, TypeError, OSError) as error:
        changed = str(error)
    if changed:
        warnings.warn(
            f"models are compiled by plain nutpie, more slowly: this release of nutpie or PyTensor "
            f"is not one that intlmodels knows ({changed})",
            RuntimeWarning,
            stacklevel=2,
        )
    return not changed


def _changed() -> str:
    """What is not as the wrappers need it; empty if everything is."""
    from nutpie import compile_pymc
    from pytensor.link.numba import cache as pytensor_cache

    for name, known in _REPLACED.items():
        source = inspect.getsource(getattr(compile_pymc, name))
        if hashlib.sha256(source.encode()).hexdigest()[:16] != known:
            return f"nutpie's {name}"
    calls = {
        "_compile_pymc_model_numba": set(_REPLACED),
        "compile_pymc_model": {"_compile_pymc_model_numba"},
    }
    for name, called in calls.items():
        if not called <= set(getattr(compile_pymc, name).__code__.co_names):
            return f"nutpie's {name}"
    _ = compile_pymc.address_as_void_pointer, pytensor_cache.CACHED_SRC_FUNCTIONS.get
    parameters = inspect.signature(pytensor_cache.compile_numba_function_src).parameters
    if not {"global_env", "cache_key"} <= set(parameters):
        return "PyTensor's compile_numba_function_src"
    return ""


def _calling(function: Any, **others: Any) -> Any:
    """Copy a function so that it calls others of our own; its module stays as it is."""
    found = FunctionType(
        function.__code__, {**function.__globals__, **others}, argdefs=function.__defaults__
    )
    found.__kwdefaults__ = function.__kwdefaults__
    return found


def _make_c_logp_func(
    n_dim: int, logp_fn: Any, user_data: Any, shared_keys: list[str], shared_data: dict[str, Any]
) -> tuple[Any, Any]:
    sizes = {"n_dim": n_dim, "n_words": len(shared_data)}
    shared = _shared(shared_keys, shared_data)
    return _wrapper(_LOG_DENSITY, "log_density", logp_fn, shared, sizes), _signature(1, 3)


def _make_c_expand_func(
    n_dim: int,
    n_expanded: int,
    expand_fn: Any,
    user_data: Any,
    shared_keys: list[str],
    shared_data: dict[str, Any],
) -> tuple[Any, Any]:
    sizes = {"n_dim": n_dim, "n_expanded": n_expanded, "n_words": len(shared_data)}
    shared = _shared(shared_keys, shared_data)
    return _wrapper(_EXPAND, "expand", expand_fn, shared, sizes), _signature(2, 2)


def _signature(numbers: int, pointers: int) -> Any:
    """The C signature of so many sizes, so many arrays, and the record of shared data."""
    from numba import types

    arrays = [types.CPointer(types.double)] * pointers
    return types.int64(*[types.uint64] * numbers, *arrays, types.voidptr)


def _shared(keys: list[str], data: dict[str, Any]) -> str:
    """Arguments of a function that stand for shared data, as source.

    nutpie hands over a record that begins with one address for each shared variable.
    """
    place = list(data)
    for key in keys:
        if data[key].ndim != 1 or data[key].dtype != "float64":
            raise ValueError("shared data must be real numbers in one dimension")
    return "".join(
        f", carray(pointer(words[{place.index(key)}]), ({data[key].size},), float64)"
        for key in keys
    )


def _wrapper(source: str, name: str, inner: Any, shared: str, sizes: dict[str, int]) -> Any:
    import numba
    import numpy as np
    from nutpie.compile_pymc import address_as_void_pointer
    from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS, compile_numba_function_src

    source = source.replace("{words}", _WORDS if shared else "").replace("{shared}", shared)
    # PyTensor's key stands for everything that the inner function is compiled from. Without
    # one, a key that no other process has: compiled anew, and right.
    key = CACHED_SRC_FUNCTIONS.get(inner.py_func) or uuid4().hex
    # The compiled function names its module, which an earlier version may have had elsewhere.
    identity = f"{__name__}{source}{key}{sorted(sizes.items())}"
    return compile_numba_function_src(
        source,
        name,
        global_env={
            "__name__": __name__,
            "inner": inner,
            "carray": numba.carray,
            "isfinite": np.isfinite,
            "pointer": address_as_void_pointer,
            "uint64": np.uint64,
            "float64": np.float64,
            **sizes,
        },
        cache_key=hashlib.sha256(identity.encode()).hexdigest(),
    )
