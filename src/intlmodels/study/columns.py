"""From printed columns to labelled data: the outcome and the predictors."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from intlmodels.core import rounding
from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import StudyError, did_you_mean, listed, one_line, shown
from intlmodels.study.keys import wrong
from intlmodels.study.sources import Cell, Sources

#: Notes on one column.
MOST_NOTES = 20
#: Letters of other alphabets, and the Latin letter that each looks like.
_LETTERS = {
    **dict(zip("АВЕЅІЈКМНОРСТУХҮԚԜӀ", "ABESIJKMHOPCTYXYQWl", strict=True)),
    **dict(zip("аеѕіјкморстухһԛԝԁүѵӏ", "aesijkmopctyxhqwdyvl", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ", "ABEZHIKMNOPTYXC", strict=True)),
    **dict(zip("αενηικορτυχγϲϳ", "aevnikoptuxycj", strict=True)),
    **dict(zip("օսոհցԼՕՏıɑɡ", "ounhgLOSiag", strict=True)),
}
_DASHES = "\u02d7\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2e3a\u2e3b\ufe58\u30fc"
_QUOTES = "'\"`\u00b4\u00ab\u00bb\u02b9\u02bb\u02bc\u02bd\u02c8\u02ca\u02cb\u055a\u05f3\u05f4"
_QUOTES += "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033\u2035\u2036\u2039\u203a"
_ALIKE = str.maketrans(
    {
        **_LETTERS,
        **dict.fromkeys(_DASHES, "-"),
        **dict.fromkeys(_QUOTES, ""),
        **dict.fromkeys("\u2044\u2215", "/"),
        **dict.fromkeys("\u2022\u2219\u22c5\u30fb", "\u00b7"),
    }
)


def appearance(label: str) -> str:
    """The same text for labels that look alike, capitals and quotes aside."""
    if label.isascii():
        return label.translate(_ALIKE).casefold()
    # Full-width and mathematical letters become plain ones, and may then look like others.
    plain = unicodedata.normalize("NFKD", label.translate(_ALIKE))
    return " ".join(plain.translate(_ALIKE).casefold().split())


def lookalikes(labels: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of different labels that look alike, each label once with the first of its kind."""
    first: dict[str, str] = {}
    for label in sorted(set(labels)):
        known = first.setdefault(appearance(label), label)
        if known != label:
            yield known, label


def lookalike_lines(labels: Iterable[str], indent: str = "  ") -> Iterator[str]:
    """A note on each pair of labels that look alike."""
    pairs = lookalikes(labels)
    for one, other in islice(pairs, MOST_NOTES):
        if one.casefold() == other.casefold():
            said = "differ in capitals only"
        else:
            names = (unicodedata.name(c, f"U+{ord(c):04X}") for c in other if c not in one)
            said = f"look alike and are kept apart: {next(names, 'other marks')}"
        yield one_line(f"{indent}{shown(one)} and {shown(other)} {said}")
    if more := sum(1 for _ in pairs):
        yield f"{indent}and {more:,} more pairs like these"


# -- from printed columns to labelled data ---------------------------------------------

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

#: Finest rounding width in percentage points; a finer grid is longer than memory is wide.
FINEST_WIDTH = 0.001

#: Fewest firms with an outcome that a study may have.
FEWEST_FIRMS = 3

_FRACTION = ' (for shares from 0 to 1 write unit = "fraction")'


@dataclass(frozen=True, eq=False)
class Outcome:
    """The printed shares.

    Attributes
    ----------
    file, column : str
        Where they are printed.
    label : str
        What they are, in words.
    unit : {"percent", "fraction"}
        Unit in the file.
    width : float
        Rounding width in percentage points, whatever the unit in the file.
    printed : array, shape (firm,)
        Printed shares in percent, exactly on ``rounding.grid(width)``.
    """

    file: str
    column: str
    label: str
    unit: Literal["percent", "fraction"]
    width: float
    printed: Floats


@dataclass(frozen=True, eq=False)
class Predictor:
    """A column that may explain the shares.

    Attributes
    ----------
    name : str
        Name of the model variable.
    kind : {"category", "contrast", "numeric"}
    label : str
        What it is, in words.
    file, column : str
        Where it is printed.
    printed : tuple of str, length (firm,)
        The cells as they stand in the file.
    levels : tuple of str
        Category: sorted; contrast: (low, high); numeric: empty.
    codes : array of int, shape (firm,)
        Category: position in ``levels``; else empty.
    values : array, shape (firm,)
        Contrast: -0.5 for low, +0.5 for high; numeric: after the transform, NaN where
        missing; category: empty.
    transform : {"none", "log"}
        Of a numeric predictor; the natural logarithm.
    center, scale : float
        Numeric: mean and standard deviation (ddof = 1) of the observed transformed values;
        else 0 and 1.
    unit : str
        Of a numeric predictor, before the transform.
    family_separator : str
        Of a category: its levels are what stands before it in the cells; else empty.
    """

    name: str
    kind: Literal["category", "contrast", "numeric"]
    label: str
    file: str
    column: str
    printed: tuple[str, ...]
    levels: tuple[str, ...] = ()
    codes: Integers = field(default_factory=lambda: frozen([], np.intp))
    values: Floats = field(default_factory=lambda: frozen([]))
    transform: Literal["none", "log"] = "none"
    center: float = 0.0
    scale: float = 1.0
    unit: str = ""
    family_separator: str = ""


