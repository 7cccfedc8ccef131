"""The ledger: every claim of a study, how it is checked, and what that gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from intlmodels.claims import facts
from intlmodels.claims.facts import FACTS
from intlmodels.claims.verdicts import FAILED, NOT_FITTED, Evidence, Found
from intlmodels.claims.wording import how
from intlmodels.models.claimnames import fit_of, require_names
from intlmodels.results.intervals import CI_PROB, converged
from intlmodels.study import DecayStudy, Study
from intlmodels.study.claims import Claim

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataTree


COLUMNS = (
    *("id", "claim", "where", "kind", "rule", "how", "verdict", "probability"),
    *("effect_median", "effect_low", "effect_high", "effect_unit", "numbers", "note"),
    *("fit", "converged"),
)


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
    evidence = Evidence(study, fits, printed_values(study), prob)
    rows = [_row(claim, evidence) for claim in study.claims]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def printed_values(study: Study) -> dict[str, float]:
    """Printed counts and numbers of a study, by id."""
    counts = study.counts if isinstance(study, DecayStudy) else ()
    values = {count.id: float(count.value) for count in counts}
    return values | {number.id: number.value for number in study.numbers.values()}


def _row(claim: Claim, evidence: Evidence) -> dict[str, Any]:
    found, passed = _found(claim, evidence)
    return {
        "id": claim.id,
        "claim": claim.text,
        "where": claim.where,
        "kind": claim.kind,
        "rule": claim.rule,
        "how": how(claim, evidence.study),
        "verdict": found.verdict,
        "probability": found.probability,
        "effect_median": found.median,
        "effect_low": found.low,
        "effect_high": found.high,
        "effect_unit": found.unit,
        "numbers": found.numbers,
        "note": claim.note,
        "fit": found.fit,
        "converged": passed,
    }


def _found(claim: Claim, evidence: Evidence) -> tuple[Found, bool]:
    """What the rule of a claim finds, and whether the fit that it asked converged."""
    without_fit = {**FACTS, **facts.FREQUENCY_RULES}
    if claim.rule in without_fit:
        return without_fit[claim.rule](claim, evidence), True
    name = fit_of(claim)
    if name not in evidence.fits:
        said = f"run intlmodels fit with --variants all, or {name}"
        return Found(verdict=NOT_FITTED, numbers=said, fit=name), True
    found = _own(evidence.study.model)[claim.rule](claim, evidence)
    passed = not found.fit or converged(evidence.fits[found.fit])
    return (found if passed else replace(found, verdict=FAILED)), passed


def _own(model: str) -> dict[str, Callable[[Claim, Evidence], Found]]:
    """Rules that ask the posterior of a model: those of the package named after it."""
    return import_module(f"intlmodels.claims.{model}").RULES
