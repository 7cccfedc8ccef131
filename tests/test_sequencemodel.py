"""The model of a register of decisions: its density against all rows, and truths recovered."""

import subprocess
import sys
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from pytensor.compile.mode import Mode
from scipy import integrate

import intlmodels as im
from decaystudies import write_decisions_study
from decisionregisters import (
    PERIODS,
    STUDY,
    TRUTH,
    generate,
    random_rows,
    sequences_of,
    write_decisions,
    write_rows,
)
from intlmodels.core.errors import StudyError
from intlmodels.fitting import fit as fitting
from intlmodels.fitting.fit import fit
from intlmodels.models import design_of, priors_of, pymc
from intlmodels.models.coordinates import RAW
from intlmodels.models.decay import aggregated as starting
from intlmodels.models.decay import inferencedata
from intlmodels.models.decay import model as sequencefitting
from intlmodels.models.decay.aggregated import (
    NUMPY,
    Counts,
    classes,
    counts_for,
    find_start,
    integrals,
)
from intlmodels.models.decay.design import basis
from intlmodels.models.decay.estimands import chances, predictive
from intlmodels.models.decay.model import build_register as build
from intlmodels.models.decay.model import in_coordinates, off
from intlmodels.studies.counts import SIZES

PLAIN = Mode(linker="py", optimizer=None)
VARIANTS = ("default", "power", "step", "common-decay", "period")


@pytest.fixture(scope="module")
def rows():
    return random_rows(np.random.default_rng(7), 25)


@pytest.fixture(scope="module")
def study(rows, tmp_path_factory):
    folder = write_decisions(tmp_path_factory.mktemp("strait"), STUDY + PERIODS)
    write_rows(folder / "rows" / "a.csv", rows)
    return im.reduce(folder)


def nodes(study, variant="default"):
    design = design_of(study, variant)
    counts = counts_for(study.sequences, design)
    start = find_start(counts, design)
    return design, counts, start, classes(counts, start.spread, start.modes)


def one_by_one(design, sequences, point):
    """Log probability of the flags of all firms, each firm's effect integrated out by quadpack."""
    total = 0.0
    for size, made in sequences.values():
        flags = np.array([flag for flag, _ in made])
        periods = [period for _, period in made]
        g = SIZES.index(size) if design.by_size else 0
        odds = point["intercept"] + point.get("large", 0.0) * (size == "large")
        odds = odds - point["decay"][g] * basis(design.family, np.arange(len(flags)))
        if design.by_period:
            odds = odds + np.asarray(point["period"])[periods]
        sign = 1 - 2 * flags

        def density(z, odds=odds, sign=sign):
            found = -np.logaddexp(0, sign * (odds + point["sigma_firm"] * z)).sum()
            return np.exp(found - z * z / 2) / np.sqrt(2 * np.pi)

        value, _ = integrate.quad(density, -12, 12, epsabs=0, epsrel=1e-12, limit=400)
        total += np.log(value)
    return total


def points(model, count=3):
    rng = np.random.default_rng(5)
    start = model.initial_point()
    for _ in range(count):
        yield {name: value + rng.normal(0, 0.5, np.shape(value)) for name, value in start.items()}


def natural(design, point):
    """Parameters by name from a point of the model."""
    found = {name: value for name, value in point.items() if not name.endswith("__")}
    for name, value in point.items():
        if name.endswith("_log__"):
            found[name.removesuffix("_log__")] = np.exp(value)
    found["decay"] = found["decay_mean"] * np.ones(2)
    if not design.common:
        found["decay"] = found["decay"] + found["sigma_decay"] * found["decay_z"]
    if design.by_period:
        found["period"] = found["sigma_period"] * found["period_z"]
    return found


@pytest.mark.parametrize("variant", VARIANTS)
def test_counts_have_the_log_likelihood_and_gradient_of_all_rows(study, rows, variant):
    design, _, _, parts = nodes(study, variant)
    sequences = sequences_of(rows, (2000,))
    assert len(study.sequences.firms) < len(sequences) or variant != "default"
    model = build(study, parts, variant)
    (potential,) = model.replace_rvs_by_values(model.potentials)
    value = model.compile_fn(potential, inputs=model.value_vars, mode=PLAIN)
    slope = model.compile_fn(
        [*model_gradient(potential, model)], inputs=model.value_vars, mode=PLAIN
    )
    for point in points(model):
        expected = one_by_one(design, sequences, natural(design, point))
        assert value(point) == pytest.approx(expected, rel=1e-9)
    for rv, found in zip(model.value_vars, slope(point), strict=True):
        for index in np.ndindex(np.shape(point[rv.name])):
            ends = []
            for step in (1e-4, -1e-4):
                moved = np.array(point[rv.name], dtype=float)
                moved[index] += step
                there = natural(design, {**point, rv.name: moved})
                ends.append(one_by_one(design, sequences, there))
            numeric = (ends[0] - ends[1]) / 2e-4
            assert np.asarray(found)[index] == pytest.approx(numeric, rel=1e-4, abs=1e-5)


