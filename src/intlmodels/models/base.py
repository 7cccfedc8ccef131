"""A variant of a model, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DEFAULT = "default"


@dataclass(frozen=True)
class Variant[Design]:
    """One row of the catalogue.

    Attributes
    ----------
    name : str
        What it is called on the command line and in the reports.
    change : str
        What it changes against the default, in words.
    apply : callable
        Takes the default design, returns the changed one.
    comparable : bool
        Whether its elpd is of the same printed outcomes as the default's.
    outcome : str
        The further outcome that it explains; empty if it explains the study's own, as a variant
        that is set beside the default does.
    """

    name: str
    change: str
    apply: Callable[[Design], Design]
    comparable: bool = True
    outcome: str = ""
