"""The section of a report that reads two predictors together."""

from __future__ import annotations

from typing import Any

import pandas as pd

from intlmodels import formats as f
from intlmodels.narrative import CLEAR, LEANING, marked
from intlmodels.report.blocks import Block, Items, Paragraph, Picture, Section, Table
from intlmodels.report.figures import picture
from intlmodels.report.shown import Rows, common_decimals, interval
from intlmodels.share import plotopportunity
from intlmodels.share.material import ShareMaterial
from intlmodels.share.opportunity import NEITHER
from intlmodels.study.opportunity import Opportunity


def opportunity(m: ShareMaterial) -> Section | None:
    """Which combinations are vulnerable or an opportunity; nothing if a study does not ask."""
    asked, table = m.study.opportunity, m.opportunity
    if asked is None or table is None:
        return None
    across, down = m.study.predictors[asked.across], m.study.predictors[asked.down]
    blocks: list[Block] = [
        Paragraph(
            f"The expected printed share of {f.a(m.study.firm_label)} at each combination of "
            f"{across.label} and {down.label}, the other predictors as observed: the average over "
            f"all {m.firms}, draw by draw. {_rule(m, asked)}"
        )
    ]
    if asked.note:
        blocks.append(Paragraph(asked.note))
    blocks += [
        Items(tuple(marked(told(table, f.plural(m.study.firm_label)), m.passed))),
        _picture(m, asked, table),
        Table(
            f"Opportunity and vulnerability ({f.interval_name(m.prob)})",
            (
                across.label,
                down.label,
                f"{f.plural(m.study.firm_label)}, printed share",
                "median",
                "interval",
                "Pr(above average)",
                "reading",
            ),
            _rows(table),
            numeric=(3, 4, 5),
            file="tables/opportunity.csv",
            note="Pr(above average): probability that the expected share is above the average of "
            f"the {f.plural(m.study.firm_label)} as they are, in the same draw. Extrapolation: "
            "nobody stands there; the effects of the two predictors are added up on the logit "
            "scale, and nothing observed speaks for or against that.",
            failed=not m.passed,
        ),
    ]
    return Section("opportunity", "Opportunity and vulnerability", tuple(blocks))


def _rule(m: ShareMaterial, asked: Opportunity) -> str:
    other = next(
        level for level in m.study.predictors[asked.down].levels if level != asked.vulnerable
    )
    return (
        f"{asked.vulnerable} with less than the average is read as vulnerable, {other} with more "
        f"than the average as an opportunity: clearly from a probability of {CLEAR:g}, leaning "
        f"from {LEANING:g}, and below that these data cannot tell."
    )


def told(table: pd.DataFrame, firms: str) -> list[str]:
    """Which combinations can be read, and which have no firm.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`intlmodels.share.opportunity.combinations`.
    firms : str
        What firms are called (plural).
    """
    read = table[table["reading"] != NEITHER]
    said = []
    for wanted, words in (("clear", "Clear"), ("leaning", "The data lean towards it")):
        rows = read[read["verdict"] == wanted]
        listed = [
            f"{row.across}, {row.down}: {row.reading} (probability "
            f"{f.probability(row.p_direction)}{', extrapolation' * (row.firms == 0)})"
            for row in rows.itertuples(index=False)
        ]
        said += [f"{words}: {'; '.join(listed)}."] if listed else []
    if not said:
        nearest = read.sort_values("p_direction", ascending=False, kind="stable").head(1)
        near = [
            f" Nearest to it is {row.across}, {row.down} ({row.reading}, probability "
            f"{f.probability(row.p_direction)}{', extrapolation' * (row.firms == 0)})."
            for row in nearest.itertuples(index=False)
        ]
        said.append(
            f"No combination can be called vulnerable or an opportunity: of {len(table)} none "
            f"reaches a probability of {LEANING:g}.{''.join(near)}"
        )
    empty = table[table["firms"] == 0]
    if len(empty):
        names = [f"{row.across}, {row.down}" for row in empty.itertuples(index=False)]
        said.append(
            f"No {firms} stand at {len(empty)} of the {len(table)} combinations, which are "
            f"extrapolation: {'; '.join(names)}."
        )
    return said


def _rows(table: pd.DataFrame) -> Rows:
    decimals = common_decimals(table)
    return tuple(
        (
            row.across,
            row.down,
            _standing(row.observed) or "none: extrapolation",
            f.number(row.median, decimals),
            interval(row, decimals),
            f.probability(row.p_above),
            _reading(row),
        )
        for row in table.itertuples(index=False)
    )


def _standing(observed: str) -> str:
    """Firms and their shares; a line does not break between the two."""
    return "; ".join(f.SPACE.join(firm.rsplit(" ", 1)) for firm in observed.split("; "))


def _reading(row: Any) -> str:
    if row.verdict == "cannot tell":
        return str(row.verdict)
    return NEITHER if row.reading == NEITHER else f"{row.reading} ({row.verdict})"


def _picture(m: ShareMaterial, asked: Opportunity, table: pd.DataFrame) -> Picture:
    read = asked.across, asked.down, asked.vulnerable
    return picture(
        "opportunity",
        plotopportunity.drawn(m.fit, table, read, m.prob),
        f"Expected printed share at each combination of {m.study.predictors[asked.across].label} "
        f"and {m.study.predictors[asked.down].label}: median, 50{f.SPACE}% and "
        f"{f.interval_name(m.prob)}; at the right the probability of being above the average of "
        f"the {f.plural(m.study.firm_label)}. Grey and hollow: nobody stands there.",
        "Dots with intervals, one row a combination, with the printed shares of those who stand "
        "there. The numbers are in the table.",
        not m.passed,
    )
