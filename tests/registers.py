"""Small made-up registers for tests, written as CSV or Parquet."""

import csv
import os
import signal
import time
from dataclasses import replace

import duckdb
import numpy as np

from intlmodels.register import cells as counting

STUDY = """\
[study]
name = "lake"
title = "A made-up register"
question = "Does it matter?"
model = "share"

[register]
files = "rows/*.csv"

[outcome]
column = "share"
label = "Share abroad"
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

[predictors.age]
kind = "numeric"
column = "age"
"""

HEADER = ("share", "branch", "size", "age")
BRANCHES, SIZES, AGES = ("Boats", "Tools", "Toys"), ("small", "large"), ("1", "2.5", "10")


def write_register(folder, toml=STUDY, **edits):
    """Write study.toml; ``files="..."`` and so on change the table [register]."""
    lines = "".join(f'{key} = "{value}"\n' for key, value in edits.items() if key != "files")
    files = edits.get("files", "rows/*.csv")
    toml = toml.replace('files = "rows/*.csv"\n', f'files = "{files}"\n{lines}')
    (folder / "rows").mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(toml, encoding="utf-8")
    return folder


def write_csv(path, rows, header=HEADER):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def write_parquet(path, rows, header=HEADER, types=None):
    """Rows of texts as Parquet, each column cast to its type."""
    types = types or ("DOUBLE", "VARCHAR", "VARCHAR", "DOUBLE")
    with duckdb.connect() as connection:
        names = [f'"{name}"' for name in header]
        connection.execute(f"CREATE TABLE t ({', '.join(f'{n} VARCHAR' for n in names)})")
        if rows:
            marks = ", ".join("?" for _ in header)
            connection.executemany(f"INSERT INTO t VALUES ({marks})", [list(r) for r in rows])
        casts = ", ".join(f"CAST({n} AS {t}) AS {n}" for n, t in zip(names, types, strict=True))
        connection.execute(f"COPY (SELECT {casts} FROM t) TO '{path}' (FORMAT parquet)")


def random_rows(rng, count):
    """Rows as texts, all of which can be read."""
    return [
        (
            str(5 * int(rng.integers(0, 21))),
            str(rng.choice(BRANCHES)),
            str(rng.choice(SIZES)),
            str(rng.choice(AGES)),
        )
        for _ in range(count)
    ]


def some_rows(count=60):
    """The same rows every time, with every level among them."""
    return random_rows(np.random.default_rng(1), count)


def write_groups(path, rows, size=2048):
    """Rows as Parquet in groups of so many (the least that DuckDB writes), all columns as text."""
    with duckdb.connect() as connection:
        columns = dict(zip(HEADER, map(np.array, zip(*rows, strict=True)), strict=True))
        parts = ", ".join(f"unnest(${name}) AS {name}" for name in columns)
        connection.execute(
            f"COPY (SELECT {parts}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {size})",
            {name: values.tolist() for name, values in columns.items()},
        )


# -- what workers of a scheduler do in tests: they find it here by its name --------------------


def count_and_linger(register, part, most):
    """Count a part; the first worker to do so keeps the result for itself until it is killed."""
    found = counting.count_part(register, part, most)
    at_work = register.folder.absolute() / "at-work"
    try:
        with at_work.open("x") as file:
            file.write(f"{os.getpid()}\n")
    except FileExistsError:
        return found
    time.sleep(60)
    raise AssertionError("expected to be killed")


def kill_who_lingers(folder):
    """Kill that worker as soon as it is there."""
    at_work = folder.absolute() / "at-work"
    while not at_work.exists() or not at_work.read_text().endswith("\n"):
        time.sleep(0.01)
    os.kill(int(at_work.read_text()), getattr(signal, "SIGKILL", signal.SIGTERM))


def count_elsewhere(register, part, most):
    """Count on a computer that has not the files."""
    elsewhere = [replace(file, path=f"/elsewhere{file.path}") for file in part.files]
    return counting.count_part(register, part.of(*elsewhere), most)


def count_other(register, part, most):
    """Count on a computer that has other files under the same path."""
    others = [replace(file, size=file.size + 1) for file in part.files]
    return counting.count_part(register, part.of(*others), most)
