"""Reading study.toml: its vocabulary, as data, and the checks that need no table.

A key that is not in the vocabulary is an error, not a shrug: a misspelled key would else
leave a default in place without a word.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from intlmodels.csvtable import clean_label, read_text
from intlmodels.errors import StudyError, did_you_mean, listed, shown

FILE = "study.toml"

#: Models that a study can name.
MODELS = ("share",)
UNITS = ("percent", "fraction")
TRANSFORMS = ("none", "log")

#: Names that the models use for themselves.
RESERVED = frozenset(
    (
        *("intercept", "phi", "precision", "sigma", "mu", "never", "heaping"),
        *("firm", "chain", "draw", "printed", "share", "printed_share"),
    )
)
#: A model appends these to a name, for example ``product_level``.
ENDINGS = (
    *("level", "label", "z", "step", "steps", "effect", "mean", "sd"),
    *("observed", "missing", "missing_firm", "observed_firm"),
)
#: Names of variants that a study cannot give to its own: every study has these, and ``all``
#: stands for all of them on the command line.
BUILT_IN_VARIANTS = ("default", "logit-normal", "hurdle", "heaped", "density", "all")


@dataclass(frozen=True)
class Key:
    """What a key of study.toml may hold.

    Attributes
    ----------
    holds : {"text", "prose", "number", "integer", "texts", "tables"}
        ``prose`` is text that may be blank and whose line breaks mean nothing.
    required : bool
    options : tuple of str
        For text: the allowed words.
    within : tuple of float
        For numbers: least and greatest allowed value.
    """

    holds: Literal["text", "prose", "number", "integer", "texts", "tables"]
    required: bool = False
    options: tuple[str, ...] = ()
    within: tuple[float, float] = (-math.inf, math.inf)


_TEXT, _PROSE, _NEEDED = Key("text"), Key("prose"), Key("text", required=True)

TOP = ("study", "firms", "outcome", "predictors", "variants", "priors", "profiles", "fit")
STUDY = {
    "name": _NEEDED,
    "title": _NEEDED,
    "question": _PROSE,
    "model": Key("text", required=True, options=MODELS),
    "source": _PROSE,
    "limits": Key("texts"),
}
FIRMS = {"file": _NEEDED, "column": _NEEDED, "label": _TEXT}
OUTCOME = {
    "file": _TEXT,
    "column": _NEEDED,
    "label": _TEXT,
    "unit": Key("text", required=True, options=UNITS),
    "rounding_width": Key("number", required=True),
}
_PREDICTOR = {
    "kind": _NEEDED,
    "file": _TEXT,
    "column": _NEEDED,
    "label": _TEXT,
    "key": _TEXT,
}
_NUMERIC = {"transform": Key("text", options=TRANSFORMS), "unit": _PROSE}
PREDICTORS = {
    "category": _PREDICTOR | {"family_separator": _TEXT},
    "contrast": _PREDICTOR | {"low": _NEEDED, "high": _NEEDED},
    "numeric": _PREDICTOR | _NUMERIC,
}
_VARIANT = {"kind": _NEEDED, "note": _PROSE}
VARIANTS = {
    "nested": _VARIANT | {"predictor": _NEEDED},
    "axes": _VARIANT
    | {
        "replaces": _NEEDED,
        "levels": Key("texts", required=True),
        "readings": Key("tables", required=True),
    },
    "membership": _VARIANT
    | {
        "predictor": _NEEDED,
        "column": _NEEDED,
        "file": _TEXT,
        # At one half the first label would no longer be the primary one, at one the second
        # label would not count at all.
        "primary_weight": Key("number", required=True),
    },
    "covariate": _VARIANT | {"column": _NEEDED, "file": _TEXT, "label": _TEXT} | _NUMERIC,
}
FIT = {
    "seed": Key("integer", within=(0, 2**32 - 1)),
    "draws": Key("integer", within=(4, 1_000_000)),
    "tune": Key("integer", within=(0, 1_000_000)),
    "chains": Key("integer", within=(2, 256)),
    "target_accept": Key("number", within=(0.1, 0.999)),
}


@dataclass(frozen=True)
class StudyFile:
    """The content of study.toml, checked for names and types, with no default filled in."""

    study: dict[str, Any]
    firms: dict[str, Any]
    outcome: dict[str, Any]
    predictors: dict[str, dict[str, Any]]
    variants: dict[str, dict[str, Any]]
    priors: dict[str, str]
    profiles: tuple[dict[str, Any], ...]
    fit: dict[str, Any]


def wrong(message: str, key: str, value: object = None) -> StudyError:
    """The error for a key of study.toml, such as ``[outcome] unit``."""
    return StudyError(message, file=FILE, column=key, value=value)


def read_study_toml(folder: Path) -> StudyFile:
    """Read and check study.toml.

    Parameters
    ----------
    folder : Path
        Folder of the study.

    Raises
    ------
    StudyError
        If the file is missing or not TOML, or has a key, type, kind or name that it may not
        have.
    """
    document = _parsed(read_text(folder, FILE))
    _check_keys(document, TOP, "")
    for name in ("study", "firms", "outcome", "predictors"):
        if name not in document:
            raise StudyError(f"the table [{name}] is missing; expected it", file=FILE)
    predictors = _by_kind(document, "predictors", PREDICTORS)
    if not predictors:
        raise StudyError("no predictor; expected at least one [predictors.NAME]", file=FILE)
    for name, predictor in predictors.items():
        if predictor["kind"] == "contrast":
            _check_contrast(predictor, f"[predictors.{name}]")
    variants = _by_kind(document, "variants", VARIANTS)
    for name, variant in variants.items():
        if variant["kind"] == "axes":
            variant["readings"] = _readings(name, variant)
    study = _section(document["study"], STUDY, "[study]")
    _check_study_name(study["name"])
    _check_names(predictors, variants)
    return StudyFile(
        study=study,
        firms=_section(document["firms"], FIRMS, "[firms]"),
        outcome=_section(document["outcome"], OUTCOME, "[outcome]"),
        predictors=predictors,
        variants=variants,
        priors=_priors(document.get("priors", {})),
        profiles=_profiles(document.get("profiles", []), predictors),
        fit=_section(document.get("fit", {}), FIT, "[fit]"),
    )


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise StudyError("nested too deeply; expected plain tables", file=FILE) from None
    except ValueError as error:  # TOMLDecodeError, and numbers of thousands of digits
        line = re.search(r"\(at line (\d+), column \d+\)", str(error))
        said = str(error).split(" (at ")[0]
        raise StudyError(
            f'not valid TOML: {said}; expected lines such as name = "text" or width = 5',
            file=FILE,
            row=int(line.group(1)) if line else None,
        ) from error


def _check_keys(table: Mapping[str, Any], valid: Iterable[str], where: str) -> None:
    names = list(valid)
    for key in table:
        if key not in names:
            raise wrong(
                f"unknown key{did_you_mean(key, names)}; valid here: {', '.join(names)}",
                f"{where} {key}".strip() if where else f"[{key}]",
            )


def _section(table: object, keys: Mapping[str, Key], where: str) -> dict[str, Any]:
    """Check a table of study.toml against its keys; prose comes out in one line."""
    if not isinstance(table, dict):
        raise wrong(f"expected a table: a line {where} and its keys below it", where, table)
    _check_keys(table, keys, where)
    for name, key in keys.items():
        if key.required and name not in table:
            options = f", one of {listed(key.options)}" if key.options else ""
            raise wrong(f"key is missing; expected it{options}", f"{where} {name}")
    return {name: _value(table[name], keys[name], f"{where} {name}") for name in table}


def _value(value: object, key: Key, where: str) -> Any:
    match key.holds:
        case "text" | "prose":
            return _text(value, key, where)
        case "number" | "integer":
            return _number(value, key, where)
        case "texts":
            if not isinstance(value, list):
                raise wrong('expected a list of texts, as in ["one", "two"]', where, value)
            return tuple(clean_label(_text(item, _TEXT, where)) for item in value)
        case "tables":
            if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
                raise wrong("expected tables, each below a line of two brackets", where, value)
            return value


def _text(value: object, key: Key, where: str) -> str:
    if not isinstance(value, str):
        raise wrong('expected text; put it in quotes, as in "text"', where, value)
    if "\0" in value:
        raise wrong("expected text without NUL characters", where, value)
    if key.holds == "prose":
        return clean_label(value)
    if not value.strip():
        raise wrong("expected text that is not blank", where, value)
    if key.options and value not in key.options:
        raise wrong(
            f"expected one of {listed(key.options)}{did_you_mean(value, key.options)}",
            where,
            value,
        )
    return value


def _number(value: object, key: Key, where: str) -> float | int:
    whole = key.holds == "integer"
    kinds = (int,) if whole else (int, float)
    # bool is a kind of int in Python, but true is not a number in TOML.
    if isinstance(value, bool) or not isinstance(value, kinds):
        what = "a whole number" if whole else "a number"
        quotes = " without quotes" if isinstance(value, str) else ""
        raise wrong(f"expected {what}{quotes}", where, value)
    least, greatest = key.within
    if not (math.isfinite(value) and least <= value <= greatest):
        bounds = f" from {least:g} to {greatest:.10g}" if math.isfinite(greatest) else ""
        raise wrong(f"expected a finite number{bounds}", where, value)
    return value


def _by_kind(
    document: Mapping[str, Any], group: str, kinds: Mapping[str, Mapping[str, Key]]
) -> dict[str, dict[str, Any]]:
    """Check the tables [group.NAME], whose keys depend on their kind."""
    tables = document.get(group, {})
    if not isinstance(tables, dict):
        raise wrong(f"expected tables [{group}.NAME]", f"[{group}]", tables)
    checked = {}
    for name, table in tables.items():
        where = f"[{group}.{name}]"
        if not isinstance(table, dict):
            raise wrong(f"expected a table {where} with a kind", where, table)
        if "kind" not in table:
            raise wrong(f"key is missing; expected it, one of {listed(kinds)}", f"{where} kind")
        kind = _text(table["kind"], Key("text", options=tuple(kinds)), f"{where} kind")
        checked[name] = _section(table, kinds[kind], where)
    return checked


def _check_contrast(predictor: Mapping[str, Any], where: str) -> None:
    low, high = clean_label(predictor["low"]), clean_label(predictor["high"])
    if low == high:
        raise wrong("low and high are the same; expected two labels", f"{where} high", high)


def _readings(name: str, variant: Mapping[str, Any]) -> list[dict[str, str]]:
    """Check the readings of an axes variant: every one places a label on every axis."""
    levels, readings = variant["levels"], variant["readings"]
    where = f"[variants.{name}]"
    if len(levels) < 2 or len(set(levels)) < len(levels):
        raise wrong("expected two or more different levels, lowest first", f"{where} levels")
    if not readings:
        raise wrong("expected at least one reading", f"{where} readings")
    axes = [key for key in readings[0] if key not in ("label", "note")]
    if not axes:
        raise wrong("expected a key for each axis, as in design = ...", f"{where} readings")
    keys = {"label": _NEEDED, "note": _PROSE}
    keys |= {axis: Key("text", required=True, options=levels) for axis in axes}
    checked, seen = [], set()
    for number, reading in enumerate(readings, start=1):
        here = f"[[variants.{name}.readings]] number {number},"
        reading = _section(reading, keys, here)
        reading["label"] = clean_label(reading["label"])
        if reading["label"] in seen:
            raise wrong("expected each label once", f"{here} label", reading["label"])
        seen.add(reading["label"])
        checked.append(reading)
    return checked


def _check_study_name(name: str) -> None:
    # The name becomes the name of a folder of reports.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise wrong(
            "expected a short name of ASCII letters, digits, '_' and '-'; put the full name in "
            "title",
            "[study] name",
            name,
        )


def _check_names(
    predictors: Mapping[str, Mapping[str, Any]], variants: Mapping[str, Mapping[str, Any]]
) -> None:
    """Check the names that become names of model variables."""
    taken: dict[str, str] = {}
    for name in predictors:
        _check_variable(name, f"[predictors.{name}]", taken)
        taken[name.lower()] = f"[predictors.{name}]"
    seen: set[str] = set()
    for name, variant in variants.items():
        where = f"[variants.{name}]"
        _check_variant_name(name, where, seen)
        new = dict(taken)
        names = [name] if variant["kind"] == "covariate" else []
        if variant["kind"] == "axes":
            names = [key for key in variant["readings"][0] if key not in ("label", "note")]
        for variable in names:
            _check_variable(variable, where, new)
            new[variable.lower()] = where


def _check_variant_name(name: str, where: str, seen: set[str]) -> None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        raise wrong("expected a name of ASCII letters, digits, '_' and '-'", where, name)
    if name.lower() in BUILT_IN_VARIANTS:
        raise wrong("expected another name; this one has a meaning in every study", where, name)
    if name.lower() in seen:
        raise wrong("expected names that differ by more than capitals", where, name)
    seen.add(name.lower())


def _check_variable(name: str, where: str, taken: Mapping[str, str]) -> None:
    low = name.lower()
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise wrong(
            "expected a name that starts with an ASCII letter and goes on with letters, digits "
            "or '_'; the printed name can stand in label",
            where,
            name,
        )
    if low in RESERVED or low.startswith("sigma_") or low.endswith("_level"):
        raise wrong("expected another name; the models use this one for themselves", where, name)
    if low in taken:
        raise wrong(
            f"expected names that differ by more than capitals; {taken[low]} has it", where, name
        )
    for other in taken:
        longer, shorter = max(low, other, key=len), min(low, other, key=len)
        if longer in [f"{shorter}_{ending}" for ending in ENDINGS]:
            raise wrong(
                f"expected another name; the models use {longer} for themselves beside {shorter}",
                where,
                name,
            )


def _priors(table: object) -> dict[str, str]:
    if not isinstance(table, dict):
        raise wrong('expected lines such as phi = "Gamma(2, 0.1)"', "[priors]", table)
    # Which names and distributions exist is known where the models are.
    return {name: _text(prior, _TEXT, f"[priors] {name}") for name, prior in table.items()}


def _profiles(tables: object, predictors: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    if not isinstance(tables, list):
        raise wrong("expected tables, each below a line [[profiles]]", "[[profiles]]", tables)
    for number, table in enumerate(tables, start=1):
        where = f"[[profiles]] number {number},"
        if not isinstance(table, dict):
            raise wrong("expected a table with a level for each predictor", where, table)
        _check_keys(table, predictors, where)
        for name in predictors:
            if name not in table:
                raise wrong(
                    f"key is missing; expected a level or value of the predictor {shown(name)}",
                    f"{where} {name}",
                )
    return tuple(tables)
