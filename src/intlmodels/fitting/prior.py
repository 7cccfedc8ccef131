"""What the priors of a study imply before seeing data, without compiling or sampling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intlmodels.core.errors import StudyError
from intlmodels.core.settings import checked
from intlmodels.fitting.fit import attributes
from intlmodels.fitting.jobs import settings_of
from intlmodels.models import DEFAULT, design_of, find_variant, model_of, priors_of
from intlmodels.models.functions import with_function
from intlmodels.register.counts import require_firms
from intlmodels.studies import Study, load_study

if TYPE_CHECKING:
    from xarray import DataTree


@checked
def prior_predictive(
    study: Study | str | Path,
    variant: str | Callable[[Any], Any] = DEFAULT,
    *,
    priors: Mapping[str, str] | None = None,
    draws: int = 1000,
    seed: int | None = None,
) -> DataTree:
    """Draw parameters from their priors, and what would be reported if they were true.

    The draws are made by the same priors and design as a fit, in numpy: nothing is compiled.

    Parameters
    ----------
    study : Study, str or path
    variant : str or function from design to design
    priors : mapping of str to str, optional
        Overrides, as for :func:`intlmodels.fit_study`.
    draws : int
    seed : int, optional
        That of the study's settings if not given.

    Returns
    -------
    xarray.DataTree
        Groups ``prior`` and ``prior_predictive`` (one chain), ``observed_data`` and
        ``constant_data``, as a fit has them; see :func:`intlmodels.plots.prior_predictive`.

    Raises
    ------
    StudyError
        For a register, whose fit has these groups, or an unknown variant or prior.

    Examples
    --------
    ::

        im.plots.prior_predictive(im.prior_predictive("rochester"))
    """
    import xarray as xr

    loaded = study if isinstance(study, Study) else load_study(study)
    loaded, variant = with_function(loaded, variant)
    require_firms(loaded, "a prior predictive distribution without a fit")
    if find_variant(loaded, variant).of_model is not None:
        message = "nothing is predicted from another likelihood; expected a function of the design"
        raise StudyError(message, value=variant)
    settings = settings_of(loaded, {"draws": draws} | ({} if seed is None else {"seed": seed}))
    model, design = model_of(loaded), design_of(loaded, variant)
    used = priors_of(loaded, variant, priors)
    before = model.prior(loaded, design, used, settings.draws, settings.seed)
    tree = xr.DataTree.from_dict(
        {
            "prior": before,
            "prior_predictive": model.predictive(loaded, design, before, settings.seed, 2),
            "observed_data": model.observed_data(loaded, design),
            "constant_data": model.constant_data(loaded, design),
        }
    )
    tree.attrs = attributes(loaded, variant, design, used, settings)
    return tree
