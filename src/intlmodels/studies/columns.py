"""From printed columns to labelled data: outcomes, predictors and clusters of firms."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache, partial
from itertools import islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from intlmodels.core import rounding
from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import did_you_mean, listed, one_line, read_each, shown, together
from intlmodels.core.formats import YEAR, amount, capital, label_for
from intlmodels.studies.claims import shortened
from intlmodels.studies.groups import Group, Silence
from intlmodels.studies.schema import (
    CLUSTER,
    BinaryTable,
    CategoryTable,
    ClusterTable,
    ContrastTable,
    CovariateTable,
    GroupingTable,
    GroupOutcomesTable,
    NumericTable,
    OrderedPredictorTable,
    OrderedTable,
    ShareTable,
    TotalTable,
    WalkTable,
    wrong,
)
from intlmodels.studies.sources import (
    Cell,
    Sources,
    in_column,
    in_time,
    require_numbers,
    split_place,
)

#: Notes on one column, and groups or bands that are listed.
MOST_NOTES, MOST_LISTED = 20, 30
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
            said = "differ only in capitals"
        else:
            names = (unicodedata.name(c, f"U+{ord(c):04X}") for c in other if c not in one)
            said = f"look alike but are different labels: {next(names, 'other marks')}"
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
    """The printed shares."""

    #: Where they are printed.
    file: str
    column: str
    #: What they are, in words.
    label: str
    #: Unit in the file.
    unit: Literal["percent", "fraction"]
    #: Rounding width in percentage points, whatever the unit in the file; 0 where rows differ in
    #: it, or where bands are reported.
    width: float
    #: Reported shares in percent, exactly on ``rounding.grid(width)`` if they have one width; of a
    #: band its middle; shape (row,).
    printed: Floats
    #: Ends of the interval that each reported share stands for, from 0 to 1; shape (row,).
    lower: Floats
    upper: Floats
    #: Rounding width of each row in percentage points; NaN where a band is reported; shape (row,).
    widths: Floats
    #: Bands that were reported, as (lower, upper) from 0 to 1, lowest first; empty without bands.
    bands: tuple[tuple[float, float], ...] = ()
    #: Columns with the ends of these.
    ends: tuple[str, ...] = ()
    #: Weight of each row, scaled to sum to their number; None if all count alike; shape (row,).
    weights: Floats | None = None
    #: How an exact zero is read: as a rounded small share, or possibly a firm that has none.
    zeros: Literal["rounded", "structural"] = "rounded"

    @property
    def columns(self) -> tuple[str, ...]:
        """The column, or the two with the ends of bands."""
        return self.ends or (self.column,)


@dataclass(frozen=True)
class OutcomeColumns:
    """Where an outcome stands that is no share."""

    file: str
    columns: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Predictor:
    """A column that may explain the shares."""

    #: Name of the model variable.
    name: str
    kind: Literal["category", "contrast", "numeric", "ordered", "walk"]
    #: What it is, in words.
    label: str
    #: Where it is printed.
    file: str
    column: str
    #: The cells as they stand in the file; length (firm,).
    printed: tuple[str, ...]
    #: Category: sorted; contrast: (low, high); ordered: lowest first; walk: periods in the order
    #: of time; numeric: empty.
    levels: tuple[str, ...] = ()
    #: Category, ordered and walk: position in ``levels``; else empty; shape (firm,).
    codes: Integers = field(default_factory=lambda: frozen([], np.intp))
    #: Contrast: -0.5 for low, +0.5 for high; numeric: after the transform, NaN where missing;
    #: category: empty; shape (firm,).
    values: Floats = field(default_factory=lambda: frozen([]))
    #: Of a numeric predictor; the natural logarithm.
    transform: Literal["none", "log"] = "none"
    #: Numeric: mean and standard deviation (ddof = 1) of the observed transformed values.
    center: float = 0.0
    scale: float = 1.0
    #: Of a numeric predictor, before the transform.
    unit: str = ""
    #: Of a category: its levels are what stands before it in the cells; else empty.
    family_separator: str = ""
    #: Of a category: (label, level, note) of each printed label that is read as another level.
    readings: tuple[tuple[str, str, str], ...] = ()
    #: Of a numeric predictor: the shape of its effect.
    curve: Literal["", "quadratic", "spline"] = ""
    #: Interior and boundary knots of a spline, after the transform.
    knots: tuple[float, ...] = ()
    #: Numeric, of a panel: whether firms' means and the deviations from them are terms apart.
    split: bool = False
    #: Numeric: values in its unit, before the transform, at which it is compared.
    at: tuple[float, ...] = ()


def frozen(values: Any, dtype: Any = np.float64) -> NDArray[Any]:
    """An array that nobody can write to: a study does not change once it is read."""
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


def of_rows(predictor: Predictor, rows: Integers) -> Predictor:
    """The same predictor at some rows, in this order; its scale and levels stay."""
    return replace(
        predictor,
        printed=tuple(predictor.printed[row] for row in rows),
        codes=frozen(predictor.codes[rows], np.intp) if predictor.codes.size else predictor.codes,
        values=frozen(predictor.values[rows]) if predictor.values.size else predictor.values,
    )


def coded(labels: Sequence[str], levels: Sequence[str]) -> Integers:
    """Positions of labels among levels."""
    place = {level: code for code, level in enumerate(levels)}
    return frozen([place[label] for label in labels], np.intp)


# -- the outcome -------------------------------------------------------------------------


def read_outcome(spec: ShareTable, sources: Sources) -> tuple[Outcome, tuple[tuple[str, str], ...]]:
    """Read the printed shares; firms without one are left out of ``sources``, and told with why."""
    file = spec.file or sources.file
    key = "lower" if spec.lower else "column"
    column = spec.lower or spec.column
    if sources.listing and file != sources.file:
        said = f"expected the file of the rows, {shown(sources.file)}: delete this key"
        raise spec.error("file", said)
    cells = sources.cells(file, column, f"[outcome] {key}")
    require_numbers(cells)
    for name in (key, "upper", "rounding_width", "weights"):
        if getattr(spec, name) == sources.key(file):
            said = "expected another column than the one with the firms"
            raise wrong(said, f"[outcome] {name}")
    if spec.lower:
        uppers = sources.cells(file, spec.upper, "[outcome] upper")
        require_numbers(uppers)
        known = [i for i, ends in enumerate(zip(cells, uppers, strict=True)) if not _open(*ends)]
        read = read_each(lambda i: _band(cells[i], uppers[i], spec), known)
        _check_bands([(cells[i], band) for i, band in zip(known, read, strict=True)])
    else:
        known = [i for i, cell in enumerate(cells) if not cell.missing]
        if isinstance(spec.rounding_width, str):
            share_of = _own_width(spec, sources, file)
            read = read_each(lambda i: share_of(i, cells[i]), known)
        else:
            width, share = share_reader(spec)
            read = [(value, width) for value in read_each(lambda i: share(cells[i]), known)]
    shares = dict(zip(known, read, strict=True))
    if len(shares) < FEWEST_FIRMS:
        one = sources.one
        have = f"only {len(shares)} of {len(cells)} {one}s have" if shares else f"no {one} has"
        raise in_column(f"{have} a share; expected at least {FEWEST_FIRMS}", file, column)
    dropped = tuple(
        (firm, f"no {column} in {file}, row {cell.row}")
        for i, (firm, cell) in enumerate(zip(sources.firms, cells, strict=True))
        if i not in shares
    )
    sources.keep(list(shares))
    if len(firms := set(sources.units)) < FEWEST_FIRMS:
        said = f"only {len(firms)} firms have a share; expected at least {FEWEST_FIRMS}"
        raise in_column(said, file, column)
    first, second = np.array(list(shares.values())).T
    made = _bands_of if spec.lower else outcome_of
    outcome = made(spec, file, first, second)
    return replace(outcome, weights=_weights(spec, file, sources), zeros=spec.zeros), dropped


def _own_width(spec: ShareTable, sources: Sources, file: str) -> Callable[[int, Cell], _Interval]:
    """How a row is read whose rounding width follows from its decimals, or stands in a column."""
    scale, column = 100 if spec.unit == "fraction" else 1, str(spec.rounding_width)
    grid = lru_cache(maxsize=64)(rounding.grid)
    if column == "printed":
        widths = None
    else:
        widths = sources.cells(file, column, "[outcome] rounding_width")

    def read(row: int, cell: Cell) -> _Interval:
        if widths is not None and widths[row].missing:
            said = "expected the rounding width of the row; write it, or delete the row"
            raise widths[row].error(said)
        width = _decimals(cell, scale) if widths is None else _times(widths[row].number(), scale)
        if not FINEST_WIDTH <= width <= 100:
            where = cell if widths is None else widths[row]
            raise where.error(_range_of_width(scale))
        try:
            values = grid(width)
        except ValueError as error:
            raise (cell if widths is None else widths[row]).error(str(error)) from error
        return _share(cell, values, width, scale), width

    return read


def _decimals(cell: Cell, scale: int) -> float:
    """Rounding width in percentage points that the decimals of a printed share stand for."""
    cell.number()
    whole, _, decimals = clean_label(cell.text).partition(".")
    if not f"{whole}{decimals}".lstrip("+-").isdecimal():
        raise cell.error(
            'expected a share with its decimals, such as 12.3: rounding_width = "printed" reads '
            "the width from them"
        )
    if scale == 100 and not decimals:
        raise cell.error(
            "expected a fraction with its decimals, such as 0.00 or 1.00: without them it would "
            "be rounded to whole numbers; fix the cell, or give rounding_width as a number"
        )
    return float(Decimal(scale).scaleb(-len(decimals)))


# -- bands ---------------------------------------------------------------------------------

#: A reported share and its rounding width, in percent; or the two ends of a band.
_Interval = tuple[float, float]


def _open(lower: Cell, upper: Cell) -> bool:
    """Whether a row has no band; one end alone is refused."""
    if lower.missing != upper.missing:
        empty = lower if lower.missing else upper
        raise empty.error(
            "expected both ends of a band, or neither: of an open band write the least or "
            "greatest share that is possible"
        )
    return lower.missing


def _band(lower: Cell, upper: Cell, spec: ShareTable) -> _Interval:
    """Read a band: its ends in percent."""
    scale = 100 if spec.unit == "fraction" else 1
    low, high = (_percent(cell, scale) for cell in (lower, upper))
    if high <= low:
        said = "the ends of the band are crossed" if high < low else "the band has no width"
        raise upper.error(
            f"{said}; expected an upper end above the lower end {lower.text.strip()}"
            f"{' (a share of exactly 0 or 100 is no band)' if high == low else ''}"
        )
    return low, high


def _check_bands(bands: Sequence[tuple[Cell, _Interval]]) -> None:
    """Refuse two bands that overlap in part: those of one question lie side by side."""
    first: dict[_Interval, Cell] = {}
    for cell, band in bands:
        first.setdefault(band, cell)
    around: list[_Interval] = []
    for band in sorted(first, key=lambda ends: (ends[0], -ends[1])):
        while around and around[-1][1] <= band[0]:
            around.pop()
        if around and around[-1][1] < band[1]:
            other = around[-1]
            raise first[band].error(
                f"the band {band[0]:g} to {band[1]:g} percent and that of row "
                f"{first[other].row}, {other[0]:g} to {other[1]:g}, overlap in part; expected "
                "bands side by side, or one within the other: fix one of them"
            )
        around.append(band)


def _bands_of(spec: ShareTable, file: str, low: Floats, high: Floats) -> Outcome:
    lower, upper = low / 100, high / 100
    return Outcome(
        file=file,
        column=f"{spec.lower} to {spec.upper}",
        label=spec.label or label_for(f"{spec.lower} to {spec.upper}"),
        unit=spec.unit,
        width=0.0,
        printed=frozen((low + high) / 2),
        lower=frozen(lower),
        upper=frozen(upper),
        widths=frozen(np.full(len(low), np.nan)),
        bands=tuple(sorted(set(zip(lower.tolist(), upper.tolist(), strict=True)))),
        ends=(spec.lower, spec.upper),
    )


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    """How shares are reported, for a person to check before fitting."""
    low, high = outcome.printed.min(), outcome.printed.max()
    span = f"from {low:.10g} to {high:.10g} percent"
    unit = outcome.unit.replace("fraction", "fractions")
    if outcome.bands:
        yield f"            in {len(outcome.bands)} bands, from the lower end to the upper:"
        rows = list(zip(outcome.lower.tolist(), outcome.upper.tolist(), strict=True))
        for band in outcome.bands[:MOST_LISTED]:
            ends = f"{100 * band[0]:.10g} to {100 * band[1]:.10g} percent"
            yield f"            {rows.count(band):>5}  {ends}"
        if len(outcome.bands) > MOST_LISTED:
            yield f"            and {len(outcome.bands) - MOST_LISTED:,} more"
    elif outcome.width:
        yield (
            f"            reported in {unit}, rounded to "
            f"{amount(outcome.width, 'percentage points')}; {span}"
        )
    else:
        widths, counts = np.unique(outcome.widths, return_counts=True)
        pairs = list(zip(widths, counts, strict=True))
        parts = [f"{width:.10g} ({count:,} rows)" for width, count in pairs[:MOST_NOTES]]
        more = f" and {len(pairs) - MOST_NOTES:,} more" * (len(pairs) > MOST_NOTES)
        yield f"            reported in {unit}, {span}"
        yield f"            rounded to {', '.join(parts)}{more} percentage points"
    if outcome.unit == "percent" and high <= 1:
        yield '            none is above 1 percent; for fractions write unit = "fraction"'
    if outcome.zeros == "structural":
        zeros = int((outcome.lower == 0).sum())
        yield f"            an exact zero may be structural: {zeros:,} rows report 0 or nearly so"
    if outcome.weights is not None:
        # Kish's effective number of rows.
        effective = outcome.weights.sum() ** 2 / (outcome.weights**2).sum()
        yield f"            weighted: {len(outcome.weights):,} rows count as {effective:,.1f}"


def _weights(spec: ShareTable, file: str, sources: Sources) -> Floats | None:
    """Weights of the rows, scaled to sum to their number; None if all are the same."""
    if not spec.weights:
        return None
    cells = sources.cells(file, spec.weights, "[outcome] weights")
    require_numbers(cells)
    weights = np.array(read_each(_weight, cells))
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    if not 0 < total < math.inf:
        said = "all weights are 0" if not total else "the weights are too large to be added"
        raise in_column(f"{said}; expected weights above 0", file, spec.weights)
    scaled = weights * (len(weights) / total)
    return None if (weights == weights[0]).all() else frozen(scaled)


def _weight(cell: Cell) -> float:
    if cell.missing:
        raise cell.error("expected a weight; write it, or 0 for a row that does not count")
    if cell.number() < 0:
        raise cell.error("expected a weight of at least 0: what the row counts; fix the cell")
    return cell.number()


# -- shares of one rounding width ----------------------------------------------------------


def outcome_of(spec: ShareTable, file: str, printed: Floats, widths: Floats) -> Outcome:
    """Make an outcome of shares in percent, each rounded to its width."""
    lower, upper = np.empty((2, len(printed)))
    different = np.unique(widths)
    for width in different:
        here = widths == width
        lower[here], upper[here] = rounding.intervals(printed[here], float(width))
    return Outcome(
        file=file,
        column=spec.column,
        label=spec.label or label_for(spec.column),
        unit=spec.unit,
        width=float(different[0]) if len(different) == 1 else 0.0,
        printed=frozen(printed),
        lower=frozen(lower),
        upper=frozen(upper),
        widths=frozen(widths),
    )


def share_reader(spec: ShareTable) -> tuple[float, Callable[[Cell], float]]:
    """Rounding width in percentage points, and how a cell is read: in percent, on the grid."""
    scale, written = 100 if spec.unit == "fraction" else 1, spec.rounding_width
    key = "[outcome] rounding_width"
    if written is None or isinstance(written, str):
        raise wrong("expected a number: a register has one rounding width", key, written)
    width = _times(written, scale)
    if not FINEST_WIDTH <= width <= 100:
        raise wrong(_range_of_width(scale), key, written)
    try:
        grid = rounding.grid(width)
    except ValueError as error:
        raise wrong(str(error), key, written) from error
    return width, partial(_share, grid=grid, width=width, scale=scale)


def _range_of_width(scale: int) -> str:
    unit = "as a fraction" if scale == 100 else "in percentage points"
    return (
        f"expected a rounding width {unit} from {FINEST_WIDTH / scale:g} to {100 / scale:g}: the "
        "distance between neighbouring reported shares"
    )


def _times(value: float, scale: int) -> float:
    """Multiply as on paper: 0.07 times 100 is 7, not 7.000000000000001."""
    return float(Decimal(repr(value)) * scale)


def _percent(cell: Cell, scale: int) -> float:
    percent = _times(cell.number(), scale)
    if not 0 <= percent <= 100:
        hint = '; for shares in percent write unit = "percent"' if scale == 100 < percent else ""
        raise cell.error(f"expected a share from 0 to {100 // scale}{hint}")
    return percent


def _share(cell: Cell, grid: Floats, width: float, scale: int) -> float:
    """Read a printed share; returns it in percent, exactly as the grid has it."""
    percent = _percent(cell, scale)
    if not bool(rounding.on_grid(np.array([percent]), width)[0]):
        above = int(np.searchsorted(grid, percent))
        neighbours = grid[above - 1 : above + 1]
        raise cell.error(
            f"expected a multiple of the rounding width {width / scale:.10g}: "
            f"{' or '.join(f'{x / scale:.10g}' for x in neighbours)}; fix the share, or "
            f"rounding_width in study.toml{_FRACTION if scale == 1 and percent < 1 else ''}"
        )
    # 12.2 is printed, 122 * 0.1 is not quite 12.2: what the grid holds is taken.
    return float(grid[min(round(percent / width), len(grid) - 1)])


# -- the predictors ----------------------------------------------------------------------


def read_predictor(
    name: str,
    spec: CategoryTable
    | ContrastTable
    | NumericTable
    | OrderedPredictorTable
    | WalkTable
    | CovariateTable,
    sources: Sources,
    outcome: Outcome | OutcomeColumns,
) -> Predictor:
    """Read a predictor, or a covariate that a variant adds to them."""
    file, column = spec.file or sources.file, spec.column
    cells = sources.cells(file, column, f"{spec.where} column")
    if file == outcome.file and column in outcome.columns:
        raise spec.error("column", "expected another column than the outcome's")
    if column == sources.key(file):
        raise spec.error("column", "expected another column than the firms'")
    predictor = partial(
        Predictor,
        name=name,
        label=spec.label or label_for(column),
        file=file,
        column=column,
        printed=tuple(cell.text for cell in cells),
    )
    match spec:
        case CategoryTable():
            readings = tuple((r["label"], r["level"], r["note"]) for r in spec.readings)
            if readings:  # they tell how cells were read
                read = read_each(Cell.label, cells)
            else:
                read = read_each(lambda cell: sources.level(cell, spec.family_separator), cells)
            _check_used([label for label, *_ in readings], read, file, f"{spec.where} readings")
            level_of = {label: level for label, level, _ in readings}
            read = [level_of.get(label, label) for label in read]
            levels = tuple(sorted(set(read)))
            _require_two(read, file, column, sources.one)
            return predictor(
                kind="category",
                levels=levels,
                codes=coded(read, levels),
                family_separator=spec.family_separator,
                readings=readings,
            )
        case ContrastTable():
            both = (spec.low, spec.high)
            read = read_each(lambda cell: one_of(both, cell, sources.label(cell)), cells)
            _require_two(read, file, column, sources.one, f"both {listed(both)}")
            halves = frozen([0.5 if label == spec.high else -0.5 for label in read])
            return predictor(kind="contrast", levels=both, values=halves)
        case OrderedPredictorTable():
            read = read_each(lambda cell: _ordered(spec, cell, sources), cells)
            _require_two(read, file, column)
            return predictor(kind="ordered", levels=spec.levels, codes=coded(read, spec.levels))
        case WalkTable():
            listing, levels = sources.listing, spec.levels
            if not levels and listing and (file, column) == (sources.file, listing.time):
                levels = listing.levels
            periods, codes = in_time(cells, levels, f"{spec.where} levels", sources)
            _require_two([periods[code] for code in codes], file, column)
            return predictor(kind="walk", levels=periods, codes=frozen(codes, np.intp))
        case _:
            values = _numbers(cells, spec.transform, sources)
            center, scale = _center_and_scale(values, cells)
            dates = spec.transform == "none" and _all_years(values)
            own = predictor(
                kind="numeric",
                values=values,
                transform=spec.transform,
                center=center,
                scale=scale,
                unit=spec.unit or YEAR * dates,
            )
            if isinstance(spec, CovariateTable):
                return own
            own = replace(
                own,
                curve=spec.curve or "",
                knots=_knots(spec, values, cells),
                split=spec.split is not None,
                at=tuple(map(float, spec.at)),
            )
            if own.curve or own.split:
                require_known(own, sources, f"{own.curve} curve" if own.curve else "split")
            if own.split:
                _check_split(own, sources)
            return own


def _check_used(labels: Iterable[str], used: Iterable[str], file: str, key: str) -> None:
    """Refuse a label of study.toml that no cell has."""
    for label in labels:
        if label not in used:
            said = f"no firm has this label{did_you_mean(label, used)}; expected a label of {file}"
            raise wrong(f"{said}: delete it, or fix it", key, label)


def _numbers(cells: Sequence[Cell], transform: str, sources: Sources) -> Floats:
    """Read a column of numbers on the scale of the model; NaN where one is missing."""
    for cell in cells if sources.listing and cells[0].file != sources.file else ():
        if cell.missing:
            raise cell.error(
                "an unknown value of a firm would be estimated separately in each of its rows; "
                "expected a number: write it, or delete the firm"
            )
    require_numbers(cells)
    return frozen(read_each(lambda cell: transformed(cell, transform), cells))


def _require_two(
    read: Sequence[str], file: str, column: str, one: str = "row", need: str = "two or more levels"
) -> None:
    """Refuse a predictor of which all rows have the same level."""
    if len(set(read)) == 1:
        said = f"every {one} has this level; expected {need}: delete the predictor"
        raise in_column(said, file, column, read[0])


def _ordered(spec: OrderedPredictorTable, cell: Cell, sources: Sources) -> str:
    """The level of a cell, one of those in their order."""
    label = sources.label(cell)
    if label not in spec.levels:
        raise cell.error(
            f"expected one of {listed(spec.levels)}{did_you_mean(label, spec.levels)}; fix the "
            "cell, or levels in study.toml"
        )
    return label


def require_known(predictor: Predictor, sources: Sources, what: str) -> None:
    """Refuse a predictor with a missing value for a term that takes none."""
    said = f"a predictor with missing values takes no {what}; expected a number: write it, or "
    missing = np.flatnonzero(np.isnan(predictor.values))
    cells = sources.cells(predictor.file, predictor.column, "")
    if errors := [cells[place].error(f"{said}delete the row") for place in missing.tolist()]:
        raise together(errors)


def _knots(spec: NumericTable, values: Floats, cells: Sequence[Cell]) -> tuple[float, ...]:
    """Knots of a spline after the transform; by default from the lowest value to the highest."""
    observed = np.unique(values[~np.isnan(values)])
    file, column = cells[0].file, cells[0].column
    if spec.curve == "quadratic" and len(observed) < 3:
        said = "only two different values; expected three or more for a curve"
        raise in_column(f"{said}: delete curve", file, column)
    if spec.curve != "spline":
        return ()
    if spec.knots:
        knots = np.log(spec.knots) if spec.transform == "log" else np.array(spec.knots, float)
        for knot, written in zip(knots[1:-1], spec.knots[1:-1], strict=True):
            if not observed[0] < knot < observed[-1]:
                said = "no value lies on one side of this knot; expected inner knots within the "
                raise wrong(f"{said}range of {column}", f"{spec.where} knots", written)
        return tuple(knots.tolist())
    knots = np.quantile(values[~np.isnan(values)], [0, 1 / 3, 2 / 3, 1])
    if (np.diff(knots) <= 0).any():
        raise in_column(
            "so many values are the same that two of the knots (quantiles 0, 1/3, 2/3 and 1) "
            f"coincide; expected knots in {spec.where}, or another curve",
            *(file, column),
        )
    return tuple(knots.tolist())


def _check_split(predictor: Predictor, sources: Sources) -> None:
    """Refuse a split where firms do not repeat, or do not differ between or within."""
    key = f"[predictors.{predictor.name}] split"
    firms = sorted(set(sources.units))
    if len(firms) == len(sources.units):
        said = "no firm repeats, so that nothing differs within one; expected firms in several rows"
        raise wrong(f"{said}, listed under [rows]: delete split", key, "within")
    codes = coded(sources.units, firms)
    means = (np.bincount(codes, predictor.values) / np.bincount(codes))[codes]
    # Rounding errors of the means must not pass for differences.
    tiny = 1e-9 * predictor.scale
    if np.abs(predictor.values - means).max() <= tiny:
        said = f"{predictor.column} is the same in all rows of a firm"
        raise wrong(f"{said}; expected values that differ within firms: delete split", key)
    if np.ptp(means) <= tiny:
        said = f"the mean of {predictor.column} is the same for all firms"
        raise wrong(f"{said}; expected means that differ: delete split", key)


def _all_years(values: Floats) -> bool:
    """Whether numbers look like years of our calendar."""
    known = values[~np.isnan(values)]
    return bool(np.all((known >= 1500) & (known < 2100) & (known % 1 == 0)))


def _center_and_scale(values: Floats, cells: Sequence[Cell]) -> tuple[float, float]:
    observed = values[~np.isnan(values)]
    file, column = cells[0].file, cells[0].column
    if not observed.size:
        raise in_column("no firm has a value; expected numbers", file, column)
    with np.errstate(over="ignore", invalid="ignore"):
        center = float(observed.mean())
        scale = float(observed.std(ddof=1)) if observed.size > 1 else 0.0
    # Rounding errors of the mean must not pass for differences between firms.
    if scale <= 1e-12 * float(np.abs(observed).max()):
        said = "all known values are the same; expected numbers that differ: delete the predictor"
        known = next(cell.text for cell in cells if not cell.missing)
        raise in_column(said, file, column, known)
    if not math.isfinite(center) or not math.isfinite(scale):
        said = "the numbers are too large for a mean; expected a larger unit"
        raise in_column(said, file, column)
    return center, scale


def one_of(levels: tuple[str, str], cell: Cell, label: str) -> str:
    """The label of a cell, if it is one of the two of a contrast."""
    if label not in levels:
        raise cell.error(
            f"expected {shown(levels[0])} (low) or {shown(levels[1])} (high)"
            f"{did_you_mean(label, levels)}; fix the cell, or low and high in study.toml"
        )
    return label


def transformed(cell: Cell, transform: str) -> float:
    """Read a cell as a number on the scale of the model; NaN if it is missing."""
    if cell.missing:
        return math.nan
    value = cell.number()
    if transform != "log":
        return value
    if value <= 0:
        raise cell.error(
            'expected a number above 0, because of transform = "log"; fix the cell, or write '
            'transform = "none" in study.toml'
        )
    return math.log(value)


def _require_free(
    columns: Sequence[str],
    file: str,
    key: str,
    sources: Sources,
    outcome: Outcome | OutcomeColumns,
    predictors: Mapping[str, Predictor],
) -> None:
    """Refuse columns that have the firms, the share or a predictor."""
    taken = {(outcome.file, column): "[outcome]" for column in outcome.columns}
    taken |= {(p.file, p.column): f"[predictors.{p.name}]" for p in predictors.values()}
    taken[file, sources.key(file)] = "[rows]" if sources.listing else "[firms]"
    for column in columns:
        if (file, column) in taken:
            raise wrong(f"expected another column; {taken[file, column]} uses it", key, column)


# -- groups of rows that have effects of their own ---------------------------------------


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which group each row belongs to: its cluster, its sector, or the firm it is of."""

    #: Names of the groups, in the order of their letters.
    labels: tuple[str, ...]
    #: Position of each row's group in ``labels``; shape (row,).
    codes: Integers
    #: What a group is, in words.
    label: str
    #: Where the groups stand.
    file: str
    column: str
    #: What the models call it: ``cluster``, ``firm``, or NAME of [groups.NAME].
    name: str = CLUSTER
    #: Names of predictors and interactions whose effects vary by group; None stands for all.
    slopes: tuple[str, ...] | None = None
    #: Whether level and slopes of a group are correlated.
    correlated: bool = False


