"""What is compiled for nutpie is the model's own log density."""

import ctypes
import gc
import locale
import logging
import multiprocessing
import os
import random
import signal
import sys
import warnings

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from pytensor.tensor.linalg import cholesky, solve_triangular

import processors
from intlmodels.core import versions
from intlmodels.core.settings import Settings
from intlmodels.fitting.fit import fit
from intlmodels.models import compilation
from intlmodels.models.compilation import compile_model, import_nutpie
from intlmodels.studies import load_study

#: Fits in several threads of a new process, then one after the other.
IN_THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from intlmodels.fitting.fit import fit
from intlmodels.core.settings import Settings
from intlmodels.studies import load_study

fits = [("rochester", "default"), ("rochester", "default"), ("rochester", "density")]
fits += [("norway", "default"), ("norway", "default")]

def drawn(study, variant):
    return fit(load_study(study), variant, settings=Settings(draws=10, tune=20, chains=2))

with ThreadPoolExecutor(len(fits)) as pool:
    together = list(pool.map(drawn, *zip(*fits)))
for one, other in zip(together, (drawn(*each) for each in fits)):
    for group in ("posterior", "prior", "log_likelihood"):
        assert one[group].to_dataset().identical(other[group].to_dataset())
assert "arviz" not in sys.modules
"""

#: Fits in a running event loop, in a thread of it, and in a process that was forked off.
ELSEWHERE = """
import asyncio, multiprocessing
from intlmodels.fitting.fit import fit
from intlmodels.core.settings import Settings
from intlmodels.studies import load_study

def drawn(name):
    found = fit(load_study(name), settings=Settings(draws=10, tune=20, chains=2))
    return found["posterior"].to_dataset().load()

async def main():
    return drawn(name), await asyncio.to_thread(drawn, name)

for name in ("rochester", "norway"):
    here, there = asyncio.run(main())
    assert here.identical(there)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert here.identical(pool.apply_async(drawn, [name]).get(60))
"""

#: An interrupt at the keyboard ends the fit of the first thread, and no other.
INTERRUPTED = """
import signal, threading
from intlmodels.fitting.fit import fit
from intlmodels.core.settings import Settings
from intlmodels.studies import load_study

study, usual, found = load_study("rochester"), Settings(draws=10, tune=20, chains=2), []
fit(study, settings=usual)
for other in ("rochester", "norway"):
    begun = threading.Event()

    def progress(part):
        if part > 0 and not begun.is_set():
            begun.set()
            threading.Thread(target=work).start()
            threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()

    def work():
        found.append(fit(study, settings=usual)["posterior"].to_dataset())

    try:
        fit(load_study(other), settings=Settings(draws=10**5, tune=20, chains=2), progress=progress)
    except KeyboardInterrupt:
        found.append(fit(study, settings=usual)["posterior"].to_dataset())
        print("interrupted")
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
assert len(found) == 4 and all(one.identical(found[0]) for one in found)
"""


@pytest.mark.slow
def test_an_interrupt_ends_one_fit_and_leaves_the_others():
    assert processors.output(INTERRUPTED).split() == ["interrupted"] * 2


@pytest.mark.slow
def test_fits_in_several_threads_are_those_of_one_after_the_other():
    processors.output(IN_THREADS)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="processes are not forked there")
def test_fits_in_an_event_loop_and_after_a_fork_are_the_same():
    processors.output(ELSEWHERE)


@pytest.mark.slow
@pytest.mark.parametrize("study", ["rochester", "norway"])
def test_draws_are_the_same_on_a_processor_with_narrower_vectors(study):
    target = "without vector extensions"
    processors.needs("AVX2")
    there = processors.output(processors.FITS, target, study, "default", **processors.NARROW)
    assert there == processors.output(processors.FITS, None, study, "default")


@pytest.mark.slow
@pytest.mark.parametrize("target", processors.TARGETS)
@pytest.mark.parametrize("study", ["rochester", "norway"])
def test_draws_of_every_variant_are_the_same_on_every_processor(study, target):
    processors.needs(target)
    there = processors.output(processors.FITS, target, study, **processors.NARROW)
    assert there == processors.output(processors.FITS, None, study)


def test_a_fit_leaves_the_process_as_it_is():
    """Whatever importing others for the first time has changed has been changed before."""

    def state():
        flags = ("mode", "cxx", "numba__fastmath", "optdb__max_use_ratio", "warn_float64")
        return (
            list(warnings.filters),
            [getattr(pytensor.config, flag) for flag in flags],
            (compile_pymc._make_c_logp_func, compile_pymc._make_c_expand_func),
            np.random.get_state()[1:3],  # noqa: NPY002
            (np.geterr(), random.getstate(), gc.get_threshold(), locale.setlocale(locale.LC_ALL)),
            [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
            (dict(os.environ), multiprocessing.get_start_method(allow_none=True)),
            sys.modules.get("arviz"),
            [logging.getLogger(name).level for name in ("", "pymc", "pytensor", "numba")],
        )

    settings = Settings(draws=4, tune=4, chains=2)
    studies = [load_study(name) for name in ("rochester", "norway")]
    assert fit(studies[0], settings=settings).attrs["machine"] == versions.kind()
    from nutpie import compile_pymc

    before = state()
    for study in studies:
        fit(study, settings=settings)
    np.testing.assert_equal(state(), before)


def test_arviz_is_the_real_one_whoever_imports_it_meanwhile():
    code = """
