"""Studies from a DataFrame: the same study.toml and tables that a folder has, in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import TYPE_CHECKING, Any

from intlmodels.core.csvtable import clean_label, parse_number, table_text
from intlmodels.core.errors import StudyError, did_you_mean, listed
from intlmodels.core.formats import label_for
from intlmodels.core.settings import checked
from intlmodels.core.toml import toml_text
from intlmodels.studies.formula import (
    UNIT_AS_PREDICTOR,
    completed,
    no_column,
    parse_formula,
    variable_name,
)
from intlmodels.studies.schema import FILE

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from intlmodels.studies.base import Study

#: What a saved study calls the table of its rows, and what messages call it.
_TABLE, _DATA = "data.csv", "data"

#: Decimals of a printed share, in percent or as a fraction; more are those of binary numbers.
_MOST_DECIMALS = 5

#: Arguments of :func:`study`, tables of study.toml among them.
_ARGUMENTS = (
    *("outcome", "unit", "time", "predictors", "interactions", "groups", "rounding_width"),
    *("unit_of_measure", "weights", "zeros", "precision", "name", "title", "variants", "priors"),
    *("profiles", "outcomes", "claims", "fit", "cluster", "study"),
)

Named = str | Sequence[Any] | Mapping[str, Any] | None


@checked
def study(
    formula: Any = None,
    data: Any = None,
    *,
    outcome: str | Mapping[str, Any] = "",
    unit: str = "",
    time: str = "",
    predictors: str | Sequence[Any] | Mapping[str, Any] | None = None,
    interactions: str | Sequence[Any] | Mapping[str, Any] | None = None,
    groups: str | Sequence[Any] | Mapping[str, Any] | None = None,
    rounding_width: float | str | None = None,
    unit_of_measure: str = "",
    weights: str = "",
    zeros: str | Sequence[str] = "",
    precision: str | Sequence[str] = (),
    name: str = "",
    title: str = "",
    **tables: Any,
) -> Study:
    """Make a study of shares from a DataFrame.

    What is read is what the folder of a study would hold: every check and message is the same, and
    ``save`` writes the folder.

    Parameters
    ----------
    formula : str or DataFrame
        A formula in the dialect of lme4, such as ``"share ~ owner * log(size) + (1 | sector)"``:
        ``+``, ``:``, ``*``, ``(a + b) ** 2``; ``log(x)``, ``I(x ** 2)`` beside ``x`` or
        ``poly(x, 2)``, ``ns(x)``, ``within(x)`` (firms' means and deviations from them),
        ``mo(x)`` (ordered levels), ``walk(x)`` (periods), ``C(x)`` (labels); ``(1 | g)``,
        ``(x | g)``, ``(x || g)``, ``(1 | a/b)``. ``bands(lower, upper) ~ ...`` where two columns
        have the ends of bands. ``(1 | unit)`` may stand there: firms that repeat differ in level
        in any case. Without a formula: the data.
    data : DataFrame or what ``pandas.DataFrame`` takes
        One row a firm, or a firm and period. Data frames of others are asked for ``to_pandas``.
    outcome : str or mapping, optional
        Column of the shares; or keys of ``[outcome]``, such as ``{"lower": ..., "upper": ...}``.
    unit, time : str, optional
        Columns with the firm, which may repeat, and the period of each row. Without ``unit`` it is
        the column ``firm``; without one every row is a firm of its own, called by its label in the
        index.
    predictors : str, sequence of str, or mapping of str to mapping, optional
        Columns; or name to keys of ``[predictors.NAME]``, of which ``column`` is the name if it is
        not there. Where there is no ``kind``, strings are a category, or a contrast if they are
        two, sorted; ordered categoricals are ordered, numbers numeric, truth values a contrast of
        no and yes.
    interactions : sequence of str or pairs, or mapping, optional
        ``"a:b"`` or ``("a", "b")``; or name to such.
    groups : sequence of str, or mapping, optional
        Columns of groups that differ in level; or name to a column or to keys of
        ``[groups.NAME]``.
    rounding_width : float or str
        Distance between neighbouring reported shares, in their unit; ``"printed"`` for what their
        decimals say (a column of floats has those of its longest number throughout), or a column
        with each row's width.
    unit_of_measure : {"percent", "fraction"}, optional
        Percent unless every share is at most 1; then it has to be said.
    weights : str, optional
        Column of weights.
    zeros : {"rounded", "structural"} or sequence of str, optional
        How an exact 0 is read; names of predictors on which structural zeros depend.
    precision : str or sequence of str, optional
        Predictors on which the precision depends.
    name, title : str, optional
        Of the study; they follow the outcome's column if not given.
    **tables
        Further tables of study.toml by name: ``variants``, ``priors``, ``profiles``, ``outcomes``,
        ``fit``, ``cluster``, ``study``.

    Returns
    -------
    ShareStudy
        As :func:`intlmodels.load_study` returns it.

    Raises
    ------
    StudyError
        For the first thing that is wrong, in one line; rows by their label in the index if it has
        whole numbers, else by position from 0.

    Examples
    --------
    ::

        study = im.study("share ~ owner + log(size)", data, rounding_width=1)
        im.estimates(im.fit_study(study))
    """
    from intlmodels.studies import read_study

    if not isinstance(formula, str) and data is None:
        formula, data = "", formula
    rows = _Rows(_frame(data))
    asked = {"predictors": predictors, "interactions": interactions, "groups": groups}
    if formula:
        if any(asked.values()) or outcome:
            raise _error("a formula names the outcome and the terms; expected one of both", formula)
        parsed = parse_formula(formula)
        for column in parsed.columns:
            rows.require(column, "formula")
        keys = ("column",) if len(parsed.outcome) == 1 else ("lower", "upper")
        outcome = dict(zip(keys, parsed.outcome, strict=True))
        asked = {name: getattr(parsed, name) for name in asked}
    unit = unit or next((column for column in rows.columns if column.casefold() == "firm"), "")
    own = {"column": outcome} if isinstance(outcome, str) else dict(outcome)
    document: dict[str, Any] = {
        "study": _about(name, title, own, tables.pop("study", {})),
        **rows.firms(unit, time),
        "outcome": rows.outcome(own, rounding_width, unit_of_measure, weights, zeros),
    }
    if zeros and not isinstance(zeros, str):
        document["zeros"] = {"predictors": list(zeros)}
    if precision:
        named = [precision] if isinstance(precision, str) else list(precision)
        document["precision"] = {"predictors": named}
    later = {key: tables.pop(key) for key in ("variants", "outcomes") if key in tables}
    document |= {key: tables.pop(key) for key in ("cluster", "fit") if key in tables}
    document["predictors"] = {}
    for key, spec in _named(asked["predictors"], "predictors"):
        if unit and spec["column"] == unit:
            raise _error(UNIT_AS_PREDICTOR, unit)
        document["predictors"][key] = rows.predictor(spec)
    pairs = {key: {"of": own["of"]} | own for key, own in _pairs(asked["interactions"])}
    grouped = dict(_named(asked["groups"], "groups"))
    for key in [key for key, own in grouped.items() if unit and own["column"] == unit]:
        if "slopes" in grouped.pop(key):
            raise _error("firms differ in level only; expected no slopes", key)
    for own in grouped.values():
        for part in ("column", "within"):
            rows.require(own.get(part, own["column"]), "groups")
    document |= {"interactions": pairs} if pairs else {}
    document |= {"groups": grouped} if grouped else {}
    plain: dict[str, Any] = _plain({**document, **later, **tables})
    files = {FILE: toml_text(plain), _TABLE: rows.csv_text(plain)}
    try:
        return read_study(files)
    except StudyError as error:
        for key in tables:
            if error.column == f"[{key}]" and key not in _ARGUMENTS:
                near = did_you_mean(key, _ARGUMENTS)
                said = f"no such argument{near}; expected one of {listed(_ARGUMENTS, 20)}"
                raise _error(said, key) from error
        raise rows.located(error) from error


def _error(message: str, value: object = None) -> StudyError:
    return StudyError(message, file="study", value=value)


def _frame(data: Any) -> DataFrame:
    import pandas as pd

    if data is None or isinstance(data, str):
        raise StudyError("expected a DataFrame, as in im.study(formula, data)", file=_DATA)
    if hasattr(data, "to_pandas"):
        data = data.to_pandas()
    try:
        frame = pd.DataFrame(data)
    except (TypeError, ValueError) as error:
        said = f"expected a DataFrame, or what pandas.DataFrame() takes ({error})"
        raise StudyError(said, file=_DATA, value=type(data).__name__) from error
    frame = frame.set_axis([clean_label(str(column)) for column in frame.columns], axis=1)
    for column in frame.columns[frame.columns.duplicated()]:
        raise StudyError("expected every name of a column once", file=_DATA, column=column)
    if frame.empty:
        raise StudyError("expected rows and columns, and there are none", file=_DATA)
    return frame


def _about(name: str, title: str, outcome: Mapping[str, Any], more: Any) -> dict[str, Any]:
    """The table [study]."""
    from intlmodels.studies import study_name

    said = title or str(outcome.get("label") or outcome.get("column") or outcome.get("lower", ""))
    about = {"name": name or study_name(said), "title": title or label_for(said) or "study"}
    return {**about, **more, "model": "share"}


def _by_name(given: Named) -> Iterable[tuple[Any, Any]]:
    """What is given with the name that it has, or none."""
    if isinstance(given, Mapping):
        return given.items()
    return [(None, own) for own in ([given] if isinstance(given, str) else given or ())]


def _named(given: Named, what: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Tables by name, from names, columns or tables."""
    for name, own in _by_name(given):
        table = dict(own) if isinstance(own, Mapping) else {"column": name if own is None else own}
        column = table.setdefault("column", name)
        if not isinstance(column, str):
            raise _error(f"expected columns, or tables with a column, in {what}", own)
        yield name or variable_name(column), {"column": column} | table


def _pairs(given: Named) -> Iterator[tuple[str, dict[str, Any]]]:
    """Tables of interactions by name."""
    for name, own in _by_name(given):
        table = dict(own) if isinstance(own, Mapping) else {"of": own}
        both = table.get("of")
        both = both.split(":") if isinstance(both, str) else list(both or ())
        if len(both) != 2:
            raise _error("expected interactions of two predictors, as in 'a:b'", own)
        table["of"] = [str(one).strip() for one in both]
        yield name or "_".join(table["of"]), table


def _plain(value: Any) -> Any:
    """Values as TOML has them: no arrays, scalars of NumPy or truth values in place of labels."""
    if isinstance(value, Mapping):
        return {str(key): _plain(own) for key, own in value.items() if own is not None}
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "tolist"):  # of NumPy and pandas
        value = value.tolist()
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(own) for own in value]
    if isinstance(value, (bool, int, float)):
        return value
    return str(value)