@dataclass(frozen=True, eq=False)
class Panel:
    """Rows of which several are of one firm."""

    #: The firms; its name is ``firm``, it has no slopes.
    unit: Grouping
    #: Column with the period of each row; empty if rows have none.
    column: str
    #: Periods in the order of time; empty if rows have none.
    periods: tuple[str, ...]
    #: Position of each row's period in ``periods``; empty if rows have none; shape (row,).
    codes: Integers


def read_panel(sources: Sources) -> Panel | None:
    """Which rows are of the same firm; None if no two are."""
    spec, units = sources.listing, sources.units
    firms = tuple(sorted(set(units)))
    if spec is None or len(firms) == len(units):
        return None
    unit = Grouping(
        firms, coded(units, firms), spec.label, sources.file, sources.column, "firm", slopes=()
    )
    used, codes = np.unique(np.array(sources.period_codes, dtype=np.intp), return_inverse=True)
    periods = tuple(sources.periods[code] for code in used)
    return Panel(unit, spec.time, periods, frozen(codes, np.intp))


def panel_lines(panel: Panel) -> Iterator[str]:
    """How many rows firms have, for a person to check before fitting."""
    counts = np.bincount(panel.unit.codes)
    few, many = int(counts.min()), int(counts.max())
    often = f"{few}" if few == many else f"{few} to {many}"
    yield f"  rows      {len(panel.unit.codes):,}, {often} of each {panel.unit.label}"
    if panel.periods:
        said = f"  periods   {len(panel.periods)}, {panel.column}: {shortened(panel.periods, 12)}"
        yield one_line(said)


