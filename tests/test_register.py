"""Reading a register: the same cells as by counting rows one by one, and every bad row told."""

import csv
import json
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import intlmodels as im
from intlmodels.core.errors import StudyError
from intlmodels.register import cells as counting_cells
from intlmodels.studies import Register, describe
from registers import (
    AGES,
    BRANCHES,
    HEADER,
    SIZES,
    STUDY,
    some_rows,
    write_csv,
    write_parquet,
    write_register,
)

WRITERS = {"csv": write_csv, "parquet": write_parquet}


def cells_of(study):
    """(share, branch, size, age) -> rows."""
    parts = [study.predictors[name].printed for name in ("branch", "size", "age")]
    keys = zip(study.outcome.printed.tolist(), *parts, strict=True)
    return dict(zip(keys, study.rows.tolist(), strict=True))


def counted(rows):
    """The same by hand."""
    return dict(Counter((float(share), *rest) for share, *rest in rows))


ROW = st.tuples(
    st.integers(0, 20).map(lambda k: str(5 * k)),
    st.sampled_from(BRANCHES),
    st.sampled_from(SIZES),
    st.sampled_from(AGES),
)
#: One row of each level, so that every predictor differs.
LEAST = [("0", "Boats", "small", "1"), ("5", "Tools", "large", "2.5"), ("5", "Toys", "large", "10")]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(ROW, max_size=40), cut=st.integers(0, 40), kind=st.sampled_from([*WRITERS]))
def test_cells_are_the_rows_counted(tmp_path, rows, cut, kind):
    rows = [*LEAST, *rows]
    folder = write_register(tmp_path, files=f"rows/*.{kind}")
    for path in (folder / "rows").iterdir():
        path.unlink()
    for name, part in (("a", rows[:cut]), ("b", rows[cut:])):
        WRITERS[kind](folder / "rows" / f"{name}.{kind}", part)
    study = im.reduce(folder)
    assert cells_of(study) == counted(rows)
    assert study.read.rows == len(rows)
    ages = np.array([float(row[3]) for row in rows])
    assert study.predictors["age"].center == pytest.approx(ages.mean(), rel=1e-14)
    assert study.predictors["age"].scale == pytest.approx(ages.std(ddof=1), rel=1e-14)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_a_glob_and_a_folder_give_the_same(tmp_path, kind):
    rows = some_rows()
    folder = write_register(tmp_path)
    deep = folder / "rows" / "year=2001"
    deep.mkdir()
    WRITERS[kind](deep / f"all.{kind}", rows)
    (folder / "rows" / "_SUCCESS").touch()
    (folder / "rows" / f"_part.{kind}").touch()
    for files in (
        f"rows/year=2001/all.{kind}",
        f"rows/*/*.{kind}",
        f"rows/**/a*.{kind}",
        "rows",
        str(folder / "rows"),
    ):
        write_register(folder, files=files)
        assert cells_of(im.reduce(folder)) == counted(rows), files


def test_columns_are_found_by_name_in_every_file(tmp_path):
    rows = some_rows()
    for kind, write in WRITERS.items():
        folder = write_register(tmp_path / kind, files=f"rows/*.{kind}")
        write(folder / "rows" / f"a.{kind}", rows[:30])
        turned = [(age, "x", size, share, branch) for share, branch, size, age in rows[30:]]
        header = ("age", "other", "size", "share", "branch")
        more = {} if kind == "csv" else {"types": ("INTEGER", "VARCHAR", *("VARCHAR",) * 3)}
        if kind == "parquet":  # whole ages as integers beside the doubles of the first file
            turned = [row for row in turned if row[0] != "2.5"]
        write(folder / "rows" / f"b.{kind}", turned, header, **more)
        kept = [*rows[:30], *((r[3], r[4], r[2], r[0]) for r in turned)]
        assert cells_of(im.reduce(folder)) == counted(kept)


