"""What calibration and leave-one-out ask of the share model: simulate, measure, leave out.

Written forward and in numpy, apart from the model that is fitted: a mistake in either shows as
ranks that are not uniform.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.rounding import grid
from intlmodels.core.settings import Given
from intlmodels.models import priors_of
from intlmodels.models.priors import Prior, draw, parse, rescaled
from intlmodels.models.pymc import LOWER, OBSERVED, UPPER, WEIGHTS
from intlmodels.models.share import observation
from intlmodels.models.share.design import (
    CLUSTER,
    FIRM,
    MOST_CLUSTERS,
    VARYING,
    Block,
    Design,
    covariate_data,
    lkj_shapes,
    rows_of,
)
from intlmodels.models.share.linear import family_parameters, linear_predictor
from intlmodels.studies import Grouping, ShareStudy, Terms
from intlmodels.studies.columns import frozen, of_rows

if TYPE_CHECKING:
    from xarray import Dataset


Array = NDArray[np.float64]

#: Deliberate errors that calibration must notice: name -> what is done wrong.
WRONG = {
    "density": "a density at the printed value in place of the probability of its interval",
    "too-exact": "printed shares read as rounded five times finer than they are",
    "narrow-priors": "every prior three times too narrow",
}
#: The same, of a study with clusters only.
POOLED = "one-cluster"
#: The same, of a panel only.
NO_FIRMS = "no-firms"


def wrong_models(design: Design) -> dict[str, str]:
    """Deliberate errors that calibration must notice: name -> what is done wrong."""
    found = dict(WRONG)
    if design.own_ends:
        del found["too-exact"]
    if design.clusters is not None:
        found[POOLED] = "all firms taken for one cluster"
    if design.grouping(FIRM) is not None:
        found[NO_FIRMS] = "rows of one firm taken for rows of different firms"
    return found


def unit_kind(design: Design) -> str:
    """What is left out at a time."""
    return "firm"


def why_not(design: Design) -> str:
    """Why a design cannot be simulated; empty if it can."""
    if design.family != "density":
        return design.not_simulated
    return "a density says nothing of printed values, so none can be simulated from it"


def simulate(
    study: ShareStudy, design: Design, priors: Mapping[str, Prior], rng: np.random.Generator
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Draw parameters from their priors, and printed shares (or levels) of the study's own firms.

    Returns true values by name, as the posterior has them, without leading dimensions; what a refit
    is given: printed shares in percent (or positions of levels), covariates that have missing
    values.
    """
    truth: dict[str, Any] = {name: draw(prior, rng, 1)[0] for name, prior in priors.items()}
    given: dict[str, Array] = {}
    for grouping in design.groupings:
        _draw_groups(design, grouping, truth, rng)
    for block in design.blocks:
        _draw_block(block, truth, given, rng)
        for grouping in design.groupings:
            if block in design.slopes(grouping) and not grouping.correlated:
                name, count = block.by(grouping.name), len(grouping.labels)
                several = block.levels and block.kind != "monotonic"
                shape = (count, len(block.levels)) if several else (count,)
                truth[name] = truth[f"sigma_{name}"] * rng.normal(size=shape)
    for block in design.beside:
        _draw_block(block, truth, given, rng)
    linear = linear_predictor(design, truth, given)
    if design.family == "ordered":
        assert design.further is not None
        # Probabilities of the levels of a firm whose effects are zero, and the cutpoints.
        baseline = rng.dirichlet(np.ones(len(design.further.levels)))
        below, above = np.cumsum(baseline)[:-1], np.cumsum(baseline[::-1])[::-1][1:]
        linear = np.broadcast_to(linear, len(study.firms))
        truth |= {"eta": linear, "baseline": baseline, "cutpoints": np.log(below / above)}
    else:
        linear = np.broadcast_to(linear, len(study.firms))
        truth["mu"] = observation.inverse_logit(linear)
    parameters = family_parameters(design, truth)
    given |= reported(study, design, linear, parameters, rng)
    if study.outcome.weights is not None:
        # Weights make no law that could be simulated: the rows count alike.
        given[WEIGHTS] = design.known(study).astype(np.float64)
    return {name: np.asarray(value) for name, value in truth.items()}, given


