"""The methods of a paper, written from what was done: design, priors, settings, checks.

What a study, a prior or a setting changes, changes here; what was not done is said not to have
been done, and a fit that did not converge is said not to have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from intlmodels.core import formats as f
from intlmodels.models import DEFAULT
from intlmodels.models.decay.sampler import TABLE_STEPS
from intlmodels.paper.markup import DATA, Cite, Passage, cite
from intlmodels.report import decaysentences, provenance
from intlmodels.report.data import Material
from intlmodels.report.decaydata import DecayMaterial
from intlmodels.report.provenance import OWN, Reference
from intlmodels.report.rows import check_value, prior_rows
from intlmodels.report.sharedata import ShareMaterial
from intlmodels.results import share
from intlmodels.results.wording import CLEAR, LEANING
from intlmodels.study import RegisterStudy, SequenceStudy

#: Kinds of the checks that a sentence on convergence tells, in its order.
_TOLD = {
    "rhat": "the largest R-hat was {}",
    "ess_bulk": "the smallest bulk effective sample size {}",
    "ess_tail": "the smallest tail effective sample size {}",
    "divergences": "divergent transitions {}",
    "ebfmi": "the smallest E-BFMI {}",
    "treedepth": "trajectories cut at the largest tree depth {}",
}
#: Where a prior comes from -> what is added to it; of another the study.
_ORIGINS = {"default": "", "command line": " (set by the command line)"}


def passages(m: Material, data_key: str) -> list[Passage]:
    """Paragraphs, with the keys of the BibTeX file as citations, ``data_key`` for the data."""
    model = _MODELS[m.study.model](m)
    found = (
        (*_failure(m), *model),
        (*_priors(m), *_sampling(m), *_convergence(m)),
        (*_intervals(m), *_variants(m), *_trust(m)),
        _software(m),
    )
    return [_with_keys(passage, data_key) for passage in found]


def bibliography(m: Material) -> dict[str, Reference]:
    """Key -> what the package and the methods in use are cited by; without the data."""
    own = provenance.own(m.attribute("versions")["intlmodels"])
    used = provenance.keys(provenance.methods(m))
    return {OWN: own, **{key: provenance.REFERENCES[key] for key in used}}


def _with_keys(passage: Passage, data_key: str) -> Passage:
    own = {DATA: (data_key,), OWN: (OWN,)}
    return tuple(
        Cite(tuple(k for name in p.names for k in own.get(name) or provenance.keys([name])))
        if isinstance(p, Cite)
        else p
        for p in passage
        if p
    )


def _failure(m: Material) -> Passage:
    if m.passed:
        return ()
    return (
        "THIS FIT DID NOT CONVERGE: its numbers are not estimates and must not be reported. What "
        "follows says what was tried. ",
    )


def _priors(m: Material) -> Passage:
    stored = [row for row in prior_rows(m) if row[2] != "follows"]
    told = "; ".join(
        f"{name} ~ {text}{_ORIGINS.get(origin, ' (set by the study)')}"
        for name, text, origin, _ in stored
    )
    return (f"Priors: {told}. ",)


def _sampling(m: Material) -> Passage:
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


def _convergence(m: Material) -> Passage:
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


def _intervals(m: Material) -> Passage:
    return (
        f"Estimates are posterior medians with {f.interval_name(m.prob)}s. A direction is called "
        f"clear when its posterior probability is at least {CLEAR:g}; the data lean towards it "
        f"from {LEANING:g}. ",
    )


def _variants(m: Material) -> Passage:
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


def _trust(m: Material) -> Passage:
    parts = (_calibration(m), _comparison(m), _sensitivity(m))
    done = [piece for part in parts for piece in part]
    found = {
        "calibration on simulated studies": m.trust.calibration,
        "exact leave-one-out": m.trust.comparison,
        "sensitivity to priors and readings": m.trust.sensitivity,
    }
    missing = [name for name, item in found.items() if item.value is None]
    if missing:
        done.append(f"Not done, or not with the model as it is: {f.listed(missing)}.")
    return tuple(done)


def _calibration(m: Material) -> Passage:
    value = m.trust.calibration.value
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


def _comparison(m: Material) -> Passage:
    value = m.trust.comparison.value
    if value is None:
        return ()
    units = len(next(iter(value.variants.values()), ()))
    return (
        f"{f.counted(len(value.variants), 'variant')} "
        f"{'was' if len(value.variants) == 1 else 'were'} compared by "
        f"exact leave-one-out, refitted without each of {f.counted(units, value.unit_label)} in "
        "turn, with the uncertainty of differences in expected log predictive density ",
        cite("elpd"),
        ", stacking weights ",
        cite("stacking"),
        " and probability integral transforms ",
        cite("pit"),
        ". ",
    )


def _sensitivity(m: Material) -> Passage:
    value = m.trust.sensitivity.value
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


def _software(m: Material) -> Passage:
    versions: dict[str, Any] = m.attribute("versions")
    others = [f"{name} {text}" for name, text in versions.items() if name != OWN]
    return (
        f"Everything was computed with intlmodels {versions[OWN]} ",
        cite(OWN),
        f"{f' ({f.listed(others)})' if others else ''}. The fit is identified by the fingerprint "
        f"{m.stored[0].fingerprint}.",
    )


# -- the share model ---------------------------------------------------------------------


def _share_model(m: ShareMaterial) -> Passage:
    """What was modelled, how, and what was computed from it."""
    study, outcome = m.study, m.study.outcome
    firms = f.plural(study.firm_label)
    effects = f.listed([_effect(block) for block in share.blocks(m.fit)])
    dropped = len(study.dropped)
    missing = int(np.isnan(m.fit["constant_data"]["design"].to_numpy()).any(axis=1).sum())
    said: list[Any] = [
        f"The outcome is {outcome.label} of {m.firms} ",
        cite(DATA),
        f", printed in steps of {outcome.width:g} percentage points. ",
        f"Without an outcome, and left out: {f.counted(dropped, study.firm_label)}. "
        * (dropped > 0),
        "Each printed share was taken for the interval of shares that round to it: its likelihood "
        "is the probability that a Beta distribution with mean μ and precision φ gives to that "
        "interval, as in Beta regression ",
        cite("beta"),
        f". The logit of μ is the sum of an intercept and the effects of {effects}. "
        if effects
        else ". The logit of μ is an intercept. ",
        *_clusters(m),
        f"Missing covariates ({f.counted(missing, study.firm_label)}) were estimated. "
        * (missing > 0),
        f"Results are expected printed shares in percent, averaged over the {firms} with one "
        "predictor set to a level and the others as observed, and their differences in percentage "
        "points, computed draw by draw.",
    ]
    if "variation" in m.methods:
        said += [
            f" The variation between {firms} was split between its sources by Shapley values ",
            cite("variation"),
            ".",
        ]
    for name in m.further:
        said += _further(m, name)
    if isinstance(study, RegisterStudy):
        said.append(_cells(study))
    return tuple(said)


def _clusters(m: ShareMaterial) -> list[Any]:
    """How the clusters were estimated together, if the firms are of several."""
    clusters = m.study.clusters
    if clusters is None:
        return []
    effects = " and every effect" if share.blocks(m.fit) else ""
    return [
        f"The {f.plural(m.study.firm_label)} are of {len(clusters.labels)} clusters: the intercept"
        f"{effects} may differ between them, by deviations drawn from normal distributions around "
        "zero with estimated standard deviations, so that clusters are partially pooled ",
        cite("clusters"),
        ". ",
    ]


def _further(m: ShareMaterial, name: str) -> list[Any]:
    """How a further outcome was modelled."""
    outcome = m.study.outcomes[name]
    if outcome.kind == "binary":
        law: list[Any] = ["by a hierarchical logistic regression"]
    else:
        law = [f"by a cumulative logit over {len(outcome.levels)} ordered levels ", cite("levels")]
    return [f" {outcome.label} was explained by the same predictors, ", *law, "."]


def _effect(block: dict[str, Any]) -> str:
    label, settings = block["label"], block["settings"]
    match block["kind"]:
        case "contrast":
            return f"{label} ({settings[1]} against {settings[0]})"
        case "numeric":
            return f"{label} ({'logarithm, ' * (block['transform'] == 'log')}standardized)"
        case _:
            count = f.counted(len(block["levels"]), "level")
            return f"{label} ({count}, effects drawn from a common distribution)"


def _cells(study: RegisterStudy) -> str:
    """How the rows of a register entered."""
    read = study.read
    gone = f"; {read.without:,} rows without a share were left out" * (read.without > 0)
    gone += f"; {read.bad:,} rows that could not be read were set aside" * (read.bad > 0)
    return (
        f" The {int(study.rows.sum()):,} rows entered as the counts of {len(study.firms):,} "
        "cells, combinations of levels and a printed share, on which alone the likelihood depends"
        f"{gone}."
    )


# -- the decay model ---------------------------------------------------------------------


def _decay_model(m: DecayMaterial) -> Passage:
    """What was modelled, how, and what was computed from it."""
    study = m.study
    events = f.plural(study.event)
    two = m.design.two_sizes
    law = (
        f"The log odds that {f.a(study.event)} is {study.flag_label} are an intercept"
        f"{', an effect of large firms' * two} and an effect of each {study.firm_label}, less a "
        f"decay{' for each size' * two} times the number of earlier {events} of the same "
        f"{study.firm_label}. "
    )
    about = f"The data are {study.total} {events} of {m.firms} "
    told = (
        "Results are the probability by the number of earlier ones, its fall, and the number "
        "after which the odds have halved, computed draw by draw."
    )
    if m.latent:
        return (about, cite(DATA), ", known only from published counts. ", *_counts(m), law, told)
    known = f", each known to be {study.flag_label} or not, in order of time. "
    entered = _sequences(study) if isinstance(study, SequenceStudy) else ""
    return (about, cite(DATA), known, law, told, entered)


def _counts(m: DecayMaterial) -> Passage:
    """How the counts were audited, and how tables that fit them were drawn."""
    study = m.study
    hard = sum(count.hard for count in study.counts)
    settings = m.attribute("settings")
    return (
        "Whether the counts can all be true was decided by integer programs ",
        cite("audit"),
        f". {decaysentences.conflict_sentence(m.audit)} Least and greatest values of what was not "
        "published follow from the counts without a model ",
        cite("bounds"),
        f". Of {f.counted(len(study.counts), 'count')} {hard} hold exactly in every draw; each of "
        f"the others makes a table {study.rho:g} times as probable for every step that it is off. "
        f"The table of {f.plural(study.event)} has as prior a Polya urn over the "
        f"{f.plural(study.firm_label)} (concentration {study.concentration:g}) and the chances of "
        "the periods. Tables and parameters were drawn in turn from their joint posterior ",
        cite("augmentation"),
        f": in each of {settings['sweeps']} sweeps a draw {TABLE_STEPS} steps of the table ",
        cite("table steps"),
        " and slice steps of the parameters ",
        cite("parameter steps"),
        ". ",
    )


def _sequences(study: SequenceStudy) -> str:
    """How the decisions of a register entered."""
    read = study.read
    gone = (
        f"; {read.bad:,} rows that could not be read were set aside, and with them "
        f"{read.fellows:,} others of the same {read.firms_aside:,} firms"
    ) * bool(read.bad or read.fellows)
    return (
        f" The decisions entered as the counts of {len(study.sequences.firms):,} kinds of firms, "
        "by size and by the numbers of decisions and of flags, and as the numbers of decisions and "
        "of flags at each place of a sequence, on which alone the likelihood depends once the "
        "firms' effects are integrated out; the integrals are trapezoidal sums"
        f"{gone}."
    )


#: Model of a study -> its paragraph.
_MODELS: dict[str, Callable[[Any], Passage]] = {
    "share": _share_model,
    "register": _share_model,
    "decay": _decay_model,
    "sequences": _decay_model,
}
