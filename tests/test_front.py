"""The main report of the share model: what it says first, and how that fares elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import madetrust
from growerstudies import write_growers
from intlmodels.checks.stored import NOTHING
from intlmodels.core import formats as f
from intlmodels.plots import share as plots
from intlmodels.report import answers, front, sharefront
from intlmodels.report.data import ShareReportData, gather
from intlmodels.report.registry import Frame, render
from intlmodels.results import share
from intlmodels.results.wording import claim_verdict, verdict
from intlmodels.studies import Study, load_study
from studies import write_study
from trees import from_prior, made_up, share_positive, store_fits

NAME = "Ease of moving: Easy against Hard"


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return load_study(write_study(tmp_path_factory.mktemp("front")))


def data(study: Study, fit, trust=NOTHING, **variants) -> ShareReportData:
    return ShareReportData(study, fit, {"default": fit, **variants}, check_results=trust)


def text(name: str, values, passed: bool = True) -> str:
    """The Markdown of a section, plain."""
    _, pages = render("md", "share", Frame({}, {}, passed, {}), {name: values})
    (section,) = pages["report"].sections
    return section.text.replace("\\", "").replace("&gt;", ">").replace("\N{NO-BREAK SPACE}", " ")


def of_ease(fit):
    return share.differences(fit).query("predictor == 'ease'").iloc[0]


# -- the finding -------------------------------------------------------------------------


def test_a_clear_difference_comes_first_with_its_size(study):
    m = data(study, made_up(study, {"ease": -2.0}))
    row = of_ease(m.fit)
    first = text("finding", sharefront.finding(m)).splitlines()[0]
    size, low, high = (f"{-row[name]:.2f}" for name in ("median", "ci_high", "ci_low"))
    assert first == (
        f"**Ease of moving:** “Hard” is above “Easy” by {size} percentage points "
        f"({low} to {high}; probability > 0.999)."
    )


# At 0.98 another seed may turn the verdict.
@pytest.mark.parametrize(("positive", "edge"), [(0.95, ""), (0.98, ", on the edge of clear")])
def test_a_leaning_is_not_called_clear(study, positive, edge):
    m = data(study, made_up(study, {"ease": share_positive(positive)}))
    assert m.key_contrast.name == NAME
    assert f"probability {positive}, leaning{edge})" in text("finding", sharefront.finding(m))


@pytest.mark.parametrize(
    ("chance", "written"), [(0.897, "0.897"), (0.903, "0.90"), (0.9749, "0.97"), (0.9751, "0.98")]
)
def test_a_probability_is_not_rounded_across_a_limit(chance, written):
    assert f.probability(chance) == written
    assert verdict(float(written)) == verdict(chance)
    assert claim_verdict(float(f.probability(1 - chance))) == claim_verdict(1 - chance)


def test_without_a_direction_the_nearest_difference_is_named(study):
    m = data(study, made_up(study, {"ease": share_positive(0.6)}))
    table = m.differences
    nearest = table.loc[table["p_direction"].idxmax()]
    values = sharefront.finding(m)
    first = text("finding", values).splitlines()[0]
    assert first.startswith("**The data do not decide how the share abroad of these 8 firms")
    assert "depends on ease of moving, branch" in first
    assert values["nearest"]["probability"] in first
    assert {values["nearest"]["level"], values["nearest"]["against"]} == {
        nearest["level"],
        nearest["against"],
    }


def test_what_only_a_variant_decides_is_told(study):
    fit = made_up(study, {"ease": share_positive(0.6)})
    axes = made_up(study, {"making": 3.0}, variant="two-skills")
    m = data(study, fit, **{"two-skills": axes})
    values = sharefront.finding(m)["elsewhere"]
    table = m.comparison.query("quantity == 'difference' and label == 'Making'")
    largest = table.loc[table["median"].abs().idxmax()]
    assert (values["variant"], values["label"], values["ordered"]) == ("two-skills", "Making", True)
    assert float(values["size"]) == pytest.approx(abs(largest["median"]), abs=0.51)
    failed = made_up(study, {"making": 3.0}, variant="two-skills", fails=True)
    assert sharefront.finding(data(study, fit, **{"two-skills": failed}))["elsewhere"] is None


def test_every_estimate_of_a_failed_fit_is_marked(study):
    m = data(study, made_up(study, {"ease": 2.0}, fails=True))
    for name in ("finding", "estimates", "reasons"):
        said = text(name, getattr(sharefront, name)(m), passed=False)
        for line in said.splitlines():
            if "probability" in line and not line.startswith(("*Figure", "|", "!")):
                assert "Did not converge, not to be quoted:" in line


# -- predictors of rows ------------------------------------------------------------------


def test_effects_of_numbers_are_in_their_units(tmp_path):
    growers = load_study(write_growers(tmp_path / "study"))
    store_fits(growers, tmp_path / "out", default=from_prior(growers))
    m = gather(growers, tmp_path / "out")
    effects = {own["kind"]: own for own in answers.effects(m)}
    assert {"moderation", "split", "curve"} <= set(effects)
    split = effects["split"]
    assert split["between"]["more"] == split["within"]["more"] == "5 dollars more"
    said = text("estimates", sharefront.estimates(m))
    assert "between growers, 5 dollars more goes with a share" in said
    assert "within a grower, 5 dollars more than usual goes with a share" in said
    assert "one sd" not in said
    assert "year" not in m.asked


# -- the figure --------------------------------------------------------------------------


def test_each_row_stands_at_its_level_or_at_the_nearest_value(study):
    fit = made_up(study)
    ease = study.predictors["ease"]
    assert share.nearest(fit, "ease").tolist() == (ease.values > 0).astype(int).tolist()
    branch = study.predictors["branch"]
    assert share.nearest(fit, "branch").tolist() == branch.codes.tolist()
    size = study.predictors["size"].values
    known = ~np.isnan(size)
    middle, sd = size[known].mean(), size[known].std()
    at = middle + sd * np.arange(-1, 2)
    expected = np.abs(size[known][:, None] - at).argmin(axis=1)
    assert share.nearest(fit, "size")[known].tolist() == expected.tolist()
    assert set(share.nearest(fit, "size")[~known]) <= {-1}


def test_reported_shares_stand_beside_the_averages(study):
    figure = plots.estimates(made_up(study), "branch")
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    drawn = sorted(value for line in dots for value in line.get_xdata())
    assert drawn == sorted(study.outcome.printed.tolist())


# -- robustness --------------------------------------------------------------------------


def test_the_key_contrast_is_followed_through_the_multiverse(study):
    fit = made_up(study, {"ease": share_positive(0.94)})
    found = madetrust.multiverse([0.94, 0.98, 0.4])
    found = replace(found, moved=tuple(replace(row, quantity=NAME) for row in found.moved))
    m = data(study, fit, madetrust.trust(multiverse=found))
    held = front.holds(m)
    assert (held["combinations"], held["same_side"], held["leaning_in"], held["clear_in"]) == (
        *("3", "2", "2", "1"),
    )
    assert (held["lowest"], held["highest"]) == ("0.40", "0.98")
    said = text("robustness", front.robustness(m))
    assert "in every combination of priors (3)" in said
    assert "positive in 2 of 3" in said
    assert "clear in 1 (with priors: c1)" in said
    negative = data(study, made_up(study, {"ease": share_positive(0.03)}), m.check_results)
    assert front.holds(negative)["same_side"] == "1"


def test_without_a_multiverse_the_variants_take_its_place(study):
    fit = made_up(study, {"ease": share_positive(0.94)})
    other = made_up(study, {"ease": share_positive(0.99)}, variant="logit-normal")
    failed = made_up(study, {"ease": 0.0}, variant="hurdle", fails=True)
    m = data(study, fit, **{"logit-normal": other, "hurdle": failed})
    assert m.key_contrast.axes == {"variant": ("default", "logit-normal")}
    assert front.holds(m)["highest"] == "0.99"
    assert "in 2 variants" in text("robustness", front.robustness(m))
    assert front.robustness(data(study, fit)) is None


# -- checks ------------------------------------------------------------------------------


def test_checks_are_told_where_they_were_made(study):
    fit = made_up(study)
    values = front.checks(data(study, fit))
    assert values["pit"] is values["calibration"] is None
    assert "Calibration" not in text("checks", values)
    trust = madetrust.trust(calibration=madetrust.calibration(), comparison=madetrust.comparison())
    said = text("checks", front.checks(data(study, fit, trust)))
    assert "simulated studies" in said
    assert "95% band" in said
    failed = text("checks", front.checks(data(study, made_up(study, fails=True))), passed=False)
    assert "DID NOT PASS" in failed


def test_levels_are_counted_with_what_is_reported_there(study):
    levels = sharefront.data(data(study, made_up(study)))["levels"]
    assert [row[0] for row in levels if row[0]] == ["Ease of moving", "Branch", "Skill", "Sales"]
    rows = {row[1]: row[2:] for row in levels}
    easy = study.outcome.printed[study.predictors["ease"].values > 0]
    assert rows["Easy"] == (*("4", f"{np.median(easy):g}", f"{easy.min():g} to {easy.max():g}"),)
