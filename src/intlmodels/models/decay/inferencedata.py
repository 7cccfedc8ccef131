"""What travels with the draws of the decay model: data, labels, priors, predictions.

A table counts, for every firm and period, the decisions without and with the flag,
``table[firm, period, flag]``. A firm's decisions are ordered by period; within a period
every order is equally likely before the flags are known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intlmodels.core.errors import StudyError
from intlmodels.core.settings import Settings
from intlmodels.models.base import flat, texts
from intlmodels.models.decay.design import OUTCOME, Design, Term, basis, latent, repairs
from intlmodels.models.decay.orders import automaton, draw_flags, of_firm
from intlmodels.models.priors import Prior, draw
from intlmodels.studies import DecayStudy
from intlmodels.studies.counts import FLAGS, RELATIONS, Rows, rows
from intlmodels.studies.orders import Order, Step

if TYPE_CHECKING:
    import pandas as pd
    from xarray import Dataset, DataTree

    from intlmodels.models.decay.sampler import Draws


Array = NDArray[np.float64]

#: The observed variable where only counts are known.
PRINTED = "printed_count"
#: What a log odds depends on.
OF_ODDS = {"intercept", "large", "size_offset", "firm", "decay", "period", "owner"}
#: What larger sizes add to it: of two sizes, and of more.
OFFSETS = ("large", "size_offset")
#: What a study calls firms, decisions and flags.
WORDS = ("firm_label", "event", "flag_label")
#: Variables with a dimension of their own.
DIMENSIONS = {
    "size_offset": "size_offset_level",
    "firm": "firm_level",
    "decay": "size",
    "period": "period_level",
}


def labels(design: Design) -> dict[str, Any]:
    """Coordinates of everything that is indexed by firm, period, flag or size."""
    return {
        "firm_level": np.asarray(design.firms, dtype=object),
        "period_level": np.asarray(design.periods, dtype=object),
        "flag": np.asarray(FLAGS, dtype=object),
        **{name: np.asarray(own, dtype=object) for name, own in size_coords(design).items()},
    } | {
        f"{term.name}_level": np.asarray(term.levels, dtype=object)
        for term in design.terms
        if term.varying
    }


def size_coords(design: Design) -> dict[str, list[str]]:
    """Names of the sizes, and of those with an offset where these are several."""
    own = {DIMENSIONS[design.offset]: list(design.sizes[:-1])} if len(design.sizes) > 2 else {}
    return {"size": list(design.sizes), **own}


def row_labels(system: Rows) -> list[str]:
    """One label a row: the id of its count, and the firm if it holds for each of several."""
    cells = system.member.reshape(-1, *system.shape)
    found = []
    for row, position in enumerate(system.count):
        count = system.counts[position]
        firm = system.firms[int(cells[row].any(axis=(1, 2)).argmax())]
        found.append(f"{count.id}[{firm}]" if count.each else count.id)
    return found


def posterior(design: Design, draws: Draws) -> Dataset:
    """Named parameters and tables from the vectors of the sampler."""
    from intlmodels.models.decay.sampler import layout

    where = layout(design)
    levels = {
        "decay": len(design.sizes),
        "firm": len(design.firms),
        "period": len(design.periods),
        "size_offset": len(design.indicators),
    }
    values: dict[str, Array] = {}
    for name in _ORDER:
        if name in OFFSETS and name != design.offset:
            continue
        if (at := where.position(name)) >= 0:
            own = (
                draws.theta[..., at : at + levels[name]] if name in levels else draws.theta[..., at]
            )
            values[name] = _exp(own) if name.startswith("sigma_") else own
        elif name == "decay":
            values[name] = np.repeat(values["decay_mean"][..., None], len(design.sizes), axis=-1)
    return dataset(design, values, draws.tables)


#: Parameters in the order in which they are stored.
_ORDER = (
    *("intercept", *OFFSETS, "sigma_firm", "decay_mean", "sigma_decay"),
    *("decay", "firm", "sigma_period", "period", "owner", "recall"),
)
#: By the C library: NumPy's own differs in the last bit with the width of a processor's vectors.
_exp = np.vectorize(math.exp, otypes=[float])


def dataset(design: Design, values: Mapping[str, Array], tables: Any = None) -> Dataset:
    """Draws of parameters (chain, draw, ...), and of tables if there are any, with labels."""
    import xarray as xr

    chains, number = values["intercept"].shape[:2]
    own = DIMENSIONS | {term.name: f"{term.name}_level" for term in design.terms if term.varying}
    variables: dict[str, Any] = {
        name: (("chain", "draw", own[name]) if name in own else ("chain", "draw"), v)
        for name, v in values.items()
    }
    if tables is not None:
        dims = ("chain", "draw", "firm_level", "period_level", "flag")
        variables["table"] = (dims, np.asarray(tables, np.int16))
    used = {dim for dims, _ in variables.values() for dim in dims}
    coords = {name: value for name, value in labels(design).items() if name in used}
    return xr.Dataset(variables, coords | {"chain": np.arange(chains), "draw": np.arange(number)})


def of_odds(design: Design) -> set[str]:
    """Names of what a log odds depends on."""
    return OF_ODDS | {term.name for term in design.terms}


def flat_parameters(draws: Dataset, design: Design) -> dict[str, Array]:
    """Parameters with chains joined, (draw, ...), as :func:`log_odds` takes them."""
    return {str(n): flat(array) for n, array in draws.data_vars.items() if n in of_odds(design)}


def prior(design: Design, priors: Mapping[str, Prior], number: int, seed: int) -> Dataset:
    """Draws of the parameters, and of tables, before any count is known; one chain."""
    values, tables = prior_values(design, priors, number, np.random.default_rng([seed, 0]))
    return dataset(
        design,
        {name: value[None] for name, value in values.items()},
        None if tables is None else tables[None],
    )


def prior_values(
    design: Design, priors: Mapping[str, Prior], number: int, rng: np.random.Generator
) -> tuple[dict[str, Array], NDArray[np.int64] | None]:
    """Parameters (draw, ...) from their priors, and where only counts are known, tables."""
    firms, sizes = len(design.firms), len(design.sizes)
    values = {
        name: draw(prior, rng, number * (sizes - 1)).reshape(number, -1)
        if name == "size_offset"
        else draw(prior, rng, number)
        for name, prior in priors.items()
    }
    if not design.aggregated:
        values["firm"] = values["sigma_firm"][:, None] * rng.normal(size=(number, firms))
    values["decay"] = np.repeat(values["decay_mean"][:, None], sizes, axis=1)
    if not (design.common and design.aggregated):
        spread = 0.0 if design.common else values["sigma_decay"][:, None]
        values["decay"] = values["decay"] + spread * rng.normal(size=(number, sizes))
    if design.by_period:
        values["period"] = values["sigma_period"][:, None] * rng.normal(
            size=(number, len(design.periods))
        )
    for term in design.terms:
        if term.varying:
            standard = rng.normal(size=(number, len(term.levels)))
            values[term.name] = values[f"sigma_{term.name}"][:, None] * standard
    return values, simulate_tables(design, values, rng)[1] if latent(design) else None


def printed_counts(design: Design, draws: Dataset, seed: int, step: int) -> Dataset:
    """Counts as they might be printed, from every drawn table.

    A hard count is the true one. A noisy one is off by a two-sided geometric error, whose
    probability falls by the factor rho with each step, as the model says; such an error can
    take a small count below zero.
    """
    import xarray as xr

    system = rows(design.counts, design.firms, design.periods)
    true = system.true(draws["table"].to_numpy())
    rng = np.random.default_rng([seed, step])
    printed = np.where(system.hard, true, true + noise(design.rho, true.shape, rng))
    return xr.Dataset(
        {PRINTED: (("chain", "draw", "count"), printed)},
        coords={"chain": draws["chain"], "draw": draws["draw"], "count": row_labels(system)},
    )


def noise(rho: float, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int64]:
    """By how much noisy counts are off: two-sided geometric, Pr(d) = rho^|d| (1 - rho)/(1 + rho).

    The difference of two geometric numbers has that law.
    """
    up, down = (rng.geometric(1 - rho, size=shape) - 1 for _ in range(2))
    return np.asarray(up - down, np.int64)


def predictive(study: DecayStudy, design: Design, draws: Dataset, seed: int, step: int) -> Dataset:
    """The printed counts, or the flags of the known decisions, drawn anew from every draw."""
    import xarray as xr

    if design.decisions is None:
        return printed_counts(design, draws, seed, step)
    firm, period = design.codes
    odds = log_odds(design, flat_parameters(draws, design), firm, period, design.decisions.entries)
    rng = np.random.default_rng([seed, step])
    flags = (rng.random(odds.shape) < inverse_logit(odds)).astype(np.int8)
    shape = draws.sizes["chain"], draws.sizes["draw"], len(firm)
    return xr.Dataset(
        {OUTCOME: (("chain", "draw", "decision"), flags.reshape(shape))},
        coords={
            "chain": draws["chain"],
            "draw": draws["draw"],
            "decision": np.arange(len(firm)) + 1,
        },
    )


def sample_stats(draws: Draws) -> Dataset:
    """Statistics of the sampler: log posterior, and how often steps changed the table."""
    import xarray as xr

    chains, number = draws.log_posterior.shape
    return xr.Dataset(
        {
            "lp": (("chain", "draw"), draws.log_posterior),
            "table_steps_taken": ("chain", draws.changed),
        },
        coords={"chain": np.arange(chains), "draw": np.arange(number)},
        attrs={"sampling_time": draws.seconds},
    )


def log_likelihood(design: Design, draws: Dataset) -> Dataset:
    """Log probability of each printed count given a table; 0 for those that hold exactly."""
    import xarray as xr

    system = rows(design.counts, design.firms, design.periods)
    off = system.deviation(system.true(draws["table"].to_numpy()))
    # Only of a count that equals the true number can the factors rho sum to a probability.
    scale = np.where(system.relation == 0, np.log((1 - design.rho) / (1 + design.rho)), 0.0)
    values = np.where(system.hard, 0.0, off * np.log(design.rho) + scale)
    return xr.Dataset(
        {PRINTED: (("chain", "draw", "count"), values)},
        coords={"chain": draws["chain"], "draw": draws["draw"], "count": row_labels(system)},
    )


def observed_data(study: DecayStudy, design: Design) -> Dataset:
    """The printed counts, or the flags of the decisions."""
    import xarray as xr

    if design.decisions is not None:
        flags = design.decisions.flag
        return xr.Dataset(
            {OUTCOME: ("decision", flags)}, coords={"decision": np.arange(len(flags)) + 1}
        )
    system = rows(design.counts, design.firms, design.periods)
    return xr.Dataset({PRINTED: ("count", system.printed)}, coords={"count": row_labels(system)})


def constant_data(study: DecayStudy, design: Design) -> Dataset:
    """Firms, periods and counts, as the estimands and the report need them."""
    import xarray as xr

    size = np.asarray([design.sizes[i] for i in design.size_of_firm], dtype=object)
    variables: dict[str, Any] = {
        "size_of_firm": ("firm_level", np.asarray(design.size_of_firm)),
        "period_weight": ("period_level", np.asarray(design.period_weights)),
    }
    if design.owned_since:
        variables["owned_since"] = ("firm_level", np.array(design.owned_since))
    if design.interviews:
        variables["interviews"] = ("firm_level", np.array(design.interviews))
    coords = labels(design) | {"firm_size": ("firm_level", size)}
    words = {name: getattr(study, name) for name in WORDS}
    if design.decisions is not None:
        firm, period = design.codes
        coords["decision"] = np.arange(len(firm)) + 1
        variables |= {
            "firm_of_decision": ("decision", firm),
            "period_of_decision": ("decision", period),
            "prior_entries": ("decision", design.decisions.entries),
        }
        if design.terms:
            words["terms"] = json.dumps([_described(term) for term in design.terms])
        for term in design.terms:
            if term.varying:
                variables[f"{term.name}_code"] = ("decision", term.codes)
            else:
                variables[f"{term.name}_value"] = ("decision", term.values)
        return xr.Dataset(variables, coords, words)
    system = rows(design.counts, design.firms, design.periods)
    coords |= {
        "count": row_labels(system),
        "count_relation": ("count", np.asarray([RELATIONS[i] for i in system.relation], object)),
        "count_id": ("count", np.asarray([system.counts[i].id for i in system.count], object)),
    }
    dims = ("count", "firm_level", "period_level", "flag")
    variables |= {
        "printed": ("count", system.printed),
        "relation": ("count", system.relation),
        "hard": ("count", system.hard.astype(np.int8)),
        "member": (dims, system.member.reshape(-1, *system.shape).astype(np.int8)),
    }
    if design.orders:
        told = [[o.firm, [[*vars(s).values()] for s in o.steps], o.hard] for o in design.orders]
        words |= {"rho": design.rho, "orders": json.dumps(told)}
    changes = repairs(design.counts, design.firms, design.periods)
    return xr.Dataset(variables, coords, words | {"repairs": json.dumps(changes)})


def _described(term: Term) -> dict[str, Any]:
    """A term as what is computed from draws needs it; ``settings``: what it can be set to."""
    return {
        "name": term.name,
        "kind": term.kind,
        "label": term.label,
        "levels": list(term.levels) if term.varying else [],
        "settings": list(term.levels),
        "unit": term.unit,
        "transform": term.transform,
        "center": term.center,
        "scale": term.scale,
    }


# -- complete tables of decisions from the posterior -----------------------------------

#: Written into every row, so that no table of these can be taken for data.
STATUS = "reconstructed"


def reconstruct(fit: DataTree, draws: int = 1, seed: int | None = None) -> pd.DataFrame:
    """Draw complete tables of decisions from the posterior: see :func:`intlmodels.reconstruct`.

    Raises StudyError if decisions are known, or fewer tables are stored than asked for.
    """
    import pandas as pd

    posterior = fit["posterior"].to_dataset()
    if "table" not in posterior:
        raise StudyError("nothing to reconstruct: the decisions of this fit are known")
    if "recall" in posterior:
        raise StudyError(
            "tables of this fit cannot be put in order: where decisions were missed is not stored; "
            "expected a fit of a variant of another kind, such as default"
        )
    stored = flat(posterior["table"])
    if not 1 <= draws <= len(stored):
        raise StudyError(
            f"expected a number of tables from 1 to {len(stored)}, which the fit holds",
            file="--draws",
            value=draws,
        )
    if seed is not None:
        Settings(seed=seed)  # one rule for every seed
    pick = np.linspace(0, len(stored) - 1, draws).round().astype(int)
    design = design_of_fit(fit)
    known = flat_parameters(posterior, design)
    parameters = {name: values[pick] for name, values in known.items()}
    rng = np.random.default_rng([int(fit.attrs["seed"]) if seed is None else seed, 4])
    made = arrange(design, parameters, stored[pick], rng)
    size = made["firm"].shape[1]
    return pd.DataFrame(
        {
            "draw": np.repeat(np.arange(draws) + 1, size),
            "firm": np.asarray(design.firms, dtype=object)[made["firm"].ravel()],
            "period": np.asarray(design.periods, dtype=object)[made["period"].ravel()],
            "prior_entries": made["entries"].ravel(),
            "flag": np.asarray(FLAGS, dtype=object)[made["flag"].ravel()],
            "status": STATUS,
        }
    )


def design_of_fit(fit: DataTree) -> Design:
    """What of the design the log odds without terms and the order of decisions depend on."""
    constant, posterior = (fit[name].to_dataset() for name in ("constant_data", "posterior"))
    orders = [
        Order(firm, tuple(Step(tuple(p), tuple(y), text) for p, y, text in steps), hard)
        for firm, steps, hard in json.loads(constant.attrs.get("orders", "[]"))
    ]
    return Design(
        firms=tuple(texts(constant["firm_level"])),
        size_of_firm=tuple(int(i) for i in constant["size_of_firm"].to_numpy()),
        sizes=tuple(texts(constant["size"])),
        periods=tuple(texts(constant["period_level"])),
        period_weights=tuple(float(w) for w in constant["period_weight"].to_numpy()),
        total=int(posterior["table"][0, 0].sum()) if "table" in posterior else 0,
        counts=(),
        decisions=None,
        family=str(fit.attrs["family"]),  # type: ignore[arg-type]
        by_period="period" in posterior,
        owned_since=tuple(int(i) for i in constant.get("owned_since", ())),
        rho=float(constant.attrs.get("rho", 0.05)),
        orders=tuple(orders),
    )


# -- tables of decisions -------------------------------------------------------------------

Tables = NDArray[np.int64]


def log_odds(
    design: Design,
    parameters: Mapping[str, Array],
    firm: NDArray[np.intp],
    period: NDArray[np.intp],
    entries: NDArray[np.integer],
) -> Array:
    """Log odds of the flag, (draw, decision) (models: section 3).

    ``parameters``: those of :func:`of_odds`, draws first; ``firm``, ``period``: codes, (draw,
    decision) or (decision,), as prior ``entries`` are.
    """
    size = np.asarray(design.size_of_firm)[firm]
    draws = len(parameters["intercept"])
    each = np.arange(draws)[:, None]
    total = parameters["intercept"][:, None] + parameters["firm"][each, firm]
    if design.by_size:
        for i, offset in enumerate(design.offsets(parameters[design.offset])):
            total = total + offset[:, None] * (size == i)
    if design.by_period:
        total = total + parameters["period"][each, period]
    if design.owned_since:
        total = total + parameters["owner"][:, None] * design.owned[firm, period]
    for term in design.terms:
        total = total + term.of(parameters[term.name])
    return total - parameters["decay"][each, size] * basis(design.family, entries)


def simulate_tables(
    design: Design, parameters: Mapping[str, Array], rng: np.random.Generator
) -> tuple[dict[str, NDArray[Any]], Tables]:
    """Draw all decisions for every draw of the parameters, and count them in tables.

    Firms by a Polya urn (a Dirichlet draw of shares, then decisions), periods by their weights,
    flags by the model; decisions (draw, decision) are in each firm's own order.
    """
    draws, firms, periods = len(parameters["intercept"]), len(design.firms), len(design.periods)
    shares = rng.dirichlet(np.full(firms, design.concentration), size=draws)
    weights = np.asarray(design.period_weights) / sum(design.period_weights)
    firm = _pick(shares, rng.random((draws, design.total)))
    period = _pick(np.broadcast_to(weights, (draws, periods)), rng.random((draws, design.total)))
    order = np.sort(firm * periods + period, axis=1)
    firm, period = np.divmod(order, periods)
    entries = places(firm)
    if design.interviews:
        entries = entries + _missed(design, parameters["recall"], firm, entries, rng)
    odds = log_odds(design, parameters, firm, period, entries)
    flag = (rng.random(odds.shape) < inverse_logit(odds)).astype(np.int64)
    return {"firm": firm, "period": period, "flag": flag}, tabulate(design, firm, period, flag)


def _missed(
    design: Design,
    recall: Array,
    firm: NDArray[np.intp],
    place: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """How many decisions were missed before each known one, (draw, decision) sorted by firm."""
    log_missed = np.array(design.interviews)[firm] * np.log1p(-recall)[:, None]
    before = np.cumsum(np.minimum(rng.exponential(size=firm.shape) // -log_missed, 1e9), axis=1)
    number = np.broadcast_to(np.arange(firm.shape[1]), firm.shape)
    # Less what lies before the firm's first decision, and belongs to the firm listed before it.
    begins = np.take_along_axis(before, np.maximum(number - place - 1, 0), axis=1)
    return (before - np.where(number > place, begins, 0.0)).astype(np.int64)


def _pick(chances: Array, uniform: Array) -> NDArray[np.intp]:
    """Categories with given chances, row by row, by inversion."""
    steps = np.cumsum(chances, axis=1)
    picked = np.empty(uniform.shape, np.intp)
    for row in range(len(uniform)):
        picked[row] = np.searchsorted(steps[row] / steps[row, -1], uniform[row], side="right")
    return picked


def places(firm: NDArray[np.integer]) -> NDArray[np.int64]:
    """Number of earlier decisions of the firm, for decisions (..., decision) sorted by firm."""
    number = np.broadcast_to(np.arange(firm.shape[-1]), firm.shape)
    begins = np.ones(firm.shape, bool)
    begins[..., 1:] = firm[..., 1:] != firm[..., :-1]
    return number - np.maximum.accumulate(np.where(begins, number, 0), axis=-1)


def tabulate(
    design: Design,
    firm: NDArray[np.integer],
    period: NDArray[np.integer],
    flag: NDArray[np.integer],
) -> Tables:
    """Count decisions by firm, period and flag, (draw, firm, period, flag)."""
    shape = len(design.firms), len(design.periods), 2
    tables = np.zeros((len(firm), *shape), np.int64)
    rows = np.broadcast_to(np.arange(len(firm))[:, None], firm.shape)
    np.add.at(tables, (rows, firm, period, flag), 1)
    return tables


def inverse_logit(x: Array) -> Array:
    """Probability of log odds, without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def arrange(
    design: Design,
    parameters: Mapping[str, Array],
    tables: NDArray[np.integer],
    rng: np.random.Generator,
) -> dict[str, NDArray[np.int64]]:
    """Put each firm's decisions of tables in order, given the parameters that go with each table.

    Within a firm and period the flagged decisions fall to places by the exact conditional
    law: going backwards through the places, each is flagged with the probability that the
    recursion over the number of flags gives. A firm with orders has all periods drawn together.
    """
    draws = len(tables)
    made = tables.sum(axis=-1).reshape(draws, -1)
    cells = np.arange(made.shape[1])
    order = np.stack([np.repeat(cells, row) for row in made])
    firm, period = np.divmod(order, len(design.periods))
    entries = places(firm)
    chance = inverse_logit(log_odds(design, parameters, firm, period, entries))
    flags = np.zeros_like(firm)
    flagged = tables[..., 1].reshape(draws, -1)
    told = [of_firm(design, name) for name in design.firms]
    automata = {f: automaton(own, design) for f, own in enumerate(told) if own}
    for i in range(draws):
        start = 0
        for cell in np.flatnonzero(made[i]):
            stop = start + int(made[i, cell])
            flags[i, start:stop] = _flags(chance[i, start:stop], int(flagged[i, cell]), rng)
            start = stop
        for f, own in automata.items():
            here = firm[i] == f
            wanted = tables[i, f, :, 1]
            flags[i, here] = draw_flags(chance[i, here], period[i, here], wanted, own, rng)
    return {"firm": firm, "period": period, "entries": entries, "flag": flags}


def _flags(chance: Array, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Independent flags with given chances, given that exactly ``count`` are set."""
    n = len(chance)
    # reach[i, j]: probability that the first i hold j flags.
    reach = np.zeros((n + 1, count + 1))
    reach[0, 0] = 1
    for i, p in enumerate(chance):
        reach[i + 1] = reach[i] * (1 - p)
        reach[i + 1, 1:] += reach[i, :-1] * p
        reach[i + 1] /= reach[i + 1].max()
    flags = np.zeros(n, np.int64)
    left = count
    for i in range(n - 1, -1, -1):
        yes = reach[i, left - 1] * chance[i] if left > 0 else 0.0
        no = reach[i, left] * (1 - chance[i])
        if rng.random() * (yes + no) < yes:
            flags[i] = 1
            left -= 1
    return flags
