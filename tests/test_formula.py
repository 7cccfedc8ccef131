"""Formulas: what they say of a study, held against formulae's own reading, and what is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest
from formulae import model_description

from intlmodels.core.errors import StudyError
from intlmodels.studies import load_study
from intlmodels.studies.formula import parse_formula
from studies import write_study

PLAIN = [
    "y ~ a",
    "y ~ a + b + a:b",
    "y ~ a * b",
    "y ~ b * a + c",
    "y ~ (a + b + c) ** 2",
    "y ~ (a + b + c) ** 2 - a:c",
    "y ~ a * (b + c)",
    "y ~ (a + b):c + a + b + c",
    "y ~ a + b / a",
    "y ~ c + a + a * b - c",
    "y ~ `a a` * log(b) + c",
    "y ~ 1 + a + (1 | g) + (a + b | h) + b",
    "y ~ a * b + (a * b | g)",
    "y ~ a + (1 | g / h) + (a | g1 + g2)",
    "y ~ a + (1 | g:h)",
]


@pytest.mark.parametrize("text", PLAIN)
def test_terms_are_those_of_formulae(text):
    found, model = parse_formula(text), model_description(text)
    assert found.outcome == (model.response.term.name,)
    names = [term.name for term in model.common_terms if term.name != "Intercept"]
    written = {
        name: f"log({own['column']})" if own.get("transform") else own["column"]
        for name, own in found.predictors.items()
    }
    pairs = [":".join(written[name] for name in own["of"]) for own in found.interactions.values()]
    assert {frozenset(name.split(":")) for name in names} == {
        frozenset(name.split(":")) for name in [*written.values(), *pairs]
    }
    assert len(names) == len(written) + len(pairs)
    grouped = set()
    for own in found.groups.values():
        factor = frozenset([own["column"], own["within"]] if "within" in own else [own["column"]])
        effects = [
            found.interactions.get(slope, {"of": [slope]})["of"] for slope in own.get("slopes", ())
        ]
        grouped |= {(frozenset(effect), factor) for effect in (["1"], *effects)}
    theirs = {
        tuple(frozenset(side.split(":")) for side in term.name.split("|"))
        for term in model.group_terms
    }
    assert grouped == theirs


@pytest.mark.parametrize(
    ("text", "name", "keys"),
    [
        ("y ~ log(size)", "size", {"column": "size", "transform": "log"}),
        ("y ~ np.log(size)", "size", {"column": "size", "transform": "log"}),
        ("y ~ x + I(x ** 2)", "x", {"column": "x", "curve": "quadratic"}),
        ("y ~ I(x * x) + x", "x", {"column": "x", "curve": "quadratic"}),
        ("y ~ {x ** 2} + x", "x", {"column": "x", "curve": "quadratic"}),
        ("y ~ poly(x, 2)", "x", {"column": "x", "curve": "quadratic"}),
        (
            "y ~ log(x) + I(log(x) ** 2)",
            "x",
            {"column": "x", "transform": "log", "curve": "quadratic"},
        ),
        ("y ~ ns(log(x))", "x", {"column": "x", "transform": "log", "curve": "spline"}),
        ("y ~ within(log(x))", "x", {"column": "x", "transform": "log", "split": "within"}),
        ("y ~ mo(stage)", "stage", {"column": "stage", "kind": "ordered"}),
        ("y ~ walk(year)", "year", {"column": "year", "kind": "walk"}),
        ("y ~ `Sales 2010`", "Sales_2010", {"column": "Sales 2010"}),
        ("y ~ `2010`", "x2010", {"column": "2010"}),
    ],
)
def test_functions_become_keys_of_a_predictor(text, name, keys):
    assert parse_formula(text).predictors == {name: keys}


def test_the_interaction_with_a_curve_takes_all_of_it():
    written = ["y ~ owner * (x + I(x ** 2))", "y ~ owner + poly(x, 2) + owner:poly(x, 2)"]
    first, second = map(parse_formula, written)
    assert first == second
    assert first.interactions == {"owner_x": {"of": ["owner", "x"]}}
    assert first.predictors["x"] == {"column": "x", "curve": "quadratic"}


def test_bars_say_whether_slopes_are_correlated():
    one = parse_formula("y ~ x + (x | g)").groups["g"]
    assert one == {"column": "g", "slopes": ["x"], "correlated": True}
    apart = {"column": "g", "slopes": ["x"]}
    for text in (
        "y ~ x + (x || g)",
        "y ~ x + (1 | g) + (0 + x | g)",
        "y ~ x + (x - 1 | g) + (1|g)",
    ):
        assert parse_formula(text).groups["g"] == apart
    assert parse_formula("y ~ x + (1 | a / b)").groups == {
        "a": {"column": "a"},
        "b": {"column": "b", "within": "a"},
    }


def test_bands_stand_left_of_the_tilde():
    assert parse_formula("bands(low, high) ~ x").outcome == ("low", "high")


REFUSED = {
    "y ~ 0 + x": "with an intercept",
    "y ~ x - 1": "with an intercept",
    "y ~ -1 + x": "with an intercept",
    "y ~ 1": "at least one predictor",
    "y ~ (1 | g)": "at least one predictor",
    "y ~ x + offset(z)": "no offsets",
    "y ~ scale(x)": "standardized by the model",
    "y ~ bs(x, df=4)": "ns(x)",
    "y ~ ns(x, df=5)": "quantiles",
    "y ~ poly(x, 3)": "poly(x, 2)",
    "y ~ x ** 2": "I(x ** 2) beside x",
    "y ~ I(x ** 2)": "expected x beside it",
    "y ~ log(x) + I(x ** 2)": "expected x beside it",
    "y ~ I(x + 1)": "I(x ** 2)",
    "y ~ log(x + 1)": "log of a column",
    "y ~ exp(x)": "does not have the function exp",
    "y ~ x + log(x)": "expected one of both",
    "y ~ a * b * c": "two predictors",
    "y ~ (a + b) ** 3": "two predictors",
    "y ~ a:a": "with itself",
    "y ~ x + x:I(x ** 2)": "with itself",
    "y ~ c + a:b": "among the predictors as well",
    "y ~ a + size + a:log(size)": "expected size, as the predictor is written elsewhere",
    "y ~ owner * x + I(x ** 2)": "the whole curve",
    "y ~ x + (z | g)": "among the predictors as well",
    "y ~ x + z + (x:z | g)": "interaction among the terms",
    "y ~ x + (0 + x | g)": "add (1 | ...)",
    "y ~ x + z + (x | g) + (z | g)": "one pair of parentheses",
    "y ~ x + (1 | g) + (1 | g)": "one pair of parentheses",
    "y ~ x + (1 | g | h)": "one | or ||",
    "y ~ x + (1 | log(g))": "a column of groups",
    "y ~ x | g": "parentheses",
    "y ~ x + 2": "expected a term",
    "y ~ x > 2": "not a formula",
    "y ~ x - z": "to be taken out",
    "y[a] ~ x": "name of a column",
    "log(y) ~ x": "left of ~",
    "x + z": "~",
    "~ x": "not a formula",
    "y ~ x ~ z": "not a formula",
    "y ~ log(x": "not a formula",
    "y ~ x ^ 2": "expected I(x ** 2) beside x",
    'y ~ C(x, Treatment("low"))': "expected C of one column and nothing else, as in C(x)",
    "y ~ log(x, 10)": "expected log of one column",
    "y ~ ns(x, knots=[1, 2])": "other knots are keys of a predictor",
    "y ~ ns(x, knots=c(1, 2))": "other knots are keys of a predictor",
    "y ~ a:b": "found 'a:b'; expected a among the predictors as well",
    "y ~ x + y": "found 'y'; this is the outcome",
    "y ~ `x": "backquotes in pairs",
    "y ~ 'x": "not a formula",
    "": "not a formula",
    "(" * 1500: "not a formula",
    "y ~ " + "x + " * 1000 + "x": "at most 2000",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_the_model_does_not_have_is_one_clear_line(text):
    with pytest.raises(StudyError) as error:
        parse_formula(text)
    assert REFUSED[text] in str(error.value)
    assert len(str(error.value).splitlines()) == 1


# -- in study.toml -------------------------------------------------------------------------

TABLES = """\
[study]
name = "hedge"
title = "Eight made-up firms"
model = "share"

