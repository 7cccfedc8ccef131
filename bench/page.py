"""``reports/bench.md``, from what was measured."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from bench import commands, firstrun, fits, machine, norway, refits, rows
from bench.context import read_json
from bench.table import Target, table

#: Section -> its module; effective draws are those of the fits of (a).
MODULES: dict[str, ModuleType] = {
    "a": fits,
    "b": fits,
    "c": refits,
    "d": commands,
    "e": rows,
    "f": norway,
    "g": firstrun,
}
FIGURE = "bench-rows.svg"


def page(kept: Path) -> str:
    """The report of all sections that are there."""
    results = {name: read_json(kept / f"{name}.json") for name in MODULES if name != "b"}
    lines = ["# Speed", "", *_head(results), *_targets(results)]
    for name, module in MODULES.items():
        result = results["a" if name == "b" else name]
        if "found" in result:
            lines += (fits.told_draws if name == "b" else module.told)(result["found"])
            if name == "e":
                lines += [f"![Time against the number of rows]({FIGURE})", ""]
        elif name != "b":
            why = result.get("failed", "not measured yet")
            lines += [f"## ({name})", "", f"Not measured: {why}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _head(results: dict[str, dict[str, Any]]) -> list[str]:
    """How it was measured, on what; sections of another run say so."""
    there = {name: result for name, result in results.items() if result}
    lines = [
        'Written by `make bench`, which measures it again; `SECTIONS="a d"` only some of it, '
        "`ROWS=1e7` with no larger register. Whole processes by the clock, what is compared takes "
        "turns; medians, with the range of all runs in brackets.",
        "",
    ]
    seen: dict[str, list[str]] = {}
    for name, result in there.items():
        text = "\n".join(machine.told(result["machine"], result["when"]))
        seen.setdefault(text, []).append("(a), (b)" if name == "a" else f"({name})")
    for text, names in seen.items():
        lines += ([f"{', '.join(names)}:", ""] if len(seen) > 1 else []) + text.split("\n")
    return lines


def _targets(results: dict[str, dict[str, Any]]) -> list[str]:
    found: list[Target] = []
    for name, result in results.items():
        if "found" in result:
            found += MODULES[name].targets(result["found"])
    rows = [[target.text, target.found or "-", target.verdict] for target in found]
    return ["## Targets", "", *table(["target", "measured", ""], rows)]