def read_clusters(
    spec: ClusterTable, sources: Sources, outcome: Outcome, predictors: Mapping[str, Predictor]
) -> Grouping:
    """Read which cluster each firm belongs to."""
    file, column = spec.file or sources.file, spec.column
    _require_free([column], file, "[cluster] column", sources, outcome, predictors)
    found = _group_names(sources.cells(file, column, "[cluster] column"), sources, CLUSTER)
    labels = _checked_groups(found, sources, CLUSTER, spec)
    return Grouping(labels, coded(found, labels), spec.label or "Cluster", file, column)


def read_grouping(
    name: str,
    spec: GroupingTable,
    sources: Sources,
    outcome: Outcome | OutcomeColumns,
    predictors: Mapping[str, Predictor],
) -> Grouping:
    """Read which group of [groups.NAME] each row belongs to; slopes are checked elsewhere."""
    file, column = spec.file or sources.file, spec.column
    # What has a trend, or a contrast, may also have groups; a category would be the same twice.
    categories = {n: own for n, own in predictors.items() if own.kind in ("category", "walk")}
    _require_free([column], file, f"{spec.where} column", sources, outcome, categories)
    found = _group_names(sources.cells(file, column, f"{spec.where} column"), sources, "group")
    if spec.within:
        cells = sources.cells(file, spec.within, f"{spec.where} within")
        larger = _group_names(cells, sources, "larger group")
        found = [f"{one} / {own}" for one, own in zip(larger, found, strict=True)]
        column = f"{spec.within} / {column}"
    labels = _checked_groups(found, sources, "group", spec)
    codes = coded(found, labels)
    firms = len(set(sources.units))
    alone = len(labels) == firms == len(set(zip(codes, sources.units, strict=True)))
    if alone and firms < len(codes):
        raise in_column(
            "each firm is a group of its own, and firms that repeat have effects anyway; expected "
            f"groups of several firms: delete {spec.where}",
            *(file, column),
        )
    return Grouping(
        *(labels, codes, spec.label or label_for(spec.column), file, column),
        name=name,
        slopes=spec.slopes,
        correlated=spec.correlated,
    )


