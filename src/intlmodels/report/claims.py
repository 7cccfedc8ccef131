"""The section of a report that holds what a publication says against what it printed."""

from __future__ import annotations

from intlmodels import formats as f
from intlmodels.claims.told import found, verdict_lines
from intlmodels.claims.verdicts import UNSUPPORTED
from intlmodels.narrative import CLEAR, LEANING
from intlmodels.report.blocks import Items, Paragraph, Section, Table
from intlmodels.report.material import Material
from intlmodels.report.shown import Rows


def claims(m: Material) -> Section | None:
    """What the study's claims come to; nothing for a study that has none."""
    if not m.study.claims:
        return None
    table = Table(
        f"Claims, in other words than the publication's ({f.interval_name(m.prob)}s in brackets)",
        ("id", "claim", "where", "kind", "how it is checked", "verdict", "what was found"),
        claim_rows(m),
        file="tables/claims.csv",
        note=f"supported: probability at least {CLEAR:g}; leaning: at least {LEANING:g}; "
        f"unsupported: at most {UNSUPPORTED:g}; uncertain: between.",
        failed=not m.passed,
    )
    return Section(
        "claims",
        "Claims of the study, held against what it printed",
        (Paragraph(introduction()), Items(tuple(verdict_lines(m.claims))), table),
    )


def introduction() -> str:
    """How verdicts come about."""
    return (
        "Each claim has a rule in study.toml, and its verdict follows from the rule; none is "
        "typed in. What can be counted or added up holds in the printed numbers or is "
        "contradicted by them; where a number that was not printed could decide, it cannot be "
        "checked. The other rules ask for the posterior probability of the claim: it is supported "
        f"from {CLEAR:g}, the data lean towards it from {LEANING:g}, it is unsupported up to "
        f"{UNSUPPORTED:g} and uncertain between. That a claim is not supported does not make it "
        "false: the data may say little about it. A fit that did not converge gives no verdict."
    )


def claim_rows(m: Material) -> Rows:
    """One row a claim, with the digits that the uncertainty bears."""
    return tuple(
        (row.id, row.claim, row.where or f.DASH, row.kind, row.how, row.verdict, found(row))
        for row in m.claims.itertuples(index=False)
    )
