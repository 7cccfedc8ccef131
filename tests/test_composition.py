"""A share and a second part of the same whole: the probability of the rectangle of roundings."""

from functools import cache

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import integrate, special, stats

from intlmodels.core.rounding import grid, intervals
from intlmodels.models import design_of, priors_of
from intlmodels.models.share import estimands, model
from intlmodels.models.share.composition import composition_nodes
from intlmodels.models.share.inferencedata import constant_data
from intlmodels.models.share.observation import interval_logprob_numpy, inverse_logit
from intlmodels.report import share as pages
from intlmodels.report.data import ShareReportData
from intlmodels.studies import Composition, Outcome, StudyError, load_study
from mockfit import mock_fit
from studies import LEAST, edited, write_study

#: Means, precisions and splits; the first has its density at zero, the last one a narrow peak.
LAWS = [(0.02, 6.0, 0.1), (0.3, 8.0, 0.2), (0.5, 30.0, 0.6), (0.9, 3.0, 0.5), (0.45, 400.0, 0.9)]
#: All that can be printed together, to the nearest 5 percent.
PAIRS = [(s, p) for s in grid(5.0).tolist() for p in grid(5.0).tolist() if s + p < 105]


def reported(pairs):
    """An outcome and a second part, one row for each pair."""
    shares, parts = np.array(pairs, float).T
    outcome = Outcome(
        *("f.csv", "share", "Share", "percent", 5.0, shares, *intervals(shares, 5.0)),
        np.full(len(shares), 5.0),
    )
    names = ("mix", "", "local", "foreign", "rest", "f.csv", "local")
    return outcome, Composition(*names, *intervals(parts, 5.0))


@cache
def compiled():
    """Log probability of every pair, and the gradient of the sum of those that are picked."""
    outcome, part = reported(PAIRS)
    law = pt.dscalars("mu", "phi", "split")
    mu, phi, split = law
    rows = model.Reported(pt.constant(outcome.printed), 5.0, len(PAIRS))
    nodes, every = composition_nodes(outcome, part), mu * pt.ones(len(PAIRS))
    found, picked = model._composition(rows, 0.0, every, phi, split, nodes), pt.dvector("picked")
    outputs = [found, *pt.grad((picked * found).sum(), [*law])]
    return pytensor.function([*law, picked], outputs, mode="FAST_COMPILE")


def log_probability(law):
    return compiled()(*law, np.ones(len(PAIRS)))[0]


def probabilities(cases, law):
    return np.exp(log_probability(law))[[PAIRS.index(case) for case in cases]]


@pytest.mark.parametrize("law", LAWS)
def test_over_all_second_parts_it_is_the_beta_law_of_the_share(law):
    found, (mu, phi, _) = log_probability(law), law
    values = grid(5.0)
    expected = interval_logprob_numpy(mu * phi, (1 - mu) * phi, *intervals(values, 5.0))[0]
    own = [special.logsumexp(found[[s == value for s, _ in PAIRS]]) for value in values]
    assert own == pytest.approx(expected, abs=1e-10)


def test_there_is_no_room_for_more_than_the_whole():
    nodes = composition_nodes(*reported([(50, 55), (50, 50)]))
    assert np.isneginf(nodes.log_possible[0]).all()
    assert np.isneginf(nodes.log_possible[1]).sum() == 0
    assert (nodes.upper <= 1).all()


@pytest.mark.parametrize("law", LAWS)
def test_it_is_the_integral_of_the_dirichlet_law(law):
    mu, phi, split = law
    alpha, beta = mu * phi, (1 - mu) * phi
    cases = [(0, 0), (0, 5), (30, 5), (40, 60), (55, 40), (5, 95)]
    second = stats.beta(split * beta, (1 - split) * beta)
    exact = []
    for share, part in cases:
        (low, high), (a, b) = (tuple(map(float, intervals(v, 5.0))) for v in (share, part))

        # By the distribution function of the share, which has no pole at its ends.
        def given(p, a=a, b=b):
            s = special.betaincinv(alpha, beta, p)
            return second.cdf(min(1.0, b / (1 - s))) - second.cdf(min(1.0, a / (1 - s)))

        ends = special.betainc(alpha, beta, [low, high])
        cuts = special.betainc(alpha, beta, np.clip([1 - b, 1 - a], low, high))
        exact.append(integrate.quad(given, *ends, points=cuts, epsabs=1e-13, limit=200)[0])
    # The second part has poles at its ends if its shapes are small: there nodes are least exact.
    assert probabilities(cases, law) == pytest.approx(exact, rel=4e-3, abs=1e-9)


def test_it_is_how_often_shares_round_so():
    law, rng = (0.25, 7.0, 0.3), np.random.default_rng(4)
    mu, phi, split = law
    draws = rng.dirichlet(phi * np.array([mu, (1 - mu) * split, (1 - mu) * (1 - split)]), 400_000)
    rounded = 5 * np.rint(20 * draws[:, :2])
    cases = [(0, 5), (30, 5), (20, 30), (10, 50)]
    for case, probability in zip(cases, probabilities(cases, law), strict=True):
        often = (rounded == case).all(axis=1).mean()
        assert often == pytest.approx(probability, abs=4 * np.sqrt(probability / len(draws)))


