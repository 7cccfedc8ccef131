"""Tables from elsewhere: published margins of which every cell is known, and a published posterior.

Where every table and number was published: ``outside/SOURCE.md``.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats
from scipy import special, stats

import intlmodels as im
from decaystudies import write_counts_study, write_decisions_study
from intlmodels import audit
from intlmodels.core.settings import Settings
from intlmodels.models import design_of, priors_of
from intlmodels.models.decay import sampler
from intlmodels.studies.counts import rows

OUTSIDE = Path(__file__).parent / "outside"

CELL = ["firm", "period", "flag"]
#: The margins of a table of three ways: each leaves one of them out.
BOTH_FLAGS, BOTH_PERIODS, ALL_FIRMS = (["firm", "period"], ["firm", "flag"], ["period", "flag"])

#: No experience, and no differences between firms: every decision has the same chance.
ALIKE = """\
[priors]
intercept = "Normal(0, 0.1)"
sigma_firm = "HalfNormal(1e-4)"
decay_mean = "Normal(0, 1e-5)"
"""


def known_table(file):
    """Cells of a published table: firm, period, flag, number."""
    table = pd.read_csv(OUTSIDE / file)
    table.columns = [*CELL, "number"]
    return table


def margin(table, ways, status="noisy"):
    """A margin of a table as rows of counts.csv."""
    columns = {"firm": "firms", "period": "periods", "flag": "flag"}
    sums = table.groupby(ways, sort=False)["number"].sum()
    return [
        {"id": "-".join(labels), "value": int(value), "status": status}
        | {columns[way]: label for way, label in zip(ways, labels, strict=True)}
        for labels, value in sums.items()
    ]


def published(table, *margins, status="noisy"):
    """Their total, and margins of them: all that a reader is told."""
    total = {"id": "all", "value": int(table["number"].sum()), "status": "hard"}
    return [total, *(row for ways in margins for row in margin(table, ways, status))]


def study_of(folder, table, counts, **more):
    """A study of counts of a table."""
    firms, periods = (list(dict.fromkeys(table[way])) for way in ("firm", "period"))
    more = {"sizes": None, "name": folder.name, **more}
    return im.load_study(
        write_counts_study(folder, firms=firms, periods=periods, counts=counts, **more)
    )


def cell_bounds(study):
    """Bounds of every cell as the counts are printed, (firm, period, flag) -> low and high."""
    found = im.audit_tables(study)
    assert found["audit_conflicts.csv"].empty
    bounds = found["audit_bounds.csv"]
    bounds = bounds[(bounds["basis"] == "counts as printed") & (bounds["kind"] == "firm")]
    return bounds.set_index(["name", "period", "flag"])[["low", "high"]]


# -- margins of the Titanic's children: what they imply ----------------------------------


@pytest.mark.parametrize("layer", [ALL_FIRMS, BOTH_PERIODS], ids=["by-sex", "by-class"])
def test_bounds_from_two_margins_are_those_of_frechet(tmp_path, layer):
    """Within a sex (or a class) two margins of a table of two ways are known.

    Its cells then lie between max(0, row + column - total) and min(row, column) (Frechet 1940).
    """
    table = known_table("titanic_children.csv")
    bounds = cell_bounds(study_of(tmp_path / "t", table, published(table, BOTH_FLAGS, layer)))
    row, column, total = (
        table.groupby(ways)["number"].transform("sum") for ways in (BOTH_FLAGS, layer, layer[:1])
    )
    low, high = np.maximum(0, row + column - total), np.minimum(row, column)
    assert ((low <= table["number"]) & (table["number"] <= high)).all()
    found = bounds.loc[list(table[CELL].itertuples(index=False, name=None))]
    assert (found["low"].to_numpy() == low).all()
    assert (found["high"].to_numpy() == high).all()
    forced = table[low == high]
    if layer is BOTH_PERIODS:  # every child in first and second class survived
        assert set(forced["firm"]) == {"1st", "2nd"}
        assert len(forced) == 8


def test_all_three_margins_of_the_children_leave_no_cell_open(tmp_path):
    table = known_table("titanic_children.csv")
    counts = published(table, BOTH_FLAGS, BOTH_PERIODS, ALL_FIRMS)
    bounds = cell_bounds(study_of(tmp_path / "t", table, counts))
    found = bounds.loc[list(table[CELL].itertuples(index=False, name=None))]
    assert (found["low"].to_numpy() == table["number"]).all()
    assert (found["high"].to_numpy() == table["number"]).all()


def test_a_wrong_count_is_the_one_that_the_cheapest_repair_mends(tmp_path):
    """Each of the 16 counts in turn is printed 3 too high, and 2 too low where it can be."""
    table = known_table("titanic_children.csv")
    right = published(table, BOTH_FLAGS, BOTH_PERIODS, ALL_FIRMS)
    tried = 0
    for place, count in enumerate(right[1:], start=1):
        for error in (3, -2):
            if count["value"] + error < 0:
                continue
            wrong = [*right]
            wrong[place] = count | {"value": count["value"] + error}
            study = study_of(tmp_path / f"t{place}{error}", table, wrong)
            ((only,), _) = audit.cheapest(rows(study.counts, study.firms, study.periods))
            assert only.changes == {count["id"]: count["value"]}
            assert only.cost == abs(error)
            tried += 1
    assert tried == 29


def test_the_audit_names_the_sums_that_a_wrong_count_breaks(tmp_path):
    """31 girls saved in place of 28: the sexes no longer add up, and neither do the classes."""
    table = known_table("titanic_children.csv")
    counts = published(table, BOTH_FLAGS, BOTH_PERIODS, ALL_FIRMS)
    (count,) = (count for count in counts if count["id"] == "girls-yes")
    count["value"] += 3
    found = im.audit_tables(study_of(tmp_path / "t", table, counts))
    listed = found["audit_conflicts.csv"]["counts"]
    conflicts = [set(ids.split("; ")) for ids in listed]
    girls = {"girls-yes", "girls-no", "1st-girls", "2nd-girls", "3rd-girls"}
    assert girls in conflicts
    assert all("girls-yes" in ids for ids in conflicts)
    assert list(found["audit_repairs.csv"]["changes"]) == ["girls-yes = 28"]


# -- what is left open: exact laws -------------------------------------------------------


def flagged(tree, firm, period):
    """Flagged decisions of a firm in a period, (chain, draw)."""
    cell = tree["posterior"]["table"].sel(firm_level=firm, period_level=period, flag="yes")
    return cell.transpose("chain", "draw").to_numpy().astype(np.int64)


def effective(draws):
    """Effective number of draws of a count, at most the number of draws."""
    ess = array_stats.ess(draws.astype(float), method="mean", chain_axis=0, draw_axis=1)
    return min(float(ess), draws.size)


def assert_law(drawn, probability, ess):
    """Chi-square of draws against a law; values expected fewer than five times are taken together.

    Parameters
    ----------
    drawn : array of int
        Values, as places in ``probability``.
    probability : array
    ess : float
        Independent draws that these are worth.
    """
    assert probability.sum() == pytest.approx(1)
    share = np.bincount(drawn.ravel(), minlength=len(probability)) / drawn.size
    assert len(share) == len(probability)
    assert (share[probability == 0] == 0).all()
    order = np.argsort(-probability, kind="stable")
    kept = order[probability[order] * ess >= 5]
    first, last = kept[:-1], np.setdiff1d(order, kept[:-1])
    parts = np.array([[x[i].sum() for i in (*first[:, None], last)] for x in (share, probability)])
    value = ess * ((parts[0] - parts[1]) ** 2 / parts[1]).sum()
    assert stats.chi2.sf(value, len(first)) > 1e-4


@pytest.mark.slow
def test_children_of_one_class_are_drawn_from_the_hypergeometric_law(tmp_path):
    """Who was saved in third class is known, but not whether boys or girls: 27 of 48 + 31.

    That classes differ changes nothing, so that their effects keep their default prior.
    """
    table = known_table("titanic_children.csv")
    counts = published(table, BOTH_FLAGS, BOTH_PERIODS, status="hard")
    priors = '[priors]\ndecay_mean = "Normal(0, 1e-5)"\n'
    tree = im.fit_study(study_of(tmp_path / "t", table, counts, toml=priors))
    boys = flagged(tree, "3rd", "boys")
    law = stats.hypergeom(79, 48, 27)
    assert_law(boys, law.pmf(np.arange(28)), effective(boys))
    drawn = im.reconstruct(tree, draws=400)
    assert set(drawn["status"]) == {"reconstructed"}
    for ways in (BOTH_FLAGS, BOTH_PERIODS):
        true = table.groupby(ways)["number"].sum()
        made = drawn.groupby(["draw", *ways]).size()
        for number in range(1, 401):  # groups without decisions are not among those of a draw
            assert made[number].reindex(true.index, fill_value=0).equals(true)
    for cell in table.itertuples():
        mine = drawn[(drawn[CELL] == [cell.firm, cell.period, cell.flag]).all(axis=1)]
        sizes = mine.groupby("draw").size().reindex(np.arange(1, 401), fill_value=0)
        low, high = sizes.quantile([0.025, 0.975])
        assert low <= cell.number <= high


@pytest.mark.slow
def test_children_of_one_sex_are_drawn_from_the_multivariate_hypergeometric_law(tmp_path):
    """How many boys and how many girls were saved is known, but not of which class."""
    table = known_table("titanic_children.csv")
    counts = published(table, BOTH_FLAGS, ALL_FIRMS, status="hard")
    tree = im.fit_study(study_of(tmp_path / "t", table, counts, toml=ALIKE), tune=500)
    for sex, sizes, saved in (("boys", [5, 11, 48], 29), ("girls", [1, 13, 31], 28)):
        classes = [flagged(tree, name, sex) for name in ("1st", "2nd", "3rd")]
        assert (sum(classes) == saved).all()
        first, second = (i.ravel() for i in np.indices((sizes[0] + 1, sizes[1] + 1)))
        all_three = np.column_stack([first, second, saved - first - second])
        probability = stats.multivariate_hypergeom.pmf(all_three, sizes, saved)
        ess = min(effective(draws) for draws in classes)
        assert_law(classes[0] * (sizes[1] + 1) + classes[1], probability, ess)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "yes", "ratio", "what", "expected"),
    [
        # Eight cups; the help of fisher.test in R gives p = 0.2429 for three right or more.
        (4, 4, 4, 1.0, lambda right: right >= 3, 0.2429),
        # Twins of convicts; R prints the limit of the odds ratio and its conditional estimate.
        (17, 13, 12, 0.2849601, lambda convicted: convicted <= 2, 0.05),
        (17, 13, 12, 0.04693661, lambda convicted: convicted, 2.0),
    ],
    ids=["tea", "twins-limit", "twins-estimate"],
)
def test_tables_of_fisher_follow_the_exact_conditional_law(
    tmp_path, first, second, yes, ratio, what, expected
):
    """Fisher (1935): a table of two rows, all margins known; its odds ratio is the effect of size.

    The one-sided limit of an odds ratio is where the tail has 5%; its conditional estimate is
    where the table observed, 2 convicted of 17 dizygotic twins, is the one expected.
    """
    table = pd.DataFrame([("a", "once", "yes", first), ("b", "once", "yes", second)])
    table.columns = [*CELL, "number"]
    counts = published(table, ["firm"], status="hard")
    counts.append({"id": "flagged", "flag": "yes", "value": yes, "status": "hard"})
    priors = f'{ALIKE}large = "Normal(log({ratio}), 1e-5)"\nsigma_decay = "HalfNormal(1e-5)"\n'
    study = study_of(tmp_path / "t", table, counts, toml=priors, sizes=("large", "other"))
    draws = flagged(im.fit_study(study, tune=500), "a", "once")
    support = np.arange(yes + 1)
    probability = stats.nchypergeom_fisher.pmf(support, first + second, first, yes, ratio)
    assert (probability * what(support)).sum() == pytest.approx(expected, abs=5e-5)
    assert_law(draws, probability, effective(draws))
    values = what(draws).astype(float)
    error = array_stats.mcse(values, method="mean", chain_axis=0, draw_axis=1)
    assert abs(values.mean() - expected) < 5 * error


def test_two_firms_exchange_their_decisions_by_the_odds_of_their_flags(tmp_path, monkeypatch):
    """With no other step of the table firm a, whose odds are three times higher, has m flags or n.

    The ratio of their probabilities is 3 to the power of m - n, where m + n = 4 are known.
    """
    monkeypatch.setattr(sampler, "STEPS", 0)
    table = pd.DataFrame([("a", "once", "yes", 4), ("b", "once", "yes", 4)])
    table.columns = [*CELL, "number"]
    counts = published(table, ["firm"], status="hard")
    counts.append({"id": "flagged", "flag": "yes", "value": 4, "status": "hard"})
    priors = f'{ALIKE}large = "Normal(log(3), 1e-5)"\nsigma_decay = "HalfNormal(1e-5)"\n'
    study = study_of(tmp_path / "t", table, counts, toml=priors, sizes=("large", "other"))
    settings = Settings(draws=4000, tune=500, chains=8, sweeps=1)
    drawn = sampler.sample(design_of(study), priors_of(study), settings).tables
    flags = drawn[:, :, 0, 0, 1]
    unequal = flags[(flags != 2).all(axis=1)]
    assert len(unequal) > 1
    for chain in unequal:
        m = int(chain.max())
        share, expected = (chain == m).mean(), 3.0 ** (2 * m - 4) / (1 + 3.0 ** (2 * m - 4))
        assert set(chain) == {m, 4 - m}
        assert abs(share - expected) < 5 * np.sqrt(
            expected * (1 - expected) / effective(chain[None])
        )


@pytest.mark.slow
def test_patients_with_all_three_margins_known_follow_the_exact_conditional_law(tmp_path):
    """Koch and Edwards (1988): improvement of 84 patients by treatment and sex.

    All margins of two ways leave one cell open; in the law of no three-way interaction, its
    probability is a product of four binomial coefficients.
    """
    table = known_table("arthritis.csv")
    counts = published(table, BOTH_FLAGS, BOTH_PERIODS, ALL_FIRMS, status="hard")
    tree = im.fit_study(study_of(tmp_path / "t", table, counts, toml=ALIKE), tune=500)
    draws = flagged(tree, "treated", "female")
    patients = table.groupby(BOTH_FLAGS, sort=False)["number"].sum().to_numpy()
    x = np.arange(28)  # placebo: 32 women, 11 men; treated: 27 women, 14 men
    marked = np.array([22 - x, x - 15, x, 21 - x])
    product = np.prod([special.binom(n, y) for n, y in zip(patients, marked, strict=True)], axis=0)
    product[(marked < 0).any(axis=0)] = 0
    assert_law(draws, product / product.sum(), effective(draws))


# -- a published posterior ---------------------------------------------------------------


class Pooled:
    """Exact posterior of the hierarchical model of hits, on a grid of level and spread.

    mu ~ Normal(-1, 1), sigma ~ Exponential(1), each player's log odds ~ Normal(mu, sigma).
    """

    def __init__(self, hits, at_bats):
        self.hits, self.at_bats = list(hits), at_bats
        self.mu = np.linspace(-2.2, 0.2, 97)[:, None]
        self.sigma = (np.arange(120) + 0.5)[None, :] / 80
        self.z = np.linspace(-6, 6, 121)
        self.odds = self.mu[..., None] + self.sigma[..., None] * self.z
        self.parts = {h: self.part(h) for h in set(self.hits)}

    def part(self, hits):
        """Density of a player's standardized log odds together with the hits."""
        height = hits * self.odds - self.at_bats * np.logaddexp(0, self.odds)
        return np.exp(height + 24 - self.z**2 / 2)

    @cached_property
    def weight(self):
        """Posterior weight of each pair of level and spread."""
        found = sum(np.log(self.parts[h].sum(axis=-1)) for h in self.hits)
        found = found - (self.mu + 1) ** 2 / 2 - self.sigma
        found = np.exp(found - found.max())
        return found / found.sum()

    def below(self, hits, theta):
        """Chance that theta is below a value, for each pair of level and spread."""
        step = self.z[1] - self.z[0]
        edge = (special.logit(theta) - self.mu) / self.sigma
        # The node at the edge counts by the part of its cell that lies below.
        inside = np.clip((edge[..., None] - self.z) / step + 0.5, 0, 1)
        part = self.parts[hits]
        return (part * inside).sum(axis=-1) / part.sum(axis=-1)

    def probability(self, hits, theta):
        """Posterior probability that the theta of a player with so many hits is below a value."""
        return float((self.weight * self.below(hits, theta)).sum())

    def all_below(self, theta):
        """Posterior probability that the thetas of all players are below a value."""
        below = {hits: self.below(hits, theta) for hits in set(self.hits)}
        return float((self.weight * np.prod([below[h] for h in self.hits], axis=0)).sum())


