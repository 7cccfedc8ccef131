"""A tiny study of counts: three firms, two periods, and designs made of counts."""

from __future__ import annotations

from intlmodels.models.decay.design import Design
from intlmodels.studies.counts import Count

FIRMS = ("A", "B", "C")
EARLY, LATE = "early", "late"
ALL = {"firms": FIRMS, "periods": (EARLY, LATE), "flags": ("no", "yes")}


def count(name: str, value: int, relation: str = "equal", hard: bool = False, **subset) -> Count:
    return Count(name, **{**ALL, **subset}, relation=relation, value=value, hard=hard)


def design(*counts: Count, total: int = 5, **changes) -> Design:
    everything = {
        "firms": FIRMS,
        "size_of_firm": (0, 1, 1),
        "sizes": ("large", "other"),
        "periods": (EARLY, LATE),
        "period_weights": (0.5, 0.5),
        "total": total,
        "counts": (count("all", total, hard=True), *counts),
        "decisions": None,
    }
    return Design(**{**everything, **changes})


SOME = (
    count("flagged", 3, hard=True, flags=("yes",)),
    count("early", 4, periods=(EARLY,)),
    count("large, late, flagged", 0, firms=("A",), periods=(LATE,), flags=("yes",)),
    count("one each", 1, "at least", hard=True, firms=("A", "B"), flags=("yes",), each=True),
)