def simulate_given(
    study: ShareStudy, design: Design, truth: Mapping[str, Array], rng: np.random.Generator
) -> dict[str, Array]:
    """Printed shares of the study's own firms, drawn with given parameters."""
    linear = np.broadcast_to(linear_predictor(design, truth), len(study.firms))
    return reported(study, design, linear, family_parameters(design, truth), rng)


def why_not_resampled(study: ShareStudy, design: Design) -> str:
    """Why firms with predictors like these cannot be simulated; empty if they can."""
    for block in (*design.blocks, *design.beside):
        if block.missing.size:
            return f"{block.label} has missing values"
    return why_not(design)


def resampled(study: ShareStudy, rows: NDArray[np.intp]) -> ShareStudy:
    """A study of new firms, each with the predictors of a row; of its variants only the terms."""
    outcome = study.outcome
    return replace(
        study,
        firms=tuple(str(number) for number in range(1, len(rows) + 1)),
        outcome=replace(
            outcome,
            **{n: getattr(outcome, n)[rows] for n in ("printed", "lower", "upper", "widths")},
            weights=None,
        ),
        predictors={name: of_rows(own, rows) for name, own in study.predictors.items()},
        groupings={
            name: replace(own, codes=frozen(own.codes[rows], np.intp))
            for name, own in study.groupings.items()
        },
        outcomes={},
        variants={n: own for n, own in study.variants.items() if isinstance(own, Terms)},
        dropped=(),
        profiles=(),
        crosschecks=(),
        opportunity=None,
        claims=(),
        row_groups={},
        numbers={},
        functions={},
        tables={},
    )


def prior(
    study: ShareStudy, design: Design, priors: Mapping[str, Prior], draws: int, seed: int
) -> Dataset:
    """Parameters and expected shares drawn from the priors, (chain, draw, ...), one chain."""
    import xarray as xr

    rng = np.random.default_rng([seed, 0])
    each = [simulate(study, design, priors, rng)[0] for _ in range(draws)]
    rows, variables = rows_of(study), {}
    for name in each[0]:
        values = np.stack([truth[name] for truth in each])[None]
        dims = tuple(f"{name}_dim_{i}" for i in range(values.ndim - 2))
        if values.shape[2:] == (len(study.firms),):
            dims = (rows,)
        variables[name] = (("chain", "draw", *dims), values)
    coords = {"chain": [0], "draw": np.arange(draws), rows: list(study.firms)}
    return xr.Dataset(variables, coords)


def reported(
    study: ShareStudy,
    design: Design,
    linear: Array,
    parameters: Mapping[str, Array],
    rng: np.random.Generator,
) -> dict[str, Array]:
    """What is reported of the rows, drawn anew, as the data of a refit."""
    outcome = study.outcome
    if design.further is not None or outcome.width:
        found = observation.simulate(design.family, linear, parameters, outcome.width, rng)
        return {OBSERVED: found}
    share = observation.simulate_share(design.family, linear, parameters, rng)
    values, lower, upper = observation.report(share, outcome)
    return {OBSERVED: values, LOWER: lower, UPPER: upper}


def _draw_groups(
    design: Design, grouping: Grouping, truth: dict[str, Any], rng: np.random.Generator
) -> None:
    """Draw the level of each group, and with it the effects that go with it."""
    name, count = grouping.name, len(grouping.labels)
    if not (grouping.correlated and design.slopes(grouping)):
        truth[name] = truth[f"sigma_{name}"] * rng.normal(size=count)
        return
    terms = design.correlated(grouping)
    shapes = lkj_shapes(len(terms))
    partial = 2 * rng.beta(shapes, shapes) - 1
    correlation = correlations(partial, len(terms))
    truth[f"{name}_correlation"] = correlation
    variables = np.array([text.partition("[")[0] for text in terms])
    spreads = np.array([truth[f"sigma_{own}"] for own in variables])
    covariance = correlation * np.outer(spreads, spreads)
    # A spread that is next to zero leaves no digits of the smallest eigenvalues.
    drawn = rng.multivariate_normal(
        np.zeros(len(terms)), covariance, size=count, check_valid="ignore"
    )
    for own in dict.fromkeys(variables):
        places = np.flatnonzero(variables == own)
        several = "[" in terms[places[0]]
        truth[str(own)] = drawn[:, places] if several else drawn[:, places[0]]