def _group_names(cells: Sequence[Cell], sources: Sources, what: str) -> list[str]:
    """The group in each cell, of which none may be missing."""
    said = f"expected the name of the {sources.one}'s {what}; write it, or delete the {sources.one}"
    if errors := [cell.error(said) for cell in cells if cell.missing]:
        raise together(errors)
    return [sources.label(cell) for cell in cells]


def _checked_groups(
    found: Sequence[str], sources: Sources, what: str, spec: ClusterTable
) -> tuple[str, ...]:
    """Names of the groups, of which there must be several that have several rows."""
    labels, one = tuple(sorted(set(found))), sources.one
    place = (spec.file or sources.file, spec.column, labels[0])
    if len(labels) == 1:
        raise in_column(
            f"every {one} is of this {what}; expected two or more: add {one}s of other {what}s, or "
            f"delete {spec.where}",
            *place,
        )
    if len(labels) == len(found):
        raise in_column(
            f"each of the {len(found)} {one}s is of a {what} of its own; expected the name of the "
            f"{what} in this column, the same for {one}s that belong together",
            *place,
        )
    return labels


def grouping_lines(grouping: Grouping) -> Iterator[str]:
    """How many rows each group has, for a person to check before fitting."""
    place = f"{grouping.file}, {grouping.column}"
    what = "clusters, estimated together" if grouping.name == CLUSTER else f"groups {grouping.name}"
    yield one_line(f"{what}: {len(grouping.labels)}, {grouping.label} ({place})")
    if grouping.slopes:
        level = " and are correlated with the level" if grouping.correlated else ""
        yield one_line(f"  effects that differ between them{level}: {listed(grouping.slopes)}")
    counts = np.bincount(grouping.codes)
    few = zip(grouping.labels, counts, strict=True)
    most = len(counts) if grouping.name == CLUSTER else MOST_LISTED
    for label, count in islice(few, most):
        yield one_line(f"  {count:>5}  {label}")
    if len(counts) > most:
        yield f"  and {len(counts) - most:,} more, of {counts.min()} to {counts.max()} rows"
    yield from lookalike_lines(grouping.labels)


