"""What enters the linear predictor of a share model, as data.

Every part of the linear predictor is a *block*: a vector of coefficients and the weights
with which each firm takes them. The model draws the coefficients, the estimands multiply
the same weights with the drawn coefficients; neither needs to know the other.

Of a register a cell is to the design what a firm is; the number of its rows is data beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError, listed
from intlmodels.core.formats import about, amount, rounded, unit_of_differences
from intlmodels.core.rounding import grid
from intlmodels.models.base import DEFAULT, Variant
from intlmodels.models.priors import Prior, parameter
from intlmodels.studies import (
    Axes,
    ByOutcome,
    Composition,
    Covariate,
    FurtherOutcome,
    Grouping,
    Interaction,
    Membership,
    Nested,
    Order,
    Panel,
    Predictor,
    RegisterStudy,
    ShareStudy,
    Terms,
)

# fmt: off
Kind = Literal[
    "contrast", "numeric", "category", "nested", "membership", "monotonic",
    "spline", "walk", "product", "interaction",
]
Family = Literal[
    "beta", "logit-normal", "hurdle", "heaped", "density", "ordered-beta", "composition",
    "ordered", "binary",
]
# fmt: on

Array = NDArray[np.float64]

#: Kinds whose coefficients are drawn around zero with a common, estimated spread.
VARYING: tuple[Kind, ...] = ("category", "nested", "membership", "interaction")

#: Name of the levels of clusters in the stored posterior, and of their dimension's beginning.
CLUSTER = "cluster"
#: Name of the grouping of the rows of a panel by firm.
FIRM = "firm"
#: Grouping up to which they are shown and compared one by one.
MOST_CLUSTERS = 30


@dataclass(frozen=True)
class Block:
    """One source of differences between firms.

    Of a numeric covariate ``weight = (value - center) / scale`` of the transformed
    value.
    """

    name: str  #: of the coefficient(s) in the stored posterior
    kind: Kind  #: how the coefficients are drawn
    label: str  #: what it is, in words
    levels: tuple[str, ...]  #: one label a coefficient; empty for a single slope
    #: (firm, coefficient), with which a firm takes each; NaN where a covariate is missing.
    weights: Array
    #: Weights of all blocks that move together when this predictor is set to one of ``settings``:
    #: block name -> array of shape (setting, coefficient).
    rows: dict[str, Array] = field(default_factory=dict)
    settings: tuple[str, ...] = ()  #: levels at which it is compared; empty if it is not
    center: float = 0.0
    scale: float = 1.0
    transform: str = "none"
    unit: str = ""  #: of a numeric covariate, as printed
    prior: str = "Normal(0, 0.5)"  #: of an ordered effect, from the lowest to the highest level
    #: For each column the two (block, column) that it is the product of; empty if it is none.
    of: tuple[tuple[tuple[str, int], tuple[str, int]], ...] = ()
    knots: tuple[float, ...] = ()  #: of a spline, after the transform
    predictor: str = ""  #: predictor or interaction that it is a part of; empty if of its own name

    @property
    def term(self) -> str:
        """Name of the predictor or interaction that it is a part of."""
        return self.predictor or self.name

    @property
    def variable(self) -> str:
        """Name of the variable of the posterior that holds the effects."""
        return f"{self.name}_effect" if self.kind == "monotonic" else self.name

    @property
    def by_cluster(self) -> str:
        """Name of what a cluster differs by from the others, in this block."""
        return self.by(CLUSTER)

    def by(self, grouping: str) -> str:
        """Name of what a group differs by from the others, in this block."""
        return f"{self.name}_by_{grouping}"

    @property
    def missing(self) -> NDArray[np.intp]:
        """Positions of the firms whose value is missing."""
        return np.flatnonzero(np.isnan(self.weights).any(axis=1))


def covariate_data(name: str) -> str:
    """Name of the model's data that hold the known values of a covariate."""
    return f"{name}_known"


def intercept_of(family: str) -> str:
    """Name of the parameter at which the linear predictor starts; empty if there is none.

    Not all are called intercept: a prior for the level of shares is none for the odds of something
    else, and overrides go by name.
    """
    return {"binary": "log_odds", "ordered": ""}.get(family, "intercept")


