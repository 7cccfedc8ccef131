"""Rules that ask the posterior of a share model, and the tables beside it for comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from intlmodels.claims.facts import group_of, other_group
from intlmodels.claims.verdicts import CANNOT, Array, Evidence, Found, everywhere, middle, of_draws
from intlmodels.core import formats as f
from intlmodels.models import fit_of
from intlmodels.models.base import flat, texts
from intlmodels.results import share
from intlmodels.study import ShareStudy
from intlmodels.study.claims import Claim
from intlmodels.study.groups import Group

if TYPE_CHECKING:
    from xarray import Dataset, DataTree


def _tree(claim: Claim, evidence: Evidence) -> DataTree:
    return evidence.fits[fit_of(claim)]


def _draws(claim: Claim, evidence: Evidence) -> Dataset:
    return share.estimands(_tree(claim, evidence))


def _unit(draws: Dataset) -> str:
    """Unit of differences: percentage points, or that of an ordered outcome."""
    return str(draws["difference"].attrs["units"])


def _asked(
    holds: Any, effect: Array, claim: Claim, evidence: Evidence, unit: str, said: str
) -> Found:
    chains = _draws(claim, evidence).sizes["chain"]
    found = of_draws(holds, everywhere(holds), effect, chains, evidence.prob, fit_of(claim))
    return replace(found, unit=unit, numbers=said + found.numbers)


# -- levels of a predictor -----------------------------------------------------------------


def _levels(claim: Claim, evidence: Evidence) -> tuple[list[str], Array, Array]:
    """Levels of a predictor, draws of their average expected shares, firms at each."""
    draws = _draws(claim, evidence)
    name = claim.asked["predictor"]
    places = [i for i, own in enumerate(texts(draws["setting_predictor"])) if own == name]
    levels = [texts(draws["setting_level"])[i] for i in places]
    firms = _membership(claim, evidence).sum(axis=0).astype(float)
    return levels, flat(draws["expected_share"])[:, places], firms


def _membership(claim: Claim, evidence: Evidence) -> NDArray[np.bool_]:
    """Which firms stand at which level of the claim's predictor, (firm, level)."""
    tree = _tree(claim, evidence)
    (block,) = (b for b in share.blocks(tree) if b["name"] == claim.asked["predictor"])
    return share.membership(tree, block)


def _printed(
    first: NDArray[np.bool_], second: NDArray[np.bool_], claim: Claim, evidence: Evidence
) -> str:
    """What the tables print on average of two sets of firms, where shares are compared."""
    study = cast(ShareStudy, evidence.study)
    if fit_of(claim) in study.outcomes:
        return ""
    shares = study.outcome.printed
    means = [f.percent(float(shares[which].mean()), 1) for which in (first, second) if which.any()]
    return f"; printed on average {f.listed(means, 'against')}" if len(means) > 1 else ""


def _average(names: Sequence[str], levels: Sequence[str], shares: Array, firms: Array) -> Array:
    """Of several levels the average, each with the firms that stand at it."""
    places = [levels.index(name) for name in names]
    return np.average(shares[:, places], axis=1, weights=np.maximum(firms[places], 1e-9))


def _higher_level(claim: Claim, evidence: Evidence) -> Found:
    levels, shares, firms = _levels(claim, evidence)
    first = list(claim.asked["levels"])
    second = list(claim.asked.get("against", [name for name in levels if name not in first]))
    off = _average(first, levels, shares, firms) - _average(second, levels, shares, firms)
    unit = _unit(_draws(claim, evidence))
    said = f"{f.listed(first)} against {f.listed(second)}: {_off(off, evidence)} {unit}"
    stands = _membership(claim, evidence)
    at, against = (
        stands[:, [levels.index(name) for name in names]].any(axis=1) for names in (first, second)
    )
    return _asked(
        off > 0, off, claim, evidence, unit, said + _printed(at, against, claim, evidence)
    )


def _off(draws: Array, evidence: Evidence) -> str:
    decimals = f.decimals_for(float(np.ptp(np.quantile(draws, [0.025, 0.975]))))
    return middle(draws, min(decimals, 2), evidence.prob)


