"""What more of a predictor goes with, in its own unit, and how that depends on another predictor.

Draw by draw, averaged over the rows as observed; for the first sentences of a report.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from intlmodels.core.formats import amount, unit_of_differences
from intlmodels.models.base import flat
from intlmodels.models.share.coefficients import Change, Coefficients
from intlmodels.models.share.estimands import FEWEST_DRAWS, MOST_CELLS, MOST_SHARES, change_of
from intlmodels.results.intervals import CI_PROB, Array, directions, table_of
from intlmodels.results.share import NUMBERS, estimands, labelled

if TYPE_CHECKING:
    import pandas as pd
    from xarray import DataTree


#: What is averaged; the first two only with structural zeros.
ANY, IF_ANY, BOTH = "any at all", "share if any", "expected share"
#: Ratios by which a predictor that enters by its logarithm is raised, and how they are said.
_RATIOS = {1.01: "1%", 1.02: "2%", 1.05: "5%", 1.1: "10%", 1.2: "20%", 1.5: "50%", 2.0: ""}


@dataclass(frozen=True)
class _Step:
    """Two changes of the rows that are set beside each other, and what differs in words."""

    plus: Change
    minus: Change
    words: str
    level: str = ""  #: of a predictor with levels: what is compared
    against: str = ""


@dataclass(frozen=True)
class _Predictors:
    """A fit with its predictors, without products, by name."""

    fit: DataTree
    coefficients: Coefficients
    blocks: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, fit: DataTree) -> _Predictors:
        coefficients = Coefficients(fit)
        blocks = {b["name"]: b for b in coefficients.blocks if not b.get("of")}
        return cls(fit, coefficients, blocks)

    def parts(self, term: str) -> list[str]:
        """Names of the parts of a predictor: two if it is split, else one."""
        return [name for name, block in self.blocks.items() if block.get("term", name) == term]

    def settings(self, name: str) -> dict[str, Change]:
        """All rows at each of the levels or numbers at which a predictor is compared, in words."""
        constant = self.fit["constant_data"].to_dataset()
        own = constant["setting_predictor"].to_numpy().astype(str) == name
        weights = constant["setting_weights"].to_numpy()[own]
        words = map(without_note, self.blocks[name]["settings"])
        return {
            said: change_of(self.coefficients, row)
            for said, row in zip(words, weights, strict=True)
        }

    def step(self, name: str) -> _Step:
        """More of a numeric predictor; the halves of one that is split by as much."""
        block = self.blocks[name]
        halves = [self.blocks[half] for half in self.parts(block.get("term", name))]
        if len(halves) == 1 and "one sd" not in block["settings"][0]:
            (first, low), *_, (last, high) = self.settings(name).items()
            return _Step(high, low, rather(last, first, block["unit"]))
        size, words = _rise(halves, min(half["scale"] for half in halves))
        column = self.coefficients.design[:, self.coefficients.place[name]]
        return _Step(Change({name: column + size / block["scale"]}), Change(), words)

    def levels(self, name: str) -> _Step:
        """The level with the largest expected share against that with the smallest, or of two."""
        found = estimands(self.fit)
        own = found["setting_predictor"].to_numpy().astype(str) == name
        order = np.median(flat(found["expected_share"])[:, own], axis=0).argsort()
        each = list(self.settings(name).items())
        high, low = (1, 0) if len(each) == 2 else (order[-1], order[0])
        return _Step(each[high][1], each[low][1], "", each[high][0], each[low][0])


def without_note(setting: str) -> str:
    """A setting without the note on how far from the mean it is."""
    setting = setting.replace(" % ", "% ")  # as stored fits write it
    for note in ("one sd", "at the mean"):
        head, found, _ = setting.partition(f" ({note}")
        if found:
            return head
        head, found, _ = setting.partition(f"; {note}")
        if found:
            return f"{head})"
    return setting


def rather(setting: str, against: str, unit: str) -> str:
    """Two settings of a number with their unit said once: ``50 rather than 10 people``."""
    number = without_note(setting).removesuffix(f" {unit}").removesuffix(f" ({unit})")
    return f"{number} rather than {without_note(against)}"


def _rise(halves: Sequence[Mapping[str, Any]], scale: float) -> tuple[float, str]:
    """A round number of at most a standard deviation, on the scale of the model, and in words."""
    if halves[0]["transform"] == "log":
        ratio = max((r for r in _RATIOS if math.log(r) <= scale), default=min(_RATIOS))
        return math.log(ratio), f"{_RATIOS[ratio]} more" if _RATIOS[ratio] else "twice as much"
    power = 10.0 ** math.floor(math.log10(scale) + 1e-9)
    size = power * max(k for k in (1, 2, 5) if k * power <= scale * (1 + 1e-9))
    return size, f"{amount(size, unit_of_differences(halves[0]['unit']))} more"


def steps(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Differences that go with more of each numeric predictor, in percentage points.

    Every row has as much more, a round number of the predictor's own unit of at most a standard
    deviation; where the study names values, all rows are at the last instead of the first. Curved
    predictors, of which more means one thing here and another there, are left out, and those with
    missing values.

    Returns
    -------
    pandas.DataFrame
        ``predictor``, ``label``, ``more`` ("10,000 dollars more", "20% more", "twice as much",
        "2,000 rather than 500 pupils"), ``estimand`` (the expected share; with structural zeros
        also whether there is any at all, and the share if there is), the columns of
        :func:`.intervals.table_of` and :func:`.intervals.directions`.
    """
    asked = _Predictors.of(fit)
    bent = {
        product[0][0]
        for block in asked.coefficients.blocks
        for product in block.get("of") or ()
        if product[0] == product[1]
    }
    wanted = {
        name: asked.step(name)
        for name, block in asked.blocks.items()
        if block["kind"] == "numeric" and not block["missing"] and name not in bent
    }
    named = [ANY, IF_ANY, BOTH] if asked.coefficients.family == "hurdle" else [BOTH]
    every = list(itertools.product(wanted, named))
    columns = {
        "predictor": [name for name, _ in every],
        "label": [asked.blocks[name]["label"] for name, _ in every],
        "more": [wanted[name].words for name, _ in every],
        "estimand": [estimand for _, estimand in every],
    }
    pairs = [(step.plus, step.minus) for step in wanted.values()]
    draws = _differences(asked.coefficients, pairs)
    draws = draws.reshape(len(draws), -1)
    return table_of(fit, columns, draws, prob).assign(
        **directions(draws, asked.coefficients.sizes[0])
    )


