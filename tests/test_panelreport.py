"""Reports of panels, groups, curves and interactions, on fits whose posterior is near the prior."""

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

import madetrust
from growerstudies import STUDY, rows, write_growers
from intlmodels.models import design_of
from intlmodels.models.base import flat
from intlmodels.models.pymc import prior_draws
from intlmodels.models.share.design import predictor_blocks
from intlmodels.models.share.estimands import new_firms
from intlmodels.models.share.model import build
from intlmodels.paper import methods
from intlmodels.report import answers, checks, terms
from intlmodels.report import share as report
from intlmodels.report.data import ShareReportData, gather
from intlmodels.report.formula import share_formula, share_symbols
from intlmodels.report.pages import Page, Table
from intlmodels.report.provenance import reproduce
from intlmodels.report.render import mathml
from intlmodels.report.sections import diagnostics
from intlmodels.results import interpret, share, steps
from intlmodels.studies import load_study
from intlmodels.studies.columns import Grouping, Panel, Predictor
from rendered import appendix, of_values, text_of
from trees import from_prior, store_fits

SECTIONS = ("data_table", "model", "priors", "levels", "terms", "new_firms", "limitations")


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
def page(study, folder) -> Page:
    return appendix(study, folder, SECTIONS)


def table(page: Page, name: str) -> Table:
    return next(table for table in page.tables if table.file == f"tables/{name}.csv")


def test_rows_firms_and_years_are_counted(m):
    assert m.subtitle == "Share abroad: 60 rows of 15 growers, 2001 to 2004"
    assert m.firms == "60 rows of 15 growers"


def test_data_and_predictions_name_firm_and_year(m, page):
    data = table(page, "data")
    assert data.header[:4] == ("grower", "year", "reported %", "stands for %")
    assert data.rows[5][:2] == ("Grower 02", "2002")
    assert list(m.data.columns[:3]) == ["firm", "year", "printed_pct"]
    assert list(m.predicted.columns[:4]) == ["row", "firm", "year", "observed"]
    assert m.predicted["observed"].tolist() == [float(row["share"]) for row in rows()]


def test_firms_of_a_panel_are_no_levels(m):
    assert "firm" not in set(m.levels["predictor"])
    assert "firm" not in set(m.differences["predictor"])
    assert "firm" in set(m.variation["source"])
    assert "Grower 03" not in str(report.limits(m))


def test_spread_is_checked_within_and_between_firms(m):
    checks = m.checks.set_index("feature")["observed"]
    values = np.array([float(row["share"]) for row in rows()]).reshape(15, 4)
    between = checks["standard deviation of the means by grower"]
    assert between == pytest.approx(values.mean(axis=1).std(ddof=1))
    within = np.sqrt(((values - values.mean(axis=1, keepdims=True)) ** 2).sum() / (60 - 15))
    assert checks["standard deviation within growers"] == pytest.approx(within)
    assert "rows at 0%" in checks


def test_every_term_stands_in_the_formula(study):
    design = design_of(study)
    written = share_formula(design, study.outcome.width)
    text = " ".join(written)
    for line in written:
        assert line.count("{") == line.count("}")
        assert "\\" not in "".join(ElementTree.fromstring(mathml(line)).itertext())
    for block in (*design.blocks, *design.precision):
        assert block.name.replace("_", r"\_") in text
    for own in design.groupings:
        assert rf"\mathrm{{{own.name}}}" in text
    meanings = dict(share_symbols(design, study.outcome, study.row_label))
    assert meanings["f(i)"] == "the grower of row i"
    assert meanings["firm"] == "what each of the 15 growers adds to the level"


