"""Effective draws of stored fits: ours, bambi's, and those of brms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

#: The parameters that all packages have, under the name of each; their effects count as well.
OURS = ("intercept", "relocatability", "sigma_product", "sigma_expertise", "phi")
OURS += ("product", "expertise")
BAMBI = ("Intercept", "relocatability", "1|product_sigma", "1|expertise_sigma", "kappa")
BAMBI += ("1|product", "1|expertise")
BRMS = ("b_Intercept", "b_relocatability", "sd_product__Intercept", "sd_expertise__Intercept")
BRMS += ("phi", "r_product[", "r_expertise[")


def slowest(columns: dict[str, Any]) -> dict[str, Any]:
    """Smallest bulk effective sample size (Vehtari et al. 2021), of name -> (chain, draw)."""
    from arviz_stats import ess
    from xarray import Dataset

    found = ess(Dataset({n: (("chain", "draw"), v) for n, v in columns.items()}), method="bulk")
    sizes = {str(name): float(found[name]) for name in found.data_vars}
    name = min(sizes, key=lambda n: sizes[n])
    means = {n: [float(np.mean(v)), float(np.std(v))] for n, v in columns.items()}
    return {"ess": sizes[name], "slowest": name, "means": means}


def of_netcdf(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Those of a stored InferenceData, with the seconds of sampling if they are stored."""
    from xarray import open_datatree

    with open_datatree(path) as tree:
        posterior = tree["posterior"].to_dataset().load()
    columns = {}
    for name in names:
        values = posterior[name].transpose("chain", "draw", ...).to_numpy()
        flat = values.reshape(*values.shape[:2], -1)
        for i in range(flat.shape[-1]):
            columns[f"{name}[{i}]" if values.ndim > 2 else name] = flat[..., i]
    seconds = posterior.attrs.get("sampling_time")
    return slowest(columns) | {"sampling": None if seconds is None else float(seconds)}


def of_csv(path: Path) -> dict[str, Any]:
    """Those of the CSV that the script for brms writes."""
    import pandas as pd

    table = pd.read_csv(path).sort_values([".chain", ".iteration"])
    chains = table[".chain"].nunique()
    columns = {
        name: table[name].to_numpy().reshape(chains, -1)
        for name in table
        if name in BRMS or name.startswith(("r_product[", "r_expertise["))
    }
    seconds = float(path.with_name(f"{path.name}.seconds").read_text())
    return slowest(columns) | {"sampling": seconds}
