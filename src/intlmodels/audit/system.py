"""Published counts as integer programs, and answers of the solver that are kept beside the fits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.audit.integers import AT_LEAST, AT_MOST, Ints, Program
from intlmodels.core.errors import StudyError
from intlmodels.core.files import short_hash, write_text
from intlmodels.core.jsonvalues import build, parse_json
from intlmodels.core.versions import COUNTS_VERSION
from intlmodels.studies.counts import Rows, rows

#: Longest list of counts, and largest printed value, that an audit takes.
MOST_COUNTS = 60
MOST_VALUE = 1_000_000
#: Largest system: conditions times variables, cells that no count tells apart being one variable.
MOST_ENTRIES = 1_000_000
#: Linear programs that one search may ask for: about a minute.
MOST_SOLVED = 10_000


class System:
    """The cells of a decision table, those that no count tells apart merged into one variable.

    ``matrix`` has the shape (row, variable); ``variable``, (cell,), tells where a cell belongs.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.matrix, variable = np.unique(rows.member, axis=1, return_inverse=True)
        self.variable: Ints = variable.ravel()
        check_size(rows, self.matrix)

    @cached_property
    def capped(self) -> NDArray[np.bool_]:
        """Whether some count limits a variable from above, (variable,)."""
        return np.asarray((self.matrix[self.rows.relation != AT_LEAST] > 0).any(axis=0))

    def ceiling(self, slack: int) -> Ints:
        """The most that a variable needs to be where values may be too small by ``slack``."""
        most = np.iinfo(np.int64).max
        limit = np.where(self.rows.relation == AT_LEAST, most, self.rows.printed + slack)
        upper = np.where(self.matrix > 0, limit[:, None], most).min(axis=0, initial=most)
        return np.where(self.capped, upper, self.reach)

    @cached_property
    def reach(self) -> Ints:
        """The largest value printed of the counts that a variable is part of, (variable,)."""
        return np.asarray((self.matrix * self.rows.printed[:, None]).max(axis=0, initial=0))

    def table(self, x: Ints) -> Ints:
        """A decision table with these sums, shared out evenly: array [firm, period, flag]."""
        size = np.bincount(self.variable, minlength=len(x))
        # The place of a cell among those of its variable.
        order = np.argsort(self.variable, kind="stable")
        first = np.cumsum(size) - size
        place = np.empty_like(self.variable)
        place[order] = np.arange(len(order)) - first[self.variable[order]]
        share, more = np.divmod(x, size)
        cells = share[self.variable] + (place < more[self.variable])
        return cells.reshape(self.rows.shape)


class Slack:
    """Rows that may be missed, by variables for too little, then too much, after the system's."""

    def __init__(self, system: System) -> None:
        self.system = system
        r = system.rows
        self.short = np.flatnonzero(r.relation != AT_MOST)
        self.over = np.flatnonzero(r.relation != AT_LEAST)
        one = np.eye(len(r.relation), dtype=np.int64)
        matrix = np.hstack([system.matrix, one[:, self.short], -one[:, self.over]])
        self.program = Program(matrix, r.relation, r.printed)
        most = system.matrix @ system.reach
        self.low = np.zeros(matrix.shape[1], np.int64)
        # A cell above every printed value of its counts can be lowered to the largest: counts
        # that limit it do not hold either way, and the others still hold.
        self.high = np.concatenate([system.reach, r.printed[self.short], most[self.over]])

    def cost(self, asked: NDArray[np.bool_] | Ints) -> Ints:
        """The cost of missing rows by one each; ``asked`` gives it by row."""
        cells = np.zeros(self.system.matrix.shape[1], np.int64)
        return np.concatenate([cells, asked[self.short], asked[self.over]]).astype(np.int64)

    def without(self, asked: NDArray[np.bool_]) -> Ints:
        """The upper end of the box when these rows are not to be missed."""
        return np.where(self.cost(asked) > 0, 0, self.high)


