"""A linear predictor as data: blocks of coefficients with the weights of the firms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

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
