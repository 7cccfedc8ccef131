"""The sections of a report of shares: its own, and what it puts into the common ones."""

from __future__ import annotations

import numpy as np

from intlmodels.core import formats as f
from intlmodels.report import content, sharefigures, sharerows, sharesentences
from intlmodels.report import rows as shown
from intlmodels.report.blocks import Block, Items, Paragraph, Section, Table
from intlmodels.report.formula import share_formula, share_symbols
from intlmodels.report.sharedata import ShareMaterial
from intlmodels.results import wording

#: Rows of the table of the data in the report itself.
MOST_FIRMS = 120


def answer(m: ShareMaterial) -> Section:
    """What was asked, and the answer in three sentences."""
    asked = m.study.question or (
        f"How does {m.study.outcome.label} differ between the {f.plural(m.study.firm_label)}?"
    )
    return content.answer(m, asked, _answer(m), "diagnostics and under predictions against data")


def _answer(m: ShareMaterial) -> list[str]:
    tables = (m.levels, m.differences, m.ranks, m.variation, m.average, m.checks)
    return sharesentences.answer(*tables, m.firms)


def data(m: ShareMaterial) -> Section:
    """The tables as printed, and how they were read."""
    study, outcome = m.study, m.study.outcome
    text = (
        f"{outcome.label} of {m.firms}, printed in {outcome.unit} ({outcome.file}, column "
        f"{outcome.column}) and rounded to {outcome.width:g} percentage points. A printed number "
        "says no more than the interval that rounds to it; the model uses the interval."
    )
    blocks: list[Block] = [Paragraph(text), sharefigures.data(m)]
    listed = sharerows.data_rows(m)[:MOST_FIRMS]
    note = ""
    if len(study.firms) > len(listed):
        note = f"The first {len(listed)} of {m.firms}."
    blocks.append(
        Table(
            "The data as printed, and the interval each printed share stands for",
            sharerows.data_header(m),
            listed,
            numeric=(1, 2),
            file="tables/data.csv",
            note=note,
        )
    )
    blocks += sharerows.readings(m)
    return Section("data", "The data as printed", tuple(blocks))


def model(m: ShareMaterial) -> Section:
    """The model in mathematics."""
    study, width = m.study, m.study.outcome.width
    meanings = share_symbols(m.design, width, study.firm_label, study.outcome.label)
    return Section(
        "model",
        "The model",
        (
            Paragraph(
                "The share itself is continuous; what is observed is the interval that rounds to "
                "the printed number. Effects add up on the logit scale. The effects of the levels "
                "of a predictor are drawn towards each other as far as the data allow (varying "
                "effects)." + _pooled(m)
            ),
            share_formula(m.design, width),
            Table("Symbols", ("symbol", "meaning"), tuple(meanings)),
        ),
    )


def _pooled(m: ShareMaterial) -> str:
    """That clusters are drawn towards each other as well, where there are several."""
    if m.design.clusters is None:
        return ""
    return (
        " So are the clusters: each has a level and effects of its own, and what it differs by is "
        "estimated with how much clusters differ at all (partial pooling)."
    )


def priors(m: ShareMaterial) -> Section:
    """Priors, and the shares that they imply before seeing data."""
    implied: list[Block] = [
        Paragraph(sharesentences.prior_predictive_sentence(*sharerows.prior_implied(m), m.firms))
    ]
    between = sharesentences.prior_difference_sentences(m.prior_differences)
    if between:
        implied.append(Items(tuple(between)))
    return content.priors(m, [*implied, sharefigures.prior_predictive(m)])


def estimates(m: ShareMaterial) -> Section:
    """Levels, differences, ranks and variation."""
    name = f.interval_name(m.prob)
    failed = not m.passed
    text = (
        "In percent of the printed scale, computed draw by draw. A level's average sets every "
        f"{m.study.firm_label} to that level and leaves its other predictors as observed."
    )
    if m.design.clusters is not None:
        text += (
            f" Each {m.study.firm_label} keeps the level and the effects of its own cluster; the "
            f"average of a cluster moves every {m.study.firm_label} there."
        )
    blocks: list[Block] = [Paragraph(text), *sharefigures.estimates(m)]
    if len(m.levels):
        blocks.append(
            Table(
                f"Average expected printed share at each level ({name})",
                ("predictor", "level", "firms", "median", "interval"),
                sharerows.level_rows(m),
                numeric=(2, 3, 4),
                file="tables/estimates.csv",
                failed=failed,
            )
        )
        blocks += sharefigures.differences(m)
        clearest, note = sharerows.difference_rows(m)
        blocks.append(
            Table(
                f"Differences in percentage points ({name})",
                (
                    "predictor",
                    "difference",
                    "median",
                    "interval",
                    "probability of direction",
                    "verdict",
                ),
                clearest,
                numeric=(2, 3, 4),
                file="tables/differences.csv",
                note=note,
                failed=failed,
            )
        )
    else:
        blocks.append(Paragraph(_answer(m)[0]))
    blocks += _ranks(m)
    blocks += _variation(m, name)
    return Section("estimates", "Estimates", tuple(blocks))


