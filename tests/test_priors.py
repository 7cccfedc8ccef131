"""Priors are read as written, overridden by name, and refused in one line."""

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from intlmodels.core.errors import StudyError
from intlmodels.models import catalogue, priors_of
from intlmodels.models.priors import (
    DISTRIBUTIONS,
    log_density,
    parameter,
    parse,
    parse_assignment,
    rescaled,
)
from intlmodels.models.pymc import draw_pymc, register_data
from intlmodels.studies import load_study


@pytest.fixture(scope="module")
def rochester():
    return load_study("rochester")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Normal(0, 1)", ("Normal", (0.0, 1.0))),
        (" Normal ( -1.5 ,1e0 ) ", ("Normal", (-1.5, 1.0))),
        ("LogNormal(log(10), 0.8)", ("LogNormal", (math.log(10), 0.8))),
    ],
)
def test_parse(text, expected):
    support = DISTRIBUTIONS[expected[0]].support
    assert parse(text, name="x", support=support) == expected


@pytest.mark.parametrize(
    ("text", "support", "says"),
    [
        ("Normal(0)", "real", "takes 2 arguments (mean, sd)"),
        ("Normal(0, 0)", "real", "sd of Normal must be above 0"),
        ("Normal(0, -1)", "real", "must be above 0"),
        ("Normal(0, nan)", "real", "must be a number"),
        ("Normal(0, inf)", "real", "must be a number"),
        ("Normal(a, 1)", "real", "must be a number"),
        ("LogNormal(log(-1), 1)", "positive", "must be a number"),
        ("LogNormal(log(0), 1)", "positive", "must be a number"),
        ("Gausian(0, 1)", "real", "unknown distribution"),
        ("normal(0, 1)", "real", "did you mean 'Normal'"),
        ("0.5", "real", "not readable"),
        ("", "real", "not readable"),
        ("Normal(0, 1); import os", "real", "not readable"),
        ("Normal(0, 1)", "positive", "values that it cannot take"),
        ("HalfNormal(1)", "unit", "use one of Beta"),
    ],
)
def test_unusable_priors_are_refused_in_one_line(text, support, says):
    with pytest.raises(StudyError) as caught:
        parse(text, name="phi", support=support, origin="study.toml")
    message = str(caught.value)
    assert says in message
    assert "phi" in message
    assert "study.toml" in message
    assert "\n" not in message


def test_defaults_are_those_of_the_specification(rochester):
    written = {name: prior.text for name, prior in priors_of(rochester).items()}
    assert written == {
        "intercept": "Normal(-1.5, 1)",
        "relocatability": "Normal(0, 0.5)",
        "sigma_product": "HalfNormal(0.5)",
        "sigma_expertise": "HalfNormal(0.5)",
        "phi": "LogNormal(log(10), 0.8)",
    }
    assert priors_of(rochester, "hurdle")["never"].text == "Beta(1, 9)"


def test_an_override_replaces_one_prior_and_says_where_it_came_from(rochester):
    priors = priors_of(rochester, overrides={"phi": "Gamma(2, 0.1)"})
    assert (priors["phi"].distribution, priors["phi"].args) == ("Gamma", (2.0, 0.1))
    assert priors["phi"].origin == "command line"
    assert {p.origin for name, p in priors.items() if name != "phi"} == {"default"}


def test_unknown_name_lists_the_valid_ones(rochester):
    with pytest.raises(StudyError, match="did you mean 'sigma_product'") as caught:
        priors_of(rochester, overrides={"sigma_produkt": "HalfNormal(1)"})
    assert "intercept" in str(caught.value)


def test_a_prior_of_another_variant_is_known_but_has_no_effect(rochester):
    assert "never" not in priors_of(rochester, "default", {"never": "Beta(2, 2)"})
    assert priors_of(rochester, "hurdle", {"never": "Beta(2, 2)"})["never"].args == (2.0, 2.0)


def test_an_unusable_prior_of_another_variant_is_refused_as_well(rochester):
    with pytest.raises(StudyError, match="must be above 0"):
        priors_of(rochester, "default", {"never": "Beta(0, 2)"})


def test_every_variant_has_priors_with_meanings(rochester):
    for name in catalogue(rochester):
        assert all(prior.meaning for prior in priors_of(rochester, name).values())


@pytest.mark.parametrize("text", ["phi", "=Normal(0, 1)", "phi=", ""])
def test_an_assignment_needs_both_sides(text):
    with pytest.raises(StudyError, match="name=Distribution"):
        parse_assignment(text)


def test_an_assignment_splits_at_the_first_equals_sign():
    assert parse_assignment(" phi = Gamma(2, 0.1)") == ("phi", "Gamma(2, 0.1)")


