"""Made-up findings of calibration, comparison and sensitivity with known contents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from types import SimpleNamespace
from typing import Any

import numpy as np

from intlmodels.checks.stored import (
    PROBS,
    CachedResult,
    Calibrated,
    Calibration,
    CheckResults,
    Comparison,
    Detection,
    Evidence,
    Influence,
    LeftOut,
    Moved,
    Multiverse,
    Omission,
    Refit,
    Scaled,
    Sensitivity,
    Specification,
    Summed,
)
from intlmodels.report.pages import Page, Values
from intlmodels.report.render import Format, Rendering, sentences

LEVELS = 100
NAMES = ("intercept", "phi", "sigma_branch", "branch[Tools]", "branch[Toys]")
#: What a quantity has instead of its posterior: standard deviations it is off, and a factor.
FAULTS = {
    "right": (0.0, 1.0),
    "narrow": (0.0, 0.5),
    "wide": (0.0, 2.0),
    "high": (0.6, 1.0),
    "low": (-0.6, 1.0),
}


def quantity(
    name: str, fault: str = "right", *, noise: float = 0.5, sims: int = 200, seed: int = 0
) -> Calibrated:
    """A truth from Normal(0, 1) seen with noise, and its posterior, right or not."""
    rng = np.random.default_rng([seed, *name.encode()])
    truth = rng.normal(size=sims)
    seen = truth + noise * rng.normal(size=sims)
    share = 1 / (1 + noise**2)
    sd = noise * np.sqrt(share)
    off, factor = FAULTS[fault]
    mean = share * seen + off * sd
    draws = mean + factor * sd * rng.normal(size=(LEVELS, sims))
    rank = (draws < truth).sum(axis=0)
    error = mean - truth
    reach = [NormalDist().inv_cdf((1 + prob) / 2) * factor * sd for prob in PROBS]
    covered = [int((np.abs(error) <= half).sum()) for half in reach]
    return Calibrated(
        name=name,
        ranks=tuple(np.bincount(rank, minlength=LEVELS + 1).tolist()),
        covered=tuple(covered),
        bias=float(error.mean()),
        bias_error=float(error.std(ddof=1) / np.sqrt(sims)),
        error=float(np.sqrt((error**2).mean())),
        spread=factor * sd,
        width=2 * reach[-1],
        prior_spread=float(truth.std(ddof=1)),
    )


def calibration(
    names: Sequence[str] = NAMES,
    faults: Mapping[str, str] | None = None,
    noise: Mapping[str, float] | None = None,
    **changes: Any,
) -> Calibration:
    """A calibration of 200 simulations in which quantities have the faults that are given."""
    faults, noise = faults or {}, noise or {}
    made = [quantity(n, faults.get(n, "right"), noise=noise.get(n, 0.5)) for n in names]
    value = Calibration(
        variant="default",
        wrong="",
        sims=200,
        failed=(),
        divergent=0,
        unconverged=0,
        limit=1.05,
        settings={"draws": 500, "chains": 2},
        quantities=tuple(made),
        differences=(),
    )
    return replace(value, **changes)


CAUGHT = (
    Detection("too-exact", "rounding read as finer than it is", (25, 50), 25, "phi", 0.0004),
    Detection("narrow-priors", "every prior three times too narrow", (25, 50), None, "ease", 0.21),
)


def law(values: np.ndarray, center: float, spread: float) -> np.ndarray:
    """A discrete bell."""
    chance = np.exp(-0.5 * ((values - center) / spread) ** 2)
    return chance / chance.sum()


def left_out(
    unit: str, values: np.ndarray, printed: float, center: float, spread: float, **changes: Any
) -> LeftOut:
    """A unit with a bell for its predictive law."""
    chance = law(values, center, spread)
    with np.errstate(divide="ignore"):
        lpd = float(np.log(chance[np.abs(values - printed).argmin()]))
    item = LeftOut(unit, printed, lpd, 0.02, tuple(chance.tolist()), 1.003, 2100.0, 0)
    return replace(item, **changes)


def comparison(
    units: int = 8,
    spreads: Mapping[str, float] | None = None,
    *,
    names: Sequence[str] | None = None,
    centers: float = 30.0,
    spread: float = 15.0,
    printed: Sequence[float] | None = None,
    **changes: Any,
) -> Comparison:
    """Units drawn from the default's own laws; other variants are as wide as is given."""
    values = np.arange(0.0, 101.0, 5.0)
    rng = np.random.default_rng(units)
    middle = centers + 8 * rng.normal(size=units)
    drawn = [rng.choice(values, p=law(values, c, spread)) for c in middle]
    seen = drawn if printed is None else list(printed)
    labels = names or [f"Firm {i + 1}" for i in range(units)]
    every = {"default": spread, **({"heaped": 16.0} if spreads is None else spreads)}
    variants = {
        variant: tuple(
            left_out(label, values, float(y), c, wide)
            for label, y, c in zip(labels, seen, middle, strict=True)
        )
        for variant, wide in every.items()
    }
    value = Comparison(
        unit="firm",
        unit_label="firm",
        values=tuple(values.tolist()),
        variants=variants,
        skipped={"density": "it predicts outcomes other than those reported"},
        settings={"draws": 1000, "chains": 4},
    )
    return replace(value, **changes)


def changed_unit(found: Comparison, variant: str, place: int, **changes: Any) -> Comparison:
    """The same comparison with something else of one unit."""
    units = list(found.variants[variant])
    units[place] = replace(units[place], **changes)
    return replace(found, variants={**found.variants, variant: tuple(units)})


