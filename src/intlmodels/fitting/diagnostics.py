"""The gate: whether draws may be shown as a posterior.

Checks are data: what is looked at, the limit, and what to do about a failure. A check
passes, fails, or informs (it could not be computed, or has no limit).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.formats import CLEAR_AND_LEANING
from intlmodels.core.jsonvalues import build, parse_json
from intlmodels.fitting.convergence import Convergence, ebfmi

if TYPE_CHECKING:
    from xarray import Dataset, DataTree


Array = NDArray[np.float64]
Outcome = Literal["passed", "failed", "informational"]


@dataclass(frozen=True)
class Check:
    """One row of the gate: what is looked at, its limit, what a failure means and what helps."""

    name: str
    label: str
    direction: Literal["at most", "at least"]
    limit: float
    hint: str


#: Limits: Vehtari et al. (2021), Bayesian Analysis 16(2), for R-hat and ESS; Betancourt
#: (2016), arXiv:1604.00695, for E-BFMI.
CHECKS: tuple[Check, ...] = (
    Check(
        "rhat",
        "largest R-hat (rank-normalized) of any parameter or estimand",
        "at most",
        1.01,
        "the chains disagree: more tuning, or a tighter prior for what the data hardly inform",
    ),
    Check(
        "ess_bulk",
        "smallest bulk effective sample size",
        "at least",
        400,
        "too few effective draws for the centre: more draws",
    ),
    Check(
        "ess_tail",
        "smallest tail effective sample size",
        "at least",
        400,
        "too few effective draws for interval ends: more draws",
    ),
    Check(
        "divergences",
        "divergent transitions",
        "at most",
        0,
        "parts of the posterior were not reached: a higher target acceptance",
    ),
    Check(
        "ebfmi",
        "smallest E-BFMI of a chain",
        "at least",
        0.3,
        "the energy is explored badly: look for heavy tails in the priors",
    ),
    Check(
        "treedepth",
        "trajectories cut at the largest tree depth",
        "at most",
        0,
        "the posterior is much narrower in one direction than in another: more tuning",
    ),
)

#: Of levels and effects of very many groups, and of estimands of which not every draw was computed:
#: among hundreds of quantities some exceed the usual limits by chance, in draws that have converged
#: as well.
MANY_CHECKS: tuple[Check, ...] = (
    Check(
        "rhat_clusters",
        "largest R-hat (rank-normalized) of any level or effect of a group or row, or thinned "
        "estimand",
        "at most",
        1.1,
        "the chains disagree on some groups: more tuning, or fewer groups",
    ),
    Check(
        "ess_clusters",
        "smallest bulk effective sample size of any level or effect of a group or row, or thinned "
        "estimand",
        "at least",
        100,
        "too few effective draws of some groups: more draws",
    ),
)
#: Quantities that are looked at at a time: ranks and autocovariances of all take their memory.
CHUNK = 100
#: How many groups are very many: clusters, firms of a panel, or its rows.
MANY = 30
#: Draws of very many clusters that are looked at, and rows of a panel: what rows are made of, the
#: effects of firms and all else, is looked at anyway.
MANY_DRAWS, MANY_ROWS = 1000, 2000
#: What :func:`convergence` tells.
MEASURES = ("rhat", "ess_bulk", "ess_tail", "mcse_mean")

#: Name of a check -> its limit.
LIMITS = {check.name: check.limit for check in (*CHECKS, *MANY_CHECKS)}


@dataclass(frozen=True)
class Result:
    """Outcome of one check of one fit."""

    name: str
    label: str
    direction: str
    limit: float
    value: float
    where: str
    outcome: Outcome
    hint: str


@dataclass(frozen=True)
class Gate:
    """All checks of one fit."""

    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Result, ...]:
        """The checks that failed."""
        return tuple(result for result in self.results if result.outcome == "failed")

    def _repr_html_(self) -> str:
        if self.passed:
            return "<p>Converged: no check failed.</p>"
        failed = "; ".join(f"{own.label}: {own.value:.3g} ({own.hint})" for own in self.failures)
        return f"<p><strong>Did not converge.</strong> {escape(failed)}</p>"

    def to_json(self) -> str:
        """Write the results as text, for an attribute of the stored fit."""
        return json.dumps([asdict(result) for result in self.results])

    @classmethod
    def from_json(cls, text: str) -> Gate:
        """Read what :meth:`to_json` wrote; ValueError for anything else."""
        return cls(build(tuple[Result, ...], parse_json(text)))


def scalars(dataset: Dataset) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Every scalar quantity of a group of draws, with a label such as ``product[Optics]``."""
    for name in dataset.data_vars:
        array = dataset[name].transpose("chain", "draw", ...)
        if array.dtype.kind != "f":
            continue
        dims = array.dims[2:]
        values = array.to_numpy()
        for index in np.ndindex(*values.shape[2:]):
            labels = [
                str(array[dim].to_numpy()[i]) if dim in array.coords else str(i)
                for dim, i in zip(dims, index, strict=True)
            ]
            yield (f"{name}[{', '.join(labels)}]" if labels else str(name), values[(..., *index)])


