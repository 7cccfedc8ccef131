"""Everything a report shows, gathered from the study and its stored fits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intlmodels import comparison, predictions, results, store
from intlmodels.diagnostics import Gate
from intlmodels.estimands import CI_PROB, new_firms
from intlmodels.formats import counted
from intlmodels.models import DEFAULT, Variant, catalogue, design_of
from intlmodels.models.design import Design
from intlmodels.report.record import current_fits
from intlmodels.study import Study
from intlmodels.workflow import Stored

if TYPE_CHECKING:
    import pandas as pd
    from xarray import Dataset, DataTree


@dataclass
class Material:
    """A study, its default fit, and what its variants say.

    Attributes
    ----------
    study : Study
    fit : DataTree
        The default fit, whole.
    variants : dict of str to DataTree
        Every current fit, the default first; of the others only the estimands.
    stored : tuple of Stored
        What is stored, current or not.
    """

    study: Study
    fit: DataTree
    variants: dict[str, DataTree]
    stored: tuple[Stored, ...] = ()
    prob: float = CI_PROB

    @property
    def passed(self) -> bool:
        """Whether the default fit passed the gate."""
        return results.converged(self.fit)

    @property
    def firms(self) -> str:
        """Who they are, with their number."""
        return counted(len(self.study.firms), self.study.firm_label)

    @cached_property
    def design(self) -> Design:
        """Design of the default model."""
        return design_of(self.study)

    @cached_property
    def catalogue(self) -> dict[str, Variant]:
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
    def average(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.average`."""
        return results.average(self.fit, self.prob)

    @cached_property
    def levels(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.levels`."""
        return results.levels(self.fit, self.prob)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.differences`."""
        return results.differences(self.fit, self.prob)

    @cached_property
    def prior_differences(self) -> pd.DataFrame:
        """The same differences under the priors."""
        return results.differences(self.fit, self.prob, group="prior")

    @cached_property
    def ranks(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.ranks`."""
        return results.ranks(self.fit)

    @cached_property
    def variation(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.variation`."""
        return results.variation(self.fit, self.prob)

    @cached_property
    def parameters(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.parameters`."""
        return results.parameters(self.fit, self.prob)

    @cached_property
    def crossings(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.crossings`."""
        return results.crossings(self.fit)

    @cached_property
    def checks(self) -> pd.DataFrame:
        """See :func:`intlmodels.predictions.predictive_checks`."""
        return predictions.predictive_checks(self.fit, self.prob)

    @cached_property
    def prediction(self) -> Dataset:
        """Draws for the profiles asked for, or else for those observed."""
        asked: list[dict[str, str]] = list(self.study.profiles)
        profiles: list[Mapping[str, Any]] = [
            *(asked or predictions.observed_profiles(self.fit) or [{}])
        ]
        return new_firms(self.fit, profiles, seed=int(self.fit.attrs["seed"]))

    @cached_property
    def new_firms(self) -> pd.DataFrame:
        """See :func:`intlmodels.predictions.new_firm_table`."""
        return predictions.new_firm_table(self.fit, self.prediction, self.prob)

    @cached_property
    def comparison(self) -> pd.DataFrame:
        """See :func:`intlmodels.comparison.compare_variants`."""
        return comparison.compare_variants(self.variants, self.prob)

    @cached_property
    def own_parameters(self) -> pd.DataFrame:
        """See :func:`intlmodels.comparison.own_parameters`."""
        return comparison.own_parameters(self.variants, self.prob)

    @cached_property
    def gates(self) -> dict[str, Gate]:
        """Outcome of the gate of every fit shown."""
        return {name: Gate.from_json(fit.attrs["gate"]) for name, fit in self.variants.items()}

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
                "retried": str(self.variants[name].attrs.get("retried", "")),
                "converged": gate.passed,
            }
            for name, gate in self.gates.items()
            for result in gate.results
        ]
        return pd.DataFrame(rows)

    @cached_property
    def data(self) -> pd.DataFrame:
        """The firms as printed and as read."""
        import pandas as pd

        from intlmodels.rounding import intervals

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
        return pd.DataFrame(columns)

    def csv_tables(self) -> dict[str, pd.DataFrame]:
        """File name -> table, everything that is written beside the report."""
        return {
            "data.csv": self.data,
            "estimates.csv": self.levels,
            "differences.csv": self.differences,
            "ranks.csv": self.ranks,
            "variation.csv": self.variation,
            "parameters.csv": self.parameters,
            "diagnostics.csv": self.gate_table,
            "predictions.csv": predictions.predicted_firms(self.fit, self.prob),
            "checks.csv": self.checks,
            "new_firms.csv": self.new_firms,
            "variants.csv": self.comparison,
        }


def gather(study: Study, folder: Path) -> Material:
    """Read what is stored for a study.

    Raises
    ------
    StudyError
        If the default fit is missing or no longer what the study asks for.
    """
    stored = current_fits(study, folder)
    fit = store.read(stored[0].path)
    variants = {DEFAULT: fit}
    for item in stored[1:]:
        if not item.reasons:
            variants[item.variant] = comparison.light(item.path)
    return Material(study, fit, variants, tuple(stored))