@dataclass(frozen=True)
class Design:
    """The linear predictor and the observation family of one model variant.

    With clusters of firms the level and the coefficients of every block differ between them: each
    cluster's own coefficient is the common one and a deviation, drawn around zero with an estimated
    spread.
    """

    blocks: tuple[Block, ...]
    family: Family = "beta"  #: how what is observed comes about, given the linear predictor
    further: FurtherOutcome | None = None  #: what is explained, if it is not the share
    #: Groups of rows that differ in level and in effects; the firms of a panel among them.
    groupings: tuple[Grouping, ...] = ()
    #: Terms of the logarithm of the precision, and of the log odds of a structural zero.
    precision: tuple[Block, ...] = ()
    never: tuple[Block, ...] = ()
    #: A second part of the same whole, and terms of the log odds of what it has of the rest.
    part: Composition | None = None
    split: tuple[Block, ...] = ()

    own_ends: bool = False  #: whether rows differ in the width of their intervals
    #: Whether spreads have a penalized complexity prior in place of a half-normal one.
    penalized: bool = False
    #: Why shares cannot be simulated from it; empty if they can.
    not_simulated: str = ""

    @property
    def beside(self) -> tuple[Block, ...]:
        """Terms of other parameters than the mean."""
        return (*self.precision, *self.never, *self.split)

    def terms_of(self, name: str) -> tuple[Block, ...]:
        """Terms of a parameter of the family."""
        terms = {"phi": self.precision, "never": self.never, "split": self.split}
        return terms.get(name, ())

    @property
    def clusters(self) -> Grouping | None:
        """Clusters of firms that differ in level and all effects."""
        return self.grouping(CLUSTER)

    def grouping(self, name: str) -> Grouping | None:
        """Look a grouping up by name."""
        return next((own for own in self.groupings if own.name == name), None)

    def slopes(self, grouping: Grouping) -> tuple[Block, ...]:
        """Blocks whose effects vary between the groups."""
        if grouping.slopes is None:
            return self.blocks
        return tuple(block for block in self.blocks if block.term in grouping.slopes)

    def correlated(self, grouping: Grouping) -> list[str]:
        """What is correlated between groups, each as a variable and its level."""
        found = [grouping.name]
        for block in self.slopes(grouping):
            name = block.by(grouping.name)
            levels = block.levels if block.kind != "monotonic" else ()
            found += [f"{name}[{level}]" for level in levels] or [name]
        return found

    def block(self, name: str) -> Block:
        """Look a block up by name."""
        return next(block for block in self.blocks if block.name == name)

    @property
    def intercept(self) -> str:
        """Name of the parameter at which the linear predictor starts; empty if there is none."""
        return intercept_of(self.family)

    def observed(self, study: ShareStudy) -> Array:
        """What is observed of every firm: printed shares in percent, or positions of levels."""
        if self.further is None:
            return study.outcome.printed
        return self.further.codes.astype(np.float64)

    def weights(self, study: ShareStudy) -> Array:
        """Power of each row's likelihood: its weight, or 0 if nothing was observed."""
        known = self.known(study).astype(np.float64)
        return known if study.outcome.weights is None else known * study.outcome.weights

    def known(self, study: ShareStudy) -> NDArray[np.bool_]:
        """Whether it was observed at all; the share of every firm of the study was."""
        if self.further is None:
            return np.ones(len(study.firms), dtype=bool)
        return np.asarray(self.further.known)


def rows_of(study: ShareStudy) -> str:
    """Name of the dimension of the rows."""
    return "firm" if study.panel is None else "row"


# -- the parameters of a share model by its design -------------------------------------

_PHI = ("phi", "LogNormal(log(10), 0.8)", "positive", "precision of the shares around their mean")
_FAMILY_PARAMETERS: dict[Family, tuple[tuple[str, str, str, str], ...]] = {
    "beta": (_PHI,),
    "logit-normal": (
        ("sigma", "LogNormal(log(1), 0.5)", "positive", "spread of the shares, logit scale"),
    ),
    "hurdle": (
        _PHI,
        ("never", "Beta(1, 9)", "unit", "probability that a firm is a structural zero"),
    ),
    "heaped": (
        _PHI,
        ("heaping", "Beta(1, 1)", "unit", "probability of rounding to the double width"),
    ),
    "density": (_PHI,),
    "ordered-beta": (
        _PHI,
        ("cut_zero", "Normal(-4, 1.5)", "real", "cutpoint below which a share is exactly 0"),
        (
            *("cut_range", "LogNormal(log(6), 0.5)", "positive"),
            "distance from there to the cutpoint above which a share is exactly 100",
        ),
    ),
    "composition": (
        _PHI,
        ("split", "Beta(1, 1)", "unit", "second part in proportion to all but the share"),
    ),
    "binary": (),
    # Its probabilities have a prior together, see fixed_priors.
    "ordered": (),
}
#: Where the linear predictor starts; an ordered outcome has cutpoints instead.
_INTERCEPTS = {
    "intercept": ("Normal(-1.5, 1)", "average level, logit scale"),
    "log_odds": ("Normal(0, 1.5)", "log odds of a firm whose effects are zero"),
}


def parameters(design: Design) -> dict[str, Prior]:
    """Parameters of a design that have a prior of their own, with the default of each.

    They are in the order of the model's formula.
    """
    listed = []
    if design.intercept:
        prior, meaning = _INTERCEPTS[design.intercept]
        listed.append(parameter(design.intercept, prior, "real", meaning))
    for block in design.blocks:
        listed += _block_parameters(block)
    for grouping in design.groupings:
        listed += _grouping_parameters(design, grouping)
    for name, prior, support, meaning in _FAMILY_PARAMETERS[design.family]:
        listed.append(parameter(name, prior, support, meaning))  # type: ignore[arg-type]
        for block in design.terms_of(name):
            own = _block_parameters(block)
            listed += [replace(prior, meaning=_meaning(name, prior.meaning)) for prior in own]
    names = [prior.name for prior in listed]
    for name in names:
        if names.count(name) > 1:
            raise StudyError(
                f"two parameters of the model would be called '{name}'; rename the predictor",
                file="study.toml",
                value=name,
            )
    if design.penalized:
        listed = [_penalized(prior) for prior in listed]
    return {prior.name: prior for prior in listed}


