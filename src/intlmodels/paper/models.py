"""The models in a paragraph for a paper, from the design of the fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from intlmodels.core import formats as f
from intlmodels.models.decay.sampler import TABLE_STEPS
from intlmodels.report import decaysentences
from intlmodels.report.data import DecayReportData, ReportData, ShareReportData
from intlmodels.report.references import DATA, Passage, cite
from intlmodels.results import share


def share_model(m: ShareReportData) -> Passage:
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
    return (*said, *_cells(m))


def _clusters(m: ShareReportData) -> list[Any]:
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


def _further(m: ShareReportData, name: str) -> list[Any]:
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


def _cells(m: ShareReportData) -> Passage:
    """How the rows entered it, if they are of a register."""
    if m.register is None:
        return ()
    rows, read = int(m.register.rows.sum()), m.register.read
    said = (
        f" The {rows:,} rows entered as the counts of {len(m.study.firms):,} cells, combinations "
        "of levels and a printed share, on which alone the likelihood depends"
    )
    gone = f"; {read.without:,} rows without a share were left out" * (read.without > 0)
    gone += f"; {read.bad:,} rows that could not be read were set aside" * (read.bad > 0)
    return (f"{said}{gone}.",)


# -- the decay model in a paragraph for a paper ----------------------------------------


def decay_model(m: DecayReportData) -> Passage:
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
    known = f", each known to be {study.flag_label} or not, in order of time. "
    told = (
        "Results are the probability by the number of earlier ones, its fall, and the number "
        "after which the odds have halved, computed draw by draw."
    )
    if not m.latent:
        return (about, cite(DATA), known, law, told, *_sequences(m))
    return (about, cite(DATA), ", known only from published counts. ", *_counts(m), law, told)


def _counts(m: DecayReportData) -> Passage:
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


def _sequences(m: DecayReportData) -> Passage:
    """How the decisions entered it, if they are of a register."""
    if m.register is None:
        return ()
    read = m.register.read
    said = (
        f" The decisions entered as the counts of {len(m.register.sequences.firms):,} kinds of "
        "firms, by size and by the numbers of decisions and of flags, and as the numbers of "
        "decisions and of flags at each place of a sequence, on which alone the likelihood depends "
        "once the firms' effects are integrated out; the integrals are trapezoidal sums"
    )
    gone = ""
    if read.bad or read.fellows:
        gone = (
            f"; {read.bad:,} rows that could not be read were set aside, and with them "
            f"{read.fellows:,} others of the same {read.firms_aside:,} firms"
        )
    return (f"{said}{gone}.",)


#: What the report gathers for a model -> the model in a paragraph.
PARAGRAPHS: dict[type[ReportData], Callable[[Any], Passage]] = {
    ShareReportData: share_model,
    DecayReportData: decay_model,
}
