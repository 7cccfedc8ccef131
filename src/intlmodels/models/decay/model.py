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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Progress, Settings
from intlmodels.models import DEFAULT, design_of, priors_of
from intlmodels.models.base import Drawn
from intlmodels.models.compilation import one_at_a_time
from intlmodels.models.coordinates import RAW, algebra, require_whole_line, whitened
from intlmodels.models.decay.aggregated import (
    LARGEST,
    NUMPY,
    Algebra,
    Class,
    Counts,
    Layout,
    Start,
    classes,
    counts_for,
    find_start,
    layout,
    log_likelihood,
    natural,
    require_able,
)
from intlmodels.models.decay.design import OUTCOME, Design, basis
from intlmodels.models.decay.estimands import ends_seen, merged, points_of
from intlmodels.models.priors import Prior
from intlmodels.models.priors import draw as draw_prior
from intlmodels.models.pymc import (
    PRIOR_ARGUMENTS,
    PRIOR_DRAWS,
    arguments,
    draw_pymc,
    evaluate,
    register_data,
    sample,
)
from intlmodels.study import DecayStudy, SequenceStudy

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

    ``variant``: name in the catalogue; one that is estimated from decisions, not from counts;
    ``priors``: as :func:`intlmodels.models.priors_of` returns them (the default). Returns with the
    dimensions ``decision``, ``firm_level`` and ``size``; the outcome is ``flagged``, 0 or 1. Raises
    StudyError: if only counts of the decisions are known.
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
    """The model in its own parameters.

    ``parts``: nodes of the integrals over the firms' effects; ``variant``: name in the catalogue;
    ``priors``: as :func:`intlmodels.models.priors_of` returns them (the default). Returns with the
    dimensions ``size`` and, in the variant ``period``, ``period_level``.
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

    ``model``: from :func:`build_register`. Returns all parameters follow from the vector ``raw``.
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

    precision: Any = pt.zeros(len(where.names))
    for group in groups:
        own = np.array([name == group.differences for name in where.names], dtype=float)
        precision = precision + own / spreads[group.name] ** 2
    return whitened(raw, start.at, start.gradient, start.information, precision, 0.0, algebra())


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
    """Draw all parameters of a register of decisions; effects of single firms are none."""
    design = design_of(study, variant)
    counts = counts_for(study.sequences, design)
    posterior, stats = _posterior(study, variant, design, counts, priors, settings, progress)
    prior = _prior(design, priors, settings.seed)
    return Drawn({"posterior": posterior, "sample_stats": stats, "prior": prior})


def _posterior(
    study: SequenceStudy,
    variant: str,
    design: Design,
    counts: Counts,
    priors: Mapping[str, Prior],
    settings: Settings,
    progress: Progress | None,
) -> tuple[Dataset, Dataset]:
    """Draws, with nodes that are fine and wide enough for all of them."""
    start = find_start(counts, design)
    spread, modes = start.spread, start.modes
    for _ in range(_TRIES):
        if spread > LARGEST:
            break
        parts = require_able(classes(counts, spread, modes))
        sampled = in_coordinates(build_register(study, parts, variant, priors), design, start)
        raw, stats = sample(sampled, settings, progress)
        posterior = _dataset(sampled, raw)
        largest = float(posterior["sigma_firm"].max())
        if largest <= spread and off(counts, parts, design, posterior) < MOST_OFF:
            return posterior, stats
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


def _dataset(sampled: Any, raw: Dataset) -> Dataset:
    """Draws of all parameters with their labels, from draws of the coordinates."""
    import xarray as xr

    shape = raw.sizes["chain"], raw.sizes["draw"]
    flat = raw[RAW].to_numpy().reshape(shape[0] * shape[1], -1)
    wanted = list(sampled.deterministics)
    values = evaluate(sampled, wanted, {RAW: flat})
    dims = sampled.named_vars_to_dims
    return xr.Dataset(
        {
            rv.name: (("chain", "draw", *dims.get(rv.name, ())), v.reshape(*shape, *v.shape[1:]))
            for rv, v in zip(wanted, values, strict=True)
        },
        coords={
            "chain": raw["chain"],
            "draw": raw["draw"],
            **{name: np.asarray(labels, dtype=object) for name, labels in sampled.coords.items()},
        },
    )


def _prior(design: Design, priors: Mapping[str, Prior], seed: int) -> Dataset:
    import xarray as xr

    rng = np.random.default_rng([seed, 0])
    values: dict[str, Any] = {
        name: ((), draw_prior(prior, rng, PRIOR_DRAWS)) for name, prior in priors.items()
    }
    decay = np.repeat(values["decay_mean"][1][:, None], len(design.sizes), axis=1)
    if not design.common:
        decay = decay + values["sigma_decay"][1][:, None] * rng.normal(size=decay.shape)
    values["decay"] = (("size",), decay)
    coords = {"size": np.asarray(design.sizes, dtype=object)}
    if design.by_period:
        standard = rng.normal(size=(PRIOR_DRAWS, len(design.periods)))
        values["period"] = (("period_level",), values["sigma_period"][1][:, None] * standard)
        coords["period_level"] = np.asarray(design.periods, dtype=object)
    return xr.Dataset(
        {name: (("chain", "draw", *dims), value[None]) for name, (dims, value) in values.items()},
        coords={"chain": [0], "draw": np.arange(PRIOR_DRAWS), **coords},
    )


def observed_data(study: SequenceStudy, design: Design) -> Dataset:
    """Flags at each place, and firms without a flag or with nothing else."""
    import xarray as xr

    ends = ends_seen(counts_for(study.sequences, design), len(design.sizes))
    return xr.Dataset(
        {
            "flags": ("place", merged(study, design)["flagged"]),
            **{name: ("size", found) for name, found in ends.items()},
        },
        coords={"size": np.asarray(design.sizes, dtype=object)},
    )


def constant_data(study: SequenceStudy, design: Design) -> Dataset:
    """Decisions at each place, and firms, as the estimands and the report need them."""
    import xarray as xr

    places = merged(study, design)
    counts = counts_for(study.sequences, design)
    several = counts.made.sum(axis=1) > 1
    sizes = len(design.sizes)
    return xr.Dataset(
        {
            "made_at": ("place", places["made"]),
            "size_at": ("place", places["size"]),
            "period_at": ("place", places["period"]),
            "entries_at": ("place", places["entries"]),
            "firms": ("size", np.bincount(counts.size, counts.firms, sizes)),
            "repeated": ("size", np.bincount(counts.size, counts.firms * several, sizes)),
        },
        coords={"size": np.asarray(design.sizes, dtype=object)},
        attrs={
            "firm_label": study.firm_label,
            "event": study.event,
            "flag_label": study.flag_label,
        },
    )
