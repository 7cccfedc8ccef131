"""Reading studies of known decisions: their order, their periods, and what may be wrong."""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decaystudies import DECISIONS, write_counts_study, write_decisions_study
from intlmodels.audit import require_consistent_counts
from intlmodels.core.errors import MOST_ERRORS, StudyError
from intlmodels.models import design_of
from intlmodels.studies import DecayStudy, Decisions, describe, load_study
from intlmodels.studies.decisions import _in_time, _times
from intlmodels.studies.schema import DecisionsTable
from intlmodels.studies.sources import Cell
from studies import csv_text


def known(folder: Path, **arguments: Any) -> tuple[DecayStudy, Decisions]:
    study = load_study(write_decisions_study(folder, **arguments))
    assert isinstance(study, DecayStudy)
    assert study.decisions is not None
    return study, study.decisions


def refusal(path: Path) -> str:
    with pytest.raises(StudyError) as caught:
        load_study(path)
    text = str(caught.value)
    lines = text.split("\n")
    assert all(map(str.isprintable, lines)), text
    assert max(map(len, lines)) < 700
    assert len(lines) <= MOST_ERRORS + 1
    return text


# -- good studies ------------------------------------------------------------------------


def test_decisions_firm_by_firm_in_order(tmp_path: Path) -> None:
    study, decisions = known(tmp_path)
    assert study.firms == ("Ash", "Box", "Cob")
    assert decisions.firm == ("Ash", "Ash", "Ash", "Box", "Box", "Cob")
    assert decisions.when == ("1998", "2001", "2001", "1999", "2005", "1997")
    assert decisions.flag.tolist() == [1, 1, 0, 1, 0, 0]
    assert decisions.entries.tolist() == [0, 1, 2, 0, 1, 0]
    assert (study.periods, study.period_weights) == (("all",), (1.0,))
    assert set(decisions.period) == {"all"}
    assert study.counts == ()
    assert study.total == 6
    assert study.sizes == ("other",) * 3
    assert decisions.ties == 1
    require_consistent_counts(study)


def test_the_decision_table(tmp_path: Path) -> None:
    study, decisions = known(tmp_path, periods=["early", "late"], starts=[2000])
    assert decisions.period == ("early", "late", "late", "early", "late", "early")
    table = decisions.table(study.firms, study.periods)
    assert table.tolist() == [[[0, 1], [1, 1]], [[0, 1], [1, 0]], [[1, 0], [0, 0]]]


def test_firms_without_decisions_stay(tmp_path: Path) -> None:
    study, decisions = known(tmp_path, firms=["None", "Cob", "Box", "Ash"], sizes=["large"] * 4)
    assert decisions.firm[0] == "Cob"
    assert study.sizes == ("large",) * 4
    assert decisions.table(study.firms, study.periods).sum(axis=(1, 2)).tolist() == [0, 1, 2, 3]


def test_the_order_of_the_rows_is_enough(tmp_path: Path) -> None:
    rows = [(firm, flag) for firm, _, flag in DECISIONS]
    study, decisions = known(tmp_path, decisions=rows, columns=("firm", "flag"))
    assert decisions.flag.tolist() == [1, 1, 0, 1, 0, 0]
    assert set(decisions.when) == {""}
    assert decisions.ties == 0
    assert "without dates: in the order of the rows" in describe(study)


