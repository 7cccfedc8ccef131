"""Made-up panels: firms in several years, with every kind of term."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

STUDY = """\
[study]
name = "growers"
title = "Made-up growers over four years"
question = "Does it matter?"
model = "share"
source = "made up for tests"

[rows]
file = "rows.csv"
unit = "grower"
time = "year"
label = "grower"

[outcome]
column = "share"
label = "Share abroad"
unit = "percent"
rounding_width = 1

[predictors.owner]
kind = "contrast"
column = "owner"
label = "Owner"
low = "Family"
high = "Fund"

[predictors.size]
kind = "numeric"
column = "size"
label = "Size"
unit = "people"
transform = "log"
curve = "quadratic"

[predictors.spending]
kind = "numeric"
column = "spending"
label = "Spending"
unit = "dollars"
split = "within"

[predictors.year]
kind = "walk"
column = "year"
label = "Year"

[interactions.owner_size]
of = ["owner", "size"]

[groups.region]
column = "region"
label = "Region"
slopes = ["owner"]

[precision]
predictors = ["owner"]
"""
YEARS, REGIONS = (2001, 2002, 2003, 2004), ("East", "North", "South", "West")


def rows(growers: int = 15, seed: int = 5) -> list[dict[str, str]]:
    """Rows of growers, each in every year."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(growers):
        size, spending = rng.lognormal(3, 1), rng.uniform(50, 150)
        for year in YEARS:
            mean = 1 / (1 + np.exp(1.2 - 0.4 * np.log(size) + 0.3 * (i % 2)))
            made.append(
                {
                    "grower": f"Grower {i + 1:02}",
                    "year": str(year),
                    "share": f"{100 * rng.beta(8 * mean, 8 * (1 - mean)):.0f}",
                    "owner": ("Family", "Fund")[i % 2],
                    "size": f"{size * rng.uniform(0.8, 1.25):.1f}",
                    "spending": f"{spending + rng.normal(0, 10):.1f}",
                    "region": REGIONS[i // 2 % 4],
                }
            )
    return made


def write_growers(
    folder: Path, toml: str = STUDY, made: list[dict[str, str]] | None = None
) -> Path:
    """Write a panel and return its folder."""
    made = made or rows()
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(made[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(made)
    (folder / "rows.csv").write_text(text.getvalue(), encoding="utf-8")
    (folder / "study.toml").write_text(toml, encoding="utf-8")
    return folder
