"""Sections that the report of every model has: tables and sentences into blocks of text.

A section that is the same for all takes only the report data; of the others the common part is
here, and a model puts in what it has to say itself. Numbers come from
:class:`~intlmodels.report.data.ReportData`, sentences from :mod:`intlmodels.results.wording`;
nothing is worked out here but how it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from intlmodels.checks.tables import influences, key_influences
from intlmodels.claims.ledger import summary, told_by_fits
from intlmodels.core import formats as f
from intlmodels.fitting.diagnostics import (
    CLEAR_AND_LEANING,
    EDGE_ERRORS,
    on_the_edge,
    probability_error,
)
from intlmodels.plots import checks, style
from intlmodels.plots.style import Figure
from intlmodels.report import render, rows
from intlmodels.report.blocks import Block, Box, Items, Paragraph, Picture, Section, Table
from intlmodels.report.checksentences import are, influence_sentence
from intlmodels.report.data import ReportData
from intlmodels.report.pages import Drawing, Values
from intlmodels.results import wording
from intlmodels.results.intervals import Compared
from intlmodels.results.wording import LEANING, marked, verdict, verdict_on

if TYPE_CHECKING:
    import pandas as pd


def picture(name: str, figure: Figure, caption: str, alt: str, failed: bool) -> Picture:
    """A figure, drawn, with its caption and what it says to those who hear it."""
    prefix = "Did not converge. " if failed else ""
    drawn = style.svg(figure)
    printed = style.printed(figure, drawn)
    return Picture(name, caption, prefix + alt, drawn, failed, printed)


def drawing(name: str, figure: Figure) -> Drawing:
    """A figure, drawn."""
    drawn = style.svg(figure)
    return Drawing(name, drawn, style.printed(figure, drawn))


def failure(m: ReportData) -> Values:
    """What failed: checks of the default fit, and variants."""
    checks = [] if m.passed else m.gates["default"].failures
    return {
        "failures": [
            {
                "label": r.label,
                "value": rows.check_value(r),
                "where": r.where or "all chains",
                "limit": f"{r.direction} {r.limit:g}",
                "hint": r.hint,
            }
            for r in checks
        ],
        "variants": f.listed(
            [name for name, gate in m.gates.items() if name != "default" and not gate.passed]
        ),
    }


def answer(
    m: ReportData, asked: str, sentences: Iterable[str], believed: str, beside: Sequence[str] = ()
) -> Section:
    """What was asked, the answer in a few sentences, and what became of the study's claims.

    ``believed`` names the sections that tell whether the fit may be believed; ``beside`` is what
    the data say of the answer without any fit.
    """
    rule = (
        f"Computed from the posterior. A direction is called clear when its probability is at "
        f"least {wording.CLEAR:g}; the data lean towards it from {wording.LEANING:g}; below "
        f"that these data cannot tell; on the edge is a probability within {EDGE_ERRORS} "
        "Monte Carlo errors of a limit, which another seed may place beyond it, and no direction "
        f"there is called clear. Whether the fit may be believed is told under {believed}."
    )
    said = [*sentences, *marked(_driven(m), m.passed)]
    blocks: list[Block] = [Box("What was asked", (asked,)), Items(tuple(said), ordered=True)]
    if beside:
        blocks.append(Paragraph(" ".join(beside)))
    if m.study.claims:
        blocks.append(Paragraph(summary(m.claims)))
        if said := told_by_fits(m.claims):
            blocks += [Paragraph("Of these claims the fits decide or lean to:"), Items(tuple(said))]
    return Section("answer", "The question and the answer", (*blocks, Paragraph(rule)))


def _driven(m: ReportData) -> list[str]:
    """What the most probable difference rests on; nothing where that was not computed."""
    found = m.check_results.influence.value
    parts = [] if found is None else key_influences(influences(found), 1)
    return [
        f"{influence_sentence(part, found, m.texts, most=1)} More under what drives this result."
        for part in parts
        if found is not None
    ]


def priors(m: ReportData, implied: Iterable[Block]) -> Section:
    """Priors, and what they imply before seeing data."""
    table = Table(
        "Priors",
        ("parameter", "prior", "from", "meaning"),
        tuple(rows.prior_rows(m)),
        note="from: default of the model, the study's study.toml, or the command line; follows: "
        "given by the other priors.",
    )
    return Section("priors", "Priors and what they imply before seeing data", (table, *implied))


def diagnostics(m: ReportData) -> Section:
    """The gate."""
    gate = m.gates["default"]
    # As many as were kept: large fits keep fewer than were asked for.
    number, each = (m.fit["posterior"].sizes[dim] for dim in ("chain", "draw"))
    verdict = "passed every check" if gate.passed else "DID NOT PASS and is not a posterior"
    text = f"The default fit, {number * each} draws in {number} chains, {verdict}."
    table = Table(
        "The gate: every check must pass",
        ("what is looked at", "value", "limit", "where", "outcome"),
        rows.gate_rows(gate.results),
        numeric=(1,),
        file="tables/diagnostics.csv",
        note="Each variant is held against the same gate.",
    )
    chains = picture(
        "chains",
        checks.drawn_chains(m.fit, m.parameters),
        "How the chains share the ranks of all draws, for the parameters with the largest R-hat. "
        "Level lines within the grey band say that the chains agree.",
        "Rank histograms, one line a chain, for the parameters that mixed worst. R-hat and "
        "effective sample sizes of every parameter are in tables/parameters.csv.",
        not m.passed,
    )
    return Section(
        "diagnostics", "Diagnostics", (Paragraph(text + _retried(m) + _decided(m)), table, chains)
    )


#: How settings are said that are changed for a second try.
_SETTINGS = {"target_accept": "target acceptance {:g}", "sweeps": "{} sweeps a draw"}


def _retried(m: ReportData) -> str:
    """That the fit is a second try, and with which settings."""
    retried = str(m.fit.attrs.get("retried", ""))
    if not retried:
        return ""
    asked = m.attribute("settings")
    used = m.attribute("settings_used") if "settings_used" in m.fit.attrs else asked
    changed = [
        _SETTINGS.get(name, f"{name} {{}}").format(value)
        for name, value in used.items()
        if value != asked.get(name)
    ]
    return f" It was fitted twice: {retried}; the draws shown are those of the second try" + (
        f", at {f.listed(changed)}." if changed else "."
    )


def _decided(m: ReportData) -> str:
    """How many draws it took to decide directions, and which of them are still on the edge."""
    drawn = ""
    if "settings_used" in m.fit.attrs:
        asked, used = (m.attribute(name)["draws"] for name in ("settings", "settings_used"))
        if used > asked:
            drawn = (
                f" Since a direction was on the edge of a limit, {used} draws were taken in each "
                f"chain in place of {asked}."
            )
    near = []
    for item in m.conclusions:
        positive = (item.draws > 0).reshape(-1)
        error = float(probability_error(positive, len(item.draws)))
        chance = max(positive.mean(), 1 - positive.mean())
        if item.direction and on_the_edge(float(chance), error, CLEAR_AND_LEANING):
            near.append(f"{item.name} ({f.probability(float(chance))})")
    if not near:
        return f"{drawn} No direction is on the edge of a limit."
    more = [f"{len(near) - MOST_NEAR} more"] if len(near) > MOST_NEAR else []
    return f"{drawn} On the edge of a limit {are(len(near))} {'; '.join(near[:MOST_NEAR] + more)}."


def prior_posterior(m: ReportData) -> Section:
    """What the data moved."""
    name = f.interval_name(m.prob)
    table = Table(
        f"Posterior beside prior ({name}s)",
        ("parameter", "posterior median", "interval", "prior median", "interval", "spread ratio"),
        rows.parameter_rows(m.parameters.head(rows.MOST_PARAMETERS)),
        numeric=(1, 2, 3, 4, 5),
        file="tables/parameters.csv",
        note="Spread ratio: width of the central 68% of the posterior over that of the prior. 1 "
        "means that the data said nothing about the parameter. On the logit scale unless the "
        "table of priors says otherwise.",
        failed=not m.passed,
    )
    figure = picture(
        "prior-posterior",
        checks.prior_posterior(m.fit),
        "Posterior (blue) against prior (grey) of the parameters, each on its own scale.",
        "Small histograms of prior and posterior of each parameter. The numbers are in the table.",
        not m.passed,
    )
    sentences = map(Paragraph, wording.prior_sentences(m.parameters))
    return Section("prior-posterior", "Posterior against prior", (*sentences, figure, table))


def variants(m: ReportData, what: str, more: Sequence[Block] = ()) -> Section:
    """The same results under other models.

    Parameters
    ----------
    m : ReportData
    what : str
        What the variants are, for the first sentence.
    more : sequence of Block
        Pictures and tables of several variants, where there are several.
    """
    first = f"{what} A conclusion that changes with them is a conclusion about the model."
    blocks: list[Block] = [
        Paragraph(first),
        Table(
            "What each variant changes",
            ("variant", "change", "converged"),
            rows.variant_rows(m),
            file="tables/variants.csv",
        ),
    ]
    left_out = [f"{item.variant} ({'; '.join(item.reasons)})" for item in m.stale]
    if left_out:
        blocks.append(Box("Left out, since the stored fit is not current", tuple(left_out)))
    if m.absent:
        text = f"Not fitted: {f.listed(m.absent)}. Run intlmodels fit with --variants all."
        blocks.append(Paragraph(text))
    if len(m.variants) > 1:
        blocks.append(Items(tuple(variant_sentences(m.comparison, m.compared))))
        blocks += [*more, *rows.own_parameters(m)]
    return Section("variants", "Variants side by side", tuple(blocks))


def variant_sentences(table: pd.DataFrame, compared: Compared) -> list[str]:
    """Whether the conclusions of the default hold in the variants that converged.

    ``table`` has the variants side by side; ``compared`` says which rows of it are held against
    each other.
    """
    names = list(dict.fromkeys(table["variant"]))
    default = names[0]
    rows = compared.rows(table)
    counts = table["comparable"].astype(bool) | (not compared.apart)
    usable = rows[rows["converged"].astype(bool) & counts[rows.index]]
    own = rows[rows["variant"] == default]
    others = [name for name in names[1:] if name in set(usable["variant"])]
    sentences: list[str] = []
    if others and len(own):
        sentences = _held_against(own, usable, others, compared)
    failed = list(dict.fromkeys(table.loc[~table["converged"].astype(bool), "variant"]))
    if failed:
        sentences.append(
            f"Did not converge and do not count: {f.listed([str(name) for name in failed])}."
        )
    only = list(dict.fromkeys(table.loc[~counts, "variant"]))
    if only:
        sentences.append(
            f"For comparison only: {f.listed([str(name) for name in only])}. {compared.apart}"
        )
    return marked(sentences, bool(own["converged"].all()) if len(own) else True)


def _held_against(
    own: pd.DataFrame, usable: pd.DataFrame, others: list[str], compared: Compared
) -> list[str]:
    by_key = {(row.variant, compared.key_of(row)): row for row in usable.itertuples(index=False)}
    turned, resized, revised, count = [], [], [], 0
    for row in own.itertuples(index=False):
        for name in others:
            other = by_key.get((name, compared.key_of(row)))
            if other is None:
                continue
            count += 1
            half = (row.ci_high - row.ci_low) / 2
            what = f"{compared.name(compared.key_of(row), compared.words)} in {name}"
            if verdict(row.p_direction) != verdict(other.p_direction):
                revised.append(
                    f"{what} ({verdict_on(other)}, probability of direction "
                    f"{f.probability(other.p_direction)}, instead of {verdict_on(row)})"
                )
            directed = max(row.p_direction, other.p_direction) >= LEANING
            if np.sign(row.median) != np.sign(other.median) and directed:
                turned.append(what)
            if abs(other.median - row.median) > half / 2:
                moved = f.number(other.median - row.median, compared.decimals)
                resized.append(f"{what} ({moved} {compared.unit})")
    if not count:
        return []
    scope = f"Over {f.counted(count, 'comparison')} in {f.counted(len(others), 'variant')}"
    return [
        f"{scope}, {_listing(revised, 'the verdict changes for', 'no verdict changes')}.",
        _listing(
            turned,
            "The sign turns where either fit has a direction to speak of, for",
            f"No sign turns where either fit has a probability of direction of {LEANING:g} or more",
        )
        + ".",
        _listing(
            resized,
            "The median moves by more than a quarter of the default's interval for",
            "No median moves by more than a quarter of the default's interval",
        )
        + ".",
    ]


#: Directions on the edge that are listed.
MOST_NEAR = 12


def _listing(found: list[str], some: str, none: str, most: int = 5) -> str:
    if not found:
        return none
    more = [f"{len(found) - most} more"] if len(found) > most else []
    return f"{some} {'; '.join(found[:most] + more)}"


def glossary(_m: ReportData) -> Values:
    """Words that the report explains."""
    return {"meanings": render.glossary()}


def limits(m: ReportData, computed: Iterable[str], more: Iterable[Block] = ()) -> Section:
    """What the study leaves open: computed from its fit, then in its author's words."""
    blocks: list[Block] = [Paragraph("Computed from this fit:"), Items(tuple(computed))]
    if m.study.limits:
        blocks += [Paragraph("From the study's own description:"), Items(m.study.limits)]
    return Section("limits", f"What these {m.firms} cannot tell", (*blocks, *more))
