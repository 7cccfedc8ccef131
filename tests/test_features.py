"""Features of data that predictions are held against: heaps, ceilings and spread of groups."""

import numpy as np
import pandas as pd
import pytest

from clusterstudies import CODES, clusters_study
from intlmodels.report.share import feature_decimals
from intlmodels.results import share, wording
from intlmodels.studies import load_study
from studies import write_study
from trees import made_up

HEAPED = np.concatenate([np.full(13, 99), np.linspace(45, 97, 31).round()])


def one_column(folder, shares, width):
    """A study of shares with a predictor that has nothing to do with them."""
    rows = "".join(f"Firm {i},{value},{'ab'[i % 2]}\n" for i, value in enumerate(shares))
    toml = f"""\
[study]
name = "shares"
title = "Shares"
model = "share"
source = "made up"
[firms]
file = "firms.csv"
column = "firm"
[outcome]
file = "firms.csv"
column = "share"
unit = "percent"
rounding_width = {width}
[predictors.side]
kind = "contrast"
column = "side"
low = "a"
high = "b"
"""
    return load_study(
        write_study(folder, toml=toml, tables={"firms.csv": f"firm,share,side\n{rows}"})
    )


def missed(fit) -> set[str]:
    checks = share.predictive_checks(fit)
    return set(checks["feature"][wording.missed(checks)])


def test_a_value_at_the_end_of_an_interval_is_within():
    rows = {
        "observed": [16.0, 17.0, 7.0, 6.0, 16.0],
        "ci_low": 7.0,
        "ci_high": 16.0,
        "p_larger": [0.02, 0.004, 0.98, 0.999, 0.5],
    }
    assert wording.missed(pd.DataFrame(rows)).tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("width", [1, 0.001])
def test_a_heap_below_the_ceiling_is_missed(tmp_path, width):
    # Mean and spread are those of the data: nothing but the heap and the ceiling is wrong.
    mean, variance = (HEAPED / 100).mean(), (HEAPED / 100).var()
    at = {
        "intercept": np.log(mean / (1 - mean)),
        "phi": mean * (1 - mean) / variance - 1,
        "side": 0.0,
    }
    fit = made_up(one_column(tmp_path, HEAPED, width), at)
    checks = share.predictive_checks(fit).set_index("feature")
    assert checks.loc["firms at the most common share", "observed"] == 13
    assert checks.loc["most common share", "observed"] == 99
    assert checks.loc["firms at the largest share", "observed"] == 13
    assert "mean of the shares" not in missed(fit)
    assert "standard deviation between firms" not in missed(fit)
    assert "firms at the most common share" in missed(fit)


def test_features_are_those_of_the_values():
    values, counts = np.unique([0.0, 0, 5, 20, 20, 20, 97.5, 100], return_counts=True)
    found = share._features(values, counts[None].astype(float), 5.0, "firms")
    assert {name: own.item() for name, own in found.items()} == pytest.approx(
        {
            "firms at 0%": 2,
            "firms at 100%": 1,
            "firms at a multiple of 5%": 7,
            "most common share": 20,
            "firms at the most common share": 3,
            "smallest share": 0,
            "largest share": 100,
            "firms at the largest share": 1,
            "mean of the shares": 262.5 / 8,
            "standard deviation between firms": np.std([0, 0, 5, 20, 20, 20, 97.5, 100], ddof=1),
        }
    )


def test_rows_with_many_values_are_counted_in_parts(monkeypatch):
    rows = np.random.default_rng(1).uniform(0, 100, (23, 7)).round(3)
    rows[:, :3] = rows[:, [3]]
    whole = share._features_of_rows(rows, 1.0, "rows")
    monkeypatch.setattr(share, "_MOST_COUNTED", 300)
    parts = share._features_of_rows(rows, 1.0, "rows")
    single = [share._features_of_rows(row[None], 1.0, "rows") for row in rows]
    for name, values in whole.items():
        assert parts[name] == pytest.approx(values)
        assert np.concatenate([own[name] for own in single]) == pytest.approx(values)
    assert whole["rows at the most common share"].tolist() == [4] * 23
    assert whole["largest share"] == pytest.approx(rows.max(axis=1))


@pytest.mark.parametrize(
    ("width", "step"), [(5, 10), (1, 5), (0.1, 1), (0.001, 1), (2, 10), (10, 20), (0, 5)]
)
def test_heaps_are_sought_at_round_numbers(width, step):
    assert share.heap_step(width) == step


def test_groups_are_compared_by_their_means(tmp_path):
    fit = made_up(clusters_study(tmp_path))
    checks = share.predictive_checks(fit).set_index("feature")
    means = [share.observed(fit)[code == CODES].mean() for code in range(3)]
    found = checks.loc["standard deviation of the means by place", "observed"]
    assert found == pytest.approx(np.std(means, ddof=1))


def test_counts_have_no_decimals():
    assert [feature_decimals(name) for name in ("firms at 0%", "rows at 0%", "mean")] == [0, 0, 1]