@pytest.fixture(scope="module")
def players():
    """Hits in 45 times at bat, and the published quantiles of each player's chance of one."""
    return pd.read_csv(OUTSIDE / "baseball.csv").merge(
        pd.read_csv(OUTSIDE / "baseball_posterior.csv"), on="player"
    )


@pytest.fixture(scope="module")
def pooled(players):
    return Pooled(players["hits"], 45)


QUANTILES = {"q10": 0.1, "q50": 0.5, "q90": 0.9}
#: The published quantiles are of 4,000 draws; taken to be worth half of them.
PUBLISHED_ESS = 2000


def test_the_published_posterior_of_batting_is_that_of_quadrature(players, pooled):
    """Gabry, Goodrich and Carpenter, rstanarm 2.21.3, vignette "pooling"."""
    assert len(players) == 18
    for player in players.itertuples():
        for name, probability in QUANTILES.items():
            value = getattr(player, name)
            low, high = (pooled.probability(player.hits, value + d) for d in (-5e-4, 5e-4))
            # 54 comparisons, each with the rounding of the third digit
            error = 4 * np.sqrt(probability * (1 - probability) / PUBLISHED_ESS)
            assert low - error < probability < high + error, (player.player, name)
    # "at least one theta_n >= 0.350": 0.234; Clemente above 0.400: 0.01725
    assert abs(1 - pooled.all_below(0.35) - 0.234) < 4 * np.sqrt(0.234 * 0.766 / PUBLISHED_ESS)
    assert abs(1 - pooled.probability(18, 0.4) - 0.01725) < 4 * np.sqrt(0.017 / PUBLISHED_ESS)


