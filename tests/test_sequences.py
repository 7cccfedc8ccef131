"""Reading a register of decisions: the same counts as one by one, and every bad row told."""

import csv
import datetime
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import intlmodels as im
from decisionregisters import (
    HEADER,
    PERIODS,
    STUDY,
    random_rows,
    sequences_of,
    write_decisions,
    write_rows,
)
from intlmodels.core.errors import StudyError
from intlmodels.models import catalogue
from intlmodels.studies import DecisionRegister, describe
from intlmodels.studies.counts import SIZES

KINDS = ("csv", "parquet")


def counted(rows, starts=()):
    """Kinds of firms, and places of decisions, by going through the rows."""
    firms, places, flags = Counter(), Counter(), Counter()
    for size, made in sequences_of(rows, starts).values():
        periods = tuple(sum(p == i for _, p in made) for i in range(len(starts) + 1))
        firms[SIZES.index(size), periods, sum(flag for flag, _ in made)] += 1
        for k, (flag, period) in enumerate(made):
            places[SIZES.index(size), period, k] += 1
            flags[SIZES.index(size), period, k] += flag
    return firms, places, flags


def counts_of(study):
    """The same of a study."""
    c = study.sequences
    firms = {
        (int(size), tuple(made.tolist()), int(flagged)): int(n)
        for size, made, flagged, n in zip(c.size, c.made, c.flagged, c.firms, strict=True)
    }
    keys = list(zip(c.at_size.tolist(), c.at_period.tolist(), c.at_entries.tolist(), strict=True))
    places = dict(zip(keys, c.at_made.tolist(), strict=True))
    return firms, places, dict(zip(keys, c.at_flagged.tolist(), strict=True))


def refusal(folder, out=None):
    with pytest.raises(StudyError) as caught:
        im.reduce(folder, out)
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 600
    return text


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 10**6),
    firms=st.integers(2, 25),
    ties=st.booleans(),
    kind=st.sampled_from(KINDS),
    periods=st.booleans(),
)
def test_counts_are_those_of_going_through_the_rows(tmp_path, seed, firms, ties, kind, periods):
    rows = random_rows(np.random.default_rng(seed), firms, ties=ties)
    toml = STUDY + PERIODS * periods
    folder = write_decisions(tmp_path, toml, files=f"rows/a.{kind}")
    write_rows(folder / "rows" / f"a.{kind}", rows)
    study = im.reduce(folder)
    starts = (2000,) if periods else ()
    assert counts_of(study) == tuple(map(dict, counted(rows, starts)))
    found = sequences_of(rows, starts)
    assert study.read.firms == len(found)
    assert study.read.sequences == len(set(found.values()))
    assert study.longest == max(len(made) for _, made in found.values())
    assert study.total == len(rows)
    if not ties:
        assert study.read.ties == 0


def test_ties_keep_the_order_of_rows_and_are_told(tmp_path):
    folder = write_decisions(tmp_path)
    rows = [("A", "2001", "yes", "other"), ("B", "2000", "no", "large")]
    rows += [("A", "2000", "no", "other"), ("A", "2001", "no", "other")]
    write_rows(folder / "rows" / "a.csv", rows)
    study = im.reduce(folder)
    assert study.read.ties == 1
    flags = dict(zip(study.sequences.at_entries.tolist(), study.sequences.at_flagged, strict=True))
    assert flags[1] == 1  # 2000 no; 2001 yes, then no
    assert "ties      1 decisions" in describe(study)