#: Probability that a spread exceeds twice the scale of its half-normal prior: that of the
#: half-normal itself, and of the penalized complexity prior in its place.
EXCEEDED = 0.05


def _penalized(prior: Prior) -> Prior:
    """A spread with a penalized complexity prior: an exponential one of the same tail.

    The distance of effects with a spread from no effects at all grows as the spread, so that a
    constant penalty for each unit of it is an exponential prior; its rate follows from
    ``Pr(spread > U) = EXCEEDED`` (Simpson et al. 2017, Statistical Science 32, 1-28).
    """
    if not (prior.name.startswith("sigma_") and prior.distribution == "HalfNormal"):
        return prior
    rate = -math.log(EXCEEDED) / (2 * prior.args[0])
    return prior.rewritten(f"Exponential({rate:.3g})")


def _meaning(name: str, meaning: str) -> str:
    """What a term of the precision, or of structural zeros, means."""
    scale = "log scale" if name == "phi" else "logit scale"
    return f"{name}: {meaning.replace('logit scale', scale)}"


def _block_parameters(block: Block) -> list[Prior]:
    name, what = block.name, block.label.lower()
    if block.kind in VARYING:
        meaning = f"spread of the effects of {what}, logit scale"
        return [parameter(f"sigma_{name}", _spread_prior(block), "positive", meaning)]
    if block.kind == "walk":
        meaning = f"spread of the steps of {what}, logit scale"
        return [parameter(f"sigma_{name}", "HalfNormal(0.25)", "positive", meaning)]
    if block.kind in ("spline", "product") and block.levels:
        return []  # one prior for each of several coefficients, see fixed_priors
    if block.kind == "contrast":
        low, high = block.settings
        meaning = f"{high} against {low}, logit scale"
        return [parameter(name, block.prior, "real", meaning)]
    if block.kind == "monotonic":
        meaning = f"{what}: {block.levels[-1]} against {block.levels[0]}, logit scale"
        return [parameter(name, block.prior, "real", meaning)]
    if block.kind == "product":
        return [parameter(name, block.prior, "real", f"{what}, logit scale")]
    slope = parameter(name, block.prior, "real", f"slope of {what}, logit scale per sd")
    if not block.missing.size:
        return [slope]
    # The missing values are parameters: they need a distribution to come from.
    return [
        slope,
        parameter(f"{name}_mean", "Normal(0, 1)", "real", f"mean of standardized {what}"),
        parameter(f"{name}_sd", "HalfNormal(1)", "positive", f"sd of standardized {what}"),
    ]


def _spread_prior(block: Block) -> str:
    """Of the effects of levels; what an interaction or the precision adds is smaller."""
    ordinary = block.kind != "interaction" and not block.name.startswith("phi_")
    return "HalfNormal(0.5)" if ordinary else "HalfNormal(0.25)"


def _grouping_parameters(design: Design, grouping: Grouping) -> list[Prior]:
    name, groups = grouping.name, _groups(grouping)
    spreads = [
        (
            f"sigma_{name}",
            "HalfNormal(1)" if name == FIRM else "HalfNormal(0.5)",
            f"spread of the levels of {groups}",
        )
    ]
    # Smaller than that of the levels: groups differ less in what an effect is.
    spreads += [
        (
            f"sigma_{block.by(name)}",
            "HalfNormal(0.25)",
            f"spread between {groups} of the effects of {block.label.lower()}",
        )
        for block in design.slopes(grouping)
    ]
    return [parameter(n, prior, "positive", f"{what}, logit scale") for n, prior, what in spreads]


def _groups(grouping: Grouping) -> str:
    """What the groups are called in a sentence."""
    special = {CLUSTER: "clusters", FIRM: "firms"}
    return special.get(grouping.name, f"groups by {grouping.label.lower()}")


def fixed_priors(design: Design) -> list[tuple[str, str, str]]:
    """Priors that follow from the others, as (name, prior, meaning), for the printed table."""
    rows: list[tuple[str, str, str]] = []
    if design.family == "ordered" and design.further is not None:
        ones = ", ".join("1" for _ in design.further.levels)
        what = f"probability of each level of {design.further.label.lower()}"
        rows.append(("baseline", f"Dirichlet({ones})", f"{what}, of a firm whose effects are zero"))
        rows.append(("cutpoints", "logit of the sums of baseline", "between neighbouring levels"))
    for block in design.blocks:
        rows += _fixed_of_block(block)
    for grouping in design.groupings:
        rows += _fixed_of_grouping(design, grouping)
    for name in ("phi", "never", "split"):
        fixed = [row for block in design.terms_of(name) for row in _fixed_of_block(block)]
        rows += [(own, prior, _meaning(name, meaning)) for own, prior, meaning in fixed]
    return rows


