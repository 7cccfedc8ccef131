"""Pages on calibration, comparison and sensitivity, from findings with known contents."""

from __future__ import annotations

import itertools
import json
import math
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from markdown_it import MarkdownIt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

import madetrust as made
from hostile import HOSTILE
from intlmodels.checks import calibration, stored, tables
from intlmodels.checks.leaveout import pit_cdf
from intlmodels.checks.stored import CachedResult, Detection, Refit, Scaled
from intlmodels.core.csvtable import csv_text
from intlmodels.core.formats import in_words, probability
from intlmodels.core.jsonvalues import build
from intlmodels.models import catalogue
from intlmodels.plots import checks
from intlmodels.plots.style import MARK, svg
from intlmodels.report import checks as sections
from intlmodels.report import checkvalues, provenance
from intlmodels.studies import load_study

ALL_METHODS = (
    *("calibration", "uniformity"),
    *("elpd", "stacking", "pit"),
    "power-scaling",
)

SECTIONS = {
    "calibration": sections.calibration,
    "comparison": sections.comparison,
    "sensitivity": sections.sensitivity,
}


def shown(name, material) -> str:
    return made.words(name, SECTIONS[name](material))


# -- calibration: tables and sentences ---------------------------------------------------

FAULTS = {"phi": "narrow", "sigma_branch": "wide", "intercept": "high", "branch[Tools]": "low"}


@pytest.fixture(scope="module")
def faulty():
    return made.calibration(faults=FAULTS)


@pytest.fixture(scope="module")
def faulty_table(faulty):
    return tables.calibrated(faulty)


def test_the_table_of_a_calibration_holds_what_was_put_in(faulty, faulty_table):
    row = faulty_table.set_index("quantity").loc["phi"]
    item = faulty.quantities[1]
    assert row["simulations"] == 200
    assert row["coverage_95"] == pytest.approx(100 * item.covered[2] / 200)
    low, high = calibration.coverage_band(200, 0.95)
    assert (row["low_95"], row["high_95"]) == pytest.approx((100 * low, 100 * high))
    assert row["spread_ratio"] == pytest.approx(item.spread / item.prior_spread)
    counts = np.array([q.ranks for q in faulty.quantities])
    assert faulty_table["p_adjusted"].tolist() == pytest.approx(
        calibration.holm(calibration.p_values(counts)).tolist()
    )
    assert set(faulty_table.loc[faulty_table["deviates"], "quantity"]) == set(FAULTS)


def test_each_deviation_is_told_with_its_direction(faulty):
    text = made.said("calibration", checkvalues.calibration(faulty)).splitlines()[1]
    assert text.startswith("4 of 5 quantities deviate from uniform ranks")
    parts = {part.split(" (")[0]: part for part in text.split("0.01): ")[1].split("; ")}
    assert (
        "(p < 0.001): the posterior is too narrow: its 95% intervals contained the true value in"
        in (parts["phi"])
    )
    assert "too wide" in parts["sigma_branch"]
    assert "too high, by 0." in parts["intercept"]
    assert "too low, by 0." in parts["branch: Tools"]
    assert "branch: Toys" not in parts


def test_a_shape_that_is_neither_biased_nor_narrow_is_told_as_such():
    right = made.quantity("phi")
    # Ranks pile up in the middle and in both tails; coverage and bias are as they should be.
    counts = np.zeros(made.LEVELS + 1, dtype=int)
    counts[[0, 20, 50, 80, 100]] = 40
    covered = (100, 160, 190)
    found = replace(right, ranks=tuple(counts.tolist()), covered=covered, bias=0.0)
    value = made.calibration([], quantities=(found,))
    text = made.said("calibration", checkvalues.calibration(value))
    assert "the shape of the posterior is off" in text


def test_no_deviation_is_told_with_the_smallest_p_value():
    value = made.calibration()
    table = tables.calibrated(value)
    nearest = table.loc[table["p_value"].idxmin()]
    text = made.said("calibration", checkvalues.calibration(value)).splitlines()[1]
    assert text.startswith("No quantity deviates from uniform ranks. The smallest p-value of 5")
    assert f"is {probability(nearest['p_value'])} ({in_words(nearest['quantity'])})" in text
    assert "below 0.01" in text


def test_coverages_outside_are_counted_against_chance(faulty, faulty_table):
    outside = int(faulty_table[["outside_50", "outside_80", "outside_95"]].to_numpy().sum())
    assert outside >= 9
    text = made.said("calibration", checkvalues.calibration(faulty)).splitlines()[2]
    assert text.startswith("Of 15 coverages (5 quantities; intervals of 50, 80 and 95%)")
    assert f"{outside} lie outside the limits" in text
    chance = tables.outside_by_chance(faulty_table)
    # Limits of at least 95% of a discrete law leave less than 5% outside.
    assert 0.3 < chance <= 0.75
    assert f"{chance:.1f} are expected to by chance" in text


