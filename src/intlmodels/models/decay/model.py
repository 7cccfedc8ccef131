"""The decay model where decisions are known: an ordinary hierarchical logistic regression.

:func:`build` is a pure function from study, variant and priors to a PyMC model; its formula
stands in :mod:`intlmodels.models.decay.design`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.errors import StudyError
from intlmodels.models import DEFAULT, design_of, priors_of
from intlmodels.models.compilation import one_at_a_time
from intlmodels.models.decay.design import OUTCOME, basis
from intlmodels.models.priors import Prior
from intlmodels.models.pymc import draw_pymc, register_data
from intlmodels.study import DecayStudy

if TYPE_CHECKING:
    import pymc as pm


@one_at_a_time
def build(
    study: DecayStudy,
    variant: str = DEFAULT,
    priors: Mapping[str, Prior] | None = None,
) -> pm.Model:
    """The ordinary hierarchical model, for decisions that are known.

    Parameters
    ----------
    study : DecayStudy
    variant : str
        Name in the catalogue; one that is estimated from decisions, not from counts.
    priors : mapping of str to Prior, optional
        As :func:`intlmodels.models.priors_of` returns them (the default).

    Returns
    -------
    pymc.Model
        With the dimensions ``decision``, ``firm_level`` and ``size``; the outcome is
        ``flagged``, 0 or 1.

    Raises
    ------
    StudyError
        If only counts of the decisions are known.
    """
    import pymc as pm

    design = design_of(study, variant)
    priors = priors_of(study, variant) if priors is None else priors
    made = design.decisions
    if made is None:
        raise StudyError("the decisions of this study are not known, only counts of them")
    firm = np.array([design.firms.index(name) for name in made.firm])
    size = np.array(design.size_of_firm)
    coords = {
        "decision": np.arange(len(firm)) + 1,
        "firm_level": list(design.firms),
        "size": list(design.sizes),
    }
    with pm.Model(coords=coords) as model:
        flags, weights = register_data(priors, made.flag)
        linear = draw_pymc(priors, "intercept")
        if design.two_sizes:
            large = draw_pymc(priors, "large")
            linear = linear + large * (size[firm] == 0)
        spread = draw_pymc(priors, "sigma_firm")
        effect = pm.Deterministic(
            "firm", spread * pm.Normal("firm_z", 0, 1, dims="firm_level"), dims="firm_level"
        )
        mean = draw_pymc(priors, "decay_mean")
        if design.common:
            decay = pm.Deterministic("decay", mean * np.ones(len(design.sizes)), dims="size")
        else:
            between = draw_pymc(priors, "sigma_decay")
            decay = pm.Deterministic(
                "decay", mean + between * pm.Normal("decay_z", 0, 1, dims="size"), dims="size"
            )
        linear = linear + effect[firm] - decay[size[firm]] * basis(design.family, made.entries)
        if design.by_period:
            model.add_coord("period_level", list(design.periods))
            between = draw_pymc(priors, "sigma_period")
            period = pm.Deterministic(
                "period",
                between * pm.Normal("period_z", 0, 1, dims="period_level"),
                dims="period_level",
            )
            linear = linear + period[[design.periods.index(name) for name in made.period]]
        _observe(flags, weights, linear)
    return model


def _observe(flags: Any, weights: Any, linear: Any) -> None:
    import pymc as pm
    from scipy.special import expit

    def logp(value: Any, weights: Any, linear: Any) -> Any:
        # log Pr(1) = -log(1 + exp(-odds)), log Pr(0) = -log(1 + exp(odds))
        return -weights * pm.math.log1pexp((1 - 2 * value) * linear)

    def random(weights: Any, linear: Any, rng: Any = None, size: Any = None) -> Any:
        return (rng.random(size) < expit(linear)).astype(float)

    pm.CustomDist(
        OUTCOME, weights, linear, logp=logp, random=random, observed=flags, dims="decision"
    )
