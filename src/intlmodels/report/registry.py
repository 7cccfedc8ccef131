"""What the report of each model consists of: its sections in their order, and who makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intlmodels.core.csvtable import csv_text
from intlmodels.core.errors import StudyError
from intlmodels.report import (
    checks,
    claims,
    clusters,
    decay,
    outcomes,
    provenance,
    sections,
    share,
    terms,
)
from intlmodels.report.blocks import Report, Section
from intlmodels.report.data import DecayReportData, ReportData, ShareReportData, gather
from intlmodels.studies import Study

#: Sections on checks that need the single firms, which a register does not list.
OF_SINGLE_FIRMS = frozenset(
    {"drivers", "comparison", "sensitivity", "multiverse", "calibration", "design"}
)


@dataclass(frozen=True)
class ReportParts[Data: ReportData]:
    """The report of one model.

    Attributes
    ----------
    sections : mapping of str to callable
        Name of each section, in their order -> the function that makes it from the data; where
        there is nothing to say it returns None, and the section is left out.
    second_half : frozenset of str
        Drawing takes most of the time of a report: these sections take about half of it.
    """

    sections: Mapping[str, Callable[[Data], Section | None]]
    second_half: frozenset[str]


SHARE = ReportParts[ShareReportData](
    sections={
        "answer": share.answer,
        "claims": claims.claims,
        "data": share.data,
        "claim_numbers": claims.numbers,
        "model": share.model,
        "priors": share.priors,
        "diagnostics": sections.diagnostics,
        "prior_posterior": sections.prior_posterior,
        "estimates": share.estimates,
        "terms": terms.terms,
        "zeros": terms.zeros,
        "clusters": clusters.clusters,
        "opportunity": clusters.opportunity,
        "new_firms": share.new_firms,
        "predictions": share.predictions,
        "outcomes": outcomes.outcomes,
        "drivers": checks.drivers,
        "variants": share.variants,
        "comparison": checks.comparison,
        "sensitivity": checks.sensitivity,
        "multiverse": checks.multiverse,
        "calibration": checks.calibration,
        "design": checks.design,
        "limits": share.limits,
        "reproduce": provenance.reproduce,
        "sources": provenance.sources,
    },
    second_half=frozenset(
        {
            *("priors", "diagnostics", "prior_posterior", "new_firms", "predictions"),
            *("calibration", "comparison"),
        }
    ),
)

DECAY = ReportParts[DecayReportData](
    sections={
        "answer": decay.answer,
        "audit": decay.audit,
        "claims": claims.claims,
        "data": decay.data,
        "claim_numbers": claims.numbers,
        "model": decay.model,
        "priors": decay.priors,
        "diagnostics": sections.diagnostics,
        "prior_posterior": sections.prior_posterior,
        "estimates": decay.estimates,
        "predictions": decay.predictions,
        "reconstruction": decay.reconstruction,
        "drivers": decay.drivers,
        "attributes": decay.attributes,
        "rivals": decay.rivals,
        "variants": decay.variants,
        "comparison": checks.comparison,
        "sensitivity": checks.sensitivity,
        "multiverse": checks.multiverse,
        "calibration": checks.calibration,
        "limits": decay.limits,
        "reproduce": provenance.reproduce,
        "sources": provenance.sources,
    },
    second_half=frozenset(
        {"data", "prior_posterior", "diagnostics", "estimates", "variants", "calibration"}
    ),
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


def sections_of(
    study: Study, folder: Path, names: Sequence[str], tables: bool = True
) -> tuple[Report, dict[str, Section]]:
    """Make some sections of a report from what is stored; the work of one process.

    Parameters
    ----------
    study : Study
    folder : Path
        With the stored fits.
    names : sequence of str
        Which sections.
    tables : bool
        Whether the CSV tables are made as well.

    Returns
    -------
    Report
        Without sections.
    dict of str to Section
        The sections by name.
    """
    m = gather(study, folder)
    version = m.attribute("versions")["intlmodels"]
    frame = Report(
        title=m.study.title,
        subtitle=m.subtitle,
        sections=(),
        top=tuple(sections.failure(m)),
        footer=f"Written by intlmodels {version} from the fit {m.stored[0].fingerprint}.",
        csv={n: csv_text(table) for n, table in m.csv_tables().items()} if tables else {},
    )
    if m.register is not None:
        names = [name for name in names if name not in OF_SINGLE_FIRMS]
    parts = parts_of(study.model).sections
    made = {name: parts[name](m) for name in names}
    return frame, {name: section for name, section in made.items() if section is not None}
