"""Which of the other packages are here, in which version."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version

#: What the numbers depend on most.
PACKAGES = ("pymc", "pytensor", "nutpie", "numba", "numpy", "arviz-stats", "duckdb")
PEERS = ("bambi", "simuk")


def versions(names: tuple[str, ...]) -> dict[str, str | None]:
    """Versions of Python packages; None for one that is not installed."""
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


@cache
def brms() -> str | None:
    """Versions of brms, its back end and R; None where one of them is missing."""
    if shutil.which("Rscript") is None:
        return None
    asked = (
        'cat(sprintf("%s with rstan %s, R %s", packageVersion("brms"), packageVersion("rstan"), '
        "getRversion()))"
    )
    done = subprocess.run(["Rscript", "-e", asked], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