@dataclass(frozen=True)
class _Rows:
    """The rows of a study, with columns as text."""

    frame: DataFrame

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.frame.columns)

    def require(self, column: Any, where: str) -> None:
        """Refuse the name of a column that is not there."""
        if column not in self.columns:
            raise StudyError(no_column(str(column), self.columns), file=where, value=column)

    def firms(self, unit: str, time: str) -> dict[str, Any]:
        """The table [rows] or [firms]; without a unit the index becomes a column."""
        for column in (unit, time):
            if column:
                self.require(column, "unit" if column == unit else "time")
        if not unit and time:
            raise _error("expected unit: the column with the firm of each row", time)
        if unit and (time or self.frame[unit].duplicated().any()):
            table: dict[str, Any] = {"file": _TABLE, "unit": unit}
            if time:
                order = _order(self.frame[time])
                table |= {"time": time, "levels": order} if order else {"time": time}
            return {"rows": table}
        if not unit:
            unit = self._index_column()
        return {"firms": {"file": _TABLE, "column": unit}}

    def _index_column(self) -> str:
        index = self.frame.index
        name = clean_label(str(index.name or "row"))
        while name in self.columns:
            name += "_"
        labels = [", ".join(map(str, own)) if isinstance(own, tuple) else own for own in index]
        self.frame[name] = labels if index.is_unique else range(len(index))
        return name

    def outcome(
        self,
        own: dict[str, Any],
        width: float | str | None,
        measure: str,
        weights: str,
        zeros: str | Sequence[str],
    ) -> dict[str, Any]:
        """The table [outcome]."""
        columns = [own[key] for key in ("column", "lower", "upper") if own.get(key)]
        if not columns:
            raise _error("expected outcome: the column of the shares")
        for column in columns:
            self.require(column, "outcome")
        given = {"unit": measure, "rounding_width": width, "weights": weights}
        given["zeros"] = zeros if isinstance(zeros, str) else "structural"
        own |= {key: value for key, value in given.items() if value not in ("", None)}
        if "rounding_width" not in own and "column" in own:
            raise _error(
                "expected rounding_width: the distance between neighbouring reported shares, as in "
                "rounding_width=1; or 'printed', or a column with the width of each row"
            )
        if isinstance(own.get("rounding_width"), str) and own["rounding_width"] != "printed":
            column = own["rounding_width"]
            near = did_you_mean(column, ["printed"])
            if near and column not in self.columns:
                raise _error(f"expected a number, 'printed' or a column{near}", column)
            self.require(column, "rounding_width")
        if own.get("weights"):
            self.require(own["weights"], "weights")
        if "unit" not in own:
            own["unit"] = self._measure(columns[-1])
        order = ("column", "lower", "upper", "label", "unit", "rounding_width", "weights", "zeros")
        return {key: own[key] for key in sorted(own, key=lambda key: (*order, key).index(key))}

    def _measure(self, column: str) -> str:
        """Percent, if the numbers say so."""
        numbers = []
        for text in _cells(self.frame[column]):
            try:
                numbers.append(parse_number(text))
            except ValueError:
                continue
        if numbers and max(numbers) <= 1:
            raise StudyError(
                "no share is above 1; expected unit_of_measure='fraction' (or 'percent', if they "
                "are that small)",
                file=_DATA,
                column=column,
                value=max(numbers),
            )
        return "percent"

    def predictor(self, spec: dict[str, Any]) -> dict[str, Any]:
        """The table of a predictor, with what follows from its column."""
        self.require(spec["column"], "predictors")
        series = self.frame[spec["column"]]
        for key in ("low", "high"):
            if key in spec:
                spec[key] = _cell(spec[key])
        if "levels" in spec:
            spec["levels"] = [_cell(level) for level in spec["levels"]]
        return completed(spec, _cells(series), _has_numbers(series), _order(series))

    def csv_text(self, document: Mapping[str, Any]) -> str:
        """The columns that a document names, as CSV."""
        named = set(_texts(document))
        printed = document["outcome"].get("rounding_width") == "printed"
        padded = document["outcome"].get("column") if printed else None
        columns = [column for column in self.columns if column in named]
        cells = [_cells(self.frame[column], column == padded) for column in columns]
        return table_text(columns, zip(*cells, strict=True))

    def located(self, error: StudyError) -> StudyError:
        """The error with the frame's own rows in place of those of a file."""
        index = self.frame.index

        def label(row: int) -> int:
            if not 2 <= row < len(index) + 2:
                return row
            own = index[row - 2]
            return int(own) if index.is_unique and index.dtype.kind in "iu" else row - 2

        here = error.file == _TABLE
        message = error.message.replace(_TABLE, _DATA).replace(f" in {FILE}", "")
        if here:
            message = re.sub(r"\brow (\d+)\b", lambda m: f"row {label(int(m[1]))}", message)
        key = error.file == FILE and error.column  # stands for an argument
        found = StudyError(
            message,
            file=_DATA if here else key.removeprefix("[outcome] ") if key else error.file,
            row=label(error.row) if here and error.row is not None else error.row,
            column=None if key else error.column,
            value=error.value,
        )
        found.further = tuple(map(self.located, error.further))
        return found


