"""From a study to stored fits: plan what to fit and why, fit, check, retry once, store.

Used by the command line and from notebooks alike.
"""

from __future__ import annotations

import json
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.audit import require_consistent_counts
from intlmodels.core import files
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Progress, Settings, checked
from intlmodels.core.threads import one_thread
from intlmodels.core.versions import ESTIMANDS_VERSION
from intlmodels.fitting import store
from intlmodels.fitting.diagnostics import Gate, convergence, directions_on_the_edge, gate
from intlmodels.fitting.fit import fit
from intlmodels.models import (
    DEFAULT,
    catalogue,
    find_variant,
    model_named,
    model_of,
    priors_of,
    require_names,
)
from intlmodels.models.base import Drawn
from intlmodels.models.functions import with_function
from intlmodels.models.priors import Prior
from intlmodels.register.counts import as_study
from intlmodels.studies import Study, load_study

if TYPE_CHECKING:
    from xarray import DataTree


#: The default takes up to so many times the chains that were asked for, until its directions are
#: decided.
MOST_TIMES = 4


@dataclass(frozen=True)
class Job:
    """One variant to be brought up to date, and why.

    ``reasons``: why it has to be fitted again; ``refresh``: the draws are current, what was
    computed from them is not.
    """

    study: Study
    variant: str
    priors: dict[str, Prior]
    settings: Settings
    path: Path
    reasons: tuple[str, ...]
    refresh: bool = False

    @property
    def current(self) -> bool:
        """Whether there is nothing to do."""
        return not self.reasons and not self.refresh


#: A warning names the line of the user's that led to it.
_OURS = (str(Path(__file__).parents[1]),)


class NotConverged(UserWarning):
    """A fit did not pass the gate; its numbers are not a posterior.

    Examples
    --------
    ::

        import warnings

        warnings.simplefilter("error", im.NotConverged)  # stop where a fit did not converge
    """


def settings_of(study: Study, changes: Mapping[str, Any] | None = None) -> Settings:
    """Settings: defaults, then the study's ``[fit]`` table, then ``changes``."""
    valid = {field.name for field in fields(Settings)}
    merged = {**study.settings, **(changes or {})}
    for name in merged:
        if name not in valid:
            raise StudyError(
                f"no setting is called '{name}'; the settings are {', '.join(sorted(valid))}",
                value=name,
            )
    return Settings(**merged)


def stored_path(out: Path, variant: str) -> Path:
    """Where the fit of a variant is stored below the study's output folder."""
    return out / "posterior.nc" if variant == DEFAULT else out / "variants" / f"{variant}.nc"


def plan(
    study: Study,
    variants: Iterable[str],
    out: Path,
    *,
    priors: Mapping[str, str] | None = None,
    settings: Settings | None = None,
) -> list[Job]:
    """What has to be fitted, and why; nothing is fitted or written.

    Raises StudyError for an unknown variant, prior or setting.
    """
    require_consistent_counts(study)
    require_names(study)
    settings = settings or settings_of(study)
    jobs = []
    for name in variants:
        find_variant(study, name)
        used = priors_of(study, name, priors)
        path = stored_path(out, name)
        reasons = store.why_refit(path, store.fingerprint(study, name, used, settings))
        found = store.header(path) if not reasons else None
        old = found is not None and found.estimands_version != ESTIMANDS_VERSION[study.model]
        jobs.append(Job(study, name, used, settings, path, tuple(reasons), refresh=old))
    return jobs


def bring_up_to_date(job: Job, progress: Progress | None = None) -> DataTree:
    """Fit (or recompute what follows from the draws), check, and store one job; its fit."""
    if job.reasons:
        tree = decided_fit(job.study, job.variant, job.priors, job.settings, progress)
    else:
        tree = _with_estimands(store.read(job.path))
    store.write(tree, job.path)
    return tree


