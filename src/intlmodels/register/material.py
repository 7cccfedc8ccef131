"""What the report of a register shows: the share model's tables, over rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.formats import plural
from intlmodels.register import predictions
from intlmodels.share.estimands import new_firms
from intlmodels.share.material import ShareMaterial
from intlmodels.study import RegisterStudy

if TYPE_CHECKING:
    import pandas as pd
    from xarray import Dataset

#: Cells up to which all of them are written beside the report; ``cells.csv`` has them in any case.
MOST_CELLS = 20_000


@dataclass
class RegisterMaterial(ShareMaterial):
    """Shares in a register, and what they have to do with its predictors."""

    study: RegisterStudy

    @property
    def firms(self) -> str:
        """Who they are, with their number."""
        return f"{int(self.study.rows.sum()):,} {plural(self.study.firm_label)}"

    @property
    def subtitle(self) -> str:
        """Outcome, rows and model."""
        return f"{self.study.outcome.label}: {self.firms} of a register, model share"

    @cached_property
    def checks(self) -> pd.DataFrame:
        """See :func:`intlmodels.register.predictions.predictive_checks`."""
        return predictions.predictive_checks(self.fit, self.prob)

    @cached_property
    def prediction(self) -> Dataset:
        """Draws for the profiles asked for, or else for those with the most rows."""
        asked: list[Mapping[str, Any]] = [*self.study.profiles]
        profiles = asked or [*predictions.profile_rows(self.fit)] or [{}]
        return new_firms(self.fit, profiles, seed=int(self.fit.attrs["seed"]))

    @cached_property
    def predicted(self) -> pd.DataFrame:
        """See :func:`intlmodels.register.predictions.combination_table`."""
        return predictions.combination_table(self.fit, self.prob)

    @cached_property
    def data(self) -> pd.DataFrame:
        """The cells: combination of levels, printed share and rows, those with most rows first."""
        import pandas as pd

        study = self.study
        columns: dict[str, Any] = {}
        if study.clusters is not None:
            columns["cluster"] = np.array(study.clusters.labels, object)[study.clusters.codes]
        columns |= {n: list(p.printed) for n, p in study.predictors.items()}
        columns |= {"printed_pct": study.outcome.printed, "rows": study.rows}
        table = pd.DataFrame(columns)
        return table.sort_values("rows", ascending=False, kind="stable").head(MOST_CELLS)
