"""The sections on clusters of firms, and on two predictors read together."""

from __future__ import annotations

from json import dumps
from typing import TYPE_CHECKING, Any

from intlmodels.core import formats as f
from intlmodels.fitting.diagnostics import on_the_edge
from intlmodels.models.share.design import CLUSTER
from intlmodels.plots import sharedata
from intlmodels.report import rows
from intlmodels.report.data import ShareReportData
from intlmodels.report.pages import Values
from intlmodels.report.sections import drawing
from intlmodels.results import groups as tables
from intlmodels.results.groups import ALL, NEITHER
from intlmodels.results.wording import CLEAR, LEANING, SHIFTED, WIDE, direction, verdict

if TYPE_CHECKING:
    import pandas as pd


#: Clusters in tables of the report itself; the files have them all.
MOST_CLUSTERS = 60
#: A cluster with so few firms borrows from the others; the spread between so few is hardly known.
FEW_FIRMS, FEW_CLUSTERS = 3, 5
_KEY = ["predictor", "level", "against"]


def clusters(m: ShareReportData) -> Values | None:
    """How clusters differ, in level and in effects; nothing for a study without clusters."""
    if not len(m.clusters):
        return None
    decimals = rows.common_decimals(m.clusters)
    ordered = m.clusters.sort_values("median", kind="stable")
    low, high = (next(ordered.iloc[[i]].itertuples(index=False)) for i in (0, -1))
    few = m.clusters[m.clusters["firms"] <= FEW_FIRMS]
    own = m.cluster_differences
    own = own[own["cluster"] != ALL] if len(own) else own
    empty = own[(own["firms_level"] == 0) | (own["firms_against"] == 0)] if len(own) else own
    return rows.words(m) | {
        "count": len(m.clusters),
        "ends": [
            {"cluster": row.cluster, "share": rows.estimate(row, decimals, "%")}
            for row in (low, high)
        ],
        "drawn": drawing("clusters", sharedata.clusters(m.fit, m.prob)),
        "shares": tuple(
            (
                row.cluster,
                f"{row.firms:,}",
                f.number(row.printed_mean, 1),
                rows.estimate(row, decimals),
                f.number(row.pulled, 1),
            )
            for row in m.clusters.head(MOST_CLUSTERS).itertuples(index=False)
        ),
        "differences": _differences(m),
        **_spreads(tables.spreads(m.fit, m.prob)),
        "agreeing": _agreeing(m.cluster_differences),
        "hardly_known": len(m.clusters) < FEW_CLUSTERS,
        "few": [f"{row.cluster} ({row.firms})" for row in few.itertuples(index=False)],
        "few_firms": FEW_FIRMS,
        "borrowed": len(empty),
        "within": len(own),
    }


def _spreads(table: pd.DataFrame) -> Values:
    """How far levels and effects differ between clusters, and of which that is hardly known."""
    each = list(table.itertuples(index=False))
    return {
        "spreads": tuple((row.what, *rows.beside_prior(row)) for row in each),
        "level_sd": next(rows.estimate(row, 2) for row in each if row.name == f"sigma_{CLUSTER}"),
        "still": [row.what for row in each if row.spread_ratio > WIDE and abs(row.shift) < SHIFTED],
    }


def _agreeing(table: pd.DataFrame) -> rows.Rows:
    """Differences that are clear over all clusters, and in how many they keep their direction."""
    if not len(table):
        return ()
    own, found = table[table["cluster"] != ALL], []
    for row in table[table["cluster"] == ALL].itertuples(index=False):
        if verdict(row.p_direction) == "clear":
            each = own[(own[_KEY] == [getattr(row, name) for name in _KEY]).all(axis=1)]
            same = (each["median"] > 0) == (row.median > 0)
            sure = int((same & (each["p_direction"] >= CLEAR)).sum())
            counts = f"{int(same.sum())} of {len(each)}", f"{sure} of {len(each)}"
            found.append((row.label, rows.compared_levels(row), *counts))
    return tuple(found)


def _differences(m: ShareReportData) -> Values | None:
    """Differences that predictors make within each cluster."""
    chosen = tables.main_comparisons(m.fit, m.prob)[: sharedata.MOST_PANELS]
    if not chosen:
        return None
    table, cells = m.cluster_differences, {}
    for key in chosen:
        part = table[(table[_KEY] == list(key)).all(axis=1)]
        decimals = rows.common_decimals(part)
        for row in part.itertuples(index=False):
            borrowed = "*" if not row.firms_level or not row.firms_against else ""
            cells[row.cluster, key] = rows.estimate(row, decimals) + borrowed
    names = list(dict.fromkeys(table["cluster"]))[: MOST_CLUSTERS + 1]
    return {
        "drawn": drawing("cluster-differences", sharedata.cluster_differences(m.fit, m.prob)),
        "names": [f"{level} {f.MINUS} {against}" for _, level, against in chosen],
        "cells": tuple((name, *(cells[name, key] for key in chosen)) for name in names),
        "borrowed": any(cell.endswith("*") for cell in cells.values()),
    }


# -- two predictors read together --------------------------------------------------------


def opportunity(m: ShareReportData) -> Values | None:
    """Which combinations are vulnerable or an opportunity; nothing if a study does not ask."""
    asked, table = m.study.opportunity, m.opportunity
    if asked is None or table is None:
        return None
    across, down = m.study.predictors[asked.across], m.study.predictors[asked.down]
    read = (asked.across, asked.down, asked.vulnerable)
    return rows.words(m) | {
        "across": across.label,
        "down": down.label,
        "vulnerable": asked.vulnerable,
        "other": next(level for level in down.levels if level != asked.vulnerable),
        "clear_from": f"{CLEAR:g}",
        "leaning_from": f"{LEANING:g}",
        "note": asked.note,
        "line": f"im.plots.opportunity(fit, {', '.join(map(dumps, read))})",
        "drawn": drawing("opportunity", sharedata.drawn(m.fit, table, read, m.prob)),
        **readings(table),
    }


def readings(table: pd.DataFrame) -> Values:
    """Combinations that can be read, and those that no firm has."""
    read = table[table["reading"] != NEITHER].sort_values(
        "p_direction", ascending=False, kind="stable"
    )
    said = [
        {
            "where": f"{row.across}, {row.down}",
            "reading": row.reading,
            "verdict": row.verdict,
            "probability": direction(row),
            "extrapolated": row.firms == 0,
        }
        for row in read.itertuples(index=False)
    ]
    decimals = rows.common_decimals(table)
    return {
        "clear": [each for each in said if each["verdict"] == "clear"],
        "leaning": [each for each in said if each["verdict"] == "leaning"],
        "nearest": said[:1],
        "combinations": len(table),
        "empty": [
            f"{row.across}, {row.down}" for row in table.itertuples(index=False) if not row.firms
        ],
        "shares": tuple(
            (
                row.across,
                row.down,
                # A line does not break between a firm and its share.
                "; ".join(f.SPACE.join(firm.rsplit(" ", 1)) for firm in row.observed.split("; "))
                or "none: extrapolation",
                rows.estimate(row, decimals),
                f.probability(row.p_above),
                _reading(row),
            )
            for row in table.itertuples(index=False)
        ),
    }


def _reading(row: Any) -> str:
    if row.verdict not in ("clear", "leaning"):
        return str(row.verdict)
    if row.reading == NEITHER:
        return NEITHER
    near = on_the_edge(row.p_direction, row.p_error, (CLEAR, LEANING))
    return f"{row.reading} ({row.verdict}{', on the edge' * near})"
