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
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intlmodels.audit.integers import AT_LEAST, AT_MOST
from intlmodels.core.errors import StudyError
from intlmodels.models.base import flat
from intlmodels.results.intervals import CI_PROB, interval, intervals, table_of
from intlmodels.studies.attributes import MORE, NONE
from intlmodels.studies.counts import FLAGS, rows

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataTree

    from intlmodels.audit.attributes import AttributeAudit, AttributeCell
    from intlmodels.audit.consequences import Bound
    from intlmodels.studies import DecayStudy
    from intlmodels.studies.attributes import Attribute

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
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
    draws, before, effective = attribute_draws(study, found, fit)
    columns = {
        "attribute": found.attribute.name,
        **{
            name: [getattr(cell, name) for cell in found.cells]
            for name in ("level", "kind", "name", "period", "flag")
        },
    }
    bounds = found.bounds or ((None, None),) * len(found.cells)
    for i, name in enumerate(("low", "high")):
        columns[name] = [math.nan if (end := both[i]) is None else float(end) for both in bounds]
    table = table_of(fit, columns, draws.astype(float), prob)
    prior = intervals(before.astype(float), prob)
    table["prior_low"], table["prior_high"] = prior["ci_low"], prior["ci_high"]
    table["verdict"] = [
        verdict_of(*given, prob) for given in zip(bounds, draws.T, before.T, strict=True)
    ]
    table["effective_draws"] = effective
    return table


