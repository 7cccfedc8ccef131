"""Complete tables of decisions from the posterior, marked as what they are: reconstructed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intlmodels.counts import FLAGS
from intlmodels.decay.groups import flat_parameters
from intlmodels.decay.tables import arrange
from intlmodels.errors import StudyError
from intlmodels.models.decaydesign import Design
from intlmodels.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataTree

#: Written into every row, so that no table of these can be taken for data.
STATUS = "reconstructed"


def reconstruct(fit: DataTree, draws: int = 1, seed: int | None = None) -> pd.DataFrame:
    """Draw complete tables of decisions from the posterior of a fit.

    One table is one guess among many. What holds in all of them is known; what differs
    between them is not.

    Parameters
    ----------
    fit : xarray.DataTree
        Of a study of which only counts are known.
    draws : int
        How many tables; evenly spaced over the stored draws.
    seed : int, optional
        For the order of decisions within a firm and period; by default the seed of the fit.

    Returns
    -------
    pandas.DataFrame
        One row a decision: ``draw`` (1, 2, ...), ``firm``, ``period``, ``prior_entries``,
        ``flag`` (yes or no), ``status`` (always "reconstructed").

    Raises
    ------
    StudyError
        If the decisions of the study are known, or fewer tables are stored than asked for.
    """
    import pandas as pd

    posterior = fit["posterior"].to_dataset()
    if "table" not in posterior:
        raise StudyError("nothing to reconstruct: the decisions of this fit are known")
    stored = posterior["table"].transpose("chain", "draw", ...).to_numpy()
    stored = stored.reshape(-1, *stored.shape[2:])
    if not 1 <= draws <= len(stored):
        raise StudyError(
            f"expected a number of tables from 1 to {len(stored)}, which the fit holds",
            file="--draws",
            value=draws,
        )
    if seed is not None:
        Settings(seed=seed)  # one rule for every seed
    pick = np.linspace(0, len(stored) - 1, draws).round().astype(int)
    parameters = {name: values[pick] for name, values in flat_parameters(posterior).items()}
    rng = np.random.default_rng([int(fit.attrs["seed"]) if seed is None else seed, 4])
    design = _design(fit)
    made = arrange(design, parameters, stored[pick], rng)
    size = made["firm"].shape[1]
    return pd.DataFrame(
        {
            "draw": np.repeat(np.arange(draws) + 1, size),
            "firm": np.asarray(design.firms, dtype=object)[made["firm"].ravel()],
            "period": np.asarray(design.periods, dtype=object)[made["period"].ravel()],
            "prior_entries": made["entries"].ravel(),
            "flag": np.asarray(FLAGS, dtype=object)[made["flag"].ravel()],
            "status": STATUS,
        }
    )


def _design(fit: DataTree) -> Design:
    """What of the design the order of decisions depends on."""
    constant = fit["constant_data"].to_dataset()

    def texts(name: str) -> tuple[str, ...]:
        return tuple(str(value) for value in constant[name].to_numpy())

    return Design(
        firms=texts("firm_level"),
        size_of_firm=tuple(int(i) for i in constant["size_of_firm"].to_numpy()),
        sizes=texts("size"),
        periods=texts("period_level"),
        period_weights=tuple(float(w) for w in constant["period_weight"].to_numpy()),
        total=int(fit["posterior"].to_dataset()["table"][0, 0].sum()),
        counts=(),
        decisions=None,
        family=str(fit.attrs["family"]),  # type: ignore[arg-type]
        by_period="period" in fit["posterior"].data_vars,
    )
