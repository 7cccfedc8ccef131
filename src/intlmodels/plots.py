"""Pictures of a study and of its fits, for notebooks.

Every function takes a stored fit (``data`` also a study) and returns a matplotlib figure with
labels in words. A figure with estimates from a fit that did not pass the gate says so across
its top.
"""

from __future__ import annotations

from intlmodels.decay.plotcounts import cells, true_counts
from intlmodels.decay.plotdata import conflicts, decisions
from intlmodels.decay.plots import curves, experience_and_time
from intlmodels.plotchecks import chains, prior_posterior
from intlmodels.plotstyle import svg
from intlmodels.share.plotdata import data
from intlmodels.share.plotpredictions import posterior_predictive, prior_predictive
from intlmodels.share.plots import differences, estimates, new_firms, ranks, variants, variation

__all__ = [
    "cells",
    "chains",
    "conflicts",
    "curves",
    "data",
    "decisions",
    "differences",
    "estimates",
    "experience_and_time",
    "new_firms",
    "posterior_predictive",
    "prior_posterior",
    "prior_predictive",
    "ranks",
    "svg",
    "true_counts",
    "variants",
    "variation",
]
