"""Log evidence by bridge sampling, against closed forms and numerical integrals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import special

from intlmodels import load_study
from intlmodels.checks import comparison as c
from intlmodels.checks.bridge import bridge, log_evidence, why_no_evidence
from intlmodels.checks.stored import read_checks, write
from intlmodels.checks.tables import elpds
from intlmodels.models import catalogue, design_of, priors_of
from intlmodels.models.share import observation
from intlmodels.models.share.model import build
from madetrust import comparison
from studies import LEAST, edited, write_study

EASE = '[predictors.ease]\nkind = "contrast"\ncolumn = "ease"\nlow = "Hard"\nhigh = "Easy"\n'
FIRMS = "firm,share,ease\nA,5,Hard\nB,30,Easy\nC,0,Hard\nD,20,Easy\nE,15,Hard\n"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    toml = edited(LEAST, [(LEAST[LEAST.index("[predictors") :], EASE)])
    folder = write_study(tmp_path_factory.mktemp("s"), toml=toml, tables={"firms.csv": FIRMS})
    return load_study(folder)


def test_the_integral_of_a_skewed_density():
    """Logarithms of Gamma(3, 2) draws, and a correlated normal: constants in closed form."""
    rng = np.random.default_rng(3)
    shape, rate = 3.0, 2.0
    cov = np.array([[1.0, 0.6], [0.6, 2.0]])
    skewed = np.log(rng.gamma(shape, 1 / rate, (4, 2000, 1)))
    draws = np.concatenate([skewed, rng.multivariate_normal([1, 2], cov, (4, 2000))], axis=-1)

    def density(points):
        off = points[:, 1:] - [1, 2]
        kernel = -0.5 * np.einsum("di,ij,dj->d", off, np.linalg.inv(cov), off)
        return kernel + shape * points[:, 0] - rate * np.exp(points[:, 0])

    value, error = bridge(density, draws)
    exact = special.gammaln(shape) - shape * np.log(rate)
    exact += np.log(2 * np.pi) + 0.5 * np.linalg.slogdet(cov)[1]
    assert abs(value - exact) < 4 * error
    assert error < 0.02


def test_the_error_is_that_of_repetitions():
    rng = np.random.default_rng(5)
    found = [
        bridge(lambda x: -np.abs(x[:, 0]), rng.laplace(size=(2, 400, 1)), seed)
        for seed in range(80)
    ]
    values, errors = np.array(found).T
    assert abs(values.mean() - np.log(2)) < 4 * values.std() / np.sqrt(80)
    assert np.median(errors) == pytest.approx(values.std(), rel=0.3)


def log_likelihood(study, intercept, ease, phi):
    """Of points, (point,), in numpy."""
    code = design_of(study).blocks[0].weights[:, 0]
    linear = intercept[:, None] + ease[:, None] * code
    return observation.printed_log_probability(
        "beta", linear, {"phi": phi[:, None]}, 5.0, study.outcome.printed
    ).sum(axis=1)


def test_the_evidence_of_a_study_of_three_parameters(study):
    priors = priors_of(study)
    nodes, weights = special.roots_hermitenorm(30)
    weights = weights / weights.sum()
    scaled = [
        priors[name].args[0] + priors[name].args[1] * nodes for name in ("intercept", "ease", "phi")
    ]
    grid = [axis.ravel() for axis in np.meshgrid(*scaled, indexing="ij")]
    mass = np.einsum("i,j,k->ijk", weights, weights, weights).ravel()
    logs = log_likelihood(study, grid[0], grid[1], np.exp(grid[2]))
    exact = special.logsumexp(logs, b=mass)
    # Draws of the posterior by resampling those of the prior.
    rng = np.random.default_rng(11)
    drawn = [rng.normal(*priors[name].args, 100_000) for name in ("intercept", "ease", "phi")]
    drawn[2] = np.exp(drawn[2])
    chance = special.softmax(log_likelihood(study, *drawn))
    chosen = rng.choice(len(chance), size=(4, 1000), p=chance)
    posterior = xr.Dataset(
        {
            name: (("chain", "draw"), values[chosen])
            for name, values in zip(("intercept", "ease", "phi"), drawn, strict=True)
        }
    )
    value, error = log_evidence(build(study), posterior)
    assert abs(value - exact) < 4 * error
    assert error < 0.03


def test_draws_that_lack_a_parameter_are_refused(study):
    with pytest.raises(KeyError, match="phi"):
        log_evidence(
            build(study),
            xr.Dataset({n: (("chain", "draw"), np.zeros((2, 9))) for n in ("intercept", "ease")}),
        )


def test_only_variants_of_the_same_printed_shares_have_an_evidence():
    rochester = load_study("rochester")
    without = {name: why_no_evidence(rochester, name) for name in catalogue(rochester)}
    lacking = {name for name, why in without.items() if why}
    others = {name for name, row in catalogue(rochester).items() if row.outcome}
    assert lacking == {"density", "revenue", "composition", *others}
    assert why_no_evidence(load_study("norway"), "default")


def test_evidence_stands_beside_the_elpd():
    found = comparison(evidence={"heaped": (-54.1, 0.03)})
    table = elpds(found).set_index("variant")
    assert table.loc["heaped", "log_evidence"] == -54.1
    assert np.isnan(table.loc["default", "log_evidence"])


def test_a_comparison_has_tasks_for_the_evidence_and_stores_it(study, tmp_path):
    plans, skipped = c.plans_of(study, list(catalogue(study)), {}, c.settings_for(study, {}))
    check = c.comparison(plans, skipped, tmp_path)
    weighed = [name for name, task in check.tasks.items() if isinstance(task, c.WholeFit)]
    assert len(weighed) == len(plans) == len(check.tasks) // (1 + len(study.firms))
    quality = {"rhat": 1.0, "ess": 900.0, "divergences": 0}
    left = {"lpd": -2.0, "lpd_error": 0.01, "law": [1.0], **quality}
    made = [left] * (len(plans) * len(study.firms)) + [{"value": -9.5, "error": 0.02}, {}]
    made += [{"value": -9.0, "error": 0.02}] * (len(plans) - 2)
    found = check.summarize(made)
    names = list(plans)
    assert found.evidence[names[0]] == (-9.5, 0.02)
    assert names[1] not in found.evidence
    write("comparison", found, study, {}, tmp_path)
    assert read_checks(study, tmp_path, {}).comparison.value.evidence == found.evidence
    old = replace(found, evidence={})
    write("comparison", old, study, {}, tmp_path)
    assert read_checks(study, tmp_path, {}).comparison.value == old
