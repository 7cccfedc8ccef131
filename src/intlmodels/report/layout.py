"""What a report of each model consists of, as data; nothing is imported before it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from intlmodels.core.errors import StudyError


@dataclass(frozen=True)
class Layout:
    """The report of one model.

    Attributes
    ----------
    material : str
        Class that gathers what the report shows, a subclass of
        :class:`intlmodels.report.data.Material`, as ``module:name`` within the package.
    sections : mapping of str to str
        Name of each section, in their order, to the function that makes it from the material;
        where there is nothing to say it returns None, and the section is left out.
    second_half : tuple of str
        Drawing takes most of the time of a report: these sections take about half of it.
    """

    material: str
    sections: Mapping[str, str]
    second_half: tuple[str, ...]


#: Model -> its report. What only one model has is in the package named after the model; sections
#: that every model has are in ``report``.
LAYOUTS: dict[str, Layout] = {
    "share": Layout(
        material="report.sharedata:ShareMaterial",
        sections={
            "answer": "report.share:answer",
            "claims": "report.claims:claims",
            "data": "report.share:data",
            "claim_numbers": "report.claims:numbers",
            "model": "report.share:model",
            "priors": "report.share:priors",
            "diagnostics": "report.content:diagnostics",
            "prior_posterior": "report.content:prior_posterior",
            "estimates": "report.share:estimates",
            "clusters": "report.clusters:clusters",
            "opportunity": "report.clusters:opportunity",
            "new_firms": "report.share:new_firms",
            "predictions": "report.share:predictions",
            "outcomes": "report.outcomes:outcomes",
            "variants": "report.share:variants",
            "comparison": "report.checks:comparison",
            "sensitivity": "report.checks:sensitivity",
            "calibration": "report.checks:calibration",
            "limits": "report.share:limits",
            "reproduce": "report.provenance:reproduce",
            "sources": "report.provenance:sources",
        },
        second_half=(
            *("priors", "diagnostics", "prior_posterior", "new_firms", "predictions"),
            *("calibration", "comparison"),
        ),
    ),
    "register": Layout(
        material="report.sharedata:RegisterMaterial",
        sections={
            "answer": "report.share:answer",
            "data": "report.cells:data",
            "model": "report.share:model",
            "priors": "report.cells:priors",
            "diagnostics": "report.content:diagnostics",
            "prior_posterior": "report.content:prior_posterior",
            "estimates": "report.share:estimates",
            "clusters": "report.clusters:clusters",
            "new_firms": "report.share:new_firms",
            "predictions": "report.cells:predicted",
            "variants": "report.share:variants",
            "limits": "report.cells:limits",
            "reproduce": "report.provenance:reproduce",
            "sources": "report.provenance:sources",
        },
        second_half=("prior_posterior", "diagnostics", "new_firms", "predictions"),
    ),
    "sequences": Layout(
        material="report.decaydata:SequenceMaterial",
        sections={
            "answer": "report.decay:answer",
            "data": "report.sequences:data",
            "model": "report.sequences:model",
            "priors": "report.decay:priors",
            "diagnostics": "report.content:diagnostics",
            "prior_posterior": "report.content:prior_posterior",
            "estimates": "report.decay:estimates",
            "predictions": "report.sequences:predicted",
            "variants": "report.decay:variants",
            "limits": "report.sequences:limits",
            "reproduce": "report.provenance:reproduce",
            "sources": "report.provenance:sources",
        },
        second_half=("prior_posterior", "diagnostics", "predictions", "variants"),
    ),
    "decay": Layout(
        material="report.decaydata:DecayMaterial",
        sections={
            "answer": "report.decay:answer",
            "audit": "report.decay:audit",
            "claims": "report.claims:claims",
            "data": "report.decay:data",
            "claim_numbers": "report.claims:numbers",
            "model": "report.decay:model",
            "priors": "report.decay:priors",
            "diagnostics": "report.content:diagnostics",
            "prior_posterior": "report.content:prior_posterior",
            "estimates": "report.decay:estimates",
            "reconstruction": "report.decay:reconstruction",
            "variants": "report.decay:variants",
            "comparison": "report.checks:comparison",
            "sensitivity": "report.checks:sensitivity",
            "calibration": "report.checks:calibration",
            "limits": "report.decay:limits",
            "reproduce": "report.provenance:reproduce",
            "sources": "report.provenance:sources",
        },
        second_half=(
            *("data", "prior_posterior", "diagnostics"),
            *("estimates", "variants", "calibration"),
        ),
    ),
}


def layout_of(model: str) -> Layout:
    """The report of a model.

    Raises
    ------
    StudyError
        If reports of the model are not known.
    """
    if model not in LAYOUTS:
        raise StudyError(
            f"there is no report of this model; there is one of {', '.join(LAYOUTS)}", value=model
        )
    return LAYOUTS[model]


def load(place: str) -> Any:
    """The class or function at ``module:name`` within the package."""
    module, _, name = place.partition(":")
    return getattr(import_module(f"intlmodels.{module}"), name)