# -- sums over the firms -------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Total:
    """What the shares of all firms come to, as parts of what a column has of each."""

    name: str
    #: What the sum is, and what the column has, in words.
    label: str
    of: str
    unit: str
    file: str
    column: str
    #: What each firm has; NaN where it is missing; shape (firm,).
    values: Floats


def read_total(name: str, spec: TotalTable, sources: Sources, outcome: Outcome) -> Total:
    """Read what the shares are parts of."""
    if sources.listing:
        raise wrong(
            "firms have several rows here, and a sum over rows would count a firm once a period; "
            f"expected a study with [firms]: delete {spec.where}",
            spec.where,
        )
    file = spec.file or sources.file
    if file == outcome.file and spec.column in outcome.columns:
        raise spec.error("column", "expected the column of what the shares are parts of")
    cells = sources.cells(file, spec.column, f"{spec.where} column")
    require_numbers(cells)
    values = np.array([math.nan if cell.missing else cell.number() for cell in cells])
    missing = np.isnan(values)
    for cell, value in zip(cells, values, strict=True):
        # What is missing is drawn from a lognormal law, as others are known.
        if value < 0 or (value == 0 and missing.any()):
            least = "above 0, as others are missing" if missing.any() else "of at least 0"
            raise cell.error(f"expected a number {least}: shares are parts of it; fix the cell")
    if (values > 0).sum() < FEWEST_FIRMS:
        said = f"only {(values > 0).sum()} firms have a number above 0; expected {FEWEST_FIRMS}"
        raise in_column(f"{said}: delete {spec.where}", file, spec.column)
    return Total(
        *(name, spec.label, spec.of or spec.column, spec.unit, file, spec.column), frozen(values)
    )


