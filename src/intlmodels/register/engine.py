"""DuckDB, which reads a register out of core: connection, and the rows of files as SQL.

No engine of our own: files are read, grouped and counted by DuckDB, within the memory that the
study allows it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from intlmodels.errors import StudyError
from intlmodels.register.files import Found, csv_header, places
from intlmodels.study.rows import RowFiles

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Table of the records of CSV files that do not have as many cells as the header.
REJECTED = "rejected"


@contextmanager
def connected(register: RowFiles, threads: int | None = None) -> Iterator[DuckDBPyConnection]:
    """DuckDB with the memory limit of a register, and a folder for what does not fit.

    Parameters
    ----------
    register : RowFiles
    threads : int, optional
        All cores if not given.

    Raises
    ------
    StudyError
        If DuckDB is missing, or cannot read the files or do with so little memory.
    """
    try:
        import duckdb
    except ImportError:
        raise StudyError(
            "a register needs DuckDB; install it: pip install 'intlmodels[register]'",
            value=register.files,
        ) from None
    with tempfile.TemporaryDirectory(prefix="intlmodels-") as spill:
        settings: dict[str, Any] = {
            "memory_limit": register.memory_limit.replace(" ", ""),
            "temp_directory": spill,
            "autoinstall_known_extensions": False,
        }
        if threads is not None:
            settings["threads"] = threads
        try:
            with duckdb.connect(config=settings) as connection:
                connection.execute("SET enable_progress_bar = false")
                # The text of a time with a zone is the same on every computer.
                connection.execute("SET TimeZone = 'UTC'")
                yield connection
        except duckdb.OutOfMemoryException as error:
            raise StudyError(
                "DuckDB needs more memory for these files; expected a larger memory_limit in "
                "[register], or fewer distinct values",
                value=register.memory_limit,
            ) from error
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            raise StudyError(
                f"DuckDB cannot read the files ({said}); expected whole CSV or Parquet files",
                file=register.files,
            ) from error


@dataclass(frozen=True)
class Source:
    """Files with the same columns at the same places, or a part of them.

    Attributes
    ----------
    format : {"csv", "parquet"}
    files : tuple of str
    columns : tuple of str
        Names of all columns in DuckDB.
    asked : tuple of str
        Those that the register reads, in its order.
    types : tuple of str
        Of those that are asked, the type that holds what stands in all files, where these have
        different ones: a file is then read the same whether alone or with the others.
    span : tuple of int, optional
        First row of a Parquet file, from 0 on, and the one after the last; all if not given.
    """

    format: str
    files: tuple[str, ...]
    columns: tuple[str, ...]
    asked: tuple[str, ...]
    types: tuple[str, ...] = ()
    span: tuple[int, int] | None = None

    def rows(self, numbered: bool = False) -> str:
        """SQL of the rows; those of numbered Parquet come with ``file_row_number``, from 0 on."""
        listed = f"[{', '.join(map(literal, self.files))}]"
        if self.format == "parquet":
            # Types that differ between files are united; the first file's would round others.
            more = ", file_row_number = true" if numbered else ""
            read = f"read_parquet({listed}, union_by_name = true{more})"
            if self.span is None:
                return read
            # Groups of rows outside of the span are not read.
            first, end = self.span
            within = f"file_row_number >= {first} AND file_row_number < {end}"
            return f"(SELECT * FROM {read} WHERE {within})"
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.columns)
        # Nothing is guessed: commas, quotes and text, as everywhere in this package.
        return (
            f"read_csv({listed}, auto_detect = false, header = true, delim = ',', quote = '\"', "
            f"escape = '\"', columns = {{{columns}}}, store_rejects = true, "
            f"rejects_table = '{REJECTED}', rejects_scan = '{REJECTED}_files', rejects_limit = 0)"
        )

    def values(self) -> list[str]:
        """SQL of the columns that are asked."""
        names = map(identifier, self.asked)
        if not self.types:
            return list(names)
        return [f"CAST({n} AS {type_})" for n, type_ in zip(names, self.types, strict=True)]

    def texts(self) -> list[str]:
        """SQL of these columns as text."""
        return [as_text(value) for value in self.values()]

    def of(self, *files: str) -> Source:
        """Some of the files."""
        return replace(self, files=files)


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def sources(register: RowFiles, found: Found, connection: DuckDBPyConnection) -> list[Source]:
    """The files of a register as DuckDB reads them, those with the same header together.

    Raises
    ------
    StudyError
        If a file has not all columns.
    """
    if found.format == "parquet":
        return _parquet_sources(register, found, connection)
    by_header: dict[tuple[str, ...], list[int]] = {}
    for i, (path, name) in enumerate(zip(found.paths, found.names, strict=True)):
        by_header.setdefault(csv_header(path, name), []).append(i)
    made = []
    for header, files in by_header.items():
        at = places(header, register, found.names[files[0]])
        # Any name, also an empty or doubled one, is fine where not read.
        columns = tuple(f"c{i}" for i in range(len(header)))
        paths = tuple(str(found.paths[i]) for i in files)
        made.append(Source("csv", paths, columns, tuple(columns[i] for i in at)))
    return made


def in_order(sources: Iterable[Source], found: Found) -> Iterator[Source]:
    """The files of sources one by one, in the order of their names."""
    by_file = {path: source for source in sources for path in source.files}
    for path in map(str, found.paths):
        yield by_file[path].of(path)


def _parquet_sources(
    register: RowFiles, found: Found, connection: DuckDBPyConnection
) -> list[Source]:
    """Parquet files are read by the names of columns: the others do not matter."""
    by_asked: dict[tuple[str, ...], list[str]] = {}
    types: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    headers: dict[tuple[str, ...], tuple[str, ...]] = {}
    for path, name in zip(found.paths, found.names, strict=True):
        described = _described(connection, f"read_parquet({literal(str(path))}, filename = false)")
        header = tuple(described)
        asked = tuple(header[i] for i in places(header, register, name))
        by_asked.setdefault(asked, []).append(str(path))
        types.setdefault(asked, set()).add(tuple(described[column] for column in asked))
        headers.setdefault(asked, header)
    made = []
    for asked, files in by_asked.items():
        source = Source("parquet", tuple(files), headers[asked], asked)
        if len(types[asked]) > 1:
            united = _described(connection, source.rows())
            source = replace(source, types=tuple(united[column] for column in asked))
        made.append(source)
    return made


def _described(connection: DuckDBPyConnection, rows: str) -> dict[str, str]:
    """Name and type of each column."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {rows}")
    return {str(name): str(kind) for name, kind, *_ in described.fetchall()}


def as_text(value: str) -> str:
    """SQL of a value as text; nothing stands for what is not there."""
    return f"coalesce(CAST({value} AS VARCHAR), '')"
