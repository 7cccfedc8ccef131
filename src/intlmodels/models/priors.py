"""Priors as a table that can be printed and overridden by name.

A prior is written the way a paper writes it, ``Normal(-1.5, 1)`` or
``LogNormal(log(10), 0.8)``. Models declare their parameters with a default; a study's
``[priors]`` table and the command line replace defaults by name. What replaces what, and
where it came from, travels with the fit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intlmodels.core.errors import StudyError, did_you_mean

Support = Literal["real", "positive", "unit"]

#: name -> (parameter names, support of the distribution, which arguments must be positive)
DISTRIBUTIONS: dict[str, tuple[tuple[str, ...], Support, tuple[bool, ...]]] = {
    "Normal": (("mean", "sd"), "real", (False, True)),
    "StudentT": (("df", "location", "scale"), "real", (True, False, True)),
    "Cauchy": (("location", "scale"), "real", (False, True)),
    "HalfNormal": (("scale",), "positive", (True,)),
    "HalfCauchy": (("scale",), "positive", (True,)),
    "HalfStudentT": (("df", "scale"), "positive", (True, True)),
    "Exponential": (("rate",), "positive", (True,)),
    "Gamma": (("shape", "rate"), "positive", (True, True)),
    "LogNormal": (("log median", "log sd"), "positive", (False, True)),
    "Beta": (("a", "b"), "unit", (True, True)),
}

_SUPPORT_IN_WORDS = {
    "real": "any real number",
    "positive": "a positive number",
    "unit": "a probability between 0 and 1",
}


@dataclass(frozen=True)
class Prior:
    """A prior distribution of one named parameter.

    Attributes
    ----------
    name : str
        Name of the parameter, as in the stored posterior.
    distribution : str
        One of the names in :data:`DISTRIBUTIONS`.
    args : tuple of float
        Its arguments, in the order of :data:`DISTRIBUTIONS`.
    text : str
        The prior as it was written.
    support : {"real", "positive", "unit"}
        Where the parameter lives.
    meaning : str
        What the parameter is, in words and with its unit.
    origin : str
        ``"default"``, ``"study.toml"`` or ``"command line"``.
    """

    name: str
    distribution: str
    args: tuple[float, ...]
    text: str
    support: Support
    meaning: str
    origin: str = "default"


def parameter(name: str, text: str, support: Support, meaning: str) -> Prior:
    """Declare a model parameter with its default prior."""
    distribution, args = parse(text, name=name, support=support)
    return Prior(name, distribution, args, text, support, meaning)


def parse(
    text: str, *, name: str, support: Support, origin: str = "default"
) -> tuple[str, tuple[float, ...]]:
    """Read a prior such as ``Normal(0, 0.5)``.

    Parameters
    ----------
    text : str
        Distribution and arguments; an argument is a number or ``log(number)``.
    name : str
        Name of the parameter it is for (used in messages).
    support : {"real", "positive", "unit"}
        Where the parameter lives; the distribution must live there too.
    origin : str
        Where the text was written (used in messages).

    Returns
    -------
    tuple
        Name of the distribution and its arguments.

    Raises
    ------
    StudyError
        If the text is not a distribution, its arguments are out of range, or it puts mass
        where the parameter cannot be.
    """
    where = "" if origin == "default" else origin
    if not isinstance(text, str):
        raise StudyError(
            f"prior of '{name}' must be text such as \"Normal(0, 1)\"; put it in quotes",
            file=where or None,
            value=str(text),
        )
    match = re.fullmatch(r"\s*([A-Za-z]+)\s*\((.*)\)\s*", text, flags=re.DOTALL)
    if match is None:
        raise StudyError(
            f"prior of '{name}' is not readable; expected a distribution with its arguments, "
            'such as "Normal(0, 1)"',
            file=where or None,
            value=text,
        )
    distribution, inside = match.groups()
    if distribution not in DISTRIBUTIONS:
        hint = did_you_mean(distribution, DISTRIBUTIONS)
        raise StudyError(
            f"prior of '{name}' has an unknown distribution{hint}; "
            f"known are {', '.join(DISTRIBUTIONS)}",
            file=where or None,
            value=text,
        )
    lives_on = DISTRIBUTIONS[distribution][1]
    args = _arguments(distribution, inside, name=name, text=text, where=where)
    if support != "real" and lives_on != support:
        fitting = [n for n, (_, s, _) in DISTRIBUTIONS.items() if s == support]
        raise StudyError(
            f"prior of '{name}' allows values that it cannot take: it is "
            f"{_SUPPORT_IN_WORDS[support]}; use one of {', '.join(fitting)}",
            file=where or None,
            value=text,
        )
    return distribution, args


def apply_overrides(
    defaults: Mapping[str, Prior],
    overrides: Iterable[tuple[Mapping[str, str], str]],
    known: Mapping[str, Prior],
) -> dict[str, Prior]:
    """Replace default priors by name.

    Parameters
    ----------
    defaults : mapping of str to Prior
        The parameters of one model variant.
    overrides : iterable of (mapping of name to text, origin)
        Applied in order, the last one wins.
    known : mapping of str to Prior
        The parameters of all variants of the study: an override of one that this variant
        does not have is checked, and has no effect.

    Returns
    -------
    dict of str to Prior

    Raises
    ------
    StudyError
        For a name that no variant has, or an unusable prior.
    """
    priors = dict(defaults)
    for mapping, origin in overrides:
        for name, text in mapping.items():
            if name not in known:
                raise StudyError(
                    f"no parameter is called '{name}'{did_you_mean(name, known)}; "
                    f"the parameters are {', '.join(known)}",
                    file=origin,
                    value=name,
                )
            support = known[name].support
            distribution, args = parse(text, name=name, support=support, origin=origin)
            if name in priors:
                priors[name] = replace(
                    priors[name],
                    distribution=distribution,
                    args=args,
                    text=text.strip(),
                    origin=origin,
                )
    return priors


def parse_assignment(text: str) -> tuple[str, str]:
    """Split a command-line override ``name=Normal(0, 1)`` into name and prior."""
    name, equals, prior = text.partition("=")
    if not equals or not name.strip() or not prior.strip():
        raise StudyError(
            'a prior is given as name=Distribution(arguments), such as "phi=Gamma(2, 0.1)"',
            file="--prior",
            value=text,
        )
    return name.strip(), prior.strip()


def _arguments(
    distribution: str, inside: str, *, name: str, text: str, where: str
) -> tuple[float, ...]:
    labels, _, must_be_positive = DISTRIBUTIONS[distribution]
    parts = inside.split(",") if inside.strip() else []
    if len(parts) != len(labels):
        raise StudyError(
            f"prior of '{name}': {distribution} takes {len(labels)} "
            f"argument{'s' if len(labels) > 1 else ''} ({', '.join(labels)})",
            file=where or None,
            value=text,
        )
    args = tuple(_number(part, name, text, where) for part in parts)
    for value, label, positive in zip(args, labels, must_be_positive, strict=True):
        if positive and value <= 0:
            raise StudyError(
                f"prior of '{name}': the {label} of {distribution} must be above 0",
                file=where or None,
                value=text,
            )
    return args


def _number(text: str, name: str, prior: str, where: str) -> float:
    match = re.fullmatch(r"\s*log\s*\((.*)\)\s*", text)
    try:
        value = math.log(float(match.group(1))) if match else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise StudyError(
            f"prior of '{name}': an argument must be a number or log(positive number)",
            file=where or None,
            value=prior,
        )
    return value


def draw(prior: Prior, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Draw from a prior.

    Parameters
    ----------
    prior : Prior
    rng : numpy.random.Generator
    size : int

    Returns
    -------
    array, shape (size,)
    """
    a = prior.args
    match prior.distribution:
        case "Normal":
            return rng.normal(a[0], a[1], size)
        case "StudentT":
            return a[1] + a[2] * rng.standard_t(a[0], size)
        case "Cauchy":
            return a[0] + a[1] * rng.standard_cauchy(size)
        case "HalfNormal":
            return np.abs(rng.normal(0, a[0], size))
        case "HalfCauchy":
            return np.abs(a[0] * rng.standard_cauchy(size))
        case "HalfStudentT":
            return np.abs(a[1] * rng.standard_t(a[0], size))
        case "Exponential":
            return rng.exponential(1 / a[0], size)
        case "Gamma":
            return rng.gamma(a[0], 1 / a[1], size)
        case "LogNormal":
            return rng.lognormal(a[0], a[1], size)
        case "Beta":
            return rng.beta(a[0], a[1], size)
    raise ValueError(f"no distribution is called {prior.distribution!r}")


