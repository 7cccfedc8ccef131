"""Reading studies: what comes out of good ones, and what is said about bad ones."""

from __future__ import annotations

import csv
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intlmodels.core import rounding
from intlmodels.core.csvtable import clean_label, clean_name, parse_number, read_table
from intlmodels.core.errors import StudyError, did_you_mean, shown
from intlmodels.studies import (
    Axes,
    Covariate,
    Membership,
    Nested,
    Study,
    describe,
    list_studies,
    load_study,
)
from studies import FIRMS, LEAST, STUDY, VARIANTS, csv_text, edited, write_study

ROCHESTER = Path(__file__).resolve().parents[1] / "data" / "rochester"


@pytest.fixture(scope="module")
def rochester() -> Study:
    return load_study("rochester")


def at(study: Study, firm: str) -> int:
    return study.firms.index(firm)


# -- Rochester, against the paper --------------------------------------------------------


def test_rochester_has_the_22_firms_of_the_paper(rochester: Study) -> None:
    assert rochester.firms == tuple("ABCDEFGHIJKLMNOPQRSTUV")
    assert rochester.dropped == ()
    assert rochester.normalizations == ()
    assert rochester.model == "share"
    assert rochester.folder == ROCHESTER
    assert len(rochester.limits) >= 5
    assert "neither authors nor year" in rochester.source


def test_rochester_shares_are_those_of_table_1(rochester: Study) -> None:
    printed = "30 10 50 15 40 20 50 5 55 5 30 20 0 10 5 10 5 10 10 10 30 30"
    assert rochester.outcome.printed.tolist() == [float(x) for x in printed.split()]
    assert rochester.outcome.width == 5.0
    assert rounding.on_grid(rochester.outcome.printed, 5.0).all()
    text = (ROCHESTER / "study.toml").read_text(encoding="utf-8")
    assert "rounding_width = 5\n" in text


def test_rochester_relocatability(rochester: Study) -> None:
    predictor = rochester.predictors["relocatability"]
    assert predictor.kind == "contrast"
    assert predictor.levels == ("Difficult", "Ease")
    easy = [f for f, v in zip(rochester.firms, predictor.values, strict=True) if v == 0.5]
    assert easy == ["A", "D", "L", "N", "Q", "S"]
    assert set(predictor.values) == {-0.5, 0.5}
    assert predictor.codes.size == 0


def test_rochester_product_and_expertise(rochester: Study) -> None:
    product, expertise = rochester.predictors["product"], rochester.predictors["expertise"]
    assert product.levels == ("Photonics Subsystems", "Photonics Value Added", "Precision Optics")
    assert np.bincount(product.codes).tolist() == [6, 10, 6]
    # The text calls A an example of precision optics; the tables do not.
    assert product.levels[product.codes[at(rochester, "A")]] == "Photonics Value Added"
    assert expertise.levels == ("Both", "Design", "Manufacturing", "Service Value Added")
    assert np.bincount(expertise.codes).tolist() == [7, 7, 6, 2]
    assert expertise.printed[at(rochester, "M")] == "Design--plans for manufacturing"
    assert expertise.levels[expertise.codes[at(rochester, "M")]] == "Design"


def test_rochester_nested_labels(rochester: Study) -> None:
    nested = rochester.variants["nested-expertise"]
    assert isinstance(nested, Nested)
    assert len(nested.labels) == 8
    assert np.bincount(nested.label_codes).tolist() == [7, 4, 1, 1, 1, 4, 2, 2]
    expertise = rochester.predictors["expertise"]
    for label, family in zip(nested.labels, nested.family_of_label, strict=True):
        assert label.split("--")[0] == expertise.levels[family]
    assert (nested.family_of_label[nested.label_codes] == expertise.codes).all()


@pytest.mark.parametrize(
    ("firm", "design", "manufacturing"),
    [
        ("A", "full", "none"),
        ("B", "none", "full"),
        ("C", "limited", "full"),
        ("E", "full", "full"),
        ("I", "full", "limited"),
        ("M", "full", "none"),
        ("O", "none", "none"),
        ("Q", "full", "limited"),
    ],
)
def test_rochester_axes(rochester: Study, firm: str, design: str, manufacturing: str) -> None:
    axes = rochester.variants["two-axes"]
    assert isinstance(axes, Axes)
    assert axes.levels == ("none", "limited", "full")
    read = {axis: axes.levels[codes[at(rochester, firm)]] for axis, codes in axes.axes.items()}
    assert read == {"design": design, "manufacturing": manufacturing}


def test_rochester_readings_cover_every_label_and_tell_what_was_open(rochester: Study) -> None:
    axes = rochester.variants["two-axes"]
    assert isinstance(axes, Axes)
    printed = set(rochester.predictors["expertise"].printed)
    assert {label for label, _, _ in axes.readings} == printed
    notes = {label: note for label, _, note in axes.readings}
    for label in ("Design--plans for manufacturing", "Design--crafts manufacturing"):
        assert notes[label]
    assert "neither" in notes["Service Value Added"]


def test_rochester_second_products(rochester: Study) -> None:
    membership = rochester.variants["second-product"]
    assert isinstance(membership, Membership)
    assert membership.levels == (
        "Optical Components",
        "Photonics Subsystems",
        "Photonics Value Added",
        "Precision Optics",
    )
    assert membership.weights.shape == (22, 4)
    np.testing.assert_allclose(membership.weights.sum(axis=1), 1, rtol=0, atol=1e-15)
    np.testing.assert_allclose(membership.weights[at(rochester, "L")], [1 / 3, 2 / 3, 0, 0])
    assert membership.weights[at(rochester, "A")].tolist() == [0, 0, 1, 0]
    assert int((membership.weights == 1).any(axis=1).sum()) == 12


def test_rochester_revenue(rochester: Study) -> None:
    revenue = rochester.variants["revenue"]
    assert isinstance(revenue, Covariate)
    values = revenue.predictor.values
    assert [f for f, v in zip(rochester.firms, values, strict=True) if np.isnan(v)] == ["B", "G"]
    assert values[at(rochester, "K")] == pytest.approx(np.log(200))
    assert values[at(rochester, "D")] == pytest.approx(np.log(0.4))
    known = values[~np.isnan(values)]
    assert (revenue.predictor.center, revenue.predictor.scale) == (
        known.mean(),
        known.std(ddof=1),
    )
    assert revenue.predictor.unit == "million US dollars"


