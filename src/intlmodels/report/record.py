"""What a report was written from, hidden in it, and whether that is still so."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from intlmodels import store
from intlmodels.errors import StudyError
from intlmodels.models import DEFAULT, catalogue, find_variant, priors_of
from intlmodels.report.layout import layout_of
from intlmodels.study import Study
from intlmodels.trust.stored import KINDS, path_of
from intlmodels.workflow import ESTIMAND_CODE, Stored, settings_of, stored_fits, stored_path

#: Modules that make the reports of every model. ``report/layout.py`` is not among them: of it,
#: only what it says of the model counts.
COMMON_CODE = (
    "results.py",
    "comparison.py",
    "formats.py",
    "narrative.py",
    "narrativevariants.py",
    "plotstyle.py",
    "plotpage.py",
    "plotchecks.py",
    "plottrust.py",
    "plotleaveout.py",
    "narrativetrust.py",
    "narrativeleaveout.py",
    "trust/__init__.py",
    "trust/ranks.py",
    "trust/leaveout.py",
    "trust/pit.py",
    "trust/stored.py",
    "trust/predicted.py",
    "trust/tables.py",
    "report/__init__.py",
    "report/blocks.py",
    "report/claims.py",
    "report/content.py",
    "csvtext.py",
    "report/figures.py",
    "report/formula.py",
    "report/material.py",
    "report/provenance.py",
    "report/record.py",
    "report/references.py",
    "report/leaveout.py",
    "report/render.py",
    "report/shown.py",
    "report/trust.py",
)
#: Model -> packages beside its own whose results its report shows.
FURTHER = {
    "share": ("claims",),
    "decay": ("audit", "claims"),
    "register": ("share", "claims"),
    "sequences": ("decay", "audit", "claims"),
}
_PACKAGE = Path(__file__).parent.parent
_TEMPLATES = Path(__file__).parent / "templates"
_MARK = re.compile(r"<!-- intlmodels-record (\{.*\}) -->")


def code_of(model: str) -> tuple[str, ...]:
    """Modules that make the report of a model: the common ones and those of its own package."""
    folders = (model, *FURTHER.get(model, ()))
    own = [f"{folder}/{path.name}" for folder in folders for path in _modules(folder)]
    listed = (*ESTIMAND_CODE[model], *COMMON_CODE, *own)
    return tuple(dict.fromkeys(listed))


def _modules(folder: str) -> list[Path]:
    return sorted((_PACKAGE / folder).glob("*.py"))


def report_code(model: str) -> str:
    """Hash of what the code does, of the layout and of the templates that make a report."""
    return _with_layout(store.code_hash(code_of(model)), model)


def report_source(model: str) -> str:
    """The same of the code as written: if that is unchanged, so is what it does."""
    return _with_layout(store.source_hash(code_of(model)), model)


def _with_layout(code: str, model: str) -> str:
    digest = hashlib.sha256(code.encode())
    digest.update(repr(layout_of(model)).encode())
    for path in sorted(_TEMPLATES.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def current_fits(study: Study, folder: Path) -> list[Stored]:
    """The stored fits, the default first and current.

    Raises
    ------
    StudyError
        If the default fit is missing or no longer what the study asks for.
    """
    stored = stored_fits(study, folder)
    default = stored[0]
    if default.variant != DEFAULT or default.reasons:
        raise StudyError(
            f"the stored fit of {study.name} is not current ({'; '.join(default.reasons)}); run "
            "intlmodels fit first",
            file=str(default.path),
        )
    return stored


def study_text(study: Study) -> str:
    """Hash of a study as written: its tables and what study.toml says."""
    toml = (study.folder / "study.toml").read_text(encoding="utf-8")
    tables = {name: [table.header, table.rows] for name, table in study.tables.items()}
    return store.short_hash(toml, tables)


def trust_text(folder: Path) -> str:
    """Hash of what calibration, comparison and sensitivity found, as stored."""
    paths = [path_of(folder, kind) for kind in KINDS]
    found = {path.name: path.read_text(encoding="utf-8") for path in paths if path.is_file()}
    return store.short_hash(found)


def write_record(
    study: Study, folder: Path, stored: tuple[Stored, ...], shown: list[str], files: list[str]
) -> str:
    """The record of a report, as text that fits an HTML comment."""
    record = {
        "fits": {item.variant: item.fingerprint for item in stored if item.variant in shown},
        "left_out": {
            item.variant: item.fingerprint for item in stored if item.variant not in shown
        },
        "study": study_text(study),
        "trust": trust_text(folder),
        "code": report_code(study.model),
        "source": report_source(study.model),
        "files": sorted(files),
    }
    return json.dumps(record, sort_keys=True).replace("--", "-\\u002d")


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of the report in a folder; None if there is none that can be read."""
    path = folder / "report.md"
    if not path.is_file():
        return None
    found = _MARK.findall(path.read_text(encoding="utf-8", errors="replace"))
    if not found:
        return None
    try:
        record = json.loads(found[-1])
    except json.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def why_stale(study: Study, folder: Path) -> list[str]:
    """Reasons to write the report again; empty if it is current."""
    if not (folder / "report.md").is_file():
        return ["there is no report yet"]
    record = read_record(folder)
    if record is None:
        return ["report.md does not say what it was written from"]
    reasons = []
    same = record.get("source") == report_source(study.model)
    if not same and record.get("code") != report_code(study.model):
        reasons.append("the code that writes reports changed")
    if record.get("study") != study_text(study):
        reasons.append("the text of the study changed")
    if record.get("trust") != trust_text(folder):
        reasons.append("calibration, comparison or sensitivity were computed again")
    missing = [name for name in record.get("files", []) if not (folder / name).is_file()]
    reasons += [f"{name} is missing" for name in missing]
    fits = dict(record.get("fits", {}))
    if stored_path(folder, DEFAULT).exists():
        return reasons + _against_stored(study, folder, fits, dict(record.get("left_out", {})))
    return reasons + _against_study(study, fits)


def _against_stored(
    study: Study, folder: Path, fits: dict[str, str], left_out: dict[str, str]
) -> list[str]:
    try:
        stored = stored_fits(study, folder)
    except StudyError as error:
        return [str(error)]
    reasons = []
    for item in stored:
        name = item.variant
        if item.reasons and left_out.get(name) == item.fingerprint:
            continue  # left out of the report for that very reason
        if item.reasons:
            reasons.append(f"the stored fit {name} is not current: {'; '.join(item.reasons)}")
        elif name not in fits:
            reasons.append(f"the fit {name} is not in the report")
        elif fits[name] != item.fingerprint:
            reasons.append(f"the report shows an earlier fit of {name}")
    there = {item.variant for item in stored}
    gone = [name for name in fits if name not in there]
    return reasons + [f"the report shows {name}, of which no fit is stored" for name in gone]


def _against_study(study: Study, fits: dict[str, str]) -> list[str]:
    """Hold a report without its fits against what the study gives under its own settings."""
    reasons = []
    known = catalogue(study)
    for name, fingerprint in fits.items():
        if name not in known:
            reasons.append(f"the report shows {name}, which is no variant of the study any more")
            continue
        find_variant(study, name)
        wanted = store.fingerprint(study, name, priors_of(study, name), settings_of(study))
        if store.short_hash(wanted) != fingerprint:
            reasons.append(f"the report shows another fit of {name} than the study gives now")
    if len(fits) > 1:  # a report of the default alone was meant so
        reasons += [f"the report does not show {name}" for name in known if name not in fits]
    return reasons
