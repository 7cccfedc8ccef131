"""Tables as CSV text that a spreadsheet opens without surprises."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.csvtable import plain_cell

if TYPE_CHECKING:
    import pandas as pd


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV: UTF-8, quoted where needed, six significant digits.

    Text that a spreadsheet would run as a formula has an apostrophe put before it. Missing
    numbers are empty.
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


def _cell(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(value)
    if isinstance(value, (float, np.floating)):
        return f"{value:.6g}" if np.isfinite(value) else ""
    # A lone carriage return ends a row for some readers, and Python 3.12.1 does not quote it.
    text = "" if value is None else str(value).replace("\r\n", "\n").replace("\r", "\n")
    return plain_cell(text)