def correlations(partial: Array, size: int) -> Array:
    """Correlation matrix from partial correlations, row by row of the lower triangle.

    By the recursion r_ij|k.. = p sqrt((1 - r_ik^2)(1 - r_jk^2)) + r_ik r_jk, from the last variable
    that is given to none (Lewandowski, Kurowicka and Joe 2009).
    """
    given = np.zeros((size, size))
    given[np.tril_indices(size, -1)] = partial
    found = np.eye(size)
    for i in range(size):
        for j in range(i):
            value = given[i, j]
            for k in range(j - 1, -1, -1):
                a, b = given[i, k], given[j, k]
                value = value * np.sqrt((1 - a**2) * (1 - b**2)) + a * b
            found[i, j] = found[j, i] = value
    return found


def _draw_block(
    block: Block, truth: dict[str, Any], given: dict[str, Array], rng: np.random.Generator
) -> None:
    """Draw what a block's priors leave to draw."""
    name = block.name
    if block.kind in VARYING:
        truth[name] = truth[f"sigma_{name}"] * rng.normal(size=len(block.levels))
    elif block.kind == "walk":
        sums = np.cumsum([0.0, *truth[f"sigma_{name}"] * rng.normal(size=len(block.levels) - 1)])
        truth[name] = sums - sums.mean()
    elif block.kind == "monotonic":
        steps = rng.dirichlet(np.ones(len(block.levels) - 1))
        truth[f"{name}_steps"] = steps
        truth[f"{name}_effect"] = truth[name] * np.concatenate([[0.0], np.cumsum(steps)])
    elif block.levels:
        mean, sd = parse(block.prior, name=name, support="real")[1]
        truth[name] = rng.normal(mean, sd, size=len(block.levels))
    elif block.missing.size:
        values = rng.normal(truth[f"{name}_mean"], truth[f"{name}_sd"], len(block.weights))
        truth[f"{name}_missing"] = values[block.missing]
        given[covariate_data(name)] = np.delete(values, block.missing)


def quantities(
    study: ShareStudy, design: Design, values: Mapping[str, Array], given: Given
) -> dict[str, Array]:
    """Every scalar whose rank is looked at.

    ``values``: of the truth or of draws, leading dimensions (chain, draw) or none; ``given``: the
    simulated data: their log likelihood is looked at as well, since ranks of parameters alone would
    not notice a fit that ignores the data (Modrak et al. 2023, Bayesian Analysis,
    doi:10.1214/23-BA1404). Returns label to values of the leading dimensions.
    """
    found: dict[str, Array] = {}
    central = "eta" if design.family == "ordered" else "mu"
    leading = values[central].ndim - 1
    for name, labels in _labels(study, design).items():
        if name not in values:
            continue  # a deliberately wrong model may lack a parameter
        if not labels:
            found[name] = values[name]
            continue
        # Effects of a cluster at each level have two dimensions.
        own = values[name].reshape(*values[name].shape[:leading], -1)
        for i, label in enumerate(labels):
            if label:
                found[f"{name}[{label}]"] = own[..., i]
    family = design.family
    what = "mean linear predictor" if family == "ordered" else "mean share"
    found[what] = values[central].mean(axis=-1)
    needed = observation.PARAMETERS[family]
    if all(name in values for name in needed):
        each = log_probability(
            study,
            design,
            observation.linear_of(family, values),
            family_parameters(design, values),
            given,
        )
        found["log likelihood"] = each[..., design.known(study)].sum(axis=-1)
    return found