@pytest.mark.parametrize("law", LAWS[:4])
def test_its_gradient_agrees_with_differences(law):
    picked = np.array([pair in [(0, 5), (30, 5), (40, 60), (55, 10)] for pair in PAIRS], float)
    gradient = compiled()(*law, picked)[1:]
    for k, value in enumerate(law):
        step = 1e-5 * value
        ends = [
            picked @ log_probability([v + sign * step * (i == k) for i, v in enumerate(law)])
            for sign in (1, -1)
        ]
        expected = (ends[0] - ends[1]) / (2 * step)
        assert float(gradient[k]) == pytest.approx(expected, rel=1e-5, abs=1e-5)


# -- in a study --------------------------------------------------------------------------

#: What eight firms sell in the region; of one that is not known.
REGION = "firm,near\nAlder,50\nBirch,5\nCedar,100\nDowny,\nElder,0\nFir,45\nGorse,20\nHazel,45\n"
MIX = """
[variants.mix]
kind = "composition"
file = "region.csv"
column = "near"
label = "regional"
share = "foreign"
rest = "national"
"""


def write_mix(folder, toml=(), region=REGION):
    return write_study(folder, toml=edited(LEAST + MIX, toml), tables={"region.csv": region})


def test_a_part_that_is_not_known_may_be_anything(tmp_path):
    study = load_study(write_mix(tmp_path))
    part = study.variants["mix"]
    assert (part.lower[3], part.upper[3]) == (0, 1)
    assert (part.lower[0], part.upper[0]) == (0.475, 0.525)
    design = design_of(study, "mix")
    assert [block.name for block in design.split] == ["split_branch"]
    names = ["intercept", "sigma_branch", "phi", "split", "sigma_split_branch"]
    assert list(priors_of(study, "mix")) == names


def test_the_parts_at_each_level_add_up(tmp_path):
    study = load_study(write_mix(tmp_path))
    design, rng = design_of(study, "mix"), np.random.default_rng(5)
    level = [("chain", "draw", name) for name in ("branch_level", "split_branch_level")]
    values = {
        "intercept": (("chain", "draw"), rng.normal(size=(2, 3))),
        "phi": (("chain", "draw"), np.full((2, 3), 9.0)),
        "split": (("chain", "draw"), rng.beta(2, 2, size=(2, 3))),
        "branch": (level[0], rng.normal(size=(2, 3, 3))),
        "split_branch": (level[1], rng.normal(size=(2, 3, 3))),
    }
    tree = xr.DataTree.from_dict(
        {"posterior": xr.Dataset(values), "constant_data": constant_data(study, design)}
    )
    tree.attrs = {"family": "composition", "variant": "mix"}
    found = estimands.compositions(tree)
    draws = {name: value[1].reshape(6, *value[1].shape[2:]) for name, value in values.items()}
    assert found.sum(axis=-1) == pytest.approx(np.full((6, 4), 100.0))
    share = inverse_logit(draws["intercept"][:, None] + draws["branch"])
    odds = np.log(draws["split"] / (1 - draws["split"]))[:, None] + draws["split_branch"]
    assert found[:, 1:, 0] == pytest.approx(100 * share)
    assert found[:, 1:, 1] == pytest.approx(100 * (1 - share) * inverse_logit(odds))
    counts = np.bincount(study.predictors["branch"].codes)
    assert found[:, 0, 0] == pytest.approx(100 * share @ counts / 8)


@pytest.mark.parametrize(
    ("toml", "region", "says"),
    [
        ((), REGION.replace("Birch,5", "Birch,80"), "leaves room for the share, 25 percent"),
        ((), REGION.replace("Birch,5", "Birch,7"), "a multiple of the rounding width 5"),
        ([('column = "near"', 'column = "far"')], REGION, "far"),
        ([('rest = "national"', 'rest = "foreign"')], REGION, "three different texts"),
        ([('unit = "percent"', 'unit = "percent"\nzeros = "structural"')], REGION, "structural"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, toml, region, says):
    with pytest.raises(StudyError, match=says) as caught:
        load_study(write_mix(tmp_path, toml, region))
    assert "\n" not in str(caught.value)


def test_the_report_has_all_three(tmp_path):
    study = load_study(write_mix(tmp_path))
    fits = {"default": mock_fit(study), "mix": mock_fit(study, "mix")}
    for fit in fits.values():
        fit.attrs["gate"] = "[]"
    data = ShareReportData(study, fits["default"], fits)
    found = pages._composition(data, "mix", data.compositions["mix"])
    assert found["parts"] == ["foreign", "regional", "national"]
    assert [row[1] for row in found["part_rows"]] == ["as observed", "Boats", "Tools", "Toys"]
    assert len(data.compositions["mix"]) == 12