def model_gradient(potential, model):
    import pytensor.gradient

    return pytensor.gradient.grad(potential, model.value_vars, disconnected_inputs="ignore")


@pytest.mark.parametrize("spread", [0.05, 0.7, 2.0, 6.0])
@pytest.mark.parametrize(("made", "flagged"), [(1, 1), (3, 1), (8, 4), (40, 12)])
def test_integrals_are_those_of_twenty_digits(study, spread, made, flagged):
    design = replace(design_of(study), sizes=("all",), common=True)
    one = np.ones(1)
    counts = Counts(np.zeros(1, int), np.array([[made]]), np.array([flagged]), *[one] * 4)
    (part,) = classes(counts, spread, np.array([-6.0, 6.0]))
    point = {"level": np.array([-1.0]), "decay": np.array([0.02]), "sigma": spread, "period": None}
    found = float(integrals(counts, part, design, point, NUMPY)[0])

    def density(z):
        factor = mpmath.exp(spread * z)
        none = mpmath.fprod(1 / (1 + factor * own) for own in odds)
        return factor**flagged * none * mpmath.exp(-z * z / 2) / mpmath.sqrt(2 * mpmath.pi)

    with mpmath.workdps(20):
        odds = [mpmath.exp(-1 - mpmath.mpf("0.02") * k) for k in range(made)]
        ends = mpmath.linspace(-12, 12, 13)
        assert found == pytest.approx(float(mpmath.log(mpmath.quad(density, ends))), abs=2e-11)


@pytest.mark.parametrize("variant", VARIANTS)
def test_coordinates_keep_the_density(study, variant):
    design, _, start, parts = nodes(study, variant)
    model = build(study, parts, variant)
    sampled = in_coordinates(model, design, start)
    whole = model.compile_logp(mode=PLAIN)
    theirs = sampled.compile_logp(mode=PLAIN)
    wanted = list(sampled.deterministics)
    names = [rv.name for rv in wanted]
    size = sampled.initial_point()[RAW].size

    def at(raw):
        values = dict(zip(names, pymc.evaluate(sampled, wanted, {RAW: raw[None]}), strict=True))
        found = {name: value[0] for name, value in values.items()}
        for name, spread, centre in (
            ("decay", "sigma_decay", "decay_mean"),
            ("period", "sigma_period", ""),
        ):
            if spread in found:
                less = found[centre] if centre else 0.0
                found[f"{name}_z"] = (found[name] - less) / found[spread]
        return {
            rv.name: np.log(found[rv.name.removesuffix("_log__")])
            if rv.name.endswith("_log__")
            else found[rv.name]
            for rv in model.value_vars
        }

    def flat(raw):
        return np.concatenate([np.ravel(value) for value in at(raw).values()])

    gone = []
    for seed in range(3):
        raw = np.random.default_rng(seed).normal(size=size)
        steps = 1e-5 * np.eye(size)
        jacobian = np.column_stack([(flat(raw + e) - flat(raw - e)) / 2e-5 for e in steps])
        expected = whole(at(raw)) + np.linalg.slogdet(jacobian)[1]
        gone.append(theirs({RAW: raw}) - expected)
    np.testing.assert_allclose(gone, gone[0], atol=1e-4)


def test_nodes_too_coarse_or_too_narrow_are_noticed(study):
    design, counts, _, _ = nodes(study)
    draws = inferencedata.prior(design, priors_of(study), 1000, 1).isel(draw=slice(0, 30))
    draws["sigma_firm"] = draws["sigma_firm"].clip(0.2, 2.5)
    good = classes(counts, 3.0, np.array([-6.0, 6.0]))
    assert off(counts, good, design, draws) < 1e-6
    coarse = tuple(replace(part, nodes=part.nodes[::6]) for part in good)
    assert off(counts, coarse, design, draws) > sequencefitting.MOST_OFF
    narrow = tuple(replace(part, nodes=part.nodes[np.abs(part.nodes) < 2]) for part in good)
    assert off(counts, narrow, design, draws) > sequencefitting.MOST_OFF


def test_a_fit_whose_draws_leave_the_nodes_is_made_again(study, monkeypatch):
    spreads = []

    def sample(model, settings, progress):
        import xarray as xr

        spreads.append(1)
        raw = np.random.default_rng(1).normal(size=(2, 50, model.initial_point()[RAW].size))
        dims = ("chain", "draw", "x")
        coords = {"chain": [0, 1], "draw": np.arange(50)}
        stats = xr.Dataset(attrs={"sampling_time": 1.0})
        return xr.Dataset({RAW: (dims, raw)}, coords), stats

    found = find_start(*nodes(study)[1::-1])
    monkeypatch.setattr(sequencefitting, "sample", sample)
    monkeypatch.setattr(sequencefitting, "find_start", lambda *_: replace(found, spread=0.05))
    fit(study, settings=fitting.Settings(draws=50, chains=2))
    assert len(spreads) > 1
    monkeypatch.setattr(sequencefitting, "LARGEST", 0.06)
    with pytest.raises(StudyError, match="cannot be integrated out exactly"):
        fit(study)


