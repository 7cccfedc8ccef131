"""Fits on disk: what a fit depends on, atomic writing, reading, and when to refit.

A stored fit carries a fingerprint of everything its draws depend on, in parts that can be
named. A refit happens exactly when a part changed, and says which.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.errors import StudyError
from intlmodels.fit import Settings
from intlmodels.models import design_module, design_of
from intlmodels.priors import Prior
from intlmodels.study import Study
from intlmodels.versions import MODEL_VERSION, release_series

if TYPE_CHECKING:
    from xarray import DataTree

Fingerprint = dict[str, dict[str, Any]]


def short_hash(*values: Any) -> str:
    """Hash of arrays and of what JSON can hold."""
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray):
            digest.update(repr((value.shape, value.dtype.str)).encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            digest.update(json.dumps(value, sort_keys=True, ensure_ascii=True).encode())
    return digest.hexdigest()[:16]


def fingerprint(
    study: Study, variant: str, priors: Mapping[str, Prior], settings: Settings
) -> Fingerprint:
    """Everything the draws of one fit depend on, in named parts.

    Returns
    -------
    dict of str to dict
        ``data`` (everything of the study that this variant uses), ``model`` (version, variant
        and family), ``libraries`` (release series), ``priors`` and ``settings``.
    """
    design = design_of(study, variant)
    module = design_module(study.model)
    parts = module.data_parts(study, design)
    return {
        "data": {name: short_hash(*values) for name, values in parts.items()},
        "model": {
            "version": MODEL_VERSION[study.model],
            "variant": variant,
            "family": design.family,
        },
        "libraries": release_series(module.packages(design)),
        "priors": {name: prior.text for name, prior in priors.items()},
        "settings": settings.identity(module.settings(design)),
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


def stored_attributes(path: Path) -> dict[str, Any] | None:
    """Attributes of a stored fit without reading its draws; None if there is no fit.

    A file that cannot be read (cut short, not netCDF) counts as no fit, with the reason in
    ``{"unreadable": ...}``.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return dict(_attributes(path, found.st_ino, found.st_mtime_ns, found.st_size))


@lru_cache(maxsize=256)
def _attributes(path: Path, *version: int) -> dict[str, Any]:
    """Attributes of a file in one of its versions: a run asks for the same ones several times."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return {key: _plain(value) for key, value in file.attrs.items()}
    except OSError as error:
        return {"unreadable": str(error)}


def _plain(value: Any) -> Any:
    """An attribute as it was written: HDF5 hands numbers back as arrays of one."""
    if isinstance(value, np.ndarray) and value.size == 1:
        return value.item()
    return value.decode() if isinstance(value, bytes) else value


def why_refit(path: Path, wanted: Fingerprint) -> list[str]:
    """Reasons to fit again; empty if the stored fit is what is wanted."""
    attributes = stored_attributes(path)
    if attributes is None:
        return ["not fitted yet"]
    if "fingerprint" not in attributes:
        return ["the stored file cannot be read"]
    return changes(json.loads(attributes["fingerprint"]), wanted)


def require_writable(folder: Path) -> None:
    """Make the folder if need be, and find out now, not after the fit, whether it can be used.

    Raises
    ------
    StudyError
        If it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StudyError(
            f"cannot write there ({error.strerror}); choose another folder with --out",
            file=str(folder),
        ) from error


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that replaces it if the block succeeds."""
    require_writable(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write(tree: DataTree, path: Path) -> None:
    """Write a fit as netCDF; the old file stays until the new one is complete."""
    with atomically(path) as temporary:
        tree.to_netcdf(temporary, engine="h5netcdf")


def read(path: Path) -> DataTree:
    """Read a stored fit into memory."""
    import xarray as xr

    with xr.open_datatree(path, engine="h5netcdf") as tree:
        return tree.load()


def write_text(text: str, path: Path) -> None:
    """Write a text file atomically, in UTF-8 with plain newlines."""
    with atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(content: bytes, path: Path) -> None:
    """Write a file atomically."""
    with atomically(path) as temporary:
        temporary.write_bytes(content)
