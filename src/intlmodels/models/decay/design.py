"""The design of the decay model, as data.

Does a flag become rarer as a firm gathers prior decisions?

Every decision has a firm f, a period t, and a number k of earlier decisions of its firm; g is
the size of the firm::

    logit Pr(flag) = intercept + firm[f] + large * [g = large] - decay[g] * k

With more than two sizes every one but the smallest has an offset of its own, ``size_offset[g]``, in
place of ``large``.

Where the decisions are known, terms of the study's own may stand beside these: a slope of a
contrast or a standardized number, and effects of the levels of a category or of groups.

A study either knows its decisions (:mod:`intlmodels.models.decay.model`), or only counts of them.
Then the table of decisions is unknown, has a prior (a Polya urn over firms, periods drawn at
random) and is sampled together with the parameters (:mod:`intlmodels.models.decay.sampler`).

Two rivals of experience are variants of a study's own. Firms may come under another owner: then
``owner`` is added to the log odds in every period in which firm f is owned, beside the decay. And
decisions may have been missed. With i interviews a decision of firm f is known with probability
1 - (1 - recall)^i, each decision by itself; so before every known one of its decisions lie missed
ones, geometric in number, which carry no count, but are experience: k is the number of known and
missed decisions before. Nothing else is said of missed decisions: the number of all decisions and
its prior over firms (the urn) are of known ones, and so are the flags.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from intlmodels.models.base import DEFAULT, Variant
from intlmodels.models.priors import Prior, parameter
from intlmodels.studies import DecayStudy, Decisions, SequenceStudy
from intlmodels.studies.counts import SIZES, Count, rows
from intlmodels.studies.orders import Order

Shape = Literal["linear", "power", "step"]
Array = NDArray[np.float64]

#: The observed variable where decisions are known: 1 if a decision carries the flag.
OUTCOME = "flagged"
#: Values of rho and of the urn's concentration that are tried beside the study's own.
OTHER_RHO = (0.01, 0.2)
OTHER_CONCENTRATION = (0.5, 5.0)
#: Cheapest repairs that become variants, at most.
MOST_REPAIRS = 6


@dataclass(frozen=True, eq=False)
class Term:
    """A predictor or a grouping of known decisions, as it enters their log odds."""

    name: str
    kind: str
    label: str
    #: Of effects; of a contrast (low, high); else empty.
    levels: tuple[str, ...]
    #: Of each decision the code of its level, or the value that a slope multiplies; (decision,).
    codes: NDArray[np.intp]
    values: Array
    #: Of a number: before it is standardized.
    unit: str = ""
    transform: str = "none"
    center: float = 0.0
    scale: float = 1.0

    @property
    def varying(self) -> bool:
        """Whether levels have effects of their own, rather than one slope."""
        return self.kind in ("category", "groups")

    def of(self, effects: Any) -> Any:
        """What it adds to the log odds, (..., decision), of effects or slopes (...)."""
        return effects[..., self.codes] if self.varying else effects[..., None] * self.values


@dataclass(frozen=True)
class Design:
    """Everything that one variant of the decay model depends on, besides priors."""

    firms: tuple[str, ...]
    #: Position in ``sizes`` of each firm.
    size_of_firm: tuple[int, ...]
    #: From the largest to the smallest; ``("all",)`` where firms are of one size only.
    sizes: tuple[str, ...]
    periods: tuple[str, ...]
    #: Prior chance of a decision's period.
    period_weights: tuple[float, ...]
    #: Number of decisions.
    total: int
    #: What was published; empty where decisions are known.
    counts: tuple[Count, ...]
    #: The decisions themselves, where they are known.
    decisions: Decisions | None
    #: A count that may be off contributes rho ** (how far it is off).
    rho: float = 0.05
    #: Of the Polya urn, per firm; at 1 the firms' totals are uniform.
    concentration: float = 1.0
    #: How prior entries k enter: k, log(1 + k), or whether k is above 0.
    family: Shape = "linear"
    #: One decay for all sizes.
    common: bool = False
    #: Whether periods have effects of their own.
    by_period: bool = False
    #: Of each firm the first period (its position) in which it has another owner, whose effect is
    #: a parameter; the number of periods if never. Empty where ownership is not looked at.
    owned_since: tuple[int, ...] = ()
    #: Interviews with each firm, where decisions may have been missed; else empty.
    interviews: tuple[int, ...] = ()
    #: Of a register: firms are not listed, their effects are integrated out, and only the spread
    #: of the effects is a parameter.
    aggregated: bool = False
    #: Predictors and groupings of known decisions.
    terms: tuple[Term, ...] = ()
    #: What was published of the order of a firm's decisions, beside the counts.
    orders: tuple[Order, ...] = ()

    @property
    def by_size(self) -> bool:
        """Whether there are differences between sizes to estimate."""
        return len(self.sizes) > 1

    @property
    def offset(self) -> str:
        """The parameter that sizes add to the log odds; one number where there are two sizes."""
        return "large" if len(self.sizes) == 2 else "size_offset" if self.by_size else ""

    @property
    def indicators(self) -> Array:
        """For each size with an offset, all but the smallest, 1 at its place among the sizes."""
        return np.eye(len(self.sizes))[:-1]

    def offsets(self, values: Any) -> list[Any]:
        """Of each size with an offset what it adds, (...), of draws of :attr:`offset`."""
        if len(self.sizes) == 2:
            return [values]
        return [values[..., i] for i in range(len(self.sizes) - 1)]

    @property
    def owned(self) -> NDArray[np.bool_]:
        """Whether each firm has another owner in each period, (firm, period)."""
        since = np.array(self.owned_since or (len(self.periods),) * len(self.firms))
        return since[:, None] <= np.arange(len(self.periods))

    @property
    def codes(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Positions of the firm and of the period of each known decision."""
        assert self.decisions is not None
        firm = [self.firms.index(name) for name in self.decisions.firm]
        period = [self.periods.index(name) for name in self.decisions.period]
        return np.array(firm), np.array(period)


