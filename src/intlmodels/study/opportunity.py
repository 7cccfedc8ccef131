"""The table [opportunity] of a study of shares: which two predictors are read together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from intlmodels.csvtable import clean_label
from intlmodels.errors import listed
from intlmodels.study.columns import Predictor
from intlmodels.study.keys import wrong


@dataclass(frozen=True)
class Opportunity:
    """Every combination of a category and a contrast, and how it is read.

    Attributes
    ----------
    across : str
        Name of the category.
    down : str
        Name of the contrast.
    vulnerable : str
        Level of the contrast at which a small share is read as vulnerable; at the other level
        a large share is read as an opportunity.
    note : str
        Where the reading comes from, in the author's words.
    """

    across: str
    down: str
    vulnerable: str
    note: str


def read_opportunity(
    table: Mapping[str, Any], predictors: Mapping[str, Predictor]
) -> Opportunity | None:
    """Check the table against the predictors; None if it is empty.

    Raises
    ------
    StudyError
        For a predictor that is not there or of another kind, or a level that it does not have.
    """
    if not table:
        return None
    for key, kind in (("across", "category"), ("down", "contrast")):
        usable = [name for name, predictor in predictors.items() if predictor.kind == kind]
        if table[key] not in usable:
            expected = f"expected {listed(usable)}" if usable else "there is none in this study"
            raise wrong(
                f"{key} takes a predictor of the kind {kind}; {expected}",
                f"[opportunity] {key}",
                table[key],
            )
    levels = predictors[table["down"]].levels
    vulnerable = clean_label(table["vulnerable"])
    if vulnerable not in levels:
        raise wrong(
            f"expected a level of {table['down']}: {listed(levels)}",
            "[opportunity] vulnerable",
            vulnerable,
        )
    return Opportunity(table["across"], table["down"], vulnerable, table.get("note", ""))
