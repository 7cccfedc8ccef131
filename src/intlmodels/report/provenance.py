"""How to get the same draws again, and what to cite."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from intlmodels.checks.stored import CheckResults
from intlmodels.core.formats import DASH, listed
from intlmodels.fitting.jobs import settings_of
from intlmodels.report.data import ReportData
from intlmodels.report.pages import Values
from intlmodels.studies import Study, packaged_studies
from intlmodels.studies.base import parse_entry

# -- what to cite ------------------------------------------------------------------------


@dataclass(frozen=True)
class Reference:
    """A publication or program: kind and fields of its BibTeX entry, in Unicode."""

    kind: str
    fields: Mapping[str, str]

    @property
    def authors(self) -> list[str]:
        """As ``Family, Given``; a group has no comma."""
        return [name.strip("{}") for name in self.fields["author"].split(" and ")]

    @property
    def who(self) -> str:
        """Family names, as a sentence lists them."""
        return listed([name.partition(",")[0] for name in self.authors])

    @property
    def year(self) -> str:
        """Empty for a program."""
        return self.fields.get("year", "")

    @property
    def text(self) -> str:
        """In one line, without a full stop."""
        known = self.fields
        year = f" ({self.year})" if self.year else ""
        number = f"({known['number']})" if "number" in known else ""
        volume = f" {known['volume']}{number}" if "volume" in known else ""
        pages = f", {known['pages'].replace('--', DASH)}" if "pages" in known else ""
        arxiv = f"arXiv:{known['eprint']}" if "eprint" in known else ""
        where = known.get("journal", arxiv) + volume + pages + known.get("howpublished", "")
        return ", ".join(filter(None, [f"{self.who}{year}", known["title"], where]))


def _read_references() -> dict[str, Reference]:
    text = Path(__file__).with_name("references.bib").read_text(encoding="utf-8")
    return {
        key: Reference(kind, {name: value[1:-1] for name, value in fields.items()})
        for kind, key, fields in map(parse_entry, text.strip().split("\n\n"))
    }


#: Key -> what the methods are cited by.
REFERENCES = _read_references()
#: Key of the package itself.
OWN = "intlmodels"


def own(version: str) -> Reference:
    """The package, in the version that made a fit."""
    return Reference(
        "misc",
        {
            "author": "{intlmodels developers}",
            "title": "intlmodels: Bayesian models for how firms in regional clusters go abroad",
            "howpublished": f"version {version}",
        },
    )


@dataclass(frozen=True)
class Method:
    """Something that was done, in words, and the keys of what to cite for it."""

    what: str
    keys: tuple[str, ...]


#: Name of a method -> what it is and what to cite.
METHODS: dict[str, Method] = {
    "nuts": Method("No-U-turn sampler", ("hoffman2014",)),
    "nutpie": Method("Its implementation", ("nutpie",)),
    "pymc": Method("Building of the model", ("abrilpla2023",)),
    "arviz": Method("Computation of the diagnostics", ("kumar2019",)),
    "rhat": Method("R-hat and effective sample size", ("vehtari2021",)),
    "ebfmi": Method("E-BFMI", ("betancourt2016",)),
    "beta": Method("Regression of shares", ("ferrari2004",)),
    "variation": Method("Variation by source", ("shorrocks2013",)),
    "clusters": Method("Partial pooling of clusters", ("gelman2006",)),
    "groups": Method("Partial pooling of groups", ("gelman2006",)),
    "split": Method("Effects between firms and within them", ("mundlak1978",)),
    "turning": Method("Whether a curve turns within the observed range", ("lind2010",)),
    "precision": Method("Precision that depends on predictors", ("smithson2006",)),
    "ordered-beta": Method("Shares of exactly 0 and 100 percent", ("kubinec2023",)),
    "weights": Method("Effective number of weighted rows", ("kish1965",)),
    "density": Method("Variant density", ("smithson2006",)),
    "penalized-complexity": Method("Variant penalized-complexity", ("simpson2017",)),
    "ordered": Method("Ordered effects", ("buerkner2020",)),
    "levels": Method("Ordered outcomes", ("mccullagh1980",)),
    "augmentation": Method(
        "Tables and parameters drawn in turn (data augmentation)", ("tanner1987",)
    ),
    "table steps": Method("Firms' effects summed out while tables move", ("liu1994",)),
    "parameter steps": Method("Steps of the parameters", ("neal2003", "yu2011")),
    "bounds": Method("Bounds of cells from margins", ("frechet1951",)),
    "audit": Method("Integer programs of the audit (HiGHS)", ("huangfu2018",)),
    "calibration": Method("Simulation-based calibration", ("talts2018", "modrak2023")),
    "uniformity": Method("Uniform ranks, and their simultaneous bands", ("sailynoja2022",)),
    "elpd": Method("Uncertainty of differences in elpd", ("sivula2020",)),
    "stacking": Method("Stacking", ("yao2018",)),
    "evidence": Method("Log evidence by bridge sampling", ("meng1996", "gronau2017")),
    "pit": Method("Probability integral transform of discrete outcomes", ("czado2009",)),
    "power-scaling": Method("Power-scaling", ("kallioinen2024",)),
}


def lines(methods: Iterable[str]) -> tuple[str, ...]:
    """Each method in words, with what to cite for it."""
    return tuple(
        f"{METHODS[name].what}: {'; '.join(REFERENCES[key].text for key in METHODS[name].keys)}."
        for name in methods
    )


def keys(methods: Iterable[str]) -> tuple[str, ...]:
    """Keys of what to cite for methods, each once."""
    return tuple(dict.fromkeys(key for name in methods for key in METHODS[name].keys))


# -- the sections ------------------------------------------------------------------------


def study_argument(study: Study, above: str = ".") -> str:
    """What to type for the study: its name if it comes with the package, else its folder.

    ``above``: the way to where the folder stands, from the report ``../..``.
    """
    if packaged_studies().get(study.name) == study.folder:
        return study.name
    return f"{above}/{study.folder.name}"


def unsaved(study: Study) -> str:
    """What gives a study that was made in Python the folder that a command line needs."""
    return Markup("" if study.folder.is_absolute() else f'`study.save("{study.folder.name}")`')


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
    priors = [item for fit in m.shown.values() for item in json.loads(fit.attrs["priors"]).items()]
    given = {name: prior["text"] for name, prior in priors if prior["origin"] == "command line"}
    for name, text in given.items():
        parts += ["--prior", f"{name}={text}"]
    return shlex.join(parts)


def reproduce(m: ReportData) -> Values:
    """Command, settings, versions and fingerprints."""
    settings = m.attribute("settings").items()
    used = m.attribute("settings_used") if "settings_used" in m.fit.attrs else {}
    changed = {name: f" (used: {used[name]})" for name, v in settings if used.get(name, v) != v}
    fits = [item for item in m.stored if item.variant in m.shown]
    return {
        "command": command(m),
        "unsaved": unsaved(m.study),
        "rows": [
            *(
                (name.replace("_", " "), f"{value}{changed.get(name, '')}")
                for name, value in settings
            ),
            *((name, str(version)) for name, version in m.attribute("versions").items()),
        ],
        "fits": [
            (
                item.variant if item.gate.passed else f"{item.variant} (did not converge)",
                item.fingerprint,
            )
            for item in fits
        ],
    }


def sources(m: ReportData) -> Values:
    """Where data, software and methods come from."""
    return {
        "source": m.study.source,
        "software": own(m.attribute("versions")["intlmodels"]).text,
        "fingerprint": m.stored[0].fingerprint,
        "methods": lines(methods(m)),
    }


def methods(m: ReportData) -> tuple[str, ...]:
    """Names of everything that was used, in :data:`METHODS`."""
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
    compared = checks.comparison.value
    shown = (
        (checks.calibration, ("calibration", "uniformity")),
        (checks.comparison, () if _determined(checks) else ("elpd", "stacking", "pit")),
        (checks.sensitivity, ("power-scaling",)),
    )
    found = [name for check, names in shown if check.value is not None for name in names]
    return (*found, *(["evidence"] if compared is not None and compared.evidence else []))


def _determined(checks: CheckResults) -> bool:
    """Whether counts determine each other, so that leaving one out compares no variants."""
    return checks.evidence.value is not None and bool(checks.evidence.value.determined)