def test_rochester_cells_stay_as_printed() -> None:
    traits = read_table(ROCHESTER, "table3.csv").column("dominant_trait")
    stages = read_table(ROCHESTER, "table4.csv").column("stage")
    assert traits[19] == "Cost disadvantages overseas.  Primarily North American customers."
    assert traits[7] == traits[9] == traits[19].removesuffix(".")
    assert sum(stage.startswith("Export--No ") for stage in stages) == 7
    assert sum(stage.startswith("Export--no ") for stage in stages) == 1
    assert len(set(stages)) == 12


def test_rochester_tables_agree_with_each_other() -> None:
    tables = [read_table(ROCHESTER, f"table{k}.csv") for k in (1, 2, 3, 4)]
    assert len({table.column("company") for table in tables}) == 1
    assert tables[0].column("product_line") == tables[1].column("product_type")


def test_description_tells_what_was_read(rochester: Study) -> None:
    text = describe(rochester)
    for expected in (
        "22: A, B, C",
        "rounded to 5 percentage points; from 0 to 55 percent",
        "16  Difficult",
        "10  Photonics Value Added",
        "8 printed labels within the families of expertise",
        "missing for B, G",
        "left out for lack of an outcome: none",
        "cells not read as they are printed: none",
    ):
        assert expected in text


def test_frame_is_for_notebooks(rochester: Study) -> None:
    frame = rochester.frame()
    assert list(frame.columns) == [
        "printed_pct",
        "relocatability",
        "product",
        "expertise",
        "trait",
        "revenue",
    ]
    assert frame.loc["P", "trait"] == "word of mouth"
    assert frame.loc["I", "printed_pct"] == 55
    assert frame.loc["K", "revenue"] == 200
    assert frame["revenue"].isna().sum() == 2
    assert frame.loc["L", "relocatability"] == "Ease"
    assert frame["product"].value_counts()["Photonics Value Added"] == 10


# -- good studies ------------------------------------------------------------------------


def test_made_up_study(tmp_path: Path) -> None:
    study = load_study(write_study(tmp_path))
    assert study.firm_label == "firm"
    assert set(study.variants) == {"nested-skill", "two-skills", "second-branch", "plain_size"}
    size = study.predictors["size"]
    assert (size.kind, size.transform, size.unit) == ("numeric", "log", "million euros")
    assert np.flatnonzero(np.isnan(size.values)).tolist() == [2]
    weights = study.variants["second-branch"].weights  # type: ignore[union-attr]
    assert weights[1].tolist() == [0, 0.75, 0.25]
    assert set(study.tables) == {"firms.csv", "traits.csv"}
    assert describe(study)


def test_least_study_and_its_defaults(tmp_path: Path) -> None:
    study = load_study(write_study(tmp_path, toml=LEAST))
    assert study.outcome.file == "firms.csv"
    assert study.outcome.label == "Share"
    assert study.predictors["branch"].label == "Branch"
    assert (study.question, study.limits, study.variants, study.settings) == ("", (), {}, {})


def test_a_study_is_found_by_name_folder_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "rochester" in list_studies()
    folder = write_study(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    for path in (folder, folder / "study.toml", str(folder), "mine", "./mine/study.toml"):
        assert load_study(path).name == "hedge"


def test_a_copy_of_a_packaged_study_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(tmp_path / "rochester")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=r"write \./rochester"):
        load_study("rochester")
    assert load_study("./rochester").name == "hedge"
    assert load_study(Path("rochester")).name == "hedge"
    monkeypatch.chdir(ROCHESTER.parent)
    assert load_study("rochester").name == "rochester"


def test_firms_are_joined_by_name_not_by_row(tmp_path: Path) -> None:
    header, *rows = (write_study(tmp_path) / "traits.csv").read_text().splitlines()
    shuffled = "\n".join([header, *reversed(rows)])
    one = load_study(tmp_path)
    other = load_study(write_study(tmp_path, tables={"traits.csv": shuffled}))
    assert other.firms == one.firms
    assert other.predictors["ease"].values.tolist() == one.predictors["ease"].values.tolist()
    assert other.predictors["skill"].printed == one.predictors["skill"].printed


def test_another_key_column(tmp_path: Path) -> None:
    toml = [('column = "ease"', 'column = "ease"\nkey = "name"')]
    traits = [("firm,ease", "name,ease")]
    study = load_study(write_study(tmp_path, edit_toml=toml, edit_traits=traits))
    assert study.predictors["skill"].printed[0] == "Design"


def test_firms_without_an_outcome_are_left_out_and_named(tmp_path: Path) -> None:
    edits = [("Birch,25", "Birch,"), ("Fir,15", "Fir,N/A")]
    # What a firm without an outcome is otherwise like does not matter.
    study = load_study(write_study(tmp_path, edit_firms=edits, edit_traits=[("Fir,Easy", "Fir,")]))
    assert study.firms == ("Alder", "Cedar", "Downy", "Elder", "Gorse", "Hazel")
    assert study.dropped == (
        ("Birch", "no share in firms.csv, row 3"),
        ("Fir", "no share in firms.csv, row 7"),
    )
    assert study.outcome.printed.tolist() == [10, 0, 40, 5, 30, 55]
    assert "Birch: no share in firms.csv, row 3" in describe(study)
    for variant in study.variants.values():
        if isinstance(variant, Membership):
            assert variant.weights.shape[0] == 6


def test_fractions_become_percent_exactly(tmp_path: Path) -> None:
    toml = [('unit = "percent"', 'unit = "fraction"'), ("= 5\n", "= 0.001\n")]
    shares = ["0.122", "0.07", "0.001", "1", "0", "0.29", "0.57", "0.999"]
    firms = [("Alder,10", "Alder,0.122"), ("Birch,25", "Birch,.07"), ("Cedar,0", "Cedar,1e-3")]
    firms += [("Downy,40", "Downy,1"), ("Elder,5", "Elder,0.0"), ("Fir,15", "Fir,0.290")]
    firms += [("Gorse,30", "Gorse,0.57"), ("Hazel,55", "Hazel,0.999")]
    study = load_study(write_study(tmp_path, edit_toml=toml, edit_firms=firms))
    assert study.outcome.width == 0.1
    grid = rounding.grid(0.1)
    expected = [grid[round(float(share) * 1000)] for share in shares]
    assert study.outcome.printed.tolist() == expected
    assert study.outcome.unit == "fraction"


