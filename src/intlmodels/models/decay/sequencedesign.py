"""The design of the decay model for a register of decisions, as data.

The model is that of :mod:`intlmodels.models.decay.model`. Firms are not listed: their effects are
integrated out, and only the spread of the effects is a parameter.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from intlmodels.models.base import DEFAULT, Variant
from intlmodels.models.decay import design as decaydesign
from intlmodels.models.decay.design import Design, fixed_priors, parameters
from intlmodels.study import SequenceStudy

__all__ = ["alias", "data_parts", "default_design", "fixed_priors", "latent", "packages"]
__all__ += ["parameters", "settings", "shown", "variants", "why_absent"]


def default_design(study: SequenceStudy) -> Design:
    """The model as stated, from the sizes that occur."""
    return replace(decaydesign.default_design(study), size_of_firm=())


def variants(study: SequenceStudy) -> list[Variant[Design]]:
    """Rows of the catalogue, the default first."""
    return decaydesign.variants(study)


def alias(study: SequenceStudy, name: str) -> str:
    """The name of a variant in the catalogue: every decision is known."""
    return DEFAULT if name == "complete" else name


def why_absent(study: SequenceStudy, name: str) -> str:
    """Why a variant that other studies have is not one of this study; empty if unknown."""
    return decaydesign.why_absent(study, name)


def shown(design: Design) -> list[str]:
    """Variables of the posterior that a table of parameters shows: no single firms."""
    return [name for name in decaydesign.shown(design) if name != "firm"]


def latent(design: Design) -> bool:
    """Whether a table of decisions is drawn together with the parameters: it is known."""
    return False


def settings(design: Design) -> tuple[str, ...]:
    """Settings on which the draws depend."""
    return ("draws", "tune", "chains", "seed", "target_accept", "sampler")


def packages(design: Design) -> tuple[str, ...]:
    """Packages whose versions are recorded with the draws."""
    return ("intlmodels", "pymc", "pytensor", "nutpie", "numpy", "scipy", "xarray")


def data_parts(study: SequenceStudy, design: Design) -> dict[str, list[Any]]:
    """What the draws depend on, by name, for the fingerprint."""
    counted = study.sequences
    return {
        "periods": [list(design.periods), list(design.sizes)],
        "counts of firms": [counted.size, counted.made, counted.flagged, counted.firms],
        "decisions by place": [
            *(counted.at_size, counted.at_period, counted.at_entries),
            *(counted.at_made, counted.at_flagged),
        ],
    }
