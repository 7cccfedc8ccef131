"""Made-up studies of counted decisions, of any size, that publish what the Norwegian one does."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

PERIODS = ("first", "second", "third")
#: The log odds of the flag: where they start, how firms differ, and what a prior entry takes off.
START, SPREAD, DECAY = 1.2, 0.7, 0.35
#: One firm in four is large, and makes this many times the decisions of another one.
LARGE = 2.0

STUDY = """\
[study]
name = "made-up-decisions"
title = "Made-up decisions"
question = "How long does it take?"
model = "decay"

[firms]
file = "firms.csv"
column = "firm"
size = "size"

[periods]
names = ["first", "second", "third"]

[counts]
file = "counts.csv"
"""
HEADER = ("id", "firms", "size", "periods", "flag", "relation", "each", "value", "status")


def draw(firms: int, decisions: int, seed: int = 1) -> tuple[list[str], Any]:
    """Sizes of the firms, and a table of decisions (firm, period, flag)."""
    rng = np.random.default_rng([seed, firms, decisions])
    sizes = ["large" if i < firms // 4 else "other" for i in range(firms)]
    chance = np.array([LARGE if size == "large" else 1.0 for size in sizes])
    firm = np.concatenate(
        [np.arange(firms), rng.choice(firms, decisions - firms, p=chance / chance.sum())]
    )
    period = rng.integers(len(PERIODS), size=decisions)
    effect = SPREAD * rng.normal(size=firms)
    table = np.zeros((firms, len(PERIODS), 2), dtype=int)
    before = np.zeros(firms, dtype=int)
    for i in np.argsort(period, kind="stable"):
        f = firm[i]
        flagged = rng.random() < expit(START + effect[f] - DECAY * before[f])
        table[f, period[i], int(flagged)] += 1
        before[f] += 1
    return sizes, table


def counts(sizes: list[str], table: Any) -> list[dict[str, str]]:
    """What is published: totals, periods, flags by period, large firms, firms with the flag."""
    rows: list[dict[str, str]] = []

    def add(name: str, value: int, status: str = "noisy", **where: str) -> None:
        rows.append(
            {"id": name, "relation": "equal", "value": str(value), "status": status} | where
        )

    add("all", table.sum(), "hard")
    for place, flag in ((1, "yes"), (0, "no")):
        add(flag, table[..., place].sum(), "hard", flag=flag)
        for i, period in enumerate(PERIODS):
            add(f"{period}-{flag}", table[:, i, place].sum(), periods=period, flag=flag)
    for i, period in enumerate(PERIODS):
        add(period, table[:, i].sum(), periods=period)
    large = table[np.array(sizes) == "large"]
    early = "; ".join(PERIODS[:2])
    for name, part, periods in (("early", large[:, :2], early), ("late", large[:, 2:], PERIODS[2])):
        add(f"large-{name}", part.sum(), size="large", periods=periods)
        add(f"large-{name}-yes", part[..., 1].sum(), size="large", periods=periods, flag="yes")
    named = "; ".join(f"F{i + 1}" for i in range(len(sizes)) if table[i, :, 1].sum())
    add("named", table[..., 1].sum(), "hard", firms=named, flag="yes")
    add("named-each", 1, "hard", firms=named, flag="yes", each="yes", relation="at least")
    return rows


def write(folder: Path, firms: int, decisions: int) -> Path:
    """Write the study; return its folder."""
    folder.mkdir(parents=True)
    sizes, table = draw(firms, decisions)
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    with (folder / "firms.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["firm", "size"])
        writer.writerows((f"F{i + 1}", size) for i, size in enumerate(sizes))
    with (folder / "counts.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, HEADER, restval="", lineterminator="\n")
        rows.writeheader()
        rows.writerows(counts(sizes, table))
    return folder
