"""Cells by the million: codes in place of texts, in the order that tuples would have."""

import csv
import subprocess
import sys
from collections import Counter
from dataclasses import asdict

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import intlmodels as im
from intlmodels.models.share.inferencedata import combinations
from intlmodels.register import rows as coding
from intlmodels.register.counts import cell_shape
from intlmodels.register.rows import Distinct, added, keys, together
from intlmodels.studies.register import Cells, Coded, Read
from registers import BRANCHES, STUDY, some_rows, write_csv, write_register

CODES = st.lists(st.tuples(*(st.integers(0, 3),) * 3), min_size=1, max_size=20)


# On a machine under load it takes long to make lists of tuples, which says nothing of the keys.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=CODES, most=st.sampled_from([1, 5, 2**62]))
def test_keys_have_the_order_and_equality_of_tuples(rows, most):
    columns = [np.array(column, dtype=np.int32) for column in zip(*rows, strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coding, "_MOST", most)
        key = keys([(column, 4) for column in columns])
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            assert (key[i] < key[j], key[i] == key[j]) == (one < other, one == other)
    first, sums = added(key, np.arange(1, len(rows) + 1))
    by_hand = Counter()
    for i, row in enumerate(rows, start=1):
        by_hand[row] += i
    assert {rows[i]: n for i, n in zip(first, sums.tolist(), strict=True)} == by_hand
    assert [rows[i] for i in first] == sorted(by_hand)


def test_keys_of_many_large_columns_do_not_overflow():
    large = np.array([0, 2_999_999, 2_999_999], dtype=np.int32)
    key = keys([(large, 3_000_000)] * 5)
    assert key[0] < key[1] == key[2]


TEXTS = st.sampled_from(["a", "b", "", 'c"', "d,e"])


@given(
    parts=st.lists(
        st.lists(st.tuples(TEXTS, TEXTS, st.integers(1, 5)), max_size=6), min_size=1, max_size=4
    )
)
def test_parts_put_together_are_all_rows_counted(parts):
    made = []
    for number, part in enumerate(parts):
        columns = list(zip(*part, strict=True)) or [(), (), ()]
        known = [tuple(dict.fromkeys(column)) for column in columns[:2]]
        codes = [
            np.array([texts.index(text) for text in column], dtype=np.int32)
            for texts, column in zip(known, columns, strict=False)
        ]
        rows = np.array(columns[2], dtype=np.int64)
        made.append(Distinct(tuple(known), tuple(codes), rows, number))
    whole = together(made)
    found = Counter()
    for i, n in enumerate(whole.rows.tolist()):
        found[tuple(texts[c[i]] for texts, c in zip(whole.texts, whole.codes, strict=True))] += n
    by_hand = Counter()
    for one, other, n in (row for part in parts for row in part):
        by_hand[one, other] += n
    assert found == by_hand
    assert whole.total == by_hand.total() + sum(range(len(parts)))


@settings(max_examples=30, deadline=None)
@given(
    labels=st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, unique=True),
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, unique=True),
    seed=st.integers(0, 10),
)
def test_cells_are_written_as_csv_writes_them_and_read_back(
    tmp_path_factory, labels, numbers, seed
):
    rng = np.random.default_rng(seed)
    count = 10 + 1000 * (seed == 3)  # more than are texts at a time
    printed = 5.0 * rng.integers(0, 21, count)
    columns = {
        "branch": Coded.of(labels, rng.integers(0, len(labels), count)),
        "age": Coded.of(numbers, rng.integers(0, len(numbers), count)),
    }
    cells = Cells(printed, columns, rng.integers(1, 10**12, count), Read(1, 2, 3, 4))
    toml = (
        STUDY.partition("[predictors.size]")[0] + STUDY.partition("low = ")[2].partition("\n\n")[2]
    )
    folder = tmp_path_factory.mktemp("lake")
    register = im.load_study(write_register(folder, toml))
    path = folder / "cells.csv"
    shape = cell_shape(register)
    shape.write(cells, folder)
    with (folder / "plain.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        values = [[c.levels[code] for code in c.codes] for c in columns.values()]
        values[0] = [
            f"'{x}" if x[:1] in [*"=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20"] else x for x in values[0]
        ]
        writer.writerow(["printed_pct", *columns, "rows"])
        writer.writerows(zip(printed.tolist(), *values, cells.rows.tolist(), strict=True))
    if sys.version_info >= (3, 13) or not any("\r" in label for label in labels):
        assert path.read_bytes() == (folder / "plain.csv").read_bytes()
    again = shape.load(folder, asdict(cells.read))
    np.testing.assert_array_equal(again.printed, cells.printed)
    np.testing.assert_array_equal(again.rows, cells.rows)
    for name, column in columns.items():
        assert again.columns[name].levels == column.levels
        np.testing.assert_array_equal(again.columns[name].codes, column.codes)


CLUSTERED = STUDY.replace('[predictors.branch]\nkind = "category"\n', "[cluster]\n")


def test_clusters_are_kept_with_the_cells_and_come_first_in_combinations(tmp_path):
    folder = write_register(tmp_path, CLUSTERED, files="rows/a.csv")
    write_csv(folder / "rows" / "a.csv", some_rows())
    first, kept = (im.reduce(folder, tmp_path / "out") for _ in range(2))
    assert first.clusters.labels == kept.clusters.labels == BRANCHES
    np.testing.assert_array_equal(first.clusters.codes, kept.clusters.codes)
    shared = combinations(kept)
    assert np.all(np.diff(shared.study.clusters.codes) >= 0)
    np.testing.assert_array_equal(shared.study.clusters.codes[shared.cell], kept.clusters.codes)
    for name, predictor in kept.predictors.items():
        own = np.array(shared.study.predictors[name].printed)[shared.cell]
        assert own.tolist() == list(predictor.printed)
    rows = Counter((branch, size, f"{float(age):g}") for _, branch, size, age in some_rows())
    counted = zip(shared.study.firms, shared.study.rows.tolist(), strict=True)
    assert dict(counted) == {", ".join(key): n for key, n in rows.items()}


@pytest.mark.slow
def test_three_million_cells_are_counted_kept_and_found_again(tmp_path):
    """In a process of its own, of which the memory is known."""
    folder = write_register(tmp_path, CLUSTERED, files="rows/a.parquet", memory_limit="1GB")
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT CAST(5 * (i % 21) AS DOUBLE) AS share, 'Branch ' || (i // 21) % 14000 AS "
            "branch, CASE WHEN (i // 294000) % 2 = 0 THEN 'small' ELSE 'large' END AS size, "
            f"i // 588000 AS age FROM range(2940000) t(i)) TO '{folder / 'rows' / 'a.parquet'}'"
        )
    code = (
        "import pathlib, resource, sys, intlmodels as im\n"
        "from intlmodels.models.share.inferencedata import combinations\n"
        "for _ in range(2): study = im.reduce(sys.argv[1], sys.argv[2])\n"
        # Of this process alone: ru_maxrss begins with the size of the one that started it.
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "kilobytes = status.partition('VmHWM:')[2].split()[0]\n"
        "seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime\n"
        "print(len(study.rows), len(combinations(study).study.rows), kilobytes, seconds)"
    )
    arguments = [sys.executable, "-c", code, str(folder), str(tmp_path / "out")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    cells, combined, kilobytes, seconds = map(float, done.stdout.split())
    assert (cells, combined) == (2_940_000, 140_000)
    assert kilobytes < 1_500_000
    assert seconds < 45
