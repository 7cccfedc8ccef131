"""What a report says, section by section: tables and sentences into blocks of text.

Numbers come from :class:`~intlmodels.report.material.Material`, sentences from
:mod:`intlmodels.narrative`; nothing is worked out here but how it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from intlmodels import formats as f
from intlmodels import narrative
from intlmodels.narrativevariants import variant_sentences
from intlmodels.report import figures, shown
from intlmodels.report.blocks import Block, Box, Formula, Items, Paragraph, Report, Section, Table
from intlmodels.report.csvtext import csv_text
from intlmodels.report.formula import formula, symbols
from intlmodels.report.material import Material, gather
from intlmodels.report.provenance import reproduce, sources
from intlmodels.study import Study

#: Rows of the table of the data in the report itself.
MOST_FIRMS = 120


def sections_of(
    study: Study, folder: Path, names: Sequence[str], tables: bool = True
) -> tuple[Report, dict[str, Section]]:
    """Make some sections of a report from what is stored; the work of one process.

    Parameters
    ----------
    study : Study
    folder : Path
        With the stored fits.
    names : sequence of str
        Which sections.
    tables : bool
        Whether the CSV tables are made as well.

    Returns
    -------
    Report
        Without sections.
    dict of str to Section
        The sections by name.
    """
    m = gather(study, folder)
    version = m.attribute("versions")["intlmodels"]
    frame = Report(
        title=m.study.title,
        subtitle=f"{m.study.outcome.label}: {m.firms}, model {m.study.model}",
        sections=(),
        top=tuple(failure(m)),
        footer=f"Written by intlmodels {version} from the fit {m.stored[0].fingerprint}.",
        csv={n: csv_text(table) for n, table in m.csv_tables().items()} if tables else {},
    )
    return frame, {name: SECTIONS[name](m) for name in names}


def failure(m: Material) -> list[Block]:
    """The box at the top of the report of a fit that did not pass the gate."""
    blocks: list[Block] = []
    if not m.passed:
        failed = m.gates["default"].failures
        what = tuple(
            f"{r.label}: {shown.check_value(r.name, r.value)} ({r.where or 'all chains'}); it must "
            f"be {r.direction} {r.limit:g}. What helps: {r.hint}."
            for r in failed
        )
        last = (
            "The numbers below are what the draws say. They are not estimates: do not quote them."
        )
        blocks.append(Box("This fit did not converge", (*what, last), failed=True))
    others = [name for name, gate in m.gates.items() if name != "default" and not gate.passed]
    if others:
        blocks.append(
            Box(
                "Variants that did not converge",
                (f"{f.listed(others)}: marked wherever they are shown, and without weight.",),
                failed=True,
            )
        )
    return blocks


def answer(m: Material) -> Section:
    """What was asked, and the answer in three sentences."""
    sentences = _answer(m)
    asked = m.study.question or (
        f"How does {m.study.outcome.label} differ between the {f.plural(m.study.firm_label)}?"
    )
    rule = (
        f"Computed from the posterior. A direction is called clear when its probability is at "
        f"least {narrative.CLEAR:g}; the data lean towards it from {narrative.LEANING:g}; below "
        "that these data cannot tell. Whether the fit may be believed is told under diagnostics "
        "and under predictions against data."
    )
    blocks = (Box("What was asked", (asked,)), Items(tuple(sentences), ordered=True))
    return Section("answer", "The question and the answer", (*blocks, Paragraph(rule)))


def _answer(m: Material) -> list[str]:
    tables = (m.levels, m.differences, m.ranks, m.variation, m.average, m.checks)
    return narrative.answer(*tables, m.firms)


def data(m: Material) -> Section:
    """The tables as printed, and how they were read."""
    study, outcome = m.study, m.study.outcome
    text = (
        f"{outcome.label} of {m.firms}, printed in {outcome.unit} ({outcome.file}, column "
        f"{outcome.column}) and rounded to {outcome.width:g} percentage points. A printed number "
        "says no more than the interval that rounds to it; the model uses the interval."
    )
    blocks: list[Block] = [Paragraph(text), figures.data(m)]
    rows = shown.data_rows(m)[:MOST_FIRMS]
    note = ""
    if len(study.firms) > len(rows):
        note = f"The first {len(rows)} of {m.firms}."
    blocks.append(
        Table(
            "The data as printed, and the interval each printed share stands for",
            shown.data_header(m),
            rows,
            numeric=(1, 2),
            file="tables/data.csv",
            note=note,
        )
    )
    blocks += shown.readings(m)
    return Section("data", "The data as printed", tuple(blocks))


def model(m: Material) -> Section:
    """The model in mathematics."""
    study, width = m.study, m.study.outcome.width
    lines: Formula = formula(m.design, width)
    rows = symbols(m.design, width, study.firm_label, study.outcome.label)
    return Section(
        "model",
        "The model",
        (
            Paragraph(
                "The share itself is continuous; what is observed is the interval that rounds to "
                "the printed number. Effects add up on the logit scale. The effects of the levels "
                "of a predictor are drawn towards each other as far as the data allow (varying "
                "effects)."
            ),
            lines,
            Table("Symbols", ("symbol", "meaning"), tuple(rows)),
        ),
    )


def priors(m: Material) -> Section:
    """Priors, and what they imply before seeing data."""
    table = Table(
        "Priors",
        ("parameter", "prior", "from", "meaning"),
        tuple(shown.prior_rows(m)),
        note="from: default of the model, the study's study.toml, or the command line; follows: "
        "given by the other priors.",
    )
    implied = narrative.prior_predictive_sentence(*shown.prior_implied(m), m.firms)
    blocks: list[Block] = [table, Paragraph(implied)]
    between = narrative.prior_difference_sentences(m.prior_differences)
    if between:
        blocks.append(Items(tuple(between)))
    title = "Priors and what they imply before seeing data"
    return Section("priors", title, (*blocks, figures.prior_predictive(m)))


def diagnostics(m: Material) -> Section:
    """The gate."""
    gate = m.gates["default"]
    rows = tuple(
        (
            r.label,
            shown.check_value(r.name, r.value),
            f"{r.direction} {r.limit:g}",
            r.where or f.DASH,
            r.outcome,
        )
        for r in gate.results
    )
    settings = m.attribute("settings")
    count = settings["chains"] * settings["draws"]
    verdict = "passed every check" if gate.passed else "DID NOT PASS and is not a posterior"
    text = f"The default fit, {count} draws in {settings['chains']} chains, {verdict}."
    retried = str(m.fit.attrs.get("retried", ""))
    if retried:
        used = m.attribute("settings_used") if "settings_used" in m.fit.attrs else settings
        text += (
            f" It was fitted twice: {retried}; the draws shown are those of the second try, at "
            f"target acceptance {used['target_accept']:g}."
        )
    table = Table(
        "The gate: every check must pass",
        ("what is looked at", "value", "limit", "where", "outcome"),
        rows,
        numeric=(1,),
        file="tables/diagnostics.csv",
        note="Each variant is held against the same gate.",
    )
    return Section("diagnostics", "Diagnostics", (Paragraph(text), table, figures.chains(m)))


def prior_posterior(m: Material) -> Section:
    """What the data moved."""
    name = f.interval_name(m.prob)
    table = Table(
        f"Posterior beside prior ({name}s)",
        ("parameter", "posterior median", "interval", "prior median", "interval", "spread ratio"),
        shown.parameter_rows(m),
        numeric=(1, 2, 3, 4, 5),
        file="tables/parameters.csv",
        note="Spread ratio: width of the central 68 % of the posterior over that of the prior. 1 "
        "means that the data said nothing about the parameter. On the logit scale unless the "
        "table of priors says otherwise.",
        failed=not m.passed,
    )
    sentences = narrative.prior_sentences(m.parameters)
    return Section(
        "prior-posterior",
        "Posterior against prior",
        (*map(Paragraph, sentences), figures.prior_posterior(m), table),
    )


def estimates(m: Material) -> Section:
    """Levels, differences, ranks and variation."""
    name = f.interval_name(m.prob)
    failed = not m.passed
    text = (
        "In percent of the printed scale, computed draw by draw. A level's average sets every "
        f"{m.study.firm_label} to that level and leaves its other predictors as observed."
    )
    blocks: list[Block] = [Paragraph(text), *figures.estimates(m)]
    if len(m.levels):
        blocks.append(
            Table(
                f"Average expected printed share at each level ({name})",
                ("predictor", "level", "firms", "median", "interval"),
                shown.level_rows(m),
                numeric=(2, 3, 4),
                file="tables/estimates.csv",
                failed=failed,
            )
        )
        blocks += figures.differences(m)
        rows, note = shown.difference_rows(m)
        blocks.append(
            Table(
                f"Differences in percentage points ({name})",
                (
                    "predictor",
                    "difference",
                    "median",
                    "interval",
                    "probability of direction",
                    "verdict",
                ),
                rows,
                numeric=(2, 3, 4),
                file="tables/differences.csv",
                note=note,
                failed=failed,
            )
        )
    else:
        blocks.append(Paragraph(_answer(m)[0]))
    blocks += _ranks(m)
    blocks += _variation(m, name)
    return Section("estimates", "Estimates", tuple(blocks))


def _ranks(m: Material) -> list[Block]:
    if not len(m.ranks):
        return []
    table = Table(
        "Probability of the largest and of the smallest expected share",
        ("predictor", "level", "largest", "smallest"),
        shown.rank_rows(m),
        numeric=(2, 3),
        file="tables/ranks.csv",
        failed=not m.passed,
    )
    return [*figures.ranks(m), table]


def _variation(m: Material, name: str) -> list[Block]:
    if not len(m.variation):
        return [Paragraph("With this many predictors the variation is not split between them.")]
    table = Table(
        f"Variation of shares between firms by source, in percent ({name})",
        ("source", "median", "interval"),
        shown.variation_rows(m),
        numeric=(1, 2),
        file="tables/variation.csv",
        note="Shapley values of the variance of the firms' mean shares (Shorrocks 2013): the order "
        "in which predictors enter does not matter. A part below zero means that a predictor "
        "works against others that it goes together with.",
        failed=not m.passed,
    )
    return [*figures.variation(m), table]


def new_firms(m: Material) -> Section:
    """Predictions of firms that were not in the study."""
    own = bool(m.study.profiles)
    text = (
        "The profiles that the study asks for."
        if own
        else "The study asks for no profiles; these are those observed, the most common first."
    )
    text += (
        " The expected share is known as far as the parameters are; what a single firm prints "
        "scatters around it."
    )
    table = Table(
        f"A new {m.study.firm_label} of each profile, in percent ({f.interval_name(m.prob)}s)",
        ("profile", "expected share", "interval", "printed share", "interval"),
        shown.new_firm_rows(m),
        numeric=(1, 2, 3, 4),
        file="tables/new_firms.csv",
        failed=not m.passed,
    )
    return Section("new-firms", "New firms", (Paragraph(text), figures.new_firms(m), table))


def predictions(m: Material) -> Section:
    """Data predicted by the fit against the data."""
    table = Table(
        f"Features of the data, observed and predicted ({f.interval_name(m.prob)})",
        ("feature", "observed", "predicted median", "interval", "Pr(larger)"),
        shown.check_rows(m),
        numeric=(1, 2, 3, 4),
        file="tables/checks.csv",
        note="Pr(larger): probability that predicted data have a larger value, ties counted half "
        "(posterior predictive p-value).",
        failed=not m.passed,
    )
    sentences = narrative.misfit_sentences(m.checks)
    return Section(
        "predictions",
        "Predictions against data on the printed grid",
        (*map(Paragraph, sentences), figures.predictions(m), table),
    )


def variants(m: Material) -> Section:
    """The same results under other models."""
    blocks: list[Block] = [
        Paragraph(
            "Other readings of the same tables, and other laws for the shares. A conclusion that "
            "changes with them is a conclusion about the model."
        )
    ]
    blocks.append(
        Table(
            "What each variant changes",
            ("variant", "change", "converged"),
            shown.variant_rows(m),
            file="tables/variants.csv",
            note="",
        )
    )
    left_out = [f"{item.variant} ({'; '.join(item.reasons)})" for item in m.stale]
    if left_out:
        blocks.append(Box("Left out, since the stored fit is not current", tuple(left_out)))
    if m.absent:
        text = f"Not fitted: {f.listed(m.absent)}. Run intlmodels fit with --variants all."
        blocks.append(Paragraph(text))
    if len(m.variants) > 1:
        blocks.append(Items(tuple(variant_sentences(m.comparison))))
        blocks += figures.variants(m)
        blocks += shown.variant_tables(m)
        blocks += shown.only_in_variants(m)
    return Section("variants", "Variants side by side", tuple(blocks))


def limits(m: Material) -> Section:
    """What the study leaves open."""
    sentences = narrative.cannot_tell(m.levels, m.differences, m.parameters, m.crossings, m.firms)
    blocks: list[Block] = [
        Paragraph("Computed from this fit:"),
        Items(tuple(sentences)),
    ]
    if m.study.limits:
        blocks += [Paragraph("From the study's own description:"), Items(m.study.limits)]
    missing = int(np.isnan(m.fit["constant_data"]["design"].to_numpy()).any(axis=1).sum())
    if missing:
        blocks.append(Paragraph(f"Firms with a missing covariate, which is estimated: {missing}."))
    return Section("limits", f"What these {m.firms} cannot tell", tuple(blocks))


#: The sections in their order.
SECTIONS: dict[str, Callable[[Material], Section]] = {
    "answer": answer,
    "data": data,
    "model": model,
    "priors": priors,
    "diagnostics": diagnostics,
    "prior_posterior": prior_posterior,
    "estimates": estimates,
    "new_firms": new_firms,
    "predictions": predictions,
    "variants": variants,
    "limits": limits,
    "reproduce": reproduce,
    "sources": sources,
}