@pytest.mark.parametrize(
    ("dates", "ties"),
    [
        (["1", "2", "3"], 0),
        (["0", "1.0", "2"], 0),
        (["20010531", "20010601", "2001-06"], 1),
        (["2001.0", "2001-05-31 12:00", "2001-05-31 12:00:00"], 2),
        (["2001-05-31 23:00Z", "2001-06-01 02:00+02:00", "2001-06-01 00:00Z"], 1),
        (["2001-05-31", "2001-06-01", "2002-01-01"], 0),
        (["2001-05", "2001-05-31", "2001-06"], 1),
        # A year may mean any of its days: what it does not put in order keeps its place.
        (["2001-05", "2001", "2002-02"], 1),
        (["2001", "2001", "2001-12-31"], 2),
        (["2001-12", "2002", "2002-01"], 1),
        (["2001", "2001-03", "2001-06"], 2),
        (["2999", "2999-12", "2999-12-31"], 2),
        ([" 2001", "2002 ", "2003"], 0),
    ],
)
def test_dates_and_numbers_that_order(tmp_path: Path, dates: list[str], ties: int) -> None:
    rows = [("Ash", date, "yes") for date in dates] + [("Box", dates[0], "no")]
    study, decisions = known(tmp_path, decisions=rows)
    assert decisions.when[:3] == tuple(date.strip() for date in dates)
    assert decisions.ties == ties
    assert f"ties in time: {ties or 'none'}" in describe(study)


@pytest.mark.parametrize(
    "numbers", [("1", "2", "10"), ("1", "1", "10"), ("2001.5", "2002.25", "2002.25"), ("-3", "5")]
)
def test_numbers_order_where_study_toml_says_so(tmp_path: Path, numbers: Sequence[str]) -> None:
    rows = [("Ash", number, "yes") for number in numbers] + [("Box", numbers[0], "no")]
    path = write_decisions_study(tmp_path, decisions=rows)
    assert 'write order = "number" in [decisions]' in refusal(path)
    toml = (path / "study.toml").read_text()
    (path / "study.toml").write_text(
        toml.replace('when = "when"', 'when = "when"\norder = "number"')
    )
    study = load_study(path)
    assert isinstance(study, DecayStudy)
    assert study.decisions is not None
    assert study.decisions.ties == len(numbers) - len(set(numbers))


# The rows are in the order of the numbers, which is not that of time.
@pytest.mark.parametrize(
    "dates",
    [
        ("01052001", "31122000"),
        ("05.2001", "12.1999"),
        ("1.2000", "2.1999"),
        ("200105", "300104"),
        ("1", "98"),
        ("2001.1", "2001.10"),
        ("36892", "36893"),
        ("2001Q1", "2001Q3"),
        ("2001-05-31", "2001-05-31T10:00Z"),
    ],
)
def test_dates_in_other_forms_are_refused(tmp_path: Path, dates: Sequence[str]) -> None:
    rows = [("Ash", date, "yes") for date in dates] + [("Box", dates[0], "no")]
    assert "expected" in refusal(write_decisions_study(tmp_path, decisions=rows))


def test_a_column_of_periods(tmp_path: Path) -> None:
    rows = [("Ash", "early", "yes"), ("Box", "late", "no"), ("Ash", " early", "no")]
    study, decisions = known(
        tmp_path,
        decisions=rows,
        columns=("firm", "period", "flag"),
        periods=["early", "late"],
        weights=[1, 3],
    )
    assert decisions.period == ("early", "early", "late")
    assert study.period_weights == (0.25, 0.75)
    assert ("decisions.csv", 4, "period", " early", "early") in study.normalizations


def test_periods_and_dates_that_agree(tmp_path: Path) -> None:
    rows = [("Ash", "1999-12-31", "early", "yes"), ("Box", "2000-01-01", "late", "no")]
    columns = ("firm", "when", "period", "flag")
    _, decisions = known(
        tmp_path, decisions=rows, columns=columns, periods=["early", "late"], starts=[2000]
    )
    assert decisions.period == ("early", "late")


def test_one_period_needs_no_column(tmp_path: Path) -> None:
    study, decisions = known(tmp_path, periods=["whole time"])
    assert set(decisions.period) == {"whole time"}
    assert study.periods == ("whole time",)


