"""All tables that agree with hard counts, and their prior probability: by brute force."""

import math

import numpy as np

from intlmodels.core.errors import StudyError

#: Tables that are enumerated at most.
MOST_TABLES = 2_000_000


def log_prior(design, tables):
    """Log prior probability of the firms and periods of tables (flags aside), (...,).

    The Polya urn gives the firms' totals n_f the probability of a Dirichlet-multinomial; a
    firm's decisions fall to periods independently.
    """
    a = design.concentration
    lgamma = np.vectorize(math.lgamma, otypes=[float])
    made = np.asarray(tables).sum(axis=-1)
    n = made.sum(axis=-1)
    total = design.total
    firms = len(design.firms)
    urn = math.lgamma(total + 1) + math.lgamma(firms * a) - math.lgamma(total + firms * a)
    weights = np.log(np.asarray(design.period_weights) / sum(design.period_weights))
    # The factorials of the firms' totals cancel between urn and periods.
    return (
        urn
        + (lgamma(n + a) - math.lgamma(a)).sum(axis=-1)
        + (made * weights - lgamma(made + 1.0)).sum(axis=(-1, -2))
    )


def enumerate_tables(system, total):
    """All tables with so many decisions that satisfy the hard counts.

    Returns
    -------
    array of int, shape (table, firm, period, flag)

    Raises
    ------
    StudyError
        If there are more than ``MOST_TABLES``.
    """
    found = []
    for cells in _fill(system, total):
        found.append(cells)
        if len(found) > MOST_TABLES:
            raise StudyError(
                f"more than {MOST_TABLES} tables agree with the hard counts; enumeration is for "
                "small studies"
            )
    return np.array(found, np.int64).reshape(-1, *system.shape)


def _fill(system, total):
    """Fill cells one by one, giving up as soon as a hard count can no longer hold."""
    cells = int(np.prod(system.shape))
    member, hard = system.member[system.hard], system.hard
    relation, printed = system.relation[hard], system.printed[hard]
    # Whether any cell from this one on is part of a count.
    open_from = np.cumsum(member[:, ::-1], axis=1)[:, ::-1] > 0
    table = np.zeros(cells, np.int64)

    def possible(at, sums):
        more = open_from[:, at] if at < cells else np.zeros(len(sums), bool)
        too_many = (sums > printed) & (relation != 1)
        too_few = (sums < printed) & (relation != 2) & ~more
        return not (too_many.any() or too_few.any())

    def go(at, left, sums):
        if at == cells:
            if left == 0:
                yield table.copy()
            return
        for value in range(left + 1):
            now = sums + value * member[:, at]
            if possible(at + 1, now):
                table[at] = value
                yield from go(at + 1, left - value, now)
        table[at] = 0

    yield from go(0, total, np.zeros(len(printed), np.int64))
