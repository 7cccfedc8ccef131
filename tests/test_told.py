"""An audit in words: the reasons it gives are true, whatever found them."""

from __future__ import annotations

import re

import pytest

from intlmodels.audit import (
    audit,
    audit_tables,
    audit_text,
    bound_table,
    common_counts,
    conflict_sentences,
)
from intlmodels.audit.consequences import Repair, suspects
from intlmodels.report import decay
from intlmodels.report.render import sentences
from intlmodels.studies import load_study
from intlmodels.studies.counts import Count, rows

NORWAY = load_study("norway")


@pytest.fixture(scope="module")
def norway():
    return audit(rows(NORWAY.counts, NORWAY.firms, NORWAY.periods), NORWAY.groups)


def test_every_contradiction_has_a_reason(norway):
    """That the reasons hold is tested where they are found."""
    for text in conflict_sentences(norway):
        assert re.search(r"cannot all be true\. .* but .* = \d+", text), text


def test_sentences_name_every_count_with_its_words_and_value(norway):
    first = conflict_sentences(norway)[0]
    assert "decisions made from 2008 to 2013 (M04: 11)" in first
    assert first.endswith(
        "M04 counts the same as M30 + M33, but M04 = 11 and M30 + M33 = 5 + 5 = 10."
    )


def test_contradictions_are_told_by_the_counts_that_they_share(norway):
    for conflict in norway.conflicts:
        assert "M33" in conflict or {"M36", "M37"} <= set(conflict)
    shared = "M33 or both M36 and M37"
    assert common_counts(norway) == shared
    (text,) = sentences("decay/conflict.md.j2", decay.contradiction(norway))
    assert "58 minimal contradictions. At least 2 must be wrong, by 2 in all;" in text
    assert text.endswith(f"Each contradiction contains {shared}.")
    assert f"58 minimal contradictions, each with {shared}:" in audit_text(norway)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], ()),
        ([{"a": 1, "b": 2}], (("a",), ("b",))),
        ([{"a": 1}, {"b": 2}], (("a", "b"),)),
        ([{"a": 1, "b": 2}, {"a": 3, "c": 2}, {"a": 1, "d": 0}], (("a",), ("b", "c", "d"))),
        # Two that change together with one that does it alone are not told so.
        ([{"a": 1, "b": 2}, {"c": 1}], ()),
        ([{"a": 1}, {"a": 1, "b": 2}], ()),
    ],
)
def test_sets_of_counts_of_which_one_each_is_wrong(changes, expected):
    assert suspects([Repair(one, len(one), False, None) for one in changes]) == expected


def test_tables_hold_everything_that_was_found(norway):
    tables = audit_tables(norway)
    assert len(tables["audit_conflicts.csv"]) == len(norway.conflicts)
    largest = tables["audit_largest.csv"]
    assert len(largest) == len(norway.subsets.left_out)
    assert set(largest.loc[largest["largest"], "left_out"]) == {"M33; M36", "M33; M37"}
    repairs = tables["audit_repairs.csv"]
    assert repairs["changes"].tolist() == ["M33 = 6; M36 = 6", "M33 = 6; M37 = 1"]
    bounds = bound_table(norway)
    cell = bounds[
        (bounds["basis"] == "cheapest repairs")
        & (bounds["name"] == "large")
        & (bounds["period"] == "2008-13")
        & (bounds["flag"] == "yes")
    ]
    assert cell[["low", "high"]].to_numpy().tolist() == [[0, 1]]


def test_counts_that_agree_are_said_to():
    everything = {"firms": ("A", "B"), "periods": ("x",), "flags": ("no", "yes")}
    counts = (
        Count("all", **everything, relation="equal", value=3, hard=True),
        Count("A", **{**everything, "firms": ("A",)}, relation="at most", value=1),
    )
    text = audit_text(audit(rows(counts, ("A", "B"), ("x",)), {}))
    assert "All 2 counts can be true together." in text
    assert "contradiction" not in text


def test_a_part_cannot_be_larger_than_the_whole():
    counts = (
        Count("all", ("A",), ("x",), ("no", "yes"), "equal", 3, hard=True),
        Count("more", ("A",), ("x",), ("yes",), "at least", 4),
    )
    found = audit(rows(counts, ("A",), ("x",)), {})
    (text,) = conflict_sentences(found)
    assert "All of more is in all, but more" in text
