"""How to get the same draws again, and what to cite."""

from __future__ import annotations

import json
import shlex

from intlmodels.report.blocks import Block, Code, Items, Paragraph, Section, Table
from intlmodels.report.material import Material
from intlmodels.study import Study, list_studies, load_study
from intlmodels.trust.stored import Trust
from intlmodels.workflow import settings_of

#: References that materials of several models name among their methods.
RHAT = (
    "R-hat and effective sample size: Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), "
    "Rank-normalization, folding, and localization: an improved R-hat, Bayesian Analysis 16(2), "
    "667–718."
)
EBFMI = (
    "E-BFMI: Betancourt (2016), Diagnosing suboptimal cotangent disintegrations in Hamiltonian "
    "Monte Carlo, arXiv:1604.00695."
)

#: Where the methods were published.
CALIBRATION_METHODS = (
    "Simulation-based calibration: Talts, Betancourt, Simpson, Vehtari and Gelman (2018), "
    "Validating Bayesian inference algorithms with simulation-based calibration, "
    "arXiv:1804.06788; Modrák, Moon, Kim, Bürkner, Huurre, Faltejsková, Gelman and Vehtari "
    "(2023), Simulation-based calibration checking for Bayesian computation: the choice of test "
    "quantities shapes sensitivity, Bayesian Analysis.",
    "Uniform ranks, and their simultaneous bands: Säilynoja, Bürkner and Vehtari (2022), Graphical "
    "test for discrete uniformity and its applications in goodness-of-fit evaluation and multiple "
    "sample comparison, Statistics and Computing 32, 32.",
)
COMPARISON_METHODS = (
    "Uncertainty of differences in elpd: Sivula, Magnusson, Matamoros and Vehtari (2020), "
    "Uncertainty in Bayesian leave-one-out cross-validation based model comparison, "
    "arXiv:2008.10296.",
    "Stacking: Yao, Vehtari, Simpson and Gelman (2018), Using stacking to average Bayesian "
    "predictive distributions, Bayesian Analysis 13(3), 917–1007.",
    "Probability integral transform of discrete outcomes: Czado, Gneiting and Held (2009), "
    "Predictive model assessment for count data, Biometrics 65(4), 1254–1261.",
)
SENSITIVITY_METHODS = (
    "Power-scaling: Kallioinen, Paananen, Bürkner and Vehtari (2024), Detecting and diagnosing "
    "prior and likelihood sensitivity with power-scaling, Statistics and Computing 34, 57.",
)


def study_argument(study: Study) -> str:
    """What to type for the study: its name if it comes with the package, else its folder."""
    if study.name in list_studies() and load_study(study.name).folder == study.folder:
        return study.name
    return f"./{study.folder.name}"


def command(m: Material) -> str:
    """The command line that gives the same draws."""
    parts = ["intlmodels", "fit", study_argument(m.study)]
    names = [name for name in m.variants if name != "default"]
    if names:
        every = set(names) == set(m.catalogue) - {"default"}
        parts += ["--variants", "all" if every else ",".join(names)]
    used, usual = m.attribute("settings"), settings_of(m.study).identity()
    for name, value in used.items():
        if value != usual.get(name):
            parts += [f"--{name.replace('_', '-')}", str(value)]
    overrides: dict[str, str] = {}
    for fit in m.variants.values():
        for name, prior in json.loads(fit.attrs["priors"]).items():
            if prior["origin"] == "command line":
                overrides[name] = prior["text"]
    for name, text in overrides.items():
        parts += ["--prior", f"{name}={text}"]
    return shlex.join(parts)


def reproduce(m: Material) -> Section:
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
                if item.variant in m.variants
            ),
        ),
        Paragraph(
            "In the CSV files a text that starts with =, +, - or @ has an apostrophe before it, "
            "so that a spreadsheet does not take it for a formula."
        ),
    ]
    return Section("reproduce", "How to reproduce it to the draw", tuple(blocks))


def sources(m: Material) -> Section:
    """Where data, software and methods come from."""
    version = m.attribute("versions")["intlmodels"]
    own = m.study.source or "The study names no source."
    return Section(
        "sources",
        "Sources and how to cite",
        (
            Paragraph(f"Data: {own}"),
            Paragraph(
                f"Software: intlmodels developers, intlmodels: Bayesian models for how firms in "
                f"regional clusters go abroad, version {version}. Cite it together with the source "
                f"of the data; the fit is identified by {m.stored[0].fingerprint}."
            ),
            Paragraph("Methods:"),
            Items((*m.methods, *methods_of(m.trust))),
        ),
    )


def methods_of(trust: Trust) -> tuple[str, ...]:
    """References of what is shown."""
    shown = (
        (trust.calibration, CALIBRATION_METHODS),
        (trust.comparison, COMPARISON_METHODS),
        (trust.sensitivity, SENSITIVITY_METHODS),
    )
    return tuple(line for found, lines in shown if found.value is not None for line in lines)
