"""Predictors and groups of known decisions: in the model, its simulator and what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import intlmodels as im
from decaystudies import COUNTS, write_counts_study, write_decisions_study
from decaytrees import decay_tree
from decisionregisters import STUDY as REGISTER
from decisionregisters import write_decisions
from intlmodels.core.errors import StudyError
from intlmodels.models import design_of, model_of, priors_of
from intlmodels.models.decay import inferencedata, model, simulator
from intlmodels.results import decay as results
from intlmodels.studies import DecayStudy, describe, load_study

FIRMS = ("Ash", "Box", "Cob", "Dot")
COLUMNS = ("firm", "when", "flag", "mode", "distance", "host")
#: In no order of time.
ROWS = (
    ("Ash", "2003", "no", "entry", "100", "North"),
    ("Box", "1999", "yes", "export", "400", "South"),
    ("Ash", "2001", "yes", "entry", "200", "South"),
    ("Cob", "2001", "no", "joint", "50", "North"),
    ("Ash", "2002", "yes", "export", "800", "North"),
    ("Box", "1998", "no", "entry", "100", "South"),
)
TERMS = """
[predictors.mode]
kind = "category"
column = "mode"

[predictors.distance]
kind = "numeric"
column = "distance"
transform = "log"
unit = "km"

[predictors.owner]
kind = "contrast"
file = "firms.csv"
column = "owner"
low = "family"
high = "listed"

