"""Simulation-based calibration of the whole path: simulate, publish, fit, rank.

The rank of a true value is the number of posterior draws, of L, below it, ties split at random. If
everything is right, the ranks of many simulations are uniform (Talts et al. 2018,
arXiv:1804.06788). A model with a deliberate error must fail the same check.

The test and the band are those of Säilynoja, Bürkner and Vehtari (2022), Statistics and Computing
32:32: the statistic is the smallest two-sided binomial probability of the empirical distribution
function at each rank. Its law is computed, not simulated: given their sum, independent Poisson
numbers are multinomial, and the probability that their running sum leaves a band is a chain of
convolutions (Moscovich and Nadler 2017, Statistics & Probability Letters 123).
"""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intlmodels.audit import require_consistent_counts
from intlmodels.checks.runner import (
    Check,
    ExecutionOptions,
    Journal,
    Plan,
    cached_fitter,
    convergence_of,
    require_known,
    simulator,
)
from intlmodels.checks.sensitivity import results_of
from intlmodels.checks.stored import (
    FOLDER,
    PROBS,
    Calibrated,
    Calibration,
    Detection,
    Difference,
    path_of,
    read_checks,
    write,
)
from intlmodels.core import files
from intlmodels.core.errors import StudyError, did_you_mean
from intlmodels.core.settings import Given, Progress, Settings
from intlmodels.models import DEFAULT, design_of, find_variant, model_of, priors_of
from intlmodels.models.priors import Prior
from intlmodels.register.counts import require_firms
from intlmodels.results.intervals import Conclusion
from intlmodels.studies import Study

if TYPE_CHECKING:
    from xarray import Dataset


Array = NDArray[np.float64]
Counts = NDArray[np.int64]

#: Thinned draws among which a true value has its rank, 0 to LEVELS; they hardly depend then.
LEVELS = 100
#: Level of the verdict, for all quantities and all looks together.
FAMILYWISE = 0.01
#: R-hat above which a fit counts as not converged: that of few draws scatters more.
LIMIT = 1.05
#: Numbers of simulations after which it is looked whether a deliberate error was noticed.
LOOKS = (25, 50, 100, 200, 400)
#: Reported levels, differences and ranks that are ranked, at most: more leave the others no power.
MOST_REPORTED = 100
#: More would take years.
MOST_SIMS = 10**6