def test_missing_numbers_may_be_empty_or_na(tmp_path: Path) -> None:
    edits = [("Alder,10,1.5", "Alder,10,NA"), ("Birch,25,20", "Birch,25, N/A ")]
    size = load_study(write_study(tmp_path, edit_firms=edits)).predictors["size"]
    assert np.flatnonzero(np.isnan(size.values)).tolist() == [0, 1, 2]
    assert size.printed[1] == " N/A "


def test_white_space_and_unicode_form_are_normalized_and_reported(tmp_path: Path) -> None:
    edits = [("1.5,Tools", "1.5, Tools\u00a0"), ("Cedar,0", "Ce\u0301dar,0"), ("Fir,", " Fir,")]
    traits = [
        ("Cedar", "C\u00e9dar"),
        ("Birch,Hard", "Birch,Hard "),
        ("Design--some", "Design-- some"),
    ]
    toml = [('"Design--some', '"Design--  some')]
    study = load_study(write_study(tmp_path, edit_firms=edits, edit_traits=traits, edit_toml=toml))
    assert study.firms[2] == "C\u00e9dar"
    assert study.predictors["branch"].levels == ("Boats", "Tools", "Toys")
    assert study.predictors["branch"].printed[0] == " Tools\u00a0"
    assert set(study.normalizations) == {
        ("firms.csv", 2, "branch", " Tools\u00a0", "Tools"),
        ("firms.csv", 4, "firm", "Ce\u0301dar", "C\u00e9dar"),
        ("firms.csv", 7, "firm", " Fir", "Fir"),
        ("traits.csv", 3, "ease", "Hard ", "Hard"),
    }
    assert "row 2, branch: ' Tools\\xa0' read as 'Tools'" in describe(study)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_marks_do_not_matter(
    tmp_path: Path, newline: str, bom: bytes
) -> None:
    raw = bom + FIRMS.replace("\n", newline).encode() + newline.encode() * 2
    toml = bom + (STUDY + VARIANTS).replace("\n", newline if newline != "\r" else "\n").encode()
    study = load_study(write_study(tmp_path, toml=toml, tables={"firms.csv": raw}))
    assert study.tables["firms.csv"].header[0] == "firm"
    assert len(study.firms) == 8


ODD = [
    "commas, \"quotes\" and 'apostrophes'",
    "<b>bold</b><script>alert(1)</script> & more",
    "日本語 – Größe, naïve Ωmega 🚢",
    "=SUM(A1:A9)",
    "עברית right to left",
    "back\\slash %s {x} $y",
]


def test_odd_labels_come_out_intact(tmp_path: Path) -> None:
    firms = [*(f"{label} Inc." for label in ODD), "two\nlines", "two\r\nother lines"]
    branches = [*ODD, ODD[0], ODD[1]]
    rows = [["firm", "share", "branch"]]
    rows += [[f, "10", b] for f, b in zip(firms, branches, strict=True)]
    study = load_study(write_study(tmp_path, toml=LEAST, tables={"firms.csv": csv_text(rows)}))
    assert study.firms == tuple(firms)
    predictor = study.predictors["branch"]
    assert [predictor.levels[code] for code in predictor.codes] == branches
    assert predictor.printed == tuple(branches)
    assert study.normalizations == ()
    assert "\u202e" not in describe(study)
    assert "two\\nlines" in describe(study)


LABELS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30).filter(
    lambda text: clean_label(text) not in ("", "NA", "N/A")
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    labels=st.lists(LABELS, min_size=3, max_size=6, unique_by=clean_label),
    names=st.lists(LABELS, min_size=6, max_size=6, unique_by=clean_label),
)
def test_any_text_survives_as_a_label(tmp_path: Path, labels: list[str], names: list[str]) -> None:
    rows = [["firm", "share", "branch"]]
    rows += [[name, "5", labels[i % len(labels)]] for i, name in enumerate(names)]
    study = load_study(write_study(tmp_path, toml=LEAST, tables={"firms.csv": csv_text(rows)}))
    predictor = study.predictors["branch"]
    read = [predictor.levels[code] for code in predictor.codes]
    assert read == [clean_label(row[2]) for row in rows[1:]]
    assert predictor.printed == tuple(row[2] for row in rows[1:])
    assert study.firms == tuple(clean_name(name) for name in names)
    changed = {(row, column) for _, row, column, _, _ in study.normalizations}
    for number, (name, _, label) in enumerate(rows[1:], start=2):
        assert ((number, "branch") in changed) == (clean_label(label) != label)
        assert ((number, "firm") in changed) == (clean_name(name) != name)
    assert all(line.isprintable() for line in describe(study).split("\n"))


@given(st.text())
def test_normalizing_twice_changes_nothing(text: str) -> None:
    assert clean_label(clean_label(text)) == clean_label(text)


def test_levels_that_differ_in_capitals_only_stay_apart_and_are_told(tmp_path: Path) -> None:
    study = load_study(write_study(tmp_path, edit_firms=[("250,Toys", "250,toys")]))
    assert study.predictors["branch"].levels == ("Boats", "Tools", "Toys", "toys")
    assert "'Toys' and 'toys' differ only in capitals" in describe(study)


def test_profiles_priors_and_settings(tmp_path: Path) -> None:
    more = """
[priors]
phi = "Gamma(2, 0.1)"
[[profiles]]
ease = " Easy"
branch = "Toys"
skill = "Design"
size = 12.5
[fit]
seed = 0
draws = 200
target_accept = 0.9
"""
    study = load_study(write_study(tmp_path, toml=STUDY + more))
    assert study.priors == {"phi": "Gamma(2, 0.1)"}
    assert study.profiles == (
        {"ease": "Easy", "branch": "Toys", "skill": "Design", "size": "12.5"},
    )
    assert study.settings == {"seed": 0, "draws": 200, "target_accept": 0.9}


def test_a_study_cannot_be_changed(rochester: Study) -> None:
    with pytest.raises(ValueError, match="read-only"):
        rochester.outcome.printed[0] = 1.0
    with pytest.raises(AttributeError):
        rochester.name = "other"  # type: ignore[misc]


def test_a_study_travels_to_other_processes(rochester: Study) -> None:
    again = pickle.loads(pickle.dumps(rochester))  # noqa: S301
    assert again.firms == rochester.firms
    assert (again.outcome.printed == rochester.outcome.printed).all()


def test_importing_is_light() -> None:
    code = "import sys, intlmodels.studies as s; s.load_study('rochester'); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert not loaded & {"pandas", "xarray", "pymc", "arviz", "scipy", "numba", "matplotlib"}