def _ranks(m: ShareMaterial) -> list[Block]:
    if not len(m.ranks):
        return []
    table = Table(
        "Probability of the largest and of the smallest expected share",
        ("predictor", "level", "largest", "smallest"),
        sharerows.rank_rows(m),
        numeric=(2, 3),
        file="tables/ranks.csv",
        failed=not m.passed,
    )
    return [*sharefigures.ranks(m), table]


def _variation(m: ShareMaterial, name: str) -> list[Block]:
    if not len(m.variation):
        return [Paragraph("With this many predictors the variation is not split between them.")]
    table = Table(
        f"Variation of shares between firms by source, in percent ({name})",
        ("source", "median", "interval"),
        sharerows.variation_rows(m),
        numeric=(1, 2),
        file="tables/variation.csv",
        note="Shapley values of the variance of the firms' mean shares (Shorrocks 2013): the order "
        "in which predictors enter does not matter. A part below zero means that a predictor "
        "works against others that it goes together with." + _belongs(m),
        failed=not m.passed,
    )
    return [*sharefigures.variation(m), table]


def _belongs(m: ShareMaterial) -> str:
    if m.design.clusters is None:
        return ""
    return " Of clusters it is their level; what one adds to an effect belongs to the predictor."


def new_firms(m: ShareMaterial) -> Section:
    """Predictions of firms that were not in the study."""
    own = bool(m.study.profiles)
    text = (
        "The profiles that the study asks for."
        if own
        else "The study asks for no profiles; these are those observed, the most common first."
    )
    if m.study.clusters is not None:
        text += (
            f" A profile that names no cluster is {f.a(m.study.firm_label)} of a cluster that was "
            "not in the study: its level and its effects are drawn from the spread between the "
            "clusters."
        )
    text += (
        " The expected share is known as far as the parameters are; what a single firm prints "
        "scatters around it."
    )
    table = Table(
        f"A new {m.study.firm_label} of each profile, in percent ({f.interval_name(m.prob)}s)",
        ("profile", "expected share", "interval", "printed share", "interval"),
        sharerows.new_firm_rows(m),
        numeric=(1, 2, 3, 4),
        file="tables/new_firms.csv",
        failed=not m.passed,
    )
    return Section("new-firms", "New firms", (Paragraph(text), sharefigures.new_firms(m), table))


def predictions(m: ShareMaterial) -> Section:
    """Data predicted by the fit against the data."""
    table = Table(
        f"Features of the data, observed and predicted ({f.interval_name(m.prob)})",
        ("feature", "observed", "predicted median", "interval", "Pr(larger)"),
        shown.feature_rows(m.checks, sharesentences.feature_decimals),
        numeric=(1, 2, 3, 4),
        file="tables/checks.csv",
        note="Pr(larger): probability that predicted data have a larger value, ties counted half "
        "(posterior predictive p-value).",
        failed=not m.passed,
    )
    said = wording.misfit_sentences(m.checks, sharesentences.feature_decimals)
    return Section(
        "predictions",
        "Predictions against data on the printed grid",
        (*map(Paragraph, said), sharefigures.predictions(m), table),
    )


def variants(m: ShareMaterial) -> Section:
    """The same shares under other models."""
    what = "Other readings of the same tables, and other laws for the shares."
    if len(m.variants) < 2:
        return content.variants(m, what)
    tables = shown.side_by_side(m, "Differences in percentage points", "differences")
    more = [*sharefigures.variants(m), *tables, *sharerows.only_in_variants(m)]
    return content.variants(m, what, more)


def limits(m: ShareMaterial) -> Section:
    """What the study leaves open."""
    computed = sharesentences.cannot_tell(
        m.levels, m.differences, m.parameters, m.crossings, m.firms
    )
    missing = int(np.isnan(m.fit["constant_data"]["design"].to_numpy()).any(axis=1).sum())
    if not missing:
        return content.limits(m, computed)
    text = f"Firms with a missing covariate, which is estimated: {missing}."
    return content.limits(m, computed, [Paragraph(text)])