def frozen(values: Any, dtype: Any = np.float64) -> NDArray[Any]:
    """An array that nobody can write to: a study does not change once it is read."""
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


# -- the outcome -------------------------------------------------------------------------


def read_outcome(
    spec: Mapping[str, Any], sources: Sources
) -> tuple[Outcome, tuple[tuple[str, str], ...]]:
    """Read the printed shares; firms without one are left out of ``sources``.

    Parameters
    ----------
    spec : mapping
        The table [outcome] of study.toml.
    sources : Sources

    Returns
    -------
    Outcome
    tuple of (firm, why)
        The firms that were left out.

    Raises
    ------
    StudyError
        If a share is not a number, out of range or not on the rounding grid, if too few are
        printed, or if the rounding width is unusable.
    """
    file, unit = spec.get("file", sources.file), spec["unit"]
    width, share = share_reader(spec)
    column = clean_label(spec["column"])
    cells = sources.cells(file, column, "[outcome] column")
    if column == clean_label(sources.keys.get(file, sources.column)):
        raise wrong("expected another column than the one with the firms", "[outcome] column")
    shares = {i: share(c) for i, c in enumerate(cells) if not c.missing}
    if len(shares) < FEWEST_FIRMS:
        have = f"only {len(shares)} of {len(cells)} firms have" if shares else "no firm has"
        raise StudyError(
            f"{have} a share; expected at least {FEWEST_FIRMS}", file=file, column=column
        )
    dropped = tuple(
        (firm, f"no {column} in {file}, row {cell.row}")
        for i, (firm, cell) in enumerate(zip(sources.firms, cells, strict=True))
        if i not in shares
    )
    sources.keep(list(shares))
    label = clean_label(spec.get("label", column))
    return Outcome(file, column, label, unit, width, frozen(list(shares.values()))), dropped


def share_reader(spec: Mapping[str, Any]) -> tuple[float, Callable[[Cell], float]]:
    """How cells with printed shares are read.

    Parameters
    ----------
    spec : mapping
        The table [outcome] of study.toml.

    Returns
    -------
    width : float
        Rounding width in percentage points.
    read : callable
        Gives the share in a cell in percent, exactly as ``rounding.grid(width)`` has it.

    Raises
    ------
    StudyError
        If the rounding width is unusable; and of a cell, if it holds no share on the grid.
    """
    scale = 100 if spec["unit"] == "fraction" else 1
    width = _times(spec["rounding_width"], scale)
    grid = _grid(spec["rounding_width"], width, scale)
    return width, partial(_share, grid=grid, width=width, scale=scale)


def _times(value: float, scale: int) -> float:
    """Multiply as on paper: 0.07 times 100 is 7, not 7.000000000000001."""
    return float(Decimal(repr(value)) * scale)


def _grid(written: float, width: float, scale: int) -> Floats:
    key = "[outcome] rounding_width"
    if not FINEST_WIDTH <= width <= 100:
        unit = "as a fraction" if scale == 100 else "in percentage points"
        raise wrong(
            f"expected a rounding width {unit} from {FINEST_WIDTH / scale:g} to {100 / scale:g}: "
            "the distance between neighbouring printed shares",
            key,
            written,
        )
    try:
        return rounding.grid(width)
    except ValueError as error:
        raise wrong(str(error), key, written) from error


def _share(cell: Cell, grid: Floats, width: float, scale: int) -> float:
    """Read a printed share; returns it in percent, exactly as the grid has it."""
    percent = _times(cell.number(), scale)
    if not 0 <= percent <= 100:
        hint = '; for shares in percent write unit = "percent"' if scale == 100 < percent else ""
        raise cell.error(f"expected a share from 0 to {100 // scale}{hint}")
    if not bool(rounding.on_grid(np.array([percent]), width)[0]):
        above = int(np.searchsorted(grid, percent))
        neighbours = grid[above - 1 : above + 1]
        raise cell.error(
            f"expected a multiple of the rounding width {width / scale:.10g}: "
            f"{' or '.join(f'{x / scale:.10g}' for x in neighbours)}; mend the share, or "
            f"rounding_width in study.toml{_FRACTION if scale == 1 and percent < 1 else ''}"
        )
    # 12.2 is printed, 122 * 0.1 is not quite 12.2: what the grid holds is taken.
    return float(grid[min(round(percent / width), len(grid) - 1)])


