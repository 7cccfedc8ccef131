"""Power-scaling, against posteriors of which the scaled form is known exactly."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from intlmodels.checks.sensitivity import ALPHAS, power_scaling
from intlmodels.checks.tables import SENSITIVE
from intlmodels.fitting import fit as fitting
from intlmodels.models import priors_of, pymc
from intlmodels.models.priors import parameter
from intlmodels.studies import load_study
from mockfit import mock_fit, without_sampling

CHAINS, DRAWS = 4, 1000


class Conjugate:
    """Values around theta with a known sd, and theta with a normal prior."""

    def __init__(self, prior_mean, prior_sd, values, sd):
        self.prior = (prior_mean, prior_sd)
        self.values, self.sd = np.asarray(values, float), sd

    def posterior(self, prior_power=1.0, likelihood_power=1.0):
        """Exact posterior with prior and likelihood raised to powers."""
        mean, sd = self.prior
        of_prior = prior_power / sd**2
        of_data = likelihood_power * len(self.values) / self.sd**2
        precision = of_prior + of_data
        centre = (of_prior * mean + of_data * self.values.mean()) / precision
        return stats.norm(centre, precision**-0.5)

    def fit(self, seed):
        """A fit with independent draws of the posterior."""
        rng = np.random.default_rng(seed)
        theta = self.posterior().rvs((CHAINS, DRAWS), random_state=rng)
        pointwise = stats.norm.logpdf(self.values, theta[..., None], self.sd)
        prior = parameter("theta", f"Normal{self.prior}", "real", "")
        return tree({"theta": theta}, {"theta": prior}, pointwise)


def tree(posterior, priors, pointwise):
    coords = {"chain": np.arange(CHAINS), "draw": np.arange(DRAWS)}
    found = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(
                {name: (("chain", "draw"), v) for name, v in posterior.items()}, coords
            ),
            "log_likelihood": xr.Dataset({"y": (("chain", "draw", "value"), pointwise)}, coords),
        }
    )
    found["log_prior"] = xr.DataTree(fitting.log_prior(found["posterior"].to_dataset(), priors))
    return found


def distance(p, q, width):
    """Cumulative Jensen-Shannon distance of two functions given on a grid, normalized."""

    def divergence(a, b):
        kept = a > 0
        ratio = np.zeros_like(a)
        ratio[kept] = np.log2(a[kept] / (0.5 * (a + b)[kept]))
        return np.sum(a * ratio) * width + np.sum(b - a) * width / (2 * np.log(2))

    return np.sqrt((divergence(p, q) + divergence(q, p)) / (np.sum(p + q) * width))


def exact(model, draws, which, transform=lambda x: x, back=lambda x: x):
    """The sensitivity by quadrature, over the range of the draws as the estimator takes it."""
    grid, width = np.linspace(transform(draws.min()), transform(draws.max()), 20001, retstep=True)
    middle = back((grid[1:] + grid[:-1]) / 2)
    base = model.posterior()
    slopes = []
    for alpha in ALPHAS:
        other = model.posterior(**{f"{which}_power": alpha})
        largest = max(
            distance(base.cdf(middle), other.cdf(middle), width),
            distance(base.sf(middle), other.sf(middle), width),
        )
        slopes.append(largest / abs(np.log2(alpha)))
    return np.mean(slopes)


@pytest.mark.parametrize(
    "model",
    [
        Conjugate(0, 1, [2.0, 3.5, 2.8], 1.5),
        Conjugate(1, 0.5, [-1.0, 0.2, 0.7, 0.4, 1.1, -0.3], 2.0),
    ],
)
@pytest.mark.parametrize("which", ["prior", "likelihood"])
def test_a_conjugate_posterior_moves_as_far_as_in_theory(model, which):
    ratios = []
    for seed in range(40):
        fit = model.fit(seed)
        theta = fit["posterior"]["theta"].to_numpy()
        scaled, _ = power_scaling(fit, {"theta": theta, "exp": np.exp(theta)})
        ratios.append(
            [
                getattr(scaled[0], which) / exact(model, theta, which),
                getattr(scaled[1], which) / exact(model, theta, which, np.exp, np.log),
            ]
        )
    ratios = np.array(ratios)
    error = ratios.std(axis=0, ddof=1) / np.sqrt(len(ratios))
    # The noise of a distance is never negative: half a percent remains at this many draws.
    assert (np.abs(ratios.mean(axis=0) - 1) < 4 * error + 0.005).all()
    assert (error < 0.02).all()


def only(model, seed=1):
    fit = model.fit(seed)
    scaled, k = power_scaling(fit, {"theta": fit["posterior"]["theta"].to_numpy()})
    assert k < 0.5
    return scaled[0]


def test_a_prior_far_from_the_data_and_the_data_both_matter():
    found = only(Conjugate(0, 1, [6.0, 6.5, 5.5], 1.0))
    assert found.prior > 4 * SENSITIVE
    assert found.likelihood > 4 * SENSITIVE


def test_data_that_say_nothing_leave_it_to_the_prior():
    found = only(Conjugate(0, 1, [1.0, -1.0], 100.0))
    assert found.prior > 1.5 * SENSITIVE
    assert found.likelihood < SENSITIVE / 50


def test_a_prior_that_says_nothing_leaves_it_to_the_data():
    found = only(Conjugate(0, 100, np.linspace(-1, 3, 30), 1.0))
    assert found.prior < SENSITIVE / 50
    assert found.likelihood > 1.5 * SENSITIVE


def test_it_is_what_arviz_finds():
    from arviz_stats import psense

    fit = mock_fit(load_study("rochester"))
    names = list(json.loads(fit.attrs["priors"]))
    quantities = {name: fit["posterior"][name].to_numpy() for name in names}
    converted = xr.DataTree.from_dict(
        {
            "posterior": fit["posterior"].to_dataset()[names],
            "log_likelihood": fit["log_likelihood"].to_dataset(),
            "log_prior": fit["log_prior"].to_dataset(),
        }
    )
    scaled, k = power_scaling(fit, quantities)
    assert [one.name for one in scaled] == names
    assert k < 0.7
    for group in ("prior", "likelihood"):
        theirs = psense(converted, group=group, alphas=ALPHAS)
        for one in scaled:
            assert getattr(one, group) == pytest.approx(float(theirs[one.name]), rel=1e-12)


def test_the_pareto_k_is_that_of_a_heavy_tail():
    """Weights w have Pr(w > t) = t ** -(1 / k) if the log likelihood is Exponential(0.01 / k)."""
    rng = np.random.default_rng(4)
    expected = 0.6
    pointwise = rng.exponential(expected / 0.01, (CHAINS, DRAWS, 1))
    theta = rng.normal(size=(CHAINS, DRAWS))
    fit = tree(
        {"theta": theta}, {"theta": parameter("theta", "Normal(0, 1)", "real", "")}, pointwise
    )
    _, k = power_scaling(fit, {"theta": theta})
    assert k == pytest.approx(expected, abs=0.15)


def test_the_log_prior_is_of_the_parameters_with_a_prior_of_their_own():
    study = load_study("rochester")
    fit = mock_fit(study)
    found = fit["log_prior"].to_dataset()
    assert list(found.data_vars) == list(priors_of(study))
    assert set(found.sizes.items()) == {("chain", 4), ("draw", 500)}
    phi = fit["posterior"]["phi"].to_numpy()
    np.testing.assert_allclose(found["phi"], stats.lognorm(0.8, scale=10).logpdf(phi))
    sigma = fit["posterior"]["sigma_product"].to_numpy()
    np.testing.assert_allclose(found["sigma_product"], stats.halfnorm(scale=0.5).logpdf(sigma))


@pytest.mark.parametrize("variant", ["default", "hurdle"])
def test_psense_summary_takes_a_fit_as_it_is(monkeypatch, variant):
    import arviz as az

    study = load_study("rochester")
    monkeypatch.setattr(pymc, "sample", without_sampling)
    tree = fitting.fit(study, variant, settings=fitting.Settings(draws=250, chains=4))
    table = az.psense_summary(tree, var_names=["intercept", "phi"])
    assert np.isfinite(table[["prior", "likelihood"]].to_numpy(dtype=float)).all()
    assert az.psense_summary(tree).shape[0] > len(table)
    assert az.loo(tree).n_data_points == len(study.firms)
    for group in ("posterior", "prior", "posterior_predictive", "log_likelihood", "log_prior"):
        assert len(az.summary(tree, group=group))


# -- where weights cannot be smoothed, or nothing can be said ----------------------------


def of_counts(log_likelihood):
    """A fit whose likelihood takes few values, as that of a table of counts."""
    rng = np.random.default_rng(2)
    theta = rng.normal(size=(CHAINS, DRAWS))
    prior = parameter("theta", "Normal(0, 1)", "real", "")
    return theta, tree({"theta": theta}, {"theta": prior}, log_likelihood(theta)[..., None])


def test_a_likelihood_with_few_values_is_weighted_as_it_is():
    # Half of the draws have the largest value: the tail of the weights is one number.
    step = 40.0
    theta, fit = of_counts(lambda theta: np.where(theta > 0, 0.0, -step))
    (found,), k = power_scaling(fit, {"theta": theta})
    edges, width = np.linspace(theta.min(), theta.max(), 20001, retstep=True)
    middle = (edges[1:] + edges[:-1]) / 2
    base = stats.norm.cdf(middle)
    slopes = []
    for alpha in ALPHAS:
        # Draws above zero weigh 1, those below weigh ``low``.
        low = np.exp((1 - alpha) * step)
        weighed = np.where(middle < 0, low * base, low / 2 + base - 0.5) / (0.5 + low / 2)
        largest = max(distance(base, weighed, width), distance(1 - base, 1 - weighed, width))
        slopes.append(largest / abs(np.log2(alpha)))
    assert found.likelihood == pytest.approx(np.mean(slopes), rel=0.05)
    assert np.isfinite(found.prior)
    assert np.isfinite(k)


def test_of_a_likelihood_that_never_varies_nothing_can_be_said():
    theta, fit = of_counts(np.zeros_like)
    (found,), k = power_scaling(fit, {"theta": theta})
    assert np.isnan(found.likelihood)
    assert found.prior > SENSITIVE
    assert np.isfinite(k)


def test_few_values_have_no_tail_to_fit():
    u = np.random.default_rng(3).uniform(size=(CHAINS, DRAWS))
    prior = parameter("u", "Beta(1, 1)", "unit", "")
    off = np.floor(-6 * np.log(u))  # how far counts are off: 0, 1, 2, ...
    fit = tree({"u": u}, {"u": prior}, np.log(0.05) * off[..., None])
    (found,), k = power_scaling(fit, {"u": u})
    assert found.likelihood > SENSITIVE
    assert np.isnan(k)


def test_of_a_flat_prior_and_a_constant_likelihood_there_is_no_pareto_k():
    u = np.random.default_rng(3).uniform(size=(CHAINS, DRAWS))
    prior = parameter("u", "Beta(1, 1)", "unit", "")
    fit = tree({"u": u}, {"u": prior}, np.zeros((CHAINS, DRAWS, 2)))
    (found,), k = power_scaling(fit, {"u": u})
    assert np.isnan([found.prior, found.likelihood, k]).all()


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_quantity_that_never_varies_or_is_not_finite_has_no_sensitivity(value):
    theta, fit = of_counts(lambda theta: -0.5 * theta**2)
    other = np.full_like(theta, 1.0) if np.isfinite(value) else np.where(theta > 3, value, theta)
    found, _ = power_scaling(fit, {"theta": theta, "other": other})
    assert np.isfinite([found[0].prior, found[0].likelihood]).all()
    assert np.isnan([found[1].prior, found[1].likelihood]).all()


def test_a_chain_that_stands_still_makes_it_unreliable():
    theta, _ = of_counts(np.zeros_like)
    theta[0, :900] = 0.0  # where the prior is largest: the tail of the weights is one number
    prior = parameter("theta", "Normal(0, 1)", "real", "")
    fit = tree({"theta": theta}, {"theta": prior}, -0.5 * (theta - 1)[..., None] ** 2)
    (found,), k = power_scaling(fit, {"theta": theta})
    assert np.isfinite([found.prior, found.likelihood]).all()
    assert np.isposinf(k)


def test_draws_of_another_fit_are_refused():
    theta, fit = of_counts(np.zeros_like)
    with pytest.raises(ValueError, match=r"theta has draws of shape \(1000, 4\)"):
        power_scaling(fit, {"theta": theta.T})