def test_an_interaction_is_shown_by_both_predictors(m, page):
    found = interpret.interaction(m.fit, "owner_size")
    shown = [t for t in page.tables if t.caption.startswith("Expected share by")]
    assert [t.file for t in shown] == ["tables/interaction_owner_size.csv"]
    sizes = found.draws["size"].to_numpy()
    assert len(shown[0].rows) == 5 * 2
    assert shown[0].header[:2] == ("Size", "Owner")
    half = len(sizes) // 2
    middle = found.draws.sel(owner="Fund").isel(size=half)
    row = next(r for r in shown[0].rows if r[1] == "Fund" and r[0].startswith(f"{sizes[half]:.3g}"))
    assert float(row[2].split()[0]) == pytest.approx(float(middle.median()), abs=0.51)
    names = [figure.drawing.name for figure in page.figures]
    assert names[-4:] == [
        *("curve-size", "curve-spending_between", "curve-spending_within"),
        "interaction-owner_size",
    ]


def test_a_curve_comes_with_its_turning_point(m, page):
    (row,) = m.turning_points.itertuples(index=False)
    (shown,) = table(page, "turning_points").rows
    assert shown[0] == "Size"
    inside = float(re.sub(r"[<> ]", "", shown[3]))
    assert inside == pytest.approx(row.p_inside, abs=0.006)


def test_what_a_curve_and_a_moderation_leave_open_is_said_of_the_averages(m, monkeypatch):
    clear = m.differences.assign(p_direction=0.99)
    monkeypatch.setitem(m.__dict__, "differences", clear)
    for chance, turns in ((0.99, "clear"), (0.6, "undecided")):
        table = m.turning_points.assign(p_u=0.0, p_inverted=chance)
        monkeypatch.setitem(m.__dict__, "turning_points", table)
        (curve,) = answers._curved(m)
        assert (curve["turns"], curve["verdict"]) == (turns, "clear")
    change = m.moderations["p_direction"]
    for chance, singly in ((0.99, False), (0.6, True)):
        table = m.moderations.assign(p_direction=np.where(change > 0, chance, 0))
        monkeypatch.setitem(m.__dict__, "moderations", table)
        found = answers.effects(m)
        names = [own["names"] for own in found if own["kind"] in ("pair", "step")]
        assert (["owner"] in names) == singly


def test_coefficients_stand_per_sd_and_in_their_unit(page):
    rows = table(page, "coefficients").rows
    per = [row[1] for row in rows if row[0] == "Spending (mean of the grower)"]
    assert per == ["standard deviation", "10 dollars"]


def test_groups_come_with_their_standard_deviations(page):
    rows = table(page, "parameters").rows
    assert [row[:3] for row in rows] == [
        ("Region", "4", "level"),
        ("Region", "4", "Owner"),
        ("grower", "15", "level"),
    ]


def text_of_methods(m):
    passages = methods.passages(m, "key")
    return " ".join(piece for own in passages for piece in own if isinstance(piece, str))


def test_methods_say_what_the_terms_are(m):
    text = text_of_methods(m)
    assert "structural" not in text
    assert "60 rows of 15 growers, 2001 to 2004" in text
    assert "Each grower (15) has its own level" in text
    assert "random walk over 4 periods" in text
    assert {"mundlak1978", "smithson2006", "gelman2006"} <= set(methods.bibliography(m))


# -- structural zeros, steps and moderators ----------------------------------------------


@pytest.fixture(scope="module")
def with_zeros(tmp_path_factory) -> ShareReportData:
    toml = STUDY.replace("rounding_width = 1", 'rounding_width = 1\nzeros = "structural"')
    toml += '\n[zeros]\npredictors = ["owner", "spending"]\n'
    folder = tmp_path_factory.mktemp("zeros")
    study = load_study(write_growers(folder / "study", toml))
    store_fits(study, folder / "out", default=from_prior(study))
    return gather(study, folder / "out")


def test_methods_say_that_zeros_may_be_structural(with_zeros):
    text = text_of_methods(with_zeros).lower()
    assert "exactly 0 with a probability whose logit depends on owner, spending" in text