@pytest.mark.slow
def test_known_decisions_give_the_published_posterior_of_batting(tmp_path, players, pooled):
    """A firm is a player, a decision a time at bat, the flag a hit; without experience.

    The order of hits was not published; without decay it has no part in the likelihood.
    """
    priors = """\
[priors]
intercept = "Normal(-1, 1)"
sigma_firm = "Exponential(1)"
decay_mean = "Normal(0, 1e-6)"
"""
    decisions = [
        (player.player, "yes" if turn < player.hits else "no")
        for player in players.itertuples()
        for turn in range(player.at_bats)
    ]
    folder = write_decisions_study(
        tmp_path / "bats", decisions=decisions, columns=("firm", "flag"), toml=priors
    )
    posterior = im.fit_study(folder, draws=1500, tune=500)["posterior"].to_dataset()

    def check(values, expected, tolerance=0.0):
        error = array_stats.mcse(
            values.to_numpy().astype(float), method="mean", chain_axis=0, draw_axis=1
        )
        assert abs(values.mean() - expected) < 5 * error + tolerance

    check(posterior["intercept"], (pooled.weight * pooled.mu).sum())
    check(posterior["sigma_firm"], (pooled.weight * pooled.sigma).sum())
    theta = special.expit(posterior["intercept"] + posterior["firm"])
    for player in players.itertuples():
        mine = theta.sel(firm_level=player.player)
        for name, probability in QUANTILES.items():
            value = getattr(player, name)
            check(mine < value, pooled.probability(player.hits, value), 1e-3)
            spread = np.sqrt(probability * (1 - probability) / PUBLISHED_ESS)
            low, high = ((mine < value + d).mean() for d in (-5e-4, 5e-4))
            assert low - 5 * spread < probability < high + 5 * spread
    check(theta.max("firm_level") < 0.35, pooled.all_below(0.35), 1e-3)