# -- density -----------------------------------------------------------------------------

#: A prior of every distribution, with several where a formula has a special case; scipy has no
#: half of a t distribution.
WRITTEN = {
    "Normal(-1.5, 0.7)": stats.norm(-1.5, 0.7),
    "StudentT(4, 1, 2)": stats.t(4, 1, 2),
    "StudentT(5e5, 1, 2)": stats.t(5e5, 1, 2),
    "Cauchy(-1, 0.5)": stats.cauchy(-1, 0.5),
    "HalfNormal(0.5)": stats.halfnorm(scale=0.5),
    "HalfCauchy(2)": stats.halfcauchy(scale=2),
    "HalfStudentT(3, 0.7)": None,
    "Exponential(3)": stats.expon(scale=1 / 3),
    "Gamma(2, 0.1)": stats.gamma(2, scale=10),
    "Gamma(1, 2)": stats.gamma(1, scale=1 / 2),
    "Gamma(0.5, 2)": stats.gamma(0.5, scale=1 / 2),
    "LogNormal(log(10), 0.8)": stats.lognorm(0.8, scale=10),
    "Beta(1, 9)": stats.beta(1, 9),
    "Beta(1, 1)": stats.beta(1, 1),
    "Beta(0.5, 2.5)": stats.beta(0.5, 2.5),
}


def written(text):
    distribution = text.partition("(")[0].strip()
    return parameter("x", text, DISTRIBUTIONS[distribution].support, "")


def scipy_log_density(text, values):
    if WRITTEN[text] is None:
        return np.where(values < 0, -np.inf, np.log(2) + stats.t(3, scale=0.7).logpdf(values))
    return WRITTEN[text].logpdf(values)


def test_a_prior_of_every_distribution_is_looked_at():
    assert {text.partition("(")[0] for text in WRITTEN} == set(DISTRIBUTIONS)


@pytest.mark.parametrize("text", WRITTEN)
def test_log_density_is_that_of_scipy(text):
    values = np.array([[-50.0, -1.5, -1e-9, 0.0, 1e-12], [0.3, 0.999, 1.0, 1.0 + 1e-9, 40.0]])
    found = log_density(written(text), values)
    assert found.shape == values.shape
    np.testing.assert_allclose(found, scipy_log_density(text, values), rtol=1e-9, atol=1e-9)
    assert list(log_density(written(text), [-np.inf, np.inf])) == [-np.inf, -np.inf]
    assert np.isnan(log_density(written(text), np.nan))


@pytest.mark.parametrize("text", WRITTEN)
def test_log_density_is_that_of_the_model(text):
    pm = pytest.importorskip("pymc")
    import pytensor
    from pytensor.compile.mode import Mode

    values = np.array([-2.0, -0.1, 0.001, 0.4, 0.9, 3.0, 25.0])
    # Beside another: the model holds the arguments of all priors in one vector.
    priors = {"other": parameter("other", "StudentT(7, 8, 9)", "real", ""), "x": written(text)}
    with pm.Model():
        register_data(priors, np.zeros(1))
        variable = draw_pymc(priors, "x")
    value = pytensor.tensor.vector("value")
    # Nothing to compile: the graph runs in Python.
    theirs = pytensor.function(
        [value], pm.logp(variable, value), mode=Mode(linker="py", optimizer=None)
    )
    with np.errstate(all="ignore"):
        expected = theirs(values)
    # The constant of PyMC's HalfStudentT is off by 2e-9.
    np.testing.assert_allclose(log_density(written(text), values), expected, rtol=1e-8, atol=1e-8)


def test_importing_priors_imports_no_statistics():
    code = (
        "import intlmodels.models.priors, sys\n"
        "print({'scipy', 'pymc', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# -- another scale -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "factor", "expected"),
    [
        ("LogNormal(log(10), 0.8)", 0.5, "LogNormal(log(10), 0.4)"),
        ("LogNormal( log(10) ,log(2))", 2, "LogNormal(log(10), 1.38629)"),
        ("Normal(-1.5, 1)", 0.5, "Normal(-1.5, 0.5)"),
        ("Normal(0, 0.05)", 3, "Normal(0, 0.15)"),
        ("StudentT(4, 0, 2.5)", 2, "StudentT(4, 0, 5)"),
        ("Cauchy(1, 2)", 2, "Cauchy(1, 4)"),
        ("HalfNormal(0.5)", 2, "HalfNormal(1)"),
        ("HalfCauchy(1e-3)", 0.5, "HalfCauchy(0.0005)"),
        ("HalfStudentT(3, 1)", 0.5, "HalfStudentT(3, 0.5)"),
        ("Exponential(1)", 2, "Exponential(0.5)"),
        ("Gamma(2, 0.1)", 0.5, "Gamma(8, 0.4)"),
        ("Gamma(2, 0.1)", 2, "Gamma(0.5, 0.025)"),
        ("Beta(1, 9)", 2, "Beta(0.175, 1.575)"),
        ("Beta(1, 9)", 0.5, "Beta(4.3, 38.7)"),
        ("Beta(1, 1)", 0.5, "Beta(5.5, 5.5)"),
        ("Beta(1, 1)", 2, "Beta(0.5, 0.5)"),
        ("Beta(0.2, 0.3)", 2, "Beta(0.2, 0.3)"),
        (" Normal ( 0, 1e0 ) ", 1, "Normal(0, 1e0)"),
    ],
)
def test_a_rescaled_prior_is_written_as_a_person_would(text, factor, expected):
    prior = written(text)
    found = rescaled(prior, factor)
    assert found.text == expected
    assert (found.distribution, found.args) == parse(found.text, name="x", support=prior.support)
    assert (found.name, found.meaning, found.origin) == (prior.name, prior.meaning, prior.origin)


