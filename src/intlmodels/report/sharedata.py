"""What the report of a share model shows, of firms or of a register."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.formats import plural
from intlmodels.core.rounding import intervals
from intlmodels.models.share.estimands import new_firms
from intlmodels.report.data import Material
from intlmodels.results import groups, share
from intlmodels.study import (
    Axes,
    ByOutcome,
    Covariate,
    Membership,
    Nested,
    RegisterStudy,
    ShareStudy,
)

if TYPE_CHECKING:
    import pandas as pd
    from xarray import Dataset


@dataclass
class ShareMaterial(Material):
    """Shares of firms, and what they have to do with the firms' predictors."""

    study: ShareStudy

    compared = share.COMPARED

    @property
    def subtitle(self) -> str:
        """Outcome, firms and model."""
        clusters = self.study.clusters
        of_them = "" if clusters is None else f" of {len(clusters.labels)} clusters"
        return f"{self.study.outcome.label}: {self.firms}{of_them}, model {self.study.model}"

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of what the model and its tables rest on."""
        ordered = any(block.kind == "monotonic" for block in self.design.blocks)
        ordered = ordered or any(
            isinstance(self._spec(name), (Axes, ByOutcome)) for name in self.variants
        )
        further = [self.study.outcomes[name] for name in self.further]
        used = {
            "beta": True,
            "clusters": self.study.clusters is not None,
            "variation": len(self.variation) > 0,
            "density": "density" in self.variants,
            "ordered": ordered,
            "levels": any(outcome.kind == "ordered" for outcome in further),
        }
        return tuple(name for name, is_used in used.items() if is_used)

    def compare(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.share.compare_variants`."""
        return share.compare_variants(self.variants, self.prob)

    def _spec(self, variant: str) -> Any:
        """What the study says of a variant; None for one of the model."""
        return self.study.variants.get(variant)

    def note_on(self, variant: str) -> str:
        """The study's note, and how labels that leave a level open were read."""
        if variant in self.study.outcomes:
            return self.study.outcomes[variant].note
        spec = self._spec(variant)
        if not isinstance(spec, (Nested, Axes, Membership, Covariate, ByOutcome)):
            return ""
        note = getattr(spec, "note", "")
        if not isinstance(spec, Axes):
            return note
        return " ".join([note, *(f"{label}: {how}" for label, _, how in spec.readings if how)])

    # -- tables --------------------------------------------------------------------------

    @cached_property
    def average(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.share.average`."""
        return share.average(self.fit, self.prob)

    @cached_property
    def levels(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.share.levels`."""
        return share.levels(self.fit, self.prob)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.share.differences`."""
        return share.differences(self.fit, self.prob)

    @cached_property
    def prior_differences(self) -> pd.DataFrame:
        """The same differences under the priors."""
        return share.differences(self.fit, self.prob, group="prior")

    @cached_property
    def ranks(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.share.ranks`."""
        return share.ranks(self.fit)

    @cached_property
    def variation(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.share.variation`."""
        return share.variation(self.fit, self.prob)

    @cached_property
    def crossings(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.share.crossings`."""
        return share.crossings(self.fit)

    @cached_property
    def checks(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.share.predictive_checks`."""
        return share.predictive_checks(self.fit, self.prob)

    @cached_property
    def predicted(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.share.predicted_firms`."""
        return share.predicted_firms(self.fit, self.prob)

    @cached_property
    def prediction(self) -> Dataset:
        """Draws for the profiles asked for, or else for those observed."""
        asked: list[dict[str, str]] = list(self.study.profiles)
        profiles: list[Mapping[str, Any]] = [*(asked or share.observed_profiles(self.fit) or [{}])]
        return new_firms(self.fit, profiles, seed=int(self.fit.attrs["seed"]))

    @cached_property
    def new_firms(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.share.new_firm_table`."""
        return share.new_firm_table(self.fit, self.prediction, self.prob)

    @cached_property
    def clusters(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.groups.by_cluster`; empty without clusters."""
        import pandas as pd

        known = groups.has_clusters(self.fit)
        return groups.by_cluster(self.fit, self.prob) if known else pd.DataFrame()

    @cached_property
    def cluster_differences(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.groups.cluster_differences`; empty without clusters."""
        import pandas as pd

        known = groups.has_clusters(self.fit)
        return groups.cluster_differences(self.fit, self.prob) if known else pd.DataFrame()

    @cached_property
    def opportunity(self) -> pd.DataFrame | None:
        """See :func:`intlmodels.results.groups.combinations`; None if not asked for."""
        asked = self.study.opportunity
        if asked is None:
            return None
        return groups.combinations(self.fit, asked.across, asked.down, asked.vulnerable, self.prob)

    @cached_property
    def data(self) -> pd.DataFrame:
        """The firms as printed and as read."""
        import pandas as pd

        study, outcome = self.study, self.study.outcome
        lower, upper = intervals(outcome.printed, outcome.width)
        columns: dict[str, Any] = {
            study.firm_label: list(study.firms),
            "printed_pct": outcome.printed,
            "lower_pct": 100 * lower,
            "upper_pct": 100 * upper,
        }
        for name, predictor in study.predictors.items():
            columns[f"{name}_printed"] = list(predictor.printed)
            if predictor.kind == "category":
                columns[f"{name}_read_as"] = [predictor.levels[code] for code in predictor.codes]
        if study.clusters is not None:
            columns["cluster"] = [study.clusters.labels[code] for code in study.clusters.codes]
        return pd.DataFrame(columns)

    def _cluster_tables(self) -> dict[str, pd.DataFrame]:
        if not len(self.clusters):
            return {}
        return {"clusters.csv": self.clusters, "cluster_differences.csv": self.cluster_differences}

    def csv_tables(self) -> dict[str, pd.DataFrame]:
        """File name -> table, everything that is written beside the report."""
        return {
            "data.csv": self.data,
            "estimates.csv": self.levels,
            "differences.csv": self.differences,
            "ranks.csv": self.ranks,
            "variation.csv": self.variation,
            "predictions.csv": self.predicted,
            "checks.csv": self.checks,
            "new_firms.csv": self.new_firms,
            **self._cluster_tables(),
            **({} if self.opportunity is None else {"opportunity.csv": self.opportunity}),
            **groups.csv_tables(self.study, self.further, self.prob),
            **super().csv_tables(),
        }


# -- what the report of a register shows -----------------------------------------------

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
        """See :func:`intlmodels.results.share.predictive_checks`."""
        return share.predictive_checks(self.fit, self.prob)

    @cached_property
    def prediction(self) -> Dataset:
        """Draws for the profiles asked for, or else for those with the most rows."""
        asked: list[Mapping[str, Any]] = [*self.study.profiles]
        profiles = asked or [*share.observed_profiles(self.fit)] or [{}]
        return new_firms(self.fit, profiles, seed=int(self.fit.attrs["seed"]))

    @cached_property
    def predicted(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.share.combination_table`."""
        return share.combination_table(self.fit, self.prob)

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
