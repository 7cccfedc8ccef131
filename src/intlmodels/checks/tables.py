"""Tables of what calibration, sensitivity and leave-one-out found: the rows that reports show."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intlmodels.checks import calibration, leaveout
from intlmodels.checks.leaveout import pit_cdf, pit_histogram, pit_p_value
from intlmodels.checks.stored import (
    PROBS,
    Calibrated,
    Calibration,
    CheckResults,
    Comparison,
    DesignAnalysis,
    Difference,
    Evidence,
    Influence,
    LeftOut,
    Moved,
    Multiverse,
    Sensitivity,
)
from intlmodels.core import formats as f
from intlmodels.core.files import short_hash
from intlmodels.fitting import diagnostics
from intlmodels.results.intervals import CI_KIND, CI_PROB
from intlmodels.results.wording import CLEAR, LEANING, LIMITS, claim_verdict, verdict

if TYPE_CHECKING:
    import pandas as pd

    from intlmodels.studies.claims import Claim


Array = NDArray[np.float64]

#: Probability of the binomial limits that a coverage is held against.
BAND = 0.95
#: A bias so many standard errors from zero is one.
BIASED = 2.58
#: Mean posterior over prior standard deviation from which a quantity is hardly learned.
WIDE = 0.8

#: From here a quantity is sensitive to power-scaling; above ``UNRELIABLE`` the Pareto k of the
#: weights says that power-scaling cannot be relied on (Kallioinen et al. 2024).
SENSITIVE, UNRELIABLE = 0.05, 0.7
#: A refit with another prior counts from a move of so many posterior standard deviations.
STEP_SIZE = 0.25
#: With fewer units, two variants whose elpd differs by less (Sivula et al. 2020,
#: arXiv:2008.10296) cannot be told apart.
FEW_UNITS, ALIKE = 100, 4.0
#: Probability of the predictive interval outside of which a unit is hard to predict.
CENTRAL = 0.9
#: Places within a predictive law at which the curve of the PIT is held against its band.
PIT_GRID = np.linspace(0, 1, 101)
#: Probability of the interval of a stacking weight.
WEIGHT_PROB = 0.9
#: A refit is believed within these limits, those of the gate.
MOST_RHAT, LEAST_ESS = (diagnostics.LIMITS[name] for name in ("rhat", "ess_bulk"))


# -- calibration -------------------------------------------------------------------------


def calibrated(found: Calibration) -> pd.DataFrame:
    """How each quantity was recovered, one row each; empty where no simulation has a fit.

    P-values are of uniform ranks, adjusted (Holm) over all quantities; ``low_50`` and ``high_50``
    hold ``coverage_50`` (percent) with probability ``BAND`` if all is right; ``_in_sd`` is over the
    prior's standard deviation. Others are described by :class:`Calibrated`.
    """
    import pandas as pd

    if not found.quantities:
        return pd.DataFrame()
    p_values = calibration.p_values_of(found)
    adjusted = calibration.holm(p_values)
    rows = []
    for item, p_value, p_adjusted in zip(found.quantities, p_values, adjusted, strict=True):
        scale = item.prior_spread if item.prior_spread > 0 else np.nan
        rows.append(
            {
                "quantity": item.name,
                "simulations": sum(item.ranks),
                "p_value": p_value,
                "p_adjusted": p_adjusted,
                "deviates": bool(p_adjusted < calibration.FAMILYWISE),
                **_coverages(item),
                "bias": item.bias,
                "bias_error": item.bias_error,
                "bias_in_sd": item.bias / scale,
                "bias_error_in_sd": item.bias_error / scale,
                "rmse": item.error,
                "spread": item.spread,
                "width": item.width,
                "prior_spread": item.prior_spread,
                "spread_ratio": item.spread / scale,
            }
        )
    return pd.DataFrame(rows)


def _coverages(item: Calibrated) -> dict[str, Any]:
    number = sum(item.ranks)
    columns: dict[str, Any] = {}
    for prob, covered in zip(PROBS, item.covered, strict=True):
        low, high = calibration.coverage_band(number, prob, BAND) if number else (np.nan, np.nan)
        share = covered / number if number else np.nan
        name = f"{100 * prob:g}"
        columns[f"coverage_{name}"] = 100 * share
        columns[f"low_{name}"], columns[f"high_{name}"] = 100 * low, 100 * high
        columns[f"outside_{name}"] = bool(share < low or share > high)
    return columns


def outside_by_chance(table: pd.DataFrame) -> float:
    """How many coverages of :func:`calibrated` are expected outside their limits by chance."""
    from scipy.stats import binom

    expected = 0.0
    for row in table[table["simulations"] > 0].to_dict("records"):
        number = row["simulations"]
        for prob in PROBS:
            ends = (row[f"low_{100 * prob:g}"], row[f"high_{100 * prob:g}"])
            low, high = (round(end / 100 * number) for end in ends)
            law = binom(number, prob)
            expected += float(1 - law.cdf(high) + law.cdf(low - 1))
    return expected


#: Limits between true sizes of a difference, by its unit.
SIZES = {"points": (5.0, 10.0, 20.0), "stages": (0.25, 0.5, 1.0)}
#: What may be said of a difference whose true sign is known.
SAID = ("clear_right", "clear_wrong", "leaning_right", "leaning_wrong", "undecided")


def verdict_rates(differences: Sequence[Difference]) -> pd.DataFrame:
    """How often a true difference is called clear or leaning, with the right or the wrong sign.

    One row for all differences of a unit (``of`` is "all") and one for each range of true sizes
    (``low``, ``high``; the upper end excluded): ``count``, their number over all simulations; each
    of ``SAID`` in percent of it, and its Monte Carlo error (``_error``).
    """
    import pandas as pd

    rows = []
    for unit in dict.fromkeys(item.unit for item in differences):
        own = [item for item in differences if item.unit == unit]
        truth, p_positive = (
            np.array([getattr(item, name) for item in own]) for name in ("truth", "p_positive")
        )
        ends = (0.0, *SIZES.get(unit, SIZES["points"]), np.inf)
        for low, high in ((0.0, np.inf), *itertools.pairwise(ends)):
            among = (np.abs(truth) >= low) & (np.abs(truth) < high)
            of = "all" if high - low == np.inf and not low else "size"
            row = {"of": of, "unit": unit, "low": low, "high": high}
            rows.append({**row, **rates(truth, p_positive, among)})
    return pd.DataFrame(rows)


def rates(
    truth: Array, p_positive: Array, among: NDArray[np.bool_] | None = None
) -> dict[str, Any]:
    """``count``, and percent and Monte Carlo error of each of ``SAID`` and of ``not_clear``.

    Arguments are (difference, simulation); ``among``: which of them count.
    Differences of one simulated study depend on each other: the error is that of a ratio of means
    over simulations, and never 0 (Jeffreys' interval for the number that it is worth).
    """
    among = np.ones(truth.shape, bool) if among is None else among
    direction = np.maximum(p_positive, 1 - p_positive)
    clear = direction >= CLEAR
    leaning = (direction >= LEANING) & ~clear
    right = (p_positive > 0.5) == (truth > 0)
    every = (clear & right, clear & ~right, leaning & right, leaning & ~right, ~clear & ~leaning)
    named = {**dict(zip(SAID, every, strict=True)), "not_clear": ~clear}
    each = among.sum(axis=0)
    found: dict[str, Any] = {"count": int(each.sum())}
    for name, holds in named.items():
        hits = (holds & among).sum(axis=0)
        found[name], found[f"{name}_error"] = np.nan, np.nan
        if each.any():
            share = hits.sum() / each.sum()
            variance = ((hits - share * each) ** 2).sum() / each.sum() ** 2
            worth = share * (1 - share) / variance if variance > 0 else (each > 0).sum()
            a, b = share * worth + 0.5, (1 - share) * worth + 0.5
            error = np.sqrt(a * b / (a + b + 1)) / (a + b)
            found[name], found[f"{name}_error"] = 100 * float(share), 100 * float(error)
    return found


def decisions(found: DesignAnalysis) -> pd.DataFrame:
    """How often studies of each number of firms decide each difference.

    One row for each difference and number of ``firms``: ``quantity``, ``unit``, ``size`` (mean size
    of the true difference), ``count`` (fitted studies), and in percent of these with Monte Carlo
    errors (``_error``) ``right`` and ``wrong`` (a clear sign that is, or is not, the true one) and
    ``none``.
    """
    import pandas as pd

    rows = []
    for place in range(max((len(size.differences) for size in found.sizes), default=0)):
        for size in found.sizes:
            for item in size.differences[place : place + 1]:
                truth, p_positive = np.array([item.truth]), np.array([item.p_positive])
                every = rates(truth, p_positive)
                names = {"right": "clear_right", "wrong": "clear_wrong", "none": "not_clear"}
                rows.append(
                    {
                        "quantity": item.name,
                        "unit": item.unit,
                        "firms": size.firms,
                        "size": float(np.abs(truth).mean()),
                        "count": every["count"],
                        **{
                            f"{n}{end}": every[f"{own}{end}"]
                            for n, own in names.items()
                            for end in ("", "_error")
                        },
                    }
                )
    return pd.DataFrame(rows)


# -- sensitivity -------------------------------------------------------------------------

#: Stands for the default's conclusion about a quantity of which it has none.
UNMATCHED = Moved("", "", "", np.nan, np.nan, np.nan, np.nan, np.nan, direction=False)


def moves(found: Sensitivity) -> pd.DataFrame:
    """Every conclusion under every refit, beside the default's.

    ``direction`` is whether the sign is a conclusion; ``move`` is of the median, ``move_in_sd`` in
    standard deviations of the default's posterior; ``verdict`` and ``changed`` are of directions;
    ``counts`` is whether refit and default converged, so that they may be compared.
    """
    import pandas as pd

    refits = {refit.name: refit for refit in found.refits}
    base = found.refits[0]
    own = {item.quantity: item for item in found.moved if item.refit == base.name}
    rows = []
    for item in found.moved:
        refit, default = refits[item.refit], own.get(item.quantity, UNMATCHED)
        counts = refit is not base and refit.converged and base.converged
        counts = counts and default is not UNMATCHED
        move = item.median - default.median
        rows.append(
            {
                "refit": refit.name,
                "change": refit.change,
                "kind": refit.kind,
                "quantity": item.quantity,
                "unit": item.unit,
                "direction": item.direction,
                "median": item.median,
                "sd": item.sd,
                "ci_low": item.low,
                "ci_high": item.high,
                "p_positive": item.p_positive if item.direction else np.nan,
                "p_direction": _p_direction(item) if item.direction else np.nan,
                "base_median": default.median,
                "base_p_direction": _p_direction(default) if default.direction else np.nan,
                "move": move,
                "move_in_sd": move / default.sd if default.sd > 0 else np.nan,
                "verdict": _said(item),
                "base_verdict": _said(default),
                "changed": counts and _said(item) != _said(default),
                "counts": counts,
                "ci_kind": CI_KIND,
                "ci_prob": CI_PROB,
                "converged": refit.converged,
            }
        )
    return pd.DataFrame(rows)


def _p_direction(item: Moved) -> float:
    return max(item.p_positive, 1 - item.p_positive)


def _said(item: Moved) -> str:
    """What may be said of a direction: ``clear above``, ``leaning below``, ``undecided``."""
    if not item.direction:
        return ""
    said = verdict(_p_direction(item))
    if said == "undecided":
        return said
    return f"{said} {'above' if item.p_positive > 0.5 else 'below'}"


def farthest(table: pd.DataFrame) -> pd.DataFrame:
    """How far each quantity of :func:`moves` moves at most, in standard deviations, by refits."""
    import pandas as pd

    base = table[table["kind"] == "base"].set_index("quantity")
    usable = table[table["counts"] & table["move_in_sd"].notna()]
    rows = []
    for quantity, part in usable.groupby("quantity", sort=False):
        own = base.loc[quantity]
        row: dict[str, Any] = {
            "quantity": quantity,
            "unit": own["unit"],
            "base_median": own["median"],
            "width": own["ci_high"] - own["ci_low"],
            "farthest": float(part["move_in_sd"].abs().max()),
        }
        for kind in ("prior", "reading"):
            some = part[part["kind"] == kind]
            most = some.loc[some["move_in_sd"].abs().idxmax()] if len(some) else None
            row[kind] = "" if most is None else most["refit"]
            row[f"{kind}_move"] = np.nan if most is None else most["move"]
            row[f"{kind}_move_in_sd"] = np.nan if most is None else most["move_in_sd"]
        rows.append(row)
    columns = ["quantity", "unit", "base_median", "width", "farthest"]
    columns += [f"{k}{c}" for k in ("prior", "reading") for c in ("", "_move", "_move_in_sd")]
    made = pd.DataFrame(rows, columns=columns)
    return made.sort_values("farthest", ascending=False, kind="stable", ignore_index=True)


#: What power-scaling may say of a quantity; ``STEP``: only a refit with another prior moves it.
FINE, UNKNOWN = "not sensitive to the prior", "cannot be told"
STEP = "moves with a prior halved or doubled"
WEAK, CONFLICT = "weak likelihood or strong prior", "prior and data may conflict"
MOVES = "moves with the prior"


def scaled(found: Sensitivity) -> pd.DataFrame:
    """Power-scaling of each quantity.

    The diagnosis is ``FINE``, ``WEAK`` or ``CONFLICT``, by the rule of Kallioinen et al. (2024),
    ``MOVES`` where the prior is sensitive and the likelihood cannot be scaled, or ``UNKNOWN``.
    What the rule calls ``FINE`` is ``STEP`` if a refit with another prior moves the median by
    ``STEP_SIZE`` or more: power-scaling looks at small changes of all priors at once.
    """
    import pandas as pd

    far = farthest(moves(found)).set_index("quantity")["prior_move_in_sd"].abs()
    rows = []
    for item in found.scaled:
        moved = float(far.get(item.name, np.nan))
        diagnosis = STEP if moved >= STEP_SIZE else FINE
        if not np.isfinite(item.prior):
            diagnosis = UNKNOWN
        elif item.prior >= SENSITIVE:
            diagnosis = CONFLICT if item.likelihood >= SENSITIVE else WEAK
            diagnosis = diagnosis if np.isfinite(item.likelihood) else MOVES
        rows.append(
            {
                "quantity": item.name,
                "prior": item.prior,
                "likelihood": item.likelihood,
                "prior_move_in_sd": moved,
                "diagnosis": diagnosis,
                "pareto_k": found.pareto_k,
                # Weights that take few values have no tail to be fitted, and need none.
                "reliable": not found.pareto_k > UNRELIABLE,
            }
        )
    return pd.DataFrame(rows)


def shifts(found: Sensitivity) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Tables :func:`moves`, :func:`farthest` and :func:`scaled` of the sensitivity."""
    moved = moves(found)
    return moved, farthest(moved), scaled(found)


# -- multiverse --------------------------------------------------------------------------


def curves(found: Multiverse) -> pd.DataFrame:
    """Every difference under every combination that converged.

    Columns: ``quantity``, ``unit``, ``specification``, an axis each (what was chosen),
    ``default``, ``median``, ``ci_low``, ``ci_high``, ``p_positive``, ``weight``.
    """
    import pandas as pd

    own = {s.name: s for s in found.specifications}
    rows = [
        {
            "quantity": row.quantity,
            "unit": row.unit,
            "specification": row.refit,
            **dict(zip(found.axes, own[row.refit].choices, strict=True)),
            "default": row.refit == found.specifications[0].name,
            "median": row.median,
            "ci_low": row.low,
            "ci_high": row.high,
            "p_positive": row.p_positive,
            "weight": own[row.refit].weight,
        }
        for row in found.moved
        if own[row.refit].converged
    ]
    columns = ["quantity", "unit", "specification", *found.axes, "default", "median"]
    return pd.DataFrame(rows, columns=[*columns, "ci_low", "ci_high", "p_positive", "weight"])


def stability(probabilities: pd.DataFrame, limits: tuple[float, float]) -> pd.DataFrame:
    """In how many combinations something has the verdict of the default, by ``name``.

    Parameters
    ----------
    probabilities : pandas.DataFrame
        ``name``, ``specification``, ``default``, ``probability``, ``weight`` (of stacking; may be
        missing), a row for each combination that converged.
    limits : tuple of float
        Probabilities from which a direction is leaning and clear, such as 0.9 and 0.975.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``default`` (its probability), ``combinations``, ``same_side`` (with the
        probability on the default's side of one half), ``leaning`` and ``clear`` (at least as
        probable as that, on the default's side), ``lowest``, ``highest``, ``equal`` and
        ``stacked`` (average probability with equal weights and with those of stacking).
    """
    import pandas as pd

    rows = []
    for name, part in probabilities.groupby("name", sort=False):
        if not part["default"].any():
            continue  # the default did not converge, or does not have it
        p = part["probability"].to_numpy(dtype=float)
        default = float(p[part["default"]][0])
        towards = p if default >= 0.5 else 1 - p
        weight = part["weight"].to_numpy(dtype=float)
        total = weight.sum()
        rows.append(
            {
                "name": name,
                "default": default,
                "combinations": len(part),
                "same_side": int((towards >= 0.5).sum()),
                "leaning": int((towards >= limits[0]).sum()),
                "clear": int((towards >= limits[1]).sum()),
                "lowest": float(p.min()),
                "highest": float(p.max()),
                "equal": float(p.mean()),
                "stacked": float(p @ weight / total) if total > 0 else float("nan"),
            }
        )
    columns = ["name", "default", "combinations", "same_side", "leaning", "clear"]
    return pd.DataFrame(rows, columns=[*columns, "lowest", "highest", "equal", "stacked"])


def key_contrasts(found: Multiverse, most: int = 4) -> pd.DataFrame:
    """The stability of the differences that are the most probable in the default."""
    table = stability(of_differences(curves(found)), (LEANING, CLEAR))
    away = (table["default"] - 0.5).abs()
    return table.loc[away.sort_values(ascending=False, kind="stable").index[:most]]


def standing(
    found: Multiverse, probabilities: pd.DataFrame, default: Mapping[str, float]
) -> dict[str, str]:
    """In how many combinations a verdict stands, in words, by name.

    It stands where the probability allows the verdict of the default or a firmer one on the same
    side, and of what is uncertain where that is uncertain as well. ``probabilities`` are as for
    :func:`stability`; ``default`` holds those of the stored default fit.
    """
    said = {}
    for name, part in probabilities.groupby("name", sort=False):
        own = default.get(str(name), float("nan"))
        if np.isnan(own):
            continue
        towards = part["probability"] if own >= 0.5 else 1 - part["probability"]
        firmer = [limit for limit in (CLEAR, LEANING) if max(own, 1 - own) >= limit]
        stands = towards >= firmer[0] if firmer else towards.between(*LIMITS[2:0:-1], "neither")
        said[str(name)] = (
            f"stands in {stands.sum()} of {f.counted(len(part), 'combination')} of "
            f"{f.listed(list(map(axis_name, found.axes)))}"
        )
    return said


def axis_name(axis: str) -> str:
    """What an axis of a multiverse is called where its own name is a symbol."""
    known = {
        "rho": "weight of a count off by one",
        "concentration": "spread of decisions over firms",
    }
    return known.get(axis, axis)


def of_differences(curves: pd.DataFrame) -> pd.DataFrame:
    """Probability that each difference of :func:`curves` is positive, for :func:`stability`."""
    renamed = curves.rename(columns={"quantity": "name", "p_positive": "probability"})
    return renamed[["name", "specification", "default", "probability", "weight"]]


def claim_key(claim: Claim) -> str:
    """What a claim is stored as: its id, its rule, and a hash of what the rule is given."""
    terms = [repr(sorted(claim.terms.items())), claim.fit]
    return f"{claim.id} {claim.rule.name} {short_hash(terms)}"


def claims_by_combination(found: Multiverse, claims: Sequence[Claim]) -> pd.DataFrame:
    """Probability of every claim under every combination, as :func:`stability` takes it.

    Of ``claims`` those that were the same when the combinations were fitted.
    """
    import pandas as pd

    first = found.specifications[0].name
    rows = [
        (claim.id, s.name, s.name == first, s.claims[key], s.weight)
        for claim in claims
        for key in [claim_key(claim)]
        for s in found.specifications
        if s.converged and key in s.claims
    ]
    columns = ["name", "specification", "default", "probability", "weight"]
    return pd.DataFrame(rows, columns=columns)


# -- influence ---------------------------------------------------------------------------


def influences(found: Influence) -> pd.DataFrame:
    """Every difference and claim without each firm, count or group of counts.

    Columns: ``of`` (``difference`` or ``claim``), ``name``, ``unit``, ``left_out`` (the stored fit,
    from which nothing is, first), ``kind``, ``median``, ``ci_low``, ``ci_high``; ``probability``
    that a difference is positive or a claim holds, ``error`` (its Monte Carlo error), ``verdict``;
    ``base`` (probability of the stored fit), ``move`` (away from it), ``changed`` (another verdict,
    by more than Monte Carlo error), ``converged``.
    """
    import pandas as pd

    own = {omission.name: omission for omission in found.omissions}
    rows = [
        (
            *("difference", item.quantity, item.unit, item.refit),
            *(item.median, item.low, item.high, item.p_positive, item.p_error, _said(item)),
        )
        for item in found.moved
    ] + [
        (
            *("claim", claim, "", omission.name),
            *(np.nan, np.nan, np.nan, value, error, claim_verdict(value)),
        )
        for omission in found.omissions
        for claim, (value, error) in omission.claims.items()
    ]
    columns = ["of", "name", "unit", "left_out", "median", "ci_low", "ci_high"]
    table = pd.DataFrame(rows, columns=[*columns, "probability", "error", "verdict"])
    table["error"] = table["error"].fillna(0.0)
    table["kind"] = [own[name].kind for name in table["left_out"]]
    table["converged"] = [own[name].converged for name in table["left_out"]]
    whole = table[table["kind"] == "nothing"].set_index(["of", "name"])
    base = whole.loc[list(zip(table["of"], table["name"], strict=True))]
    table["base"] = base["probability"].to_numpy()
    table["move"] = table["probability"] - table["base"]
    noise = diagnostics.EDGE_ERRORS * np.hypot(table["error"], base["error"].to_numpy())
    table["changed"] = (
        (table["verdict"] != base["verdict"].to_numpy())
        & (table["move"].abs() > noise)
        & table["converged"]
        & base["converged"].to_numpy()
    )
    return table


def key_influences(table: pd.DataFrame, most: int = 4) -> list[pd.DataFrame]:
    """Rows of :func:`influences` of the differences that are the most probable as reported.

    Each with the stored fit first, then what moves its probability most; refits that did not
    converge are left out.
    """
    found = table[(table["of"] == "difference") & table["converged"]]
    whole = found[found["kind"] == "nothing"]
    away = (whole["base"].round(2) - 0.5).abs().sort_values(ascending=False, kind="stable")
    size = found["move"].abs().where(found["kind"] != "nothing", np.inf)
    ordered = found.loc[size.sort_values(ascending=False, kind="stable").index]
    return [ordered[ordered["name"] == whole["name"][place]] for place in away.index[:most]]


# -- leave-one-out -----------------------------------------------------------------------


class Laws(NamedTuple):
    """What refits expected of the units that they did not see."""

    chance: Array  # (unit, value): Probability of every value, sums to 1 in each row
    place: NDArray[np.int64]  # (unit,): Which value was printed
    below: Array  # (unit,): Probability of a smaller value than the printed one
    exactly: Array  # (unit,): And of the printed one


def laws(found: Comparison, variant: str) -> Laws:
    """Predictive laws of the left-out units of one variant."""
    units = found.variants[variant]
    chance = np.array([unit.law for unit in units], dtype=np.float64)
    chance /= chance.sum(axis=1, keepdims=True)
    printed = np.array([unit.printed for unit in units])
    place = np.abs(np.array(found.values) - printed[:, None]).argmin(axis=1)
    row = np.arange(len(units))
    # Less than this is zero, but for rounding.
    chance[chance < 1e-12] = 0.0
    at = chance[row, place]
    below = np.maximum(chance.cumsum(axis=1)[row, place] - at, 0.0)
    return Laws(chance, place, below, at)


def refit_converged(unit: LeftOut) -> bool:
    """Whether the fit that did not see a unit is within the limits of the gate."""
    return unit.rhat <= MOST_RHAT and unit.ess >= LEAST_ESS and unit.divergences == 0


def left_out(found: Comparison) -> pd.DataFrame:
    """Every unit, predicted by every variant that did not see it.

    The intervals are central predictive ones; ``p_tail`` is the probability of a value at least as
    far out on the same side, doubled; ``outside`` is of the interval, ``p_outside`` its chance.
    """
    import pandas as pd

    rows = []
    for variant, units in found.variants.items():
        law = laws(found, variant)
        values = np.array(found.values)
        for i, unit in enumerate(units):
            chance = law.chance[i]
            low, high = _central(chance, CENTRAL)
            low50, high50 = _central(chance, 0.5)
            above = max(1.0 - law.below[i] - law.exactly[i], 0.0)
            outside = not low <= law.place[i] <= high
            rows.append(
                {
                    "variant": variant,
                    "unit": unit.unit,
                    "printed": unit.printed,
                    "median": values[_first(chance, 0.5)],
                    "ci_low": values[low],
                    "ci_high": values[high],
                    "ci50_low": values[low50],
                    "ci50_high": values[high50],
                    "p_tail": min(1.0, 2 * (min(law.below[i], above) + law.exactly[i])),
                    "outside": outside,
                    "p_outside": max(0.0, 1 - float(chance[low : high + 1].sum())),
                    "lpd": unit.lpd,
                    "lpd_error": unit.lpd_error,
                    "possible": bool(np.isfinite(unit.lpd)),
                    "rhat": unit.rhat,
                    "ess": unit.ess,
                    "divergences": unit.divergences,
                    "ci_kind": CI_KIND,
                    "ci_prob": CENTRAL,
                    "converged": refit_converged(unit),
                }
            )
    return pd.DataFrame(rows)


def _first(chance: Array, prob: float) -> int:
    """The first value up to which the probability is at least ``prob``."""
    return min(int((chance.cumsum() < prob - 1e-9).sum()), len(chance) - 1)


def _central(chance: Array, prob: float) -> tuple[int, int]:
    """First and last value of a central interval: beyond either is less than half of the rest."""
    tail = (1 - prob) / 2
    return _first(chance, tail), len(chance) - 1 - _first(chance[::-1], tail)


def elpds(found: Comparison) -> pd.DataFrame:
    """Each variant by exact leave-one-out, compared with the first, the default.

    ``impossible`` are units with probability zero, ``unconverged`` refits; a ``difference`` above
    zero predicts better; ``told_apart`` is False where few units and a small difference do not
    allow it; ``weight`` is that of stacking; ``log_evidence`` and ``evidence_error`` are missing
    where it was not computed.
    """
    import pandas as pd

    names = list(found.variants)
    table = np.array([[unit.lpd for unit in units] for units in found.variants.values()])
    possible = int((table > -np.inf).any(axis=0).sum())
    weights, spread = np.full(len(names), np.nan), np.full((2, len(names)), np.nan)
    if len(names) > 1 and possible:
        weights, spread = leaveout.stacking(table), leaveout.stacking_spread(table)
    rows = []
    for i, name in enumerate(names):
        unconverged = sum(not refit_converged(unit) for unit in found.variants[name])
        gap = leaveout.Difference(*[np.nan] * 5)
        if i > 0 and possible > 1:
            gap = leaveout.difference(table[i], table[0], prob=CI_PROB)
        evidence = found.evidence.get(name, (np.nan, np.nan))
        few = table.shape[1] < FEW_UNITS and abs(gap.elpd) < ALIKE
        rows.append(
            {
                "variant": name,
                "elpd": float(table[i].sum()),
                "impossible": int((table[i] == -np.inf).sum()),
                "unconverged": unconverged,
                "difference": gap.elpd,
                "se": gap.se,
                "ci_low": gap.low,
                "ci_high": gap.high,
                "p_better": gap.p_better,
                "told_apart": not few and not np.isnan(gap.elpd),
                "weight": weights[i],
                "weight_low": spread[0, i],
                "weight_high": spread[1, i],
                "ci_kind": CI_KIND,
                "ci_prob": CI_PROB,
                "weight_prob": WEIGHT_PROB,
                "log_evidence": evidence[0],
                "evidence_error": evidence[1],
                "converged": unconverged == 0,
            }
        )
    return pd.DataFrame(rows)


class Pit(NamedTuple):
    """Whether what was printed lies within its leave-one-out laws as it should."""

    p_value: float
    outside: float  # Where its curve is farthest outside of its band; NaN if it never leaves it
    tails: float  # Share of units in the outer halves of their laws, 0.5 expected
    upper: float  # And in the upper halves


def pit(law: Laws) -> Pit:
    """Probability integral transform of discrete outcomes (Czado et al. 2009)."""
    quarters = pit_histogram(law.below, law.exactly, 4)
    beyond = np.abs(pit_cdf(law.below, law.exactly, PIT_GRID) - PIT_GRID) - pit_band(law, PIT_GRID)
    return Pit(
        p_value=pit_p_value(law.chance, law.place),
        outside=PIT_GRID[beyond.argmax()] if beyond.max() > 1e-9 else float("nan"),
        tails=float(quarters[0] + quarters[3]),
        upper=float(quarters[2] + quarters[3]),
    )


def pit_band(law: Laws, grid: Array, sets: int = 400, seed: int = leaveout.SEED) -> Array:
    """Half the width of a simultaneous 95% band around the diagonal for the PIT of these laws.

    As wide at each place of ``grid`` as the standard deviation there of the curves of outcomes
    drawn from the laws, times what holds 95% of the curves as a whole.
    """
    rng = np.random.default_rng(seed)
    curves = np.zeros((sets, len(grid)))
    for chance in law.chance:
        upper = np.minimum(chance.cumsum(), 1.0)
        start = np.maximum(upper - chance, 0.0)
        width = np.where(chance > 0, chance, 1.0)
        rising = np.clip((grid - start[:, None]) / width[:, None], 0.0, 1.0)
        drawn = np.searchsorted(upper, rng.random(sets) * upper[-1], side="right")
        curves += rising[np.minimum(drawn, len(chance) - 1)]
    away = curves / len(law.chance) - grid
    deviation = np.sqrt((away**2).mean(axis=0))
    scaled = np.abs(away) / np.where(deviation > 0, deviation, np.inf)
    return np.asarray(deviation * np.quantile(scaled.max(axis=1), 0.95))


class Predicted(NamedTuple):
    """All tables of a comparison, from the functions of these names; law and PIT of the default."""

    elpds: pd.DataFrame
    left_out: pd.DataFrame
    law: Laws
    pit: Pit

    @property
    def own(self) -> pd.DataFrame:
        """Rows of ``left_out`` that are the default's."""
        default = self.elpds["variant"].iloc[0]
        return self.left_out[self.left_out["variant"] == default].reset_index(drop=True)


def predicted(found: Comparison) -> Predicted:
    """Work out all tables of a comparison."""
    law = laws(found, next(iter(found.variants)))
    return Predicted(elpds(found), left_out(found), law, pit(law))


# -- exact evidence ----------------------------------------------------------------------


def evidences(found: Evidence) -> pd.DataFrame:
    """Each variant by exact evidence, and what its posterior says of the decay of each size.

    ``difference`` is that of log evidence to the first variant, the default; ``weight`` the
    posterior probability of the variant where all are equally probable beforehand.
    """
    import pandas as pd

    logs = np.array([summed.log_evidence for summed in found.variants.values()])
    weights = np.exp(logs - logs.max(initial=-np.inf))
    return pd.DataFrame(
        [
            {
                "variant": name,
                "log_evidence": summed.log_evidence,
                "difference": summed.log_evidence - logs[0],
                "weight": weight,
                "omitted": summed.omitted,
                **{f"decay[{size}]": value for size, value in summed.decay.items()},
                **{f"p_falls[{size}]": value for size, value in summed.falls.items()},
            }
            for (name, summed), weight in zip(
                found.variants.items(), weights / weights.sum(), strict=True
            )
        ]
    )


# -- files -------------------------------------------------------------------------------


def csv_tables(checks: CheckResults) -> dict[str, pd.DataFrame]:
    """File name -> table, of all findings that are current."""
    made: dict[str, pd.DataFrame] = {}
    if checks.calibration.value is not None and checks.calibration.value.quantities:
        made["calibration.csv"] = calibrated(checks.calibration.value)
        if checks.calibration.value.differences:
            made["verdict_rates.csv"] = verdict_rates(checks.calibration.value.differences)
    if checks.comparison.value is not None:
        made["leave_one_out.csv"] = left_out(checks.comparison.value)
        made["elpd.csv"] = elpds(checks.comparison.value)
    if checks.evidence.value is not None and checks.evidence.value.variants:
        made["evidence.csv"] = evidences(checks.evidence.value)
    if checks.sensitivity.value is not None:
        made["sensitivity.csv"] = moves(checks.sensitivity.value)
        made["power_scaling.csv"] = scaled(checks.sensitivity.value)
    if checks.multiverse.value is not None:
        made["multiverse.csv"] = curves(checks.multiverse.value)
    if checks.influence.value is not None:
        made["influence.csv"] = influences(checks.influence.value)
    if checks.design.value is not None:
        made["design.csv"] = decisions(checks.design.value)
    return made