def convergence(
    dataset: Dataset, names: Sequence[str] = MEASURES
) -> dict[str, tuple[list[str], NDArray[np.float64]]]:
    """``rhat``, ``ess_bulk``, ``ess_tail`` and ``mcse_mean`` of every scalar: (labels, values).

    Quantities that never vary (the first level of an ordered effect) are left out.
    """
    # A draw that is not a number is not equal to itself: such a quantity stays in, and fails.
    pairs = [(label, draws) for label, draws in scalars(dataset) if (draws != draws.flat[0]).any()]
    labels = [label for label, _ in pairs]
    if not pairs:
        return {name: ([], np.empty(0)) for name in names}
    parts = []
    # Chains that do not move divide by zero; what comes out, inf or NaN, fails the gate.
    with np.errstate(divide="ignore", invalid="ignore"):
        for start in range(0, len(pairs), CHUNK):
            own = Convergence(np.stack([draws for _, draws in pairs[start : start + CHUNK]]))
            parts.append([getattr(own, name)() for name in names])
    return {
        name: (labels, values)
        for name, values in zip(names, np.concatenate(parts, axis=1), strict=True)
    }


def gate(tree: DataTree) -> Gate:
    """Check a fit: every parameter, every estimand if there are any, and the sampler itself."""
    found = _measure(tree)
    return Gate(
        tuple(
            _judge(check, *found.get(check.name, (None, "does not apply")))
            for check in (*CHECKS, *(c for c in MANY_CHECKS if c.name in found))
        )
    )


def _measure(tree: DataTree) -> dict[str, tuple[float, str]]:
    groups = [g for g in ("posterior", "estimands") if g in tree.children]
    whole = [tree[group].to_dataset() for group in groups]
    # Cells of a drawn table are quantities of their own: they must mix as well.
    whole = [d.assign(table=d["table"].astype(float)) if "table" in d else d for d in whole]
    groups = _of_groups(tree)
    draws = whole[0].sizes["draw"]
    many = [
        [
            n
            for n, d in w.data_vars.items()
            if d.sizes["draw"] < draws or any(d.sizes.get(dim, 0) > MANY for dim in groups)
        ]
        for w in whole
    ]
    worst = {"rhat": "rhat", "ess_bulk": "ess_bulk", "ess_tail": "ess_tail"}
    found = _worst([part.drop_vars(n) for part, n in zip(whole, many, strict=True)], worst)
    if any(many):
        of_clusters = {"rhat_clusters": "rhat", "ess_clusters": "ess_bulk"}
        parts = [_thinned(part[n]) for part, n in zip(whole, many, strict=True)]
        found |= _worst(parts, of_clusters)
    stats = tree["sample_stats"].to_dataset()
    if "energy" not in stats:
        return found  # drawn without Hamiltonian trajectories: the other checks do not apply
    energy = ebfmi(stats["energy"].to_numpy())
    found["ebfmi"] = (float(energy.min()), f"chain {int(energy.argmin())}")
    for name, variable in {"divergences": "diverging", "treedepth": "maxdepth_reached"}.items():
        counts = stats[variable].to_numpy().sum(axis=1)
        total = int(counts.sum())
        found[name] = (float(total), f"chain {int(counts.argmax())}" if total else "")
    return found


