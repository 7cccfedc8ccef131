"""Further outcomes: what is read, the laws of levels, and what follows from a fit of them."""

import json
import math

import numpy as np
import pytest
from pytensor.compile.mode import Mode
from scipy import special, stats

from intlmodels.core import settings
from intlmodels.core.errors import StudyError
from intlmodels.fitting import fit
from intlmodels.models import catalogue, design_of, find_variant, priors_of, pymc
from intlmodels.models.share import observation
from intlmodels.models.share import simulator as share
from intlmodels.models.share.estimands import estimate
from intlmodels.models.share.model import build
from intlmodels.models.share.observation import LEVEL
from intlmodels.results import groups
from intlmodels.results import share as results
from intlmodels.studies import describe, load_study
from mockfit import without_sampling
from outcomestudies import outcomes_study, write_outcomes
from trees import made_up

ROCHESTER = load_study("rochester")
PLAIN = Mode(linker="py", optimizer=None)

# -- what is read ------------------------------------------------------------------------


def test_levels_are_those_of_the_readings(tmp_path):
    study = outcomes_study(tmp_path / "study")
    reach = study.outcomes["reach"]
    assert [reach.levels[i] for i in reach.codes] == [
        *("agent", "shop", "nothing", "shop", "agent", "nothing", "agent", "shop")
    ]
    assert reach.known.all()
    assert reach.worth.tolist() == [0, 1, 2]
    planned, at_all = study.outcomes["planned"], study.outcomes["planned-at-all"]
    assert planned.levels == ("Chance", "Planned")
    assert planned.codes.tolist() == [1, 1, 0, 0, 0, 0, 1, 0]
    # Yes if any column says so; an empty cell says nothing.
    assert at_all.codes.tolist() == [1, 1, 0, 1, 0, 0, 1, 0]
    assert at_all.printed[3] == "Chance / Planned"
    assert at_all.worth.tolist() == [0, 100]
    told = describe(study)
    assert "reach: ordered, Reach abroad (abroad.csv, how): nothing 2 < agent 3 < shop 3" in told
    assert "by-reach: the outcome reach as one more predictor of the share" in told


def without_a_level(folder):
    """The study with one firm of which no outcome is known."""
    return outcomes_study(
        folder,
        edit_table=[("Gorse,Agent,Planned,", "Gorse,NA,,")],
        edit_toml=[
            ('[variants.by-reach]\nkind = "outcome"\noutcome = "reach"\n', ""),
            ('[variants.by-plan]\nkind = "outcome"\noutcome = "planned-at-all"\n', ""),
        ],
    )


def test_a_firm_without_the_outcome_is_left_out_of_that_fit_and_named(tmp_path):
    study = without_a_level(tmp_path / "study")
    reach = study.outcomes["reach"]
    assert reach.missing == (("Gorse", "no how in abroad.csv, row 8"),)
    assert study.outcomes["planned-at-all"].missing == (
        ("Gorse", "no style or style2 in abroad.csv, row 8"),
    )
    assert study.outcomes["planned-at-all"].codes[1] == 1
    assert "not known: Gorse" in describe(study)
    design = design_of(study, "reach")
    assert design.known(study).tolist() == [True] * 6 + [False, True]
    model = build(study, "reach")
    logp = model.compile_fn(
        model.logp(vars=[model[LEVEL]], sum=False),
        inputs=model.value_vars,
        mode=PLAIN,
        on_unused_input="ignore",
    )
    each = logp(model.initial_point())[0]
    assert each[6] == 0
    assert (each[[0, 1, 2, 3, 4, 5, 7]] < 0).all()
    fit = made_up(study, variant="reach")
    assert np.isnan(fit["observed_data"][LEVEL].to_numpy()[6])
    assert groups.frequencies(fit)["observed"].sum() == 7


def test_the_same_file_may_call_its_firms_otherwise(tmp_path):
    folder = write_outcomes(tmp_path / "study", edit_table=[("firm,how", "name,how")])
    text = (folder / "study.toml").read_text()
    mended = text.replace('column = "how"', 'column = "how"\nkey = "name"')
    (folder / "study.toml").write_text(mended)
    assert load_study(folder).outcomes["reach"].codes[1] == 2


