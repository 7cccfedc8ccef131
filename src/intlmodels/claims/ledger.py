"""The ledger: every claim of a study, how it is checked, and what that gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core import formats as f
from intlmodels.models import require_names
from intlmodels.models.base import flat, texts
from intlmodels.models.decay.estimands import FALL_AFTER
from intlmodels.results import decay, share
from intlmodels.results.intervals import CI_PROB, converged, interval, probability_error
from intlmodels.results.wording import EDGE, LEAST, VERDICTS, claim_verdict, edge
from intlmodels.studies import Study
from intlmodels.studies.claims import (
    CANNOT,
    CONTRADICTED,
    HOLDS,
    POINTS,
    Array,
    Claim,
    Evidence,
    Finding,
    plain,
)

if TYPE_CHECKING:
    import pandas as pd
    from xarray import Dataset, DataTree


COLUMNS = (
    *("id", "claim", "where", "kind", "rule", "how", "verdict", "probability"),
    *("probability_error", "prior_probability", "p_relevant", "p_negligible", "p_opposite"),
    *("effect_median", "effect_low", "effect_high", "effect_unit", "numbers", "note"),
    *("fit", "converged"),
)
FAILED = "did not converge"
NOT_FITTED = "not fitted yet"
#: Facts, whatever it was that was printed.
_IN_PRINT = {
    HOLDS.split(" the printed")[0]: "holds in print",
    CONTRADICTED.split(" the printed")[0]: "contradicted in print",
}
#: Verdicts in the order in which they are listed, as they begin.
_ORDER = (
    *_IN_PRINT,
    *VERDICTS,
    NOT_FITTED,
    FAILED,
    CANNOT,
)
#: Model -> the estimands of a fit: those stored with it, or computed now.
_ESTIMANDS: dict[str, Callable[[DataTree, str], Dataset]] = {
    "share": share.estimands_with_rows,
    "decay": decay.estimands,
}


def evaluate(study: Study, fits: Mapping[str, DataTree], prob: float = CI_PROB) -> pd.DataFrame:
    """Hold every claim of a study against its tables and fits.

    Parameters
    ----------
    study : Study
    fits : mapping of str to DataTree
        Fits by variant, the default among them; light ones will do
        (:func:`intlmodels.results.intervals.read_summary`).
    prob : float
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        ``id``, ``claim``, ``where``, ``kind``, ``rule``, ``how`` (the rule in words),
        ``verdict``, ``probability`` (posterior; missing where the verdict is a fact),
        ``probability_error`` (its Monte Carlo error; missing where it is exact),
        ``prior_probability`` (of the same before seeing data), ``p_relevant``, ``p_negligible``,
        ``p_opposite`` (of an effect above the ``least`` of the claim, of one within it, and of one
        above it the other way),
        ``effect_median``, ``effect_low``, ``effect_high``, ``effect_unit``, ``numbers`` (what
        was found, in words), ``note``, ``fit`` (which was asked; empty if none), ``converged``
        (true as well where no fit is needed).

    Raises
    ------
    StudyError
        If a claim names a variant, predictor, level or parameter that is not there.
    """
    import pandas as pd

    require_names(study)
    draws, before = (
        {name: _Draws(name, fit, study.model, prob, group) for name, fit in fits.items()}
        for group in ("posterior", "prior")
    )
    with_prior = {name for name, fit in fits.items() if "prior" in fit.children}
    rows = []
    for claim in study.claims:
        found, passed = _find(claim, Evidence(study, draws, prob), fits)
        if found.fit in with_prior and not math.isnan(found.probability):
            with suppress(KeyError):  # of large panels there are no rows of the prior
                prior = claim.rule.evaluate(claim, Evidence(study, before, prob)).probability
                found = replace(found, prior=prior)
        how = claim.rule.describe(claim, study)
        rows.append(
            (
                *(claim.id, claim.text, claim.where, claim.kind, claim.rule.name, how),
                *(found.verdict, found.probability, found.error, found.prior),
                *found.sizes,
                *(found.median, found.low, found.high),
                *(found.unit, found.numbers, claim.note, found.fit, passed),
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _find(claim: Claim, evidence: Evidence, fits: Mapping[str, DataTree]) -> tuple[Finding, bool]:
    """What the rule of a claim finds, and whether the fit that it asked converged."""
    if claim.rule.needs_fit and claim.fit not in fits:
        said = f"run intlmodels fit with --variants all, or {claim.fit}"
        return Finding(NOT_FITTED, numbers=said, fit=claim.fit), True
    found = claim.rule.evaluate(claim, evidence)
    passed = not found.fit or converged(fits[found.fit])
    verdict = found.verdict or verdict_of(found.probability, found.error)
    return replace(found, verdict=verdict if passed else FAILED), passed


def verdict_of(probability: float, error: float = math.nan) -> str:
    """What the posterior probability of a claim allows to say of it, and whether draws decide."""
    return claim_verdict(probability) + edge(probability, error)


# -- draws of a fit ------------------------------------------------------------------------


class _Draws:
    """Draws of a stored fit, see :class:`intlmodels.studies.claims.FitDraws`."""

    fall_after = FALL_AFTER

    def __init__(self, name: str, fit: DataTree, model: str, prob: float, group: str) -> None:
        self.name, self.fit, self.model, self.prob, self.group = name, fit, model, prob, group

    @cached_property
    def estimands(self) -> Dataset:
        return _ESTIMANDS[self.model](self.fit, self.group)

    def __contains__(self, name: str) -> bool:
        return name in self.estimands

    def values(self, name: str, **labels: Any) -> Array:
        return flat(self.estimands[name].sel(labels))

    def labels(self, name: str) -> list[str]:
        return texts(self.estimands[name])

    def unit(self, name: str) -> str:
        return str(self.estimands[name].attrs["units"])

    def parameter(self, name: str) -> Array:
        return flat(self.fit[self.group].to_dataset()[name])

    def membership(self, predictor: str) -> NDArray[np.bool_]:
        (block,) = (block for block in share.blocks(self.fit) if block["name"] == predictor)
        return share.membership(self.fit, block)

    def interval(self, draws: Array) -> tuple[float, float]:
        return interval(draws, self.prob)

    def judge(
        self,
        holds: NDArray[np.bool_],
        effect: Array,
        unit: str,
        numbers: str,
        kept: NDArray[np.bool_] | None = None,
        claim: Claim | None = None,
        sign: int = 1,
    ) -> Finding:
        kept = np.ones(len(holds), bool) if kept is None else kept
        least = None if claim is None else claim.terms.get("least")
        sizes: tuple[float, ...] = (math.nan,) * 3
        if claim is not None and (least is not None or unit == POINTS):
            margin = LEAST if least is None else least
            parts = (sign * effect > margin, np.abs(effect) <= margin, sign * effect < -margin)
            sizes = tuple(float(part[kept].mean()) for part in parts)
            holds = holds if least is None else parts[0]
            relevant, negligible, opposite = map(f.probability, sizes)
            numbers += (
                f"; more than {plain(margin)} {unit} as claimed: {relevant}, the other way: "
                f"{opposite}, neither: {negligible}"
            )
        probability = float(holds[kept].mean())
        # Of a ratio where draws are left out: how many hold over how many are kept.
        part = kept * (holds - probability)
        error = float(probability_error(part, self.estimands.sizes["chain"])) / float(kept.mean())
        median, (low, high) = float(np.median(effect[kept])), self.interval(effect[kept])
        return Finding(
            *("", probability, median, low, high, unit, numbers, self.name),
            error=error,
            sizes=sizes,
        )


# -- the ledger in words -------------------------------------------------------------------


def verdict_lines(ledger: pd.DataFrame) -> list[str]:
    """The claims that have each verdict, in words: facts first, then posteriors, then the rest."""
    by_verdict = {str(verdict): list(ids) for verdict, ids in ledger.groupby("verdict")["id"]}
    return [
        f"{verdict}: {len(by_verdict[verdict])} of {len(ledger)} ({', '.join(by_verdict[verdict])})"
        for verdict in sorted(by_verdict, key=_place)
    ]


def summary(ledger: pd.DataFrame) -> str:
    """How many claims have each verdict, in a sentence; facts of all sources together."""
    counts = ledger["verdict"].map(lambda text: str(text).split(" the printed")[0]).value_counts()
    order = sorted(counts.index, key=_place)
    said = [f"{_IN_PRINT.get(verdict, verdict)} {counts[verdict]}" for verdict in order]
    return (
        f"Of the publication, {f.counted(len(ledger), 'claim')} are held against what it printed "
        f"and against the fits, each by a rule of its own: {f.listed(said)}. All of them stand "
        "under claims of the study."
    )


def _place(verdict: str) -> tuple[int, str]:
    """Where a verdict stands among the others."""
    return _ORDER.index(verdict.split(" the printed")[0].removesuffix(EDGE)), verdict


def finding_text(row: Any) -> str:
    """What was found for a claim, a row of the ledger: probability, numbers and note."""
    numbers = f"{str(row.numbers).rstrip('.')}. {row.note}" if row.note else str(row.numbers)
    if math.isnan(row.probability):
        return numbers
    name = "probability (no posterior)" if row.verdict == FAILED else "probability"
    prior = "" if math.isnan(row.prior_probability) else f.probability(row.prior_probability)
    said = f"{name} {f.probability(row.probability)}{f' (prior {prior})' * bool(prior)}"
    return f"{said}; {numbers}"
