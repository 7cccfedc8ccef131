"""Sums over the firms, in the unit of what their shares are parts of."""

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, stats

from intlmodels.models.share import estimands, observation
from intlmodels.report import share as pages
from intlmodels.report.data import ShareReportData
from intlmodels.results import share
from intlmodels.studies import StudyError, load_study
from mockfit import mock_fit
from rendered import of_values
from studies import STUDY, VARIANTS, write_study

TOTAL = """
[totals.exports]
column = "size"
label = "Exports"
of = "Sales"
unit = "million euros"
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("totals")
    return load_study(write_study(folder, toml=STUDY + VARIANTS + TOTAL))


@pytest.mark.parametrize(
    ("mu", "phi", "low", "high"),
    [(0.2, 6, 0.0, 0.025), (0.02, 8, 0.0, 0.025), (0.3, 40, 0.775, 0.825), (0.9, 5, 0.975, 1.0)],
)
def test_shares_are_of_the_truncated_law(mu, phi, low, high):
    linear = np.full((4000, 1), np.log(mu / (1 - mu)))
    ends = np.array([low]), np.array([high])
    drawn = observation.simulate_within(
        "beta", linear, {"phi": np.full((4000, 1), phi)}, *ends, np.random.default_rng(1)
    )
    law = stats.beta(mu * phi, (1 - mu) * phi)
    # From the upper tail where the interval lies in it, so that no digits are lost.
    mass = law.cdf(high) - law.cdf(low) if low < mu else law.sf(low) - law.sf(high)

    def cdf(x):
        return (law.cdf(x) - law.cdf(low) if low < mu else law.sf(low) - law.sf(x)) / mass

    assert ((drawn >= low) & (drawn <= high)).all()
    assert stats.kstest(drawn[:, 0], cdf).pvalue > 0.001


def test_a_reported_zero_may_be_structural():
    linear, rng = np.full((20000, 2), -1.0), np.random.default_rng(2)
    parameters = {"phi": np.full((20000, 1), 5.0), "never": np.full((20000, 1), 0.1)}
    ends = np.array([0.0, 0.025]), np.array([0.025, 0.075])
    drawn = observation.simulate_within("hurdle", linear, parameters, *ends, rng)
    mu = 1 / (1 + np.e)
    small = 0.9 * integrate.quad(stats.beta(5 * mu, 5 * (1 - mu)).pdf, 0, 0.025)[0]
    expected = 0.1 / (0.1 + small)
    assert (drawn[:, 0] == 0).mean() == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 20000))
    assert (drawn[:, 1] > 0).all()


def test_what_is_missing_is_drawn_from_the_law_of_the_others(study):
    whole, shares = estimands.totals(mock_fit(study), study.totals[0], seed=3)
    values = study.totals[0].values
    known = np.isfinite(values)
    assert (whole[:, known] == values[known]).all()
    logs = np.log(values[known])
    spread = logs.std(ddof=1) * np.sqrt(1 + 1 / known.sum())
    law = stats.t(known.sum() - 1, logs.mean(), spread)
    assert stats.kstest(np.log(whole[:, ~known][:, 0]), law.cdf).pvalue > 0.001
    assert ((shares >= study.outcome.lower) & (shares <= study.outcome.upper)).all()


def test_what_a_fit_estimates_is_carried_along(study):
    fit = mock_fit(study, "plain_size")
    whole, _ = estimands.totals(fit, study.totals[0], seed=3)
    block = study.variants["plain_size"].predictor
    # The default has the size as a predictor, on the scale of logarithms; the first one counts.
    size = study.predictors["size"]
    drawn = fit["posterior"]["size_missing"].to_numpy().reshape(-1)
    assert np.allclose(whole[:, 2], np.exp(size.center + size.scale * drawn))
    assert np.isnan(block.values[2])


def test_sums_of_exact_shares_are_exact(study):
    fit = mock_fit(study)
    tree = xr.DataTree.from_dict({name: fit[name].to_dataset() for name in fit.children})
    tree.attrs = dict(fit.attrs)
    constant = fit["constant_data"].to_dataset()
    point = constant["lower"] + 1e-9
    tree["constant_data"] = xr.DataTree(constant.assign(lower=point, upper=point + 1e-9))
    total = study.totals[0]
    values = np.where(np.isnan(total.values), 5.0, total.values)
    known = type(total)(*(total.name, total.label, total.of, total.unit, "", ""), values)
    table = share.totals(tree, known).set_index(["firms", "quantity"])["median"]
    exact = constant["lower"].to_numpy() * values
    largest = study.firms[int(values.argmax())]
    assert table["all", "whole"] == pytest.approx(values.sum())
    assert table["all", "part"] == pytest.approx(exact.sum(), abs=1e-5)
    assert table["all", "share"] == pytest.approx(100 * exact.sum() / values.sum(), abs=1e-5)
    assert table[largest, "of all"] == pytest.approx(
        100 * exact[values.argmax()] / exact.sum(), abs=1e-4
    )
    rest = values < values.max()
    assert table[f"without {largest}", "part"] == pytest.approx(exact[rest].sum(), abs=1e-5)


def test_other_laws_are_refused(study):
    with pytest.raises(StudyError, match="families beta and hurdle"):
        estimands.totals(mock_fit(study, "logit-normal"), study.totals[0])


@pytest.mark.parametrize(
    ("toml", "firms", "says"),
    [
        ([], [("Alder,10,1.5", "Alder,10,0")], "expected a number above 0, as others are missing"),
        ([], [("Alder,10,1.5", "Alder,10,-1")], "expected a number above 0"),
        ([('column = "size"\nlabel = "Exports"', 'column = "share"\nlabel = "E"')], [], "parts of"),
        ([('label = "Exports"\n', "")], [], "key is missing"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, toml, firms, says):
    own = STUDY.replace('transform = "log"\n', "") + TOTAL
    folder = write_study(tmp_path, toml=own, edit_toml=toml, edit_firms=firms)
    with pytest.raises(StudyError, match=says) as caught:
        load_study(folder)
    assert "\n" not in str(caught.value)


def test_the_report_says_it_in_dollars(study):
    default = mock_fit(study)
    default.attrs["gate"] = "[]"
    data = ShareReportData(study, default, {"default": default, "plain_size": default})
    (total,) = pages.totals(data)
    known = [f"{value:g}" for value in study.totals[0].values if value > 0]
    assert len(known) == 7
    text = of_values(pages.estimates(data), "levels")
    assert "Exports: " in text
    assert "Elder accounts for" in text
    assert "For Cedar, sales is not reported" in text
    assert "in variant plain_size it is estimated with the other parameters." in text
    assert "| fit | firms | sales, million euros | exports, million euros |" in text
    assert [row[1] for row in total["total_rows"]] == ["8 firms", "without Elder"] * 2
