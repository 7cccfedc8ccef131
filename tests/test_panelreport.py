"""Reports of panels, groups, curves and interactions, on fits whose posterior is near the prior."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from growerstudies import STUDY, rows, write_growers
from intlmodels.models import design_of
from intlmodels.models.base import flat
from intlmodels.models.pymc import prior_draws
from intlmodels.models.share.design import predictor_blocks
from intlmodels.models.share.estimands import new_firms
from intlmodels.models.share.model import build
from intlmodels.paper import methods
from intlmodels.report import sharesentences
from intlmodels.report.blocks import Picture, Section, Table
from intlmodels.report.data import ShareReportData, gather
from intlmodels.report.formula import share_formula, share_symbols
from intlmodels.report.registry import sections_of
from intlmodels.report.render import mathml
from intlmodels.report.sections import diagnostics
from intlmodels.results import interpret, share
from intlmodels.studies import load_study
from intlmodels.studies.columns import Grouping, Panel, Predictor
from trees import from_prior, store_fits

SECTIONS = ("answer", "data", "model", "priors", "estimates", "terms", "new_firms", "limits")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return load_study(write_growers(tmp_path_factory.mktemp("growers") / "study"))


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    store_fits(study, folder, default=from_prior(study))
    return folder


@pytest.fixture(scope="module")
def m(study, folder) -> ShareReportData:
    return gather(study, folder)


@pytest.fixture(scope="module")
def sections(study, folder) -> dict[str, Section]:
    return sections_of(study, folder, SECTIONS, tables=False)[1]


def words(section: Section) -> str:
    return " ".join(str(block) for block in section.blocks if not isinstance(block, Picture))


def tables(section: Section) -> list[Table]:
    return [block for block in section.blocks if isinstance(block, Table)]


def test_rows_firms_and_years_are_counted(m):
    assert m.subtitle == "Share abroad: 60 rows of 15 growers, 2001 to 2004, model share"
    assert m.firms == "60 rows of 15 growers"


def test_data_and_predictions_name_firm_and_year(m, sections):
    (table,) = tables(sections["data"])
    assert table.header[:4] == ("grower", "year", "printed %", "stands for %")
    assert table.rows[5][:2] == ("Grower 02", "2002")
    assert list(m.data.columns[:3]) == ["firm", "year", "printed_pct"]
    assert list(m.predicted.columns[:4]) == ["row", "firm", "year", "observed"]
    assert m.predicted["observed"].tolist() == [float(row["share"]) for row in rows()]


def test_firms_of_a_panel_are_no_levels(m):
    assert "firm" not in set(m.levels["predictor"])
    assert "firm" not in set(m.differences["predictor"])
    assert "firm" in set(m.variation["source"])
    assert "Grower 03" not in " ".join(sharesentences.cannot_tell(
        m.levels, m.differences, m.parameters, m.crossings, m.firms, m.rows))  # fmt: skip


def test_spread_is_checked_within_and_between_firms(m):
    checks = m.checks.set_index("feature")["observed"]
    values = np.array([float(row["share"]) for row in rows()]).reshape(15, 4)
    between = checks["standard deviation of the means by grower"]
    assert between == pytest.approx(values.mean(axis=1).std(ddof=1))
    within = np.sqrt(((values - values.mean(axis=1, keepdims=True)) ** 2).sum() / (60 - 15))
    assert checks["standard deviation within growers"] == pytest.approx(within)
    assert "rows at 0 %" in checks


def test_every_term_stands_in_the_formula(study):
    design = design_of(study)
    written = share_formula(design, study.outcome.width)
    text = " ".join(written.tex)
    for line in written.tex:
        assert line.count("{") == line.count("}")
        assert "\\" not in "".join(ElementTree.fromstring(mathml(line)).itertext())
    for block in (*design.blocks, *design.precision):
        assert block.name.replace("_", r"\_") in text
    for own in design.groupings:
        assert rf"\mathrm{{{own.name}}}" in text
    meanings = dict(share_symbols(design, study.outcome, study.row_label))
    assert meanings["f(i)"] == "the grower of row i"
    assert meanings["firm"] == "what each of the 15 growers adds to the level"


def test_an_interaction_is_shown_by_both_predictors(m, sections):
    found = interpret.interaction(m.fit, "owner_size")
    shown = [t for t in tables(sections["terms"]) if t.caption.startswith("Expected share by")]
    assert [t.file for t in shown] == ["tables/interaction_owner_size.csv"]
    sizes = found.draws["size"].to_numpy()
    assert len(shown[0].rows) == 5 * 2
    assert shown[0].header[:2] == ("Size", "Owner")
    half = len(sizes) // 2
    middle = found.draws.sel(owner="Fund").isel(size=half)
    row = next(r for r in shown[0].rows if r[1] == "Fund" and r[0].startswith(f"{sizes[half]:.3g}"))
    assert float(row[2]) == pytest.approx(float(middle.median()), abs=0.06)
    names = [block.name for block in sections["terms"].blocks if isinstance(block, Picture)]
    assert names == [
        *("curve-size", "curve-spending_between", "curve-spending_within"),
        "interaction-owner_size",
    ]


def test_a_curve_comes_with_its_turning_point(m, sections):
    (row,) = m.turning_points.itertuples(index=False)
    table = next(t for t in tables(sections["terms"]) if t.file == "tables/turning_points.csv")
    assert table.rows[0][0] == "Size"
    inside = float(re.sub(r"[<> ]", "", table.rows[0][4]))
    assert inside == pytest.approx(row.p_inside, abs=0.006)


def test_coefficients_stand_per_sd_and_in_their_unit(m, sections):
    table = next(t for t in tables(sections["terms"]) if t.file == "tables/coefficients.csv")
    per = [row[1] for row in table.rows if row[0] == "Spending (mean of the grower)"]
    assert per == ["standard deviation", "10 dollars"]


def test_groups_come_with_their_standard_deviations(sections):
    table = next(t for t in tables(sections["terms"]) if t.file == "tables/parameters.csv")
    assert len(table.rows) == 3
    assert "60 rows" not in table.caption


def text_of_methods(m):
    passages = methods.passages(m, "key")
    return " ".join(piece for own in passages for piece in own if isinstance(piece, str))


def test_methods_say_what_the_terms_are(m):
    text = text_of_methods(m)
    assert "structural" not in text
    assert "60 rows of 15 growers, 2001 to 2004" in text
    assert "Each grower (15) has a level of its own" in text
    assert "random walk over 4 periods" in text
    assert {"mundlak1978", "smithson2006", "gelman2006"} <= set(methods.bibliography(m))


def test_methods_say_that_zeros_may_be_structural(tmp_path):
    toml = STUDY.replace("rounding_width = 1", 'rounding_width = 1\nzeros = "structural"')
    toml += '\n[zeros]\npredictors = ["owner"]\n'
    study = load_study(write_growers(tmp_path / "study", toml))
    store_fits(study, tmp_path / "out", default=from_prior(study))
    text = text_of_methods(gather(study, tmp_path / "out"))
    assert (
        "exactly 0 with a probability whose logit depends on owner, and otherwise" in text.lower()
    )


# -- intervals and weights ---------------------------------------------------------------


def test_widths_that_differ_are_counted(tmp_path):
    made = [row | {"share": f"{row['share']}.0" if row["year"] > "2002" else row["share"]}
            for row in rows()]  # fmt: skip
    toml = STUDY.replace("rounding_width = 1", 'rounding_width = "printed"')
    study = load_study(write_growers(tmp_path / "study", toml, made))
    assert study.outcome.width == 0
    tree = from_prior(study)
    store_fits(study, tmp_path / "out", default=tree)
    found = sections_of(study, tmp_path / "out", ["data", "model", "predictions"], tables=False)[1]
    assert "to 0.1 (30) and 1 (30) percentage points" in words(found["data"])
    (table,) = tables(found["data"])
    assert table.rows[0][2:4] == (made[0]["share"], share_of(made[0], 0.5, 1))
    assert table.rows[2][2:4] == (made[2]["share"], share_of(made[2], 0.05, 2))
    assert "each rounded as it is printed" in words(found["model"])


def share_of(row: dict[str, str], half: float, places: int) -> str:
    value = float(row["share"])
    return (
        f"{value - half:.{places}f}\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}{value + half:.{places}f}"
    )


@pytest.mark.slow
def test_weights_make_a_pseudo_posterior(tmp_path):
    made = [row | {"w": "3" if i % 2 else "1"} for i, row in enumerate(rows())]
    toml = STUDY.replace("rounding_width = 1", 'rounding_width = 1\nweights = "w"')
    study = load_study(write_growers(tmp_path / "study", toml, made))
    # 60 rows, half with three times the weight of the others: (1 + 3)^2 / (2 (1 + 9)) = 0.8.
    assert share.effective_rows(study.outcome.weights) == pytest.approx(48)
    store_fits(study, tmp_path / "out", default=from_prior(study))
    found = sections_of(study, tmp_path / "out", ["data"], tables=False)[1]
    assert "pseudo-posterior" in words(found["data"])
    assert "worth 48 of equal weight" in words(found["data"])


# -- very many levels --------------------------------------------------------------------


@pytest.mark.slow
def test_very_many_levels_are_summarized(tmp_path):
    made = [row | {"region": f"Region {i:02}"} for i, row in enumerate(rows())]
    made = [row | {"region": f"Region {i % 40:02}"} for i, row in enumerate(made)]
    toml = re.sub(r"\[groups.region\].*?\n\n", "", STUDY, flags=re.S)
    toml += '\n[predictors.region]\nkind = "category"\ncolumn = "region"\nlabel = "Region"\n'
    study = load_study(write_growers(tmp_path / "study", toml, made))
    tree = from_prior(study)
    store_fits(study, tmp_path / "out", default=tree)
    m = gather(study, tmp_path / "out")
    assert "region" not in set(m.differences["predictor"])
    assert "region" not in set(m.ranks["predictor"])
    draws = flat(m.fit["estimands"]["expected_share"])
    own = np.flatnonzero(m.fit["estimands"]["setting_predictor"].to_numpy() == "region")
    assert len(own) == 40
    (spread,) = m.level_spread.itertuples(index=False)
    assert spread.median == pytest.approx(np.median(draws[:, own].std(axis=1, ddof=1)))
    largest = np.bincount(draws[:, own].argmax(axis=1), minlength=40) / len(draws)
    assert m.many_levels["p_largest"].tolist() == pytest.approx(largest.tolist())
    assert m.many_levels["p_smallest"].sum() == pytest.approx(1)
    found = sections_of(study, tmp_path / "out", ["answer", "estimates"], tables=False)[1]
    assert "the 40 levels of Region differ" in words(found["answer"]).replace("The", "the")
    assert "780" not in words(found["answer"])
    table = next(t for t in tables(found["estimates"]) if t.file == "tables/level_ranks.csv")
    assert len(table.rows) == 20


def test_a_study_without_terms_has_no_section_on_them(study):
    assert not replace(design_of(study), groupings=()).groupings


def test_a_new_firm_is_at_its_mean_of_what_is_split_and_lacks_what_only_variants_have(tmp_path):
    added = """
