"""One runner for calibration, leave-one-out and sensitivity: many fits, each saved as it comes.

What a worker makes of a task goes into a journal first. A run that was killed resumes where it was,
and the results are the same whatever did the work, in whatever order.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from intlmodels.checks.stored import write
from intlmodels.core import files, versions
from intlmodels.core.errors import StudyError, did_you_mean, listed
from intlmodels.core.jsonvalues import parse_json
from intlmodels.core.processes import GOES_ON, helpers
from intlmodels.core.scheduler import MACHINE, Bar, cluster
from intlmodels.core.settings import Given, Progress, Settings
from intlmodels.core.versions import CHECKS_VERSION
from intlmodels.fitting import store
from intlmodels.fitting.diagnostics import convergence
from intlmodels.fitting.fit import Refit
from intlmodels.models import design_of, model_named
from intlmodels.models.base import Simulator
from intlmodels.models.decay.simulator import pinned_to_zero
from intlmodels.models.priors import Prior
from intlmodels.studies import DecayStudy, Study
from intlmodels.studies.counts import FLAGS, Count

if TYPE_CHECKING:
    from xarray import Dataset

#: Tasks handed to the executor at a time: enough for any cluster, little memory.
MOST = 1000
#: Stands in the head of a journal, an SQLite file, to tell it from files of other programs.
APPLICATION = 0x696D6A33
#: What decides the last digit of a result, apart from the code of this package.
NUMERICAL = ("numba", "numpy", "nutpie", "pymc", "pytensor", "scipy", MACHINE)


# -- the journal -------------------------------------------------------------------------

_PLAN, _TASK = "plan", "task "
_NO_JOURNAL = "this is not a journal of tasks; move the file elsewhere"
_DAMAGED = "damaged; remove the file; its tasks are then done again"
_PROBLEMS = {
    sqlite3.SQLITE_BUSY: "another process is working on these tasks; wait for it, or stop it",
    sqlite3.SQLITE_NOTADB: _NO_JOURNAL,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_ERROR: _DAMAGED,  # a table or column is missing
}


@dataclass(frozen=True)
class Journal:
    """Results of tasks in an SQLite file, each as JSON with a checksum.

    The identity is what results depend on apart from the tasks: a journal of another one, or of
    another kind of computer, holds nothing for these tasks.
    """

    path: Path
    identity: Mapping[str, Any]

    def plan(self) -> Any:
        """Its identity and the kind of computer, as JSON gives them back."""
        return json.loads(json.dumps({**self.identity, MACHINE: versions.kind()}))

    def results(self) -> dict[str, Any]:
        """Results of the finished tasks by key; none if there is no journal, or of other tasks."""
        if not self.path.exists():
            return {}
        with _opened(self.path) as db:
            plan, results = _read(db)
        return results if plan == self.plan() else {}

    def set_aside(self) -> None:
        """Move the results of earlier runs into a file beside it that ends in ``.old``."""
        if self.path.exists():
            with _opened(self.path) as db:
                _start_anew(db, self.path, None, keep=True)

    @contextmanager
    def for_writing(
        self, tell: Callable[[str], None] | None
    ) -> Iterator[tuple[sqlite3.Connection, dict[str, Any]]]:
        """The file, to be written by this process alone, and the results it holds already."""
        files.require_writable(self.path.parent)
        with _opened(self.path) as db:
            before, results = _read(db)
            if before != (plan := self.plan()):
                old = _start_anew(db, self.path, plan, keep=bool(results))
                if results and tell is not None:
                    parts = _changed(before, plan)
                    what = f"{listed(parts)} changed" if parts else "not these"
                    tell(f"{self.path}: results of other tasks ({what}) are set aside in {old}")
                results = {}
            yield db, results


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A journal that no other process can use; what a killed one left unfinished is undone."""
    try:
        with closing(_connect(path)) as db:
            if not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                db.execute(f"PRAGMA application_id = {APPLICATION}")
                db.execute("CREATE TABLE entries (key TEXT PRIMARY KEY, text TEXT, checksum TEXT)")
            elif db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
                raise StudyError(_NO_JOURNAL, file=str(path))
            db.commit()
            yield db
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_CORRUPT
        problem = _PROBLEMS.get(code & 0xFF, f"cannot be used ({error}); {GOES_ON}")
        raise StudyError(problem, file=str(path)) from error


