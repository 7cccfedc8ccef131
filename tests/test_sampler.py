"""The sampler of tables and parameters against sums over every table."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats

from bruteforce import exact
from intlmodels.core.settings import Settings
from intlmodels.models.decay import inferencedata, sampler
from intlmodels.models.decay.design import parameters
from intlmodels.studies.counts import rows
from tinycounts import EARLY, LATE, SOME, count, design

CONTRADICTORY = (
    count("early", 4, periods=(EARLY,)),
    count("late", 4, periods=(LATE,)),
    count("flagged early", 5, "at least", periods=(EARLY,), flags=("yes",)),
)
#: Two firms decided twice in each period, twice with each flag; three tables agree with that.
CROSSED = [
    count(f"{first} {second}", 2, hard=True, **{one: (first,), other: (second,)})
    for one, other in (("firms", "periods"), ("firms", "flags"), ("periods", "flags"))
    for first in {"firms": ("A", "B"), "periods": (EARLY, LATE)}[one]
    for second in {"periods": (EARLY, LATE), "flags": ("no", "yes")}[other]
]
CASES = {
    "hard and noisy": design(*SOME, total=6),
    "contradictory": design(*CONTRADICTORY, rho=0.2),
    "nothing but the total": design(total=4),
    "concentrated": design(*SOME, concentration=0.5),
    "spread": design(*SOME, concentration=5.0, period_weights=(0.8, 0.2)),
    "power": design(*SOME, family="power"),
    "step": design(*SOME, family="step"),
    "period": design(*SOME, by_period=True),
    "common": design(*SOME, common=True),
    "three sizes": design(
        *SOME, sizes=("large", "medium", "small"), size_of_firm=(0, 1, 2), family="power"
    ),
    "one size": design(*SOME, sizes=("all",), size_of_firm=(0, 0, 0), common=True),
    "owners": design(*SOME, owned_since=(1, 0, 2), total=4),
    "missed": design(*SOME, interviews=(5, 1, 2), total=4),
    "all margins": design(*CROSSED, total=8),
}
#: The same in combinations that no variant has.
FURTHER = {
    "owners and period": design(*SOME, owned_since=(1, 1, 2), by_period=True),
    "missed, power": design(*SOME, interviews=(1, 1, 1), family="power"),
    "missed, step": design(*SOME, interviews=(1, 2, 1), family="step", owned_since=(2, 0, 1)),
}
#: The quick cases with few draws a chain, all of them with many.
SLOW = [pytest.param(name, 3000, marks=pytest.mark.slow) for name in CASES | FURTHER]


@pytest.mark.parametrize(("name", "draws"), [*((name, 800) for name in CASES), *SLOW])
def test_draws_agree_with_the_sum_over_all_tables(name, draws):
    case = (CASES | FURTHER)[name]
    wanted = exact(case, draws=8_000)
    settings = Settings(draws=draws, tune=500, chains=4, seed=11)
    drawn = inferencedata.posterior(case, sampler.sample(case, parameters(case), settings))
    for parameter, mean in wanted.mean.items():
        values = drawn[parameter].to_numpy()
        error = _error(values)
        off = (values.mean(axis=(0, 1)) - mean) / np.hypot(error, wanted.error[parameter])
        assert np.abs(off).max() < 4.5, (parameter, off)
    tables = drawn["table"].to_numpy().astype(float)
    off = tables.mean(axis=(0, 1)) - wanted.cells
    scale = np.hypot(_error(tables), wanted.cells_error)
    assert (np.abs(off) <= 4.5 * scale + 1e-12).all()


def _error(values: np.ndarray) -> np.ndarray:
    """Monte Carlo error of the mean over chains and draws; 0 of what never varies."""
    flat = values.reshape(*values.shape[:2], -1)
    found = np.zeros(flat.shape[2])
    for i in range(flat.shape[2]):
        if np.ptp(flat[..., i]) > 0:
            found[i] = array_stats.mcse(
                flat[..., i].astype(float), method="mean", chain_axis=0, draw_axis=1
            )
    return found.reshape(values.shape[2:])


def test_every_hard_count_holds_in_every_draw():
    case = CASES["hard and noisy"]
    drawn = sampler.sample(case, parameters(case), Settings(draws=500, tune=50, chains=2))
    system = rows(case.counts, case.firms, case.periods)
    off = system.deviation(system.true(drawn.tables))
    assert (off[..., system.hard] == 0).all()
    assert (off[..., ~system.hard] > 0).any()  # the others are readings, and move


def test_the_same_seed_gives_the_same_draws_on_any_number_of_cores():
    case = CASES["contradictory"]
    one, two = (
        sampler.sample(case, parameters(case), Settings(draws=50, tune=20, chains=3, cores=cores))
        for cores in (1, 3)
    )
    assert np.array_equal(one.theta, two.theta)
    assert np.array_equal(one.tables, two.tables)


def test_chains_start_from_different_tables():
    case = CASES["contradictory"]
    where = sampler.layout(case)
    starts = [
        sampler._start(case, where, np.random.default_rng(seed), near=seed % 2 == 0)[1]
        for seed in range(6)
    ]
    assert len({start.tobytes() for start in starts}) > 3
