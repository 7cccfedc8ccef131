"""What priors imply before seeing data, held against draws of the compiled model."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

import intlmodels as im
from intlmodels.fitting import jobs
from intlmodels.models import model_of, priors_of
from mockfit import mock_fit
from studies import write_study


def compiled(study, variant="default", draws=2000):
    """Reported shares drawn by PyMC from the prior of the model that is fitted."""
    import pymc as pm

    built = model_of(study).build(study, variant, priors_of(study, variant))
    with built:
        before = pm.sample_prior_predictive(draws, var_names=["mu", "phi"], random_seed=3)
    return before["prior"]["mu"].to_numpy()[0]


@pytest.mark.parametrize("variant", ["default", "two-skills"])
def test_expected_shares_are_those_of_the_model_that_is_fitted(variant, tmp_path):
    study = im.load_study(write_study(tmp_path, edit_firms=[("Cedar,0,,", "Cedar,0,9,")]))
    ours = im.prior_predictive(study, variant, draws=2000)["prior"]["mu"].to_numpy()[0]
    theirs = compiled(study, variant)
    for firm in range(ours.shape[1]):
        assert stats.ks_2samp(ours[:, firm], theirs[:, firm]).pvalue > 1e-4
    # Differences between firms depend on the same effects in both.
    for one, other in ((0, 1), (2, 5)):
        both = (ours[:, one] - ours[:, other], theirs[:, one] - theirs[:, other])
        assert stats.ks_2samp(*both).pvalue > 1e-4


def test_reported_shares_lie_on_the_grid_and_follow_the_expected_ones(tmp_path):
    study = im.load_study(write_study(tmp_path))
    tree = im.prior_predictive(study, draws=4000)
    shares = tree["prior_predictive"]["printed_share"].to_numpy()[0]
    assert np.isin(shares, np.arange(0, 101, 5)).all()
    # Rounding moves a mean by less than the standard deviation that it adds, 5 / sqrt(12).
    expected = 100 * tree["prior"]["mu"].to_numpy()[0].mean()
    spread = shares.mean(axis=1).std() / np.sqrt(len(shares))
    assert abs(shares.mean() - expected) < 5 * spread + 0.5


def test_counts_of_decisions_are_those_of_a_fit():
    study = im.load_study("norway")
    tree = im.prior_predictive(study, draws=1000)
    from intlmodels.models import design_of
    from intlmodels.models.decay import inferencedata

    design = design_of(study)
    before = inferencedata.prior(design, priors_of(study), 1000, jobs.settings_of(study).seed)
    assert tree["prior"].to_dataset().identical(before)


def test_overrides_and_seeds_are_followed(tmp_path):
    study = im.load_study(write_study(tmp_path))
    narrow = {"intercept": "Normal(3, 0.01)"}
    one = im.prior_predictive(study, priors=narrow, draws=50, seed=1)
    assert abs(one["prior"]["intercept"].to_numpy() - 3).max() < 0.1
    assert one.identical(im.prior_predictive(study, priors=narrow, draws=50, seed=1))
    assert not one.identical(im.prior_predictive(study, priors=narrow, draws=50, seed=2))
    with pytest.raises(im.StudyError, match="no variant is called"):
        im.prior_predictive(study, "hurdel")


def test_pictures_take_draws_before_any_data(tmp_path):
    study = im.load_study(write_study(tmp_path))
    tree = im.prior_predictive(study, draws=50)
    assert len(im.plots.prior_predictive(tree).axes) == 2
    decisions = im.load_study(im.new_study(tmp_path / "made", "decay", decisions=True))
    for decided in ("norway", decisions):
        assert im.plots.prior_predictive(im.prior_predictive(decided, draws=50)).axes
    with pytest.raises(im.StudyError, match="not a fit"):
        im.plots.estimates(tree)
    fit = jobs._with_estimands(mock_fit(study))
    assert im.plots.prior_predictive(fit).axes


def test_nothing_is_compiled():
    code = (
        "import sys, intlmodels as im; im.prior_predictive('rochester', draws=20);"
        "sys.exit('pymc' in sys.modules or 'nutpie' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
