"""Labels: one level where only what is invisible differs, a note where two levels look alike."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path

import duckdb
import pytest

import intlmodels as im
from decisionregisters import write_decisions, write_rows
from intlmodels.core.csvtable import MISSING, clean_label
from intlmodels.register.decisions import firm
from intlmodels.studies import describe, load_study
from intlmodels.studies.columns import lookalike_lines, lookalikes
from registers import write_csv, write_register
from studies import csv_text

HIDDEN = [
    *"\u00ad\u034f\u061c\u115f\u17b4\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u202e\u2060",
    *"\u2063\u2066\u2069\u206a\u3164\ufe00\ufe0f\ufeff\uffa0\U000e0020\U000e0101\x01\x7f\x9f",
]
PIECES = [
    *HIDDEN,
    *" \t\n\x0b\x1c\x85\u00a0\u1680\u2003\u2028\u2800\u3000",
    *("A", "b", "NA", "N/A", "/", "'", '"', "''", ";", "-", "\u2013", "\u2019", "\\", "%", "7"),
    *("e\u0301", "\u00e9", "\u212b", "A\u030a", "\u0301", "\u0415", "\uff21", "\ufb01", "\u00df"),
    *(
        "\u0646\u200c\u0645",
        "\u0915\u094d\u200d\u0937",
        "\U0001f469\u200d\U0001f680",
        "\u2764\ufe0f",
    ),
    *("\uac00", "\u1100\u1161", "\u05e9\u05c1", "\u0344", "\u1e9b\u0323"),
]

STUDY = """\
[study]
name = "coast"
title = "Labels"
model = "share"
[firms]
file = "t.csv"
column = "firm"
[outcome]
column = "share"
unit = "percent"
rounding_width = 5
[predictors.branch]
kind = "category"
column = "branch"
"""


def odd_strings(seed: int, number: int = 300) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices(PIECES, k=rng.randint(1, 6))) for _ in range(number)]


def study_of(folder: Path, labels: list[str], firms: list[str] | None = None, toml: str = STUDY):
    named = firms or [f"firm {i}" for i in range(len(labels))]
    rows = [("firm", "share", "branch")]
    pairs = zip(named, labels, strict=True)
    rows += [(name, str(5 * (i % 20)), label) for i, (name, label) in enumerate(pairs)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(toml, encoding="utf-8")
    (folder / "t.csv").write_text(csv_text(rows), encoding="utf-8")
    return load_study(folder)


@pytest.mark.parametrize("seed", range(3))
def test_every_reader_reads_the_same_label(tmp_path, seed):
    texts = odd_strings(seed)
    read = [None if clean_label(text) in MISSING else clean_label(text) for text in texts]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (n INTEGER, x VARCHAR)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(texts)))
        found = connection.execute(f"SELECT {firm('x')} FROM t ORDER BY n").fetchall()
    assert [name for (name,) in found] == read
    labels = [text for text, label in zip(texts, read, strict=True) if label is not None]
    levels = tuple(sorted({label for label in read if label is not None}))
    assert study_of(tmp_path / "a", labels).predictors["branch"].levels == levels
    folder = write_register(tmp_path / "b")
    rows = [(str(5 * (i % 20)), x, ("small", "large")[i % 2], str(i)) for i, x in enumerate(labels)]
    write_csv(folder / "rows" / "a.csv", rows)
    assert im.reduce(folder).predictors["branch"].levels == levels


@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_is_invisible_makes_no_level(hidden):
    assert clean_label(f"{hidden}Bo{hidden}ats {hidden} A{hidden}") == "Boats A"
    assert clean_label(f"Cafe{hidden}\u0301") == "Caf\u00e9"


def test_every_format_character_that_unicode_ignores_is_invisible():
    visible = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    formats = {i for i in range(0x110000) if unicodedata.category(chr(i)) == "Cf"} - visible
    kept = {i for i in formats if clean_label(f"a{chr(i)}b") != "ab"}
    assert all(0x13430 <= i <= 0x13455 for i in kept)  # joiners of hieroglyphs, which show


def test_levels_of_study_toml_are_cleaned_as_cells_are(tmp_path):
    contrast = STUDY.replace('"category"', '"contrast"')
    toml = contrast + 'low = "Bo\\u00adats\\u200b"\nhigh = "\\uFEFFCafe\\u0301"\n'
    study = study_of(tmp_path, ["Boats", "Caf\u00e9", "Bo\u2060ats"], toml=toml)
    assert study.predictors["branch"].levels == ("Boats", "Caf\u00e9")
    assert study.predictors["branch"].values.tolist() == [-0.5, 0.5, -0.5]


ALIKE = [
    ("Boats", "\u0412oats"),
    ("Boats", "Bo\u0430ts"),
    ("Boats", "\uff22oats"),
    ("Boats", "\u0392oats"),
    ("Boats", "boats"),
    ("Boats", "'Boats"),
    ("Boats", "\u201cBoats\u201d"),
    ("O'Neil", "O\u2019Neil"),
    ("A-B", "A\u2013B"),
    ("\u0421\u041e\u0420", "COP"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_labels_that_look_alike_stay_two_levels_with_a_note(tmp_path, one, other):
    labels = [one, other, "Tools", one]
    study = study_of(tmp_path / "a", labels, [f"{x} {i > 2}" for i, x in enumerate(labels)])
    assert set(study.predictors["branch"].levels) == {one, other, "Tools"}
    said = "differ only in capitals" if other == "boats" else "look alike but are different labels"
    assert describe(study).count(said) == 2  # levels, and firms
    folder = write_register(tmp_path / "b")
    rows = [(str(5 * i), x, ("small", "large")[i % 2], str(i)) for i, x in enumerate(labels)]
    write_csv(folder / "rows" / "a.csv", rows)
    register = im.reduce(folder)
    assert set(register.predictors["branch"].levels) == {one, other, "Tools"}
    assert describe(register).count(said) == 1


@pytest.mark.parametrize("one_other", [pair for pair in ALIKE if not "".join(pair).isascii()])
def test_firms_of_a_register_of_decisions_that_look_alike_are_noted(tmp_path, one_other):
    rows = [(name, str(2000 + i), "yes", "other") for i, name in enumerate((*one_other, "C", "A"))]
    folder = write_decisions(tmp_path / "a")
    write_rows(folder / "rows" / "a.csv", rows)
    for _ in range(2):  # counted, and as kept
        study = im.reduce(folder, tmp_path / "out")
        assert study.read.firms == 4
        assert set(study.read.alike) == set(one_other)
        assert describe(study).count("look alike but are different labels") == 1


def test_labels_that_differ_are_not_noted():
    labels = [
        "Boats",
        "Boots",
        "Caf\u00e9",
        "Cafe",
        "\u041c\u043e\u0441\u043a\u0432\u0430",
        "A B",
        "AB",
        "A/B",
        "7",
        "1",
    ]
    assert [*lookalikes(labels)] == []


def test_notes_on_very_many_labels_are_few():
    labels = [f"{letter}ats {i}" for i in range(10_000) for letter in ("Bo", "\u0412o")]
    lines = [*lookalike_lines(labels)]
    assert len(lines) == 21
    assert "9,980 more" in lines[-1]