def _connect(path: Path, options: str = "mode=rwc") -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?{options}", timeout=0, uri=True)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        db.close()
        # Some network drives have no locks.
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_IOERR or "nolock" in options:
            raise
        return _connect(path, f"{options}&nolock=1")
    except BaseException:
        db.close()
        raise
    return db


def _read(db: sqlite3.Connection) -> tuple[Any, dict[str, Any]]:
    """What the tasks of a journal are, and the results that it holds."""
    entries: dict[str, Any] = {}
    try:
        if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            raise ValueError("pages")
        for key, text, checksum in db.execute("SELECT * FROM entries ORDER BY rowid"):
            if checksum != files.short_hash(key, text):
                raise ValueError(key)
            entries[key] = parse_json(text)
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError(f"not as it was written: {error}") from error
    plan = entries.pop(_PLAN, None)
    return plan, {key.removeprefix(_TASK): value for key, value in entries.items()}


def _start_anew(db: sqlite3.Connection, path: Path, plan: Any, keep: bool) -> str:
    """Empty a journal for other tasks; return the name of the file that keeps what it held."""
    old = path.with_name(f"{path.name}.old")
    if keep:
        old.unlink(missing_ok=True)
        db.execute("VACUUM INTO ?", (str(old),))
    with db:
        db.execute("DELETE FROM entries")
        _insert(db, {_PLAN: json.dumps(plan)})
    return old.name


def _insert(db: sqlite3.Connection, texts: Mapping[str, str]) -> None:
    rows = [(key, text, files.short_hash(key, text)) for key, text in texts.items()]
    db.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)


def _save(db: sqlite3.Connection, texts: Mapping[str, str]) -> None:
    """Save results, all or none of them."""
    with db:
        _insert(db, {f"{_TASK}{key}": text for key, text in texts.items()})


def _changed(old: Any, new: Any) -> list[str]:
    if not isinstance(old, dict):
        return []
    # Not `get`, for which something that is missing is something that is None.
    both = old.keys() & new.keys()
    return [name for name in {**old, **new} if name not in both or old[name] != new[name]]


# -- the tasks ---------------------------------------------------------------------------


def run[T](
    function: Callable[[T], Any],
    tasks: Mapping[str, T],
    journal: Journal,
    pool: Executor,
    *,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
    most: int = MOST,
) -> dict[str, Any]:
    """Do the tasks that are not finished yet, save each result as it comes, return all in order.

    The function makes what JSON can hold of a task, the same wherever it is called. ``most`` tasks
    are handed to the pool at a time. Results of other tasks are set aside in a file beside the
    journal, of which ``tell`` is told. After an error or interrupt what is finished is in the
    journal.
    """
    with journal.for_writing(tell) as (db, results):
        left = [key for key in tasks if key not in results]
        done, waiting = len(tasks) - len(left), iter(left)
        running: dict[Future[str], str] = {}
        ended: SimpleQueue[Future[str]] = SimpleQueue()

        def keep(futures: Iterable[Future[str]]) -> int:
            good = [f for f in futures if not f.cancelled() and f.exception() is None]
            if good:
                texts = {running[future]: future.result() for future in good}
                _save(db, texts)
                results.update({key: json.loads(text) for key, text in texts.items()})
            for future in good:
                del running[future]
            return len(good)

        try:
            while True:
                if progress is not None and tasks:
                    progress(done / len(tasks))
                for key in islice(waiting, most - len(running)):
                    future = pool.submit(_text, function, tasks[key])
                    running[future] = key
                    future.add_done_callback(ended.put)
                if not running:
                    return {key: results[key] for key in tasks}
                # All that ended by now: they are saved together, which is quicker.
                batch = [ended.get(), *(ended.get() for _ in range(ended.qsize()))]
                done += keep(batch)
                for future in batch:
                    future.result()
        except BaseException:
            # What ended meanwhile is worth as much as what ended before.
            keep([future for future in running if not future.cancel() and future.done()])
            raise


def _text[T](function: Callable[[T], Any], task: T) -> str:
    """A result as the journal holds it, so that it is the same when it is read again."""
    return json.dumps(function(task))


