"""The files of a register: which they are, and how DuckDB reads their rows, out of core."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intlmodels.core.csvtable import clean_label, require_names
from intlmodels.core.errors import StudyError, did_you_mean, listed, shown
from intlmodels.studies import RowFiles
from intlmodels.studies.schema import wrong

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from intlmodels.register.csv import Records


#: Endings of files, and the format that each stands for.
FORMATS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv"}


def _refused(problem: str, register: RowFiles, value: object = None) -> StudyError:
    return wrong(problem, "[register] files", value or register.files)


@dataclass(frozen=True)
class RegisterFiles:
    """The files of a register."""

    format: str  # {"csv", "parquet"}
    paths: tuple[Path, ...]  # In the order of their names
    #: The same as messages name them: relative to the study's folder if they lie in it
    names: tuple[str, ...]

    def marks(self) -> list[list[str | int]]:
        """Name, size and time of change of each file: other marks mean other files."""
        found = [(name, path.stat()) for name, path in zip(self.names, self.paths, strict=True)]
        return [[name, status.st_size, status.st_mtime_ns] for name, status in found]


def find(register: RowFiles) -> RegisterFiles:
    """Find the files of a register."""
    try:
        matching = sorted(_matching(register), key=str)
        _require_no_links_out(register, matching)
        paths = _each_once(matching, register)
    except StudyError:
        raise
    except (OSError, RuntimeError, ValueError, NotImplementedError) as error:
        said = f"not a usable path ({getattr(error, 'strerror', None) or error})"
        raise _refused(said, register, getattr(error, "filename", None)) from error
    if not paths:
        said = "no such file; expected CSV or Parquet: a file, a glob such as data/*.parquet, or a "
        raise _refused(f"{said}folder, from the folder {register.folder} on", register)
    formats = {FORMATS.get(path.suffix.lower(), path.suffix or path.name) for path in paths}
    if len(formats) > 1 or not formats <= set(FORMATS.values()):
        endings = listed(sorted({path.suffix for path in paths}))
        said = f"expected files that all end in .csv, or all in .parquet, and not in {endings}"
        raise _refused(said, register)
    whole = tuple(path.absolute() for path in paths)  # the same wherever a worker was started
    return RegisterFiles(formats.pop(), whole, tuple(_name(path, register) for path in paths))


def _require_no_links_out(register: RowFiles, paths: Iterable[Path]) -> None:
    """Refuse links out of the study's folder, and links to folders, which a glob passes over."""
    # A path that is absolute or goes up is read as the user wrote it.
    written = Path(register.files).expanduser()
    outside = written.is_absolute() or ".." in written.parts
    home = os.path.realpath(register.folder)
    for path in paths:
        real = Path(os.path.realpath(path))
        if not (outside or real.is_relative_to(home)):
            raise _refused(
                f"{shown(_name(path, register))} is a link that leads out of the study's folder; "
                f"expected files inside, or the path of others in full: write files = "
                f'"{real}", or a glob there',
                register,
            )
        if path.is_symlink() and path.is_dir() and path != register.folder / written:
            said = f"{shown(_name(path, register))} is a link to a folder, whose files would be "
            said += "passed over; expected folders: name the folder itself in files"
            raise _refused(said, register)


