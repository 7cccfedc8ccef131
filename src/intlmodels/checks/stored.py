"""What calibration, comparison and sensitivity found, on disk: small JSON files that reports read.

They travel with the reports (``reports/<study>/trust/``). Each carries a fingerprint of everything
that it depends on and a checksum of its values. ``NaN`` and ``-Infinity`` stand for themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from intlmodels.core import files
from intlmodels.core.jsonvalues import build, parse_json
from intlmodels.core.settings import Settings
from intlmodels.core.versions import CHECKS_VERSION
from intlmodels.fitting import store
from intlmodels.models import DEFAULT, catalogue, priors_of
from intlmodels.studies import Study

#: Below the output folder of a study.
FOLDER = "trust"
#: The axis of a multiverse on which the scale of every prior is multiplied.
PRIORS = "priors"
#: Probabilities of the intervals whose coverage is counted.
PROBS = (0.5, 0.8, 0.95)


@dataclass(frozen=True)
class Calibrated:
    """How one quantity, such as ``phi`` or ``product[Optics]``, was recovered."""

    name: str
    ranks: tuple[int, ...]  # Simulations by the rank of the true value among the draws, 0 to L
    covered: tuple[int, ...]  # With the truth in the central interval of each of ``PROBS``
    bias: float  # Mean of posterior mean minus truth
    bias_error: float  # Its standard error
    error: float  # Its root mean square
    spread: float  # Mean posterior standard deviation
    width: float  # Mean width of the 95% interval
    prior_spread: float  # Standard deviation of the true values


@dataclass(frozen=True)
class Difference:
    """A reported difference in every simulated study that was fitted."""

    name: str
    unit: str
    truth: tuple[float, ...]
    p_positive: tuple[float, ...]  # Posterior probability that it is above zero


@dataclass(frozen=True)
class Calibration:
    """Simulation-based calibration of one variant, or of a deliberate error in its place."""

    variant: str
    wrong: str  # Name of the deliberate error; empty for the model as it is
    sims: int  # Asked for, and done
    failed: tuple[tuple[int, str], ...]  # Number of each simulation without a fit, and why
    divergent: int  # Fits with divergent transitions; they keep their ranks
    unconverged: int  # And those with R-hat above the limit
    limit: float
    settings: dict[str, Any]
    quantities: tuple[Calibrated, ...]
    differences: tuple[Difference, ...] = ()  # None of a deliberate error, or of old files

    @property
    def ranked(self) -> int:
        """Number of simulations with ranks."""
        return self.sims - len(self.failed)


@dataclass(frozen=True)
class Detection:
    """Whether calibration noticed a deliberate error, and what that ``change`` does, in words."""

    name: str
    change: str
    looks: tuple[int, ...]  # Numbers of simulations after which the verdict was looked at
    after: int | None  # The first look at which uniformity was rejected
    quantity: str  # With the smallest p-value at that (or the last) look
    p_value: float  # Adjusted for all quantities (Holm)


@dataclass(frozen=True)
class LeftOut:
    """One unit (a firm, a count) predicted by a fit that did not see it."""

    unit: str
    printed: float  # Percent for a share, a number for a count
    lpd: float  # Log probability of what was printed; minus infinity where no draw allowed it
    lpd_error: float  # Its Monte Carlo error
    law: tuple[float, ...]  # Probability of every value of the comparison
    rhat: float  # The worst of the refit, as the next two
    ess: float
    divergences: int


@dataclass(frozen=True)
class Comparison:
    """Exact leave-one-out of every variant of the same printed outcomes."""

    unit: str  # {"firm", "count"}: What is left out
    unit_label: str  # What the study calls it (singular)
    values: tuple[float, ...]  # Every value that could have been printed
    variants: dict[str, tuple[LeftOut, ...]]  # The default first; the units in the same order
    skipped: dict[str, str]  # Variant that is not compared -> why
    settings: dict[str, Any]
    #: Log evidence and its Monte Carlo error, of variants that have one.
    evidence: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Summed:
    """The posterior of one variant, summed over all tables that its counts allow."""

    log_evidence: float  # Log probability of the printed counts
    omitted: float  # Part of the posterior, estimated, in tables farther off than was summed over
    decay: dict[str, float]  # Size -> posterior mean
    falls: dict[str, float]  # Size -> posterior probability that the decay is positive


@dataclass(frozen=True)
class Evidence:
    """Exact evidence of every variant of the same published counts."""

    determined: tuple[str, ...]  # Counts that are sums and differences of others
    variants: dict[str, Summed]  # The default first
    skipped: dict[str, str]  # Variant without evidence -> why


@dataclass(frozen=True)
class Scaled:
    """Power-scaling of a quantity (Kallioinen et al. 2024, Statistics and Computing 34, 57)."""

    name: str
    prior: float
    likelihood: float


@dataclass(frozen=True)
class Refit:
    """The default model with one thing changed."""

    name: str  # Such as ``phi halved``, or the name of a variant
    change: str
    kind: str  # {"base", "prior", "reading"}: The first is the default itself
    converged: bool


@dataclass(frozen=True)
class Moved:
    """One conclusion, such as ``Ease against Difficult``, under one refit."""

    refit: str
    quantity: str
    unit: str
    median: float
    low: float  # Of the 95% interval
    high: float
    sd: float
    p_positive: float
    direction: bool  # Whether its sign is a conclusion (a difference), or it is a level
    p_error: float = float("nan")  # Monte Carlo error of ``p_positive``; NaN in older files


@dataclass(frozen=True)
class Sensitivity:
    """How far conclusions move when priors, likelihood or readings change."""

    scaled: tuple[Scaled, ...]
    pareto_k: float  # The largest of the importance weights behind them
    refits: tuple[Refit, ...]  # The default first
    moved: tuple[Moved, ...]  # For each refit and quantity


@dataclass(frozen=True)
class Specification:
    """One combination of choices in a multiverse."""

    name: str
    choices: tuple[str, ...]  # One on each axis
    converged: bool
    weight: float  # By stacking of approximate leave-one-out; NaN where there is none
    unreliable: int  # Units of which that is unreliable
    claims: dict[str, float]  # Id and rule of each claim that asks the default -> probability


@dataclass(frozen=True)
class Multiverse:
    """Every combination of readings, families and priors."""

    axes: dict[str, tuple[str, ...]]  # Choices on each axis, the default first
    specifications: tuple[Specification, ...]  # The default first
    moved: tuple[Moved, ...]  # Differences, for each specification


@dataclass(frozen=True)
class Omission:
    """What one refit did not see."""

    name: str
    #: {"nothing", "firm", "count", "order", "subset", "place"}; subset: of the same firms, periods
    kind: str
    parts: tuple[str, ...]  # Firms, or ids of counts
    converged: bool
    #: Probability and Monte Carlo error of each claim that asks the default, by id and rule.
    claims: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Influence:
    """What conclusions become without one firm, one count or a group of counts."""

    unit: str  # {"firm", "count"}: What is left out
    unit_label: str  # What the study calls it (singular)
    kept: tuple[str, ...]  # Counts that cannot be left out
    settings: dict[str, Any]
    omissions: tuple[Omission, ...]  # The first is the stored fit, from which nothing is left out
    moved: tuple[Moved, ...]  # Differences, for each omission


@dataclass(frozen=True)
class SimulatedSize:
    """Simulated studies of one number of firms."""

    firms: int
    failed: int  # Simulations without a fit
    unconverged: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class DesignAnalysis:
    """What studies of other numbers of firms would decide."""

    source: str  # {"posterior", "prior"}: Of the true parameters
    own: int  # Number of firms of the study itself
    sims: int  # Of each number of firms
    settings: dict[str, Any]
    sizes: tuple[SimulatedSize, ...]  # In ascending order


@dataclass(frozen=True)
class CachedResult[T]:
    """What is stored of one kind, if it is what the study asks for; or why it is not shown."""

    value: T | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckResults:
    """What checks found about a study; :func:`intlmodels.trust_tables` makes DataFrames of it.

    The attributes are ``calibration``, ``wrong``, ``comparison``, ``sensitivity``, ``multiverse``,
    ``evidence``, ``design`` and ``influence``. Each has a ``value``, which is None if there is none
    that is current, and ``reasons``, which then say why.

    Examples
    --------
    ::

        found = im.read_trust("rochester", "reports/rochester")
        found.calibration.value or found.calibration.reasons
    """

    calibration: CachedResult[Calibration]
    wrong: CachedResult[tuple[Detection, ...]]
    comparison: CachedResult[Comparison]
    sensitivity: CachedResult[Sensitivity]
    multiverse: CachedResult[Multiverse]
    evidence: CachedResult[Evidence]
    design: CachedResult[DesignAnalysis]
    influence: CachedResult[Influence]


#: Where nothing was ever computed.
NOTHING = CheckResults(*(CachedResult(None, ("it has not been computed yet",)),) * 8)


# -- on disk -----------------------------------------------------------------------------

#: Kind of findings -> their type.
_TYPES: dict[str, Any] = {
    "calibration": Calibration,
    "wrong": tuple[Detection, ...],
    "comparison": Comparison,
    "sensitivity": Sensitivity,
    "multiverse": Multiverse,
    "evidence": Evidence,
    "design": DesignAnalysis,
    "influence": Influence,
}
KINDS = tuple(_TYPES)


@dataclass(frozen=True)
class _Stored:
    """A file of findings."""

    fingerprint: store.Fingerprint
    value: Any
    checksum: str


def path_of(out: Path, kind: str) -> Path:
    """Where the findings of a kind are stored below the output folder of a study."""
    return out / FOLDER / f"{kind}.json"


def fingerprint(
    study: Study, overrides: Mapping[str, str], variants: Iterable[str]
) -> store.Fingerprint:
    """What findings depend on: data, model, libraries and priors, versions, further variants."""

    def parts(variant: str) -> store.Fingerprint:
        priors = priors_of(study, variant, overrides)
        found = store.fingerprint(study, variant, priors, Settings())
        return {name: found[name] for name in ("data", "model", "libraries", "priors")}

    return {
        **parts(DEFAULT),
        "checks": {"version": CHECKS_VERSION[study.model]},
        "variant": {name: files.short_hash(parts(name)) for name in variants if name != DEFAULT},
    }


def write(kind: str, value: Any, study: Study, overrides: Mapping[str, str], out: Path) -> None:
    """Write findings, with what they depend on."""
    found = fingerprint(study, overrides, _variants_of(value))
    # Calibrations of several deliberate errors are a list, everything else is one object.
    plain = _rounded([asdict(v) for v in value] if isinstance(value, tuple) else asdict(value))
    document = {"fingerprint": found, "value": plain, "checksum": files.short_hash(plain)}
    # Lists of numbers are written on one line.
    text = _LIST.sub(lambda m: f"[{' '.join(m[1].split())}]", json.dumps(document, indent=1))
    files.write_text(text + "\n", path_of(out, kind))


_LIST = re.compile(r"\[\s+([-\d.eNaInfity,\s]+?)\s+\]")


def _rounded(value: Any) -> Any:
    """Numbers with seven digits: more than their Monte Carlo error leaves."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, (list, tuple)) else value