@dataclass(frozen=True)
class Check[R]:
    """One check of a study: its tasks, a worker's function, what results say together."""

    kind: str
    title: str
    tasks: Mapping[str, Any]
    worker: Callable[[Any], Any]
    summarize: Callable[[list[Any]], R]
    journal: Journal

    def results(
        self,
        pool: Executor,
        progress: Progress | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> list[Any]:
        """Results of all tasks, in their order; see :func:`run`."""
        found = run(self.worker, self.tasks, self.journal, pool, progress=progress, tell=tell)
        return list(found.values())

    def run(
        self,
        pool: Executor,
        progress: Progress | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> R:
        """Do the tasks, and put the results together."""
        return self.summarize(self.results(pool, progress, tell))


def run_and_store[R](
    check: Check[R],
    study: Study,
    overrides: Mapping[str, str],
    out: Path,
    options: ExecutionOptions,
) -> R:
    """Do a check and store what it finds below the output folder of the study."""
    with options.pool([check.journal]) as pool, options.bar(check.title) as progress:
        found = check.run(pool, progress, options.tell)
    write(check.kind, found, study, overrides, out)
    return found


# -- who does them -----------------------------------------------------------------------


@dataclass(frozen=True)
class ExecutionOptions:
    """What does the work (processes, or a Dask scheduler's workers), and who is told."""

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
            if self.again:
                journal.set_aside()
        with executor(self.cores or os.cpu_count() or 1, self.scheduler) as pool:
            yield pool


@contextmanager
def executor(cores: int, scheduler: str | None = None) -> Iterator[Executor]:
    """Processes with one thread for linear algebra each, or the workers of a Dask cluster."""
    if scheduler is not None:
        with cluster(scheduler, NUMERICAL, GOES_ON) as workers:
            yield workers
        return
    with helpers(cores) as pool:
        yield pool


# -- what is fitted ----------------------------------------------------------------------

#: Settings of each fit that may be given.
GIVEN = ("chains", "draws", "seed", "sweeps", "target_accept", "tune")


def require_known(settings: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Settings that were given, if all of them exist."""
    for name in settings or {}:
        if name not in GIVEN:
            raise StudyError(
                f"no such setting of these fits{did_you_mean(name, GIVEN)}; expected "
                f"{listed(GIVEN)}",
                value=name,
            )
    return settings or {}


@dataclass(frozen=True)
class Plan:
    """What the fits of one check have in common, with the name of a deliberate error, if any."""

    study: Study
    variant: str
    priors: dict[str, Prior]
    settings: Settings
    misspecified: str = ""

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that the results depend on."""
        parts = store.fingerprint(self.study, self.variant, self.priors, self.settings)
        checks = {"version": CHECKS_VERSION[self.study.model], "misspecified": self.misspecified}
        return {**parts, "checks": checks}

    @property
    def key(self) -> str:
        """A short name for the identity."""
        return files.short_hash(self.identity)

    def settings_of(self, number: int) -> Settings:
        """Settings of the fit of one task, with a seed of its own."""
        seed = np.random.SeedSequence([self.settings.seed, 4, number]).generate_state(1)[0]
        return replace(self.settings, seed=int(seed))


def simulator(model: str) -> Simulator[Any, Any]:
    """How a model is simulated, measured and left to predict."""
    return model_named(model).simulator


#: Compiled models of this process by the key of their plan; a plan itself arrives anew each time.
_FITTERS: dict[str, Any] = {}


def cached_fitter(plan: Plan) -> Any:
    """The model of a plan, compiled once for all tasks of this process."""
    key = plan.key
    if key not in _FITTERS:
        _FITTERS[key] = fitter(plan)
    return _FITTERS[key]


def fitter(plan: Plan) -> Any:
    """A model ready to be fitted: the one asked for, or one with a deliberate error."""
    asked = plan.study, plan.variant, plan.priors
    if not plan.misspecified:
        return Refit(*asked)
    if plan.misspecified == "two-stage":
        return TwoStages(cast(DecayStudy, plan.study), plan.variant, plan.priors)
    return Refit(*simulator(plan.study.model).misspecified(*asked, plan.misspecified))


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


def convergence_of(stacked: NDArray[Any], stats: Dataset) -> dict[str, Any]:
    """Divergences, largest R-hat and smallest bulk ESS of draws, (chain, draw, quantity)."""
    import xarray as xr

    named = {f"q{i}": (("chain", "draw"), stacked[..., i]) for i in range(stacked.shape[-1])}
    found = convergence(xr.Dataset(named))
    return {
        "divergences": int(stats["diverging"].sum()) if "diverging" in stats else 0,
        "rhat": float(f"{found['rhat'][1].max():.6g}"),
        "ess": float(f"{found['ess_bulk'][1].min():.6g}"),
    }
