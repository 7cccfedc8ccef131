"""The sections of a report that test what a publication says."""

from __future__ import annotations

import re
from typing import Any

from intlmodels.claims import ledger
from intlmodels.core import formats as f
from intlmodels.report.data import ReportData
from intlmodels.report.pages import Values
from intlmodels.results.wording import EDGE, LIMITS
from intlmodels.studies import DecayStudy, twogroups
from intlmodels.studies.claims import CANNOT, OURS, column_words, plain

#: Rules with a model of two groups of their own.
_OF_TWO_GROUPS = ("more often", "higher proportion", "larger share", "higher average")


def findings(m: ReportData) -> Values | None:
    """The publication's main findings as a strip of verdicts."""
    rows: list[Values] = []
    for text, stands, claims in ledger.main_findings(m.claims):
        kind, reading, _ = stands.partition(ledger.ON_ONE_READING)
        first, *others = claims.itertuples(index=False)
        deciding = [first]
        if kind == ledger.UNTESTABLE:  # each lacks something else
            deciding += others
        rows.append(
            {
                "text": text,
                "kind": kind,
                "on_one_reading": bool(reading),
                "why": [_evidence(row, text, m) for row in deciding],
                "ids": claims["id"].sort_index().tolist(),
            }
        )
    if not rows:
        return None
    kinds = [row["kind"] for row in rows]
    counts = {kind: str(kinds.count(kind)) for kind in ledger.STANDINGS if kind in kinds}
    return {"findings": rows, "counts": counts, "total": str(len(rows))}


def _linked(text: str, m: ReportData) -> list[tuple[str, str]]:
    """Text cut after every id of a claim: what stands before the id, and the id."""
    # A name without a digit may be that of a firm.
    ids = [claim.id for claim in m.study.claims if re.search(r"\d", claim.id)]
    pieces = [*re.split(rf"\b({'|'.join(map(re.escape, ids))})\b", text), ""]
    return list(zip(pieces[::2], pieces[1::2], strict=True))


def _evidence(row: Any, text: str, m: ReportData) -> Values:
    """What decides a claim, a row of the ledger, in short; its words where they differ."""
    numbers = str(row.numbers).removeprefix(ledger.IF_ABSENT)
    end = ". " if row.verdict == CANNOT else "; "
    same = row.verdict == CANNOT or row.claim.startswith(text)
    return {
        "claim": "" if same else row.claim,
        "numbers": _linked(numbers.partition(end)[0].rstrip("."), m),
        "probability": f.probability(row.probability) if row.fit else "",
        "model": row.in_model,
        "open": row.open,
        "fitted": bool(row.fit),
    }


def claims(m: ReportData) -> Values | None:
    """Every claim with its verdict; nothing for a study that has none."""
    if not m.study.claims:
        return None
    rows: list[Values] = [
        {
            "id": row.id,
            "claim": _linked(row.claim, m),
            "where": row.where,
            "how": "" if row.rule == "cannot" else row.how,
            "kind": ledger.standing(row.verdict),
            "verdict": row.verdict,
            "details": ledger.details(row),
            "found": _linked(ledger.finding_text(row), m),
            "ours": row.origin == OURS,
            "fitted": bool(row.fit),
        }
        for row in m.claims.itertuples(index=False)
    ]
    ours = m.claims["origin"] == OURS
    supported, leaning, against, contradicted = (f"{limit:g}" for limit in LIMITS)
    return {
        "claims": rows,
        "counts": {k: str(n) for k, n in ledger.counts(m.claims[~ours]).items()},
        "ours": {k: str(n) for k, n in ledger.counts(m.claims[ours]).items()},
        "sentences": ledger.finding_sentences(m.claims),
        "wrong": ledger.expected_wrong(m.claims),
        "limits": {
            "supported": supported,
            "leaning": leaning,
            "against": against,
            "contradicted": contradicted,
        },
        "prior": twogroups.PRIORS if m.claims["rule"].isin(_OF_TWO_GROUPS).any() else "",
        "pooled": f"{twogroups.CONTRAST:g}" if m.claims["pooled"].notna().any() else "",
        "silence": [
            {"column": column_words(name, m.study), "says": own.describe(), "note": own.note}
            for name, own in m.study.silence.items()
        ],
        "interval": f.interval_name(m.prob),
        "edge": bool(m.claims["verdict"].str.contains(EDGE, regex=False).any()),
        "posterior": bool(m.claims["probability"].notna().any()),
    }


def numbers(m: ReportData) -> Values | None:
    """The published numbers that claims name by their ids; nothing where there are none."""
    named = {name for claim in m.study.claims for _, name in claim.names("number")}
    counts = m.study.counts if isinstance(m.study, DecayStudy) else ()
    rows = [(count.id, count.text, str(count.value), count.where) for count in counts]
    for number in m.study.numbers.values():
        value = f"{plain(number.value)} {number.unit}".strip()
        rows.append((number.id, number.text, value, number.where))
    rows = sorted((text, name, value, where) for name, text, value, where in rows if name in named)
    return {"rows": rows} if rows else None
