"""The audit of counts, against going through every table and every subset."""

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import smallcounts
from intlmodels import audit as audits
from intlmodels.audit import conflicting, consequences
from intlmodels.audit.consequences import interchangeable
from intlmodels.audit.integers import Program
from intlmodels.audit.system import MOST_COUNTS, MOST_VALUE, Slack, System, hard, revised, subset
from intlmodels.core.errors import StudyError
from intlmodels.studies.counts import Count, rows

FIRMS = tuple("ABCDEFGHIJKL")
PERIODS = ("before 2000", "2000-07", "2008-13")
EARLY, MIDDLE, LATE = ((period,) for period in PERIODS)
LARGE, CLUSTER = tuple("ABC"), tuple("ABCDEFJ")
GROUPS = {"large": LARGE, "other": tuple("DEFGHIJKL")}
BOTH, YES, NO = ("no", "yes"), ("yes",), ("no",)


def conflicts(r):
    found = audits.subsets(r)
    assert found.complete
    return found.conflicts


def repairs(r, keep_hard=False):
    found, complete = audits.cheapest(r, keep_hard)
    assert complete
    return found


def count(name, firms, periods, flags, value, relation="equal", **more):
    return Count(name, firms, periods, flags, relation, value, **more)


#: A published list that contradicts itself.
LISTED = (
    count("M01", FIRMS, PERIODS, BOTH, 41, hard=True),
    count("M02", FIRMS, EARLY, BOTH, 11),
    count("M03", FIRMS, MIDDLE, BOTH, 19),
    count("M04", FIRMS, LATE, BOTH, 11),
    count("M10", FIRMS, PERIODS, YES, 26, hard=True),
    count("M11", FIRMS, PERIODS, NO, 15, hard=True),
    count("M20a", CLUSTER, PERIODS, YES, 26, hard=True),
    count("M20b", CLUSTER, PERIODS, YES, 1, "at least", hard=True, each=True),
    count("M28", FIRMS, EARLY, YES, 8),
    count("M29", FIRMS, MIDDLE, YES, 13),
    count("M30", FIRMS, LATE, YES, 5),
    count("M31", FIRMS, EARLY, NO, 3),
    count("M32", FIRMS, MIDDLE, NO, 6),
    count("M33", FIRMS, LATE, NO, 5),
    count("M34", LARGE, PERIODS[:2], BOTH, 11),
    count("M35", LARGE, PERIODS[:2], YES, 7),
    count("M36", LARGE, LATE, BOTH, 7),
    count("M37", LARGE, LATE, YES, 0),
)


@pytest.fixture(scope="module")
def listed():
    return rows(LISTED, FIRMS, PERIODS)


@pytest.fixture(scope="module")
def found(listed):
    return audits.audit(listed, GROUPS)


# -- small lists: every table, every subset ----------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_conflicts_and_consistent_subsets_are_those_of_brute_force(seed):
    for r, every in smallcounts.examples(seed, 20):
        minimal, left_out = smallcounts.subsets(r, every)
        got = audits.subsets(r)
        assert got.complete
        assert len(got.conflicts) == len(minimal)
        assert set(got.conflicts) == minimal
        assert len(got.left_out) == len(left_out)
        assert set(got.left_out) == left_out
        assert got.consistent == (not minimal)
        assert [len(ids) for ids in got.conflicts] == sorted(len(ids) for ids in minimal)
        fewest = min(len(out) for out in left_out)
        assert set(got.largest) == {out for out in left_out if len(out) == fewest}
        assert audits.smallest_conflict(r) == next(iter(got.conflicts), None)


