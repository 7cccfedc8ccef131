"""What enters the linear predictor of a share model, as data.

Every part of the linear predictor is a *block*: a vector of coefficients and the weights
with which each firm takes them. The model draws the coefficients, the estimands multiply
the same weights with the drawn coefficients; neither needs to know the other.

Of a register a cell is to the design what a firm is; the number of its rows is data beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError, listed
from intlmodels.core.rounding import grid
from intlmodels.models.base import DEFAULT, Variant
from intlmodels.models.priors import Prior, parameter
from intlmodels.study import (
    Axes,
    ByOutcome,
    Covariate,
    FurtherOutcome,
    Grouping,
    Membership,
    Nested,
    Predictor,
    RegisterStudy,
    ShareStudy,
    Terms,
)

Kind = Literal["contrast", "numeric", "category", "nested", "membership", "monotonic"]
Family = Literal["beta", "logit-normal", "hurdle", "heaped", "density", "ordered", "binary"]

Array = NDArray[np.float64]

#: Kinds whose coefficients are drawn around zero with a common, estimated spread.
VARYING: tuple[Kind, ...] = ("category", "nested", "membership")

#: Name of the levels of clusters in the stored posterior, and of their dimension's beginning.
CLUSTER = "cluster"
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

    @property
    def variable(self) -> str:
        """Name of the variable of the posterior that holds the effects."""
        return f"{self.name}_effect" if self.kind == "monotonic" else self.name

    @property
    def by_cluster(self) -> str:
        """Name of what a cluster differs by from the others, in this block."""
        return f"{self.name}_by_cluster"

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

    @property
    def clusters(self) -> Grouping | None:
        """Clusters of firms that differ in level and all effects."""
        return next((own for own in self.groupings if own.name == CLUSTER), None)

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

    def known(self, study: ShareStudy) -> NDArray[np.bool_]:
        """Whether it was observed at all; the share of every firm of the study was."""
        if self.further is None:
            return np.ones(len(study.firms), dtype=bool)
        return np.asarray(self.further.known)


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
    listed += _cluster_parameters(design)
    for name, prior, support, meaning in _FAMILY_PARAMETERS[design.family]:
        listed.append(parameter(name, prior, support, meaning))  # type: ignore[arg-type]
    names = [prior.name for prior in listed]
    for name in names:
        if names.count(name) > 1:
            raise StudyError(
                f"two parameters of the model would be called '{name}'; rename the predictor",
                file="study.toml",
                value=name,
            )
    return {prior.name: prior for prior in listed}


def _block_parameters(block: Block) -> list[Prior]:
    name, what = block.name, block.label.lower()
    if block.kind in VARYING:
        meaning = f"spread of the effects of {what}, logit scale"
        return [parameter(f"sigma_{name}", "HalfNormal(0.5)", "positive", meaning)]
    if block.kind == "contrast":
        low, high = block.settings
        meaning = f"{high} against {low}, logit scale"
        return [parameter(name, "Normal(0, 0.5)", "real", meaning)]
    if block.kind == "monotonic":
        meaning = f"{what}: {block.levels[-1]} against {block.levels[0]}, logit scale"
        return [parameter(name, block.prior, "real", meaning)]
    slope = parameter(name, "Normal(0, 0.5)", "real", f"slope of {what}, logit scale per sd")
    if not block.missing.size:
        return [slope]
    # The missing values are parameters: they need a distribution to come from.
    return [
        slope,
        parameter(f"{name}_mean", "Normal(0, 1)", "real", f"mean of standardized {what}"),
        parameter(f"{name}_sd", "HalfNormal(1)", "positive", f"sd of standardized {what}"),
    ]


def _cluster_parameters(design: Design) -> list[Prior]:
    if design.clusters is None:
        return []
    spreads = [("sigma_cluster", "HalfNormal(0.5)", "spread of the levels of clusters")]
    # Smaller than that of the levels: clusters differ less in what an effect is.
    spreads += [
        (
            f"sigma_{block.by_cluster}",
            "HalfNormal(0.25)",
            f"spread between clusters of the effects of {block.label.lower()}",
        )
        for block in design.blocks
    ]
    return [parameter(n, prior, "positive", f"{what}, logit scale") for n, prior, what in spreads]


def fixed_priors(design: Design) -> list[tuple[str, str, str]]:
    """Priors that follow from the others, as (name, prior, meaning), for the printed table."""
    rows: list[tuple[str, str, str]] = []
    if design.family == "ordered" and design.further is not None:
        ones = ", ".join("1" for _ in design.further.levels)
        what = f"probability of each level of {design.further.label.lower()}"
        rows.append(("baseline", f"Dirichlet({ones})", f"{what}, of a firm whose effects are zero"))
        rows.append(("cutpoints", "logit of the sums of baseline", "between neighbouring levels"))
    for block in design.blocks:
        name, what = block.name, block.label.lower()
        if block.kind in VARYING:
            rows.append((name, f"Normal(0, sigma_{name})", f"effect of each level of {what}"))
        elif block.kind == "monotonic":
            ones = ", ".join("1" for _ in block.levels[1:])
            rows.append((f"{name}_steps", f"Dirichlet({ones})", f"share of each step of {what}"))
        elif block.missing.size:
            rows.append(
                (f"{name}_missing", f"Normal({name}_mean, {name}_sd)", f"missing values of {what}")
            )
    if design.clusters is not None:
        rows.append((CLUSTER, f"Normal(0, sigma_{CLUSTER})", "level of each cluster"))
        rows += [
            (
                block.by_cluster,
                f"Normal(0, sigma_{block.by_cluster})",
                f"what each cluster adds to each effect of {block.label.lower()}",
            )
            for block in design.blocks
        ]
    return rows


def shown(design: Design) -> list[str]:
    """Variables of the posterior that a table of parameters shows, in their order.

    Those with a prior of their own come first, then the effects of levels, the steps of
    ordered effects, and missing values.
    """
    names = [*parameters(design), *(["baseline"] if design.family == "ordered" else [])]
    for block in design.blocks:
        names += [block.variable, f"{block.name}_steps", f"{block.name}_missing"]
    # Thousands of clusters are no table of parameters: they have tables of their own.
    if design.clusters is not None and len(design.clusters.labels) <= MOST_CLUSTERS:
        names += [CLUSTER, *(block.by_cluster for block in design.blocks)]
    return list(dict.fromkeys(names))


def default_design(study: ShareStudy) -> Design:
    """Every predictor of the study as a block of its own (models: section 2, default)."""
    blocks = tuple(_block(predictor) for predictor in study.predictors.values())
    return Design(blocks, groupings=tuple(study.groupings.values()))


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
    if predictor.kind == "contrast":
        return _contrast(name, label, predictor.levels, predictor.values)
    standardized = (predictor.values - predictor.center) / predictor.scale
    steps = np.array([-1.0, 0.0, 1.0])
    at = predictor.center + steps * predictor.scale
    if predictor.transform == "log":
        at = np.exp(at)
    unit = f" {predictor.unit}" if predictor.unit else ""
    names = ("one sd below the mean", "at the mean", "one sd above the mean")
    return Block(
        name,
        "numeric",
        label,
        (),
        standardized[:, None],
        {name: steps[:, None]},
        tuple(f"{v:.3g}{unit} ({n})" for v, n in zip(at, names, strict=True)),
        center=predictor.center,
        scale=predictor.scale,
        transform=predictor.transform,
        unit=predictor.unit,
    )


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
    for block in design.blocks:
        parts[block.name] = [
            block.kind,
            list(block.levels),
            list(block.settings),
            block.weights,
            *[value for item in sorted(block.rows.items()) for value in item],
        ]
    if design.clusters is not None:
        parts[CLUSTER] = [list(design.clusters.labels), design.clusters.codes]
    if isinstance(study, RegisterStudy):
        parts["rows of each cell"] = [study.rows]
    return parts


# -- the catalogue of variants -----------------------------------------------------------


def _family_variant(family: Family, change: str, comparable: bool = True) -> Variant[Design]:
    """A variant in which a printed share comes about in another way, given the predictor."""
    return Variant(family, change, partial(replace, family=family), comparable=comparable)


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
)


def _outcome_variant(further: FurtherOutcome) -> Variant[Design]:
    change = (
        f"another outcome on the same predictors, no variant of the share: {further.label.lower()} "
        f"({', '.join(further.levels)})"
    )
    apply = partial(replace, family=further.kind, further=further)
    return Variant(further.name, change, apply, comparable=False, outcome=further.name)


def with_terms(design: Design, spec: Terms) -> Design:
    """Leave terms out."""
    kept = tuple(block for block in design.blocks if block.name not in spec.drop)
    return replace(design, blocks=kept)


def _study_variant(
    spec: Nested | Axes | Membership | Covariate | ByOutcome | Terms,
) -> Variant[Design]:
    if isinstance(spec, Terms):
        parts = (("adds", spec.add), ("drops", spec.drop))
        change = "; ".join(f"{what} {listed(names)}" for what, names in parts if names)
        return Variant(spec.name, change, partial(with_terms, spec=spec))
    if isinstance(spec, Nested):
        change = f"adds an effect of the printed label within its {spec.predictor} family"
        return Variant(spec.name, change, partial(with_nested, spec=spec))
    if isinstance(spec, Axes):
        change = (
            f"{spec.replaces} is replaced by {' and '.join(spec.axes)}, each "
            f"{' / '.join(spec.levels)}, with monotonic effects"
        )
        return Variant(spec.name, change, partial(with_axes, spec=spec))
    if isinstance(spec, Membership):
        change = f"the second {spec.predictor} of a firm enters by multiple membership"
        return Variant(spec.name, change, partial(with_membership, spec=spec))
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
    rows += [row for row in _FAMILY_VARIANTS if not why_absent(study, row.name)]
    rows += [_study_variant(spec) for spec in study.variants.values()]
    return rows + [_outcome_variant(further) for further in study.outcomes.values()]


def alias(study: ShareStudy, name: str) -> str:
    """The name under which a variant stands in the catalogue."""
    return name


def why_absent(study: ShareStudy, name: str) -> str:
    """Why a variant that other studies have is not one of this study; empty if unknown."""
    if name == "density" and isinstance(study, RegisterStudy):
        return "variant density moves shares off 0 and 1 row by row; a register has only cells"
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