def test_counts_beside_decisions(tmp_path: Path) -> None:
    files = {"decisions.csv": [("firm", "when", "flag"), *DECISIONS]}
    table = '[decisions]\nfile = "decisions.csv"\nfirm = "firm"\nwhen = "when"\nflag = "flag"\n'
    counts = [{"id": "n", "value": 6, "status": "hard"}]
    counts += [{"id": "yes", "flag": "yes", "value": 3, "status": "hard"}]
    counts += [{"id": "early", "periods": "early", "value": 1}]
    both = {"starts": [2000], "toml": table, "files": files}
    study = load_study(write_counts_study(tmp_path, counts=counts, **both))
    assert isinstance(study, DecayStudy)
    assert study.decisions is not None
    assert len(study.counts) == 3
    require_consistent_counts(study)
    counts[1]["value"] = 4
    other = load_study(write_counts_study(tmp_path, counts=counts, **both))
    with pytest.raises(StudyError, match=r"row 3, .*yes is hard, but \[decisions\] gives 3"):
        require_consistent_counts(other)


def test_decisions_cannot_be_changed(tmp_path: Path) -> None:
    study, decisions = known(tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        decisions.flag[0] = 0
    again = pickle.loads(pickle.dumps(study))  # noqa: S301
    assert again.decisions.firm == decisions.firm


def test_frame_is_for_notebooks(tmp_path: Path) -> None:
    frame = known(tmp_path)[0].frame()
    assert list(frame.columns) == ["firm", "period", "when", "prior_entries", "flag"]
    assert frame["flag"].tolist() == ["yes", "yes", "no", "yes", "no", "no"]


@given(st.lists(st.sampled_from("ABC"), min_size=1, max_size=20))
def test_prior_entries_count_earlier_decisions(firms: list[str]) -> None:
    decisions = Decisions(tuple(firms), ("all",) * len(firms), ("",) * len(firms), np.zeros(1, int))
    assert decisions.entries.tolist() == [firms[:i].count(f) for i, f in enumerate(firms)]


# -- bad decisions -------------------------------------------------------------------------


def changed(row: int, column: int, cell: str) -> list[Sequence[str]]:
    rows = [list(decision) for decision in DECISIONS]
    rows[row][column] = cell
    return [tuple(decision) for decision in rows]


@pytest.mark.parametrize(
    ("row", "column", "cell", "expected"),
    [
        (3, 0, "Asch", ["'firm'", "'Asch'", "a firm of firms.csv", "did you mean 'Ash'"]),
        (3, 0, " ", ["'firm'", "a firm of firms.csv"]),
        (3, 2, "TRUE", ["'flag'", "'TRUE'", "write yes"]),
        (3, 2, "1", ["'flag'", "'1'", "write yes"]),
        (3, 2, "y", ["'flag'", "'y'", "write yes"]),
        (3, 2, "FALSE", ["'flag'", "'FALSE'", "write no"]),
        (3, 2, "No", ["'flag'", "'No'", "did you mean 'no'"]),
        (3, 2, "Ja", ["'flag'", "'Ja'", "yes = [...] and no = [...] in [outcome]"]),
        (3, 2, "", ["'flag'", "found nothing", "'no', 'yes'"]),
        (3, 1, "", ["'when'", "found nothing", "sort the rows"]),
        (3, 1, "NA", ["'when'", "'NA'", "sort the rows"]),
        (3, 1, "May 2001", ["'when'", "'May 2001'", "2006-05-31"]),
        (3, 1, "31.5.2001", ["'when'", "'31.5.2001'", "year-month-day"]),
        (3, 1, "2001/05", ["'when'", "'2001/05'", "year-month-day"]),
        (3, 1, "2001-13", ["'when'", "'2001-13'", "date that exists"]),
        (3, 1, "2001-00", ["'when'", "'2001-00'", "date that exists"]),
        (3, 1, "0000-05", ["'when'", "'0000-05'"]),
        (3, 1, "2001-02-29", ["'when'", "'2001-02-29'", "date that exists"]),
        (3, 1, "1e999", ["'when'", "'1e999'"]),
    ],
)
def test_bad_cells(tmp_path: Path, row: int, column: int, cell: str, expected: list[str]) -> None:
    firms = ["Ash", "Box", "Cob"]
    text = refusal(
        write_decisions_study(tmp_path, decisions=changed(row, column, cell), firms=firms)
    )
    for part in [f"decisions.csv, row {row + 2}", *expected]:
        assert part in text


def test_numbers_among_dates(tmp_path: Path) -> None:
    rows = [("Ash", "2001-05-31", "yes"), ("Box", "3", "no")]
    text = refusal(write_decisions_study(tmp_path, decisions=rows))
    assert "row 3" in text
    assert "as 2001-05-31 in row 2 is one" in text


def test_rows_may_stand_in_any_order(tmp_path: Path) -> None:
    _, sorted_ = known(tmp_path / "a")
    rows = [DECISIONS[i] for i in (5, 1, 3, 4, 0, 2)]
    firms = ["Ash", "Box", "Cob"]
    study, decisions = known(tmp_path / "b", decisions=rows, firms=firms)
    # Two decisions of Ash are of 2001: they keep the order of the file.
    for name in ("firm", "when", "period", "ties"):
        assert getattr(decisions, name) == getattr(sorted_, name)
    assert decisions.flag.tolist() == sorted_.flag.tolist()
    assert not decisions.by_period
    assert "ties in time: 1; they keep the order of the rows" in describe(study)


DATES = ("2001", "2001-05", "2001-05-31", "2001-06", "2000-12-31", "2002", "2000")


@settings(deadline=None)
@given(st.lists(st.sampled_from(DATES), min_size=1, max_size=8))
def test_dates_put_rows_in_order_as_little_as_need_be(dates: list[str]) -> None:
    cells = [Cell("d.csv", row, "when", date) for row, date in enumerate(dates)]
    times = _times(cells, DecisionsTable(file="d.csv", firm="firm", flag="flag", when="when"))
    order = _in_time(times)
    assert sorted(order) == list(range(len(dates)))
    left = list(range(len(dates)))
    for place in order:
        # The first row of the file before which nothing has to come.
        able = (i for i in left if not any(times[j].last < times[i].first for j in left))
        assert place == next(able)
        left.remove(place)


def test_the_names_of_periods_order_where_nothing_else_does(tmp_path: Path) -> None:
    rows = [("Ash", "late", "yes"), ("Box", "late", "no"), ("Ash", "early", "no")]
    columns, periods = ("firm", "period", "flag"), ["early", "late"]
    study, decisions = known(tmp_path, decisions=rows, columns=columns, periods=periods)
    assert decisions.period == ("early", "late", "late")
    assert decisions.flag.tolist() == [0, 1, 0]
    assert decisions.by_period
    assert "in the order of the periods" in describe(study)


STATED = [
    ("%d.%m.%Y", ["1.2.2001", "31.12.2000", "01.02.2001"], "10.2.2001", [1, 0, 2], 1),
    ("%m/%Y", ["02/2001", "12/2000"], "13/2001", [1, 0], 0),
    ("%d %B %Y", ["1 May 2001", "30 april 2001"], "1 Mai 2001", [1, 0], 0),
    ("%b %Y", ["Feb 2001", "Jan 2001"], "2001", [1, 0], 0),
    ("%Y/%m/%d %H:%M", ["2001/01/02 23:59", "2001/01/02 00:00"], "2001/01/02", [1, 0], 0),
    ("%Y (%%)", ["2001 (%)", "1999 (%)"], "2001", [1, 0], 0),
]


def with_keys(path: Path, table: str, keys: str) -> Path:
    toml = (path / "study.toml").read_text()
    assert table in toml
    (path / "study.toml").write_text(toml.replace(table, f"{table}\n{keys}"))
    return path


@pytest.mark.parametrize(("form", "dates", "other", "order", "ties"), STATED)
def test_a_stated_format_of_dates(
    tmp_path: Path, form: str, dates: list[str], other: str, order: list[int], ties: int
) -> None:
    rows = [("Ash", date, "yes") for date in dates] + [("Box", dates[0], "no")]
    path = write_decisions_study(tmp_path, decisions=rows)
    with_keys(path, "[decisions]", f'date_format = "{form}"')
    study = load_study(path)
    assert isinstance(study, DecayStudy)
    assert study.decisions is not None
    assert study.decisions.when == (*(dates[i] for i in order), dates[0])
    assert study.decisions.ties == ties
    if other != "10.2.2001":
        rows[0] = ("Ash", other, "yes")
        with_keys(
            write_decisions_study(tmp_path, decisions=rows),
            "[decisions]",
            f'date_format = "{form}"',
        )
        assert f"row 2, column 'when': found '{other}'; expected a date that exists" in refusal(
            path
        )


def test_a_stated_date_that_does_not_exist(tmp_path: Path) -> None:
    rows = [("Ash", "29.02.2001", "yes"), ("Box", "1.1.2001", "no")]
    path = write_decisions_study(tmp_path, decisions=rows)
    with_keys(path, "[decisions]", 'date_format = "%d.%m.%Y"')
    assert "a date that exists (day is out of range for month), as 31.05.2006" in refusal(path)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("%d.%m.%y", "%y is not read"),
        ("%d.%m", "the year as %Y"),
        ("%d %Y", "a day with its month"),
        ("%Y %Y", "every code once"),
        ("%m %b %Y", "at most one code for the month"),
        ("%Y-%m %H", "a time with its day"),
        ("%Y %", "% is not read"),
    ],
)
def test_formats_that_leave_dates_open(tmp_path: Path, form: str, expected: str) -> None:
    path = with_keys(write_decisions_study(tmp_path), "[decisions]", f'date_format = "{form}"')
    text = refusal(path)
    assert "study.toml, key [decisions] date_format" in text
    assert expected in text


