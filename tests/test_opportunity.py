"""Opportunity and vulnerability: combinations of two predictors, from fits that are known."""

from __future__ import annotations

import numpy as np
import pytest

import intlmodels as im
from intlmodels import report
from intlmodels.core.errors import StudyError
from intlmodels.models.share.coefficients import Coefficients
from intlmodels.plots.style import MARK
from intlmodels.report.clusters import readings
from intlmodels.results.groups import NEITHER, OPPORTUNITY, VULNERABLE, combinations, standing
from intlmodels.studies import describe, load_study
from studies import STUDY, edited, write_study
from trees import DRAWS, made_up, share_positive, store_fits

ASKED = """
[opportunity]
across = "skill"
down = "ease"
vulnerable = "Easy"
note = "Our reading."
"""
READ = ("skill", "ease", "Easy")


def written(folder, asked=ASKED, **changes):
    toml = edited(STUDY, [("\n[firms]\n", f"{asked}\n[firms]\n")])
    return load_study(write_study(folder, toml=toml, **changes))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return written(tmp_path_factory.mktemp("study"))


def at(table, across, down):
    (row,) = table[(table["across"] == across) & (table["down"] == down)].itertuples()
    return row


def test_shares_are_the_average_over_the_firms_with_both_predictors_set(study):
    fit = made_up(study, {"ease": 1.0, "skill": [0.5, 0.0, -0.5], "size": 0.4})
    table = combinations(fit, *READ)
    coefficients = Coefficients(fit)
    branch = coefficients.contribution(coefficients.place["branch"])
    size = coefficients.contribution(coefficients.place["size"])
    skill = coefficients.values[:, coefficients.place["skill"]]
    ease = coefficients.values[:, coefficients.place["ease"]][:, 0]
    levels = fit["posterior"]["skill_level"].to_numpy().tolist()
    for row in table.itertuples():
        effect = skill[:, levels.index(row.across)]
        effect = effect + ease * (0.5 if row.down == "Easy" else -0.5)
        linear = (coefficients.intercept + effect)[:, None] + branch + size
        expected = coefficients.expected(linear).mean(axis=1)
        assert row.median == pytest.approx(np.median(expected), abs=1e-9)
        assert row.ci_low == pytest.approx(np.quantile(expected, 0.025), abs=1e-9)


def test_who_stands_where(study):
    fit = made_up(study)
    table = combinations(fit, *READ)
    assert at(table, "Design", "Easy").observed == "Fir 15; Alder 10"
    assert at(table, "Making", "Hard").observed == "Elder 5; Cedar 0"
    assert table["firms"].sum() == len(study.firms)
    assert standing(fit, ("skill", "Both"), ("ease", "Easy")) == [("Downy", 40.0)]


def test_a_combination_without_firms_is_told_as_extrapolation(tmp_path):
    study = written(tmp_path, edit_traits=[("Birch,Hard,Design--some making", "Birch,Hard,Both")])
    table = combinations(made_up(study, {"ease": 3.0}), *READ)
    assert at(table, "Design", "Hard").firms == 0
    assert readings(table)["empty"] == ["Design, Hard"]
    (row,) = [row for row in readings(table)["shares"] if row[:2] == ("Design", "Hard")]
    assert row[2] == "none: extrapolation"


def test_readings_follow_the_posterior(study):
    table = combinations(made_up(study, {"ease": -3.0}), *READ)
    for row in table.itertuples():
        assert row.verdict == "clear"
        assert row.reading == (VULNERABLE if row.down == "Easy" else OPPORTUNITY)
        assert row.p_above == (row.down == "Hard")
    found = readings(table)
    assert len(found["clear"]) == len(table) == found["combinations"]
    assert not found["leaning"]
    table = combinations(made_up(study, {"ease": 3.0}), *READ)
    assert set(table["reading"]) == {NEITHER}
    assert not readings(table)["nearest"]


@pytest.mark.parametrize(("part", "verdict"), [(0.06, "leaning"), (0.3, "undecided")])
def test_what_the_posterior_does_not_tell_is_not_read(study, part, verdict):
    table = combinations(made_up(study, {"ease": share_positive(part)}), *READ)
    assert set(table["verdict"]) == {verdict}
    easy = table[table["down"] == "Easy"]
    np.testing.assert_allclose(easy["p_above"], part, atol=2 / DRAWS)
    found = readings(table)
    assert not found["clear"]
    assert len(found["leaning"]) == (6 if verdict == "leaning" else 0)
    (nearest,) = found["nearest"]
    side = "Easy" if nearest["reading"] == VULNERABLE else "Hard"
    assert nearest["where"].endswith(side)
    assert nearest["probability"].startswith(f"{1 - part:.2f}")


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (("ease", "ease", "Easy"), "expected a category: 'branch', 'skill'"),
        (("skill", "branch", "Easy"), "expected a contrast: 'ease'"),
        (("skill", "ease", "Soft"), "expected a level of ease: 'Hard', 'Easy'"),
    ],
)
def test_a_fit_without_such_predictors(study, read, message):
    with pytest.raises(StudyError, match=message):
        combinations(made_up(study), *read)


def test_the_report_has_the_section_only_where_it_is_asked_for(study, tmp_path):
    store_fits(study, tmp_path, default=made_up(study, {"ease": -3.0}, fails=True))
    report.write(study, tmp_path)
    text = (tmp_path / "appendix.md").read_text(encoding="utf-8")
    section = text.partition("Opportunity and vulnerability\n")[2].partition("\n## ")[0]
    assert "Our reading." in section
    assert "figures/opportunity.svg" in section
    assert section.count("Did not converge, not to be quoted") == 1
    table = (tmp_path / "tables" / "opportunity.csv").read_text(encoding="utf-8")
    assert table.startswith("across,down,firms,observed,mean")
    assert "extrapolation" not in described(study)
    assert "read together: skill and ease" in described(study)
    plain = load_study(write_study(tmp_path / "plain", toml=STUDY))
    assert "read together" not in described(plain)
    assert plain.opportunity is None


def described(study):
    return describe(study)


def test_the_picture_is_marked_and_names_fit(study):
    figure = im.plots.opportunity(made_up(study, fails=True), *READ)
    assert figure.get_suptitle() == MARK
    assert "<svg" in im.plots.svg(figure)
    assert not im.plots.opportunity(made_up(study), *READ).get_suptitle()


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (('across = "skill"', 'across = "ease"'), "across takes a predictor of the kind category"),
        (('down = "ease"', 'down = "size"'), "down takes a predictor of the kind contrast"),
        (('vulnerable = "Easy"', 'vulnerable = "easy"'), "expected a level of ease"),
        (('down = "ease"\n', ""), "key is missing"),
        (("note", "notes"), "unknown key"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_one_line(tmp_path, edit, expected):
    with pytest.raises(StudyError, match=expected) as caught:
        written(tmp_path, asked=edited(ASKED, [edit]))
    assert "[opportunity]" in str(caught.value)
    assert "\n" not in str(caught.value)
