"""Real fits: against another program, against themselves, and every variant at the gate."""

import csv
from collections import deque
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from intlmodels.core import processes
from intlmodels.core.settings import Settings
from intlmodels.fitting import jobs as workflow
from intlmodels.fitting import store
from intlmodels.fitting.diagnostics import Gate, convergence, scalars
from intlmodels.fitting.fit import fit
from intlmodels.studies import load_study
from studies import write_study

pytestmark = pytest.mark.slow

REFERENCE = Path(__file__).parent / "reference" / "rochester_default.csv"


def fitted(study, out):
    """All variants of a study, fitted in parallel as the command line does."""
    jobs = workflow.plan(study, [*workflow.catalogue(study)], out)
    tasks = {partial(workflow.outcome, job): job for job in jobs}
    with processes.helpers(2) as pool:
        done = [(tasks[task], checks) for task, checks in workflow.run_all(deque(tasks), pool, 2)]
    return {job.variant: (job.path, checks) for job, checks in done}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return fitted(load_study("rochester"), tmp_path_factory.mktemp("rochester"))


def test_every_variant_passes_the_gate(stored):
    assert set(stored) == set(workflow.catalogue(load_study("rochester")))
    failed = {name: checks.failures for name, (_, checks) in stored.items() if not checks.passed}
    assert not failed


def test_every_norwegian_variant_passes_the_gate(tmp_path):
    """Their chains start from very different tables; that they agree is part of the gate."""
    study = load_study("norway")
    found = fitted(study, tmp_path)
    assert found.keys() == set(workflow.catalogue(study))
    assert len(found) > 1
    assert not {name: checks.failures for name, (_, checks) in found.items() if not checks.passed}


def read_reference():
    with REFERENCE.open(encoding="utf-8") as file:
        return {
            row["name"]: {key: float(value) for key, value in row.items() if key != "name"}
            for row in csv.DictReader(file)
        }


def numbered(dataset):
    """Scalars under the names that JAGS gives them: product[1] for the first level."""
    labels = {
        "product": list(dataset["product_level"].to_numpy()),
        "expertise": list(dataset["expertise_level"].to_numpy()),
        "mu": list(dataset["firm"].to_numpy()),
    }
    for label, draws in scalars(dataset):
        name, _, level = label.removesuffix("]").partition("[")
        yield (
            label,
            (f"{name}[{labels[name].index(level) + 1}]" if name in labels else label),
            draws,
        )


def test_default_posterior_agrees_with_jags(stored):
    posterior = store.read(stored["default"][0])["posterior"].to_dataset()
    error = dict(zip(*convergence(posterior)["mcse_mean"], strict=True))
    tail = dict(zip(*convergence(posterior)["ess_tail"], strict=True))
    reference, compared = read_reference(), 0
    for label, name, draws in numbered(posterior):
        if name not in reference:
            continue
        known, compared = reference[name], compared + 1
        off = abs(draws.mean() - known["mean"])
        # 34 comparisons: five standard errors are not left by chance
        assert off < 5 * np.hypot(error[label], known["sd"] / np.sqrt(known["ess"])), name
        for quantile, probability in (("q05", 0.05), ("q95", 0.95)):
            found = (draws < known[quantile]).mean()
            scale = np.sqrt(probability * (1 - probability))
            # neighbouring draws of JAGS depend on each other more in the tails than in the mean
            allowed = 5 * scale * np.hypot(1 / np.sqrt(tail[label]), 1 / np.sqrt(known["ess"] / 10))
            assert abs(found - probability) < allowed, (name, quantile)
    assert compared == len(reference) == 34


def test_the_same_seed_gives_the_same_draws_on_one_core_or_two():
    study = load_study("rochester")
    trees = [
        fit(study, settings=Settings(draws=200, tune=200, seed=3, cores=cores)) for cores in (1, 2)
    ]
    for group in ("posterior", "prior", "posterior_predictive", "prior_predictive"):
        first, second = (tree[group].to_dataset() for tree in trees)
        assert first.identical(second), group
    other = fit(study, settings=Settings(draws=200, tune=200, seed=4))
    assert not other["posterior"]["phi"].equals(trees[0]["posterior"]["phi"])


def test_both_samplers_agree(stored):
    study = load_study("rochester")
    ours = store.read(stored["default"][0])["posterior"].to_dataset()[["intercept", "phi", "mu"]]
    theirs = fit(study, settings=Settings(sampler="pymc", draws=1000, seed=8))
    theirs = theirs["posterior"].to_dataset()[["intercept", "phi", "mu"]]
    errors = [dict(zip(*convergence(d)["mcse_mean"], strict=True)) for d in (ours, theirs)]
    other = dict(scalars(theirs))
    for label, draws in scalars(ours):
        error = np.hypot(errors[0][label], errors[1][label])
        assert abs(draws.mean() - other[label].mean()) < 5 * error, label


def test_a_stored_fit_has_all_groups_and_says_how_it_was_made(stored):
    tree = store.read(stored["revenue"][0])
    assert set(tree.children) == {
        "prior",
        "prior_predictive",
        "posterior",
        "posterior_predictive",
        "log_likelihood",
        "log_prior",
        "sample_stats",
        "observed_data",
        "constant_data",
        "estimands",
    }
    assert {"fingerprint", "priors", "settings", "versions", "seed"} <= set(tree.attrs)
    assert list(tree["posterior"]["revenue_missing_firm"].to_numpy()) == ["B", "G"]
    # The log likelihood is that of printed shares: probabilities, never above zero.
    assert (tree["log_likelihood"]["printed_share"] <= 0).all()


def test_a_study_of_ones_own_with_awkward_labels_fits(tmp_path):
    label = 'Tools, "<b>" & Co. – 日本 $x_1$'
    folder = write_study(
        tmp_path / "own",
        edit_firms=[
            ("Birch,25,20,Tools,Toys", f'Birch,25,20,"{label.replace(chr(34), chr(34) * 2)}",Toys')
        ],
    )
    study = load_study(folder)
    (job,) = workflow.plan(study, ["default"], tmp_path / "out")
    workflow.bring_up_to_date(job)
    tree = store.read(job.path)
    assert label in tree["posterior"]["branch_level"].to_numpy()
    assert Gate.from_json(tree.attrs["gate"]).results
