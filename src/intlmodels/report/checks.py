"""Sections on calibration, sensitivity and exact leave-one-out.

They show what the commands ``calibrate``, ``compare`` and ``sensitivity`` stored. What is no
longer what the study asks for is not shown; its place says why, and which command to run.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from intlmodels.checks import tables
from intlmodels.checks.stored import (
    NOTHING,
    PROBS,
    CachedResult,
    Comparison,
    Evidence,
    Sensitivity,
)
from intlmodels.core import formats as f
from intlmodels.models import DEFAULT
from intlmodels.plots import checks
from intlmodels.report import checksentences as sentences
from intlmodels.report.blocks import Block, Code, Items, Paragraph, Section, Table
from intlmodels.report.data import ReportData, ShareReportData
from intlmodels.report.provenance import study_argument
from intlmodels.report.sections import picture
from intlmodels.results.intervals import CI_PROB
from intlmodels.results.wording import CLEAR, LEANING, marked

if TYPE_CHECKING:
    import pandas as pd


#: Headings of :data:`intlmodels.checks.tables.SAID`.
SAID_IN_WORDS = ("clear, right", "clear, wrong", "leaning, right", "leaning, wrong", "undecided")
#: Title of the section on influence.
DRIVERS = "What drives this result"
#: Rows of a table in the page; the file has all.
MOST_ROWS = 40


def absent(m: ReportData, what: str, found: CachedResult[Any], command: str) -> list[Block]:
    """Why something is not shown, and the command that computes it."""
    why = f" ({'; '.join(found.reasons)})" if found.reasons else ""
    line = shlex.join(["intlmodels", command, study_argument(m.study)])
    return [Paragraph(f"{what} is not shown{why}. This command computes it:"), Code(line)]


def _table(
    m: ReportData | None,
    title: str,
    header: Sequence[str],
    rows: Sequence[tuple[str, ...]],
    note: str = "",
    every: int = 0,
    where: str = "file",
    **more: Any,
) -> Table:
    """The first rows, and a note on how many are in the file only; marked if the fit failed."""
    shown, every = tuple(rows[:MOST_ROWS]), every or len(rows)
    if len(shown) < every:
        note = f"{note} The first {len(shown)} of {every}; all are in the {where}.".strip()
    failed = m is not None and not m.passed
    return Table(title, tuple(header), shown, note=note, failed=failed, **more)


def settings_words(settings: Mapping[str, Any]) -> str:
    """Settings as a list of words."""
    return f.listed([f"{name.replace('_', ' ')} {value}" for name, value in settings.items()])


# -- calibration -------------------------------------------------------------------------


def calibration(m: ReportData) -> Section | None:
    """Whether the computation recovers what it is told to find."""
    title = "Calibration: is the truth found where it is known?"
    found, errors = m.check_results.calibration, m.check_results.wrong
    if found.value is None:
        blocks = absent(m, "The calibration on simulated studies", found, "calibrate")
        return Section("calibration", title, tuple(blocks))
    value = found.value
    table = tables.calibrated(value)
    variant = "default model" if value.variant == DEFAULT else f"variant {value.variant}"
    intro = (
        f"Parameters were drawn from the priors of the {variant}, a study with "
        "this study's own design was simulated from them, and it was fitted as the real one is: "
        "then the truth is known. If the computation is right, the true value has any rank among "
        f"the posterior draws with the same probability, and a 95% interval holds it in "
        f"95% of the simulated studies. Each fit: {settings_words(value.settings)}."
    )
    blocks = [Paragraph(intro), Items(tuple(sentences.recovery_sentences(value, table)))]
    if errors.value is None:
        blocks += absent(m, "Whether deliberate errors would be caught", errors, "calibrate")
    elif errors.value:
        blocks.append(Paragraph(sentences.errors_summary(errors.value)))
        blocks.append(Items(tuple(map(sentences.error_sentence, errors.value))))
    blocks.append(Paragraph(sentences.CANNOT_SHOW.format(firms=f.plural(m.study.firm_label))))
    if value.ranked:
        blocks += [
            picture(
                "calibration-ranks",
                checks.rank_differences(value, table),
                "Ranks of the true values: how much larger their empirical distribution function "
                "is than that of uniform ranks. A curve above the line says that the posterior is "
                "too high, below it too low; first above, then below: too narrow; first below, "
                "then above: too wide. With each the p-value, adjusted for the number of "
                "quantities; orange: deviates.",
                "Small panels, one a quantity, with a curve around zero and a grey band. The "
                "p-values are in the table of the quantities.",
                failed=False,
            ),
            picture(
                "calibration-coverage",
                checks.coverage(table),
                "How often posterior intervals of 50, 80 and 95% held the truth.",
                "Dots beside grey bars, one row a quantity, for three probabilities. The numbers "
                "are in the table of the quantities.",
                failed=False,
            ),
            _calibration_table(table),
        ]
    if value.differences:
        blocks.append(_verdict_table(tables.verdict_rates(value.differences)))
    return Section("calibration", title, tuple(blocks))


def _verdict_table(rates: pd.DataFrame) -> Table:
    rows = tuple(
        (
            "all" if row["of"] == "all" else sentences.size_text(row, row["unit"]),
            str(row["count"]),
            *(f"{f.number(row[n], 1)} ± {f.number(row[f'{n}_error'], 1)}" for n in tables.SAID),
        )
        for row in rates[rates["count"] > 0].to_dict("records")
    )
    return _table(
        None,
        "How often a true difference is recognized",
        ("true difference", "number", *SAID_IN_WORDS),
        rows,
        numeric=tuple(range(1, 7)),
        file="tables/verdict_rates.csv",
        note=f"Percent of the simulated differences of this size ± Monte Carlo error. Clear: a "
        f"probability of the sign of at least {CLEAR:g}; leaning: at least {LEANING:g}. Right and "
        "wrong: whether the sign is that of the true difference.",
    )


def _calibration_table(table: pd.DataFrame) -> Table:
    shown = checks.smallest_p(table, MOST_ROWS)
    names = [f"{100 * prob:g}" for prob in PROBS]
    rows = tuple(
        (
            str(row["quantity"]),
            f.probability(row["p_adjusted"]),
            *(f"{f.number(row[f'coverage_{n}'], 1)}{'*' * row[f'outside_{n}']}" for n in names),
            f"{f.number(row['bias_in_sd'], 2)} ± {f.number(row['bias_error_in_sd'], 2)}",
            f.number(row["spread_ratio"], 2),
        )
        for row in shown.to_dict("records")
    )
    note = (
        "p: p-value of uniform ranks, adjusted (Holm). Coverage in percent of the simulated "
        f"studies; * outside of the limits that hold {100 * tables.BAND:g}% of coverages "
        "if all is right. Bias: mean of posterior mean less truth ± its standard error, in "
        "standard deviations of the prior. Spread: mean posterior over prior standard deviation; "
        "1 means that such a study says nothing about the quantity."
    )
    return _table(
        None,
        "How each quantity is recovered",
        ("quantity", "p", *(f"covered by {n}%" for n in names), "bias", "spread"),
        rows,
        numeric=(1, 2, 3, 4, 5, 6),
        file="tables/calibration.csv",
        note=note,
        every=len(table),
    )


# -- design ------------------------------------------------------------------------------


def design(m: ReportData) -> Section | None:
    """How many firms it would take to decide each comparison; none if it was never computed."""
    found, title = m.check_results.design, "Design: how many firms would decide it"
    if found.value is None:
        if found == NOTHING.design:
            return None
        return Section("design", title, tuple(absent(m, "The design analysis", found, "design")))
    value = found.value
    table = tables.decisions(value)
    intro = (
        "Studies of other numbers of firms were simulated and fitted as this one is. Their "
        f"predictors are those of {f.plural(m.study.firm_label)} of this study, drawn with "
        f"replacement. Each fit: {settings_words(value.settings)}."
    )
    said = marked(sentences.design_sentences(value), m.passed)
    blocks: list[Block] = [Paragraph(intro), Items(tuple(said))]
    if len(table):
        text = "How often each comparison is decided rightly, by the number of firms."
        alternative = "One line per comparison. The numbers are in the table."
        drawn = checks.decisions(table, value.own, m.passed)
        blocks.append(picture("design-decisions", drawn, text, alternative, not m.passed))
        rows = tuple(
            (
                str(row["quantity"]),
                str(row["firms"]),
                sentences.value(row["size"], row["size"], row["unit"]),
                *(
                    f"{f.number(row[n], 1)} ± {f.number(row[f'{n}_error'], 1)}"
                    for n in ("right", "wrong", "none")
                ),
            )
            for row in table.to_dict("records")
        )
        header = ("comparison", "firms", "true size", "right", "wrong", "no decision")
        note = (
            "Percent of the simulated studies ± Monte Carlo error. True size: mean over the "
            "simulated studies, without sign."
        )
        blocks.append(
            _table(
                m,
                "How often studies of so many firms decide a comparison",
                header,
                rows,
                numeric=(1, 2, 3, 4, 5),
                file="tables/design.csv",
                note=note,
            )
        )
    return Section("design", title, tuple(blocks))


# -- sensitivity -------------------------------------------------------------------------


def sensitivity(m: ReportData) -> Section | None:
    """What conclusions rest on: priors, likelihood, readings."""
    title = "Sensitivity: what the conclusions rest on"
    found = m.check_results.sensitivity
    if found.value is None:
        blocks = absent(m, "The sensitivity to priors and readings", found, "sensitivity")
        return Section("sensitivity", title, tuple(blocks))
    value = found.value
    moves, farthest, scaled = tables.shifts(value)
    kinds = [refit.kind for refit in value.refits]
    intro = (
        "The default was fitted again with one thing changed at a time: "
        f"{f.counted(kinds.count('prior'), 'time')} with another prior, "
        f"{f.counted(kinds.count('reading'), 'time')} with another reading or model. A conclusion "
        "that does not survive a change that you hold reasonable is a conclusion about the "
        "assumption. A direction is called clear when its probability is at least "
        f"{CLEAR:g}, leaning from {LEANING:g}; below that the data cannot tell."
    )
    said = sentences.refit_sentences(value, moves, farthest)
    blocks = [Paragraph(intro), Items(tuple(marked(said, m.passed))), _refits(value)]
    if len(farthest):
        text = (
            "How far the median of each quantity moves when priors or readings change, in standard "
            "deviations of its posterior; the most moved first. Refits that did not converge are "
            "not shown."
        )
        alternative = (
            "Dots around a line at zero, one row a quantity. The largest moves are in the table."
        )
        drawn = checks.moves(moves, farthest, m.passed)
        blocks.append(picture("sensitivity-moves", drawn, text, alternative, not m.passed))
        blocks.append(_moves_table(m, farthest))
    if len(scaled):
        blocks += _scaling(m, scaled)
    return Section("sensitivity", title, tuple(blocks))


def multiverse(m: ReportData) -> Section | None:
    """Whether conclusions and claims hold in every combination of readings, families and priors."""
    title = "Does it hold: every combination of readings, families and priors"
    found = m.check_results.multiverse
    if found.value is None:
        return Section("multiverse", title, tuple(absent(m, title, found, "multiverse")))
    value = found.value
    said = sentences.multiverse_sentences(value)
    blocks: list[Block] = [Items(tuple(marked(said, m.passed)))]
    curves = tables.curves(value)
    for number, row in enumerate(tables.key_contrasts(value).itertuples(index=False), start=1):
        part = curves[curves["quantity"] == row.name]
        text = (
            f"{row.name} in each combination, from the lowest median to the highest: median and "
            f"{f.interval_name(CI_PROB)}. Below, what each combination chose; the diamond is the "
            "default."
        )
        alternative = f"{len(part)} intervals side by side. {sentences.stable_text(row)}."
        drawn = checks.specifications(part, value.axes, m.passed)
        blocks.append(picture(f"multiverse-{number}", drawn, text, alternative, not m.passed))
    claims = tables.stability(tables.claims_by_combination(value, m.claims), (LEANING, CLEAR))
    texts = dict(zip(m.claims["id"], m.claims["claim"], strict=True))
    rows = tuple(
        (
            str(row.name),
            texts.get(str(row.name), ""),
            f.probability(row.default),
            f"{f.probability(row.lowest)} to {f.probability(row.highest)}",
            f"{row.same_side} of {row.combinations}",
            f"{row.clear} of {row.combinations}",
            f.probability(row.equal),
            f.DASH if math.isnan(row.stacked) else f.probability(row.stacked),
        )
        for row in claims.itertuples(index=False)
    )
    if rows:
        header = ("id", "claim", "default", "range", "same side", "clear", "equal", "stacked")
        blocks.append(
            _table(
                m,
                "Probability of each claim over all combinations",
                header,
                rows,
                numeric=(2, 6, 7),
                file="tables/multiverse.csv",
                note="Same side: combinations in which the claim is on the same side of one half "
                f"as in the default; clear: those with at least {CLEAR:g} on that side. Equal and "
                "stacked: average probability with equal weights, and with those of stacking by "
                "approximate leave-one-out.",
            )
        )
    return Section("multiverse", title, tuple(blocks))


# -- the section on what drives the result -----------------------------------------------

#: Rows of what was left out, of each conclusion, in the page.
MOST_LEFT_OUT = 6


def drivers(m: ReportData, cells: Sequence[Block] = ()) -> Section | None:
    """Which firms and counts the conclusions rest on, after what a model says of its cells."""
    blocks = [*cells]
    found = m.check_results.influence
    if found.value is None:
        blocks += absent(m, "Which firms or counts the conclusions rest on", found, "influence")
        return Section("drivers", DRIVERS, tuple(blocks))
    value = found.value
    ledger = m.claims if m.study.claims else None
    said = sentences.influence_sentences(value, m.texts, ledger)
    blocks.append(Items(tuple(marked(said, m.passed))))
    keys = tables.key_influences(tables.influences(value))
    if not keys:
        return Section("drivers", DRIVERS, tuple(blocks))
    name = str(keys[0]["name"].iloc[0])
    blocks += [
        picture(
            "drivers",
            checks.left_out(keys[0], m.passed),
            f"{name[:1].upper()}{name[1:]} without each {value.unit_label}"
            + " or group of counts" * (value.unit == "count")
            + f": median and {f.interval_name(CI_PROB)}; what moves the probability of its sign "
            "most stands first.",
            f"{len(keys[0]) - 1} intervals one below the other, with the stored fit on top. The "
            "numbers are in tables/influence.csv.",
            not m.passed,
        ),
        _left_out_table(m, keys, value.unit_label),
    ]
    return Section("drivers", DRIVERS, tuple(blocks))


def _left_out_table(m: ReportData, keys: Sequence[pd.DataFrame], one: str) -> Table:
    rows = []
    for part in keys:
        width = float(part["ci_high"].iloc[0] - part["ci_low"].iloc[0])
        rows += [
            (
                str(row.name),
                row.left_out,
                f.probability(row.probability),
                sentences.value(row.median, width, row.unit),
                f.span(row.ci_low, row.ci_high, f.decimals_for(width)),
                row.verdict + "*" * row.changed,
            )
            for row in part.head(1 + MOST_LEFT_OUT).itertuples(index=False)
        ]
    return _table(
        m,
        f"Conclusions without one {one}, what moves them most first",
        ("conclusion", "left out", "Pr(above 0)", "median", "interval", "verdict"),
        rows,
        numeric=(2, 3, 4),
        file="tables/influence.csv",
        note=f"Of each conclusion the {MOST_LEFT_OUT} that move its probability most; * the "
        "verdict is another one, by more than Monte Carlo error. The file has all, claims as well.",
    )


def _refits(value: Sensitivity) -> Table:
    rows = tuple(
        (
            # The default is no run of its own here: it is the fit that the report is about.
            f"{refit.name} (the stored fit)" if refit.kind == "base" else refit.name,
            refit.change[:1].upper() + refit.change[1:],
            refit.kind,
            "yes" if refit.converged else "NO",
        )
        for refit in value.refits
    )
    header = ("refit", "change", "kind", "converged")
    return _table(None, "What each refit changes", header, rows, where="file below")


def _moves_table(m: ReportData, farthest: pd.DataFrame) -> Table:
    rows = tuple(
        (
            str(row["quantity"]),
            sentences.value(row["base_median"], row["width"], row["unit"]),
            _largest(row, "prior"),
            _largest(row, "reading"),
        )
        for row in farthest.to_dict("records")
    )
    return _table(
        m,
        "How far each quantity moves at most",
        ("quantity", "default", "most with another prior", "most with another reading"),
        rows,
        numeric=(1,),
        file="tables/sensitivity.csv",
        note="Default: its posterior median. By how much the median moves at most, in the "
        "quantity's own unit and in standard deviations (sd) of the default's posterior, and "
        "with which refit.",
    )


def _largest(row: Mapping[Any, Any], kind: str) -> str:
    """The farthest move by one kind of refits: ``−5.0 (−1.25 sd), phi halved``."""
    if not row[kind]:
        return f.DASH
    move = sentences.value(row[f"{kind}_move"], row["width"], "")
    return f"{move} ({f.number(row[f'{kind}_move_in_sd'], 2)}{f.SPACE}sd), {row[kind]}"


def _scaling(m: ReportData, scaled: pd.DataFrame) -> list[Block]:
    """Power-scaling: sentences, picture and table."""
    ordered = scaled.sort_values("prior", ascending=False, kind="stable")
    text = (
        "Power-scaling makes the prior or the likelihood a little stronger or weaker, by weighting "
        "the draws of the default, and looks how far each posterior moves; from "
        f"{tables.SENSITIVE:g} it is called sensitive. A refit with a prior halved or doubled is a "
        f"larger step, and counts from {tables.STEP_SIZE:g} posterior standard deviations (sd)."
    )
    said = marked(sentences.scaling_sentences(scaled), m.passed)
    pareto_k = sentences.pareto_text(float(scaled["pareto_k"].iloc[0]))
    rows = tuple(
        (
            str(row["quantity"]),
            f.number(row["prior"], 3),
            f.number(row["likelihood"], 3),
            f.number(row["prior_move_in_sd"], 2),
            row["diagnosis"],
        )
        for row in ordered.to_dict("records")
    )
    blocks: list[Block] = [Paragraph(text), Items(tuple(said))]
    if scaled[["prior", "likelihood"]].notna().to_numpy().any():
        text = (
            "How far each posterior moves when the prior or the likelihood is made a little "
            "stronger or weaker; the most sensitive to the prior first."
        )
        alternative = "Two dots a row, on a logarithmic axis. The numbers are in the table."
        drawn = checks.power_scaling(scaled, m.passed)
        blocks.append(picture("sensitivity-scaling", drawn, text, alternative, not m.passed))
    return [
        *blocks,
        _table(
            m,
            "Power-scaling",
            ("quantity", "prior", "likelihood", "refits, sd", "reading"),
            rows,
            numeric=(1, 2, 3),
            file="tables/power_scaling.csv",
            note=f"Pareto k of the weights: {pareto_k}; reliable up to {tables.UNRELIABLE:g}.",
        ),
    ]


# -- the section on exact leave-one-out ------------------------------------------------


def comparison(m: ReportData) -> Section | None:
    """How well the variants predict what they have not seen."""
    title = "Comparison: predicting what was left out"
    found = m.check_results.comparison
    if found.value is None:
        blocks = absent(m, "The comparison by exact leave-one-out", found, "compare")
        return Section("comparison", title, tuple(blocks))
    value, evidence = found.value, m.check_results.evidence.value
    made = tables.predicted(value)
    elpds, own = made.elpds, made.own
    one = value.unit_label
    several = isinstance(m, ShareReportData) and m.panel is not None
    rows = " with all of its rows" * several
    determined = evidence is not None and bool(evidence.determined)
    which = "the default" if determined else "every variant"
    intro = (
        f"Each of the {f.counted(len(own), one)} was left out in turn{rows}, {which} was "
        "fitted again without it, and what was printed of it was held against that fit's "
        "predictive law: the probability of every value that could have been printed. "
    )
    if not determined:
        intro += (
            "The log probabilities of what was printed, summed, are the variant's elpd: the "
            "larger, the better it predicts what it has not seen. "
        )
    intro += (
        f"Nothing is approximated by re-weighting one fit; each {one} has a fit of its own"
        f"{'' if determined else ' in each variant'} ({settings_words(value.settings)})."
    )
    if evidence is not None and evidence.variants:
        intro += (
            f" Variants are {'' if determined else 'also '}compared by their evidence: the "
            "probability of all published counts together before any of them is seen, summed over "
            "every table of decisions that the counts allow and integrated over the parameters by "
            "quadrature. It depends on how wide the priors are."
        )
    if several:
        intro += (
            f" Log probabilities are of all rows of {f.a(one)} together; the printed values that "
            "are shown beside predictions are those of its first row."
        )
    texts = m.texts if value.unit == "count" else {}
    said = sentences.comparison_sentences(value, evidence, made, texts, several)
    blocks = [Paragraph(intro), Items(tuple(marked(said, m.passed)))]
    if evidence is not None and evidence.variants:
        blocks.append(_evidence_table(m, evidence))
    shown = value if evidence is None or not determined else evidence
    skipped = sentences.skipped_sentences(shown)
    done = {*shown.variants, *shown.skipped}
    new = [n for n, row in m.catalogue.items() if not row.outcome and n not in done]
    if new:
        command = shlex.join(("intlmodels", "compare", study_argument(m.study)))
        skipped.append(f"{f.listed(new)}: not done since added; {command} does it.")
    if skipped:
        blocks += [Paragraph("Not compared:"), Items(tuple(skipped))]
    if len(elpds) > 1 and not determined:
        blocks += [
            picture(
                "comparison-elpd",
                checks.elpds(elpds, len(own), m.passed),
                "Exact leave-one-out: how much better (right) or worse (left) than the default "
                "each variant predicts what it has not seen.",
                "Dots with intervals around a line at zero, one row a variant. The numbers are in "
                "the table of elpd.",
                not m.passed,
            ),
            _elpd_table(m, elpds),
        ]
    names = [f"{unit}: {texts[unit]}" if texts.get(unit) else str(unit) for unit in own["unit"]]
    percent = m.study.model == "share"
    axis = "Printed share" if percent else "Number"
    if not determined:
        blocks.append(
            picture(
                "comparison-pit",
                checks.pit(made.law, m.passed),
                f"Where the printed values of the {f.plural(one)} lie within what the default "
                "expects of them when it has not seen them: on the diagonal if its predictions are "
                "right. Above it on the left and below it on the right: too narrow; the reverse: "
                "too wide; above it throughout: too high.",
                "A curve beside the diagonal, with a grey band around the diagonal.",
                not m.passed,
            )
        )
    blocks += [
        picture(
            "comparison-units",
            checks.units(own, names, axis, percent, m.passed),
            f"What was printed of each {one}, beside what the default expects of it from the "
            "others; the least likely first.",
            "Intervals with a diamond each. The numbers are in the table below.",
            not m.passed,
        ),
        _units_table(m, value, own.assign(unit=names)),
    ]
    return Section("comparison", title, tuple(blocks))


def _evidence_table(m: ReportData, found: Evidence) -> Table:
    made = tables.evidences(found)
    sizes = list(next(iter(found.variants.values())).falls)
    rows = [
        (
            str(row["variant"]),
            f.number(row["log_evidence"], 1),
            f.number(row["difference"], 1),
            f.number(row["weight"], 2),
            *(f.number(row[f"decay[{size}]"], 2) for size in sizes),
            *(f.probability(row[f"p_falls[{size}]"]) for size in sizes),
        )
        for row in made.to_dict("records")
    ]
    decays, falls = ([f"{what}{size}" for size in sizes] for what in ("decay, ", "Pr(> 0), "))
    return _table(
        m,
        "Variants by exact evidence",
        ("variant", "log evidence", "difference", "weight", *decays, *falls),
        rows,
        numeric=tuple(range(1, 4 + 2 * len(sizes))),
        file="tables/evidence.csv",
        note="Difference to the default; weight: posterior probability of the variant, all being "
        "equally probable beforehand; decay: posterior mean, with the probability that it is above "
        "zero. No table is drawn, so that nothing here depends on a seed.",
    )


def _elpd_table(m: ReportData, elpds: pd.DataFrame) -> Table:
    rows = []
    weighed = bool(elpds["log_evidence"].notna().any())
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
                *([_nats(row["log_evidence"], 1)] if weighed else []),
            )
        )
    note = (
        f"Difference to the default, with its {100 * CI_PROB:g}% interval and the "
        "probability of being better (Bayesian bootstrap); stacking weight, with its "
        f"{100 * tables.WEIGHT_PROB:g}% bootstrap interval."
    )
    if weighed:
        note += (
            " Log evidence: of what was printed, averaged over the prior, by bridge sampling "
            "(Gronau et al. 2017); Monte Carlo error at most "
            f"{f.number(elpds['evidence_error'].max(), 2)}. It depends on the priors, elpd hardly."
        )
    return _table(
        m,
        "Variants by exact leave-one-out",
        (
            *("variant", "elpd", "difference", "interval", "Pr(better)", "weight", "interval"),
            *(["log evidence"] if weighed else []),
        ),
        rows,
        numeric=(1, 2, 3, 4, 5, 6, *([7] if weighed else [])),
        file="tables/elpd.csv",
        note=note,
    )


def _nats(value: float, decimals: int) -> str:
    """A log probability, or a difference of them."""
    if math.isinf(value):
        return "∞" if value > 0 else f"{f.MINUS}∞"
    return f.number(value, decimals)


def _units_table(m: ReportData, value: Comparison, own: pd.DataFrame) -> Table:
    ordered = own.sort_values("p_tail", kind="stable")
    rows = tuple(
        (
            str(row["unit"]),
            sentences.printed(row["printed"]),
            sentences.printed(row["median"]),
            f"{f.SPACE}to{f.SPACE}".join(sentences.printed(row[c]) for c in ("ci_low", "ci_high"))
            + "*" * row["outside"],
            _nats(row["lpd"], 2),
            f.number(row["lpd_error"], 2),
            "yes" if row["converged"] else "NO",
        )
        for row in ordered.to_dict("records")
    )
    interval = f"{100 * tables.CENTRAL:g}% interval"
    return _table(
        m,
        f"The default's predictions of each {value.unit_label} that it has not seen, the least "
        "likely first",
        (value.unit_label, "printed", "median", interval, "log Pr", "± MC", "refit converged"),
        rows,
        numeric=(1, 2, 3, 4, 5),
        file="tables/leave_one_out.csv",
        note=f"Printed, predicted median and central {interval} (* printed outside of it); log Pr: "
        "natural logarithm of the probability of what was printed; ± MC: its Monte Carlo "
        "error. The file has every variant.",
    )