def test_too_much_work_is_refused(study, monkeypatch):
    monkeypatch.setattr(starting, "MOST_WORK", 100)
    with pytest.raises(StudyError, match="too long or too varied"):
        nodes(study)


def test_priors_of_parts_of_the_line_are_refused(study):
    design, _, start, parts = nodes(study)
    model = build(study, parts, priors=priors_of(study, overrides={"intercept": "HalfNormal(1)"}))
    with pytest.raises(StudyError, match="prior of 'intercept'"):
        in_coordinates(model, design, start)


# -- predictions -------------------------------------------------------------------------


def test_predicted_flags_have_the_law_of_simulated_firms(study):
    import xarray as xr

    design = design_of(study)
    number = 4000
    names = {"intercept": -0.3, "large": 0.4, "sigma_firm": 1.1}
    draws = xr.Dataset(
        {name: (("chain", "draw"), np.full((1, number), value)) for name, value in names.items()}
        | {"decay": (("chain", "draw", "size"), np.tile([0.1, 0.3], (1, number, 1)))},
        coords={"size": list(design.sizes)},
    )
    made = predictive(study, design, draws, 1, 2)
    counts = counts_for(study.sequences, design)
    rng = np.random.default_rng(0)
    never, always = np.zeros((2, 2000)), np.zeros((2, 2000))
    for size, length, firms in zip(counts.size, counts.made[:, 0], counts.firms, strict=True):
        level = -0.3 + 0.4 * (size == 0)
        for _ in range(int(firms)):
            odds = level + 1.1 * rng.normal(size=2000)[:, None]
            odds = odds - (0.1, 0.3)[size] * np.arange(length)
            flags = rng.random(odds.shape) < 1 / (1 + np.exp(-odds))
            if length > 1:
                never[size] += ~flags.any(axis=1)
                always[size] += flags.all(axis=1)
    for name, values in (("never", never), ("always", always)):
        found = made[name].to_numpy()[0]
        np.testing.assert_allclose(found.mean(axis=0), values.mean(axis=1), atol=0.4)
        np.testing.assert_allclose(found.std(axis=0), values.std(axis=1), rtol=0.25)
    point = {"level": np.array([0.0]), "decay": np.zeros(1), "sigma": 0.0, "period": None}
    alone = {"size": np.zeros(1, int), "period": np.zeros(1, int), "entries": np.zeros(1, int)}
    assert chances(replace(design, sizes=("all",)), point, alone)[0] == pytest.approx(0.5)


# -- fits --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["default", "step", "period"])
def test_a_register_has_the_posterior_of_the_study_of_its_rows(tmp_path, variant):
    rows = random_rows(np.random.default_rng(11), 60)
    folder = write_decisions(tmp_path / "register", STUDY + PERIODS)
    write_rows(folder / "rows" / "a.csv", rows)
    sequences = sequences_of(rows)
    inorder = sorted(rows, key=lambda row: (row[0], float(row[1])))
    listed = write_decisions_study(
        tmp_path / "listed",
        firms=list(sequences),
        sizes=[size for size, _ in sequences.values()],
        periods=["early", "late"],
        starts=[2000],
        decisions=[(firm, when, flag) for firm, when, flag, _ in inorder],
    )
    settings = fitting.Settings(draws=2000, tune=1000, chains=4, seed=3)
    ours = fit(im.reduce(folder), variant, settings=settings)["posterior"]
    theirs = fitting.fit(im.load_study(listed), variant, settings=settings)["posterior"]
    for name in ours.data_vars:
        a, b = (draws[name].to_numpy().reshape(8000, -1) for draws in (ours, theirs))
        spread = b.std(axis=0)
        np.testing.assert_allclose((a.mean(axis=0) - b.mean(axis=0)) / spread, 0, atol=0.12)
        np.testing.assert_allclose(a.std(axis=0) / spread, 1, atol=0.15)


@pytest.mark.slow
def test_a_generated_register_is_recovered(tmp_path):
    folder = write_decisions(tmp_path, files="rows/a.parquet", memory_limit="500MB")
    generate(folder / "rows" / "a.parquet", 300_000)
    command = [sys.executable, "-m", "intlmodels", "fit", str(folder), "--draws", "500"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    posterior = im.read_fit(tmp_path / "out" / "posterior.nc")["posterior"]
    for name, value in TRUTH.items():
        draws = posterior[name].to_numpy().reshape(2000, -1)
        scores = (draws.mean(axis=0) - np.atleast_1d(value)) / draws.std(axis=0)
        assert np.abs(scores).max() < 3.5, name
        assert draws.std(axis=0).max() < 0.02
