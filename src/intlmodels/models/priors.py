"""Priors as a table that can be printed and overridden by name.

A prior is written the way a paper writes it, ``Normal(-1.5, 1)`` or
``LogNormal(log(10), 0.8)``. Models declare their parameters with a default; a study's
``[priors]`` table and the command line replace defaults by name. What replaces what, and
where it came from, travels with the fit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intlmodels.core.errors import StudyError, did_you_mean

Support = Literal["real", "positive", "unit"]

Array = NDArray[np.float64]

_SUPPORT_IN_WORDS = {
    "real": "any real number",
    "positive": "a positive number",
    "unit": "a probability between 0 and 1",
}


@dataclass(frozen=True)
class Distribution:
    """What is to be known of one distribution; arguments always come in the same order."""

    arguments: tuple[str, ...]
    support: Support
    #: Which arguments must be above 0.
    positive: tuple[bool, ...]
    #: What PyMC calls the arguments; it calls the distribution what it is called here.
    keywords: tuple[str, ...]
    #: Of a generator, a size and the arguments.
    draw: Callable[..., Array]
    #: Of values inside the support and the arguments, with the normalizing constant.
    log_density: Callable[..., Array]
    #: Of a factor and the arguments: those of a wider or narrower one, see :func:`rescaled`.
    scaled: Callable[..., tuple[float, ...]] = lambda factor, *a: (*a[:-1], a[-1] * factor)


def _log_normal(z: Array) -> Array:
    return -0.5 * (z * z + math.log(2 * math.pi))


def _log_t(z: Array, df: float) -> Array:
    constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    return constant - (df + 1) / 2 * np.log1p(z * z / df)


def _times_log(power: float, x: Array) -> Array:
    """``power * log(x)``, and 0 for a power of 0, also where x is 0."""
    if power == 0:
        return 0 * x
    with np.errstate(divide="ignore"):
        return power * np.log(x)


def _log_gamma(x: Array, shape: float, rate: float) -> Array:
    constant = shape * math.log(rate) - math.lgamma(shape)
    return constant + _times_log(shape - 1, x) - rate * x


def _log_lognormal(x: Array, median: float, sd: float) -> Array:
    log_x = np.log(x)
    return _log_normal((log_x - median) / sd) - math.log(sd) - log_x


def _log_beta(x: Array, a: float, b: float) -> Array:
    constant = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return constant + _times_log(a - 1, x) + _times_log(b - 1, 1 - x)


def _scaled_beta(factor: float, a: float, b: float) -> tuple[float, float]:
    worth = a + b
    new = max((worth + 1) / factor**2 - 1, min(worth, 1.0))
    return a * new / worth, b * new / worth


# Half of a distribution that is symmetric around zero has twice its density.
_LOG_2 = math.log(2)

#: All distributions by name; kernels of the decay model number them in this order.
DISTRIBUTIONS: dict[str, Distribution] = {
    "Normal": Distribution(
        *(("mean", "sd"), "real", (False, True), ("mu", "sigma")),
        draw=lambda rng, size, mean, sd: rng.normal(mean, sd, size),
        log_density=lambda x, mean, sd: _log_normal((x - mean) / sd) - math.log(sd),
    ),
    "StudentT": Distribution(
        *(("df", "location", "scale"), "real", (True, False, True), ("nu", "mu", "sigma")),
        draw=lambda rng, size, df, at, scale: at + scale * rng.standard_t(df, size),
        log_density=lambda x, df, at, scale: _log_t((x - at) / scale, df) - math.log(scale),
    ),
    "Cauchy": Distribution(
        *(("location", "scale"), "real", (False, True), ("alpha", "beta")),
        draw=lambda rng, size, at, scale: at + scale * rng.standard_cauchy(size),
        log_density=lambda x, at, scale: _log_t((x - at) / scale, 1.0) - math.log(scale),
    ),
    "HalfNormal": Distribution(
        *(("scale",), "positive", (True,), ("sigma",)),
        draw=lambda rng, size, scale: np.abs(rng.normal(0, scale, size)),
        log_density=lambda x, scale: _LOG_2 + _log_normal(x / scale) - math.log(scale),
    ),
    "HalfCauchy": Distribution(
        *(("scale",), "positive", (True,), ("beta",)),
        draw=lambda rng, size, scale: np.abs(scale * rng.standard_cauchy(size)),
        log_density=lambda x, scale: _LOG_2 + _log_t(x / scale, 1.0) - math.log(scale),
    ),
    "HalfStudentT": Distribution(
        *(("df", "scale"), "positive", (True, True), ("nu", "sigma")),
        draw=lambda rng, size, df, scale: np.abs(scale * rng.standard_t(df, size)),
        log_density=lambda x, df, scale: _LOG_2 + _log_t(x / scale, df) - math.log(scale),
    ),
    "Exponential": Distribution(
        *(("rate",), "positive", (True,), ("lam",)),
        draw=lambda rng, size, rate: rng.exponential(1 / rate, size),
        log_density=lambda x, rate: math.log(rate) - rate * x,
        scaled=lambda factor, rate: (rate / factor,),
    ),
    "Gamma": Distribution(
        *(("shape", "rate"), "positive", (True, True), ("alpha", "beta")),
        draw=lambda rng, size, shape, rate: rng.gamma(shape, 1 / rate, size),
        log_density=_log_gamma,
        scaled=lambda factor, shape, rate: (shape / factor**2, rate / factor**2),
    ),
    "LogNormal": Distribution(
        *(("log median", "log sd"), "positive", (False, True), ("mu", "sigma")),
        draw=lambda rng, size, median, sd: rng.lognormal(median, sd, size),
        log_density=_log_lognormal,
    ),
    "Beta": Distribution(
        *(("a", "b"), "unit", (True, True), ("alpha", "beta")),
        draw=lambda rng, size, a, b: rng.beta(a, b, size),
        log_density=_log_beta,
        scaled=_scaled_beta,
    ),
}

#: Functions of a parameter, or of an array of them.
Scale = Callable[[Any], Any]

#: Support -> to the whole line, and back.
WHOLE_LINE: dict[Support, tuple[Scale, Scale]] = {
    "real": (lambda x: x, lambda x: x),
    "positive": (np.log, np.exp),
    "unit": (lambda x: np.log(x) - np.log1p(-x), lambda x: 1 / (1 + np.exp(-x))),
}


@dataclass(frozen=True)
class Prior:
    """A prior distribution of one named parameter: as it was written, and as it was read.

    ``support``: where the parameter lives; ``meaning``: what it is, with its unit; ``origin``:
    ``"default"``, ``"study.toml"`` or ``"command line"``.
    """

    name: str
    distribution: str
    args: tuple[float, ...]
    text: str
    support: Support
    meaning: str
    origin: str = "default"

    def rewritten(self, text: str, origin: str | None = None) -> Prior:
        """Read another prior of the same parameter; StudyError if it is not usable."""
        origin = origin or self.origin
        distribution, args = parse(text, name=self.name, support=self.support, origin=origin)
        return replace(self, distribution=distribution, args=args, text=text.strip(), origin=origin)


def parameter(name: str, text: str, support: Support, meaning: str) -> Prior:
    """Declare a model parameter with its default prior."""
    distribution, args = parse(text, name=name, support=support)
    return Prior(name, distribution, args, text, support, meaning)


def parse(
    text: str, *, name: str, support: Support, origin: str = "default"
) -> tuple[str, tuple[float, ...]]:
    """Read a prior such as ``Normal(0, 0.5)``: its distribution and arguments.

    An argument is a number or ``log(number)``. Raises StudyError if the text is not a distribution,
    its arguments are out of range, or it puts mass where the parameter cannot be.
    """

    def refuse(what: str) -> NoReturn:
        where = None if origin == "default" else origin or None
        raise StudyError(f"prior of '{name}'{what}", file=where, value=str(text))

    if not isinstance(text, str):
        refuse(' must be text such as "Normal(0, 1)"; put it in quotes')
    match = re.fullmatch(r"\s*([A-Za-z]+)\s*\((.*)\)\s*", text, flags=re.DOTALL)
    if match is None:
        refuse(
            ' is not readable; expected a distribution with its arguments, such as "Normal(0, 1)"'
        )
    named, inside = match.groups()
    if named not in DISTRIBUTIONS:
        hint = did_you_mean(named, DISTRIBUTIONS)
        refuse(f" has an unknown distribution{hint}; known are {', '.join(DISTRIBUTIONS)}")
    distribution = DISTRIBUTIONS[named]
    labels = distribution.arguments
    parts = inside.split(",") if inside.strip() else []
    if len(parts) != len(labels):
        plural = "s" if len(labels) > 1 else ""
        refuse(f": {named} takes {len(labels)} argument{plural} ({', '.join(labels)})")
    args = tuple(map(_number, parts))
    if not all(map(math.isfinite, args)):
        refuse(": an argument must be a number or log(positive number)")
    for value, label, positive in zip(args, labels, distribution.positive, strict=True):
        if positive and value <= 0:
            refuse(f": the {label} of {named} must be above 0")
    if support not in ("real", distribution.support):
        fitting = [n for n, other in DISTRIBUTIONS.items() if other.support == support]
        refuse(
            f" allows values that it cannot take: it is {_SUPPORT_IN_WORDS[support]}; "
            f"use one of {', '.join(fitting)}"
        )
    return named, args


def _number(text: str) -> float:
    match = re.fullmatch(r"\s*log\s*\((.*)\)\s*", text)
    try:
        return math.log(float(match.group(1))) if match else float(text)
    except ValueError:
        return math.nan


def apply_overrides(
    defaults: Mapping[str, Prior],
    overrides: Iterable[tuple[Mapping[str, str], str]],
    known: Mapping[str, Prior],
) -> dict[str, Prior]:
    """Replace default priors of a variant by name; the last override wins.

    ``known``: the parameters of all variants of the study: an override of one that this variant
    does not have is checked, and has no effect. Raises StudyError for a name that no variant has,
    or an unusable prior.
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
            new = (priors.get(name) or known[name]).rewritten(text, origin)
            if name in priors:
                priors[name] = new
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


