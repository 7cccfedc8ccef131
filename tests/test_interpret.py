"""What users ask of a fit, against sums by hand over made-up posteriors."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import intlmodels as im
from intlmodels.core.errors import StudyError
from intlmodels.core.formats import amount
from intlmodels.core.rounding import grid
from intlmodels.models.share import coefficients as module
from intlmodels.models.share.coefficients import Change, Coefficients, means_by_group
from intlmodels.models.share.design import default_design
from intlmodels.models.share.estimands import estimate, new_firms, variation_by_source
from intlmodels.models.share.linear import family_parameters, linear_predictor
from intlmodels.results import interpret, share
from panels import CENTER, SCALE, category, contrast, grouping, numeric, panel_study, random_fit

LEVELS = ("Boats", "Tools", "Toys")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return panel_study(tmp_path_factory.mktemp("panel"), groupings=groups(48))


@pytest.fixture(scope="module")
def fit(study):
    return random_fit(study)


def groups(rows):
    """Two crossed groupings, one with correlated slopes."""
    land = np.arange(rows) % 4
    return {
        "land": grouping("land", land, slopes=("owner", "owner_size"), correlated=True),
        "port": grouping("port", (np.arange(rows) // 5) % 3, slopes=("sector", "size")),
    }


def with_predictor(study, **predictors):
    """The study with the rows of some predictors replaced."""
    return replace(study, predictors={**study.predictors, **predictors})


def with_groups(study, name, group):
    """The study with all rows in one group."""
    own = study.groupings[name]
    moved = replace(own, codes=np.full_like(own.codes, group))
    return replace(study, groupings={**study.groupings, name: moved})


def values_of(tree):
    return {str(n): v.to_numpy() for n, v in tree["posterior"].data_vars.items()}


def mean_share(study, tree):
    """Mean share of every row by the numpy form of the model, which knows no estimands; percent."""
    design, values = default_design(study), values_of(tree)
    linear, own = linear_predictor(design, values), family_parameters(design, values)
    mu = 1 / (1 + np.exp(-linear))
    return 100 * mu * (1 - own.get("never", 0)), own


def reported(study, tree, width=5.0):
    """Expected reported share of every row, (chain, draw, row), by scipy."""
    mean, own = mean_share(study, tree)
    mu = mean / 100 / (1 - own.get("never", 0))
    values = grid(width)
    upper = np.minimum(values + width / 2, 100) / 100
    lower = np.maximum(values - width / 2, 0) / 100
    law = stats.beta((mu * own["phi"])[..., None], ((1 - mu) * own["phi"])[..., None])
    return ((law.cdf(upper) - law.cdf(lower)) * values).sum(axis=-1) * (1 - own.get("never", 0))


def sized(study, size):
    """The study with every row of one size (or sizes of its own)."""
    rows = len(study.firms)
    return with_predictor(
        study, size=numeric("size", np.broadcast_to(size, rows), curve="quadratic")
    )


def owned(study, foreign):
    return with_predictor(study, owner=contrast("owner", np.full(len(study.firms), foreign)))


def sizes(study):
    return np.exp(study.predictors["size"].values)


# -- estimands of panels -----------------------------------------------------------------


def test_shares_of_rows_are_those_of_the_model(study, fit):
    found = estimate(fit)
    assert found["row_share"].dims == ("chain", "draw", "row")
    by_hand = reported(study, fit)
    np.testing.assert_allclose(found["row_share"], by_hand, atol=1e-5)
    np.testing.assert_allclose(found["average_share"], by_hand.mean(axis=-1), atol=1e-5)
    codes = study.panel.unit.codes
    each = np.stack([by_hand[..., codes == c].mean(axis=-1) for c in range(12)], axis=-1)
    np.testing.assert_allclose(found["firm_share"], each, atol=1e-5)


def test_shares_of_too_many_rows_are_computed_when_asked_for(fit, monkeypatch):
    stored = estimate(fit)
    monkeypatch.setattr("intlmodels.models.share.estimands.MOST_STORED", 0)
    few = estimate(fit)
    assert set(stored.variables) - set(few.variables) == {"row", "row_share"}
    assert few.equals(stored.drop_vars(["row", "row_share"]))
    tree = fit.assign({"estimands": xr.DataTree(few)})
    found = share.estimands_with_rows(tree)
    np.testing.assert_allclose(found["row_share"], stored["row_share"], atol=1e-4)
    assert found["row_share"].attrs == stored["row_share"].attrs
    # A variant that is only compared is read without the effects of its groups.
    tree["posterior"] = xr.DataTree(tree["posterior"].to_dataset()[["intercept"]])
    assert "row" not in share.estimands_with_rows(tree)


def test_setting_a_predictor_moves_its_square_its_products_and_the_slopes_of_groups(study, fit):
    found = estimate(fit)
    for level, foreign in (("home", 0), ("foreign", 1)):
        got = found["expected_share"].sel(setting=f"owner: {level}")
        by_hand = reported(owned(study, foreign), fit).mean(axis=-1)
        np.testing.assert_allclose(got, by_hand, atol=1e-5)
    larger, smaller = (
        reported(sized(study, np.exp(CENTER + step * SCALE)), fit).mean(axis=-1) for step in (1, -1)
    )
    size = found["difference"].isel(comparison=found["comparison_predictor"] == "size")
    np.testing.assert_allclose(size[..., 0], larger - smaller, atol=1e-5)
    names = set(found["setting_predictor"].to_numpy().tolist())
    assert names == {"owner", "size", "sector", "land", "port"}  # firms are the units


def test_what_is_asked_shows_its_table(fit):
    found = im.comparisons(fit, "owner")
    assert repr(found) == f"comparisons, percentage points:\n{found.table}"
    assert found._repr_html_() == found.table._repr_html_()


def test_groups_are_settings_to_which_all_rows_move(study, fit):
    found = estimate(fit)
    for name, group in (("land", 2), ("port", 0)):
        label = study.groupings[name].labels[group]
        got = found["expected_share"].sel(setting=f"{name}: {label}")
        by_hand = reported(with_groups(study, name, group), fit).mean(axis=-1)
        np.testing.assert_allclose(got, by_hand, atol=1e-5)


def test_of_many_rows_shares_are_looked_up_between_nodes(study, fit, monkeypatch):
    monkeypatch.setattr(module, "FEW", 10**9)
    exact = estimate(fit)
    monkeypatch.setattr(module, "FEW", 0)
    found = estimate(fit)
    for name in ("row_share", "expected_share", "difference"):
        np.testing.assert_allclose(found[name], exact[name], atol=1e-5)


def test_some_draws_at_a_time_are_all_draws(fit, monkeypatch):
    whole = estimate(fit)
    monkeypatch.setattr("intlmodels.models.share.estimands.MOST_CELLS", 300)
    parts = estimate(fit)
    for name in whole.data_vars:
        np.testing.assert_allclose(parts[name], whole[name], atol=1e-9)


def test_precision_and_zeros_differ_by_row(tmp_path, monkeypatch):
    study = panel_study(tmp_path, precision=("owner", "size"), never=("owner", "sector"))
    study = replace(study, outcome=replace(study.outcome, zeros="structural"))
    tree = random_fit(study)
    assert tree.attrs["family"] == "hurdle"
    monkeypatch.setattr(module, "FEW", 10**9)
    found = estimate(tree)
    np.testing.assert_allclose(found["row_share"], reported(study, tree), atol=1e-8)
    home, foreign = (owned(study, value) for value in (0, 1))
    each = [reported(own, tree).mean(axis=-1) for own in (home, foreign)]
    got = found["difference"].sel(comparison="owner: foreign - home")
    np.testing.assert_allclose(got, each[1] - each[0], atol=1e-8)
    never = [mean_share(own, tree)[1]["never"] for own in (home, foreign)]
    abroad = 100 * (1 - np.stack(never).mean(axis=-1))
    got = found["abroad_difference"].sel(comparison="owner: foreign - home")
    np.testing.assert_allclose(got, abroad[1] - abroad[0], atol=1e-8)
    sells = (reported(foreign, tree) / (1 - never[1])).mean(axis=-1)
    got = found["share_if_abroad"].sel(setting="owner: foreign")
    np.testing.assert_allclose(got, sells, atol=1e-8)
    monkeypatch.setattr(module, "FEW", 0)
    near = estimate(tree)
    np.testing.assert_allclose(near["expected_share"], found["expected_share"], atol=1e-4)


def test_splines_walks_and_ordered_predictors(tmp_path):
    year = category("year", np.tile(np.arange(4), 12), ("2000", "2001", "2002", "2003"), "walk")
    stage = category("stage", np.arange(48) % 3, ("low", "mid", "high"), "ordered")
    knots = tuple(np.log([2.0, 10.0, 60.0, 250.0]))
    base = panel_study(tmp_path, interactions={}, groupings={})

    def study(size, stages=stage):
        spline = numeric("size", np.broadcast_to(size, 48), curve="spline", knots=knots)
        return replace(
            with_predictor(base, size=spline, year=year, stage=stages),
            groupings={"land": grouping("land", np.arange(48) % 4, slopes=("stage", "year"))},
        )

    tree = random_fit(study(sizes(base)))
    # What an ordered predictor has in all levels is its total times the steps up to there.
    draws = tree["posterior"].to_dataset()
    steps = draws["stage_steps"].to_numpy().cumsum(axis=-1)
    climb = np.concatenate([np.zeros((2, 20, 1)), steps], axis=-1)
    total = draws["stage_effect"].to_numpy()[..., -1:]
    effect = (draws["stage_effect"].dims, total * climb)
    tree["posterior"] = xr.DataTree(draws.assign(stage_effect=effect))
    found = estimate(tree)
    by_hand = reported(study(sizes(base)), tree)
    np.testing.assert_allclose(found["row_share"], by_hand, atol=1e-5)
    got = im.predictions(tree, at={"size": [30.0], "stage": ["high"]}, by="year")
    there = study(30.0, category("stage", np.full(48, 2), stage.levels, "ordered"))
    by_hand = reported(there, tree)
    for code, period in enumerate(year.levels):
        expected = by_hand[..., year.codes == code].mean(axis=-1)
        share_there = got.draws.sel(size=30.0, stage="high", year=period)
        np.testing.assert_allclose(share_there, expected, atol=1e-8)
    labels = found["comparison"].to_numpy()
    assert "year: 2003 - 2000" in labels
    assert "stage: high - low" in labels


def test_a_split_predictor_is_asked_about_by_its_parts(tmp_path):
    base = panel_study(tmp_path, interactions={})
    study = with_predictor(base, size=numeric("size", sizes(base), split=True))
    tree = random_fit(study)
    found = im.predictions(tree, at={"owner": ["home"], "size_within": [1.0]})
    assert found.draws.sizes["size_within"] == 1
    with pytest.raises(StudyError, match="expected one of 'size_between', 'size_within'"):
        im.slopes(tree, "size")


def test_without_a_common_width_estimands_are_of_the_share_itself(tmp_path):
    study = panel_study(tmp_path, width=0.0)
    tree = random_fit(study)
    mean, _ = mean_share(study, tree)
    found = estimate(tree)
    np.testing.assert_allclose(found["row_share"], mean, atol=1e-9)
    assert len(new_firms(tree, [{"owner": "home"}])["grid"]) == 101


def test_ordered_beta_sums_exact_and_rounded_shares(study):
    design = replace(default_design(study), family="ordered-beta")
    tree = random_fit(study, design)
    found = estimate(tree)["row_share"].to_numpy()
    values = values_of(tree)
    linear = linear_predictor(design, values)
    none = 1 / (1 + np.exp(linear - values["cut_zero"][..., None]))
    top = (values["cut_zero"] + values["cut_range"])[..., None]
    full = 1 / (1 + np.exp(top - linear))
    between = reported(study, tree)
    np.testing.assert_allclose(found, 100 * full + (1 - none - full) * between, atol=1e-5)
    mean, variance = module.moments(Coefficients(tree), linear.reshape(40, -1))
    rng = np.random.default_rng(3)
    mu, phi = 1 / (1 + np.exp(-linear[0, 0, 0])), values["phi"][0, 0]
    drawn = rng.beta(mu * phi, (1 - mu) * phi, 200_000)
    which = rng.random(200_000)
    drawn = np.where(which < none[0, 0, 0], 0, drawn)
    drawn = np.where(which > 1 - full[0, 0, 0], 1, drawn)
    error = drawn.std() / np.sqrt(drawn.size)
    assert mean[0, 0] == pytest.approx(drawn.mean(), abs=4 * error)
    assert variance[0, 0] == pytest.approx(drawn.var(), rel=0.02)


def test_variation_has_groupings_as_sources_and_squares_with_their_predictor(fit):
    names, parts = variation_by_source(Coefficients(fit))
    kept = ["owner", "size", "sector", "owner_size", "land", "port", "firm", "not explained"]
    assert names == kept
    np.testing.assert_allclose(parts.sum(axis=1), 100)


def test_variation_of_many_rows_is_that_of_a_sample(tmp_path, monkeypatch):
    study = panel_study(tmp_path, firms=200, interactions={})
    coefficients = Coefficients(random_fit(study, shape=(1, 10)))
    _, whole = variation_by_source(coefficients)
    monkeypatch.setattr("intlmodels.models.share.estimands.MOST_ROWS", 400)
    _, sample = variation_by_source(coefficients)
    assert abs(whole - sample).max() < 12


def test_pairs_of_very_many_levels_are_not_listed(tmp_path):
    codes = np.arange(48) % 40
    levels = tuple(f"L{i:02d}" for i in range(40))
    study = panel_study(tmp_path, interactions={})
    found = estimate(random_fit(with_predictor(study, sector=category("sector", codes, levels))))
    assert (found["setting_predictor"] == "sector").sum() == 40
    assert "sector" not in found["comparison_predictor"].to_numpy()


# -- predictions, comparisons, slopes ----------------------------------------------------


def test_predictions_at_values_are_averages_with_all_rows_there(study, fit):
    found = im.predictions(fit, at={"owner": ["home", "foreign"], "size": [10, 100]})
    assert found.draws.dims == ("chain", "draw", "owner", "size")
    for foreign, size in itertools.product((0, 1), (10, 100)):
        by_hand = reported(owned(sized(study, size), foreign), fit).mean(axis=-1)
        got = found.draws.sel(owner=("home", "foreign")[foreign], size=size)
        np.testing.assert_allclose(got, by_hand, atol=1e-8)
        row = found.table[(found.table["owner"] == got["owner"].item())]
        row = row[row["size"] == size].iloc[0]
        assert row["median"] == pytest.approx(np.median(by_hand), abs=1e-8)
        assert row["ci_high"] == pytest.approx(np.quantile(by_hand, 0.975), abs=1e-8)


def test_predictions_without_values_are_the_average(study, fit):
    found = im.predictions(fit)
    np.testing.assert_allclose(found.draws, reported(study, fit).mean(axis=-1), atol=1e-8)
    assert len(found.table) == 1


def test_by_averages_over_the_rows_of_each_level(study, fit):
    by_hand = reported(sized(study, 50.0), fit)
    found = im.predictions(fit, at={"size": 50}, by=["sector", "port"])
    sector, port = study.predictors["sector"].codes, study.groupings["port"].codes
    for a, b in itertools.product(range(3), range(3)):
        rows = (sector == a) & (port == b)
        got = found.draws.sel(sector=LEVELS[a], port=study.groupings["port"].labels[b], size=50)
        if rows.any():
            np.testing.assert_allclose(got, by_hand[..., rows].mean(axis=-1), atol=1e-8)
        else:
            assert np.isnan(got).all()
    there = len({*zip(sector.tolist(), port.tolist(), strict=True)})
    assert len(found.table) == there


def test_comparisons_are_differences_of_each_row_with_itself(study, fit):
    difference = reported(owned(study, 1), fit) - reported(owned(study, 0), fit)
    found = im.comparisons(fit, "owner", by="sector")
    codes = study.predictors["sector"].codes
    for code, level in enumerate(LEVELS):
        got = found.draws.sel(sector=level, contrast="foreign \N{MINUS SIGN} home")
        np.testing.assert_allclose(got, difference[..., codes == code].mean(axis=-1), atol=1e-8)
    row = found.table[found.table["sector"] == "Toys"].iloc[0]
    draws = difference[..., codes == 2].mean(axis=-1)
    assert row["p_positive"] == (draws > 0).mean()


def test_a_number_is_compared_with_one_unit_more(study, fit):
    as_observed = reported(study, fit)
    for step, label in ((1.0, "+1 dollar"), (0.5, "+0.5 dollars")):
        more = reported(sized(study, sizes(study) + step), fit)
        asked = "size" if step == 1 else {"size": step}
        found = im.comparisons(fit, asked)
        np.testing.assert_allclose(
            found.draws.sel(contrast=label), (more - as_observed).mean(axis=-1), atol=1e-8
        )


@pytest.mark.parametrize(
    ("how", "labels"),
    [
        ("reference", ["Tools - Boats", "Toys - Boats"]),
        ("sequential", ["Tools - Boats", "Toys - Tools"]),
        ("pairwise", ["Tools - Boats", "Toys - Boats", "Toys - Tools"]),
        (["Toys", "Boats"], ["Boats - Toys"]),
    ],
)
def test_levels_are_compared_as_asked(fit, how, labels):
    found = im.comparisons(fit, {"sector": how})
    assert [v.replace("\N{MINUS SIGN}", "-") for v in found.draws["contrast"].to_numpy()] == labels
    each = im.predictions(fit, at={"sector": list(LEVELS)}).draws
    for place, label in enumerate(labels):
        a, b = label.split(" - ")
        expected = each.sel(sector=a) - each.sel(sector=b)
        np.testing.assert_allclose(found.draws[..., place], expected, atol=1e-9)


def test_several_predictors_are_compared_one_after_the_other(fit):
    found = im.comparisons(fit, ["owner", "size"])
    assert [v.partition(":")[0] for v in found.draws["contrast"].to_numpy()] == ["owner", "size"]


def test_slopes_are_derivatives_per_unit_of_the_predictor(study, fit):
    """Between the difference quotients on both sides, which differ by the curvature."""
    found = im.slopes(fit, "size").draws.sel(slope="size").to_numpy()
    step = 1e-3 * sizes(study)
    up, down = (reported(sized(study, sizes(study) + sign * step), fit) for sign in (1, -1))
    by_hand = ((up - down) / (2 * step)).mean(axis=-1)
    np.testing.assert_allclose(found, by_hand, rtol=1e-4, atol=1e-5)
    there = im.slopes(fit, "size", at={"size": [20.0]}).draws.sel(slope="size", size=20)
    up, down = (reported(sized(study, 20.0 + step), fit) for step in (0.01, -0.01))
    np.testing.assert_allclose(there, (up - down).mean(axis=-1) / 0.02, rtol=1e-4, atol=1e-5)


def test_values_may_be_of_pandas_or_a_generator_and_levels_whole_numbers(tmp_path):
    study = panel_study(tmp_path)
    year = category("year", np.tile(np.arange(4), 12), ("2000", "2001", "2002", "2003"), "walk")
    tree = random_fit(with_predictor(study, year=year))
    plain = im.predictions(tree, at={"size": [10.0, 20.0], "year": ["2001", "2003"]}).draws
    for values in (pd.Series([10, 20]), (x for x in (10, 20)), np.array([10, 20])):
        found = im.predictions(tree, at={"size": values, "year": [2001, np.int64(2003)]})
        xr.testing.assert_equal(found.draws, plain)
    one = im.comparisons(tree, {"year": [2001, 2003]}).draws
    np.testing.assert_array_equal(one, im.comparisons(tree, {"year": ["2001", "2003"]}).draws)


def test_a_contrast_of_ones_own_is_one_line(fit):
    found = im.comparisons(fit, "owner", by="sector")
    both = found.contrast({"sector": "Toys"}, {"sector": "Boats"})
    by_hand = found.draws.sel(sector="Toys") - found.draws.sel(sector="Boats")
    np.testing.assert_allclose(both.draws.squeeze(), by_hand.squeeze(), atol=1e-12)
    assert both.table["p_direction"].between(0.5, 1).all()
    slopes = im.slopes(fit, "size", at={"owner": ["home", "foreign"], "size": [0.5, 2.0]})
    words = slopes.contrast({"owner": "home", "size": 2.0}, {"owner": "home", "size": 0.5})
    assert words.table["contrast"].tolist() == ["home, 2 − home, 0.5"]
    with pytest.raises(StudyError, match=r"no dimension is called 'sectr' \(did you mean 'sector'"):
        found.contrast({"sectr": "Toys"}, {"sector": "Boats"})
    with pytest.raises(StudyError, match="has no such value; expected one of 'Boats'"):
        found.contrast({"sector": "Toy"}, {"sector": "Boats"})


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (
            lambda f: im.predictions(f, at={"sizes": 1}),
            "no predictor or grouping is called 'sizes'",
        ),
        (lambda f: im.predictions(f, at={"sizes": 1}), "did you mean 'size'"),
        (lambda f: im.predictions(f, at={"sector": "Toyz"}), "did you mean 'Toys'"),
        (lambda f: im.predictions(f, at={"size": "big"}), "'size' takes a number"),
        (lambda f: im.predictions(f, at={"size": 0}), "above 0"),
        (lambda f: im.predictions(f, at={"size": []}), "at least one value"),
        (lambda f: im.predictions(f, at={"size": [1, 1]}), "every value of 'size' once"),
        (lambda f: im.predictions(f, at={"owner_size": 1}), "is a product"),
        (lambda f: im.predictions(f, by="size"), "by: found .size.; .size. takes numbers"),
        (lambda f: im.predictions(f, at={"sector": "Toys"}, by="sector"), "is also in at"),
        (lambda f: im.comparisons(f, {"sector": "pairs"}), "expected one of 'reference'"),
        (lambda f: im.comparisons(f, {"size": [1]}), "takes numbers; expected a step"),
        (lambda f: im.comparisons(f, {"size": -500}), "no logarithm"),
        (lambda f: im.comparisons(f, []), "at least one predictor"),
        (lambda f: im.comparisons(f, "owner", by="owner"), "is compared"),
        (lambda f: im.comparisons(f, "owner", at={"owner": "home"}), "is compared"),
        (lambda f: im.slopes(f, "owner"), "has levels, not numbers"),
        (lambda f: im.predictions(f, by=["land", "land"]), "expected every name once"),
        (lambda f: im.predictions(f, at={"size": True}), "takes a number"),
        (lambda f: im.comparisons(f, {"size": 0}), "a step of 'size' upwards or downwards"),
        (lambda f: im.comparisons(f, {"size": np.nan}), "a step of 'size' upwards or downwards"),
        (lambda f: im.plots.curve(f, "owner"), "has levels; expected a numeric predictor: 'size'"),
        (
            lambda f: im.predictions(f, at={"size": [1, 2]}).contrast(2, 1),
            r"contrast: found 2; expected a mapping, as in \{'size': 1.0\}",
        ),
        (lambda f: im.plots.interaction(f, "owner_sise"), "did you mean 'owner_size'"),
    ],
)
def test_what_cannot_be_asked_is_one_clear_line(fit, ask, says):
    with pytest.raises(StudyError, match=says) as error:
        ask(fit)
    assert "\n" not in str(error.value)


# -- curves ------------------------------------------------------------------------------


def test_where_a_quadratic_turns_and_which_shape_it_has(tmp_path):
    """x^2 - 2cx turns at c: a U if c lies between the ends, standardized."""
    study = panel_study(tmp_path)
    at = np.array([[0.5] * 15 + [40.0] * 5, [-0.5] * 10 + [-40.0] * 10])
    bend = np.array([[1.0] * 20, [-0.5] * 20])
    tree = random_fit(study, size=-2 * bend * at, size_squared=bend)
    row = im.turning_points(tree).iloc[0]
    assert row["p_u"] == 15 / 40
    assert row["p_inverted"] == 10 / 40
    assert row["p_inside"] == 25 / 40
    with np.errstate(over="ignore"):
        assert row["median"] == pytest.approx(np.median(np.exp(CENTER + SCALE * at)))
    low, high = sizes(study).min(), sizes(study).max()
    assert (row["observed_low"], row["observed_high"]) == pytest.approx((low, high))


def test_coefficients_in_the_predictors_own_unit(tmp_path):
    sales = np.linspace(1e4, 9e4, 48)
    plain = numeric(
        "sales", sales, transform="none", center=5e4, scale=2e4, unit="dollars", curve="quadratic"
    )
    study = panel_study(tmp_path, interactions={})
    tree = random_fit(with_predictor(study, sales=plain), size=0.6, sales=0.4, sales_squared=-0.2)
    table = im.slopes_in_units(tree).set_index(["predictor", "per"])["mean"]
    assert table["size", "standard deviation"] == pytest.approx(0.6)
    assert table["size", "doubling"] == pytest.approx(0.6 * np.log(2) / SCALE)
    assert table["sales", "10,000 dollars"] == pytest.approx(0.2)
    assert table["sales_squared", "10,000 dollars, squared"] == pytest.approx(-0.05)


def test_amounts_in_words():
    assert amount(1e4, "dollars") == "10,000 dollars"
    assert amount(0.000123) == "0.000123"
    assert amount(1234567.0) == "1,234,567"
    assert amount(-2.5) == "\N{MINUS SIGN}2.5"


def test_pictures(fit):
    found = im.predictions(fit, at={"size": [10, 100]}, by="sector")
    for figure in (
        im.plots.curve(fit, "size"),
        im.plots.interaction(fit, "owner_size"),
        im.plots.predictions(found),
        im.plots.predictions(im.comparisons(fit, "owner")),
        im.plots.predictions(im.slopes(fit, "size", at={"size": [1, 5, 10, 50, 100]})),
    ):
        assert figure.axes[0].get_xlabel()


def test_the_curve_drawn_is_that_of_the_predictions(study, fit):
    found = interpret.curve(fit, "size")
    ends = sizes(study).min(), sizes(study).max()
    assert (found.draws["size"].min(), found.draws["size"].max()) == pytest.approx(ends)
    middle = float(found.draws["size"][16])
    by_hand = reported(sized(study, middle), fit).mean(axis=-1)
    # Of many points shares are looked up between nodes.
    np.testing.assert_allclose(found.draws[..., 16], by_hand, atol=1e-4)


def test_tables_have_a_row_for_each_level_and_each_group(study, fit):
    levels = share.levels(fit)
    counts = levels.groupby("predictor", sort=False)["firms"].agg(list)
    assert list(counts.index) == ["owner", "size", "sector", "land", "port"]
    assert counts["land"] == [12, 12, 12, 12]
    assert counts["sector"] == np.bincount(study.predictors["sector"].codes).tolist()
    assert set(share.variation(fit)["label"]) >= {"Land", "Firm", "Owner by size"}
    assert set(share.ranks(fit)["predictor"]) == {"sector", "land", "port"}
    assert len(im.differences(fit)) == 1 + 1 + 3 + 6 + 3


# -- fits of section 2 -------------------------------------------------------------------


def test_of_rochester_the_same_as_its_estimands():
    study = im.load_study("rochester")
    tree = random_fit(study)
    found = estimate(tree)
    products = list(study.predictors["product"].levels)
    got = im.predictions(tree, at={"product": products}).draws
    for level in products:
        expected = found["expected_share"].sel(setting=f"product: {level}")
        np.testing.assert_allclose(got.sel(product=level), expected, atol=1e-8)
    owner = im.comparisons(tree, "relocatability").draws.squeeze()
    expected = found["difference"].sel(comparison="relocatability: Ease - Difficult")
    np.testing.assert_allclose(owner, expected, atol=1e-8)


# -- new firms ---------------------------------------------------------------------------


def test_a_new_firm_of_a_panel_has_an_effect_of_its_own(tmp_path):
    study = panel_study(tmp_path, interactions={})
    zero = dict.fromkeys(("sigma_sector", "sector", "owner", "size", "size_squared"), 0.0)
    tree = random_fit(study, shape=(4, 2000), intercept=-1.0, sigma_firm=1.0, phi=1e6, **zero)
    found = new_firms(tree, [{"owner": "home", "sector": "Toys", "size": 20.0}], seed=3)
    shares = found["expected_share"].to_numpy().ravel()
    rng = np.random.default_rng(1)
    by_hand = 100 / (1 + np.exp(1.0 - rng.normal(size=100_000)))
    error = by_hand.std() / np.sqrt(shares.size)
    assert shares.mean() == pytest.approx(by_hand.mean(), abs=4 * error)
    assert shares.std() == pytest.approx(by_hand.std(), rel=0.05)
    named = new_firms(tree, [{"firm": "firm 0003", "sector": "Toys"}])
    effect = tree["posterior"]["firm"].sel(firm_level="firm 0003").to_numpy().ravel()
    got = named["expected_share"].to_numpy().ravel()
    np.testing.assert_allclose(got, 100 / (1 + np.exp(1 - effect)), atol=2.6)
    with pytest.raises(StudyError, match="no firm is called 'firm 99'"):
        new_firms(tree, [{"firm": "firm 99"}])


def test_products_of_a_new_firm_follow_its_levels(study, fit):
    """With everything named but the firm, whose effects are nothing here."""
    tree = random_fit(study, sigma_firm=0.0, phi=1e6)
    profile = {"owner": "foreign", "size": 30.0, "sector": "Tools"}
    profile |= {"land": "land 0001", "port": "port 0002"}
    got = new_firms(tree, [profile])["expected_share"].to_numpy()[..., 0]
    same = with_groups(with_groups(owned(sized(study, 30.0), 1), "land", 1), "port", 2)
    same = with_predictor(same, sector=category("sector", np.full(48, 1), LEVELS))
    values = values_of(tree) | {"firm": np.zeros((2, 20, 12))}
    linear = linear_predictor(default_design(same), values)[..., 0]
    np.testing.assert_allclose(got, 100 / (1 + np.exp(-linear)), atol=2.6)


# -- sizes -------------------------------------------------------------------------------


def test_what_is_held_grows_with_rows_and_not_with_their_product_with_draws(tmp_path, monkeypatch):
    """The largest array that is made while a panel is gone through, counted in numbers."""
    study = panel_study(tmp_path, firms=500, interactions={})
    coefficients = Coefficients(random_fit(study, shape=(1, 300)))
    largest = []
    before = Coefficients.rows_linear

    def counted(self, change):
        found = before(self, change)
        largest.append(found.size)
        return found

    monkeypatch.setattr(Coefficients, "rows_linear", counted)
    monkeypatch.setattr("intlmodels.models.share.estimands.MOST_CELLS", 40_000)
    from intlmodels.models.share.estimands import row_averages

    row_averages(coefficients, [Change()])
    assert max(largest) <= 40_000
    assert sum(largest) == 300 * 2000


def test_means_by_group():
    values = np.arange(12.0).reshape(2, 6)
    codes = np.array([2, 0, 2, 0, 0, 2])
    found = means_by_group(values, codes, 4)
    np.testing.assert_allclose(found[0, [0, 2]], [8 / 3, 7 / 3])
    assert np.isnan(found[:, [1, 3]]).all()
    weighted = means_by_group(values, codes, 4, np.array([1, 2, 3, 4, 5, 6]))
    assert weighted[0, 0] == pytest.approx((1 * 2 + 3 * 4 + 4 * 5) / 11)
