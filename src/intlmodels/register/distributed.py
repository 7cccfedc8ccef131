"""The same counting on the workers of a scheduler: files in parts, each read by one of them.

A worker runs on its part what this computer would run on all files, and hands back distinct rows;
here they are added. A part whose worker died is given to another one.
"""

from __future__ import annotations

import platform
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intlmodels.core.errors import StudyError
from intlmodels.core.scheduler import Bar, Workers, cluster, threads_here
from intlmodels.register.badrows import Bad, find_bad
from intlmodels.register.distinct import Distinct, distinct_rows, together
from intlmodels.register.engine import Source, connected, in_order, literal, opened, ready
from intlmodels.register.files import Found
from intlmodels.study import Register

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


#: Bytes of files that make a part: seconds of work.
PART = 256_000_000
#: Parts that wait for a worker, or their results for us, for each worker.
_AHEAD = 4
#: Distinct rows that wait to be added to as many.
_WAITING = 1_000_000
#: What decides a result apart from the code of this package.
_PACKAGES = ("duckdb",)
_AGAIN = "nothing is kept of a count that was broken off: run the same command again"


# -- the parts ---------------------------------------------------------------------------


def parts(
    sources: Sequence[Source], found: Found, connection: DuckDBPyConnection
) -> Iterator[Source]:
    """Files cut and put together to parts of about one size, in the order of files and rows.

    Small files with the same columns are read together. A large Parquet file is cut between its
    groups of rows; of a CSV file nobody knows where a row begins without reading from its start.
    """
    waiting: list[Source] = []
    size = 0
    for source in in_order(sources, found):
        own = Path(source.files[0].path).stat().st_size
        if waiting and (source.of() != waiting[0].of() or size + own > PART):
            yield _joined(waiting)
            waiting, size = [], 0
        if source.format == "parquet" and own > PART:
            yield from _spans(source, own, connection)
        else:
            waiting.append(source)
            size += own
    if waiting:
        yield _joined(waiting)


def _joined(sources: Sequence[Source]) -> Source:
    return sources[0].of(*(file for source in sources for file in source.files))


def _spans(source: Source, size: int, connection: DuckDBPyConnection) -> Iterator[Source]:
    name = literal(opened(connection, source.files[0]))
    groups = connection.execute(
        "SELECT any_value(row_group_num_rows) FROM "
        f"parquet_metadata({name}) GROUP BY row_group_id ORDER BY row_group_id"
    ).fetchall()
    rows = [int(row[0]) for row in groups]
    wanted = sum(rows) * PART / size
    first = end = 0
    for many in rows:
        end += many
        if end - first >= wanted:
            yield replace(source, span=(first, end))
            first = end
    if end > first or not rows:  # of no rows at all there is one part as well
        yield replace(source, span=(first, end))


# -- what a worker does ------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """A file as this computer sees it."""

    path: str
    name: str
    size: int


def count_part(
    register: Register, part: Source, files: Sequence[Seen], most: int
) -> Distinct | None:
    """See :func:`intlmodels.register.distinct.distinct_rows`."""
    _require_the_same(files)
    with connected(register, threads_here()) as connection:
        return distinct_rows(connection, ready(connection, part), most)


def bad_of_part(
    register: Register,
    part: Source,
    files: Sequence[Seen],
    texts: Sequence[set[str]],
    most: int | None,
) -> list[Bad]:
    """See :func:`intlmodels.register.badrows.find_bad`; the first ones if not all are wanted."""
    _require_the_same(files)
    with connected(register, threads_here()) as connection:
        return list(islice(find_bad(connection, [ready(connection, part)], texts), most))


def _require_the_same(files: Sequence[Seen]) -> None:
    for file in files:
        problem = "has another file there"
        try:
            if Path(file.path).stat().st_size == file.size:
                continue
        except OSError as error:
            problem = f"cannot read this file ({error.strerror})"
        raise StudyError(
            f"a worker of the scheduler ({platform.node()}) {problem}; expected the same files "
            f"under the same path on every worker: {file.path}",
            file=file.name,
        )


# -- what is done here -------------------------------------------------------------------


@dataclass(frozen=True)
class Spread:
    """The rows of a register, counted by workers.

    Attributes
    ----------
    register : Register
    parts : tuple of Source
        In the order of files and rows.
    seen : dict of str to Seen
        Every file by its path.
    pool : Workers
    bar : callable
        Shows how many parts are done.
    """

    register: Register
    parts: tuple[Source, ...]
    seen: dict[str, Seen]
    pool: Workers
    bar: Bar

    def distinct(self, most: int) -> Distinct | None:
        """The distinct rows of all parts; None if there are more than so many."""
        found: list[Distinct] = []
        for part in self._in_turn("counting rows", count_part, most):
            if part is None:
                return None
            found.append(part)
            if sum(len(other.rows) for other in found[1:]) > max(_WAITING, len(found[0].rows)):
                found = [together(found)]
            if len(found[0].rows) > most:
                return None
        whole = together(found)
        return None if len(whole.rows) > most else whole

    def bad(self, texts: Sequence[set[str]], most: int | None) -> Generator[Bad]:
        """The rows that have one of these texts or are broken, in order; at most so many."""
        title = "looking for rows that cannot be read"
        for part in self._in_turn(title, bad_of_part, texts, most):
            yield from part

    def _in_turn(self, title: str, function: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
        """Results for all parts, in their order; some parts are ahead, not all of a large file."""
        waiting: deque[Future[Any]] = deque()
        left = iter(self.parts)
        try:
            with self.bar(f"{title}, {len(self.parts):,} parts") as progress:
                for done in range(1, len(self.parts) + 1):
                    wanted = max(1, _AHEAD * len(self.pool))
                    for part in islice(left, max(0, wanted - len(waiting))):
                        files = [self.seen[file.path] for file in part.files]
                        waiting.append(
                            self.pool.submit(function, self.register, part, files, *arguments)
                        )
                    yield waiting.popleft().result()
                    if progress is not None:
                        progress(done / len(self.parts))
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def spread(
    register: Register,
    sources: Sequence[Source],
    found: Found,
    connection: DuckDBPyConnection,
    address: str,
    bar: Bar,
) -> Iterator[Spread]:
    """The workers of a scheduler, ready to count the files of a register."""
    seen = {
        str(path): Seen(str(path), name, path.stat().st_size)
        for path, name in zip(found.paths, found.names, strict=True)
    }
    with cluster(address, _PACKAGES, _AGAIN) as pool:
        yield Spread(register, tuple(parts(sources, found, connection)), seen, pool, bar)
