"""Keys of a study.toml whose rows are in files too large to be read as tables.

With a table ``[register]`` a study has no ``[firms]``: its rows are read only as counts.
"""

from __future__ import annotations

from intlmodels.study.keys import NEEDED, PROSE, TEXT, Key, Keys

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
    "size": TEXT,
    "period": TEXT,
}
