"""One task of calibration, comparison or sensitivity: what a worker process does.

Every task is a function of its plan and its number, whatever ran before it and wherever it runs.
A worker compiles a model once and keeps it for the tasks that follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from xarray import Dataset

from intlmodels.core import files
from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Given, Settings
from intlmodels.core.versions import CHECKS_VERSION
from intlmodels.fitting import store
from intlmodels.fitting.diagnostics import LIMITS, convergence
from intlmodels.fitting.fit import Refit
from intlmodels.fitting.jobs import checked_fit, more_careful
from intlmodels.models import design_of, model_named, model_of
from intlmodels.models.base import Simulator
from intlmodels.models.decay.simulator import pinned_to_zero
from intlmodels.models.priors import Prior
from intlmodels.study import DecayStudy, Study
from intlmodels.study.counts import FLAGS, Count

Array = NDArray[np.float64]

#: Draws among which the rank of a true value is looked up: they are thinned to so many, hardly
#: depend on each other then, and a rank is one of 0 to LEVELS.
LEVELS = 100


@dataclass(frozen=True)
class Plan:
    """What the tasks of one run have in common.

    Attributes
    ----------
    study : Study
    variant : str
    priors : dict of str to Prior
    settings : Settings
        Of each fit.
    wrong : str
        Name of a deliberate error of the model that is fitted; empty if there is none.
    """

    study: Study
    variant: str
    priors: dict[str, Prior]
    settings: Settings
    wrong: str = ""

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that the results depend on."""
        parts = store.fingerprint(self.study, self.variant, self.priors, self.settings)
        checks = {"version": CHECKS_VERSION[self.study.model], "wrong": self.wrong}
        return {**parts, "checks": checks}

    @property
    def key(self) -> str:
        """A short name for the identity."""
        return files.short_hash(self.identity)


def trials(model: str) -> Simulator[Any, Any]:
    """How a model is simulated, measured and left to predict."""
    return model_named(model).simulator


#: Compiled models of this process by the key of their plan; a plan itself arrives anew each time.
_FITTERS: dict[str, Any] = {}


def _fitter(plan: Plan) -> Any:
    key = plan.key
    if key not in _FITTERS:
        _FITTERS[key] = fitter(plan)
    return _FITTERS[key]


def fitter(plan: Plan) -> Any:
    """A model ready to be fitted: the one asked for, or one with a deliberate error."""
    asked = plan.study, plan.variant, plan.priors
    if not plan.wrong:
        return Refit(*asked)
    if plan.wrong == "two-stage":
        return TwoStages(cast(DecayStudy, plan.study), plan.variant, plan.priors)
    return Refit(*trials(plan.study.model).misspecified(*asked, plan.wrong))


class TwoStages:
    """The mistake that section 3 of the models warns of: fill in a table, then fit it as data."""

    def __init__(self, study: DecayStudy, variant: str, priors: Mapping[str, Prior]) -> None:
        self._design = design_of(study, variant)
        pinned = pinned_to_zero(priors, ("decay_mean", "sigma_decay"))
        self._without_decay = Refit(study, variant, pinned)
        self._fit = Refit(study, variant, priors)

    def draw(self, settings: Settings, given: Given) -> tuple[Dataset, Dataset]:
        """Fill in one table, then fit it."""
        first, _ = self._without_decay.draw(settings, given)
        table = first["table"].to_numpy()[0, -1]
        design = self._design
        # With the number of all decisions known, what is not counted is empty.
        known = [Count("all", design.firms, design.periods, FLAGS, "equal", design.total, True)]
        known += [
            Count(f"{firm}, {period}, {flag}", (firm,), (period,), (flag,), "equal", int(n), True)
            for firm, periods in zip(design.firms, table, strict=True)
            for period, flags in zip(design.periods, periods, strict=True)
            for flag, n in zip(FLAGS, flags, strict=True)
            if n
        ]
        second, stats = self._fit.draw(settings, {"counts": tuple(known)})
        # Taken as data, the table has no posterior.
        return second.drop_vars("table"), stats


def seed_of(plan: Plan, number: int) -> int:
    """Seed of the fit of one task."""
    return int(np.random.SeedSequence([plan.settings.seed, 4, number]).generate_state(1)[0])


# -- calibration -------------------------------------------------------------------------


def simulate(task: tuple[Plan, int]) -> dict[str, Any]:
    """Simulate a study, fit it, and find the ranks of the true values.

    Parameters
    ----------
    task : tuple of Plan and int
        The plan and the number of the simulation.

    Returns
    -------
    dict of str
        ``failed``: why there is no fit; or ``divergences``, ``rhat`` (the largest), ``ess`` (the
        smallest) and ``quantities``: name -> rank, position of the truth among all draws (0 to
        1, ties split at random), truth, mean, sd, width of the 95 % interval.
    """
    plan, number = task
    study, module = plan.study, trials(plan.study.model)
    design = design_of(study, plan.variant)
    rng = np.random.default_rng([plan.settings.seed, number])
    truth, given = module.simulate(study, design, plan.priors, rng)
    settings = replace(plan.settings, seed=seed_of(plan, number))
    try:
        posterior, stats = _fitter(plan).draw(settings, given)
    except StudyError:
        raise
    except (RuntimeError, ValueError, ArithmeticError) as error:
        # The sampler found no place to start, or left the real numbers: kept and counted.
        return {"failed": f"{type(error).__name__}: {error}".splitlines()[0]}
    draws = {str(n): posterior[n].transpose("chain", "draw", ...).to_numpy() for n in posterior}
    found = module.quantities(study, design, draws, given)
    true = module.quantities(study, design, truth, given)
    names = [name for name in true if name in found]
    stacked = np.stack([found[name].astype(float) for name in names], axis=-1)
    rhat, ess = mixing(stacked)
    return {
        "divergences": int(stats["diverging"].sum()) if "diverging" in stats else 0,
        "rhat": rhat,
        "ess": ess,
        "quantities": {
            name: _ranked(stacked[..., i].ravel(), float(true[name]), rng)
            for i, name in enumerate(names)
        },
    }


