"""Keys of the further outcomes of a share study, and the checks of them that need no table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intlmodels.csvtable import clean_label
from intlmodels.errors import listed
from intlmodels.study.keys import NEEDED, PROSE, TEXT, Key, Keys, section, wrong

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
