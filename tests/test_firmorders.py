"""Orders within a firm: as written, as weights of sequences, in sums over tables and in draws."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import bruteforce
from decaystudies import write_counts_study
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Settings
from intlmodels.models import design_of, priors_of
from intlmodels.models.decay import inferencedata, orders, sampler, simulator, states
from intlmodels.models.decay.design import parameters
from intlmodels.studies import DecayStudy, describe, load_study
from intlmodels.studies.counts import FLAGS
from intlmodels.studies.orders import Order, Step
from test_exact import EVERYTHING, normalization
from test_sampler import _error
from tinycounts import EARLY, FIRMS, LATE, SOME, count, design

ANY, YES, NO = ("no", "yes"), ("yes",), ("no",)
BOTH = (EARLY, LATE)


def order(firm: str, *steps: tuple, **changes) -> Order:
    return Order(firm, tuple(Step(*step) for step in steps), **changes)


FLAGGED_THEN_NOT = order("A", (BOTH, YES), (BOTH, NO))
NOT_THEN_FLAGGED = order("B", (BOTH, NO), (BOTH, YES), hard=True)
CASES = {
    "noisy": design(*SOME, orders=(FLAGGED_THEN_NOT,), rho=0.2),
    "hard": design(*SOME, orders=(NOT_THEN_FLAGGED,)),
    "several": design(
        count("flagged", 3, flags=YES),
        orders=(
            FLAGGED_THEN_NOT,
            NOT_THEN_FLAGGED,
            order("A", (BOTH, NO), ((LATE,), ANY), (BOTH, YES)),
        ),
        rho=0.3,
        family="power",
    ),
    "alike": design(
        count("flagged", 3, flags=YES),
        orders=(order("B", (BOTH, YES), (BOTH, NO)), order("C", (BOTH, YES), (BOTH, NO))),
        rho=0.1,
    ),
    "denied": design(
        *SOME[:2],
        count("few", 1, "at most", hard=True, denied=True, periods=(LATE,)),
        orders=(
            order("A", (BOTH, YES), (BOTH, NO), denied=True),
            order("B", ((EARLY,), ANY), (BOTH, YES), hard=True, denied=True),
        ),
        rho=0.2,
    ),
    "one size": design(
        *SOME,
        orders=(FLAGGED_THEN_NOT, NOT_THEN_FLAGGED),
        sizes=("all",),
        size_of_firm=(0, 0, 0),
        common=True,
    ),
}


# -- sums over tables, and draws -----------------------------------------------------------


def probability(case, level, decay, sigma):
    like = states.likelihood(case, states.structure(case), EVERYTHING)
    points = [np.array([[level[g], decay[g], sigma]]) for g in range(len(case.sizes))]
    weights = [like.of_size(g, point) for g, point in enumerate(points)]
    return float(like.pairs(weights).squeeze())


@pytest.mark.parametrize("name", [name for name in CASES if name != "denied"])
def test_the_probability_of_counts_and_orders_is_the_sum_over_all_sequences(name):
    case = CASES[name]
    for at in (([0.5, -1.0], [0.3, -0.2], 0.7), ([-2.0, 1.5], [1.0, 0.4], 1.9)):
        wanted = bruteforce.probability(case, *at) * math.exp(normalization(case))
        assert probability(case, *at) == pytest.approx(wanted, rel=1e-6)


def test_an_order_over_single_periods_says_what_its_bounds_say():
    case = CASES["noisy"]
    bounds = [
        count("early", 1, "at least", firms=("A",), periods=(EARLY,), flags=YES),
        count("late", 2, "at least", firms=("A",), periods=(LATE,), flags=NO),
    ]
    steps = ((EARLY,), YES), ((LATE,), NO), ((LATE,), NO)
    at = [0.5, -1.0], [0.3, -0.2], 0.7
    counted = replace(case, counts=(*case.counts, *bounds), orders=())
    ordered = replace(case, orders=(order("A", *steps),))
    assert probability(ordered, *at) == pytest.approx(probability(counted, *at), rel=1e-9)


@pytest.mark.parametrize("name", ["several", "denied"])
def test_draws_agree_with_the_sum_over_all_sequences(name):
    case = CASES[name]
    wanted = bruteforce.exact(case, draws=8_000)
    settings = Settings(draws=1500, tune=300, chains=4, seed=11)
    drawn = inferencedata.posterior(case, sampler.sample(case, parameters(case), settings))
    for parameter, mean in wanted.mean.items():
        values = drawn[parameter].to_numpy()
        error = np.hypot(_error(values), wanted.error[parameter])
        assert (np.abs(values.mean(axis=(0, 1)) - mean) < 4.5 * error).all(), parameter
    tables = drawn["table"].to_numpy().astype(float)
    scale = np.hypot(_error(tables), wanted.cells_error)
    off = np.abs(tables.mean(axis=(0, 1)) - wanted.cells)
    assert (off <= 4.5 * scale + 1e-12).all()


def test_hard_orders_that_no_table_allows_are_refused():
    none = count("no flag", 0, hard=True, firms=("B",), flags=YES)
    case = design(none, orders=(NOT_THEN_FLAGGED,))
    with pytest.raises(StudyError, match="counts and orders declared hard"):
        sampler.sample(case, parameters(case), Settings(draws=10, tune=10, chains=2))


# -- one firm's sequence -------------------------------------------------------------------


def longest_match(told: Order, sequence) -> int:
    """Most steps of an order that have decisions in their order, by trying all of them."""
    for size in range(len(told.steps), 0, -1):
        for steps in itertools.combinations(told.steps, size):
            for made in itertools.combinations(sequence, size):
                if all(t in s.periods and y in s.flags for s, (t, y) in zip(steps, made)):  # noqa: B905
                    return size
    return 0


def test_how_far_an_order_is_off_and_its_automaton():
    told = order("A", (BOTH, YES), ((EARLY,), ANY), (BOTH, NO), ((LATE,), YES))
    other = order("A", (BOTH, NO), (BOTH, YES), hard=True)
    case = design(orders=(told, other), rho=0.1)
    own = orders.automaton((told, other), case)
    for early, late in itertools.product(range(4), range(3)):
        for flags in itertools.product(FLAGS, repeat=early + late):
            sequence = list(zip([EARLY] * early + [LATE] * late, flags, strict=True))
            off = len(told.steps) - longest_match(told, sequence)
            assert told.off(sequence) == off
            state = 0
            for period, flag in sequence:
                state = own.move[BOTH.index(period), FLAGS.index(flag), state]
            holds = longest_match(other, sequence) == 2
            assert own.weight[state] == pytest.approx(holds * 0.1**off)


def test_flags_of_a_table_are_arranged_by_chance_and_order():
    told = (order("A", (BOTH, YES), (BOTH, NO), (BOTH, YES)),)
    case = design(orders=told, rho=0.3)
    own = orders.automaton(told, case)
    chance, period = np.array([0.2, 0.7, 0.5, 0.4, 0.9]), np.array([0, 0, 0, 1, 1])
    flagged = np.array([1, 1])
    law = {}
    for flags in itertools.product((0, 1), repeat=5):
        if sum(flags[:3]) == 1 and sum(flags[3:]) == 1:
            sequence = [(BOTH[t], FLAGS[y]) for t, y in zip(period, flags, strict=True)]
            weight = 0.3 ** told[0].off(sequence)
            law[flags] = weight * np.prod(np.where(flags, chance, 1 - chance))
    rng = np.random.default_rng(3)
    drawn = Counter(
        tuple(orders.draw_flags(chance, period, flagged, own, rng).tolist()) for _ in range(4000)
    )
    assert set(drawn) <= set(law)
    expected = np.array(list(law.values())) / sum(law.values()) * 4000
    assert stats.chisquare([drawn[flags] for flags in law], expected).pvalue > 1e-4


def test_tables_reconstructed_from_a_fit_keep_hard_orders():
    case = CASES["hard"]
    drawn = sampler.sample(case, parameters(case), Settings(draws=50, tune=20, chains=2, seed=5))
    found = inferencedata.posterior(case, drawn)
    words = SimpleNamespace(firm_label="firm", event="decision", flag_label="flagged")
    constant = inferencedata.constant_data(words, case)
    tree = xr.DataTree.from_dict({"posterior": found, "constant_data": constant})
    tree.attrs["family"] = case.family
    stored = inferencedata.design_of_fit(tree)
    assert stored.orders == case.orders
    flat = {name: v.reshape(100, *v.shape[2:]) for name, v in _arrays(found).items()}
    rng = np.random.default_rng(1)
    made = inferencedata.arrange(stored, flat, flat["table"], rng)
    for i, table in enumerate(flat["table"]):
        periods = np.repeat(BOTH * len(FIRMS), table.sum(axis=-1).ravel())
        sequence = [
            (t, FLAGS[y])
            for f, t, y in zip(made["firm"][i], periods, made["flag"][i], strict=True)
            if FIRMS[f] == "B"
        ]
        assert NOT_THEN_FLAGGED.off(sequence) == 0
        assert sum(y == "yes" for _, y in sequence) == table[1, :, 1].sum()


def _arrays(drawn):
    return {str(name): drawn[name].to_numpy() for name in drawn.data_vars}


# -- simulated studies ---------------------------------------------------------------------


def test_an_order_and_a_bound_are_stated_with_the_probability_that_is_their_weight():
    few = count("few", 2, "at least", flags=YES)
    case = design(few, orders=(FLAGGED_THEN_NOT, NOT_THEN_FLAGGED), rho=0.5, total=3)
    table = np.zeros((1, 3, 2, 2), int)
    table[0, 0] = [[0, 1], [0, 1]]  # A: flagged twice, one step without a match
    table[0, 1] = [[0, 0], [1, 0]]  # B: not flagged, its order does not hold
    drawn = {
        "intercept": np.zeros(1),
        "large": np.zeros(1),
        "firm": np.zeros((1, 3)),
        "decay": np.zeros((1, 2)),
    }
    rng = np.random.default_rng(2)
    found = [simulator.publish_orders(case, drawn, table, rng) for _ in range(400)]
    assert {said[1].denied for said in found} == {True}
    said = sum(not each[0].denied for each in found)
    assert stats.binomtest(said, 400, 0.5).pvalue > 1e-4
    table[0, 0] = [[0, 0], [0, 1]]
    printed = [simulator.publish(case, table[0], rng)[1] for _ in range(400)]
    denied = [(c.relation, c.value, c.hard) for c in printed if c.denied]
    assert set(denied) == {("at most", 1, True)}
    assert stats.binomtest(len(denied), 400, 0.5).pvalue > 1e-4


def test_a_study_that_is_simulated_has_its_orders_in_the_refit(tmp_path):
    study = written(tmp_path, "counts.orders")
    case, rng = design_of(study), np.random.default_rng(6)
    truth, given = simulator.simulate(study, case, priors_of(study), rng)
    assert truth["table"].sum() == study.total
    assert [o.steps for o in given["orders"]] == [o.steps for o in study.orders]
    assert not simulator.why_not(case)


# -- as written ----------------------------------------------------------------------------

STEPS = '{quantity = "first", periods = ["early"], flag = "yes"}, {flag = "no"}'
MORE = [["id", "relation", "value", "status", "firms"], ["more", "at least", "1", "noisy", "Ash"]]


def written(folder, where, steps=STEPS, firm="Ash", status="noisy", more="", **extra) -> DecayStudy:
    toml = f'[[{where}]]\nfirm = "{firm}"\norder = [{steps}]\nstatus = "{status}"\n{more}\n'
    if where.startswith("variants"):
        toml = f'[variants.text]\nkind = "more counts"\nfile = "more.csv"\n{toml}'
    study = load_study(write_counts_study(folder, toml=toml, files={"more.csv": MORE}, **extra))
    assert isinstance(study, DecayStudy)
    return study


def test_orders_of_a_variant_and_of_the_default(tmp_path):
    study = written(tmp_path / "one", "variants.text.orders", more='where = "p. 1"\nnote = "so"')
    assert study.orders == design_of(study).orders == ()
    (read,) = design_of(study, "text").orders
    assert read == order(
        "Ash", (("early",), YES, "first"), (study.periods, NO), where="p. 1", note="so"
    )
    assert "order   noisy  Ash: first, early, flag yes; then flag no" in describe(study)
    assert "1 more counts (more.csv), 1 order within firms" in describe(study)
    study = written(tmp_path / "two", "counts.orders", status="hard")
    assert design_of(study).orders == design_of(study, "rho-0.2").orders == study.orders
    assert study.orders[0].hard


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"firm": "Ahs"}, "no such firm (did you mean 'Ash'?); expected one of 'Ash'"),
        ({"status": "sure"}, "expected one of 'hard', 'noisy'"),
        ({"steps": '{flag = "yes"}'}, "expected two steps or more"),
        ({"steps": '{flag = "yes"}, {}'}, "order, step 2: expected periods, a flag, or both"),
        ({"steps": '{flag = "maybe"}, {flag = "no"}'}, "expected one of 'no', 'yes'"),
        ({"steps": '{flags = "yes"}, {flag = "no"}'}, "unknown key (did you mean 'flag'?)"),
        ({"steps": '{periods = []}, {flag = "no"}'}, "expected one period or more, each once"),
        (
            {"steps": '{periods = ["erly"]}, {flag = "no"}'},
            "no such period (did you mean 'early'?)",
        ),
        (
            {"steps": '{periods = ["late"]}, {flag = "no"}, {periods = ["early"]}'},
            "step 3 cannot follow: the steps before it reach 'late' at least",
        ),
        ({"steps": ", ".join(['{flag = "no"}'] * 7)}, "as there are decisions in all, 6"),
        (
            {
                "steps": ", ".join(['{flag = "no"}'] * 5),
                "more": '[[counts.orders]]\nfirm = "Ash"\nstatus = "hard"\n'
                f"order = [{', '.join(['{flag = "yes"}'] * 4)}]",
            },
            "expected at most 8 steps in all orders of a firm, found 9",
        ),
        ({"more": 'why = "x"'}, "unknown key"),
    ],
)
def test_a_bad_order_is_refused_in_one_line(tmp_path, changes, expected):
    with pytest.raises(StudyError) as caught:
        written(tmp_path / "study", "counts.orders", **changes)
    text = str(caught.value)
    assert expected in text
    assert "study.toml, key [[counts.orders]] number" in text
    assert "\n" not in text