def test_chance_is_that_of_the_binomial_law(faulty_table):
    rng = np.random.default_rng(3)
    one = faulty_table.head(1)
    outside = 0.0
    for prob in made.PROBS:
        drawn = 100 * rng.binomial(200, prob, 40_000) / 200
        low, high = one[f"low_{100 * prob:g}"].iloc[0], one[f"high_{100 * prob:g}"].iloc[0]
        outside += ((drawn < low - 1e-9) | (drawn > high + 1e-9)).mean()
    assert tables.outside_by_chance(one) == pytest.approx(outside, abs=0.006)


def test_what_a_study_cannot_learn_is_named():
    value = made.calibration(noise={"phi": 3.0})
    text = made.said("calibration", checkvalues.calibration(value)).splitlines()[3]
    assert "says little about 1 of 5 quantities" in text
    assert text.split("): ")[1].startswith("phi.")
    text = made.said("calibration", checkvalues.calibration(made.calibration()))
    assert "is informative about every quantity" in text


def test_fits_that_failed_or_did_not_converge_are_counted():
    value = made.calibration(
        sims=203, failed=((3, "no start"), (9, "no start"), (11, "a bad one")), divergent=4,
        unconverged=7,
    )  # fmt: skip
    first = made.said("calibration", checkvalues.calibration(value)).splitlines()[0]
    assert first.startswith("The model was fitted to 203 simulated studies. 3 fits failed and have")
    assert "(no start and a bad one)" in first
    assert "4 had divergent transitions and 7 an R-hat above 1.05; they are included" in first


def test_where_every_fit_failed_nothing_else_is_said():
    value = made.calibration([], sims=2, failed=((0, "no start"), (1, "no start")))
    text = made.said("calibration", checkvalues.calibration(value))
    assert text == (
        "The model was fitted to 2 simulated studies. 2 fits failed and have no ranks (no start)."
    )
    found = made.trust(calibration=value, wrong=())
    page = made.rendered("calibration", sections.calibration(made.material(found)))
    assert page.figures == page.tables == ()
    assert tables.csv_tables(found) == {}


def test_deliberate_errors_are_told_one_by_one():
    values = checkvalues.calibration(made.calibration(), made.CAUGHT)
    *_, summary, first, second = made.said("calibration", values).splitlines()
    assert "Detected after 25 simulations (phi, adjusted p < 0.001)" in first
    assert "Not detected within 50 simulations" in second
    assert "At this size such an error would go unnoticed" in second
    assert "2 deliberate errors were therefore built into" in summary
    assert "number of tests. 1 of 2 was detected; not detected: narrow-priors." in summary


# -- comparison: tables and sentences ----------------------------------------------------


def made_sentences(found, texts=None) -> str:
    return made.said("comparison", checkvalues.comparison(found, texts=texts))


def test_the_central_interval_of_a_discrete_law():
    values = np.arange(0.0, 101.0, 5.0)
    chance = np.zeros(21)
    chance[[2, 4, 6]] = 0.04, 0.9, 0.06
    unit = made.left_out("A", values, 10.0, 30.0, 5.0, law=tuple(chance), lpd=math.log(0.04))
    found = made.comparison(3, {})
    found = replace(found, variants={"default": (unit, *found.variants["default"][1:])})
    row = tables.left_out(found).iloc[0]
    # 4% lie below 20, too few for half of the rest; 6% lie at 30, enough.
    assert (row["ci_low"], row["ci_high"], row["median"]) == (20, 30, 20)
    assert (row["ci50_low"], row["ci50_high"]) == (20, 20)
    assert bool(row["outside"])
    assert row["p_tail"] == pytest.approx(0.08)
    assert row["p_outside"] == pytest.approx(0.04)
    assert row["ci_prob"] == 0.9


def test_few_firms_and_small_differences_are_not_told_apart():
    text = made_sentences(made.comparison(22, {"heaped": 16.0, "logit-normal": 14.5}))
    assert "a difference in elpd below 4 is not distinguishable from zero" in text
    assert "This holds for all of them." in text
    assert "predicts worse" not in text
    table = tables.elpds(made.comparison(22, {"heaped": 16.0}))
    assert abs(table["difference"].iloc[1]) < 4
    assert not table["told_apart"].any()


def test_large_differences_are_told_with_interval_and_probability():
    found = made.comparison(40, {"wide": 60.0, "heaped": 15.5})
    table = tables.elpds(found).set_index("variant")
    gap = sum(u.lpd for u in found.variants["wide"]) - sum(u.lpd for u in found.variants["default"])
    assert table.loc["wide", "difference"] == pytest.approx(gap)
    assert gap < -4
    text = made_sentences(found)
    assert f"wide predicts worse than the default by {-gap:.1f} (95% interval" in text
    assert "Bayesian bootstrap over firms; probability of predicting better < 0.001" in text
    assert "This holds for heaped." in text
    assert "fewer than 100 firms such intervals are usually too narrow" in text


