"""Claims on slopes, moderation and curves of a panel, held against draws at random."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import intlmodels as im
from intlmodels.claims import ledger
from intlmodels.core.errors import StudyError
from intlmodels.fitting import store
from intlmodels.models import require_names
from intlmodels.models.base import flat
from intlmodels.models.share.coefficients import Change, Coefficients
from panels import random_fit
from panelstudies import FIRMS, PANEL, ROWS
from trees import from_prior, store_fits

TERMS = """
[predictors.stage]
kind = "category"
column = "stage"

[predictors.age]
kind = "numeric"
column = "age"
curve = "quadratic"

[interactions.owner_size]
of = ["owner", "size"]

[groups.sector]
column = "sector"

[variants.plain]
kind = "terms"
drop = ["owner_size"]
"""
SPLIT = PANEL.replace('transform = "log"', 'split = "within"')


def study_with(folder: Path, *keys: str, panel: str = PANEL, terms: str = TERMS) -> Any:
    claims = "".join(
        f'\n[[claims]]\nid = "C{i}"\ntext = "So it is"\n{one}\n' for i, one in enumerate(keys, 1)
    )
    folder.mkdir(exist_ok=True)
    for name, text in (("rows.csv", ROWS), ("firms.csv", FIRMS)):
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "study.toml").write_text(panel + terms + claims, encoding="utf-8")
    return im.load_study(folder)


def expected(fit: Any, **weights: Any) -> Any:
    """Mean expected share over the rows, in percent, with weights of predictors replaced; (draw,).

    Rounding is left out: it moves the mean by far less than the tolerances.
    """
    own = Coefficients(fit)
    linear = own.rows_linear(Change({k: np.atleast_1d(v) for k, v in weights.items()}))
    return 100 * (1 / (1 + np.exp(-linear))).mean(axis=1)


def standardized(study: Any, size: float) -> float:
    own = study.predictors["size"]
    return (np.log(size) - own.center) / own.scale


EFFECT = 'rule = "average effect"\nsign = "positive"\n'


def test_moderation_is_a_difference_of_comparisons(tmp_path: Path) -> None:
    study = study_with(
        tmp_path,
        EFFECT + 'predictor = "owner"\nat = {size = 90}',
        EFFECT + 'predictor = "owner"\nat = {size = 90}\nthan = {size = 10}',
        EFFECT.replace("positive", "negative") + 'predictor = "stage"\nlevels = ["low", "high"]',
    )
    fit = random_fit(study, shape=(2, 400))

    def effect(size: float) -> Any:
        at = standardized(study, size)
        return expected(fit, owner=0.5, size=at) - expected(fit, owner=-0.5, size=at)

    high, low, _ = np.eye(3)
    stages = expected(fit, stage=low) - expected(fit, stage=high)
    table = ledger.evaluate(study, {"default": fit})
    found = table.set_index("id")
    for name, draws in (("C1", effect(90)), ("C2", effect(90) - effect(10)), ("C3", -stages)):
        row = found.loc[name]
        assert row.probability == pytest.approx((draws > 0).mean(), abs=0.005)
        sign = -1 if name == "C3" else 1
        assert row.effect_median == pytest.approx(sign * np.median(draws), abs=0.02)
        assert row.effect_unit == "percentage points"
    assert "at size 90, less that at size 10" in found.loc["C2", "how"]
    assert "of stage, low against high is negative" in found.loc["C3", "how"]


def test_slopes_within_firms(tmp_path: Path) -> None:
    study = study_with(
        tmp_path,
        EFFECT + 'predictor = "size_within"',
        EFFECT + 'predictor = "size_within"\nat = {owner = "foreign"}',
        panel=SPLIT,
        terms="",
    )
    fit = random_fit(study, shape=(2, 400))
    own = im.slopes(fit, "size_within", at={"owner": "foreign"})
    rows = ledger.evaluate(study, {"default": fit}).set_index("id")
    assert rows.loc["C2", "effect_median"] == pytest.approx(float(own.table["median"].iloc[0]))
    assert rows.loc["C2", "probability"] == pytest.approx(float(own.table["p_positive"].iloc[0]))
    assert rows.loc["C1", "effect_unit"] == "percentage points per unit of size_within"
    # Without an interaction the slope has the sign of the coefficient.
    positive = (flat(fit["posterior"].to_dataset()["size_within"]) > 0).mean()
    assert rows.loc["C1", "probability"] == pytest.approx(positive)


def test_shapes_of_curves(tmp_path: Path) -> None:
    keys = 'rule = "shape"\npredictor = "age"\nshape = "{}"'
    study = study_with(tmp_path, keys.format("U"), keys.format("inverted U"))
    fit = random_fit(study, shape=(2, 400), age=0.1)
    bend = flat(fit["posterior"].to_dataset()["age_squared"])
    age = study.predictors["age"].values
    z = (age - study.predictors["age"].center) / study.predictors["age"].scale
    first, last = (0.1 + 2 * bend * end for end in (z.min(), z.max()))
    rows = ledger.evaluate(study, {"default": fit}).set_index("id")
    assert rows.loc["C1", "probability"] == pytest.approx(((first < 0) & (last > 0)).mean())
    assert rows.loc["C2", "probability"] == pytest.approx(((first > 0) & (last < 0)).mean())
    assert 0.1 < rows.loc["C2", "probability"] < 0.9
    turning = im.turning_points(fit)["median"].iloc[0]
    assert rows.loc["C1", "effect_median"] == pytest.approx(turning)
    assert "it turns at " in rows.loc["C1", "numbers"]
    assert "the curve of age is a U within" in rows.loc["C1", "how"]
    assert "the curve of age is an inverted U within" in rows.loc["C2", "how"]


def test_variants_are_read_with_their_coefficients(tmp_path: Path) -> None:
    claim = EFFECT + 'predictor = "size"\nfit = "plain"'
    study = study_with(tmp_path / "study", claim)
    fits = {name: from_prior(study, name) for name in ("default", "plain")}
    store_fits(study, tmp_path / "out", **fits)
    (row,) = im.claim_table(study, tmp_path / "out").itertuples()
    own = im.slopes(fits["plain"], "size").table
    assert row.effect_median == pytest.approx(own["median"].iloc[0])
    (path,) = (tmp_path / "out").rglob("plain.nc")
    assert "firm" not in store.read_summary(path)["posterior"]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (EFFECT + 'predictor = "sise"', "did you mean 'size'?"),
        (EFFECT + 'predictor = "owner_size"', "this is a product"),
        (EFFECT + 'predictor = "stage"', "expected it, two of the levels of stage: 'high'"),
        (EFFECT + 'predictor = "stage"\nlevels = ["low", "hig"]', "did you mean 'high'?"),
        (EFFECT + 'predictor = "stage"\nlevels = "low"', "expected two levels"),
        (EFFECT + 'predictor = "stage"\nlevels = ["low", "low"]', "expected two levels"),
        (EFFECT + 'predictor = "size"\nlevels = ["a", "b"]', "size is a number; delete the key"),
        (EFFECT + 'predictor = "size"\nat = 3', "as in {size = 100, owner = "),
        (EFFECT + 'predictor = "size"\nat = {}', "expected at least one predictor"),
        (EFFECT + 'predictor = "size"\nat = {ownr = "own"}', "did you mean 'owner'?"),
        (EFFECT + 'predictor = "size"\nat = {owner = "owm"}', "did you mean 'own'?"),
        (EFFECT + 'predictor = "size"\nat = {owner = 1}', "expected one of 'own'"),
        (EFFECT + 'predictor = "size"\nat = {sector = "foood"}', "did you mean 'food'?"),
        (EFFECT + 'predictor = "owner"\nat = {size = 0}', "expected a number above 0"),
        (EFFECT + 'predictor = "owner"\nat = {size = nan}', "expected a number above 0"),
        (EFFECT + 'predictor = "owner"\nat = {size = "10"}', "without quotes"),
        (EFFECT + 'predictor = "owner"\nat = {size = [1, 2]}', "or one number"),
        (EFFECT + 'predictor = "owner"\nat = {size = true}', "or one number"),
        (EFFECT + 'predictor = "owner"\nat = {owner = "own"}', "than the one compared"),
        (EFFECT + 'predictor = "owner"\nat = {size = 1}\nthan = {size = 1}', "than those of at"),
        ('rule = "average effect"\npredictor = "size"', "sign: key is missing"),
        ('rule = "shape"\npredictor = "size"\nshape = "U"', 'with curve = "quadratic"'),
        ('rule = "shape"\npredictor = "age"\nshape = "S"', "expected one of 'U', 'inverted U'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, keys: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        require_names(study_with(tmp_path, keys))
    text = str(caught.value)
    assert said in text
    assert text.startswith("study.toml, key [[claims]]")
    assert text.isprintable()


def test_the_examples_of_the_documents_can_be_used(tmp_path: Path) -> None:
    page = Path(__file__).parent.parent / "docs" / "claims.md"
    examples = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = (text for text in examples if "average effect" in text)
    study = study_with(tmp_path, panel=SPLIT, terms=TERMS + example)
    require_names(study)
    assert [claim.id for claim in study.claims] == ["H1", "H2", "H3"]
