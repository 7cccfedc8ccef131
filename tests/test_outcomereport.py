"""Further outcomes in a report, and where they must not be."""

import re
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from intlmodels import report
from intlmodels.checks import comparison as left_out_checks
from intlmodels.checks import sensitivity as sensitivities
from intlmodels.checks.stored import Comparison, LeftOut, read_checks, write
from intlmodels.fitting import jobs as workflow
from intlmodels.fitting import store
from intlmodels.fitting.jobs import settings_of
from intlmodels.models import catalogue, priors_of
from intlmodels.plots import share, sharedata
from intlmodels.plots.style import svg
from intlmodels.report.data import gather
from intlmodels.results.share import compare_variants
from intlmodels.studies import load_study
from outcomestudies import outcomes_study
from rendered import appendix, text_of
from studies import write_study
from test_report import Written
from trees import made_up, share_positive, store_fits

TITLE = "Further outcomes"
FURTHER = ("reach", "planned", "planned-at-all")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return outcomes_study(tmp_path_factory.mktemp("study") / "study")


def alone(study, folder):
    """The section, without the rest of the report."""
    return text_of(appendix(study, folder, ["outcomes"]))


#: Everything that the section shows; one more law of the share stands for all of them.
SHOWN = ("default", "hurdle", "by-reach", "by-plan", *FURTHER)


@cache
def one_fit(study, name, fails=False):
    return made_up(study, {"ease": 1.0}, variant=name, fails=fails)


def fits(study, *failing):
    return {name: one_fit(study, name, name in failing) for name in SHOWN}


