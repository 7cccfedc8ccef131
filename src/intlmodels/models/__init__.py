"""The catalogue of models and their variants, as data.

A variant is a row: a name, what changes in words, and the function that changes the
design. Studies add rows for what depends on their own tables. What is special about a model
stands in its design module; here a study finds its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import ModuleType
from typing import Any

from intlmodels.core.errors import StudyError, did_you_mean
from intlmodels.models.base import DEFAULT, Variant
from intlmodels.models.decay import design, sequencedesign
from intlmodels.models.priors import Prior, apply_overrides
from intlmodels.models.share import celldesign
from intlmodels.models.share import design as sharedesign
from intlmodels.study import Study

__all__ = ["DEFAULT", "Variant", "catalogue", "design_module", "design_of", "find_variant"]
__all__ += ["priors_of"]

#: Model -> the module with ``default_design``, ``variants``, ``alias``, ``why_absent``,
#: ``parameters``, ``fixed_priors``, ``shown`` and ``data_parts``.
_DESIGNS: dict[str, ModuleType] = {
    "share": sharedesign,
    "decay": design,
    "register": celldesign,
    "sequences": sequencedesign,
}


def design_module(model: str) -> Any:
    """The module that describes a model as data."""
    return _DESIGNS[model]


def catalogue(study: Study) -> dict[str, Variant[Any]]:
    """All variants of a study's model, the default first.

    Parameters
    ----------
    study : Study

    Returns
    -------
    dict of str to Variant
    """
    return dict(_catalogue(study))


@lru_cache(maxsize=16)
def _catalogue(study: Study) -> dict[str, Variant[Any]]:
    # Asked for hundreds of times in a run; a study does not change.
    return {row.name: row for row in design_module(study.model).variants(study)}


def find_variant(study: Study, name: str) -> Variant[Any]:
    """Look a variant up by name.

    Raises
    ------
    StudyError
        For an unknown name; the message lists the valid ones.
    """
    rows = catalogue(study)
    module = design_module(study.model)
    name = module.alias(study, name)
    if name in rows:
        return rows[name]
    why = module.why_absent(study, name)
    raise StudyError(
        why
        or f"no variant is called '{name}'{did_you_mean(name, rows)}; "
        f"the variants are {', '.join(rows)}",
        value=name,
    )


def design_of(study: Study, variant: str = DEFAULT) -> Any:
    """The design of a variant: a ``Design`` of the module of the study's model."""
    return find_variant(study, variant).apply(design_module(study.model).default_design(study))


def priors_of(
    study: Study,
    variant: str = DEFAULT,
    overrides: Mapping[str, str] | None = None,
) -> dict[str, Prior]:
    """Priors of a variant: defaults, then the study's, then ``overrides``.

    Parameters
    ----------
    study : Study
    variant : str
        Name in :func:`catalogue`.
    overrides : mapping of str to str, optional
        Parameter name to prior text, such as ``{"phi": "Gamma(2, 0.1)"}``.

    Returns
    -------
    dict of str to Prior

    Raises
    ------
    StudyError
        For an unknown variant, an unknown parameter or an unusable prior.
    """
    module = design_module(study.model)
    everywhere = {
        name: prior
        for row in catalogue(study)
        for name, prior in module.parameters(design_of(study, row)).items()
    }
    return apply_overrides(
        module.parameters(design_of(study, variant)),
        [(study.priors, "study.toml"), (overrides or {}, "command line")],
        everywhere,
    )
