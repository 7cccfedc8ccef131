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
from intlmodels.report import checkvalues, render, rows
from intlmodels.report.blocks import Block, Box, Items, Paragraph, Picture, Section, Table
from intlmodels.report.data import ReportData
from intlmodels.report.pages import Drawing, Values
from intlmodels.results import wording
from intlmodels.results.intervals import Compared
from intlmodels.results.wording import LEANING, verdict, verdict_on

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
    said = list(sentences)
    blocks: list[Block] = [Box("What was asked", (asked,)), Items(tuple(said), ordered=True)]
    if beside:
        blocks.append(Paragraph(" ".join(beside)))
    if m.study.claims:
        blocks.append(Paragraph(summary(m.claims)))
        if said := told_by_fits(m.claims):
            blocks += [Paragraph("Of these claims the fits decide or lean to:"), Items(tuple(said))]
    return Section("answer", "The question and the answer", (*blocks, Paragraph(rule)))


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


def diagnostics(m: ReportData) -> Values:
    """The gate, a second try if there was one, and directions on the edge."""
    # As many as were kept: large fits keep fewer than were asked for.
    chains, draws = (m.fit["posterior"].sizes[dim] for dim in ("chain", "draw"))
    asked = m.attribute("settings")
    used = m.attribute("settings_used") if "settings_used" in m.fit.attrs else asked
    results = m.gates["default"].results
    uniform = len({r.outcome for r in results}) == 1
    return {
        "draws": chains * draws,
        "chains": chains,
        "retried": str(m.fit.attrs.get("retried", "")),
        "changed": [
            _SETTINGS.get(name, f"{name} {{}}").format(value)
            for name, value in used.items()
            if value != asked.get(name)
        ],
        "draws_asked": asked["draws"],
        "draws_used": used["draws"],
        "near": _near(m),
        "rows": [row[: 4 if uniform else 5] for row in rows.gate_rows(results)],
        "uniform": uniform,
        "drawing": drawing("chains", checks.drawn_chains(m.fit, m.parameters)),
    }


#: How settings are said that are changed for a second try.
_SETTINGS = {"target_accept": "target acceptance {:g}", "sweeps": "{} sweeps per draw"}


def _near(m: ReportData) -> list[str]:
    """Directions that are on the edge of a limit, with their probability."""
    near = []
    for item in m.conclusions:
        positive = (item.draws > 0).reshape(-1)
        error = float(probability_error(positive, len(item.draws)))
        chance = float(max(positive.mean(), 1 - positive.mean()))
        if item.direction and on_the_edge(chance, error, CLEAR_AND_LEANING):
            near.append(f"{item.name} ({f.probability(chance)})")
    return near


def prior_posterior(m: ReportData) -> Values:
    """What the data moved."""
    return checkvalues.unmoved(m.parameters) | {
        "interval": f.interval_name(m.prob),
        "rows": [
            (f.in_words(name), *cells)
            for name, *cells in rows.parameter_rows(m.parameters.head(rows.MOST_PARAMETERS))
        ],
        "drawing": drawing("prior-posterior", checks.prior_posterior(m.fit)),
    }


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
    """Whether the conclusions of the default hold in the variants that converged."""
    return render.sentences("common/variants_text.md.j2", held(table, compared))


def held(table: pd.DataFrame, compared: Compared) -> Values:
    """Whether the conclusions of the default hold in the variants that converged.

    ``table`` has the variants side by side; ``compared`` says which rows of it are held against
    each other. For ``common/variants_text.md.j2``.
    """
    default = table["variant"].iloc[0]
    rows = compared.rows(table)
    counts = table["comparable"].astype(bool) | (not compared.apart)
    usable = rows[rows["converged"].astype(bool) & counts[rows.index]]
    own = rows[rows["variant"] == default]
    others = [name for name in dict.fromkeys(usable["variant"]) if name != default]
    by_key = {(row.variant, compared.key_of(row)): row for row in usable.itertuples(index=False)}
    turned, resized, revised, count = [], [], [], 0
    for row in own.itertuples(index=False):
        for name in others:
            other = by_key.get((name, compared.key_of(row)))
            if other is None:
                continue
            count += 1
            what = f"{compared.name(compared.key_of(row), compared.words)} in {name}"
            if verdict(row.p_direction) != verdict(other.p_direction):
                revised.append(
                    f"{what} ({verdict_on(other)}, {f.probability(other.p_direction)}; "
                    f"default {verdict_on(row)})"
                )
            directed = max(row.p_direction, other.p_direction) >= LEANING
            if np.sign(row.median) != np.sign(other.median) and directed:
                turned.append(what)
            if abs(other.median - row.median) > (row.ci_high - row.ci_low) / 4:
                moved = f.number(other.median - row.median, compared.decimals)
                resized.append(f"{what} ({moved} {compared.unit})")
    return {
        "comparisons": count,
        "others": len(others),
        "revised": revised,
        "turned": turned,
        "resized": resized,
        "leaning_from": f"{LEANING:g}",
        "failed": table.loc[~table["converged"].astype(bool), "variant"].unique().tolist(),
        "only": table.loc[~counts, "variant"].unique().tolist(),
        "why": compared.apart,
        "converged": bool(own["converged"].all()) if len(own) else True,
    }


def glossary(_m: ReportData) -> Values:
    """Words that the report explains."""
    return {"meanings": render.glossary()}


def limits(m: ReportData, computed: Iterable[str], more: Iterable[Block] = ()) -> Section:
    """What the study leaves open: computed from its fit, then in its author's words."""
    blocks: list[Block] = [Paragraph("Computed from this fit:"), Items(tuple(computed))]
    if m.study.limits:
        blocks += [Paragraph("From the study's own description:"), Items(m.study.limits)]
    return Section("limits", f"What these {m.firms} cannot tell", (*blocks, *more))
