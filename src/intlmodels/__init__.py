"""Bayesian models for how firms in regional clusters go abroad.

The steps of the command line, as functions for notebooks::

    import intlmodels as im

    study = im.load_study("rochester")      # or a folder of your own
    fit = im.fit_study(study)               # xarray.DataTree
    im.estimates(fit)                       # pandas.DataFrame
    im.plots.estimates(fit)                 # matplotlib figure
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from intlmodels import plots
    from intlmodels.api import (
        attribute_table,
        audit_tables,
        calibrate,
        claim_table,
        compare,
        comparisons,
        design,
        differences,
        estimates,
        export,
        fit_study,
        gate_table,
        influence,
        multiverse,
        parameter_table,
        predict,
        predictions,
        prior_table,
        read_fit,
        read_trust,
        reconstruct,
        reduce,
        regression_table,
        sensitivity,
        slopes,
        slopes_in_units,
        trust_tables,
        turning_points,
        variant_table,
        write_report,
    )
    from intlmodels.core.errors import StudyError
    from intlmodels.fitting.jobs import NotConverged
    from intlmodels.fitting.prior import prior_predictive
    from intlmodels.studies import list_studies, load_study, new_study
    from intlmodels.studies.frame import study

__all__ = [
    "NotConverged",
    "StudyError",
    "attribute_table",
    "audit_tables",
    "calibrate",
    "claim_table",
    "compare",
    "comparisons",
    "design",
    "differences",
    "estimates",
    "export",
    "fit_study",
    "gate_table",
    "influence",
    "list_studies",
    "load_study",
    "multiverse",
    "new_study",
    "parameter_table",
    "plots",
    "predict",
    "predictions",
    "prior_predictive",
    "prior_table",
    "read_fit",
    "read_trust",
    "reconstruct",
    "reduce",
    "regression_table",
    "sensitivity",
    "slopes",
    "slopes_in_units",
    "study",
    "trust_tables",
    "turning_points",
    "variant_table",
    "write_report",
]


#: Public names that are not in ``api`` -> their module.
_ELSEWHERE = {
    "NotConverged": "fitting.jobs",
    "StudyError": "core.errors",
    "list_studies": "studies",
    "load_study": "studies",
    "new_study": "studies",
    "prior_predictive": "fitting.prior",
    "study": "studies.frame",
}


def __getattr__(name: str) -> Any:
    """Import what is public when it is first used: ``intlmodels --help`` needs none of it."""
    if name not in __all__:
        raise AttributeError(f"module 'intlmodels' has no attribute {name!r}")
    module = name if name == "plots" else _ELSEWHERE.get(name, "api")
    if module in ("api", "fitting.jobs", "fitting.prior", "plots"):  # what compiles or draws
        import_module("intlmodels.core.processes").require_caches()
    found = import_module(f"intlmodels.{module}")
    return found if module == name else getattr(found, name)


def __dir__() -> list[str]:
    return sorted(__all__)