@pytest.mark.parametrize(
    ("dates", "order"),
    [
        (("2001-02-03", "2001-01-30", "1999-12-31"), (2, 1, 0)),
        (("2001-02", "2001-01", "2000-12"), (2, 1, 0)),
        (("2001-02-03 10:00:00", "2001-02-03 09:59:59.5", "2001-02-02T23:00:00"), (2, 1, 0)),
        (("2001-02-03T10:00", "2001-02-03 09:59", "2001-02-02 23:00:00.25"), (2, 1, 0)),
        (("2001-02-03T10:00Z", "2001-02-03 10:30+01:00", "2001-02-03 05:00:00-0400"), (2, 1, 0)),
        (("20010203", "20010130", "19991231"), (2, 1, 0)),
        (("2001.0", "2000", "1999.0"), (2, 1, 0)),
        (("3", "2", "1"), (2, 1, 0)),
        (("2.0", "1", "0"), (2, 1, 0)),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_dates_of_every_form_order(tmp_path, dates, order, kind):
    folder = write_decisions(tmp_path, files=f"rows/a.{kind}")
    flags = ("yes", "no", "no")
    rows = [("A", when, flag, "other") for when, flag in zip(dates, flags, strict=True)]
    write_rows(folder / "rows" / f"a.{kind}", [*rows, ("B", min(dates), "no", "other")])
    study = im.reduce(folder)
    entries = study.sequences.at_entries[study.sequences.at_flagged > 0]
    assert entries.tolist() == [order.index(0)]


@pytest.mark.parametrize(
    "numbers",
    [
        ("10", "9", "8.5", "-7"),
        ("1136073600000000002", "1136073600000000001", "1136073600000000000"),
        ("2001.10", "2001.0999", "2001.01"),
        ("007", "006"),
    ],
)
def test_numbers_order_where_study_toml_says_so(tmp_path, numbers):
    folder = write_decisions(tmp_path)
    rows = [("A", when, "no" if i else "yes", "other") for i, when in enumerate(numbers)]
    write_rows(folder / "rows" / "a.csv", [*rows, ("B", numbers[0], "no", "other")])
    assert 'order = "number"' in refusal(folder)
    write_decisions(tmp_path, order="number")
    study = im.reduce(folder)
    entries = study.sequences.at_entries[study.sequences.at_flagged > 0]
    assert entries.tolist() == [len(numbers) - 1]
    assert study.read.ties == 0


#: Ways to write a date that would sort by accident, not in time.
OTHER_FORMS = (
    *("%d%m%Y", "%m%d%Y", "%m%Y", "%Y%m", "%d%m%y", "%y%m%d", "%y%m", "%y", "%y.0", "%m.%Y"),
    *("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%y", "%Y/%m/%d", "%Y-%j", "%Y.%m", "%YW%W", "%G-W%V", "%B %Y"),
    *("%d%m", "%m%d", "%Y-%m-%d %I:%M %p", "00%y-%m-%d", "0%Y", "%Ye0", "%Y,%m", "-%Y"),
)


def days_of(seed, firms=30):
    """Decisions of firms on days from all over the turn of the century; the first has the flag."""
    rng = np.random.default_rng(seed)
    start = datetime.date(1996, 1, 1).toordinal()
    for i in range(firms):
        days = sorted(rng.choice(9 * 365, 4, replace=False).tolist())
        for k in rng.permutation(4).tolist():
            yield f"firm {i}", datetime.date.fromordinal(start + days[k]), k == 0


@pytest.mark.parametrize("form", OTHER_FORMS)
@pytest.mark.parametrize("policy", ["stop", "set aside"])
def test_no_date_is_sorted_by_a_form_that_fits_by_accident(tmp_path, form, policy):
    folder = write_decisions(tmp_path, bad_rows=policy)
    rows = []
    for firm, day, first in days_of(1):
        when = day.strftime(form)
        # As a spreadsheet writes numbers.
        when = when.lstrip("0") or "0" if form in ("%y", "%y.0", "%d%m", "%m%d") else when
        rows.append((firm, when, "yes" if first else "no", "other"))
    write_rows(folder / "rows" / "a.csv", rows)
    assert "expected" in refusal(folder, tmp_path / "out")
    assert not (tmp_path / "out" / "cells.csv").exists()


def test_serial_numbers_of_spreadsheets_and_seconds_are_told_to_be_numbers(tmp_path):
    folder = write_decisions(tmp_path)
    for scale in (1, 86400, 86_400_000):
        rows = [
            (firm, str((day.toordinal() - 693594) * scale), "yes" if first else "no", "other")
            for firm, day, first in days_of(2)
        ]
        write_rows(folder / "rows" / "a.csv", rows)
        assert 'write order = "number"' in refusal(folder)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["%Y%m%d", "%Y-%m-%d", "%Y-%m-%dT10:00:00+05:30"])
def test_days_are_sorted_in_time_and_placed_by_their_year(tmp_path, form, kind):
    folder = write_decisions(tmp_path, STUDY + PERIODS, files=f"rows/a.{kind}")
    days = list(days_of(3))
    rows = [(f, d.strftime(form), "yes" if first else "no", "other") for f, d, first in days]
    write_rows(folder / "rows" / f"a.{kind}", rows)
    study = im.reduce(folder)
    assert set(study.sequences.at_entries[study.sequences.at_flagged > 0].tolist()) == {0}
    late = study.sequences.at_made[study.sequences.at_period == 1].sum()
    assert late == sum(day.year >= 2000 for _, day, _ in days)


@pytest.mark.parametrize(
    "type_",
    ["DATE", "TIMESTAMP", "TIMESTAMP_NS", "INTEGER", "DOUBLE", "DECIMAL(9, 1)"],
)
def test_types_of_parquet_sort_in_time(tmp_path, type_):
    import duckdb

    folder = write_decisions(tmp_path, files="rows/a.parquet")
    day = "strftime(DATE '2001-01-31' - CAST(30 * i AS INTEGER), '%Y%m%d')"
    when = f"CAST({day} AS {type_})" if type_[0] in "ID" and type_ != "DATE" else ""
    when = when or f"CAST(DATE '2001-01-31' - CAST(30 * i AS INTEGER) AS {type_})"
    duckdb.execute(
        f"COPY (SELECT f AS firm, {when} AS \"when\", CASE WHEN i = 3 THEN 'yes' ELSE 'no' END AS "
        "flag, 'other' AS size FROM range(4) a(i), range(3) b(f)) TO "
        f"'{folder / 'rows' / 'a.parquet'}' (FORMAT parquet)"
    )
    counted = im.reduce(folder).sequences
    assert counted.at_entries[counted.at_flagged > 0].tolist() == [0]
    assert counted.at_flagged.sum() == 3


def test_numbers_that_do_not_count_the_decisions_of_a_firm(tmp_path):
    folder = write_decisions(tmp_path)
    for numbers in (("98", "99", "1"), ("1", "1", "2"), ("2", "3", "4"), ("1", "2", "4")):
        rows = [("A", when, "no", "other") for when in numbers]
        write_rows(folder / "rows" / "a.csv", [*rows, ("B", "1", "no", "other")])
        text = refusal(folder)
        assert "'A'" in text
        assert "do not count its decisions" in text


def test_typed_columns_of_parquet(tmp_path):
    import duckdb

    folder = write_decisions(tmp_path, files="rows")
    path = folder / "rows" / "a.parquet"
    duckdb.execute(
        "COPY (SELECT * FROM (VALUES (7, DATE '2001-05-01', 'yes', 'other'), "
        "(7, DATE '2000-05-01', 'no', 'other'), (8, DATE '2003-01-01', 'no', 'large')) "
        f"t(firm, \"when\", flag, size)) TO '{path}' (FORMAT parquet)"
    )
    study = im.reduce(folder)
    assert study.read.firms == 2
    assert study.sequences.at_flagged.sum() == 1


def test_names_are_cleaned_as_labels_are(tmp_path):
    folder = write_decisions(tmp_path)
    names = ["A  B", " A B", "A\N{NO-BREAK SPACE}B", "Cafe\u0301", "Caf\u00e9", "A B\u2003"]
    write_rows(
        folder / "rows" / "a.csv", [(n, f"200{i}", "no", "other") for i, n in enumerate(names)]
    )
    study = im.reduce(folder)
    assert study.read.firms == 2
    assert study.sequences.made[:, 0].tolist() == [2, 4]


def test_several_files_with_other_columns(tmp_path):
    rows = random_rows(np.random.default_rng(3), 20)
    folder = write_decisions(tmp_path)
    write_rows(folder / "rows" / "a.csv", rows[:30])
    turned = [(size, "x", flag, firm, when) for firm, when, flag, size in rows[30:]]
    write_rows(folder / "rows" / "b.csv", turned, ("size", "", "flag", "firm", "when"))
    assert counts_of(im.reduce(folder)) == tuple(map(dict, counted(rows)))


def test_without_sizes_all_firms_are_alike(tmp_path):
    folder = write_decisions(tmp_path, STUDY.replace('size = "size"\n', ""))
    write_rows(folder / "rows" / "a.csv", random_rows(np.random.default_rng(3), 20))
    study = im.reduce(folder)
    assert study.sizes == ("other",)
    assert [*catalogue(study)] == ["default", "power", "step"]


# -- what is kept ------------------------------------------------------------------------


def test_counts_are_kept_until_something_changes(tmp_path):
    folder, out = write_decisions(tmp_path / "a"), tmp_path / "out"
    path = folder / "rows" / "a.csv"
    rows = random_rows(np.random.default_rng(4), 15)
    write_rows(path, rows)
    first = counts_of(im.reduce(folder, out))
    made = (out / "cells.json").stat().st_mtime_ns
    assert counts_of(im.reduce(folder, out)) == first
    assert (out / "cells.json").stat().st_mtime_ns == made
    (out / "places.csv").write_text("changed", encoding="utf-8")
    assert counts_of(im.reduce(folder, out)) == first
    write_rows(path, [*rows, ("new", "1990", "yes", "large")])
    assert counts_of(im.reduce(folder, out)) != first


def test_a_record_of_counts_that_was_changed_counts_as_none(tmp_path):
    folder, out = write_decisions(tmp_path / "a"), tmp_path / "out"
    write_rows(folder / "rows" / "a.csv", random_rows(np.random.default_rng(4), 15))
    first = im.reduce(folder, out)
    path = out / "cells.json"
    whole = path.read_text(encoding="utf-8")
    changed = json.loads(whole)
    changed["read"]["rows"] += 1
    for text in ("[]", "null", "[" * 200_000, "9" * 10_000, json.dumps(changed)):
        path.write_text(text, encoding="utf-8")
        assert im.reduce(folder, out).read == first.read
        assert path.read_text(encoding="utf-8") == whole


def test_periods_of_a_column(tmp_path):
    toml = STUDY.replace('size = "size"\n', 'size = "size"\nperiod = "period"\n')
    folder = write_decisions(tmp_path, toml + '\n[periods]\nnames = ["early", "late"]\n')
    rows = random_rows(np.random.default_rng(5), 15)
    told = [(*row, "late" if float(row[1]) >= 2000 else "early") for row in rows]
    write_rows(folder / "rows" / "a.csv", told, (*HEADER, "period"))
    out = tmp_path / "out"
    expected = tuple(map(dict, counted(rows, (2000,))))
    assert counts_of(im.reduce(folder, out)) == expected
    assert counts_of(im.reduce(folder, out)) == expected  # as kept
    assert "decisions early" in (out / "cells.csv").read_text(encoding="utf-8")


# -- what cannot be read -----------------------------------------------------------------

GOOD = [("A", "2001-01-01", "yes", "other"), ("B", "2002-01-01", "no", "large")]
GOOD += [("C", "2003-01-01", "no", "other"), ("A", "2004-01-01", "no", "other")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("", "2001-01-01", "yes", "other"), "expected the name of a firm"),
        (("A", "2001-01-01", "maybe", "other"), "expected one of"),
        (("A", "2001-01-01", "1", "other"), "write yes"),
        (("A", "2001-02-30", "yes", "other"), "expected a date that exists"),
        (("A", "2001", "yes", "other"), "written like most dates of this register: 2006-05-31"),
        (("A", "soon", "yes", "other"), "it is a number that orders"),
        (("A", "", "yes", "other"), "it is a number that orders"),
        (("A", "2001-01-01", "yes", "small"), "expected one of"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_row_stops_or_is_set_aside_with_its_firm(tmp_path, row, said, kind):
    folder = write_decisions(tmp_path / "a", files=f"rows/a.{kind}")
    rows = [*GOOD, row, ("D", "2001-01-01", "no", "other")]
    write_rows(folder / "rows" / f"a.{kind}", rows)
    number = 6 if kind == "csv" else 5
    text = refusal(folder)
    assert said in text
    assert f"row {number}" in text
    assert "1 of 6 rows cannot be read" in text
    out = tmp_path / "out"
    write_decisions(folder, files=f"rows/a.{kind}", bad_rows="set aside")
    study = im.reduce(folder, out)
    left = rows[:4] + rows[5:] if not row[0] else [r for r in rows if r[0] != "A"]
    assert counts_of(study)[0] == dict(counted([(f, w[:4], y, s) for f, w, y, s in left])[0])
    assert study.read.bad == 1
    assert study.read.fellows == (2 if row[0] else 0)
    assert study.read.firms_aside == (1 if row[0] else 0)
    assert study.read.broken == (0 if row[0] else 1)
    with (out / "set_aside.csv").open(encoding="utf-8", newline="") as file:
        aside = list(csv.reader(file))[1:]
    assert len(aside) == study.read.bad + study.read.fellows
    assert sum("another row of this firm" in line[-1] for line in aside) == study.read.fellows
    again = im.reduce(folder, out)
    assert again.read == study.read
    (out / "set_aside.csv").unlink()
    im.reduce(folder, out)
    assert (out / "set_aside.csv").exists()


def test_a_broken_record_is_told(tmp_path):
    folder = write_decisions(tmp_path / "a", bad_rows="set aside")
    path = folder / "rows" / "a.csv"
    write_rows(path, GOOD)
    with path.open("a", encoding="utf-8") as file:
        file.write("A,2009-01-01,yes\n")
    study = im.reduce(folder, tmp_path / "out")
    assert (study.read.bad, study.read.broken, study.read.fellows) == (1, 1, 0)
    assert study.total == 4


@pytest.mark.parametrize("policy", ["stop", "set aside"])
def test_a_firm_with_two_sizes(tmp_path, policy):
    folder = write_decisions(tmp_path / "a", bad_rows=policy)
    write_rows(folder / "rows" / "a.csv", [*GOOD, ("A", "2009-01-01", "yes", "large")])
    if policy == "stop":
        text = refusal(folder)
        assert "two sizes" in text
        assert "row 2" in text
        assert "'A'" in text
        return
    study = im.reduce(folder, tmp_path / "out")
    assert (study.read.bad, study.read.fellows, study.read.firms_aside) == (0, 3, 1)
    assert (study.read.firms, study.total) == (2, 2)
    assert (tmp_path / "out" / "set_aside.csv").exists()


def test_a_firm_that_goes_back_to_an_earlier_period(tmp_path):
    toml = STUDY.replace('size = "size"\n', 'size = "size"\nperiod = "period"\n')
    folder = write_decisions(tmp_path, toml + '\n[periods]\nnames = ["early", "late"]\n')
    rows = [(*row, "late" if row[1] < "2002" else "early") for row in GOOD]
    write_rows(folder / "rows" / "a.csv", rows, (*HEADER, "period"))
    assert "goes back to an earlier period" in refusal(folder)


def test_dates_that_are_no_years_cannot_be_placed(tmp_path):
    folder = write_decisions(tmp_path, STUDY + PERIODS)
    rows = [(f, w[:4], y, s) for f, w, y, s in GOOD]
    write_rows(folder / "rows" / "a.csv", [*rows, ("D", "12", "no", "other")])
    assert "written like most dates of this register: 2006" in refusal(folder)
    rows = [(f, str(w), y, s) for (f, _, y, s), w in zip(GOOD, (1, 1, 1, 2), strict=True)]
    write_rows(folder / "rows" / "a.csv", rows)
    assert "expected a year" in refusal(folder)


# -- study.toml --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('when = "when"\n', "", "[register] when: key is missing"),
        ('flag = "flag"\n', 'flag = "firm"\n', "another column"),
        ('flag = "flag"\n', 'flag = "flags"\n', "did you mean 'flag'"),
        ("[outcome]", '[periods]\nnames = ["a", "b"]\n[outcome]', "first years of the periods"),
        ("[outcome]", '[counts]\nfile = "a.csv"\n[outcome]', "without [register]"),
        ("[outcome]", "[claims]\n[outcome]", "without [register]"),
        ('size = "size"', 'memory_limit = "much"', "expected memory"),
    ],
)
def test_study_toml_is_checked(tmp_path, old, new, said):
    folder = write_decisions(tmp_path, STUDY.replace(old, new, 1))
    write_rows(folder / "rows" / "a.csv", GOOD)
    with pytest.raises(StudyError) as caught:
        im.reduce(folder)
    assert said in str(caught.value)


