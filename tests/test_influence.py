"""Influence: what is left out, that it is not seen, and which sentences follow."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import intlmodels as im
import madetrust
from decaystudies import COUNTS, PERIODS, write_counts_study, write_decisions_study
from intlmodels.checks import influence as i
from intlmodels.checks import tables
from intlmodels.checks.runner import Plan
from intlmodels.checks.sensitivity import conclusions
from intlmodels.checks.stored import read_checks
from intlmodels.core.errors import StudyError
from intlmodels.fitting.jobs import checked_fit, fit_study, settings_of
from intlmodels.models import design_of, priors_of
from intlmodels.models.decay import exact
from intlmodels.plots import checks as plots
from intlmodels.report import checks as sections
from intlmodels.report import checkvalues
from intlmodels.report.data import ShareReportData
from intlmodels.results import decay
from intlmodels.studies import load_study
from intlmodels.studies.orders import Order, Step
from studies import write_study
from test_cli import run
from trees import made_up

#: The counts of the small study, with the places of two of them.
PLACED = [{**count, "where": "p. 3"} if "large" in count["id"] else count for count in COUNTS]


def omissions(study):
    return i.omissions_of(study, design_of(study))


def test_counts_are_left_out_alone_by_subset_and_by_place(tmp_path):
    study = load_study(write_counts_study(tmp_path / "study", counts=PLACED))
    found = omissions(study)
    assert {name: kind for name, (kind, _, _) in found.items()} == {
        **{str(count["id"]): "count" for count in COUNTS[1:]},
        "early + early-yes": "subset",
        "the counts from p. 3": "place",
    }
    _, parts, given = found["the counts from p. 3"]
    assert parts == ("large", "large-late")
    assert [c.id for c in given["counts"]] == ["all", "yes", "early", "early-yes", "some"]


def test_of_norway_the_counts_of_a_subset_go_together():
    found = omissions(load_study("norway"))
    assert "M01" not in found
    assert {"M20b", "M36 + M37", "M34 + M35", "M02 + M28 + M31", "the counts from 4.6"} <= set(
        found
    )
    assert found["M10 + M11"][1] == ("M10", "M11")
    assert "M34 + M35 + M36 + M37" not in found  # that is the counts from 4.6


def test_orders_within_firms_are_left_out_alone(tmp_path):
    study = load_study(write_counts_study(tmp_path / "study"))
    steps = (Step(PERIODS, ("yes",)), Step(PERIODS, ("no",)))
    one, other = Order("Ash", steps), Order("Box", steps)
    found = i.omissions_of(study, replace(design_of(study), orders=(one, other)))
    assert found["order 2, firm Box"][2] == {"orders": (one,)}
    assert found["early"][2].keys() == {"counts"}
    kinds = {"order 1, firm Ash": "order"}
    text = said(
        madetrust.influence({"M1": 0.98, **dict.fromkeys(kinds, 0.6)}, kinds=kinds, unit="count")
    )
    assert "each of 1 count and 1 order of events within firms, one at a time." in text
    assert "without order 1, firm Ash it is 0.60" in text


def test_of_known_decisions_and_of_shares_firms_are_left_out(tmp_path):
    known = load_study(write_decisions_study(tmp_path / "known"))
    assert list(omissions(known)) == ["Ash", "Box", "Cob"]
    shares = load_study(write_study(tmp_path / "shares"))
    found = omissions(shares)
    assert list(found) == list(shares.firms)
    (weights,) = found["Birch"][2].values()
    assert np.flatnonzero(weights == 0).tolist() == [1]


def test_without_a_count_is_the_study_without_it(tmp_path):
    """The same draws as of a study whose file lacks the row; and the exact sum over tables."""
    study = load_study(write_counts_study(tmp_path / "whole"))
    settings = settings_of(study, {"draws": 2000, "tune": 500, "chains": 2, "cores": 1})
    plan = Plan(study, "default", priors_of(study), settings)
    names = list(omissions(study))
    number = names.index("large-late")
    found = i.refit(i.Without(plan, number, omissions(study)["large-late"][2]))
    fewer = [count for count in COUNTS if count["id"] != "large-late"]
    alone = load_study(write_counts_study(tmp_path / "fewer", counts=fewer))
    priors = priors_of(alone)
    tree = checked_fit(alone, "default", priors, plan.settings_of(number))
    assert found["moved"] == conclusions("decay", tree)
    summed = exact.posterior(design_of(alone), priors).above_zero["decay"]
    moved = {row["quantity"]: row for row in found["moved"]}
    for size, p in zip(("large", "other"), summed, strict=True):
        row = moved[decay.fall_of(size)]
        assert abs(row["p_positive"] - p) < 5 * row["p_error"]
    # The count matters: with it the exact probability is another one, by more than that error.
    with_it = exact.posterior(design_of(study), priors).above_zero["decay"][0]
    assert abs(with_it - summed[0]) > 5 * moved[decay.fall_of("large")]["p_error"]


@pytest.mark.slow
def test_influence_is_stored_and_resumes(tmp_path, monkeypatch):
    out = tmp_path / "out"
    study = load_study(write_counts_study(tmp_path / "study", counts=COUNTS[:4]))
    with pytest.raises(StudyError, match="run intlmodels fit first"):
        im.influence(study, out)
    fit_study(study, out=out, draws=1000, tune=500, chains=2, cores=1)
    found = im.influence(study, out, cores=1).influence.value
    kinds = [omission.kind for omission in found.omissions]
    assert kinds == ["nothing", "count", "count", "count", "subset"]
    assert found.kept == ("all",)
    assert read_checks(study, out, {}).influence.reasons == ()
    table = im.trust_tables(im.read_trust(study, out))["influence.csv"]
    whole = table[(table["left_out"] == "nothing") & (table["of"] == "difference")]
    assert (whole["move"] == 0).all()
    monkeypatch.setattr(i, "checked_fit", lambda *_, **__: pytest.fail("fitted again"))
    assert im.influence(study, out, cores=1).influence.value == found


def test_the_command_needs_a_fit(capsys, tmp_path):
    folder = write_counts_study(tmp_path / "study")
    code, _, err = run(capsys, "influence", folder, "--out", tmp_path / "out")
    assert code == 2
    assert "there is no stored fit of counted; run intlmodels fit first" in err


# -- sentences ---------------------------------------------------------------------------


def said(found, **more):
    return madetrust.said("influence", checkvalues.influence(found, **more))


def test_the_firm_without_which_a_verdict_falls_is_named():
    text = said(madetrust.influence({"Ash": 0.974, "Box": 0.71, "Cob": 0.985}))
    assert "Easy against Hard: positive with probability 0.98 (clear, on the edge); " in text
    assert "without firm Box it is 0.71 (undecided); without any other firm" in text
    assert "Ash" not in text  # other draws could place it elsewhere


def test_nothing_is_named_where_nothing_matters():
    text = said(madetrust.influence({"Ash": 0.62, "Box": 0.55, "Cob": 0.58}, base=0.6))
    assert "without each of 3 firms, one at a time." in text
    assert "no single firm changes this verdict (between 0.55 without firm Box and 0.62" in text
    assert "it is" not in text


def test_a_sign_that_turns_is_told_of_the_side_of_the_stored_fit():
    text = said(madetrust.influence({"Ash": 0.95, "Box": 0.023}, base=0.02))
    assert "Easy against Hard: negative with probability 0.98" in text
    assert "without firm Ash it is 0.05 (leaning, on the other side)" in text
    assert "without any other firm it lies between 0.98 and 0.98" in text


def test_groups_of_counts_are_told_apart_from_single_ones():
    kinds = {"M1 + M2": "subset", "the counts from 4.6": "place"}
    every = {"M1": 0.98, "M2": 0.981, "M1 + M2": 0.5, "the counts from 4.6": 0.98}
    text = said(madetrust.influence(every, kinds=kinds, unit="count"))
    assert "each of 2 counts, one at a time, and without 2 groups of counts" in text
    assert "all cannot be left out" in text
    assert "no single count changes this verdict" in text
    assert "Leaving out groups of counts: without M1 + M2 it is 0.50 (undecided)." in text
    every |= {"M1": 0.7}
    text = said(madetrust.influence(every, kinds=kinds, unit="count"), texts={"M1": "early ones"})
    assert "without the count of early ones (M1) it is 0.70" in text


def test_what_did_not_converge_does_not_count():
    found = madetrust.influence({"Ash": 0.5, "Box": 0.98}, failed=["Ash"])
    text = said(found)
    assert "Refits that did not converge do not count: without Ash." in text
    assert "no single firm changes this verdict" in text
    table = tables.influences(found)
    assert not table["changed"].any()


def test_claims_that_hang_on_one_firm_are_named():
    claims = {
        "nothing": {"C1 falls": 0.99, "C2 falls": 0.5},
        "Ash": {"C1 falls": 0.8, "C2 falls": 0.5},
        "Box": {"C1 falls": 0.974, "C2 falls": 0.6},
    }
    text = said(madetrust.influence({"Ash": 0.98, "Box": 0.98}, claims=claims))
    changed = "Of 2 claims tested with the fit, 1 would have a different verdict without one firm:"
    assert changed in text
    assert "C1: without Ash and Box" in text
    claims["Ash"]["C1 falls"] = claims["Box"]["C1 falls"] = 0.98
    text = said(madetrust.influence({"Ash": 0.98, "Box": 0.98}, claims=claims))
    assert (
        "Of 2 claims tested with the fit, none would have a different verdict without one "
        "firm." in text
    )


def test_the_key_difference_is_told_and_drawn(tmp_path):
    full = [("Cedar,0,,Toys", "Cedar,0,4,Toys")]  # made-up fits have no missing values
    study = load_study(write_study(tmp_path / "study", edit_firms=full))
    fit = made_up(study, {})
    found = madetrust.influence({"Ash": 0.6, "Box": 0.98})
    trust = madetrust.trust(influence=found)
    data = ShareReportData(study, fit, {"default": fit}, check_results=trust)
    values = sections.influence(data)
    assert "without firm Ash it is 0.60" in madetrust.words("influence", values)
    (table,) = madetrust.rendered("influence", values).tables
    assert [row[1] for row in table.rows] == ["nothing", "Ash", "Box"]
    assert [row[5].endswith("*") for row in table.rows] == [False, True, False]
    never = ShareReportData(study, fit, {"default": fit}, check_results=madetrust.trust())
    assert sections.influence(never) is None
    assert any("intlmodels influence" in row[1] for row in sections.not_run(never)["rows"])
    (part,) = tables.key_influences(tables.influences(found))
    figure = plots.left_out(part)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "nothing",
        "Ash",
        "Box",
    ]


# -- cells behind the decay --------------------------------------------------------------


# -- one firm that carries a contrast, fitted ---------------------------------------------


def shares(tmp_path, high, low):
    firms = [(f"E{k}", share, "Easy") for k, share in enumerate(high)]
    firms += [(f"H{k}", share, "Hard") for k, share in enumerate(low)]
    frame = pd.DataFrame(firms, columns=["firm", "share", "ease"])
    study = im.study("share ~ ease", data=frame, unit="firm", rounding_width=5)
    out = tmp_path / "out"
    fit_study(study, out=out, cores=1)
    return said(im.influence(study, out, cores=1).influence.value)


@pytest.mark.slow
def test_one_firm_that_hides_a_contrast_is_named(tmp_path):
    text = shares(tmp_path, [60, 65, 60, 70, 65, 60], [30, 25, 30, 35, 25, 95])
    assert "without firm H5 it is" in text
    assert text.count("without firm") == 1


@pytest.mark.slow
def test_no_firm_is_named_where_all_are_alike(tmp_path):
    text = shares(tmp_path, [30, 35, 30, 40, 35, 30], [35, 30, 40, 30, 35, 30])
    assert "no single firm changes this verdict" in text
