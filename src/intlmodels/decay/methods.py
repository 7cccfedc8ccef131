"""The decay model in a paragraph for a paper, from the design of the fit."""

from __future__ import annotations

from intlmodels import formats as f
from intlmodels.decay import sentences
from intlmodels.decay.material import DecayMaterial
from intlmodels.decay.sampler import TABLE_STEPS
from intlmodels.report.references import DATA, Passage, cite


def model(m: DecayMaterial) -> Passage:
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
        return (about, cite(DATA), known, law, told)
    return (about, cite(DATA), ", known only from published counts. ", *_counts(m), law, told)


def _counts(m: DecayMaterial) -> Passage:
    """How the counts were audited, and how tables that fit them were drawn."""
    study = m.study
    hard = sum(count.hard for count in study.counts)
    settings = m.attribute("settings")
    return (
        "Whether the counts can all be true was decided by integer programs ",
        cite("audit"),
        f". {sentences.conflict_sentence(m.audit)} Least and greatest values of what was not "
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