def decided_fit(
    study: Study,
    variant: str,
    priors: Mapping[str, Prior],
    settings: Settings,
    progress: Progress | None = None,
) -> DataTree:
    """A checked fit; the default with more chains while one of its directions is on the edge.

    Half as many as were asked for are added at a time, of seeds of their own, up to
    ``MOST_TIMES`` as many; unless they fail the gate. Fits that failed it once, and those so large
    that not all draws were kept or looked at (registers), stay as they are.
    """
    draw = _fitter(study, variant, priors, progress)
    tree = checked_fit(study, variant, priors, settings, draw)
    kept = {own.sizes["draw"] for own in _after(tree).values()}
    if variant != DEFAULT or "settings_used" in tree.attrs or len(kept) > 1:
        return tree
    passed, name = Gate.from_json(tree.attrs["gate"]).passed, model_named(study.model).directions
    half = replace(settings, chains=max(2, settings.chains // 2))
    most = (MOST_TIMES - 1) * settings.chains // half.chains
    parts = [tree]
    for seed in np.random.SeedSequence(settings.seed).generate_state(most * passed):
        found = [own["estimands"][name].transpose("chain", "draw", ...) for own in parts]
        if not directions_on_the_edge(np.concatenate(found)):
            break
        parts.append(_estimated(draw(replace(half, seed=int(seed)))))
    if len(parts) > 1:
        more = _together(parts)
        tree = more if Gate.from_json(more.attrs["gate"]).passed else tree
    return tree


def checked_fit(
    study: Study,
    variant: str,
    priors: Mapping[str, Prior],
    settings: Settings,
    draw: Callable[[Settings], DataTree] | None = None,
) -> DataTree:
    """Fit, compute the estimands, and check; retry once with more careful sampling.

    ``draw`` takes the place of :func:`intlmodels.fitting.fit.fit`, for a model compiled before.
    """
    draw = draw or _fitter(study, variant, priors)
    tree = _with_estimands(draw(settings))
    retried = ""
    if not Gate.from_json(tree.attrs["gate"]).passed:
        failed = [result.name for result in Gate.from_json(tree.attrs["gate"]).failures]
        asked = tree.attrs["settings"]
        careful, what = more_careful(settings, json.loads(asked))
        retried = f"{', '.join(failed)} failed at {what}"
        del tree  # many rows or levels take much room
        tree = _with_estimands(draw(careful))
        # What was asked for identifies the fit; what was used is told beside it.
        tree.attrs["settings_used"] = tree.attrs["settings"]
        tree.attrs["settings"] = asked
    tree.attrs["retried"] = retried
    tree.attrs["fingerprint"] = json.dumps(store.fingerprint(study, variant, priors, settings))
    return tree


def _fitter(
    study: Study, variant: str, priors: Mapping[str, Prior], progress: Progress | None = None
) -> Callable[[Settings], DataTree]:
    """Fits by settings, of a model that is built and compiled for the first of them."""
    made = cache(lambda: model_of(study).sampler(study, variant, priors))

    def sampler(settings: Settings, progress: Progress | None) -> Drawn:
        return made()(settings, progress)

    return lambda settings: fit(study, variant, priors, settings, progress, sampler)


def more_careful(settings: Settings, used: Mapping[str, Any]) -> tuple[Settings, str]:
    """Settings for a second try, and in words what the first try had."""
    if "target_accept" in used:
        higher = 1 - (1 - settings.target_accept) / 5
        words = f"target acceptance {settings.target_accept}"
        return replace(settings, target_accept=higher), words
    return replace(settings, sweeps=5 * settings.sweeps), f"{settings.sweeps} sweeps per draw"


def _with_estimands(tree: DataTree) -> DataTree:
    return _judged(_estimated(tree))


@one_thread()
def _estimated(tree: DataTree) -> DataTree:
    import xarray as xr

    model = tree.attrs["model"]
    tree["estimands"] = xr.DataTree(model_named(model).estimate(tree))
    tree.attrs["estimands_version"] = ESTIMANDS_VERSION[model]
    return tree


@one_thread()
def _judged(tree: DataTree) -> DataTree:
    posterior = tree["posterior"].to_dataset()
    named = [name for name in json.loads(tree.attrs["shown"]) if name in posterior]
    tree.attrs["ess"] = float(convergence(posterior[named], ["ess_bulk"])["ess_bulk"][1].min())
    tree.attrs["gate"] = gate(tree).to_json()
    return tree


def _after(tree: DataTree) -> dict[str, DataTree]:
    """Groups of a fit that have draws after seeing data."""
    return {
        name: node
        for name, node in tree.children.items()
        if "draw" in node.dims and not name.startswith("prior")
    }


def _together(parts: list[DataTree]) -> DataTree:
    """One fit with the chains of several of the same model, in all else the first."""
    import xarray as xr

    first = parts[0]
    found = {name: node.to_dataset() for name, node in first.children.items()}
    for name in _after(first):
        joined = xr.concat([part[name].to_dataset() for part in parts], "chain", join="override")
        found[name] = joined.assign_coords(chain=np.arange(joined.sizes["chain"]))
    tree = xr.DataTree.from_dict(found)
    used = json.loads(first.attrs["settings"]) | {"chains": tree["posterior"].sizes["chain"]}
    tree.attrs = first.attrs | {
        "seconds": sum(part.attrs["seconds"] for part in parts),
        "settings_used": json.dumps(used),
    }
    return _judged(tree)


@checked
def fit_study(
    study: Study | str | Path,
    variant: str | Callable[[Any], Any] = DEFAULT,
    *,
    priors: Mapping[str, str] | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    scheduler: str | None = None,
    **settings: Any,
) -> DataTree:
    """Fit a study from a notebook or script.

    Parameters
    ----------
    study : Study, str or path
        A study, the name of one that ships with the package, or a study folder.
    variant : str or function
        Name in :func:`intlmodels.variant_table`; or a function of your own, which the variant is
        named after. It takes the default design and returns another (a dataclass with ``blocks``,
        ``groupings``, ``family`` and more), or, if its parameter is called ``model``, takes the
        PyMC model of the default design and returns one with another likelihood (setting the data
        ``likelihood_weights`` to 0 takes out the one that is there), of which nothing is predicted.
        The fingerprint of the fit follows the design and the function's text with the plain values
        it refers to.
    priors : mapping of str to str, optional
        Parameter -> prior, such as ``{"phi": "Gamma(2, 0.1)"}``.
    out : str or path, optional
        Folder in which the fit is stored, as ``intlmodels fit --out`` does it. A fit that is
        already there is read if nothing changed that it depends on, and made again if not.
    progress : callable, optional
        Called with the finished part of the sampling, 0 to 1.
    scheduler : str, optional
        Of a register: address of a Dask scheduler, whose workers count its rows if that has to be
        done; the fit itself is made here.
    **settings
        ``draws``, ``tune``, ``chains``, ``seed``, ``target_accept``, ``sampler``, ``cores``.

    Returns
    -------
    xarray.DataTree
        Groups ``posterior``, ``sample_stats``, ``log_likelihood``, ``log_prior`` and
        ``posterior_predictive`` (chain, draw, ...), ``prior`` and ``prior_predictive`` (one chain),
        ``observed_data``, ``constant_data`` and ``estimands``. Reported shares and estimands are in
        percent, ``mu`` is a share between 0 and 1. The outcome of the gate is in ``attrs["gate"]``.
        The fit of a register has no ``log_likelihood`` and no ``log_prior``.

    Raises
    ------
    StudyError
        For unusable input, before anything is compiled.

    Warns
    -----
    NotConverged
        If the fit does not pass the gate, also after one retry.

    Examples
    --------
    ::

        fit = im.fit_study("rochester", draws=1000, seed=7)
        fit = im.fit_study("rochester", "heaped", out="reports/rochester")
        fit = im.fit_study(study, priors={"phi": "Gamma(2, 0.1)"})
    """
    loaded = study if isinstance(study, Study) else load_study(study)
    study, variant = with_function(loaded, variant)
    study = as_study(study, None if out is None else Path(out), scheduler)
    asked = settings_of(study, settings)
    if out is None:
        require_consistent_counts(study)
        require_names(study)
        tree = decided_fit(study, variant, priors_of(study, variant, priors), asked, progress)
    else:
        (job,) = plan(study, [variant], Path(out), priors=priors, settings=asked)
        tree = store.read(job.path) if job.current else bring_up_to_date(job, progress)
    checks = Gate.from_json(tree.attrs["gate"])
    if not checks.passed:
        what = "; ".join(f"{r.label}: {r.value:.3g}" for r in checks.failures)
        warnings.warn(f"this fit did not converge ({what})", NotConverged, skip_file_prefixes=_OURS)
    return tree


# -- many variants on several cores ------------------------------------------------------


def run_all[T](
    waiting: deque[Callable[[], T]], pool: Executor, most: int
) -> Iterator[tuple[Callable[[], T], T]]:
    """Run tasks in other processes, so many at a time; yield each with its result.

    More may be put in while they run.
    """
    pending: dict[Future[T], Callable[[], T]] = {}
    while waiting or pending:
        while waiting and len(pending) < most:
            task = waiting.popleft()
            pending[pool.submit(task)] = task
        done, _ = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            yield pending.pop(future), future.result()


def outcome(job: Job) -> Gate:
    """Do a job on one core, as one of several that are done at the same time."""
    job = replace(job, settings=replace(job.settings, cores=1))
    return Gate.from_json(bring_up_to_date(job).attrs["gate"])


# -- what is stored ----------------------------------------------------------------------


@dataclass(frozen=True)
class Stored:
    """A stored fit, a short hash of its fingerprint, and why it is stale (empty if it is not)."""

    variant: str
    path: Path
    fingerprint: str
    reasons: tuple[str, ...]
    gate: Gate


def stored_fits(study: Study, out: Path) -> list[Stored]:
    """The fits below ``out``, the default first, held against the study as it is now.

    Priors given on the command line and the settings are those of the stored default fit: a
    variant is current if it was fitted with the same.

    Raises StudyError if there is no default fit, or one of the fits is damaged.
    """
    path = stored_path(out, DEFAULT)
    default = store.header(path)
    if default is None:
        raise StudyError(
            f"there is no stored fit of {study.name}; run intlmodels fit first", file=str(path)
        )
    overrides = _from_command_line(default.priors)
    settings = Settings(**default.settings)
    found = []
    for variant in catalogue(study):
        path = stored_path(out, variant)
        stored = store.header(path)
        if stored is None:
            continue
        own = _from_command_line(stored.priors)
        own = {name: text for name, text in own.items() if name not in default.priors}
        priors = priors_of(study, variant, {**overrides, **own})
        # A variant that is sampled in another way has settings that the default has not.
        used = replace(settings, **{**stored.settings, **default.settings})
        wanted = store.fingerprint(study, variant, priors, used)
        found.append(
            Stored(
                variant,
                path,
                files.short_hash(stored.fingerprint),
                tuple(store.changes(stored.fingerprint, wanted)),
                stored.gate,
            )
        )
    return found + list(_of_functions(study, out))


def _of_functions(study: Study, out: Path) -> Iterator[Stored]:
    """Stored fits of variants that are Python functions, which a study alone cannot make again."""
    for path in sorted((out / "variants").glob("*.nc")):
        if path.stem in catalogue(study):
            continue
        with suppress(StudyError):  # a file that is no fit, of whatever origin
            stored = store.header(path)
            if stored is not None and "function" in stored.fingerprint["model"]:
                why = "it is defined by a Python function, which only its notebook has"
                code = files.short_hash(stored.fingerprint)
                yield Stored(path.stem, path, code, (why,), stored.gate)


def stored_overrides(study: Study, out: Path) -> dict[str, str]:
    """Priors given on the command line when the stored fits were made; none if there are none."""
    found: dict[str, str] = {}
    for variant in reversed(catalogue(study)):
        stored = store.header(stored_path(out, variant))
        # What was given for the default counts for all.
        found |= _from_command_line(stored.priors if stored else {})
    return found


def _from_command_line(priors: Mapping[str, Prior]) -> dict[str, str]:
    return {name: prior.text for name, prior in priors.items() if prior.origin == "command line"}
