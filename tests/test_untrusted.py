"""A study that comes from others: what it may read, how large it may be, what it may print."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
import pytest

import intlmodels as im
from intlmodels import cli
from intlmodels.core.csvtable import from_plain_cell, parse_number, plain_cell, read_text
from intlmodels.core.errors import StudyError, did_you_mean
from intlmodels.paper.markup import latex
from intlmodels.studies import load_study
from registers import write_csv, write_register
from studies import FIRMS, LEAST, edited, write_study

# -- links -------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["file", "folder", "study.toml", "broken"])
def test_a_link_may_not_lead_out_of_the_study(tmp_path: Path, what: str) -> None:
    toml = edited(LEAST, [('"firms.csv"', '"sub/firms.csv"')])
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "firms.csv").write_text(FIRMS)
    (tmp_path / "secret" / "study.toml").write_text(toml)
    folder = write_study(tmp_path / "study", toml=toml)
    sub = folder / "sub"
    if what == "folder":
        sub.symlink_to(tmp_path / "secret")
    else:
        sub.mkdir()
        target = tmp_path / ("nowhere" if what == "broken" else "secret/firms.csv")
        (sub / "firms.csv").symlink_to(target)
    if what == "study.toml":
        (folder / "study.toml").unlink()
        (folder / "study.toml").symlink_to(tmp_path / "secret" / "study.toml")
    named = "study.toml" if what == "study.toml" else "sub/firms.csv"
    with pytest.raises(StudyError, match=f"^{named}: this is a link that leads out") as caught:
        load_study(folder)
    assert "secret" not in str(caught.value)


def test_links_within_the_study_and_to_it_are_fine(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study", toml=LEAST)
    (folder / "firms.csv").rename(folder / "own.csv")
    (folder / "firms.csv").symlink_to("own.csv")
    (tmp_path / "link").symlink_to(folder)
    (folder / "hard.csv").hardlink_to(folder / "own.csv")
    assert len(load_study(tmp_path / "link").firms) == 8
    assert read_text(tmp_path / "link", "hard.csv") == FIRMS
    assert load_study(tmp_path / "link" / "study.toml").folder == folder.resolve()


ROWS = [("5", "Boats", "small", "1"), ("10", "Tools", "large", "2"), ("15", "Toys", "small", "3")]


@pytest.mark.parametrize("files", ["rows/*.csv", "rows", "rows/**/*.csv", "rows/more/a.csv"])
def test_a_register_is_not_read_through_links_out_of_the_study(tmp_path: Path, files: str) -> None:
    (tmp_path / "away").mkdir()
    write_csv(tmp_path / "away" / "a.csv", ROWS)
    register = write_register(tmp_path / "lake", files=files)
    write_csv(register / "rows" / "b.csv", ROWS)
    link = "more" if "more" in files else "a.csv"
    (register / "rows" / link).symlink_to(tmp_path / "away" / link.replace("more", ""))
    with pytest.raises(StudyError, match=r"leads out of the study's folder; .* files = \"/"):
        im.reduce(str(register))
    elsewhere = write_register(tmp_path / "lake", files=f"{register}/rows/b.csv")
    (tmp_path / "away" / "c.csv").symlink_to(register / "rows" / "b.csv")
    assert im.reduce(str(elsewhere)).read.rows == 3
    elsewhere = write_register(tmp_path / "lake", files=f"{tmp_path}/away/*.csv")
    assert im.reduce(str(elsewhere)).read.rows == 6


@pytest.mark.parametrize("files", ["rows", "rows/**/*.csv"])
def test_a_link_to_a_folder_is_followed_or_refused_where_its_rows_would_be_left_out(
    tmp_path: Path, files: str
) -> None:
    register = write_register(tmp_path / "lake", files=files)
    (register / "own").mkdir()
    write_csv(register / "rows" / "a.csv", ROWS)
    write_csv(register / "own" / "b.csv", ROWS)
    (register / "rows" / "more").symlink_to("../own")
    if files == "rows":
        assert im.reduce(str(register)).read.rows == 6
        return
    with pytest.raises(StudyError, match=r"'rows/more' is a link to a folder"):
        im.reduce(str(register))


# -- what would take all memory, or hours ------------------------------------------------

BOMBS = {
    "nested arrays": (f"x = {'[' * 10**5}{']' * 10**5}", "nested too deeply"),
    "parts of a key": (f"{'.'.join(['a'] * 10**5)} = 1", "nested too deeply"),
    "parts of a header": (f"[{' . '.join(['"a b"'] * 10**5)}]", "nested too deeply"),
    "digits": (f"[fit]\nseed = 0x{'f' * 10**6}", "found a number of thousands of digits"),
    "size": (f"# {'x' * 2 * 10**6}", "larger than 2 MB"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_study_toml_that_would_take_all_memory(tmp_path: Path, bomb: str) -> None:
    more, said = BOMBS[bomb]
    folder = write_study(tmp_path, toml=f"{more}\n{LEAST}" if "=" in more else LEAST + more)
    if bomb == "digits":
        (folder / "study.toml").write_text(LEAST + more)
    start = time.perf_counter()
    with pytest.raises(StudyError, match=said) as caught:
        load_study(folder)
    assert time.perf_counter() - start < 3
    assert "\n" not in str(caught.value)


def test_tables_that_would_take_all_memory(tmp_path: Path) -> None:
    folder = write_study(tmp_path, toml=LEAST)
    with (folder / "firms.csv").open("r+b") as file:
        file.truncate(10**12)
    with pytest.raises(StudyError, match="larger than 50 MB"):
        load_study(folder)
    accents = "A" + "\u0301\u0323" * 10**5
    (folder / "firms.csv").write_text(FIRMS.replace("Alder", accents), encoding="utf-8")
    with pytest.raises(StudyError, match=r"row 2: .* more than 30 accents on one letter"):
        load_study(folder)
    (folder / "firms.csv").write_text(FIRMS.replace("Alder", "A" * 10**6), encoding="utf-8")
    with pytest.raises(StudyError, match=r"row 2: not well-formed CSV \(field larger"):
        load_study(folder)


def test_many_columns_and_names_take_linear_time(tmp_path: Path) -> None:
    many = 10**5
    names, cells = ",".join(f"c{i}" for i in range(many)), ",".join(["1"] * many)
    rows = "".join(f"f{i},5,b{i % 2},{cells}\n" for i in range(3))
    table = {"firms.csv": f"firm,share,branch,{names}\n{rows}"}
    start = time.perf_counter()
    assert len(load_study(write_study(tmp_path, toml=LEAST, tables=table)).firms) == 3
    assert did_you_mean("brunch", ["branch", *names.split(",")]) == " (did you mean 'branch'?)"
    more = "".join(f"[predictors.p{i}]\nkind = 'category'\ncolumn = 'c{i}'\n" for i in range(5000))
    with pytest.raises(StudyError, match="'c0'"):
        load_study(write_study(tmp_path, toml=LEAST + more))
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("other", ["branch_level", "branch_effect"])
def test_names_that_the_models_use_beside_a_predictor(tmp_path: Path, other: str) -> None:
    more = f"[predictors.{other}]\nkind = 'category'\ncolumn = 'firm'\n"
    for toml in (LEAST + more, LEAST.replace("[predictors.branch]", f"{more}[predictors.branch]")):
        with pytest.raises(StudyError, match="expected another name; the models"):
            load_study(write_study(tmp_path, toml=toml))


# -- numbers -----------------------------------------------------------------------------


NO_NUMBERS = (
    *("1e400", "-1e400", "1e-400", "0x10", "\u0661\u0662", "1_000", "\u00bd", "\uff15", "1,5"),
    *("1.234,5", "1 234", "nan", "inf", "--5", "5%", "5 %", "\u20ac5", "5\u20ac", "5\u00b9"),
    *("10-20", "<5", "(5)", "\u22125", "5\u200b", "1/2", "True", "5.5.5", "1d3"),
)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_plain_number_is_refused_in_tables_and_registers(tmp_path: Path, text) -> None:
    with pytest.raises(ValueError, match="expected a number"):
        parse_number(text)
    register = write_register(tmp_path)
    write_csv(register / "rows" / "a.csv", [*ROWS, ("20", "Boats", "large", text)])
    with pytest.raises(StudyError, match=r"row 5, column 'age': .*expected a number"):
        im.reduce(str(register))


@pytest.mark.parametrize(
    ("text", "value"),
    [("5.", 5), (".5", 0.5), ("+5", 5), ("1E+03", 1000), ("007", 7), (" 5\t", 5), ("0e-400", 0)],
)
def test_plain_numbers(text: str, value: float) -> None:
    assert parse_number(text) == value


# -- spreadsheets, terminals and LaTeX ---------------------------------------------------


def test_labels_of_a_register_are_no_formulas_in_any_file(tmp_path: Path) -> None:
    formula, quoted = '=HYPERLINK("http://x.example")', "'=1+1"
    register = write_register(tmp_path / "lake", bad_rows="set aside")
    rows = [*ROWS, ("20", formula, "large", "4"), ("25", quoted, "large", "4")]
    write_csv(register / "rows" / "a.csv", [*rows, ("7", "@x", "-1", "5")])
    out = tmp_path / "out"
    first = im.reduce(str(register), out)
    for name in ("cells.csv", "set_aside.csv"):
        with (out / name).open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    again = im.reduce(str(register), out)  # from cells.csv
    assert again.predictors["branch"].levels == first.predictors["branch"].levels
    assert {formula, quoted} < set(again.predictors["branch"].levels)
    assert np.array_equal(again.rows, first.rows)


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\uff1d1", "'x", "x", ""])
def test_a_plain_cell_is_read_back(text: str) -> None:
    assert from_plain_cell(plain_cell(text)) == text
    assert plain_cell(text) == (text if text in ("x", "") else f"'{text}")


def test_nothing_of_a_study_steers_the_terminal(tmp_path: Path, capsys) -> None:
    toml = edited(LEAST, [('column = "branch"', 'column = "branch"\nlabel = "B\\u001b[2J\\u202e"')])
    toml = edited(toml, [('title = "Least"', 'title = "L\\u001b]0;x\\u0007"')])
    folder = write_study(tmp_path, toml=toml, edit_firms=[("Alder", "Al\x1b[31mder")])
    for command in ("check", "priors", "variants", "audit"):
        with pytest.raises(SystemExit):
            cli.main([command, str(folder)])
        out, err = capsys.readouterr()
        assert (out + err).replace("\n", "").isprintable(), command


def test_text_in_latex_is_text() -> None:
    marks = latex("\\{}$#^~%&_ \\input{x} ^^5c\u202e\x1b\t,,\n-- ''")
    for command in (r"\input", "^^", "\u202e", "\x1b", "$#", " %", " &", " _", ",,", "--", "''"):
        assert command not in marks
    assert r"\textbackslash{}input\{x\} \textasciicircum{}\textasciicircum{}5c" in marks
