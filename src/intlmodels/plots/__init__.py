"""Pictures of a study and of its fits; notebooks find them here by name.

They are in :mod:`intlmodels.plots.public`, imported when one is first used: what draws a single
picture need not wait for the others.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from intlmodels.plots.public import *  # noqa: F403

_MODULES = {module.name for module in iter_modules(__path__)}  # noqa: F405


def __getattr__(name: str) -> Any:
    if name in _MODULES or (name.startswith("_") and name != "__all__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("intlmodels.plots.public"), name)


def __dir__() -> list[str]:
    # Pictures only; svg, which writes one, is found by name.
    return sorted({*import_module("intlmodels.plots.public").__all__} - {"svg"})