def test_periods_of_a_stated_format(tmp_path: Path) -> None:
    rows = [("Ash", "1.2.2001", "yes"), ("Ash", "31.12.1999", "no"), ("Box", "1.1.2000", "no")]
    path = write_decisions_study(tmp_path, decisions=rows, periods=["early", "late"], starts=[2000])
    study = load_study(with_keys(path, "[decisions]", 'date_format = "%d.%m.%Y"'))
    assert isinstance(study, DecayStudy)
    assert study.decisions is not None
    assert study.decisions.period == ("early", "late", "late")


def test_labels_of_flags_and_sizes(tmp_path: Path) -> None:
    codes = {"yes": "joint", "no": "0"}
    rows = [(firm, when, codes[flag]) for firm, when, flag in DECISIONS]
    path = write_decisions_study(
        tmp_path, decisions=rows, firms=["Ash", "Box", "Cob"], sizes=["SME", "multinational", "SME"]
    )
    refused = refusal(path)
    assert "expected one of 'large', 'other'; list other labels in sizes under [firms]" in refused
    keys = 'yes = ["joint", "1"]\nno = ["solo", "0"]'
    toml = (path / "study.toml").read_text()
    assert "[outcome]" in toml or (path / "study.toml").write_text(f"{toml}\n[outcome]\n")
    with_keys(path, "[outcome]", keys)
    with_keys(path, "[firms]", 'sizes = ["SME", "multinational"]')
    study = load_study(path)
    assert isinstance(study, DecayStudy)
    assert study.decisions is not None
    assert study.decisions.flag.tolist() == [1, 1, 0, 1, 0, 0]
    assert study.sizes == ("SME", "multinational", "SME")
    assert study.groups == {"multinational": ("Box",), "SME": ("Ash", "Cob")}
    design = design_of(study, "default")
    assert design.sizes == ("multinational", "SME")
    assert design.size_of_firm == (1, 0, 1)
    assert "1 multinational (Box), 2 SME" in describe(study)
    decisions = path / "decisions.csv"
    decisions.write_text(decisions.read_text().replace("joint", "Joint"))
    assert "expected one of 'joint', '1', 'solo', '0' (did you mean 'joint'?)" in refusal(path)


