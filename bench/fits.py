"""(a) and (b): one fit as a whole process, and its effective draws per second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.context import (
    CHAINS,
    COMMAND,
    CORES,
    DRAWS,
    PYTHON,
    ROOT,
    SCRIPTS,
    TARGET_ACCEPT,
    TUNE,
    Bench,
    fields,
)
from bench.draws import BAMBI, OURS, of_csv, of_netcdf
from bench.measure import FailedError
from bench.peers import brms
from bench.summary import Summary, digits, of, ratio, summary
from bench.table import Target, table

#: How many runs of each with empty caches and with full ones, taken in turn. With brms the
#: interval likelihood takes minutes, whatever is compiled.
RUNS = {
    "fit": (3, 5),
    "density": (3, 5),
    "bambi": (3, 5),
    "bambi-nutpie": (3, 5),
    "brms": (1, 3),
    "brms-interval": (1, 1),
}
WHAT = {
    "fit": "`intlmodels fit rochester`: interval likelihood, gate, estimands, report",
    "density": "script with `im.fit_study`, variant `density`: gate, estimands, no report",
    "bambi": "bambi script, its default sampler (PyMC)",
    "bambi-nutpie": 'bambi script, `inference_method="nutpie"`',
    "brms": "brms script",
    "brms-interval": "brms script, `cens('interval')`",
}
#: Which are held against each other: ours, theirs, what the two have in common.
PAIRS = (
    ("density", "bambi", "ordinary Beta regression"),
    ("density", "bambi-nutpie", "ordinary Beta regression"),
    ("density", "brms", "ordinary Beta regression"),
    ("fit", "brms-interval", "interval likelihood"),
    ("fit", "bambi", "ours interval likelihood and report, theirs ordinary Beta regression"),
    ("fit", "bambi-nutpie", "ours interval likelihood and report, theirs ordinary Beta regression"),
)
#: Below which every process that samples this model with these libraries cannot be.
FLOOR = {
    "Python itself": "pass",
    "import of PyMC": "import pymc",
    "import of PyMC and nutpie": "import pymc, nutpie",
    "import of bambi": "import bambi",
    "import of the command line": "import intlmodels.cli",
}


def measure(bench: Bench) -> dict[str, Any]:
    """Run all of them in turn, with empty and with full caches."""
    present = [name for name in RUNS if brms() or not name.startswith("brms")]
    found: dict[str, Any] = {"brms": brms(), "without": {}}
    for place, caches in enumerate(("cold", "warm")):
        rounds: list[dict[str, Any]] = []
        for number in range(bench.times(max(RUNS[name][place] for name in RUNS))):
            todo = [name for name in present if number < RUNS[name][place]]
            if caches == "warm" and number == 0:
                for name in todo:
                    if not name.startswith("brms"):  # its compiled model is kept by the cold run
                        bench.once(f"a {name}, to fill the caches", _fit(bench, name, "warm", 0))
            rounds.append(_round(bench, todo, caches, number + 1))
            for name, run in list(rounds[-1].items()):
                if "failed" in run:
                    found["without"][name] = rounds[-1].pop(name)["failed"]
                    present.remove(name)
        found[caches] = rounds
    found["watched"] = {
        name: [
            bench.once(f"b {name}, sampling {number + 1}", _watched(bench, name, number + 1))
            for number in range(bench.times(3))
        ]
        for name in ("fit", "density")
    }
    found["floor"] = {
        what: [
            bench.once(f"a {what} {number + 1}", _code(bench, code))
            for number in range(bench.times(5))
        ]
        for what, code in FLOOR.items()
    }
    return found


def _round(bench: Bench, names: list[str], caches: str, number: int) -> dict[str, Any]:
    """One run of each."""
    found = {}
    for name in names:
        try:
            key = f"a {name}, {caches} {number}"
            found[name] = bench.once(key, _fit(bench, name, caches, number))
        except FailedError as error:
            # R is the user's: brms may be there without all that it takes to compile a model.
            if not name.startswith("brms"):
                raise
            bench.say(f"  {error}")
            found[name] = {"failed": str(error)}
    return found


def _code(bench: Bench, code: str) -> Callable[[], Any]:
    return lambda: fields(bench.process([PYTHON, "-c", code]))


def _watched(bench: Bench, name: str, seed: int) -> Callable[[], Any]:
    def measured() -> Any:
        out, seconds = bench.new("watched"), bench.work / "seconds"
        command, stored = _command(bench, name, "warm", seed, out)
        what = ["intlmodels", *command[1:]] if name == "fit" else command[1:]
        bench.process([PYTHON, SCRIPTS / "watched.py", seconds, *what], accept=(0, 1))
        return stored() | {"sampling": float(seconds.read_text())}

    return measured


def _fit(bench: Bench, name: str, caches: str, seed: int) -> Callable[[], Any]:
    """One run of a name, with the effective draws of what it stored."""

    def measured() -> Any:
        out = bench.new("out")
        command, stored = _command(bench, name, caches, seed, out)
        # 1: the fit is stored and marked as one that did not pass the gate.
        found = bench.process(command, caches, accept=(0, 1) if name == "fit" else (0,))
        return fields(found, **stored())

    return measured


def _command(
    bench: Bench, name: str, caches: str, seed: int, out: Path
) -> tuple[list[str | Path], Callable[[], dict[str, Any]]]:
    data = ROOT / "data" / "rochester"
    numbers = {"draws": DRAWS, "tune": TUNE, "chains": CHAINS, "cores": CORES, "seed": seed}
    options = [part for key, value in numbers.items() for part in (f"--{key}", str(value))]
    if name == "fit":
        command = [COMMAND, "fit", "rochester", "--out", out, *options]
        return command, lambda: of_netcdf(out / "posterior.nc", OURS)
    if name == "density":
        command = [PYTHON, SCRIPTS / "density.py", out, str(seed), str(CORES)]
        return command, lambda: of_netcdf(out / "variants" / "density.nc", OURS)
    if name.startswith("bambi"):
        sampler = "nutpie" if name == "bambi-nutpie" else "pymc"
        script = [PYTHON, SCRIPTS / "bambi_beta.py", "--data", data, "--out", out / "fit.nc"]
        return [*script, "--sampler", sampler, *options], lambda: of_netcdf(out / "fit.nc", BAMBI)
    likelihood = "interval" if name == "brms-interval" else "density"
    compiled = bench.work / f"{name}.rds"
    if caches == "cold":
        compiled.unlink(missing_ok=True)
    sizes = [str(n) for n in (DRAWS, TUNE, CHAINS, seed)]
    script = ["Rscript", SCRIPTS / "brms_fit.R", likelihood, data, out / "draws.csv", compiled]
    return [*script, *sizes, str(CORES)], lambda: of_csv(out / "draws.csv")


# -- in words ----------------------------------------------------------------------------


def _column(rounds: list[dict[str, Any]], name: str, key: str, other: str | None = None) -> Any:
    """Values of a name over the rounds in which it, and the other, ran."""
    return [r[name][key] for r in rounds if name in r and (other is None or other in r)]


def _ratio(rounds: list[dict[str, Any]], ours: str, theirs: str, key: str) -> Summary | None:
    both = _column(rounds, ours, key, theirs), _column(rounds, theirs, key, ours)
    return ratio(*both) if both[0] else None


def targets(found: dict[str, Any]) -> list[Target]:
    """The whole process against bambi with nutpie, the same density, from an empty posterior."""
    lines = []
    for name, what, most in (
        ("fit", "`fit rochester` with its report", 0.9),
        ("density", "the same without a report", 0.6),
    ):
        for caches, with_caches in (("warm", "full"), ("cold", "empty")):
            for key, measure in (("wall", "by the clock"), ("cpu", "CPU")):
                result = _ratio(found[caches], name, "bambi-nutpie", key)
                text = f"{what} at most {most} of bambi (nutpie), {with_caches} caches, {measure}"
                met = None if result is None else result.median <= most
                lines.append(Target(text, result.text() if result else "", met))
    return lines


def told(found: dict[str, Any]) -> list[str]:
    """Section (a)."""
    lines = [
        "## (a) One fit as a whole process",
        "",
        f"Every process reads the CSV files of the 22 firms, samples {CHAINS} chains of {TUNE:,} "
        f"tuning and {DRAWS:,} kept draws with target acceptance {TARGET_ACCEPT} and other seeds "
        "each time, and stores the draws (netCDF, brms CSV) in an empty folder. The same priors "
        "throughout. The processes took turns. *Cold*: nothing was compiled before, and no list of "
        "fonts; *warm*: in the second and later runs with those of before (brms: with its compiled "
        "model). Byte code of Python is there in both. Ours do more than the others: log "
        "likelihood, prior and both predictive distributions, estimands in percentage points, the "
        "gate (and a second fit if it is not passed); the command line writes a report with "
        "figures as well.",
        "",
    ]
    if not found["brms"]:
        lines += ["R with brms and rstan is not installed here: brms was not measured.", ""]
    for name, why in found["without"].items():
        lines += [f"`{name}` could not be measured: {why}", ""]
    for caches in ("cold", "warm"):
        rounds = found[caches]
        rows = []
        for name, what in WHAT.items():
            if values := _column(rounds, name, "wall"):
                cpu = summary(_column(rounds, name, "cpu"))
                largest = summary(_column(rounds, name, "largest"))
                cells = [summary(values).text("s"), cpu.text("s"), f"{largest.median:,.0f} MiB"]
                rows.append([what, *cells, str(len(values))])
        header = [f"{caches}: median (range)", "wall", "user and system", "largest process", "runs"]
        lines += table(header, rows)
    return [*lines, *_ratios(found), *_floor(found), *_agree(found)]


def _ratios(found: dict[str, Any]) -> list[str]:
    rows = []
    for ours, theirs, what in PAIRS:
        cells = []
        for caches in ("cold", "warm"):
            for key in ("wall", "cpu"):
                result = _ratio(found[caches], ours, theirs, key)
                cells.append(result.text() if result else "not measured")
        rows.append([f"`{ours}` / `{theirs}`: {what}", *cells])
    header = ["ratio, median of the pairs (range)"]
    header += ["cold, wall", "cold, CPU", "warm, wall", "warm, CPU"]
    names = "; ".join(f"`{name}` is {what}" for name, what in WHAT.items())
    return [
        "Below 1 ours is faster. The range of five pairs holds the median ratio with 94% "
        f"confidence, that of three with 75%. Names: {names}.",
        "",
        *table(header, rows),
    ]


def _floor(found: dict[str, Any]) -> list[str]:
    rows = [
        [
            what,
            of(runs, "wall").text("s"),
            of(runs, "cpu").text("s"),
        ]
        for what, runs in found["floor"].items()
    ]
    for name, runs in found["watched"].items():
        rows.append([f"sampling alone, `{name}`", of(runs, "sampling").text("s"), ""])
    imports = of(found["floor"]["import of PyMC and nutpie"], "wall").median
    sampling = of(found["watched"]["fit"], "sampling").median
    whole = summary(_column(found["warm"], "fit", "wall")).median
    theirs = summary(_column(found["warm"], "bambi-nutpie", "wall")).median
    floor = imports + sampling
    return [
        "**The floor.** A process that imports PyMC and nutpie and draws so many draws takes "
        f"{digits(floor)} s before anything is built, compiled, checked or written: "
        f"{digits(imports)} s of imports and {digits(sampling)} s of sampling, which is "
        f"{digits(floor / theirs)} of bambi with nutpie. `fit rochester` takes {digits(whole)} s "
        "with full caches.",
        "",
        *table(["warm", "wall", "user and system"], rows),
    ]


def _agree(found: dict[str, Any]) -> list[str]:
    """Posterior means side by side: that the same is measured."""
    first = found["warm"][0]
    same = {
        "intercept": ("intercept", "Intercept", "b_Intercept"),
        "relocatability": ("relocatability", "relocatability", "b_relocatability"),
        "spread of product": ("sigma_product", "1|product_sigma", "sd_product__Intercept"),
        "spread of expertise": ("sigma_expertise", "1|expertise_sigma", "sd_expertise__Intercept"),
        "precision": ("phi", "kappa", "phi"),
    }
    columns = [("density", 0), ("bambi", 1), ("brms", 2), ("fit", 0), ("brms-interval", 2)]
    columns = [(name, place) for name, place in columns if name in first]
    rows = []
    for what, names in same.items():
        cells = [first[name]["means"][names[place]] for name, place in columns]
        rows.append([what, *(f"{mean:.2f} ± {sd:.2f}" for mean, sd in cells)])
    return [
        "That the same is fitted: posterior mean ± standard deviation, first warm run.",
        "",
        *table(["parameter", *(f"`{name}`" for name, _ in columns)], rows),
    ]


def told_draws(found: dict[str, Any]) -> list[str]:
    """Section (b)."""
    rows = []
    for name, what in WHAT.items():
        runs = [r[name] for r in found["warm"] if name in r]
        if not runs:
            continue
        alone = found["watched"].get(name, runs)
        per_sampling = summary([r["ess"] / r["sampling"] for r in alone])
        whole = summary([r["ess"] / r["wall"] for r in runs])
        names = sorted({r["slowest"] for r in runs})
        cells = [of(runs, "ess").text(), per_sampling.text(), whole.text()]
        rows.append([what, ", ".join(f"`{n}`" for n in names).replace("|", "\\|"), *cells])
    header = ["warm: median (range)", "slowest parameter", "effective draws"]
    header += ["a second of sampling", "a second of the whole process"]
    return [
        "## (b) Effective draws per second of the slowest parameter",
        "",
        "Bulk effective sample size (ArviZ) of the parameters that all packages have: intercept, "
        "slope, spreads, effects of the levels, precision; the smallest counts. Sampling includes "
        "tuning; ours is timed around nutpie's `sample` in runs of their own, the others' is what "
        "they store.",
        "",
        *table(header, rows),
    ]
