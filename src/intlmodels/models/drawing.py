"""A prior, as a random variable of a PyMC model."""

from __future__ import annotations

from typing import Any

from intlmodels.priors import Prior


def draw_pymc(prior: Prior, **kwargs: Any) -> Any:
    """Register a parameter with its prior in the PyMC model that is being built."""
    import pymc as pm

    a = prior.args
    match prior.distribution:
        case "Normal":
            return pm.Normal(prior.name, a[0], a[1], **kwargs)
        case "StudentT":
            return pm.StudentT(prior.name, nu=a[0], mu=a[1], sigma=a[2], **kwargs)
        case "Cauchy":
            return pm.Cauchy(prior.name, a[0], a[1], **kwargs)
        case "HalfNormal":
            return pm.HalfNormal(prior.name, a[0], **kwargs)
        case "HalfCauchy":
            return pm.HalfCauchy(prior.name, a[0], **kwargs)
        case "HalfStudentT":
            return pm.HalfStudentT(prior.name, nu=a[0], sigma=a[1], **kwargs)
        case "Exponential":
            return pm.Exponential(prior.name, a[0], **kwargs)
        case "Gamma":
            return pm.Gamma(prior.name, alpha=a[0], beta=a[1], **kwargs)
        case "LogNormal":
            return pm.LogNormal(prior.name, a[0], a[1], **kwargs)
        case "Beta":
            return pm.Beta(prior.name, a[0], a[1], **kwargs)
    raise ValueError(f"no distribution is called {prior.distribution!r}")
