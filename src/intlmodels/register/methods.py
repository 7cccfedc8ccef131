"""The model of a register in a paragraph for a paper."""

from __future__ import annotations

from intlmodels.register.material import RegisterMaterial
from intlmodels.report.references import Passage
from intlmodels.share import methods


def model(m: RegisterMaterial) -> Passage:
    """What was modelled: the share model, and how the rows entered it."""
    read = m.study.read
    said = (
        f" The {int(m.study.rows.sum()):,} rows entered as the counts of {len(m.study.firms):,} "
        "cells, combinations of levels and a printed share, on which alone the likelihood depends"
    )
    gone = f"; {read.without:,} rows without a share were left out" * (read.without > 0)
    gone += f"; {read.bad:,} rows that could not be read were set aside" * (read.bad > 0)
    return (*methods.model(m), f"{said}{gone}.")
