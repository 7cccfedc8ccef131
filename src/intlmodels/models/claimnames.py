"""Do the claims of a study name what its models have? Looked up before anything is fitted."""

from __future__ import annotations

from intlmodels.core.errors import did_you_mean, listed
from intlmodels.models import catalogue, design_module, design_of
from intlmodels.study import Study
from intlmodels.study.keys import wrong


def require_names(study: Study) -> None:
    """Check the variants, parameters, predictors and levels that claims name.

    Raises
    ------
    StudyError
        For the first that is not there.
    """
    for claim in study.claims:
        where = f"[[claims]] {claim.id},"
        for key, name in claim.names("variant"):
            _require(name, list(catalogue(study)), "a variant", f"{where} {key}")
        for key, name in claim.names("parameter"):
            names = list(design_module(study.model).parameters(design_of(study, claim.fit)))
            _require(name, names, f"a parameter of the variant {claim.fit}", f"{where} {key}")
        for key, name in claim.names("predictor"):
            levels = {block.name: block.settings for block in design_of(study, claim.fit).blocks}
            what = f"a predictor of the variant {claim.fit}"
            _require(name, list(levels), what, f"{where} {key}")
            for side, level in claim.names("level"):
                _require(level, list(levels[name]), f"a level of {name}", f"{where} {side}")
                if side == "against" and level in claim.terms["levels"]:
                    raise wrong("expected a level on one side only", f"{where} {side}", level)


def _require(name: str, names: list[str], what: str, where: str) -> None:
    if name not in names:
        said = f"expected {what}, one of {listed(names)}{did_you_mean(name, names)}"
        raise wrong(said, where, name)