def _fixed_of_block(block: Block) -> list[tuple[str, str, str]]:
    name, what = block.name, block.label.lower()
    if block.kind in VARYING:
        return [(name, f"Normal(0, sigma_{name})", f"effect of each level of {what}")]
    if block.kind == "walk":
        prior = f"sums of steps from Normal(0, sigma_{name}), their mean taken off"
        return [(name, prior, f"effect of each period of {what}")]
    if block.kind == "spline":
        return [(name, block.prior, f"each coefficient of the curve of {what}, per sd")]
    if block.kind == "product" and block.levels:
        return [(name, block.prior, f"each coefficient of {what}")]
    if block.kind == "monotonic":
        ones = ", ".join("1" for _ in block.levels[1:])
        return [(f"{name}_steps", f"Dirichlet({ones})", f"share of each step of {what}")]
    if block.missing.size:
        prior = f"Normal({name}_mean, {name}_sd)"
        return [(f"{name}_missing", prior, f"missing values of {what}")]
    return []


def _fixed_of_grouping(design: Design, grouping: Grouping) -> list[tuple[str, str, str]]:
    name = grouping.name
    one = {CLUSTER: "cluster", FIRM: "firm"}.get(name, f"group by {grouping.label.lower()}")
    rows = [(name, f"Normal(0, sigma_{name})", f"level of each {one}")]
    rows += [
        (
            block.by(name),
            f"Normal(0, sigma_{block.by(name)})",
            f"what each {one} adds to each effect of {block.label.lower()}",
        )
        for block in design.slopes(grouping)
    ]
    if grouping.correlated and len(rows) > 1:
        meaning = f"correlations of the level and the effects of a {one}"
        rows.append((f"{name}_correlation", "LKJ(2)", meaning))
    return rows


def shown(design: Design) -> list[str]:
    """Variables of the posterior that a table of parameters shows, in their order.

    Those with a prior of their own come first, then the effects of levels, the steps of
    ordered effects, and missing values.
    """
    names = [*parameters(design), *(["baseline"] if design.family == "ordered" else [])]
    for block in design.blocks:
        names += [block.variable, f"{block.name}_steps", f"{block.name}_missing"]
    for grouping in design.groupings:
        if grouping.correlated and design.slopes(grouping):
            names.append(f"{grouping.name}_correlation")
        # Thousands of groups are no table of parameters: they have tables of their own.
        if len(grouping.labels) <= MOST_CLUSTERS:
            names += [grouping.name, *(b.by(grouping.name) for b in design.slopes(grouping))]
    names += [block.variable for block in design.beside]
    return list(dict.fromkeys(names))


def default_design(study: ShareStudy) -> Design:
    """Every term of the study that no variant adds (models: sections 2 and 6, default)."""
    structural = study.outcome.zeros == "structural"
    design = Design(
        (),
        "hurdle" if structural else "beta",
        precision=_named(study, study.precision, "phi", "Normal(0, 0.25)"),
        never=_named(study, study.never, "never", "Normal(0, 0.5)") if structural else (),
        own_ends=not study.outcome.width,
        not_simulated=_not_simulated(study),
    )
    return with_names(design, study, _default_names(study))


def _default_names(study: ShareStudy) -> list[str]:
    """Predictors, interactions and groupings that no variant adds."""
    added = {n for own in study.variants.values() if isinstance(own, Terms) for n in own.add}
    every = (*study.predictors, *study.interactions, *study.groupings, FIRM)
    return [name for name in every if name not in added]


def with_names(design: Design, study: ShareStudy, names: Sequence[str]) -> Design:
    """Let predictors, interactions and groupings of these names be its terms."""
    blocks = [
        block
        for name, predictor in study.predictors.items()
        if name in names
        for block in predictor_blocks(predictor, study.panel)
    ]
    known = {block.term for block in blocks}
    blocks += [
        interaction_block(interaction, blocks)
        for name, interaction in study.interactions.items()
        if name in names and known.issuperset(interaction.of)
    ]
    groupings = [*study.groupings.values(), *([study.panel.unit] if study.panel else [])]
    kept = tuple(own for own in groupings if own.name in names)
    return replace(design, blocks=tuple(blocks), groupings=kept)


def _named(study: ShareStudy, names: Sequence[str], of: str, prior: str) -> tuple[Block, ...]:
    """Blocks of another parameter than the level of shares, which their names begin with."""
    found: list[Block] = []
    for name in names:
        for block in predictor_blocks(study.predictors[name], study.panel):
            own = f"{of}_{block.name}"
            rows = {f"{of}_{other}": values for other, values in block.rows.items()}
            pairs = tuple(((f"{of}_{a}", i), (f"{of}_{b}", j)) for (a, i), (b, j) in block.of)
            found.append(replace(block, name=own, rows=rows, of=pairs, prior=prior, predictor=name))
    return tuple(found)


def _not_simulated(study: ShareStudy) -> str:
    """Why its reported shares cannot be simulated; empty if they can."""
    ends = [0.0, *(upper for _, upper in study.outcome.bands)]
    if study.outcome.bands and ends != [*(lower for lower, _ in study.outcome.bands), 1.0]:
        return "its bands do not follow each other from 0 to 100, so no share has one band"
    return ""


def _levels(
    name: str,
    kind: Kind,
    label: str,
    levels: tuple[str, ...],
    codes: NDArray[np.intp],
    prior: str = Block.prior,
) -> Block:
    """A coefficient for each level; a firm has one of them."""
    eye = np.eye(len(levels))
    return Block(name, kind, label, levels, eye[codes], {name: eye}, levels, prior=prior)


