"""(c): refits per minute, against simuk, of the same PyMC model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.context import COMMAND, CORES, PYTHON, SCRIPTS, TARGET_ACCEPT, Bench, fields
from bench.summary import of, ratio
from bench.table import Target, table

#: Settings of each refit: those of `intlmodels calibrate`.
DRAWS, TUNE, CHAINS = 500, 500, 2
#: Numbers of refits of a short and of a long run; the difference has no start-up in it.
OURS, THEIRS = (20, 220), (2, 8)
NAMES = ("calibrate", "simuk", "simuk-pymc")
ROUNDS = 3


def measure(bench: Bench) -> dict[str, Any]:
    """A short and a long run of each, in turn, with full caches."""
    for name in NAMES:
        bench.once(f"c {name}, to fill the caches", _refits(bench, name, 2, 0))
    found: dict[str, Any] = {name: [] for name in NAMES}
    for number in range(bench.times(ROUNDS)):
        for name in NAMES:
            short, long = OURS if name == "calibrate" else THEIRS
            runs = [
                bench.once(f"c {name}, {n} refits {number + 1}", _refits(bench, name, n, number))
                for n in (short, long)
            ]
            seconds = runs[1]["wall"] - runs[0]["wall"]
            found[name].append(
                {
                    "whole": 60 * long / runs[1]["wall"],
                    "rate": 60 * (long - short) / seconds,
                    "cpu": (runs[1]["cpu"] - runs[0]["cpu"]) / (long - short),
                    "start": runs[0]["wall"] - short * seconds / (long - short),
                }
            )
    return found


def _refits(bench: Bench, name: str, count: int, seed: int) -> Callable[[], Any]:
    def measured() -> Any:
        out = bench.new("refits")
        sizes = {"draws": DRAWS, "tune": TUNE, "chains": CHAINS, "cores": CORES, "seed": seed}
        if name == "calibrate":
            options = [part for key, value in sizes.items() for part in (f"--{key}", str(value))]
            command = [COMMAND, "calibrate", "rochester", "--sims", str(count), "--out", out]
            # 1: ranks of so few simulations may deviate from uniform.
            return fields(bench.process([*command, *options], accept=(0, 1)))
        sampler = "pymc" if name == "simuk-pymc" else "nutpie"
        numbers = [DRAWS, TUNE, CHAINS, CORES, TARGET_ACCEPT, seed]
        script = [PYTHON, SCRIPTS / "simuk_refits.py", str(count), sampler, *map(str, numbers)]
        return fields(bench.process(script))

    return measured


def _against(found: dict[str, Any], key: str) -> dict[str, Any]:
    ours = [r[key] for r in found["calibrate"]]
    return {name: ratio(ours, [r[key] for r in found[name]]) for name in NAMES[1:]}


def targets(found: dict[str, Any]) -> list[Target]:
    """Ten times the rate of simuk, with whichever sampler is faster there."""
    result = min(_against(found, "rate").values(), key=lambda r: r.median)
    text = "refits at least 10 times simuk's rate for the same model"
    return [Target(text, f"{result.text()} times", result.median >= 10)]


def told(found: dict[str, Any]) -> list[str]:
    """Section (c)."""
    what = {
        "calibrate": f"`intlmodels calibrate rochester --sims {OURS[1]}`",
        "simuk": f"simuk, nutpie (what PyMC chooses), {THEIRS[1]} simulations",
        "simuk-pymc": f"simuk, PyMC's sampler, {THEIRS[1]} simulations",
    }
    rows = [
        [what[name], of(found[name], "rate").text(), of(found[name], "whole").text()]
        + [of(found[name], key).text("s") for key in ("start", "cpu")]
        for name in NAMES
    ]
    header = ["median (range)", "refits a minute", "with start-up", "start-up", "CPU a refit"]
    lines = []
    for name, result in _against(found, "rate").items():
        whole, cpu = (_against(found, key)[name] for key in ("whole", "cpu"))
        lines.append(
            f"{result.text()} times the rate of `{name}`, {whole.text()} times with start-up "
            f"({OURS[1]} of ours, {THEIRS[1]} of theirs), at {cpu.text()} of its CPU a refit"
        )
    return [
        "## (c) Refits per minute",
        "",
        f"Simulated studies, each fitted by the package's own PyMC model (default variant): "
        f"{CHAINS} chains of {TUNE} tuning and {DRAWS} kept draws, {CORES} cores, full caches. "
        "simuk gets that very model. Without start-up: a long run less a short one, over the "
        f"number of refits between ({OURS[0]} and {OURS[1]} of ours, {THEIRS[0]} and {THEIRS[1]} "
        "of simuk's). Ours also checks convergence of each fit, ranks effects and estimands, and "
        "saves each as it comes.",
        "",
        *table(header, rows),
        f"Ours: {'; '.join(lines)}.",
        "",
    ]
