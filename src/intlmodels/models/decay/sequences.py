"""The decay model of a register of decisions, the effects of its firms integrated out.

:func:`build` is the model in its own parameters. For sampling, :func:`in_coordinates` writes it in
others: with very many firms the posterior is very narrow in what the data tell, and as wide as the
prior in what they do not. Of effects e ~ Normal(centre, sigma) by size or period (K of them)::

    e = centre + m + Q d,   m = sigma zeta / sqrt(K),   d | sigma ~ Normal(0, sigma)

with Q an orthonormal basis of differences. The data tell centre + m, and d. With t the vector of
:mod:`intlmodels.models.decay.aggregated`, r its start, g and J gradient and information there, and
p the
precisions 1 / sigma^2 of the differences, t is drawn as ::

    t = r + P^-1 (g - p r) + L^-T raw,   P = J + diag(p) = L L'

as :mod:`intlmodels.models.share.coordinates` does it for shares; it is exact, since the logarithm
of the Jacobian is part of the density that is sampled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.errors import StudyError
from intlmodels.models import DEFAULT, design_of, priors_of
from intlmodels.models.compilation import one_at_a_time
from intlmodels.models.decay.aggregated import (
    Algebra,
    Class,
    Layout,
    Start,
    counts_for,
    layout,
    log_likelihood,
    natural,
)
from intlmodels.models.decay.design import Design
from intlmodels.models.priors import Prior
from intlmodels.models.pymc import PRIOR_ARGUMENTS, arguments, draw_pymc
from intlmodels.study import SequenceStudy

if TYPE_CHECKING:
    import pymc as pm


#: The vector of all coordinates.
RAW = "raw"
#: First value of the logarithm of a spread, at least.
_LEAST = 0.01


def _algebra() -> Algebra:
    import pytensor.tensor as pt

    return Algebra(
        pt.exp,
        pt.softplus,
        lambda x: pt.cumsum(x, axis=1),
        lambda parts: pt.concatenate(parts, axis=0),
        lambda x: pt.logsumexp(x, axis=1),
    )


@one_at_a_time
def build(
    study: SequenceStudy,
    parts: tuple[Class, ...],
    variant: str = DEFAULT,
    priors: Mapping[str, Prior] | None = None,
) -> pm.Model:
    """The model in its own parameters.

    Parameters
    ----------
    study : SequenceStudy
    parts : tuple of Class
        Nodes of the integrals over the firms' effects.
    variant : str
        Name in the catalogue.
    priors : mapping of str to Prior, optional
        As :func:`intlmodels.models.priors_of` returns them (the default).

    Returns
    -------
    pymc.Model
        With the dimensions ``size`` and, in the variant ``period``, ``period_level``.
    """
    import pymc as pm

    design = design_of(study, variant)
    priors = priors_of(study, variant) if priors is None else priors
    counts = counts_for(study.sequences, design)
    with pm.Model(coords={"size": list(design.sizes)}) as model:
        pm.Data(PRIOR_ARGUMENTS, arguments(priors))
        level = draw_pymc(priors, "intercept") * np.ones(len(design.sizes))
        if design.two_sizes:
            level = level + draw_pymc(priors, "large") * np.array([1.0, 0.0])
        sigma = draw_pymc(priors, "sigma_firm")
        mean = draw_pymc(priors, "decay_mean")
        decay = mean * np.ones(len(design.sizes))
        if not design.common:
            between = draw_pymc(priors, "sigma_decay")
            decay = decay + between * pm.Normal("decay_z", 0, 1, dims="size")
        decay = pm.Deterministic("decay", decay, dims="size")
        period = None
        if design.by_period:
            model.add_coord("period_level", list(design.periods))
            spread = draw_pymc(priors, "sigma_period")
            standard = pm.Normal("period_z", 0, 1, dims="period_level")
            period = pm.Deterministic("period", spread * standard, dims="period_level")
        values = {"level": level, "decay": decay, "sigma": sigma, "period": period}
        pm.Potential("firms", log_likelihood(counts, parts, design, values, _algebra()))
    return model


@dataclass(frozen=True)
class _Group:
    """Effects with a spread of their own: of sizes on the decay, or of periods on the level."""

    name: str
    spread: str
    centre: str
    differences: str
    levels: int


def _groups(design: Design) -> list[_Group]:
    groups = []
    if not design.common:
        groups.append(_Group("decay", "sigma_decay", "decay", "between", len(design.sizes)))
    if design.by_period:
        groups.append(_Group("period", "sigma_period", "level", "time", len(design.periods)))
    return groups


@one_at_a_time
def in_coordinates(model: pm.Model, design: Design, start: Start) -> pm.Model:
    """The same posterior as a model of one vector, the coordinates.

    Parameters
    ----------
    model : pymc.Model
        From :func:`build`.
    design : Design
    start : Start

    Returns
    -------
    pymc.Model
        All parameters follow from the vector ``raw``.

    Raises
    ------
    StudyError
        For a prior of the intercept, of large firms or of the decay that is not one over all
        numbers.
    """
    import pymc as pm
    import pytensor.tensor as pt
    from pytensor.graph.replace import graph_replace

    _require_whole(model)
    groups, where = _groups(design), layout(design)
    with pm.Model(coords=model.coords) as sampled:
        raw = pm.Flat(RAW, shape=2 * len(groups) + len(where.names))
        spreads = {}
        for i, group in enumerate(groups):
            own = np.flatnonzero([name == group.differences for name in where.names])
            first = max(float(np.sqrt(np.mean(start.at[own] ** 2))), _LEAST)
            spreads[group.name] = pt.exp(np.log(first) + raw[i])
        theta, jacobian = _theta(raw[2 * len(groups) :], start, where, groups, spreads)
        found: dict[str, Any] = {
            "intercept": theta[where.at("level")],
            "sigma_firm": pt.exp(theta[where.at("spread")]),
            "decay_mean": theta[where.at("decay")],
        }
        if design.two_sizes:
            found["large"] = theta[where.at("large")]
        values = natural(theta, design, _algebra())
        for i, group in enumerate(groups):
            spread, levels = spreads[group.name], group.levels
            mean = spread * raw[len(groups) + i] / np.sqrt(levels)
            name = "decay_mean" if group.name == "decay" else "intercept"
            found[name] = found[name] - mean
            found[group.spread] = spread
            effects = values[group.name] + (mean if group.name == "period" else 0.0)
            centred = effects - (found["decay_mean"] if group.name == "decay" else 0.0)
            found[f"{group.name}_z"] = centred / spread
            # Of z = effects / spread, of which the model has the density.
            jacobian = jacobian - (levels - 1) * pt.log(spread)
        replace: dict[Any, Any] = {}
        for rv in model.free_RVs:
            value = model.rvs_to_values[rv]
            new = found[rv.name]
            if model.rvs_to_transforms[rv] is not None:
                new = pt.log(new)
            replace[value] = pt.specify_shape(new, value.type.shape)
        density = graph_replace([model.logp()], replace, strict=False)[0]
        pm.Potential("posterior", density + jacobian)
        for name, value in found.items():
            if not name.endswith("_z"):
                pm.Deterministic(name, value)
        pm.Deterministic("decay", values["decay"], dims="size")
        if design.by_period:
            effects = found["period_z"] * found["sigma_period"]
            pm.Deterministic("period", effects, dims="period_level")
    return sampled


def _theta(
    raw: Any, start: Start, where: Layout, groups: list[_Group], spreads: Mapping[str, Any]
) -> tuple[Any, Any]:
    """The vector of coordinates, and the logarithm of its Jacobian."""
    import pytensor.tensor as pt
    from pytensor.tensor.linalg import cholesky, solve_triangular

    precision: Any = pt.zeros(len(where.names))
    for group in groups:
        own = np.array([name == group.differences for name in where.names], dtype=float)
        precision = precision + own / spreads[group.name] ** 2
    factor = cholesky(start.information + pt.diag(precision), lower=True)
    pulled = start.gradient - precision * start.at
    half = solve_triangular(factor, pulled, lower=True, b_ndim=1)
    off = solve_triangular(factor.T, half + raw, lower=False, b_ndim=1)
    return start.at + off, -pt.log(pt.diag(factor)).sum()


def _require_whole(model: pm.Model) -> None:
    for rv in model.free_RVs:
        spread = rv.name.startswith("sigma_")  # above 0, whatever the prior
        if not spread and model.rvs_to_transforms[rv] is not None:
            raise StudyError(
                f"the prior of '{rv.name}' has to be one over all numbers in a register, such as "
                "Normal or StudentT",
                value=rv.name,
            )
