"""Two predictors together: the expected share of each combination, and how far it can be read.

A firm that stands at the level called vulnerable and is expected to sell less abroad than the
firms on average is read as vulnerable; one at the other level that is expected to sell more, as
having an opportunity. What the posterior does not tell is not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intlmodels.core.errors import StudyError, listed
from intlmodels.models.base import texts
from intlmodels.models.share.coefficients import Coefficients
from intlmodels.models.share.estimands import averages, step_for
from intlmodels.results import share as results
from intlmodels.results.intervals import CI_PROB, Array, table_of
from intlmodels.results.wording import verdict

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataTree


#: Readings of a combination.
VULNERABLE, OPPORTUNITY, NEITHER = "vulnerable", "opportunity", "neither"


def combinations(
    fit: DataTree, across: str, down: str, vulnerable: str, prob: float = CI_PROB
) -> pd.DataFrame:
    """Expected printed share of every combination of two predictors, in percent.

    The firms' average with both predictors set and the others as observed, draw by draw.

    Parameters
    ----------
    fit : xarray.DataTree
        Of the share model.
    across, down : str
        A category and a contrast.
    vulnerable : str
        Level of ``down``.
    prob : float

    Returns
    -------
    pandas.DataFrame
        ``across``, ``down`` (levels), ``firms`` (how many stand there; 0: extrapolation),
        ``observed`` (who they are, and their printed shares), the columns of
        :func:`intlmodels.results.intervals.table_of`, ``p_above`` (probability of being above the
        average of the firms in the same draw), ``p_direction`` (of the likelier side), ``verdict``
        and ``reading`` (that of the likelier side).

    Raises
    ------
    StudyError
        For a predictor or level that the fit does not have.
    """
    blocks = {block["name"]: block for block in results.blocks(fit)}
    for name, kind in ((across, "category"), (down, "contrast")):
        _require(name, [n for n, block in blocks.items() if block["kind"] == kind], kind)
    _require(vulnerable, blocks[down]["settings"], f"level of {down}")
    pairs = [(a, d) for a in blocks[across]["settings"] for d in blocks[down]["settings"]]
    draws, average = _expected(fit, [((across, a), (down, d)) for a, d in pairs])
    above = (draws > average[:, None]).mean(axis=0)
    likelier = np.maximum(above, 1 - above)
    there = [standing(fit, (across, a), (down, d)) for a, d in pairs]
    columns = {
        "across": [a for a, _ in pairs],
        "down": [d for _, d in pairs],
        "firms": [len(firms) for firms in there],
        "observed": ["; ".join(f"{firm} {share:g}" for firm, share in firms) for firms in there],
    }
    table = table_of(fit, columns, draws, prob)
    return table.assign(
        p_above=above,
        p_direction=likelier,
        verdict=[verdict(p) for p in likelier],
        reading=[
            _reading(d == vulnerable, p > 0.5) for (_, d), p in zip(pairs, above, strict=True)
        ],
    )


def _require(value: str, known: list[str], what: str) -> None:
    if value not in known:
        raise StudyError(
            f"expected a {what}: {listed(known) if known else 'there is none'}", value=value
        )


def _reading(vulnerable: bool, above: bool) -> str:
    if vulnerable == above:
        return NEITHER
    return VULNERABLE if vulnerable else OPPORTUNITY


def _expected(fit: DataTree, settings: list[tuple[tuple[str, str], ...]]) -> tuple[Array, Array]:
    """Draws of the expected share of each combination, and of the firms as they are."""
    constant = fit["constant_data"].to_dataset()
    weights = constant["setting_weights"].to_numpy()
    names = zip(texts(constant["setting_predictor"]), texts(constant["setting_level"]), strict=True)
    place = {name: i for i, name in enumerate(names)}
    changes = np.full((1 + len(settings), weights.shape[1]), np.nan)
    for row, pair in zip(changes[1:], settings, strict=True):
        for name in pair:
            own = weights[place[name]]
            row[~np.isnan(own)] = own[~np.isnan(own)]
    coefficients = Coefficients(fit)
    coefficients = coefficients.thinned(step_for(coefficients, changes))
    shares = averages(coefficients, changes).shares
    return shares[:, 1:], shares[:, 0]


def standing(fit: DataTree, *settings: tuple[str, str]) -> list[tuple[str, float]]:
    """Firms at all of some settings, such as ``("skill", "Both")``, the largest share first.

    Returns
    -------
    list of (str, float)
        Firm and printed share in percent.
    """
    blocks = {block["name"]: block for block in results.blocks(fit)}
    printed = results.observed(fit)
    at = np.ones(len(printed), dtype=bool)
    for name, level in settings:
        block = blocks[name]
        at &= results.membership(fit, block)[:, block["settings"].index(level)]
    firms = texts(fit["constant_data"].to_dataset()["firm"])
    order = np.argsort(-printed, kind="stable")
    return [(firms[i], float(printed[i])) for i in order if at[i]]
