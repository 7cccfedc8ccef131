"""Figures: complete, marked, legible, inert, and the same every time."""

from __future__ import annotations

import itertools
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from hostile import HOSTILE, hostile_study
from intlmodels import plots
from intlmodels.core.errors import StudyError
from intlmodels.models.share.estimands import new_firms
from intlmodels.plots import style
from intlmodels.plots.style import MARK, svg
from intlmodels.results import share
from intlmodels.studies import Study, load_study
from studies import write_study
from trees import made_up

WITH_ESTIMATES = (
    "estimates",
    "differences",
    "ranks",
    "variation",
    "prior_posterior",
    "posterior_predictive",
    "chains",
)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return load_study(write_study(tmp_path_factory.mktemp("plots")))


@pytest.fixture(scope="module")
def fit(study):
    return made_up(study, {"ease": 1.0, "branch": [1.0, 0.0, -1.0]})


@pytest.fixture(scope="module")
def failed(study):
    return made_up(study, fails=True)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A fit of the study with hostile labels."""
    return made_up(load_study(hostile_study(tmp_path_factory.mktemp("hostile"))))


def said(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def extents(figure, texts):
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    return [t.get_window_extent(renderer) for t in texts if t.get_text() and t.get_visible()]


@pytest.mark.parametrize("name", [*WITH_ESTIMATES, "prior_predictive", "data"])
def test_every_figure_draws_and_is_valid_svg(fit, name):
    text = svg(getattr(plots, name)(fit))
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert len(text) < 150_000


@pytest.mark.parametrize("name", WITH_ESTIMATES)
def test_a_failed_fit_is_marked(fit, failed, name):
    assert MARK in said(getattr(plots, name)(failed))
    assert MARK not in said(getattr(plots, name)(fit))


def test_pictures_of_the_data_and_the_prior_need_no_mark(failed, study):
    assert MARK not in said(plots.data(study))
    assert MARK not in said(plots.prior_predictive(failed))


def test_data_are_drawn_alike_from_study_and_fit(study, fit):
    assert svg(plots.data(study, "branch")) == svg(plots.data(fit, "branch"))
    with pytest.raises(StudyError, match="'size' does not group"):
        plots.data(study, "size")


def test_levels_and_counts_are_labelled_in_words(fit):
    text = said(plots.estimates(fit))
    assert "Ease of moving" in text
    assert "Easy (4)" in text
    assert "Share abroad" in text
    with pytest.raises(StudyError, match="there is no comparison for 'x'"):
        plots.estimates(fit, "x")


def test_differences_show_the_probability_of_direction(fit):
    text = said(plots.differences(fit, "ease"))
    assert "Pr(> 0) > 0.999" in text
    assert "Easy\nminus Hard" in text


def test_the_backend_of_a_notebook_stays_what_it_was(fit):
    before = mpl.get_backend()
    try:
        mpl.use("template")
        plots.estimates(fit)
        assert mpl.get_backend() == "template"
    finally:
        mpl.use(before)


def test_new_firms_and_variants(study, fit):
    prediction = new_firms(fit, share.observed_profiles(fit, 3), seed=1)
    assert MARK not in said(plots.new_firms(prediction))
    assert MARK in said(plots.new_firms(prediction, passed=False))
    density = made_up(study, {"ease": 1.0}, variant="density")
    heaped = made_up(study, {"ease": 1.0}, variant="heaped", fails=True)
    text = said(plots.variants({"default": fit, "density": density, "heaped": heaped}))
    assert "hollow grey: for comparison only; red cross: did not converge" in text
    assert "Easy minus Hard" in text


def test_the_same_figure_gives_the_same_text(fit):
    assert svg(plots.estimates(fit)) == svg(plots.estimates(fit))
    text = svg(plots.chains(fit))
    assert "<dc:date>" not in text
    assert "<!--" not in text


@pytest.mark.parametrize("name", [*WITH_ESTIMATES, "data", "prior_predictive"])
def test_text_is_never_smaller_than_8_points(fit, name):
    figure = getattr(plots, name)(fit)
    figure.draw_without_rendering()
    sizes = {t.get_fontsize() for t in figure.findobj(Text) if t.get_text()}
    assert min(sizes) >= 8


@pytest.mark.filterwarnings("ignore:.*missing from font")
@pytest.mark.parametrize("name", ["data", "estimates", "differences", "ranks", "variation"])
def test_labels_do_not_overlap_and_stay_inside(hostile, name):
    figure = getattr(plots, name)(hostile)
    for axes in figure.axes:
        boxes = sorted(extents(figure, axes.get_yticklabels()), key=lambda box: box.y0)
        for below, above in itertools.pairwise(boxes):
            assert above.y0 >= below.y1 - 2.5
        assert all(box.x0 >= -1 for box in boxes)


def test_hostile_labels_are_text_not_markup(hostile):
    for name in ("data", "estimates", "differences", "ranks", "prior_posterior"):
        figure = getattr(plots, name)(hostile)
        text = svg(figure)
        root = ElementTree.fromstring(text)
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert not tags & {"script", "img", "foreignObject", "a"}
    assert any(label in said(plots.estimates(hostile)) for label in HOSTILE)


def test_a_letter_that_the_font_lacks_is_left_to_the_reader(fit, hostile):
    assert "<text" in svg(plots.ranks(hostile))
    assert "<text" not in svg(plots.ranks(fit))


def test_dollar_signs_are_not_mathematics(hostile):
    figure = plots.estimates(hostile)
    assert all(not t.get_parse_math() for t in figure.findobj(Text) if "$" in t.get_text())


def test_labels_are_wrapped_and_cut():
    assert style.wrapped("one two three four", 9) == "one two\nthree fo…"
    assert style.wrapped("a\n\tb") == "a b"
    assert style.shortened("x" * 50, 10) == "x" * 9 + "…"


def test_many_rows_are_cut_and_said_so(hostile):
    text = said(plots.differences(hostile))
    assert "differences with a less clear direction are not shown" in text


def test_matplotlib_settings_of_the_caller_stay(fit):
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 31.0, "text.parse_math": True}):
        first = svg(plots.variation(fit))
        assert mpl.rcParams["font.size"] == 31.0
    assert first == svg(plots.variation(fit))


def test_a_notebook_shows_the_figure(fit):
    assert plots.variation(fit)._repr_svg_().startswith("<?xml")


def test_grid_counts_count_every_firm(fit):
    values, counts = share.grid_counts(fit, "posterior_predictive")
    assert values[1] - values[0] == 5
    assert np.all(counts.sum(axis=1) == 8)


def test_plots_import_neither_pyplot_nor_pymc():
    code = (
        "import sys, intlmodels.plots; "
        "print([m for m in ('matplotlib.pyplot', 'pymc', 'pytensor', 'nutpie', 'scipy.stats') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout.strip() == "[]"
