"""What enters the linear predictor of a share model, as data.

Every part of the linear predictor is a *block*: a vector of coefficients and the weights
with which each firm takes them. The model draws the coefficients, the estimands multiply
the same weights with the drawn coefficients; neither needs to know the other.

Of a register a cell is to the design what a firm is; the number of its rows is data beside it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.rounding import grid
from intlmodels.models.base import DEFAULT, Variant
from intlmodels.models.share.blocks import CLUSTER, Array, Block, Design, Family
from intlmodels.study import (
    Axes,
    ByOutcome,
    Covariate,
    FurtherOutcome,
    Membership,
    Nested,
    Predictor,
    RegisterStudy,
    ShareStudy,
)


def default_design(study: ShareStudy) -> Design:
    """Every predictor of the study as a block of its own (models: section 2, default)."""
    blocks = tuple(_block(predictor) for predictor in study.predictors.values())
    return Design(blocks, clusters=study.clusters)


def _one_hot(codes: NDArray[np.intp], size: int) -> Array:
    return np.eye(size)[codes]


def _block(predictor: Predictor) -> Block:
    name = predictor.name
    if predictor.kind == "category":
        size = len(predictor.levels)
        return Block(
            name,
            "category",
            predictor.label,
            predictor.levels,
            _one_hot(predictor.codes, size),
            rows={name: np.eye(size)},
            settings=predictor.levels,
        )
    if predictor.kind == "contrast":
        return Block(
            name,
            "contrast",
            predictor.label,
            (),
            predictor.values[:, None],
            rows={name: np.array([[-0.5], [0.5]])},
            settings=predictor.levels,
        )
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
        predictor.label,
        (),
        standardized[:, None],
        rows={name: steps[:, None]},
        settings=tuple(f"{v:.3g}{unit} ({n})" for v, n in zip(at, names, strict=True)),
        center=predictor.center,
        scale=predictor.scale,
        transform=predictor.transform,
        unit=predictor.unit,
    )


# -- what a variant that a study declares does to the design -----------------------------


def with_nested(design: Design, spec: Nested) -> Design:
    """Add an effect of the printed label within its family."""
    family = design.block(spec.predictor)
    size = len(spec.labels)
    within = _one_hot(spec.label_codes, size)
    # A family as a whole: its labels in the proportion in which its firms carry them.
    belongs = _one_hot(spec.family_of_label, len(family.levels))
    counts = within.sum(axis=0)[:, None] * belongs
    shares = (counts / counts.sum(axis=0)).T
    label = Block(
        f"{family.name}_label",
        "nested",
        f"{family.label}, as printed",
        spec.labels,
        within,
        rows={f"{family.name}_label": np.eye(size), family.name: belongs},
        settings=spec.labels,
    )
    moved = replace(family, rows={**family.rows, label.name: shares})
    blocks = tuple(moved if block is family else block for block in design.blocks)
    return replace(design, blocks=(*blocks, label))


def with_axes(design: Design, spec: Axes) -> Design:
    """Replace a categorical predictor by ordered axes with monotonic effects."""
    size = len(spec.levels)
    axes = tuple(
        Block(
            axis,
            "monotonic",
            axis.replace("_", " ").capitalize(),
            spec.levels,
            _one_hot(codes, size),
            rows={axis: np.eye(size)},
            settings=spec.levels,
        )
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


def with_outcome(design: Design, further: FurtherOutcome) -> Design:
    """Explain another outcome in place of the share, by the same blocks."""
    return replace(design, family=further.kind, further=further)


def with_outcome_added(design: Design, spec: ByOutcome) -> Design:
    """Add a further outcome as a predictor of the share."""
    further = spec.outcome
    name, size = further.name.replace("-", "_"), len(further.levels)
    if size == 2:
        block = Block(
            name,
            "contrast",
            further.label,
            (),
            further.codes.astype(np.float64)[:, None] - 0.5,
            rows={name: np.array([[-0.5], [0.5]])},
            settings=further.levels,
        )
    else:
        block = Block(
            name,
            "monotonic",
            further.label,
            further.levels,
            _one_hot(further.codes, size),
            rows={name: np.eye(size)},
            settings=further.levels,
            # From the lowest to the highest of several levels more can happen than between two.
            prior="Normal(0, 1)",
        )
    return replace(design, blocks=(*design.blocks, block))


def with_family(design: Design, family: Family) -> Design:
    """Change how a printed share comes about, given the linear predictor."""
    return replace(design, family=family)


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

_FAMILY_VARIANTS = (
    Variant[Design](
        "logit-normal",
        "latent share logit-normal with scale sigma, same rounding intervals",
        partial(with_family, family="logit-normal"),
    ),
    Variant[Design](
        "hurdle",
        "a printed 0 is either a structural zero (probability never) or a rounded small share",
        partial(with_family, family="hurdle"),
    ),
    Variant[Design](
        "heaped",
        "a multiple of the double rounding width may have been rounded to that width, with an "
        "unknown probability",
        partial(with_family, family="heaped"),
    ),
    Variant[Design](
        "density",
        "the usual practice: Beta density at values squeezed into (0, 1); for comparison only",
        partial(with_family, family="density"),
        comparable=False,
    ),
)


def _outcome_variant(further: FurtherOutcome) -> Variant[Design]:
    change = (
        f"another outcome on the same predictors, no variant of the share: {further.label.lower()} "
        f"({', '.join(further.levels)})"
    )
    apply = partial(with_outcome, further=further)
    return Variant(further.name, change, apply, comparable=False, outcome=further.name)


def _study_variant(
    spec: Nested | Axes | Membership | Covariate | ByOutcome,
) -> Variant[Design]:
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
    if name != "heaped" or _doubles(study.outcome.width):
        return ""
    return (
        "variant heaped needs a rounding width whose double tiles 0 to 100 as well; "
        f"twice {study.outcome.width:g} does not"
    )


def _doubles(width: float) -> bool:
    """Whether the double rounding width leaves no share without a printed value."""
    try:
        grid(2 * width)
    except ValueError:
        return False
    return True
