"""The pictures of a report of shares: what stands under each, and what it says when heard."""

from __future__ import annotations

from collections.abc import Iterator

from intlmodels.core import formats as f
from intlmodels.plots import share, sharedata
from intlmodels.report.blocks import Picture
from intlmodels.report.figures import picture
from intlmodels.report.sharedata import ShareMaterial

#: Levels in one picture; with more, each predictor has its own.
MOST_LEVELS = 30
#: Predictors with a picture of their own, at most.
MOST_OWN = 8


def data(m: ShareMaterial) -> Picture:
    """Printed shares by firm."""
    outcome = m.study.outcome
    low, high = outcome.printed.min(), outcome.printed.max()
    return picture(
        "data",
        sharedata.data(m.study),
        f"{outcome.label} of each {m.study.firm_label}: every bar spans the shares that round to "
        "the printed number.",
        f"Printed shares of {m.firms} as intervals, from {low:g} to {high:g} percent. The numbers "
        "are in the table of the data.",
        failed=False,
    )


def prior_predictive(m: ShareMaterial) -> Picture:
    """Printed shares from the priors alone."""
    return picture(
        "prior-predictive",
        share.prior_predictive(m.fit),
        "What the priors imply before seeing data: the printed share of one "
        f"{m.study.firm_label}, and the average over the study.",
        "Two bar charts of printed shares drawn from the priors alone: one firm, and the average.",
        failed=False,
    )


def estimates(m: ShareMaterial) -> Iterator[Picture]:
    """One picture of all levels, or one a predictor where there are many."""
    for name, predictor, label in _split(m, "estimates", m.levels):
        rows = m.levels if predictor is None else m.levels[m.levels["predictor"] == predictor]
        said = "; ".join(
            f"{row.level} {f.percent(row.median, f.decimals_for(row.ci_high - row.ci_low))}"
            for row in list(rows.itertuples(index=False))[:12]
        )
        yield picture(
            name,
            share.estimates(m.fit, predictor, m.prob),
            f"Average expected printed share at each level{label}, the other predictors as "
            f"observed: median, 50{f.SPACE}% and {f.interval_name(m.prob)}.",
            f"Dots with intervals. Medians: {said}.",
            not m.passed,
        )


def differences(m: ShareMaterial) -> Iterator[Picture]:
    """One picture of all differences, or one a predictor where there are many."""
    for name, predictor, label in _split(m, "differences", m.differences):
        yield picture(
            name,
            share.differences(m.fit, predictor, m.prob),
            f"Differences between levels{label} in percentage points: median, 50{f.SPACE}% and "
            f"{f.interval_name(m.prob)}; at the right the probability of the likelier direction.",
            "Dots with intervals around a line at zero. The numbers are in the table of the "
            "differences.",
            not m.passed,
        )


def _split(m: ShareMaterial, name: str, table: object) -> Iterator[tuple[str, str | None, str]]:
    import pandas as pd

    assert isinstance(table, pd.DataFrame)
    if not len(table):
        return
    if len(table) <= MOST_LEVELS:
        yield name, None, ""
        return
    own = list(dict.fromkeys(zip(table["predictor"], table["label"], strict=True)))[:MOST_OWN]
    for number, (predictor, label) in enumerate(own, start=1):
        yield f"{name}-{number}", predictor, f" of {label}"


def ranks(m: ShareMaterial) -> Iterator[Picture]:
    """Probabilities of ranks, if any predictor has them."""
    if len(m.ranks):
        yield picture(
            "ranks",
            share.ranks(m.fit),
            "Probability of each rank by expected share, 1 the largest; the darker, the more "
            "probable.",
            "Tiles with the probability of each rank of each level. The numbers are in "
            "tables/ranks.csv.",
            not m.passed,
        )


def variation(m: ShareMaterial) -> Iterator[Picture]:
    """Variation by source, if it was split."""
    if len(m.variation):
        yield picture(
            "variation",
            share.variation(m.fit, m.prob),
            f"Part of the variation of shares between firms by source: median, 50{f.SPACE}% and "
            f"{f.interval_name(m.prob)}.",
            "Dots with intervals, one a source. The numbers are in the table of the variation.",
            not m.passed,
        )


def new_firms(m: ShareMaterial) -> Picture:
    """Predictions of new firms."""
    return picture(
        "new-firms",
        share.new_firms(m.prediction, m.passed, m.prob),
        f"Predicted printed share of a new {m.study.firm_label} of each profile; dark: "
        f"{f.interval_name(m.prob)}.",
        "Bars of the probability of each printed share, one strip a profile. The numbers are in "
        "the table of new firms.",
        not m.passed,
    )


def predictions(m: ShareMaterial) -> Picture:
    """Predictions against data."""
    return picture(
        "predictions",
        share.posterior_predictive(m.fit, m.prob),
        "Predictions of the fitted model against the data, on the printed grid.",
        "Above, how many firms print each value, observed and predicted; below, each firm's "
        "printed share beside its predictive interval. The numbers are in tables/predictions.csv.",
        not m.passed,
    )


def variants(m: ShareMaterial) -> Iterator[Picture]:
    """Differences across variants, if there are any."""
    if len(m.variants) > 1:
        cut = len(m.differences) > share.MOST_PANELS
        some = f" (the {share.MOST_PANELS} with the clearest direction)" if cut else ""
        yield picture(
            "variants",
            share.variants(m.comparison),
            f"The same differences in every variant{some}: median, 50{f.SPACE}% and "
            f"{f.interval_name(m.prob)}. Hollow grey: for comparison only.",
            "Small panels, one a difference, with one dot and interval a variant. The numbers are "
            "in the table and in tables/variants.csv.",
            not m.passed,
        )
