"""The made-up study of :mod:`studies` with its firms in three places, and larger ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from intlmodels.studies import ShareStudy, load_study
from outcomestudies import ABROAD, OUTCOMES
from studies import STUDY, VARIANTS, csv_text, edited, write_study

#: Three firms in the north, three in the south, two in the west.
PLACES = """\
firm,place
Alder,North
Birch,South
Cedar,North
Downy,West
Elder,South
Fir,South
Gorse,West
Hazel,North
"""
CODES = np.array([0, 1, 0, 2, 1, 1, 2, 0])
NAMES = ("North", "South", "West")

CLUSTER = """
[cluster]
file = "places.csv"
column = "place"
label = "Place"
"""


def write_clusters(
    folder: Path,
    edit_toml: Iterable[tuple[str, str]] = (),
    edit_places: Iterable[tuple[str, str]] = (),
    more: str = "",
) -> Path:
    """Write the study; every old text of an edit must occur exactly once."""
    toml = STUDY + CLUSTER + VARIANTS + OUTCOMES + more
    tables = {"places.csv": edited(PLACES, edit_places), "abroad.csv": ABROAD}
    return write_study(folder, toml=edited(toml, edit_toml), tables=tables)


def clusters_study(folder: Path, **edits: object) -> ShareStudy:
    """The same, read."""
    study = load_study(write_clusters(folder, **edits))
    assert isinstance(study, ShareStudy)
    return study


#: What the firms of :func:`drawn_study` were drawn with, on the logit scale.
TRUE = {
    "intercept": -1.0,
    "owner": 0.8,
    "size": 0.3,
    "sigma_cluster": 0.7,
    "sigma_owner_by_cluster": 0.5,
    "phi": 12.0,
}


def drawn_study(folder: Path, clusters: int, firms: int, seed: int) -> tuple[ShareStudy, dict]:
    """A study drawn from known parameters, and what each cluster was drawn to deviate by."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0, TRUE["sigma_cluster"], clusters)
    owner = rng.normal(0, TRUE["sigma_owner_by_cluster"], clusters)
    rows = [("firm", "valley", "share", "owner", "staff")]
    for number in range(clusters * firms):
        cluster = number % clusters
        foreign, size = rng.integers(2), rng.normal()
        linear = TRUE["intercept"] + level[cluster] + TRUE["size"] * size
        linear += (TRUE["owner"] + owner[cluster]) * (foreign - 0.5)
        mean = 1 / (1 + np.exp(-linear))
        share = rng.beta(mean * TRUE["phi"], (1 - mean) * TRUE["phi"])
        kind = ("Local", "Foreign")[foreign]
        printed = f"{5 * round(20 * share):g}"
        rows.append((f"F{number}", f"V{cluster:02d}", printed, kind, f"{size:.6f}"))
    toml = """\
[study]
name = "drawn"
title = "Drawn"
model = "share"
[firms]
file = "firms.csv"
column = "firm"
[cluster]
column = "valley"
[outcome]
column = "share"
unit = "percent"
rounding_width = 5
[predictors.owner]
kind = "contrast"
column = "owner"
low = "Local"
high = "Foreign"
[predictors.size]
kind = "numeric"
column = "staff"
"""
    tables = {"firms.csv": csv_text(rows), "traits.csv": None}
    study = load_study(write_study(folder, toml=toml, tables=tables))
    assert isinstance(study, ShareStudy)
    return study, {"cluster": level, "owner_by_cluster": owner}
