"""Building blocks of PyMC models, and sampling from them.

The arguments of the priors, the outcome and the weight of each unit in the likelihood are shared
data of a model, so that one compiled model serves many fits. A fit leaves them as they are;
calibration and leave-one-out change their values and compile nothing (:func:`refitter`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.settings import Given, Progress, Settings
from intlmodels.models.base import Drawn, Refitter, Sampler
from intlmodels.models.compilation import compile_model, import_nutpie, one_at_a_time
from intlmodels.models.priors import DISTRIBUTIONS, Prior

if TYPE_CHECKING:
    import pymc as pm
    from xarray import Dataset, DataTree


#: Draws from the prior that are stored with a fit.
PRIOR_DRAWS = 1000

#: Arguments of all priors, one after the other.
PRIOR_ARGUMENTS = "prior_arguments"
#: Power of each unit's likelihood: 1, or 0 for a unit that is left out.
WEIGHTS = "likelihood_weights"
#: The outcome as observed.
OBSERVED = "observed_outcome"
#: Ends of the interval of each unit, where units differ in how exactly they are reported.
LOWER, UPPER = "interval_lower", "interval_upper"


def arguments(priors: Mapping[str, Prior]) -> NDArray[np.float64]:
    """Arguments of all priors in their order, as the model's data hold them."""
    return np.array([value for prior in priors.values() for value in prior.args], dtype=float)


def register_data(priors: Mapping[str, Prior], outcome: NDArray[Any]) -> tuple[Any, Any]:
    """Register the data of the PyMC model that is being built: ``observed, weights`` (unit,)."""
    import pymc as pm

    pm.Data(PRIOR_ARGUMENTS, arguments(priors))
    observed = pm.Data(OBSERVED, np.asarray(outcome, dtype=float))
    return observed, pm.Data(WEIGHTS, np.ones(len(outcome)))


def draw_pymc(priors: Mapping[str, Prior], name: str, **kwargs: Any) -> Any:
    """Register a parameter with its prior in the PyMC model that is being built."""
    import pymc as pm

    prior = priors[name]
    first = sum(len(priors[other].args) for other in list(priors)[: list(priors).index(name)])
    values = pm.modelcontext(None)[PRIOR_ARGUMENTS]
    keywords = DISTRIBUTIONS[prior.distribution].keywords
    given = {keyword: values[first + i] for i, keyword in enumerate(keywords)}
    return getattr(pm, prior.distribution)(name, **given, **kwargs)


# -- fits of a model ---------------------------------------------------------------------


def sampler(model: pm.Model) -> Sampler:
    """Draw from posterior and prior of a PyMC model, with all that follows from the draws.

    It is compiled, and its prior drawn, once for all settings.
    """
    compiled = cache(lambda: compile_model(model, _free(model)))
    priors: list[Dataset] = []

    def draw(settings: Settings, progress: Progress | None) -> Drawn:
        draws, stats = sample(model, settings, progress, compiled)
        posterior, log_likelihood = derive(model, draws)
        if not priors:
            drawn = prior_draws(model, settings.seed)
            priors.append(derive(model, drawn, log_likelihood=False)[0])
        return Drawn(
            {
                "posterior": posterior,
                "sample_stats": stats,
                "log_likelihood": log_likelihood,
                "prior": priors[0],
            }
        )

    return draw


def with_values(compiled: Any, given: Given) -> Any:
    """A compiled model with other values of its data, as far as these are in its graph."""
    used = {variable.name for variable in compiled.shared_var_keys}
    return compiled.with_data(**{n: values for n, values in given.items() if n in used})


def refitter(model: pm.Model) -> Refitter:
    """Compile a model once; a refit may change the values of its data."""
    names = [rv.name for rv in [*model.free_RVs, *model.deterministics]]
    # Not the standard normal variables of which effects are made.
    compiled = compile_model(model, [name for name in names if not name.endswith("_z")])

    def refit(settings: Settings, given: Given) -> tuple[Dataset, Dataset]:
        return run_nutpie(with_values(compiled, given), settings)

    return refit


# -- sampling ----------------------------------------------------------------------------


#: Statistics of the sampler that are kept, as nutpie or PyMC names them.
STATISTICS = (
    *("diverging", "energy", "depth", "tree_depth", "maxdepth_reached", "n_steps"),
    *("step_size", "acceptance_rate", "mean_tree_accept", "lp", "logp"),
)


