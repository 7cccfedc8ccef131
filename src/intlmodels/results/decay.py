"""From a fit of the decay model to the tables that are shown.

Everything here reads a stored fit; pictures, sentences and reports show these rows and
compute nothing of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intlmodels.core import formats
from intlmodels.models.base import flat, texts
from intlmodels.models.decay.estimands import FALL_AFTER, estimate
from intlmodels.results.intervals import CI_PROB, Array, Conclusion, converged, table_of
from intlmodels.results.variants import Compared, side_by_side

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


def curves(fit: DataTree, prob: float = CI_PROB, group: str = "posterior") -> pd.DataFrame:
    """Probability of the flag, in percent, by size and prior entries.

    Returns
    -------
    pandas.DataFrame
        ``size``, ``entries``, and the columns of :func:`intlmodels.results.intervals.intervals`.
    """
    draws = estimands(fit, group)["curve"].transpose("chain", "draw", "size", "entries")
    sizes, entries = texts(draws["size"]), draws["entries"].to_numpy()
    columns = {
        "size": np.repeat(np.asarray(sizes, dtype=object), len(entries)),
        "entries": np.tile(entries, len(sizes)),
    }
    values = flat(draws)
    return table_of(fit, columns, values.reshape(len(values), -1), prob)


def slopes(fit: DataTree, prob: float = CI_PROB, group: str = "posterior") -> pd.DataFrame:
    """What experience does, by size and between sizes.

    Returns
    -------
    pandas.DataFrame
        ``quantity`` (``fall``: percentage points from the first decision to the one after
        ``FALL_AFTER`` prior entries; ``decay``: fall of the log odds for one unit of
        experience), ``size`` (or ``large - other``), the columns of
        :func:`intlmodels.results.intervals.intervals`, ``p_positive``, ``p_direction`` and
        ``p_mcse``, the Monte Carlo error of the two.
    """
    draws = estimands(fit, group)
    sizes = texts(draws["size"])
    parts: list[tuple[str, str, Array]] = []
    for i, size in enumerate(sizes):
        parts.append(("fall", size, flat(draws["fall"])[:, i]))
    for i, size in enumerate(sizes):
        parts.append(("decay", size, flat(draws["halvings"])[:, i] * np.log(2)))
    if "decay_difference" in draws:
        parts.append(("decay", " - ".join(sizes), flat(draws["decay_difference"])))
    values = np.stack([part[2] for part in parts], axis=-1)
    columns = {"quantity": [part[0] for part in parts], "size": [part[1] for part in parts]}
    table = table_of(fit, columns, values, prob)
    positive, negative = (values > 0).mean(axis=0), (values < 0).mean(axis=0)
    table["p_positive"] = positive
    table["p_direction"] = np.maximum(positive, negative)
    table["p_mcse"] = _error_of(values > 0, draws.sizes["chain"])
    return table


def conclusions(fit: DataTree) -> list[Conclusion]:
    """First decision and fall by size, with their draws."""
    found = estimands(fit)
    sizes = texts(found["size"])
    curve = found["curve"].transpose("chain", "draw", "size", "entries").to_numpy()
    fall = found["fall"].transpose("chain", "draw", "size").to_numpy()
    after = f"over {FALL_AFTER} entries"
    told = [
        Conclusion(f"probability at the first decision, {size} firms", "%", False, curve[..., i, 0])
        for i, size in enumerate(sizes)
    ]
    told += [
        Conclusion(f"fall {after}, {size} firms", "points", True, fall[..., i])
        for i, size in enumerate(sizes)
    ]
    if len(sizes) == 2:
        between = fall[..., 0] - fall[..., 1]
        name = f"fall {after}, {sizes[0]} firms against {sizes[1]}"
        told.append(Conclusion(name, "points", True, between))
    return told


def _error_of(holds: NDArray[np.bool_], chains: int) -> Array:
    """Monte Carlo error of probabilities, from draws of whether something holds, (draw, what)."""
    from arviz_stats.base import array_stats

    stacked = holds.astype(float).reshape(chains, -1, holds.shape[-1])
    with np.errstate(divide="ignore", invalid="ignore"):  # what never varies has no error
        found = array_stats.mcse(stacked, method="mean", chain_axis=0, draw_axis=1)
    return np.nan_to_num(np.asarray(found))


def halving(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Entries until the odds halve, by size; infinite where they never do.

    Returns
    -------
    pandas.DataFrame
        ``size``, ``median``, ``ci_low``, ``ci_high`` (in prior entries, infinity for never),
        ``p_never``, ``ci_kind``, ``ci_prob``, ``converged``.
    """
    import pandas as pd

    draws = estimands(fit)
    family = str(fit.attrs["family"])
    rows = []
    for i, size in enumerate(texts(draws["size"])):
        entries = entries_until_half(flat(draws["halvings"])[:, i], family)
        # Of a sorted sample, so that infinite entries need no arithmetic.
        low, middle, high = np.quantile(
            entries, [(1 - prob) / 2, 0.5, (1 + prob) / 2], method="inverted_cdf"
        )
        rows.append(
            {
                "size": size,
                "median": middle,
                "ci_low": low,
                "ci_high": high,
                "p_never": float(np.isinf(entries).mean()),
                "ci_kind": "eti",
                "ci_prob": prob,
                "converged": converged(fit),
            }
        )
    return pd.DataFrame(rows)


