"""Several variants of a model side by side, read from disk without their many draws."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.errors import StudyError
from intlmodels.estimands import CI_PROB
from intlmodels.results import average, differences, levels, table_of

if TYPE_CHECKING:
    import pandas as pd
    from xarray import Dataset, DataTree

#: What HDF5 writes of a dimension that has no values of its own.
_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"
#: Attributes by which netCDF is laid out in HDF5.
_HIDDEN = frozenset({"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_FillValue"})


def light(path: Path) -> DataTree:
    """Read of a stored fit only what a comparison with other variants shows.

    Returns
    -------
    xarray.DataTree
        The attributes, the groups ``estimands`` and ``constant_data``, and of ``posterior``
        the parameters without dimensions. HDF5 is read directly: with many variants the
        general reader would take most of the time of a report.
    """
    import h5py
    import xarray as xr

    with h5py.File(path, "r") as file:
        groups = {name: _group(file[name]) for name in ("estimands", "constant_data")}
        parameters = [name for name, item in file["posterior"].items() if item.ndim == 2]
        groups["posterior"] = _group(file["posterior"], parameters)
        attributes = _attributes(file)
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = attributes
    return tree


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
        dims = [name] if scale else [axis[0].name.rpartition("/")[2] for axis in item.dims]
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
        if own:
            posterior = fits[variant]["posterior"].to_dataset()
            draws = np.stack([posterior[name].to_numpy().ravel() for name in own], axis=-1)
            columns = {
                "variant": variant,
                "parameter": own,
                "meaning": [priors[name]["meaning"] for name in own],
                "prior": [priors[name]["text"] for name in own],
            }
            parts.append(table_of(fits[variant], columns, draws, prob))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def compare_variants(fits: Mapping[str, DataTree], prob: float = CI_PROB) -> pd.DataFrame:
    """Levels and differences of several variants, one below the other.

    Parameters
    ----------
    fits : mapping of str to DataTree
        Variant -> fit, whole or :func:`light`; the default first.

    Returns
    -------
    pandas.DataFrame
        ``variant``, ``comparable`` (by elpd with the default), ``quantity`` (``average``,
        ``level`` or ``difference``), and the columns of :func:`levels` and
        :func:`differences`.
    """
    import pandas as pd

    if not fits:
        raise StudyError("no fits to compare")
    parts = []
    for name, fit in fits.items():
        tables = {"average": average(fit), "level": levels(fit), "difference": differences(fit)}
        for quantity, table in tables.items():
            if len(table):
                table.insert(0, "variant", name)
                table.insert(1, "comparable", bool(int(fit.attrs["comparable"])))
                table.insert(2, "quantity", quantity)
                parts.append(table)
    return pd.concat(parts, ignore_index=True)
