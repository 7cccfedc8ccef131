"""Real fits of panels: known parameters, and simulated studies."""

import numpy as np
import pytest

import intlmodels as im
from intlmodels.checks.calibration import uniform
from intlmodels.fitting.diagnostics import Gate
from registers import write_csv

pytestmark = pytest.mark.slow

HEAD = """\
[study]
name = "panel"
title = "A panel"
model = "share"

[rows]
file = "rows.csv"
"""

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
        truth = own[name] - own[name].mean()
        if name == "sector":  # labels are in the order of texts: sector 10 before sector 2
            truth = truth[np.argsort([f"sector {i}" for i in range(sectors)])]
        values = values - values.mean(axis=1, keepdims=True)
        low, high = np.quantile(values, [0.05, 0.95], axis=0)
        inside = int(((low < truth) & (truth < high)).sum())
        # Of 90% intervals, with room for four standard deviations of a binomial count.
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
