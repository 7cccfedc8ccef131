"""The share model of panels: every term and law against sums by hand, scipy, and integrals."""

from dataclasses import fields, replace
from functools import reduce
from operator import add

import numpy as np
import pytensor.tensor as pt
import pytest
from numpy.polynomial.hermite_e import hermegauss
from pytensor.compile.mode import Mode
from scipy import stats
from scipy.interpolate import CubicSpline
from scipy.special import expit, logit

from intlmodels.core.rounding import grid, intervals
from intlmodels.core.settings import Settings
from intlmodels.fitting.diagnostics import convergence
from intlmodels.models import catalogue, design_of, priors_of
from intlmodels.models.base import flat
from intlmodels.models.pymc import LOWER, OBSERVED, UPPER, WEIGHTS
from intlmodels.models.share import observation, panels, simulator
from intlmodels.models.share.design import (
    FIRM,
    fixed_priors,
    lkj_shapes,
    parameters,
    spline_basis,
    walk,
)
from intlmodels.models.share.inferencedata import constant_data, predictive
from intlmodels.models.share.linear import family_parameters, linear_predictor
from intlmodels.models.share.model import _correlation_factor, build
from intlmodels.studies import Interaction, Terms
from panels import category, contrast, grouping, numeric, panel_study, random_draws

PLAIN = Mode(linker="py", optimizer=None)
FIRMS, YEARS = 12, 4


