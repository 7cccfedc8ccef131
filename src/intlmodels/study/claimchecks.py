"""What single rules of claims ask beside their keys: limits, sides that differ, the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from intlmodels.errors import shown
from intlmodels.study.claimrules import RULES
from intlmodels.study.keys import wrong

if TYPE_CHECKING:
    from intlmodels.study.claims import Claim, Known


def _check_sum(claim: Claim, where: str, known: Known) -> None:
    for name in claim.asked["total"]:
        if name in claim.asked["counts"]:
            raise wrong("expected a number on one side only", f"{where} total", name)


def _check_share(claim: Claim, where: str, known: Known) -> None:
    asked = claim.asked
    limits = [key for key in ("least", "most", "above", "below") if key in asked]
    if not limits:
        raise wrong(
            "key is missing; expected it, or most, above or below: percent between which the "
            "share lies",
            f"{where} least",
        )
    low, high = (
        max(asked.get("least", 0), asked.get("above", 0)),
        min(asked.get("most", 100), asked.get("below", 100)),
    )
    if low > high:
        raise wrong(f"expected at least {low:g}, the lower limit", f"{where} {limits[-1]}", high)
    if claim.rule == "share" and not sum(number_of(n, claim, known.values) for n in asked["whole"]):
        raise wrong(
            "expected numbers that come to more than zero, of which there can be a share",
            f"{where} whole",
            asked["whole"][0],
        )


def number_of(name: str, claim: Claim, values: Mapping[str, float]) -> float:
    """A printed number: of a count, of [numbers], or the sum of a column.

    Parameters
    ----------
    name : str
        As the claim names it.
    claim : Claim
    values : mapping of str to float
        Counts and printed numbers by id.
    """
    if name in claim.columns:
        return float(sum(claim.columns[name].numbers(0.0)))
    return values[name]


def _check_largest(claim: Claim, where: str, known: Known) -> None:
    if claim.asked["number"] in claim.asked["among"]:
        raise wrong("expected the others only", f"{where} among", claim.asked["number"])


def _check_limits(claim: Claim, where: str, known: Known) -> None:
    if not any(key in claim.asked for key in ("least", "most", "equal")):
        raise wrong("key is missing; expected it, or least or most", f"{where} equal")


def _check_ratio(claim: Claim, where: str, known: Known) -> None:
    if "least" not in claim.asked and "most" not in claim.asked:
        raise wrong("key is missing; expected it, or most, or both", f"{where} least")
    if not number_of(claim.asked["over"], claim, known.values):
        raise wrong("expected a number other than zero", f"{where} over", claim.asked["over"])


def _check_growth(claim: Claim, where: str, known: Known) -> None:
    if number_of(claim.asked["start"], claim, known.values) <= 0:
        raise wrong("expected a number above zero", f"{where} start", claim.asked["start"])


def _check_proportions(claim: Claim, where: str, known: Known) -> None:
    for part, whole in (("part", "whole"), ("against", "against_whole")):
        has, total = (number_of(claim.asked[key], claim, known.values) for key in (part, whole))
        if not (has.is_integer() and total.is_integer() and 0 <= has <= total and total):
            raise wrong(
                f"expected whole numbers, {part} no more than {whole}", f"{where} {part}", has
            )


def _check_two(claim: Claim, where: str, known: Known) -> None:
    """Check that two groups are of the same rows, and not one and the same."""
    keys = [key for key in RULES[claim.rule].names if RULES[claim.rule].names[key] == "group"]
    named = [(key, claim.asked[key]) for key in keys if key in claim.asked]
    first = known.groups[named[0][1]]
    rows = first.rows
    for key, name in named[1:]:
        if known.groups[name].rows != rows:
            raise wrong(
                f"expected a group of the same rows as {shown(first.name)}", f"{where} {key}", name
            )
        if name == named[0][1]:
            raise wrong("expected another group, to hold the two together", f"{where} {key}", name)


def _check_columns(claim: Claim, where: str, known: Known) -> None:
    """Check that cells are numbers, of the rows of the groups beside them."""
    for name, column in claim.columns.items():
        column.numbers()
        for key in ("a", "b", "of"):
            group = known.groups.get(claim.asked.get(key, ""))
            if group is not None and group.rows != column.rows:
                raise wrong(f"expected a group of the rows of {name}", f"{where} {key}", group.name)
    if claim.rule == "higher average":
        _check_two(claim, where, known)


def _check_higher_share(claim: Claim, where: str, known: Known) -> None:
    if claim.asked["a"] == claim.asked["b"]:
        raise wrong("expected other decisions than in a, to hold the two together", f"{where} b")


#: Rule -> what it asks beside its keys.
CHECKS: dict[str, Callable[[Claim, str, Known], None]] = {
    "sum": _check_sum,
    "at most": _check_sum,
    "more than": _check_sum,
    "share": _check_share,
    "share of firms": _check_share,
    "largest": _check_largest,
    "number of firms": _check_limits,
    "ratio": _check_ratio,
    "growth": _check_growth,
    "higher proportion": _check_proportions,
    "every": _check_two,
    "more often": _check_two,
    "higher expected": _check_two,
    "higher average": _check_columns,
    "column sum": _check_columns,
    "range": _check_columns,
    "row sums": _check_columns,
    "higher share": _check_higher_share,
}
