"""The section of a report that holds what a publication says against what it printed."""

from __future__ import annotations

import math

from intlmodels.claims.ledger import (
    expected_wrong,
    finding_sentences,
    finding_text,
    verdict_lines,
    verdict_text,
)
from intlmodels.core import formats as f
from intlmodels.report.blocks import Items, Paragraph, Section, Table
from intlmodels.report.data import ReportData
from intlmodels.report.pages import Values
from intlmodels.results.wording import CLEAR, claim_limits
from intlmodels.studies import DecayStudy, twogroups
from intlmodels.studies.claims import OURS, plain

#: Rules with a model of two groups of their own.
_OF_TWO_GROUPS = ("more often", "higher proportion", "larger share", "higher average")


def findings(m: ReportData) -> Values | None:
    """The publication's main findings as a strip of verdicts."""
    return None


def claims(m: ReportData) -> Section | None:
    """What the study's claims come to; nothing for a study that has none."""
    if not m.study.claims:
        return None
    introduction = (
        "Each claim has a rule in study.toml, and its verdict follows from the rule; none is "
        "typed in. What can be counted or added up holds in the printed numbers or is "
        "contradicted by them; where a number that was not printed could decide, it cannot be "
        "checked. Where a text is silent and that could decide, the verdict says what would follow "
        "either way. Other rules ask for the posterior probability of the claim, and tell that "
        f"before seeing data beside it: from {CLEAR:g} it is supported, and where its opposite is "
        f"as probable, the model contradicts it. That a claim is not supported does not make it "
        "false: the data may say little about it. A fit that did not converge gives no verdict."
    )
    said = [introduction, expected_wrong(m.claims)]
    if (m.claims["origin"] == OURS).any():
        said.append(
            "Claims of our own are not the publication's: they put neighbouring questions to its "
            "data, and are counted separately."
        )
    if m.claims["rule"].isin(_OF_TWO_GROUPS).any():
        said.append(
            "Two proportions, and two averages, are compared by a model of the two groups alone, "
            f"with {twogroups.PRIORS}; for averages of shares the law is that of the share model. "
            "Beside a proportion stands its probability under uniform priors. Pooled is the "
            "probability when all comparisons of frequencies share one scale of their log odds "
            f"ratios, Normal(0, scale) with scale HalfNormal({twogroups.CONTRAST:g}); what a text "
            "does not name is then taken as absent."
        )
    silent = tuple(
        f"{name}: {own.describe()}. {own.note}".strip() for name, own in m.study.silence.items()
    )
    rows, pooled = [], bool(m.claims["pooled"].notna().any())
    for row in m.claims.itertuples(index=False):
        how, where = f"{row.kind}: {row.how}", row.where or f.DASH
        where = f"our own; {where}" if row.origin == OURS else where
        together = (f.DASH if math.isnan(row.pooled) else f.probability(row.pooled),) * pooled
        found = finding_text(row)
        rows.append((row.id, row.claim, verdict_text(row), found, how, *together, where))
    table = Table(
        f"Claims, in other words than the publication's ({f.interval_name(m.prob)}s in brackets)",
        (
            "id",
            "claim",
            "verdict",
            "what was found",
            "how it is checked",
            *(("pooled",) * pooled),
            "where",
        ),
        tuple(rows),
        file="tables/claims.csv",
        note=f"{claim_limits()}. Prior: the probability of the same before seeing data.",
        failed=not m.passed,
        widths=(6, 20, 16, 24, 18, 7, 9) if pooled else (6, 22, 14, 26, 22, 10),
    )
    return Section(
        "claims",
        "Claims of the study, held against what it printed",
        (
            *(Paragraph(text) for text in said if text),
            Items((*verdict_lines(m.claims), *finding_sentences(m.claims))),
            *((Paragraph("Where a text is silent:"), Items(silent)) if silent else ()),
            table,
        ),
    )


def numbers(m: ReportData) -> Section | None:
    """What the ids stand for that the rules of claims name; nothing where there are none."""
    named = {name for claim in m.study.claims for _, name in claim.names("number")}
    counts = m.study.counts if isinstance(m.study, DecayStudy) else ()
    rows = [(count.id, count.text, str(count.value), count.where) for count in counts]
    for number in m.study.numbers.values():
        value = f"{plain(number.value)} {number.unit}".strip()
        rows.append((number.id, number.text, value, number.where))
    rows = sorted(row for row in rows if row[0] in named)
    if not rows:
        return None
    table = Table(
        "Numbers by the ids under which the rules of claims name them",
        ("id", "what is counted or measured", "printed", "where"),
        tuple(rows),
        numeric=(2,),
    )
    return Section("claim-numbers", "Printed numbers that claims name", (table,))