def entries_until_half(halvings: Array, family: str) -> Array:
    """Prior entries after which the odds have halved, from halvings a unit of experience."""
    with np.errstate(divide="ignore", over="ignore"):
        units = np.where(halvings > 0, 1 / halvings, np.inf)
        if family == "step":  # one drop, after the first entry: it suffices or it does not
            return np.where(units <= 1, 1.0, np.inf)
        return np.expm1(units) if family == "power" else units


# -- tables of decisions -----------------------------------------------------------------


def true_counts(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """What each published count truly was, beside what was printed.

    Returns
    -------
    pandas.DataFrame
        ``count`` (with the firm where it holds for each of several), ``relation``,
        ``printed``, ``hard``, the columns of :func:`intlmodels.results.intervals.intervals`,
        ``p_held``: probability that it holds as printed, ``likeliest``: the most probable
        true value.
    """
    draws = flat(estimands(fit)["true_count"])
    constant = fit["constant_data"].to_dataset()
    printed = constant["printed"].to_numpy()
    relation = constant["relation"].to_numpy()
    off = draws - printed
    held = np.choose(relation, [off == 0, off >= 0, off <= 0])
    columns = {
        "count": texts(constant["count"]),
        "relation": texts(constant["count_relation"]),
        "printed": printed,
        "hard": constant["hard"].to_numpy().astype(bool),
    }
    table = table_of(fit, columns, draws, prob)
    table["p_held"] = held.mean(axis=0)
    table["likeliest"] = [_mode(draws[:, i]) for i in range(draws.shape[1])]
    return table


def _mode(values: Array) -> int:
    found, times = np.unique(values, return_counts=True)
    return int(found[times.argmax()])


def repairs(fit: DataTree) -> pd.DataFrame:
    """Posterior probability of each cheapest repair.

    Returns
    -------
    pandas.DataFrame
        ``repair``, ``probability`` (that the true counts are exactly those of the repair),
        ``converged``; no rows where the counts agree.
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

    Returns
    -------
    pandas.DataFrame
        ``differs`` (such as ``M33 5 -> 6, M36 7 -> 6``), ``probability``, ``converged``.
    """
    import pandas as pd

    draws = flat(estimands(fit)["true_count"]).astype(int)
    constant = fit["constant_data"].to_dataset()
    printed = constant["printed"].to_numpy()
    relation = constant["relation"].to_numpy()
    names = texts(constant["count"])
    off = draws - printed
    # Beyond what an "at least" or "at most" allows, not within it.
    wrong = np.choose(relation, [off, np.minimum(off, 0), np.maximum(off, 0)])
    patterns, times = np.unique(wrong, axis=0, return_counts=True)
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

    Returns
    -------
    pandas.DataFrame
        ``size``, ``period``, ``flag``, and the columns of
        :func:`intlmodels.results.intervals.intervals`.
    """
    draws = estimands(fit)["group_cell"].transpose("chain", "draw", "size", "period_level", "flag")
    labels = [texts(draws[dim]) for dim in ("size", "period_level", "flag")]
    grid = [(a, b, c) for a in labels[0] for b in labels[1] for c in labels[2]]
    columns = {name: [row[i] for row in grid] for i, name in enumerate(("size", "period", "flag"))}
    values = flat(draws)
    return table_of(fit, columns, values.reshape(len(values), -1), prob)


def firm_cells(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Decisions of each firm in each period, with and without the flag: all reconstructed.

    Returns
    -------
    pandas.DataFrame
        ``firm``, ``period``, ``flag``, and the columns of
        :func:`intlmodels.results.intervals.intervals`.
    """
    draws = (
        fit["posterior"]
        .to_dataset()["table"]
        .transpose("chain", "draw", "firm_level", "period_level", "flag")
    )
    labels = [texts(draws[dim]) for dim in ("firm_level", "period_level", "flag")]
    grid = [(a, b, c) for a in labels[0] for b in labels[1] for c in labels[2]]
    columns = {name: [row[i] for row in grid] for i, name in enumerate(("firm", "period", "flag"))}
    values = flat(draws).astype(float)
    return table_of(fit, columns, values.reshape(len(values), -1), prob)


# -- variants ----------------------------------------------------------------------------


def compare_variants(fits: Mapping[str, DataTree], prob: float = CI_PROB) -> pd.DataFrame:
    """What experience does, in several variants, one below the other.

    Parameters
    ----------
    fits : mapping of str to DataTree
        Variant -> fit, whole or :func:`intlmodels.results.variants.light`; the default first.

    Returns
    -------
    pandas.DataFrame
        See :func:`intlmodels.results.variants.side_by_side`, with the columns of :func:`slopes`;
        decays of shapes other than the default's are left out, since their units differ.
    """
    family = str(next(iter(fits.values())).attrs["family"])

    def of(quantity: str) -> Callable[[DataTree], pd.DataFrame]:
        def table(fit: DataTree) -> pd.DataFrame:
            found = slopes(fit, prob)
            other = quantity == "decay" and str(fit.attrs["family"]) != family
            return found[(found["quantity"] == quantity) & (not other)].drop(columns="quantity")

        return table

    return side_by_side(fits, {quantity: of(quantity) for quantity in ("fall", "decay")})


def experience_and_time(fit: DataTree) -> pd.DataFrame:
    """How far prior entries and calendar time can be told apart, from the variant ``period``.

    Returns
    -------
    pandas.DataFrame
        ``size``, ``correlation`` between the decay of that size and the fall of the log odds
        from the first period to the last, ``sd_ratio``: posterior over prior sd of that fall,
        ``p_period_falls``: probability that it is above zero, ``p_decay_positive``,
        ``converged``.
    """
    import pandas as pd

    def fall(group: str) -> Array:
        period = flat(fit[group].to_dataset()["period"])
        return period[:, 0] - period[:, -1]

    after, before = fall("posterior"), fall("prior")
    decay = flat(fit["posterior"].to_dataset()["decay"].transpose("chain", "draw", "size"))
    sizes = texts(fit["posterior"].to_dataset()["size"])
    return pd.DataFrame(
        {
            "size": sizes,
            "correlation": [
                float(np.corrcoef(decay[:, i], after)[0, 1]) for i in range(len(sizes))
            ],
            "sd_ratio": after.std() / before.std(),
            "p_period_falls": float((after > 0).mean()),
            "p_decay_positive": [float((decay[:, i] > 0).mean()) for i in range(len(sizes))],
            "converged": converged(fit),
        }
    )


def group_name(size: str, firm: str) -> str:
    """Firms of one size in words."""
    return formats.plural(firm) if size == "all" else f"{size} {formats.plural(firm)}"


# -- a register of decisions against registers predicted by its fit --------------------


def by_entries(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Part of the decisions with the flag by size and prior entries, observed and predicted.

    Returns
    -------
    pandas.DataFrame
        ``size``, ``entries``, ``decisions``, ``observed`` (percent), and the columns of
        :func:`intlmodels.results.intervals.intervals` of the percentage in predicted registers.
    """
    constant = fit["constant_data"].to_dataset()
    sizes = np.asarray(texts(constant["size"]), dtype=object)
    keys = np.column_stack([constant["size_at"].to_numpy(), constant["entries_at"].to_numpy()])
    groups, inverse = np.unique(keys, axis=0, return_inverse=True)
    where = inverse.reshape(-1)
    made = np.bincount(where, constant["made_at"].to_numpy())
    seen = np.bincount(where, fit["observed_data"]["flags"].to_numpy())
    drawn = _summed(flat(fit["posterior_predictive"].to_dataset()["flags"]), where)
    columns = {
        "size": sizes[groups[:, 0]],
        "entries": groups[:, 1],
        "decisions": made.astype(np.int64),
        "observed": 100 * seen / made,
    }
    return table_of(fit, columns, 100 * drawn / made, prob)


def _summed(values: Array, where: NDArray[np.intp]) -> Array:
    total = np.zeros((len(values), int(where.max()) + 1))
    for place, group in enumerate(where):
        total[:, group] += values[:, place]
    return total


def predictive_checks(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Features of the register that the model may miss, observed and predicted.

    Returns
    -------
    pandas.DataFrame
        ``feature``, ``observed``, the columns of :func:`intlmodels.results.intervals.intervals` of
        predicted registers, and ``p_larger``, the probability of a larger value.
    """
    constant = fit["constant_data"].to_dataset()
    seen, drawn = (fit[name].to_dataset() for name in ("observed_data", "posterior_predictive"))
    firm, event = (str(constant.attrs[name]) for name in ("firm_label", "event"))
    names, observed, predicted = [], [], []
    made = constant["made_at"].to_numpy()
    sizes = texts(constant["size"])
    for i, size in enumerate(sizes):
        here = constant["size_at"].to_numpy() == i
        whose = "" if size == "all" else f"{size}, "
        names.append(f"{whose}percent of all {event}s with the flag")
        observed.append(100 * seen["flags"].to_numpy()[here].sum() / made[here].sum())
        predicted.append(100 * flat(drawn["flags"])[:, here].sum(axis=1) / made[here].sum())
        several = float(constant["repeated"].to_numpy()[i])
        for name, words in (("never", "without any flag"), ("always", "with nothing but flags")):
            if several:
                names.append(f"{whose}percent {words}, of each {firm} with two or more")
                observed.append(100 * seen[name].to_numpy()[i] / several)
                predicted.append(100 * flat(drawn[name])[:, i] / several)
    values, found = np.stack(predicted, axis=-1), np.array(observed)
    table = table_of(fit, {"feature": names, "observed": found}, values, prob)
    close = np.isclose(values, found, rtol=1e-12)
    table["p_larger"] = ((values > found) & ~close).mean(axis=0) + 0.5 * close.mean(axis=0)
    return table
