"""Sheets of workbooks as CSV text: cells as they are displayed."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from intlmodels.core.errors import StudyError, did_you_mean, listed

#: Largest workbook in MB once it is unpacked.
_LARGEST = 500
_NAME = re.compile(r"(?P<book>.+\.xls[xm])(?:\s*:\s*(?P<sheet>[^:]+))?", re.IGNORECASE)
#: Parts of a number format that are printed as they are, or say nothing of digits.
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]|[$€£¥ ]')
_DIGITS = re.compile(r"[#0?,]*(?:\.(?P<always>0*)(?P<perhaps>[#?]*))?(?P<percent>%?)")


def split_book(file: str) -> tuple[str, str] | None:
    """Workbook and sheet of a name such as ``book.xlsx: Sheet1``; None for another file."""
    found = _NAME.fullmatch(file.strip())
    return (found["book"], (found["sheet"] or "").strip()) if found else None


def sheet_rows(raw: bytes, sheet: str, file: str) -> list[list[str]]:
    """The rows of a sheet, the first one if none is named, as text of the same width."""
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise StudyError(
            "workbooks are read by openpyxl, which is not installed; expected it (pip install "
            "'intlmodels[xlsx]'), or the sheet saved as 'CSV UTF-8' and that file named",
            file=file,
        ) from error
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > _LARGEST * 1_000_000:
            said = f"the workbook unpacks to more than {_LARGEST} MB; expected a smaller one"
            raise StudyError(said, file=file)
        # Once with the values of formulas as they were stored, once to see where formulas are.
        values, formulas = (
            load_workbook(io.BytesIO(raw), read_only=True, data_only=stored)
            for stored in (True, False)
        )
        names = values.sheetnames
        sheet = sheet or names[0]
        if sheet not in names:
            said = f"no such sheet{did_you_mean(sheet, names)}; expected one of {listed(names)}"
            raise StudyError(said, file=file, value=sheet)
        both = zip(values[sheet].iter_rows(), formulas[sheet].iter_rows(), strict=True)
        rows = [
            [_text(cell, formula, file) for cell, formula in zip(shown, behind, strict=True)]
            for shown, behind in both
        ]
    except StudyError:
        raise
    except Exception as error:
        said = f"not a workbook that openpyxl can read ({type(error).__name__}); save it as xlsx "
        raise StudyError(f"{said}again, or the sheet as 'CSV UTF-8'", file=file) from error
    width = max(map(len, rows), default=0)
    return [row + [""] * (width - len(row)) for row in rows]


def _text(cell: Any, formula: Any, file: str) -> str:
    """A cell as it is displayed."""
    value = cell.value
    if value is None:
        if getattr(formula, "data_type", "") == "f":
            raise StudyError(
                "a formula whose value is not stored; expected a value: open the workbook in a "
                "spreadsheet program and save it",
                file=file,
                row=formula.row,
                value=str(formula.value),
            )
        return ""
    match value:
        case bool():
            return str(value).upper()
        case int() | float():
            return displayed(value, cell.number_format or "General")
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat()
    return str(value)


def displayed(value: float, form: str) -> str:
    """A number as a number format displays it, without marks between thousands or a percent sign.

    Formats that say nothing of decimals show up to 15 significant digits, as many as a spreadsheet
    holds; a percent format displays a hundred times the number.
    """
    sections = form.split(";")
    digits = _DIGITS.fullmatch(_LITERAL.sub("", sections[0]))
    number = Decimal(f"{value:.15g}")
    if form == "General" or digits is None or not re.search("[0#?]", sections[0]):
        plain = f"{value:.15g}"
        return plain if "e" in plain else f"{number:f}"
    if digits["percent"]:
        number *= 100
    always, perhaps = len(digits["always"] or ""), len(digits["perhaps"] or "")
    rounded = number.quantize(Decimal(1).scaleb(-always - perhaps), ROUND_HALF_UP)
    text = f"{rounded:f}"
    for _ in range(perhaps):
        text = text.removesuffix("0")
    text = text.removesuffix(".")
    return text.removeprefix("-") if not rounded else text