# -- bad studies: one line that says where, what, and what instead ------------------------


def refusal(path: str | Path) -> str:
    with pytest.raises(StudyError) as caught:
        load_study(path)
    text = str(caught.value)
    # A line for each error, nothing that steers a terminal.
    assert all(line.isprintable() for line in text.split("\n")), text
    assert "Traceback" not in text
    assert max(map(len, text.split("\n"))) < 700
    return text


#: what is wrong -> (edits of firms.csv, texts that the message must hold)
BAD_FIRMS: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "missing column": (
        [("firm,share", "firm,shares")],
        ["column 'share'", "did you mean 'shares'"],
    ),
    "doubled column": (
        [("branch,second", "branch,branch")],
        ["row 1", "'branch'", "every name once"],
    ),
    "nameless column": ([("branch,second", "branch,")], ["row 1", "column 5 has no name"]),
    "doubled firm": (
        [("Cedar", " Alder")],
        ["row 4", "column 'firm'", "' Alder'", "already in row 2", "expected every firm once"],
    ),
    "unknown firm": (
        [("Cedar", "Ceder")],
        ["traits.csv", "row 4", "'Cedar'", "did you mean 'Ceder'"],
    ),
    "blank firm": ([("Cedar", "  ")], ["row 4", "column 'firm'", "'  '", "name of a firm"]),
    "too many cells": (
        [("Cedar,0,,Toys,", "Cedar,0,,Toys,,x")],
        ["row 4", "6", "expected 5", "'x'", "a decimal comma has to be a point"],
    ),
    "too few cells": (
        [("Cedar,0,,Toys,", "Cedar,0,,Toys")],
        ["row 4", "too few", "expected 5", "a spreadsheet program writes them if the last column"],
    ),
    "blank row": ([("Cedar,0,,Toys,", "")], ["row 4", "blank", "delete"]),
    "blank row with commas": ([("Cedar,0,,Toys,", ", ,,,")], ["row 4", "the row is blank"]),
    "column without a name": (
        [("branch,second", "branch,second,"), ("Alder,10,1.5,Tools,", "Alder,10,1.5,Tools,,x")]
        + [(row, f"{row},") for row in FIRMS.split("\n")[2:-1]],
        ["row 1", "column 6 has no name"],
    ),
    "a title and blank cells": (
        [("firm,share", "Table 1,,,,\nfirm,share")],
        ["row 1", "'Table 1'", "seems to be a title"],
    ),
    "a title alone": (
        [("firm,share", "Table 1\n\nfirm,share")],
        ["row 1", "'Table 1'", "seems to be a title"],
    ),
    "text after a quote": ([("Cedar,", '"Cedar"x,')], ["row 4", "double quotes"]),
    "open quote": ([("Hazel,", '"Hazel,')], ["row 9", "double quotes"]),
    "negative share": ([("Cedar,0", "Cedar,-5")], ["row 4", "column 'share'", "'-5'", "0 to 100"]),
    "share above 100": ([("Cedar,0", "Cedar,105")], ["row 4", "'105'", "0 to 100"]),
    "share off the grid": (
        [("Cedar,0", "Cedar,12")],
        ["row 4", "'share'", "'12'", "multiple of the rounding width 5: 10 or 15"],
    ),
    "text for a share": ([("Cedar,0", "Cedar,some")], ["row 4", "'some'", "expected a number"]),
    "NaN": ([("Cedar,0", "Cedar,NaN")], ["row 4", "'NaN'", "leave the cell empty"]),
    "n/a": ([("Cedar,0", "Cedar,n/a")], ["row 4", "'n/a'", "leave the cell empty"]),
    "infinity": ([("Cedar,0", "Cedar,inf")], ["row 4", "'inf'", "expected a number"]),
    "huge": ([("Cedar,0", "Cedar,1e400")], ["row 4", "'1e400'", "1e-308 to 1e308"]),
    "percent sign": (
        [("Cedar,0", "Cedar,5%")],
        ["row 4", "'5%'", "write 5 without the percent sign"],
    ),
    "percent sign and decimal comma": (
        [("Cedar,0", 'Cedar,"5,0%"')],
        ["row 4", "'5,0%'", "write 5.0 without the percent sign"],
    ),
    "a fraction": (
        [("Cedar,0", "Cedar,0.4")],
        ["row 4", "'0.4'", "multiple of the rounding width", 'write unit = "fraction"'],
    ),
    "decimal comma": ([("Cedar,0", 'Cedar,"5,0"')], ["row 4", "'5,0'", "as 5.0"]),
    "decimal comma and thousands": (
        [("Birch,25,20", 'Birch,25,"1.234.567,8"')],
        ["row 3", "'size'", "as 1234567.8"],
    ),
    "thousands": ([("Birch,25,20", 'Birch,25,"1,000,000"')], ["row 3", "'size'", "as 1000000"]),
    "typographic minus": ([("Cedar,0", "Cedar,\u22125")], ["row 4", "plain minus sign, as -5"]),
    "other digits": ([("Cedar,0", "Cedar,\u0665")], ["row 4", "expected a number"]),
    "underscore": ([("Birch,25,20", "Birch,25,2_0")], ["row 3", "'2_0'", "expected a number"]),
    "log of zero": ([("Birch,25,20", "Birch,25,0")], ["row 3", "'size'", "'0'", "above 0"]),
    "log of less": ([("Birch,25,20", "Birch,25,-1")], ["row 3", "'size'", "'-1'", "above 0"]),
    "missing label": (
        [("250,Toys", "250,")],
        ["row 6", "'branch'", "found nothing", "not reported", "delete the firm"],
    ),
    "NA for a label": ([("250,Toys", "250,NA")], ["row 6", "'branch'", "'NA'", "not reported"]),
    "second label as first": (
        [("20,Tools,Toys", "20,Tools,Tools")],
        ["row 3", "'second'", "differs"],
    ),
    "control characters": (
        [("Cedar,0", 'Cedar,"1\x1b[31m\n2\u202e"')],
        ["row 4", r"'1\x1b[31m\n2\u202e'", "expected a number"],
    ),
    "a long cell": ([("Cedar,0", "Cedar," + "x" * 500)], ["row 4", "xxx...", "expected a number"]),
    "a huge cell": ([("Cedar,0", "Cedar," + "x" * 200_000)], ["row 4", "field limit"]),
}