def as_observed(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """The average over the rows as they are, in percent; with structural zeros three of them.

    Columns: ``estimand`` (see :func:`steps`) and those of :func:`.intervals.table_of`.
    """
    draws = _averages(Coefficients(fit), [Change()])[:, 0]
    names = [ANY, IF_ANY, BOTH][-draws.shape[1] :]
    return table_of(fit, {"estimand": names}, draws, prob)


def zero_levels(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Three averages at each level of each predictor, with structural zeros, in percent.

    Columns: ``predictor``, ``label``, ``level``, ``estimand`` (see :func:`steps`), and those of
    :func:`.intervals.table_of`.
    """
    return _three(fit, "setting", ("abroad", "share_if_abroad", "expected_share"), prob)[0]


def zero_differences(fit: DataTree, prob: float = CI_PROB) -> pd.DataFrame:
    """Differences of the same between levels, in percentage points.

    Columns: ``against`` and those of :func:`directions` besides.
    """
    names = ("abroad_difference", "share_if_abroad_difference", "difference")
    table, draws = _three(fit, "comparison", names, prob)
    return table.assign(**directions(draws, estimands(fit).sizes["chain"]))


def _three(
    fit: DataTree, dim: str, names: Sequence[str], prob: float
) -> tuple[pd.DataFrame, Array]:
    """The three estimands of each setting or comparison, one after the other, and their draws."""
    found = estimands(fit)
    draws = np.stack([flat(found[name]) for name in names], axis=-1)
    columns = {key: np.repeat(own, 3) for key, own in labelled(fit, found, dim).items()}
    columns["estimand"] = np.tile([ANY, IF_ANY, BOTH], draws.shape[1])
    draws = draws.reshape(len(draws), -1)
    return table_of(fit, columns, draws, prob), draws


def moderations(
    fit: DataTree, interactions: Mapping[str, Sequence[str]], prob: float = CI_PROB
) -> pd.DataFrame:
    """How the difference that one predictor makes depends on the other one of an interaction.

    Parameters
    ----------
    fit : xarray.DataTree
    interactions : mapping of str to sequence of str
        Interaction -> its two predictors.
    prob : float

    Returns
    -------
    pandas.DataFrame
        For each value of the moderator a row with the difference there, then one with the change
        from the first to the last value, or from the level with the smallest difference to that
        with the largest: ``interaction``, ``label`` and ``by`` (the two predictors; a number is the
        moderator of a predictor with levels), ``more`` (see :func:`steps`; empty for levels),
        ``level``, ``against``, ``value`` (of the moderator), ``to`` (of a change, the value to
        which it goes; else empty), the columns of :func:`.intervals.table_of` and
        :func:`.intervals.directions`.
    """
    asked = _Predictors.of(fit)
    names = ("interaction", "label", "by", "more", "level", "against", "value", "to")
    rows: list[tuple[str, ...]] = []
    draws: list[Array] = []
    for interaction, (one, other) in interactions.items():
        for pair in itertools.product(asked.parts(one), asked.parts(other)):
            focal, moderator = _in_order(asked, *pair)
            own = asked.blocks[focal]
            step = asked.step(focal) if own["kind"] in NUMBERS else asked.levels(focal)
            values = asked.settings(moderator)
            number = asked.blocks[moderator]["kind"] in NUMBERS
            if number:  # its ends
                values = dict([list(values.items())[i] for i in (0, -1)])
            found = _differences(
                asked.coefficients,
                [(_together(step.plus, at), _together(step.minus, at)) for at in values.values()],
            )[:, :, -1]
            order = range(len(values)) if number else np.median(found, axis=0).argsort(stable=True)
            first, last = (0, 1) if len(values) == 2 else (order[0], order[-1])
            words = list(values)
            said = (
                *(interaction, own["label"], asked.blocks[moderator]["label"]),
                *(step.words, step.level, step.against),
            )
            rows += [(*said, value, "") for value in words]
            rows.append((*said, words[first], words[last]))
            draws += [found, (found[:, last] - found[:, first])[:, None]]
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    every = np.concatenate(draws, axis=1) if draws else np.empty((2, 0))
    table = table_of(fit, columns, every, prob)
    return table.assign(**directions(every, asked.coefficients.sizes[0]))


def _in_order(asked: _Predictors, one: str, other: str) -> tuple[str, str]:
    """What makes a difference, and what it depends on: of two levels, a number, or the first."""

    def rank(name: str) -> int:
        block = asked.blocks[name]
        if block["kind"] in NUMBERS:
            return 2 if block["kind"] == "spline" else 1
        return 0 if len(block["settings"]) == 2 else 1

    focal, moderator = sorted((one, other), key=rank)
    return focal, moderator


def _together(*changes: Change) -> Change:
    return Change({name: w for change in changes for name, w in change.weights.items()})


def _differences(coefficients: Coefficients, pairs: Sequence[tuple[Change, Change]]) -> Array:
    """Averages over the rows of one change less those of another, (draw, pair, estimand)."""
    changes = [Change(), *(change for pair in pairs for change in pair if change.weights)]
    found = _averages(coefficients, changes)
    place = {id(change): i for i, change in enumerate(changes)}
    ends = [[place.get(id(change), 0) for change in pair] for pair in pairs]
    one, other = np.array(ends, dtype=int).reshape(-1, 2).T
    return np.asarray(found[:, one] - found[:, other])


def _averages(coefficients: Coefficients, changes: Sequence[Change]) -> Array:
    """Averages over the rows under each of several changes, (draw, change, estimand)."""
    rows, count = len(coefficients.design), len(coefficients.intercept)
    points = rows * len(changes)
    most = max(1, count // FEWEST_DRAWS)
    coefficients = coefficients.thinned(min(most, math.ceil(count * points / MOST_SHARES)))
    zeros = coefficients.family == "hurdle"
    found = np.empty((len(coefficients.intercept), len(changes), 3 if zeros else 1))
    many = max(1, MOST_CELLS // (4 * rows))
    for start in range(0, len(found), many):
        pick = slice(start, start + many)
        part = coefficients.at(pick)
        for i, change in enumerate(changes):
            own = part.rows_parameters(change)
            expected = part.rows_expected(part.rows_linear(change), own, points)
            found[pick, i, -1] = part.mean(expected)
            if zeros:
                sells = 1 - own.get("never", part.parameters["never"][:, None])
                sells = np.broadcast_to(sells, expected.shape)
                found[pick, i, 0] = 100 * part.mean(sells)
                found[pick, i, 1] = part.mean(expected / sells)
    return found
