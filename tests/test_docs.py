"""The pages for users, followed to the letter."""

import importlib.util
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
PAGES = sorted((ROOT / "docs").glob("*.md"))

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the pages are in the checkout")


def block(kind, page=PAGE):
    """The one block of code of a kind on a page."""
    found = re.findall(rf"^```{kind}\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
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
    [*PAGES, ROOT / "README.md"],
    ids=lambda path: path.name.removesuffix(".md"),
)
def test_pages_name_commands_and_files_that_there_are(page):
    text = page.read_text(encoding="utf-8")
    commands = {command.callback.__name__ for command in cli.app.registered_commands}
    assert set(re.findall(r"^intlmodels (\w+)", text, re.MULTILINE)) <= commands
    assert set(re.findall(r"`intlmodels (\w+)", text)) <= commands
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link


README, START = ROOT / "README.md", ROOT / "docs" / "start.md"


def test_the_readme_is_short_and_its_study_and_snippet_run(capsys, tmp_path, monkeypatch):
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120
    monkeypatch.chdir(tmp_path)
    (tmp_path / "valley").mkdir()
    for kind, name in (("csv", "firms.csv"), ("toml", "study.toml")):
        (tmp_path / "valley" / name).write_text(block(kind, README), encoding="utf-8")
    assert len(block("toml", README).splitlines()) <= 20
    code, out, err = run(capsys, "check", "valley")
    assert (code, err) == (0, "")
    assert "firms     6: Alder" in out
    monkeypatch.setattr(jobs, "fit", mock_fit)
    found = {}
    exec(block("python", README), found)
    # The two ways of the page read the same.
    assert found["study"].predictors.keys() == load_study("valley").predictors.keys()


def test_the_first_steps_run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs, "fit", mock_fit)
    (tmp_path / "firms.csv").write_text(block("csv", START), encoding="utf-8")
    snippets = re.findall(r"^```python\n(.*?)^```", START.read_text("utf-8"), re.S | re.M)
    found = {}
    for snippet in snippets:
        exec(snippet, found)
    assert len(snippets) == 2
    assert (tmp_path / "reports" / "valley" / "index.html").is_file()


def test_the_scripts_of_other_packages_are_those_that_are_measured():
    text = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    scripts = "".join(
        (ROOT / "bench" / "scripts" / name).read_text(encoding="utf-8")
        for name in ("bambi_beta.py", "brms_fit.R")
    )
    flat = " ".join(scripts.split())
    blocks = re.findall(r"^```(?:python|r)\n(.*?)^```", text, re.S | re.M)
    excerpts = [own for own in blocks if "im." not in own]
    assert len(excerpts) == 2
    assert all(" ".join(own.split()) in flat for own in excerpts)


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


# -- pages that follow from the code -------------------------------------------------------


@pytest.fixture(scope="module")
def generate():
    """The script that writes them."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current(generate):
    for name, page in generate.PAGES.items():
        stored = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert stored == page(), f"{name}: run python docs/generate.py"


def test_every_key_of_study_toml_has_a_meaning(generate):
    rows = re.findall(r"^\| (`.+?`) \|.*\| (.*) \|$", generate.study_toml(), re.MULTILINE)
    assert len(rows) > 200
    assert [key for key, meaning in rows if not meaning.strip()] == []


def test_the_api_has_all_public_names_and_the_gallery_all_pictures(generate):
    import intlmodels as im

    listed = [name for names in generate.GROUPS.values() for name in names]
    assert sorted([*listed, "plots"]) == sorted(im.__all__)
    drawn = re.findall(r"^### (\w+)$", generate.gallery(), re.MULTILINE)
    assert sorted(drawn) == sorted([*dir(im.plots), "svg"])
