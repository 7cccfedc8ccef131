"""Figures of the decay model: they draw the numbers of the tables, and stay legible."""

from __future__ import annotations

import itertools
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Text

from decaytrees import FIRMS, PERIODS, TOTAL, count, decay_design, decay_tree, one_size
from hostile import HOSTILE
from intlmodels import plots as common
from intlmodels.core.errors import StudyError
from intlmodels.plots import counts as plotcounts
from intlmodels.plots import decay as plots
from intlmodels.plots import style as s
from intlmodels.plots.style import MARK, svg
from intlmodels.results import decay as results

OF_ESTIMATES = ("curves", "true_counts", "cells", "experience_and_time")
OF_COUNTS = (*OF_ESTIMATES, "decisions")


@pytest.fixture(scope="module")
def fit():
    return decay_tree(decay_design(by_period=True), variant="period", draws=500)


@pytest.fixture(scope="module")
def failed():
    return decay_tree(one_size(by_period=True), variant="period", fails=True)


@pytest.fixture(scope="module")
def known():
    return decay_tree(known=True)


@pytest.fixture(scope="module")
def hostile():
    """Hostile labels everywhere, and as many periods as a picture has to bear."""
    firms = HOSTILE
    periods = tuple(f"{label} {i}" for i, label in enumerate(HOSTILE[:8]))
    subset = {"firms": firms, "periods": periods}
    counts = [count("all", 30, hard=True, **subset)]
    counts += [
        count(f"{label} {i}", 3, **{**subset, "periods": (periods[i % 8],)})
        for i, label in enumerate(HOSTILE)
    ]
    design = decay_design(
        firms=firms, periods=periods, counts=tuple(counts), total=30, by_period=True
    )
    words = {
        "event": "a very long word for <b>decision</b>",
        "flag_label": "motivated by $x_1^2$ & all that anybody might want to say of it, at length",
        "firm_label": "internationalized family company",
    }
    return decay_tree(design, variant="period", fails=True, words=words)


def said(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def drawn(axes, label):
    """Lines with a label, as arrays of x and y."""
    return [line.get_xydata() for line in axes.lines if line.get_label() == label]


def dots_of(axes, color=None):
    """Every dot of an interval picture: x and y of markers of one colour."""
    found = [
        line.get_xydata()
        for line in axes.lines
        if line.get_marker() == "o" and (color is None or to_hex(line.get_color()) == color.lower())
    ]
    return np.concatenate(found)


def segments(axes, color):
    """Horizontal lines of one colour: x of their ends, and y."""
    found = [
        (*segment[:, 0], segment[0, 1])
        for lines in axes.collections
        if hasattr(lines, "get_segments") and to_hex(lines.get_color()[0]) == color.lower()
        for segment in lines.get_segments()
    ]
    return sorted(found)


# -- all of them -------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_COUNTS)
def test_every_figure_is_valid_svg_and_the_same_every_time(fit, name):
    text = svg(getattr(common, name)(fit))
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert len(text) < 150_000
    assert text == svg(getattr(common, name)(fit))


@pytest.mark.parametrize("name", OF_ESTIMATES)
def test_a_failed_fit_is_marked(fit, failed, name):
    assert MARK in said(getattr(common, name)(failed))
    assert MARK not in said(getattr(common, name)(fit))


def test_the_data_need_no_mark(failed):
    assert MARK not in said(common.decisions(failed))


@pytest.mark.parametrize("name", OF_COUNTS)
def test_one_size_has_one_panel(failed, name):
    figure = getattr(common, name)(failed)
    assert len(figure.axes) == (2 if name == "curves" else 1)
    assert ("All firms" in said(figure)) == (name in ("curves", "cells", "experience_and_time"))


@pytest.mark.filterwarnings("ignore:.*missing from font")
@pytest.mark.parametrize("name", OF_COUNTS)
def test_no_text_is_small_or_cut_or_in_the_way(fit, hostile, name):
    for tree in (fit, hostile):
        figure = getattr(common, name)(tree)
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw_without_rendering()
        texts = [t for t in figure.findobj(Text) if t.get_text() and t.get_visible()]
        assert min(t.get_fontsize() for t in texts) >= 8
        width, height = figure.bbox.size
        for text in texts:
            box = text.get_window_extent(renderer)
            inside = box.x0 > -1 and box.x1 < width + 1 and box.y0 > -1 and box.y1 < height + 1
            # Ticks beyond the limits of an axis exist, and are not drawn.
            assert inside or _out_of_range(text, figure), text.get_text()
        for axes in figure.axes:
            for axis, end in ((axes.xaxis, "x"), (axes.yaxis, "y")):
                boxes = [
                    label.get_window_extent(renderer)
                    for label in axis.get_ticklabels()
                    if label.get_text() and not _out_of_range(label, figure)
                ]
                boxes.sort(key=lambda box: getattr(box, f"{end}0"))
                for one, other in itertools.pairwise(boxes):
                    assert getattr(other, f"{end}0") >= getattr(one, f"{end}1") - 2.5


def _out_of_range(text, figure):
    for axes in figure.axes:
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            for tick in axis.get_major_ticks():
                if tick.label1 is text:
                    return not min(limits) <= tick.get_loc() <= max(limits)
    return False


@pytest.mark.filterwarnings("ignore:.*missing from font")
def test_hostile_labels_are_text_not_markup(hostile):
    for name in OF_COUNTS:
        figure = getattr(common, name)(hostile)
        root = ElementTree.fromstring(svg(figure))
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert not tags & {"script", "img", "foreignObject", "a", "b"}
        dollars = [text for text in figure.findobj(Text) if "$" in text.get_text()]
        assert not any(text.get_parse_math() for text in dollars)


def test_the_common_figures_take_these_fits(fit, known):
    for tree in (fit, known):
        assert "decay: large" in said(common.prior_posterior(tree))
        assert len(common.chains(tree).axes) == 6


def test_figures_import_neither_pyplot_nor_samplers():
    code = (
        "import sys, intlmodels.plots.decay; "
        "print([m for m in ('matplotlib.pyplot', 'pymc', 'numba', 'scipy.stats') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- curves ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fit", "known", "failed"])