# -- the predictors ----------------------------------------------------------------------


def read_predictor(
    name: str, spec: Mapping[str, Any], sources: Sources, outcome: Outcome, where: str
) -> Predictor:
    """Read a predictor.

    Parameters
    ----------
    name : str
        Name of the model variable.
    spec : mapping
        Its table in study.toml, with its kind.
    sources : Sources
    outcome : Outcome
    where : str
        Name of the table in study.toml, such as ``[predictors.size]``.

    Raises
    ------
    StudyError
        If a cell cannot be read, or the firms do not differ in this predictor.
    """
    file, column = spec.get("file", sources.file), clean_label(spec["column"])
    cells = sources.cells(file, column, f"{where} column")
    if (file, column) == (outcome.file, outcome.column):
        raise wrong("expected another column than the outcome's", f"{where} column", column)
    if column == clean_label(sources.keys.get(file, sources.column)):
        raise wrong("expected another column than the firms'", f"{where} column", column)
    build = {"category": _category, "contrast": _contrast, "numeric": _numeric}[spec["kind"]]
    return Predictor(
        name=name,
        kind=spec["kind"],
        label=clean_label(spec.get("label", column)),
        file=file,
        column=column,
        printed=tuple(cell.text for cell in cells),
        **build(spec, cells, sources),
    )


def _category(spec: Mapping[str, Any], cells: Sequence[Cell], sources: Sources) -> dict[str, Any]:
    separator = spec.get("family_separator", "")
    read = [sources.level(cell, separator) for cell in cells]
    levels = tuple(sorted(set(read)))
    if len(levels) == 1:
        raise StudyError(
            "every firm has this level; expected two or more levels: delete the predictor",
            file=cells[0].file,
            column=cells[0].column,
            value=levels[0],
        )
    places = {level: place for place, level in enumerate(levels)}
    codes = frozen([places[level] for level in read], np.intp)
    return {"levels": levels, "codes": codes, "family_separator": separator}


def _contrast(spec: Mapping[str, Any], cells: Sequence[Cell], sources: Sources) -> dict[str, Any]:
    levels = (clean_label(spec["low"]), clean_label(spec["high"]))
    file, column = cells[0].file, cells[0].column
    values = []
    for cell in cells:
        label = one_of(levels, cell, sources.label(cell))
        values.append(0.5 if label == levels[1] else -0.5)
    if len(set(values)) == 1:
        raise StudyError(
            f"every firm has this level; expected both {listed(levels)}: delete the predictor",
            file=file,
            column=column,
            value=levels[values[0] > 0],
        )
    return {"levels": levels, "values": frozen(values)}


def one_of(levels: tuple[str, str], cell: Cell, label: str) -> str:
    """The label of a cell, if it is one of the two of a contrast."""
    if label not in levels:
        raise cell.error(
            f"expected {shown(levels[0])} (low) or {shown(levels[1])} (high)"
            f"{did_you_mean(label, levels)}; mend the cell, or low and high in study.toml"
        )
    return label


def _numeric(spec: Mapping[str, Any], cells: Sequence[Cell], sources: Sources) -> dict[str, Any]:
    transform = spec.get("transform", "none")
    values = frozen([transformed(cell, transform) for cell in cells])
    observed = values[~np.isnan(values)]
    file, column = cells[0].file, cells[0].column
    if not observed.size:
        raise StudyError("no firm has a value; expected numbers", file=file, column=column)
    with np.errstate(over="ignore", invalid="ignore"):
        center = float(observed.mean())
        scale = float(observed.std(ddof=1)) if observed.size > 1 else 0.0
    # Rounding errors of the mean must not pass for differences between firms.
    if scale <= 1e-12 * float(np.abs(observed).max()):
        raise StudyError(
            "all known values are the same; expected numbers that differ: delete the predictor",
            file=file,
            column=column,
            value=next(cell.text for cell in cells if not cell.missing),
        )
    if not math.isfinite(center) or not math.isfinite(scale):
        raise StudyError(
            "the numbers are too large for a mean; expected a larger unit", file=file, column=column
        )
    return {
        "values": values,
        "transform": transform,
        "center": center,
        "scale": scale,
        "unit": spec.get("unit", ""),
    }


def transformed(cell: Cell, transform: str) -> float:
    """Read a cell as a number on the scale of the model; NaN if it is missing."""
    if cell.missing:
        return math.nan
    value = cell.number()
    if transform != "log":
        return value
    if value <= 0:
        raise cell.error(
            'expected a number above 0, because of transform = "log"; mend the cell, or write '
            'transform = "none" in study.toml'
        )
    return math.log(value)