def attribute_draws(
    study: DecayStudy, found: AttributeAudit, fit: DataTree
) -> tuple[Ints, Ints, float]:
    """Numbers of an attribute's cells from posterior and prior; the draws that the first are worth.

    Both have the shape (draw, cell), chain after chain.
    """
    attribute, posterior = found.attribute, fit["posterior"].to_dataset()
    if "table" not in posterior or posterior["table"].shape[2:] != found.cells[0].inside.shape:
        said = "the fit has no tables of decisions over the firms and periods of the study"
        raise StudyError(f"{said}; expected a fit of its counts, in the default reading")
    tables = flat(posterior["table"]).astype(np.int64)
    rng = np.random.default_rng([int(fit.attrs["seed"]), zlib.crc32(attribute.name.encode())])
    tables, effective = weighted(study, attribute, tables, rng)
    by_chain = tables.reshape(posterior.sizes["chain"], -1, *tables.shape[1:])
    tables = by_chain[:, :: -(-len(tables) // MOST_DRAWS)].reshape(-1, *tables.shape[1:])
    totals = replace(attribute, counts=attribute.totals(study))
    number = tables[..., np.isin(FLAGS, attribute.flags)].sum(axis=(1, 2, 3))
    of_prior = prior_tables(study, attribute, number, rng)
    draws, before = (
        _of_cells(found.cells, own, sample(study, own, made, rng))
        for own, made in ((attribute, tables), (totals, of_prior))
    )
    return draws, before, effective


def verdict_of(bound: Bound, draws: Ints, before: Ints, prob: float = CI_PROB) -> str:
    """What can be said of a number, of its bounds and draws: see :func:`attribute_table`."""
    low, high = bound
    if low is not None and low == high:
        return KNOWN
    (first, last), (least, most) = (interval(one.astype(float), prob) for one in (draws, before))
    excluded = (low is not None and low > least) or (high is not None and high < most)
    return BOUNDED if excluded and last - first < most - least else NOT_IDENTIFIED


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


class Sample(NamedTuple):
    """Levels of the decisions of some tables."""

    #: Decisions with each level; shape (draw, level, firm, period, flag).
    made: Ints
    #: Decisions without a level, and with more than one; shape (draw,).
    none: Ints
    more: Ints


def _of_cells(cells: Sequence[AttributeCell], attribute: Attribute, drawn: Sample) -> Ints:
    """The numbers that cells stand for, (draw, cell)."""
    totals = {NONE: drawn.none, MORE: drawn.more}
    return np.stack(
        [
            totals[cell.level]
            if cell.level in totals
            else drawn.made[:, attribute.levels.index(cell.level), cell.inside].sum(axis=1)
            for cell in cells
        ],
        axis=1,
    )


def weighted(
    study: DecayStudy, attribute: Attribute, tables: Ints, rng: np.random.Generator
) -> tuple[Ints, float]:
    """Tables resampled by the probability of the attribute's counts, and their effective number.

    The same tables, (draw, firm, period, flag), where all weigh the same. Raises StudyError if none
    allows the counts.
    """
    singles = [_Shares(study, one) for one in _one_by_one(attribute)]
    log = np.sum([one.log_probabilities(tables) for one in singles], axis=0)
    if not np.isfinite(log).any():
        raise StudyError(
            f"no table of decisions that the fit drew allows the counts of [attributes."
            f"{attribute.name}]; expected counts that can all be true with the others: audit them"
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
    """Levels of the decisions of tables (draw, firm, period, flag) that all allow the counts."""
    singles = _one_by_one(attribute)
    drawn = [_Shares(study, one).draw(tables, rng) for one in singles]
    own = len(attribute.levels) // len(singles)
    made = np.concatenate([one[:, :own] for one in drawn], axis=1)
    # Decisions of each cell with no level so far, with one, and with more.
    none = np.where(np.isin(FLAGS, attribute.flags), tables, 0).reshape(len(tables), -1)
    one, more = np.zeros_like(none), np.zeros_like(none)
    for m in made.swapaxes(0, 1) if attribute.several else ():
        fresh = rng.hypergeometric(none, one + more, m)
        second = rng.hypergeometric(one, more, m - fresh)
        none, one, more = none - fresh, one + fresh - second, more + second
    shape = (*made.shape[:2], *tables.shape[1:])
    return Sample(made.reshape(shape), none.sum(axis=1), more.sum(axis=1))


def _one_by_one(attribute: Attribute) -> list[Attribute]:
    """An attribute of which a decision has one level; of several levels, one attribute for each."""
    if not attribute.several:
        return [attribute]
    return [
        replace(
            attribute,
            levels=(level, f"not {level}"),
            several=False,
            counts=tuple(count for count in attribute.counts if level in count.levels),
        )
        for level in attribute.levels
    ]


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


class _Shares:
    """All ways to share decisions out among levels, one for each decision, given counts.

    Decisions that no count tells apart are a part. Numbers are gone through level by level and part
    by part; a state has what is left of each part, the decisions with the level so far, and the
    partial sums of the counts.
    """

    def __init__(self, study: DecayStudy, attribute: Attribute) -> None:
        r = rows(attribute.counts, study.firms, study.periods)
        inside = np.broadcast_to(np.isin(FLAGS, attribute.flags), r.shape).ravel()
        member, owner = np.unique(r.member[:, inside], axis=1, return_inverse=True)
        #: Part of each cell; -1 where decisions are of no level.
        self.part = np.full(inside.size, -1)
        self.part[inside] = owner.ravel()
        self.levels, self.parts = len(attribute.levels), member.shape[1]
        self.relation, self.printed = r.relation.tolist(), r.printed.tolist()
        #: Log of the factor of a count that is off by one.
        self.log_off = np.where(r.hard, -math.inf, math.log(study.rho)).tolist()
        has = np.array([np.isin(attribute.levels, attribute.counts[i].levels) for i in r.count])
        steps = self.levels * self.parts
        touched = np.einsum("rl,rp->lpr", has.reshape(-1, self.levels), member > 0)
        touched = touched.reshape(steps, -1)
        self.touched = [np.flatnonzero(step).tolist() for step in touched]
        last = steps - 1 - np.argmax(touched[::-1], axis=0) if len(r.count) else []
        self.ends = [np.flatnonzero(last == step).tolist() for step in range(steps)]
        self.known: dict[tuple[int, State], float] = {}
        self.gone_through = 0
        if steps > MOST_PAIRS:
            raise self._too_many()

    def _sizes(self, tables: Ints) -> Ints:
        """Decisions in each part, (draw, part)."""
        cells = tables.reshape(len(tables), -1)
        return np.stack([cells[:, self.part == i].sum(axis=1) for i in range(self.parts)], axis=1)

    def log_probabilities(self, tables: Ints) -> Floats:
        """Log probability of the counts given each table."""
        sizes, which = np.unique(self._sizes(tables), axis=0, return_inverse=True)
        values = []
        for n in sizes.tolist():
            value = self._value(0, (tuple(n), 0, (0,) * len(self.printed)))
            value += sum(math.lgamma(own + 1) for own in n) - math.lgamma(sum(n) + 1)
            values.append(value - math.log(math.comb(sum(n) + self.levels - 1, self.levels - 1)))
        return np.array(values)[which.ravel()]

    def draw(self, tables: Ints, rng: np.random.Generator) -> Ints:
        """Decisions with each level in the cells of each table, (draw, level, cell)."""
        numbers = self._draw_parts(self._sizes(tables), rng)
        cells = tables.reshape(len(tables), -1)
        made = np.zeros((len(cells), self.levels, cells.shape[1]), np.int64)
        for part in range(self.parts):
            where = np.flatnonzero(self.part == part)
            made[:, :, where] = _at_random(numbers[:, part], cells[:, where], rng)
        return made

    def _draw_parts(self, sizes: Ints, rng: np.random.Generator) -> Ints:
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
            self.known[key] = float(np.logaddexp.reduce(found))
        return self.known[key]

    @staticmethod
    def _too_many() -> StudyError:
        return StudyError(
            "counts of an attribute that overlap so much, or leave so much open, that not all "
            "possibilities can be enumerated; expected fewer that overlap"
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
        return off * self.log_off[row] if off else 0.0
