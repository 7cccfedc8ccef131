"""Registers of shares that say which firm each row is of: how many repeat, and what that means."""

from collections import Counter

import numpy as np
import pytest

import intlmodels as im
from intlmodels.core.errors import StudyError
from intlmodels.studies import describe
from registers import HEADER, STUDY, write_csv, write_parquet, write_register

COLUMNS = (*HEADER, "firm_id")


def rows_of(firms):
    """Rows with a share, one a name; and three rows without a share of other firms."""
    rng = np.random.default_rng(20261)
    found = [
        (str(5 * int(rng.integers(21))), *(str(rng.choice(v)) for v in LEVELS), firm)
        for firm in firms
    ]
    return [*found, *(("", "Boats", "small", "1", firm) for firm in (firms[0], "none", ""))]


LEVELS = (("Boats", "Tools", "Toys"), ("small", "large"), ("1", "2.5", "10"))


def made(folder, firms, kind="csv", files=1, **edits):
    write_register(folder, files=f"rows/*.{kind}", unit="firm_id", **edits)
    rows = rows_of(firms)
    (folder / "rows").mkdir(exist_ok=True)
    for i in range(files):
        path, own = folder / f"rows/{i}.{kind}", rows[i::files]
        if kind == "csv":
            write_csv(path, own, COLUMNS)
        else:
            write_parquet(path, own, COLUMNS, ("VARCHAR",) * len(COLUMNS))
    return folder


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("files", [1, 3])
def test_firms_that_repeat_are_counted(tmp_path, kind, files):
    rng = np.random.default_rng(7)
    firms = [f"firm {i}" for i in rng.integers(0, 60, 90)]
    often = Counter(firms)
    repeated = sum(n > 1 for n in often.values())
    rows = sum(n for n in often.values() if n > 1)
    with pytest.raises(StudyError) as caught:
        im.reduce(made(tmp_path / "a", firms, kind, files))
    text = str(caught.value)
    assert text.isprintable()
    assert f"column 'firm_id': {repeated} of {len(often)} firms have several rows ({rows} " in text
    assert 'repeated = "independent"' in text
    assert "[rows] with unit" in text
    out = tmp_path / "out"
    folder = made(tmp_path / "b", firms, kind, files, repeated="independent")
    study = im.reduce(folder, out)
    assert (study.read.firms, study.read.repeated) == (len(often), repeated)
    assert f"{repeated} of them have several rows, which are treated as independent" in describe(
        study
    )
    # The counts are those without a word of firms, and are found again.
    plain = made(tmp_path / "c", firms, kind, files)
    toml = (plain / "study.toml").read_text().replace('unit = "firm_id"\n', "")
    (plain / "study.toml").write_text(toml)
    assert (im.reduce(plain).rows == study.rows).all()
    again = im.reduce(folder, out)
    assert again.read == study.read


def test_names_are_compared_as_labels(tmp_path):
    firms = ["A  b", "A b", *(f"firm {i}" for i in range(9))]
    with pytest.raises(StudyError, match="1 of 10 firms have several rows"):
        im.reduce(made(tmp_path, firms))


def test_firms_with_one_row_each_need_no_word(tmp_path):
    study = im.reduce(made(tmp_path, [f"firm {i}" for i in range(30)]))
    assert (study.read.firms, study.read.repeated) == (30, 0)
    assert "firms     30; each has one row" in describe(study)


def test_a_row_without_a_firm_is_refused(tmp_path):
    firms = [f"firm {i}" for i in range(30)]
    firms[4] = "NA"
    with pytest.raises(StudyError, match="1 rows with a share have no firm"):
        im.reduce(made(tmp_path, firms, repeated="independent"))


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"repeated": "independent"}, "[register] repeated: found 'independent'; expected also"),
        ({"unit": "firm_id", "repeated": "yes"}, "expected one of 'independent'"),
        ({"unit": "firm"}, "column 'firm'"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, edits, said):
    folder = made(tmp_path, [f"firm {i}" for i in range(30)])
    write_register(folder, **edits)
    with pytest.raises(StudyError) as caught:
        im.reduce(folder)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


WITHOUT_WIDTH = STUDY.replace("rounding_width = 5\n", "")


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        (STUDY.replace("rounding_width = 5", 'rounding_width = "printed"'), "rounding_width"),
        (STUDY.replace("rounding_width = 5", 'rounding_width = "width"'), "rounding_width"),
        (WITHOUT_WIDTH, "rounding_width"),
        (WITHOUT_WIDTH.replace('column = "share"', 'lower = "a"\nupper = "b"'), "lower"),
        (STUDY.replace("rounding_width = 5", 'rounding_width = 5\nweights = "w"'), "weights"),
        (STUDY.replace("rounding_width = 5", 'rounding_width = 5\nzeros = "structural"'), "zeros"),
        (STUDY + '\n[groups.a]\ncolumn = "branch"\n', "groups"),
        (STUDY + '\n[interactions.a]\nof = ["branch", "size"]\n', "interactions"),
        (STUDY + '\n[precision]\npredictors = ["size"]\n', "precision"),
        (STUDY + 'split = "within"\n', "split"),
        (STUDY + 'curve = "quadratic"\n', "curve"),
        (STUDY + "at = [1]\n", "at"),
    ],
)
def test_what_a_register_does_not_take_is_one_line(tmp_path, toml, key):
    write_register(tmp_path, toml)
    with pytest.raises(StudyError) as caught:
        im.load_study(tmp_path)
    text = str(caught.value)
    assert text.startswith("study.toml, key ")
    assert key in text
    assert text.isprintable()
    assert key == "rounding_width" or "it belongs to studies" in text
