"""What the counts or decisions of a study say of its claims: each by its rule, none by hand.

Rules of arithmetic look at the printed numbers. The others ask the fit for a posterior
probability, and the verdict follows from that alone (:func:`verdict_of`). Where every decision
is known, what a rule asks of the decisions is a fact, and no probability is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels import formats as f
from intlmodels.counts import FLAGS
from intlmodels.decay.estimands import FALL_AFTER
from intlmodels.decay.results import estimands
from intlmodels.decay.sentences import group_name
from intlmodels.narrative import CLEAR, LEANING
from intlmodels.results import CI_PROB, converged, flat, interval, texts
from intlmodels.study import DecayStudy
from intlmodels.study.claims import Claim, Part

if TYPE_CHECKING:
    import pandas as pd
    from xarray import Dataset, DataTree

Array = NDArray[np.float64]

#: At or below this probability a claim is unsupported: the opposite is at least leaning.
UNSUPPORTED = round(1 - LEANING, 9)
SUPPORTED_WORD, LEANING_WORD, UNCERTAIN_WORD = "supported", "leaning", "uncertain"
UNSUPPORTED_WORD = "unsupported"
FAILED = "did not converge"
CANNOT = "cannot be checked with what was published"
HOLDS, CONTRADICTED = "holds in the printed {}", "contradicted by the printed {}"
POINTS = "percentage points"


def verdict_of(probability: float) -> str:
    """What the posterior probability of a claim allows to say of it."""
    if probability >= CLEAR:
        return SUPPORTED_WORD
    if probability >= LEANING:
        return LEANING_WORD
    return UNSUPPORTED_WORD if probability <= UNSUPPORTED else UNCERTAIN_WORD


@dataclass(frozen=True)
class _Found:
    """What a rule gives. ``probability`` is not a number where the rule gives a fact."""

    verdict: str = ""
    probability: float = math.nan
    median: float = math.nan
    low: float = math.nan
    high: float = math.nan
    unit: str = ""
    numbers: str = ""
    of_draws: bool = False


@dataclass(frozen=True)
class _Evidence:
    """A study, and the draws of its estimands."""

    study: DecayStudy
    draws: Dataset
    prob: float

    @property
    def latent(self) -> bool:
        """Whether decisions are reconstructed from counts, draw by draw."""
        return "group_cell" in self.draws

    @property
    def known(self) -> str:
        """What was printed, when it is not counts."""
        return f.plural(self.study.event)

    def sizes(self) -> list[str]:
        """Sizes of firms that have a decay of their own."""
        return texts(self.draws["size"])

    def decisions(self, part: Part) -> Array:
        """Decisions in a part, (draw, flag); one row where all are known."""
        study = self.study
        if self.latent:
            cells = self.draws["group_cell"].sel(period_level=list(part.periods), flag=list(FLAGS))
            chosen = cells.sel(size=[part.size]) if part.size else cells
            summed = chosen.sum(("size", "period_level")).transpose("chain", "draw", "flag")
            return flat(summed)
        if study.decisions is None:
            raise ValueError("a fit without a table of decisions, and no decisions in the study")
        firms = [i for i, own in enumerate(study.sizes) if part.size in ("", own)]
        periods = [study.periods.index(name) for name in part.periods]
        table = study.decisions.table(study.firms, study.periods)[np.ix_(firms, periods)]
        return table.sum(axis=(0, 1))[None].astype(float)


def evaluate(study: DecayStudy, fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Hold every claim of a study against its counts or decisions.

    Parameters
    ----------
    study : DecayStudy
    fit : xarray.DataTree
        The fit of the default variant.
    prob : float
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        ``id``, ``claim``, ``where``, ``rule``, ``verdict``, ``probability`` (posterior; missing
        where the verdict is a fact), ``effect_median``, ``effect_low``, ``effect_high``,
        ``effect_unit``, ``numbers`` (what was found, in words), ``converged`` (true as well
        where no fit is needed).
    """
    import pandas as pd

    evidence = _Evidence(study, estimands(fit), prob)
    passed = converged(fit)
    rows = []
    for claim in study.claims:
        found = _RULES[claim.rule](claim, evidence)
        if found.of_draws and not passed:
            found = replace(found, verdict=FAILED)
        rows.append(
            {
                "id": claim.id,
                "claim": claim.text,
                "where": claim.where,
                "rule": claim.rule,
                "verdict": found.verdict,
                "probability": found.probability,
                "effect_median": found.median,
                "effect_low": found.low,
                "effect_high": found.high,
                "effect_unit": found.unit,
                "numbers": found.numbers,
                "converged": passed or not found.of_draws,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


COLUMNS = (
    *("id", "claim", "where", "rule", "verdict", "probability"),
    *("effect_median", "effect_low", "effect_high", "effect_unit", "numbers", "converged"),
)


# -- facts -------------------------------------------------------------------------------


def _fact(holds: bool, printed: str, **more: Any) -> _Found:
    return _Found(verdict=(HOLDS if holds else CONTRADICTED).format(printed), **more)


def _cannot(claim: Claim, evidence: _Evidence) -> _Found:
    return _Found(verdict=CANNOT, numbers=claim.why)


def _sum(claim: Claim, evidence: _Evidence) -> _Found:
    printed = {count.id: count.value for count in evidence.study.counts}
    left, right = ([printed[name] for name in names] for names in (claim.counts, claim.total))
    off = sum(left) - sum(right)
    return _fact(
        not off,
        "counts",
        median=float(off),
        unit=f.plural(evidence.study.event),
        numbers=f"{_added(left)}, against {_added(right)}",
    )


def _added(values: list[int]) -> str:
    """Numbers with their sum: ``3 + 6 + 5 = 14``."""
    shown = " + ".join(str(value) for value in values)
    return f"{shown} = {sum(values)}" if len(values) > 1 else shown


def _share(claim: Claim, evidence: _Evidence) -> _Found:
    printed = {count.id: count.value for count in evidence.study.counts}
    part, whole = printed[claim.part], printed[claim.whole]
    share = 100 * part / whole
    return _fact(
        claim.least * whole <= 100 * part <= claim.most * whole,
        "counts",
        median=share,
        unit="percent",
        numbers=f"{part} of {whole}, {f.percent(share, 1)} (asked: {f.number(claim.least, 0)} to "
        f"{f.percent(claim.most)})",
    )


# -- rules that ask the posterior --------------------------------------------------------


def _of_draws(
    holds: NDArray[np.bool_], kept: NDArray[np.bool_], effect: Array, evidence: _Evidence
) -> _Found:
    """Verdict, probability and effect from draws.

    Parameters
    ----------
    holds : array of bool, shape (draw,)
        Whether the claim holds, where that can be said.
    kept : array of bool, shape (draw,)
        Where it can be said.
    effect : array, shape (draw,)
    evidence : _Evidence
    """
    probability = float(holds[kept].mean())
    low, high = interval(effect[kept], evidence.prob)
    return _Found(
        verdict=verdict_of(probability),
        probability=probability,
        median=float(np.median(effect[kept])),
        low=low,
        high=high,
        of_draws=True,
        numbers=_edge(holds, kept, probability, evidence.draws.sizes["chain"]),
    )


def _edge(
    holds: NDArray[np.bool_], kept: NDArray[np.bool_], probability: float, chains: int
) -> str:
    """A remark where more draws could move a probability to another verdict."""
    from arviz_stats.base import array_stats

    # Of a ratio where draws are left out: how many hold over how many are kept.
    part = (kept * (holds - probability)).reshape(chains, -1)
    with np.errstate(divide="ignore", invalid="ignore"):  # what never varies has no error
        error = array_stats.mcse(part, method="mean", chain_axis=0, draw_axis=1)
    error = float(np.nan_to_num(error)) / float(kept.mean())
    near = any(abs(probability - limit) < 2 * error for limit in (CLEAR, LEANING, UNSUPPORTED))
    return "; more draws could move this verdict" if near else ""


def _middle(draws: Array, decimals: int, evidence: _Evidence) -> str:
    """Median and interval: ``23 (−3 to 45)``."""
    low, high = interval(draws, evidence.prob)
    return f"{f.number(float(np.median(draws)), decimals)} ({f.span(low, high, decimals)})"


def _falls(claim: Claim, evidence: _Evidence) -> _Found:
    sizes = [claim.size] if claim.size else evidence.sizes()
    draws = evidence.draws.sel(size=sizes)
    decay, fall = flat(draws["halvings"]), flat(draws["fall"])
    # Of several sizes the one that falls least decides.
    found = _of_draws((decay > 0).all(axis=1), _all(decay), fall.min(axis=1), evidence)
    who = evidence.study.firm_label
    said = [
        f"{group_name(size, who)}: fall {_middle(fall[:, i], 0, evidence)} {POINTS}"
        for i, size in enumerate(sizes)
    ]
    after = f"after {FALL_AFTER} earlier {f.plural(evidence.study.event)}, {'; '.join(said)}"
    return replace(found, unit=POINTS, numbers=after + found.numbers)


def _falls_more(claim: Claim, evidence: _Evidence) -> _Found:
    (other,) = (size for size in evidence.sizes() if size != claim.size)
    more, less = (
        flat(evidence.draws["halvings"].sel(size=size)) * math.log(2)
        for size in (claim.size, other)
    )
    found = _of_draws(more > less, _all(more), more - less, evidence)
    unit = f"log odds {f.a(evidence.study.event)}"
    said = f"difference of the decays {_middle(more - less, 2, evidence)} {unit}"
    return replace(found, unit=unit, numbers=said + found.numbers)


def _all(draws: Array) -> NDArray[np.bool_]:
    return np.ones(len(draws), bool)


def _higher_share(claim: Claim, evidence: _Evidence) -> _Found:
    assert claim.a is not None
    assert claim.b is not None
    a, b = evidence.decisions(claim.a), evidence.decisions(claim.b)
    kept = (a.sum(axis=1) > 0) & (b.sum(axis=1) > 0)
    if not kept.any():
        what = f"no {evidence.study.event} in one of the two"
        return _Found(verdict=CANNOT, numbers=what, of_draws=evidence.latent)
    with np.errstate(invalid="ignore"):
        first, second = (100 * part[:, 1] / part.sum(axis=1) for part in (a, b))
    if not evidence.latent:
        said = (
            f"{a[0, 1]:.0f} of {a[0].sum():.0f} ({f.percent(first[0])}) against {b[0, 1]:.0f} of "
            f"{b[0].sum():.0f} ({f.percent(second[0])})"
        )
        off = float(first[0] - second[0])
        return _fact(off > 0, evidence.known, median=off, unit=POINTS, numbers=said)
    found = _of_draws(first > second, kept, first - second, evidence)
    said = (
        f"difference of the shares {_middle((first - second)[kept], 0, evidence)} {POINTS}; "
        f"medians {f.percent(float(np.median(first[kept])))} against "
        f"{f.percent(float(np.median(second[kept])))}"
    )
    if not kept.all():
        said += (
            f"; left out: {f.percent(100 * float(1 - kept.mean()), 1)} of the draws, with no "
            f"{evidence.study.event} in one of the two"
        )
    return replace(found, unit=POINTS, numbers=said + found.numbers)


def _none(claim: Claim, evidence: _Evidence) -> _Found:
    assert claim.a is not None
    flagged = evidence.decisions(claim.a)[:, 1]
    unit = f.plural(evidence.study.event)
    label = evidence.study.flag_label
    if not evidence.latent:
        number = float(flagged[0])
        said = f"{f.counted(int(number), evidence.study.event)} {label}"
        return _fact(number == 0, evidence.known, median=number, unit=unit, numbers=said)
    found = _of_draws(flagged == 0, _all(flagged), flagged, evidence)
    said = (
        f"{f.number(float(flagged.mean()), 1)} {unit} {label} expected "
        f"({f.span(found.low, found.high, 0)})"
    )
    return replace(found, unit=unit, numbers=said + found.numbers)


_RULES: dict[str, Callable[[Claim, _Evidence], _Found]] = {
    "sum": _sum,
    "share": _share,
    "falls": _falls,
    "falls more": _falls_more,
    "higher share": _higher_share,
    "none": _none,
    "cannot": _cannot,
}
