"""Variants that are Python functions: the same fits as those of the catalogue, and named ones."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import intlmodels as im
from intlmodels.fitting import jobs, store
from intlmodels.models import catalogue, design_of, model_of, priors_of
from intlmodels.models.functions import function_variant, source_hash, with_function
from intlmodels.models.share.design import with_family
from studies import LEAST, write_study

EASE = """
[predictors.ease]
kind = "contrast"
file = "traits.csv"
column = "ease"
low = "Hard"
high = "Easy"
"""
FEW = {"draws": 30, "tune": 30, "chains": 2, "cores": 1}
pytestmark = pytest.mark.filterwarnings("ignore::intlmodels.NotConverged")


def latent_normal(design):
    return with_family(design, "logit-normal")


def without_branch(design):
    return replace(design, blocks=design.blocks[1:])


def level_of_nothing(model):
    """No likelihood but that of one row, reported as three in ten: Binomial(10, mean share)."""
    import pymc as pm

    model["likelihood_weights"].set_value(np.zeros(8))
    with model:
        pm.Binomial("counted", 10, model["mu"].mean(), observed=3)
    return model


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return im.load_study(write_study(tmp_path_factory.mktemp("study"), toml=LEAST + EASE))


def test_a_function_of_the_design_fits_what_the_catalogue_fits(study):
    own = im.fit_study(study, latent_normal, **FEW)
    named = im.fit_study(study, "logit-normal", **FEW)
    for group in ("posterior", "posterior_predictive", "estimands"):
        assert own[group].to_dataset().identical(named[group].to_dataset())
    assert own.attrs["variant"] == "latent_normal"
    assert own.attrs["function"].startswith("changes by the Python function latent_normal (")
    assert "function" not in named.attrs
    mine, theirs = (json.loads(fit.attrs["fingerprint"]) for fit in (own, named))
    assert mine["data"] == theirs["data"]
    assert mine["model"].pop("function") == source_hash(latent_normal)
    assert mine["model"] == {**theirs["model"], "variant": "latent_normal"}


def test_its_priors_follow_from_its_design(study):
    changed, name = with_function(study, without_branch)
    assert list(priors_of(changed, name)) == ["intercept", "ease", "phi"]
    assert "without_branch" not in catalogue(study)
    assert "sigma_branch" not in set(im.prior_table(study, without_branch)["name"])
    before = im.prior_predictive(study, without_branch, draws=20)
    shares = before["prior"]["mu"].to_numpy()[0]
    assert [len(np.unique(row)) for row in shares] == [2] * 20


@pytest.mark.slow
def test_a_function_of_the_model_brings_its_own_likelihood(study):
    settings = {**FEW, "draws": 500, "tune": 500}
    fit = im.fit_study(study, level_of_nothing, **settings)
    assert "posterior_predictive" not in fit.children
    assert list(fit["log_likelihood"].data_vars) == ["counted"]
    assert fit.attrs["comparable"] == 0
    # By importance: prior draws weighted by the Binomial probability.
    before = im.prior_predictive(study, draws=20_000)["prior"]["mu"].to_numpy()[0].mean(axis=1)
    weights = before**3 * (1 - before) ** 7
    expected = (weights * before).sum() / weights.sum()
    drawn = fit["posterior"]["mu"].mean("firm").to_numpy()
    error = drawn.std() / np.sqrt(200)
    assert abs(drawn.mean() - expected) < 4 * error + 4 * before.std() / np.sqrt(3000)
    with pytest.raises(im.StudyError, match="another likelihood"):
        im.prior_predictive(study, level_of_nothing)


def test_the_fingerprint_follows_the_text_and_plain_values():
    def made(value):
        def changed(design):
            return replace(design, not_simulated=str(value))

        return changed

    def other(design):
        return replace(design, not_simulated="value")

    assert source_hash(made(1)) == source_hash(made(1))
    assert len({source_hash(own) for own in (made(1), made(2), other)}) == 3
    # Without text the byte code counts.
    texts = ("def f(design):\n  return design", "def f(design):\n  return (design, 1)[0]")
    typed = []
    for text in (*texts, texts[0]):
        names: dict = {}
        exec(text, names)
        typed.append(source_hash(names["f"]))
    assert typed[0] == typed[2] != typed[1]


@pytest.mark.slow
def test_a_stored_fit_of_a_function_is_fitted_once_and_named_in_reports(study, tmp_path):
    im.fit_study(study, out=tmp_path, **FEW)
    first = im.fit_study(study, without_branch, out=tmp_path, **FEW)
    path = tmp_path / "variants" / "without_branch.nc"
    written = path.stat().st_mtime_ns
    again = im.fit_study(study, without_branch, out=tmp_path, **FEW)
    assert path.stat().st_mtime_ns == written
    assert first["posterior"].to_dataset().identical(again["posterior"].to_dataset())
    default, own = jobs.stored_fits(study, tmp_path)
    assert not default.reasons
    assert (own.variant, len(own.reasons)) == ("without_branch", 1)
    assert "Python function" in own.reasons[0]
    page = im.write_report(study, tmp_path).with_name("appendix.html").read_text(encoding="utf-8")
    assert "without_branch (it is defined by a Python function" in page
    assert store.header(path).variant == "without_branch"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda design: design, "a function with a name"),
        (lambda: None, "a function with a name"),
    ],
)
def test_functions_without_a_name_are_refused(function, said, study):
    with pytest.raises(im.StudyError, match=said):
        im.fit_study(study, function)


def test_what_a_function_returns_is_checked(study):
    def nothing(design):
        return None

    def hurdle(design):
        return design

    def no_argument():
        return None

    def no_model(model):
        return 3

    for function, said in (
        (nothing, "returned NoneType; expected a design"),
        (hurdle, "a variant has this name"),
        (no_argument, "one argument"),
        (no_model, "returned int; expected a PyMC model"),
    ):
        with pytest.raises(im.StudyError, match=said):
            im.fit_study(study, function, **FEW)
    with pytest.raises(TypeError, match="variant"):
        im.fit_study(study, 3)
    with pytest.raises(im.StudyError, match="without a PyMC model"):
        im.fit_study("norway", no_model, **FEW)


def test_a_design_is_changed_only_in_the_variant(study):
    assert [block.name for block in design_of(study).blocks] == ["branch", "ease"]
    row = function_variant(without_branch)
    assert [block.name for block in row.apply(design_of(study)).blocks] == ["ease"]
    assert row.comparable


def test_a_design_may_have_no_terms(study):
    def constant(design):
        return replace(design, blocks=())

    changed, name = with_function(study, constant)
    built = model_of(changed).build(changed, name, priors_of(changed, name))
    assert built["mu"].eval().shape == (8,)
