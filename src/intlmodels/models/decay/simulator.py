"""What calibration and leave-one-out ask of the decay model: simulate, measure, leave out.

Where only counts are known, decisions are simulated and their counts published as the study's
own counts were; where decisions are known, their flags are simulated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.settings import Given
from intlmodels.models.base import DEFAULT
from intlmodels.models.decay import inferencedata
from intlmodels.models.decay.design import Design
from intlmodels.models.decay.inferencedata import inverse_logit, log_odds
from intlmodels.models.priors import Prior, rescaled
from intlmodels.models.pymc import OBSERVED, WEIGHTS
from intlmodels.studies import DecayStudy
from intlmodels.studies.counts import FLAGS, Count, rows
from intlmodels.studies.orders import Order

if TYPE_CHECKING:
    from xarray import Dataset


Array = NDArray[np.float64]

#: Deliberate errors that calibration must notice: name -> what is done wrong.
_WRONG_OF_COUNTS = {
    "two-stage": "one table is filled in without regard to the decay, then fitted as if it were "
    "data",
    "too-exact": "counts that may be off are trusted fifty times more than they deserve",
    "narrow-priors": "every prior three times too narrow",
}
_WRONG_OF_DECISIONS = {
    "alike-firms": "differences between firms are left out",
    "other-shape": "log(1 + prior entries) in place of prior entries",
    "narrow-priors": "every prior three times too narrow",
}
#: The same of decisions that may have been missed.
_WRONG_OF_MISSED = {"no-missed": "decisions that may have been missed are taken for all there were"}
#: By how many a simulated count is off at most in a law: beyond, rho^10 or less is left.
_MOST_OFF = 10
#: A prior that pins a parameter to zero.
_ZERO = {"real": "Normal(0, 0.001)", "positive": "HalfNormal(0.001)"}


def wrong_models(design: Design) -> dict[str, str]:
    """Deliberate errors that calibration must notice: name -> what is done wrong."""
    if design.decisions is not None:
        return _WRONG_OF_DECISIONS
    return _WRONG_OF_COUNTS | (_WRONG_OF_MISSED if design.interviews else {})


def why_not(design: Design) -> str:
    """Why a design cannot be simulated; empty if it can."""
    return ""


def simulate(
    study: DecayStudy, design: Design, priors: Mapping[str, Prior], rng: np.random.Generator
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Draw true values from the priors, and what would have been published: flags, or counts."""
    drawn, tables = inferencedata.prior_values(design, priors, 1, rng)
    truth = {name: value[0] for name, value in drawn.items()}
    if tables is not None:
        truth["table"] = tables[0]
        given: dict[str, Any] = {"counts": publish(design, tables[0], rng)}
        if design.orders:
            given["orders"] = publish_orders(design, drawn, tables, rng)
        return truth, given
    chances = inverse_logit(_odds(design, drawn))[0]
    return truth, {OBSERVED: (rng.random(len(chances)) < chances).astype(float)}


def publish(
    design: Design, table: NDArray[np.integer], rng: np.random.Generator
) -> tuple[Count, ...]:
    """Count a table as the study's own counts did.

    A number is printed as it is if the count is hard, else off by the noise of the model. Of
    a bound ("at least 1") the limit is given and what is found out is whether it holds; where
    it does not, the opposite is printed ("at most 0"). A noisy bound that does not hold is printed
    all the same with probability ``rho ** off``, its weight in the model; where it is not printed,
    its opposite holds, and is known to have been denied.
    """
    found = []
    for count in design.counts:
        system = rows([count], design.firms, design.periods)
        true = system.true(table)
        single = [(firm,) for firm in count.firms] if count.each else [count.firms]
        if count.relation == "equal":
            if not count.hard:
                true = true + inferencedata.noise(design.rho, true.shape, rng)
            found += [
                replace(count, firms=firms, value=int(value), each=False)
                for firms, value in zip(single, true, strict=True)
            ]
            continue
        off = system.deviation(true)
        holds = off == 0
        if not count.hard:
            holds = rng.random(off.shape) < design.rho**off
        opposite = (
            replace(count, relation="at most", value=count.value - 1)
            if count.relation == "at least"
            else replace(count, relation="at least", value=count.value + 1)
        )
        opposite = replace(opposite, hard=True, denied=not count.hard)
        for said, which in ((count, holds), (opposite, ~holds)):
            firms = tuple(f for group, yes in zip(single, which, strict=True) if yes for f in group)
            if firms:
                found.append(replace(said, firms=firms))
    return tuple(found)


