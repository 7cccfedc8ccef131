"""Draws of the terms of known decisions, and what they say of the flag if decisions change."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.models.decay import inferencedata
from intlmodels.models.decay.inferencedata import inverse_logit, log_odds
from intlmodels.models.share.coefficients import Change, Coefficients, GroupEffects, places_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xarray import DataTree


Array = NDArray[np.float64]


class DecisionCoefficients(Coefficients):
    """The same of known decisions: one row a decision, with its firm, size and prior entries."""

    def __init__(self, tree: DataTree) -> None:
        draws = tree["posterior"].to_dataset()
        constant = tree["constant_data"].to_dataset()
        terms = json.loads(constant.attrs.get("terms", "[]"))
        self.blocks = [term for term in terms if term["kind"] != "groups"]
        self.place = places_of(self.blocks)
        self.family, self.width = "decisions", 0.0
        self.sizes = (draws.sizes["chain"], draws.sizes["draw"])
        self.intercept = self._flat(draws["intercept"])[:, 0]
        parts = [self._flat(draws[block["name"]]) for block in self.blocks]
        self.values = np.concatenate([np.empty((len(self.intercept), 0)), *parts], axis=1)
        #: Firm, period and prior entries of each decision.
        self.decisions = tuple(
            constant[name].to_numpy()
            for name in ("firm_of_decision", "period_of_decision", "prior_entries")
        )
        columns = [np.empty((len(self.decisions[0]), 0))]
        for block in self.blocks:
            if block["kind"] == "category":
                columns.append(np.eye(len(block["levels"]))[constant[f"{block['name']}_code"]])
            else:
                columns.append(constant[f"{block['name']}_value"].to_numpy()[:, None])
        self.design = np.concatenate(columns, axis=1)
        self.groupings = tuple(
            GroupEffects(
                name=(name := term["name"]),
                labels=tuple(term["levels"]),
                codes=constant[f"{name}_code"].to_numpy().astype(np.intp),
                level=self._flat(draws[name]),
                places=(),
                effects=(),
                climbs=(),
                spreads=(self._flat(draws[f"sigma_{name}"])[:, 0],),
                size=self.values.shape[1],
            )
            for term in terms
            if term["kind"] == "groups"
        )
        self.spread, self.imputed = {}, {}
        self.precision = self.never = self.rows = None
        self.without = inferencedata.design_of_fit(tree)
        self.parameters = inferencedata.flat_parameters(draws, self.without)

    @cached_property
    def without_terms(self) -> Array:
        """Log odds by firm, size, period and prior entries alone, (draw, decision)."""
        return log_odds(self.without, self.parameters, *self.decisions)

    def rows_linear(self, change: Change) -> Array:
        """Log odds of decisions under a change, (draw, decision)."""
        return super().rows_linear(change) - self.intercept[:, None] + self.without_terms

    def rows_expected(self, linear: Array, own: Mapping[str, Array], points: int) -> Array:
        """Probability of the flag in percent, (draw, decision)."""
        return 100 * inverse_logit(linear)

    def at(self, pick: Any) -> DecisionCoefficients:
        """The same at some of the draws, an index or a slice, as one chain."""
        new = super().at(pick)
        assert isinstance(new, DecisionCoefficients)
        new.__dict__.pop("without_terms", None)  # of the other draws
        return new
