"""Exact evidence of variants: computed, stored, tabled, and said."""

from __future__ import annotations

import math

import pytest

import madetrust as made
from decaystudies import COUNTS, write_counts_study
from intlmodels.checks import comparison, tables
from intlmodels.checks import evidence as e
from intlmodels.checks.runner import ExecutionOptions
from intlmodels.checks.stored import read_checks, write
from intlmodels.models import catalogue, design_of, priors_of
from intlmodels.models.decay import exact
from intlmodels.models.decay.simulator import determined
from intlmodels.report import checks, checkvalues
from intlmodels.report.provenance import methods_of
from intlmodels.studies import load_study
from priordraws import Here


def plans(study):
    return comparison.plans_of(
        study, list(catalogue(study)), {}, comparison.settings_for(study, {})
    )


def test_counts_that_are_sums_of_others_are_determined(tmp_path):
    found = determined(design_of(load_study("norway")))
    # Periods, flags, and both together add up; what is said of the three largest firms does not.
    flags = ["M10", "M11", *[f"M{i}" for i in range(28, 34)]]
    assert found == ["M02", "M03", "M04", *flags]
    assert determined(design_of(load_study(write_counts_study(tmp_path / "study")))) == []


def test_evidence_is_computed_and_comes_back_from_disk(tmp_path):
    study = load_study(write_counts_study(tmp_path / "study"))
    chosen, skipped = plans(study)
    few = {name: chosen[name] for name in ("default", "common-decay", "period")}
    rest = {name: "not here" for name in chosen if name not in few}
    found = e.evidence(few, {**skipped, **rest}, tmp_path / "out").run(Here())
    wanted = exact.posterior(design_of(study), priors_of(study))
    assert list(found.variants) == ["default", "common-decay"]
    assert found.variants["default"].log_evidence == wanted.log_evidence
    assert found.variants["default"].falls["large"] == wanted.above_zero["decay"][0]
    assert "effects of periods" in found.skipped["period"]
    write("evidence", found, study, {}, tmp_path / "out")
    read = read_checks(study, tmp_path / "out", {}).evidence
    assert read.reasons == ()
    assert read.value.variants["common-decay"].log_evidence == pytest.approx(
        found.variants["common-decay"].log_evidence, rel=1e-6
    )
    assert read_checks(study, tmp_path / "out", {"large": "Normal(0, 2)"}).evidence.value is None


def test_bounds_that_may_be_off_are_not_compared_between_weights_of_counts(tmp_path):
    soft = [*COUNTS, {"id": "most", "periods": "late", "relation": "at most", "value": 2}]
    study = load_study(write_counts_study(tmp_path / "study", counts=soft))
    check = e.evidence(*plans(study), tmp_path)
    assert not any(task.startswith("rho") for task in check.tasks)
    assert any(task.startswith("default") for task in check.tasks)


@pytest.mark.parametrize("related", [True, False])
def test_variants_are_not_compared_by_leaving_out_counts_that_determine_each_other(
    related, tmp_path, monkeypatch
):
    found = made.evidence(determined=("early",) if related else ())
    monkeypatch.setattr(comparison, "run_evidence", lambda *arguments: found)
    monkeypatch.setattr(comparison, "run_and_store", lambda check, *arguments: check)
    study = load_study(write_counts_study(tmp_path / "study"))
    check, same = comparison.run_comparison(study, tmp_path, ExecutionOptions())
    assert same is found
    variants = {task.split()[0] for task in check.tasks}
    assert (variants == {"default"}) == related
    assert "default" in variants


def test_weights_are_posterior_probabilities_of_variants():
    table = tables.evidences(made.evidence({"default": -36.0, "power": -36 + math.log(3)}))
    assert table["weight"].tolist() == pytest.approx([0.25, 0.75])
    assert table["difference"].tolist() == pytest.approx([0, math.log(3)])
    assert table["p_falls[large]"].tolist() == [0.97, 0.97]
    results = made.trust(evidence=made.evidence())
    assert list(tables.csv_tables(results)) == ["evidence.csv"]


def test_the_section_says_why_leaving_one_out_does_not_compare():
    counts = made.comparison(unit="count", unit_label="count")
    results = made.trust(comparison=counts, evidence=made.evidence())
    values = checks.comparison(made.material(results, texts={}, model="decay"))
    text = made.words("comparison", values)
    assert "Leaving out such a count is uninformative" in text
    assert "default 0.73 and heaped 0.27" in text
    assert "period (effects of periods are too many integrals)" in text
    assert "elpd" not in text
    assert "stacking" not in methods_of(results)
    independent = made.trust(comparison=counts, evidence=made.evidence(determined=()))
    assert "stacking" in methods_of(independent)
    values = checks.comparison(made.material(independent, texts={}, model="decay"))
    text = made.words("comparison", values)
    assert "elpd" in text
    assert "default 0.73 and heaped 0.27" in text


def test_the_best_variant_and_what_was_left_out_are_said():
    found = made.evidence({"default": -36.0, "power": -34.0})
    said = made.said("comparison", checkvalues.comparison(made.comparison(), found))
    assert "power makes the published counts most probable" in said
    far = made.evidence()
    far.variants["heaped"] = made.Summed(-37.0, 0.03, {}, {})
    said = made.said("comparison", checkvalues.comparison(made.comparison(), far))
    assert "the posterior of heaped" in said