def draw(prior: Prior, rng: np.random.Generator, size: int) -> Array:
    """Draw from a prior, (size,)."""
    return DISTRIBUTIONS[prior.distribution].draw(rng, size, *prior.args)


def log_density(prior: Prior, values: ArrayLike) -> Array:
    """Natural logarithm of the normalized density, at values on the parameter's own scale.

    Minus infinity where the distribution has no mass, NaN where a value is NaN.
    """
    x = np.asarray(values, dtype=float)
    distribution = DISTRIBUTIONS[prior.distribution]
    outside = np.isinf(x)
    if distribution.support != "real":
        # At 0 a LogNormal is a difference of two infinities, whose limit is minus infinity.
        outside |= x <= 0 if prior.distribution == "LogNormal" else x < 0
    if distribution.support == "unit":
        outside |= x > 1
    inside = distribution.log_density(np.where(outside, 0.5, x), *prior.args)
    return np.where(outside, -np.inf, inside)


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

    The text is as a person would write it, six digits at most where an argument changed, and the
    arguments are those of the text. Raises ValueError if the factor is not a number above 0.
    """
    if not (math.isfinite(factor) and factor > 0):
        raise ValueError(f"a scale is multiplied by a number above 0, not by {factor}")
    scaled = DISTRIBUTIONS[prior.distribution].scaled(factor, *prior.args)
    inside = prior.text.partition("(")[2].rpartition(")")[0]
    parts = [
        # What did not change keeps its form: log(10) is more readable than 2.30259.
        written.strip() if math.isclose(old, new, rel_tol=1e-12) else f"{new:.6g}"
        for written, old, new in zip(inside.split(","), prior.args, scaled, strict=True)
    ]
    return prior.rewritten(f"{prior.distribution}({', '.join(parts)})")
