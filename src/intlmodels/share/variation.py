"""How the variation of shares between firms is split between its sources."""

from __future__ import annotations

import itertools
import math

import numpy as np

from intlmodels.models.shareblocks import CLUSTER
from intlmodels.share.coefficients import Array, Coefficients, moments

#: Predictors up to which the variation is split exactly (2^n subsets).
MOST_SOURCES = 8
#: Draws by firms that are split at a time.
MOST_CELLS = 4_000_000


def variation_by_source(coefficients: Coefficients) -> tuple[list[str], Array]:
    """Split the variation of shares between firms by its sources.

    The variance of the firms' mean shares is split between the predictors by Shapley values
    (Shorrocks 2013, Journal of Economic Inequality 11, 99-126): the average, over all orders,
    of what a predictor adds to the variance when it enters at its observed values rather than
    at its mean contribution. What the predictors leave is the average variance of a firm's
    share around its mean.

    Of a study with clusters their levels are one more source; what a cluster adds to an effect
    belongs to its predictor.

    Returns
    -------
    list of str
        Predictors, clusters, then ``not explained``. Empty with more than ``MOST_SOURCES``.
    array, shape (draw, source)
        In percent of the total; the parts sum to 100.
    """
    names = [block["name"] for block in coefficients.blocks]
    names += [CLUSTER] if coefficients.clusters is not None else []
    count = len(coefficients.intercept)
    if len(names) > MOST_SOURCES:
        return [], np.empty((count, 0))
    size = max(1, MOST_CELLS // len(coefficients.design))
    if count <= size:
        return [*names, "not explained"], _variation(coefficients, names)
    found = [
        _variation(coefficients.at(np.arange(start, min(start + size, count))), names)
        for start in range(0, count, size)
    ]
    return [*names, "not explained"], np.concatenate(found)


def _variation(coefficients: Coefficients, names: list[str]) -> Array:
    """Each source's part, in percent, (draw, source)."""
    n = len(names)
    parts = [
        coefficients.contribution(coefficients.place[block["name"]])
        for block in coefficients.blocks
    ]
    if coefficients.clusters is not None:
        parts.append(coefficients.clusters.level[:, coefficients.clusters.codes])
    means = [coefficients.mean(part)[:, None] for part in parts]
    level = coefficients.intercept[:, None] + sum(means)
    centred = [part - mean for part, mean in zip(parts, means, strict=True)]
    worth = {}
    for size in range(n + 1):
        for subset in itertools.combinations(range(n), size):
            linear = level + sum(centred[i] for i in subset)
            linear = np.broadcast_to(linear, (len(level), len(coefficients.design)))
            worth[subset] = coefficients.variance(moments(coefficients, linear)[0])
    explained = np.zeros((len(level), n))
    for i in range(n):
        for subset in worth:
            if i in subset:
                continue
            weight = math.factorial(len(subset)) * math.factorial(n - len(subset) - 1)
            gain = worth[tuple(sorted((*subset, i)))] - worth[subset]
            explained[:, i] += weight / math.factorial(n) * gain
    full = level + sum(centred) if n else np.broadcast_to(level, (len(level), 1))
    left = moments(coefficients, full)[1]
    left = coefficients.mean(left) if n else left[:, 0]
    total = worth[tuple(range(n))] + left
    return 100 * np.column_stack([explained, left]) / total[:, None]
