"""What the report of a decay model shows, from its study and its stored fits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from intlmodels import store
from intlmodels.audit import Audit, audit
from intlmodels.audit.told import audit_tables, bound_table
from intlmodels.counts import rows
from intlmodels.decay import results
from intlmodels.formats import counted
from intlmodels.report.material import Material
from intlmodels.study import DecayStudy

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataTree

#: What the reconstruction of decisions from counts rests on.
RECONSTRUCTION = ("augmentation", "table steps", "parameter steps", "bounds", "audit")


@dataclass
class DecayMaterial(Material):
    """Counts or decisions, and what experience does to the flag."""

    study: DecayStudy

    compared = results.COMPARED

    @property
    def latent(self) -> bool:
        """Whether the decisions are reconstructed from counts."""
        return "table" in self.fit["posterior"].data_vars

    @property
    def subtitle(self) -> str:
        """What is counted, by whom, and the model."""
        what = counted(self.study.total, self.study.event)
        return f"{what} of {self.firms}, model {self.study.model}"

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of what the model and its tables rest on."""
        return RECONSTRUCTION if self.latent else ()

    def note_on(self, variant: str) -> str:
        """The study's note on a reading of its own."""
        reading = self.study.readings.get(variant)
        return reading.note if reading is not None else ""

    def compare(self) -> pd.DataFrame:
        """See :func:`intlmodels.decay.results.compare_variants`."""
        return results.compare_variants(self.variants, self.prob)

    @cached_property
    def audit(self) -> Audit:
        """What the published counts say together."""
        study = self.study
        return audit(rows(study.counts, study.firms, study.periods), self.study.groups)

    @property
    def texts(self) -> dict[str, str]:
        """Count -> what it counts, in words."""
        return {count.id: count.text for count in self.study.counts}

    # -- tables --------------------------------------------------------------------------

    @cached_property
    def curves(self) -> pd.DataFrame:
        """See :func:`intlmodels.decay.results.curves`."""
        return results.curves(self.fit, self.prob)

    @cached_property
    def prior_curves(self) -> pd.DataFrame:
        """The same under the priors."""
        return results.curves(self.fit, self.prob, group="prior")

    @cached_property
    def slopes(self) -> pd.DataFrame:
        """See :func:`intlmodels.decay.results.slopes`."""
        return results.slopes(self.fit, self.prob)

    @cached_property
    def halving(self) -> pd.DataFrame:
        """See :func:`intlmodels.decay.results.halving`."""
        return results.halving(self.fit, self.prob)

    @cached_property
    def true_counts(self) -> pd.DataFrame:
        """See :func:`intlmodels.decay.results.true_counts`."""
        return results.true_counts(self.fit, self.prob)

    @cached_property
    def repairs(self) -> pd.DataFrame:
        """See :func:`intlmodels.decay.results.repairs`."""
        return results.repairs(self.fit)

    @cached_property
    def readings(self) -> pd.DataFrame:
        """See :func:`intlmodels.decay.results.readings`."""
        return results.readings(self.fit)

    @cached_property
    def bounds(self) -> pd.DataFrame:
        """Fréchet bounds of every unpublished number: see :func:`intlmodels.audit.bound_table`."""
        return bound_table(self.audit)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """Cells of size, period and flag, with what the counts alone allow."""
        cells = results.cells(self.fit, self.prob).rename(columns={"size": "name"})
        return self._bounded(cells, "all" if len(self.study.groups) < 2 else "group")

    @cached_property
    def firm_cells(self) -> pd.DataFrame:
        """Cells of firm, period and flag, with what the counts alone allow."""
        cells = results.firm_cells(self.fit, self.prob).rename(columns={"firm": "name"})
        return self._bounded(cells, "firm")

    def _bounded(self, cells: pd.DataFrame, kind: str) -> pd.DataFrame:
        """Cells with ``low`` and ``high`` under the counts (repaired where they must be)."""
        bounds = self.bounds
        first = bounds[(bounds["kind"] == kind) & (bounds["basis"] == bounds["basis"].iloc[0])]
        keys = ["name", "period", "flag"]
        return cells.merge(first[[*keys, "basis", "low", "high"]], on=keys, how="left")

    @cached_property
    def time(self) -> pd.DataFrame | None:
        """See :func:`intlmodels.decay.results.experience_and_time`; None without that variant."""
        if self.period_fit is None:
            return None
        return results.experience_and_time(self.period_fit)

    @cached_property
    def period_fit(self) -> DataTree | None:
        """The whole fit of the variant ``period``, if it is stored and current."""
        paths = [item.path for item in self.stored if item.variant == "period" and not item.reasons]
        return store.read(paths[0]) if paths else None

    def csv_tables(self) -> dict[str, pd.DataFrame]:
        """File name -> table, everything that is written beside the report."""
        found = {
            **super().csv_tables(),
            "curves.csv": self.curves,
            "slopes.csv": self.slopes,
            "halving.csv": self.halving,
        }
        if self.latent:
            found |= {
                "true_counts.csv": self.true_counts,
                "repairs.csv": self.repairs,
                "readings.csv": self.readings,
                "cells.csv": self.cells,
                "firm_cells.csv": self.firm_cells,
                **audit_tables(self.audit),
            }
        if self.time is not None:
            found["experience_and_time.csv"] = self.time
        return found