@pytest.mark.parametrize("case", BAD_FIRMS)
def test_bad_cells(tmp_path: Path, case: str) -> None:
    edits, expected = BAD_FIRMS[case]
    text = refusal(write_study(tmp_path, edit_firms=edits))
    for part in ["firms.csv", *expected]:
        assert part in text


BAD_TRAITS: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "unknown side of a contrast": (
        [("Fir,Easy", "Fir,easy")],
        [
            "row 7",
            "'ease'",
            "'easy'",
            "expected 'Hard' (low) or 'Easy' (high)",
            "did you mean 'Easy'",
        ],
    ),
    "missing side": ([("Fir,Easy", "Fir,N/A")], ["row 7", "'ease'", "'N/A'", "not reported"]),
    "blank family": (
        [("Making--some", "--some")],
        ["row 9", "'skill'", "before the family separator"],
    ),
    "label without reading": (
        [("Making--some", "Making--sme")],
        ["row 9", "'Making--sme design'", "reading", "two-skills", "did you mean 'Making--some"],
    ),
    "extra firm": (
        [("Gorse,", "Gorse2,")],
        ["row 8", "'Gorse2'", "a firm of firms.csv", "'Gorse'"],
    ),
}


@pytest.mark.parametrize("case", BAD_TRAITS)
def test_bad_cells_of_a_joined_table(tmp_path: Path, case: str) -> None:
    edits, expected = BAD_TRAITS[case]
    text = refusal(write_study(tmp_path, edit_traits=edits))
    for part in ["traits.csv", *expected]:
        assert part in text


#: what is wrong -> (content of firms.csv, texts that the message must hold)
BAD_FILES: dict[str, tuple[bytes | None, list[str]]] = {
    "missing": (None, ["missing", "expected it in the folder", "'traits.csv'"]),
    "zero bytes": (b"", ["empty", "expected a header"]),
    "only a mark": (b"\xef\xbb\xbf\n\n", ["empty"]),
    "header only": (FIRMS.split("\n")[0].encode(), ["header only", "expected one row per firm"]),
    "blank first row": (b"\n" + FIRMS.encode(), ["row 1", "blank"]),
    "latin-1": (
        FIRMS.replace("Cedar", "C\xe9dar").encode("latin-1"),
        ["row 4", r"\xe9", "UTF-8", "Windows-1252 the cell would be 'C\xe9dar'", "'CSV UTF-8'"],
    ),
    "latin-1 in a long cell": (
        FIRMS.replace("Cedar", "\xe9" * 500).encode("latin-1"),
        ["row 4", "'\xe9\xe9\xe9", "..."],
    ),
    "utf-16": (FIRMS.encode("utf-16"), ["row 1", "UTF-8", "not UTF-16 ('Unicode text')"]),
    "utf-16 without a mark": (FIRMS.encode("utf-16-le"), ["NUL", "UTF-16"]),
    "a NUL": (FIRMS.replace("Cedar", "Ce\0dar").encode(), ["row 4", r"'\x00'", "UTF-8"]),
    "a spreadsheet": (
        b"PK\x03\x04\xff\xfe\x00\x00",
        ["this is a workbook", "save the sheet as 'CSV UTF-8 (comma delimited)'"],
    ),
    "an old spreadsheet": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", ["this is a workbook"]),
    "semicolons": (
        FIRMS.replace(",", ";").encode(),
        [
            *("row 1", "semicolons", "expected commas"),
            "pandas.read_csv('firms.csv', sep=';', decimal=',')",
        ],
    ),
    "semicolons and decimal commas": (
        FIRMS.replace(",", ";").replace("1.5", "1,5").encode("utf-8-sig"),
        ["row 1", "semicolons", "found 'firm;share;size;branch;second'"],
    ),
    "semicolons and a comma in a name": (
        FIRMS.replace(",", ";").replace("size", "size, in euros").encode(),
        ["row 1", "semicolons"],
    ),
    "semicolons and a comma in quotes": (
        FIRMS.replace(",", ";").replace("size", '"size, in euros"').encode(),
        ["row 1", "semicolons"],
    ),
    "semicolons, not the same in all rows": (
        FIRMS.replace(",", ";").replace("Alder;", "Alder;;").encode(),
        ["row 1", "semicolons"],
    ),
    "tabs": (FIRMS.replace(",", "\t").encode(), ["row 1", "tabs", "expected commas"]),
    "two firms": ("\n".join(FIRMS.split("\n")[:3]).encode(), ["only 2 of 2 firms", "at least 3"]),
    "no shares": (
        csv_text([["firm", "share", "branch"], *([f, "", "x"] for f in "abcd")]).encode(),
        ["'share'", "no firm has a share", "at least 3"],
    ),
    "one level": (
        csv_text([["firm", "share", "branch"], *([f, "5", "x"] for f in "abcd")]).encode(),
        ["'branch'", "found 'x'", "every firm", "two or more levels"],
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files(tmp_path: Path, case: str) -> None:
    content, expected = BAD_FILES[case]
    text = refusal(write_study(tmp_path, toml=LEAST, tables={"firms.csv": content}))
    for part in ["firms.csv", *expected]:
        assert part in text


def test_what_is_blank_at_the_edges_means_nothing(tmp_path: Path) -> None:
    plain = load_study(write_study(tmp_path / "plain", toml=LEAST))
    wide = "\r\n".join(f"{row},," for row in FIRMS.splitlines())
    table = f"{wide}\r\n,,,,,,\r\n , ,,,,,\r\n\r\n".encode("utf-8-sig")
    edged = load_study(write_study(tmp_path / "edged", toml=LEAST, tables={"firms.csv": table}))
    assert edged.tables == plain.tables


def test_commas_and_semicolons_in_cells_are_no_separators(tmp_path: Path) -> None:
    table = csv_text([["firm", "share", "branch"], *([f"{f}; {f}", "5", f] for f in "abcd")])
    study = load_study(write_study(tmp_path, toml=LEAST, tables={"firms.csv": table}))
    assert study.firms == ("a; a", "b; b", "c; c", "d; d")


@pytest.mark.parametrize("book", ["firms.xlsx", "Firms 2024.ods"])
def test_a_workbook_beside_the_missing_file_is_told(tmp_path: Path, book: str) -> None:
    write_study(tmp_path, toml=LEAST, tables={"firms.csv": None, "traits.csv": None})
    (tmp_path / book).write_bytes(b"PK\x03\x04")
    assert f"save the sheet of {book!r} as 'CSV UTF-8' under this name" in refusal(tmp_path)


def test_a_folder_without_study_toml_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "firms.csv").write_text(FIRMS)
    assert "study.toml: file is missing (intlmodels new makes" in refusal(tmp_path)
    (tmp_path / "study.toml.txt").write_text(STUDY)
    assert "did you mean 'study.toml.txt'" in refusal(tmp_path)


def test_quotes_of_a_word_processor_are_told(tmp_path: Path) -> None:
    edit = [('unit = "percent"', "unit = \u201cpercent\u201d")]
    text = refusal(write_study(tmp_path, toml=STUDY, edit_toml=edit))
    assert "write plain ones" in text
    # In a text they may stand; what else is wrong with the line is told as ever.
    edit = [('title = "Eight made-up firms"', 'title = "Eight firms\u2019')]
    text = refusal(write_study(tmp_path, toml=STUDY, edit_toml=edit))
    assert "not valid TOML" in text
    assert "write plain ones" not in text


def test_shares_that_may_be_fractions_are_told(tmp_path: Path) -> None:
    rows = [["firm", "share", "branch"], *([f, f"0.{i}5", f] for i, f in enumerate("abcd"))]
    edit = [("rounding_width = 5", "rounding_width = 0.05")]
    write_study(tmp_path, toml=LEAST, edit_toml=edit, tables={"firms.csv": csv_text(rows)})
    hint = 'none is above 1 percent; for fractions write unit = "fraction"'
    assert hint in describe(load_study(tmp_path))
    toml = (tmp_path / "study.toml").read_text().replace('"percent"', '"fraction"')
    (tmp_path / "study.toml").write_text(toml)
    assert hint not in describe(load_study(tmp_path))


def test_a_folder_where_a_file_is_expected(tmp_path: Path) -> None:
    write_study(tmp_path, toml=LEAST, tables={"firms.csv": None})
    (tmp_path / "firms.csv").mkdir()
    assert "firms.csv: expected a file, but this is a folder" in refusal(tmp_path)


def test_rows_are_counted_as_a_spreadsheet_does(tmp_path: Path) -> None:
    edits = [("Alder,", '"Alder\n(formerly\nOak)",'), ("Cedar,0", "Cedar,no")]
    text = refusal(write_study(tmp_path, toml=LEAST, edit_firms=edits))
    assert "firms.csv, row 4, column 'share': found 'no'" in text


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("size", ["3"] * 8, ["found '3'", "numbers that differ"]),
        ("size", ["3", *[""] * 7], ["found '3'", "numbers that differ"]),
        ("size", [""] * 8, ["no firm has a value", "expected numbers"]),
        ("size", ["1e308", *["1.7e308"] * 7], ["too large"]),
        ("ease", ["Easy"] * 8, ["found 'Easy'", "expected both 'Hard', 'Easy'"]),
    ],
)
def test_predictors_in_which_firms_do_not_differ(
    tmp_path: Path, column: str, values: list[str], expected: list[str]
) -> None:
    rows = [["firm", "share", "ease", "size"]]
    names = "size" if column == "size" else "ease"
    for i, value in enumerate(values):
        ease = value if column == "ease" else ("Easy", "Hard")[i % 2]
        size = value if column == "size" else str(i)
        rows.append([f"f{i}", "5", ease, size])
    predictor = {
        "size": '[predictors.size]\nkind = "numeric"\ncolumn = "size"\n',
        "ease": '[predictors.ease]\nkind = "contrast"\ncolumn = "ease"\nlow="Hard"\nhigh="Easy"\n',
    }[names]
    toml = LEAST.split("[predictors")[0] + predictor
    text = refusal(write_study(tmp_path, toml=toml, tables={"firms.csv": csv_text(rows)}))
    for part in ["firms.csv", f"column '{column}'", *expected]:
        assert part in text