def mixed(study):
    """The same with widths that differ from row to row, zeros and hundreds, and weights."""
    rng = np.random.default_rng(8)
    rows = len(study.firms)
    widths = rng.choice([1.0, 5.0, 0.1], rows)
    printed = np.array([rng.choice(grid(width)) for width in widths])
    printed[:4], printed[4:6] = 0.0, 100.0
    ends = [intervals(value, width) for value, width in zip(printed, widths, strict=True)]
    weights = rng.gamma(3, size=rows)
    outcome = replace(
        study.outcome,
        width=0.0,
        printed=printed,
        lower=np.array([low for low, _ in ends]),
        upper=np.array([high for _, high in ends]),
        widths=widths,
        weights=weights * rows / weights.sum(),
    )
    return replace(study, outcome=outcome)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Every term, structural zeros, and intervals that differ."""
    base = panel_study(tmp_path_factory.mktemp("panel") / "study", FIRMS, YEARS)
    rng = np.random.default_rng(3)
    rows = len(base.firms)
    sizes = rng.lognormal(3, 1, rows)
    spread = tuple(np.quantile(np.log(sizes), [0, 1 / 3, 2 / 3, 1]))
    predictors = {
        "owner": contrast("owner", rng.integers(0, 2, rows)),
        "size": numeric("size", rng.lognormal(3, 1, rows), split=True),
        "age": numeric("age", rng.lognormal(2, 1, rows), curve="quadratic"),
        "sales": numeric("sales", sizes, curve="spline", knots=spread),
        "stage": category("stage", rng.integers(0, 3, rows), ("low", "mid", "high"), "ordered"),
        "year": category("year", base.panel.codes, base.panel.periods, "walk"),
        "branch": category("branch", rng.integers(0, 3, rows), ("Boats", "Tools", "Toys")),
    }
    interactions = {
        "owner_age": Interaction("owner_age", ("owner", "age"), "Owner by age"),
        "branch_owner": Interaction("branch_owner", ("branch", "owner"), "Branch by owner"),
        "branch_stage": Interaction("branch_stage", ("branch", "stage"), "Branch by stage"),
    }
    groupings = {
        "country": grouping(
            "country",
            rng.integers(0, 4, rows),
            slopes=("owner", "branch", "stage"),
        ),
        "town": grouping(
            "town", rng.integers(0, 5, rows), slopes=("owner", "sales"), correlated=True
        ),
    }
    outcome = replace(base.outcome, zeros="structural")
    own = replace(
        base,
        outcome=outcome,
        predictors=predictors,
        interactions=interactions,
        groupings=groupings,
        precision=("owner", "branch"),
        never=("size", "owner"),
    )
    return mixed(own)


def lively(model, seed):
    rng = np.random.default_rng(seed)
    return {n: rng.normal(0, 0.5, np.shape(v)) for n, v in model.initial_point().items()}


def named(model, point):
    """Free variables and what follows from them, by name, at a point."""
    wanted = [*model.free_RVs, *model.deterministics]
    inputs = model.value_vars
    outputs = model.replace_rvs_by_values(wanted)
    function = model.compile_fn(outputs, inputs=inputs, mode=PLAIN, on_unused_input="ignore")
    return {rv.name: value for rv, value in zip(wanted, function(point), strict=True)}


def by_hand(study, v):
    """Linear predictor of each row, term by term from the columns of the study."""
    p, g = study.predictors, study.groupings
    firm = study.panel.unit.codes
    values = p["size"].values
    means = np.array([values[firm == f].mean() for f in range(FIRMS)])[firm]
    between = (means - means.mean()) / means.std(ddof=1)
    within = (values - means) / (values - means).std(ddof=1)
    age = (p["age"].values - p["age"].center) / p["age"].scale
    sales = (p["sales"].values - p["sales"].center) / p["sales"].scale
    knots = (np.array(p["sales"].knots) - p["sales"].center) / p["sales"].scale
    basis = spline_basis(sales, knots)
    owner, branch, stage = p["owner"].values, p["branch"].codes, p["stage"].codes
    climb = np.concatenate([[0.0], np.cumsum(v["stage_steps"])])
    country, town = g["country"].codes, g["town"].codes
    total = []
    for r in range(len(study.firms)):
        eta = v["intercept"] + v["country"][country[r]] + v["town"][town[r]] + v["firm"][firm[r]]
        slope = v["owner"] + v["owner_by_country"][country[r]] + v["owner_by_town"][town[r]]
        eta += slope * owner[r]
        eta += v["size_between"] * between[r] + v["size_within"] * within[r]
        eta += v["age"] * age[r] + v["age_squared"] * age[r] ** 2
        eta += (v["sales"] + v["sales_by_town"][town[r]]) @ basis[r]
        eta += (v["stage"] + v["stage_by_country"][country[r]]) * climb[stage[r]]
        eta += v["year"][p["year"].codes[r]]
        eta += v["branch"][branch[r]] + v["branch_by_country"][country[r], branch[r]]
        eta += v["owner_age"] @ [owner[r] * age[r], owner[r] * age[r] ** 2]
        eta += v["branch_owner"][branch[r]] * owner[r]
        eta += v["branch_stage"][3 * branch[r] + stage[r]]
        total.append(eta)
    log_phi = np.log(v["phi"]) + v["phi_owner"] * owner + v["phi_branch"][branch]
    odds = logit(v["never"]) + v["never_size_between"] * between
    odds = odds + v["never_size_within"] * within + v["never_owner"] * owner
    return np.array(total), np.exp(log_phi), expit(odds)


def test_the_density_is_the_sum_over_rows_by_hand(study):
    model = build(study)
    outcome = study.outcome
    logp = model.compile_logp(vars=model.observed_RVs[-1], sum=False, mode=PLAIN)
    for seed in range(3):
        point = lively(model, seed)
        v = named(model, point)
        eta, phi, never = by_hand(study, v)
        mu = expit(eta)
        np.testing.assert_allclose(v["mu"], mu, rtol=1e-10)
        law = stats.beta(mu * phi, (1 - mu) * phi)
        # Upper tails from the other side, where differences of distribution functions lose digits.
        inside = np.where(
            outcome.lower > mu,
            law.sf(outcome.lower) - law.sf(outcome.upper),
            law.cdf(outcome.upper) - law.cdf(outcome.lower),
        )
        row = np.log((1 - never) * inside + never * (outcome.lower == 0))
        (found,) = logp(point)
        likely = row > -15
        assert likely.mean() > 0.5
        np.testing.assert_allclose(found[likely], (outcome.weights * row)[likely], rtol=1e-6)


def test_the_gradient_is_that_of_differences(study):
    model = build(study)
    total = reduce(add, [term.sum() for term in model.logp(sum=False)])
    slopes = pt.concatenate([own.ravel() for own in pt.grad(total, model.value_vars)])
    value, slope = (model.compile_fn(own, mode=PLAIN) for own in (total, slopes))
    point = lively(model, 4)
    found, place, rng = slope(point), 0, np.random.default_rng(2)
    for variable in model.value_vars:
        size = np.size(point[variable.name])
        k = int(rng.integers(size))
        ends = []
        for off in (1e-5, -1e-5):
            moved = np.array(point[variable.name], dtype=float)
            moved.ravel()[k] += off
            moved = moved if moved.ndim else float(moved)
            ends.append(float(value({**point, variable.name: moved})))
        np.testing.assert_allclose(
            found[place + k], (ends[0] - ends[1]) / 2e-5, rtol=1e-4, atol=1e-4
        )
        place += size


def test_numpy_and_the_graph_agree(study):
    design, model = design_of(study), build(study)
    point = lively(model, 5)
    v = named(model, point)
    eta, phi, never = by_hand(study, v)
    np.testing.assert_allclose(linear_predictor(design, v), eta, rtol=1e-10)
    own = family_parameters(design, v)
    np.testing.assert_allclose(own["phi"], phi, rtol=1e-10)
    np.testing.assert_allclose(own["never"], never, rtol=1e-10)


# -- terms ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [3, 4, 6])
def test_the_basis_spans_all_natural_splines(count):
    rng = np.random.default_rng(count)
    knots = np.sort(rng.normal(size=count))
    spline = CubicSpline(knots, rng.normal(size=count), bc_type="natural")
    inside = np.linspace(knots[0], knots[-1], 60)
    basis = np.column_stack([np.ones(60), spline_basis(inside, knots)])
    assert basis.shape[1] == count
    coefficients = np.linalg.lstsq(basis, spline(inside), rcond=None)[0]
    np.testing.assert_allclose(basis @ coefficients, spline(inside), atol=1e-9)
    for end, sign in ((knots[0], -1), (knots[-1], 1)):
        beyond = end + sign * np.array([0.0, 0.7, 2.0])
        drawn = np.column_stack([np.ones(3), spline_basis(beyond, knots)]) @ coefficients
        line = spline(end) + spline(end, 1) * (beyond - end)
        np.testing.assert_allclose(drawn, line, atol=1e-7)


def test_a_walk_is_the_sum_of_its_steps_around_zero():
    steps = np.array([0.5, -1.0, 2.0])
    effect = walk(4) @ steps
    np.testing.assert_allclose(np.diff(effect), steps)
    np.testing.assert_allclose(effect.sum(), 0.0, atol=1e-12)


def test_correlations_are_from_lkj():
    rng = np.random.default_rng(1)
    size, draws = 4, 4000
    shapes = lkj_shapes(size)
    partial = 2 * rng.beta(shapes, shapes, size=(draws, len(shapes))) - 1
    found = np.array([simulator.correlations(row, size) for row in partial])
    factor = _correlation_factor(partial[0], size).eval(mode=PLAIN)
    np.testing.assert_allclose(factor @ factor.T, found[0], atol=1e-12)
    # Each correlation of LKJ(eta) is Beta(a, a) on (-1, 1), a = eta + size / 2 - 1.
    law = stats.beta(3, 3, loc=-1, scale=2)
    for i, j in zip(*np.tril_indices(size, -1), strict=True):
        assert stats.kstest(found[:, i, j], law.cdf).pvalue > 1e-4


def test_parameters_have_the_priors_of_the_field(study):
    own = {name: prior.text for name, prior in parameters(design_of(study)).items()}
    assert own["sigma_firm"] == "HalfNormal(1)"
    assert own["sigma_country"] == "HalfNormal(0.5)"
    assert own["sigma_owner_by_country"] == "HalfNormal(0.25)"
    assert own["age_squared"] == "Normal(0, 0.25)"
    assert own["sigma_year"] == own["sigma_branch_owner"] == "HalfNormal(0.25)"
    assert own["phi_owner"] == "Normal(0, 0.25)"
    assert own["sigma_phi_branch"] == "HalfNormal(0.25)"
    assert own["never_owner"] == own["size_within"] == "Normal(0, 0.5)"
    follows = {name: text for name, text, _ in fixed_priors(design_of(study))}
    assert follows["town_correlation"] == "LKJ(2)"
    assert follows["owner_age"] == "Normal(0, 0.25)"


def test_variants_add_and_drop_terms(study):
    variants = {
        "plain": Terms("plain", "", add=(), drop=("owner", FIRM)),
        "more": Terms("more", "", add=("branch",), drop=()),
    }
    own = replace(study, variants=variants)
    names = {v: [block.name for block in design_of(own, v).blocks] for v in ("plain", "more")}
    default = [block.name for block in design_of(own).blocks]
    assert not {"branch", "branch_owner"} & set(default)
    assert {"branch", "branch_owner"} <= set(names["more"])
    assert not {"owner", "owner_age"} & set(names["plain"])
    assert design_of(own, "plain").grouping(FIRM) is None
    assert {"rounded", "hurdle"} & set(catalogue(own)) == {"rounded"}
    assert design_of(own, "rounded").never == ()


# -- laws ----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["beta", "hurdle", "ordered-beta", "logit-normal"])
@pytest.mark.parametrize("width", [0.1, 1.0, 5.0, None])
def test_what_a_row_may_report_sums_to_one(family, width):
    lower, upper = (
        (np.array([0.0, 0.1, 0.25]), np.array([0.1, 0.25, 1.0]))
        if width is None
        else intervals(grid(width), width)
    )
    values = {"phi": 6.0, "never": 0.3, "sigma": 1.2, "cut_zero": -3.0, "cut_range": 4.0}
    own = {n: np.asarray(values[n]) for n in observation.PARAMETERS[family]}
    linear = np.array([-6.0, -1.0, 2.0])[:, None]
    logs = observation.interval_log_probability(family, linear, own, lower, upper)
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1.0, atol=1e-9)
    if width is not None:
        grids = observation.printed_probabilities(family, linear[:, 0], own, width)
        np.testing.assert_allclose(grids, np.exp(logs), atol=1e-9)


def test_exact_ends_are_those_of_ordered_beta():
    own = {"phi": np.asarray(9.0), "cut_zero": np.asarray(-2.0), "cut_range": np.asarray(3.0)}
    rng = np.random.default_rng(4)
    share = observation.simulate_share("ordered-beta", np.full(40_000, 0.4), own, rng)
    for end, chance in ((0.0, expit(-2.0 - 0.4)), (1.0, expit(0.4 - 1.0))):
        error = np.sqrt(chance * (1 - chance) / len(share))
        assert abs((share == end).mean() - chance) < 4 * error


def test_shares_are_put_into_their_bands(study):
    bands = ((0.0, 0.1), (0.1, 0.25), (0.25, 1.0))
    rows = len(study.firms)
    outcome = replace(study.outcome, bands=bands, widths=np.full(rows, np.nan))
    share = np.random.default_rng(1).random((5, rows))
    value, lower, upper = observation.report(share, outcome)
    assert ((lower <= share) & (share <= upper)).all()
    assert {*zip(lower.ravel(), upper.ravel(), strict=True)} == set(bands)
    np.testing.assert_allclose(value, 50 * (lower + upper))
    gap = replace(outcome, bands=(bands[0], (0.2, 1.0)))
    assert not simulator.why_not(design_of(replace(study, outcome=outcome)))
    assert "do not follow" in simulator.why_not(design_of(replace(study, outcome=gap)))


def test_simulated_rows_keep_their_widths(study):
    design, priors = design_of(study), priors_of(study)
    truth, given = simulator.simulate(study, design, priors, np.random.default_rng(6))
    outcome = study.outcome
    for value, width, low, high in zip(
        given[OBSERVED], outcome.widths, given[LOWER], given[UPPER], strict=True
    ):
        np.testing.assert_allclose(intervals(value, width), (low, high))
    np.testing.assert_array_equal(given[WEIGHTS], 1.0)
    found = simulator.quantities(study, design, truth, given)
    assert {"town_correlation[town, owner_by_town]", "phi_owner", "log likelihood"} <= set(found)
    assert all(np.isfinite(value).all() for value in found.values())


def test_ignoring_firms_is_a_deliberate_error(study):
    design = design_of(study)
    assert "no-firms" in simulator.wrong_models(design)
    alone, variant, priors = simulator.misspecified(study, "default", priors_of(study), "no-firms")
    assert design_of(alone, variant).grouping(FIRM) is None
    assert "sigma_firm" not in priors


# -- what is stored, and what is left out ------------------------------------------------


def test_constant_data_hold_the_terms(study):
    data = constant_data(study, design_of(study))
    assert data["design"].dims == ("row", "coefficient")
    assert data["firm_code"].to_numpy().tolist() == study.panel.unit.codes.tolist()
    assert data.attrs["rounding_width"] == 0
    assert {"country_code", "town_code", "precision_design", "never_design"} <= set(data)


def test_rows_are_predicted_in_their_own_intervals(study):
    design = design_of(study)
    draws = random_draws(design, (1, 30))
    found = predictive(study, design, draws, 1, 1)["printed_share"]
    assert found.dims == ("chain", "draw", "row")
    for r, width in enumerate(study.outcome.widths):
        assert np.isin(found.to_numpy()[..., r], grid(width)).all()


def test_a_firm_is_left_out_with_all_of_its_rows(study):
    design = design_of(study)
    weights = simulator.without(study, design, 3)[WEIGHTS]
    assert (weights == 0).sum() == YEARS
    assert simulator.units(study, design) == list(study.panel.unit.labels)
    # One draw repeated: the mean over the firm's own effect is then an integral.
    one = random_draws(design, (1, 1))
    many = one.isel(draw=np.zeros(400, dtype=int)).assign_coords(draw=np.arange(400))
    rows = np.flatnonzero(study.panel.unit.codes == 3)
    values = {str(n): one[n].to_numpy()[0, 0] for n in one}
    law, logs = simulator.predict(study, design, many, 3, np.zeros(1))
    np.testing.assert_allclose(law.sum(), 1.0)
    parameters = {
        n: v[rows] if np.size(v) > 1 else v for n, v in family_parameters(design, values).items()
    }
    base = linear_predictor(design, values)[rows] - values[FIRM][3]
    nodes, share = hermegauss(80)
    effects = base + values["sigma_firm"] * nodes[:, None]
    ends = study.outcome.lower[rows], study.outcome.upper[rows]
    each = observation.interval_log_probability("hurdle", effects, parameters, *ends)
    joint = np.exp((study.outcome.weights[rows] * each).sum(axis=1))
    exact = share @ joint / share.sum()
    drawn = np.exp(logs.ravel())
    assert abs(drawn.mean() - exact) < 5 * drawn.std() / np.sqrt(drawn.size)


# -- coordinates -------------------------------------------------------------------------


@pytest.mark.slow
def test_coordinates_change_nothing_but_the_names_of_points(study, monkeypatch):
    monkeypatch.setattr(panels, "FEW_GROUPS", 5)
    sampler = panels.Sampler(study, "default", priors_of(study))
    assert sampler.points.large == FIRM
    fixed = sampler.start({})
    sampled = sampler.model.compile_logp(mode=PLAIN)
    total = reduce(add, [term.sum() for term in sampler.own.logp(sum=False)])
    own = sampler.own.compile_fn(total, mode=PLAIN)
    free = sampler.own.free_RVs
    names = [sampler.own.rvs_to_values[rv].name for rv in free]
    back = {name: (lambda x: x) for name in sampler.transforms}
    back |= {n: np.exp for n in sampler.transforms if n.startswith("sigma_")}

    def values(raw):
        found, _ = sampler.points.values(raw, fixed, back, panels.NUMPY)
        return [np.asarray(found[rv.name]) for rv in free]

    def stacked(raw):
        return np.concatenate([value.ravel() for value in values(raw)])

    rng = np.random.default_rng(7)
    gaps = []
    for _ in range(3):
        raw = rng.normal(0, 0.7, sampler.points.size)
        point = dict(zip(names, values(raw), strict=True))
        eye = 1e-5 * np.eye(len(raw))
        columns = [(stacked(raw + off) - stacked(raw - off)) / 2e-5 for off in eye]
        volume = np.linalg.slogdet(np.array(columns))[1]
        gaps.append(float(sampled({"raw": raw})) - float(own(point)) - volume)
    np.testing.assert_allclose(gaps, gaps[0], atol=1e-4)
    assert {f.name for f in fields(panels.Fixed)} >= {"at", "information"}


@pytest.mark.slow
def test_a_tiny_panel_has_the_posterior_of_an_integral(tmp_path):
    study = panel_study(tmp_path / "study", 6, 3, predictors={}, interactions={})
    rng = np.random.default_rng(2)
    printed = np.clip(
        5 * rng.integers(2, 12, 6)[study.panel.unit.codes] + 5.0 * rng.integers(-1, 2, 18), 0, 100
    )
    lower, upper = intervals(printed, 5)
    study = replace(
        study, outcome=replace(study.outcome, printed=printed, lower=lower, upper=upper)
    )
    priors = priors_of(study)
    drawn = panels.draw(study, "default", priors, Settings(draws=1500, tune=500, seed=3), None)
    posterior = drawn.groups["posterior"]
    # Everything but the firms' effects on a grid, these by Gauss and Hermite.
    level, spread = np.linspace(-4, 2.5, 41), np.linspace(0.02, 3.5, 44)
    phi = np.exp(np.linspace(np.log(0.5), np.log(400), 40))
    nodes, share = hermegauss(24)
    share = share / share.sum()
    total = np.empty((41, 44, 40))
    prior = stats.norm(-1.5, 1).logpdf(level)[:, None, None]
    prior = prior + stats.halfnorm(scale=1).logpdf(spread)[:, None]
    prior = prior + stats.norm(np.log(10), 0.8).logpdf(np.log(phi))
    codes = study.panel.unit.codes
    for i, a in enumerate(level):
        eta = a + spread[:, None] * nodes
        mu = expit(eta)[:, :, None, None]
        each = observation.interval_logprob_numpy(
            mu * phi[:, None], (1 - mu) * phi[:, None], lower, upper
        )[0]
        firms = np.stack([each[..., codes == f].sum(axis=-1) for f in range(6)])
        top = firms.max(axis=2, keepdims=True)
        joint = np.log(np.einsum("fsnp,n->fsp", np.exp(firms - top), share)) + top[:, :, 0]
        total[i] = joint.sum(axis=0)
    weight = np.exp(total + prior - (total + prior).max())
    weight /= weight.sum()
    axes = {
        "intercept": (level, (1, 2)),
        "sigma_firm": (spread, (0, 2)),
        "phi": (np.log(phi), (0, 1)),
    }
    errors = dict(zip(*(convergence(posterior)["mcse_mean"]), strict=True))
    for name, (values, others) in axes.items():
        mean = values @ weight.sum(axis=others)
        found = flat(posterior[name])
        found = np.log(found) if name == "phi" else found
        error = errors[name] / (np.exp(mean) if name == "phi" else 1.0)
        assert abs(found.mean() - mean) < 5 * error + 2e-3
    assert drawn.groups["log_likelihood"]["printed_share"].dims == ("chain", "draw", "row")


@pytest.mark.slow
def test_a_panel_of_few_firms_is_fitted_to_what_is_simulated(tmp_path):
    """Without a large grouping, the start has arrays that the model does not use."""
    study = panel_study(tmp_path, firms=FIRMS, years=YEARS, interactions={})
    assert FIRMS <= panels.FEW_GROUPS
    design, priors = design_of(study, "default"), priors_of(study)
    _, given = simulator.simulate(study, design, priors, np.random.default_rng(1))
    refit = panels.refitter(study, "default", priors)
    posterior, _ = refit(Settings(draws=20, tune=50, chains=2), given)
    assert posterior["mu"].shape == (2, 20, len(study.firms))
    assert np.isfinite(posterior["mu"]).all()
