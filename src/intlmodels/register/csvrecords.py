"""The records of a CSV file: how many are good, which are bad, and a copy of the good ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intlmodels.errors import StudyError
from intlmodels.register import csvscan

if TYPE_CHECKING:
    from intlmodels.register.engine import File

#: Bytes that are looked at together.
CHUNK = 1 << 25
#: Bad records that are noted between two looks at the data.
_MOST_BAD = 1 << 16
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, eq=False)
class Records:
    """The records of a CSV file below its header, blank ones at the end left out.

    Attributes
    ----------
    good : int
        Those that follow RFC 4180, with as many cells as the header.
    bad : array of int, shape (bad, 5)
        Of the others the row as a spreadsheet counts (the header is 1), first byte and the one
        after the last, what is wrong, and the number of cells.
    plain : bool
        Whether all are good, and lines end in one way; then DuckDB can read the file itself.
    several_lines : bool
        Whether some record goes over several lines.
    """

    good: int
    bad: NDArray[np.int64]
    plain: bool
    several_lines: bool

    def problem(self, place: int, width: int) -> str:
        """What is wrong with a bad record, in words."""
        _, _, _, problem, cells = self.bad[place].tolist()
        return {
            csvscan.FEW: f"expected as many cells as in the header: {width}, not {cells} (where "
            "the last cells are empty the commas are needed)",
            csvscan.MANY: f"expected as many cells as in the header: {width}, not {cells} (a "
            "decimal comma has to be a point, and a comma inside a label needs double quotes "
            "around the cell)",
            csvscan.QUOTES: "expected quotes in pairs: around a whole cell, and doubled inside it, "
            'as in "5"" lens"',
            csvscan.NUL: "expected text without NUL characters",
            csvscan.ENCODING: "expected text in UTF-8; save the file as 'CSV UTF-8'",
            csvscan.BLANK: "the row is blank; expected as many cells as in the header: delete it",
            csvscan.LONG: f"expected at most {csvscan.LONGEST:,} bytes in a row",
        }[problem]

    def broken(self, file: File, width: int) -> Iterator[tuple[int, tuple[str, ...], str, str]]:
        """Row, no cells, text as it stands in the file, and problem of each bad record."""
        with Path(file.path).open("rb") as source:
            for place, (row, start, end) in enumerate(self.bad[:, :3].tolist()):
                source.seek(start)
                text = source.read(end - start).decode("utf-8", errors="replace")
                yield row, (), text, self.problem(place, width)


def read_records(file: File, width: int) -> Records:
    """Look at all records of a file.

    Raises
    ------
    StudyError
        If a quote leaves open where records begin, or the file cannot be read.
    """
    counts, bad = _scanned(file, width)
    filled = int(counts[csvscan.FILLED])
    bad = bad[bad[:, 0] <= filled]
    ends = np.count_nonzero(counts[[csvscan.LF, csvscan.CRLF]])
    plain = counts[csvscan.RECORDS] == filled and not len(bad) and not counts[csvscan.CR]
    good = max(0, filled - 1 - len(bad))
    return Records(good, bad, bool(plain and ends <= 1), bool(counts[csvscan.SEVERAL]))


def copy_good(file: File, width: int, records: Records, target: Path) -> None:
    """Write the good records of a file to another one, lines ending in a line feed."""
    last = records.good + len(records.bad) + 1
    try:
        _scanned(file, width, target, last)
    except OSError as error:
        raise StudyError(
            f"a copy without the bad records cannot be written ({error.strerror or error}); "
            f"expected room for it in {target.parent}: mend the file, or set TMPDIR",
            file=file.name,
        ) from error


def _scanned(
    file: File, width: int, target: Path | None = None, last: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts and bad records of a file; good ones up to the last are copied."""
    counts = np.zeros(6, dtype=np.int64)
    noted = np.zeros((_MOST_BAD, 5), dtype=np.int64)
    parts = [noted[:0]]
    with (
        Path(file.path).open("rb") as source,
        nullcontext() if target is None else target.open("wb") as copy,
    ):
        if copy is not None:
            copy.write(b"," * (width - 1) + b"\n")
        base = len(_BOM) if source.read(len(_BOM)) == _BOM else 0
        source.seek(base)
        rest, at_end = b"", False
        while not at_end:
            block = source.read(CHUNK)
            at_end = not block
            data = np.frombuffer(rest + block, dtype=np.uint8)
            found, used = len(noted), 0
            while found == len(noted):  # there may be more bad records than are noted at a time
                out = np.empty(0 if copy is None else len(data) - used + 1, dtype=np.uint8)
                more, found, written = csvscan.scan(
                    data[used:], at_end, width, counts, noted, out, last
                )
                parts.append(noted[:found] + np.array([0, base + used, base + used, 0, 0]))
                if found:
                    _require_known(parts[-1][-1], file)
                if copy is not None:
                    copy.write(out[:written].tobytes())
                used += more
            rest = data[used:].tobytes()
            base += used
    return counts, np.concatenate(parts)


def _require_known(record: NDArray[np.int64], file: File) -> None:
    """Refuse a record that leaves open where the next one begins."""
    if record[3] < csvscan.ASTRAY:
        return
    with Path(file.path).open("rb") as source:
        source.seek(int(record[1]))
        text = source.read(min(200, int(record[2] - record[1]))).decode("utf-8", errors="replace")
    opened = "a quote is opened here and not closed"
    astray = "a quote inside this row is not in a pair, and the row goes over several lines"
    raise StudyError(
        f"{opened if record[3] == csvscan.UNCLOSED else astray}, so that nobody knows where the "
        "next row begins; expected double quotes around a whole cell, and doubled inside it",
        file=file.name,
        row=int(record[0]),
        value=text,
    )
