"""Pictures of a study and of its fits, for notebooks.

Most functions take a stored fit (``data`` also a study), those on calibration and comparison
the tables of :func:`intlmodels.trust_tables`; all return a matplotlib figure with labels in
words. A figure with estimates from a fit that did not pass the gate says so across its top.
"""

from __future__ import annotations

from intlmodels.decay.plotcounts import cells, true_counts
from intlmodels.decay.plotdata import conflicts, decisions
from intlmodels.decay.plots import curves, experience_and_time
from intlmodels.plotchecks import chains, prior_posterior
from intlmodels.plotleaveout import elpds
from intlmodels.plotstyle import svg
from intlmodels.plottrust import coverage, power_scaling, rank_differences
from intlmodels.share.plotdata import data
from intlmodels.share.plotopportunity import opportunity
from intlmodels.share.plotpredictions import posterior_predictive, prior_predictive
from intlmodels.share.plots import differences, estimates, new_firms, ranks, variants, variation

__all__ = [
    "cells",
    "chains",
    "conflicts",
    "coverage",
    "curves",
    "data",
    "decisions",
    "differences",
    "elpds",
    "estimates",
    "experience_and_time",
    "new_firms",
    "opportunity",
    "posterior_predictive",
    "power_scaling",
    "prior_posterior",
    "prior_predictive",
    "rank_differences",
    "ranks",
    "svg",
    "true_counts",
    "variants",
    "variation",
]