READING = '[[outcomes.reach.readings]]\nlabel = "Plant"\nlevel = "shop"\n'
BAD = {
    "no reading": ([(READING, "")], [], ["abroad.csv, row 9, column 'how'", "'Plant'", "readings"]),
    "two readings": (
        [(READING, READING + READING)],
        [],
        ["[[outcomes.reach.readings]] number 7", "each label once"],
    ),
    "reading without a firm": (
        [(READING, READING + READING.replace("Plant", "Fair"))],
        [],
        ["[outcomes.reach] readings", "no firm has this label", "'Fair'"],
    ),
    "unknown level": (
        [(READING, READING.replace("shop", "shops"))],
        [],
        ["number 6, level", "did you mean 'shop'"],
    ),
    "one level": ([('["nothing", "agent", "shop"]', '["shop"]')], [], ["levels", "lowest first"]),
    "same levels": (
        [('["nothing", "agent", "shop"]', '["shop", "agent", "shop"]')],
        [],
        ["two or more different levels"],
    ),
    "no readings": (
        [('levels = ["nothing"', 'readings = []\nlevels = ["nothing"')],
        [],
        ["line", "not valid TOML"],
    ),
    "neither yes nor no": (
        [],
        [("Birch,Shop,Planned,Chance", "Birch,Shop,Planned,Luck")],
        ["row 3, column 'style2'", "'Luck'", "'planned-at-all'", "yes and no"],
    ),
    "both yes and no": (
        [('label = "Style"\nyes = ["Planned"]', 'label = "Style"\nyes = ["Chance", "Planned"]')],
        [],
        ["[outcomes.planned] yes and no", "'Chance'"],
    ),
    "yes without a firm": (
        [('label = "Style"\nyes = ["Planned"]', 'label = "Style"\nyes = ["Planned", "Maybe"]')],
        [],
        ["[outcomes.planned] yes", "'Maybe'"],
    ),
    "no column": ([('columns = ["style"]', "columns = []")], [], ["columns", "one or more"]),
    "unknown kind": (
        [('kind = "ordered"', 'kind = "order"')],
        [],
        ["[outcomes.reach] kind", "did you mean 'ordered'"],
    ),
    "a predictor's column": (
        [('file = "abroad.csv"\ncolumn = "how"', 'file = "traits.csv"\ncolumn = "skill"')],
        [],
        ["[outcomes.reach] column", "[predictors.skill] uses it"],
    ),
    "the share itself": (
        [('file = "abroad.csv"\ncolumn = "how"', 'file = "firms.csv"\ncolumn = "share"')],
        [],
        ["[outcomes.reach] column", "[outcome] uses it"],
    ),
    "name of a variant": (
        [("[variants.by-reach]", "[variants.Reach]")],
        [],
        ["[outcomes.reach]", "[variants.Reach] has it"],
    ),
    "name that every study has": (
        [("[outcomes.planned]", "[outcomes.hurdle]")],
        [],
        ["[outcomes.hurdle]", "meaning in every study"],
    ),
    "no such outcome": (
        [('outcome = "reach"', 'outcome = "reech"')],
        [],
        ["[variants.by-reach] outcome", "did you mean 'reach'"],
    ),
    "a predictor of this name": (
        [("[predictors.size]", "[predictors.reach]")],
        [],
        ["[variants.by-reach]", "[predictors.reach] has it"],
    ),
    "a predictor that is not known of every firm": (
        [],
        [("Gorse,Agent", "Gorse,")],
        ["[variants.by-reach] outcome", "'Gorse'", "no how in abroad.csv, row 8"],
    ),
    "every firm the same": (
        [],
        [
            ("Alder,Agent,Planned", "Alder,Agent,Chance"),
            ("Birch,Shop,Planned", "Birch,Shop,Chance"),
            ("Gorse,Agent,Planned", "Gorse,Agent,"),
        ],
        ["[outcomes.planned] yes", "no firm has this label"],
    ),
    "misspelled key": (
        [('columns = ["style"]', 'column = ["style"]')],
        [],
        ["[outcomes.planned] column", "did you mean 'columns'"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_told_in_one_line(tmp_path, case):
    toml, table, expected = BAD[case]
    folder = write_outcomes(tmp_path / "study", edit_toml=toml, edit_table=table)
    with pytest.raises(StudyError) as caught:
        load_study(folder)
    message = str(caught.value)
    assert "\n" not in message
    for part in expected:
        assert part in message


def test_the_order_of_rochester_and_its_labels():
    stage = ROCHESTER.outcomes["stage"]
    assert len(stage.readings) == 12
    assert {label for label, _, _ in stage.readings} == set(stage.printed)
    counts = dict(zip(stage.levels, np.bincount(stage.codes), strict=True))
    assert list(counts.values()) == [2, 9, 5, 2, 4]
    # "no" and "No" are two labels, read alike
    assert stage.codes[ROCHESTER.firms.index("P")] == stage.codes[ROCHESTER.firms.index("Q")]
    assert ROCHESTER.outcomes["orderly"].codes.sum() == 7
    assert ROCHESTER.outcomes["orderly-either"].codes.sum() == 10


# -- laws --------------------------------------------------------------------------------


def test_probabilities_of_levels_sum_to_one_and_are_those_of_a_logistic_variable():
    rng = np.random.default_rng(1)
    cutpoints = np.sort(rng.normal(0, 3, (200, 4)), axis=-1)
    linear = rng.normal(0, 3, 200)
    chances = observation.printed_probabilities("ordered", linear, {"cutpoints": cutpoints}, 5)
    assert chances.shape == (200, 5)
    assert chances.sum(axis=-1) == pytest.approx(np.ones(200), abs=1e-14)
    edges = np.concatenate([np.full((200, 1), -np.inf), cutpoints, np.full((200, 1), np.inf)], 1)
    expected = np.diff(stats.logistic(linear[:, None]).cdf(edges), axis=-1)
    assert chances == pytest.approx(expected, abs=1e-12)
    for level in range(5):
        logs = observation.printed_log_probability(
            "ordered", linear, {"cutpoints": cutpoints}, 5, np.array(float(level))
        )
        assert np.exp(logs) == pytest.approx(chances[:, level])


def test_levels_far_out_keep_their_digits():
    """Differences of probabilities near one: by hand, exp(-40) (1 - exp(-1))."""
    cutpoints = {"cutpoints": np.array([40.0, 41.0])}
    chances = observation.printed_probabilities("ordered", np.array(0.0), cutpoints, 5)
    assert chances[1] == pytest.approx(math.exp(-40) * (1 - math.exp(-1)), rel=1e-12)
    assert chances[2] == pytest.approx(math.exp(-41), rel=1e-12)


@pytest.mark.parametrize("family", ["binary", "ordered"])
def test_what_is_simulated_has_these_probabilities(family):
    rng = np.random.default_rng(2)
    linear = np.array([-1.0, 0.3, 2.0])
    parameters = {"cutpoints": np.array([-1.0, 0.2, 0.9])} if family == "ordered" else {}
    drawn = observation.simulate(family, np.broadcast_to(linear, (40_000, 3)), parameters, 5, rng)
    chances = observation.printed_probabilities(family, linear, parameters, 5)
    for firm in range(3):
        counts = np.bincount(drawn[:, firm].astype(int), minlength=chances.shape[1])
        assert stats.chisquare(counts, chances[firm] * len(drawn)).pvalue > 1e-4


def unconstrained(model, seed):
    rng = np.random.default_rng(seed)
    return {
        n: np.asarray(rng.normal(0, 0.7, np.shape(v))) for n, v in model.initial_point().items()
    }


@pytest.mark.parametrize("variant", ["reach", "planned"])
def test_the_density_is_that_of_scipy_up_to_a_constant(tmp_path, variant):
    """Priors and likelihood, written again: whatever the parameters, the same difference."""
    study = outcomes_study(tmp_path / "study")
    # One predictor of each kind that has closed forms.
    model = build(study, variant)
    values = list(model.unobserved_value_vars)
    constrained = model.compile_fn(values, inputs=model.value_vars, mode=PLAIN)
    density = model.compile_fn(
        model.logp(jacobian=False), inputs=model.value_vars, mode=PLAIN, on_unused_input="ignore"
    )
    further = study.outcomes[variant]
    off = []
    for seed in range(6):
        point = unconstrained(model, seed)
        v = {x.name: a for x, a in zip(values, constrained(point), strict=True)}
        known = ~np.isnan(study.predictors["size"].values)
        z = (study.predictors["size"].values - study.predictors["size"].center) / (
            study.predictors["size"].scale
        )
        eta = v["ease"] * study.predictors["ease"].values
        eta = eta + v["branch"][study.predictors["branch"].codes]
        eta = eta + v["skill"][study.predictors["skill"].codes]
        eta = eta + v["size"] * np.where(known, z, v["size_missing"][0])
        total = stats.norm.logpdf(v["ease"], 0, 0.5) + stats.norm.logpdf(v["size"], 0, 0.5)
        for name in ("branch", "skill"):
            total += stats.halfnorm.logpdf(v[f"sigma_{name}"], scale=0.5)
            total += stats.norm.logpdf(v[f"{name}_z"]).sum()
        total += stats.norm.logpdf(v["size_mean"]) + stats.halfnorm.logpdf(v["size_sd"])
        filled = np.where(known, z, v["size_missing"][0])
        total += stats.norm.logpdf(filled, v["size_mean"], v["size_sd"]).sum()
        if variant == "planned":
            total += stats.norm.logpdf(v["log_odds"], 0, 1.5)
            total += stats.bernoulli(special.expit(v["log_odds"] + eta)).logpmf(further.codes).sum()
        else:
            total += stats.dirichlet([1, 1, 1]).logpdf(v["baseline"])
            edges = np.append(special.logit(np.append(0, v["baseline"].cumsum()[:2])), np.inf)
            law = stats.logistic(eta)
            total += np.log(law.cdf(edges[further.codes + 1]) - law.cdf(edges[further.codes])).sum()
        off.append(float(density(point)) - total)
    assert np.ptp(off) < 1e-9
    assert off[0] == pytest.approx(0, abs=1e-9)


def test_a_prior_of_the_share_is_none_of_the_odds(tmp_path):
    study = outcomes_study(tmp_path / "study")
    override = {"intercept": "Normal(-3, 0.1)", "log_odds": "Normal(1, 1)", "ease": "Normal(0, 2)"}
    assert "intercept" not in priors_of(study, "planned", override)
    assert priors_of(study, "planned", override)["log_odds"].args == (1.0, 1.0)
    assert priors_of(study, "planned", override)["ease"].args == (0.0, 2.0)
    assert "log_odds" not in priors_of(study, "default", override)
    assert set(priors_of(study, "reach")) == set(priors_of(study, "planned")) - {"log_odds"}


def test_an_outcome_as_predictor_is_ordered_or_a_contrast(tmp_path):
    study = outcomes_study(tmp_path / "study")
    ordered = design_of(study, "by-reach").block("reach")
    assert (ordered.kind, ordered.settings) == ("monotonic", ("nothing", "agent", "shop"))
    assert ordered.weights.argmax(axis=1).tolist() == study.outcomes["reach"].codes.tolist()
    contrast = design_of(study, "by-plan").block("planned_at_all")
    assert contrast.weights[:, 0].tolist() == [0.5, 0.5, -0.5, 0.5, -0.5, -0.5, 0.5, -0.5]
    assert find_variant(study, "by-reach").comparable
    assert not find_variant(study, "reach").comparable
    assert [name for name, row in catalogue(study).items() if row.outcome] == [
        *("reach", "planned", "planned-at-all")
    ]


# -- what follows from draws -------------------------------------------------------------


def expected_by_hand(study, effects, baseline):
    """Average stage of every firm, from sums over a logistic variable."""
    eta = effects["ease"] * study.predictors["ease"].values
    eta = eta + np.array(effects["branch"])[study.predictors["branch"].codes]
    edges = np.concatenate([[-np.inf], special.logit(np.cumsum(baseline)[:-1]), [np.inf]])
    return np.diff(stats.logistic(eta[:, None]).cdf(edges), axis=-1)


def test_estimands_of_stages_are_averages_over_the_levels(tmp_path):
    study = outcomes_study(tmp_path / "study")
    effects = {"ease": 1.2, "branch": [0.5, -0.4, 0.1]}
    baseline = np.array([0.2, 0.5, 0.3])
    fit = made_up(study, {**effects, "baseline": baseline}, variant="reach")
    found = fit["estimands"].to_dataset().mean(("chain", "draw"))
    chances = expected_by_hand(study, effects, baseline)
    assert found["firm_share"].to_numpy() == pytest.approx(chances @ [0, 1, 2], abs=2e-3)
    # every firm easy, or every firm hard
    each = {}
    for level, value in (("Hard", -0.5), ("Easy", 0.5)):
        eta = 1.2 * value + np.array(effects["branch"])[study.predictors["branch"].codes]
        edges = np.concatenate([[-np.inf], special.logit(np.cumsum(baseline)[:-1]), [np.inf]])
        each[level] = np.diff(stats.logistic(eta[:, None]).cdf(edges), axis=-1)
        got = found.sel(setting=f"ease: {level}")
        assert float(got["expected_share"]) == pytest.approx(
            (each[level] @ [0, 1, 2]).mean(), abs=2e-3
        )
        beyond = 100 * each[level][:, ::-1].cumsum(axis=1)[:, ::-1].mean(axis=0)[1:]
        assert got["reached"].to_numpy() == pytest.approx(beyond, abs=0.1)
    difference = float(found["difference"].sel(comparison="ease: Easy - Hard"))
    assert difference == pytest.approx(
        float(((each["Easy"] - each["Hard"]) @ [0, 1, 2]).mean()), abs=2e-3
    )
    stored = fit["estimands"]
    assert stored["expected_share"].attrs["units"] == "stages"
    assert stored["reached"].attrs["units"] == "percent"
    assert stored["reached"].dims[-2:] == ("setting", "stage_level")
    assert list(stored["stage_level"].to_numpy()) == ["agent", "shop"]
    total = stored["variation"].to_numpy().sum(axis=-1)
    assert total == pytest.approx(np.full(total.shape, 100.0))


def test_estimands_of_yes_or_no_are_probabilities_in_percent(tmp_path):
    study = outcomes_study(tmp_path / "study")
    fit = made_up(study, {"log_odds": 0.4, "ease": 1.0}, variant="planned")
    found = fit["estimands"].to_dataset().mean(("chain", "draw"))
    expected = 100 * special.expit(0.4 + study.predictors["ease"].values)
    assert found["firm_share"].to_numpy() == pytest.approx(expected, abs=0.2)
    assert "reached" not in found
    assert fit["estimands"]["difference"].attrs["units"] == "percentage points"
    # Bernoulli: what the predictors leave is p (1 - p)
    left = float(found["variation"].sel(source="not explained"))
    p = expected / 100
    assert left == pytest.approx(100 * (p * (1 - p)).mean() / (p * (1 - p) + p.var()).mean(), abs=1)


def test_the_prior_gives_estimands_as_well(tmp_path):
    study = outcomes_study(tmp_path / "study")
    for variant in ("reach", "planned"):
        found = estimate(made_up(study, variant=variant), "prior")
        assert np.isfinite(found["expected_share"].to_numpy()).all()


def test_frequencies_and_averages_count_the_firms(tmp_path):
    study = outcomes_study(tmp_path / "study")
    fit = made_up(study, {"ease": 0.5}, variant="reach")
    table = groups.frequencies(fit)
    assert table["observed"].tolist() == [2, 3, 3]
    drawn = fit["posterior_predictive"][LEVEL].to_numpy().reshape(-1, 8)
    for i in range(3):
        counts = (drawn == i).sum(axis=1)
        assert table["median"][i] == np.median(counts)
        larger = (counts > table["observed"][i]).mean() + (
            counts == table["observed"][i]
        ).mean() / 2
        assert table["p_larger"][i] == pytest.approx(larger)
    averages = groups.averages(fit).set_index("feature")["observed"]
    assert averages["average at Ease of moving: Hard"] == pytest.approx((2 + 0 + 1 + 1) / 4)
    assert averages["average at Branch: Boats"] == pytest.approx((2 + 0) / 2)
    assert not any("Sales" in name for name in averages.index)


def test_firms_are_crossed_and_ranked(tmp_path):
    study = outcomes_study(tmp_path / "study")
    table = groups.cross_table(study).set_index(["level", "by"])
    assert table.loc[("shop", "Chance"), ["firms", "median", "lowest", "highest"]].tolist() == [
        *(2, 47.5, 40, 55)
    ]
    assert table.loc[("nothing", "Planned"), "firms"] == 0
    assert np.isnan(table.loc[("nothing", "Planned"), "median"])
    assert table.loc[("agent", ""), "firms"] == 3
    pairs = groups.rank_correlations(study).set_index(["a", "b"])["correlation"]
    codes, printed = study.outcomes["reach"].codes, study.outcome.printed
    expected = stats.spearmanr(codes, printed).statistic
    assert pairs["Share abroad", "Reach abroad"] == pytest.approx(expected)
    # two readings of the same column are not held against each other
    assert ("Style", "Style at all") not in pairs.index


def test_readings_name_their_firms(tmp_path):
    study = outcomes_study(tmp_path / "study")
    table = groups.readings(study, study.outcomes["reach"])
    assert table["level"].tolist() == ["nothing"] * 2 + ["agent"] + ["shop"] * 3
    row = table[table["printed"] == "Mail"].iloc[0]
    assert (row["firms"], row["note"]) == ("Fir", "read as nothing")
    assert table["count"].sum() == 8


def test_a_fit_says_what_it_measures(tmp_path):
    study = outcomes_study(tmp_path / "study")
    stage = results.measured(made_up(study, variant="reach"))
    assert (stage.what, stage.unit, stage.percent) == ("expected reach abroad", "stages", False)
    assert stage.key == "0 nothing; 1 agent; 2 shop"
    assert results.measured(made_up(study, variant="planned")).what == "probability of Planned"
    share_fit = results.measured(made_up(study))
    assert (share_fit.what, share_fit.unit) == ("expected share", "%")
    told = {item.name: item.unit for item in results.conclusions(made_up(study, variant="reach"))}
    assert told["Ease of moving: Easy against Hard"] == "stages"


@pytest.mark.parametrize("variant", ["reach", "planned", "by-reach"])
def test_simulated_levels_are_those_of_the_pymc_model(tmp_path, variant):
    """Two programs of the same story: numpy forward, and PyMC's own random variables."""
    import pymc as pm

    study = outcomes_study(tmp_path / "study")
    design, priors = design_of(study, variant), priors_of(study, variant)
    rng, number = np.random.default_rng(3), 1500
    ours = {}
    for _ in range(number):
        truth, _ = share.simulate(study, design, priors, rng)
        for name, value in truth.items():
            ours.setdefault(name, []).append(value)
    model = build(study, variant, priors)
    names = [
        n for n in truth if n in model.named_vars and "size" not in n and n not in ("mu", "eta")
    ]
    theirs = pm.draw([model[n] for n in names], draws=number, random_seed=5, mode=PLAIN)
    assert {"ease", "branch"} <= set(names)
    assert "cutpoints" in names or variant != "reach"
    for name, values in zip(names, theirs, strict=True):
        a, b = np.array(ours[name]).reshape(number, -1), np.asarray(values).reshape(number, -1)
        for column in range(a.shape[1]):
            assert stats.ks_2samp(a[:, column], b[:, column]).pvalue > 1e-5, name


def test_what_is_shown_of_a_stage_are_its_probabilities(tmp_path):
    study = outcomes_study(tmp_path / "study")
    tree = made_up(study, variant="reach")
    assert "baseline" in json.loads(tree.attrs["shown"])
    assert tree["posterior"]["baseline"].dims[-1] == "baseline_level"


@pytest.mark.parametrize("variant", ["reach", "planned"])
def test_a_missing_outcome_has_no_log_likelihood(tmp_path, monkeypatch, variant):
    import arviz as az

    study = without_a_level(tmp_path / "study")
    monkeypatch.setattr(pymc, "sample", without_sampling)
    tree = fit.fit(study, variant, settings=settings.Settings(draws=250, chains=4))
    (pointwise,) = tree["log_likelihood"].data_vars.values()
    firms = [firm for firm in study.firms if firm != "Gorse"]
    assert pointwise["firm"].to_numpy().tolist() == firms
    assert (pointwise.to_numpy() < 0).all()
    assert tree["posterior_predictive"].sizes["firm"] == len(study.firms)
    assert az.loo(tree).n_data_points == len(firms)
