"""Version numbers of what is stored, and the library releases behind it.

What is stored is current as long as its data, priors, settings, library releases and the numbers
here are. Source text does not count: raise a number by hand when the same input gives another
result. ``tests/test_golden.py`` fails when a result changed and its number did not.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

#: Draws and everything stored beside them, by model: design, priors, density, sampler.
MODEL_VERSION = {"share": 1, "register": 1, "decay": 1, "sequences": 1}
#: What is computed from the draws: estimands and the gate.
ESTIMANDS_VERSION = {"share": 1, "register": 1, "decay": 1, "sequences": 1}
#: Calibration, leave-one-out and sensitivity: simulators, ranks, predictions and refits.
CHECKS_VERSION = {"share": 1, "decay": 1}
#: Reports: their text, tables and figures.
REPORT_VERSION = 1
#: Counts of registers, and what the solver found about published counts.
COUNTS_VERSION = 1


@cache
def release_series(packages: tuple[str, ...]) -> dict[str, str]:
    """Installed release series of packages, such as ``{"numpy": "2.5"}``.

    A patch release keeps what is stored; results are expected to change between series only.
    """
    return {name: ".".join(version(name).split(".")[:2]) for name in packages}