#: what is wrong -> (edits of study.toml, texts that the message must hold)
BAD_TOML: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "not TOML": ([('"hedge"', "hedge")], ["line 2", "not valid TOML"]),
    "a key twice": ([('title = "', 'name = "x"\ntitle = "')], ["line 3", "not valid TOML"]),
    "misspelled table": ([("[outcome]", "[outcom]")], ["[outcom]", "did you mean 'outcome'"]),
    "further outcomes alone": ([("[outcome]", "[outcomes]")], ["[outcome] is missing"]),
    "misspelled key": (
        [("rounding_width", "rounding")],
        ["[outcome] rounding", "unknown key", "did you mean 'rounding_width'", "file, column"],
    ),
    "misspelled key of a kind": ([("low =", "lower =")], ["[predictors.ease] lower", "'low'"]),
    "key of another kind": (
        [('column = "branch"', 'column = "branch"\nlow = "x"')],
        ["[predictors.branch] low", "unknown key", "family_separator"],
    ),
    "missing key": ([('unit = "percent"\n', "")], ["[outcome] unit", "missing", "'fraction'"]),
    "missing table": (
        [('[firms]\nfile = "firms.csv"\ncolumn = "firm"', "")],
        ["[firms]", "missing"],
    ),
    "text for a number": (
        [("= 5\n", '= "5"\n')],
        ["rounding_width", "'5'", "number without quotes"],
    ),
    "true for a number": ([("= 5\n", "= true\n")], ["rounding_width", "True", "expected a number"]),
    "number for text": ([('"hedge"', "7")], ["[study] name", "found 7", "expected text"]),
    "text for a list": ([('["made up"]', '"made up"')], ["[study] limits", "list of texts"]),
    "blank text": ([('column = "share"', 'column = " "')], ["[outcome] column", "not blank"]),
    "unknown model": (
        [('"share"\nsource', '"shar"\nsource')],
        ["[study] model", "'shar'", "'share'"],
    ),
    "unknown unit": ([('"percent"', '"per cent"')], ["[outcome] unit", "'per cent'", "'percent'"]),
    "name for a path": ([('"hedge"', '"../hedge"')], ["[study] name", "'../hedge'", "short name"]),
    "unknown kind": (
        [('kind = "numeric"', 'kind = "number"')],
        ["[predictors.size] kind", "'number'", "'numeric'"],
    ),
    "unknown transform": ([('"log"', '"ln"')], ["[predictors.size] transform", "'ln'", "'log'"]),
    "unknown column": (
        [('column = "branch"', 'column = "branches"')],
        ["firms.csv", "'branches'", "[predictors.branch] column", "did you mean 'branch'"],
    ),
    "unknown file": (
        [('file = "traits.csv"\ncolumn = "ease"', 'file = "trait.csv"\ncolumn = "ease"')],
        ["trait.csv", "missing", "did you mean 'traits.csv'"],
    ),
    "file elsewhere": (
        [('file = "traits.csv"\ncolumn = "ease"', 'file = "../traits.csv"\ncolumn = "ease"')],
        ["'../traits.csv'", "inside the study's folder"],
    ),
    "same sides": (
        [('high = "Easy"', 'high = " Hard"')],
        ["[predictors.ease] high", "'Hard'", "same"],
    ),
    "unknown side": (
        [('high = "Easy"', 'high = "Simple"')],
        ["traits.csv", "row 2", "'Easy'", "(high)"],
    ),
    "outcome as predictor": (
        [('column = "branch"', 'column = "share"')],
        ["[predictors.branch] column"],
    ),
    "firm as predictor": (
        [('column = "branch"', 'column = "firm"')],
        ["[predictors.branch] column"],
    ),
    "reserved name": (
        [("predictors.branch", "predictors.Phi")],
        ["[predictors.Phi]", "another name"],
    ),
    "reserved start": (
        [("predictors.branch", "predictors.sigma_x")],
        ["'sigma_x'", "another name"],
    ),
    "reserved end": ([("predictors.branch", "predictors.x_level")], ["'x_level'", "another name"]),
    "name of a model's own": (
        [("predictors.branch", "predictors.ease_z")],
        ["'ease_z'", "another name"],
    ),
    "no identifier": ([("predictors.branch", 'predictors."a b"')], ["'a b'", "ASCII letter"]),
    "names by capitals": (
        [("predictors.branch", "predictors.EASE")],
        ["'EASE'", "capitals", "ease"],
    ),
    "width of zero": (
        [("= 5\n", "= 0\n")],
        ["[outcome] rounding_width", "found 0", "from 0.001 to 100"],
    ),
    "width below zero": ([("= 5\n", "= -5\n")], ["rounding_width", "found -5", "expected"]),
    "width of nan": ([("= 5\n", "= nan\n")], ["rounding_width", "found nan", "finite"]),
    "width too fine": ([("= 5\n", "= 1e-12\n")], ["rounding_width", "found 1e-12", "from 0.001"]),
    "width with a gap": (
        [("= 5\n", "= 60\n")],
        ["rounding_width", "found 60", "half a width of 100"],
    ),
    "wrong unit": (
        [('"percent"', '"fraction"'), ("= 5\n", "= 0.05\n")],
        ["firms.csv, row 2", "0 to 1;"],
    ),
}


