"""The posterior summed over tables against sums over every table, closed forms, and the sampler."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from arviz_stats.base import array_stats

import bruteforce
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Settings
from intlmodels.models import design_of, priors_of
from intlmodels.models.decay import exact, inferencedata, sampler, states
from intlmodels.models.decay.design import Design, parameters, repairs
from intlmodels.models.decay.inferencedata import inverse_logit
from intlmodels.studies import load_study
from tinycounts import EARLY, LATE, SOME, count, design

CASES = {
    "hard and noisy": design(*SOME, total=6),
    "of named firms": design(
        count("flagged", 3, flags=("yes",)),
        count("of two", 2, firms=("A", "B"), hard=True),
        count("of two flagged", 2, firms=("B", "C"), flags=("yes",)),
        rho=0.2,
    ),
    "an empty cell": design(
        count("flagged", 3, hard=True, flags=("yes",)),
        count("flagged by two", 3, hard=True, firms=("A", "B"), flags=("yes",)),
        count("late", 2, periods=(LATE,)),
    ),
    "bounds": design(
        count("one each", 1, "at least", firms=("A", "B"), flags=("yes",), each=True),
        count("early", 1, "at most", periods=(EARLY,)),
        count("late flagged", 3, "at least", periods=(LATE,), flags=("yes",)),
        count("some", 4, "at most", hard=True, firms=("B", "C")),
        rho=0.3,
    ),
    "contradictory": design(
        count("early", 4, periods=(EARLY,)),
        count("late", 4, periods=(LATE,)),
        count("flagged early", 5, "at least", periods=(EARLY,), flags=("yes",)),
        rho=0.2,
    ),
    "spread": design(*SOME, concentration=5.0, period_weights=(0.8, 0.2), family="power"),
    "alike": design(*SOME[:2], size_of_firm=(1, 1, 1), concentration=0.5, family="step"),
    "one size": design(*SOME, sizes=("all",), size_of_firm=(0, 0, 0), common=True),
    "owners": design(*SOME, size_of_firm=(0, 0, 1), owned_since=(1, 0, 2), total=4),
}
#: What a count may be off in all: with so few decisions, everything.
EVERYTHING = 30


def normalization(case: Design) -> float:
    """What bruteforce leaves out: of each noisy count the sum of its law."""
    noisy = sum(not c.hard and c.relation == "equal" for c in case.counts)
    return noisy * math.log((1 - case.rho) / (1 + case.rho))


@pytest.mark.parametrize("name", CASES)
def test_the_probability_of_counts_is_the_sum_over_all_tables(name):
    case = CASES[name]
    like = states.likelihood(case, states.structure(case), EVERYTHING)
    owner = 0.8 if case.owned_since else 0.0
    like = replace(like, owner=(np.array([owner]), np.ones(1)), owned_size=0)
    for level, decay, sigma in (([0.5, -1.0], [0.3, -0.2], 0.7), ([-2.0, 1.5], [1.0, 0.4], 1.9)):
        points = [np.array([[level[g], decay[g], sigma]]) for g in range(len(case.sizes))]
        weights = [like.of_size(g, point) for g, point in enumerate(points)]
        found = float(like.pairs(weights).squeeze())
        wanted = bruteforce.probability(case, level, decay, sigma, owner)
        assert found == pytest.approx(wanted * math.exp(normalization(case)), rel=1e-6)


@pytest.mark.parametrize("name", ["hard and noisy", "contradictory", "one size", "owners"])
def test_the_posterior_is_that_of_weighted_draws_of_the_prior(name):
    case = CASES[name]
    found = exact.posterior(case, parameters(case), further=EVERYTHING)
    wanted = bruteforce.exact(case, draws=8_000)
    for parameter, mean in found.mean.items():
        if parameter in wanted.mean:
            off = (mean - wanted.mean[parameter]) / wanted.error[parameter]
            assert np.abs(off).max() < 4.5, (parameter, off)
    assert found.sd["decay"] == pytest.approx(wanted.sd["decay"], rel=0.1)
    off = math.exp(found.log_evidence - normalization(case)) - wanted.evidence
    assert abs(off) < 4.5 * wanted.evidence_error


def test_counts_that_say_nothing_leave_the_prior():
    case = design(total=4)
    found = exact.posterior(case, parameters(case))
    assert found.log_evidence == pytest.approx(0, abs=1e-3)
    assert found.above_zero["decay"] == pytest.approx(0.5, abs=1e-4)
    assert found.above_zero["decay_difference"] == pytest.approx(0.5, abs=1e-4)
    assert found.mean["sigma_firm"] == pytest.approx(math.sqrt(2 / math.pi), rel=1e-3)
    assert found.mean["sigma_decay"] == pytest.approx(0.5 * math.sqrt(2 / math.pi), rel=1e-3)
    assert found.sd["decay"] == pytest.approx(math.sqrt(0.5), rel=2e-3)
    rng = np.random.default_rng(5)
    level = rng.normal(0, 1.5, 200_000)
    decay = rng.normal(0, 0.5, 200_000) + np.abs(rng.normal(0, 0.5, 200_000)) * rng.normal(
        size=200_000
    )
    drawn = 100 * inverse_logit(level - 3 * decay)
    error = drawn.std() / math.sqrt(200_000)
    assert abs(found.mean["curve"][1, 3] - drawn.mean()) < 4 * error


def test_the_default_of_norway_has_few_states_near_the_printed_counts():
    study = load_study("norway")
    system = states.structure(design_of(study))
    assert [(b.size, [kind.firms for kind in b.kinds]) for b in system.blocks] == [
        (0, [3]),
        (1, [4, 5]),
    ]
    found, off = states.allowed(system, study.total, 1)
    # Two counts of the last period contradict three others.
    assert off.min() == 2
    true = found[off == 2] @ system.member.T
    changed = {
        tuple(name for name, a, b in zip(system.counts, row, system.printed, strict=True) if a != b)
        for row in true
    }
    cheapest = repairs(study.counts, study.firms, study.periods)
    assert {tuple(sorted(r)) for r in cheapest} <= {tuple(sorted(c)) for c in changed}


def test_what_cannot_be_summed_is_refused():
    case = CASES["one size"]
    with pytest.raises(StudyError, match="effects of periods"):
        exact.posterior(replace(case, by_period=True), parameters(case))
    with pytest.raises(StudyError, match="missed are a sum without an end"):
        exact.posterior(replace(case, interviews=(1, 1, 1)), parameters(case))
    owned = replace(CASES["owners"], owned_since=(0, 2, 0))
    with pytest.raises(StudyError, match="owner of firms of several sizes"):
        exact.posterior(owned, parameters(owned))
    impossible = design(count("none", 0, hard=True), total=4)
    with pytest.raises(StudyError, match="declared hard contradict each other"):
        exact.posterior(impossible, parameters(impossible))
    open_ = design(*[count(f"c{i}", 100, periods=(EARLY,)) for i in range(3)], total=400, rho=0.9)
    with pytest.raises(StudyError, match="leave too much open"):
        exact.posterior(open_, parameters(open_))


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["default", "power", "step"])
def test_norway_as_sampled_is_norway_as_summed(variant):
    study = load_study("norway")
    case, priors = design_of(study, variant), priors_of(study, variant, {})
    # Of variants less is summed over, for the sake of time: what is left out is below the error.
    found = exact.posterior(case, priors, further=None if variant == "default" else 2)
    settings = Settings(draws=4000, tune=1000, chains=4, seed=3)
    drawn = inferencedata.posterior(case, sampler.sample(case, priors, settings))
    decay = drawn["decay"].transpose("chain", "draw", "size").to_numpy()
    known = {name: drawn[name].to_numpy() for name in found.mean if name in drawn}
    pairs = [(known[name], found.mean[name]) for name in known]
    pairs.append(((decay > 0).astype(float), found.above_zero["decay"]))
    if not case.common:
        larger = (decay[..., 0] > decay[..., 1]).astype(float)
        pairs.append((larger, found.above_zero["decay_difference"]))
    for values, wanted in pairs:
        flat = values.reshape(*values.shape[:2], -1)
        for i, mean in enumerate(np.ravel(wanted)):
            error = array_stats.mcse(flat[..., i], method="mean", chain_axis=0, draw_axis=1)
            assert abs(flat[..., i].mean() - mean) < 4 * error + 5e-4
