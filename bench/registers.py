"""Made-up registers of any number of rows, as Parquet, by DuckDB: the same rows every time."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
from scipy.special import expit
from scipy.stats import beta

BRANCHES = tuple(f"branch {i + 1:02}" for i in range(12))
SIZES = ("small", "large")
#: What the rows are drawn from, logit scale, and the precision.
INTERCEPT, LARGE, PRECISION = -1.0, 0.4, 8.0
EFFECTS = np.linspace(-0.6, 0.6, len(BRANCHES))
#: Columns of the files; a printed share is a multiple of 5.
COLUMNS = ("share", "branch", "size")
GRID = tuple(range(0, 101, 5))
#: A row takes one of so many quantiles of its combination's distribution.
QUANTILES = 1000

STUDY = """\
[study]
name = "made-up-register"
title = "A made-up register"
question = "How long does it take?"
model = "share"

[register]
files = "rows.parquet"
memory_limit = "{limit}"

[outcome]
column = "share"
unit = "percent"
rounding_width = 5

[predictors.branch]
kind = "category"
column = "branch"

[predictors.size]
kind = "contrast"
column = "size"
low = "small"
high = "large"
"""
LIMIT = "2GB"


def cells() -> int:
    """Number of cells that every register has which has as many rows."""
    return len(BRANCHES) * len(SIZES) * len(GRID)


def quantiles() -> np.ndarray:
    """Printed share at each quantile of each combination of branch and size."""
    linear = INTERCEPT + EFFECTS[:, None] + LARGE * np.array([-0.5, 0.5])
    mean = expit(linear).reshape(-1, 1)
    middles = (np.arange(QUANTILES) + 0.5) / QUANTILES
    shares = beta.ppf(middles, mean * PRECISION, (1 - mean) * PRECISION)
    return (5 * np.round(20 * shares)).astype(int)


def write(folder: Path, rows: int) -> Path:
    """Write the study of a register of so many rows; return its folder.

    With as many rows as there are cells or more, the first rows are one of each cell, so that
    all sizes have the same cells; the other rows are drawn by the hash of their number.
    """
    import duckdb

    folder.mkdir(parents=True)
    (folder / "study.toml").write_text(STUDY.format(limit=LIMIT), encoding="utf-8")
    labels = list(product(BRANCHES, SIZES))
    every = [(b, s, share) for b, s in labels for share in GRID]
    fixed = len(every) if rows >= len(every) else 0
    with duckdb.connect(config={"memory_limit": LIMIT}) as connection:
        connection.execute(
            "CREATE TABLE drawn (k BIGINT, share DOUBLE, branch VARCHAR, size VARCHAR)"
        )
        table = [
            (i * QUANTILES + j, float(share), *labels[i])
            for i, of_combination in enumerate(quantiles())
            for j, share in enumerate(of_combination)
        ]
        _insert(connection, "drawn", table)
        connection.execute("CREATE TABLE fixed (share DOUBLE, branch VARCHAR, size VARCHAR)")
        if fixed:
            _insert(connection, "fixed", [(float(share), b, s) for b, s, share in every])
        connection.execute(
            f"COPY (SELECT * FROM fixed UNION ALL SELECT share, branch, size FROM "
            f"(SELECT hash(range) % {len(labels) * QUANTILES} AS k FROM range({fixed}, {rows})) "
            f"JOIN drawn USING (k)) TO '{folder / 'rows.parquet'}' (FORMAT parquet)"
        )
    return folder


def _insert(connection: object, name: str, rows: list[tuple[object, ...]]) -> None:
    import pandas as pd

    frame = pd.DataFrame(rows)
    connection.register("given", frame)  # type: ignore[attr-defined]
    connection.execute(f"INSERT INTO {name} SELECT * FROM given")  # type: ignore[attr-defined]
    connection.unregister("given")  # type: ignore[attr-defined]
