"""A panel with firm effects against brms' interval-censored Beta regression."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import intlmodels as im
from intlmodels.fitting.diagnostics import convergence, scalars

REFERENCE = Path(__file__).parent / "reference"
#: Our parameters by the names of brms; the others are effects of single districts.
NAMES = {
    "intercept": "b_Intercept",
    "spending": "b_spending",
    "lunch_pct": "b_lunch",
    "enrolment": "b_enrolment",
    "year": "b_year",
    "sigma_firm": "sd_district__Intercept",
    "phi": "phi",
}
#: Largest of 67 standard normal numbers in all but one of 1,000 cases.
LARGEST = 4.33


@pytest.mark.slow
def test_a_panel_agrees_with_brms():
    import pandas as pd

    rows = pd.read_csv(REFERENCE / "districts.csv")
    study = im.study(
        "math_pass_pct ~ log(spending) + lunch_pct + log(enrolment) + year + (1 | district)",
        rows,
        unit="district",
        time="year",
        rounding_width=1,
    )
    posterior = im.fit_study(study, seed=1)["posterior"].to_dataset()
    sizes = dict(zip(*convergence(posterior, ["ess_bulk"])["ess_bulk"], strict=True))
    with (REFERENCE / "panel_brms.csv").open(encoding="utf-8", newline="") as file:
        theirs = {row["name"]: row for row in csv.DictReader(file)}
    gaps = {}
    for label, draws in scalars(posterior):
        name = NAMES.get(
            label, f"r_{label.replace('firm', 'district').removesuffix(']')},Intercept]"
        )
        if name in theirs:
            mean, sd, size = (float(theirs[name][column]) for column in ("mean", "sd", "ess"))
            error = np.hypot(sd / size**0.5, draws.std() / sizes[label] ** 0.5)
            gaps[name] = abs(draws.mean() - mean) / error
    assert set(NAMES.values()) <= set(gaps)
    assert len(gaps) == 67
    assert max(gaps.values()) < LARGEST
