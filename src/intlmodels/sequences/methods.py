"""The model of a register of decisions in a paragraph for a paper."""

from __future__ import annotations

from intlmodels.decay import methods
from intlmodels.report.references import Passage
from intlmodels.sequences.material import SequenceMaterial


def model(m: SequenceMaterial) -> Passage:
    """What was modelled: the decay model, and how the decisions entered it."""
    read = m.study.read
    said = (
        f" The decisions entered as the counts of {len(m.study.sequences.firms):,} kinds of firms, "
        "by size and by the numbers of decisions and of flags, and as the numbers of decisions and "
        "of flags at each place of a sequence, on which alone the likelihood depends once the "
        "firms' effects are integrated out; the integrals are trapezoidal sums"
    )
    gone = ""
    if read.bad or read.fellows:
        gone = (
            f"; {read.bad:,} rows that could not be read were set aside, and with them "
            f"{read.fellows:,} others of the same {read.firms_aside:,} firms"
        )
    return (*methods.model(m), f"{said}{gone}.")
