"""A study whose labels try to be everything but labels."""

from __future__ import annotations

from pathlib import Path

from studies import csv_text

HOSTILE = (
    "<script>alert(1)</script>",
    '$x_1^2$ & "q" | `code` *b* _i_',
    "=SUM(A1)",
    "日本語 ラベル",
    "A very long label that goes on and on, longer than anything a table ever prints",
    "-minus",
    "@at",
    "# head",
    "[l](http://x.example)",
    "</style><b>bold",
    "<img src=x onerror=alert(2)>",
    "1. one ~~gone~~ \\n",
)

TOML = """\
[study]
name = "hostile"
title = "T <b>& \\"title\\""
model = "share"
question = "<i>Why?</i> | $y$"
source = "<script>alert(3)</script>"
limits = ["=1+1 <b>"]
[firms]
file = "t.csv"
column = "firm"
[outcome]
column = "share"
label = "Share <u>$abroad$"
unit = "percent"
rounding_width = 5
[predictors.kind]
kind = "category"
column = "kind"
label = "K<i>nd $ |"
[predictors.move]
kind = "contrast"
column = "move"
low = "no|`"
high = "<yes>"
"""


def hostile_study(folder: Path) -> Path:
    """Write the study: every label is a level and part of a firm's name."""
    rows = [("firm", "share", "kind", "move")]
    for i in range(2 * len(HOSTILE)):
        label = HOSTILE[i % len(HOSTILE)]
        rows.append((f"{label} {i}", str(5 * (i % 12)), label, ("no|`", "<yes>")[i % 3 == 0]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(TOML, encoding="utf-8")
    (folder / "t.csv").write_text(csv_text(rows), encoding="utf-8")
    return folder
