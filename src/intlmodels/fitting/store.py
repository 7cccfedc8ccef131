"""Fits on disk: what a fit depends on, atomic writing, reading, and when to refit.

A stored fit carries a fingerprint of everything its draws depend on, in parts that can be
named. A refit happens exactly when a part changed, and says which.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin

import numpy as np

from intlmodels.core.errors import StudyError
from intlmodels.core.files import atomically, short_hash
from intlmodels.core.jsonvalues import build, field_types, parse_json
from intlmodels.core.settings import Settings
from intlmodels.core.versions import MODEL_VERSION, release_series
from intlmodels.fitting.diagnostics import Gate
from intlmodels.models import design_of, find_variant, model_of
from intlmodels.models.priors import Prior
from intlmodels.studies import Study

if TYPE_CHECKING:
    from xarray import Dataset, DataTree


Fingerprint = dict[str, dict[str, Any]]


def fingerprint(
    study: Study, variant: str, priors: Mapping[str, Prior], settings: Settings
) -> Fingerprint:
    """Everything the draws of one fit depend on, in named parts."""
    design, model = design_of(study, variant), model_of(study)
    parts = model.data_parts(study, design)
    source = find_variant(study, variant).source
    return {
        "data": {name: short_hash(*values) for name, values in parts.items()},
        "model": {
            "version": MODEL_VERSION[study.model],
            "variant": variant,
            "family": design.family,
            **({"function": source} if source else {}),
        },
        "libraries": release_series(model.packages(design)),
        "priors": {name: prior.text for name, prior in priors.items()},
        "settings": settings.identity(model.settings(design)),
    }


def changes(stored: Fingerprint, wanted: Fingerprint) -> list[str]:
    """What changed between two fingerprints, in words; empty if nothing did."""
    found = []
    for part in wanted:
        old, new = stored.get(part, {}), wanted[part]
        for name in new if part == "model" else dict.fromkeys([*old, *new]):
            if old.get(name) == new.get(name):
                continue
            if part == "data":
                found.append(f"data of {name} changed")
            else:
                what = {"priors": f"prior of {name}", "model": f"model {name}"}.get(part, name)
                before, now = (values.get(name, "none") for values in (old, new))
                found.append(f"{what} changed from {before} to {now}")
    return found


# -- what a stored fit says of itself ----------------------------------------------------


@dataclass(frozen=True)
class Header:
    """What a stored fit says of itself: the attributes at the root of its file.

    ``retried``: why the first try was discarded, empty if it was not; ``ess``: smallest bulk
    effective sample size of a parameter; ``seconds``: what the sampling took.
    """

    study: str
    model: str
    variant: str
    family: str
    comparable: int
    seed: int
    retried: str
    fingerprint: Fingerprint
    priors: dict[str, Prior]
    shown: tuple[str, ...]
    settings: dict[str, Any]
    versions: dict[str, str]
    gate: Gate
    estimands_version: int
    ess: float
    seconds: float | None

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> Header:
        """Read the attributes of a fit; ValueError names one that is missing or not of its form."""
        found: dict[str, Any] = {}
        for name, kind in field_types(Header).items():
            value: Any = attributes.get(name)
            try:
                if kind is Gate:
                    found[name] = Gate.from_json(value)
                else:
                    in_json = get_origin(kind) in (dict, tuple)
                    found[name] = build(kind, parse_json(value) if in_json else value)
                if name == "settings":
                    Settings(**found[name])
            except (ValueError, TypeError) as error:
                raise ValueError(f"attribute {name} was changed after it was written") from error
        return cls(**found)


def header(path: Path) -> Header | None:
    """Read a fit without its draws; None if there is no file, StudyError if it is no whole fit."""
    found = _inspected(path)
    if isinstance(found, str):
        raise _damaged(path, found)
    return found


def require_whole(path: Path) -> Header:
    """The header, once the file was found to be as it was written; StudyError if it is not."""
    found = header(path)
    if found is None:
        raise StudyError("there is no stored fit; run intlmodels fit first", file=str(path))
    # A header may have been read long before: a bad disk changes no date.
    if damage := _damage(path):
        raise _damaged(path, damage)
    return found


def _damaged(path: Path, damage: str) -> StudyError:
    option = f" --variants {path.stem}" if path.parent.name == "variants" else ""
    return StudyError(
        f"this is not a complete stored fit: {damage}; run intlmodels fit{option} to fit it again",
        file=str(path),
    )


def _inspected(path: Path) -> Header | str | None:
    """The header of a file, or what is wrong with it; None if there is no file."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:  # a path with a NUL is none
        return f"it cannot be read ({getattr(error, 'strerror', None) or error})"
    return _header(path, found.st_ino, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=256)
def _header(path: Path, *version: int) -> Header | str:
    """Header of a file in one of its versions: a run asks for the same ones several times."""
    import h5py

    if damage := _damage(path):
        return damage
    try:
        with h5py.File(path, "r") as file:
            return Header.of({key: _plain(value) for key, value in file.attrs.items()})
    except (OSError, ValueError) as error:
        return str(error)


def _plain(value: Any) -> Any:
    """An attribute as it was written: HDF5 hands numbers back as arrays of one."""
    if isinstance(value, (np.ndarray, np.generic)) and value.size == 1:
        return value.item()
    return value.decode() if isinstance(value, bytes) else value


def why_refit(path: Path, wanted: Fingerprint) -> list[str]:
    """Reasons to fit again; empty if the stored fit is what is wanted.

    Raises StudyError if a folder is in its place.
    """
    if path.is_dir():
        raise StudyError("a folder is in the place of the stored fit; remove it", file=str(path))
    found = _inspected(path)
    if found is None:
        return ["not fitted yet"]
    if isinstance(found, str):
        return [f"the stored file cannot be used: {found}"]
    return changes(found.fingerprint, wanted)


