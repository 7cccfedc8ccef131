"""From a fit of the decay model to the tables that are shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core import formats
from intlmodels.models.base import flat, texts
from intlmodels.models.decay.design import OUTCOME
from intlmodels.models.decay.estimands import FALL_AFTER, estimate, pairs_of
from intlmodels.models.share.design import MOST_CLUSTERS
from intlmodels.results.intervals import (
    CI_KIND,
    CI_PROB,
    Array,
    Compared,
    Conclusion,
    beside_prior,
    check_table,
    converged,
    directions,
    grid_table,
    relevance,
    side_by_side,
    table_of,
)

if TYPE_CHECKING:
    import pandas as pd
    from xarray import Dataset, DataTree


#: Variants are held against each other by the fall of the probability: every shape has one.
COMPARED = Compared(
    quantity="fall",
    key=("size",),
    words="the fall among {size} firms",
    heading="{size} firms",
    unit="points",
    apart="",
)


def estimands(fit: DataTree, group: str = "posterior") -> Dataset:
    """Draws of the estimands: those stored with the fit, or computed now."""
    if group == "posterior" and "estimands" in fit.children:
        return fit["estimands"].to_dataset()
    return estimate(fit, group)


def before(fit: DataTree) -> DataTree:
    """The same fit before seeing data: with the estimands of its prior in place of its own."""
    import xarray as xr

    tree = xr.DataTree.from_dict({"estimands": estimate(fit, "prior")})
    tree.attrs = dict(fit.attrs)
    return tree


def curves(fit: DataTree, prob: float = CI_PROB, group: str = "posterior") -> pd.DataFrame:
    """Probability of the flag, in percent, by size and prior entries.

    Columns: ``size``, ``entries``, and those of :func:`.intervals.table_of`.
    """
    names = {"size": "size", "entries": "entries"}
    return grid_table(fit, estimands(fit, group)["curve"], names, prob)


def slopes(fit: DataTree, prob: float = CI_PROB, group: str = "posterior") -> pd.DataFrame:
    """What experience does, by size and between sizes.

    Returns
    -------
    pandas.DataFrame
        ``quantity`` (``fall``: percentage points from the first decision to the one after
        ``FALL_AFTER`` prior entries; ``decay``: fall of the log odds for one unit of
        experience), ``size`` (or one less a smaller one, ``large - other``), the columns of
        :func:`.intervals.table_of`, those of :func:`.intervals.directions`, and for falls those of
        :func:`.intervals.relevance`.
    """
    draws = estimands(fit, group)
    sizes = texts(draws["size"])
    fall, decay = flat(draws["fall"]), flat(draws["halvings"]) * np.log(2)
    parts = [("fall", size, fall[:, i]) for i, size in enumerate(sizes)]
    parts += [("decay", size, decay[:, i]) for i, size in enumerate(sizes)]
    if "decay_difference" in draws:
        between = flat(draws["decay_difference"]).reshape(len(decay), -1)
        parts += [("decay", *pair) for pair in zip(pairs_of(sizes), between.T, strict=True)]
    values = np.stack([part[2] for part in parts], axis=-1)
    columns = {"quantity": [part[0] for part in parts], "size": [part[1] for part in parts]}
    table = table_of(fit, columns, values, prob)
    table = table.assign(**directions(values, draws.sizes["chain"]))
    in_points = np.array(columns["quantity"]) == "fall"
    for name, chance in relevance(values).items():
        table[name] = np.where(in_points, chance, np.nan)
    return table


def conclusions(fit: DataTree) -> list[Conclusion]:
    """First decision and fall by size, with their draws."""
    found = estimands(fit)
    sizes = texts(found["size"])
    curve = found["curve"].transpose("chain", "draw", "size", "entries").to_numpy()
    fall = found["fall"].transpose("chain", "draw", "size").to_numpy()
    told = [
        Conclusion(f"probability at the first decision, {size} firms", "%", False, curve[..., i, 0])
        for i, size in enumerate(sizes)
    ]
    told += [
        Conclusion(fall_of(size), "points", True, fall[..., i]) for i, size in enumerate(sizes)
    ]
    for one, other in combinations(range(len(sizes)), 2):
        name = f"{fall_of(sizes[one])} against {sizes[other]}"
        told.append(Conclusion(name, "points", True, fall[..., one] - fall[..., other]))
    return told


def fall_of(size: str) -> str:
    """What the fall among firms of a size is called among conclusions."""
    return f"fall over {FALL_AFTER} entries, {size} firms"


def fall_words(sizes: Sequence[str], firm: str, event: str) -> dict[str, str]:
    """What falls and their differences are called among conclusions -> the same in a sentence."""
    start = f"the decline after {FALL_AFTER} earlier {formats.plural(event)} "
    among = {size: f"among {group_name(size, firm)}" for size in sizes}
    return {fall_of(size): start + own for size, own in among.items()} | {
        f"{fall_of(one)} against {other}": f"{start}{among[one]} minus that {among[other]}"
        for one, other in combinations(sizes, 2)
    }


def level_ranks(fit: DataTree) -> list[Conclusion]:
    """None: sizes of firms are not ranked."""
    return []


def halving(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Entries until the odds halve, by size; infinite where they never do.

    Columns: ``size``, ``median``, ``ci_low``, ``ci_high`` (in prior entries, infinity for never),
    ``p_never``, ``ci_kind``, ``ci_prob``, ``converged``.
    """
    import pandas as pd

    draws = estimands(fit)
    entries = entries_until_half(flat(draws["halvings"]), str(fit.attrs["family"]))
    # Of a sorted sample, so that infinite entries need no arithmetic.
    ends = [(1 - prob) / 2, 0.5, (1 + prob) / 2]
    low, middle, high = np.quantile(entries, ends, method="inverted_cdf", axis=0)
    return pd.DataFrame(
        {
            "size": texts(draws["size"]),
            "median": middle,
            "ci_low": low,
            "ci_high": high,
            "p_never": np.isinf(entries).mean(axis=0),
            "ci_kind": CI_KIND,
            "ci_prob": prob,
            "converged": converged(fit),
        }
    )


