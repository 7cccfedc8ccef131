"""What a report says, section by section: tables and sentences into blocks of text.

Here is what every model has. A section that is the same for all takes only the material; of the
others the common part is here, and a model puts in what it has to say itself. Numbers come from
:class:`~intlmodels.report.data.Material`, sentences from :mod:`intlmodels.results.wording`; nothing
is worked out here but how it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from intlmodels.claims.ledger import summary
from intlmodels.core import formats as f
from intlmodels.core.csvtable import csv_text
from intlmodels.report import figures, rows
from intlmodels.report.blocks import Block, Box, Items, Paragraph, Report, Section, Table
from intlmodels.report.data import Material, gather
from intlmodels.report.layout import layout_of, load
from intlmodels.report.variantsentences import variant_sentences
from intlmodels.results import wording
from intlmodels.study import Study


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
        subtitle=m.subtitle,
        sections=(),
        top=tuple(failure(m)),
        footer=f"Written by intlmodels {version} from the fit {m.stored[0].fingerprint}.",
        csv={n: csv_text(table) for n, table in m.csv_tables().items()} if tables else {},
    )
    places = layout_of(study.model).sections
    made = {name: load(places[name])(m) for name in names}
    return frame, {name: section for name, section in made.items() if section is not None}


def failure(m: Material) -> list[Block]:
    """The box at the top of the report of a fit that did not pass the gate."""
    blocks: list[Block] = []
    if not m.passed:
        failed = m.gates["default"].failures
        what = tuple(
            f"{r.label}: {rows.check_value(r)} ({r.where or 'all chains'}); it must "
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


def answer(m: Material, asked: str, sentences: Iterable[str], believed: str) -> Section:
    """What was asked, the answer in a few sentences, and what became of the study's claims.

    ``believed`` names the sections that tell whether the fit may be believed.
    """
    rule = (
        f"Computed from the posterior. A direction is called clear when its probability is at "
        f"least {wording.CLEAR:g}; the data lean towards it from {wording.LEANING:g}; below "
        f"that these data cannot tell. Whether the fit may be believed is told under {believed}."
    )
    blocks: list[Block] = [Box("What was asked", (asked,)), Items(tuple(sentences), ordered=True)]
    if m.study.claims:
        blocks.append(Paragraph(summary(m.claims)))
    return Section("answer", "The question and the answer", (*blocks, Paragraph(rule)))


def priors(m: Material, implied: Iterable[Block]) -> Section:
    """Priors, and what they imply before seeing data."""
    table = Table(
        "Priors",
        ("parameter", "prior", "from", "meaning"),
        tuple(rows.prior_rows(m)),
        note="from: default of the model, the study's study.toml, or the command line; follows: "
        "given by the other priors.",
    )
    return Section("priors", "Priors and what they imply before seeing data", (table, *implied))


def diagnostics(m: Material) -> Section:
    """The gate."""
    gate = m.gates["default"]
    settings = m.attribute("settings")
    count = settings["chains"] * settings["draws"]
    verdict = "passed every check" if gate.passed else "DID NOT PASS and is not a posterior"
    text = f"The default fit, {count} draws in {settings['chains']} chains, {verdict}."
    table = Table(
        "The gate: every check must pass",
        ("what is looked at", "value", "limit", "where", "outcome"),
        rows.gate_rows(gate.results),
        numeric=(1,),
        file="tables/diagnostics.csv",
        note="Each variant is held against the same gate.",
    )
    blocks = (Paragraph(text + _retried(m)), table, figures.chains(m))
    return Section("diagnostics", "Diagnostics", blocks)


#: How settings are said that are changed for a second try.
_SETTINGS = {"target_accept": "target acceptance {:g}", "sweeps": "{} sweeps a draw"}


def _retried(m: Material) -> str:
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


def prior_posterior(m: Material) -> Section:
    """What the data moved."""
    name = f.interval_name(m.prob)
    table = Table(
        f"Posterior beside prior ({name}s)",
        ("parameter", "posterior median", "interval", "prior median", "interval", "spread ratio"),
        rows.parameter_rows(m),
        numeric=(1, 2, 3, 4, 5),
        file="tables/parameters.csv",
        note="Spread ratio: width of the central 68 % of the posterior over that of the prior. 1 "
        "means that the data said nothing about the parameter. On the logit scale unless the "
        "table of priors says otherwise.",
        failed=not m.passed,
    )
    sentences = wording.prior_sentences(m.parameters)
    return Section(
        "prior-posterior",
        "Posterior against prior",
        (*map(Paragraph, sentences), figures.prior_posterior(m), table),
    )


def variants(m: Material, what: str, more: Sequence[Block] = ()) -> Section:
    """The same results under other models.

    Parameters
    ----------
    m : Material
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


def limits(m: Material, computed: Iterable[str], more: Iterable[Block] = ()) -> Section:
    """What the study leaves open: computed from its fit, then in its author's words."""
    blocks: list[Block] = [Paragraph("Computed from this fit:"), Items(tuple(computed))]
    if m.study.limits:
        blocks += [Paragraph("From the study's own description:"), Items(m.study.limits)]
    return Section("limits", f"What these {m.firms} cannot tell", (*blocks, *more))
