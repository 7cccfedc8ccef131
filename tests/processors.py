"""The same code compiled and run as on other processors: numba is told another one than ours."""

import os
import platform
import subprocess
import sys

import pytest
from numpy._core import _multiarray_umath as umath

#: Name and features of processors whose code a newer one can run too.
TARGETS = {
    "without vector extensions": ("generic", ""),
    "AVX2": ("haswell", "+avx2,+fma,-avx512f"),
    "AVX-512": ("skylake-avx512", "+avx512f,+avx512vl,+avx512dq,+fma"),
}


#: What keeps NumPy and OpenBLAS from using AVX-512.
NARROW = {
    "NPY_DISABLE_CPU_FEATURES": " ".join(
        name for name in umath.__cpu_dispatch__ if name.startswith(("AVX512", "X86_V4"))
    ),
    "OPENBLAS_CORETYPE": "Haswell",
}

#: Prints the bits of a few draws of each parameter, but not of what NumPy computes from them.
FITS = """
import hashlib, sys
from intlmodels.fitting.fit import fit
from intlmodels.core.settings import Settings
from intlmodels.models import catalogue
from intlmodels.studies import load_study

study = load_study(sys.argv[1])
for variant in sys.argv[2:] or catalogue(study):
    posterior = fit(study, variant, settings=Settings(draws=10, tune=20, chains=2))["posterior"]
    for name in sorted(set(posterior.data_vars) - {"mu", "eta", "cutpoints"}):
        bits = posterior[name].to_numpy().tobytes()
        print(variant, name, hashlib.sha256(bits).hexdigest())
"""


def needs(target: str) -> None:
    """Skip a test if this processor cannot run the target's code."""
    wanted = {"AVX2": ("AVX2", "FMA3"), "AVX-512": ("AVX512_SKX", "FMA3")}.get(target, ())
    able = platform.machine().lower() in ("x86_64", "amd64")
    if not (able and all(umath.__cpu_features__[name] for name in wanted)):
        pytest.skip(f"this processor cannot run code for {target}")


def output(code: str, target: str | None = None, *arguments: str, **environment: str) -> str:
    """What Python code prints in a process that compiles for a target, or for this processor."""
    env = dict(os.environ)
    if target is not None:
        env["NUMBA_CPU_NAME"], env["NUMBA_CPU_FEATURES"] = TARGETS[target]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**env, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
