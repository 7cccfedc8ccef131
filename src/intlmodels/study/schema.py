"""The vocabulary of study.toml for each model, as data, and the checks that need no table.

With a table ``[register]`` a study has no ``[firms]``: its rows are read only as counts.

A key that is not in the vocabulary is an error, not a shrug: a misspelled key would else
leave a default in place without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intlmodels.core.csvtable import clean_label, read_text
from intlmodels.core.errors import StudyError, listed, shown
from intlmodels.study.dates import ORDER
from intlmodels.study.keys import (
    FILE,
    NEEDED,
    PROSE,
    TEXT,
    Key,
    Keys,
    Vocabulary,
    by_kind,
    check_keys,
    check_text,
    parsed,
    section,
    wrong,
)

_EVERY = {"kind": NEEDED, "file": TEXT, "key": TEXT, "label": TEXT, "note": PROSE}
_LABELS = Key("texts", required=True)
#: Kind of an outcome -> its keys.
OUTCOME_KINDS: Mapping[str, Keys] = {
    "ordered": _EVERY
    | {"column": NEEDED, "levels": _LABELS, "readings": Key("tables", required=True)},
    "binary": _EVERY | {"columns": _LABELS, "yes": _LABELS, "no": _LABELS},
}


def checked_outcomes(
    outcomes: Mapping[str, dict[str, Any]], variants: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Check the tables [outcomes.NAME]; readings come out with their own keys checked.

    Parameters
    ----------
    outcomes : mapping
        Tables by name, their keys checked.
    variants : mapping
        The variants of the study: an outcome is one more name among them.

    Raises
    ------
    StudyError
        If levels or labels contradict each other, or a variant has the name of an outcome.
    """
    names = {name.lower(): name for name in variants}
    checked = {}
    for name, outcome in outcomes.items():
        where = f"[outcomes.{name}]"
        if name.lower() in names:
            raise wrong(
                f"expected another name; [variants.{names[name.lower()]}] has it", where, name
            )
        check = _ordered if outcome["kind"] == "ordered" else _binary
        checked[name] = check(name, outcome, where)
    return checked


def _ordered(name: str, outcome: dict[str, Any], where: str) -> dict[str, Any]:
    levels = outcome["levels"]
    _require_different(levels, f"{where} levels", "two or more different levels, lowest first", 2)
    if not outcome["readings"]:
        raise wrong("expected at least one reading", f"{where} readings")
    keys = {"label": NEEDED, "level": Key("text", required=True, options=levels), "note": PROSE}
    readings: dict[str, dict[str, str]] = {}
    for number, table in enumerate(outcome["readings"], start=1):
        here = f"[[outcomes.{name}.readings]] number {number},"
        reading = section(table, keys, here)
        label = clean_label(reading["label"])
        if label in readings:
            raise wrong("expected each label once", f"{here} label", label)
        readings[label] = {**reading, "label": label}
    return {**outcome, "readings": list(readings.values())}


def _binary(name: str, outcome: dict[str, Any], where: str) -> dict[str, Any]:
    for key in ("columns", "yes", "no"):
        _require_different(outcome[key], f"{where} {key}", "one or more different texts", 1)
    both = [label for label in outcome["yes"] if label in outcome["no"]]
    if both:
        raise wrong("expected a label under yes or under no", f"{where} yes and no", listed(both))
    return outcome


def _require_different(texts: tuple[str, ...], where: str, expected: str, least: int) -> None:
    if len(texts) < least or len(set(texts)) < len(texts):
        raise wrong(f"expected {expected}", where)


# -- keys of a study.toml whose rows are in files too large to be read as tables -------

#: What happens to rows that cannot be read.
POLICIES = ("stop", "set aside")

#: The table [register].
REGISTER: Keys = {
    "files": NEEDED,
    "bad_rows": Key("text", options=POLICIES),
    "memory_limit": TEXT,
    "label": TEXT,
}

_REGISTER_PREDICTOR = {"kind": NEEDED, "column": NEEDED, "label": TEXT}

