"""From the rows of a register of shares to its cells: one pass that counts, here or on workers.

DuckDB groups the rows by what stands in their columns; the few distinct texts of a column are read
by the same code as the cells of a small table. A worker runs the same on its part of the files.
"""

from __future__ import annotations

import platform
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError
from intlmodels.core.scheduler import Bar, Workers, cluster, threads_here
from intlmodels.register.decisions import firm, nobody
from intlmodels.register.files import (
    File,
    RegisterFiles,
    Source,
    connected,
    identifier,
    in_order,
    literal,
    opened,
    ready,
    sources,
)
from intlmodels.register.rows import (
    MOST_NAMED,
    Bad,
    Distinct,
    added,
    distinct_rows,
    find_bad,
    keys,
    readable,
    require_found_again,
    set_aside,
    stop,
    together,
)
from intlmodels.studies import Register
from intlmodels.studies.columns import frozen
from intlmodels.studies.register import Cells, Coded, Read

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


#: Distinct rows, as written, that are looked at; more are no register of levels.
MOST_DISTINCT = 4_000_000
#: Cells that a fit may have.
MOST_CELLS = 3_000_000
#: Bytes of files that make a part: seconds of work.
PART = 256_000_000
#: Parts that wait for a worker, or their results for us, for each worker.
_AHEAD = 4
#: Distinct rows that wait to be added to as many.
_WAITING = 1_000_000
#: What decides a result apart from the code of this package.
_PACKAGES = ("duckdb",)
_AGAIN = "an interrupted count is not saved: run the same command again"


@dataclass(frozen=True)
class Here:
    """The rows of a register, counted by this computer."""

    connection: DuckDBPyConnection
    sources: list[Source]
    found: RegisterFiles

    def distinct(self, most: int) -> Distinct | None:
        """The distinct rows; None if there are more than so many."""
        return _added((distinct_rows(self.connection, own, most) for own in self.sources), most)

    def bad(self, texts: Sequence[set[str]], most: int | None) -> Generator[Bad]:
        """The rows that have one of these texts or are broken, in order; at most so many."""
        found = find_bad(self.connection, in_order(self.sources, self.found), texts)
        yield from islice(found, most)


def _added(parts: Iterable[Distinct | None], most: int) -> Distinct | None:
    """The distinct rows of all parts; None if there are more than so many."""
    found: list[Distinct] = []
    for part in parts:
        if part is None:
            return None
        found.append(part)
        if sum(len(other.rows) for other in found[1:]) > max(_WAITING, len(found[0].rows)):
            found = [together(found)]
        if len(found[0].rows) > most:
            return None
    whole = together(found)
    return None if len(whole.rows) > most else whole


def count_cells(
    register: Register, found: RegisterFiles, aside: Path | None, scheduler: str | None, bar: Bar
) -> Cells:
    """Count the rows of a register, in the order of levels and shares, or set them ``aside``."""
    with connected(register) as connection:
        firms, repeated = _firms(register, found, connection)
        files = sources(register, found, connection)
        with _counting(register, files, found, connection, scheduler, bar) as counting:
            distinct = counting.distinct(MOST_DISTINCT)
            if distinct is None:
                about = _about(connection, files, register)
                raise _too_many(about, f"more than {MOST_DISTINCT:,}")
            written = zip(register.columns, distinct.texts, strict=True)
            known = [readable(register, key, texts) for key, texts in written]
            pairs = zip(distinct.texts, known, strict=True)
            bad = [set(texts) - own.keys() for texts, own in pairs]
            wrong = distinct.having(bad)
            unusable = distinct.broken + int(distinct.rows[wrong].sum())
            if unusable and register.bad_rows == "stop":
                with closing(counting.bad(bad, MOST_NAMED)) as first:
                    raise stop(register, unusable, distinct.total, first)
            read = Read(len(found.paths), distinct.total, 0, unusable, firms, repeated)
            cells = _cells(distinct, ~wrong, known, register, read)
            if unusable:
                found_again = set_aside(register, counting.bad(bad, None), aside)
                require_found_again(found_again, unusable, aside)
    return cells


def _firms(
    register: Register, found: RegisterFiles, connection: DuckDBPyConnection
) -> tuple[int, int]:
    """How many firms have shares, and several of them; refused unless these may count alone."""
    if not register.unit:
        return 0, 0
    own = replace(register, columns={"share": register.columns["share"], "unit": register.unit})
    selects = []
    for source in (ready(connection, part) for part in sources(own, found, connection)):
        share, unit = source.texts()
        selects.append(
            f"SELECT {firm(unit)} AS firm, count(*) AS n FROM {source.rows()} "
            f"WHERE NOT {nobody(share)} GROUP BY ALL"
        )
    counted = connection.execute(
        "SELECT count(firm), count(firm) FILTER (n > 1), coalesce(sum(n) FILTER (n > 1 AND firm IS "
        "NOT NULL), 0), coalesce(sum(n) FILTER (firm IS NULL), 0) FROM (SELECT firm, sum(n) AS n "
        f"FROM ({' UNION ALL '.join(selects)}) GROUP BY firm)"
    ).fetchall()
    firms, repeated, rows, without = (int(value) for value in counted[0])
    if without:
        said = f"{without:,} rows with a share have no firm; expected the name of one in every row"
        raise StudyError(said, file=register.files, column=register.unit)
    if repeated and not register.independent:
        raise StudyError(
            f"{repeated:,} of {firms:,} firms have several rows ({rows:,} rows in all), and a "
            "register takes rows as independent; expected one row per firm: list the rows in a "
            "table [rows] with unit, which gives firms effects of their own, or write repeated = "
            '"independent" in [register]',
            file=register.files,
            column=register.unit,
        )
    return firms, repeated


