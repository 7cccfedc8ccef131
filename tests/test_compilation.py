"""What is compiled for nutpie is the model's own log density."""

import sys

import numpy as np
import pymc as pm
import pytest

from intlmodels.compilation import compile_model, import_nutpie
from intlmodels.models.share import build
from intlmodels.study import load_study


def test_the_wrappers_are_put_back():
    import_nutpie()
    from nutpie import compile_pymc

    before = compile_pymc._make_c_logp_func, compile_pymc._make_c_expand_func
    compile_model(build(load_study("rochester")), ["phi"])
    assert (compile_pymc._make_c_logp_func, compile_pymc._make_c_expand_func) == before


def test_nutpie_does_not_leave_a_stand_in_for_arviz():
    import_nutpie()
    assert getattr(sys.modules.get("arviz"), "__name__", "arviz") == "arviz"


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


def test_shared_data_are_refused():
    with pm.Model() as model:
        pm.Normal("x", pm.Data("d", 1.0), 1)
    with pytest.raises(ValueError, match="shared data"):
        compile_model(model, ["x"])