def log_density(prior: Prior, values: ArrayLike) -> NDArray[np.float64]:
    """Natural logarithm of the density of a prior, with its normalizing constant.

    Parameters
    ----------
    prior : Prior
    values : array-like
        On the parameter's own scale.

    Returns
    -------
    array, of the shape of ``values``
        Minus infinity where the distribution has no mass, NaN where a value is NaN.
    """
    x = np.asarray(values, dtype=float)
    lives_on = DISTRIBUTIONS[prior.distribution][1]
    outside = np.isinf(x)
    if lives_on != "real":
        # At 0 a LogNormal is a difference of two infinities, whose limit is minus infinity.
        outside |= x <= 0 if prior.distribution == "LogNormal" else x < 0
    if lives_on == "unit":
        outside |= x > 1
    return np.where(outside, -np.inf, _log_formula(prior, np.where(outside, 0.5, x)))


def _log_formula(prior: Prior, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of the density, of values inside the support."""
    a = prior.args
    # Half of a distribution that is symmetric around zero has twice its density.
    double = math.log(2)
    match prior.distribution:
        case "Normal":
            return _log_normal((x - a[0]) / a[1]) - math.log(a[1])
        case "StudentT":
            return _log_t((x - a[1]) / a[2], a[0]) - math.log(a[2])
        case "Cauchy":
            return _log_t((x - a[0]) / a[1], 1.0) - math.log(a[1])
        case "HalfNormal":
            return double + _log_normal(x / a[0]) - math.log(a[0])
        case "HalfCauchy":
            return double + _log_t(x / a[0], 1.0) - math.log(a[0])
        case "HalfStudentT":
            return double + _log_t(x / a[1], a[0]) - math.log(a[1])
        case "Exponential":
            return math.log(a[0]) - a[0] * x
        case "Gamma":
            constant = a[0] * math.log(a[1]) - math.lgamma(a[0])
            return constant + _times_log(a[0] - 1, x) - a[1] * x
        case "LogNormal":
            log_x = np.log(x)
            return _log_normal((log_x - a[0]) / a[1]) - math.log(a[1]) - log_x
        case "Beta":
            constant = math.lgamma(a[0] + a[1]) - math.lgamma(a[0]) - math.lgamma(a[1])
            return constant + _times_log(a[0] - 1, x) + _times_log(a[1] - 1, 1 - x)
    raise ValueError(f"no distribution is called {prior.distribution!r}")


def _log_normal(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return -0.5 * (z * z + math.log(2 * math.pi))


def _log_t(z: NDArray[np.float64], df: float) -> NDArray[np.float64]:
    constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    return constant - (df + 1) / 2 * np.log1p(z * z / df)


def _times_log(power: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """``power * log(x)``, and 0 for a power of 0, also where x is 0."""
    if power == 0:
        return 0 * x
    with np.errstate(divide="ignore"):
        return power * np.log(x)


def rescaled(prior: Prior, factor: float) -> Prior:
    """The same kind of prior, with its scale multiplied: more or less sure of itself.

    ==============================  ================================  ==========================
    distribution                    multiplied by ``factor``          stays as it is
    ==============================  ================================  ==========================
    Normal                          sd                                mean
    StudentT, Cauchy                scale                             location, df
    HalfNormal, HalfCauchy,         scale, hence the mean as well     df
    HalfStudentT
    Exponential                     sd, hence the mean as well
    Gamma                           sd                                mean
    LogNormal                       sd of the logarithm               median
    Beta                            sd, as far as it can be           mean
    ==============================  ================================  ==========================

    A Gamma gets shape and rate divided by the square of the factor. A Beta(a, b) gets its sum,
    plus one, divided by it: the variance is ``m (1 - m) / (a + b + 1)``. It cannot grow without
    end, and long before it is at its end nearly all mass is at 0 and 1; so a + b, which is the
    number of observations that the prior is worth, falls to 1 and no further (or stays, if it
    is below 1 already). Thus Beta(1, 9) doubled is Beta(0.175, 1.575), whose sd is twice as
    large, but Beta(1, 1) doubled is Beta(0.5, 0.5), whose sd is only 1.22 times as large.

    Parameters
    ----------
    prior : Prior
    factor : float
        Above 0, such as 0.5 or 2.

    Returns
    -------
    Prior
        With ``text`` as a person would write it, six digits at most where an argument changed;
        the arguments are those of the text. Everything else is as before.

    Raises
    ------
    ValueError
        If the factor is not a number above 0.
    """
    if not (math.isfinite(factor) and factor > 0):
        raise ValueError(f"a scale is multiplied by a number above 0, not by {factor}")
    inside = prior.text.partition("(")[2].rpartition(")")[0]
    parts = [
        # What did not change keeps its form: log(10) is more readable than 2.30259.
        written.strip() if math.isclose(old, new, rel_tol=1e-12) else f"{new:.6g}"
        for written, old, new in zip(
            inside.split(","), prior.args, _multiplied(prior, factor), strict=True
        )
    ]
    text = f"{prior.distribution}({', '.join(parts)})"
    _, args = parse(text, name=prior.name, support=prior.support)
    return replace(prior, args=args, text=text)


def _multiplied(prior: Prior, factor: float) -> tuple[float, ...]:
    """Arguments of a prior with another scale, see :func:`rescaled`."""
    a = prior.args
    match prior.distribution:
        case "Exponential":
            return (a[0] / factor,)
        case "Gamma":
            return a[0] / factor**2, a[1] / factor**2
        case "Beta":
            worth = a[0] + a[1]
            new = max((worth + 1) / factor**2 - 1, min(worth, 1.0))
            return a[0] * new / worth, a[1] * new / worth
    # Of all others the scale is the last argument.
    return *a[:-1], a[-1] * factor