def _extreme_level(claim: Claim, evidence: Evidence) -> Found:
    levels, shares, _ = _levels(claim, evidence)
    place = levels.index(claim.asked["level"])
    others = np.delete(shares, place, axis=1)
    lowest = claim.asked["end"] == "lowest"
    nearest = others.min(axis=1) if lowest else others.max(axis=1)
    off = shares[:, place] - nearest
    unit = _unit(_draws(claim, evidence))
    said = (
        f"{levels[place]} against the {claim.asked['end']} of the others: {_off(off, evidence)} "
        f"{unit}"
    )
    return _asked(off < 0 if lowest else off > 0, off, claim, evidence, unit, said)


# -- groups of firms -----------------------------------------------------------------------


def _who(group: Group, claim: Claim, evidence: Evidence) -> NDArray[np.bool_]:
    """Which firms of the fit belong to a group."""
    return np.isin(texts(_draws(claim, evidence)["firm"]), group.sure)


def _higher_expected(claim: Claim, evidence: Evidence) -> Found:
    a = group_of(claim.asked["a"], evidence)
    b = other_group("b", a, claim, evidence)
    if a.unknown or b.unknown:
        return Found(verdict=CANNOT, numbers="not known of every firm whether it belongs to it")
    first, second = (_who(group, claim, evidence) for group in (a, b))
    if not first.any() or not second.any():
        return Found(verdict=CANNOT, numbers="no firm in one of the two groups")
    shares = flat(_draws(claim, evidence)["firm_share"])
    off = shares[:, first].mean(axis=1) - shares[:, second].mean(axis=1)
    unit = _unit(_draws(claim, evidence))
    said = (
        f"{a.label} ({first.sum()}) against {b.label} ({second.sum()}): {_off(off, evidence)} "
        f"{unit}{_printed(first, second, claim, evidence)}"
    )
    return _asked(off > 0, off, claim, evidence, unit, said)


# -- parameters and variation --------------------------------------------------------------


def _explains(claim: Claim, evidence: Evidence) -> Found:
    draws = _draws(claim, evidence)
    sources = texts(draws["source"])
    name = claim.asked["predictor"]
    if name not in sources:
        return Found(verdict=CANNOT, numbers="with this many predictors it is not split")
    part = flat(draws["variation"])[:, sources.index(name)]
    said = f"{_off(part, evidence)}{f.SPACE}% of the variation (asked: at least "
    said += f"{f.percent(claim.asked['least'])})"
    return _asked(part >= claim.asked["least"], part, claim, evidence, "percent", said)


def _effect(claim: Claim, evidence: Evidence) -> Found:
    name = claim.asked["parameter"]
    values = flat(_tree(claim, evidence)["posterior"].to_dataset()[name])
    holds = values > 0 if claim.asked["sign"] == "positive" else values < 0
    said = f"{name} {_off(values, evidence)}"
    natural = _from_end_to_end(name, claim, evidence)
    if natural is None:
        return _asked(holds, values, claim, evidence, "scale of the parameter", said)
    off, words = natural
    unit = _unit(_draws(claim, evidence))
    said += f" on the logit scale; {words}: {_off(off, evidence)} {unit}"
    return _asked(holds, off, claim, evidence, unit, said)


def _from_end_to_end(name: str, claim: Claim, evidence: Evidence) -> tuple[Array, str] | None:
    """Difference between the last and the first level of a predictor, where it has an order."""
    draws = _draws(claim, evidence)
    settings = [
        level
        for own, level in zip(
            texts(draws["setting_predictor"]), texts(draws["setting_level"]), strict=True
        )
        if own == name
    ]
    compared = zip(
        *(texts(draws[f"comparison_{what}"]) for what in ("predictor", "level", "against")),
        strict=True,
    )
    ends = (name, settings[-1], settings[0]) if settings else ()
    for place, key in enumerate(compared):
        if key == ends:
            words = f"{settings[-1]} against {settings[0]}"
            return flat(draws["difference"])[:, place], words
    return None


#: Rule -> what it finds.
RULES: dict[str, Callable[[Claim, Evidence], Found]] = {
    "higher level": _higher_level,
    "extreme level": _extreme_level,
    "higher expected": _higher_expected,
    "explains": _explains,
    "effect": _effect,
}
