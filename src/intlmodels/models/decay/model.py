"""The decay model where decisions are known: as a list, or as counts of a register.

The list has an ordinary hierarchical logistic regression, :func:`build`; its formula stands in
:mod:`intlmodels.models.decay.design`. Of a register the effects of firms are integrated out:
:func:`build_register` is the model in its own parameters. For sampling, :func:`in_coordinates`
writes it in others: with very many firms the posterior is very narrow in what the data tell, and as
wide as the prior in what they do not. Of effects e ~ Normal(centre, sigma) by size or period (K of
them)::

    e = centre + m + Q d,   m = sigma zeta / sqrt(K),   d | sigma ~ Normal(0, sigma)

with Q an orthonormal basis of differences. The data tell centre + m, and d. With t the vector of
:mod:`intlmodels.models.decay.aggregated`, r its start, g and J gradient and information there, and
p the precisions 1 / sigma^2 of the differences, t is drawn as ::

    t = r + P^-1 (g - p r) + L^-T raw,   P = J + diag(p) = L L'

as :mod:`intlmodels.models.share.coordinates` does it for shares; it is exact, since the logarithm
of the Jacobian is part of the density that is sampled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Progress, Settings
from intlmodels.models import DEFAULT, design_of, priors_of
from intlmodels.models.base import Drawn
from intlmodels.models.compilation import one_at_a_time
from intlmodels.models.coordinates import RAW, algebra, require_whole_line, whitened
from intlmodels.models.decay import inferencedata
from intlmodels.models.decay.aggregated import (
    LARGEST,
    NUMPY,
    Algebra,
    Class,
    Counts,
    Start,
    classes,
    counts_for,
    find_start,
    layout,
    log_likelihood,
    natural,
    require_able,
)
from intlmodels.models.decay.design import OUTCOME, Design, Term, basis
from intlmodels.models.decay.estimands import points_of
from intlmodels.models.decay.inferencedata import DIMENSIONS, size_coords
from intlmodels.models.priors import Prior
from intlmodels.models.pymc import (
    PRIOR_ARGUMENTS,
    PRIOR_DRAWS,
    arguments,
    derive,
    draw_pymc,
    register_data,
    sample,
)
from intlmodels.studies import DecayStudy, SequenceStudy

if TYPE_CHECKING:
    import pymc as pm
    from xarray import Dataset


@one_at_a_time
def build(
    study: DecayStudy,
    variant: str = DEFAULT,
    priors: Mapping[str, Prior] | None = None,
) -> pm.Model:
    """The ordinary hierarchical model, for decisions that are known.

    The outcome is ``flagged``, 0 or 1. Raises StudyError if only counts of the decisions are known.
    """
    import pymc as pm

    design = design_of(study, variant)
    priors = priors_of(study, variant) if priors is None else priors
    made = design.decisions
    if made is None:
        raise StudyError("the decisions of this study are not known, only counts of them")
    firm, period = design.codes
    size = np.array(design.size_of_firm)
    coords = {
        "decision": np.arange(len(firm)) + 1,
        "firm_level": list(design.firms),
        **size_coords(design),
        **{f"{term.name}_level": list(term.levels) for term in design.terms if term.varying},
    }
    with pm.Model(coords=coords) as model:
        flags, weights = register_data(priors, made.flag)
        linear = draw_pymc(priors, "intercept")
        for i, offset in enumerate(_offsets(priors, design)):
            linear = linear + offset * (size[firm] == i)
        spread = draw_pymc(priors, "sigma_firm")
        effect = pm.Deterministic(
            "firm", spread * pm.Normal("firm_z", 0, 1, dims="firm_level"), dims="firm_level"
        )
        decay = _decay(priors, design)
        linear = linear + effect[firm] - decay[size[firm]] * basis(design.family, made.entries)
        if design.by_period:
            linear = linear + _period(priors, design)[period]
        if design.owned_since:
            linear = linear + draw_pymc(priors, "owner") * design.owned[firm, period]
        for term in design.terms:
            linear = linear + term.of(_effects(priors, term))
        _observe(flags, weights, linear)
    return model


def _offsets(priors: Mapping[str, Prior], design: Design) -> list[Any]:
    """Register what larger sizes add to the log odds."""
    if not design.by_size:
        return []
    dims = {"dims": DIMENSIONS[design.offset]} if design.offset in DIMENSIONS else {}
    return design.offsets(draw_pymc(priors, design.offset, **dims))


def _decay(priors: Mapping[str, Prior], design: Design) -> Any:
    """Register the decay of each size."""
    import pymc as pm

    decay = draw_pymc(priors, "decay_mean")
    if design.common:
        decay = decay * np.ones(len(design.sizes))
    else:
        between = draw_pymc(priors, "sigma_decay")
        decay = decay + between * pm.Normal("decay_z", 0, 1, dims="size")
    return pm.Deterministic("decay", decay, dims="size")


def _period(priors: Mapping[str, Prior], design: Design) -> Any:
    """Register the effect of each period."""
    import pymc as pm

    pm.modelcontext(None).add_coord("period_level", list(design.periods))
    between = draw_pymc(priors, "sigma_period")
    standard = pm.Normal("period_z", 0, 1, dims="period_level")
    return pm.Deterministic("period", between * standard, dims="period_level")


def _effects(priors: Mapping[str, Prior], term: Term) -> Any:
    """Register the slope of a term, or the effects of its levels."""
    import pymc as pm

    if not term.varying:
        return draw_pymc(priors, term.name)
    spread, dims = draw_pymc(priors, f"sigma_{term.name}"), f"{term.name}_level"
    standard = pm.Normal(f"{term.name}_z", 0, 1, dims=dims)
    return pm.Deterministic(term.name, spread * standard, dims=dims)


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


# -- registers of decisions ----------------------------------------------------------------

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
def build_register(
    study: SequenceStudy,
    parts: tuple[Class, ...],
    variant: str = DEFAULT,
    priors: Mapping[str, Prior] | None = None,
) -> pm.Model:
    """The model of a register in its own parameters.

    ``parts``: nodes of the integrals over the firms' effects.
    """
    import pymc as pm

    design = design_of(study, variant)
    priors = priors_of(study, variant) if priors is None else priors
    counts = counts_for(study.sequences, design)
    with pm.Model(coords=size_coords(design)) as model:
        pm.Data(PRIOR_ARGUMENTS, arguments(priors))
        level = draw_pymc(priors, "intercept") * np.ones(len(design.sizes))
        for offset, where_added in zip(_offsets(priors, design), design.indicators, strict=True):
            level = level + offset * where_added
        sigma = draw_pymc(priors, "sigma_firm")
        decay = _decay(priors, design)
        period = _period(priors, design) if design.by_period else None
        values = {"level": level, "decay": decay, "sigma": sigma, "period": period}
        pm.Potential("firms", log_likelihood(counts, parts, design, values, _algebra()))
    return model


def _groups(design: Design) -> list[tuple[str, str, int]]:
    """Effects with a spread of their own: name, what their differences are called, how many."""
    groups = [] if design.common else [("decay", "between", len(design.sizes))]
    return groups + [("period", "time", len(design.periods))] * design.by_period


@one_at_a_time
def in_coordinates(model: pm.Model, design: Design, start: Start) -> pm.Model:
    """The posterior of :func:`build_register` as a model of one vector, the coordinates.

    Raises StudyError for a prior of the intercept, of large firms or of the decay that is not one
    over all numbers.
    """
    import pymc as pm
    import pytensor.tensor as pt
    from pytensor.graph.replace import graph_replace

    transforms = {rv.name: model.rvs_to_transforms[rv] for rv in model.free_RVs}
    # Spreads are above 0, whatever the prior.
    require_whole_line(transforms, [name for name in transforms if not name.startswith("sigma_")])
    groups, where = _groups(design), layout(design)
    with pm.Model(coords=model.coords) as sampled:
        raw = pm.Flat(RAW, shape=2 * len(groups) + len(where))
        spreads = {}
        precision: Any = pt.zeros(len(where))
        for i, (name, differences, _) in enumerate(groups):
            own = np.array([other == differences for other in where])
            first = max(float(np.sqrt(np.mean(start.at[own] ** 2))), _LEAST)
            spreads[name] = pt.exp(np.log(first) + raw[i])
            precision = precision + own.astype(float) / spreads[name] ** 2
        theta, jacobian = whitened(
            raw[2 * len(groups) :],
            *(start.at, start.gradient, start.information, precision),
            *(np.zeros(len(where)), algebra()),
        )
        found: dict[str, Any] = {
            "intercept": theta[where.index("level")],
            "sigma_firm": pt.exp(theta[where.index("spread")]),
            "decay_mean": theta[where.index("decay")],
        }
        if design.by_size:
            first = where.index("large")
            offsets = theta[first : first + len(design.indicators)]
            found[design.offset] = offsets if design.offset in DIMENSIONS else theta[first]
        values = natural(theta, design, _algebra())
        for i, (group, _, levels) in enumerate(groups):
            spread = spreads[group]
            mean = spread * raw[len(groups) + i] / np.sqrt(levels)
            name = "decay_mean" if group == "decay" else "intercept"
            found[name] = found[name] - mean
            found[f"sigma_{group}"] = spread
            effects = values[group] + (mean if group == "period" else 0.0)
            centred = effects - (found["decay_mean"] if group == "decay" else 0.0)
            found[f"{group}_z"] = centred / spread
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
                pm.Deterministic(name, value, dims=DIMENSIONS.get(name))
        pm.Deterministic("decay", values["decay"], dims="size")
        if design.by_period:
            effects = found["period_z"] * found["sigma_period"]
            pm.Deterministic("period", effects, dims="period_level")
    return sampled


# -- draws of a register of decisions ------------------------------------------------------

#: Draws at which the integrals are held against finer ones.
CHECKED = 20
#: What finer nodes may change of the differences between log likelihoods.
MOST_OFF = 0.01
#: Times that a fit is made with wider nodes, if its draws go further than the first ones allow.
_TRIES = 4


def draw(
    study: SequenceStudy,
    variant: str,
    priors: Mapping[str, Prior],
    settings: Settings,
    progress: Progress | None,
) -> Drawn:
    """Draw all parameters of a register of decisions; effects of single firms are none.

    The nodes of the integrals are fine and wide enough for all draws.
    """
    design = design_of(study, variant)
    counts = counts_for(study.sequences, design)
    start = find_start(counts, design)
    spread, modes = start.spread, start.modes
    for _ in range(_TRIES):
        if spread > LARGEST:
            break
        parts = require_able(classes(counts, spread, modes))
        sampled = in_coordinates(build_register(study, parts, variant, priors), design, start)
        raw, stats = sample(sampled, settings, progress)
        names = [rv.name for rv in sampled.deterministics]
        posterior = derive(sampled, raw, log_likelihood=False)[0][names]
        largest = float(posterior["sigma_firm"].max())
        if largest <= spread and off(counts, parts, design, posterior) < MOST_OFF:
            prior = inferencedata.prior(design, priors, PRIOR_DRAWS, settings.seed)
            return Drawn({"posterior": posterior, "sample_stats": stats, "prior": prior})
        # Draws beyond what the nodes were made for: again, with nodes for them.
        spread = 1.5 * max(spread, largest)
        modes = modes + np.array([-2.0, 2.0])
    raise StudyError(
        "the firms differ so much that their effects cannot be integrated out exactly; expected a "
        f"spread of the firms below {LARGEST:g} log odds: see whether the flag varies within firms",
        value=f"sigma_firm {spread:.3g}",
    )


def off(counts: Counts, parts: tuple[Class, ...], design: Design, draws: Dataset) -> float:
    """What much finer nodes change of the differences of the log likelihood between draws."""
    points = points_of(draws, design, CHECKED)
    every = points_of(draws, design, draws["sigma_firm"].size)
    ordered = sorted(every, key=lambda point: point["sigma"])
    points += [ordered[0], ordered[-1]]
    low = min(part.nodes[0] for part in parts) + 4
    high = max(part.nodes[-1] for part in parts) - 4
    finer = classes(counts, 1.2 * float(ordered[-1]["sigma"]), np.array([low, high]), finer=2)
    gone = [
        float(log_likelihood(counts, finer, design, point, NUMPY))
        - float(log_likelihood(counts, parts, design, point, NUMPY))
        for point in points
    ]
    return float(np.ptp(gone)) if np.isfinite(gone).all() else np.inf
