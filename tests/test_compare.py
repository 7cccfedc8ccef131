"""Exact leave-one-out: against sums over the prior, and what is compared with what."""

import numpy as np
import pytest

from decaystudies import COUNTS, write_counts_study, write_decisions_study
from intlmodels.checks import comparison as c
from intlmodels.checks import runner
from intlmodels.checks.stored import read_checks, write
from intlmodels.core.errors import StudyError
from intlmodels.models import catalogue, design_of, priors_of
from intlmodels.models.decay import inferencedata
from intlmodels.models.decay import simulator as decay
from intlmodels.models.pymc import OBSERVED
from intlmodels.models.share import observation
from intlmodels.models.share import simulator as share
from intlmodels.studies import load_study
from intlmodels.studies.counts import rows
from priordraws import Here
from studies import write_study

NORWAY = load_study("norway")


def plans(study, **settings):
    given = {"draws": 100, "tune": 100, "chains": 2, **settings}
    return c.plans_of(study, list(catalogue(study)), {}, c.settings_for(study, given))


def test_only_variants_of_the_same_printed_outcomes_are_compared(tmp_path):
    study = load_study(write_study(tmp_path / "study"))
    found, skipped = plans(study)
    assert "density" in skipped
    assert set(found) | set(skipped) == set(catalogue(study))
    assert next(iter(found)) == "default"
    found, skipped = plans(NORWAY)
    assert {"text", "repair-1"} <= set(skipped)
    assert {"default", "power", "rho-0.2"} <= set(found)


def test_too_few_units_are_told(tmp_path):
    counts = [{"id": "all", "value": 6, "status": "hard"}, *COUNTS[1:3]]
    study = load_study(write_counts_study(tmp_path / "study", counts=counts))
    with pytest.raises(StudyError, match="only 2 can be left out"):
        plans(study)


def test_a_comparison_comes_back_from_disk(tmp_path):
    study = load_study(write_counts_study(tmp_path / "study"))
    out = tmp_path / "out"
    chosen, skipped = plans(study, draws=50, tune=20)
    few = {name: chosen[name] for name in ("default", "power")}
    found = c.comparison(few, {**skipped, **dict.fromkeys(set(chosen) - set(few), "why")}, out).run(
        Here()
    )
    assert found.unit == "count"
    units = [left.unit for left in found.variants["default"]]
    assert units == decay.units(study, design_of(study))
    assert all(sum(left.law) == pytest.approx(1, abs=1e-4) for left in found.variants["power"])
    write("comparison", found, study, {}, out)
    read = read_checks(study, out, {}).comparison
    assert read.reasons == ()
    assert read.value.variants["power"][1].lpd == pytest.approx(
        found.variants["power"][1].lpd, rel=1e-6
    )
    assert read_checks(study, out, {"large": "Normal(0, 2)"}).comparison.value is None


@pytest.mark.slow
def test_a_left_out_share_is_predicted_as_by_weighting_the_prior(tmp_path):
    """log p(y_i | others): refits, and importance sampling from the prior that shares no code."""
    # Of a covariate with a missing value the known ones would be simulated as well.
    full = [("Cedar,0,,Toys", "Cedar,0,4,Toys")]
    study = load_study(write_study(tmp_path / "study", edit_firms=full))
    design, priors = design_of(study), priors_of(study)
    rng = np.random.default_rng(7)
    number, firms = 60_000, len(study.firms)
    logs = np.empty((number, firms))
    for i in range(number):
        truth, _ = share.simulate(study, design, priors, rng)
        mu = truth["mu"]
        with np.errstate(divide="ignore"):
            linear = np.log(mu) - np.log1p(-mu)
        logs[i] = observation.printed_log_probability(
            design.family, linear, {"phi": truth["phi"]}, 5.0, study.outcome.printed
        )
    plan = runner.Plan(study, "default", priors, c.settings_for(study, {"draws": 1500}))
    over = tuple(share.values(study, {}))
    for unit in (0, 2, 7):
        others = np.delete(logs, unit, axis=1).sum(axis=1)
        weights = np.exp(others - others.max())
        weights /= weights.sum()
        expected = np.log((weights * np.exp(logs[:, unit])).sum())
        terms = weights * (np.exp(logs[:, unit]) / np.exp(expected) - 1)
        error = np.sqrt((terms**2).sum())
        found = c.leave_out(c.LeaveOut(plan, unit, over))
        assert found["rhat"] < 1.02
        assert abs(found["lpd"] - expected) < 5 * np.hypot(error, found["lpd_error"])


@pytest.mark.slow
def test_a_left_out_count_is_predicted_as_by_weighting_the_prior(tmp_path):
    study = load_study(write_counts_study(tmp_path / "study", rho=0.3))
    design, priors = design_of(study), priors_of(study)
    rng = np.random.default_rng(9)
    _, tables = inferencedata.prior_values(design, priors, 400_000, rng)
    system = rows(design.counts, design.firms, design.periods)
    off = system.deviation(system.true(tables))
    log = np.where(system.hard, np.where(off == 0, 0.0, -np.inf), off * np.log(design.rho))
    plan = runner.Plan(study, "default", priors, c.settings_for(study, {"draws": 2000}))
    over = tuple(decay.values(study, {"default": design}))
    scale = np.log((1 - design.rho) / (1 + design.rho))
    for unit, name in enumerate(decay.units(study, design)):
        own = [i for i, count in enumerate(system.count) if design.counts[count].id == name]
        weights = np.exp(np.delete(log, own, axis=1).sum(axis=1))
        weights /= weights.sum()
        value = np.exp(log[:, own].sum(axis=1) + (0.0 if system.hard[own[0]] else scale))
        expected = (weights * value).sum()
        error = np.sqrt((weights**2 * (value - expected) ** 2).sum()) / expected
        found = c.leave_out(c.LeaveOut(plan, unit, over))
        assert abs(found["lpd"] - np.log(expected)) < 5 * np.hypot(error, found["lpd_error"]), name


@pytest.mark.slow
def test_a_left_out_firm_of_known_decisions_is_predicted_as_by_weighting_the_prior(tmp_path):
    study = load_study(write_decisions_study(tmp_path / "study"))
    design, priors = design_of(study), priors_of(study)
    rng = np.random.default_rng(3)
    drawn = inferencedata.prior_values(design, priors, 200_000, rng)[0]
    flags = design.decisions.flag.astype(float)
    log = decay._log_flags(design, drawn, flags)
    plan = runner.Plan(study, "default", priors, c.settings_for(study, {"draws": 2000}))
    over = tuple(decay.values(study, {"default": design}))
    assert OBSERVED not in decay.without(study, design, 0)
    for unit, firm in enumerate(decay.units(study, design)):
        own = np.array(design.decisions.firm) == firm
        weights = np.exp(log[:, ~own].sum(axis=1))
        weights /= weights.sum()
        value = np.exp(log[:, own].sum(axis=1))
        expected = (weights * value).sum()
        error = np.sqrt((weights**2 * (value - expected) ** 2).sum()) / expected
        found = c.leave_out(c.LeaveOut(plan, unit, over))
        assert abs(found["lpd"] - np.log(expected)) < 5 * np.hypot(error, found["lpd_error"]), firm
