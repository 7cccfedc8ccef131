"""(g): `make fit` in a clean clone, against the commit before it was made faster."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from bench.context import ROOT, Bench, fields
from bench.measure import FailedError
from bench.summary import of, ratio
from bench.table import Target, table

#: The last commit before compiled parts were shared and reports became cheaper.
BEFORE = "4c24866"
COMMITS = {"before": BEFORE, "now": "HEAD"}
RUNS = 2
#: Seconds in which it has to be done, on a machine that is busy with other things.
LIMIT = 3600.0


def measure(bench: Bench) -> dict[str, Any]:
    """Both in turn, set-up included, with empty caches."""
    found: dict[str, Any] = {name: [] for name in COMMITS}
    for number in range(bench.times(RUNS)):
        for name in COMMITS:
            found[name].append(bench.once(f"g {name} {number + 1}", _first(bench, COMMITS[name])))
    return found


def _first(bench: Bench, commit: str) -> Callable[[], Any]:
    def measured() -> Any:
        folder = bench.new("clone")
        for command in (["clone", "--quiet", ROOT, folder], ["checkout", "--quiet", commit]):
            place = ROOT if command[0] == "clone" else folder
            done = subprocess.run(["git", *command], cwd=place, capture_output=True, text=True)
            if done.returncode:
                raise FailedError(f"git {command[0]} of {commit}: {done.stderr.strip()}")
        return fields(bench.process(["make", "fit"], "cold", folder=folder, limit=LIMIT))

    return measured


def targets(found: dict[str, Any]) -> list[Target]:
    """Half of the time."""
    lines = []
    for key, measured in (("wall", "by the clock"), ("cpu", "CPU")):
        text = f"`make fit` from a clean clone at most half of commit {BEFORE}, {measured}"
        result = ratio(*([run[key] for run in found[name]] for name in ("now", "before")))
        lines.append(Target(text, result.text(), result.median <= 0.5))
    return lines


def told(found: dict[str, Any]) -> list[str]:
    """Section (g)."""
    rows = [
        [name, of(runs, "wall").text("s"), of(runs, "cpu").text("s")]
        for name, runs in found.items()
    ]
    return [
        "## (g) The first run",
        "",
        f"`make fit` in a clean clone with empty caches, in turn with that of commit {BEFORE}: a "
        "new virtual environment and its packages, both studies in all variants, the third study, "
        "reports.",
        "",
        *table(["commit", "wall", "user and system"], rows),
    ]