import builtins, sys
from intlmodels.models.compilation import import_nutpie

theirs, usual = [], builtins.__import__

def watched(name, *others):
    if name == "arviz" and not theirs:
        theirs.append(usual(name))  # as another thread would
    return usual(name, *others)

builtins.__import__ = watched
import_nutpie()
assert "arviz" not in sys.modules
assert theirs[0].from_dict and theirs[0].plot_trace and theirs[0].__path__
import arviz
assert theirs[0].plot_trace is arviz.plot_trace
"""
    processors.output(code)


def test_sampling_a_known_law_gives_it_back():
    """A Normal with known mean and spread, through the compiled wrappers."""
    with pm.Model() as model:
        pm.Normal("x", 3, 2)
        pm.HalfNormal("s", 1)
    compiled = compile_model(model, ["x", "s"])
    draws = import_nutpie().sample(
        compiled, draws=2000, tune=500, chains=2, seed=1, progress_bar=False, save_warmup=False
    )["posterior"]
    x, s = (draws[name].to_numpy().ravel() for name in ("x", "s"))
    # 4000 draws, at least a quarter of them effective
    assert abs(x.mean() - 3) < 5 * 2 / np.sqrt(1000)
    assert abs((x < 3 - 2 * 1.2816).mean() - 0.1) < 5 * np.sqrt(0.09 / 1000)
    assert (s > 0).all()
    assert abs((s**2).mean() - 1) < 5 * np.sqrt(2 / 1000)


@pytest.mark.parametrize("changed", ["another source", "no longer called"])
def test_plain_nutpie_compiles_where_what_is_replaced_has_changed(changed, monkeypatch):
    from nutpie import compile_pymc

    usual = compile_pymc._make_c_logp_func
    if changed == "another source":
        monkeypatch.setattr(compile_pymc, "_make_c_logp_func", lambda *given: usual(*given))
    else:
        whole = compile_pymc.compile_pymc_model
        monkeypatch.setattr(
            compile_pymc, "compile_pymc_model", lambda model, **given: whole(model, **given)
        )
    compilation._as_known.cache_clear()
    with pm.Model() as model:
        pm.Normal("x", 3, 2)
    with pytest.warns(RuntimeWarning, match="compiled by plain nutpie") as told:
        compiled = [compile_model(model, ["x"]) for _ in range(2)]
    assert len([one for one in told if "plain nutpie" in str(one.message)]) == 1
    settings = {"draws": 200, "tune": 200, "chains": 2, "seed": 1}
    draws = import_nutpie().sample(compiled[1], **settings, progress_bar=False, save_warmup=False)
    assert abs(draws["posterior"]["x"].to_numpy().mean() - 3) < 1
    compilation._as_known.cache_clear()


def test_the_installed_nutpie_is_one_that_is_known():
    import_nutpie()
    assert compilation._changed() == ""


def evaluated(compiled, point):
    """Log density and gradient as nutpie has them."""
    pointer = ctypes.POINTER(ctypes.c_double)
    gradient, value = np.empty(len(point)), np.empty(1)
    code = compiled.compiled_logp_func.ctypes(
        len(point),
        *(array.ctypes.data_as(pointer) for array in (point, gradient, value)),
        compiled.user_data.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)),
    )
    return code, np.append(value, gradient)


def by_pytensor(model):
    """The same from PyTensor's Python mode, a function of points."""
    values, start = model.value_vars, model.initial_point()
    gradients = pt.grad(model.logp(), values)
    outputs = [model.logp(), *(gradient.ravel() for gradient in gradients)]
    function = pytensor.function(values, outputs, mode=Mode(linker="py", optimizer=None))
    shapes = [np.shape(start[value.name]) for value in values]
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])[:-1]

    def of(point):
        parts = [own.reshape(n) for own, n in zip(np.split(point, ends), shapes, strict=True)]
        return np.concatenate([np.atleast_1d(part) for part in function(*parts)])

    return of