[firms]
file = "firms.csv"
column = "firm"

[outcome]
unit = "percent"
rounding_width = 5
"""


def test_a_formula_takes_the_place_of_tables(tmp_path):
    formula = '[model]\nformula = "share ~ branch + log(size)"\n'
    explicit = (
        '[predictors.branch]\nkind = "category"\ncolumn = "branch"\n'
        '[predictors.size]\nkind = "numeric"\ncolumn = "size"\ntransform = "log"\n'
    )
    study = load_study(write_study(tmp_path / "a", toml=TABLES + formula))
    column = TABLES.replace("[outcome]", '[outcome]\ncolumn = "share"')
    other = load_study(write_study(tmp_path / "b", toml=column + explicit))
    assert list(study.predictors) == list(other.predictors)
    for own, same in zip(study.predictors.values(), other.predictors.values(), strict=True):
        assert (own.kind, own.levels, own.transform) == (same.kind, same.levels, same.transform)
        assert own.codes.tolist() == same.codes.tolist()
        assert own.printed == same.printed
    assert study.outcome.printed.tolist() == other.outcome.printed.tolist()


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ('[model]\nformula = "share ~ brunch"', "no such column (did you mean 'branch'?)"),
        ('[model]\nformula = "size ~ branch"\n[predictors.x]\ncolumn = "a"', "takes its place"),
        ('[model]\nformula = "share ~ offset(size)"', "no offsets"),
        ('[model]\nformul = "share ~ size"', "did you mean 'formula'?"),
        ("[model]", "[model] formula: found nothing; expected text that is not blank"),
        ('model = "share ~ size"', "expected a table"),
        ('[model]\nformula = "share ~ mo(branch)"', "in an order"),
        ('[model]\nformula = "share ~ log(branch)"', "no cell has a number: name another"),
        ('[model]\nformula = "share ~ size + firm"', "firms that repeat differ in level anyway"),
    ],
)
def test_errors_of_a_formula_say_where_it_stands(tmp_path, tables, said):
    text = f"{tables}\n{TABLES}" if tables.startswith("model") else TABLES + tables
    with pytest.raises(StudyError) as error:
        load_study(write_study(tmp_path, toml=text))
    assert said in str(error.value)


def test_the_parser_is_imported_for_formulas_only():
    code = (
        "import sys, intlmodels; intlmodels.load_study('rochester');"
        "sys.exit('formulae' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
