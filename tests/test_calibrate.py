"""Simulation-based calibration: its verdict with known ranks, and interrupted and whole runs."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from intlmodels.checks import calibration as c
from intlmodels.checks import runner
from intlmodels.checks.calibration import FAMILYWISE, holm
from intlmodels.checks.stored import PROBS, Difference, read_checks, write
from intlmodels.core.errors import StudyError
from intlmodels.models import priors_of
from intlmodels.models.priors import rescaled
from intlmodels.models.share import simulator as share
from intlmodels.studies import load_study
from priordraws import Here, PriorDraws
from studies import write_study
from test_tasks import finished

ROCHESTER = load_study("rochester")


@pytest.fixture
def study(tmp_path):
    return load_study(write_study(tmp_path / "study"))


def plan(study, **settings):
    given = {"draws": 50, "tune": 50, **settings}
    return c.plan_of(study, "default", priors_of(study), c.settings_for(study, given))


def ignorant(monkeypatch, scale=1.0):
    def made(plan):
        priors = {n: rescaled(p, scale) for n, p in plan.priors.items()}
        return PriorDraws(plan.study, plan.variant, priors)

    monkeypatch.setattr(runner, "fitter", made)
    monkeypatch.setattr(runner, "_FITTERS", {})
    # What is reported besides takes longer than everything else here; see test_verdictrates.py.
    monkeypatch.setattr(c, "reported", lambda *_: [])


@pytest.mark.slow
def test_ranks_of_draws_from_the_truths_own_law_are_uniform_unless_data_are_looked_at(
    monkeypatch, study, tmp_path
):
    """Prior draws pass for every parameter; only the log likelihood tells that data are ignored."""
    ignorant(monkeypatch)
    found = c.calibration(plan(study), 250, tmp_path / "out").run(Here())
    p_values = dict(
        zip([q.name for q in found.quantities], holm(c.p_values_of(found)), strict=True)
    )
    assert p_values.pop("log likelihood") < 1e-6
    assert min(p_values.values()) > FAMILYWISE
    assert not c.uniform(found)
    for quantity in found.quantities:
        assert sum(quantity.ranks) == found.ranked == 250
        if quantity.name == "log likelihood":
            continue
        for prob, covered in zip(PROBS, quantity.covered, strict=True):
            # binomial, and the interval ends are those of 100 draws
            assert abs(covered / 250 - prob) < 4.5 * np.sqrt(prob * (1 - prob) / 250) + 0.02
        assert quantity.spread / quantity.prior_spread == pytest.approx(1, abs=0.35)


@pytest.mark.slow
def test_draws_that_are_too_narrow_are_noticed(monkeypatch, study, tmp_path):
    ignorant(monkeypatch, scale=0.25)
    found = c.calibration(plan(study), 120, tmp_path / "out").run(Here())
    p_values = dict(
        zip([q.name for q in found.quantities], holm(c.p_values_of(found)), strict=True)
    )
    assert p_values["intercept"] < FAMILYWISE
    own = next(q for q in found.quantities if q.name == "intercept")
    assert own.covered[0] < 0.4 * 120


def test_a_rank_counts_the_draws_below_and_splits_ties_at_random():
    rng = np.random.default_rng(1)
    draws = np.arange(1000.0)
    assert c._ranked(draws, -1.0, rng)[:2] == [0, 0.0]
    assert c._ranked(draws, 2000.0, rng)[:2] == [c.LEVELS, 1.0]
    assert c._ranked(draws, 499.5, rng)[:2] == [50, 0.5]
    tied = np.zeros(1000)
    ranks = [c._ranked(tied, 0.0, rng)[0] for _ in range(4000)]
    counts = np.bincount(ranks, minlength=c.LEVELS + 1)
    expected = 4000 / (c.LEVELS + 1)
    assert ((counts - expected) ** 2 / expected).sum() < 160  # chi-square, 100 degrees of freedom


def test_failed_divergent_and_unconverged_fits_are_counted_and_kept():
    good = {
        "divergences": 0,
        "rhat": 1.0,
        "ess": 300.0,
        "quantities": {"x": [3, 0.03, 0, 1, 2, 4]},
        "differences": {"a against b": ["points", 12.0, 0.98]},
    }
    results = [
        good,
        {"failed": "RuntimeError: no start"},
        {**good, "divergences": 2},
        {**good, "rhat": 1.2},
        {**good, "rhat": float("nan")},
    ]
    found = c.summarize(plan(ROCHESTER), results)
    assert found.failed == ((1, "RuntimeError: no start"),)
    assert (found.sims, found.ranked, found.divergent, found.unconverged) == (5, 4, 1, 2)
    assert found.quantities[0].ranks[3] == 4
    assert found.quantities[0].bias == 1
    assert found.quantities[0].covered == (0, 0, 4)
    assert found.differences == (Difference("a against b", "points", (12.0,) * 4, (0.98,) * 4),)


def test_a_sampler_that_finds_no_start_is_a_failed_fit(monkeypatch, study):
    class Broken:
        def draw(self, settings, given):
            raise RuntimeError("could not find a start\nand more")

    monkeypatch.setattr(runner, "fitter", lambda *_: Broken())
    monkeypatch.setattr(runner, "_FITTERS", {})
    assert c.simulate((plan(study), 0)) == {"failed": "RuntimeError: could not find a start"}


def test_the_first_of_many_simulations_are_those_of_few(monkeypatch, study, tmp_path):
    ignorant(monkeypatch)
    few = c.calibration(plan(study), 5, tmp_path / "few").run(Here())
    many = c.calibration(plan(study), 12, tmp_path / "many").run(Here())
    again = c.calibration(plan(study), 5, tmp_path / "many").run(Here())
    assert few == again
    assert many != few


def test_a_deliberate_error_is_looked_for_until_it_is_found(monkeypatch, study, tmp_path):
    ignorant(monkeypatch, scale=0.25)
    wrong = c.plan_of(
        study,
        "default",
        priors_of(study),
        c.settings_for(study, {"draws": 50, "tune": 50}),
        "density",
    )
    detection = c.detect(wrong, 200, tmp_path / "out", Here())
    assert detection.after in c.LOOKS
    assert detection.p_value < FAMILYWISE / len(detection.looks)
    ignorant(monkeypatch)
    monkeypatch.setattr(share, "quantities", without_likelihood(share.quantities))
    detection = c.detect(wrong, 60, tmp_path / "other", Here())
    assert detection.after is None
    assert detection.looks == (25, 50, 60)


def without_likelihood(quantities):
    def kept(*arguments):
        found = quantities(*arguments)
        del found["log likelihood"]
        return found

    return kept


def test_what_cannot_be_calibrated_is_told(study):
    priors = priors_of(study)
    settings = c.settings_for(study, {})
    with pytest.raises(StudyError, match="density says nothing of printed values"):
        c.plan_of(study, "density", priors_of(study, "density"), settings)
    with pytest.raises(StudyError, match="did you mean 'density'"):
        c.plan_of(study, "default", priors, settings, "densty")
    with pytest.raises(StudyError, match="100 draws"):
        c.plan_of(study, "default", priors, c.settings_for(study, {"draws": 20}))


def test_findings_come_back_from_disk_until_something_changes(monkeypatch, study, tmp_path):
    ignorant(monkeypatch)
    out = tmp_path / "out"
    found = c.calibration(plan(study), 8, out).run(Here())
    write("calibration", found, study, {}, out)
    read = read_checks(study, out, {}).calibration
    assert read.reasons == ()
    assert [q.ranks for q in read.value.quantities] == [q.ranks for q in found.quantities]
    assert read.value.quantities[0].bias == pytest.approx(found.quantities[0].bias, rel=1e-6)
    changed = read_checks(study, out, {"phi": "Gamma(2, 0.1)"}).calibration
    assert changed.value is None
    assert "prior of phi changed" in changed.reasons[0]
    text = (out / "trust" / "calibration.json").read_text(encoding="utf-8")
    (out / "trust" / "calibration.json").write_text(text[:200], encoding="utf-8")
    broken = read_checks(study, out, {}).calibration
    assert broken.value is None
    assert "cannot be read" in broken.reasons[0]
    assert read_checks(study, out, {}).comparison.reasons == ("it has not been computed yet",)


def command(study, out, sims, *more):
    code = [sys.executable, "-m", "intlmodels", "calibrate", str(study.folder)]
    size = ["--sims", str(sims), "--draws", "60", "--tune", "60", "--cores", "2"]
    return [*code, *size, "--out", str(out), *more]


@pytest.mark.slow
def test_a_run_killed_several_times_ends_with_the_same_ranks(study, tmp_path):
    """SIGKILL at three moments, then the same command: every rank as in a run left alone."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = subprocess.run(command(study, whole, 24), capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    journal = broken / "trust" / "calibration.sqlite"
    before = 0
    for _ in range(3):
        process = subprocess.Popen(
            command(study, broken, 24), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(1200):
            lines = len(finished(journal))
            if lines > before + 2 or process.poll() is not None:
                break
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        lines = len(finished(journal))
        assert lines >= before  # nothing is lost
        before = lines
    done = subprocess.run(command(study, broken, 24), capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    ranks = "trust/ranks.csv"
    assert (broken / ranks).read_text() == (whole / ranks).read_text()
    one, two = (json.loads((p / "trust/calibration.json").read_text()) for p in (whole, broken))
    assert one == two
    assert len((whole / ranks).read_text().splitlines()) == 25