def run_calibration(
    study: Study,
    out: Path,
    options: ExecutionOptions,
    *,
    sims: int,
    variant: str = DEFAULT,
    misspecified: Sequence[str] = (),
    overrides: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[Calibration, tuple[Detection, ...]]:
    """Calibrate a study, and see whether deliberate errors (names, or ``all``) are noticed."""
    require_firms(study, "calibration")
    require_consistent_counts(study)
    variant = find_variant(study, variant).name
    given = dict(overrides or {})
    priors = priors_of(study, variant, given)
    if not 1 <= sims <= MOST_SIMS:
        raise StudyError(f"sims must be a whole number from 1 to {MOST_SIMS}", value=str(sims))
    used = settings_for(study, require_known(settings))
    plan = plan_of(study, variant, priors, used)
    known = simulator(study.model).wrong_models(design_of(study))
    if variant != DEFAULT:
        # Those of the default are looked for in the default.
        of_variant = simulator(study.model).wrong_models(design_of(study, variant))
        known = {name: said for name, said in of_variant.items() if name not in known}
    names = list(known) if list(misspecified) == ["all"] else list(misspecified)
    errors = [plan_of(study, variant, priors, used, name) for name in names]
    if variant != DEFAULT and misspecified and not (names and set(names) <= set(known)):
        raise StudyError(
            "deliberate errors are errors of the default model; leave out --variant or --wrong"
            + (f"; of this variant there is {', '.join(known)}" if known else ""),
            value=variant,
        )
    detected = []
    with options.pool([journal_of(each, out) for each in (plan, *errors)]) as pool:
        check = calibration(plan, sims, out)
        with options.bar(check.title) as progress:
            results = check.results(pool, progress, options.tell)
        found = check.summarize(results)
        if variant == DEFAULT:
            write(check.kind, found, study, given, out)
        own = "" if variant == DEFAULT else f"-{variant}"
        ranks = path_of(out, "calibration").with_name(f"ranks{own}.csv")
        files.write_text(ranks_text(results), ranks)
        for each in errors:
            with options.bar(f"deliberate error {each.misspecified}") as progress:
                detected.append(detect(each, sims, out, pool, progress, options.tell))
        if detected and variant == DEFAULT:
            # What is known of other errors stays.
            before = read_checks(study, out, given).wrong.value or ()
            every = {item.name: item for item in (*before, *detected)}
            write("wrong", tuple(every[name] for name in known if name in every), study, given, out)
    return found, tuple(detected)


def settings_for(study: Study, given: Mapping[str, Any]) -> Settings:
    """Settings of each fit: short, since there are many; what is given wins."""
    wanted = {"draws": 500, "tune": 500, "chains": 2, "sweeps": 5}
    own = {n: v for n, v in study.settings.items() if n in ("target_accept", "seed")}
    return Settings(**{**wanted, **own, **given, "cores": 1, "sampler": "nutpie"})


def plan_of(
    study: Study, variant: str, priors: dict[str, Prior], settings: Settings, misspecified: str = ""
) -> Plan:
    """What to simulate and to fit, if the variant can be simulated and the error is known."""
    design = design_of(study, variant)
    why = simulator(study.model).why_not(design)
    if why:
        raise StudyError(f"variant {variant} cannot be calibrated: {why}", value=variant)
    known = simulator(study.model).wrong_models(design)
    if misspecified and misspecified not in known:
        raise StudyError(
            f"no deliberate error is called '{misspecified}'{did_you_mean(misspecified, known)}; "
            f"they are {', '.join(known)}",
            value=misspecified,
        )
    if settings.draws * settings.chains < LEVELS:
        raise StudyError(
            f"calibration ranks among {LEVELS} draws; ask for as many with --draws",
            value=str(settings.draws * settings.chains),
        )
    return Plan(study, variant, priors, settings, misspecified)


def journal_of(plan: Plan, out: Path) -> Journal:
    """Where the results of a plan are kept as they come."""
    own = "" if plan.variant == DEFAULT else f"-{plan.variant}"
    own += f"-{plan.misspecified}" if plan.misspecified else ""
    return Journal(out / FOLDER / f"calibration{own}.sqlite", plan.identity)


def calibration(plan: Plan, sims: int, out: Path) -> Check[Calibration]:
    """Simulate and fit so often; the first simulations of many are those of a few."""
    return Check(
        kind="calibration",
        title=f"{sims} simulated fits",
        tasks={str(number): (plan, number) for number in range(sims)},
        worker=simulate,
        summarize=partial(summarize, plan),
        journal=journal_of(plan, out),
    )


def detect(
    plan: Plan,
    most: int,
    out: Path,
    pool: Executor,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Detection:
    """Simulate from the model, fit with a deliberate error, until the ranks give it away."""
    errors = simulator(plan.study.model).wrong_models(design_of(plan.study, plan.variant))
    change = errors[plan.misspecified]
    looks = (*(n for n in LOOKS if n < most), most)
    for done, look in enumerate(looks):
        check = calibration(plan, look, out)
        found = check.run(pool, progress, tell)
        if not found.quantities:
            continue
        raw = p_values_of(found)
        adjusted = holm(raw)
        after = look if deviates(adjusted, len(looks)) else None
        if after or done == len(looks) - 1:
            worst = int(raw.argmin())  # adjusted ones may tie at 1
            name = found.quantities[worst].name
            return Detection(plan.misspecified, change, looks, after, name, float(adjusted[worst]))
    return Detection(plan.misspecified, change, looks, None, "", 1.0)


# -- what a worker does ------------------------------------------------------------------


def simulate(task: tuple[Plan, int]) -> dict[str, Any]:
    """Simulate the study of this number, fit it, and rank true values, or say why it ``failed``."""
    plan, number = task
    study, module = plan.study, simulator(plan.study.model)
    design = design_of(study, plan.variant)
    rng = np.random.default_rng([plan.settings.seed, number])
    truth, given = module.simulate(study, design, plan.priors, rng)
    fitted = fit_simulated(plan, number, given)
    if isinstance(fitted, str):
        return {"failed": fitted}
    posterior, stats = fitted
    draws = {str(n): posterior[n].transpose("chain", "draw", ...).to_numpy() for n in posterior}
    found = module.quantities(study, design, draws, given)
    true = module.quantities(study, design, truth, given)
    differences = {}
    if not plan.misspecified:
        pairs = reported(study, plan.variant, posterior, truth)
        found |= {item.name: item.draws for item, _ in pairs[:MOST_REPORTED]}
        true |= {item.name: np.array(value) for item, value in pairs[:MOST_REPORTED]}
        differences = recorded(pairs)
    names = [name for name in true if name in found]
    stacked = np.stack([found[name].astype(float) for name in names], axis=-1)
    return {
        **convergence_of(stacked, stats),
        "quantities": {
            name: _ranked(stacked[..., i].ravel(), float(true[name]), rng)
            for i, name in enumerate(names)
        },
        "differences": differences,
    }


def fit_simulated(plan: Plan, number: int, given: Given) -> tuple[Dataset, Dataset] | str:
    """Posterior and statistics of the sampler, or why there is no fit."""
    try:
        found: tuple[Dataset, Dataset] = cached_fitter(plan).draw(plan.settings_of(number), given)
    except StudyError:
        raise
    except (RuntimeError, ValueError, ArithmeticError) as error:
        # The sampler found no place to start, or left the real numbers: kept and counted.
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return found


def reported(
    study: Study, variant: str, posterior: Dataset, truth: Mapping[str, Array]
) -> list[tuple[Conclusion, float]]:
    """Levels, their ranks and differences as a report has them, each with its true value."""
    import xarray as xr

    results, model, design = results_of(study.model), model_of(study), design_of(study, variant)
    shape = posterior.sizes["chain"], posterior.sizes["draw"]
    values = {}
    # What is reported of a table of decisions are its counts, whose ranks are looked at anyway.
    for name in posterior.data_vars.keys() & truth.keys() - {"table"}:
        own = posterior[name].transpose("chain", "draw", ...)
        true = np.asarray(truth[str(name)], float)
        draws = own.to_numpy().reshape(1, -1, *true.shape)
        values[name] = (own.dims, np.concatenate([true[None, None], draws], axis=1))
    coords = {n: v for n, v in posterior.coords.items() if not {"chain", "draw"} & set(v.dims)}
    coords |= {"chain": [0], "draw": np.arange(1 + np.prod(shape))}
    groups = {
        "posterior": xr.Dataset(values, coords),
        "constant_data": model.constant_data(study, design),
    }
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = {"family": design.family, "variant": variant, "model": study.model}
    tree["estimands"] = xr.DataTree(model.estimate(tree))
    return [
        (replace(item, draws=item.draws[0, 1:].reshape(shape)), float(item.draws[0, 0]))
        for item in (*results.conclusions(tree), *results.level_ranks(tree))
    ]


def recorded(pairs: Sequence[tuple[Conclusion, float]]) -> dict[str, list[Any]]:
    """Unit, true value and probability of being above zero, of each difference."""
    return {
        item.name: [item.unit, float(f"{truth:.4g}"), float((item.draws > 0).mean())]
        for item, truth in pairs
        if item.direction
    }


def _ranked(draws: Array, truth: float, rng: np.random.Generator) -> list[float]:
    """Rank among thinned draws, position among all, truth, mean, sd, width of the 95% interval."""
    thinned = draws[(np.arange(LEVELS) * len(draws)) // LEVELS]
    tie = rng.random()
    rank = (thinned < truth).sum() + int(tie * ((thinned == truth).sum() + 1))
    place = (draws < truth).mean() + tie * (draws == truth).mean()
    low, high = np.quantile(draws, [0.025, 0.975])
    values = (place, truth, draws.mean(), draws.std(ddof=1), high - low)
    return [int(rank), *(float(f"{value:.6g}") for value in values)]


# -- what simulations say together -------------------------------------------------------


def summarize(plan: Plan, results: list[dict[str, Any]]) -> Calibration:
    """What the simulations of a plan say, in their order."""
    fits = [result for result in results if "failed" not in result]
    names = list(fits[0]["quantities"]) if fits else []
    return Calibration(
        variant=plan.variant,
        wrong=plan.misspecified,
        sims=len(results),
        failed=tuple((i, r["failed"]) for i, r in enumerate(results) if "failed" in r),
        divergent=sum(fit["divergences"] > 0 for fit in fits),
        # Also where R-hat is not a number.
        unconverged=sum(not fit["rhat"] <= LIMIT for fit in fits),
        limit=LIMIT,
        settings=plan.identity["settings"],
        quantities=tuple(
            _quantity(name, np.array([fit["quantities"][name] for fit in fits])) for name in names
        ),
        differences=differences_of(fits),
    )


def differences_of(fits: Sequence[Mapping[str, Any]]) -> tuple[Difference, ...]:
    """Every reported difference over the simulations that were fitted."""
    found = []
    for name, (unit, *_) in (fits[0]["differences"] if fits else {}).items():
        each = [fit["differences"][name][1:] for fit in fits]
        found.append(Difference(name, unit, *map(tuple, zip(*each, strict=True))))
    return tuple(found)


def _quantity(name: str, rows: np.ndarray) -> Calibrated:
    rank, place, truth, mean, sd, width = rows.T
    off = mean - truth
    error = off.std(ddof=1) / np.sqrt(len(off)) if len(off) > 1 else float("nan")
    inside = [int(((place >= (1 - p) / 2) & (place <= (1 + p) / 2)).sum()) for p in PROBS]
    return Calibrated(
        name=name,
        ranks=tuple(np.bincount(rank.astype(int), minlength=LEVELS + 1).tolist()),
        covered=tuple(inside),
        bias=float(off.mean()),
        bias_error=float(error),
        error=float(np.sqrt((off**2).mean())),
        spread=float(sd.mean()),
        width=float(width.mean()),
        prior_spread=float(truth.std(ddof=1)) if len(off) > 1 else float("nan"),
    )


def ranks_text(results: list[dict[str, Any]]) -> str:
    """Ranks of all simulations as CSV: number, failure, divergences, R-hat, ESS, one a quantity."""
    names = next((list(r["quantities"]) for r in results if "failed" not in r), [])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["simulation", "failed", "divergences", "rhat", "ess", *names])
    for number, result in enumerate(results):
        if "failed" in result:
            writer.writerow([number, result["failed"], *[""] * (3 + len(names))])
            continue
        row = [result[key] for key in ("divergences", "rhat", "ess")]
        writer.writerow([number, "", *row, *(result["quantities"][name][0] for name in names)])
    return text.getvalue()


# -- whether ranks are uniform -----------------------------------------------------------


def p_values_of(found: Calibration) -> Array:
    """P-values of uniform ranks, one for each quantity."""
    return p_values(np.array([quantity.ranks for quantity in found.quantities]))


def uniform(found: Calibration) -> bool:
    """Whether no quantity's ranks give away that something is wrong; False without any fit."""
    return bool(found.quantities) and not deviates(holm(p_values_of(found)))


def deviates(adjusted: ArrayLike, looks: int = 1, level: float = FAMILYWISE) -> bool:
    """Whether some quantity's ranks are not uniform at any look, by :func:`holm`'s p-values."""
    return bool(np.min(np.asarray(adjusted), initial=1.0) < level / looks)


def ecdf_difference(counts: ArrayLike) -> Array:
    """ECDF of ranks, counts (..., L+1), minus the uniform one; NaN without simulations."""
    found = _checked(counts)
    running = found.cumsum(axis=-1)
    total = running[..., -1:]
    share = np.where(total > 0, running / np.maximum(total, 1), np.nan)
    return share - np.arange(1, found.shape[-1] + 1) / found.shape[-1]


def band(simulations: int, draws: int, prob: float) -> tuple[Array, Array]:
    """Simultaneous band for the ECDF difference of uniform ranks: low and high, (L+1,) each.

    The curve leaves it exactly when :func:`p_values` gives 1 - ``prob`` or less.
    """
    _check_size("simulations", simulations)
    _check_size("posterior draws", draws)
    _check_prob(prob)
    tails = _uniform(simulations, draws).tails
    attained = np.unique(tails)
    place = bisect_right(
        attained, 1 - prob, key=lambda tail: _probability_outside(simulations, draws, float(tail))
    )
    low, high = _ends(tails, float(attained[place - 1]) if place else 0.0)
    expected = np.arange(1, draws + 2) / (draws + 1)
    return (
        np.append(low / simulations, 1.0) - expected,
        np.append(high / simulations, 1.0) - expected,
    )


def p_values(counts: ArrayLike) -> Array:
    """Probability that uniform ranks would look at least as uneven as these, (quantity,).

    ``counts``, (L+1,) or (quantity, L+1), are simulations by rank; without any the p-value is 1.
    """
    found = np.atleast_2d(_checked(counts))
    values = np.ones(len(found))
    draws = found.shape[1] - 1
    for place, row in enumerate(found):
        if simulations := int(row.sum()):
            tails = _uniform(simulations, draws).tails
            smallest = tails[np.arange(draws), row.cumsum()[:-1]].min()
            values[place] = _probability_outside(simulations, draws, float(smallest))
    return values


def holm(p: ArrayLike) -> Array:
    """Adjusted p-values of Holm (1979), Scandinavian Journal of Statistics 6(2)."""
    found = np.asarray(p, dtype=np.float64)
    order = np.argsort(found, kind="stable")
    raised = found[order] * np.arange(len(found), 0, -1)
    adjusted = np.empty_like(found)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return adjusted


def coverage_band(simulations: int, prob: float, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial limits, as shares, of how often intervals cover the truth."""
    from scipy.stats import binom

    _check_size("simulations", simulations)
    _check_prob(level)
    if not 0 <= prob <= 1:
        raise ValueError(f"probability {prob}; expected one from 0 to 1")
    number = np.arange(simulations + 1)
    below = binom.cdf(number, simulations, prob)
    above = binom.sf(number - 1, simulations, prob)
    (low,), (high,) = _ends(2 * np.minimum(below, above)[None], 1 - level)
    return float(low / simulations), float(high / simulations)


class _Uniform(NamedTuple):
    """What uniform ranks do, at ranks 0 to L-1 (rows) and running counts 0 to N (columns)."""

    tails: Array  # Two-sided binomial probability
    rest: Array  # Density that other ranks bring the count to N, over that of reaching N at all
    step: Array  # Poisson law of the count of one rank


@lru_cache(maxsize=16)
def _uniform(simulations: int, draws: int) -> _Uniform:
    from scipy.stats import binom, poisson

    number = np.arange(simulations + 1)
    ranks = np.arange(1, draws + 1)[:, None]
    below = binom.cdf(number, simulations, ranks / (draws + 1))
    # The upper tail is the lower tail seen from the other end. Taken from the same numbers, ranks
    # and reversed ranks give the same p-value, to the last bit.
    tails = np.minimum(2 * np.minimum(below, below[::-1, ::-1]), 1.0)
    mean = simulations / (draws + 1)
    rest = poisson.pmf(simulations - number, mean * (draws + 1 - ranks))
    rest /= poisson.pmf(simulations, simulations)
    step = poisson.pmf(number, mean)
    law = _Uniform(tails, rest, step[: np.flatnonzero(step)[-1] + 1])
    for array in law:
        array.setflags(write=False)
    return law


def _ends(tails: Array, limit: float) -> tuple[Counts, Counts]:
    """First and last count of each row with a tail above a limit, shape (row,) each."""
    inside = tails > limit
    return inside.argmax(axis=-1), inside.shape[-1] - 1 - inside[:, ::-1].argmax(axis=-1)


def _probability_outside(simulations: int, draws: int, tail: float) -> float:
    """Probability that the smallest two-sided probability of uniform ranks is at most ``tail``."""
    # The sum over ranks of the probability that the running count is outside for the first time,
    # and ends at N nevertheless: all terms are positive, so that small sums lose no digits.
    law = _uniform(simulations, draws)
    if (law.tails.max(axis=1) <= tail).any():
        return 1.0
    low, high = _ends(law.tails, tail)
    inside, first, outside = np.ones(1), 0, 0.0
    for rank in range(draws):
        spread = np.convolve(inside, law.step)[: simulations + 1 - first]
        ending = spread * law.rest[rank, first : first + len(spread)]
        within = slice(low[rank] - first, high[rank] + 1 - first)
        outside += float(ending[: within.start].sum() + ending[within.stop :].sum())
        inside, first = spread[within], int(low[rank])
    return min(outside, 1.0)


def _checked(counts: ArrayLike) -> Counts:
    found = np.asarray(counts)
    if found.dtype.kind not in "iu" or found.ndim < 1 or found.shape[-1] < 2 or (found < 0).any():
        raise ValueError("counts of ranks: expected integers from 0, and at least two ranks")
    return found.astype(np.int64)


def _check_size(what: str, number: int) -> None:
    if number < 1:
        raise ValueError(f"{number} {what}; expected at least 1")


def _check_prob(prob: float) -> None:
    if not 0 < prob < 1:
        raise ValueError(f"probability {prob}; expected one above 0 and below 1")
