"""Reading rows of firms that repeat: panels, terms, groups, and how shares are reported."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from intlmodels.core.errors import StudyError
from intlmodels.studies import ShareStudy, Terms, describe, load_study
from intlmodels.studies.claims import Evidence, Finding
from intlmodels.studies.schema import ShareFile, checked_document
from panelstudies import FIRMS, PANEL, ROWS, TERMS
from studies import STUDY, edited, write_study


def read(folder: Path, toml: str = PANEL, rows: str = ROWS, edits=(), cells=()) -> ShareStudy:
    tables = {"rows.csv": edited(rows, cells), "firms.csv": FIRMS}
    study = load_study(write_study(folder, toml=edited(toml, edits), tables=tables))
    assert isinstance(study, ShareStudy)
    assert describe(study).replace("\n", "").isprintable()
    return study


def refused(folder: Path, *said: str, **study) -> None:
    with pytest.raises(StudyError) as caught:
        read(folder, **study)
    text = str(caught.value)
    assert text.replace("\n", "").isprintable()
    assert max(map(len, text.splitlines())) < 500
    for part in said:
        assert part in text


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """The rows with a share, as another program reads them."""
    frame = pd.read_csv(io.StringIO(ROWS), dtype={"share": str})
    return frame[frame["share"].notna()].reset_index(drop=True)


def column(rows: str, name: str, *values: str) -> str:
    """Rows with the first cells of a column replaced."""
    table = list(csv.reader(io.StringIO(rows)))
    for row, value in zip(table[1:], values, strict=False):
        row[table[0].index(name)] = value
    return "\n".join(",".join(row) for row in table) + "\n"


# -- rows ----------------------------------------------------------------------------------


def test_rows_of_a_panel(tmp_path: Path, frame: pd.DataFrame) -> None:
    study = read(tmp_path)
    panel = study.panel
    assert panel is not None
    assert study.firms == tuple(frame["firm"] + ", " + frame["year"].astype(str))
    assert panel.unit.name == "firm"
    assert panel.unit.slopes == ()
    assert [panel.unit.labels[code] for code in panel.unit.codes] == frame["firm"].to_list()
    assert panel.periods == ("1999", "2000", "2001", "2003")
    assert [panel.periods[code] for code in panel.codes] == frame["year"].astype(str).to_list()
    assert study.outcome.printed.tolist() == frame["share"].astype(float).to_list()
    assert study.dropped == (("Cob, 2001", "no share in rows.csv, row 9"),)
    text = describe(study)
    assert "firms     7: Ash, Bay" in text
    assert "rows      15, 1 to 3 of each firm" in text
    assert "periods   4, year: 1999, 2000, 2001, 2003" in text


def test_the_frame_of_a_panel(tmp_path: Path, frame: pd.DataFrame) -> None:
    made = read(tmp_path, PANEL + TERMS).frame()
    assert made.index.name == "row"
    assert made["firm"].to_list() == frame["firm"].to_list()
    assert made["year"].astype(int).to_list() == frame["year"].to_list()
    assert made["year"].cat.ordered
    assert made["size"].to_list() == frame["size"].to_list()
    assert made["stage"].to_list() == frame["stage"].to_list()
    assert list(made["stage"].cat.categories) == ["low", "mid", "high"]
    assert made["sector"].to_list() == frame["sector"].to_list()


def test_a_file_of_firms_holds_for_all_of_their_rows(tmp_path: Path, frame: pd.DataFrame) -> None:
    study = read(tmp_path, PANEL + TERMS)
    firms = pd.read_csv(io.StringIO(FIRMS)).set_index("name")
    founder = study.predictors["founder"]
    assert [founder.levels[c] for c in founder.codes] == firms.loc[
        frame["firm"], "founder"
    ].tolist()
    place = study.groupings["place"]
    assert [place.labels[c] for c in place.codes] == firms.loc[frame["firm"], "country"].tolist()


def test_rows_without_a_time_are_numbered(tmp_path: Path) -> None:
    study = read(tmp_path, edits=[('time = "year"\n', "")])
    assert study.firms[:5] == ("Ash (1)", "Ash (2)", "Ash (3)", "Bay (1)", "Bay (2)")
    assert study.firms[-1] == "Gum"
    assert study.panel is not None
    assert study.panel.periods == ()
    assert study.panel.codes.shape == (0,)
    assert study.panel.column == ""


def test_rows_of_firms_that_do_not_repeat_are_firms(tmp_path: Path) -> None:
    lines = [ROWS.splitlines()[i] for i in (0, 1, 4, 6, 10, 12, 14, 16)]
    study = read(tmp_path, rows="\n".join(lines) + "\n")
    assert study.panel is None
    assert study.firms == ("Ash", "Bay", "Cob", "Dog", "Elm", "Fig", "Gum")


@pytest.mark.parametrize(
    ("written", "order"),
    [
        (("10", "9", "100", "9"), ("9", "10", "100")),
        (("1e3", "-5", "1000.0", "-5"), ("-5", "1e3")),
        (("2001-12-31", "2001-02-01", "2000-06-30", "2001-02-01"), None),
        (("2001-12", "2001-02", "2000-06", "2001-02"), None),
        (("2001-W50", "2001-W02", "2000-W33", "2001-W02"), None),
        (("2001Q4", "2001Q1", "2000Q3", "2001Q1"), None),
    ],
)
def test_periods_stand_in_the_order_of_time(tmp_path: Path, written, order) -> None:
    firms = ("Ash", "Ash", "Bay", "Bay")
    rows = "".join(f"{f},{t},{s}\n" for f, t, s in zip(firms, written, "1234", strict=True))
    if order == ("-5", "1e3"):
        rows = rows.replace("Bay,-5,4\n", "")
    toml = PANEL.split("[predictors.size]")[0].replace('file = "rows.csv"', 'file = "t.csv"')
    toml += '[predictors.year]\nkind = "walk"\ncolumn = "year"\n'
    tables = {"t.csv": "firm,year,share\n" + rows + f"Cob,{written[0]},5\n"}
    study = load_study(write_study(tmp_path, toml=toml, tables=tables))
    assert isinstance(study, ShareStudy)
    expected = order or tuple(sorted(set(written)))
    assert study.panel is not None
    assert study.panel.periods == study.predictors["year"].levels == expected


def test_periods_that_are_words_are_put_in_order(tmp_path: Path) -> None:
    rows = ROWS
    for year, word in (("1999", "before"), ("2000", "change"), ("2001", "after"), ("2003", "late")):
        rows = rows.replace(f",{year},", f",{word},")
    given = 'time = "year"\nlevels = ["before", "change", "after", "late"]\n'
    study = read(tmp_path, PANEL + TERMS, rows, [('time = "year"\n', given)])
    assert study.panel is not None
    assert study.panel.periods == ("before", "change", "after", "late")
    assert study.predictors["year"].levels == study.panel.periods
    refused(
        *(tmp_path, "rows.csv, row 2, column 'year'", "'before'", "expected periods in an order"),
        rows=rows,
    )


BAD_ROWS = {
    "one period twice": (
        {"cells": [("Ash,2000,", "Ash,1999,")]},
        ["row 3", "'Ash' has this period already in row 2", "delete one of the two rows"],
    ),
    "one period in two forms": (
        {"cells": [("Ash,2000,", "Ash,1999.0,")]},
        ["row 3", "'Ash' has this period already in row 2"],
    ),
    "no period": ({"cells": [("Ash,2000,", "Ash,,")]}, ["row 3", "expected the period of the row"]),
    "a period without an order": (
        {"cells": [("Ash,2000,", "Ash,spring,")]},
        ["row 3", "'spring'", "expected periods in an order: numbers such as 1992", "levels"],
    ),
    "a day that there is not": (
        {
            "rows": "firm,year,share\n"
            + "".join(f"{f},2001-02-3{i},5\n" for i, f in enumerate("ab"))
        },
        ["'2001-02-30'", "no such day"],
    ),
    "no name": ({"cells": [("Ash,2000,", ",2000,")]}, ["row 3", "expected the name of a firm"]),
    "no such unit": (
        {"edits": [('unit = "firm"', 'unit = "firms"')]},
        ["column 'firms'", "[rows] unit or key", "did you mean 'firm'"],
    ),
    "no such time": (
        {"edits": [('time = "year"', 'time = "years"')]},
        ["column 'years'", "named by [rows] time", "did you mean 'year'"],
    ),
    "time is unit": (
        {"edits": [('time = "year"', 'time = "firm"')]},
        ["[rows] time", "another column than that of unit"],
    ),
    "levels without time": (
        {"edits": [('time = "year"', 'levels = ["a", "b"]')]},
        ["[rows] time", "expected the column with the periods as well"],
    ),
    "a period twice in levels": (
        {"edits": [('time = "year"', 'time = "year"\nlevels = ["1999", "1999"]')]},
        ["[rows] levels", "two or more different periods, in the order of time"],
    ),
    "a period not in levels": (
        {"edits": [('time = "year"', 'time = "year"\nlevels = ["1999", "2000", "2001"]')]},
        ["row 10", "'2003'", "expected one of '1999', '2000', '2001'"],
    ),
    "firms and rows": (
        {"edits": [("[outcome]", '[firms]\nfile = "rows.csv"\ncolumn = "firm"\n[outcome]')]},
        ["[rows]", "expected [firms] or [rows]: delete one"],
    ),
    "neither": (
        {"edits": [('[rows]\nfile = "rows.csv"\nunit = "firm"\ntime = "year"\n', "")]},
        ["the table [firms] is missing; expected it, or [rows] where firms may repeat"],
    ),
    "shares of another file": (
        {"edits": [('column = "share"', 'file = "firms.csv"\ncolumn = "founder"')]},
        ["[outcome] file", "expected the file of the rows, 'rows.csv'"],
    ),
    "two firms": (
        {"rows": "firm,year,share\na,1,5\na,2,5\nb,1,5\nb,2,7\n"},
        ["only 2 firms have a share; expected at least 3"],
    ),
    "labels that collide": (
        {
            "rows": "firm,share,size\na,5,1\na,6,2\na (2),7,3\nb,8,4\n",
            "edits": [('time = "year"\n', "")],
        },
        ["row 4", "this row and row 3 would both be called 'a (2)'"],
    ),
    "a firm of another file": (
        {"toml": PANEL + TERMS, "cells": [("Gum,2003", "Gumm,2003")]},
        ["firms.csv, row 8", "'Gum'", "expected a firm of rows.csv (did you mean 'Gumm'?)"],
    ),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_rows(tmp_path: Path, case: str) -> None:
    study, said = BAD_ROWS[case]
    refused(tmp_path, *said, **study)


def test_firms_that_repeat_are_told_where_rows_go(tmp_path: Path) -> None:
    folder = write_study(tmp_path, toml=STUDY, edit_firms=[("Birch,25", "Alder,25")])
    with pytest.raises(StudyError) as caught:
        load_study(folder)
    text = str(caught.value)
    assert "row 3, column 'firm': found 'Alder'; the firm is already in row 2" in text
    assert "rows of the same firm in several years go under [rows], with unit and time" in text
    assert "rename" not in text


# -- terms ---------------------------------------------------------------------------------


def test_every_term_of_a_panel(tmp_path: Path, frame: pd.DataFrame) -> None:
    study = read(tmp_path, PANEL + TERMS)
    age, stage, year = (study.predictors[name] for name in ("age", "stage", "year"))
    assert (age.curve, age.at, age.knots) == ("quadratic", (2.0, 5.0, 10.0), ())
    assert (stage.kind, stage.levels) == ("ordered", ("low", "mid", "high"))
    assert [stage.levels[code] for code in stage.codes] == frame["stage"].to_list()
    assert (year.kind, year.levels) == ("walk", ("1999", "2000", "2001", "2003"))
    assert [year.levels[code] for code in year.codes] == frame["year"].astype(str).to_list()
    own = study.interactions["owner_size"]
    assert (own.of, own.label) == (("owner", "size"), "Owner \N{MULTIPLICATION SIGN} Size")
    sector = study.groupings["sector"]
    assert (sector.slopes, sector.correlated) == (("owner", "owner_size"), True)
    assert list(study.groupings) == ["sector", "place"]
    assert study.groupings["place"].slopes == ()
    assert (study.precision, study.never) == (("owner",), ())
    plain, older = (study.variants[name] for name in ("plain", "older"))
    assert isinstance(plain, Terms)
    assert (plain.add, plain.drop) == ((), ("owner_size", "sector", "firm"))
    assert isinstance(older, Terms)
    assert (older.add, older.drop) == (("age",), ())
    text = describe(study)
    for line in ("curve: quadratic", "compared at 2, 5, 10", "plain: drops 'owner_size'"):
        assert line in text


def test_a_split_keeps_the_values_as_they_are(tmp_path: Path, frame: pd.DataFrame) -> None:
    study = read(tmp_path, edits=[('unit = "employees"', 'unit = "employees"\nsplit = "within"')])
    size = study.predictors["size"]
    assert size.split
    np.testing.assert_allclose(size.values, np.log(frame["size"]))
    assert "split into the mean of each firm" in describe(study)


def test_knots_of_a_spline(tmp_path: Path, frame: pd.DataFrame) -> None:
    curve = 'unit = "employees"\ncurve = "spline"'
    free = read(tmp_path, edits=[('unit = "employees"', curve)]).predictors["size"]
    by_hand = np.quantile(np.log(frame["size"]), [0, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(free.knots, by_hand)
    stated = f"{curve}\nknots = [5, 20, 40, 150]"
    study = read(tmp_path, edits=[('unit = "employees"', stated)])
    np.testing.assert_allclose(study.predictors["size"].knots, np.log([5, 20, 40, 150]))
    assert "natural cubic spline with knots at 5, 20, 40, 150" in describe(study)


def test_groups_within_larger_ones(tmp_path: Path, frame: pd.DataFrame) -> None:
    within = '[groups.trade]\ncolumn = "sector"\nwithin = "stage"\n'
    trade = read(tmp_path, f"{PANEL}\n{within}").groupings["trade"]
    assert [trade.labels[c] for c in trade.codes] == (
        frame["stage"] + " / " + frame["sector"]
    ).to_list()
    assert list(trade.labels) == sorted(set(trade.labels))


def test_terms_need_no_panel(tmp_path: Path) -> None:
    toml = STUDY.replace('unit = "million euros"\n', "").replace('column = "size"', 'column = "x"')
    toml += '\n[interactions.both]\nof = ["ease", "branch"]\n[groups.trade]\ncolumn = "branch2"\n'
    lines = (Path(write_study(tmp_path)) / "firms.csv").read_text().splitlines()
    rows = [f"{line},{i},{'ab'[i % 2]}" for i, line in enumerate(lines[1:], start=1)]
    tables = {"firms.csv": "\n".join([lines[0] + ",x,branch2", *rows]) + "\n"}
    study = load_study(write_study(tmp_path, toml=toml, tables=tables))
    assert isinstance(study, ShareStudy)
    assert study.panel is None
    assert study.interactions["both"].of == ("ease", "branch")
    assert study.groupings["trade"].labels == ("a", "b")


def test_groups_of_claims_stay_what_they_are(tmp_path: Path) -> None:
    groups = """
