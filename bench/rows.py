"""(e): time against the number of rows of a register."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.context import COMMAND, CORES, PYTHON, SCRIPTS, Bench, fields
from bench.draws import slowest
from bench.registers import BRANCHES, COLUMNS, LIMIT, cells, write
from bench.summary import of, ratio, summary
from bench.table import Target, table

SIZES = (22, 10**4, 10**6, 10**7, 10**8)
#: The size that others are held against: the smallest with all cells.
SMALL = 10**4
#: Space on the disk that a row takes, bytes, with ample room.
BYTES = 4
READS, FITS = 5, 3


def measure(bench: Bench) -> dict[str, Any]:
    """Counting, bare and by the package, in turn; then fits of the counts, in turn."""
    sizes = [size for size in SIZES if size <= bench.rows]
    free = shutil.disk_usage(bench.work).free
    short = [size for size in sizes if size * BYTES > free]
    sizes = [size for size in sizes if size not in short]
    _warm(bench)
    found: dict[str, Any] = {"short": short, "sizes": {}}
    for size in sizes:
        found["sizes"][str(size)] = _size(bench, size)
    # Those that are held against each other, in turn, from counts that are there already.
    ends = [size for size in (SMALL, max(sizes)) if size in sizes]
    found["sampling"] = {str(size): [] for size in dict.fromkeys(ends)}
    for number in range(bench.times(FITS)):
        for size in found["sampling"]:
            found["sampling"][size].append(
                bench.once(f"e {int(size):,} rows, sampling {number + 1}", _sampling(bench, size))
            )
    if SMALL in sizes:
        found["beside"] = {
            caches: [
                {
                    what: bench.once(
                        f"e {what}, {caches} {number + 1}", _beside(bench, what, caches)
                    )
                    for what in ("register", "firms")
                }
                for number in range(bench.times(FITS))
            ]
            for caches in ("warm", "cold")
        }
    for size in sizes:
        shutil.rmtree(bench.work / f"register-{size}", ignore_errors=True)
    return found


def _warm(bench: Bench) -> None:
    def once() -> Any:
        folder = _made(bench, SMALL)
        return fields(bench.process([COMMAND, "fit", folder, "--out", bench.new("out")]))

    bench.once("e fit of a register, to fill the caches", once)


def _made(bench: Bench, size: int) -> Path:
    folder = bench.work / f"register-{size}"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        write(folder, size)
        (folder / "done").touch()
    return folder


def _size(bench: Bench, size: int) -> dict[str, Any]:
    """Everything at one size; the files are made only if something is to be measured."""
    found: dict[str, Any] = {"bare": [], "reduce": []}
    for number in range(bench.times(READS)):
        for name in ("bare", "reduce"):
            key = f"e {size:,} rows, {name} {number + 1}"
            found[name].append(bench.once(key, _reading(bench, name, size)))
    found["fit"] = bench.once(f"e {size:,} rows, fit from the files", _whole(bench, size))
    return found


def _reading(bench: Bench, name: str, size: int) -> Callable[[], Any]:
    def measured() -> Any:
        folder, out = _made(bench, size), bench.new("out")
        if name == "reduce":
            return fields(bench.process([COMMAND, "reduce", folder, "--out", out]))
        files = folder / "rows.parquet"
        return fields(bench.process([PYTHON, SCRIPTS / "groupby.py", files, LIMIT, *COLUMNS]))

    return measured


def _whole(bench: Bench, size: int) -> Callable[[], Any]:
    def measured() -> Any:
        folder, out = _made(bench, size), bench.new("out")
        # 1: of 22 rows a fit may not pass the gate; it is stored and marked.
        command = [COMMAND, "fit", folder, "--out", out, "--cores", str(CORES)]
        return fields(bench.process(command, memory=True, accept=(0, 1)), **_draws(out))

    return measured


def _draws(out: Path) -> dict[str, Any]:
    from xarray import open_datatree

    with open_datatree(out / "posterior.nc") as tree:
        posterior = tree["posterior"].to_dataset().load()
        retried = str(tree.attrs["retried"])
    columns = {}
    for name in ("intercept", "size", "phi", "sigma_branch"):
        columns[name] = posterior[name].to_numpy()
    for i in range(posterior.sizes["branch_level"]):
        columns[f"branch[{i}]"] = posterior["branch"].to_numpy()[..., i]
    return slowest(columns) | {"retried": retried}


def _sampling(bench: Bench, size: str) -> Callable[[], Any]:
    def measured() -> Any:
        folder, seconds = _made(bench, int(size)), bench.work / "seconds"
        out = bench.new("out")
        bench.process([COMMAND, "reduce", folder, "--out", out])
        command = ["intlmodels", "fit", folder, "--out", out, "--cores", str(CORES)]
        found = bench.process([PYTHON, SCRIPTS / "watched.py", seconds, *command])
        return fields(found, sampling=float(seconds.read_text()))

    return measured


def _beside(bench: Bench, what: str, caches: str) -> Callable[[], Any]:
    """A fit with its report: of a register that is counted already, or of the 22 firms."""

    def measured() -> Any:
        out, study = bench.new("out"), "rochester"
        if what == "register":
            study = str(_made(bench, SMALL))
            bench.process([COMMAND, "reduce", study, "--out", out])
        return fields(bench.process([COMMAND, "fit", study, "--out", out], caches))

    return measured


# -- in words ----------------------------------------------------------------------------


def targets(found: dict[str, Any]) -> list[Target]:
    """What must hold with a hundred million rows, or with the most that were measured."""
    most = max(map(int, found["sizes"]))
    of_most = found["sizes"][str(most)]
    reading = ratio([r["wall"] for r in of_most["reduce"]], [r["wall"] for r in of_most["bare"]])
    whole = found["sizes"][str(most)]["fit"]
    memory = whole["tree"] or whole["largest"]
    full = most == SIZES[-1]
    note = "" if full else f" (with {most:,} rows)"
    lines = [
        Target(
            "reduction of 10^8 rows of Parquet at most 1.5 times the bare DuckDB group-by of the "
            "same columns",
            reading.text() + note,
            reading.median <= 1.5 if full else None,
        )
    ]
    sampling = found["sampling"]
    text = "sampling time at 10^8 rows at most 1.5 times that at 10^4 rows with the same cells"
    if str(SMALL) in sampling and most > SMALL:
        seconds = [[r["sampling"] for r in sampling[size]] for size in (str(most), str(SMALL))]
        result = ratio(seconds[0], seconds[1])
        lines.append(Target(text, result.text() + note, result.median <= 1.5 if full else None))
    else:
        lines.append(Target(text, "", None))
    for caches, with_caches in (("warm", "full"), ("cold", "empty")):
        text = (
            f"a register of {cells()} cells, from counts to report, at most twice `fit rochester`, "
        )
        text += f"{with_caches} caches"
        pairs = found.get("beside", {}).get(caches)
        if not pairs:
            lines.append(Target(text, "", None))
            continue
        result = ratio(*([r[what]["wall"] for r in pairs] for what in ("register", "firms")))
        lines.append(Target(text, result.text(), result.median <= 2))
    text = "a fit that uses 10^8 rows within 4 GiB"
    lines.append(Target(text, f"{memory:,.0f} MiB{note}", memory <= 4096 if full else None))
    return lines


def told(found: dict[str, Any]) -> list[str]:
    """Section (e)."""
    rows = []
    for size, of_size in found["sizes"].items():
        bare, ours = ([r["wall"] for r in of_size[name]] for name in ("bare", "reduce"))
        fit = of_size["fit"]
        memory = (
            f"{fit['tree']:,.0f} MiB" if fit["tree"] else f"{fit['largest']:,.0f} MiB (largest)"
        )
        shown = [summary(bare).text("s"), summary(ours).text("s"), ratio(ours, bare).text()]
        shown += [f"{fit['wall']:.1f} s{' *' if fit['retried'] else ''}", memory]
        rows.append([f"{int(size):,}", *shown, f"{fit['ess']:,.0f}"])
    header = ["rows", "bare group-by", "`intlmodels reduce`", "ratio", "`fit`, from the files"]
    header += ["peak memory of all processes", "effective draws"]
    lines = [
        "## (e) Time against the number of rows",
        "",
        f"Made-up registers in Parquet: {len(BRANCHES)} branches, two sizes, shares in steps of 5, "
        f"drawn from known parameters; {cells():,} cells, the same in all from {SMALL:,} rows on. "
        f"Bare: a script that does `SELECT share, branch, size, count(*) ... GROUP BY ALL` with "
        f"the same memory limit of DuckDB ({LIMIT}), in turn with `intlmodels reduce`, "
        "which also checks every value and keeps the counts; both as whole processes, the files in "
        "the cache of the operating system after the first. `fit` counts, samples (defaults), "
        "checks and writes the report, once at each size; memory is looked at every tenth of a "
        "second, shared pages counted once.",
        "",
        *table(header, rows),
    ]
    if any(of_size["fit"]["retried"] for of_size in found["sizes"].values()):
        lines += ["\\* did not pass the gate at once: sampled twice.", ""]
    if found["short"]:
        left = ", ".join(f"{size:,}" for size in found["short"])
        lines += [f"Left out, since the disk is too full for them: {left} rows.", ""]
    rows = [
        [f"{int(size):,}", of(runs, "sampling").text("s"), of(runs, "wall").text("s")]
        for size, runs in found["sampling"].items()
    ]
    header = ["rows, counted already; median (range)", "sampling alone", "whole `fit`"]
    return [*lines, *table(header, rows)]
