"""Levels that share their firms, few levels, and the other prior of their spread."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from intlmodels import load_study
from intlmodels.checks.tables import elpds
from intlmodels.models import catalogue, combinations, find_variant, priors_of
from intlmodels.models.share.design import PENALIZED
from intlmodels.report import share as pages
from intlmodels.report.data import ShareReportData
from intlmodels.results import share
from madetrust import comparison
from studies import LEAST, edited, write_study
from trees import made_up

ROCHESTER = load_study("rochester")


def test_the_makers_of_precision_optics_are_the_manufacturing_firms():
    table = share.confounded(made_up(ROCHESTER))
    (row,) = table.itertuples(index=False)
    assert (row.level_a, row.level_b) == ("Precision Optics", "Manufacturing")
    assert (row.of_a, row.of_b, row.both) == (6, 6, 6)
    fit = made_up(ROCHESTER)
    (pair,) = pages.confounded(ShareReportData(ROCHESTER, fit, {"default": fit}))
    assert (pair["both"], pair["same"]) == ("6", True)


EASE = """
[predictors.ease]
kind = "contrast"
column = "ease"
label = "Ease"
low = "Hard"
high = "Easy"
"""
PLAIN = "firm,share,ease\nA,5,Hard\nB,10,Easy\nC,0,Hard\nD,20,Easy\n"
#: Firms by branch; ease is hard for the makers of boats, and for one firm more.
BRANCHES = ["Tools", "Boats", "Boats", "Boats", "Boats", "Toys", "Toys", "Tools", "Toys", "Tools"]


@pytest.mark.parametrize(
    ("hard", "found"),
    [
        ([1, 2, 3, 4], [4, 4, 4]),
        ([1, 2, 3, 4, 5], [4, 5, 4]),
        ([1, 2, 3, 5], None),
        ([0, 5, 6, 7, 8, 9], [4, 4, 4]),
    ],
)
def test_levels_are_confounded_from_four_fifths_in_common(tmp_path, hard, found):
    rows = [
        f"F{i},{5 * i},{branch},{'Hard' if i in hard else 'Easy'}"
        for i, branch in enumerate(BRANCHES)
    ]
    table = "\n".join(["firm,share,branch,ease", *rows, ""])
    folder = write_study(tmp_path, toml=LEAST + EASE, tables={"firms.csv": table})
    fit = made_up(load_study(folder))
    table = share.confounded(fit)
    table = table[(table["label_a"] == "Ease") | (table["label_b"] == "Ease")]
    numbers = table[["of_a", "of_b", "both"]].to_numpy()
    if found is None:
        assert not len(numbers)
    else:
        assert sorted(numbers[0][:2]) == sorted(found[:2])
        assert numbers[0][2] == found[2]


# -- the other prior of the spread -------------------------------------------------------


def test_the_penalized_spread_has_the_tail_of_the_half_normal():
    priors, other = priors_of(ROCHESTER), priors_of(ROCHESTER, PENALIZED)
    changed = {name for name in priors if priors[name] != other[name]}
    assert changed == {"sigma_product", "sigma_expertise"}
    scale, (rate,) = priors["sigma_product"].args[0], other["sigma_product"].args
    tails = stats.halfnorm(scale=scale).sf(2 * scale), stats.expon(scale=1 / rate).sf(2 * scale)
    assert tails[1] == pytest.approx(0.05, abs=5e-4)
    assert tails[0] == pytest.approx(tails[1], abs=0.005)
    change = find_variant(ROCHESTER, PENALIZED).change
    medians = stats.expon(scale=1 / rate).median(), stats.halfnorm(scale=scale).median()
    assert "median of {:.2f} instead of {:.2f}".format(*medians) in change


def test_it_may_be_combined_with_readings_and_families():
    assert combinations(ROCHESTER)["spread"] == ("default", PENALIZED)
    own = priors_of(ROCHESTER, f"logit-normal+{PENALIZED}+nested-expertise")
    assert own["sigma_expertise_label"].text == "Exponential(3)"
    assert "sigma" in own


def test_without_spreads_there_is_no_such_variant(tmp_path):
    toml = edited(LEAST, [(LEAST[LEAST.index("[predictors") :], EASE)])
    study = load_study(write_study(tmp_path, toml=toml, tables={"firms.csv": PLAIN}))
    assert PENALIZED not in catalogue(study)


# -- prior beside posterior --------------------------------------------------------------


def test_variants_say_what_predictors_explain_before_and_after():
    fit = made_up(ROCHESTER)
    table = share.compare_variants({"default": fit})
    rows = table[table["quantity"] == "explained"]
    rest = share.variation(fit).set_index("source").loc[share.NOT_EXPLAINED]
    assert rows["median"].item() == pytest.approx(100 - rest["median"])
    before = share.estimands(fit, "prior")["variation"].sel(source=share.NOT_EXPLAINED)
    assert rows["prior_median"].item() == pytest.approx(100 - float(np.median(before)))


def test_the_prior_of_every_level_and_difference_stands_beside_it():
    fit = made_up(ROCHESTER)
    table = share.compare_variants({"default": fit})
    prior = share.estimands(fit, "prior")
    for quantity, name in (("level", "expected_share"), ("difference", "difference")):
        own = table[table["quantity"] == quantity]
        draws = prior[name].to_numpy().reshape(-1, len(own))
        ends = np.quantile(draws, [0.5, 0.025, 0.975], axis=0)
        columns = own[["prior_median", "prior_low", "prior_high"]].to_numpy().T
        np.testing.assert_allclose(columns, ends)


def test_few_levels_say_little_about_their_spread():
    names = ["sigma_product", "sigma_expertise", "sigma_town", "relocatability"]
    table = pd.DataFrame({"name": names, "spread_ratio": [0.97, 0.3, 0.99, 0.9]})
    levels = {"product": ("Product", 3), "expertise": ("Expertise", 4), "town": ("Town", 20)}
    assert pages.spreads(table, levels) == [{"label": "Product", "levels": 3, "ratio": "0.97"}]
    assert pages.spreads(table.assign(spread_ratio=math.nan), levels) == []


# -- heaping -----------------------------------------------------------------------------


def checks(**p_larger):
    names = {"tens": "firms at a multiple of 10%", "zeros": "firms at 0%"}
    ends = {"observed": 9.0, "ci_low": 1.0, "converged": True}
    return pd.DataFrame(
        [
            # Outside of the interval where the probability is far out.
            {
                "feature": names[name],
                "p_larger": p,
                **ends,
                "ci_high": 12.0 if 0.1 < p < 0.9 else 8.0,
            }
            for name, p in p_larger.items()
        ]
    )


def directions(**p_direction):
    """Of one comparison by variant, and a second one that never changes."""
    return pd.DataFrame(
        [
            {"variant": name.replace("_", "-"), "predictor": "ease", "level": "Easy"}
            | {"against": against, "p_direction": p}
            for name, own in p_direction.items()
            for against, p in (("Hard", own), ("None", 0.6))
        ]
    )


def test_heaping_is_set_beside_the_default_in_checks_elpd_and_evidence():
    found = comparison(evidence={"default": (-55.8, 0.1), "heaped": (-54.1, 0.1)})
    values = pages.heaping(
        checks(tens=0.01, zeros=0.5),
        checks(tens=0.3, zeros=0.99),
        elpds(found),
        directions(default=0.99, heaped=0.92, two_axes=0.5),
    )
    assert values["feature"] == "firms at a multiple of 10%"
    assert (values["default"], values["heaped"]) == ("0.01", "0.30")
    assert values["mended"] == "firms at a multiple of 10%"
    assert values["broken"] == "firms at 0%"
    gap = elpds(found).set_index("variant").loc["heaped", "difference"]
    assert values["elpd"]["better"] == (gap > 0)
    assert values["elpd"]["size"] == f"{abs(gap):.1f}"
    assert (values["elpd"]["evidence"], values["elpd"]["of_default"]) == ("−54.1", "−55.8")
    assert (values["changed"], values["compared"]) == (1, 2)


def test_without_a_comparison_only_the_checks_speak():
    same = checks(tens=0.4, zeros=0.5)
    values = pages.heaping(same, same, None, directions(default=0.7, heaped=0.8))
    assert not values["mended"] + values["broken"]
    assert values["elpd"] == {}
    assert (values["changed"], values["compared"]) == (0, 2)
