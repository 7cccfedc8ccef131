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
from numpy.typing import NDArray

from intlmodels.errors import StudyError, did_you_mean

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
