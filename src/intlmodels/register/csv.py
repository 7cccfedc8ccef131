"""The structure of CSV, checked byte by byte, and the records of a file: good and bad.

Any two readers agree on records that follow RFC 4180 to the letter. All others are bad rows here,
and DuckDB is not shown them: it would skip, join or complete some of them without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError

if TYPE_CHECKING:
    from intlmodels.register.files import File


#: What is wrong with a record. The last two leave open where the next record begins.
FEW, MANY, QUOTES, NUL, ENCODING, BLANK, LONG, ASTRAY, UNCLOSED = range(1, 10)
#: Bytes that a record may have: DuckDB reads no longer ones.
LONGEST = 1_000_000

#: Positions in the counts: all records, those up to the last not blank, line ends, long ones.
RECORDS, FILLED, LF, CRLF, CR, SEVERAL = range(6)

_C, _Q, _N, _R = map(ord, ',"\n\r')
#: States: at the start of a cell, in one without or with quotes, behind a quote in one.
_START, _BARE, _QUOTED, _BEHIND = range(4)


@numba.njit(cache=True, nogil=True)
def _encoded(b: int, need: int, low: int, high: int) -> Any:
    """Whether a byte goes on with UTF-8, how many have to follow, and bounds of the next one."""
    if need > 0:
        valid = low <= b <= high
        return valid, need - 1 if valid else 0, 0x80, 0xBF
    # No overlong forms, surrogates, or above 10FFFF.
    valid = 0xC2 <= b <= 0xF4
    need = 1 + (b >= 0xE0) + (b >= 0xF0) if valid else 0
    low = 0xA0 if b == 0xE0 else 0x90 if b == 0xF0 else 0x80
    high = 0x9F if b == 0xED else 0x8F if b == 0xF4 else 0xBF
    return valid, need, low, high


@numba.njit(cache=True, nogil=True)
def _record(data: NDArray[np.uint8], start: int, at_end: bool, counts: NDArray[np.int64]) -> Any:
    """The next record, this one's end, cells, problem, inner line ends, and whether it is blank."""
    i, cells, problem, lines, state = start, 1, 0, 0, _START
    blank, loose, need, low, high = True, False, 0, 0x80, 0xBF
    end = -1
    while i < len(data) and end < 0:
        b = data[i]
        if need > 0 or b >= 0x80:
            valid, need, low, high = _encoded(b, need, low, high)
            problem = problem if valid else max(problem, ENCODING)
        if b == 0:
            problem = max(problem, NUL)
        if b in (_N, _R) and state != _QUOTED:
            if b == _R and i + 1 == len(data) and not at_end:
                break  # the line feed may follow
            end = i
            if b == _R and i + 1 < len(data) and data[i + 1] == _N:
                i += 1
                counts[CRLF] += 1
            else:
                counts[LF if b == _N else CR] += 1
        elif b == _Q:
            if state == _BARE:
                loose = True
            else:
                blank = blank and state != _BEHIND
                state = _BEHIND if state == _QUOTED else _QUOTED
        elif state == _QUOTED:
            lines += b in (_N, _R)
            blank = blank and b in (32, 9, _N, _R)
        elif b == _C:
            cells, state = cells + 1, _START
        else:
            loose = loose or state == _BEHIND
            blank = blank and b in (32, 9)
            state = _BARE
        i += 1
    if end < 0:
        if not at_end and i - start <= 4 * LONGEST:
            return -1, i, cells, problem, lines, blank
        problem = UNCLOSED if state == _QUOTED or not at_end else problem
        end = i
    if need > 0:
        problem = max(problem, ENCODING)
    if loose and problem != UNCLOSED:
        problem = ASTRAY if lines > 0 else max(problem, QUOTES)
    if end - start > LONGEST:
        problem = max(problem, LONG)
    return i, end, cells, problem, lines, blank


