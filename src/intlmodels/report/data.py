"""Everything a report shows, gathered from the study and its stored fits: what all models have."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from intlmodels.checks.stored import NOTHING, Trust, trust
from intlmodels.checks.tables import csv_tables as trust_tables
from intlmodels.claims import ledger
from intlmodels.core.formats import counted
from intlmodels.fitting import store
from intlmodels.fitting.diagnostics import Gate
from intlmodels.fitting.jobs import Stored, stored_overrides
from intlmodels.models import DEFAULT, Variant, catalogue, design_module, design_of
from intlmodels.report.layout import layout_of, load
from intlmodels.report.record import current_fits
from intlmodels.results import intervals
from intlmodels.results.intervals import CI_PROB, Compared
from intlmodels.study import Study

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataTree


#: Groups of a fit of a further outcome that a report needs beside those of a variant.
OF_AN_OUTCOME = ("observed_data", "posterior_predictive")


@dataclass
class Material(ABC):
    """A study, its default fit, and what its variants say.

    Each model has a subclass; what it must say itself is abstract here.

    Attributes
    ----------
    study : Study
    fit : DataTree
        The default fit, whole.
    variants : dict of str to DataTree
        Every current fit of the study's own outcome, the default first; of the others only the
        estimands.
    further : dict of str to DataTree
        Current fits of further outcomes: estimands, data and predictions.
    stored : tuple of Stored
        What is stored, current or not.
    trust : Trust
        What calibration, comparison and sensitivity found.
    compared : Compared
        By what the variants are held against each other.
    """

    study: Study
    fit: DataTree
    variants: dict[str, DataTree]
    stored: tuple[Stored, ...] = ()
    trust: Trust = NOTHING
    prob: float = CI_PROB
    further: dict[str, DataTree] = field(default_factory=dict)

    compared: ClassVar[Compared]

    # -- what each model says itself -----------------------------------------------------

    @property
    @abstractmethod
    def subtitle(self) -> str:
        """What stands below the title of the report."""

    @property
    @abstractmethod
    def methods(self) -> tuple[str, ...]:
        """Names of what the model rests on: see :mod:`intlmodels.report.references`."""

    @abstractmethod
    def compare(self) -> pd.DataFrame:
        """The variants side by side: see :func:`intlmodels.results.intervals.side_by_side`."""

    @property
    def texts(self) -> Mapping[str, str]:
        """What is counted, by the id of a count; none where there are no counts."""
        return {}

    def note_on(self, variant: str) -> str:
        """What the study says of a variant of its own; empty if nothing."""
        return ""

    def csv_tables(self) -> dict[str, pd.DataFrame]:
        """File name -> table, everything that is written beside the report."""
        return {
            "parameters.csv": self.parameters,
            "diagnostics.csv": self.gate_table,
            "variants.csv": self.comparison,
            **({"claims.csv": self.claims} if self.study.claims else {}),
            **trust_tables(self.trust),
        }

    # -- what all have -------------------------------------------------------------------

    @property
    def passed(self) -> bool:
        """Whether the default fit passed the gate."""
        return intervals.converged(self.fit)

    @property
    def firms(self) -> str:
        """Who they are, with their number."""
        return counted(len(self.study.firms), self.study.firm_label)

    @cached_property
    def design(self) -> Any:
        """Design of the default model."""
        return design_of(self.study)

    @property
    def fixed_priors(self) -> list[tuple[str, str, str]]:
        """Priors that follow from the others, as (name, prior, meaning)."""
        rows: list[tuple[str, str, str]] = design_module(self.study.model).fixed_priors(self.design)
        return rows

    @cached_property
    def catalogue(self) -> dict[str, Variant[Any]]:
        """All variants of the model."""
        return catalogue(self.study)

    @property
    def stale(self) -> list[Stored]:
        """Variants that are stored but no longer what the study asks for."""
        return [item for item in self.stored if item.reasons and item.variant != DEFAULT]

    @property
    def absent(self) -> list[str]:
        """Variants that were never fitted."""
        stored = {item.variant for item in self.stored}
        return [name for name in self.catalogue if name not in stored]

    def attribute(self, name: str) -> Any:
        """A JSON attribute of the default fit."""
        return json.loads(self.fit.attrs[name])

    # -- tables --------------------------------------------------------------------------

    @cached_property
    def claims(self) -> pd.DataFrame:
        """See :func:`intlmodels.claims.ledger.evaluate`."""
        return ledger.evaluate(self.study, self.shown, self.prob)

    @cached_property
    def parameters(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.intervals.parameters`."""
        return intervals.parameters(self.fit, self.prob)

    @cached_property
    def comparison(self) -> pd.DataFrame:
        """The variants side by side."""
        return self.compare()

    @cached_property
    def own_parameters(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.intervals.own_parameters`."""
        return intervals.own_parameters(self.variants, self.prob)

    @property
    def shown(self) -> dict[str, DataTree]:
        """Every fit that the report shows, the default first."""
        return {**self.variants, **self.further}

    @cached_property
    def gates(self) -> dict[str, Gate]:
        """Outcome of the gate of every fit shown."""
        return {name: Gate.from_json(fit.attrs["gate"]) for name, fit in self.shown.items()}

    @cached_property
    def gate_table(self) -> pd.DataFrame:
        """Every check of every fit shown."""
        import pandas as pd

        rows = [
            {
                "variant": name,
                "check": result.label,
                "value": result.value,
                "direction": result.direction,
                "limit": result.limit,
                "outcome": result.outcome,
                "where": result.where,
                "retried": str(self.shown[name].attrs.get("retried", "")),
                "converged": gate.passed,
            }
            for name, gate in self.gates.items()
            for result in gate.results
        ]
        return pd.DataFrame(rows)


def gather(study: Study, folder: Path) -> Material:
    """Read the stored fits of a study.

    Raises
    ------
    StudyError
        If the default fit is missing or no longer what the study asks for.
    """
    stored = current_fits(study, folder)
    fit = store.read(stored[0].path)
    variants, further = {DEFAULT: fit}, {}
    rows = catalogue(study)
    for item in stored[1:]:
        if item.reasons:
            continue
        if rows[item.variant].outcome:
            further[item.variant] = intervals.read_summary(item.path, OF_AN_OUTCOME)
        else:
            variants[item.variant] = intervals.read_summary(item.path)
    material: type[Material] = load(layout_of(study.model).material)
    found = trust(study, folder, stored_overrides(study, folder))
    return material(study, fit, variants, tuple(stored), found, further=further)
