"""The made-up study of :mod:`studies` with further outcomes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from intlmodels.studies import ShareStudy, load_study
from studies import STUDY, edited, write_study

ABROAD = """\
firm,how,style,style2
Alder,Agent,Planned,
Birch,Shop,Planned,Chance
Cedar,None,Chance,
Downy,"Shop, agent",Chance,Planned
Elder,Agent,Chance,
Fir,Mail,Chance,
Gorse,Agent,Planned,
Hazel,Plant,Chance,
"""

OUTCOMES = """
[outcomes.reach]
kind = "ordered"
file = "abroad.csv"
column = "how"
label = "Reach abroad"
levels = ["nothing", "agent", "shop"]
note = "made up"
[[outcomes.reach.readings]]
label = "None"
level = "nothing"
[[outcomes.reach.readings]]
label = "Mail"
level = "nothing"
note = "read as nothing"
[[outcomes.reach.readings]]
label = "Agent"
level = "agent"
[[outcomes.reach.readings]]
label = "Shop"
level = "shop"
[[outcomes.reach.readings]]
label = "Shop, agent"
level = "shop"
[[outcomes.reach.readings]]
label = "Plant"
level = "shop"

[outcomes.planned]
kind = "binary"
file = "abroad.csv"
columns = ["style"]
label = "Style"
yes = ["Planned"]
no = ["Chance"]

[outcomes.planned-at-all]
kind = "binary"
file = "abroad.csv"
columns = ["style", "style2"]
label = "Style at all"
yes = ["Planned"]
no = ["Chance"]

[variants.by-reach]
kind = "outcome"
outcome = "reach"

[variants.by-plan]
kind = "outcome"
outcome = "planned-at-all"
"""


def write_outcomes(
    folder: Path,
    edit_toml: Iterable[tuple[str, str]] = (),
    edit_table: Iterable[tuple[str, str]] = (),
) -> Path:
    """Write the study; every old text of an edit must occur exactly once."""
    return write_study(
        folder,
        toml=edited(STUDY + OUTCOMES, edit_toml),
        tables={"abroad.csv": edited(ABROAD, edit_table)},
    )


def outcomes_study(folder: Path, **edits: Iterable[tuple[str, str]]) -> ShareStudy:
    """The same, read."""
    study = load_study(write_outcomes(folder, **edits))
    assert isinstance(study, ShareStudy)
    return study
