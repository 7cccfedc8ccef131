"""The share model: printed shares of firms, or of the rows of a register counted in cells."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from intlmodels.models.base import Refitter, Sampler, Simulator
from intlmodels.models.priors import Prior
from intlmodels.models.share import design
from intlmodels.models.share.design import Design
from intlmodels.studies import RegisterStudy, ShareStudy

if TYPE_CHECKING:
    import pymc as pm
    from xarray import Dataset, DataTree


class ShareModel:
    """See :class:`intlmodels.models.base.Model`; what compiles or draws is imported when needed."""

    shapes = ("share", "register")
    directions = "difference"

    default_design = staticmethod(design.default_design)
    variants = staticmethod(design.variants)
    alias = staticmethod(design.alias)
    why_absent = staticmethod(design.why_absent)
    parameters = staticmethod(design.parameters)
    fixed_priors = staticmethod(design.fixed_priors)
    shown = staticmethod(design.shown)
    latent = staticmethod(design.latent)
    settings = staticmethod(design.settings)
    packages = staticmethod(design.packages)
    data_parts = staticmethod(design.data_parts)

    def build(self, study: ShareStudy, variant: str, priors: Mapping[str, Prior]) -> pm.Model:
        """Build the model of rows; of a register each cell weighs as much as it has rows."""
        from intlmodels.models import changed
        from intlmodels.models.share import cells, model

        if isinstance(study, RegisterStudy):
            return cells.build(study, variant, priors)
        return changed(study, variant, model.build(study, variant, priors))

    def prior(
        self, study: ShareStudy, design: Design, priors: Mapping[str, Prior], draws: int, seed: int
    ) -> Dataset:
        """Draw parameters of the model of rows."""
        from intlmodels.models.share import simulator

        return simulator.prior(study, design, priors, draws, seed)

    def sampler(self, study: ShareStudy, variant: str, priors: Mapping[str, Prior]) -> Sampler:
        """Draw from posterior and prior; of a register in coordinates of its own."""
        from intlmodels.models import design_of, pymc
        from intlmodels.models.share import cells, panels

        if isinstance(study, RegisterStudy):
            return partial(cells.draw, study, variant, priors)
        if panels.suits(design_of(study, variant)):
            return partial(panels.draw, study, variant, priors)
        return pymc.sampler(self.build(study, variant, priors))

    def refitter(self, study: ShareStudy, variant: str, priors: Mapping[str, Prior]) -> Refitter:
        """Compile the model of rows."""
        from intlmodels.models import design_of, pymc
        from intlmodels.models.share import panels

        if panels.suits(design_of(study, variant)):
            return panels.refitter(study, variant, priors)
        return pymc.refitter(self.build(study, variant, priors))

    def observed_data(self, study: ShareStudy, design: Design) -> Dataset:
        """Printed shares or levels of the firms, or the cells of a register."""
        from intlmodels.models.share import inferencedata as data

        if isinstance(study, RegisterStudy):
            return data.observed_cells(study)
        return data.observed_data(study, design)

    def constant_data(self, study: ShareStudy, design: Design) -> Dataset:
        """The design in numbers, by firm or combination of levels."""
        from intlmodels.models.share import inferencedata as data

        if isinstance(study, RegisterStudy):
            return data.constant_combinations(study, design)
        return data.constant_data(study, design)

    def predictive(
        self, study: ShareStudy, design: Design, draws: Dataset, seed: int, step: int
    ) -> Dataset:
        """What is printed of the same firms, or how many rows of a register print each value."""
        from intlmodels.models.share import inferencedata as data

        if isinstance(study, RegisterStudy):
            return data.predicted_rows(study, design, draws, seed, step)
        return data.predictive(study, design, draws, seed, step)

    def estimate(self, tree: DataTree, group: str = "posterior") -> Dataset:
        """All estimands of a fit."""
        from intlmodels.models.share.estimands import estimate

        return estimate(tree, group)

    @property
    def simulator(self) -> Simulator[ShareStudy, Design]:
        """What calibration and leave-one-out ask of it."""
        from intlmodels.models.share import simulator

        return simulator


MODEL = ShareModel()