def _ranked(draws: Array, truth: float, rng: np.random.Generator) -> list[float]:
    """Rank among thinned draws, position among all, truth, mean, sd, width of the 95 % interval."""
    kept = draws[(np.arange(LEVELS) * len(draws)) // LEVELS]
    tie = rng.random()
    rank = (kept < truth).sum() + int(tie * ((kept == truth).sum() + 1))
    place = (draws < truth).mean() + tie * (draws == truth).mean()
    low, high = np.quantile(draws, [0.025, 0.975])
    values = (place, truth, draws.mean(), draws.std(ddof=1), high - low)
    return [int(rank), *(float(f"{value:.6g}") for value in values)]


def mixing(stacked: Array) -> tuple[float, float]:
    """Largest R-hat and smallest bulk effective sample size, of (chain, draw, quantity)."""
    import xarray as xr

    named = {f"q{i}": (("chain", "draw"), stacked[..., i]) for i in range(stacked.shape[-1])}
    found = convergence(xr.Dataset(named))
    rhat, ess = found["rhat"][1], found["ess_bulk"][1]
    return float(f"{rhat.max():.6g}"), float(f"{ess.min():.6g}")


# -- leaving one out ---------------------------------------------------------------------


@dataclass(frozen=True)
class LeaveOut:
    """A unit to be predicted by a fit that does not see it.

    Attributes
    ----------
    plan : Plan
    unit : int
        Position among the units of the study.
    over : tuple of float
        Everything that could have been printed.
    """

    plan: Plan
    unit: int
    over: tuple[float, ...]


def leave_out(task: LeaveOut) -> dict[str, Any]:
    """Fit without a unit, once more with more careful sampling if need be, and predict it.

    Returns
    -------
    dict of str
        Fields of :class:`intlmodels.checks.stored.LeftOut`, but for the unit and what was printed.
    """
    from intlmodels.checks.leaveout import log_mean_exp, lpd_error

    plan, module = task.plan, trials(task.plan.study.model)
    study, design = plan.study, design_of(plan.study, plan.variant)
    settings = replace(plan.settings, seed=seed_of(plan, task.unit))
    given = module.without(study, design, task.unit)
    for retry in (False, True):
        posterior, stats = _fitter(plan).draw(settings, given)
        shown = [posterior[n].transpose("chain", "draw", ...).to_numpy() for n in posterior]
        shown = [a.reshape(*a.shape[:2], -1) for a in shown if a.dtype.kind == "f"]
        rhat, ess = mixing(np.concatenate(shown, axis=-1))
        divergences = int(stats["diverging"].sum()) if "diverging" in stats else 0
        good = rhat <= LIMITS["rhat"] and ess >= LIMITS["ess_bulk"] and not divergences
        if good or retry:
            break
        settings, _ = more_careful(settings, plan.settings.identity(_settings_of(plan)))
    law, logs = module.predict(study, design, posterior, task.unit, np.array(task.over))
    return {
        "lpd": float(log_mean_exp(logs, axis=None)),
        "lpd_error": lpd_error(logs),
        "law": [float(f"{p:.6g}") for p in law],
        "rhat": rhat,
        "ess": ess,
        "divergences": divergences,
    }


def _settings_of(plan: Plan) -> tuple[str, ...]:
    return model_of(plan.study).settings(design_of(plan.study, plan.variant))


# -- sensitivity -------------------------------------------------------------------------


def conclude(task: Plan) -> dict[str, Any]:
    """Fit with other priors, and tell the conclusions.

    Returns
    -------
    dict of str
        ``converged``, and ``moved``: fields of :class:`intlmodels.checks.stored.Moved` but for
        the name of the refit.
    """
    from intlmodels.results.intervals import converged

    tree = checked_fit(task.study, task.variant, task.priors, task.settings)
    return {"converged": converged(tree), "moved": conclusions(task.study.model, tree)}


def results_of(model: str) -> ModuleType:
    """What only the share model, or the decay model, has as results."""
    from intlmodels.results import decay, share

    return {"share": share, "decay": decay}[model]


def conclusions(model: str, tree: Any) -> list[dict[str, Any]]:
    """What a fit concludes, as fields of :class:`intlmodels.checks.stored.Moved`."""
    rows = []
    for item in results_of(model).conclusions(tree):
        low, middle, high = np.quantile(item.draws, [0.025, 0.5, 0.975])
        rows.append(
            {
                "quantity": item.name,
                "unit": item.unit,
                "median": float(middle),
                "low": float(low),
                "high": float(high),
                "sd": float(item.draws.std(ddof=1)),
                "p_positive": float((item.draws > 0).mean()),
                "direction": item.direction,
            }
        )
    return rows