def test_with_many_units_small_differences_have_an_interval_too():
    text = made_sentences(made.comparison(120, {"heaped": 15.2}))
    assert "not distinguishable" not in text
    assert "heaped predicts" in text
    assert "95% interval of the difference" in text


def test_the_largest_elpd_is_named():
    # Narrow laws around what was printed.
    found = made.comparison(30, {"sharp": 4.0}, printed=[30.0] * 30, centers=30)
    better = [replace(u, lpd=-0.5) for u in found.variants["sharp"]]
    found = replace(found, variants={**found.variants, "sharp": tuple(better)})
    text = made_sentences(found)
    assert "Of 2 variants, sharp has the largest elpd: −15.0, against " in text
    assert "sharp predicts better than the default" in text
    assert "weights sharp 1.00" in text
    alone = made_sentences(made.comparison(10, {}))
    assert "no other variant was compared" in alone
    assert "stacking" not in alone


def test_weights_come_with_their_spread_and_a_warning():
    table = tables.elpds(made.comparison(22, {"same": 15.0}))
    assert table["weight"].tolist() == pytest.approx([0.5, 0.5])
    text = made_sentences(made.comparison(22, {"same": 15.0}))
    assert "default 0.50 (0.50 to 0.50) and same 0.50 (0.50 to 0.50)" in text
    assert "Variants with similar predictions share their weight" in text


def test_units_that_are_hard_to_predict_are_named():
    found = made.comparison(8, {}, printed=[30.0] * 7 + [95.0])
    text = made_sentences(found)
    assert "of 8 firms" in text
    assert "Firm 8 (reported 95, expected " in text
    own = tables.predicted(found).own
    assert f"({own['p_outside'].sum():.1f} by chance)" in text
    assert "Least probable reported values, with their probabilities: Firm 8 (95, " in text


def test_printed_values_as_they_should_be():
    right = tables.predicted(made.comparison(60, {})).pit
    assert right.p_value > 0.05
    assert math.isnan(right.outside)
    assert "are consistent with the default's predictive distributions" in made_sentences(
        made.comparison(60, {})
    )


def test_the_words_on_the_pit_follow_its_band():
    # Five of 60 firms print what their laws all but exclude: only the end of the curve shows it.
    right = made.comparison(60, {}, centers=50.0).variants["default"]
    seen = [unit.printed for unit in right[:55]] + [100.0] * 5
    found = made.comparison(60, {}, centers=50.0, printed=seen)
    law = tables.laws(found, "default")
    curve = pit_cdf(law.below, law.exactly, tables.PIT_GRID)
    gap = np.abs(curve - tables.PIT_GRID) - tables.pit_band(law, tables.PIT_GRID)
    pit = tables.predicted(found).pit
    assert gap.max() > 0
    assert pit.p_value > 0.05
    assert pit.outside == tables.PIT_GRID[gap.argmax()]
    text = made_sentences(found)
    assert "There are signs of misfit: the PIT curve of the default's predictive" in text
    assert f"leaves its 95% band at {pit.outside:.2g} (" in text


@pytest.mark.parametrize(
    ("spread", "centers", "said"),
    [(4.0, 0, "too narrow"), (40.0, 0, "too wide"), (15.0, 12, "too high"), (15.0, -12, "too low")],
)
def test_how_predictions_are_wrong_is_said(spread, centers, said):
    right = made.comparison(60, {}, centers=50.0)
    values = np.array(right.values)
    units = []
    for unit in right.variants["default"]:
        center = float(values @ np.array(unit.law))
        units.append(made.left_out(unit.unit, values, unit.printed, center + centers, spread))
    found = replace(right, variants={"default": tuple(units)})
    assert f"the predictions are {said}." in made_sentences(found)


def test_what_is_impossible_is_said():
    found = made.comparison(12, {"hurdle": 16.0})
    found = made.changed_unit(found, "hurdle", 2, lpd=-math.inf, lpd_error=math.inf)
    table = tables.elpds(found)
    assert table["impossible"].tolist() == [0, 1]
    text = made_sentences(found)
    assert "hurdle predicts worse than the default, by more than the draws can measure" in text
    assert "No draw allowed the reported value of Firm 3 in hurdle" in text
    both = made.changed_unit(found, "default", 5, lpd=-math.inf)
    assert "hurdle and the default cannot be compared" in made_sentences(both)
    values = sections.comparison(made.material(made.trust(comparison=both)))
    assert ("hurdle", "−∞", "–") in {row[:3] for row in values["elpd_rows"]}


