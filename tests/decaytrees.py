"""Complete small fits of the decay model, drawn in a moment.

``decay_tree()`` knows only counts of the decisions and comes from the sampler;
``decay_tree(known=True)`` knows the decisions, and its parameters are made up. Few draws would
never pass the gate: its outcome is set, not computed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import xarray as xr

from intlmodels.core.settings import Settings
from intlmodels.fitting.diagnostics import Gate, gate
from intlmodels.models.decay import design as decaydesign
from intlmodels.models.decay import inferencedata, sampler
from intlmodels.models.decay.design import Design, parameters
from intlmodels.models.decay.estimands import estimate
from intlmodels.report.render import Rendering
from intlmodels.studies import Decisions
from intlmodels.studies.counts import Count

FIRMS = ("Alfa", "Beta", "Gamma", "Delta")
PERIODS = ("early", "middle", "late")
TOTAL = 12
WORDS = {"event": "decision", "flag_label": "motivated by the cluster", "firm_label": "firm"}


def count(name: str, value: int, relation: str = "equal", hard: bool = False, **subset) -> Count:
    """A count of all decisions, or of those in the given firms, periods and flags."""
    everything = {"firms": FIRMS, "periods": PERIODS, "flags": ("no", "yes")}
    return Count(name, **{**everything, **subset}, relation=relation, value=value, hard=hard)


#: "early", "middle" and "late" add up to one more than there are; the others agree.
COUNTS = (
    count("all", TOTAL, hard=True),
    count("flagged", 7, hard=True, flags=("yes",)),
    count("early", 4, periods=PERIODS[:1]),
    count("middle", 5, periods=PERIODS[1:2]),
    count("late", 4, periods=PERIODS[2:]),
    count("large, late", 2, periods=PERIODS[2:], firms=FIRMS[:2]),
    count("late, plain", 3, "at most", periods=PERIODS[2:], flags=("no",)),
    count("each", 1, "at least", hard=True, firms=FIRMS[:3], flags=("yes",), each=True),
)


def decay_design(**changes: Any) -> Design:
    """Four firms, two of them large, and counts that contradict each other.

    Firms or periods other than the usual ones need counts of their own.
    """
    firms = changes.get("firms", FIRMS)
    periods = changes.get("periods", PERIODS)
    everything = {
        "firms": firms,
        "size_of_firm": tuple(int(i > 1) for i in range(len(firms))),
        "sizes": ("large", "other"),
        "periods": periods,
        "period_weights": (1 / len(periods),) * len(periods),
        "total": TOTAL,
        "counts": COUNTS,
        "decisions": None,
        "rho": 0.2,
    }
    return Design(**{**everything, **changes})


def one_size(**changes: Any) -> Design:
    """The same without a difference between sizes."""
    sizes = (0,) * len(changes.get("firms", FIRMS))
    return decay_design(sizes=("all",), size_of_firm=sizes, common=True, **changes)


def known_decisions(
    firms: tuple[str, ...] = FIRMS, periods: tuple[str, ...] = PERIODS
) -> Decisions:
    """Five decisions of the first firm, four of the second and so on, the first half flagged."""
    made = [
        (firm, periods[min(place * len(periods) // 5, len(periods) - 1)], int(2 * place < number))
        for i, firm in enumerate(firms)
        for number in [max(5 - i, 1)]
        for place in range(number)
    ]
    firm, period, flag = zip(*made, strict=True)
    return Decisions(firm=firm, period=period, when=("",) * len(made), flag=np.array(flag))


def decay_tree(
    design: Design | None = None,
    *,
    variant: str = "default",
    known: bool = False,
    fails: bool = False,
    draws: int = 150,
    seed: int = 3,
    words: dict[str, str] | None = None,
) -> xr.DataTree:
    """A fit with all its groups.

    Parameters
    ----------
    design : Design, optional
        By default :func:`decay_design`.
    variant : str
        Its name; what it means is for the design to say.
    known : bool
        Whether the decisions are known; then without counts.
    fails : bool
        Whether the gate failed.
    draws : int
        Of each of two chains.
    seed : int
    words : dict of str to str, optional
        What the study calls events, flag and firms.
    """
    design = design or decay_design()
    if known:
        made = design.decisions or known_decisions(design.firms, design.periods)
        design = replace(design, decisions=made, counts=())
    study: Any = SimpleNamespace(name="small", title="Small", **WORDS | (words or {}))
    priors = parameters(design)
    settings = Settings(draws=max(draws, 100), tune=60, chains=2, seed=seed, sweeps=2)
    prior = inferencedata.prior(design, priors, 100, seed)
    found = {"prior": prior, **(_made_up if known else _sampled)(design, priors, settings)}
    tree = xr.DataTree.from_dict(
        {
            **found,
            "posterior_predictive": inferencedata.predictive(
                study, design, found["posterior"], seed, 1
            ),
            "prior_predictive": inferencedata.predictive(study, design, prior, seed, 2),
            "observed_data": inferencedata.observed_data(study, design),
            "constant_data": inferencedata.constant_data(study, design),
        }
    )
    tree.attrs = {
        "study": study.name,
        "model": "decay",
        "variant": variant,
        "family": design.family,
        "comparable": 1,
        "priors": json.dumps({name: asdict(prior) for name, prior in priors.items()}),
        "shown": json.dumps(decaydesign.shown(design)),
        "settings": json.dumps(settings.identity(decaydesign.settings(design))),
        "seed": seed,
        "versions": json.dumps({"intlmodels": "0.0.test"}),
        "retried": "",
    }
    tree["estimands"] = xr.DataTree(estimate(tree))
    tree.attrs["gate"] = _set_gate(tree, "failed" if fails else "passed")
    return tree


def _set_gate(tree: xr.DataTree, outcome: Any) -> str:
    """Every check that applies with this outcome."""
    judged = (
        result if result.outcome == "informational" else replace(result, outcome=outcome)
        for result in gate(tree).results
    )
    return Gate(tuple(judged)).to_json()


def _sampled(design: Design, priors: Any, settings: Settings) -> dict[str, xr.Dataset]:
    drawn = sampler.sample(design, priors, settings)
    posterior = inferencedata.posterior(design, drawn)
    return {
        "posterior": posterior,
        "sample_stats": inferencedata.sample_stats(drawn),
        "log_likelihood": inferencedata.log_likelihood(design, posterior),
    }


def _made_up(design: Design, priors: Any, settings: Settings) -> dict[str, xr.Dataset]:
    """Prior draws, drawn in towards a decay of 0.5: no sampler is needed to look at figures."""
    shape = settings.chains, settings.draws
    wide = inferencedata.prior(design, priors, shape[0] * shape[1], settings.seed + 1)
    posterior = xr.Dataset(
        {
            name: (
                ("chain", "draw", *array.dims[2:]),
                (
                    array.to_numpy() if name.startswith("sigma_") else 0.3 * array.to_numpy() + 0.5
                ).reshape(*shape, *array.shape[2:]),
            )
            for name, array in wide.data_vars.items()
        },
        {
            "chain": np.arange(shape[0]),
            "draw": np.arange(shape[1]),
            **{name: wide[name] for name in wide.coords if name not in ("chain", "draw")},
        },
    )
    rng = np.random.default_rng(settings.seed)
    stats = {
        "energy": rng.normal(size=shape),
        "diverging": np.zeros(shape, bool),
        "maxdepth_reached": np.zeros(shape, bool),
    }
    half = np.full((*shape, len(design.decisions.flag)), np.log(0.5))
    return {
        "posterior": posterior,
        "sample_stats": xr.Dataset({k: (("chain", "draw"), v) for k, v in stats.items()}),
        # One half each: only the shape matters here.
        "log_likelihood": xr.Dataset({decaydesign.OUTCOME: (("chain", "draw", "decision"), half)}),
    }


def text_of(section: str, values: dict[str, Any], passed: bool = True) -> str:
    """A section of a report as Markdown, without the white space of its lines."""
    rendering = Rendering("md", ("decay", "common"), passed, {})
    page = rendering.pages({"report": {section: values}})["report"]
    return " ".join(page.sections[0].text.split())
