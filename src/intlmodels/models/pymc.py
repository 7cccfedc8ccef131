"""Priors and data of a PyMC model: shared data, so that one compiled model serves many fits.

The arguments of the priors, the outcome and the weight of each unit in the likelihood are data
of the model. A fit leaves them as they are; calibration, leave-one-out and sensitivity change
their values and compile nothing (:mod:`intlmodels.fitting.refit`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.models.priors import Prior

#: Arguments of all priors, one after the other.
PRIOR_ARGUMENTS = "prior_arguments"
#: Power of each unit's likelihood: 1, or 0 for a unit that is left out.
WEIGHTS = "likelihood_weights"
#: The outcome as observed.
OBSERVED = "observed_outcome"


def arguments(priors: Mapping[str, Prior]) -> NDArray[np.float64]:
    """Arguments of all priors in their order, as the model's data hold them."""
    return np.array([value for prior in priors.values() for value in prior.args], dtype=float)


def register_data(priors: Mapping[str, Prior], outcome: NDArray[Any]) -> tuple[Any, Any]:
    """Register the data of the PyMC model that is being built.

    Returns
    -------
    observed, weights : PyTensor variables, shape (unit,)
    """
    import pymc as pm

    pm.Data(PRIOR_ARGUMENTS, arguments(priors))
    observed = pm.Data(OBSERVED, np.asarray(outcome, dtype=float))
    return observed, pm.Data(WEIGHTS, np.ones(len(outcome)))


def draw_pymc(priors: Mapping[str, Prior], name: str, **kwargs: Any) -> Any:
    """Register a parameter with its prior in the PyMC model that is being built."""
    import pymc as pm

    prior = priors[name]
    first = sum(len(priors[other].args) for other in list(priors)[: list(priors).index(name)])
    values = pm.modelcontext(None)[PRIOR_ARGUMENTS]
    a = [values[first + i] for i in range(len(prior.args))]
    match prior.distribution:
        case "Normal":
            return pm.Normal(name, a[0], a[1], **kwargs)
        case "StudentT":
            return pm.StudentT(name, nu=a[0], mu=a[1], sigma=a[2], **kwargs)
        case "Cauchy":
            return pm.Cauchy(name, a[0], a[1], **kwargs)
        case "HalfNormal":
            return pm.HalfNormal(name, a[0], **kwargs)
        case "HalfCauchy":
            return pm.HalfCauchy(name, a[0], **kwargs)
        case "HalfStudentT":
            return pm.HalfStudentT(name, nu=a[0], sigma=a[1], **kwargs)
        case "Exponential":
            return pm.Exponential(name, a[0], **kwargs)
        case "Gamma":
            return pm.Gamma(name, alpha=a[0], beta=a[1], **kwargs)
        case "LogNormal":
            return pm.LogNormal(name, a[0], a[1], **kwargs)
        case "Beta":
            return pm.Beta(name, a[0], a[1], **kwargs)
    raise ValueError(f"no distribution is called {prior.distribution!r}")