@pytest.mark.parametrize("change", [{"rhat": 1.02}, {"ess": 300.0}, {"divergences": 1},
                                    {"rhat": math.nan}])  # fmt: skip
def test_refits_that_did_not_converge_are_named_and_marked(change):
    found = made.changed_unit(made.comparison(12), "default", 4, **change)
    text = made_sentences(found)
    assert "1 of 24 refits did not converge" in text
    assert "default without Firm 5" in text
    assert "(one of its refits did not converge)" in text
    values = sections.comparison(made.material(made.trust(comparison=found)))
    assert values["elpd_rows"][0][0] == "default (a refit did not converge)"
    failed = [row[0] for row in values["unit_rows"] if "did not converge" in row[-1]]
    assert failed == ["Firm 5"]


def test_monte_carlo_errors_that_are_large_are_told():
    found = made.changed_unit(made.comparison(12), "heaped", 1, lpd_error=0.8)
    assert "rests on few draws (Monte Carlo error above 0.5) for Firm 2 in heaped" in (
        made_sentences(found)
    )


def test_counts_are_told_with_what_they_count():
    found = made.comparison(3, {}, names=["M1", "M2", "M3"], printed=[30.0, 30.0, 95.0])
    found = replace(found, unit="count", unit_label="count")
    text = made_sentences(found, {"M3": "decisions before 2000"})
    assert "what the other counts predict" in text
    assert "decisions before 2000 (M3; reported 95, expected" in text
    material = made.material(
        made.trust(comparison=found), texts={"M3": "decisions before 2000"}, model="decay"
    )
    *_, units = made.rendered("comparison", sections.comparison(material)).tables
    assert units.rows[0][0] == "decisions before 2000 (M3)"
    assert units.header[0] == "count"


def test_skipped_variants_with_the_same_reason_stand_together():
    found = made.comparison(8, skipped={"a": "not the same.", "b": "not the same", "c": "other"})
    text = made.words(
        "comparison", sections.comparison(made.material(made.trust(comparison=found)))
    )
    assert "Not compared: a and b (not the same). - Not compared: c (other)." in text


# -- sensitivity: tables and sentences ---------------------------------------------------


def refit_sentences(found) -> str:
    return made.said("refits", checkvalues.sensitivity(found))


def test_nothing_that_changes_is_said():
    text = refit_sentences(made.sensitivity())
    assert (
        "No conclusion depends on the prior: in 2 refits with other priors, all 2 conclusions keep"
        in text
    )
    assert (
        "No conclusion depends on the reading: in 1 refit with other readings or models, all 2"
        in text
    )


def test_a_conclusion_that_depends_on_a_prior_is_named():
    text = refit_sentences(
        made.sensitivity(made.moved("phi halved", "Easy against Hard", 5.0, 0.93))
    )
    assert "1 of 2 conclusions depends on the prior (2 refits with other priors)." in text
    assert (
        "Easy against Hard: clearly above zero in the default (0.98), but leaning above zero with "
        "phi halved (0.93)."
    ) in text
    assert "With other priors, Easy against Hard moves most: by 1.00 posterior standard" in text
    assert "with phi halved, from 9.0 to 5.0 points." in text
    assert "No conclusion depends on the reading" in text


def test_a_sign_that_turns_is_a_change_even_if_both_are_clear():
    found = made.sensitivity(made.moved("heaped", "Easy against Hard", -9.0, 0.02))
    table = tables.moves(found)
    row = table[(table["refit"] == "heaped") & (table["quantity"] == "Easy against Hard")].iloc[0]
    assert (row["verdict"], row["base_verdict"]) == ("clear below", "clear above")
    assert bool(row["changed"])
    assert "clearly below zero with heaped (0.98)" in refit_sentences(found)
    # Whichever side of even chances: nothing was said before, nothing is said now.
    even = made.sensitivity(made.moved("heaped", "Tools against Toys", -1.0, 0.4))
    assert not tables.moves(even)["changed"].any()


def test_levels_have_no_verdict():
    found = made.sensitivity(
        made.moved("heaped", "Branch: Tools", 30.0, 0.5, direction=False, unit="%")
    )
    assert not tables.moves(found)["changed"].any()
    text = refit_sentences(found)
    assert "With other readings or models, Branch: Tools moves most: by 2.50" in text
    assert "from 20.0 to 30.0%" in text


