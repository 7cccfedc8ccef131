"""Tables of the comparison by exact leave-one-out: the rows that reports show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intlmodels.checks import leaveout
from intlmodels.checks.leaveout import pit_histogram, pit_p_value
from intlmodels.checks.stored import Comparison, LeftOut
from intlmodels.fitting.diagnostics import LIMITS
from intlmodels.results.intervals import CI_KIND, CI_PROB

if TYPE_CHECKING:
    import pandas as pd


Array = NDArray[np.float64]

#: With fewer units than ``FEW_UNITS`` two variants whose elpd differs by less than ``ALIKE``
#: cannot be told apart (Sivula et al. 2020, arXiv:2008.10296).
FEW_UNITS, ALIKE = 100, 4.0
#: Probability of the predictive interval outside of which a unit is hard to predict.
CENTRAL = 0.9
#: Probability of the interval of a stacking weight.
WEIGHT_PROB = 0.9
#: A refit is believed within these limits, those of the gate.
MOST_RHAT, LEAST_ESS = LIMITS["rhat"], LIMITS["ess_bulk"]


class Laws(NamedTuple):
    """What refits expected of the units that they did not see.

    Attributes
    ----------
    chance : array, shape (unit, value)
        Probability of every value; rows sum to 1.
    place : array of int, shape (unit,)
        Which value was printed.
    below, exactly : array, shape (unit,)
        Probability of a smaller value than the printed one, and of the printed one.
    """

    chance: Array
    place: NDArray[np.int64]
    below: Array
    exactly: Array


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

    Returns
    -------
    pandas.DataFrame
        ``variant``, ``unit``, ``printed``, ``median`` and the central predictive intervals
        ``ci_low`` to ``ci_high`` (probability ``ci_prob``) and ``ci50_low`` to ``ci50_high``;
        ``p_tail``, the probability of a value at least as far out on the same side, doubled;
        ``outside`` (the interval), ``p_outside``, its probability; ``lpd``, ``lpd_error``,
        ``possible``; ``rhat``, ``ess``, ``divergences``, ``ci_kind`` and ``converged``.
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
    """Each variant by exact leave-one-out, held against the first, the default.

    Returns
    -------
    pandas.DataFrame
        One row a variant: ``variant``, ``elpd`` (sum of the log probabilities), ``impossible``
        (units with probability zero), ``unconverged`` (refits), ``difference`` to the default
        (above zero: predicts better), ``se``, ``ci_low``, ``ci_high``, ``p_better``,
        ``told_apart`` (False where few units and a small difference do not allow it), the
        stacking ``weight`` with ``weight_low`` and ``weight_high``; ``ci_kind``, ``ci_prob``,
        ``weight_prob`` and ``converged`` (all refits).
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
        rows.append(
            {
                "variant": name,
                "elpd": float(table[i].sum()),
                "impossible": int((table[i] == -np.inf).sum()),
                "unconverged": unconverged,
                **_against(table[i], table[0], i > 0 and possible > 1),
                "weight": weights[i],
                "weight_low": spread[0, i],
                "weight_high": spread[1, i],
                "ci_kind": CI_KIND,
                "ci_prob": CI_PROB,
                "weight_prob": WEIGHT_PROB,
                "converged": unconverged == 0,
            }
        )
    return pd.DataFrame(rows)


def _against(own: Array, default: Array, compared: bool) -> dict[str, Any]:
    """Columns of :func:`elpds` that hold a variant against the default."""
    if not compared:
        nothing = dict.fromkeys(("difference", "se", "ci_low", "ci_high", "p_better"), np.nan)
        return {**nothing, "told_apart": False}
    gap = leaveout.difference(own, default, prob=CI_PROB)
    few = len(own) < FEW_UNITS and abs(gap.elpd) < ALIKE
    return {
        "difference": gap.elpd,
        "se": gap.se,
        "ci_low": gap.low,
        "ci_high": gap.high,
        "p_better": gap.p_better,
        "told_apart": not few and not np.isnan(gap.elpd),
    }


class Pit(NamedTuple):
    """Whether what was printed lies within its leave-one-out laws as it should.

    Attributes
    ----------
    p_value : float
    tails : float
        Share of the units in the outer halves of their laws (the lower and the upper quarter).
    upper : float
        Share in the upper halves. Both are expected to be 0.5.
    """

    p_value: float
    tails: float
    upper: float


def pit(law: Laws) -> Pit:
    """Probability integral transform of discrete outcomes (Czado et al. 2009)."""
    quarters = pit_histogram(law.below, law.exactly, 4)
    return Pit(
        p_value=pit_p_value(law.chance, law.place),
        tails=float(quarters[0] + quarters[3]),
        upper=float(quarters[2] + quarters[3]),
    )


def pit_band(law: Laws, grid: Array, sets: int = 400, seed: int = leaveout.SEED) -> Array:
    """Half the width of a simultaneous 95 % band around the diagonal for the PIT of these laws.

    Outcomes are drawn from the laws; the band is as wide at each place as the standard deviation
    of their curves there, times what holds 95 % of the curves as a whole.

    Parameters
    ----------
    law : Laws
    grid : array, shape (grid,)
        Places from 0 to 1.
    sets : int
        Number of sets of outcomes.
    seed : int

    Returns
    -------
    array, shape (grid,)
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
    """All that is told of a comparison.

    Attributes
    ----------
    elpds, left_out : pandas.DataFrame
        From the functions of these names.
    law : Laws
        Of the default.
    pit : Pit
        Of the default.
    """

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