def publish_orders(
    design: Design,
    drawn: Mapping[str, Array],
    tables: NDArray[np.integer],
    rng: np.random.Generator,
) -> tuple[Order, ...]:
    """Say of every order of the study whether it holds in a table's sequences, drawn for that.

    As with bounds: one that may be off by so many steps is stated with probability ``rho ** off``,
    one that must hold only where it does; else it is known to have been denied.
    """
    made = inferencedata.arrange(replace(design, orders=()), drawn, tables, rng)
    firm, flag = made["firm"][0], made["flag"][0]
    period = np.repeat(np.tile(np.arange(tables.shape[2]), tables.shape[1]), tables[0].sum(-1).flat)
    found = []
    for order in design.orders:
        own = firm == design.firms.index(order.firm)
        pairs = zip(period[own], flag[own], strict=True)
        off = order.off((design.periods[t], FLAGS[y]) for t, y in pairs)
        said = off == 0 if order.hard else rng.random() < design.rho**off
        found.append(replace(order, denied=not said))
    return tuple(found)


def quantities(
    study: DecayStudy, design: Design, values: Mapping[str, Array], given: Given
) -> dict[str, Array]:
    """Every scalar whose rank is looked at, by label; leading dimensions are those of the values.

    The log likelihood of the simulated data is one: ranks of parameters alone would not notice a
    fit that ignores the data (Modrak et al. 2023, Bayesian Analysis, doi:10.1214/23-BA1404).
    """
    labels = {
        "size_offset": design.sizes[:-1],
        "decay": design.sizes,
        "firm": design.firms,
        "period": design.periods,
    }
    names: tuple[str, ...] = ("intercept", "large", "decay_mean", "sigma_decay", "sigma_firm")
    names += ("sigma_period", "recall", *["owner"] * bool(design.owned_since))
    found = {name: values[name] for name in names if name in values}
    for term in design.terms:
        if term.varying:
            labels[term.name] = term.levels
            found[f"sigma_{term.name}"] = values[f"sigma_{term.name}"]
        else:
            found[term.name] = values[term.name]
    for name, own in labels.items():
        if name in values and not (name == "decay" and design.common):
            found |= {f"{name}[{label}]": values[name][..., i] for i, label in enumerate(own)}
    if design.decisions is not None:
        found["log likelihood"] = _log_flags(design, values, given[OBSERVED]).sum(axis=-1)
        return found
    if "table" not in values:
        return found
    flagged = values["table"][..., FLAGS.index("yes")]
    sizes = np.array(design.size_of_firm)
    for g, size in enumerate(design.sizes):
        for t, period in enumerate(design.periods):
            found[f"flagged[{size}, {period}]"] = flagged[..., sizes == g, t].sum(axis=-1)
    system = rows(given["counts"], design.firms, design.periods)
    table = np.asarray(values["table"], np.int64)
    off = system.deviation(system.true(table))[..., ~system.hard]
    if off.shape[-1]:
        found["log likelihood"] = off.sum(axis=-1) * np.log(design.rho)
    return found


def _odds(design: Design, values: Mapping[str, Array]) -> Array:
    """Log odds of the known decisions, (draw, decision)."""
    assert design.decisions is not None
    return log_odds(design, values, *design.codes, design.decisions.entries)


def _log_flags(design: Design, values: Mapping[str, Array], flags: Array) -> Array:
    """Log probability of flags, (..., decision), of values with any leading dimensions."""
    lead = values["intercept"].shape
    names = inferencedata.of_odds(design) & values.keys()
    flat = {n: values[n].reshape(-1, *values[n].shape[len(lead) :]) for n in names}
    odds = _odds(design, flat).reshape(*lead, -1)
    return -np.logaddexp(0.0, (1 - 2 * flags) * odds)


# -- fits --------------------------------------------------------------------------------


def pinned_to_zero(priors: Mapping[str, Prior], names: Sequence[str]) -> dict[str, Prior]:
    """Priors of which those named hold their parameters at zero."""
    return {n: p.rewritten(_ZERO[p.support]) if n in names else p for n, p in priors.items()}


def misspecified(
    study: DecayStudy, variant: str, priors: Mapping[str, Prior], wrong: str
) -> tuple[DecayStudy, str, Mapping[str, Prior]]:
    """Study, variant and priors with a deliberate error."""
    if wrong == "too-exact":
        return replace(study, rho=study.rho / 50), variant, priors
    if wrong == "other-shape":
        return study, "power", priors
    if wrong == "no-missed":
        return study, DEFAULT, {n: prior for n, prior in priors.items() if n != "recall"}
    if wrong == "alike-firms":
        return study, variant, pinned_to_zero(priors, ["sigma_firm"])
    return study, variant, {n: rescaled(prior, 1 / 3) for n, prior in priors.items()}