def test_numbers_of_half_precision_are_those_printed(tmp_path):
    toml = STUDY.replace("rounding_width = 5", "rounding_width = 0.1")
    folder = write_register(tmp_path, toml, files="rows/a.parquet")
    rows = [("12.2", "Boats", "small", "1"), ("0.1", "Tools", "large", "2")] * 3
    rows.append(("99.9", "Toys", "large", "3"))
    write_parquet(
        folder / "rows" / "a.parquet", rows, types=("FLOAT", *("VARCHAR",) * 2, "TINYINT")
    )
    assert {key[0] for key in cells_of(im.reduce(folder))} == {12.2, 0.1, 99.9}


def test_labels_are_cleaned_and_cells_that_become_one_are_added(tmp_path):
    folder = write_register(tmp_path, files="rows/a.csv")
    rows = [*LEAST, ("5.0", "  Toys", "large ", "10.0"), (" 5", "Toys", "large", "1e1")]
    write_csv(folder / "rows" / "a.csv", rows)
    assert cells_of(im.reduce(folder))[5.0, "Toys", "large", "10"] == 3


def test_csv_with_quotes_line_breaks_marks_and_windows_line_ends(tmp_path):
    folder = write_register(tmp_path, files="rows/a.csv")
    text = '\ufeffshare,branch,size,age\r\n5,"Toys, ""big""",small,1\r\n'
    text += '10,"Two\r\nlines",large,2\r\n10,O\'Neil,large,2\r\n'
    (folder / "rows" / "a.csv").write_bytes(text.encode())
    assert im.reduce(folder).predictors["branch"].levels == ("O'Neil", 'Toys, "big"', "Two lines")


@pytest.mark.parametrize("kind", WRITERS)
def test_rows_without_a_share_are_left_out_and_told(tmp_path, kind):
    folder = write_register(tmp_path, files="rows")
    gone = ("", "Boats", "small", "1") if kind == "csv" else (None, "Boats", "small", "1")
    WRITERS[kind](folder / "rows" / f"a.{kind}", [*LEAST, gone, gone])
    study = im.reduce(folder)
    assert (study.read.rows, study.read.without, study.rows.sum()) == (5, 2, 3)
    assert "2 rows without a share" in describe(study)


# -- rows that cannot be read ------------------------------------------------------------

BAD = {
    3: (("7", "Boats", "small", "1"), "expected a multiple of the rounding width 5: 5 or 10"),
    8: (("abc", "Boats", "small", "1"), "found 'abc'; expected a number"),
    20: (("105", "Boats", "small", "1"), "expected a share from 0 to 100"),
    33: (("5", "", "small", "1"), "expected a label"),
    41: (("5", "Boats", "medium", "1"), "expected 'small' (low) or 'large' (high)"),
    47: (("5", "Boats", "small", "NA"), "a register has no missing values"),
}


def with_bad(kind):
    """Sixty rows of two files, some bad; and the good ones."""
    rows = some_rows()
    good = [row for i, row in enumerate(rows) if i not in BAD]
    for i, (row, _) in BAD.items():
        rows[i] = row
    return rows, good


def write_bad(tmp_path, kind, **edits):
    rows, good = with_bad(kind)
    folder = write_register(tmp_path, files=f"rows/*.{kind}", **edits)
    more = {} if kind == "csv" else {"types": ("VARCHAR",) * 4}
    WRITERS[kind](folder / "rows" / f"a.{kind}", rows[:30], **more)
    WRITERS[kind](folder / "rows" / f"b.{kind}", rows[30:], **more)
    return folder, good


@pytest.mark.parametrize("kind", WRITERS)
def test_bad_rows_stop_and_the_first_are_named(tmp_path, kind):
    folder, _ = write_bad(tmp_path, kind)
    out = tmp_path / "out"
    with pytest.raises(StudyError) as caught:
        im.reduce(folder, out)
    first = 3 + (2 if kind == "csv" else 1)
    said = str(caught.value)
    assert said.startswith(f"rows/a.{kind}, row {first}, column 'share': found '7'")
    assert "6 of 60 rows cannot be read" in said
    assert f"rows/b.{kind} row {33 - 30 + (2 if kind == 'csv' else 1)}" in said
    assert "and 1 more" in said
    assert 'bad_rows = "set aside"' in said
    assert not list(out.iterdir())


