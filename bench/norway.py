"""(f): the decay model of counts against the number of firms and decisions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.context import COMMAND, CORES, Bench, fields
from bench.decisions import write
from bench.draws import slowest
from bench.summary import of, summary
from bench.table import Target, table

#: Firms and decisions; the second is the size of the Norwegian study.
SIZES = ((6, 20), (12, 41), (24, 80), (48, 160))
RUNS = 2
#: From so many firms on one run has to do.
SLOW = 48
#: What every decay parameter has to reach there, in effective draws per second of sampling.
RATE = 100


def measure(bench: Bench) -> dict[str, Any]:
    """The built-in study and made-up ones, in turn: audit and fit."""
    studies = {f"{firms} / {decisions}": (firms, decisions) for firms, decisions in SIZES}
    todo = {"Norway (12 / 41)": None, **studies}
    bench.once("f fit norway, to fill the caches", _fit(bench, None, 0))
    found: dict[str, Any] = {name: {"audit": [], "fit": []} for name in todo}
    for number in range(bench.times(RUNS)):
        for name, size in todo.items():
            if size and size[0] >= SLOW and number:
                continue
            key = f"f {name}, {{}} {number + 1}"
            found[name]["audit"].append(bench.once(key.format("audit"), _audit(bench, size)))
            found[name]["fit"].append(bench.once(key.format("fit"), _fit(bench, size, number + 1)))
    return found


def _study(bench: Bench, size: tuple[int, int] | None) -> str | Path:
    if size is None:
        return "norway"
    folder = bench.work / f"decisions-{size[0]}"
    return folder if folder.exists() else write(folder, *size)


def _audit(bench: Bench, size: tuple[int, int] | None) -> Callable[[], Any]:
    return lambda: fields(bench.process([COMMAND, "audit", _study(bench, size)]))


def _fit(bench: Bench, size: tuple[int, int] | None, seed: int) -> Callable[[], Any]:
    def measured() -> Any:
        from xarray import open_datatree

        study, out = _study(bench, size), bench.new("out")
        command = [COMMAND, "fit", study, "--out", out, "--seed", str(seed), "--cores", str(CORES)]
        found = bench.process(command, accept=(0, 1))
        with open_datatree(out / "posterior.nc") as tree:
            kept = {name: tree.attrs[name] for name in ("seconds", "ess", "retried")}
            decay = tree["posterior"]["decay"].transpose("chain", "draw", ...).to_numpy()
        columns = {f"decay[{i}]": decay[..., i] for i in range(decay.shape[-1])}
        kept |= {"decay": slowest(columns)["ess"]}
        return fields(found, **{k: v if k == "retried" else float(v) for k, v in kept.items()})

    return measured


def targets(found: dict[str, Any]) -> list[Target]:
    """The largest study passes at once, and its decay parameters mix."""
    firms, decisions = SIZES[-1]
    fits = found[f"{firms} / {decisions}"]["fit"]
    rate = summary([r["decay"] / r["seconds"] for r in fits])
    at_once = not any(r["retried"] for r in fits)
    text = f"{firms} firms, {decisions} decisions: passes the gate at once, with at least {RATE} "
    text += "effective draws per second of sampling of every decay parameter"
    said = rate.text() + ("" if at_once else ", not at once")
    return [Target(text, said, at_once and rate.median >= RATE)]


def told(found: dict[str, Any]) -> list[str]:
    """Section (f)."""
    rows = []
    for name, runs in found.items():
        fits = runs["fit"]
        mark = " *" if any(r["retried"] for r in fits) else ""
        cells = [of(runs["audit"], "wall"), of(fits, "wall"), of(fits, "seconds")]
        rates = [summary([r[name] / r["seconds"] for r in fits]) for name in ("ess", "decay")]
        shown = [cell.text("s") for cell in cells] + [cell.text() for cell in rates]
        rows.append([name + mark, *shown])
    header = ["firms / decisions", "`audit`", "`fit`, whole process", "of it sampling"]
    header += ["effective draws per second, slowest parameter", "slowest decay"]
    lines = [
        "## (f) Counts of decisions: time against firms and decisions",
        "",
        "The Norwegian study, and made-up ones drawn from known parameters that publish the same "
        "kinds of counts (which agree with each other). Defaults of the package: 4 chains of 1,000 "
        "tuning and 2,000 kept draws, 2 sweeps over table and parameters each; full caches. "
        "Sampling is timed by the fit itself, with its preparation and predictions.",
        "",
        *table(header, rows),
    ]
    if any(r["retried"] for runs in found.values() for r in runs["fit"]):
        lines += [
            "\\* did not pass the gate at once: sampled twice, the seconds are of the last.",
            "",
        ]
    return lines
