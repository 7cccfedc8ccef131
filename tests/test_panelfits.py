"""Real fits of panels: against another program, known parameters, and simulated studies."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

import intlmodels as im
from intlmodels.checks.calibration import uniform
from intlmodels.fitting.diagnostics import Gate, convergence, scalars
from registers import write_csv

pytestmark = pytest.mark.slow

REFERENCE = Path(__file__).parent / "reference"

HEAD = """\
[study]
name = "panel"
title = "A panel"
model = "share"

[rows]
file = "rows.csv"
"""

DISTRICTS = (
    HEAD
    + """\
unit = "district"
time = "year"
label = "district"

[outcome]
column = "math_pass_pct"
unit = "percent"
rounding_width = 1

[predictors.spending]
kind = "numeric"
column = "spending"
transform = "log"

[predictors.lunch]
kind = "numeric"
column = "lunch_pct"

[predictors.enrolment]
kind = "numeric"
column = "enrolment"
transform = "log"

[predictors.year]
kind = "numeric"
column = "year"
"""
)

#: What brms calls the parameters.
NAMES = {
    "intercept": "b_Intercept",
    **{name: f"b_{name}" for name in ("spending", "lunch", "enrolment", "year")},
    "sigma_firm": "sd_district__Intercept",
    "phi": "phi",
}

OWNERS = (
    HEAD
    + """\
unit = "firm"
time = "year"

[predictors.owner]
kind = "contrast"
column = "owner"
low = "home"
high = "foreign"

[interactions.owner_size]
of = ["owner", "size"]

[predictors.size]
kind = "numeric"
column = "size"
transform = "log"
"""
)

SECTORS = """\
split = "within"

[outcome]
column = "share"
unit = "percent"
rounding_width = 1

[predictors.year]
kind = "walk"
column = "year"

[groups.sector]
column = "sector"
"""

ZEROS = """\
curve = "quadratic"

[outcome]
column = "share"
unit = "percent"
rounding_width = "width"
zeros = "structural"
"""


def written(folder, toml, header, rows):
    folder.mkdir()
    (folder / "study.toml").write_text(toml, encoding="utf-8")
    write_csv(folder / "rows.csv", rows, header)
    return folder


def test_coefficients_are_those_of_brms(tmp_path):
    shutil.copy(REFERENCE / "districts.csv", tmp_path / "rows.csv")
    (tmp_path / "study.toml").write_text(DISTRICTS, encoding="utf-8")
    posterior = im.fit_study(tmp_path)["posterior"].to_dataset()
    with (REFERENCE / "panel_brms.csv").open(encoding="utf-8") as file:
        known = {row["name"]: row for row in csv.DictReader(file)}
    found = convergence(posterior)
    sizes = dict(zip(*found["ess_bulk"], strict=True))
    compared = 0
    for label, draws in scalars(posterior):
        name = NAMES.get(label, label.replace("firm[", "r_district[").replace("]", ",Intercept]"))
        if name not in known:
            continue
        compared += 1
        mean, sd, size = (float(known[name][key]) for key in ("mean", "sd", "ess"))
        error = np.hypot(sd / np.sqrt(size), draws.std() / np.sqrt(sizes[label]))
        # 67 comparisons: five standard errors are not left by chance.
        assert abs(draws.mean() - mean) < 5 * error, label
        assert abs(np.log(draws.std() / sd)) < 5 / np.sqrt(min(size, sizes[label])), label
    assert compared == len(known) == 7 + 60


def test_known_parameters_of_a_panel_are_found_again(tmp_path):
    """A predictor within and between firms, moderated, a walk over years, sectors, and firms."""
    rng = np.random.default_rng(5)
    firms, years, sectors = 300, 7, 12
    firm, year = np.repeat(np.arange(firms), years), np.tile(np.arange(years), firms)
    owner, sector = rng.integers(0, 2, firms)[firm], rng.integers(0, sectors, firms)[firm]
    size = rng.normal(4, 1.3, firms)[firm] + rng.normal(0, 0.4, len(firm))
    size = np.log(np.round(np.exp(size), 1) + 0.1)
    means = (np.bincount(firm, size) / years)[firm]
    between, within = ((own - own.mean()) / own.std(ddof=1) for own in (means, size - means))
    true = {"size_between": 0.3, "size_within": 0.15, "owner": 0.4, "phi": 12.0}
    own = {
        "firm": rng.normal(0, 0.9, firms),
        "sector": rng.normal(0, 0.4, sectors),
        "year": np.cumsum(rng.normal(0, 0.15, years)),
    }
    own["year"] -= own["year"].mean()
    linear = -1 + 0.3 * between + 0.15 * within + (0.4 + 0.2 * within) * (owner - 0.5)
    linear += own["firm"][firm] + own["sector"][sector] + own["year"][year]
    mu = 1 / (1 + np.exp(-linear))
    share = np.round(100 * rng.beta(12 * mu, 12 * (1 - mu)))
    rows = [
        (f"F{f:03d}", 2000 + t, int(y), ("home", "foreign")[o], f"sector {s}", repr(float(x)))
        for f, t, y, o, s, x in zip(firm, year, share, owner, sector, np.exp(size), strict=True)
    ]
    header = ("firm", "year", "share", "owner", "sector", "size")
    folder = written(tmp_path / "study", OWNERS + SECTORS, header, rows)
    tree = im.fit_study(folder, seed=3)
    assert Gate.from_json(tree.attrs["gate"]).passed
    draws = tree["posterior"].to_dataset()
    # Of the levels of each grouping no more can be known than how far they scatter.
    scatter = {f"sigma_{name}": own[name].std() for name in ("firm", "sector")}
    for name, value in {**true, **scatter}.items():
        values = draws[name].to_numpy().ravel()
        assert abs(values.mean() - value) < 4 * values.std(), name
    moderated = draws["owner_size"].to_numpy().reshape(-1, 2)
    assert np.all(np.abs(moderated.mean(axis=0) - [0.0, 0.2]) < 4 * moderated.std(axis=0))
    for name in ("firm", "sector", "year"):
        values = draws[name].to_numpy().reshape(-1, len(own[name]))
        values, truth = values - values.mean(axis=1, keepdims=True), own[name] - own[name].mean()
        low, high = np.quantile(values, [0.05, 0.95], axis=0)
        inside = int(((low < truth) & (truth < high)).sum())
        # Of 90 % intervals, with room for four standard deviations of a binomial count.
        count = len(truth)
        assert inside > 0.9 * count - 4 * np.sqrt(0.09 * count), name


def test_a_small_panel_is_calibrated(tmp_path):
    """Zeros, a curve, an interaction, widths that differ; without firms the ranks tell."""
    rng = np.random.default_rng(11)
    rows = [
        (
            f"Firm {f + 1:02d}",
            2001 + t,
            int(width * rng.integers(0, 100 // width + 1)),
            width,
            ("home", "foreign")[f % 2],
            f"{np.exp(3 + 0.04 * f + rng.normal(0, 0.3)):.1f}",
        )
        for f in range(40)
        for t, width in enumerate(rng.choice([1, 5, 10], 4))
    ]
    header = ("firm", "year", "share", "width", "owner", "size")
    folder = written(tmp_path / "study", OWNERS + ZEROS, header, rows)
    found = im.calibrate(folder, tmp_path / "out", 30, wrong=["no-firms"])
    assert uniform(found.calibration.value)
    (detection,) = found.wrong.value
    assert detection.name == "no-firms"
    assert detection.after is not None