def _free(model: pm.Model) -> list[str]:
    """Only the free parameters: what follows from them is computed once, for all draws."""
    return [rv.name for rv in model.free_RVs]


def sample(
    model: pm.Model,
    settings: Settings,
    progress: Progress | None,
    compiled: Callable[[], Any] | None = None,
) -> tuple[Dataset, Dataset]:
    """Draws of the free parameters and the statistics of the sampler, with its time in seconds.

    ``compiled`` returns the model compiled for nutpie, if that was done before.
    """
    names = _free(model)
    if settings.sampler == "nutpie":
        ready = compile_model(model, names) if compiled is None else compiled()
        begun = perf_counter()
        draws, stats = run_nutpie(ready, settings, progress)
    else:
        begun = perf_counter()
        tree = _with_pymc(model, settings, progress)
        draws, stats = tree["posterior"].to_dataset(), tree["sample_stats"].to_dataset()
        stats = stats.rename(reached_max_treedepth="maxdepth_reached")
        stats = stats[[name for name in STATISTICS if name in stats]]
    if stats.sizes["draw"] < settings.draws:
        # A sampler that is interrupted may hand over what it has; that is not a fit.
        raise KeyboardInterrupt
    stats = stats.drop_attrs().assign_attrs(sampling_time=perf_counter() - begun)
    return draws[names].drop_attrs(), stats


def run_nutpie(
    compiled: Any, settings: Settings, progress: Progress | None = None
) -> tuple[Dataset, Dataset]:
    """Sample a compiled model: draws, and statistics of the sampler.

    An interrupt stops the chains and is passed on.
    """

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
        return_raw_trace=True,
    )
    # Waiting inside nutpie would turn an interrupt into a shorter, whole-looking result.
    try:
        draws, stats = sampling.wait().get_arrow_trace()
    except BaseException:
        sampling.cancel()
        raise
    # The records begin with what was drawn for tuning.
    rows = min(int((~np.asarray(chain.column("tuning"))).sum()) for chain in stats)
    return _dataset(draws, rows, compiled.coords), _dataset(stats, rows, {}, STATISTICS)


