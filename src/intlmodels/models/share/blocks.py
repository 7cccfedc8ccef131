"""A linear predictor as data: blocks of coefficients, the weights of the firms, and the priors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError
from intlmodels.models.priors import Prior, parameter
from intlmodels.study import Clusters, FurtherOutcome, ShareStudy

Kind = Literal["contrast", "numeric", "category", "nested", "membership", "monotonic"]
Family = Literal["beta", "logit-normal", "hurdle", "heaped", "density", "ordered", "binary"]

Array = NDArray[np.float64]

#: Kinds whose coefficients are drawn around zero with a common, estimated spread.
VARYING: tuple[Kind, ...] = ("category", "nested", "membership")

#: Name of the levels of clusters in the stored posterior, and of their dimension's beginning.
CLUSTER = "cluster"
#: Clusters up to which they are shown and compared one by one.
MOST_CLUSTERS = 30


@dataclass(frozen=True)
class Block:
    """One source of differences between firms.

    Attributes
    ----------
    name : str
        Name of the coefficient(s) in the stored posterior.
    kind : str
        How the coefficients are drawn, see :data:`Kind`.
    label : str
        What it is, in words.
    levels : tuple of str
        One label a coefficient; empty for a single slope.
    weights : array, shape (firm, coefficient)
        Weight with which a firm takes each coefficient; NaN where a covariate is missing.
    rows : dict of str to array
        Weights of all blocks that move together when this predictor is set to one of
        ``settings``; block name -> array of shape (setting, coefficient).
    settings : tuple of str
        The levels at which the predictor is compared; empty if it is not compared.
    center, scale : float
        Of a numeric covariate: ``weight = (value - center) / scale``.
    transform, unit : str
        Of a numeric covariate: how the value was transformed, and its unit as printed.
    prior : str
        Default prior of an ordered effect, from the lowest to the highest level.
    """

    name: str
    kind: Kind
    label: str
    levels: tuple[str, ...]
    weights: Array
    rows: dict[str, Array] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    center: float = 0.0
    scale: float = 1.0
    transform: str = "none"
    unit: str = ""
    prior: str = "Normal(0, 0.5)"

    @property
    def variable(self) -> str:
        """Name of the variable of the posterior that holds the effects."""
        return f"{self.name}_effect" if self.kind == "monotonic" else self.name

    @property
    def by_cluster(self) -> str:
        """Name of what a cluster differs by from the others, in this block."""
        return f"{self.name}_by_cluster"

    @property
    def missing(self) -> NDArray[np.intp]:
        """Positions of the firms whose value is missing."""
        return np.flatnonzero(np.isnan(self.weights).any(axis=1))


def intercept_of(family: str) -> str:
    """Name of the parameter at which the linear predictor starts; empty if there is none.

    Not all are called intercept: a prior for the level of shares is none for the odds of something
    else, and overrides go by name.
    """
    return {"binary": "log_odds", "ordered": ""}.get(family, "intercept")


@dataclass(frozen=True)
class Design:
    """The linear predictor and the observation family of one model variant.

    Attributes
    ----------
    blocks : tuple of Block
    family : str
        How what is observed comes about, given the linear predictor.
    further : FurtherOutcome or None
        What is explained, if it is not the share; its kind is then the family.
    clusters : Clusters or None
        Clusters of firms in which the level and the coefficients of every block differ: each
        cluster's own coefficient is the common one and a deviation, drawn around zero with an
        estimated spread.
    """

    blocks: tuple[Block, ...]
    family: Family = "beta"
    further: FurtherOutcome | None = None
    clusters: Clusters | None = None

    def block(self, name: str) -> Block:
        """Look a block up by name."""
        return next(block for block in self.blocks if block.name == name)

    @property
    def intercept(self) -> str:
        """Name of the parameter at which the linear predictor starts; empty if there is none."""
        return intercept_of(self.family)

    def observed(self, study: ShareStudy) -> Array:
        """What is observed of every firm: printed shares in percent, or positions of levels."""
        if self.further is None:
            return study.outcome.printed
        return self.further.codes.astype(np.float64)

    def known(self, study: ShareStudy) -> NDArray[np.bool_]:
        """Whether it was observed at all; the share of every firm of the study was."""
        if self.further is None:
            return np.ones(len(study.firms), dtype=bool)
        return np.asarray(self.further.known)


# -- the parameters of a share model by its design -------------------------------------

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