def log_probability(
    study: ShareStudy, design: Design, linear: Array, parameters: Mapping[str, Array], given: Given
) -> Array:
    """Log probability of what is reported of each row, (..., row)."""
    if LOWER in given:
        return observation.interval_log_probability(
            design.family, linear, parameters, given[LOWER], given[UPPER]
        )
    return observation.printed_log_probability(
        design.family, linear, parameters, study.outcome.width, given[OBSERVED]
    )


def _labels(study: ShareStudy, design: Design) -> dict[str, tuple[str, ...]]:
    """Labels of the scalars of each variable; none for a variable that is a scalar."""
    found: dict[str, tuple[str, ...]] = {design.intercept: ()} if design.intercept else {}
    if design.family == "ordered" and design.further is not None:
        found["baseline"] = design.further.levels
    for block in (*design.blocks, *design.beside):
        if block.kind in (*VARYING, "walk"):
            found |= {f"sigma_{block.name}": (), block.name: block.levels}
        elif block.kind == "monotonic":
            found |= {block.name: (), f"{block.name}_steps": block.levels[1:]}
        else:
            found[block.name] = block.levels
            if block.missing.size:
                firms = tuple(study.firms[i] for i in block.missing)
                found |= {f"{block.name}_{end}": () for end in ("mean", "sd")}
                found[f"{block.name}_missing"] = firms
    for grouping in design.groupings:
        # Single ranks of very many groups would leave the others no power.
        names = grouping.labels if len(grouping.labels) <= MOST_CLUSTERS else grouping.labels[:3]
        found |= {f"sigma_{grouping.name}": (), grouping.name: names}
        for block in design.slopes(grouping):
            own = block.by(grouping.name)
            levels = block.levels if block.kind != "monotonic" else ()
            each = tuple(f"{name}, {level}" for name in names for level in levels)
            found |= {f"sigma_{own}": (), own: each or names}
        if grouping.correlated and design.slopes(grouping):
            terms = design.correlated(grouping)
            found[f"{grouping.name}_correlation"] = tuple(
                f"{a}, {b}" if i < j else ""
                for i, a in enumerate(terms)
                for j, b in enumerate(terms)
            )
    scalars = [n for n in observation.PARAMETERS[design.family] if n not in observation.VECTORS]
    return found | dict.fromkeys(scalars, ())


def misspecified(
    study: ShareStudy, variant: str, priors: Mapping[str, Prior], wrong: str
) -> tuple[ShareStudy, str, Mapping[str, Prior]]:
    """Study, variant and priors with a deliberate error."""
    if wrong == "density":
        return study, "density", priors
    if wrong == "too-exact":
        outcome = replace(study.outcome, width=study.outcome.width / 5)
        return replace(study, outcome=outcome), variant, priors
    if wrong == POOLED:
        others = {name: own for name, own in study.groupings.items() if name != CLUSTER}
        alone = replace(study, groupings=others)
        return alone, variant, {n: priors[n] for n in priors_of(alone, variant)}
    if wrong == NO_FIRMS:
        without = Terms(NO_FIRMS, "", add=(), drop=(FIRM,))
        alone = replace(study, variants={**study.variants, NO_FIRMS: without})
        return alone, NO_FIRMS, {n: priors[n] for n in priors_of(alone, NO_FIRMS)}
    return study, variant, {n: rescaled(prior, 1 / 3) for n, prior in priors.items()}


# -- leaving a firm out ------------------------------------------------------------------

#: New effects of a firm that is left out, for each draw of the parameters.
EFFECTS = 20


def units(study: ShareStudy, design: Design) -> list[str]:
    """What can be left out: every firm, with all of its rows."""
    return list(study.firms if study.panel is None else study.panel.unit.labels)


def rows_of_unit(study: ShareStudy, unit: int) -> NDArray[np.intp]:
    """Positions of the rows of a unit."""
    if study.panel is None:
        return np.array([unit])
    return np.flatnonzero(study.panel.unit.codes == unit)


