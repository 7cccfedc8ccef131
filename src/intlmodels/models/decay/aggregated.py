"""The likelihood of firms with the same counts, their effects integrated out.

Given its effect sigma z, with z standard normal, a firm of size g decides with log odds ::

    eta(k) = level[g] + period[t(k)] + sigma z - decay[g] b(k)

at the place k of its sequence. The log probability of its flags y is the sum of y eta(k) less the
sum of log(1 + exp(eta(k))). The first sum is m (level[g] + sigma z), with m the number of flags,
and terms without z, which add up over firms: of them the data hold only how many flags there are
at each place. So what is integrated over z is the same for all firms of a size with the same
number of decisions (in each period) and of flags, exactly and for every shape b.

The integral is a trapezoidal sum over equal steps of z. Of an integrand that is smooth and as
good as zero at both ends its error falls exponentially with the number of steps, faster than that
of Gauss-Hermite nodes for long sequences, whose integrands are narrow (Trefethen and Weideman
2014, SIAM Review 56, 385-458); the step follows from the narrowest integrand that the largest
sigma allows. Nodes are common to many firms, so that log(1 + exp(eta)) is computed once for all.

Its coordinates are one vector: the log odds at the first decision (of other firms, averaged over
periods), what larger firms add, the logarithm of the firms' spread, the decay averaged over sizes,
and where there are any, the differences of the decay between sizes and of the periods, in an
orthonormal basis. The maximum is found by Newton's method with numerical derivatives, and serves
only to write the posterior in coordinates in which it has about one width everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError
from intlmodels.models.coordinates import basis as differences
from intlmodels.models.coordinates import uphill
from intlmodels.models.decay.design import Design, basis
from intlmodels.studies.register import Sequences

Array = NDArray[np.float64]
Places = NDArray[np.intp]

#: Longest sequences of the classes that have nodes of their own, from one to the next.
_GROWTH = 4
#: Steps: parts of the standard deviation of the narrowest normal integrand, and of the distance
#: to the poles of the logistic function; with both, relative errors are below 1e-11 (tests).
_OF_WIDTH, _OF_POLES = 0.65, 0.17
#: Nodes reach so far beyond the modes of all integrands.
_REACH = 9.0


@dataclass(frozen=True)
class Counts:
    """The counts of a register as one design needs them."""

    #: Position in the design's sizes, (cell,).
    size: Places
    #: Decisions in each period that has an effect, or in all, (cell, period).
    made: Places
    flagged: Places
    firms: Array
    #: Flags of all firms of a size, and the sum of b(k) over these, (size,).
    level_flags: Array
    decay_flags: Array
    #: Flags in each period that has an effect, (period,).
    period_flags: Array


def counts_for(sequences: Sequences, design: Design) -> Counts:
    """Counts of a design: sizes and periods that it does not tell apart are put together."""
    size = sequences.size if design.by_size else np.zeros_like(sequences.size)
    at_size = sequences.at_size if design.by_size else np.zeros_like(sequences.at_size)
    made = sequences.made if design.by_period else sequences.made.sum(axis=1, keepdims=True)
    keys, inverse = np.unique(
        np.column_stack([size, made, sequences.flagged]), axis=0, return_inverse=True
    )
    flags = sequences.at_flagged
    sizes = len(design.sizes)
    steps = basis(design.family, sequences.at_entries)
    periods = np.zeros(1)
    if design.by_period:
        periods = np.bincount(sequences.at_period, flags, len(design.periods))
    return Counts(
        size=keys[:, 0].astype(np.intp),
        made=keys[:, 1:-1].astype(np.intp),
        flagged=keys[:, -1].astype(np.intp),
        firms=np.bincount(inverse.reshape(-1), sequences.firms).astype(float),
        level_flags=np.bincount(at_size, flags, sizes),
        decay_flags=np.bincount(at_size, flags * steps, sizes),
        period_flags=periods,
    )


# -- nodes -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Class:
    """Cells of about the same length, with common nodes."""

    #: Values of z, in equal steps.
    nodes: Array
    #: Positions of the cells.
    cells: Places
    #: Most decisions of one firm.
    longest: int


def step(longest: int, spread: float) -> float:
    """Largest step of z for sequences up to a length and spreads up to ``spread``."""
    width = 1 / np.sqrt(1 + spread**2 * longest / 4)
    return float(min(_OF_WIDTH * width, _OF_POLES * np.pi / spread))


def classes(counts: Counts, spread: float, modes: Array, finer: int = 1) -> tuple[Class, ...]:
    """Nodes for spreads of the firms up to ``spread``.

    ``modes`` (2,): between these the integrands have their modes; ``finer``: nodes for one that
    would do, and that much further out: for checks.
    """
    length = counts.made.sum(axis=1)
    made, shortest = [], 0
    longest = 2 * _GROWTH
    while shortest < length.max():
        cells = np.flatnonzero((length > shortest) & (length <= longest))
        if len(cells):
            most = int(length[cells].max())
            low, high = modes[0] - _REACH - finer, modes[1] + _REACH + finer
            number = int(np.ceil((high - low) / step(most, spread))) * finer + 1
            made.append(Class(np.linspace(low, high, number), cells, most))
        shortest, longest = longest, _GROWTH * longest
    return tuple(made)


# -- the log likelihood ------------------------------------------------------------------


@dataclass(frozen=True)
class Algebra:
    """Functions that numpy and PyTensor have under different names."""

    exp: Callable[[Any], Any]
    log1pexp: Callable[[Any], Any]
    cumsum: Callable[[Any], Any]
    concatenate: Callable[[list[Any]], Any]
    logsumexp: Callable[[Any], Any]


def _logsumexp(x: Array) -> Array:
    most = x.max(axis=1)
    return np.asarray(most + np.log(np.exp(x - most[:, None]).sum(axis=1)))


NUMPY = Algebra(
    np.exp,
    lambda x: np.logaddexp(0.0, x),
    lambda x: np.cumsum(x, axis=1),
    lambda parts: np.concatenate(parts, axis=0),
    _logsumexp,
)


def log_likelihood(
    counts: Counts,
    parts: tuple[Class, ...],
    design: Design,
    parameters: Mapping[str, Any],
    by: Algebra,
) -> Any:
    """Log probability of the flags of all firms, in the order in which they came.

    ``parameters``: ``level`` (size) and ``decay`` (size): vectors; ``sigma``; ``period`` (period),
    or None.
    """
    level, decay = parameters["level"], parameters["decay"]
    total = (counts.level_flags * level).sum() - (counts.decay_flags * decay).sum()
    if design.by_period:
        total = total + (counts.period_flags * parameters["period"]).sum()
    for part in parts:
        values = integrals(counts, part, design, parameters, by)
        total = total + (counts.firms[part.cells] * values).sum()
    return total


def integrals(
    counts: Counts, part: Class, design: Design, parameters: Mapping[str, Any], by: Algebra
) -> Any:
    """Log of the integral over z of each cell of a class, (cell,)."""
    height = np.log(part.nodes[1] - part.nodes[0])
    return by.logsumexp(integrands(counts, part, design, parameters, by)) + height


def integrands(
    counts: Counts, part: Class, design: Design, parameters: Mapping[str, Any], by: Algebra
) -> Any:
    """Log of what is integrated over z, (cell, node)."""
    rows, where = np.unique(
        np.column_stack([counts.size, counts.made])[part.cells], axis=0, return_inverse=True
    )
    zero = np.zeros((1, 1, len(part.nodes)))
    reach = parameters["sigma"] * part.nodes
    steps = basis(design.family, np.arange(part.longest))
    tables = []
    for g in range(len(design.sizes)):
        for t in range(counts.made.shape[1]):
            at = parameters["level"][g] - parameters["decay"][g] * steps
            if design.by_period:
                at = at + parameters["period"][t]
            each = by.log1pexp(at[:, None] + reach[None, :])
            # Sums of the first 0, 1, 2 ... places.
            tables.append(by.concatenate([zero[0], by.cumsum(each.T).T]))
    stacked = by.concatenate(tables)
    ends = rows[:, 1:].cumsum(axis=1)
    starts = ends - rows[:, 1:]
    height = part.longest + 1
    loss: Any = 0.0
    for t in range(counts.made.shape[1]):
        first = (rows[:, 0] * counts.made.shape[1] + t) * height
        loss = loss + stacked[first + ends[:, t]]
        if t:
            loss = loss - stacked[first + starts[:, t]]
    weight = -0.5 * (part.nodes**2 + np.log(2 * np.pi))
    flags = counts.flagged[part.cells].astype(float)
    return flags[:, None] * reach[None, :] - loss[where.reshape(-1)] + weight


# -- where the posterior of a register of decisions is ---------------------------------

#: Precisions of a weak pull towards zero: level, large, log spread, decay, differences.
_PULLS = (0.25, 1.0, 1.0, 4.0, 1.0)
#: Steps of the numerical derivatives.
_STEP = 1e-3
#: Distance from the maximum, in standard deviations, at which it counts as found.
_NEAR = 0.02
_MOST_STEPS = 60
#: Spreads of the firms between which the integrands are looked at.
_SPREADS = (0.02, 0.1, 0.3, 1.0, 3.0, 10.0)
#: Numbers that one evaluation of the likelihood may compute.
MOST_WORK = 5_000_000
#: Largest spread of the firms, in log odds, that nodes are made for.
LARGEST = 30.0


def layout(design: Design) -> tuple[str, ...]:
    """Name of each coordinate of a design; differences ("between", "time") share theirs."""
    names = ["level", *["large"] * len(design.indicators), "spread", "decay"]
    names += ["between"] * (0 if design.common else len(design.sizes) - 1)
    return (*names, *["time"] * (len(design.periods) - 1 if design.by_period else 0))


def natural(theta: Any, design: Design, by: Algebra) -> dict[str, Any]:
    """The parameters of :func:`intlmodels.models.decay.aggregated.log_likelihood` at a point."""
    where = layout(design)
    ones = np.ones(len(design.sizes))
    level = theta[where.index("level")] * ones
    for i, where_added in enumerate(design.indicators):
        level = level + theta[where.index("large") + i] * where_added
    decay = theta[where.index("decay")] * ones
    if not design.common:
        decay = decay + _spread_out(theta, where, "between", len(design.sizes))
    period = None
    if design.by_period:
        period = _spread_out(theta, where, "time", len(design.periods))
    return {
        "level": level,
        "decay": decay,
        "sigma": by.exp(theta[where.index("spread")]),
        "period": period,
    }


def _spread_out(theta: Any, where: tuple[str, ...], name: str, levels: int) -> Any:
    own = theta[where.index(name) : where.index(name) + levels - 1]
    return (differences(levels) * own[None, :]).sum(axis=1)


@dataclass(frozen=True)
class Start:
    """A normal approximation of the likelihood and of the priors of what is no difference."""

    at: Array
    gradient: Array
    #: Minus the curvature; positive definite.
    information: Array
    #: Between these two the integrands have their modes, whatever the spread.
    modes: Array
    #: Largest spread of the firms that is to be expected.
    spread: float


def find_start(counts: Counts, design: Design) -> Start:
    """Find the maximum, and the curvature there."""
    where = layout(design)
    kinds = ("level", "large", "spread", "decay")
    pull = np.array([_PULLS[kinds.index(n) if n in kinds else 4] for n in where])
    theta = np.zeros(len(pull))
    parts = _rough(counts, theta, design)

    def worth(theta: Array) -> float:
        values = natural(theta, design, NUMPY)
        found = float(log_likelihood(counts, parts, design, values, NUMPY))
        return found - 0.5 * float(pull @ theta**2)

    for _ in range(_MOST_STEPS):
        parts = _rough(counts, theta, design)
        gradient, curvature = derivatives(worth, theta)
        information = definite(-curvature)
        move = np.linalg.solve(information, gradient)
        if gradient @ move < _NEAR**2:
            break
        move *= min(1.0, 1.0 / np.abs(move).max())
        if (gained := uphill(worth, theta, move, worth(theta), 19)) is None:
            break
        theta, _ = gained
    own = np.array([name in ("between", "time") for name in where])
    information = definite(-curvature - np.diag(np.where(own, pull, 0.0)))
    gradient = gradient + np.where(own, pull * theta, 0.0)
    place = where.index("spread")
    error = float(np.sqrt(np.linalg.inv(information + np.diag(own * 1.0))[place, place]))
    spread = float(np.exp(theta[place] + 5 * min(error, 0.4)))
    return Start(theta, gradient, information, _modes(counts, theta, design), spread)


def _rough(counts: Counts, theta: Array, design: Design) -> tuple[Class, ...]:
    """Nodes that serve near a point."""
    spread = float(np.exp(theta[layout(design).index("spread")]))
    return require_able(classes(counts, 1.5 * spread, _modes(counts, theta, design)))


def require_able(parts: tuple[Class, ...]) -> tuple[Class, ...]:
    """Nodes, unless they are too many.

    Raises StudyError if an evaluation of the likelihood would take too long.
    """
    work = sum(len(part.nodes) * (len(part.cells) + 2 * part.longest) for part in parts)
    if work > MOST_WORK:
        longest = max(part.longest for part in parts)
        cells = sum(len(part.cells) for part in parts)
        raise StudyError(
            f"the sequences are too long or too varied for a fit: {cells:,} kinds of firms, up to "
            f"{longest:,} decisions of one firm; expected shorter ones: leave firms with very many "
            "decisions out of the files, or begin later",
            value=f"{longest:,}",
        )
    return parts


def _modes(counts: Counts, theta: Array, design: Design) -> Array:
    """Smallest and largest mode of the integrands, over all cells and spreads."""
    values = natural(theta, design, NUMPY)
    nodes = np.linspace(-40.0, 40.0, 161)
    found = [0.0]
    for part in classes(counts, 1.0, np.zeros(2)):
        coarse = Class(nodes, part.cells, part.longest)
        for spread in {*_SPREADS, float(values["sigma"])}:
            inside = integrands(counts, coarse, design, {**values, "sigma": spread}, NUMPY)
            found += [*nodes[inside.argmax(axis=1)]]
    return np.array([min(found), max(found)])


def derivatives(of: Callable[[Array], float], at: Array) -> tuple[Array, Array]:
    """Gradient and curvature, by central differences."""
    size = len(at)
    steps = _STEP * np.eye(size)
    middle = of(at)
    above, below = (np.array([of(at + sign * e) for e in steps]) for sign in (1, -1))
    gradient = (above - below) / (2 * _STEP)
    curvature = np.diag((above - 2 * middle + below) / _STEP**2)
    for i in range(size):
        for j in range(i):
            both = of(at + steps[i] + steps[j]) + of(at - steps[i] - steps[j])
            mixed = (both - above[i] - below[i] - above[j] - below[j] + 2 * middle) / 2
            curvature[i, j] = curvature[j, i] = mixed / _STEP**2
    return gradient, curvature


def definite(matrix: Array) -> Array:
    """A symmetric matrix with its eigenvalues made positive."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    values = np.maximum(np.abs(values), 1e-3)
    return np.asarray((vectors * values) @ vectors.T)
