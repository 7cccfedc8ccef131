"""What every model provides: variants and designs as data, fits, and simulations for checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.settings import Given, Progress, Settings

if TYPE_CHECKING:
    import pymc as pm
    from xarray import DataArray, Dataset, DataTree

    from intlmodels.models.priors import Prior


Array = NDArray[np.float64]

DEFAULT = "default"


@dataclass(frozen=True)
class Variant[Design]:
    """One row of the catalogue."""

    name: str
    #: What it changes against the default, in words.
    change: str
    #: Takes the default design, returns the changed one.
    apply: Callable[[Design], Design]
    #: Whether its elpd is of the same printed outcomes as the default's.
    comparable: bool = True
    #: The further outcome that it explains; empty if it explains the study's own, as a variant
    #: that is set beside the default does.
    outcome: str = ""
    #: Of a function of the user's own: hash of its text; and, if it changes the likelihood, the
    #: function from PyMC model to model.
    source: str = ""
    #: What it is another choice of, such as the family of the outcome; variants of different axes
    #: may be combined. Empty if it is combined with none.
    axis: str = ""
    of_model: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Drawn:
    """Draws of a fit: groups of its tree by name, and attributes that say how they were made.

    There are always ``posterior``, ``sample_stats`` and ``prior``, and ``log_likelihood`` where
    outcomes have one each.
    """

    groups: dict[str, Dataset]
    attributes: dict[str, Any] = field(default_factory=dict)


#: Draws from posterior and prior, by settings, as often as it is asked to.
type Sampler = Callable[[Settings, Progress | None], Drawn]
#: Fits again by settings and what is not as in the study: posterior, statistics of the sampler.
type Refitter = Callable[[Settings, Given], tuple[Dataset, Dataset]]


class Simulator[Study, Design](Protocol):
    """What calibration and leave-one-out ask of a model: simulate, measure, leave out."""

    def wrong_models(self, design: Design) -> dict[str, str]:
        """Deliberate errors that calibration must notice: name -> what is done wrong."""

    def why_not(self, design: Design) -> str:
        """Why a design cannot be simulated; empty if it can."""

    def simulate(
        self, study: Study, design: Design, priors: Mapping[str, Prior], rng: np.random.Generator
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """True values by name, drawn from the priors, and the data that a refit is given."""

    def quantities(
        self, study: Study, design: Design, values: Mapping[str, Array], given: Given
    ) -> dict[str, Array]:
        """Every scalar whose rank is looked at, of the truth or of draws."""

    def misspecified(
        self, study: Study, variant: str, priors: Mapping[str, Prior], wrong: str
    ) -> tuple[Study, str, Mapping[str, Prior]]:
        """Study, variant and priors with a deliberate error."""

    def unit_kind(self, design: Design) -> str:
        """What is left out at a time."""

    def units(self, study: Study, design: Design) -> list[str]:
        """What can be left out."""

    def printed(self, study: Study, design: Design) -> Array:
        """What was printed of each unit."""

    def values(self, study: Study, designs: Mapping[str, Design]) -> Array:
        """Everything that could have been printed of a unit."""

    def without(self, study: Study, design: Design, unit: int) -> dict[str, Any]:
        """What a refit is given that does not see one unit."""

    def predict(
        self, study: Study, design: Design, draws: Dataset, unit: int, over: Array
    ) -> tuple[Array, Array]:
        """Probability of each value of ``over``, and log probability of what was printed by draw.

        ``draws`` are those of a fit that did not see the unit; shapes (value,) and (chain, draw).
        """


class Model[Study, Design](Protocol):
    """A model of a study; its designs say what a variant depends on besides priors.

    Data come in several shapes, which the model tells apart: rows or cells, decisions, counts of
    them, or sequences.
    """

    @property
    def shapes(self) -> tuple[str, ...]:
        """What ``study.model`` says of studies that it takes, as stored with their fits."""

    # -- variants and designs --------------------------------------------------------------

    def default_design(self, study: Study) -> Design:
        """The model as stated."""

    def variants(self, study: Study) -> list[Variant[Design]]:
        """Rows of the catalogue, the default first."""

    def alias(self, study: Study, name: str) -> str:
        """The name under which a variant stands in the catalogue."""

    def why_absent(self, study: Study, name: str) -> str:
        """Why a variant that other studies have is not one of this study; empty if unknown."""

    def parameters(self, design: Design) -> dict[str, Prior]:
        """Parameters with a prior of their own, with the default of each."""

    def fixed_priors(self, design: Design) -> list[tuple[str, str, str]]:
        """Priors that follow from the others, as (name, prior, meaning), for the printed table."""

    def shown(self, design: Design) -> list[str]:
        """Variables of the posterior that a table of parameters shows, in their order."""

    # -- what draws depend on --------------------------------------------------------------

    def latent(self, design: Design) -> bool:
        """Whether a table of decisions is drawn together with the parameters."""

    def settings(self, design: Design) -> tuple[str, ...]:
        """Settings on which the draws depend."""

    def packages(self, design: Design) -> tuple[str, ...]:
        """Packages whose versions are recorded with the draws."""

    def data_parts(self, study: Study, design: Design) -> dict[str, list[Any]]:
        """Data that the draws depend on, by name, for the fingerprint."""

    # -- fits ------------------------------------------------------------------------------

    def build(self, study: Study, variant: str, priors: Mapping[str, Prior]) -> pm.Model:
        """The model of one variant as a PyMC model."""

    def prior(
        self, study: Study, design: Design, priors: Mapping[str, Prior], draws: int, seed: int
    ) -> Dataset:
        """Draws from the prior alone, in numpy; one chain."""

    def sampler(self, study: Study, variant: str, priors: Mapping[str, Prior]) -> Sampler:
        """Draw from posterior and prior; what all settings have in common is made once."""

    def refitter(self, study: Study, variant: str, priors: Mapping[str, Prior]) -> Refitter:
        """Compile once, to be fitted again and again to other data of the same shape."""

    def observed_data(self, study: Study, design: Design) -> Dataset:
        """What was observed."""

    def constant_data(self, study: Study, design: Design) -> Dataset:
        """What estimands and reports need besides draws, in place of the model."""

    def predictive(
        self, study: Study, design: Design, draws: Dataset, seed: int, step: int
    ) -> Dataset:
        """What is observed, drawn anew from draws of the parameters."""

    def estimate(self, tree: DataTree, group: str = "posterior") -> Dataset:
        """All estimands of a fit, draw by draw."""

    @property
    def directions(self) -> str:
        """The estimand whose sign is what a reader concludes."""

    @property
    def simulator(self) -> Simulator[Study, Design]:
        """What calibration and leave-one-out ask of it."""


# -- draws of a fit ------------------------------------------------------------------------


def flat(array: DataArray) -> Array:
    """Draws of all chains in one row each, (draw, ...)."""
    values = array.transpose("chain", "draw", ...).to_numpy()
    return values.reshape(values.shape[0] * values.shape[1], *values.shape[2:])


def texts(array: DataArray) -> list[str]:
    """Labels as plain text."""
    return [str(value) for value in array.to_numpy()]
