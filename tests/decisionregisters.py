"""Small made-up registers of decisions for tests, written as CSV or Parquet."""

import numpy as np

from registers import write_csv, write_parquet

STUDY = """\
[study]
name = "strait"
title = "A made-up register of decisions"
model = "decay"

[register]
files = "rows/*.csv"
firm = "firm"
flag = "flag"
when = "when"
size = "size"

[outcome]
event = "entry"
flag = "led by a peer"
"""

HEADER = ("firm", "when", "flag", "size")
TYPES = ("VARCHAR",) * 4
PERIODS = '\n[periods]\nnames = ["early", "late"]\nstarts = [2000]\n'


def write_decisions(folder, toml=STUDY, **edits):
    """Write study.toml; ``files="..."`` and so on change the table [register]."""
    lines = "".join(f'{key} = "{value}"\n' for key, value in edits.items() if key != "files")
    files = edits.get("files", "rows/*.csv")
    toml = toml.replace('files = "rows/*.csv"\n', f'files = "{files}"\n{lines}')
    (folder / "rows").mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(toml, encoding="utf-8")
    return folder


def write_rows(path, rows, header=HEADER):
    """Rows as CSV or Parquet, by the ending."""
    if path.suffix == ".csv":
        write_csv(path, rows, header)
    else:
        write_parquet(path, rows, header, ("VARCHAR",) * len(header))


def random_rows(rng, firms, *, longest=6, ties=False):
    """Decisions of firms in random order of rows: firm, date, flag, size."""
    rows = []
    for i in range(firms):
        size = "large" if rng.random() < 0.4 else "other"
        for k in range(int(rng.integers(1, longest + 1))):
            year = 1996 + int(rng.integers(0, 4)) if ties else 1990 + 3 * k + int(rng.integers(3))
            flag = "yes" if rng.random() < 0.6 - 0.08 * k else "no"
            rows.append((f"firm {i}", str(year), flag, size))
    return [rows[i] for i in rng.permutation(len(rows))]


def sequences_of(rows, starts=()):
    """Firm -> (size, ((flag, period), ...)), each in order of time; ties keep the order of rows."""
    firms = {}
    for row, (firm, when, flag, size) in enumerate(rows):
        period = sum(float(when) >= start for start in starts)
        firms.setdefault(firm, (size, []))[1].append((float(when), row, int(flag == "yes"), period))
    return {
        firm: (size, tuple((flag, period) for _, _, flag, period in sorted(made)))
        for firm, (size, made) in firms.items()
    }


def generate(path, firms, seed=1):
    """Decisions from the model itself, as Parquet; firms have from 1 to 12 decisions."""
    import duckdb

    rng = np.random.default_rng(seed)
    large = rng.random(firms) < 0.3
    length = np.minimum(rng.geometric(0.35, firms), 12)
    firm = np.repeat(np.arange(firms), length)
    k = np.arange(len(firm)) - np.repeat(np.cumsum(length) - length, length)
    effect = rng.normal(0, TRUTH["sigma_firm"], firms)
    decay = np.where(large, *TRUTH["decay"])
    odds = TRUTH["intercept"] + TRUTH["large"] * large + effect
    flag = rng.random(len(firm)) < 1 / (1 + np.exp(-(odds[firm] - decay[firm] * k)))
    order = rng.permutation(len(firm))
    columns = {"firm": firm[order], "k": k[order], "flag": flag[order], "large": large[firm][order]}
    with duckdb.connect() as connection:
        connection.register("t", {name: values.astype(int) for name, values in columns.items()})
        connection.execute(
            "COPY (SELECT firm, DATE '1990-01-01' + CAST(30 * k AS INTEGER) AS \"when\", "
            "CASE flag WHEN 1 THEN 'yes' ELSE 'no' END AS flag, "
            "CASE large WHEN 1 THEN 'large' ELSE 'other' END AS size FROM t) "
            f"TO '{path}' (FORMAT parquet)"
        )


#: What :func:`generate` is made with; decay of large firms, then of the others.
TRUTH = {"intercept": -0.4, "large": 0.5, "sigma_firm": 0.8, "decay": (0.1, 0.25)}
