"""The model of a register: the density of all rows, in any coordinates; and truths recovered."""

import subprocess
import sys
from dataclasses import replace

import duckdb
import numpy as np
import pytest
from pytensor.compile.mode import Mode
from scipy import stats

import intlmodels as im
from intlmodels.core.errors import StudyError
from intlmodels.fitting import fit as fitting
from intlmodels.fitting.fit import fit
from intlmodels.models import design_of, priors_of
from intlmodels.models.coordinates import NUMPY, RAW
from intlmodels.models.priors import log_density
from intlmodels.models.share import model as share
from intlmodels.models.share.cells import at_nodes, build, in_coordinates, prior_model, scales
from intlmodels.models.share.coordinates import coordinates
from intlmodels.models.share.inferencedata import combinations
from intlmodels.models.share.start import counted, find_start
from registers import BRANCHES, HEADER, STUDY, some_rows, write_csv, write_register

PLAIN = Mode(linker="py", optimizer=None)
VARIANTS = ("default", "logit-normal", "hurdle", "heaped")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One set of rows as a register, and as a study of as many firms."""
    path = tmp_path_factory.mktemp("register")
    rows = some_rows(90)
    write_csv(write_register(path / "lake", files="rows/a.csv") / "rows" / "a.csv", rows)
    firms = path / "firms"
    firms.mkdir()
    named = [(f"firm {i}", *row) for i, row in enumerate(rows)]
    write_csv(firms / "firms.csv", named, ("firm", *HEADER))
    listed = '[firms]\nfile = "firms.csv"\ncolumn = "firm"\n'
    toml = STUDY.replace('[register]\nfiles = "rows/*.csv"\n', listed)
    (firms / "study.toml").write_text(toml, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def study(folder):
    return im.reduce(folder / "lake")


def points(model, count=4):
    """Points in the model's own coordinates, the first where it starts."""
    rng = np.random.default_rng(5)
    start = model.initial_point()
    yield start
    for _ in range(count):
        yield {name: value + rng.normal(0, 0.7, np.shape(value)) for name, value in start.items()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_cells_have_the_log_density_and_gradient_of_all_rows(folder, study, variant):
    assert len(study.firms) < 90
    listed = im.load_study(folder / "firms")
    reduced, whole = build(study, variant), share.build(listed, variant)
    logps = [model.compile_logp(mode=PLAIN) for model in (reduced, whole)]
    slopes = [model.compile_dlogp(mode=PLAIN) for model in (reduced, whole)]
    for point in points(reduced):
        assert logps[0](point) == pytest.approx(logps[1](point), rel=1e-12, abs=1e-10)
        np.testing.assert_allclose(slopes[0](point), slopes[1](point), rtol=1e-9, atol=1e-9)


def test_the_log_density_is_that_of_the_rows_by_hand(study):
    model = build(study)
    logp = model.compile_logp(mode=PLAIN, jacobian=False)
    rows = some_rows(90)
    printed = np.array([float(row[0]) for row in rows])
    ages = np.array([float(row[3]) for row in rows])
    age = (ages - ages.mean()) / ages.std(ddof=1)
    large = np.where([row[2] == "large" for row in rows], 0.5, -0.5)
    branch = np.array([("Boats", "Tools", "Toys").index(row[1]) for row in rows])
    lower, upper = np.maximum(printed - 2.5, 0) / 100, np.minimum(printed + 2.5, 100) / 100
    for p in points(model):
        sigma, phi = np.exp(p["sigma_branch_log__"]), np.exp(p["phi_log__"])
        effects = sigma * p["branch_z"]
        linear = p["intercept"] + effects[branch] + p["size"] * large + p["age"] * age
        mu = 1 / (1 + np.exp(-linear))
        law = stats.beta(mu * phi, (1 - mu) * phi)
        # From the nearer end, where differences of probabilities keep their digits.
        near = np.where(upper <= mu, law.cdf(upper) - law.cdf(lower), law.sf(lower) - law.sf(upper))
        priors = priors_of(study)
        values = {"intercept": p["intercept"], "sigma_branch": sigma, "size": p["size"]}
        values |= {"age": p["age"], "phi": phi}
        prior = sum(float(log_density(priors[name], v)) for name, v in values.items())
        prior += stats.norm.logpdf(p["branch_z"]).sum()
        assert logp(p) == pytest.approx(prior + np.log(near).sum(), rel=1e-9)


def test_weights_of_a_million_keep_their_digits(study):
    many = replace(study, rows=study.rows * 1_000_000)
    one, all_ = build(study), build(many)
    seen = [m.observed_RVs[0] for m in (one, all_)]
    logps = [
        m.compile_fn(m.logp(vars=[rv]), mode=PLAIN) for m, rv in zip((one, all_), seen, strict=True)
    ]
    for point in points(one):
        assert logps[1](point) == pytest.approx(1e6 * logps[0](point), rel=1e-14)


def coordinates_of(study, variant="default"):
    shared = combinations(study)
    design = design_of(shared.study, variant)
    start = find_start(design, shared.cell, study.outcome.printed, study.rows, study.outcome.width)
    model = build(study, variant)
    onto, back = scales(priors_of(study, variant))
    return model, coordinates(design, start, onto), back


def own_point(model, found, back):
    """A point of the model's own from what coordinates stand for."""
    point = {}
    for rv in model.free_RVs:
        name, value = rv.name, model.rvs_to_values[rv].name
        if name == "branch_z":
            point[value] = found["branch"] / back["sigma_branch"](found["sigma_branch"])
        else:
            point[value] = np.asarray(found[name])
    return point


@pytest.mark.parametrize("variant", VARIANTS)
def test_coordinates_change_the_density_by_their_jacobian(study, variant):
    model, places, back = coordinates_of(study, variant)
    sampled = in_coordinates(model, places)
    logp, own = sampled.compile_logp(mode=PLAIN), model.compile_logp(mode=PLAIN)
    rng = np.random.default_rng(3)

    def flat(raw):
        found, _ = places.values(raw, back, NUMPY)
        return np.concatenate([np.ravel(v) for v in own_point(model, found, back).values()])

    off = []
    for _ in range(3):
        raw = rng.normal(size=places.size)
        steps = np.eye(places.size) * 1e-5
        matrix = np.column_stack([(flat(raw + s) - flat(raw - s)) / 2e-5 for s in steps])
        found, _ = places.values(raw, back, NUMPY)
        whole = own(own_point(model, found, back)) + np.linalg.slogdet(matrix)[1]
        off.append(logp({RAW: raw}) - whole)
    np.testing.assert_allclose(off, off[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_with_many_cells_the_density_is_the_same_at_nodes(study, variant):
    model, places, _ = coordinates_of(study, variant)
    shared = combinations(study)
    design = design_of(shared.study, variant)
    data = counted(design, shared.cell, study.outcome.printed, study.rows)
    own = prior_model(priors_of(study, variant))
    one, other = in_coordinates(model, places), at_nodes(own, design, data, places, 5.0, 721)
    logps = [m.compile_logp(mode=PLAIN) for m in (one, other)]
    slopes = [m.compile_dlogp(mode=PLAIN) for m in (one, other)]
    rng = np.random.default_rng(6)
    for raw in (np.zeros(places.size), *rng.normal(size=(3, places.size))):
        # 90 rows, each right to some 1e-10, and normal densities without their constants.
        constant = 0.5 * np.log(2 * np.pi) * len(BRANCHES)
        off = logps[1]({RAW: raw}) - logps[0]({RAW: raw})
        assert off == pytest.approx(constant, abs=1e-6)
        a, b = (slope({RAW: raw}) for slope in slopes)
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-5)


def test_the_start_is_the_maximum_and_as_wide_as_the_rows_say(study):
    many = replace(study, rows=study.rows * 10_000)
    model, places, _ = coordinates_of(many)
    sampled = in_coordinates(model, places)
    slope = sampled.compile_dlogp(mode=PLAIN)
    few = len(places.start.linear)
    at = slope({RAW: np.zeros(places.size)})
    # In units of the posterior's own width: small, and of a curvature near one, although the model
    # does not fit rows that were drawn at random.
    assert np.abs(at[-few:]).max() < 0.2
    for i in range(places.size - few, places.size):
        moved = np.zeros(places.size)
        moved[i] = 1.0
        assert -2 < slope({RAW: moved})[i] - at[i] < -0.5


@pytest.mark.parametrize("times", [1, 1_000_000])
def test_no_direction_is_much_narrower_than_another(tmp_path, times):
    """Also where predictors go together: a town lies in one branch, and tells nothing more."""
    toml = STUDY + '\n[predictors.town]\nkind = "category"\ncolumn = "town"\n'
    folder = write_register(tmp_path, toml, files="rows/a.csv")
    rows = [(*row, f"{row[1]} {i % 3}") for i, row in enumerate(some_rows(200))]
    write_csv(folder / "rows" / "a.csv", rows, (*HEADER, "town"))
    study = im.reduce(folder)
    model, places, _ = coordinates_of(replace(study, rows=study.rows * times))
    slope = in_coordinates(model, places).compile_dlogp(mode=PLAIN)
    raw = np.random.default_rng(4).normal(0, 0.5, size=places.size)
    steps = 1e-3 * np.eye(places.size)
    curved = np.array([slope({RAW: raw + s}) - slope({RAW: raw - s}) for s in steps]) / -2e-3
    widths = 1 / np.sqrt(np.linalg.eigvalsh((curved + curved.T) / 2))
    assert widths.min() > 0.3
    assert widths.max() < 3


def test_a_prior_over_half_the_line_has_no_coordinates(study):
    priors = priors_of(study, overrides={"intercept": "HalfNormal(1)"})
    model = build(study, priors=priors)
    onto, _ = scales(priors)
    _, places, _ = coordinates_of(study)
    assert onto["intercept"](1.0) == 0
    with pytest.raises(StudyError, match="prior of 'intercept' has to be one over all numbers"):
        in_coordinates(model, places)


# -- fits --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["default", "hurdle"])
def test_a_register_has_the_posterior_of_its_rows(folder, study, variant):
    settings = fitting.Settings(draws=2000, tune=1000, chains=4, seed=2)
    ours = fit(study, variant, settings=settings)["posterior"]
    theirs = fitting.fit(im.load_study(folder / "firms"), variant, settings=settings)["posterior"]
    for name in ours.data_vars:
        a, b = (draws[name].to_numpy().reshape(8000, -1) for draws in (ours, theirs))
        spread = b.std(axis=0)
        np.testing.assert_allclose((a.mean(axis=0) - b.mean(axis=0)) / spread, 0, atol=0.1)
        np.testing.assert_allclose(a.std(axis=0) / spread, 1, atol=0.12)


#: What the generated register is made with, on the logit scale.
EFFECTS = {"Food": -0.6, "Machines": 0.4, "Optics": 0.7, "Textiles": -0.2, "Wood": -0.3}
LEVEL, LARGE, PHI = -1.0, 0.5, 6.0


def generate(path, rows):
    """A register of beta shares, rounded to 5 points, made row by row."""
    rng = np.random.default_rng(8)
    names = np.array([*EFFECTS])
    branch = rng.choice(len(names), rows, p=[0.3, 0.2, 0.1, 0.15, 0.25])
    large = rng.random(rows) < 0.3
    linear = LEVEL + np.array([*EFFECTS.values()])[branch] + LARGE * (large - 0.5)
    mu = 1 / (1 + np.exp(-linear))
    share = 5 * np.rint(20 * rng.beta(mu * PHI, (1 - mu) * PHI)).astype(int)
    with duckdb.connect() as connection:
        connection.register(
            "t",
            {"share": share, "branch": branch, "large": large.astype(int)},
        )
        labels = " ".join(f"WHEN {i} THEN '{name}'" for i, name in enumerate(names))
        connection.execute(
            f"COPY (SELECT share, CASE branch {labels} END AS branch, CASE large WHEN 1 THEN "
            f"'large' ELSE 'small' END AS size FROM t) TO '{path}' (FORMAT parquet)"
        )


@pytest.mark.slow
def test_a_generated_register_of_a_million_rows_is_recovered_in_little_memory(tmp_path):
    toml = STUDY.partition("[predictors.age]")[0]
    folder = write_register(tmp_path, toml, files="rows/a.parquet", memory_limit="500MB")
    generate(folder / "rows" / "a.parquet", 1_000_000)
    code = (
        "import atexit, pathlib, sys\n"
        "status = pathlib.Path('/proc/self/status')\n"
        "@atexit.register\n"
        "def tell():\n"
        "    sys.stderr.write(status.read_text().partition('VmHWM:')[2].split()[0])\n"
        "from intlmodels.__main__ import main\n"
        "main()"
    )
    command = [sys.executable, "-c", code, "fit", str(folder), "--draws", "1000"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stderr.split()[-1]) < 2_000_000
    posterior = im.read_fit(tmp_path / "out" / "posterior.nc")["posterior"]
    effects = posterior["branch"].to_numpy()
    levels = posterior["intercept"].to_numpy()[..., None] + effects
    truth = LEVEL + np.array([*EFFECTS.values()])
    scores = (levels.mean(axis=(0, 1)) - truth) / levels.std(axis=(0, 1))
    for name, value in (("size", LARGE), ("phi", PHI)):
        draws = posterior[name].to_numpy()
        scores = np.append(scores, (draws.mean() - value) / draws.std())
    assert np.abs(scores).max() < 3.5
    assert levels.std(axis=(0, 1)).max() < 0.01
