"""The share model: printed shares of firms, explained by what the firms are.

For a firm with printed share r, rounding width w, l = max(0, r - w/2)/100 and
u = min(100, r + w/2)/100::

    Pr(r)     = F(u) - F(l),  F the CDF of Beta(mu * phi, (1 - mu) * phi)
    logit mu  = intercept + sum of the blocks of the design

A further outcome has the same blocks. Yes or no: Pr(yes) = mu. Ordered levels 0 to K, cumulative
logit (McCullagh 1980, Journal of the Royal Statistical Society B 42, 109-142), with eta the sum of
the blocks::

    logit Pr(level <= k) = cutpoints[k] - eta

Of a study with clusters c of firms, the level and the coefficients of every block differ between
clusters, each cluster's own being the common one and a deviation with an estimated spread::

    logit mu  = intercept + cluster[c] + sum of the blocks, with (effect + effect_by_cluster[c])

:func:`build` is a pure function from study, variant and priors to a PyMC model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.models import DEFAULT, design_of, priors_of
from intlmodels.models.compilation import one_at_a_time
from intlmodels.models.priors import Prior
from intlmodels.models.pymc import draw_pymc, register_data
from intlmodels.models.share import observation
from intlmodels.models.share.blocks import CLUSTER, VARYING, Block, Design, Family
from intlmodels.study import Clusters, ShareStudy

if TYPE_CHECKING:
    import pymc as pm


@one_at_a_time
def build(
    study: ShareStudy,
    variant: str = DEFAULT,
    priors: Mapping[str, Prior] | None = None,
) -> pm.Model:
    """Build the model of one variant.

    Parameters
    ----------
    study : Study
    variant : str
        Name in the catalogue, see :func:`intlmodels.models.catalogue`.
    priors : mapping of str to Prior, optional
        As :func:`intlmodels.models.priors_of` returns them (the default).

    Returns
    -------
    pymc.Model
        With the dimension ``firm``, one dimension ``<name>_level`` for each varying or
        monotonic predictor and ``cluster_level`` for clusters; the outcome is
        ``printed_share`` in percent, or ``printed_level``,
        the position of a level.

    Raises
    ------
    StudyError
        For an unknown variant.
    """
    import pymc as pm

    design = design_of(study, variant)
    priors = priors_of(study, variant) if priors is None else priors
    coords: dict[str, Any] = {"firm": list(study.firms)}
    with pm.Model(coords=coords) as model:
        printed, weights = register_data(priors, design.observed(study))
        # Firms without this outcome stay in the model, with no weight in its likelihood.
        weights.set_value(design.known(study).astype(float))
        linear = draw_pymc(priors, design.intercept) if design.intercept else 0.0
        if design.clusters is not None:
            model.add_coord(f"{CLUSTER}_level", list(design.clusters.labels))
            linear = linear + _spread(CLUSTER, (), priors)[design.clusters.codes]
        for block in design.blocks:
            linear = linear + _contribution(model, block, priors, design.clusters)
        if design.family == "ordered":
            mu = pm.Deterministic("eta", linear, dims="firm")
            arguments = [_cutpoints(model, design)]
        else:
            mu = pm.Deterministic("mu", pm.math.sigmoid(linear), dims="firm")
            arguments = [draw_pymc(priors, name) for name in observation.PARAMETERS[design.family]]
        _observe(design.family, study, printed, weights, linear, mu, arguments)
    return model


def _cutpoints(model: pm.Model, design: Design) -> Any:
    """Cutpoints from the probabilities of the levels of a firm whose effects are zero.

    The probabilities are what a prior can be stated for, the cutpoints follow: with them the
    prior does not depend on where the linear predictor is zero (Betancourt 2019, "Ordinal
    regression", has the same prior on the cutpoints themselves, through a Jacobian).
    """
    import pymc as pm
    import pytensor.tensor as pt

    assert design.further is not None
    levels = design.further.levels
    model.add_coord("baseline_level", list(levels))
    model.add_coord("cutpoint", list(levels[1:]))
    baseline = pm.Dirichlet("baseline", np.ones(len(levels)), dims="baseline_level")
    # Sums from either end: what is left of a sum close to one has no digits.
    below = pt.cumsum(baseline)[:-1]
    above = pt.cumsum(baseline[::-1])[::-1][1:]
    return pm.Deterministic("cutpoints", pt.log(below) - pt.log(above), dims="cutpoint")


def _spread(name: str, dims: tuple[str, ...], priors: Mapping[str, Prior]) -> Any:
    """Register what clusters deviate by, around zero with a spread of its own."""
    import pymc as pm

    dims = (f"{CLUSTER}_level", *dims)
    # Non-centred, as the effects of levels are: a spread between few clusters is hardly known.
    sigma = draw_pymc(priors, f"sigma_{name}")
    standard = pm.Normal(f"{name}_z", 0, 1, dims=dims)
    return pm.Deterministic(name, sigma * standard, dims=dims)


def _contribution(
    model: pm.Model, block: Block, priors: Mapping[str, Prior], clusters: Clusters | None
) -> Any:
    """Register a block's coefficients; return what it adds to the linear predictor."""
    import pymc as pm
    import pytensor.tensor as pt

    name = block.name
    level = f"{name}_level"
    if block.kind in VARYING:
        model.add_coord(level, list(block.levels))
        # Non-centred: with this few levels the spread is hardly known, and the centred
        # form has a funnel.
        sigma = draw_pymc(priors, f"sigma_{name}")
        standard = pm.Normal(f"{name}_z", 0, 1, dims=level)
        effect = pm.Deterministic(name, sigma * standard, dims=level)
        if clusters is None:
            return _weighted(block, effect)
        own = _spread(block.by_cluster, (level,), priors)
        return _weighted(block, effect) + _weighted(block, own, clusters.codes)
    if block.kind == "monotonic":
        model.add_coord(level, list(block.levels))
        model.add_coord(f"{name}_step", list(block.levels[1:]))
        total = draw_pymc(priors, name)
        # Monotonic effect (Buerkner and Charpentier 2020): the total, in simplex steps.
        steps = pm.Dirichlet(f"{name}_steps", np.ones(len(block.levels) - 1), dims=f"{name}_step")
        climb = pt.concatenate([pt.zeros(1), pt.cumsum(steps)])
        effect = pm.Deterministic(f"{name}_effect", total * climb, dims=level)
        if clusters is None:
            return _weighted(block, effect)
        own = _spread(block.by_cluster, (), priors)[clusters.codes]
        return _weighted(block, effect) + own * _weighted(block, climb)
    coefficient = draw_pymc(priors, name)
    if clusters is not None:
        coefficient = coefficient + _spread(block.by_cluster, (), priors)[clusters.codes]
    values = block.weights[:, 0]
    if not block.missing.size:
        return coefficient * values
    return coefficient * _filled(model, block, priors)


def _filled(model: pm.Model, block: Block, priors: Mapping[str, Prior]) -> Any:
    """Values of a covariate, with those that are missing as parameters."""
    import pymc as pm
    import pytensor.tensor as pt

    name, values = block.name, block.weights[:, 0]
    observed = np.flatnonzero(~np.isnan(values))
    mean, sd = draw_pymc(priors, f"{name}_mean"), draw_pymc(priors, f"{name}_sd")
    firms = list(model.coords["firm"])
    model.add_coord(f"{name}_missing_firm", [firms[i] for i in block.missing])
    model.add_coord(f"{name}_observed_firm", [firms[i] for i in observed])
    seen = pm.Data(covariate_data(name), values[observed])
    pm.Normal(f"{name}_observed", mean, sd, observed=seen, dims=f"{name}_observed_firm")
    absent = pm.Normal(f"{name}_missing", mean, sd, dims=f"{name}_missing_firm")
    filled = pt.set_subtensor(pt.zeros(len(values))[observed], seen)
    return pt.set_subtensor(filled[block.missing], absent)


def covariate_data(name: str) -> str:
    """Name of the model's data that hold the known values of a covariate."""
    return f"{name}_known"


def _weighted(block: Block, effect: Any, codes: NDArray[np.intp] | None = None) -> Any:
    """Effects as each firm takes them; an index is cheaper than a product of matrices.

    With ``codes`` the effects are (cluster, level), and each firm takes those of its cluster.
    """
    single = np.isin(block.weights, (0.0, 1.0)).all() and (block.weights.sum(axis=1) == 1).all()
    if single:
        level = block.weights.argmax(axis=1)
        return effect[level] if codes is None else effect[codes, level]
    return (block.weights * (effect if codes is None else effect[codes])).sum(axis=1)


def _observe(
    family: Family,
    study: ShareStudy,
    printed: Any,
    weights: Any,
    linear: Any,
    mu: Any,
    arguments: list[Any],
) -> None:
    import pymc as pm

    width = study.outcome.width
    # One vector of cutpoints for all firms; everything else has one value a firm, or one in all.
    shapes = ["(k)" if name in observation.VECTORS else "()" for name in _arguments(family)]
    log_density = LOG_DENSITIES[family]
    size = len(study.firms)

    def logp(value: Any, weights: Any, linear: Any, mu: Any, *arguments: Any) -> Any:
        return weights * log_density(value, width, size, linear, mu, *arguments)

    def random(
        weights: Any, linear: Any, mu: Any, *arguments: Any, rng: Any = None, size: Any = None
    ) -> Any:
        parameters = dict(zip(observation.PARAMETERS[family], arguments, strict=True))
        return observation.simulate(family, linear, parameters, width, rng, shape=size)

    pm.CustomDist(
        observation.outcome_of(family),
        weights,
        linear,
        mu,
        *arguments,
        logp=logp,
        random=random,
        observed=printed,
        dims="firm",
        **({"signature": f"{','.join(shapes)}->()"} if "(k)" in shapes else {}),
    )


def _arguments(family: Family) -> tuple[str, ...]:
    return ("weights", "linear", "mu", *observation.PARAMETERS[family])


def _edges(value: Any, width: float) -> tuple[Any, Any]:
    import pytensor.tensor as pt

    lower = pt.maximum(value - width / 2, 0.0) / 100
    upper = pt.minimum(value + width / 2, 100.0) / 100
    return lower, upper


def _beta(value: Any, width: float, size: int, linear: Any, mu: Any, phi: Any) -> Any:
    from intlmodels.models.share.likelihood import interval_logprob

    return interval_logprob(mu * phi, (1 - mu) * phi, *_edges(value, width))


def _logit_normal(value: Any, width: float, size: int, linear: Any, mu: Any, sigma: Any) -> Any:
    from intlmodels.models.share.likelihood import logit_normal_interval_logprob

    return logit_normal_interval_logprob(linear, sigma, *_edges(value, width))


def _hurdle(value: Any, width: float, size: int, linear: Any, mu: Any, phi: Any, never: Any) -> Any:
    import pytensor.tensor as pt

    sells = pt.log1p(-never) + _beta(value, width, size, linear, mu, phi)
    return pt.switch(pt.eq(value, 0.0), pt.logaddexp(pt.log(never), sells), sells)


def _heaped(
    value: Any, width: float, size: int, linear: Any, mu: Any, phi: Any, heaping: Any
) -> Any:
    import pytensor.tensor as pt

    fine = pt.log1p(-heaping) + _beta(value, width, size, linear, mu, phi)
    on_coarse = pt.eq(pt.mod(pt.round(value / width), 2), 0)
    # Off the coarse grid the coarse interval is not used: the whole range stands in for it.
    lower, upper = _edges(value, 2 * width)
    lower, upper = pt.switch(on_coarse, lower, 0.0), pt.switch(on_coarse, upper, 1.0)
    from intlmodels.models.share.likelihood import interval_logprob

    coarse = pt.log(heaping) + interval_logprob(mu * phi, (1 - mu) * phi, lower, upper)
    return pt.switch(on_coarse, pt.logaddexp(fine, coarse), fine)


def _density(value: Any, width: float, size: int, linear: Any, mu: Any, phi: Any) -> Any:
    import pymc as pm

    squeezed = observation.squeeze(value / 100, size)
    return pm.logp(pm.Beta.dist(alpha=mu * phi, beta=(1 - mu) * phi), squeezed)


def _binary(value: Any, width: float, size: int, linear: Any, mu: Any) -> Any:
    import pytensor.tensor as pt

    return -pt.softplus(pt.switch(pt.eq(value, 1.0), -linear, linear))


def _ordered(value: Any, width: float, size: int, linear: Any, mu: Any, cutpoints: Any) -> Any:
    import pytensor.tensor as pt

    count = cutpoints.shape[-1]
    places = pt.arange(count)
    upper = (pt.eq(value[:, None], places) * cutpoints).sum(axis=-1)
    lower = (pt.eq(value[:, None], places + 1) * cutpoints).sum(axis=-1)
    # F(u) - F(l) = F(u) F(-l) (1 - exp(l - u)), with F the logistic function: no digits are lost.
    inside = pt.gt(value, 0) & pt.lt(value, count)
    gap = pt.log1mexp(pt.switch(inside, lower - upper, -1.0))
    not_above = pt.switch(pt.lt(value, count), -pt.softplus(linear - upper), 0.0)
    not_below = pt.switch(pt.gt(value, 0), -pt.softplus(lower - linear), 0.0)
    return not_above + not_below + pt.switch(inside, gap, 0.0)


LOG_DENSITIES: dict[Family, Callable[..., Any]] = {
    "beta": _beta,
    "logit-normal": _logit_normal,
    "hurdle": _hurdle,
    "heaped": _heaped,
    "density": _density,
    "binary": _binary,
    "ordered": _ordered,
}
