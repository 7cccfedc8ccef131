"""Sheets of workbooks in place of CSV files: the same study, cells as they are displayed."""

from __future__ import annotations

import csv
import datetime
import io
import sys
import zipfile

import pytest

import intlmodels as im
from intlmodels.core.workbook import displayed, split_book
from studies import FIRMS, STUDY, TRAITS, edited, write_study

openpyxl = pytest.importorskip("openpyxl")


def sheet(book, text, title):
    """Add a CSV text as a sheet, with numbers as numbers."""
    added = book.create_sheet(title)
    for row in csv.reader(io.StringIO(text)):
        added.append([float(own) if own.replace(".", "").isdigit() else own or None for own in row])
    return added


def write_book(folder, tables, edit=()):
    """A study whose tables are sheets."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, text in tables.items():
        sheet(book, text, title)
    write_study(folder, toml=edited(STUDY, edit), tables={"firms.csv": None, "traits.csv": None})
    for name in ("firms.csv", "traits.csv"):
        (folder / name).unlink(missing_ok=True)
    book.save(folder / "book.xlsx")
    return folder


PLACES = [
    ('[firms]\nfile = "firms.csv"', '[firms]\nfile = "book.xlsx"'),
    ('[outcome]\nfile = "firms.csv"', '[outcome]\nfile = "book.xlsx"'),
    ('file = "traits.csv"\ncolumn = "ease"', 'file = "book.xlsx: Traits"\ncolumn = "ease"'),
    ('file = "traits.csv"\ncolumn = "skill"', 'file = "book.xlsx: Traits"\ncolumn = "skill"'),
]


def same_data(one, other):
    assert one.firms == other.firms
    assert one.outcome.printed.tolist() == other.outcome.printed.tolist()
    for name, own in one.predictors.items():
        assert own.printed == other.predictors[name].printed
        assert own.levels == other.predictors[name].levels


def test_sheets_are_read_like_csv_files(tmp_path):
    folder = write_book(tmp_path / "book", {"Firms": FIRMS, "Traits": TRAITS}, PLACES)
    study = im.load_study(folder)
    same_data(study, im.load_study(write_study(tmp_path / "csv", toml=STUDY)))
    saved = study.save(tmp_path / "saved")
    names = sorted(path.name for path in saved.iterdir())
    assert names == ["book-Traits.csv", "book.csv", "study.toml"]
    same_data(study, im.load_study(saved))


def test_crosschecks_name_sheets_and_columns(tmp_path):
    columns = '["book.xlsx: firm", "book.xlsx: Traits: firm"]'
    check = f'[crosschecks.same]\nkind = "same"\ncolumns = {columns}'
    folder = write_book(tmp_path / "book", {"Firms": FIRMS, "Traits": TRAITS}, PLACES)
    (folder / "study.toml").write_text((folder / "study.toml").read_text() + check)
    study = im.load_study(folder)
    (found,) = study.crosschecks
    assert found.places == ("book.xlsx: firm", "book.xlsx: Traits: firm")
    (again,) = im.load_study(study.save(tmp_path / "saved")).crosschecks
    assert again.places == ("book.csv: firm", "book-Traits.csv: firm")


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (12.3, "0.00", "12.30"),
        (12.345, "0.0", "12.3"),
        (0.125, "0.00", "0.13"),
        (2.5, "0", "3"),
        (-2.5, "0", "-3"),
        (-0.001, "0.00", "0.00"),
        (12, "0.0", "12.0"),
        (1234567.891, "#,##0.00", "1234567.89"),
        (0.123, "0%", "12"),
        (0.123, "0.0%", "12.3"),
        (0.29, "0%", "29"),
        (1.5, "0.0##", "1.5"),
        (1.0, "0.##", "1"),
        (7.5, '"$"#,##0.00', "7.50"),
        (7.5, "#,##0.00 [$€-407];[Red]-#,##0.00", "7.50"),
        (5, "General", "5"),
        (5.0, "General", "5"),
        (0.1 + 0.2, "General", "0.3"),
        (1e-7, "General", "1e-07"),
        (12.5, "0.00E+00", "12.5"),
        (12.5, "@", "12.5"),
        (1 / 3, "# ?/?", "0.333333333333333"),
    ],
)
def test_numbers_are_read_as_they_are_displayed(value, form, text):
    assert displayed(value, form) == text


def test_printed_decimals_come_from_number_formats(tmp_path):
    folder = write_book(tmp_path, {"Firms": FIRMS, "Traits": TRAITS}, PLACES)
    book = openpyxl.load_workbook(folder / "book.xlsx")
    for row, form in zip(range(2, 10), ["0.0"] * 4 + ["0.00"] * 4, strict=True):
        book["Firms"].cell(row, 2).number_format = form
    book.save(folder / "book.xlsx")
    toml = (folder / "study.toml").read_text()
    toml = toml.replace("rounding_width = 5", 'rounding_width = "printed"')
    (folder / "study.toml").write_text(toml)
    widths = im.load_study(folder).outcome.widths.round(9).tolist()
    assert widths == [0.1] * 4 + [0.01] * 4


def test_dates_and_truth_are_text(tmp_path):
    folder = write_book(tmp_path, {"Firms": FIRMS, "Traits": TRAITS}, PLACES)
    book = openpyxl.load_workbook(folder / "book.xlsx")
    for row in range(2, 10):
        book["Firms"].cell(row, 4).value = datetime.datetime(2001, 2, row)
        book["Traits"].cell(row, 3).value = row > 4
    book.save(folder / "book.xlsx")
    study = im.load_study(folder)
    assert study.predictors["branch"].levels[:2] == ("2001-02-02", "2001-02-03")
    assert study.predictors["skill"].levels == ("FALSE", "TRUE")


def failing(folder, said, toml=()):
    text = edited((folder / "study.toml").read_text(), toml)
    (folder / "study.toml").write_text(text)
    with pytest.raises(im.StudyError) as error:
        im.load_study(folder)
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_errors_name_sheet_and_row(tmp_path):
    folder = write_book(tmp_path / "a", {"Firms": FIRMS, "Traits": TRAITS}, PLACES)
    book = openpyxl.load_workbook(folder / "book.xlsx")
    book["Traits"].cell(4, 2).value = "Heard"
    book.save(folder / "book.xlsx")
    failing(folder, "book.xlsx: Traits, row 4, column 'ease': found 'Heard'")
    book["Traits"].cell(4, 2).value = "=B3"
    book.save(folder / "book.xlsx")
    failing(folder, "book.xlsx: Traits, row 4: found '=B3'; a formula whose value is not stored")
    places = [('"book.xlsx: Traits"\ncolumn = "ease"', '"book.xlsx: Trait"\ncolumn = "ease"')]
    failing(folder, "no such sheet (did you mean 'Traits'?)", places)
    (folder / "book.xlsx").write_bytes(b"PK\x03\x04 and no more")
    failing(folder, "not a workbook")
    (folder / "book.xlsx").unlink()
    failing(folder, "file is missing")


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    folder = write_book(tmp_path, {"Firms": FIRMS, "Traits": TRAITS}, PLACES)
    monkeypatch.setattr("intlmodels.core.workbook._LARGEST", 2)
    with zipfile.ZipFile(folder / "book.xlsx", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("padding", bytes(3_000_000))
    failing(folder, "unpacks to more than 2 MB")


def test_without_openpyxl_one_line_says_so(tmp_path, monkeypatch):
    folder = write_book(tmp_path, {"Firms": FIRMS, "Traits": TRAITS}, PLACES)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    failing(folder, "pip install 'intlmodels[xlsx]'")


def test_names_of_workbooks():
    assert split_book("a.csv") is None
    assert split_book("a.xlsx") == ("a.xlsx", "")
    assert split_book("in/A b.XLSX : Sheet 1") == ("in/A b.XLSX", "Sheet 1")
