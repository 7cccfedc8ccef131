"""Variants that a study declares: other readings of its own columns, as labelled arrays.

A variant changes what a model is given, never how the model is written; the catalogue of
models turns each of them into a row of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from intlmodels.core.csvtable import clean_label
from intlmodels.core.errors import StudyError, did_you_mean, listed, shown
from intlmodels.study.columns import Floats, Integers, Outcome, Predictor, frozen, read_predictor
from intlmodels.study.keys import wrong
from intlmodels.study.outcomes import FurtherOutcome
from intlmodels.study.sources import Sources


@dataclass(frozen=True, eq=False)
class Nested:
    """The printed label within its family (needs a predictor with a family separator).

    Attributes
    ----------
    name, note : str
    predictor : str
        The category whose levels are the families.
    labels : tuple of str
        Printed labels, sorted.
    label_codes : array of int, shape (firm,)
        Position in ``labels``.
    family_of_label : array of int, shape (label,)
        Position in the predictor's levels.
    """

    name: str
    note: str
    predictor: str
    labels: tuple[str, ...]
    label_codes: Integers
    family_of_label: Integers


@dataclass(frozen=True, eq=False)
class Axes:
    """Ordered axes in place of a category.

    Attributes
    ----------
    name, note : str
    replaces : str
        The category that the axes replace.
    axes : dict of str to array of int, shape (firm,)
        Position of each firm in ``levels``.
    levels : tuple of str
        Lowest first.
    readings : tuple of (label, {axis: level}, note)
        How each printed label was read.
    """

    name: str
    note: str
    replaces: str
    axes: dict[str, Integers]
    levels: tuple[str, ...]
    readings: tuple[tuple[str, dict[str, str], str], ...]


@dataclass(frozen=True, eq=False)
class Membership:
    """A second label beside the first one.

    Attributes
    ----------
    name, note : str
    predictor : str
        The category with the first label.
    levels : tuple of str
        Levels of both labels, sorted.
    weights : array, shape (firm, level)
        Rows sum to one: the primary weight on the first label and the rest on the second,
        or all on the first where there is no second.
    file, column : str
        Where the second label is printed.
    second : tuple of str, length (firm,)
        Its cells as they stand in the file.
    """

    name: str
    note: str
    predictor: str
    levels: tuple[str, ...]
    weights: Floats
    file: str = ""
    column: str = ""
    second: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Covariate:
    """One more numeric predictor.

    Attributes
    ----------
    name, note : str
    predictor : Predictor
        Of kind ``numeric``, with the variant's name.
    """

    name: str
    note: str
    predictor: Predictor


@dataclass(frozen=True, eq=False)
class ByOutcome:
    """A further outcome as one more predictor of the share.

    Attributes
    ----------
    name, note : str
    outcome : FurtherOutcome
    """

    name: str
    note: str
    outcome: FurtherOutcome


Variant = Nested | Axes | Membership | Covariate | ByOutcome


def read_variant(
    name: str,
    spec: Mapping[str, Any],
    predictors: Mapping[str, Predictor],
    sources: Sources,
    outcome: Outcome,
    further: Mapping[str, FurtherOutcome],
) -> Variant:
    """Read one variant.

    Parameters
    ----------
    name : str
    spec : mapping
        Its table in study.toml, with its kind.
    predictors : mapping of str to Predictor
        The study's predictors.
    sources : Sources
    outcome : Outcome
    further : mapping of str to FurtherOutcome
        The study's further outcomes.

    Raises
    ------
    StudyError
        If it refers to what is not there, or cannot be told from the default.
    """
    where, note = f"[variants.{name}]", spec.get("note", "")
    match spec["kind"]:
        case "nested":
            category = _category(spec["predictor"], predictors, f"{where} predictor")
            return _nested(name, note, category, where)
        case "axes":
            category = _category(spec["replaces"], predictors, f"{where} replaces")
            return _axes(name, note, category, spec, sources)
        case "membership":
            category = _category(spec["predictor"], predictors, f"{where} predictor")
            return _membership(name, note, category, spec, sources)
        case "outcome":
            return _by_outcome(name, note, spec["outcome"], further, f"{where} outcome")
        case _:
            numeric = {**spec, "kind": "numeric"}
            return Covariate(name, note, read_predictor(name, numeric, sources, outcome, where))


def _category(name: str, predictors: Mapping[str, Predictor], key: str) -> Predictor:
    if name not in predictors:
        raise wrong(
            f"no such predictor{did_you_mean(name, predictors)}; expected one of "
            f"{listed(predictors)}",
            key,
            name,
        )
    predictor = predictors[name]
    if predictor.kind != "category":
        raise wrong(f"expected a predictor of kind category; it is a {predictor.kind}", key, name)
    return predictor


def _by_outcome(
    name: str, note: str, asked: str, further: Mapping[str, FurtherOutcome], key: str
) -> ByOutcome:
    if asked not in further:
        known = f"expected one of {listed(further)}" if further else "expected an [outcomes.NAME]"
        raise wrong(f"no such outcome{did_you_mean(asked, further)}; {known}", key, asked)
    for firm, why in further[asked].missing:
        raise wrong(
            f"firm {shown(firm)} has {why}; expected a predictor to be known of every firm: fill "
            "the cell, or delete the variant",
            key,
            asked,
        )
    return ByOutcome(name, note, further[asked])


def _labels(predictor: Predictor) -> list[str]:
    return [clean_label(text) for text in predictor.printed]


def _nested(name: str, note: str, category: Predictor, where: str) -> Nested:
    if not category.family_separator:
        raise wrong(
            f"expected a predictor with a family_separator; give it in "
            f"[predictors.{category.name}], or there is nothing to nest",
            f"{where} predictor",
            category.name,
        )
    printed = _labels(category)
    labels = tuple(sorted(set(printed)))
    if len(labels) == len(category.levels):
        raise wrong(
            "every family has a single printed label; expected a family with two or more: "
            "delete the variant",
            f"{where} predictor",
            category.name,
        )
    place = {label: code for code, label in enumerate(labels)}
    codes = frozen([place[label] for label in printed], np.intp)
    family = dict(zip(printed, category.codes, strict=True))
    families = frozen([family[label] for label in labels], np.intp)
    return Nested(name, note, category.name, labels, codes, families)


def _axes(
    name: str, note: str, category: Predictor, spec: Mapping[str, Any], sources: Sources
) -> Axes:
    levels: tuple[str, ...] = spec["levels"]
    axes = [key for key in spec["readings"][0] if key not in ("label", "note")]
    readings = {reading["label"]: reading for reading in spec["readings"]}
    for cell in sources.cells(category.file, category.column, f"[variants.{name}]"):
        label = clean_label(cell.text)
        if label not in readings:
            raise cell.error(
                f"expected a label with a reading in variant {shown(name)}"
                f"{did_you_mean(label, readings)}; add a [[variants.{name}.readings]] for it"
            )
    codes: dict[str, Integers] = {}
    for axis in axes:
        read = [levels.index(readings[label][axis]) for label in _labels(category)]
        if len(set(read)) == 1:
            raise wrong(
                "every firm has this level; expected two or more levels: delete the axis",
                f"[variants.{name}] {axis}",
                levels[read[0]],
            )
        codes[axis] = frozen(read, np.intp)
    told = tuple(
        (label, {axis: reading[axis] for axis in axes}, reading.get("note", ""))
        for label, reading in readings.items()
    )
    return Axes(name, note, category.name, codes, levels, told)


def _membership(
    name: str, note: str, category: Predictor, spec: Mapping[str, Any], sources: Sources
) -> Membership:
    where, weight = f"[variants.{name}]", spec["primary_weight"]
    if not 0.5 < weight < 1:
        raise wrong(
            "expected a weight above 0.5 and below 1: what the first label counts when there is "
            "a second",
            f"{where} primary_weight",
            weight,
        )
    file, column = spec.get("file", sources.file), clean_label(spec["column"])
    if (file, column) == (category.file, category.column):
        raise wrong(
            f"expected another column than that of {category.name}", f"{where} column", column
        )
    cells = sources.cells(file, column, f"{where} column")
    first = [category.levels[code] for code in category.codes]
    second: list[str | None] = []
    for cell, primary in zip(cells, first, strict=True):
        # An empty cell says that there is no second label; NA would say that it is not known.
        level = sources.level(cell, category.family_separator) if clean_label(cell.text) else None
        if level == primary:
            raise cell.error("expected a label that differs from the first one; empty the cell")
        second.append(level)
    if not any(second):
        raise StudyError(
            "no firm has a second label; expected at least one: delete the variant",
            file=file,
            column=column,
        )
    levels = tuple(sorted({*first, *(level for level in second if level is not None)}))
    place = {level: code for code, level in enumerate(levels)}
    weights = np.zeros((len(first), len(levels)))
    for row, primary, other in zip(weights, first, second, strict=True):
        row[place[primary]] = 1.0 if other is None else weight
        if other is not None:
            row[place[other]] = 1.0 - weight
    texts = tuple(cell.text for cell in cells)
    return Membership(name, note, category.name, levels, frozen(weights), file, column, texts)
