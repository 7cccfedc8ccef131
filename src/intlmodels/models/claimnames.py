"""Do the claims of a study name what its models have? Looked at before anything is fitted."""

from __future__ import annotations

from intlmodels.core.errors import did_you_mean, listed
from intlmodels.models import DEFAULT, catalogue, design_module, design_of
from intlmodels.study import Study
from intlmodels.study.claimrules import RULES
from intlmodels.study.claims import Claim
from intlmodels.study.keys import wrong


def fit_of(claim: Claim) -> str:
    """The variant whose fit a claim asks."""
    return str(claim.asked.get("fit", DEFAULT))


def require_names(study: Study) -> None:
    """Check the variants, predictors, levels and parameters that claims name.

    Raises
    ------
    StudyError
        For the first that is not there.
    """
    for claim in study.claims:
        if RULES[claim.rule].models == ("share",):
            _require_of_share(claim, study)


def _require_of_share(claim: Claim, study: Study) -> None:
    where = f"[[claims]] {claim.id},"
    name = fit_of(claim)
    _require(name, list(catalogue(study)), "a variant", f"{where} fit")
    design = design_of(study, name)
    if "parameter" in claim.asked:
        names = list(design_module(study.model).parameters(design))
        what = f"a parameter of the variant {name}"
        _require(claim.asked["parameter"], names, what, f"{where} parameter")
    if "predictor" not in claim.asked:
        return
    blocks = {block.name: block for block in design.blocks}
    asked = claim.asked["predictor"]
    _require(asked, list(blocks), f"a predictor of the variant {name}", f"{where} predictor")
    levels = list(blocks[asked].settings)
    for key in ("level", "levels", "against"):
        value = claim.asked.get(key, ())
        for level in (value,) if isinstance(value, str) else value:
            _require(level, levels, f"a level of {asked}", f"{where} {key}")
            if key == "against" and level in claim.asked["levels"]:
                raise wrong("expected a level on one side only", f"{where} against", level)


def _require(name: str, names: list[str], what: str, where: str) -> None:
    if name not in names:
        raise wrong(
            f"expected {what}, one of {listed(names)}{did_you_mean(name, names)}", where, name
        )
