"""The catalogue of models and their variants, as data.

A variant is a row: a name, what changes in words, and the function that changes the
design. Studies add rows for what depends on their own columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from intlmodels.errors import StudyError, did_you_mean
from intlmodels.models import design as d
from intlmodels.models.design import Design
from intlmodels.priors import Prior, apply_overrides
from intlmodels.rounding import grid
from intlmodels.study import Axes, Covariate, Membership, Nested, Study

DEFAULT = "default"


@dataclass(frozen=True)
class Variant:
    """One row of the catalogue.

    Attributes
    ----------
    name : str
        What it is called on the command line and in the reports.
    change : str
        What it changes against the default, in words.
    apply : callable
        Takes the default design, returns the changed one.
    comparable : bool
        Whether its elpd is of the same printed outcomes as the default's.
    """

    name: str
    change: str
    apply: Callable[[Design], Design]
    comparable: bool = True


_FAMILY_VARIANTS = (
    Variant(
        "logit-normal",
        "latent share logit-normal with scale sigma, same rounding intervals",
        partial(d.with_family, family="logit-normal"),
    ),
    Variant(
        "hurdle",
        "a printed 0 is either a structural zero (probability never) or a rounded small share",
        partial(d.with_family, family="hurdle"),
    ),
    Variant(
        "heaped",
        "a multiple of the double rounding width may have been rounded to that width, with an "
        "unknown probability",
        partial(d.with_family, family="heaped"),
    ),
    Variant(
        "density",
        "the usual practice: Beta density at values squeezed into (0, 1); for comparison only",
        partial(d.with_family, family="density"),
        comparable=False,
    ),
)


def _study_variant(spec: Nested | Axes | Membership | Covariate) -> Variant:
    if isinstance(spec, Nested):
        change = f"adds an effect of the printed label within its {spec.predictor} family"
        return Variant(spec.name, change, partial(d.with_nested, spec=spec))
    if isinstance(spec, Axes):
        change = (
            f"{spec.replaces} is replaced by {' and '.join(spec.axes)}, each "
            f"{' / '.join(spec.levels)}, with monotonic effects"
        )
        return Variant(spec.name, change, partial(d.with_axes, spec=spec))
    if isinstance(spec, Membership):
        change = f"the second {spec.predictor} of a firm enters by multiple membership"
        return Variant(spec.name, change, partial(d.with_membership, spec=spec))
    missing = int(d.with_covariate(Design(()), spec).blocks[0].missing.size)
    change = f"adds {spec.predictor.label.lower()}" + (
        f", its {missing} missing values as parameters" if missing else ""
    )
    return Variant(spec.name, change, partial(d.with_covariate, spec=spec))


def catalogue(study: Study) -> dict[str, Variant]:
    """All variants of a study's model, the default first.

    Parameters
    ----------
    study : Study

    Returns
    -------
    dict of str to Variant
    """
    rows = [Variant(DEFAULT, "the model as stated", lambda design: design)]
    rows += [
        row for row in _FAMILY_VARIANTS if row.name != "heaped" or _doubles(study.outcome.width)
    ]
    rows += [_study_variant(spec) for spec in study.variants.values()]
    return {row.name: row for row in rows}


def _doubles(width: float) -> bool:
    """Whether the double rounding width leaves no share without a printed value."""
    try:
        grid(2 * width)
    except ValueError:
        return False
    return True


def find_variant(study: Study, name: str) -> Variant:
    """Look a variant up by name.

    Raises
    ------
    StudyError
        For an unknown name; the message lists the valid ones.
    """
    rows = catalogue(study)
    if name == "heaped" and name not in rows:
        raise StudyError(
            f"variant heaped needs a rounding width whose double tiles 0 to 100 as well; "
            f"twice {study.outcome.width:g} does not",
            value=name,
        )
    if name not in rows:
        raise StudyError(
            f"no variant is called '{name}'{did_you_mean(name, rows)}; "
            f"the variants are {', '.join(rows)}",
            value=name,
        )
    return rows[name]


def design_of(study: Study, variant: str = DEFAULT) -> Design:
    """The linear predictor and observation family of a variant."""
    return find_variant(study, variant).apply(d.default_design(study))


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
    everywhere = {
        name: prior
        for row in catalogue(study)
        for name, prior in d.parameters(design_of(study, row)).items()
    }
    return apply_overrides(
        d.parameters(design_of(study, variant)),
        [(study.priors, "study.toml"), (overrides or {}, "command line")],
        everywhere,
    )
