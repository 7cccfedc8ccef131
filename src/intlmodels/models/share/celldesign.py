"""What enters the linear predictor of a register, as data: the share model, over cells.

A cell is to the design what a firm is; the number of its rows is data beside it.
"""

from __future__ import annotations

from typing import Any

from intlmodels.models.base import Variant
from intlmodels.models.share import design as sharedesign
from intlmodels.models.share.blocks import Design
from intlmodels.models.share.design import (
    alias,
    default_design,
    fixed_priors,
    latent,
    packages,
    parameters,
    settings,
    shown,
)
from intlmodels.study import RegisterStudy

__all__ = ["alias", "data_parts", "default_design", "fixed_priors", "latent", "packages"]
__all__ += ["parameters", "settings", "shown", "variants", "why_absent"]


def data_parts(study: RegisterStudy, design: Design) -> dict[str, list[Any]]:
    """What the draws depend on, by name, for the fingerprint."""
    return {**sharedesign.data_parts(study, design), "rows of each cell": [study.rows]}


def variants(study: RegisterStudy) -> list[Variant[Design]]:
    """Rows of the catalogue, the default first."""
    return [row for row in sharedesign.variants(study) if row.name != "density"]


def why_absent(study: RegisterStudy, name: str) -> str:
    """Why a variant that other studies have is not one of this study; empty if unknown."""
    if name == "density":
        return "variant density moves shares off 0 and 1 row by row; a register has only cells"
    return sharedesign.why_absent(study, name)
