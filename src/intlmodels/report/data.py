"""Everything a report shows, gathered from the study and its stored fits: one class a model.

Tables are made when they are first asked for. What differs between firms that are listed and a
register of rows, which are two shapes of the data of a model, is decided here by
:attr:`ReportData.register`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from intlmodels.audit import (
    Audit,
    attribute_bounds,
    audit,
    audit_attributes,
    audit_tables,
    bound_table,
)
from intlmodels.checks import tables as check_tables
from intlmodels.checks.stored import NOTHING, CheckResults, read_checks
from intlmodels.claims import ledger
from intlmodels.core.errors import StudyError
from intlmodels.core.formats import counted, plural
from intlmodels.fitting import store
from intlmodels.fitting.diagnostics import Gate
from intlmodels.fitting.jobs import Stored, stored_overrides
from intlmodels.models import DEFAULT, Variant, catalogue, design_of, model_of
from intlmodels.models.decay.estimands import pairs_of
from intlmodels.models.share.design import CLUSTER
from intlmodels.models.share.estimands import new_firms
from intlmodels.report.record import current_fits
from intlmodels.results import decay, groups, interpret, intervals, share, steps
from intlmodels.results.attributes import attribute_table
from intlmodels.results.interpret import Interpretation
from intlmodels.results.intervals import CI_PROB, Compared, Conclusion
from intlmodels.studies import (
    Axes,
    ByOutcome,
    Composition,
    Covariate,
    DecayStudy,
    Panel,
    RegisterStudy,
    SequenceStudy,
    ShareStudy,
    Study,
    Terms,
    Total,
)
from intlmodels.studies.counts import rows

if TYPE_CHECKING:
    import pandas as pd
    from xarray import Dataset, DataTree


#: Rows of ``data.csv`` of a register; ``cells.csv`` has all in any case.
MOST_CELLS = 20_000
#: Letters of a change that names its variant.
SHORT = 36
#: Groups of a fit of a further outcome that a report needs beside those of a variant.
OF_AN_OUTCOME = ("observed_data", "posterior_predictive", "prior")
#: What the reconstruction of decisions from counts rests on.
RECONSTRUCTION = ("augmentation", "table steps", "parameter steps", "bounds", "audit")


@dataclass(frozen=True)
class KeyContrast:
    """The difference that a report is about, and what it is elsewhere.

    Attributes
    ----------
    name : str
        As among conclusions: ``Expertise: Both against Design``.
    row : Any
        Of the table of variants: the difference in the default fit.
    curve : pandas.DataFrame
        The difference in every combination of the multiverse that converged, or without one in
        every variant: columns as of :func:`intlmodels.checks.tables.curves`.
    axes : dict of str to tuple of str
        What was combined: axis -> its choices, the default first.
    """

    name: str
    row: Any
    curve: pd.DataFrame
    axes: dict[str, tuple[str, ...]]


@dataclass
class ReportData(ABC):
    """A study, its default fit, and what its variants say.

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
    check_results : CheckResults
        What calibration, comparison and sensitivity found.
    compared : Compared
        By what the variants are held against each other.
    """

    study: Study
    fit: DataTree
    variants: dict[str, DataTree]
    stored: tuple[Stored, ...] = ()
    check_results: CheckResults = NOTHING
    prob: float = CI_PROB
    further: dict[str, DataTree] = field(default_factory=dict)

    compared: ClassVar[Compared]

    # -- what each model says itself -----------------------------------------------------

    @property
    @abstractmethod
    def register(self) -> Study | None:
        """The study, if it is one of a register; None if it lists its firms."""

    @property
    @abstractmethod
    def subtitle(self) -> str:
        """What stands below the title of the report."""

    @property
    @abstractmethod
    def methods(self) -> tuple[str, ...]:
        """Names of what the model rests on: see :mod:`intlmodels.report.provenance`."""

    @property
    @abstractmethod
    def comparison(self) -> pd.DataFrame:
        """The variants side by side: see :func:`intlmodels.results.intervals.side_by_side`."""

    @property
    @abstractmethod
    def before(self) -> DataTree:
        """The default fit before seeing data."""

    @property
    @abstractmethod
    def conclusions(self) -> list[Conclusion]:
        """Levels and differences of the default fit, with their draws."""

    @abstractmethod
    def contrast_name(self, row: Any) -> str:
        """What a difference of the table of variants is called among conclusions."""

    @property
    def contrast_words(self) -> dict[str, str]:
        """What differences are called among conclusions -> the same in a sentence, if another."""
        return {}

    @property
    def choice_words(self) -> dict[str, str]:
        """Variant -> what it chooses, where a few words say it."""
        return {}

    def first_asked(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The likeliest differences of what the question asks for, the largest of which counts."""
        return rows[rows["p_direction"] == rows["p_direction"].max()]

    @property
    def predictive(self) -> pd.DataFrame | None:
        """Features of the data beside those of predicted data; None where these are not drawn."""
        return None

    @property
    def texts(self) -> Mapping[str, str]:
        """What is counted, by the id of a count; none where there are no counts."""
        return {}

    @abstractmethod
    def note_on(self, variant: str) -> str:
        """What the study says of a variant of its own; empty if nothing."""

    def csv_tables(self) -> dict[str, pd.DataFrame]:
        """File name -> table, everything that is written beside the report."""
        return {
            "parameters.csv": self.parameters,
            "diagnostics.csv": self.gate_table,
            "variants.csv": self.comparison,
            **({"claims.csv": self.claims} if self.study.claims else {}),
            **check_tables.csv_tables(self.check_results),
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
        rows: list[tuple[str, str, str]] = model_of(self.study).fixed_priors(self.design)
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

    @property
    def shown(self) -> dict[str, DataTree]:
        """Every fit that the report shows, the default first."""
        return {**self.variants, **self.further}

    @cached_property
    def gates(self) -> dict[str, Gate]:
        """Outcome of the gate of every fit shown."""
        return {name: Gate.from_json(fit.attrs["gate"]) for name, fit in self.shown.items()}

    # -- tables --------------------------------------------------------------------------

    @cached_property
    def key_contrast(self) -> KeyContrast | None:
        """The difference with the most probable direction; None where nothing is compared."""
        rows = self.compared.rows(self.comparison)
        asked = self.first_asked(rows[rows["variant"] == DEFAULT])
        if not len(asked):
            return None
        row = next(asked.loc[[asked["median"].abs().idxmax()]].itertuples(index=False))
        name, unit = self.contrast_name(row), self.compared.unit
        found = self.check_results.multiverse.value
        if found is not None:
            curves = check_tables.curves(found)
            curve = curves[curves["quantity"] == name]
            if curve["default"].any():
                return KeyContrast(name, row, curve, found.axes)
        same = (rows[list(self.compared.key)] == list(self.compared.key_of(row))).all(axis=1)
        own = rows[same & rows["converged"].astype(bool)]
        curve = own.assign(default=own["variant"] == DEFAULT, unit=unit, quantity=name)
        return KeyContrast(name, row, curve, {"variant": tuple(own["variant"])})

    def with_prior(self, table: Callable[[DataTree, float], pd.DataFrame]) -> pd.DataFrame:
        """A table of the default fit, what holds before seeing data beside it."""
        return intervals.beside_prior(table(self.fit, self.prob), table(self.before, self.prob))

    @cached_property
    def claims(self) -> pd.DataFrame:
        """The ledger, with how far each verdict stands in the multiverse."""
        table = ledger.evaluate(self.study, self.shown, self.prob)
        found = self.check_results.multiverse.value
        if found is not None:
            own = table[table["fit"] == DEFAULT]
            default = dict(zip(own["id"], own["probability"], strict=True))
            claims = check_tables.claims_by_combination(found, self.study.claims)
            said = check_tables.standing(found, claims, default)
            table["stands"] = [said.get(name, "") for name in table["id"]]
        return table

    def with_standing(self, table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
        """A table of differences with how far each direction stands in the multiverse."""
        found = self.check_results.multiverse.value
        if found is None:
            return table
        every = check_tables.of_differences(check_tables.curves(found))
        default = dict(zip(names, table["p_positive"], strict=True))
        said = check_tables.standing(found, every, default)
        return table.assign(stands=[said.get(name, "") for name in names])

    parameters = cached_property(lambda m: intervals.parameters(m.fit, m.prob))
    own_parameters = cached_property(lambda m: intervals.own_parameters(m.variants, m.prob))

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


# -- the share model ---------------------------------------------------------------------


@dataclass
class ShareReportData(ReportData):
    """Shares of firms or in a register, and what they have to do with predictors."""

    study: ShareStudy

    compared = share.COMPARED

    @property
    def register(self) -> RegisterStudy | None:
        """The study, if it is one of a register; None if it lists its firms."""
        return self.study if isinstance(self.study, RegisterStudy) else None

    @property
    def firms(self) -> str:
        """Who they are, with their number."""
        if self.register is not None:
            return f"{int(self.register.rows.sum()):,} {plural(self.study.firm_label)}"
        if self.panel is None:
            return super().firms
        units = counted(len(self.panel.unit.labels), self.study.firm_label)
        return f"{len(self.study.firms):,} rows of {units}"

    @property
    def panel(self) -> Panel | None:
        """Firms that repeat; None if every row is of another firm."""
        return self.study.panel

    @property
    def rows(self) -> str:
        """What the rows are called: firms, or just rows where firms repeat."""
        return "firms" if self.panel is None else "rows"

    @property
    def years(self) -> str:
        """From the first to the last period of a panel, after a comma; empty without periods."""
        periods = self.panel.periods if self.panel else ()
        return f", {periods[0]} to {periods[-1]}" if periods else ""

    @property
    def subtitle(self) -> str:
        """Outcome, firms and model."""
        clusters = self.study.clusters
        of_them = "" if clusters is None else f" of {len(clusters.labels)} clusters"
        of_them = of_them if self.register is None else " of a register"
        return f"{self.study.outcome.label}: {self.firms}{self.years}{of_them}"

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of what the model and its tables rest on."""
        specs = [self.study.variants.get(name) for name in self.variants]
        used = {
            "beta": True,
            "clusters": self.study.clusters is not None,
            "groups": bool(self.design.groupings) and self.study.clusters is None,
            "split": any(p.split for p in self.study.predictors.values()),
            "turning": any(p.curve == "quadratic" for p in self.study.predictors.values()),
            "precision": bool(self.design.precision),
            "ordered-beta": "ordered-beta" in self.variants,
            "weights": self.study.outcome.weights is not None,
            "variation": len(self.variation) > 0,
            "density": "density" in self.variants,
            "penalized-complexity": "penalized-complexity" in self.variants,
            "ordered": any(block.kind == "monotonic" for block in self.design.blocks)
            or any(isinstance(spec, (Axes, ByOutcome)) for spec in specs),
            "levels": any(item.kind == "ordered" for item in self.study.outcomes.values()),
        }
        return tuple(name for name, is_used in used.items() if is_used)

    def note_on(self, variant: str) -> str:
        """The study's note, and how labels that leave a level open were read."""
        if variant in self.study.outcomes:
            return self.study.outcomes[variant].note
        spec = self.study.variants.get(variant)
        readings: Iterable[tuple[str, object, str]] = ()
        if isinstance(spec, Axes):
            readings = spec.readings
        elif isinstance(spec, Terms):
            added = [self.study.predictors[own] for own in spec.add if own in self.study.predictors]
            readings = [reading for predictor in added for reading in predictor.readings]
        note = getattr(spec, "note", "")
        return " ".join(
            [note, *(f"{label.rstrip('.')}: {how}" for label, _, how in readings if how)]
        )

    def contrast_name(self, row: Any) -> str:
        """What a difference between levels is called among conclusions."""
        return share.difference_name(row.label, row.level, row.against)

    def first_asked(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The likeliest differences of predictors, or else of groups; of several predictors one."""
        asked = rows[rows["predictor"].isin(self.asked)]
        rows = super().first_asked(asked if len(asked) else rows)
        return rows[rows["predictor"] == rows["predictor"].iloc[0]] if len(rows) else rows

    @property
    def asked(self) -> list[str]:
        """Predictors that the question is about, periods aside; the halves of those split."""
        periods = "" if self.panel is None else self.panel.column
        return [
            own
            for name, p in self.study.predictors.items()
            if p.column != periods
            for own in ([f"{name}_between", f"{name}_within"] if p.split else [name])
        ]

    # -- tables --------------------------------------------------------------------------

    conclusions = cached_property(lambda m: share.conclusions(m.fit))
    comparison = cached_property(lambda m: share.compare_variants(m.variants, m.prob, m.before))
    before = cached_property(lambda m: share.before(m.fit))
    average = cached_property(lambda m: m.with_prior(share.average))
    levels = cached_property(lambda m: m.with_prior(share.levels))
    checks = cached_property(lambda m: share.predictive_checks(m.fit, m.prob))
    predictive = property(lambda m: m.checks)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """All pairwise differences, with how far their directions stand in the multiverse."""
        table = self.with_prior(share.differences)
        parts = (table[name] for name in ("label", "level", "against"))
        return self.with_standing(table, [*map(share.difference_name, *parts)])

    prior_differences = cached_property(lambda m: share.differences(m.before, m.prob))
    ranks = cached_property(lambda m: share.ranks(m.fit))
    many_levels = cached_property(lambda m: share.many_levels(m.fit, m.prob))
    level_spread = cached_property(lambda m: share.level_spread(m.fit, m.prob))
    variation = cached_property(lambda m: m.with_prior(share.variation))
    confounded = cached_property(lambda m: share.confounded(m.fit))
    crossings = cached_property(lambda m: share.crossings(m.fit))
    clusters = cached_property(lambda m: _if_clustered(groups.by_cluster, m))
    cluster_differences = cached_property(lambda m: _if_clustered(groups.cluster_differences, m))
    new_firms = cached_property(lambda m: share.new_firm_table(m.fit, m.prediction, m.prob))

    turning_points = cached_property(lambda m: interpret.turning_points(m.fit, m.prob))
    coefficients = cached_property(lambda m: interpret.slopes_in_units(m.fit, m.prob))
    labels = cached_property(lambda m: share.labels(m.fit))
    steps = cached_property(lambda m: steps.steps(m.fit, m.prob))
    zero_averages = cached_property(lambda m: steps.as_observed(m.fit, m.prob))
    zero_levels = cached_property(lambda m: steps.zero_levels(m.fit, m.prob))
    zero_differences = cached_property(lambda m: steps.zero_differences(m.fit, m.prob))
    zero_coefficients = cached_property(
        lambda m: interpret.slopes_in_units(m.fit, m.prob, zeros=True)
    )

    @cached_property
    def heaped_checks(self) -> pd.DataFrame | None:
        """Predictive checks of the variant ``heaped``; None without one that passed."""
        paths = [item.path for item in self.stored if item.variant == "heaped" and not item.reasons]
        if not paths or "heaped" not in self.gates or not self.gates["heaped"].passed:
            return None
        return share.predictive_checks(store.read(paths[0]), self.prob)

    @cached_property
    def moderations(self) -> pd.DataFrame:
        """How the difference that one predictor makes depends on another one, by interaction."""
        of = {name: self.study.interactions[name].of for name in self.interactions}
        return steps.moderations(self.fit, of, self.prob)

    @property
    def has_zeros(self) -> bool:
        """Whether the study has structural zeros, of which three things are estimated."""
        structural = self.study.outcome.zeros == "structural"
        return structural and "abroad" in share.estimands(self.fit)

    @property
    def has_terms(self) -> bool:
        """Whether there are terms that a coefficient or a level does not say enough of."""
        if self.register is not None:
            return False
        others = [own for own in self.design.groupings if own.name != CLUSTER]
        return bool(others or self.curved or self.interactions or self.design.precision)

    @property
    def curved(self) -> list[str]:
        """Numeric predictors that are curved, or split within and between firms."""
        blocks = share.blocks(self.fit)
        products = [pair for block in blocks for pair in block.get("of") or ()]
        bent = {one[0] for one, other in products if one == other}
        return [
            block["name"]
            for block in blocks
            if block["kind"] == "spline"
            or (block["kind"] == "numeric" and block["name"] in bent | self._halves)
        ]

    @property
    def _halves(self) -> set[str]:
        split = [name for name, p in self.study.predictors.items() if p.split]
        return {f"{name}_{half}" for name in split for half in ("between", "within")}

    @cached_property
    def interactions(self) -> dict[str, Interpretation]:
        """Expected shares by both predictors of each interaction of the default model."""
        return {
            block.name: interpret.interaction(self.fit, block.name, self.prob)
            for block in self.design.blocks
            if block.term in self.study.interactions
        }

    @cached_property
    def predicted(self) -> pd.DataFrame:
        """Predictions of every firm, or of every combination of levels in a register."""
        if self.register is not None:
            return share.combination_table(self.fit, self.prob)
        table = share.predicted_firms(self.fit, self.prob)
        for place, (name, values) in enumerate(self._units().items(), start=1):
            table.insert(place, name, values)
        return table

    def _units(self) -> dict[str, list[str]]:
        """Firm and period of each row of a panel, in columns; empty without one."""
        if self.panel is None:
            return {}
        unit = self.panel.unit
        found = {unit.name: [unit.labels[code] for code in unit.codes]}
        if self.panel.periods:
            found[self.panel.column] = [self.panel.periods[code] for code in self.panel.codes]
        return found

    @cached_property
    def prediction(self) -> Dataset:
        """Draws for the profiles asked for, or else for the most common of those observed."""
        observed = self.study.profiles or share.observed_profiles(self.fit) or [{}]
        # What only a variant adds is not in this model.
        terms = {b.get("term", b["name"]) for b in share.blocks(self.fit)} | set(
            share.groupings(self.fit)
        )
        profiles: list[Mapping[str, Any]] = [
            {name: value for name, value in one.items() if name in terms} for one in observed
        ]
        return new_firms(self.fit, profiles, seed=int(self.fit.attrs["seed"]))

    @cached_property
    def opportunity(self) -> pd.DataFrame | None:
        """See :func:`intlmodels.results.groups.combinations`; None if not asked for."""
        asked = self.study.opportunity
        if asked is None:
            return None
        return groups.combinations(self.fit, asked.across, asked.down, asked.vulnerable, self.prob)

    @cached_property
    def data(self) -> pd.DataFrame:
        """The firms as printed and as read, or the cells of a register with most rows first."""
        import pandas as pd

        study, outcome, register = self.study, self.study.outcome, self.register
        columns: dict[str, Any] = {}
        group: dict[str, Any] = {
            name: [own.labels[code] for code in own.codes] for name, own in study.groupings.items()
        }
        if register is not None:
            columns = group | {name: list(p.printed) for name, p in study.predictors.items()}
            columns |= {"printed_pct": outcome.printed, "rows": register.rows}
            table = pd.DataFrame(columns)
            return table.sort_values("rows", ascending=False, kind="stable").head(MOST_CELLS)
        columns |= self._units() or {study.firm_label: list(study.firms)}
        columns |= {"printed_pct": outcome.printed}
        columns |= {"lower_pct": 100 * outcome.lower, "upper_pct": 100 * outcome.upper}
        if outcome.weights is not None:
            columns["weight"] = outcome.weights
        for name, predictor in study.predictors.items():
            columns[f"{name}_printed"] = list(predictor.printed)
            if predictor.kind == "category":
                columns[f"{name}_read_as"] = [predictor.levels[code] for code in predictor.codes]
        return pd.DataFrame(columns | group)

    @cached_property
    def compositions(self) -> dict[str, pd.DataFrame]:
        """Shares of several parts of one whole, by the variant that has them."""
        return {
            name: share.compositions(
                self.variants[name], (own.share, own.label, own.rest), self.prob
            )
            for name, own in self.study.variants.items()
            if isinstance(own, Composition) and name in self.variants
        }

    @cached_property
    def totals(self) -> pd.DataFrame:
        """Sums over the firms, by the fit they are from; empty if the study asks for none."""
        import pandas as pd

        found = [
            share.totals(fit, total, self.prob).assign(fit=name)
            for total in self.study.totals
            for name, fit in self.variants.items()
            if name == DEFAULT or name in carrying(self.study, total)
        ]
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame()

    def csv_tables(self) -> dict[str, pd.DataFrame]:
        """File name -> table, everything that is written beside the report."""
        found = {
            "data.csv": self.data,
            "estimates.csv": self.levels,
            "differences.csv": self.differences,
            "ranks.csv": self.ranks,
            "variation.csv": self.variation,
            "predictions.csv": self.predicted,
            "checks.csv": self.checks,
            "new_firms.csv": self.new_firms,
        }
        found |= {f"{name}_parts.csv": table for name, table in self.compositions.items()}
        if self.study.totals:
            found["totals.csv"] = self.totals
        if len(self.many_levels):
            found["level_ranks.csv"] = self.many_levels
            found["level_spread.csv"] = self.level_spread
        if self.has_terms:
            found["steps.csv"] = self.steps
            found["coefficients.csv"] = self.coefficients
            found |= {
                f"interaction_{name}.csv": own.table for name, own in self.interactions.items()
            }
            if self.interactions:
                found["moderations.csv"] = self.moderations
            if len(self.turning_points):
                found["turning_points.csv"] = self.turning_points
        if self.has_zeros:
            found["zeros.csv"] = self.zero_levels
            found["zero_differences.csv"] = self.zero_differences
            found["zero_coefficients.csv"] = self.zero_coefficients
        if len(self.clusters):
            found["clusters.csv"] = self.clusters
            found["cluster_differences.csv"] = self.cluster_differences
        if self.opportunity is not None:
            found["opportunity.csv"] = self.opportunity
        further = groups.csv_tables(self.study, self.further, self.prob)
        return {**found, **further, **super().csv_tables()}


def _if_clustered(
    table: Callable[[DataTree, float], pd.DataFrame], m: ShareReportData
) -> pd.DataFrame:
    """A table of clusters; empty without clusters."""
    import pandas as pd

    return table(m.fit, m.prob) if groups.has_clusters(m.fit) else pd.DataFrame()


# -- the decay model ---------------------------------------------------------------------


#: What a variant with more counts sets beside experience.
_EVIDENCE = "further evidence"


@dataclass
class DecayReportData(ReportData):
    """Counts, decisions or a register of them, and what experience does to the flag."""

    study: DecayStudy

    compared = decay.COMPARED

    @property
    def register(self) -> SequenceStudy | None:
        """The study, if it is one of a register; None if it lists its firms."""
        return self.study if isinstance(self.study, SequenceStudy) else None

    @property
    def latent(self) -> bool:
        """Whether the decisions are reconstructed from counts."""
        return "table" in self.fit["posterior"].data_vars

    @property
    def firms(self) -> str:
        """Who they are, with their number."""
        if self.register is None:
            return super().firms
        return f"{self.register.read.firms:,} {plural(self.study.firm_label)}"

    @property
    def subtitle(self) -> str:
        """What is counted, by whom, and the model."""
        study = self.study
        if self.register is None:
            return f"{counted(study.total, study.event)} of {self.firms}"
        events = f"{study.total:,} {plural(study.event)}"
        return f"{events} of {self.firms} in a register"

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of what the model and its tables rest on."""
        return RECONSTRUCTION if self.latent else ()

    def note_on(self, variant: str) -> str:
        """The study's note on a reading of its own."""
        reading = self.study.readings.get(variant)
        return reading.note if reading is not None else ""

    def contrast_name(self, row: Any) -> str:
        """What a fall is called among conclusions."""
        return decay.fall_of(row.size)

    @cached_property
    def contrast_words(self) -> dict[str, str]:
        """Falls and their differences in a sentence."""
        sizes = list(dict.fromkeys(self.curves["size"]))
        return decay.fall_words(sizes, self.study.firm_label, self.study.event)

    @property
    def choice_words(self) -> dict[str, str]:
        """Rivals of experience by their names, other variants by their change if it is short."""
        changes = {name: own.change for name, own in self.catalogue.items() if name != DEFAULT}
        short = {name: text for name, text in changes.items() if len(text) <= SHORT}
        return {**short, **{name: f"with {what}" for name, what in self.rival_names.items()}}

    @property
    def predictive(self) -> pd.DataFrame | None:
        """Features of a register; of listed firms none are predicted."""
        return None if self.register is None else self.checks

    @cached_property
    def audit(self) -> Audit:
        """What the published counts say together."""
        study = self.study
        return audit(rows(study.counts, study.firms, study.periods), study.groups)

    @property
    def texts(self) -> dict[str, str]:
        """Count -> what it counts, in words."""
        return {count.id: count.text for count in self.study.counts}

    # -- tables --------------------------------------------------------------------------

    conclusions = cached_property(lambda m: decay.conclusions(m.fit))
    comparison = cached_property(lambda m: decay.compare_variants(m.variants, m.prob))
    before = cached_property(lambda m: decay.before(m.fit))
    curves = cached_property(lambda m: m.with_prior(decay.curves))
    prior_curves = cached_property(lambda m: decay.curves(m.before, m.prob))

    @cached_property
    def slopes(self) -> pd.DataFrame:
        """What experience does, with how far the direction of falls stands in the multiverse."""
        table = self.with_prior(decay.slopes)
        sizes = table.loc[table["quantity"] == "fall", "size"]
        pairs = zip(pairs_of([*sizes]), combinations(sizes, 2), strict=True)
        between = {pair: f"{decay.fall_of(one)} against {other}" for pair, (one, other) in pairs}
        names = [
            decay.fall_of(row.size) if row.quantity == "fall" else between.get(row.size, "")
            for row in table.itertuples(index=False)
        ]
        return self.with_standing(table, names)

    halving = cached_property(lambda m: decay.halving(m.fit, m.prob))
    term_levels = cached_property(lambda m: decay.term_levels(m.fit, m.prob))
    term_differences = cached_property(lambda m: decay.term_differences(m.fit, m.prob))
    true_counts = cached_property(lambda m: decay.true_counts(m.fit, m.prob))
    repairs = cached_property(lambda m: decay.repairs(m.fit))
    readings = cached_property(lambda m: decay.readings(m.fit))
    bounds = cached_property(lambda m: bound_table(m.audit))
    # Of a register:
    checks = cached_property(lambda m: decay.predictive_checks(m.fit, m.prob))
    predicted = cached_property(lambda m: decay.by_entries(m.fit, m.prob))

    @cached_property
    def cells(self) -> pd.DataFrame:
        """Cells of size, period and flag, with what the counts alone allow."""
        return self._bounded(decay.cells(self.fit, self.prob), self._kind_of_cells)

    @property
    def _kind_of_cells(self) -> str:
        """Kind of the bounds of cells of a size."""
        return "all" if len(self.study.groups) < 2 else "group"

    @cached_property
    def flags_by_period(self) -> pd.DataFrame:
        """By size (``name``) and period: ``decisions_`` and ``flagged_`` with mean and bounds."""
        cells = self._bounded(decay.flags_by_period(self.fit, self.prob), self._kind_of_cells)
        keys, columns = ["name", "period"], ["mean", "ci_low", "ci_high", "low", "high"]
        both, yes = (
            cells[cells["flag"] == flag].set_index(keys)[columns].add_prefix(f"{what}_")
            for flag, what in (("both", "decisions"), ("yes", "flagged"))
        )
        return both.join(yes).reset_index()

    @property
    def allowed(self) -> dict[str, float]:
        """By size, how many earlier decisions a single firm can have had by the counts."""
        if not self.latent:
            return {}
        constant, bounds = self.fit["constant_data"], self.bounds
        rows = bounds[(bounds["kind"] == "firm") & (bounds["period"] == "all")]
        rows = rows[(rows["flag"] == "both") & (rows["basis"] == bounds["basis"].iloc[0])]
        most = rows.set_index("name")["high"]
        names, sizes = (constant[name].to_numpy() for name in ("firm_level", "firm_size"))
        return {
            str(size): float(max(most[str(name)] for name in names[sizes == size])) - 1
            for size in dict.fromkeys(sizes)
        }

    @cached_property
    def firm_cells(self) -> pd.DataFrame:
        """Cells of firm, period and flag, with what the counts alone allow."""
        return self._bounded(decay.firm_cells(self.fit, self.prob), "firm")

    def _bounded(self, cells: pd.DataFrame, kind: str) -> pd.DataFrame:
        """Cells with Fréchet bounds ``low`` and ``high`` under the counts, repaired if need be."""
        bounds, cells = self.bounds, cells.rename(columns={"size": "name", "firm": "name"})
        first = bounds[(bounds["kind"] == kind) & (bounds["basis"] == bounds["basis"].iloc[0])]
        keys = ["name", "period", "flag"]
        return cells.merge(first[[*keys, "basis", "low", "high"]], on=keys, how="left")

    attribute_audits = cached_property(lambda m: audit_attributes(m.study, m.audit))

    @cached_property
    def attributes(self) -> dict[str, pd.DataFrame | str]:
        """Attribute -> its table, see :func:`.attribute_table`, or why there is none."""
        tables: dict[str, pd.DataFrame | str] = {}
        for found in self.attribute_audits if self.latent else ():
            try:
                table = attribute_table(self.study, found, self.fit, self.prob)
                tables[found.attribute.name] = table
            except StudyError as error:
                tables[found.attribute.name] = str(error)
        return tables

    @cached_property
    def period_fit(self) -> DataTree | None:
        """The whole fit of the variant ``period``, if it is stored and current."""
        paths = [item.path for item in self.stored if item.variant == "period" and not item.reasons]
        return store.read(paths[0]) if paths else None

    @cached_property
    def time(self) -> pd.DataFrame | None:
        """See :func:`intlmodels.results.decay.experience_and_time`; None without that variant."""
        return None if self.period_fit is None else decay.experience_and_time(self.period_fit)

    @property
    def explanations(self) -> dict[str, str]:
        """Variant -> what it sets beside experience, in words; the default first."""
        found = {DEFAULT: "experience alone"}
        if "period" in self.catalogue:
            found["period"] = "calendar time"
        counts = len(self.study.counts)
        for name, reading in self.study.readings.items():
            if reading.rival:
                found[name] = reading.rival
            elif len(reading.counts) > counts:
                found[name] = _EVIDENCE
        return found

    @property
    def rival_names(self) -> dict[str, str]:
        """The same without the default, and without variants that only add evidence."""
        words = self.explanations.items()
        return {name: what for name, what in words if name != DEFAULT and what != _EVIDENCE}

    @property
    def has_rivals(self) -> bool:
        """Whether a variant that sets something beside experience is fitted."""
        return set(self.explanations) & set(self.variants) > {DEFAULT}

    @cached_property
    def rivals(self) -> pd.DataFrame:
        """See :func:`intlmodels.results.decay.rivals`; of the default alone without a rival."""
        effects = decay.rival_effects(self.variants, self.period_fit, self.prob)
        return decay.rivals(self.comparison, effects, self.explanations)

    def kinds_of_firms(self, register: SequenceStudy) -> pd.DataFrame:
        """Firms of a register by size, decisions (in each period) and flags, most firms first."""
        import pandas as pd

        counts, periods = register.sequences, register.periods
        several = len(periods) > 1
        columns: dict[str, Any] = {
            "size": np.asarray(register.size_labels, dtype=object)[counts.size]
        }
        for i, name in enumerate(periods):
            columns[f"decisions {name}" if several else "decisions"] = counts.made[:, i]
        columns |= {"flagged": counts.flagged, "firms": counts.firms}
        table = pd.DataFrame(columns)
        return table.sort_values("firms", ascending=False, kind="stable").head(MOST_CELLS)

    def csv_tables(self) -> dict[str, pd.DataFrame]:
        """File name -> table, everything that is written beside the report."""
        import pandas as pd

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
                "flags_by_period.csv": self.flags_by_period,
                "firm_cells.csv": self.firm_cells,
                **audit_tables(self.audit),
            }
        if self.attributes:
            known = [table for table in self.attributes.values() if not isinstance(table, str)]
            found["audit_attributes.csv"] = attribute_bounds(self.attribute_audits)
            found |= {"attributes.csv": pd.concat(known)} if known else {}
        if self.design.terms:
            found["terms.csv"] = self.term_levels
            found["term_differences.csv"] = self.term_differences
        if self.time is not None:
            found["experience_and_time.csv"] = self.time
        if self.has_rivals:
            found["rivals.csv"] = self.rivals
        if self.register is not None:
            found["data.csv"] = self.kinds_of_firms(self.register)
            found |= {"checks.csv": self.checks, "predictions.csv": self.predicted}
        return found


# -- from what is stored -----------------------------------------------------------------

#: What a study says of its model and the shape of its data -> its report data.
REPORT_DATA: dict[str, type[ReportData]] = {
    "share": ShareReportData,
    "register": ShareReportData,
    "decay": DecayReportData,
    "sequences": DecayReportData,
}


def carrying(study: ShareStudy, total: Total) -> set[str]:
    """Variants in which what is missing of a total is a parameter."""
    return {
        name
        for name, own in study.variants.items()
        if isinstance(own, Covariate) and np.isnan(total.values).any()
        if (own.predictor.file, own.predictor.column) == (total.file, total.column)
    }


def gather(study: Study, folder: Path, fit: DataTree | None = None) -> ReportData:
    """Read the stored fits of a study; the default one may be at hand.

    Raises
    ------
    StudyError
        If the default fit is missing or no longer what the study asks for.
    """
    stored = current_fits(study, folder)
    fit = store.read(stored[0].path) if fit is None else fit
    variants, further = {DEFAULT: fit}, {}
    rows = catalogue(study)
    whole = {claim.fit for claim in study.claims if claim.rule.needs_coefficients}
    if isinstance(study, ShareStudy):
        whole |= {name for total in study.totals for name in carrying(study, total)}
        whole |= {name for name, own in study.variants.items() if isinstance(own, Composition)}
    for item in stored[1:]:
        if item.reasons:
            continue
        if rows[item.variant].outcome:
            further[item.variant] = store.read_summary(item.path, OF_AN_OUTCOME)
        else:
            light = item.variant not in whole
            read = store.read_summary(item.path, ("prior",)) if light else store.read(item.path)
            variants[item.variant] = read
    found = read_checks(study, folder, stored_overrides(study, folder))
    data = REPORT_DATA[study.model]
    return data(study, fit, variants, tuple(stored), found, further=further)
