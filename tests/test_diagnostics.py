"""The gate on made-up chains: each defect is caught, and by its own check."""

import numpy as np
import pytest
import xarray as xr
from arviz_stats.base import array_stats

from intlmodels.fitting.convergence import Convergence, ebfmi
from intlmodels.fitting.diagnostics import CHECKS, MEASURES, Gate, gate


def made_up(rng, draws=1000, chains=4, **stats):
    """Independent draws of two parameters and flawless sampler statistics."""
    shape = (chains, draws)
    coords = {"chain": np.arange(chains), "draw": np.arange(draws), "level": ["low", "high"]}
    posterior = xr.Dataset(
        {
            "a": (("chain", "draw"), rng.normal(size=shape)),
            "b": (("chain", "draw", "level"), rng.normal(size=(*shape, 2))),
        },
        coords=coords,
    )
    sampler = {
        "diverging": np.zeros(shape, bool),
        "maxdepth_reached": np.zeros(shape, bool),
        "energy": rng.normal(size=shape),
    } | stats
    sample_stats = xr.Dataset({k: (("chain", "draw"), v) for k, v in sampler.items()})
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": sample_stats})


def failed(tree):
    return {result.name for result in gate(tree).failures}


def test_independent_draws_pass():
    checks = gate(made_up(np.random.default_rng(1)))
    assert checks.passed
    assert [r.name for r in checks.results] == [c.name for c in CHECKS]


def test_a_chain_elsewhere_is_caught_and_named():
    tree = made_up(np.random.default_rng(2))
    tree["posterior"]["b"][0, :, 1] += 1.0
    checks = gate(tree)
    assert "rhat" in {r.name for r in checks.failures}
    assert next(r for r in checks.results if r.name == "rhat").where == "b[high]"


def test_sticky_draws_are_caught_by_the_effective_sample_size():
    rng = np.random.default_rng(3)
    tree = made_up(rng)
    tree["posterior"]["a"][:] = np.repeat(rng.normal(size=(4, 50)), 20, axis=1)
    assert {"ess_bulk", "ess_tail"} <= failed(tree)


@pytest.mark.parametrize(
    ("statistic", "check"), [("diverging", "divergences"), ("maxdepth_reached", "treedepth")]
)
def test_one_bad_transition_is_enough(statistic, check):
    flags = np.zeros((4, 1000), bool)
    flags[2, 17] = True
    tree = made_up(np.random.default_rng(4), **{statistic: flags})
    assert failed(tree) == {check}
    assert next(r for r in gate(tree).failures).where == "chain 2"


def test_slow_energy_is_caught():
    rng = np.random.default_rng(5)
    energy = rng.normal(size=(4, 1000))
    energy[1] = np.cumsum(rng.normal(size=1000))
    assert failed(made_up(rng, energy=energy)) == {"ebfmi"}


def test_undefined_numbers_fail_rather_than_pass():
    tree = made_up(np.random.default_rng(6))
    tree["posterior"]["a"][1, 5] = np.nan
    assert {"rhat", "ess_bulk", "ess_tail"} <= failed(tree)


def test_estimands_are_checked_as_well():
    rng = np.random.default_rng(7)
    tree = made_up(rng)
    bad = np.repeat(rng.normal(size=(4, 20)), 50, axis=1)
    tree["estimands"] = xr.DataTree(xr.Dataset({"difference": (("chain", "draw"), bad)}))
    worst = {r.name: r.where for r in gate(tree).failures}
    assert worst["ess_bulk"] == "difference"


def test_thinned_estimands_do_not_fail_by_chance_but_a_chain_elsewhere_does():
    rng = np.random.default_rng(7)
    tree = made_up(rng)
    values = rng.normal(size=(4, 250, 600))
    tree["estimands"] = xr.DataTree(xr.Dataset({"difference": (("chain", "draw", "pair"), values)}))
    checks = {r.name: r for r in gate(tree).results}
    assert gate(tree).passed
    assert checks["rhat_clusters"].value > 1.01  # of 600 independent quantities, by chance
    tree["estimands"]["difference"][0, :, 5] += 1.0
    assert {r.name: r.where for r in gate(tree).failures}["rhat_clusters"] == "difference[5]"


def test_a_gate_survives_storage():
    checks = gate(made_up(np.random.default_rng(8)))
    assert Gate.from_json(checks.to_json()) == checks


def all_kinds(rng, chains, draws):
    """Quantities of every kind that a sampler may hand over, (quantity, chain, draw)."""
    normal = rng.normal(size=(chains, draws))
    moving = [normal.copy() for _ in range(4)]
    for own, slope in zip(moving, (0.5, 0.99, -0.5, -0.95), strict=True):
        for t in range(1, draws):
            own[:, t] += slope * own[:, t - 1]
    place = np.arange(chains * draws).reshape(chains, draws)
    strange = [normal.copy() for _ in range(4)]
    strange[0][0, 1] = np.nan
    strange[1][0, 1] = np.inf
    strange[2][0, :2] = -np.inf, np.inf
    strange[3][0] = 0.0
    found = [normal, *moving, *strange, normal + np.arange(chains)[:, None], 1e300 * normal]
    found += [rng.standard_cauchy((chains, draws)), rng.poisson(2, (chains, draws)), normal > 1]
    found += [place, place % 2, place == 3, place // draws, np.where(place == 0, 1, np.inf)]
    found += [np.full(place.shape, value) for value in (0.0, 2.5, np.nan)]
    return np.stack([np.asarray(own, dtype=float) for own in found])


@pytest.mark.parametrize(
    ("chains", "draws"),
    [(4, 1000), (3, 101), (2, 100), (1, 50), (2, 4), (2, 5), (2, 6), (3, 9), (2, 12), (4, 3)],
)
def test_measures_are_those_of_arviz(chains, draws):
    made = all_kinds(np.random.default_rng(draws), chains, draws)
    reference = {
        "rhat": array_stats.rhat,
        "ess_bulk": array_stats.ess,
        "ess_tail": lambda own: array_stats.ess(own, method="tail", prob=(0.05, 0.95)),
        "mcse_mean": array_stats.mcse,
    }
    assert reference.keys() == set(MEASURES)
    with np.errstate(all="ignore"):
        measured = Convergence(made)
        for name, of in reference.items():
            expected = [float(of(own)) for own in made]
            found = getattr(measured, name)()
            np.testing.assert_allclose(found, expected, rtol=1e-10, err_msg=name)
    energy = made[1]
    if draws > 3:
        expected = array_stats.bfmi(energy, chain_axis=0, draw_axis=1)
        np.testing.assert_allclose(ebfmi(energy), expected, rtol=1e-12)