# -- further outcomes --------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class FurtherOutcome:
    """An outcome beside the share, on the same predictors."""

    name: str
    note: str
    kind: Literal["ordered", "binary"]
    #: What it is, in words.
    label: str
    file: str
    #: Where it is printed; one if it is ordered.
    columns: tuple[str, ...]
    #: Lowest first; of a binary outcome the labels read as no, and those read as yes.
    levels: tuple[str, ...]
    #: Position of each firm in ``levels``; 0 where ``known`` is false; shape (firm,).
    codes: Integers
    #: Whether the firm's outcome is printed; shape (firm,).
    known: Any
    #: Cells as they stand in the file; several are joined by a slash; length (firm,).
    printed: tuple[str, ...]
    #: Tuple of (label, level, note): how each printed label was read.
    readings: tuple[tuple[str, str, str], ...]
    #: Tuple of (firm, why): firms that are left out of the fit.
    missing: tuple[tuple[str, str], ...]

    @property
    def worth(self) -> Floats:
        """What a level counts: stages from 0 if ordered; 0 and 100 percent if binary."""
        return 100 * np.arange(2.0) if self.kind == "binary" else np.arange(float(len(self.levels)))


def read_further(
    name: str,
    spec: OrderedTable | BinaryTable,
    sources: Sources,
    outcome: Outcome,
    predictors: Mapping[str, Predictor],
) -> FurtherOutcome:
    """Read one further outcome."""
    file = spec.file or sources.file
    columns: tuple[str, ...]
    if isinstance(spec, OrderedTable):
        columns, key = (spec.column,), f"{spec.where} column"
        levels = spec.levels
        readings = [(r["label"], r["level"], r["note"]) for r in spec.readings]
        mend = f"add a [[outcomes.{name}.readings]] for it"
    else:
        columns, key = spec.columns, f"{spec.where} columns"
        no, yes = levels = " or ".join(spec.no), " or ".join(spec.yes)
        readings = [(label, no, "") for label in spec.no]
        readings += [(label, yes, "") for label in spec.yes]
        mend = f"fix the cell, or yes and no of [outcomes.{name}]"
    _require_free(columns, file, key, sources, outcome, predictors)
    table = list(zip(*(sources.cells(file, c, key) for c in columns), strict=True))
    read = {label: levels.index(level) for label, level, _ in readings}
    codes = [_highest(cells, read, sources, name, mend) for cells in table]
    used = {clean_label(cell.text) for cells in table for cell in cells}
    for label, code in read.items():
        said = "readings" if spec.kind == "ordered" else ("no", "yes")[code]
        _check_used([label], used, file, f"{spec.where} {said}")
    known = [code for code in codes if code is not None]
    if len(known) < FEWEST_FIRMS:
        said = f"only {len(known)} of {len(codes)} firms have this outcome; expected at least "
        raise in_column(f"{said}{FEWEST_FIRMS}: delete the outcome", file, listed(columns))
    if len(set(known)) == 1:
        said = "every firm has this level; expected two or more: delete the outcome"
        raise in_column(said, file, listed(columns), levels[known[0]])
    return FurtherOutcome(
        name=name,
        note=spec.note,
        kind=spec.kind,
        label=spec.label or label_for(columns[0]),
        file=file,
        columns=columns,
        levels=levels,
        codes=frozen([code or 0 for code in codes], np.intp),
        known=frozen([code is not None for code in codes], bool),
        printed=tuple(" / ".join(c.text for c in cells if c.text.strip()) for cells in table),
        readings=tuple(readings),
        missing=tuple(
            (firm, f"no {' or '.join(columns)} in {file}, row {cells[0].row}")
            for firm, cells, code in zip(sources.firms, table, codes, strict=True)
            if code is None
        ),
    )


