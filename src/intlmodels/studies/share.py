"""Studies of the share model: a share of every firm, printed rounded, and what may explain it.

A variant of the study's own is another reading of its columns, as labelled arrays: it changes
what a model is given, never how the model is written; the catalogue of models turns each of them
into a row of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.csvtable import Files, clean_label, parse_number
from intlmodels.core.errors import did_you_mean, listed, one_line, read_each, shown
from intlmodels.core.formats import in_unit
from intlmodels.core.rounding import intervals
from intlmodels.studies.base import Study, common
from intlmodels.studies.claims import read_ledger, shortened
from intlmodels.studies.columns import (
    Floats,
    FurtherOutcome,
    Grouping,
    Integers,
    Outcome,
    Panel,
    Predictor,
    Total,
    coded,
    frozen,
    further_line,
    group_outcome,
    grouping_lines,
    lookalike_lines,
    outcome_lines,
    panel_lines,
    read_clusters,
    read_further,
    read_grouping,
    read_outcome,
    read_panel,
    read_predictor,
    read_total,
    require_known,
    share_reader,
)
from intlmodels.studies.fitrules import RULES
from intlmodels.studies.schema import (
    CLUSTER,
    AxesTable,
    ByOutcomeTable,
    CompositionTable,
    CovariateTable,
    GroupOutcomesTable,
    InteractionTable,
    MembershipTable,
    NestedTable,
    Opportunity,
    OrderTable,
    RowsTable,
    ShareFile,
    ShareTable,
    TermsTable,
    VariantTable,
    finite,
    require_name,
    wrong,
)
from intlmodels.studies.sources import (
    Crosscheck,
    Sources,
    in_column,
    read_crosscheck,
    require_numbers,
)

if TYPE_CHECKING:
    import pandas as pd

# -- variants of the study's own ---------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _OwnVariant:
    name: str
    note: str


@dataclass(frozen=True, eq=False)
class Nested(_OwnVariant):
    """The printed label within its family (needs a predictor with a family separator)."""

    #: The category whose levels are the families.
    predictor: str
    #: Printed labels, sorted.
    labels: tuple[str, ...]
    #: Position in ``labels``; shape (firm,).
    label_codes: Integers
    #: Position in the predictor's levels; shape (label,).
    family_of_label: Integers


@dataclass(frozen=True, eq=False)
class Axes(_OwnVariant):
    """Ordered axes in place of a category."""

    #: The category that the axes replace.
    replaces: str
    #: Position of each firm in ``levels``; shape (firm,).
    axes: dict[str, Integers]
    #: Lowest first.
    levels: tuple[str, ...]
    #: Tuple of (label, {axis: level}, note): how each printed label was read.
    readings: tuple[tuple[str, dict[str, str], str], ...]


@dataclass(frozen=True, eq=False)
class Membership(_OwnVariant):
    """A second label beside the first one."""

    #: The category with the first label.
    predictor: str
    #: Levels of both labels, sorted.
    levels: tuple[str, ...]
    #: Rows sum to one: the primary weight on the first label and the rest on the second, or all on
    #: the first where there is no second; shape (firm, level).
    weights: Floats
    #: Where the second label is printed.
    file: str = ""
    column: str = ""
    #: Its cells as they stand in the file; length (firm,).
    second: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Covariate(_OwnVariant):
    """One more numeric predictor."""

    #: Of kind ``numeric``, with the variant's name.
    predictor: Predictor


@dataclass(frozen=True, eq=False)
class Composition(_OwnVariant):
    """A second part of the whole that the share is a part of, reported with the same rounding."""

    #: What the second part, the share and the rest are called.
    label: str
    share: str
    rest: str
    file: str
    column: str
    #: Ends of the interval that each reported part stands for, from 0 to 1, which they are where
    #: none is reported; shape (row,).
    lower: Floats
    upper: Floats


@dataclass(frozen=True, eq=False)
class ByOutcome(_OwnVariant):
    """A further outcome as one more predictor of the share."""

    outcome: FurtherOutcome


@dataclass(frozen=True, eq=False)
class Terms(_OwnVariant):
    """The same study with other terms."""

    #: Names of predictors, interactions or groupings; what a variant adds is in no other.
    add: tuple[str, ...]
    drop: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Order(_OwnVariant):
    """A further outcome with its levels in another order."""

    #: Under the variant's name, with levels in the other order.
    outcome: FurtherOutcome
    #: Name of the outcome that it is another order of.
    of: str


Variant = Nested | Axes | Membership | Covariate | Composition | ByOutcome | Order | Terms


@dataclass(frozen=True, eq=False)
class Interaction:
    """Two predictors of which the effect of one depends on the other."""

    name: str
    of: tuple[str, str]
    label: str


def read_variant(
    name: str,
    spec: VariantTable,
    predictors: Mapping[str, Predictor],
    sources: Sources,
    outcome: Outcome,
    further: Mapping[str, FurtherOutcome],
) -> Variant:
    """Read one variant."""
    match spec:
        case NestedTable():
            return _nested(name, spec, _category(spec, "predictor", predictors))
        case AxesTable():
            return _axes(name, spec, _category(spec, "replaces", predictors), sources)
        case MembershipTable():
            return _membership(name, spec, _category(spec, "predictor", predictors), sources)
        case CovariateTable():
            return Covariate(name, spec.note, read_predictor(name, spec, sources, outcome))
        case CompositionTable():
            return _composition(name, spec, sources, outcome)
        case TermsTable():
            if "firm" in spec.drop and len(set(sources.units)) == len(sources.units):
                said = "no firm repeats, so that there are no effects of firms; expected a term"
                raise wrong(f"{said} of this study", f"{spec.where} drop", "firm")
            return Terms(name, spec.note, spec.add, spec.drop)
        case OrderTable():
            return _order(name, spec, further)
    assert isinstance(spec, ByOutcomeTable)
    return _by_outcome(name, spec, further)


def _composition(
    name: str, spec: CompositionTable, sources: Sources, outcome: Outcome
) -> Composition:
    """Read the second part: on the grid of the share, and with it not above the whole."""
    if not outcome.width or outcome.zeros == "structural":
        said = "a composition takes shares of one rounding width without structural zeros; "
        raise spec.error("kind", f"{said}delete the variant")
    file = spec.file or sources.file
    if file == outcome.file and spec.column in outcome.columns:
        raise spec.error("column", "expected another column than the outcome's")
    cells = sources.cells(file, spec.column, f"{spec.where} column")
    require_numbers(cells)
    step = outcome.width / 100 if outcome.unit == "fraction" else outcome.width
    share = share_reader(ShareTable(unit=outcome.unit, column=spec.column, rounding_width=step))[1]
    known = [i for i, cell in enumerate(cells) if not cell.missing]
    lower, upper = np.zeros(len(cells)), np.ones(len(cells))
    for i, value in zip(known, read_each(lambda i: share(cells[i]), known), strict=True):
        low, high = intervals(value, outcome.width)
        lower[i], upper[i] = float(low), float(high)
        if lower[i] + outcome.lower[i] >= 1:
            raise cells[i].error(
                f"expected a part that leaves room for the share, {outcome.printed[i]:g} percent, "
                "even as rounded: fix one of the two"
            )
    if not known:
        raise in_column(f"no {sources.one} has a number: delete the variant", file, spec.column)
    return Composition(
        *(name, spec.note, spec.label, spec.share, spec.rest, file, spec.column),
        *(frozen(lower), frozen(upper)),
    )


def _category(
    spec: NestedTable | AxesTable | MembershipTable, key: str, predictors: Mapping[str, Predictor]
) -> Predictor:
    name: str = getattr(spec, key)
    require_name(name, predictors, f"{spec.where} {key}", "predictor")
    kind = predictors[name].kind
    if kind != "category":
        raise spec.error(key, f"expected a predictor of kind category; it is a {kind}")
    return predictors[name]


def _by_outcome(
    name: str, spec: ByOutcomeTable, further: Mapping[str, FurtherOutcome]
) -> ByOutcome:
    found = _further(spec, further)
    for firm, why in found.missing:
        said = f"firm {shown(firm)} has {why}; expected a predictor to be known for every firm: "
        raise spec.error("outcome", f"{said}fill the cell, or delete the variant")
    return ByOutcome(name, spec.note, found)


def _further(
    spec: ByOutcomeTable | OrderTable, further: Mapping[str, FurtherOutcome]
) -> FurtherOutcome:
    if spec.outcome not in further:
        near = did_you_mean(spec.outcome, further)
        known = f"expected one of {listed(further)}" if further else "expected an [outcomes.NAME]"
        raise spec.error("outcome", f"no such outcome{near}; {known}")
    return further[spec.outcome]


def _order(name: str, spec: OrderTable, further: Mapping[str, FurtherOutcome]) -> Order:
    """The same outcome with levels in another order, and some labels read otherwise."""
    own = _further(spec, further)
    if own.kind != "ordered":
        raise spec.error("outcome", f"expected an outcome of kind ordered; it is {own.kind}")
    if set(spec.levels) != set(own.levels):
        said = f"expected the levels of {own.name} in another order: {listed(own.levels)}"
        raise wrong(said, f"{spec.where} levels", listed(spec.levels))
    given = {reading["label"]: reading for reading in spec.readings}
    for label in given:
        labels = [known for known, *_ in own.readings]
        if label not in labels:
            said = f"no reading of {own.name} has this label{did_you_mean(label, labels)}"
            raise wrong(f"{said}; expected one of its labels", f"{spec.where} readings", label)
    # A label that is read otherwise takes its firms along.
    readings = tuple(
        (label, given[label]["level"], given[label]["note"])
        if label in given
        else (label, level, note)
        for label, level, note in own.readings
    )
    level_of = {label: level for label, level, _ in readings}
    read = [
        spec.levels.index(level_of[clean_label(printed)]) if known else 0
        for printed, known in zip(own.printed, own.known, strict=True)
    ]
    codes = frozen(read, np.intp)
    if spec.levels == own.levels and np.array_equal(codes, own.codes):
        raise wrong("the order of the outcome itself; expected another", f"{spec.where} levels")
    changed = replace(
        own, name=name, note=spec.note, levels=spec.levels, codes=codes, readings=readings
    )
    return Order(name, spec.note, changed, own.name)


def _labels(predictor: Predictor) -> list[str]:
    return [clean_label(text) for text in predictor.printed]


def _nested(name: str, spec: NestedTable, category: Predictor) -> Nested:
    if not category.family_separator:
        said = "expected a predictor with a family_separator; give it in "
        where = f"[predictors.{category.name}]"
        raise spec.error("predictor", f"{said}{where}, or there is nothing to nest")
    printed = _labels(category)
    labels = tuple(sorted(set(printed)))
    if len(labels) == len(category.levels):
        said = "every family has a single printed label; expected a family with two or more: "
        raise spec.error("predictor", f"{said}delete the variant")
    family = dict(zip(printed, category.codes, strict=True))
    families = frozen([family[label] for label in labels], np.intp)
    codes = coded(printed, labels)
    return Nested(name, spec.note, category.name, labels, codes, families)


def _axes(name: str, spec: AxesTable, category: Predictor, sources: Sources) -> Axes:
    readings = {reading["label"]: reading for reading in spec.readings}
    for cell in sources.cells(category.file, category.column, spec.where):
        label = clean_label(cell.text)
        if label not in readings:
            raise cell.error(
                f"expected a label with a reading in variant {shown(name)}"
                f"{did_you_mean(label, readings)}; add a [[variants.{name}.readings]] for it"
            )
    codes: dict[str, Integers] = {}
    for axis in spec.axes:
        read = [spec.levels.index(readings[label][axis]) for label in _labels(category)]
        if len(set(read)) == 1:
            said = "every firm has this level; expected two or more levels: delete the axis"
            raise wrong(said, f"{spec.where} {axis}", spec.levels[read[0]])
        codes[axis] = frozen(read, np.intp)
    told = tuple(
        (label, {axis: reading[axis] for axis in spec.axes}, reading["note"])
        for label, reading in readings.items()
    )
    return Axes(name, spec.note, category.name, codes, spec.levels, told)


def _membership(
    name: str, spec: MembershipTable, category: Predictor, sources: Sources
) -> Membership:
    file, column = spec.file or sources.file, spec.column
    if (file, column) == (category.file, category.column):
        raise spec.error("column", f"expected another column than that of {category.name}")
    cells = sources.cells(file, column, f"{spec.where} column")
    first = [category.levels[code] for code in category.codes]
    level_of = {label: own for label, own, _ in category.readings}
    second: list[str | None] = []
    for cell, primary in zip(cells, first, strict=True):
        # An empty cell says that there is no second label; NA would say that it is not known.
        level = sources.level(cell, category.family_separator) if clean_label(cell.text) else None
        level = level_of.get(level, level) if level else None
        if level == primary:
            raise cell.error("expected a label that differs from the first one; empty the cell")
        second.append(level)
    if not any(second):
        said = "no firm has a second label; expected at least one: delete the variant"
        raise in_column(said, file, column)
    levels = tuple(sorted({*first, *(level for level in second if level is not None)}))
    place = {level: code for code, level in enumerate(levels)}
    weights = np.zeros((len(first), len(levels)))
    for row, primary, other in zip(weights, first, second, strict=True):
        row[place[primary]] = 1.0 if other is None else spec.primary_weight
        if other is not None:
            row[place[other]] = 1.0 - spec.primary_weight
    texts = tuple(cell.text for cell in cells)
    return Membership(name, spec.note, category.name, levels, frozen(weights), file, column, texts)


# -- studies of the share model --------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class ShareStudy(Study):
    """A validated study of the share model; ``firms`` are those with an outcome."""

    outcome: Outcome
    predictors: dict[str, Predictor]
    #: New firms to predict: predictor -> level or number.
    profiles: tuple[dict[str, str], ...]
    #: Groups of rows that differ in level, and in effects: by name, without the firms of a panel.
    groupings: dict[str, Grouping]
    #: Further outcomes on the same predictors.
    outcomes: dict[str, FurtherOutcome] = field(default_factory=dict)
    variants: dict[str, Variant] = field(default_factory=dict)
    #: Firms without an outcome, and why.
    dropped: tuple[tuple[str, str], ...] = ()
    #: Columns that are held against each other.
    crosschecks: tuple[Crosscheck, ...] = ()
    #: Two predictors that are read together.
    opportunity: Opportunity | None = None
    #: Firms that repeat; None if every row is of another firm.
    panel: Panel | None = None
    interactions: dict[str, Interaction] = field(default_factory=dict)
    #: Sums over the firms, of what the shares are parts of.
    totals: tuple[Total, ...] = ()
    #: Predictors on which the precision depends, and those on which structural zeros depend.
    precision: tuple[str, ...] = ()
    never: tuple[str, ...] = ()

    @property
    def clusters(self) -> Grouping | None:
        """Clusters of firms that differ in level and all effects."""
        return self.groupings.get(CLUSTER)

    @property
    def row_label(self) -> str:
        """What a row is called: a firm, or just a row where firms repeat."""
        return self.firm_label if self.panel is None else "row"

    def frame(self) -> pd.DataFrame:
        """The firms with outcome and predictors as read, for notebooks.

        Returns
        -------
        pandas.DataFrame
            One row a firm, or of a panel a row, with the ``firm`` and the period it is of.
            ``printed_pct`` is the outcome in percent; then a column for each
            predictor and each covariate: ordered levels for a contrast (low, high), an ordered
            predictor and periods, levels for a category, numbers before any transform for a
            numeric predictor; and one for each grouping, by its name, such as ``cluster``.
        """
        import pandas as pd

        columns: dict[str, Any] = {"printed_pct": self.outcome.printed}
        if (panel := self.panel) is not None:
            own = panel.unit
            columns[own.name] = pd.Categorical.from_codes(own.codes, list(own.labels))
            if panel.periods:
                periods = pd.Categorical.from_codes(panel.codes, list(panel.periods), ordered=True)
                columns[panel.column] = periods
        covariates = [v.predictor for v in self.variants.values() if isinstance(v, Covariate)]
        for predictor in [*self.predictors.values(), *covariates]:
            columns[predictor.name] = _as_read(predictor)
        for name, own in self.groupings.items():
            columns[name] = pd.Categorical.from_codes(own.codes, list(own.labels))
        return pd.DataFrame(columns, index=pd.Index(self.firms, name=self.row_label))

    def firm_lines(self, firms: Sequence[str]) -> Iterator[str]:
        """The names of the firms, and how many rows they have."""
        yield from super().firm_lines(firms if self.panel is None else self.panel.unit.labels)
        if self.panel is not None:
            yield from panel_lines(self.panel)

    def lines(self) -> Iterator[str]:
        """What was read, for a person to check before fitting."""
        outcome = self.outcome
        yield from self.first_lines()
        yield one_line(f"  outcome   {outcome.label} ({outcome.file}, {outcome.column})")
        yield from outcome_lines(outcome)
        yield "predictors"
        for predictor in self.predictors.values():
            yield from _predictor_lines(predictor, self.firms)
        for interaction in self.interactions.values():
            pair = " and ".join(interaction.of)
            yield one_line(f"  {interaction.name}: interaction of {pair}, {interaction.label}")
        for what, names in (("precision", self.precision), ("structural zeros", self.never)):
            if names:
                yield one_line(f"predictors of the {what}: {listed(names)}")
        for grouping in self.groupings.values():
            yield from grouping_lines(grouping)
        if self.outcomes:
            yield "further outcomes, on the same predictors"
            for further in self.outcomes.values():
                yield one_line(f"  {further_line(further)}")
        yield f"variants of this study's own: {len(self.variants) or 'none'}"
        for variant in self.variants.values():
            yield one_line(f"  {variant.name}: {_variant_line(variant)}")
            if isinstance(variant, Covariate):
                yield from _predictor_lines(variant.predictor, self.firms, indent="    ")
        rows = "firms" if self.panel is None else "rows"
        yield f"{rows} left out for lack of an outcome: {len(self.dropped) or 'none'}"
        for firm, why in self.dropped:
            yield one_line(f"  {firm}: {why}")
        yield from self.normalization_lines()
        for total in self.totals:
            known = f"{total.of} known of {np.isfinite(total.values).sum()} firms"
            place = f"{total.file}, {total.column}"
            yield one_line(f"total {total.name}: {total.label} ({place}), {known}")
        if self.opportunity is not None:
            yield f"read together: {self.opportunity.across} and {self.opportunity.down}"
        if self.profiles:
            yield f"new firms to predict: {len(self.profiles)}"
        yield from self.claim_lines()
        yield from self.prior_lines()


def _as_read(predictor: Predictor) -> Any:
    import pandas as pd

    if predictor.kind == "numeric":
        known = ~np.isnan(predictor.values)
        cells = zip(predictor.printed, known, strict=True)
        return np.array([parse_number(text) if there else np.nan for text, there in cells])
    codes = predictor.codes
    if predictor.kind == "contrast":
        codes = (predictor.values > 0).astype(np.intp)
    ordered = predictor.kind != "category"
    return pd.Categorical.from_codes(codes, list(predictor.levels), ordered=ordered)


def read_share_study(files: Files, toml: ShareFile) -> ShareStudy:
    """Read and check the tables of a study of the share model."""
    keys = _keys(toml)
    file = toml.listing.file
    sources = Sources(files, file, keys[file], keys, toml.rows)
    outcome, dropped = read_outcome(toml.outcome, sources)
    panel = read_panel(sources)
    predictors = {
        name: read_predictor(name, spec, sources, outcome) for name, spec in toml.predictors.items()
    }
    ledger = read_ledger(RULES, toml, sources)
    outcomes: dict[str, FurtherOutcome] = {}
    for name, spec in toml.outcomes.items():
        if isinstance(spec, GroupOutcomesTable):
            groups, silence = ledger["row_groups"], ledger["silence"]
            several = [
                group_outcome(name, spec, own, groups, silence, sources) for own in spec.groups
            ]
        else:
            several = [read_further(name, spec, sources, outcome, predictors)]
        for further in several:
            if further.name in {**outcomes, **toml.variants}:
                said = "another outcome or variant has this name; expected another group or table"
                raise wrong(said, spec.where, further.name)
            outcomes[further.name] = further
    variants = {
        name: read_variant(name, spec, predictors, sources, outcome, outcomes)
        for name, spec in toml.variants.items()
    }
    interactions = {
        name: _interaction(name, spec, predictors, sources)
        for name, spec in toml.interactions.items()
    }
    groupings: dict[str, Grouping] = {}
    if toml.cluster is not None:
        groupings[CLUSTER] = read_clusters(toml.cluster, sources, outcome, predictors)
    for name, group in toml.groupings.items():
        groupings[name] = read_grouping(name, group, sources, outcome, predictors)
        _check_slopes(groupings[name], group.where, predictors, interactions, sources)
        own = groupings[name]
        for other in groupings.values():
            pairs = len(set(zip(own.codes, other.codes, strict=True)))
            if other.name != name and len(own.labels) == len(other.labels) == pairs:
                said = f"the same groups as in {shown(other.name)}; expected others"
                raise wrong(f"{said}: delete {group.where}", f"{group.where} column", group.column)
    for what, part in (("precision", toml.precision), ("structural zeros", toml.zeros)):
        for name in part.predictors if part else ():
            require_known(predictors[name], sources, f"place among the predictors of {what}")
    profiles = checked_profiles(toml.profiles, predictors, groupings.get(CLUSTER))
    crosschecks = [read_crosscheck(name, own, sources) for name, own in toml.crosschecks.items()]
    if toml.opportunity is not None:
        default = {name: own for name, own in predictors.items() if name not in toml.added}
        _check_opportunity(toml.opportunity, default)
    return ShareStudy(
        **common(files, toml, "share", sources),
        outcome=outcome,
        predictors=predictors,
        outcomes=outcomes,
        variants=variants,
        dropped=dropped,
        profiles=profiles,
        crosschecks=tuple(crosschecks),
        **ledger,
        opportunity=toml.opportunity,
        groupings=groupings,
        panel=panel,
        interactions=interactions,
        totals=tuple(read_total(name, own, sources, outcome) for name, own in toml.totals.items()),
        precision=toml.precision.predictors if toml.precision else (),
        never=toml.zeros.predictors if toml.zeros else (),
    )


def _interaction(
    name: str, spec: InteractionTable, predictors: Mapping[str, Predictor], sources: Sources
) -> Interaction:
    """Make an interaction of predictors that are known of every row."""
    one, other = (predictors[own] for own in spec.of)
    for predictor in (one, other):
        require_known(predictor, sources, "interaction")
    label = spec.label or f"{one.label} \N{MULTIPLICATION SIGN} {other.label}"
    return Interaction(name, (one.name, other.name), label)


def _check_slopes(
    grouping: Grouping,
    where: str,
    predictors: Mapping[str, Predictor],
    interactions: Mapping[str, Interaction],
    sources: Sources,
) -> None:
    """Refuse slopes of what is not known of every row, or differs within no group."""
    for name in grouping.slopes or ():
        of = interactions[name].of if name in interactions else (name,)
        columns: list[Any] = [grouping.codes]
        for predictor in (predictors[own] for own in of):
            require_known(predictor, sources, "slope that differs between groups")
            columns.append(predictor.codes if len(predictor.codes) else predictor.values)
        if len(set(zip(*columns, strict=True))) == len(grouping.labels):
            said = f"{shown(name)} is the same in all rows of each group; expected what differs "
            raise wrong(f"{said}within groups: delete it here", f"{where} slopes", name)


def _check_opportunity(table: Opportunity, predictors: Mapping[str, Predictor]) -> None:
    """Check the table against the predictors."""
    asked = (("across", table.across, "category"), ("down", table.down, "contrast"))
    for key, name, kind in asked:
        usable = [own.name for own in predictors.values() if own.kind == kind]
        if name not in usable:
            expected = f"expected {listed(usable)}" if usable else "there is none in this study"
            raise table.error(key, f"{key} takes a predictor of the kind {kind}; {expected}")
    levels = predictors[table.down].levels
    if table.vulnerable not in levels:
        raise table.error("vulnerable", f"expected a level of {table.down}: {listed(levels)}")


def _keys(toml: ShareFile) -> dict[str, str]:
    """File to the column with the firms' names, where a predictor or outcome says it."""
    listing = toml.listing
    home = listing.file
    keys = {home: listing.unit if isinstance(listing, RowsTable) else listing.column}
    outcomes = [own for own in toml.outcomes.values() if not isinstance(own, GroupOutcomesTable)]
    asking = [*toml.predictors.values(), *outcomes]
    for spec in [*asking, toml.cluster] if toml.cluster else asking:
        file = spec.file or home
        if spec.key and keys.setdefault(file, spec.key) != spec.key:
            said = f"another key of this study says {keys[file]!r} for {file}; expected one column "
            raise spec.error("key", f"{said}with the firms in each file")
    return keys


