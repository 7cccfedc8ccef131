"""The model of shares in a paragraph for a paper, from the design of the fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from intlmodels import formats as f
from intlmodels.report.references import DATA, Passage, cite
from intlmodels.share import results
from intlmodels.share.material import ShareMaterial


def model(m: ShareMaterial) -> Passage:
    """What was modelled, how, and what was computed from it."""
    study, outcome = m.study, m.study.outcome
    firms = f.plural(study.firm_label)
    effects = f.listed([_effect(block) for block in results.blocks(m.fit)])
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
    return tuple(said)


def _clusters(m: ShareMaterial) -> list[Any]:
    """How the clusters were estimated together, if the firms are of several."""
    clusters = m.study.clusters
    if clusters is None:
        return []
    effects = " and every effect" if results.blocks(m.fit) else ""
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
