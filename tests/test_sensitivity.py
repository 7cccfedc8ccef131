"""Sensitivity: which refits there are, and what is held against what."""

import json
from functools import partial

import numpy as np
import pytest

from intlmodels.checks import sensitivity as s
from intlmodels.checks.stored import read_checks, write
from intlmodels.core.errors import StudyError
from intlmodels.fitting import jobs
from intlmodels.models import DEFAULT, catalogue, priors_of
from intlmodels.studies import load_study
from mockfit import mock_fit
from priordraws import Here
from studies import write_study


@pytest.fixture
def study(tmp_path):
    full = [("Cedar,0,,Toys", "Cedar,0,4,Toys")]  # made-up fits have no missing values
    return load_study(write_study(tmp_path / "study", edit_firms=full))


def fitted(study, out, names=(DEFAULT,), **settings):
    for job in jobs.plan(study, list(names), out, settings=jobs.settings_of(study)):
        jobs.bring_up_to_date(job)
    return s.current(study, out)


def plans(study):
    return s.plans_of(study, priors_of(study), jobs.settings_of(study, {"draws": 200, "chains": 2}))


def test_every_prior_is_halved_and_doubled_alone_and_with_all_others(study):
    priors = priors_of(study)
    found = plans(study)
    assert len(found) == 2 * (len(priors) + 1)
    plan, change = found["phi doubled"]
    assert change == "LogNormal(log(10), 1.6) in place of LogNormal(log(10), 0.8)"
    assert plan.priors["phi"].args[1] == pytest.approx(1.6)
    assert {n: p for n, p in plan.priors.items() if n != "phi"} == {
        n: p for n, p in priors.items() if n != "phi"
    }
    every, _ = found["all priors halved"]
    assert all(every.priors[name].text != priors[name].text for name in priors)
    assert len({plan.key for plan, _ in found.values()}) == len(found)


def test_conclusions_are_held_against_those_of_the_default(monkeypatch, study, tmp_path):
    monkeypatch.setattr(jobs, "fit", mock_fit)
    out = tmp_path / "out"
    stored = fitted(study, out, [DEFAULT, "density", "hurdle", "nested-skill"])
    chosen = dict(list(plans(study).items())[:2])
    found = s.sensitivity(study, stored, chosen, out).run(Here())
    names = [refit.name for refit in found.refits]
    assert names == [DEFAULT, *chosen, "hurdle", "nested-skill"]  # density is for comparison only
    assert [refit.kind for refit in found.refits] == ["base"] + ["prior"] * 2 + ["reading"] * 2
    told = {row.quantity for row in found.moved if row.refit == DEFAULT}
    for refit in names:
        own = [row for row in found.moved if row.refit == refit]
        assert {row.quantity for row in own} <= told
        assert all(row.low <= row.median <= row.high for row in own)
    assert "Ease of moving: Easy against Hard" in told
    assert {item.name for item in found.scaled} == told
    assert all(np.isfinite(item.prior) for item in found.scaled)
    write("sensitivity", found, study, {}, out)
    read = read_checks(study, out, {}).sensitivity
    assert read.reasons == ()
    assert [refit.name for refit in read.value.refits] == names
    text = json.loads((out / "trust" / "sensitivity.json").read_text(encoding="utf-8"))
    assert set(text["fingerprint"]["variant"]) == {"hurdle", "nested-skill"}


def test_without_a_current_converged_fit_there_is_nothing_to_hold_anything_against(
    monkeypatch, study, tmp_path
):
    out = tmp_path / "out"
    with pytest.raises(StudyError, match="run intlmodels fit first"):
        s.current(study, out)
    monkeypatch.setattr(jobs, "fit", partial(mock_fit, bad=True))
    with pytest.raises(StudyError, match="did not converge, so there are no conclusions"):
        fitted(study, out)
    other = load_study(
        write_study(tmp_path / "other", edit_firms=[("Alder,10,", "Alder,15,")], edit_toml=())
    )
    with pytest.raises(StudyError, match="is not current"):
        s.current(other, out)


def test_variants_that_are_not_current_are_not_readings(monkeypatch, study, tmp_path):
    monkeypatch.setattr(jobs, "fit", mock_fit)
    out = tmp_path / "out"
    assert len(catalogue(study)) > 2
    stored = fitted(study, out, [DEFAULT, "hurdle"])
    assert [item.variant for item in stored] == [DEFAULT, "hurdle"]
