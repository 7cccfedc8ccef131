"""What a fit and the counts of an attribute say of the decisions with each of its levels.

The model is plain: before the counts of the attribute speak, every way of sharing the decisions out
among the levels is equally likely (a Polya urn, as for firms), and which decisions have a level is
random. Where a decision may have several levels, this holds of each level by itself. Given the
counts, and a table of decisions drawn by the fit, the numbers of each level in the parts that the
counts tell apart are drawn exactly, by summing over all that is possible, and within such a part
they follow a multivariate hypergeometric law. Counts of an attribute that speak of the table of
decisions as well give its draws different weights.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intlmodels.audit.attributes import MORE, NONE, AttributeAudit
from intlmodels.audit.integers import AT_LEAST, AT_MOST
from intlmodels.core.errors import StudyError
from intlmodels.models.base import flat
from intlmodels.results.intervals import CI_PROB, interval, table_of
from intlmodels.studies.counts import FLAGS, Rows, rows

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataTree

    from intlmodels.audit.attributes import AttributeCell
    from intlmodels.studies import DecayStudy
    from intlmodels.studies.attributes import Attribute

Ints = NDArray[np.int64]
State = tuple[tuple[int, ...], int, tuple[int, ...]]

#: Draws of a fit for which levels are drawn.
MOST_DRAWS = 4000
#: Numbers that are gone through for the counts of an attribute, some seconds; and for how many
#: pairs of a level and a part.
MOST_NUMBERS, MOST_PAIRS = 1_000_000, 300
#: Log of a factor that is nothing beside one.
_NOTHING = -50.0

#: Verdicts on a number that was not published.
KNOWN, BOUNDED, NOT_IDENTIFIED = "follows from the counts", "bounded", "not identified"


def attribute_table(
    study: DecayStudy, found: AttributeAudit, fit: DataTree, prob: float = CI_PROB
) -> pd.DataFrame:
    """Decisions with each level of an attribute: bounds, posterior, prior, and a verdict.

    Parameters
    ----------
    study : DecayStudy
    found : AttributeAudit
        Of one of its attributes.
    fit : DataTree
        With draws of the table of decisions.
    prob : float
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        ``attribute``, ``level``, ``kind`` (all, group), ``name``, ``period``, ``flag``; ``low`` and
        ``high``, what the counts alone allow, repaired at the least total change; the columns of
        :func:`.intervals.table_of`; ``prior_low`` and ``prior_high``, an interval as if only the
        totals of decisions and levels were known; ``verdict``: it follows from the counts; it is
        bounded by them; or it is not identified, as the bounds leave out nothing of the prior
        interval, or the posterior interval is as wide; ``effective_draws`` of the fit, where the
        counts of the attribute speak of its tables as well.

    Raises
    ------
    StudyError
        If no drawn table allows the counts, or these overlap so much that not all that is possible
        can be gone through.
    """
    attribute = found.attribute
    tables = flat(fit["posterior"].to_dataset()["table"]).astype(np.int64)
    rng = np.random.default_rng([int(fit.attrs["seed"]), zlib.crc32(attribute.name.encode())])
    tables, effective = weighted(study, attribute, tables, rng)
    tables = tables[:: -(-len(tables) // MOST_DRAWS)]
    draws = _of_cells(found.cells, sample(study, attribute, tables, rng))
    totals = replace(attribute, counts=attribute.totals(study))
    before = prior_tables(study, attribute, _inside(attribute, tables), rng)
    prior = _of_cells(found.cells, sample(study, totals, before, rng))
    low, high = (
        np.array([math.nan if (end := b[i]) is None else end for b in found.bounds], float)
        if found.bounds
        else np.full(len(found.cells), math.nan)
        for i in (0, 1)
    )
    columns = {
        "attribute": attribute.name,
        **{
            name: [getattr(cell, name) for cell in found.cells]
            for name in ("level", "kind", "name", "period", "flag")
        },
        "low": low,
        "high": high,
    }
    table = table_of(fit, columns, draws.astype(float), prob)
    ends = np.array([interval(column, prob) for column in prior.T.astype(float)])
    table["prior_low"], table["prior_high"] = ends.T
    table["verdict"] = [_verdict(row) for row in table.itertuples(index=False)]
    table["effective_draws"] = effective
    return table


def _verdict(row: object) -> str:
    """What can be said of a number: see :func:`attribute_table`."""
    low, high, first, last, before, after = (
        float(getattr(row, name))
        for name in ("low", "high", "ci_low", "ci_high", "prior_low", "prior_high")
    )
    if low == high:
        return KNOWN
    # Comparisons with a bound that is not known are false.
    excluded = low > before or high < after
    return BOUNDED if excluded and last - first < after - before else NOT_IDENTIFIED


def _inside(attribute: Attribute, tables: Ints) -> Ints:
    """How many decisions each table has of which it is an attribute."""
    return np.asarray(tables[..., np.isin(FLAGS, attribute.flags)].sum(axis=(1, 2, 3)))


def prior_tables(
    study: DecayStudy, attribute: Attribute, totals: Ints, rng: np.random.Generator
) -> Ints:
    """Tables of which only the numbers of decisions are known, (draw, firm, period, flag)."""
    n = len(totals)
    firms = rng.dirichlet(np.full(len(study.firms), study.concentration), size=n)
    yes = rng.random(n) if len(attribute.flags) > 1 else np.full(n, attribute.flags == ("yes",))
    flags = np.stack([1 - yes, yes], axis=1)
    chances = np.einsum("df,p,dg->dfpg", firms, study.period_weights, flags)
    chances = chances.reshape(n, -1) / chances.sum(axis=(1, 2, 3))[:, None]
    return rng.multinomial(totals, chances).reshape(n, *firms.shape[1:], -1, 2)


# -- draws of an attribute ---------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Sample:
    """Levels of the decisions of some tables."""

    levels: tuple[str, ...]
    #: Decisions with each level; shape (draw, level, firm, period, flag).
    made: Ints
    #: Decisions without a level, and with more than one; shape (draw,).
    none: Ints
    more: Ints


def _of_cells(cells: Sequence[AttributeCell], drawn: Sample) -> Ints:
    """The numbers that cells stand for, (draw, cell)."""
    known = {NONE: drawn.none, MORE: drawn.more}
    return np.stack(
        [
            known[cell.level]
            if cell.level in known
            else drawn.made[:, drawn.levels.index(cell.level), cell.inside].sum(axis=1)
            for cell in cells
        ],
        axis=1,
    )


def weighted(
    study: DecayStudy, attribute: Attribute, tables: Ints, rng: np.random.Generator
) -> tuple[Ints, float]:
    """Tables drawn anew with the probability of the attribute's counts as weights.

    Returns
    -------
    array
        Tables, (draw, firm, period, flag); the same ones where all weigh the same.
    float
        How many draws they are worth.

    Raises
    ------
    StudyError
        If no table allows the counts.
    """
    parts = _Parts(study, attribute)
    sizes, which = np.unique(parts.sizes(tables), axis=0, return_inverse=True)
    values = [sum(one.log_probability(tuple(n.tolist())) for one in parts.shared) for n in sizes]
    log = np.array(values)[which.ravel()]
    if not np.isfinite(log).any():
        raise StudyError(
            f"no table of decisions that the fit drew allows the counts of [attributes."
            f"{attribute.name}]; expected counts that can hold together with the others: audit them"
        )
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    if np.ptp(weight) < 1e-9 * weight.max():
        return tables, float(len(tables))
    ends = (np.arange(len(tables)) + rng.random()) / len(tables)
    chosen = np.minimum(np.searchsorted(np.cumsum(weight), ends), len(tables) - 1)
    return tables[chosen], float(1 / (weight**2).sum())


def sample(
    study: DecayStudy, attribute: Attribute, tables: Ints, rng: np.random.Generator
) -> Sample:
    """Levels of the decisions of tables, one draw for each, given the attribute's counts.

    Parameters
    ----------
    study : DecayStudy
    attribute : Attribute
        Its counts may be others than those of the study.
    tables : array
        Decisions, (draw, firm, period, flag); each allows the counts.
    rng : Generator

    Returns
    -------
    Sample
    """
    parts = _Parts(study, attribute)
    sizes = parts.sizes(tables)
    cells = tables.reshape(len(tables), -1)
    made = np.zeros((len(tables), len(attribute.levels), cells.shape[1]), np.int64)
    # Decisions of each part with no level yet, with one, and with more.
    none, one, more = sizes.copy(), np.zeros_like(sizes), np.zeros_like(sizes)
    for first, shared in enumerate(parts.shared):
        levels = shared.draw(sizes, rng)
        for part in range(sizes.shape[1]):
            where = np.flatnonzero(parts.part == part)
            within = _at_random(levels[:, part], cells[:, where], rng)
            if attribute.several:
                made[:, first, where] = within[:, 0]
                m = levels[:, part, 0]
                fresh = rng.hypergeometric(none[:, part], (one + more)[:, part], m)
                second = rng.hypergeometric(one[:, part], more[:, part], m - fresh)
                none[:, part] -= fresh
                one[:, part] += fresh - second
                more[:, part] += second
            else:
                made[:, :, where] = within
    shape = (len(tables), len(attribute.levels), *tables.shape[1:])
    return Sample(attribute.levels, made.reshape(shape), none.sum(axis=1), more.sum(axis=1))


def _at_random(levels: Ints, cells: Ints, rng: np.random.Generator) -> Ints:
    """Levels (draw, level) shared out at random among decisions in cells: (draw, level, cell)."""
    free = cells.copy()
    made = np.zeros((len(cells), levels.shape[1], cells.shape[1]), np.int64)
    for level in range(levels.shape[1] - 1):
        left = levels[:, level].copy()
        for cell in range(cells.shape[1]):
            later = free[:, cell + 1 :].sum(axis=1)
            drawn = rng.hypergeometric(free[:, cell], later, left)
            made[:, level, cell] = drawn
            left -= drawn
        free -= made[:, level]
    made[:, -1] = free
    return made


class _Parts:
    """The parts of a table that the counts of an attribute tell apart, and who shares them out."""

    def __init__(self, study: DecayStudy, attribute: Attribute) -> None:
        r = rows(attribute.counts, study.firms, study.periods)
        shape = (len(study.firms), len(study.periods), len(FLAGS))
        inside = np.broadcast_to(np.isin(FLAGS, attribute.flags), shape).ravel()
        member = r.member.reshape(-1, inside.size)[:, inside]
        kinds, owner = np.unique(member, axis=1, return_inverse=True)
        #: Of each cell; -1 where decisions are of no level.
        self.part = np.full(inside.size, -1)
        self.part[inside] = owner.ravel()
        self.n = kinds.shape[1]
        has = np.array(
            [[level in attribute.counts[i].levels for level in attribute.levels] for i in r.count],
            bool,
        ).reshape(len(r.count), len(attribute.levels))
        self.shared = (
            [
                _Shared(kinds[own], _with_rest(has[own, i]), r, own, study.rho)
                for i in range(len(attribute.levels))
                for own in [np.flatnonzero(has[:, i])]
            ]
            if attribute.several
            else [_Shared(kinds, has, r, np.arange(len(has)), study.rho)]
        )

    def sizes(self, tables: Ints) -> Ints:
        """Decisions in each part, (draw, part)."""
        cells = tables.reshape(len(tables), -1)
        return np.stack([cells[:, self.part == i].sum(axis=1) for i in range(self.n)], axis=1)


def _with_rest(has: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A level, and to have it not, as two levels of which each decision has one."""
    return np.stack([has, np.zeros_like(has)], axis=1)


