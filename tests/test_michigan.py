"""The panel that ships with the package, against the published analysis of its data.

Published: instructor's solutions to computer exercise C8, chapter 14, of Wooldridge's Introductory
Econometrics; long-run effect within districts 6.59 (standard error 2.64).
"""

import numpy as np
import pytest

from intlmodels.studies import load_study

#: Dummies of 1994 to 1998, log spending, log spending in the year before, log enrolment, lunch.
POOLED = (6.38, 18.65, 18.03, 15.34, 30.40, 0.534, 9.05, 0.593, -0.407, -31.66)
WITHIN = (6.18, 18.09, 17.94, 15.19, 29.88, -0.411, 7.00, 0.245, 0.062)


@pytest.fixture(scope="module")
def study():
    return load_study("michigan")


@pytest.fixture(scope="module")
def columns(study):
    """Shares, districts, and the predictors of the exercise."""
    table = study.tables["districts.csv"]
    read = {
        name: np.array([float(row[i]) for row in table.rows]) for i, name in enumerate(table.header)
    }
    years = [read["year"] == year for year in range(1994, 1999)]
    logs = [np.log(read[n]) for n in ("spending", "spending_year_before", "enrolment")]
    predictors = np.column_stack([*years, *logs, read["lunch_pct"]]).astype(float)
    _, district = np.unique(read["district"], return_inverse=True)
    return read["math_pass_pct"], district, predictors


def deviations(values: np.ndarray, district: np.ndarray) -> np.ndarray:
    """Each value less the mean of its district."""
    counts = np.bincount(district)
    columns = values.reshape(len(values), -1)
    means = np.stack([np.bincount(district, c) / counts for c in columns.T], axis=1)
    return (columns - means[district]).reshape(values.shape)


def last_digit(values: tuple[float, ...]) -> list[float]:
    """Half a unit in the last digit given."""
    return [0.0051 if abs(value) > 1 else 0.00051 for value in values]


def test_pooled_estimates_are_those_published(columns):
    share, _, predictors = columns
    design = np.column_stack([predictors, np.ones(len(share))])
    found = np.linalg.lstsq(design, share)[0]
    assert np.all(np.abs(found - POOLED) < last_digit(POOLED))


def test_estimates_within_districts_are_those_published(columns):
    share, district, predictors = columns
    share, predictors = deviations(share, district), deviations(predictors, district)
    found = np.linalg.lstsq(predictors, share)[0]
    assert np.all(np.abs(found - WITHIN) < last_digit(WITHIN))
    assert found[5] + found[6] == pytest.approx(6.59, abs=0.005)


def test_rows_are_districts_by_year(study):
    assert len(study.firms) == 3300
    assert len(study.panel.unit.labels) == 550
    assert study.panel.periods == ("1993", "1994", "1995", "1996", "1997", "1998")
    widths, counts = np.unique(np.round(study.outcome.widths, 9), return_counts=True)
    assert widths.tolist() == [0.1, 1.0]
    assert counts.tolist() == [2200, 1100]
