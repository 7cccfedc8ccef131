"""Sentences computed from fits of which the right answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from intlmodels.core import formats as f
from intlmodels.report import checkvalues, sections
from intlmodels.report import share as report
from intlmodels.report.data import ShareReportData
from intlmodels.results import intervals, share, wording
from intlmodels.results import share as shares
from intlmodels.studies import Study, load_study
from studies import write_study
from trees import DRAWS, made_up, share_positive


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return load_study(write_study(tmp_path_factory.mktemp("narrative")))


def variant_sentences(fits) -> list[str]:
    return sections.variant_sentences(shares.compare_variants(fits), shares.COMPARED)


def misfit_sentences(fit) -> list[str]:
    checks = share.predictive_checks(fit)
    return checkvalues.misfit_sentences(checks, report.feature_decimals)


# -- numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(12.345, 1, "12.3"), (-0.04, 1, "0.0"), (-3.0, 0, "−3"), (np.nan, 1, "–"), (1e-9, 0, "0")],
)
def test_numbers_have_fixed_decimals_and_a_true_minus(value, decimals, text):
    assert f.number(value, decimals) == text


def test_decimals_follow_the_width_of_the_interval():
    assert [f.decimals_for(width) for width in (40, 5, 4, 0.5, 0.1, 0.0, np.inf)] == [
        0, 0, 1, 1, 2, 3, 3,
    ]  # fmt: skip


def test_parameters_have_significant_digits():
    assert f.significant(0.000012) == "1.20e−05"
    assert f.significant(123456.0) == "123456"
    assert f.significant(-0.5) == "−0.500"
    assert f.significant(0.0) == "0"


def test_probabilities_from_draws_are_never_0_or_1():
    assert f.probability(1.0) == "> 0.999"
    assert f.probability(0.0) == "< 0.001"
    assert f.probability(0.9876) == "0.99"
    assert f.probability(0.9951) == "0.995"


def test_interval_names_say_kind_and_probability():
    assert f.interval_name(0.95) == "95% equal-tailed interval"
    assert f.interval_name(0.5, "hdi") == "50% highest-density interval"


def test_plurals_and_lists():
    assert f.counted(1, "company") == "1 company"
    assert f.counted(3, "company") == "3 companies"
    assert f.listed(["a"]) == "a"
    assert f.listed(["a", "b", "c"], "or") == "a, b or c"


# -- the answer --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "said"), [(0.975, "clear"), (0.97, "leaning"), (0.9, "leaning"), (0.89, "undecided")]
)
def test_verdicts(p, said):
    assert wording.verdict(p) == said


def test_the_size_of_differences(study):
    fit = made_up(study, {"ease": 2.0})
    draws = fit["estimands"]["difference"].to_numpy().reshape(DRAWS, -1)
    table = shares.differences(fit)
    for i, row in enumerate(table.itertuples(index=False)):
        sign = 1 if row.p_positive >= 0.5 else -1
        assert row.p_relevant == np.mean(sign * draws[:, i] > 5)
        assert row.p_opposite == np.mean(sign * draws[:, i] < -5)
        assert row.p_relevant + row.p_negligible + row.p_opposite == pytest.approx(1)


def test_nothing_of_a_failed_fit_goes_unmarked(study):
    fit = made_up(study, fails=True)
    everything = [
        *misfit_sentences(fit),
        *variant_sentences({"default": fit}),
    ]
    assert everything
    assert all(text.startswith(wording.NOT_CONVERGED) for text in everything)


# -- priors, checks, limits, variants ----------------------------------------------------


def test_parameters_that_did_not_move_are_named(study):
    fit = made_up(study, prior_scale=0.3)
    assert wording.hardly_moved(intervals.parameters(fit)) == []
    still = fit.copy()
    draws = fit["prior"].to_dataset()["ease"].to_numpy().ravel()
    posterior = fit["posterior"].to_dataset()
    repeated = np.resize(draws, posterior["ease"].shape)
    still["posterior"] = posterior.assign(ease=(("chain", "draw"), repeated))
    table = intervals.parameters(still)
    assert wording.hardly_moved(table) == ["ease"]
    row = table.set_index("name").loc["ease"]
    assert row["spread_ratio"] == pytest.approx(1.0, abs=0.05)
    assert checkvalues.unmoved(table)["unmoved"] == ["ease"]


def test_misfit_is_found_where_it_is(study):
    good = made_up(study, {"intercept": -1.0, "phi": 3.0})
    assert "All 10 features" in misfit_sentences(good)[0]
    bad = made_up(study, {"intercept": 2.0, "phi": 100.0})
    assert "mean of the shares: 22.5 observed" in misfit_sentences(bad)[0]


def test_few_firms_and_empty_cells_are_told(study):
    fit = made_up(study)
    values = report.limits(ShareReportData(study, fit, {"default": fit}))
    assert "Boats (2)" in values["few"]
    counts = {row[0]: row[1] for row in values["crossings"]}
    for row in shares.crossings(fit).itertuples():
        if row.empty:
            name = f"{row.label_a} and {row.label_b[:1].lower()}{row.label_b[1:]}"
            assert counts[name] == f"{row.empty} of {row.cells}"
    ease = shares.differences(fit).query("predictor == 'ease'").iloc[0]
    width = ease["ci_high"] - ease["ci_low"]
    _, wide, half, _ = next(row for row in values["widths"] if row[0] == "Ease of moving")
    assert float(wide) == pytest.approx(width, abs=0.51)
    assert float(half) == pytest.approx(width / 2, abs=0.51)


def test_variants_that_change_a_verdict_are_named(study):
    default = made_up(study, {"ease": share_positive(0.98)})
    same = made_up(study, {"ease": share_positive(0.98)}, variant="heaped")
    fits = {"default": default, "heaped": same}
    quiet = [text for text in variant_sentences(fits) if "Easy" in text]
    assert quiet == []
    turned = made_up(study, {"ease": share_positive(0.05)}, variant="heaped")
    loud = " ".join(variant_sentences({"default": default, "heaped": turned}))
    assert "the verdict changes for Easy against Hard in heaped (leaning" in loud
    assert "The sign changes" in loud
    assert "Easy against Hard in heaped" in loud


def test_density_and_failed_variants_do_not_count(study):
    fits = {
        "default": made_up(study, {"ease": 1.0}),
        "heaped": made_up(study, {"ease": -1.0}, variant="heaped", fails=True),
        "density": made_up(study, {"ease": -1.0}, variant="density"),
    }
    text = " ".join(variant_sentences(fits))
    assert "Did not converge and does not count: heaped." in text
    assert "For comparison only: density." in text
    assert "verdict" not in text
    assert "not compared by elpd" in text