#: The groups [predictors.NAME] of a register: the keys of each kind.
REGISTER_PREDICTORS: dict[str, Keys] = {
    "category": _REGISTER_PREDICTOR,
    "contrast": _REGISTER_PREDICTOR | {"low": NEEDED, "high": NEEDED},
    "numeric": _REGISTER_PREDICTOR
    | {"transform": Key("text", options=("none", "log")), "unit": PROSE},
}

#: The table [register] of the decay model: rows are decisions, of firms that no table lists.
DECISION_REGISTER: Keys = {
    **REGISTER,
    "firm": NEEDED,
    "flag": NEEDED,
    "when": NEEDED,
    "order": ORDER,
    "size": TEXT,
    "period": TEXT,
}


def share_register(tables: Mapping[str, Keys]) -> Vocabulary:
    """The share model where rows are read as counts: what asks for single firms is not there.

    Parameters
    ----------
    tables : mapping of str to mapping
        Tables of studies that list their firms.
    """
    return Vocabulary(
        tables={
            "study": tables["study"],
            "register": REGISTER,
            "cluster": {"column": NEEDED, "label": TEXT},
            "outcome": {k: v for k, v in tables["outcome"].items() if k != "file"},
            "fit": tables["fit"],
        },
        kinds={"predictors": REGISTER_PREDICTORS},
        required=("register", "outcome", "predictors"),
        further=("priors", "profiles"),
    )


def decision_register(tables: Mapping[str, Keys]) -> Vocabulary:
    """The decay model where the decisions are rows of files: see :func:`share_register`."""
    return Vocabulary(
        tables={
            "study": tables["study"],
            "register": DECISION_REGISTER,
            "outcome": tables["outcome"],
            "periods": {k: v for k, v in tables["periods"].items() if k != "weights"},
            "fit": {k: v for k, v in tables["fit"].items() if k != "sweeps"},
        },
        kinds={},
        required=("register",),
    )


# -- reading study.toml ----------------------------------------------------------------

#: What the name of a study may be: it becomes the name of a folder of reports.
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
UNITS = ("percent", "fraction")
TRANSFORMS = ("none", "log")

#: Names that the share model uses for itself.
RESERVED = frozenset(
    (
        *("intercept", "phi", "precision", "sigma", "mu", "never", "heaping"),
        *("log_odds", "baseline", "cutpoints", "cutpoint", "eta"),
        *("firm", "chain", "draw", "printed", "share", "printed_share"),
        *("prior_arguments", "likelihood_weights", "observed_outcome"),
    )
)
#: A model appends these to a name, for example ``product_level``.
ENDINGS = (
    *("level", "label", "z", "step", "steps", "effect", "mean", "sd"),
    *("observed", "known", "missing", "missing_firm", "observed_firm"),
)
#: Names of variants that a study cannot give to its own, by model: every study has these, and
#: ``all`` stands for all of them on the command line.
BUILT_IN_VARIANTS = {
    "share": ("default", "logit-normal", "hurdle", "heaped", "density", "all"),
    "decay": ("default", "power", "step", "period", "common-decay", "complete", "all"),
}
#: Starts of names of variants that the decay model numbers itself, such as ``repair-1``.
BUILT_IN_STARTS: dict[str, tuple[str, ...]] = {
    "share": (),
    "decay": ("rho-", "concentration-", "repair-"),
}


_MODELS = ("share", "decay")
_STUDY = {
    "name": NEEDED,
    "title": NEEDED,
    "question": PROSE,
    "model": Key("text", required=True, options=_MODELS),
    "source": PROSE,
    "bibtex": PROSE,
    "limits": Key("texts"),
}
FIT = {
    "seed": Key("integer", within=(0, 2**32 - 1)),
    "draws": Key("integer", within=(4, 1_000_000)),
    "tune": Key("integer", within=(0, 1_000_000)),
    "chains": Key("integer", within=(2, 256)),
    "target_accept": Key("number", within=(0.1, 0.999)),
}
_FIRMS = {"file": NEEDED, "column": NEEDED, "label": TEXT}
_PREDICTOR = {
    "kind": NEEDED,
    "file": TEXT,
    "column": NEEDED,
    "label": TEXT,
    "key": TEXT,
}
_NUMERIC = {"transform": Key("text", options=TRANSFORMS), "unit": PROSE}
_VARIANT = {"kind": NEEDED, "note": PROSE}
#: Further numbers that a publication prints, for its claims.
NUMBERS = {"file": NEEDED}

