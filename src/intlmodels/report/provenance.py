"""How to get the same draws again, and what to cite."""

from __future__ import annotations

import json
import shlex

from intlmodels.checks.stored import CheckResults
from intlmodels.fitting.jobs import settings_of
from intlmodels.report import references
from intlmodels.report.blocks import Block, Code, Items, Paragraph, Section, Table
from intlmodels.report.data import ReportData
from intlmodels.study import Study, list_studies, load_study

#: Methods behind what calibrate, compare and sensitivity find.
CALIBRATION_METHODS = ("calibration", "uniformity")
COMPARISON_METHODS = ("elpd", "stacking", "pit")
SENSITIVITY_METHODS = ("power-scaling",)


def study_argument(study: Study) -> str:
    """What to type for the study: its name if it comes with the package, else its folder."""
    if study.name in list_studies() and load_study(study.name).folder == study.folder:
        return study.name
    return f"./{study.folder.name}"


def command(m: ReportData) -> str:
    """The command line that gives the same draws."""
    parts = ["intlmodels", "fit", study_argument(m.study)]
    names = [name for name in m.shown if name != "default"]
    if names:
        every = set(names) == set(m.catalogue) - {"default"}
        parts += ["--variants", "all" if every else ",".join(names)]
    used, usual = m.attribute("settings"), settings_of(m.study).identity()
    for name, value in used.items():
        if value != usual.get(name):
            parts += [f"--{name.replace('_', '-')}", str(value)]
    overrides: dict[str, str] = {}
    for fit in m.shown.values():
        for name, prior in json.loads(fit.attrs["priors"]).items():
            if prior["origin"] == "command line":
                overrides[name] = prior["text"]
    for name, text in overrides.items():
        parts += ["--prior", f"{name}={text}"]
    return shlex.join(parts)


def reproduce(m: ReportData) -> Section:
    """Command, settings, versions and fingerprints."""
    settings = m.attribute("settings")
    versions = m.attribute("versions")
    rows = [(name.replace("_", " "), str(value)) for name, value in settings.items()]
    blocks: list[Block] = [
        Paragraph(
            "With the same versions on the same kind of machine, this command gives the same draws."
        ),
        Code(command(m)),
        Table("Settings", ("setting", "value"), tuple(rows)),
        Table(
            "Versions recorded with the draws",
            ("package", "version"),
            tuple((name, str(version)) for name, version in versions.items()),
        ),
        Table(
            "Fits shown, and the fingerprint of everything their draws depend on",
            ("fit", "fingerprint", "converged"),
            tuple(
                (
                    item.variant,
                    item.fingerprint,
                    "yes" if item.gate.passed else "NO, did not converge",
                )
                for item in m.stored
                if item.variant in m.shown
            ),
        ),
        Paragraph(
            "In the CSV files a text that starts with =, +, - or @ has an apostrophe before it, "
            "so that a spreadsheet does not take it for a formula."
        ),
    ]
    return Section("reproduce", "How to reproduce it to the draw", tuple(blocks))


def sources(m: ReportData) -> Section:
    """Where data, software and methods come from."""
    version = m.attribute("versions")["intlmodels"]
    stated = m.study.source or "The study names no source."
    return Section(
        "sources",
        "Sources and how to cite",
        (
            Paragraph(f"Data: {stated}"),
            Paragraph(
                f"Software: {references.own(version).text}. Cite it together with the source "
                f"of the data; the fit is identified by {m.stored[0].fingerprint}."
            ),
            Paragraph("Methods:"),
            Items(references.lines(methods(m))),
        ),
    )


def methods(m: ReportData) -> tuple[str, ...]:
    """Names of everything that was used, in :data:`intlmodels.report.references.METHODS`."""
    return (*sampling(m), *m.methods, *methods_of(m.check_results))


def sampling(m: ReportData) -> tuple[str, ...]:
    """How the draws were made, and what they were checked with."""
    settings = m.attribute("settings")
    checks = ("arviz", "rhat")
    if "target_accept" not in settings:  # drawn without Hamiltonian trajectories
        return checks
    nutpie = ("nutpie",) if settings["sampler"] == "nutpie" else ()
    return ("nuts", *nutpie, "pymc", *checks, "ebfmi")


def methods_of(checks: CheckResults) -> tuple[str, ...]:
    """Methods behind what is shown of calibration, comparison and sensitivity."""
    shown = (
        (checks.calibration, CALIBRATION_METHODS),
        (checks.comparison, COMPARISON_METHODS),
        (checks.sensitivity, SENSITIVITY_METHODS),
    )
    return tuple(name for found, names in shown if found.value is not None for name in names)
