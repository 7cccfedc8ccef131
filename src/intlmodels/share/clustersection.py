"""The section of a report on clusters of firms that are estimated together."""

from __future__ import annotations

import pandas as pd

from intlmodels import formats as f
from intlmodels.narrative import marked
from intlmodels.report.blocks import Block, Items, Paragraph, Section, Table
from intlmodels.report.figures import picture
from intlmodels.report.shown import Rows, common_decimals, interval, on_its_scale
from intlmodels.share import clustersentences as told
from intlmodels.share import clustertables as tables
from intlmodels.share import plotclusters
from intlmodels.share.material import ShareMaterial

#: Clusters in tables of the report itself; the files have them all.
MOST_CLUSTERS = 60


def clusters(m: ShareMaterial) -> Section | None:
    """How clusters differ, in level and in effects; nothing for a study without clusters."""
    if not len(m.clusters):
        return None
    firms = f.plural(m.study.firm_label)
    spreads = tables.spreads(m.fit, m.prob)
    text = (
        f"{m.firms} of {len(m.clusters):,} clusters are estimated together. Each cluster has a "
        "level and effects of its own, which are drawn towards those of the others as far as the "
        f"data allow (partial pooling): a cluster with many {firms} keeps what its own {firms} "
        "say, a cluster with few borrows from the others."
    )
    found = m.clusters, m.cluster_differences, spreads
    blocks: list[Block] = [
        Paragraph(text),
        Items(tuple(marked(told.told(*found, m.study.firm_label), m.passed))),
        picture(
            "clusters",
            plotclusters.clusters(m.fit, m.prob),
            f"Expected printed share in each cluster, averaged over its own {firms}: median, "
            f"50{f.SPACE}% and {f.interval_name(m.prob)}; beside it the average of what they "
            "print.",
            _heard(m),
            not m.passed,
        ),
        _table(m),
        *_differences(m),
        _spreads(m, spreads),
        Paragraph("What these clusters cannot tell:"),
        Items(tuple(marked(told.cannot_tell(*found, m.study.firm_label), m.passed))),
    ]
    return Section("clusters", "Clusters", tuple(blocks))


def _heard(m: ShareMaterial) -> str:
    decimals = common_decimals(m.clusters)
    said = "; ".join(
        f"{row.cluster} {f.percent(row.median, decimals)} (printed {f.number(row.printed_mean, 1)})"
        for row in list(m.clusters.itertuples(index=False))[:12]
    )
    return f"Dots with intervals, one row a cluster, and the printed averages. Medians: {said}."


def _table(m: ShareMaterial) -> Table:
    decimals = common_decimals(m.clusters)
    rows = tuple(
        (
            row.cluster,
            str(row.firms),
            f.number(row.printed_mean, 1),
            f.number(row.median, decimals),
            interval(row, decimals),
            f.number(row.pulled, 1),
        )
        for row in list(m.clusters.itertuples(index=False))[:MOST_CLUSTERS]
    )
    firms = f.plural(m.study.firm_label)
    return Table(
        f"Each cluster with its own {firms} as they are, in percent ({f.interval_name(m.prob)})",
        ("cluster", firms, "printed average", "expected share", "interval", "moved by"),
        rows,
        numeric=(1, 2, 3, 4, 5),
        file="tables/clusters.csv",
        note="Moved by: expected share less printed average, in percentage points. The expected "
        f"share if all {m.firms} were of one cluster stands among the estimates.",
        failed=not m.passed,
    )


def _differences(m: ShareMaterial) -> list[Block]:
    """What predictors make a difference of within each cluster."""
    chosen = tables.main_comparisons(m.fit, m.prob)[: plotclusters.MOST_PANELS]
    if not chosen:
        return []
    table = m.cluster_differences
    shown = picture(
        "cluster-differences",
        plotclusters.cluster_differences(m.fit, m.prob),
        "Differences between levels over all clusters and within each, in percentage points: "
        f"median, 50{f.SPACE}% and {f.interval_name(m.prob)}. Of each predictor the comparison "
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
            size = f"{f.number(row.median, decimals)} ({interval(row, decimals)}){borrowed}"
            cells[row.cluster, key] = size
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


def _spreads(m: ShareMaterial, table: pd.DataFrame) -> Table:
    rows = tuple(
        (
            row.what,
            *on_its_scale(row.median, row.ci_low, row.ci_high),
            *on_its_scale(row.prior_median, row.prior_low, row.prior_high),
            f.number(row.spread_ratio, 2),
        )
        for row in table.itertuples(index=False)
    )
    return Table(
        f"Standard deviations between clusters, logit scale ({f.interval_name(m.prob)}s)",
        ("of the", "posterior median", "interval", "prior median", "interval", "spread ratio"),
        rows,
        numeric=(1, 2, 3, 4, 5),
        file="tables/parameters.csv",
        note="Spread ratio: width of the central 68 % of the posterior over that of the prior; 1 "
        "means that the data said nothing.",
        failed=not m.passed,
    )