def _contrast(name: str, label: str, levels: tuple[str, ...], values: Array) -> Block:
    """One coefficient between two levels, which stand at -1/2 and 1/2."""
    rows = {name: np.array([[-0.5], [0.5]])}
    return Block(name, "contrast", label, (), values[:, None], rows, levels)


def _block(predictor: Predictor) -> Block:
    name, label = predictor.name, predictor.label
    if predictor.kind == "category":
        return _levels(name, "category", label, predictor.levels, predictor.codes)
    if predictor.kind == "walk":
        return _levels(name, "walk", label, predictor.levels, predictor.codes)
    if predictor.kind == "ordered":
        return _levels(name, "monotonic", label, predictor.levels, predictor.codes)
    if predictor.kind == "contrast":
        return _contrast(name, label, predictor.levels, predictor.values)
    standardized = (predictor.values - predictor.center) / predictor.scale
    steps, names = _places(predictor)
    if predictor.curve == "spline":
        knots = (np.array(predictor.knots) - predictor.center) / predictor.scale
        own = np.exp(predictor.knots) if predictor.transform == "log" else predictor.knots
        return Block(
            name,
            "spline",
            label,
            ("linear", *(f"bend from {amount(rounded(knot, 4))}" for knot in own[:-2])),
            spline_basis(standardized, knots),
            {name: spline_basis(steps, knots)},
            names,
            center=predictor.center,
            scale=predictor.scale,
            transform=predictor.transform,
            unit=predictor.unit,
            knots=predictor.knots,
        )
    return Block(
        name,
        "numeric",
        label,
        (),
        standardized[:, None],
        {name: steps[:, None]},
        names,
        center=predictor.center,
        scale=predictor.scale,
        transform=predictor.transform,
        unit=predictor.unit,
    )


def _places(predictor: Predictor) -> tuple[Array, tuple[str, ...]]:
    """Where a numeric predictor is compared: standardized, and in words."""
    if predictor.at:
        at = np.array(predictor.at)
        on_scale = np.log(at) if predictor.transform == "log" else at
        steps = (on_scale - predictor.center) / predictor.scale
        return steps, tuple(amount(value, predictor.unit) for value in at)
    steps = np.array([-1.0, 0.0, 1.0])
    at = predictor.center + steps * predictor.scale
    # The mean of numbers that were standardized before is zero but for their last digits.
    at[np.abs(at) < 1e-3 * predictor.scale] = 0.0
    if predictor.transform == "log":
        at = np.exp(at)
    names = ("one sd below the mean", "at the mean", "one sd above the mean")
    texts = [about(value, predictor.unit) for value in at]
    return steps, tuple(
        # A unit in brackets shares them with the note.
        f"{text[:-1]}; {name})" if text.endswith(")") else f"{text} ({name})"
        for text, name in zip(texts, names, strict=True)
    )


def _deviations(block: Block, unit: str) -> Block:
    """The block of what deviates from the mean of each firm, with its settings in words."""
    mean = f"the {unit}'s mean"
    if block.transform == "log":
        low, high = (100 * abs(math.expm1(step * block.scale)) for step in (-1, 1))
        names = (
            f"{rounded(low, 2):g} % below {mean} (one sd)",
            f"{mean} itself",
            f"{rounded(high, 2):g} % above {mean} (one sd)",
        )
        return replace(block, settings=names, unit=f"times {mean}")
    away = about(block.scale, unit_of_differences(block.unit))
    names = (f"{away} below {mean} (one sd)", f"{mean} itself", f"{away} above {mean} (one sd)")
    return replace(block, settings=names)


def spline_basis(values: Array, knots: Array) -> Array:
    """Natural cubic spline: the value, and what bends it from a knot on; linear beyond the ends.

    ``values`` (place,); ``knots`` (knot,), from the lowest to the highest, on the same scale. With
    a constant the columns, one fewer than knots, span all natural cubic splines with these knots:
    truncated powers, divided by the square of the distance of the outer knots (Harrell 2015,
    Regression Modeling Strategies, section 2.4.5).
    """
    cubes = np.maximum(values[:, None] - knots, 0.0) ** 3
    last, before = knots[-1], knots[-2]
    bends = cubes[:, :-2] + (
        np.outer(cubes[:, -1], before - knots[:-2]) - np.outer(cubes[:, -2], last - knots[:-2])
    ) / (last - before)
    return np.column_stack([values, bends / (last - knots[0]) ** 2])


def walk(periods: int) -> Array:
    """Sums of the steps up to each period, their mean taken off: (period, step)."""
    sums = np.tri(periods, periods - 1, -1)
    return sums - sums.mean(axis=0)


def lkj_shapes(size: int, eta: float = 2.0) -> Array:
    """Of partial correlations on (0, 1), row by row of the lower triangle, which follow a Beta law.

    Of a correlation matrix from LKJ(eta) the partial correlation of two of its variables, given the
    k before the first of them, is Beta(a, a) on (-1, 1) with a = eta + (size - 2 - k) / 2
    (Lewandowski, Kurowicka and Joe 2009, Journal of Multivariate Analysis 100, 1989-2001).
    """
    return np.array([eta + (size - 2 - k) / 2 for i in range(size) for k in range(i)])


