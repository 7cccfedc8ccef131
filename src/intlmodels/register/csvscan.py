"""The structure of CSV: where records begin and end, checked byte by byte and without exceptions.

Any two readers agree on records that follow RFC 4180 to the letter. All others are bad rows here,
and DuckDB is not shown them: it would skip, join or complete some of them without a word.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

#: What is wrong with a record. The last two leave open where the next record begins.
FEW, MANY, QUOTES, NUL, ENCODING, BLANK, LONG, ASTRAY, UNCLOSED = range(1, 10)
#: Bytes that a record may have: DuckDB reads no longer ones.
LONGEST = 1_000_000

#: Positions in the counts: records with the header, those up to the last one that is not blank, and
#: line ends of three kinds, and records over several lines.
RECORDS, FILLED, LF, CRLF, CR, SEVERAL = range(6)

_C, _Q, _N, _R = map(ord, ',"\n\r')
#: States: at the start of a cell, in one without quotes, in one with quotes, and behind a quote
#: that ends the cell or is the first of two.
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
    """The record that starts at a byte, and what is wrong with it apart from its cells.

    Returns
    -------
    after, end, cells, problem, lines, blank
        Where the next record starts, or -1 if the data end before; the end of this one; its cells;
        the line ends inside it, and whether it is blank.
    """
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

    Parameters
    ----------
    data : array of bytes
        Begins with a record.
    at_end : bool
        Whether the file ends with the data.
    width : int
        Cells that a record should have.
    counts : array of int, shape (6,)
        Added to.
    bad : array of int, shape (most, 5)
        Filled: number of the record, start and end in the data, what is wrong, number of cells.
    out : array of bytes
        Filled with the good records below the header, each with a line feed; nothing if empty.
    last_copied : int
        Number of the last record that is copied.

    Returns
    -------
    used, found, written : int
        Bytes of whole records, bad records, bytes copied.
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
