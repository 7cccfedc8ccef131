"""Registers with clusters: density, coordinates, start, and what is drawn afterwards."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from pytensor.compile.mode import Mode
from scipy import stats
from scipy.special import expit

import intlmodels as im
from intlmodels.core.errors import StudyError
from intlmodels.core.rounding import grid
from intlmodels.core.settings import Settings
from intlmodels.fitting.fit import fit
from intlmodels.models import design_of, priors_of
from intlmodels.models.coordinates import NUMPY, RAW
from intlmodels.models.share import observation
from intlmodels.models.share import observation as nodes
from intlmodels.models.share.cells import at_nodes, prior_model, scales
from intlmodels.models.share.coordinates import cluster_coordinates, split
from intlmodels.models.share.inferencedata import combinations
from intlmodels.models.share.model import cells_density
from intlmodels.models.share.start import counted, find_cluster_start, find_start, groups_of
from registers import AGES, BRANCHES, HEADER, SIZES, STUDY, write_csv, write_register

PLAIN = Mode(linker="py", optimizer=None)
CLUSTERED = STUDY + '\n[cluster]\ncolumn = "town"\n'
FAMILIES = {
    "beta": {"phi": 12.0},
    "logit-normal": {"sigma": 0.9},
    "hurdle": {"phi": 12.0, "never": 0.1},
    "heaped": {"phi": 12.0, "heaping": 0.4},
}


def generated(rng, count, towns, spread=0.5):
    """Rows of a register with clusters, and what they were drawn from."""
    true = {
        "level": -1.0 + spread * rng.normal(size=towns),
        "size": 0.6 + 0.25 * rng.normal(size=towns),
        "branch": np.array([-0.3, 0.0, 0.3]) + 0.15 * rng.normal(size=(towns, 3)),
    }
    town, branch, size = (rng.integers(0, n, count) for n in (towns, 3, 2))
    linear = true["level"][town] + true["size"][town] * (size - 0.5) + true["branch"][town, branch]
    share = rng.beta(8 * expit(linear), 8 * expit(-linear))
    ages = rng.integers(0, 3, count)
    rows = zip(5 * np.rint(20 * share).astype(int), branch, size, ages, town, strict=True)
    return true, [
        (str(s), BRANCHES[b], SIZES[z], AGES[a], f"town {t:03}") for s, b, z, a, t in rows
    ]


def written(folder, rows, toml=CLUSTERED):
    write_register(folder, toml, files="rows/a.csv")
    write_csv(folder / "rows" / "a.csv", rows, (*HEADER, "town"))
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    _, rows = generated(np.random.default_rng(7), 400, 5)
    return im.reduce(written(tmp_path_factory.mktemp("clusters") / "lake", rows))


class Parts:
    """What a fit puts together, from cells to the model that is sampled."""

    def __init__(self, study, variant="default"):
        shared = combinations(study)
        self.design = design_of(shared.study, variant)
        self.data = counted(self.design, shared.cell, study.outcome.printed, study.rows)
        pooled = combinations(replace(study, groupings={}))
        alone = design_of(pooled.study, variant)
        first = find_start(alone, pooled.cell, study.outcome.printed, study.rows, 5.0)
        self.start = find_cluster_start(self.design, self.data, first, 5.0)
        own = prior_model(priors_of(study, variant))
        onto, self.back = scales(priors_of(study, variant))
        self.points = cluster_coordinates(self.design, self.start, onto, self.back)
        self.model = at_nodes(own, self.design, self.data, self.points, 5.0, 721)

    def found(self, raw):
        return self.points.values(raw, self.back, NUMPY)[0]

    def flat(self, raw):
        found = self.found(raw)
        names = [*self.points.scalars, *(f"{name} mean" for name in self.points.levels)]
        whole = [found[name] for name in (*names, "common", "effects")]
        return np.concatenate([np.ravel(value) for value in whole])

    def parameters(self, raw, seed=0):
        found = self.found(raw)
        scalars = {name: self.back[name](found[name]) for name in self.points.scalars}
        return scalars | split(self.points, found, scalars, np.random.default_rng(seed))


# -- probabilities at nodes --------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_interpolated_probabilities_are_those_of_the_law(family):
    printed, parameters = grid(5), FAMILIES[family]
    errors = [nodes.error(family, parameters, 5, printed, count) for count in nodes.COUNTS]
    assert errors[-1] < 1e-10
    # Polynomials of degree five: twice as many nodes, a 64th of the error, until digits end.
    assert all(b < max(a / 30, 1e-12) for a, b in pairwise(errors))
    points = np.linspace(-6, 4, 57)
    values = nodes.table(family, parameters, 5, printed, 721)
    found, slopes = nodes.interpolated(points, values)
    step = 1e-5
    above, below = (
        observation.printed_log_probability(
            family, points[:, None] + s, parameters, 5, printed[None]
        )
        for s in (step, -step)
    )
    seen = found > -30
    np.testing.assert_allclose(
        slopes[seen], ((above - below) / (2 * step))[seen], rtol=1e-5, atol=1e-5
    )
    each = nodes.interpolated_each(np.tile(points, (len(printed), 1)), values)
    np.testing.assert_allclose(each.T, found, rtol=1e-14)


def test_beyond_the_last_node_probabilities_stay_as_they_are():
    values = nodes.table("beta", {"phi": 10.0}, 5, grid(5), 181)
    found, slopes = nodes.interpolated(np.array([-1e9, 1e9, np.nan]), values)
    assert np.isfinite(found).all()
    assert not slopes.any()
    assert found[0, 0] == pytest.approx(0, abs=1e-9)
    assert found[1, -1] == pytest.approx(0, abs=1e-9)


def test_the_operation_has_the_value_and_gradient_of_a_plain_sum(study):
    import pytensor
    import pytensor.tensor as pt

    parts = Parts(study)
    data = parts.data
    values = nodes.table("beta", {"phi": 8.0}, 5, data.printed, 181)
    vectors = [np.ravel(v) for v in (data.weights, data.cluster, data.start, data.place, data.rows)]
    effects, table = pt.dmatrix(), pt.dmatrix()
    total = cells_density(effects, table, *vectors)[0]
    at, rng = parts.start.effects, np.random.default_rng(1)
    for mode in (PLAIN, "NUMBA"):
        function = pytensor.function(
            [effects, table], [total, *pytensor.grad(total, [effects, table])], mode=mode
        )
        worth, by_effect, by_value = function(at, values)
        linear = (data.weights * at[data.cluster.astype(int)]).sum(axis=1)
        each = nodes.interpolated(linear, values)[0]
        cell = np.repeat(np.arange(len(linear)), np.diff(data.start).astype(int))
        plain = data.rows @ each[cell, data.place.astype(int)]
        assert worth == pytest.approx(plain, rel=1e-13)
        for argument, slope in ((0, by_effect), (1, by_value)):
            along = rng.normal(size=slope.shape)
            moved = [[at, values], [at, values]]
            for sign, pair in zip((1, -1), moved, strict=True):
                pair[argument] = pair[argument] + sign * 1e-6 * along
            off = (function(*moved[0])[0] - function(*moved[1])[0]) / 2e-6
            assert off == pytest.approx((slope * along).sum(), rel=1e-5, abs=1e-4)


# -- density and coordinates -------------------------------------------------------------


def by_hand(study, parts, raw):
    """Log density of all parameters on the whole line, likelihood row by row, by scipy alone."""
    found, p = parts.found(raw), parts.parameters(raw)
    total = stats.norm.logpdf(p["intercept"], -1.5, 1)
    total += stats.norm.logpdf([p["size"], p["age"]], 0, 0.5).sum()
    total += stats.lognorm.logpdf(p["phi"], 0.8, scale=10) + np.log(p["phi"])
    for name in parts.points.scalars:
        if name.startswith("sigma_"):
            scale = 0.5 if name in ("sigma_branch", "sigma_cluster") else 0.25
            total += stats.halfnorm.logpdf(p[name], scale=scale) + np.log(p[name])
    groups = dict(zip(parts.points.names, groups_of(parts.design), strict=True))
    total += stats.norm.logpdf(found["branch mean"])
    total += stats.norm.logpdf(found["common"][groups["branch"]], 0, p["sigma_branch"]).sum()
    square = p["sigma_cluster"] ** 2 + p["sigma_branch_by_cluster"] ** 2 / 3
    variance = np.array(
        [
            square,
            *([p["sigma_branch_by_cluster"] ** 2] * 2),
            p["sigma_size_by_cluster"] ** 2,
            p["sigma_age_by_cluster"] ** 2,
        ]
    )
    total += stats.norm.logpdf(found["effects"], found["common"], np.sqrt(variance)).sum()
    town, kinds = study.clusters.codes, study.predictors
    branch, size = kinds["branch"].codes, kinds["size"].values
    age = (kinds["age"].values - kinds["age"].center) / kinds["age"].scale
    linear = p["intercept"] + p["cluster"][town] + p["branch"][branch]
    linear = linear + p["branch_by_cluster"][town, branch]
    linear = linear + (p["size"] + p["size_by_cluster"][town]) * size
    linear = linear + (p["age"] + p["age_by_cluster"][town]) * age
    law = stats.beta(p["phi"] * expit(linear), p["phi"] * expit(-linear))
    printed = study.outcome.printed
    low, high = np.maximum(printed - 2.5, 0) / 100, np.minimum(printed + 2.5, 100) / 100
    return total + study.rows @ np.log(law.cdf(high) - law.cdf(low))


def test_the_density_is_that_of_the_model_row_by_row(study):
    parts = Parts(study)
    logp = parts.model.compile_logp(mode=PLAIN)
    rng, size = np.random.default_rng(3), parts.points.size
    off = []
    for _ in range(4):
        raw = rng.normal(0, 0.8, size=size)
        steps = 1e-5 * np.eye(size)
        matrix = np.column_stack(
            [(parts.flat(raw + s) - parts.flat(raw - s)) / 2e-5 for s in steps]
        )
        whole = by_hand(study, parts, raw) + np.linalg.slogdet(matrix)[1]
        off.append(float(logp({RAW: raw})) - whole)
    np.testing.assert_allclose(off, off[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("variant", ["default", "logit-normal", "hurdle", "heaped"])
def test_the_gradient_is_finite_and_right(study, variant):
    parts = Parts(study, variant)
    logp = parts.model.compile_logp(mode=PLAIN)
    slope = parts.model.compile_dlogp(mode=PLAIN)
    rng = np.random.default_rng(4)
    for raw in (np.zeros(parts.points.size), rng.normal(size=parts.points.size)):
        found = slope({RAW: raw})
        assert np.isfinite(found).all()
        along = rng.normal(size=raw.shape)
        off = (logp({RAW: raw + 1e-5 * along}) - logp({RAW: raw - 1e-5 * along})) / 2e-5
        assert off == pytest.approx(found @ along, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("times", [1, 100, 100_000])
def test_no_direction_is_much_narrower_than_another(study, times):
    parts = Parts(replace(study, rows=study.rows * times))
    slope = parts.model.compile_dlogp(mode=PLAIN)
    raw = np.random.default_rng(4).normal(0, 0.4, size=parts.points.size)
    steps = 1e-3 * np.eye(parts.points.size)
    curved = np.array([slope({RAW: raw + s}) - slope({RAW: raw - s}) for s in steps]) / -2e-3
    # The spreads between so few clusters are as wide as their priors, and not normal.
    few = len(parts.points.scalars)
    curved = curved[few:, few:]
    widths = 1 / np.sqrt(np.linalg.eigvalsh((curved + curved.T) / 2))
    assert widths.min() > 0.4
    assert widths.max() < 2.5


def test_the_parts_of_a_sum_are_drawn_from_their_law_given_the_sum(study):
    parts = Parts(study)
    raw = np.random.default_rng(2).normal(size=parts.points.size)
    found = parts.found(raw)
    drawn = [parts.parameters(raw, seed) for seed in range(2000)]
    level = np.array([p["cluster"] for p in drawn])
    means = np.array([p["branch_by_cluster"].mean(axis=1) for p in drawn])
    whole = (found["effects"] - found["common"])[:, 0]
    np.testing.assert_allclose(level + means, np.tile(whole, (2000, 1)), atol=1e-12)
    a, b = drawn[0]["sigma_cluster"] ** 2, drawn[0]["sigma_branch_by_cluster"] ** 2 / 3
    # Two independent normal variables given their sum.
    sd = np.sqrt(a * b / (a + b))
    np.testing.assert_allclose(level.mean(axis=0), whole * a / (a + b), atol=5 * sd / 2000**0.5)
    np.testing.assert_allclose(level.std(axis=0), sd, rtol=5 / 4000**0.5)


def test_the_start_finds_what_clusters_were_drawn_from(tmp_path):
    rng = np.random.default_rng(11)
    true, rows = generated(rng, 40_000, 60)
    start = Parts(im.reduce(written(tmp_path, rows))).start
    assert start.parameters["phi"] == pytest.approx(8, rel=5 * start.spread["phi"])
    own = true["level"] + true["branch"].mean(axis=1)
    assert np.corrcoef(start.effects[:, 0], own)[0, 1] > 0.95
    assert np.sqrt(start.variance[0]) == pytest.approx(own.std(), rel=5 / 120**0.5)


# -- reading -----------------------------------------------------------------------------


def test_clusters_are_read_and_told(study):
    assert study.clusters.labels == tuple(f"town {i:03}" for i in range(5))
    shared = combinations(study)
    assert (np.diff(shared.study.clusters.codes) >= 0).all()
    assert shared.study.firms[0].startswith("town 000, ")


@pytest.mark.parametrize(
    ("toml", "towns", "match"),
    [
        (CLUSTERED, ("one", "one"), "two clusters or more"),
        (CLUSTERED, ("one", ""), "a.csv, row 3, column 'town'"),
        (CLUSTERED.replace('"town"', '"size"'), ("a", "b"), r"another column than that of \[clus"),
        (CLUSTERED.replace('"town"', '"twon"'), ("a", "b"), "column 'twon'.*did you mean 'town'"),
    ],
)
def test_unusable_clusters_are_one_line(tmp_path, toml, towns, match):
    _, rows = generated(np.random.default_rng(1), 20, 2)
    rows = [(*row[:-1], towns[i % 2]) for i, row in enumerate(rows)]
    folder = written(tmp_path, rows, toml)
    with pytest.raises(StudyError, match=match) as caught:
        im.reduce(folder)
    assert "\n" not in str(caught.value)


# -- fits --------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_register_has_the_posterior_of_the_same_firms_listed(tmp_path, study):
    """The same rows as a study that lists its firms: another density, other coordinates."""
    _, rows = generated(np.random.default_rng(7), 400, 5)
    listed = '[firms]\nfile = "firms.csv"\ncolumn = "firm"\n'
    toml = CLUSTERED.replace('[register]\nfiles = "rows/*.csv"\n', listed)
    (tmp_path / "study.toml").write_text(toml, encoding="utf-8")
    named = [(f"firm {i}", *row) for i, row in enumerate(rows)]
    write_csv(tmp_path / "firms.csv", named, ("firm", *HEADER, "town"))
    settings = Settings(draws=2000, tune=1000, seed=4)
    one, other = (
        fit(each, settings=settings)["posterior"].to_dataset()
        for each in (study, im.load_study(tmp_path))
    )
    names = ["intercept", "size", "age", "branch", "phi", "cluster", "branch_by_cluster"]
    names += ["size_by_cluster", "sigma_cluster", "sigma_size_by_cluster"]
    for name in names:
        a, b = (d[name].to_numpy().reshape(8000, -1) for d in (one, other))
        spread = b.std(axis=0)
        # Effective sizes are above 1,000: five Monte Carlo errors of a difference of means.
        np.testing.assert_allclose((a.mean(axis=0) - b.mean(axis=0)) / spread, 0, atol=0.22)
        np.testing.assert_allclose(a.std(axis=0) / spread, 1, atol=0.2)


@pytest.mark.slow
def test_hundreds_of_clusters_are_recovered(tmp_path):
    rng = np.random.default_rng(12)
    true, rows = generated(rng, 30_000, 400)
    tree = im.fit_study(im.reduce(written(tmp_path, rows)), seed=3)
    assert json.loads(tree.attrs["settings_used"])["draws"] == 750
    draws = tree["posterior"].to_dataset()
    own = draws["cluster"] + draws["branch_by_cluster"].mean("branch_level")
    level = (own + draws["intercept"] + draws["branch"].mean("branch_level")).to_numpy()
    wanted = true["level"] + true["branch"].mean(axis=1)
    scores = (level.mean(axis=(0, 1)) - wanted) / level.std(axis=(0, 1))
    # 400 clusters: their scores have a standard deviation near one, and no mean.
    assert scores.std() == pytest.approx(1, abs=5 / 800**0.5)
    assert abs(scores.mean()) < 0.35
    for name, value in (("size", 0.6), ("sigma_size_by_cluster", 0.25), ("phi", 8.0)):
        one = draws[name].to_numpy()
        assert abs(one.mean() - value) < 4 * one.std()
