"""Every variant: finite at the start, equal to formulas written with scipy, and compilable."""

from functools import cache

import numpy as np
import pymc as pm
import pytest
from pytensor.compile.mode import Mode
from scipy import integrate, special, stats

from intlmodels.core.errors import StudyError
from intlmodels.models import catalogue, design_of, find_variant, priors_of
from intlmodels.models.share.design import fixed_priors
from intlmodels.models.share.model import build
from intlmodels.models.share.observation import LEVEL, OUTCOME
from intlmodels.studies import load_study

STUDY = load_study("rochester")
VARIANTS = list(catalogue(STUDY))
PLAIN = Mode(linker="py", optimizer=None)


def lively_point(model, seed):
    """A point with every unconstrained value drawn from Normal(0, 1/2)."""
    rng = np.random.default_rng(seed)
    return {
        name: np.asarray(rng.normal(0, 0.5, np.shape(value)))
        for name, value in model.initial_point().items()
    }


@cache
def model_of(variant):
    return build(STUDY, variant)


@cache
def densities(variant):
    """The log density and its gradient, compiled."""
    model = model_of(variant)
    return model.compile_logp(mode=PLAIN), model.compile_dlogp(mode=PLAIN)


def constrained(model, *points):
    """Values of all parameters and deterministics at unconstrained points."""
    variables = list(model.unobserved_value_vars)
    function = model.compile_fn(
        variables, inputs=model.value_vars, mode=PLAIN, on_unused_input="ignore"
    )
    names = [v.name for v in variables]
    return [dict(zip(names, function(point), strict=True)) for point in points]


#: Stages of the firms A to V, read from table 4 by hand.
STAGES = {
    "stage": "2141424210420211111133",
    "stage-agent-first": "1242424120410122222233",
    "stage-agent-late": "3141434310430311111122",
}


#: Whether firms A to V have each entry, from the column of table 4 as printed; not known: ?
ENTRIES = {
    "entry-exporters": "1111110110110111111111",
    "entry-agents_abroad": "1????1?1?0?101????????",
    "entry-agents_named": "1000010100010100000000",
    "entry-dedicated": "?0?0??1?001?0??0000011",
    "entry-investors": "0010101000100000000000",
}


def test_the_catalogue_is_that_of_the_specification():
    assert set(VARIANTS) == {
        "default",
        "logit-normal",
        "hurdle",
        "nested-expertise",
        "two-axes",
        "second-product",
        "revenue",
        "heaped",
        "density",
        "penalized-complexity",
        "by-stage",
        "by-orderly",
        "stage-agent-first",
        "stage-agent-late",
        "stage",
        "orderly",
        "orderly-either",
        "trait",
        "composition",
        *ENTRIES,
    }
    further = [name for name in VARIANTS if find_variant(STUDY, name).outcome]
    orders = ["stage-agent-first", "stage-agent-late"]
    assert further == [*orders, "stage", "orderly", "orderly-either", *ENTRIES]
    apart = {name for name in VARIANTS if not find_variant(STUDY, name).comparable}
    assert apart == {"density", "composition", *further}


def test_unknown_variant_lists_the_valid_ones():
    with pytest.raises(StudyError, match="did you mean 'heaped'") as caught:
        find_variant(STUDY, "heapd")
    assert "second-product" in str(caught.value)