@contextmanager
def _counting(
    register: Register,
    files: list[Source],
    found: RegisterFiles,
    connection: DuckDBPyConnection,
    scheduler: str | None,
    bar: Bar,
) -> Iterator[Here | Distributed]:
    if scheduler is None:
        yield Here(connection, [ready(connection, file) for file in files], found)
        return
    with cluster(scheduler, _PACKAGES, _AGAIN) as pool:
        yield Distributed(register, tuple(parts(files, found, connection)), pool, bar)


def _about(
    connection: DuckDBPyConnection, parts: Sequence[Source], register: Register
) -> dict[str, int]:
    """Number of distinct values of each column, within some percent."""
    columns = list(register.columns.values())
    totals = [0] * len(columns)
    for part in parts:
        source = ready(connection, part)
        asked = ", ".join(f"approx_count_distinct({identifier(c)})" for c in source.asked)
        (row,) = connection.execute(f"SELECT {asked} FROM {source.rows()}").fetchall()
        totals = [max(a, int(b)) for a, b in zip(totals, row, strict=True)]
    return dict(zip(columns, totals, strict=True))


def _too_many(distinct: Mapping[str, int], how_many: str) -> StudyError:
    column = max(distinct, key=lambda name: distinct[name])
    counts = ", ".join(f"{name} {count:,}" for name, count in distinct.items())
    return StudyError(
        f"{how_many} combinations of values, at most {MOST_CELLS:,} can be fitted; expected fewer "
        f"distinct values, and has (about): {counts}; round this column in the files, or put its "
        "values into classes",
        column=column,
    )


def _cells(
    distinct: Distinct,
    good: NDArray[np.bool_],
    known: list[dict[str, Any]],
    register: Register,
    read: Read,
) -> Cells:
    """The cells of those rows that can be read."""
    # None for no share, and where it cannot be read.
    values = [
        [own.get(text) for text in texts] for own, texts in zip(known, distinct.texts, strict=True)
    ]
    shares = np.array([value is not None for value in values[0]], dtype=bool)
    shared = good & shares[distinct.codes[0]]
    without = int(distinct.rows[good].sum() - distinct.rows[shared].sum())
    pairs = zip(values, distinct.codes, strict=True)
    share, *columns = (Coded.of(own, codes[shared]) for own, codes in pairs)
    # By predictors first: shares of the same levels stand together.
    key = keys([(column.codes, len(column.levels)) for column in (*columns, share)])
    first, rows = added(key, distinct.rows[shared])
    if len(rows) > MOST_CELLS:
        names = register.columns.values()
        sizes = [len(column.levels) for column in (share, *columns)]
        raise _too_many(dict(zip(names, sizes, strict=True)), f"{len(rows):,}")
    if not len(rows):
        told = f"; {read.bad:,} of {read.rows:,} rows cannot be read" if read.bad else ""
        told += ': bad_rows = "stop" names the first' if read.bad else ""
        said = f"no row has a share; expected some in the column {register.columns['share']}{told}"
        raise StudyError(said, file=register.files)
    coded = [Coded(column.levels, frozen(column.codes[first], np.int32)) for column in columns]
    return Cells(
        frozen(np.array(share.levels)[share.codes[first]]),
        dict(zip(register.explaining, coded, strict=True)),
        frozen(rows, np.int64),
        replace(read, without=without),
    )


# -- the parts ---------------------------------------------------------------------------


def parts(
    sources: Sequence[Source], found: RegisterFiles, connection: DuckDBPyConnection
) -> Iterator[Source]:
    """Files cut and put together to parts of about one size, in the order of files and rows."""
    waiting: list[Source] = []
    size = 0
    for source in in_order(sources, found):
        own = source.files[0].size
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
    metadata = f"parquet_metadata({literal(opened(connection, source.files[0]))})"
    groups = connection.execute(
        f"SELECT any_value(row_group_num_rows) FROM {metadata} GROUP BY row_group_id ORDER BY "
        "row_group_id"
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


def count_part(register: Register, part: Source, most: int) -> Distinct | None:
    """See :func:`intlmodels.register.rows.distinct_rows`."""
    _require_the_same(part.files)
    with connected(register, threads_here()) as connection:
        return distinct_rows(connection, ready(connection, part), most)


def bad_of_part(
    register: Register, part: Source, texts: Sequence[set[str]], most: int | None
) -> list[Bad]:
    """See :func:`intlmodels.register.rows.find_bad`; the first ones if not all are wanted."""
    _require_the_same(part.files)
    with connected(register, threads_here()) as connection:
        return list(islice(find_bad(connection, [ready(connection, part)], texts), most))


def _require_the_same(files: Sequence[File]) -> None:
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


# -- what this computer does of it -------------------------------------------------------


@dataclass(frozen=True)
class Distributed:
    """The rows of a register, counted by workers."""

    register: Register
    parts: tuple[Source, ...]  # In the order of files and rows
    pool: Workers
    bar: Bar  # Shows how many parts are done

    def distinct(self, most: int) -> Distinct | None:
        """See :class:`Here`."""
        return _added(self._in_turn("counting rows", count_part, most), most)

    def bad(self, texts: Sequence[set[str]], most: int | None) -> Generator[Bad]:
        """See :class:`Here`."""
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
                        waiting.append(self.pool.submit(function, self.register, part, *arguments))
                    yield waiting.popleft().result()
                    if progress is not None:
                        progress(done / len(self.parts))
        finally:
            for future in waiting:
                future.cancel()
