"""How far conclusions move when priors, the likelihood or the reading of the tables change.

Three looks: power-scaling of the stored default fit, which makes prior or likelihood a little
stronger; refits with every prior's scale halved and doubled, one at a time and all together;
and the variants that are stored, which are other readings of the same tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from intlmodels import store
from intlmodels.comparison import light
from intlmodels.errors import StudyError
from intlmodels.models import DEFAULT, catalogue
from intlmodels.priors import Prior, rescaled
from intlmodels.results import converged
from intlmodels.settings import Progress, Settings
from intlmodels.study import Study
from intlmodels.trust.powerscale import power_scaling
from intlmodels.trust.stored import FOLDER, Moved, Refit, Sensitivity
from intlmodels.trust.tasks import Journal, run
from intlmodels.trust.trial import Plan, conclude, conclusions
from intlmodels.workflow import Stored, stored_fits

#: Factors of the priors' scales, and what each is called.
FACTORS = {0.5: "halved", 2.0: "doubled"}


def current(study: Study, out: Path) -> list[Stored]:
    """The stored fits that are current, the default first.

    Raises
    ------
    StudyError
        If the default fit is missing or stale, or did not converge.
    """
    stored = stored_fits(study, out)
    default = stored[0]
    if default.variant != DEFAULT or default.reasons:
        raise StudyError(
            f"sensitivity starts from the stored fit, which is not current "
            f"({'; '.join(default.reasons)}); run intlmodels fit first",
            file=str(default.path),
        )
    if not default.gate.passed:
        raise StudyError(
            "the stored fit did not converge, so that there are no conclusions to hold anything "
            "against; see its report",
            file=str(default.path),
        )
    return [item for item in stored if not item.reasons]


def plans_of(
    study: Study, priors: dict[str, Prior], settings: Settings
) -> dict[str, tuple[Plan, str]]:
    """Refits of the default with other priors: name -> plan, and what is changed in words."""
    found: dict[str, tuple[Plan, str]] = {}
    for factor, word in FACTORS.items():
        scaled = {name: rescaled(prior, factor) for name, prior in priors.items()}
        for name, prior in scaled.items():
            changed = Plan(study, DEFAULT, {**priors, name: prior}, settings)
            found[f"{name} {word}"] = changed, f"{prior.text} in place of {priors[name].text}"
        every = Plan(study, DEFAULT, scaled, settings)
        found[f"all priors {word}"] = every, f"the scale of every prior {word}"
    return found


def journal_of(plans: Mapping[str, tuple[Plan, str]], out: Path) -> Journal:
    """Where the refits' conclusions are kept as they come."""
    version = next(iter(plans.values()))[0].identity["model"]["version"]
    return Journal(out / FOLDER / "sensitivity.jsonl", {"model": version})


def sensitivity(
    study: Study,
    stored: list[Stored],
    plans: Mapping[str, tuple[Plan, str]],
    out: Path,
    pool: Executor,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Sensitivity:
    """Refit, and hold every conclusion against that of the default.

    Parameters
    ----------
    study : Study
    stored : list of Stored
        From :func:`current`.
    plans : mapping
        From :func:`plans_of`.
    out : Path
        Output folder of the study.
    pool : concurrent.futures.Executor
        See :func:`intlmodels.trust.tasks.executor`.
    progress, tell : callable, optional
        See :func:`intlmodels.trust.tasks.run`.
    """
    tasks = {f"{name} {plan.key}": plan for name, (plan, _) in plans.items()}
    found = run(conclude, tasks, journal_of(plans, out), pool, progress=progress, tell=tell)
    tree = store.read(stored[0].path)
    model = import_module(f"intlmodels.{study.model}.results")
    scaled, pareto_k = power_scaling(
        tree, {item.name: item.draws for item in model.conclusions(tree)}
    )
    if "table" in tree["posterior"]:
        # The counts bear on the parameters through the table only, and some of them hold or do
        # not: the factors that could be scaled are not the likelihood of the parameters.
        scaled = tuple(replace(item, likelihood=float("nan")) for item in scaled)
    refits = [Refit(DEFAULT, "the model as stated", "base", converged(tree))]
    moved = [Moved(DEFAULT, **row) for row in conclusions(study.model, tree)]
    names = {row.quantity for row in moved}
    for (name, (_, change)), result in zip(plans.items(), found.values(), strict=True):
        refits.append(Refit(name, change, "prior", result["converged"]))
        moved += [Moved(name, **row) for row in result["moved"]]
    rows = catalogue(study)
    for item in stored[1:]:
        row = rows[item.variant]
        if row.outcome or (model.COMPARED.apart and not row.comparable):
            continue  # not another reading of the same tables: of another outcome, or for show
        refits.append(Refit(item.variant, row.change, "reading", item.gate.passed))
        told = conclusions(study.model, light(item.path))
        moved += [Moved(item.variant, **r) for r in told if r["quantity"] in names]
    return Sensitivity(tuple(scaled), float(pareto_k), tuple(refits), tuple(moved))