@pytest.mark.parametrize("keep_hard", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_repairs_are_those_of_brute_force(seed, keep_hard):
    compared = 0
    for r, every in smallcounts.examples(10 + seed, 30):
        cost, changes = smallcounts.repairs(r, every, keep_hard)
        got = repairs(r, keep_hard)
        if cost is None:
            assert got == ()
            continue
        if cost + max(c.value for c in r.counts) >= every.max():
            continue  # larger cells than were tried might matter
        compared += 1
        assert {tuple(repair.changes.items()) for repair in got} == changes
        assert len(got) == len(changes)
        for repair in got:
            assert repair.cost == cost
            mended = revised(r, repair.changes)
            assert not mended.deviation(mended.true(repair.table)).any()
            assert repair.table.min() >= 0
            touched = [c.hard for c in r.counts if c.id in repair.changes]
            assert repair.touches_hard == any(touched)
            assert not (keep_hard and repair.touches_hard)
    assert compared > 15


@pytest.mark.parametrize("keep_hard", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_bounds_are_those_of_brute_force(seed, keep_hard):
    compared = 0
    for r, every in smallcounts.examples(20 + seed, 15):
        cost, _ = smallcounts.repairs(r, every, keep_hard)
        if cost is None or cost + max(c.value for c in r.counts) >= every.max():
            continue
        compared += 1
        weights = smallcounts.standard(r)
        together = audits.bounds(r, weights, cost, keep_hard)
        assert together == smallcounts.bounds(r, every, weights, cost, keep_hard)
        # All cheapest repairs together: from the least to the largest over them.
        single = [
            audits.bounds(revised(r, repair.changes), weights) for repair in repairs(r, keep_hard)
        ]
        for i, (low, high) in enumerate(together):
            lows, highs = [s[i][0] for s in single], [s[i][1] for s in single]
            assert low == (None if None in lows else min(lows))
            assert high == (None if None in highs else max(highs))
    assert compared > 5


def test_feasible_tables_hold_the_hard_counts_and_miss_the_others_by_least():
    for r, every in smallcounts.examples(30, 30):
        off = r.deviation(r.true(every))
        allowed = ~off[:, r.hard].any(axis=1)
        got = [consequences.feasible_table(r, np.random.default_rng(i)) for i in range(3)]
        far = consequences.feasible_table(r, np.random.default_rng(0), hard_only=True)
        if not allowed.any():
            assert got == [None] * 3
            assert far is None
            continue
        for table in got:
            missed = r.deviation(r.true(table))
            assert table.min() >= 0
            assert not missed[r.hard].any()
            assert missed.sum() == off[allowed].sum(axis=1).min()
        assert not r.deviation(r.true(far))[r.hard].any()


def test_reasons_add_up():
    explained = 0
    for r, _ in smallcounts.examples(40, 40):
        for ids in conflicts(r):
            why = audits.reason(r, ids)
            if why is None:
                continue
            explained += 1
            own = subset(r, ids)
            member = {}
            for row, i in enumerate(own.count):
                c = own.counts[i]
                each = [j for j in range(len(own.count)) if own.count[j] == i]
                member[c.id] = member.get(c.id, 0) + own.member[row]
                if c.each:
                    member[f"{c.id}[{c.firms[each.index(row)]}]"] = own.member[row]
            over = sum(n * member[name] for name, n, _ in why.left)
            under = sum(n * member[name] for name, n, _ in why.right)
            # Nothing on the left that is not on the right as often, and yet it comes to more.
            assert (over <= under).all()
            assert why.same == np.array_equal(over, under + 0 * over)
            assert why.least == sum(n * value for _, n, value in why.left)
            assert why.most == sum(n * value for _, n, value in why.right)
            assert why.least > why.most
            relation = {c.id: c.relation for c in own.counts}
            assert all(relation[name.split("[")[0]] != "at most" for name, _, _ in why.left)
            assert all(relation[name.split("[")[0]] != "at least" for name, _, _ in why.right)
    assert explained > 50


# -- the published list ------------------------------------------------------------------


def test_every_subset_of_the_published_list_is_accounted_for(listed, found):
    """No solver: conflicts are shown by adding up, consistent subsets by a table each."""
    position = {c.id: i for i, c in enumerate(LISTED)}
    assert found.complete
    assert not found.consistent
    assert (len(found.conflicts), len(found.subsets.left_out)) == (58, 56)
    for ids in found.conflicts:
        why = audits.reason(listed, ids)
        own = {
            c.id: listed.member[[listed.counts[i].id == c.id for i in listed.count]] for c in LISTED
        }
        over = sum(own[name].sum(axis=0) for name, times, _ in why.left if times == 1)
        under = sum(own[name].sum(axis=0) for name, times, _ in why.right if times == 1)
        assert (over <= under).all()
        assert why.least > why.most
    for out in found.subsets.left_out:
        kept = subset(listed, set(position) - set(out))
        table = consequences.feasible_table(kept, np.random.default_rng(0))
        assert not kept.deviation(kept.true(table)).any()
    masks = np.arange(1 << len(LISTED))
    bits = {name: 1 << i for name, i in position.items()}
    conflicting_ = np.zeros(len(masks), bool)
    for ids in found.conflicts:
        mask = sum(bits[name] for name in ids)
        conflicting_ |= (masks & mask) == mask
    consistent = np.zeros(len(masks), bool)
    for out in found.subsets.left_out:
        consistent |= (masks & sum(bits[name] for name in out)) == 0
    # Each of the 2 ** 18 subsets contains a conflict or is inside a consistent one: both lists
    # are complete, and neither has anything that is not minimal or not maximal.
    np.testing.assert_array_equal(conflicting_, ~consistent)
    for several in (found.conflicts, found.subsets.left_out):
        sets = [set(ids) for ids in several]
        assert not any(a < b for a in sets for b in sets)


def test_conflicts_that_can_be_seen_by_hand(found):
    # M04 = M30 + M33 by flag: 11 against 5 + 5. And of the 7 late decisions of the large firms
    # none has the flag, so all 7 would be among the 5 late decisions without it.
    assert found.conflicts[:2] == (("M04", "M30", "M33"), ("M33", "M36", "M37"))
    assert found.conflicts[3] == ("M11", "M31", "M32", "M33")  # 15 against 3 + 6 + 5
    # Without M33 and one of M36 and M37 everything holds, and no single count mends it: only
    # M33 is in the two smallest conflicts, and M04, M30, M36, M37 conflict without it
    # (M30 + M36 = 12 > 11 + 0).
    assert found.subsets.largest == (("M33", "M36"), ("M33", "M37"))
    assert ("M04", "M30", "M36", "M37") in found.conflicts


def test_the_two_cheapest_repairs_of_the_published_list(listed, found):
    """By hand.

    M36 - M37 <= M33 asks for a change of at least 7 - 0 - 5 = 2 in these three together, so at a
    cost of 2 nothing else changes. Then M04 = M30 + M33 makes M33 6, and the other change of one
    is in M36 or M37.
    """
    changes = [{"M33": 6, "M36": 6}, {"M33": 6, "M37": 1}]
    assert [repair.changes for repair in found.repairs] == changes
    assert [repair.changes for repair in found.repairs_hard_kept] == changes
    assert len(found.all_repairs) == 2
    for repair in found.repairs:
        assert repair.cost == 2
        assert not repair.touches_hard
        mended = revised(listed, repair.changes)
        assert not mended.deviation(mended.true(repair.table)).any()


def test_bounds_of_the_published_list(found):
    def bound(basis, name, period, flag):
        values = next(b.bounds for b in found.bases if b.name == basis)
        cells = [(c.name, c.period, c.flag) for c in found.cells]
        return values[cells.index((name, period, flag))]

    assert [b.name for b in found.bases] == [
        audits.CHEAPEST,
        "repair 1",
        "repair 2",
        audits.HARD,
    ]
    # Late decisions without the flag: 6 once repaired, and the large firms have all 6
    # (M36 - M37 = 6 either way), hence the others none.
    assert bound(audits.CHEAPEST, "large", "2008-13", "no") == (6, 6)
    assert bound(audits.CHEAPEST, "other", "2008-13", "no") == (0, 0)
    assert bound(audits.CHEAPEST, "G", "2008-13", "no") == (0, 0)
    # Late decisions with the flag: 5, of which the large firms have none or one.
    assert bound("repair 1", "other", "2008-13", "yes") == (5, 5)
    assert bound("repair 2", "other", "2008-13", "yes") == (4, 4)
    assert bound(audits.CHEAPEST, "other", "2008-13", "yes") == (4, 5)
    # Without the flag before 2008: large 11 - 7 = 4 of 9, at most 3 of them before 2000.
    assert bound(audits.CHEAPEST, "large", "2000-07", "no") == (1, 4)
    assert bound(audits.CHEAPEST, "large", "all", "no") == (10, 10)
    assert bound(audits.CHEAPEST, "other", "all", "no") == (5, 5)
    # 26 with the flag, of which the large firms have 7 or 8; D to F and J share the rest, each
    # has one at least: 19 - 3 at most.
    assert bound(audits.CHEAPEST, "D", "all", "yes") == (1, 16)
    assert bound(audits.CHEAPEST, "A", "all", "yes") == (1, 6)
    assert bound(audits.CHEAPEST, "L", "all", "yes") == (0, 0)
    # The hard counts alone: 26 over seven firms with one at least.
    assert bound(audits.HARD, "A", "all", "yes") == (1, 20)
    assert bound(audits.HARD, "A", "all", "both") == (1, 35)
    assert bound(audits.HARD, "large", "all", "yes") == (3, 22)
    assert bound(audits.HARD, "all", "all", "both") == (41, 41)


def test_a_mended_list_is_consistent(listed):
    got = audits.audit(revised(listed, {"M33": 6, "M36": 6}), GROUPS)
    assert got.consistent
    assert got.complete
    assert got.conflicts == ()
    assert got.subsets.left_out == ((),)
    assert [(repair.changes, repair.cost) for repair in got.repairs] == [({}, 0)]
    assert [basis.name for basis in got.bases] == [audits.AS_PRINTED, audits.HARD]


def test_starting_tables_differ_and_repeat(listed):
    tables = [consequences.feasible_table(listed, np.random.default_rng(i)) for i in range(6)]
    for i, table in enumerate(tables):
        # Two off at least, as for the repairs.
        assert listed.deviation(listed.true(table)).sum() == 2
        again = consequences.feasible_table(listed, np.random.default_rng(i))
        np.testing.assert_array_equal(table, again)
    apart = [np.abs(a - b).sum() for i, a in enumerate(tables) for b in tables[:i]]
    assert min(apart) > 20  # of at most 82


# -- what is particular ------------------------------------------------------------------


def test_hard_counts_in_the_way():
    firms = ("A", "B")
    r = rows(
        (
            count("total", firms, ("x",), BOTH, 5, hard=True),
            count("part", ("A",), ("x",), BOTH, 9, hard=True),
            count("rest", ("B",), ("x",), BOTH, 0),
        ),
        firms,
        ("x",),
    )
    assert audits.smallest_conflict(hard(r)) == ("total", "part")
    got = audits.audit(r)
    assert all(repair.touches_hard for repair in got.repairs)
    assert got.repairs[0].cost == 4
    assert got.repairs_hard_kept == ()
    # The hard counts contradict each other: no bounds from them alone.
    assert audits.HARD not in [basis.name for basis in got.bases]
    # Once the part is not hard, it can be mended without touching the total, at the same cost.
    soft = rows((r.counts[0], replace(r.counts[1], hard=False), r.counts[2]), firms, ("x",))
    got = audits.audit(soft)
    assert [repair.changes for repair in got.repairs_hard_kept] == [{"part": 5}]
    assert len(got.repairs) == 5  # the total 5 to 9, and the part down to it
    assert not got.repairs[0].touches_hard
    assert audits.CHEAPEST_HARD_KEPT in [basis.name for basis in got.bases]


def test_kept_hard_counts_can_make_a_repair_dearer():
    # Three counts of the same cells say 4, and a hard one says 2: changing it costs 2.
    firms, periods = ("A",), ("x",)
    same = [count(name, firms, periods, BOTH, 4) for name in "abc"]
    r = rows((count("h", firms, periods, BOTH, 2, hard=True), *same), firms, periods)
    got = audits.audit(r)
    assert [repair.changes for repair in got.repairs] == [{"h": 4}]
    assert [repair.changes for repair in got.repairs_hard_kept] == [{"a": 2, "b": 2, "c": 2}]
    assert [repair.cost for repair in got.all_repairs] == [2, 6]
    assert [basis.name for basis in got.bases[:4]] == [
        audits.CHEAPEST,
        audits.CHEAPEST_HARD_KEPT,
        "repair 1",
        "repair 2",
    ]


def test_a_count_for_each_firm_changes_for_all_of_them():
    firms, periods = ("A", "B", "C"), ("x",)
    r = rows(
        (
            count("each", firms, periods, BOTH, 1, each=True),
            count("all", firms, periods, BOTH, 6, hard=True),
        ),
        firms,
        periods,
    )
    (repair,) = repairs(r, keep_hard=True)
    assert repair.changes == {"each": 2}
    assert repair.cost == 1
    assert repair.table.sum(axis=(1, 2)).tolist() == [2, 2, 2]


def test_counts_that_only_fractions_satisfy_conflict():
    # Three firms, one decision in each pair of them: half a decision each.
    firms, periods = ("A", "B", "C"), ("x",)
    pairs = [("A", "B"), ("B", "C"), ("A", "C")]
    listed = [count("".join(pair), pair, periods, YES, 1) for pair in pairs]
    r = rows(listed, firms, periods)
    assert conflicts(r) == (("AB", "BC", "AC"),)
    assert audits.reason(r, ("AB", "BC", "AC")) is None
    assert len(repairs(r)) == 6  # any of the three, up or down by one
    assert repairs(r)[0].cost == 1


def test_reason_in_words(listed):
    def words(*ids):
        return str(audits.reason(listed, ids))

    assert words("M04", "M30", "M33") == (
        "M04 counts the same as M30 + M33, but M04 = 11 and M30 + M33 = 5 + 5 = 10."
    )
    assert words("M33", "M36", "M37") == (
        "All of M36 is in M33 + M37, but M36 = 7 and M33 + M37 = 5 + 0 = 5."
    )
    each = rows((LISTED[7], count("few", FIRMS, PERIODS, YES, 4, "at most")), FIRMS, PERIODS)
    assert str(audits.reason(each, ("M20b", "few"))) == (
        "All of M20b is in few, but M20b ≥ 7 and few ≤ 4."
    )
    none = rows((count("none", (), PERIODS, YES, 3),), FIRMS, PERIODS)
    assert str(audits.reason(none, ("none",))) == "none cannot count anything, but none = 3."


def test_no_counts_allow_everything():
    r = rows((), ("A",), ("x",))
    assert audits.smallest_conflict(r) is None
    assert audits.subsets(r).consistent
    assert audits.bounds(r, np.ones((1, 2), int)) == ((0, None),)
    assert not consequences.feasible_table(r, np.random.default_rng(0)).any()


def test_standard_cells(listed):
    cells = audits.standard_cells(listed, GROUPS | {"everybody": FIRMS})
    assert [c.name for c in cells if (c.period, c.flag) == ("all", "both")] == [
        "all",
        "large",
        "other",
        *FIRMS,
    ]
    one = next(c for c in cells if (c.name, c.period, c.flag) == ("B", "2000-07", "yes"))
    assert one.kind == "firm"
    assert np.argwhere(one.weights).tolist() == [[1, 1, 1]]
    everything = next(c for c in cells if (c.name, c.period, c.flag) == ("all", "all", "both"))
    assert everything.weights.all()


def test_firms_that_no_count_tells_apart(listed):
    classes = interchangeable(listed)
    assert len(set(classes)) == 3
    for firms in ("ABC", "DEFJ", "GHIKL"):
        assert len({int(classes[FIRMS.index(firm)]) for firm in firms}) == 1


def test_bounds_need_a_table(listed):
    with pytest.raises(StudyError, match="audit them for conflicts"):
        audits.bounds(listed, np.ones((1, 72), int))
    with pytest.raises(StudyError, match="at most 1 in total"):
        audits.bounds(listed, np.ones((1, 72), int), 1)


# -- limits ------------------------------------------------------------------------------


def one_line(error):
    assert "\n" not in str(error.value)


def test_lists_that_are_too_long_are_refused():
    firms, periods = ("A",), ("x",)
    many = [count(f"M{i}", firms, periods, BOTH, 1) for i in range(MOST_COUNTS + 1)]
    with pytest.raises(StudyError, match="at most 60 counts") as error:
        audits.audit(rows(many, firms, periods))
    one_line(error)
    large = count("M1", firms, periods, BOTH, MOST_VALUE + 1, file="counts.csv", row=7)
    with pytest.raises(StudyError, match=r"counts\.csv, row 7.*1,000,000") as error:
        audits.subsets(rows([large], firms, periods))
    one_line(error)


def test_large_values_are_exact():
    firms, periods = ("A", "B"), ("x",)
    exact = [
        count("all", firms, periods, BOTH, MOST_VALUE),
        count("A", ("A",), periods, BOTH, MOST_VALUE // 2),
        count("B", ("B",), periods, BOTH, MOST_VALUE // 2 - 1),
    ]
    r = rows(exact, firms, periods)
    assert conflicts(r) == (("all", "A", "B"),)
    assert sorted(repair.changes.items() for repair in repairs(r)) == sorted(
        {name: value}.items() for name, value in [("all", 999_999), ("A", 500_001), ("B", 500_000)]
    )


def test_what_is_cut_short_says_so(listed, monkeypatch):
    monkeypatch.setattr(conflicting, "MOST_CONFLICTS", 5)
    got = audits.subsets(listed)
    assert not got.complete
    # Still the smallest.
    assert [len(ids) for ids in got.conflicts] == [3, 3, 4, 4, 5]
    monkeypatch.setattr(consequences, "MOST_REPAIRS", 1)
    assert not audits.cheapest(listed)[1]
    assert audits.audit(listed).cut == ("conflicts", "repairs")


def far_apart(total):
    """Counts of three periods that do not add up to a hard total."""
    exact = [count("all", FIRMS, PERIODS, BOTH, total, hard=True)]
    exact += [count(f"in {p[0]}", FIRMS, p, BOTH, 10) for p in (EARLY, MIDDLE, LATE)]
    return rows([*exact, count("yes", FIRMS, PERIODS, YES, 9, hard=True)], FIRMS, PERIODS)


@pytest.mark.parametrize("total", [300, 10_000, 999_000])
def test_contradictions_of_any_size_cost_the_same(total, monkeypatch):
    asked = []
    linear = Program._linear
    monkeypatch.setattr(Program, "_linear", lambda self, *a: asked.append(1) or linear(self, *a))
    r = far_apart(total)
    found, complete = consequences.cheapest(r, keep_hard=True)
    assert len(asked) < 300
    assert not complete
    assert len({tuple(repair.changes.items()) for repair in found}) == consequences.MOST_REPAIRS
    for repair in found:
        assert repair.cost == total - 30 == sum(repair.changes.values()) - 10 * len(repair.changes)
        assert (
            not revised(r, repair.changes)
            .deviation(revised(r, repair.changes).true(repair.table))
            .any()
        )


@pytest.mark.parametrize("keep_hard", [False, True])
def test_all_repairs_are_found_where_many_stand_side_by_side(keep_hard):
    # 8 to be shared out among three counts, or among these and the total.
    found, complete = consequences.cheapest(far_apart(38), keep_hard)
    assert complete
    assert len(found) == (math.comb(10, 2) if keep_hard else math.comb(11, 3))
    assert len({tuple(repair.changes.items()) for repair in found}) == len(found)


def test_just_as_many_conflicts_as_are_listed_are_complete(listed, monkeypatch):
    monkeypatch.setattr(conflicting, "MOST_CONFLICTS", 58)
    assert audits.subsets(listed).complete
    monkeypatch.setattr(consequences, "MOST_REPAIRS", 2)
    assert len(repairs(listed)) == 2


def test_a_search_that_would_not_end_says_so(listed, monkeypatch):
    monkeypatch.setattr(conflicting, "MOST_SOLVED", 30)
    got = audits.subsets(listed)
    assert not got.complete
    assert set(got.conflicts) < set(audits.subsets(listed).conflicts) | {("M04", "M30", "M33")}
    monkeypatch.setattr(conflicting, "MOST_SOLVED", -1)
    with pytest.raises(StudyError, match="was stopped after") as error:
        audits.subsets(listed)
    one_line(error)


def test_merged_cells_are_shared_out_evenly(listed):
    system = System(listed)
    assert system.matrix.shape == (24, 30)
    x = np.arange(30)
    table = system.table(x)
    np.testing.assert_array_equal(table.ravel() @ listed.member.T, system.matrix @ x)
    np.testing.assert_array_equal(
        Slack(system).program.matrix[:, :30] @ x, listed.true(table[None])[0]
    )


def test_importing_the_audit_imports_no_solver():
    code = "import intlmodels.audit, sys; print({'scipy', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
