"""The pictures of a report of the decay model: what stands under each, and what it says."""

from __future__ import annotations

from collections.abc import Iterator

from intlmodels.core import formats as f
from intlmodels.models.decay.estimands import FALL_AFTER
from intlmodels.plots import counts, decay
from intlmodels.report.blocks import Picture
from intlmodels.report.decaydata import DecayMaterial
from intlmodels.report.figures import picture


def data(m: DecayMaterial) -> Picture:
    """The counts as printed, or the decisions in their order."""
    latent = m.latent
    return picture(
        "data",
        counts.decisions(m.fit),
        "What each published count covers." if latent else "The decisions of each firm in order.",
        "The numbers are in the table of the data.",
        failed=False,
    )


def conflicts(m: DecayMaterial) -> Iterator[Picture]:
    """Which counts contradict which, if any do."""
    if not m.audit.consistent:
        ids = [count.id for count in m.study.counts]
        drawn = min(len(m.audit.conflicts), counts.MOST_CONFLICTS)
        yield picture(
            "conflicts",
            counts.conflicts(ids, m.audit.conflicts),
            "Minimal contradictions, one a row: the marked counts cannot all be true, any fewer "
            "of them can.",
            f"A matrix of {drawn} contradictions by {len(ids)} counts. All "
            f"{len(m.audit.conflicts)} contradictions are in tables/audit_conflicts.csv.",
            failed=False,
        )


def curves(m: DecayMaterial) -> Picture:
    """Decay curves."""
    said = "; ".join(
        f"{row.size}, {row.entries} prior entries: {f.percent(row.median)}"
        for row in m.curves.itertuples(index=False)
        if row.entries in (0, FALL_AFTER)
    )
    return picture(
        "curves",
        decay.curves(m.fit, m.prob),
        f"Probability that {f.a(m.study.event)} is {m.study.flag_label}, by the number of earlier "
        f"ones of the same {m.study.firm_label}: median, 50{f.SPACE}% and "
        f"{f.interval_name(m.prob)} of a typical one; grey outline: the prior. The line is "
        "dotted where fewer than one decision is expected, as the bars below show: there it is "
        "extrapolation.",
        f"Curves with bands. Medians: {said}.",
        not m.passed,
    )


def true_counts(m: DecayMaterial) -> Picture:
    """Counts as printed against the reconstructed tables."""
    return picture(
        "true-counts",
        counts.true_counts(m.fit, m.prob),
        "How far each count is from what was printed, in the reconstructed tables.",
        "Dots for each count, at the difference between the true and the printed number. The "
        "numbers are in the table of the counts.",
        not m.passed,
    )


def cells(m: DecayMaterial) -> Picture:
    """Reconstructed cells within their bounds."""
    bounds = m.cells.rename(columns={"name": "size"})
    basis = "the counts alone" if m.audit.consistent else "the cheapest repairs"
    return picture(
        "cells",
        counts.cells(m.fit, bounds, m.prob, basis=basis),
        f"Reconstructed {f.plural(m.study.event)} by size, period and flag; grey: what {basis} "
        "allow.",
        "Dots with intervals within grey brackets. The numbers are in the table of the cells.",
        not m.passed,
    )


def experience_and_time(m: DecayMaterial) -> Iterator[Picture]:
    """Experience against calendar time, where the variant is fitted."""
    if m.period_fit is not None:
        yield picture(
            "experience-and-time",
            decay.experience_and_time(m.period_fit, m.prob),
            "Decay with experience against the fall of the log odds from the first period to the "
            "last, in the variant period; grey: the prior.",
            "Contours of the joint posterior. The correlations are in the text.",
            not m.gates["period"].passed,
        )


def variants(m: DecayMaterial) -> Iterator[Picture]:
    """What experience does across variants, if there are any."""
    if len(m.variants) > 1:
        yield picture(
            "variants",
            decay.variants(m.comparison, m.prob),
            f"The same quantities in every variant: median, 50{f.SPACE}% and "
            f"{f.interval_name(m.prob)}.",
            "Small panels with one dot and interval a variant. The numbers are in the table and in "
            "tables/variants.csv.",
            not m.passed,
        )