@pytest.mark.parametrize(
    ("table", "keys", "expected"),
    [
        ("[outcome]", 'yes = ["1"]', "[outcome] no: expected both yes and no"),
        ("[outcome]", 'yes = ["1"]\nno = ["1"]', "every label once"),
        ("[firms]", 'sizes = ["a", "b"]', "[firms] sizes: found ['a', 'b']; expected also the"),
        ("[firms]", 'size = "firm"\nsizes = ["a", "b", "a"]', "two or more different labels"),
        ("[firms]", 'size = "firm"\nsizes = ["a"]', "two or more different labels"),
    ],
)
def test_labels_that_tell_nothing(tmp_path: Path, table: str, keys: str, expected: str) -> None:
    path = write_decisions_study(tmp_path)
    toml = (path / "study.toml").read_text()
    if table not in toml:
        (path / "study.toml").write_text(f"{toml}\n{table}\n")
    assert expected in refusal(with_keys(path, table, keys))


def test_all_bad_cells_of_a_file_are_reported_in_its_order(tmp_path: Path) -> None:
    rows = [("Asch", "1998", "yes"), ("Ash", "199", "maybe"), ("Box", "x", "no"), *DECISIONS]
    lines = refusal(write_decisions_study(tmp_path, decisions=rows, firms=["Ash", "Box", "Cob"]))
    places = [line.split(";")[0] for line in lines.split("\n")]
    assert places == [
        "decisions.csv, row 2, column 'firm': found 'Asch'",
        "decisions.csv, row 3, column 'flag': found 'maybe'",
        "decisions.csv, row 3, column 'when': found '199'",
        "decisions.csv, row 4, column 'when': found 'x'",
    ]


