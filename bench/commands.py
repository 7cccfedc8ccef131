"""(d): what a user waits for when there is nothing to sample."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from bench.context import COMMAND, ROOT, Bench, fields
from bench.summary import of
from bench.table import Target, table

WHAT = {
    "help": "`intlmodels --help`",
    "fit-help": "`intlmodels fit --help`",
    "make fit": "`make fit`, unchanged: both studies, all variants",
    "fit": "`intlmodels fit rochester`, unchanged",
    "report": "`intlmodels report rochester`: the report alone, default fit",
}
RUNS = 5


def measure(bench: Bench) -> dict[str, Any]:
    """All of them in turn, after fits that are not timed."""
    out = bench.work / "unchanged"
    commands = {
        "help": [COMMAND, "--help"],
        "fit-help": [COMMAND, "fit", "--help"],
        "make fit": [os.environ.get("MAKE", "make"), "fit"],
        "fit": [COMMAND, "fit", "rochester", "--out", out],
        "report": [COMMAND, "report", "rochester", "--out", out],
    }

    def once(name: str) -> Callable[[], Any]:
        # 1: stored, and marked as a fit that did not pass the gate.
        accept = (0, 1) if name == "fit" else (0,)
        return lambda: fields(bench.process(commands[name], folder=ROOT, accept=accept))

    for name in ("make fit", "fit", "report"):
        bench.once(f"d {name}, once before", once(name))
    found: dict[str, Any] = {name: [] for name in WHAT}
    for number in range(bench.times(RUNS)):
        for name in WHAT:
            found[name].append(bench.once(f"d {name} {number + 1}", once(name)))
    return found


def targets(found: dict[str, Any]) -> list[Target]:
    """An unchanged ``make fit``."""
    result = of(found["make fit"], "wall")
    return [Target("unchanged `make fit` under 2 s", result.text("s"), result.median < 2)]


def told(found: dict[str, Any]) -> list[str]:
    """Section (d)."""
    rows = [
        [what, of(found[name], "wall").text("s"), of(found[name], "cpu").text("s")]
        for name, what in WHAT.items()
    ]
    return [
        "## (d) When there is nothing to sample",
        "",
        f"{len(found['help'])} runs each, taken in turn, full caches.",
        "",
        *table(["median (range)", "wall", "user and system"], rows),
    ]
