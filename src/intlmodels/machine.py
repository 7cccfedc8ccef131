"""What of a computer can change the last digit of a result, and with it every draw of a chain.

The width of its vectors does not: the package's own code, PyTensor's and nutpie's give the same
bits with AVX2 and AVX-512. Whether multiplications and additions are fused does, since the C
library then computes exp and log in another way; so do the C library itself, and Intel's vector
mathematics, which numba uses where it is installed. Registers are the exception: their densities
factorize matrices by LAPACK, whose last digits follow the width of the vectors as well.
"""

from __future__ import annotations

import platform
from functools import cache


@cache
def kind() -> str:
    """Kind of this computer; two of one kind give the same draws, but not of a register.

    Returns
    -------
    str
        For example ``x86-64 with AVX2 and FMA, Linux, glibc 2.36``.
    """
    import llvmlite.binding as llvm
    from numba import config

    processor = platform.machine().lower()
    if processor in ("amd64", "x86_64"):
        features = llvm.get_host_cpu_features()
        fused = features.get("avx2") and features.get("fma")
        processor = f"x86-64 {'with' if fused else 'without'} AVX2 and FMA"
    parts = [processor, platform.system(), " ".join(platform.libc_ver()).strip()]
    return ", ".join([part for part in parts if part] + ["SVML"] * bool(config.USING_SVML))