def _matching(register: RowFiles) -> Iterable[Path]:
    whole = register.folder / Path(register.files).expanduser()
    if whole.is_dir():
        return [path for path in _below(whole, set()) if path.suffix.lower() in FORMATS]
    if os.path.lexists(whole):
        return [whole]
    parts = whole.parts
    first = next((i for i, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
    if first == len(parts):
        return []
    fixed = Path(*parts[:first])
    if first < len(parts) - 1 and fixed.is_dir():
        # A glob passes over folders that cannot be read without a word.
        for _ in _below(fixed, set()):
            pass
    linked = [path for path in fixed.rglob("*") if path.is_symlink()] if "**" in parts else []
    return {*fixed.glob(str(Path(*parts[first:]))), *filter(Path.is_dir, linked)}


def _below(folder: Path, above: set[tuple[int, int]]) -> Iterator[Path]:
    """All that is in a folder and its folders, also linked ones, but no folder twice."""
    status = folder.stat()
    own = (status.st_dev, status.st_ino)
    if own in above:
        return
    above.add(own)
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")):
            continue
        if path.is_dir():
            yield from _below(path, above)
        else:
            yield path


def _each_once(paths: Iterable[Path], register: RowFiles) -> list[Path]:
    """Files without the further names of one, as links give it."""
    seen: dict[tuple[int, int], Path] = {}
    for path in paths:
        name = _name(path, register)
        try:
            status = path.stat()
        except OSError as error:
            problem = "a link to nothing" if path.is_symlink() else error.strerror
            said = f"file cannot be read ({problem}); expected a readable file"
            raise StudyError(said, file=name) from error
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or device"
            raise StudyError(f"expected an ordinary file, but this is {what}", file=name)
        if not os.access(path, os.R_OK):
            raise StudyError("file cannot be read; expected permission to read it", file=name)
        seen.setdefault((status.st_dev, status.st_ino), path)
    return list(seen.values())


def _name(path: Path, register: RowFiles) -> str:
    inside = path.is_relative_to(register.folder)
    return str(path.relative_to(register.folder)) if inside else str(path)


# -- columns -----------------------------------------------------------------------------


def first_records(path: Path, name: str, most: int) -> list[list[str]]:
    """The first records of a CSV file, with its header."""
    found: list[list[str]] = []
    try:
        # What is not UTF-8 further down is told with its own row.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            found.extend(islice(csv.reader(file, strict=True), most))
    except (OSError, csv.Error) as error:
        raise StudyError(
            f"the row cannot be read ({getattr(error, 'strerror', None) or error}); expected cells "
            "separated by commas, and double quotes around a whole cell",
            file=name,
            row=len(found) + 1,
        ) from error
    for row, record in enumerate(found, start=1):
        if any("\udc80" <= c <= "\udcff" or c == "\0" for cell in record for c in cell):
            said = "expected text in UTF-8; save the file as 'CSV UTF-8'"
            raise StudyError(said, file=name, row=row)
    return found


def places(header: tuple[str, ...], register: RowFiles, name: str) -> tuple[int, ...]:
    """Position of each column of a register in the header of a file."""
    clean = [clean_label(text) for text in header]
    found = []
    for key, column in register.columns.items():
        if clean.count(column) != 1:
            problem = "it is there twice" if column in clean else "the file has none of that name"
            problem += did_you_mean(column, clean)
            said = f"expected this column, named by {register.named_by(key)} in study.toml, but "
            said += f"{problem}; its columns are {listed(clean)}"
            raise StudyError(said, file=name, column=column)
        found.append(clean.index(column))
    return tuple(found)


# -- DuckDB ------------------------------------------------------------------------------

#: What DuckDB may take for a pattern in the name of a file, which it has no way to escape.
_PATTERN = re.compile(r"[*?\[\]{}]")


@contextmanager
def connected(register: RowFiles, threads: int | None = None) -> Iterator[DuckDBPyConnection]:
    """DuckDB with the memory limit of a register, and a folder for what does not fit."""
    try:
        import duckdb
    except ImportError:
        said = "a register needs DuckDB; install it: pip install 'intlmodels[register]'"
        raise StudyError(said, value=register.files) from None
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
            said = f"DuckDB cannot read the files ({said}); expected whole CSV or Parquet files"
            raise StudyError(said, file=register.files) from error


@dataclass(frozen=True, eq=False)
class File:
    """A file of a register."""

    path: str
    name: str  # As messages name it
    size: int
    #: Under which name DuckDB opens it, or a copy of its good records; empty until it is ready
    opened: str = ""
    records: Records | None = None  # Of a CSV file that is ready


@dataclass(frozen=True)
class Source:
    """Files with the same columns at the same places, or a part of them."""

    format: str  # {"csv", "parquet"}
    files: tuple[File, ...]
    columns: tuple[str, ...]  # Names of all columns in DuckDB
    asked: tuple[str, ...]  # Those that the register reads, in its order
    types: tuple[str, ...]  # Their types
    #: First row of a Parquet file, from 0 on, and the one after the last; all if not given
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
        """Refuse a number of rows in which DuckDB does not agree about CSV files."""
        good = sum(file.records.good for file in self.files if file.records)
        if self.format == "csv" and rows != good:
            raise StudyError(
                f"DuckDB reads {rows:,} rows, and the files have {good:,}; expected plain CSV: "
                "save it as Parquet, or without line breaks inside cells",
                file=listed((file.name for file in self.files), 3),
            )


def parquet(listed: str, numbered: bool = False) -> str:
    """SQL of the rows of Parquet files; a folder such as ``year=2001`` does not make a column."""
    more = ", file_row_number = true" if numbered else ""
    return f"read_parquet({listed}, hive_partitioning = false, filename = false{more})"


def ready(connection: DuckDBPyConnection, source: Source) -> Source:
    """A source whose files DuckDB can open, those of CSV without what it might misread."""
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
                said = f"file cannot be read ({error.strerror or error}); expected a readable file"
                raise StudyError(said, file=file.name) from error
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
            f"DuckDB reads the path as a pattern, and no link to it can be made "
            f"({error.strerror or error}); expected a path without any of * ? [ ] {{ }}",
            file=file.name,
        ) from error
    return str(link)


def _own_name(connection: DuckDBPyConnection, file: File) -> str:
    """A plain name in the folder for temporary files."""
    (row,) = connection.execute("SELECT current_setting('temp_directory')").fetchall()
    name = hashlib.sha256(file.path.encode("utf-8", errors="surrogateescape")).hexdigest()
    return str(Path(row[0]).with_name(f"{name[:32]}{Path(file.path).suffix}"))


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def sources(
    register: RowFiles, found: RegisterFiles, connection: DuckDBPyConnection
) -> list[Source]:
    """The files of a register as DuckDB reads them, those with the same columns together."""
    by_schema: dict[tuple[tuple[str, str], ...], list[File]] = {}
    for path, name in zip(found.paths, found.names, strict=True):
        file = File(str(path), name, path.stat().st_size)
        by_schema.setdefault(_schema(found.format, file, connection), []).append(file)
    made = []
    for schema, files in by_schema.items():
        columns = tuple(column for column, _ in schema)
        at = places(columns, register, files[0].name)
        if found.format == "csv":
            # Any name, also an empty or doubled one, is fine where not read.
            columns = tuple(f"c{i}" for i in range(len(columns)))
        asked, types = tuple(columns[i] for i in at), tuple(schema[i][1] for i in at)
        made.append(Source(found.format, tuple(files), columns, asked, types))
    require_types(register, [(s.files[0].name, s.types) for s in made])
    for source in made:
        _require_labels(register, source, connection)
    return made


def _schema(kind: str, file: File, connection: DuckDBPyConnection) -> tuple[tuple[str, str], ...]:
    """Names and types of the columns of a file."""
    if kind == "csv":
        records = first_records(Path(file.path), file.name, 1)
        if not records:
            raise StudyError("file is empty; expected a header, and rows below it", file=file.name)
        require_names(records[0], file.name)
        return tuple((name, "VARCHAR") for name in records[0])
    rows = parquet(literal(opened(connection, file)))
    described = connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()
    return tuple((str(column), str(type_)) for column, type_, *_ in described)


def in_order(sources: Iterable[Source], found: RegisterFiles) -> Iterator[Source]:
    """The files of sources one by one, in the order of their names."""
    by_file = {file.path: (source, file) for source in sources for file in source.files}
    for path in map(str, found.paths):
        source, file = by_file[path]
        yield source.of(file)


def _require_labels(register: RowFiles, source: Source, connection: DuckDBPyConnection) -> None:
    """Refuse labels that a floating point number does not hold for sure."""
    for key, name, kind in zip(register.columns, source.asked, source.types, strict=True):
        if kind not in WHOLE or key not in register.labels:
            continue
        value = identifier(name)
        # Infinity and NaN apart: bounds come from the statistics of a file, which leave NaN out.
        ((endless, largest),) = connection.execute(
            f"SELECT any_value({value}) FILTER (WHERE NOT isfinite({value})), max(abs({value})) "
            f"FROM {ready(connection, source).rows()}"
        ).fetchall()
        if endless is not None or (largest is not None and largest >= WHOLE[kind]):
            raise StudyError(
                f"the column has the type {kind}, which cannot hold this reliably; expected "
                f"labels as text or integers, or as {kind} below {WHOLE[kind]:,}: write the "
                "column again as text",
                file=listed((file.name for file in source.files), 3),
                column=register.columns[key],
                value=largest if endless is None else endless,
            )


# -- types of columns, and their values as text ------------------------------------------

#: Types of floating point, and below what they hold every whole number.
WHOLE = {"FLOAT": 2**24, "DOUBLE": 2**53}
#: Types by what they hold.
_KINDS = {
    **dict.fromkeys(("VARCHAR", "ENUM", "UUID"), "text"),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), "number"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), "number"),
    **dict.fromkeys(("DECIMAL", *WHOLE), "number"),
    "BOOLEAN": "truth",
    "DATE": "date",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "moment"),
    '"NULL"': "nothing",
}


