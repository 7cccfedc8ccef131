"""What the report of a decay model shows, of counts, decisions or a register."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.audit import Audit, audit, audit_tables, bound_table
from intlmodels.core.formats import counted, plural
from intlmodels.fitting import store
from intlmodels.report.data import Material
from intlmodels.results import decay
from intlmodels.study import DecayStudy, SequenceStudy
from intlmodels.study.counts import SIZES, rows

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataTree


#: What the reconstruction of decisions from counts rests on.
RECONSTRUCTION = ("augmentation", "table steps", "parameter steps", "bounds", "audit")


@dataclass
class DecayMaterial(Material):
    """Counts or decisions, and what experience does to the flag."""

    study: DecayStudy

    compared = decay.COMPARED

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
        """See :func:`intlmodels.results.decay.compare_variants`."""
        return decay.compare_variants(self.variants, self.prob)

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
        """See :func:`intlmodels.results.decay.curves`."""
        return decay.curves(self.fit, self.prob)

    @cached_property
    def prior_curves(self) -> pd.DataFrame:
        """The same under the priors."""
        return decay.curves(self.fit, self.prob, group="prior")

    @cached_property
    def slopes(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.decay.slopes`."""
        return decay.slopes(self.fit, self.prob)

    @cached_property
    def halving(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.decay.halving`."""
        return decay.halving(self.fit, self.prob)

    @cached_property
    def true_counts(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.decay.true_counts`."""
        return decay.true_counts(self.fit, self.prob)

    @cached_property
    def repairs(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.decay.repairs`."""
        return decay.repairs(self.fit)

    @cached_property
    def readings(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.decay.readings`."""
        return decay.readings(self.fit)

    @cached_property
    def bounds(self) -> pd.DataFrame:
        """Fréchet bounds of every unpublished number: see :func:`intlmodels.audit.bound_table`."""
        return bound_table(self.audit)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """Cells of size, period and flag, with what the counts alone allow."""
        cells = decay.cells(self.fit, self.prob).rename(columns={"size": "name"})
        return self._bounded(cells, "all" if len(self.study.groups) < 2 else "group")

    @cached_property
    def firm_cells(self) -> pd.DataFrame:
        """Cells of firm, period and flag, with what the counts alone allow."""
        cells = decay.firm_cells(self.fit, self.prob).rename(columns={"firm": "name"})
        return self._bounded(cells, "firm")

    def _bounded(self, cells: pd.DataFrame, kind: str) -> pd.DataFrame:
        """Cells with ``low`` and ``high`` under the counts (repaired where they must be)."""
        bounds = self.bounds
        first = bounds[(bounds["kind"] == kind) & (bounds["basis"] == bounds["basis"].iloc[0])]
        keys = ["name", "period", "flag"]
        return cells.merge(first[[*keys, "basis", "low", "high"]], on=keys, how="left")

    @cached_property
    def time(self) -> pd.DataFrame | None:
        """See :func:`intlmodels.results.decay.experience_and_time`; None without that variant."""
        if self.period_fit is None:
            return None
        return decay.experience_and_time(self.period_fit)

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


# -- what the report of a register of decisions shows ----------------------------------

#: Kinds of firms up to which all are written beside the report; ``cells.csv`` has them anyway.
MOST_CELLS = 20_000


@dataclass
class SequenceMaterial(DecayMaterial):
    """Decisions of a register, and what experience does to the flag."""

    study: SequenceStudy

    @property
    def firms(self) -> str:
        """Who they are, with their number."""
        return f"{self.study.read.firms:,} {plural(self.study.firm_label)}"

    @property
    def subtitle(self) -> str:
        """What is counted, by whom, and the model."""
        events = f"{self.study.total:,} {plural(self.study.event)}"
        return f"{events} of {self.firms} in a register, model decay"

    @cached_property
    def checks(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.decay.predictive_checks`."""
        return decay.predictive_checks(self.fit, self.prob)

    @cached_property
    def predicted(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.decay.by_entries`."""
        return decay.by_entries(self.fit, self.prob)

    @cached_property
    def data(self) -> pd.DataFrame:
        """Firms by size, decisions (in each period) and flags, those with most firms first."""
        import pandas as pd

        counted, periods = self.study.sequences, self.study.periods
        several = len(periods) > 1
        columns: dict[str, Any] = {"size": np.asarray(SIZES, dtype=object)[counted.size]}
        for i, name in enumerate(periods):
            columns[f"decisions {name}" if several else "decisions"] = counted.made[:, i]
        columns |= {"flagged": counted.flagged, "firms": counted.firms}
        table = pd.DataFrame(columns)
        return table.sort_values("firms", ascending=False, kind="stable").head(MOST_CELLS)

    def csv_tables(self) -> dict[str, pd.DataFrame]:
        """File name -> table, everything that is written beside the report."""
        return {
            **super().csv_tables(),
            "data.csv": self.data,
            "checks.csv": self.checks,
            "predictions.csv": self.predicted,
        }
