"""The ledger: every claim of a study, how it is checked, and what that gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core import formats as f
from intlmodels.models import model_named, require_names
from intlmodels.models.base import flat, texts
from intlmodels.models.decay.estimands import FALL_AFTER
from intlmodels.models.share.coefficients import Coefficients
from intlmodels.results import decay, interpret, share
from intlmodels.results.intervals import CI_PROB, converged, interval, probability_error
from intlmodels.results.wording import EDGE, LEAST, VERDICTS, claim_verdict, edge
from intlmodels.studies import Study
from intlmodels.studies.claims import (
    CANNOT,
    CONTRADICTED,
    HOLDS,
    POINTS,
    Array,
    Bools,
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
_ESTIMANDS: dict[str, Callable[[DataTree], Dataset]] = {
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
        (:func:`intlmodels.results.intervals.read_summary`) but for rules on coefficients.
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
    draws = {name: _Draws(name, fit, study.model, prob) for name, fit in fits.items()}
    rows = []
    for claim in study.claims:
        found, passed = _find(claim, Evidence(study, draws, prob), fits)
        if found.fit and not math.isnan(found.probability) and (own := draws[found.fit].prior):
            before = claim.rule.evaluate(claim, Evidence(study, {found.fit: own}, prob))
            found = replace(found, prior=before.probability)
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

    def __init__(self, name: str, fit: DataTree, model: str, prob: float) -> None:
        self.name, self.fit, self.model, self.prob = name, fit, model, prob

    @cached_property
    def prior(self) -> _Draws | None:
        """Draws from the prior in place of those of the posterior; None where they are not read."""
        import xarray as xr

        if "prior" not in self.fit.children:
            return None
        groups = {"posterior": "prior", "constant_data": "constant_data"}
        found = {name: self.fit[own].to_dataset() for name, own in groups.items()}
        tree = xr.DataTree.from_dict(found)
        tree.attrs = dict(self.fit.attrs)
        tree["estimands"] = xr.DataTree(model_named(self.model).estimate(tree))
        return _Draws(self.name, tree, self.model, self.prob)

    @cached_property
    def estimands(self) -> Dataset:
        return _ESTIMANDS[self.model](self.fit)

    def __contains__(self, name: str) -> bool:
        return name in self.estimands

    def values(self, name: str, **labels: Any) -> Array:
        return flat(self.estimands[name].sel(labels))

    def labels(self, name: str) -> list[str]:
        return texts(self.estimands[name])

    def unit(self, name: str) -> str:
        return str(self.estimands[name].attrs["units"])

    def parameter(self, name: str) -> Array:
        return flat(self.fit["posterior"].to_dataset()[name])

    def membership(self, predictor: str) -> NDArray[np.bool_]:
        (block,) = (block for block in share.blocks(self.fit) if block["name"] == predictor)
        return share.membership(self.fit, block)

    def effect(
        self, predictor: str, levels: tuple[str, ...], at: Mapping[str, Any]
    ) -> tuple[Array, str]:
        (block,) = (block for block in share.blocks(self.fit) if block["name"] == predictor)
        if block["kind"] in share.NUMBERS:
            found = interpret.slopes(self.fit, predictor, at)
            unit = f"{found.draws.attrs['units']} per unit of {predictor}"
        else:
            high, low = levels or (block["settings"][-1], block["settings"][0])
            found = interpret.comparisons(self.fit, {predictor: [low, high]}, at)
            unit = str(found.draws.attrs["units"])
        draws = flat(found.draws)
        return draws.reshape(len(draws)), unit

    def curve(self, predictor: str) -> tuple[Array, Bools, Bools, str]:
        curves = interpret.quadratics(Coefficients(self.fit))
        (own,) = (own for own in curves if own.block["name"] == predictor)
        return own.turning, own.u, own.inverted, own.block["unit"]

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