def _texts(value: Any) -> Iterator[str]:
    """All texts in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list)):
        for own in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(own)


# -- cells as text -------------------------------------------------------------------------


def _has_numbers(series: Series) -> bool:
    """Whether a column has numbers, not labels that look like some."""
    if series.dtype.kind in "iuf":
        return True
    known = series.dropna() if series.dtype == object else ()
    plain = (isinstance(one, Number) and not isinstance(one, bool) for one in known)
    return bool(len(known)) and all(plain)


def _order(series: Series) -> list[str]:
    """Labels of an ordered categorical that some row has, lowest first."""
    if not getattr(series.dtype, "ordered", False):
        return []
    return [_cell(level) for level in series.cat.remove_unused_categories().cat.categories]


def _cells(series: Series, same_decimals: bool = False) -> list[str]:
    """A column as text; what is missing is empty."""
    missing = series.isna().to_numpy()
    values = series.astype(object).to_numpy() if series.dtype.kind != "f" else series.to_numpy()
    if series.dtype.kind == "f":
        known = values[~missing]
        if (known == known.round()).all() and (abs(known) < 1e15).all():
            pairs = zip(values, missing, strict=True)
            return ["" if gone else str(int(own)) for own, gone in pairs]
    texts = ["" if gone else _cell(own) for own, gone in zip(values, missing, strict=True)]
    if same_decimals and series.dtype.kind == "f":
        most = max(len(text.partition(".")[2]) for text in texts)
        if most > _MOST_DECIMALS:
            raise StudyError(
                f"a number has {most} decimals, more than any table reports; expected numbers as "
                "they were reported: round the column, as with .round(1), or give rounding_width "
                "as a number",
                file=_DATA,
                column=str(series.name),
                value=max(texts, key=len),
            )
        texts = [text and f"{float(text):.{most}f}" for text in texts]
    return texts


def _cell(value: Any) -> str:
    """A value as text: no and yes for truth, dates without the time that they do not have."""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).removesuffix("T00:00:00")
    return str(value)
