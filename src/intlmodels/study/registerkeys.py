"""Keys of a study.toml whose rows are in files too large to be read as tables.

With a table ``[register]`` a study has no ``[firms]``: its rows are read only as counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from intlmodels.study.dates import ORDER
from intlmodels.study.keys import NEEDED, PROSE, TEXT, Key, Keys, Vocabulary

#: What happens to rows that cannot be read.
POLICIES = ("stop", "set aside")

#: The table [register].
REGISTER: Keys = {
    "files": NEEDED,
    "bad_rows": Key("text", options=POLICIES),
    "memory_limit": TEXT,
    "label": TEXT,
}

_PREDICTOR = {"kind": NEEDED, "column": NEEDED, "label": TEXT}

#: The groups [predictors.NAME] of a register: the keys of each kind.
REGISTER_PREDICTORS: dict[str, Keys] = {
    "category": _PREDICTOR,
    "contrast": _PREDICTOR | {"low": NEEDED, "high": NEEDED},
    "numeric": _PREDICTOR | {"transform": Key("text", options=("none", "log")), "unit": PROSE},
}

#: The table [register] of the decay model: rows are decisions, of firms that no table lists.
DECISION_REGISTER: Keys = {
    **REGISTER,
    "firm": NEEDED,
    "flag": NEEDED,
    "when": NEEDED,
    "order": ORDER,
    "size": TEXT,
    "period": TEXT,
}


def share_register(tables: Mapping[str, Keys]) -> Vocabulary:
    """The share model where rows are read as counts: what asks for single firms is not there.

    Parameters
    ----------
    tables : mapping of str to mapping
        Tables of studies that list their firms.
    """
    return Vocabulary(
        tables={
            "study": tables["study"],
            "register": REGISTER,
            "cluster": {"column": NEEDED, "label": TEXT},
            "outcome": {k: v for k, v in tables["outcome"].items() if k != "file"},
            "fit": tables["fit"],
        },
        kinds={"predictors": REGISTER_PREDICTORS},
        required=("register", "outcome", "predictors"),
        further=("priors", "profiles"),
    )


def decision_register(tables: Mapping[str, Keys]) -> Vocabulary:
    """The decay model where the decisions are rows of files: see :func:`share_register`."""
    return Vocabulary(
        tables={
            "study": tables["study"],
            "register": DECISION_REGISTER,
            "outcome": tables["outcome"],
            "periods": {k: v for k, v in tables["periods"].items() if k != "weights"},
            "fit": {k: v for k, v in tables["fit"].items() if k != "sweeps"},
        },
        kinds={},
        required=("register",),
    )
