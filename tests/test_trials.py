"""What calibration and leave-one-out ask of the models, against PyMC, brute force and by hand."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
from pytensor.compile.mode import Mode
from scipy import stats

from decaystudies import write_counts_study, write_decisions_study
from intlmodels.checks import runner
from intlmodels.core.rounding import grid
from intlmodels.core.settings import Settings
from intlmodels.models import catalogue, design_of, priors_of
from intlmodels.models.decay import inferencedata
from intlmodels.models.decay import simulator as decay
from intlmodels.models.pymc import OBSERVED, WEIGHTS
from intlmodels.models.share import observation
from intlmodels.models.share import simulator as share
from intlmodels.models.share.design import covariate_data
from intlmodels.models.share.model import build
from intlmodels.studies import load_study
from intlmodels.studies.counts import rows
from studies import write_study

ROCHESTER = load_study("rochester")
NORWAY = load_study("norway")


# -- shares ------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["default", "hurdle", "two-axes", "revenue", "second-product"])
def test_simulated_shares_are_those_of_the_pymc_model(variant):
    """Two programs of the same story: numpy forward, and PyMC's own random variables."""
    design, priors = design_of(ROCHESTER, variant), priors_of(ROCHESTER, variant)
    number = 1500
    rng = np.random.default_rng(3)
    ours: dict[str, list[np.ndarray]] = {}
    for _ in range(number):
        truth, given = share.simulate(ROCHESTER, design, priors, rng)
        for name, value in {**truth, **given}.items():
            ours.setdefault(name, []).append(value)
    model = build(ROCHESTER, variant, priors)
    # Covariates that have missing values are simulated by us and taken as known by PyMC.
    told = [name for name in truth if name in model.named_vars and "revenue" not in name]
    told = [name for name in told if variant != "revenue" or name not in ("mu",)]
    theirs = pm.draw(
        [model[name] for name in told],
        draws=number,
        random_seed=5,
        mode=Mode(linker="py", optimizer=None),
    )
    assert "phi" in told
    for name, values in zip(told, theirs, strict=True):
        # mean and spread of each scalar, five Monte Carlo errors
        a, b = np.array(ours[name]).reshape(number, -1), np.asarray(values).reshape(number, -1)
        for power in (1, 2):
            x, y = a**power, b**power
            error = np.sqrt((x.var(axis=0) + y.var(axis=0)) / number)
            assert (np.abs(x.mean(axis=0) - y.mean(axis=0)) <= 5 * error + 1e-12).all(), name


def test_a_simulated_covariate_replaces_the_known_values_and_the_missing_ones():
    design, priors = design_of(ROCHESTER, "revenue"), priors_of(ROCHESTER, "revenue")
    truth, given = share.simulate(ROCHESTER, design, priors, np.random.default_rng(1))
    block = design.block("revenue")
    filled = np.empty(len(ROCHESTER.firms))
    filled[block.missing] = truth["revenue_missing"]
    filled[np.setdiff1d(np.arange(len(filled)), block.missing)] = given[covariate_data("revenue")]
    others = truth["intercept"] + sum(
        b.weights @ np.atleast_1d(truth[b.name]) for b in design.blocks if b.name != "revenue"
    )
    linear = others + truth["revenue"] * filled
    assert truth["mu"] == pytest.approx(observation.inverse_logit(linear))


@pytest.mark.parametrize("family", ["beta", "logit-normal", "hurdle", "heaped"])
def test_log_probability_of_a_printed_share_is_that_of_the_whole_law(family):
    rng = np.random.default_rng(2)
    linear = rng.normal(-1, 1.5, 40)
    parameters = {
        "phi": rng.lognormal(2, 1, 40),
        "sigma": rng.lognormal(0, 0.5, 40),
        "never": rng.beta(1, 9, 40),
        "heaping": rng.beta(1, 1, 40),
    }
    law = observation.printed_probabilities(family, linear, parameters, 5)
    for place, printed in enumerate(grid(5)):
        logs = observation.printed_log_probability(family, linear, parameters, 5, printed)
        assert np.exp(logs) == pytest.approx(law[:, place], rel=1e-9, abs=1e-300)


def test_a_density_cannot_be_simulated():
    assert share.why_not(design_of(ROCHESTER, "density"))
    assert not share.why_not(design_of(ROCHESTER))


def test_quantities_of_truth_and_draws_have_the_same_names(tmp_path):
    study = load_study(write_study(tmp_path / "study"))
    for variant in catalogue(study):
        design, priors = design_of(study, variant), priors_of(study, variant)
        if share.why_not(design):
            continue
        truth, given = share.simulate(study, design, priors, np.random.default_rng(1))
        once = share.quantities(study, design, truth, given)
        draws = {name: np.broadcast_to(v, (2, 3, *v.shape)) for name, v in truth.items()}
        many = share.quantities(study, design, draws, given)
        assert list(once) == list(many)
        for name, value in once.items():
            assert value.shape == ()
            assert many[name].shape == (2, 3)
            assert many[name] == pytest.approx(float(value))
        assert set(priors) <= set(once), variant


def test_a_firm_is_left_out_by_its_weight_alone():
    given = share.without(ROCHESTER, design_of(ROCHESTER), 3)
    assert list(given) == [WEIGHTS]
    assert given[WEIGHTS].sum() == len(ROCHESTER.firms) - 1
    assert given[WEIGHTS][3] == 0


# -- counts ------------------------------------------------------------------------------


