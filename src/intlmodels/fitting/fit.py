"""Model and settings in, one DataTree with every group out.

Labels, units, scales and settings travel in the tree, so that nothing downstream needs the model,
or PyMC, again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core import versions
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Progress, Settings
from intlmodels.core.threads import one_thread
from intlmodels.models import DEFAULT, design_of, find_variant, model_of, priors_of
from intlmodels.models.base import Refitter, Sampler
from intlmodels.models.priors import Prior, log_density
from intlmodels.studies import Study

if TYPE_CHECKING:
    from xarray import Dataset, DataTree


@one_thread()
def fit(
    study: Study,
    variant: str = DEFAULT,
    priors: Mapping[str, Prior] | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
    sampler: Sampler | None = None,
) -> DataTree:
    """Fit one variant and return every group in one tree.

    Groups: ``posterior``, ``sample_stats``, ``log_likelihood``, ``log_prior``,
    ``posterior_predictive`` (chain, draw, ...), ``prior``, ``prior_predictive`` (one chain),
    ``observed_data`` and ``constant_data``. ``log_likelihood`` has no firms whose outcome is
    missing, ``log_prior`` every parameter with a prior of its own. Printed shares are in percent,
    ``mu`` is a share between 0 and 1; of a further outcome the positions of levels are observed.
    Of registers there are no ``log_likelihood`` and ``log_prior``, nothing has the length of the
    rows, and ``posterior`` has no expected shares and no effects of single firms. ``sampler``: the
    model's own for these priors, if it was made before.

    Raises StudyError for an unknown variant or setting, a prior that a register cannot have, or
    sequences for which the integrals over the firms' effects would not be exact enough.
    """
    import xarray as xr

    priors = priors_of(study, variant) if priors is None else priors
    settings = settings or Settings()
    model, design = model_of(study), design_of(study, variant)
    own = find_variant(study, variant).of_model
    if own is not None and model.latent(design):
        raise StudyError(
            "tables of decisions are drawn without a PyMC model; expected a function from design "
            "to design",
            value=variant,
        )
    sampler = sampler or model.sampler(study, variant, priors)
    drawn = sampler(settings, progress)
    groups = drawn.groups
    # For a person who waits; not part of what identifies a fit.
    seconds = groups["sample_stats"].attrs.pop("sampling_time")
    after, before = groups["posterior"], groups["prior"]
    observed = model.observed_data(study, design)
    if "log_likelihood" in groups:
        groups["log_likelihood"] = _of_observed(groups["log_likelihood"], observed)
        groups["log_prior"] = log_prior(after, priors)
    if own is None:
        groups |= {
            "posterior_predictive": model.predictive(study, design, after, settings.seed, 1),
            "prior_predictive": model.predictive(study, design, before, settings.seed, 2),
        }
    tree = xr.DataTree.from_dict(
        {
            **groups,
            "observed_data": observed,
            "constant_data": model.constant_data(study, design),
        }
    )
    tree.attrs = attributes(study, variant, design, priors, settings) | drawn.attributes
    tree.attrs["seconds"] = seconds
    return tree


def attributes(
    study: Study, variant: str, design: Any, priors: Mapping[str, Prior], settings: Settings
) -> dict[str, Any]:
    """How a fit was made, as attributes that netCDF can hold."""
    model = model_of(study)
    return {
        "study": study.name,
        "model": study.model,
        "variant": variant,
        "family": design.family,
        "comparable": int(find_variant(study, variant).comparable),
        **_of_function(study, variant),
        "priors": json.dumps({name: asdict(prior) for name, prior in priors.items()}),
        "shown": json.dumps(model.shown(design)),
        "settings": json.dumps(settings.identity(model.settings(design))),
        "seed": settings.seed,
        "machine": versions.kind(),
        "versions": json.dumps({name: version(name) for name in model.packages(design)}),
    }


def _of_function(study: Study, variant: str) -> dict[str, str]:
    """What is stored of a variant that is a function of the user's own: what it changes."""
    row = find_variant(study, variant)
    return {"function": f"{row.change} ({row.source})"} if row.source else {}


def _of_observed(log_likelihood: Dataset, observed: Dataset) -> Dataset:
    """Without missing outcomes, which have no log likelihood."""
    for outcome in observed.data_vars.values():
        known = np.isfinite(outcome.to_numpy())
        if not known.all() and outcome.dims[0] in log_likelihood.dims:
            log_likelihood = log_likelihood.isel({outcome.dims[0]: known})
    return log_likelihood


def log_prior(posterior: Dataset, priors: Mapping[str, Prior]) -> Dataset:
    """Log density of every parameter with a prior of its own, at every draw.

    Returns one variable (chain, draw) a parameter: natural logarithm of the normalized density, on
    the parameter's own scale; of several numbers with one prior their sum. What ties the effects of
    levels together (``Normal(0, sigma)``) is part of the model, and so is the prior of a table of
    decisions.
    """
    import xarray as xr

    densities = {}
    for name, prior in priors.items():
        each = log_density(prior, posterior[name].transpose("chain", "draw", ...).to_numpy())
        densities[name] = ("chain", "draw"), each.sum(axis=tuple(range(2, each.ndim)))
    return xr.Dataset(densities, {dim: posterior[dim] for dim in ("chain", "draw")})


class Refit:
    """A model of one study and variant, compiled once, to be fitted to other data of one shape.

    What calibration and leave-one-out do hundreds of times. Only values change: the outcome, the
    weight of each unit, the arguments of the priors, or the published counts.
    """

    def __init__(self, study: Study, variant: str, priors: Mapping[str, Prior]) -> None:
        self.priors, self.design = priors, design_of(study, variant)
        #: Fits once; RuntimeError if the sampler finds no starting point.
        self.draw: Refitter = model_of(study).refitter(study, variant, priors)
