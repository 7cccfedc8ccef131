"""Fitting a register of decisions: counts in, one DataTree out, as other fits are."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Progress, Settings
from intlmodels.fitting.fit import PRIOR_DRAWS, _attributes, _evaluate, _sample
from intlmodels.models import DEFAULT, design_of, priors_of
from intlmodels.models.decay.aggregated import (
    LARGEST,
    NUMPY,
    Class,
    Counts,
    classes,
    counts_for,
    find_start,
    log_likelihood,
    require_able,
)
from intlmodels.models.decay.design import Design
from intlmodels.models.decay.estimands import ends_seen, merged, points_of, predictive
from intlmodels.models.decay.sequences import RAW, build, in_coordinates
from intlmodels.models.priors import Prior, draw
from intlmodels.study import SequenceStudy

if TYPE_CHECKING:
    from xarray import Dataset, DataTree


# By their own names: fit.py is part of the fingerprint of every stored fit and stays as it is.


#: Draws at which the integrals are held against finer ones.
CHECKED = 20
#: What finer nodes may change of the differences between log likelihoods.
MOST_OFF = 0.01
#: Times that a fit is made with wider nodes, if its draws go further than the first ones allow.
_TRIES = 4


def fit(
    study: SequenceStudy,
    variant: str = DEFAULT,
    priors: Mapping[str, Prior] | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> DataTree:
    """Fit one variant: see :func:`intlmodels.fitting.fit.fit`.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior``, ``sample_stats`` and ``prior`` as of other fits of the decay model,
        without effects of single firms; ``posterior_predictive`` and ``prior_predictive``: see
        :func:`intlmodels.models.decay.estimands.predictive`; ``observed_data``: the same as it was;
        ``constant_data``: decisions at each place.

    Raises
    ------
    StudyError
        For an unknown variant or setting, a prior that a register cannot have, or sequences for
        which the integrals over the firms' effects would not be exact enough.
    """
    import xarray as xr

    priors = priors_of(study, variant) if priors is None else priors
    settings = settings or Settings()
    design = design_of(study, variant)
    counts = counts_for(study.sequences, design)
    begun = perf_counter()
    posterior, stats = _posterior(study, variant, design, counts, priors, settings, progress)
    seconds = perf_counter() - begun
    before = _prior(design, priors, settings.seed)
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "sample_stats": stats,
            "prior": before,
            "posterior_predictive": predictive(study, design, posterior, [settings.seed, 1]),
            "prior_predictive": predictive(study, design, before, [settings.seed, 2]),
            "observed_data": _observed(study, design, counts),
            "constant_data": _constant(study, design),
        }
    )
    tree.attrs = _attributes(study, variant, design, priors, settings)
    tree.attrs["seconds"] = seconds
    return tree


def _posterior(
    study: SequenceStudy,
    variant: str,
    design: Design,
    counts: Counts,
    priors: Mapping[str, Prior],
    settings: Settings,
    progress: Progress | None,
) -> tuple[Dataset, Dataset]:
    """Draws, with nodes that are fine and wide enough for all of them."""
    start = find_start(counts, design)
    spread, modes = start.spread, start.modes
    for _ in range(_TRIES):
        if spread > LARGEST:
            break
        parts = require_able(classes(counts, spread, modes))
        sampled = in_coordinates(build(study, parts, variant, priors), design, start)
        raw, stats = _sample(sampled, settings, progress)
        posterior = _dataset(sampled, raw)
        largest = float(posterior["sigma_firm"].max())
        if largest <= spread and off(counts, parts, design, posterior) < MOST_OFF:
            return posterior, stats
        # Draws beyond what the nodes were made for: again, with nodes for them.
        spread = 1.5 * max(spread, largest)
        modes = modes + np.array([-2.0, 2.0])
    raise StudyError(
        "the firms differ so much that their effects cannot be integrated out exactly; expected a "
        f"spread of the firms below {LARGEST:g} log odds: see whether the flag varies within firms",
        value=f"sigma_firm {spread:.3g}",
    )


def off(counts: Counts, parts: tuple[Class, ...], design: Design, draws: Dataset) -> float:
    """What much finer nodes change of the differences of the log likelihood between draws."""
    points = points_of(draws, design, CHECKED)
    every = points_of(draws, design, draws["sigma_firm"].size)
    ordered = sorted(every, key=lambda point: point["sigma"])
    points += [ordered[0], ordered[-1]]
    low = min(part.nodes[0] for part in parts) + 4
    high = max(part.nodes[-1] for part in parts) - 4
    finer = classes(counts, 1.2 * float(ordered[-1]["sigma"]), np.array([low, high]), finer=2)
    gone = [
        float(log_likelihood(counts, finer, design, point, NUMPY))
        - float(log_likelihood(counts, parts, design, point, NUMPY))
        for point in points
    ]
    return float(np.ptp(gone)) if np.isfinite(gone).all() else np.inf


def _dataset(sampled: Any, raw: Dataset) -> Dataset:
    """Draws of all parameters with their labels, from draws of the coordinates."""
    import xarray as xr

    shape = raw.sizes["chain"], raw.sizes["draw"]
    flat = raw[RAW].to_numpy().reshape(shape[0] * shape[1], -1)
    wanted = list(sampled.deterministics)
    values = _evaluate(sampled, wanted, {RAW: flat})
    dims = sampled.named_vars_to_dims
    return xr.Dataset(
        {
            rv.name: (("chain", "draw", *dims.get(rv.name, ())), v.reshape(*shape, *v.shape[1:]))
            for rv, v in zip(wanted, values, strict=True)
        },
        coords={
            "chain": raw["chain"],
            "draw": raw["draw"],
            **{name: np.asarray(labels, dtype=object) for name, labels in sampled.coords.items()},
        },
    )


def _prior(design: Design, priors: Mapping[str, Prior], seed: int) -> Dataset:
    import xarray as xr

    rng = np.random.default_rng([seed, 0])
    values: dict[str, Any] = {
        name: ((), draw(prior, rng, PRIOR_DRAWS)) for name, prior in priors.items()
    }
    decay = np.repeat(values["decay_mean"][1][:, None], len(design.sizes), axis=1)
    if not design.common:
        decay = decay + values["sigma_decay"][1][:, None] * rng.normal(size=decay.shape)
    values["decay"] = (("size",), decay)
    coords = {"size": np.asarray(design.sizes, dtype=object)}
    if design.by_period:
        standard = rng.normal(size=(PRIOR_DRAWS, len(design.periods)))
        values["period"] = (("period_level",), values["sigma_period"][1][:, None] * standard)
        coords["period_level"] = np.asarray(design.periods, dtype=object)
    return xr.Dataset(
        {name: (("chain", "draw", *dims), value[None]) for name, (dims, value) in values.items()},
        coords={"chain": [0], "draw": np.arange(PRIOR_DRAWS), **coords},
    )


def _observed(study: SequenceStudy, design: Design, counts: Counts) -> Dataset:
    import xarray as xr

    ends = ends_seen(counts, len(design.sizes))
    return xr.Dataset(
        {
            "flags": ("place", merged(study, design)["flagged"]),
            **{name: ("size", found) for name, found in ends.items()},
        },
        coords={"size": np.asarray(design.sizes, dtype=object)},
    )


def _constant(study: SequenceStudy, design: Design) -> Dataset:
    """Decisions at each place, and firms, as the estimands and the report need them."""
    import xarray as xr

    places = merged(study, design)
    counts = counts_for(study.sequences, design)
    several = counts.made.sum(axis=1) > 1
    sizes = len(design.sizes)
    return xr.Dataset(
        {
            "made_at": ("place", places["made"]),
            "size_at": ("place", places["size"]),
            "period_at": ("place", places["period"]),
            "entries_at": ("place", places["entries"]),
            "firms": ("size", np.bincount(counts.size, counts.firms, sizes)),
            "repeated": ("size", np.bincount(counts.size, counts.firms * several, sizes)),
        },
        coords={"size": np.asarray(design.sizes, dtype=object)},
        attrs={
            "firm_label": study.firm_label,
            "event": study.event,
            "flag_label": study.flag_label,
        },
    )
