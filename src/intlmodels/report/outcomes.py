"""The section of further outcomes in a report of shares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from intlmodels.core import formats as f
from intlmodels.models import design_of
from intlmodels.models.share.design import fixed_priors
from intlmodels.plots import share, sharedata
from intlmodels.report import sharesentences
from intlmodels.report.blocks import Block, Items, Paragraph, Section, Table
from intlmodels.report.data import ShareReportData
from intlmodels.report.formula import share_formula
from intlmodels.report.rows import difference_rows, estimate, feature_table, level_rows
from intlmodels.report.sections import picture
from intlmodels.results import groups as tables
from intlmodels.results import share as results
from intlmodels.results import wording
from intlmodels.results.intervals import clearest, converged
from intlmodels.studies import FurtherOutcome, Order

if TYPE_CHECKING:
    from xarray import DataTree


#: Rows of tables of one outcome in the report itself; the file has them all.
MOST_ROWS, MOST_DIFFERENCES = 40, 10
#: Outcomes shown with figure and tables; of further ones the report has sentences.
MOST_SHOWN = 3


def outcomes(m: ShareReportData) -> Section | None:
    """Further outcomes: how they were read, what goes with them, and with the share."""
    if not m.study.outcomes:
        return None
    across, by = tables.crossing(m.study)
    title = across.label if by is None else f"{across.label} and {_lower(by.label)}"
    kinds = {item.kind for item in m.study.outcomes.values()}
    laws = [
        *(["ordered levels by a cumulative logit"] if "ordered" in kinds else []),
        *(["yes or no by a logit"] if "binary" in kinds else []),
    ]
    text = (
        f"Beside the share, the tables tell more of the same {m.firms}: "
        f"{f.listed([_lower(item.label) for item in m.study.outcomes.values()])}. Each is "
        f"explained in a fit of its own by the predictors of the share: {', '.join(laws)}. These "
        "fits are no variants of the share: they are not set beside it, nor compared by "
        "leave-one-out, nor part of its sensitivity."
    )
    blocks: list[Block] = [Paragraph(text), Items(tuple(_states(m)))]
    shown = [*m.study.outcomes][:MOST_SHOWN]
    for name in shown:
        blocks += _reading(m, m.study.outcomes[name])
    blocks += _crossed(m, across, by)
    blocks += _with_share(m)
    shown_kinds: set[str] = set()
    for name, fit in _own(m).items():
        item = m.study.outcomes[name]
        if name not in shown:
            blocks += _told(m, item, fit)
            continue
        blocks += _model(m, item, fit, item.kind not in shown_kinds)
        blocks += _estimates(m, item, fit)
        blocks += _orders(m, item, fit)
        shown_kinds.add(item.kind)
    blocks += _predicted(m)
    return Section("outcomes", title, tuple(blocks))


def _own(m: ShareReportData) -> dict[str, DataTree]:
    """Fits of the outcomes themselves, without those of other orders of their levels."""
    return {name: fit for name, fit in m.further.items() if name in m.study.outcomes}


def _orders(m: ShareReportData, item: FurtherOutcome, fit: DataTree) -> list[Block]:
    """The same differences with the levels in other orders, where variants have them."""
    orders = {
        name: spec.outcome
        for name, spec in m.study.variants.items()
        if isinstance(spec, Order) and spec.of == item.name and name in m.further
    }
    if not orders:
        return []
    fits = {item.name: fit, **{name: m.further[name] for name in orders}}
    every = {name: results.differences(own, m.prob) for name, own in fits.items()}
    shown = clearest(every[item.name], MOST_DIFFERENCES)
    lines = {name: list(table.itertuples(index=False)) for name, table in every.items()}
    rows = tuple(
        (
            row.label,
            f"{row.level} {f.MINUS} {row.against}",
            *(
                f"{estimate(own[i], f.decimals_for(own[i].ci_high - own[i].ci_low))}, "
                f"{f.probability(own[i].p_direction)}"
                for own in lines.values()
            ),
        )
        for i, row in zip(shown.index, shown.itertuples(index=False), strict=True)
    )
    changed = {
        name: sum(
            wording.verdict(one) != wording.verdict(other)
            for one, other in zip(
                table["p_direction"], every[item.name]["p_direction"], strict=True
            )
        )
        for name, table in every.items()
    }
    said = [
        f"{name} ({', '.join(levels.levels)}): {changed[name] or 'no'} "
        f"{'verdict' if changed[name] == 1 else 'verdicts'} of {len(every[name])} "
        f"{'changes' if changed[name] == 1 else 'change'}."
        for name, levels in orders.items()
    ]
    return [
        Paragraph(f"{item.label}: other orders of its levels."),
        Items(tuple(said)),
        Table(
            f"{item.label}: the same differences in other orders of its levels, in stages: median "
            f"({f.interval_name(m.prob)}), probability of direction",
            ("predictor", "difference", *fits),
            rows,
            file="tables/outcomes.csv",
            failed=not all(converged(own) for own in fits.values()),
        ),
    ]


def _lower(label: str) -> str:
    return label[:1].lower() + label[1:]


def _states(m: ShareReportData) -> Iterator[str]:
    """What the gate says of each fit."""
    stale = {item.variant: item.reasons for item in m.stale}
    for name, item in m.study.outcomes.items():
        what = f"{item.label} (fit {name})"
        if name in m.gates:
            found = m.further[name].attrs
            settings = json.loads(found.get("settings_used", found["settings"]))
            count = settings["chains"] * settings["draws"]
            passed = m.gates[name].passed
            verdict = "passed every check" if passed else "DID NOT PASS and is not a posterior"
            yield f"{what}: {count} draws in {settings['chains']} chains, {verdict}."
        elif name in stale:
            why = "; ".join(stale[name])
            yield f"{what}: left out, since the stored fit is not current ({why})."
        else:
            yield f"{what}: not fitted. Run intlmodels fit with --variants all."


def _reading(m: ShareReportData, item: FurtherOutcome) -> list[Block]:
    """What was read as what."""
    table = tables.readings(m.study, item)
    noted = bool(table["note"].astype(bool).any())
    rows = tuple(
        (row.level, row.printed, str(row.count), row.firms, *([row.note] if noted else []))
        for row in list(table.itertuples(index=False))[:MOST_ROWS]
    )
    order = "lowest first, " if item.kind == "ordered" else ""
    place = f"{item.file}, {f.listed([*item.columns])}"
    note = f"{item.note.rstrip('.')}. " if item.note else ""
    if item.missing:
        gone = f.listed([firm for firm, _ in item.missing][:30])
        told = any(text for text, known in zip(item.printed, item.known, strict=True) if not known)
        why = "what is printed does not tell" if told else "nothing is printed"
        note += f"Left out of this fit, since {why}: {gone}. "
    return [
        Table(
            f"{item.label}: {order}what was read as what ({place})",
            ("read as", "printed", "firms", "which", *(["why"] if noted else [])),
            rows,
            numeric=(2,),
            file="tables/outcomes_data.csv",
            note=note.strip(),
        )
    ]


def _crossed(m: ShareReportData, across: FurtherOutcome, by: FurtherOutcome | None) -> list[Block]:
    """Firms and shares by both outcomes: numbers of these firms, no estimates."""
    table = tables.cross_table(m.study)
    groups = list(dict.fromkeys(table["by"]))
    cells = {(row.level, row.by): row for row in table.itertuples(index=False)}
    rows = tuple(
        (level, *(_cell(cells[level, group]) for group in groups)) for level in across.levels
    )
    pairs = tables.rank_correlations(m.study)
    said = tuple(
        f"{row.a} and {_lower(row.b)}: {f.number(row.correlation, 2)}"
        for row in pairs.itertuples(index=False)
    )
    beside = "" if by is None else f" and {_lower(by.label)}"
    return [
        Table(
            f"Firms by {_lower(across.label)}{beside}: how many, and the median (range) of their "
            "printed shares in percent",
            (_lower(across.label), *(group or "all firms" for group in groups)),
            rows,
            file="tables/outcomes_crossed.csv",
        ),
        Paragraph(
            "Spearman's rank correlations between what is printed of these firms (a description, "
            "not an estimate of anything beyond them):"
        ),
        Items(said),
    ]


def _cell(row: object) -> str:
    count, median, low, high = (getattr(row, n) for n in ("firms", "median", "lowest", "highest"))
    if not count:
        return f.DASH
    median, low, high = (f"{value:g}" for value in (median, low, high))
    spread = f" ({low}{f.SPACE}to{f.SPACE}{high})" if count > 1 else ""
    return f"{count}: {median}{spread}"


def _with_share(m: ShareReportData) -> list[Block]:
    """The further outcomes as predictors of the share."""
    across, by = tables.crossing(m.study)
    blocks: list[Block] = []
    drawn: DataTree | None = None
    for item in m.study.outcomes.values():
        variant = tables.added_to_share(m.study, item.name)
        if variant not in m.variants:
            continue
        fit = m.variants[variant]
        drawn = fit if item is across else drawn
        said = sharesentences.with_share(
            *tables.share_by_level(fit, item.name, m.prob), item, variant
        )
        blocks.append(Items(tuple(said)))
    marks = "" if by is None else f"; marks by {_lower(by.label)}"
    beside = "" if drawn is None else "; beside them the expected share at each level"
    failed = drawn is not None and not converged(drawn)
    shown = picture(
        "outcomes-shares",
        sharedata.outcome_shares(m.study, drawn, m.prob),
        f"{m.study.outcome.label} of each {m.study.firm_label}, by {_lower(across.label)}{marks}"
        f"{beside}.",
        "Points with the intervals that round to the printed shares, one column a level. The "
        "numbers are in tables/outcomes_data.csv and tables/data.csv.",
        failed,
    )
    return [shown, *blocks]


# -- one outcome -------------------------------------------------------------------------


def _model(m: ShareReportData, item: FurtherOutcome, fit: DataTree, first: bool) -> list[Block]:
    """Formula of the first outcome of each kind, and priors."""
    design = design_of(m.study, item.name)
    written = json.loads(fit.attrs["priors"])
    priors = [f"{name} ~ {prior['text']}" for name, prior in written.items()]
    priors += [f"{name} ~ {text}" for name, text, _ in fixed_priors(design) if "(" in text]
    if item.kind == "ordered":
        how = "c is the cutpoint above level k, the logit of the sum of baseline up to it; baseline"
        how += " are the probabilities of the levels of a firm whose effects are zero."
    else:
        how = f"y is 1 for {item.levels[1]}, 0 for {item.levels[0]}."
    text = f"Priors: {'; '.join(priors)}."
    if not first:
        return [Paragraph(f"{item.label} (fit {item.name}). The same model; {how} {text}")]
    return [
        Paragraph(f"{item.label} (fit {item.name}). In the formula {how}"),
        share_formula(design, m.study.outcome.width),
        Paragraph(text),
    ]


def _estimates(m: ShareReportData, item: FurtherOutcome, fit: DataTree) -> list[Block]:
    """Levels and differences of the fit of one outcome."""
    measured = results.measured(fit)
    failed = not converged(fit)
    levels, differences = results.levels(fit, m.prob), results.differences(fit, m.prob)
    firms = f.counted(int(item.known.sum()), m.study.firm_label)
    said = sharesentences.can_tell(differences, measured, item, firms)
    name = f.interval_name(m.prob)
    unit = "in percent" if measured.percent else f"in stages: {measured.key}"
    blocks: list[Block] = [Items(tuple(said))] if said else []
    if not len(levels):
        return blocks
    blocks += [
        picture(
            f"outcomes-{item.name}",
            share.estimates(fit, None, m.prob),
            f"{item.label}: average {measured.what} at each level of each predictor, the others as "
            f"observed: median, 50% and {name}.",
            "Dots with intervals. The numbers are in the table.",
            failed,
        ),
        Table(
            f"{item.label}: average {measured.what} at each level ({name}), {unit}",
            ("predictor", "level", "firms", "median", "interval"),
            level_rows(levels, MOST_ROWS),
            numeric=(2, 3, 4),
            file="tables/outcomes.csv",
            failed=failed,
        ),
        *_reached(m, item, fit),
        Table(
            f"{item.label}: the clearest differences in {measured.points} ({name})",
            ("predictor", "difference", "median", "interval", "probability of direction"),
            difference_rows(differences, MOST_DIFFERENCES),
            numeric=(2, 3, 4),
            file="tables/outcomes.csv",
            failed=failed,
        ),
    ]
    return blocks


def _told(m: ShareReportData, item: FurtherOutcome, fit: DataTree) -> list[Block]:
    """One outcome in sentences; its readings and estimates are in the files."""
    firms = f.counted(int(item.known.sum()), m.study.firm_label)
    at = np.bincount(item.codes[item.known], minlength=len(item.levels))
    held = f.listed([f"{level} {n}" for level, n in zip(item.levels, at, strict=True)])
    told = sharesentences.can_tell(
        results.differences(fit, m.prob), results.measured(fit), item, firms
    )
    files = (
        f"{item.label} (fit {item.name}): {held} of {firms}. How the labels were read is in "
        "tables/outcomes_data.csv, all estimates are in tables/outcomes.csv."
    )
    return [Paragraph(" ".join([files, *wording.marked(told, converged(fit))]))]


def _reached(m: ShareReportData, item: FurtherOutcome, fit: DataTree) -> list[Block]:
    """Probability of each level of an ordered outcome, or of one beyond it."""
    table = tables.reached(fit, m.prob)
    if not len(table):
        return []
    each = table["median"].to_numpy().reshape(-1, len(item.levels) - 1)
    names = table[["label", "level"]].iloc[:: len(item.levels) - 1]
    rows = tuple(
        (label, level, *(f.number(value, 0) for value in values))
        for (label, level), values in list(zip(names.to_numpy(), each, strict=True))[:MOST_ROWS]
    )
    return [
        Table(
            f"{item.label}: probability of this level or one beyond it, in percent (medians)",
            ("predictor", "level", *item.levels[1:]),
            rows,
            numeric=tuple(range(2, 1 + len(item.levels))),
            file="tables/outcomes.csv",
            note="Intervals are in the file.",
            failed=not converged(fit),
        )
    ]


def _predicted(m: ShareReportData) -> list[Block]:
    """Observed against predicted frequencies."""
    import pandas as pd

    if not _own(m):
        return []
    blocks: list[Block] = []
    for name, fit in _own(m).items():
        frequencies, averages = tables.frequencies(fit, m.prob), tables.averages(fit, m.prob)
        found = pd.concat([frequencies, averages], ignore_index=True)
        label, unit = m.study.outcomes[name].label, results.measured(fit).unit
        said = wording.misfit_sentences(found, sharesentences.feature_decimals)
        blocks += [Paragraph(f"{label}: {_lower(text)}") for text in said]
        if name not in [*m.study.outcomes][:MOST_SHOWN]:
            continue
        blocks.append(
            feature_table(
                m,
                f"{label}: firms at each level, and averages by predictor ({unit})",
                found,
                sharesentences.feature_decimals,
                file="tables/outcomes.csv",
                failed=not converged(fit),
            )
        )
    shown = picture(
        "outcomes-frequencies",
        sharedata.frequencies(_own(m), m.prob),
        "Firms at each level, as printed and as predicted by the fits of these outcomes.",
        "Diamonds for what is printed beside predictive intervals. The numbers are in the tables.",
        not all(converged(fit) for fit in _own(m).values()),
    )
    return [shown, *blocks]