class _Shared:
    """All ways in which the decisions of parts can be shared out among levels, given counts.

    Numbers are gone through level by level and part by part. A state has what is left of each part,
    the decisions with the level so far, and the partial sums of the counts.
    """

    def __init__(
        self, member: Ints, has: NDArray[np.bool_], r: Rows, own: Ints, rho: float
    ) -> None:
        self.levels, self.parts = has.shape[1], member.shape[1]
        self.log_rho = math.log(rho)
        self.relation = [int(v) for v in r.relation[own]]
        self.printed = [int(v) for v in r.printed[own]]
        self.hard = [bool(v) for v in r.hard[own]]
        steps = self.levels * self.parts
        touched = np.einsum("rl,rp->lpr", has, member > 0).reshape(steps, -1)
        self.touched = [np.flatnonzero(step).tolist() for step in touched]
        last = steps - 1 - np.argmax(touched[::-1], axis=0) if len(own) else []
        self.ends = [np.flatnonzero(last == step).tolist() for step in range(steps)]
        self.known: dict[tuple[int, State], float] = {}
        self.gone_through = 0
        if steps > MOST_PAIRS:
            raise self._too_many()

    def log_probability(self, sizes: tuple[int, ...]) -> float:
        """Log probability of the counts, given how many decisions each part has."""
        total = sum(sizes)
        value = self._value(0, (sizes, 0, (0,) * len(self.printed)))
        value += sum(math.lgamma(n + 1) for n in sizes) - math.lgamma(total + 1)
        return value - math.log(math.comb(total + self.levels - 1, self.levels - 1))

    def draw(self, sizes: Ints, rng: np.random.Generator) -> Ints:
        """Decisions with each level in each part, (draw, part, level)."""
        made = np.zeros((len(sizes), self.parts, self.levels), np.int64)
        start = (0,) * len(self.printed)
        groups: dict[State, list[int]] = {}
        for i, n in enumerate(sizes.tolist()):
            groups.setdefault((tuple(n), 0, start), []).append(i)
        for step in range(self.levels * self.parts):
            level, part = divmod(step, self.parts)
            following: dict[State, list[int]] = {}
            for state, members in groups.items():
                options = [
                    (x, new, weight + self._value(step + 1, new))
                    for x, new, weight in self._options(step, state)
                ]
                log = np.array([weight for _, _, weight in options])
                chance = np.exp(log - log.max())
                chosen = rng.choice(len(options), size=len(members), p=chance / chance.sum())
                for option in np.unique(chosen):
                    x, new, _ = options[option]
                    some = [members[i] for i in np.flatnonzero(chosen == option)]
                    made[some, part, level] = x
                    following.setdefault(new, []).extend(some)
            groups = following
        return made

    def _value(self, step: int, state: State) -> float:
        """Log of the sum of the weights of all ways to go on."""
        if step == self.levels * self.parts:
            return 0.0
        key = step, state
        if key not in self.known:
            if self.gone_through > MOST_NUMBERS:
                raise self._too_many()
            found = [w + self._value(step + 1, new) for _, new, w in self._options(step, state)]
            top = max(found, default=-math.inf)
            self.known[key] = (
                top + math.log(sum(math.exp(v - top) for v in found))
                if math.isfinite(top)
                else -math.inf
            )
        return self.known[key]

    @staticmethod
    def _too_many() -> StudyError:
        return StudyError(
            "counts of an attribute that overlap so much, or leave so much open, that not all that "
            "is possible can be gone through; expected fewer that overlap"
        )

    def _options(self, step: int, state: State) -> list[tuple[int, State, float]]:
        """What the next number can be: it, the state after it, and the log of its weight."""
        level, part = divmod(step, self.parts)
        left, so_far, sums = state
        most = left[part]
        found = []
        for x in range(most if level == self.levels - 1 else 0, most + 1):
            new = list(sums)
            for row in self.touched[step]:
                new[row] += x
            if any(self._log_factor(row, new[row], False) < _NOTHING for row in self.touched[step]):
                break
            weight = -math.lgamma(x + 1)
            for row in self.ends[step]:
                weight += self._log_factor(row, new[row], True)
                new[row] = 0
            if weight == -math.inf:
                continue
            rest = (*left[:part], most - x, *left[part + 1 :])
            made = so_far + x
            if part == self.parts - 1:
                weight += math.lgamma(made + 1)
                made = 0
            found.append((x, (rest, made, tuple(new)), weight))
        self.gone_through += most + 1
        return found

    def _log_factor(self, row: int, value: int, final: bool) -> float:
        """Log of what a count contributes at a sum; before it is final, of what is too much."""
        over = max(value - self.printed[row], 0) if self.relation[row] != AT_LEAST else 0
        short = max(self.printed[row] - value, 0) if self.relation[row] != AT_MOST else 0
        off = over + short * final
        if not off:
            return 0.0
        return -math.inf if self.hard[row] else off * self.log_rho
