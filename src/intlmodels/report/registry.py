"""What the report of each model consists of: its sections in their order, and who makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intlmodels.core.csvtable import csv_text
from intlmodels.core.errors import StudyError
from intlmodels.report import (
    checks,
    claims,
    clusters,
    decay,
    decayfront,
    front,
    outcomes,
    provenance,
    sections,
    share,
    sharefront,
    terms,
)
from intlmodels.report.data import DecayReportData, ReportData, ShareReportData, gather
from intlmodels.report.pages import Page, Values
from intlmodels.report.render import Format, Rendering
from intlmodels.studies import Study

if TYPE_CHECKING:
    from xarray import DataTree


#: Sections on checks that need the single firms, which a register does not list.
OF_SINGLE_FIRMS = frozenset(
    {"influence", "comparison", "sensitivity", "multiverse", "calibration", "design"}
)


#: A section: makes the values of its template from the data; None where there is nothing to say.
type Sections[Data: ReportData] = Mapping[str, Callable[[Data], Values | None]]


@dataclass(frozen=True)
class ReportParts[Data: ReportData]:
    """The report of one model.

    Attributes
    ----------
    templates : tuple of str
        Folders of templates; the first that has a section's template counts.
    pages : dict of str to mapping
        ``report`` and ``appendix``: name of each section, in their order -> the function that
        makes the values of its template.
    """

    templates: tuple[str, ...]
    pages: dict[str, Sections[Data]]

    @property
    def sections(self) -> dict[str, Callable[[Data], Values | None]]:
        """All sections, whatever their page."""
        return {name: make for sections in self.pages.values() for name, make in sections.items()}


SHARE = ReportParts[ShareReportData](
    templates=("share", "common"),
    pages={
        "report": {
            "finding": sharefront.finding,
            "question": front.question,
            "data": sharefront.data,
            "estimates": sharefront.estimates,
            "reasons": sharefront.reasons,
            "robustness": front.robustness,
            "claims": claims.findings,
            "checks": front.checks,
            "limits": sharefront.limits,
            "citation": front.citation,
        },
        "appendix": {
            "ledger": claims.claims,
            "numbers": claims.numbers,
            "data_table": share.data,
            "model": share.model,
            "priors": share.priors,
            "diagnostics": sections.diagnostics,
            "parameters": sections.prior_posterior,
            "levels": share.estimates,
            "terms": terms.terms,
            "zeros": terms.zeros,
            "clusters": clusters.clusters,
            "opportunity": clusters.opportunity,
            "new_firms": share.new_firms,
            "predictions": share.predictions,
            "outcomes": outcomes.outcomes,
            "influence": checks.influence,
            "variants": share.variants,
            "comparison": checks.comparison,
            "sensitivity": checks.sensitivity,
            "multiverse": checks.multiverse,
            "calibration": checks.calibration,
            "design": checks.design,
            "not_run": checks.not_run,
            "limitations": share.limits,
            "reproduce": provenance.reproduce,
            "sources": provenance.sources,
            "glossary": sections.glossary,
        },
    },
)

DECAY = ReportParts[DecayReportData](
    templates=("decay", "common"),
    pages={
        "report": {
            "finding": decayfront.finding,
            "question": front.question,
            "data": decayfront.data,
            "estimates": decayfront.estimates,
            "reasons": decayfront.reasons,
            "robustness": front.robustness,
            "claims": claims.findings,
            "checks": front.checks,
            "limits": decayfront.limits,
            "citation": front.citation,
        },
        "appendix": {
            "audit": decay.audit,
            "ledger": claims.claims,
            "numbers": claims.numbers,
            "data_table": decay.data,
            "model": decay.model,
            "priors": decay.priors,
            "diagnostics": sections.diagnostics,
            "parameters": sections.prior_posterior,
            "curves": decay.estimates,
            "predictions": decay.predictions,
            "reconstruction": decay.reconstruction,
            "influence": checks.influence,
            "attributes": decay.attributes,
            "rivals": decay.rivals,
            "variants": decay.variants,
            "comparison": checks.comparison,
            "sensitivity": checks.sensitivity,
            "multiverse": checks.multiverse,
            "calibration": checks.calibration,
            "not_run": checks.not_run,
            "limitations": decay.limits,
            "reproduce": provenance.reproduce,
            "sources": provenance.sources,
            "glossary": sections.glossary,
        },
    },
)

#: What a study says of its model and the shape of its data -> the report.
REPORTS: dict[str, ReportParts[Any]] = {
    "share": SHARE,
    "register": SHARE,
    "decay": DECAY,
    "sequences": DECAY,
}


def parts_of(model: str) -> ReportParts[Any]:
    """The report of a model.

    Raises
    ------
    StudyError
        If reports of the model are not known.
    """
    if model not in REPORTS:
        raise StudyError(
            f"there is no report of this model; there is one of {', '.join(REPORTS)}", value=model
        )
    return REPORTS[model]


@dataclass(frozen=True)
class Frame:
    """What a report needs beside its sections: words of its head and foot, failures, tables."""

    about: dict[str, str]
    failure: Values
    passed: bool
    csv: dict[str, str]


def sections_of(
    study: Study, folder: Path, tables: bool = True, fit: DataTree | None = None
) -> tuple[Frame, dict[str, Values]]:
    """Values of the sections of a report from what is stored.

    Parameters
    ----------
    study : Study
    folder : Path
        With the stored fits.
    tables : bool
        Whether the CSV tables are made as well.
    fit : xarray.DataTree, optional
        See :func:`intlmodels.report.write`.

    Returns
    -------
    Frame
    dict of str to dict
        The values of each section's template, by name; sections with nothing to say are left out.
    """
    m = gather(study, folder, fit)
    version = m.attribute("versions")["intlmodels"]
    frame = Frame(
        about={
            "title": m.study.title,
            "subtitle": m.subtitle,
            "footer": f"Written by intlmodels {version} from the fit {m.stored[0].fingerprint}.",
        },
        failure=sections.failure(m),
        passed=m.passed,
        csv={n: csv_text(table) for n, table in m.csv_tables().items()} if tables else {},
    )
    left_out = OF_SINGLE_FIRMS if m.register is not None else ()
    parts = parts_of(study.model).sections
    made = {name: make(m) for name, make in parts.items() if name not in left_out}
    return frame, {name: own for name, own in made.items() if own is not None}


def render(
    form: Format, model: str, frame: Frame, values: Mapping[str, Values]
) -> tuple[Rendering, dict[str, Page]]:
    """All pages of a report in one format; sections without values are left out."""
    parts = parts_of(model)
    rendering = Rendering(form, parts.templates, frame.passed, frame.csv)
    pages = {
        page: {name: values[name] for name in sections if name in values}
        for page, sections in parts.pages.items()
    }
    return rendering, rendering.pages(pages)
