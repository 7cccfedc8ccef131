"""Files of a register: each is read once, as what it is, and every record and type for sure."""

import csv
import os
import random
import re
import sys
from collections import Counter
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import intlmodels as im
from intlmodels.core.errors import StudyError
from intlmodels.register import cells as counting
from intlmodels.register import csv as csvrecords
from intlmodels.register.counts import reduced
from intlmodels.register.files import connected, find, sources
from registers import write_register

STUDY = """\
[study]
name = "lake"
title = "A made-up register"
model = "share"

[register]
files = "rows/*.csv"

[outcome]
column = "share"
unit = "percent"
rounding_width = 5

[predictors.branch]
kind = "category"
column = "branch"
"""
ROWS = [("5", "Boats"), ("10", "Tools"), ("15", "Toys")]
SAME = {(5.0, "Boats"): 1, (10.0, "Tools"): 1, (15.0, "Toys"): 1}


def lake(folder, files="rows", **edits):
    return write_register(folder, STUDY, files=files, **edits)


def cells(study):
    key = zip(study.outcome.printed.tolist(), study.predictors["branch"].printed, strict=True)
    return dict(zip(key, study.rows.tolist(), strict=True))


def put_csv(path, rows=ROWS):
    path.write_text("".join(f"{a},{b}\n" for a, b in [("share", "branch"), *rows]), "utf-8")


def put_parquet(path, rows=ROWS, **columns):
    """Rows, or columns of other types."""
    shares, labels = zip(*rows, strict=True)
    made = {"share": pa.array([int(share) for share in shares]), "branch": pa.array(labels)}
    pq.write_table(pa.table({**made, **columns}), path)


WRITERS = {"csv": put_csv, "parquet": put_parquet}


def refused(folder, match, out=None):
    with pytest.raises(StudyError, match=match) as caught:
        im.reduce(folder, out)
    assert "\n" not in str(caught.value)


# -- which files -------------------------------------------------------------------------

NAMES = ("a*", "a?[b]", "{a,b}", "a", "ab", "aab", "b", "it's", "100%", "%2A", "a\\b", "\\*", "~")
NAMES += (
    "-a",
    "é日本",
    "**",
    "[!a]",
    "[a-c]",
    "]",
    "a b",
    "a\nb",
    "$HOME",
    "s3:x",
    'say "q"',
    "[]]",
)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_name_is_never_a_pattern(tmp_path, monkeypatch, kind):
    folder = lake(tmp_path / "study [a*]")
    for name in NAMES:
        WRITERS[kind](folder / "rows" / f"{name}.{kind}")
    assert cells(im.reduce(folder)) == dict.fromkeys(SAME, len(NAMES))
    register = im.load_study(folder)
    found = find(register)
    with connected(register) as connection:
        parts = list(counting.parts(sources(register, found, connection), found, connection))
    monkeypatch.setattr(counting, "threads_here", lambda: 1)  # as if it were a worker
    counted = [counting.count_part(register, part, 100) for part in parts]
    assert sum(part.total for part in counted) == 3 * len(NAMES)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_with_several_names_is_read_once(tmp_path, kind):
    folder = lake(tmp_path)
    path = folder / "rows" / f"a.{kind}"
    WRITERS[kind](path)
    (folder / "rows" / f"b.{kind}").symlink_to(path)
    (folder / "rows" / f"c.{kind}").hardlink_to(path)
    (folder / "rows" / "loop").symlink_to(folder / "rows")
    deep = tmp_path / "deep"
    deep.mkdir()
    WRITERS[kind](deep / f"d.{kind}")
    (folder / "rows" / "linked").symlink_to(deep)
    study = im.reduce(folder)
    assert (study.read.files, cells(study)) == (2, dict.fromkeys(SAME, 2))
    assert cells(im.reduce(lake(tmp_path, f"rows/*.{kind}"))) == SAME


@pytest.mark.parametrize("kind", WRITERS)
def test_a_folder_with_an_equals_sign_makes_no_column(tmp_path, kind):
    """Nor does one above the study."""
    folder = lake(tmp_path / "share=20" / "branch=Z")
    for name in ("share=90", "branch=X"):
        (folder / "rows" / name).mkdir()
        WRITERS[kind](folder / "rows" / name / f"a.{kind}")
    assert cells(im.reduce(folder)) == dict.fromkeys(SAME, 2)


