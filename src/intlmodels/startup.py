"""What a process does first: spare itself the garbage collector, and find caches it can write.

With PyMC imported there are more than a million objects that stay to the end. Looking through
them for cycles again and again, and once more at the end, takes a tenth of a fit.
"""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path

from intlmodels.outputs import probe

#: New objects between two collections; Python's own number is 2000 or less.
NEW_OBJECTS = 10_000


def spare_collection() -> None:
    """Collect garbage rarely in this process, and not at all when it ends."""
    gc.set_threshold(NEW_OBJECTS)
    atexit.register(_spare_the_last)


def _spare_the_last() -> None:
    # The system takes all memory back at once; what has to be closed is closed by its own code.
    # Only DuckDB looks for what is left of it, and tells it at length.
    if "_duckdb" not in sys.modules:
        gc.freeze()


# -- caches ------------------------------------------------------------------------------


def require_caches() -> None:
    """Use temporary caches where a compiler or matplotlib cannot write its own, and say so.

    The environment names them, so that helper processes use the same ones.
    """
    usual = {"pytensor": _pytensor(), "matplotlib": _matplotlib(), "numba": _numba()}
    lost = {
        name: folders[-1]
        for name, folders in usual.items()
        if name not in sys.modules and not any(map(_writable, folders))
    }
    if not lost:
        return
    cache = tempfile.mkdtemp(prefix="intlmodels-cache-")
    atexit.register(shutil.rmtree, cache, ignore_errors=True)
    if "pytensor" in lost:
        flags = os.environ.get("PYTENSOR_FLAGS", "").split(",")
        kept = [flag for flag in flags if flag and "compiledir=" not in flag]
        os.environ["PYTENSOR_FLAGS"] = ",".join([*kept, f"base_compiledir={cache}/pytensor"])
    if "matplotlib" in lost:
        os.environ["MPLCONFIGDIR"] = f"{cache}/matplotlib"
    if "numba" in lost:
        os.environ["NUMBA_CACHE_DIR"] = f"{cache}/numba"
    place = next(iter(lost.values()))
    sys.stderr.write(
        f"the cache {place} cannot be written: a temporary one is used, and everything is "
        "compiled again in every run\n"
    )


def _writable(folder: Path) -> bool:
    try:
        probe(folder)
    except (OSError, ValueError):
        return False
    return True


def _pytensor() -> list[Path]:
    for flag in reversed(os.environ.get("PYTENSOR_FLAGS", "").split(",")):
        name, _, value = flag.partition("=")
        if name.strip() in ("base_compiledir", "compiledir"):
            return [_expanded(value.strip())]
    local = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
    return [Path(local, "PyTensor") if local else _expanded("~/.pytensor")]


def _matplotlib() -> list[Path]:
    if os.environ.get("MPLCONFIGDIR"):
        return [_expanded(os.environ["MPLCONFIGDIR"])]
    if sys.platform.startswith(("linux", "freebsd")):
        return [_expanded(os.environ.get("XDG_CONFIG_HOME") or "~/.config") / "matplotlib"]
    return [_expanded("~/.matplotlib")]


def _numba() -> list[Path]:
    """Beside our code, or else below the home folder; numba tries both."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        return [_expanded(os.environ["NUMBA_CACHE_DIR"])]
    shared = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return [Path(__file__).parent / "share" / "__pycache__", _expanded(shared) / "numba"]


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # there is no home folder
        return Path(text)