def checked_profiles(
    profiles: Sequence[Mapping[str, Any]],
    predictors: Mapping[str, Predictor],
    clusters: Grouping | None = None,
) -> tuple[dict[str, str], ...]:
    """Check the levels of all new firms that a study asks for; numbers come out as text."""
    found = []
    for number, profile in enumerate(profiles, start=1):
        where = f"[[profiles]] number {number},"
        checked = {
            name: _value(profile[name], predictor, f"{where} {name}")
            for name, predictor in predictors.items()
        }
        if clusters is not None and CLUSTER in profile:
            checked[CLUSTER] = _level(profile[CLUSTER], clusters.labels, f"{where} {CLUSTER}")
        found.append(checked)
    return tuple(found)


def _value(value: object, predictor: Predictor, key: str) -> str:
    if predictor.kind == "walk" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if predictor.kind != "numeric":
        return _level(value, predictor.levels, key)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not finite(value):
        raise wrong("expected a finite number without quotes", key, value)
    if predictor.transform == "log" and value <= 0:
        raise wrong("expected a number above 0, as the transform log needs", key, value)
    return repr(value)


def _level(value: object, levels: Sequence[str], key: str) -> str:
    """Check that a value of a profile is one of some labels."""
    if not isinstance(value, str):
        raise wrong("expected text; put it in quotes", key, value)
    level = clean_label(value)
    if level not in levels:
        raise wrong(f"expected one of {listed(levels)}{did_you_mean(level, levels)}", key, value)
    return level


