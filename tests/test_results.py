"""Tables that any model has: parameters, and variants side by side."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import madetrust
from intlmodels.core.errors import StudyError
from intlmodels.fitting import store
from intlmodels.models.base import flat, texts
from intlmodels.plots import checks
from intlmodels.report.sections import held
from intlmodels.results import intervals
from intlmodels.results.intervals import Compared

SHAPE = (2, 300)
COMPARED = Compared(
    quantity="slope",
    key=("size",),
    words="the slope of {size} firms",
    heading="slope, {size}",
    unit="a step",
    apart="They have other data.",
    decimals=2,
)


def draws(rng, shape, center=0.0):
    """Draws of every kind of variable: scalar, by level, by two dimensions, whole numbers."""
    chain, draw = shape
    steps = np.zeros((*shape, 2))
    steps[..., 1] = rng.normal(size=shape)
    return xr.Dataset(
        {
            "intercept": (("chain", "draw"), rng.normal(size=shape)),
            "slope": (("chain", "draw", "size"), center + rng.normal(size=(*shape, 2))),
            "steps": (("chain", "draw", "size"), steps),
            "cell": (("chain", "draw", "size", "period"), rng.normal(size=(*shape, 2, 2))),
            "table": (("chain", "draw", "size"), rng.integers(0, 9, size=(*shape, 2))),
        },
        coords={
            "chain": range(chain),
            "draw": range(draw),
            "size": ["large", "other"],
            "period": ["early", "late"],
        },
    )


def made(center=0.0, priors=("intercept",), shown=("intercept", "slope", "cell", "gone")):
    rng = np.random.default_rng(4)
    tree = xr.DataTree.from_dict(
        {
            "posterior": draws(rng, SHAPE, center),
            "prior": draws(rng, (1, 200)).drop_vars("cell"),
            "estimands": draws(rng, SHAPE)[["slope"]],
            "constant_data": xr.Dataset(coords={"size": ["large", "other"]}),
        }
    )
    written = {
        name: {
            "name": name,
            "distribution": "Normal",
            "args": [0.0, 1.0],
            "text": f"prior of {name}",
            "support": "real",
            "meaning": f"{name} in words",
            "origin": "default",
        }
        for name in priors
    }
    tree.attrs = {
        "shown": json.dumps(shown),
        "priors": json.dumps(written),
        "gate": "[]",
        "comparable": 1,
    }
    return tree


def slopes(fit):
    array = fit["posterior"]["slope"]
    values = flat(array)
    table = intervals.table_of(fit, {"size": texts(array["size"])}, values, 0.95)
    return table.assign(**intervals.directions(values, array.sizes["chain"]))


# -- parameters --------------------------------------------------------------------------


def test_the_fit_says_which_variables_are_parameters():
    found = intervals.parameter_draws(made(), "posterior")
    assert list(found) == [
        "intercept", "slope[large]", "slope[other]", "cell[large, early]", "cell[large, late]",
        "cell[other, early]", "cell[other, late]",
    ]  # fmt: skip
    assert {variable for variable, _ in found.values()} == {"intercept", "slope", "cell"}
    assert all(values.shape == SHAPE for _, values in found.values())


def test_what_never_varies_is_no_parameter():
    assert list(intervals.parameter_draws(made(shown=["steps"]), "posterior")) == ["steps[other]"]


def test_every_parameter_has_a_row_with_its_prior_if_it_has_one():
    table = intervals.parameters(made(priors=["intercept", "slope"])).set_index("name")
    assert table.loc["slope[other]", "prior"] == "prior of slope"
    assert table.loc["cell[large, late]", "prior"] == ""
    assert np.isfinite(table.loc["slope[other]", "spread_ratio"])
    assert np.isnan(table.loc["cell[large, late]", "prior_median"])
    assert (table["rhat"] < 1.1).all()


def test_parameters_are_drawn_whatever_their_dimensions_are_called():
    fit = made()
    assert len(checks.chains(fit).axes) == 6
    assert len([a for a in checks.prior_posterior(fit).axes if a.get_visible()]) == 3


# -- variants ----------------------------------------------------------------------------


def test_parameters_of_a_variant_alone_are_read_with_their_levels(tmp_path):
    path = tmp_path / "variant.nc"
    tree = made(priors=["intercept", "slope"])
    tree.attrs |= {
        **dict.fromkeys(("study", "model", "variant", "family"), "x"),
        **dict.fromkeys(("fingerprint", "settings", "versions"), "{}"),
        **dict.fromkeys(("seed", "estimands_version"), 1),
        "retried": "",
        "ess": 400.0,
    }
    store.write(tree, path)
    light = store.read_summary(path)
    assert set(light["posterior"].data_vars) == {"intercept", "slope"}
    table = intervals.own_parameters({"default": made(), "variant": light})
    assert table["parameter"].tolist() == ["slope[large]", "slope[other]"]
    assert set(table["meaning"]) == {"slope in words"}
    assert set(table["variant"]) == {"variant"}


def test_any_quantity_can_be_held_against_that_of_the_default():
    other = made(-2.0)
    other.attrs["comparable"] = 0
    fits = {"default": made(5.0), "turned": made(-5.0), "other": other}
    table = intervals.side_by_side(fits, {"slope": slopes})
    assert list(table.columns[:4]) == ["variant", "comparable", "quantity", "size"]
    assert len(table) == 6
    text = madetrust.said("variants", held(table, COMPARED)).replace("\n", " ")
    assert "2 comparisons in 1 variant: no verdict changes." in text
    assert "for the slope of large firms in turned and the slope of other firms in turned." in text
    assert "the slope of large firms in turned (−10.00 a step)" in text
    assert text.endswith("For comparison only: other. They have other data.")


def test_variants_with_other_data_may_count_all_the_same():
    other = made(-2.0)
    other.attrs["comparable"] = 0
    table = intervals.side_by_side({"default": made(2.0), "other": other}, {"slope": slopes})
    text = madetrust.said("variants", held(table, replace(COMPARED, apart="")))
    assert "2 comparisons in 1 variant" in text
    assert "The sign changes" in text
    assert "comparison only" not in text


def test_braces_in_a_label_are_letters():
    assert COMPARED.name(("{x} {size}",), COMPARED.heading) == "slope, {x} {size}"


def test_without_fits_there_is_nothing_to_compare():
    with pytest.raises(StudyError, match="no fits"):
        intervals.side_by_side({}, {"slope": slopes})