def everything():
    """A model with all kinds of operations."""
    rng = np.random.default_rng(2)
    with pm.Model() as model:
        scale = pm.Data("scale", 1.5)
        design = pm.Data("design", rng.normal(size=(6, 3)))
        b = pm.Normal("b", 0, scale, shape=3)
        p = pm.Dirichlet("p", np.ones(4))
        t = pm.StudentT("t", nu=4.0, mu=0.0, sigma=1.0, shape=(2, 3))
        u = pm.Beta("u", 2.0, pm.math.exp(b[0]))
        v = pm.TruncatedNormal("v", 0.0, 1.0, lower=-1.0, upper=2.0)
        matrix = pt.eye(3) * 4 + pt.outer(b, b) + (t.T @ t)
        factor = cholesky(matrix)
        terms = [
            (design @ b).sum() * u,
            pt.cumsum(t, axis=1)[:, ::2].sum() * t.min(),
            pt.logsumexp(t, axis=0).max(),
            pt.min(pt.switch(t > 0.1, t, pt.log1p(t**2)), axis=1).sum(),
            pt.erf(b).sum() + pt.softplus(-b).sum() + pt.tanh(v) + abs(b[1]),
            pt.gammaln(1 + pt.exp(b)).sum(),  # its gradient is SciPy's psi
            pt.log(pt.diag(factor)).sum() + solve_triangular(factor, b, lower=True, b_ndim=1)[1],
            pt.concatenate([b, p])[np.array([0, 3, 3, 5])].sum() ** 2,
            pt.set_subtensor(pt.zeros((2, 3))[:, 1], t[:, 0] * v).sum() + pt.mod(b[2], 0.7),
            (t[:, :, None] * b * p[:, None, None, None]).sum(),
            pt.clip(t, -0.4, 0.5).sum() + pt.maximum(b, 0.1).sum() + pt.sqrt(u) / (1 + u),
        ]
        pm.Potential("all", sum(terms))
    return model


def test_instructions_give_the_log_density_and_its_gradient():
    model = everything()
    compiled = compile_model(model, ["b"])
    assert any((variable.name or "").startswith("program") for variable in compiled.shared_var_keys)
    expected, rng = by_pytensor(model), np.random.default_rng(1)
    for _ in range(20):
        point = rng.normal(size=compiled.n_dim) / 2
        code, found = evaluated(compiled, point)
        assert code == 0
        np.testing.assert_allclose(found, expected(point), rtol=1e-9, atol=1e-11)
    other = {"scale": 0.3, "design": rng.normal(size=(6, 3))}
    model.set_data("scale", other["scale"])
    model.set_data("design", other["design"])
    changed = evaluated(compiled.with_data(**other), point)[1]
    np.testing.assert_allclose(changed, expected(point), rtol=1e-9, atol=1e-11)
    assert not np.allclose(found, changed)


def test_results_are_copied_while_their_memory_lives():
    """Of many parameters: memory of this size is given back to the system when it is freed."""
    with pm.Model() as model:
        x = pm.Normal("x", 0, 1, shape=200_000)
        pm.Potential("bend", pt.exp(x).sum())
    compiled = compile_model(model, ["x"])
    at = np.random.default_rng(4).normal(size=200_000)
    code, found = evaluated(compiled, at)
    assert code == 0
    value = (np.exp(at) - at**2 / 2 - np.log(2 * np.pi) / 2).sum()
    np.testing.assert_allclose(found, np.append(value, np.exp(at) - at), rtol=1e-9, atol=1e-9)


def test_what_is_no_number_is_told_to_the_sampler():
    with pm.Model() as model:
        x = pm.Flat("x", shape=2)
        pm.Potential("log", pt.log(x).sum())
    compiled = compile_model(model, ["x"])
    codes = [evaluated(compiled, np.array(at))[0] for at in ([1.0, 2.0], [1.0, 0.0], [1.0, -1.0])]
    assert codes == [0, 3, 4]


@pytest.mark.slow
def test_a_graph_without_instructions_is_compiled_by_nutpie():
    with pm.Model() as model:
        x = pm.Normal("x", 0, 1, shape=(3, 3))
        pm.Potential("det", pt.linalg.slogdet(pt.eye(3) * 9 + x @ x.T)[1])
    compiled = compile_model(model, ["x"])
    assert not compiled.shared_var_keys
    point = np.linspace(-1, 1, 9)
    found = evaluated(compiled, point)[1]
    np.testing.assert_allclose(found, by_pytensor(model)(point), rtol=1e-9, atol=1e-11)
