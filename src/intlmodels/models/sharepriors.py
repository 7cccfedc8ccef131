"""The parameters of a share model by its design, and what is drawn with each of them."""

from __future__ import annotations

from intlmodels.errors import StudyError
from intlmodels.models.shareblocks import CLUSTER, MOST_CLUSTERS, VARYING, Block, Design, Family
from intlmodels.priors import Prior, parameter

_PHI = ("phi", "LogNormal(log(10), 0.8)", "positive", "precision of the shares around their mean")
_FAMILY_PARAMETERS: dict[Family, tuple[tuple[str, str, str, str], ...]] = {
    "beta": (_PHI,),
    "logit-normal": (
        ("sigma", "LogNormal(log(1), 0.5)", "positive", "spread of the shares, logit scale"),
    ),
    "hurdle": (
        _PHI,
        ("never", "Beta(1, 9)", "unit", "probability that a firm is a structural zero"),
    ),
    "heaped": (
        _PHI,
        ("heaping", "Beta(1, 1)", "unit", "probability of rounding to the double width"),
    ),
    "density": (_PHI,),
    "binary": (),
    # Its probabilities have a prior together, see fixed_priors.
    "ordered": (),
}
#: Where the linear predictor starts; an ordered outcome has cutpoints instead.
_INTERCEPTS = {
    "intercept": ("Normal(-1.5, 1)", "average level, logit scale"),
    "log_odds": ("Normal(0, 1.5)", "log odds of a firm whose effects are zero"),
}


def parameters(design: Design) -> dict[str, Prior]:
    """Parameters of a design that have a prior of their own, with the default of each.

    Returns
    -------
    dict of str to Prior
        In the order of the model's formula.
    """
    listed = []
    if design.intercept:
        prior, meaning = _INTERCEPTS[design.intercept]
        listed.append(parameter(design.intercept, prior, "real", meaning))
    for block in design.blocks:
        listed += _block_parameters(block)
    listed += _cluster_parameters(design)
    for name, prior, support, meaning in _FAMILY_PARAMETERS[design.family]:
        listed.append(parameter(name, prior, support, meaning))  # type: ignore[arg-type]
    names = [prior.name for prior in listed]
    for name in names:
        if names.count(name) > 1:
            raise StudyError(
                f"two parameters of the model would be called '{name}'; rename the predictor",
                file="study.toml",
                value=name,
            )
    return {prior.name: prior for prior in listed}


def _block_parameters(block: Block) -> list[Prior]:
    name, what = block.name, block.label.lower()
    if block.kind in VARYING:
        return [
            parameter(
                f"sigma_{name}",
                "HalfNormal(0.5)",
                "positive",
                f"spread of the effects of {what}, logit scale",
            )
        ]
    if block.kind == "contrast":
        low, high = block.settings
        return [
            parameter(name, "Normal(0, 0.5)", "real", f"{high} against {low}, logit scale"),
        ]
    if block.kind == "monotonic":
        return [
            parameter(
                name,
                block.prior,
                "real",
                f"{what}: {block.levels[-1]} against {block.levels[0]}, logit scale",
            )
        ]
    slope = parameter(name, "Normal(0, 0.5)", "real", f"slope of {what}, logit scale per sd")
    if not block.missing.size:
        return [slope]
    # The missing values are parameters: they need a distribution to come from.
    return [
        slope,
        parameter(f"{name}_mean", "Normal(0, 1)", "real", f"mean of standardized {what}"),
        parameter(f"{name}_sd", "HalfNormal(1)", "positive", f"sd of standardized {what}"),
    ]


def _cluster_parameters(design: Design) -> list[Prior]:
    if design.clusters is None:
        return []
    spreads = [("sigma_cluster", "HalfNormal(0.5)", "spread of the levels of clusters")]
    # Smaller than that of the levels: clusters differ less in what an effect is.
    spreads += [
        (
            f"sigma_{block.by_cluster}",
            "HalfNormal(0.25)",
            f"spread between clusters of the effects of {block.label.lower()}",
        )
        for block in design.blocks
    ]
    return [parameter(n, prior, "positive", f"{what}, logit scale") for n, prior, what in spreads]


def fixed_priors(design: Design) -> list[tuple[str, str, str]]:
    """Priors that follow from the others, as (name, prior, meaning), for the printed table."""
    rows: list[tuple[str, str, str]] = []
    if design.family == "ordered" and design.further is not None:
        ones = ", ".join("1" for _ in design.further.levels)
        what = f"probability of each level of {design.further.label.lower()}"
        rows.append(("baseline", f"Dirichlet({ones})", f"{what}, of a firm whose effects are zero"))
        rows.append(("cutpoints", "logit of the sums of baseline", "between neighbouring levels"))
    for block in design.blocks:
        name, what = block.name, block.label.lower()
        if block.kind in VARYING:
            rows.append((name, f"Normal(0, sigma_{name})", f"effect of each level of {what}"))
        elif block.kind == "monotonic":
            ones = ", ".join("1" for _ in block.levels[1:])
            rows.append((f"{name}_steps", f"Dirichlet({ones})", f"share of each step of {what}"))
        elif block.missing.size:
            rows.append(
                (f"{name}_missing", f"Normal({name}_mean, {name}_sd)", f"missing values of {what}")
            )
    if design.clusters is not None:
        rows.append((CLUSTER, f"Normal(0, sigma_{CLUSTER})", "level of each cluster"))
        rows += [
            (
                block.by_cluster,
                f"Normal(0, sigma_{block.by_cluster})",
                f"what each cluster adds to each effect of {block.label.lower()}",
            )
            for block in design.blocks
        ]
    return rows


def shown(design: Design) -> list[str]:
    """Variables of the posterior that a table of parameters shows, in their order.

    Those with a prior of their own come first, then the effects of levels, the steps of
    ordered effects, and missing values.
    """
    names = [*parameters(design), *(["baseline"] if design.family == "ordered" else [])]
    for block in design.blocks:
        names += [block.variable, f"{block.name}_steps", f"{block.name}_missing"]
    # Thousands of clusters are no table of parameters: they have tables of their own.
    if design.clusters is not None and len(design.clusters.labels) <= MOST_CLUSTERS:
        names += [CLUSTER, *(block.by_cluster for block in design.blocks)]
    return list(dict.fromkeys(names))