def _highest(
    cells: Sequence[Cell], read: Mapping[str, int], sources: Sources, name: str, mend: str
) -> int | None:
    """Level of a firm: the highest that any of its cells holds; None if all are empty."""
    found = []
    for cell in cells:
        if cell.missing and clean_label(cell.text) not in read:
            continue
        label = sources.note(cell, clean_label(cell.text))
        if label not in read:
            raise cell.error(
                f"expected a label with a reading in outcome {shown(name)}"
                f"{did_you_mean(label, read)}; {mend}"
            )
        found.append(read[label])
    return max(found, default=None)


def group_outcome(
    name: str,
    spec: GroupOutcomesTable,
    own: str,
    groups: Mapping[str, Group],
    silence: Mapping[str, Silence],
    sources: Sources,
) -> FurtherOutcome:
    """Read whether each firm belongs to a group, by the rules of ``silence``.

    A firm of which that is not known is left out. The outcome is called after its table and the
    group, as in ``entry-exporters``.
    """
    key = f"{spec.where} groups"
    if own not in groups:
        said = f"no such group of rows{did_you_mean(own, groups)}"
        raise wrong(f"{said}; expected one of {listed(groups) or 'none'}", key, own)
    group, one = groups[own], sources.one
    known = dict(zip(group.rows, group.members, strict=True))
    if not known.keys() >= set(sources.firms):
        raise wrong(f"expected a group of the {one}s of {sources.file}", key, own)
    members = [known[firm] for firm in sources.firms]
    counts = {how: members.count(how) for how in (True, False)}
    if not all(counts.values()) or sum(counts.values()) < FEWEST_FIRMS:
        raise wrong(
            f"{counts[True]} {one}s belong to this group, {counts[False]} do not, and for "
            f"{members.count(None)} it is not known; expected some of each, and at least "
            f"{FEWEST_FIRMS}: name another group, or delete this one",
            *(key, own),
        )
    places = [split_place(text, key) for text in group.columns]
    cells = [sources.cells(file, column, key) for file, column in places]
    rules = [(place, silence[place]) for place in group.columns if place in silence]
    open_by = [
        f"In {place.replace(': ', ', column ')}, {rule.describe()}. {rule.note}"
        for place, rule in rules
    ]
    notes = [spec.note, *(open_by if None in members else [])]
    return FurtherOutcome(
        name=f"{name}-{own}",
        note=". ".join(text.strip(" .") for text in notes if text),
        kind="binary",
        label=capital(group.label),
        file=", ".join(dict.fromkeys(file for file, _ in places)),
        columns=tuple(column for _, column in places),
        levels=("no", "yes"),
        codes=frozen([member is True for member in members], np.intp),
        known=frozen([member is not None for member in members], bool),
        printed=tuple(" / ".join(c.text for c in row) for row in zip(*cells, strict=True))
        or sources.firms,
        readings=(),
        missing=tuple(
            (firm, f"nothing that tells whether it is of the group {own}")
            for firm, member in zip(sources.firms, members, strict=True)
            if member is None
        ),
    )


def further_line(outcome: FurtherOutcome) -> str:
    """What was read, in one line."""
    counts = np.bincount(outcome.codes[outcome.known], minlength=len(outcome.levels))
    parts = [f"{level} {count}" for level, count in zip(outcome.levels, counts, strict=True)]
    without = f"; not known: {', '.join(firm for firm, _ in outcome.missing)}"
    return (
        f"{outcome.name}: {outcome.kind}, {outcome.label} ({outcome.file}, "
        f"{', '.join(outcome.columns)}): {' < '.join(parts)}{without * bool(outcome.missing)}"
    )