def test_refits_that_did_not_converge_never_count():
    found = made.sensitivity(
        made.moved("heaped", "Easy against Hard", -20.0, 0.001),
        refits=[Refit("heaped", "", "reading", False)],
    )
    table = tables.moves(found)
    assert not table.loc[table["refit"] == "heaped", "counts"].any()
    assert not table["changed"].any()
    text = refit_sentences(found)
    assert "Refits that did not converge do not count: heaped." in text
    assert "the reading" not in text
    assert (tables.farthest(table)["reading"] == "").all()
    failed = made.sensitivity(refits=[Refit("default", "", "base", False)])
    assert "nothing can be compared with it" in refit_sentences(failed)
    assert not tables.moves(failed)["counts"].any()


def test_a_quantity_that_a_reading_lacks_is_no_change():
    found = made.sensitivity()
    kept = [m for m in found.moved if (m.refit, m.direction) != ("heaped", True)]
    more = made.moved("heaped", "only there", 9.0, 0.99)
    text = refit_sentences(replace(found, moved=(*kept, more)))
    assert "depends" not in text.replace("No conclusion depends", "")
    assert "only there" not in text


@pytest.mark.parametrize(
    ("prior", "likelihood", "diagnosis"),
    [
        (0.02, 0.2, tables.FINE),
        (0.02, 0.02, tables.FINE),
        (0.05, 0.02, tables.WEAK),
        (0.3, 0.05, tables.CONFLICT),
        (math.nan, 0.2, tables.UNKNOWN),
    ],
)
def test_power_scaling_is_diagnosed_by_its_rule(prior, likelihood, diagnosis):
    found = made.sensitivity(scaled=(Scaled("x", prior, likelihood),))
    table = tables.scaled(found)
    assert table["diagnosis"].tolist() == [diagnosis]
    text = made.said("scaling", {"scaling": checkvalues.scaling(table)})
    said = {
        tables.FINE: "None of 1 quantity moves with the prior by 0.05 or more",
        tables.WEAK: "The data are weak or the prior is strong",
        tables.CONFLICT: "so prior and data may conflict",
        tables.UNKNOWN: "1 of 1 quantity cannot be assessed",
    }
    assert said[diagnosis] in text
    assert "not reliable" not in text


def test_what_a_halved_prior_moves_is_not_called_insensitive():
    """Standard deviations are 4 points: 1 point is a quarter of one, and counts; 0.9 does not."""
    far = made.moved("phi halved", "Easy against Hard", 8.0, 0.98)
    near = made.moved("phi halved", "Tools against Toys", 1.9, 0.6)
    reading = made.moved("heaped", "Tools against Toys", 9.0, 0.99)
    small = tuple(Scaled(name, 0.02, 0.2) for name in (far.quantity, near.quantity))
    table = tables.scaled(made.sensitivity(far, near, reading, scaled=small))
    assert table["diagnosis"].tolist() == [tables.STEP, tables.FINE]
    text = made.said("scaling", {"scaling": checkvalues.scaling(table)})
    assert "would call 1 other insensitive" in text
    assert text.endswith("Easy against Hard.")


@pytest.mark.parametrize(("k", "reliable"), [(0.7, True), (0.71, False), (math.nan, True)])
def test_power_scaling_with_a_large_pareto_k_is_not_reliable(k, reliable):
    table = tables.scaled(made.sensitivity(pareto_k=k))
    assert table["reliable"].all() == reliable
    said = made.said("scaling", {"scaling": checkvalues.scaling(table)})
    assert ("not reliable" in said) != reliable


def test_all_of_the_sensitivity_is_told_at_once():
    found = made.sensitivity()
    text = made.said("sensitivity", checkvalues.sensitivity(found))
    assert "No conclusion depends on the prior:" in text
    assert "Look at the priors behind Branch: Tools" in text
    alone = made.said("sensitivity", checkvalues.sensitivity(replace(found, scaled=())))
    assert "Look at the priors" not in alone


# -- pages -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def complete(faulty):
    comparison = made.comparison(12, {"heaped": 16.0, "wide": 60.0})
    return made.trust(
        calibration=faulty, wrong=made.CAUGHT, comparison=comparison,
        sensitivity=made.sensitivity(),
    )  # fmt: skip


def test_every_section_has_words_pictures_and_tables(complete):
    material = made.material(complete)
    files = set(tables.csv_tables(complete))
    assert files == {
        "calibration.csv", "leave_one_out.csv", "elpd.csv", "sensitivity.csv",
        "power_scaling.csv",
    }  # fmt: skip
    linked = set()
    for (name, make), number in zip(SECTIONS.items(), (1, 3, 1), strict=True):
        values = make(material)
        page = made.rendered(name, values)
        assert len(made.words(name, values)) > 500
        assert len(page.figures) == number
        assert all(figure.caption for figure in page.figures)
        for table in page.tables:
            linked.add(table.file.removeprefix("tables/"))
            assert all(len(row) == len(table.header) for row in table.rows)
            assert all(type(cell) is str for row in table.rows for cell in row)
    assert linked - {""} == files
    assert "does not show that the model is right for these firms" in shown("calibration", material)


