"""Studies of the share model: a share of every firm, printed rounded, and what may explain it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.csvtable import clean_label, parse_number
from intlmodels.core.errors import did_you_mean, listed, one_line
from intlmodels.study.base import (
    Study,
    claim_lines,
    common,
    first_lines,
    normalization_lines,
    prior_lines,
    shortened,
)
from intlmodels.study.claims import read_ledger
from intlmodels.study.clusters import NAME as CLUSTER
from intlmodels.study.clusters import Clusters, check_names, cluster_lines, read_clusters
from intlmodels.study.columns import (
    Outcome,
    Predictor,
    lookalike_lines,
    read_outcome,
    read_predictor,
)
from intlmodels.study.fitrules import RULES
from intlmodels.study.keys import finite, wrong
from intlmodels.study.outcomes import FurtherOutcome, further_line, read_further
from intlmodels.study.schema import StudyFile
from intlmodels.study.sources import Crosscheck, Sources, read_crosscheck
from intlmodels.study.variants import (
    Axes,
    ByOutcome,
    Covariate,
    Membership,
    Nested,
    Variant,
    read_variant,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Opportunity:
    """Every combination of a category and a contrast, and how it is read.

    Attributes
    ----------
    across : str
        Name of the category.
    down : str
        Name of the contrast.
    vulnerable : str
        Level of the contrast at which a small share is read as vulnerable; at the other level
        a large share is read as an opportunity.
    note : str
        Where the reading comes from, in the author's words.
    """

    across: str
    down: str
    vulnerable: str
    note: str


def read_opportunity(
    table: Mapping[str, Any], predictors: Mapping[str, Predictor]
) -> Opportunity | None:
    """Check the table against the predictors; None if it is empty.

    Raises
    ------
    StudyError
        For a predictor that is not there or of another kind, or a level that it does not have.
    """
    if not table:
        return None
    for key, kind in (("across", "category"), ("down", "contrast")):
        usable = [name for name, predictor in predictors.items() if predictor.kind == kind]
        if table[key] not in usable:
            expected = f"expected {listed(usable)}" if usable else "there is none in this study"
            raise wrong(
                f"{key} takes a predictor of the kind {kind}; {expected}",
                f"[opportunity] {key}",
                table[key],
            )
    levels = predictors[table["down"]].levels
    vulnerable = clean_label(table["vulnerable"])
    if vulnerable not in levels:
        raise wrong(
            f"expected a level of {table['down']}: {listed(levels)}",
            "[opportunity] vulnerable",
            vulnerable,
        )
    return Opportunity(table["across"], table["down"], vulnerable, table.get("note", ""))


# -- studies of the share model --------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ShareStudy(Study):
    """A validated study of the share model.

    ``firms`` are those with an outcome.

    Attributes
    ----------
    outcome : Outcome
    predictors : dict of str to Predictor
    outcomes : dict of str to FurtherOutcome
        Further outcomes on the same predictors.
    variants : dict of str to Nested, Axes, Membership, Covariate or ByOutcome
    dropped : tuple of (firm, why)
        Firms without an outcome.
    profiles : tuple of dict of str to str
        New firms to predict: predictor -> level or number.
    crosschecks : tuple of Crosscheck
        Columns that are held against each other.
    opportunity : Opportunity or None
        Two predictors that are read together.
    clusters : Clusters or None
        Clusters of firms that differ in level and effects.
    """

    outcome: Outcome
    predictors: dict[str, Predictor]
    outcomes: dict[str, FurtherOutcome]
    variants: dict[str, Variant]
    dropped: tuple[tuple[str, str], ...]
    profiles: tuple[dict[str, str], ...]
    crosschecks: tuple[Crosscheck, ...]
    opportunity: Opportunity | None
    clusters: Clusters | None

    def frame(self) -> pd.DataFrame:
        """The firms with outcome and predictors as read, for notebooks.

        Returns
        -------
        pandas.DataFrame
            One row a firm. ``printed_pct`` is the outcome in percent; then a column for each
            predictor and each covariate: ordered levels (low, high) for a contrast, levels
            for a category, numbers before any transform for a numeric predictor; and, of a study
            with clusters, ``cluster``.
        """
        import pandas as pd

        columns: dict[str, Any] = {"printed_pct": self.outcome.printed}
        covariates = [v.predictor for v in self.variants.values() if isinstance(v, Covariate)]
        for predictor in [*self.predictors.values(), *covariates]:
            columns[predictor.name] = _as_read(predictor)
        if self.clusters is not None:
            own = self.clusters
            columns[CLUSTER] = pd.Categorical.from_codes(own.codes, list(own.labels))
        return pd.DataFrame(columns, index=pd.Index(self.firms, name=self.firm_label))


def _as_read(predictor: Predictor) -> Any:
    import pandas as pd

    if predictor.kind == "numeric":
        known = ~np.isnan(predictor.values)
        cells = zip(predictor.printed, known, strict=True)
        return np.array([parse_number(text) if there else np.nan for text, there in cells])
    contrast = predictor.kind == "contrast"
    codes = (predictor.values > 0).astype(int) if contrast else predictor.codes
    return pd.Categorical.from_codes(codes, list(predictor.levels), ordered=contrast)


def read_share_study(folder: Path, toml: StudyFile) -> ShareStudy:
    """Read and check the tables of a study of the share model.

    Raises
    ------
    StudyError
        For the first thing that is wrong, in one line.
    """
    sources = Sources(folder, toml.firms["file"], toml.firms["column"], _keys(toml))
    outcome, dropped = read_outcome(toml.outcome, sources)
    predictors = {
        name: read_predictor(name, spec, sources, outcome, f"[predictors.{name}]")
        for name, spec in toml.predictors.items()
    }
    outcomes = {
        name: read_further(name, spec, sources, outcome, predictors)
        for name, spec in toml.outcomes.items()
    }
    variants = {
        name: read_variant(name, spec, predictors, sources, outcome, outcomes)
        for name, spec in toml.variants.items()
    }
    clusters = read_clusters(toml.cluster, sources, outcome, predictors)
    if clusters is not None:
        check_names(_named(predictors, variants))
    return ShareStudy(
        **common(folder, toml, sources),
        outcome=outcome,
        predictors=predictors,
        outcomes=outcomes,
        variants=variants,
        dropped=dropped,
        profiles=checked_profiles(toml.profiles, predictors, clusters),
        crosschecks=tuple(
            read_crosscheck(name, spec, sources) for name, spec in toml.crosschecks.items()
        ),
        **read_ledger(RULES, toml, sources),
        opportunity=read_opportunity(toml.opportunity, predictors),
        clusters=clusters,
    )


def _keys(toml: StudyFile) -> dict[str, str]:
    """File to the column with the firms' names, where a predictor or outcome says it."""
    home = toml.firms["file"]
    keys: dict[str, str] = {home: toml.firms["column"]}
    asking = [(f"[predictors.{name}]", spec) for name, spec in toml.predictors.items()]
    asking += [(f"[outcomes.{name}]", spec) for name, spec in toml.outcomes.items()]
    asking.append(("[cluster]", toml.cluster))
    for where, spec in asking:
        if "key" not in spec:
            continue
        file, key = spec.get("file", home), spec["key"]
        if clean_label(keys.setdefault(file, key)) != clean_label(key):
            raise wrong(
                f"another key of this study says {keys[file]!r} for {file}; expected one column "
                "with the firms in each file",
                f"{where} key",
                key,
            )
    return keys


