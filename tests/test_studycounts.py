"""Reading studies of counts: what comes out of good ones, and what is said about bad ones."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decaystudies import COUNTS, FIRMS, PERIODS, count_rows, write_counts_study
from intlmodels.audit import require_consistent_counts
from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import StudyError
from intlmodels.studies import DecayStudy, ShareStudy, describe, load_study
from intlmodels.studies.counts import FLAGS, rows
from studies import STUDY, csv_text, edited, write_study

TOTAL = {"id": "all", "value": 6, "status": "hard"}


def counted(folder: Path, **arguments: Any) -> DecayStudy:
    study = load_study(write_counts_study(folder, **arguments))
    assert isinstance(study, DecayStudy)
    return study


def refusal(path: Path) -> str:
    with pytest.raises(StudyError) as caught:
        load_study(path)
    text = str(caught.value)
    assert text.isprintable(), text
    assert len(text) < 700
    return text


# -- good studies ------------------------------------------------------------------------


def test_a_study_of_counts(tmp_path: Path) -> None:
    study = counted(tmp_path)
    assert study.firms == FIRMS
    assert study.sizes == ("large", "other", "other")
    assert study.periods == PERIODS
    assert study.period_weights == (0.5, 0.5)
    assert study.total == 6
    assert (study.rho, study.concentration, study.event, study.flag_label) == (
        0.05,
        1.0,
        "decision",
        "flagged",
    )
    assert study.decisions is None
    assert study.readings == {}
    assert set(study.tables) == {"firms.csv", "counts.csv"}
    by_id = {count.id: count for count in study.counts}
    assert list(by_id) == [count["id"] for count in COUNTS]
    early = by_id["early-yes"]
    assert (early.firms, early.periods, early.flags) == (FIRMS, ("early",), ("yes",))
    assert (early.relation, early.value, early.hard, early.each) == ("equal", 3, False, False)
    assert (early.file, early.row) == ("counts.csv", 5)
    assert by_id["large-late"].firms == ("Ash",)
    assert (by_id["some"].firms, by_id["some"].each) == (("Ash", "Box"), True)
    require_consistent_counts(study)


def test_counts_as_rows_of_a_table(tmp_path: Path) -> None:
    study = counted(tmp_path)
    system = rows(study.counts, study.firms, study.periods)
    assert system.member.shape == (8, 12)
    table = np.array([[[0, 2], [1, 0]], [[0, 1], [0, 0]], [[0, 0], [1, 1]]])
    assert system.true(table).tolist() == [6, 4, 3, 3, 3, 0, 2, 1]
    assert system.deviation(system.true(table)).tolist() == [0, 0, 1, 0, 0, 0, 0, 0]


def test_settings_of_the_model(tmp_path: Path) -> None:
    study = counted(
        tmp_path,
        weights=[3, 1],
        rho=0.2,
        concentration=5,
        event="acquisition",
        flag="led by a peer",
        limits=["made up"],
        toml='[priors]\nlarge = "Normal(0, 2)"\n[fit]\ndraws = 100\n',
    )
    assert study.period_weights == (0.75, 0.25)
    assert (study.rho, study.concentration) == (0.2, 5.0)
    assert (study.event, study.flag_label) == ("acquisition", "led by a peer")
    assert study.priors == {"large": "Normal(0, 2)"}
    assert study.settings == {"draws": 100}
    assert study.limits == ("made up",)


def test_only_four_columns_are_needed(tmp_path: Path) -> None:
    few = [["id", "relation", "value", "status"], ["n", "equal", "6", "hard"]]
    study = counted(tmp_path, sizes=None, periods=["all"], files={"counts.csv": few})
    (count,) = study.counts
    assert (count.firms, count.periods, count.flags) == (FIRMS, ("all",), FLAGS)
    assert (count.text, count.where, count.each) == ("", "", False)
    assert study.sizes == ("other",) * 3
    assert "all 3 of one size" in describe(study)


def test_names_may_come_in_any_order_and_with_blanks(tmp_path: Path) -> None:
    odd = {
        "id": "x",
        "firms": " Cob ;Ash",
        "periods": "late;early",
        "flag": " yes ",
        "value": "2.0",
    }
    study = counted(tmp_path, counts=[TOTAL, odd])
    assert study.counts[1].firms == ("Ash", "Cob")
    assert study.counts[1].periods == PERIODS
    assert study.counts[1].value == 2
    assert study.normalizations == (("counts.csv", 3, "flag", " yes ", "yes"),)


def test_further_columns_are_told_and_ignored(tmp_path: Path) -> None:
    study = counted(tmp_path, counts=[TOTAL | {"note": "see page 3", "unit": "deals"}])
    assert study.unused == (("counts.csv", "note"), ("counts.csv", "unit"))
    assert "columns without a meaning to the model: 'counts.csv, note'" in describe(study)


READING = """
[variants.later]
kind = "reading"
column = "other periods"
periods = ["first", "then", "last"]
weights = [1, 1, 2]
note = "Why not."
"""


def test_a_reading_gives_other_periods(tmp_path: Path) -> None:
    early = {"id": "early", "periods": "early", "value": 4, "other periods": "first; then"}
    counts = [TOTAL | {"other periods": ""}, early]
    study = counted(tmp_path, counts=counts, toml=READING)
    reading = study.readings["later"]
    assert reading.periods == ("first", "then", "last")
    assert reading.period_weights == (0.25, 0.25, 0.5)
    assert [count.periods for count in reading.counts] == [reading.periods, ("first", "then")]
    assert (reading.name, reading.note) == ("later", "Why not.")
    assert study.counts[1].periods == ("early",)
    assert study.unused == ()
    assert "all firms; first, then" in describe(study)
    require_consistent_counts(study)


MORE = """
[variants.told]
kind = "more counts"
file = "told.csv"
"""


def test_more_counts_are_added(tmp_path: Path) -> None:
    told = count_rows([{"id": "T1", "firms": "Cob", "flag": "no", "value": 1, "where": "p. 3"}])
    study = counted(tmp_path, files={"told.csv": told}, toml=MORE)
    reading = study.readings["told"]
    assert reading.counts[:-1] == study.counts
    assert (reading.counts[-1].id, reading.counts[-1].file) == ("T1", "told.csv")
    assert "1 more counts (told.csv)" in reading.change
    assert set(study.tables) == {"firms.csv", "counts.csv", "told.csv"}


def test_odd_names_come_out_intact(tmp_path: Path) -> None:
    odd = ["commas, and 'quotes'", "<b>bold</b>", "日本語 – Größe", "=SUM(A1)", "a  b"]
    periods = ["before $2000$", "2000–07 | late"]
    counts = [TOTAL] + [{"id": f, "firms": f, "periods": periods[1], "value": 1} for f in odd]
    study = counted(tmp_path, firms=odd, periods=periods, counts=counts)
    assert study.firms == tuple(odd)
    assert [count.firms for count in study.counts[1:]] == [(name,) for name in odd]
    assert {count.periods for count in study.counts[1:]} == {(periods[1],)}
    assert all(line.isprintable() for line in describe(study).split("\n"))


NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0;"), min_size=1, max_size=12).filter(
        lambda text: clean_label(text) not in ("", "NA", "N/A")
    ),
    min_size=2,
    max_size=6,
    unique_by=clean_label,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(names=NAMES, chosen=st.integers(1, 62))
def test_any_text_survives_as_a_name(tmp_path: Path, names: list[str], chosen: int) -> None:
    some = [name for i, name in enumerate(names) if chosen >> i & 1] or names[:1]
    counts = [TOTAL, {"id": "some", "firms": ";".join(reversed(some)), "value": 1}]
    study = counted(tmp_path, firms=names, counts=counts)
    assert [clean_label(f) for f in study.counts[1].firms] == [clean_label(f) for f in some]
    assert all(line.isprintable() for line in describe(study).split("\n"))


def test_a_study_travels_to_other_processes(tmp_path: Path) -> None:
    study = counted(tmp_path)
    again = pickle.loads(pickle.dumps(study))  # noqa: S301
    assert again.counts == study.counts
    with pytest.raises(AttributeError):
        study.rho = 0.5  # type: ignore[misc]


def test_importing_is_light() -> None:
    code = "import sys, intlmodels.studies as s; s.load_study('norway'); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert not loaded & {"pandas", "xarray", "pymc", "arviz", "scipy", "numba", "matplotlib"}
    assert "intlmodels.audit" not in run.stdout.split()


def test_the_class_tells_the_model(tmp_path: Path) -> None:
    assert isinstance(load_study(write_study(tmp_path / "share")), ShareStudy)
    assert isinstance(load_study(write_counts_study(tmp_path / "decay")), DecayStudy)


# -- bad counts: one line that says where, what, and what instead --------------------------

#: what is wrong -> (cells of the second count, texts that the message must hold)
BAD: dict[str, tuple[Mapping[str, Any], list[str]]] = {
    "unknown firm": ({"firms": "Ash; Bux"}, ["'firms'", "'Ash; Bux'", "did you mean 'Box'"]),
    "firms by commas": ({"firms": "Ash, Box"}, ["'Ash, Box'", "separated by ';'"]),
    "a firm twice": ({"firms": "Ash;Ash"}, ["'firms'", "'Ash'", "twice"]),
    "a firm without a name": ({"firms": "Ash;"}, ["'Ash;'", "both sides"]),
    "only a mark": ({"firms": ";"}, ["';'", "both sides"]),
    "unknown period": ({"periods": "erly"}, ["'periods'", "'erly'", "did you mean 'early'"]),
    "a period twice": ({"periods": "late; late"}, ["'periods'", "twice"]),
    "unknown size": ({"size": "Large"}, ["'size'", "'Large'", "did you mean 'large'"]),
    "firms and size": ({"firms": "Box", "size": "large"}, ["'size'", "'large'", "'firms'"]),
    "flag as TRUE": ({"flag": "TRUE"}, ["'flag'", "'TRUE'", "write yes", "or nothing"]),
    "flag as 0": ({"flag": "0"}, ["'flag'", "'0'", "write no"]),
    "flag in capitals": ({"flag": "Yes"}, ["'flag'", "'Yes'", "did you mean 'yes'"]),
    "relation as a sign": ({"relation": ">="}, ["'relation'", "'>='", "write at least"]),
    "misspelled relation": ({"relation": "at last"}, ["did you mean 'at least'"]),
    "no relation": ({"relation": ""}, ["'relation'", "found nothing", "'at most'"]),
    "unknown status": ({"status": "exact"}, ["'status'", "'exact'", "write hard"]),
    "no status": ({"status": ""}, ["'status'", "found nothing", "'noisy'"]),
    "unknown each": ({"each": "all"}, ["'each'", "'all'", "'yes'"]),
    "negative": ({"value": -1}, ["'value'", "'-1'", "from 0"]),
    "fraction": ({"value": 2.5}, ["'value'", "'2.5'", "whole number"]),
    "words": ({"value": "some"}, ["'value'", "'some'", "expected a number"]),
    "percent": ({"value": "5%"}, ["'5%'", "expected a number"]),
    "no value": ({"value": ""}, ["'value'", "delete the row"]),
    "a value that is not known": ({"value": "NA"}, ["'NA'", "delete the row"]),
    "huge": ({"value": "1e9"}, ["'1e9'", "30000"]),
    "endless": ({"value": "1e999"}, ["'1e999'", "expected a number"]),
    "no id": ({"id": " "}, ["'id'", "expected an id"]),
    "an id twice": ({"id": " all"}, ["'id'", "' all'", "row 2", "every id once"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_cells(tmp_path: Path, case: str) -> None:
    cells, expected = BAD[case]
    text = refusal(write_counts_study(tmp_path, counts=[TOTAL, {"id": "x", "value": 1} | cells]))
    for part in ["counts.csv, row 3", *expected]:
        assert part in text


def test_no_firm_of_a_size(tmp_path: Path) -> None:
    counts = [TOTAL, {"id": "x", "size": "large", "value": 1}]
    text = refusal(write_counts_study(tmp_path, counts=counts, sizes=["other"] * 3))
    assert "counts.csv, row 3, column 'size': found 'large'; no firm is of this size" in text


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (
            [{"id": "yes", "flag": "yes", "value": 3, "status": "hard"}],
            ["no row gives the total number", "'all,,,,,,equal,,N,hard,'"],
        ),
        ([{"id": "n", "value": 6}], ["row 2", "'status'", "'noisy'", "expected hard", "n gives"]),
        ([TOTAL | {"relation": "at least"}], ["no row gives"]),
        ([TOTAL | {"each": "yes"}], ["no row gives"]),
        ([TOTAL | {"firms": "Ash; Box"}], ["no row gives"]),
        ([TOTAL | {"periods": "early"}], ["no row gives"]),
        ([TOTAL | {"value": 0}], ["row 2", "'value'", "at least one"]),
    ],
)
def test_the_number_of_all_must_be_there(
    tmp_path: Path, counts: list[dict[str, Any]], expected: list[str]
) -> None:
    text = refusal(write_counts_study(tmp_path, counts=counts))
    for part in ["counts.csv", *expected]:
        assert part in text


def test_the_number_of_all_by_names(tmp_path: Path) -> None:
    total = TOTAL | {"firms": "Cob;Box;Ash", "periods": "late;early"}
    assert counted(tmp_path, counts=[total]).total == 6


@pytest.mark.parametrize(
    ("old", "new"),
    [("periods", "period"), ("firms", "Firm"), ("flag", "flags"), ("periods", "perods")],
)
def test_a_misspelled_column_is_not_passed_over(tmp_path: Path, old: str, new: str) -> None:
    header, *table = count_rows(COUNTS)
    header[header.index(old)] = new
    text = refusal(write_counts_study(tmp_path, files={"counts.csv": [header, *table]}))
    assert f"counts.csv, row 1, column '{new}': unknown column (did you mean '{old}'?)" in text


@pytest.mark.parametrize("column", ["id", "relation", "value", "status"])
def test_needed_columns(tmp_path: Path, column: str) -> None:
    header, *table = count_rows(COUNTS)
    header[header.index(column)] = "x"
    text = refusal(write_counts_study(tmp_path, files={"counts.csv": [header, *table]}))
    assert f"counts.csv, row 1, column '{column}': expected this column" in text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([], ["empty", "one row per count"]),
        (count_rows(COUNTS)[:1], ["header only", "one row per count"]),
        ([*count_rows(COUNTS), ["x"]], ["row 9", "too few cells"]),
    ],
)
def test_bad_files(tmp_path: Path, content: list[list[str]], expected: list[str]) -> None:
    text = refusal(write_counts_study(tmp_path, files={"counts.csv": content}))
    for part in ["counts.csv", *expected]:
        assert part in text


# -- bad study.toml ------------------------------------------------------------------------

#: what is wrong -> (edits of study.toml, texts that the message must hold)
BAD_TOML: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "no periods": (
        [('[periods]\nnames = ["early", "late"]\n', "")],
        ["[periods]", "missing", "order of time"],
    ),
    "no counts": ([('[counts]\nfile = "counts.csv"\n', "")], ["[counts]", "[decisions]"]),
    "empty counts": ([('file = "counts.csv"\n', "")], ["[counts] file", "missing"]),
    "misspelled table": ([("[counts]", "[count]")], ["[count]", "did you mean 'counts'"]),
    "misspelled key": ([("names =", "name =")], ["[periods] name", "did you mean 'names'"]),
    "table of another model": (
        [("[counts]", "[interactions.x]\n[counts]")],
        ["[interactions]", "unknown key", "model 'share'", "valid here: study, firms"],
    ),
    "profiles": ([("[counts]", "[[profiles]]\n[counts]")], ["[profiles]", "model 'share'"]),
    "key of another model": (
        [("[outcome]", "[outcome]\nrounding_width = 5")],
        ["[outcome] rounding_width", "model 'share'", "event, flag"],
    ),
    "kind of another model": (
        [("[counts]", '[variants.x]\nkind = "nested"\npredictor = "y"\n[counts]')],
        ["[variants.x] kind", "'nested'", "model 'share'", "'reading'"],
    ),
    "unknown kind": (
        [("[counts]", '[variants.x]\nkind = "readings"\n[counts]')],
        ["[variants.x] kind", "did you mean 'reading'"],
    ),
    "name of the model's own": (
        [("[counts]", '[variants.power]\nkind = "more counts"\nfile = "x"\n[counts]')],
        ["[variants.power]", "another name"],
    ),
    "number of the model's own": (
        [("[counts]", '[variants.repair-1]\nkind = "more counts"\nfile = "x"\n[counts]')],
        ["[variants.repair-1]", "another name"],
    ),
    "no period": ([('["early", "late"]', "[]")], ["[periods] names", "at least one"]),
    "a period twice": ([('"late"', '"early "')], ["[periods] names", "'early'", "once"]),
    "a period with a mark": ([('"late"', '"late; later"')], ["[periods] names", "';'"]),
    "periods as text": ([('["early", "late"]', '"early"')], ["names", "list of texts"]),
    "too few weights": (
        [('"late"]', '"late"]\nweights = [1]')],
        ["[periods] weights", "[1]", "2 weights"],
    ),
    "weight of zero": (
        [('"late"]', '"late"]\nweights = [1, 0]')],
        ["[periods] weights", "found 0", "above 0"],
    ),
    "weight that vanishes": (
        [('"late"]', '"late"]\nweights = [1, 1e-300]')],
        ["weights", "1e-300", "vanishes"],
    ),
    "weights beyond computing": (
        [('"late"]', '"late"]\nweights = [1e308, 1e308]')],
        ["weights", "1e+308"],
    ),
    "weight as text": (
        [('"late"]', '"late"]\nweights = ["1", 1]')],
        ["[periods] weights", "'1'", "number without quotes"],
    ),
    "a weight for all": ([('"late"]', '"late"]\nweights = 1')], ["weights", "list of numbers"]),
    "too many starts": (
        [('"late"]', '"late"]\nstarts = [2000, 2008]')],
        ["[periods] starts", "1 years"],
    ),
    "starts with fractions": (
        [('"late"]', '"late"]\nstarts = [2000.5]')],
        ["[periods] starts", "2000.5", "whole number"],
    ),
    "rho of one": ([('counts.csv"', 'counts.csv"\nrho = 1')], ["[counts] rho", "below 1"]),
    "rho of zero": ([('counts.csv"', 'counts.csv"\nrho = 0')], ["[counts] rho", "above 0"]),
    "concentration of zero": (
        [('counts.csv"', 'counts.csv"\nconcentration = 0.0')],
        ["[counts] concentration", "above 0"],
    ),
    "endless concentration": (
        [('counts.csv"', 'counts.csv"\nconcentration = inf')],
        ["[counts] concentration", "finite"],
    ),
    "a number of 400 digits": (
        [('counts.csv"', f'counts.csv"\nconcentration = {"9" * 400}')],
        ["[counts] concentration", "finite"],
    ),
    "a size that is not there": (
        [('size = "size"', 'size = "sise"')],
        ["firms.csv", "'sise'", "[firms] size", "did you mean 'size'"],
    ),
    "missing file": ([('"counts.csv"', '"count.csv"')], ["count.csv", "mean 'counts.csv'"]),
}


@pytest.mark.parametrize("case", BAD_TOML)
def test_bad_study_toml(tmp_path: Path, case: str) -> None:
    edits, expected = BAD_TOML[case]
    path = write_counts_study(tmp_path, event="deal") / "study.toml"
    path.write_text(edited(path.read_text(), edits))
    text = refusal(tmp_path)
    for part in expected:
        assert part in text
    assert "study.toml" in text or ".csv" in text


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[outcome]", "[counts]\nfile = 'x'\n[outcome]", ["[counts]", "model 'decay'"]),
        ("[outcome]", "[outcome]\nevent = 'x'", ["[outcome] event", "model 'decay'"]),
        ('column = "firm"', 'column = "firm"\nsize = "size"', ["[firms] size", "'decay'"]),
        (
            "[outcome]",
            '[variants.x]\nkind = "reading"\n[outcome]',
            ["[variants.x] kind", "'reading'", "model 'decay'"],
        ),
    ],
)
def test_a_study_of_shares_has_no_counts(
    tmp_path: Path, old: str, new: str, expected: list[str]
) -> None:
    text = refusal(write_study(tmp_path, toml=STUDY, edit_toml=[(old, new)]))
    for part in ["study.toml", *expected]:
        assert part in text


def test_a_firm_with_a_mark_in_its_name(tmp_path: Path) -> None:
    text = refusal(write_counts_study(tmp_path, firms=["A;B", "C"]))
    assert "firms.csv, column 'firm': found 'A;B'; expected names without ';'" in text


def test_one_firm_is_too_few(tmp_path: Path) -> None:
    assert "only 1 firm; expected at least 2" in refusal(write_counts_study(tmp_path, firms=["A"]))


def test_a_size_that_is_none(tmp_path: Path) -> None:
    text = refusal(write_counts_study(tmp_path, sizes=["large", "small", "other"]))
    assert "firms.csv, row 3, column 'size': found 'small'; expected one of 'large'" in text


@pytest.mark.parametrize(
    ("cells", "toml", "expected"),
    [
        (("", "frst"), READING, ["counts.csv, row 3", "'other periods'", "did you mean 'first'"]),
        (("first", ""), READING, ["counts.csv, row 2", "'other periods'", "all periods"]),
        (
            ("", ""),
            edited(READING, [('"other periods"', '"others"')]),
            ["counts.csv", "'others'", "[variants.later] column", "mean 'other periods'"],
        ),
        (
            ("", ""),
            edited(READING, [("[1, 1, 2]", "[1, 1]")]),
            ["study.toml", "[variants.later] weights", "3 weights"],
        ),
        (
            ("", ""),
            edited(READING, [('"then"', '"first"')]),
            ["study.toml", "[variants.later] periods", "'first'", "once"],
        ),
    ],
)
def test_bad_readings(
    tmp_path: Path, cells: tuple[str, str], toml: str, expected: list[str]
) -> None:
    counts = [TOTAL | {"other periods": cells[0]}]
    counts += [{"id": "early", "periods": "early", "value": 4, "other periods": cells[1]}]
    text = refusal(write_counts_study(tmp_path, counts=counts, toml=toml))
    for part in expected:
        assert part in text


def test_more_counts_need_ids_of_their_own(tmp_path: Path) -> None:
    told = count_rows([{"id": "early", "value": 1}])
    text = refusal(write_counts_study(tmp_path, files={"told.csv": told}, toml=MORE))
    assert "told.csv, row 2, column 'id': found 'early'; counts.csv, row 4 has this id" in text


# -- counts that cannot all be true ------------------------------------------------------


def why_impossible(study: DecayStudy) -> str:
    with pytest.raises(StudyError) as caught:
        require_consistent_counts(study)
    text = str(caught.value)
    assert text.isprintable()
    return text


def test_hard_counts_that_contradict_each_other_are_read_but_not_fitted(tmp_path: Path) -> None:
    counts = [
        TOTAL,
        {"id": "yes", "flag": "yes", "value": 4, "status": "hard"},
        {"id": "no", "flag": "no", "value": 3, "status": "hard"},
        {"id": "early", "periods": "early", "value": 99, "status": "noisy"},
        {"id": "Box", "firms": "Box", "relation": "at most", "value": 1, "status": "hard"},
    ]
    study = counted(tmp_path, counts=counts)
    assert describe(study)
    text = why_impossible(study)
    assert text.startswith("counts.csv: hard counts that cannot all be true: ")
    assert "all (row 2): 6, yes (row 3): 4, no (row 4): 3; expected" in text


def test_two_totals_that_differ(tmp_path: Path) -> None:
    study = counted(tmp_path, counts=[TOTAL, TOTAL | {"id": "all again", "value": 7}])
    assert study.total == 6
    assert "all (row 2): 6, all again (row 3): 7" in why_impossible(study)


def test_a_reading_that_cannot_hold(tmp_path: Path) -> None:
    counts = [
        TOTAL | {"other periods": ""},
        {"id": "early", "periods": "early", "value": 4, "other periods": "first; then"},
        {"id": "late", "periods": "late", "value": 2, "other periods": "first"},
    ]
    counts = [count | {"status": "hard"} for count in counts]
    counts += [counts[1] | {"id": "again", "value": 1, "periods": "", "relation": "at least"}]
    counts[-1] |= {"other periods": "last"}
    study = counted(tmp_path, counts=counts, toml=READING)
    require_consistent_counts(study)
    counts[-1] |= {"value": 3}
    text = why_impossible(counted(tmp_path, counts=counts, toml=READING))
    assert "in the variant 'later'" in text
    assert "again (row 5): at least 3" in text


def test_more_counts_that_cannot_hold(tmp_path: Path) -> None:
    told = count_rows([{"id": "T", "flag": "yes", "each": "yes", "value": 3, "status": "hard"}])
    study = counted(tmp_path, files={"told.csv": told}, toml=MORE)
    text = why_impossible(study)
    assert "in the variant 'told'" in text
    assert "T (told.csv, row 2): 3 each" in text


# -- whatever stands in the files ------------------------------------------------------------

GOOD = {
    "counts.csv": csv_text(
        count_rows([{**count, "other periods": ""} for count in COUNTS])
    ).encode(),
    "firms.csv": b"firm,size\nAsh,large\nBox,other\nCob,other\n",
}
FILES = ["counts.csv", "firms.csv", "study.toml", "told.csv"]


def outcome(folder: Path) -> str:
    """What is said about a study, read or refused; anything but a StudyError fails the test."""
    try:
        study = load_study(folder)
        require_consistent_counts(study)
    except StudyError as error:
        return str(error).replace("\n", " ")
    return describe(study).replace("\n", " ")


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=40), st.sampled_from(FILES), st.integers(0, 400))
def test_any_bytes_are_read_or_refused_in_one_line(
    tmp_path: Path, junk: bytes, file: str, position: int
) -> None:
    told = count_rows([{"id": "T1", "firms": "Cob", "flag": "no", "value": 1}])
    write_counts_study(tmp_path, files={"told.csv": told}, toml=READING + MORE)
    (tmp_path / "counts.csv").write_bytes(GOOD["counts.csv"])
    good = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(good[:position] + junk + good[position + len(junk) :])
    assert outcome(tmp_path).isprintable()


CELLS = ["", " ", "NA", "0", "1", "7", "-3", "2.5", "1e5", "yes", "no", "TRUE", "hard", "noisy"]
CELLS += [
    "equal",
    "at least",
    "at most",
    "large",
    "other",
    "Ash",
    "Ash;Cob",
    "early",
    "late; early",
]
CELLS += [";", "first", "\u202e", "x" * 300, '"', "all", "Ash\nBox"]


def test_errors_of_several_counts_come_at_once(tmp_path: Path) -> None:
    rows = [{**count, "status": "soft"} if i in (1, 3) else count for i, count in enumerate(COUNTS)]
    write_counts_study(tmp_path, files={"counts.csv": count_rows(rows)})
    with pytest.raises(StudyError) as caught:
        load_study(tmp_path)
    starts = [line.partition(":")[0] for line in str(caught.value).splitlines()]
    assert starts == [f"counts.csv, row {row}, column 'status'" for row in (3, 5)]


def test_cells_in_the_wrong_place_are_read_or_refused_in_one_line(tmp_path: Path) -> None:
    random_cell = random.Random(20261)
    table = count_rows([{**count, "other periods": ""} for count in COUNTS])
    refused = 0
    for _ in range(300):
        damaged = [list(row) for row in table]
        for _ in range(random_cell.randint(1, 3)):
            row = random_cell.choice(damaged)
            row[random_cell.randrange(len(row))] = random_cell.choice(CELLS)
        write_counts_study(tmp_path, files={"counts.csv": damaged}, toml=READING)
        said = outcome(tmp_path)
        assert said.isprintable()
        refused += not said.startswith("counted:")
    assert 100 < refused < 300


def test_keys_in_the_wrong_place_are_refused_in_one_line(tmp_path: Path) -> None:
    random_line = random.Random(7)
    values = [
        "3",
        '""',
        '"early"',
        "[]",
        "[1, 2]",
        "{}",
        "true",
        "nan",
        "-1",
        '["early"]',
        '"\\u0000"',
    ]
    told = count_rows([{"id": "T1", "value": 1}])
    folder = write_counts_study(
        tmp_path, files={"told.csv": told}, weights=[1, 2], rho=0.1, toml=READING + MORE
    )
    (folder / "counts.csv").write_bytes(GOOD["counts.csv"])
    good = (folder / "study.toml").read_text().splitlines()
    for _ in range(300):
        lines = list(good)
        at = random_line.choice([i for i, line in enumerate(lines) if "=" in line])
        key = lines[at].split("=")[0]
        lines[at] = f"{key}= {random_line.choice(values)}"
        if random_line.random() < 0.3:
            del lines[random_line.randrange(len(lines))]
        (folder / "study.toml").write_text("\n".join(lines))
        assert outcome(folder).isprintable()