def evidence(logs: Mapping[str, float] | None = None, **changes: Any) -> Evidence:
    """Log evidence of variants, of which the posteriors agree."""
    every = {"default": -36.0, "heaped": -37.0} if logs is None else logs
    falls = {"large": 0.97, "other": 0.12}
    value = Evidence(
        determined=("M02", "M03"),
        variants={
            name: Summed(log, 0.001, {"large": 0.6, "other": -0.5}, falls)
            for name, log in every.items()
        },
        skipped={"period": "effects of periods are too many integrals"},
    )
    return replace(value, **changes)


def moved(refit: str, quantity: str, median: float, p: float, **changes: Any) -> Moved:
    """One conclusion, with a standard deviation of 4 points."""
    item = Moved(refit, quantity, "points", median, median - 8, median + 8, 4.0, p, True)
    return replace(item, **changes)


def sensitivity(*rows: Moved, refits: Sequence[Refit] = (), **changes: Any) -> Sensitivity:
    """Two differences and a level, the same under every refit but where rows say otherwise."""
    given = {(row.refit, row.quantity): row for row in rows}
    every = [
        Refit("default", "the model as stated", "base", True),
        Refit("phi halved", "LogNormal(2.3, 0.4) in place of LogNormal(2.3, 0.8)", "prior", True),
        Refit("phi doubled", "LogNormal(2.3, 1.6) in place of LogNormal(2.3, 0.8)", "prior", True),
        Refit("heaped", "multiples of ten may be rounded", "reading", True),
    ]
    every = [next((r for r in refits if r.name == old.name), old) for old in every]
    every += [refit for refit in refits if refit.name not in {old.name for old in every}]
    items = []
    for refit in every:
        for name, median, p in (("Easy against Hard", 9.0, 0.98), ("Tools against Toys", 1.0, 0.6)):
            items.append(given.get((refit.name, name), moved(refit.name, name, median, p)))
        level = Moved(refit.name, "Branch: Tools", "%", 20.0, 12.0, 28.0, 4.0, 1.0, False)
        items.append(given.get((refit.name, "Branch: Tools"), level))
    value = Sensitivity(
        scaled=(
            Scaled("Easy against Hard", 0.02, 0.2),
            Scaled("Tools against Toys", 0.09, 0.03),
            Scaled("Branch: Tools", 0.07, 0.3),
        ),
        pareto_k=0.2,
        refits=tuple(every),
        moved=tuple(items),
    )
    return replace(value, **changes)


def multiverse(
    probabilities: Sequence[float],
    weights: Sequence[float] = (),
    claims: Sequence[dict[str, float]] = (),
) -> Multiverse:
    """One difference under as many combinations, choices of priors; the first is the default."""
    names = ["as stated", *(f"c{i}" for i in range(1, len(probabilities)))]
    return Multiverse(
        {"priors": tuple(names)},
        tuple(
            Specification(name, (name,), True, weight, 0, own)
            for name, weight, own in zip(
                names, weights or [1.0] * len(names), claims or [{}] * len(names), strict=True
            )
        ),
        tuple(
            moved(name, "Easy against Hard", 10 * p, p)
            for name, p in zip(names, probabilities, strict=True)
        ),
    )


def influence(
    probabilities: Mapping[str, float],
    *,
    base: float = 0.98,
    kinds: Mapping[str, str] | None = None,
    claims: Mapping[str, Mapping[str, float]] | None = None,
    failed: Sequence[str] = (),
    error: float = 0.002,
    unit: str = "firm",
) -> Influence:
    """One difference without each firm, or what ``kinds`` says; claims by what is left out."""
    kinds, claims = kinds or {}, claims or {}
    every = {"nothing": base, **probabilities}
    return Influence(
        unit,
        unit,
        ("all",) if unit == "count" else (),
        {"draws": 500},
        tuple(
            Omission(
                name,
                "nothing" if name == "nothing" else kinds.get(name, unit),
                () if name == "nothing" else tuple(name.split(" + ")),
                name not in failed,
                {claim: (p, error) for claim, p in claims.get(name, {}).items()},
            )
            for name in every
        ),
        tuple(
            replace(moved(name, "Easy against Hard", 10 * p, p), p_error=error)
            for name, p in every.items()
        ),
    )


def trust(**parts: Any) -> CheckResults:
    """What is given, current; of the rest, that it was never computed."""
    names = (
        "calibration",
        "wrong",
        "comparison",
        "sensitivity",
        "multiverse",
        "evidence",
        "design",
        "influence",
    )
    return CheckResults(
        **{
            n: CachedResult(parts[n]) if n in parts else CachedResult(None, ("never computed",))
            for n in names
        }
    )


def material(
    found: CheckResults, *, passed: bool = True, texts: Any = None, model: str = "share"
) -> Any:
    """What sections take of the material of a report."""
    study = SimpleNamespace(
        name="hedge", folder=Path("somewhere/hedge"), firm_label="firm", model=model
    )
    made = SimpleNamespace(
        catalogue={},
        study=study,
        check_results=found,
        passed=passed,
        register=None,
        key_contrast=None,
    )
    if texts is not None:
        made.texts = texts
    return made


def rendered(name: str, values: Values, *, passed: bool = True, form: Format = "md") -> Page:
    """A page with this section alone."""
    rendering = Rendering(form, ("share", "common"), passed, {})
    return rendering.pages({"appendix": {name: values}})["appendix"]


def words(name: str, values: Values, **how: Any) -> str:
    """The text of a section on one line, without the marks of Markdown."""
    text = rendered(name, values, **how).sections[0].text
    return " ".join(text.replace("\\", "").replace("\N{NO-BREAK SPACE}", " ").split())


def said(name: str, values: Values) -> str:
    """What the command line says of a check, one sentence a line."""
    text = "\n".join(sentences(f"common/{name}_text.md.j2", values))
    return text.replace("\N{NO-BREAK SPACE}", " ")
