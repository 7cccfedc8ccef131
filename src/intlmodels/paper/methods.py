"""The methods of a paper, written from what was done: design, priors, settings, checks.

What a study, a prior or a setting changes, changes here; what was not done is said not to have
been done, and a fit that did not converge is said not to have.
"""

from __future__ import annotations

from typing import Any

from intlmodels.core import formats as f
from intlmodels.models import DEFAULT
from intlmodels.paper.models import PARAGRAPHS
from intlmodels.report import provenance, references
from intlmodels.report.data import ReportData
from intlmodels.report.references import DATA, OWN, Cite, Passage, Reference, cite
from intlmodels.report.rows import check_value, prior_rows
from intlmodels.results.wording import CLEAR, LEANING

#: Kinds of the checks that a sentence on convergence tells, in its order.
_TOLD = {
    "rhat": "the largest R-hat was {}",
    "ess_bulk": "the smallest bulk effective sample size {}",
    "ess_tail": "the smallest tail effective sample size {}",
    "divergences": "divergent transitions {}",
    "ebfmi": "the smallest E-BFMI {}",
    "treedepth": "trajectories cut at the largest tree depth {}",
}


def passages(m: ReportData, data_key: str) -> list[Passage]:
    """Paragraphs, with the keys of the BibTeX file as citations.

    Parameters
    ----------
    m : ReportData
    data_key : str
        Key of the source of the data.
    """
    model = PARAGRAPHS[type(m)](m)
    found = (
        (*_failure(m), *model),
        (*_priors(m), *_sampling(m), *_convergence(m)),
        (*_intervals(m), *_variants(m), *_trust(m)),
        _software(m),
    )
    return [_with_keys(passage, data_key) for passage in found]


def bibliography(m: ReportData) -> dict[str, Reference]:
    """Key -> what the package and the methods in use are cited by; without the data."""
    own = references.own(m.attribute("versions")["intlmodels"])
    used = references.keys(provenance.methods(m))
    return {OWN: own, **{key: references.REFERENCES[key] for key in used}}


def _with_keys(passage: Passage, data_key: str) -> Passage:
    own = {DATA: (data_key,), OWN: (OWN,)}
    return tuple(
        Cite(tuple(k for name in p.names for k in own.get(name) or references.keys([name])))
        if isinstance(p, Cite)
        else p
        for p in passage
        if p
    )


def _failure(m: ReportData) -> Passage:
    if m.passed:
        return ()
    return (
        "THIS FIT DID NOT CONVERGE: its numbers are not estimates and must not be reported. What "
        "follows says what was tried. ",
    )


def _priors(m: ReportData) -> Passage:
    stored = [row for row in prior_rows(m) if row[2] != "follows"]
    told = "; ".join(
        f"{name} ~ {text}{'' if origin == 'default' else f' (set by the {_origin(origin)})'}"
        for name, text, origin, _ in stored
    )
    return (f"Priors: {told}. ",)


def _origin(origin: str) -> str:
    return origin if origin == "command line" else "study"


def _sampling(m: ReportData) -> Passage:
    asked = m.attribute("settings")
    used = m.attribute("settings_used") if "settings_used" in m.fit.attrs else asked
    count = f"{used['chains'] * used['draws']} draws"
    how = (
        f"{f.counted(used['chains'], 'chain')} of {used['draws']} kept draws each after "
        f"{used['tune']} of tuning ({count} in all; seed {used['seed']}"
    )
    retried = f" The first try was discarded: {m.fit.attrs['retried']}." * bool(
        m.fit.attrs.get("retried")
    )
    if "target_accept" not in used:
        return (f"There were {how}).{retried} ",)
    by = cite("nutpie") if used["sampler"] == "nutpie" else ""
    program = " in the implementation of nutpie " if by else " in that of PyMC"
    return (
        "The posterior was sampled with the No-U-Turn sampler ",
        cite("nuts"),
        program,
        by,
        ", from a model built with PyMC ",
        cite("pymc"),
        f": {how}, target acceptance {used['target_accept']:g}).{retried} ",
    )