def basis(family: Shape, entries: NDArray[np.integer]) -> Array:
    """Prior entries as they enter the linear predictor."""
    if family == "power":
        # The last digit of NumPy's own depends on the width of the processor's vectors.
        return np.asarray(np.vectorize(math.log1p, otypes=[float])(entries))
    return (entries > 0).astype(float) if family == "step" else entries.astype(float)


def default_design(study: DecayStudy) -> Design:
    """The model as stated: from the counts if there are any, else from the decisions."""
    aggregated = isinstance(study, SequenceStudy)
    sizes, size_of_firm = _sizes(study, study.sizes)
    return Design(
        firms=study.firms,
        size_of_firm=() if aggregated else size_of_firm,
        sizes=sizes,
        periods=study.periods,
        period_weights=study.period_weights,
        total=study.total,
        counts=study.counts,
        decisions=None if study.counts else study.decisions,
        rho=study.rho,
        concentration=study.concentration,
        common=len(sizes) < 2,
        aggregated=aggregated,
        terms=() if study.counts or study.decisions is None else tuple(_terms(study.decisions)),
        orders=study.orders,
    )


def _sizes(study: DecayStudy, own: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Labels of sizes that occur, the largest first, and their positions."""
    sizes = tuple(size for size in study.size_labels if size in own)
    if len(sizes) < 2:
        return ("all",), (0,) * len(own)
    return sizes, tuple(sizes.index(size) for size in own)


def _terms(decisions: Decisions) -> Iterator[Term]:
    nothing = np.zeros(0)
    for own in decisions.predictors.values():
        values = (own.values - own.center) / own.scale if len(own.values) else nothing
        about = own.unit, own.transform, own.center, own.scale
        yield Term(own.name, own.kind, own.label, own.levels, own.codes, values, *about)
    for group in decisions.groupings.values():
        yield Term(group.name, "groups", group.label, group.labels, group.codes, nothing)


# -- variants ----------------------------------------------------------------------------


def repaired(counts: tuple[Count, ...], changes: Mapping[str, int]) -> tuple[Count, ...]:
    """Counts with some values changed, and all of them taken as certain."""
    return tuple(replace(c, value=changes.get(c.id, c.value), hard=True) for c in counts)


def variants(study: DecayStudy) -> list[Variant[Design]]:
    """Rows of the catalogue, the default first (models: section 3)."""
    rows = [Variant[Design](DEFAULT, "the model as stated", lambda design: design)]
    if study.counts:
        rows += _of_counts(study)
    for name, reading in study.readings.items():
        if reading.sizes:
            sizes, size_of_firm = _sizes(study, reading.sizes)
            apply = partial(replace, sizes=sizes, size_of_firm=size_of_firm, common=False)
            rows.append(Variant(name, reading.change, apply, axis="sizes"))
        elif reading.owned_since or reading.interviews:
            about = {"owned_since": reading.owned_since, "interviews": reading.interviews}
            rows.append(Variant(name, reading.change, partial(replace, **about)))
    rows += [
        Variant(
            "power",
            "log(1 + prior entries) in place of prior entries",
            partial(replace, family="power"),
            axis="shape",
        ),
        Variant(
            "step",
            "a single drop after the first entry",
            partial(replace, family="step"),
            axis="shape",
        ),
    ]
    if len(study.periods) > 1:
        rows.append(
            Variant(
                "period",
                "adds an effect of each period: calendar time beside experience",
                partial(replace, by_period=True),
            )
        )
    sizes = default_design(study).sizes
    if len(sizes) > 1:
        rows.append(
            Variant(
                "common-decay",
                f"one decay for {'both' if len(sizes) == 2 else 'all'} sizes",
                partial(replace, common=True),
            )
        )
    if study.counts and study.decisions is not None:
        rows.append(
            Variant(
                "complete",
                "from the decisions themselves, not from their counts",
                partial(replace, decisions=study.decisions, counts=(), orders=()),
                comparable=False,
            )
        )
    return rows


def alias(study: DecayStudy, name: str) -> str:
    """The name of a variant in the catalogue: with decisions alone, the default is complete."""
    return DEFAULT if name == "complete" and not study.counts else name


def why_absent(study: DecayStudy, name: str) -> str:
    """Why a variant that other studies have is not one of this study; empty if unknown."""
    if name == "complete":
        return "variant complete needs a table [decisions]: this study knows only counts of them"
    if name == "common-decay":
        return "variant common-decay needs firms of two sizes: here all share one decay anyway"
    return ""


def _of_counts(study: DecayStudy) -> list[Variant[Design]]:
    listed = [
        Variant[Design](
            f"rho-{rho:g}",
            f"counts off by one weigh {rho:g} instead of {study.rho:g}",
            partial(replace, rho=rho),
            axis="rho",
        )
        for rho in OTHER_RHO
        if rho != study.rho
    ]
    listed += [
        Variant(
            f"concentration-{value:g}",
            f"decisions {'more' if value < study.concentration else 'less'} concentrated in a "
            f"few firms before the counts speak (Polya urn with {value:g})",
            partial(replace, concentration=value),
            axis="concentration",
        )
        for value in OTHER_CONCENTRATION
        if value != study.concentration
    ]
    listed += [
        Variant(
            name,
            reading.change,
            partial(
                replace,
                periods=reading.periods,
                period_weights=reading.period_weights,
                counts=reading.counts,
                orders=reading.orders,
            ),
            comparable=(len(reading.counts), len(reading.orders))
            == (len(study.counts), len(study.orders)),
            axis="reading",
        )
        for name, reading in study.readings.items()
        if not (reading.sizes or reading.owned_since or reading.interviews)
    ]
    for number, changes in enumerate(repairs(study.counts, study.firms, study.periods), start=1):
        words = ", ".join(f"{name} {value}" for name, value in changes.items())
        listed.append(
            Variant(
                f"repair-{number}",
                f"a cheapest repair taken as certain: {words}",
                partial(replace, counts=repaired(study.counts, changes)),
                comparable=False,
            )
        )
    return listed


def repairs(
    counts: tuple[Count, ...], firms: tuple[str, ...], periods: tuple[str, ...]
) -> list[dict[str, int]]:
    """The cheapest repairs that leave hard counts alone, as new values by id; not all of many."""
    return [dict(changes) for changes in _cheapest(counts, firms, periods)]


@cache
def _cheapest(
    counts: tuple[Count, ...], firms: tuple[str, ...], periods: tuple[str, ...]
) -> tuple[tuple[tuple[str, int], ...], ...]:
    from intlmodels.audit.consequences import cheapest

    found, _ = cheapest(rows(counts, firms, periods), keep_hard=True)
    return tuple(tuple(r.changes.items()) for r in found if r.cost > 0)[:MOST_REPAIRS]


# -- parameters --------------------------------------------------------------------------


def parameters(design: Design) -> dict[str, Prior]:
    """Parameters that have a prior of their own, with the default of each (models: section 3)."""
    others = f", {design.sizes[-1]} firms" if design.by_size else ""
    unit = {
        "linear": "for each prior entry",
        "power": "for each unit of log(1 + prior entries)",
        "step": "after the first entry",
    }[design.family]
    mean = "" if design.common else ", mean of the sizes"
    real = [("intercept", "Normal(0, 1.5)", f"log odds of the flag at the first entry{others}")]
    if design.by_size:
        against = "the others" if design.sizes == SIZES else f"{design.sizes[-1]} firms"
        who = design.sizes[0] if len(design.sizes) == 2 else "each larger size of"
        real.append((design.offset, "Normal(0, 1)", f"{who} firms against {against}, log odds"))
    real.append(("decay_mean", "Normal(0, 0.5)", f"fall of the log odds {unit}{mean}"))
    spreads = [("sigma_firm", "HalfNormal(1)", "spread of the firms, log odds")]
    if not design.common:
        spreads.append(("sigma_decay", "HalfNormal(0.5)", "spread of the decay between sizes"))
    if design.by_period:
        spreads.append(("sigma_period", "HalfNormal(1)", "spread of the periods, log odds"))
    if design.owned_since:
        real.append(("owner", "Normal(0, 1)", "firms under another owner, log odds"))
    for term in design.terms:
        if term.varying:
            what = "groups" if term.kind == "groups" else "levels"
            meaning = f"spread of the {what} of {term.label}, log odds"
            spreads.append((f"sigma_{term.name}", "HalfNormal(0.5)", meaning))
        else:
            real.append((term.name, "Normal(0, 0.5)", _slope(term)))
    listed = [parameter(name, text, "real", meaning) for name, text, meaning in real]
    listed += [parameter(name, text, "positive", meaning) for name, text, meaning in spreads]
    if design.interviews:
        recalled = "chance that one interview brings up a decision"
        listed.append(parameter("recall", "Beta(2, 2)", "unit", recalled))
    return {prior.name: prior for prior in listed}


def _slope(term: Term) -> str:
    """What the slope of a term means."""
    if term.kind == "contrast":
        return f"{term.label}, {term.levels[1]} against {term.levels[0]}, log odds"
    log = "log of " * (term.transform == "log")
    return f"one standard deviation ({term.scale:.3g}) of the {log}{term.label}, log odds"


def fixed_priors(design: Design) -> list[tuple[str, str, str]]:
    """Priors that follow from the others or that are part of the model, for the printed table."""
    rows = [("firm", "Normal(0, sigma_firm)", "effect of each firm, log odds")]
    if not design.common:
        rows.append(("decay", "Normal(decay_mean, sigma_decay)", "fall of the log odds, by size"))
    else:
        rows.append(("decay", "= decay_mean", "fall of the log odds, the same for all sizes"))
    if design.by_period:
        rows.append(("period", "Normal(0, sigma_period)", "effect of each period, log odds"))
    rows += [
        (
            term.name,
            f"Normal(0, sigma_{term.name})",
            f"effect of each {'group' if term.kind == 'groups' else 'level'} of {term.label}, log "
            "odds",
        )
        for term in design.terms
        if term.varying
    ]
    if design.interviews:
        missed = "missed decisions before each known one, of i interviews with the firm"
        rows.append(("missed", "Geometric(1 - (1 - recall)^i)", missed))
    if design.counts:
        rows += [
            (
                "firm of a decision",
                f"Polya urn, {design.concentration:g} for each firm",
                f"how {design.total} decisions fall to {len(design.firms)} firms",
            ),
            (
                "period of a decision",
                " : ".join(f"{w:.3g}" for w in design.period_weights),
                f"chances of {', '.join(design.periods)}",
            ),
            (
                "a noisy count",
                f"{design.rho:g} ^ |printed - true|",
                "weight of a table by each count",
            ),
        ]
    if design.orders:
        law = f"{design.rho:g} ^ (steps that cannot be matched)"
        rows.append(("a noisy order", law, "weight of a firm's sequence by each order"))
    return rows


def shown(design: Design) -> list[str]:
    """Variables of the posterior that a table of parameters shows, in their order."""
    firms = [] if design.aggregated else ["firm"]
    effects = [term.name for term in design.terms if term.varying]
    return [*parameters(design), "decay", *firms, *["period"] * design.by_period, *effects]


def latent(design: Design) -> bool:
    """Whether a table of decisions is drawn together with the parameters."""
    return design.decisions is None and not design.aggregated


def settings(design: Design) -> tuple[str, ...]:
    """Settings on which the draws depend."""
    if latent(design):
        return ("draws", "tune", "chains", "seed", "sweeps")
    return ("draws", "tune", "chains", "seed", "target_accept", "sampler")


def packages(design: Design) -> tuple[str, ...]:
    """Packages whose versions are recorded with the draws."""
    if latent(design):
        return ("intlmodels", "numba", "numpy", "scipy", "xarray")
    scipy = ("scipy",) if design.aggregated else ()
    return ("intlmodels", "pymc", "pytensor", "nutpie", "numpy", *scipy, "xarray")


def data_parts(study: DecayStudy, design: Design) -> dict[str, list[Any]]:
    """What the draws depend on, by name, for the fingerprint."""
    if isinstance(study, SequenceStudy):
        counted = study.sequences
        return {
            "periods": [list(design.periods), list(design.sizes)],
            "counts of firms": [counted.size, counted.made, counted.flagged, counted.firms],
            "decisions by place": [
                *(counted.at_size, counted.at_period, counted.at_entries),
                *(counted.at_made, counted.at_flagged),
            ],
        }
    parts: dict[str, list[Any]] = {
        study.firm_label: [list(design.firms), list(design.size_of_firm), list(design.sizes)],
        "periods": [list(design.periods), list(design.period_weights)],
    }
    if design.decisions is not None:
        made = design.decisions
        parts["decisions"] = [list(made.firm), list(made.period), made.flag]
    for term in design.terms:
        parts[term.name] = [term.kind, list(term.levels), term.codes, term.values]
    for count in design.counts:
        parts[count.id] = [
            list(count.firms),
            list(count.periods),
            list(count.flags),
            count.relation,
            count.value,
            count.hard,
            count.each,
        ]
    if design.owned_since:
        parts["owners"] = list(design.owned_since)
    if design.interviews:
        parts["interviews"] = list(design.interviews)
    for number, order in enumerate(design.orders, start=1):
        steps = [[list(step.periods), list(step.flags)] for step in order.steps]
        parts[f"order {number}"] = [order.firm, steps, order.hard]
    parts["readings"] = [
        design.total,
        design.rho if design.counts else 0.0,
        design.concentration if design.counts else 0.0,
    ]
    return parts
