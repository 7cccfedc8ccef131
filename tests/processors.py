"""The same code compiled and run as on other processors: numba is told another one than ours."""

import os
import platform
import subprocess
import sys

import pytest

#: Name and features of processors whose code a newer one can run too.
TARGETS = {
    "without vector extensions": ("generic", ""),
    "AVX2": ("haswell", "+avx2,+fma,-avx512f"),
    "AVX-512": ("skylake-avx512", "+avx512f,+avx512vl,+avx512dq,+fma"),
}


def needs(target: str) -> None:
    """Skip a test if this processor cannot run the target's code."""
    from numpy._core._multiarray_umath import __cpu_features__ as has

    wanted = {"AVX2": ("AVX2", "FMA3"), "AVX-512": ("AVX512_SKX", "FMA3")}.get(target, ())
    if platform.machine().lower() not in ("x86_64", "amd64") or not all(has[w] for w in wanted):
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
