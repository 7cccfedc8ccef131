"""The Norwegian study, against the paper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from intlmodels.audit import require_consistent_counts
from intlmodels.core.csvtable import read_table
from intlmodels.studies import DecayStudy, describe, list_studies, load_study
from intlmodels.studies.counts import FLAGS, rows

NORWAY = Path(__file__).resolve().parents[1] / "data" / "norway"
BEFORE, MIDDLE, LATE = PERIODS = ("before 2000", "2000-07", "2008-13")
ALL = tuple("ABCDEFGHIJKL")
LARGE = ("A", "B", "C")
SEVEN = ("A", "B", "C", "D", "E", "F", "J")

#: id -> firms, periods, flags, printed value. Sections 3.3, 4.3 and 4.6.
PRINTED = {
    "M01": (ALL, PERIODS, FLAGS, 41),
    "M02": (ALL, (BEFORE,), FLAGS, 11),
    "M03": (ALL, (MIDDLE,), FLAGS, 19),
    "M04": (ALL, (LATE,), FLAGS, 11),
    "M10": (ALL, PERIODS, ("yes",), 26),
    "M11": (ALL, PERIODS, ("no",), 15),
    "M20a": (SEVEN, PERIODS, ("yes",), 26),
    "M20b": (SEVEN, PERIODS, ("yes",), 1),
    "M28": (ALL, (BEFORE,), ("yes",), 8),
    "M29": (ALL, (MIDDLE,), ("yes",), 13),
    "M30": (ALL, (LATE,), ("yes",), 5),
    "M31": (ALL, (BEFORE,), ("no",), 3),
    "M32": (ALL, (MIDDLE,), ("no",), 6),
    "M33": (ALL, (LATE,), ("no",), 5),
    "M34": (LARGE, (BEFORE, MIDDLE), FLAGS, 11),
    "M35": (LARGE, (BEFORE, MIDDLE), ("yes",), 7),
    "M36": (LARGE, (LATE,), FLAGS, 7),
    "M37": (LARGE, (LATE,), ("yes",), 0),
}


@pytest.fixture(scope="module")
def norway() -> DecayStudy:
    study = load_study("norway")
    assert isinstance(study, DecayStudy)
    return study


def test_firms_and_their_sizes(norway: DecayStudy) -> None:
    assert "norway" in list_studies()
    assert norway.folder == NORWAY
    assert norway.firms == ALL
    assert norway.sizes == ("large",) * 3 + ("other",) * 9
    assert (norway.model, norway.event, norway.flag_label) == (
        "decay",
        "decision",
        "motivated by the cluster",
    )
    assert norway.decisions is None
    assert norway.normalizations == ()
    assert len(norway.limits) >= 5
    assert "101125" in norway.source


def test_periods_are_equally_likely(norway: DecayStudy) -> None:
    assert norway.periods == PERIODS
    np.testing.assert_allclose(norway.period_weights, 1 / 3)
    assert (norway.rho, norway.concentration) == (0.05, 1.0)


def test_counts_are_those_of_the_paper(norway: DecayStudy) -> None:
    read = {c.id: (c.firms, c.periods, c.flags, c.value) for c in norway.counts}
    assert read == PRINTED
    assert list(read) == list(PRINTED)
    assert norway.total == 41


def test_which_counts_hold_exactly(norway: DecayStudy) -> None:
    assert {c.id for c in norway.counts if c.hard} == {"M01", "M10", "M11", "M20a", "M20b"}
    assert {c.id for c in norway.counts if c.each} == {"M20b"}
    assert {c.id for c in norway.counts if c.relation != "equal"} == {"M20b"}
    assert all(c.text and c.where for c in norway.counts)
    system = rows(norway.counts, norway.firms, norway.periods)
    assert system.member.shape == (17 + 7, 12 * 3 * 2)
    require_consistent_counts(norway)


def test_what_the_text_says_of_single_firms(norway: DecayStudy) -> None:
    text = norway.readings["text"]
    assert text.counts[: len(norway.counts)] == norway.counts
    assert (text.periods, text.period_weights) == (norway.periods, norway.period_weights)
    added = text.counts[len(norway.counts) :]
    read = {c.id: (c.firms, c.periods, c.flags, c.relation, c.value, c.each) for c in added}
    heard_last_by_2008 = tuple("CGHIJKL")
    assert read == {
        "N01": (("B",), (BEFORE, MIDDLE), ("yes",), "at least", 1, False),
        "N02": (("A",), PERIODS, ("no",), "at least", 2, False),
        "N03": (("D",), PERIODS, ("no",), "at least", 1, False),
        "N07": (("E",), PERIODS, ("yes",), "at least", 5, False),
        "N08": (ALL, (BEFORE, MIDDLE), FLAGS, "at least", 1, True),
        "N09": (heard_last_by_2008, (LATE,), FLAGS, "at most", 0, True),
    }
    assert not any(c.hard for c in added)
    assert all(c.text and c.where and c.file == "text.csv" for c in added)
    third_wave = read_table(NORWAY, "interviews.csv").column("interviews_2011_13")
    assert heard_last_by_2008 == tuple(f for f, n in zip(ALL, third_wave, strict=False) if not n)
    told = [
        (o.firm, o.hard, [(s.periods, s.flags) for s in o.steps]) for o in text.orders if o.where
    ]
    yes, no = ("yes",), ("no",)
    assert told == [
        ("A", False, [((BEFORE, MIDDLE), yes), (PERIODS, no)]),
        ("D", False, [(PERIODS, yes), (PERIODS, no)]),
        ("E", False, [((BEFORE,), yes), ((MIDDLE,), yes), ((LATE,), yes), ((LATE,), yes)]),
    ]
    assert norway.orders == ()


def test_the_year_2000_on_the_other_side(norway: DecayStudy) -> None:
    reading = norway.readings["year-2000"]
    assert reading.periods == ("before 2000", "2000", "2001-07", "2008-13")
    np.testing.assert_allclose(reading.period_weights, [1 / 3, 1 / 24, 7 / 24, 1 / 3])
    one, year, after, late = reading.periods
    periods = {c.id: c.periods for c in reading.counts}
    assert periods == {
        **dict.fromkeys(("M01", "M10", "M11", "M20a", "M20b"), reading.periods),
        **dict.fromkeys(("M02", "M31"), (one,)),
        "M03": (year, after),
        **dict.fromkeys(("M04", "M30", "M33", "M36", "M37"), (late,)),
        "M28": (one, year),
        **dict.fromkeys(("M29", "M32"), (after,)),
        **dict.fromkeys(("M34", "M35"), (one, year, after)),
    }


def test_after_2008_by_the_letter(norway: DecayStudy) -> None:
    reading = norway.readings["year-2008"]
    assert reading.periods == ("before 2000", "2000-07", "2008", "2009-13")
    np.testing.assert_allclose(reading.period_weights, [1 / 3, 1 / 3, 1 / 18, 5 / 18])
    one, two, year, late = reading.periods
    periods = {c.id: c.periods for c in reading.counts}
    assert periods == {
        **dict.fromkeys(("M01", "M10", "M11", "M20a", "M20b"), reading.periods),
        **dict.fromkeys(("M02", "M28", "M31"), (one,)),
        **dict.fromkeys(("M03", "M29", "M32"), (two,)),
        **dict.fromkeys(("M04", "M30", "M33"), (year, late)),
        **dict.fromkeys(("M34", "M35"), (one, two)),
        **dict.fromkeys(("M36", "M37"), (late,)),
    }


@pytest.mark.parametrize("name", ["year-2000", "year-2008"])
def test_a_reading_changes_nothing_but_periods(norway: DecayStudy, name: str) -> None:
    reading = norway.readings[name]
    assert reading.note
    for count, other in zip(norway.counts, reading.counts, strict=True):
        assert (count.id, count.firms, count.flags, count.value, count.hard) == (
            other.id,
            other.firms,
            other.flags,
            other.value,
            other.hard,
        )


def test_some_counts_contradict_each_other(norway: DecayStudy) -> None:
    value = {c.id: c.value for c in norway.counts}
    assert value["M02"] + value["M03"] + value["M04"] == value["M01"]
    assert value["M28"] + value["M29"] + value["M30"] == value["M10"]
    assert value["M31"] + value["M32"] + value["M33"] == value["M11"] - 1
    assert value["M30"] + value["M33"] == value["M04"] - 1
    assert value["M36"] - value["M37"] > value["M33"]


def test_tables_that_are_kept_for_completeness() -> None:
    interviews = read_table(NORWAY, "interviews.csv")
    waves = [f"interviews_{wave}" for wave in ("2000_01", "2007_08", "2011_13")]
    columns = [[int(cell or 0) for cell in interviews.column(name)] for name in waves]
    total = [int(cell) for cell in interviews.column("total")]
    assert np.sum(columns, axis=0).tolist() == total
    assert [sum(column) for column in columns] == [4, 18, 42]
    assert interviews.column("firm") == (*ALL, "M")
    firms = read_table(NORWAY, "firms.csv")
    assert firms.column("activity") == interviews.column("activity")[:-1]
    cluster = read_table(NORWAY, "cluster_2012.csv")
    for row in cluster.rows:
        assert int(row[1]) == sum(int(cell) for cell in row[2:])


def test_description(norway: DecayStudy) -> None:
    text = describe(norway)
    for expected in (
        "3 large (A, B, C), 9 other",
        "decision: motivated by the cluster, or not",
        "41 in all; 5 hold exactly, 13 may be off",
        "M20b >=   1  hard   flag yes  each of A, B, C, D, E, F, J; all periods",
        "variants of this study's own: 6",
        "=   8  noisy  flag yes  all firms; before 2000, 2000",
        "'counts.csv, note'",
    ):
        assert expected in text


def test_frame_is_for_notebooks(norway: DecayStudy) -> None:
    frame = norway.frame()
    assert list(frame.index) == list(PRINTED)
    assert frame.loc["M34", "firms"] == "A; B; C"
    assert frame.loc["M37", "value"] == 0
    assert frame["hard"].sum() == 5