def require_types(register: RowFiles, files: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    """Refuse types of columns that have no sure text, or not the same in all files."""
    for place, column in enumerate(register.columns.values()):
        seen: dict[str, tuple[str, str]] = {}
        for name, types in files:
            kind = _KINDS.get(types[place].partition("(")[0])
            if kind is None:
                said = "expected text, numbers, BOOLEAN, DATE or TIMESTAMP"
                if types[place] == "TIMESTAMP WITH TIME ZONE":
                    said += ": the day depends on the time zone, write it as TIMESTAMP in one zone"
                raise StudyError(said, file=name, column=column, value=types[place])
            seen.setdefault(kind, (name, types[place]))
        seen.pop("nothing", None)
        # Text beside numbers or dates is as they are written; nobody knows how truth is written.
        several = [*seen] if "truth" in seen else [kind for kind in seen if kind != "text"]
        if len(several) > 1:
            (first, one), (other, two) = (seen[kind] for kind in several[:2])
            said = f"the column has the type {two}, and in {first} it has {one}; expected one type "
            raise StudyError(f"{said}in all files", file=other, column=column)


def as_text(value: str, kind: str) -> str:
    """SQL of a value as text: a number the same in all types, nothing for what is not there."""
    text = f"CAST({value} AS VARCHAR)"
    if kind in WHOLE:
        # DuckDB takes bounds from the statistics of a file, and these leave NaN out.
        whole = f"CAST(TRY_CAST({value} AS BIGINT) AS VARCHAR)"
        text = (
            f"CASE WHEN isfinite({value}) AND abs({value}) < {2**53} AND {value} = trunc({value}) "
            f"THEN {whole} ELSE {text} END"
        )
    elif kind.startswith("DECIMAL") and not kind.endswith(",0)"):
        text = f"rtrim(rtrim({text}, '0'), '.')"
    return f"coalesce({text}, '')"
