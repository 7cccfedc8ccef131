"""The linear predictor of a design in numpy, from values of its parameters by name.

Written apart from the PyTensor graph that is fitted, which it is held against in tests; simulations
and predictions use it, of one set of values or of many draws.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from intlmodels.models.share import observation
from intlmodels.models.share.design import Block, Design, covariate_data
from intlmodels.studies import Grouping

Array = NDArray[np.float64]


def linear_predictor(
    design: Design, values: Mapping[str, Array], given: Mapping[str, Array] | None = None
) -> Array:
    """Linear predictor of every row, (..., row).

    ``values``: parameters by name as the posterior has them, with leading dimensions (...);
    ``given``: known values of covariates that have missing ones, if not those of the design.
    """
    start = np.asarray(values[design.intercept]) if design.intercept else np.zeros(())
    total = start[..., None]
    for grouping in design.groupings:
        total = total + np.asarray(values[grouping.name])[..., grouping.codes]
    for block in design.blocks:
        groupings = [own for own in design.groupings if block in design.slopes(own)]
        total = total + contribution(block, values, given or {}, groupings)
    return total


def family_parameters(design: Design, values: Mapping[str, Array]) -> dict[str, Array]:
    """Parameters of the family with an axis for the rows, so that they meet a linear predictor."""
    found = {}
    for name in observation.PARAMETERS[design.family]:
        own = observation.for_firms(name, values[name])
        blocks = design.terms_of(name)
        if blocks:
            added = sum(contribution(block, values, {}, []) for block in blocks)
            with np.errstate(divide="ignore"):
                odds = np.log(own) - np.log1p(-own) if name != "phi" else own
            own = own * np.exp(added) if name == "phi" else observation.inverse_logit(odds + added)
        found[name] = own
    return found


def contribution(
    block: Block,
    values: Mapping[str, Array],
    given: Mapping[str, Array],
    groupings: list[Grouping],
) -> Array:
    """What a block adds to the linear predictor of each row, (..., row)."""
    weights = _filled(block, values, given)
    effect = np.asarray(values[block.variable])
    total = (effect if block.levels else effect[..., None]) @ np.swapaxes(weights, -1, -2)
    if weights.ndim > 2:  # drawn weights of a single coefficient
        total = effect[..., None] * weights[..., 0]
    for grouping in groupings:
        own = np.asarray(values[block.by(grouping.name)])
        if block.kind == "monotonic":
            steps = np.asarray(values[f"{block.name}_steps"]).cumsum(axis=-1)
            climb = np.concatenate([np.zeros_like(steps[..., :1]), steps], axis=-1)
            total = total + own[..., grouping.codes] * (climb @ weights.T)
        elif block.levels:
            total = total + (own[..., grouping.codes, :] * weights).sum(axis=-1)
        else:
            total = total + own[..., grouping.codes] * weights[..., 0]
    return np.asarray(total)


def _filled(block: Block, values: Mapping[str, Array], given: Mapping[str, Array]) -> Array:
    """Weights of a block with missing values as drawn, (row, coefficient) or (..., row, 1)."""
    if not block.missing.size:
        return block.weights
    absent = np.asarray(values[f"{block.name}_missing"])
    filled = np.broadcast_to(block.weights[:, 0], (*absent.shape[:-1], len(block.weights))).copy()
    known = given.get(covariate_data(block.name))
    if known is not None:
        filled[..., np.delete(np.arange(len(block.weights)), block.missing)] = known
    filled[..., block.missing] = absent
    return filled[..., None]