def _of_groups(tree: DataTree) -> list[str]:
    """Dimensions of the groups of a fit, and of the rows of a panel."""
    constant = tree["constant_data"].attrs if "constant_data" in tree.children else {}
    groupings = parse_json(str(constant.get("groupings", "[]")))
    names = {"cluster", *(own["name"] for own in groupings)}
    return ["row", *(f"{name}_level" for name in sorted(names))]


def _thinned(draws: Dataset) -> Dataset:
    """Some draws, and rows: enough to see chains that disagree, in thousands of quantities."""
    total = draws.sizes.get("chain", 1) * draws.sizes.get("draw", 1)
    every = {"draw": total // MANY_DRAWS, "row": draws.sizes.get("row", 0) // MANY_ROWS}
    return draws.isel({dim: slice(None, None, n) for dim, n in every.items() if n > 1})


def _worst(parts: list[Dataset], wanted: dict[str, str]) -> dict[str, tuple[float, str]]:
    """The worst value of each check, named by what :func:`convergence` calls it, and of what."""
    measured = [convergence(part, [*wanted.values()]) for part in parts]
    found = {}
    for check, name in wanted.items():
        labels = [label for part in measured for label in part[name][0]]
        values = np.concatenate([part[name][1] for part in measured])
        # argmax and argmin stop at the first NaN: an undefined value is the worst value.
        i = int(np.argmax(values) if name == "rhat" else np.argmin(values))
        found[check] = (float(values[i]), labels[i])
    return found


def _judge(check: Check, value: float | None, where: str) -> Result:
    """Hold a value against its limit; None if the check does not apply to how a fit was drawn."""
    outcome: Outcome = "informational"
    if value is not None:
        good = value <= check.limit if check.direction == "at most" else value >= check.limit
        outcome = "passed" if good else "failed"
    seen = float("nan") if value is None else value
    return Result(**asdict(check), value=seen, where=where, outcome=outcome)


# -- directions --------------------------------------------------------------------------

#: A probability is on the edge within so many Monte Carlo errors of a limit. Within two, one seed
#: in twenty would still be beyond the limit unmarked.
EDGE_ERRORS = 3


def probability_error(holds: NDArray[Any], chains: int) -> Array:
    """Monte Carlo error of probabilities, of draws of whether something holds, (draw, ...)."""
    if not holds[:1].size:
        return np.zeros(holds.shape[1:])
    each = holds.astype(float).reshape(len(holds), -1).T
    with np.errstate(divide="ignore", invalid="ignore"):  # what never varies has no error
        found = Convergence(each.reshape(len(each), chains, -1)).mcse_mean()
    return np.nan_to_num(found).reshape(holds.shape[1:])


def on_the_edge(probability: float, error: float, limits: Sequence[float]) -> bool:
    """Whether other draws could move a probability with this Monte Carlo error across a limit."""
    return any(abs(probability - limit) < EDGE_ERRORS * error for limit in limits)


def directions_on_the_edge(draws: Array) -> bool:
    """Whether other draws could move a direction across a limit of the verdicts.

    ``draws`` are those of differences, (chain, draw, ...).
    """
    positive = draws.reshape(-1, math.prod(draws.shape[2:])) > 0
    chance = positive.mean(axis=0)
    likely = np.maximum(chance, 1 - chance)
    errors = probability_error(positive, len(draws))
    return any(map(on_the_edge, likely, errors, repeat(CLEAR_AND_LEANING)))
