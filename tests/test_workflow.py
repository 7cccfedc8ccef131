"""Plan, fit, check, retry once, store: with fits that take no time."""

import json
import warnings
from functools import partial

import numpy as np
import pytest

import intlmodels as im
from intlmodels.core import versions
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Settings
from intlmodels.fitting import jobs as workflow
from intlmodels.fitting import store
from intlmodels.fitting.diagnostics import Gate, directions_on_the_edge, gate
from intlmodels.models import catalogue, priors_of
from intlmodels.models.share import ShareModel
from intlmodels.models.share.estimands import estimate
from intlmodels.studies import load_study
from mockfit import mock_fit
from studies import STUDY, write_study


@pytest.fixture
def study(tmp_path):
    return load_study(write_study(tmp_path / "study"))


@pytest.fixture
def fits(monkeypatch):
    """Every call of the sampler, as (variant, target acceptance)."""
    calls = []

    def counted(study, variant, priors, settings, progress=None, sampler=None):
        calls.append((variant, settings.target_accept))
        return mock_fit(study, variant, priors, settings)

    monkeypatch.setattr(workflow, "fit", counted)
    return calls


def run(study, out, variants=("default",), **kwargs):
    for job in workflow.plan(study, variants, out, **kwargs):
        if not job.current:
            workflow.bring_up_to_date(job)


@pytest.mark.slow
def test_every_variant_is_fitted_once_and_then_left_alone(study, fits, tmp_path):
    names = list(catalogue(study))
    run(study, tmp_path / "out", names)
    assert [name for name, _ in fits] == names
    run(study, tmp_path / "out", names)
    assert len(fits) == len(names)


def test_only_what_changed_is_fitted_again_and_it_says_why(study, fits, tmp_path):
    names = ["default", "hurdle"]
    run(study, tmp_path / "out", names)
    jobs = workflow.plan(study, names, tmp_path / "out", priors={"never": "Beta(2, 2)"})
    assert jobs[0].current
    assert jobs[1].reasons == ("prior of never changed from Beta(1, 9) to Beta(2, 2)",)