@pytest.fixture(scope="module")
def written(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    store_fits(study, folder, **fits(study))
    return Written(study, folder)


def section(markdown, title):
    parts = re.split(r"^## (?:A?\d+\. )?", markdown, flags=re.MULTILINE)
    return next(part for part in parts if part.startswith(f"{title}\n")).replace("\\", "")


def test_the_section_has_its_place_and_title(written):
    titles = re.findall(r"^## (?:A?\d+\. )?(.+)$", written.markdown, flags=re.MULTILINE)
    assert titles.index("Predictive checks") + 1 == titles.index(TITLE)


def test_the_section_tells_levels_and_firms(study, written):
    text = section(written.markdown, TITLE)
    known = study.outcomes["planned"].known
    many = (study.outcomes["planned"].codes[known] == 1).sum()
    assert re.search(rf"\| Style \| .* \| Planned {many} of {known.sum()} \|", text)
    assert "what was read as what" in text
    assert "Dirichlet(1, 1, 1)" in text.replace("\\", "")
    for name in ("outcomes-shares", "outcomes-frequencies"):
        assert (written.folder / "figures" / f"{name}.svg").is_file()
    rows = written.table("outcomes.csv")
    assert {row["outcome"] for row in rows} == set(FURTHER)
    assert {row["quantity"] for row in rows} == {
        *("level", "difference", "reached", "frequency", "average")
    }
    stages = [r for r in rows if (r["outcome"], r["quantity"]) == ("reach", "difference")]
    assert {row["unit"] for row in stages} == {"stages"}
    assert written.table("outcomes_data.csv")[0]["reach_read_as"] == "agent"


def test_outcomes_stand_nowhere_among_the_variants_of_the_share(written):
    variants = section(written.markdown, "Variants")
    for name in FURTHER:
        assert not re.search(rf"\| {name} \| (yes|NO|not)|^\| {name} \|", variants, re.MULTILINE)
    assert "| by-reach |" in variants
    assert {row["variant"] for row in written.table("variants.csv")} == {
        name for name in SHOWN if name not in FURTHER
    }
    assert "--variants hurdle,by-reach,by-plan,reach,planned,planned-at-all" in written.markdown


def test_a_failed_fit_of_an_outcome_is_marked_wherever_it_is(study, tmp_path):
    store_fits(study, tmp_path, **fits(study, "planned"))
    written = Written(study, tmp_path)
    text = section(written.markdown, TITLE)
    assert "**Did not converge, not to be quoted:** Style." in text
    assert "Style (did not converge): the clearest differences" in text
    assert "| Reach abroad |" in text
    assert "Variants that did not converge" in written.markdown
    picture = (tmp_path / "figures" / "outcomes-frequencies.svg").read_text()
    drawn = {name: fits(study)[name] for name in FURTHER}
    assert picture != svg(sharedata.frequencies(drawn))
    for row in written.table("outcomes.csv"):
        assert row["converged"] == str(row["outcome"] != "planned").lower()


def test_a_failed_share_with_an_outcome_is_marked(study, tmp_path):
    store_fits(study, tmp_path, **fits(study, "by-reach"))
    text = alone(study, tmp_path)
    assert "| Reach abroad (did not converge) | nothing: " in text
    assert "| Style | " in text


def test_what_is_not_fitted_is_said(study, tmp_path):
    store_fits(study, tmp_path, default=made_up(study, {"ease": 1.0}))
    text = alone(study, tmp_path)
    assert "Not fitted: Reach abroad, " in text
    assert "`--variants all`" in text
    assert "what was read as what" in text
    assert "outcomes-frequencies.svg" not in text
    assert "outcomes-shares.svg" in text


def test_a_stale_fit_is_left_out_with_its_reason(study, tmp_path):
    made = {**fits(study), "reach": made_up(study, {"ease": 1.0}, variant="reach")}
    made["reach"].attrs["fingerprint"] = (
        made["reach"].attrs["fingerprint"].replace("HalfNormal(0.5)", "HalfNormal(0.7)")
    )
    store_fits(study, tmp_path, **made)
    text = alone(study, tmp_path)
    assert "Reach abroad (fit reach) is left out, because the stored fit is not current" in text
    assert "| Style | Ease of moving: Easy − Hard" in text


def test_a_study_without_further_outcomes_has_no_such_section(tmp_path):
    study = load_study(write_study(tmp_path / "study"))
    store_fits(study, tmp_path / "out", default=made_up(study))
    assert appendix(study, tmp_path / "out", ["outcomes"]).sections == ()


def test_the_light_form_of_a_fit_is_enough(study, tmp_path):
    store_fits(study, tmp_path, **fits(study))
    material = gather(study, tmp_path)
    assert set(material.further) == set(FURTHER)
    assert not set(material.variants) & set(FURTHER)
    light = material.further["reach"]
    assert "sample_stats" not in light.children
    whole = store.read(workflow.stored_path(tmp_path, "reach"))
    assert svg(sharedata.frequencies({"reach": light})) == svg(
        sharedata.frequencies({"reach": whole})
    )
    same = store.read_summary(workflow.stored_path(tmp_path, "by-reach"))
    assert compare_variants({"by-reach": same})["median"].notna().all()


def test_leave_one_out_and_sensitivity_pass_them_over(study, tmp_path, monkeypatch):
    settings = left_out_checks.settings_for(study, {"draws": 100, "tune": 100, "chains": 2})
    plans, skipped = left_out_checks.plans_of(study, list(catalogue(study)), {}, settings)
    assert {"by-reach", "by-plan"} <= set(plans)
    assert not (set(plans) | set(skipped)) & set(FURTHER)
    store_fits(study, tmp_path, **fits(study))
    found = sensitivity_of(study, tmp_path, monkeypatch)
    named = {refit.name for refit in found.refits if refit.kind == "reading"}
    assert {"by-reach", "hurdle"} <= named
    assert not named & set(FURTHER)


def sensitivity_of(study, folder, monkeypatch):
    monkeypatch.setattr(sensitivities, "power_scaling", lambda tree, quantities: ((), 0.1))
    return sensitivities.summarize(study, sensitivities.current(study, folder), {}, [])


# -- pictures ----------------------------------------------------------------------------


def test_a_stage_is_not_drawn_in_percent(study):
    picture = share.estimates(made_up(study, {"ease": 1.0}, variant="reach"))
    axes = picture.axes[0]
    assert axes.get_xlabel() == "Average expected reach abroad"
    picture.draw_without_rendering()
    assert not any("%" in text.get_text() for text in axes.get_xticklabels())
    other = share.differences(made_up(study, {"ease": 1.0}, variant="reach"))
    assert other.axes[0].get_xlabel() == "Difference in stages"
    odds = share.estimates(made_up(study, {"ease": 1.0}, variant="planned"))
    assert odds.axes[0].get_xlabel() == "Average probability of Planned"
    usual = share.estimates(made_up(study, {"ease": 1.0}))
    assert usual.axes[0].get_xlabel() == study.outcome.label


def test_firms_with_about_the_same_share_stand_beside_each_other():
    codes = np.array([0, 0, 0, 1, 0])
    printed = np.array([10.0, 10.0, 40.0, 10.0, 12.0])
    offsets = sharedata._spread(codes, printed, 3.0)
    assert offsets[[2, 3]].tolist() == [0, 0]
    assert sorted(offsets[[0, 1, 4]]) == pytest.approx([-sharedata.STEP, 0, sharedata.STEP])


@pytest.mark.parametrize("only", ["ordered", "binary"])
def test_one_kind_alone_is_drawn_and_told(tmp_path, only):
    drop = {
        "ordered": [("planned", 2), ("planned-at-all", 3)],
        "binary": [("reach", 1)],
    }[only]
    study = outcomes_study(tmp_path / "study")
    kept = {n: o for n, o in study.outcomes.items() if n not in [name for name, _ in drop]}
    variants = {
        n: v
        for n, v in study.variants.items()
        if getattr(getattr(v, "outcome", None), "name", None) not in [name for name, _ in drop]
    }
    study = replace(study, outcomes=kept, variants=variants)
    assert svg(sharedata.outcome_shares(study))


def test_the_report_of_outcomes_needs_no_pymc(study, tmp_path):
    store_fits(study, tmp_path, default=one_fit(study, "default"), reach=one_fit(study, "reach"))
    code = (
        "import sys; from pathlib import Path; from intlmodels import load_study, report; "
        "from intlmodels.plots import style; style.svg = lambda figure: '<svg/>'; "
        f"report.write(load_study({str(study.folder)!r}), Path({str(tmp_path)!r})); "
        "print({'pymc', 'pytensor', 'nutpie'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    assert report.why_stale(study, tmp_path) == []


def test_every_outcome_can_be_planned_as_a_fit(study, tmp_path):
    jobs = workflow.plan(study, [*workflow.catalogue(study)], tmp_path, settings=settings_of(study))
    assert [job.variant for job in jobs if job.reasons == ("not fitted yet",)] == list(
        catalogue(study)
    )
    assert all(priors_of(study, name) for name in FURTHER)


def test_directions_of_a_stage_are_told_in_stages(study, tmp_path):
    positive = made_up(study, {"ease": share_positive(0.99)}, variant="reach")
    store_fits(study, tmp_path, default=made_up(study), reach=positive)
    text = alone(study, tmp_path)
    assert re.search(r"Ease of moving: Easy − Hard \| [\d.]+ stages .* 0\.99 \| ", text)


def test_a_comparison_stays_current_whatever_becomes_of_further_outcomes(study, tmp_path):
    """What is stored of the share does not rest on how stages are read, but where it uses them."""
    settings = left_out_checks.settings_for(study, {"draws": 100, "tune": 100, "chains": 2})
    plans, skipped = left_out_checks.plans_of(study, list(catalogue(study)), {}, settings)
    left = LeftOut("Alder", 10.0, -2.0, 0.1, (1.0,), 1.0, 900.0, 0)
    found = Comparison("firm", "firm", (10.0,), dict.fromkeys(plans, (left,)), skipped, {})
    write("comparison", found, study, {}, tmp_path)
    assert read_checks(study, tmp_path, {}).comparison.reasons == ()
    codes = 1 - study.outcomes["planned"].codes
    turned = {**study.outcomes, "planned": replace(study.outcomes["planned"], codes=codes)}
    assert read_checks(replace(study, outcomes=turned), tmp_path, {}).comparison.reasons == ()