def test_curves_are_the_table_and_dotted_where_nothing_lies(request, kind):
    tree = request.getfixturevalue(kind)
    table = results.curves(tree, 0.9)
    before = results.curves(tree, 0.9, "prior")
    where = plots.decisions_at(tree)
    figure = plots.curves(tree, 0.9)
    sizes = list(dict.fromkeys(table["size"]))
    for i, size in enumerate(sizes):
        above, below = figure.axes[i], figure.axes[len(sizes) + i]
        rows = table[table["size"] == size]
        (solid,), (dotted,) = drawn(above, "median"), drawn(above, "beyond")
        assert np.array_equal(np.concatenate([solid, dotted[1:]])[:, 1], rows["median"])
        assert np.array_equal(dotted[-1], rows[["entries", "median"]].to_numpy()[-1])
        bands = [path.get_paths()[0].vertices for path in above.collections[:2]]
        for band, ends in zip(
            bands, (["ci_low", "ci_high"], ["ci50_low", "ci50_high"]), strict=True
        ):
            assert band[:, 1].min() == rows[ends[0]].min()
            assert band[:, 1].max() == rows[ends[1]].max()
        prior = before[before["size"] == size]
        outline = {tuple(line[:, 1]) for line in drawn(above, "prior")}
        assert outline == {tuple(prior["ci_low"]), tuple(prior["ci_high"])}
        number = where.loc[where["size"] == size, "decisions"].to_numpy()
        heights = [path.vertices[:, 1].max() for path in below.collections[0].get_paths()]
        assert np.allclose(heights, number)
        assert (number[len(solid) :] < 1).all()
        assert number[len(solid) - 1] >= 1
    assert "50% and 90% equal-tailed" in said(figure)
    assert "a decision\nis motivated by the cluster" in said(figure)


def test_decisions_lie_at_every_place_of_every_firm(fit, known):
    tables = fit["posterior"].to_dataset()["table"].to_numpy().reshape(-1, len(FIRMS), 3, 2)
    expected = np.zeros((2, 16))
    for table in tables:
        for firm, made in enumerate(table.sum(axis=(1, 2))):
            for place in range(made):
                expected[int(firm > 1), place] += 1 / len(tables)
    where = plots.decisions_at(fit)
    assert np.allclose(where["decisions"].to_numpy().reshape(2, 16), expected)
    assert where["decisions"].sum() == pytest.approx(TOTAL)
    assert where.attrs["beyond"] == 0
    where = plots.decisions_at(known)
    large, other = where["decisions"].to_numpy().reshape(2, 16)
    assert large.tolist()[:6] == [2, 2, 2, 2, 1, 0]
    assert other.tolist()[:4] == [2, 2, 1, 0]