# -- files -------------------------------------------------------------------------------


#: What ends the file of a fit: a checksum of all that is before it. HDF5 does not look behind its
#: own last byte, so that every program opens the file. CRC-32, which is quick, notices whatever
#: changes within 32 bits, and of other damage all but one in four billion.
_END = b"\nintlmodels crc32 %08x\n"
_END_SIZE = len(_END % 0)
_BLOCK = 2**18
#: Predictions with so many numbers are compressed: they take few values.
_MANY = 1_000_000

#: What HDF5 writes of a dimension that has no values of its own.
_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"
#: Attributes by which netCDF is laid out in HDF5.
_HIDDEN = frozenset(
    {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_FillValue", "coordinates"}
)


def write(tree: DataTree, path: Path) -> None:
    """Write a fit as netCDF, with a checksum; the old file stays until the new one is complete.

    HDF5 is written directly, as the general writer of netCDF lays it out: that takes ten times as
    long.
    """
    import h5py

    with h5py.File(path.name, "w", driver="core", backing_store=False, track_order=True) as image:
        _set_attributes(image, tree.attrs)
        for name, node in tree.children.items():
            _write_group(image.create_group(name, track_order=True), node.to_dataset(inherit=False))
        image.flush()
        content = image.id.get_file_image()
    with atomically(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.write(_END % zlib.crc32(content))


def _write_group(group: Any, dataset: Dataset) -> None:
    """Write the variables of a dataset, its dimensions as scales of HDF5."""
    import h5py

    scales, labels = {}, [name for name in dataset.coords if name not in dataset.dims]
    for dim, size in dataset.sizes.items():
        if dim not in dataset.variables:
            scales[dim] = group.create_dataset(dim, (size,), ">f4")
            scales[dim].make_scale(_NO_VARIABLE.decode() + f".{size:10d}")
    for name, variable in dataset.variables.items():
        values, attributes, kind = variable.to_numpy(), dict(variable.attrs), None
        if values.dtype.kind == "b":
            values, attributes["dtype"] = values.astype("i1"), "bool"  # HDF5 has none
        elif values.dtype.kind in "OU":
            values, kind = values.astype(object), h5py.string_dtype()
        own = [label for label in labels if {*dataset[label].dims} <= {*variable.dims}]
        if name in dataset.data_vars and own:
            attributes["coordinates"] = " ".join(sorted(map(str, own)))
        many = group.name.endswith("_predictive") and values.size >= _MANY
        packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if many else {}
        item = group.create_dataset(name, data=values, dtype=kind, **packed)
        _set_attributes(item, attributes)
        if name in dataset.dims:
            scales[name] = item
            item.make_scale(name)
    for name, variable in dataset.variables.items():
        for axis, dim in enumerate(variable.dims):
            if name != dim:
                group[name].dims[axis].attach_scale(scales[dim])
    used = {label for v in dataset.data_vars.values() for label in v.coords}
    alone = " ".join(sorted(map(str, {*labels} - used)))
    _set_attributes(group, dataset.attrs | ({"coordinates": alone} if alone else {}))


def _set_attributes(item: Any, attributes: Mapping[Any, Any]) -> None:
    """Set attributes; of numbers netCDF has arrays only."""
    for name, value in attributes.items():
        item.attrs[name] = value if isinstance(value, str) else np.atleast_1d(value)


def read(path: Path) -> DataTree:
    """Read a stored fit into memory; StudyError if there is no file, or it is no whole fit.

    HDF5 is read directly: the general reader of netCDF takes ten times as long.
    """
    import h5py
    import xarray as xr

    require_whole(path)
    with h5py.File(path, "r") as file:
        tree = xr.DataTree.from_dict(
            {name: _group(item) for name, item in file.items() if isinstance(item, h5py.Group)}
        )
        tree.attrs = _attributes(file)
    return tree


def read_summary(path: Path, more: Iterable[str] = ()) -> DataTree:
    """Read of a stored fit only what a comparison with other variants shows.

    The attributes, the groups ``estimands``, ``constant_data`` and ``more``, and of ``posterior``
    the parameters with a prior of their own. See :func:`read`.

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
        values = np.asarray(item.asstr()[()], dtype=str) if text else item[()]
        attributes = _attributes(item, hidden=_HIDDEN)
        if attributes.get("dtype") == "bool":  # HDF5 has none
            values = values.astype(bool)
            del attributes["dtype"]
        # In a fit whatever is text is a label of something.
        target = coordinates if scale or text else variables
        target[name] = (dims, values, attributes)
    return xr.Dataset(variables, coordinates, _attributes(group))


def _attributes(item: Any, hidden: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Attributes; HDF5 hands single numbers back as arrays of one."""
    found = {name: value for name, value in item.attrs.items() if name not in hidden}
    return {
        name: value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
        for name, value in found.items()
        if not name.startswith("_N")
    }


def _damage(path: Path) -> str:
    """What is wrong with the file of a fit, by its checksum; empty if nothing is."""
    checksum, block = 0, memoryview(bytearray(_BLOCK))
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "it is not a regular file"
        with path.open("rb") as file:
            left = os.fstat(file.fileno()).st_size - _END_SIZE
            while left > 0 and (size := file.readinto(block[: min(left, _BLOCK)])):
                checksum = zlib.crc32(block[:size], checksum)
                left -= size
            end = file.read()
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if end == _END % checksum:
        return ""
    if end.startswith(_END[:18]):
        return "its content does not match its checksum"
    return (
        "there is no checksum at its end (cut short, changed by another program, or of an earlier "
        "version)"
    )