@pytest.mark.skipif(sys.platform == "win32", reason="no such files there")
def test_what_is_no_ordinary_file_is_refused(tmp_path):
    folder = lake(tmp_path, "rows/*.csv")
    put_csv(folder / "rows" / "a.csv")
    other = folder / "rows" / "b.csv"
    os.mkfifo(other)
    refused(folder, r"rows/b.csv: expected an ordinary file, but this is a pipe")
    other.unlink()
    other.symlink_to("/dev/zero")
    refused(lake(tmp_path, "rows/b.csv"), r"'rows/b.csv' is a link that leads out of the study")
    other.unlink()
    other.symlink_to("nowhere.csv")
    for files in ("rows", "rows/*.csv", "rows/b.csv"):
        refused(lake(tmp_path, files), r"rows/b.csv: file cannot be read \(a link to nothing\)")
    other.unlink()
    other.mkdir()
    refused(lake(tmp_path, "rows/*.csv"), r"rows/b.csv: expected an ordinary file.*a folder")
    assert cells(im.reduce(lake(tmp_path, "rows"))) == SAME  # one of its folders


# -- records of CSV ----------------------------------------------------------------------

RECORDS = {
    "cell too many": ("5,A,", "expected as many cells as in the header: 2, not 3"),
    "decimal comma": ("5,5,A", "expected as many cells as in the header: 2, not 3"),
    "cell too few": ("5", "expected as many cells as in the header: 2, not 1"),
    "blank": ("", "the row is blank"),
    "text after a quote": ('5,"A"x', "expected quotes in pairs"),
    "blank after a quote": ('5,"A" ', "expected quotes in pairs"),
    "blank before a quote": ('5, "A"', "expected quotes in pairs"),
    "quote inside": ('5,5" lens', "expected quotes in pairs"),
    "NUL": ("5,A\0", "without NUL"),
    "not UTF-8": (b"5,\xe9", "expected text in UTF-8"),
    "too long": ("5," + "A" * 1_000_001, "at most 1,000,000 bytes"),
}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_record_that_readers_take_differently_is_a_bad_row(tmp_path, name, end):
    record, why = RECORDS[name]
    record = record if isinstance(record, bytes) else record.encode()
    lines = [b"share,branch", b'5,"Bo', b'ats"', b"10,Tools", record, b"15,Toys", b"7,Toys", b"5,B"]
    folder = lake(tmp_path)
    (folder / "rows" / "a.csv").write_bytes(end.encode().join(lines))
    refused(folder, rf"rows/a.csv, row 4: found .*{re.escape(why)}.*2 of 6 rows.*row 6")
    study = im.reduce(lake(tmp_path, bad_rows="set aside"), tmp_path / "out")
    assert cells(study) == {
        (5.0, "B"): 1,
        (5.0, "Bo ats"): 1,
        (10.0, "Tools"): 1,
        (15.0, "Toys"): 1,
    }
    assert (study.read.rows, study.read.bad) == (6, 2)
    limit = csv.field_size_limit(2_000_000)
    with (tmp_path / "out" / "set_aside.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert [(row[0], row[1]) for row in rows] == [("rows/a.csv", "4"), ("rows/a.csv", "6")]
    assert rows[0][4] == record.decode(errors="replace")
    csv.field_size_limit(limit)


@pytest.mark.parametrize("text", ['5,"A\n10,B\n', '5,"A\n10,"B"\n', '5,"A\nB" x\n'])
def test_a_quote_that_hides_where_rows_begin_is_refused(tmp_path, text):
    folder = lake(tmp_path, bad_rows="set aside")
    (folder / "rows" / "a.csv").write_text(f"share,branch\n5,A\n10,B\n{text}15,C\n", "utf-8")
    refused(folder, r"rows/a.csv, row 4: found .*it is unclear where the next row begins", tmp_path)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r", "\n\n\r\n \n,\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_line_ends_and_blank_ends_do_not_matter(tmp_path, start, end):
    folder = lake(tmp_path)
    text = f'{start}"share",branch\r\n5,Boats\r10,"Tools"\n15,Toys{end}'
    (folder / "rows" / "a.csv").write_bytes(text.encode())
    study = im.reduce(folder)
    assert (cells(study), study.read.rows) == (SAME, 3)


def test_headers_that_are_none_are_told(tmp_path):
    folder = lake(tmp_path)
    for text, match in (
        (b"", "file is empty"),
        (b"\xef\xbb\xbf", "file is empty"),
        (b"\nshare,branch\n", "row 1: the row is blank"),
        ("share,branch\n".encode("utf-16"), "row 1: expected text in UTF-8"),
        (b"share,branch", "no row has a share"),
        (b'share,"bra\n', "row 1: "),
    ):
        (folder / "rows" / "a.csv").write_bytes(text)
        refused(folder, match)


CELL = r'(?:[^",\r\n\0]*|"(?:[^"\0]|"")*")'
RECORD = re.compile(rf"({CELL}(?:,{CELL})*)(?:\r\n|\r|\n|\Z)")
LINE = re.compile(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)")


def plainly(text):
    """Each record that follows RFC 4180 as cells, and None for each line that is in none."""
    at = 0
    while at < len(text):
        record = RECORD.match(text, at)
        at = (record or LINE.match(text, at)).end()
        yield next(csv.reader([record[1]], strict=True), [""]) if record else None


PIECES = ("A", "B", "C c", "é", '"q,r"', '"5"" lens"', '"A\nB"', '"A\r\nB"', '""', "", '"', "\0")
PIECES += ('5" x', '"A"x', 'a"b', ' "A"', "x,y", "\\", '"\\"', '"a\\""', "'", "N/A", '"A",', "7")


@pytest.mark.parametrize("seed", range(40))
def test_random_csv_is_counted_as_by_a_plain_reader_or_refused(tmp_path, monkeypatch, seed):
    draw = random.Random(seed)
    monkeypatch.setattr(csvrecords, "CHUNK", draw.choice([1, 2, 7, 64, 1 << 20]))
    monkeypatch.setattr(csvrecords, "_MOST_BAD", draw.choice([1, 3, 1000]))
    ends = draw.choice(["\n", "\r\n", "\r", ("\n", "\r\n"), ("\n", "\r\n", "\r")])
    lines = ["5,A", "10,B", "15,C c"]
    for _ in range(draw.randrange(40)):
        share = draw.choice(PIECES) if draw.random() < 0.05 else str(5 * draw.randrange(21))
        label = draw.choice(PIECES if draw.random() < 0.2 else PIECES[:4])
        lines.append(draw.choice(["", ",", f"{share},{label},"] + [f"{share},{label}"] * 60))
    folder = lake(tmp_path, bad_rows="set aside")
    text = "".join(line + draw.choice(ends) for line in ["share,branch", *lines, "5,A"])
    (folder / "rows" / "a.csv").write_bytes(text.encode())
    good, bad = Counter(), []
    for row, record in enumerate(plainly(text), start=1):
        label = " ".join(record[1].split()) if record and len(record) == 2 else ""
        if label in ("", "N/A") or not re.fullmatch(r"|N/A|share|\d*[05]", record[0]):
            bad.append(row)
        elif record[0] not in ("", "N/A", "share"):
            good[float(record[0]), label] += 1
    try:
        study = im.reduce(folder, tmp_path / "out")
    except StudyError as error:
        told = str(error)
    else:
        told = ""
    if told:  # of a quote that may go on over lines
        assert "it is unclear where the next row begins" in told
        assert any(re.search(r'(^|,)"(A"x)?($|[^"])', line) for line in lines)
        return
    assert cells(study) == good
    assert study.read.bad == len(bad)
    if bad:
        with (tmp_path / "out" / "set_aside.csv").open(encoding="utf-8", newline="") as file:
            assert [int(row[1]) for row in list(csv.reader(file))[1:]] == bad


# -- types of Parquet --------------------------------------------------------------------


def put_types(folder, *labels):
    for number, array in enumerate(labels):
        count = len(array)
        put_parquet(
            folder / "rows" / f"{number}.parquet", [("5", "x")] * count, branch=pa.array(array)
        )


def test_labels_of_different_types_are_the_same_label(tmp_path):
    folder = lake(tmp_path)
    put_types(
        folder,
        pa.array([0, 1, 2], pa.int32()),
        pa.array(["0", "1", "2"]),
        pa.array([0.0, 1.0, 2.0]),
        pa.array([-0.0, 1.0, 2.0], pa.float32()),
        pa.array([Decimal("0.00"), Decimal("1.00"), Decimal("2.00")]),
        pa.array([0, 1, 2], pa.uint64()),
        pa.array(["0", "1", "2"]).dictionary_encode(),
    )
    assert cells(im.reduce(folder)) == dict.fromkeys([(5.0, "0"), (5.0, "1"), (5.0, "2")], 7)


def test_large_ids_are_kept_apart_or_refused(tmp_path):
    folder = lake(tmp_path)
    ids = [2**53 + i for i in range(20)]
    put_types(folder, ids, pa.array([2**64 - 1, 2**64 - 2], pa.uint64()), [0.5, 1.0])
    assert len(im.reduce(folder).predictors["branch"].levels) == 24
    put_types(folder, ids, [float(i) for i in ids])
    refused(folder, r"rows/2.parquet', column 'branch'.*DOUBLE, which cannot hold this reliably")
    for worst in (float("nan"), float("-inf"), -(2.0**53)):
        folder = lake(tmp_path / str(worst))
        put_types(folder, [1.0, worst, -0.0, 1.0])  # alone: DuckDB takes bounds from statistics
        refused(folder, "DOUBLE, which cannot hold this reliably")
    put_types(folder, pa.array([1.0, 2.0**24], pa.float32()))
    refused(folder, "FLOAT, which cannot hold this reliably")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([True, False]), pa.array(["true", "no"])),
        (pa.array([True, False]), pa.array([1, 0])),
        (pa.array([0, 1], pa.date32()), pa.array([0, 1], pa.timestamp("us"))),
        (pa.array([0, 1], pa.date32()), pa.array([0, 1])),
    ],
    ids=lambda array: str(array.type),
)
def test_types_that_are_not_one_are_refused_with_both(tmp_path, one, other):
    folder = lake(tmp_path)
    put_types(folder, one, other)
    kinds = [str(duckdb.from_arrow(pa.table({"x": x})).types[0]) for x in (one, other)]
    refused(
        folder,
        rf"rows/1.parquet, column 'branch': the column has the type {kinds[1]}, and in "
        rf"rows/0.parquet it has {kinds[0]}",
    )


