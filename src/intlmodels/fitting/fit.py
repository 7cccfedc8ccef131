"""Model and settings in, one DataTree with every group out.

The only module that samples. Labels, units, scales and settings travel in the tree, so
that nothing downstream needs the model, or PyMC, again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import version
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core import versions
from intlmodels.core.settings import Progress, Settings
from intlmodels.models import DEFAULT, design_module, design_of, find_variant, priors_of
from intlmodels.models.compilation import compile_model, import_nutpie, one_at_a_time
from intlmodels.models.priors import Prior, log_density
from intlmodels.study import Study

if TYPE_CHECKING:
    import pymc as pm
    from xarray import Dataset, DataTree


PRIOR_DRAWS = 1000

#: Model -> the module with the model itself, and the one with what travels with its draws.
MODULES = {
    "share": ("intlmodels.models.share.model", "intlmodels.models.share.inferencedata"),
    "decay": ("intlmodels.models.decay.model", "intlmodels.models.decay.inferencedata"),
}


def fit(
    study: Study,
    variant: str = DEFAULT,
    priors: Mapping[str, Prior] | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> DataTree:
    """Fit one variant and return every group in one tree.

    Parameters
    ----------
    study : Study
    variant : str
        Name in the catalogue.
    priors : mapping of str to Prior, optional
        Defaults to :func:`intlmodels.models.priors_of`.
    settings : Settings, optional
    progress : callable, optional
        Called with the finished part of the sampling, 0 to 1.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior``, ``sample_stats``, ``log_likelihood``, ``log_prior``,
        ``posterior_predictive`` (chain, draw, ...), ``prior``, ``prior_predictive`` (one chain),
        ``observed_data`` and ``constant_data``. ``log_likelihood`` has no firms whose outcome is
        missing, ``log_prior`` every parameter with a prior of its own. Printed shares are in
        percent, ``mu`` is a share between 0 and 1; of a further outcome the positions of levels
        are observed.

    Raises
    ------
    StudyError
        For an unknown variant or setting.
    """
    import xarray as xr

    priors = priors_of(study, variant) if priors is None else priors
    settings = settings or Settings()
    design = design_of(study, variant)
    latent = design_module(study.model).latent(design)
    inferencedata = import_module(MODULES[study.model][1])
    draw = _with_tables if latent else _with_model
    begun = perf_counter()
    found = draw(study, variant, design, priors, settings, progress)
    seconds = perf_counter() - begun
    after, before = found["posterior"], found["prior"]
    observed = inferencedata.observed_data(study, design)
    tree = xr.DataTree.from_dict(
        {
            **found,
            "log_likelihood": _of_observed(found["log_likelihood"], observed),
            "log_prior": log_prior(after, priors),
            "posterior_predictive": inferencedata.predictive(
                study, design, after, settings.seed, step=1
            ),
            "prior_predictive": inferencedata.predictive(
                study, design, before, settings.seed, step=2
            ),
            "observed_data": observed,
            "constant_data": inferencedata.constant_data(study, design),
        }
    )
    tree.attrs = _attributes(study, variant, design, priors, settings)
    tree.attrs["seconds"] = seconds  # for a person who waits; not part of what identifies a fit
    return tree


def _attributes(
    study: Study, variant: str, design: Any, priors: Mapping[str, Prior], settings: Settings
) -> dict[str, Any]:
    """How a fit was made, as attributes that netCDF can hold."""
    module = design_module(study.model)
    return {
        "study": study.name,
        "model": study.model,
        "variant": variant,
        "family": design.family,
        "comparable": int(find_variant(study, variant).comparable),
        "priors": json.dumps({name: asdict(prior) for name, prior in priors.items()}),
        "shown": json.dumps(module.shown(design)),
        "settings": json.dumps(settings.identity(module.settings(design))),
        "seed": settings.seed,
        "machine": versions.kind(),
        "versions": json.dumps({name: version(name) for name in module.packages(design)}),
    }


def _with_model(
    study: Study,
    variant: str,
    design: Any,
    priors: Mapping[str, Prior],
    settings: Settings,
    progress: Progress | None,
) -> dict[str, Dataset]:
    """Groups of draws of a PyMC model."""
    model = import_module(MODULES[study.model][0]).build(study, variant, priors)
    draws, stats = _sample(model, settings, progress)
    posterior, log_likelihood = _derive(model, draws)
    prior, _ = _derive(model, _prior_draws(model, settings.seed), log_likelihood=False)
    return {
        "posterior": posterior,
        "sample_stats": stats,
        "log_likelihood": log_likelihood,
        "prior": prior,
    }


def _with_tables(
    study: Study,
    variant: str,
    design: Any,
    priors: Mapping[str, Prior],
    settings: Settings,
    progress: Progress | None,
) -> dict[str, Dataset]:
    """Groups of draws where a table of decisions is drawn together with the parameters."""
    from intlmodels.models.decay import inferencedata
    from intlmodels.models.decay.sampler import sample

    draws = sample(design, priors, settings, progress)
    posterior = inferencedata.posterior(design, draws)
    return {
        "posterior": posterior,
        "sample_stats": inferencedata.sample_stats(draws),
        "log_likelihood": inferencedata.log_likelihood(design, posterior),
        "prior": inferencedata.prior(design, priors, PRIOR_DRAWS, settings.seed),
    }


# -- sampling ----------------------------------------------------------------------------


def _sample(
    model: pm.Model, settings: Settings, progress: Progress | None
) -> tuple[Dataset, Dataset]:
    """Draws of the free parameters and the statistics of the sampler."""
    names = [rv.name for rv in model.free_RVs]
    tree = (_with_nutpie if settings.sampler == "nutpie" else _with_pymc)(model, settings, progress)
    draws = tree["posterior"].to_dataset()[names]
    stats = tree["sample_stats"].to_dataset()
    if stats.sizes["draw"] < settings.draws:
        # A sampler that is interrupted may hand over what it has; that is not a fit.
        raise KeyboardInterrupt
    if "maxdepth_reached" not in stats and "reached_max_treedepth" in stats:
        stats = stats.rename(reached_max_treedepth="maxdepth_reached")
    keep = ["diverging", "energy", "depth", "tree_depth", "maxdepth_reached", "n_steps"]
    keep += ["step_size", "acceptance_rate", "mean_tree_accept", "lp", "logp"]
    stats = stats[[name for name in keep if name in stats]]
    return draws.drop_attrs(), stats.drop_attrs()


def _with_nutpie(model: pm.Model, settings: Settings, progress: Progress | None) -> DataTree:
    # Only the free parameters: what follows from them is computed once, for all draws.
    compiled = compile_model(model, [rv.name for rv in model.free_RVs])
    return run_nutpie(compiled, settings, progress)


def run_nutpie(compiled: Any, settings: Settings, progress: Progress | None = None) -> DataTree:
    """Sample a compiled model; an interrupt stops the chains and is passed on."""

    def report(chains: list[Any]) -> None:
        if progress is not None:
            total = sum(chain.total_draws for chain in chains)
            progress(sum(chain.finished_draws for chain in chains) / max(total, 1))

    sampling = import_nutpie().sample(
        compiled,
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        cores=settings.cores,
        seed=settings.seed,
        target_accept=settings.target_accept,
        save_warmup=False,
        progress_bar=False,
        progress_callback=report if progress is not None else None,
        blocking=False,
    )
    # The chains run outside Python: what the gate needs can be imported meanwhile.
    import arviz_stats.base  # noqa: F401

    # Waiting inside nutpie would turn an interrupt into a shorter, whole-looking result.
    try:
        return sampling.wait()
    except BaseException:
        sampling.cancel()
        raise


@one_at_a_time
def _with_pymc(model: pm.Model, settings: Settings, progress: Progress | None) -> DataTree:
    import pymc as pm

    total = settings.chains * (settings.draws + settings.tune)
    done = 0

    def report(trace: Any, draw: Any) -> None:
        nonlocal done
        done += 1
        if progress is not None and done % 100 == 0:
            progress(done / total)

    with model:
        return pm.sample(
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=1 if progress is not None else settings.cores,
            random_seed=settings.seed,
            nuts={"target_accept": settings.target_accept},
            nuts_sampler="pymc",
            progressbar=False,
            compute_convergence_checks=False,
            callback=report if progress is not None else None,
            var_names=[rv.name for rv in model.free_RVs],
        )


@one_at_a_time
def _prior_draws(model: pm.Model, seed: int) -> Dataset:
    import pymc as pm
    import xarray as xr
    from pytensor.compile.mode import Mode

    free = list(model.free_RVs)
    values = pm.draw(
        free,
        draws=PRIOR_DRAWS,
        random_seed=np.random.default_rng([seed, 0]),
        mode=Mode(linker="py", optimizer=None),
    )
    return xr.Dataset(
        {
            rv.name: (("chain", "draw", *_dims(model, rv.name)), np.asarray(value)[None])
            for rv, value in zip(free, values, strict=True)
        },
        coords=_coords(model, [rv.name for rv in free])
        | {"chain": [0], "draw": np.arange(PRIOR_DRAWS)},
    )


# -- what follows from the draws ---------------------------------------------------------


@one_at_a_time
def _derive(
    model: pm.Model, draws: Dataset, log_likelihood: bool = True
) -> tuple[Dataset, Dataset]:
    """Deterministic quantities and pointwise log likelihood, for all draws at once.

    The model's own graph is evaluated with a leading dimension for the draws, through
    PyTensor's Python linker: nothing to compile, and no second copy of the formulas.
    """
    import pymc as pm
    import xarray as xr

    wanted = {rv.name: rv for rv in model.deterministics}
    # The outcome is observed last: before it may come covariates with missing values.
    observed = model.observed_RVs[-1]
    if log_likelihood:
        wanted["__log_likelihood"] = pm.logp(observed, model.rvs_to_values[observed])
    shape = draws.sizes["chain"], draws.sizes["draw"]
    flat = {
        rv.name: draws[rv.name].to_numpy().reshape((-1, *draws[rv.name].shape[2:]))
        for rv in model.free_RVs
    }
    values = _evaluate(model, list(wanted.values()), flat)
    arrays = {
        name: value.reshape((*shape, *value.shape[1:]))
        for name, value in zip(wanted, values, strict=True)
    }
    pointwise = arrays.pop("__log_likelihood", None)
    coords = {"chain": draws["chain"], "draw": draws["draw"]}
    derived = xr.Dataset(
        {n: (("chain", "draw", *_dims(model, n)), a) for n, a in arrays.items()},
        coords=coords | _coords(model, list(arrays)),
    )
    posterior = xr.merge([draws, derived], join="exact", compat="no_conflicts")
    if pointwise is None:
        return posterior, xr.Dataset()
    name = observed.name
    return posterior, xr.Dataset(
        {name: (("chain", "draw", *_dims(model, name)), pointwise)},
        coords=coords | _coords(model, [name]),
    )


def _of_observed(log_likelihood: Dataset, observed: Dataset) -> Dataset:
    """The log likelihood of what was observed: a missing outcome has none."""
    for outcome in observed.data_vars.values():
        known = np.isfinite(outcome.to_numpy())
        if not known.all():
            log_likelihood = log_likelihood.isel({outcome.dims[0]: known})
    return log_likelihood


def log_prior(posterior: Dataset, priors: Mapping[str, Prior]) -> Dataset:
    """Log density of every parameter with a prior of its own, at every draw.

    Parameters
    ----------
    posterior : xarray.Dataset
    priors : mapping of str to Prior

    Returns
    -------
    xarray.Dataset
        One variable (chain, draw) a parameter: natural logarithm of the normalized density, on
        the parameter's own scale. What ties the effects of levels together
        (``Normal(0, sigma)``) is part of the model, and so is the prior of a table of decisions.
    """
    import xarray as xr

    densities = {
        name: (
            ("chain", "draw"),
            log_density(prior, posterior[name].transpose("chain", "draw").to_numpy()),
        )
        for name, prior in priors.items()
    }
    return xr.Dataset(densities, {dim: posterior[dim] for dim in ("chain", "draw")})


@one_at_a_time
def _evaluate(
    model: pm.Model, outputs: list[Any], draws: Mapping[str, np.ndarray], chunk: int = 4000
) -> list[np.ndarray]:
    import pytensor
    import pytensor.tensor as pt
    from pytensor.compile.mode import Mode
    from pytensor.graph.replace import vectorize_graph

    batched = {
        rv: pt.tensor(f"{rv.name}_draws", dtype=rv.dtype, shape=(None, *rv.type.shape))
        for rv in model.free_RVs
    }
    function = pytensor.function(
        list(batched.values()),
        vectorize_graph(outputs, replace=batched),
        mode=Mode(linker="py", optimizer=None),
        on_unused_input="ignore",
    )
    inputs = [np.ascontiguousarray(draws[rv.name]) for rv in batched]
    size = len(inputs[0])
    # exp of a far tail draw from a wide prior may overflow to the limit it stands for
    with np.errstate(over="ignore"):
        parts = [
            function(*(values[start : start + chunk] for values in inputs))
            for start in range(0, size, chunk)
        ]
    return [np.concatenate([part[i] for part in parts]) for i in range(len(outputs))]


# -- labels ------------------------------------------------------------------------------


def _dims(model: pm.Model, name: str) -> tuple[str, ...]:
    return tuple(str(dim) for dim in model.named_vars_to_dims.get(name, ()))


def _coords(model: pm.Model, names: list[str]) -> dict[str, Any]:
    dims = {dim for name in names for dim in _dims(model, name)}
    return {dim: list(model.coords[dim]) for dim in model.coords if dim in dims}
