"""Arguments of public functions, checked where they enter: by their annotations and names."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from numbers import Integral, Real
from typing import Any

from intlmodels.core.errors import StudyError
from intlmodels.core.files import output_folder


def checked[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """A public function that refuses unusable arguments before it does anything.

    Types are those of the annotations, which must be written out: ``A | B``, with ``Sequence``,
    ``list`` and ``Mapping`` as containers. A fit, a probability and a folder of results are
    known by their names.

    Raises
    ------
    TypeError
        For a value of another type.
    StudyError
        For a value that cannot be used.
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
            if not _fits(value, parameter.annotation):
                raise TypeError(
                    f"{function.__name__}: {name} must be {_in_words(parameter.annotation)}, "
                    f"not {type(value).__name__}"
                )
            if name == "prob" and not 0 < value < 1:
                raise StudyError("prob must be between 0 and 1", value=value)
            if name == "out" and value is not None:
                output_folder(value, writes=not reads)
            if _is_a(value, "DataTree"):
                _require_fit(value)
        return function(*args, **kwargs)

    return call


def _fits(value: Any, annotation: str) -> bool:
    return any(_is_of(value, kind) for kind in annotation.split(" | "))


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
        case "Progress":
            return callable(value)
        case "Sequence" | "list":
            plain = isinstance(value, Collection) and not isinstance(value, (str, bytes, Mapping))
            return plain and all(_is_of(item, inner) for item in value)
        case "Mapping":
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


def _require_fit(tree: Any) -> None:
    attributes, groups = {"model", "gate", "seed"}, {"posterior", "constant_data"}
    if not (attributes <= set(tree.attrs) and groups <= set(tree.children)):
        raise StudyError(
            "this tree is not a fit of intlmodels; expected one from fit_study or read_fit",
            value=list(tree.children),
        )