def predictor_blocks(predictor: Predictor, panel: Panel | None) -> list[Block]:
    """Blocks of one predictor: several of a split or a quadratic curve."""
    parts = [predictor] if not predictor.split else split(predictor, panel)
    found = []
    for part in parts:
        block = replace(_block(part), predictor=predictor.name if predictor.split else "")
        if panel is not None and part.name == f"{predictor.name}_within":
            block = _deviations(block, panel.unit.label)
        found.append(block)
        if part.curve == "quadratic":
            square = f"{block.name}_squared"
            found.append(
                Block(
                    square,
                    "product",
                    f"Square of {block.label.lower()}",
                    (),
                    block.weights**2,
                    prior="Normal(0, 0.25)",
                    of=(((block.name, 0), (block.name, 0)),),
                    predictor=predictor.name,
                )
            )
    return found


def split(predictor: Predictor, panel: Panel | None) -> list[Predictor]:
    """A numeric predictor as the mean of each firm and the deviations from it (Mundlak 1978)."""
    if panel is None or predictor.curve == "spline":
        why = "needs firms that repeat" if panel is None else "takes no spline; use quadratic"
        raise StudyError(
            f"a predictor that is split within and between firms {why}",
            file="study.toml",
            value=predictor.name,
        )
    codes = panel.unit.codes
    means = (np.bincount(codes, predictor.values) / np.bincount(codes))[codes]
    found, unit = [], panel.unit.label
    for name, what, values in (
        ("between", f"mean of the {unit}", means),
        ("within", f"deviation from the {unit}'s mean", predictor.values - means),
    ):
        scale = float(values.std(ddof=1))
        # What rounding leaves of a constant is no spread.
        if scale < 1e-9 * max(1.0, float(np.abs(predictor.values).max())):
            raise StudyError(
                f"the {what} does not vary; expected a predictor that varies between firms and "
                "within them: take split away",
                file="study.toml",
                value=predictor.name,
            )
        found.append(
            replace(
                predictor,
                name=f"{predictor.name}_{name}",
                label=f"{predictor.label} ({what})",
                values=values,
                center=float(means.mean()) if name == "between" else 0.0,
                scale=scale,
                at=predictor.at if name == "between" else (),
            )
        )
    return found


def interaction_block(interaction: Interaction, blocks: Sequence[Block]) -> Block:
    """Products of the columns of two predictors."""
    one, other = (
        [(block, i) for block in blocks if block.term == name for i in _columns(block)]
        for name in interaction.of
    )
    pairs = [(a, b) for a in one for b in other]
    levelled = any(
        block.kind in (*VARYING, "walk", "monotonic") for pair in pairs for block, _ in pair
    )
    levels = tuple(f"{_level(*a)} \u00d7 {_level(*b)}" for a, b in pairs)
    return Block(
        interaction.name,
        "interaction" if levelled else "product",
        interaction.label,
        levels if len(pairs) > 1 or levelled else (),
        np.column_stack([a.weights[:, i] * b.weights[:, j] for (a, i), (b, j) in pairs]),
        prior="Normal(0, 0.25)",
        of=tuple(((a.name, i), (b.name, j)) for (a, i), (b, j) in pairs),
    )


def _columns(block: Block) -> range:
    return range(block.weights.shape[1])


def _level(block: Block, column: int) -> str:
    """What one column of a block stands for."""
    if block.kind == "spline":
        return f"{block.label}, {block.levels[column]}"
    return block.levels[column] if block.levels else block.label


# -- what a variant that a study declares does to the design -----------------------------


def with_nested(design: Design, spec: Nested) -> Design:
    """Add an effect of the printed label within its family."""
    family = design.block(spec.predictor)
    name, what = f"{family.name}_label", f"{family.label}, as printed"
    label = _levels(name, "nested", what, spec.labels, spec.label_codes)
    # A family as a whole: its labels in the proportion in which its firms carry them.
    belongs = np.eye(len(family.levels))[spec.family_of_label]
    counts = label.weights.sum(axis=0)[:, None] * belongs
    shares = (counts / counts.sum(axis=0)).T
    label = replace(label, rows={**label.rows, family.name: belongs})
    moved = replace(family, rows={**family.rows, name: shares})
    blocks = tuple(moved if block is family else block for block in design.blocks)
    return replace(design, blocks=(*blocks, label))


def with_axes(design: Design, spec: Axes) -> Design:
    """Replace a categorical predictor by ordered axes with monotonic effects."""
    axes = tuple(
        _levels(axis, "monotonic", axis.replace("_", " ").capitalize(), spec.levels, codes)
        for axis, codes in spec.axes.items()
    )
    kept = tuple(block for block in design.blocks if block.name != spec.replaces)
    return replace(design, blocks=(*kept, *axes))


def with_membership(design: Design, spec: Membership) -> Design:
    """Let a firm belong to two levels of a predictor at once."""
    old = design.block(spec.predictor)
    new = replace(
        old,
        kind="membership",
        levels=spec.levels,
        weights=spec.weights,
        rows={old.name: np.eye(len(spec.levels))},
        settings=spec.levels,
    )
    return replace(design, blocks=tuple(new if block is old else block for block in design.blocks))


def with_covariate(design: Design, spec: Covariate) -> Design:
    """Add a numeric covariate."""
    return replace(design, blocks=(*design.blocks, _block(spec.predictor)))