_SHARE = Vocabulary(
    tables={
        "study": _STUDY,
        "firms": _FIRMS,
        "outcome": {
            "file": TEXT,
            "column": NEEDED,
            "label": TEXT,
            "unit": Key("text", required=True, options=UNITS),
            "rounding_width": Key("number", required=True),
        },
        "numbers": NUMBERS,
        "opportunity": {"across": NEEDED, "down": NEEDED, "vulnerable": NEEDED, "note": PROSE},
        "cluster": {"file": TEXT, "column": NEEDED, "label": TEXT, "key": TEXT},
        "fit": FIT,
    },
    kinds={
        "predictors": {
            "category": _PREDICTOR | {"family_separator": TEXT},
            "contrast": _PREDICTOR | {"low": NEEDED, "high": NEEDED},
            "numeric": _PREDICTOR | _NUMERIC,
        },
        "variants": {
            "nested": _VARIANT | {"predictor": NEEDED},
            "axes": _VARIANT
            | {
                "replaces": NEEDED,
                "levels": Key("texts", required=True),
                "readings": Key("tables", required=True),
            },
            "membership": _VARIANT
            | {
                "predictor": NEEDED,
                "column": NEEDED,
                "file": TEXT,
                # At one half the first label would no longer be the primary one, at one the
                # second label would not count at all.
                "primary_weight": Key("number", required=True),
            },
            "covariate": _VARIANT | {"column": NEEDED, "file": TEXT, "label": TEXT} | _NUMERIC,
            "outcome": _VARIANT | {"outcome": NEEDED},
        },
        "outcomes": OUTCOME_KINDS,
        "crosschecks": {
            "same": _VARIANT | {"columns": Key("texts", required=True)},
            "at most": _VARIANT
            | {"columns": Key("texts", required=True), "value": Key("number", required=True)},
        },
    },
    required=("firms", "outcome", "predictors"),
    further=("priors", "profiles", "groups", "claims"),
)
_DECAY = Vocabulary(
    tables={
        "study": _STUDY,
        "firms": _FIRMS | {"size": TEXT},
        "outcome": {"event": TEXT, "flag": TEXT},
        "periods": {
            "names": Key("texts", required=True),
            "weights": Key("numbers"),
            "starts": Key("integers"),
        },
        "counts": {"file": NEEDED, "rho": Key("number"), "concentration": Key("number")},
        "decisions": {
            "file": NEEDED,
            "firm": NEEDED,
            "flag": NEEDED,
            "when": TEXT,
            "order": ORDER,
            "period": TEXT,
        },
        "numbers": NUMBERS,
        "fit": FIT | {"sweeps": Key("integer", within=(1, 100_000))},
    },
    kinds={
        "variants": {
            "reading": _VARIANT
            | {
                "column": NEEDED,
                "periods": Key("texts", required=True),
                "weights": Key("numbers"),
            },
            "more counts": _VARIANT | {"file": NEEDED},
        },
    },
    required=("firms",),
    further=("priors", "groups", "claims"),
)
#: Models that a study can name, with the tables and keys that each knows.
VOCABULARIES = {"share": _SHARE, "decay": _DECAY}
#: Model -> its vocabulary where study.toml has a table [register].
_REGISTERS = {
    "share": share_register(_SHARE.tables),
    "decay": decision_register(_DECAY.tables),
}


