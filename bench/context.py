"""What all sections share: where things are, what is asked for, and what was measured already."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.measure import Run, run

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(__file__).parent / "scripts"
PYTHON = sys.executable
#: The command line in the environment of this interpreter.
COMMAND = Path(sys.executable).parent / "intlmodels"
#: Settings of the fits that are compared: the defaults of the package.
DRAWS, TUNE, CHAINS, TARGET_ACCEPT = 2000, 1000, 4, 0.95
CORES = os.cpu_count() or 1


def environment(caches: Path) -> dict[str, str]:
    """Environment of a process whose caches of every kind lie below a folder.

    These are the functions that PyTensor and numba compiled, the list of fonts, and whatever a
    program keeps in the home folder.
    """
    kept = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    places = {
        "HOME": caches / "home",
        "XDG_CACHE_HOME": caches / "xdg",
        "NUMBA_CACHE_DIR": caches / "numba",
        "MPLCONFIGDIR": caches / "matplotlib",
    }
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    flags = f"base_compiledir={caches / 'pytensor'}"
    return {**kept, **{k: str(v) for k, v in places.items()}, "PYTENSOR_FLAGS": flags}


@dataclass
class Bench:
    """A run of ``make bench``.

    Attributes
    ----------
    kept : Path
        Folder with what was measured.
    work : Path
        Temporary folder, removed at the end.
    rows : int
        Most rows of a made-up register.
    runs : int or None
        Most runs of anything; None: as many as each section wants.
    identity : str
        What the measurements belong to; those of another identity are not used again.
    """

    kept: Path
    work: Path
    rows: int
    runs: int | None
    identity: str
    console: Console = field(default_factory=Console)

    def times(self, wanted: int) -> int:
        """Number of runs, of which so many are wanted."""
        return wanted if self.runs is None else min(wanted, self.runs)

    def say(self, text: str) -> None:
        """Print a line of progress."""
        self.console.print(text, markup=False, highlight=False)

    def once(self, key: str, measure: Callable[[], Any]) -> Any:
        """What was measured under a key, now or before a run was broken off; can be JSON."""
        path = self.kept / "steps.json"
        steps = read_json(path)
        if steps.get("identity") != self.identity:
            steps = {"identity": self.identity, "found": {}}
        if key not in steps["found"]:
            with self.console.status(key):
                steps["found"][key] = measure()
            write_json(steps, path)
            self.say(f"  {key}: {_short(steps['found'][key])}")
        return steps["found"][key]

    def process(
        self,
        command: Sequence[str | Path],
        caches: str = "warm",
        *,
        memory: bool = False,
        accept: Sequence[int] = (0,),
        folder: Path | None = None,
        limit: float = 1800,
    ) -> Run:
        """Run a process with caches of a name; ``cold`` are new and removed afterwards."""
        place = self.work / "caches" / caches
        if caches == "cold":
            shutil.rmtree(place, ignore_errors=True)
        where = folder or self.work
        found = run(command, environment(place), where, memory=memory, accept=accept, limit=limit)
        if caches == "cold":
            shutil.rmtree(place)
        return found

    def new(self, name: str) -> Path:
        """An empty folder below the temporary one."""
        path = self.work / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path


def fields(found: Run, **more: Any) -> dict[str, Any]:
    """A run as JSON can hold it."""
    return {**asdict(found), **more}


def _short(found: Any) -> str:
    wall = found.get("wall") if isinstance(found, dict) else None
    return "done" if wall is None else f"{wall:.2f} s"


def read_json(path: Path) -> dict[str, Any]:
    """What a file holds; nothing if it is not there."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def write_text(text: str, path: Path) -> None:
    """Write a file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def write_json(found: Any, path: Path) -> None:
    """Write a file in one step."""
    write_text(json.dumps(found, indent=1) + "\n", path)


def code_identity(asked: Any) -> str:
    """A hash of the code that is measured and measures, its locks, and what is asked for."""
    paths = [*ROOT.glob("src/**/*.py"), *ROOT.glob("bench/**/*.*"), *ROOT.glob("*.lock")]
    paths = [path for path in paths if path.suffix in (".py", ".R", ".lock")]
    found = hashlib.sha256(json.dumps(asked).encode())
    for path in sorted(paths):
        found.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]
