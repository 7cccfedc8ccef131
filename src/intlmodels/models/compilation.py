"""Compiling a PyMC model for nutpie, without compiling.

PyTensor simplifies the graph of the log density and differentiates it, as it does for nutpie. What
comes out becomes instructions (:mod:`intlmodels.models.instructions`) for a function that is
compiled once for all models (:mod:`intlmodels.models.interpreter`), in place of code that numba
compiles for each graph in 5 to 30 s. The result is an ordinary nutpie model, and draws the same
numbers. Where a graph has an operation without instructions, or a release of nutpie is another than
the known one, plain nutpie compiles instead.

The values, not the lengths, of a model's shared data can be changed by ``with_data``.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache, wraps
from importlib import import_module
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    import pymc as pm


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
    """Compile a PyMC model as :func:`nutpie.compile_pymc_model` does; store ``var_names``."""
    import_nutpie()
    import pytensor
    from nutpie import compile_pymc

    from intlmodels.models.instructions import Unknown

    plain = compile_pymc.compile_pymc_model
    # Fast mathematics may sum in another order once a function comes from the cache, or on
    # another processor: one digit of rounding, and a chain goes elsewhere. Without a compiler of C
    # PyTensor builds no machine for the starting point, which does not use it.
    with pytensor.config.change_flags(numba__fastmath=False, cxx=""):
        if _as_known():
            with suppress(Unknown):
                return _calling(plain, _compile_pymc_model_numba=_interpreted)(
                    model, var_names=var_names
                )
        return plain(model, var_names=var_names)


def _interpreted(
    model: pm.Model, pymc_initial_point_fn: Callable[..., Any], var_names: list[str]
) -> Any:
    """In place of nutpie's function of numba; raises Unknown."""
    import numpy as np
    import pytensor.tensor as pt
    from nutpie import compile_pymc

    from intlmodels.models.instructions import mode, program_of
    from intlmodels.models.interpreter import functions

    size, n_expanded, density, expand, initial, shapes, reparameterized = (
        compile_pymc._make_functions(
            model,
            mode=mode(),
            compute_grad=True,
            join_expanded=True,
            pymc_initial_point_fn=pymc_initial_point_fn,
            var_names=var_names,
        )
    )
    shared = list(dict.fromkeys([*density.get_shared(), *expand.get_shared()]))
    # The interpreter finds its programs where nutpie keeps addresses of shared data, before these.
    logp, expanded, run = functions()
    arrays = [*program_of(density, shared), *program_of(expand, shared), np.array([run.address])]
    arrays += [np.array(own.get_value(), dtype=float, order="C") for own in shared]
    variables = [*(pt.vector(f"program {k}") for k in range(5)), *shared]
    keys = {variable: uuid4().hex for variable in variables}
    data = dict(zip(keys.values(), arrays, strict=True))
    for values in arrays:
        values.flags.writeable = False
    dims, coords = compile_pymc._prepare_dims_and_coords(model, shapes, reparameterized)
    return compile_pymc.CompiledPyMCModel(
        _n_dim=size,
        dims=dims,
        _coords=coords,
        _shapes={name: tuple(own) for name, _, own in zip(*shapes, strict=True)},
        compiled_logp_func=logp,
        compiled_expand_func=expanded,
        initial_point_func=initial,
        shared_data=data,
        shared_var_keys=keys,
        user_data=compile_pymc.make_user_data(keys, data),
        n_expanded=n_expanded,
        shape_info=shapes,
        logp_func=density,
        expand_func=expand,
        reparameterized_names=reparameterized,
    )


#: Functions of nutpie that are stood in for, by a hash of their source.
_REPLACED = {
    "_compile_pymc_model_numba": "89222a7ba1f2efba",
    "_make_c_logp_func": "8540ecc018f613c6",
    "_make_c_expand_func": "544e9ff7f33d5ada",
}


@cache
def _as_known() -> bool:
    """Whether nutpie is as the interpreter needs it; warns once if it is not."""
    changed = _changed()
    if changed:
        warnings.warn(
            "models are compiled by plain nutpie, more slowly: this release of nutpie is not one "
            f"that intlmodels knows ({changed})",
            RuntimeWarning,
            stacklevel=2,
        )
    return not changed


def _changed() -> str:
    """What is not as the interpreter needs it; empty if everything is."""
    from nutpie import compile_pymc

    for name, known in _REPLACED.items():
        source = inspect.getsource(getattr(compile_pymc, name))
        if hashlib.sha256(source.encode()).hexdigest()[:16] != known:
            return f"nutpie's {name}"
    if "_compile_pymc_model_numba" not in compile_pymc.compile_pymc_model.__code__.co_names:
        return "nutpie's compile_pymc_model"
    return ""


def _calling(function: Any, **others: Any) -> Any:
    """Copy a function so that it calls others of our own; its module stays as it is."""
    found = FunctionType(
        function.__code__, {**function.__globals__, **others}, argdefs=function.__defaults__
    )
    found.__kwdefaults__ = function.__kwdefaults__
    return found