[groups.large]
column = "rows.csv: size"
above = 40
[groups.north]
column = "firms.csv: country"
is = ["North"]
[groups.some]
firms = ["Ash", "Cob, 2000"]
[groups.both]
all = ["large", "north"]
[groups.sector]
column = "sector"
"""
    toml = f'{PANEL}{groups}\n[predictors.founder]\nkind = "category"\nfile = "firms.csv"\n'
    study = read(tmp_path, f'{toml}key = "name"\ncolumn = "founder"\n')
    assert list(study.row_groups) == ["large", "north", "some", "both"]
    assert list(study.groupings) == ["sector"]
    years = ("Ash, 1999", "Ash, 2000", "Ash, 2001")
    assert study.row_groups["some"].sure == (*years, "Cob, 2000")
    assert study.row_groups["north"].sure[:3] == years
    # Every row that is listed counts, also one without a share.
    assert "Cob, 2001" in study.row_groups["large"].sure
    assert study.row_groups["both"].sure == ()


class RowDraws:
    """Draws of a fit of a panel: two, of the expected share of each row."""

    def __init__(self, rows: tuple[str, ...], shares: np.ndarray) -> None:
        self.rows, self.shares = rows, shares

    def __contains__(self, name: str) -> bool:
        return name in ("row", "row_share")

    def labels(self, name: str) -> list[str]:
        return {"row": list(self.rows)}[name]

    def values(self, name: str) -> np.ndarray:
        return {"row_share": self.shares}[name]

    def unit(self, name: str) -> str:
        return "percentage points"

    def interval(self, draws: np.ndarray) -> tuple[float, float]:
        return float(draws.min()), float(draws.max())

    def judge(self, holds, effect, unit, numbers, kept=None, claim=None, sign=1) -> Finding:
        return Finding("", median=float(np.median(effect)), numbers=numbers)


def test_a_claim_compares_rows_of_a_panel(tmp_path: Path, frame: pd.DataFrame) -> None:
    claim = """
