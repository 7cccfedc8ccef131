"""The sections on clusters of firms, and on two predictors read together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from intlmodels.core import formats as f
from intlmodels.fitting.diagnostics import on_the_edge
from intlmodels.plots import sharedata
from intlmodels.report import sharesentences
from intlmodels.report.blocks import Block, Items, Paragraph, Section, Table
from intlmodels.report.data import ShareReportData
from intlmodels.report.rows import (
    Rows,
    common_decimals,
    estimate,
    median_and_interval,
    parameter_rows,
)
from intlmodels.report.sections import picture
from intlmodels.results import groups as tables
from intlmodels.results.groups import NEITHER
from intlmodels.results.wording import CLEAR, LEANING, direction, marked

if TYPE_CHECKING:
    import pandas as pd


#: Clusters in tables of the report itself; the files have them all.
MOST_CLUSTERS = 60


def clusters(m: ShareReportData) -> Section | None:
    """How clusters differ, in level and in effects; nothing for a study without clusters."""
    if not len(m.clusters):
        return None
    firm, firms, name = m.study.firm_label, f.plural(m.study.firm_label), f.interval_name(m.prob)
    spreads = tables.spreads(m.fit, m.prob)
    text = (
        f"{m.firms} of {len(m.clusters):,} clusters are estimated together. Each cluster has a "
        "level and effects of its own, which are drawn towards those of the others as far as the "
        f"data allow (partial pooling): a cluster with many {firms} keeps what its own {firms} "
        "say, a cluster with few borrows from the others."
    )
    found = m.clusters, m.cluster_differences, spreads
    decimals = common_decimals(m.clusters)
    heard = "; ".join(
        f"{row.cluster} {f.percent(row.median, decimals)} (printed {f.number(row.printed_mean, 1)})"
        for row in m.clusters.head(12).itertuples(index=False)
    )
    rows = tuple(
        (
            row.cluster,
            str(row.firms),
            f.number(row.printed_mean, 1),
            *median_and_interval(row, decimals),
            f.number(row.pulled, 1),
        )
        for row in m.clusters.head(MOST_CLUSTERS).itertuples(index=False)
    )
    blocks: list[Block] = [
        Paragraph(text),
        Items(tuple(marked(sharesentences.cluster_sentences(*found, firm), m.passed))),
        picture(
            "clusters",
            sharedata.clusters(m.fit, m.prob),
            f"Expected printed share in each cluster, averaged over its own {firms}: median, "
            f"50% and {name}; beside it the average of what they print.",
            f"Dots with intervals, one row a cluster, and the printed averages. Medians: {heard}.",
            not m.passed,
        ),
        Table(
            f"Each cluster with its own {firms} as they are, in percent ({name})",
            ("cluster", firms, "printed average", "expected share", "interval", "moved by"),
            rows,
            numeric=(1, 2, 3, 4, 5),
            file="tables/clusters.csv",
            note="Moved by: expected share less printed average, in percentage points. The "
            f"expected share if all {m.firms} were of one cluster stands among the estimates.",
            failed=not m.passed,
        ),
        *_differences(m),
        Table(
            f"Standard deviations between clusters, logit scale ({name}s)",
            ("of the", "posterior median", "interval", "prior median", "interval", "spread ratio"),
            parameter_rows(spreads, "what"),
            numeric=(1, 2, 3, 4, 5),
            file="tables/parameters.csv",
            note="Spread ratio: width of the central 68% of the posterior over that of the prior; "
            "1 means that the data said nothing.",
            failed=not m.passed,
        ),
        Paragraph("What these clusters cannot tell:"),
        Items(tuple(marked(sharesentences.clusters_cannot_tell(*found, firm), m.passed))),
    ]
    return Section("clusters", "Clusters", tuple(blocks))


def _differences(m: ShareReportData) -> list[Block]:
    """What predictors make a difference of within each cluster."""
    chosen = tables.main_comparisons(m.fit, m.prob)[: sharedata.MOST_PANELS]
    if not chosen:
        return []
    table = m.cluster_differences
    shown = picture(
        "cluster-differences",
        sharedata.cluster_differences(m.fit, m.prob),
        "Differences between levels over all clusters and within each, in percentage points: "
        f"median, 50% and {f.interval_name(m.prob)}. Of each predictor the comparison "
        "with the clearest direction.",
        "Small panels, one a comparison, with one dot and interval a cluster. The numbers are in "
        "the table and in tables/cluster_differences.csv.",
        not m.passed,
    )
    cells = {}
    for key in chosen:
        part = table[(table[["predictor", "level", "against"]] == list(key)).all(axis=1)]
        decimals = common_decimals(part)
        for row in part.itertuples(index=False):
            borrowed = "*" if not row.firms_level or not row.firms_against else ""
            cells[row.cluster, key] = estimate(row, decimals) + borrowed
    names = list(dict.fromkeys(table["cluster"]))[: MOST_CLUSTERS + 1]
    rows: Rows = tuple((name, *(cells[name, key] for key in chosen)) for name in names)
    return [
        shown,
        Table(
            f"Differences within each cluster, in percentage points ({f.interval_name(m.prob)})",
            ("cluster", *(f"{level} {f.MINUS} {against}" for _, level, against in chosen)),
            rows,
            numeric=tuple(range(1, len(chosen) + 1)),
            file="tables/cluster_differences.csv",
            note="Averages over the cluster's own firms. *: no firm of the cluster stands at one "
            "of the two levels, and the difference is borrowed from the other clusters. The file "
            "has all comparisons.",
            failed=not m.passed,
        ),
    ]


# -- two predictors read together --------------------------------------------------------


def opportunity(m: ShareReportData) -> Section | None:
    """Which combinations are vulnerable or an opportunity; nothing if a study does not ask."""
    asked, table = m.study.opportunity, m.opportunity
    if asked is None or table is None:
        return None
    across, down = m.study.predictors[asked.across], m.study.predictors[asked.down]
    firms, name = f.plural(m.study.firm_label), f.interval_name(m.prob)
    other = next(level for level in down.levels if level != asked.vulnerable)
    text = (
        f"The expected printed share of {f.a(m.study.firm_label)} at each combination of "
        f"{across.label} and {down.label}, the other predictors as observed: the average over all "
        f"{m.firms}, draw by draw. {asked.vulnerable} with less than the average is read as "
        f"vulnerable, {other} with more than the average as an opportunity: clearly from a "
        f"probability of {CLEAR:g}, leaning from {LEANING:g}, and below that these data cannot "
        "tell."
    )
    figure = picture(
        "opportunity",
        sharedata.drawn(m.fit, table, (asked.across, asked.down, asked.vulnerable), m.prob),
        f"Expected printed share at each combination of {across.label} and {down.label}: median, "
        f"50% and {name}; at the right the probability of being above the average of the "
        f"{firms}. Grey and hollow: nobody stands there.",
        "Dots with intervals, one row a combination, with the printed shares of those who stand "
        "there. The numbers are in the table.",
        not m.passed,
    )
    readings = Table(
        f"Opportunity and vulnerability ({name})",
        (
            *(across.label, down.label, f"{firms}, printed share", "median", "interval"),
            *("Pr(above average)", "reading"),
        ),
        _rows(table),
        numeric=(3, 4, 5),
        file="tables/opportunity.csv",
        note="Pr(above average): probability that the expected share is above the average of "
        f"the {firms} as they are, in the same draw. Extrapolation: nobody stands there; the "
        "effects of the two predictors are added up on the logit scale, and nothing observed "
        "speaks for or against that.",
        failed=not m.passed,
    )
    said = Items(tuple(marked(reading_sentences(table, firms), m.passed)))
    notes = map(Paragraph, filter(None, (text, asked.note)))
    title = "Opportunity and vulnerability"
    return Section("opportunity", title, (*notes, said, figure, readings))


def reading_sentences(table: pd.DataFrame, firms: str) -> list[str]:
    """Which combinations can be read, and which have no firm; ``firms`` is what they are called."""
    read = table[table["reading"] != NEITHER]
    said = []
    for wanted, words in (("clear", "Clear"), ("leaning", "The data lean towards it")):
        listed = [
            f"{row.across}, {row.down}: {row.reading} ({_chance(row)})"
            for row in read[read["verdict"] == wanted].itertuples(index=False)
        ]
        said += [f"{words}: {'; '.join(listed)}."] if listed else []
    if not said:
        nearest = read.sort_values("p_direction", ascending=False, kind="stable").head(1)
        near = [
            f" Nearest to it is {row.across}, {row.down} ({row.reading}, {_chance(row)})."
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


def _chance(row: Any) -> str:
    extrapolated = ", extrapolation" * (row.firms == 0)
    return f"probability {direction(row)}{extrapolated}"


def _rows(table: pd.DataFrame) -> Rows:
    decimals = common_decimals(table)
    return tuple(
        (
            row.across,
            row.down,
            _standing(row.observed) or "none: extrapolation",
            *median_and_interval(row, decimals),
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
    if row.reading == NEITHER:
        return NEITHER
    near = on_the_edge(row.p_direction, row.p_error, (CLEAR, LEANING))
    return f"{row.reading} ({row.verdict}{', on the edge' * near})"
