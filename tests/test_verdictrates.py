"""How often true differences are called clear, with the right or the wrong sign."""

import numpy as np
import pytest

import madetrust
from intlmodels.checks import calibration as c
from intlmodels.checks import runner
from intlmodels.checks import tables as t
from intlmodels.checks.stored import Difference, read_checks, write
from intlmodels.core.rounding import grid
from intlmodels.models import design_of, priors_of
from intlmodels.models.share import observation, simulator
from intlmodels.report import checks as sections
from intlmodels.report import checkvalues
from intlmodels.studies import load_study
from priordraws import Here, PriorDraws
from studies import write_study

ROCHESTER = load_study("rochester")
#: Below 5 points: 20 of 100 clear, 5 of them wrong; 10 to 20 points: 50 of 100, and 10 leaning.
MADE = (
    Difference(
        "A against B",
        "points",
        (2.0,) * 100,
        (*[0.98] * 15, *[0.02] * 5, *[0.6] * 80),
    ),
    Difference(
        "A against C",
        "points",
        (-12.0,) * 100,
        (*[0.01] * 50, *[0.08] * 8, *[0.93] * 2, *[0.4] * 40),
    ),
)


def test_rates_of_made_up_records_are_those_that_were_made():
    table = t.verdict_rates(MADE).set_index(["of", "low"])
    small, large, every = (table.loc[key] for key in (("size", 0.0), ("size", 10.0), ("all", 0.0)))
    assert list(small[[*t.SAID]]) == [15, 5, 0, 0, 80]
    assert list(large[[*t.SAID]]) == [50, 0, 8, 2, 40]
    assert list(every[[*t.SAID]]) == [32.5, 2.5, 4, 1, 60]
    assert every["count"] == 200
    assert table.loc[("size", 5.0), "count"] == 0
    # One difference in each study: the binomial error, and Jeffreys' where there was none.
    assert large["clear_right_error"] == pytest.approx(100 * np.sqrt(0.25 / 101), rel=0.01)
    assert large["clear_wrong_error"] == pytest.approx(100 * np.sqrt(0.5 * 100.5 / 102) / 101)


def test_differences_of_one_study_that_fall_together_are_worth_one():
    clear = [1.0] * 30 + [0.5] * 70
    twice = t.rates(np.ones((2, 100)), np.array([clear, clear]))
    once = t.rates(np.ones((1, 100)), np.array([clear]))
    assert twice["clear_right"] == once["clear_right"] == 30
    assert twice["clear_right_error"] == pytest.approx(once["clear_right_error"])


def test_the_error_of_a_rate_is_the_spread_of_the_rate_over_runs():
    rng = np.random.default_rng(4)
    found = []
    for _ in range(400):
        # Differences of a study are clear together or not, and their number differs.
        together, own = rng.random(80) < 0.3, rng.random((6, 80)) < 0.3
        clear = np.where(rng.random(80) < 0.5, together, own)
        found.append(
            t.rates(np.ones((6, 80)), np.where(clear, 1.0, 0.5), rng.random((6, 80)) < 0.7)
        )
    spread = np.std([one["clear_right"] for one in found], ddof=1)
    error = np.mean([one["clear_right_error"] for one in found])
    assert error == pytest.approx(spread, rel=4 / np.sqrt(2 * 400))


def test_sentences_and_section_tell_the_rates():
    found = madetrust.calibration(differences=MADE)
    text = madetrust.said("calibration", checkvalues.calibration(found))
    assert "Of 200 simulated differences in points, 35.0% are clear" in text
    assert "another 5.0% leaning" in text
    assert "wrong in 7.1% of the clear ones and 20.0% of the leaning ones" in text
    assert "clear with the right sign (with the wrong sign): below 5 points, 15.0% (5.0%); " in text
    assert "10 to 20 points, 50.0% (none)." in text
    values = sections.calibration(madetrust.material(madetrust.trust(calibration=found)))
    *_, table = madetrust.rendered("calibration", values).tables
    assert table.file == "tables/verdict_rates.csv"
    names = ["all, in points", "below 5 points", "10 to 20 points"]
    assert [row[0] for row in table.rows] == names


def test_true_differences_levels_and_ranks_are_those_of_the_true_parameters():
    """Against the printed law summed by hand, at each level in turn."""
    design, rng = design_of(ROCHESTER), np.random.default_rng(3)
    truth, _ = simulator.simulate(ROCHESTER, design, priors_of(ROCHESTER), rng)
    draws = simulator.prior(ROCHESTER, design, priors_of(ROCHESTER), 200, 1)
    pairs = c.reported(ROCHESTER, "default", draws, truth)
    found = {item.name: value for item, value in pairs}
    shares = []
    optics = design.block("product")
    for level in range(3):
        linear = truth["intercept"] + truth["product"][level]
        linear = linear + sum(
            b.weights @ np.atleast_1d(truth[b.name]) for b in design.blocks if b is not optics
        )
        chances = observation.grid_probabilities(
            observation.inverse_logit(linear) * truth["phi"],
            observation.inverse_logit(-linear) * truth["phi"],
            5.0,
        )
        shares.append(float((chances @ grid(5.0)).mean()))
    names = optics.levels
    for level, name in enumerate(names):
        assert found[f"Product line: {name}"] == pytest.approx(shares[level])
        rank = 1 + sum(other > shares[level] for other in shares)
        assert found[f"Product line: rank of {name}"] == rank
    wanted = shares[0] - shares[1]
    assert found[f"Product line: {names[0]} against {names[1]}"] == pytest.approx(wanted)
    record = c.recorded(pairs)
    assert len(record) == 10
    unit, value, p_positive = record[f"Product line: {names[0]} against {names[1]}"]
    assert (unit, value) == ("points", pytest.approx(wanted, rel=1e-3))
    assert p_positive == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(200))  # of the prior


def test_a_calibration_records_every_difference_of_every_simulation(monkeypatch, tmp_path):
    """Of draws from the prior, whatever the data, no direction is clear."""
    study = load_study(write_study(tmp_path / "study"))
    monkeypatch.setattr(runner, "fitter", PriorDraws.of)
    monkeypatch.setattr(runner, "_FITTERS", {})
    used = c.settings_for(study, {"draws": 100, "tune": 50})
    plan = c.plan_of(study, "default", priors_of(study), used)
    found = c.calibration(plan, 6, tmp_path).run(Here())
    assert {len(item.truth) for item in found.differences} == {6}
    names = [item.name for item in found.quantities]
    assert set(names) > {item.name for item in found.differences} | {"phi"}
    assert any(": rank of " in name for name in names)
    (every, *_) = t.verdict_rates(found.differences).to_dict("records")
    assert every["undecided"] == 100
    write("calibration", found, study, {}, tmp_path)
    read = read_checks(study, tmp_path, {}).calibration.value
    assert read.differences == found.differences
    wrong = c.plan_of(study, "default", priors_of(study), used, "narrow-priors")
    assert c.simulate((wrong, 0))["differences"] == {}
