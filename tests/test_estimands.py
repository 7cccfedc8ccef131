"""Estimands of exact made-up posteriors, of which the answers are known."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from intlmodels.core.errors import StudyError
from intlmodels.core.rounding import grid
from intlmodels.models import design_of
from intlmodels.models.share.coefficients import Coefficients
from intlmodels.models.share.estimands import (
    estimate,
    new_firms,
    rank_probabilities,
    variation_by_source,
)
from intlmodels.models.share.inferencedata import constant_data
from intlmodels.results.intervals import interval, summary
from intlmodels.studies import load_study

STUDY = load_study("rochester")
PRODUCTS = ["Photonics Subsystems", "Photonics Value Added", "Precision Optics"]


def tree_of(variant="default", study=STUDY, draws=50, **values):
    """A fit whose draws are all the given values (arrays of draws are kept as they are)."""
    design = design_of(study, variant)
    given = {"intercept": -1.5, "phi": 8.0} | values
    for block in design.blocks:
        name = f"{block.name}_effect" if block.kind == "monotonic" else block.name
        given.setdefault(name, np.zeros(len(block.levels)) if block.levels else 0.0)
        if block.kind in ("category", "nested", "membership"):
            given.setdefault(f"sigma_{block.name}", 0.3)
        if block.missing.size:
            given.setdefault(f"{block.name}_missing", np.zeros(block.missing.size))
    data = {}
    for name, value in given.items():
        array = np.asarray(value, dtype=float)
        if array.shape[:2] != (2, draws):
            array = np.broadcast_to(array, (2, draws, *array.shape)).copy()
        data[name] = (("chain", "draw", *(f"{name}_{i}" for i in range(array.ndim - 2))), array)
    posterior = xr.Dataset(data, coords={"chain": [0, 1], "draw": np.arange(draws)})
    tree = xr.DataTree.from_dict(
        {"posterior": posterior, "constant_data": constant_data(study, design)}
    )
    tree.attrs = {"family": design.family, "seed": 1, "variant": variant}
    return tree


def printed_mean(linear, phi=8.0, width=5.0):
    """Expected printed share by scipy."""
    mu = 1 / (1 + np.exp(-linear))
    values = grid(width)
    law = stats.beta(mu * phi, (1 - mu) * phi)
    upper = np.minimum(values + width / 2, 100) / 100
    lower = np.maximum(values - width / 2, 0) / 100
    return float((values * (law.cdf(upper) - law.cdf(lower))).sum())


def test_expected_share_at_a_level_averages_over_the_firms_as_observed():
    product = np.array([0.2, 0.7, -0.4])
    expertise = np.array([0.5, -0.1, 0.3, -0.6])
    tree = tree_of(relocatability=0.8, product=product, expertise=expertise)
    found = estimate(tree)
    x = STUDY.predictors["relocatability"].values
    e = expertise[STUDY.predictors["expertise"].codes]
    p = product[STUDY.predictors["product"].codes]
    for place, level in enumerate(PRODUCTS):
        by_hand = np.mean([printed_mean(v) for v in -1.5 + 0.8 * x + product[place] + e])
        got = found["expected_share"].sel(setting=f"product: {level}")
        np.testing.assert_allclose(got, by_hand, atol=1e-9)
    ease = np.mean([printed_mean(v) for v in -1.5 + 0.4 + p + e])
    difficult = np.mean([printed_mean(v) for v in -1.5 - 0.4 + p + e])
    got = found["difference"].sel(comparison="relocatability: Ease - Difficult")
    np.testing.assert_allclose(got, ease - difficult, atol=1e-9)
    firms = [printed_mean(v) for v in -1.5 + 0.8 * x + p + e]
    np.testing.assert_allclose(found["firm_share"][0, 0], firms, atol=1e-9)
    np.testing.assert_allclose(found["average_share"], np.mean(firms), atol=1e-9)


def test_all_pairwise_differences_are_there_once():
    found = estimate(tree_of())
    count = {}
    for predictor in found["comparison_predictor"].to_numpy():
        count[predictor] = count.get(predictor, 0) + 1
    assert count == {"relocatability": 1, "product": 3, "expertise": 6}
    assert not found["difference"].any()


def test_probability_of_direction_and_ranks_are_shares_of_draws():
    product = np.zeros((2, 50, 3))
    product[0, :, 1] = 1.0  # half of the draws: Value Added first
    product[1, :, 0] = 1.0  # the other half: Subsystems first
    product[..., 2] = -1.0
    tree = tree_of(product=product)
    tree["estimands"] = xr.DataTree(estimate(tree))
    table = summary(tree["estimands"].to_dataset())
    row = table[table.label == "product: Photonics Subsystems - Photonics Value Added"].iloc[0]
    assert row.p_positive == 0.5
    assert (row.ci_kind, row.ci_prob) == ("eti", 0.95)
    blocks = json.loads(tree["constant_data"].attrs["blocks"])
    ranks = rank_probabilities(tree["estimands"].to_dataset(), blocks)
    got = ranks[ranks.predictor == "product"].set_index(["level", "rank"]).probability
    assert got["Photonics Subsystems", 1] == 0.5
    assert got["Photonics Value Added", 2] == 0.5
    assert got["Precision Optics", 3] == 1.0
    assert ranks.groupby(["predictor", "level"]).probability.sum().round(12).eq(1).all()


def test_a_family_in_the_nested_variant_is_the_average_of_its_labels():
    labels = np.linspace(-0.5, 0.5, 8)
    tree = tree_of("nested-expertise", expertise_label=labels, phi=1e6)
    found = estimate(tree)
    design = {
        label: i
        for i, label in enumerate(
            design_of(STUDY, "nested-expertise").block("expertise_label").levels
        )
    }
    # Design family: Design (4 firms), and three labels with one firm each
    printed = STUDY.predictors["expertise"].printed
    members = [label for label in printed if label.startswith("Design")]
    effect = np.mean([labels[design[label]] for label in members])
    got = found["expected_share"].sel(setting="expertise: Design")
    np.testing.assert_allclose(got, printed_mean(-1.5 + effect, phi=1e6), atol=1e-6)


def test_missing_covariates_enter_with_their_draws():
    tree = tree_of("revenue", revenue=0.5, revenue_missing=np.array([2.0, -1.0]))
    found = estimate(tree)
    assert found["firm_share"].sel(firm="B")[0, 0] == pytest.approx(printed_mean(-1.5 + 1.0))
    assert found["firm_share"].sel(firm="G")[0, 0] == pytest.approx(printed_mean(-1.5 - 0.5))


def test_variation_adds_up_and_goes_to_the_only_source():
    names, parts = variation_by_source(Coefficients(tree_of(product=np.array([0.0, 1.0, -1.0]))))
    assert names == ["relocatability", "product", "expertise", "not explained"]
    np.testing.assert_allclose(parts.sum(axis=1), 100)
    np.testing.assert_allclose(parts[:, [0, 2]], 0, atol=1e-9)
    mu = 1 / (1 + np.exp(1.5 - np.array([0.0, 1.0, -1.0])[STUDY.predictors["product"].codes]))
    within = (mu * (1 - mu) / 9).mean()
    assert parts[0, 1] == pytest.approx(100 * mu.var() / (mu.var() + within), rel=1e-2)


def test_variation_equals_brute_force_over_orders():
    import itertools

    tree = tree_of(
        relocatability=1.0, product=np.array([0.0, 1.0, -1.0]), expertise=np.array([1.0, 0, 0, -1])
    )
    coefficients = Coefficients(tree)
    names, parts = variation_by_source(coefficients)
    pieces = {n: coefficients.contribution(coefficients.place[n])[0] for n in names[:-1]}
    level = -1.5 + sum(p.mean() for p in pieces.values())

    def variance(chosen):
        linear = level + sum(pieces[n] - pieces[n].mean() for n in chosen)
        return np.var(1 / (1 + np.exp(-(linear + np.zeros(22)))))

    gains = dict.fromkeys(pieces, 0.0)
    for order in itertools.permutations(pieces):
        for i, name in enumerate(order):
            gains[name] += (variance(order[: i + 1]) - variance(order[:i])) / 6
    total = 100 - parts[0, -1]
    expected = np.array(list(gains.values())) / sum(gains.values()) * total
    np.testing.assert_allclose(parts[0, :-1], expected, rtol=1e-9)


@pytest.mark.parametrize("variant", ["logit-normal", "hurdle", "heaped", "density"])
def test_expected_share_of_every_family_equals_simulation(variant):
    from intlmodels.models.share.observation import PARAMETERS, simulate

    values = {"phi": 5.0, "sigma": 1.1, "never": 0.3, "heaping": 0.5}
    family = design_of(STUDY, variant).family
    parameters = {name: values[name] for name in PARAMETERS[family]}
    tree = tree_of(variant, intercept=-0.7, **parameters)
    drawn = simulate(
        family,
        np.full(200_000, -0.7),
        {name: np.array(value) for name, value in parameters.items()},
        5.0,
        np.random.default_rng(3),
    )
    error = drawn.std() / np.sqrt(drawn.size)
    got = float(estimate(tree)["average_share"][0, 0])
    assert abs(got - drawn.mean()) < 4.5 * error


def test_a_new_firm_with_a_known_profile():
    tree = tree_of(relocatability=0.6, product=np.array([0.0, 0.5, -0.5]))
    profile = {"relocatability": "Ease", "product": "Precision Optics", "expertise": "Both"}
    found = new_firms(tree, [profile])
    assert found["probability"].sum("grid").item() == pytest.approx(1)
    np.testing.assert_allclose(found["expected_share"], printed_mean(-1.5 + 0.3 - 0.5), atol=1e-9)


def test_a_level_left_out_is_drawn_from_the_spread_of_the_levels():
    tree = tree_of(draws=4000, sigma_product=0.8)
    known = {"relocatability": "Ease", "expertise": "Both"}
    spread = new_firms(tree, [known], seed=5)["expected_share"].to_numpy().ravel()
    z = np.random.default_rng(9).normal(size=2000) * 0.8
    by_hand = np.array([printed_mean(-1.5 + v) for v in z])
    error = np.hypot(spread.std() / np.sqrt(spread.size), by_hand.std() / np.sqrt(z.size))
    assert abs(spread.mean() - by_hand.mean()) < 4.5 * error
    assert spread.std() == pytest.approx(by_hand.std(), rel=0.1)


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ({"produkt": "Precision Optics"}, "no predictor is called 'produkt'"),
        ({"product": "Optics"}, "the levels are Photonics Subsystems"),
        ({"relocatability": 1}, "the levels are Difficult, Ease"),
    ],
)
def test_an_unknown_profile_lists_what_is_known(profile, says):
    with pytest.raises(StudyError, match=says):
        new_firms(tree_of(), [profile])


def test_many_pairs_are_thinned_evenly_and_said(monkeypatch):
    monkeypatch.setattr("intlmodels.models.share.estimands.MOST_PROBABILITIES", 21_000)
    found = estimate(tree_of(draws=50))
    assert found.attrs["every"] > 1
    assert found.sizes["draw"] == len(range(0, 50, found.attrs["every"]))


def test_intervals_are_equal_tailed():
    assert interval(np.arange(1001.0), 0.9) == pytest.approx((50.0, 950.0))


@pytest.mark.parametrize("width", [0.5, 0.1])
@pytest.mark.parametrize("phi", [0.5, 8.0, 300.0, 1e5])
@pytest.mark.parametrize("linear", [-5.0, -3.0, -0.7])
def test_on_a_fine_grid_the_mean_share_stands_for_the_printed_one(width, phi, linear):
    tree = tree_of(draws=1, intercept=linear, phi=phi)
    coefficients = Coefficients(tree)
    coefficients.width = width
    got = coefficients.expected(np.full((2, 1), linear))[0, 0]
    assert got == pytest.approx(printed_mean(linear, phi, width), abs=0.01)