[predictors.region_name]
kind = "category"
column = "region"

[variants.more]
kind = "terms"
add = ["region_name"]

[[profiles]]
owner = "Fund"
size = 20
spending = 120
year = "2003"
region_name = "East"
"""
    without = STUDY.partition("[groups.region]")[0]
    study = load_study(write_growers(tmp_path / "study", without + added))
    tree = from_prior(study)
    store_fits(study, tmp_path / "made", default=tree)
    m = gather(study, tmp_path / "made")
    known = {"owner": "Fund", "size": "20", "spending_between": "120", "year": "2003"}
    named = new_firms(tree, [known], seed=int(tree.attrs["seed"]))
    assert np.array_equal(named["expected_share"], m.prediction["expected_share"])
    assert m.prediction["profile"].item() == "Fund, 20 people, 120 dollars, 2003"


def test_what_changes_within_firms_is_said_in_words(m):
    levels = m.levels[m.levels["predictor"] == "spending_within"]
    scale = next(b["scale"] for b in share.blocks(m.fit) if b["name"] == "spending_within")
    away = f"{scale:.3g} dollars"
    assert levels["level"].tolist() == [
        f"{away} below the grower's mean (one sd)",
        "the grower's mean itself",
        f"{away} above the grower's mean (one sd)",
    ]
    # From the lowest to the highest, as other numbers.
    assert (m.differences["predictor"] == "spending_within").sum() == 1
    spread = np.log([2.0, 4, 8, 3, 6, 12, 1, 2, 4])
    predictor = Predictor(
        "size", "numeric", "Size", "a", "b", ("",) * 9, values=spread, transform="log", split=True
    )
    grower = Grouping(("a", "b", "c"), np.repeat([0, 1, 2], 3), "grower", "a", "b", "firm")
    within = predictor_blocks(predictor, Panel(grower, "", (), np.array([])))[1]
    assert within.label == "Size (deviation from the grower's mean)"
    assert within.settings == (
        "45 % below the grower's mean (one sd)",
        "the grower's mean itself",
        "82 % above the grower's mean (one sd)",
    )


def test_levels_and_slopes_that_are_correlated_are_drawn_from_the_prior(tmp_path):
    toml = STUDY.replace('slopes = ["owner"]', 'slopes = ["owner"]\ncorrelated = true')
    study = load_study(write_growers(tmp_path / "study", toml))
    drawn = prior_draws(build(study), seed=1)["region_partial"]
    assert drawn.dims == ("chain", "draw", "region_pair")
    # Of two variables LKJ(2) is Beta(2, 2) on (-1, 1).
    values = drawn.to_numpy().ravel()
    assert abs(values.mean() - 0.5) < 5 * np.sqrt(0.05 / values.size)
    assert abs(values.var() - 0.05) < 5 * 0.05 * np.sqrt(2 / values.size)


def test_draws_are_counted_as_they_were_kept(m):
    kept = m.fit["posterior"].sizes
    assert kept["draw"] < m.attribute("settings")["draws"]
    assert f"{4 * kept['draw']} draws in 4 chains" in words(diagnostics(m))