[groups.north]
column = "firms.csv: country"
is = ["North"]
[[claims]]
id = "C1"
text = "The north sells more abroad"
rule = "higher expected"
a = "north"
[predictors.founder]
kind = "category"
file = "firms.csv"
key = "name"
column = "founder"
"""
    study = read(tmp_path, PANEL + claim)
    shares = np.random.default_rng(1).uniform(0, 100, (2, 15))
    draws = RowDraws(study.firms, shares)
    (own,) = study.claims
    found = own.rule.evaluate(own, Evidence(study, {own.fit: draws}, 0.95))
    north = frame["firm"].isin(["Ash", "Bay", "Elm", "Gum"]).to_numpy()
    by_hand = shares[:, north].mean(axis=1) - shares[:, ~north].mean(axis=1)
    assert found.median == pytest.approx(np.median(by_hand))
    assert f"({north.sum()}) against the others ({(~north).sum()})" in found.numbers


#: what is wrong -> (added to study.toml, edits, texts that the message must hold)
BAD_TERMS = {
    "itself": (
        '[interactions.x]\nof = ["size", "size"]',
        [],
        ["two different predictors", "curve"],
    ),
    "three": ('[interactions.x]\nof = ["size"]', [], ["[interactions.x] of", "two predictors"]),
    "unknown in an interaction": (
        '[interactions.x]\nof = ["size", "ownr"]',
        [],
        ["[interactions.x] of", "'ownr'", "no such predictor (did you mean 'owner'?)"],
    ),
    "an interaction of ordered": (
        '[interactions.x]\nof = ["size", "stage"]',
        [],
        ["'stage'", "an interaction takes predictors of the kinds", "this one is ordered"],
    ),
    "the same interaction": (
        '[interactions.x]\nof = ["size", "owner"]',
        [],
        ["[interactions.x] of", "[interactions.owner_size] has these two"],
    ),
    "a name of its own": ('[interactions.size]\nof = ["size", "owner"]', [], ["[predictors.size]"]),
    "a missing value in an interaction": (
        "",
        [("Dog,2000,30,20,", "Dog,2000,30,,")],
        ["row 11", "column 'size'", "missing values takes no interaction"],
    ),
    "a missing value in a curve": (
        "",
        [("30,20,11", "30,20,NA")],
        ["row 11", "column 'age'", "missing values takes no quadratic curve"],
    ),
    "a missing value in the precision": (
        '[predictors.count]\nkind = "numeric"\ncolumn = "count"',
        [
            ('predictors = ["owner"]', 'predictors = ["count"]'),
            ("own,mid,tools,1", "own,mid,tools,"),
        ],
        ["missing values takes no place among the predictors of precision"],
    ),
    "a slope of a missing value": (
        '[predictors.count]\nkind = "numeric"\ncolumn = "count"',
        [('slopes = ["owner",', 'slopes = ["count",'), ("own,mid,tools,1", "own,mid,tools,")],
        ["missing values takes no slope that differs between groups"],
    ),
    "a slope that does not vary": (
        '[groups.x]\ncolumn = "count"\nslopes = ["founder"]',
        [],
        ["[groups.x] slopes", "'founder' is the same in all rows of each group"],
    ),
    "an unknown slope": (
        '[groups.x]\ncolumn = "count"\nslopes = ["sise"]',
        [],
        ["[groups.x] slopes", "no such predictor or interaction (did you mean 'size'?)"],
    ),
    "correlated with nothing": (
        '[groups.x]\ncolumn = "count"\ncorrelated = true',
        [],
        ["[groups.x] correlated", "expected slopes as well"],
    ),
    "correlated in words": (
        '[groups.x]\ncolumn = "count"\ncorrelated = "yes"',
        [],
        ["[groups.x] correlated", "expected true or false"],
    ),
    "groups of one firm": (
        '[groups.x]\ncolumn = "firm"',
        [],
        ["[groups.x] column", "[rows] uses it"],
    ),
    "groups that are the firms": (
        '[groups.x]\nfile = "firms.csv"\nkey = "name"\ncolumn = "country"',
        [
            ("Ash,North", "Ash,A"),
            ("Bay,North", "Bay,B"),
            ("Cob,South", "Cob,C"),
            ("Dog,South", "Dog,D"),
            ("Elm,North", "Elm,E"),
            ("Fig,South", "Fig,F"),
            ("Gum,North", "Gum,G"),
        ],
        ["each firm is a group of its own", "delete [groups.place]"],
    ),
    "a category twice": (
        '[groups.x]\nfile = "firms.csv"\nkey = "name"\ncolumn = "founder"',
        [],
        ["[groups.x] column", "[predictors.founder] uses it"],
    ),
    "a key of both kinds of groups": (
        '[groups.x]\ncolumn = "rows.csv: count"\nabove = 3\nslopes = ["size"]',
        [],
        ["[groups.x] slopes", "belongs to groups that have effects of their own"],
    ),
    "groups called cluster": (
        '[groups.cluster]\ncolumn = "count"',
        [],
        ["[groups.cluster]", "[cluster] has this one"],
    ),
    "groups called firm": (
        '[groups.firm]\ncolumn = "count"',
        [],
        ["models themselves use this one"],
    ),
    "slopes of nothing named so": (
        '[predictors.x_by_sector]\nkind = "numeric"\ncolumn = "count"',
        [],
        ["[predictors.x_by_sector]", "with [groups.sector] the models themselves use this one"],
    ),
    "a square of its own": (
        '[predictors.age_squared]\nkind = "numeric"\ncolumn = "count"',
        [],
        ["[predictors.age_squared]", "the models use it beside 'age'"],
    ),
    "a row": (
        '[predictors.row]\nkind = "numeric"\ncolumn = "count"',
        [],
        ["models themselves use this one"],
    ),
    "a precision of its own": (
        '[predictors.phi_x]\nkind = "numeric"\ncolumn = "count"',
        [],
        ["[predictors.phi_x]", "with [precision] the models"],
    ),
    "zeros that are not structural": (
        '[zeros]\npredictors = ["owner"]',
        [],
        ["[zeros]", 'expected zeros = "structural" in [outcome]'],
    ),
    "precision of nothing": (
        "",
        [('predictors = ["owner"]', "predictors = []")],
        ["[precision] predictors", "one or more names"],
    ),
    "a walk in the precision": (
        "",
        [('predictors = ["owner"]', 'predictors = ["year"]')],
        ["[precision] predictors", "this one is walk"],
    ),
    "few knots": (
        '[predictors.x]\nkind = "numeric"\ncolumn = "count"\ncurve = "spline"\nknots = [1, 2]',
        [],
        ["[predictors.x] knots", "three or more numbers that increase"],
    ),
    "knots that fall": (
        '[predictors.x]\nkind = "numeric"\ncolumn = "count"\ncurve = "spline"\nknots = [1, 3, 2]',
        [],
        ["[predictors.x] knots", "three or more numbers that increase"],
    ),
    "knots aside": (
        '[predictors.x]\nkind = "numeric"\ncolumn = "count"\ncurve = "spline"\nknots = [1, 20, 30]',
        [],
        ["[predictors.x] knots", "found 20", "inner knots within the range of count"],
    ),
    "knots that coincide": (
        '[predictors.x]\nkind = "numeric"\ncolumn = "weight"\ncurve = "spline"',
        [],
        ["column 'weight'", "two of the knots", "coincide", "[predictors.x]"],
    ),
    "a missing value of a firm": (
        '[predictors.x]\nkind = "numeric"\nfile = "firms.csv"\nkey = "name"\ncolumn = "older"',
        [
            ("name,country,founder", "name,country,founder,older"),
            ("Ash,North,family", "Ash,North,family,"),
            *(
                (f"{f},fund\n", f"{f},fund,{i}\n")
                for i, f in enumerate(("Bay,North", "Cob,South", "Fig,South", "Gum,North"))
            ),
            *(
                (f"{f},family\n", f"{f},family,{i}\n")
                for i, f in enumerate(("Dog,South", "Elm,North"))
            ),
        ],
        ["firms.csv, row 2, column 'older'", "estimated separately in each of its rows"],
    ),
    "knots of no spline": (
        "",
        [('curve = "quadratic"', 'curve = "quadratic"\nknots = [1, 2, 3]')],
        ["[predictors.age] knots", 'expected curve = "spline"'],
    ),
    "a curve of two values": (
        '[predictors.x]\nkind = "numeric"\ncolumn = "two"\ncurve = "quadratic"',
        [],
        ["column 'two'", "only two different values"],
    ),
    "no such curve": ("", [('curve = "quadratic"', 'curve = "cubic"')], ["'quadratic', 'spline'"]),
    "compared at one value": (
        "",
        [("at = [2, 5, 10]", "at = [2]")],
        ["[predictors.age] at", "two or more numbers"],
    ),
    "compared at a value without a logarithm": (
        "",
        [('unit = "employees"', "at = [0, 5]")],
        ["[predictors.size] at", "above 0"],
    ),
    "a split and a curve": (
        "",
        [("at = [2, 5, 10]", 'split = "within"')],
        ["[predictors.age] curve", "with split"],
    ),
    "a split of what does not vary": (
        '[predictors.x]\nkind = "numeric"\ncolumn = "fixed"\nsplit = "within"',
        [],
        ["[predictors.x] split", "fixed is the same in all rows of a firm"],
    ),
    "a level that is not": (
        "",
        [("own,mid,tools,1", "own,middle,tools,1")],
        ["row 11", "did you mean 'mid'"],
    ),
    "a level twice": (
        "",
        [('"low", "mid", "high"', '"low", "mid", "mid"')],
        ["[predictors.stage] levels"],
    ),
    "no term": ('[variants.x]\nkind = "terms"', [], ["[variants.x] add and drop", "one or more"]),
    "an unknown term": (
        '[variants.x]\nkind = "terms"\ndrop = ["sectr"]',
        [],
        ["no such term (did you mean 'sector'?)"],
    ),
    "dropped and added": (
        '[variants.x]\nkind = "terms"\nadd = ["age"]\ndrop = ["age"]',
        [],
        ["each once"],
    ),
    "dropped from where it is not": (
        '[variants.x]\nkind = "terms"\ndrop = ["age"]',
        [],
        ["[variants.x] drop", "'age'", "default"],
    ),
    "an interaction without its predictor": (
        '[variants.x]\nkind = "terms"\ndrop = ["owner"]',
        [],
        ["[variants.x]", "'owner' but not the interaction 'owner_size'", "both or neither"],
    ),
    "an interaction whose predictor is added": (
        '[variants.x]\nkind = "terms"\nadd = ["owner"]',
        [],
        ["[variants]", "'owner' but not the interaction 'owner_size'"],
    ),
    "firms added": ('[variants.x]\nkind = "terms"\nadd = ["firm"]', [], ["expected it in drop"]),
    "nothing left": (
        '[variants.x]\nkind = "terms"\n'
        'drop = ["size", "owner", "owner_size", "stage", "year", "founder"]',
        [],
        ["[variants.x] drop", "a predictor that is left"],
    ),
}


@pytest.mark.parametrize("case", BAD_TERMS)
def test_bad_terms(tmp_path: Path, case: str) -> None:
    added, edits, said = BAD_TERMS[case]
    table = list(csv.reader(io.StringIO(ROWS)))
    more = [[*row, "1" if row[0] < "D" else "2", row[0].encode().hex()] for row in table[1:]]
    fixed = [[*row[:-1], str(int(row[-1][:2], 16))] for row in more]
    rows = "\n".join(",".join(row) for row in [[*table[0], "two", "fixed"], *fixed]) + "\n"
    files = {"rows.csv": rows, "firms.csv": FIRMS, "study.toml": f"{PANEL}{TERMS}\n{added}\n"}
    for old, new in edits:
        (name,) = (name for name, text in files.items() if text.count(old) == 1)
        files[name] = files[name].replace(old, new)
    tables = {name: text for name, text in files.items() if name != "study.toml"}
    folder = write_study(tmp_path, toml=files["study.toml"], tables=tables)
    with pytest.raises(StudyError) as caught:
        load_study(folder)
    text = str(caught.value)
    assert text.replace("\n", "").isprintable()
    for part in said:
        assert part in text


def test_a_split_needs_firms_that_repeat(tmp_path: Path) -> None:
    toml = STUDY.replace('transform = "log"', 'transform = "log"\nsplit = "within"')
    tables = {"firms.csv": column((write_study(tmp_path) / "firms.csv").read_text(), "x")}
    text = tables["firms.csv"].replace("Cedar,0,,", "Cedar,0,7,")
    folder = write_study(tmp_path, toml=toml, tables={"firms.csv": text})
    with pytest.raises(StudyError, match=r"\[predictors.size\] split.*no firm repeats"):
        load_study(folder)


# -- how shares are reported ---------------------------------------------------------------

_WIDTH = "rounding_width = 0.5"


def test_widths_from_the_decimals(tmp_path: Path, frame: pd.DataFrame) -> None:
    outcome = read(tmp_path, edits=[(_WIDTH, 'rounding_width = "printed"')]).outcome
    widths = np.array([0.1 if "." in text else 1 for text in frame["share"]])
    shares = frame["share"].astype(float).to_numpy()
    assert outcome.width == 0
    np.testing.assert_array_equal(outcome.widths, widths)
    np.testing.assert_allclose(outcome.lower, np.maximum(shares - widths / 2, 0) / 100, atol=1e-15)
    np.testing.assert_allclose(outcome.upper, (shares + widths / 2) / 100, atol=1e-15)
    np.testing.assert_array_equal(outcome.printed, shares)
    assert outcome.bands == ()


@pytest.mark.parametrize(
    ("unit", "text", "width", "lower", "upper"),
    [
        ("percent", "12.3", 0.1, 12.25, 12.35),
        ("percent", "12.30", 0.01, 12.295, 12.305),
        ("percent", "0", 1, 0, 0.5),
        ("percent", "100", 1, 99.5, 100),
        ("percent", "+7.", 1, 6.5, 7.5),
        ("percent", ".5", 0.1, 0.45, 0.55),
        ("fraction", "0.12", 1, 11.5, 12.5),
        ("fraction", "0.120", 0.1, 11.95, 12.05),
        ("fraction", "1.00", 1, 99.5, 100),
    ],
)
def test_what_printed_decimals_stand_for(tmp_path, unit, text, width, lower, upper) -> None:
    edits = [(_WIDTH, 'rounding_width = "printed"'), ('unit = "percent"', f'unit = "{unit}"')]
    # All others with two decimals.
    rows = column(ROWS, "share", text, *["0.25"] * 15)
    outcome = read(tmp_path, rows=rows, edits=edits).outcome
    assert outcome.widths[0] == width
    np.testing.assert_allclose(
        [outcome.lower[0], outcome.upper[0]], np.array([lower, upper]) / 100, atol=1e-15
    )


def test_one_width_is_one_width_however_it_is_said(tmp_path: Path) -> None:
    rows = column(ROWS, "share", *(f"{i}.5" for i in range(16)))
    table = list(csv.reader(io.StringIO(rows)))
    rows = (
        "\n".join(",".join([*row, "w" if not i else "0.1"]) for i, row in enumerate(table)) + "\n"
    )
    said = [
        read(tmp_path, rows=rows, edits=[(_WIDTH, f"rounding_width = {width}")]).outcome
        for width in ("0.1", '"printed"', '"w"')
    ]
    for outcome in said:
        assert outcome.width == 0.1
        np.testing.assert_array_equal(outcome.lower, said[0].lower)
        np.testing.assert_array_equal(outcome.upper, said[0].upper)


def test_widths_from_a_column(tmp_path: Path) -> None:
    widths = ("0.5", "1", "5", "10", "2", "5", "5", "1", "0.5", "10", "1", "1", "0.5", *"111")
    rows = column(ROWS, "count", *widths)
    study = read(
        tmp_path,
        rows=rows,
        edits=[(_WIDTH, 'rounding_width = "count"')],
    )
    outcome = study.outcome
    assert outcome.width == 0
    assert outcome.widths[:5].tolist() == [0.5, 1, 5, 10, 2]
    np.testing.assert_allclose(outcome.lower[:5], np.array([12.25, 13.5, 12.5, 0, 1]) / 100)
    np.testing.assert_allclose(outcome.upper[:5], np.array([12.75, 14.5, 17.5, 5, 3]) / 100)
    assert "10 (" in describe(study)


_BANDS = [
    (
        f'column = "share"\nlabel = "Share abroad"\nunit = "percent"\n{_WIDTH}',
        'lower = "from"\nupper = "to"\nunit = "percent"',
    )
]


def test_bands(tmp_path: Path, frame: pd.DataFrame) -> None:
    study = read(tmp_path, edits=_BANDS)
    outcome = study.outcome
    np.testing.assert_allclose(outcome.lower, frame["from"] / 100)
    np.testing.assert_allclose(outcome.upper, frame["to"] / 100)
    np.testing.assert_allclose(outcome.printed, (frame["from"] + frame["to"]) / 2)
    assert np.isnan(outcome.widths).all()
    assert outcome.width == 0
    assert outcome.bands == ((0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 1))
    # Where one band ends the next begins, to the last bit.
    assert {end for _, end in outcome.bands[:-1]} == {start for start, _ in outcome.bands[1:]}
    assert study.dropped == (("Cob, 2001", "no from in rows.csv, row 9"),)
    assert "in 4 bands" in describe(study)


def test_a_band_may_lie_within_another(tmp_path: Path) -> None:
    # Who says nothing may be anywhere; half of the scale has no more to say.
    cells = [("4,1,10,25\nAsh,2000", "4,1,0,100\nAsh,2000"), ("1,0,10\nBay", "1,0,50\nBay")]
    assert len(read(tmp_path, edits=_BANDS, cells=cells).outcome.bands) == 6


def test_weights_sum_to_the_number_of_rows(tmp_path: Path, frame: pd.DataFrame) -> None:
    edits = [(_WIDTH, f'{_WIDTH}\nweights = "weight"')]
    study = read(tmp_path, edits=edits)
    weights = study.outcome.weights
    assert weights is not None
    assert weights.sum() == pytest.approx(15)
    np.testing.assert_allclose(weights, frame["weight"] * 15 / frame["weight"].sum())
    kish = frame["weight"].sum() ** 2 / (frame["weight"] ** 2).sum()
    assert f"15 rows count as {kish:.1f}" in describe(study)
    alike = column(ROWS, "weight", *["3"] * 16)
    assert read(tmp_path, rows=alike, edits=edits).outcome.weights is None


def test_structural_zeros(tmp_path: Path) -> None:
    zeros = [(_WIDTH, f'{_WIDTH}\nzeros = "structural"')]
    study = read(tmp_path, f'{PANEL}\n[zeros]\npredictors = ["owner"]\n', edits=zeros)
    assert study.outcome.zeros == "structural"
    assert study.never == ("owner",)


#: what is wrong -> (edits of study.toml, edits of the rows, texts that the message must hold)
BAD_SHARES = {
    "decimals against the width": (
        [(_WIDTH, "rounding_width = 1")],
        [],
        ["row 2", "12.5", "multiple of the rounding width 1"],
    ),
    "decimals against the width in a column": (
        [(_WIDTH, 'rounding_width = "weight"')],
        [],
        ["row 2", "multiple of the rounding width 1"],
    ),
    "no width in a column": (
        [(_WIDTH, 'rounding_width = "weight"')],
        [("12.5,", "12,"), ("food,4,1,10", "food,4,,10")],
        ["row 2", "column 'weight'", "expected the rounding width of the row"],
    ),
    "a width of 0": (
        [(_WIDTH, 'rounding_width = "weight"')],
        [("12.5,", "12,"), ("15.0,", "15,"), ("62.5,", "62,"), ("9.5,", "9,")],
        ["row 7", "column 'weight'", "expected a rounding width in percentage points"],
    ),
    "an exponent": (
        [(_WIDTH, 'rounding_width = "printed"')],
        [("12.5,", "1e1,")],
        ["row 2", "with its decimals"],
    ),
    "too many decimals": (
        [(_WIDTH, 'rounding_width = "printed"')],
        [("12.5,", "12.54321,")],
        ["row 2", "from 0.001"],
    ),
    "a fraction without decimals": (
        [(_WIDTH, 'rounding_width = "printed"'), ('"percent"', '"fraction"')],
        [("12.5,", "1,")],
        ["row 2", "expected a fraction with its decimals"],
    ),
    "no such column of widths": (
        [(_WIDTH, 'rounding_width = "prnted"')],
        [],
        ["'prnted'", "[outcome] rounding_width"],
    ),
    "crossed ends": (
        _BANDS,
        [("1,1,25,50\nDog", "1,1,50,25\nDog")],
        ["row 11", "column 'to'", "crossed"],
    ),
    "no width": (_BANDS, [("1,1,25,50\nDog", "1,1,25,25\nDog")], ["the band has no width"]),
    "one end": (
        _BANDS,
        [("1,1,25,50\nDog", "1,1,25,\nDog")],
        ["row 11", "column 'to'", "both ends"],
    ),
    "bands that overlap": (
        _BANDS,
        [("1,1,25,50\nDog", "1,1,20,50\nDog")],
        ["row 11", "the band 20 to 50 percent and that of row 2, 10 to 25, overlap in part"],
    ),
    "an end above 100": (
        _BANDS,
        [("1,1,25,50\nDog", "1,1,25,500\nDog")],
        ["expected a share from 0 to 100"],
    ),
    "one column of a band": (
        [(_BANDS[0][0], 'lower = "from"\nunit = "percent"')],
        [],
        ["[outcome] upper", "missing"],
    ),
    "the same column twice": (
        [(_BANDS[0][0], 'lower = "to"\nupper = "to"\nunit = "percent"')],
        [],
        ["[outcome] upper"],
    ),
    "a band and a share": (
        [(_WIDTH, f'{_WIDTH}\nlower = "from"\nupper = "to"')],
        [],
        ["[outcome] column", "as a band"],
    ),
    "a band and a width": (
        [(_BANDS[0][0], f'lower = "from"\nupper = "to"\nunit = "percent"\n{_WIDTH}')],
        [],
        ["[outcome] rounding_width", "as a band"],
    ),
    "no share": (
        [('column = "share"\n', "")],
        [],
        ["[outcome] column", "key is missing; expected it"],
    ),
    "no rounding width": (
        [(f"{_WIDTH}\n", "")],
        [],
        ["[outcome] rounding_width", "the distance between neighbouring reported shares"],
    ),
    "the same groups twice": (
        [
            (
                "[predictors.owner]",
                '[groups.a]\ncolumn = "sector"\n[groups.b]\ncolumn = "sector"\n[predictors.owner]',
            )
        ],
        [],
        ["[groups.b] column: found 'sector'; the same groups as in 'a'; expected others"],
    ),
    "a negative weight": (
        [(_WIDTH, f'{_WIDTH}\nweights = "weight"')],
        [("food,10,0,50", "food,10,-2,50")],
        ["row 7", "column 'weight'", "a weight of at least 0"],
    ),
    "no weight": (
        [(_WIDTH, f'{_WIDTH}\nweights = "weight"')],
        [("food,10,0,50", "food,10,,50")],
        ["row 7", "expected a weight"],
    ),
    "a share as a predictor": (
        [(_BANDS[0][0], _BANDS[0][1]), ('column = "size"', 'column = "to"')],
        [],
        ["[predictors.size] column", "another column than the outcome's"],
    ),
}


@pytest.mark.parametrize("case", BAD_SHARES)
def test_bad_shares(tmp_path: Path, case: str) -> None:
    edits, cells, said = BAD_SHARES[case]
    refused(tmp_path, *said, edits=edits, cells=cells)


def test_weights_that_are_all_zero(tmp_path: Path) -> None:
    rows = column(ROWS, "weight", *["0"] * 16)
    edits = [(_WIDTH, f'{_WIDTH}\nweights = "weight"')]
    refused(tmp_path, "column 'weight'", "all weights are 0", rows=rows, edits=edits)


# -- the page on them ----------------------------------------------------------------------

PAGE = Path(__file__).parent.parent / "docs" / "panels.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="the pages are in the checkout")
def test_what_the_page_shows_is_understood() -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    whole, *parts = map(tomllib.loads, blocks)
    assert parts
    for part in parts:
        changed = {name: whole.get(name, {}) | table for name, table in part.items()}
        toml = checked_document(whole | changed)
        assert isinstance(toml, ShareFile)
        assert toml.zeros is not None
    toml = checked_document(whole)
    assert isinstance(toml, ShareFile)
    assert (list(toml.groupings), list(toml.interactions)) == (["sector"], ["owner_size"])