@dataclass(frozen=True)
class StudyFile:
    """The content of study.toml, checked for names and types, with no default filled in.

    Tables that are not there are empty; which ones a study may have depends on its model.
    Groups and claims are as written: :mod:`intlmodels.study.claims` checks them.
    """

    study: dict[str, Any]
    firms: dict[str, Any]
    outcome: dict[str, Any]
    fit: dict[str, Any]
    priors: dict[str, str]
    variants: dict[str, dict[str, Any]]
    predictors: dict[str, dict[str, Any]] = field(default_factory=dict)
    crosschecks: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    profiles: tuple[dict[str, Any], ...] = ()
    periods: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    decisions: dict[str, Any] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)
    groups: Any = field(default_factory=dict)
    opportunity: dict[str, Any] = field(default_factory=dict)
    cluster: dict[str, Any] = field(default_factory=dict)
    claims: Any = ()
    register: dict[str, Any] = field(default_factory=dict)


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
    document = parsed(read_text(folder, FILE))
    # Before the model is known, whatever any model knows will do.
    known = [v for vocabulary in VOCABULARIES.values() for v in vocabulary.top]
    check_keys(document, dict.fromkeys([*known, "register"]), "")
    study = section(_required(document, "study"), _STUDY, "[study]")
    _check_study_name(study["name"])
    model = study["model"]
    vocabulary, others = _vocabularies(document, model)
    check_keys(document, vocabulary.top, "", {k: o for o, v in others.items() for k in v.top})
    for name in vocabulary.required:
        _required(document, name)
    tables: dict[str, Any] = {}
    for name, keys in vocabulary.tables.items():
        if name in document or name in ("outcome", "fit"):
            elsewhere = {k: o for o, v in others.items() for k in v.tables.get(name, {})}
            tables[name] = section(document.get(name, {}), keys, f"[{name}]", elsewhere)
    for group, kinds in vocabulary.kinds.items():
        elsewhere = {k: o for o, v in others.items() for k in v.kinds.get(group, {})}
        tables[group] = by_kind(document.get(group, {}), group, kinds, elsewhere)
    _check_variant_names(tables.get("variants", {}), model)
    if vocabulary in _REGISTERS.values():
        tables |= {"firms": {}, "variants": {}}
    if vocabulary is _REGISTERS["share"]:
        _check_share(tables["predictors"], {})
        tables["profiles"] = _profiles(document.get("profiles", []), tables["predictors"])
    elif model == "share":
        _check_variant_names(tables["outcomes"], model, "outcomes")
        tables["outcomes"] = checked_outcomes(tables["outcomes"], tables["variants"])
        _check_share(tables["predictors"], tables["variants"])
        optional = ("cluster",) if "cluster" in document else ()
        profiles = document.get("profiles", [])
        tables["profiles"] = _profiles(profiles, tables["predictors"], optional)
    return StudyFile(
        **tables,
        priors=_priors(document.get("priors", {})),
        groups=document.get("groups", {}),
        claims=document.get("claims", ()),
    )


def _vocabularies(
    document: Mapping[str, Any], model: str
) -> tuple[Vocabulary, dict[str, Vocabulary]]:
    """The vocabulary of a study, and the others by whose they are, the likeliest last."""
    plain = {f"studies of the model {shown(n)}": v for n, v in VOCABULARIES.items() if n != model}
    of_rows = {
        f"studies of the model {shown(name)} with a table [register]": other
        for name, other in _REGISTERS.items()
    }
    own = f"studies of the model {shown(model)} with a table [register]"
    if "register" in document:
        del of_rows[own]
        listing = "studies that list their firms, without [register]"
        return _REGISTERS[model], {**plain, **of_rows, listing: VOCABULARIES[model]}
    return VOCABULARIES[model], {**of_rows, **plain}


def _required(document: Mapping[str, Any], name: str) -> Any:
    if name not in document:
        raise StudyError(f"the table [{name}] is missing; expected it", file=FILE)
    return document[name]


def _check_study_name(name: str) -> None:
    if not re.fullmatch(NAME, name):
        raise wrong(
            "expected a short name of ASCII letters, digits, '_' and '-'; put the full name in "
            "title",
            "[study] name",
            name,
        )


