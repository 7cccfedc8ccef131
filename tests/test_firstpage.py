"""What the first page says of time, and of how much there is where a curve is read."""

from __future__ import annotations

import numpy as np
import pandas as pd

from decaytrees import decay_tree
from intlmodels.report import decaysentences as said
from intlmodels.results import decay


def slopes(**p_positive):
    return pd.DataFrame(
        [{"quantity": "decay", "size": size, "p_positive": p} for size, p in p_positive.items()]
    )


def period(falls, converged=True):
    return pd.DataFrame(
        {
            "size": ["large", "other"],
            "p_decay_positive": [0.95, 0.11],
            "p_period_falls": falls,
            "converged": converged,
        }
    )


def test_time_that_is_not_separated_from_experience_is_said_with_its_probability():
    text = said.calendar_time(period(0.6), slopes(large=0.98, other=0.12), "firm")
    assert text == (
        "Calendar time is not separated from experience: with an effect of each period as well "
        "(variant period) the probability that experience lowers the odds is 0.95 among large "
        "firms (without it 0.98) and 0.11 among other firms (without it 0.12), and that of a fall "
        "over time with experience being equal 0.60."
    )
    for falls in (0.99, 0.01):
        text = said.calendar_time(period(falls), slopes(large=0.98, other=0.12), "firm")
        assert "only in part separated" in text
    assert said.calendar_time(period(0.6, False), slopes(large=0.98, other=0.1), "firm") == ""


def decisions(large, other):
    """Decisions with 0, 1, ... earlier ones."""
    rows = [
        {"size": size, "entries": i, "decisions": number}
        for size, numbers in (("large", large), ("other", other))
        for i, number in enumerate(numbers)
    ]
    return pd.DataFrame(rows)


def test_a_curve_beyond_what_any_firm_can_have_is_an_extrapolation():
    table = decisions([3, 3, 2, 2, 1, 1.5, 0.5], [9, 4, 2, 0.5, 0, 0, 0])
    text = said.at_most_experienced(table, {"large": 15, "other": 3}, "firm", "decision")
    assert text.startswith(
        "After 5 earlier decisions the curve is an extrapolation for other firms (at most 3 "
        "earlier ones). "
    )
    assert "expected to be 2.0 of large firms (by the counts a firm had at most 15):" in text


def test_where_all_is_known_only_extrapolation_is_said():
    table = decisions([3, 3, 2, 2, 1, 1, 1], [9, 4, 2, 1, 0, 0, 0])
    text = said.at_most_experienced(table, {}, "firm", "decision")
    assert text == (
        "After 5 earlier decisions the curve is an extrapolation for other firms (at most 3 "
        "earlier ones)."
    )
    table["decisions"] = 2.0
    assert said.at_most_experienced(table, {}, "firm", "decision") == ""


def test_the_prior_of_falls_and_decays_stands_beside_them_in_every_variant():
    fit = decay_tree()
    table = decay.compare_variants({"default": fit})
    prior = decay.estimands(fit, "prior")
    falls = table[table["quantity"] == "fall"].set_index("size")
    for size in ("large", "other"):
        ends = np.quantile(prior["fall"].sel(size=size), [0.5, 0.025, 0.975])
        np.testing.assert_allclose(
            falls.loc[size, ["prior_median", "prior_low", "prior_high"]].astype(float), ends
        )
    curves = decay.curves(decay.before(fit))
    np.testing.assert_allclose(curves["median"], decay.curves(fit, group="prior")["median"])