@pytest.mark.parametrize("case", BAD_TOML)
def test_bad_study_toml(tmp_path: Path, case: str) -> None:
    edits, expected = BAD_TOML[case]
    # Without the variants: they refer to the predictors, which some edits rename.
    text = refusal(write_study(tmp_path, toml=STUDY, edit_toml=edits))
    for part in expected:
        assert part in text
    assert "study.toml" in text or "csv, row 2" in text or ".csv: file is missing" in text


def test_neighbours_on_the_grid_are_told_in_the_unit_of_the_file(tmp_path: Path) -> None:
    toml = [('unit = "percent"', 'unit = "fraction"'), ("= 5\n", "= 0.03\n")]
    rows = [["firm", "share", "branch"], ["a", "0.33", "x"], ["b", "0.99", "y"], ["c", "1", "y"]]
    table = {"firms.csv": csv_text(rows)}
    text = refusal(write_study(tmp_path, toml=LEAST, edit_toml=toml, tables=table))
    assert (
        "row 4, column 'share': found '1'; expected a multiple of the rounding width 0.03: 0.99;"
        in text
    )


BAD_VARIANTS: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "unknown predictor": (
        [('kind = "nested"\npredictor = "skill"', 'kind = "nested"\npredictor = "skil"')],
        ["[variants.nested-skill] predictor", "'skil'", "did you mean 'skill'"],
    ),
    "nested in a contrast": (
        [('kind = "nested"\npredictor = "skill"', 'kind = "nested"\npredictor = "ease"')],
        ["[variants.nested-skill] predictor", "'ease'", "kind category"],
    ),
    "nothing to nest": (
        [('kind = "nested"\npredictor = "skill"', 'kind = "nested"\npredictor = "branch"')],
        ["[variants.nested-skill] predictor", "'branch'", "family_separator"],
    ),
    "axes of nothing": (
        [('replaces = "skill"', 'replaces = "x"')],
        ["[variants.two-skills] replaces"],
    ),
    "unknown level": (
        [('label = "Both"\ndesign = "full"', 'label = "Both"\ndesign = "ful"')],
        ["readings", "number 5", "design", "'ful'", "'full'"],
    ),
    "unknown axis": (
        [('label = "Both"\ndesign = "full"', 'label = "Both"\ndesgin = "full"')],
        ["number 5", "desgin", "unknown key", "did you mean 'design'"],
    ),
    "axis left out": (
        [('label = "Both"\ndesign = "full"', 'label = "Both"')],
        ["number 5, design", "missing", "'none'"],
    ),
    "label read twice": (
        [('label = "Both"', 'label = "Making"')],
        ["number 5", "'Making'", "once"],
    ),
    "one level": ([('["none", "limited", "full"]', '["full"]')], ["[variants.two-skills] levels"]),
    "weight of one": (
        [("0.75", "1")],
        ["[variants.second-branch] primary_weight", "found 1", "below 1"],
    ),
    "weight of a half": ([("0.75", "0.5")], ["primary_weight", "found 0.5", "above 0.5"]),
    "weight as text": ([("0.75", '"2/3"')], ["primary_weight", "'2/3'", "number without quotes"]),
    "second is first": ([('column = "second"', 'column = "branch"')], ["second-branch] column"]),
    "built-in name": (
        [("variants.second-branch", "variants.hurdle")],
        ["[variants.hurdle]", "another"],
    ),
    "bad name": ([("variants.second-branch", 'variants."a/b"')], ["'a/b'", "ASCII letters"]),
    "covariate's name": (
        [("variants.plain_size", "variants.plain-size")],
        ["'plain-size'", "ASCII"],
    ),
    "covariate's name taken": ([("variants.plain_size", "variants.size")], ["'size'", "capitals"]),
    "misspelled key": (
        [("replaces", "replace")],
        ["two-skills] replace", "did you mean 'replaces'"],
    ),
    "unknown kind": (
        [('"membership"', '"member"')],
        ["second-branch] kind", "'member'", "'membership'"],
    ),
}


