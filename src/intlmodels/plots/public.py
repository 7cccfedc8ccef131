"""Pictures of a study and of its fits, for notebooks.

Most functions take a stored fit (``data`` also a study), those on calibration and comparison
the tables of :func:`intlmodels.trust_tables`; all return a matplotlib figure with labels in
words. A figure with estimates from a fit that did not pass the gate says so across its top.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import cleandoc
from typing import Any

from intlmodels.core.errors import StudyError
from intlmodels.core.settings import checked
from intlmodels.plots import counts, decay, share, sharedata
from intlmodels.plots.checks import (
    chains,
    coverage,
    elpds,
    power_scaling,
    prior_posterior,
    rank_differences,
)
from intlmodels.plots.counts import cells, conflicts, true_counts
from intlmodels.plots.decay import curves, experience_and_time
from intlmodels.plots.interpret import curve, interaction, predictions
from intlmodels.plots.share import (
    differences,
    estimates,
    new_firms,
    prior_predictive,
    ranks,
    variants,
    variation,
    zeros,
)
from intlmodels.plots.sharedata import cluster_differences, clusters, opportunity
from intlmodels.plots.style import Figure, svg
from intlmodels.studies import DecayStudy, RegisterStudy, RowFiles, SequenceStudy

__all__ = [
    "cells",
    "chains",
    "cluster_differences",
    "clusters",
    "conflicts",
    "coverage",
    "curve",
    "curves",
    "data",
    "decisions",
    "differences",
    "elpds",
    "estimates",
    "experience_and_time",
    "interaction",
    "new_firms",
    "opportunity",
    "posterior_predictive",
    "power_scaling",
    "predictions",
    "prior_posterior",
    "prior_predictive",
    "rank_differences",
    "ranks",
    "svg",
    "true_counts",
    "variants",
    "variation",
    "zeros",
]


def _also_of_rows[**P](
    of_firms: Callable[P, Figure], **of_register: Callable[..., Figure]
) -> Callable[P, Figure]:
    """A picture of single firms that for the fit of a register is one of its rows, by model."""

    @wraps(of_firms)
    def draw(*args: P.args, **kwargs: P.kwargs) -> Figure:
        source: Any = args[0] if args else next(iter(kwargs.values()))
        if isinstance(source, (RowFiles, RegisterStudy, SequenceStudy)):
            raise StudyError("a register is plotted from a fit; expected one", value=source.name)
        if isinstance(source, DecayStudy):
            raise StudyError("decisions are shown by plots.decisions from a fit", value=source.name)
        model = str(getattr(source, "attrs", {}).get("model", ""))
        return of_register.get(model, of_firms)(*args, **kwargs)

    return draw


def _with_what_it_shows[**P](draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """A picture that says so if a fit or a table does not hold what it shows."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        try:
            return draw(*args, **kwargs)
        except KeyError as error:
            raise StudyError(
                f"plots.{draw.__name__}: the argument lacks what this figure shows "
                f"({str(error.args[0]).partition('. ')[0]}); it is for a fit of another model, or "
                "for another table"
            ) from error

    return drawn


data = _also_of_rows(sharedata.data, register=sharedata.register_data, sequences=decay.data)
decisions = _also_of_rows(counts.decisions, sequences=decay.data)
prior_predictive = _also_of_rows(
    prior_predictive, decay=decay.prior_predictive, sequences=decay.prior_predictive
)
posterior_predictive = _also_of_rows(
    share.posterior_predictive,
    register=share.register_predictive,
    sequences=decay.posterior_predictive,
)

#: Name -> how it is called; ``found`` is the result of a check, ``tables`` are those of
#: :func:`intlmodels.trust_tables`.
EXAMPLES = {
    "cells": "im.plots.cells(fit)  # of published counts",
    "chains": "im.plots.chains(fit)",
    "cluster_differences": "im.plots.cluster_differences(fit)  # of a study with [cluster]",
    "clusters": "im.plots.clusters(fit)  # of a study with [cluster]",
    "conflicts": 'im.plots.conflicts(["M01", "M02", "M03"], [["M01", "M03"]])',
    "coverage": 'im.plots.coverage(tables["calibration.csv"])',
    "curve": 'im.plots.curve(fit, "enrolment")',
    "curves": "im.plots.curves(fit)  # of decisions",
    "data": "im.plots.data(study)",
    "decisions": "im.plots.decisions(fit)  # of decisions",
    "differences": "im.plots.differences(fit)",
    "elpds": 'im.plots.elpds(tables["elpd.csv"], units=22)',
    "estimates": "im.plots.estimates(fit)",
    "experience_and_time": 'im.plots.experience_and_time(im.fit_study("norway", "period"))',
    "interaction": 'im.plots.interaction(fit, "owner_size")',
    "new_firms": 'im.plots.new_firms(im.predict(fit, {"product": "Precision Optics"}))',
    "opportunity": (
        'im.plots.opportunity(fit, across="expertise", down="relocatability", vulnerable="Ease")'
    ),
    "posterior_predictive": "im.plots.posterior_predictive(fit)",
    "power_scaling": 'im.plots.power_scaling(tables["power_scaling.csv"])',
    "predictions": 'im.plots.predictions(im.predictions(fit, at={"size": [10, 100]}))',
    "prior_posterior": "im.plots.prior_posterior(fit)",
    "prior_predictive": "im.plots.prior_predictive(im.prior_predictive(study))",
    "rank_differences": (
        'im.plots.rank_differences(found.calibration.value, tables["calibration.csv"])'
    ),
    "ranks": "im.plots.ranks(fit)",
    "svg": "im.plots.svg(im.plots.estimates(fit))",
    "true_counts": "im.plots.true_counts(fit)  # of published counts",
    "variants": 'im.plots.variants({"default": fit, "heaped": heaped})',
    "variation": "im.plots.variation(fit)",
    "zeros": "im.plots.zeros(fit)  # of structural zeros",
}

#: Sections of docstrings that say the same of most pictures.
_SECTIONS = {
    "Returns": "matplotlib.figure.Figure",
    "Raises": "StudyError\n    For the fit of another model, or a table that lacks what is shown.",
}

for _name in __all__:
    _drawn = checked(_with_what_it_shows(globals()[_name]))
    _doc = cleandoc(_drawn.__doc__ or "")
    _sections = {**_SECTIONS, "Examples": f"::\n\n    {EXAMPLES[_name]}"}
    for _title, _text in _sections.items():
        if f"\n{_title}\n" not in _doc:
            _doc += f"\n\n{_title}\n{'-' * len(_title)}\n{_text}"
    _drawn.__doc__ = f"{_doc}\n"
    globals()[_name] = _drawn
