"""Tables and parameters of the decay model, drawn together from their joint posterior.

Only counts of the decisions are known; the decisions themselves are latent. Filling in one
table and fitting it as data would pretend to know them, and bias the decay towards zero, so
tables and parameters are drawn in turn, each given the other (data augmentation, Tanner and
Wong 1987, Journal of the American Statistical Association 82, 528-540). The compiled steps
are in :mod:`intlmodels.models.decay.steps`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from intlmodels.core.errors import StudyError
from intlmodels.core.processes import compiling
from intlmodels.models.decay import kernels, orders, steps
from intlmodels.models.decay.design import Design, basis
from intlmodels.models.priors import Prior
from intlmodels.studies.counts import rows

if TYPE_CHECKING:
    from intlmodels.core.settings import Settings


Array = NDArray[np.float64]

#: Steps of the table in a sweep, for each decision.
STEPS = 6
#: Kept draws between two looks at whether to stop.
CHUNK = 100
#: Part of the tuning in which step widths still change.
ADAPTING = 0.9


@dataclass(frozen=True)
class Layout:
    """Where each parameter stands in the vector that the kernels move."""

    #: Positions of :data:`PARAMETERS`, spreads as logarithms; -1 for what the variant has not. The
    #: last one is the number of sizes.
    at: NDArray[np.int64]
    length: int

    def position(self, name: str) -> int:
        """Position of a parameter, or of the first of several."""
        return int(self.at[PARAMETERS.index("large" if name == "size_offset" else name)])


PARAMETERS = (
    *("intercept", "large", "decay", "decay_mean", "sigma_decay"),
    *("firm", "sigma_firm", "period", "sigma_period", "owner", "recall"),
)


def layout(design: Design) -> Layout:
    """Number the parameters of a design."""
    sizes = {
        "intercept": 1,
        "large": len(design.indicators),
        "decay": 0 if design.common else len(design.sizes),
        "decay_mean": 1,
        "sigma_decay": int(not design.common),
        "firm": len(design.firms),
        "sigma_firm": 1,
        "period": len(design.periods) * design.by_period,
        "sigma_period": int(design.by_period),
        "owner": int(bool(design.owned_since)),
        "recall": int(bool(design.interviews)),
    }
    at, place = [], 0
    for name in PARAMETERS:
        at.append(place if sizes[name] else -1)
        place += sizes[name]
    return Layout(np.array([*at, len(design.sizes)]), place)


def kinds(design: Design) -> NDArray[np.int64]:
    """Number the kinds of firms: those of a kind differ in their effects alone.

    Where decisions may have been missed every firm is a kind.
    """
    firms = len(design.firms)
    alone = np.arange(firms) * bool(design.interviews)
    own = np.array([design.size_of_firm, design.owned_since or [0] * firms, alone])
    return np.unique(own, axis=1, return_inverse=True)[1]


def moves(design: Design, where: Layout) -> steps.Moves:
    """Lines of every coordinate but firms' effects, and of decay and levels; common scales."""
    firms = len(design.firms)
    of_size = [np.array(design.size_of_firm) == i for i in range(len(design.sizes))]
    everyone, nobody = np.ones(firms, bool), np.zeros(firms, bool)
    found: list[tuple[dict[int, float], tuple[int, int, int, int], Any]] = []

    def line(entries: dict[int, float], touched: Any) -> None:
        found.append((entries, (0, 0, 0, 0), touched))

    def scale(first: int, stop: int, centre: int, spread: int) -> None:
        found.append(({}, (first, stop, centre, spread), everyone))

    at = {name: where.position(name) for name in PARAMETERS}
    offsets = list(enumerate(of_size[:-1], at["large"]))
    line({at["intercept"]: 1}, everyone)
    line({at["intercept"]: 1, **{offset: -1 for offset, _ in offsets}}, of_size[-1])
    line({at["sigma_firm"]: 1}, everyone)
    for offset, own in offsets:
        line({offset: 1}, own)
    if design.common:
        line({at["decay_mean"]: 1}, everyone)
    else:
        decay = range(at["decay"], at["decay"] + len(design.sizes))
        for i, own in zip(decay, of_size, strict=True):
            line({i: 1}, own)
            # Against the level of its size, so that chances in the middle stay.
            level = {i - decay.start + at["large"]: 1.0}
            if i == decay.stop - 1:
                level = {at["intercept"]: 1.0} | {offset: -1.0 for offset, _ in offsets}
            middle = float(basis(design.family, np.array([design.total // firms + 1]))[0])
            line({i: 1, **{j: middle * sign for j, sign in level.items()}}, own)
        line({at["decay_mean"]: 1}, nobody)
        line({at["decay_mean"]: 1, **dict.fromkeys(decay, 1)}, everyone)
        line({at["sigma_decay"]: 1}, nobody)
        scale(decay.start, decay.stop, at["decay_mean"], at["sigma_decay"])
    if design.by_period:
        period = range(at["period"], at["period"] + len(design.periods))
        for i in period:
            line({i: 1}, everyone)
        line({at["intercept"]: 1, **dict.fromkeys(period, -1)}, nobody)
        line({at["sigma_period"]: 1}, nobody)
        scale(period.start, period.stop, -1, at["sigma_period"])
    if design.owned_since:
        line({at["owner"]: 1}, design.owned.any(axis=1))
    if design.interviews:
        line({at["recall"]: 1}, everyone)
    vectors = np.zeros((len(found), where.length))
    for row, (entries, _, _) in enumerate(found):
        vectors[row, list(entries)] = list(entries.values())
    of_kind = np.arange(kinds(design).max() + 1) == kinds(design)[:, None]
    return steps.Moves(
        vectors,
        np.array([item[1] for item in found]),
        np.array([item[2] for item in found]) @ of_kind,
    )


def named_priors(priors: Mapping[str, Prior], where: Layout) -> Array:
    """Priors with a name, as the kernels read them: position, code, arguments, logarithm."""
    sizes = int(where.at[-1])
    places = [
        (where.position(name) + i, name)
        for name in priors
        for i in range(sizes - 1 if name == "size_offset" else 1)
    ]
    table = np.zeros((len(places), 6))
    for row, (place, name) in enumerate(places):
        prior = priors[name]
        table[row, 0] = place
        table[row, 1] = kernels.DISTRIBUTION_CODES[prior.distribution]
        table[row, 2 : 2 + len(prior.args)] = prior.args
        table[row, 5] = name.startswith("sigma_")
    return table


@dataclass(frozen=True)
class Draws:
    """What the sampler returns, chain by chain."""

    #: (chain, draw, parameter); spreads as logarithms.
    theta: Array
    #: (chain, draw, firm, period, flag)
    tables: NDArray[np.int16]
    #: Of table and parameters, effects of firms summed out, up to a constant, (chain, draw).
    log_posterior: Array
    #: Part of the table steps that changed the table, (chain,).
    changed: Array
    seconds: float  #: that it took


@dataclass
class _Chain:
    """The state of one chain, and what moves it."""

    rng: np.random.Generator
    theta: Array
    table: NDArray[np.int64]
    widths: Array
    moves: steps.Moves
    fixed: kernels.Fixed
    space: steps.Space

    def run(self, keep: int, sweeps: int, adapt: bool) -> tuple[Array, Any, Array, float]:
        """Move on; keep so many draws, one after every ``sweeps`` sweeps."""
        kept = (
            np.empty((keep, len(self.theta))),
            np.empty((keep, *self.table.shape), np.int16),
            np.empty(keep),
        )
        state = (self.theta, self.table, self.widths, self.moves, self.fixed, self.space)
        number = STEPS * int(self.table.sum())
        changed = steps.sweeps(self.rng, keep * sweeps, sweeps, number, adapt, *state, kept)
        return (*kept, changed)


def fixed(
    design: Design, priors: Mapping[str, Prior], where: Layout, least: float = 0.0
) -> kernels.Fixed:
    """What does not change while sampling, in numbers; ``least``: see ``orders.automaton``."""
    system = rows(design.counts, design.firms, design.periods)
    numbers = np.arange(design.total + 2)
    about = np.zeros((len(design.firms), 3), np.int64)
    about[:, 0] = design.size_of_firm
    about[:, 1] = design.owned_since or len(design.periods)
    about[:, 2] = design.interviews or 0
    weights = np.array(design.period_weights)
    denied = np.array([system.counts[i].denied for i in system.count], bool)
    kind = kinds(design)
    ordered, move, accept = orders.of_firms(design, least)
    return kernels.Fixed(
        at=where.at,
        named=named_priors(priors, where),
        about=about,
        kinds=kind,
        of_kind=_filled([np.flatnonzero(kind == i) for i in range(kind.max() + 1)]),
        family=kernels.FAMILY_CODES[design.family],
        rows_of=_filled([np.flatnonzero(cell) for cell in system.member.T]),
        relation=system.relation,
        printed=system.printed,
        log_rho=np.where(system.hard & ~denied, -np.inf, np.log(design.rho)),
        log_urn=gammaln(numbers + design.concentration),
        log_factorial=gammaln(numbers + 1.0),
        log_weights=np.log(weights / weights.sum()),
        denied=denied,
        ordered=ordered,
        move=move,
        accept=accept,
    )


def _filled(lists: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Lists of whole numbers as rows, each ending in one -1 or more."""
    found = np.full((len(lists), max(map(len, lists)) + 1), -1)
    for row, own in zip(found, lists, strict=True):
        row[: len(own)] = own
    return found


def _chain(
    design: Design, priors: Mapping[str, Prior], rng: np.random.Generator, near: bool
) -> _Chain:
    """A chain at its starting point."""
    where = layout(design)
    theta, table = _start(design, where, rng, near)
    lines, known = moves(design, where), fixed(design, priors, where)
    if design.interviews:
        places = rng.standard_exponential((len(design.firms), design.total + 1))
    else:
        places = basis(design.family, np.arange(design.total + 1))[None]
    periods = len(design.periods) if design.by_period or design.owned_since else 1
    memory = steps.space(where.length, known, places, periods)
    chain = _Chain(rng, theta, table, np.ones(len(lines.vectors)), lines, known, memory)
    if design.orders:
        _find_orders(chain, fixed(design, priors, where, _LEAST))
    return chain


#: Least weight of a step of an order while a table is looked for in which all hard ones hold, and
#: sweeps of that search, at most.
_LEAST, _SEARCH = 1e-3, 500


def _find_orders(chain: _Chain, soft: kernels.Fixed) -> None:
    """Move a chain to a table that its orders allow."""
    memory = chain.space

    def allowed() -> bool:
        about = chain.fixed.at, chain.fixed.about, memory.places, chain.fixed.family
        orders = chain.fixed.ordered, chain.fixed.move, chain.fixed.accept
        by_period, n = memory.p.shape[1] > 1, memory.p.shape[2]
        for f in np.flatnonzero(chain.fixed.ordered >= 0):
            kernels.chances(memory.p, f, f, n, chain.theta, *about)
            given = memory.p, f, by_period, *orders, memory.paths, memory.work
            if kernels.log_flags(chain.table, f, *given) == -np.inf:
                return False
        return True

    for _ in range(_SEARCH):
        if allowed():
            return
        replace(chain, fixed=soft).run(1, 1, adapt=False)
    raise StudyError(
        "no table was found that satisfies the counts and orders declared hard; expected them to "
        "agree: fix one, or make one noisy"
    )


def _start(
    design: Design, where: Layout, rng: np.random.Generator, near: bool
) -> tuple[Array, NDArray[np.int64]]:
    """A starting point of one chain: parameters apart, and a table unlike those of others.

    ``near`` the printed counts, or as far from those that are not hard as chance will have it.
    """
    from intlmodels.audit.consequences import feasible_table

    system = rows(design.counts, design.firms, design.periods)
    # Simulated counts can be below zero (see inferencedata.printed_counts): no table is near those.
    near = near and bool((system.printed >= 0).all())
    table = feasible_table(system, rng, hard_only=not near)
    if table is None:
        raise StudyError("the counts declared hard contradict each other: no table satisfies them")
    theta = rng.uniform(-0.5, 0.5, where.length)
    for name in ("sigma_firm", "sigma_decay", "sigma_period"):
        if where.position(name) >= 0:
            theta[where.position(name)] = rng.uniform(-1.5, 0.5)
    if design.interviews:
        theta[where.position("recall")] = rng.uniform(0.2, 0.8)
    return theta, table.astype(np.int64)


def sample(
    design: Design,
    priors: Mapping[str, Prior],
    settings: Settings,
    progress: Callable[[float], None] | None = None,
) -> Draws:
    """Draw tables and parameters from their joint posterior.

    ``tune`` counts sweeps, ``draws`` kept draws, each after ``sweeps`` sweeps. The same seed gives
    the same draws, whatever the number of cores.
    """
    children = np.random.SeedSequence([settings.seed, 3]).spawn(settings.chains)
    chains = [
        _chain(design, priors, np.random.Generator(np.random.PCG64(child)), near=i % 2 == 0)
        for i, child in enumerate(children)
    ]
    # Compile (or load) the kernels in one thread, without moving a chain.
    untouched = chains[0].rng.bit_generator.state
    with compiling("sampler"):
        chains[0].run(0, 1, adapt=False)
    chains[0].rng.bit_generator.state = untouched
    begun = perf_counter()
    finished = [0] * len(chains)
    stop = threading.Event()

    def work(number: int) -> list[tuple[Array, Any, Array, float]]:
        chain = chains[number]
        parts = []
        left = settings.tune
        while left > 0 and not stop.is_set():
            now = min(CHUNK, left)
            chain.run(now, 1, adapt=left > (1 - ADAPTING) * settings.tune)
            left -= now
            finished[number] += now
        left = settings.draws
        while left > 0 and not stop.is_set():
            now = min(CHUNK, left)
            parts.append(chain.run(now, settings.sweeps, adapt=False))
            left -= now
            finished[number] += now * settings.sweeps
        return parts

    results = _in_threads(work, len(chains), settings, stop, finished, progress)
    seconds = perf_counter() - begun
    joined = [[np.concatenate([part[i] for part in parts]) for i in range(3)] for parts in results]
    theta, tables, height = (np.stack([chain[i] for chain in joined]) for i in range(3))
    changed = np.array([np.mean([part[3] for part in parts]) for parts in results])
    return Draws(theta, tables, height, changed, seconds)


def _in_threads(
    work: Callable[[int], Any],
    count: int,
    settings: Settings,
    stop: threading.Event,
    finished: list[int],
    progress: Callable[[float], None] | None,
) -> list[Any]:
    """Run one task a chain; an interrupt stops all of them and is passed on."""
    import os

    total = count * (settings.tune + settings.draws * settings.sweeps)
    with ThreadPoolExecutor(settings.cores or os.cpu_count() or 1) as pool:
        futures = [pool.submit(work, number) for number in range(count)]
        try:
            pending = set(futures)
            while pending:
                _, pending = wait(pending, timeout=0.1, return_when=FIRST_EXCEPTION)
                if progress is not None:
                    progress(sum(finished) / total)
                for future in futures:
                    if future.done():
                        future.result()
        except BaseException:
            stop.set()
            raise
    return [future.result() for future in futures]
