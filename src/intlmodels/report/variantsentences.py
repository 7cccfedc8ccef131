"""Sentences on whether the conclusions hold in the variants of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core import formats as f
from intlmodels.results.intervals import Compared
from intlmodels.results.wording import LEANING, marked, verdict

if TYPE_CHECKING:
    import pandas as pd


def variant_sentences(table: pd.DataFrame, compared: Compared) -> list[str]:
    """Whether the conclusions of the default hold in the variants that converged.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`intlmodels.results.intervals.side_by_side`.
    compared : Compared
        Which rows of it are held against each other.
    """
    names = list(dict.fromkeys(table["variant"]))
    default = names[0]
    rows = compared.rows(table)
    counts = table["comparable"].astype(bool) | (not compared.apart)
    usable = rows[rows["converged"].astype(bool) & counts[rows.index]]
    own = rows[rows["variant"] == default]
    others = [name for name in names[1:] if name in set(usable["variant"])]
    sentences: list[str] = []
    if others and len(own):
        sentences = _held_against(own, usable, others, compared)
    failed = list(dict.fromkeys(table.loc[~table["converged"].astype(bool), "variant"]))
    if failed:
        sentences.append(
            f"Did not converge and do not count: {f.listed([str(name) for name in failed])}."
        )
    only = list(dict.fromkeys(table.loc[~counts, "variant"]))
    if only:
        sentences.append(
            f"For comparison only: {f.listed([str(name) for name in only])}. {compared.apart}"
        )
    return marked(sentences, bool(own["converged"].all()) if len(own) else True)


def _held_against(
    own: pd.DataFrame, usable: pd.DataFrame, others: list[str], compared: Compared
) -> list[str]:
    by_key = {(row.variant, compared.key_of(row)): row for row in usable.itertuples(index=False)}
    turned, resized, revised, count = [], [], [], 0
    for row in own.itertuples(index=False):
        for name in others:
            other = by_key.get((name, compared.key_of(row)))
            if other is None:
                continue
            count += 1
            half = (row.ci_high - row.ci_low) / 2
            what = f"{compared.name(compared.key_of(row), compared.words)} in {name}"
            if verdict(row.p_direction) != verdict(other.p_direction):
                revised.append(
                    f"{what} ({verdict(other.p_direction)}, probability of direction "
                    f"{f.probability(other.p_direction)}, instead of {verdict(row.p_direction)})"
                )
            if np.sign(row.median) != np.sign(other.median) and _clear_enough(row, other):
                turned.append(what)
            if abs(other.median - row.median) > half / 2:
                moved = f.number(other.median - row.median, compared.decimals)
                resized.append(f"{what} ({moved} {compared.unit})")
    if not count:
        return []
    scope = f"Over {f.counted(count, 'comparison')} in {f.counted(len(others), 'variant')}"
    return [
        f"{scope}, {_listing(revised, 'the verdict changes for', 'no verdict changes')}.",
        _listing(
            turned,
            "The sign turns where either fit has a direction to speak of, for",
            f"No sign turns where either fit has a probability of direction of {LEANING:g} or more",
        )
        + ".",
        _listing(
            resized,
            "The median moves by more than a quarter of the default's interval for",
            "No median moves by more than a quarter of the default's interval",
        )
        + ".",
    ]


def _clear_enough(row: Any, other: Any) -> bool:
    return max(row.p_direction, other.p_direction) >= LEANING


def _listing(found: list[str], some: str, none: str, most: int = 5) -> str:
    if not found:
        return none
    more = [f"{len(found) - most} more"] if len(found) > most else []
    return f"{some} {'; '.join(found[:most] + more)}"
