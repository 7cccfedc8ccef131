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
        audit_tables,
        calibrate,
        claim_table,
        compare,
        differences,
        estimates,
        export,
        gate_table,
        parameter_table,
        predict,
        prior_table,
        read_fit,
        read_trust,
        reconstruct,
        reduce,
        sensitivity,
        trust_tables,
        variant_table,
        write_report,
    )
    from intlmodels.core.errors import StudyError
    from intlmodels.fitting.jobs import NotConverged, fit_study
    from intlmodels.study import list_studies, load_study, new_study


#: name -> module; imported when first used, so that importing the package, and
#: ``intlmodels --help``, cost nothing.
_PUBLIC = {
    "NotConverged": "fitting.jobs",
    "StudyError": "core.errors",
    "audit_tables": "api",
    "calibrate": "api",
    "claim_table": "api",
    "compare": "api",
    "differences": "api",
    "estimates": "api",
    "export": "api",
    "fit_study": "fitting.jobs",
    "gate_table": "api",
    "list_studies": "study",
    "load_study": "study",
    "new_study": "study",
    "parameter_table": "api",
    "plots": "",
    "predict": "api",
    "prior_table": "api",
    "read_fit": "api",
    "read_trust": "api",
    "reconstruct": "api",
    "reduce": "api",
    "sensitivity": "api",
    "trust_tables": "api",
    "variant_table": "api",
    "write_report": "api",
}

__all__ = [
    "NotConverged",
    "StudyError",
    "audit_tables",
    "calibrate",
    "claim_table",
    "compare",
    "differences",
    "estimates",
    "export",
    "fit_study",
    "gate_table",
    "list_studies",
    "load_study",
    "new_study",
    "parameter_table",
    "plots",
    "predict",
    "prior_table",
    "read_fit",
    "read_trust",
    "reconstruct",
    "reduce",
    "sensitivity",
    "trust_tables",
    "variant_table",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'intlmodels' has no attribute {name!r}")
    if _PUBLIC[name] in ("", "api", "fitting.jobs"):  # what compiles or draws
        import_module("intlmodels.core.processes").require_caches()
    if not _PUBLIC[name]:
        return import_module(f"intlmodels.{name}")
    return getattr(import_module(f"intlmodels.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
