"""Tables of what calibration and sensitivity found: the rows that reports show.

Pictures and sentences take these tables and work out nothing of their own; what decides a
verdict is a constant here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intlmodels.checks import predicted, ranks
from intlmodels.checks.stored import PROBS, Calibrated, Calibration, Moved, Sensitivity, Trust
from intlmodels.results.intervals import CI_KIND, CI_PROB
from intlmodels.results.wording import verdict

if TYPE_CHECKING:
    import pandas as pd


#: Level at which ranks are called uneven, for all quantities of a calibration together (Holm).
FAMILYWISE = ranks.FAMILYWISE
#: Probability of the binomial limits that a coverage is held against.
BAND = 0.95
#: A bias so many standard errors from zero is one.
BIASED = 2.58
#: Mean posterior over prior standard deviation from which a quantity is hardly learned.
WIDE = 0.8

#: From here a quantity is sensitive to power-scaling; above ``UNRELIABLE`` the Pareto k of the
#: weights says that power-scaling cannot be relied on (Kallioinen et al. 2024).
SENSITIVE, UNRELIABLE = 0.05, 0.7


# -- calibration -------------------------------------------------------------------------


def calibrated(found: Calibration) -> pd.DataFrame:
    """How each quantity was recovered.

    Returns
    -------
    pandas.DataFrame
        One row a quantity: ``quantity``, ``simulations`` (with ranks), ``p_value`` of uniform
        ranks, ``p_adjusted`` (Holm, over all quantities), ``deviates``; for each probability of
        ``PROBS`` in percent ``coverage_50``, the limits ``low_50`` and ``high_50`` that hold it
        with probability ``BAND`` if all is right, ``outside_50``; ``bias`` and ``bias_error``,
        and the same over the prior's standard deviation (``_in_sd``); ``rmse``, ``spread`` (mean
        posterior standard deviation), ``width`` (mean, of the 95 % interval), ``prior_spread``
        and ``spread_ratio``. Empty where no simulation has a fit.
    """
    import pandas as pd

    if not found.quantities:
        return pd.DataFrame()
    counts = np.array([item.ranks for item in found.quantities], dtype=np.int64)
    p_values = ranks.p_values(counts)
    adjusted = ranks.holm(p_values)
    rows = []
    for item, p_value, p_adjusted in zip(found.quantities, p_values, adjusted, strict=True):
        scale = item.prior_spread if item.prior_spread > 0 else np.nan
        rows.append(
            {
                "quantity": item.name,
                "simulations": sum(item.ranks),
                "p_value": p_value,
                "p_adjusted": p_adjusted,
                "deviates": bool(p_adjusted < FAMILYWISE),
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
        low, high = ranks.coverage_band(number, prob, BAND) if number else (np.nan, np.nan)
        share = covered / number if number else np.nan
        name = f"{100 * prob:g}"
        columns[f"coverage_{name}"] = 100 * share
        columns[f"low_{name}"], columns[f"high_{name}"] = 100 * low, 100 * high
        columns[f"outside_{name}"] = bool(share < low or share > high)
    return columns


def outside_by_chance(table: pd.DataFrame) -> float:
    """How many coverages are expected outside of their limits if all is right.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`calibrated`.
    """
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


# -- sensitivity -------------------------------------------------------------------------


def moves(found: Sensitivity) -> pd.DataFrame:
    """Every conclusion under every refit, beside the default's.

    Returns
    -------
    pandas.DataFrame
        ``refit``, ``change``, ``kind``, ``quantity``, ``unit``, ``direction`` (whether the sign
        is a conclusion), ``median``, ``sd``, ``ci_low``, ``ci_high``, ``p_positive``,
        ``p_direction``; ``base_median``, ``base_p_direction``; ``move`` (of the median) and
        ``move_in_sd`` (of the default's posterior); ``verdict``, ``base_verdict`` and
        ``changed``, for directions; ``counts``: whether refit and default converged, so that the
        row may be held against the default; ``ci_kind``, ``ci_prob``, ``converged``.
    """
    import pandas as pd

    refits = {refit.name: refit for refit in found.refits}
    base = found.refits[0]
    own = {item.quantity: item for item in found.moved if item.refit == base.name}
    rows = []
    for item in found.moved:
        refit, default = refits[item.refit], own.get(item.quantity)
        counts = refit is not base and refit.converged and base.converged and default is not None
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
                **_beside(item, default, counts),
                "counts": counts,
                "ci_kind": CI_KIND,
                "ci_prob": CI_PROB,
                "converged": refit.converged,
            }
        )
    return pd.DataFrame(rows)


def _p_direction(item: Moved) -> float:
    return max(item.p_positive, 1 - item.p_positive)


def _beside(item: Moved, default: Moved | None, counts: bool) -> dict[str, Any]:
    """Columns of :func:`moves` that hold a row against the default's."""
    if default is None:
        nothing = dict.fromkeys(("base_median", "base_p_direction", "move", "move_in_sd"), np.nan)
        return {**nothing, "verdict": _said(item), "base_verdict": "", "changed": False}
    move = item.median - default.median
    return {
        "base_median": default.median,
        "base_p_direction": _p_direction(default) if default.direction else np.nan,
        "move": move,
        "move_in_sd": move / default.sd if default.sd > 0 else np.nan,
        "verdict": _said(item),
        "base_verdict": _said(default),
        "changed": counts and _said(item) != _said(default),
    }


def _said(item: Moved) -> str:
    """What may be said of a direction: ``clear above``, ``leaning below``, ``cannot tell``."""
    if not item.direction:
        return ""
    said = verdict(_p_direction(item))
    if said == "cannot tell":
        return said
    return f"{said} {'above' if item.p_positive > 0.5 else 'below'}"


def farthest(table: pd.DataFrame) -> pd.DataFrame:
    """How far each quantity moves at most, by other priors and by other readings.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`moves`.

    Returns
    -------
    pandas.DataFrame
        One row a quantity that has a row that counts, the farthest move first: ``quantity``,
        ``unit``, ``base_median``, ``width`` (of the default's interval), ``farthest`` (in
        standard deviations), and for ``prior`` and ``reading`` the refit (``prior``, empty if
        there is none), ``prior_move`` and ``prior_move_in_sd``.
    """
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


#: What power-scaling may say of a quantity.
FINE, UNKNOWN = "not sensitive to the prior", "cannot be told"
WEAK, CONFLICT = "weak likelihood or strong prior", "prior and data may conflict"
MOVES = "moves with the prior"


def scaled(found: Sensitivity) -> pd.DataFrame:
    """Power-scaling of each quantity.

    Returns
    -------
    pandas.DataFrame
        ``quantity``, ``prior``, ``likelihood`` (sensitivities), ``diagnosis``: one of ``FINE``,
        ``WEAK`` and ``CONFLICT``, by the rule of Kallioinen et al. (2024), ``MOVES`` where the
        prior is sensitive and the likelihood cannot be scaled, or ``UNKNOWN``;
        ``pareto_k`` of all, NaN where none could be fitted, and ``reliable``.
    """
    import pandas as pd

    rows = []
    for item in found.scaled:
        diagnosis = FINE
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
                "diagnosis": diagnosis,
                "pareto_k": found.pareto_k,
                # Weights that take few values have no tail to be fitted, and need none.
                "reliable": not found.pareto_k > UNRELIABLE,
            }
        )
    return pd.DataFrame(rows)


class Shifts(NamedTuple):
    """All that is told of the sensitivity: what the functions of these names make."""

    moves: pd.DataFrame
    farthest: pd.DataFrame
    scaled: pd.DataFrame


def shifts(found: Sensitivity) -> Shifts:
    """Work out all tables of the sensitivity."""
    moved = moves(found)
    return Shifts(moved, farthest(moved), scaled(found))


# -- files -------------------------------------------------------------------------------


def csv_tables(trust: Trust) -> dict[str, pd.DataFrame]:
    """File name -> table, of all findings that are current."""
    made: dict[str, pd.DataFrame] = {}
    if trust.calibration.value is not None and trust.calibration.value.quantities:
        made["calibration.csv"] = calibrated(trust.calibration.value)
    if trust.comparison.value is not None:
        made["leave_one_out.csv"] = predicted.left_out(trust.comparison.value)
        made["elpd.csv"] = predicted.elpds(trust.comparison.value)
    if trust.sensitivity.value is not None:
        made["sensitivity.csv"] = moves(trust.sensitivity.value)
        made["power_scaling.csv"] = scaled(trust.sensitivity.value)
    return made
