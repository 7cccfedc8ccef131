"""Calibrate, compare, sensitivity: from a study to stored findings, for commands and notebooks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intlmodels.audit import require_consistent_counts
from intlmodels.checks import calibrate, compare, sensitivity
from intlmodels.checks.stored import (
    Calibration,
    Caught,
    Comparison,
    Sensitivity,
    path_of,
    trust,
    write,
)
from intlmodels.checks.tasks import Journal, executor
from intlmodels.checks.worker import trials
from intlmodels.core import files
from intlmodels.core.errors import StudyError, did_you_mean, listed
from intlmodels.core.scheduler import Bar
from intlmodels.core.settings import Settings
from intlmodels.fitting import store
from intlmodels.fitting.jobs import settings_of, stored_overrides
from intlmodels.models import DEFAULT, catalogue, design_of, find_variant, priors_of
from intlmodels.register.counts import require_firms
from intlmodels.study import Study

#: More would take years.
MOST_SIMS = 10**6
#: Settings of each fit that may be given.
GIVEN = ("chains", "draws", "seed", "sweeps", "target_accept", "tune")


@dataclass(frozen=True)
class Means:
    """What does the work, and who is told.

    Attributes
    ----------
    cores : int or None
        Processes of this computer; all cores if not given.
    scheduler : str or None
        Address of a Dask scheduler, whose workers then do the work.
    again : bool
        Whether earlier results are set aside.
    bar, tell : callable
        Show progress, and a line of text.
    """

    cores: int | None = None
    scheduler: str | None = None
    again: bool = False
    bar: Bar = lambda title: nullcontext()
    tell: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        Settings(cores=self.cores)  # one rule for every number of cores

    @contextmanager
    def pool(self, journals: Sequence[Journal]) -> Iterator[Executor]:
        """Processes that work, once it is known that results can be kept."""
        for journal in journals:
            files.require_writable(journal.path.parent)
            if self.again and journal.path.exists():
                journal.path.replace(journal.path.with_name(f"{journal.path.name}.old"))
        with executor(self.cores or os.cpu_count() or 1, self.scheduler) as pool:
            yield pool


def run_calibration(
    study: Study,
    out: Path,
    means: Means,
    *,
    sims: int,
    variant: str = DEFAULT,
    wrong: Sequence[str] = (),
    overrides: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> tuple[Calibration, tuple[Caught, ...]]:
    """Calibrate a study, and see whether deliberate errors would be noticed.

    Parameters
    ----------
    study : Study
    out : Path
        Output folder of the study; findings go below it, into ``trust``.
    means : Means
    sims : int
        Number of simulated studies.
    variant : str
    wrong : sequence of str
        Names of deliberate errors, or ``all``.
    overrides : mapping of str to str, optional
        Priors by name.
    settings : mapping, optional
        Settings of each fit.

    Raises
    ------
    StudyError
        For what is not known or cannot be simulated, before anything is computed.
    """
    require_firms(study, "calibration")
    require_consistent_counts(study)
    variant = find_variant(study, variant).name
    given = dict(overrides or {})
    priors = priors_of(study, variant, given)
    if not 1 <= sims <= MOST_SIMS:
        raise StudyError(f"sims must be a whole number from 1 to {MOST_SIMS}", value=str(sims))
    used = calibrate.settings_for(study, _known(settings))
    plan = calibrate.plan_of(study, variant, priors, used)
    known = trials(study.model).wrong_models(design_of(study))
    names = list(known) if list(wrong) == ["all"] else list(wrong)
    errors = [calibrate.plan_of(study, variant, priors, used, name) for name in names]
    calibrate.only_of_the_default(variant, names)
    journals = [calibrate.journal_of(each, out) for each in (plan, *errors)]
    caught = []
    with means.pool(journals) as pool:
        with means.bar(f"{sims} simulated fits") as progress:
            found = calibrate.calibrate(plan, sims, out, pool, progress, means.tell)
        if variant == DEFAULT:
            write("calibration", found, study, given, out)
        own = "" if variant == DEFAULT else f"-{variant}"
        ranks = path_of(out, "calibration").with_name(f"ranks{own}.csv")
        files.write_text(calibrate.ranks_text(plan, out, sims), ranks)
        for each in errors:
            with means.bar(f"deliberate error {each.wrong}") as progress:
                caught.append(calibrate.catch(each, sims, out, pool, progress, means.tell))
        if caught:
            # What is known of other errors stays.
            before = trust(study, out, given).wrong.value or ()
            kept = {item.name: item for item in (*before, *caught)}
            write("wrong", tuple(kept[name] for name in known if name in kept), study, given, out)
    return found, tuple(caught)


def run_comparison(
    study: Study,
    out: Path,
    means: Means,
    *,
    overrides: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Comparison:
    """Leave out every unit once under every variant of the same printed outcomes.

    Parameters are those of :func:`run_calibration`.
    """
    require_firms(study, "leaving out firms")
    require_consistent_counts(study)
    given = dict(overrides or {})
    used = compare.settings_for(study, _known(settings))
    plans, skipped = compare.plans_of(study, list(catalogue(study)), given, used)
    title = f"leaving out, {len(plans)} variants"
    with means.pool([compare.journal_of(plans, out)]) as pool, means.bar(title) as progress:
        found = compare.compare(plans, skipped, out, pool, progress, means.tell)
    write("comparison", found, study, given, out)
    return found


def run_sensitivity(study: Study, out: Path, means: Means) -> Sensitivity:
    """Refit the stored default with other priors, and hold it against the stored variants.

    Priors and settings are those of the stored fit.

    Raises
    ------
    StudyError
        If there is no current fit that converged.
    """
    require_firms(study, "sensitivity")
    stored = sensitivity.current(study, out)
    overrides = stored_overrides(study, out)
    used = settings_of(study, {**store.require_whole(stored[0].path).settings, "cores": 1})
    plans = sensitivity.plans_of(study, priors_of(study, DEFAULT, overrides), used)
    title = f"{len(plans)} refits with other priors"
    with means.pool([sensitivity.journal_of(plans, out)]) as pool, means.bar(title) as progress:
        found = sensitivity.sensitivity(study, stored, plans, out, pool, progress, means.tell)
    write("sensitivity", found, study, overrides, out)
    return found


def _known(settings: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Settings that were given, if all of them exist."""
    for name in settings or {}:
        if name not in GIVEN:
            raise StudyError(
                f"no such setting of these fits{did_you_mean(name, GIVEN)}; expected "
                f"{listed(GIVEN)}",
                value=name,
            )
    return settings or {}