@pytest.mark.parametrize("variant", VARIANTS)
def test_log_density_and_gradient_are_finite(variant):
    model, (logp, gradient) = model_of(variant), densities(variant)
    for point in (model.initial_point(), lively_point(model, 1), lively_point(model, 2)):
        assert np.isfinite(logp(point))
        assert np.isfinite(gradient(point)).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradient_is_the_slope_of_the_log_density(variant):
    model, (logp, gradient) = model_of(variant), densities(variant)
    point = lively_point(model, 3)
    step = 1e-5
    numeric = []
    for name in (v.name for v in model.value_vars):
        for index in np.ndindex(np.shape(point[name])):
            sides = []
            for sign in (1, -1):
                moved = {k: np.array(v, dtype=float) for k, v in point.items()}
                moved[name][index] += sign * step
                sides.append(logp(moved))
            numeric.append((sides[0] - sides[1]) / (2 * step))
    np.testing.assert_allclose(gradient(point), numeric, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_dimensions_carry_labels(variant):
    model = model_of(variant)
    assert list(model.coords["firm"]) == list("ABCDEFGHIJKLMNOPQRSTUV")
    if "sigma_expertise" in model.named_vars:
        assert list(model.coords["expertise_level"]) == [
            "Both",
            "Design",
            "Manufacturing",
            "Service Value Added",
        ]


def by_hand(variant, values):
    """Pointwise log likelihood from scipy and the printed table, formula by formula."""
    if variant in STAGES:
        # The latent variable is logistic around eta; the cutpoints follow from the baseline.
        below = np.concatenate([[0], np.cumsum(values["baseline"])])
        below[-1] = 1
        cuts = special.logit(below)
        level = np.array([int(digit) for digit in STAGES[variant]])
        law = stats.logistic(values["eta"])
        return np.log(law.cdf(cuts[level + 1]) - law.cdf(cuts[level]))
    if variant.startswith("orderly"):
        rows = STUDY.tables["table3.csv"].rows
        first = np.array(["Orderly" in row[1] for row in rows])
        either = np.array(["Orderly" in row[1] + row[2] for row in rows])
        return stats.bernoulli(values["mu"]).logpmf(first if variant == "orderly" else either)
    if variant in ENTRIES:
        law = stats.bernoulli(values["mu"])
        known = np.array([mark != "?" for mark in ENTRIES[variant]])
        yes = np.array([mark == "1" for mark in ENTRIES[variant]])
        return np.where(known, law.logpmf(yes), 0)
    r = STUDY.outcome.printed
    phi, mu = values.get("phi"), values["mu"]

    def probability(width, at):
        low, high = np.maximum(at - width / 2, 0) / 100, np.minimum(at + width / 2, 100) / 100
        law = stats.beta(mu * phi, (1 - mu) * phi)
        return law.cdf(high) - law.cdf(low)

    if variant == "logit-normal":
        with np.errstate(divide="ignore"):
            low, high = (
                np.log(e / (1 - e)) for e in (np.maximum(r - 2.5, 0) / 100, (r + 2.5) / 100)
            )
        law = stats.norm(np.log(mu / (1 - mu)), values["sigma"])
        return np.log(law.cdf(high) - law.cdf(low))
    if variant == "density":
        return stats.beta(mu * phi, (1 - mu) * phi).logpdf((r / 100 * 21 + 0.5) / 22)
    if variant == "hurdle":
        never = values["never"]
        return np.log((1 - never) * probability(5, r) + never * (r == 0))
    if variant == "heaped":
        h = values["heaping"]
        return np.log((1 - h) * probability(5, r) + h * (r % 10 == 0) * probability(10, r))
    if variant == "composition":
        return composition_by_hand(values)
    return np.log(probability(5, r))


def composition_by_hand(values):
    """The Dirichlet law on the rectangle of the local and the foreign share of each firm."""
    header, rows = STUDY.tables["table1.csv"].header, STUDY.tables["table1.csv"].rows
    design, found = design_of(STUDY, "composition"), []
    odds = special.logit(values["split"]) + sum(
        block.weights @ np.atleast_1d(values[block.name]) for block in design.split
    )
    for firm, row in enumerate(rows):
        foreign, local = (
            float(row[header.index(f"{name}_revenue_pct")]) for name in ("international", "local")
        )
        a, b = (values["phi"] * part for part in (values["mu"][firm], 1 - values["mu"][firm]))
        nu = special.expit(odds[firm])
        second = stats.beta(nu * b, (1 - nu) * b)
        low, high = max(local - 2.5, 0) / 100, (local + 2.5) / 100

        def given(p, a=a, b=b, second=second, low=low, high=high):
            left = 1 - special.betaincinv(a, b, p)
            return second.cdf(min(1, high / left)) - second.cdf(min(1, low / left))

        ends = special.betainc(a, b, [max(foreign - 2.5, 0) / 100, (foreign + 2.5) / 100])
        found.append(integrate.quad(given, *ends, epsabs=0, epsrel=1e-10)[0])
    return np.log(found)


@pytest.mark.parametrize("variant", VARIANTS)
def test_log_likelihood_equals_scipy(variant):
    model = model_of(variant)
    observed = model[OUTCOME if find_variant(STUDY, variant).outcome == "" else LEVEL]
    pointwise = model.compile_fn(
        model.logp(vars=[observed], sum=False),
        inputs=model.value_vars,
        mode=PLAIN,
        on_unused_input="ignore",
    )
    points = [lively_point(model, seed) for seed in range(5)]
    for point, values in zip(points, constrained(model, *points), strict=True):
        expected = by_hand(variant, values)
        # Shares of a composition are averaged over a few nodes.
        error = 5e-5 if variant == "composition" else 1e-8
        np.testing.assert_allclose(pointwise(point)[0], expected, atol=error)


def linear_by_hand(variant, v):
    """The linear predictor from the tables, firm by firm, without the design matrices."""
    frame = [
        dict(zip(t.header, row, strict=True))
        for t in (STUDY.tables["table2.csv"],)
        for row in t.rows
    ]
    lines = [
        row[STUDY.tables["table1.csv"].header.index("product_line")]
        for row in STUDY.tables["table1.csv"].rows
    ]
    products = (
        sorted({*lines, "Optical Components"})
        if variant == "second-product"
        else sorted(set(lines))
    )
    families = sorted({row["expertise"].split("--")[0] for row in frame})
    labels = sorted({row["expertise"] for row in frame})
    total = []
    for i, row in enumerate(frame):
        eta = v["intercept"] + v["relocatability"] * (
            0.5 if row["relocatability"] == "Ease" else -0.5
        )
        product = v["product"][products.index(lines[i])]
        if variant == "second-product" and row["product_type_2"]:
            product = 2 / 3 * product + 1 / 3 * v["product"][products.index(row["product_type_2"])]
        eta += product
        if variant == "two-axes":
            eta += axes_by_hand(row["expertise"], v)
        else:
            eta += v["expertise"][families.index(row["expertise"].split("--")[0])]
        if variant == "nested-expertise":
            eta += v["expertise_label"][labels.index(row["expertise"])]
        total.append(eta)
    return np.array(total)


def axes_by_hand(label, v):
    reading = {
        "Design": (2, 0),
        "Manufacturing": (0, 2),
        "Manufacturing--limited design": (1, 2),
        "Both": (2, 2),
        "Design--limited manufacturing": (2, 1),
        "Design--plans for manufacturing": (2, 0),
        "Design--crafts manufacturing": (2, 1),
        "Service Value Added": (0, 0),
    }[label]
    return sum(
        v[axis] * v[f"{axis}_steps"][:level].sum()
        for axis, level in zip(("design", "manufacturing"), reading, strict=True)
    )


@pytest.mark.parametrize(
    "variant", ["default", "nested-expertise", "second-product", "two-axes", "hurdle"]
)
def test_linear_predictor_equals_the_tables(variant):
    model = model_of(variant)
    (values,) = constrained(model, lively_point(model, 7))
    mu = values["mu"]
    np.testing.assert_allclose(np.log(mu / (1 - mu)), linear_by_hand(variant, values), atol=1e-10)


def test_missing_revenues_are_parameters_and_the_rest_is_standardized():
    model = model_of("revenue")
    assert list(model.coords["revenue_missing_firm"]) == ["B", "G"]
    (values,) = constrained(model, lively_point(model, 8))
    base = linear_by_hand("default", values)
    logs = np.log([float(row[1]) for row in STUDY.tables["table1.csv"].rows if row[1]])
    standardized = iter((logs - logs.mean()) / logs.std(ddof=1))
    missing = iter(values["revenue_missing"])
    z = np.array(
        [next(standardized) if row[1] else next(missing) for row in STUDY.tables["table1.csv"].rows]
    )
    mu = values["mu"]
    np.testing.assert_allclose(np.log(mu / (1 - mu)), base + values["revenue"] * z, atol=1e-10)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_free_parameter_stands_in_the_table_of_priors(variant):
    model = model_of(variant)
    listed = set(priors_of(STUDY, variant)) | {
        name for name, _, _ in fixed_priors(design_of(STUDY, variant))
    }
    free = {rv.name.removesuffix("_z") for rv in model.free_RVs}
    assert free <= listed


def test_an_overridden_prior_reaches_the_model():
    wide = build(STUDY, "default", priors_of(STUDY, overrides={"intercept": "Normal(3, 0.001)"}))
    draws = pm.draw(wide["intercept"], draws=20, random_seed=1, mode=PLAIN)
    assert abs(draws.mean() - 3) < 0.001