def _named(
    predictors: Mapping[str, Predictor], variants: Mapping[str, Variant]
) -> Iterator[tuple[str, str]]:
    """Names that become names of model variables, and the tables that give them."""
    for name in predictors:
        yield name, f"[predictors.{name}]"
    for name, variant in variants.items():
        match variant:
            case Covariate():
                yield name, f"[variants.{name}]"
            case Axes():
                yield from ((axis, f"[variants.{name}]") for axis in variant.axes)
            case ByOutcome():
                yield variant.outcome.name.replace("-", "_"), f"[variants.{name}]"


def checked_profiles(
    profiles: Sequence[Mapping[str, Any]],
    predictors: Mapping[str, Predictor],
    clusters: Clusters | None = None,
) -> tuple[dict[str, str], ...]:
    """Check the levels of all new firms that a study asks for; numbers come out as text."""
    found = []
    for number, profile in enumerate(profiles, start=1):
        where = f"[[profiles]] number {number},"
        checked = _profile(profile, predictors, where)
        if clusters is not None and CLUSTER in profile:
            checked[CLUSTER] = _level(profile[CLUSTER], clusters.labels, f"{where} {CLUSTER}")
        found.append(checked)
    return tuple(found)


def _profile(
    profile: Mapping[str, Any], predictors: Mapping[str, Predictor], where: str
) -> dict[str, str]:
    """Check the levels of a new firm; numbers come out as text."""
    checked = {}
    for name, predictor in predictors.items():
        key, value = f"{where} {name}", profile[name]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if predictor.kind == "numeric":
            if not number or not finite(value):
                raise wrong("expected a finite number without quotes", key, value)
            if predictor.transform == "log" and value <= 0:
                raise wrong("expected a number above 0, as the transform log needs", key, value)
            checked[name] = repr(value)
            continue
        checked[name] = _level(value, predictor.levels, key)
    return checked


