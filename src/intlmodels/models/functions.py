"""Variants that are Python functions of a user's own: from design to design, or model to model."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import is_dataclass, replace
from typing import Any

from intlmodels.core.errors import StudyError
from intlmodels.core.files import short_hash
from intlmodels.models.base import Variant
from intlmodels.studies import RegisterStudy, RowFiles, SequenceStudy, Study


def with_function(study: Study, variant: str | Callable[[Any], Any]) -> tuple[Study, str]:
    """The study with a function among its variants, and the name of the variant."""
    if isinstance(variant, str):
        return study, variant
    if isinstance(study, (RowFiles, RegisterStudy, SequenceStudy)):
        raise StudyError(
            "variants of your own are for studies that list their firms; expected a name",
            file="variant",
            value=study.name,
        )
    name = getattr(variant, "__name__", "")
    if not name.isidentifier():
        raise StudyError(
            "expected a function with a name: write it with def", file="variant", value=name
        )
    return replace(study, functions={**study.functions, name: variant}), name


def function_variant(function: Callable[[Any], Any]) -> Variant[Any]:
    """The row of the catalogue that a function stands for."""
    name = function.__name__
    (parameter, *_) = [*inspect.signature(function).parameters.values(), None]
    if parameter is None:
        raise StudyError("expected a function of one argument: design, or model", value=name)
    of_model = parameter.name == "model" or str(parameter.annotation).endswith("Model")

    def same(design: Any) -> Any:
        return design

    def changed(design: Any) -> Any:
        found = function(design)
        if type(found) is not type(design) or not is_dataclass(found):
            raise StudyError(
                f"the function returned {type(found).__name__}; expected a design, or call its "
                "argument model for a function from PyMC model to model",
                file="variant",
                value=name,
            )
        return found

    def built(model: Any) -> Any:
        found = function(model)
        if type(found) is not type(model):
            message = f"the function returned {type(found).__name__}; expected a PyMC model"
            raise StudyError(message, file="variant", value=name)
        return found

    return Variant(
        name,
        f"{'another likelihood' if of_model else 'changes'} by the Python function {name}",
        same if of_model else changed,
        comparable=not of_model,
        of_model=built if of_model else None,
        source=source_hash(function),
    )


def source_hash(function: Callable[[Any], Any]) -> str:
    """Hash of the text of a function, of those of its module that it calls, and of plain values.

    Where there is no text, that of its byte code. Objects of other kinds that it refers to do not
    count.
    """
    parts: list[str] = []
    seen: set[Any] = set()

    def add(one: Any) -> None:
        if one in seen:
            return
        seen.add(one)
        try:
            text = textwrap.dedent(inspect.getsource(one))
        except (OSError, TypeError):
            text = ""
        if f"def {one.__name__}" in text:  # Python may find other text for what was typed
            parts.append(text)
        else:
            parts.append(repr((one.__code__.co_code, one.__code__.co_names)))
            parts.append(repr([c for c in one.__code__.co_consts if not hasattr(c, "co_code")]))
        found = inspect.getclosurevars(one)
        for name, value in sorted({**found.globals, **found.nonlocals}.items()):
            if inspect.isfunction(value) and value.__module__ == function.__module__:
                add(value)
            elif isinstance(value, (bool, int, float, str, tuple, type(None))):
                parts.append(f"{name} = {value!r}")

    add(function)
    return short_hash(*parts)