def printed(study: ShareStudy, design: Design) -> Array:
    """What was printed of each unit, in percent; of a firm with several rows of the first one."""
    observed = design.observed(study)
    if study.panel is None:
        return observed
    return observed[[rows_of_unit(study, unit)[0] for unit in range(len(study.panel.unit.labels))]]


def values(study: ShareStudy, designs: Mapping[str, Design]) -> Array:
    """Everything that could have been printed of a unit, in percent."""
    outcome = study.outcome
    return grid(outcome.width) if outcome.width else np.unique(outcome.printed)


def without(study: ShareStudy, design: Design, unit: int) -> dict[str, Array]:
    """What a refit is given that does not see the shares of one firm."""
    weights = design.weights(study)
    weights[rows_of_unit(study, unit)] = 0
    return {WEIGHTS: weights}


def predict(
    study: ShareStudy, design: Design, draws: Dataset, unit: int, over: Array
) -> tuple[Array, Array]:
    """Predict a firm from a fit that did not see its shares.

    ``over`` (value,): from :func:`values`. Returns ``law`` (value,): probability of everything that
    could have been printed, of a firm with several rows of the first one; ``log_probability``
    (chain, draw): of what was printed in all of its rows together. The effect of a firm that was
    left out is drawn from the population by the fit itself.
    """
    rows = rows_of_unit(study, unit)
    own = {str(n): draws[n].transpose("chain", "draw", ...).to_numpy() for n in draws}
    if study.panel is None and {"mu"} <= own.keys():
        linear = observation.linear_of(design.family, {"mu": own["mu"][..., rows]})
        parameters = {n: own[n][..., None] for n in observation.PARAMETERS[design.family]}
        if design.precision or design.never:
            parameters = _at_rows(family_parameters(design, own), rows)
        return _predicted(study, design, linear, parameters, rows, over)
    sampled = linear_predictor(design, own)[..., rows]
    parameters = _at_rows(family_parameters(design, own), rows)
    law, log = _predicted(study, design, sampled, parameters, rows, over)
    if design.grouping(FIRM) is None:
        return law, log
    # The mean over further effects of the firm leaves less to chance than the one of each draw.
    rng = np.random.default_rng([unit, 5])
    alone = sampled - own[FIRM][..., unit : unit + 1]
    logs = [
        _predicted(study, design, alone + effect[..., None], parameters, rows, over)[1]
        for effect in own[f"sigma_{FIRM}"] * rng.normal(size=(EFFECTS, *log.shape))
    ]
    return law, np.logaddexp.reduce(logs, axis=0) - np.log(EFFECTS)


def _at_rows(parameters: Mapping[str, Array], rows: NDArray[np.intp]) -> dict[str, Array]:
    return {n: v[..., rows] if v.shape[-1] > 1 else v for n, v in parameters.items()}


def _predicted(
    study: ShareStudy,
    design: Design,
    linear: Array,
    parameters: Mapping[str, Array],
    rows: NDArray[np.intp],
    over: Array,
) -> tuple[Array, Array]:
    """Law of the first of some rows, and log probability of what was printed in all of them."""
    outcome, family = study.outcome, design.family
    if design.own_ends:
        given = {LOWER: outcome.lower[rows], UPPER: outcome.upper[rows]}
        # Of all that is reported the intervals overlap: shares of what each would have.
        _, place = np.unique(outcome.printed, return_index=True)
        ends = outcome.lower[place], outcome.upper[place]
        first = {n: v[..., :1] for n, v in parameters.items()}
        laws = np.exp(observation.interval_log_probability(family, linear[..., :1], first, *ends))
        law = laws.mean(axis=(0, 1))
        law = law / law.sum()
    else:
        given = {OBSERVED: outcome.printed[rows]}
        first = {n: v[..., 0] for n, v in parameters.items()}
        width = outcome.width
        laws = observation.printed_probabilities(family, linear[..., 0], first, width)
        law = laws.mean(axis=(0, 1))
    logs = log_probability(study, design, linear, parameters, given)
    if outcome.weights is not None:
        logs = logs * outcome.weights[rows]
    return law, logs.sum(axis=-1)
