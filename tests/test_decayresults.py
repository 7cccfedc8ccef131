"""Tables of the decay model, from draws of which the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

from decaytrees import decay_tree
from intlmodels.models.decay import estimands
from intlmodels.results import decay as results

SIZES = np.array(["large", "other"], dtype=object)


def tree(decay, intercept=0.0, large=0.0, family="linear", table=None, **counts):
    """A fit with given draws: (chain, draw, size) decays, and constants for the rest."""
    decay = np.asarray(decay, float)
    shape = decay.shape[:2]
    posterior = {
        "intercept": (("chain", "draw"), np.full(shape, intercept)),
        "large": (("chain", "draw"), np.full(shape, large)),
        "decay": (("chain", "draw", "size"), decay),
    }
    constant = xr.Dataset(coords={"size": SIZES})
    if table is not None:
        dims = ("chain", "draw", "firm_level", "period_level", "flag")
        posterior["table"] = (dims, np.asarray(table))
        constant = counted(**counts)
    found = xr.DataTree.from_dict(
        {"posterior": xr.Dataset(posterior, {"size": SIZES}), "constant_data": constant}
    )
    found.attrs = {"family": family, "gate": "[]"}
    found["estimands"] = xr.DataTree(estimands.estimate(found))
    return found


def counted(member, printed, relation, hard=None, repairs="[]"):
    names = np.array([f"C{i}" for i in range(len(printed))], dtype=object)
    words = np.array(["equal", "at least", "at most"], dtype=object)[relation]
    dims = ("count", "firm_level", "period_level", "flag")
    return xr.Dataset(
        {
            "size_of_firm": ("firm_level", np.array([0, 1])),
            "member": (dims, np.asarray(member)),
            "printed": ("count", np.asarray(printed)),
            "relation": ("count", np.asarray(relation)),
            "hard": ("count", np.zeros(len(printed), int) if hard is None else np.asarray(hard)),
        },
        coords={
            "size": SIZES,
            "count": names,
            "count_id": ("count", names),
            "count_relation": ("count", words),
            "period_level": np.array(["early"], dtype=object),
            "flag": np.array(["no", "yes"], dtype=object),
        },
        attrs={"repairs": repairs},
    )


def test_curves_are_the_formula():
    fit = tree(np.full((2, 5, 2), [0.5, -0.2]), intercept=0.3, large=1.0)
    table = results.curves(fit)
    for size, start, decay in (("large", 1.3, 0.5), ("other", 0.3, -0.2)):
        own = table[table["size"] == size]
        expected = 100 / (1 + np.exp(-(start - decay * np.arange(16))))
        assert own["median"].to_numpy() == pytest.approx(expected)
        assert own["entries"].tolist() == list(range(16))


@pytest.mark.parametrize("family", ["linear", "power", "step"])
def test_entries_until_half_are_where_the_odds_have_halved(family):
    for decay in (0.05, 0.3, 0.6931472, 0.9, 2.0):
        found = results.entries_until_half(np.array([decay / math.log(2)]), family)[0]
        step = {"linear": lambda k: k, "power": np.log1p, "step": lambda k: float(k > 0)}[family]
        if math.isfinite(found):
            reached = math.exp(-decay * step(found))
            assert reached == pytest.approx(0.5) or (family == "step" and reached <= 0.5)
        else:
            assert family == "step"
            assert math.exp(-decay) > 0.5
    never = results.entries_until_half(np.array([0.0, -0.4]), family)
    assert np.isinf(never).all()


def test_halving_reads_quantiles_although_some_draws_never_halve():
    draws = np.full((1, 100, 2), 0.1)
    draws[0, :30] = -0.2  # 30 of 100 never halve
    row = results.halving(tree(draws)).iloc[0]
    assert row["p_never"] == pytest.approx(0.3)
    assert row["median"] == pytest.approx(math.log(2) / 0.1)
    assert np.isinf(row["ci_high"])
    assert row["ci_low"] == pytest.approx(math.log(2) / 0.1)


def test_slopes_count_directions_and_their_error():
    rng = np.random.default_rng(1)
    draws = rng.normal([0.5, -0.1], 0.5, size=(4, 500, 2))
    table = results.slopes(tree(draws)).set_index(["quantity", "size"])
    flat = draws.reshape(-1, 2)
    for i, size in enumerate(SIZES):
        share = (flat[:, i] > 0).mean()
        for quantity in ("fall", "decay"):
            row = table.loc[(quantity, size)]
            assert row["p_positive"] == pytest.approx(share)
            assert row["p_direction"] == pytest.approx(max(share, 1 - share))
            # independent draws: the error of a share
            assert row["p_error"] == pytest.approx(math.sqrt(share * (1 - share) / 2000), rel=0.2)
    difference = table.loc[("decay", "large - other")]
    assert difference["mean"] == pytest.approx((flat[:, 0] - flat[:, 1]).mean())


MEMBER = np.array(
    [
        [[[1, 1]], [[1, 1]]],  # C0: all
        [[[0, 1]], [[0, 1]]],  # C1: flagged
        [[[1, 0]], [[0, 0]]],  # C2: large, not flagged
    ]
)


def tables_of(*pairs):
    """One chain of tables: (large no, large yes, other no, other yes) each."""
    return np.array(pairs).reshape(1, len(pairs), 2, 1, 2)


def counts_tree(relation=(0, 0, 0), printed=(4, 2, 1), **more):
    table = tables_of((1, 1, 1, 1), (1, 1, 1, 1), (2, 0, 1, 1), (0, 1, 1, 2))
    return tree(
        np.zeros((1, 4, 2)),
        table=table,
        member=MEMBER,
        printed=printed,
        relation=list(relation),
        **more,
    )


def test_true_counts_hold_by_their_relation():
    equal = results.true_counts(counts_tree())
    assert equal["p_held"].tolist() == [1.0, 0.5, 0.5]
    assert equal["likeliest"].tolist() == [4, 2, 1]
    at_least = results.true_counts(counts_tree((1, 1, 1)))
    assert at_least["p_held"].tolist() == [1.0, 0.75, 0.75]
    at_most = results.true_counts(counts_tree((2, 2, 2)))
    assert at_most["p_held"].tolist() == [1.0, 0.75, 0.75]


def test_readings_say_what_differs_from_what_was_printed():
    table = results.readings(counts_tree())
    assert table["differs"].tolist()[0] == "nothing"
    assert table["probability"].tolist() == [0.5, 0.25, 0.25]
    assert set(table["differs"]) == {"nothing", "C1 2 -> 1, C2 1 -> 2", "C1 2 -> 3, C2 1 -> 0"}
    at_least = results.readings(counts_tree((1, 1, 1)))
    assert at_least["differs"].tolist()[0] == "nothing"  # more than "at least" asks is no error
    assert set(at_least["differs"]) == {"nothing", "C1 2 -> 1", "C2 1 -> 0"}


def test_repairs_hold_where_every_count_is_as_they_say():
    fit = counts_tree(repairs='[{"C1": 1, "C2": 2}, {"C1": 5}]')
    assert results.repairs(fit)["probability"].tolist() == [0.25, 0.0]
    assert results.repairs(fit)["repair"].tolist() == ["C1 = 1, C2 = 2", "C1 = 5"]
    assert results.repairs(counts_tree()).empty


def test_cells_count_decisions_by_size():
    table = results.cells(counts_tree()).set_index(["size", "period", "flag"])
    assert table.loc[("large", "early", "no"), "mean"] == pytest.approx(1.0)
    assert table.loc[("other", "early", "yes"), "mean"] == pytest.approx(1.25)


# -- what was reported -------------------------------------------------------------------


def test_reported_counts_are_added_and_subtracted_as_printed():
    large = [[[1, 1]], [[0, 0]]]
    more = np.concatenate([MEMBER, [large]])
    table = tables_of((1, 1, 1, 1), (1, 1, 1, 1), (2, 0, 1, 1), (0, 1, 1, 2))
    for flagged, rest in ((2, (1, 2)), (4, (3, 2))):  # of others, 3 of 2 contradicts itself
        fit = tree(
            np.zeros((1, 4, 2)),
            table=table,
            member=more,
            printed=(4, flagged, 1, 2),
            relation=[0, 0, 0, 0],
        )
        found = results.reported(fit).set_index("size")
        assert tuple(found.loc["large", ["flagged", "decisions"]]) == (1, 2)
        assert tuple(found.loc["other", ["flagged", "decisions"]]) == rest
        # Large firms made 2, 2, 2 and 1 decisions in the four tables.
        assert found.loc["large", "entries"] == pytest.approx(3 / 7)
        assert (found.loc["large", "low"], found.loc["large", "high"]) == (0, 1)
    assert results.reported(counts_tree()).empty  # nothing is counted of large firms alone


def test_the_prior_of_falls_and_decays_stands_beside_them_in_every_variant():
    fit = decay_tree()
    table = results.compare_variants({"default": fit})
    prior = results.estimands(fit, "prior")
    falls = table[table["quantity"] == "fall"].set_index("size")
    for size in ("large", "other"):
        ends = np.quantile(prior["fall"].sel(size=size), [0.5, 0.025, 0.975])
        np.testing.assert_allclose(
            falls.loc[size, ["prior_median", "prior_low", "prior_high"]].astype(float), ends
        )
    curves = results.curves(results.before(fit))
    np.testing.assert_allclose(curves["median"], results.curves(fit, group="prior")["median"])
