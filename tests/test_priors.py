"""Priors are read as written, overridden by name, and refused in one line."""

import math

import pytest

from intlmodels.errors import StudyError
from intlmodels.models import catalogue, priors_of
from intlmodels.priors import DISTRIBUTIONS, parse, parse_assignment
from intlmodels.study import load_study


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
    support = DISTRIBUTIONS[expected[0]][1]
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