def _variants_of(value: Any) -> list[str]:
    if isinstance(value, (Comparison, Evidence)):
        return [*value.variants, *value.skipped]
    if isinstance(value, Sensitivity):
        return [refit.name for refit in value.refits if refit.kind == "reading"]
    if isinstance(value, Multiverse):
        axes = (names for axis, names in value.axes.items() if axis != PRIORS)
        return [name for names in axes for name in names[1:]]
    return []


def read_checks(study: Study, out: Path, overrides: Mapping[str, str]) -> CheckResults:
    """Everything that is stored and still what the study asks for."""
    return CheckResults(*(_read(kind, study, out, overrides) for kind in KINDS))


def _read(kind: str, study: Study, out: Path, overrides: Mapping[str, str]) -> CachedResult[Any]:
    path = path_of(out, kind)
    if not path.is_file():
        return getattr(NOTHING, kind)
    try:
        stored = build(_Stored, parse_json(path.read_bytes()))
        value = build(_TYPES[kind], stored.value)
        if files.short_hash(stored.value) != stored.checksum:
            raise ValueError("its values do not match their checksum")
    except (OSError, ValueError, RecursionError):
        damage = "damaged, changed by another program, or of an earlier version"
        return CachedResult(None, (f"{path.name} cannot be read: {damage}",))
    about = _variants_of(value)
    known = [name for name, row in catalogue(study).items() if not row.outcome]
    changes = [f"{name} is no longer a variant of the study" for name in about if name not in known]
    if not changes:
        now = fingerprint(study, overrides, about)
        changes = store.changes(stored.fingerprint, now)
    return CachedResult(None if changes else value, tuple(changes))
