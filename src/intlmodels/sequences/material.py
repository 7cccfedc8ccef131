"""What the report of a register of decisions shows: the decay model's tables, and the counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.decay.material import DecayMaterial
from intlmodels.formats import plural
from intlmodels.sequences import checks
from intlmodels.study import SequenceStudy
from intlmodels.study.counts import SIZES

if TYPE_CHECKING:
    import pandas as pd

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
        """See :func:`intlmodels.sequences.checks.predictive_checks`."""
        return checks.predictive_checks(self.fit, self.prob)

    @cached_property
    def predicted(self) -> pd.DataFrame:
        """See :func:`intlmodels.sequences.checks.by_entries`."""
        return checks.by_entries(self.fit, self.prob)

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
