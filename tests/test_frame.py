"""Studies from a DataFrame: the same as from a folder, saved and read again."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import intlmodels as im
from intlmodels.core.toml import toml_text
from intlmodels.fitting import jobs
from intlmodels.fitting.diagnostics import Gate
from intlmodels.fitting.jobs import settings_of
from intlmodels.fitting.store import fingerprint
from intlmodels.models import design_of, priors_of
from intlmodels.models.functions import with_function
from intlmodels.studies.formula import parse_formula
from intlmodels.studies.schema import parsed
from studies import STUDY, VARIANTS, write_study
from trees import from_prior, made_up


def firms(rows=24, seed=1):
    """Rows of made-up firms, with a column of every kind."""
    rng = np.random.default_rng(seed)
    stages = pd.CategoricalDtype(["low", "middle", "high"], ordered=True)
    return pd.DataFrame(
        {
            "code": [f"F{i:02}" for i in range(rows)],
            "share": rng.integers(0, 101, rows),
            "owner": rng.choice(["family", "other"], rows),
            "sector": rng.choice(["tools", "toys", "boats"], rows),
            "size": np.exp(rng.normal(3, 1, rows)),
            "listed": rng.random(rows) < 0.5,
            "stage": pd.Series(rng.choice(stages.categories, rows)).astype(stages),
        }
    )


def panel(**columns):
    frame = firms(30).assign(code=np.repeat([f"F{i}" for i in range(10)], 3))
    return frame.assign(**{"year": np.tile([2001, 2002, 2003], 10)} | columns)


OWNER = {"owner": {"kind": "contrast", "low": "family", "high": "other"}}


def fingerprints(study):
    return fingerprint(study, "default", priors_of(study), settings_of(study))


def test_kinds_follow_from_columns():
    frame = firms()
    study = im.study(
        frame,
        outcome="share",
        unit="code",
        predictors=["owner", "sector", "size", "listed"],
        rounding_width=1,
    )
    kinds = {name: own.kind for name, own in study.predictors.items()}
    assert kinds == {
        "owner": "contrast",
        "sector": "category",
        "size": "numeric",
        "listed": "contrast",
    }
    assert study.predictors["owner"].levels == ("family", "other")
    assert study.predictors["sector"].levels == ("boats", "tools", "toys")
    assert study.predictors["listed"].levels == ("no", "yes")
    assert (study.predictors["listed"].values > 0).tolist() == frame["listed"].tolist()
    assert study.predictors["size"].values.tolist() == frame["size"].tolist()
    assert study.outcome.printed.tolist() == frame["share"].tolist()
    assert study.firms == tuple(frame["code"])
    assert study.panel is None


def test_keys_of_study_toml_say_more():
    study = im.study(
        firms(),
        outcome={"column": "share", "label": "Sales abroad"},
        predictors={
            "ownership": {"column": "owner", "low": "other", "high": "family", "label": "Owner"},
            "size": {"transform": "log", "unit": "million euros"},
            "listed": {"low": True, "high": False},
        },
        rounding_width=1,
        name="made-up",
        title="Made up",
        priors={"phi": "LogNormal(2, 0.5)"},
        variants={"bigger": {"kind": "covariate", "column": "size", "note": "again"}},
        fit={"draws": 50},
    )
    assert (study.name, study.title, study.outcome.label) == ("made-up", "Made up", "Sales abroad")
    assert study.predictors["ownership"].levels == ("other", "family")
    assert study.predictors["size"].transform == "log"
    assert study.predictors["listed"].levels == ("yes", "no")
    assert study.settings == {"draws": 50}
    assert list(study.variants) == ["bigger"]
    assert study.priors == {"phi": "LogNormal(2, 0.5)"}


def test_a_formula_says_the_same_as_tables():
    frame = firms()
    text = "share ~ owner + log(size) + C(stage)"
    one = im.study(text, data=frame, rounding_width=1, unit="code")
    other = im.study(
        frame,
        outcome="share",
        unit="code",
        predictors={
            "owner": None,
            "size": {"transform": "log"},
            "stage": {"kind": "category"},
        },
        rounding_width=1,
    )
    assert one.document == other.document
    assert one.tables == other.tables


def test_firms_that_repeat_are_a_panel():
    rows = panel(year=np.tile([2002, 2001, 2003], 10))
    study = im.study(
        "share ~ owner + (1 | code)", data=rows, unit="code", time="year", rounding_width=1
    )
    assert study.panel is not None
    labels = study.panel.unit.labels
    assert [labels[code] for code in study.panel.unit.codes] == rows["code"].tolist()
    assert study.panel.periods == ("2001", "2002", "2003")
    # A column called firm needs no word.
    same = im.study("share ~ owner", data=rows.rename(columns={"code": "firm"}), rounding_width=1)
    assert same.panel is not None
    words = pd.CategoricalDtype(["before", "during", "after"], ordered=True)
    named = rows.assign(year=pd.Categorical.from_codes(rows["year"] - 2001, dtype=words))
    study = im.study("share ~ owner", data=named, unit="code", time="year", rounding_width=1)
    assert study.panel.periods == ("before", "during", "after")


def test_terms_of_a_formula_are_those_of_study_toml():
    rows = panel(year=np.tile([2002, 2001, 2003], 10), weight=1.5, group=list("abcde") * 6)
    study = im.study(
        "share ~ owner * poly(log(size), 2) + mo(stage) + (1 | sector / group) + (owner | group_2)",
        data=rows.assign(group_2=list("vwxyz") * 6),
        unit="code",
        time="year",
        rounding_width=1,
        weights="weight",
        zeros=["owner"],
        precision=["size"],
        variants={"plain": {"kind": "terms", "drop": ["owner_size", "firm"]}},
    )
    assert study.predictors["size"].curve == "quadratic"
    assert study.predictors["stage"].levels == ("low", "middle", "high")
    assert study.interactions["owner_size"].of == ("owner", "size")
    assert list(study.groupings) == ["sector", "group", "group_2"]
    assert study.groupings["group_2"].slopes == ("owner",)
    assert study.groupings["group_2"].correlated
    assert set(study.groupings["group"].labels) == {
        f"{one} / {other}" for one, other in zip(rows["sector"], rows["group"], strict=True)
    }
    assert study.outcome.zeros == "structural"
    assert (study.never, study.precision) == (("owner",), ("size",))
    same = im.study(
        rows.assign(group_2=list("vwxyz") * 6),
        outcome="share",
        predictors={
            "owner": None,
            "size": {"transform": "log", "curve": "quadratic"},
            "stage": None,
        },
        interactions=["owner:size"],
        groups={
            "sector": None,
            "group": {"within": "sector"},
            "group_2": {"slopes": ["owner"], "correlated": True},
        },
        unit="code",
        time="year",
        rounding_width=1,
        weights="weight",
        zeros=["owner"],
        precision=["size"],
        variants={"plain": {"kind": "terms", "drop": ["owner_size", "firm"]}},
    )
    assert study.document == same.document


def test_bands_and_widths_come_from_columns():
    rows = firms().assign(low=lambda f: f["share"] // 25 * 25, width=5)
    rows = rows.assign(high=rows["low"] + 25)
    rows = rows[rows["high"] <= 100]
    banded = im.study("bands(low, high) ~ owner", data=rows, unit="code")
    assert banded.outcome.lower.tolist() == (rows["low"] / 100).tolist()
    assert banded.outcome.upper.tolist() == (rows["high"] / 100).tolist()
    fives = rows.assign(share=rows["share"] // 5 * 5)
    wide = im.study("share ~ owner", data=fives, unit="code", rounding_width="width")
    assert (wide.outcome.widths == 5).all()
    eighths = rows.assign(share=rows["share"] / 8)
    printed = im.study("share ~ owner", data=eighths, unit="code", rounding_width="printed")
    assert set(printed.outcome.widths.round(9)) == {0.001}


def test_without_a_unit_rows_have_the_names_of_the_index():
    frame = firms().drop(columns="code")
    assert im.study("share ~ owner", data=frame, rounding_width=1).firms[:2] == ("0", "1")
    named = frame.set_index(pd.Index([f"N{i}" for i in frame.index], name="who"))
    study = im.study("share ~ owner", data=named, rounding_width=1)
    assert study.firms[:2] == ("N0", "N1")
    assert study.tables["data.csv"].header[-1] == "who"
    assert "who" not in named.columns


def test_what_pandas_takes_is_taken_and_what_has_to_pandas():
    class Foreign:
        def to_pandas(self):
            return firms()

    columns = {name: own.tolist() for name, own in firms()[["share", "owner"]].items()}
    one = im.study("share ~ owner", data=columns, rounding_width=1)
    other = im.study("share ~ owner", data=Foreign(), rounding_width=1)
    assert one.tables == other.tables


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1.0, 2.0, np.nan], ["1", "2", ""]),
        ([0.1, 2.0, np.nan], ["0.1", "2.0", ""]),
        (np.array([0.1, 2.5, 3], dtype=np.float32), ["0.1", "2.5", "3.0"]),
        ([1e300, 5e-324, 1 / 3], ["1e+300", "5e-324", "0.3333333333333333"]),
        (pd.array([1, None, 3], dtype="Int64"), ["1", "", "3"]),
        ([True, False, None], ["yes", "no", ""]),
        ([Decimal("12.30"), Decimal(4), None], ["12.30", "4", ""]),
        (pd.to_datetime(["2001-02-03", None, "2004-05-06"]), ["2001-02-03", "", "2004-05-06"]),
        (["a", None, " b,\n'"], ["a", "", " b,\n'"]),
        (pd.Categorical([3, 1, 2]), ["3", "1", "2"]),
    ],
)
def test_cells_are_what_the_column_holds(values, texts):
    from intlmodels.studies.frame import _cells

    assert _cells(pd.Series(values)) == texts


def test_numbers_in_text_are_read_as_the_same_numbers():
    rng = np.random.default_rng(2)
    values = np.concatenate([rng.normal(size=200) * 10.0 ** rng.integers(-140, 140, 200), [2**53]])
    frame = pd.DataFrame({"share": rng.integers(2, 9, 201), "x": values})
    study = im.study(frame, outcome="share", predictors=["x"], rounding_width=1)
    assert study.predictors["x"].values.tolist() == values.tolist()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda f: {"data": f.assign(share=f["share"].where(f.index != 7, 130))},
            "data, row 7, column 'share': found '130'; expected a share from 0 to 100",
        ),
        (
            lambda f: {
                "data": f.assign(size=f["size"].where(f.index != 4, -1)).set_index(f.index + 50)
            },
            "data, row 54, column 'size': found '-1.0'",
        ),
        (lambda f: {"formula": "share ~ ovner"}, "did you mean 'owner'?"),
        (lambda f: {"rounding_width": None}, "expected rounding_width"),
        (
            lambda f: {"data": f.assign(share=["10-25", *f["share"][1:].astype(str)])},
            "found '10-25'; expected a number; for shares in bands",
        ),
        (lambda f: {"rounding_width": -3}, "rounding_width: found -3; expected"),
        (lambda f: {"rounding_width": "wide"}, "found 'wide'; no such column"),
        (lambda f: {"unit": "kode"}, "did you mean 'code'?"),
        (lambda f: {"time": "size", "unit": ""}, "expected unit"),
        (lambda f: {"predictors": ["size"]}, "expected one of both"),
        (lambda f: {"formula": None, "outcome": "share", "predictors": [3]}, "found 3; expected"),
        (
            lambda f: {
                "data": f.assign(w=np.where(f.index == 2, np.nan, 1)),
                "rounding_width": "w",
            },
            "data, row 2, column 'w': found nothing; expected the rounding width of the row",
        ),
        (
            lambda f: {
                "data": f.assign(share=np.float32(f["share"] + 0.1).astype(float)),
                "rounding_width": "printed",
            },
            "round the column, as with .round(1), or give rounding_width as a number",
        ),
        (lambda f: {"data": f[:0]}, "there are none"),
        (lambda f: {"data": 3}, "expected a DataFrame"),
        (lambda f: {"data": f[["share", "owner", "owner"]]}, "every name of a column once"),
        (
            lambda f: {
                "formula": None,
                "outcome": "share",
                "predictors": ["owner"],
                "groups": {"sector": {"slops": ["owner"]}},
            },
            "[groups.sector] slops: unknown key (did you mean 'slopes'?)",
        ),
        (lambda f: {"outcom": {}}, "did you mean 'outcome'?"),
        (lambda f: {"data": None}, "expected a DataFrame, as in im.study(formula, data)"),
        (lambda f: {"formula": "sector ~ owner"}, "column 'sector': found 'boats'; no cell has a"),
        (
            lambda f: {"data": f.assign(share="10-25")},
            "no cell has a number: name another column; expected a number; for shares in bands",
        ),
        (lambda f: {"formula": "share ~ owner + code"}, "firms that repeat differ in level anyway"),
        (lambda f: {"weights": "sise"}, "weights: found 'sise'; no such column (did you mean"),
        (lambda f: {"rounding_width": "printd"}, "'printed' or a column (did you mean 'printed'?)"),
        (lambda f: {"data": f.assign(share=f["share"] / 100)}, "unit_of_measure='fraction'"),
    ],
)
def test_errors_name_the_row_and_column_of_the_frame(change, said):
    frame = firms()
    asked = {"data": frame, "unit": "code", "rounding_width": 1}
    asked |= {"formula": "share ~ owner + log(size)"} | change(frame)
    with pytest.raises(im.StudyError) as error:
        im.study(**asked)
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_study_in_a_notebook_shows_what_check_prints():
    study = im.study("share ~ owner", data=firms(), unit="code", rounding_width=1)
    assert str(study).splitlines() == list(study.lines())


def test_numbers_standardized_before_are_compared_at_zero():
    size = np.log(firms()["size"])
    data = firms().assign(size=((size - size.mean()) / size.std()).round(3))
    study = im.study("share ~ size", data=data, unit="code", rounding_width=1)
    names = design_of(study, "default").blocks[0].settings
    assert names[1] == "0 (at the mean)"


def test_terms_of_the_precision_are_on_the_log_scale():
    study = im.study(
        "share ~ owner + sector",
        data=firms(),
        unit="code",
        rounding_width=1,
        precision=["owner", "sector"],
        zeros=["owner"],
    )
    meaning = im.prior_table(study).set_index("name")["meaning"]
    assert meaning["owner"] == "other against family, logit scale"
    assert meaning["phi_owner"] == "phi: other against family, log scale"
    assert meaning["sigma_phi_sector"] == "phi: spread of the effects of sector, log scale"
    assert meaning["phi_sector"] == "phi: effect of each level of sector"
    assert meaning["never_owner"] == "never: other against family, logit scale"


def test_all_errors_of_the_frame_come_at_once():
    frame = firms().assign(share=lambda f: f["share"] + 200 * f.index.isin([3, 8]))
    with pytest.raises(im.StudyError) as error:
        im.study("share ~ owner", data=frame.set_index(frame.index + 10), rounding_width=1)
    lines = str(error.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "data, row 13, column 'share'",
        "data, row 18, column 'share'",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": 0.0}, "found '0.0'; expected a number above 0"),
        ({"owner": ""}, "found nothing; expected a label"),
        ({"w": -1}, "found '-1'; expected a weight of at least 0"),
        ({"sector": ""}, "expected the name of the row's group"),
    ],
)
def test_several_errors_of_any_column_come_at_once(changes, said):
    frame = panel(w=np.tile([1, 2], 15))
    for column, value in changes.items():
        frame.loc[[3, 8, 20], column] = value
    asked = {"weights": "w", "groups": "sector", "unit": "code", "rounding_width": 1}
    with pytest.raises(im.StudyError) as error:
        im.study(frame, outcome="share", predictors={"size": {"transform": "log"}} | OWNER, **asked)
    lines = str(error.value).splitlines()
    assert [line.split(",")[1] for line in lines] == [" row 3", " row 8", " row 20"]
    assert all(said in line for line in lines)


def test_one_name_need_not_be_in_a_list():
    asked = {"outcome": "share", "unit": "code", "rounding_width": 1}
    one = im.study(firms(), predictors="size", precision="size", groups="sector", **asked)
    several = im.study(firms(), predictors=["size"], precision=["size"], groups=["sector"], **asked)
    assert fingerprints(one) == fingerprints(several)


def test_printed_decimals_are_those_of_the_longest_number():
    from intlmodels.studies.frame import _cells

    assert _cells(pd.Series([0.1, 2.125, 3, np.nan]), True) == ["0.100", "2.125", "3.000", ""]
    assert _cells(pd.Series([1.0, 2.0]), True) == ["1", "2"]
    assert _cells(pd.Series(["1.50", "2"]), True) == ["1.50", "2"]


# -- saved and read again ------------------------------------------------------------------


def same_study(one, other):
    assert one.document == other.document
    assert one.tables == other.tables
    assert fingerprints(one) == fingerprints(other)


def test_a_saved_study_is_the_same(tmp_path):
    frame = panel(note=["a, 'b'\n\"c\""] * 30)
    study = im.study(
        "share ~ owner + log(size) + stage + sector",
        data=frame.assign(stage=frame["stage"].astype(str)),
        unit="code",
        time="year",
        rounding_width=1,
        title='Quotes " and \\ and ü',
    )
    folder = study.save(tmp_path / "new")
    assert sorted(path.name for path in folder.iterdir()) == ["data.csv", "study.toml"]
    same_study(study, im.load_study(folder))


@pytest.mark.parametrize("name", ["rochester", "norway"])
def test_studies_of_folders_are_saved_as_they_are(name, tmp_path):
    study = im.load_study(name)
    (tmp_path / "empty").mkdir()
    same_study(study, im.load_study(study.save(tmp_path / "empty")))


def test_cells_that_look_odd_come_back(tmp_path):
    odd = [("Alder,10,1.5,Tools,", '  Alder ,10,1.5,"To""ols, \nall",')]
    study = im.load_study(write_study(tmp_path / "a", toml=STUDY, edit_firms=odd))
    same_study(study, im.load_study(study.save(tmp_path / "b")))


def test_nothing_is_written_over(tmp_path):
    study = im.load_study(write_study(tmp_path / "a"))
    before = {path: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    with pytest.raises(im.StudyError, match="not empty"):
        study.save(tmp_path / "a")
    assert before == {path: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    for wrong in (tmp_path / "none" / "b", tmp_path / "a" / "study.toml", "", "a\nb", "x" * 5000):
        with pytest.raises(im.StudyError):
            study.save(wrong)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_saved_study_has_the_same_draws(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = im.study("share ~ owner + log(size)", data=firms(), rounding_width=1, unit="code")
    few = {"draws": 20, "tune": 20, "chains": 2, "cores": 1}
    monkeypatch.setattr(jobs, "gate", lambda _: Gate(()))  # once is enough
    fit = im.fit_study(study, **few)
    assert not list(tmp_path.iterdir())
    folder = study.save(tmp_path / "made")
    again = im.fit_study(folder, **few)
    assert fit["posterior"].to_dataset().identical(again["posterior"].to_dataset())
    assert fit.attrs["fingerprint"] == again.attrs["fingerprint"]


def test_toml_is_read_as_it_was_meant():
    document = parsed(STUDY + VARIANTS) | {
        "numbers": {"whole": 3, "half": 0.5, "small": 1e-7, "large": 1e22, "truth": True},
        "odd names": {"ü.x": ['a"b\\c\n\t\x7f\x01', "é"], "empty": []},
    }
    assert parsed(toml_text(document)) == document
    assert re.findall(r"^\[study\]$", toml_text(document), re.M)


# -- the page for users --------------------------------------------------------------------

PAGE = Path(__file__).parent.parent / "docs" / "from-a-dataframe.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="the pages are in the checkout")
def test_the_page_is_followed_to_the_letter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = panel().rename(columns={"code": "firm", "share": "fsts"})
    rows.to_csv("firms.csv", index=False)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    assert len([line for line in blocks[0].splitlines() if line]) == 6
    names = {}

    # What would be fitted, in place of the fit.
    def fit_study(study, variant="default"):
        return design_of(*with_function(study, variant))

    monkeypatch.setattr(im, "fit_study", fit_study, raising=False)
    monkeypatch.setattr(im, "estimates", lambda fit: None, raising=False)
    exec(blocks[0], names)
    assert [own.name for own in names["fit"].groupings] == ["sector", "firm"]
    first = names["study"]
    exec(blocks[1], names)
    second = names["study"]
    assert first.interactions.keys() == second.interactions.keys() == {"owner_size"}
    assert first.predictors["size"].values.tolist() == second.predictors["size"].values.tolist()
    exec(blocks[2], names)
    assert [own.name for own in names["fit"].groupings] == ["firm"]
    assert [path.name for path in tmp_path.iterdir()] == ["firms.csv"]
    saved = first.save("abroad")
    assert im.load_study(saved).tables == first.tables


@pytest.mark.skipif(not PAGE.is_file(), reason="the pages are in the checkout")
def test_every_line_of_the_table_of_formulas_is_read():
    cells = re.findall(r"^\| (`.+`) \| ", PAGE.read_text("utf-8"), re.MULTILINE)
    written = [
        text.replace("\\|", "|") for cell in cells for text in re.findall(r"`([^`]+)`", cell)
    ]
    assert len(written) >= 15
    for text in written:
        terms = f"y ~ {text}" if "~" not in text else text.replace("...", "x")
        if ":" in text:
            terms += " + a + b"
        if text.startswith("("):
            terms += " + x"
        assert parse_formula(terms).predictors


# -- words for what has none ---------------------------------------------------------------


def test_years_are_written_as_dates_and_differ_by_years():
    years = np.array([1905, 1931, 1960, 1987, 1998, 2004, 2011, 2017])
    frame = pd.DataFrame(
        {"firm": list("abcdefgh"), "founded": years, "export_share": 5 * (years % 9)}
    )
    study = im.study("export_share ~ founded", frame, rounding_width=5)
    (block,) = design_of(study).blocks
    mean, sd = years.mean(), years.std(ddof=1)
    assert [text[:5] for text in block.settings] == [f"{mean + k * sd:.0f} " for k in (-1, 0, 1)]
    fit = from_prior(study)
    (pair,) = im.comparisons(fit, {"founded": [1900, 2000]}).table["contrast"]
    assert pair == "2000 \N{MINUS SIGN} 1900"
    assert im.comparisons(fit, "founded").table["contrast"].tolist() == ["+1 year"]
    # Other numbers are not taken for dates.
    sizes = im.study("export_share ~ founded", frame.assign(founded=years * 2), rounding_width=5)
    assert design_of(sizes).blocks[0].settings[1].startswith("3,950 ")


def test_columns_without_a_label_are_words_in_the_report(tmp_path):
    frame = firms().assign(export_share=lambda f: f["share"], owner_kind=lambda f: f["owner"])
    study = im.study("export_share ~ owner_kind", frame, rounding_width=1, unit="code")
    assert study.title == "Export share"
    jobs.store.write(made_up(study), jobs.stored_path(tmp_path, "default"))
    im.write_report(study, tmp_path)
    text = (tmp_path / "report.md").read_text("utf-8")
    assert (
        "how the export share of these 24 firms depends on owner kind.** Owner kind comes" in text
    )
    assert 'reproduces the draws, after `study.save("export_share")`:' in text
    assert 'study = im.load_study("../../export_share")' in text
