"""Sections of the appendix of the decay model: counts, decisions or a register of them."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from intlmodels.audit import attribute_conflicts, common_counts, conflict_sentences
from intlmodels.audit.attributes import MORE, NONE
from intlmodels.core import formats as f
from intlmodels.models.decay.estimands import FALL_AFTER, MOST_ENTRIES
from intlmodels.plots import counts as countplots
from intlmodels.plots import decay as plots
from intlmodels.report import checkvalues
from intlmodels.report import rows as r
from intlmodels.report.data import DecayReportData
from intlmodels.report.formula import decay_formula, decay_symbols
from intlmodels.report.pages import Values
from intlmodels.report.rows import Rows, median_and_interval, prior_cell, variant_title
from intlmodels.report.sections import drawing
from intlmodels.results.attributes import BOUNDED, KNOWN, NOT_IDENTIFIED
from intlmodels.results.decay import group_name
from intlmodels.results.wording import LEANING, hardly_moved, verdict_on
from intlmodels.studies.orders import in_words

if TYPE_CHECKING:
    from intlmodels.audit import Audit
    from intlmodels.audit.attributes import AttributeAudit
    from intlmodels.studies import SequenceStudy
    from intlmodels.studies.counts import Count

#: Sizes of firms whose results are in sentences, the clearest first; tables have all.
MOST_SIZES = 3
#: Earlier decisions at which the table of the curves stops.
ENTRIES = (0, 1, 2, 3, FALL_AFTER, 10, 15)
#: Contradictions that the report itself lists, and repairs.
MOST_CONFLICTS, MOST_REPAIRS = 8, 8
#: Levels of terms, and differences between them, in the tables of the report itself.
MOST_LEVELS, MOST_DIFFERENCES = 40, 20
#: Levels of attributes with fewer decisions are in the file only.
FEWEST_OF_LEVEL = 5
#: Kinds of firms of a register in the table of the report itself.
MOST_KINDS = 30


# -- words and numbers -------------------------------------------------------------------


def nouns(m: DecayReportData) -> Values:
    """What the study calls things, and after how many decisions curves are compared."""
    study = m.study
    firm, event = study.firm_label, study.event
    return {
        "firm": firm,
        "firms_noun": f.plural(firm),
        "event": event,
        "events": f.plural(event),
        "an_event": f.a(event),
        "flag": study.flag_label,
        "after": str(FALL_AFTER),
    }


def decimals(low: float, high: float, usual: int) -> int:
    """The usual decimals, or more where an interval is too narrow for them."""
    width = high - low
    return usual if width >= 2 * 10**-usual else max(usual, f.decimals_for(width))


def percent(row: Any) -> str:
    """A percentage with its interval."""
    return r.estimate(row, decimals(row.ci_low, row.ci_high, 0), "%")


def median_and_span(row: Any) -> str:
    """An estimate in log odds with its interval."""
    return r.estimate(row, decimals(row.ci_low, row.ci_high, 2))


def bound(low: float, high: float) -> str:
    """What a number can be: one value, or from the least to the greatest."""
    if low != low:
        return f.DASH
    if low == high:
        return f.number(low, 0)
    end = f"to {f.number(high, 0)}" if high < float("inf") else "or more"
    return f"{f.number(low, 0)} {end}"


def falls(m: DecayReportData) -> list[Any]:
    """Falls by size, the likeliest direction first."""
    rows = [row for row in m.slopes.itertuples(index=False) if row.quantity == "fall"]
    return sorted(rows, key=lambda row: -row.p_direction)


def firms_by_size(m: DecayReportData) -> dict[str, int]:
    """Size -> number of firms."""
    if m.register is None:
        constant = m.fit["constant_data"]
        sizes = [str(size) for size in constant["size"].to_numpy()]
        number = np.bincount(constant["size_of_firm"].to_numpy(), minlength=len(sizes))
    else:
        counts, sizes = m.register.sequences, [*m.register.size_labels]
        number = np.bincount(counts.size, counts.firms, len(sizes)).astype(np.int64)
    return dict(zip(sizes, map(int, number), strict=True))


# -- the counts --------------------------------------------------------------------------


@dataclass(frozen=True)
class CountRow:
    """A published count as tables show it; ``held`` is the probability that it is right."""

    id: str
    text: str
    where: str
    printed: str
    likeliest: str
    probability: str
    held: float

    @property
    def cells(self) -> tuple[str, ...]:
        """For a table."""
        text = f"{self.text} ({self.id})"
        return (text, self.where or f.DASH, self.printed, self.likeliest, self.probability)

    @property
    def values(self) -> Values:
        """For a sentence."""
        names = ("id", "text", "printed", "likeliest", "probability")
        return {"start": f.capital(self.text), **{name: getattr(self, name) for name in names}}


def count_rows(m: DecayReportData) -> list[CountRow]:
    """Every published count: what it counts, as printed, and what it most likely was."""
    # A column, since tuples have a method ``count``.
    table = m.true_counts.set_index("count")
    rows = []
    for count in m.study.counts:
        printed = _relation(count) + str(count.value) + " each" * count.each
        likeliest, probability, held = str(count.value), "certain", 1.0
        if not count.hard and count.id in table.index:
            row = table.loc[count.id]
            held = float(row["p_held"])
            likeliest, probability = str(row["likeliest"]), f.probability(held)
        elif count.each:  # one number of each firm
            own = table.loc[table.index.str.startswith(f"{count.id}["), "likeliest"].unique()
            likeliest = f"{min(own)} to {max(own)}" if len(own) > 1 else str(*own)
        text = count.text or subset(count, m)
        rows.append(CountRow(count.id, text, count.where, printed, likeliest, probability, held))
    return rows


def _relation(count: Count) -> str:
    return "" if count.relation == "equal" else f"{count.relation} "


def subset(count: Count, m: DecayReportData) -> str:
    """The decisions that a count counts, in words, where the study gives none."""
    study, flag = m.study, f" {m.study.flag_label}"
    if len(count.flags) > 1:
        flag = ""
    elif count.flags == ("no",):
        flag = f" not{flag}"
    who = f"all {f.plural(study.firm_label)}"
    if len(count.firms) < len(study.firms):
        who = f.listed(list(count.firms))
    when = ""
    if len(count.periods) < len(study.periods):
        when = f", {f.listed(list(count.periods))}"
    return f"{f.plural(study.event)}{flag} of {who}{when}"


def conflicts(m: DecayReportData) -> Values:
    """Whether the counts can all be true, and the cheapest repairs with their probability."""
    table = m.repairs
    chance = dict(zip(table["repair"], table["probability"], strict=True))
    repairs = []
    for repair in m.audit.all_repairs[:MOST_REPAIRS]:
        name = ", ".join(f"{count} = {value}" for count, value in repair.changes.items())
        known = f.probability(chance[name]) if name in chance else ""
        repairs.append({**_changes(m.audit, repair), "probability": known})
    rest = 1 - float(table["probability"].sum())
    return {
        **contradiction(m.audit),
        "repairs": repairs,
        "rest": f.probability(rest) if len(table) else "",
    }


def contradiction(found: Audit) -> Values:
    """Whether the counts can all be true, and what it would take; for reports and papers."""
    if found.consistent:
        return {"contradictions": 0, "counts": str(len(found.rows.counts))}
    repairs = [_changes(found, repair) for repair in found.repairs]
    return {
        "contradictions": len(found.conflicts),
        "common": common_counts(found),
        "counts": str(len(found.rows.counts)),
        "least": str(min(len(repair["changes"]) for repair in repairs)),
        "cost": str(found.repairs[0].cost),
        "cheapest": repairs,
    }


def _changes(found: Audit, repair: Any) -> Values:
    counts = {count.id: count for count in found.rows.counts}
    return {
        "cost": str(repair.cost),
        "changes": [
            {
                "id": name,
                "text": counts[name].text,
                "printed": str(counts[name].value),
                "value": str(new),
            }
            for name, new in repair.changes.items()
        ],
    }


def audit(m: DecayReportData) -> Values | None:
    """Whether the counts can all be true, and what they imply; nothing without counts."""
    if not m.latent:
        return None
    found = m.audit
    values = conflicts(m)
    if found.consistent:
        return values
    said, ids = conflict_sentences(found), [count.id for count in m.study.counts]
    number = len(found.rows.counts)
    sizes = [number - len(out) for out in found.subsets.left_out]
    return {
        **values,
        "shortest": said[:MOST_CONFLICTS],
        "shown": str(min(len(said), MOST_CONFLICTS)),
        "more": max(0, len(said) - MOST_CONFLICTS),
        "matrix": drawing("conflicts", countplots.conflicts(ids, found.conflicts)),
        "drawn": str(min(len(said), countplots.MOST_CONFLICTS)),
        "together": str(max(sizes)),
        "ways": f.counted(sizes.count(max(sizes)), "way"),
        "largest": str(len(sizes)),
    }


# -- the data ----------------------------------------------------------------------------


def data(m: DecayReportData) -> Values:
    """The counts as reported and as read, the decisions, or a register as counts."""
    study = m.study
    values = {
        **nouns(m),
        "latent": m.latent,
        "register": m.register is not None,
        "total": f"{study.total:,}",
        "firms": m.firms,
        **r.changed(study),
    }
    if m.register is not None:
        return {**values, **_register_data(m, m.register)}
    values["drawing"] = drawing("data", countplots.decisions(m.fit))
    if not m.latent:
        return values
    counts = count_rows(m)
    return {
        **values,
        "rho": f"{study.rho:g}",
        "rows": [row.cells for row in counts],
        "orders": [
            (
                order.firm,
                in_words(order, study.periods),
                order.where or f.DASH,
                "certain" if order.hard else "may be off",
            )
            for order in study.orders
        ],
    }


def _register_data(m: DecayReportData, study: SequenceStudy) -> Values:
    """What was read, as counts."""
    read, kinds = study.read, m.kinds_of_firms(study)
    return {
        "drawing": drawing("data", plots.data(m.fit)),
        "files": f"{read.files:,} ({study.files})",
        "rows": f"{read.rows:,}",
        "sequences": f"{read.sequences:,}",
        "longest": f"{study.longest:,}",
        "kinds": f"{len(study.sequences.firms):,}",
        "ties": f"{read.ties:,}",
        "bad": read.bad,
        "fellows": f"{read.fellows:,}" if read.bad or read.fellows else "",
        "firms_aside": f"{read.firms_aside:,}",
        "broken": read.broken,
        "header": [*map(str, kinds.columns)],
        "shown": f"{min(MOST_KINDS, len(kinds)):,}",
        "table_rows": [
            (size, *(f"{value:,}" for value in numbers))
            for size, *numbers in kinds.head(MOST_KINDS).itertuples(index=False)
        ],
    }


# -- model and priors --------------------------------------------------------------------


def model(m: DecayReportData) -> Values:
    """The model in mathematics."""
    study = m.study
    return {
        **nouns(m),
        "latent": m.latent,
        "register": m.register is not None,
        "concentration": f"{study.concentration:g}" if m.latent else "",
        "formula_lines": decay_formula(m.design),
        "symbols": decay_symbols(m.design, study.firm_label, study.event, study.flag_label),
    }


def priors(m: DecayReportData) -> Values:
    """Priors, and the curves that they imply before seeing data."""
    implied = {}
    for size, own in m.prior_curves.groupby("size", sort=False):
        first, later = (
            percent(next(own[own["entries"] == at].itertuples(index=False)))
            for at in (0, FALL_AFTER)
        )
        group = group_name(str(size), m.study.firm_label)
        implied[str(size)] = {"group": group, "first": first, "later": later}
    return {**nouns(m), "rows": r.prior_rows(m), "implied": implied}


# -- estimates ---------------------------------------------------------------------------


def estimates(m: DecayReportData) -> Values:
    """Curves, falls and halving, predictors, and experience against calendar time."""
    values = {
        **nouns(m),
        "interval": f.interval_name(m.prob),
        "curve_rows": _curve_rows(m),
        "slope_rows": _slope_rows(m),
        "halving_rows": [
            (s["group"], s["median"], s["interval"], s["probability"]) for s in halving(m).values()
        ],
        "terms": bool(m.design.terms) and len(m.term_levels) > 0,
        "time": {},
    }
    if values["terms"]:
        values |= _terms(m)
    if m.time is not None and m.period_fit is not None:
        values["time"] = _time(m, m.time)
        values["regions"] = drawing(
            "experience-and-time", plots.experience_and_time(m.period_fit, m.prob)
        )
    return values


def _curve_rows(m: DecayReportData) -> Rows:
    """Probability of the flag after some numbers of decisions."""
    return tuple(
        (
            row.size,
            str(row.entries),
            r.estimate(row, decimals(row.ci_low, row.ci_high, 0)),
            *prior_cell(row, 0),
        )
        for row in m.curves[m.curves["entries"].isin(ENTRIES)].itertuples(index=False)
    )


def _slope_rows(m: DecayReportData) -> Rows:
    """Falls and decays, with the probability of their direction."""
    rows = []
    for row in m.slopes.itertuples(index=False):
        points = row.quantity == "fall"
        digits = decimals(row.ci_low, row.ci_high, 0 if points else 2)
        rows.append(
            (
                f"decline after {FALL_AFTER}, points" if points else "decay, log odds",
                row.size.replace(" - ", " minus "),
                r.estimate(row, digits),
                *prior_cell(row, 0 if points else 1),
                f.probability(row.p_positive),
                verdict_on(row),
            )
        )
    return tuple(rows)


def halving(m: DecayReportData) -> dict[str, Values]:
    """After how many decisions the odds have halved, by size."""
    found = {}
    for row in m.halving.itertuples(index=False):
        digits = decimals(row.ci_low, row.ci_high, 1)
        median, low, high = (_entries(v, digits) for v in (row.median, row.ci_low, row.ci_high))
        found[row.size] = {
            "group": group_name(row.size, m.study.firm_label),
            "median": median,
            "interval": f"{low} to {high}",
            "probability": f.probability(row.p_never),
            "never": bool(np.isinf(row.median)),
        }
    return found


def _entries(value: float, digits: int = 1) -> str:
    """A number of entries, or that it is never reached."""
    if np.isinf(value):
        return "never"
    return "more than 1000" if value > 1000 else f.number(value, digits if value < 20 else 0)


def _terms(m: DecayReportData) -> Values:
    """What predictors and groups change, in percentage points."""
    levels, differences = m.term_levels, m.term_differences
    digits = r.common_decimals(levels)
    return {
        "levels": [
            (row.label, row.level, *median_and_interval(row, digits))
            for row in levels.head(MOST_LEVELS).itertuples(index=False)
        ],
        "more_levels": max(0, len(levels) - MOST_LEVELS),
        "differences": r.difference_rows(differences, MOST_DIFFERENCES, verdicts=True),
        "more_differences": max(0, len(differences) - MOST_DIFFERENCES),
    }


def _time(m: DecayReportData, table: pd.DataFrame) -> Values:
    """How far experience and calendar time can be told apart."""
    decays = m.slopes[m.slopes["quantity"] == "decay"]
    default = dict(zip(decays["size"], decays["p_positive"], strict=True))
    rows = [row for row in table.itertuples(index=False) if row.size in default]
    first = next(table.itertuples(index=False))
    return {
        "converged": bool(table["converged"].all()),
        "sizes": {
            row.size: {
                "group": group_name(row.size, m.study.firm_label),
                "probability": f.probability(row.p_decay_positive),
                "alone": f.probability(default[row.size]),
                "correlation": f.number(row.correlation, 2),
            }
            for row in rows
        },
        "falls": f.probability(first.p_period_falls),
        "spread": f.percent(100 * first.sd_ratio),
    }


# -- reconstruction and predictions ------------------------------------------------------


def reconstruction(m: DecayReportData) -> Values | None:
    """What of the table is known, and what is reconstructed; nothing where all is known."""
    if not m.latent:
        return None
    consistent = m.audit.consistent
    known = "the counts alone" if consistent else "the cheapest repairs"
    cells = m.cells.rename(columns={"name": "size"})
    noisy = [row for row in count_rows(m) if row.probability != "certain"]
    flags = {"yes": m.study.flag_label, "no": f"not {m.study.flag_label}"}
    texts = {row.id: row.text for row in noisy}
    return {
        **nouns(m),
        "consistent": consistent,
        "interval": f.interval_name(m.prob),
        "noisy": str(len(noisy)),
        "held": str(sum(row.held >= 0.5 for row in noisy)),
        "doubtful": [row.values for row in noisy if row.held < 0.5],
        "true_counts": drawing("true-counts", countplots.true_counts(m.fit, m.prob)),
        "readings": [
            (row.differs.replace(" -> ", " → "), f.probability(row.probability))
            for row in m.readings.itertuples(index=False)
        ],
        "meanings": "; ".join(
            f"{name}: {text}"
            for name, text in texts.items()
            if any(f"{name} " in differs for differs in m.readings["differs"])
        ),
        "cells": drawing("cells", countplots.cells(m.fit, cells, m.prob, basis=known)),
        "rows": [
            (
                *(row.name, row.period, flags[row.flag], bound(row.low, row.high)),
                *median_and_interval(row, 0),
            )
            for row in m.cells.itertuples(index=False)
        ],
    }


def attributes(m: DecayReportData) -> Values | None:
    """Further counts of the decisions: what is known by period, size and flag, and what is not."""
    if not m.attributes:
        return None
    known = [table for table in m.attributes.values() if not isinstance(table, str)]
    times = pd.concat(known)["verdict"].value_counts() if known else {}
    whose = [found.attribute for found in m.attribute_audits]
    return {
        **nouns(m),
        "consistent": m.audit.consistent,
        "interval": f.interval_name(m.prob),
        "whole": all(len(own.totals(m.study)) == len(own.counts) for own in whose),
        "number": str(sum(len(table) for table in known)) if known else "",
        "known": str(times.get(KNOWN, 0)),
        "bounded": str(times.get(BOUNDED, 0)),
        "unknown": str(times.get(NOT_IDENTIFIED, 0)),
        "fewest": str(FEWEST_OF_LEVEL),
        "attributes": [_attribute(found, m) for found in m.attribute_audits],
    }


def _attribute(found: AttributeAudit, m: DecayReportData) -> Values:
    table, label = m.attributes[found.attribute.name], found.attribute.label
    by_level = {cell.level: b for cell, b in zip(found.cells, found.bounds, strict=False)}
    several = MORE in by_level
    unknown = isinstance(table, str)
    return {
        "label": label,
        "title": f.capital(label),
        "more": _limits(*by_level[MORE]) if several else "",
        "none": _limits(*by_level[NONE]) if several else "",
        "conflicts": attribute_conflicts(found) if found.added else [],
        "why": table if unknown else "",
        "rows": [] if isinstance(table, str) else _attribute_rows(table, m),
    }


def _limits(low: int | None, high: int | None) -> str:
    if low == high:
        return f"exactly {low}"
    least = f"at least {low}" * bool(low)
    most = f"at most {high}" * (high is not None)
    return f.listed([*filter(None, (least, most))]) or "any number"


def _attribute_rows(table: pd.DataFrame, m: DecayReportData) -> Rows:
    """Numbers of each level: bounds, posterior, prior and verdict."""
    most = table.groupby("level")["high"].max()
    flags = {"yes": m.study.flag_label, "no": f"not {m.study.flag_label}"}
    whole = table["flag"].iloc[0]
    rows = []
    for row in table.itertuples(index=False):
        if most[row.level] < FEWEST_OF_LEVEL:
            continue
        among = row.name if row.kind == "group" else row.period
        among = flags[row.flag] if among == "all" and row.flag != whole else among
        mean = f"{f.number(row.mean, 1)} ({bound(row.ci_low, row.ci_high)})"
        prior = bound(row.prior_low, row.prior_high)
        rows.append((row.level, among, bound(row.low, row.high), mean, prior, row.verdict))
    return tuple(rows)


def predictions(m: DecayReportData) -> Values | None:
    """Registers predicted by the fit against the register; nothing for single firms."""
    if m.register is None:
        return None
    checks = m.checks.itertuples(index=False)
    digits = {row.feature: f.decimals_for(row.ci_high - row.ci_low) for row in checks}
    return {
        **nouns(m),
        "interval": f.interval_name(m.prob),
        "drawing": drawing("predictions", plots.posterior_predictive(m.fit, m.prob)),
        **r.features(m.checks, digits.__getitem__),
        "misfit": checkvalues.misfit(m.checks, digits.__getitem__),
        "rows": [
            (
                *(row.size, str(row.entries), f"{row.decisions:,}"),
                f.number(row.observed, f.decimals_for(row.ci_high - row.ci_low)),
                r.rounded_estimate(row),
            )
            for row in m.predicted.itertuples(index=False)
            if row.entries <= MOST_ENTRIES
        ],
    }


# -- rival explanations ------------------------------------------------------------------


def rivals(m: DecayReportData) -> Values | None:
    """The decay beside each rival explanation; nothing where none is fitted."""
    if not m.has_rivals:
        return None
    table, firm = m.rivals, m.study.firm_label
    sizes = list(dict.fromkeys(table["size"]))
    rows = []
    for variant, own in table.groupby("variant", sort=False):
        cells = [_with_probability(row) for row in own.itertuples(index=False)]
        first = next(own.itertuples(index=False))
        name = f"{first.explanation} ({variant_title(m, str(variant))})"
        rows.append((name, *cells, _effect(first), taken_over(first, table)))
    return {
        **nouns(m),
        "interval": f.interval_name(m.prob),
        "groups": [group_name(size, firm) for size in sizes],
        "rows": rows,
        "missed": "recall" in set(m.own_parameters.get("parameter", ())),
    }


def taken_over(row: Any, table: pd.DataFrame) -> str:
    """By how much the decay is smaller beside a rival, a row of the table of rivals; in percent.

    A dash where the default itself has no decay to speak of.
    """
    default = next(table.itertuples(index=False))
    if row.variant == default.variant or default.p_positive < LEANING:
        return f.DASH
    return f.percent(100 * row.taken_over) if row.converged else "did not converge"


def _with_probability(row: Any) -> str:
    """An estimate with the probability that it is above zero, in one cell."""
    chance = f", {f.probability(row.p_positive)}" * (row.p_positive == row.p_positive)
    return f"{median_and_span(row)}{chance}"


def _effect(row: Any) -> str:
    """What a rival amounts to itself, in one cell."""
    if not isinstance(getattr(row, "effect", None), str):
        return f.DASH
    columns = ("median", "ci_low", "ci_high", "p_positive")
    own = SimpleNamespace(**{name: getattr(row, f"effect_{name}") for name in columns})
    return f"{row.effect}: {_with_probability(own)}"


# -- variants and limits -----------------------------------------------------------------


def variants(m: DecayReportData) -> Values:
    """The same answers under other readings, priors and shapes."""
    values: Values = {
        **nouns(m),
        **r.variants(m),
        "latent": m.latent,
        "interval": f.interval_name(m.prob),
    }
    if not values["several"]:
        return values
    return {
        **values,
        "number": str(len(m.variants)),
        "sizes": _over_variants(m),
        "drawing": drawing("variants", plots.variants(m.comparison, m.prob)),
        "side_by_side": r.compared_variants(m),
        "own": r.only_of_variants(m),
    }


def _over_variants(m: DecayReportData) -> dict[str, Values]:
    """How far the probability of a decline goes over the variants, by size."""
    table = m.comparison
    table = table[(table["quantity"] == "fall") & table["converged"].astype(bool)]
    found = {}
    for size, own in table.groupby("size", sort=False):
        ends = own.sort_values("p_positive", kind="stable")
        low, high = ends.iloc[0], ends.iloc[-1]
        default = own[own["variant"] == "default"]
        named = default.itertuples(index=False)
        known = {verdict_on(row).partition(" (")[0] for row in named}
        other = [
            str(row.variant)
            for row in own.itertuples(index=False)
            if known and verdict_on(row).partition(" (")[0] not in known
        ]
        found[str(size)] = {
            "group": group_name(str(size), m.study.firm_label),
            "low": f.probability(low["p_positive"]),
            "lowest": str(low["variant"]),
            "high": f.probability(high["p_positive"]),
            "highest": str(high["variant"]),
            "verdict": "".join(known),
            "others": f.listed(other),
        }
    return found


def limits(m: DecayReportData) -> Values:
    """What the study leaves open."""
    return {**computed_limits(m), "said": list(m.study.limits)}


def computed_limits(m: DecayReportData) -> Values:
    """What the study leaves open, from its fit."""
    still = hardly_moved(m.parameters)
    cells = m.cells if m.latent else None
    open_cells = 0 if cells is None else int((cells["ci_high"] > cells["ci_low"]).sum())
    widths: dict[str, Values] = {
        row.size: {
            "group": group_name(row.size, m.study.firm_label),
            "width": f.number(row.ci_high - row.ci_low, decimals(row.ci_low, row.ci_high, 0)),
        }
        for row in falls(m)[:MOST_SIZES]
    }
    return {
        **nouns(m),
        "firms": m.firms,
        "widths": widths,
        "parameters": str(len(m.parameters)),
        "still": str(len(still)) if still else "",
        "names": f.listed(still),
        "cells": "" if cells is None else str(len(cells)),
        "open": str(open_cells),
        "register": m.register is not None,
    }
