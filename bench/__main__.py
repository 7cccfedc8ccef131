"""``python -m bench [--rows 1e7] [--sections "a d"] [--runs 1]``; usually by ``make bench``.

Exit codes: 0 done (whether targets are met or not), 1 a section could not be measured, 2 unusable
options, 130 interrupted: the same command goes on.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from typing import Any

from bench import figure
from bench.context import ROOT, Bench, code_identity, read_json, write_json, write_text
from bench.machine import machine, now
from bench.measure import FailedError
from bench.page import FIGURE, MODULES, page
from bench.rows import SIZES

KEPT = ROOT / "reports" / "bench"


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for, and write the report."""
    asked = _asked(arguments)
    about = machine()
    identity = code_identity([asked.rows, asked.runs, asked.sections, about])
    bench = Bench(KEPT, KEPT / "work", asked.rows, asked.runs, identity)
    going = read_json(KEPT / "going.json")
    if going.get("identity") != identity:
        # What an earlier run left unfinished belongs to other code, or was asked for otherwise.
        (KEPT / "steps.json").unlink(missing_ok=True)
        shutil.rmtree(bench.work, ignore_errors=True)
        going = {"identity": identity, "when": now()}
        write_json(going, KEPT / "going.json")
    else:
        bench.say("going on where it was broken off")
    bench.work.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in asked.sections:
        bench.say(f"({name})")
        result: dict[str, Any] = {"machine": about, "when": going["when"]}
        try:
            result["found"] = MODULES[name].measure(bench)
        except FailedError as error:
            failed, result["failed"] = True, str(error)
            bench.say(f"  {error}")
        write_json(result, KEPT / f"{name}.json")
        _write()
    (KEPT / "going.json").unlink()
    (KEPT / "steps.json").unlink(missing_ok=True)
    shutil.rmtree(bench.work)
    bench.say("written: reports/bench.md")
    return int(failed)


def _write() -> None:
    """The report and its figure from all sections that are there."""
    write_text(page(KEPT), KEPT.parent / "bench.md")
    found = read_json(KEPT / "e.json").get("found")
    if found:
        figure.draw(found, KEPT.parent / FIGURE)


def _asked(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rows", type=_rows, default=SIZES[-1], help="most rows of a register")
    parser.add_argument("--sections", type=_sections, default=_sections("a c d e f g"))
    parser.add_argument("--runs", type=int, help="most runs of anything (for a quick look)")
    return parser.parse_args(arguments)


def _rows(text: str) -> int:
    try:
        rows = int(float(text))
    except (ValueError, OverflowError):
        rows = 0
    if rows < SIZES[0]:
        raise argparse.ArgumentTypeError(
            f"expected a number of rows from {SIZES[0]} on, such as 1e7, got {text!r}"
        )
    return rows


def _sections(text: str) -> list[str]:
    """Sections in their order; (b) is measured by the fits of (a)."""
    names = text.replace(",", " ").split()
    unknown = [name for name in names if name not in MODULES]
    if unknown or not names:
        known = " ".join(MODULES)
        raise argparse.ArgumentTypeError(f"expected some of {known}, got {text!r}")
    wanted = {"a" if name == "b" else name for name in names}
    return [name for name in MODULES if name in wanted]


if __name__ == "__main__":
    # What is told to end takes the process that it measures with it, as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
