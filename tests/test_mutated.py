"""Studies with a cell or key changed at random: read as written, or refused in one line."""

from __future__ import annotations

import csv
import io
import random
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from intlmodels.core.errors import StudyError
from intlmodels.studies import describe, load_study
from panelstudies import FIRMS as PANEL_FIRMS
from panelstudies import PANEL, ROWS, TERMS
from studies import FIRMS, STUDY, TRAITS, VARIANTS, csv_text, write_study

TEXTS = (
    *("", " ", "nan", "1e400", "1e-400", "0x10", "\u0661\u0662", "1_000", "\u00bd", "\uff15"),
    *("1,5", "1.234,5", "1,234", "1 234", "--5", "5%", "5 %", "\u20ac5", "10-20", "<5", "5*", "5."),
    *("+5", ".5", "5e0", "-0", "-5", "2.5", "1e308", "NA", "-", "TRUE", "0", "60", "007", "Jan-05"),
    *(
        "a\nb",
        "\u202ex",
        "\x1b[31m",
        "=1+1",
        "x" * 200,
        "Total",
        "Alder",
        "Tools",
        " 5\t",
        "\u30005",
    ),
)
VALUES = (
    *("0", "-1", "2.5", "1e308", "-inf", "nan", f"{10**30}", "0x10", "true", '""', '"x"', '"5"'),
    *("[]", "[1, 2]", '["a", "a"]', "{}", "{a = 1}", "[{}]", "2001-01-01", "10:00:00", '"\\u001b"'),
)


def read(folder: Path):
    """The study, or None if one line says what is wrong."""
    try:
        study = load_study(folder)
    except StudyError as error:
        said = str(error)
    else:
        assert describe(study).replace("\n", "").isprintable()
        return study
    assert said.replace("\n", "").isprintable()
    return None


def test_a_changed_cell_is_read_right_or_refused(tmp_path: Path) -> None:
    drawn = random.Random(20260)
    held = 0
    for _ in range(250):
        rows = list(csv.reader(io.StringIO(FIRMS)))
        row, column, text = drawn.randrange(1, 9), drawn.randrange(1, 5), drawn.choice(TEXTS)
        rows[row][column] = text
        tables = {"firms.csv": csv_text(rows), "traits.csv": TRAITS}
        study = read(write_study(tmp_path, toml=STUDY + VARIANTS, tables=tables))
        if study is None or rows[0][column] not in ("share", "size"):
            continue
        if not text.strip() or text == "NA":
            assert len(study.dropped) == (column == 1)
            continue
        held += 1
        number = float(Fraction(text.strip()))
        if column == 1:
            assert study.outcome.printed[row - 1] == number
        else:
            assert np.isclose(study.predictors["size"].values[row - 1], np.log(number))
    assert held > 10


@pytest.mark.parametrize("toml", [STUDY + VARIANTS, PANEL + TERMS], ids=["firms", "rows"])
def test_a_changed_key_is_refused_or_told(tmp_path: Path, toml: str) -> None:
    drawn = random.Random(20261)
    lines = toml.splitlines()
    given = [place for place, line in enumerate(lines) if re.match(r"\w+ = ", line)]
    tables = {"rows.csv": ROWS, "firms.csv": PANEL_FIRMS} if toml.startswith(PANEL) else {}
    before = describe(load_study(write_study(tmp_path, toml=toml, tables=tables)))
    for _ in range(250):
        place, changed = drawn.choice(given), list(lines)
        key, _, value = changed[place].partition(" = ")
        match drawn.randrange(4):
            case 0:
                changed[place] = f"{key} = {drawn.choice(VALUES)}"
            case 1:
                changed[place] = f"{key}s = {value}"
            case 2:
                changed.insert(place, changed[place])
            case _:
                del changed[place]
        study = read(write_study(tmp_path, toml="\n".join(changed), tables=tables))
        # Words that only the report shows, and keys whose default is what was written.
        if study is not None and describe(study) == before:
            assert key in ("question", "source", "limits", "note", "label", "file", "key"), (
                lines[place],
                changed[place],
            )
