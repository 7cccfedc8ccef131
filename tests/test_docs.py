"""The pages for users, followed to the letter."""

import re
from pathlib import Path

import pytest

from intlmodels import cli
from intlmodels.fitting import jobs
from intlmodels.studies import load_study
from mockfit import mock_fit
from studies import edited
from test_cli import run
from trees import made_up

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "from-a-spreadsheet.md"
IN_R = ROOT / "docs" / "in-r.md"
PAGES = ("panels", "speed", "design-analysis", "orders", "influence", "attributes")

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the pages are in the checkout")


def block(kind):
    """The one block of code of a kind on the page."""
    found = re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(found) == 1
    return found[0]


@pytest.fixture
def hospitals(capsys, tmp_path, monkeypatch):
    """The folder that the page ends with."""
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "new", "hospitals", "--model", "share")[0] == 0
    folder = tmp_path / "hospitals"
    (folder / "firms.csv").write_text(block("csv"), encoding="utf-8")
    (folder / "study.toml").write_text(block("toml"), encoding="utf-8")
    return folder


def test_the_steps_lead_to_a_report(capsys, hospitals, monkeypatch):
    monkeypatch.setattr(jobs, "fit", mock_fit)
    code, out, err = run(capsys, "check", "hospitals")
    assert (code, err) == (0, "")
    assert "firms     8: Northgate" in out
    assert "missing for Eastfield" in out
    assert run(capsys, "fit", "hospitals")[0] == 0
    report = (hospitals.parent / "reports" / "hospitals" / "report.md").read_text("utf-8")
    assert report.startswith("# Day surgery in eight hospitals")
    assert "MADE-UP" not in report


def test_the_sheet_and_the_file_hold_the_same():
    rows = re.findall(r"^\| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    start = next(i for i, row in enumerate(cells) if row[0] == "hospital")
    lines = block("csv").splitlines()
    sheet = [cells[start], *cells[start + 2 : start + 1 + len(lines)]]
    assert [",".join(row) for row in sheet] == lines


@pytest.mark.parametrize(
    "page",
    [PAGE, IN_R, *(ROOT / "docs" / f"{name}.md" for name in PAGES), ROOT / "README.md"],
    ids=lambda path: path.name.removesuffix(".md"),
)
def test_pages_name_commands_and_files_that_there_are(page):
    text = page.read_text(encoding="utf-8")
    commands = {command.callback.__name__ for command in cli.app.registered_commands}
    assert set(re.findall(r"^intlmodels (\w+)", text, re.MULTILINE)) <= commands
    assert set(re.findall(r"`intlmodels (\w+)", text)) <= commands
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link


def test_the_readme_leads_to_the_pages():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(docs/from-a-spreadsheet.md)" in text
    assert "(docs/in-r.md)" in text


def test_what_the_page_on_r_reads_is_there():
    tree = made_up(load_study("rochester"))
    text = IN_R.read_text(encoding="utf-8")
    read = re.findall(r'ncvar_get\(nc, "(\w+)/(\w+)"\)', text)
    assert len(read) > 8
    for group, name in read:
        assert name in tree[group].to_dataset().variables
    for name in re.findall(r'ncatt_get\(nc, 0, "(\w+)"\)', text):
        assert name in tree.attrs


def toml_edit(old, new):
    return "study.toml", lambda text: edited(text, [(old, new)]).encode()


def csv_edit(old, new):
    return "firms.csv", lambda text: edited(text, [(old, new)]).encode()


#: What the page says that check says -> how it comes to say so.
SAID = {
    "the cells are separated by semicolons": (
        "firms.csv",
        lambda text: text.replace(",", ";").replace("0.", "0,").encode("utf-8-sig"),
    ),
    "this is a workbook of a spreadsheet program": ("firms.csv", lambda _: b"PK\x03\x04\x14"),
    "expected text in UTF-8": (
        "firms.csv",
        lambda text: text.replace("Priory", "Prieur\xe9").encode("cp1252"),
    ),
    "this seems to be a title": csv_edit("hospital,", "Table 3\nhospital,"),
    "too many cells": csv_edit("0.41", "0,41"),
    "too few cells": csv_edit("150,0.55", "150"),
    "expected this column ... did you mean": csv_edit("day_surgery", "Day surgery"),
    "write 41 without the percent sign": csv_edit("0.41", "41%"),
    "expected a multiple of the rounding width": csv_edit("0.41", "0.413"),
    "expected 'No' (low) or 'Yes' (high)": csv_edit("General,Yes,410", "General,yes,410"),
    "a missing label needs a level of its own": csv_edit("Priory,Children", "Priory,"),
    "not valid TOML": toml_edit('"fraction"', "fraction"),
    "unknown key ... valid here": toml_edit("low =", "lower ="),
}
MISSING = "file is missing (did you mean 'study.toml.txt'?)"


def test_the_table_of_messages_is_the_one_that_is_tested():
    table = PAGE.read_text(encoding="utf-8").partition("| it says |")[2].partition("## 7")[0]
    assert re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE) == [*SAID, MISSING]


@pytest.mark.parametrize("said", SAID)
def test_check_says_what_the_page_says(capsys, hospitals, said):
    file, edit = SAID[said]
    path = hospitals / file
    path.write_bytes(edit(path.read_text(encoding="utf-8")))
    code, _, err = run(capsys, "check", "hospitals")
    assert code == 2
    assert err.count("\n") == 1
    for part in said.split(" ... "):
        assert part in err


def test_check_says_that_a_file_has_one_ending_too_many(capsys, hospitals):
    (hospitals / "study.toml").rename(hospitals / "study.toml.txt")
    assert MISSING in run(capsys, "check", "hospitals")[2]


def test_the_line_of_python_makes_a_file_that_can_be_read(capsys, hospitals, monkeypatch):
    line = re.search(r'^python -c "(import pandas.*read_csv.*)"$', PAGE.read_text("utf-8"), re.M)
    path = hospitals / "firms.csv"
    plain = run(capsys, "check", "hospitals")
    text = path.read_text(encoding="utf-8").replace(",", ";").replace("0.", "0,")
    path.write_text(text, encoding="utf-8-sig", newline="\r\n")
    monkeypatch.chdir(hospitals)
    exec(line.group(1), {})
    monkeypatch.chdir(hospitals.parent)
    assert run(capsys, "check", "hospitals") == plain
