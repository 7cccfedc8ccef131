"""What the tables of clusters say, in sentences; see :mod:`intlmodels.narrative`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from intlmodels import formats as f
from intlmodels.models.shareblocks import CLUSTER
from intlmodels.narrative import CLEAR, SHIFTED, WIDE, in_percent, verdict
from intlmodels.share.clustertables import ALL
from intlmodels.share.sentences import FEW_FIRMS

if TYPE_CHECKING:
    import pandas as pd

#: Clusters below which the spread between them is hardly known.
FEW_CLUSTERS = 5
#: Clusters named in one sentence.
MOST_NAMED = 8
_KEY = ("predictor", "level", "against")


def told(
    clusters: pd.DataFrame, differences: pd.DataFrame, spreads: pd.DataFrame, firm: str
) -> list[str]:
    """How far clusters differ, in level and in effects, and what pooling did.

    Parameters
    ----------
    clusters, differences, spreads : pandas.DataFrame
        From :func:`by_cluster`, :func:`differences` and :func:`spreads` of
        :mod:`intlmodels.share.clustertables`.
    firm : str
        What a firm is called.
    """
    first = [_levels(clusters, firm), *_effects(spreads), _pulled(clusters, firm)]
    return [*first, *_within(differences)]


def _levels(table: pd.DataFrame, firm: str) -> str:
    ordered = table.sort_values("median", kind="stable")
    low, high = (next(ordered.iloc[[i]].itertuples(index=False)) for i in (0, -1))
    return (
        f"The expected printed share of a cluster's own {f.plural(firm)} goes from "
        f"{in_percent(low)} in {low.cluster} to {in_percent(high)} in {high.cluster}; that holds "
        f"what the {f.plural(firm)} of a cluster are as well as where they are."
    )


def _effects(table: pd.DataFrame) -> list[str]:
    rows = list(table.itertuples(index=False))
    level = next(row for row in rows if row.name == f"sigma_{CLUSTER}")
    said = (
        f"At the same values of all predictors the levels of clusters scatter with a standard "
        f"deviation of {_sd(level)} on the logit scale"
    )
    effects = [row for row in rows if row is not level and not _still(row)]
    if not effects:
        more = "; how much effects differ these clusters hardly tell" * (len(rows) > 1)
        return [f"{said}{more}."]
    largest = max(effects, key=lambda row: row.median)
    return [
        f"{said}; of the effects, that of {largest.what.removeprefix('effect of ')} scatters most, "
        f"with {_sd(largest)}."
    ]


def _still(row: Any) -> bool:
    """Whether the data hardly moved a parameter from its prior."""
    return bool(row.spread_ratio > WIDE and abs(row.shift) < SHIFTED)


def _sd(row: Any) -> str:
    return (
        f"{f.number(row.median, 2)} ({f.interval_name(row.ci_prob, row.ci_kind)} "
        f"{f.span(row.ci_low, row.ci_high, 2)})"
    )


def _pulled(table: pd.DataFrame, firm: str) -> str:
    row = next(table.loc[[table["pulled"].abs().idxmax()]].itertuples(index=False))
    way = "up" if row.pulled > 0 else "down"
    return (
        f"Farthest from what its {f.plural(firm)} print is the estimate of {row.cluster} "
        f"({f.counted(row.firms, firm)}): they print {f.percent(row.printed_mean, 1)} on average, "
        f"and the model, which has the other clusters too, moves that {way} to "
        f"{f.percent(row.median, 1)}."
    )


def _within(table: pd.DataFrame) -> list[str]:
    """Which differences keep their direction in every cluster."""
    own = table[table["cluster"] != ALL]
    if not len(own):
        return []
    whole = table[table["cluster"] == ALL]
    clear = whole[[verdict(p) == "clear" for p in whole["p_direction"]]]
    if not len(clear):
        return [
            "No difference between levels is clear over all clusters; what differs between "
            "clusters in them is less so."
        ]
    parts = []
    for row in list(clear.itertuples(index=False))[:MOST_NAMED]:
        each = own[(own[list(_KEY)] == [getattr(row, name) for name in _KEY]).all(axis=1)]
        same = (each["median"] > 0) == (row.median > 0)
        sure = int((same & (each["p_direction"] >= CLEAR)).sum())
        parts.append(
            f"{row.label}, {row.level} against {row.against}: the same direction in "
            f"{int(same.sum())} of {len(each)} clusters, clear in {sure}"
        )
    return [f"Of the differences that are clear over all clusters, {'; '.join(parts)}."]


def cannot_tell(
    clusters: pd.DataFrame, differences: pd.DataFrame, spreads: pd.DataFrame, firm: str
) -> list[str]:
    """What so many clusters, and so many firms in each, leave open."""
    count = len(clusters)
    said = []
    still = [f"the {row.what}" for row in spreads.itertuples(index=False) if _still(row)]
    if count < FEW_CLUSTERS:
        said.append(
            f"With {count} clusters how much clusters differ is hardly known: each standard "
            f"deviation between them rests on {count} values, and on its prior."
        )
    if still:
        said.append(
            f"These clusters hardly move the prior of how much they differ in {f.listed(still)}: "
            "there, what is said of a cluster that is not among them is the prior speaking."
        )
    few = clusters[clusters["firms"] <= FEW_FIRMS]
    if len(few):
        names = [f"{row.cluster} ({row.firms})" for row in few.itertuples(index=False)]
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        said.append(
            f"Clusters of {FEW_FIRMS} {f.plural(firm)} or fewer borrow most of their estimates "
            f"from the others: {'; '.join(names[:MOST_NAMED])}{more}."
        )
    own = differences[differences["cluster"] != ALL] if len(differences) else differences
    empty = own[(own["firms_level"] == 0) | (own["firms_against"] == 0)] if len(own) else own
    if len(empty):
        said.append(
            f"{len(empty)} of {len(own)} differences within clusters are borrowed altogether: in "
            f"these clusters no {firm} stands at one of the two levels."
        )
    said.append(
        "Why clusters differ is not in the model: a deviation of a cluster is everything that "
        f"its {f.plural(firm)} have in common and no predictor tells."
    )
    return said
