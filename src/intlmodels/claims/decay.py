"""Rules that ask the decisions of a study: known, or reconstructed from counts, draw by draw.

Where every decision is known, what a rule asks of the decisions is a fact, and no probability
is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from intlmodels.claims.verdicts import (
    CANNOT,
    POINTS,
    Array,
    Evidence,
    Found,
    everywhere,
    fact,
    middle,
    of_draws,
)
from intlmodels.core import formats as f
from intlmodels.models import DEFAULT
from intlmodels.models.base import flat, texts
from intlmodels.models.decay.estimands import FALL_AFTER
from intlmodels.results.decay import estimands, group_name
from intlmodels.study import DecayStudy
from intlmodels.study.claims import Claim, Part
from intlmodels.study.counts import FLAGS

if TYPE_CHECKING:
    from xarray import Dataset


def _study(evidence: Evidence) -> DecayStudy:
    return cast(DecayStudy, evidence.study)


def _draws(evidence: Evidence) -> Dataset:
    return estimands(evidence.fits[DEFAULT])


def _latent(evidence: Evidence) -> bool:
    """Whether decisions are reconstructed from counts, draw by draw."""
    return "group_cell" in _draws(evidence)


def _known(evidence: Evidence) -> str:
    """What was printed, when it is not counts."""
    return f.plural(_study(evidence).event)


def _decisions(part: Part, evidence: Evidence) -> Array:
    """Decisions in a part, (draw, flag); one row where all are known."""
    study = _study(evidence)
    if _latent(evidence):
        cells = _draws(evidence)["group_cell"].sel(
            period_level=list(part.periods), flag=list(FLAGS)
        )
        chosen = cells.sel(size=[part.size]) if part.size else cells
        summed = chosen.sum(("size", "period_level")).transpose("chain", "draw", "flag")
        return flat(summed)
    if study.decisions is None:
        raise ValueError("a fit without a table of decisions, and no decisions in the study")
    firms = [i for i, own in enumerate(study.sizes) if part.size in ("", own)]
    periods = [study.periods.index(name) for name in part.periods]
    table = study.decisions.table(study.firms, study.periods)[np.ix_(firms, periods)]
    return table.sum(axis=(0, 1))[None].astype(float)


def _asked(
    holds: NDArray[np.bool_], kept: NDArray[np.bool_], effect: Array, evidence: Evidence
) -> Found:
    chains = _draws(evidence).sizes["chain"]
    return of_draws(holds, kept, effect, chains, evidence.prob, DEFAULT)


def _falls(claim: Claim, evidence: Evidence) -> Found:
    size = claim.asked.get("size", "")
    sizes = [size] if size else texts(_draws(evidence)["size"])
    draws = _draws(evidence).sel(size=sizes)
    decay, fall = flat(draws["halvings"]), flat(draws["fall"])
    # Of several sizes the one that falls least decides.
    found = _asked((decay > 0).all(axis=1), everywhere(decay), fall.min(axis=1), evidence)
    who = evidence.study.firm_label
    said = [
        f"{group_name(size, who)}: fall {middle(fall[:, i], 0, evidence.prob)} {POINTS}"
        for i, size in enumerate(sizes)
    ]
    after = f"after {FALL_AFTER} earlier {f.plural(_study(evidence).event)}, {'; '.join(said)}"
    return replace(found, unit=POINTS, numbers=after + found.numbers)


def _falls_more(claim: Claim, evidence: Evidence) -> Found:
    size = claim.asked["size"]
    (other,) = (name for name in texts(_draws(evidence)["size"]) if name != size)
    more, less = (
        flat(_draws(evidence)["halvings"].sel(size=name)) * math.log(2) for name in (size, other)
    )
    found = _asked(more > less, everywhere(more), more - less, evidence)
    unit = f"log odds {f.a(_study(evidence).event)}"
    said = f"difference of the decays {middle(more - less, 2, evidence.prob)} {unit}"
    return replace(found, unit=unit, numbers=said + found.numbers)


def _higher_share(claim: Claim, evidence: Evidence) -> Found:
    a, b = _decisions(claim.asked["a"], evidence), _decisions(claim.asked["b"], evidence)
    kept = (a.sum(axis=1) > 0) & (b.sum(axis=1) > 0)
    if not kept.any():
        what = f"no {_study(evidence).event} in one of the two"
        return Found(verdict=CANNOT, numbers=what, fit=DEFAULT if _latent(evidence) else "")
    with np.errstate(invalid="ignore"):
        first, second = (100 * part[:, 1] / part.sum(axis=1) for part in (a, b))
    if not _latent(evidence):
        said = (
            f"{a[0, 1]:.0f} of {a[0].sum():.0f} ({f.percent(first[0])}) against {b[0, 1]:.0f} of "
            f"{b[0].sum():.0f} ({f.percent(second[0])})"
        )
        off = float(first[0] - second[0])
        return fact(off > 0, _known(evidence), Found(median=off, unit=POINTS, numbers=said))
    found = _asked(first > second, kept, first - second, evidence)
    said = (
        f"difference of the shares {middle((first - second)[kept], 0, evidence.prob)} {POINTS}; "
        f"medians {f.percent(float(np.median(first[kept])))} against "
        f"{f.percent(float(np.median(second[kept])))}"
    )
    if not kept.all():
        said += (
            f"; left out: {f.percent(100 * float(1 - kept.mean()), 1)} of the draws, with no "
            f"{_study(evidence).event} in one of the two"
        )
    return replace(found, unit=POINTS, numbers=said + found.numbers)


def _none(claim: Claim, evidence: Evidence) -> Found:
    flagged = _decisions(claim.asked["a"], evidence)[:, 1]
    unit = f.plural(_study(evidence).event)
    label = _study(evidence).flag_label
    if not _latent(evidence):
        number = float(flagged[0])
        said = f"{f.counted(int(number), _study(evidence).event)} {label}"
        return fact(number == 0, _known(evidence), Found(median=number, unit=unit, numbers=said))
    found = _asked(flagged == 0, everywhere(flagged), flagged, evidence)
    said = (
        f"{f.number(float(flagged.mean()), 1)} {unit} {label} expected "
        f"({f.span(found.low, found.high, 0)})"
    )
    return replace(found, unit=unit, numbers=said + found.numbers)


#: Rule -> what it finds.
RULES: dict[str, Callable[[Claim, Evidence], Found]] = {
    "falls": _falls,
    "falls more": _falls_more,
    "higher share": _higher_share,
    "none": _none,
}