def test_it_is_described_before_it_is_read(tmp_path):
    folder = write_decisions(tmp_path, STUDY + PERIODS)
    write_rows(folder / "rows" / "a.csv", GOOD)
    register = im.load_study(folder)
    assert isinstance(register, DecisionRegister)
    assert "decay, from a register of decisions" in describe(register)
    assert "the later ones from" in describe(register)


def test_no_kinds_without_bound(tmp_path, monkeypatch):
    monkeypatch.setattr("intlmodels.register.decisions.MOST_CELLS", 5)
    folder = write_decisions(tmp_path)
    write_rows(folder / "rows" / "a.csv", random_rows(np.random.default_rng(3), 20))
    assert "more than 5 kinds of firms" in refusal(folder)


# -- the study's own codes -----------------------------------------------------------------

OWN_CODES = 'yes = ["joint", "1"]\nno = ["solo"]\n'
OWN_SIZES = 'sizes = ["SME", "=multinational"]\n'


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "form", ["%d.%m.%Y", "%d %b %Y", "%B %d, %Y", "%m/%Y", "%Y/%m/%d %H:%M", "on %d (%Y/%m)"]
)
def test_codes_of_the_study_s_own_are_counted_like_the_usual_ones(tmp_path, kind, form):
    rng = np.random.default_rng(20261)
    rows = random_rows(rng, 30)
    folder = write_decisions(tmp_path / "usual", (STUDY + PERIODS).replace("*.csv", f"*.{kind}"))
    write_rows(folder / f"rows/a.{kind}", rows)
    usual = im.reduce(tmp_path / "usual", tmp_path / "usual-out")

    def own(row):
        firm, when, flag, size = row
        month, day = (5, 3) if "%d" in form else (12, 1)
        date = datetime.date(int(when), month, day).strftime(form.replace("%H:%M", "09:05"))
        return firm, date, {"yes": "joint", "no": "solo"}[flag], OWN[size]

    labels = STUDY.replace('size = "size"\n', f'size = "size"\n{OWN_SIZES}date_format = "{form}"\n')
    labels = labels.replace("[outcome]\n", f"[outcome]\n{OWN_CODES}")
    folder = write_decisions(tmp_path / "own", (labels + PERIODS).replace("*.csv", f"*.{kind}"))
    write_rows(folder / f"rows/a.{kind}", [own(row) for row in rows])
    study = im.reduce(folder, tmp_path / "own-out")
    assert counts_of(study) == counts_of(usual)
    assert study.size_labels == ("=multinational", "SME")
    again = im.reduce(folder, tmp_path / "own-out")  # from what was stored
    assert counts_of(again) == counts_of(usual)
    assert "SME" in describe(study)


OWN = {"large": "=multinational", "other": "SME"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("a", "2001-05-31", "joint", "SME"), "a date that exists, as 31.05.2006"),
        (("a", "30.02.2001", "joint", "SME"), "day is out of range for month"),
        (("a", "1.1.2001", "yes", "SME"), "expected one of 'joint', '1', 'solo'"),
        (("a", "1.1.2001", "1", "other"), "expected one of '=multinational', 'SME'"),
    ],
)
def test_cells_that_are_no_codes_of_the_study(tmp_path, row, said):
    labels = STUDY.replace(
        'size = "size"\n', f'size = "size"\n{OWN_SIZES}date_format = "%d.%m.%Y"\n'
    )
    labels = labels.replace("[outcome]\n", f"[outcome]\n{OWN_CODES}")
    folder = write_decisions(tmp_path, labels)
    good = [(f"firm {i}", f"{k}.12.2001", "solo", "SME") for i in range(4) for k in (2, 10)]
    write_rows(folder / "rows/a.csv", [*good, row])
    text = refusal(folder)
    assert "row 10" in text
    assert said in text
