"""Golden results: a few draws of every variant and data shape, and what is computed from them.

``make golden`` records them in ``tests/golden/``. It refuses to record another result under the
version number of an old one: raise the number in ``intlmodels/versions.py`` first.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import xarray as xr

import intlmodels as im
import registers
from clusterstudies import write_clusters
from decaystudies import write_decisions_study
from decisionregisters import random_rows, write_decisions, write_rows
from intlmodels import report
from intlmodels.core import versions
from intlmodels.core.settings import Settings
from intlmodels.fitting import jobs, store
from intlmodels.fitting.fit import fit
from intlmodels.models import catalogue, priors_of
from intlmodels.studies import Study
from trees import store_fits

FOLDER = Path(__file__).parent / "golden"
SETTINGS = Settings(draws=8, tune=60, chains=2, seed=11, sweeps=2)
#: Relative difference that another processor's rounding may make.
TOLERANCE = 1e-9


def _register(folder: Path) -> Study:
    registers.write_register(folder)
    registers.write_csv(folder / "rows" / "a.csv", registers.some_rows())
    return im.reduce(folder)


def _clustered_register(folder: Path) -> Study:
    registers.write_register(folder, f'{registers.STUDY}\n[cluster]\ncolumn = "town"\n')
    towns = [("North", "South", "West")[i % 3] for i in range(60)]
    rows = [(*row, town) for row, town in zip(registers.some_rows(), towns, strict=True)]
    registers.write_csv(folder / "rows" / "a.csv", rows, (*registers.HEADER, "town"))
    return im.reduce(folder)


def _decision_register(folder: Path) -> Study:
    write_decisions(folder)
    write_rows(folder / "rows" / "a.csv", random_rows(np.random.default_rng(3), 60))
    return im.reduce(folder)


#: Study -> how it is made in a folder; the built-in ones need none.
STUDIES: dict[str, Callable[[Path], Study]] = {
    "rochester": lambda _: im.load_study("rochester"),
    "norway": lambda _: im.load_study("norway"),
    "clusters": lambda folder: im.load_study(write_clusters(folder)),
    "decisions": lambda folder: im.load_study(write_decisions_study(folder)),
    "register": _register,
    "register with clusters": _clustered_register,
    "decision register": _decision_register,
}


def cases() -> list[tuple[str, str]]:
    """Every variant of both built-in studies, and the default of every other data shape."""
    built_in = ("rochester", "norway")
    variants = [(name, v) for name in built_in for v in catalogue(STUDIES[name](Path()))]
    return [*variants, *((name, "default") for name in STUDIES if name not in built_in)]


def fitted(study: Study, variant: str) -> xr.DataTree:
    """A short fit with its estimands; it need not converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of diagnostics of so few draws
        tree = fit(study, variant, priors_of(study, variant), SETTINGS)
        tree = jobs._with_estimands(tree)
    given = store.fingerprint(study, variant, priors_of(study, variant), SETTINGS)
    tree.attrs |= {"fingerprint": json.dumps(given), "retried": ""}
    return tree


def summary(tree: xr.DataTree) -> dict[str, list[float]]:
    """Mean and last value of every numeric variable of every group."""
    found = {}
    for group in tree.children:
        for name, values in tree[group].data_vars.items():
            if values.dtype.kind in "fiub" and values.size:
                array = values.to_numpy().astype(float)
                found[f"{group}/{name}"] = [float(array.mean()), float(array.flat[-1])]
    return found


def report_digest(study: Study, tree: xr.DataTree, folder: Path) -> str:
    """Digest of the words, numbers and tables of a report, without versions and fingerprints."""
    store_fits(study, folder, default=tree)
    with mock.patch("intlmodels.plots.style.svg", return_value="<svg/>"):  # pictures do not count
        report.write(study, folder)
    pages = [(folder / f"{name}.md").read_text(encoding="utf-8") for name in ("report", "appendix")]
    text = "".join(page.partition("<!-- intlmodels-record")[0] for page in pages)
    text = re.sub(r"(?m)^\| [\w-]+ \| \d[\w.]* \|$", "", re.sub(r"\b[0-9a-f]{16}\b", "", text))
    tables = sorted((folder / "tables").glob("*.csv"))
    digest = hashlib.sha256(text.encode())
    for path in tables:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def version_numbers(model: str) -> dict[str, int]:
    """Version numbers of what is stored of a model."""
    return {
        "model": versions.MODEL_VERSION[model],
        "estimands": versions.ESTIMANDS_VERSION[model],
        "report": versions.REPORT_VERSION,
    }


def record(name: str, variant: str, folder: Path) -> dict[str, Any]:
    """Versions and results of one case; with the report of its default."""
    study = STUDIES[name](folder / "study")
    tree = fitted(study, variant)
    values = summary(tree)
    found: dict[str, Any] = {"versions": version_numbers(study.model)}
    for part in ("draws", "estimands"):
        of_part = {
            n: v for n, v in values.items() if n.startswith("estimands/") == (part != "draws")
        }
        found[part] = of_part
    if variant == "default":
        found["report"] = report_digest(study, tree, folder / "report")
    return found


def changed(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The first result that changed although its version number did not; others follow from it."""
    for part, numbers in (
        ("draws", ("model",)),
        ("estimands", ("model", "estimands")),
        ("report", ("model", "estimands", "report")),
    ):
        raised = any(old["versions"][n] != new["versions"][n] for n in numbers)
        names = _unlike(old.get(part, {}), new.get(part, {}))
        if names and not raised:
            number = f"{numbers[-1].upper()}_VERSION"
            return f"{part} changed ({', '.join(names[:5])}): raise {number} if that is meant"
    return ""


def _unlike(old: Any, new: Any) -> list[str]:
    if isinstance(old, str) or isinstance(new, str):
        return [] if old == new else ["text or tables"]
    return [
        name
        for name in {**old, **new}
        if name not in old
        or name not in new
        or not np.allclose(old[name], new[name], rtol=TOLERANCE, atol=1e-12, equal_nan=True)
    ]


def path_of(name: str, variant: str) -> Path:
    """Where a case is recorded."""
    return FOLDER / f"{name.replace(' ', '-')}-{variant}.json"


def main() -> int:
    """Record all cases; 1 if a result changed and its version number did not."""
    refused = False
    for name, variant in cases():
        with tempfile.TemporaryDirectory() as folder:
            new = record(name, variant, Path(folder))
        path = path_of(name, variant)
        if path.exists() and (problem := changed(json.loads(path.read_text("utf-8")), new)):
            sys.stderr.write(f"{path.name}: {problem}\n")
            refused = True
            continue
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(new, indent=0) + "\n", encoding="utf-8")
    return int(refused)


if __name__ == "__main__":
    sys.exit(main())