def with_composition(design: Design, spec: Composition, study: ShareStudy) -> Design:
    """Add a second part of the whole: a Dirichlet law, with the same terms for the split.

    Of the predictors those that are known of every row.
    """
    names = [b.term for b in design.blocks if b.term in study.predictors and not b.missing.size]
    split = _named(study, list(dict.fromkeys(names)), "split", "Normal(0, 0.5)")
    why = f"the second part of the variant {spec.name} is not simulated"
    design = with_family(design, "composition")
    return replace(design, part=spec, split=split, not_simulated=why)


def with_outcome_added(design: Design, spec: ByOutcome) -> Design:
    """Add a further outcome as a predictor of the share."""
    further = spec.outcome
    name, label, levels = further.name.replace("-", "_"), further.label, further.levels
    if len(levels) == 2:
        block = _contrast(name, label, levels, further.codes.astype(np.float64) - 0.5)
    else:
        # From the lowest to the highest of several levels more can happen than between two.
        block = _levels(name, "monotonic", label, levels, further.codes, "Normal(0, 1)")
    return replace(design, blocks=(*design.blocks, block))


# -- what the draws depend on ------------------------------------------------------------


def latent(design: Design) -> bool:
    """Whether a table of decisions is drawn together with the parameters."""
    return False


def settings(design: Design) -> tuple[str, ...]:
    """Settings on which the draws depend."""
    return ("draws", "tune", "chains", "seed", "target_accept", "sampler")


def packages(design: Design) -> tuple[str, ...]:
    """Packages whose versions are recorded with the draws."""
    return ("intlmodels", "pymc", "pytensor", "nutpie", "numpy", "xarray")


def data_parts(study: ShareStudy, design: Design) -> dict[str, list[Any]]:
    """What the draws depend on, by name, for the fingerprint."""
    outcome, further = study.outcome, design.further
    parts: dict[str, list[Any]] = {study.firm_label: [list(study.firms)]}
    if further is None:
        parts[outcome.column] = [outcome.printed, outcome.width]
    else:
        values = [list(further.levels), further.codes, further.known]
        parts[further.name] = [further.kind, *values]
    if design.part is not None:
        parts[design.part.column] = [design.part.lower, design.part.upper]
    for block in (*design.blocks, *design.beside):
        parts[block.name] = [
            block.kind,
            list(block.levels),
            list(block.settings),
            block.weights,
            *[value for item in sorted(block.rows.items()) for value in item],
        ]
    for own in design.groupings:
        parts[own.name] = [list(own.labels), own.codes]
        if own.name != CLUSTER:
            slopes = [block.name for block in design.slopes(own)]
            parts[own.name] += [slopes, own.correlated]
    if further is None and not outcome.width:
        parts["ends of intervals"] = [outcome.lower, outcome.upper, outcome.widths]
    if outcome.weights is not None:
        parts["weights"] = [outcome.weights]
    if outcome.zeros != "rounded":
        parts["zeros"] = [outcome.zeros]
    if isinstance(study, RegisterStudy):
        parts["rows of each cell"] = [study.rows]
    return parts


# -- the catalogue of variants -----------------------------------------------------------


def with_family(design: Design, family: Family, further: FurtherOutcome | None = None) -> Design:
    """Let what is observed come about in another way, given the linear predictor."""
    names = [name for name, *_ in _FAMILY_PARAMETERS[family]]
    precision = design.precision if "phi" in names else ()
    never = design.never if "never" in names else ()
    return replace(design, family=family, further=further, precision=precision, never=never)


def _family_variant(family: Family, change: str, comparable: bool = True) -> Variant[Design]:
    """A variant in which a printed share comes about in another way, given the predictor."""
    apply = partial(with_family, family=family)
    return Variant(family, change, apply, comparable, axis="family" if comparable else "")


_FAMILY_VARIANTS = (
    _family_variant(
        "logit-normal", "latent share logit-normal with scale sigma, same rounding intervals"
    ),
    _family_variant(
        "hurdle",
        "a printed 0 is either a structural zero (probability never) or a rounded small share",
    ),
    _family_variant(
        "heaped",
        "a multiple of the double rounding width may have been rounded to that width, with an "
        "unknown probability",
    ),
    _family_variant(
        "density",
        "the usual practice: Beta density at values squeezed into (0, 1); for comparison only",
        comparable=False,
    ),
    _family_variant(
        "ordered-beta",
        "exact 0 and exact 100 by cutpoints on the same linear predictor, all else as by default "
        "(Kubinec 2023); a reported 0 is an exact or a rounded one",
    ),
)


_ROUNDED = Variant[Design](
    "rounded",
    "a reported 0 is always a rounded small share: no firm has none at all",
    partial(with_family, family="beta"),
    axis="family",
)


def _families(study: ShareStudy) -> list[Variant[Design]]:
    """Variants of the family; without structural zeros, where these are the default."""
    if study.outcome.zeros == "rounded":
        return list(_FAMILY_VARIANTS)
    return [_ROUNDED if row.name == "hurdle" else row for row in _FAMILY_VARIANTS]


PENALIZED = "penalized-complexity"