# -- leaving one out ---------------------------------------------------------------------


def unit_kind(design: Design) -> str:
    """What is left out at a time."""
    return "count" if design.decisions is None else "firm"


def units(study: DecayStudy, design: Design) -> list[str]:
    """Firms with decisions; or counts of a number, but for that of all, which the model knows."""
    if design.decisions is not None:
        return [firm for firm in design.firms if firm in set(design.decisions.firm)]
    return [count.id for count in _predictable(design)]


def _predictable(design: Design) -> list[Count]:
    everything = len(design.firms), len(design.periods), len(FLAGS)
    return [
        count
        for count in design.counts
        if count.relation == "equal"
        and not count.each
        and (len(count.firms), len(count.periods), len(count.flags)) != everything
    ]


def determined(design: Design) -> list[str]:
    """Counts that are sums and differences of other counts, if any."""
    equal = [count for count in design.counts if count.relation == "equal"]
    system = rows(equal, design.firms, design.periods)
    rank = np.linalg.matrix_rank(system.member) if equal else 0
    others = {c.id: system.member[system.count != i] for i, c in enumerate(equal)}
    return [c.id for c in _predictable(design) if np.linalg.matrix_rank(others[c.id]) == rank]


def printed(study: DecayStudy, design: Design) -> Array:
    """What was printed of each unit; of a firm's decisions, how many carry the flag."""
    if design.decisions is None:
        return np.array([float(count.value) for count in _predictable(design)])
    flags = _by_firm(study, design)
    return np.array([float(design.decisions.flag[which].sum()) for which in flags])


def _by_firm(study: DecayStudy, design: Design) -> list[NDArray[np.bool_]]:
    """Which decisions are those of each unit."""
    assert design.decisions is not None
    firm = np.array(design.decisions.firm)
    return [firm == name for name in units(study, design)]


def values(study: DecayStudy, designs: Mapping[str, Design]) -> Array:
    """Everything that could have been printed of a unit."""
    design = next(iter(designs.values()))
    if design.decisions is None:
        return np.arange(-_MOST_OFF, design.total + _MOST_OFF + 1.0)
    return np.arange(max(which.sum() for which in _by_firm(study, design)) + 1.0)


def without(study: DecayStudy, design: Design, unit: int) -> dict[str, Any]:
    """What a refit is given that does not see one unit."""
    if design.decisions is None:
        out = _predictable(design)[unit]
        return {"counts": tuple(count for count in design.counts if count is not out)}
    return {WEIGHTS: np.where(_by_firm(study, design)[unit], 0.0, 1.0)}


def predict(
    study: DecayStudy, design: Design, draws: Dataset, unit: int, over: Array
) -> tuple[Array, Array]:
    """Predict a unit from a fit that did not see it; of a firm, its flags in their order."""
    if design.decisions is None:
        return _predict_count(design, draws, unit, over)
    which = _by_firm(study, design)[unit]
    found = {str(name): draws[name].to_numpy() for name in draws.data_vars}
    flags = design.decisions.flag.astype(float)
    logs = _log_flags(design, found, flags)[..., which]
    chances = np.exp(_log_flags(design, found, np.ones_like(flags)))[..., which]
    # Number of flags: one decision after the other (Poisson-binomial law).
    law = np.zeros((*chances.shape[:-1], len(over)))
    law[..., 0] = 1
    for i in range(chances.shape[-1]):
        chance = chances[..., i, None]
        moved = np.concatenate([np.zeros_like(chance), law[..., :-1]], axis=-1)
        law = law * (1 - chance) + moved * chance
    return law.mean(axis=(0, 1)), logs.sum(axis=-1)


def _predict_count(design: Design, draws: Dataset, unit: int, over: Array) -> tuple[Array, Array]:
    count = _predictable(design)[unit]
    true = rows([count], design.firms, design.periods).true(draws["table"].to_numpy())[..., 0]
    seen = np.bincount(true.ravel(), minlength=design.total + 1) / true.size
    off = np.abs(over[:, None] - np.arange(design.total + 1))
    if count.hard:
        with np.errstate(divide="ignore"):
            return (off == 0) @ seen, np.log((true == count.value).astype(float))
    scale = (1 - design.rho) / (1 + design.rho)
    logs = np.log(scale) + np.abs(true - count.value) * np.log(design.rho)
    return scale * design.rho**off @ seen, logs
