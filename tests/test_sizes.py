"""More than two sizes of firms: model, simulator, register, results, claims and pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from arviz_stats.base import array_stats
from pytensor.compile.mode import Mode
from scipy import integrate, stats

import intlmodels as im
from decaystudies import write_decisions_study
from decaytrees import decay_design, decay_tree
from decisionregisters import STUDY, random_rows, sequences_of, write_decisions, write_rows
from intlmodels import plots
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Settings
from intlmodels.fitting.fit import fit, log_prior
from intlmodels.models import design_of, priors_of
from intlmodels.models.decay import inferencedata, model, simulator
from intlmodels.models.decay.aggregated import classes, counts_for, find_start
from intlmodels.models.decay.estimands import pairs_of
from intlmodels.models.decay.model import build_register, in_coordinates
from intlmodels.results import decay as results
from intlmodels.studies import DecayStudy, SequenceStudy, describe, load_study

FIRMS = ("Ash", "Box", "Cob", "Dot")
SIZES = ("micro", "multi - national", "micro", "mid")
#: In no order of time.
ROWS = (
    ("Ash", "2003", "no"),
    ("Box", "1999", "yes"),
    ("Ash", "2001", "yes"),
    ("Dot", "2001", "no"),
    ("Cob", "2004", "yes"),
    ("Box", "1998", "no"),
    ("Box", "2002", "yes"),
    ("Dot", "1997", "yes"),
)
PLAIN = Mode(linker="py", optimizer=None)
LABELS = 'sizes = ["micro", "mid", "multi - national"]'


def write_study(folder: Path, labels: str = LABELS, **arguments: Any) -> Path:
    given: dict[str, Any] = {"decisions": ROWS, "firms": FIRMS, "sizes": SIZES, **arguments}
    path = write_decisions_study(folder, **given)
    toml = path / "study.toml"
    toml.write_text(toml.read_text().replace("[firms]", f"[firms]\n{labels}"))
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> DecayStudy:
    found = load_study(write_study(tmp_path_factory.mktemp("three")))
    assert isinstance(found, DecayStudy)
    return found


def log_odds(study: DecayStudy, values: dict[str, Any]) -> np.ndarray:
    """Log odds of the decisions, (..., decision), decision by decision from the definition."""
    known = study.decisions
    assert known is not None
    order = ("multi - national", "mid", "micro")
    odds = []
    for name, entries in zip(known.firm, known.entries, strict=True):
        firm = study.firms.index(name)
        size = order.index(study.sizes[firm])
        one = values["intercept"] + values["firm"][..., firm]
        one = one - values["decay"][..., size] * entries
        odds.append(one + (values["size_offset"][..., size] if size < 2 else 0.0))
    return np.stack(odds, axis=-1)


# -- known decisions ---------------------------------------------------------------------


def test_sizes_are_read_from_the_smallest(study: DecayStudy) -> None:
    design = design_of(study, "default")
    assert design.sizes == ("multi - national", "mid", "micro")
    assert design.size_of_firm == (2, 0, 2, 1)
    priors = priors_of(study, "default")
    assert priors["size_offset"].text == "Normal(0, 1)"
    assert (
        priors["size_offset"].meaning == "each larger size of firms against micro firms, log odds"
    )
    assert "large" not in priors
    assert "1 multi - national (Box), 1 mid (Dot), 2 micro" in describe(study)
    assert study.groups["micro"] == ("Ash", "Cob")


def test_the_density_is_that_of_the_formula(study: DecayStudy) -> None:
    assert study.decisions is not None
    built = model.build(study)
    density = built.compile_logp(jacobian=False, mode=PLAIN)
    rng = np.random.default_rng(20261)
    for _ in range(5):
        point: dict[str, Any] = {name: rng.normal() for name in ("intercept", "decay_mean")}
        point["size_offset"] = rng.normal(size=2)
        spreads = {name: rng.gamma(2) for name in ("sigma_firm", "sigma_decay")}
        z = {"firm_z": rng.normal(size=4), "decay_z": rng.normal(size=3)}
        values = {
            **point,
            "firm": spreads["sigma_firm"] * z["firm_z"],
            "decay": point["decay_mean"] + spreads["sigma_decay"] * z["decay_z"],
        }
        chance = 1 / (1 + np.exp(-log_odds(study, values)))
        expected = stats.bernoulli.logpmf(study.decisions.flag, chance).sum()
        expected += stats.norm.logpdf(point["intercept"], 0, 1.5)
        expected += stats.norm.logpdf(point["size_offset"]).sum()
        expected += stats.norm.logpdf(point["decay_mean"], 0, 0.5)
        expected += stats.halfnorm.logpdf(spreads["sigma_firm"])
        expected += stats.halfnorm.logpdf(spreads["sigma_decay"], scale=0.5)
        expected += sum(stats.norm.logpdf(value).sum() for value in z.values())
        given = point | z | {f"{name}_log__": np.log(value) for name, value in spreads.items()}
        assert density(given) == pytest.approx(expected, abs=1e-9)


def test_what_is_simulated_follows_the_formula(study: DecayStudy) -> None:
    design, priors = design_of(study, "default"), priors_of(study, "default")
    drawn, _ = inferencedata.prior_values(design, priors, 4000, np.random.default_rng(1))
    assert drawn["size_offset"].shape == (4000, 2)
    for own in drawn["size_offset"].T:
        assert stats.kstest(own, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(drawn["size_offset"].T)[0, 1]) < 4.5 / np.sqrt(4000)
    firm, period = design.codes
    assert design.decisions is not None
    odds = inferencedata.log_odds(design, drawn, firm, period, design.decisions.entries)
    np.testing.assert_allclose(odds, log_odds(study, drawn))
    truth, given = simulator.simulate(study, design, priors, np.random.default_rng(3))
    found = simulator.quantities(study, design, truth, given)
    assert {"size_offset[mid]", "decay[micro]", "decay[multi - national]"} <= set(found)
    assert "size_offset[micro]" not in found


def test_offsets_with_one_prior_have_the_sum_of_their_log_densities(study: DecayStudy) -> None:
    values = np.random.default_rng(2).normal(size=(2, 5, 2))
    draws = xr.Dataset({"size_offset": (("chain", "draw", "size_offset_level"), values)})
    draws = draws.assign_coords(chain=[0, 1], draw=np.arange(5))
    own = {"size_offset": priors_of(study, "default")["size_offset"]}
    expected = stats.norm.logpdf(values).sum(axis=-1)
    np.testing.assert_allclose(log_prior(draws, own)["size_offset"], expected)


@pytest.mark.slow
def test_draws_are_those_of_weighted_draws_of_the_prior(study: DecayStudy) -> None:
    """NUTS against importance sampling from the definition of the model alone."""
    assert study.decisions is not None
    rng = np.random.default_rng(5)
    count = 400_000
    theta = {
        "intercept": rng.normal(0, 1.5, count),
        "size_offset": rng.normal(size=(count, 2)),
        "decay_mean": rng.normal(0, 0.5, count),
    }
    between = np.abs(rng.normal(0, 0.5, count))[:, None]
    theta["decay"] = theta["decay_mean"][:, None] + between * rng.normal(size=(count, 3))
    theta["firm"] = np.abs(rng.normal(size=count))[:, None] * rng.normal(size=(count, 4))
    sign = 1 - 2 * study.decisions.flag
    weight = np.exp(-np.logaddexp(0, sign * log_odds(study, theta)).sum(axis=-1))
    weight /= weight.sum()
    drawn = fit(study, settings=Settings(draws=2500, tune=1000, chains=4, seed=3))["posterior"]
    for name, values in theta.items():
        found = drawn[name].to_numpy().reshape(4, 2500, -1)
        for i, own in enumerate(values.reshape(count, -1).T):
            mean = weight @ own
            off = np.sqrt(weight**2 @ (own - mean) ** 2)
            error = array_stats.mcse(found[..., i], method="mean", chain_axis=0, draw_axis=1)
            assert abs(found[..., i].mean() - mean) < 4.5 * np.hypot(off, float(error)), name


@pytest.mark.parametrize(
    ("labels", "arguments", "said"),
    [
        (
            'sizes = ["micro", "mid", "large", "multi - national"]',
            {},
            "[firms] sizes: found 'large'; no firm has this size in firms.csv, column 'size'",
        ),
        (
            LABELS,
            {"sizes": ("micro",) * 4},
            "column 'size'; expected sizes that occur: all firms are of one size: leave out size",
        ),
        (LABELS, {"sizes": ("micro", "mid", "Mid", "multi - national")}, "firms.csv, row 4"),
        (
            LABELS,
            {"firms": ("Ash", "Box", "Ash", "Dot")},
            "every firm once: delete one; its decisions go into the table",
        ),
        ('sizes = ["all", "mid"]', {}, "expected two or more different labels"),
    ],
)
def test_sizes_that_cannot_be(
    tmp_path: Path, labels: str, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(write_study(tmp_path, labels, **arguments))
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


# -- results, claims and pictures --------------------------------------------------------

THREE = {"sizes": ("multi - national", "mid", "micro"), "size_of_firm": (2, 0, 2, 1)}


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return decay_tree(decay_design(**THREE), known=True)


@pytest.fixture(scope="module")
def counted() -> xr.DataTree:
    return decay_tree(decay_design(**THREE, by_period=True), variant="period")


@pytest.mark.parametrize("kind", ["tree", "counted"])
def test_curves_and_differences_are_those_of_the_draws(
    kind: str, request: pytest.FixtureRequest
) -> None:
    found = request.getfixturevalue(kind)
    draws = found["posterior"].to_dataset()
    estimands = results.estimands(found)
    level = draws["intercept"]
    if "period" in draws:
        level = level + draws["period"].mean("period_level")
    for size in THREE["sizes"]:
        offset = 0.0 if size == "micro" else draws["size_offset"].sel(size_offset_level=size)
        odds = level + offset - 3 * draws["decay"].sel(size=size)
        expected = 100 / (1 + np.exp(-odds))
        np.testing.assert_allclose(estimands["curve"].sel(size=size, entries=3), expected)
    pair = draws["decay"].sel(size="mid") - draws["decay"].sel(size="micro")
    got = estimands["decay_difference"].sel(size_pair="mid - micro")
    np.testing.assert_allclose(got, pair)
    table = results.slopes(found)
    pairs = table[table["size"].isin(pairs_of(THREE["sizes"]))]
    assert [*pairs["size"]] == [
        *("multi - national - mid", "multi - national - micro", "mid - micro")
    ]
    row = pairs[pairs["size"] == "mid - micro"].iloc[0]
    assert row["p_positive"] == pytest.approx(float((pair > 0).mean()))
    assert row["median"] == pytest.approx(float(pair.median()))
    names = [item.name for item in results.conclusions(found)]
    assert "fall over 5 entries, multi - national firms against micro" in names


@pytest.mark.parametrize("count", [3, 6])
def test_pictures_have_a_panel_for_each_size(count: int) -> None:
    sizes = tuple(f"class {i}" for i in range(count))
    firms = tuple(f"firm {i}" for i in range(count))
    design = decay_design(
        firms=firms, counts=(), sizes=sizes, size_of_firm=tuple(range(count)), by_period=True
    )
    found = decay_tree(design, known=True, variant="period")
    figure = plots.curves(found)
    titles = [axes.get_title("left") for axes in figure.axes if axes.get_title("left")]
    assert titles == [f"Class {i} firms" for i in range(count)]
    assert len(figure.axes) == 2 * count
    limits = {axes.get_ylim() for axes in figure.axes if axes.get_title("left")}
    assert limits == {(-1.5, 101.5)}


# -- a register --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def register(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[SequenceStudy, list[tuple[str, ...]]]:
    rows = random_rows(np.random.default_rng(7), 20)
    names = {"large": ("big", "middle"), "other": ("small", "small")}
    rows = [(f, w, y, names[s][int(f.split()[1]) % 2]) for f, w, y, s in rows]
    labels = STUDY.replace('size = "size"', 'size = "size"\nsizes = ["small", "middle", "big"]')
    folder = write_decisions(tmp_path_factory.mktemp("strait"), labels)
    write_rows(folder / "rows" / "a.csv", rows)
    study = im.reduce(folder)
    assert isinstance(study, SequenceStudy)
    return study, rows


def test_a_register_has_the_likelihood_of_its_rows(
    register: tuple[SequenceStudy, list[tuple[str, ...]]],
) -> None:
    study, rows = register
    design = design_of(study, "default")
    assert design.sizes == ("big", "middle", "small")
    counts = counts_for(study.sequences, design)
    start = find_start(counts, design)
    parts = classes(counts, start.spread, start.modes)
    built = build_register(study, parts, "default")
    (potential,) = built.replace_rvs_by_values(built.potentials)
    value = built.compile_fn(potential, inputs=built.value_vars, mode=PLAIN)
    rng = np.random.default_rng(5)
    point = {name: rng.normal(0, 0.5, np.shape(v)) for name, v in built.initial_point().items()}
    spread = np.exp(point["sigma_firm_log__"])
    decay = point["decay_mean"] + np.exp(point["sigma_decay_log__"]) * point["decay_z"]
    offsets = [*point["size_offset"], 0.0]
    expected = 0.0
    for size, made in sequences_of(rows).values():
        g = design.sizes.index(size)
        flags = np.array([flag for flag, _ in made])
        odds = point["intercept"] + offsets[g] - decay[g] * np.arange(len(flags))

        def density(z: float, odds: np.ndarray = odds, flags: np.ndarray = flags) -> float:
            logs = -np.logaddexp(0, (1 - 2 * flags) * (odds + spread * z)).sum()
            return float(np.exp(logs) * stats.norm.pdf(z))

        one, _ = integrate.quad(density, -12, 12, epsabs=0, epsrel=1e-11, limit=400)
        expected += np.log(one)
    assert value(point) == pytest.approx(expected, rel=1e-9)


def test_the_coordinates_of_a_register_keep_its_density(
    register: tuple[SequenceStudy, list[tuple[str, ...]]],
) -> None:
    """The density of the sampled vector is that of the parameters times the Jacobian."""
    study, _ = register
    design = design_of(study, "default")
    counts = counts_for(study.sequences, design)
    start = find_start(counts, design)
    parts = classes(counts, start.spread, start.modes)
    built = build_register(study, parts, "default")
    sampled = in_coordinates(built, design, start)
    names = ["intercept", "size_offset", "decay_mean", "sigma_firm", "sigma_decay", "decay"]
    outputs = sampled.replace_rvs_by_values([sampled[name] for name in names])
    natural = sampled.compile_fn(outputs, inputs=sampled.value_vars, mode=PLAIN)
    (raw,) = sampled.value_vars
    after = sampled.compile_logp(mode=PLAIN)
    before = built.compile_logp(jacobian=True, mode=PLAIN)

    def point(at: np.ndarray) -> dict[str, np.ndarray]:
        found = dict(zip(names, natural({raw.name: at}), strict=True))
        decay = found.pop("decay")
        found["decay_z"] = (decay - found["decay_mean"]) / found["sigma_decay"]
        for name in ("sigma_firm", "sigma_decay"):
            found[f"{name}_log__"] = np.log(found.pop(name))
        return found

    def stacked(at: np.ndarray) -> np.ndarray:
        return np.concatenate([np.ravel(value) for _, value in sorted(point(at).items())])

    rng = np.random.default_rng(3)
    gone = []
    for _ in range(3):
        at = rng.normal(0, 0.5, raw.type.shape)
        steps = 1e-5 * np.eye(len(at))
        jacobian = np.array([(stacked(at + e) - stacked(at - e)) / 2e-5 for e in steps])
        log_volume = np.linalg.slogdet(jacobian)[1]
        gone.append(float(after({raw.name: at})) - float(before(point(at))) - log_volume)
    assert np.ptp(gone) < 1e-5


def test_a_register_whose_labels_do_not_all_occur(tmp_path: Path) -> None:
    labels = STUDY.replace('size = "size"', 'size = "size"\nsizes = ["other", "mid", "large"]')
    folder = write_decisions(tmp_path, labels)
    write_rows(folder / "rows" / "a.csv", random_rows(np.random.default_rng(7), 20))
    with pytest.raises(StudyError, match=r"\[register\] sizes: found 'mid'; no firm has this"):
        im.reduce(folder)


def test_a_design_of_two_sizes_is_as_it_was() -> None:
    design = decay_design()
    assert design.offset == "large"
    assert inferencedata.size_coords(design) == {"size": ["large", "other"]}
    one = replace(design, sizes=("all",), size_of_firm=(0,) * 4)
    assert (one.offset, len(one.indicators)) == ("", 0)