def _penalized_variant(design: Design) -> list[Variant[Design]]:
    """Spreads of levels with another prior, where there are any."""
    changed = parameters(replace(design, penalized=True))
    pairs = [(own, changed[name]) for name, own in parameters(design).items()]
    spreads = [(own, new) for own, new in pairs if new != own]
    if not spreads:
        return []
    (old, new), *_ = spreads
    scale = old.args[0]
    change = (
        "a penalized complexity prior of each spread of levels or groups (Simpson et al. 2017): "
        f"Pr({new.name} > {2 * scale:g}) = {EXCEEDED:g} as by default, but exponential, with a "
        f"median of {math.log(2) / new.args[0]:.2f} instead of {0.6745 * scale:.2f}"
    )
    return [Variant(PENALIZED, change, partial(replace, penalized=True), axis="spread")]


def _outcome_variant(further: FurtherOutcome) -> Variant[Design]:
    change = (
        f"another outcome on the same predictors, no variant of the share: {further.label.lower()} "
        f"({', '.join(further.levels)})"
    )
    apply = partial(with_family, family=further.kind, further=further)
    return Variant(further.name, change, apply, comparable=False, outcome=further.name)


def with_terms(design: Design, spec: Terms, study: ShareStudy) -> Design:
    """Add terms and leave others out, and with a predictor its interactions."""
    names = (*_default_names(study), *spec.add)
    return with_names(design, study, [name for name in names if name not in spec.drop])


def _study_variant(
    spec: Nested | Axes | Membership | Covariate | Composition | ByOutcome | Order | Terms,
    study: ShareStudy,
) -> Variant[Design]:
    if isinstance(spec, Order):
        change = (
            f"another order of {spec.outcome.label.lower()}, no variant of the share: "
            f"{', '.join(spec.outcome.levels)}"
        )
        apply = partial(with_family, family="ordered", further=spec.outcome)
        return Variant(spec.name, change, apply, comparable=False, outcome=spec.of)
    if isinstance(spec, Terms):
        parts = (("adds", spec.add), ("drops", spec.drop))
        change = "; ".join(f"{what} {listed(names)}" for what, names in parts if names)
        return Variant(spec.name, change, partial(with_terms, spec=spec, study=study))
    if isinstance(spec, Nested):
        change = f"adds an effect of the printed label within its {spec.predictor} family"
        return Variant(spec.name, change, partial(with_nested, spec=spec), axis=spec.predictor)
    if isinstance(spec, Axes):
        change = (
            f"{spec.replaces} is replaced by {' and '.join(spec.axes)}, each "
            f"{' / '.join(spec.levels)}, with monotonic effects"
        )
        return Variant(spec.name, change, partial(with_axes, spec=spec), axis=spec.replaces)
    if isinstance(spec, Membership):
        change = f"the second {spec.predictor} of a firm enters by multiple membership"
        return Variant(spec.name, change, partial(with_membership, spec=spec), axis=spec.predictor)
    if isinstance(spec, Composition):
        change = (
            f"{spec.share}, {spec.label} and {spec.rest} shares together: a Dirichlet law on "
            "the intervals of both reported parts, of which the share alone is that of the default"
        )
        apply = partial(with_composition, spec=spec, study=study)
        return Variant(spec.name, change, apply, comparable=False)
    if isinstance(spec, ByOutcome):
        how = "a contrast" if len(spec.outcome.levels) == 2 else "a monotonic effect"
        change = f"adds {spec.outcome.label.lower()} as {how}"
        return Variant(spec.name, change, partial(with_outcome_added, spec=spec))
    missing = int(with_covariate(Design(()), spec).blocks[0].missing.size)
    change = f"adds {spec.predictor.label.lower()}" + (
        f", its {missing} missing values as parameters" if missing else ""
    )
    return Variant(spec.name, change, partial(with_covariate, spec=spec))


def variants(study: ShareStudy) -> list[Variant[Design]]:
    """Rows of the catalogue, the default first."""
    rows = [Variant[Design](DEFAULT, "the model as stated", lambda design: design)]
    rows += [row for row in _families(study) if not why_absent(study, row.name)]
    rows += _penalized_variant(default_design(study))
    rows += [_study_variant(spec, study) for spec in study.variants.values()]
    return rows + [_outcome_variant(further) for further in study.outcomes.values()]


def alias(study: ShareStudy, name: str) -> str:
    """The name under which a variant stands in the catalogue."""
    default = "hurdle" if study.outcome.zeros == "structural" else "rounded"
    return DEFAULT if name == default else name


def why_absent(study: ShareStudy, name: str) -> str:
    """Why a variant that other studies have is not one of this study; empty if unknown."""
    if name == "density" and isinstance(study, RegisterStudy):
        return "variant density moves shares off 0 and 1 row by row; a register has only cells"
    if name == "heaped" and not study.outcome.width:
        return "variant heaped needs one rounding width; here rows differ in it, or are bands"
    ordinary = study.panel is None and study.outcome.width and study.outcome.zeros == "rounded"
    if name == "ordered-beta" and ordinary:
        return (
            'variant ordered-beta is one of panels, and of studies with zeros = "structural" or '
            "intervals that differ"
        )
    if name != "heaped":
        return ""
    try:
        grid(2 * study.outcome.width)
    except ValueError:
        return (
            "variant heaped needs a rounding width whose double tiles 0 to 100 as well; "
            f"twice {study.outcome.width:g} does not"
        )
    return ""