def test_what_is_not_current_is_listed_with_its_command_and_left_out():
    why = ("data of branch changed", "prior changed")
    stale = replace(made.trust(), comparison=CachedResult(None, why))
    material = made.material(stale)
    assert [make(material) for make in SECTIONS.values()] == [None] * 3
    page = made.rendered("not_run", sections.not_run(material))
    rows = {row[1]: row[2] for row in page.tables[0].rows}
    assert rows["intlmodels calibrate ./hedge"] == "never computed"
    assert rows["intlmodels compare ./hedge"] == "data of branch changed; prior changed"
    assert "intlmodels sensitivity ./hedge" in rows
    assert tables.csv_tables(stale) == {}
    assert provenance.methods_of(stale) == ()


def test_errors_that_are_not_current_have_their_own_command():
    material = made.material(made.trust(calibration=made.calibration()))
    text = shown("calibration", material)
    assert "detect deliberate errors has not been tested" in text
    assert "intlmodels calibrate ./hedge --wrong all" in text
    tested = made.material(made.trust(calibration=made.calibration(), wrong=()))
    assert "--wrong" not in shown("calibration", tested)


def test_a_default_that_did_not_converge_marks_everything_that_rests_on_it(complete):
    material = made.material(complete, passed=False)
    for name in ("comparison", "sensitivity"):
        page = made.rendered(name, SECTIONS[name](material), passed=False)
        assert all(figure.failed for figure in page.figures)
        assert all(table.failed for table in page.tables if table.file)
        items = [x for x in page.sections[0].text.splitlines() if x.startswith("- ")]
        marked = [item.startswith("- **Did not converge, not to be quoted:** ") for item in items]
        # General remarks, such as on the width of intervals, state no estimate.
        assert sum(marked) >= len(items) - 2 > 3
    # Simulated studies are fitted anew: what they say does not rest on the stored fit.
    values = sections.calibration(material)
    assert not made.rendered("calibration", values, passed=False).figures[0].failed


def test_methods_name_what_is_shown(complete):
    assert provenance.methods_of(complete) == ALL_METHODS
    only = replace(made.trust(), comparison=complete.comparison)
    assert provenance.methods_of(only) == ("elpd", "stacking", "pit")
    for name in ("1804.06788", "Säilynoja", "Modrák", "2008.10296", "Yao", "Czado", "Kallioinen"):
        assert name in " ".join(provenance.lines(ALL_METHODS))


def test_long_tables_are_cut_and_said_so():
    names = [f"firm[{i}]" for i in range(45)]
    value = made.calibration(names)
    values = sections.calibration(made.material(made.trust(calibration=value)))
    table = made.rendered("calibration", values).tables[0]
    assert len(table.rows) == sections.MOST_ROWS
    assert "The first 40 of 45; the file has all." in table.note
    values = sections.comparison(made.material(made.trust(comparison=made.comparison(45))))
    table = made.rendered("comparison", values).tables[-1]
    assert len(table.rows) == sections.MOST_ROWS
    assert "The first 40 of 45" in table.note


def test_tables_as_csv(complete):
    made_tables = tables.csv_tables(complete)
    assert len(made_tables["leave_one_out.csv"]) == 36
    for name in ("leave_one_out.csv", "elpd.csv", "sensitivity.csv"):
        assert {"ci_kind", "ci_prob", "converged"} <= set(made_tables[name].columns)
    for table in made_tables.values():
        assert csv_text(table).count("\n") == len(table) + 1


def hostile_trust():
    label = dict(zip(HOSTILE, HOSTILE, strict=True))
    value = made.calibration([f"kind[{name}]" for name in HOSTILE])
    sensitivity = made.sensitivity()
    renamed = {"Easy against Hard": HOSTILE[0], "Tools against Toys": HOSTILE[1]}
    sensitivity = replace(
        sensitivity,
        moved=tuple(
            replace(m, quantity=renamed.get(m.quantity, HOSTILE[4])) for m in sensitivity.moved
        ),
        scaled=tuple(Scaled(name, 0.1, 0.01) for name in label),
    )
    comparison = made.comparison(len(HOSTILE), names=HOSTILE)
    wrong = (Detection(HOSTILE[5], HOSTILE[1], (25,), None, HOSTILE[0], 0.5),)
    return made.trust(
        calibration=value, wrong=wrong, comparison=comparison, sensitivity=sensitivity
    )


def test_hostile_labels_are_inert():
    material = made.material(hostile_trust())
    for name, make in SECTIONS.items():
        values = make(material)
        for form in ("html", "md"):
            page = made.rendered(name, values, form=form)
            text = page.sections[0].text
            if form == "md":
                text = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
            assert "<script" not in text
            assert "<img src=x" not in text
        for figure in page.figures:
            svg_text = figure.drawing.svg
            tags = {e.tag.rpartition("}")[2] for e in ElementTree.fromstring(svg_text).iter()}
            assert not tags & {"script", "img", "foreignObject", "a"}


