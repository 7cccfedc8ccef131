"""What the tables of the share model say, in sentences; see :mod:`intlmodels.results.wording`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core import formats as f
from intlmodels.models.base import DEFAULT
from intlmodels.models.share.design import CLUSTER, FIRM, Design
from intlmodels.results.groups import ALL
from intlmodels.results.share import NOT_EXPLAINED, Measured
from intlmodels.results.wording import (
    CLEAR,
    LEANING,
    SHIFTED,
    WIDE,
    direction,
    firm_verdict,
    in_percent,
    marked,
    missed,
    still_sentence,
    verdict,
)
from intlmodels.studies import FurtherOutcome, ShareStudy, Total

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pandas as pd


#: A level with so few firms says little of its own.
FEW_FIRMS = 3
#: Levels up to which the spread between them is said to be hardly known.
FEW_LEVELS = 6
#: A spread is hardly known from this ratio of the widths of posterior and prior.
HARDLY_KNOWN = 0.5


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
    best = next(said for said in ("clear", "leaning", "cannot tell") if said in verdicts)
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


# -- the model ---------------------------------------------------------------------------


def term_sentences(design: Design, study: ShareStudy) -> list[str]:
    """What the terms of a model beyond single predictors mean, those that it has."""
    row, found = study.row_label, []
    if study.panel is not None and design.grouping(FIRM) is not None:
        firm = study.firm_label
        found.append(
            f"The rows of one {firm} share an effect of that {firm}, drawn around zero with an "
            f"estimated spread: rows of one {firm} are alike in ways that no predictor tells, and "
            "do not count as independent."
        )
    for own in design.groupings:
        if own.name in (CLUSTER, FIRM):
            continue
        varies = [block.label for block in design.slopes(own)]
        effects = f"; the effects of {f.listed(varies)} vary by group as well" if varies else ""
        found.append(
            f"Each of the {len(own.labels):,} groups by {own.label} has a level of its own, drawn "
            f"around zero with an estimated spread{effects}."
        )
    split = [p.label for p in study.predictors.values() if p.split]
    if split and study.panel is not None:
        firm = study.firm_label
        found.append(
            f"{f.listed(split)}: the mean of {f.a(firm)} over its rows (between) and the deviation "
            "from it (within) are predictors of their own, each standardized on its own (Mundlak "
            f"1978). Between says how {f.plural(firm)} differ, within what goes with a change in "
            f"one {firm}."
        )
    curved = {
        kind: [p.label for p in study.predictors.values() if p.curve == kind]
        for kind in ("quadratic", "spline")
    }
    if curved["quadratic"]:
        found.append(f"{f.listed(curved['quadratic'])}: the effect has a quadratic part.")
    if curved["spline"]:
        found.append(
            f"{f.listed(curved['spline'])}: the effect is a natural cubic spline, straight beyond "
            "the outer knots."
        )
    if design.precision:
        names = list(dict.fromkeys(block.label for block in design.precision))
        found.append(
            f"How far shares scatter around their expectation depends on {f.listed(names)} as well "
            "(a regression of the logarithm of the precision; Smithson and Verkuilen 2006)."
        )
    if design.family == "hurdle":
        names = list(dict.fromkeys(block.label for block in design.never))
        which = f", with a probability that depends on {f.listed(names)}" if names else ""
        found.append(
            f"A printed 0 is a {row} that has no share at all{which}, or a small share that rounds "
            "to 0; both are summed."
        )
    if design.family == "ordered-beta":
        found.append(
            "Shares of exactly 0 and exactly 100 percent have probabilities of their own, which "
            "follow the same linear predictor (Kubinec 2023); a printed 0 is one of these or a "
            "small share that rounds to 0, and both are summed."
        )
    return found


# -- priors ------------------------------------------------------------------------------


def prior_predictive_sentence(
    values: dict[str, float], prob: float, firms: str, one: str = "firm"
) -> str:
    """What the priors imply for printed shares, before any data.

    ``values`` are in percent: ``low``, ``median`` and ``high`` of one firm's printed share, the
    same with ``mean_`` of the average; ``zero`` is the probability of a printed 0.
    """
    name = f.interval_name(prob)
    return (
        f"Before seeing data the model expects one {one} to print {f.percent(values['median'])} "
        f"({name} {f.span(values['low'], values['high'], 0)}), a printed 0 with probability "
        f"{f.probability(values['zero'])}, and an average over the {firms} of "
        f"{f.percent(values['mean_median'])} "
        f"({name} {f.span(values['mean_low'], values['mean_high'], 0)})."
    )


def prior_difference_sentences(differences: pd.DataFrame) -> list[str]:
    """What the priors imply for the difference between two levels of each predictor."""
    return [
        f"{row.label}: the difference between {row.level} and {row.against} is expected "
        f"within {f.span(row.ci_low, row.ci_high, 0)} percentage points "
        f"({f.interval_name(row.ci_prob, row.ci_kind)})."
        for row in differences.drop_duplicates("predictor").itertuples(index=False)
    ]


# -- checks ------------------------------------------------------------------------------


def feature_decimals(feature: str) -> int:
    """Decimals with which a feature of the data is written: none for counts."""
    return 0 if feature.startswith(("firms", "rows")) else 1


def register_feature_decimals(feature: str) -> int:
    """Decimals with which a feature of a register is written."""
    return 1 if feature.startswith(("smallest", "largest", "most common")) else 3


# -- what the firms cannot tell ----------------------------------------------------------


def cannot_tell(
    levels: pd.DataFrame,
    differences: pd.DataFrame,
    parameters: pd.DataFrame,
    crossings: pd.DataFrame,
    firms: str,
    rows: str = "firms",
) -> list[str]:
    """What so few firms leave open, from the fit itself."""
    passed = bool(parameters["converged"].all())
    sentences = [_width(part, firms) for _, part in differences.groupby("predictor", sort=False)]
    open_ = differences[differences["p_direction"] < LEANING]
    if len(differences):
        sentences.append(
            f"The direction is open (probability below {LEANING:g}) for {len(open_)} of "
            f"{f.counted(len(differences), 'comparison')}."
        )
    few = levels[levels["firms"] <= FEW_FIRMS]
    if len(few):
        parts = [f"{row.level} ({row.firms})" for row in few.itertuples(index=False)][:12]
        more = f" and {len(few) - 12} more" if len(few) > 12 else ""
        sentences.append(
            f"Levels with {FEW_FIRMS} {rows} or fewer borrow most of their estimate from the "
            f"others: {'; '.join(parts)}{more}."
        )
    sentences += [_crossing(row, rows) for row in crossings.itertuples(index=False) if row.empty][
        :10
    ]
    return marked([*sentences, *still_sentence(parameters)], passed)


def explained(table: pd.DataFrame) -> str:
    """What predictors explain of the variation together, of one row or none."""
    for row in table.itertuples(index=False):
        name = f.interval_name(row.ci_prob, row.ci_kind)
        before = f"{row.prior_median:.0f}% ({name} "
        after = f"{row.median:.0f}% ({f.span(row.ci_low, row.ci_high, 0)})"
        return (
            f"Before seeing data the predictors together explain {before}"
            f"{f.span(row.prior_low, row.prior_high, 0)}) of the variation of shares, after it "
            f"{after}."
        )
    return ""


def few_levels(parameters: pd.DataFrame, levels: Mapping[str, int]) -> list[str]:
    """That a few levels say little about the spread of their effects, from prior and posterior.

    ``levels``: number of levels of each predictor with a spread.
    """
    ratios = dict(zip(parameters["name"], parameters["spread_ratio"], strict=True))
    known = {name: float(ratios.get(f"sigma_{name}", 0.0)) for name in levels}
    said = [
        f"sigma_{name} ({levels[name]} levels) {ratio:.2f} times"
        for name, ratio in known.items()
        if levels[name] <= FEW_LEVELS and ratio >= HARDLY_KNOWN
    ]
    if not said:
        return []
    return [
        "A few levels say little about how far they differ at all: the posterior of "
        f"{f.listed(said)} as wide as its prior (1: nothing is learned). How far levels are drawn "
        "towards each other rests on that prior as well."
    ]


def heaping(
    own: pd.DataFrame, heaped: pd.DataFrame, elpds: pd.DataFrame | None, differences: pd.DataFrame
) -> str:
    """How the default fares beside the variant ``heaped``, and why it is the default all the same.

    ``own`` and ``heaped`` are predictive checks, ``elpds`` compares variants, if that was done, and
    ``differences`` are those of the variants side by side.
    """
    of_default, of_heaped = (set(table["feature"][missed(table)]) for table in (own, heaped))
    mended = [name for name in own["feature"] if name in of_default - of_heaped]
    broken = [name for name in own["feature"] if name in of_heaped - of_default]
    said = [f"the default fails {f.listed(mended)}, which heaped passes"] if mended else []
    said += [f"heaped fails {f.listed(broken)}, which the default passes"] if broken else []
    checked = "; ".join(said) or "both pass and fail the same of these checks"
    text = (
        "Heaping: the default takes every share as rounded to the width that the study states; in "
        "the variant heaped a multiple of twice that width may have been rounded to twice the "
        f"width. {checked[:1].upper()}{checked[1:]}."
    )
    tails = own["p_larger"].clip(upper=1 - own["p_larger"])
    feature = str(own.loc[tails.idxmin(), "feature"])
    each = [table.set_index("feature").loc[feature, "p_larger"] for table in (own, heaped)]
    text += (
        f" Farthest out under the default is {feature}: probability of a larger value "
        f"{f.probability(each[0])}, under heaped {f.probability(each[1])}."
    )
    if elpds is not None and {"default", "heaped"} <= set(elpds["variant"]):
        text += _heaped_against_default(elpds.set_index("variant"))
    wide = differences.assign(verdict=differences["p_direction"].map(verdict)).pivot_table(
        "verdict", ["predictor", "level", "against"], "variant", "first"
    )
    both = wide[["default", "heaped"]].dropna()
    changed = int((both["default"] != both["heaped"]).sum())
    return (
        f"{text} It stays a variant, since the default is the same for every study and not chosen "
        f"by these results; it changes {f.counted(changed, 'verdict') if changed else 'no verdict'}"
        f" of {f.counted(len(both), 'comparison')}."
    )


def _heaped_against_default(elpds: pd.DataFrame) -> str:
    row, default = elpds.loc["heaped"], elpds.loc["default"]
    text = (
        f" In predicting what is left out heaped is {'better' if row.difference > 0 else 'worse'} "
        f"by {f.number(abs(row.difference), 1)} in elpd "
        f"({f.interval_name(row.ci_prob, row.ci_kind)} of the difference "
        f"{f.span(row.ci_low, row.ci_high, 1)})"
    )
    if not np.isnan(row.log_evidence - default.log_evidence):
        text += (
            f"; its log evidence is {f.number(row.log_evidence, 1)}, that of the default "
            f"{f.number(default.log_evidence, 1)}"
        )
    return f"{text}."


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


def _width(part: pd.DataFrame, firms: str) -> str:
    widths = (part["ci_high"] - part["ci_low"]).to_numpy()
    decimals = f.decimals_for(float(widths.max()))
    name = f.interval_name(part["ci_prob"].iloc[0], part["ci_kind"].iloc[0])
    if len(part) == 1:
        wide = f"The {name} of the difference is {f.number(widths[0], decimals)}"
    else:
        wide = f"The {name}s of the differences are {f.span(widths.min(), widths.max(), decimals)}"
    half = f.number(float(np.median(widths)) / 2, decimals)
    return (
        f"{part['label'].iloc[0]}: {wide} percentage points wide; with {firms}, a difference of "
        f"less than about {half} points cannot be told from none."
    )


def _crossing(row: Any, rows: str) -> str:
    one = "row" if rows == "rows" else "firm"
    text = (
        f"{row.label_a} and {row.label_b} are not crossed: {row.empty} of {row.cells} combinations "
        f"of their levels have no {one}"
    )
    if row.tied:
        text += f", and {row.tied}"
    return text + ". Their effects are told apart by the model's additivity, not by the data alone."


# -- what the tables of clusters say ---------------------------------------------------

#: Clusters below which the spread between them is hardly known.
FEW_CLUSTERS = 5
#: Clusters named in one sentence.
MOST_NAMED = 8
_KEY = ("predictor", "level", "against")


def cluster_sentences(
    clusters: pd.DataFrame, differences: pd.DataFrame, spreads: pd.DataFrame, firm: str
) -> list[str]:
    """How far clusters differ, in level and in effects, and what pooling did.

    The tables are those of :mod:`intlmodels.results.groups`; ``firm`` is what a firm is called.
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