@pytest.mark.parametrize(
    "array",
    [
        pa.array([0, 1], pa.timestamp("us", tz="Europe/Berlin")),
        pa.array([0, 1], pa.time64("us")),
        pa.array([b"a", b"\xff"]),
        pa.array([[1], [2]]),
        pa.array([{"a": 1}, {"a": 2}]),
    ],
    ids=lambda array: str(array.type),
)
def test_types_without_a_sure_text_are_refused(tmp_path, array):
    folder = lake(tmp_path)
    put_types(folder, array)
    refused(folder, r"rows/0.parquet, column 'branch': found '.*'; expected text, numbers, BOOLEAN")


def test_shares_of_every_type_of_number_are_read_and_others_refused(tmp_path):
    folder = lake(tmp_path)
    path = folder / "rows" / "a.parquet"
    for share in (
        pa.array([5, 10, 15], pa.float32()),
        pa.array([5, 10, 15], pa.uint8()),
        pa.array([Decimal("5.0"), Decimal("10.0"), Decimal("15.0")]),
        pa.array(["5", " 10", "15.0"]),
    ):
        put_parquet(path, share=share)
        assert cells(im.reduce(folder)) == SAME
    for wrong in (float("nan"), float("inf")):
        put_parquet(path, share=pa.array([5.0, wrong, 15.0]))
        refused(folder, f"rows/a.parquet, row 2, column 'share': found '{wrong}'; expected a num")
    put_parquet(path, share=pa.array([True, False, True]))
    refused(folder, "row 1, column 'share': found 'true'; expected a number")
    put_parquet(path, [*ROWS, ("5", "Toys")], share=pa.array([5.0, None, 15.0, 20.0]))
    assert im.reduce(folder).read.without == 1


