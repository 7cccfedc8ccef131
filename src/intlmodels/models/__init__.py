"""The registry of models, and the catalogue of the variants of a study.

A variant is a row: a name, what changes in words, and the function that changes the design.
Studies add rows for what depends on their own tables. What is special about a model stands in its
own package; here a study finds its model.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from intlmodels.core.errors import StudyError, did_you_mean, listed
from intlmodels.models import decay, share
from intlmodels.models.base import DEFAULT, Model, Variant
from intlmodels.models.functions import function_variant
from intlmodels.models.priors import Prior, apply_overrides
from intlmodels.studies import Study
from intlmodels.studies.claims import Claim
from intlmodels.studies.schema import wrong

__all__ = ["DEFAULT", "JOINT", "Model", "Variant", "catalogue", "combinations", "design_of"]
__all__ += ["find_variant"]
__all__ += ["model_named", "model_of", "priors_of", "require_claim"]
__all__ += ["require_names"]

#: Stands between the names of variants that are combined.
JOINT = "+"

_EVERY: tuple[Model[Any, Any], ...] = (share.MODEL, decay.MODEL)
_MODELS = {shape: model for model in _EVERY for shape in model.shapes}


def model_named(shape: str) -> Model[Any, Any]:
    """The model of a data shape, which studies and stored fits name as their model."""
    return _MODELS[shape]


def model_of(study: Study) -> Model[Any, Any]:
    """The model of a study."""
    return model_named(study.model)


def catalogue(study: Study) -> dict[str, Variant[Any]]:
    """All variants of a study's model, the default first."""
    return dict(_catalogue(study))


@lru_cache(maxsize=16)
def _catalogue(study: Study) -> dict[str, Variant[Any]]:
    # Asked for hundreds of times in a run; a study does not change.
    rows = {row.name: row for row in model_of(study).variants(study)}
    for name, function in study.functions.items():
        if name in rows:
            raise StudyError("a variant has this name; expected another", value=name)
        rows[name] = function_variant(function)
    return rows


def find_variant(study: Study, name: str) -> Variant[Any]:
    """Look a variant up by name, or combine several, as in ``heaped+nested-expertise``.

    StudyError lists the valid ones if it is unknown, or says why two cannot be combined.
    """
    rows, model = catalogue(study), model_of(study)
    if JOINT in name:
        return _combined([find_variant(study, part) for part in name.split(JOINT)])
    name = model.alias(study, name)
    if name in rows:
        return rows[name]
    raise StudyError(
        model.why_absent(study, name)
        or f"no variant is called '{name}'{did_you_mean(name, rows)}; "
        f"the variants are {', '.join(rows)}",
        value=name,
    )


def _combined(parts: list[Variant[Any]]) -> Variant[Any]:
    """Several changes at once, each of a choice of its own."""
    name = JOINT.join(part.name for part in parts)
    axes = [part.axis for part in parts]
    for part in parts:
        if not part.axis or axes.count(part.axis) > 1:
            why = f"two choices of its {part.axis}" if part.axis else f"{part.name} stands alone"
            raise StudyError(f"these variants cannot be combined: {why}", value=name)

    def apply(design: Any) -> Any:
        for part in parts:
            design = part.apply(design)
        return design

    change = "; ".join(part.change for part in parts)
    return Variant(name, change, apply, all(part.comparable for part in parts))


def combinations(study: Study) -> dict[str, tuple[str, ...]]:
    """Names of the variants on each axis along which those of a study may be combined.

    Every axis starts with the default.
    """
    found: dict[str, tuple[str, ...]] = {}
    for row in catalogue(study).values():
        if row.axis:
            found[row.axis] = (*found.get(row.axis, (DEFAULT,)), row.name)
    return found


def changed(study: Study, variant: str, model: Any) -> Any:
    """The PyMC model of a variant; a function of the user's own may give it another likelihood."""
    own = find_variant(study, variant).of_model
    return model if own is None else own(model)


def design_of(study: Study, variant: str = DEFAULT) -> Any:
    """The design of a variant: a ``Design`` of the study's model."""
    return find_variant(study, variant).apply(model_of(study).default_design(study))


def priors_of(
    study: Study,
    variant: str = DEFAULT,
    overrides: Mapping[str, str] | None = None,
) -> dict[str, Prior]:
    """Priors of a variant: defaults, then the study's, then ``overrides``.

    ``overrides``: parameter name to prior text, such as ``{"phi": "Gamma(2, 0.1)"}``. Raises
    StudyError for an unknown variant, an unknown parameter or an unusable prior.
    """
    model = model_of(study)
    everywhere = {
        name: prior
        for row in catalogue(study)
        for name, prior in model.parameters(design_of(study, row)).items()
    }
    return apply_overrides(
        model.parameters(design_of(study, variant)),
        [(study.priors, "study.toml"), (overrides or {}, "command line")],
        everywhere,
    )


# -- what claims of a study name -----------------------------------------------------------


def require_names(study: Study) -> None:
    """Check the variants, parameters, predictors and levels that claims name.

    Raises StudyError for the first that is not there.
    """
    for claim in study.claims:
        require_claim(study, claim, claim.fit)


def require_claim(study: Study, claim: Claim, variant: str) -> None:
    """Check that what a claim names is there in a variant; StudyError for the first that is not."""
    where = f"[[claims]] {claim.id},"
    for key, name in claim.names("variant"):
        _require(name, list(catalogue(study)), "a variant", f"{where} {key}")
    for key, name in claim.names("parameter"):
        names = list(model_of(study).parameters(design_of(study, variant)))
        _require(name, names, f"a parameter of the variant {variant}", f"{where} {key}")
    for key, name in claim.names("predictor"):
        design = design_of(study, variant)
        levels = {block.name: block.settings for block in design.blocks}
        what = f"a predictor of the variant {variant}"
        _require(name, list(levels), what, f"{where} {key}")
        claim.rule.check_design(claim, where, design)
        for side, level in claim.names("level"):
            _require(level, list(levels[name]), f"a level of {name}", f"{where} {side}")
            if side == "against" and level in claim.terms["levels"]:
                raise wrong("expected a level on one side only", f"{where} {side}", level)


def _require(name: str, names: list[str], what: str, where: str) -> None:
    if name not in names:
        said = f"expected {what}, one of {listed(names)}{did_you_mean(name, names)}"
        raise wrong(said, where, name)