@numba.njit(cache=True, nogil=True)
def scan(
    data: NDArray[np.uint8],
    at_end: bool,
    width: int,
    counts: NDArray[np.int64],
    bad: NDArray[np.int64],
    out: NDArray[np.uint8],
    last_copied: int,
) -> Any:
    """Go through records until the data end, a table is full, or a record is fatal.

    Added to are ``counts`` (6,); filled are ``bad`` (most, 5), and ``out``, if it has room, with
    good records up to ``last_copied``. Returned are bytes of whole records, bad records, bytes
    copied.
    """
    used = found = written = 0
    while used < len(data) and found < len(bad):
        start = used
        after, end, cells, problem, lines, blank = _record(data, start, at_end, counts)
        if after < 0:
            break
        used = after
        counts[RECORDS] += 1
        counts[SEVERAL] += lines > 0
        if not blank:
            counts[FILLED] = counts[RECORDS]
        if counts[RECORDS] == 1 and problem < ASTRAY:
            continue  # the header decides the width
        if problem == 0 and cells != width:
            problem = BLANK if blank and cells == 1 else FEW if cells < width else MANY
        if problem:
            bad[found, 0], bad[found, 1], bad[found, 2] = counts[RECORDS], start, end
            bad[found, 3], bad[found, 4] = problem, cells
            found += 1
            if problem >= ASTRAY:
                break
        elif len(out) and counts[RECORDS] <= last_copied:
            out[written : written + end - start] = data[start:end]
            written += end - start + 1
            out[written - 1] = _N
    return used, found, written


# -- the records of a CSV file ---------------------------------------------------------

#: Bytes that are looked at together.
CHUNK = 1 << 25
#: Bad records that are noted between two looks at the data.
_MOST_BAD = 1 << 16
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, eq=False)
class Records:
    """The records of a CSV file below its header, blank ones at the end left out."""

    good: int  # Those that follow RFC 4180, with as many cells as the header
    #: (bad, 5): Of the others row (the header is 1), first byte, end, what is wrong, cells
    bad: NDArray[np.int64]
    plain: bool  # Whether DuckDB can read the file itself: all good, lines end in one way
    several_lines: bool  # Whether some record goes over several lines

    def problem(self, place: int, width: int) -> str:
        """What is wrong with a bad record, in words."""
        _, _, _, problem, cells = self.bad[place].tolist()
        return {
            FEW: f"expected as many cells as in the header: {width}, not {cells} (where "
            "the last cells are empty the commas are needed)",
            MANY: f"expected as many cells as in the header: {width}, not {cells} (a "
            "decimal comma has to be a point, and a comma inside a label needs double quotes "
            "around the cell)",
            QUOTES: "expected quotes in pairs: around a whole cell, and doubled inside it, "
            'as in "5"" lens"',
            NUL: "expected text without NUL characters",
            ENCODING: "expected text in UTF-8; save the file as 'CSV UTF-8'",
            BLANK: "the row is blank; expected as many cells as in the header: delete it",
            LONG: f"expected at most {LONGEST:,} bytes in a row",
        }[problem]

    def broken(self, file: File, width: int) -> Iterator[tuple[int, tuple[str, ...], str, str]]:
        """Row, no cells, text as it stands in the file, and problem of each bad record."""
        with Path(file.path).open("rb") as source:
            for place, (row, start, end) in enumerate(self.bad[:, :3].tolist()):
                source.seek(start)
                text = source.read(end - start).decode("utf-8", errors="replace")
                yield row, (), text, self.problem(place, width)


def read_records(file: File, width: int) -> Records:
    """Look at all records of a file."""
    counts, bad = _scanned(file, width)
    filled = int(counts[FILLED])
    bad = bad[bad[:, 0] <= filled]
    ends = np.count_nonzero(counts[[LF, CRLF]])
    plain = counts[RECORDS] == filled and not len(bad) and not counts[CR]
    good = max(0, filled - 1 - len(bad))
    return Records(good, bad, bool(plain and ends <= 1), bool(counts[SEVERAL]))


def copy_good(file: File, width: int, records: Records, target: Path) -> None:
    """Write the good records of a file to another one, lines ending in a line feed."""
    last = records.good + len(records.bad) + 1
    try:
        _scanned(file, width, target, last)
    except OSError as error:
        raise StudyError(
            f"a copy without the bad records cannot be written ({error.strerror or error}); "
            f"expected room for it in {target.parent}: fix the file, or set TMPDIR",
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
                more, found, written = scan(data[used:], at_end, width, counts, noted, out, last)
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
    if record[3] < ASTRAY:
        return
    with Path(file.path).open("rb") as source:
        source.seek(int(record[1]))
        text = source.read(min(200, int(record[2] - record[1]))).decode("utf-8", errors="replace")
    opened = "a quote is opened here and not closed"
    astray = "a quote inside this row is not in a pair, and the row goes over several lines"
    raise StudyError(
        f"{opened if record[3] == UNCLOSED else astray}, so it is unclear where the next row "
        f"begins; expected double quotes around a whole cell, and doubled inside it",
        file=file.name,
        row=int(record[0]),
        value=text,
    )