@pytest.mark.parametrize("kind", WRITERS)
def test_bad_rows_are_set_aside_each_with_file_and_row(tmp_path, kind):
    folder, good = write_bad(tmp_path, kind, bad_rows="set aside")
    out = tmp_path / "out"
    study = im.reduce(folder, out)
    assert cells_of(study) == counted(good)
    assert (study.read.rows, study.read.bad) == (60, 6)
    with (out / "set_aside.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "row", *HEADER, "broken record", "why"]
    off = 2 if kind == "csv" else 1
    for found, (i, (row, why)) in zip(rows[1:], BAD.items(), strict=True):
        place = (f"rows/a.{kind}", i + off) if i < 30 else (f"rows/b.{kind}", i - 30 + off)
        assert (found[0], int(found[1])) == place
        assert tuple(found[2:6]) == row
        assert why in found[7]
    # Kept: the second time the files are not read.
    assert cells_of(im.reduce(folder, out)) == counted(good)


def test_broken_records_of_csv_are_bad_rows_too(tmp_path):
    folder = write_register(tmp_path, files="rows/a.csv")
    lines = ["share,branch,size,age", *(",".join(row) for row in LEAST)]
    lines += ["5,Boats,small", "9,Boats,small,1", "5,Boats,small,1,more", '5,"A\nB",small,x']
    lines += ["15,Toys,large,10"]
    (folder / "rows" / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(StudyError, match=r"row 5: found '5,Boats,small'; expected as many cells"):
        im.reduce(folder)
    write_register(folder, files="rows/a.csv", bad_rows="set aside")
    study = im.reduce(folder, tmp_path / "out")
    assert (study.read.rows, study.read.bad) == (8, 4)
    with (tmp_path / "out" / "set_aside.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert [int(row[1]) for row in rows] == [5, 6, 7, 8]
    assert [row[6] for row in rows] == ["5,Boats,small", "", "5,Boats,small,1,more", ""]


def test_many_bad_rows_of_a_long_file_keep_their_numbers(tmp_path):
    folder = write_register(tmp_path, files="rows/a.csv", bad_rows="set aside")
    rows = some_rows(100_000)
    wrong = sorted(np.random.default_rng(2).choice(100_000, 300, replace=False).tolist())
    lines = [",".join(row) for row in rows]
    for i in wrong:
        lines[i] = f"{i},Boats,small,1" if i % 2 else f"{i},Boats"
    text = "\n".join(["share,branch,size,age", *lines]) + "\n"
    (folder / "rows" / "a.csv").write_text(text, encoding="utf-8")
    good = {i for i in wrong if i % 10 == 5 and i <= 100}
    study = im.reduce(folder, tmp_path / "out")
    with (tmp_path / "out" / "set_aside.csv").open(encoding="utf-8", newline="") as file:
        found = [int(row[1]) - 2 for row in list(csv.reader(file))[1:]]
    assert found == [i for i in wrong if i not in good]
    assert study.read.bad == len(found)


def test_files_of_other_types_are_the_same_the_second_time(tmp_path):
    folder = write_register(tmp_path, files="rows", bad_rows="set aside")
    whole, real = ((kind, "VARCHAR", "VARCHAR", kind) for kind in ("INTEGER", "DOUBLE"))
    write_parquet(folder / "rows" / "a.parquet", [*LEAST[::2], (7, *LEAST[0][1:])], types=whole)
    write_parquet(folder / "rows" / "b.parquet", [*LEAST, (8.5, *LEAST[1][1:])], types=real)
    assert im.reduce(folder, tmp_path / "out").read.bad == 2
    assert "rows/a.parquet,3,7,Boats,small,1," in (tmp_path / "out/set_aside.csv").read_text()


def test_setting_aside_needs_a_folder(tmp_path):
    folder, _ = write_bad(tmp_path, "csv", bad_rows="set aside")
    with pytest.raises(StudyError, match="expected a folder for them"):
        im.reduce(folder)


def test_what_was_set_aside_goes_when_it_is_mended(tmp_path):
    folder = write_register(tmp_path, files="rows/a.csv", bad_rows="set aside")
    path, out = folder / "rows" / "a.csv", tmp_path / "out"
    write_csv(path, [*LEAST, ("x", "Toys", "small", "1")])
    im.reduce(folder, out)
    assert (out / "set_aside.csv").exists()
    write_csv(path, LEAST)
    im.reduce(folder, out)
    assert not (out / "set_aside.csv").exists()
    # What cannot be a study leaves nothing behind.
    other = tmp_path / "other"
    write_csv(path, [LEAST[0]] * 4 + [("x", "Toys", "small", "1")])
    with pytest.raises(StudyError, match="every row has this value"):
        im.reduce(folder, other)
    assert not list(other.iterdir())


# -- what is kept ------------------------------------------------------------------------


def test_counts_are_kept_until_files_or_study_change(tmp_path, monkeypatch):
    folder = write_register(tmp_path, files="rows/a.csv")
    path = folder / "rows" / "a.csv"
    write_csv(path, some_rows())
    out = tmp_path / "out"
    first = im.reduce(folder, out)
    calls = []

    def counting(*arguments):
        calls.append(1)
        return read(*arguments)

    read = counting_cells.count_cells
    monkeypatch.setattr("intlmodels.register.counts.count_cells", counting)
    kept = im.reduce(folder, out)
    assert not calls
    assert cells_of(kept) == cells_of(first)
    assert kept.read == first.read
    assert kept.predictors["age"].center == first.predictors["age"].center
    im.reduce(folder, out, again=True)
    assert len(calls) == 1
    os.utime(path, ns=(1, 1))
    im.reduce(folder, out)
    assert len(calls) == 2
    toml = STUDY.replace('low = "small"\nhigh = "large"', 'low = "large"\nhigh = "small"')
    write_register(folder, toml, files="rows/a.csv")
    im.reduce(folder, out)
    assert len(calls) == 3
    (out / "cells.csv").write_text("tampered", encoding="utf-8")
    assert cells_of(im.reduce(folder, out)) == cells_of(first)
    assert len(calls) == 4


# -- mistakes ----------------------------------------------------------------------------


def refused(folder, match):
    with pytest.raises(StudyError, match=match) as caught:
        im.reduce(folder)
    assert "\n" not in str(caught.value)


def test_mistakes_in_the_files_are_told(tmp_path):
    folder = write_register(tmp_path, files="rows/*.csv")
    refused(folder, "no such file; expected CSV or Parquet")
    write_csv(folder / "rows" / "a.csv", some_rows())
    write_csv(folder / "rows" / "b.csv", [("5", "x")], ("share", "Branch"))
    refused(folder, r"rows/b.csv, column 'branch'.*did you mean 'Branch'")
    (folder / "rows" / "b.csv").write_text("share;branch\n", encoding="utf-8")
    refused(folder, "rows/b.csv, row 1.*separated by commas")
    (folder / "rows" / "b.csv").write_bytes(b"share,\xe9\n")
    refused(folder, "rows/b.csv, row 1: expected text in UTF-8")
    write_parquet(folder / "rows" / "b.parquet", some_rows())
    write_register(folder, files="rows")
    refused(folder, "all end in .csv, or all in .parquet")
    (folder / "rows" / "b.parquet").write_bytes(b"no parquet")
    write_register(folder, files="rows/b.parquet")
    refused(folder, "DuckDB cannot read the files")
    write_register(folder, files="study.toml")
    refused(folder, "not in '.toml'")


def test_mistakes_in_the_data_are_told(tmp_path):
    folder = write_register(tmp_path, files="rows/a.csv")
    path = folder / "rows" / "a.csv"
    write_csv(path, [("5", "Boats", "small", "1")] * 5)
    refused(folder, "every row has this value")
    write_csv(path, LEAST[:2])
    refused(folder, "only 2 rows have a share")
    write_csv(path, [("", "Boats", "small", "1")] * 5)
    refused(folder, "no row has a share")
    write_csv(path, [])
    refused(folder, "no row has a share")
    write_csv(path, [("7", "Boats", "small", "1")] * 5)
    write_register(folder, files="rows/a.csv", bad_rows="set aside")
    refused(folder, 'no row has a share.*5 of 5 rows cannot be read: bad_rows = "stop" names')


def test_broken_records_alone_are_found_again(tmp_path):
    folder = write_register(tmp_path / "a", files="rows/a.csv", bad_rows="set aside")
    write_csv(folder / "rows" / "a.csv", some_rows())
    with (folder / "rows" / "a.csv").open("a", encoding="utf-8") as file:
        file.write("5,Boats\n")
    assert im.reduce(folder, tmp_path / "out").read.bad == 1


def test_too_many_distinct_values_are_refused_with_their_number(tmp_path, monkeypatch):
    folder = write_register(tmp_path, files="rows/a.csv")
    rows = [(s, b, z, str(i)) for i, (s, b, z, _) in enumerate(some_rows())]
    write_csv(folder / "rows" / "a.csv", rows)
    monkeypatch.setattr(counting_cells, "MOST_CELLS", 50)
    refused(folder, r"column 'age': 60 combinations of values, at most 50.*age 60; round this")
    monkeypatch.setattr(counting_cells, "MOST_DISTINCT", 50)
    refused(folder, r"column 'age': more than 50 combinations.*round this column")


def test_mistakes_in_study_toml_are_told(tmp_path):
    def told(old, new, match):
        folder = write_register(tmp_path, STUDY.replace(old, new))
        with pytest.raises(StudyError, match=match):
            im.load_study(folder)

    told('files = "rows/*.csv"', "", "files: key is missing")
    told("[predictors.age]", '[firms]\nfile = "a"\ncolumn = "b"\n[predictors.age]', "without")
    told('column = "age"', 'column = "age"\nfile = "b.csv"', "unknown key")
    told('column = "age"', 'column = "size"', "another column")
    told('unit = "percent"', 'unit = "percent"\nfile = "x"', "unknown key")
    told('files = "rows/*.csv"', 'files = "a"\nmemory_limit = "lots"', "expected memory")
    told('files = "rows/*.csv"', 'files = "a"\nbad_rows = "drop"', "expected one of")
    told("[predictors.age]", "[predictors.rows]", "expected another name")
    told('model = "share"', 'model = "decay"', "it belongs to studies")


def test_without_duckdb_it_says_what_to_install(tmp_path, monkeypatch):
    folder = write_register(tmp_path, files="rows/a.csv")
    write_csv(folder / "rows" / "a.csv", some_rows())
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert isinstance(im.load_study(folder), Register)
    refused(folder, r"pip install 'intlmodels\[register\]'")


def test_what_asks_for_single_firms_is_refused(tmp_path):
    folder = write_register(tmp_path, files="rows/a.csv")
    write_csv(folder / "rows" / "a.csv", some_rows())
    for ask in (im.calibrate, im.compare, im.sensitivity):
        with pytest.raises(StudyError, match="does not apply to a register"):
            ask(folder, tmp_path / "out")
    with pytest.raises(StudyError, match="does not apply to a register"):
        im.audit_tables(folder)
    with pytest.raises(StudyError, match="nothing to reduce"):
        im.reduce("rochester")
    assert not Path(tmp_path / "out").exists()


def test_a_record_of_counts_that_was_changed_counts_as_none(tmp_path):
    folder, out = write_register(tmp_path / "a", files="rows/a.csv"), tmp_path / "out"
    write_csv(folder / "rows" / "a.csv", some_rows())
    first = im.reduce(folder, out)
    path = out / "cells.json"
    whole = path.read_text(encoding="utf-8")
    changed = json.loads(whole)
    changed["read"]["rows"] += 1
    for text in ("[]", "null", "[" * 200_000, "9" * 10_000, json.dumps(changed)):
        path.write_text(text, encoding="utf-8")
        assert im.reduce(folder, out).read == first.read
        assert path.read_text(encoding="utf-8") == whole