[groups.host]
column = "host"
label = "Host country"
"""


def study_with(folder: Path, toml: str = TERMS, **arguments: Any) -> DecayStudy:
    arguments = {"decisions": ROWS, "columns": COLUMNS, "firms": FIRMS, **arguments}
    path = write_decisions_study(folder, toml=toml, **arguments)
    table = path / "firms.csv"
    header, *rows = table.read_text().splitlines()
    owners = ("listed", "family", "listed", "listed")
    rows = [f"{row},{owner}" for row, owner in zip(rows, owners, strict=True)]
    table.write_text("\n".join([f"{header},owner", *rows]) + "\n")
    study = load_study(path)
    assert isinstance(study, DecayStudy)
    return study


def refusal(folder: Path, toml: str, **arguments: Any) -> str:
    with pytest.raises(StudyError) as caught:
        study_with(folder, toml, **arguments)
    text = str(caught.value)
    assert text.isprintable()
    return text


def test_terms_follow_the_order_of_the_decisions(tmp_path: Path) -> None:
    study = study_with(tmp_path)
    known = study.decisions
    assert known is not None
    assert known.when == ("2001", "2002", "2003", "1998", "1999", "2001")
    mode, distance, owner = known.predictors.values()
    assert [mode.levels[code] for code in mode.codes] == [
        *("entry", "export", "entry", "entry", "export", "joint")
    ]
    logs = np.log([200, 800, 100, 100, 400, 50])
    assert distance.values == pytest.approx(logs)
    assert (distance.center, distance.scale) == pytest.approx((logs.mean(), logs.std(ddof=1)))
    assert owner.values.tolist() == [0.5, 0.5, 0.5, -0.5, -0.5, 0.5]
    host = known.groupings["host"]
    assert [host.labels[code] for code in host.codes] == [
        *("South", "North", "North", "South", "South", "North")
    ]
    said = describe(study)
    assert "distance: numeric, Distance; mean" in said
    assert "groups host: 2, Host country (decisions.csv, host)" in said


def by_hand(study: DecayStudy, values: dict[str, np.ndarray]) -> np.ndarray:
    """Log odds of the decisions at one point, decision by decision."""
    known = study.decisions
    assert known is not None
    odds = []
    for i, firm in enumerate(known.firm):
        mode, distance, owner = known.predictors.values()
        host = known.groupings["host"]
        odds.append(
            values["intercept"]
            + values["firm"][study.firms.index(firm)]
            - values["decay_mean"] * known.entries[i]
            + values["mode"][mode.codes[i]]
            + values["distance"] * (distance.values[i] - distance.center) / distance.scale
            + values["owner"] * owner.values[i]
            + values["host"][host.codes[i]]
        )
    return np.array(odds)


def test_the_density_is_that_of_the_formula(tmp_path: Path) -> None:
    study = study_with(tmp_path)
    assert study.decisions is not None
    built = model.build(study)
    density = built.compile_logp(jacobian=False)
    rng = np.random.default_rng(20261)
    real = ("intercept", "decay_mean", "distance", "owner")
    for _ in range(5):
        point: dict[str, Any] = {name: rng.normal() for name in real}
        spreads = {name: rng.gamma(2) for name in ("sigma_firm", "sigma_mode", "sigma_host")}
        standard = {"firm": rng.normal(size=4), "mode": rng.normal(size=3)}
        standard["host"] = rng.normal(size=2)
        effects = {name: spreads[f"sigma_{name}"] * z for name, z in standard.items()}
        odds = by_hand(study, point | effects)
        expected = stats.bernoulli.logpmf(study.decisions.flag, 1 / (1 + np.exp(-odds))).sum()
        expected += stats.norm.logpdf(point["intercept"], 0, 1.5)
        expected += sum(stats.norm.logpdf(point[name], 0, 0.5) for name in real[1:])
        expected += stats.halfnorm.logpdf(spreads["sigma_firm"])
        expected += sum(
            stats.halfnorm.logpdf(spreads[name], scale=0.5) for name in ("sigma_mode", "sigma_host")
        )
        expected += sum(stats.norm.logpdf(z).sum() for z in standard.values())
        given = point | {f"{name}_log__": np.log(value) for name, value in spreads.items()}
        given |= {f"{name}_z": z for name, z in standard.items()}
        assert density(given) == pytest.approx(expected, abs=1e-9)


def test_what_is_simulated_follows_the_formula(tmp_path: Path) -> None:
    study = study_with(tmp_path)
    design = design_of(study, "default")
    priors = priors_of(study, "default")
    drawn, tables = inferencedata.prior_values(design, priors, 50, np.random.default_rng(1))
    assert tables is None
    firm, period = design.codes
    assert design.decisions is not None
    odds = inferencedata.log_odds(design, drawn, firm, period, design.decisions.entries)
    for i in range(50):
        one = {name: value[i] for name, value in drawn.items()}
        assert odds[i] == pytest.approx(by_hand(study, one))
    # The spread of drawn effects is that of the prior.
    many, _ = inferencedata.prior_values(design, priors, 4000, np.random.default_rng(2))
    ratio = many["host"] / many["sigma_host"][:, None]
    assert stats.kstest(ratio[:, 0], "norm").pvalue > 1e-4
    truth, given = simulator.simulate(study, design, priors, np.random.default_rng(3))
    found = simulator.quantities(study, design, truth, given)
    names = {"distance", "owner", "sigma_mode", "mode[entry]", "sigma_host", "host[South]"}
    assert names <= set(found)


def test_terms_change_the_fingerprint_and_what_is_stored(tmp_path: Path) -> None:
    study = study_with(tmp_path)
    design = design_of(study, "default")
    parts = model_of(study).data_parts(study, design)
    assert {"mode", "distance", "owner", "host"} <= set(parts)
    stored = inferencedata.constant_data(study, design)
    assert stored["host_code"].dims == ("decision",)
    assert stored["distance_value"].to_numpy().std(ddof=1) == pytest.approx(1)
    assert list(stored["mode_level"].to_numpy()) == ["entry", "export", "joint"]


def test_studies_without_terms_are_as_they_were(tmp_path: Path) -> None:
    study = study_with(tmp_path, "")
    design = design_of(study, "default")
    assert design.terms == ()
    names = {str(name) for name in inferencedata.constant_data(study, design).data_vars}
    assert names == {
        *("size_of_firm", "period_weight", "firm_of_decision", "period_of_decision"),
        "prior_entries",
    }


OWNER = '[predictors.owner]\nkind = "contrast"\ncolumn = "mode"\nlow = "entry"\nhigh = "export"\n'


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[predictors.decay]\nkind = "category"\ncolumn = "mode"\n', "expected another name"),
        ('[predictors.a]\nkind = "category"\ncolumn = "flag"\n', "another column than the outcome"),
        ('[predictors.a]\nkind = "category"\ncolumn = "mod"\n', "did you mean 'mode'"),
        ('[predictors.a]\nkind = "numeric"\ncolumn = "mode"\n', "expected a number"),
        (OWNER, "found 'joint'; expected 'entry' (low) or 'export' (high)"),
        ('[groups.a]\ncolumn = "host"\nslopes = ["b"]\n', "[groups.a] slopes: unknown key"),
        (
            '[predictors.a]\nkind = "category"\ncolumn = "host"\n[groups.b]\ncolumn = "host"\n',
            "[predictors.a] uses it",
        ),
        ('[predictors.a]\nkind = "numeric"\ncolumn = "distance"\ncurve = "spline"\n', "curve"),
    ],
)
def test_terms_that_cannot_be_read(tmp_path: Path, toml: str, said: str) -> None:
    assert said in refusal(tmp_path, toml)


def test_a_missing_number_is_refused(tmp_path: Path) -> None:
    rows = [*ROWS[:2], (*ROWS[2][:4], "NA", "South"), *ROWS[3:]]
    text = refusal(tmp_path, TERMS, decisions=rows)
    assert "decisions.csv, row 4, column 'distance'" in text
    assert "missing values takes no" in text


def test_counts_and_registers_take_no_terms(tmp_path: Path) -> None:
    toml = '[predictors.a]\nkind = "category"\ncolumn = "a"\n'
    with pytest.raises(StudyError, match="whose decisions are all known; expected a table"):
        load_study(write_counts_study(tmp_path / "a", counts=COUNTS, toml=toml))
    folder = write_decisions(tmp_path / "b", REGISTER + toml)
    with pytest.raises(StudyError, match=r"\[predictors\].*it belongs to studies"):
        load_study(folder)


# -- what predictors and groups change, in percentage points --------------------------------


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> DecayStudy:
    return study_with(tmp_path_factory.mktemp("terms"))


@pytest.fixture(scope="module")
def tree(study: DecayStudy) -> Any:
    design = design_of(study, "default")
    found = decay_tree(design, known=True)
    assert found["posterior"]["mode"].sizes["mode_level"] == 3
    return found


def chance(study: DecayStudy, tree: Any, **changes: Any) -> np.ndarray:
    """Probability of the flag in percent, (chain, draw, decision), decision by decision."""
    known = study.decisions
    assert known is not None
    draws = {str(name): array.to_numpy() for name, array in tree["posterior"].data_vars.items()}
    mode, distance, owner = known.predictors.values()
    logs = np.log(changes["distance"]) if "distance" in changes else distance.values
    codes = {
        "mode": mode.codes,
        "host": known.groupings["host"].codes,
        "owner": owner.values,
        **{name: np.full(6, value) for name, value in changes.items() if name != "distance"},
    }
    firm = [study.firms.index(name) for name in known.firm]
    odds = draws["intercept"][..., None] + draws["firm"][..., firm]
    odds = odds - draws["decay"][..., :1] * known.entries
    odds = odds + draws["mode"][..., codes["mode"]] + draws["host"][..., codes["host"]]
    odds = odds + draws["owner"][..., None] * codes["owner"]
    odds = odds + draws["distance"][..., None] * (logs - distance.center) / distance.scale
    return 100 / (1 + np.exp(-odds))


def test_predictions_are_averages_over_the_decisions(study: DecayStudy, tree: Any) -> None:
    found = im.predictions(tree)
    np.testing.assert_allclose(found.draws, chance(study, tree).mean(axis=-1))
    assert found.draws.attrs["quantity"] == "probability of: motivated by the cluster"
    at = im.predictions(tree, at={"mode": "joint", "distance": [50, 400]}, by="host").draws
    assert study.decisions is not None
    codes = study.decisions.groupings["host"].codes
    for km in (50, 400):
        own = chance(study, tree, mode=2, distance=km)
        got = at.sel(mode="joint", distance=km, host="South")
        np.testing.assert_allclose(got, own[..., codes == 1].mean(axis=-1))


def test_comparisons_and_slopes_are_differences_of_them(study: DecayStudy, tree: Any) -> None:
    owner = im.comparisons(tree, "owner").draws
    expected = (chance(study, tree, owner=0.5) - chance(study, tree, owner=-0.5)).mean(axis=-1)
    np.testing.assert_allclose(owner.isel(contrast=0), expected)
    host = im.comparisons(tree, "host").draws.isel(contrast=0)
    expected = (chance(study, tree, host=1) - chance(study, tree, host=0)).mean(axis=-1)
    np.testing.assert_allclose(host, expected)
    slope = im.slopes(tree, "distance", at={"distance": 100}).draws.isel(slope=0, distance=0)
    ends = [chance(study, tree, distance=100 + step).mean(axis=-1) for step in (0.01, -0.01)]
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 0.02, rtol=1e-4, atol=1e-6)


def test_tables_of_terms_are_of_these_averages(study: DecayStudy, tree: Any) -> None:
    levels, differences = results.term_levels(tree), results.term_differences(tree)
    assert len(levels) == 3 + 3 + 2 + 2
    assert len(differences) == 3 + 3 + 1 + 1
    row = levels[levels["level"] == "export"].iloc[0]
    own = chance(study, tree, mode=1).mean(axis=-1)
    assert row["mean"] == pytest.approx(own.mean())
    row = differences[differences["level"] == "South"].iloc[0]
    own = (chance(study, tree, host=1) - chance(study, tree, host=0)).mean(axis=-1)
    assert (row["against"], row["label"]) == ("North", "Host country")
    assert row["median"] == pytest.approx(np.median(own))
    assert row["p_positive"] == pytest.approx((own > 0).mean())
    known = study.decisions
    assert known is not None
    distance = known.predictors["distance"]
    high = float(f"{np.exp(distance.center + distance.scale):.3g}")
    assert f"{high:g} km" in list(levels["level"])


def test_what_cannot_be_asked(study: DecayStudy, tree: Any) -> None:
    with pytest.raises(StudyError, match="'mode' has no level 'solo'"):
        im.predictions(tree, at={"mode": "solo"})
    with pytest.raises(StudyError, match="did you mean 'distance'"):
        im.slopes(tree, "distances")
    with pytest.raises(StudyError, match=r"of decisions that are all known; see plots\.curves"):
        im.predictions(decay_tree())


def test_without_terms_there_are_no_tables_of_them() -> None:
    assert results.term_levels(decay_tree(known=True)).empty
    assert results.term_differences(decay_tree(known=True)).empty
