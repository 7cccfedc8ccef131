"""The decay model: from counts of decisions, the decisions themselves, or a register of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from intlmodels.core.settings import Given, Progress, Settings
from intlmodels.models.base import Drawn, Refitter, Sampler
from intlmodels.models.decay import design, estimands, inferencedata, simulator
from intlmodels.models.priors import Prior
from intlmodels.studies import DecayStudy, SequenceStudy

if TYPE_CHECKING:
    import pymc as pm
    from xarray import Dataset


class DecayModel:
    """See :class:`intlmodels.models.base.Model`; what compiles or draws is imported when needed."""

    shapes = ("decay", "sequences")
    directions = "fall"

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
    observed_data = staticmethod(estimands.observed_data)
    constant_data = staticmethod(estimands.constant_data)
    predictive = staticmethod(estimands.predictive)
    estimate = staticmethod(estimands.estimate)
    simulator = simulator

    def build(self, study: DecayStudy, variant: str, priors: Mapping[str, Prior]) -> pm.Model:
        """Build the model of known decisions."""
        from intlmodels.models import changed
        from intlmodels.models.decay import model

        return changed(study, variant, model.build(study, variant, priors))

    def prior(
        self,
        study: DecayStudy,
        design: design.Design,
        priors: Mapping[str, Prior],
        draws: int,
        seed: int,
    ) -> Dataset:
        """Draw from the prior: parameters, and tables where only counts are known."""
        return inferencedata.prior(design, priors, draws, seed)

    def sampler(self, study: DecayStudy, variant: str, priors: Mapping[str, Prior]) -> Sampler:
        """Draw parameters, and tables where only counts are known."""
        from intlmodels.models import design_of, pymc
        from intlmodels.models.decay import model, sampler

        if isinstance(study, SequenceStudy):
            return partial(model.draw, study, variant, priors)
        design = design_of(study, variant)
        if not self.latent(design):
            return pymc.sampler(self.build(study, variant, priors))

        def draw(settings: Settings, progress: Progress | None) -> Drawn:
            draws = sampler.sample(design, priors, settings, progress)
            posterior = inferencedata.posterior(design, draws)
            return Drawn(
                {
                    "posterior": posterior,
                    "sample_stats": inferencedata.sample_stats(draws),
                    "log_likelihood": inferencedata.log_likelihood(design, posterior),
                    "prior": inferencedata.prior(design, priors, pymc.PRIOR_DRAWS, settings.seed),
                }
            )

        return draw

    def refitter(self, study: DecayStudy, variant: str, priors: Mapping[str, Prior]) -> Refitter:
        """Compile the model of decisions, or take other counts for the sampler of tables."""
        from intlmodels.models import design_of, pymc
        from intlmodels.models.decay import sampler

        design = design_of(study, variant)
        if not self.latent(design):
            return pymc.refitter(self.build(study, variant, priors))

        def refit(settings: Settings, given: Given) -> tuple[Dataset, Dataset]:
            changed = replace(design, **given)
            draws = sampler.sample(changed, priors, settings)
            return inferencedata.posterior(changed, draws), inferencedata.sample_stats(draws)

        return refit


MODEL = DecayModel()
