"""DuckDB, which reads a register out of core: connection, and the rows of files as SQL.

No engine of our own: files are read, grouped and counted by DuckDB, within the memory that the
study allows it.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intlmodels.core.errors import StudyError
from intlmodels.register.columns import WHOLE, as_text, require_types
from intlmodels.register.files import Found, csv_header, named, places
from intlmodels.study import RowFiles

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from intlmodels.register.csv import Records


#: What DuckDB may take for a pattern in the name of a file, which it has no way to escape.
_PATTERN = re.compile(r"[*?\[\]{}]")


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
    with tempfile.TemporaryDirectory(prefix="intlmodels-") as folder:
        settings: dict[str, Any] = {
            "memory_limit": register.memory_limit.replace(" ", ""),
            "temp_directory": str(Path(folder, "spill")),
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


@dataclass(frozen=True, eq=False)
class File:
    """A file of a register.

    Attributes
    ----------
    path : str
    name : str
        As messages name it.
    opened : str
        Under which name DuckDB opens it, or a copy of its good records; empty until it is ready.
    records : Records or None
        Of a CSV file that is ready.
    """

    path: str
    name: str
    opened: str = ""
    records: Records | None = None


@dataclass(frozen=True)
class Source:
    """Files with the same columns at the same places, or a part of them.

    Attributes
    ----------
    format : {"csv", "parquet"}
    files : tuple of File
    columns : tuple of str
        Names of all columns in DuckDB.
    asked : tuple of str
        Those that the register reads, in its order.
    types : tuple of str
        Their types.
    span : tuple of int, optional
        First row of a Parquet file, from 0 on, and the one after the last; all if not given.
    """

    format: str
    files: tuple[File, ...]
    columns: tuple[str, ...]
    asked: tuple[str, ...]
    types: tuple[str, ...]
    span: tuple[int, int] | None = None

    def rows(self, numbered: bool = False) -> str:
        """SQL of the rows; those of numbered Parquet come with ``file_row_number``, from 0 on."""
        listed = f"[{', '.join(literal(file.opened) for file in self.files)}]"
        if self.format == "parquet":
            read = parquet(listed, numbered)
            if self.span is None:
                return read
            # Groups of rows outside of the span are not read.
            first, end = self.span
            within = f"file_row_number >= {first} AND file_row_number < {end}"
            return f"(SELECT * FROM {read} WHERE {within})"
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.columns)
        # Threads would guess where the records of their part of the file begin.
        alone = any(file.records and file.records.several_lines for file in self.files)
        # Nothing is guessed: commas, quotes and text, as everywhere in this package.
        return (
            f"read_csv({listed}, auto_detect = false, header = true, delim = ',', quote = '\"', "
            f"escape = '\"', columns = {{{columns}}}, hive_partitioning = false, "
            f"compression = 'none', max_line_size = 4000000, parallel = {not alone})"
        )

    def texts(self) -> list[str]:
        """SQL of the columns that are asked, as text."""
        names = map(identifier, self.asked)
        return [as_text(name, kind) for name, kind in zip(names, self.types, strict=True)]

    def of(self, *files: File) -> Source:
        """Some of the files."""
        return replace(self, files=files)

    @property
    def broken(self) -> int:
        """Records of CSV files that are no rows."""
        return sum(len(file.records.bad) for file in self.files if file.records)

    def require_all(self, rows: int) -> None:
        """Refuse a number of rows in which DuckDB does not agree about CSV files.

        Raises
        ------
        StudyError
            Naming the files.
        """
        good = sum(file.records.good for file in self.files if file.records)
        if self.format == "csv" and rows != good:
            raise StudyError(
                f"DuckDB reads {rows:,} rows, and the files have {good:,}; expected plain CSV: "
                "save it as Parquet, or without line breaks inside cells",
                file=named(file.name for file in self.files),
            )


def parquet(listed: str, numbered: bool = False) -> str:
    """SQL of the rows of Parquet files; a folder such as ``year=2001`` does not make a column."""
    more = ", file_row_number = true" if numbered else ""
    return f"read_parquet({listed}, hive_partitioning = false, filename = false{more})"


def ready(connection: DuckDBPyConnection, source: Source) -> Source:
    """A source whose files DuckDB can open, those of CSV without what it might misread.

    Raises
    ------
    StudyError
        If a file cannot be read, or leaves open where its records begin.
    """
    if source.format == "parquet":
        return source.of(*(replace(f, opened=opened(connection, f)) for f in source.files))
    # Compiled code, which nothing else needs here.
    from intlmodels.register.csv import copy_good, read_records

    width, files = len(source.columns), []
    for file in source.files:
        if file.records is None:
            try:
                records = read_records(file, width)
            except OSError as error:
                raise StudyError(
                    f"file cannot be read ({error.strerror or error}); expected a readable file",
                    file=file.name,
                ) from error
            name = opened(connection, file) if records.plain else _own_name(connection, file)
            if not records.plain:
                copy_good(file, width, records, Path(name))
            file = replace(file, opened=name, records=records)
        files.append(file)
    return source.of(*files)


def opened(connection: DuckDBPyConnection, file: File) -> str:
    """The path of a file, or of a link to it where DuckDB would take the path for a pattern."""
    if not _PATTERN.search(file.path):
        return file.path
    link = Path(_own_name(connection, file))
    try:
        if not link.is_symlink():
            link.symlink_to(file.path)
    except OSError as error:
        raise StudyError(
            f"DuckDB takes the path for a pattern, and no link to it can be made "
            f"({error.strerror or error}); expected a path without any of * ? [ ] {{ }}",
            file=file.name,
        ) from error
    return str(link)


def _own_name(connection: DuckDBPyConnection, file: File) -> str:
    """A plain name in the folder for temporary files."""
    row = connection.execute("SELECT current_setting('temp_directory')").fetchone()
    assert row is not None
    name = hashlib.sha256(file.path.encode("utf-8", errors="surrogateescape")).hexdigest()
    return str(Path(row[0]).with_name(f"{name[:32]}{Path(file.path).suffix}"))


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
    by_header: dict[tuple[str, ...], list[File]] = {}
    for file in _files(found):
        by_header.setdefault(csv_header(Path(file.path), file.name), []).append(file)
    made = []
    for header, files in by_header.items():
        at = places(header, register, files[0].name)
        # Any name, also an empty or doubled one, is fine where not read.
        columns = tuple(f"c{i}" for i in range(len(header)))
        asked = tuple(columns[i] for i in at)
        made.append(Source("csv", tuple(files), columns, asked, ("VARCHAR",) * len(asked)))
    return made


def _files(found: Found) -> Iterator[File]:
    for path, name in zip(found.paths, found.names, strict=True):
        yield File(str(path), name)


def in_order(sources: Iterable[Source], found: Found) -> Iterator[Source]:
    """The files of sources one by one, in the order of their names."""
    by_file = {file.path: (source, file) for source in sources for file in source.files}
    for path in map(str, found.paths):
        source, file = by_file[path]
        yield source.of(file)


def _parquet_sources(
    register: RowFiles, found: Found, connection: DuckDBPyConnection
) -> list[Source]:
    """Parquet files by the names and types of their columns: none is cast to another's type."""
    by_schema: dict[tuple[tuple[str, str], ...], list[File]] = {}
    for file in _files(found):
        rows = parquet(literal(opened(connection, file)))
        described = connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()
        schema = tuple((str(column), str(kind)) for column, kind, *_ in described)
        by_schema.setdefault(schema, []).append(file)
    made = []
    for schema, files in by_schema.items():
        header = tuple(column for column, _ in schema)
        at = places(header, register, files[0].name)
        asked, types = (tuple(schema[i][part] for i in at) for part in (0, 1))
        made.append(Source("parquet", tuple(files), header, asked, types))
    require_types(register, [(s.files[0].name, s.types) for s in made])
    for source in made:
        _require_labels(register, ready(connection, source), connection)
    return made


def _require_labels(register: RowFiles, source: Source, connection: DuckDBPyConnection) -> None:
    """Refuse labels that a floating point number does not hold for sure."""
    for key, name, kind in zip(register.columns, source.asked, source.types, strict=True):
        if kind not in WHOLE or key not in register.labels:
            continue
        value = identifier(name)
        # Infinity and NaN apart: bounds come from the statistics of a file, which leave NaN out.
        row = connection.execute(
            f"SELECT any_value({value}) FILTER (WHERE NOT isfinite({value})), max(abs({value})) "
            f"FROM {source.rows()}"
        ).fetchone()
        endless, largest = row or (None, None)
        if endless is not None or (largest is not None and largest >= WHOLE[kind]):
            raise StudyError(
                f"the column has the type {kind}, which does not hold this for sure; expected "
                f"labels as text or integers, or as {kind} below {WHOLE[kind]:,}: write the "
                "column again as text",
                file=named(file.name for file in source.files),
                column=register.columns[key],
                value=largest if endless is None else endless,
            )