# -- pictures ----------------------------------------------------------------------------


def figures(found, passed=True):
    """Every picture of a Trust, by name."""
    value, compared = found.calibration.value, found.comparison.value
    table = tables.calibrated(value)
    moves, farthest, scaled = tables.shifts(found.sensitivity.value)
    shown = tables.predicted(compared)
    own = shown.own
    labels = list(own["unit"])
    return {
        "ranks": checks.rank_differences(value, table),
        "coverage": checks.coverage(table),
        "elpds": checks.elpds(shown.elpds, len(own), passed),
        "pit": checks.pit(shown.law, passed),
        "units": checks.units(own, labels, "Printed share", True, passed),
        "moves": checks.moves(moves, farthest, passed),
        "scaling": checks.power_scaling(scaled, passed),
    }


@pytest.fixture(scope="module")
def drawn(complete):
    return figures(complete)


def said(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def test_every_picture_is_valid_svg_with_text_of_8_points_or_more(drawn):
    for name, figure in drawn.items():
        text = svg(figure)
        assert ElementTree.fromstring(text).tag.endswith("svg"), name
        assert len(text) < 150_000, name
        sizes = {t.get_fontsize() for t in figure.findobj(Text) if t.get_text()}
        assert min(sizes) >= 8, name


def test_a_failed_fit_is_marked_where_it_is_shown(complete, drawn):
    for name, figure in figures(complete, passed=False).items():
        assert (MARK in said(figure)) == (name not in ("ranks", "coverage")), name
        assert MARK not in said(drawn[name])


@pytest.mark.filterwarnings("ignore:.*missing from font")
def test_labels_stay_inside_and_do_not_overlap():
    for name, figure in figures(hostile_trust()).items():
        figure.draw_without_rendering()
        renderer = FigureCanvasAgg(figure).get_renderer()
        width, height = figure.bbox.width, figure.bbox.height
        beyond = [
            tick.label1
            for axes in figure.axes
            for tick in axes.xaxis.get_major_ticks()
            if not axes.get_xlim()[0] <= tick.get_loc() <= axes.get_xlim()[1]
        ]
        for text in figure.findobj(Text):
            if text.get_text() and text.get_visible() and text not in beyond:
                box = text.get_window_extent(renderer)
                assert box.x0 >= -2, (name, text)
                assert box.x1 <= width + 2, (name, text)
                assert -2 <= box.y0 <= height, (name, text)
        for axes in figure.axes:
            boxes = [
                label.get_window_extent(renderer)
                for label in axes.get_yticklabels()
                if label.get_text() and label.get_visible()
            ]
            for below, above in itertools.pairwise(sorted(boxes, key=lambda box: box.y0)):
                assert above.y0 >= below.y1 - 2.5, name


def test_p_values_and_deviations_are_in_the_picture_of_ranks(drawn):
    text = said(drawn["ranks"])
    assert "phi\np < 0.001" in text
    assert "branch: Toys\np " in text
    colors = {line.get_color() for line in drawn["ranks"].axes[1].lines}
    assert "#D55E00" in colors


def test_a_curve_leaves_the_wider_band_when_its_quantity_deviates_clearly(faulty, faulty_table):
    (low, high), _ = checks.bands(faulty, len(faulty_table))
    for item, deviates in zip(faulty.quantities, faulty_table["deviates"], strict=True):
        curve = 100 * calibration.ecdf_difference(item.ranks)
        outside = ((curve < low - 1e-9) | (curve > high + 1e-9)).any()
        assert bool(outside) == bool(deviates)


def test_many_quantities_are_cut_to_those_with_the_smallest_p():
    value = made.calibration([f"firm[{i}]" for i in range(30)], {"firm[29]": "narrow"})
    table = tables.calibrated(value)
    figure = checks.rank_differences(value, table)
    assert "firm: 29" in said(figure)
    assert "12 quantities with larger p not shown" in said(figure)
    assert "6 quantities with larger p not shown" in said(checks.coverage(table))


def test_many_units_are_cut_to_the_least_likely():
    own = tables.left_out(made.comparison(70, {}, printed=[30.0] * 69 + [100.0]))
    figure = checks.units(own, list(own["unit"]), "Printed share", True)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == 60
    assert labels[0] == "Firm 70"
    assert "the 60 least likely of 70" in said(figure)


def test_what_cannot_be_drawn_is_written():
    found = made.comparison(12, {"never": 16.0, "wide": 60.0})
    found = made.changed_unit(found, "never", 2, lpd=-math.inf)
    found = made.changed_unit(found, "wide", 2, rhat=1.5)
    text = said(checks.elpds(tables.elpds(found), 12))
    assert "worse than draws can measure" in text
    assert "red cross: a refit did not converge" in text
    assert "grey: within 4" in text
    assert "grey: within 4" not in said(checks.elpds(tables.elpds(found), 120))


def test_the_band_of_the_pit_holds_right_predictions():
    grid = np.linspace(0, 1, 21)
    inside = 0
    for units in range(20, 60):
        law = tables.laws(made.comparison(units, {}), "default")
        reach = tables.pit_band(law, grid, sets=200)
        curve = pit_cdf(law.below, law.exactly, grid)
        inside += bool((np.abs(curve - grid) <= reach + 1e-9).all())
    # 95% of 40 are 38; fewer than 34 would happen in one of 5000 such tests.
    assert inside >= 34


def test_power_scaling_without_a_number_is_no_picture():
    found = made.sensitivity(scaled=(Scaled("x", math.nan, math.nan),))
    values = sections.sensitivity(made.material(made.trust(sensitivity=found)))
    page = made.rendered("sensitivity", values)
    assert [figure.drawing.name for figure in page.figures] == ["sensitivity-moves"]
    assert page.tables[-1].rows[0][1:3] == ("–", "–")


def test_changed_verdicts_are_marked_in_the_picture_of_moves():
    found = made.sensitivity(made.moved("phi halved", "Easy against Hard", 4.0, 0.91))
    shifted = tables.shifts(found)
    text = said(checks.moves(*shifted[:2]))
    assert "large diamond: the verdict on its direction changes" in text
    assert "phi halved" in text
    same = tables.shifts(made.sensitivity())
    assert "large diamond" not in said(checks.moves(*same[:2]))


# -- read back from disk -----------------------------------------------------------------

#: Kind -> what was found.
FINDINGS = {
    "calibration": made.calibration(),
    "wrong": made.CAUGHT,
    "comparison": made.comparison(),
    "sensitivity": made.sensitivity(),
    "multiverse": made.multiverse([0.9, 0.5]),
    "influence": made.influence({"A": 0.7}, claims={"nothing": {"C1": 0.9}, "A": {"C1": 0.2}}),
    "evidence": made.evidence(),
    "design": stored.DesignAnalysis(
        "prior",
        22,
        2,
        {"draws": 500},
        (
            stored.SimulatedSize(
                50, 0, 1, (stored.Difference("a against b", "points", (3.5, -0.2), (0.98, 0.4)),)
            ),
        ),
    ),
}


def placed(value, path=()):
    """Every place of a value of JSON, as the keys that lead to it."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, (dict, list)):
            yield from placed(item, (*path, key))


@pytest.mark.parametrize("kind", stored.KINDS)
def test_findings_with_anything_changed_are_not_current(kind, tmp_path, monkeypatch):
    study, computed = load_study("rochester"), stored.fingerprint
    once = cache(lambda variants: computed(study, {}, variants))
    monkeypatch.setattr(stored, "fingerprint", lambda _study, _, variants: once(tuple(variants)))
    found = FINDINGS[kind]
    if kind in ("comparison", "evidence"):
        names = [name for name, row in catalogue(study).items() if not row.outcome]
        found = replace(found, skipped={n: "not here" for n in names if n not in found.variants})
    stored.write(kind, found, study, {}, tmp_path)
    path = stored.path_of(tmp_path, kind)
    whole = path.read_text(encoding="utf-8")
    assert getattr(stored.read_checks(study, tmp_path, {}), kind).reasons == ()
    document = json.loads(whole)
    places = list(placed(document))
    rng = np.random.default_rng(1)
    texts = ["", "[]", "null", "[" * 200_000, "9" * 10_000, whole[: len(whole) // 2]]
    for keys in [places[i] for i in rng.permutation(len(places))[:25]]:
        for value in (None, "1", [], 10**30, float("nan"), [None], {"a": 1}):
            changed = json.loads(whole)
            inner = changed
            for key in keys[:-1]:
                inner = inner[key]
            if repr(inner[keys[-1]]) != repr(value):
                inner[keys[-1]] = value
                texts.append(json.dumps(changed))
    for text in texts:
        path.write_text(text, encoding="utf-8")
        read = getattr(stored.read_checks(study, tmp_path, {}), kind)
        assert read.value is None, text
        assert read.reasons
    content = bytearray(whole.encode())
    for place in rng.integers(0, len(content) - 1, 60):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        read = getattr(stored.read_checks(study, tmp_path, {}), kind)
        assert read.value is None or read.value == value_of(whole, kind), damaged[place - 9 :][:20]


def value_of(text, kind):
    """What a file holds; blanks may be other ones."""
    return build(stored._TYPES[kind], json.loads(text)["value"])