def quartiles_apart(law):
    return law.ppf(0.75) - law.ppf(0.25)


#: Distribution -> its spread, and what stays as it is.
SPREAD = {
    "Normal": (lambda *a: stats.norm(*a).std(), lambda *a: stats.norm(*a).mean()),
    "StudentT": (lambda *a: stats.t(*a).std(), lambda *a: stats.t(*a).mean()),
    # Without moments: the distance of the quartiles.
    "Cauchy": (lambda *a: quartiles_apart(stats.cauchy(*a)), lambda *a: stats.cauchy(*a).median()),
    "HalfNormal": (lambda a: stats.halfnorm(scale=a).std(), None),
    "HalfCauchy": (lambda a: quartiles_apart(stats.halfcauchy(scale=a)), None),
    "HalfStudentT": (lambda df, a: np.diff(stats.t(df, scale=a).ppf([0.625, 0.875]))[0], None),
    "Exponential": (lambda a: stats.expon(scale=1 / a).std(), None),
    "Gamma": (
        lambda a, b: stats.gamma(a, scale=1 / b).std(),
        lambda a, b: stats.gamma(a, scale=1 / b).mean(),
    ),
    "LogNormal": (
        lambda m, s: stats.norm(m, s).std(),
        lambda m, s: stats.lognorm(s, scale=np.exp(m)).median(),
    ),
    "Beta": (lambda *a: stats.beta(*a).std(), lambda *a: stats.beta(*a).mean()),
}


@pytest.mark.parametrize("factor", [0.3, 0.5, 1.25, 2.0, 3.0])
@pytest.mark.parametrize(
    "text", [*(text for text in WRITTEN if not text.startswith("Beta")), "Beta(3, 17.5)"]
)
def test_the_spread_of_a_rescaled_prior_is_multiplied_and_its_centre_kept(text, factor):
    prior = written(text)
    found = rescaled(prior, factor)
    spread, centre = SPREAD[prior.distribution]
    assert spread(*found.args) / spread(*prior.args) == pytest.approx(factor, rel=1e-5)
    if centre is not None:
        assert centre(*found.args) == pytest.approx(centre(*prior.args), rel=1e-5)


@pytest.mark.parametrize(
    ("text", "factor", "reached"),
    [
        ("Beta(1, 9)", 2, 2.0),
        ("Beta(1, 9)", 4, math.sqrt(11 / 2)),
        ("Beta(1, 1)", 0.5, 0.5),
        ("Beta(1, 1)", 1.2, 1.2),
        ("Beta(1, 1)", 2, math.sqrt(3 / 2)),
        ("Beta(0.5, 0.4)", 2, 1.0),
    ],
)
def test_a_beta_is_widened_until_it_is_worth_one_observation(text, factor, reached):
    prior = written(text)
    found = rescaled(prior, factor)
    before, after = stats.beta(*prior.args), stats.beta(*found.args)
    assert after.std() / before.std() == pytest.approx(reached, rel=1e-5)
    assert after.mean() == pytest.approx(before.mean(), rel=1e-5)


@pytest.mark.parametrize("factor", [0.0, -1.0, math.nan, math.inf])
def test_a_factor_must_be_above_zero(factor):
    with pytest.raises(ValueError, match="number above 0"):
        rescaled(written("Normal(0, 1)"), factor)


def test_every_default_prior_can_be_halved_and_doubled(rochester):
    for study in (rochester, load_study("norway")):
        for variant in catalogue(study):
            for prior in priors_of(study, variant).values():
                for factor in (0.5, 2.0):
                    assert rescaled(prior, factor).text != prior.text