def test_structural_zeros_have_three_estimands(with_zeros):
    section = terms.zeros(with_zeros)
    found = with_zeros.fit["estimands"]
    draws = [flat(found[name]) for name in ("abroad", "share_if_abroad", "expected_share")]
    row = section["level_rows"][1]
    assert row[:2] == ("Owner", "Fund")
    for cell, own in zip(row[2:5], draws, strict=True):
        assert float(cell.split()[0]) == pytest.approx(np.median(own[:, 1]), abs=0.51)
    # Who has any share and how large it is hardly go together here.
    both = draws[0] * draws[1] / 100
    assert np.abs(both - draws[2]).max() < 0.2
    assert [row[1] for row in section["coefficients"]] == [
        *("Fund against Family", "standard deviation", "10 dollars"),
        *("standard deviation", "1 dollar"),
    ]
    slope = flat(with_zeros.fit["posterior"]["never_owner"])
    assert with_zeros.zero_coefficients["median"].iloc[0] == pytest.approx(np.median(slope))
    assert section["drawn"].name == "zeros"
    assert "have any share at all" in of_values(section, "zeros")


def test_the_average_of_any_share_follows_from_the_baseline(with_zeros):
    never = with_zeros.fit["posterior"]["never"].to_numpy().ravel()
    shares = with_zeros.zero_averages.set_index("estimand")["median"]
    # Terms are centred, so that the average is near the probability of the average row.
    assert shares["any at all"] == pytest.approx(100 * (1 - np.median(never)), abs=1)


def test_a_study_without_structural_zeros_has_no_section_on_them(m):
    assert terms.zeros(m) is None


def test_steps_are_averages_of_rows_that_have_as_much_more(m):
    table = m.steps.set_index("predictor")
    assert table["more"].to_dict() == {
        "spending_between": "5 dollars more",
        "spending_within": "5 dollars more",
    }
    for name in table.index:
        own = interpret.comparisons(m.fit, {name: 5.0}).table.iloc[0]
        assert table.loc[name, "median"] == pytest.approx(own["median"], abs=1e-9)
        assert table.loc[name, "p_direction"] == own["p_direction"]


def test_moderations_are_comparisons_at_values_of_the_other_predictor(m):
    first, last, change = m.moderations.itertuples(index=False)
    assert (change.label, change.by, change.level, change.against) == (
        *("Owner", "Size", "Fund", "Family"),
    )
    block = next(b for b in share.blocks(m.fit) if b["name"] == "size")
    ends = np.exp(block["center"] + block["scale"] * np.array([-1.0, 1.0])).tolist()
    found = interpret.comparisons(m.fit, "owner", at={"size": ends}).draws
    each = flat(found.isel(contrast=0))
    assert first.median == pytest.approx(np.median(each[:, 0]), abs=1e-9)
    assert last.median == pytest.approx(np.median(each[:, 1]), abs=1e-9)
    assert change.median == pytest.approx(np.median(each[:, 1] - each[:, 0]), abs=1e-9)


def test_numbers_that_a_study_compares_are_said_as_such(tmp_path):
    toml = STUDY.replace('curve = "quadratic"', "at = [10, 50]").partition("[interactions")[0]
    study = load_study(write_growers(tmp_path / "study", toml))
    store_fits(study, tmp_path / "out", default=from_prior(study))
    m = gather(study, tmp_path / "out")
    row = m.steps.set_index("predictor").loc["size"]
    assert row["more"] == "50 rather than 10 people"
    own = m.differences.set_index("predictor").loc["size"]
    assert row["median"] == pytest.approx(own["median"], abs=1e-6)
    (size,) = [own for own in answers.effects(m) if own["label"] == "Size"]
    assert size["more"] == "50 rather than 10 people"


