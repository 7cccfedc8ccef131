"""Several variants of a model side by side, read from disk without their many draws."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.errors import StudyError
from intlmodels.fitting.store import require_whole
from intlmodels.results.intervals import CI_PROB, one_by_one, table_of

if TYPE_CHECKING:
    import pandas as pd
    from xarray import Dataset, DataTree


#: What HDF5 writes of a dimension that has no values of its own.
_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"
#: Attributes by which netCDF is laid out in HDF5.
_HIDDEN = frozenset({"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_FillValue"})


def light(path: Path, more: Iterable[str] = ()) -> DataTree:
    """Read of a stored fit only what a comparison with other variants shows.

    Parameters
    ----------
    path : Path
    more : iterable of str
        Further groups to read.

    Returns
    -------
    xarray.DataTree
        The attributes, the groups ``estimands`` and ``constant_data``, and of ``posterior``
        the parameters with a prior of their own. HDF5 is read directly: with many variants
        the general reader would take most of the time of a report.

    Raises
    ------
    StudyError
        If there is no file, or it is damaged, or no fit.
    """
    import h5py
    import xarray as xr

    priors = require_whole(path).priors
    with h5py.File(path, "r") as file:
        attributes = _attributes(file)
        groups = {name: _group(file[name]) for name in ("estimands", "constant_data", *more)}
        posterior = file["posterior"]
        names = [name for name in priors if name in posterior]
        dims = {dim for name in names for dim in _dims(posterior[name])[2:]}
        groups["posterior"] = _group(posterior, [*names, *sorted(dims & set(posterior))])
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = attributes
    return tree


def _dims(item: Any) -> list[str]:
    """Names of the dimensions of a variable of a netCDF file."""
    return [axis[0].name.rpartition("/")[2] for axis in item.dims]


def _group(group: Any, names: Iterable[str] | None = None) -> Dataset:
    """Variables of a group of a netCDF file, all or some, with their coordinates."""
    import xarray as xr

    variables: dict[str, Any] = {}
    coordinates: dict[str, Any] = {}
    for name in group if names is None else names:
        item = group[name]
        if _NO_VARIABLE in item.attrs.get("NAME", b""):
            continue
        scale = bool(item.is_scale)
        dims = [name] if scale else _dims(item)
        text = item.dtype.kind == "O"
        values = np.asarray(item.asstr()[()], dtype=object) if text else item[()]
        # In a fit whatever is text is a label of something.
        target = coordinates if scale or text else variables
        target[name] = (dims, values, _attributes(item, hidden=_HIDDEN))
    return xr.Dataset(variables, coordinates, _attributes(group))


def _attributes(item: Any, hidden: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Attributes; HDF5 hands single numbers back as arrays of one."""
    found = {name: value for name, value in item.attrs.items() if name not in hidden}
    return {
        name: value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
        for name, value in found.items()
        if not name.startswith("_N")
    }


# -- tables ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """By which quantity the variants of a model are held against each other.

    Attributes
    ----------
    quantity : str
        Value of the column ``quantity`` of :func:`side_by_side`; its rows have the columns
        of :func:`intlmodels.results.intervals.table_of` and ``p_direction``.
    key : tuple of str
        Columns that tell the rows of one fit apart.
    words, heading : str
        What a row is called in a sentence and at the head of a column, with the columns of
        the key in braces: ``{level} against {against}``.
    unit : str
        What follows a number in a sentence.
    apart : str
        Sentence on why variants that are not comparable by elpd are for comparison only; empty
        if their conclusions count like those of the others.
    decimals : int
        With which a change of the median is written.
    """

    quantity: str
    key: tuple[str, ...]
    words: str
    heading: str
    unit: str
    apart: str = ""
    decimals: int = 1

    def rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows that are held against each other."""
        return table[table["quantity"] == self.quantity]

    def key_of(self, row: Any) -> tuple[str, ...]:
        """What tells a row apart from the others of its fit."""
        return tuple(getattr(row, name) for name in self.key)

    def name(self, key: tuple[str, ...], form: str) -> str:
        """What a row is called; ``form`` is :attr:`words` or :attr:`heading`."""
        return form.format_map(dict(zip(self.key, key, strict=True)))


def side_by_side(
    fits: Mapping[str, DataTree], tables: Mapping[str, Callable[[DataTree], pd.DataFrame]]
) -> pd.DataFrame:
    """Tables of several variants, one below the other.

    Parameters
    ----------
    fits : mapping of str to DataTree
        Variant -> fit, whole or :func:`light`; the default first.
    tables : mapping of str to callable
        Quantity -> the function that makes its table from a fit.

    Returns
    -------
    pandas.DataFrame
        ``variant``, ``comparable`` (by elpd with the default), ``quantity``, and the columns
        of the tables.

    Raises
    ------
    StudyError
        Without any fit.
    """
    import pandas as pd

    if not fits:
        raise StudyError("no fits to compare")
    parts = []
    for name, fit in fits.items():
        for quantity, make in tables.items():
            table = make(fit)
            if len(table):
                table.insert(0, "variant", name)
                table.insert(1, "comparable", bool(int(fit.attrs["comparable"])))
                table.insert(2, "quantity", quantity)
                parts.append(table)
    return pd.concat(parts, ignore_index=True)


def own_parameters(fits: Mapping[str, DataTree], prob: float = CI_PROB) -> pd.DataFrame:
    """Parameters that a variant has and the default has not.

    Parameters
    ----------
    fits : mapping of str to DataTree
        Variant -> fit, whole or :func:`light`; the default first.
    prob : float

    Returns
    -------
    pandas.DataFrame
        ``variant``, ``parameter``, ``meaning``, ``prior`` and the columns of
        :func:`intervals`, on the parameter's own scale.
    """
    import pandas as pd

    written = {name: json.loads(fit.attrs["priors"]) for name, fit in fits.items()}
    known = set(next(iter(written.values()), {}))
    parts = []
    for variant, priors in written.items():
        own = [name for name in priors if name not in known]
        found = one_by_one(fits[variant]["posterior"].to_dataset(), own)
        if found:
            columns = {
                "variant": variant,
                "parameter": list(found),
                "meaning": [priors[name]["meaning"] for name, _ in found.values()],
                "prior": [priors[name]["text"] for name, _ in found.values()],
            }
            draws = np.stack([draws.ravel() for _, draws in found.values()], axis=-1)
            parts.append(table_of(fits[variant], columns, draws, prob))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
