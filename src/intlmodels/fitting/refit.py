"""A model compiled once, to be fitted again and again to other data of the same shape.

What calibration and leave-one-out do hundreds of times. Only values change: the outcome, the
weight of each unit, the arguments of the priors, or the published counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from intlmodels.core.settings import Given, Settings
from intlmodels.fitting.fit import MODULES, run_nutpie
from intlmodels.models import design_module, design_of
from intlmodels.models.compilation import compile_model
from intlmodels.models.priors import Prior
from intlmodels.study import Study

if TYPE_CHECKING:
    from xarray import Dataset


#: Ending of the names of standard normal variables, of which effects are made.
_STANDARD = "_z"


class Refit:
    """A model of one study and variant, ready to be fitted.

    Parameters
    ----------
    study : Study
    variant : str
    priors : mapping of str to Prior
    """

    def __init__(self, study: Study, variant: str, priors: Mapping[str, Prior]) -> None:
        self._priors = priors
        self._design = design_of(study, variant)
        self._latent = design_module(study.model).latent(self._design)
        if not self._latent:
            model = import_module(MODULES[study.model][0]).build(study, variant, priors)
            names = [rv.name for rv in [*model.free_RVs, *model.deterministics]]
            self._compiled = compile_model(
                model, [name for name in names if not name.endswith(_STANDARD)]
            )

    def draw(self, settings: Settings, given: Given) -> tuple[Dataset, Dataset]:
        """Fit once.

        Parameters
        ----------
        settings : Settings
        given : mapping
            What is not as in the study; see :data:`Given`.

        Returns
        -------
        posterior, sample_stats : xarray.Dataset
            Draws of every parameter, (chain, draw, ...), and statistics of the sampler.

        Raises
        ------
        RuntimeError
            If the sampler finds no starting point.
        """
        if self._latent:
            return self._draw_tables(settings, given)
        drawn = run_nutpie(self._compiled.with_data(**given), settings)
        return drawn["posterior"].to_dataset(), drawn["sample_stats"].to_dataset()

    def _draw_tables(self, settings: Settings, given: Given) -> tuple[Dataset, Dataset]:
        from intlmodels.models.decay import inferencedata
        from intlmodels.models.decay.sampler import sample

        design = replace(self._design, **given)
        draws = sample(design, self._priors, settings)
        return inferencedata.posterior(design, draws), inferencedata.sample_stats(draws)
