"""Version numbers of what is stored, releases of libraries, and the kind of machine.

What is stored is current as long as its data, priors, settings, library releases and the numbers
here are. Source text does not count: raise a number by hand when the same input gives another
result. ``tests/test_golden.py`` fails when a result changed and its number did not.

The kind of machine is what may change last digits: whether multiplications and additions are fused,
the C library, Intel's vector mathematics; of registers, by LAPACK, also the width of vectors.
"""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version

#: Draws and everything stored beside them, by model: design, priors, density, sampler.
MODEL_VERSION = {"share": 1, "register": 1, "decay": 3, "sequences": 1}
#: What is computed from the draws: estimands and the gate.
ESTIMANDS_VERSION = {"share": 2, "register": 1, "decay": 1, "sequences": 1}
#: Calibration, leave-one-out and sensitivity: simulators, ranks, predictions and refits.
CHECKS_VERSION = {"share": 1, "decay": 1}
#: Reports: their text, tables and figures.
REPORT_VERSION = 12
#: Counts of registers, and what the solver found about published counts.
COUNTS_VERSION = 1


@cache
def release_series(packages: tuple[str, ...]) -> dict[str, str]:
    """Release series of packages, such as ``{"numpy": "2.5"}``: patches keep what is stored."""
    return {name: ".".join(version(name).split(".")[:2]) for name in packages}


@cache
def kind() -> str:
    """Kind of this computer, such as ``x86-64 with AVX2 and FMA, Linux, glibc 2.36``."""
    import llvmlite.binding as llvm
    from numba import config

    processor = platform.machine().lower()
    if processor in ("amd64", "x86_64"):
        features = llvm.get_host_cpu_features()
        fused = features.get("avx2") and features.get("fma")
        processor = f"x86-64 {'with' if fused else 'without'} AVX2 and FMA"
    parts = [processor, platform.system(), " ".join(platform.libc_ver()).strip()]
    return ", ".join([part for part in parts if part] + ["SVML"] * bool(config.USING_SVML))
