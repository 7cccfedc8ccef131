"""A fit that takes no time: independent made-up draws in a tree of the real form."""

import numpy as np
import xarray as xr

from intlmodels.fitting import fit as fitting
from intlmodels.models import design_of, priors_of, pymc
from intlmodels.models.share import inferencedata, observation
from intlmodels.models.share.observation import OUTCOME


def mock_fit(
    study, variant="default", priors=None, settings=None, progress=None, sampler=None, bad=False
):
    """Stand in for :func:`intlmodels.fitting.fit.fit`; ``bad`` adds one divergent transition."""
    settings = settings or fitting.Settings()
    priors = priors or priors_of(study, variant)
    design = design_of(study, variant)
    rng = np.random.default_rng(settings.seed)
    draws = {
        group: _draws(rng, study, design, chains, count)
        for group, chains, count in (("posterior", settings.chains, 500), ("prior", 1, 500))
    }
    shape = (settings.chains, 500)
    diverging = np.zeros(shape, bool)
    diverging[1, 3] = bad
    stats = {
        "diverging": diverging,
        "maxdepth_reached": np.zeros(shape, bool),
        "energy": rng.normal(size=shape),
        "step_size": np.full(shape, 0.3),
        "n_steps": np.full(shape, 15),
    }
    coords = {"chain": np.arange(settings.chains), "draw": np.arange(500)}
    pointwise = rng.normal(-2, 0.3, size=(*shape, len(study.firms)))
    tree = xr.DataTree.from_dict(
        draws
        | {
            "sample_stats": xr.Dataset(
                {k: (("chain", "draw"), v) for k, v in stats.items()}, coords=coords
            ),
            "log_likelihood": xr.Dataset(
                {OUTCOME: (("chain", "draw", "firm"), pointwise)},
                coords=coords | {"firm": list(study.firms)},
            ),
            "log_prior": fitting.log_prior(
                draws["posterior"], {n: p for n, p in priors.items() if n in draws["posterior"]}
            ),
            "posterior_predictive": inferencedata.predictive(
                study, design, draws["posterior"], 1, 1
            ),
            "prior_predictive": inferencedata.predictive(study, design, draws["prior"], 1, 2),
            "observed_data": inferencedata.observed_data(study, design),
            "constant_data": inferencedata.constant_data(study, design),
        }
    )
    tree.attrs = fitting.attributes(study, variant, design, priors, settings) | {"seconds": 1.0}
    return tree


def without_sampling(model, settings, progress=None, compiled=None):
    """Stand in for ``pymc.sample``: draws of the prior, drawn in towards their mean."""
    shape = settings.chains, settings.draws
    wide = pymc.prior_draws(model, settings.seed).isel(chain=0, drop=True).drop_vars("draw")
    near = (0.9 * wide.mean("draw") + 0.1 * wide).rename(draw="all")
    draws = near.coarsen(all=settings.draws).construct(all=("chain", "draw"))
    draws = draws.transpose("chain", "draw", ...)
    draws = draws.assign_coords(chain=np.arange(shape[0]), draw=np.arange(shape[1]))
    energy = np.random.default_rng(1).normal(size=shape)
    none = np.zeros(shape, bool)
    stats = {"energy": energy, "diverging": none, "maxdepth_reached": none}
    found = {name: (("chain", "draw"), values) for name, values in stats.items()}
    return draws, xr.Dataset(found, attrs={"sampling_time": 1.0})


def _draws(rng, study, design, chains, draws):
    shape = (chains, draws)
    data, linear = {}, rng.normal(-1.5, 0.2, size=shape)
    data["intercept"] = (("chain", "draw"), linear)
    coords = {"chain": np.arange(chains), "draw": np.arange(draws), "firm": list(study.firms)}
    total = linear[..., None] + np.zeros(len(study.firms))
    for block in (*design.blocks, *design.split):
        weights = np.nan_to_num(block.weights)
        effect = rng.normal(0, 0.3, size=(*shape, weights.shape[1]))
        if block.levels:
            coords[f"{block.name}_level"] = list(block.levels)
            name = f"{block.name}_effect" if block.kind == "monotonic" else block.name
            data[name] = (("chain", "draw", f"{block.name}_level"), effect)
        else:
            data[block.name] = (("chain", "draw"), effect[..., 0])
        if block.kind in ("category", "nested", "membership"):
            data[f"sigma_{block.name}"] = (("chain", "draw"), rng.gamma(4, 0.1, size=shape))
        if block.missing.size:
            data[f"{block.name}_missing"] = (
                ("chain", "draw", f"{block.name}_missing_firm"),
                rng.normal(size=(*shape, block.missing.size)),
            )
        if block not in design.split:
            total = total + effect @ weights.T
    positive = {"phi": 8.0, "sigma": 1.0}
    for name in observation.PARAMETERS[design.family]:
        value = (
            rng.gamma(50, positive[name] / 50, size=shape)
            if name in positive
            else rng.beta(2, 18, size=shape)
        )
        data[name] = (("chain", "draw"), value)
    data["mu"] = (("chain", "draw", "firm"), observation.inverse_logit(total))
    return xr.Dataset(data, coords=coords)