@pytest.mark.parametrize("case", BAD_VARIANTS)
def test_bad_variants(tmp_path: Path, case: str) -> None:
    edits, expected = BAD_VARIANTS[case]
    text = refusal(write_study(tmp_path, edit_toml=edits))
    for part in ["study.toml", *expected]:
        assert part in text


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("[priors]\nphi = 3\n", ["[priors] phi", "found 3", "expected text"]),
        ("[fit]\ndraws = 1.5\n", ["[fit] draws", "found 1.5", "whole number"]),
        ("[fit]\nchains = 1\n", ["[fit] chains", "found 1", "from 2 to"]),
        ("[fit]\nseed = -1\n", ["[fit] seed", "found -1", "from 0"]),
        ("[fit]\ntarget_accept = 1.0\n", ["[fit] target_accept", "found 1.0", "to 0.999"]),
        ("[fit]\ntarget_accept = inf\n", ["[fit] target_accept", "found inf", "to 0.999"]),
        ("[fit]\nsteps = 3\n", ["[fit] steps", "unknown key", "seed, draws"]),
        ('[[profiles]]\nbranch = "Toyz"\n', ["[[profiles]] number 1", "'Toyz'", "mean 'Toys'"]),
        ('[[profiles]]\nbrnch = "Toys"\n', ["brnch", "unknown key", "did you mean 'branch'"]),
        ("[[profiles]]\n", ["[[profiles]] number 1", "branch", "missing"]),
        ("[[profiles]]\nbranch = 1\n", ["[[profiles]] number 1", "found 1", "expected text"]),
        ('[profiles]\nbranch = "Toys"\n', ["[[profiles]]", "expected tables"]),
        ("variants = 3\n", ["key [predictors.branch] variants", "unknown key"]),
        ("x = " + "[" * 5000 + "]" * 5000, ["nested too deeply"]),
        ("x = " + "1" * 5000, ["not valid TOML"]),
    ],
)
def test_bad_further_tables(tmp_path: Path, more: str, expected: list[str]) -> None:
    text = refusal(write_study(tmp_path, toml=LEAST + more))
    for part in ["study.toml", *expected]:
        assert part in text


@pytest.mark.parametrize(
    "name", ["rochestr", "no/such/folder", "", "x" * 5000, "a\0b", "~nobody/x"]
)
def test_no_such_study(name: str) -> None:
    text = refusal(name)
    if name == "rochestr":
        assert "did you mean 'rochester'" in text
    assert "expected" in text


def test_folder_without_study_toml(tmp_path: Path) -> None:
    write_study(tmp_path)
    (tmp_path / "study.toml").rename(tmp_path / "Study.toml.txt")
    text = refusal(tmp_path)
    assert text.startswith("study.toml: file is missing")
    assert "'firms.csv'" in text
    assert "expected the folder of a study" in refusal(tmp_path / "firms.csv")


def test_wrong_encoding_of_study_toml(tmp_path: Path) -> None:
    toml = STUDY.replace("made-up firms", "caf\xe9s").encode("latin-1")
    assert "study.toml, line 3" in refusal(write_study(tmp_path, toml=toml))


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=60), st.sampled_from(["firms.csv", "study.toml"]), st.integers(0, 300))
def test_whatever_a_file_holds_it_is_read_or_refused_in_one_line(
    tmp_path: Path, junk: bytes, file: str, position: int
) -> None:
    good = {"firms.csv": FIRMS.encode(), "study.toml": LEAST.encode()}[file]
    bad = good[:position] + junk + good[position + len(junk) :]
    write_study(tmp_path, toml=LEAST, tables={file: bad})
    try:
        said = describe(load_study(tmp_path)).replace("\n", " ")
    except StudyError as error:
        said = str(error)
    assert all(line.isprintable() for line in said.split("\n"))


def test_keys_that_contradict_each_other(tmp_path: Path) -> None:
    edits = [
        ('column = "ease"', 'column = "ease"\nkey = "firm"'),
        ('column = "skill"', 'column = "skill"\nkey = "name"'),
    ]
    text = refusal(write_study(tmp_path, toml=STUDY, edit_toml=edits))
    assert "study.toml, key [predictors.skill] key: found 'name'" in text


# -- numbers and messages ----------------------------------------------------------------


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_exactly(value: float) -> None:
    assert parse_number(f" {value!r} ") == value


@pytest.mark.parametrize("text", ["", "1 2", "0x10", "1e", "--1", "1.2.3", "1_0", "٣", "true", "½"])
def test_what_is_not_a_number(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number"):
        parse_number(text)


def test_message_is_one_line_with_where_and_what() -> None:
    error = StudyError("expected y", file="a\nb.csv", row=4, column="x\n", value="1\n2")
    assert str(error) == r"a\nb.csv, row 4, column 'x\n': found '1\n2'; expected y"
    assert (error.file, error.row, error.column, error.value) == ("a\nb.csv", 4, "x\n", "1\n2")
    assert str(StudyError("plain")) == "plain"
    assert str(StudyError("plain", value="x")) == "found 'x'; plain"
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert str(again) == str(error)
    assert again.row == 4


def test_values_are_shown_short() -> None:
    assert shown("") == "nothing"
    assert len(shown("x" * 100)) == 60
    assert did_you_mean("EASE", ["Ease", "Difficult"]) == " (did you mean 'Ease'?)"
    assert did_you_mean("zzz", ["Ease"]) == ""


def test_helper_refuses_an_edit_that_edits_nothing() -> None:
    with pytest.raises(AssertionError, match="0 times"):
        edited(FIRMS, [("Willow", "Oak")])
    assert list(csv.reader(csv_text([["a,b", 'c"']]).splitlines())) == [["a,b", 'c"']]


def test_all_bad_shares_are_reported_at_once(tmp_path: Path) -> None:
    path = write_study(tmp_path, toml=STUDY)
    table = path / "firms.csv"
    rows = table.read_text().splitlines()
    place = rows[0].split(",").index("share")
    for row, share in ((1, "x"), (4, "101"), (7, "12")):
        cells = rows[row].split(",")
        cells[place] = share
        rows[row] = ",".join(cells)
    table.write_text("\n".join(rows) + "\n")
    places = [line.split(";")[0] for line in refusal(path).split("\n")]
    assert places == [
        "firms.csv, row 2, column 'share': found 'x'",
        "firms.csv, row 5, column 'share': found '101'",
        "firms.csv, row 8, column 'share': found '12'",
    ]
