"""What a report was written from, hidden in it, and whether that is still so."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from intlmodels.checks.stored import KINDS, path_of
from intlmodels.core import files
from intlmodels.core.errors import StudyError
from intlmodels.core.jsonvalues import build, parse_json
from intlmodels.core.versions import ESTIMANDS_VERSION, REPORT_VERSION
from intlmodels.fitting import store
from intlmodels.fitting.jobs import Stored, settings_of, stored_fits, stored_path
from intlmodels.models import DEFAULT, catalogue, priors_of
from intlmodels.studies import Study

_MARK = re.compile(r"<!-- intlmodels-record (\{.*\}) -->")


def versions_of(model: str) -> list[int]:
    """Versions of the report and of the estimands that it shows."""
    return [REPORT_VERSION, ESTIMANDS_VERSION[model]]


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


def study_hash(study: Study) -> str:
    """Hash of a study as written: its tables and what study.toml says."""
    tables = {name: [table.header, table.rows] for name, table in study.tables.items()}
    return files.short_hash(study.document.replace("\r\n", "\n"), tables)


def checks_hash(folder: Path) -> str:
    """Hash of what calibration, comparison and sensitivity found, as stored."""
    paths = [path for kind in KINDS if (path := path_of(folder, kind)).is_file()]
    return files.short_hash({p.name: p.read_text("utf-8", errors="replace") for p in paths})


def write_record(study: Study, folder: Path, stored: list[Stored], files: list[str]) -> str:
    """The record of a report, as text that fits an HTML comment."""
    record = {
        "fits": {item.variant: item.fingerprint for item in stored if not item.reasons},
        "left_out": {item.variant: item.fingerprint for item in stored if item.reasons},
        "study": study_hash(study),
        "trust": checks_hash(folder),
        "versions": versions_of(study.model),
        "files": sorted(files),
    }
    return json.dumps(record, sort_keys=True).replace("--", "-\\u002d")


@dataclass(frozen=True)
class Record:
    """What :func:`write_record` writes: hashes of what a report was written from, and its files."""

    fits: dict[str, str]
    left_out: dict[str, str]
    study: str
    trust: str
    versions: tuple[int, ...]
    files: tuple[str, ...]


def read_record(folder: Path) -> Record | None:
    """The record in the report of a folder; None if there is none that can be read."""
    found = _MARK.findall((folder / "report.md").read_text("utf-8", errors="replace"))
    try:
        return build(Record, parse_json(found[-1])) if found else None
    except ValueError:
        return None


def why_stale(study: Study, folder: Path) -> list[str]:
    """Reasons to write the report again; empty if it is current."""
    if not (folder / "report.md").is_file():
        return ["there is no report yet"]
    record = read_record(folder)
    if record is None:
        return ["report.md does not record what it was written from"]
    versions = versions_of(study.model)
    changes = {
        "the version of reports or estimands changed": list(record.versions) != versions,
        "the text of the study changed": record.study != study_hash(study),
        "calibration, comparison or sensitivity were computed again": (
            record.trust != checks_hash(folder)
        ),
        **{f"{name} is missing": not (folder / name).is_file() for name in record.files},
    }
    reasons = [reason for reason, holds in changes.items() if holds]
    if stored_path(folder, DEFAULT).exists():
        return reasons + _against_stored(study, folder, record)
    return reasons + _against_study(study, record.fits)


def _against_stored(study: Study, folder: Path, record: Record) -> list[str]:
    try:
        stored = stored_fits(study, folder)
    except StudyError as error:
        return [str(error)]
    reasons = []
    for item in stored:
        name = item.variant
        if item.reasons and record.left_out.get(name) == item.fingerprint:
            continue  # left out of the report for that very reason
        if item.reasons:
            reasons.append(f"the stored fit {name} is not current: {'; '.join(item.reasons)}")
        elif name not in record.fits:
            reasons.append(f"the fit {name} is not in the report")
        elif record.fits[name] != item.fingerprint:
            reasons.append(f"the report shows an earlier fit of {name}")
    there = {item.variant for item in stored}
    gone = [name for name in record.fits if name not in there]
    return reasons + [f"the report shows {name}, of which no fit is stored" for name in gone]


def _against_study(study: Study, fits: dict[str, str]) -> list[str]:
    """Hold a report without its fits against what the study gives under its own settings."""
    reasons = []
    known = catalogue(study)
    for name, fingerprint in fits.items():
        if name not in known:
            reasons.append(f"the report shows {name}, which is no longer a variant of the study")
            continue
        wanted = store.fingerprint(study, name, priors_of(study, name), settings_of(study))
        if files.short_hash(wanted) != fingerprint:
            reasons.append(f"the report shows another fit of {name} than the study gives now")
    if len(fits) > 1:  # a report of the default alone was meant so
        reasons += [f"the report does not show {name}" for name in known if name not in fits]
    return reasons