def clusters_cannot_tell(
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


# -- sums over the firms -----------------------------------------------------------------


def total(
    cells: Mapping[tuple[str, str, str], Any], total: Total, firms: tuple[str, ...], prob: str
) -> str:
    """What the shares of the firms come to.

    ``cells``: rows of :func:`intlmodels.results.share.totals` by fit, firms and quantity.
    """
    at = {(who, quantity): row for (fit, who, quantity), row in cells.items() if fit == DEFAULT}
    named = {
        key: f"{f.number(row.median, decimals)} {row.unit} ".replace(" % ", "% ")
        + f"({f.span(row.ci_low, row.ci_high, decimals)})"
        for key, row in at.items()
        for decimals in [f.decimals_for(row.ci_high - row.ci_low)]
    }
    largest = next(who for who, quantity in at if quantity == "of all")
    what, of = (text[:1].lower() + text[1:] for text in (total.label, total.of))
    said = (
        f"{total.label}: {named['all', 'part']} of {named['all', 'whole']} {of}, a share of "
        f"{named['all', 'share']} ({prob}s). The mean share of the firms, each counted once, is "
        f"{named['all', 'mean share']}. {largest} accounts for {named[largest, 'of all']} of "
        f"{what}; without {largest} the share is {named[f'without {largest}', 'share']}. The "
        "share of a firm is drawn within the interval that rounds to the reported number, given "
        f"the parameters of each draw; its {of} is taken as reported."
    )
    missing = [firm for firm, own in zip(firms, total.values, strict=True) if np.isnan(own)]
    if missing:
        known = len(firms) - len(missing)
        said += (
            f" For {f.listed(missing)} {of} is not reported: it is drawn from the predictive law "
            f"of a lognormal sample, of the {known} others"
        )
        others = [fit for fit, *_ in cells if fit != DEFAULT]
        said += f"; in variant {others[0]} it is estimated with the rest." if others else "."
    return marked([said], bool(at["all", "part"].converged))[0]


# -- what the fits of further outcomes say ---------------------------------------------


def can_tell(
    differences: pd.DataFrame, measured: Measured, further: FurtherOutcome, firms: str
) -> list[str]:
    """What so few firms can tell of a further outcome, from the differences of its fit."""
    if not len(differences):
        return []
    rows, best, found = _best(differences)
    count, what = f.counted(len(rows), "comparison"), further.label.lower()
    if best in _WORDS:
        first = (
            f"Of {count} of {what}, {len(found)} {_WORDS[best][len(found) == 1]}: "
            f"{_named(found, 2, measured.points)}."
        )
    else:
        first = (
            f"These {firms} cannot tell what goes with {what}: of {count} none has a probability "
            f"of direction of {LEANING:g} or more; nearest to it is "
            f"{difference(rows[0], measured.points)}."
        )
    widths = differences["ci_high"] - differences["ci_low"]
    decimals = f.decimals_for(float(widths.max()))
    name = f.interval_name(rows[0].ci_prob, rows[0].ci_kind)
    second = (
        f"The {name}s of the differences are {f.span(widths.min(), widths.max(), decimals)} "
        f"{measured.points} wide; a difference of less than about "
        f"{f.number(float(widths.median()) / 2, decimals)} cannot be told from none."
    )
    return marked([first, second], bool(differences["converged"].all()))


_CLEAR = f"clear (probability of direction at least {CLEAR:g})"
_LEANING = f"to one side (probability of direction at least {LEANING:g}), none is clear"
#: Verdict -> what is said of the comparisons that have it, of several and of one.
_WORDS = {
    "clear": (f"are {_CLEAR}", f"is {_CLEAR}"),
    "leaning": (f"lean {_LEANING}", f"leans {_LEANING}"),
}


def with_share(
    levels: pd.DataFrame, differences: pd.DataFrame, further: FurtherOutcome, variant: str
) -> list[str]:
    """How the share goes with a further outcome that is one of its predictors.

    The tables are from :func:`intlmodels.results.groups.share_by_level`.
    """
    rows = list(levels.itertuples(index=False))
    sentences = [
        f"With {further.label.lower()} as a further predictor of the share (variant {variant}) and "
        f"all other predictors as observed, the average expected share is {in_percent(rows[0])} at "
        f"{rows[0].level} and {in_percent(rows[-1])} at {rows[-1].level}."
    ]
    for row in differences.itertuples(index=False):
        sentences.append(f"{difference(row)}: {_JUDGED[firm_verdict(row)]}.")
    if len(rows) > 2:
        sentences.append(
            "The effect climbs or falls from level to level by assumption, so that this is one "
            "direction for all of them; how large each step is, is estimated."
        )
    return marked(sentences, bool(levels["converged"].all()))


_JUDGED = {
    "clear": "clear",
    "leaning": "the data lean to it",
    "cannot tell": "these data cannot tell",
}