def test_ten_errors_are_enough(tmp_path: Path) -> None:
    rows = [("Ash", "1998", "maybe")] * 14 + [("Box", "1998", "yes")]
    text = refusal(write_decisions_study(tmp_path, decisions=rows))
    assert text.count("found 'maybe'") == MOST_ERRORS
    assert text.endswith("\nand 4 more like these")
    error = pickle.loads(pickle.dumps(StudyError("x", file="a.csv")))  # noqa: S301
    assert str(error) == "a.csv: x"


BY_PERIOD = {"columns": ("firm", "period", "flag"), "periods": ["early", "late"]}


@pytest.mark.parametrize(
    ("rows", "arguments", "expected"),
    [
        ([("Ash", "erly", "yes"), ("Box", "late", "no")], BY_PERIOD, ["row 2", "mean 'early'"]),
        ([("Ash", "", "yes"), ("Box", "late", "no")], BY_PERIOD, ["row 2", "found nothing"]),
        (
            [("Ash", "2001", "early", "yes"), ("Ash", "2000", "late", "no")],
            {"columns": ("firm", "when", "period", "flag"), "periods": ["early", "late"]}
            | {"firms": ["Ash", "Box"]},
            ["row 2", "'period'", "'early'", "row 3", "(late)", "to agree"],
        ),
        (
            [("Ash", "early", "yes"), ("Box", "late", "no")],
            {"columns": ("firm", "period", "flag")},
            ["study.toml", "[periods]", "missing"],
        ),
        (DECISIONS, {"periods": ["early", "late"]}, ["[decisions] period", "missing", "starts"]),
        (
            [("Ash", "yes"), ("Box", "no")],
            {"columns": ("firm", "flag"), "periods": ["early", "late"], "starts": [2000]},
            ["[decisions] when", "missing", "starts"],
        ),
        (
            [("Ash", "1", "yes"), ("Box", "1", "no")],
            {"periods": ["early", "late"], "starts": [2000]},
            ["row 2", "'when'", "'1'", "expected a year", "[decisions] period"],
        ),
        (
            [("Ash", "1999", "late", "yes"), ("Box", "2001", "late", "no")],
            {
                "columns": ("firm", "when", "period", "flag"),
                "periods": ["early", "late"],
                "starts": [2000],
            },
            ["row 2", "'period'", "'late'", "1999", "'early'", "agree"],
        ),
        (
            DECISIONS,
            {"periods": ["a", "b", "c"], "starts": [2008, 2000]},
            ["[periods] starts", "found 2000", "after 2008"],
        ),
        (
            [("Ash", "1999", "yes")],
            {},
            ["firms.csv", "only 1 firm", "at least 2"],
        ),
    ],
)
def test_decisions_without_a_place(
    tmp_path: Path, rows: Any, arguments: dict[str, Any], expected: list[str]
) -> None:
    text = refusal(write_decisions_study(tmp_path, decisions=rows, **arguments))
    for part in expected:
        assert part in text