class Change:
    """Counts whose printed values may change, each at a cost of one for one.

    The variables are those of the system, then the rises of the counts ``up``, then the falls of
    ``down``; ``most`` limits the total change.
    """

    def __init__(self, system: System, keep_hard: bool = False, most: int | None = None) -> None:
        self.system = system
        counts = system.rows.counts
        free = [i for i, count in enumerate(counts) if not (count.hard and keep_hard)]
        self.up = np.asarray([i for i in free if counts[i].relation != "at least"], np.int64)
        self.down = np.asarray([i for i in free if counts[i].relation != "at most"], np.int64)
        self.most = self._enough(keep_hard) if most is None else most
        of = (system.rows.count[:, None] == np.arange(len(counts))).astype(np.int64)
        matrix = np.hstack([system.matrix, -of[:, self.up], of[:, self.down]])
        self.program = Program(matrix, system.rows.relation, system.rows.printed)
        self.cells = system.matrix.shape[1]
        values = np.asarray([count.value for count in counts], np.int64)
        self.low = np.zeros(matrix.shape[1], np.int64)
        self.high = np.concatenate(
            [
                system.ceiling(self.most),
                np.full(len(self.up), self.most, np.int64),
                np.minimum(values[self.down], self.most),
            ]
        )
        self.cost = (np.arange(matrix.shape[1]) >= self.cells).astype(np.int64)

    def _enough(self, keep_hard: bool) -> int:
        """A total change that is enough for some repair, if there is one."""
        counts = self.system.rows.counts
        total = sum(count.value for count in counts)
        if not keep_hard:
            return total  # every value may become 0, and the empty table will do
        # In a table of the hard counts, no cell larger than they need, others can be as they say.
        largest = int((self.system.matrix @ self.system.reach).max(initial=0))
        enough = sum(max(count.value, largest) for count in counts if not count.hard)
        # A count that is to be equal for each of several firms can ask for more. Then there is
        # no such simple limit, and this one is generous.
        shared = any(count.each and count.relation == "equal" for count in counts)
        return (total + enough) * len(counts) if shared else enough

    def shift(self, x: Ints) -> Ints:
        """The change of every count, (count,)."""
        shift = np.zeros(len(self.system.rows.counts), np.int64)
        shift[self.up] += x[self.cells : self.cells + len(self.up)]
        shift[self.down] -= x[self.cells + len(self.up) :]
        return shift


def check_size(r: Rows, matrix: Ints) -> None:
    """Refuse what an audit cannot take."""
    if len(r.counts) > MOST_COUNTS:
        said = f"expected at most {MOST_COUNTS} counts for an audit, found {len(r.counts)}; leave "
        raise StudyError(f"{said}out counts that others imply", file=r.counts[0].file or None)
    for count in r.counts:
        if not 0 <= count.value <= MOST_VALUE:
            raise StudyError(
                f"expected a count from 0 to {MOST_VALUE:,} (count {count.id})",
                file=count.file or None,
                row=count.row or None,
                value=count.value,
            )
    if matrix.size > MOST_ENTRIES:
        raise StudyError(
            f"expected at most {MOST_ENTRIES:,} conditions times cells for an audit, found "
            f"{matrix.shape[0]:,} times {matrix.shape[1]:,}; merge firms that no count "
            f"distinguishes"
        )


def subset(r: Rows, ids: Iterable[str]) -> Rows:
    """The rows of some of the counts."""
    wanted = set(ids)
    return rows((count for count in r.counts if count.id in wanted), r.firms, r.periods, r.kinds)


def revised(r: Rows, changes: Mapping[str, int]) -> Rows:
    """The rows with other values in the place of some that were printed."""
    changed = (replace(c, value=int(changes.get(c.id, c.value))) for c in r.counts)
    return rows(changed, r.firms, r.periods, r.kinds)


def hard(r: Rows) -> Rows:
    """The rows of the hard counts."""
    return subset(r, (count.id for count in r.counts if count.hard))


# -- answers that were found before ------------------------------------------------------

# Kept only where a caller provides for it; to ask the solver takes longer than all else.
_known: dict[str, Any] | None = None


def answer[T](
    question: str,
    r: Rows,
    find: Callable[[], T],
    write: Callable[[T], Any],
    read: Callable[[Any], T],
) -> T:
    """What was answered before, or else what is found now, kept if it is written as not None."""
    if _known is None:
        return find()
    told = question, r.shape, [(count.id, count.value, count.hard) for count in r.counts]
    digest = hashlib.sha256(repr(told).encode())
    for values in (r.member, r.relation, r.printed, r.hard, r.count):
        digest.update(repr((values.shape, values.dtype.str)).encode() + values.tobytes())
    key = digest.hexdigest()
    if key in _known:
        return read(_known[key])
    found = find()
    written = write(found)
    if written is not None:
        _known[key] = written
    return found


FILE = "solved.json"


@contextmanager
def use_cache(folder: Path) -> Iterator[None]:
    """Answer from what is kept in a folder while the block runs; then keep what is new."""
    global _known
    path = folder / FILE
    answers = _read(path)
    known, before = len(answers), _known
    _known = answers
    try:
        yield
    finally:
        _known = before
    if len(answers) > known:
        checksum = short_hash(answers)
        text = json.dumps({"version": COUNTS_VERSION, "answers": answers, "checksum": checksum})
        write_text(text + "\n", path)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = build(dict[str, Any], parse_json(path.read_bytes()))
        answers: dict[str, Any] = build(dict[str, Any], found["answers"])
        current = found["version"] == COUNTS_VERSION
        return answers if current and short_hash(answers) == found["checksum"] else {}
    except (OSError, ValueError, KeyError, RecursionError):
        return {}