def _convergence(m: ReportData) -> Passage:
    gate = m.gates[DEFAULT]
    by_name = {result.name: result for result in gate.results}
    told = [
        words.format(check_value(by_name[name]))
        for name, words in _TOLD.items()
        if by_name[name].outcome != "informational"
    ]
    names = ["rhat"] + ["ebfmi"] * ("ebfmi" in provenance.sampling(m))
    also = ", and E-BFMI," * (len(names) > 1)
    start = (
        f"Convergence was judged by rank-normalized split R-hat and effective sample sizes{also} "
        "of every parameter and every result "
    )
    limits = "; ".join(
        f"{r.label} must be {r.direction} {r.limit:g} and was {check_value(r)}"
        for r in gate.failures
    )
    verdict = (
        "every check was passed."
        if gate.passed
        else f"THE FIT DID NOT PASS ({limits}), and is not a posterior."
    )
    return (
        start,
        cite(*names),
        ", computed with ArviZ ",
        cite("arviz"),
        f": {f.listed(told)}; {verdict}",
    )


def _intervals(m: ReportData) -> Passage:
    return (
        f"Estimates are posterior medians with {f.interval_name(m.prob)}s. A direction is called "
        f"clear when its posterior probability is at least {CLEAR:g}; the data lean towards it "
        f"from {LEANING:g}. ",
    )


def _variants(m: ReportData) -> Passage:
    others = [name for name in m.variants if name != DEFAULT]
    if not others:
        return ("No variants of the model were fitted. ",)
    failed = [name for name in others if not m.gates[name].passed]
    said: list[str | Cite] = [
        f"Beside the default {f.counted(len(others), 'variant')} of the model "
        f"{'was' if len(others) == 1 else 'were'} fitted: {f.listed(others)}"
    ]
    if "ordered" in m.methods:
        said += ["; effects of ordered levels are monotonic ", cite("ordered")]
    if "density" in m.methods:
        said += ["; density, which takes rounded shares as exact ", cite("density")]
        said.append(", stands beside them for comparison only")
    said.append(
        f". Did not converge, and carry no weight: {f.listed(failed)}. " if failed else ". "
    )
    return tuple(said)


def _trust(m: ReportData) -> Passage:
    parts = (_calibration(m), _comparison(m), _sensitivity(m))
    done = [piece for part in parts for piece in part]
    found = {
        "calibration on simulated studies": m.check_results.calibration,
        "exact leave-one-out": m.check_results.comparison,
        "sensitivity to priors and readings": m.check_results.sensitivity,
    }
    missing = [name for name, item in found.items() if item.value is None]
    if missing:
        done.append(f"Not done, or not with the model as it is: {f.listed(missing)}.")
    return tuple(done)


def _calibration(m: ReportData) -> Passage:
    value = m.check_results.calibration.value
    if value is None:
        return ()
    return (
        "The computation was checked by simulation-based calibration ",
        cite("calibration"),
        f": {f.counted(value.sims, 'study')} with the design of this one were simulated from the "
        f"priors and fitted ({len(value.failed)} without a fit), and ranks of "
        f"{f.counted(len(value.quantities), 'quantity')} were held against uniform ones ",
        cite("uniformity"),
        ". ",
    )


def _comparison(m: ReportData) -> Passage:
    value = m.check_results.comparison.value
    if value is None:
        return ()
    units = len(next(iter(value.variants.values()), ()))
    return (
        f"{f.counted(len(value.variants), 'variant')} {_were(len(value.variants))} compared by "
        f"exact leave-one-out, refitted without each of {f.counted(units, value.unit_label)} in "
        "turn, with the uncertainty of differences in expected log predictive density ",
        cite("elpd"),
        ", stacking weights ",
        cite("stacking"),
        " and probability integral transforms ",
        cite("pit"),
        ". ",
    )


def _sensitivity(m: ReportData) -> Passage:
    value = m.check_results.sensitivity.value
    if value is None:
        return ()
    kinds: dict[str, int] = {}
    for refit in value.refits:
        kinds[refit.kind] = kinds.get(refit.kind, 0) + 1
    return (
        "Sensitivity was examined by power-scaling prior and likelihood ",
        cite("power-scaling"),
        f", by {f.counted(kinds.get('prior', 0), 'refit')} with another prior and "
        f"{f.counted(kinds.get('reading', 0), 'refit')} of variants. ",
    )


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _software(m: ReportData) -> Passage:
    versions: dict[str, Any] = m.attribute("versions")
    others = [f"{name} {text}" for name, text in versions.items() if name != OWN]
    return (
        f"Everything was computed with intlmodels {versions[OWN]} ",
        cite(OWN),
        f"{f' ({f.listed(others)})' if others else ''}. The fit is identified by the fingerprint "
        f"{m.stored[0].fingerprint}.",
    )
