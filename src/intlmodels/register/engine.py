"""DuckDB, which reads a register out of core: connection, and the rows of files as SQL.

No engine of our own: files are read, grouped and counted by DuckDB, within the memory that the
study allows it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from intlmodels.errors import StudyError
from intlmodels.register.files import Found, csv_header, places
from intlmodels.study.rows import RowFiles

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Table of the records of CSV files that do not have as many cells as the header.
REJECTED = "rejected"


@contextmanager
def connected(register: RowFiles) -> Iterator[DuckDBPyConnection]:
    """DuckDB with the memory limit of a register, and a folder for what does not fit.

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
        try:
            with duckdb.connect(config=settings) as connection:
                connection.execute("SET enable_progress_bar = false")
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
    """Files with the same columns at the same places.

    Attributes
    ----------
    format : {"csv", "parquet"}
    files : tuple of str
    columns : tuple of str
        Names of all columns in DuckDB.
    asked : tuple of str
        Those that the register reads, in its order.
    """

    format: str
    files: tuple[str, ...]
    columns: tuple[str, ...]
    asked: tuple[str, ...]

    def rows(self, numbered: bool = False) -> str:
        """SQL of the rows; those of numbered Parquet come with ``file_row_number``, from 0 on."""
        listed = f"[{', '.join(map(literal, self.files))}]"
        if self.format == "parquet":
            # Types that differ between files are united; the first file's would round others.
            more = ", file_row_number = true" if numbered else ""
            return f"read_parquet({listed}, union_by_name = true{more})"
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.columns)
        # Nothing is guessed: commas, quotes and text, as everywhere in this package.
        return (
            f"read_csv({listed}, auto_detect = false, header = true, delim = ',', quote = '\"', "
            f"escape = '\"', columns = {{{columns}}}, store_rejects = true, "
            f"rejects_table = '{REJECTED}', rejects_scan = '{REJECTED}_files', rejects_limit = 0)"
        )


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
    headers = _parquet_headers if found.format == "parquet" else _csv_headers
    by_header: dict[tuple[str, ...], list[int]] = {}
    for i, header in enumerate(headers(found, connection)):
        by_header.setdefault(header, []).append(i)
    made = []
    for header, files in by_header.items():
        at = places(header, register, found.names[files[0]])
        columns = header
        if found.format == "csv":  # any name, also an empty or doubled one, is fine where not read
            columns = tuple(f"c{i}" for i in range(len(header)))
        paths = tuple(str(found.paths[i]) for i in files)
        made.append(Source(found.format, paths, columns, tuple(columns[i] for i in at)))
    if found.format == "parquet" and len({source.asked for source in made}) == 1:
        # Parquet files are read by the names of columns: the others do not matter.
        paths = tuple(str(path) for path in found.paths)
        return [Source(found.format, paths, made[0].columns, made[0].asked)]
    return made


def _csv_headers(found: Found, connection: DuckDBPyConnection) -> Iterator[tuple[str, ...]]:
    for path, name in zip(found.paths, found.names, strict=True):
        yield csv_header(path, name)


def _parquet_headers(found: Found, connection: DuckDBPyConnection) -> Iterator[tuple[str, ...]]:
    for path in found.paths:
        described = connection.execute(
            f"DESCRIBE SELECT * FROM read_parquet({literal(str(path))}, filename = false)"
        )
        yield tuple(str(row[0]) for row in described.fetchall())


def as_text(column: str) -> str:
    """SQL of a column as text; nothing stands for what is not there."""
    return f"coalesce(CAST({identifier(column)} AS VARCHAR), '')"


def counted(source: Source, most: int) -> str:
    """SQL of the distinct rows of a source and their number, at most ``most``."""
    # Grouped as they are, and made text afterwards: numbers are faster than texts.
    names = ", ".join(identifier(column) for column in source.asked)
    texts = ", ".join(as_text(column) for column in source.asked)
    return (
        f"SELECT {texts}, n FROM (SELECT {names}, count(*) AS n FROM {source.rows()} "
        f"GROUP BY ALL) LIMIT {most}"
    )