def test_variants_need_counts(tmp_path: Path) -> None:
    toml = '[variants.x]\nkind = "more counts"\nfile = "x.csv"\n'
    text = refusal(write_decisions_study(tmp_path, toml=toml))
    assert "study.toml, key [variants.x]" in text
    assert "expected a table [counts]" in text


@pytest.mark.parametrize("key", ["file", "firm", "flag"])
def test_needed_keys(tmp_path: Path, key: str) -> None:
    path = write_decisions_study(tmp_path) / "study.toml"
    lines = path.read_text().splitlines()
    start = lines.index("[decisions]")
    lines = [x for i, x in enumerate(lines) if i < start or not x.startswith(f"{key} =")]
    path.write_text("\n".join(lines))
    assert f"study.toml, key [decisions] {key}: key is missing" in refusal(tmp_path)


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    path = write_decisions_study(tmp_path) / "study.toml"
    path.write_text(path.read_text().replace('when = "when"', 'when = "wen"'))
    text = refusal(tmp_path)
    assert "decisions.csv, row 1, column 'wen'" in text
    assert "[decisions] when" in text
    assert "did you mean 'when'" in text


# -- whatever stands in the files ------------------------------------------------------------


def said_about(folder: Path) -> str:
    try:
        study = load_study(folder)
        require_consistent_counts(study)
    except StudyError as error:
        return str(error)
    return describe(study)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.binary(max_size=40),
    st.sampled_from(["decisions.csv", "firms.csv", "study.toml"]),
    st.integers(0, 300),
)
def test_any_bytes_are_read_or_refused_in_plain_lines(
    tmp_path: Path, junk: bytes, file: str, position: int
) -> None:
    write_decisions_study(tmp_path, periods=["early", "late"], starts=[2000])
    good = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(good[:position] + junk + good[position + len(junk) :])
    assert all(map(str.isprintable, said_about(tmp_path).split("\n")))


CELLS = ["", "NA", "0", "1", "-1", "2001", "2001-02", "2001-02-30", "0000", "9999-12-31", "1e308"]
CELLS += [
    "yes",
    "no",
    "TRUE",
    "Ash",
    "Cob",
    "early",
    "late",
    "\u202e",
    "x" * 300,
    "Ash\nBox",
    "3000",
]


def test_cells_in_the_wrong_place_are_read_or_refused_in_plain_lines(tmp_path: Path) -> None:
    random_cell = random.Random(20261)
    header = ["firm", "when", "period", "flag"]
    table = [header]
    table += [[f, w, "early" if w < "2000" else "late", y] for f, w, y in DECISIONS]
    write_decisions_study(
        tmp_path, decisions=table[1:], columns=header, periods=["early", "late"], starts=[2000]
    )
    refused = 0
    for _ in range(300):
        damaged = [list(row) for row in table]
        for _ in range(random_cell.randint(1, 3)):
            row = random_cell.choice(damaged)
            row[random_cell.randrange(len(row))] = random_cell.choice(CELLS)
        (tmp_path / "decisions.csv").write_text(csv_text(damaged), encoding="utf-8")
        said = said_about(tmp_path)
        assert all(map(str.isprintable, said.split("\n")))
        refused += not said.startswith("listed:")
    assert 100 < refused < 300