# -- describing it -----------------------------------------------------------------------


def _predictor_lines(
    predictor: Predictor, firms: tuple[str, ...], indent: str = "  "
) -> Iterator[str]:
    place = f"{predictor.file}, {predictor.column}"
    yield one_line(f"{indent}{predictor.name}: {predictor.kind}, {predictor.label} ({place})")
    if predictor.kind == "numeric":
        missing = np.isnan(predictor.values)
        known = predictor.values[~missing]
        log = "log of " if predictor.transform == "log" else ""
        yield one_line(
            f"{indent}  {log}values{in_unit(predictor.unit)}: {known.size} known, "
            f"mean {predictor.center:.4g}, sd {predictor.scale:.4g}"
        )
        for said in _shape(predictor):
            yield one_line(f"{indent}  {said}")
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


def _shape(predictor: Predictor) -> Iterator[str]:
    """The terms of a numeric predictor that is not a single slope, and where it is compared."""
    back = np.exp if predictor.transform == "log" else np.asarray
    if predictor.split:
        yield "split into the mean of each firm and the deviation from it"
    if predictor.curve == "quadratic":
        yield "curve: quadratic"
    if predictor.curve == "spline":
        knots = ", ".join(f"{knot:.4g}" for knot in back(predictor.knots))
        yield f"curve: natural cubic spline with knots at {knots}"
    if predictor.at:
        yield f"compared at {', '.join(f'{value:.10g}' for value in predictor.at)}"


def _variant_line(variant: Variant) -> str:
    match variant:
        case Nested():
            labels = f"{len(variant.labels)} printed labels"
            return f"{labels} within the families of {variant.predictor}"
        case Axes():
            axes = " and ".join(variant.axes)
            return f"{axes} ({' / '.join(variant.levels)}) in place of {variant.replaces}"
        case Membership():
            both = int(((variant.weights > 0) & (variant.weights < 1)).any(axis=1).sum())
            return f"{both} firms have a second {variant.predictor} ({variant.column})"
        case Covariate():
            return "one more numeric predictor"
        case Composition():
            return f"{variant.label} ({variant.column}), {variant.rest} and the share as one whole"
        case ByOutcome():
            return f"the outcome {variant.outcome.name} as one more predictor of the share"
        case Order():
            return f"{variant.of} in the order {' / '.join(variant.outcome.levels)}"
        case Terms():
            parts = (("adds", variant.add), ("drops", variant.drop))
            return "; ".join(f"{what} {listed(names)}" for what, names in parts if names)