def test_another_version_of_the_estimands_recomputes_without_sampling(
    study, fits, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    run(study, out)
    monkeypatch.setitem(versions.ESTIMANDS_VERSION, "share", -1)
    (job,) = workflow.plan(study, ["default"], out)
    assert job.refresh
    assert not job.reasons
    workflow.bring_up_to_date(job)
    assert len(fits) == 1
    assert workflow.plan(study, ["default"], out)[0].current


def test_a_fit_that_fails_is_retried_once_with_a_higher_target(study, tmp_path, monkeypatch):
    targets = []

    def failing(study, variant, priors, settings, progress=None, sampler=None):
        targets.append(settings.target_accept)
        sampler(settings, progress)
        return mock_fit(study, variant, priors, settings, bad=True)

    made = []
    monkeypatch.setattr(workflow, "fit", failing)
    monkeypatch.setattr(ShareModel, "sampler", lambda *_: made.append(1) or (lambda *_: None))
    run(study, tmp_path / "out")
    assert targets == [0.95, pytest.approx(0.99)]
    assert len(made) == 1  # the same model, compiled once
    tree = store.read(tmp_path / "out" / "posterior.nc")
    assert not Gate.from_json(tree.attrs["gate"]).passed
    assert "divergences failed at target acceptance 0.95" in tree.attrs["retried"]
    # asked for 0.95: the stored fit answers that request, and is not fitted again and again
    assert workflow.plan(study, ["default"], tmp_path / "out")[0].current


def test_a_retry_that_helps_is_kept(study, tmp_path, monkeypatch):
    monkeypatch.setattr(
        workflow,
        "fit",
        lambda study, variant, priors, settings, *_: mock_fit(
            study, variant, priors, settings, bad=settings.target_accept < 0.96
        ),
    )
    run(study, tmp_path / "out")
    tree = store.read(tmp_path / "out" / "posterior.nc")
    assert Gate.from_json(tree.attrs["gate"]).passed
    assert tree.attrs["retried"]
    assert json.loads(tree.attrs["settings_used"])["target_accept"] == pytest.approx(0.99)


@pytest.fixture
def drawn(monkeypatch):
    """Every call of the sampler, as (variant, chains, seed)."""
    calls = []

    def counted(study, variant, priors, settings, progress=None, sampler=None):
        calls.append((variant, settings.chains, settings.seed))
        return mock_fit(study, variant, priors, settings)

    monkeypatch.setattr(workflow, "fit", counted)
    return calls


@pytest.mark.parametrize("edge", [[False], [True, False], [True] * 6])
def test_chains_are_added_until_directions_are_decided_or_a_budget_is_spent(
    study, drawn, tmp_path, monkeypatch, edge
):
    answers, asked = iter(edge), []
    monkeypatch.setattr(
        workflow, "directions_on_the_edge", lambda draws: asked.append(draws) or next(answers)
    )
    run(study, tmp_path / "out", settings=Settings(draws=500, seed=5))
    added = sum(edge)
    assert [chains for _, chains, _ in drawn] == [4] + [2] * added
    assert len({seed for *_, seed in drawn}) == 1 + added  # no chain is drawn twice
    tree = store.read(tmp_path / "out" / "posterior.nc")
    for group in ("posterior", "sample_stats", "log_likelihood", "posterior_predictive"):
        assert tree[group].sizes["chain"] == 4 + 2 * added
    assert tree["prior"].sizes["chain"] == 1
    # Every chain was asked about, with the chains before it, and is that of its own seed.
    assert [len(draws) for draws in asked] == [4 + 2 * i for i in range(len(edge))]
    for place, (_, chains, seed) in enumerate(drawn):
        alone = mock_fit(study, settings=Settings(draws=500, chains=chains, seed=seed))
        first = 4 + 2 * (place - 1) if place else 0
        own = tree["posterior"]["mu"].isel(chain=slice(first, first + chains))
        np.testing.assert_array_equal(own, alone["posterior"]["mu"])
    again = estimate(tree)["difference"]
    np.testing.assert_allclose(tree["estimands"]["difference"], again, rtol=1e-9)
    assert Gate.from_json(tree.attrs["gate"]) == gate(tree)
    asked_for = json.loads(tree.attrs["settings"])
    assert asked_for["chains"] == 4
    used = json.loads(tree.attrs.get("settings_used", tree.attrs["settings"]))
    assert used == asked_for | {"chains": 4 + 2 * added}
    # What was asked for identifies the fit.
    same = workflow.plan(study, ["default"], tmp_path / "out", settings=Settings(draws=500, seed=5))
    assert same[0].current


def test_chains_with_which_a_fit_fails_are_not_kept(study, tmp_path, monkeypatch):
    monkeypatch.setattr(workflow, "directions_on_the_edge", lambda draws: True)
    monkeypatch.setattr(
        workflow,
        "fit",
        lambda study, variant, priors, settings, *_: mock_fit(
            study, variant, priors, settings, bad=settings.chains < 4
        ),
    )
    run(study, tmp_path / "out", settings=Settings(draws=500))
    tree = store.read(tmp_path / "out" / "posterior.nc")
    assert Gate.from_json(tree.attrs["gate"]).passed
    assert tree["posterior"].sizes["chain"] == 4
    assert "settings_used" not in tree.attrs


def test_variants_take_the_draws_that_were_asked_for(study, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(workflow, "directions_on_the_edge", partial(pytest.fail, "asked"))
    run(study, tmp_path / "out", ["hurdle"])
    assert len(drawn) == 1


@pytest.mark.parametrize("limit", [0.975, 0.9, 0.1, 0.025])
@pytest.mark.parametrize(("errors", "edge"), [(1.5, True), (6.0, False)])
def test_a_direction_is_on_the_edge_within_three_errors_of_a_limit(limit, errors, edge):
    rng = np.random.default_rng(3)
    # Of independent draws; the closest of many sets, so that chance is no part of it.
    error = np.sqrt(limit * (1 - limit) / 8000)
    chance = limit + errors * (error if limit > 0.5 else -error)
    sets = (rng.random((200, 4, 2000)) < chance) - 0.5
    closest = np.argmin(np.abs((sets > 0).mean(axis=(1, 2)) - chance))
    draws = np.stack([sets[closest], rng.random((4, 2000)) - 0.5], axis=-1)
    assert directions_on_the_edge(draws) is edge
    assert not directions_on_the_edge(draws[..., 1:])


def test_fit_study_warns_when_it_did_not_converge(study, monkeypatch):
    monkeypatch.setattr(workflow, "fit", partial(mock_fit, bad=True))
    with pytest.warns(workflow.NotConverged, match="divergent transitions: 1"):
        workflow.fit_study(study)
    monkeypatch.setattr(workflow, "fit", mock_fit)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        workflow.fit_study(study)


def test_fit_study_keeps_a_fit_in_a_folder(study, fits, tmp_path):
    out = tmp_path / "out"
    first = workflow.fit_study(study, out=out)
    again = workflow.fit_study(study, out=str(out))
    assert len(fits) == 1
    assert again["posterior"].to_dataset().equals(first["posterior"].to_dataset())
    assert workflow.plan(study, ["default"], out)[0].current  # as the command line would have it
    workflow.fit_study(study, "hurdle", out=out)
    workflow.fit_study(study, out=out, priors={"phi": "Gamma(2, 0.1)"}, seed=7)
    assert [name for name, _ in fits] == ["default", "hurdle", "default"]


def test_a_stored_fit_that_did_not_converge_warns_again(study, tmp_path, monkeypatch):
    monkeypatch.setattr(workflow, "fit", partial(mock_fit, bad=True))
    for _ in range(2):
        with pytest.warns(workflow.NotConverged, match="divergent transitions: 1"):
            workflow.fit_study(study, out=tmp_path / "out")


def test_stored_fits_tell_which_are_stale(study, fits, tmp_path):
    out = tmp_path / "out"
    run(study, out, ["default", "hurdle", "density"])
    assert [s.variant for s in workflow.stored_fits(study, out)] == ["default", "hurdle", "density"]
    assert not any(s.reasons for s in workflow.stored_fits(study, out))
    run(study, out, settings=Settings(seed=3))
    found = {s.variant: s.reasons for s in workflow.stored_fits(study, out)}
    assert found["default"] == ()
    assert found["hurdle"] == ("seed changed from 20261 to 3",)


def test_priors_from_the_command_line_are_remembered(study, fits, tmp_path):
    out = tmp_path / "out"
    run(study, out, ["default", "hurdle"], priors={"phi": "Gamma(2, 0.1)", "never": "Beta(2, 2)"})
    assert not any(s.reasons for s in workflow.stored_fits(study, out))


def test_no_stored_fit_says_what_to_run(study, tmp_path):
    with pytest.raises(StudyError, match="run intlmodels fit first"):
        workflow.stored_fits(study, tmp_path / "nothing")


def test_settings_come_from_defaults_study_and_call(tmp_path):
    study = load_study(write_study(tmp_path / "s", toml=STUDY + "\n[fit]\nseed = 5\ndraws = 700\n"))
    settings = workflow.settings_of(study, {"draws": 900})
    assert (settings.seed, settings.draws, settings.tune) == (5, 900, 1000)
    with pytest.raises(StudyError, match="no setting is called 'darws'"):
        workflow.settings_of(study, {"darws": 1})


@pytest.mark.parametrize(
    "changes",
    [
        {"draws": 0},
        {"draws": 2.5},
        {"draws": True},
        {"chains": 1},
        {"seed": -1},
        {"seed": 2**40},
        {"target_accept": 1},
        {"target_accept": 0.0},
        {"target_accept": "high"},
        {"sampler": "stan"},
        {"cores": 0},
    ],
)
def test_unusable_settings_are_refused_before_anything_runs(changes):
    with pytest.raises(StudyError):
        Settings(**changes)


def test_a_variant_of_an_unknown_name_plans_nothing(study, tmp_path):
    with pytest.raises(StudyError, match="no variant is called"):
        workflow.plan(study, ["default", "nonsense"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_stored_priors_are_those_that_were_used(study, fits, tmp_path):
    run(study, tmp_path / "out", priors={"phi": "Gamma(2, 0.1)"})
    stored = json.loads(store.read(tmp_path / "out" / "posterior.nc").attrs["priors"])
    assert stored["phi"]["text"] == "Gamma(2, 0.1)"
    assert stored["phi"]["origin"] == "command line"
    assert set(stored) == set(priors_of(study))


def test_a_damaged_fit_is_fitted_again_and_read_by_nothing(study, fits, tmp_path):
    out = tmp_path / "out"
    run(study, out, ["default", "hurdle"])
    for variant, command in (("default", "fit"), ("hurdle", "fit --variants hurdle")):
        path = workflow.stored_path(out, variant)
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 1
        path.write_bytes(content)
        for reader in (
            lambda: workflow.stored_fits(study, out),
            lambda: im.read_trust(study, out),
            lambda: im.write_report(study, out),
            lambda: im.export(study, out),
            lambda: im.sensitivity(study, out, cores=1),
        ):
            with pytest.raises(
                StudyError, match=f"not match its checksum; run intlmodels {command}"
            ):
                reader()
        made = len(fits)
        assert workflow.fit_study(study, variant, out=out)["posterior"].sizes["draw"] == 500
        assert len(fits) == made + 1
        assert workflow.plan(study, [variant], out)[0].current
