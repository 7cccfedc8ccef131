"""Small made-up studies for tests, written to a folder.

``write_study(tmp_path)`` gives a valid study with every kind of predictor and variant;
arguments replace a table, the whole study.toml, or single lines of either.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

#: Eight firms; a share of 0, an unknown size, an unknown second branch.
FIRMS = """\
firm,share,size,branch,second
Alder,10,1.5,Tools,
Birch,25,20,Tools,Toys
Cedar,0,,Toys,
Downy,40,3,Boats,Tools
Elder,5,250,Toys,
Fir,15,8,Boats,
Gorse,30,0.5,Tools,
Hazel,55,12,Toys,Boats
"""

TRAITS = """\
firm,ease,skill
Alder,Easy,Design
Birch,Hard,Design--some making
Cedar,Hard,Making
Downy,Easy,Both
Elder,Hard,Making
Fir,Easy,Design
Gorse,Hard,Both
Hazel,Easy,Making--some design
"""

STUDY = """\
[study]
name = "hedge"
title = "Eight made-up firms"
question = "Does it matter?"
model = "share"
source = "made up for tests"
limits = ["made up"]

[firms]
file = "firms.csv"
column = "firm"

[outcome]
file = "firms.csv"
column = "share"
label = "Share abroad"
unit = "percent"
rounding_width = 5

[predictors.ease]
kind = "contrast"
file = "traits.csv"
column = "ease"
label = "Ease of moving"
low = "Hard"
high = "Easy"

[predictors.branch]
kind = "category"
column = "branch"
label = "Branch"

[predictors.skill]
kind = "category"
file = "traits.csv"
column = "skill"
label = "Skill"
family_separator = "--"

[predictors.size]
kind = "numeric"
column = "size"
label = "Sales"
unit = "million euros"
transform = "log"
"""

VARIANTS = """
[variants.nested-skill]
kind = "nested"
predictor = "skill"

[variants.two-skills]
kind = "axes"
replaces = "skill"
levels = ["none", "limited", "full"]
[[variants.two-skills.readings]]
label = "Design"
design = "full"
making = "none"
note = "no making is named"
[[variants.two-skills.readings]]
label = "Design--some making"
design = "full"
making = "limited"
[[variants.two-skills.readings]]
label = "Making"
design = "none"
making = "full"
[[variants.two-skills.readings]]
label = "Making--some design"
design = "limited"
making = "full"
[[variants.two-skills.readings]]
label = "Both"
design = "full"
making = "full"

[variants.second-branch]
kind = "membership"
predictor = "branch"
column = "second"
primary_weight = 0.75

[variants.plain_size]
kind = "covariate"
column = "size"
unit = "million euros"
"""

#: The least that a study needs.
LEAST = """\
[study]
name = "least"
title = "Least"
model = "share"
[firms]
file = "firms.csv"
column = "firm"
[outcome]
column = "share"
unit = "percent"
rounding_width = 5
[predictors.branch]
kind = "category"
column = "branch"
"""


def edited(text: str, edits: Iterable[tuple[str, str]]) -> str:
    """Replace parts of a text; each must occur exactly once, so that no test edits nothing."""
    for old, new in edits:
        if text.count(old) != 1:
            raise AssertionError(f"{old!r} occurs {text.count(old)} times, not once")
        text = text.replace(old, new)
    return text


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV, all quoted: early releases of Python 3.12 forget to where a cell has a \\r."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue()


def write_study(
    folder: Path,
    *,
    toml: str | bytes = STUDY + VARIANTS,
    tables: Mapping[str, str | bytes | None] | None = None,
    edit_toml: Iterable[tuple[str, str]] = (),
    edit_firms: Iterable[tuple[str, str]] = (),
    edit_traits: Iterable[tuple[str, str]] = (),
) -> Path:
    """Write a study and return its folder.

    Parameters
    ----------
    folder : Path
        Made if need be.
    toml : str or bytes
        study.toml.
    tables : mapping of file to content, optional
        Replaces or adds tables; None leaves one out.
    edit_toml, edit_firms, edit_traits : (old, new) pairs
        Each old text must occur exactly once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, str | bytes | None] = {
        "firms.csv": edited(FIRMS, edit_firms),
        "traits.csv": edited(TRAITS, edit_traits),
        "study.toml": toml if isinstance(toml, bytes) else edited(toml, edit_toml),
        **(tables or {}),
    }
    for name, content in files.items():
        if content is None:
            continue
        raw = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(raw)
    return folder
