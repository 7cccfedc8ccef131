"""Rivals of experience: other owners, and decisions that no interview brought up."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from pytensor.compile.mode import Mode
from scipy import stats

from decaystudies import write_counts_study, write_decisions_study
from decaytrees import text_of
from intlmodels.checks import calibration
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Settings
from intlmodels.fitting.fit import fit
from intlmodels.models import design_of, find_variant, priors_of
from intlmodels.models.decay import inferencedata, simulator
from intlmodels.models.decay.design import OUTCOME
from intlmodels.models.decay.model import build
from intlmodels.report import decay as sections
from intlmodels.report.data import DecayReportData
from intlmodels.results import decay
from intlmodels.studies import load_study
from priordraws import Here

NORWAY = load_study("norway")
OWNERS = """
[variants.sold]
kind = "owners"
[[variants.sold.owned]]
since = "late"
firms = ["Ash"]
[[variants.sold.owned]]
since = "early"
firms = ["Cob"]
"""
MISSED = '\n[variants.unheard]\nkind = "missed"\ncolumn = "talks.csv: number"\n'
TALKS = [["firm", "number"], ["Ash", "5"], ["an agent", "1"], ["Cob", "1"], ["Box", "2"]]


def counted(folder, toml=OWNERS + MISSED, talks=TALKS):
    return load_study(write_counts_study(folder, toml=toml, files={"talks.csv": talks}))


# -- what a study says of them -----------------------------------------------------------


def test_owners_and_interviews_are_those_of_the_study(tmp_path):
    study = counted(tmp_path)
    design = design_of(study, "sold")
    assert design.owned.tolist() == [[False, True], [False, False], [True, True]]
    assert not design.interviews
    assert design_of(study, "unheard").interviews == (5, 2, 1)
    assert not design_of(study).owned.any()
    for name, parameter, prior in (
        ("sold", "owner", "Normal(0, 1)"),
        ("unheard", "recall", "Beta(2, 2)"),
    ):
        found = priors_of(study, name)
        assert found.keys() - priors_of(study).keys() == {parameter}
        assert found[parameter].text == prior
        assert find_variant(study, name).comparable


def test_norway_has_two_foreign_owners_and_interviews():
    owned = design_of(NORWAY, "owners").owned
    assert owned[:3].tolist() == [[False, True, True], [False, False, True], [False] * 3]
    assert not owned[3:].any()
    assert design_of(NORWAY, "missed").interviews == (20, 8, 2, 6, 14, 4, 3, 1, 1, 2, 1, 1)
    assert any("foreign owners" in text for text in NORWAY.limits)


BAD = {
    "an unknown period": (OWNERS.replace('"late"', '"lat"'), TALKS, ["since", "'lat'", "'late'"]),
    "an unknown firm": (OWNERS.replace("Ash", "Asch"), TALKS, ["number 1, firms", "mean 'Ash'"]),
    "a firm twice": (OWNERS.replace("Cob", "Ash"), TALKS, ["number 2, firms", "late already"]),
    "a period twice": (OWNERS.replace("early", "late"), TALKS, ["number 2, since", "each since"]),
    "no owners": ('\n[variants.sold]\nkind = "owners"\nowned = []\n', TALKS, ["owned", "at least"]),
    "no file": (MISSED.replace("talks.csv: ", ""), TALKS, ['expected "file: column"']),
    "a firm without a row": (MISSED, TALKS[:-1], ["'Box'", "talks.csv has none"]),
    "a firm without interviews": (MISSED, [*TALKS[:-1], ["Box", "0"]], ["row 5", "at least 1"]),
    "half an interview": (MISSED, [*TALKS[:-1], ["Box", "1.5"]], ["talks.csv", "whole number"]),
}


@pytest.mark.parametrize("case", BAD)
def test_rivals_that_cannot_be_are_refused_in_one_line(tmp_path, case):
    toml, talks, expected = BAD[case]
    with pytest.raises(StudyError) as caught:
        counted(tmp_path, toml, talks)
    text = str(caught.value)
    assert "\n" not in text
    for part in expected:
        assert part in text


def test_known_decisions_can_have_owners_but_none_that_were_missed(tmp_path):
    files = {"talks.csv": TALKS}
    for folder, toml, said in (
        ("missed", MISSED, "a variant of this kind reads counts"),
        ("owner", f'{OWNERS}[predictors.owner]\nkind = "numeric"\ncolumn = "k"\n', "another name"),
    ):
        with pytest.raises(StudyError, match=said):
            load_study(write_decisions_study(tmp_path / folder, toml=toml, files=files))


def test_of_known_decisions_the_owner_adds_to_the_log_odds(tmp_path):
    folder = write_decisions_study(tmp_path, periods=("early", "late"), starts=[2000], toml=OWNERS)
    study = load_study(folder)
    model = build(study, "sold")
    plain = Mode(linker="py", optimizer=None)
    named = model.replace_rvs_by_values([model[OUTCOME].owner.inputs[-1], model["owner"]])
    density = model.compile_fn(model.logp(sum=False), mode=plain, inputs=model.value_vars)
    odds = model.compile_fn(named, mode=plain, inputs=model.value_vars, on_unused_input="ignore")
    rng = np.random.default_rng(3)
    point = {n: rng.normal(0, 0.5, np.shape(v)) for n, v in model.initial_point().items()}
    without = {**point, "owner": np.array(0.0)}
    owned = design_of(study, "sold").owned[design_of(study).codes]
    assert owned.any()
    assert not owned.all()
    linear = odds(without)[0] + owned * point["owner"]
    flags = study.decisions.flag
    wanted = stats.bernoulli(1 / (1 + np.exp(-linear))).logpmf(flags)
    assert density(point)[-1] == pytest.approx(wanted, abs=1e-10)


# -- the law of what is missed -----------------------------------------------------------


def test_before_each_known_decision_a_geometric_number_was_missed():
    """With no level, no spread and a decay of 1 the flag has the odds exp(-k)."""
    design = replace(
        design_of(NORWAY, "missed"),
        firms=("A", "B"),
        size_of_firm=(0, 0),
        sizes=("all",),
        common=True,
        periods=("all",),
        period_weights=(1.0,),
        counts=(),
        total=3,
        interviews=(1, 3),
    )
    draws = 40_000
    parameters = {
        "intercept": np.zeros(draws),
        "firm": np.zeros((draws, 2)),
        "decay": np.ones((draws, 1)),
        "recall": np.full(draws, 0.3),
    }
    made, _ = inferencedata.simulate_tables(design, parameters, np.random.default_rng(1))
    place = inferencedata.places(made["firm"])
    for firm, known in enumerate((0.3, 1 - 0.7**3)):
        for before in range(3):
            here = (made["firm"] == firm) & (place == before)
            # All missed before it: as many failures until so many successes.
            k = np.arange(200)
            chance = stats.nbinom(before + 1, known).pmf(k) @ (1 / (1 + np.exp(k + before)))
            error = np.sqrt(chance * (1 - chance) / here.sum())
            assert abs(made["flag"][here].mean() - chance) < 4.5 * error


def test_a_fit_with_missed_decisions_is_stored_but_not_put_in_order(tmp_path):
    study = counted(tmp_path)
    tree = fit(study, "unheard", settings=Settings(draws=20, tune=20, chains=2))
    recall = tree["posterior"]["recall"].to_numpy()
    assert ((recall > 0) & (recall < 1)).all()
    assert len(np.unique(recall)) > 10
    assert tree["constant_data"]["interviews"].to_numpy().tolist() == [5, 2, 1]
    with pytest.raises(StudyError, match="cannot be put in order"):
        inferencedata.reconstruct(tree)


# -- calibration -------------------------------------------------------------------------


def test_to_ignore_missed_decisions_is_an_error_of_that_variant_only(tmp_path):
    study = counted(tmp_path)
    known = simulator.wrong_models(design_of(study))
    assert "no-missed" not in known
    assert [*simulator.wrong_models(design_of(study, "unheard"))] == [*known, "no-missed"]
    priors = priors_of(study, "unheard")
    found = simulator.misspecified(study, "unheard", priors, "no-missed")
    assert found == (study, "default", priors_of(study))


#: Every cell of three firms is published, so that only places and parameters are unknown.
CELLS = [
    {"id": "all", "value": 60, "status": "hard"},
    *(
        {"id": f"{firm} {period} {flag}", "firms": firm, "periods": period, "flag": flag}
        | {"value": 5, "status": "hard"}
        for firm in ("Ash", "Box", "Cob")
        for period in ("early", "late")
        for flag in ("yes", "no")
    ),
]


def plan_of_missed(folder, wrong=""):
    study = load_study(
        write_counts_study(
            folder,
            sizes=None,
            counts=CELLS,
            toml=MISSED,
            files={"talks.csv": [["firm", "number"], ["Ash", "1"], ["Box", "1"], ["Cob", "1"]]},
        )
    )
    priors = priors_of(study, "unheard", {"recall": "Beta(4, 16)", "decay_mean": "Normal(0, 0.2)"})
    used = calibration.settings_for(study, {"draws": 100, "tune": 300, "sweeps": 10})
    return calibration.plan_of(study, "unheard", priors, used, wrong)


def test_a_chain_that_starts_where_no_chance_allows_its_table_comes_back(tmp_path):
    """Chances are exactly 0 and 1 after very many missed decisions; this study starts there."""
    assert calibration.simulate((plan_of_missed(tmp_path / "study"), 8))["quantities"]


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["", "no-missed"])
def test_missed_decisions_are_calibrated_and_ignoring_many_is_caught(tmp_path, wrong):
    plan, out = plan_of_missed(tmp_path / "study", wrong), tmp_path / "out"
    if wrong:
        assert calibration.detect(plan, 200, out, Here()).after is not None
    else:
        assert calibration.uniform(calibration.calibration(plan, 150, out).run(Here()))


# -- the table ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report_data(tmp_path_factory):
    study = counted(tmp_path_factory.mktemp("study"))
    settings = Settings(draws=40, tune=20, chains=2)
    fits = {name: fit(study, name, settings=settings) for name in ("default", "sold", "unheard")}
    for tree in fits.values():
        tree.attrs["gate"] = "[]"
    return DecayReportData(study, fits["default"], fits)


def test_the_table_of_rivals_has_what_is_left_of_each_decay(report_data):
    m = report_data
    table = m.rivals
    assert list(dict.fromkeys(table["variant"])) == ["default", "sold", "unheard"]
    assert set(table["size"]) == {"large", "other"}
    for row in table.itertuples(index=False):
        draws = m.variants[row.variant]["posterior"]["decay"].sel(size=row.size).to_numpy()
        own = m.fit["posterior"]["decay"].sel(size=row.size).to_numpy()
        assert row.median == pytest.approx(np.median(draws))
        assert row.p_positive == (draws > 0).mean()
        left = 1 - np.median(draws) / np.median(own) if np.median(own) > 0 else np.nan
        assert row.taken_over == pytest.approx(left, nan_ok=True)
    owner = m.variants["sold"]["posterior"]["owner"].to_numpy()
    sold = table[table["variant"] == "sold"].iloc[0]
    assert sold["effect_median"] == pytest.approx(np.median(owner))
    assert sold["effect_p_positive"] == (owner > 0).mean()
    assert table["effect_p_positive"].notna().sum() == 2  # a chance has no direction
    assert "rivals.csv" in m.csv_tables()


def test_the_section_has_a_row_for_each_rival_and_none_without(report_data):
    rows = sections.rivals(report_data)["rows"]
    assert [row[0] for row in rows] == [
        "experience alone (default)",
        "another owner (sold)",
        "missed decisions (unheard)",
    ]
    assert rows[0][-1] == rows[0][-2] == "\N{EN DASH}"
    assert re.match(r"effect of the owner, log odds: .+\), ", rows[1][3])
    assert re.match(r"chance that one interview .+\)$", rows[2][3])
    assert text_of("rivals", sections.rivals(report_data)).count("experience alone (default)") == 1
    alone = DecayReportData(report_data.study, report_data.fit, {"default": report_data.fit})
    assert sections.rivals(alone) is None
    assert "rivals.csv" not in alone.csv_tables()


def test_norway_names_its_rivals():
    names = DecayReportData(NORWAY, None, {}).rival_names
    assert names == {
        "period": "calendar time",
        "owners": "foreign owners",
        "missed": "missed decisions",
    }


def test_the_fall_over_time_is_the_effect_of_its_rival(tmp_path):
    study = load_study(write_counts_study(tmp_path))
    tree = fit(study, "period", settings=Settings(draws=30, tune=20, chains=2))
    effects = decay.rival_effects({"default": tree, "period": tree}, tree)
    assert effects["variant"].tolist() == ["period"]
    period = tree["posterior"]["period"]
    fall = period.sel(period_level="early") - period.sel(period_level="late")
    assert effects["median"].iloc[0] == pytest.approx(float(fall.median()))
    assert effects["p_positive"].iloc[0] == float((fall > 0).mean())