def entries_until_half(halvings: Array, family: str) -> Array:
    """Prior entries after which the odds have halved, from halvings a unit of experience."""
    with np.errstate(divide="ignore", over="ignore"):
        units = np.where(halvings > 0, 1 / halvings, np.inf)
        if family == "step":  # one drop, after the first entry: it suffices or it does not
            return np.where(units <= 1, 1.0, np.inf)
        return np.expm1(units) if family == "power" else units


# -- predictors and groups of known decisions --------------------------------------------


def term_levels(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Average probability of the flag, in percent, at levels of each predictor and in each group.

    All decisions are set to a level, and keep their firm, size, prior entries and other terms. A
    number is set to its mean and one standard deviation below and above it; terms with more than
    ``MOST_CLUSTERS`` levels are left out.

    Columns: ``predictor``, ``label``, ``level``, and those of :func:`.intervals.table_of`.
    """
    return _joined(
        table_of(fit, {"predictor": name, "label": label, "level": levels}, draws, prob)
        for name, label, levels, draws in _at_levels(fit)
    )


def term_differences(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """All pairwise differences of :func:`term_levels`, in percentage points.

    Columns: ``predictor``, ``label``, ``level``, ``against``, those of :func:`.intervals.table_of`
    of level minus against, those of :func:`.intervals.directions` and :func:`.intervals.relevance`.
    """
    tables = []
    chains = fit["posterior"].sizes["chain"]
    for name, label, levels, draws in _at_levels(fit):
        one, other = np.array([*combinations(range(len(levels)), 2)]).T
        named = {"level": [levels[i] for i in other], "against": [levels[i] for i in one]}
        values = draws[:, other] - draws[:, one]
        columns = {"predictor": name, "label": label, **named}
        table = table_of(fit, columns, values, prob)
        tables.append(table.assign(**directions(values, chains), **relevance(values)))
    return _joined(tables)


def _joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    found = [table for table in tables if len(table)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _at_levels(fit: DataTree) -> Iterator[tuple[str, str, list[str], Array]]:
    """Name and label of each term, its levels, and the draws at these, (draw, level)."""
    from intlmodels.results.interpret import predictions

    for term in json.loads(fit["constant_data"].attrs.get("terms", "[]")):
        values: list[Any] = term["settings"]
        if not values:
            ends = term["center"] + term["scale"] * np.array([-1.0, 0.0, 1.0])
            ends = np.exp(ends) if term["transform"] == "log" else ends
            values = [float(f"{end:.3g}") for end in ends]
        if len(values) <= MOST_CLUSTERS:
            draws = flat(predictions(fit, at={term["name"]: values}).draws)
            words = [v if isinstance(v, str) else formats.amount(v, term["unit"]) for v in values]
            yield term["name"], term["label"], words, draws


# -- tables of decisions -----------------------------------------------------------------


def true_counts(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """What each published count truly was, beside what was printed.

    Columns: ``count`` (with the firm where it holds for each of several), ``relation``,
    ``printed``, ``hard``, those of :func:`.intervals.table_of`, ``p_held``: probability that it
    holds as printed, ``likeliest``: the most probable true value.
    """
    draws, constant, wrong = _counted(fit)
    columns = {
        "count": texts(constant["count"]),
        "relation": texts(constant["count_relation"]),
        "printed": constant["printed"].to_numpy(),
        "hard": constant["hard"].to_numpy().astype(bool),
    }
    table = table_of(fit, columns, draws, prob)
    table["p_held"] = (wrong == 0).mean(axis=0)
    values = [np.unique(column, return_counts=True) for column in draws.T]
    table["likeliest"] = [int(found[times.argmax()]) for found, times in values]
    return table


def _counted(fit: DataTree) -> tuple[Array, Dataset, Array]:
    """Draws of the true counts, what they are counts of, and how far they are from holding."""
    draws = flat(estimands(fit)["true_count"])
    constant = fit["constant_data"].to_dataset()
    off = draws - constant["printed"].to_numpy()
    # Beyond what an "at least" or "at most" allows, not within it.
    choices = [off, np.minimum(off, 0), np.maximum(off, 0)]
    return draws, constant, np.choose(constant["relation"].to_numpy(), choices)


def repairs(fit: DataTree) -> pd.DataFrame:
    """Posterior probability of each cheapest repair; no rows where the counts agree.

    Columns: ``repair``, ``probability`` (that the true counts are exactly those of the repair),
    ``converged``.
    """
    import pandas as pd

    draws = estimands(fit)
    if "repair_holds" not in draws:
        return pd.DataFrame(columns=["repair", "probability", "converged"])
    return pd.DataFrame(
        {
            "repair": texts(draws["repair"]),
            "probability": flat(draws["repair_holds"]).mean(axis=0),
            "converged": converged(fit),
        }
    )


def readings(fit: DataTree, most: int = 10) -> pd.DataFrame:
    """The most probable sets of true counts, by what differs from what was printed.

    Columns: ``differs`` (such as ``M33 5 -> 6, M36 7 -> 6``), ``probability``, ``converged``.
    """
    import pandas as pd

    draws, constant, wrong = _counted(fit)
    printed, names = constant["printed"].to_numpy(), texts(constant["count"])
    patterns, times = np.unique(wrong.astype(int), axis=0, return_counts=True)
    order = np.argsort(-times, kind="stable")[:most]
    said = [
        ", ".join(f"{names[i]} {printed[i]} -> {printed[i] + row[i]}" for i in np.flatnonzero(row))
        for row in patterns[order]
    ]
    return pd.DataFrame(
        {
            "differs": [text or "nothing" for text in said],
            "probability": times[order] / len(draws),
            "converged": converged(fit),
        }
    )


def cells(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Decisions in each group of firms and period, with and without the flag.

    Columns: ``size``, ``period``, ``flag``, and those of :func:`.intervals.table_of`.
    """
    names = {"size": "size", "period_level": "period", "flag": "flag"}
    return grid_table(fit, estimands(fit)["group_cell"], names, prob)


def flags_by_period(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Decisions in each group of firms and period, and those of them with the flag.

    Columns: ``size``, ``period``, ``flag`` (``both`` or ``yes``), and those of
    :func:`.intervals.table_of`.
    """
    import pandas as pd

    cell, names = estimands(fit)["group_cell"], {"size": "size", "period_level": "period"}
    each = {"both": cell.sum("flag"), "yes": cell.sel(flag="yes", drop=True)}
    tables = [grid_table(fit, own, names, prob).assign(flag=flag) for flag, own in each.items()]
    return pd.concat(tables, ignore_index=True)


def firm_cells(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Decisions of each firm in each period, with and without the flag: all reconstructed.

    Columns: ``firm``, ``period``, ``flag``, and those of :func:`.intervals.table_of`.
    """
    names = {"firm_level": "firm", "period_level": "period", "flag": "flag"}
    return grid_table(fit, fit["posterior"].to_dataset()["table"], names, prob)


def reported(fit: DataTree) -> pd.DataFrame:
    """Decisions with the flag as reported or known, by size, beside their prior entries.

    Known decisions and registers have a row for each number of prior entries. Published counts
    have one for each span of periods that is counted by size: what was counted itself, or follows
    by adding and subtracting counts as printed, so that counts that contradict each other may
    leave 5 of 4. The prior entries of these decisions are reconstructed.

    Columns: ``size``, ``periods`` (empty where decisions are known), ``flagged``, ``decisions``,
    ``entries`` (mean), ``low`` and ``high`` (of the central 80% of these decisions).
    """
    import pandas as pd

    constant = fit["constant_data"].to_dataset()
    columns = ["size", "periods", "flagged", "decisions", "entries", "low", "high"]
    if "table" in fit["posterior"].to_dataset():
        return pd.DataFrame(_reported_counts(fit, constant), columns=columns)
    register = "made_at" in constant
    if register:
        names = ("size_at", "entries_at", "made_at")
        size, entries, made = (constant[name].to_numpy() for name in names)
    else:
        size = constant["size_of_firm"].to_numpy()[constant["firm_of_decision"].to_numpy()]
        entries = constant["prior_entries"].to_numpy()
        made = np.ones(len(size), np.int64)
    flags = fit["observed_data"]["flags" if register else OUTCOME].to_numpy()
    table = pd.DataFrame({"size": size, "entries": entries, "flagged": flags, "decisions": made})
    table = table.groupby(["size", "entries"], as_index=False).sum()
    labels = np.asarray(texts(constant["size"]), dtype=object)
    ends = {"low": table["entries"], "high": table["entries"]}
    return table.assign(size=labels[table["size"]], periods="", **ends)[columns]


def _reported_counts(fit: DataTree, constant: Dataset) -> Iterator[tuple[Any, ...]]:
    """Rows of :func:`reported` from published counts."""
    sizes, periods = (texts(constant[name]) for name in ("size", "period_level"))
    code = constant["size_of_firm"].to_numpy()
    whose = [code == i for i in range(len(sizes))]
    exact = constant["relation"].to_numpy() == 0
    member = constant["member"].to_numpy()[exact].astype(bool)
    known: dict[bytes, int] = {}
    for own, value in zip(member, constant["printed"].to_numpy()[exact], strict=True):
        known.setdefault(own.tobytes(), int(value))

    def pair(firms: NDArray[np.bool_], when: NDArray[np.bool_]) -> tuple[int, int] | None:
        """Decisions with the flag, and all, as counted or as the counts of their parts add up."""
        no, yes, both = (
            known.get((firms[:, None, None] & when[:, None] & flags).tobytes())
            for flags in np.array([[True, False], [False, True], [True, True]])
        )
        yes = both - no if yes is None and both is not None and no is not None else yes
        both = yes + no if both is None and yes is not None and no is not None else both
        if yes is not None and both is not None:
            return yes, both
        each = np.eye(len(periods), dtype=bool)[when]
        parts = [pair(firms, one) for one in each] if len(each) > 1 else [None]
        found = [part for part in parts if part is not None]
        return (sum(p[0] for p in found), sum(p[1] for p in found)) if found == parts else None

    # Spans that are counted by size, and none that holds another.
    spans = {
        tuple(map(bool, own.any(axis=(0, 2))))
        for own in member
        if any(np.array_equal(own.any(axis=(1, 2)), firms) for firms in whose)
    }
    narrow = [a for a in spans if not any(b != a and np.all(np.array(b) <= a) for b in spans)]
    made = flat(fit["posterior"].to_dataset()["table"].sum("flag"))
    ends = made.cumsum(axis=-1)
    for i, size in enumerate(sizes):
        for span in sorted(narrow, reverse=True):
            when = np.array(span)
            found = pair(whose[i], when)
            if found is None:  # all less those of other sizes
                whole = (code >= 0, *whose[:i], *whose[i + 1 :])
                parts = [part for who in whole if (part := pair(who, when)) is not None]
                if len(parts) < len(whole) or len(whole) < 2:
                    continue
                (yes, both), *others = parts
                found = yes - sum(o[0] for o in others), both - sum(o[1] for o in others)
            first, last = np.flatnonzero(when)[[0, -1]]
            if not when[first : last + 1].all() or found[1] <= 0:
                continue
            begin = (ends[..., first] - made[..., first])[:, whose[i], None]
            place = np.arange(int(ends.max(initial=0)))
            there = (begin <= place) & (place < ends[:, whose[i], last, None])
            weight = there.sum(axis=(0, 1))
            if not weight.any():
                continue
            low, high = np.searchsorted(weight.cumsum() / weight.sum(), [0.1, 0.9])
            mean = float(place @ weight / weight.sum())
            yield (size, ", ".join(np.array(periods)[when]), *found, mean, int(low), int(high))


# -- variants ----------------------------------------------------------------------------


def compare_variants(fits: Mapping[str, DataTree], prob: float = CI_PROB) -> pd.DataFrame:
    """What experience does in several variants: see :func:`.intervals.side_by_side`.

    With the columns of :func:`slopes`; decays of shapes other than the default's, which is the
    first, are left out, since their units differ. Falls and decays before seeing data stand beside
    them, where a fit has its prior.
    """
    family = str(next(iter(fits.values())).attrs["family"])

    def of(quantity: str) -> Callable[[DataTree], pd.DataFrame]:
        def table(fit: DataTree) -> pd.DataFrame:
            found = slopes(fit, prob)
            if "prior" in fit.children:
                found = beside_prior(found, slopes(before(fit), prob))
            other = quantity == "decay" and str(fit.attrs["family"]) != family
            return found[(found["quantity"] == quantity) & (not other)].drop(columns="quantity")

        return table

    return side_by_side(fits, {quantity: of(quantity) for quantity in ("fall", "decay")})


def experience_and_time(fit: DataTree) -> pd.DataFrame:
    """How far prior entries and calendar time can be told apart, from the variant ``period``.

    Columns: ``size``, ``correlation`` between the decay of that size and the fall of the log odds
    from the first period to the last, ``sd_ratio``: posterior over prior sd of that fall,
    ``p_period_falls``: probability that it is above zero, ``p_decay_positive``, ``converged``.
    """
    import pandas as pd

    decay, after = decay_and_period_fall(fit, "posterior")
    before = decay_and_period_fall(fit, "prior")[1]
    return pd.DataFrame(
        {
            "size": texts(fit["posterior"].to_dataset()["size"]),
            "correlation": [float(np.corrcoef(own, after)[0, 1]) for own in decay.T],
            "sd_ratio": after.std() / before.std(),
            "p_period_falls": float((after > 0).mean()),
            "p_decay_positive": (decay > 0).mean(axis=0),
            "converged": converged(fit),
        }
    )


def decay_and_period_fall(fit: DataTree, group: str) -> tuple[Array, Array]:
    """Draws of the decay of each size, and of the fall from the first period to the last."""
    draws = fit[group].to_dataset()
    period = flat(draws["period"])
    return flat(draws["decay"].transpose("chain", "draw", "size")), period[:, 0] - period[:, -1]


#: What a variant sets beside experience, by what it knows of the firms: parameter, in words, and
#: whether it has a direction.
RIVAL_EFFECTS = {
    "owned_since": ("owner", "effect of the owner, log odds", True),
    "interviews": ("recall", "chance that one interview brings up a decision", False),
}


def rival_effects(
    fits: Mapping[str, DataTree], period_fit: DataTree | None, prob: float = CI_PROB
) -> pd.DataFrame:
    """What each rival explanation of the decay amounts to, one row a variant that has one.

    Columns: ``variant``, ``effect`` (in words), and those of :func:`.intervals.table_of`;
    ``p_positive``, probability that the effect is above zero, nan where it cannot be below.
    ``period_fit``: the whole fit of the variant ``period``, whose effect is the fall of the log
    odds from the first period to the last.
    """
    import pandas as pd

    parts = []
    for variant, fit in fits.items():
        draws, constant = (fit[name].to_dataset() for name in ("posterior", "constant_data"))
        found = [
            (effect, directed, flat(draws[name]))
            for known, (name, effect, directed) in RIVAL_EFFECTS.items()
            if known in constant
        ]
        if variant == "period" and period_fit is not None:
            fall = decay_and_period_fall(period_fit, "posterior")[1]
            found.append(("fall from the first period to the last, log odds", True, fall))
        for effect, directed, values in found:
            table = table_of(fit, {"variant": variant, "effect": [effect]}, values[:, None], prob)
            chance = float((values > 0).mean()) if directed else np.nan
            parts.append(table.assign(p_positive=chance))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def rivals(
    comparison: pd.DataFrame, effects: pd.DataFrame, explanations: Mapping[str, str]
) -> pd.DataFrame:
    """The decay beside each rival explanation, one row a variant and size.

    Parameters
    ----------
    comparison : pandas.DataFrame
        Of :func:`compare_variants`.
    effects : pandas.DataFrame
        Of :func:`rival_effects`.
    explanations : mapping of str to str
        Variant to what it sets beside experience, in words; the first is the default.

    Returns
    -------
    pandas.DataFrame
        ``variant``, ``explanation``, ``size``, the columns of :func:`slopes` of decays;
        ``taken_over``: part of the default's median decay of that size that is missing beside the
        rival, nan where the default has none; ``effect`` and ``effect_`` columns of the rival's
        own effect.
    """
    sizes = comparison.loc[comparison["quantity"] == "fall", "size"]
    table = comparison[(comparison["quantity"] == "decay") & comparison["size"].isin(sizes)]
    table = table[table["variant"].isin(explanations)].drop(columns=["quantity", "comparable"])
    table.insert(1, "explanation", table["variant"].map(explanations))
    own = table[table["variant"] == next(iter(explanations))]
    default = table["size"].map(dict(zip(own["size"], own["median"], strict=True)))
    table["taken_over"] = (1 - table["median"] / default).where(default > 0)
    if not len(effects):
        return table
    columns = ["median", "ci_low", "ci_high", "p_positive"]
    named = effects[["variant", "effect", *columns]]
    return table.merge(
        named.rename(columns={name: f"effect_{name}" for name in columns}), "left", "variant"
    )


def group_name(size: str, firm: str) -> str:
    """Firms of one size in words; of a study without sizes ``all firms``."""
    return f"{size} {formats.plural(firm)}"


# -- a register of decisions against registers predicted by its fit --------------------


def by_entries(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Part of the decisions with the flag by size and prior entries, observed and predicted.

    Columns: ``size``, ``entries``, ``decisions``, ``observed`` (percent), and those of
    :func:`.intervals.table_of` of the percentage in predicted registers.
    """
    constant = fit["constant_data"].to_dataset()
    sizes = np.asarray(texts(constant["size"]), dtype=object)
    keys = np.column_stack([constant["size_at"].to_numpy(), constant["entries_at"].to_numpy()])
    groups, inverse = np.unique(keys, axis=0, return_inverse=True)
    where = inverse.reshape(-1)
    made = np.bincount(where, constant["made_at"].to_numpy())
    seen = np.bincount(where, fit["observed_data"]["flags"].to_numpy())
    predicted = flat(fit["posterior_predictive"].to_dataset()["flags"])
    drawn = np.zeros((len(predicted), len(groups)))
    for place, group in enumerate(where):
        drawn[:, group] += predicted[:, place]
    columns = {
        "size": sizes[groups[:, 0]],
        "entries": groups[:, 1],
        "decisions": made.astype(np.int64),
        "observed": 100 * seen / made,
    }
    return table_of(fit, columns, 100 * drawn / made, prob)


def predictive_checks(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Features of the register that the model may miss, observed and predicted.

    Columns: ``feature`` and those of :func:`.intervals.check_table`.
    """
    constant = fit["constant_data"].to_dataset()
    seen, drawn = (fit[name].to_dataset() for name in ("observed_data", "posterior_predictive"))
    firm, events = str(constant.attrs["firm_label"]), formats.plural(str(constant.attrs["event"]))
    names, observed, predicted = [], [], []
    made = constant["made_at"].to_numpy()
    sizes = texts(constant["size"])
    for i, size in enumerate(sizes):
        here = constant["size_at"].to_numpy() == i
        whose = "" if size == "all" else f"{size}, "
        names.append(f"{whose}percent of all {events} with the flag")
        observed.append(100 * seen["flags"].to_numpy()[here].sum() / made[here].sum())
        predicted.append(100 * flat(drawn["flags"])[:, here].sum(axis=1) / made[here].sum())
        several = float(constant["repeated"].to_numpy()[i])
        for name, words in (("never", "without any flag"), ("always", "with nothing but flags")):
            if several:
                names.append(f"{whose}percent {words}, of each {firm} with two or more")
                observed.append(100 * seen[name].to_numpy()[i] / several)
                predicted.append(100 * flat(drawn[name])[:, i] / several)
    return check_table(fit, {"feature": names}, observed, np.stack(predicted, axis=-1), prob)