def test_published_counts_are_those_of_the_table_but_for_their_noise(tmp_path):
    study = load_study(write_counts_study(tmp_path / "study", rho=0.2))
    design = design_of(study)
    rng = np.random.default_rng(4)
    off = []
    for _ in range(400):
        truth, given = decay.simulate(study, design, priors_of(study), rng)
        system = rows(given["counts"], design.firms, design.periods)
        deviation = system.deviation(system.true(truth["table"]))
        assert (deviation[system.hard] == 0).all()
        off += list((system.printed - system.true(truth["table"]))[~system.hard])
    values = np.arange(-2, 3)
    expected = (1 - 0.2) / (1 + 0.2) * 0.2 ** np.abs(values)
    found = np.array([np.sum(np.array(off) == value) for value in values])
    rest = len(off) - found.sum()
    expected = np.append(expected, 1 - expected.sum()) * len(off)
    assert stats.chisquare(np.append(found, rest), expected).pvalue > 1e-4


def test_a_bound_that_does_not_hold_is_published_as_its_opposite(tmp_path):
    study = load_study(write_counts_study(tmp_path / "study"))
    design = design_of(study)
    table = np.zeros((3, 2, 2), int)
    table[0, 0] = [2, 3]  # Ash has flagged decisions, Box has none
    table[1, 1] = [1, 0]
    said = decay.publish(design, table, np.random.default_rng(1))
    some = [count for count in said if count.id == "some"]
    assert [(c.firms, c.relation, c.value) for c in some] == [
        (("Ash",), "at least", 1),
        (("Box",), "at most", 0),
    ]


def test_the_number_of_all_decisions_and_bounds_are_not_left_out():
    units = decay.units(NORWAY, design_of(NORWAY))
    assert "M01" not in units
    assert "M20b" not in units
    assert {"M10", "M33"} <= set(units)


def test_the_law_of_a_left_out_count_sums_to_one_and_holds_what_was_printed():
    design = design_of(NORWAY)
    drawn = inferencedata.prior(design, priors_of(NORWAY), 300, 1)
    over = decay.values(NORWAY, {"default": design})
    printed = decay.printed(NORWAY, design)
    for unit, name in enumerate(decay.units(NORWAY, design)):
        law, logs = decay.predict(NORWAY, design, drawn, unit, over)
        assert law.sum() == pytest.approx(1, abs=1e-9), name
        place = list(over).index(printed[unit])
        assert np.exp(logs).mean() == pytest.approx(law[place]), name


# -- known decisions ---------------------------------------------------------------------


def test_the_law_of_a_firms_flags_is_that_of_all_their_combinations(tmp_path):
    study = load_study(write_decisions_study(tmp_path / "study"))
    design = design_of(study)
    drawn = inferencedata.prior(design, priors_of(study), 50, 1)
    over = decay.values(study, {"default": design})
    flat = inferencedata.flat_parameters(drawn, design)
    odds = decay._odds(design, flat)
    for unit, firm in enumerate(decay.units(study, design)):
        which = np.array(design.decisions.firm) == firm
        law, logs = decay.predict(study, design, drawn, unit, over)
        expected = np.zeros(len(over))
        chance = 1 / (1 + np.exp(-odds[:, which]))
        for flags in itertools.product((0, 1), repeat=int(which.sum())):
            each = np.prod(np.where(np.array(flags) == 1, chance, 1 - chance), axis=1)
            expected[sum(flags)] += each.mean()
            if list(flags) == list(design.decisions.flag[which]):
                assert np.exp(logs[0]) == pytest.approx(each)
        assert law == pytest.approx(expected)
        assert design.decisions.flag[which].sum() == decay.printed(study, design)[unit]


def test_flags_are_simulated_with_the_probabilities_of_the_model(tmp_path):
    study = load_study(write_decisions_study(tmp_path / "study"))
    design, priors = design_of(study), priors_of(study)
    rng = np.random.default_rng(8)
    # Whatever the parameters, what is expected of flag - probability is nothing.
    off = []
    for _ in range(2000):
        truth, given = decay.simulate(study, design, priors, rng)
        flat = {name: value[None] for name, value in truth.items()}
        off.append(given[OBSERVED] - 1 / (1 + np.exp(-decay._odds(design, flat)[0])))
    off = np.array(off)
    assert (np.abs(off.mean(axis=0)) < 5 * off.std(axis=0) / math.sqrt(len(off))).all()


@pytest.mark.parametrize("name", ["two-stage", "too-exact", "narrow-priors"])
def test_deliberate_errors_change_what_is_fitted(name):
    design = design_of(NORWAY)
    assert name in decay.wrong_models(design)
    plan = runner.Plan(NORWAY, "default", priors_of(NORWAY), Settings(), name)
    made = runner.fitter(plan)
    if name == "two-stage":
        assert made._without_decay.priors["decay_mean"].text == "Normal(0, 0.001)"
        assert made._fit.priors == priors_of(NORWAY)
    elif name == "too-exact":
        assert made.design.rho == pytest.approx(design.rho / 50)
    else:
        assert made.priors["large"].args == (0.0, pytest.approx(1 / 3, rel=1e-5))


def test_all_studies_leave_the_same_design_behind():
    """Simulating changes nothing of the study itself."""
    before = design_of(NORWAY).counts
    truth, given = decay.simulate(
        NORWAY, design_of(NORWAY), priors_of(NORWAY), np.random.default_rng(1)
    )
    assert truth["table"].sum() == 41
    assert design_of(NORWAY).counts == before
    assert {replace(c, value=0, firms=()).id for c in given["counts"]} == {c.id for c in before}
