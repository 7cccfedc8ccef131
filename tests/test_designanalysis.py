"""Design analysis: resampled firms, what is decided, and a closed form of how often."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import intlmodels as im
import madetrust
from decaystudies import write_decisions_study
from intlmodels.checks import designanalysis as d
from intlmodels.checks import runner
from intlmodels.checks import tables as t
from intlmodels.checks.calibration import settings_for
from intlmodels.checks.stored import (
    NOTHING,
    DesignAnalysis,
    Difference,
    SimulatedSize,
    read_checks,
    write,
)
from intlmodels.cli import fitting, run
from intlmodels.core.errors import StudyError
from intlmodels.core.rounding import grid
from intlmodels.fitting import jobs
from intlmodels.models import design_of, priors_of
from intlmodels.models.pymc import OBSERVED
from intlmodels.models.share import observation, simulator
from intlmodels.plots import checks as plots
from intlmodels.report import checks as sections
from intlmodels.report import checkvalues
from intlmodels.results.intervals import Conclusion
from intlmodels.studies import load_study
from mockfit import mock_fit
from priordraws import Here, PriorDraws
from studies import write_study
from test_frame import OWNER, firms


def own_study(*names):
    """Firms with a contrast, a category, an ordered predictor and a spline, or some of them."""
    kinds = {
        **OWNER,
        "sector": {},
        "stage": {},
        "size": {"transform": "log", "curve": "spline", "knots": [8, 20, 45]},
    }
    chosen = {name: kinds[name] for name in names or kinds}
    return im.study(firms(), outcome="share", unit="code", predictors=chosen, rounding_width=1)


def plan(study, **settings):
    return runner.Plan(study, "default", priors_of(study), settings_for(study, settings))


def test_a_resampled_study_has_the_rows_of_the_design(tmp_path):
    study = load_study("rochester")
    rows = np.random.default_rng(2).integers(len(study.firms), size=50)
    for one in (study, own_study()):
        drawn = rows % len(one.firms)
        before, after = design_of(one), design_of(simulator.resampled(one, drawn))
        assert [b.name for b in before.blocks] == [b.name for b in after.blocks]
        for was, now in zip(before.blocks, after.blocks, strict=True):
            assert np.array_equal(now.weights, was.weights[drawn])
            assert now.settings == was.settings
            assert all(np.array_equal(now.rows[name], was.rows[name]) for name in was.rows)


def test_shares_of_given_parameters_have_the_printed_law():
    study = load_study("rochester")
    design, rng = design_of(study), np.random.default_rng(5)
    truth, _ = simulator.simulate(study, design, priors_of(study), rng)
    count = 3000
    drawn = np.array(
        [simulator.simulate_given(study, design, truth, rng)[OBSERVED] for _ in range(count)]
    )
    mu, phi = truth["mu"][7], truth["phi"]
    law = observation.grid_probabilities([mu * phi], [(1 - mu) * phi], 5.0)[0]
    seen = (drawn[:, 7, None] == grid(5.0)).mean(axis=0)
    assert np.abs(seen - law).max() < 5 * np.sqrt(0.25 / count)
    assert np.abs(seen - law) == pytest.approx(0, abs=5 * np.sqrt(law.max() / count))


@pytest.fixture
def prior_draws(monkeypatch):
    monkeypatch.setattr(runner, "fitter", PriorDraws.of)
    monkeypatch.setattr(runner, "_FITTERS", {})


def test_more_simulations_and_sizes_go_on_from_those_there_are(prior_draws, tmp_path):
    study = load_study("rochester")
    asked = plan(study, draws=50, tune=50)
    few = d.design_analysis(asked, [10], 3, None, tmp_path).run(Here())
    check = d.design_analysis(asked, [10, 20], 5, None, tmp_path)
    known = check.journal.results()
    assert [key for key in check.tasks if key in known] == list(check.tasks)[:3]
    many = check.run(Here())
    assert [size.firms for size in many.sizes] == [10, 20]
    first = few.sizes[0].differences[0]
    assert many.sizes[0].differences[0].truth[:3] == first.truth
    # Draws from the prior, whatever the data, decide nothing.
    assert (t.decisions(many)["none"] == 100).all()
    assert t.decisions(many)["count"].tolist() == [5] * len(t.decisions(many))


def test_studies_of_different_sizes_have_the_same_true_parameters(prior_draws, monkeypatch):
    seen = []

    def reported(study, variant, posterior, truth):
        seen.append(truth["phi"])
        return [(Conclusion("level", "%", False, posterior["phi"].to_numpy()), 0.0)]

    monkeypatch.setattr(d, "reported", reported)
    study = load_study("rochester")
    asked = plan(study, draws=50, tune=50)
    for size in (10, 40):
        own = simulator.resampled(study, np.arange(size) % 22)
        d.simulate_size(d.Task(replace(asked, study=own), 3, None))
    assert seen[0] == seen[1]


def test_true_parameters_are_draws_of_the_stored_fit():
    fit = mock_fit(load_study("rochester"))
    drawn = d.draws_of(fit, 40, 1)
    assert drawn[:7][3]["phi"] == d.draws_of(fit, 7, 1)[3]["phi"]
    posterior = fit["posterior"].to_dataset()
    chain, draw = np.argwhere(posterior["phi"].to_numpy() == drawn[5]["phi"])[0]
    assert np.array_equal(drawn[5]["product"], posterior["product"].to_numpy()[chain, draw])
    assert not any(own.shape == (22,) for own in drawn[5].values())
    assert len({float(own["phi"]) for own in drawn}) > 30


def made(**changes):
    """Two comparisons in studies of 20 and 200 firms, with known rates."""

    def size(firms, right, wrong):
        p = (*[0.99] * right, *[0.01] * wrong, *[0.5] * (100 - right - wrong))
        never = Difference("B against C", "points", (0.5,) * 100, (0.5,) * 100)
        return SimulatedSize(
            firms, 0, 0, (Difference("A against B", "points", (8.0,) * 100, p), never)
        )

    value = DesignAnalysis(
        "posterior", 20, 100, {"draws": 500}, (size(20, 12, 1), size(200, 85, 0))
    )
    return replace(value, **changes)


def test_decisions_of_made_up_records_are_those_that_were_made(tmp_path):
    table = t.decisions(made()).set_index(["quantity", "firms"])
    assert table.loc[("A against B", 20), ["right", "wrong", "none", "size"]].tolist() == [
        12,
        1,
        87,
        8,
    ]
    assert table.loc[("A against B", 200), ["right", "wrong", "none"]].tolist() == [85, 0, 15]
    assert table.loc[("A against B", 20), "right_error"] == pytest.approx(3.25, rel=0.05)
    said = madetrust.said("design", checkvalues.design(made()))
    assert "A against B (200 firms)" in said
    assert "% of the studies with 20 firms (0.5" in said
    assert "even with 200 firms: B against C (0" in said
    study = load_study("rochester")
    write("design", made(), study, {}, tmp_path)
    assert read_checks(study, tmp_path, {}).design.value == made()


def test_the_section_shows_lines_and_rates_and_is_left_out_where_nothing_was_asked():
    values = sections.design(madetrust.material(madetrust.trust(design=made())))
    (table,) = madetrust.rendered("design", values).tables
    assert [row[1] for row in table.rows] == ["20", "200", "20", "200"]
    figure = plots.decisions(t.decisions(made()), 20)
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].get_lines()}
    assert list(lines["A against B"]) == [12, 85]
    never = madetrust.material(NOTHING)
    assert sections.design(never) is None
    assert "design" not in [row[0] for row in sections.not_run(never)["rows"]]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--firms", "22,many"), "whole numbers separated by commas"),
        (("--firms", "22,2"), "numbers of firms from 3, the largest number of levels"),
        (("--firms", "22,99999999"), "to 5000"),
        (("--sims", "0"), "sims must be"),
        (("--from", "nowhere"), "one of 'posterior', 'prior'"),
        (("--prior", "phi=LogNormal(2, 1)"), "--from prior"),
        ((), "run intlmodels fit first"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(capsys, tmp_path, arguments, says):
    folder = own_study().save(tmp_path / "study")
    out = tmp_path / "out"
    code = run(["design", str(folder), *arguments, "--out", str(out)])
    err = capsys.readouterr().err
    assert code == 2
    assert says in err
    assert err.count("\n") == 1
    assert not out.exists() or not list(out.rglob("*.*"))


def test_studies_that_cannot_be_resampled_are_refused(tmp_path):
    decay = load_study(write_decisions_study(tmp_path / "decay"))
    with pytest.raises(StudyError, match="one row for each firm"):
        im.design(decay, tmp_path / "out")
    with pytest.raises(StudyError, match="missing values"):
        im.design(load_study(write_study(tmp_path / "study")), tmp_path / "out", source="prior")


def test_the_command_goes_from_a_stored_fit_to_sentences(
    prior_draws, monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(jobs, "fit", mock_fit)
    folder, out = own_study("owner", "sector").save(tmp_path / "study"), tmp_path / "out"
    im.fit_study(folder, out=out)
    short = ["--draws", "50", "--tune", "50", "--cores", "1"]
    monkeypatch.setattr(runner.ExecutionOptions, "pool", lambda *_: Pool())
    monkeypatch.setattr(fitting, "refresh_report", lambda *_: None)
    code = run(["design", str(folder), "--firms", "12", "--sims", "2", *short, "--out", str(out)])
    printed = capsys.readouterr().out
    assert code == 0
    assert "2 studies were simulated, with parameters from the posterior of the fit" in printed


class Pool(Here):
    """The same as a context."""

    def __enter__(self):
        return self


# -- a closed form -----------------------------------------------------------------------


def information(effect, phi, width=5.0):
    """Fisher information of one firm at linear predictor ``effect``: of it and of log phi."""

    def chances(eta, log_phi):
        mu = observation.inverse_logit(eta)
        a, b = mu * np.exp(log_phi), (1 - mu) * np.exp(log_phi)
        return observation.grid_probabilities([a], [b], width)[0]

    at, step = (effect, np.log(phi)), 1e-4
    slopes = []
    for which in range(2):
        up, down = (
            chances(*(v + side * step * (i == which) for i, v in enumerate(at))) for side in (1, -1)
        )
        slopes.append((up - down) / (2 * step))
    slopes = np.array(slopes)
    return (slopes / chances(*at)) @ slopes.T


@pytest.mark.slow
def test_the_rate_of_right_decisions_is_that_of_the_normal_approximation(tmp_path):
    """Two levels, many firms: posterior mean and variance by Fisher information and the priors."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "code": [f"F{i}" for i in range(20)],
            "share": 5 * rng.integers(0, 21, 20),
            "owner": ["family", "other"] * 10,
        }
    )
    study = im.study(frame, outcome="share", unit="code", predictors=OWNER, rounding_width=5)
    width = study.outcome.width
    truth = {"intercept": np.array(0.0), "owner": np.array(0.4), "phi": np.array(10.0)}
    size, sims = 60, 160
    check = d.design_analysis(plan(study, draws=300, tune=300), [size], sims, None, tmp_path)
    tasks = {key: task._replace(truth=truth) for key, task in check.tasks.items()}
    found = t.decisions(replace(check, tasks=tasks).run(Here())).iloc[0]
    expected = []
    for task in list(tasks.values())[: d.SAMPLES]:
        (block,) = design_of(task.plan.study).blocks
        total = np.diag([1.0, 1 / 0.5**2, 1 / 0.8**2])  # of the priors
        for place in block.weights[:, 0]:
            onto = np.array([[1.0, place, 0.0], [0.0, 0.0, 1.0]])
            total += onto.T @ information(0.4 * place, 10.0, width) @ onto
        variance = np.linalg.inv(total)
        data = total - np.diag([1.0, 4.0, 1 / 0.8**2])
        gain = variance @ data  # of the posterior mean from the estimate
        center = (gain @ [0.0, 0.4, 0.0] + variance @ [-1.5, 0.0, 0.0])[1]
        spread = np.sqrt((gain @ np.linalg.inv(data) @ gain.T)[1, 1])
        expected.append(norm.sf((norm.ppf(0.975) * np.sqrt(variance[1, 1]) - center) / spread))
    assert 0.3 < np.mean(expected) < 0.8
    error = np.sqrt(0.25 / sims)
    assert found["right"] / 100 == pytest.approx(np.mean(expected), abs=4 * error)
    assert found["wrong"] / 100 < 4 * error