def _level(value: object, levels: Sequence[str], key: str) -> str:
    """Check that a value of a profile is one of some labels."""
    if not isinstance(value, str):
        raise wrong("expected text; put it in quotes", key, value)
    level = clean_label(value)
    if level not in levels:
        raise wrong(f"expected one of {listed(levels)}{did_you_mean(level, levels)}", key, value)
    return level


# -- telling what was read ---------------------------------------------------------------


def share_lines(study: ShareStudy) -> Iterator[str]:
    """What was read, for a person to check before fitting."""
    outcome = study.outcome
    yield from first_lines(study)
    yield one_line(f"  outcome   {outcome.label} ({outcome.file}, {outcome.column})")
    low, high = outcome.printed.min(), outcome.printed.max()
    yield (
        f"            printed in {outcome.unit}, rounded to {outcome.width:.10g} percentage "
        f"points; from {low:.10g} to {high:.10g} percent"
    )
    if outcome.unit == "percent" and high <= 1:
        yield '            none is above 1 percent; for fractions write unit = "fraction"'
    yield "predictors"
    for predictor in study.predictors.values():
        yield from _predictor_lines(predictor, study.firms)
    if study.clusters is not None:
        yield from cluster_lines(study.clusters)
    if study.outcomes:
        yield "further outcomes, on the same predictors"
        for further in study.outcomes.values():
            yield one_line(f"  {further_line(further)}")
    yield f"variants of this study's own: {len(study.variants) or 'none'}"
    for variant in study.variants.values():
        yield one_line(f"  {variant.name}: {_variant_line(variant)}")
        if isinstance(variant, Covariate):
            yield from _predictor_lines(variant.predictor, study.firms, indent="    ")
    yield f"firms left out for want of an outcome: {len(study.dropped) or 'none'}"
    for firm, why in study.dropped:
        yield one_line(f"  {firm}: {why}")
    yield from normalization_lines(study)
    if study.opportunity is not None:
        both = f"{study.opportunity.across} and {study.opportunity.down}"
        yield f"read together: {both}"
    if study.profiles:
        yield f"new firms to predict: {len(study.profiles)}"
    yield from claim_lines(study)
    yield from prior_lines(study)


def _predictor_lines(
    predictor: Predictor, firms: tuple[str, ...], indent: str = "  "
) -> Iterator[str]:
    place = f"{predictor.file}, {predictor.column}"
    yield one_line(f"{indent}{predictor.name}: {predictor.kind}, {predictor.label} ({place})")
    if predictor.kind == "numeric":
        missing = np.isnan(predictor.values)
        known = predictor.values[~missing]
        log = "log of " if predictor.transform == "log" else ""
        unit = f" in {predictor.unit}" if predictor.unit else ""
        yield one_line(
            f"{indent}  {log}values{unit}: {known.size} known, mean {predictor.center:.4g}, "
            f"sd {predictor.scale:.4g}"
        )
        if missing.any():
            without = tuple(firms[i] for i in np.flatnonzero(missing))
            yield one_line(f"{indent}  missing for {shortened(without)}")
        return
    if predictor.kind == "contrast":
        counts = [int((predictor.values < 0).sum()), int((predictor.values > 0).sum())]
    else:
        counts = np.bincount(predictor.codes, minlength=len(predictor.levels)).tolist()
    for level, count in zip(predictor.levels, counts, strict=True):
        yield one_line(f"{indent}  {count:>3}  {level}")
    yield from lookalike_lines(predictor.levels, f"{indent}  ")


def _variant_line(variant: Variant) -> str:
    match variant:
        case Nested():
            return (
                f"{len(variant.labels)} printed labels within the families of {variant.predictor}"
            )
        case Axes():
            axes = " and ".join(variant.axes)
            return f"{axes} ({' / '.join(variant.levels)}) in place of {variant.replaces}"
        case Membership():
            both = int(((variant.weights > 0) & (variant.weights < 1)).any(axis=1).sum())
            return f"{both} firms have a second {variant.predictor} ({variant.column})"
        case Covariate():
            return "one more numeric predictor"
        case ByOutcome():
            return f"the outcome {variant.outcome.name} as one more predictor of the share"
