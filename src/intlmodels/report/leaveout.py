"""The section on exact leave-one-out: how well the variants predict what they have not seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from intlmodels import formats as f
from intlmodels import narrativeleaveout as told
from intlmodels import plotleaveout
from intlmodels.narrative import marked
from intlmodels.report.blocks import Items, Paragraph, Picture, Section, Table
from intlmodels.report.figures import picture
from intlmodels.report.material import Material
from intlmodels.report.trust import MOST_ROWS, absent, row_note, settings_words
from intlmodels.results import CI_PROB
from intlmodels.trust import predicted
from intlmodels.trust.stored import Comparison

if TYPE_CHECKING:
    import pandas as pd


def comparison(m: Material) -> Section | None:
    """How well the variants predict what they have not seen."""
    title = "Comparison: predicting what was left out"
    found = m.trust.comparison
    if found.value is None:
        blocks = absent(m, "The comparison by exact leave-one-out", found, "compare")
        return Section("comparison", title, tuple(blocks))
    value = found.value
    made = predicted.predicted(value)
    elpds, own = made.elpds, made.own
    one, many = value.unit_label, f.plural(value.unit_label)
    intro = (
        f"Each of the {f.counted(len(own), one)} was left out in turn, every variant was fitted "
        f"again without it, and what was printed of it was held against that fit's predictive "
        "law: the probability of every value that could have been printed. The log probabilities "
        "of what was printed, summed, are the variant's elpd: the larger, the better it predicts "
        "what it has not seen. Nothing is approximated by re-weighting one fit; each "
        f"{one} has a fit of its own in each variant ({settings_words(value.settings)})."
    )
    texts = m.texts if value.unit == "count" else {}
    said = told.comparison_sentences(value, made, texts)
    blocks = [Paragraph(intro), Items(tuple(marked(said, m.passed)))]
    skipped = told.skipped_sentences(value)
    if skipped:
        blocks += [Paragraph("Not compared:"), Items(tuple(skipped))]
    if len(elpds) > 1:
        blocks += [_elpd_picture(m, elpds, len(own)), _elpd_table(m, elpds)]
    blocks += [_pit_picture(m, made.law, many), _units_picture(m, value, own, texts)]
    blocks.append(_units_table(m, value, own, texts))
    return Section("comparison", title, tuple(blocks))


def _elpd_picture(m: Material, elpds: pd.DataFrame, units: int) -> Picture:
    return picture(
        "comparison-elpd",
        plotleaveout.elpds(elpds, units, m.passed),
        "Exact leave-one-out: how much better (right) or worse (left) than the default each "
        "variant predicts what it has not seen.",
        "Dots with intervals around a line at zero, one row a variant. The numbers are in the "
        "table of elpd.",
        not m.passed,
    )


def _elpd_table(m: Material, elpds: pd.DataFrame) -> Table:
    rows = []
    for row in elpds.to_dict("records"):
        known = f.number(row["ci_low"], 1) != f.DASH
        rows.append(
            (
                f"{row['variant']}{'' if row['converged'] else ' (a refit did not converge)'}",
                _nats(row["elpd"], 1),
                _nats(row["difference"], 1),
                f.span(row["ci_low"], row["ci_high"], 1) if known else f.DASH,
                f.probability(row["p_better"]),
                f.number(row["weight"], 2),
                f.span(row["weight_low"], row["weight_high"], 2),
            )
        )
    return Table(
        "Variants by exact leave-one-out",
        ("variant", "elpd", "difference", "interval", "Pr(better)", "weight", "interval"),
        tuple(rows[:MOST_ROWS]),
        numeric=(1, 2, 3, 4, 5, 6),
        file="tables/elpd.csv",
        note=row_note(
            min(len(rows), MOST_ROWS),
            len(rows),
            f"Difference to the default, with its {100 * CI_PROB:g}{f.SPACE}% interval and the "
            "probability of being better (Bayesian bootstrap); stacking weight, with its "
            f"{100 * predicted.WEIGHT_PROB:g}{f.SPACE}% bootstrap interval.",
        ),
        failed=not m.passed,
    )


def _nats(value: float, decimals: int) -> str:
    """A log probability, or a difference of them."""
    if math.isinf(value):
        return "∞" if value > 0 else f"{f.MINUS}∞"
    return f.number(value, decimals)


def _pit_picture(m: Material, law: predicted.Laws, many: str) -> Picture:
    return picture(
        "comparison-pit",
        plotleaveout.pit(law, m.passed),
        f"Where the printed values of the {many} lie within what the default expects of them "
        "when it has not seen them: on the diagonal if its predictions are right. Above it on "
        "the left and below it on the right: too narrow; the reverse: too wide; above it "
        "throughout: too high.",
        "A curve beside the diagonal, with a grey band around the diagonal.",
        not m.passed,
    )


def _units_picture(
    m: Material, value: Comparison, own: pd.DataFrame, texts: Mapping[str, str]
) -> Picture:
    labels = [_unit_name(name, texts, ": ") for name in own["unit"]]
    percent = m.study.model == "share"
    axis = "Printed share" if percent else "Number"
    return picture(
        "comparison-units",
        plotleaveout.units(own, labels, axis, percent, m.passed),
        f"What was printed of each {value.unit_label}, beside what the default expects of it from "
        "the others; the least likely first.",
        "Intervals with a diamond each. The numbers are in the table below.",
        not m.passed,
    )


def _unit_name(name: str, texts: Mapping[str, str], between: str) -> str:
    return f"{name}{between}{texts[name]}" if texts.get(name) else str(name)


def _units_table(
    m: Material, value: Comparison, own: pd.DataFrame, texts: Mapping[str, str]
) -> Table:
    ordered = own.sort_values("p_tail", kind="stable").head(MOST_ROWS)
    rows = tuple(
        (
            _unit_name(row["unit"], texts, ": "),
            told.printed(row["printed"]),
            told.printed(row["median"]),
            f"{told.printed(row['ci_low'])}{f.SPACE}to{f.SPACE}{told.printed(row['ci_high'])}"
            f"{'*' * row['outside']}",
            _nats(row["lpd"], 2),
            f.number(row["lpd_error"], 2),
            "yes" if row["converged"] else "NO",
        )
        for row in ordered.to_dict("records")
    )
    interval = f"{100 * predicted.CENTRAL:g}{f.SPACE}% interval"
    return Table(
        f"The default's predictions of each {value.unit_label} that it has not seen, the least "
        "likely first",
        (value.unit_label, "printed", "median", interval, "log Pr", "± MC", "refit converged"),
        rows,
        numeric=(1, 2, 3, 4, 5),
        file="tables/leave_one_out.csv",
        note=row_note(
            len(rows),
            len(own),
            f"Printed, predicted median and central {interval} (* printed outside of it); log Pr: "
            "natural logarithm of the probability of what was printed; ± MC: its Monte Carlo "
            "error. The file has every variant.",
        ),
        failed=not m.passed,
    )