def _check_variant_names(variants: Iterable[str], model: str, group: str = "variants") -> None:
    seen: set[str] = set()
    for name in variants:
        where, low = f"[{group}.{name}]", name.lower()
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
            raise wrong("expected a name of ASCII letters, digits, '_' and '-'", where, name)
        if low in BUILT_IN_VARIANTS[model] or low.startswith(BUILT_IN_STARTS[model]):
            raise wrong("expected another name; this one has a meaning in every study", where, name)
        if low in seen:
            raise wrong("expected names that differ by more than capitals", where, name)
        seen.add(low)


def _priors(table: object) -> dict[str, str]:
    if not isinstance(table, dict):
        raise wrong('expected lines such as phi = "Gamma(2, 0.1)"', "[priors]", table)
    # Which names and distributions exist is known where the models are.
    return {name: check_text(prior, TEXT, f"[priors] {name}") for name, prior in table.items()}


# -- the share model ---------------------------------------------------------------------


def _check_share(
    predictors: Mapping[str, dict[str, Any]], variants: Mapping[str, dict[str, Any]]
) -> None:
    if not predictors:
        raise StudyError("no predictor; expected at least one [predictors.NAME]", file=FILE)
    for name, predictor in predictors.items():
        if predictor["kind"] == "contrast":
            _check_contrast(predictor, f"[predictors.{name}]")
    for name, variant in variants.items():
        if variant["kind"] == "axes":
            variant["readings"] = _readings(name, variant)
    _check_names(predictors, variants)


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
    keys = {"label": NEEDED, "note": PROSE}
    keys |= {axis: Key("text", required=True, options=levels) for axis in axes}
    checked, seen = [], set()
    for number, reading in enumerate(readings, start=1):
        here = f"[[variants.{name}.readings]] number {number},"
        reading = section(reading, keys, here)
        reading["label"] = clean_label(reading["label"])
        if reading["label"] in seen:
            raise wrong("expected each label once", f"{here} label", reading["label"])
        seen.add(reading["label"])
        checked.append(reading)
    return checked


def _check_names(
    predictors: Mapping[str, Mapping[str, Any]], variants: Mapping[str, Mapping[str, Any]]
) -> None:
    """Check the names that become names of model variables."""
    taken: dict[str, str] = {}
    for name in predictors:
        _check_variable(name, f"[predictors.{name}]", taken)
        taken[name.lower()] = f"[predictors.{name}]"
    for name, variant in variants.items():
        where = f"[variants.{name}]"
        new = dict(taken)
        names = [name] if variant["kind"] == "covariate" else []
        if variant["kind"] == "axes":
            names = [key for key in variant["readings"][0] if key not in ("label", "note")]
        if variant["kind"] == "outcome":
            names = [variant["outcome"].replace("-", "_")]
        for variable in names:
            _check_variable(variable, where, new)
            new[variable.lower()] = where


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
    for ending in ENDINGS:
        longer, shorter = f"{low}_{ending}", low.removesuffix(f"_{ending}")
        if longer in taken or (shorter != low and shorter in taken):
            longer, shorter = (longer, low) if longer in taken else (low, shorter)
            raise wrong(
                f"expected another name; the models use {longer} for themselves beside {shorter}",
                where,
                name,
            )


def _profiles(
    tables: object, predictors: Mapping[str, Any], optional: tuple[str, ...] = ()
) -> tuple[dict[str, Any], ...]:
    if not isinstance(tables, list):
        raise wrong("expected tables, each below a line [[profiles]]", "[[profiles]]", tables)
    for number, table in enumerate(tables, start=1):
        where = f"[[profiles]] number {number},"
        if not isinstance(table, dict):
            raise wrong("expected a table with a level for each predictor", where, table)
        check_keys(table, (*predictors, *optional), where)
        for name in predictors:
            if name not in table:
                raise wrong(
                    f"key is missing; expected a level or value of the predictor {shown(name)}",
                    f"{where} {name}",
                )
    return tuple(tables)
