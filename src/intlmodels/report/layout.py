"""What a report of each model consists of, as data; nothing is imported before it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from intlmodels.errors import StudyError


@dataclass(frozen=True)
class Layout:
    """The report of one model.

    Attributes
    ----------
    material : str
        Class that gathers what the report shows, a subclass of
        :class:`intlmodels.report.material.Material`, as ``module:name`` within the package.
    methods : str
        Function that tells the model in a paragraph, for papers.
    sections : mapping of str to str
        Name of each section, in their order, to the function that makes it from the material;
        where there is nothing to say it returns None, and the section is left out.
    second_half : tuple of str
        Drawing takes most of the time of a report: these sections take about half of it.
    """

    material: str
    methods: str
    sections: Mapping[str, str]
    second_half: tuple[str, ...]


#: Model -> its report. What only one model has is in the package named after the model; sections
#: that every model has are in ``report``.
LAYOUTS: dict[str, Layout] = {
    "share": Layout(
        material="share.material:ShareMaterial",
        methods="share.methods:model",
        sections={
            "answer": "share.sections:answer",
            "claims": "report.claims:claims",
            "data": "share.sections:data",
            "claim_numbers": "report.claims:numbers",
            "model": "share.sections:model",
            "priors": "share.sections:priors",
            "diagnostics": "report.content:diagnostics",
            "prior_posterior": "report.content:prior_posterior",
            "estimates": "share.sections:estimates",
            "clusters": "share.clustersection:clusters",
            "opportunity": "share.opportunitysection:opportunity",
            "new_firms": "share.sections:new_firms",
            "predictions": "share.sections:predictions",
            "outcomes": "share.outcomesection:outcomes",
            "variants": "share.sections:variants",
            "comparison": "report.leaveout:comparison",
            "sensitivity": "report.trust:sensitivity",
            "calibration": "report.trust:calibration",
            "limits": "share.sections:limits",
            "reproduce": "report.provenance:reproduce",
            "sources": "report.provenance:sources",
        },
        second_half=(
            *("priors", "diagnostics", "prior_posterior", "new_firms", "predictions"),
            *("calibration", "comparison"),
        ),
    ),
    "register": Layout(
        material="register.material:RegisterMaterial",
        methods="register.methods:model",
        sections={
            "answer": "share.sections:answer",
            "data": "register.sections:data",
            "model": "share.sections:model",
            "priors": "register.sections:priors",
            "diagnostics": "report.content:diagnostics",
            "prior_posterior": "report.content:prior_posterior",
            "estimates": "share.sections:estimates",
            "clusters": "share.clustersection:clusters",
            "new_firms": "share.sections:new_firms",
            "predictions": "register.sections:predicted",
            "variants": "share.sections:variants",
            "limits": "register.sections:limits",
            "reproduce": "report.provenance:reproduce",
            "sources": "report.provenance:sources",
        },
        second_half=("prior_posterior", "diagnostics", "new_firms", "predictions"),
    ),
    "sequences": Layout(
        material="sequences.material:SequenceMaterial",
        methods="sequences.methods:model",
        sections={
            "answer": "decay.sections:answer",
            "data": "sequences.sections:data",
            "model": "sequences.sections:model",
            "priors": "decay.sections:priors",
            "diagnostics": "report.content:diagnostics",
            "prior_posterior": "report.content:prior_posterior",
            "estimates": "decay.sections:estimates",
            "predictions": "sequences.sections:predicted",
            "variants": "decay.sections:variants",
            "limits": "sequences.sections:limits",
            "reproduce": "report.provenance:reproduce",
            "sources": "report.provenance:sources",
        },
        second_half=("prior_posterior", "diagnostics", "predictions", "variants"),
    ),
    "decay": Layout(
        material="decay.material:DecayMaterial",
        methods="decay.methods:model",
        sections={
            "answer": "decay.sections:answer",
            "audit": "decay.sections:audit",
            "claims": "report.claims:claims",
            "data": "decay.sections:data",
            "claim_numbers": "report.claims:numbers",
            "model": "decay.sections:model",
            "priors": "decay.sections:priors",
            "diagnostics": "report.content:diagnostics",
            "prior_posterior": "report.content:prior_posterior",
            "estimates": "decay.sections:estimates",
            "reconstruction": "decay.sections:reconstruction",
            "variants": "decay.sections:variants",
            "comparison": "report.leaveout:comparison",
            "sensitivity": "report.trust:sensitivity",
            "calibration": "report.trust:calibration",
            "limits": "decay.sections:limits",
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