# -- what is written ---------------------------------------------------------------------


def test_labels_that_are_formulas_are_written_as_text_and_read_back(tmp_path):
    labels = ['=HYPERLINK("http://x")', "+1", "-1", "@a", "'=a", "''+a", "'a", "plain"]
    folder = lake(tmp_path, bad_rows="set aside")
    rows = [["share", "branch"], *(["5", label] for label in labels), ["-5", "=A1"], ["=B2"]]
    with (folder / "rows" / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    first, again = (im.reduce(folder, tmp_path / "out") for _ in range(2))
    assert cells(first) == cells(again) == {(5.0, label): 1 for label in labels}
    for name in ("cells.csv", "set_aside.csv"):
        with (tmp_path / "out" / name).open(encoding="utf-8", newline="") as file:
            written = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in written if cell.startswith(("=", "+", "-", "@"))]
    assert {"'-5", "'=A1", "'=B2"} <= set(written)


def test_stored_counts_that_were_changed_are_counted_again(tmp_path):
    folder, out = lake(tmp_path), tmp_path / "out"
    put_csv(folder / "rows" / "a.csv", [*ROWS, ("", "Toys")])
    first = im.reduce(folder, out)
    record = (out / "cells.json").read_text(encoding="utf-8")
    for text in (record.replace('"rows": 4', '"rows": 5'), "[" * 200_000, "[1]", "null"):
        assert text != record
        (out / "cells.json").write_text(text, encoding="utf-8")
        assert im.reduce(folder, out).read == first.read
        assert (out / "cells.json").read_text(encoding="utf-8") == record
    content = (out / "cells.csv").read_bytes()
    (out / "cells.csv").write_bytes(content.replace(b"Boats,1", b"Boats,9"))
    told = []
    assert cells(reduced(im.load_study(folder), out, tell=told.append)) == SAME
    assert "cells.csv was changed after it was written" in told[0]
    assert (out / "cells.csv").read_bytes() == content