def _dataset(
    chains: list[Any], rows: int, coords: Mapping[str, Any], names: Sequence[str] = ()
) -> Dataset:
    """The last rows of Arrow records, one for each chain, with names and labels of dimensions."""
    import pyarrow as pa
    import xarray as xr

    records = [pa.record_batch(chain) for chain in chains]
    variables, labels = {}, {"chain": np.arange(len(records)), "draw": np.arange(rows)}
    for field in records[0].schema:
        if names and field.name not in names:
            continue
        dims, shape = (
            text.split(",") if (text := (field.metadata or {}).get(key, b"").decode()) else []
            for key in (b"dims", b"shape")
        )
        size = [int(number) for number in shape]
        dims = dims or [f"{field.name}_dim_{i}" for i in range(len(size))]
        labels |= {d: coords.get(d, np.arange(n)) for d, n in zip(dims, size, strict=True)}
        columns = [record.column(field.name)[record.num_rows - rows :] for record in records]
        flat = [c.flatten() if pa.types.is_nested(c.type) else c for c in columns]
        values = np.stack([c.to_numpy(zero_copy_only=False).reshape(rows, *size) for c in flat])
        variables[field.name] = (("chain", "draw", *dims), values)
    return xr.Dataset(variables, labels)


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
def prior_draws(model: pm.Model, seed: int) -> Dataset:
    """Draws of the free parameters from their priors; one chain."""
    import pymc as pm
    import xarray as xr
    from pytensor.compile.mode import Mode

    free = list(model.free_RVs)
    values = pm.draw(
        _without_scipy(free),
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


def _without_scipy(variables: list[Any]) -> list[Any]:
    """The same random variables, half-normal ones as absolute values of normal ones.

    So PyTensor draws the same numbers without importing ``scipy.stats``, which takes as long as
    sampling.
    """
    import pytensor.tensor as pt
    from pytensor.graph.replace import clone_replace
    from pytensor.tensor.random.basic import HalfNormalRV

    others = {}
    for rv in variables:
        if isinstance(rv.owner.op, HalfNormalRV):
            rng, size, loc, scale = rv.owner.inputs
            normal = pt.random.normal(0, scale, size=size, rng=rng, return_next_rng=True)[1]
            others[rv] = loc + abs(normal)
    return clone_replace(variables, others)


# -- what follows from the draws ---------------------------------------------------------


@one_at_a_time
def derive(
    model: pm.Model,
    draws: Dataset,
    log_likelihood: bool = True,
    names: Sequence[str] | None = None,
) -> tuple[Dataset, Dataset]:
    """Deterministic quantities, all or some, and pointwise log likelihood, for all draws at once.

    The model's own graph is evaluated with a leading dimension for the draws, through
    PyTensor's Python linker: nothing to compile, and no second copy of the formulas.
    """
    import pymc as pm
    import xarray as xr

    wanted = {rv.name: rv for rv in model.deterministics if names is None or rv.name in names}
    if log_likelihood:
        # The outcome is observed last: before it may come covariates with missing values.
        observed = model.observed_RVs[-1]
        wanted["__log_likelihood"] = pm.logp(observed, model.rvs_to_values[observed])
    shape = draws.sizes["chain"], draws.sizes["draw"]
    flat = {
        rv.name: draws[rv.name].to_numpy().reshape((-1, *draws[rv.name].shape[2:]))
        for rv in model.free_RVs
    }
    values = evaluate(model, list(wanted.values()), flat)
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


def unconstrained(model: pm.Model, draws: Dataset) -> NDArray[np.float64]:
    """Draws of the free parameters on the whole line, (chain, draw, coordinate).

    KeyError if one of them was not drawn.
    """
    shape = draws.sizes["chain"], draws.sizes["draw"]
    flat = {
        rv.name: draws[rv.name].to_numpy().reshape((-1, *draws[rv.name].shape[2:]))
        for rv in model.free_RVs
    }
    transforms = [(rv, model.rvs_to_transforms[rv]) for rv in model.free_RVs]
    outputs = [rv if t is None else t.forward(rv, *rv.owner.inputs) for rv, t in transforms]
    values = evaluate(model, outputs, flat)
    return np.concatenate([value.reshape(*shape, -1) for value in values], axis=-1)


def log_density(model: pm.Model) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Log density of parameters on the whole line and the data, of points (point, coordinate)."""
    values = [model.rvs_to_values[rv] for rv in model.free_RVs]
    start = model.initial_point()
    shapes = [np.shape(start[value.name]) for value in values]
    ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])

    def of(points: NDArray[np.float64]) -> NDArray[np.float64]:
        given = {
            value.name: points[:, first:last].reshape(-1, *shape)
            for value, first, last, shape in zip(values, ends, ends[1:], shapes, strict=False)
        }
        return evaluate(model, [model.logp()], given, inputs=values)[0]

    return of


@one_at_a_time
def evaluate(
    model: pm.Model,
    outputs: list[Any],
    draws: Mapping[str, np.ndarray],
    chunk: int = 4000,
    inputs: Sequence[Any] | None = None,
) -> list[np.ndarray]:
    """Outputs of a model at all draws of its free parameters, or other ``inputs``, (draw, ...)."""
    import pytensor
    import pytensor.tensor as pt
    from pytensor.compile.mode import Mode
    from pytensor.graph.replace import vectorize_graph

    batched = {
        rv: pt.tensor(f"{rv.name}_draws", dtype=rv.dtype, shape=(None, *rv.type.shape))
        for rv in inputs or model.free_RVs
    }
    # A graph within the graph would be compiled as C in spite of the linker.
    with pytensor.config.change_flags(cxx=""):
        function = pytensor.function(
            list(batched.values()),
            vectorize_graph(outputs, replace=batched),
            mode=Mode(linker="py", optimizer=None),
            on_unused_input="ignore",
        )
    arrays = [np.ascontiguousarray(draws[rv.name]) for rv in batched]
    size = len(arrays[0])
    # exp of a far tail draw from a wide prior may overflow to the limit it stands for
    with np.errstate(over="ignore"):
        parts = [
            function(*(values[start : start + chunk] for values in arrays))
            for start in range(0, size, chunk)
        ]
    return [np.concatenate([part[i] for part in parts]) for i in range(len(outputs))]


# -- labels ------------------------------------------------------------------------------


def _dims(model: pm.Model, name: str) -> tuple[str, ...]:
    return tuple(str(dim) for dim in model.named_vars_to_dims.get(name, ()))


def _coords(model: pm.Model, names: list[str]) -> dict[str, Any]:
    dims = {dim for name in names for dim in _dims(model, name)}
    return {dim: list(model.coords[dim]) for dim in model.coords if dim in dims}
