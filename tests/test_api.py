"""Functions for notebooks that do more than call another one."""

import inspect
import pickle
import re

import pandas as pd
import pytest
import xarray as xr

import intlmodels as im
import madetrust
from decaytrees import decay_tree
from intlmodels.checks import stored
from intlmodels.fitting import jobs
from mockfit import mock_fit
from studies import write_study
from trees import made_up, share_positive, store_fits


@pytest.fixture
def study(tmp_path):
    return im.load_study(write_study(tmp_path / "study"))


def test_differences_are_those_of_the_model(study):
    table = im.differences(made_up(study, {"ease": share_positive(0.75)}))
    ease = table[table["predictor"] == "ease"].iloc[0]
    assert ease["p_positive"] == pytest.approx(0.75)
    assert ease["ci_prob"] == 0.95
    table = im.differences(decay_tree(known=True), prob=0.8)
    assert set(table["quantity"]) == {"fall", "decay"}
    assert set(table["ci_prob"]) == {0.8}


def test_findings_that_were_stored_are_read(study, tmp_path):
    out = tmp_path / "out"
    store_fits(study, out, default=made_up(study))
    with pytest.raises(im.StudyError, match="calibration: it has not been computed yet"):
        im.read_trust(study, out)
    stored.write("sensitivity", madetrust.sensitivity(), study, {}, out)
    found = im.read_trust(study.folder, out)
    assert set(im.trust_tables(found)) == {"sensitivity.csv", "power_scaling.csv"}
    assert found.calibration.reasons == ("it has not been computed yet",)


def test_findings_of_another_study_are_not_read(study, tmp_path):
    out = tmp_path / "out"
    stored.write("calibration", madetrust.calibration(), study, {"phi": "Gamma(2, 0.1)"}, out)
    with pytest.raises(im.StudyError, match=r"calibration: .*phi"):
        im.read_trust(study, out)


# -- what goes in ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def share_fit(tmp_path_factory):
    """A stored fit that took no time, with its estimands."""
    study = im.load_study(write_study(tmp_path_factory.mktemp("study")))
    tree = jobs._with_estimands(mock_fit(study))
    tree.attrs["fingerprint"] = "{}"
    return tree


FOREIGN = xr.DataTree.from_dict({"posterior": xr.Dataset({"x": ("d", [1.0, 2.0])})})
HOLLOW = xr.DataTree.from_dict({"posterior": xr.Dataset({"x": ("d", [1.0, 2.0])})})
HOLLOW.attrs = {"model": "share", "gate": "[]"}
#: No argument takes one of these.
ODD = (3.5, -1j, b"bytes", object(), {1: 2}, [None], "x" * 300, "\0", "", FOREIGN, HOLLOW)


def functions(module):
    named = [(name, getattr(module, name)) for name in module.__all__]
    return [(name, each) for name, each in named if inspect.isfunction(each)]


def parameters(module):
    return [
        pytest.param(function, parameter.name, id=f"{name}-{parameter.name}")
        for name, function in functions(module)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]


@pytest.mark.parametrize(("function", "name"), [*parameters(im), *parameters(im.plots)])
def test_odd_arguments_are_refused_where_they_enter(
    function, name, share_fit, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    usual = {
        "study": "rochester",
        "name_or_path": "rochester",
        "fit": share_fit,
        "fits": {"default": share_fit},
        "source": share_fit,
        "out": "out",
        "path": "none",
        "folder": "new",
        "model": "share",
        "profiles": {},
        "table": pd.DataFrame({"a": [1]}),
        "units": 3,
        "ids": ["a"],
        "conflicts": [["a"]],
        "across": "x",
        "down": "y",
        "vulnerable": "z",
        "prediction": xr.Dataset(),
        "variables": "size",
        "predictor": "size",
        "name": "ease",
        "found": None,
        "figure": None,
    }
    needed = [
        each.name
        for each in inspect.signature(function).parameters.values()
        if each.default is each.empty and each.kind is not each.VAR_KEYWORD
    ]
    for odd in ODD:
        given = {each: usual[each] for each in needed} | {name: odd}
        if function in (im.fit_study, im.calibrate, im.compare, im.multiverse, im.sensitivity):
            given = {"cores": -1} | given  # nothing is computed if this one is not refused
        try:
            function(**given)
        except (im.StudyError, TypeError) as error:
            text = str(error)
            assert "\n" not in text
            if type(error) is TypeError:
                assert re.fullmatch(r"\w+: \w+ must be .*, not .*", text), text
        else:
            # What is a text may be any text that is not empty.
            assert isinstance(odd, (str, float)) or odd in ([None], {1: 2}), (name, odd)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"draws": "5"}, "draws must be a whole number"),
        ({"drawz": 5}, "drawz"),
        ({"cores": -1}, "cores must be a whole number from 1"),
        ({"cores": 0}, "cores must be a whole number from 1"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"chains": 10**9}, "chains must be a whole number"),
        ({"target_accept": float("nan")}, "between 0 and 1"),
    ],
)
@pytest.mark.parametrize("function", [im.fit_study, im.calibrate, im.compare])
def test_settings_are_checked_before_any_work(function, settings, says, tmp_path):
    with pytest.raises(im.StudyError, match=says):
        function("rochester", out=tmp_path / "out", **settings)
    assert not list(tmp_path.iterdir())


def test_a_number_of_simulations_has_limits(tmp_path):
    for sims in (0, -5, 10**12):
        with pytest.raises(im.StudyError, match="sims must be a whole number from 1 to 1000000"):
            im.calibrate("rochester", tmp_path / "out", sims)


@pytest.mark.parametrize("draw", ["curves", "decisions", "experience_and_time", "cells"])
def test_a_picture_of_another_model_says_so(draw, share_fit):
    with pytest.raises(im.StudyError):
        getattr(im.plots, draw)(share_fit)


def test_public_functions_keep_their_names_and_travel():
    for name, function in functions(im):
        assert function.__name__ == name
        assert pickle.dumps(function)