def test_decisions_beyond_the_curve_are_counted_and_said(fit):
    tree = fit.copy(deep=True)
    table = tree["posterior"]["table"].to_numpy()
    table[:] = 0
    table[:, :, 0, 0, 0] = 20
    where = plots.decisions_at(tree)
    assert where["decisions"].sum() == 16
    assert where.attrs["beyond"] == 4
    assert "4.0 decisions lie further right" in said(plots.curves(tree))


# -- counts and cells --------------------------------------------------------------------


def test_each_count_has_a_row_with_its_printed_number(fit):
    figure = common.true_counts(fit, 0.9)
    table = results.true_counts(fit, 0.9)
    axes = figure.axes[0]
    signs = {"equal": "=", "at least": "≥", "at most": "≤"}
    labels = [
        f"{r[0]} {signs[r[1]]} {r[2]}" for r in table[["count", "relation", "printed"]].values
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == labels
    bold = [label.get_fontweight() == "bold" for label in axes.get_yticklabels()]
    assert bold == (table["p_held"] < 0.5).tolist()
    assert said(figure).split("\n").count("certain") == table["hard"].sum() == 5


def test_dots_of_counts_have_the_areas_of_their_probabilities(fit):
    axes = common.true_counts(fit).axes[0]
    off = results.estimands(fit)["true_count"].to_numpy().reshape(1000, -1)
    off = off - fit["constant_data"]["printed"].to_numpy()
    low, high = axes.get_xlim()
    area = np.zeros(off.shape[1])
    for dots in axes.collections:
        if not hasattr(dots, "get_segments"):
            for (x, y), size in zip(dots.get_offsets(), dots.get_sizes(), strict=True):
                assert low < x < high
                values = off[:, int(y)]
                edge = x in (low + 0.4, high - 0.4)
                chance = (np.abs(values) >= abs(x)).mean() if edge else (values == x).mean()
                assert size == pytest.approx(plotcounts.AREA * chance)
                area[int(y)] += size
    assert np.allclose(area, plotcounts.AREA, rtol=0.03)


def test_doubtful_counts_stand_out_by_colour(fit):
    tree = fit.copy(deep=True)
    true = tree["estimands"]["true_count"].to_numpy()
    printed = tree["constant_data"]["printed"].to_numpy()
    for row, held in ((2, 260), (3, 240)):  # of 500 draws of each chain
        true[:, :held, row] = printed[row]
        true[:, held:, row] = printed[row] + 1
    figure = common.true_counts(tree)
    color = {
        int(y): to_hex(dots.get_facecolor()[0])
        for dots in figure.axes[0].collections
        if not hasattr(dots, "get_segments")
        for _, y in dots.get_offsets()
    }
    assert color[3] == s.ORANGE.lower()
    assert color[0] == s.MUTED.lower()
    assert color[2] == s.BLUE.lower()
    assert len(color) == len(results.true_counts(fit))
    labels = figure.axes[0].get_yticklabels()
    assert {i for i, label in enumerate(labels) if label.get_fontweight() == "bold"} == {3}


def test_of_many_counts_the_doubtful_are_shown(fit, monkeypatch):
    table = results.true_counts(fit)
    monkeypatch.setattr(plotcounts, "MOST_ROWS", 3)
    figure = common.true_counts(fit)
    shown = [label.get_text().rpartition(" ")[0][:-2] for label in figure.axes[0].get_yticklabels()]
    soft = table[~table["hard"]]
    assert set(shown) == set(soft.nsmallest(3, "p_held")["count"])
    assert f"{len(table) - 3} counts more likely to be right: not shown" in said(figure)


BOUNDS = pd.DataFrame(
    {
        "size": ["large", "large", "other", "nobody"],
        "period": ["early", "early", "late", "late"],
        "flag": ["no", "yes", "yes", "yes"],
        "low": [0, 1, None, 0],
        "high": [3, None, None, 99],
    }
)


def test_cells_are_the_table_beside_the_bounds(fit):
    figure = common.cells(fit, BOUNDS, basis="the hard counts")
    table = results.cells(fit)
    large, other = figure.axes
    for axes, size in ((large, "large"), (other, "other")):
        for flag, color, beside in (("yes", s.BLUE, -0.17), ("no", s.ORANGE, 0.17)):
            rows = table[(table["size"] == size) & (table["flag"] == flag)]
            assert np.allclose(
                dots_of(axes, color), np.column_stack([rows["median"], np.arange(3) + beside])
            )
            ends = rows[["ci_low", "ci_high"]].to_numpy()
            found = np.array(segments(axes, color))
            for (low, high), place in zip(ends, np.arange(3) + beside, strict=True):
                at = found[np.isclose(found[:, 2], place)]
                assert (at[:, 0].min(), at[:, 1].max()) == (low, high)
    limit = large.get_xlim()[1]
    unbounded, bounded = segments(large, s.FAINT)[::-1]
    assert np.allclose(bounded, (0, 3, 0.17))
    assert unbounded[0] == 1
    assert unbounded[1] > limit
    assert segments(other, s.FAINT) == []
    assert limit < 20  # a bound of nobody's does not stretch the axis
    assert [label.get_text() for label in large.get_yticklabels()] == list(PERIODS)
    assert "grey: what the hard counts allow" in said(figure)


def test_cells_need_no_bounds(fit):
    figure = common.cells(fit)
    assert "grey" not in said(figure)
    assert not segments(figure.axes[0], s.FAINT)


@pytest.mark.parametrize("name", ["true_counts", "cells"])
def test_known_decisions_have_no_counts_to_compare(known, name):
    with pytest.raises(StudyError, match="decisions of this study are known"):
        getattr(common, name)(known)


# -- variants, experience and time -------------------------------------------------------


def test_variants_are_the_table(fit):
    step = decay_tree(decay_design(family="step"), variant="step", fails=True)
    power = decay_tree(decay_design(family="power"), variant="power")
    fits = {"default": fit, "step": step, "power": power}
    table = results.compare_variants(fits, 0.9)
    figure = plots.variants(fits, 0.9)
    assert len(figure.axes) == 3
    assert svg(figure) == svg(plots.variants(table))
    for axes, size in zip(figure.axes[:2], ("large", "other"), strict=True):
        rows = table[(table["quantity"] == "fall") & (table["size"] == size)]
        assert np.array_equal(dots_of(axes), np.column_stack([rows["median"], range(3)]))
        (cross,) = [line.get_xydata() for line in axes.lines if line.get_marker() == "x"]
        assert np.array_equal(cross, [[rows["median"].iloc[1], 1]])
    last = figure.axes[2]
    decay = table[table["size"] == "large - other"]
    assert np.array_equal(dots_of(last), [[decay["median"].iloc[0], 0]])
    assert said(figure).count("another unit") == 2  # decays for units of other shapes
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert MARK not in said(figure)
    assert "red cross: did not converge" in said(figure)
    assert MARK in said(plots.variants({"step": step, "default": fit}))


def test_variants_of_one_size_show_the_decay_itself(failed):
    text = said(plots.variants({"default": failed}))
    assert "All firms:\ndecline after 5" in text
    assert "All firms:\ndecay" in text
    assert "minus" not in text


def test_twenty_variants_fit(fit):
    table = results.compare_variants({"default": fit})
    names = [f"variant-with-a-long-name-{i}" for i in range(20)]
    many = pd.concat([table.assign(variant=name) for name in names], ignore_index=True)
    figure = plots.variants(many)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    boxes = [label.get_window_extent(renderer) for label in figure.axes[0].get_yticklabels()]
    assert len(boxes) == 20
    boxes.sort(key=lambda box: box.y0)
    assert all(above.y0 >= below.y1 - 2.5 for below, above in itertools.pairwise(boxes))
    assert all(box.x0 >= -1 for box in boxes)


def test_regions_hold_the_probability_that_they_say(fit):
    rng = np.random.default_rng(5)
    tree = fit.copy(deep=True)
    shape = tree["posterior"]["decay"].shape
    x, y = rng.multivariate_normal([0.4, 1.0], [[0.04, 0.15], [0.15, 1.0]], shape[:2]).transpose(
        2, 0, 1
    )
    tree["posterior"]["decay"].to_numpy()[..., 0] = x
    tree["posterior"]["period"].to_numpy()[:] = 0
    tree["posterior"]["period"].to_numpy()[..., 0] = y
    axes = plots.experience_and_time(tree, 0.9).axes[0]
    lines = [c for c in axes.collections if hasattr(c, "levels") and not c.filled]
    outer, inner = lines[-1].get_paths()
    draws = np.column_stack([x.ravel(), y.ravel()])
    assert outer.contains_points(draws).mean() == pytest.approx(0.9, abs=0.02)
    assert inner.contains_points(draws).mean() == pytest.approx(0.5, abs=0.03)
    assert f"r = {np.corrcoef(x.ravel(), y.ravel())[0, 1]:.2f}" in said(axes.figure)
    (dot,) = [line.get_xydata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert np.allclose(dot, np.median(draws, axis=0))


def test_experience_and_time_need_effects_of_periods(fit, known):
    assert "Fall of the log odds for\neach earlier decision" in said(plots.experience_and_time(fit))
    with pytest.raises(StudyError, match="'default' has no effects of periods"):
        plots.experience_and_time(known)


# -- what was published ------------------------------------------------------------------


def test_conflicts_have_a_dot_for_each_of_their_counts():
    ids = ["M1", "M2", "M3", "M4"]
    conflicts = [("M1", "M4"), ("M4", "M2", "M1")]
    figure = common.conflicts(ids, conflicts)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ids
    rows = [line.get_xydata() for line in axes.lines]
    assert [row.tolist() for row in rows] == [[[0, 0], [3, 0]], [[0, 1], [1, 1], [3, 1]]]
    assert "not shown" not in said(figure)
    assert "no contradictions" in said(common.conflicts(ids, []))


def test_of_many_conflicts_the_first_are_shown():
    ids = [f"count number {i}" for i in range(50)]
    conflicts = [(ids[i], ids[i + 1], ids[40]) for i in range(35)]
    figure = common.conflicts(ids, conflicts)
    axes = figure.axes[0]
    assert len(axes.lines) == 30
    assert len(axes.get_xticklabels()) == 32
    assert "the 30 smallest of 35 minimal contradictions" in said(figure)
    assert "18 counts in none of these rows: not shown" in said(figure)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    boxes = [label.get_window_extent(renderer) for label in axes.get_xticklabels()]
    assert all(a.x1 <= b.x0 + 2.5 for a, b in itertools.pairwise(boxes))
    assert max(box.y1 for box in boxes) <= figure.bbox.height + 1


def test_counts_cover_their_periods(fit):
    figure = common.decisions(fit)
    axes = figure.axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [
        "all firms (all)",
        "all firms (flagged)",
        "all firms (early)",
        "all firms (middle)",
        "all firms (late)",
        "large firms (large, late)",
        "all firms (late, plain)",
        "each of 3 firms (each)",
    ]
    assert [text.get_text() for text in axes.texts] == ["12", "7", "4", "5", "4", "2", "≤ 3", "≥ 1"]
    assert [bar[2] for bar in segments(axes, s.BLUE)] == [1, 7]
    ((start, stop, row),) = segments(axes, s.ORANGE)
    assert (round(start), round(stop), row) == (2, 2, 6)
    whole = next(bar for bar in segments(axes, s.MUTED) if bar[2] == 0)
    assert (round(whole[0]), round(whole[1])) == (0, 2)


def test_known_decisions_stand_in_their_order(known):
    axes = common.decisions(known).axes[0]
    hollow, filled = (line for line in axes.lines if line.get_marker() == "o")
    assert (hollow.get_markerfacecolor(), filled.get_markerfacecolor()) == ("white", s.BLUE)
    flags = known["observed_data"]["flagged"].to_numpy()
    assert len(filled.get_xydata()) == flags.sum()
    assert len(hollow.get_xydata()) == (1 - flags).sum()
    first = filled.get_xydata()[filled.get_ydata() == 0]
    assert first[:, 0].tolist() == [0, 1, 2]  # Alfa: the first three of five
    assert [label.get_text() for label in axes.get_yticklabels()] == list(FIRMS)
    assert {"Large firms", "Other firms"} <= set(said(axes.figure).split("\n"))
