"""What is compiled for nutpie is the model's own log density."""

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
import pytest

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


@pytest.mark.parametrize("changed", ["another source", "absent", "no longer called"])
def test_plain_nutpie_compiles_where_what_is_replaced_has_changed(changed, monkeypatch):
    from nutpie import compile_pymc

    usual = compile_pymc._make_c_logp_func
    if changed == "another source":
        monkeypatch.setattr(compile_pymc, "_make_c_logp_func", lambda *given: usual(*given))
    elif changed == "absent":
        monkeypatch.delattr("pytensor.link.numba.cache.compile_numba_function_src")
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


def test_shared_data_are_refused():
    with pm.Model() as model:
        pm.Normal("x", pm.Data("d", 1.0), 1)
    with pytest.raises(ValueError, match="shared data"):
        compile_model(model, ["x"])
