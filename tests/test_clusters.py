"""Clusters of firms: reading, the model against scipy, estimands by hand, and the report."""

import itertools
import re

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from pytensor.compile.mode import Mode
from scipy import stats

import intlmodels as im
from clusterstudies import CODES, NAMES, TRUE, clusters_study, drawn_study, write_clusters
from intlmodels.checks import calibration, runner
from intlmodels.core import settings
from intlmodels.core.errors import StudyError
from intlmodels.core.rounding import grid
from intlmodels.fitting import fit
from intlmodels.fitting.diagnostics import convergence, gate
from intlmodels.fitting.fit import Refit
from intlmodels.models import design_of, priors_of, pymc
from intlmodels.models.share import estimands, inferencedata, simulator
from intlmodels.models.share.coefficients import Coefficients
from intlmodels.models.share.design import CLUSTER, fixed_priors, parameters
from intlmodels.models.share.model import build
from intlmodels.results import groups as tables
from intlmodels.results import share as results
from intlmodels.studies import describe, load_study, schema
from rendered import appendix, text_of
from studies import STUDY, VARIANTS, write_study
from trees import made_up, store_fits

PLAIN = Mode(linker="py", optimizer=None)
#: One variant of every kind of block and of every family.
EVERY = (
    *("default", "nested-skill", "two-skills", "second-branch", "plain_size", "by-reach"),
    *("logit-normal", "hurdle", "heaped", "density", "reach", "planned"),
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return clusters_study(tmp_path_factory.mktemp("clusters") / "study")


# -- reading -----------------------------------------------------------------------------


def test_clusters_are_read_and_told(study):
    assert study.clusters.labels == NAMES
    assert study.clusters.codes.tolist() == CODES.tolist()
    assert (study.clusters.label, study.clusters.column) == ("Place", "place")
    lines = list(study.lines())
    at = lines.index("clusters, estimated together: 3, Place (places.csv, place)")
    assert [line.split() for line in lines[at + 1 : at + 4]] == [
        ["3", "North"],
        ["3", "South"],
        ["2", "West"],
    ]
    assert study.frame()["cluster"].tolist() == [NAMES[code] for code in CODES]


def test_a_study_without_clusters_has_none(tmp_path):
    study = load_study(write_study(tmp_path))
    assert study.clusters is None
    assert "clusters, estimated together" not in describe(study)
    assert not [name for name in priors_of(study) if CLUSTER in name]
    model = build(study)
    assert not [name for name in model.named_vars if CLUSTER in name]
    assert not [
        name for name in inferencedata.constant_data(study, design_of(study)) if CLUSTER in name
    ]


def test_firms_without_a_share_do_not_count(tmp_path):
    made = write_clusters(tmp_path / "study")
    text = (made / "firms.csv").read_text()
    (made / "firms.csv").write_text(text.replace("Alder,10,", "Alder,,"))
    assert load_study(made).clusters.codes.tolist() == CODES[1:].tolist()


@pytest.mark.parametrize(
    ("edits", "says"),
    [
        (
            {"edit_places": [("Cedar,North", "Cedar,")]},
            "row 4, column 'place': found nothing; expected the name",
        ),
        (
            {
                "edit_places": [
                    *((f"{n},North", f"{n},West") for n in ("Alder", "Cedar", "Hazel")),
                    *((f"{n},South", f"{n},West") for n in ("Birch", "Elder", "Fir")),
                ]
            },
            "every firm is of this cluster; expected two or more",
        ),
        (
            {"edit_toml": [('column = "place"', 'column = "firm"')]},
            r"\[firms\] uses it",
        ),
        (
            {"edit_toml": [('file = "places.csv"\ncolumn = "place"', 'column = "branch"')]},
            r"\[predictors.branch\] uses it",
        ),
        (
            {"edit_toml": [('file = "places.csv"\ncolumn = "place"', 'column = "share"')]},
            r"\[outcome\] uses it",
        ),
        ({"edit_toml": [('column = "place"', 'column = "town"')]}, "town"),
        ({"edit_toml": [("[predictors.ease]", "[predictors.cluster]")]}, "expected another name"),
        (
            {"edit_toml": [("[predictors.ease]", "[predictors.size_by_cluster]")]},
            r"\[predictors.size_by_cluster\].*expected another name",
        ),
        (
            {"edit_toml": [("[variants.plain_size]", "[variants.cluster_z]")]},
            r"\[variants.cluster_z\].*expected another name",
        ),
        (
            {"edit_toml": [('label = "Place"', 'name = "Place"')]},
            "unknown key.*valid here: file, column, label, key",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, edits, says):
    with pytest.raises(StudyError, match=says) as caught:
        clusters_study(tmp_path / "study", **edits)
    assert "\n" not in str(caught.value)


def test_a_cluster_for_each_firm_is_refused(tmp_path):
    made = write_clusters(tmp_path / "study")
    names = "firm,place\n" + "".join(f"{firm},At {firm}\n" for firm in load_study(made).firms)
    (made / "places.csv").write_text(names)
    with pytest.raises(StudyError, match="each of the 8 firms is of a cluster of its own"):
        load_study(made)


PROFILE = """
[[profiles]]
ease = "Easy"
branch = "Toys"
skill = "Both"
size = 10
"""


def test_a_profile_may_name_a_cluster(tmp_path):
    named = clusters_study(tmp_path / "one", more=f'{PROFILE}cluster = "West"\n{PROFILE}')
    assert [profile.get("cluster") for profile in named.profiles] == ["West", None]
    with pytest.raises(StudyError, match="number 1, cluster: found 'Wst'; expected one of 'North'"):
        clusters_study(tmp_path / "two", more=f'{PROFILE}cluster = "Wst"\n')
    toml = STUDY + VARIANTS + PROFILE + 'cluster = "West"\n'
    with pytest.raises(StudyError, match="number 1, cluster: unknown key"):
        load_study(write_study(tmp_path / "three", toml=toml))


# -- the model ---------------------------------------------------------------------------


def test_spreads_between_clusters_have_priors_of_their_own(study):
    design = design_of(study)
    own = {name: p.text for name, p in parameters(design).items() if CLUSTER in name}
    effects = {f"sigma_{b.name}_by_cluster": "HalfNormal(0.25)" for b in design.blocks}
    assert own == {"sigma_cluster": "HalfNormal(0.5)", **effects}
    follows = {name: text for name, text, _ in fixed_priors(design)}
    assert follows["cluster"] == "Normal(0, sigma_cluster)"
    assert follows["skill_by_cluster"] == "Normal(0, sigma_skill_by_cluster)"


def lively_point(model, seed):
    rng = np.random.default_rng(seed)
    return {
        name: np.asarray(rng.normal(0, 0.5, np.shape(value)))
        for name, value in model.initial_point().items()
    }


def constrained(model, *points):
    """Values of all parameters and deterministics at unconstrained points."""
    variables = list(model.unobserved_value_vars)
    function = model.compile_fn(
        variables, inputs=model.value_vars, mode=PLAIN, on_unused_input="ignore"
    )
    names = [v.name for v in variables]
    return [dict(zip(names, function(point), strict=True)) for point in points]


def linear_by_hand(design, v):
    """The linear predictor firm by firm, coefficient by coefficient."""
    total = []
    for firm, cluster in enumerate(CODES):
        eta = v["cluster"][cluster] + (v[design.intercept] if design.intercept else 0.0)
        for block in design.blocks:
            own = v[block.by_cluster][cluster]
            weights = block.weights[firm]
            if block.kind in ("category", "nested", "membership"):
                eta += sum(w * (e + d) for w, e, d in zip(weights, v[block.name], own, strict=True))
            elif block.kind == "monotonic":
                level = int(weights.argmax())
                eta += (v[block.name] + own) * v[f"{block.name}_steps"][:level].sum()
            else:
                value = weights[0]
                if np.isnan(value):
                    value = v[f"{block.name}_missing"][list(block.missing).index(firm)]
                eta += (v[block.name] + own) * value
        total.append(eta)
    return np.array(total)


@pytest.mark.parametrize("variant", EVERY)
def test_the_linear_predictor_is_that_of_the_firms_own_clusters(study, variant):
    model, design = build(study, variant), design_of(study, variant)
    for values in constrained(model, *(lively_point(model, seed) for seed in range(3))):
        expected = linear_by_hand(design, values)
        got = values["eta"] if design.family == "ordered" else values["mu"]
        if design.family != "ordered":
            got = np.log(got) - np.log1p(-got)
        np.testing.assert_allclose(got, expected, atol=1e-10)


@pytest.mark.parametrize("variant", EVERY)
def test_densities_are_finite_and_dimensions_labelled(study, variant):
    model, design = build(study, variant), design_of(study, variant)
    assert np.isfinite(model.compile_logp(mode=PLAIN)(lively_point(model, 4)))
    assert tuple(model.coords["cluster_level"]) == NAMES
    assert model.named_vars_to_dims["cluster"] == ("cluster_level",)
    if "skill_by_cluster" in model.named_vars:
        assert model.named_vars_to_dims["skill_by_cluster"] == ("cluster_level", "skill_level")
    listed = {*parameters(design), *(name for name, _, _ in fixed_priors(design))}
    assert {rv.name.removesuffix("_z") for rv in model.free_RVs} <= listed


# Others have sums of more terms than PyTensor's Python mode adds up; what is compiled can.
@pytest.mark.parametrize("variant", ["two-skills", "by-reach", "reach", "planned"])
def test_gradients_are_finite(study, variant):
    model = build(study, variant)
    assert np.isfinite(model.compile_dlogp(mode=PLAIN)(lively_point(model, 4))).all()


def test_the_log_density_equals_scipy(study):
    """Priors and likelihood of the default, with the changes of variables taken out."""
    model, design = build(study), design_of(study)
    density = model.compile_logp(jacobian=False, mode=PLAIN)
    points = [lively_point(model, seed) for seed in range(3)]
    for point, v in zip(points, constrained(model, *points), strict=True):
        total = stats.norm(-1.5, 1).logpdf(v["intercept"])
        total += stats.norm(0, 0.5).logpdf([v["ease"], v["size"]]).sum()
        total += stats.lognorm(0.8, scale=10).logpdf(v["phi"])
        total += stats.norm(0, 1).logpdf(v["size_mean"]) + stats.halfnorm().logpdf(v["size_sd"])
        block = design.block("size")
        known = np.delete(block.weights[:, 0], block.missing)
        law = stats.norm(v["size_mean"], v["size_sd"])
        total += law.logpdf(known).sum() + law.logpdf(v["size_missing"]).sum()
        for name in ("branch", "skill"):
            total += stats.halfnorm(scale=0.5).logpdf(v[f"sigma_{name}"])
        total += stats.halfnorm(scale=0.5).logpdf(v["sigma_cluster"])
        for b in design.blocks:
            total += stats.halfnorm(scale=0.25).logpdf(v[f"sigma_{b.by_cluster}"])
        # Standardized effects: what they are divided by their spread is standard normal.
        for name in ("branch", "skill", "cluster", *(b.by_cluster for b in design.blocks)):
            total += stats.norm().logpdf(v[name] / v[f"sigma_{name}"]).sum()
        r = study.outcome.printed
        mu = 1 / (1 + np.exp(-linear_by_hand(design, v)))
        law = stats.beta(mu * v["phi"], (1 - mu) * v["phi"])
        upper, lower = np.minimum(r + 2.5, 100) / 100, np.maximum(r - 2.5, 0) / 100
        total += np.log(law.cdf(upper) - law.cdf(lower)).sum()
        assert density(point) == pytest.approx(total, abs=1e-8)


def test_priors_are_drawn_as_stated(study):
    model = build(study)
    names = ["cluster", "sigma_cluster", "skill_by_cluster", "ease_by_cluster"]
    drawn = pm.draw([model[name] for name in names], draws=4000, random_seed=1, mode=PLAIN)
    found = dict(zip(names, drawn, strict=True))
    assert found["sigma_cluster"].mean() == pytest.approx(0.5 * np.sqrt(2 / np.pi), rel=0.05)
    # A normal with a half-normal spread has the variance of that half-normal's scale.
    for name, scale in (("cluster", 0.5), ("skill_by_cluster", 0.25), ("ease_by_cluster", 0.25)):
        assert found[name].std() == pytest.approx(scale, rel=0.05)
    one, other = found["cluster"][:, 0], found["cluster"][:, 1]
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.06


# -- calibration and leave-one-out -------------------------------------------------------


@pytest.mark.parametrize("variant", [v for v in EVERY if v != "density"])
def test_what_is_simulated_is_the_model(study, variant):
    """At the simulated truth the compiled model has the firms' simulated expectations."""
    model, design = build(study, variant), design_of(study, variant)
    priors = priors_of(study, variant)
    truth, given = simulator.simulate(study, design, priors, np.random.default_rng(3))
    data = {name: given[name] for name in given if name in model.named_vars}
    with model:
        pm.set_data(data)
    values = {}
    for rv in model.free_RVs:
        name = rv.name
        plain = name.removesuffix("_z")
        values[rv] = truth[name] if plain == name else truth[plain] / truth[f"sigma_{plain}"]
    central = "eta" if design.family == "ordered" else "mu"
    got = pymc.evaluate(
        model, [model[central]], {rv.name: np.asarray(v)[None] for rv, v in values.items()}
    )
    np.testing.assert_allclose(got[0][0], truth[central], atol=1e-12)


def test_every_deviation_is_ranked(study):
    design = design_of(study)
    truth, given = simulator.simulate(study, design, priors_of(study), np.random.default_rng(5))
    found = simulator.quantities(study, design, truth, given)
    for code, name in enumerate(NAMES):
        assert found[f"cluster[{name}]"] == truth["cluster"][code]
        assert found[f"ease_by_cluster[{name}]"] == truth["ease_by_cluster"][code]
        for place, level in enumerate(design.block("skill").levels):
            own = found[f"skill_by_cluster[{name}, {level}]"]
            assert own == truth["skill_by_cluster"][code, place]
    draws = {
        name: np.broadcast_to(value, (2, 5, *np.shape(value))) for name, value in truth.items()
    }
    many = simulator.quantities(study, design, draws, given)
    assert list(many) == list(found)
    assert all(values.shape == (2, 5) for values in many.values())


def test_one_cluster_is_a_deliberate_error_of_studies_with_several(study, tmp_path):
    assert simulator.POOLED in simulator.wrong_models(design_of(study))
    alone = load_study(write_study(tmp_path))
    assert simulator.POOLED not in simulator.wrong_models(design_of(alone))


def test_a_firm_is_left_out_and_predicted_by_its_cluster(study):
    plan = calibration.plan_of(
        study,
        "default",
        priors_of(study),
        calibration.settings_for(study, {"draws": 60, "tune": 60}),
    )
    refit = Refit(study, "default", plan.priors)
    design = design_of(study)
    posterior, _ = refit.draw(plan.settings, simulator.without(study, design, 3))
    assert posterior["skill_by_cluster"].shape[-2:] == (3, 3)
    law, logs = simulator.predict(study, design, posterior, 3, grid(5.0))
    assert law.sum() == pytest.approx(1, abs=1e-6)
    assert np.isfinite(logs).all()
    assert runner.simulator("share") is simulator


# -- estimands by hand -------------------------------------------------------------------


#: Draws that differ between clusters in everything.
VALUES = {
    "intercept": -1.0,
    "phi": 9.0,
    "cluster": np.array([0.8, -0.5, 0.1]),
    "ease": 0.6,
    "ease_by_cluster": np.array([0.5, -0.4, 0.2]),
    "branch": np.array([0.2, -0.1, 0.3]),
    "branch_by_cluster": np.array([[0.3, 0.0, -0.2], [0.1, 0.4, 0.0], [-0.3, 0.2, 0.5]]),
    "skill": np.array([0.0, 0.5, -0.5]),
    "skill_by_cluster": np.array([[0.1, 0.0, 0.0], [0.0, -0.2, 0.0], [0.0, 0.0, 0.4]]),
    "size": 0.3,
    "size_by_cluster": np.array([0.2, 0.0, -0.3]),
}


def printed_mean(linear, phi=9.0, width=5.0):
    mu = 1 / (1 + np.exp(-linear))
    values = grid(width)
    law = stats.beta(mu * phi, (1 - mu) * phi)
    upper = np.minimum(values + width / 2, 100) / 100
    lower = np.maximum(values - width / 2, 0) / 100
    return float((values * (law.cdf(upper) - law.cdf(lower))).sum())


def one_draw(tree):
    """The same fit with the first draw of its first chain alone."""
    kept = {
        name: group.to_dataset().isel(chain=[0], draw=[0])
        for name, group in tree.children.items()
        if name == "posterior"
    }
    alone = xr.DataTree.from_dict({**kept, "constant_data": tree["constant_data"].to_dataset()})
    alone.attrs = tree.attrs
    return alone


def by_hand(study, values, cluster=None, **settings):
    """Expected printed shares of the firms, with some of their values set."""
    found = []
    for i, own in enumerate(CODES):
        c = own if cluster is None else cluster
        eta = values["intercept"] + values["cluster"][c]
        for name, predictor in study.predictors.items():
            effect, off = values[name], values[f"{name}_by_cluster"][c]
            if predictor.kind == "category":
                place = settings.get(name, predictor.codes[i])
                eta += effect[place] + off[place]
                continue
            if predictor.kind == "contrast":
                x = settings.get(name, predictor.values[i])
            else:
                x = (predictor.values[i] - predictor.center) / predictor.scale
                if np.isnan(x):
                    x = values["size_missing"][0]
                x = settings.get(name, x)
            eta += (effect + off) * x
        found.append(printed_mean(eta, values["phi"]))
    return np.array(found)


@pytest.fixture(scope="module")
def known(study):
    """One draw, and its values."""
    tree = one_draw(made_up(study, VALUES))
    draws = tree["posterior"].to_dataset().isel(chain=0, draw=0)
    return tree, {name: draws[name].to_numpy() for name in draws}


def test_levels_keep_each_firm_in_its_own_cluster(study, known):
    tree, values = known
    found = estimands.estimate(tree).isel(chain=0, draw=0)
    np.testing.assert_allclose(found["firm_share"], by_hand(study, values), atol=1e-9)
    np.testing.assert_allclose(found["average_share"], by_hand(study, values).mean(), atol=1e-9)
    for name in ("branch", "skill"):
        for place, level in enumerate(study.predictors[name].levels):
            expected = by_hand(study, values, **{name: place}).mean()
            got = found["expected_share"].sel(setting=f"{name}: {level}")
            np.testing.assert_allclose(got, expected, atol=1e-9)
    easy, hard = (by_hand(study, values, ease=x) for x in (0.5, -0.5))
    got = found["difference"].sel(comparison="ease: Easy - Hard")
    np.testing.assert_allclose(got, (easy - hard).mean(), atol=1e-9)
    within = found["cluster_difference"].sel(within="ease: Easy - Hard")
    larger, smaller = (by_hand(study, values, size=x) for x in (1.0, -1.0))
    size = found["cluster_difference"].isel(within=-1)
    for code, name in enumerate(NAMES):
        at = code == CODES
        share = found["cluster_share"].sel(cluster_level=name)
        np.testing.assert_allclose(share, by_hand(study, values)[at].mean(), atol=1e-9)
        own = within.sel(cluster_level=name)
        np.testing.assert_allclose(own, (easy - hard)[at].mean(), atol=1e-9)
        own = size.sel(cluster_level=name)
        np.testing.assert_allclose(own, (larger - smaller)[at].mean(), atol=1e-9)


def test_a_cluster_as_a_setting_moves_all_firms_there(study, known):
    tree, values = known
    found = estimands.estimate(tree).isel(chain=0, draw=0)
    moved = [by_hand(study, values, cluster=code).mean() for code in range(3)]
    for code, name in enumerate(NAMES):
        got = found["expected_share"].sel(setting=f"cluster: {name}")
        np.testing.assert_allclose(got, moved[code], atol=1e-9)
    for a, b in itertools.combinations(range(3), 2):
        got = found["difference"].sel(comparison=f"cluster: {NAMES[a]} - {NAMES[b]}")
        np.testing.assert_allclose(got, moved[a] - moved[b], atol=1e-9)


@pytest.mark.parametrize("variant", ["default", "two-skills", "second-branch", "nested-skill"])
def test_coefficients_are_those_of_the_model(study, variant):
    """What the stored draws say of a firm is what the tree's own expectations are."""
    tree = made_up(study, VALUES, variant=variant)
    coefficients = Coefficients(tree)
    total = coefficients.intercept[:, None] + coefficients.clusters.level[:, CODES]
    for block in coefficients.blocks:
        total = total + coefficients.contribution(coefficients.place[block["name"]])
    missing = [i for block in coefficients.blocks for i in block["missing"]]
    mu = tree["posterior"]["mu"].to_numpy().reshape(len(total), -1)
    kept = np.delete(np.arange(len(CODES)), missing)
    np.testing.assert_allclose(1 / (1 + np.exp(-total[:, kept])), mu[:, kept], atol=1e-12)


def test_variation_is_split_between_predictors_and_clusters(study):
    tree = made_up(study, VALUES)
    found = estimands.estimate(tree)["variation"]
    assert list(found["source"].to_numpy()) == [*study.predictors, CLUSTER, "not explained"]
    np.testing.assert_allclose(found.sum("source"), 100)
    alike = made_up(study, {**VALUES, "cluster": np.zeros(3)})
    assert float(abs(estimands.estimate(alike)["variation"].sel(source=CLUSTER)).max()) < 0.5


def test_in_parts_the_variation_is_the_same(study, monkeypatch):
    tree = made_up(study, VALUES)
    whole = estimands.estimate(tree)["variation"]
    monkeypatch.setattr("intlmodels.models.share.estimands.MOST_CELLS", 800)
    np.testing.assert_allclose(estimands.estimate(tree)["variation"], whole, rtol=1e-9)


def test_many_clusters_are_a_table_and_no_settings(study, monkeypatch):
    tree = made_up(study, VALUES)
    few = estimands.estimate(tree)
    monkeypatch.setattr("intlmodels.models.share.estimands.MOST_CLUSTERS", 2)
    found = estimands.estimate(tree)
    assert CLUSTER not in found["setting_predictor"].to_numpy()
    assert CLUSTER not in found["comparison_predictor"].to_numpy()
    np.testing.assert_allclose(found["cluster_share"], few["cluster_share"])
    assert set(found["within_predictor"].to_numpy()) == {"ease", "size"}
    tree["estimands"] = xr.DataTree(found)
    assert CLUSTER not in set(results.levels(tree)["predictor"])
    assert len(tables.by_cluster(tree)) == 3
    assert set(tables.cluster_differences(tree)["predictor"]) == {"ease", "size"}


@pytest.mark.parametrize("variant", ["reach", "planned"])
def test_further_outcomes_have_clusters_too(study, variant):
    tree = made_up(study, VALUES, variant=variant)
    found = estimands.estimate(tree)
    assert found.sizes["cluster_level"] == 3
    if variant == "reach":
        assert found["reached"].sizes["setting"] == found.sizes["setting"]
        stages = found["reached"].sum("stage_level") / 100
        np.testing.assert_allclose(stages, found["expected_share"], atol=1e-9)
        np.testing.assert_allclose(
            found["average_share"], found["firm_share"].mean("firm"), atol=1e-9
        )


# -- new firms ---------------------------------------------------------------------------


def test_a_new_firm_of_a_named_cluster(study, known):
    tree, v = known
    size = study.predictors["size"]
    z = (np.log(12.0) - size.center) / size.scale
    profile = {"ease": "Easy", "branch": "Toys", "skill": "Both", "size": 12.0, "cluster": "West"}
    toys, both = (
        study.predictors[n].levels.index(x) for n, x in (("branch", "Toys"), ("skill", "Both"))
    )
    eta = v["intercept"] + v["cluster"][2] + 0.5 * (v["ease"] + v["ease_by_cluster"][2])
    eta += v["branch"][toys] + v["branch_by_cluster"][2, toys]
    eta += v["skill"][both] + v["skill_by_cluster"][2, both]
    eta += z * (v["size"] + v["size_by_cluster"][2])
    got = im.predict(tree, profile)
    assert float(got["expected_share"].squeeze()) == pytest.approx(printed_mean(eta, v["phi"]))
    assert got["profile"].item() == "Easy, Toys, Both, 12.0 million euros, West"
    with pytest.raises(StudyError, match="no cluster is called 'Wst'; the clusters are 'North'"):
        im.predict(tree, {**profile, "cluster": "Wst"})


def test_a_new_firm_of_a_new_cluster_is_drawn_from_the_spread(study):
    fixed = {"sigma_cluster": 0.6, "sigma_ease_by_cluster": 0.4, "sigma_branch_by_cluster": 0.3}
    fixed |= {"sigma_skill_by_cluster": 1e-6, "sigma_size_by_cluster": 1e-6}
    tree = made_up(study, {**VALUES, **fixed, "phi": 1e5})
    profile = {"ease": "Easy", "branch": "Toys", "skill": "Both", "size": 9.73}
    drawn = im.predict(tree, profile)["expected_share"].to_numpy().ravel() / 100
    linear = np.log(drawn) - np.log1p(-drawn)
    # Half of the contrast's deviation, one of the branch, and the level.
    sd = np.sqrt(0.6**2 + (0.4 / 2) ** 2 + 0.3**2)
    assert linear.std() == pytest.approx(sd, rel=0.12)
    same = im.predict(tree, {**profile, "cluster": "North"})["expected_share"].to_numpy().ravel()
    assert (np.log(same / (100 - same))).std() < 0.2 * sd


# -- tables and the report ---------------------------------------------------------------


@pytest.fixture(scope="module")
def report(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    names = ("default", "two-skills", "reach")
    store_fits(
        study, folder, **{n.replace("-", "_"): made_up(study, VALUES, variant=n) for n in names}
    )
    names = ("data_table", "model", "priors", "levels", "clusters", "new_firms", "limitations")
    return text_of(appendix(study, folder, names))


def test_clusters_beside_their_own_averages(study):
    tree = made_up(study, VALUES)
    table = tables.by_cluster(tree)
    assert list(table["cluster"]) == list(NAMES)
    assert list(table["firms"]) == [3, 3, 2]
    printed = [study.outcome.printed[code == CODES].mean() for code in range(3)]
    np.testing.assert_allclose(table["printed_mean"], printed)
    np.testing.assert_allclose(table["pulled"], table["median"] - printed)


def test_differences_within_clusters_say_where_they_are_borrowed(study):
    table = tables.cluster_differences(made_up(study, VALUES))
    assert list(dict.fromkeys(table["cluster"])) == [tables.ALL, *NAMES]
    own = table[(table["cluster"] == "West") & (table["predictor"] == "branch")]
    at = study.predictors["branch"].codes[CODES == 2]
    for row in own.itertuples():
        for level, firms in ((row.level, row.firms_level), (row.against, row.firms_against)):
            assert firms == (at == study.predictors["branch"].levels.index(level)).sum()
    whole = table[table["cluster"] == tables.ALL]
    assert set(whole["firms_level"] + whole["firms_against"]) <= set(range(17))


def test_conclusions_and_levels_have_the_clusters(study):
    tree = made_up(study, VALUES)
    assert "Place: North against South" in [c.name for c in results.conclusions(tree)]
    levels = results.levels(tree)
    own = levels[levels["predictor"] == CLUSTER]
    assert list(own["firms"]) == [3, 3, 2]
    assert set(own["label"]) == {"Place"}
    ranks = results.ranks(tree)
    assert len(ranks[ranks["predictor"] == CLUSTER]) == 9


def test_the_report_tells_of_clusters(report):
    text = report
    assert "8 firms of 3 clusters are estimated together" in text
    assert "a cluster with few borrows from the others" in text
    assert "With 3 clusters, how much clusters differ is hardly known" in text
    assert re.search(r"\| North \| 3 \| 21\.7 \|", text)
    assert "figures/clusters.svg" in text
    assert "figures/cluster-differences.svg" in text
    assert "| HalfNormal(0.5) | default | sigma_cluster |" in text
    assert "ease_by_cluster" in text
    assert "Where a profile names no cluster, it is that of a new cluster" in text


def test_the_section_is_marked_where_the_fit_failed(study, tmp_path):
    store_fits(study, tmp_path, default=made_up(study, VALUES, fails=True))
    page = appendix(study, tmp_path, ["clusters"])
    assert page.figures
    assert all(part.failed for part in (*page.figures, *page.tables))
    assert text_of(page).count("**Did not converge, not to be quoted:**") >= 3


def test_a_study_without_clusters_has_no_such_section(tmp_path):
    study = load_study(write_study(tmp_path / "study"))
    store_fits(study, tmp_path, default=made_up(study))
    page = appendix(study, tmp_path, ["clusters", "model"])
    assert [section.name for section in page.sections] == ["model"]
    with pytest.raises(StudyError, match="no clusters"):
        im.plots.clusters(made_up(study))


def test_the_key_of_a_profile_is_the_name_of_the_levels():
    assert schema.CLUSTER == CLUSTER


# -- from known parameters ----------------------------------------------------------------


@pytest.mark.slow
def test_known_parameters_are_found_again(tmp_path):
    study, own = drawn_study(tmp_path / "study", clusters=12, firms=40, seed=4)
    tree = fit.fit(study, settings=settings.Settings(draws=400, tune=500, chains=2, seed=5))
    draws = tree["posterior"].to_dataset()
    assert convergence(draws[["intercept", "phi", "cluster"]])["rhat"][1].max() < 1.05
    # Of twelve clusters no more can be known than how far these scatter.
    scatter = {f"sigma_{name}": np.sqrt((drawn**2).mean()) for name, drawn in own.items()}
    for name, truth in {**TRUE, **scatter}.items():
        values = draws[name].to_numpy().ravel()
        assert abs(values.mean() - truth) < 3.5 * values.std(), name
    inside = 0
    for name, truth in own.items():
        values = draws[name].to_numpy().reshape(-1, 12)
        low, high = np.quantile(values, [0.05, 0.95], axis=0)
        inside += int(((low < truth) & (truth < high)).sum())
        assert np.corrcoef(values.mean(axis=0), truth)[0, 1] > 0.75, name
    assert inside >= 16  # of 24; 21.6 are expected
    tree["estimands"] = xr.DataTree(estimands.estimate(tree))
    tree.attrs["gate"] = gate(tree).to_json()
    # With forty firms each a cluster keeps what its own firms say.
    assert (tables.by_cluster(tree)["pulled"].abs() < 3).all()
