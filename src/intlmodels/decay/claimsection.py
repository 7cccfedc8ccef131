"""The section of a report that holds what a publication says against its counts."""

from __future__ import annotations

from typing import Any

from intlmodels import formats as f
from intlmodels.decay.claims import FAILED, UNSUPPORTED
from intlmodels.decay.material import DecayMaterial
from intlmodels.narrative import CLEAR, LEANING
from intlmodels.report.blocks import Paragraph, Section, Table
from intlmodels.report.shown import Rows


def claims(m: DecayMaterial) -> Section | None:
    """What the study's claims come to; nothing for a study that has none."""
    if not m.study.claims:
        return None
    printed = "counts" if m.latent else f.plural(m.study.event)
    table = Table(
        f"Claims, in other words than the publication's ({f.interval_name(m.prob)}s in brackets)",
        ("id", "claim", "where", "verdict", "what was found"),
        claim_rows(m),
        file="tables/claims.csv",
        note=f"supported: probability at least {CLEAR:g}; leaning: at least {LEANING:g}; "
        f"unsupported: at most {UNSUPPORTED:g}; uncertain: between.",
        failed=not m.passed,
    )
    return Section(
        "claims",
        f"Claims of the study, held against its {printed}",
        (Paragraph(introduction(m, printed)), Paragraph(verdict_sentence(m)), table),
    )


def introduction(m: DecayMaterial, printed: str) -> str:
    """How verdicts come about."""
    known = (
        ""
        if m.latent
        else f" What a rule asks of the {printed} themselves is a fact, as they are all known."
    )
    return (
        "Each claim has a rule in study.toml, and its verdict follows from the rule. Sums and "
        "shares of counts are worked out from the printed numbers. The other rules ask the fit for "
        f"the posterior probability of the claim: it is supported from {CLEAR:g}, the {printed} "
        f"lean towards it from {LEANING:g}, it is unsupported up to {UNSUPPORTED:g} and uncertain "
        f"between.{known} That a claim is not supported does not make it false: the {printed} may "
        "say little about it. A fit that did not converge gives no verdict of this kind."
    )


def verdict_sentence(m: DecayMaterial) -> str:
    """How many claims have each verdict."""
    counts = m.claims["verdict"].value_counts(sort=False)
    said = f.listed([f"{verdict} {number}" for verdict, number in counts.items()])
    return f"Verdicts on {f.counted(len(m.claims), 'claim')}: {said}."


def claim_rows(m: DecayMaterial) -> Rows:
    """One row a claim, with the digits that the uncertainty bears."""
    return tuple(
        (row.id, row.claim, row.where or f.DASH, row.verdict, _told(row))
        for row in m.claims.itertuples(index=False)
    )


def _told(row: Any) -> str:
    if row.probability != row.probability:
        return str(row.numbers)
    name = "probability (no posterior)" if row.verdict == FAILED else "probability"
    return f"{name} {f.probability(row.probability)}; {row.numbers}"
