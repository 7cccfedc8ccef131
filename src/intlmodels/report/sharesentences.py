"""What the tables of the share model say, in sentences; see :mod:`intlmodels.results.wording`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from intlmodels.core import formats as f
from intlmodels.models.share.design import CLUSTER, FIRM
from intlmodels.results.share import NOT_EXPLAINED
from intlmodels.results.wording import (
    CLEAR,
    LEANING,
    direction,
    firm_verdict,
    in_percent,
    marked,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd


def difference(row: Any, points: str = "percentage points") -> str:
    """One difference in words, the larger level first."""
    above, below, low, high = row.level, row.against, row.ci_low, row.ci_high
    if row.median < 0:
        above, below, low, high = below, above, -high, -low
    decimals = f.decimals_for(high - low)
    size = f.with_unit(f.number(abs(row.median), decimals), points)
    return (
        f"{row.label}: {above} above {below} by {size} "
        f"({f.interval_name(row.ci_prob, row.ci_kind)} {f.span(low, high, decimals)}; probability "
        f"of direction {direction(row)})"
    )


# -- the answer --------------------------------------------------------------------------


def answer(
    levels: pd.DataFrame,
    differences: pd.DataFrame,
    ranks: pd.DataFrame,
    variation: pd.DataFrame,
    average: pd.DataFrame,
    checks: pd.DataFrame,
    firms: str,
    many: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    groups: Collection[str] = (CLUSTER,),
    rows: str = "firms",
) -> list[str]:
    """The answer in three sentences: differences, order of levels, variation.

    Where a study has too few predictors for one of them, the average and the scatter of the firms
    take its place. The tables are those of the same names in :mod:`intlmodels.results.share`;
    ``firms`` says who they are, with their number: ``22 firms``; ``many`` are ``many_levels`` and
    ``level_spread``; ``groups`` the names of groupings, ``rows`` what rows are called.
    """
    passed = bool(average["converged"].all())
    candidates = [
        answer_differences(differences, firms),
        answer_many_levels(*many) if many else "",
        answer_ranks(ranks, levels),
        answer_variation(variation, groups, rows),
        _average(average, firms),
        _scatter(checks, firms),
    ]
    return marked([sentence for sentence in candidates if sentence][:3], passed)


def _best(table: pd.DataFrame) -> tuple[list[Any], str, list[Any]]:
    """All differences, the clearest first; the best verdict on any; those that have it."""
    ordered = table.sort_values("p_direction", ascending=False, kind="stable")
    rows = list(ordered.itertuples(index=False))
    verdicts = [firm_verdict(row) for row in rows]
    best = next(said for said in ("clear", "leaning", "undecided") if said in verdicts)
    return rows, best, [row for row, said in zip(rows, verdicts, strict=True) if said == best]


def _named(rows: list[Any], most: int, points: str = "percentage points") -> str:
    more = f"; and {len(rows) - most} more" if len(rows) > most else ""
    return "; ".join(difference(row, points) for row in rows[:most]) + more


def answer_differences(table: pd.DataFrame, firms: str, most: int = 3) -> str:
    """Which differences between levels are clear, or how far the data are from telling."""
    if not len(table):
        return ""
    rows, best, found = _best(table)
    comparisons = f.counted(len(rows), "comparison")
    if best == "clear":
        return (
            f"Of {comparisons} between levels {len(found)} {'is' if len(found) == 1 else 'are'} "
            f"clear (probability of direction at least {CLEAR:g}): {_named(found, most)}."
        )
    if best == "leaning":
        return (
            f"No difference between levels is clear (none of {comparisons} has a probability of "
            f"direction of {CLEAR:g} or more beyond Monte Carlo error), but the data lean towards "
            f"{_named(found, most)}."
        )
    names = [name[:1].lower() + name[1:] for name in dict.fromkeys(table["label"])]
    return (
        f"These {firms} cannot tell the levels of {f.listed(names, 'or')} apart: of "
        f"{comparisons} none reaches a probability of direction of {LEANING:g}; nearest to it is "
        f"{difference(rows[0])}."
    )


def answer_ranks(ranks: pd.DataFrame, levels: pd.DataFrame, most: int = 3) -> str:
    """Which level most probably has the largest and the smallest expected share."""
    if not len(ranks):
        return _contrast_levels(levels)
    parts: list[str] = []
    for _, part in list(ranks.groupby("predictor", sort=False))[:most]:
        last = part["rank"].max()
        top = part[part["rank"] == 1].nlargest(1, "probability").iloc[0]
        bottom = part[part["rank"] == last].nlargest(1, "probability").iloc[0]
        first = not parts
        parts.append(
            f"by {top['label']}, {'the largest expected share most probably belongs ' * first}to "
            f"{top['level']} ({'probability ' * first}{f.probability(top['probability'])}, where "
            f"even chances are {f.probability(1 / last)}) and {'the smallest ' * first}to "
            f"{bottom['level']} ({f.probability(bottom['probability'])})"
        )
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def answer_many_levels(levels: pd.DataFrame, spreads: pd.DataFrame) -> str:
    """How far the levels of predictors with very many of them differ, and which are at the ends."""
    parts = []
    for row in spreads.itertuples(index=False):
        own = levels[levels["predictor"] == row.predictor]
        best, worst = (
            next(own.nlargest(1, end).itertuples(index=False))
            for end in ("p_largest", "p_smallest")
        )
        parts.append(
            f"the {row.levels} levels of {row.label} differ with a standard deviation of "
            f"{f.number(row.median, 1)} percentage points "
            f"({f.interval_name(row.ci_prob, row.ci_kind)} {f.span(row.ci_low, row.ci_high, 1)}); "
            f"the largest expected share most probably belongs to {best.level} (probability "
            f"{f.probability(best.p_largest)}) and the smallest to {worst.level} "
            f"({f.probability(worst.p_smallest)})"
        )
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _contrast_levels(levels: pd.DataFrame) -> str:
    if not len(levels):
        return ""
    first = levels[levels["predictor"] == levels["predictor"].iloc[0]]
    parts = [f"{in_percent(row)} for {row.level}" for row in first.itertuples(index=False)]
    return (
        f"With everything else as observed, the average expected printed share by "
        f"{first['label'].iloc[0]} is {f.listed(parts)}."
    )


def answer_variation(table: pd.DataFrame, groups: Collection[str], between: str) -> str:
    """How much of the variation between firms, or rows, each source takes up."""
    known = table[table["source"] != NOT_EXPLAINED]
    if not len(known):
        return ""
    left = next(table[table["source"] == NOT_EXPLAINED].itertuples(index=False))
    ordered = known.sort_values("median", ascending=False, kind="stable")
    largest = next(ordered.itertuples(index=False))
    by_all = "the predictor" if len(known) == 1 else f"all {len(known)} predictors together"
    named = [_groups(row) for row in known.itertuples(index=False) if row.source in groups]
    if named:
        others = len(known) - len(named)
        named += [f.counted(others, "predictor")] if others else []
        by_all = f"{f.listed(named)} together"
    before = ""
    if hasattr(left, "prior_median"):
        span = f.span(left.prior_low, left.prior_high, 0)
        before = f" (before seeing the data {f.percent(left.prior_median, 0)}, {span})"
    return (
        f"Of the variation of shares between {between} {in_percent(left)} is left unexplained by "
        f"{by_all}{before}; "
        f"the largest part that is explained goes with {largest.label}: {in_percent(largest)}."
    )


def _groups(row: Any) -> str:
    """What the groups of a source are called."""
    if row.source == CLUSTER:
        return "the clusters"
    return f"the {f.plural(row.label)}" if row.source == FIRM else f"the groups by {row.label}"


def _average(table: pd.DataFrame, firms: str) -> str:
    row = next(table.itertuples(index=False))
    return f"The average expected printed share of the {firms} is {in_percent(row)}."


def _scatter(checks: pd.DataFrame, firms: str) -> str:
    row = checks[checks["feature"].str.startswith("standard deviation between")]
    if not len(row):
        return ""
    first = next(row.itertuples(index=False))
    return (
        f"The printed shares of the {firms} have a standard deviation of "
        f"{f.number(first.observed, 1)} percentage points; the model expects "
        f"{f.span(first.ci_low, first.ci_high)} ({f.interval_name(first.ci_prob, first.ci_kind)})."
    )


# -- levels that are those of the same firms --------------------------------------------


def confounded(table: pd.DataFrame, rows: str) -> list[str]:
    """Levels of two predictors that are those of the same firms: see :func:`.share.confounded`."""
    found = []
    for row in table.itertuples(index=False):
        if row.both == row.of_a == row.of_b:
            same = f"all {row.of_a} {rows} of {row.level_a} are the {row.of_b} of {row.level_b}"
            only = "only the prior tells"
        else:
            same = (
                f"{row.both} of the {row.of_a} {rows} of {row.level_a} are among the {row.of_b} of "
                f"{row.level_b}"
            )
            only = "little but the prior tells"
        found.append(
            f"{row.label_a} and {row.label_b} are confounded here: {same}, so that {only} the "
            "effects of these two levels apart."
        )
    return found
