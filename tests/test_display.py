"""What a notebook shows of studies, fits and gates."""

import re
from functools import partial

import pytest
from xarray import DataTree

import intlmodels as im
from intlmodels.fitting import jobs
from intlmodels.fitting.diagnostics import Gate
from mockfit import mock_fit


@pytest.fixture(scope="module")
def fits():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "fit", mock_fit)
        return {name: im.fit_study("rochester", name) for name in ("default", "heaped")}


@pytest.mark.parametrize("name", ["rochester", "norway", "michigan"])
def test_a_study_fits_a_screen_and_print_shows_all(name):
    study = im.load_study(name)
    shown = repr(study).splitlines()
    assert len(shown) <= 25
    assert max(map(len, shown)) <= 170
    lines = list(study.lines())
    assert str(study).splitlines() == lines
    assert shown[-1] == f"... {len(lines) - 24} more lines: print(study)"
    assert "im.fit_study(study)" in study._repr_html_()


def test_a_fit_shows_its_gate_the_clearest_differences_and_what_comes_next(fits):
    fit = fits["default"]
    assert isinstance(fit, DataTree)
    html = fit._repr_html_()
    assert "Converged: no check failed" in html
    best = im.differences(fit).nlargest(1, "p_direction").iloc[0]
    assert f"{best['label']}: {best['level']} against {best['against']}" in html
    assert "im.estimates(fit)" in html
    assert "/posterior" in html


def test_a_gate_that_fails_says_what_helps(monkeypatch):
    monkeypatch.setattr(jobs, "fit", partial(mock_fit, bad=True))
    with pytest.warns(im.NotConverged):
        fit = im.fit_study("rochester")
    html = Gate.from_json(fit.attrs["gate"])._repr_html_()
    assert "Did not converge" in html
    assert "a higher target acceptance" in html


def test_fits_side_by_side(fits):
    table = im.regression_table({"A": fits["default"], "B": fits["heaped"]})
    assert list(table.columns) == ["A", "B"]
    assert table.loc["heaping", "A"] == ""
    row = im.parameter_table(fits["default"]).query("variable == 'phi'").iloc[0]
    numbers = [float(number) for number in re.findall(r"[\d.]+", table.loc["phi", "A"])]
    assert numbers == [round(row[column], 2) for column in ("median", "ci_low", "ci_high")]
    assert not any(name.startswith(("mu", "product_z")) for name in table.index)
    with pytest.raises(im.StudyError, match="at least one fit"):
        im.regression_table({})


def test_errors_in_notebooks_do_not_speak_of_the_command_line():
    with pytest.raises(im.StudyError, match=r"^priors: found 'phii'; no parameter is called"):
        im.prior_table("rochester", priors={"phii": "Normal(0, 1)"})


def test_ipython_shows_the_line_alone():
    with pytest.raises(im.StudyError) as error:
        im.load_study("rochestr")
    (line,) = error.value._render_traceback_()  # IPython calls it
    assert line.startswith("StudyError: found 'rochestr'; no such study or folder (did you mean")
