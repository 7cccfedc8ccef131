"""Tables as CSV text that a spreadsheet opens without surprises."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

#: A spreadsheet takes text that starts with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\n")
#: The same for text that is read again, where apostrophes before it have to be told apart.
_MARKED = re.compile(r"'*[=+\-@\t\r\n]")


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV: UTF-8, quoted where needed, six significant digits.

    Text that starts with ``=``, ``+``, ``-``, ``@``, a tab or a line break has an
    apostrophe put before it: spreadsheets would run it as a formula. Missing numbers are
    empty.
    """
    columns = [table[name].tolist() for name in table.columns]
    return csv_rows([map(str, table.columns), *zip(*columns, strict=True)])


def csv_rows(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as CSV, cell by cell as :func:`csv_text` writes them."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return buffer.getvalue()


def marked(text: str) -> str:
    """Text with an apostrophe before it where a spreadsheet would run it as a formula.

    :func:`unmarked` gives back every text.
    """
    return f"'{text}" if _MARKED.match(text) else text


def unmarked(text: str) -> str:
    """The text that :func:`marked` was given."""
    return text[1:] if text.startswith("'") and _MARKED.match(text) else text


def _cell(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(value)
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}" if np.isfinite(value) else ""
    # A lone carriage return ends a row for some readers, and Python 3.12.1 does not quote it.
    text = "" if value is None else str(value).replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.startswith(_FORMULA) else text
