"""How to sample, and arguments of public functions, checked where they enter."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from numbers import Integral, Real
from typing import Any

from intlmodels.core.errors import StudyError
from intlmodels.core.files import output_folder

#: ``progress(done)`` is called with the finished part of the sampling, 0 to 1.
Progress = Callable[[float], None]

#: What a refit may change: data of a PyMC model by name, or ``counts`` where tables are drawn.
Given = Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """How to sample."""

    draws: int = 2000  # Kept draws of each chain
    tune: int = 1000  # Tuning draws of each chain
    chains: int = 4
    seed: int = 20261  # The same seed gives the same draws
    target_accept: float = 0.95  # Target acceptance of NUTS, between 0 and 1
    sampler: str = "nutpie"  # {"nutpie", "pymc"}: Which implementation of NUTS
    #: Where tables are drawn together with parameters: sweeps over both for each draw
    sweeps: int = 2
    cores: int | None = None  # Chains sampled at the same time; does not change the draws

    def __post_init__(self) -> None:
        limits = {
            "draws": (4, 10**7),
            "tune": (0, 10**7),
            # R-hat compares chains: with one there is nothing to compare.
            "chains": (2, 1000),
            "seed": (0, 2**32 - 1),
            "sweeps": (1, 10**5),
            "cores": (1, 10**4),
        }
        for name, (least, most) in limits.items():
            # From study.toml anything may come; True counts as 1 unless it is refused here.
            value: Any = getattr(self, name)
            if name == "cores" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                said = f"{name} must be a whole number from {least} to {most}"
                raise StudyError(said, value=str(value))
        accept: Any = self.target_accept
        if isinstance(accept, bool) or not isinstance(accept, (int, float)) or not 0 < accept < 1:
            raise StudyError("target_accept must be between 0 and 1", value=str(accept))
        if self.sampler not in ("nutpie", "pymc"):
            raise StudyError("sampler must be nutpie or pymc", value=str(self.sampler))

    def identity(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """The settings on which the draws depend: those named, or all that may matter."""
        kept = {f.name for f in fields(self) if f.name != "cores"} if names is None else set(names)
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name in kept}


# -- arguments of public functions, by their annotations and names -----------------------


def checked[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """A public function that refuses unusable arguments before it does anything.

    Types are those of the annotations, which must be written out. TypeError for a value of another
    type, StudyError for one that cannot be used.
    """
    signature = inspect.signature(function)
    # Whoever is only to read does not need a folder that can be written to.
    reads = function.__name__ in ("claim_table", "read_trust")

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            parameter = signature.parameters[name]
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                continue
            if not any(_is_of(value, kind) for kind in parameter.annotation.split(" | ")):
                said = f"{function.__name__}: {name} must be {_in_words(parameter.annotation)}"
                raise TypeError(f"{said}, not {type(value).__name__}")
            if name == "prob" and not 0 < value < 1:
                raise StudyError("prob must be between 0 and 1", value=value)
            if name == "out" and value is not None:
                output_folder(value, writes=not reads)
            if _is_a(value, "DataTree"):
                _require_fit(value, before=function.__name__ == "prior_predictive")
        try:
            return function(*args, **kwargs)
        except StudyError as error:
            if error.file != "command line":
                raise
            raise StudyError(error.message, file="priors", value=error.value) from None

    return call


def _is_of(value: Any, kind: str) -> bool:
    outer, _, inner = kind.removesuffix("]").partition("[")
    match outer:
        case "Any":
            return True
        case "None":
            return value is None
        case "int":
            return isinstance(value, Integral) and not isinstance(value, bool)
        case "float":
            return isinstance(value, Real) and not isinstance(value, bool)
        case "Path":
            return isinstance(value, os.PathLike)
        case "Progress" | "Callable":
            return callable(value)
        case "Sequence" | "list":
            plain = isinstance(value, Collection) and not isinstance(value, (str, bytes, Mapping))
            return plain and all(_is_of(item, inner) for item in value)
        case "Mapping" | "dict":
            kinds = inner.split(", ")
            return isinstance(value, Mapping) and all(
                all(map(_is_of, item, kinds)) for item in value.items()
            )
    return _is_a(value, outer)


def _is_a(value: Any, name: str) -> bool:
    """Whether a value is of a class of this name, which need not be imported here."""
    # A study of another model is a value that cannot be used; the function says why.
    plain = "Study" if name.endswith("Study") else name.rpartition(".")[2].strip("_")
    return any(plain == base.__name__ for base in type(value).__mro__)


def _in_words(annotation: str) -> str:
    *others, last = annotation.replace("pd.", "").replace("_Figure", "Figure").split(" | ")
    return f"{', '.join(others)} or {last}" if others else last


def _require_fit(tree: Any, before: bool) -> None:
    """Refuse a tree that is no fit; ``before``: one with draws from the prior alone will do."""
    attributes, groups = {"model", "gate", "seed"}, {"posterior", "constant_data"}
    if before and "posterior" not in tree.children:
        attributes, groups = {"model"}, {"prior_predictive", "constant_data"}
    if not (attributes <= set(tree.attrs) and groups <= set(tree.children)):
        said = "this tree is not a fit of intlmodels; expected one from fit_study or read_fit"
        raise StudyError(said, value=list(tree.children))