def test_large_numbers_and_units_with_a_year_are_legible(m):
    scale = {"center": np.log(5290), "scale": 0.169, "transform": "log"}
    predictor = Predictor(
        "size", "numeric", "Size", "a", "b", ("",), values=np.array([1.0]), unit="1997 dollars",
        **scale,
    )  # fmt: skip
    (block,) = predictor_blocks(predictor, None)
    assert block.settings == (
        "4,470 (1997 dollars; one sd below the mean)",
        "5,290 (1997 dollars; at the mean)",
        "6,260 (1997 dollars; one sd above the mean)",
    )
    plain = [steps.without_note(setting) for setting in block.settings]
    assert plain == ["4,470 (1997 dollars)", "5,290 (1997 dollars)", "6,260 (1997 dollars)"]
    said = steps.rather(plain[2], plain[0], predictor.unit)
    assert said == "6,260 rather than 4,470 (1997 dollars)"


# -- intervals and weights ---------------------------------------------------------------


def test_widths_that_differ_are_counted(tmp_path):
    made = [row | {"share": f"{row['share']}.0" if row["year"] > "2002" else row["share"]}
            for row in rows()]  # fmt: skip
    toml = STUDY.replace("rounding_width = 1", 'rounding_width = "printed"')
    study = load_study(write_growers(tmp_path / "study", toml, made))
    assert study.outcome.width == 0
    tree = from_prior(study)
    store_fits(study, tmp_path / "out", default=tree)
    page = appendix(study, tmp_path / "out", ["data_table", "model", "predictions"])
    assert "to 0.1 (30) or 1 (30) percentage points" in text_of(page)
    data = table(page, "data").rows
    assert data[0][2:4] == (made[0]["share"], share_of(made[0], 0.5, 1))
    assert data[2][2:4] == (made[2]["share"], share_of(made[2], 0.05, 2))
    assert "each rounded as it is reported" in text_of(page)


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
    text = text_of(appendix(study, tmp_path / "out", ["data_table"]))
    assert "pseudo-posterior" in text
    assert "worth 48 of equal weight" in text


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
    page = appendix(study, tmp_path / "out", ["levels"])
    assert "The 40 levels of region differ" in text_of(page)
    assert "780" not in text_of(page)
    assert len(table(page, "level_ranks").rows) == 20


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


def test_a_firm_is_left_out_with_all_of_its_rows(m):
    found = madetrust.comparison(15, {}, unit_label="grower", printed=[30.0] * 14 + [95.0])
    data = replace(m, check_results=madetrust.trust(comparison=found))
    text = madetrust.words("comparison", checks.comparison(data))
    assert "Each of 15 growers was left out in turn with all of its rows" in text
    assert "1 of 15 growers lies, in the first of its rows, outside the central" in text
    lowest = min(found.variants["default"], key=lambda unit: unit.lpd)
    assert f"all rows of each together (log probability): {lowest.unit} (" in text


def test_draws_are_counted_as_they_were_kept(m, monkeypatch):
    kept = m.fit["posterior"].sizes
    assert kept["draw"] < m.attribute("settings")["draws"]
    text = madetrust.words("diagnostics", diagnostics(m))
    assert f"{4 * kept['draw']:,} draws in 4 chains" in text
    asked = m.attribute("settings")
    monkeypatch.setitem(m.fit.attrs, "settings_used", json.dumps(asked | {"draws": 600}))
    text = madetrust.words("diagnostics", diagnostics(m))
    assert f"each chain took 600 draws instead of {asked['draws']:,}" in text
    settings = reproduce(m)["rows"]
    assert ("draws", f"{asked['draws']} (used: 600)") in settings
    assert ("tune", f"{asked['tune']}") in settings
    said = "more chains were drawn than were asked for"
    assert said not in text
    monkeypatch.setitem(m.fit.attrs, "settings_used", json.dumps(asked | {"chains": 8}))
    assert said in madetrust.words("diagnostics", diagnostics(m))
    assert ("chains", f"{asked['chains']} (used: 8)") in reproduce(m)["rows"]
